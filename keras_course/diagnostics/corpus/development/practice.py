"""What people write at work or for competitions: demand of stores, clicks, welds, vibration of bearings."""

from keras_course.diagnostics.corpus import Fault, Program

DEMAND = Program(
    name="practice_store_demand",
    source='''
import os
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers, regularizers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

# ---------------------------------------------------------------- data
N_STORES, N_ITEMS, DAYS = 8, 12, 60
frame = pd.MultiIndex.from_product(
    [range(DAYS), range(N_STORES), range(N_ITEMS)], names=["day", "store", "item"]).to_frame(index=False)
n = len(frame)
store_level = rng.normal(0, 0.5, N_STORES)
item_level = rng.normal(0, 0.7, N_ITEMS)
elasticity = rng.uniform(0.5, 3.0, N_ITEMS)
heat = rng.normal(0, 0.5, N_ITEMS)
weekday_effect = np.array([-0.2, -0.25, -0.1, 0.0, 0.3, 0.55, -0.4])

frame["weekday"] = frame["day"] % 7
frame["promo"] = rng.binomial(1, 0.2, n)
frame["price"] = (rng.lognormal(0, 0.2, n) * (1 - 0.2 * frame["promo"])).round(2)
weather = 16 + 8 * np.sin(np.arange(DAYS) / 9) + rng.normal(0, 3, DAYS)
frame["temperature"] = weather[frame["day"]].round(1)
frame["opening_hours"] = rng.choice([8, 10, 12, 14], n)

log_demand = (3.6 + store_level[frame["store"]] + item_level[frame["item"]] + weekday_effect[frame["weekday"]]
              - elasticity[frame["item"]] * np.log(frame["price"]) + 0.4 * frame["promo"]
              + heat[frame["item"]] * (frame["temperature"] - 16) / 8 + 0.05 * (frame["opening_hours"] - 11))
frame["sales"] = rng.poisson(np.exp(log_demand + rng.normal(0, 0.2, n)))

# ---------------------------------------------------------------- features
NUMERIC = ["price", "promo", "temperature", "opening_hours"]
train = frame[frame["day"] < 42]
valid = frame[(frame["day"] >= 42) & (frame["day"] < 50)]
test = frame[frame["day"] >= 50]

mean, std = train[NUMERIC].mean(), train[NUMERIC].std()
log_train = np.log1p(train["sales"])
y_mean, y_std = log_train.mean(), log_train.std()


def prepare(part):
    numbers = ((part[NUMERIC] - mean) / std).to_numpy("float32")
    target = ((np.log1p(part["sales"]) - y_mean) / y_std).to_numpy("float32")
    return (numbers, part["store"].to_numpy(), part["item"].to_numpy(), part["weekday"].to_numpy()), target


x_train, y_train = prepare(train)
x_valid, y_valid = prepare(valid)
x_test, y_test = prepare(test)
train_ds = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(len(y_train)).batch(64).prefetch(2)
valid_ds = tf.data.Dataset.from_tensor_slices((x_valid, y_valid)).batch(256)

# ---------------------------------------------------------------- model
L2 = 1e-6


class DemandModel(keras.Model):
    def __init__(self):
        super().__init__()
        self.store = layers.Embedding(N_STORES, 4, name="store")
        self.item = layers.Embedding(N_ITEMS, 6, name="item")
        self.weekday = layers.Embedding(7, 3, name="weekday")
        self.hidden1 = layers.Dense(64, activation="relu", kernel_regularizer=regularizers.l2(L2), name="hidden1")
        self.hidden2 = layers.Dense(32, activation="relu", kernel_regularizer=regularizers.l2(L2), name="hidden2")
        self.out = layers.Dense(1, kernel_regularizer=regularizers.l2(L2), name="log_sales")
        self.mse = keras.metrics.Mean(name="mse")

    def call(self, inputs):
        numbers, store, item, weekday = inputs
        x = layers.concatenate([numbers, self.store(store), self.item(item), self.weekday(weekday)])
        return self.out(self.hidden2(self.hidden1(x)))

    @property
    def metrics(self):
        return [self.mse]

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            forecast = tf.squeeze(self(x, training=True), -1)
            error = tf.reduce_mean(tf.square(y - forecast))
            loss = error + sum(self.losses)
        grads = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(grads, self.trainable_variables))
        self.mse.update_state(error)
        return {"mse": self.mse.result()}

    def test_step(self, data):
        x, y = data
        self.mse.update_state(tf.reduce_mean(tf.square(y - self(x, training=False)[:, 0])))
        return {"mse": self.mse.result()}


model = DemandModel()
model.compile(optimizer=keras.optimizers.Adam(0.0008))
callbacks = [
    keras.callbacks.EarlyStopping(monitor="val_mse", mode="min", patience=6, restore_best_weights=True),
    keras.callbacks.ReduceLROnPlateau(monitor="mse", mode="min", factor=0.3, patience=2),
]
model.fit(train_ds, validation_data=valid_ds, epochs=30, callbacks=callbacks, verbose=0)

forecast = model.predict(x_test, verbose=0)[:, 0]
r2 = 1 - np.mean((forecast - y_test) ** 2) / np.var(y_test)
print(f"test R2 of the logarithm of sales: {r2:.3f}")
''',
    score="r2",
    bar=0.85,
    base=0.0,
    faults=(
        Fault(cause="loss_broadcast", old="            forecast = tf.squeeze(self(x, training=True), -1)\n",
              new="            forecast = self(x, training=True)\n"),
        Fault(cause="output_range_cannot_reach_targets", old='self.out = layers.Dense(1, kernel',
              new='self.out = layers.Dense(1, activation="sigmoid", kernel', layer=("log_sales",),
              beside=("saturated_units",)),
        Fault(cause="leakage_feature", old='NUMERIC = ["price", "promo", "temperature", "opening_hours"]\n',
              new='frame["log_revenue"] = np.log1p(frame["sales"] * frame["price"])\n'
              'NUMERIC = ["price", "promo", "temperature", "opening_hours", "log_revenue"]\n', certain=True),
        Fault(cause="regularisation_overwhelms", old="L2 = 1e-6\n", new="L2 = 1.0\n",
              layer=("hidden1", "hidden2", "log_sales"), beside=("input_ignored", "dead_units")),
        Fault(cause="lr_schedule_wrong", old='ReduceLROnPlateau(monitor="mse", mode="min", factor=0.3, patience=2)',
              new="LearningRateScheduler(lambda epoch, lr: lr * 0.3)",
              beside=("learning_rate_too_low", "too_few_steps")),
        Fault(cause="too_few_steps", old='EarlyStopping(monitor="val_mse", mode="min", patience=6,',
              new='EarlyStopping(monitor="val_mse", mode="max", patience=1,'),
    ),
    seeds=3,
)  # fmt: skip

