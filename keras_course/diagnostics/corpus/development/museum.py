"""Scripts of a museum that digitises its collection: retouches in ultraviolet light, and stained inventory numbers."""

from keras_course.diagnostics.corpus import Fault, Program

RETOUCHES = Program(
    name="museum_retouch_masks",
    source='''
"""Where was this painting retouched? Under ultraviolet light old varnish glows greenish, and later paint stays dark.

The restorers drew masks for the small details below; dark pigments in the original also look dark, but their edges are
soft and the weave of the canvas goes on through them. Retouches are smooth.
"""
import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng([SEED, 1642])

SIDE = 24
DETAILS = 540
GRAIN = 0.02          # of the camera, as a share of full white
PRIOR = -2.0          # about one pixel in eight is retouched


def blob(softness):
    yy, xx = np.mgrid[:SIDE, :SIDE]
    cy, cx = rng.uniform(2, SIDE - 2, 2)
    ry, rx = rng.uniform(2.5, 6.5, 2)
    turn = rng.uniform(0, np.pi)
    u, v = (xx - cx) * np.cos(turn) + (yy - cy) * np.sin(turn), (yy - cy) * np.cos(turn) - (xx - cx) * np.sin(turn)
    return 1 / (1 + np.exp((np.sqrt((u / rx) ** 2 + (v / ry) ** 2) - 1) / softness))


def detail():
    yy, xx = np.mgrid[:SIDE, :SIDE]
    weave = 0.08 * (np.sin(xx * 2.1 + rng.uniform(0, 6)) + np.sin(yy * 2.1 + rng.uniform(0, 6)))
    glow = rng.uniform(0.45, 0.75) + rng.uniform(-0.008, 0.008) * (xx - SIDE / 2) + weave
    for _ in range(rng.integers(0, 3)):                       # dark pigments of the first hand
        glow = glow * (1 - rng.uniform(0.3, 0.6) * blob(0.35))
    mask = np.zeros((SIDE, SIDE))
    for _ in range(rng.integers(0, 3)):                       # later hands
        spot = blob(0.04)
        glow = glow * (1 - spot) + rng.uniform(0.1, 0.3) * spot
        mask = np.maximum(mask, spot)
    tint = np.array([0.55, 1.0, 0.7]) * rng.uniform(0.9, 1.1, 3)
    picture = glow[..., None] * tint + rng.normal(0, GRAIN, (SIDE, SIDE, 3))
    return np.clip(picture * 255, 0, 255).astype('uint8'), (mask > 0.5).astype('float32')[..., None]


pictures, masks = map(np.stack, zip(*[detail() for _ in range(DETAILS)]))
pictures = pictures.astype('float32') / 255

order = rng.permutation(DETAILS)
pictures, masks = pictures[order], masks[order]
n_test, n_val = 140, 60
test_pictures, test_masks = pictures[:n_test], masks[:n_test]
val_pictures, val_masks = pictures[n_test:n_test + n_val], masks[n_test:n_test + n_val]
pictures, masks = pictures[n_test + n_val:], masks[n_test + n_val:]
print(f'{len(masks)} details, {masks.mean():.1%} of their pixels are retouched')


class Relief(layers.Layer):
    """Differences to the four neighbours, as the raking light would show them. Nothing to learn here."""

    def build(self, shape):
        kernel = np.zeros((3, 3, shape[-1], 4), 'float32')
        for k, (i, j) in enumerate([(0, 1), (2, 1), (1, 0), (1, 2)]):
            kernel[1, 1, :, k], kernel[i, j, :, k] = 1.0, -1.0
        self.kernel = self.add_weight(shape=kernel.shape, trainable=False, name='kernel',
                                      initializer=lambda shape, dtype=None: ops.convert_to_tensor(kernel, dtype))

    def call(self, picture):
        return ops.conv(picture, self.kernel, padding='same')


class Level(layers.Layer):
    """Zero mean and unit variance per channel: of the batch while learning, of the running values afterwards."""

    def __init__(self, keep=0.9, **kwargs):
        super().__init__(**kwargs)
        self.keep = keep

    def build(self, shape):
        channels = (shape[-1],)
        self.gain = self.add_weight(shape=channels, initializer='ones', name='gain')
        self.shift = self.add_weight(shape=channels, initializer='zeros', name='shift')
        self.mean = self.add_weight(shape=channels, initializer='zeros', trainable=False, name='mean')
        self.variance = self.add_weight(shape=channels, initializer='ones', trainable=False, name='variance')

    def call(self, x, training=False):
        mean, variance = self.mean, self.variance
        if training:
            mean, variance = ops.moments(x, axes=(0, 1, 2))
            self.mean.assign(self.keep * self.mean + (1 - self.keep) * mean)
            self.variance.assign(self.keep * self.variance + (1 - self.keep) * variance)
        return (x - mean) / ops.sqrt(variance + 1e-4) * self.gain + self.shift


class Look(layers.Layer):
    def __init__(self, filters, dilation=1, **kwargs):
        super().__init__(**kwargs)
        self.conv = layers.Conv2D(filters, 3, padding='same', dilation_rate=dilation, use_bias=False, name='conv')
        self.level = Level(name='level')

    def call(self, x, training=False):
        return ops.relu(self.level(self.conv(x), training=training))


class RetouchFinder(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.relief = Relief(name='relief')
        self.near, self.far = Look(12, name='near'), Look(16, dilation=2, name='far')
        self.further = Look(16, dilation=3, name='further')
        self.weigh = layers.Conv2D(16, 1, activation='relu', kernel_initializer='he_normal', name='weigh')
        self.verdict = layers.Conv2D(1, 1, bias_initializer=keras.initializers.Constant(PRIOR), name='verdict')

    def call(self, picture, training=False):
        if training:                                          # no two exposures have the same grain
            picture = picture + keras.random.normal(ops.shape(picture), stddev=GRAIN)
        h = ops.concatenate([picture, self.relief(picture)], axis=-1)
        h = self.near(h, training=training)
        h = ops.concatenate([h, self.far(h, training=training)], axis=-1)
        h = self.further(h, training=training)
        return self.verdict(self.weigh(h))

    def train_step(self, data):
        picture, mask = data
        with tf.GradientTape() as tape:
            logits = self(picture, training=True)
            loss = self.compute_loss(picture, mask, logits)
        gradients = tape.gradient(loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights))
        for metric in self.metrics:
            if metric.name == 'loss':
                metric.update_state(loss)
            else:
                metric.update_state(mask, logits)
        return {metric.name: metric.result() for metric in self.metrics}


finder = RetouchFinder(name='retouches')
finder.compile(
    optimizer=keras.optimizers.Lion(1e-3),
    loss=keras.losses.BinaryCrossentropy(from_logits=True),
    metrics=[keras.metrics.BinaryAccuracy(threshold=0.0, name='pixels')],
)
finder.fit(pictures, masks, validation_data=(val_pictures, val_masks), batch_size=16, epochs=9, verbose=2)

# the web page colours what is more likely retouched than not
found = finder.predict(test_pictures, batch_size=70, verbose=0) > 0
drawn = test_masks > 0.5
overlap = float((found & drawn).sum() / max((found | drawn).sum(), 1))
missed = float((drawn & ~found).sum() / drawn.sum())
print(f'overlap {overlap:.3f}, missed {missed:.1%} of the retouched pixels')
''',
    score="overlap",
    bar=0.75,
    base=0.13,
    odd="one layer has fixed filters, which are not trained on purpose",
    faults=(
        Fault(cause="batchnorm_mode",
              old="            self.mean.assign(self.keep * self.mean + (1 - self.keep) * mean)\n", new="",
              layer=("level", "near", "far", "further")),
        Fault(cause="probabilities_to_logits_loss", old="self.verdict = layers.Conv2D(1, 1, ",
              new="self.verdict = layers.Conv2D(1, 1, activation='sigmoid', ", layer=("verdict",)),
        Fault(cause="frozen_or_disconnected", old="return self.verdict(self.weigh(h))",
              new="return self.verdict(self.weigh(ops.stop_gradient(h)))", layer=("near", "far", "further")),
        Fault(cause="dead_units", old="kernel_initializer='he_normal', name='weigh'",
              new="bias_initializer=keras.initializers.Constant(3 * PRIOR), name='weigh'", layer=("weigh",)),
        Fault(cause="labels_shuffled_apart", old="pictures, masks = pictures[order], masks[order]\n",
              new="pictures, masks = pictures[order], rng.permutation(masks)\n"),
        Fault(cause="wrong_metric", old="metric.update_state(mask, logits)", new="metric.update_state(logits, mask)",
              accept=("loss_metric_inconsistent",), certain=True),
        Fault(cause="inputs_drowned_in_noise", old="stddev=GRAIN)", new="stddev=255 * GRAIN)",
              beside=("train_val_preprocessing_mismatch",)),
    ),
    seeds=3,
)  # fmt: skip

