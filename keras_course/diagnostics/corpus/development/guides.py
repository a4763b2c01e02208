"""What guides and tutorials for beginners show: a table, over- and underfitting, text, a loop by hand, padding."""

from keras_course.diagnostics.corpus import Fault, Program

SCOOTERS = Program(
    name="guide_scooter_range",
    source='''
# # Basic regression: predict how far a scooter gets
#
# The data set holds test drives of electric scooters. The aim is the range in metres.
import keras
import numpy as np
import pandas as pd
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

rows = 2000
raw_dataset = pd.DataFrame({
    'Battery': rng.uniform(250, 900, rows).round(),          # Wh
    'Weight': rng.normal(78, 14, rows).round(1),             # rider, kg
    'Speed': rng.uniform(10, 32, rows).round(1),             # km/h
    'Temperature': rng.uniform(-5, 35, rows).round(1),       # degrees
    'Slope': rng.normal(0, 2, rows).round(2),                # per cent
    'Tyre': rng.choice(['air', 'honeycomb', 'solid'], rows),
})
drag = 6.5 + 0.09 * (raw_dataset['Speed'] - 19) ** 2 + 0.04 * raw_dataset['Weight']
drag = drag + 1.2 * raw_dataset['Slope'].abs() + raw_dataset['Tyre'].map({'air': 0.0, 'honeycomb': 1.0, 'solid': 2.5})
cold = 1 - 0.0005 * (raw_dataset['Temperature'] - 22) ** 2
raw_dataset['Range'] = 1000 * raw_dataset['Battery'] * cold / drag * (1 + 0.04 * rng.normal(size=rows))
# Some thermometers were not read
raw_dataset.loc[rng.random(rows) < 0.03, 'Temperature'] = np.nan

# ## Clean the data
dataset = raw_dataset.copy()
dataset = dataset.dropna()
dataset = pd.get_dummies(dataset, columns=['Tyre'], prefix='', prefix_sep='', dtype=float)

# ## Split the data
train_dataset = dataset.sample(frac=0.7, random_state=SEED)
rest = dataset.drop(train_dataset.index)
val_dataset = rest.sample(frac=0.5, random_state=SEED)
test_dataset = rest.drop(val_dataset.index)


def split(frame):
    features = frame.copy()
    labels = features.pop('Range')
    return features.to_numpy('float32'), labels.to_numpy('float32')


train_features, train_labels = split(train_dataset)
val_features, val_labels = split(val_dataset)
test_features, test_labels = split(test_dataset)

centre, width = train_labels.mean(), train_labels.std()

# ## Normalization
normalizer = layers.Normalization(axis=-1)
normalizer.adapt(train_features)

# ## Regression with a deep neural network
activation = 'relu'


def build_and_compile_model(norm):
    model = keras.Sequential([
        keras.Input(shape=(train_features.shape[1],)),
        norm,
        layers.Dense(64, activation=activation, name='hidden_1'),
        layers.Dense(64, activation=activation, name='hidden_2'),
        layers.Dense(1, name='range'),
    ])
    model.compile(loss='mean_absolute_error', optimizer=keras.optimizers.Adam(0.002), metrics=['mse'])
    return model


dnn_model = build_and_compile_model(normalizer)
history = dnn_model.fit(
    train_features, (train_labels - centre) / width,
    validation_data=(val_features, (val_labels - centre) / width),
    verbose=0, epochs=40)

predictions = dnn_model.predict(test_features, verbose=0).flatten() * width + centre
error = predictions - test_labels
r2 = 1 - np.mean(error ** 2) / np.var(test_labels)
print('R2', r2)
''',
    score="r2",
    bar=0.9,
    base=0.0,
    faults=(
        Fault(cause="wrong_loss_for_task", old="loss='mean_absolute_error'", new="loss='binary_crossentropy'",
              beside=("wrong_head_for_labels", "logits_to_probability_loss", "dead_units", "label_encoding",
                      "output_range_cannot_reach_targets", "loss_metric_inconsistent")),
        Fault(cause="targets_not_scaled", old="centre, width = train_labels.mean(), train_labels.std()\n",
              new="centre, width = 0.0, 1.0\n", beside=("too_few_steps", "learning_rate_too_low")),
        Fault(cause="missing_nonlinearity", old="activation = 'relu'\n", new="activation = None\n",
              layer=("hidden_1", "hidden_2"), beside=("underfitting_capacity",)),
        Fault(cause="wrong_metric", old="metrics=['mse']", new="metrics=['accuracy']", certain=True,
              accept=("loss_metric_inconsistent",)),
        Fault(cause="nan_or_inf_in_data", old="dataset = dataset.dropna()\n", new=""),
        Fault(cause="leakage_duplicates",
              old="train_dataset = dataset.sample(frac=0.7, random_state=SEED)\n"
              "rest = dataset.drop(train_dataset.index)\n",
              new="train_dataset = dataset.sample(frac=0.7, random_state=SEED)\n"
              "rest = dataset.sample(frac=0.3, random_state=SEED)\n", certain=True),
        Fault(cause="inputs_not_scaled", old="        norm,\n", new=""),
    ),
    seeds=3,
)  # fmt: skip

