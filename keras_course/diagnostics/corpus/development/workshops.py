"""Programs from the hands-on part of workshops: a small vision transformer, sine networks, bags, diffusion, sets."""

from keras_course.diagnostics.corpus import Fault, Program

VIT = Program(
    name="workshop_digits_vit",
    odd="a warm-up of a sixth of the training, then a cosine to nothing; a grain on the pictures",
    source="""
import math

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from sklearn.datasets import load_digits

keras.utils.set_random_seed(SEED)
digits = load_digits()
perm = np.random.permutation(len(digits.target))
images = (digits.images[perm] / 16.0)[..., None].astype('float32')
labels = digits.target[perm]
x_train, y_train, x_val, y_val = images[:1400], labels[:1400], images[1400:], labels[1400:]

EPOCHS, BATCH, DIM = 6, 32, 32
total_steps = EPOCHS * math.ceil(len(x_train) / BATCH)


class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, peak, warmup, total):
        self.peak, self.warmup, self.total = peak, warmup, total

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        cosine = 0.5 * (1 + tf.cos(np.pi * tf.minimum((step - self.warmup) / (self.total - self.warmup), 1.0)))
        return self.peak * tf.where(step < self.warmup, (step + 1) / self.warmup, cosine)


def augment(image, label):
    return image + tf.random.normal(tf.shape(image), stddev=0.05), label


train = tf.data.Dataset.from_tensor_slices((x_train, y_train)).cache().shuffle(1400).batch(BATCH)
train = train.map(augment).prefetch(tf.data.AUTOTUNE)
val = tf.data.Dataset.from_tensor_slices((x_val, y_val)).batch(128)


class Tokens(layers.Layer):
    def build(self, shape):
        self.cls = self.add_weight(shape=(1, 1, DIM), initializer='random_normal', name='cls')
        self.pos = self.add_weight(shape=(1, shape[1] + 1, DIM), initializer='random_normal', name='pos')

    def call(self, x):
        cls = ops.broadcast_to(self.cls, (ops.shape(x)[0], 1, DIM))
        return ops.concatenate([cls, x], axis=1) + self.pos


inputs = keras.Input((8, 8, 1))
patches = layers.Conv2D(DIM, 2, strides=2, name='patches')(inputs)
tokens = Tokens(name='tokens')(layers.Reshape((16, DIM))(patches))
encoded = tokens
for i in range(2):
    a = layers.LayerNormalization()(encoded)
    encoded = encoded + layers.MultiHeadAttention(4, 8, name=f'att{i}')(a, a)
    f = layers.LayerNormalization()(encoded)
    f = layers.Dense(64, activation='gelu', name=f'up{i}')(f)
    encoded = encoded + layers.Dense(DIM, name=f'down{i}')(f)
head = layers.Dense(10, name='head')(layers.LayerNormalization()(encoded[:, 0]))
vit = keras.Model(inputs, head)
vit.compile(
    optimizer=keras.optimizers.AdamW(WarmupCosine(3e-3, total_steps // 6, total_steps), weight_decay=1e-3),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=['accuracy'],
)
vit.fit(train, epochs=EPOCHS, validation_data=val, verbose=0)
""",
    score="np.mean(vit.predict(x_val, verbose=0).argmax(1) == y_val)",
    bar=0.85,
    base=0.1,
    faults=(
        Fault(cause="input_ignored", old="(encoded[:, 0])", new="(tokens[:, 0])", accept=("frozen_or_disconnected",)),
        Fault(cause="inputs_scaled_twice", old="inputs = keras.Input((8, 8, 1))\n"
              "patches = layers.Conv2D(DIM, 2, strides=2, name='patches')(inputs)",
              new="inputs = keras.Input((8, 8, 1))\n"
              "patches = layers.Rescaling(1 / 255.0)(inputs)\n"
              "patches = layers.Conv2D(DIM, 2, strides=2, name='patches')(patches)"),
        Fault(cause="lr_schedule_wrong", old="WarmupCosine(3e-3, total_steps // 6, total_steps)",
              new="WarmupCosine(3e-3, 30000, 300000)", beside=("learning_rate_too_low", "too_few_steps")),
        Fault(cause="learning_rate_too_high", old="WarmupCosine(3e-3,", new="WarmupCosine(0.3,"),
        Fault(cause="inputs_drowned_in_noise", old="stddev=0.05), label", new="stddev=3.0), label",
              beside=("train_val_preprocessing_mismatch",)),
    ),
    pairs=(("inputs_scaled_twice", "lr_schedule_wrong"),),
    seeds=3,
)  # fmt: skip

