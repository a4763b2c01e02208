"""Scripts of the makers of a small toy robot: the line under its camera, and the sounds that its microphone hears."""

from keras_course.diagnostics.corpus import Fault, Program

LINE = Program(
    name="toymaker_line_camera",
    source="""
# Robot mk4, line camera. Under the nose sits an 8 x 40 sensor, and the firmware wants to know which pixels are line.
# Floors in kids' rooms are a zoo: parquet with seams, carpets, shadows of chairs. The line is our black tape, always.
# Weights get exported to int8 later, so convolutions only, and few of them.
import math

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(400 + SEED)

ROWS, COLS = 8, 40
STRIPS = 1500
BATCH = 25
EPOCHS = 8


def floor():
    yy, xx = np.mgrid[:ROWS, :COLS]
    ground = np.full((ROWS, COLS), rng.uniform(120, 230))
    ground += rng.uniform(-1.2, 1.2) * (xx - COLS / 2)                      # lamp on one side
    if rng.random() < 0.5:                                                  # chair
        edge, slant = rng.uniform(-5, COLS), rng.uniform(-1, 1)
        shade = (xx > edge + slant * yy) & (xx < edge + slant * yy + rng.uniform(10, 22))
        ground = np.where(shade, ground * rng.uniform(0.4, 0.7), ground)
    for _ in range(rng.integers(0, 3)):                                     # parquet
        seam, slant = rng.uniform(0, COLS), rng.uniform(-0.5, 0.5)
        ground = np.where(np.abs(xx - seam - slant * yy) < 0.6, ground * 0.35, ground)
    return ground, yy, xx


def strip():
    ground, yy, xx = floor()
    mask = np.zeros((ROWS, COLS), bool)
    if rng.random() < 0.85:                                                 # lifted robots see no line
        at, slant, half = rng.uniform(4, COLS - 4), rng.uniform(-1.2, 1.2), rng.uniform(1.6, 2.8)
        mask = np.abs(xx - at - slant * (yy - ROWS / 2)) < half
    image = np.where(mask, 0.2 * ground + 12, ground) + rng.normal(0, 7, ground.shape)
    return np.clip(image, 0, 255).astype('uint8'), mask.astype('uint8') * 255


images, masks = (np.stack(part)[..., None] for part in zip(*[strip() for _ in range(STRIPS)]))
n_test, n_val = 300, 150
test_images, test_masks = images[:n_test], masks[:n_test]
val_images, val_masks = images[n_test:n_test + n_val], masks[n_test:n_test + n_val]
images, masks = images[n_test + n_val:], masks[n_test + n_val:]


class Strips(keras.utils.PyDataset):
    def __init__(self, images, masks, train=False, **kwargs):
        super().__init__(**kwargs)
        self.images, self.masks, self.train = images, masks, train
        self.rows = np.arange(len(images))

    def __len__(self):
        return math.ceil(len(self.rows) / BATCH)

    def on_epoch_end(self):
        if self.train:
            np.random.shuffle(self.rows)

    def __getitem__(self, index):
        rows = self.rows[index * BATCH:(index + 1) * BATCH]
        image = self.images[rows].astype('float32') / 255
        mask = self.masks[rows].astype('float32') / 255
        if self.train:
            image = image + np.random.normal(0, 3 / 255, image.shape).astype('float32')   # older sensors
            if np.random.rand() < 0.5:
                image, mask = image[:, :, ::-1], mask[:, :, ::-1]
        return image, mask


class LineNet(keras.Model):
    def __init__(self, filters=12, **kwargs):
        super().__init__(**kwargs)
        self.blocks = []
        for i, width in enumerate([(3, 5), (3, 7), (3, 5)]):
            self.blocks.append(layers.Conv2D(filters, width, padding='same', use_bias=False, name=f'conv{i}'))
            self.blocks.append(layers.BatchNormalization(momentum=0.9, name=f'norm{i}'))
            self.blocks.append(layers.ReLU(name=f'relu{i}'))
        self.score = layers.Conv2D(1, 1, name='score')
        self.loss_mean = keras.metrics.Mean(name='loss')
        self.pixels = keras.metrics.BinaryAccuracy(name='pixels')

    @property
    def metrics(self):
        return [self.loss_mean, self.pixels]

    def call(self, image, training=False):
        h = image
        for block in self.blocks:
            h = block(h, training=training) if isinstance(block, layers.BatchNormalization) else block(h)
        return ops.sigmoid(self.score(h))

    def measure(self, mask, line):
        cross = ops.mean(keras.losses.binary_crossentropy(mask, line))
        overlap = 2 * ops.sum(mask * line) + 1.0
        dice = 1 - overlap / (ops.sum(mask) + ops.sum(line) + 1.0)
        return cross + 0.5 * dice

    def train_step(self, data):
        image, mask = data
        with tf.GradientTape() as tape:
            line = self(image, training=True)
            loss = self.measure(mask, line)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
        self.loss_mean.update_state(loss)
        self.pixels.update_state(mask, line)
        return {m.name: m.result() for m in self.metrics}

    def test_step(self, data):
        image, mask = data
        line = self(image, training=False)
        self.loss_mean.update_state(self.measure(mask, line))
        self.pixels.update_state(mask, line)
        return {m.name: m.result() for m in self.metrics}


net = LineNet()
net.compile(optimizer=keras.optimizers.SGD(learning_rate=0.1, momentum=0.9))
history = net.fit(Strips(images, masks, train=True), validation_data=Strips(val_images, val_masks),
                  epochs=EPOCHS, verbose=2)

x_test = test_images.astype('float32') / 255
line = net.predict(x_test, batch_size=100, verbose=0) > 0.5
tape_pixels = test_masks > 127
iou = float((line & tape_pixels).sum() / max((line | tape_pixels).sum(), 1))
middle = np.arange(COLS)[None, None, :, None]
seen = tape_pixels.any(axis=(1, 2, 3)) & line.any(axis=(1, 2, 3))
shift = [(middle * a).sum() / a.sum() - (middle * b).sum() / b.sum() for a, b in zip(line[seen], tape_pixels[seen])]
print(f'intersection over union {iou:.3f}, centre off by {np.abs(shift).mean() if len(shift) else 99:.2f} pixels')
""",
    score="iou",
    bar=0.8,
    base=0.1,
    odd="some strips have no line at all, and their masks are empty",
    faults=(
        Fault(cause="softmax_on_single_unit", old="return ops.sigmoid(self.score(h))",
              new="return ops.softmax(self.score(h))", beside=("wrong_head_for_labels",), layer=("score",)),
        Fault(cause="label_encoding", old="mask = self.masks[rows].astype('float32') / 255",
              new="mask = self.masks[rows].astype('float32')",
              beside=("targets_not_scaled", "output_range_cannot_reach_targets")),
        Fault(cause="wrong_metric", old="keras.metrics.BinaryAccuracy(name='pixels')",
              new="keras.metrics.CategoricalAccuracy(name='pixels')", accept=("loss_metric_inconsistent",),
              certain=True),
        Fault(cause="learning_rate_too_low", old="SGD(learning_rate=0.1, momentum=0.9)",
              new="SGD(learning_rate=0.1 / len(images), momentum=0.9)", beside=("too_few_steps",)),
        Fault(cause="batchnorm_mode", old="layers.BatchNormalization(momentum=0.9, name",
              new="layers.BatchNormalization(momentum=0.9999, name", layer=("norm0", "norm1", "norm2")),
        Fault(cause="inputs_drowned_in_noise", old="np.random.normal(0, 3 / 255, image.shape)",
              new="np.random.normal(0, 3, image.shape)", beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="train_val_preprocessing_mismatch", old="x_test = test_images.astype('float32') / 255\n",
              new="x_test = (test_images - test_images.mean()) / test_images.std()\n"),
    ),
    seeds=3,
)  # fmt: skip