PARTICLES = Program(
    name="guide_overfit_underfit_collisions",
    source='''
# # Overfit and underfit
#
# A small copy of a well known task of particle physics: signal or background.
import keras
import numpy as np
from keras import layers, regularizers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

FEATURES = 14


def collisions(n):
    x = rng.normal(size=(n, FEATURES))
    mass = 1.6 * np.abs(x[:, 0] + x[:, 1]) - 1.2 * np.abs(x[:, 2] - x[:, 3]) + 1.4 * x[:, 4] * x[:, 5] + 0.8 * x[:, 6]
    signal = mass - 0.36 + 0.7 * rng.normal(size=n) > 0
    return x.astype('float32'), signal.astype('float32')[:, None]


N_TRAIN = 3000
UNITS, DROPOUT, L2 = 64, 0.3, 1e-4
EPOCHS, BATCH_SIZE = 30, 50
STEPS_PER_EPOCH = N_TRAIN // BATCH_SIZE

x_train, y_train = collisions(N_TRAIN)
# a little jitter makes up for the resolution of the detector
x_train += 0.1 * rng.normal(size=x_train.shape)
x_val, y_val = collisions(500)
x_test, y_test = collisions(2000)

# The learning rate falls to a half after so many steps
lr_schedule = keras.optimizers.schedules.InverseTimeDecay(
    0.004,
    decay_steps=STEPS_PER_EPOCH * 10,
    decay_rate=1,
    staircase=False)


def get_optimizer():
    return keras.optimizers.Adam(lr_schedule)


def get_model():
    return keras.Sequential([
        keras.Input((FEATURES,)),
        layers.Dense(UNITS, activation='elu', kernel_regularizer=regularizers.l2(L2), name='dense_1'),
        layers.Dropout(DROPOUT),
        layers.Dense(UNITS, activation='elu', kernel_regularizer=regularizers.l2(L2), name='dense_2'),
        layers.Dropout(DROPOUT),
        layers.Dense(1, name='logit'),
    ])


model = get_model()
model.compile(optimizer=get_optimizer(),
              loss=keras.losses.BinaryCrossentropy(from_logits=True),
              metrics=[keras.metrics.BinaryAccuracy(threshold=0.0, name='accuracy')])
history = model.fit(x_train, y_train, batch_size=BATCH_SIZE, epochs=EPOCHS,
                    validation_data=(x_val, y_val), verbose=0)

logits = np.array(model(x_test, training=False))
test_accuracy = ((logits > 0) == (y_test > 0.5)).mean()
print('test accuracy', test_accuracy)
''',
    score="test_accuracy",
    bar=0.82,
    base=0.5,
    faults=(
        Fault(cause="regularisation_overwhelms", old="UNITS, DROPOUT, L2 = 64, 0.3, 1e-4\n",
              new="UNITS, DROPOUT, L2 = 64, 0.3, 1.0\n", layer=("dense_1", "dense_2"),
              beside=("input_ignored",)),
        Fault(cause="overfitting",
              old="N_TRAIN = 3000\nUNITS, DROPOUT, L2 = 64, 0.3, 1e-4\nEPOCHS, BATCH_SIZE = 30, 50\n",
              new="N_TRAIN = 150\nUNITS, DROPOUT, L2 = 512, 0.0, 0.0\nEPOCHS, BATCH_SIZE = 150, 50\n"),
        Fault(cause="underfitting_capacity", old="UNITS, DROPOUT, L2 = 64, 0.3, 1e-4\nEPOCHS",
              new="UNITS, DROPOUT, L2 = 1, 0.0, 1e-4\nEPOCHS", layer=("dense_1", "dense_2")),
        Fault(cause="inputs_drowned_in_noise", old="x_train += 0.1 * rng", new="x_train += 10 * rng",
              beside=("input_ignored", "inputs_not_scaled", "overfitting", "train_val_preprocessing_mismatch")),
        Fault(cause="missing_nonlinearity",
              old="        layers.Dense(UNITS, activation='elu', kernel_regularizer=regularizers.l2(L2), "
              "name='dense_1'),\n"
              "        layers.Dropout(DROPOUT),\n"
              "        layers.Dense(UNITS, activation='elu', kernel_regularizer=regularizers.l2(L2), name='dense_2'),",
              new="        layers.Dense(UNITS, kernel_regularizer=regularizers.l2(L2), name='dense_1'),\n"
              "        layers.Dropout(DROPOUT),\n"
              "        layers.Dense(UNITS, kernel_regularizer=regularizers.l2(L2), name='dense_2'),",
              layer=("dense_1", "dense_2"), beside=("underfitting_capacity",)),
    ),
    seeds=3,
)  # fmt: skip

