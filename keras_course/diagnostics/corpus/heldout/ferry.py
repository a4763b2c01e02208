"""Scripts of a ferry line: how full tomorrow's boats are, and what an echo on the radar is."""

from keras_course.diagnostics.corpus import Fault, Program

OCCUPANCY = Program(
    name="ferry_occupancy_tomorrow",
    source='''
"""How full will the boats be tomorrow? Share of the seats that are taken, from most of a week of history.

A row holds what is known at six in the morning of its day: the calendar, the forecast of wind and rain, and of the day
before the passengers and the takings of the kiosk. The crew is rostered by what comes out.
"""
import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng([SEED, 88])

SEATS = 900
HISTORY = 6               # days in a window
BLOCKS, WIDTH = 8, 32
BATCH, EPOCHS = 32, 20


def logbook(days=2600):
    """The line's own log from 2016 on, rebuilt with the same habits."""
    date = pd.date_range('2016-03-01', periods=days)
    season = 0.5 - 0.5 * np.cos(2 * np.pi * (date.dayofyear.to_numpy() - 20) / 365)
    weekday = date.dayofweek.to_numpy()
    holiday = np.isin(date.month, (7, 8)) | ((date.month == 4) & (date.day < 15))
    wind = np.clip(rng.gamma(4, 2.2, days) * (1.3 - 0.5 * season), 0, 35)           # m/s
    rain = rng.exponential(2.5, days) * (rng.random(days) < 0.4)                    # mm
    mood = np.zeros(days)                                                           # festivals, football, the news
    for day in range(1, days):
        mood[day] = 0.8 * mood[day - 1] + rng.normal(0, 0.2)
    pull = -0.5 + 0.5 * season + mood
    pull += np.where(season > 0.5, 1.5, -1.5) * np.isin(weekday, (4, 5, 6))         # trippers, commuters
    pull += np.where(season > 0.5, -1.6, 1.4) * (rain > 2)                # in winter it is rain or the bicycle
    pull -= 2.5 / (1 + np.exp(-(wind - 16)))                                        # half of the trips are cancelled
    passengers = np.round(SEATS / (1 + np.exp(-pull)) + rng.normal(0, 12, days)).clip(0, SEATS)
    kiosk = 4.2 * passengers + rng.normal(0, 120, days)                             # euros
    return pd.DataFrame({
        'passengers': passengers, 'kiosk': kiosk, 'wind': wind, 'rain': rain, 'holiday': holiday.astype(float),
        'weekend': np.isin(weekday, (4, 5, 6)).astype(float), 'dayofyear': date.dayofyear.to_numpy().astype(float),
    })


log = logbook()
log['passengers_before'] = log['passengers'].shift(1)
log['kiosk_before'] = log['kiosk'].shift(1)
log = log.iloc[1:]
columns = ['passengers_before', 'kiosk_before', 'wind', 'rain', 'holiday', 'weekend', 'dayofyear']
rows = log[columns].to_numpy('float32')

# the past teaches, the last year and a bit decides
first_val, first_test = 1900, 2100
full = float(SEATS)
share = (log['passengers'] / full).to_numpy('float32')


def windows(rows, share, shuffle=False):
    dataset = keras.utils.timeseries_dataset_from_array(
        rows, share[HISTORY - 1:], sequence_length=HISTORY, batch_size=BATCH, shuffle=shuffle, seed=SEED)
    return dataset.cache().prefetch(tf.data.AUTOTUNE)


normalise = layers.Normalization(name='normalise')
normalise.adapt(rows[:first_val])

train = windows(rows[:first_val], share[:first_val], shuffle=True)
val = windows(rows[first_val:first_test], share[first_val:first_test])
test = windows(rows[first_test:], share[first_test:])

window = keras.Input((HISTORY, len(columns)), name='window')
h = normalise(window)
h = layers.Flatten(name='flat')(h)
h = layers.Dense(WIDTH, activation='tanh', kernel_regularizer=keras.regularizers.L2(1e-4), name='enter')(h)
for block in range(BLOCKS):
    change = layers.Dense(WIDTH, activation='sigmoid', name=f'gauge_{block}')(h)
    change = layers.Dense(WIDTH, name=f'change_{block}')(change)
    h = layers.Add(name=f'add_{block}')([h, change])
taken = layers.Dense(1, activation='sigmoid', name='taken')(h)
model = keras.Model(window, taken, name='occupancy')


def pace(epoch, rate):
    """A tenth less after each epoch, once the first two are over."""
    return rate if epoch < 2 else rate * 0.9


model.compile(optimizer=keras.optimizers.SGD(0.05, momentum=0.9), loss='mse', metrics=['mae'])
model.fit(
    train,
    validation_data=val,
    epochs=EPOCHS,
    callbacks=[
        keras.callbacks.LearningRateScheduler(pace),
        keras.callbacks.EarlyStopping('val_loss', patience=12, restore_best_weights=True),
        keras.callbacks.TerminateOnNaN(),
    ],
    verbose=2,
)

# the roster wants heads
expected = model.predict(test, verbose=0)[:, 0] * full
counted = log['passengers'].to_numpy()[first_test + HISTORY - 1:]
usual = share[:first_val].mean() * full
skill = float(1 - np.mean((expected - counted) ** 2) / np.mean((usual - counted) ** 2))
print(f'off by {np.mean(np.abs(expected - counted)):.0f} passengers, skill {skill:.3f}')
''',
    score="skill",
    bar=0.55,
    base=0.0,
    odd="validation and test are the last days in their order, not a random share",
    faults=(
        Fault(cause="lr_schedule_wrong", old="return rate if epoch < 2 else rate * 0.9",
              new="return rate if epoch < 2 else rate * 0.1", accept=("learning_rate_too_low",),
              beside=("too_few_steps",)),
        Fault(cause="train_val_preprocessing_mismatch", old="test = windows(rows[first_test:], share[first_test:])",
              new="test = windows(normalise(rows[first_test:]).numpy(), share[first_test:])"),
        Fault(cause="output_range_cannot_reach_targets",
              old="full = float(SEATS)", new="full = float(log['passengers'][:first_val].std())",
              accept=("targets_not_scaled",)),
        Fault(cause="inputs_scaled_twice", old="        rows, share[HISTORY - 1:], sequence_length",
              new="        normalise(rows), share[HISTORY - 1:], sequence_length", layer=("normalise",)),
        Fault(cause="vanishing_gradient", old="    h = layers.Add(name=f'add_{block}')([h, change])\n",
              new="    h = change\n"),
        Fault(cause="underfitting_capacity", old="BLOCKS, WIDTH = 8, 32", new="BLOCKS, WIDTH = 0, 1"),
        Fault(cause="leakage_feature", old="log['kiosk_before'] = log['kiosk'].shift(1)",
              new="log['kiosk_before'] = log['kiosk']", certain=True),
    ),
    seeds=3,
)  # fmt: skip

