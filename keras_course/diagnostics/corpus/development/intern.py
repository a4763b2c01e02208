"""An intern's first week, sharper pictures from a cheap thermal camera, and a mentor's tidy script about milk."""

from keras_course.diagnostics.corpus import Fault, Program

THERMAL = Program(
    name="intern_thermal_upscaling",
    source='''
# =====================================================================
# First week, day 3-5: make the 8x8 pictures of the cheap thermal camera
# look like the 24x24 pictures of the good one (we only have one of those!)
#
# Task from the onboarding sheet:
#   1. read the raw pictures of both cameras
#   2. train something that goes from 8x8 to 24x24
#   3. tell us how much better it is than "just show the average cabinet"
# =====================================================================
import random

import keras
import numpy as np

random.seed(SEED)
np.random.seed(SEED)
keras.utils.set_random_seed(SEED)

# ---------------------------------------------------------------------
# Step 1: the pictures
# I am not allowed to take the real ones home, so I draw cabinets that
# look like the ones in the server room: warm back wall, machines in
# rows, some machines have a hot CPU, cables are cold
# Unit is degrees Celsius
# ---------------------------------------------------------------------
NUMBER_OF_PICTURES = 1100
BIG = 24
SMALL = 8
canvas = np.zeros((BIG, BIG))


def draw_cabinet():
    """draws one cabinet on the canvas"""
    room = np.random.uniform(21, 27)
    canvas[:] = room
    # back wall gets warmer to the top (warm air goes up)
    for y in range(BIG):
        canvas[y, :] = canvas[y, :] + (BIG - y) * np.random.uniform(0.05, 0.15)
    # machines are 6 pixels high and fill half of the cabinet or all of it
    for row in range(4):
        top = row * 6 + random.choice([0, 1])
        left = random.choice([0, 2, 12])
        width = random.choice([10, 12, 22])
        temperature = room + np.random.uniform(3, 18)
        if random.random() < 0.85:
            canvas[top:top + 4, left:left + width] = temperature
            if random.random() < 0.6:
                # hot spot
                spot = left + random.randint(1, 6)
                canvas[top + 1:top + 3, spot:spot + 3] = temperature + np.random.uniform(6, 16)
    # cables
    if random.random() < 0.5:
        column = random.randint(2, BIG - 4)
        canvas[:, column:column + 2] = room - 2


def cheap_camera(picture):
    """every pixel of the cheap camera sees 3x3 pixels of the good one"""
    small = np.zeros((SMALL, SMALL))
    for y in range(SMALL):
        for x in range(SMALL):
            small[y, x] = np.mean(picture[3 * y:3 * y + 3, 3 * x:3 * x + 3])
    small = small + np.random.normal(0, 0.3, small.shape)
    return small


all_small = []
all_big = []
for i in range(NUMBER_OF_PICTURES):
    draw_cabinet()
    all_small.append(cheap_camera(canvas))
    all_big.append(canvas.copy())

all_small = np.array(all_small)
all_big = np.array(all_big)
print('small pictures:', all_small.shape, 'coldest', all_small.min(), 'hottest', all_small.max())
print('big pictures:', all_big.shape, 'coldest', all_big.min(), 'hottest', all_big.max())

# ---------------------------------------------------------------------
# Step 2: numbers between 0 and 1 please (Jonas said so)
# nothing in the server room is colder than 15 or hotter than 75 degrees
# ---------------------------------------------------------------------
COLDEST = 15.0
HOTTEST = 75.0


def to_unit(pictures):
    pictures = np.array(pictures, dtype='float32')
    return (pictures - COLDEST) / (HOTTEST - COLDEST)


def to_celsius(pictures):
    return pictures * (HOTTEST - COLDEST) + COLDEST


# ---------------------------------------------------------------------
# Step 3: train / validation / test
# the pictures are random anyway so I can just cut
# ---------------------------------------------------------------------
x_train = to_unit(all_small[:800])
y_train = to_unit(all_big[:800])
x_val = to_unit(all_small[800:900])
y_val = to_unit(all_big[800:900])
x_test = to_unit(all_small[900:])
y_test = to_unit(all_big[900:])

# Conv2D wants a channel at the end!!!
x_train = x_train.reshape(-1, SMALL, SMALL, 1)
x_val = x_val.reshape(-1, SMALL, SMALL, 1)
x_test = x_test.reshape(-1, SMALL, SMALL, 1)
y_train = y_train.reshape(-1, BIG, BIG, 1)
y_val = y_val.reshape(-1, BIG, BIG, 1)
y_test = y_test.reshape(-1, BIG, BIG, 1)

# ---------------------------------------------------------------------
# Step 4: the network
# ---------------------------------------------------------------------
FILTERS = 24
net = keras.Sequential(name='sharpener')
net.add(keras.Input(shape=(SMALL, SMALL, 1)))
for number in range(2):
    net.add(keras.layers.Conv2D(FILTERS, 3, padding='same', activation='relu', name='look_' + str(number + 1)))
net.add(keras.layers.Conv2DTranspose(FILTERS, 3, strides=3, activation='relu', name='bigger'))
net.add(keras.layers.Conv2D(16, 3, padding='same', activation='relu', name='polish'))
net.add(keras.layers.Conv2D(1, 3, padding='same', activation='sigmoid', name='picture'))
net.summary()

net.compile(optimizer=keras.optimizers.Adam(learning_rate=0.003), loss='mse')
history = net.fit(x_train, y_train, epochs=12, batch_size=16, validation_data=(x_val, y_val), verbose=2)
print('loss went from', history.history['loss'][0], 'to', history.history['loss'][-1])

# ---------------------------------------------------------------------
# Step 5: is it any good? compare with showing the average cabinet
# ---------------------------------------------------------------------
predicted = to_celsius(net.predict(x_test, verbose=0))
truth = to_celsius(y_test)
average_cabinet = to_celsius(y_train).mean(axis=0)

error_net = 0.0
error_average = 0.0
for i in range(len(truth)):
    error_net += np.sum((truth[i] - predicted[i]) ** 2)
    error_average += np.sum((truth[i] - average_cabinet) ** 2)
print('typical error of the network:', np.sqrt(error_net / truth.size), 'degrees')
print('typical error of the average cabinet:', np.sqrt(error_average / truth.size), 'degrees')
better = 1 - error_net / error_average
print('so we explain', round(100 * better, 1), '% of what the average cabinet does not show')
''',
    score="max(float(better), -1.0)",
    bar=0.75,
    base=0.0,
    faults=(
        Fault(cause="output_range_cannot_reach_targets", old="COLDEST = 15.0\nHOTTEST = 75.0\n",
              new="COLDEST = 35.0\nHOTTEST = 45.0\n", accept=("targets_not_scaled",), layer=("picture",),
              beside=("saturated_units",)),
        Fault(cause="vanishing_gradient", old="""\
for number in range(2):
    net.add(keras.layers.Conv2D(FILTERS, 3, padding='same', activation='relu', name""", new="""\
for number in range(12):
    net.add(keras.layers.Conv2D(FILTERS, 3, padding='same', activation='sigmoid', name""",
              beside=("saturated_units",), layer=tuple(f"look_{n}" for n in range(1, 13))),
        Fault(cause="constant_labels", old="all_big.append(canvas.copy())", new="all_big.append(canvas)"),
        Fault(cause="inputs_scaled_twice", old="# Conv2D wants a channel at the end!!!\n", new="""\
x_train, x_val, x_test = to_unit(x_train), to_unit(x_val), to_unit(x_test)

# Conv2D wants a channel at the end!!!
"""),
        Fault(cause="frozen_or_disconnected", old="net.summary()\n", new="""\
for layer in net.layers[:-1]:
    layer.trainable = False
net.summary()
""", layer=("look_1", "look_2", "bigger", "polish")),
        Fault(cause="underfitting_capacity", old="FILTERS = 24\n", new="FILTERS = 1\n",
              layer=("look_1", "look_2", "bigger")),
        Fault(cause="train_val_preprocessing_mismatch", old="x_test = to_unit(all_small[900:])",
              new="x_test = all_small[900:] / all_small[900:].max()"),
    ),
    seeds=3,
)  # fmt: skip

