"""Loops over a GradientTape, from variables alone to layers of Keras. Written before any verdict on them."""

from keras_course.diagnostics.corpus import Fault, Program

TILES = Program(
    name="tiles_assign_sub",
    source="""
import numpy as np
import tensorflow as tf

tf.random.set_seed(SEED)
np.random.seed(SEED)

# a floor of three colours, laid like a chessboard: which colour is it at (x, y)?
points = np.random.uniform(-1.5, 1.5, (2000, 2)).astype(np.float32)
colours = (np.floor(points[:, 0] + 1.5) + np.floor(points[:, 1] + 1.5)).astype(np.int64) % 3
train_x, train_y = points[:1600], colours[:1600]
test_x, test_y = points[1600:], colours[1600:]

hidden1, hidden2, classes = 48, 32, 3
learning_rate = 0.2

w1 = tf.Variable(tf.random.normal([2, hidden1], stddev=1.0), name='w1')
b1 = tf.Variable(tf.random.normal([hidden1], stddev=0.5), name='b1')
w2 = tf.Variable(tf.random.normal([hidden1, hidden2], stddev=0.2), name='w2')
b2 = tf.Variable(tf.zeros([hidden2]), name='b2')
w3 = tf.Variable(tf.random.normal([hidden2, classes], stddev=0.2), name='w3')
b3 = tf.Variable(tf.zeros([classes]), name='b3')
params = [w1, b1, w2, b2, w3, b3]


def network(x):
    x = tf.nn.relu(x @ w1 + b1)
    x = tf.nn.relu(x @ w2 + b2)
    return x @ w3 + b3


def cost(x, y):
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=network(x)))


for epoch in range(40):
    perm = np.random.permutation(len(train_x))
    losses = []
    for i in range(0, len(train_x), 50):
        idx = perm[i:i + 50]
        with tf.GradientTape() as tape:
            loss = cost(train_x[idx], train_y[idx])
        grads = tape.gradient(loss, params)
        for p, g in zip(params, grads):
            p.assign_sub(learning_rate * g)
        losses.append(loss.numpy())
    if epoch % 10 == 9:
        print(f'Epoch {epoch + 1}: {np.mean(losses):.4f}')

guess = tf.argmax(network(test_x), axis=1).numpy()
print('accuracy', (guess == test_y).mean())
""",
    score="np.mean(guess == test_y)",
    bar=0.85,
    seeds=3,
    base=0.36,
    faults=(
        Fault(cause="gradient_sign_flipped", old="p.assign_sub(learning_rate * g)", new="p.assign_add(learning_rate * g)"),
        Fault(cause="optimiser_not_applied", old="p.assign_sub(learning_rate * g)", new="p = p - learning_rate * g"),
        Fault(cause="symmetric_or_zero_init", old="""w2 = tf.Variable(tf.random.normal([hidden1, hidden2], stddev=0.2), name='w2')
b2 = tf.Variable(tf.zeros([hidden2]), name='b2')
w3 = tf.Variable(tf.random.normal([hidden2, classes], stddev=0.2), name='w3')""",
              new="""w2 = tf.Variable(tf.zeros([hidden1, hidden2]), name='w2')
b2 = tf.Variable(tf.zeros([hidden2]), name='b2')
w3 = tf.Variable(tf.zeros([hidden2, classes]), name='w3')""", layer=("w2", "w3"), beside=("frozen_or_disconnected", "init_scale")),
        Fault(cause="missing_nonlinearity", old="""    x = tf.nn.relu(x @ w1 + b1)
    x = tf.nn.relu(x @ w2 + b2)
""", new="""    x = tf.matmul(x, w1) + b1
    x = tf.matmul(x, w2) + b2
""", layer=("w1", "w2")),
        Fault(cause="init_scale", old="w2 = tf.Variable(tf.random.normal([hidden1, hidden2], stddev=0.2), name='w2')",
              new="w2 = tf.Variable(tf.random.normal([hidden1, hidden2], stddev=20.0), name='w2')", layer=("w2",),
              beside=("learning_rate_too_high",)),
    ),
)  # fmt: skip