SIREN = Program(
    name="workshop_photo_sine_network",
    odd="sines for activations, and the whole picture in each step",
    source="""
import keras
import numpy as np
import tensorflow as tf

tf.random.set_seed(SEED)
rng = np.random.default_rng(SEED)
SIDE, WIDTH, OMEGA = 40, 64, 10.0
axis = np.arange(SIDE) / (SIDE - 1) * 2 - 1
u, v = np.meshgrid(axis, axis, indexing='ij')
photo = np.sin(7 * u + 2 * np.cos(4 * v)) + 0.6 * np.cos(9 * v - 3 * u) + np.where(u ** 2 + (v - 0.2) ** 2 < 0.2, 0.9, 0)
photo = 2 * (photo - photo.min()) / (photo.max() - photo.min()) - 1
where = np.stack([u.ravel(), v.ravel()], 1).astype('float32')
grey = photo.reshape(-1, 1).astype('float32')
seen = rng.random(len(where)) < 0.75

sizes = [2, WIDTH, WIDTH, 1]
W, B = [], []
for i in range(3):
    limit = 1 / sizes[i] if i == 0 else np.sqrt(6 / sizes[i]) / OMEGA
    W.append(tf.Variable(tf.random.uniform((sizes[i], sizes[i + 1]), -limit, limit), name=f'W{i}'))
    B.append(tf.Variable(tf.zeros(sizes[i + 1]), name=f'B{i}'))


def picture(p):
    h = tf.sin(OMEGA * (p @ W[0] + B[0]))
    h = tf.sin(OMEGA * (h @ W[1] + B[1]))
    return h @ W[2] + B[2]


adam = keras.optimizers.Adam(learning_rate=1e-3)
adam.build(W + B)


@tf.function
def step(p, g):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(picture(p) - g))
    adam.apply(tape.gradient(loss, W + B), W + B)
    return loss


curve = []
for it in range(500):
    curve.append(float(step(where[seen], grey[seen])))
""",
    score="1 - float(np.mean((picture(where[~seen]).numpy() - grey[~seen]) ** 2) / np.var(grey[~seen]))",
    bar=0.8,
    base=0.0,
    faults=(
        Fault(cause="init_scale", old="1 / sizes[i] if i == 0 else np.sqrt(6 / sizes[i]) / OMEGA", new="1.0",
              layer=("W1", "W[1]", "W0", "W[0]")),
        Fault(cause="symmetric_or_zero_init", old="tf.random.uniform((sizes[i], sizes[i + 1]), -limit, limit)",
              new="tf.ones((sizes[i], sizes[i + 1])) * limit", layer=("W1", "W[1]", "W0", "W[0]")),
        Fault(cause="inputs_not_scaled", old="where = np.stack([u.ravel(), v.ravel()], 1)",
              new="where = np.stack(np.indices((SIDE, SIDE)), -1).reshape(-1, 2)"),
        Fault(cause="output_range_cannot_reach_targets", old="return h @ W[2] + B[2]",
              new="return tf.nn.relu(h @ W[2] + B[2])", beside=("dead_units",)),
        Fault(cause="missing_nonlinearity", old="    h = tf.sin(OMEGA * (h @ W[1] + B[1]))\n    return",
              new="    h = OMEGA * (p @ W[0] + B[0]) @ W[1] + B[1]\n    return"),
        Fault(cause="underfitting_capacity", old="SIDE, WIDTH, OMEGA = 40, 64, 10.0",
              new="SIDE, WIDTH, OMEGA = 40, 2, 10.0"),
    ),
    seeds=3,
)  # fmt: skip

