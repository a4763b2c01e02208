"""Scripts of an avalanche warning service's scientist: danger levels of regions, and weak layers in snow profiles."""

from keras_course.diagnostics.corpus import Fault, Program

LEVELS = Program(
    name="avalanche_danger_level",
    source="""
# Regional danger level (1 low .. 4 high) from the station summary of the day.
# Six layers of tf.Variables, momentum written out: the equations of the report, line by line.
import numpy as np
import pandas as pd
import tensorflow as tf

tf.random.set_seed(SEED)
rng = np.random.default_rng(SEED)

DAYS, REGIONS = 420, 10
FEATURES = ['hn24', 'hn72', 'wind', 'ta', 'dta', 'sk38', 'hs', 'rad', 'pwl_depth']


def station_summary():
    key = pd.MultiIndex.from_product([range(REGIONS), range(DAYS)], names=['region', 'day']).to_frame(index=False)
    n = len(key)
    hn24 = rng.gamma(0.9, 12.0, n)                        # cm
    df = key.assign(
        hn24=hn24,
        hn72=hn24 + rng.gamma(1.6, 12.0, n),
        wind=rng.gamma(2.2, 9.0, n),                      # km/h
        ta=rng.normal(-5.5, 4.0, n),
        dta=rng.normal(0.0, 2.8, n),
        sk38=rng.lognormal(0.25, 0.45, n),                # stability index
        hs=rng.normal(140, 45, n).clip(10),
        rad=rng.uniform(20, 240, n),
        pwl_depth=rng.uniform(10, 110, n),
    )
    return df


def bulletin(df):
    load = df.hn24 / 20 + df.hn72 / 60 + np.where(df.ta < -3, df.wind / 16, df.wind / 45) * (df.hn72 > 15)
    weak = 2.2 / (0.4 + df.sk38) * np.exp(-((df.pwl_depth - 55) / 40) ** 2)
    wet = 1.2 * np.maximum(df.ta + 0.5, 0) * df.rad / 240 + 0.25 * np.maximum(df.dta - 2, 0)
    danger = load + weak + wet + rng.normal(0, 0.16, len(df))
    limits = np.quantile(danger, [0.27, 0.70, 0.96])
    out = df[['region', 'day']].assign(level=1 + np.searchsorted(limits, danger))
    return out.sort_values(['day', 'region'], ignore_index=True)  # printed day by day


stations = station_summary()
levels = bulletin(stations)
table = stations.merge(levels, on=['region', 'day'])

winter_end = int(0.75 * DAYS)
past, coming = table[table.day < winter_end], table[table.day >= winter_end]
past = past.sort_values('level')
print(past.groupby('level')[['hn24', 'wind', 'sk38']].median())
mean, std = past[FEATURES].mean(), past[FEATURES].std()


def arrays(part):
    x = ((part[FEATURES] - mean) / std).to_numpy('float32')
    return tf.constant(x), tf.constant(part['level'].to_numpy('int32') - 1)


x_past, y_past = arrays(past)
x_coming, y_coming = arrays(coming)

counts = np.bincount(y_past.numpy(), minlength=4)
weight = counts.sum() / (4.0 * np.maximum(counts, 1))
weight = tf.constant(weight, tf.float32)

SIZES = [len(FEATURES), 40, 32, 32, 24, 24, 4]
params = []
for n_in, n_out in zip(SIZES[:-1], SIZES[1:]):
    limit = np.sqrt(6.0 / (n_in + n_out))
    w = rng.uniform(-limit, limit, (n_in, n_out))
    params += [tf.Variable(w, dtype=tf.float32), tf.Variable(tf.zeros(n_out))]
velocity = [tf.Variable(tf.zeros_like(p)) for p in params]
print('parameters:', sum(int(tf.size(p)) for p in params))

ALPHA, MU = 0.03, 0.9
BATCH = 64
EPOCHS = 14


def forward(x):
    h = x
    for w, b in zip(params[:-2:2], params[1:-2:2]):
        h = tf.nn.leaky_relu(h @ w + b, alpha=0.1)
    return h @ params[-2] + params[-1]


def cost(x, y):
    ce = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=forward(x))
    return tf.reduce_mean(tf.gather(weight, y) * ce)


def hit_rates(x, y):
    guess = tf.argmax(forward(x), axis=1).numpy()
    truth = y.numpy()
    return np.array([np.mean(guess[truth == k] == k) if np.any(truth == k) else 0.0 for k in range(4)])


@tf.function
def gradients(x, y):
    with tf.GradientTape() as tape:
        value = cost(x, y)
    return value, tape.gradient(value, params)


n = len(past)
for epoch in range(EPOCHS):
    order = rng.permutation(n)
    seen = []
    for i in range(0, n - BATCH + 1, BATCH):
        rows = order[i:i + BATCH]
        value, grads = gradients(tf.gather(x_past, rows), tf.gather(y_past, rows))
        for p, v, g in zip(params, velocity, grads):
            v.assign(MU * v - ALPHA * g)
            p.assign_add(v)
        seen.append(float(value))
    rates = hit_rates(x_coming, y_coming)
    print(f'{epoch:3d}  J = {np.mean(seen):.4f}  hit rates {np.round(rates, 2)}')

skill = rates.mean()
print('mean hit rate of the coming days', skill)
""",
    score="skill",
    bar=0.75,
    base=0.25,
    odd="weights of single classes in the loss make its value differ from the mean over the days",
    faults=(
        Fault(cause="gradient_sign_flipped", old="p.assign_add(v)", new="p.assign_sub(v)",
              beside=("exploding_gradient",)),
        Fault(cause="symmetric_or_zero_init", old="w = rng.uniform(-limit, limit, (n_in, n_out))",
              new="w = np.full((n_in, n_out), 1.0 / n_in)"),
        Fault(cause="class_imbalance", old="weight = counts.sum() / (4.0 * np.maximum(counts, 1))",
              new="weight = 4.0 * np.maximum(counts, 1) / counts.sum()"),
        Fault(cause="init_scale",
              old="limit = np.sqrt(6.0 / (n_in + n_out))", new="limit = np.sqrt(6.0 * (n_in + n_out))",
              accept=("exploding_gradient",), beside=("learning_rate_too_high",)),
        Fault(cause="data_sorted", old="    order = rng.permutation(n)\n", new="    order = np.arange(n)\n"),
        Fault(cause="labels_shuffled_apart", old="table = stations.merge(levels, on=['region', 'day'])",
              new="table = pd.concat([stations, levels['level']], axis=1)", accept=("label_noise",)),
        Fault(cause="vanishing_gradient", old="tf.nn.leaky_relu(h @ w + b, alpha=0.1)", new="tf.sigmoid(h @ w + b)",
              beside=("learning_rate_too_low", "too_few_steps")),
    ),
    seeds=3,
)  # fmt: skip