CLICKS = Program(
    name="practice_click_log",
    source='''
# Click model, version 3. Logs are aggregated: one row per ad, site, device and hour.
import keras
import numpy as np
import pandas as pd
from keras import layers
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

SITES = [f"site_{i:02d}" for i in range(25)]
ADS = [f"ad_{i:02d}" for i in range(30)]
site_rate = dict(zip(SITES, rng.normal(0, 1.2, len(SITES))))
ad_rate = dict(zip(ADS, rng.normal(0, 1.2, len(ADS))))


def read_log(n):
    log = pd.DataFrame({
        "site": rng.choice(SITES, n),
        "ad": rng.choice(ADS, n),
        "device": rng.choice(["phone", "tablet", "desktop"], n, p=[0.6, 0.1, 0.3]),
        "hour": rng.integers(0, 24, n),
        "age_of_ad": rng.exponential(20, n),
        "bid": rng.lognormal(0, 0.6, n),
        "impressions": rng.integers(3, 9, n),
    })
    z = log["site"].map(site_rate) + log["ad"].map(ad_rate) + 0.9 * np.cos((log["hour"] - 21) / 24 * 2 * np.pi)
    z += log["device"].map({"phone": 0.4, "tablet": -0.6, "desktop": 0.0}) - 0.05 * log["age_of_ad"]
    z += 0.8 * np.log(log["bid"]) + rng.logistic(0, 0.5, n)
    log["clicks"] = np.where(z > 2.2, np.minimum(1 + rng.poisson(0.3, n), log["impressions"] - 1), 0)
    return log


log = read_log(16000)
holdout = read_log(5000)
print("share of rows with a click:", (log["clicks"] > 0).mean())


def clicked(rows):
    return (rows["clicks"] > 0).to_numpy("float32")


train, valid = train_test_split(log, test_size=0.15, random_state=SEED)

# rows with clicks are few: as many of the others are kept in training
rows_with = train[train["clicks"] > 0]
rows_without = train[train["clicks"] == 0].sample(len(rows_with), random_state=SEED)
train = pd.concat([rows_with, rows_without]).sample(frac=1, random_state=SEED)


def features(rows):
    numbers = np.stack([
        np.sin(rows["hour"] / 24 * 2 * np.pi),
        np.cos(rows["hour"] / 24 * 2 * np.pi),
        (rows["age_of_ad"] - 20) / 20,
        np.log(rows["bid"]),
    ], axis=1).astype("float32")
    site = rows["site"].map(SITES.index).to_numpy()
    ad = rows["ad"].map(ADS.index).to_numpy()
    device = rows["device"].map({"phone": 0, "tablet": 1, "desktop": 2}).to_numpy()
    return {"numbers": numbers, "site": site, "ad": ad, "device": device}


numbers = keras.Input((4,), name="numbers")
site = keras.Input((), name="site", dtype="int32")
ad = keras.Input((), name="ad", dtype="int32")
device = keras.Input((), name="device", dtype="int32")
x = layers.Concatenate()([
    numbers,
    layers.Embedding(len(SITES), 4, name="site_embedding")(site),
    layers.Embedding(len(ADS), 4, name="ad_embedding")(ad),
    layers.CategoryEncoding(3, output_mode="one_hot")(device),
])
x = layers.Dense(32, activation="relu", name="mixing")(x)
x = layers.Dropout(0.2)(x)
click = layers.Dense(1, activation="sigmoid", name="click")(x)
model = keras.Model([numbers, site, ad, device], click)

model.compile(optimizer=keras.optimizers.Adam(0.003), loss="binary_crossentropy",
              metrics=[keras.metrics.AUC(name="auc")])
stop = keras.callbacks.EarlyStopping("val_auc", mode="max", patience=5, restore_best_weights=True)
model.fit(features(train), clicked(train), validation_data=(features(valid), clicked(valid)),
          epochs=15, batch_size=64, callbacks=[stop], verbose=0)

p = model.predict(features(holdout), verbose=0)[:, 0]
happened = holdout["clicks"] > 0
print("AUC", roc_auc_score(happened, p))
balanced = balanced_accuracy_score(happened, p > 0.5)
''',
    score="balanced",
    bar=0.8,
    base=0.5,
    faults=(
        Fault(cause="class_imbalance",
              old='rows_without = train[train["clicks"] == 0].sample(len(rows_with), random_state=SEED)\n',
              new='rows_without = train[train["clicks"] == 0]\n'),
        Fault(cause="softmax_on_single_unit", old='layers.Dense(1, activation="sigmoid", name="click")',
              new='layers.Dense(1, activation="softmax", name="click")', layer=("click",),
              beside=("input_ignored", "wrong_head_for_labels", "loss_metric_inconsistent")),
        Fault(cause="wrong_loss_for_task", old='loss="binary_crossentropy"', new='loss="categorical_crossentropy"',
              beside=("wrong_head_for_labels",)),
        Fault(cause="leakage_duplicates",
              old="train, valid = train_test_split(log, test_size=0.15, random_state=SEED)\n",
              new='again = log[log["clicks"] > 0].sample(frac=5, replace=True, random_state=SEED)\n'
              "train, valid = train_test_split(pd.concat([log, again]), test_size=0.15, random_state=SEED)\n",
              certain=True),
        Fault(cause="constant_labels", old='    return (rows["clicks"] > 0).to_numpy("float32")\n',
              new='    return (rows["clicks"] / rows["impressions"]).to_numpy("int32")\n',
              beside=("label_encoding", "missing_class", "class_imbalance")),
        Fault(cause="learning_rate_too_low", old="keras.optimizers.Adam(0.003)", new="keras.optimizers.Adam(1e-6)",
              beside=("too_few_steps",)),
    ),
    seeds=3,
)  # fmt: skip

