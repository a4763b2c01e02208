"""Entries of data contests: folds over insurance policies, and whales known by the edge of their fins."""

from keras_course.diagnostics.corpus import Fault, Program

LAPSE = Program(
    name="contest_policy_lapse",
    source="""
#!/usr/bin/env python
# "Who will lapse?" -- round 1, simple baseline: logistic regression, 4 folds, no framework magic
import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.metrics import roc_auc_score, balanced_accuracy_score
from sklearn.model_selection import KFold

np.random.seed(SEED)
tf.random.set_seed(SEED)
CFG = dict(folds=4, epochs=12, bs=50, momentum=0.9, l2=1e-3)
LR = 0.01


def read_train(n=3000):
    '''stand-in for train.csv (the file comes with the lapsed policies on top)'''
    r = np.random
    df = pd.DataFrame({
        'age': r.normal(47, 13, n).clip(18, 85),
        'premium_eur': r.gamma(6, 70, n),
        'years_with_us': r.exponential(6, n),
        'claims': r.poisson(.6, n),
        'increase_pct': r.normal(4, 3, n),
        'calls': r.poisson(1.2, n),
        'channel': r.choice(['agent', 'web', 'bank'], n),
    })
    z = (.55 * (df.increase_pct - 4) - .16 * (df.years_with_us - 6) + .004 * (df.premium_eur - 420) - .03 * (df.age - 47)
         + .9 * (df.calls - 1.2) + 1.2 * (df.channel == 'web') - .5 * df.claims)
    z = z + r.logistic(0, .9, n)
    df['lapsed'] = (z > np.quantile(z, .9)).astype(int)
    df['refund_eur'] = df.lapsed * df.premium_eur * r.uniform(.1, .6, n)   # known only afterwards
    return df.sort_values('lapsed', ascending=False).reset_index(drop=True)


df = read_train()
df = pd.concat([df, pd.get_dummies(df.channel, prefix='ch').astype(float)], axis=1)
COLS = ['age', 'premium_eur', 'years_with_us', 'claims', 'increase_pct', 'calls', 'ch_agent', 'ch_bank', 'ch_web']
X_all = df[COLS].to_numpy('float32')
y_all = df['lapsed'].to_numpy('float32')
POS_W = float((1 - y_all.mean()) / y_all.mean())     # one lapse counts as much as nine that stay


def scale(train, *others):
    mu, sd = train.mean(0), train.std(0) + 1e-6
    return [(a - mu) / sd for a in (train, *others)]


def logloss(y, p, w, weight):
    p = tf.clip_by_value(p, 1e-6, 1 - 1e-6)
    ll = y * tf.math.log(p) + (1 - y) * tf.math.log(1 - p)
    return -tf.reduce_mean(weight * ll) + CFG['l2'] * tf.reduce_sum(w ** 2)


def fit_fold(x, y):
    w = tf.Variable(tf.zeros((x.shape[1], 1)))      # zeros are fine, there is nothing behind it
    b = tf.Variable(tf.zeros((1,)))
    params = [w, b]
    speed = [tf.Variable(tf.zeros_like(v)) for v in params]

    @tf.function
    def step(xb, yb):
        with tf.GradientTape() as tape:
            p = tf.sigmoid(xb @ w + b)
            loss = logloss(yb, p, w, tf.where(yb > 0.5, POS_W, 1.0))
        for v, s, g in zip(params, speed, tape.gradient(loss, params)):
            s.assign(CFG['momentum'] * s - LR * g)
            v.assign_add(s)
        return loss

    for epoch in range(CFG['epochs']):
        perm = np.random.permutation(len(x))
        losses = []
        for i in range(0, len(x), CFG['bs']):
            take = perm[i:i + CFG['bs']]
            losses.append(step(tf.constant(x[take]), tf.constant(y[take][:, None])))
        if epoch % 4 == 3:
            print(f'    epoch {epoch + 1:2d} loss {np.mean([float(l) for l in losses]):.4f}')
    return lambda q: tf.sigmoid(tf.constant(q) @ w + b).numpy()[:, 0]


oof = np.zeros(len(y_all))
folds = KFold(CFG['folds'], shuffle=True, random_state=SEED)
for k, (tr, va) in enumerate(folds.split(X_all)):
    print('fold', k)
    x_tr, x_va = scale(X_all[tr], X_all[va])
    predict = fit_fold(x_tr, y_all[tr])
    oof[va] = predict(x_va)

auc = roc_auc_score(y_all > .5, oof) if np.isfinite(oof).all() else .5
bal = balanced_accuracy_score(y_all > .5, oof > .5)
print(f'OOF: auc {auc:.4f}   balanced accuracy {bal:.4f}')
""",
    score="bal",
    bar=0.75,
    base=0.5,
    odd="The weights of the logistic regression start at zero, and the file is sorted by label, but the folds and batches are shuffled.",
    faults=(
        Fault(cause="class_imbalance", old="POS_W = float((1 - y_all.mean()) / y_all.mean())", new="POS_W = 1.0"),
        Fault(cause="inputs_not_scaled", old="return [(a - mu) / sd for a in (train, *others)]",
              new="return [train, *others]", beside=("oscillation",)),
        Fault(cause="validation_split_sorted", old="KFold(CFG['folds'], shuffle=True, random_state=SEED)",
              new="KFold(CFG['folds'])", beside=("data_sorted", "constant_labels", "missing_class", "class_imbalance")),
        Fault(cause="loss_broadcast", old="tf.constant(y[take][:, None])", new="tf.constant(y[take])"),
        Fault(cause="label_encoding", old="y_all = df['lapsed'].to_numpy('float32')",
              new="y_all = 2 * df['lapsed'].to_numpy('float32') - 1", beside=("gradient_sign_flipped", "class_imbalance")),
        Fault(cause="oscillation", old="LR = 0.01", new="LR = 10", accept=("learning_rate_too_high",),
              beside=("exploding_gradient",)),
        Fault(cause="leakage_duplicates", old="\n\n\ndef scale(", new="""
again = np.repeat(np.flatnonzero(y_all > .5), 4)
X_all, y_all = np.r_[X_all, X_all[again]], np.r_[y_all, y_all[again]]


def scale(""", certain=True),
    ),
    seeds=3,
)  # fmt: skip

