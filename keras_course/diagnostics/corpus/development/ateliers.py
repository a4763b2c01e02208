"""Scripts around a pottery: flaws in a glaze, cracks, profiles of vases and makers' marks."""

from keras_course.diagnostics.corpus import Fault, Program

GLAZE = Program(
    name="atelier_glaze_flaws",
    source="""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

SIZE = 16
BATCH = 32
EPOCHS = 6
FLAWS = ['none', 'crack', 'crawl', 'pinholes', 'run']


def tile(flaw):
    img = 120 + 15 * rng.normal() + rng.normal(0, 12, (SIZE, SIZE))
    depth = rng.uniform(25, 60)
    yy, xx = np.mgrid[:SIZE, :SIZE]
    if flaw == 1:
        a = rng.uniform(0, np.pi)
        d = (xx - rng.uniform(5, 11)) * np.cos(a) + (yy - rng.uniform(5, 11)) * np.sin(a)
        img -= depth * (np.abs(d) < 0.8)
    elif flaw == 2:
        r = np.hypot(xx - rng.uniform(4, 12), yy - rng.uniform(4, 12))
        img += depth * (r < rng.uniform(3, 4.5))
    elif flaw == 3:
        for _ in range(rng.integers(5, 10)):
            img[rng.integers(SIZE), rng.integers(SIZE)] -= 2 * depth
    elif flaw == 4:
        start = rng.integers(2, 9)
        img += depth * np.maximum(yy - start, 0) / 5
    return np.clip(img, 0, 255)


def make_set(per_class):
    labels = np.repeat(np.arange(len(FLAWS)), per_class)
    images = np.stack([tile(k) for k in labels]).astype('uint8')
    return images[..., None], labels


x_train, y_train = make_set(200)
x_val, y_val = make_set(40)
x_test, y_test = make_set(80)


def preprocess(image, label):
    return tf.cast(image, tf.float32) / 127.5 - 1.0, label


train = tf.data.Dataset.from_tensor_slices((x_train, y_train)).map(preprocess)
train = train.shuffle(len(x_train)).batch(BATCH).prefetch(2)
val = tf.data.Dataset.from_tensor_slices((x_val, y_val)).map(preprocess).batch(BATCH)
test = tf.data.Dataset.from_tensor_slices((x_test, y_test)).map(preprocess).batch(BATCH)

BN = dict(momentum=0.9)


def res_block(x, filters, name):
    shortcut = layers.Conv2D(filters, 1, strides=2, name=name + '_skip')(x)
    y = layers.Conv2D(filters, 3, strides=2, padding='same', use_bias=False, name=name + '_conv1')(x)
    y = layers.BatchNormalization(**BN, name=name + '_bn1')(y)
    y = layers.Activation('relu')(y)
    y = layers.Conv2D(filters, 3, padding='same', use_bias=False, name=name + '_conv2')(y)
    y = layers.BatchNormalization(**BN, name=name + '_bn2')(y)
    return layers.Activation('relu')(layers.add([shortcut, y]))


inp = keras.Input((SIZE, SIZE, 1))
h = layers.Conv2D(12, 3, padding='same', activation='relu', name='stem')(inp)
h = res_block(h, 16, 'block1')
h = res_block(h, 32, 'block2')
h = layers.GlobalAveragePooling2D()(h)
logits = layers.Dense(len(FLAWS), name='logits')(h)
model = keras.Model(inp, logits)

total_steps = EPOCHS * len(train)
lr = keras.optimizers.schedules.CosineDecay(5e-3, total_steps)
model.compile(
    optimizer=keras.optimizers.Adam(lr),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=['accuracy'],
)
model.fit(train, validation_data=val, epochs=EPOCHS, verbose=2)
test_accuracy = model.evaluate(test, return_dict=True, verbose=0)['accuracy']
print('flaws told apart:', test_accuracy)
""",
    score="test_accuracy",
    bar=0.8,
    base=0.2,
    faults=(
        Fault(cause="lr_schedule_wrong", old="total_steps = EPOCHS * len(train)", new="total_steps = EPOCHS",
              beside=("too_few_steps", "learning_rate_too_low")),
        Fault(cause="batchnorm_mode", old="BN = dict(momentum=0.9)", new="BN = dict(momentum=0.9995)",
              layer=("block1_bn1", "block1_bn2", "block2_bn1", "block2_bn2"),
              beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="pipeline_order", old=".shuffle(len(x_train)).batch(BATCH)",
              new=".batch(BATCH).shuffle(len(x_train))", accept=("data_sorted",), beside=("batchnorm_mode",)),
        Fault(cause="missing_class", old="x_train, y_train = make_set(200)\n",
              new="x_train, y_train = make_set(200)\nx_train, y_train = x_train[:600], y_train[:600]\n",
              beside=("class_imbalance", "validation_split_sorted")),
        Fault(cause="leakage_duplicates", old="x_test, y_test = make_set(80)\n",
              new="x_test, y_test = make_set(80)\nx_train = np.concatenate([x_train, x_val])\n"
              "y_train = np.concatenate([y_train, y_val])\n", certain=True),
        Fault(cause="train_val_preprocessing_mismatch", old=".from_tensor_slices((x_val, y_val)).map(preprocess)",
              new=".from_tensor_slices((x_val, y_val))", beside=("inputs_not_scaled",), certain=True),
    ),
    seeds=3,
)  # fmt: skip

