"""Prototypes of people who know the interface: several inputs, steps of their own, a trunk taken over, tagging."""

from keras_course.diagnostics.corpus import Fault, Program

PARCELS = Program(
    name="prototype_parcel_desk",
    source="""
import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)


def parcels(n):
    # a picture of the lid (stickers, a red band on fragile ones) and what the scales say
    lids = rng.integers(90, 140, (n, 14, 14, 3))
    fragile = rng.random(n) < 0.45
    express = rng.integers(0, 4, n)
    for i in range(n):
        if fragile[i]:
            r = rng.integers(1, 12)
            lids[i, r:r + 2, :, 0] += 90
            lids[i, r:r + 2, :, 1:] -= 50
        for _ in range(express[i]):
            a, b = rng.integers(0, 11, 2)
            lids[i, a:a + 3, b:b + 3, 2] += 80
    kilos = rng.gamma(2.0, 2.0, n)
    zone = rng.integers(1, 6, n)
    litres = kilos * rng.lognormal(0.7, 0.4, n)
    euros = 4 + 0.9 * np.maximum(kilos, litres / 3) * (1 + 0.25 * zone) + 3.5 * fragile + rng.normal(0, 0.5, n)
    scales = np.stack([kilos, litres, zone], axis=1)
    return lids.clip(0, 255).astype('uint8'), scales, euros, fragile.astype('float32')


lids, scales, euros, fragile = parcels(1500)
lids_val, scales_val, euros_val, fragile_val = parcels(300)
lids_test, scales_test, euros_test, fragile_test = parcels(400)

mu, sigma = scales.mean(0), scales.std(0)
euro_mean, euro_std = euros.mean(), euros.std()


def as_inputs(lids, scales):
    return {'lid': lids.astype('float32') / 255.0, 'scales': ((scales - mu) / sigma).astype('float32')}


def as_targets(euros, fragile):
    return {'price': (euros - euro_mean) / euro_std, 'fragile': fragile}


lid = keras.Input((14, 14, 3), name='lid')
x = layers.Conv2D(16, 3, strides=2, activation='relu', name='lid_conv1')(lid)
x = layers.Conv2D(24, 3, activation='relu', name='lid_conv2')(x)
x = layers.GlobalMaxPooling2D()(x)
scale = keras.Input((3,), name='scales')
z = layers.Dense(32, activation='relu', name='scale_dense')(scale)
both = layers.concatenate([x, z])
both = layers.Dense(48, activation='relu', name='joint')(both)
price = layers.Dense(1, name='price')(both)
is_fragile = layers.Dense(1, activation='sigmoid', name='fragile')(both)

model = keras.Model([lid, scale], {'price': price, 'fragile': is_fragile})
model.compile(
    optimizer=keras.optimizers.Adam(2e-3),
    loss={'price': 'mse', 'fragile': 'binary_crossentropy'},
    metrics={'price': ['mae'], 'fragile': ['accuracy']},
)
model.fit(as_inputs(lids, scales), as_targets(euros, fragile), epochs=16, batch_size=32, verbose=0,
          validation_data=(as_inputs(lids_val, scales_val), as_targets(euros_val, fragile_val)))

out = model.predict(as_inputs(lids_test, scales_test), verbose=0)
quoted = out['price'][:, 0] * euro_std + euro_mean
r2 = 1 - np.mean((quoted - euros_test) ** 2) / euros_test.var()
kappa = 2 * np.mean((out['fragile'][:, 0] > 0.5) == fragile_test) - 1
print(f'price R2 {r2:.3f}, fragile {kappa:.3f}')
""",
    score="max(-1, r2) / 2 + kappa / 2",
    bar=0.85,
    base=0.05,
    faults=(
        Fault(cause="targets_not_scaled", old="'price': (euros - euro_mean) / euro_std, 'fragile'",
              new="'price': euros * 100, 'fragile'"),
        Fault(cause="frozen_or_disconnected", old="both = layers.concatenate([x, z])",
              new="both = layers.concatenate([x, x])", accept=("input_ignored",)),
        Fault(cause="softmax_on_single_unit", old="Dense(1, activation='sigmoid', name='fragile')",
              new="Dense(1, activation='softmax', name='fragile')", layer=("fragile",),
              beside=("wrong_head_for_labels", "input_ignored")),
        Fault(cause="train_val_preprocessing_mismatch",
              old="validation_data=(as_inputs(lids_val, scales_val), as_targets",
              new="validation_data=({'lid': lids_val, 'scales': scales_val}, as_targets", certain=True,
              beside=("inputs_not_scaled",)),
        Fault(cause="output_range_cannot_reach_targets", old="price = layers.Dense(1, name='price')(both)",
              new="price = layers.Dense(1, activation='sigmoid', name='price')(both)", layer=("price",),
              beside=("saturated_units",)),
        Fault(cause="dead_units", old="both = layers.Dense(48, activation='relu', name='joint')(both)",
              new="both = layers.Dense(48, activation='relu', name='joint', "
              "bias_initializer=keras.initializers.RandomNormal(-6, 0.5))(both)", layer=("joint",),
              beside=("init_scale", "input_ignored", "frozen_or_disconnected", "vanishing_gradient")),
    ),
    seeds=3,
)  # fmt: skip