PROFILES = Program(
    name="avalanche_weak_layer",
    source="""
# Where is the weak layer? Each SnowMicroPen profile is resampled to 40 steps, surface first; the mask says which
# steps belong to a persistent weak layer. Encoder: convolution and a ReLU recurrence that runs down and up the profile.
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
DEPTH = 40
LIMIT = 1150.0  # Pa, shear strength below which a buried layer counts as weak


def profile():
    # layers from the surface down, each with hardness (N), grain size (mm), shear strength (Pa)
    edges = np.sort(rng.choice(np.arange(3, DEPTH - 2), rng.integers(3, 6), replace=False))
    bounds = np.r_[0, edges, DEPTH]
    hardness, grain, strength = np.zeros(DEPTH), np.zeros(DEPTH), np.zeros(DEPTH)
    for k, (top, bottom) in enumerate(zip(bounds[:-1], bounds[1:])):
        hard = rng.lognormal(0.4 + 0.16 * k, 0.35)
        size = rng.uniform(0.3, 1.2)
        if k == 0:
            hard, size = rng.lognormal(-1.2, 0.3), rng.uniform(0.4, 2.0)  # new snow
        hardness[top:bottom], grain[top:bottom] = hard, size
        strength[top:bottom] = 1600 + 900 * hard
    for _ in range(rng.integers(1, 3)):
        at, thick = rng.integers(9, DEPTH - 6), rng.integers(2, 5)
        hardness[at:at + thick] = rng.uniform(0.15, 0.5)
        coarse = rng.random() < 0.6
        grain[at:at + thick] = rng.uniform(1.4, 3.0) if coarse else rng.uniform(0.3, 1.0)
        strength[at:at + thick] = rng.uniform(400, 1000) if coarse else rng.uniform(1400, 2000)
    temp = np.linspace(rng.uniform(-14, -2), 0, DEPTH)
    if rng.random() < 0.12:
        temp = np.zeros(DEPTH)  # isothermal in spring
    force = hardness * rng.lognormal(0, 0.25, DEPTH)
    size = grain * rng.lognormal(0, 0.2, DEPTH)
    return np.stack([force, size, temp], axis=-1), strength


def survey(n):
    signals, strengths = zip(*[profile() for _ in range(n)])
    x = np.stack(signals)
    x[..., 0] = np.log(x[..., 0])
    x = (x - x.mean(axis=1, keepdims=True)) / (x.std(axis=1, keepdims=True) + 1e-6)
    mask = np.stack(strengths) < LIMIT
    return x.astype('float32'), mask.astype('float32')


x_train, m_train = survey(640)
x_test, m_test = survey(200)

encoder = keras.Sequential([
    keras.Input((DEPTH, 3)),
    layers.Conv1D(16, 5, padding='same', use_bias=False, name='conv'),
    layers.BatchNormalization(momentum=0.9, name='norm'),
    layers.Activation('relu'),
    layers.Bidirectional(
        layers.SimpleRNN(12, activation='relu', recurrent_initializer=keras.initializers.Orthogonal(gain=0.8),
                         return_sequences=True), name='recurrence'),
], name='encoder')
decoder = keras.Sequential([
    keras.Input((DEPTH, 24)),
    layers.Conv1D(1, 1, name='weak'),
], name='decoder')

adam = keras.optimizers.Adam(6e-3)
variables = encoder.trainable_variables + decoder.trainable_variables
POSITIVE = 3.0


def net(x, training):
    return decoder(encoder(x, training=training), training=training)[..., 0]


@tf.function
def update(x, m):
    with tf.GradientTape() as tape:
        z = net(x, training=True)
        each = tf.nn.weighted_cross_entropy_with_logits(labels=m, logits=z, pos_weight=POSITIVE)
        loss = tf.reduce_mean(each)
    adam.apply_gradients(zip(tape.gradient(loss, variables), variables))
    return loss


@tf.function
def read_profiles(x):
    return net(x, training=False)


def jaccard(guess, m):
    both = np.sum((guess > 0) & (m > 0))
    return both / max(np.sum((guess > 0) | (m > 0)), 1)


for epoch in range(8):
    order = rng.permutation(len(x_train))
    losses = [float(update(x_train[order[i:i + 20]], m_train[order[i:i + 20]])) for i in range(0, len(order), 20)]
    z = np.concatenate([read_profiles(x_test[i:i + 10]).numpy() for i in range(0, len(x_test), 10)])
    guess = z > 0
    overlap = jaccard(guess, m_test)
    print(f'epoch {epoch:2d}   loss {np.mean(losses):.4f}   overlap with the observers {overlap:.3f}')
""",
    score="overlap",
    bar=0.65,
    base=0.06,
    odd="a recurrence with ReLU, whose matrix starts small enough for it",
    faults=(
        Fault(cause="nan_or_inf_in_data",
              old="(x.std(axis=1, keepdims=True) + 1e-6)", new="x.std(axis=1, keepdims=True)"),
        Fault(cause="batchnorm_mode",
              old="    return net(x, training=False)", new="    return net(x, training=True)", certain=True,
              layer=("norm",)),
        Fault(cause="probabilities_to_logits_loss",
              old="    return decoder(encoder(x, training=training), training=training)[..., 0]",
              new="    return tf.sigmoid(decoder(encoder(x, training=training), training=training)[..., 0])",
              beside=("wrong_metric", "loss_metric_inconsistent"), layer=("weak",)),
        Fault(cause="constant_labels", old="LIMIT = 1150.0  # Pa,", new="LIMIT = 1.15  # kPa,",
              accept=("label_encoding",), beside=("missing_class", "class_imbalance")),
        Fault(cause="frozen_or_disconnected", old="], name='encoder')\n", new="], name='encoder', trainable=False)\n",
              beside=("batchnorm_mode",), layer=("conv", "norm", "recurrence", "encoder")),
        Fault(cause="exploding_gradient", old="Orthogonal(gain=0.8)", new="Orthogonal(gain=4.0)",
              accept=("init_scale",), layer=("recurrence",)),
        Fault(cause="loss_metric_inconsistent", old="guess = z > 0", new="guess = np.argmax(z[..., None], axis=-1)",
              accept=("wrong_metric",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [LEVELS, PROFILES]
