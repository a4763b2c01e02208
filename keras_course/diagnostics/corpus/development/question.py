"""Scripts out of questions to a forum: sleep stages, traffic lights, heating demand and used cars."""

from keras_course.diagnostics.corpus import Fault, Program

SLEEP = Program(
    name="question_sleep_stages_conv",
    source="""
# EEG epochs of 30 s -> sleep stage, one channel, downsampled. Why is my accuracy like that?
import numpy as np
import tensorflow as tf
from tensorflow.keras.layers import (
    BatchNormalization, Conv1D, Dense, Dropout, Flatten, GlobalAveragePooling1D, Input, MaxPooling1D, ReLU
)
from tensorflow.keras.models import Sequential
from tensorflow.keras.utils import to_categorical

tf.keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

STAGES = ['W', 'N1', 'N2', 'N3', 'REM']
T = 96
t = np.arange(T) / 32


def epoch_of(stage):
    def rhythm(low, high, amp):
        return amp * rng.uniform(0.7, 1.3) * np.sin(2 * np.pi * (rng.uniform(low, high) * t + rng.random()))

    x = rng.normal(0, 12, T)
    if stage == 0:
        x += rhythm(8.5, 11.5, 10) + rhythm(12, 15, 4)
    elif stage == 1:
        x += rhythm(4, 7, 7) + rhythm(8, 11, 3)
    elif stage == 2:
        start = rng.integers(0, T - 24)
        x += rhythm(3, 6, 5)
        x[start:start + 24] += (rhythm(12, 14, 16) * np.hanning(T))[T // 2 - 12:T // 2 + 12]
    elif stage == 3:
        x += rhythm(0.6, 2, 22)
    else:
        x += rhythm(4, 8, 4) + np.cumsum(rng.choice([-1, 1], T) * (rng.random(T) < 0.08)) * 5
    return x


def record(n, share):
    stage = rng.choice(5, size=n, p=share)
    return np.stack([epoch_of(s) for s in stage]), stage


x_train, y_train = record(1800, [0.22, 0.17, 0.25, 0.18, 0.18])
x_test, y_test = record(600, [0.2, 0.2, 0.2, 0.2, 0.2])

perm = rng.permutation(len(x_train))
x_train, y_train = x_train[perm], y_train[perm]
sd = x_train.std()
x_train, x_test = x_train[..., None] / sd, x_test[..., None] / sd
x_train = x_train + rng.normal(0, 0.1, x_train.shape)   # jitter as augmentation

WIDTH = 16
MOMENTUM = 0.9
model = Sequential([
    Input((T, 1)),
    Conv1D(WIDTH, 7, padding='same', use_bias=False, name='conv1'),
    BatchNormalization(momentum=MOMENTUM, name='bn1'),
    ReLU(),
    MaxPooling1D(3),
    Conv1D(2 * WIDTH, 7, padding='same', use_bias=False, name='conv2'),
    BatchNormalization(momentum=MOMENTUM, name='bn2'),
    ReLU(),
    GlobalAveragePooling1D(),
    Dropout(0.2),
    Dense(5, activation='softmax', name='stage'),
])
model.compile('adam', 'categorical_crossentropy', metrics=['accuracy'])
model.fit(x_train, to_categorical(y_train, 5), validation_split=0.4, epochs=14, batch_size=32, verbose=2)

y_hat = model.predict(x_test, verbose=0).argmax(axis=-1)
per_stage = [np.mean(y_hat[y_test == s] == s) for s in range(5)]
print(dict(zip(STAGES, np.round(per_stage, 2))))
""",
    score="np.mean(per_stage)",
    bar=0.7,
    base=0.2,
    faults=(
        Fault(cause="missing_class", old="perm = rng.permutation(len(x_train))",
              new="clean = (y_train != 1) & (y_train != 4)  # scorers agree only on these\n"
              "x_train, y_train = x_train[clean], y_train[clean]\nperm = rng.permutation(len(x_train))"),
        Fault(cause="class_imbalance", old="record(1800, [0.22, 0.17, 0.25, 0.18, 0.18])",
              new="record(1800, [0.015, 0.01, 0.95, 0.015, 0.01])"),
        Fault(cause="batchnorm_mode", old="MOMENTUM = 0.9\n", new="MOMENTUM = 0.9999\n", layer=("bn1", "bn2")),
        Fault(cause="label_noise", old="perm = rng.permutation(len(x_train))",
              new="doubtful = rng.random(len(y_train)) < 0.85\n"
              "y_train[doubtful] = rng.integers(0, 5, doubtful.sum())  # second scorer\nperm = rng.permutation(len(x_train))"),
        Fault(cause="inputs_drowned_in_noise", old="rng.normal(0, 0.1, x_train.shape)",
              new="rng.normal(0, 10.0, x_train.shape)", beside=("train_val_preprocessing_mismatch", "inputs_not_scaled")),
        Fault(cause="underfitting_capacity", old="WIDTH = 16", new="WIDTH = 1", layer=("conv1", "conv2")),
        Fault(cause="validation_split_sorted", old="perm = rng.permutation(len(x_train))", new="perm = np.argsort(y_train)",
              beside=("missing_class", "data_sorted")),
    ),
    seeds=3,
)  # fmt: skip

