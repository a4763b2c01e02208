"""What the gallery of a framework shows: a table with preprocessing layers, windows, an actor-critic, pictures."""

from keras_course.diagnostics.corpus import Fault, Program

HEART = Program(
    name="gallery_heart_registry",
    source='''
"""
Title: Structured data classification from scratch
Description: Binary classification of a table with numerical and categorical columns.
"""
import numpy as np
import pandas as pd
import tensorflow as tf
import keras
from keras import layers
from sklearn.metrics import roc_auc_score

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

"""
## The data

A registry of patients. Rows are listed by outcome.
"""


def registry(n):
    table = pd.DataFrame({
        "age": rng.normal(56, 11, n).round(),
        "trestbps": rng.normal(132, 17, n).round(),
        "chol": rng.normal(246, 50, n).round(),
        "thalach": rng.normal(150, 22, n).round(),
        "oldpeak": rng.exponential(1.0, n).round(1),
        "platelets": rng.normal(263000, 90000, n).round(-3),
        "cp": rng.choice(["typical", "atypical", "non-anginal", "none"], n),
        "thal": rng.choice(["normal", "fixed", "reversible"], n, p=[0.55, 0.15, 0.3]),
    })
    risk = 0.07 * (table["age"] - 56) + 0.02 * (table["trestbps"] - 132) - 0.05 * (table["thalach"] - 150)
    risk += 1.2 * (table["oldpeak"] - 1) - (table["platelets"] - 263000) / 90000
    risk += table["cp"].map({"typical": -1.2, "atypical": -0.5, "non-anginal": 0.2, "none": 1.5})
    risk += table["thal"].map({"normal": -1.0, "fixed": 0.5, "reversible": 1.6})
    table["disease"] = np.where(rng.random(n) < 1 / (1 + np.exp(-1.5 * risk)), "yes", "no")
    return table.sort_values("disease", ignore_index=True)


df = registry(1500)
test_df = registry(600)

val_df = df.sample(frac=0.2, random_state=SEED)
train_df = df.drop(val_df.index)
print(f"Using {len(train_df)} samples for training and {len(val_df)} for validation")


def dataframe_to_dataset(frame, shuffle=False):
    frame = frame.copy()
    outcome = frame.pop("disease")
    target = (outcome == "yes").astype("float32")
    ds = tf.data.Dataset.from_tensor_slices(({k: v.to_numpy() for k, v in frame.items()}, target.to_numpy()))
    if shuffle:
        ds = ds.shuffle(len(frame))
    return ds.batch(32)


train_ds = dataframe_to_dataset(train_df, shuffle=True)
val_ds = dataframe_to_dataset(val_df)
test_ds = dataframe_to_dataset(test_df)

"""
## Preprocessing layers
"""

numerical = [c for c in df.columns if c not in ("disease", "cp", "thal")]
categorical = ["cp", "thal"]


def encode_numerical_feature(name, feature):
    normalizer = layers.Normalization()
    normalizer.adapt(train_df[name].to_numpy()[:, None])
    return normalizer(feature)


def encode_categorical_feature(name, feature):
    lookup = layers.StringLookup(output_mode="one_hot", num_oov_indices=0)
    lookup.adapt(train_df[name].to_numpy())
    return lookup(feature)


inputs = {name: keras.Input(shape=(1,), name=name) for name in numerical}
inputs.update({name: keras.Input(shape=(1,), name=name, dtype="string") for name in categorical})
encoded = [encode_numerical_feature(name, inputs[name]) for name in numerical]
encoded += [encode_categorical_feature(name, inputs[name]) for name in categorical]

"""
## The model
"""

x = layers.Concatenate()(encoded)
x = layers.Dense(32, activation="relu", name="hidden")(x)
x = layers.Dropout(0.3)(x)
output = layers.Dense(1, activation="sigmoid", name="disease")(x)
model = keras.Model(inputs, output)
model.compile(optimizer=keras.optimizers.Adam(2e-3), loss="binary_crossentropy", metrics=["accuracy"])
model.fit(train_ds, epochs=15, validation_data=val_ds, verbose=0)

probability = model.predict(test_ds, verbose=0)[:, 0]
auc = roc_auc_score(test_df["disease"].eq("yes"), probability)
print("AUC on new patients", auc)
''',
    score="auc",
    bar=0.85,
    base=0.5,
    faults=(
        Fault(cause="constant_labels", old='(outcome == "yes")', new='(outcome == "Yes")',
              beside=("label_encoding", "missing_class")),
        Fault(cause="inputs_not_scaled",
              old="    normalizer = layers.Normalization()\n"
              "    normalizer.adapt(train_df[name].to_numpy()[:, None])\n    return normalizer(feature)\n",
              new="    return feature\n"),
        Fault(cause="softmax_on_single_unit", old='Dense(1, activation="sigmoid", name="disease")',
              new='Dense(1, activation="softmax", name="disease")', layer=("disease",),
              beside=("input_ignored", "wrong_head_for_labels", "loss_metric_inconsistent")),
        Fault(cause="leakage_feature",
              old='    return table.sort_values("disease", ignore_index=True)\n',
              new='    table["cardiology_visits"] = np.where(table["disease"] == "yes", rng.integers(3, 9, n), '
              'rng.integers(0, 3, n))\n'
              '    return table.sort_values("disease", ignore_index=True)\n', certain=True),
        Fault(cause="wrong_metric", old='metrics=["accuracy"]', new='metrics=["sparse_categorical_accuracy"]',
              accept=("loss_metric_inconsistent",), certain=True),
        Fault(cause="learning_rate_too_low", old="Adam(2e-3)", new="Adam(2e-6)", beside=("too_few_steps",)),
        Fault(cause="validation_split_sorted", old="val_df = df.sample(frac=0.2, random_state=SEED)\n",
              new="val_df = df.tail(int(0.2 * len(df)))\n", certain=True, beside=("class_imbalance",)),
    ),
    seeds=3,
)  # fmt: skip

