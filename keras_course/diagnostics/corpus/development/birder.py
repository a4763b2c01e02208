"""Scripts of a birdwatcher: the sharpest photograph of a burst, and the days on which everything is on the wing."""

from keras_course.diagnostics.corpus import Fault, Program

PHOTOS = Program(
    name="birder_best_of_burst",
    source="""
# %% Which photograph of a burst do I keep?
# My camera takes five frames whenever something flies past the hide, and four of them are usually soft. I do not want
# to sit through 30,000 frames a year, so the computer shall put each burst in order. I only judged pairs of frames:
# which of the two is sharper?
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED + 5000)

SIDE = 24
BURSTS = 330
FRAMES = 5
PAIRS = 6         # judged per burst
BATCH = 32
ROUNDS = 9
ACCUMULATE = 2    # the old laptop has no room for more at once

# %% the birds (cut-outs of my real frames are 24 x 24, these look much like them)
yy, xx = np.mgrid[:SIDE, :SIDE] - SIDE / 2


def smooth(image, sigma):
    reach = np.arange(-6, 7)
    kernel = np.exp(-0.5 * (reach / max(sigma, 0.05)) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(image, 6, mode='edge')
    padded = np.apply_along_axis(np.convolve, 0, padded, kernel, mode='valid')
    return np.apply_along_axis(np.convolve, 1, padded, kernel, mode='valid')


def bird():
    sky = rng.uniform(90, 190) + rng.uniform(-1.5, 1.5) * yy
    turn = rng.uniform(0, np.pi)
    u, v = np.cos(turn) * xx + np.sin(turn) * yy, -np.sin(turn) * xx + np.cos(turn) * yy
    size = rng.uniform(0.7, 1.2)
    body = (u / (7 * size)) ** 2 + (v / (2.6 * size)) ** 2 < 1
    wings = (np.abs(u - 0.25 * np.abs(v)) < 2.2 * size) & (np.abs(v) < 9 * size)
    image = np.where(body | wings, rng.uniform(20, 110), sky)
    if rng.random() < 0.6:   # wing bars
        image = np.where(wings & (np.abs(np.abs(v) - 5 * size) < 1.0), rng.uniform(180, 240), image)
    twigs = rng.integers(0, 3)
    for _ in range(twigs):
        a, b = rng.uniform(-1, 1), rng.uniform(-14, 14)
        image = np.where(np.abs(yy - a * xx - b) < 0.7, 60, image)
    return image


photos = np.zeros((BURSTS, FRAMES, SIDE, SIDE, 1), 'uint8')
softness = np.zeros((BURSTS, FRAMES))
for burst in range(BURSTS):
    scene = bird()
    for frame in range(FRAMES):
        sigma = rng.uniform(0.2, 2.4)
        moved = np.roll(scene, rng.integers(-2, 3, 2), axis=(0, 1))
        light = rng.uniform(0.7, 1.2)
        shot = light * smooth(moved, sigma) + rng.normal(0, 4, (SIDE, SIDE))
        photos[burst, frame, :, :, 0] = np.clip(shot, 0, 255)
        softness[burst, frame] = sigma

# %% my judgement: two frames of one burst side by side, key 1 = the left one is sharper
def judge(bursts, eye=0.12):
    left, right, sharper = [], [], []
    for burst in bursts:
        for _ in range(PAIRS):
            a, b = rng.choice(FRAMES, 2, replace=False)
            left.append(photos[burst, a])
            right.append(photos[burst, b])
            sharper.append(softness[burst, a] + rng.normal(0, eye) < softness[burst, b] + rng.normal(0, eye))
    return np.array(left, 'float32'), np.array(right, 'float32'), np.array(sharper, 'float32')


left, right, sharper = judge(range(0, 250))
left_new, right_new, sharper_new = judge(range(250, BURSTS))    # this spring
print(len(sharper), 'pairs judged, left one sharper in', sharper.mean())

# %% one network gives a photograph its points
net = keras.Sequential([
    keras.Input((SIDE, SIDE, 1)),
    layers.Rescaling(1 / 64, offset=-2.0, name='grey'),
    layers.Conv2D(12, 3, activation='relu', name='edges'),
    layers.Conv2D(16, 3, strides=2, activation='relu', name='feathers'),
    layers.Conv2D(16, 3, activation='relu', name='parts'),
    layers.GlobalAveragePooling2D(name='everywhere'),
    layers.Dense(16, activation='relu', name='think'),
    layers.Dense(1, name='points'),
])
optimizer = keras.optimizers.RMSprop(3e-3)
variables = net.trainable_variables
optimizer.build(variables)


def points(photo):
    return net(photo, training=True)[:, 0]


@tf.function
def slopes(a, b, first):
    with tf.GradientTape() as tape:
        margin = points(a) - points(b)
        loss = tf.reduce_mean(tf.math.softplus(margin) - first * margin)
    return loss, tape.gradient(loss, variables)


def share_right(a, b, first):
    margin = net.predict(a, batch_size=256, verbose=0) - net.predict(b, batch_size=256, verbose=0)
    return float(np.mean((margin.ravel() > 0) == (first > 0.5)))


# %% and off we go
waiting = [np.zeros(v.shape, 'float32') for v in variables]
for turn in range(ROUNDS):
    order = rng.permutation(len(sharper))
    losses = []
    for step in range(len(order) // BATCH):
        rows = order[step * BATCH:(step + 1) * BATCH]
        loss, gradient = slopes(left[rows], right[rows], sharper[rows])
        waiting = [w + g.numpy() / ACCUMULATE for w, g in zip(waiting, gradient)]
        if step % ACCUMULATE == ACCUMULATE - 1:
            optimizer.apply_gradients([(tf.constant(w), v) for w, v in zip(waiting, variables)])
            waiting = [np.zeros_like(w) for w in waiting]
        losses.append(float(loss))
    print(f'round {turn + 1}: loss {np.mean(losses):.3f}, '
          f'right for the new bursts {share_right(left_new, right_new, sharper_new):.3f}')

# %% this spring's bursts
agreed = share_right(left_new, right_new, sharper_new)
keepers = [int(np.argmax(net(photos[burst].astype('float32'))[:, 0])) for burst in range(250, 256)]
print(f'the computer and I agree on {100 * agreed:.0f} of 100 pairs; first keepers: {keepers}')
""",
    score="agreed",
    bar=0.85,
    base=0.5,
    faults=(
        Fault(cause="loss_broadcast", old="    return net(photo, training=True)[:, 0]\n",
              new="    return net(photo, training=True)\n"),
        Fault(cause="leakage_duplicates", old="judge(range(0, 250))", new="judge(range(0, BURSTS))",
              certain=True),
        Fault(cause="label_noise", old="def judge(bursts, eye=0.12):", new="def judge(bursts, eye=3.0):"),
        Fault(cause="loss_metric_inconsistent", old="np.mean((margin.ravel() > 0) == (first > 0.5))",
              new="np.mean((margin > 0) == (first > 0.5))", accept=("wrong_metric", "loss_broadcast")),
        Fault(cause="inputs_scaled_twice", old="return np.array(left, 'float32'), np.array(right, 'float32'), np",
              new="return np.array(left, 'float32') / 255, np.array(right, 'float32') / 255, np",
              beside=("inputs_not_scaled", "train_val_preprocessing_mismatch"), layer=("grey",)),
        Fault(cause="frozen_or_disconnected", old="variables = net.trainable_variables\n",
              new="variables = net.layers[-1].trainable_variables\n",
              layer=("edges", "feathers", "parts", "think")),
        Fault(cause="optimiser_not_applied", old="if step % ACCUMULATE == ACCUMULATE - 1:",
              new="if step % ACCUMULATE == ACCUMULATE:"),
    ),
    seeds=3,
)  # fmt: skip

