"""Loops by hand: plain variables, eager and in a graph, and Keras models under a tape."""

from keras_course.diagnostics.corpus import Fault, Program

VARIABLES = Program(
    name="two_layers_by_hand",
    source="""
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

x, y = load_digits(return_X_y=True)
x = x.astype("float32") / 16
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=SEED)
onehot = np.eye(10, dtype="float32")[y_train]

w1 = tf.Variable(tf.random.normal([64, 50], stddev=0.17), name="w1")
b1 = tf.Variable(tf.zeros([50]), name="b1")
w2 = tf.Variable(tf.random.normal([50, 10], stddev=0.2), name="w2")
b2 = tf.Variable(tf.zeros([10]), name="b2")


def forward(images):
    hidden = tf.nn.relu(images @ w1 + b1)
    return hidden @ w2 + b2


rng = np.random.default_rng(SEED)
for step in range(250):
    rows = rng.integers(len(x_train), size=64)
    with tf.GradientTape() as tape:
        logits = forward(x_train[rows])
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=onehot[rows], logits=logits))
    gradients = tape.gradient(loss, [w1, b1, w2, b2])
    for variable, gradient in zip([w1, b1, w2, b2], gradients):
        variable.assign_sub(0.5 * gradient)
    if step % 50 == 0:
        print(step, float(loss))
print("accuracy", np.mean(forward(x_test).numpy().argmax(1) == y_test))
""",
    score="np.mean(forward(x_test).numpy().argmax(1) == y_test)",
    bar=0.92,
    base=0.1,
    faults=(
        Fault(
            cause="gradient_sign_flipped",
            old="variable.assign_sub(0.5 * gradient)",
            new="variable.assign_add(0.5 * gradient)",
        ),
        Fault(
            cause="optimiser_not_applied",
            old="variable.assign_sub(0.5 * gradient)",
            new="variable = variable - 0.5 * gradient",
        ),
        Fault(
            cause="probabilities_to_logits_loss",
            old="return hidden @ w2 + b2",
            new="return tf.nn.softmax(tf.nn.softmax(hidden @ w2 + b2))",
        ),
        Fault(cause="learning_rate_too_high", old="assign_sub(0.5 *", new="assign_sub(200 *"),
        Fault(cause="learning_rate_too_low", old="assign_sub(0.5 *", new="assign_sub(1e-5 *"),
        Fault(
            cause="symmetric_or_zero_init",
            old="""w1 = tf.Variable(tf.random.normal([64, 50], stddev=0.17), name="w1")
b1 = tf.Variable(tf.zeros([50]), name="b1")
w2 = tf.Variable(tf.random.normal([50, 10], stddev=0.2), name="w2")""",
            new="""w1 = tf.Variable(tf.zeros([64, 50]), name="w1")
b1 = tf.Variable(tf.zeros([50]), name="b1")
w2 = tf.Variable(tf.zeros([50, 10]), name="w2")""",
        ),
        Fault(
            cause="labels_shuffled_apart",
            old="labels=onehot[rows]",
            new="labels=onehot[rng.permutation(rows)]",
            accept=("label_noise",),
        ),
        Fault(
            cause="data_sorted",
            old="rows = rng.integers(len(x_train), size=64)",
            new="rows = np.argsort(y_train)[(np.arange(64) + 64 * step) % len(y_train)]",
        ),
        Fault(
            cause="dead_units",
            old="b1 = tf.Variable(tf.zeros([50])",
            new="b1 = tf.Variable(tf.fill([50], -8.0)",
            accept=("init_scale",),
        ),
        Fault(
            cause="inputs_drowned_in_noise",
            old="logits = forward(x_train[rows])",
            new='logits = forward(x_train[rows] + rng.normal(0, 4, (64, 64)).astype("float32"))',
        ),
        Fault(
            cause="frozen_or_disconnected",
            old="return hidden @ w2 + b2",
            new="return tf.stop_gradient(hidden @ w2) + b2",
        ),
        Fault(
            cause="constant_labels",
            old='onehot = np.eye(10, dtype="float32")[y_train]',
            new='onehot = np.eye(10, dtype="float32")[y_train * 0]',
        ),
    ),
    pairs=(
        ("gradient_sign_flipped", "labels_shuffled_apart"),
        ("optimiser_not_applied", "symmetric_or_zero_init"),
    ),
)

