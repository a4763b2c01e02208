"""What courses ask for: logistic regression and an MLP of raw variables, a small conv net, characters, residuals."""

from keras_course.diagnostics.corpus import Fault, Program

CELLS = Program(
    name="lecture_logistic_cells",
    source='''
# Assignment 2 - logistic regression with a neural network mindset
# (no Keras layers, only tf.Variable and GradientTape)
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

np.random.seed(SEED)
tf.random.set_seed(SEED)

cells = load_breast_cancer()
diagnosis = cells.target_names[cells.target]
X = cells.data[:, :10]   # the mean values only
X_train, X_test, d_train, d_test = train_test_split(X, diagnosis, test_size=0.3, random_state=SEED)

m_train, m_test = len(X_train), len(X_test)
Y_train = (d_train == 'malignant').astype('float32').reshape(m_train, 1)

mu, sigma = X_train.mean(axis=0), X_train.std(axis=0)
X_train = (X_train - mu) / sigma
X_test = (X_test - mu) / sigma

X_train = tf.constant(X_train, tf.float32)
X_test = tf.constant(X_test, tf.float32)
Y_train = tf.constant(Y_train, tf.float32)


def initialize(dim):
    w = tf.Variable(tf.zeros((dim, 1)), name='w')
    b = tf.Variable(0.0, name='b')
    return w, b


def propagate(w, b, X, Y):
    """Cost of the batch and the gradients of w and b."""
    with tf.GradientTape() as tape:
        A = tf.sigmoid(tf.matmul(X, w) + b)
        A = tf.clip_by_value(A, 1e-7, 1 - 1e-7)
        cost = -tf.reduce_mean(Y * tf.math.log(A) + (1 - Y) * tf.math.log(1 - A))
    dw, db = tape.gradient(cost, [w, b])
    return cost, dw, db


def optimize(w, b, X, Y, num_iterations, learning_rate):
    costs = []
    for i in range(num_iterations):
        cost, dw, db = propagate(w, b, X, Y)
        w.assign_sub(learning_rate * dw)
        b.assign_sub(learning_rate * db)
        if i % 50 == 0:
            costs.append(float(cost))
            print('cost after', i, 'iterations:', float(cost))
    return costs


w, b = initialize(X_train.shape[1])
costs = optimize(w, b, X_train, Y_train, num_iterations=600, learning_rate=0.5)

probability = tf.sigmoid(tf.matmul(X_test, w) + b).numpy()[:, 0]
accuracy = np.mean((probability > 0.5) == (d_test == 'malignant'))
print('test accuracy', accuracy)
''',
    score="accuracy",
    bar=0.9,
    base=0.63,
    faults=(
        Fault(cause="gradient_sign_flipped",
              old="        w.assign_sub(learning_rate * dw)\n        b.assign_sub(learning_rate * db)\n",
              new="        w.assign_add(learning_rate * dw)\n        b.assign_add(learning_rate * db)\n",
              beside=("saturated_units", "exploding_gradient")),
        Fault(cause="loss_broadcast", old=".astype('float32').reshape(m_train, 1)", new=".astype('float32')"),
        Fault(cause="inputs_not_scaled",
              old="X_train = (X_train - mu) / sigma\nX_test = (X_test - mu) / sigma\n", new="",
              beside=("saturated_units", "oscillation", "learning_rate_too_high")),
        Fault(cause="label_encoding", old="Y_train = (d_train == 'malignant').astype('float32').reshape(m_train, 1)",
              new="Y_train = np.where(d_train == 'malignant', 2.0, 1.0).reshape(m_train, 1)",
              beside=("output_range_cannot_reach_targets", "wrong_head_for_labels", "saturated_units")),
        Fault(cause="constant_labels", old="Y_train = (d_train == 'malignant')",
              new="Y_train = (d_train == 'M')", beside=("label_encoding", "missing_class")),
        Fault(cause="optimiser_not_applied",
              old="        w.assign_sub(learning_rate * dw)\n        b.assign_sub(learning_rate * db)\n",
              new="        new_w = w - learning_rate * dw\n        new_b = b - learning_rate * db\n",
              beside=("frozen_or_disconnected",), tag="copy"),
    ),
    seeds=3,
)  # fmt: skip