MILK = Program(
    name="intern_mentor_milk_keeps",
    source='''
"""Does a batch of milk keep for seven days?

What I would hand in for the task that our interns get in their second week. One table, one small network, one loop
that can be read in a minute. Everything that one might want to change stands in `Config`.
"""
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers
from sklearn.metrics import balanced_accuracy_score


@dataclass(frozen=True)
class Config:
    seed: int = SEED
    batches: int = 3200
    widths: tuple = (64, 64)
    activation: str = 'elu'
    dropout: float = 0.25
    learning_rate: float = 4e-3
    batch_size: int = 64
    epochs: int = 30
    steps: int = 32


cfg = Config()
keras.utils.set_random_seed(cfg.seed)
rng = np.random.default_rng(cfg.seed + 17)
MEASURED = ['ph', 'tank_celsius', 'tank_hours', 'log_germs', 'log_cells', 'fat', 'heater_celsius', 'heater_seconds']


def dairy_log(n: int) -> pd.DataFrame:
    """The laboratory's log, with the relations that the dairy technologist explained to us."""
    log = pd.DataFrame({
        'ph': rng.normal(6.68, 0.07, n),
        'tank_celsius': rng.normal(5.0, 1.3, n).clip(1.5),
        'tank_hours': rng.uniform(4, 60, n),
        'log_germs': rng.normal(4.3, 0.45, n),
        'log_cells': rng.normal(5.2, 0.25, n),
        'fat': rng.normal(3.9, 0.3, n),
        'heater_celsius': rng.normal(73.5, 1.4, n),
        'heater_seconds': rng.normal(17.0, 2.2, n),
    })
    warm = (log.tank_celsius - 5.0) / 1.3
    long = (log.tank_hours - 32) / 16
    growth = 1.3 * warm * long                                              # warm or long is fine, both is not
    acid = 0.9 * (np.abs(log.ph - 6.68) / 0.07 - 0.8)                        # sour or watered down or treated
    kill = 1.1 * (log.heater_celsius - 73.5) / 1.4 * (log.heater_seconds - 17.0) / 2.2
    risk = growth + acid - kill + 0.3 * (log.log_germs - 4.3) / 0.45
    log['spoils'] = (risk + rng.logistic(0, 0.12, n) > 0).astype(int)
    return log


def network() -> keras.Model:
    inputs = h = keras.Input((len(MEASURED),), name='measured')
    for i, width in enumerate(cfg.widths, start=1):
        h = layers.Dense(width, name=f'dense_{i}')(h)
        h = layers.Activation(cfg.activation, name=f'bend_{i}')(h)
        h = layers.Dropout(cfg.dropout, name=f'drop_{i}')(h)
    return keras.Model(inputs, layers.Dense(1, name='log_odds')(h))


log = dairy_log(cfg.batches)
fit, check, test = np.split(rng.permutation(len(log)), [2000, 2400])
x = log[MEASURED].to_numpy('float32')
x = (x - x[fit].mean(axis=0)) / x[fit].std(axis=0)
y = log['spoils'].to_numpy('float32')

net = network()
optimizer = keras.optimizers.Adamax(cfg.learning_rate)


def cross_entropy(labels: tf.Tensor, log_odds: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.nn.softplus(log_odds) - labels * log_odds)


@tf.function
def train_on(features: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    with tf.GradientTape() as tape:
        loss = cross_entropy(labels, net(features, training=True)[:, 0])
    gradients = tape.gradient(loss, net.trainable_variables)
    optimizer.apply_gradients(zip(gradients, net.trainable_variables))
    return loss


@tf.function
def probability(features: tf.Tensor) -> tf.Tensor:
    return tf.nn.sigmoid(net(features, training=False))[:, 0]


def grade(rows: np.ndarray) -> float:
    return float(balanced_accuracy_score(y[rows], probability(x[rows]).numpy() > 0.5))


for epoch in range(1, cfg.epochs + 1):
    draws = rng.choice(fit, (cfg.steps, cfg.batch_size))
    losses = [float(train_on(x[rows], y[rows])) for rows in draws]
    if epoch % 5 == 0:
        aside = float(cross_entropy(y[check], net(x[check], training=False)[:, 0]))
        print(f'epoch {epoch:2d}: loss {np.mean(losses):.4f}, aside {aside:.4f}, balanced accuracy {grade(check):.3f}')

balanced = grade(test)
print(f'{len(test)} batches that played no part: balanced accuracy {balanced:.3f}')
''',
    score="balanced",
    bar=0.85,
    base=0.5,
    odd="the loss on the rows set aside is below that of training, where dropout is on",
    faults=(
        Fault(cause="softmax_on_single_unit", old="tf.nn.sigmoid(net(features, training=False))",
              new="tf.nn.softmax(net(features, training=False))", layer=("log_odds",)),
        Fault(cause="probabilities_to_logits_loss", old="layers.Dense(1, name='log_odds')",
              new="layers.Dense(1, 'sigmoid', name='log_odds')", layer=("log_odds",)),
        Fault(cause="dropout_mode", old="net(features, training=True)[:, 0]", new="net(features)[:, 0]", certain=True,
              layer=("drop_1", "drop_2")),
        Fault(cause="missing_nonlinearity", old="        h = layers.Activation(cfg.activation, name=f'bend_{i}')(h)\n",
              new="        layers.Activation(cfg.activation, name=f'bend_{i}')(h)\n", layer=("dense_1", "dense_2")),
        Fault(cause="learning_rate_too_high", old="learning_rate: float = 4e-3", new="learning_rate: float = 4.0",
              beside=("exploding_gradient", "oscillation")),
        Fault(cause="overfitting", old="[2000, 2400])", new="[60, 2400])"),
        Fault(cause="loss_broadcast", old="y = log['spoils'].to_numpy('float32')",
              new="y = log[['spoils']].to_numpy('float32')"),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [THERMAL, MILK]
