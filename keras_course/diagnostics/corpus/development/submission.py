"""Notebooks handed in to competitions: mushrooms, crops, late flights and unwanted messages."""

from keras_course.diagnostics.corpus import Fault, Program

MUSHROOMS = Program(
    name="submission_mushroom_guide",
    source="""
import numpy as np
from sklearn.model_selection import train_test_split
from tensorflow import keras
from tensorflow.keras import layers
from tensorflow.keras.callbacks import EarlyStopping, ReduceLROnPlateau

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

# ----- the table -----
N = 2400
HABITATS = np.array(['woods', 'grasses', 'paths', 'urban'])
GILLS = np.array(['white', 'brown', 'black', 'pink', 'buff'])
cap_cm = rng.gamma(6, 1.2, N)
stem_mm = 60 + 9 * cap_cm + rng.normal(0, 25, N)
spores = rng.poisson(rng.gamma(0.8, 60, N))
habitat = rng.integers(0, 4, N)
gill = rng.integers(0, 5, N)
ring = rng.random(N) < 0.4

danger = (
    2.5 * np.isin(gill, [0, 4]) * (habitat < 2)
    + 1.5 * (ring & (cap_cm > 6.5))
    - 2.0 * (np.log1p(spores) > 3.3) * (gill == 1)
    + 1.3 * np.sin(stem_mm / 22)
    + rng.normal(0, 0.35, N)
)
label = np.where(danger > np.median(danger), 'p', 'e')
habitat_name, gill_name = HABITATS[habitat], GILLS[gill]

# ----- feature engineering -----
numeric = np.column_stack([cap_cm, stem_mm, np.log1p(spores)])
numeric = (numeric - numeric.mean(axis=0)) / numeric.std(axis=0)
dummies = [(habitat_name == h) for h in HABITATS] + [(gill_name == g) for g in GILLS]
X = np.column_stack([numeric, ring, *dummies]).astype('float32')
y = (label == 'p').astype('float32')
print(X.shape, 'poisonous:', y.mean())

X_train, X_test, y_train, y_test, _, truth = train_test_split(X, y, label, test_size=0.25, random_state=SEED)

# ----- model -----
model = keras.Sequential()
model.add(keras.Input(shape=(X.shape[1],)))
for k in range(6):
    model.add(layers.Dense(48, activation='relu', name=f'hidden_{k}'))
model.add(layers.Dense(1, activation='sigmoid', name='poisonous'))
model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=1e-3),
    loss='binary_crossentropy',
    metrics=['accuracy'],
)
history = model.fit(
    X_train, y_train,
    validation_split=0.2,
    epochs=25,
    batch_size=32,
    callbacks=[EarlyStopping(patience=6, restore_best_weights=True), ReduceLROnPlateau(patience=3)],
    verbose=0,
)
verdict = np.where(model.predict(X_test, verbose=0)[:, 0] > 0.5, 'p', 'e')
accuracy = np.mean(verdict == truth)
print('test accuracy', accuracy)
""",
    score="accuracy",
    bar=0.78,
    base=0.5,
    faults=(
        Fault(cause="softmax_on_single_unit", old="layers.Dense(1, activation='sigmoid', name='poisonous')",
              new="layers.Dense(1, activation='softmax', name='poisonous')", layer=("poisonous",),
              beside=("wrong_head_for_labels", "frozen_or_disconnected")),
        Fault(cause="wrong_loss_for_task", old="loss='binary_crossentropy'", new="loss='categorical_crossentropy'",
              accept=("wrong_head_for_labels",), beside=("frozen_or_disconnected",)),
        Fault(cause="constant_labels", old="y = (label == 'p')", new="y = (label == 'poisonous')",
              beside=("missing_class", "label_encoding")),
        Fault(cause="leakage_duplicates", old="X_train, X_test, y_train, y_test, _, truth = train_test_split",
              new="more = np.concatenate([np.arange(N), rng.integers(0, N, 3 * N)])\n"
              "X, y, label = X[more], y[more], label[more]  # upsampling\n"
              "X_train, X_test, y_train, y_test, _, truth = train_test_split", certain=True),
        Fault(cause="vanishing_gradient", old="layers.Dense(48, activation='relu',",
              new="layers.Dense(48, activation='sigmoid',",
              layer=("hidden_0", "hidden_1", "hidden_2", "hidden_3", "hidden_4", "hidden_5")),
        Fault(cause="init_scale", old="layers.Dense(48, activation='relu',",
              new="layers.Dense(48, activation='relu', kernel_initializer=keras.initializers.RandomNormal(stddev=0.002),",
              accept=("vanishing_gradient",),
              layer=("hidden_0", "hidden_1", "hidden_2", "hidden_3", "hidden_4", "hidden_5")),
        Fault(cause="learning_rate_too_low", old="learning_rate=1e-3", new="learning_rate=1e-6"),
        Fault(cause="nan_or_inf_in_data", old="np.column_stack([cap_cm, stem_mm, np.log1p(spores)])",
              new="np.column_stack([cap_cm, stem_mm, np.log(spores)])"),
    ),
    seeds=3,
)  # fmt: skip

