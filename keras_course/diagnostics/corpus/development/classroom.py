"""Exercises as students hand them in: a deep tanh network from raw variables, and harmonic regression of a tide."""

from keras_course.diagnostics.corpus import Fault, Program

MLP = Program(
    name="classroom_tanh_network",
    source="""
# Exercise 6: multilayer perceptron WITHOUT keras.layers
# (a) forward pass (b) training loop (c) learning curve
# Group 14
import numpy as np
import tensorflow as tf

tf.random.set_seed(SEED)
np.random.seed(SEED)


# --- data of the exercise sheet: three interleaved spirals, seen by 6 noisy sensors
def spirals(n):
    k = np.random.randint(0, 3, n)
    r = np.random.rand(n) * 0.9 + 0.1
    phi = 4.2 * r + k * 2 * np.pi / 3 + np.random.randn(n) * 0.24
    xy = np.c_[r * np.cos(phi), r * np.sin(phi)]
    return xy, k


M = np.random.randn(2, 6)
xy, k = spirals(3000)
table = np.c_[xy @ M + 0.02 * np.random.randn(3000, 6), k]

train, test = table[:2000], table[2000:]
X_train = train[:, :6].astype(np.float32)
Y_train = train[:, 6].astype(np.int32)
X_test = test[:, :6].astype(np.float32)
Y_test = test[:, 6].astype(np.int32)
mean, std = X_train.mean(axis=0), X_train.std(axis=0)
X_train = (X_train - mean) / std
X_test = (X_test - mean) / std

sizes = [6, 32, 32, 32, 32, 32, 3]


def init(n_in, n_out):
    return np.random.randn(n_in, n_out) * np.sqrt(1.0 / n_in)


W = [tf.Variable(init(a, b), dtype=tf.float32) for a, b in zip(sizes[:-1], sizes[1:])]
B = [tf.Variable(tf.zeros(b)) for b in sizes[1:]]


def phi(z):
    # LeCun's tanh (see slides p. 41)
    return 1.7159 * tf.tanh(0.667 * z)


def forward(x):
    a = x
    for w, b in zip(W[:-1], B[:-1]):
        a = phi(tf.matmul(a, w) + b)
    return tf.matmul(a, W[-1]) + B[-1]


def loss_fn(x, y):
    return tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=forward(x)))


def accuracy(x, y):
    return np.mean(np.argmax(forward(x).numpy(), axis=1) == y)


eta = 0.15
batch = 25
params = W + B


@tf.function
def train_step(x, y):
    with tf.GradientTape() as tape:
        loss = loss_fn(x, y)
    for p, g in zip(params, tape.gradient(loss, params)):
        p.assign_sub(eta * g)
    return loss


curve = []
for epoch in range(20):
    perm = np.random.permutation(len(X_train))
    total = 0.0
    for i in range(0, len(perm), batch):
        idx = perm[i:i + batch]
        total += float(train_step(X_train[idx], Y_train[idx])) * len(idx)
    curve.append(total / len(perm))
    if epoch % 5 == 4:
        print(epoch + 1, curve[-1], accuracy(X_test, Y_test))

acc = accuracy(X_test, Y_test)
print('Test accuracy:', acc)
""",
    score="acc",
    bar=0.85,
    base=0.34,
    faults=(
        Fault(cause="symmetric_or_zero_init", old="return np.random.randn(n_in, n_out) * np.sqrt(1.0 / n_in)",
              new="return np.ones((n_in, n_out)) * np.sqrt(1.0 / n_in)"),
        Fault(cause="init_scale", old="return np.random.randn(n_in, n_out) * np.sqrt(1.0 / n_in)",
              new="return np.random.randn(n_in, n_out) * 0.01", beside=("vanishing_gradient",)),
        Fault(cause="missing_nonlinearity", old="        a = phi(tf.matmul(a, w) + b)",
              new="        a = tf.matmul(a, w) + b"),
        Fault(cause="vanishing_gradient", old="return 1.7159 * tf.tanh(0.667 * z)",
              new="return tf.sigmoid(0.667 * z)"),
        Fault(cause="saturated_units", old="return 1.7159 * tf.tanh(0.667 * z)",
              new="return 1.7159 * tf.tanh(6.67 * z)", accept=("init_scale",),
              beside=("vanishing_gradient", "exploding_gradient")),
        Fault(cause="loss_metric_inconsistent", old="Y_test = test[:, 6].astype(np.int32)",
              new="Y_test = test[:, 6:].astype(np.int32)", accept=("wrong_metric",),
              beside=("loss_broadcast",)),
        Fault(cause="underfitting_capacity", old="sizes = [6, 32, 32, 32, 32, 32, 3]",
              new="sizes = [6, 2, 3]"),
    ),
    seeds=3,
)  # fmt: skip

