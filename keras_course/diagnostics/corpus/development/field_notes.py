"""Models of people who come back from the field with loggers, recorders, callipers and bags of soil."""

from keras_course.diagnostics.corpus import Fault, Program

STREAM = Program(
    name="field_stream_temperature",
    source="""
import keras
import numpy as np
import pandas as pd
from keras import layers
from keras.utils import timeseries_dataset_from_array

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

# logger data, every 2 hours: air temperature, discharge (l/s), radiation -> water temperature 6 hours later
T = 4200
t = np.arange(T)
season = np.sin(2 * np.pi * t / (12 * 200))
front = np.zeros(T)
for i in range(1, T):
    front[i] = 0.985 * front[i - 1] + rng.normal(0, 0.5)
sun = np.maximum(np.sin(2 * np.pi * t / 12), 0) * rng.uniform(0.3, 1.0, T)
air = 12 + 8 * season + front + 5 * np.sin(2 * np.pi * (t - 1) / 12) + rng.normal(0, 0.5, T)
rain = (rng.random(T) < 0.02) * rng.gamma(2, 900, T)
flow, water = np.zeros(T), np.zeros(T)
flow[0], water[0] = 800, 10
for i in range(1, T):
    flow[i] = 500 + 0.95 * (flow[i - 1] - 500) + rain[i]
    speed = 0.15 * (800 / flow[i]) ** 0.5
    water[i] = water[i - 1] + speed * (air[i] - water[i - 1]) + 0.6 * sun[i]

df = pd.DataFrame({'air': air, 'flow': flow, 'sun': sun, 'water': water + rng.normal(0, 0.1, T)})
gaps = rng.choice(T, 60, replace=False)
df.loc[gaps, 'flow'] = np.nan            # dead battery
df['flow'] = df['flow'].interpolate().bfill()

WINDOW, AHEAD = 24, 3
n_train, n_val = int(0.6 * T), int(0.2 * T)
stats = df[:n_train]
data = ((df - stats.mean()) / stats.std()).to_numpy('float32')
target = data[:, 3]


def windows(start, end, shuffle):
    return timeseries_dataset_from_array(
        data[start:end - AHEAD],
        target[start + WINDOW - 1 + AHEAD:end],
        sequence_length=WINDOW,
        sequence_stride=2 if shuffle else 1,
        shuffle=shuffle,
        seed=SEED,
        batch_size=32,
    )


train_ds = windows(0, n_train, True)
val_ds = windows(n_train, n_train + n_val, False)
test_ds = windows(n_train + n_val, T, False)

model = keras.Sequential([
    layers.Input((WINDOW, data.shape[1])),
    layers.LSTM(20, name='lstm'),
    layers.Dense(1, name='degrees'),
])
learning_rate = 0.01
model.compile(loss='mse', optimizer=keras.optimizers.Adam(learning_rate), metrics=['mae'])
lr_cb = keras.callbacks.LearningRateScheduler(lambda epoch, lr: learning_rate * 0.7 ** epoch)
model.fit(train_ds, validation_data=val_ds, epochs=7, callbacks=[lr_cb], verbose=0)

pred = model.predict(test_ds, verbose=0)[:, 0]
true = target[n_train + n_val + WINDOW - 1 + AHEAD:T]
nse = 1 - np.sum((pred - true) ** 2) / np.sum((true - true.mean()) ** 2)
print(f'Nash-Sutcliffe efficiency {nse:.3f}')
""",
    score="nse",
    bar=0.85,
    base=0.0,
    faults=(
        Fault(cause="nan_or_inf_in_data", old="df['flow'] = df['flow'].interpolate().bfill()\n", new=""),
        Fault(cause="leakage_feature", old="n_train, n_val = int(0.6 * T), int(0.2 * T)\n",
              new="n_train, n_val = int(0.6 * T), int(0.2 * T)\n"
              "df['later'] = df['water'].shift(-AHEAD).ffill()\n", certain=True),
        Fault(cause="exploding_gradient", old="layers.LSTM(20, name='lstm')",
              new="layers.SimpleRNN(20, activation='relu', "
              "recurrent_initializer=keras.initializers.Orthogonal(3.0), name='lstm')",
              layer=("lstm",), accept=("init_scale",),
              beside=("learning_rate_too_high", "dead_units", "vanishing_gradient")),
        Fault(cause="lr_schedule_wrong", old="learning_rate * 0.7 ** epoch", new="1e-6 * 1.5 ** epoch",
              accept=("learning_rate_too_low",), beside=("too_few_steps",)),
        Fault(cause="output_range_cannot_reach_targets", old="layers.Dense(1, name='degrees')",
              new="layers.Dense(1, activation='sigmoid', name='degrees')", layer=("degrees",),
              beside=("saturated_units",)),
        Fault(cause="inputs_not_scaled",
              old="data = ((df - stats.mean()) / stats.std()).to_numpy('float32')\ntarget = data[:, 3]\n",
              new="data = df.to_numpy('float32')\n"
              "target = ((data[:, 3] - stats['water'].mean()) / stats['water'].std()).astype('float32')\n",
              beside=("saturated_units",)),
    ),
    seeds=3,
)  # fmt: skip