CRACKS = Program(
    name="atelier_crackle_masks",
    source="""
import numpy as np
import tensorflow as tf
import keras
from keras.layers import Concatenate, Conv2D, Input, MaxPooling2D, UpSampling2D

keras.utils.set_random_seed(SEED)
np.random.seed(SEED)

IMG = 24


def photo():
    # light comes from the side, the glaze has spots, the crackle is one or two dark wavy lines
    y, x = np.mgrid[0:IMG, 0:IMG]
    img = 150 + np.random.uniform(-2, 2) * x + np.random.uniform(-2, 2) * y
    for _ in range(6):
        cy, cx = np.random.randint(0, IMG, 2)
        img -= 50 * (np.hypot(y - cy, x - cx) < 1.7)
    mask = np.zeros((IMG, IMG), bool)
    for _ in range(np.random.randint(1, 3)):
        t = np.random.uniform(4, IMG - 4) + 2 * np.sin(np.arange(IMG) / np.random.uniform(2, 5))
        line = np.abs(y - t[None, :]) < 1
        mask |= line if np.random.rand() < 0.5 else line.T
    img = img - 45 * mask + np.random.normal(0, 12, img.shape)
    return np.clip(img, 0, 255).astype(np.uint8), (mask * 255).astype(np.uint8)


def load(n):
    pairs = [photo() for _ in range(n)]
    images = np.array([p[0] for p in pairs])[..., None] / 255.0 - 0.5
    masks = np.array([p[1] for p in pairs])[..., None] / 255
    return images.astype('float32'), masks.astype('float32')


train_x, train_y = load(320)
val_x, val_y = load(60)
test_x, test_y = load(80)


def conv(n, x, name):
    return Conv2D(n, 3, padding='same', activation='relu', name=name)(x)


def unet(f=8):
    inputs = Input((IMG, IMG, 1))
    c1 = conv(f, inputs, 'down1')
    c2 = conv(2 * f, MaxPooling2D()(c1), 'down2')
    c3 = conv(4 * f, MaxPooling2D()(c2), 'bottom')
    u2 = conv(2 * f, Concatenate()([UpSampling2D()(c3), c2]), 'up2')
    u1 = conv(f, Concatenate()([UpSampling2D()(u2), c1]), 'up1')
    return keras.Model(inputs, Conv2D(1, 1, name='mask')(u1))


net = unet()
optimizer = keras.optimizers.Adam(5e-3)
POS_WEIGHT = 2.0   # few pixels are crack


@tf.function
def step(x, y):
    x = x + tf.random.normal(tf.shape(x), stddev=0.02)
    with tf.GradientTape() as tape:
        out = net(x, training=True)
        loss = tf.reduce_mean(tf.nn.weighted_cross_entropy_with_logits(y, out, POS_WEIGHT))
    grads = tape.gradient(loss, net.trainable_weights)
    optimizer.apply_gradients(zip(grads, net.trainable_weights))
    return loss


def iou(x, y):
    guess = net(x, training=False).numpy() > 0
    return np.sum(guess & (y > 0.5)) / np.sum(guess | (y > 0.5))


batches = tf.data.Dataset.from_tensor_slices((train_x, train_y)).shuffle(320).batch(16)
for epoch in range(8):
    mean_loss = np.mean([step(x, y).numpy() for x, y in batches])
    print('epoch', epoch, 'loss', mean_loss, 'val iou', iou(val_x, val_y))

test_iou = iou(test_x, test_y)
print('test iou', test_iou)
""",
    score="test_iou",
    bar=0.55,
    base=0.12,
    faults=(
        Fault(cause="label_encoding", old="[..., None] / 255\n", new="[..., None]\n",
              beside=("targets_not_scaled", "output_range_cannot_reach_targets", "exploding_gradient")),
        Fault(cause="optimiser_not_applied",
              old="    optimizer.apply_gradients(zip(grads, net.trainable_weights))\n    return loss\n",
              new="    return loss\n", beside=("frozen_or_disconnected",)),
        Fault(cause="probabilities_to_logits_loss", old="Conv2D(1, 1, name='mask')(u1)",
              new="Conv2D(1, 1, activation='sigmoid', name='mask')(u1)", layer=("mask",)),
        Fault(cause="underfitting_capacity", old="net = unet()", new="net = unet(f=1)"),
        Fault(cause="inputs_drowned_in_noise", old="stddev=0.02", new="stddev=2.0",
              beside=("train_val_preprocessing_mismatch", "input_ignored")),
        Fault(cause="learning_rate_too_low", old="Adam(5e-3)", new="Adam(5e-6)", beside=("too_few_steps",)),
        Fault(cause="label_noise", old="test_x, test_y = load(80)\n",
              new="test_x, test_y = load(80)\n"
              "train_y = np.abs(train_y - (np.random.rand(*train_y.shape) < 0.35)).astype('float32')\n",
              beside=("class_imbalance",)),
    ),
    seeds=3,
)  # fmt: skip

