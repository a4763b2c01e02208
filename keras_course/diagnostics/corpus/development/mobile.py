"""Scripts of developers of a phone app: gestures in the air, and stickers found again from a photo of a screen."""

from keras_course.diagnostics.corpus import Fault, Program

GESTURES = Program(
    name="mobile_air_gestures",
    source="""
# Air gestures for the remote-shutter screen. Must stay below 30k parameters, runs on the phone at 50 Hz.
# Recordings come from the collector app: one folder per gesture, in it one file per volunteer and take.
import math

import keras
import numpy as np
from keras import layers, ops

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED + 77)

GESTURES = ['tap', 'flick_left', 'circle_cw', 'circle_ccw', 'flick_right', 'shake', 'tilt']
DURATION = {'tap': (10, 15), 'flick_left': (13, 19), 'flick_right': (13, 19), 'shake': (24, 40), 'tilt': (24, 40),
            'circle_cw': (24, 40), 'circle_ccw': (24, 40)}
STEPS = 40
MIN_STEPS = 8  # anything shorter is a dropped phone
VOLUNTEERS = 14
TAKES = 12


def record(gesture, force, tempo):
    n = int(np.clip(rng.integers(*DURATION[gesture]) * tempo, 8, STEPS))
    t = np.linspace(0, 1, n)
    bump = np.exp(-((t - rng.uniform(0.4, 0.6)) / 0.16) ** 2)
    turn = 2 * np.pi * rng.uniform(0.9, 1.6) * t + rng.uniform(0, 2 * np.pi)
    acc, gyro = np.zeros((n, 3)), np.zeros((n, 3))  # milli-g, degrees per second
    if gesture == 'tap':
        acc[:, 2] = -900 * bump
    elif gesture in ('flick_left', 'flick_right'):
        sign = 1 if gesture == 'flick_left' else -1
        gyro[:, 2] = sign * 260 * bump
        acc[:, 0] = 350 * np.gradient(bump) * n / 6
    elif gesture == 'shake':
        acc[:, 0] = 800 * np.sin(turn * 3)
        gyro[:, 2] = 90 * np.cos(turn * 3)
    elif gesture == 'tilt':
        gyro[:, 1] = rng.choice([-1, 1]) * 120 * np.sin(np.pi * t)
        acc[:, 2] = 300 * np.sin(np.pi * t)
    else:
        sign = 1 if gesture == 'circle_cw' else -1
        acc[:, 0] = 520 * np.cos(turn)
        acc[:, 1] = 520 * sign * np.sin(turn)
    signal = force * np.concatenate([acc, gyro], axis=1)
    signal[:, :3] += rng.normal(0, 190, (n, 3)) + rng.normal(0, 120, 3)
    signal[:, 3:] += rng.normal(0, 38, (n, 3))
    return signal


signals, labels, people = [], [], []
style = [(rng.uniform(0.7, 1.3), rng.uniform(0.9, 1.1)) for _ in range(VOLUNTEERS)]
for label, gesture in enumerate(GESTURES):
    for person in range(VOLUNTEERS):
        for _ in range(TAKES):
            signals.append(record(gesture, *style[person]))
            labels.append(label)
            people.append(person)
labels, people = np.array(labels), np.array(people)
lengths = np.array([len(s) for s in signals])
padded = np.zeros((len(signals), STEPS, 6), 'float32')
for row, signal in enumerate(signals):
    padded[row, :len(signal)] = signal / np.array([1000.0] * 3 + [250.0] * 3)

ours = people < 11  # the last three volunteers are for the test only
x, y, who = padded[ours], labels[ours], people[ours]
x_test, y_test = padded[~ours], labels[~ours]
long_enough = lengths[ours] >= MIN_STEPS
x, y, who = x[long_enough], y[long_enough], who[long_enough]
held = np.isin(who, [3, 8])


class Recordings(keras.utils.PyDataset):
    def __init__(self, x, y, batch_size=32, training=False, **kwargs):
        super().__init__(**kwargs)
        self.x = np.array(x)
        self.y = np.array(y)
        self.batch_size = batch_size
        self.training = training
        self.on_epoch_end()

    def __len__(self):
        return math.ceil(len(self.y) / self.batch_size)

    def on_epoch_end(self):
        if self.training:
            order = np.random.permutation(len(self.y))
            self.x, self.y = self.x[order], self.y[order]

    def __getitem__(self, index):
        rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
        window = self.x[rows]
        if self.training:  # starts late by up to three steps
            window = np.roll(window, np.random.randint(0, 4), axis=1)
        return window, self.y[rows]


class GestureNet(keras.Model):
    def __init__(self, classes, **kwargs):
        super().__init__(**kwargs)
        self.squeeze = layers.Conv1D(24, 5, strides=2, activation='tanh', name='squeeze')
        self.motion = layers.GRU(40, recurrent_initializer='orthogonal', name='motion')
        self.mix = layers.Dense(32, activation='relu', name='mix')
        self.head = layers.Dense(classes, name='head')

    def call(self, window, training=False):
        h = self.squeeze(window)
        h = self.motion(ops.flip(h, axis=1))  # the padding goes in first
        h = self.mix(h)
        return self.head(h)


net = GestureNet(len(GESTURES))
net.compile(
    optimizer=keras.optimizers.SGD(learning_rate=0.06, momentum=0.9, nesterov=True, clipnorm=1.0),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=['accuracy'],
)
net.fit(
    Recordings(x[~held], y[~held], training=True),
    validation_data=Recordings(x[held], y[held]),
    epochs=13,
    verbose=2,
)
net.summary()

guess = net.predict(x_test, batch_size=128, verbose=0).argmax(axis=1)
recall = {g: float(np.mean(guess[y_test == k] == k)) for k, g in enumerate(GESTURES)}
for gesture, value in recall.items():
    print(f'{gesture:12} {value:.3f}')
mean_recall = float(np.mean(list(recall.values())))
""",
    score="mean_recall",
    bar=0.8,
    base=1 / 7,
    faults=(
        Fault(cause="learning_rate_too_high", old="SGD(learning_rate=0.06,", new="SGD(learning_rate=6.0,",
              beside=("exploding_gradient", "dead_units", "saturated_units", "oscillation")),
        Fault(cause="label_encoding", old="self.y = np.array(y)", new="self.y = np.array(y, 'float32') / np.max(y)",
              accept=("missing_class",), beside=("class_imbalance", "wrong_head_for_labels", "wrong_loss_for_task")),
        Fault(cause="labels_shuffled_apart",
              old="            order = np.random.permutation(len(self.y))\n"
                  "            self.x, self.y = self.x[order], self.y[order]\n",
              new="            np.random.shuffle(self.x)\n            np.random.shuffle(self.y)\n",
              accept=("label_noise",)),
        Fault(cause="data_sorted", old="order = np.random.permutation(len(self.y))",
              new="order = np.argsort(self.y, kind='stable')"),
        Fault(cause="saturated_units", old="recurrent_initializer='orthogonal'",
              new="recurrent_initializer=keras.initializers.RandomNormal(0.0, 6.0)",
              accept=("init_scale",), layer=("motion",)),
        Fault(cause="missing_class", old="MIN_STEPS = 8 ", new="MIN_STEPS = 22 ", beside=("class_imbalance",)),
        Fault(cause="validation_split_sorted", old="held = np.isin(who, [3, 8])",
              new="held = np.arange(len(y)) >= int(0.7 * len(y))", beside=("missing_class", "class_imbalance")),
    ),
    seeds=3,
)  # fmt: skip