LIGHTS = Program(
    name="question_traffic_light_crops",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
AUTOTUNE = tf.data.AUTOTUNE

class_names = ['amber', 'green', 'off', 'red', 'red_amber']   # folders, in alphabetical order
BATCH = 32
EPOCHS = 8


def crop(kind):
    img = rng.normal(60, 18, (18, 9, 3)) + rng.normal(0, 30, 3)
    img[2:16, 2:7] = rng.normal(25, 6, (14, 5, 3))
    shift = rng.integers(-1, 2)
    for lamp, row, colour in (('red', 4, (230, 50, 40)), ('amber', 9, (230, 160, 40)), ('green', 13, (50, 210, 130))):
        if lamp in kind.split('_'):
            bright = rng.uniform(0.15, 0.8)
            img[row + shift - 1:row + shift + 2, 3:6] += bright * np.array(colour)
    img = img * rng.uniform(0.4, 1.3) + rng.normal(0, 12, img.shape)
    return np.clip(img, 0, 255).astype('uint8')


def read_folders(per_class):
    images = np.stack([crop(kind) for kind in class_names for _ in range(per_class)])
    return images, np.repeat(np.arange(len(class_names)), per_class)


x_train, y_train = read_folders(240)
x_val, y_val = read_folders(60)
x_test, y_test = read_folders(120)


def scale(img, label):
    return tf.image.convert_image_dtype(img, tf.float32), label


train_ds = tf.data.Dataset.from_tensor_slices((x_train, y_train))
train_ds = train_ds.cache().shuffle(len(x_train)).map(scale, num_parallel_calls=AUTOTUNE).batch(BATCH).prefetch(AUTOTUNE)
val_ds = tf.data.Dataset.from_tensor_slices((x_val, y_val)).map(scale).batch(BATCH)
test_ds = tf.data.Dataset.from_tensor_slices((x_test, y_test)).map(scale).batch(BATCH)

steps_per_epoch = len(x_train) // BATCH
schedule = keras.optimizers.schedules.ExponentialDecay(1.5e-2, decay_steps=steps_per_epoch, decay_rate=0.95)

inputs = keras.Input(shape=(18, 9, 3))
x = layers.Conv2D(12, 3, activation='relu', name='conv_a')(inputs)
x = layers.Conv2D(16, 3, strides=2, activation='relu', name='conv_b')(x)
x = layers.Flatten()(x)
x = layers.Dense(32, activation='relu', bias_initializer=keras.initializers.Constant(0.1), name='fc')(x)
head, loss = layers.Dense(len(class_names), name='lamp'), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model = keras.Model(inputs, head(x))

model.compile(optimizer=keras.optimizers.SGD(schedule, momentum=0.9), loss=loss, metrics=['accuracy'])
model.fit(train_ds, validation_data=val_ds, epochs=EPOCHS, verbose=2)

lamps = model.predict(test_ds, verbose=0).argmax(axis=1)
test_accuracy = (lamps == y_test).mean()
print(f'{test_accuracy:.1%} of the lamps')
""",
    score="test_accuracy",
    bar=0.7,
    base=0.2,
    faults=(
        Fault(cause="shuffle_buffer_too_small", old=".shuffle(len(x_train))", new=".shuffle(20)", beside=("data_sorted",)),
        Fault(cause="pipeline_order",
              old=".cache().shuffle(len(x_train)).map(scale, num_parallel_calls=AUTOTUNE).batch(BATCH)",
              new=".cache().map(scale, num_parallel_calls=AUTOTUNE).batch(BATCH).shuffle(len(x_train))",
              accept=("data_sorted",)),
        Fault(cause="inputs_scaled_twice", old="name='conv_a')(inputs)", new="name='conv_a')(layers.Rescaling(1 / 255)(inputs))"),
        Fault(cause="train_val_preprocessing_mismatch", old="from_tensor_slices((x_val, y_val)).map(scale).batch(BATCH)",
              new="from_tensor_slices((x_val, y_val)).batch(BATCH)", beside=("inputs_not_scaled",), certain=True),
        Fault(cause="dead_units", old="keras.initializers.Constant(0.1)", new="keras.initializers.Constant(-10.)",
              layer=("fc",), beside=("frozen_or_disconnected", "init_scale")),
        Fault(cause="lr_schedule_wrong", old="decay_steps=steps_per_epoch",
              new="decay_steps=1", beside=("learning_rate_too_low",)),
        Fault(cause="wrong_head_for_labels",
              old="layers.Dense(len(class_names), name='lamp'), keras.losses.SparseCategoricalCrossentropy(from_logits=True)",
              new="layers.Dense(1, name='lamp'), keras.losses.BinaryCrossentropy(from_logits=True)", layer=("lamp",),
              accept=("wrong_loss_for_task",), beside=("label_encoding", "wrong_metric")),
    ),
    seeds=3,
)  # fmt: skip

HEATING = Program(
    name="question_district_heating_lstm",
    source="""
import numpy as np
from keras.callbacks import EarlyStopping
from keras.layers import LSTM, Dense, Input
from keras.models import Sequential
from keras.optimizers import Adam
from keras.utils import set_random_seed

set_random_seed(SEED)
rng = np.random.default_rng(SEED)

# hourly heat demand of a district in kW
hours = np.arange(24 * 90)
outside = 6 - 7 * np.cos(2 * np.pi * hours / (24 * 60)) + 4 * np.sin(2 * np.pi * (hours - 9) / 24)
drift = np.zeros(len(hours))
for i in range(1, len(hours)):
    drift[i] = 0.97 * drift[i - 1] + rng.normal(0, 0.7)
outside = outside + drift
hour_of_day = hours % 24
demand = (
    5200
    - 170 * outside
    + 900 * np.exp(-((hour_of_day - 7) ** 2) / 4)
    + 600 * np.exp(-((hour_of_day - 19) ** 2) / 6)
    + rng.normal(0, 90, len(hours))
)

LOOKBACK, AHEAD = 24, 4
n_train = int(0.75 * len(hours))
low, high = demand[:n_train].min(), demand[:n_train].max()
scaled = (demand - low) / (high - low)

X, y = [], []
for i in range(len(scaled) - LOOKBACK - AHEAD):
    X.append(scaled[i:i + LOOKBACK])
    y.append(scaled[i + LOOKBACK + AHEAD - 1])
X = np.array(X)[..., np.newaxis].astype('float32')
y = np.array(y)

cut = n_train - LOOKBACK - AHEAD
X_train, y_train = X[:cut], y[:cut]
X_test, y_test = X[cut:], y[cut:]
X_val, y_val = X_test[:240], y_test[:240]

model = Sequential()
model.add(Input((LOOKBACK, 1)))
model.add(LSTM(24, name='memory'))
model.add(Dense(1, name='demand'))
model.compile(loss='mse', optimizer=Adam(learning_rate=8e-3), metrics=['mae'])
model.fit(
    X_train, y_train,
    validation_data=(X_val, y_val),
    epochs=20,
    batch_size=32,
    callbacks=[EarlyStopping(patience=8, restore_best_weights=True)],
    verbose=0,
)

forecast = model.predict(X_test[240:], verbose=0)[:, 0]
kw = (y_test[240:] - y_test[240:].mean(), forecast - y_test[240:])
r2 = 1 - np.sum(kw[1] ** 2) / np.sum(kw[0] ** 2)
print('R2 of the forecast', r2)
""",
    score="max(r2, -1.0)",
    bar=0.5,
    base=0.0,
    odd="validation on ten days only is noisy",
    faults=(
        Fault(cause="learning_rate_too_high", old="learning_rate=8e-3", new="learning_rate=3.0",
              beside=("saturated_units",)),
        Fault(cause="input_ignored", old=".astype('float32')", new=".astype('int32')"),
        Fault(cause="leakage_duplicates", old="X_train, y_train = X[:cut], y[:cut]", new="X_train, y_train = X, y",
              certain=True),
        Fault(cause="inputs_not_scaled", old="X.append(scaled[i:i + LOOKBACK])", new="X.append(demand[i:i + LOOKBACK])",
              beside=("saturated_units",)),
        Fault(cause="too_few_steps", old="epochs=20", new="epochs=1"),
        Fault(cause="targets_not_scaled", old="y.append(scaled[i + LOOKBACK + AHEAD - 1])",
              new="y.append(demand[i + LOOKBACK + AHEAD - 1])", beside=("learning_rate_too_low",)),
        Fault(cause="train_val_preprocessing_mismatch", old="X_val, y_val = X_test[:240], y_test[:240]",
              new="X_val, y_val = X_test[:240], y_test[:240]\nX_val = (X_val - X_val.mean()) / X_val.std()", certain=True),
    ),
    seeds=3,
)  # fmt: skip

CARS = Program(
    name="question_used_cars_photo_and_table",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers, regularizers
from tensorflow.keras.layers import Concatenate, Conv2D, Dense, Flatten, Input, MaxPooling2D, Normalization, Rescaling

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

n = 1600
km = rng.gamma(3, 30000, n)
age = np.clip(km / 15000 + rng.normal(0, 2.5, n), 0.2, None)
power = rng.normal(110, 35, n).clip(45)
owners = 1 + rng.poisson(age / 5)
rust = rng.beta(0.8, 1.2, n)

photos = np.empty((n, 16, 16, 3), dtype='uint8')
for i in range(n):
    paint = rng.uniform(60, 240, 3)
    body = np.tile(paint, (16, 16, 1)) + rng.normal(0, 10, (16, 16, 3))
    body[4:7, 4:12] = rng.normal(40, 8, (3, 8, 3))
    for _ in range(int(rust[i] * 22)):
        r, c = rng.integers(7, 15), rng.integers(0, 15)
        body[r:r + 2, c:c + 2] = np.array([125, 62, 25]) + rng.normal(0, 12, (2, 2, 3))
    photos[i] = np.clip(body, 0, 255)

price = 9.5 * np.exp(-age / 9) * (power / 110) ** 0.8 * (1 - 0.88 * rust) * np.exp(-km / 4e5)
price = price * np.exp(rng.normal(0, 0.07, n)) * 1.5          # in thousands of euros
table = np.column_stack([km, age, power, owners]).astype('float32')

order = rng.permutation(n)
photos, table, price = photos[order], table[order], price[order]
tr, va, te = slice(0, 1000), slice(1000, 1200), slice(1200, None)

normalise = Normalization()
normalise.adapt(table[tr])

photo_in = Input((16, 16, 3), name='photo')
p = Rescaling(1 / 255)(photo_in)
p = Conv2D(8, 3, activation='relu', name='conv1')(p)
p = MaxPooling2D()(p)
p = Conv2D(12, 3, activation='relu', name='conv2')(p)
p = Flatten()(p)
p = Dense(16, activation='relu', name='photo_code')(p)

table_in = Input((4,), name='table')
q = Dense(32, activation='relu', name='table_code')(normalise(table_in))

both = Concatenate()([p, q])
both = Dense(32, activation='relu', kernel_regularizer=regularizers.l2(1e-5), name='mix')(both)
model = keras.Model([photo_in, table_in], Dense(1, name='price')(both))

optimizer = tf.keras.optimizers.SGD(learning_rate=0.001, momentum=0.9, nesterov=True)
model.compile(optimizer=optimizer, loss='mse', metrics=['mae'])
model.fit(
    {'photo': photos[tr], 'table': table[tr]}, price[tr],
    validation_data=({'photo': photos[va], 'table': table[va]}, price[va]),
    epochs=15, batch_size=32, verbose=2,
)

estimate = model.predict({'photo': photos[te], 'table': table[te]}, verbose=0)[:, 0]
explained = 1 - np.mean((estimate - price[te]) ** 2) / np.var(price[te])
print('explained', explained)
""",
    score="max(explained, -1.0) if np.isfinite(explained) else -1.0",
    bar=0.75,
    base=0.0,
    faults=(
        Fault(cause="inputs_not_scaled", old="name='table_code')(normalise(table_in))", new="name='table_code')(table_in)",
              beside=("learning_rate_too_high",)),
        Fault(cause="inputs_scaled_twice", old="photos, table, price = photos[order], table[order], price[order]",
              new="photos, table, price = photos[order] / 255., table[order], price[order]"),
        Fault(cause="oscillation", old="learning_rate=0.001", new="learning_rate=0.04", accept=("learning_rate_too_high",)),
        Fault(cause="regularisation_overwhelms", old="regularizers.l2(1e-5)", new="regularizers.l2(100.)", layer=("mix",)),
        Fault(cause="labels_shuffled_apart", old="table[order], price[order]", new="table[order], rng.permutation(price)",
              beside=("label_noise",)),
        Fault(cause="learning_rate_too_low", old="learning_rate=0.001", new="learning_rate=2e-6"),
        Fault(cause="targets_not_scaled", old="* 1.5          # in thousands of euros", new="* 1500         # in euros",
              beside=("learning_rate_too_high",)),
        Fault(cause="wrong_loss_for_task", old="loss='mse'", new="loss='binary_crossentropy'"),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (SLEEP, LIGHTS, HEATING, CARS)