VASES = Program(
    name="atelier_vase_profiles_vae",
    source="""
import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
HEIGHTS = 40


def profiles(n):
    '''radius (mm) of a thrown vase at 40 heights: foot, belly, neck, lip'''
    h = np.linspace(0, 1, HEIGHTS)[None]
    foot = rng.uniform(25, 45, (n, 1))
    belly = rng.uniform(30, 80, (n, 1))
    where = rng.uniform(0.25, 0.65, (n, 1))
    width = rng.uniform(0.12, 0.3, (n, 1))
    lip = rng.uniform(0, 40, (n, 1))
    r = foot + belly * np.exp(-((h - where) / width) ** 2) + lip * h ** 6
    return r + rng.normal(0, 1.0, r.shape)


r_train, r_val, r_test = profiles(1500), profiles(300), profiles(300)
mean, std = r_train.mean(axis=0), r_train.std()
x_train = ((r_train - mean) / std).astype('float32')
x_val = ((r_val - mean) / std).astype('float32')
x_test = ((r_test - mean) / std).astype('float32')


class VAE(keras.Model):
    def __init__(self, latent=4, beta=0.5, **kw):
        super().__init__(**kw)
        self.latent = latent
        self.beta = beta
        self.encoder = keras.Sequential([
            layers.Dense(64, activation='tanh', name='enc_hidden'),
            layers.Dense(2 * latent, name='enc_out'),
        ], name='encoder')
        self.decoder = keras.Sequential([
            layers.Dense(64, activation='tanh', name='dec_hidden'),
            layers.Dense(HEIGHTS, name='dec_out'),
        ], name='decoder')
        self.seed = keras.random.SeedGenerator(SEED)
        self.loss_tracker = keras.metrics.Mean(name='loss')

    def call(self, x):
        mu, logvar = ops.split(self.encoder(x), 2, axis=-1)
        eps = keras.random.normal(ops.shape(mu), seed=self.seed)
        z = mu + ops.exp(0.5 * logvar) * eps
        kl = 0.5 * ops.sum(ops.square(mu) + ops.exp(logvar) - logvar - 1, axis=-1)
        return self.decoder(z), kl

    @property
    def metrics(self):
        return [self.loss_tracker]

    def elbo(self, x):
        out, kl = self(x)
        rec = 0.5 * ops.sum(ops.square(x - out), axis=-1) / 0.05
        return ops.mean(rec + self.beta * kl)

    def train_step(self, x):
        with tf.GradientTape() as tape:
            loss = self.elbo(x)
        weights = self.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
        self.loss_tracker.update_state(loss)
        return {'loss': self.loss_tracker.result()}

    def test_step(self, x):
        self.loss_tracker.update_state(self.elbo(x))
        return {'loss': self.loss_tracker.result()}


vae = VAE()
vae.compile(optimizer=keras.optimizers.Adam(3e-3))
vae.fit(x_train, epochs=25, batch_size=32, validation_data=(x_val,), verbose=0)

rebuilt, _ = vae(x_test)
rebuilt = ops.convert_to_numpy(rebuilt)
explained = 1 - np.mean((rebuilt - x_test) ** 2) / np.mean(x_test ** 2)
print(f'variance explained on vases not seen: {explained:.3f}')
""",
    score="explained",
    bar=0.85,
    base=0.0,
    faults=(
        Fault(cause="regularisation_overwhelms", old="latent=4, beta=0.5", new="latent=4, beta=300.0",
              beside=("input_ignored",)),
        Fault(cause="input_ignored", old="z = mu + ops.exp(0.5 * logvar) * eps", new="z = eps",
              beside=("frozen_or_disconnected",)),
        Fault(cause="underfitting_capacity", old="latent=4, beta=0.5", new="latent=1, beta=0.5"),
        Fault(cause="saturated_units", old="layers.Dense(64, activation='tanh', name='enc_hidden')",
              new="layers.Dense(64, activation='tanh', kernel_initializer=keras.initializers.RandomUniform(0, 10), "
              "name='enc_hidden')", layer=("enc_hidden",), accept=("init_scale",),
              beside=("vanishing_gradient", "exploding_gradient")),
        Fault(cause="too_few_steps", old="epochs=25, batch_size=32", new="epochs=1, batch_size=256"),
        Fault(cause="frozen_or_disconnected", old="        weights = self.trainable_weights\n",
              new="        weights = self.decoder.trainable_weights\n", layer=("enc_hidden", "enc_out")),
    ),
    seeds=3,
)  # fmt: skip

