"""Code of 2016 to 2018 brought to Keras 3: a convnet of raw variables on dice, a recurrent net on tunes."""

from keras_course.diagnostics.corpus import Fault, Program

DICE = Program(
    name="upgrade_dice_faces",
    source='''
# dice_convnet.py -- reads the camera above the dice tray.
# 2016: tensorflow 0.12, placeholders and a Session.  2024: same network, eager + tf.function.
from __future__ import absolute_import, division, print_function

import math
import time
import numpy as np
import tensorflow as tf

np.random.seed(SEED)
tf.random.set_seed(SEED)

IMG = 16
NUM_CLASSES = 6
BATCH_SIZE = 50
MAX_STEPS = 700
BASE_LR = 0.05

PIPS = {1: [(0, 0)], 2: [(-1, -1), (1, 1)], 3: [(-1, -1), (0, 0), (1, 1)],
        4: [(-1, -1), (-1, 1), (1, -1), (1, 1)], 5: [(-1, -1), (-1, 1), (1, -1), (1, 1), (0, 0)],
        6: [(-1, -1), (-1, 0), (-1, 1), (1, -1), (1, 0), (1, 1)]}


def render(face):
    angle = np.random.uniform(0, 2 * math.pi)
    yy, xx = np.mgrid[:IMG, :IMG] - (IMG - 1) / 2.0
    img = np.random.uniform(25, 60) + np.zeros((IMG, IMG))
    dx, dy = np.random.normal(0, 0.6, 2)
    for u, v in PIPS[face]:
        px = 4.3 * (u * math.cos(angle) - v * math.sin(angle)) + dx
        py = 4.3 * (u * math.sin(angle) + v * math.cos(angle)) + dy
        img += np.random.uniform(150, 200) * np.exp(-((xx - px) ** 2 + (yy - py) ** 2) / 1.8)
    return np.clip(img + np.random.normal(0, 22, img.shape), 0, 255)


def make_dice(n):
    faces = np.random.randint(1, 7, n)
    images = np.stack([render(f) for f in faces])[..., np.newaxis]
    return images.astype(np.float32) / 255., faces - 1


train_images, train_labels = make_dice(3000)
test_images, test_labels = make_dice(600)


def weight_variable(shape):
    fan_in = np.prod(shape[:-1])
    return tf.Variable(tf.random.truncated_normal(shape, stddev=math.sqrt(2.0 / fan_in)))


def bias_variable(shape):
    return tf.Variable(tf.constant(0.1, shape=shape))


W_conv1, b_conv1 = weight_variable([5, 5, 1, 8]), bias_variable([8])
W_conv2, b_conv2 = weight_variable([3, 3, 8, 16]), bias_variable([16])
W_fc1, b_fc1 = weight_variable([4 * 4 * 16, 48]), bias_variable([48])
W_fc2, b_fc2 = weight_variable([48, NUM_CLASSES]), bias_variable([NUM_CLASSES])
variables = [W_conv1, b_conv1, W_conv2, b_conv2, W_fc1, b_fc1, W_fc2, b_fc2]


def inference(images, keep_prob):
    h = tf.nn.relu(tf.nn.conv2d(images, W_conv1, strides=1, padding='SAME') + b_conv1)
    h = tf.nn.max_pool2d(h, 2, 2, 'SAME')
    h = tf.nn.relu(tf.nn.conv2d(h, W_conv2, strides=1, padding='SAME') + b_conv2)
    h = tf.nn.max_pool2d(h, 2, 2, 'SAME')
    h = tf.reshape(h, [-1, 4 * 4 * 16])
    h = tf.nn.relu(tf.matmul(h, W_fc1) + b_fc1)
    h = tf.nn.dropout(h, 1 - keep_prob)
    return tf.matmul(h, W_fc2) + b_fc2


@tf.function
def train_step(images, labels, keep_prob, lr):
    with tf.GradientTape() as tape:
        logits = inference(images, keep_prob)
        one_hot = tf.one_hot(labels, NUM_CLASSES)
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=one_hot, logits=logits))
    for var, grad in zip(variables, tape.gradient(loss, variables)):
        var.assign_sub(lr * grad)
    return loss


start = time.time()
for step in range(MAX_STEPS):
    lr = BASE_LR * 0.75 ** (step / 100)        # was tf.train.exponential_decay
    picked = np.random.randint(0, len(train_images), BATCH_SIZE)
    loss_value = train_step(tf.constant(train_images[picked]), tf.constant(train_labels[picked]),
                            tf.constant(0.7), tf.constant(lr, tf.float32))
    if step % 100 == 0 or step == MAX_STEPS - 1:
        correct = np.argmax(inference(test_images, tf.constant(1.0)).numpy(), 1) == test_labels
        print('step %d: loss = %.3f, test accuracy %.3f (%.1f sec)' % (step, loss_value, correct.mean(), time.time() - start))

precision = correct.mean()
''',
    score="precision",
    bar=0.8,
    base=1 / 6,
    faults=(
        Fault(cause="symmetric_or_zero_init", old="tf.random.truncated_normal(shape, stddev=math.sqrt(2.0 / fan_in))",
              new="tf.constant(math.sqrt(2.0 / fan_in) / 4, shape=shape, dtype=tf.float32)"),
        Fault(cause="init_scale", old="tf.random.truncated_normal(shape, stddev=math.sqrt(2.0 / fan_in))",
              new="tf.random.truncated_normal(shape)"),
        Fault(cause="optimiser_not_applied", old="        var.assign_sub(lr * grad)\n", new="        var = var - lr * grad\n"),
        Fault(cause="gradient_sign_flipped", old="        var.assign_sub(lr * grad)\n", new="        var.assign_add(lr * grad)\n",
              beside=("learning_rate_too_high",)),
        Fault(cause="wrong_head_for_labels", old="tf.one_hot(labels, NUM_CLASSES)", new="tf.cast(labels[:, tf.newaxis], tf.float32)",
              accept=("label_encoding",), beside=("wrong_loss_for_task",)),
        Fault(cause="probabilities_to_logits_loss", old="    return tf.matmul(h, W_fc2) + b_fc2\n",
              new="    return tf.nn.softmax(tf.matmul(h, W_fc2) + b_fc2)\n"),
        Fault(cause="inputs_scaled_twice", old="tf.nn.conv2d(images, W_conv1,", new="tf.nn.conv2d(images / 255., W_conv1,",
              beside=("inputs_not_scaled",)),
        Fault(cause="dropout_mode", old="tf.nn.dropout(h, 1 - keep_prob)", new="tf.nn.dropout(h, keep_prob)"),
        Fault(cause="overfitting", old="make_dice(3000)", new="make_dice(60)"),
        Fault(cause="lr_schedule_wrong", old="0.75 ** (step / 100) ", new="0.75 ** step ",
              beside=("too_few_steps", "learning_rate_too_low")),
    ),
    seeds=3,
)  # fmt: skip

