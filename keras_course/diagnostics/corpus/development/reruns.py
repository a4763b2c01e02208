"""Old code that was made to run again: a port from TF1, a custom step, train_on_batch, a generator."""

from keras_course.diagnostics.corpus import Fault, Program

ALARM = Program(
    name="rerun_alarm_from_tf1",
    source="""
# ported from tf.Session code of 2017: placeholders became arguments, everything else is as it was
import math

import numpy as np
import tensorflow as tf
from sklearn.datasets import make_gaussian_quantiles
from sklearn.model_selection import train_test_split

tf.random.set_seed(SEED)
np.random.seed(SEED)

FLAGS = dict(
    hidden1=32,
    hidden2=16,
    learning_rate=0.05,
    momentum=0.9,
    decay=0.98,
    batch_size=36,
    max_steps=4000,
)

# four pressures around a working point; alarm = far away from it in any direction
data, far = make_gaussian_quantiles(mean=[3.0, 0.5, 1.2, 7.0], cov=1.5, n_samples=2600, n_features=4, n_classes=2,
                                    random_state=SEED)
labels = far.astype(np.float32)
features, test_features, labels, test_labels = train_test_split(data, labels, test_size=600, random_state=SEED)
features, val_features, labels, val_labels = train_test_split(features, labels, test_size=400, random_state=SEED)
m, s = features.mean(0), features.std(0)
features = ((features - m) / s).astype(np.float32)
val_features = ((val_features - m) / s).astype(np.float32)
test_features = ((test_features - m) / s).astype(np.float32)


def weight(n_in, n_out):
    return tf.Variable(tf.random.truncated_normal([n_in, n_out], stddev=1.0 / math.sqrt(n_in)))


def bias(n):
    return tf.Variable(tf.zeros([n]))


w1, b1 = weight(4, FLAGS['hidden1']), bias(FLAGS['hidden1'])
w2, b2 = weight(FLAGS['hidden1'], FLAGS['hidden2']), bias(FLAGS['hidden2'])
w3, b3 = weight(FLAGS['hidden2'], 1), bias(1)
variables = [w1, b1, w2, b2, w3, b3]
velocity = [tf.Variable(tf.zeros_like(v)) for v in variables]


def inference(x):
    h = tf.tanh(tf.matmul(x, w1) + b1)
    h = tf.tanh(tf.matmul(h, w2) + b2)
    return tf.nn.sigmoid(tf.matmul(h, w3) + b3)


def log_loss(p, y):
    y = tf.reshape(y, [-1, 1])
    return -tf.reduce_mean(y * tf.math.log(p + 1e-7) + (1 - y) * tf.math.log(1 - p + 1e-7))


def evaluation(p, y):
    correct = tf.equal(p[:, 0] > 0.5, y > 0.5)
    return tf.reduce_mean(tf.cast(correct, tf.float32))


@tf.function
def train_op(x, y, lr):
    with tf.GradientTape() as tape:
        loss = log_loss(inference(x), y)
    grads = tape.gradient(loss, variables)
    for var, vel, grad in zip(variables, velocity, grads):
        vel.assign(FLAGS['momentum'] * vel + grad)
        var.assign_sub(lr * vel)
    return loss


steps_per_epoch = len(features) // FLAGS['batch_size']
for step in range(FLAGS['max_steps']):
    pick = np.random.choice(len(features), FLAGS['batch_size'], replace=False)
    lr = FLAGS['learning_rate'] * FLAGS['decay'] ** (step // steps_per_epoch)
    loss_value = train_op(features[pick], labels[pick], tf.constant(lr, tf.float32))
    if (step + 1) % 500 == 0:
        acc = evaluation(inference(val_features), val_labels)
        print('step %d: loss = %.3f, validation accuracy = %.3f' % (step + 1, loss_value, acc))

final = float(np.mean((inference(test_features).numpy()[:, 0] > 0.5) == (test_labels > 0.5)))
print('test accuracy', final)
""",
    score="final",
    bar=0.85,
    base=0.5,
    faults=(
        Fault(cause="softmax_on_single_unit", old="return tf.nn.sigmoid(tf.matmul(h, w3) + b3)",
              new="return tf.nn.softmax(tf.matmul(h, w3) + b3)",
              beside=("input_ignored", "wrong_head_for_labels", "frozen_or_disconnected")),
        Fault(cause="loss_metric_inconsistent", old="correct = tf.equal(p[:, 0] > 0.5, y > 0.5)",
              new="correct = tf.equal(p > 0.5, y > 0.5)", certain=True, accept=("wrong_metric",)),
        Fault(cause="lr_schedule_wrong", old="FLAGS['decay'] ** (step // steps_per_epoch)",
              new="FLAGS['decay'] ** step", beside=("too_few_steps", "learning_rate_too_low")),
        Fault(cause="missing_nonlinearity",
              old="    h = tf.tanh(tf.matmul(x, w1) + b1)\n    h = tf.tanh(tf.matmul(h, w2) + b2)\n",
              new="    h = tf.matmul(x, w1) + b1\n    h = tf.matmul(h, w2) + b2\n",
              beside=("underfitting_capacity",)),
        Fault(cause="symmetric_or_zero_init",
              old="    return tf.Variable(tf.random.truncated_normal([n_in, n_out], stddev=1.0 / math.sqrt(n_in)))\n",
              new="    return tf.Variable(tf.zeros([n_in, n_out]))\n",
              beside=("vanishing_gradient", "init_scale", "input_ignored")),
        Fault(cause="saturated_units", old="stddev=1.0 / math.sqrt(n_in)", new="stddev=100.0 / math.sqrt(n_in)",
              accept=("init_scale",), beside=("vanishing_gradient", "exploding_gradient")),
        Fault(cause="oscillation", old="    learning_rate=0.05,\n", new="    learning_rate=2.5,\n",
              accept=("learning_rate_too_high",), beside=("saturated_units", "exploding_gradient")),
    ),
    seeds=3,
)  # fmt: skip

