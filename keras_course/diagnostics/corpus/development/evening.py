"""Scripts of an evening course: adults who follow a textbook with data of their own, loaves of bread and knitting."""

from keras_course.diagnostics.corpus import Fault, Program

LOAVES = Program(
    name="evening_loaves_per_day",
    source="""
# Homework week 5: 'take a table of your own and predict a column of it'
# Mine: how many rye loaves we sell on a day. The table is made up after our till (the real one stays at home).
import numpy as np
import keras
from keras import layers
import matplotlib
keras.utils.set_random_seed(SEED)

rng = np.random.RandomState(SEED)
days = 2000
weekday = rng.randint(0, 7, days)
temperature = rng.normal(12, 8, days)              # Celsius, at 6 in the morning
rain = np.where(rng.rand(days) < 0.6, 0.0, rng.gamma(1.5, 4.0, days))     # mm
pressure = rng.normal(1013, 9, days)
holidays = (rng.rand(days) < 0.22).astype(float)
market = ((weekday == 2) | (weekday == 5)) & (rng.rand(days) < 0.8)

busy = np.array([-0.5, -0.2, 0.0, -0.1, 0.35, 0.7, -0.9])[weekday]
log_mean = 3.4 + busy + 0.5 * market * (rain < 2) - 0.025 * (temperature - 12) - 0.5 * np.tanh(rain / 5)
log_mean = log_mean - holidays * np.where(weekday < 5, 0.6, -0.2)
loaves = rng.poisson(np.exp(log_mean)).astype('float32')
till = loaves * 4.2 + rng.normal(0, 3, days)       # euros

table = np.column_stack([
    np.eye(7)[weekday],
    temperature,
    np.log1p(rain),
    pressure,
    holidays,
    market,
]).astype('float32')

# 1400 days to learn from, 300 to watch, 300 kept for the end
order = rng.permutation(days)
train, watch, final = order[:1400], order[1400:1700], order[1700:]
mean, std = table[train].mean(axis=0), table[train].std(axis=0)
table = (table - mean) / std

METRIC = 'mae'
model = keras.Sequential([
    keras.Input((table.shape[1],)),
    layers.Dense(32, activation='relu'),
    layers.Dense(32, activation='relu'),
    # a count is never negative, so the book says exponential + poisson
    layers.Dense(1, activation='exponential',
                 bias_initializer=keras.initializers.Constant(np.log(loaves[train].mean()))),
])
model.compile(optimizer=keras.optimizers.Adam(0.001), loss='poisson', metrics=[METRIC])

stopper = keras.callbacks.EarlyStopping(monitor='val_' + METRIC, patience=6, restore_best_weights=True)
history = model.fit(
    table[train], loaves[train],
    validation_data=(table[watch], loaves[watch]),
    epochs=40, batch_size=64,
    callbacks=[stopper], verbose=2,
)

guess = model.predict(table[final], verbose=0)[:, 0]
off = np.abs(guess - loaves[final]).mean()
always_the_mean = np.abs(loaves[train].mean() - loaves[final]).mean()
print('off by', off, 'loaves, the mean would be off by', always_the_mean)
better = 1 - off / always_the_mean
""",
    score="max(better, -1.0) if np.isfinite(better) else -1.0",
    bar=0.7,
    base=0.0,
    odd="an exponential output whose bias starts at the logarithm of the mean",
    faults=(
        Fault(cause="inputs_not_scaled", old="table = (table - mean) / std\n", new="",
              beside=("dead_units", "exploding_gradient", "learning_rate_too_high", "init_scale")),
        Fault(cause="nan_or_inf_in_data", old="np.log1p(rain)", new="np.log(rain)"),
        Fault(cause="output_range_cannot_reach_targets", old="layers.Dense(1, activation='exponential',",
              new="layers.Dense(1, activation='sigmoid',",
              accept=("targets_not_scaled",), beside=("saturated_units", "vanishing_gradient")),
        Fault(cause="wrong_loss_for_task", old="loss='poisson'", new="loss='binary_crossentropy'",
              beside=("output_range_cannot_reach_targets", "label_encoding", "targets_not_scaled",
                      "wrong_head_for_labels", "exploding_gradient")),
        Fault(cause="wrong_metric", old="METRIC = 'mae'", new="METRIC = 'accuracy'", beside=("too_few_steps",)),
        Fault(cause="too_few_steps", old="epochs=40, batch_size=64", new="epochs=4, batch_size=256"),
        Fault(cause="leakage_feature", old="    market,\n]", new="    market,\n    till,\n]", certain=True),
    ),
    seeds=3,
)  # fmt: skip