FINS = Program(
    name="contest_fin_edges",
    source="""
# Fin contest, 7th place code (cleaned up a bit). A fin is the contour of its trailing edge: 48 depths along the edge.
# Train an embedding on known whales, submit for each new photo the most similar whale of the new catalogue.
import random

import keras
import numpy as np
import tensorflow as tf
from keras import layers


def seed_all(seed):
    random.seed(seed)
    np.random.seed(seed)
    tf.random.set_seed(seed)


seed_all(SEED)
POINTS = 48
WHALES, PHOTOS = 900, 3           # known whales and photos of each
P = 24                            # whales in a batch
TEMP = 0.15
BN = dict(momentum=.9)


def new_whale():
    knots = np.cumsum(np.random.randn(13)) * .35
    nicks = [(np.random.uniform(4, 44), np.random.uniform(.6, 1.5), np.random.uniform(.9, 2)) for _ in range(5)]
    return knots, nicks


def photo(whale):
    knots, nicks = whale
    s = np.linspace(0, 1, POINTS) * np.random.uniform(.94, 1.06) + np.random.uniform(-.05, .05)
    edge = np.interp(s, np.linspace(0, 1, 13), knots - knots.mean())
    for at, depth, width in nicks:
        edge = edge - depth * np.exp(-((s * 47 - at) / width) ** 2)
    tilt = np.random.uniform(-2.2, 2.2) * (np.arange(POINTS) / POINTS - .5)
    return edge * np.random.uniform(.8, 1.2) + tilt + .15 * np.random.randn(POINTS)


def shoot(n, photos):
    return np.array([[photo(w) for _ in range(photos)] for w in [new_whale() for _ in range(n)]], 'float32')


train_photos = shoot(WHALES, PHOTOS)
MU, SD = train_photos.mean(), train_photos.std()
train_photos = (train_photos - MU) / SD


def pairs():
    while True:
        who = np.random.choice(WHALES, P, replace=False)
        one, two = np.array([np.random.choice(PHOTOS, 2, replace=False) for _ in who]).T
        yield train_photos[who, one], train_photos[who, two]


ds = tf.data.Dataset.from_generator(
    pairs, output_signature=(tf.TensorSpec((P, POINTS)), tf.TensorSpec((P, POINTS)))).prefetch(4)


def encoder():
    x = inp = keras.Input((POINTS,))
    x = layers.Reshape((POINTS, 1))(x)
    for k, f in enumerate([16, 32, 48]):
        x = layers.Conv1D(f, 5, strides=2, padding='same', use_bias=False, name=f'conv{k}')(x)
        x = layers.BatchNormalization(**BN, name=f'bn{k}')(x)
        x = layers.Activation('relu')(x)
    x = layers.Flatten()(x)
    x = layers.Dense(64, activation='relu', name='dense')(x)
    x = layers.Dense(24, name='embedding')(x)
    return keras.Model(inp, layers.BatchNormalization(**BN, name='neck')(x))


class FinMatcher(keras.Model):
    def __init__(self, enc):
        super().__init__()
        self.enc = enc
        self.tracker = keras.metrics.Mean(name='loss')

    @property
    def metrics(self):
        return [self.tracker]

    def call(self, x, training=False):
        return tf.math.l2_normalize(self.enc(x, training=training), axis=-1)

    def train_step(self, data):
        one, two = data
        with tf.GradientTape() as tape:
            a, b = self(one, training=True), self(two, training=True)
            sim = tf.matmul(a, b, transpose_b=True) / TEMP
            truth = tf.range(P)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=truth, logits=sim))
        grads = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(grads, self.trainable_variables))
        self.tracker.update_state(loss)
        return {'loss': self.tracker.result()}


matcher = FinMatcher(encoder())
matcher.compile(optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, 12 * 60)))
matcher.fit(ds, steps_per_epoch=60, epochs=12, verbose=2)

# leaderboard simulation: 60 whales nobody has seen, one catalogue photo each, four queries
lb = (shoot(60, 5) - MU) / SD
catalogue = matcher(lb[:, 0]).numpy()
queries = matcher(lb[:, 1:].reshape(-1, POINTS)).numpy()
submission = (queries @ catalogue.T).argmax(1)
top1 = float(np.mean(submission == np.repeat(np.arange(60), 4)))
print('top-1 on the simulated leaderboard:', top1)
""",
    score="top1",
    bar=0.55,
    base=1 / 60,
    faults=(
        Fault(cause="batchnorm_mode", old="BN = dict(momentum=.9)", new="BN = dict(momentum=.9999)",
              layer=("bn0", "bn1", "bn2", "neck")),
        Fault(cause="overfitting", old="WHALES, PHOTOS = 900, 3 ", new="WHALES, PHOTOS = 24, 2 "),
        Fault(cause="gradient_sign_flipped", old="sim = tf.matmul(a, b, transpose_b=True) / TEMP",
              new="sim = -tf.matmul(a, b, transpose_b=True) / TEMP"),
        Fault(cause="labels_shuffled_apart", old="yield train_photos[who, one], train_photos[who, two]",
              new="yield train_photos[who, one], train_photos[np.random.permutation(who), two]", beside=("label_noise",)),
        Fault(cause="learning_rate_too_low", old="CosineDecay(3e-3, 12 * 60)", new="CosineDecay(3e-6, 12 * 60)", beside=("too_few_steps",)),
        Fault(cause="optimiser_not_applied", old="        self.optimizer.apply_gradients(zip(grads, self.trainable_variables))\n",
              new="        self.optimizer.build(self.trainable_variables)\n"),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (LAPSE, FINS)