DIGITS = Program(
    name="rerun_digits_own_step",
    source="""
import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(SEED)

images, target = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8, 1).astype('float32') / 16.0
x_train, x_test, y_train, y_test = train_test_split(images, target, test_size=300, random_state=SEED, stratify=target)


class DigitNet(keras.Model):
    def __init__(self):
        super().__init__()
        self.conv = layers.Conv2D(16, 3, activation='relu', name='conv')
        self.pool = layers.MaxPooling2D(2)
        self.flat = layers.Flatten()
        self.fc = layers.Dense(48, use_bias=False, name='fc')
        self.bn = layers.BatchNormalization(momentum=0.9, name='bn')
        self.drop = layers.Dropout(0.3, name='drop')
        self.head = layers.Dense(10, name='head')
        self.loss_metric = keras.metrics.Mean(name='loss')
        self.acc_metric = keras.metrics.SparseCategoricalAccuracy(name='acc')

    def call(self, x, training=False):
        x = self.flat(self.pool(self.conv(x)))
        x = keras.ops.relu(self.bn(self.fc(x), training=training))
        x = self.drop(x, training=training)
        return self.head(x)

    @property
    def metrics(self):
        return [self.loss_metric, self.acc_metric]

    def loss_of(self, y, logits):
        xent = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.cast(y, tf.int32), logits=logits)
        return tf.reduce_mean(xent)

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            logits = self(x, training=True)
            loss = self.loss_of(y, logits)
        tvars = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, tvars), tvars))
        self.loss_metric.update_state(loss)
        self.acc_metric.update_state(y, logits)
        return {m.name: m.result() for m in self.metrics}

    def test_step(self, data):
        x, y = data
        logits = self(x, training=False)
        self.loss_metric.update_state(self.loss_of(y, logits))
        self.acc_metric.update_state(y, logits)
        return {m.name: m.result() for m in self.metrics}


model = DigitNet()
model.compile(optimizer=keras.optimizers.SGD(learning_rate=0.05, momentum=0.9))
model.fit(x_train, y_train, validation_split=0.2, batch_size=32, epochs=8, verbose=2)


@tf.function(reduce_retracing=True)
def read_one(image):
    return tf.argmax(model(image[None], training=False)[0])


# in production digits come one by one
right = sum(int(read_one(tf.constant(image))) == label for image, label in zip(x_test, y_test))
accuracy = right / len(y_test)
print('accuracy', accuracy)
""",
    score="accuracy",
    bar=0.92,
    base=0.1,
    faults=(
        Fault(cause="batchnorm_mode", old="model(image[None], training=False)[0]",
              new="model(image[None], training=True)[0]", layer=("bn",), accept=("dropout_mode",), certain=True),
        Fault(cause="dropout_mode", old="x = self.drop(x, training=training)", new="x = self.drop(x, training=False)",
              layer=("drop",), certain=True),
        Fault(cause="optimiser_not_applied",
              old="        self.optimizer.apply_gradients(zip(tape.gradient(loss, tvars), tvars))\n",
              new="        grads = tape.gradient(loss, tvars)\n", beside=("frozen_or_disconnected",)),
        Fault(cause="validation_split_sorted", old="\n\nclass DigitNet(keras.Model):\n",
              new="by_class = np.argsort(y_train)\nx_train, y_train = x_train[by_class], y_train[by_class]\n"
              "\n\nclass DigitNet(keras.Model):\n", certain=True, accept=("missing_class", "data_sorted")),
        Fault(cause="label_noise", old="\n\nclass DigitNet(keras.Model):\n",
              new="second_reader = np.random.rand(len(y_train)) < 0.55\n"
              "y_train = np.where(second_reader, (y_train + 1) % 10, y_train)\n"
              "\n\nclass DigitNet(keras.Model):\n", beside=("overfitting",)),
        Fault(cause="too_few_steps", old="batch_size=32, epochs=8", new="batch_size=512, epochs=1"),
    ),
    seeds=3,
)  # fmt: skip

