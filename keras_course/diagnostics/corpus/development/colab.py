"""Notebooks of a shared notebook service, pasted into one file."""

from keras_course.diagnostics.corpus import Fault, Program

ROASTS = Program(
    name="colab_coffee_roasts",
    source="""
# -*- coding: utf-8 -*-
#@title Coffee roasts from 8 readings - NN from scratch w/ tf.Variable
# (copy of copy of "Untitled17.ipynb")

# !pip install -q tensorflow
import numpy as np, time
import tensorflow as tf
import matplotlib
matplotlib.use('Agg')

tf.random.set_seed(SEED)
np.random.seed(SEED)

#@title data
# 8 channels of the colour sensor + drum temps. fake until the roastery sends the csv
n = 3000
u, v = np.random.randn(2, n)
r = np.hypot(u, v)
roast = 2 * (u * v > 0) + (r > 1.15)      # 0 light, 1 city, 2 full city, 3 french
mix = np.random.RandomState(3).randn(2, 8)
X = np.c_[u, v] @ mix + 0.12 * np.random.randn(n, 8)
X = X * [3, 1, 10, 1, 5, 2, 1, 1] + [20, 5, 190, 0, 60, 9, 1, 1]

# X[:5], roast[:5]
np.bincount(roast)

#@title split + z-scores
train, valid = np.arange(n) < 2400, np.arange(n) >= 2400
X = (X - X[train].mean(0)) / X[train].std(0)
X = X.astype('float32')
Y = np.eye(4, dtype='float32')[roast]

#@title the net
sizes = [8, 24, 24, 24, 24, 4]
W, B = [], []
for a, b in zip(sizes[:-1], sizes[1:]):
    W.append(tf.Variable(tf.random.normal((a, b), stddev=np.sqrt(1.0 / a)), name=f'W{len(W)}'))
    B.append(tf.Variable(tf.zeros(b), name=f'B{len(B)}'))
params = W + B
speed = [tf.Variable(tf.zeros_like(p), trainable=False) for p in params]


def net(x):
    h = x
    for k in range(len(W) - 1):
        h = tf.tanh(h @ W[k] + B[k])
    return h @ W[-1] + B[-1]


net(X[:3])   # shape ok?

#@title one step
LR = 0.03
MOMENTUM = 0.9


@tf.function
def step(x, y):
    with tf.GradientTape() as t:
        logp = tf.nn.log_softmax(net(x))
        loss = -tf.reduce_mean(tf.reduce_sum(y * logp, axis=1))
    for p, s, g in zip(params, speed, t.gradient(loss, params)):
        s.assign(MOMENTUM * s - LR * g)
        p.assign_add(s)
    return loss


def acc(rows):
    return float(np.mean(net(X[rows]).numpy().argmax(1) == roast[rows]))


#@title train (25 epochs is enough, tried 100)
t0 = time.time()
history = []
idx = np.flatnonzero(train)
for epoch in range(25):
    np.random.shuffle(idx)
    tot = 0
    for i in range(0, len(idx), 48):
        batch = idx[i:i + 48]
        tot += float(step(tf.constant(X[batch]), tf.constant(Y[batch])))
    history.append((tot / 50, acc(train), acc(valid)))
    if epoch % 3 == 0:
        print(epoch, *['%.3f' % h for h in history[-1]])
print('sec', time.time() - t0)

final = acc(valid)
final
""",
    score="final",
    bar=0.8,
    base=0.3,
    faults=(
        Fault(cause="symmetric_or_zero_init", old="tf.random.normal((a, b), stddev=np.sqrt(1.0 / a))",
              new="tf.zeros((a, b))", beside=("input_ignored", "vanishing_gradient", "init_scale")),
        Fault(cause="init_scale", old="stddev=np.sqrt(1.0 / a)", new="stddev=0.01", accept=("vanishing_gradient",),
              beside=("symmetric_or_zero_init", "input_ignored", "learning_rate_too_low")),
        Fault(cause="saturated_units", old="np.sqrt(1.0 / a)", new="np.sqrt(1.0 * a)", accept=("init_scale",),
              beside=("exploding_gradient",)),
        Fault(cause="missing_nonlinearity", old="h = tf.tanh(h @ W[k] + B[k])", new="h = h @ W[k] + B[k]"),
        Fault(cause="vanishing_gradient", old="tf.tanh(h @", new="tf.sigmoid(h @",
              beside=("saturated_units", "input_ignored", "learning_rate_too_low", "init_scale")),
        Fault(cause="gradient_sign_flipped", old="MOMENTUM * s - LR * g", new="MOMENTUM * s + LR * g",
              beside=("exploding_gradient", "saturated_units")),
        Fault(cause="oscillation", old="LR = 0.03", new="LR = 0.3", accept=("learning_rate_too_high",),
              beside=("saturated_units",)),
        Fault(cause="wrong_head_for_labels", old="Y = np.eye(4, dtype='float32')[roast]",
              new="Y = roast[:, None].astype('float32')", accept=("label_encoding",), beside=("loss_broadcast",)),
    ),
    seeds=3,
)  # fmt: skip