CROPS = Program(
    name="submission_crop_for_soil",
    source="""
import numpy as np
from keras.layers import Dense, Dropout
from keras.models import Sequential
from keras.optimizers import SGD
from keras.utils import set_random_seed, to_categorical

set_random_seed(SEED)
rng = np.random.default_rng(SEED)

crops = ['chickpea', 'coffee', 'jute', 'maize', 'mango', 'rice']
#           N    P    K   temp hum  ph   rain  elevation
centres = np.array([
    [40, 68, 80, 19, 17, 7.3, 800, 350],
    [100, 29, 30, 25, 59, 6.8, 1600, 900],
    [78, 47, 40, 25, 80, 6.7, 1750, 60],
    [78, 48, 20, 22, 65, 6.2, 850, 500],
    [20, 27, 30, 31, 50, 5.8, 950, 300],
    [80, 48, 40, 24, 82, 6.4, 2350, 120],
], dtype='float64')
spread = np.array([22, 14, 10, 4, 12, 0.8, 330, 180])


def survey(per_crop):
    rows, which = [], []
    for k, centre in enumerate(centres):
        rows.append(centre + rng.normal(size=(per_crop, 8)) * spread)
        which += [k] * per_crop
    return np.concatenate(rows), np.array(which)


X, y = survey(300)
X_test, y_test = survey(120)
mean, std = X.mean(axis=0), X.std(axis=0)


def prepare(table):
    return ((table - mean) / std).astype('float32')


order = rng.permutation(len(X))
X, y = X[order], y[order]
Y = to_categorical(y, len(crops))

model = Sequential()
model.add(Dense(64, activation='relu', kernel_initializer='he_uniform', name='fc1'))
model.add(Dropout(0.2))
model.add(Dense(32, activation='relu', name='fc2'))
model.add(Dense(len(crops), activation='softmax', name='crop'))
model.compile(loss='categorical_crossentropy', optimizer=SGD(learning_rate=0.05, momentum=0.9), metrics=['accuracy'])
model.fit(prepare(X), Y, epochs=20, batch_size=32, validation_split=0.35, verbose=2)

test_accuracy = (model.predict(prepare(X_test), verbose=0).argmax(axis=1) == y_test).mean()
print('%.3f' % test_accuracy)
""",
    score="test_accuracy",
    bar=0.85,
    base=1 / 6,
    faults=(
        Fault(cause="logits_to_probability_loss", old="Dense(len(crops), activation='softmax', name='crop')",
              new="Dense(len(crops), name='crop')", layer=("crop",)),
        Fault(cause="validation_split_sorted", old="order = rng.permutation(len(X))", new="order = np.arange(len(X))",
              beside=("missing_class", "data_sorted")),
        Fault(cause="inputs_not_scaled", old="((table - mean) / std).astype", new="table.astype",
              beside=("learning_rate_too_high",)),
        Fault(cause="labels_shuffled_apart", old="X, y = X[order], y[order]",
              new="rng.shuffle(X)\nrng.shuffle(y)", beside=("label_noise",)),
        Fault(cause="symmetric_or_zero_init", old="kernel_initializer='he_uniform'", new="kernel_initializer='zeros'",
              layer=("fc1",), beside=("init_scale", "frozen_or_disconnected")),
        Fault(cause="learning_rate_too_high", old="learning_rate=0.05", new="learning_rate=5.0"),
        Fault(cause="wrong_metric", old="metrics=['accuracy']", new="metrics=['binary_accuracy']", certain=True),
    ),
    seeds=3,
)  # fmt: skip