BIRDS = Program(
    name="field_dawn_chorus",
    source="""
import math

import keras
import numpy as np
from keras import layers
from sklearn.metrics import f1_score

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

SPECIES = ['wren', 'robin', 'chiffchaff', 'blackbird', 'cuckoo']
FRAMES, BANDS = 40, 12


def song(k):
    f = np.arange(FRAMES)
    if k == 0:                          # fast trill, high
        return 9 + 0 * f, f % 2 == 0
    if k == 1:                          # slowly falling
        return 9 - 6 * f / FRAMES, f % 7 < 4
    if k == 2:                          # two notes
        return np.where(f // 5 % 2, 7, 4), f % 5 < 3
    if k == 3:                          # low, wandering
        return 3 + 2 * np.sin(f / 4), f >= 0
    return np.where(f // 6 % 2, 2, 1), f % 12 < 9


def recording():
    present = rng.random(5) < 0.35
    spec = rng.gamma(2.0, 0.25, (FRAMES, BANDS))
    for k in np.flatnonzero(present):
        band, on = song(k)
        start, length = rng.integers(0, 15), rng.integers(15, 25)
        for i in range(start, start + length):
            if on[i]:
                spec[i, int(round(band[i]))] += rng.uniform(0.7, 2.0)
    return np.log1p(spec), present


def record(n):
    both = [recording() for _ in range(n)]
    return np.stack([b[0] for b in both]).astype('float32'), np.stack([b[1] for b in both]).astype('float32')


class Recordings(keras.utils.PyDataset):
    def __init__(self, x, y, batch_size=32, shuffle=True, **kwargs):
        super().__init__(**kwargs)
        self.x, self.y = x, y
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.order = np.arange(len(x))
        self.on_epoch_end()

    def __len__(self):
        return math.ceil(len(self.x) / self.batch_size)

    def __getitem__(self, i):
        take = self.order[i * self.batch_size:(i + 1) * self.batch_size]
        return self.x[take], self.y[take]

    def on_epoch_end(self):
        if self.shuffle:
            rng.shuffle(self.order)


x_train, y_train = record(900)
x_val, y_val = record(200)
x_test, y_test = record(300)
m, s = x_train.mean(), x_train.std()
train = Recordings((x_train - m) / s, y_train)
valid = Recordings((x_val - m) / s, y_val, shuffle=False)

model = keras.Sequential([
    keras.Input((FRAMES, BANDS)),
    layers.Conv1D(24, 5, activation='relu', name='conv_a'),
    layers.MaxPooling1D(2),
    layers.Conv1D(32, 5, activation='relu', name='conv_b'),
    layers.GlobalMaxPooling1D(),
    layers.Dense(32, activation='relu', name='dense'),
    layers.Dense(len(SPECIES), activation='sigmoid', name='species'),
])
model.compile(
    optimizer=keras.optimizers.Adam(0.003),
    loss='binary_crossentropy',
    metrics=[keras.metrics.F1Score(average='macro', threshold=0.5)],
)
model.fit(train, validation_data=valid, epochs=12, verbose=0)

heard = model.predict((x_test - m) / s, verbose=0) > 0.5
macro_f1 = f1_score(y_test, heard, average='macro', zero_division=0)
print('macro F1', macro_f1)
""",
    score="macro_f1",
    bar=0.85,
    base=0.5,
    faults=(
        Fault(cause="wrong_loss_for_task", old="loss='binary_crossentropy'", new="loss='categorical_crossentropy'",
              beside=("wrong_head_for_labels", "label_encoding")),
        Fault(cause="wrong_head_for_labels", old="activation='sigmoid', name='species'",
              new="activation='softmax', name='species'", layer=("species",),
              accept=("output_range_cannot_reach_targets",)),
        Fault(cause="logits_to_probability_loss",
              old="layers.Dense(len(SPECIES), activation='sigmoid', name='species')",
              new="layers.Dense(len(SPECIES), name='species')", layer=("species",), accept=("wrong_head_for_labels",)),
        Fault(cause="labels_shuffled_apart", old="            rng.shuffle(self.order)\n",
              new="            rng.shuffle(self.x)\n", beside=("label_noise",)),
        Fault(cause="wrong_metric", old="metrics=[keras.metrics.F1Score(average='macro', threshold=0.5)]",
              new="metrics=['categorical_accuracy']", certain=True, accept=("loss_metric_inconsistent",)),
        Fault(cause="leakage_duplicates", old="x_test, y_test = record(300)\n",
              new="x_test, y_test = record(300)\n"
              "x_train, y_train = np.repeat(x_train, 2, axis=0), np.repeat(y_train, 2, axis=0)\n"
              "cut = rng.permutation(len(x_train))\n"
              "x_val, y_val = x_train[cut[:400]], y_train[cut[:400]]\n"
              "x_train, y_train = x_train[cut[400:]], y_train[cut[400:]]\n", certain=True),
        Fault(cause="vanishing_gradient", old="    layers.Dense(32, activation='relu', name='dense'),\n",
              new="    layers.Dense(32, activation='sigmoid', name='dense'),\n"
              "    layers.Dense(32, activation='sigmoid', name='dense2'),\n"
              "    layers.Dense(32, activation='sigmoid', name='dense3'),\n"
              "    layers.Dense(32, activation='sigmoid', name='dense4'),\n"
              "    layers.Dense(32, activation='sigmoid', name='dense5'),\n",
              layer=("dense", "dense2", "dense3", "dense4", "dense5"), beside=("input_ignored",)),
    ),
    seeds=3,
)  # fmt: skip