FLOWER = Program(
    name="lecture_flower_deep_mlp",
    source='''
"""
Problem set 3: a deep network by hand.
Part A  initialisation        Part B  forward pass        Part C  mini-batches with momentum
"""
import numpy as np
import tensorflow as tf

tf.random.set_seed(SEED)
rng = np.random.default_rng(SEED)


def planar_flower(m):
    """Points of a plane, three colours of petals that are twisted."""
    theta = rng.uniform(0, 2 * np.pi, m)
    radius = np.sqrt(rng.uniform(0.05, 1.0, m))
    colour = np.floor(6 * (theta + 0.9 * radius) / (2 * np.pi)).astype(int) % 3
    points = np.stack([radius * np.cos(theta), radius * np.sin(theta)], axis=1) * 1.7
    return (points + 0.04 * rng.normal(size=(m, 2))).astype('float32'), colour.astype('int32')


X_train, y_train = planar_flower(2000)
X_val, y_val = planar_flower(400)
X_test, y_test = planar_flower(1000)

dims = [2, 40, 40, 40, 40, 3]


# Part A
def initialise(dims):
    weights, biases = [], []
    for l, (fan_in, fan_out) in enumerate(zip(dims[:-1], dims[1:]), 1):
        W = tf.random.normal((fan_in, fan_out)) * np.sqrt(2.0 / fan_in)
        b = tf.zeros((fan_out,))
        weights.append(tf.Variable(W, name=f'W{l}'))
        biases.append(tf.Variable(b, name=f'b{l}'))
    return weights, biases


weights, biases = initialise(dims)
velocity = [tf.Variable(tf.zeros_like(p)) for p in weights + biases]
nonlinearity = tf.nn.relu


# Part B
@tf.function
def forward(X):
    A = X
    for W, b in zip(weights[:-1], biases[:-1]):
        A = nonlinearity(A @ W + b)
    return A @ weights[-1] + biases[-1]


# Part C
@tf.function
def step(X, y, learning_rate, beta):
    with tf.GradientTape() as tape:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=forward(X))
        loss = tf.reduce_mean(losses)
    grads = tape.gradient(loss, weights + biases)
    for p, v, g in zip(weights + biases, velocity, grads):
        v.assign(beta * v + g)
        p.assign_sub(learning_rate * v)
    return loss


batch = 50
learning_rate = 0.03
for epoch in range(40):
    order = rng.permutation(len(X_train))
    if epoch == 30:
        learning_rate = 0.005
    for start in range(0, len(order), batch):
        rows = order[start:start + batch]
        loss = step(X_train[rows], y_train[rows], tf.constant(learning_rate), tf.constant(0.9))
    if epoch % 10 == 9:
        val = np.mean(forward(X_val).numpy().argmax(1) == y_val)
        print(f'epoch {epoch + 1}  loss {float(loss):.4f}  validation accuracy {val:.3f}')

test_logits = forward(X_test)
accuracy = np.mean(test_logits.numpy().argmax(1) == y_test)
entropy = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y_test, logits=test_logits))
explained = 1 - float(entropy) / np.log(3)   # 0: as good as guessing, 1: certain and right
print(f'test accuracy {accuracy:.3f}, explained {explained:.3f}')
''',
    score="explained",
    bar=0.8,
    base=0.0,
    faults=(
        Fault(cause="symmetric_or_zero_init",
              old="W = tf.random.normal((fan_in, fan_out)) * np.sqrt(2.0 / fan_in)",
              new="W = tf.ones((fan_in, fan_out)) / fan_in", beside=("underfitting_capacity",)),
        Fault(cause="init_scale", old="W = tf.random.normal((fan_in, fan_out)) * np.sqrt(2.0 / fan_in)",
              new="W = tf.random.normal((fan_in, fan_out)) * 0.005", beside=("vanishing_gradient",), tag="small"),
        Fault(cause="vanishing_gradient", old="nonlinearity = tf.nn.relu\n", new="nonlinearity = tf.nn.sigmoid\n",
              beside=("saturated_units",)),
        Fault(cause="exploding_gradient", old="loss = tf.reduce_mean(losses)\n",
              new="loss = tf.reduce_sum(losses)\n", accept=("learning_rate_too_high",),
              beside=("dead_units", "oscillation", "nan_or_inf_in_data")),
        Fault(cause="probabilities_to_logits_loss", old="    return A @ weights[-1] + biases[-1]\n",
              new="    return tf.nn.softmax(A @ weights[-1] + biases[-1])\n"),
        Fault(cause="missing_nonlinearity", old="        A = nonlinearity(A @ W + b)\n", new="        A = A @ W + b\n",
              beside=("underfitting_capacity",)),
        Fault(cause="dead_units", old="        b = tf.zeros((fan_out,))\n",
              new="        b = tf.fill((fan_out,), -5.0)\n",
              beside=("input_ignored", "init_scale", "vanishing_gradient")),
    ),
    seeds=3,
)  # fmt: skip

