"""Scripts behind two theses: where a basalt comes from, by its chemistry, and lactate of rowers on the ergometer."""

from keras_course.diagnostics.corpus import Fault, Program

BASALT = Program(
    name="thesis_basalt_settings",
    source="""
# Chapter 5: discriminating tectonic settings of basalts from whole-rock chemistry.
# Replaces the Pearce & Cann triangles; see the notebook 05_settings_FINAL2 for the figures.
import numpy as np
import tensorflow as tf
from tensorflow import keras

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED + 31)

ELEMENTS = ['SiO2', 'TiO2', 'Al2O3', 'MgO', 'CaO', 'K2O', 'Sr', 'Zr', 'Nb', 'Y']
# typical compositions (wt% and ppm), read off the compilation of the group
TYPICAL = {
    'MORB': [50.4, 1.50, 15.6, 7.6, 11.6, 0.11, 120, 95, 2.6, 33],
    'OIB': [47.5, 2.40, 14.6, 7.9, 10.2, 0.85, 430, 180, 28, 28],
    'IAB': [51.0, 0.95, 16.6, 6.4, 10.4, 0.60, 330, 62, 1.9, 21],
    'BABB': [50.8, 1.20, 16.3, 7.1, 11.0, 0.30, 190, 80, 2.7, 27],
    'CFB': [50.2, 1.90, 14.9, 6.6, 10.3, 0.62, 300, 140, 11, 29],
}
DETECTION_LIMIT = 0.05


def analyses(setting, n):
    centre = np.log(TYPICAL[setting])
    differentiation = rng.gamma(2.0, 0.12, (n, 1))      # crystallised share of the melt
    path = np.array([0.15, 0.9, 0.1, -1.6, -0.6, 1.1, 0.1, 1.0, 1.0, 0.9])
    log_values = centre + differentiation * path + rng.normal(0, 0.22, (n, len(ELEMENTS))) * \\
        np.array([0.1, 0.8, 0.3, 0.6, 0.4, 1.6, 1.1, 0.8, 1.4, 0.7])
    values = np.exp(log_values)
    values[rng.random(values.shape) < 0.01] = 0.0       # b.d.l. in the lab's spreadsheet
    return values


names = np.concatenate([[s] * 240 for s in TYPICAL])
table = np.concatenate([analyses(s, 240) for s in TYPICAL])

# log-ratios against the first column, as Aitchison wants it
table = np.maximum(table, DETECTION_LIMIT)
ratios = np.log(table[:, 1:] / table[:, :1]).astype('float32')
SETTINGS, codes = np.unique(names, return_inverse=True)

held = np.zeros(len(names), bool)
held[::4] = True
mu, sigma = ratios[~held].mean(0), ratios[~held].std(0)
z = (ratios - mu) / sigma

samples = tf.data.Dataset.from_tensor_slices((z[~held], codes[~held]))
samples = samples.shuffle(900).batch(30, drop_remainder=True)


class Block(keras.layers.Layer):
    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.a = keras.layers.Dense(width, use_bias=False)
        self.norm = keras.layers.BatchNormalization(momentum=0.9)
        self.b = keras.layers.Dense(width)

    def call(self, x, training=None):
        return x + self.b(tf.nn.relu(self.norm(self.a(x), training=training)))


inputs = keras.Input((len(ELEMENTS) - 1,))
h = keras.layers.Dense(32, name='embed')(inputs)
h = Block(32, name='block_1')(h)
h = Block(32, name='block_2')(h)
h = keras.layers.BatchNormalization(momentum=0.9, name='last_norm')(h)
logits = keras.layers.Dense(len(SETTINGS), name='settings')(h)
net = keras.Model(inputs, logits)

optimizer = keras.optimizers.Adam(2e-3)
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@tf.function
def step(x, y):
    with tf.GradientTape() as tape:
        loss = cross_entropy(y, net(x, training=True))
    gradients = tape.gradient(loss, net.trainable_variables)
    optimizer.apply_gradients(zip(gradients, net.trainable_variables))
    return loss


for epoch in range(14):
    mean_loss = np.mean([float(step(x, y)) for x, y in samples])
    held_loss = float(cross_entropy(codes[held], net(z[held], training=False)))
    print(f'{epoch + 1:3d}  loss {mean_loss:.4f}  held back {held_loss:.4f}')

guess = net(z[held], training=False).numpy().argmax(axis=1)
rate = np.mean(SETTINGS[guess] == names[held])
print('classified as published:', round(float(rate), 3))
""",
    score="rate",
    bar=0.75,
    base=0.2,
    faults=(
        Fault(cause="nan_or_inf_in_data", old="table = np.maximum(table, DETECTION_LIMIT)\n", new=""),
        Fault(cause="missing_class", old="samples = samples.shuffle(900)",
              new="samples = samples.take(500).shuffle(900)", beside=("validation_split_sorted", "class_imbalance", "data_sorted")),
        Fault(cause="pipeline_order", old="samples.shuffle(900).batch(30, drop_remainder=True)",
              new="samples.batch(30, drop_remainder=True).shuffle(900)", accept=("data_sorted",),
              beside=("batchnorm_mode",)),
        Fault(cause="batchnorm_mode", old="h = keras.layers.BatchNormalization(momentum=0.9, name='last_norm')(h)",
              new="h = keras.layers.BatchNormalization(momentum=0.9999, name='last_norm')(h)", layer=("last_norm",),
              beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="optimiser_not_applied",
              old="    optimizer.apply_gradients(zip(gradients, net.trainable_variables))\n",
              new=""),
        Fault(cause="loss_metric_inconsistent", old="SETTINGS[guess] == names[held]",
              new="np.array(list(TYPICAL))[guess] == names[held]", accept=("wrong_metric", "label_encoding")),
        Fault(cause="learning_rate_too_high", old="Adam(2e-3)", new="Adam(2.0)",
              beside=("oscillation", "exploding_gradient")),
    ),
    seeds=3,
)  # fmt: skip

