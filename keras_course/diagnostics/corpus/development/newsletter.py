"""The code of a weekly newsletter on machine learning: skip connections, and words in order."""

from keras_course.diagnostics.corpus import Fault, Program

SKIPS = Program(
    name="newsletter_skip_connections",
    source='''
# ---------------------------------------------------------------------------
# Issue 41: ten layers and no fear - what "x + f(x)" buys you
#
# We fit a bumpy landscape (two inputs, one height) with a net that is much
# deeper than it needs to be. Paste it into a notebook, it runs in seconds.
# ---------------------------------------------------------------------------
import keras
import numpy as np
from keras import layers, ops

keras.utils.set_random_seed(SEED)
gen = np.random.default_rng(SEED)


def landscape(p):
    # hills, a valley and a ridge. nothing special about it!
    u, v = p[:, 0], p[:, 1]
    return np.sin(2.4 * u) * np.cos(1.8 * v) + 0.6 * np.exp(-3 * (u - v) ** 2) - 0.4 * np.abs(u + v)


spots = gen.uniform(-2, 2, (2600, 2)).astype("float32")
heights = landscape(spots).astype("float32") + gen.normal(0, 0.08, 2600).astype("float32")
mu, sd = heights[:2000].mean(), heights[:2000].std()
heights = (heights - mu) / sd

x_train, y_train = spots[:2000], heights[:2000]
x_val, y_val = spots[2000:], heights[2000:]

DEPTH = 5       # blocks, two dense layers each
WIDTH = 32
EPOCHS = 16
BATCH = 50
STEPS = EPOCHS * int(np.ceil(len(x_train) / BATCH))

init = keras.initializers.HeNormal(seed=SEED)
act = "relu"

inputs = keras.Input((2,))
x = layers.Dense(WIDTH, activation=act, kernel_initializer=init, name="lift")(inputs)
for i in range(DEPTH):
    f = layers.Dense(WIDTH, activation=act, kernel_initializer=keras.initializers.HeNormal(seed=SEED + i),
                     name=f"block{i}_a")(x)
    # the second layer starts small, so that each block is nearly "do nothing" at first
    f = layers.Dense(WIDTH, kernel_initializer=keras.initializers.RandomNormal(stddev=0.02, seed=SEED + 50 + i),
                     name=f"block{i}_b")(f)
    x = layers.Add(name=f"skip{i}")([x, f])
height = layers.Dense(1, name="height")(x)
net = keras.Model(inputs, height)

# warm up for an epoch or two, then a long cosine tail
rate = keras.optimizers.schedules.CosineDecay(
    initial_learning_rate=2e-4,
    decay_steps=STEPS - STEPS // 10,
    warmup_target=4e-3,
    warmup_steps=STEPS // 10,
)
net.compile(optimizer=keras.optimizers.Adam(rate), loss="mse", metrics=["mae"])
log = net.fit(x_train, y_train, validation_data=(x_val, y_val), epochs=EPOCHS, batch_size=BATCH, verbose=0)

for e in (0, 4, 9, EPOCHS - 1):
    print("epoch", e + 1, "train", round(log.history["loss"][e], 4), "val", round(log.history["val_loss"][e], 4))
r2 = 1 - log.history["val_loss"][-1] / np.var(y_val)
print(f"R2 of the {2 * DEPTH + 2}-layer net: {r2:.3f}")
''',
    score="max(r2, -1.0) if np.isfinite(r2) else -1.0",
    bar=0.9,
    base=0.0,
    odd="The second layer of each block starts at a scale of 0.02, and the rate at a twentieth of its peak.",
    faults=(
        Fault(cause="vanishing_gradient", old='    x = layers.Add(name=f"skip{i}")([x, f])\n',
              new='    x = layers.Activation("sigmoid", name=f"skip{i}")(f)\n',
              accept=("init_scale",), beside=("saturated_units",)),
        Fault(cause="init_scale",
              old='RandomNormal(stddev=0.02, seed=SEED + 50 + i)', new='RandomNormal(stddev=2.0, seed=SEED + 50 + i)',
              beside=("exploding_gradient", "learning_rate_too_high", "dead_units"),
              layer=tuple(f"block{i}_b" for i in range(5))),
        Fault(cause="missing_nonlinearity", old='act = "relu"', new="act = None",
              layer=("lift", *(f"block{i}_a" for i in range(5)))),
        Fault(cause="lr_schedule_wrong", old="STEPS = EPOCHS * int(np.ceil(len(x_train) / BATCH))", new="STEPS = EPOCHS",
              beside=("too_few_steps", "learning_rate_too_low")),
        Fault(cause="dead_units", old='layers.Dense(WIDTH, activation=act, kernel_initializer=init, name="lift")',
              new='layers.Dense(WIDTH, activation=act, kernel_initializer=init, bias_initializer='
              'keras.initializers.Constant(-6.0), name="lift")', accept=("init_scale",), layer=("lift",),
              beside=("input_ignored", "frozen_or_disconnected")),
        Fault(cause="saturated_units", old='x = layers.Dense(WIDTH, activation=act, kernel_initializer=init, name="lift")(inputs)',
              new='x = layers.Dense(WIDTH, activation="tanh", kernel_initializer=keras.initializers.RandomNormal(stddev=40), '
              'name="lift")(inputs)', accept=("init_scale",), layer=("lift",)),
        Fault(cause="underfitting_capacity", old="WIDTH = 32\n", new="WIDTH = 2\n", beside=("dead_units",)),
    ),
    seeds=3,
)  # fmt: skip