SOUNDS = Program(
    name="toymaker_sounds",
    source="""
# What does the robot hear? The chip has a filter bank: eight energies every 25 ms, as integers. One second makes a
# clip, and in a clip there may be a clap, a whistle, a voice, a motor, several of them or nothing.
import keras
import numpy as np
from keras import layers, ops

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng([SEED, 8])

FRAMES, BANDS = 40, 8
SOUNDS = ['clap', 'whistle', 'voice', 'motor']
UNITS = 32
EPOCHS = 10
RATE = 4e-3
BATCH = 40


def clip():
    present = rng.random(4) < (0.35, 0.4, 0.45, 0.4)
    t = np.arange(FRAMES)
    energy = np.zeros((FRAMES, BANDS))
    level = 10 ** rng.uniform(1.5, 3.5, 4)                      # near or far
    if present[0]:
        for start in rng.integers(0, FRAMES - 4, rng.integers(1, 4)):
            energy[start:start + 4] += level[0] * np.exp(-np.arange(4) / 1.0)[:, None]
    if present[1]:
        start, long = rng.integers(0, 20), rng.integers(10, 20)
        band = np.clip(rng.uniform(4.5, 6.5) + rng.uniform(-0.06, 0.06) * (t - start), 4, 7)
        tone = np.exp(-((np.arange(BANDS) - band[:, None]) / 0.5) ** 2)
        energy += level[1] * tone * ((t >= start) & (t < start + long))[:, None]
    if present[2]:
        beat = np.maximum(np.sin(2 * np.pi * t / rng.uniform(6, 10) + rng.uniform(0, 6)), 0) ** 2
        vowel = np.exp(-((np.arange(BANDS) - rng.uniform(1.5, 3.0)) / 1.1) ** 2)
        energy += level[2] * beat[:, None] * vowel
    if present[3]:
        hum = np.array([1.0, 0.45, 0.12, 0.05, 0.1, 0.03, 0.02, 0.02])
        energy += 0.5 * level[3] * hum * rng.uniform(0.85, 1.15, (FRAMES, 1))
    energy = energy * rng.gamma(6, 1 / 6, energy.shape) + rng.exponential(1.5, energy.shape)
    return np.floor(energy).astype('int64'), present


def features(energies):
    loud = np.log(energies + 1.0)
    return (loud / 3.0 - 0.7).astype('float32')


class Clips(keras.utils.PyDataset):
    def __init__(self, energies, labels, train=False, **kwargs):
        super().__init__(**kwargs)
        self.x, self.y = features(energies), labels.astype('float32')
        self.train = train
        self.on_epoch_end()

    def __len__(self):
        return -(-len(self.x) // BATCH)

    def on_epoch_end(self):
        if self.train:
            mix = np.random.permutation(len(self.x))
            self.x, self.y = self.x[mix], self.y[mix]

    def __getitem__(self, i):
        return self.x[i * BATCH:(i + 1) * BATCH], self.y[i * BATCH:(i + 1) * BATCH]


class Ear(keras.Model):
    def __init__(self, units=UNITS, **kwargs):
        super().__init__(**kwargs)
        self.onset = layers.Conv1D(units, 3, activation='relu', name='onset')
        # ReLU recurrence that starts as a sum: the chip has no table for a GRU
        self.memory = layers.SimpleRNN(units, activation='relu', return_sequences=True, name='memory',
                                       recurrent_initializer=keras.initializers.Identity(gain=0.9))
        self.mix = layers.Dense(units, name='mix')
        self.heard = layers.Dense(len(SOUNDS), name='heard')

    def call(self, clip, training=False):
        h = self.memory(self.onset(clip))
        h = ops.sum(h, axis=1) / FRAMES
        h = ops.tanh(self.mix(h) / 4)
        return self.heard(h)


energies, labels = (np.stack(part) for part in zip(*[clip() for _ in range(2400)]))
fit_rows, val_rows, test_rows = np.split(np.arange(len(labels)), [1700, 1950])
train = Clips(energies[fit_rows], labels[fit_rows], train=True)
val = Clips(energies[val_rows], labels[val_rows])

ear = Ear()
rate = keras.optimizers.schedules.CosineDecay(RATE, EPOCHS * len(train), alpha=0.02)
ear.compile(
    optimizer=keras.optimizers.Adam(rate, clipnorm=1.0),
    loss=keras.losses.BinaryCrossentropy(from_logits=True),
    metrics=[keras.metrics.AUC(multi_label=True, num_labels=len(SOUNDS), from_logits=True, name='auc')],
)
ear.fit(train, validation_data=val, epochs=EPOCHS, verbose=2)

logits = ear.predict(features(energies[test_rows]), batch_size=150, verbose=0)
chance, truth = ops.convert_to_numpy(ops.sigmoid(logits)), labels[test_rows]
# the firmware reads the probabilities: Brier score against always saying how often a sound occurs
usual = labels[fit_rows].mean(axis=0)
skill = 1 - ((chance - truth) ** 2).mean(axis=0) / ((usual - truth) ** 2).mean(axis=0)
for k, sound in enumerate(SOUNDS):
    print(f'{sound:8} skill {skill[k]:.2f}, found {(chance[truth[:, k], k] > 0.5).mean():.2f}')
hearing = float(skill.mean())
print(f'hearing {hearing:.3f}')
""",
    score="hearing",
    bar=0.65,
    base=0.0,
    odd="a recurrence of ReLU units that starts near the identity",
    faults=(
        Fault(cause="logits_to_probability_loss", old="loss=keras.losses.BinaryCrossentropy(from_logits=True),",
              new="loss='binary_crossentropy',"),
        Fault(cause="wrong_head_for_labels", old="loss=keras.losses.BinaryCrossentropy(from_logits=True),",
              new="loss=keras.losses.CategoricalCrossentropy(from_logits=True),", accept=("wrong_loss_for_task",),
              layer=("heard",)),
        Fault(cause="inputs_not_scaled", old="""\
    loud = np.log(energies + 1.0)
    return (loud / 3.0 - 0.7).astype('float32')
""", new="""\
    return energies.astype('float32')
""", beside=("saturated_units", "exploding_gradient", "dead_units")),
        Fault(cause="nan_or_inf_in_data", old="loud = np.log(energies + 1.0)", new="loud = np.log(energies)"),
        Fault(cause="exploding_gradient", old="Identity(gain=0.9))", new="Identity(gain=1.9))",
              accept=("init_scale",), beside=("saturated_units", "nan_or_inf_in_data"), layer=("memory",)),
        Fault(cause="saturated_units", old="ops.tanh(self.mix(h) / 4)", new="ops.tanh(self.mix(h) * 4 * FRAMES)",
              beside=("vanishing_gradient", "init_scale", "exploding_gradient"), layer=("mix",)),
        Fault(cause="lr_schedule_wrong", old="CosineDecay(RATE, EPOCHS * len(train), alpha=0.02)",
              new="CosineDecay(RATE, EPOCHS, alpha=0.0002)", beside=("learning_rate_too_low", "too_few_steps")),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [LINE, SOUNDS]