WELDS = Program(
    name="practice_weld_defects",
    source='''
"""Quality line: does the picture of a weld show a defect? Grey pictures, 8 bits, one camera."""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
SIZE = 24


def weld(defect):
    row = np.arange(SIZE)[:, None]
    seam = 90 + 60 * np.exp(-((row - SIZE / 2 - rng.normal(0, 1)) / 6) ** 2)
    ripple = 12 * np.sin(np.arange(SIZE)[None] * rng.uniform(0.8, 1.2) + rng.uniform(0, 6))
    picture = seam + ripple + rng.normal(0, 17, (SIZE, SIZE))
    y, x = rng.integers(6, SIZE - 6, 2)
    if defect and rng.random() < 0.5:      # pore
        yy, xx = np.mgrid[0:SIZE, 0:SIZE]
        picture -= rng.uniform(20, 70) * (np.hypot(yy - y, xx - x) < rng.uniform(1.5, 2.6))
    elif defect:                           # crack
        for step in range(rng.integers(6, 10)):
            picture[np.clip(y, 0, SIZE - 1), np.clip(x + step - 3, 0, SIZE - 1)] -= rng.uniform(30, 75)
            y += rng.integers(-1, 2)
    return picture.clip(0, 255).astype("uint8")


def folder(n_good, n_bad):
    pictures = np.array([weld(False) for _ in range(n_good)] + [weld(True) for _ in range(n_bad)])
    return pictures[..., None], np.array([0] * n_good + [1] * n_bad)


pictures, labels = folder(700, 700)
test_pictures, test_labels = folder(250, 250)
mixed = rng.permutation(len(pictures))
train_rows, val_rows = mixed[:1150], mixed[1150:]
train_rows = np.sort(train_rows)  # the disk reads faster in order


def scale(picture, label):
    return tf.cast(picture, tf.float32) / 255.0 - 0.4, label


def augment(picture, label):
    return tf.image.random_flip_up_down(tf.image.random_flip_left_right(picture)), label


def make_dataset(rows, training):
    ds = tf.data.Dataset.from_tensor_slices((pictures[rows], labels[rows]))
    ds = ds.map(scale).cache()
    if training:
        ds = ds.shuffle(len(rows)).map(augment)
    return ds.batch(32).prefetch(tf.data.AUTOTUNE)


train_ds = make_dataset(train_rows, training=True)
val_ds = make_dataset(val_rows, training=False)

model = keras.Sequential([
    keras.Input((SIZE, SIZE, 1)),
    layers.Conv2D(16, 3, activation="relu", padding="same", name="conv_a"),
    layers.MaxPooling2D(2),
    layers.Conv2D(32, 3, activation="relu", padding="same", name="conv_b"),
    layers.MaxPooling2D(2),
    layers.Conv2D(48, 3, activation="relu", padding="same", name="conv_c"),
    layers.GlobalMaxPooling2D(),
    layers.Dense(32, activation="relu", name="dense"),
    layers.Dropout(0.2),
    layers.Dense(1, activation="sigmoid", name="defect"),
])
model.compile(optimizer=keras.optimizers.Adam(2e-3), loss="binary_crossentropy", metrics=["accuracy"])
model.fit(train_ds, validation_data=val_ds, epochs=12, verbose=0)

test_ds = tf.data.Dataset.from_tensor_slices((test_pictures, test_labels)).map(scale).batch(100)
loss, accuracy = model.evaluate(test_ds, verbose=0)
print("found on the test plates:", accuracy)
''',
    score="accuracy",
    bar=0.85,
    base=0.5,
    faults=(
        Fault(cause="pipeline_order",
              old="        ds = ds.shuffle(len(rows)).map(augment)\n"
              "    return ds.batch(32).prefetch(tf.data.AUTOTUNE)\n",
              new="        ds = ds.map(augment).batch(32).shuffle(len(rows))\n"
              "        return ds.prefetch(tf.data.AUTOTUNE)\n    return ds.batch(32)\n",
              beside=("data_sorted", "oscillation")),
        Fault(cause="inputs_scaled_twice",
              old='    layers.Conv2D(16, 3, activation="relu", padding="same", name="conv_a"),\n',
              new="    layers.Rescaling(1 / 255),\n"
              '    layers.Conv2D(16, 3, activation="relu", padding="same", name="conv_a"),\n',
              accept=("inputs_not_scaled",)),
        Fault(cause="symmetric_or_zero_init", old='layers.Dense(32, activation="relu", name="dense")',
              new='layers.Dense(32, activation="relu", kernel_initializer="zeros", name="dense")', layer=("dense",),
              beside=("dead_units", "init_scale", "input_ignored", "frozen_or_disconnected")),
        Fault(cause="train_val_preprocessing_mismatch",
              old="    ds = ds.map(scale).cache()\n    if training:\n        ds = ds.shuffle(len(rows)).map(augment)\n",
              new="    if training:\n        ds = ds.map(scale).cache()\n"
              "        ds = ds.shuffle(len(rows)).map(augment)\n", certain=True, beside=("inputs_not_scaled",)),
        Fault(cause="leakage_duplicates", old="mixed = rng.permutation(len(pictures))\n",
              new="pictures, labels = np.repeat(pictures, 3, axis=0), np.repeat(labels, 3)\n"
              "mixed = rng.permutation(len(pictures))\n", certain=True, tag="repeat"),
        Fault(cause="frozen_or_disconnected", old="model.compile(optimizer=keras.optimizers.Adam(2e-3)",
              new="for layer in model.layers[:5]:\n    layer.trainable = False\n"
              "model.compile(optimizer=keras.optimizers.Adam(2e-3)", layer=("conv_a", "conv_b", "conv_c")),
        Fault(cause="data_sorted", old="        ds = ds.shuffle(len(rows)).map(augment)\n",
              new="        ds = ds.map(augment)\n", beside=("oscillation",)),
    ),
    seeds=3,
)  # fmt: skip