PUMP = Program(
    name="rerun_pump_traces_on_batch",
    source="""
import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(SEED)
rng = np.random.RandomState(SEED)
POINTS = 96
STATES = ('normal', 'leak', 'cavitation', 'blocked')


def trace(state):
    # pressure (bar) over one stroke
    s = np.linspace(0, 1, POINTS)
    p = 4 + 2.5 * np.sin(2 * np.pi * (s - rng.rand())) + rng.normal(0, 0.5)
    where = rng.randint(10, 60)
    if state == 1:
        p[where:] -= rng.uniform(0.8, 2.0) * (1 - np.exp(-np.arange(POINTS - where) / 4))
    if state == 2:
        n = rng.randint(15, 30)
        p[where:where + n] += rng.uniform(0.5, 1.2) * np.where(np.arange(n) % 2, 1, -1)
    if state == 3:
        p[where:where + 6] += rng.uniform(1.0, 2.2) * np.hanning(6)
    return p + rng.normal(0, 0.15, POINTS)


def archive(per_state):
    # the old software wrote one file per state
    X = np.array([trace(k) for k, n in enumerate(per_state) for _ in range(n)])
    y = np.array([k for k, n in enumerate(per_state) for _ in range(n)])
    return X[:, :, None].astype('float32'), y.astype('int32')


X_train, y_train = archive([250, 250, 250, 250])
X_val, y_val = archive([50, 50, 50, 50])
X_test, y_test = archive([100, 100, 100, 100])
mean, std = X_train.mean(), X_train.std()
X_train, X_val, X_test = [(X - mean) / std for X in (X_train, X_val, X_test)]

model = keras.models.Sequential()
model.add(keras.layers.Input(shape=(POINTS, 1)))
model.add(keras.layers.Conv1D(16, 7, strides=2, activation='relu', name='conv1'))
model.add(keras.layers.Conv1D(24, 5, strides=2, activation='relu', name='conv2'))
model.add(keras.layers.Conv1D(32, 3, activation='relu', name='conv3'))
model.add(keras.layers.GlobalMaxPooling1D())
model.add(keras.layers.Dense(4, activation='softmax', name='state'))
model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.004), loss='sparse_categorical_crossentropy',
              metrics=['accuracy'])

batches = tf.data.Dataset.from_tensor_slices((X_train, y_train))
batches = batches.shuffle(1000, seed=SEED).repeat().batch(32)
NB_BATCHES = 400
for i, (xb, yb) in enumerate(batches.take(NB_BATCHES)):
    loss, acc = model.train_on_batch(xb, yb)
    if (i + 1) % 100 == 0:
        model.reset_metrics()
        val_loss, val_acc = model.test_on_batch(X_val, y_val)
        print('batch %4d  loss %.3f  val_loss %.3f  val_acc %.3f' % (i + 1, loss, val_loss, val_acc))
        model.reset_metrics()

test_acc = np.mean(np.argmax(model.predict(X_test, verbose=0), axis=1) == y_test)
print('test accuracy:', test_acc)
""",
    score="test_acc",
    bar=0.8,
    base=0.25,
    faults=(
        Fault(cause="data_sorted", old="batches.shuffle(1000, seed=SEED).repeat().batch(32)",
              new="batches.repeat().batch(32)"),
        Fault(cause="shuffle_buffer_too_small", old="batches.shuffle(1000, seed=SEED).repeat().batch(32)",
              new="batches.shuffle(32, seed=SEED).repeat().batch(32)", accept=("data_sorted",),
              beside=("pipeline_order",)),
        Fault(cause="pipeline_order", old="batches.shuffle(1000, seed=SEED).repeat().batch(32)",
              new="batches.repeat().batch(32).shuffle(8, seed=SEED)",
              accept=("data_sorted", "shuffle_buffer_too_small")),
        Fault(cause="missing_class", old="X_train, y_train = archive([250, 250, 250, 250])",
              new="X_train, y_train = archive([500, 250, 250, 0])",
              beside=("class_imbalance", "validation_split_sorted")),
        Fault(cause="class_imbalance", old="X_train, y_train = archive([250, 250, 250, 250])",
              new="X_train, y_train = archive([970, 10, 10, 10])"),
        Fault(cause="overfitting", old="X_train, y_train = archive([250, 250, 250, 250])",
              new="X_train, y_train = archive([5, 5, 5, 5])"),
        Fault(cause="learning_rate_too_high", old="Adam(learning_rate=0.004)", new="Adam(learning_rate=0.6)",
              beside=("dead_units", "exploding_gradient", "oscillation")),
    ),
    seeds=3,
)  # fmt: skip