NOSE = Program(
    name="prototype_electronic_nose",
    odd="the loss of the step is one of its own, and predict is not used",
    source="""
import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

keras.utils.set_random_seed(SEED)
gen = np.random.default_rng(SEED)


def sniff(n):
    ppm = gen.uniform(0, 60, n)
    humid = gen.uniform(20, 90, n)
    drift = gen.normal(0, 1, n)
    gains = np.array([1.0, 0.6, 1.7, 0.3, 2.2, 1.1])
    knees = np.array([5, 20, 40, 10, 30, 60])
    ohm = gains * ppm[:, None] / (knees + ppm[:, None]) * (1 - 0.004 * humid[:, None])
    ohm = ohm + 0.03 * drift[:, None] + gen.normal(0, 0.01, (n, 6))
    bad = gen.random(n) < 0.03
    label = np.where(bad, gen.uniform(0, 60, n), ppm)
    return np.column_stack([ohm * 1000, humid]), label, ppm


raw, ppm_label, _ = sniff(1800)
raw_test, _, ppm_test = sniff(500)
centre, spread = raw.mean(0), raw.std(0)
x = ((raw - centre) / spread).astype('float32')
x_test = ((raw_test - centre) / spread).astype('float32')
y = (ppm_label / 30 - 1).astype('float32')
y_test = (ppm_test / 30 - 1).astype('float32')


class Gated(layers.Layer):
    def __init__(self, units, stddev=0.3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.stddev = stddev

    def build(self, shape):
        init = keras.initializers.RandomNormal(stddev=self.stddev)
        self.w = self.add_weight(shape=(shape[-1], self.units), initializer=init, name='w')
        self.v = self.add_weight(shape=(shape[-1], self.units), initializer=init, name='v')
        self.b = self.add_weight(shape=(self.units,), initializer='zeros', name='b')

    def call(self, inputs):
        return ops.tanh(ops.matmul(inputs, self.w) + self.b) * ops.sigmoid(ops.matmul(inputs, self.v))


def huber(target, output, delta=0.3):
    error = ops.abs(target - output)
    return ops.mean(ops.where(error < delta, 0.5 * error ** 2, delta * (error - 0.5 * delta)))


class Nose(keras.Model):
    def __init__(self, width=10):
        super().__init__()
        self.gate1 = Gated(width, name='gate1')
        self.gate2 = Gated(width, name='gate2')
        self.out = layers.Dense(1, name='ppm')
        self.tracker = keras.metrics.Mean(name='loss')

    def call(self, inputs, training=False):
        return self.out(self.gate2(self.gate1(inputs)))

    @property
    def metrics(self):
        return [self.tracker]

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            estimate = self(x, training=True)[:, 0]
            loss = huber(y, estimate)
        grads = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(grads, self.trainable_variables))
        self.tracker.update_state(loss)
        return {'loss': self.tracker.result()}


nose = Nose()
nose.compile(optimizer=keras.optimizers.Adam(0.004))
nose.fit(x, y, epochs=20, batch_size=32, verbose=0)
estimate = nose(x_test)[:, 0].numpy()
r2 = 1 - np.mean((estimate - y_test) ** 2) / np.var(y_test)
""",
    score="r2",
    bar=0.93,
    base=0.0,
    faults=(
        Fault(cause="loss_broadcast", old="estimate = self(x, training=True)[:, 0]\n",
              new="estimate = self(x, training=True)\n"),
        Fault(cause="optimiser_not_applied",
              old="        self.optimizer.apply_gradients(zip(grads, self.trainable_variables))\n",
              new="",
              beside=("frozen_or_disconnected",)),
        Fault(cause="gradient_sign_flipped", old="            loss = huber(y, estimate)\n",
              new="            loss = -huber(y, estimate)\n", beside=("exploding_gradient",)),
        Fault(cause="oscillation", old="nose.compile(optimizer=keras.optimizers.Adam(0.004))",
              new="nose.compile(optimizer=keras.optimizers.SGD(2.0, momentum=0.97))",
              accept=("learning_rate_too_high",), beside=("saturated_units", "exploding_gradient")),
        Fault(cause="leakage_feature", old="return np.column_stack([ohm * 1000, humid]), label, ppm",
              new="return np.column_stack([ohm * 1000, humid, 0.7 * label + 3]), label, ppm", certain=True),
        Fault(cause="saturated_units", old="units, stddev=0.3, **kwargs", new="units, stddev=30.0, **kwargs",
              layer=("gate1", "gate2"), accept=("init_scale",), beside=("vanishing_gradient",)),
    ),
    seeds=3,
)  # fmt: skip

