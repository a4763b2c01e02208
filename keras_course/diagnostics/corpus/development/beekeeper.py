"""Scripts of a hobby beekeeper: what a hive sounds like, and what it will gain tomorrow."""

from keras_course.diagnostics.corpus import Fault, Program

SOUND = Program(
    name="beekeeper_hive_sound",
    source="""
# %% [markdown]
# Contact microphones in eight hives, a clip of half a second every now and then in the night.
# States from my hive book: quiet, fanning (hot evenings), queenless (the roar), piping (before the swarm leaves).

# %%
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

STATES = ['quiet', 'fanning', 'queenless', 'piping']
RATE = 4000
SAMPLES = 2000
CLIPS = 18  # per night
NIGHTS = 20  # per state

# %% no microphones in the shed this winter, so the clips are made


def clip(state, hive):
    t = np.arange(SAMPLES) / RATE
    hum = hive['pitch'] * rng.normal(1.0, 0.04)
    wave = np.zeros(SAMPLES)
    for k, strength in enumerate((1.0, 0.6, 0.35), 1):
        wave += strength * np.sin(2 * np.pi * k * hum * t + rng.uniform(0, 6.28))
    if state == 'fanning':
        wave += rng.uniform(0.7, 1.2) * np.sin(2 * np.pi * hum * rng.uniform(1.35, 1.5) * t)
    elif state == 'queenless':
        roar = np.cumsum(rng.normal(0, 1, SAMPLES))
        roar = roar - np.convolve(roar, np.ones(16) / 16, 'same')
        wave += rng.uniform(0.5, 1.0) * roar * (1 + 0.6 * np.sin(2 * np.pi * rng.uniform(3, 6) * t))
    elif state == 'piping':
        tone = np.sin(2 * np.pi * rng.uniform(380, 520) * t)
        wave += rng.uniform(0.6, 1.2) * tone * (np.sin(2 * np.pi * rng.uniform(4, 7) * t + rng.uniform(0, 6)) > 0)
    return hive['gain'] * (wave + rng.normal(0, 0.6, SAMPLES))


def spectrogram(wave, size=128, hop=64):
    frames = np.lib.stride_tricks.sliding_window_view(wave, size)[::hop] * np.hanning(size)
    power = np.abs(np.fft.rfft(frames, axis=1)[:, 1:33]) ** 2
    level = np.log(power + 1e-3)
    return (level - level.mean()).T.astype('float32')  # pitch upwards, time to the right


def season(nights, hives):
    clips, states = [], []
    for k, state in enumerate(STATES):
        for _ in range(nights):
            hive = hives[rng.integers(len(hives))]
            for _ in range(CLIPS):
                clips.append(spectrogram(clip(state, hive)))
                states.append(k if rng.random() > 0.01 else rng.integers(4))  # I write the book by torchlight
    return np.stack(clips)[..., None], np.array(states, 'int32')


hives = [{'pitch': rng.uniform(200, 245), 'gain': rng.uniform(0.8, 1.3)} for _ in range(8)]
X, y = season(NIGHTS, hives[:6])
X_test, y_test = season(6, hives[6:])  # the two hives at my brother's
mean, std = X.mean(), X.std()
X, X_test = (X - mean) / std, (X_test - mean) / std
print(X.shape, np.bincount(y))

# %% a quarter of the nights for validation
night = np.arange(len(X)) // CLIPS
val_nights = rng.permutation(night.max() + 1)[:NIGHTS]
is_val = np.isin(night, val_nights)
X_train, y_train = X[~is_val], y[~is_val]
X_val, y_val = X[is_val], y[is_val]

BATCH = 32
train = tf.data.Dataset.from_tensor_slices((X_train, y_train))
train = train.shuffle(len(y_train), seed=SEED).batch(BATCH).prefetch(tf.data.AUTOTUNE)
val = tf.data.Dataset.from_tensor_slices((X_val, y_val)).batch(BATCH)

# %%
net = keras.Sequential([
    keras.Input(X.shape[1:]),
    layers.Conv2D(8, 5, strides=2, use_bias=False, name='conv1'),
    layers.BatchNormalization(momentum=0.9, name='bn1'),
    layers.ReLU(),
    layers.Conv2D(16, 3, strides=2, use_bias=False, name='conv2'),
    layers.BatchNormalization(momentum=0.9, name='bn2'),
    layers.ReLU(),
    layers.GlobalAveragePooling2D(),
    layers.Dense(24, activation='relu', name='listen'),
    layers.Dense(len(STATES), name='state'),
])
net.compile(
    optimizer=keras.optimizers.Adam(learning_rate=2.5e-3),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=['accuracy'],
)
net.fit(train, validation_data=val, epochs=12, verbose=2)

# %% night by night at my brother's, as the alarm on the phone will do it
hits = np.zeros((len(STATES), len(STATES)), int)
for start in range(0, len(X_test), CLIPS):
    z = net(X_test[start:start + CLIPS], training=False).numpy()
    for right, guess in zip(y_test[start:start + CLIPS], z.argmax(axis=1)):
        hits[right, guess] += 1
recall = np.diag(hits) / hits.sum(axis=1)
print(hits)
print(dict(zip(STATES, recall.round(3))))
""",
    score="recall.mean() if np.isfinite(z).all() else 0.25",
    bar=0.8,
    base=0.25,
    faults=(
        Fault(cause="shuffle_buffer_too_small", old="train.shuffle(len(y_train), seed=SEED)",
              new="train.shuffle(BATCH, seed=SEED)", accept=("data_sorted",)),
        Fault(cause="pipeline_order", old=".shuffle(len(y_train), seed=SEED).batch(BATCH).prefetch",
              new=".batch(BATCH).shuffle(len(y_train), seed=SEED).prefetch", beside=("data_sorted",)),
        Fault(cause="logits_to_probability_loss",
              old="loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)",
              new="loss='sparse_categorical_crossentropy'", beside=("wrong_head_for_labels",), layer=("state",)),
        Fault(cause="label_noise", old="k if rng.random() > 0.01 else", new="k if rng.random() > 0.85 else"),
        Fault(cause="learning_rate_too_high", old="Adam(learning_rate=2.5e-3)", new="Adam(learning_rate=4.0)",
              beside=("exploding_gradient", "dead_units", "oscillation")),
        Fault(cause="batchnorm_mode", old="training=False).numpy()", new="training=True).numpy()",
              beside=("train_val_preprocessing_mismatch",), layer=("bn1", "bn2"), certain=True),
        Fault(cause="validation_split_sorted", old="val_nights = rng.permutation(night.max() + 1)[:NIGHTS]",
              new="val_nights = np.arange(night.max() + 1)[-NIGHTS:]", accept=("missing_class",)),
    ),
    seeds=3,
)  # fmt: skip

