"""Scripts of 2016 to 2018 for the Keras and TensorFlow of then, moved to Keras 3 with little change."""

from keras_course.diagnostics.corpus import Fault, Program

CAPTCHA = Program(
    name="legacy_captcha_letters",
    source="""
# -*- coding: utf-8 -*-
# Captcha letters with a small convnet (Keras 1.2, 2016; only made to run again with Keras 3)
import string

import keras
import numpy as np
import tensorflow as tf
from keras.layers import Activation, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from keras.models import Sequential
from keras.utils import to_categorical

keras.utils.set_random_seed(SEED)
np.random.seed(SEED)

batch_size = 40
nb_classes = 7
nb_epoch = 14
img_rows, img_cols = 16, 16
letters = 'AEHKTXZ'
FONT = {
    'A': '01110 10001 10001 11111 10001 10001 10001',
    'E': '11111 10000 10000 11110 10000 10000 11111',
    'H': '10001 10001 10001 11111 10001 10001 10001',
    'K': '10001 10010 10100 11000 10100 10010 10001',
    'T': '11111 00100 00100 00100 00100 00100 00100',
    'X': '10001 10001 01010 00100 01010 10001 10001',
    'Z': '11111 00001 00010 00100 01000 10000 11111',
}


def captcha(letter):
    glyph = np.array([[int(c) for c in row] for row in FONT[letter].split()])
    glyph = np.kron(glyph, np.ones((np.random.choice([1, 2]), np.random.choice([1, 2]))))
    img = np.full((img_rows, img_cols), np.random.uniform(150, 220))
    r = np.random.randint(0, img_rows - glyph.shape[0] + 1)
    c = np.random.randint(0, img_cols - glyph.shape[1] + 1)
    img[r:r + glyph.shape[0], c:c + glyph.shape[1]] -= np.random.uniform(90, 150) * glyph
    img[np.random.randint(img_rows)] -= 45  # the line through it
    return np.clip(img + np.random.normal(0, 14, img.shape), 0, 255).astype('uint8')


def load_data(per_letter):
    X, y = [], []
    for k, letter in enumerate(letters):
        for _ in range(per_letter):
            X.append(captcha(letter))
            y.append(k)
    return np.array(X)[..., np.newaxis], np.array(y)


(X_train, y_train), (X_test, y_test) = load_data(320), load_data(60)
X_train = X_train.astype('float32')
X_test = X_test.astype('float32')
X_train /= 255
X_test /= 255

idx = np.random.permutation(len(X_train))
X_train, y_train = X_train[idx], y_train[idx]
X_val, y_val = X_train[-640:], y_train[-640:]
X_train, y_train = X_train[:-640], y_train[:-640]

Y_train = to_categorical(y_train, nb_classes)
Y_val = to_categorical(y_val, nb_classes)
Y_test = to_categorical(y_test, nb_classes)

model = Sequential()
model.add(keras.Input((img_rows, img_cols, 1)))
model.add(Conv2D(16, (3, 3), padding='same', name='conv_1'))
model.add(Activation('relu'))
model.add(MaxPooling2D((2, 2)))
model.add(Conv2D(32, (3, 3), padding='same', name='conv_2'))
model.add(Activation('relu'))
model.add(MaxPooling2D((2, 2)))
model.add(Flatten())
model.add(Dense(64, name='fc_1'))
model.add(Activation('relu'))
model.add(Dropout(0.3))
model.add(Dense(nb_classes, name='fc_2'))
model.add(Activation('softmax'))

model.compile(loss='categorical_crossentropy', optimizer=keras.optimizers.Adam(4e-3), metrics=['accuracy'])

datagen = tf.keras.preprocessing.image.ImageDataGenerator(width_shift_range=1, height_shift_range=1, fill_mode='nearest')
model.fit(datagen.flow(X_train, Y_train, batch_size=batch_size), epochs=nb_epoch,
          validation_data=(X_val, Y_val), verbose=2)

score = model.evaluate(X_test, Y_test, verbose=0)
print('Test score:', score[0])
print('Test accuracy:', score[1])
""",
    score="score[1]",
    bar=0.8,
    base=1 / 7,
    faults=(
        Fault(cause="inputs_scaled_twice", old="X_train /= 255\nX_test /= 255\n",
              new="X_train /= 255\nX_test /= 255\nX_train, X_test = X_train / 255, X_test / 255\n",
              beside=("too_few_steps", "learning_rate_too_low", "vanishing_gradient")),
        Fault(cause="validation_split_sorted", old="idx = np.random.permutation(len(X_train))", new="idx = np.arange(len(X_train))",
              accept=("missing_class",), beside=("class_imbalance",)),
        Fault(cause="inputs_not_scaled", old="X_train /= 255\nX_test /= 255\n", new="",
              beside=("dead_units", "learning_rate_too_high")),
        Fault(cause="too_few_steps", old="nb_epoch = 14", new="nb_epoch = 1"),
        Fault(cause="leakage_duplicates", old="X_train, y_train = X_train[:-640], y_train[:-640]\n", new="", certain=True),
        Fault(cause="frozen_or_disconnected", old="model.compile(loss=",
              new="for layer in model.layers[:-1]:\n    layer.trainable = False\nmodel.compile(loss=",
              layer=("conv_1", "conv_2", "fc_1", "fc_2")),
        Fault(cause="dead_units", old="model.add(Dense(64, name='fc_1'))",
              new="model.add(Dense(64, bias_initializer=keras.initializers.Constant(-15), name='fc_1'))",
              layer=("fc_1",), beside=("input_ignored", "frozen_or_disconnected", "init_scale")),
    ),
    seeds=3,
)  # fmt: skip