GLYPHS = Program(
    name="prototype_glyph_trunk",
    odd="the trunk is frozen at first and trained on with a small rate later",
    source="""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
BASE = rng.random((9, 5, 5)) < 0.5


def stamp(kind):
    page = rng.normal(0, 0.2, (16, 16))
    r, c = rng.integers(1, 6, 2)
    glyph = np.kron(BASE[kind], np.ones((2, 2)))
    page[r:r + 10, c:c + 10] += glyph * rng.uniform(0.7, 1.3)
    return page


def dataset(kinds, counts):
    pages = [stamp(k) for k, n in zip(kinds, counts) for _ in range(n)]
    labels = [i for i, n in enumerate(counts) for _ in range(n)]
    return np.array(pages, 'float32')[..., None], np.array(labels)


def pipeline(pages, labels, shuffle):
    ds = tf.data.Dataset.from_tensor_slices((pages, labels))
    if shuffle:
        ds = ds.shuffle(len(pages), reshuffle_each_iteration=True)
    return ds.batch(32).prefetch(1)


# 1. the trunk learns six glyphs with many examples
trunk = keras.Sequential([
    keras.Input((16, 16, 1)),
    layers.Conv2D(24, 5, use_bias=False, name='stem'),
    layers.BatchNormalization(momentum=0.9, name='stem_bn'),
    layers.ReLU(),
    layers.MaxPooling2D(2),
    layers.Conv2D(48, 3, use_bias=False, name='body'),
    layers.BatchNormalization(momentum=0.9, name='body_bn'),
    layers.ReLU(),
    layers.Flatten(),
    layers.Dense(48, activation='relu', name='code'),
], name='trunk')
pretrain = keras.Sequential([trunk, layers.Dense(6, activation='softmax', name='six')])
big, big_labels = dataset(range(6), [200] * 6)
pretrain.compile('adam', 'sparse_categorical_crossentropy', metrics=['accuracy'])
pretrain.fit(pipeline(big, big_labels, True), epochs=5, verbose=0)

# 2. three new glyphs, few examples
few, few_labels = dataset([6, 7, 8], [90, 90, 90])
test, test_labels = dataset([6, 7, 8], [100, 100, 100])

trunk.trainable = False
inputs = keras.Input((16, 16, 1))
head = layers.Dense(3, activation='softmax', name='head')
model = keras.Model(inputs, head(trunk(inputs, training=False)))

epochs = 12
steps = epochs * len(pipeline(few, few_labels, True))
rate = keras.optimizers.schedules.CosineDecay(0.01, decay_steps=steps)
model.compile(keras.optimizers.Adam(rate), 'sparse_categorical_crossentropy', metrics=['accuracy'])
model.fit(pipeline(few, few_labels, True), epochs=epochs, verbose=0)

# 3. everything, gently
trunk.trainable = True
model.compile(keras.optimizers.Adam(1e-4), 'sparse_categorical_crossentropy', metrics=['accuracy'])
model.fit(pipeline(few, few_labels, True), epochs=5, verbose=0)

_, accuracy = model.evaluate(pipeline(test, test_labels, False), verbose=0)
print('new glyphs:', accuracy)
""",
    score="accuracy",
    bar=0.9,
    base=0.34,
    faults=(
        Fault(cause="batchnorm_mode", old="layers.BatchNormalization(momentum=0.9, name='body_bn')",
              new="layers.BatchNormalization(momentum=0.9999, name='body_bn')", layer=("body_bn",),
              beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="class_imbalance", old="few, few_labels = dataset([6, 7, 8], [90, 90, 90])",
              new="few, few_labels = dataset([6, 7, 8], [260, 5, 5])"),
        Fault(cause="wrong_head_for_labels", old="head = layers.Dense(3, activation='softmax', name='head')",
              new="head = layers.Dense(3, activation='relu', name='head')", layer=("head",),
              accept=("logits_to_probability_loss", "output_range_cannot_reach_targets"),
              beside=("dead_units", "frozen_or_disconnected")),
        Fault(cause="label_noise", old="test, test_labels = dataset([6, 7, 8], [100, 100, 100])\n",
              new="test, test_labels = dataset([6, 7, 8], [100, 100, 100])\n"
              "few_labels = np.where(rng.random(270) < 0.7, rng.integers(0, 3, 270), few_labels)\n",
              beside=("overfitting", "labels_shuffled_apart")),
        Fault(cause="frozen_or_disconnected",
              old="model = keras.Model(inputs, head(trunk(inputs, training=False)))\n",
              new="model = keras.Model(inputs, head(trunk(inputs, training=False)))\n"
              "for layer in model.layers:\n    layer.trainable = False\n", layer=("head",)),
    ),
    seeds=3,
)  # fmt: skip