SCALE = Program(
    name="beekeeper_scale_forecast",
    source="""
# The hive scale: what will hive 3 gain tomorrow?
# Everything by hand with tf.Variable, I want to understand what the libraries do. Weather from the station at the barn.

# %% imports
import numpy as np
import pandas as pd
import tensorflow as tf

rng = np.random.default_rng(SEED)

# %% sixteen summers of weather, April to September
YEARS = range(2008, 2024)
COLUMNS = ['tmax', 'tmin', 'rain_mm', 'sun_h', 'wind_kmh', 'pressure_hpa', 'humidity', 'day', 'brood_frames']
rows = []
for year in YEARS:
    front = 0.0
    for day in range(95, 270):
        front = 0.75 * front + rng.normal(0, 0.65)
        heat = 13 + 11 * np.sin((day - 105) / 165 * np.pi) + 3.5 * front + rng.normal(0, 1.5)
        rows.append({
            'year': year,
            'day': day,
            'tmax': heat,
            'tmin': heat - rng.uniform(6, 13),
            'rain_mm': max(0.0, rng.normal(-2.5 * front, 3.0)),
            'sun_h': float(np.clip(7 + 3 * front + rng.normal(0, 2), 0, 15)),
            'wind_kmh': rng.gamma(3.0, 4.0),
            'pressure_hpa': 1015 + 8 * front + rng.normal(0, 2),
            'humidity': float(np.clip(70 - 10 * front + rng.normal(0, 8), 25, 100)),
            'brood_frames': 3 + 6 * np.exp(-((day - 165) / 45) ** 2) + rng.normal(0, 0.7),
        })
book = pd.DataFrame(rows)

# %% nectar: rape in May, lime in June and July, a little heather at the end; they fly between 13 and 30 degrees
bloom = sum(a * np.exp(-((book['day'] - m) / s) ** 2) for a, m, s in ((1.0, 128, 9), (1.5, 178, 13), (0.6, 238, 10)))
flight = np.exp(-((book['tmax'] - 22.5) / 6.5) ** 2) * (book['rain_mm'] < 3) * (book['wind_kmh'] < 20)
gain = 3400 * bloom * flight * (0.35 + 0.07 * book['sun_h']) * (0.4 + 0.1 * book['brood_frames'])
book['gain_g'] = gain - 260 - 60 * book['brood_frames'] + rng.normal(0, 150, len(book))
book['weight_g'] = 38000 + book.groupby('year')['gain_g'].cumsum() * 0.8

# %% the last two summers are kept back
old = book['year'] < 2022
x = book[COLUMNS].to_numpy('float32')
x = (x - x[old].mean(axis=0)) / x[old].std(axis=0)
y = book['gain_g'].to_numpy('float32')
offset, unit = y[old].mean(), y[old].std()
y = (y - offset) / unit
x_old, y_old, x_new, y_new = x[old], y[old], x[~old], y[~old]

# %% two hidden layers
H1, H2 = 48, 32


def start_weights(n_in, n_out):
    return tf.Variable(rng.normal(0, np.sqrt(2 / n_in), (n_in, n_out)).astype('float32'))


W1, b1 = start_weights(len(COLUMNS), H1), tf.Variable(tf.zeros(H1))
W2, b2 = start_weights(H1, H2), tf.Variable(tf.zeros(H2))
W3, b3 = tf.Variable(tf.zeros((H2, 1))), tf.Variable(tf.zeros(1))
weights = [W1, b1, W2, b2, W3, b3]
velocity = [tf.Variable(tf.zeros_like(w)) for w in weights]

RATE = 0.015
MOMENTUM = 0.9
BATCH = 32


def forecast(x):
    h = tf.nn.relu(x @ W1 + b1)
    h = tf.nn.relu(h @ W2 + b2)
    return h @ W3 + b3


def error_of(x, y):
    return tf.reduce_mean((forecast(x) - tf.reshape(y, (-1, 1))) ** 2)


@tf.function
def learn(x, y):
    with tf.GradientTape() as tape:
        error = error_of(x, y)
    for w, v, g in zip(weights, velocity, tape.gradient(error, weights)):
        v.assign(MOMENTUM * v - RATE * g)
        w.assign_add(v)
    return error


# %%
for lap in range(30):
    order = rng.permutation(len(y_old))
    packs = [order[i:i + BATCH] for i in range(0, len(order) - BATCH, BATCH)]
    errors = [float(learn(x_old[pack], y_old[pack])) for pack in packs]
    if lap % 10 == 9:
        print(f'lap {lap + 1}: {np.mean(errors):.3f} old summers, {float(error_of(x_new, y_new)):.3f} the last two')

# %% how good, in grams
guess_g = forecast(x_new).numpy()[:, 0] * unit + offset
real_g = y_new * unit + offset
explained = 1 - np.mean((guess_g - real_g) ** 2) / np.var(real_g)
print(f'off by {np.mean(np.abs(guess_g - real_g)):.0f} g a day, explained {explained:.3f}')
""",
    score="explained",
    bar=0.6,
    base=0.0,
    odd="the last layer starts from zeros, and the scale's own noise stays in the error",
    faults=(
        Fault(cause="symmetric_or_zero_init",
              old="tf.Variable(rng.normal(0, np.sqrt(2 / n_in), (n_in, n_out)).astype('float32'))",
              new="tf.Variable(tf.fill((n_in, n_out), 0.1))",
              beside=("underfitting_capacity",)),
        Fault(cause="loss_broadcast", old="(forecast(x) - tf.reshape(y, (-1, 1))) ** 2", new="(forecast(x) - y) ** 2"),
        Fault(cause="inputs_not_scaled", old="x = (x - x[old].mean(axis=0)) / x[old].std(axis=0)\n", new="",
              beside=("exploding_gradient", "dead_units")),
        Fault(cause="exploding_gradient", old="return tf.reduce_mean((forecast", new="return tf.reduce_sum((forecast",
              accept=("learning_rate_too_high",), beside=("nan_or_inf_in_data", "wrong_loss_for_task")),
        Fault(cause="oscillation", old="MOMENTUM = 0.9", new="MOMENTUM = 0.999",
              accept=("learning_rate_too_high",)),
        Fault(cause="gradient_sign_flipped", old="w.assign_add(v)", new="w.assign_sub(v)",
              beside=("exploding_gradient",)),
        Fault(cause="targets_not_scaled", old="y = (y - offset) / unit\n", new="unit, offset = 1.0, 0.0\n",
              beside=("exploding_gradient", "learning_rate_too_high")),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [SOUND, SCALE]