CONVNET = Program(
    name="lecture_convnet_noisy_digits",
    source='''
# Lab 5: Convolutional networks. Complete the cells below; aim at more than 90 % on the test set.
import keras
import numpy as np
from keras.layers import BatchNormalization, Conv2D, Dense, Flatten, Input, MaxPooling2D, ReLU
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(SEED)

# %% data
images, labels = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8, 1).astype('float32') / 16.
images = images + 0.15 * np.random.normal(size=images.shape)
Y = keras.utils.to_categorical(labels, 10)

X_train, X_test, Y_train, Y_test = train_test_split(images, Y, test_size=0.25, random_state=SEED)
X_train, X_val, Y_train, Y_val = train_test_split(X_train, Y_train, test_size=0.15, random_state=SEED)

# %% model
model = keras.Sequential(name='lab5')
model.add(Input((8, 8, 1)))
model.add(Conv2D(16, 3, padding='same', name='conv_1'))
model.add(BatchNormalization(momentum=0.9, name='bn_1'))
model.add(ReLU())
model.add(Conv2D(32, 3, padding='same', name='conv_2'))
model.add(BatchNormalization(momentum=0.9, name='bn_2'))
model.add(ReLU())
model.add(MaxPooling2D(2))
model.add(Flatten())
model.add(Dense(48, activation='relu', name='fc'))
model.add(Dense(10, activation='softmax', name='out'))

# %% training
sgd = keras.optimizers.SGD(learning_rate=0.02, momentum=0.9)
model.compile(optimizer=sgd, loss='categorical_crossentropy', metrics=['accuracy'])
history = model.fit(X_train, Y_train, validation_data=(X_val, Y_val), epochs=8, batch_size=32, verbose=0)

# %% evaluation
loss, acc = model.evaluate(X_test, Y_test, verbose=0)
print('Test accuracy: %.3f' % acc)
''',
    score="acc",
    bar=0.91,
    base=0.1,
    faults=(
        Fault(cause="batchnorm_mode", old="BatchNormalization(momentum=0.9, name='bn_1')",
              new="BatchNormalization(momentum=0.99999, name='bn_1')", layer=("bn_1",),
              beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="wrong_head_for_labels", old="Dense(10, activation='softmax', name='out')",
              new="Dense(10, activation='tanh', name='out')", layer=("out",),
              accept=("logits_to_probability_loss",),
              beside=("saturated_units", "output_range_cannot_reach_targets")),
        Fault(cause="labels_shuffled_apart", old="Y = keras.utils.to_categorical(labels, 10)\n",
              new="np.random.shuffle(images)\nY = keras.utils.to_categorical(labels, 10)\n",
              beside=("label_noise", "overfitting")),
        Fault(cause="oscillation", old="SGD(learning_rate=0.02, momentum=0.9)",
              new="SGD(learning_rate=1.5, momentum=0.95)", accept=("learning_rate_too_high",),
              beside=("exploding_gradient", "dead_units")),
        Fault(cause="inputs_drowned_in_noise", old="images = images + 0.15 * np", new="images = images + 3.0 * np",
              beside=("overfitting",)),
        Fault(cause="dead_units", old="model.add(Dense(48, activation='relu', name='fc'))",
              new="model.add(Dense(48, activation='relu', bias_initializer=keras.initializers.Constant(-20.), "
              "name='fc'))", layer=("fc",),
              beside=("input_ignored", "init_scale", "vanishing_gradient", "frozen_or_disconnected")),
    ),
    seeds=3,
)  # fmt: skip