GEARS = Program(
    name="rerun_gears_from_generator",
    source="""
import numpy as np
import keras
from keras.layers import Dense, Flatten, Input, Reshape
from keras.models import Model

keras.utils.set_random_seed(SEED)
np.random.seed(SEED)

side = 16
batch_size = 64


def gear(phase, teeth, radius, dy, dx):
    y, x = np.mgrid[0:side, 0:side] - (side - 1) / 2.0
    y, x = y - dy, x - dx
    r, a = np.hypot(y, x), np.arctan2(y, x)
    edge = radius + 0.9 * np.cos(teeth * a + phase)
    return 255.0 / (1.0 + np.exp(-2.5 * (edge - r))) * (r > 1.5)


def scan(n):
    return np.array([gear(0.0, np.random.choice([4, 6]), np.random.uniform(3.5, 6.5),
                          *np.random.uniform(-1.5, 1.5, 2)) for _ in range(n)])


def unit(img):
    return (img / 255.0).astype('float32')


clean_train, clean_val, clean_test = unit(scan(900)), unit(scan(200)), unit(scan(300))


def dirty(img, grain=0.25):
    return np.clip(img + np.random.normal(0, grain, img.shape), 0, 1).astype('float32')


def generator(images):
    while True:
        pick = np.random.randint(0, len(images), batch_size)
        yield dirty(images[pick]), images[pick]


def hidden(n, name):
    return Dense(n, activation='relu', name=name)


inp = Input(shape=(side, side))
x = Flatten()(inp)
x = hidden(96, 'enc1')(x)
code = Dense(10, name='code')(x)
x = hidden(96, 'dec1')(code)
x = Dense(side * side, activation='sigmoid', name='pixels')(x)
autoencoder = Model(inp, Reshape((side, side))(x))

autoencoder.compile(optimizer=keras.optimizers.Adam(0.004), loss='mse')
# was fit_generator(samples_per_epoch=900, nb_epoch=20)
autoencoder.fit(generator(clean_train), steps_per_epoch=900 // batch_size, epochs=20, verbose=0,
                validation_data=(dirty(clean_val), clean_val))

repaired = autoencoder.predict(dirty(clean_test), verbose=0)
residual = np.mean((repaired - clean_test) ** 2)
explained = 1 - residual / np.mean((clean_test - clean_train.mean(axis=0)) ** 2)
print('explained', explained)
""",
    score="explained",
    bar=0.7,
    base=0.0,
    faults=(
        Fault(cause="underfitting_capacity", old="code = Dense(10, name='code')(x)",
              new="code = Dense(1, name='code')(x)", layer=("code",)),
        Fault(cause="vanishing_gradient", old="x = hidden(96, 'enc1')(x)\n",
              new="for k in range(6):\n    x = Dense(96, activation='sigmoid', name='enc%d' % (k + 1))(x)\n",
              layer=("enc1", "enc2", "enc3", "enc4", "enc5", "enc6"), beside=("input_ignored",)),
        Fault(cause="init_scale", old="    return Dense(n, activation='relu', name=name)\n",
              new="    return Dense(n, activation='relu', kernel_initializer=keras.initializers.RandomNormal(0, 15), "
              "name=name)\n", layer=("enc1", "dec1"), beside=("saturated_units", "exploding_gradient")),
        Fault(cause="learning_rate_too_low", old="Adam(0.004)", new="Adam(4e-6)", beside=("too_few_steps",)),
        Fault(cause="inputs_scaled_twice", old="inp = Input(shape=(side, side))\nx = Flatten()(inp)\n",
              new="inp = Input(shape=(side, side))\nx = Flatten()(keras.layers.Rescaling(1.0 / 255)(inp))\n"),
        Fault(cause="inputs_drowned_in_noise", old="        yield dirty(images[pick]), images[pick]\n",
              new="        yield dirty(images[pick], 25), images[pick]\n",
              beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="output_range_cannot_reach_targets", old="    return (img / 255.0).astype('float32')\n",
              new="    return (img / 127.5 - 1.0).astype('float32')\n", beside=("saturated_units",)),
    ),
    seeds=3,
)  # fmt: skip