TURBIDITY = Program(
    name="gallery_turbidity_windows",
    source='''
"""
Title: Timeseries forecasting of turbidity
Description: An LSTM looks at the last day of a river gauge and forecasts turbidity six hours ahead.
"""
import keras
import numpy as np
import pandas as pd

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

# Hourly data of a gauge
hours = 3200
rain = np.where(rng.random(hours) < 0.06, rng.gamma(2.0, 3.0, hours), 0.0)
rain = np.convolve(rain, np.exp(-np.arange(6) / 2.0))[:hours]
temperature = 12 + 5 * np.sin(2 * np.pi * np.arange(hours) / 24) + np.cumsum(rng.normal(0, 0.05, hours))
turbidity, level = np.zeros(hours), np.zeros(hours)
for t in range(1, hours):
    level[t] = 0.95 * level[t - 1] + 0.05 * rain[t - 1]
    turbidity[t] = 0.9 * turbidity[t - 1] + (9.0 * rain[t - 8] if t >= 8 else 0) + rng.normal(0, 8.0)
frame = pd.DataFrame({
    "rain": rain,
    "temperature": temperature,
    "level": 180 + 40 * level + rng.normal(0, 1, hours),
    "turbidity": 60 + turbidity,
})
# the probe sends nothing while it is being cleaned
frame.loc[rng.random(hours) < 0.02, "turbidity"] = np.nan
frame = frame.interpolate(limit_direction="both")

past, future = 24, 6
train_until, val_until = 2000, 2500

values = frame.to_numpy()
mean, std = values[:train_until].mean(axis=0), values[:train_until].std(axis=0)
series = frame["turbidity"].to_numpy()
y_mean, y_std = series[:train_until].mean(), series[:train_until].std()


def normalize(block):
    return (block - mean) / std


def windows(start, stop, prepare=normalize, shuffle=False):
    x = prepare(values[start:stop])
    y = (series[start + past - 1 + future:stop] - y_mean) / y_std
    return keras.utils.timeseries_dataset_from_array(
        x[:len(x) - future], y[:, None], sequence_length=past, batch_size=64, shuffle=shuffle, seed=SEED)


dataset_train = windows(0, train_until, shuffle=True)
dataset_val = windows(train_until, val_until)
dataset_test = windows(val_until, hours)

epochs = 15
decay_steps = epochs * len(dataset_train)
schedule = keras.optimizers.schedules.CosineDecay(4e-3, decay_steps)

inputs = keras.layers.Input(shape=(past, 4))
lstm_out = keras.layers.LSTM(24, name="lstm")(inputs)
outputs = keras.layers.Dense(1, name="forecast")(lstm_out)
model = keras.Model(inputs=inputs, outputs=outputs)
model.compile(optimizer=keras.optimizers.Adam(schedule), loss="mse")
history = model.fit(dataset_train, epochs=epochs, validation_data=dataset_val, verbose=0)

truth = np.concatenate([y for _, y in dataset_test])[:, 0]
forecast = model.predict(dataset_test, verbose=0)[:, 0]
r2 = 1 - np.mean((truth - forecast) ** 2) / np.var(truth)
print("explained variance on the last month", r2)
''',
    score="r2",
    bar=0.85,
    base=0.0,
    faults=(
        Fault(cause="nan_or_inf_in_data", old='frame = frame.interpolate(limit_direction="both")\n', new=""),
        Fault(cause="targets_not_scaled",
              old="y_mean, y_std = series[:train_until].mean(), series[:train_until].std()\n",
              new="y_mean, y_std = 0.0, 1.0\n"),
        Fault(cause="output_range_cannot_reach_targets", old='layers.Dense(1, name="forecast")',
              new='layers.Dense(1, activation="sigmoid", name="forecast")', layer=("forecast",),
              beside=("saturated_units",)),
        Fault(cause="lr_schedule_wrong", old="decay_steps = epochs * len(dataset_train)\n",
              new="decay_steps = epochs\n", beside=("learning_rate_too_low", "too_few_steps")),
        Fault(cause="leakage_feature",
              old="y = (series[start + past - 1 + future:stop] - y_mean) / y_std",
              new="y = (series[start + past - 1:stop - future] - y_mean) / y_std", certain=True),
        Fault(cause="train_val_preprocessing_mismatch", old="dataset_val = windows(train_until, val_until)\n",
              new="dataset_val = windows(train_until, val_until, prepare=lambda block: block)\n", certain=True,
              beside=("inputs_not_scaled",)),
        Fault(cause="too_few_steps", old="model.fit(dataset_train, epochs=epochs,",
              new="model.fit(dataset_train, epochs=3, steps_per_epoch=3,"),
    ),
    seeds=3,
)  # fmt: skip

