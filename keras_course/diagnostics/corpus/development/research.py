"""Scripts beside papers: metric learning, latent codes, survival, mixing of images. Written before any verdict on them."""

from keras_course.diagnostics.corpus import Fault, Program

TRIPLETS = Program(
    name="voiceprints_batch_hard",
    odd="no output layer and no labels in the loss but who is who; the loss stays near its margin for a while",
    source='''
"""Batch-hard triplets for speaker vectors (toy reproduction)."""
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
import keras
from keras import layers, ops


@dataclass
class Config:
    speakers: int = 12
    per_speaker: int = 110
    dim: int = 32
    embedding: int = 16
    margin: float = 0.3
    lr: float = 2e-3
    epochs: int = 14
    p: int = 8      # speakers in a batch
    k: int = 6      # utterances of each


cfg = Config()
keras.utils.set_random_seed(SEED)
rs = np.random.RandomState(SEED + 5)

centroids = rs.randn(cfg.speakers, 8)
who = np.repeat(np.arange(cfg.speakers), cfg.per_speaker)
identity = centroids[who] + 0.3 * rs.randn(len(who), 8)
channel = 2.0 * rs.randn(len(who), cfg.dim - 8)                 # microphone, room, mood
mixing, _ = np.linalg.qr(rs.randn(cfg.dim, cfg.dim))
utterances = np.concatenate([identity, channel], 1) @ mixing
utterances = (utterances - utterances.mean(0)) / utterances.std(0)
is_test = np.arange(len(who)) % cfg.per_speaker >= 80
x_train, who_train = utterances[~is_test].astype("float32"), who[~is_test]
x_test, who_test = utterances[is_test].astype("float32"), who[is_test]


class PKBatches(keras.utils.PyDataset):
    """P speakers, K utterances of each."""

    def __init__(self, x, y, steps, **kwargs):
        super().__init__(**kwargs)
        self.x, self.y, self.steps = x, y, steps
        self.rows = [np.flatnonzero(y == s) for s in np.unique(y)]

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        chosen = np.random.choice(len(self.rows), cfg.p, replace=False)
        rows = np.concatenate([np.random.choice(self.rows[s], cfg.k, replace=False) for s in chosen])
        return self.x[rows], self.y[rows]


class TripletNet(keras.Model):
    def __init__(self, margin):
        super().__init__()
        self.margin = margin
        self.body = keras.Sequential([
            layers.Dense(96, activation="relu", name="body_1"),
            layers.Dense(48, activation="relu", name="body_2"),
        ])
        self.project = layers.Dense(cfg.embedding, use_bias=False, name="project")
        self.loss_tracker = keras.metrics.Mean(name="loss")

    def call(self, x):
        e = self.project(self.body(x))
        return e / (ops.norm(e, axis=-1, keepdims=True) + 1e-6)

    def triplet_loss(self, y, e):
        similarity = tf.matmul(e, e, transpose_b=True)
        d = tf.sqrt(tf.maximum(2.0 - 2.0 * similarity, 1e-6))
        same = tf.cast(y[:, None] == y[None, :], d.dtype)
        hardest_positive = tf.reduce_max(d * same, axis=1)
        hardest_negative = tf.reduce_min(d + 10.0 * same, axis=1)
        return tf.reduce_mean(tf.nn.softplus(5.0 * (hardest_positive - hardest_negative + self.margin)))

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            e = self(x, training=True)
            loss = self.triplet_loss(y, e)
        variables = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}


net = TripletNet(cfg.margin)
net.compile(optimizer=keras.optimizers.Adam(cfg.lr))
net.fit(PKBatches(x_train, who_train, steps=25), epochs=cfg.epochs, verbose=0)

gallery, probes = net.predict(x_train, verbose=0), net.predict(x_test, verbose=0)
nearest = who_train[(probes @ gallery.T).argmax(1)]
print(f"rank-1: {np.mean(nearest == who_test):.3f}")
''',
    score="np.mean(nearest == who_test)",
    bar=0.8,
    base=0.083,
    seeds=3,
    faults=(
        Fault(cause="gradient_sign_flipped", old="(hardest_positive - hardest_negative + self.margin)", new="(hardest_negative - hardest_positive + self.margin)"),
        Fault(cause="learning_rate_too_high", old="lr: float = 2e-3", new="lr: float = 2.0"),
        Fault(cause="symmetric_or_zero_init", old='layers.Dense(96, activation="relu", name="body_1")', new='layers.Dense(96, activation="relu", kernel_initializer="ones", name="body_1")',
              layer=("body_1",), beside=("init_scale",)),
        Fault(cause="labels_shuffled_apart", old="return self.x[rows], self.y[rows]", new="return self.x[rows], self.y[np.random.permutation(rows)]", accept=("label_noise",)),
        Fault(cause="optimiser_not_applied", old="        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))\n", new="        gradients = tape.gradient(loss, variables)\n"),
    ),
)  # fmt: skip