TUNES = Program(
    name="upgrade_fiddle_tunes",
    source='''
# Which dance is this tune for?  IRNN after Le, Jaitly & Hinton (the old Keras 1 example, mnist_irnn.py)
# TODO: tune books from the archive; until then tunes are written by rule.
# Ported: nb_epoch -> epochs, init -> kernel_initializer, inner_init -> recurrent_initializer, np_utils -> keras.utils
import numpy as np
import keras
from keras.models import Sequential
from keras.layers import Dense, Activation, SimpleRNN, TimeDistributed
from keras import initializers
from keras.optimizers import SGD

np.random.seed(SEED)
keras.utils.set_random_seed(SEED)

nb_epoch = 11
batch_size = 32
hidden_units = 32
learning_rate = 0.005
clip_norm = 0.5
maxlen = 32

DANCES = ['reel', 'jig', 'waltz', 'polka']
RHYTHM = {'reel': [1, 1, 1, 1], 'jig': [1.5, .5, 1], 'waltz': [2, 1, 1], 'polka': [1, .5, .5]}
LEAP = {'reel': 2.2, 'jig': 2.0, 'waltz': 3.0, 'polka': 2.4}


def tune(dance):
    pattern = RHYTHM[dance]
    at = np.random.randint(len(pattern))
    pitch, notes = np.random.randint(60, 76), []
    for i in range(maxlen):
        length = pattern[(at + i) % len(pattern)]
        if np.random.rand() < 0.3:
            length = np.random.choice([.5, 1, 1.5, 2])
        if np.random.rand() < 0.02:
            length = 0                       # grace note
        pitch = int(np.clip(pitch + np.round(np.random.normal(0, LEAP[dance])), 55, 84))
        notes.append((pitch, length))
    return notes


tunes, labels = [], []
for dance in DANCES:
    for _ in range(440):
        tunes.append(tune(dance))
        labels.append(DANCES.index(dance))
tunes = np.array(tunes, dtype='float32')

X = np.zeros((len(tunes), maxlen, 2), dtype='float32')
X[:, :, 0] = (tunes[:, :, 0] - 68) / 7
X[:, :, 1] = np.log2(np.maximum(tunes[:, :, 1], 0.25))
Y = keras.utils.to_categorical(labels, len(DANCES))

perm = np.random.permutation(len(X))
X, Y = X[perm], Y[perm]

print('Build IRNN...')
model = Sequential()
model.add(keras.Input(shape=(maxlen, 2)))
model.add(TimeDistributed(Dense(16, activation='tanh', kernel_initializer=initializers.RandomNormal(stddev=0.7), name='note'), name='notes'))
model.add(SimpleRNN(hidden_units,
                    kernel_initializer=initializers.RandomNormal(stddev=0.1),
                    recurrent_initializer=initializers.Identity(),
                    activation='relu', name='irnn'))
model.add(Dense(len(DANCES), name='dance'))
model.add(Activation('softmax'))
model.compile(loss='categorical_crossentropy',
              optimizer=SGD(learning_rate=learning_rate, momentum=0.9, clipnorm=clip_norm),
              metrics=['accuracy'])

hist = model.fit(X, Y, batch_size=batch_size, epochs=nb_epoch, verbose=2, validation_split=0.25)

val_acc = hist.history['val_accuracy'][-1]
print('IRNN validation accuracy:', val_acc)
''',
    score="val_acc",
    bar=0.75,
    base=0.25,
    faults=(
        Fault(cause="validation_split_sorted", old="np.random.permutation(len(X))", new="np.arange(len(X))",
              beside=("missing_class", "data_sorted")),
        Fault(cause="learning_rate_too_low", old="learning_rate = 0.005", new="learning_rate = 0.000006",
              beside=("too_few_steps",)),
        Fault(cause="oscillation", old="learning_rate = 0.005", new="learning_rate = 0.08", accept=("learning_rate_too_high",)),
        Fault(cause="exploding_gradient", old=", momentum=0.9, clipnorm=clip_norm", new=", momentum=0.9",
              accept=("learning_rate_too_high",), layer=("irnn",)),
        Fault(cause="leakage_duplicates", old="perm = np.random.permutation(len(X))\n",
              new="X, Y = np.repeat(X, 2, axis=0), np.repeat(Y, 2, axis=0)\nperm = np.random.permutation(len(X))\n", certain=True),
        Fault(cause="labels_shuffled_apart", old="perm = np.random.permutation(len(X))\nX, Y = X[perm], Y[perm]\n",
              new="np.random.shuffle(X)\nnp.random.shuffle(Y)\n", beside=("label_noise",)),
        Fault(cause="nan_or_inf_in_data", old="np.log2(np.maximum(tunes[:, :, 1], 0.25))", new="np.log2(tunes[:, :, 1])"),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (DICE, TUNES)
