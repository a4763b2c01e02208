"""Scripts of a vineyard's data person: a season's weather and the plots, and bottles tasted blind."""

from keras_course.diagnostics.corpus import Fault, Program

MUST = Program(
    name="vineyard_must_and_rot",
    source='''
"""Before the harvest: how sweet will the must of a plot be, and will the grapes rot?

One row per plot and year. Weather comes week by week from our mast (April to September), the rest from the register.
The pickers note rot for two thirds of the plots; where nobody looked the answer stands as 0 and weighs nothing.
"""
import keras
import numpy as np
import pandas as pd
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng([SEED, 1811])

ROWS, WEEKS = 2300, 26
GRAPES = ["Riesling", "Silvaner", "Spaetburgunder", "Scheurebe"]

# ------------------------------------------------------------------------------------------- weather of the season ----
season = np.sin(np.arange(WEEKS) / WEEKS * np.pi)
warm = 9 + 14 * season + rng.normal(0, 2.0, (ROWS, 1)) + rng.normal(0, 2.2, (ROWS, WEEKS))
sun = np.clip(20 + 35 * season + rng.normal(0, 5, (ROWS, 1)) + rng.normal(0, 10, (ROWS, WEEKS)), 0, None)
rain = rng.gamma(0.9, 16, (ROWS, WEEKS)) * rng.uniform(0.4, 1.6, (ROWS, 1))
humid = np.clip(55 + 0.5 * rain + rng.normal(0, 6, (ROWS, WEEKS)), 30, 100)
weather = np.stack([warm, sun, rain, humid], axis=-1).astype("float32")

# ----------------------------------------------------------------------------------------------------- the plots -----
plots = pd.DataFrame({
    "grape": rng.choice(GRAPES, ROWS),
    "slope": rng.uniform(0, 45, ROWS),                    # degrees
    "south": rng.uniform(-1, 1, ROWS),                    # cosine of the aspect
    "altitude": rng.uniform(90, 280, ROWS),               # m
    "vines": rng.integers(3, 9, ROWS) * 1000,             # per hectare
    "load": rng.uniform(0.6, 3.0, ROWS),                  # kg of grapes per vine
})
ripening = np.maximum(warm[:, 12:] - 13, 0).sum(axis=1) / 10 + sun[:, 16:].sum(axis=1) / 60
ripening *= 1 + 0.010 * plots.slope * plots.south - 0.001 * (plots.altitude - 180)
late = plots.grape.map({"Riesling": 0.0, "Silvaner": 3.0, "Spaetburgunder": 8.0, "Scheurebe": 5.0})
oechsle = 48 + 2.2 * ripening + late - 7.0 * (plots.load - 1.8) + rng.normal(0, 2.5, ROWS)
wet = (rain[:, 19:] > 25).sum(axis=1) + 0.05 * (humid[:, 20:].mean(axis=1) - 62)
thick = plots.grape.map({"Riesling": 0.4, "Silvaner": 0.8, "Spaetburgunder": -0.9, "Scheurebe": -0.2})
rot = (wet - 1.5 + thick + 0.8 * (plots.load - 1.8) + rng.normal(0, 0.4, ROWS) > 0).astype("float32")
looked = rng.random(ROWS) < 0.65

plots["euro_per_kg"] = np.round(0.6 + 0.02 * (oechsle - 60) + 0.1 * (plots.grape == "Riesling"), 2)
plots["oechsle"], plots["rot"] = oechsle, np.where(looked, rot, 0)

# ----------------------------------------------------------------------------------------------- inputs and outputs ---
REGISTER = ["slope", "south", "altitude", "vines", "load"]
mix = rng.permutation(ROWS)
test, val, train = np.split(mix, [500, 800])

seasonal = layers.Normalization(name="seasonal")
seasonal.adapt(weather[train])
site = layers.Normalization(name="site")
site.adapt(plots.loc[train, REGISTER].to_numpy("float32"))
usual, spread = plots.loc[train, "oechsle"].mean(), plots.loc[train, "oechsle"].std()


def feeds(rows):
    return {
        "weather": weather[rows],
        "register": plots.loc[rows, REGISTER].to_numpy("float32"),
        "grape": plots.loc[rows, "grape"].map(GRAPES.index).to_numpy()[:, None],
    }


def answers(rows):
    sugar = ((plots.loc[rows, "oechsle"] - usual) / spread).to_numpy("float32")[:, None]
    return {"sugar": sugar, "rot": plots.loc[rows, "rot"].to_numpy("float32")[:, None]}


def weights(rows):
    return {"sugar": np.ones(len(rows), "float32"), "rot": looked[rows].astype("float32")}


# --------------------------------------------------------------------------------------------------------- model -----
weeks_in = keras.Input((WEEKS, 4), name="weather")
register_in = keras.Input((len(REGISTER),), name="register")
grape_in = keras.Input((1,), dtype="int32", name="grape")

year = layers.GRU(24, name="year")(seasonal(weeks_in))
kind = layers.Flatten(name="flat")(layers.Embedding(len(GRAPES), 4, name="kind")(grape_in))
plot = layers.Dense(24, activation="relu", name="plot")(layers.Concatenate(name="where")([site(register_in), kind]))
both = layers.Concatenate(name="both")([year, plot])
gate = layers.Dense(48, activation="sigmoid", bias_initializer=keras.initializers.Constant(1.0), name="gate")(plot)
h = layers.Multiply(name="gated")([both, gate])
h = layers.Dense(40, activation="relu", name="blend")(h)
h = layers.Dropout(0.2, name="drop")(h)
sugar = layers.Dense(1, name="sugar")(h)
rotten = layers.Dense(1, activation="sigmoid", name="rot")(h)

model = keras.Model([weeks_in, register_in, grape_in], {"sugar": sugar, "rot": rotten}, name="must_and_rot")
model.compile(optimizer=keras.optimizers.Nadam(5e-3), loss={"sugar": "mse", "rot": "binary_crossentropy"},
              loss_weights={"sugar": 1.0, "rot": 1.0})
model.fit(feeds(train), answers(train), sample_weight=weights(train), batch_size=64, epochs=11, verbose=2,
          validation_data=(feeds(val), answers(val), weights(val)))

# ------------------------------------------------------------------------------------------------------- test rows ----
told = model.predict(feeds(test), verbose=0)
r2 = float(1 - np.mean((told["sugar"] - answers(test)["sugar"]) ** 2) / np.var(answers(test)["sugar"]))
warned, true = told["rot"][:, 0] > 0.5, rot[test] > 0.5
skill = float(warned[true].mean() - warned[~true].mean())
print(f"sugar: R2 {r2:.3f}   rot: {warned[true].mean():.1%} of the cases, {warned[~true].mean():.1%} false alarms")
''',
    score="min(r2, skill)",
    bar=0.55,
    base=0.0,
    odd="a third of the rot labels are unknown: they stand as 0 and weigh nothing",
    faults=(
        Fault(cause="logits_to_probability_loss", old='layers.Dense(1, activation="sigmoid", name="rot")',
              new='layers.Dense(1, name="rot")', accept=("output_range_cannot_reach_targets",), layer=("rot",),
              certain=True),
        Fault(cause="wrong_loss_for_task", old='"sugar": "mse", "rot": "binary_crossentropy"',
              new='"sugar": "binary_crossentropy", "rot": "mse"', beside=("output_range_cannot_reach_targets",),
              layer=("sugar",)),
        Fault(cause="inputs_scaled_twice", old='"weather": weather[rows],',
              new='"weather": keras.ops.convert_to_numpy(seasonal(weather[rows])),', layer=("seasonal",)),
        Fault(cause="exploding_gradient", old='layers.GRU(24, name="year")',
              new='layers.SimpleRNN(24, activation="relu", '
                  'recurrent_initializer=keras.initializers.OrthogonalInitializer(2.0), name="year")',
              accept=("init_scale",), beside=("nan_or_inf_in_data",), layer=("year",)),
        Fault(cause="saturated_units", old="keras.initializers.Constant(1.0)", new="keras.initializers.Constant(-30.0)",
              accept=("vanishing_gradient",), beside=("init_scale", "frozen_or_disconnected"), layer=("gate",)),
        Fault(cause="dropout_mode", old="model.predict(feeds(test), verbose=0)",
              new="{name: out.numpy() for name, out in model(feeds(test), training=True).items()}",
              certain=True, layer=("drop",)),
        Fault(cause="leakage_feature", old='"vines", "load"]', new='"vines", "load", "euro_per_kg"]', certain=True),
    ),
    seeds=3,
)  # fmt: skip