BIOPSY = Program(
    name="rerun_short_biopsy_question",
    source="""
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split
import keras
from keras.layers import Dense, Input
from keras.models import Sequential

keras.utils.set_random_seed(SEED)
X, y = load_breast_cancer(return_X_y=True)
X_tr, X_te, y_tr, y_te = train_test_split(X, y, test_size=0.25, random_state=SEED, stratify=y)
X_tr, X_va, y_tr, y_va = train_test_split(X_tr, y_tr, test_size=0.2, random_state=SEED, stratify=y_tr)

low, high = X_tr.min(axis=0), X_tr.max(axis=0)
X_tr = (X_tr - low) / (high - low)
X_va = (X_va - low) / (high - low)
X_te = (X_te - low) / (high - low)

model = Sequential([Input((30,))])
model.add(Dense(20, activation='relu', name='dense1'))
model.add(Dense(10, activation='relu', name='dense2'))
model.add(Dense(1, activation='sigmoid', name='out'))

model.compile(loss='binary_crossentropy', optimizer=keras.optimizers.Adam(0.005), metrics=['accuracy'])
model.fit(X_tr, y_tr, validation_data=(X_va, y_va), epochs=30, batch_size=16, verbose=0)

result = balanced_accuracy_score(y_te, model.predict(X_te, verbose=0).ravel() > 0.5)
print(result)
""",
    score="result",
    bar=0.88,
    base=0.5,
    faults=(
        Fault(cause="softmax_on_single_unit", old="Dense(1, activation='sigmoid', name='out')",
              new="Dense(1, activation='softmax', name='out')", layer=("out",),
              beside=("input_ignored", "wrong_head_for_labels", "frozen_or_disconnected")),
        Fault(cause="constant_labels", old="X, y = load_breast_cancer(return_X_y=True)\n",
              new="X, y = load_breast_cancer(return_X_y=True)\ny = (y == 2).astype(int)  # 2 = benign\n",
              certain=True, beside=("missing_class", "class_imbalance", "label_encoding")),
        Fault(cause="nan_or_inf_in_data",
              old="X_tr = (X_tr - low) / (high - low)\nX_va = (X_va - low) / (high - low)\n"
              "X_te = (X_te - low) / (high - low)\n",
              new="X_tr, X_va, X_te = X_tr / low, X_va / low, X_te / low\n", beside=("inputs_not_scaled",)),
        Fault(cause="frozen_or_disconnected", old="metrics=['accuracy'])\nmodel.fit",
              new="metrics=['accuracy'])\nmodel.trainable = False\nmodel.fit", layer=("dense1", "dense2", "out")),
        Fault(cause="dead_units", old="Dense(10, activation='relu', name='dense2')",
              new="Dense(10, activation='relu', bias_initializer=keras.initializers.Constant(-20), name='dense2')",
              layer=("dense2",), beside=("frozen_or_disconnected", "input_ignored", "vanishing_gradient")),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [ALARM, DIGITS, PUMP, GEARS, BIOPSY]