VAE = Program(
    name="beta_vae_train_step",
    odd="two losses pull against each other, and the code is noisy on purpose",
    source='''
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers
from sklearn.datasets import load_digits


class Sampling(layers.Layer):
    """Uses (z_mean, z_log_var) to sample z."""

    def call(self, inputs):
        z_mean, z_log_var = inputs
        epsilon = tf.random.normal(tf.shape(z_mean))
        return z_mean + tf.exp(0.5 * z_log_var) * epsilon


class BetaVAE(keras.Model):
    def __init__(self, encoder, decoder, beta, **kw):
        super().__init__(**kw)
        self.encoder, self.decoder, self.beta = encoder, decoder, beta
        self.total = keras.metrics.Mean(name='total')
        self.rec = keras.metrics.Mean(name='rec')
        self.kl = keras.metrics.Mean(name='kl')

    @property
    def metrics(self):
        return [self.total, self.rec, self.kl]

    def call(self, x):
        return self.decoder(self.encoder(x)[0])

    def train_step(self, x):
        with tf.GradientTape() as tape:
            z_mean, z_log_var, z = self.encoder(x, training=True)
            out = self.decoder(z, training=True)
            rec = tf.reduce_mean(tf.reduce_sum(keras.losses.binary_crossentropy(x, out), axis=(1, 2)))
            kl = tf.reduce_mean(tf.reduce_sum(-0.5 * (1 + z_log_var - tf.square(z_mean) - tf.exp(z_log_var)), axis=1))
            total = rec + self.beta * kl
        grads = tape.gradient(total, self.trainable_weights)
        self.optimizer.apply_gradients(zip(grads, self.trainable_weights))
        self.total.update_state(total); self.rec.update_state(rec); self.kl.update_state(kl)
        return {m.name: m.result() for m in self.metrics}


keras.utils.set_random_seed(SEED)
digits = load_digits().images[..., None].astype('float32')
digits = digits / 16.
np.random.shuffle(digits)
x_train, x_test = digits[:1500], digits[1500:]

latent_dim = 10
enc_in = keras.Input((8, 8, 1))
h = layers.Conv2D(16, 3, strides=2, padding='same', activation='relu', name='enc_conv')(enc_in)
h = layers.Flatten()(h)
h = layers.Dense(64, activation='relu', name='enc_dense')(h)
mu = layers.Dense(latent_dim, name='z_mean')(h)
lv = layers.Dense(latent_dim, name='z_log_var')(h)
encoder = keras.Model(enc_in, [mu, lv, Sampling()([mu, lv])], name='encoder')

dec_in = keras.Input((latent_dim,))
h = layers.Dense(4 * 4 * 16, activation='relu', name='dec_dense')(dec_in)
h = layers.Reshape((4, 4, 16))(h)
h = layers.Conv2DTranspose(16, 3, strides=2, padding='same', activation='relu', name='dec_conv')(h)
dec_out = layers.Conv2D(1, 3, padding='same', activation='sigmoid', name='pixels')(h)
decoder = keras.Model(dec_in, dec_out, name='decoder')

vae = BetaVAE(encoder, decoder, beta=0.2)
vae.compile(optimizer=keras.optimizers.Adam(4e-3))
vae.fit(x_train, epochs=25, batch_size=50, verbose=0)

error = np.mean((vae.predict(x_test, verbose=0) - x_test) ** 2)
blank = np.mean((x_train.mean(0) - x_test) ** 2)
print('explained', 1 - error / blank)
''',
    score="1 - error / blank",
    bar=0.65,
    base=0.0,
    seeds=3,
    faults=(
        Fault(cause="regularisation_overwhelms", old="beta=0.2)", new="beta=20.)"),
        Fault(cause="inputs_scaled_twice", old="digits = digits / 16.\n", new="digits = digits / 16.\ndigits = digits / 255.\n", beside=("inputs_not_scaled",)),
        Fault(cause="probabilities_to_logits_loss", old="keras.losses.binary_crossentropy(x, out), axis=(1, 2)",
              new="tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=out), axis=(1, 2, 3)", layer=("pixels",)),
        Fault(cause="output_range_cannot_reach_targets", old="digits = digits / 16.\n", new="digits = digits / 1.\n",
              accept=("inputs_not_scaled", "targets_not_scaled"), beside=("label_encoding", "wrong_loss_for_task", "wrong_head_for_labels"), layer=("pixels",)),
        Fault(cause="learning_rate_too_low", old="keras.optimizers.Adam(4e-3)", new="keras.optimizers.SGD(4e-6)", accept=("too_few_steps",)),
    ),
    pairs=(("inputs_scaled_twice", "regularisation_overwhelms"),),
)  # fmt: skip