CHARS = Program(
    name="lecture_char_rnn_timetable",
    source='''
# CS course, homework 4: a recurrent network that reads announcements letter by letter.
import keras
import numpy as np

keras.utils.set_random_seed(SEED)
random = np.random.RandomState(SEED)

KIND = ['train', 'night train', 'bus', 'ferry']
PLACE = ['arden', 'belmont', 'carrow', 'dunmere', 'eastgate', 'farley', 'glenmoor', 'harwick']
VERB = ['leaves at', 'arrives at', 'is late by', 'waits until']


def announcement():
    a, b = random.choice(PLACE, 2, replace=False)
    when = '%d:%d0' % (random.randint(1, 24), random.randint(0, 6))
    return 'the %s from %s to %s %s %s. ' % (random.choice(KIND), a, b, random.choice(VERB), when)


text = ''.join(announcement() for _ in range(900))
chars = sorted(set(text))
char_to_ix = {ch: i for i, ch in enumerate(chars)}
ids = np.array([char_to_ix[ch] for ch in text])
vocab_size = len(chars)
print('data has %d characters, %d unique.' % (len(text), vocab_size))

seq_length = 30
usable = (len(ids) - 1) // seq_length * seq_length
inputs = ids[:usable].reshape(-1, seq_length)
targets = ids[1:usable + 1].reshape(-1, seq_length)
n_train = int(0.8 * len(inputs))
n_val = int(0.9 * len(inputs))

hidden_size = 64
model = keras.Sequential([
    keras.Input((seq_length,), dtype='int32'),
    keras.layers.Embedding(vocab_size, 16, name='letters'),
    keras.layers.SimpleRNN(hidden_size, return_sequences=True, recurrent_initializer='orthogonal', name='rnn'),
    keras.layers.Dense(vocab_size, name='next_letter'),
])
model.compile(
    optimizer=keras.optimizers.Adam(0.005, clipnorm=1.0),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=['accuracy'])
model.fit(inputs[:n_train], targets[:n_train], epochs=10, batch_size=32,
          validation_data=(inputs[n_train:n_val], targets[n_train:n_val]), verbose=0)

guess = model.predict(inputs[n_val:], verbose=0).argmax(axis=-1)
hit = (guess == targets[n_val:]).mean()
print('next letters guessed', hit)
''',
    score="hit",
    bar=0.7,
    base=0.16,
    faults=(
        Fault(cause="exploding_gradient",
              old="hidden_size, return_sequences=True, recurrent_initializer='orthogonal', name='rnn'",
              new="hidden_size, activation='relu', return_sequences=True, "
              "recurrent_initializer=keras.initializers.Orthogonal(gain=3.0), name='rnn'", layer=("rnn",),
              accept=("init_scale",), beside=("nan_or_inf_in_data",)),
        Fault(cause="underfitting_capacity", old="hidden_size = 64\n", new="hidden_size = 2\n", layer=("rnn",)),
        Fault(cause="learning_rate_too_high", old="Adam(0.005, clipnorm=1.0)", new="Adam(1.0)",
              beside=("saturated_units", "oscillation", "exploding_gradient")),
        Fault(cause="saturated_units", old="return_sequences=True, recurrent_initializer='orthogonal',",
              new="return_sequences=True, kernel_initializer=keras.initializers.RandomNormal(stddev=30.0), "
              "recurrent_initializer=keras.initializers.RandomNormal(stddev=30.0),",
              layer=("rnn",), accept=("init_scale",), beside=("vanishing_gradient", "exploding_gradient")),
    ),
    seeds=3,
)  # fmt: skip