STAMPS = Program(
    name="atelier_makers_marks",
    source="""
import keras
import numpy as np
from keras import layers, ops

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

# Are two impressions made with the same stamp? Contrastive loss (Hadsell et al. 2006) on pairs.
MAKERS = 12
SIDE = 14
stamps = (np.kron(rng.random((MAKERS, 5, 5)) < 0.45, np.ones((2, 2))) * 1.0)


def impression(m):
    clay = rng.normal(110, 18, (SIDE, SIDE))
    r, c = rng.integers(1, 4, 2)
    clay[r:r + 10, c:c + 10] += stamps[m] * rng.uniform(60, 110)
    return np.clip(clay, 0, 255)


def impressions(n):
    maker = rng.integers(0, MAKERS, n)
    return np.array([impression(m) for m in maker])[..., None], maker


def scale(images):
    return (images.astype('float32') - 128.0) / 64.0


train_images, train_makers = impressions(700)
val_images, val_makers = impressions(150)
test_images, test_makers = impressions(300)
train_images, val_images, test_images = scale(train_images), scale(val_images), scale(test_images)


def pairs(images, makers, n):
    '''half of the pairs are of one maker; 1 = same'''
    first = rng.integers(0, len(images), n)
    second = rng.integers(0, len(images), n)
    for i in range(0, n, 2):
        second[i] = rng.choice(np.flatnonzero(makers == makers[first[i]]))
    same = (makers[first] == makers[second]).astype('float32')
    return [images[first], images[second]], same


tower = keras.Sequential([
    layers.Input((SIDE, SIDE, 1)),
    layers.Conv2D(12, 3, activation='relu', name='conv1'),
    layers.MaxPooling2D(2),
    layers.Conv2D(24, 3, activation='relu', name='conv2'),
    layers.Flatten(),
    layers.Dense(48, activation='relu', name='fc'),
    layers.Dense(12, name='code'),
], name='tower')
left = layers.Input((SIDE, SIDE, 1))
right = layers.Input((SIDE, SIDE, 1))
gap = tower(left) - tower(right)
distance = ops.sqrt(ops.sum(gap ** 2, axis=-1, keepdims=True) + 1e-8)
siamese = keras.Model([left, right], distance)

MARGIN = 1.5


def contrastive(same, d):
    return ops.mean(same * d ** 2 + (1 - same) * ops.maximum(MARGIN - d, 0) ** 2)


siamese.compile(optimizer=keras.optimizers.Adam(2e-3), loss=contrastive)


def verified(images, makers):
    x, same = pairs(images, makers, 600)
    d = siamese.predict_on_batch(x)[:, 0]
    return np.mean((d < MARGIN / 2) == (same == 1))


ITERATIONS = 250
history = []
for it in range(ITERATIONS):
    x, same = pairs(train_images, train_makers, 64)
    history.append(siamese.train_on_batch(x, same[:, None]))
    if it % 50 == 49:
        print(it + 1, 'loss', history[-1], 'val', verified(val_images, val_makers))

score = verified(test_images, test_makers)
print('pairs judged rightly:', score)
""",
    score="score",
    bar=0.82,
    base=0.5,
    faults=(
        Fault(cause="inputs_scaled_twice",
              old="train_images, val_images, test_images = scale(train_images), scale(val_images), "
              "scale(test_images)\n",
              new="train_images, val_images, test_images = [scale(scale(im)) for im in "
              "(train_images, val_images, test_images)]\n"),
        Fault(cause="learning_rate_too_high", old="keras.optimizers.Adam(2e-3)", new="keras.optimizers.Adam(0.5)",
              beside=("dead_units", "exploding_gradient", "oscillation")),
        Fault(cause="label_encoding", old="    same = (makers[first] == makers[second]).astype('float32')\n"
              "    return [images[first], images[second]], same\n",
              new="    same = (makers[first] == makers[second]).astype('float32')\n"
              "    return [images[first], images[second]], 1 - same\n"),
        Fault(cause="too_few_steps", old="ITERATIONS = 250", new="ITERATIONS = 15"),
        Fault(cause="dead_units", old="layers.Dense(48, activation='relu', name='fc')",
              new="layers.Dense(48, activation='relu', bias_initializer=keras.initializers.Constant(-25.), name='fc')",
              layer=("fc",), beside=("input_ignored", "frozen_or_disconnected", "vanishing_gradient")),
        Fault(cause="inputs_drowned_in_noise", old="    x, same = pairs(train_images, train_makers, 64)\n",
              new="    x, same = pairs(train_images, train_makers, 64)\n"
              "    x = [im + rng.normal(0, 12, im.shape) for im in x]\n",
              beside=("train_val_preprocessing_mismatch", "inputs_not_scaled", "input_ignored")),
    ),
    seeds=3,
)  # fmt: skip