TIDE = Program(
    name="classroom_tide_regression",
    source="""
# Numerical Methods II, sheet 4, task 2: tidal analysis by gradient descent
import numpy as np
import tensorflow as tf

np.random.seed(SEED)
tf.random.set_seed(SEED)

# periods of the constituents in hours
PERIODS = {'M2': 12.4206, 'S2': 12.0, 'N2': 12.6583, 'K1': 23.9345, 'O1': 25.8193}


def read_gauge(n=2400):
    # gauge table as printed in the yearbook: ordered by height
    hours = np.random.uniform(0, 24 * 330, n)
    pressure = 1013 + 9 * np.random.randn(n)
    wind = np.random.weibull(2, n) * 7
    h = 5.1 + 0.2 * np.random.randn(n) - 0.012 * (pressure - 1013) + 0.03 * wind
    for (name, p), amp in zip(PERIODS.items(), [1.35, 0.45, 0.28, 0.33, 0.22]):
        h = h + amp * np.cos(2 * np.pi * hours / p - np.random.uniform(0, 6.28))
    table = np.c_[hours, pressure, wind, h]
    return table[np.argsort(table[:, 3])]


def design(hours, pressure, wind):
    cols = [np.ones_like(hours), (pressure - 1013) / 9, wind / 7 - 0.9]
    for p in PERIODS.values():
        w = 2 * np.pi / p
        cols += [np.cos(w * hours), np.sin(w * hours)]
    return np.stack(cols, axis=1).astype('float32')


table = read_gauge()
is_test = table[:, 0] > 24 * 250        # last weeks of the record
A = design(*table[~is_test, :3].T)
b = table[~is_test, 3:].astype('float32')
A_test = design(*table[is_test, :3].T)
b_test = table[is_test, 3]

theta = tf.Variable(tf.zeros((A.shape[1], 1)))
step_size = 0.04
lam = 1e-4
n_epochs = 15
bs = 20


def J(X, y):
    r = tf.matmul(X, theta) - y
    return tf.reduce_mean(r ** 2) + lam * tf.reduce_sum(theta ** 2)


J_hist = []
for k in range(n_epochs):
    order = np.random.permutation(len(A))
    for s in range(0, len(A), bs):
        rows = order[s:s + bs]
        with tf.GradientTape() as tape:
            cost = J(A[rows], b[rows])
        grad = tape.gradient(cost, theta)
        theta.assign_sub(step_size * grad)
        J_hist.append(float(cost))
    print('epoch', k + 1, ' J =', np.mean(J_hist[-(len(A) // bs):]))

pred = tf.matmul(A_test, theta).numpy()[:, 0]
R2 = 1 - np.sum((pred - b_test) ** 2) / np.sum((b_test - b_test.mean()) ** 2)
print('R2 =', R2)
amplitudes = np.hypot(theta.numpy()[3::2, 0], theta.numpy()[4::2, 0])
for name, a in zip(PERIODS, amplitudes):
    print(name, round(float(a), 3), 'm')
""",
    score="max(R2, -1.0) if np.isfinite(R2) else -1.0",
    bar=0.9,
    base=0.0,
    odd="A constant column stands for the bias, the parameters start at zero, and the table comes sorted by height but "
    "is drawn in a new order each epoch: a linear model needs no more.",
    faults=(
        Fault(cause="loss_broadcast", old="b = table[~is_test, 3:].astype('float32')",
              new="b = table[~is_test, 3].astype('float32')", beside=("underfitting_capacity",)),
        Fault(cause="gradient_sign_flipped", old="theta.assign_sub(step_size * grad)",
              new="theta.assign_add(step_size * grad)", beside=("exploding_gradient", "learning_rate_too_high")),
        Fault(cause="learning_rate_too_high", old="step_size = 0.04", new="step_size = 4.0",
              accept=("exploding_gradient",), beside=("oscillation",)),
        Fault(cause="oscillation", old="step_size = 0.04", new="step_size = 0.94",
              accept=("learning_rate_too_high",)),
        Fault(cause="regularisation_overwhelms", old="lam = 1e-4", new="lam = 1.0"),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (MLP, TIDE)
