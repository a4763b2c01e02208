"""Scripts of a PhD student who re-implements small papers: highway networks and denoising autoencoders."""

from keras_course.diagnostics.corpus import Fault, Program

HIGHWAY = Program(
    name="replication_highway_digits",
    source="""
# re-implementation of: Srivastava, Greff, Schmidhuber (2015), Highway Networks, fully connected version.
# digits of sklearn instead of MNIST, width 32, 8 highway layers. no keras layers, I want to see every matrix
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

np.random.seed(SEED)
tf.random.set_seed(SEED)

WIDTH = 32
DEPTH = 8
CLASSES = 10
BATCH = 64
EPOCHS = 30
LR = 0.05
MOMENTUM = 0.9
GATE_BIAS = -1.0   # the paper: between -1 and -3, so that the layers carry at first

digits = load_digits()
X = (digits.data / 16.0 - 0.3).astype(np.float32)
Y = digits.target.astype(np.int64)
X_tr, X_te, Y_tr, Y_te = train_test_split(X, Y, test_size=0.25, random_state=SEED, stratify=Y)


def glorot(n_in, n_out):
    return tf.random.normal((n_in, n_out), stddev=np.sqrt(2.0 / (n_in + n_out)))


params = {}
params['W_in'] = tf.Variable(glorot(64, WIDTH))
params['b_in'] = tf.Variable(tf.zeros(WIDTH))
for l in range(DEPTH):
    params[f'W_H{l}'] = tf.Variable(glorot(WIDTH, WIDTH))
    params[f'b_H{l}'] = tf.Variable(tf.zeros(WIDTH))
    params[f'W_T{l}'] = tf.Variable(glorot(WIDTH, WIDTH))
    params[f'b_T{l}'] = tf.Variable(tf.fill([WIDTH], GATE_BIAS))
params['W_out'] = tf.Variable(glorot(WIDTH, CLASSES))
params['b_out'] = tf.Variable(tf.zeros(CLASSES))
trainable = list(params.values())
velocity = [tf.Variable(tf.zeros_like(v)) for v in trainable]


def highway(x, l):
    H = tf.nn.tanh(x @ params[f'W_H{l}'] + params[f'b_H{l}'])
    T = tf.nn.sigmoid(x @ params[f'W_T{l}'] + params[f'b_T{l}'])
    return H * T + x * (1.0 - T)


def network(x):
    h = tf.nn.tanh(x @ params['W_in'] + params['b_in'])
    for l in range(DEPTH):
        h = highway(h, l)
    return h @ params['W_out'] + params['b_out']


def cost(x, y):
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=network(x)))


@tf.function
def update(x, y, lr):
    with tf.GradientTape() as tape:
        c = cost(x, y)
    g = tape.gradient(c, trainable)
    for v, m, d in zip(trainable, velocity, g):
        m.assign(MOMENTUM * m - lr * d)
        v.assign_add(m)
    return c


costs = []
for epoch in range(EPOCHS):
    perm = np.random.permutation(len(X_tr))
    total = 0.0
    for i in range(0, len(perm) - BATCH + 1, BATCH):
        j = perm[i:i + BATCH]
        total += float(update(X_tr[j], Y_tr[j], tf.constant(LR)))
    LR *= 0.95
    costs.append(total / (len(perm) // BATCH))
    if epoch % 3 == 2:
        print(f'{epoch + 1:3d}  cost {costs[-1]:.4f}  held out {float(cost(X_te, Y_te)):.4f}')

accuracy = float(np.mean(network(X_te).numpy().argmax(axis=1) == Y_te))
print('error on the held-out quarter: %.2f %%' % (100 * (1 - accuracy)))
""",
    score="accuracy",
    bar=0.91,
    base=0.1,
    odd="matrices by hand, with gates whose biases start at -1 and no Keras at all",
    faults=(
        Fault(cause="gradient_sign_flipped", old="m.assign(MOMENTUM * m - lr * d)", new="m.assign(MOMENTUM * m + lr * d)",
              beside=("exploding_gradient",)),
        Fault(cause="vanishing_gradient", old="return H * T + x * (1.0 - T)", new="return H * T",
              beside=("init_scale", "input_ignored")),
        Fault(cause="symmetric_or_zero_init",
              old="    return tf.random.normal((n_in, n_out), stddev=np.sqrt(2.0 / (n_in + n_out)))",
              new="    return tf.fill((n_in, n_out), np.float32(np.sqrt(2.0 / (n_in + n_out))))"),
        Fault(cause="init_scale", old="stddev=np.sqrt(2.0 / (n_in + n_out))", new="stddev=np.sqrt(n_in + n_out)",
              beside=("saturated_units", "exploding_gradient", "vanishing_gradient")),
        Fault(cause="learning_rate_too_low", old="LR = 0.05", new="LR = 0.0005", beside=("too_few_steps",)),
        Fault(cause="probabilities_to_logits_loss", old="    return h @ params['W_out'] + params['b_out']",
              new="    return tf.nn.softmax(h @ params['W_out'] + params['b_out'])"),
        Fault(cause="frozen_or_disconnected", old="trainable = list(params.values())",
              new="trainable = [params['W_out'], params['b_out']]"),
        Fault(cause="lr_schedule_wrong", old="        total += float(update(X_tr[j], Y_tr[j], tf.constant(LR)))\n    LR *= 0.95\n",
              new="        total += float(update(X_tr[j], Y_tr[j], tf.constant(LR)))\n        LR *= 0.95\n",
              beside=("learning_rate_too_low", "too_few_steps")),
    ),
    pairs=(("learning_rate_too_low", "frozen_or_disconnected"),),
    seeds=3,
)  # fmt: skip

