"""Notebooks of a lecture, flattened to scripts: a network of nothing but variables, and whistles in a spectrogram."""

from keras_course.diagnostics.corpus import Fault, Program

THROWS = Program(
    name="lecturer_thrown_ball",
    source='''
# %% [markdown]
# # Lecture 4: a network from nothing but variables
#
# How far does a ball fly? In a vacuum there is a formula. With drag and wind there is none, but we can simulate: that
# gives us a table, and a network can learn the table. Today we use no layer, no optimiser and no `fit`.

# %%
import numpy as np
import tensorflow as tf

tf.random.set_seed(SEED)
rng = np.random.default_rng(100 + SEED)

# %% [markdown]
# ## 1. The simulation
# All balls at once, with small steps of time, until each of them is on the ground.

# %%
def simulate(speed, angle, drag, wind, height, step=0.02):
    vx, vy = speed * np.cos(angle), speed * np.sin(angle)
    x, y = np.zeros_like(speed), height.copy()
    for _ in range(500):
        flying = y > 0
        relative = vx - wind
        air = np.sqrt(relative ** 2 + vy ** 2)
        vx = vx - flying * step * drag * air * relative
        vy = vy - flying * step * (9.81 + drag * air * vy)
        x, y = x + flying * step * vx, y + flying * step * vy
    return x


N = 3000
speed = rng.uniform(8, 40, N)                       # m/s
angle = np.deg2rad(rng.uniform(5, 85, N))
drag = rng.uniform(0.0, 0.03, N)                    # 1/m
wind = rng.normal(0, 6, N)                          # m/s, along the throw
height = rng.uniform(0.5, 25, N)                    # m
distance = simulate(speed, angle, drag, wind, height)[:, None]
table = np.stack([speed, angle, drag, wind, height], axis=1)
print('distances from', distance.min().round(1), 'to', distance.max().round(1), 'metres')

# %% [markdown]
# ## 2. What the network sees
# Columns in standard units. The test set takes no part in the mean and the deviation.

# %%
test = rng.random(N) < 0.2
x_mean, x_std = table[~test].mean(axis=0), table[~test].std(axis=0)
y_mean, y_std = distance[~test].mean(), distance[~test].std()


def prepare(rows):
    x = (table[rows] - x_mean) / x_std
    y = (distance[rows] - y_mean) / y_std
    return tf.constant(x, tf.float32), tf.constant(y, tf.float32)


x_train, y_train = prepare(~test)
x_test, y_test = prepare(test)

# %% [markdown]
# ## 3. The variables
# Glorot's rule keeps the size of the signal from layer to layer: uniform between minus and plus the square root of
# 6 / (inputs + outputs).

# %%
SIZES = [5, 40, 40, 40, 1]
DEPTH = len(SIZES) - 1
weights, biases = [], []
for fan_in, fan_out in zip(SIZES[:-1], SIZES[1:]):
    limit = (6 / (fan_in + fan_out)) ** 0.5
    weights.append(tf.Variable(tf.random.uniform((fan_in, fan_out), -limit, limit)))
    biases.append(tf.Variable(tf.zeros((fan_out,))))
variables = weights + biases


def network(x):
    h = x
    for k in range(DEPTH):
        h = h @ weights[k] + biases[k]
        if k < DEPTH - 1:
            h = tf.tanh(h)
    return h


def squared_error(y, out):
    return tf.reduce_mean((y - out) ** 2)


# %% [markdown]
# ## 4. Adam by hand
# Two running means for each variable: of the gradient and of its square. Both start at zero, which the factors at the
# top make up for in the first steps.

# %%
RATE, BETA_1, BETA_2 = 4e-3, 0.9, 0.999
means = [tf.Variable(tf.zeros_like(v)) for v in variables]
squares = [tf.Variable(tf.zeros_like(v)) for v in variables]
clock = tf.Variable(0.0)


@tf.function
def step(x, y):
    with tf.GradientTape() as tape:
        loss = squared_error(y, network(x))
    clock.assign_add(1.0)
    rate = RATE * tf.sqrt(1 - BETA_2 ** clock) / (1 - BETA_1 ** clock)
    for v, g, m, s in zip(variables, tape.gradient(loss, variables), means, squares):
        m.assign(BETA_1 * m + (1 - BETA_1) * g)
        s.assign(BETA_2 * s + (1 - BETA_2) * g ** 2)
        v.assign_add(-rate * m / (tf.sqrt(s) + 1e-7))
    return loss


# %% [markdown]
# ## 5. The loop

# %%
BATCH, EPOCHS = 64, 30
batches = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(N, seed=SEED).batch(BATCH)
history = []
for epoch in range(EPOCHS):
    losses = [float(step(x, y)) for x, y in batches]
    history.append(np.mean(losses))
    if epoch % 5 == 4:
        print(f'epoch {epoch + 1:2d}: loss {history[-1]:.4f}, on test {squared_error(y_test, network(x_test)):.4f}')

# %% [markdown]
# ## 6. How good is it?
# In metres, and as the share of the variance that is explained.

# %%
metres = network(x_test).numpy().reshape(-1) * y_std + y_mean
truth = distance[test].reshape(-1)
explained = float(1 - np.mean((metres - truth) ** 2) / np.var(truth))
print(f'typical error {np.median(np.abs(metres - truth)):.2f} m, explained {explained:.4f}')
''',
    score="explained",
    bar=0.95,
    base=0.0,
    faults=(
        Fault(cause="loss_broadcast", old="    y = (distance[rows] - y_mean) / y_std\n",
              new="    y = (distance[rows, 0] - y_mean) / y_std\n"),
        Fault(cause="symmetric_or_zero_init", old="limit = (6 / (fan_in + fan_out)) ** 0.5",
              new="limit = (6 // (fan_in + fan_out)) ** 0.5"),
        Fault(cause="targets_not_scaled", old="y_mean, y_std = distance[~test].mean(), distance[~test].std()",
              new="y_mean, y_std = 0.0, 0.01"),
        Fault(cause="gradient_sign_flipped", old="v.assign_add(-rate * m", new="v.assign_sub(-rate * m",
              beside=("exploding_gradient", "nan_or_inf_in_data")),
        Fault(cause="missing_nonlinearity", old="            h = tf.tanh(h)\n", new="            tf.tanh(h)\n"),
        Fault(cause="oscillation", old="RATE, BETA_1, BETA_2 = 4e-3, 0.9, 0.999",
              new="RATE, BETA_1, BETA_2 = 4e-2, 0.9, 0.5", accept=("learning_rate_too_high",),
              beside=("saturated_units",)),
        Fault(cause="init_scale", old="limit = (6 / (fan_in + fan_out)) ** 0.5",
              new="limit = (6 * (fan_in + fan_out)) ** 0.5", accept=("saturated_units",)),
    ),
    seeds=3,
)  # fmt: skip