ECHOES = Program(
    name="ferry_radar_echoes",
    source='''
"""What is this echo? Cut-outs of the bridge radar (24 x 24), from the nights on which the mate wrote down what it was.

Four kinds: a ship under way (long, with a wake), a buoy (a point with a ring from the side lobes), a sailing boat
(small, smeared by the turning antenna) and rain (a patch with soft edges).
"""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED + 2400)

KINDS = ['ship', 'buoy', 'sail', 'rain']
SIDE, PER_KIND = 24, 420
LOOKS = 10.0                # sweeps that are averaged; the fewer, the more speckle
BATCH, EPOCHS = 32, 9


def echo(kind):
    yy, xx = np.mgrid[:SIDE, :SIDE] - SIDE / 2 + rng.uniform(-4, 4, 2)[:, None, None]
    turn = rng.uniform(0, np.pi * 2)
    along, across = xx * np.cos(turn) + yy * np.sin(turn), yy * np.cos(turn) - xx * np.sin(turn)
    r = np.hypot(xx, yy)
    strength = rng.uniform(0.6, 1.2)
    if kind == 'ship':
        hull = np.exp(-(along / rng.uniform(4, 5)) ** 2 - (across / 1.3) ** 2)
        wake = 0.5 * (along > 3) * (np.abs(np.abs(across) - 0.35 * along) < 0.8)
        picture = hull + wake
    elif kind == 'buoy':
        picture = np.exp(-(r / 1.5) ** 2) + 0.35 * np.exp(-((r - rng.uniform(5, 7)) / 0.8) ** 2)
    elif kind == 'sail':
        picture = np.exp(-(along / rng.uniform(2.2, 3)) ** 2 - (across / 1.3) ** 2)
    else:
        picture = 0.8 / (1 + np.exp(r - rng.uniform(4, 6))) * (1 + 0.3 * np.sin(along * rng.uniform(0.5, 1.2)))
    sea = rng.uniform(0.05, 0.2)
    return strength * picture * rng.gamma(3, 1 / 3, (SIDE, SIDE)) + sea * rng.exponential(1.0, (SIDE, SIDE))


# the disc has a folder for each kind
echoes = np.stack([echo(kind) for kind in KINDS for _ in range(PER_KIND)])[..., None].astype('float32')
kinds = np.repeat(np.arange(len(KINDS)), PER_KIND)[:, None]
scenes = np.arange(len(echoes))
train_rows = np.sort(rng.choice(scenes, 1200, replace=False))
rest = np.setdiff1d(scenes, train_rows)
val_rows, test_rows = rest[::4], np.delete(rest, np.s_[::4])
print(len(train_rows), 'to learn from,', len(val_rows), 'to watch,', len(test_rows), 'to judge by')


def speckle(picture, kind):
    """Another night: other speckle, and the ship may be on the other bow."""
    picture = tf.image.random_flip_left_right(picture)
    return picture * tf.random.gamma((SIDE, SIDE, 1), alpha=LOOKS, beta=LOOKS), kind


def contrast(picture, kind):
    """Logarithmic, as the screen shows it."""
    return tf.math.log(picture + 0.03) + 1.5, kind


def pipeline(rows):
    return tf.data.Dataset.from_tensor_slices((echoes[rows], kinds[rows]))


train = pipeline(train_rows).map(speckle).map(contrast)
train = train.shuffle(len(train_rows)).batch(BATCH).prefetch(tf.data.AUTOTUNE)
val = pipeline(val_rows).map(contrast).batch(BATCH)
test = pipeline(test_rows).map(contrast).batch(BATCH)

model = keras.Sequential([
    keras.Input((SIDE, SIDE, 1)),
    layers.Conv2D(16, 5, strides=2, padding='same', activation='relu', name='spots'),
    layers.Conv2D(32, 3, padding='same', activation='relu', name='shapes'),
    layers.MaxPooling2D(name='pool'),
    layers.Conv2D(32, 3, padding='same', activation='relu', name='outline'),
    layers.Flatten(name='flat'),
    layers.Dropout(0.3, name='drop'),
    layers.Dense(32, activation='relu', name='judge'),
    layers.Dense(len(KINDS), name='kind'),
], name='radar')

BASE_RATE = 0.24            # for batches of 256
steps = len(train_rows) // BATCH
schedule = keras.optimizers.schedules.CosineDecay(
    0.0, EPOCHS * steps, warmup_target=BASE_RATE * BATCH / 256, warmup_steps=2 * steps)
model.compile(
    optimizer=keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=[keras.metrics.SparseCategoricalAccuracy(name='right')],
)
model.fit(train, validation_data=val, epochs=EPOCHS, verbose=2,
          callbacks=[keras.callbacks.TerminateOnNaN()])

verdicts = model.predict(test, verbose=0).argmax(axis=-1)
right = float(np.mean(verdicts == kinds[test_rows, 0]))
print('as', KINDS, np.bincount(verdicts, minlength=len(KINDS)), f'right {right:.3f}')
''',
    score="right",
    bar=0.8,
    base=0.25,
    odd="the source is sorted by kind, and the rate starts at zero",
    faults=(
        Fault(cause="shuffle_buffer_too_small", old="train = train.shuffle(len(train_rows)).batch(BATCH)",
              new="train = train.shuffle(BATCH).batch(BATCH)", accept=("data_sorted",)),
        Fault(cause="pipeline_order", old="train = train.shuffle(len(train_rows)).batch(BATCH)",
              new="train = train.batch(BATCH).shuffle(len(train_rows))", beside=("data_sorted",)),
        Fault(cause="learning_rate_too_high", old="warmup_target=BASE_RATE * BATCH / 256",
              new="warmup_target=BASE_RATE * BATCH", beside=("exploding_gradient", "nan_or_inf_in_data")),
        Fault(cause="leakage_duplicates", old="rest = np.setdiff1d(scenes, train_rows)",
              new="rest = np.sort(rng.choice(scenes, len(scenes) - 1200, replace=False))", certain=True),
        Fault(cause="inputs_drowned_in_noise", old="LOOKS = 10.0 ", new="LOOKS = 0.05 ",
              beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="wrong_loss_for_task", old="loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)",
              new="loss=keras.losses.MeanSquaredError()", accept=("wrong_head_for_labels",),
              beside=("loss_broadcast", "label_encoding")),
        Fault(cause="train_val_preprocessing_mismatch", old="test = pipeline(test_rows).map(contrast).batch(BATCH)",
              new="test = pipeline(test_rows).batch(BATCH)"),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [OCCUPANCY, ECHOES]