HEART = Program(
    name="prototype_pulse_autoencoder",
    source="""
import argparse

import keras
import numpy as np
from keras import layers, regularizers

parser = argparse.ArgumentParser()
parser.add_argument('--code', type=int, default=8)
parser.add_argument('--noise', type=float, default=0.3)
parser.add_argument('--epochs', type=int, default=20)
parser.add_argument('--l1', type=float, default=1e-5)
parser.add_argument('--lr', type=float, default=0.003)
args = parser.parse_args([])

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
POINTS = 80


def pulses(n):
    s = np.linspace(0, 1, POINTS)[None]
    onset = rng.uniform(0.1, 0.3, (n, 1))
    rise = rng.uniform(0.03, 0.07, (n, 1))
    notch = rng.uniform(0.2, 0.35, (n, 1))
    second = rng.uniform(0.2, 0.7, (n, 1))
    wave = np.exp(-((s - onset - 0.1) / (2.2 * rise)) ** 2)
    wave += second * np.exp(-((s - onset - 0.1 - notch) / 0.09) ** 2)
    wave += rng.uniform(-0.3, 0.3, (n, 1)) * s
    return 120 + 40 * wave


train, test = pulses(1600), pulses(400)
mean, std = train.mean(), train.std()
train = ((train - mean) / std).astype('float32')
test = ((test - mean) / std).astype('float32')

encoder = keras.Sequential([
    layers.Dense(64, activation='relu', name='enc1'),
    layers.Dense(args.code, name='code', activity_regularizer=regularizers.L1(args.l1)),
])
decoder = keras.Sequential([
    layers.Dense(64, activation='relu', name='dec1'),
    layers.Dense(POINTS, name='wave'),
])
signal = keras.Input((POINTS,))
autoencoder = keras.Model(signal, decoder(encoder(signal)))
autoencoder.compile(optimizer=keras.optimizers.Adam(args.lr), loss='mse')
shuffled = rng.permutation(len(train))
noisy = train + args.noise * rng.normal(0, 1, train.shape).astype('float32')
autoencoder.fit(noisy[shuffled], train[shuffled], epochs=args.epochs, batch_size=32, validation_split=0.1, verbose=0)

clean = autoencoder.predict(test + rng.normal(0, 0.3, test.shape).astype('float32'), verbose=0)
explained = 1 - np.mean((clean - test) ** 2) / np.mean((test - test.mean(0)) ** 2)
print('explained', explained)
""",
    score="explained",
    bar=0.85,
    base=0.0,
    faults=(
        Fault(cause="output_range_cannot_reach_targets", old="layers.Dense(POINTS, name='wave')",
              new="layers.Dense(POINTS, activation='sigmoid', name='wave')", layer=("wave",),
              beside=("saturated_units",)),
        Fault(cause="underfitting_capacity", old="'--code', type=int, default=8", new="'--code', type=int, default=1",
              layer=("code",)),
        Fault(cause="regularisation_overwhelms", old="'--l1', type=float, default=1e-5",
              new="'--l1', type=float, default=1.0", layer=("code",), beside=("input_ignored",)),
        Fault(cause="inputs_drowned_in_noise", old="'--noise', type=float, default=0.3",
              new="'--noise', type=float, default=30.0",
              beside=("input_ignored", "inputs_not_scaled", "train_val_preprocessing_mismatch", "overfitting")),
        Fault(cause="labels_shuffled_apart", old="autoencoder.fit(noisy[shuffled], train[shuffled], ",
              new="autoencoder.fit(noisy[shuffled], train, ", beside=("label_noise",)),
        Fault(cause="learning_rate_too_low", old="'--lr', type=float, default=0.003",
              new="'--lr', type=float, default=3e-6", beside=("too_few_steps",)),
        Fault(cause="exploding_gradient", old="optimizer=keras.optimizers.Adam(args.lr), loss='mse'",
              new="optimizer=keras.optimizers.SGD(0.01), loss=lambda a, b: keras.ops.sum((a - b) ** 2)",
              accept=("learning_rate_too_high",), beside=("nan_or_inf_in_data", "dead_units", "oscillation")),
    ),
    seeds=3,
)  # fmt: skip