PENDULUM = Program(
    name="pendulum_module_adam",
    odd="each step sees all rows at once",
    source="""
import numpy as np
import tensorflow as tf

np.random.seed(SEED)
tf.random.set_seed(SEED)


class Dense(tf.Module):
    def __init__(self, n_in, n_out, activation=None, name=None):
        super().__init__(name=name)
        limit = np.sqrt(6 / (n_in + n_out))
        self.w = tf.Variable(tf.random.uniform([n_in, n_out], -limit, limit), name=f'{name}_w')
        self.b = tf.Variable(tf.zeros(n_out), name=f'{name}_b')
        self.activation = activation

    def __call__(self, x):
        y = tf.matmul(x, self.w) + self.b
        return self.activation(y) if self.activation else y


class Net(tf.Module):
    def __init__(self):
        super().__init__()
        self.one = Dense(3, 40, tf.tanh, name='one')
        self.two = Dense(40, 40, tf.tanh, name='two')
        self.out = Dense(40, 1, name='out')

    def __call__(self, x):
        return self.out(self.two(self.one(x)))


def make(n):
    length = np.random.uniform(0.2, 2.0, n)
    angle = np.random.uniform(0.05, 2.2, n)
    gravity = np.random.uniform(3.0, 12.0, n)
    period = 2 * np.pi * np.sqrt(length / gravity) * (1 + angle ** 2 / 16 + 11 * angle ** 4 / 3072)
    seen = period + np.random.normal(0, 0.05, n)
    return np.stack([length, angle, gravity], 1).astype('float32'), seen.astype('float32')


X, T = make(800)
X_val, T_val = make(300)
lo, hi = X.min(0), X.max(0)
X, X_val = 2 * (X - lo) / (hi - lo) - 1, 2 * (X_val - lo) / (hi - lo) - 1

net = Net()
mse = lambda truth, guess: tf.reduce_mean((truth - guess) ** 2)
opt = tf.keras.optimizers.Adam(0.01)
variables = net.trainable_variables


@tf.function
def train(x, t):
    with tf.GradientTape() as tape:
        guess = tf.squeeze(net(x), axis=1)
        loss = mse(t, guess)
    opt.apply_gradients(zip(tape.gradient(loss, variables), variables))
    return loss


x, t = tf.constant(X), tf.constant(T)
for it in range(600):
    current = train(x, t)
    if it % 100 == 0:
        tf.print('iteration', it, 'loss', current)
guess_val = net(tf.constant(X_val)).numpy()[:, 0]
print('validation rmse in seconds:', np.sqrt(np.mean((guess_val - T_val) ** 2)))
""",
    score="1 - np.mean((guess_val - T_val) ** 2) / np.var(T_val)",
    bar=0.9,
    seeds=3,
    base=0.0,
    faults=(
        Fault(cause="loss_broadcast", old="guess = tf.squeeze(net(x), axis=1)", new="guess = net(x)"),
        Fault(cause="targets_not_scaled", old="    seen = period + np.random.normal(0, 0.05, n)\n",
              new="    seen = 1000 * (period + np.random.normal(0, 0.05, n))  # milliseconds\n", beside=("learning_rate_too_low", "too_few_steps")),
        Fault(cause="saturated_units", old="limit = np.sqrt(6 / (n_in + n_out))", new="limit = 60 / np.sqrt(n_in)", layer=("one_w", "two_w", "out_w"),
              accept=("init_scale",), beside=("learning_rate_too_low",)),
        Fault(cause="too_few_steps", old="for it in range(600):", new="for it in range(6):", beside=("learning_rate_too_low",)),
    ),
)  # fmt: skip

SKETCHES = Program(
    name="sketches_autoencoder_tape",
    odd="nothing is classified: the input is the target",
    source="""
import tensorflow as tf
import numpy as np
from sklearn.datasets import load_digits

tf.keras.utils.set_random_seed(SEED)
BATCH_SIZE = 64
sketches = load_digits().data.astype('float32')
sketches /= 16
np.random.shuffle(sketches)
train_set = tf.data.Dataset.from_tensor_slices(sketches[:1500]).shuffle(1500).batch(BATCH_SIZE, drop_remainder=True)
held_out = sketches[1500:]

CODE = 16
encoder = tf.keras.Sequential([
    tf.keras.layers.InputLayer(shape=(64,)),
    tf.keras.layers.Dense(96, activation='leaky_relu', name='enc_1'),
    tf.keras.layers.Dense(CODE, name='code'),
])
decoder = tf.keras.Sequential([
    tf.keras.layers.InputLayer(shape=(CODE,)),
    tf.keras.layers.Dense(96, activation='leaky_relu', name='dec_1'),
    tf.keras.layers.Dense(64, activation='sigmoid', name='pixels'),
])
optimizer = tf.keras.optimizers.Adam(learning_rate=2e-3)
weights = encoder.trainable_variables + decoder.trainable_variables


@tf.function
def train_step(batch):
    with tf.GradientTape() as tape:
        code = encoder(batch, training=True)
        restored = decoder(code, training=True)
        loss = tf.reduce_mean(tf.keras.losses.binary_crossentropy(batch, restored))
    gradients = tape.gradient(loss, weights)
    optimizer.apply_gradients(zip(gradients, weights))
    return loss


EPOCHS = 25
for epoch in range(1, EPOCHS + 1):
    running = tf.keras.metrics.Mean()
    for batch in train_set:
        running.update_state(train_step(batch))
    if epoch % 5 == 0:
        print('Epoch %d/%d - loss: %.4f' % (epoch, EPOCHS, float(running.result())))

restored = decoder(encoder(held_out)).numpy()
print('mean squared error:', np.mean((restored - held_out) ** 2))
""",
    score="1 - np.mean((restored - held_out) ** 2) / np.mean((held_out - sketches[:1500].mean(0)) ** 2)",
    bar=0.75,
    seeds=3,
    base=0.0,
    faults=(
        Fault(cause="output_range_cannot_reach_targets", old="sketches /= 16\n", new="", layer=("pixels",),
              accept=("inputs_not_scaled", "targets_not_scaled", "wrong_loss_for_task", "label_encoding"),
              beside=("wrong_head_for_labels", "learning_rate_too_high")),
        Fault(cause="underfitting_capacity", old="CODE = 16", new="CODE = 1", layer=("code",)),
        Fault(cause="frozen_or_disconnected", old="        code = encoder(batch, training=True)",
              new="        code = tf.round(encoder(batch, training=True))", layer=("enc_1", "code")),
        Fault(cause="inputs_scaled_twice", old="sketches /= 16\n", new="sketches = sketches / 16 / 255\n", beside=("learning_rate_too_low",)),
    ),
)  # fmt: skip