KILN = Program(
    name="atelier_kiln_logs",
    source="""
import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

# One firing = 60 readings of temperature (C) and draught (Pa) while the kiln cools.
# Pots crack when the kiln passes the quartz inversion (573 C) too fast.
STEPS = 60


def firing():
    minutes = np.arange(STEPS)
    rate = np.repeat(rng.uniform(8, 26, 12), 5)            # C per reading, the damper is moved now and then
    temp = 1050 - np.cumsum(rate)
    draught = 4 + 0.5 * rate + rng.normal(0, 2.0, STEPS)
    at_quartz = rate[np.argmin(np.abs(temp - 573))]
    cracked = at_quartz + rng.normal(0, 1.0) > 17
    temp = temp + 6 * np.sin(minutes / 3) + rng.normal(0, 4, STEPS)
    return np.stack([temp, draught], axis=1), cracked


def firings(n):
    logs = [firing() for _ in range(n)]
    return np.array([x for x, _ in logs], 'float32'), np.array([y for _, y in logs], 'float32')


N_TRAIN, EPOCHS, BATCH = 1500, 15, 32
x_train, y_train = firings(N_TRAIN)
x_val, y_val = firings(300)
x_test, y_test = firings(500)

mean, std = x_train.mean(axis=(0, 1)), x_train.std(axis=(0, 1))
x_train = (x_train - mean) / std
x_val = (x_val - mean) / std
x_test = (x_test - mean) / std


class KilnModel(keras.Model):
    def __init__(self, units=24, l2=1e-5):
        super().__init__()
        reg = keras.regularizers.L2(l2)
        self.local = layers.Conv1D(units, 5, padding='same', activation='relu', kernel_regularizer=reg, name='local')
        self.wide = layers.Conv1D(units, 5, padding='same', activation='relu', kernel_regularizer=reg, name='wide')
        self.pool = layers.GlobalMaxPooling1D()
        self.hidden = layers.Dense(16, activation='relu', kernel_regularizer=reg, name='hidden')
        self.crack = layers.Dense(1, name='crack')

    def call(self, x):
        h = self.wide(self.local(x))
        h = self.hidden(self.pool(h))
        return self.crack(h)


model = KilnModel()
model.compile(
    optimizer=keras.optimizers.Adam(0.005),
    loss=keras.losses.BinaryCrossentropy(from_logits=True),
    metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)],
)
history = model.fit(x_train, y_train, batch_size=BATCH, epochs=EPOCHS, validation_data=(x_val, y_val), verbose=0)
for key, values in history.history.items():
    print(key, np.round(values[-3:], 3))

cracked = model.predict(x_test, verbose=0)[:, 0] > 0
hit = np.mean(cracked == (y_test == 1))
print('test accuracy', hit)
""",
    score="hit",
    bar=0.78,
    base=0.6,
    faults=(
        Fault(cause="loss_metric_inconsistent", old="keras.metrics.BinaryAccuracy(threshold=0.0)",
              new="keras.metrics.Accuracy()", certain=True, accept=("wrong_metric",)),
        Fault(cause="train_val_preprocessing_mismatch", old="x_val = (x_val - mean) / std\n", new="",
              certain=True, beside=("inputs_not_scaled",)),
        Fault(cause="regularisation_overwhelms", old="units=24, l2=1e-5", new="units=24, l2=0.5",
              layer=("local", "wide", "hidden"), beside=("input_ignored", "vanishing_gradient", "dead_units")),
        Fault(cause="overfitting", old="N_TRAIN, EPOCHS, BATCH = 1500, 15, 32",
              new="N_TRAIN, EPOCHS, BATCH = 32, 60, 8"),
        Fault(cause="label_noise", old="x_val, y_val = firings(300)\n",
              new="flip = rng.random(N_TRAIN) < 0.42\ny_train = np.where(flip, 1 - y_train, y_train)\n"
              "x_val, y_val = firings(300)\n", beside=("overfitting", "labels_shuffled_apart")),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [GLAZE, CRACKS, VASES, STAMPS, KILN]