FLIGHTS = Program(
    name="submission_late_flights",
    source="""
import keras
import numpy as np
from keras import layers
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

n = 4000
CARRIERS, AIRPORTS = 8, 15
carrier = rng.integers(0, CARRIERS, n)
origin = rng.integers(0, AIRPORTS, n)
hour = rng.uniform(5, 23, n)
distance_km = rng.gamma(4, 300, n)
wind_kt = rng.gamma(3, 4, n)
visibility_m = 10000 * rng.beta(5, 1.2, n)

punctual = rng.normal(0, 8, CARRIERS)
crowded = rng.normal(0, 8, AIRPORTS)
late = (
    15
    + punctual[carrier] * (1 + 0.5 * (hour > 16))
    + crowded[origin]
    + 34 * np.sin((hour - 7) / 18 * 4 * np.pi)
    + 0.12 * np.maximum(wind_kt - 12, 0) ** 2
    + 25 * (visibility_m < 6000)
)
delay_seconds = 60 * (late + rng.normal(0, 8, n) + rng.standard_t(3, n) * 2)

numeric = np.stack([hour, distance_km, wind_kt, visibility_m], axis=1)
idx_train, idx_rest = train_test_split(np.arange(n), test_size=0.35, random_state=SEED)
idx_val, idx_test = idx_rest[:600], idx_rest[600:]

centre, scale = numeric[idx_train].mean(0), numeric[idx_train].std(0)
mu, sigma = delay_seconds[idx_train].mean(), delay_seconds[idx_train].std()


def standardise(a):
    return (a - centre) / scale


y_train = (delay_seconds[idx_train] - mu) / sigma
y_val = (delay_seconds[idx_val] - mu) / sigma

train_inputs = {'carrier': carrier[idx_train], 'origin': origin[idx_train], 'numeric': standardise(numeric[idx_train])}
val_inputs = {'carrier': carrier[idx_val], 'origin': origin[idx_val], 'numeric': standardise(numeric[idx_val])}
test_inputs = {'carrier': carrier[idx_test], 'origin': origin[idx_test], 'numeric': standardise(numeric[idx_test])}

in_carrier = keras.Input((), dtype='int32', name='carrier')
in_origin = keras.Input((), dtype='int32', name='origin')
in_numeric = keras.Input((numeric.shape[1],), name='numeric')
merged = layers.Concatenate()([
    layers.Embedding(CARRIERS, 4, name='carrier_vec')(in_carrier),
    layers.Embedding(AIRPORTS, 5, name='origin_vec')(in_origin),
    in_numeric,
])


def block(x, units, name):
    return layers.Dense(units, activation='relu', kernel_initializer='he_normal', name=name)(x)


x = block(merged, 96, 'wide')
x = block(x, 48, 'middle')
x = block(x, 24, 'narrow')
out = layers.Dense(1, name='delay')(x)
model = keras.Model([in_carrier, in_origin, in_numeric], out)
model.compile(optimizer=keras.optimizers.Adam(2e-3), loss=keras.losses.Huber(), metrics=['mae'])
model.fit(train_inputs, y_train, validation_data=(val_inputs, y_val), epochs=25, batch_size=64, verbose=2)

guess = model.predict(test_inputs, verbose=0).ravel() * sigma + mu
r2 = r2_score(delay_seconds[idx_test], guess)
print('R2', r2)
""",
    score="max(r2, -1.0)",
    bar=0.6,
    base=0.0,
    odd="Huber loss, heavy tails in the target",
    faults=(
        Fault(cause="output_range_cannot_reach_targets", old="layers.Dense(1, name='delay')",
              new="layers.Dense(1, activation='sigmoid', name='delay')", layer=("delay",)),
        Fault(cause="symmetric_or_zero_init", old="kernel_initializer='he_normal'", new="kernel_initializer='ones'",
              accept=("init_scale",), layer=("wide", "middle", "narrow")),
        Fault(cause="leakage_feature", old="numeric = np.stack([hour, distance_km, wind_kt, visibility_m], axis=1)",
              new="arrived = hour * 3600 + 4.8 * distance_km + delay_seconds\nblock_time = 4.8 * distance_km\n"
              "behind = arrived - hour * 3600 - block_time\n"
              "numeric = np.stack([hour, distance_km, wind_kt, visibility_m, behind], axis=1)", certain=True),
        Fault(cause="train_val_preprocessing_mismatch", old="'numeric': standardise(numeric[idx_val])}",
              new="'numeric': numeric[idx_val]}", beside=("inputs_not_scaled",), certain=True),
        Fault(cause="missing_nonlinearity", old="layers.Dense(units, activation='relu', kernel_initializer='he_normal', name=name)",
              new="layers.Dense(units, kernel_initializer='he_normal', name=name)", layer=("wide", "middle", "narrow")),
        Fault(cause="too_few_steps", old="epochs=25", new="epochs=1"),
        Fault(cause="wrong_metric", old="metrics=['mae']", new="metrics=['accuracy']", certain=True),
    ),
    seeds=3,
)  # fmt: skip