BAGS = Program(
    name="workshop_slides_attention_bags",
    odd="one bag in fourteen is positive, weighted by class",
    source="""
import keras
import numpy as np
from keras import layers, ops

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
BAGS, TILES, F = 2200, 12, 10
tumour = (rng.random(BAGS) < 0.07).astype('float32')
slides = rng.normal(size=(BAGS, TILES, F)).astype('float32')
for bag in range(BAGS):
    if tumour[bag]:
        spots = rng.choice(TILES, rng.integers(1, 4), replace=False)
        slides[bag, spots, :3] += [1.8, -1.8, 1.8]
order = rng.permutation(BAGS)
train, test = order[:1600], order[1600:]


class Slide(keras.Model):
    def __init__(self):
        super().__init__()
        self.tile = layers.Dense(32, activation='relu', name='tile')
        self.drop = layers.Dropout(0.2, name='drop')
        self.gate = layers.Dense(16, activation='tanh', name='gate')
        self.attention = layers.Dense(1, name='attention')
        self.verdict = layers.Dense(1, name='verdict')

    def call(self, bags, training=False):
        h = self.drop(self.tile(bags), training=training)
        weight = ops.softmax(self.attention(self.gate(h)), axis=1)
        pooled = ops.sum(weight * h, axis=1)
        return self.verdict(pooled)


net = Slide()
net.compile(
    optimizer=keras.optimizers.Adam(0.003),
    loss=keras.losses.BinaryCrossentropy(from_logits=True),
    metrics=[keras.metrics.BinaryAccuracy(threshold=0.0), keras.metrics.AUC(from_logits=True)],
)
weights = {0: 1.0, 1: float((tumour[train] == 0).sum() / tumour[train].sum())}
net.fit(
    slides[train],
    tumour[train],
    epochs=8,
    batch_size=32,
    class_weight=weights,
    validation_data=(slides[test], tumour[test]),
    verbose=0,
)
found = net.predict(slides[test], verbose=0)[:, 0] > 0
truth = tumour[test] == 1
""",
    score="(np.mean(found[truth]) + np.mean(~found[~truth])) / 2",
    bar=0.75,
    base=0.5,
    faults=(
        Fault(cause="class_imbalance", old="    class_weight=weights,\n", new=""),
        Fault(cause="softmax_on_single_unit", old="layers.Dense(1, name='verdict')",
              new="layers.Dense(1, activation='softmax', name='verdict')", layer=("verdict",),
              beside=("probabilities_to_logits_loss",)),
        Fault(cause="input_ignored", old="ops.sum(weight * h, axis=1)", new="ops.sum(weight, axis=1)",
              accept=("frozen_or_disconnected",)),
        Fault(cause="leakage_duplicates", old="order = rng.permutation(BAGS)\ntrain, test = order[:1600], order[1600:]",
              new="order = np.concatenate([np.arange(BAGS), np.repeat(np.flatnonzero(tumour), 6)])  # balance\n"
              "rng.shuffle(order)\ntrain, test = order[:2200], order[2200:]", certain=True),
        Fault(cause="dropout_mode", old="self.tile(bags), training=training)", new="self.tile(bags), training=True)",
              layer=("drop",), certain=True),
        Fault(cause="wrong_metric", old="metrics=[keras.metrics.BinaryAccuracy(threshold=0.0), keras.metrics.AUC(from_logits=True)]",
              new="metrics=['categorical_accuracy']", certain=True),
    ),
    seeds=3,
)  # fmt: skip

DIFFUSION = Program(
    name="workshop_swiss_roll_diffusion",
    odd="a loss that stays far from nothing, as noise cannot be foreseen",
    source="""
import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
angle = 1.5 * np.pi * (1 + 2 * rng.random(2400))
roll = np.stack([angle * np.cos(angle), angle * np.sin(angle)], 1) + rng.normal(0, 0.2, (2400, 2))
roll = ((roll - roll.mean(0)) / roll.std(0)).astype('float32')
train, held = roll[:2000], roll[2000:]
T = 40
alpha_bar = np.cos((np.arange(T) + 1) / (T + 1) * np.pi / 2).astype('float32') ** 2


class Denoiser(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden = [keras.layers.Dense(96, activation='silu', name=f'hidden{i}') for i in range(3)]
        self.noise = keras.layers.Dense(2, name='noise')

    def call(self, inputs):
        x, t = inputs
        phase = tf.cast(t, tf.float32)[:, None] / T * np.pi * tf.constant([[0.5, 1.0, 2.0]])
        h = tf.concat([x, tf.sin(phase), tf.cos(phase)], axis=1)
        for layer in self.hidden:
            h = layer(h)
        return self.noise(h)

    def train_step(self, x):
        t = tf.random.uniform((tf.shape(x)[0],), 0, T, dtype=tf.int32)
        keep = tf.gather(alpha_bar, t)[:, None]
        eps = tf.random.normal(tf.shape(x))
        noisy = tf.sqrt(keep) * x + tf.sqrt(1 - keep) * eps
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(self((noisy, t), training=True) - eps))
        grads = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(grads, self.trainable_variables))
        return {'loss': loss}


model = Denoiser()
model.compile(optimizer=keras.optimizers.Adam(2e-3))
model.fit(train, batch_size=50, epochs=25, verbose=0)

t = rng.integers(T // 4, T, 400)
eps = rng.normal(size=held.shape).astype('float32')
noisy = np.sqrt(alpha_bar[t])[:, None] * held + np.sqrt(1 - alpha_bar[t])[:, None] * eps
foreseen = model((noisy, t)).numpy()
""",
    score="1 - float(np.mean((foreseen - eps) ** 2))",
    bar=0.5,
    base=0.0,
    faults=(
        Fault(cause="labels_shuffled_apart", old="self((noisy, t), training=True) - eps",
              new="self((noisy, t), training=True) - tf.random.normal(tf.shape(x))",
              accept=("label_noise",)),
        Fault(cause="optimiser_not_applied", old="        self.optimizer.apply_gradients(zip(grads, self.trainable_variables))\n",
              new="        self.optimizer.build(self.trainable_variables)\n"),
        Fault(cause="learning_rate_too_high", old="Adam(2e-3)", new="Adam(0.5)", beside=("saturated_units",)),
        Fault(cause="underfitting_capacity", old="keras.layers.Dense(96, activation='silu', name=f'hidden{i}')",
              new="keras.layers.Dense(1, activation='silu', name=f'hidden{i}')",
              layer=("hidden0", "hidden1", "hidden2")),
        Fault(cause="symmetric_or_zero_init", old="activation='silu', name",
              new="activation='silu', kernel_initializer='zeros', name", layer=("hidden0", "hidden1", "hidden2")),
        Fault(cause="learning_rate_too_low", old="Adam(2e-3)", new="Adam(1e-6)", beside=("too_few_steps",)),
    ),
    seeds=3,
)  # fmt: skip