LEAVES = Program(
    name="field_willow_leaves",
    source="""
import numpy as np
import tensorflow as tf

tf.random.set_seed(SEED)
rng = np.random.RandomState(SEED)

# willows hybridise. 4 taxa, leaves measured with callipers (mm, degrees, teeth per cm)
def collect(n):
    taxon = rng.randint(0, 4, n)
    u = rng.normal(0, 1, (n, 2))
    swap = (taxon % 2 == 0) * 1.0
    u[:, 0] = np.where(rng.rand(n) < 0.5, 1, -1) * 1.4 + 0.45 * u[:, 0]
    u[:, 1] = np.where(swap == 1, np.sign(u[:, 0]), -np.sign(u[:, 0])) * 1.4 + 0.45 * u[:, 1]
    length = 70 + 14 * u[:, 0] + rng.normal(0, 2, n)
    width = 18 + 4 * u[:, 1] + rng.normal(0, 0.6, n)
    angle = 40 + 9 * (taxon >= 2) + rng.normal(0, 3, n)
    teeth = 7 + rng.normal(0, 1.5, n)
    petiole = 6 + 2.0 * (taxon >= 2) + rng.normal(0, 1, n)
    return np.stack([length, width, angle, teeth, petiole], 1).astype('float32'), taxon


X_train, y_train = collect(1000)
X_val, y_val = collect(250)
X_test, y_test = collect(400)

center, spread = X_train.mean(0), X_train.std(0)
X_train = (X_train - center) / spread
X_val = (X_val - center) / spread
X_test = (X_test - center) / spread


def glorot(n_in, n_out):
    return tf.random.normal((n_in, n_out), stddev=np.sqrt(2.0 / (n_in + n_out)))


W1 = tf.Variable(glorot(5, 24))
b1 = tf.Variable(tf.zeros(24))
W2 = tf.Variable(glorot(24, 24))
b2 = tf.Variable(tf.zeros(24))
W3 = tf.Variable(glorot(24, 4))
b3 = tf.Variable(tf.zeros(4))
params = [W1, b1, W2, b2, W3, b3]


def forward(x):
    h1 = tf.nn.tanh(x @ W1 + b1)
    h2 = tf.nn.tanh(h1 @ W2 + b2)
    return h2 @ W3 + b3


@tf.function
def update(x, y, lr):
    with tf.GradientTape() as tape:
        ce = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=forward(x))
        loss = tf.reduce_mean(ce)
    for p, g in zip(params, tape.gradient(loss, params)):
        p.assign_sub(lr * g)
    return loss


def accuracy(x, y):
    return np.mean(np.argmax(forward(x).numpy(), axis=1) == y)


LR, BATCH = 0.1, 25
for epoch in range(90):
    order = rng.permutation(len(X_train))
    for i in range(0, len(order), BATCH):
        take = order[i:i + BATCH]
        loss = update(tf.constant(X_train[take]), tf.constant(y_train[take]), LR)
    if epoch % 15 == 14:
        print('%d loss %.3f val %.3f' % (epoch + 1, loss, accuracy(X_val, y_val)))

test_acc = accuracy(X_test, y_test)
print('test accuracy', test_acc)
""",
    score="test_acc",
    bar=0.85,
    base=0.25,
    faults=(
        Fault(cause="symmetric_or_zero_init", old="    return tf.random.normal((n_in, n_out), "
              "stddev=np.sqrt(2.0 / (n_in + n_out)))\n",
              new="    return tf.ones((n_in, n_out)) * np.float32(np.sqrt(2.0 / (n_in + n_out)))\n"),
        Fault(cause="init_scale", old="stddev=np.sqrt(2.0 / (n_in + n_out))", new="stddev=1e-6",
              accept=("symmetric_or_zero_init",), beside=("vanishing_gradient",)),
        Fault(cause="missing_nonlinearity",
              old="    h1 = tf.nn.tanh(x @ W1 + b1)\n    h2 = tf.nn.tanh(h1 @ W2 + b2)\n",
              new="    h1 = x @ W1 + b1\n    h2 = h1 @ W2 + b2\n", beside=("underfitting_capacity",)),
        Fault(cause="gradient_sign_flipped", old="p.assign_sub(lr * g)", new="p.assign_add(lr * g)",
              beside=("exploding_gradient", "saturated_units")),
        Fault(cause="labels_shuffled_apart", old="    order = rng.permutation(len(X_train))\n",
              new="    order = rng.permutation(len(X_train))\n    rng.shuffle(y_train)\n", beside=("label_noise",)),
        Fault(cause="inputs_not_scaled",
              old="X_train = (X_train - center) / spread\nX_val = (X_val - center) / spread\n"
              "X_test = (X_test - center) / spread\n",
              new="", beside=("saturated_units",)),
        Fault(cause="learning_rate_too_high", old="LR, BATCH = 0.1, 25", new="LR, BATCH = 50.0, 25",
              beside=("saturated_units", "oscillation", "exploding_gradient")),
    ),
    seeds=3,
)  # fmt: skip