TAGGER = Program(
    name="prototype_quote_tagger",
    source="""
import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(SEED)
random = np.random.RandomState(SEED)

# for every character: 0 plain, 1 in a quotation, 2 in brackets
ALPHABET = ['<pad>'] + list('abcdefgh ') + ['"', '(', ')']
INDEX = {ch: i for i, ch in enumerate(ALPHABET)}
MAX_LEN = 30


def sentence():
    chars, tags, state = [], [], 0
    for _ in range(random.randint(18, MAX_LEN + 1)):
        u = random.rand()
        if state == 0 and u < 0.12:
            ch, state, tag = '"', 1, 0
        elif state == 0 and u < 0.24:
            ch, state, tag = '(', 2, 0
        elif state == 1 and u < 0.15:
            ch, state, tag = '"', 0, 0
        elif state == 2 and u < 0.15:
            ch, state, tag = ')', 0, 0
        else:
            ch, tag = 'abcdefgh '[random.randint(9)], state
        chars.append(INDEX[ch])
        tags.append(tag)
    return chars, tags


def corpus(n):
    pairs = [sentence() for _ in range(n)]
    pad = keras.utils.pad_sequences
    X = pad([c for c, _ in pairs], maxlen=MAX_LEN, padding='post')
    Y = pad([t for _, t in pairs], maxlen=MAX_LEN, padding='post')
    return X, Y, (X > 0).astype('float32')


X, Y, W = corpus(900)
X_dev, Y_dev, W_dev = corpus(150)
X_test, Y_test, W_test = corpus(200)

EMBED, UNITS = 12, 24
chars = keras.Input((MAX_LEN,), dtype='int32')
h = layers.Embedding(len(ALPHABET), EMBED, name='embed')(chars)
h = layers.GRU(UNITS, return_sequences=True, name='gru')(h)
logits = layers.Dense(3, name='tags')(h)
tagger = keras.Model(chars, logits)
tagger.compile(
    optimizer=keras.optimizers.Adam(0.01, clipnorm=1.0),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    weighted_metrics=['accuracy'],
)
tagger.fit(X, Y, sample_weight=W, validation_data=(X_dev, Y_dev, W_dev), epochs=8, batch_size=32, verbose=0)

guess = tagger.predict(X_test, verbose=0).argmax(-1)
kept = W_test > 0
tag_accuracy = (guess == Y_test)[kept].mean()
print('tagged', tag_accuracy)
""",
    score="tag_accuracy",
    bar=0.93,
    base=0.56,
    faults=(
        Fault(cause="logits_to_probability_loss", old="SparseCategoricalCrossentropy(from_logits=True)",
              new="SparseCategoricalCrossentropy()"),
        Fault(cause="learning_rate_too_high", old="Adam(0.01, clipnorm=1.0)", new="Adam(5.0)",
              beside=("oscillation", "saturated_units", "exploding_gradient")),
        Fault(cause="too_few_steps", old="epochs=8, batch_size=32", new="epochs=1, batch_size=128",
              beside=("learning_rate_too_low",)),
        Fault(cause="underfitting_capacity", old="EMBED, UNITS = 12, 24", new="EMBED, UNITS = 1, 1",
              layer=("gru", "embed")),
        Fault(cause="frozen_or_disconnected", old="logits = layers.Dense(3, name='tags')(h)\n",
              new="logits = layers.Dense(3, name='tags')(keras.ops.stop_gradient(h))\n",
              layer=("gru", "embed")),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (PARCELS, NOSE, GLYPHS, HEART, TAGGER)
