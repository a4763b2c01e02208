"""Homework handed in with a question: a river, even digits, a chessboard, bird calls."""

from keras_course.diagnostics.corpus import Fault, Program

RIVER = Program(
    name="homework_river_level",
    source="""
import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

# hourly gauge in cm, with the rain upstream in mm
hours = 2400
rain = rng.gamma(0.4, 4, hours) * (rng.random(hours) < 0.25)
level = np.zeros(hours)
store = 0.0
for t in range(hours):
    store = 0.93 * store + rain[max(t - 4, 0)]
    level[t] = 180 + 6 * store + 12 * np.sin(2 * np.pi * t / 24)
level += rng.normal(0, 2, hours)

LOOK_BACK, AHEAD = 24, 3
data = np.stack([level, rain], axis=1)
mean, std = data[:1500].mean(axis=0), data[:1500].std(axis=0)
data = (data - mean) / std


def windows(part, shuffle=False):
    return keras.utils.timeseries_dataset_from_array(
        part[:-AHEAD], part[LOOK_BACK + AHEAD - 1:, 0], sequence_length=LOOK_BACK,
        batch_size=32, shuffle=shuffle, seed=SEED)


train_ds = windows(data[:1500], shuffle=True)
val_ds = windows(data[1500:1900])
test_ds = windows(data[1900:])

model = keras.Sequential([
    keras.layers.Input(shape=(LOOK_BACK, 2)),
    keras.layers.LSTM(24, name='lstm'),
    keras.layers.Dense(1, name='level'),
])
model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.005), loss='mse')
model.fit(train_ds, validation_data=val_ds, epochs=10, verbose=0)

truth = np.concatenate([y.numpy() for _, y in test_ds])
forecast = model.predict(test_ds, verbose=0)[:, 0]
skill = 1 - np.mean((forecast - truth) ** 2) / np.var(truth)
print('skill three hours ahead', skill)
""",
    score="skill",
    bar=0.85,
    base=0.0,
    faults=(
        Fault(cause="too_few_steps", old="epochs=10", new="epochs=1, steps_per_epoch=12",
              beside=("learning_rate_too_low",)),
        Fault(cause="leakage_duplicates", old="val_ds = windows(data[1500:1900])",
              new="val_ds = windows(data[1000:1400])", certain=True),
        Fault(cause="output_range_cannot_reach_targets", old="keras.layers.Dense(1, name='level')",
              new="keras.layers.Dense(1, activation='sigmoid', name='level')", layer=("level",),
              beside=("saturated_units",)),
        Fault(cause="targets_not_scaled", old="data = (data - mean) / std\n", new="", accept=("inputs_not_scaled",),
              beside=("saturated_units",)),
        Fault(cause="learning_rate_too_high", old="Adam(learning_rate=0.005)", new="Adam(learning_rate=2.0)",
              beside=("saturated_units", "oscillation", "exploding_gradient", "input_ignored")),
        Fault(cause="lr_schedule_wrong", old="Adam(learning_rate=0.005)",
              new="Adam(keras.optimizers.schedules.ExponentialDecay(0.005, decay_steps=1, decay_rate=0.9))",
              beside=("learning_rate_too_low", "too_few_steps")),
    ),
    seeds=3,
)  # fmt: skip