PASSAGE = Program(
    name="birder_passage_days",
    source="""
# %% Shall I take the morning off?
# Twelve autumns of counts on the dyke, three watches a day. On a handful of mornings everything is on the wing.
# The forecast of the evening before goes in, out comes: big passage or not. (Took me three winters to get this right.)
import keras
import numpy as np
import pandas as pd
from keras import layers

keras.utils.set_random_seed(SEED)
dice = np.random.default_rng(77 * SEED + 12)

AUTUMNS = range(2010, 2022)
BIG = 900           # birds per watch
BATCH = 64

# %% the diary
rows = []
for year in AUTUMNS:
    pressure = 1012.0
    for day in range(80):                         # from 20 August
        before, pressure = pressure, 0.75 * pressure + 0.25 * 1014 + dice.normal(0, 5)
        wind = dice.uniform(0, 360)
        metres = dice.gamma(3, 1.7)
        cooler = dice.normal(0, 3)
        rain = dice.gamma(0.5, 3) * (dice.random() < 0.45)
        for watch in range(3):                    # dawn, morning, noon
            rows.append((year, day, watch, wind + dice.normal(0, 12), metres, pressure, pressure - before, cooler,
                         rain, dice.uniform(0, 8)))
diary = pd.DataFrame(rows, columns=['year', 'day', 'watch', 'wind', 'metres', 'pressure', 'rise', 'cooler', 'rain',
                                    'cloud'])
tail = np.cos(np.radians(diary['wind'] - 50))     # they like it from the north-east
push = (1.5 * tail * np.exp(-((diary['metres'] - 4) / 3) ** 2) + 0.09 * diary['rise'] + 0.17 * diary['cooler']
        - 0.3 * np.minimum(diary['rain'], 5) - 0.5 * diary['watch'] - ((diary['day'] - 45) / 30) ** 2)
push = push - 0.4 * (diary['cloud'] > 6)
diary['birds'] = np.round(np.exp(5.4 + 1.1 * push + dice.normal(0, 0.2, len(diary)))).astype(int)
diary['pages'] = np.ceil(diary['birds'] / 60 + dice.uniform(0, 2, len(diary)))        # of the notebook
# the station on the island writes nothing when it is calm
diary.loc[diary['metres'] < 1.2, 'wind'] = np.nan

# %% into numbers
diary['wind'] = diary['wind'].fillna(0.0)
diary['north'] = np.cos(np.radians(diary['wind']))
diary['east'] = np.sin(np.radians(diary['wind']))
diary['big'] = (diary['birds'] >= BIG).astype(int)
inputs = diary.drop(columns=['year', 'wind', 'birds', 'pages', 'big'])
old = diary['year'] < 2019
mean, std = inputs[old].mean(), inputs[old].std()
x = ((inputs - mean) / std).to_numpy('float32')
y = diary['big'].to_numpy('float32')
x_old, y_old, x_new, y_new = x[old], y[old], x[~old], y[~old]
print(f'{len(y_old)} watches, {int(y_old.sum())} of them big; {len(y_new)} to check on, {int(y_new.sum())} big')

# %% the net
net = keras.Sequential(name='dyke')
net.add(keras.Input((x.shape[1],)))
for k in range(8):
    net.add(layers.Dense(24, activation='selu', kernel_initializer='lecun_normal', name=f'layer{k}'))
    net.add(layers.AlphaDropout(0.06, name=f'drop{k}'))
net.add(layers.Dense(1, activation='sigmoid', name='big'))
net.compile(
    optimizer=keras.optimizers.Adamax(learning_rate=0.003),
    loss='binary_crossentropy',
    metrics=[keras.metrics.Recall(name='found'), keras.metrics.AUC(curve='PR', name='pr')],
)
weight = (y_old == 0).sum() / max((y_old == 1).sum(), 1)
log = net.fit(x_old, y_old, validation_data=(x_new, y_new), batch_size=BATCH, epochs=12,
              class_weight={0: 1.0, 1: float(weight)}, verbose=2)
print(pd.DataFrame(log.history).round(3).iloc[::3].to_string())

# %% the last three autumns
chance = np.asarray(net(x_new, training=False))[:, 0]
said = chance > 0.5
found = said[y_new == 1].mean() if (y_new == 1).any() else 0.0
quiet = (~said[y_new == 0]).mean()
fair = (found + quiet) / 2
print(f'of the big watches {100 * found:.0f} % announced, of the quiet ones {100 * quiet:.0f} % left alone')
best = diary[~old].assign(chance=chance).nlargest(8, 'chance')[['year', 'day', 'watch', 'birds', 'chance']]
print(best.to_string(index=False))
""",
    score="fair",
    bar=0.85,
    base=0.5,
    odd="the big watches are rare, and a weight of about twenty makes up for it",
    faults=(
        Fault(cause="constant_labels", old="diary['big'] = (diary['birds'] >= BIG).astype(int)",
              new="diary['big'] = (np.log1p(diary['birds']) >= BIG).astype(int)",
              accept=("label_encoding",), beside=("missing_class", "class_imbalance")),
        Fault(cause="class_imbalance", old="weight = (y_old == 0).sum() / max((y_old == 1).sum(), 1)",
              new="weight = (y_old == 1).sum() / max((y_old == 0).sum(), 1)"),
        Fault(cause="leakage_feature", old="columns=['year', 'wind', 'birds', 'pages', 'big']",
              new="columns=['year', 'wind', 'birds', 'big']", certain=True),
        Fault(cause="learning_rate_too_high", old="Adamax(learning_rate=0.003)",
              new="Adamax(learning_rate=3.0)",
              beside=("exploding_gradient", "saturated_units", "oscillation")),
        Fault(cause="vanishing_gradient", old="activation='selu', kernel_initializer='lecun_normal',",
              new="activation='sigmoid', kernel_initializer='lecun_normal',",
              beside=("input_ignored",), layer=tuple(f"layer{k}" for k in range(8))),
        Fault(cause="dropout_mode", old="net(x_new, training=False)", new="net(x_new, training=True)", certain=True),
        Fault(cause="nan_or_inf_in_data", old="diary['wind'] = diary['wind'].fillna(0.0)\n", new=""),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [PHOTOS, PASSAGE]
