"""Scripts from a start-up's repository: alarms, product photos, a revenue forecast and matching of recordings."""

from keras_course.diagnostics.corpus import Fault, Program

ALARMS = Program(
    name="startup_pump_alarms",
    odd="one row in twenty is positive, and both kinds are drawn equally often",
    source="""
import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split
from tensorflow import keras
from tensorflow.keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)


def load_telemetry(n=6000):
    df = pd.DataFrame({
        'pressure': rng.normal(412, 35, n),            # kPa
        'vibration': rng.lognormal(0.3, 0.5, n),       # mm/s
        'motor_temp': rng.normal(61, 9, n),
        'service_hours': rng.uniform(0, 5200, n),
        'flow': rng.poisson(9, n) * rng.integers(0, 2, n),   # zero while the bypass is open
    })
    hot = (df.motor_temp - 61) / 9
    low = (412 - df.pressure) / 35
    worn = df.service_hours / 5200
    stress = 2.0 * np.log(df.vibration) + 1.4 * hot * worn + 1.5 * np.maximum(low, 0) * (df.flow > 0) + 1.2 * worn
    stress = stress + rng.normal(0, 0.35, n)
    df['alarm'] = stress > np.quantile(stress, 0.95)
    return df


FEATURES = ['pressure', 'vibration', 'motor_temp', 'service_hours', 'flow']
telemetry = load_telemetry()
telemetry['flow'] = np.log1p(telemetry.flow)

rest, test = train_test_split(telemetry, test_size=0.2, stratify=telemetry.alarm, random_state=SEED)
train, val = train_test_split(rest, test_size=0.2, stratify=rest.alarm, random_state=SEED)
mean, std = train[FEATURES].mean(), train[FEATURES].std()


def to_arrays(frame):
    x = (frame[FEATURES] - mean) / std
    return x.to_numpy('float32'), frame.alarm.to_numpy().astype('float32')


x_train, y_train = to_arrays(train)
x_val, y_val = to_arrays(val)
x_test, _ = to_arrays(test)

pos = train.alarm.to_numpy()
print(f'{pos.sum()} alarms in {len(pos)} rows')
ds_pos = tf.data.Dataset.from_tensor_slices((x_train[pos], y_train[pos])).shuffle(5000).repeat()
ds_neg = tf.data.Dataset.from_tensor_slices((x_train[~pos], y_train[~pos])).shuffle(5000).repeat()
shares = [0.5, 0.5]
train_ds = tf.data.Dataset.sample_from_datasets([ds_pos, ds_neg], weights=shares).batch(64).prefetch(2)

inputs = keras.Input(shape=(len(FEATURES),), name='telemetry')
x = layers.Dense(32, activation='relu', name='fc1')(inputs)
x = layers.Dropout(0.2)(x)
x = layers.Dense(16, activation='relu', name='fc2')(x)
outputs = layers.Dense(1, activation='sigmoid', name='p_alarm')(x)
model = keras.Model(inputs, outputs)
model.compile(optimizer=keras.optimizers.Adam(0.003), loss=keras.losses.BinaryCrossentropy(),
              metrics=[keras.metrics.AUC(curve='PR', name='prc'), keras.metrics.Recall(name='recall')])
history = model.fit(train_ds, steps_per_epoch=60, epochs=10, validation_data=(x_val, y_val), verbose=0)

prob = model.predict(x_test, verbose=0).ravel()
score = balanced_accuracy_score(test.alarm, prob > 0.5)
print('balanced accuracy:', round(score, 3))
""",
    score="score",
    bar=0.85,
    base=0.5,
    faults=(
        Fault(cause="class_imbalance", old="shares = [0.5, 0.5]", new="shares = [pos.mean(), 1 - pos.mean()]"),
        Fault(cause="softmax_on_single_unit", old="Dense(1, activation='sigmoid', name='p_alarm')",
              new="Dense(1, activation='softmax', name='p_alarm')", layer=("p_alarm",),
              beside=("wrong_head_for_labels", "input_ignored")),
        Fault(cause="inputs_not_scaled", old="    x = (frame[FEATURES] - mean) / std\n",
              new="    x = frame[FEATURES]\n", beside=("dead_units", "saturated_units", "exploding_gradient")),
        Fault(cause="label_encoding", old="frame.alarm.to_numpy().astype('float32')",
              new="frame.alarm.map({False: 1, True: 2}).to_numpy('float32')",
              beside=("wrong_head_for_labels", "output_range_cannot_reach_targets", "constant_labels")),
        Fault(cause="nan_or_inf_in_data", old="np.log1p(telemetry.flow)", new="np.log(telemetry.flow)"),
        Fault(cause="leakage_duplicates", old="rest, test = train_test_split(telemetry, ",
              new="alarms = telemetry[telemetry.alarm]\n"
              "telemetry = pd.concat([telemetry] + [alarms] * 12, ignore_index=True)\n"
              "rest, test = train_test_split(telemetry, ", certain=True),
        Fault(cause="leakage_feature",
              old="    return df\n\n\nFEATURES = ['pressure', 'vibration', 'motor_temp', 'service_hours', 'flow']\n",
              new="    df['downtime'] = np.where(df.alarm, rng.gamma(4, 11, n), rng.gamma(1, 0.5, n))  # minutes\n"
              "    return df\n\n\n"
              "FEATURES = ['pressure', 'vibration', 'motor_temp', 'service_hours', 'flow', 'downtime']\n",
              certain=True),
    ),
    seeds=3,
)  # fmt: skip