MESSAGES = Program(
    name="submission_sms_spam",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers, regularizers
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

PLAIN = ('ok see you at home later going to work now dinner what time love mum call me when free lol sorry '
         'can we meet tomorrow the bus is late again thanks for lunch please win game tonight').split()
ADVERT = ('free prize claim now call text win cash urgent mobile winner reply stop guaranteed award line '
          'offer txt ringtone voucher pounds').split()
N = 2500


def message(kind):
    words = []
    for _ in range(rng.integers(5, 18)):
        share = 0.4 if kind == 'spam' else 0.06
        pool = ADVERT if rng.random() < share else PLAIN
        word = pool[min(int(rng.exponential(9)), len(pool) - 1)]
        if rng.random() < 0.05:
            word = word[:-1]
        words.append(word.upper() if rng.random() < 0.05 else word)
    return ' '.join(words)


label = np.where(rng.random(N) < 0.13, 'spam', 'ham')
texts = np.array([message(kind) for kind in label])
y = np.array([{'ham': 0, 'spam': 1}[kind] for kind in label], dtype='float32')

text_train, text_test, y_train, y_test, _, kind_test = train_test_split(
    texts, y, label, test_size=0.3, stratify=label, random_state=SEED
)

vectorize = layers.TextVectorization(max_tokens=400, output_mode='int', output_sequence_length=20)
vectorize.adapt(text_train)
ids_train, ids_test = vectorize(text_train).numpy(), vectorize(text_test).numpy()

model = keras.Sequential([
    keras.Input((20,), dtype='int64'),
    layers.Embedding(400, 16, name='words'),
    layers.GlobalAveragePooling1D(),
    layers.Dropout(0.3),
    layers.Dense(16, activation='relu', kernel_regularizer=regularizers.l2(1e-5), name='hidden'),
    layers.Dense(1, activation='sigmoid', name='spam'),
])
model.compile(keras.optimizers.Adam(5e-3), loss='binary_crossentropy', metrics=['accuracy'])
stop = keras.callbacks.EarlyStopping(monitor='val_loss', patience=5, restore_best_weights=True)
model.fit(ids_train, y_train, validation_split=0.2, epochs=15, batch_size=32, callbacks=[stop], verbose=0)

flagged = model.predict(ids_test, verbose=0)[:, 0] > 0.5
recall = flagged[kind_test == 'spam'].mean()
specificity = 1 - flagged[kind_test == 'ham'].mean()
balanced = (recall + specificity) / 2
print('balanced accuracy', balanced)
""",
    score="balanced",
    bar=0.7,
    base=0.5,
    odd="13 % of the messages are spam, and it is learned all the same",
    faults=(
        Fault(cause="softmax_on_single_unit", old="layers.Dense(1, activation='sigmoid', name='spam')",
              new="layers.Dense(1, activation='softmax', name='spam')", layer=("spam",),
              beside=("wrong_head_for_labels", "frozen_or_disconnected")),
        Fault(cause="constant_labels", old="y = np.array([{'ham': 0, 'spam': 1}[kind] for kind in label], dtype='float32')",
              new="y = (label == 'Spam').astype('float32')", beside=("missing_class", "label_encoding")),
        Fault(cause="label_encoding", old="{'ham': 0, 'spam': 1}", new="{'ham': 1, 'spam': 2}",
              beside=("missing_class", "output_range_cannot_reach_targets", "wrong_head_for_labels")),
        Fault(cause="regularisation_overwhelms", old="regularizers.l2(1e-5)", new="regularizers.l2(3.0)",
              layer=("hidden",)),
        Fault(cause="wrong_metric", old="metrics=['accuracy']", new="metrics=['categorical_accuracy']", certain=True),
        Fault(cause="learning_rate_too_low", old="keras.optimizers.Adam(5e-3)", new="keras.optimizers.Adam(5e-6)"),
        Fault(cause="leakage_feature", old="texts = np.array([message(kind) for kind in label])",
              new="folder = {'ham': 'inbox', 'spam': 'junk'}\n"
              "texts = np.array([folder[kind] + ' ' + message(kind) for kind in label])", certain=True),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (MUSHROOMS, CROPS, FLIGHTS, MESSAGES)