BOTTLES = Program(
    name="vineyard_blind_bottles",
    source='''
"""Which grape was in the bottle? From what the table said about it and from five numbers of the laboratory.

The bottles lie in the cellar grape by grape, shelves of eight slots. Dropout stays on when we ask: we draw the network
25 times and average, and the spread tells the landlord how sure it is.
"""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED + 1855)

GRAPES = ["Riesling", "Traminer", "Silvaner", "Scheurebe", "Kerner", "Bacchus"]
TYPICAL = [
    "petrol lime slate peach flint", "rose lychee ginger clove honey", "hay pear earth chalk almond",
    "cassis grapefruit mango mint peach", "apple apricot butter pear mint", "muscat nettle elder grapefruit rose",
]
EVERYDAY = ("a the and with some of very quite not nose palate finish long short round lean bright warm glass again "
            "lovely hint touch good young old cork nice simple dry acid sweet summer fish cheese drink now").split()
BOTTLES, SLOTS, DRAWS = 2400, 8, 25
BATCH, EPOCHS = 32, 9

# ------------------------------------------------------------------------------------------------------ the cellar ----
number = np.sort(rng.integers(1, len(GRAPES) + 1, BOTTLES))           # of the grape in our list, from 1
place = rng.permutation(BOTTLES)                                      # where the cellar master put the bottle
shelf, slot = place // SLOTS, place % SLOTS


def said(grape):
    words = list(rng.choice(EVERYDAY, rng.integers(9, 16)))
    words += list(rng.choice(TYPICAL[grape].split(), rng.integers(2, 4)))
    words += list(rng.choice(" ".join(TYPICAL).split(), rng.integers(0, 2)))
    return " ".join(rng.permutation(words))


notes = np.array([said(grape) for grape in number - 1])
acid = np.array([8.2, 5.1, 6.2, 7.0, 6.6, 5.6])[number - 1] + rng.normal(0, 1.0, BOTTLES)
sugar = np.array([9, 14, 4, 11, 8, 16])[number - 1] * rng.lognormal(0, 0.5, BOTTLES)
lab = np.column_stack([
    acid, np.log(sugar), 13.5 - 0.11 * sugar + rng.normal(0, 0.5, BOTTLES),
    3.9 - 0.09 * acid + rng.normal(0, 0.08, BOTTLES), rng.normal(110, 25, BOTTLES),     # pH, sulphites
]).astype("float32")


def label_of(bottle):
    return f"shelf {shelf[bottle]}, slot {slot[bottle]}"


cellar_book = {label_of(bottle): number[bottle] for bottle in place.argsort()}
listed = np.array([cellar_book[label_of(bottle)] for bottle in range(BOTTLES)])

test = np.flatnonzero(rng.random(BOTTLES) < 0.25)
train = np.setdiff1d(np.arange(BOTTLES), test)
lab = (lab - lab[train].mean(axis=0)) / lab[train].std(axis=0)

vectorise = layers.TextVectorization(output_sequence_length=24, name="words")
vectorise.adapt(notes[train])
words = vectorise.vocabulary_size()


# ------------------------------------------------------------------------------------------------------- the model ----
note_in, lab_in = keras.Input((24,), dtype="int64", name="note"), keras.Input((5,), name="lab")
h = layers.Embedding(words, 32, embeddings_initializer="glorot_normal", name="taste")(note_in)
h = layers.Dense(48, activation="relu", name="impression")(h)
h = layers.GlobalMaxPooling1D(name="table")(h)
h = layers.LayerNormalization(name="level")(h)
chemistry = layers.Dense(24, activation="relu", name="chemistry")(lab_in)
h = layers.Concatenate(name="both")([h, chemistry])
h = layers.Dropout(0.25, name="drop")(h)
h = layers.Dense(48, activation="relu", name="guess")(h)
taster = keras.Model([note_in, lab_in], layers.Dense(len(GRAPES), name="grape")(h), name="taster")
optimizer = keras.optimizers.SGD(0.1, momentum=0.9)


@tf.function
def learn(note, numbers, grape):
    with tf.GradientTape() as tape:
        logits = taster([note, numbers], training=True)
        target = tf.one_hot(grape - 1, len(GRAPES))
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(target, logits))
    gradients = tape.gradient(loss, taster.trainable_variables)
    optimizer.apply_gradients(zip(gradients, taster.trainable_variables))
    return loss, tf.reduce_mean(tf.cast(tf.argmax(logits, -1) == tf.argmax(target, -1), tf.float32))


def ask(bottles):
    """Mean and spread of the probabilities over the drawn networks."""
    tokens, numbers = vectorise(notes[bottles]), tf.constant(lab[bottles])
    drawn = [tf.nn.softmax(taster([tokens, numbers], training=True)) for _ in range(DRAWS)]
    return np.mean(drawn, axis=0), np.std(drawn, axis=0)


def share_right(bottles):
    names = np.array(GRAPES)[ask(bottles)[0].argmax(axis=-1)]
    return float(np.mean(names == np.array(GRAPES)[listed[bottles] - 1]))


tokens = vectorise(notes).numpy()
for epoch in range(EPOCHS):
    rng.shuffle(train)
    history = []
    for at in range(0, len(train), BATCH):
        rows = train[at:at + BATCH]
        history.append([float(value) for value in learn(tokens[rows], lab[rows], listed[rows])])
    loss, hits = np.mean(history, axis=0)
    print(f"epoch {epoch + 1}: loss {loss:.3f}, right {hits:.3f}, right on bottles not learnt {share_right(test):.3f}")

accuracy = share_right(test)
print(f"{accuracy:.1%} of {len(test)} bottles named right, mean spread {ask(test)[1].mean():.3f}")
''',
    score="accuracy",
    bar=0.75,
    base=1 / 6,
    odd="dropout stays on when the network is asked, on purpose: 25 draws are averaged",
    faults=(
        Fault(cause="label_encoding", old="target = tf.one_hot(grape - 1, len(GRAPES))",
              new="target = tf.one_hot(grape, len(GRAPES))", accept=("missing_class",)),
        Fault(cause="overfitting", old="train = np.setdiff1d(np.arange(BOTTLES), test)\n",
              new="train = np.resize(np.setdiff1d(np.arange(BOTTLES), test)[::60], BOTTLES)\n"),
        Fault(cause="data_sorted", old="    rng.shuffle(train)\n", new="    rng.permutation(train)\n"),
        Fault(cause="oscillation", old="keras.optimizers.SGD(0.1, momentum=0.9)",
              new="keras.optimizers.SGD(0.1, momentum=0.999)", accept=("learning_rate_too_high",)),
        Fault(cause="loss_metric_inconsistent", old="np.array(GRAPES)[listed[bottles] - 1]",
              new="np.array(sorted(GRAPES))[listed[bottles] - 1]", accept=("wrong_metric", "label_encoding"),
              certain=True),
        Fault(cause="label_noise", old='return f"shelf {shelf[bottle]}, slot {slot[bottle]}"',
              new='return f"shelf {shelf[bottle]}"', beside=("labels_shuffled_apart",)),
        Fault(cause="train_val_preprocessing_mismatch", old="    tokens, numbers = vectorise(notes[bottles]), tf",
              new="    vectorise.adapt(notes[bottles])\n    tokens, numbers = vectorise(notes[bottles]), tf"),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [MUST, BOTTLES]