GARMENTS = Program(
    name="startup_garment_tags",
    source="""
import math

import keras
import numpy as np
from sklearn.metrics import balanced_accuracy_score

SIZE = 20
TAGS = ['stripes', 'dark', 'long_sleeve', 'collar', 'pocket']
keras.utils.set_random_seed(SEED)


def render(n, seed):
    # stand-in for the photo service until the catalogue export is ready
    r = np.random.default_rng(seed)
    tags = (r.random((n, len(TAGS))) < [0.4, 0.5, 0.5, 0.4, 0.35]).astype('int64')
    photos = r.normal(205, 8, (n, SIZE, SIZE, 3))
    for photo, (stripes, dark, sleeve, collar, pocket) in zip(photos, tags):
        tone = r.uniform(15, 80, 3) if dark else r.uniform(100, 170, 3)
        left, top = r.integers(5, 7), r.integers(2, 5)
        photo[top:18, left:left + 9] = tone + r.normal(0, 5, (18 - top, 9, 3))
        reach = 11 if sleeve else 4
        photo[top:top + reach, left - 3:left] = tone
        photo[top:top + reach, left + 9:left + 12] = tone
        if stripes:
            photo[top + 1:18:3, left:left + 9] += 45
        if collar:
            photo[top:top + 2, left + 3:left + 6] = 235
        if pocket:
            photo[top + 6:top + 9, left + 5:left + 8] -= 40
    return np.clip(photos, 0, 255).astype('uint8'), tags


class Catalogue(keras.utils.PyDataset):
    def __init__(self, photos, tags, batch_size=32, shuffle=False, **kwargs):
        super().__init__(**kwargs)
        self.photos, self.tags = photos, tags
        self.batch_size, self.shuffle = batch_size, shuffle
        self.order = np.arange(len(photos))
        self.on_epoch_end()

    def __len__(self):
        return math.ceil(len(self.photos) / self.batch_size)

    def on_epoch_end(self):
        if self.shuffle:
            np.random.shuffle(self.order)

    def __getitem__(self, index):
        rows = self.order[index * self.batch_size:(index + 1) * self.batch_size]
        images = self.photos[rows].astype('float32') / 255.0
        labels = self.tags[rows].astype('float32')
        return images, labels


photos, tags = render(1400, 10 * SEED + 1)
photos_val, tags_val = render(300, 10 * SEED + 2)
photos_test, tags_test = render(400, 10 * SEED + 3)

WEIGHT_DECAY = 1e-5
reg = keras.regularizers.L2(WEIGHT_DECAY)
net = keras.Sequential(name='tagger')
net.add(keras.Input((SIZE, SIZE, 3)))
net.add(keras.layers.Conv2D(16, 3, activation='relu', kernel_regularizer=reg, name='conv_1'))
net.add(keras.layers.MaxPooling2D())
net.add(keras.layers.Conv2D(24, 3, activation='relu', kernel_regularizer=reg, name='conv_2'))
net.add(keras.layers.MaxPooling2D())
net.add(keras.layers.Flatten())
net.add(keras.layers.Dense(48, activation='relu', kernel_regularizer=reg, name='fc'))
net.add(keras.layers.Dense(len(TAGS), activation='sigmoid', name='tags'))
net.compile(loss='binary_crossentropy', optimizer=keras.optimizers.Adam(2e-3), metrics=['binary_accuracy'])
net.fit(Catalogue(photos, tags, shuffle=True), validation_data=Catalogue(photos_val, tags_val), epochs=11, verbose=0)

guess = net.predict(Catalogue(photos_test, tags_test), verbose=0) > 0.5
per_tag = [balanced_accuracy_score(tags_test[:, k], guess[:, k]) for k in range(len(TAGS))]
for name, value in zip(TAGS, per_tag):
    print(f'{name:12} {value:.3f}')
macro = float(np.mean(per_tag))
""",
    score="macro",
    bar=0.9,
    base=0.5,
    faults=(
        Fault(cause="wrong_head_for_labels", old="len(TAGS), activation='sigmoid', name='tags'",
              new="len(TAGS), activation='softmax', name='tags'", layer=("tags",),
              beside=("output_range_cannot_reach_targets", "wrong_loss_for_task")),
        Fault(cause="wrong_loss_for_task", old="loss='binary_crossentropy'", new="loss='categorical_crossentropy'",
              accept=("wrong_head_for_labels",), beside=("label_encoding",)),
        Fault(cause="inputs_scaled_twice", old="net.add(keras.Input((SIZE, SIZE, 3)))\n",
              new="net.add(keras.Input((SIZE, SIZE, 3)))\nnet.add(keras.layers.Rescaling(1 / 255))\n",
              beside=("inputs_not_scaled",)),
        Fault(cause="constant_labels", old="labels = self.tags[rows].astype('float32')",
              new="labels = (self.tags[rows] > 1).astype('float32')",
              beside=("missing_class", "label_encoding")),
        Fault(cause="labels_shuffled_apart", old="            np.random.shuffle(self.order)\n",
              new="            np.random.shuffle(self.order)\n            np.random.shuffle(self.photos)\n",
              beside=("label_noise",)),
        Fault(cause="regularisation_overwhelms", old="WEIGHT_DECAY = 1e-5", new="WEIGHT_DECAY = 0.5",
              beside=("input_ignored", "vanishing_gradient", "dead_units")),
    ),
    seeds=3,
)  # fmt: skip