TICKETS = Program(
    name="guide_text_city_hall",
    source='''
"""Basic text classification: which office of the city hall has to answer a letter?"""
import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

OFFICES = ["roads", "waste", "schools", "registry"]
TOPIC = {
    "roads": "pothole lamp crossing bridge traffic kerb sign pavement tarmac cyclist bollard junction".split(),
    "waste": "bin collection recycling bulky glass smell calendar container compost litter truck sack".split(),
    "schools": "teacher class lunch enrolment playground term pupil timetable uniform headmaster exam gym".split(),
    "registry": "passport birth marriage certificate address form appointment stamp photo counter visa copy".split(),
}
COMMON = ("the a is my our please since week again street nobody answer and still not for with to of on we have "
          "children house office morning letter number waiting city family near door").split()


def letter(office):
    words = []
    for _ in range(rng.integers(8, 26)):
        u = rng.random()
        if u < 0.14:
            words.append(rng.choice(TOPIC[office]))
        elif u < 0.22:
            words.append(rng.choice(TOPIC[rng.choice(OFFICES)]))
        else:
            words.append(rng.choice(COMMON))
    return " ".join(words).capitalize() + "."


def load(counts):
    texts = [letter(o) for o, n in zip(OFFICES, counts) for _ in range(n)]
    labels = np.repeat(np.arange(4), counts)
    return np.array(texts), labels


# the letters are kept in one folder per office
texts, labels = load([500, 500, 500, 500])
test_texts, test_labels = load([150, 150, 150, 150])
mix = rng.permutation(len(texts))
texts, labels = texts[mix], labels[mix]
raw_train, raw_val = texts[:1600], texts[1600:]
y_train, y_val = labels[:1600], labels[1600:]

max_features = 400
sequence_length = 26


def make_vectorizer(corpus):
    layer = layers.TextVectorization(
        standardize="lower_and_strip_punctuation",
        max_tokens=max_features,
        output_mode="int",
        output_sequence_length=sequence_length)
    layer.adapt(corpus)
    return layer


vectorize_layer = make_vectorizer(raw_train)
x_train = vectorize_layer(raw_train).numpy()
x_val = vectorize_layer(raw_val).numpy()
x_test = vectorize_layer(test_texts).numpy()

model = keras.Sequential([
    keras.Input((sequence_length,), dtype="int64"),
    layers.Embedding(max_features, 16, mask_zero=True, name="embedding"),
    layers.GlobalAveragePooling1D(),
    layers.Dropout(0.2),
    layers.Dense(4, activation="softmax", name="office"),
])
model.compile(loss="sparse_categorical_crossentropy", optimizer=keras.optimizers.Adam(0.01), metrics=["accuracy"])
model.fit(x_train, y_train, validation_data=(x_val, y_val), epochs=6, batch_size=32, verbose=0)

answers = model.predict(x_test, verbose=0).argmax(axis=1)
correct = (answers == test_labels).mean()
print("letters sent to the right office", correct)
''',
    score="correct",
    bar=0.75,
    base=0.25,
    faults=(
        Fault(cause="wrong_head_for_labels", old='layers.Dense(4, activation="softmax", name="office")',
              new='layers.Dense(4, activation="relu", name="office")', layer=("office",),
              accept=("logits_to_probability_loss",), beside=("dead_units", "output_range_cannot_reach_targets")),
        Fault(cause="labels_shuffled_apart", old="texts, labels = texts[mix], labels[mix]\n",
              new="texts, labels = texts[mix], rng.permutation(labels)\n", beside=("label_noise", "overfitting")),
        Fault(cause="validation_split_sorted", old="mix = rng.permutation(len(texts))\n",
              new="mix = np.arange(len(texts))\n", certain=True, beside=("missing_class",)),
        Fault(cause="class_imbalance", old="texts, labels = load([500, 500, 500, 500])",
              new="texts, labels = load([1940, 20, 20, 20])"),
        Fault(cause="train_val_preprocessing_mismatch", old="x_val = vectorize_layer(raw_val).numpy()\n",
              new="x_val = make_vectorizer(raw_val)(raw_val).numpy()\n", certain=True),
        Fault(cause="input_ignored", old="    layer.adapt(corpus)\n", new="    layer.adapt(OFFICES)\n"),
        Fault(cause="learning_rate_too_low", old="keras.optimizers.Adam(0.01)", new="keras.optimizers.SGD(0.001)",
              beside=("too_few_steps",)),
    ),
    seeds=3,
)  # fmt: skip