THERMOSTAT = Program(
    name="gallery_actor_critic_greenhouse",
    source='''
"""
Title: Actor Critic Method
Description: Actor and critic share a trunk and keep a greenhouse at its temperature.
"""
import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

# Configuration
gamma = 0.9
n_houses = 32
max_steps = 16
n_updates = 150


class Greenhouses:
    """Many greenhouses at once. Actions: 0 open the window, 1 do nothing, 2 heat."""

    def reset(self, n):
        self.gap = rng.uniform(-1, 1, n)
        self.outside = rng.choice([-0.15, 0.15], n)
        return self.state()

    def state(self):
        return np.stack([self.gap, 5 * self.outside], axis=1).astype("float32")

    def step(self, action):
        self.gap = np.clip(self.gap + 0.3 * (action - 1) + self.outside + rng.normal(0, 0.03, len(action)), -1.5, 1.5)
        return self.state(), 1 - np.abs(self.gap)


inputs = layers.Input(shape=(2,))
common = layers.Dense(48, activation="relu", name="common")(inputs)
action = layers.Dense(3, activation="softmax", name="actor")(common)
critic = layers.Dense(1, name="critic")(common)
model = keras.Model(inputs=inputs, outputs=[action, critic])

optimizer = keras.optimizers.Adam(learning_rate=0.01)
huber = keras.losses.Huber()


@tf.function
def update(states, actions, returns):
    with tf.GradientTape() as tape:
        probs, values = model(states, training=True)
        values = values[:, 0]
        chosen = ops.sum(probs * ops.one_hot(actions, 3), axis=1)
        advantage = returns - tf.stop_gradient(values)
        advantage = (advantage - ops.mean(advantage)) / (ops.std(advantage) + 1e-6)
        entropy = -ops.mean(ops.sum(probs * ops.log(probs + 1e-8), axis=1))
        actor_loss = -ops.mean(ops.log(chosen + 1e-8) * advantage)
        critic_loss = huber(returns, values)
        loss = actor_loss + critic_loss - 0.01 * entropy
    grads = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(grads, model.trainable_variables))
    return loss


@tf.function
def policy(state):
    return model(state)


env = Greenhouses()
running_reward = 0.0
for i in range(n_updates):
    state = env.reset(n_houses)
    states, actions, rewards = [], [], []
    for _ in range(max_steps):
        probs = policy(state)[0].numpy()
        draw = (probs.cumsum(axis=1) < rng.random((n_houses, 1))).sum(axis=1).clip(0, 2)
        states.append(state)
        actions.append(draw)
        state, reward = env.step(draw)
        rewards.append(reward)

    future = policy(state)[1].numpy()[:, 0]
    returns = []
    for reward in rewards[::-1]:
        future = reward + gamma * future
        returns.insert(0, future)
    returns = np.concatenate(returns).astype("float32")
    update(np.concatenate(states), np.concatenate(actions).astype("int32"), returns)
    running_reward = 0.05 * np.mean(rewards) + 0.95 * running_reward

# the policy without chance
state = env.reset(200)
total = 0.0
for _ in range(30):
    state, reward = env.step(policy(state)[0].numpy().argmax(axis=1))
    total += reward.mean() / 30
print("running reward", running_reward, "greedy", total)
''',
    score="total",
    bar=0.75,
    base=0.0,
    faults=(
        Fault(cause="gradient_sign_flipped", old="actor_loss = -ops.mean(ops.log(chosen + 1e-8) * advantage)",
              new="actor_loss = ops.mean(ops.log(chosen + 1e-8) * advantage)", beside=("exploding_gradient",)),
        Fault(cause="optimiser_not_applied",
              old="    optimizer.apply_gradients(zip(grads, model.trainable_variables))\n", new="",
              beside=("frozen_or_disconnected",)),
        Fault(cause="frozen_or_disconnected", old="        probs, values = model(states, training=True)\n",
              new="        probs, values = model(states, training=True)\n        probs = tf.stop_gradient(probs)\n",
              layer=("actor",)),
        Fault(cause="symmetric_or_zero_init", old='layers.Dense(48, activation="relu", name="common")',
              new='layers.Dense(48, activation="relu", kernel_initializer="zeros", name="common")',
              layer=("common",), beside=("dead_units", "input_ignored", "init_scale")),
        Fault(cause="learning_rate_too_high", old="Adam(learning_rate=0.01)", new="Adam(learning_rate=2.0)",
              beside=("dead_units", "saturated_units", "oscillation", "exploding_gradient")),
    ),
    seeds=3,
)  # fmt: skip

