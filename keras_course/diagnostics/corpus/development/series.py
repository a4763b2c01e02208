"""Waves, traffic, heartbeats and cells that age. Written before any verdict on them."""

from keras_course.diagnostics.corpus import Fault, Program

LATCH = Program(
    name="latched_signal_gru",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow.keras.layers import GRU, Dense, Input
from tensorflow.keras.models import Sequential

np.random.seed(SEED)
tf.random.set_seed(SEED)
n_samples, n_steps, n_classes = 1600, 18, 4
pattern = np.random.choice([-1.5, 1.5], (n_classes, 4, 2))
pattern[:, 0] = [[1.5, 1.5], [1.5, -1.5], [-1.5, 1.5], [-1.5, -1.5]]
y = np.random.randint(0, n_classes, n_samples)
X = np.random.normal(0, 0.3, (n_samples, n_steps, 2))
X[:, :4] += pattern[y]  # what matters comes first, then nothing does
onehot = np.eye(n_classes)[y]
X_train, X_test, Y_train, Y_test = X[:1200], X[1200:], onehot[:1200], onehot[1200:]

model = Sequential()
model.add(Input((n_steps, 2)))
model.add(GRU(24))
model.add(Dense(n_classes, activation='softmax'))
model.compile(loss='categorical_crossentropy', optimizer=tf.keras.optimizers.Adam(0.01, clipnorm=1.0), metrics=['accuracy'])
model.fit(X_train, Y_train, epochs=8, batch_size=40, verbose=0)
loss, acc = model.evaluate(X_test, Y_test, verbose=0)
print('Test accuracy = %.3f' % acc)
""",
    score="np.mean(model.predict(X_test, verbose=0).argmax(1) == Y_test.argmax(1))",
    bar=0.9,
    base=0.25,
    faults=(
        Fault(cause="vanishing_gradient", old="""model.add(GRU(24))""",
              new="""model.add(tf.keras.layers.SimpleRNN(24, activation='sigmoid'))""", beside=("learning_rate_too_low", "init_scale")),
        Fault(cause="learning_rate_too_low", old="Adam(0.01, clipnorm=1.0)", new="SGD(1e-4, clipnorm=1.0)"),
        Fault(cause="labels_shuffled_apart", old="onehot = np.eye(n_classes)[y]", new="onehot = np.eye(n_classes)[y[np.random.permutation(n_samples)]]",
              accept=("label_noise",)),
    ),
)  # fmt: skip

TRAFFIC = Program(
    name="traffic_causal_forecast",
    odd="hours in their order, windows that overlap, a rate that ends at zero",
    source="""
import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
hours = np.arange(24 * 7 * 14)
rush = np.exp(-0.5 * ((hours % 24 - 8) / 1.5) ** 2) + 0.8 * np.exp(-0.5 * ((hours % 24 - 17) / 2) ** 2)
weekend = (hours // 24) % 7 >= 5
cars = 250 + 2600 * rush * np.where(weekend, 0.35, 1.0) + 0.02 * hours
for h in range(1, len(cars)):  # jams take time to go
    cars[h] = 0.6 * cars[h] + 0.4 * cars[h - 1] + rng.normal(0, 40)

split = 24 * 7 * 11
WINDOW = 24
low, high = cars[:split].min(), cars[:split].max()
scaled = ((cars - low) / (high - low)).astype('float32')


def windows(series):
    steps = np.lib.stride_tricks.sliding_window_view(series, WINDOW + 1)
    return steps[:, :WINDOW, None], steps[:, WINDOW:]


x_train, y_train = windows(scaled[:split])
x_test, y_test = windows(scaled[split:])

EPOCHS, BATCH = 10, 32
steps = EPOCHS * (len(x_train) // BATCH)
schedule = keras.optimizers.schedules.CosineDecay(0.004, decay_steps=steps, alpha=0.0)
model = keras.Sequential([
    layers.Input((WINDOW, 1)),
    layers.Conv1D(16, 2, dilation_rate=1, padding='causal', activation='relu'),
    layers.Conv1D(16, 2, dilation_rate=2, padding='causal', activation='relu'),
    layers.Conv1D(16, 2, dilation_rate=4, padding='causal', activation='relu'),
    layers.Conv1D(16, 2, dilation_rate=8, padding='causal', activation='relu'),
    layers.Flatten(),
    layers.Dense(1, name='next_hour'),
])
model.compile(optimizer=keras.optimizers.Adam(schedule), loss=keras.losses.Huber(), metrics=['mae'])
model.fit(x_train, y_train, epochs=EPOCHS, batch_size=BATCH, shuffle=False, validation_data=(x_test, y_test), verbose=0)
forecast = model.predict(x_test, verbose=0) * (high - low) + low
truth = cars[split + WINDOW:]
print('MAE in cars per hour:', np.abs(forecast[:, 0] - truth).mean())
""",
    score="1 - np.mean((forecast[:, 0] - truth) ** 2) / np.var(truth)",
    bar=0.8,
    base=0.0,
    seeds=3,
    faults=(
        Fault(cause="leakage_feature", old="return steps[:, :WINDOW, None], steps[:, WINDOW:]", new="return steps[:, -WINDOW:, None], steps[:, WINDOW:]",
              certain=True),
        Fault(cause="lr_schedule_wrong", old="decay_steps=steps,", new="decay_steps=EPOCHS,"),
        Fault(cause="train_val_preprocessing_mismatch", old="x_test, y_test = windows(scaled[split:])",
              new="x_test, y_test = windows(cars[split:].astype('float32'))", beside=("inputs_not_scaled", "targets_not_scaled"), certain=True),
        Fault(cause="wrong_loss_for_task", old="loss=keras.losses.Huber()", new="loss='categorical_crossentropy'",
              accept=("wrong_head_for_labels", "logits_to_probability_loss")),
        Fault(cause="learning_rate_too_high", old="CosineDecay(0.004,", new="CosineDecay(4.0,"),
    ),
)  # fmt: skip

BEATS = Program(
    name="heartbeats_attention",
    odd="a rate of 0.02 that warms up, gradients that are clipped, one beat in ten is of the rarest kind",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
kinds = np.array(['normal', 'ventricular', 'paced'])
codes = rng.choice(3, 1500, p=[0.6, 0.3, 0.1])
t = np.linspace(-1, 1, 48)
beats = np.empty((1500, 48, 1), 'float32')
for i, code in enumerate(codes):
    shift, gain = rng.normal(0, 0.08), rng.uniform(0.8, 1.3)
    wide = [0.08, 0.22, 0.1][code]
    beat = gain * np.exp(-((t - shift) / wide) ** 2) + 0.25 * np.exp(-((t - shift - 0.5) / 0.15) ** 2) * (-1 if code == 1 else 1)
    if code == 2:
        beat[np.abs(t - shift + 0.22) < 0.04] += 0.8
    beats[i, :, 0] = beat + rng.normal(0, 0.12, 48)
train, valid = slice(0, 1200), slice(1200, None)


class BeatNet(keras.Model):
    def __init__(self, width=24, classes=3):
        super().__init__()
        self.patches = layers.Conv1D(width, 6, strides=3, activation='gelu', name='patches')
        self.attention = layers.MultiHeadAttention(num_heads=2, key_dim=12, name='attention')
        self.norm = layers.LayerNormalization()
        self.pool = layers.GlobalAveragePooling1D()
        self.dropout = layers.Dropout(0.1)
        self.out = layers.Dense(classes, name='out')

    def call(self, x, training=False):
        x = self.patches(x)
        x = self.norm(x + self.attention(x, x))
        return self.out(self.dropout(self.pool(x), training=training))


EPOCHS, BATCH_SIZE = 9, 40
total_steps = EPOCHS * 1200 // BATCH_SIZE
rate = keras.optimizers.schedules.CosineDecay(1e-4, total_steps, warmup_target=0.02, warmup_steps=total_steps // 6)
model = BeatNet()
model.compile(keras.optimizers.AdamW(rate, weight_decay=1e-3, global_clipnorm=1.0),
              loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=['accuracy'])
model.fit(beats[train], codes[train], batch_size=BATCH_SIZE, epochs=EPOCHS, validation_data=(beats[valid], codes[valid]), verbose=0)
""",
    score="np.mean([np.mean(model.predict(beats[valid], verbose=0).argmax(1)[codes[valid] == c] == c) for c in range(3)])",
    bar=0.85,
    base=0.34,
    seeds=3,
    faults=(
        Fault(cause="lr_schedule_wrong", old="warmup_target=0.02, warmup_steps=total_steps // 6", new="warmup_target=0.02, warmup_steps=total_steps * 1200",
              accept=("learning_rate_too_low",)),
        Fault(cause="dropout_mode", old="return self.out(self.dropout(self.pool(x), training=training))",
              new="return self.out(tf.nn.dropout(self.pool(x), 0.9))", beside=("regularisation_overwhelms",)),
        Fault(cause="frozen_or_disconnected", old="x = self.norm(x + self.attention(x, x))", new="x = tf.stop_gradient(self.norm(x + self.attention(x, x)))",
              layer=("patches", "attention", "layer_normalization")),
        Fault(cause="class_imbalance", old="p=[0.6, 0.3, 0.1])", new="p=[0.97, 0.02, 0.01])"),
        Fault(cause="constant_labels", old="codes = rng.choice(3, 1500, p=[0.6, 0.3, 0.1])",
              new="codes = (kinds[rng.choice(3, 1500, p=[0.6, 0.3, 0.1])] == 'Ventricular').astype(int)", certain=True, beside=("missing_class",)),
    ),
)  # fmt: skip

BATTERY = Program(
    name="battery_health_lstm",
    source="""
import numpy as np
from keras import Input, Model, layers, optimizers, utils

utils.set_random_seed(SEED)
rs = np.random.RandomState(SEED)
# voltage [V], current [A] and temperature [C] while 900 cells are discharged; what is left of their capacity, in percent
n, T = 900, 25
health = rs.uniform(60, 100, n)
time = np.linspace(0, 1, T)
voltage = 4.15 - 0.9 * time ** 2 * (100 / health[:, None]) ** 2 - 0.1 * (time > 0.9) + rs.normal(0, 0.015, (n, T))
current = -rs.uniform(0.9, 1.1, (n, 1)) + rs.normal(0, 0.02, (n, T))
temperature = 22 + rs.normal(0, 2, (n, 1)) + 9 * time * (100 / health[:, None]) + rs.normal(0, 0.3, (n, T))
X = np.stack([voltage, current, temperature], axis=-1)

mu, sigma = X[:700].mean((0, 1)), X[:700].std((0, 1))
X = (X - mu) / sigma
y = (health - 60) / 40
X_train, X_test, y_train, y_test = X[:700], X[700:], y[:700, None], y[700:, None]

inp = Input((T, 3))
seq = layers.LSTM(16, return_sequences=True)(inp)
seq = layers.LSTM(16)(seq)
out = layers.Dense(1, activation='sigmoid', name='health')(seq)
lstm = Model(inp, out)
lstm.compile(optimizers.Adam(0.01), loss='mean_squared_error')
lstm.fit(X_train, y_train, batch_size=28, epochs=10, validation_data=(X_test, y_test), verbose=0)
print('RMSE in points:', 40 * lstm.evaluate(X_test, y_test, verbose=0) ** 0.5)
""",
    score="1 - np.mean((lstm.predict(X_test, verbose=0) - y_test) ** 2) / np.var(y_test)",
    bar=0.8,
    base=0.0,
    faults=(
        Fault(cause="inputs_not_scaled", old="X = (X - mu) / sigma\n", new="X = X * 1000  # mV, mA, mK\n", beside=("learning_rate_too_low",)),
        Fault(cause="output_range_cannot_reach_targets", old="y = (health - 60) / 40\n", new="y = health\n", accept=("targets_not_scaled", "wrong_head_for_labels")),
        Fault(cause="nan_or_inf_in_data", old="X = (X - mu) / sigma\n", new="X = np.where(abs(X - mu) > 3 * sigma, np.nan, X)  # outliers\nX = (X - mu) / sigma\n"),
        Fault(cause="learning_rate_too_high", old="Adam(0.01)", new="Adam(3.0)", beside=("saturated_units",)),
        Fault(cause="labels_shuffled_apart", old="X_train, X_test, y_train, y_test =", new="rs.shuffle(X); rs.shuffle(y)\nX_train, X_test, y_train, y_test =",
              accept=("label_noise",)),
    ),
)  # fmt: skip

PROGRAMS = (LATCH, TRAFFIC, BEATS, BATTERY)