VALVES = Program(
    name="valves_conv_attention",
    odd="pressures in kilopascal, in the hundreds, which go into a BatchNormalization first; one case in six has the fault",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow import keras as K

K.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
N, STEPS = 1500, 40
leaks = (rng.random(N) < 1 / 6).astype('int64')
valves = np.zeros((N, STEPS, 2), 'float32')
t = np.arange(STEPS)
for i in range(N):
    opening, closing = rng.integers(5, 12), rng.integers(24, 32)
    pressure = 300 + 25 * ((t > opening) & (t < closing)) + rng.normal(0, 4, STEPS)
    flow = 12 * ((t > opening) & (t < closing)) + rng.normal(0, 1.5, STEPS)
    if leaks[i]:  # the pressure sags while it is open
        pressure -= 14 * ((t > opening) & (t < closing)) * (t - opening) / (closing - opening)
    valves[i] = np.stack([pressure, flow], axis=1)
train = tf.data.Dataset.from_tensor_slices((valves[:1200], leaks[:1200])).shuffle(1200, seed=SEED).batch(32)
x_test, y_test = valves[1200:], leaks[1200:]

inputs = K.Input((STEPS, 2))
h = K.layers.BatchNormalization(momentum=0.9, name='norm_in')(inputs)
h = K.layers.Conv1D(24, 5, strides=2, activation='relu', name='conv_1')(h)
h = K.layers.Conv1D(24, 3, activation='relu', name='conv_2')(h)
h = h + K.layers.Attention(use_scale=True, name='attention')([h, h])
h = K.layers.GlobalAveragePooling1D()(h)
h = K.layers.Dense(16, activation='relu', name='dense')(h)
outputs = K.layers.Dense(1, name='leak')(h)
net = K.Model(inputs, outputs)

loss_object = K.losses.BinaryCrossentropy(from_logits=True)
optimizer = K.optimizers.SGD(learning_rate=0.05, momentum=0.9, clipnorm=5.0)
train_accuracy = K.metrics.BinaryAccuracy(threshold=0.0)


@tf.function
def step(signals, targets):
    with tf.GradientTape() as tape:
        logits = net(signals, training=True)
        value = loss_object(targets[:, None], logits)
    grads = tape.gradient(value, net.trainable_weights)
    optimizer.apply(grads, net.trainable_weights)
    train_accuracy.update_state(targets[:, None], logits)
    return value


for epoch in range(12):
    train_accuracy.reset_state()
    for signals, targets in train:
        value = step(signals, targets)
    print('epoch', epoch, 'last loss', float(value), 'accuracy', float(train_accuracy.result()))

alarm = net.predict(x_test, verbose=0)[:, 0] > 0
print('found', alarm[y_test == 1].mean(), 'false alarms', alarm[y_test == 0].mean())
""",
    score="np.mean([np.mean(alarm[y_test == c] == c) for c in (0, 1)])",
    bar=0.85,
    seeds=3,
    base=0.5,
    faults=(
        Fault(cause="batchnorm_mode", old="logits = net(signals, training=True)", new="logits = net(signals)", layer=("norm_in",),
              beside=("inputs_not_scaled", "learning_rate_too_high")),
        Fault(cause="batchnorm_mode", old="momentum=0.9, name='norm_in'", new="momentum=0.99999, name='norm_in'", layer=("norm_in",), tag="momentum",
              beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="inputs_not_scaled", old="h = K.layers.BatchNormalization(momentum=0.9, name='norm_in')(inputs)\nh = ", new="h = inputs\nh = ",
              beside=("learning_rate_too_high",)),
        Fault(cause="label_encoding", old="value = loss_object(targets[:, None], logits)", new="value = loss_object(2 * targets[:, None] - 1, logits)",
              accept=("output_range_cannot_reach_targets", "wrong_loss_for_task", "wrong_head_for_labels")),
        Fault(cause="class_imbalance", old="rng.random(N) < 1 / 6", new="rng.random(N) < 1 / 150"),
    ),
)  # fmt: skip

PROGRAMS = (TILES, PENDULUM, SKETCHES, VALVES)