READER = Program(
    name="gallery_two_digit_reader",
    source='''
"""
Title: Reading a row of digits
Description: A small convolutional network with one softmax for each place of a meter's display.
"""
import numpy as np
import keras
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

digits = load_digits()
scans = digits.images / 16.0
pool_train, pool_test, d_train, d_test = train_test_split(
    scans, digits.target, test_size=0.3, random_state=SEED, stratify=digits.target)

n_train, n_test, epochs = 2400, 500, 14


def displays(pool, pool_labels, count):
    """Two digits beside each other, moved up and down a little."""
    pick = rng.integers(0, len(pool), (count, 2))
    pictures = rng.normal(0.05, 0.05, (count, 12, 20)).astype("float32")
    for k in range(count):
        top, left = rng.integers(0, 5), rng.integers(0, 3)
        pictures[k, top:top + 8, left:left + 8] += pool[pick[k, 0]]
        pictures[k, top:top + 8, left + 9:left + 17] += pool[pick[k, 1]]
    return pictures[..., None], pool_labels[pick]


x_train, y_train = displays(pool_train, d_train, n_train)
x_test, y_test = displays(pool_test, d_test, n_test)

input_img = layers.Input(shape=(12, 20, 1), name="image")
x = layers.Conv2D(24, 3, activation="relu", padding="same", name="conv1")(input_img)
x = layers.MaxPooling2D(2, name="pool1")(x)
x = layers.Conv2D(48, 3, activation="relu", padding="same", name="conv2")(x)
x = layers.MaxPooling2D((2, 1), name="pool2")(x)
# one step for each half of the display
x = layers.Permute((2, 1, 3))(x)
x = layers.Reshape((2, 5 * 3 * 48), name="halves")(x)
x = layers.Dense(64, activation="relu", name="dense1")(x)
x = layers.Dropout(0.2)(x)
output = layers.Dense(10, activation="softmax", name="digit")(x)
model = keras.models.Model(inputs=input_img, outputs=output, name="reader")
model.compile(optimizer=keras.optimizers.Adam(2e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])

model.fit(x_train, y_train, batch_size=64, epochs=epochs, validation_split=0.1, verbose=0)

read = model.predict(x_test, verbose=0).argmax(axis=-1)
per_digit = (read == y_test).mean()
print("digits read", per_digit, "displays read", (read == y_test).all(axis=1).mean())
''',
    score="per_digit",
    bar=0.9,
    base=0.1,
    faults=(
        Fault(cause="logits_to_probability_loss", old='layers.Dense(10, activation="softmax", name="digit")',
              new='layers.Dense(10, name="digit")', layer=("digit",), accept=("wrong_head_for_labels",)),
        Fault(cause="dead_units", old='layers.Conv2D(48, 3, activation="relu", padding="same", name="conv2")',
              new='layers.Conv2D(48, 3, activation="relu", padding="same", bias_initializer='
              'keras.initializers.Constant(-6.0), name="conv2")', layer=("conv2",),
              beside=("input_ignored", "init_scale", "frozen_or_disconnected", "vanishing_gradient")),
        Fault(cause="missing_class", old="x_train, y_train = displays(pool_train, d_train, n_train)\n",
              new="early = d_train < 6\n"
              "x_train, y_train = displays(pool_train[early], d_train[early], n_train)\n",
              beside=("class_imbalance",)),
        Fault(cause="overfitting", old="n_train, n_test, epochs = 2400, 500, 14\n",
              new="n_train, n_test, epochs = 60, 500, 60\n"),
        Fault(cause="inputs_scaled_twice", old='layers.Conv2D(24, 3, activation="relu", padding="same", '
              'name="conv1")(input_img)',
              new='layers.Conv2D(24, 3, activation="relu", padding="same", name="conv1")('
              'layers.Rescaling(1 / 255.0)(input_img))', accept=("inputs_not_scaled",)),
        Fault(cause="data_sorted",
              old="model.fit(x_train, y_train, batch_size=64, epochs=epochs, validation_split=0.1, ",
              new="order = np.lexsort((y_train[:, 1], y_train[:, 0]))\n"
              "x_train, y_train = x_train[order], y_train[order]\n"
              "model.fit(x_train, y_train, batch_size=64, epochs=epochs, shuffle=False, ",
              beside=("oscillation",)),
    ),
    seeds=3,
)  # fmt: skip

