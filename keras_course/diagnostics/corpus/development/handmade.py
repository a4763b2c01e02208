"""Loops by hand and steps of one's own, on variables and on models. Written before any verdict on them."""

from keras_course.diagnostics.corpus import Fault, Program

SPIRAL = Program(
    name="spiral_variables",
    source="""
import numpy as np
import tensorflow as tf

np.random.seed(SEED)
tf.random.set_seed(SEED)
N, D, K, h = 200, 2, 3, 64  # points per class, dimensions, classes, hidden units
X = np.zeros((N * K, D), dtype='float32')
y = np.repeat(np.arange(K), N)
for j in range(K):
    r, t = np.linspace(0.0, 1, N), np.linspace(j * 4, (j + 1) * 4, N) + np.random.randn(N) * 0.15
    X[y == j] = np.c_[2 * r * np.sin(t), 2 * r * np.cos(t)]

W = tf.Variable(tf.random.normal((D, h), stddev=1.0))
b = tf.Variable(tf.zeros((1, h)))
W2 = tf.Variable(tf.random.normal((h, K), stddev=0.1))
b2 = tf.Variable(tf.zeros((1, K)))
step_size = 0.5
reg = 1e-4  # regularization strength


def scores_of(X):
    hidden_layer = tf.nn.relu(tf.matmul(X, W) + b)
    return tf.matmul(hidden_layer, W2) + b2


@tf.function
def update(X, y):
    with tf.GradientTape() as tape:
        scores = scores_of(X)
        data_loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=scores))
        loss = data_loss + 0.5 * reg * (tf.reduce_sum(W * W) + tf.reduce_sum(W2 * W2))
    dW, db, dW2, db2 = tape.gradient(loss, [W, b, W2, b2])
    W.assign_sub(step_size * dW)
    b.assign_sub(step_size * db)
    W2.assign_sub(step_size * dW2)
    b2.assign_sub(step_size * db2)
    return loss


for i in range(600):
    rows = np.random.choice(N * K, 100)
    loss = update(X[rows], y[rows])
    if i % 100 == 0:
        print('iteration %d: loss %f' % (i, loss))
""",
    score="np.mean(scores_of(X).numpy().argmax(1) == y)",
    bar=0.85,
    base=0.34,
    faults=(
        Fault(cause="underfitting_capacity", old="N, D, K, h = 200, 2, 3, 64", new="N, D, K, h = 200, 2, 3, 2", beside=("dead_units",)),
        Fault(cause="missing_nonlinearity", old="hidden_layer = tf.nn.relu(tf.matmul(X, W) + b)", new="hidden_layer = tf.matmul(X, W) + b"),
        Fault(cause="symmetric_or_zero_init",
              old="""tf.random.normal((D, h), stddev=1.0))
b = tf.Variable(tf.zeros((1, h)))
W2 = tf.Variable(tf.random.normal((h, K), stddev=0.1))""",
              new="""tf.zeros((D, h)))
b = tf.Variable(tf.zeros((1, h)))
W2 = tf.Variable(tf.zeros((h, K)))""", beside=("frozen_or_disconnected",)),
        Fault(cause="regularisation_overwhelms", old="reg = 1e-4", new="reg = 0.5"),
        Fault(cause="learning_rate_too_high", old="step_size = 0.5", new="step_size = 100."),
        Fault(cause="learning_rate_too_low", old="step_size = 0.5", new="step_size = 1e-4"),
        Fault(cause="gradient_sign_flipped", old="dW, db, dW2, db2 = tape.gradient(loss, [W, b, W2, b2])",
              new="dW, db, dW2, db2 = [-g for g in tape.gradient(loss, [W, b, W2, b2])]"),
    ),
    pairs=(("symmetric_or_zero_init", "learning_rate_too_low"),),
)  # fmt: skip