RESIDUAL = Program(
    name="lecture_residual_runoff",
    source='''
"""Exercise sheet 7, task 2: twelve residual blocks with a warm-up of the learning rate, on a simulated catchment."""
import math

import keras
import numpy as np
from keras import layers, ops

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

# catchment: rain, slope, soil, area, forest, wetness -> peak runoff in litres per second
n = 2600
rain = rng.gamma(3.0, 12.0, n)
slope = rng.uniform(0, 0.4, n)
soil = rng.uniform(0.1, 0.9, n)
area = rng.lognormal(1.0, 0.3, n)
forest = rng.uniform(0, 1, n)
wet = rng.uniform(0, 1, n)
store = 50 * soil * (1 - wet) * (1 + 0.5 * forest)
excess = np.maximum(rain - store, 0) ** 2 / (np.maximum(rain - store, 0) + 15)
peak = 100 * excess * area ** 0.8 * (0.5 + 2 * slope) * np.exp(0.1 * rng.normal(size=n))
X = np.stack([rain, slope, soil, area, forest, wet], axis=1)

X = (X - X[:2000].mean(axis=0)) / X[:2000].std(axis=0)
location, scale = peak[:2000].mean(), peak[:2000].std()
Y = (peak - location) / scale
X_train, X_val, X_test = X[:1700], X[1700:2000], X[2000:]
Y_train, Y_val, Y_test = Y[:1700], Y[1700:2000], Y[2000:]

depth, width = 12, 32
epochs, batch_size = 20, 50
steps = epochs * math.ceil(len(X_train) / batch_size)


@keras.saving.register_keras_serializable()
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, peak, warm, total):
        self.peak, self.warm, self.total = peak, warm, total

    def __call__(self, step):
        step = ops.cast(step, 'float32')
        rise = (step + 1) / self.warm
        fall = (self.total - step) / (self.total - self.warm)
        return self.peak * ops.maximum(ops.minimum(rise, fall), 0.0)

    def get_config(self):
        return {'peak': self.peak, 'warm': self.warm, 'total': self.total}


def block(h, k):
    z = layers.LayerNormalization(name=f'norm_{k}')(h)
    z = layers.Dense(width, activation='relu', name=f'up_{k}')(z)
    z = layers.Dense(width, name=f'down_{k}')(z)
    return layers.Add(name=f'sum_{k}')([h, 0.3 * z])


inputs = keras.Input((6,))
h = layers.Dense(width, name='stem')(inputs)
for k in range(depth):
    h = block(h, k)
outputs = layers.Dense(1, name='peak')(layers.LayerNormalization(name='last_norm')(h))
net = keras.Model(inputs, outputs)
net.compile(keras.optimizers.Adam(WarmUp(2e-3, 0.1 * steps, steps)), loss='mse')
net.fit(X_train, Y_train, validation_data=(X_val, Y_val), epochs=epochs, batch_size=batch_size, verbose=0)

estimate = net.predict(X_test, verbose=0)[:, 0]
nse = 1 - np.sum((estimate - Y_test) ** 2) / np.sum((Y_test - Y_test.mean()) ** 2)
print('Nash-Sutcliffe efficiency', nse)
''',
    score="nse",
    bar=0.85,
    base=0.0,
    faults=(
        Fault(cause="lr_schedule_wrong", old="WarmUp(2e-3, 0.1 * steps, steps)",
              new="WarmUp(2e-3, 40000, 400000)", beside=("learning_rate_too_low", "too_few_steps")),
        Fault(cause="vanishing_gradient",
              old="    z = layers.LayerNormalization(name=f'norm_{k}')(h)\n"
              "    z = layers.Dense(width, activation='relu', name=f'up_{k}')(z)\n"
              "    z = layers.Dense(width, name=f'down_{k}')(z)\n"
              "    return layers.Add(name=f'sum_{k}')([h, 0.3 * z])\n",
              new="    z = layers.Dense(width, activation='sigmoid', name=f'up_{k}')(h)\n"
              "    return layers.Dense(width, activation='sigmoid', name=f'down_{k}')(z)\n",
              beside=("saturated_units", "input_ignored")),
        Fault(cause="input_ignored",
              old="outputs = layers.Dense(1, name='peak')(layers.LayerNormalization(name='last_norm')(h))\n",
              new="outputs = layers.LayerNormalization(name='last_norm')(layers.Dense(1, name='peak')(h))\n",
              layer=("last_norm",), beside=("frozen_or_disconnected", "output_range_cannot_reach_targets")),
        Fault(cause="targets_not_scaled", old="location, scale = peak[:2000].mean(), peak[:2000].std()\n",
              new="location, scale = 0.0, 1.0\n", beside=("too_few_steps", "learning_rate_too_low")),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [CELLS, FLOWER, CONVNET, CHARS, RESIDUAL]