STITCHES = Program(
    name="evening_knitting_stitches",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

tf.keras.utils.set_random_seed(SEED)
gen = np.random.default_rng(SEED)

# Chapter 8 with knitting instead of cats and dogs. Grey pictures, 20 x 20.
stitches = ['stockinette', 'garter', 'rib', 'seed', 'cable']
n_classes = len(stitches)


def picture(kind):
    v, u = np.mgrid[0:20, 0:20] + gen.uniform(0, 6, 2)[:, None, None]
    k = gen.uniform(0.85, 1.15) * 2 * np.pi / 6
    if kind == 0:
        p = np.sin(k * (v + np.abs((u % 6) - 3)))
    elif kind == 1:
        p = np.sin(k * v)
    elif kind == 2:
        p = np.sin(k * u)
    elif kind == 3:
        p = np.sin(k * u) * np.sin(k * v) * 1.4
    else:
        p = np.sin(k * (0.7 * u + 0.7 * v * gen.choice([-1, 1])))
    shade = gen.uniform(70, 180)
    wool = gen.normal(0, 30, (20, 20))
    return np.clip(shade + gen.uniform(18, 45) * p + wool, 0, 255)


def folder(per_stitch):
    # one folder after the other, as image_dataset_from_directory reads them
    kinds = np.repeat(np.arange(n_classes), per_stitch)
    return np.array([picture(k) for k in kinds], dtype='float32')[..., None], kinds


train_images, train_labels = folder(240)
val_images, val_labels = folder(50)
test_images, test_labels = folder(80)

train_ds = tf.data.Dataset.from_tensor_slices((train_images, train_labels))
train_ds = train_ds.shuffle(buffer_size=1200, seed=SEED).batch(32).prefetch(1)
val_ds = tf.data.Dataset.from_tensor_slices((val_images, val_labels)).batch(32)
test_ds = tf.data.Dataset.from_tensor_slices((test_images, test_labels)).batch(32)

inputs = keras.Input(shape=(20, 20, 1))
x = layers.Rescaling(1. / 127.5, offset=-1)(inputs)
x = layers.Conv2D(16, 5, activation='relu', name='conv_a')(x)
x = layers.MaxPooling2D(2)(x)
x = layers.Conv2D(32, 3, activation='relu', name='conv_b')(x)
x = layers.MaxPooling2D(2)(x)
x = layers.Flatten()(x)
x = layers.Dropout(0.3)(x)
x = layers.Dense(48, activation='relu', name='dense_a')(x)
outputs = layers.Dense(n_classes, activation='softmax', name='answer')(x)
model = keras.Model(inputs, outputs)

model.compile(
    optimizer=keras.optimizers.RMSprop(learning_rate=8e-4),
    loss='sparse_categorical_crossentropy',
    metrics=['accuracy'],
)
history = model.fit(train_ds, validation_data=val_ds, epochs=12, verbose=2)
test_loss, test_acc = model.evaluate(test_ds, verbose=0)
print(f'Test accuracy: {test_acc:.3f}')
""",
    score="test_acc",
    bar=0.92,
    base=0.2,
    faults=(
        Fault(cause="logits_to_probability_loss", old="layers.Dense(n_classes, activation='softmax', name='answer')",
              new="layers.Dense(n_classes, name='answer')", layer=("answer",)),
        Fault(cause="wrong_head_for_labels", old="loss='sparse_categorical_crossentropy'",
              new="loss='categorical_crossentropy'", accept=("wrong_loss_for_task", "label_encoding")),
        Fault(cause="inputs_scaled_twice", old="train_ds = tf.data.Dataset.from_tensor_slices((train_images, train_labels))\n",
              new="train_images, val_images, test_images = train_images / 255., val_images / 255., test_images / 255.\n"
              "train_ds = tf.data.Dataset.from_tensor_slices((train_images, train_labels))\n"),
        Fault(cause="shuffle_buffer_too_small", old="shuffle(buffer_size=1200, seed=SEED)",
              new="shuffle(buffer_size=32, seed=SEED)", accept=("data_sorted",), beside=("oscillation",)),
        Fault(cause="underfitting_capacity", old="layers.Dense(48, activation='relu', name='dense_a')",
              new="layers.Dense(2, activation='relu', name='dense_a')", layer=("dense_a",), beside=("dead_units",)),
        Fault(cause="data_sorted", old="train_ds.shuffle(buffer_size=1200, seed=SEED).batch(32).prefetch(1)",
              new="train_ds.batch(32).prefetch(1)", beside=("oscillation",)),
        Fault(cause="missing_class", old="train_images, train_labels = folder(240)\n",
              new="train_images, train_labels = folder(240)\ntrain_images, train_labels = train_images[:720], train_labels[:720]\n",
              beside=("validation_split_sorted",)),
        Fault(cause="learning_rate_too_high", old="learning_rate=8e-4", new="learning_rate=0.15",
              beside=("dead_units", "exploding_gradient", "oscillation", "input_ignored")),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (LOAVES, STITCHES)