STICKERS = Program(
    name="mobile_sticker_twins",
    source="""
# Point the camera at a friend's screen and get the sticker in our own store: photo and original shall be neighbours.
import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng([SEED, 2024])

SIDE = 20
WIDTH = 32
BATCH = 64
TEMPERATURE = 0.1


def sticker():
    # flat shapes on a flat ground, as our designers like them
    yy, xx = np.mgrid[:SIDE, :SIDE]
    image = np.ones((SIDE, SIDE, 3)) * rng.uniform(40, 215, 3)
    for _ in range(rng.integers(3, 5)):
        cy, cx, r = *rng.uniform(4, 16, 2), rng.uniform(2.5, 5.5)
        kind = rng.integers(0, 4)
        if kind == 0:
            inside = (yy - cy) ** 2 + (xx - cx) ** 2 < r ** 2
        elif kind == 1:
            inside = (abs(yy - cy) < r) & (abs(xx - cx) < r * 0.5)
        elif kind == 2:
            inside = abs(yy - cy) + abs(xx - cx) < r
        else:
            inside = (abs(yy - cy) < 0.4 * r) & (abs(xx - cx) < 1.3 * r)
        image[inside] = rng.uniform(0, 255, 3)
    return image


def photograph(images, noise=0.04):
    # tint, exposure, a reflection that runs across the screen, a hand that is not still
    n = len(images)
    x = images / 255.0
    x = x * rng.uniform(0.45, 1.15, (n, 1, 1, 3)) + rng.uniform(-0.15, 0.25, (n, 1, 1, 1))
    ramp = np.linspace(-1, 1, SIDE)
    slope = rng.uniform(-0.3, 0.3, (n, 2, 1, 1))
    glare = slope[:, 0] * ramp[:, None] + slope[:, 1] * ramp[None, :]
    x = x + glare[..., None]
    x = np.stack([np.roll(one, rng.integers(-2, 3, 2), axis=(0, 1)) for one in x])
    x = x + rng.normal(0, noise, x.shape)
    return np.clip(x, -1.0, 2.0) * 255.0


def scaled(images):
    return (np.asarray(images, 'float32') - 127.5) / 64.0


class Pairs(keras.utils.PyDataset):
    def __init__(self, originals, mix=True, **kwargs):
        super().__init__(**kwargs)
        self.originals, self.mix = originals, mix
        self.order = np.arange(len(originals))
        self.on_epoch_end()

    def __len__(self):
        return len(self.originals) // BATCH

    def on_epoch_end(self):
        if self.mix:
            np.random.shuffle(self.order)

    def __getitem__(self, i):
        batch = self.originals[self.order[i * BATCH:(i + 1) * BATCH]]
        return scaled(photograph(batch)), scaled(batch)


class Twin(keras.Model):
    def __init__(self, width=WIDTH):
        super().__init__()
        self.trunk = keras.Sequential([
            layers.Conv2D(16, 3, strides=2, padding='same', activation='relu', name='conv1'),
            layers.Conv2D(32, 3, strides=2, padding='same', activation='relu', name='conv2'),
            layers.Conv2D(32, 3, padding='same', activation='relu', name='conv3'),
            layers.Flatten(),
        ], name='trunk')
        self.project = layers.Dense(width, name='project')
        self.loss_mean = keras.metrics.Mean(name='loss')
        self.hits = keras.metrics.Mean(name='top1')

    @property
    def metrics(self):
        return [self.loss_mean, self.hits]

    def call(self, images, training=False):
        features = self.trunk(images, training=training)
        return ops.normalize(self.project(features), axis=-1)

    def contrast(self, photo, original):
        scores = ops.matmul(photo, ops.transpose(original)) / TEMPERATURE
        both = ops.log_softmax(scores, axis=1) + ops.log_softmax(scores, axis=0)
        found = ops.equal(ops.argmax(scores, axis=1), ops.arange(ops.shape(scores)[0], dtype='int64'))
        return -ops.mean(ops.diagonal(both)) / 2, ops.cast(found, 'float32')

    def train_step(self, data):
        photo, original = data
        with tf.GradientTape() as tape:
            loss, found = self.contrast(self(photo, training=True), self(original, training=True))
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        self.loss_mean.update_state(loss)
        self.hits.update_state(found)
        return {m.name: m.result() for m in self.metrics}

    def test_step(self, data):
        photo, original = data
        loss, found = self.contrast(self(photo), self(original))
        self.loss_mean.update_state(loss)
        self.hits.update_state(found)
        return {m.name: m.result() for m in self.metrics}


pack = np.stack([sticker() for _ in range(1100)])
hold = rng.choice(len(pack), 260, replace=False)
store = pack[hold]  # what the app has to find
pack = np.delete(pack, hold, axis=0)

twin = Twin()
twin.compile(optimizer=keras.optimizers.AdamW(learning_rate=3e-3, weight_decay=1e-6))
twin.fit(Pairs(pack), validation_data=Pairs(store, mix=False), epochs=12, verbose=2)

gallery = twin.predict(scaled(store), batch_size=BATCH, verbose=0)
queries = twin.predict(scaled(photograph(store)), batch_size=BATCH, verbose=0)
nearest = (queries @ gallery.T).argmax(axis=1)
top1 = float(np.mean(nearest == np.arange(len(store))))
print(f'{len(store)} stickers, found at once: {top1:.3f}')
""",
    score="top1 if np.isfinite(queries).all() else 0.0",
    bar=0.75,
    base=1 / 260,
    faults=(
        Fault(cause="frozen_or_disconnected", old="features = self.trunk(images, training=training)",
              new="features = ops.stop_gradient(self.trunk(images, training=training))",
              layer=("trunk", "conv1", "conv2", "conv3")),
        Fault(cause="gradient_sign_flipped", old="return -ops.mean(ops.diagonal(both)) / 2,",
              new="return ops.mean(ops.diagonal(both)) / 2,", accept=("wrong_loss_for_task",),
              beside=("exploding_gradient",)),
        Fault(cause="learning_rate_too_low", old="AdamW(learning_rate=3e-3, weight_decay=1e-6)",
              new="AdamW(learning_rate=1e-6, weight_decay=3e-3)", beside=("too_few_steps",)),
        Fault(cause="inputs_drowned_in_noise", old="def photograph(images, noise=0.04)",
              new="def photograph(images, noise=1.5)"),
        Fault(cause="underfitting_capacity", old="WIDTH = 32", new="WIDTH = 2", layer=("project",)),
        Fault(cause="leakage_duplicates", old="pack = np.delete(pack, hold, axis=0)",
              new="np.delete(pack, hold, axis=0)", certain=True),
        Fault(cause="train_val_preprocessing_mismatch", old="gallery = twin.predict(scaled(store),",
              new="gallery = twin.predict(scaled(store[..., ::-1]),"),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [GESTURES, STICKERS]