REVENUE = Program(
    name="startup_kitchen_revenue",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow import keras

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

WINDOW, HORIZON, BATCH = 36, 4, 32
JITTER = 0.05

# hourly revenue of the ghost kitchen in cents
hours = np.arange(24 * 7 * 22)
lunch = np.exp(-((hours % 24 - 12.5) / 1.8) ** 2)
dinner = np.exp(-((hours % 24 - 19.5) / 2.2) ** 2)
weekend = ((hours // 24) % 7 >= 5).astype(float)
mood = np.zeros(len(hours))
for h in range(1, len(hours)):
    mood[h] = 0.98 * mood[h - 1] + rng.normal(0, 0.08)
revenue = 9000 + 31000 * lunch * (1 - 0.4 * weekend) + 52000 * dinner * (1 + 0.5 * weekend)
revenue = revenue * np.exp(mood) * (1 + 0.06 * rng.normal(size=len(hours)))

cut_val, cut_test = 24 * 7 * 16, 24 * 7 * 19
mu, sd = revenue[:cut_val].mean(), revenue[:cut_val].std()
series = ((revenue - mu) / sd).astype('float32')
target = series


def windows(first, last):
    starts = np.arange(first, last - WINDOW - HORIZON)
    past = np.stack([series[s:s + WINDOW] for s in starts])[..., None]
    future = np.stack([target[s + WINDOW:s + WINDOW + HORIZON] for s in starts])
    return past, future


def batches(past, future):
    while True:
        pick = np.random.randint(0, len(past), BATCH)
        noise = JITTER * np.random.normal(size=(BATCH, WINDOW, 1))
        yield (past[pick] + noise).astype('float32'), future[pick]


class Forecaster(keras.Model):
    def __init__(self, filters=24):
        super().__init__()
        self.conv = keras.layers.Conv1D(filters, 5, strides=2, activation='relu', name='conv')
        self.flat = keras.layers.Flatten()
        self.mix = keras.layers.Dense(48, activation='relu', name='mix')
        self.out = keras.layers.Dense(HORIZON, name='hours_ahead')

    def call(self, x, training=None):
        x = self.flat(self.conv(x))
        return self.out(self.mix(x))


past, future = windows(0, cut_val)
val_data = windows(cut_val, cut_test)
past_test, future_test = windows(cut_test, len(revenue))

steps, epochs = 70, 14
schedule = keras.optimizers.schedules.ExponentialDecay(2e-3, decay_steps=500, decay_rate=0.6)
model = Forecaster()
model.compile(optimizer=keras.optimizers.Adam(schedule), loss='mse', metrics=['mae'])
log = model.fit(batches(past, future), steps_per_epoch=steps, epochs=epochs, validation_data=val_data, verbose=0)
print('val mae', log.history['val_mae'][-1])

pred = model.predict(past_test, verbose=0)
r2 = 1 - np.mean((pred - future_test) ** 2) / np.var(future_test)
print('explained on the last three weeks', r2)
""",
    score="r2",
    bar=0.75,
    base=0.0,
    faults=(
        Fault(cause="targets_not_scaled", old="target = series\n", new="target = revenue.astype('float32')\n"),
        Fault(cause="lr_schedule_wrong", old="ExponentialDecay(2e-3, decay_steps=500, decay_rate=0.6)",
              new="ExponentialDecay(2e-3, decay_steps=5, decay_rate=0.6)",
              beside=("too_few_steps", "learning_rate_too_low")),
        Fault(cause="train_val_preprocessing_mismatch", old="val_data = windows(cut_val, cut_test)\n",
              new="val_data = windows(cut_val, cut_test)\nval_data = (val_data[0] * sd + mu, val_data[1])\n",
              certain=True, beside=("inputs_not_scaled",)),
        Fault(cause="too_few_steps", old="steps, epochs = 70, 14", new="steps, epochs = 4, 3",
              beside=("learning_rate_too_low",)),
        Fault(cause="output_range_cannot_reach_targets", old="keras.layers.Dense(HORIZON, name='hours_ahead')",
              new="keras.layers.Dense(HORIZON, activation='sigmoid', name='hours_ahead')", layer=("hours_ahead",),
              beside=("saturated_units", "wrong_head_for_labels")),
        Fault(cause="input_ignored", old="self.conv = keras.layers.Conv1D(filters, 5, strides=2, activation='relu', name='conv')",
              new="self.conv = keras.Sequential([\n            keras.layers.LayerNormalization(name='norm'),\n"
              "            keras.layers.Conv1D(filters, 5, strides=2, activation='relu', name='conv'),\n        ])",
              layer=("norm",)),
        Fault(cause="inputs_drowned_in_noise", old="JITTER = 0.05", new="JITTER = 20.0",
              beside=("input_ignored", "train_val_preprocessing_mismatch")),
    ),
    seeds=3,
)  # fmt: skip

MATCHING = Program(
    name="startup_recording_match",
    odd="the labels are the positions in the batch, and the loss starts at the log of its size",
    source="""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

# every device is recorded twice, in two different rooms
DEVICE, ROOM, BANDS = 5, 6, 32
to_device = rng.normal(0, 1 / np.sqrt(DEVICE), (DEVICE, BANDS))
to_room = rng.normal(0, 1 / np.sqrt(ROOM), (ROOM, BANDS))


def record(device):
    room = rng.normal(0, 2.5, (len(device), ROOM))
    level = device @ to_device + room @ to_room
    return level + 0.25 * np.sin(2 * level) + rng.normal(0, 0.05, level.shape)


def recordings(n):
    device = rng.normal(0, 1, (n, DEVICE))
    return record(device), record(device)


first, second = recordings(3000)
first_test, second_test = recordings(200)
mean, std = first.mean(0), first.std(0)


def standardise(a):
    return ((a - mean) / std).astype('float32')


first, second = standardise(first), standardise(second)
first_test, second_test = standardise(first_test), standardise(second_test)

encoder = keras.Sequential([
    keras.Input((BANDS,)),
    layers.Dense(64, activation='relu', name='enc_1'),
    layers.Dense(64, activation='relu', name='enc_2'),
    layers.Dense(8, name='projection'),
    layers.UnitNormalization(),
], name='encoder')


class Matcher(keras.Model):
    def __init__(self, encoder, temperature=0.1, **kwargs):
        super().__init__(**kwargs)
        self.encoder = encoder
        self.temperature = temperature
        self.loss_tracker = keras.metrics.Mean(name='loss')
        self.hits = keras.metrics.SparseCategoricalAccuracy(name='hits')

    @property
    def metrics(self):
        return [self.loss_tracker, self.hits]

    def call(self, x):
        return self.encoder(x)

    def train_step(self, data):
        a, b = data
        with tf.GradientTape() as tape:
            za = self.encoder(a, training=True)
            zb = self.encoder(b, training=True)
            logits = tf.matmul(za, zb, transpose_b=True) / self.temperature
            own = tf.range(tf.shape(logits)[0])
            log_p = tf.nn.log_softmax(logits)
            loss = -tf.reduce_mean(tf.linalg.diag_part(log_p))
        weights = self.trainable_variables
        grads = tape.gradient(loss, weights)
        self.optimizer.apply_gradients(zip(grads, weights))
        self.loss_tracker.update_state(loss)
        self.hits.update_state(own, logits)
        return {m.name: m.result() for m in self.metrics}


matcher = Matcher(encoder)
matcher.compile(optimizer=keras.optimizers.Adam(3e-3))
matcher.fit(first, second, batch_size=64, epochs=16, verbose=0)

za, zb = encoder.predict(first_test, verbose=0), encoder.predict(second_test, verbose=0)
top1 = np.mean((za @ zb.T).argmax(1) == np.arange(len(za)))
print('right device first:', top1)
""",
    score="top1",
    bar=0.6,
    base=0.005,
    faults=(
        Fault(cause="optimiser_not_applied",
              old="        self.optimizer.apply_gradients(zip(grads, weights))\n",
              new="        grads = [tf.clip_by_norm(g, 1.0) for g in grads]\n",
              beside=("frozen_or_disconnected",)),
        Fault(cause="gradient_sign_flipped", old="loss = -tf.reduce_mean(tf.linalg.diag_part(log_p))",
              new="loss = tf.reduce_mean(tf.linalg.diag_part(log_p))"),
        Fault(cause="frozen_or_disconnected", old="        weights = self.trainable_variables\n",
              new="        weights = self.encoder.get_layer('projection').trainable_variables\n",
              layer=("enc_1", "enc_2")),
        Fault(cause="labels_shuffled_apart", old="matcher.fit(first, second, ",
              new="rng.shuffle(first)\nmatcher.fit(first, second, ", beside=("label_noise",)),
        Fault(cause="learning_rate_too_low", old="keras.optimizers.Adam(3e-3)", new="keras.optimizers.SGD(1e-4)",
              beside=("too_few_steps",)),
        Fault(cause="init_scale",
              old="    layers.Dense(64, activation='relu', name='enc_1'),\n"
              "    layers.Dense(64, activation='relu', name='enc_2'),\n",
              new="    layers.Dense(64, activation='relu', kernel_initializer="
              "keras.initializers.RandomNormal(stddev=30.0), name='enc_1'),\n"
              "    layers.Dense(64, activation='relu', kernel_initializer="
              "keras.initializers.RandomNormal(stddev=30.0), name='enc_2'),\n",
              layer=("enc_1", "enc_2")),
        Fault(cause="symmetric_or_zero_init", old="layers.Dense(64, activation='relu', name='enc_1')",
              new="layers.Dense(64, activation='relu', kernel_initializer='ones', name='enc_1')", layer=("enc_1",),
              beside=("init_scale",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (ALARMS, GARMENTS, REVENUE, MATCHING)