SEWAGE = Program(
    name="legacy_sewage_outflow",
    source="""
# Outflow of the sewage plant (ammonium, phosphate, turbidity) from the sensors of the inflow.
# Was TensorFlow 1.4 with placeholders and a session; the helpers are still from the MNIST tutorial.
from __future__ import division, print_function

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(SEED)
rng = np.random.RandomState(SEED)

n_rows = 3000
flow = rng.gamma(6, 150, n_rows)               # m3/h
temp = rng.uniform(6, 21, n_rows)              # deg C
nh4_in = rng.normal(38, 9, n_rows)             # mg/l
cod_in = rng.normal(520, 120, n_rows)          # mg/l
oxygen = rng.uniform(0.4, 3.2, n_rows)         # mg/l in the basin
iron = rng.uniform(2, 14, n_rows)              # dosing, l/h
data = np.c_[flow, temp, nh4_in, cod_in, oxygen, iron].astype('float32')

nitrified = 1 / (1 + np.exp(-(0.35 * (temp - 12) + 2.2 * (oxygen - 1.4) - 0.003 * (flow - 900))))
nh4_out = 1000 * (nh4_in * (1 - 0.93 * nitrified) + rng.normal(0, 1.5, n_rows))      # ug/l
po4_out = 60 + 900 * np.exp(-0.4 * iron) * (cod_in / 520) + rng.normal(0, 12, n_rows)   # ug/l
turbidity = 4 + 6 * (flow / 900) ** 1.5 + 3 * np.abs(temp - 13) * (oxygen < 1) + rng.normal(0, 1, n_rows)
target = np.c_[nh4_out, po4_out, turbidity].astype('float32')

shuffled = rng.permutation(n_rows)
train_idx, test_idx = shuffled[:2400], shuffled[2400:]
x_mean, x_std = data[train_idx].mean(0), data[train_idx].std(0)
y_mean, y_std = target[train_idx].mean(0), target[train_idx].std(0)
train_x, test_x = (data[train_idx] - x_mean) / x_std, (data[test_idx] - x_mean) / x_std
train_y, test_y = (target[train_idx] - y_mean) / y_std, (target[test_idx] - y_mean) / y_std

# Parameters
learning_rate = 0.003
training_epochs = 25
batch_size = 50
keep_prob = 0.95
beta = 1e-5
jitter = 0.02  # the sensors tremble
layer_sizes = [6, 48, 48, 48, 3]
activation = tf.nn.relu


def weight_variable(shape, name):
    return tf.Variable(tf.random.truncated_normal(shape, stddev=np.sqrt(2.0 / shape[0])), name=name)


def bias_variable(shape, name):
    return tf.Variable(tf.constant(0.05, shape=shape), name=name)


weights = [weight_variable([a, b], 'W%d' % i) for i, (a, b) in enumerate(zip(layer_sizes[:-1], layer_sizes[1:]))]
biases = [bias_variable([b], 'b%d' % i) for i, b in enumerate(layer_sizes[1:])]


def multilayer_perceptron(x, keep):
    layer = x
    for W, b in zip(weights[:-1], biases[:-1]):
        layer = activation(tf.matmul(layer, W) + b)
        layer = tf.nn.dropout(layer, rate=1 - keep)
    return tf.matmul(layer, weights[-1]) + biases[-1]


optimizer = keras.optimizers.Adam(learning_rate)


@tf.function
def train_step(x, y):
    with tf.GradientTape() as tape:
        pred = multilayer_perceptron(x, keep_prob)
        cost = tf.reduce_mean(tf.square(pred - y))
        cost += beta * tf.add_n([tf.nn.l2_loss(W) for W in weights])
    grads = tape.gradient(cost, weights + biases)
    optimizer.apply(grads, weights + biases)
    return cost


for epoch in range(training_epochs):
    avg_cost = 0.
    perm = rng.permutation(len(train_x))
    total_batch = len(train_x) // batch_size
    for i in range(total_batch):
        rows = perm[i * batch_size:(i + 1) * batch_size]
        noise = rng.normal(0, jitter, (batch_size, 6)).astype('float32')
        avg_cost += float(train_step(train_x[rows] + noise, train_y[rows])) / total_batch
    if epoch % 3 == 0:
        print('Epoch:', '%04d' % (epoch + 1), 'cost =', '{:.5f}'.format(avg_cost))

print('Optimization Finished!')
out = multilayer_perceptron(test_x, 1.0).numpy() * y_std + y_mean
real = target[test_idx]
r2 = 1 - ((out - real) ** 2).mean(0) / real.var(0)
print('R2 NH4, PO4, turbidity:', r2)
""",
    score="max(r2.mean(), -1.0) if np.isfinite(r2).all() else -1.0",
    bar=0.85,
    base=0.0,
    faults=(
        Fault(cause="targets_not_scaled", old="y_mean, y_std = target[train_idx].mean(0), target[train_idx].std(0)",
              new="y_mean, y_std = np.zeros(3, 'float32'), np.ones(3, 'float32')", beside=("too_few_steps", "exploding_gradient")),
        Fault(cause="output_range_cannot_reach_targets", old="    return tf.matmul(layer, weights[-1]) + biases[-1]",
              new="    return tf.nn.sigmoid(tf.matmul(layer, weights[-1]) + biases[-1])", beside=("saturated_units",)),
        Fault(cause="vanishing_gradient", old="layer_sizes = [6, 48, 48, 48, 3]\nactivation = tf.nn.relu",
              new="layer_sizes = [6] + 10 * [48] + [3]\nactivation = tf.nn.sigmoid", beside=("init_scale", "input_ignored")),
        Fault(cause="missing_nonlinearity", old="        layer = activation(tf.matmul(layer, W) + b)",
              new="        layer = tf.matmul(layer, W) + b", beside=("underfitting_capacity",)),
        Fault(cause="wrong_loss_for_task", old="tf.reduce_mean(tf.square(pred - y))",
              new="tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=pred))",
              beside=("output_range_cannot_reach_targets",)),
        Fault(cause="init_scale", old="stddev=np.sqrt(2.0 / shape[0])", new="stddev=8.0",
              beside=("exploding_gradient", "too_few_steps")),
        Fault(cause="dropout_mode", old="out = multilayer_perceptron(test_x, 1.0)",
              new="out = multilayer_perceptron(test_x, keep_prob)", certain=True),
        Fault(cause="inputs_drowned_in_noise", old="jitter = 0.02", new="jitter = 2.0"),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (CAPTCHA, SEWAGE)
