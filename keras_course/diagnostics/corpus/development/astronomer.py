"""Scripts by astronomers: what is on a small sky stamp, and the temperature of a star from its spectrum."""

from keras_course.diagnostics.corpus import Fault, Program

STAMPS = Program(
    name="astronomer_sky_stamps",
    source="""
# What did the detection pipeline find? 20x20 pixel stamps from the 0.4 m telescope, ADU
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

KINDS = ["star", "galaxy", "cosmic ray", "satellite trail", "hot column"]
PIX = 20
READ_NOISE = 8.0      # e-
SKY = 400.0           # e- per pixel
BATCH = 40
yy, xx = np.mgrid[:PIX, :PIX] - PIX / 2 + 0.5


def stamp(kind):
    flux = rng.uniform(2500, 9000)
    dx, dy = rng.normal(0, 2.0, 2)
    phi = rng.uniform(0, np.pi)
    u = (xx - dx) * np.cos(phi) + (yy - dy) * np.sin(phi)
    v = -(xx - dx) * np.sin(phi) + (yy - dy) * np.cos(phi)
    if kind == 0:
        seeing = 1.6
        shape = np.exp(-(u ** 2 + v ** 2) / 2 / seeing ** 2)
    elif kind == 1:
        q = rng.uniform(0.4, 0.8)
        shape = np.exp(-np.sqrt(u ** 2 + (v / q) ** 2) / 2.2)
    elif kind == 2:
        shape = (np.abs(v) < 0.6) * (np.abs(u) < rng.uniform(2, 4)) * 1.0
    elif kind == 3:
        shape = np.exp(-v ** 2 / 2 / 1.4 ** 2)
    else:
        shape = (np.abs(xx - np.round(dx) + 0.5) < 0.5) * 1.0
    photons = SKY + 2.0 * flux * shape / shape.sum()
    return rng.poisson(photons) + rng.normal(0, READ_NOISE, photons.shape)


def night(n_per_kind):
    kind = np.repeat(np.arange(len(KINDS)), n_per_kind)
    frames = np.array([stamp(k) for k in kind])
    frames = (frames - np.median(frames, axis=(1, 2), keepdims=True)) / np.sqrt(SKY + READ_NOISE ** 2)
    return frames[..., None].astype("float32") / 4, kind


X, k = night(300)
X_test, k_test = night(80)

train = tf.data.Dataset.from_tensor_slices((X, k))
train = train.shuffle(len(X))
train = train.batch(BATCH)


def flip(im, kind):
    im = tf.image.random_flip_left_right(im)
    return tf.image.random_flip_up_down(im), kind


train = train.map(flip).prefetch(2)

net = keras.Sequential([
    keras.Input((PIX, PIX, 1)),
    layers.Conv2D(12, 3, use_bias=False, name="c1"),
    layers.BatchNormalization(momentum=0.9, name="n1"),
    layers.ReLU(),
    layers.MaxPooling2D(),
    layers.Conv2D(24, 3, use_bias=False, name="c2"),
    layers.BatchNormalization(momentum=0.9, name="n2"),
    layers.ReLU(),
    layers.MaxPooling2D(),
    layers.Flatten(),
    layers.Dropout(0.4),
    layers.Dense(len(KINDS), name="kinds"),
])
opt = keras.optimizers.Adam(4e-3)
xent = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@tf.function
def one_step(im, kind):
    with tf.GradientTape() as tape:
        logits = net(im, training=True)
        loss = xent(kind, logits)
    grads = tape.gradient(loss, net.trainable_variables)
    opt.apply_gradients(zip(grads, net.trainable_variables))
    return loss


for epoch in range(13):
    losses = []
    for im, kind in train:
        losses.append(float(one_step(im, kind)))
    found = net(X_test, training=False).numpy().argmax(axis=1)
    print(f"epoch {epoch + 1:2d}  loss {np.mean(losses):.3f}  right {np.mean(found == k_test):.3f}")

for i, name in enumerate(KINDS):
    print(f"{name:16s} {np.mean(found[k_test == i] == i):.2f}")
right = np.mean(found == k_test)
""",
    odd="pictures are turned over after batching, and each by its own draw",
    score="right",
    bar=0.8,
    base=0.2,
    faults=(
        Fault(cause="batchnorm_mode", old="layers.BatchNormalization(momentum=0.9, name=\"n1\")",
              new="layers.BatchNormalization(momentum=0.9999, name=\"n1\")", layer=("n1",),
              beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="optimiser_not_applied", old="    opt.apply_gradients(zip(grads, net.trainable_variables))\n",
              new=""),
        Fault(cause="shuffle_buffer_too_small", old="train.shuffle(len(X))", new="train.shuffle(BATCH)",
              accept=("data_sorted",), beside=("batchnorm_mode", "oscillation")),
        Fault(cause="pipeline_order", old="train = train.shuffle(len(X))\ntrain = train.batch(BATCH)\n",
              new="train = train.batch(BATCH)\ntrain = train.shuffle(len(X))\n", accept=("data_sorted",),
              beside=("batchnorm_mode", "oscillation")),
        Fault(cause="inputs_drowned_in_noise", old="READ_NOISE = 8.0 ", new="READ_NOISE = 800.0 "),
        Fault(cause="missing_class", old="X, k = night(300)\n", new="X, k = night(300)\nX, k = X[k < 3], k[k < 3]\n",
              beside=("class_imbalance", "validation_split_sorted", "train_val_preprocessing_mismatch")),
    ),
    seeds=3,
)  # fmt: skip