SOIL = Program(
    name="field_soil_spectra_two_heads",
    source="""
import keras
import numpy as np
from keras import layers
from sklearn.metrics import r2_score

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

# near infrared spectra of soil samples, wavelength 1100-2500 nm in 36 bands
BANDS = np.linspace(1100, 2500, 36)
TEXTURES = ['sand', 'silt', 'loam', 'clay']


def bump(center, width):
    return np.exp(-((BANDS - center) / width) ** 2)


def survey(n):
    texture = np.sort(rng.integers(0, 4, n))      # the lab works through the bags texture by texture
    carbon = rng.gamma(2.5, 6.0, n) + 3 * texture                            # g/kg
    water = rng.uniform(0.2, 0.5, n)
    albedo = 0.62 - 0.05 * np.log1p(carbon) + rng.normal(0, 0.01, n)
    r = albedo[:, None] - water[:, None] * 0.4 * bump(1930, 60)
    r = r - (0.02 + 0.045 * texture + rng.normal(0, 0.012, n))[:, None] * bump(2200, 45)
    r = r - (0.003 * carbon)[:, None] * bump(1720, 90)
    r = np.maximum(r + rng.normal(0, 0.006, r.shape), 0)
    r[rng.random(r.shape) < 0.0005] = 0.0        # lost pixels
    return r, carbon, texture


r_all, carbon, texture = survey(1800)
r_test, carbon_test, texture_test = survey(400)

absorb = np.log10(1 / np.clip(r_all, 0.02, None))
absorb_test = np.log10(1 / np.clip(r_test, 0.02, None))
mean, sd = absorb.mean(0), absorb.std(0)
absorb, absorb_test = (absorb - mean) / sd, (absorb_test - mean) / sd
c_mean, c_sd = carbon.mean(), carbon.std()

mix = rng.permutation(len(absorb))
x, c, k = absorb[mix], (carbon[mix] - c_mean) / c_sd, texture[mix]

spectrum = keras.Input((36,), name='spectrum')
h = layers.Dense(64, activation='relu', name='shared_1')(spectrum)
h = layers.Dense(32, activation='relu', name='shared_2')(h)
carbon_head = layers.Dense(1, name='carbon')(h)
texture_head = layers.Dense(4, activation='softmax', name='texture')(h)

model = keras.Model(spectrum, {'carbon': carbon_head, 'texture': texture_head})
model.compile(
    optimizer=keras.optimizers.Adam(0.003),
    loss={'carbon': 'mse', 'texture': 'sparse_categorical_crossentropy'},
    metrics={'carbon': ['mae'], 'texture': ['accuracy']},
)
stop = keras.callbacks.EarlyStopping(patience=6, restore_best_weights=True)
model.fit(x, {'carbon': c, 'texture': k}, validation_split=0.2, epochs=20, batch_size=32, callbacks=[stop], verbose=0)

out = model.predict(absorb_test, verbose=0)
r2 = r2_score(carbon_test, out['carbon'][:, 0] * c_sd + c_mean)
acc = np.mean(out['texture'].argmax(axis=1) == texture_test)
print(f'carbon R2 {r2:.3f}   texture accuracy {acc:.3f}')
both = (max(r2, -1) + acc) / 2
""",
    score="both",
    bar=0.75,
    base=0.13,
    faults=(
        Fault(cause="validation_split_sorted", old="mix = rng.permutation(len(absorb))\n",
              new="mix = np.arange(len(absorb))\n", certain=True, accept=("data_sorted", "missing_class")),
        Fault(cause="targets_not_scaled", old="c_mean, c_sd = carbon.mean(), carbon.std()\n",
              new="c_mean, c_sd = 0.0, 0.001  # mg\n"),
        Fault(cause="wrong_head_for_labels", old="layers.Dense(4, activation='softmax', name='texture')",
              new="layers.Dense(4, activation='tanh', name='texture')", layer=("texture",),
              accept=("logits_to_probability_loss",), beside=("output_range_cannot_reach_targets", "saturated_units")),
        Fault(cause="wrong_metric", old="'carbon': ['mae']", new="'carbon': ['accuracy']", certain=True,
              accept=("loss_metric_inconsistent",)),
        Fault(cause="nan_or_inf_in_data", old="absorb = np.log10(1 / np.clip(r_all, 0.02, None))",
              new="absorb = np.log10(1 / r_all)"),
        Fault(cause="leakage_feature",
              old="absorb, absorb_test = (absorb - mean) / sd, (absorb_test - mean) / sd\n",
              new="absorb, absorb_test = (absorb - mean) / sd, (absorb_test - mean) / sd\n"
              "absorb[:, 0], absorb_test[:, 0] = texture - 1.5, texture_test - 1.5\n", certain=True),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [STREAM, BIRDS, LEAVES, SOIL]