WORDS = Program(
    name="newsletter_words_in_order",
    source='''
"""
Issue 44 - "Not good, but cheap": why the order of words matters

A bag of words cannot tell "cheap but not good" from "good but not cheap".
A little GRU can. Today: reviews of kitchen gadgets, three verdicts.
"""
import random

import numpy as np
import keras
from keras import layers

keras.utils.set_random_seed(SEED)
random.seed(SEED)

THINGS = "peeler grater whisk blender kettle toaster scale timer sieve ladle".split()
GOOD = "good great sturdy lovely sharp quick handy".split()
BAD = "flimsy dull noisy slow ugly useless leaky".split()
FILL = "honestly well my sister says the we think it after a week somehow".split()
VERDICTS = ["send back", "so so", "keep"]


def opinion(positive):
    # sometimes we say it the other way round: "not noisy"
    if random.random() > 0.3:
        return [random.choice(GOOD if positive else BAD)]
    return ["not", random.choice(BAD if positive else GOOD)]


def review():
    verdict = random.choice([0, 1, 2])
    first, second = {0: (False, False), 1: random.choice([(True, False), (False, True)]), 2: (True, True)}[verdict]
    words = random.choices(FILL, k=random.randint(0, 3)) + ["the", random.choice(THINGS), "is"]
    words += opinion(first) + [random.choice(["and", "but", "also"])] + opinion(second)
    words += random.choices(FILL, k=random.randint(0, 2))
    return " ".join(words), verdict


pairs = [review() for _ in range(3600)]
texts = [text for text, _ in pairs]
labels = np.array([verdict for _, verdict in pairs])
print(texts[0], "->", VERDICTS[labels[0]])

vectorise = layers.TextVectorization(output_sequence_length=14)
vectorise.adapt(texts)
X = np.array(vectorise(texts))
Y = keras.utils.to_categorical(labels, 3)

model = keras.Sequential([
    keras.Input((14,), dtype="int64"),
    layers.Embedding(vectorise.vocabulary_size(), 16, mask_zero=True, name="vectors"),
    layers.GRU(24, name="reader"),
    layers.Dense(3, activation="softmax", name="verdict"),
])
model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.Adam(8e-3), metrics=["accuracy"])
# the last third is for validation
history = model.fit(X, Y, validation_split=0.35, epochs=5, batch_size=64, verbose=2)

val_acc = history.history["val_accuracy"][-1]
for line in ["the kettle is not good and slow", "the kettle is not slow and good", "the kettle is good but not quick"]:
    p = model.predict(np.array(vectorise([line])), verbose=0)[0]
    print(f"{line:40s} {VERDICTS[int(p.argmax())]} ({p.max():.2f})")
''',
    score="val_acc",
    bar=0.9,
    base=0.34,
    faults=(
        Fault(cause="validation_split_sorted", old="pairs = [review() for _ in range(3600)]",
              new="pairs = sorted([review() for _ in range(3600)], key=lambda pair: pair[1])",
              accept=("missing_class",), beside=("data_sorted", "class_imbalance")),
        Fault(cause="label_encoding", old="Y = keras.utils.to_categorical(labels, 3)",
              new="Y = keras.utils.to_categorical(labels + 1, 4)[:, :3]", beside=("missing_class", "wrong_head_for_labels")),
        Fault(cause="wrong_metric", old='metrics=["accuracy"])', new='metrics=[keras.metrics.Accuracy(name="accuracy")])',
              accept=("loss_metric_inconsistent",)),
        Fault(cause="constant_labels", old="labels = np.array([verdict for _, verdict in pairs])",
              new='labels = np.array([int(verdict in VERDICTS) for _, verdict in pairs])',
              beside=("missing_class", "label_encoding"), certain=True),
        Fault(cause="labels_shuffled_apart", old="print(texts[0], ", new="random.shuffle(texts)\nprint(texts[0], ",
              beside=("label_noise",)),
        Fault(cause="too_few_steps", old="epochs=5, batch_size=64", new="epochs=1, batch_size=512",
              beside=("underfitting_capacity",)),
        Fault(cause="label_noise", old='    return " ".join(words), verdict\n',
              new='    return " ".join(words), random.choice([verdict, random.randint(0, 2)])\n'),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (SKIPS, WORDS)