STARS = Program(
    name="astronomer_cool_star_temperatures",
    source="""
import numpy as np
import tensorflow as tf

tf.random.set_seed(SEED)
np.random.seed(SEED)

# toy spectra: Planck continuum x lines, reddened, 4000-7000 Angstrom, 60 bins, no flux calibration
h, c, kB = 6.626e-34, 2.998e8, 1.381e-23          # SI
lam = np.linspace(4000, 7000, 60) * 1e-10          # m
nstars = 3000

teff = np.random.uniform(3000, 8000, nstars)       # K
feh = np.random.normal(-0.2, 0.3, nstars)          # dex
ebv = np.random.exponential(0.15, nstars)          # mag

B = 1.0 / lam ** 5 / (np.exp(h * c / lam / kB / teff[:, None]) - 1.0)
tio = np.exp(-(teff - 2900) / 350)[:, None]
tau = (
    1.5 * tio * (np.exp(-((lam - 6200e-10) / 90e-10) ** 2) + np.exp(-((lam - 5170e-10) / 60e-10) ** 2))
    + 0.9 * np.exp(-((teff - 8600) / 1900) ** 2)[:, None]
    * (np.exp(-((lam - 6563e-10) / 40e-10) ** 2) + np.exp(-((lam - 4861e-10) / 40e-10) ** 2))
    + 0.6 * 10 ** feh[:, None] * np.exp(-((teff - 4600) / 1400) ** 2)[:, None]
    * (np.exp(-((lam - 5890e-10) / 35e-10) ** 2) + np.exp(-((lam - 4300e-10) / 60e-10) ** 2))
)
red = 10 ** (-0.4 * ebv[:, None] * 3.1 * (5500e-10 / lam) ** 1.3)
flux = B * np.exp(-tau) * red
flux = flux / np.median(flux, axis=1, keepdims=True)
flux = flux * (1 + 0.03 * np.random.randn(*flux.shape))     # S/N about 30

ntrain = 2400
mu, sd = flux[:ntrain].mean(axis=0), flux[:ntrain].std(axis=0)
X = ((flux - mu) / sd).astype('float32')
T0, DT = 5500.0, 1450.0                            # K
Y = ((teff - T0) / DT).astype('float32').reshape(-1, 1)
Xt, Yt = X[:ntrain], Y[:ntrain]
Xv, Yv = X[ntrain:], Y[ntrain:]


def layer(nin, nout, gain=2.0):
    w = np.random.randn(nin, nout) * np.sqrt(gain / nin)
    return tf.Variable(w.astype('float32')), tf.Variable(np.zeros(nout, 'float32'))


W1, b1 = layer(60, 40)
W2, b2 = layer(40, 20)
W3, b3 = layer(20, 1, gain=1.0)
params = [W1, b1, W2, b2, W3, b3]
vel = [tf.Variable(tf.zeros_like(p)) for p in params]


def predict(x, drop=0.0):
    a = tf.nn.relu(x @ W1 + b1)
    a = tf.nn.dropout(a, drop)
    a = tf.nn.relu(a @ W2 + b2)
    return a @ W3 + b3


@tf.function
def step(x, y, eta):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((predict(x, drop=0.1) - y) ** 2)
    grads = tape.gradient(loss, params)
    for p, v, g in zip(params, vel, grads):
        v.assign(0.9 * v - eta * g)
        p.assign_add(v)
    return loss


nb = 60
for ep in range(25):
    eta = 0.01 if ep < 18 else 0.002
    order = np.random.permutation(ntrain)
    tot = 0.0
    for i in range(0, ntrain, nb):
        j = order[i:i + nb]
        tot += float(step(tf.constant(Xt[j]), tf.constant(Yt[j]), tf.constant(eta))) * nb / ntrain
    val = float(tf.reduce_mean((predict(Xv) - Yv) ** 2))
    if ep % 2 == 0:
        print('%3d  chi2 %.4f  val %.4f   rms %.0f K' % (ep, tot, val, DT * np.sqrt(val)))

T_hat = T0 + DT * predict(Xv).numpy().ravel()
resid = T_hat - teff[ntrain:]
print('bias %.0f K, scatter %.0f K' % (resid.mean(), resid.std()))
quality = 1 - np.sqrt(np.mean(resid ** 2)) / teff[ntrain:].std()
""",
    score="max(float(quality), -1.0) if np.isfinite(quality) else -1.0",
    bar=0.75,
    base=0.0,
    faults=(
        Fault(cause="loss_broadcast", old=".astype('float32').reshape(-1, 1)", new=".astype('float32')",
              beside=("input_ignored",)),
        Fault(cause="symmetric_or_zero_init", old="w = np.random.randn(nin, nout) * np.sqrt(gain / nin)",
              new="w = np.ones((nin, nout)) * np.sqrt(gain / nin)", beside=("init_scale", "exploding_gradient")),
        Fault(cause="init_scale", old="np.sqrt(gain / nin)", new="gain",
              beside=("exploding_gradient", "learning_rate_too_high", "dead_units")),
        Fault(cause="gradient_sign_flipped", old="v.assign(0.9 * v - eta * g)", new="v.assign(0.9 * v + eta * g)",
              beside=("exploding_gradient", "learning_rate_too_high")),
        Fault(cause="targets_not_scaled", old="T0, DT = 5500.0, 1450.0  ", new="T0, DT = 0.0, 1.0  ",
              beside=("learning_rate_too_high", "output_range_cannot_reach_targets")),
        Fault(cause="learning_rate_too_high", old="eta = 0.01 if ep < 18 else 0.002", new="eta = 0.1 if ep < 18 else 0.02",
              beside=("exploding_gradient", "nan_or_inf_in_data")),
        Fault(cause="dropout_mode", old="def predict(x, drop=0.0):", new="def predict(x, drop=0.5):"),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (STAMPS, STARS)