NUMBERS = Program(
    name="museum_stained_numbers",
    source='''
"""Inventory numbers were stamped on the backs of the prints, and a century of glue and damp has stained them.

Before anything reads the stamps we clean them: stained stamp in, clean stamp out. Pairs are made from stamps that are
still good, two stained copies of each.
"""
import keras
import numpy as np
from keras import layers, ops
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED + 1890)

stamps = load_digits().images.reshape(-1, 64)           # 8 x 8, ink from 0 to 16
COPIES = 2
SLOPE = 1.0
EPOCHS = 14


def stained(clean):
    """Two spots of damp lift the ink, a drop of glue hides a corner, and the paper is never white."""
    yy, xx = np.mgrid[:8, :8]
    cards = clean.reshape(-1, 8, 8).copy()
    for card in cards:
        for _ in range(2):
            y, x = rng.uniform(0, 7, 2)
            spot = np.exp(-((yy - y) ** 2 + (xx - x) ** 2) / rng.uniform(1.5, 4))
            card += (rng.uniform(2, 9) - card) * spot
        i, j = rng.integers(0, 6, 2)
        card[i:i + 3, j:j + 3] = rng.uniform(4, 12)
    cards += rng.normal(0, 1.0, cards.shape)
    return np.clip(cards, 0, 16).reshape(-1, 64)


def pairs(ids):
    clean = stamps[np.repeat(ids, COPIES)]
    return stained(clean).astype('float32'), (clean / 16).astype('float32')


train_ids, test_ids = train_test_split(np.arange(len(stamps)), test_size=0.2, random_state=SEED)
x_train, y_train = pairs(train_ids)
x_test, y_test = pairs(test_ids)
print(x_train.shape, 'stained and clean pairs')


class Strokes(layers.Layer):
    """A dense layer of our own, so that the drawing office can read the kernels."""

    def __init__(self, units, activation='relu', **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.activation = keras.activations.get(activation)

    def build(self, shape):
        spread = (2.0 / shape[-1]) ** 0.5
        self.kernel = self.add_weight(shape=(shape[-1], self.units), name='kernel',
                                      initializer=keras.initializers.RandomNormal(stddev=spread))
        self.bias = self.add_weight(shape=(self.units,), initializer='zeros', name='bias')

    def call(self, x):
        return self.activation(ops.matmul(x, self.kernel) + self.bias)


class Cleaner(keras.Model):
    def __init__(self, code=28, **kwargs):
        super().__init__(**kwargs)
        self.tone = layers.Rescaling(1 / 6, offset=-5 / 6, name='tone')
        self.reading = [Strokes(units, name=f'read_{units}') for units in (128, 96, 64)]
        self.code = Strokes(code, activation='linear', name='code')
        self.drawing = [Strokes(units, name=f'draw_{units}') for units in (65, 97, 129)]
        self.ink = Strokes(64, activation='sigmoid', name='ink')

    def call(self, card):
        h = self.tone(card)
        for layer in self.reading:
            h = layer(h)
        h = ops.tanh(SLOPE * self.code(h))
        for layer in self.drawing:
            h = layer(h)
        return self.ink(h)


cleaner = Cleaner()
cleaner.compile(optimizer=keras.optimizers.Adamax(4e-3), loss='binary_crossentropy', metrics=['mae'])
cleaner.fit(x_train, y_train, validation_split=0.1, batch_size=32, epochs=EPOCHS, verbose=2)

# how much of what differs from the average stamp comes back
cleaned = cleaner.predict(x_test, verbose=0)
average = y_train.mean(axis=0)
restored = float(1 - np.mean((cleaned - y_test) ** 2) / np.mean((average - y_test) ** 2))
as_found = float(1 - np.mean((x_test / 16 - y_test) ** 2) / np.mean((average - y_test) ** 2))
print(f'restored {restored:.3f} (left as it was found: {as_found:.3f})')
''',
    score="restored",
    bar=0.55,
    base=0.0,
    faults=(
        Fault(cause="symmetric_or_zero_init", old="initializer=keras.initializers.RandomNormal(stddev=spread))",
              new="initializer=keras.initializers.Constant(1 / shape[-1]))"),
        Fault(cause="init_scale", old="spread = (2.0 / shape[-1]) ** 0.5", new="spread = 0.2 / shape[-1]",
              accept=("vanishing_gradient",)),
        Fault(cause="inputs_scaled_twice", old="return stained(clean).astype('float32'),",
              new="return (stained(clean) / 255).astype('float32'),", layer=("tone",)),
        Fault(cause="vanishing_gradient", old="activation='relu', **kwargs", new="activation='sigmoid', **kwargs",
              beside=("saturated_units",)),
        Fault(cause="leakage_duplicates", old="train_test_split(np.arange(len(stamps)),",
              new="train_test_split(np.repeat(np.arange(len(stamps)), 3),", certain=True),
        Fault(cause="underfitting_capacity", old="code=28", new="code=1", layer=("code",)),
        Fault(cause="saturated_units", old="SLOPE = 1.0", new="SLOPE = 100.0", layer=("code",),
              beside=("vanishing_gradient",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [RETOUCHES, NUMBERS]