LEAVES = Program(
    name="gallery_leaf_images",
    source='''
"""
Title: Image classification from scratch
Description: Outlines of leaves, one folder per species, with augmentation in the model.
"""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
size = 24
species = ["beech", "sycamore", "maple", "willow"]


def leaf(kind):
    yy, xx = np.mgrid[0:size, 0:size] - (size - 1) / 2 - rng.uniform(-2, 2, (2, 1, 1))
    angle, radius = np.arctan2(yy, xx) + rng.uniform(0, 2 * np.pi), np.hypot(yy, xx)
    scale = rng.uniform(6.0, 9.0)
    if kind == 0:
        edge = scale * (1 + 0.2 * np.cos(2 * angle))
    elif kind == 1:
        edge = scale * (1 + 0.35 * np.cos(3 * angle))
    elif kind == 2:
        edge = scale * (1 + 0.3 * np.cos(5 * angle))
    else:
        edge = scale * (0.75 + 0.5 * np.cos(2 * angle))
    picture = 60 + rng.uniform(45, 110) / (1 + np.exp((radius - edge) / 0.6)) + rng.normal(0, 40, (size, size))
    return picture.clip(0, 255).astype("uint8")


def load_folders(per_class):
    images = [leaf(kind) for kind in range(len(species)) for _ in range(per_class)]
    labels = np.repeat(np.arange(len(species)), per_class)
    return np.array(images)[..., None], labels


images, labels = load_folders(350)
test_images, test_labels = load_folders(100)

order = rng.permutation(len(images))
split = int(0.8 * len(images))
train_files, val_files = np.sort(order[:split]), order[split:]

train_ds = tf.data.Dataset.from_tensor_slices((images[train_files], labels[train_files]))
val_ds = tf.data.Dataset.from_tensor_slices((images[val_files], labels[val_files]))
train_ds = train_ds.shuffle(split).batch(32).prefetch(2)
val_ds = val_ds.batch(32)

data_augmentation = keras.Sequential([
    layers.RandomFlip("horizontal_and_vertical"),
], name="augmentation")

inputs = keras.Input(shape=(size, size, 1))
x = data_augmentation(inputs)
x = layers.Rescaling(1.0 / 255)(x)
x = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False, name="entry_conv")(x)
x = layers.BatchNormalization(momentum=0.9, name="entry_bn")(x)
x = layers.Activation("relu")(x)
x = layers.SeparableConv2D(48, 3, padding="same", use_bias=False, name="block_conv")(x)
x = layers.BatchNormalization(momentum=0.9, name="block_bn")(x)
x = layers.Activation("relu")(x)
x = layers.MaxPooling2D(2)(x)
x = layers.Conv2D(64, 3, padding="same", use_bias=False, name="exit_conv")(x)
x = layers.BatchNormalization(momentum=0.9, name="exit_bn")(x)
x = layers.Activation("relu")(x)
x = layers.MaxPooling2D(2)(x)
x = layers.Flatten()(x)
x = layers.Dropout(0.4, name="dropout")(x)
outputs = layers.Dense(len(species), activation=None, name="species")(x)
model = keras.Model(inputs, outputs)

epochs = 16
rate = keras.optimizers.schedules.CosineDecay(4e-3, epochs * len(train_ds))
model.compile(
    optimizer=keras.optimizers.Adam(rate),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=[keras.metrics.SparseCategoricalAccuracy(name="acc")],
)
model.fit(train_ds, epochs=epochs, validation_data=val_ds, verbose=0)

scores = model.predict(test_images, verbose=0)
acc = (scores.argmax(axis=1) == test_labels).mean()
print("new leaves", acc)
''',
    score="acc",
    bar=0.85,
    base=0.25,
    faults=(
        Fault(cause="shuffle_buffer_too_small", old="train_ds.shuffle(split)", new="train_ds.shuffle(32)",
              beside=("data_sorted", "batchnorm_mode", "oscillation")),
        Fault(cause="batchnorm_mode", old='layers.BatchNormalization(momentum=0.9, name="entry_bn")',
              new='layers.BatchNormalization(momentum=0.99999, name="entry_bn")', layer=("entry_bn",),
              beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="validation_split_sorted", old="order = rng.permutation(len(images))\n",
              new="order = np.arange(len(images))\n", beside=("missing_class",), certain=True),
        Fault(cause="label_noise", old="order = rng.permutation(len(images))\n",
              new="guessed = rng.random(len(labels)) < 0.8\n"
              "labels = np.where(guessed, rng.integers(0, 4, len(labels)), labels)\n"
              "order = rng.permutation(len(images))\n", beside=("labels_shuffled_apart", "overfitting")),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [HEART, TURBIDITY, THERMOSTAT, READER, LEAVES]