LOOP = Program(
    name="guide_training_loop_digits",
    source='''
"""Writing a training loop from scratch, with metrics and a pass over the validation data after each epoch."""
import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(SEED)

x, y = load_digits(return_X_y=True)
x = (x / 16.0).astype("float32")
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=400, random_state=SEED, stratify=y)
x_train, x_val, y_train, y_val = train_test_split(x_train, y_train, test_size=200, random_state=SEED, stratify=y_train)

# The training files lie in one directory for each digit.
by_digit = np.argsort(y_train, kind="stable")
x_train, y_train = x_train[by_digit], y_train[by_digit]

batch_size = 100
train_dataset = tf.data.Dataset.from_tensor_slices((x_train, y_train))
train_dataset = train_dataset.shuffle(buffer_size=2048).batch(batch_size)
val_dataset = tf.data.Dataset.from_tensor_slices((x_val, y_val)).batch(64)

inputs = keras.Input(shape=(64,), name="digits")
h = keras.layers.Dense(64, activation="relu", name="dense_1")(inputs)
h = keras.layers.Dropout(0.2, name="dropout")(h)
h = keras.layers.Dense(64, activation="relu", name="dense_2")(h)
outputs = keras.layers.Dense(10, name="predictions")(h)
model = keras.Model(inputs=inputs, outputs=outputs)

optimizer = keras.optimizers.SGD(learning_rate=0.07, momentum=0.9)
loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
train_acc_metric = keras.metrics.SparseCategoricalAccuracy()
val_acc_metric = keras.metrics.SparseCategoricalAccuracy()


@tf.function
def train_step(x, y):
    with tf.GradientTape() as tape:
        logits = model(x, training=True)
        loss_value = loss_fn(y, logits)
    grads = tape.gradient(loss_value, model.trainable_weights)
    optimizer.apply(grads, model.trainable_weights)
    train_acc_metric.update_state(y, logits)
    return loss_value


@tf.function
def test_step(x, y):
    val_logits = model(x, training=False)
    val_acc_metric.update_state(y, val_logits)
    return loss_fn(y, val_logits)


epochs = 30
for epoch in range(epochs):
    for step, (x_batch_train, y_batch_train) in enumerate(train_dataset):
        loss_value = train_step(x_batch_train, y_batch_train)
    train_acc = float(train_acc_metric.result())
    train_acc_metric.reset_state()

    val_losses = [float(test_step(x_batch_val, y_batch_val)) for x_batch_val, y_batch_val in val_dataset]
    val_acc = float(val_acc_metric.result())
    val_acc_metric.reset_state()
    print(f"epoch {epoch}: accuracy {train_acc:.3f}, validation {val_acc:.3f}, loss {np.mean(val_losses):.3f}")

guesses = np.argmax(model(x_test, training=False), axis=-1)
test_acc = np.mean(guesses == y_test)
''',
    score="test_acc",
    bar=0.93,
    base=0.1,
    faults=(
        Fault(cause="gradient_sign_flipped", old="    optimizer.apply(grads, model.trainable_weights)\n",
              new="    optimizer.apply([-g for g in grads], model.trainable_weights)\n",
              beside=("exploding_gradient", "nan_or_inf_in_data")),
        Fault(cause="optimiser_not_applied", old="        loss_value = train_step(x_batch_train, y_batch_train)\n",
              new="        loss_value = test_step(x_batch_train, y_batch_train)\n",
              beside=("frozen_or_disconnected", "dropout_mode")),
        Fault(cause="dropout_mode", old="        logits = model(x, training=True)\n",
              new="        logits = model(x, training=False)\n", layer=("dropout",), certain=True),
        Fault(cause="loss_metric_inconsistent", old="    train_acc_metric.update_state(y, logits)\n",
              new="    train_acc_metric.update_state(y, tf.argmax(logits, axis=-1))\n",
              accept=("wrong_metric",), certain=True),
        Fault(cause="shuffle_buffer_too_small", old="shuffle(buffer_size=2048)", new="shuffle(buffer_size=16)",
              beside=("data_sorted", "oscillation")),
        Fault(cause="pipeline_order", old="train_dataset.shuffle(buffer_size=2048).batch(batch_size)",
              new="train_dataset.batch(batch_size).shuffle(buffer_size=2048)",
              beside=("data_sorted", "oscillation")),
        Fault(cause="learning_rate_too_high", old="SGD(learning_rate=0.07,", new="SGD(learning_rate=2.0,",
              beside=("exploding_gradient", "dead_units", "oscillation")),
    ),
    seeds=3,
)  # fmt: skip