ROWERS = Program(
    name="thesis_rowers_lactate",
    source="""
# Lactate from what the ergometer and the chest strap give: network written out by hand, so that the
# appendix can show every equation. Power, stroke rate, heart rate, minutes, body mass -> mmol/l
import numpy as np
import tensorflow as tf

tf.random.set_seed(SEED)
np.random.seed(SEED)

N = 1600
power = np.random.uniform(120, 430, N)
mass = np.random.normal(82, 9, N)
stroke_rate = np.random.normal(25, 4.5, N)
minutes = np.random.uniform(2, 30, N)
heart_rate = 75 + 0.27 * power + 0.6 * (stroke_rate - 25) + np.random.normal(0, 7, N)

relative = power / mass
threshold = 3.6 - 0.012 * (minutes - 16)
lactate = 1.0 + 1.9 * np.log1p(np.exp(4 * (relative - threshold))) * (0.6 + minutes / 40)
lactate += 0.11 * (stroke_rate - 25) ** 2
lactate *= np.random.normal(1, 0.06, N)

X = np.c_[power, mass, stroke_rate, minutes, heart_rate].astype(np.float32)
Y = lactate.astype(np.float32)

fit_rows, check_rows = np.arange(0, 1280), np.arange(1280, N)
X = (X - X[fit_rows].mean(0)) / X[fit_rows].std(0)
y_mean, y_std = Y[fit_rows].mean(), Y[fit_rows].std()
Y_scaled = ((Y - y_mean) / y_std)[:, None]

H1, H2 = 30, 20


def draw(*shape):
    return tf.random.normal(shape, stddev=1 / np.sqrt(shape[0]))


W1, b1 = tf.Variable(draw(5, H1)), tf.Variable(tf.zeros([H1]))
W2, b2 = tf.Variable(draw(H1, H2)), tf.Variable(tf.zeros([H2]))
W3, b3 = tf.Variable(draw(H2, 1)), tf.Variable(tf.zeros([1]))
theta = [W1, b1, W2, b2, W3, b3]
velocity = [tf.Variable(tf.zeros_like(p)) for p in theta]

eta, mu = 0.02, 0.9
batch, rounds = 40, 60


def predict(x):
    z1 = tf.tanh(x @ W1 + b1)
    z2 = tf.tanh(z1 @ W2 + b2)
    return z2 @ W3 + b3


@tf.function
def update(x, y):
    with tf.GradientTape() as tape:
        error = tf.reduce_mean(tf.square(predict(x) - y))
    for p, v, g in zip(theta, velocity, tape.gradient(error, theta)):
        v.assign(mu * v - eta * g)
        p.assign_add(v)
    return error


for k in range(rounds):
    mixed = np.random.permutation(fit_rows)
    errors = []
    for start in range(0, len(mixed), batch):
        rows = mixed[start:start + batch]
        errors.append(update(tf.constant(X[rows]), tf.constant(Y_scaled[rows])).numpy())
    if k % 5 == 0 or k == rounds - 1:
        check = tf.reduce_mean((predict(X[check_rows]) - Y_scaled[check_rows]) ** 2).numpy()
        print(f'round {k:3d}   fit {np.mean(errors):.4f}   check {check:.4f}')

estimate = predict(X[check_rows]).numpy()[:, 0] * y_std + y_mean
rmse = np.sqrt(np.mean((estimate - Y[check_rows]) ** 2))
R2 = 1 - rmse ** 2 / np.var(Y[check_rows])
print(f'RMSE {rmse:.2f} mmol/l, R2 {R2:.3f}')
""",
    score="max(R2, -1.0) if np.isfinite(R2) else -1.0",
    bar=0.8,
    base=0.0,
    faults=(
        Fault(cause="symmetric_or_zero_init", old="    return tf.random.normal(shape, stddev=1 / np.sqrt(shape[0]))",
              new="    return tf.zeros(shape)",
              beside=("input_ignored", "vanishing_gradient", "frozen_or_disconnected", "init_scale")),
        Fault(cause="init_scale", old="stddev=1 / np.sqrt(shape[0]))", new="stddev=np.sqrt(shape[0]))",
              accept=("saturated_units",)),
        Fault(cause="missing_nonlinearity",
              old="    z1 = tf.tanh(x @ W1 + b1)\n    z2 = tf.tanh(z1 @ W2 + b2)\n",
              new="    z1 = x @ W1 + b1\n    z2 = z1 @ W2 + b2\n"),
        Fault(cause="gradient_sign_flipped", old="v.assign(mu * v - eta * g)", new="v.assign(mu * v + eta * g)",
              beside=("exploding_gradient",)),
        Fault(cause="loss_broadcast", old="Y_scaled = ((Y - y_mean) / y_std)[:, None]",
              new="Y_scaled = (Y - y_mean) / y_std", beside=("input_ignored",)),
        Fault(cause="oscillation", old="eta, mu = 0.02, 0.9", new="eta, mu = 0.02, 0.995",
              accept=("learning_rate_too_high",), beside=("exploding_gradient",)),
        Fault(cause="too_few_steps", old="batch, rounds = 40, 60", new="batch, rounds = 40, 1",
              beside=("learning_rate_too_low",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (BASALT, ROWERS)