SETS = Program(
    name="workshop_sum_of_digit_sets",
    odd="sets are drawn anew in each epoch, and their labels are numbers",
    source="""
import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

keras.utils.set_random_seed(SEED)
pixels, digit = load_digits(return_X_y=True)
pixels = (pixels / 16.0).astype('float32')
mix = np.random.default_rng(SEED).permutation(len(digit))
pool_train, pool_val = mix[:1300], mix[1300:]
SIZE = 4


class SetsOfDigits(keras.utils.PyDataset):
    def __init__(self, pool, batches, seed, **kw):
        super().__init__(**kw)
        self.pool, self.batches, self.rng = pool, batches, np.random.default_rng(seed)

    def __len__(self):
        return self.batches

    def __getitem__(self, index):
        rows = self.rng.choice(self.pool, (32, SIZE))
        total = digit[rows].sum(1)
        return pixels[rows], ((total - 18.0) / 5.8).astype('float32')[:, None]


class EachDigit(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.optimizer.learning_rate = 0.003 * 0.85 ** (epoch + 1)


x_in = keras.Input((SIZE, 64), name='pictures')
h = layers.Dense(96, activation='relu', name='read')(x_in)
h = layers.Dense(48, activation='relu', name='value')(h)
pooled = layers.Lambda(lambda t: keras.ops.sum(t, axis=1), output_shape=(48,))(h)
h = layers.Dense(32, activation='relu', name='add')(pooled)
y_out = layers.Dense(1, name='total')(h)
net = keras.Model(x_in, y_out)
net.compile(keras.optimizers.Adam(0.003), loss='mse', metrics=['mae'])
net.fit(
    SetsOfDigits(pool_train, 50, SEED),
    validation_data=SetsOfDigits(pool_val, 8, 1000 + SEED),
    epochs=10,
    callbacks=[EachDigit()],
    verbose=0,
)
probe = [SetsOfDigits(pool_val, 1, 77)[0] for _ in range(6)]
x_probe, y_probe = (np.concatenate(part) for part in zip(*probe))
""",
    score="1 - float(np.mean((net.predict(x_probe, verbose=0) - y_probe) ** 2) / np.var(y_probe))",
    bar=0.75,
    base=0.0,
    faults=(
        Fault(cause="wrong_loss_for_task", old="loss='mse', metrics=['mae']",
              new="loss=keras.losses.BinaryCrossentropy(from_logits=True), metrics=['mae']",
              beside=("wrong_head_for_labels",)),
        Fault(cause="output_range_cannot_reach_targets", old="layers.Dense(1, name='total')(h)",
              new="layers.Dense(1, activation='sigmoid', name='total')(h)", layer=("total",)),
        Fault(cause="wrong_metric", old="metrics=['mae']", new="metrics=['accuracy']", certain=True),
        Fault(cause="labels_shuffled_apart", old="total = digit[rows].sum(1)",
              new="total = digit[self.rng.permutation(rows)].sum(1)",
              accept=("label_noise",)),
        Fault(cause="nan_or_inf_in_data", old="pixels = (pixels / 16.0).astype('float32')",
              new="pixels = ((pixels - pixels.mean(0)) / pixels.std(0)).astype('float32')"),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [VIT, SIREN, BAGS, DIFFUSION, SETS]