DEEP = Program(
    name="deep_relu_graph",
    source="""
import tensorflow as tf
import numpy as np
from sklearn.datasets import load_digits

data, target = load_digits(return_X_y=True)
data = ((data - data.mean()) / data.std()).astype(np.float32)
train_x, train_y = tf.constant(data[:1400]), tf.constant(target[:1400])
test_x, test_y = data[1400:], target[1400:]

sizes = [64, 100, 100, 100, 100, 100, 100, 10]
scales = [np.sqrt(2 / n) for n in sizes]
weights = [tf.Variable(tf.random.normal([a, b]) * s) for a, b, s in zip(sizes, sizes[1:], scales)]
biases = [tf.Variable(tf.zeros(b)) for b in sizes[1:]]
learning_rate = 0.02


def model(x):
    for w, b in zip(weights[:-1], biases[:-1]):
        x = tf.nn.relu(tf.matmul(x, w) + b)
    return tf.matmul(x, weights[-1]) + biases[-1]


@tf.function
def train_step(x, y):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=model(x)))
    for v, g in zip(weights + biases, tape.gradient(loss, weights + biases)):
        v.assign_sub(learning_rate * g)
    return loss


dataset = tf.data.Dataset.from_tensor_slices((train_x, train_y)).shuffle(1400, seed=SEED).batch(50).repeat(10)
for x, y in dataset:
    loss = train_step(x, y)
print("last loss", float(loss))
""",
    score="np.mean(model(test_x).numpy().argmax(1) == test_y)",
    bar=0.85,
    base=0.1,
    faults=(
        Fault(
            cause="init_scale",
            tag="large",
            old="scales = [np.sqrt(2 / n) for n in sizes]",
            new="scales = [1.0 for n in sizes]",
            accept=("exploding_gradient",),
            beside=("learning_rate_too_high",),
        ),
        Fault(
            cause="init_scale",
            tag="small",
            old="scales = [np.sqrt(2 / n) for n in sizes]",
            new="scales = [0.01 for n in sizes]",
            accept=("vanishing_gradient",),
        ),
        Fault(
            cause="vanishing_gradient",
            old="x = tf.nn.relu(tf.matmul(x, w) + b)",
            new="x = tf.nn.sigmoid(tf.matmul(x, w) + b)",
            beside=("init_scale",),
        ),
        Fault(cause="learning_rate_too_high", old="learning_rate = 0.02", new="learning_rate = 20."),
        Fault(cause="learning_rate_too_low", old="learning_rate = 0.02", new="learning_rate = 1e-6"),
        Fault(
            cause="symmetric_or_zero_init",
            old="tf.random.normal([a, b]) * s)",
            new="tf.ones([a, b]) / a)",
        ),
        Fault(
            cause="inputs_not_scaled",
            old="data = ((data - data.mean()) / data.std()).astype(np.float32)",
            new="data = data.astype(np.float32) * 1000",
            beside=("exploding_gradient",),
        ),
        Fault(
            cause="nan_or_inf_in_data",
            old="train_x, train_y = ",
            new="data[11] = np.log(data[11] * 0)\ntrain_x, train_y = ",
        ),
    ),
)

REGRESSION = Program(
    name="friedman_tape",
    source="""
import numpy as np
import tensorflow as tf
from sklearn.datasets import make_friedman1

X, t = make_friedman1(1200, noise=0.5, random_state=SEED)
X, t = X.astype("float32"), ((t - t.mean()) / t.std()).astype("float32")
X_train, t_train, X_test, t_test = X[:1000], t[:1000, None], X[1000:], t[1000:]

model = tf.keras.Sequential([
    tf.keras.layers.Dense(32, activation="relu", name="d1"),
    tf.keras.layers.Dense(32, activation="relu", name="d2"),
    tf.keras.layers.Dense(1, name="d3"),
])
optimizer = tf.keras.optimizers.Adam(0.01)
batches = tf.data.Dataset.from_tensor_slices((X_train, t_train)).shuffle(1000, seed=SEED).batch(40)


@tf.function
def step(x, y):
    with tf.GradientTape() as tape:
        prediction = model(x, training=True)
        loss = tf.reduce_mean(tf.square(y - prediction))
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    return loss


for epoch in range(10):
    for x, y in batches:
        loss = step(x, y)
    print("epoch", epoch, "loss", loss.numpy())
""",
    score="1 - np.mean((model(X_test).numpy()[:, 0] - t_test) ** 2) / np.var(t_test)",
    bar=0.8,
    base=0.0,
    faults=(
        Fault(cause="loss_broadcast", old="t[:1000, None]", new="t[:1000]"),
        Fault(
            cause="optimiser_not_applied",
            old="    optimizer.apply_gradients(zip(gradients, model.trainable_variables))\n",
            new="",
        ),
        Fault(cause="gradient_sign_flipped", old="loss = tf.reduce_mean(", new="loss = -tf.reduce_mean("),
        Fault(
            cause="missing_nonlinearity",
            old="""    tf.keras.layers.Dense(32, activation="relu", name="d1"),
    tf.keras.layers.Dense(32, activation="relu", name="d2"),
""",
            new="""    tf.keras.layers.Dense(32, name="d1"),
    tf.keras.layers.Dense(32, name="d2"),
""",
            layer=("d1", "d2"),
        ),
        Fault(
            cause="frozen_or_disconnected",
            old="prediction = model(x, training=True)",
            new="prediction = tf.stop_gradient(model(x, training=True)) + 0 * tf.reduce_sum(model.layers[-1].bias)",
            beside=("optimiser_not_applied",),
        ),
        Fault(
            cause="targets_not_scaled",
            old='((t - t.mean()) / t.std()).astype("float32")',
            new='(1e3 * t).astype("float32")',
        ),
        Fault(
            cause="output_range_cannot_reach_targets",
            old='tf.keras.layers.Dense(1, name="d3")',
            new='tf.keras.layers.Dense(1, activation="relu", name="d3")',
            layer=("d3",),
        ),
        Fault(cause="learning_rate_too_high", old="Adam(0.01)", new="Adam(5.0)"),
        Fault(
            cause="lr_schedule_wrong",
            old="Adam(0.01)",
            new="Adam(tf.keras.optimizers.schedules.PolynomialDecay(0.01, 5, 1e-8))",
        ),
        Fault(
            cause="regularisation_overwhelms",
            old="loss = tf.reduce_mean(tf.square(y - prediction))",
            new="loss = tf.reduce_mean(tf.square(y - prediction)) + 3.0 * sum(tf.nn.l2_loss(v) for v in model.trainable_variables)",
        ),
    ),
    pairs=(("loss_broadcast", "missing_nonlinearity"),),
)

PROGRAMS = (VARIABLES, DEEP, REGRESSION)