EVEN = Program(
    name="homework_even_digits",
    source="""
import numpy as np
import keras
from keras import layers
from sklearn.datasets import load_digits

keras.utils.set_random_seed(SEED)

digits = load_digits()
order = np.random.permutation(len(digits.target))
train_rows, val_rows, test_rows = order[:1200], order[1200:1450], order[1450:]

is_even = (digits.target % 2 == 0).astype('float32')


def images(rows):
    return np.expand_dims(digits.images[rows] / 16.0, -1)


x_train, y_train = images(train_rows), is_even[train_rows]
x_val, y_val = images(val_rows), is_even[val_rows]
x_test = images(test_rows)
print(x_train.shape, y_train.shape)

inputs = keras.Input(shape=(8, 8, 1))
x = layers.Conv2D(16, (3, 3), padding='same', activation='relu', name='conv')(inputs)
x = layers.MaxPooling2D((2, 2))(x)
x = layers.Flatten()(x)
x = layers.Dense(48, activation='relu', bias_initializer='zeros', name='hidden')(x)
outputs = layers.Dense(1, activation='sigmoid', name='even')(x)
model = keras.Model(inputs, outputs)

model.compile(loss='binary_crossentropy', optimizer=keras.optimizers.RMSprop(0.002),
              metrics=[keras.metrics.BinaryAccuracy(name='acc')])
model.fit(x_train, y_train, batch_size=32, epochs=14, validation_data=(x_val, y_val), verbose=0)

p = model.predict(x_test, verbose=0)
answer = np.where(p[:, 0] > 0.5, 'even', 'odd')
for d, a in list(zip(digits.target[test_rows], answer))[:5]:
    print(d, a)
right = np.mean((answer == 'even') == (digits.target[test_rows] % 2 == 0))
""",
    score="right",
    bar=0.93,
    base=0.5,
    faults=(
        Fault(cause="softmax_on_single_unit", old="layers.Dense(1, activation='sigmoid', name='even')",
              new="layers.Dense(1, activation='softmax', name='even')", layer=("even",),
              beside=("input_ignored", "wrong_head_for_labels")),
        Fault(cause="constant_labels", old="is_even = (digits.target % 2 == 0)",
              new="is_even = (digits.target % 1 == 0)", beside=("missing_class", "input_ignored", "class_imbalance")),
        Fault(cause="wrong_loss_for_task", old="loss='binary_crossentropy'", new="loss='categorical_crossentropy'",
              accept=("wrong_head_for_labels",), beside=("label_encoding", "input_ignored")),
        Fault(cause="inputs_scaled_twice", old="digits.images[rows] / 16.0", new="digits.images[rows] / 16.0 / 255.0"),
        Fault(cause="dead_units", old="bias_initializer='zeros'",
              new="bias_initializer=keras.initializers.Constant(-10)", layer=("hidden",),
              beside=("init_scale", "input_ignored", "frozen_or_disconnected", "vanishing_gradient")),
        Fault(cause="loss_metric_inconsistent", old="keras.metrics.BinaryAccuracy(name='acc')",
              new="keras.metrics.SparseCategoricalAccuracy(name='acc')", accept=("wrong_metric",), certain=True),
        Fault(cause="overfitting", old="model.fit(x_train, y_train, batch_size=32, epochs=14, ",
              new="model.fit(x_train[:16], y_train[:16], batch_size=4, epochs=35, "),
    ),
    seeds=3,
)  # fmt: skip

CHESS = Program(
    name="homework_chessboard",
    source="""
import numpy as np
from keras import Sequential, Input
from keras.layers import Dense
from keras.optimizers import Adam
from keras.utils import set_random_seed

set_random_seed(SEED)


def make_board(n, size=3):
    # n points per field, black fields first
    fields = [(i, j) for i in range(size) for j in range(size)]
    fields.sort(key=lambda f: (f[0] + f[1]) % 2)
    pts, col = [], []
    for i, j in fields:
        pts.append(np.random.rand(n, 2) + [i, j])
        col.append(np.full(n, (i + j) % 2))
    pts = np.concatenate(pts) - size / 2
    return pts, np.concatenate(col)


X, Y = make_board(200)
perm = np.random.permutation(len(X))
X, Y = X[perm], Y[perm]
X_new, Y_new = make_board(60)

depth, units, act = 3, 40, 'relu'
net = Sequential([Input((2,))])
for k in range(depth):
    net.add(Dense(units, activation=act, kernel_initializer='glorot_uniform', name='h%d' % k))
net.add(Dense(1, activation='sigmoid', name='black_or_white'))

net.compile(optimizer=Adam(0.01), loss='binary_crossentropy', metrics=['accuracy'])
H = net.fit(X, Y, validation_split=0.2, epochs=30, batch_size=32, verbose=0)
print('val acc', H.history['val_accuracy'][-1])

Y_hat = (net.predict(X_new, verbose=0).ravel() > 0.5).astype(int)
score = (Y_hat == Y_new).mean()
""",
    score="score",
    bar=0.9,
    base=0.55,
    faults=(
        Fault(cause="validation_split_sorted", old="X, Y = X[perm], Y[perm]\n", new="", certain=True,
              beside=("train_val_preprocessing_mismatch", "data_sorted", "class_imbalance", "missing_class")),
        Fault(cause="symmetric_or_zero_init", old="kernel_initializer='glorot_uniform'",
              new="kernel_initializer='ones'",
              layer=("h0", "h1", "h2"),
              beside=("init_scale", "dead_units", "exploding_gradient", "saturated_units")),
        Fault(cause="missing_nonlinearity", old="depth, units, act = 3, 40, 'relu'",
              new="depth, units, act = 3, 40, 'linear'", layer=("h0", "h1", "h2"),
              beside=("underfitting_capacity",)),
        Fault(cause="label_encoding", old="col.append(np.full(n, (i + j) % 2))",
              new="col.append(np.full(n, 1 - 2 * ((i + j) % 2)))",
              beside=("output_range_cannot_reach_targets", "wrong_head_for_labels", "wrong_loss_for_task")),
        Fault(cause="vanishing_gradient", old="depth, units, act = 3, 40, 'relu'",
              new="depth, units, act = 9, 40, 'sigmoid'", layer=("h0", "h1", "h2")),
        Fault(cause="underfitting_capacity", old="depth, units, act = 3, 40, 'relu'",
              new="depth, units, act = 1, 2, 'relu'", layer=("h0",), beside=("dead_units",)),
        Fault(cause="wrong_metric", old="metrics=['accuracy'])\nH = net.fit(X, Y, validation_split=0.2, "
              "epochs=30, batch_size=32, verbose=0)\nprint('val acc', H.history['val_accuracy'][-1])",
              new="metrics=['categorical_accuracy'])\nH = net.fit(X, Y, validation_split=0.2, epochs=30, "
              "batch_size=32, verbose=0)\nprint('val acc', H.history['val_categorical_accuracy'][-1])",
              accept=("loss_metric_inconsistent",), certain=True),
    ),
    seeds=3,
)  # fmt: skip