BEARINGS = Program(
    name="practice_bearing_vibration",
    source='''
# Condition of a bearing from 128 samples of two accelerometers.
# conditions: 0 good, 1 inner ring, 2 outer ring, 3 unbalance
import keras
import numpy as np
import tensorflow as tf
from keras import layers, regularizers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

LENGTH = 128
PER_CONDITION = 350


def record(condition):
    t = np.arange(LENGTH)
    speed = rng.uniform(0.25, 0.35)
    phase = rng.uniform(0, 2 * np.pi)
    signal = 0.5 * np.sin(speed * t + phase)[:, None] * rng.uniform(0.7, 1.3, 2)
    if condition == 3:
        signal = signal * rng.uniform(2.2, 4.0)
    if condition in (1, 2):
        period = {1: 13, 2: 21}[condition] * rng.uniform(0.9, 1.1)
        since = np.mod(t + rng.uniform(0, period), period)
        bursts = np.exp(-since / 3.0) * np.sin(1.9 * since)
        signal = signal + bursts[:, None] * rng.uniform(0.8, 2.0, 2)
    gain = rng.uniform(0.8, 1.2)
    noisy = gain * (signal + rng.normal(0, 0.45, (LENGTH, 2)))
    if rng.random() < 0.01:
        noisy[:, 1] = 0.0   # loose cable
    return noisy * 400


def campaign(per_condition):
    data = np.array([record(c) for c in range(4) for _ in range(per_condition)])
    return data, np.repeat(np.arange(4), per_condition)


X, y = campaign(PER_CONDITION)
X_test, y_test = campaign(120)

# the signal of each channel in units of its spread, and how large that is
def prepare(data):
    spread = data.std(axis=1, keepdims=True) + 1e-3
    shape = (data - data.mean(axis=1, keepdims=True)) / spread
    size = np.broadcast_to(np.log(spread / 400), shape.shape).clip(-2, 2)
    return np.concatenate([shape, size], axis=-1).astype("float32")


X, X_test = prepare(X), prepare(X_test)

held = rng.random(len(X)) < 0.15
X_valid, y_valid = X[held], y[held]
X_train, y_train = X[~held], y[~held]

EPOCHS, FILTERS, WEIGHT_DECAY = 16, 24, 1e-4
train_ds = tf.data.Dataset.from_tensor_slices((X_train, y_train)).shuffle(5000).batch(32)
valid_ds = tf.data.Dataset.from_tensor_slices((X_valid, y_valid)).batch(64)


def conv(filters, name):
    return layers.Conv1D(filters, 7, strides=2, padding="same", activation="relu", name=name,
                         kernel_regularizer=regularizers.l2(WEIGHT_DECAY))


model = keras.Sequential([
    keras.Input((LENGTH, 4)),
    conv(FILTERS, "conv1"),
    conv(2 * FILTERS, "conv2"),
    conv(2 * FILTERS, "conv3"),
    layers.GlobalAveragePooling1D(),
    layers.Dropout(0.2),
    layers.Dense(4, activation="softmax", name="condition"),
])
model.compile(optimizer=keras.optimizers.SGD(0.05, momentum=0.9), loss="sparse_categorical_crossentropy",
              metrics=["accuracy"])


def rate(epoch, current):
    return 0.05 if epoch < 10 else 0.01


model.fit(train_ds, validation_data=valid_ds, epochs=EPOCHS, verbose=0,
          callbacks=[keras.callbacks.LearningRateScheduler(rate)])

predicted = model.predict(X_test, verbose=0).argmax(axis=1)
hits = (predicted == y_test).mean()
print("conditions recognised", hits)
''',
    score="hits",
    bar=0.85,
    base=0.25,
    faults=(
        Fault(cause="nan_or_inf_in_data", old="spread = data.std(axis=1, keepdims=True) + 1e-3\n",
              new="spread = data.std(axis=1, keepdims=True)\n"),
        Fault(cause="shuffle_buffer_too_small", old=".shuffle(5000).batch(32)", new=".shuffle(50).batch(32)",
              beside=("data_sorted", "oscillation")),
        Fault(cause="missing_class", old="X_train, y_train = X[~held], y[~held]\n",
              new="used = ~held & (y > 0)\nX_train, y_train = X[used], y[used]\n", beside=("class_imbalance",)),
        Fault(cause="label_encoding", old="held = rng.random(len(X)) < 0.15\n",
              new="y = y / y.max()\nheld = rng.random(len(X)) < 0.15\n", beside=("missing_class", "class_imbalance")),
        Fault(cause="init_scale", old='padding="same", activation="relu", name=name,',
              new='padding="same", activation="relu", name=name,\n                         '
              'kernel_initializer=keras.initializers.RandomNormal(stddev=1e-4),',
              layer=("conv1", "conv2", "conv3"), beside=("vanishing_gradient", "input_ignored")),
        Fault(cause="regularisation_overwhelms", old="EPOCHS, FILTERS, WEIGHT_DECAY = 16, 24, 1e-4\n",
              new="EPOCHS, FILTERS, WEIGHT_DECAY = 16, 24, 1.0\n", layer=("conv1", "conv2", "conv3"),
              beside=("input_ignored", "dead_units")),
        Fault(cause="logits_to_probability_loss", old='layers.Dense(4, activation="softmax", name="condition")',
              new='layers.Dense(4, name="condition")', layer=("condition",), accept=("wrong_head_for_labels",)),
        Fault(cause="wrong_metric", old='metrics=["accuracy"]', new='metrics=["categorical_accuracy"]',
              accept=("loss_metric_inconsistent",), certain=True),
        Fault(cause="oscillation", old="    return 0.05 if epoch < 10 else 0.01\n", new="    return 1.5\n",
              accept=("learning_rate_too_high",), beside=("exploding_gradient", "dead_units", "lr_schedule_wrong")),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [DEMAND, CLICKS, WELDS, BEARINGS]