SURVIVAL = Program(
    name="cox_survival_ema",
    odd="the loss of a patient hangs on all others in the batch, two in five never have the event, and averaged weights are used",
    source='''
import argparse
import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser(description="Cox partial likelihood with a small network")
parser.add_argument("--lr", type=float, default=0.003)
parser.add_argument("--batch-size", type=int, default=100)
parser.add_argument("--epochs", type=int, default=40)
parser.add_argument("--dropout", type=float, default=0.2)
parser.add_argument("--ema", type=float, default=0.98)
args = parser.parse_args([])

tf.keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

# --- simulated cohort ---------------------------------------------------------------------------------------------
n = 1600
age = rng.normal(62, 9, n)
marker = rng.lognormal(3.0, 0.8, n)          # ng/ml
platelets = rng.normal(250000, 60000, n)
stage = rng.integers(1, 5, n)
treated = rng.integers(0, 2, n)
log_hazard = 0.06 * (age - 62) + 0.9 * (np.log(marker) - 3.0) + 0.6 * np.abs(platelets - 250000) / 60000 + 0.5 * (stage - 2) - 0.8 * treated * (stage < 3)
event_time = rng.exponential(np.exp(-log_hazard))
censoring = rng.exponential(1.2, n)
time, event = np.minimum(event_time, censoring), (event_time <= censoring).astype("float32")
print("events:", event.mean())

covariates = np.column_stack([age, marker, platelets, stage, treated])
covariates = np.column_stack([covariates, np.log(marker)])
n_train = 1200
loc, scale = covariates[:n_train].mean(0), covariates[:n_train].std(0)
covariates = ((covariates - loc) / scale).astype("float32")
x_train, x_test = covariates[:n_train], covariates[n_train:]

net = tf.keras.Sequential([
    tf.keras.layers.Input(shape=(covariates.shape[1],)),
    tf.keras.layers.Dense(48, activation="selu", kernel_initializer="lecun_normal", name="trunk_a"),
    tf.keras.layers.Dropout(args.dropout),
    tf.keras.layers.Dense(24, activation="selu", kernel_initializer="lecun_normal", name="trunk_b"),
    tf.keras.layers.Dense(1, use_bias=False, name="risk"),
])
opt = tf.keras.optimizers.Adam(args.lr)
average = [tf.Variable(v, trainable=False) for v in net.trainable_variables]


def partial_likelihood(risk, time, event):
    """Breslow; rows from the longest time to the shortest, so that a cumulative sum is the risk set."""
    order = tf.argsort(time, direction="DESCENDING")
    risk, event = tf.gather(risk, order), tf.gather(event, order)
    log_risk_set = tf.math.cumulative_logsumexp(risk)
    return -tf.reduce_sum(event * (risk - log_risk_set)) / (tf.reduce_sum(event) + 1e-6)


@tf.function
def train_one(x, t, e):
    with tf.GradientTape() as tape:
        risk = net(x, training=True)[:, 0]
        loss = partial_likelihood(risk, t, e)
    grads = tape.gradient(loss, net.trainable_variables)
    grads, _ = tf.clip_by_global_norm(grads, 5.0)
    opt.apply_gradients(zip(grads, net.trainable_variables))
    for slow, fast in zip(average, net.trainable_variables):
        slow.assign(args.ema * slow + (1 - args.ema) * fast)
    return loss


ds = tf.data.Dataset.from_tensor_slices((x_train, time[:n_train].astype("float32"), event[:n_train]))
ds = ds.shuffle(n_train).batch(args.batch_size, drop_remainder=True)
for epoch in range(1, args.epochs + 1):
    mean = np.mean([float(train_one(*batch)) for batch in ds])
    if epoch % 10 == 0:
        print(f"epoch {epoch:3d}  partial log-likelihood {-mean:.4f}")

for slow, fast in zip(average, net.trainable_variables):
    fast.assign(slow)
risk = net(x_test, training=False).numpy()[:, 0]
t, e = time[n_train:], event[n_train:]
comparable = (t[:, None] < t[None, :]) & (e[:, None] == 1)
c_index = (np.sign(risk[:, None] - risk[None, :]) / 2 + 0.5)[comparable].mean()
print("C-index", c_index)
''',
    score="c_index",
    bar=0.7,
    base=0.5,
    seeds=3,
    faults=(
        Fault(cause="gradient_sign_flipped", old="return -tf.reduce_sum(event * (risk - log_risk_set))", new="return tf.reduce_sum(event * (risk - log_risk_set))"),
        Fault(cause="learning_rate_too_high", old='"--lr", type=float, default=0.003', new='"--lr", type=float, default=3.0'),
        Fault(cause="dropout_mode", old="risk = net(x, training=True)[:, 0]", new="risk = net(x, training=False)[:, 0]", certain=True),
        Fault(cause="leakage_feature", old="covariates = np.column_stack([covariates, np.log(marker)])", new="covariates = np.column_stack([covariates, np.log(marker), event_time])", certain=True,
              beside=("inputs_not_scaled",)),
        Fault(cause="inputs_not_scaled", old="covariates = ((covariates - loc) / scale).astype(\"float32\")", new="covariates = covariates.astype(\"float32\")"),
    ),
)  # fmt: skip