BIRDS = Program(
    name="homework_bird_calls",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow import keras

keras.utils.set_random_seed(SEED)
rate, seconds = 160, 1.0
t = np.linspace(0, seconds, int(rate * seconds), endpoint=False)
species = ['chiffchaff', 'wren', 'owl', 'cuckoo', 'robin']


def call(kind):
    f0 = np.random.uniform(12, 18)
    if kind == 0:      # two tones taking turns
        freq = np.where(np.sin(2 * np.pi * 4 * t) > 0, f0, 1.8 * f0)
    elif kind == 1:    # rising
        freq = f0 * (1 + 1.2 * t)
    elif kind == 2:    # low and steady
        freq = np.full_like(t, 0.6 * f0)
    elif kind == 3:    # falls once, in the middle
        freq = np.where(t < 0.5, 1.7 * f0, f0)
    else:              # warbles
        freq = f0 * (1.5 + 0.5 * np.sin(2 * np.pi * 2 * t))
    wave = np.sin(2 * np.pi * np.cumsum(freq) / rate + np.random.uniform(0, 6.28))
    return wave * np.random.uniform(0.7, 1.3)


def record(per_species, noise):
    sounds = np.array([call(k) for k in range(5) for _ in range(per_species)])
    names = np.repeat(np.arange(5), per_species)
    return sounds + np.random.normal(0, noise, sounds.shape), names


X, y = record(160, noise=0.2)
X_val, y_val = record(40, noise=0.2)
X_test, y_test = record(60, noise=0.2)


def batches(X, y, size=32):
    while True:
        order = np.random.permutation(len(X))
        for start in range(0, len(X) - size + 1, size):
            idx = order[start:start + size]
            yield X[idx, :, None].astype('float32'), y[idx]


model = keras.models.Sequential([
    keras.layers.InputLayer(shape=(len(t), 1)),
    keras.layers.Conv1D(24, 9, activation='relu', name='conv1'),
    keras.layers.MaxPooling1D(3),
    keras.layers.Conv1D(32, 7, activation='relu', name='conv2'),
    keras.layers.MaxPooling1D(3),
    keras.layers.Flatten(),
    keras.layers.Dense(32, activation='relu', name='dense'),
    keras.layers.Dense(5, activation='softmax', name='species'),
])
model.compile(optimizer=keras.optimizers.SGD(0.02, momentum=0.9),
              loss='sparse_categorical_crossentropy', metrics=['accuracy'])
model.fit(batches(X, y), steps_per_epoch=len(X) // 32, epochs=10,
          validation_data=(X_val[..., None], y_val), verbose=0)

heard = model.predict(X_test[..., None], verbose=0).argmax(-1)
accuracy = float((heard == y_test).mean())
print(dict(zip(species, [(heard[y_test == k] == k).mean() for k in range(5)])))
""",
    score="accuracy",
    bar=0.9,
    base=0.2,
    faults=(
        Fault(cause="labels_shuffled_apart", old="yield X[idx, :, None].astype('float32'), y[idx]",
              new="yield X[idx, :, None].astype('float32'), y[np.random.permutation(len(y))[:size]]",
              beside=("label_noise",)),
        Fault(cause="data_sorted", old="order = np.random.permutation(len(X))", new="order = np.arange(len(X))"),
        Fault(cause="validation_split_sorted", old="X_val, y_val = record(40, noise=0.2)\n",
              new="cut = int(0.8 * len(X))\nX, X_val, y, y_val = X[:cut], X[cut:], y[:cut], y[cut:]\n",
              accept=("missing_class",), beside=("train_val_preprocessing_mismatch",), certain=True),
        Fault(cause="missing_class", old="X, y = record(160, noise=0.2)\n",
              new="X, y = record(160, noise=0.2)\nX, y = X[y % 4 > 0], y[y % 4 > 0]\n",
              beside=("train_val_preprocessing_mismatch", "validation_split_sorted")),
        Fault(cause="inputs_drowned_in_noise", old="X, y = record(160, noise=0.2)",
              new="X, y = record(160, noise=8.0)",
              beside=("train_val_preprocessing_mismatch", "overfitting", "inputs_not_scaled")),
        Fault(cause="logits_to_probability_loss", old="keras.layers.Dense(5, activation='softmax', name='species')",
              new="keras.layers.Dense(5, name='species')", layer=("species",), accept=("wrong_head_for_labels",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (RIVER, EVEN, CHESS, BIRDS)