LINE = Program(
    name="ice_cream_line",
    odd="a linear model on purpose: there is nothing in it to be nonlinear",
    source="""
import numpy as np
import tensorflow as tf

rng = np.random.default_rng(SEED)
temperature = rng.uniform(5, 35, 600)
visitors = rng.uniform(200, 9000, 600)
rain = rng.exponential(2.0, 600)
sales = 3.0 * temperature + 0.02 * visitors - 8.0 * rain + rng.normal(0, 10, 600)
X = np.stack([temperature, visitors, rain], axis=1)
X = (X - X.mean(axis=0)) / X.std(axis=0)
X = X.astype('float32')
y = ((sales - sales.mean()) / sales.std()).astype('float32')

w = tf.Variable(np.zeros((3, 1), 'float32'), name='w')
b = tf.Variable(0.0, name='b')
lr = 0.03


def predict(X):
    return tf.matmul(X, w)[:, 0] + b


for epoch in range(15):
    shuffled = rng.permutation(500)
    for start in range(0, 500, 25):
        rows = shuffled[start:start + 25]
        with tf.GradientTape() as tape:
            error = predict(X[rows]) - y[rows]
            loss = tf.reduce_mean(error ** 2)
        dw, db = tape.gradient(loss, [w, b])
        w.assign_sub(lr * dw)
        b.assign_sub(lr * db)
    if epoch % 5 == 0:
        print('epoch', epoch, 'mse', float(loss))
""",
    score="1 - float(np.mean((predict(X[500:]).numpy().reshape(-1) - y[500:]) ** 2) / np.var(y[500:]))",
    bar=0.9,
    base=0.0,
    faults=(
        Fault(cause="inputs_not_scaled", old="X = (X - X.mean(axis=0)) / X.std(axis=0)\n", new="", beside=("learning_rate_too_high",)),
        Fault(cause="loss_broadcast", old="error = predict(X[rows]) - y[rows]", new="error = predict(X[rows]) - y[rows, None]"),
        Fault(cause="learning_rate_too_low", old="lr = 0.03", new="lr = 1e-6"),
        Fault(cause="learning_rate_too_high", old="lr = 0.03", new="lr = 3."),
        Fault(cause="gradient_sign_flipped", old="        w.assign_sub(lr * dw)\n        b.assign_sub(lr * db)\n",
              new="        w.assign_add(lr * dw)\n        b.assign_add(lr * db)\n"),
        Fault(cause="labels_shuffled_apart", old="- y[rows]", new="- y[shuffled[:25]]", accept=("label_noise",)),
        Fault(cause="nan_or_inf_in_data", old="rain = rng.exponential(2.0, 600)",
              new="rain = np.log(np.round(rng.exponential(2.0, 600)))"),
    ),
)  # fmt: skip

BLOCKS = Program(
    name="hastie_residual_blocks",
    source="""
import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import make_hastie_10_2

keras.utils.set_random_seed(SEED)
X, y = make_hastie_10_2(6600, random_state=SEED)
X, y = X.astype(np.float32), (y > 0).astype(np.float32)[:, None]
depth, width = 8, 40


class Block(keras.layers.Layer):
    def __init__(self, width):
        super().__init__()
        self.norm = keras.layers.LayerNormalization()
        self.up, self.down = keras.layers.Dense(width), keras.layers.Dense(width)

    def call(self, h):
        return h + self.down(tf.nn.relu(self.up(self.norm(h))))


stem = keras.layers.Dense(width, activation='relu')
blocks = [Block(width) for _ in range(depth)]
head = keras.layers.Dense(1)


def net(x):
    h = stem(x)
    for block in blocks:
        h = block(h)
    return head(h)


net(X[:2])
variables = [v for layer in (stem, *blocks, head) for v in layer.trainable_variables]
optimizer = keras.optimizers.Adam(4e-3)
batches = tf.data.Dataset.from_tensor_slices((X[:6000], y[:6000])).shuffle(6000).repeat(5).batch(64)


@tf.function
def train_step(xb, yb):
    with tf.GradientTape() as tape:
        logits = net(xb)
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=yb, logits=logits))
    grads = tape.gradient(loss, variables)
    optimizer.apply(grads, variables)
    return loss


for step, (xb, yb) in enumerate(batches):
    loss = train_step(xb, yb)
    if step % 100 == 0:
        print(step, loss.numpy())
""",
    score="np.mean((net(X[6000:]).numpy() > 0) == (y[6000:] > 0.5))",
    bar=0.8,
    base=0.5,
    faults=(
        Fault(cause="vanishing_gradient", old="return h + self.down(tf.nn.relu(self.up(self.norm(h))))",
              new="return tf.nn.sigmoid(self.down(tf.nn.sigmoid(self.up(h))))", beside=("init_scale", "saturated_units")),
        Fault(cause="init_scale",
              old="""        self.up, self.down = keras.layers.Dense(width), keras.layers.Dense(width)

    def call(self, h):
        return h + self.down(tf.nn.relu(self.up(self.norm(h))))
""",
              new="""        init = keras.initializers.RandomNormal(stddev=1.0)
        self.up = keras.layers.Dense(width, kernel_initializer=init)
        self.down = keras.layers.Dense(width, kernel_initializer=init)

    def call(self, h):
        return h + self.down(tf.nn.relu(self.up(h)))
""",
              accept=("exploding_gradient",), beside=("learning_rate_too_high",)),
        Fault(cause="frozen_or_disconnected", old="return head(h)", new="return head(tf.stop_gradient(h))"),
        Fault(cause="learning_rate_too_high", old="Adam(4e-3)", new="Adam(1.0)"),
        Fault(cause="optimiser_not_applied", old="    optimizer.apply(grads, variables)\n", new="    optimizer.build(variables)\n"),
        Fault(cause="constant_labels", old="(y > 0).astype", new="(y > -2).astype", certain=True, beside=("missing_class",)),
    ),
)  # fmt: skip

PROGRAMS = (SPIRAL, LINE, BLOCKS)