MIXUP = Program(
    name="mixup_residual_adamw",
    odd="no image that it trains on exists, labels are mixed and smoothed, and the first epoch hardly learns: warm-up",
    source="""
import math
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers as L
from sklearn.datasets import load_digits

CONFIG = dict(
    width=16,
    blocks=2,
    epochs=14,
    batch_size=50,
    peak_lr=6e-3,
    warmup_epochs=2,
    weight_decay=1e-3,
    mixup_alpha=0.2,
    label_smoothing=0.05,
    bn_momentum=0.9,
)

keras.utils.set_random_seed(SEED)
bunch = load_digits()
perm = np.random.RandomState(SEED).permutation(len(bunch.target))
images = bunch.images[perm, :, :, None] / 4.0
onehot = keras.utils.to_categorical(bunch.target[perm], 10)
n_train = 1300
steps_per_epoch = n_train // CONFIG['batch_size']


class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, peak, warmup, total):
        self.peak, self.warmup, self.total = peak, warmup, total

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        up = self.peak * (step + 1) / self.warmup
        progress = tf.clip_by_value((step - self.warmup) / (self.total - self.warmup), 0.0, 1.0)
        down = 0.5 * self.peak * (1 + tf.cos(math.pi * progress))
        return tf.where(step < self.warmup, up, down)


class ResidualBlock(L.Layer):
    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.conv1 = L.Conv2D(filters, 3, padding='same', use_bias=False)
        self.bn1 = L.BatchNormalization(momentum=CONFIG['bn_momentum'])
        self.conv2 = L.Conv2D(filters, 3, padding='same', use_bias=False)
        self.bn2 = L.BatchNormalization(momentum=CONFIG['bn_momentum'], gamma_initializer='zeros')

    def call(self, x, training=None):
        y = tf.nn.relu(self.bn1(self.conv1(x), training=training))
        y = self.bn2(self.conv2(y), training=training)
        return tf.nn.relu(x + y)


class MixupModel(keras.Model):
    def train_step(self, data):
        x, y = data
        n = tf.shape(x)[0]
        g1 = tf.random.gamma([n], CONFIG['mixup_alpha'])
        g2 = tf.random.gamma([n], CONFIG['mixup_alpha'])
        lam = g1 / (g1 + g2 + 1e-8)
        other = tf.random.shuffle(tf.range(n))
        lam_x, lam_y = lam[:, None, None, None], lam[:, None]
        x = lam_x * x + (1 - lam_x) * tf.gather(x, other)
        y = lam_y * y + (1 - lam_y) * tf.gather(y, other)
        with tf.GradientTape() as tape:
            pred = self(x, training=True)
            loss = self.compute_loss(x=x, y=y, y_pred=pred)
        grads = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(grads, self.trainable_variables))
        return {'loss': loss}


inp = L.Input((8, 8, 1))
x = L.Conv2D(CONFIG['width'], 3, padding='same', use_bias=False, name='stem')(inp)
x = L.BatchNormalization(momentum=CONFIG['bn_momentum'])(x)
x = L.Activation('relu')(x)
for i in range(CONFIG['blocks']):
    x = ResidualBlock(CONFIG['width'], name=f'res{i}')(x)
    x = L.MaxPooling2D()(x)
x = L.Flatten()(x)
logits = L.Dense(10, name='classifier')(x)
model = MixupModel(inp, logits)

schedule = WarmupCosine(CONFIG['peak_lr'], CONFIG['warmup_epochs'] * steps_per_epoch, CONFIG['epochs'] * steps_per_epoch)
model.compile(
    optimizer=keras.optimizers.AdamW(schedule, weight_decay=CONFIG['weight_decay']),
    loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=CONFIG['label_smoothing']),
)
train = tf.data.Dataset.from_tensor_slices((images[:n_train].astype('float32'), onehot[:n_train].astype('float32')))
train = train.shuffle(n_train, seed=SEED).batch(CONFIG['batch_size'], drop_remainder=True).prefetch(2)
model.fit(train, epochs=CONFIG['epochs'], verbose=2)

top1 = np.mean(model.predict(images[n_train:], verbose=0).argmax(1) == onehot[n_train:].argmax(1))
print('top-1: %.4f' % top1)
""",
    score="top1",
    bar=0.93,
    base=0.1,
    seeds=3,
    faults=(
        Fault(cause="batchnorm_mode", old="bn_momentum=0.9,", new="bn_momentum=0.9999,"),
        Fault(cause="lr_schedule_wrong", old="warmup_epochs=2,", new="warmup_epochs=2000,", beside=("learning_rate_too_low",)),
        Fault(cause="logits_to_probability_loss", old="CategoricalCrossentropy(from_logits=True, label_smoothing", new="CategoricalCrossentropy(label_smoothing", layer=("classifier",)),
        Fault(cause="regularisation_overwhelms", old="weight_decay=1e-3,", new="weight_decay=20.0,"),
        Fault(cause="labels_shuffled_apart", old="onehot = keras.utils.to_categorical(bunch.target[perm], 10)", new="onehot = keras.utils.to_categorical(bunch.target, 10)", accept=("label_noise",)),
    ),
)  # fmt: skip

PROGRAMS = (TRIPLETS, VAE, SURVIVAL, MIXUP)