HIKES = Program(
    name="colab_hike_profiles",
    source="""

# Hike_profiles_denoise_v3.ipynb
# GPS altitude on my phone is rubbish -> learn to clean the profile of a hike (96 points)

# ## Cell 1: imports
import os, random, math
import numpy as np
import keras
from keras import layers

random.seed(SEED); np.random.seed(SEED)
keras.utils.set_random_seed(SEED)

# ## Cell 2: hikes
# (drive.mount removed)
P = 96
km = np.linspace(0, 12, P)

def hike():
    # up, down, some bumps
    h = np.zeros(P)
    for _ in range(np.random.randint(2, 6)):
        h += np.random.uniform(80, 420) * np.exp(-((km - np.random.uniform(0, 12)) / np.random.uniform(0.9, 2.5)) ** 2)
    return h + np.random.uniform(-60, 60) * km / 12

hikes = np.stack([hike() for _ in range(1800)])
print(hikes.shape, hikes.mean(), hikes.std())

# ## Cell 3: metres -> something a net likes
M, SD = 300.0, 200.0
def norm(h):
    return ((h - M) / SD).astype('float32')[..., None]

def phone(h):
    # jitter + slow drift of the barometer
    drift = np.cumsum(np.random.randn(*h.shape), axis=1) * 4
    return h + 45 * np.random.randn(*h.shape) + drift

clean, clean_te = hikes[:1500], hikes[1500:]
x_te = norm(phone(clean_te))

# ## Cell 4: model
LATENT = 24
encoder = keras.Sequential([
    layers.Input((P, 1)),
    layers.Conv1D(16, 7, strides=2, padding='same', activation='relu', name='enc1'),
    layers.Conv1D(24, 5, strides=2, padding='same', activation='relu', name='enc2'),
    layers.Flatten(),
    layers.Dense(LATENT, name='code'),
], name='encoder')
decoder = keras.Sequential([
    layers.Input((LATENT,)),
    layers.Dense(24 * 24, activation='relu', name='dec0'),
    layers.Reshape((24, 24)),
    layers.Conv1DTranspose(16, 5, strides=2, padding='same', activation='relu', name='dec1'),
    layers.Conv1DTranspose(12, 7, strides=2, padding='same', activation='relu', name='dec2'),
    layers.Conv1D(1, 5, padding='same', activation=None, name='metres'),
], name='decoder')

# encoder = keras.models.load_model('/content/enc_v2.keras')   # no longer fits
inp = layers.Input((P, 1))
ae = keras.Model(inp, decoder(encoder(inp)))
encoder.trainable = True
decoder.trainable = True

ae.compile(keras.optimizers.Adam(2e-3), loss='mse', metrics=['mae'])
# ae.summary()

# ## Cell 5: go
def batches(h, bs=50):
    # never the same noise twice
    while True:
        for rows in np.array_split(np.random.permutation(len(h)), len(h) // bs):
            noisy = norm(phone(h[rows]))
            yield noisy, norm(h[rows])

hist = ae.fit(batches(clean), steps_per_epoch=30, epochs=16, verbose=2,
              validation_data=(x_te, norm(clean_te)))

# ## Cell 6: better than the phone?
fixed = ae.predict(x_te, verbose=0)[..., 0] * SD + M
raw = x_te[..., 0] * SD + M
err = np.mean((fixed - clean_te) ** 2)
print('rmse phone %.1f m, net %.1f m' % (np.sqrt(np.mean((raw - clean_te) ** 2)), np.sqrt(err)))
explained = 1 - err / np.mean((clean_te - clean.mean(0)) ** 2)
explained
""",
    score="max(explained, -1.0) if np.isfinite(explained) else -1.0",
    bar=0.85,
    base=0.0,
    faults=(
        Fault(cause="inputs_drowned_in_noise", old="noisy = norm(phone(h[rows]))",
              new="noisy = phone(norm(h[rows])[..., 0])[..., None]",
              beside=("train_val_preprocessing_mismatch", "inputs_not_scaled")),
        Fault(cause="output_range_cannot_reach_targets", old="padding='same', activation=None, name='metres'",
              new="padding='same', activation='sigmoid', name='metres'", layer=("metres",),
              beside=("saturated_units",)),
        Fault(cause="underfitting_capacity", old="LATENT = 24", new="LATENT = 1", layer=("code",)),
        Fault(cause="frozen_or_disconnected", old="decoder.trainable = True", new="decoder.trainable = False",
              layer=("dec0", "dec1", "dec2", "metres", "decoder")),
        Fault(cause="learning_rate_too_low", old="Adam(2e-3)", new="Adam(2e-6)", beside=("too_few_steps",)),
        Fault(cause="wrong_loss_for_task", old="loss='mse'", new="loss='binary_crossentropy'",
              beside=("output_range_cannot_reach_targets", "probabilities_to_logits_loss", "logits_to_probability_loss")),
        Fault(cause="wrong_metric", old="metrics=['mae']", new="metrics=['accuracy']",
              accept=("loss_metric_inconsistent",), certain=True),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (ROASTS, HIKES)