SEISMO = Program(
    name="replication_denoising_seismograms",
    source="""
# Vincent et al. (2008), 'Extracting and composing robust features with denoising autoencoders',
# on short synthetic seismograms (64 samples). Section 4.2 of my draft, second run
import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

SIGMA = 0.35        # corruption
CODE = 16
EPOCHS = 40
keras.utils.set_random_seed(SEED)


def seismograms(n, rng):
    t = np.arange(64)[None, :]
    onset = rng.uniform(8, 20, (n, 1))
    lag = rng.uniform(10, 24, (n, 1))
    f_p, f_s = rng.uniform(0.9, 1.1, (n, 1)), rng.uniform(0.45, 0.55, (n, 1))
    p = np.where(t > onset, np.exp(-(t - onset) / 6) * np.sin(f_p * (t - onset)), 0)
    s = np.where(t > onset + lag, np.exp(-(t - onset - lag) / 12) * np.sin(f_s * (t - onset - lag)), 0)
    traces = rng.uniform(0.8, 1.6, (n, 1)) * p + rng.uniform(1.5, 3.0, (n, 1)) * s
    return traces.astype('float32')


rng = np.random.default_rng(100 + SEED)
clean_train, clean_val, clean_test = seismograms(3000, rng), seismograms(400, rng), seismograms(600, rng)
unit = clean_train.std()
clean_train, clean_val, clean_test = clean_train / unit, clean_val / unit, clean_test / unit
weights = keras.initializers.GlorotUniform()


class DAE(keras.Model):
    def __init__(self):
        super().__init__()
        self.encoder = keras.Sequential([
            layers.Dense(64, activation='tanh', kernel_initializer=weights, name='enc1'),
            layers.Dense(CODE, activation='tanh', kernel_initializer=weights, name='code'),
        ])
        self.decoder = keras.Sequential([
            layers.Dense(64, activation='relu', kernel_initializer='he_normal', name='dec1'),
            layers.Dense(64, name='trace'),
        ])
        self.loss_tracker = keras.metrics.Mean(name='loss')

    def call(self, x):
        return self.decoder(self.encoder(x))

    def energy(self, noisy, clean):
        return ops.mean(ops.sum(ops.square(self(noisy) - clean), axis=1))

    def train_step(self, clean):
        noisy = clean + SIGMA * tf.random.normal(tf.shape(clean))
        with tf.GradientTape() as tape:
            loss = self.energy(noisy, clean)
        grads = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(grads, self.trainable_variables))
        self.loss_tracker.update_state(loss)
        return {'loss': self.loss_tracker.result()}

    def test_step(self, data):
        noisy, clean = data
        self.loss_tracker.update_state(self.energy(noisy, clean))
        return {'loss': self.loss_tracker.result()}

    @property
    def metrics(self):
        return [self.loss_tracker]


def corrupt(x):
    return x + 0.35 * rng.standard_normal(x.shape).astype('float32')


dae = DAE()
lr = keras.optimizers.schedules.CosineDecay(0.08, EPOCHS * 47)
dae.compile(optimizer=keras.optimizers.SGD(lr, momentum=0.9, clipnorm=1.0))
dae.fit(clean_train, batch_size=64, epochs=EPOCHS, validation_data=(corrupt(clean_val), clean_val), verbose=2)

restored = dae(corrupt(clean_test)).numpy()
gain = 1 - np.mean((restored - clean_test) ** 2) / np.mean((clean_test - clean_train.mean(0)) ** 2)
print('variance restored: %.3f' % gain)
""",
    score="max(gain, -1.0) if np.isfinite(gain) else -1.0",
    bar=0.92,
    base=0.0,
    faults=(
        Fault(cause="exploding_gradient", old="SGD(lr, momentum=0.9, clipnorm=1.0)", new="SGD(lr, momentum=0.9)",
              accept=("learning_rate_too_high",), beside=("oscillation", "dead_units", "saturated_units")),
        Fault(cause="oscillation", old="lr = keras.optimizers.schedules.CosineDecay(0.08, EPOCHS * 47)", new="lr = 0.4",
              accept=("learning_rate_too_high",), beside=("saturated_units", "dead_units")),
        Fault(cause="inputs_drowned_in_noise", old="SIGMA = 0.35 ", new="SIGMA = 35. ",
              accept=("train_val_preprocessing_mismatch",)),
        Fault(cause="saturated_units", old="weights = keras.initializers.GlorotUniform()",
              new="weights = keras.initializers.RandomNormal(stddev=100.0)", accept=("init_scale",), layer=("enc1", "code"),
              beside=("vanishing_gradient",)),
        Fault(cause="symmetric_or_zero_init", old="kernel_initializer='he_normal', name='dec1'",
              new="kernel_initializer='zeros', name='dec1'", layer=("dec1",),
              accept=("dead_units",), beside=("input_ignored", "frozen_or_disconnected", "init_scale", "vanishing_gradient")),
        Fault(cause="output_range_cannot_reach_targets", old="layers.Dense(64, name='trace')",
              new="layers.Dense(64, activation='sigmoid', name='trace')", layer=("trace",), beside=("saturated_units",)),
        Fault(cause="underfitting_capacity", old="CODE = 16", new="CODE = 1"),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (HIGHWAY, SEISMO)