DOORS = Program(
    name="guide_masking_door_log",
    source='''
# Masking and padding with a recurrent network.
# The log of a door: is it locked, open or in alarm after the last event that counts?
import keras
import numpy as np
from keras import layers, ops

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

EVENTS = ["lock", "unlock", "alarm", "badge", "lamp on", "lamp off", "knock", "camera", "clock", "wind", "dog"]
code = {name: i + 1 for i, name in enumerate(EVENTS)}   # 0 is kept for the padding


def make_logs(n):
    logs, states = [], []
    for _ in range(n):
        log = []
        state = int(rng.integers(0, 3))
        log.append(state + 1)
        for _ in range(rng.integers(5, 24)):
            if rng.random() < 0.15:
                state = int(rng.integers(0, 3))
                log.append(state + 1)
            else:
                log.append(int(rng.integers(4, len(EVENTS) + 1)))
        logs.append(log)
        # now and then the log was kept wrong
        states.append(state if rng.random() < 0.97 else int(rng.integers(0, 3)))
    padded = keras.utils.pad_sequences(logs, padding="post", maxlen=26)
    return padded, np.array(states)


x_train, y_train = make_logs(1500)
x_val, y_val = make_logs(300)
x_test, y_test = make_logs(500)

EMBED, UNITS = 12, 24
tokens = keras.Input(shape=(26,), dtype="int32")
embedding = layers.Embedding(input_dim=len(EVENTS) + 1, output_dim=EMBED, name="embedding")
vectors = embedding(tokens)
mask = ops.not_equal(tokens, 0)
state = layers.GRU(UNITS, name="gru")(vectors, mask=mask)
outputs = layers.Dense(3, activation="softmax", name="state")(state)
model = keras.Model(tokens, outputs)

model.compile(optimizer=keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, validation_data=(x_val, y_val), epochs=8, batch_size=50, verbose=0)

test_loss, test_acc = model.evaluate(x_test, y_test, verbose=0)
print("accuracy", test_acc)
''',
    score="test_acc",
    bar=0.9,
    base=0.36,
    faults=(
        Fault(cause="input_ignored", old="mask = ops.not_equal(tokens, 0)", new="mask = ops.equal(tokens, 0)"),
        Fault(cause="too_few_steps", old="epochs=8, batch_size=50", new="epochs=2, batch_size=300",
              beside=("learning_rate_too_low",)),
        Fault(cause="saturated_units", old="state = layers.GRU(UNITS, name=\"gru\")",
              new="wide = keras.initializers.RandomNormal(stddev=30.0)\n"
              "state = layers.GRU(UNITS, kernel_initializer=wide, recurrent_initializer=wide, name=\"gru\")",
              layer=("gru",), accept=("init_scale",), beside=("vanishing_gradient", "exploding_gradient")),
        Fault(cause="logits_to_probability_loss", old="layers.Dense(3, activation=\"softmax\", name=\"state\")",
              new="layers.Dense(3, name=\"state\")", layer=("state",), accept=("wrong_head_for_labels",)),
        Fault(cause="label_noise", old="state if rng.random() < 0.97 else", new="state if rng.random() < 0.2 else",
              beside=("labels_shuffled_apart", "overfitting")),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [SCOOTERS, PARTICLES, TICKETS, LOOP, DOORS]