WHISTLES = Program(
    name="lecturer_whistle_masks",
    source='''
# %% [markdown]
# # Lecture 9: a mask for every picture
#
# Dolphins whistle, and engines hum. In a spectrogram (frequency up, time to the right) a hum is a level line and a
# whistle is a line that goes up and down. We want to know of every cell whether a dolphin is in it.

# %%
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng([9, SEED])
BINS, FRAMES = 24, 32

# %% [markdown]
# ## 1. Recordings
# Power in arbitrary units. The recorder is switched on somewhat late, and until then the power is exactly nothing.

# %%
def line(track, width=0.7):
    """Power of a line whose pitch at every frame is given."""
    return np.exp(-((np.arange(BINS)[:, None] - track[None]) / width) ** 2)


def recording():
    t = np.arange(FRAMES)
    power = rng.exponential(1.0, (BINS, FRAMES)) * np.linspace(2.0, 0.6, BINS)[:, None]
    mask = np.zeros((BINS, FRAMES))
    for _ in range(rng.integers(1, 3)):                                          # engines
        power += rng.uniform(15, 60) * line(np.full(FRAMES, rng.uniform(1, BINS - 2)))
    for _ in range(rng.integers(1, 3)):                                          # dolphins
        begin, end = sorted(rng.choice(FRAMES, 2, replace=False))
        begin, end = max(0, begin - 5), min(FRAMES, end + 5)
        swing = rng.uniform(2.5, 5) * np.sin(t / rng.uniform(2.5, 4.5) + rng.uniform(0, 6))
        whistle = line(rng.uniform(7, BINS - 7) + swing) * ((t >= begin) & (t < end))
        power += rng.uniform(10, 50) * whistle
        mask = np.maximum(mask, whistle > 0.35)
    late = rng.integers(0, 6)
    power[:, :late], mask[:, :late] = 0.0, 0.0
    return power, mask


def decibels(power):
    return 10 * np.log10(power + 1e-2)


powers, masks = map(np.stack, zip(*[recording() for _ in range(480)]))
pictures = decibels(powers)[..., None].astype('float32') / 10
masks = masks[..., None].astype('float32')
x_train, x_test = pictures[:360], pictures[360:]
y_train, y_test = masks[:360], masks[360:]
print(f'{y_train.mean():.1%} of the cells have a dolphin in them')

# %% [markdown]
# ## 2. The network
# Convolutions that keep the size. The last one has one channel: the log odds of a dolphin.

# %%
def look(h, filters, dilation, name):
    h = layers.Conv2D(filters, 3, padding='same', dilation_rate=dilation, use_bias=False, name=f'{name}_conv')(h)
    h = layers.BatchNormalization(momentum=0.9, name=f'{name}_norm')(h)
    return layers.ReLU(max_value=6.0, name=f'{name}_relu')(h)


picture = keras.Input((BINS, FRAMES, 1))
h = look(picture, 16, 1, 'first')
h = look(h, 16, 2, 'second')
h = look(h, 24, 3, 'third')
h = layers.SpatialDropout2D(0.1, name='drop')(h)
odds = layers.Conv2D(1, 1, bias_initializer=keras.initializers.Constant(-2.0), name='odds')(h)
model = keras.Model(picture, odds, name='whistles')

# %% [markdown]
# ## 3. The loop
# `tf.function` turns the step into a graph. Note what is inside of it and what is not.

# %%
EPOCHS, BATCH = 8, 20
optimizer = keras.optimizers.Adam(learning_rate=4e-3)
variables = model.trainable_variables


@tf.function
def train_step(x, y):
    with tf.GradientTape() as tape:
        out = model(x, training=True)
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=out))
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    return loss


@tf.function
def probability(x):
    return tf.sigmoid(model(x, training=False))


def intersection_over_union(dataset):
    found = np.concatenate([probability(x).numpy() for x, _ in dataset]) > 0.5
    drawn = np.concatenate([y.numpy() for _, y in dataset]) > 0.5
    return float((found & drawn).sum() / max((found | drawn).sum(), 1))


train = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(len(x_train)).batch(BATCH)
test = tf.data.Dataset.from_tensor_slices((x_test, y_test)).batch(60)
for epoch in range(EPOCHS):
    mean = keras.metrics.Mean()
    for x, y in train:
        mean.update_state(train_step(x, y))
    print(f'epoch {epoch + 1}: loss {float(mean.result()):.4f}')

# %% [markdown]
# ## 4. How good is it?
# What was found and drawn, as a share of what was found or drawn.

# %%
overlap = intersection_over_union(test)
print(f'overlap on recordings that it has not seen: {overlap:.3f}')
''',
    score="overlap",
    bar=0.65,
    base=0.1,
    odd="the last layer starts with a bias of -2, and the first columns of many pictures are constant",
    faults=(
        Fault(cause="batchnorm_mode", old="layers.BatchNormalization(momentum=0.9,",
              new="layers.BatchNormalization(momentum=0.9999,", layer=("first_norm", "second_norm", "third_norm")),
        Fault(cause="probabilities_to_logits_loss", old="        out = model(x, training=True)\n",
              new="        out = tf.sigmoid(model(x, training=True))\n", certain=True),
        Fault(cause="frozen_or_disconnected", old="variables = model.trainable_variables",
              new="variables = model.layers[-1].trainable_variables",
              layer=("first_conv", "first_norm", "second_conv", "second_norm", "third_conv", "third_norm")),
        Fault(cause="nan_or_inf_in_data", old="return 10 * np.log10(power + 1e-2)",
              new="return 10 * np.log10(power)"),
        Fault(cause="learning_rate_too_low", old="learning_rate=4e-3)", new="learning_rate=4e-3 / len(x_train))",
              beside=("too_few_steps",)),
        Fault(cause="dead_units", old="layers.ReLU(max_value=6.0,", new="layers.ReLU(threshold=6.0,",
              layer=("first_relu", "second_relu", "third_relu"), beside=("input_ignored", "frozen_or_disconnected")),
        Fault(cause="loss_metric_inconsistent",
              old="test = tf.data.Dataset.from_tensor_slices((x_test, y_test)).batch(60)",
              new="test = tf.data.Dataset.from_tensor_slices((x_test, y_test)).shuffle(len(x_test)).batch(60)",
              accept=("wrong_metric",), certain=True),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [THROWS, WHISTLES]
