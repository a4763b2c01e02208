"""What people bring to an open hour for their first networks: tables, arrows and menus, with compile and fit."""

from keras_course.diagnostics.corpus import Fault, Program

WHEAT = Program(
    name="clinic_wheat_kernels",
    source="""
import numpy as np
import keras
from keras import layers
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

keras.utils.set_random_seed(SEED)
np.random.seed(SEED)

# three varieties of wheat, measured on a scanner (mm, mm2, mg)
N = 900
variety = np.random.randint(0, 3, N)
length = np.array([5.6, 6.1, 5.3])[variety] + 0.35 * np.random.randn(N)
width = np.array([3.2, 3.7, 2.9])[variety] + 0.25 * np.random.randn(N)
area = 0.72 * length * width * (1 + 0.03 * np.random.randn(N)) * 1000
perimeter = 2.6 * (length + width) * (1 + 0.01 * np.random.randn(N))
groove = length * np.array([0.94, 0.99, 0.97])[variety] + 0.1 * np.random.randn(N)
weight = area * (3.1 + 0.2 * np.random.randn(N))
X = np.column_stack([length, width, area, perimeter, groove, weight])
y = variety

X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=200, random_state=SEED, stratify=y)
X_train, X_val, y_train, y_val = train_test_split(X_train, y_train, test_size=150, random_state=SEED)

scaler = StandardScaler()
X_train = scaler.fit_transform(X_train)
X_val = scaler.transform(X_val)
X_test = scaler.transform(X_test)

Y_train = keras.utils.to_categorical(y_train, 3)
Y_val = keras.utils.to_categorical(y_val, 3)

model = keras.Sequential()
model.add(keras.Input(shape=(6,)))
model.add(layers.Dense(32, activation='relu', name='dense_a'))
model.add(layers.Dense(16, activation='relu', name='dense_b'))
model.add(layers.Dense(3, activation='softmax', name='variety'))
model.compile(optimizer=keras.optimizers.SGD(learning_rate=0.05, momentum=0.9),
              loss='categorical_crossentropy', metrics=['accuracy'])

history = model.fit(X_train, Y_train, validation_data=(X_val, Y_val), epochs=25, batch_size=32, verbose=0)
print('best validation accuracy', max(history.history['val_accuracy']))

test_loss, test_acc = model.evaluate(X_test, keras.utils.to_categorical(y_test, 3), verbose=0)
print(f'test: {test_acc:.3f}')
""",
    score="test_acc",
    bar=0.82,
    base=0.34,
    faults=(
        Fault(cause="inputs_not_scaled",
              old="X_train = scaler.fit_transform(X_train)\nX_val = scaler.transform(X_val)\n"
              "X_test = scaler.transform(X_test)\n",
              new=""),
        Fault(cause="logits_to_probability_loss", old="layers.Dense(3, activation='softmax', name='variety')",
              new="layers.Dense(3, name='variety')", layer=("variety",), accept=("wrong_head_for_labels",)),
        Fault(cause="labels_shuffled_apart", old="y = variety\n",
              new="y = variety\nnp.random.shuffle(X)\nnp.random.shuffle(y)\n", beside=("label_noise",)),
        Fault(cause="train_val_preprocessing_mismatch", old="X_val = scaler.transform(X_val)\n", new="",
              beside=("inputs_not_scaled",), certain=True),
        Fault(cause="learning_rate_too_high", old="SGD(learning_rate=0.05, momentum=0.9)",
              new="SGD(learning_rate=5.0, momentum=0.9)",
              beside=("exploding_gradient", "dead_units", "oscillation")),
        Fault(cause="label_noise", old="y = variety\n",
              new="votes = np.random.randint(0, 3, N)\ny = np.where(np.random.rand(N) < 0.75, votes, variety)\n",
              beside=("labels_shuffled_apart",)),
    ),
    seeds=3,
)  # fmt: skip

ARREARS = Program(
    name="clinic_loan_arrears",
    odd="one row in sixteen is positive, and weights of the classes make up for it",
    source="""
import numpy as np
import keras
from sklearn.compose import make_column_transformer
from sklearn.metrics import balanced_accuracy_score, confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import resample

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
n = 4000
income = rng.lognormal(10.3, 0.5, n)
amount = rng.lognormal(9.0, 0.7, n)
term = rng.choice([12, 24, 36, 60], n)
age = rng.integers(19, 75, n)
previous = rng.poisson(0.6, n)
purpose = rng.integers(0, 4, n)
rate = amount / term
risk = 2.2 * np.log(rate / (income / 12)) + 0.9 * previous - 0.03 * np.abs(age - 45)
risk = risk + np.array([0.0, 1.2, -0.8, 0.5])[purpose] + rng.normal(0, 0.7, n)
late = risk > np.quantile(risk, 0.94)

table = np.column_stack([income, amount, term, age, previous, purpose])
numeric = [0, 1, 2, 3, 4]
labels = late.astype('float32')

X_train, X_test, y_train, y_test = train_test_split(table, labels, test_size=0.25, stratify=labels, random_state=SEED)
X_train, X_val, y_train, y_val = train_test_split(X_train, y_train, test_size=0.2, stratify=y_train, random_state=SEED)

prepare = make_column_transformer((StandardScaler(), numeric), (OneHotEncoder(), [5]))
X_train = prepare.fit_transform(X_train)
X_val, X_test = prepare.transform(X_val), prepare.transform(X_test)

positives = labels.mean()
weights = {0: 0.5 / (1 - positives), 1: 0.5 / positives}
print('share of late loans', positives)

model = keras.Sequential([
    keras.layers.Input((X_train.shape[1],)),
    keras.layers.Dense(32, activation='relu', kernel_regularizer=keras.regularizers.L2(1e-3)),
    keras.layers.Dense(16, activation='relu', kernel_regularizer=keras.regularizers.L2(1e-3)),
    keras.layers.Dense(1, activation='sigmoid', name='late'),
])
model.compile('adam', 'binary_crossentropy', metrics=[keras.metrics.AUC(name='auc')])
model.fit(X_train, y_train, epochs=15, batch_size=64, validation_data=(X_val, y_val), class_weight=weights, verbose=0)

predicted = model.predict(X_test, verbose=0)[:, 0] > 0.5
print(confusion_matrix(y_test, predicted))
balanced = balanced_accuracy_score(y_test, predicted)
""",
    score="balanced",
    bar=0.8,
    base=0.5,
    faults=(
        Fault(cause="class_imbalance", old=" class_weight=weights,", new=""),
        Fault(cause="inputs_not_scaled", old="(StandardScaler(), numeric)", new="('passthrough', numeric)"),
        Fault(cause="softmax_on_single_unit", old="Dense(1, activation='sigmoid', name='late')",
              new="Dense(1, activation='softmax', name='late')", layer=("late",),
              beside=("input_ignored", "wrong_head_for_labels", "class_imbalance")),
        Fault(cause="leakage_feature",
              old="table = np.column_stack([income, amount, term, age, previous, purpose])\nnumeric = [0, 1, 2, 3, 4]",
              new="reminders = late * 3 + rng.random(n)\n"
              "table = np.column_stack([income, amount, term, age, previous, purpose, reminders])\n"
              "numeric = [0, 1, 2, 3, 4, 6]", certain=True),
        Fault(cause="leakage_duplicates", old="labels = late.astype('float32')\n",
              new="labels = late.astype('float32')\n"
              "more = resample(np.flatnonzero(late), n_samples=3000, random_state=SEED)\n"
              "table, labels = np.concatenate([table, table[more]]), np.concatenate([labels, labels[more]])\n",
              certain=True),
        Fault(cause="label_encoding", old="labels = late.astype('float32')\n",
              new="labels = np.where(late, 2, 1)\n", beside=("class_imbalance", "wrong_head_for_labels",
                                                             "output_range_cannot_reach_targets")),
        Fault(cause="wrong_metric", old="metrics=[keras.metrics.AUC(name='auc')]",
              new="metrics=[keras.metrics.CategoricalAccuracy()]", certain=True,
              accept=("loss_metric_inconsistent",)),
    ),
    seeds=3,
)  # fmt: skip

SOLAR = Program(
    name="clinic_solar_yield",
    source="""
import keras
import matplotlib
matplotlib.use('Agg')
import matplotlib.pyplot as plt
import numpy as np
from keras.layers import Dense, Normalization

keras.utils.set_random_seed(SEED)
rng = np.random.RandomState(SEED)

days = 2400
day = rng.uniform(0, 365, days)
cloud = rng.beta(1.2, 1.5, days)
temp = 10 - 9 * np.cos(2 * np.pi * day / 365) + rng.normal(0, 7, days)
wind = rng.gamma(2, 2, days)
dust = rng.uniform(0, 1, days)
wind[rng.rand(days) < 0.03] = np.nan   # the anemometer freezes now and then
wind = np.where(np.isnan(wind), np.nanmedian(wind), wind)
sun = 0.55 - 0.45 * np.cos(2 * np.pi * (day + 10) / 365)
yield_wh = 9000 * sun * (1 - 0.75 * cloud ** 2) * (1 - 0.2 * dust) * (1 - 0.004 * (temp - 0.8 * wind - 15))
yield_wh = yield_wh + rng.normal(0, 250, days)

features = np.stack([day, cloud, temp, wind, dust], axis=1)
target = yield_wh / 1000

x_train, y_train = features[:1600], target[:1600]
x_val, y_val = features[1600:2000], target[1600:2000]
x_test, y_test = features[2000:], target[2000:]

normalizer = Normalization()
normalizer.adapt(x_train)

model = keras.Sequential([
    normalizer,
    Dense(64, activation='relu', name='first'),
    Dense(32, activation='relu', name='second'),
    Dense(1, name='kwh'),
])
model.compile(
    loss='mean_squared_error',
    optimizer=keras.optimizers.Adam(learning_rate=0.003),
    metrics=['mae'],
)
callbacks = [
    keras.callbacks.ReduceLROnPlateau(monitor='val_loss', factor=0.5, patience=5),
    keras.callbacks.EarlyStopping(monitor='val_loss', patience=12, restore_best_weights=True),
]
hist = model.fit(x_train, y_train, validation_data=(x_val, y_val), epochs=30, batch_size=32,
                 callbacks=callbacks, verbose=0)

plt.plot(hist.history['loss'], label='train')
plt.plot(hist.history['val_loss'], label='val')
plt.legend()
plt.close()

pred = model.predict(x_test, verbose=0).flatten()
r2 = 1 - np.mean((pred - y_test) ** 2) / np.var(y_test)
print('R2 on the last days:', r2)
""",
    score="r2",
    bar=0.93,
    base=0.0,
    faults=(
        Fault(cause="targets_not_scaled", old="target = yield_wh / 1000\n", new="target = yield_wh * 3600  # joule\n"),
        Fault(cause="output_range_cannot_reach_targets", old="Dense(1, name='kwh')",
              new="Dense(1, activation='sigmoid', name='kwh')", layer=("kwh",),
              beside=("targets_not_scaled", "saturated_units")),
        Fault(cause="wrong_metric", old="metrics=['mae']", new="metrics=['accuracy']", certain=True,
              accept=("loss_metric_inconsistent",)),
        Fault(cause="nan_or_inf_in_data", old="wind = np.where(np.isnan(wind), np.nanmedian(wind), wind)\n", new=""),
        Fault(cause="missing_nonlinearity",
              old="Dense(64, activation='relu', name='first'),\n    Dense(32, activation='relu', name='second'),",
              new="Dense(64, name='first'),\n    Dense(32, name='second'),", layer=("first", "second"),
              beside=("underfitting_capacity",)),
        Fault(cause="wrong_loss_for_task", old="loss='mean_squared_error'", new="loss='binary_crossentropy'",
              beside=("logits_to_probability_loss", "output_range_cannot_reach_targets", "wrong_head_for_labels",
                      "label_encoding", "targets_not_scaled")),
        Fault(cause="lr_schedule_wrong",
              old="keras.callbacks.ReduceLROnPlateau(monitor='val_loss', factor=0.5, patience=5)",
              new="keras.callbacks.LearningRateScheduler(lambda epoch, lr: lr * 0.1)",
              beside=("learning_rate_too_low", "too_few_steps")),
    ),
    seeds=3,
)  # fmt: skip

ARROWS = Program(
    name="clinic_arrow_signs",
    source="""
import keras
import numpy as np
import tensorflow as tf
from keras import layers, regularizers

keras.utils.set_random_seed(SEED)
AUTOTUNE = tf.data.AUTOTUNE
CLASSES = ['left', 'right', 'up', 'down']


def draw(direction, rng):
    img = rng.integers(0, 130, (18, 18)).astype('float32')
    paint = rng.integers(60, 125)
    row, length = rng.integers(6, 12), rng.integers(5, 8)
    img[row, 9 - length:9 + length] += paint
    for k in range(1, rng.integers(3, 6)):
        img[row - k, 9 - length + k] += paint
        img[row + k, 9 - length + k] += paint
    turns = {'left': 0, 'down': 1, 'right': 2, 'up': 3}[direction]
    return np.rot90(np.clip(img, 0, 255), turns)


def load_split(per_class, seed):
    rng = np.random.default_rng(seed)
    images, labels = [], []
    for i, name in enumerate(CLASSES):
        for _ in range(per_class):
            images.append(draw(name, rng))
            labels.append(i)
    return np.array(images, 'uint8')[..., None], np.array(labels)


train_images, train_labels = load_split(250, 3 * SEED)
val_images, val_labels = load_split(50, 3 * SEED + 1)
test_images, test_labels = load_split(80, 3 * SEED + 2)


def to_float(image, label):
    return tf.cast(image, tf.float32), label


train_ds = tf.data.Dataset.from_tensor_slices((train_images, train_labels)).map(to_float, num_parallel_calls=AUTOTUNE)
train_ds = train_ds.cache().shuffle(1000).batch(32).prefetch(AUTOTUNE)
val_ds = tf.data.Dataset.from_tensor_slices((val_images, val_labels)).map(to_float).batch(64)
test_ds = tf.data.Dataset.from_tensor_slices((test_images, test_labels)).map(to_float).batch(64)

decay = regularizers.l2(1e-4)
model = keras.Sequential([
    keras.Input((18, 18, 1)),
    layers.Rescaling(1. / 255),
    layers.Conv2D(12, 3, activation='relu', kernel_regularizer=decay, name='conv1'),
    layers.MaxPooling2D(),
    layers.Conv2D(24, 3, activation='relu', kernel_regularizer=decay, name='conv2'),
    layers.MaxPooling2D(),
    layers.Flatten(),
    layers.Dense(32, activation='relu', kernel_regularizer=decay, name='fc'),
    layers.Dense(4, name='logits'),
    layers.Softmax(),
])
model.compile(optimizer=keras.optimizers.SGD(0.02, momentum=0.9),
              loss=keras.losses.SparseCategoricalCrossentropy(),
              metrics=['accuracy'])
model.fit(train_ds, validation_data=val_ds, epochs=12, verbose=0)
loss, acc = model.evaluate(test_ds, verbose=0)
print('Test accuracy: %.3f' % acc)
""",
    score="acc",
    bar=0.93,
    base=0.25,
    faults=(
        Fault(cause="inputs_scaled_twice", old="tf.cast(image, tf.float32), label",
              new="tf.cast(image, tf.float32) / 255., label"),
        Fault(cause="shuffle_buffer_too_small", old=".shuffle(1000)", new=".shuffle(8)", accept=("data_sorted",),
              beside=("pipeline_order",)),
        Fault(cause="pipeline_order", old=".shuffle(1000).batch(32)", new=".batch(32).shuffle(1000)",
              accept=("data_sorted",)),
        Fault(cause="data_sorted", old="train_ds.cache().shuffle(1000).batch(32)", new="train_ds.cache().batch(32)"),
        Fault(cause="regularisation_overwhelms", old="decay = regularizers.l2(1e-4)",
              new="decay = regularizers.l2(0.3)", beside=("input_ignored", "dead_units", "vanishing_gradient")),
        Fault(cause="too_few_steps", old="epochs=12", new="epochs=1"),
        Fault(cause="missing_class", old="train_images, train_labels = load_split(250, 3 * SEED)\n",
              new="train_images, train_labels = load_split(250, 3 * SEED)\n"
              "train_images, train_labels = train_images[:500], train_labels[:500]\n",
              beside=("validation_split_sorted", "train_val_preprocessing_mismatch", "class_imbalance")),
    ),
    seeds=3,
)  # fmt: skip

MENUS = Program(
    name="clinic_menu_cuisines",
    source="""
import random

import keras
import numpy as np
from keras import layers

random.seed(SEED)
np.random.seed(SEED)
keras.utils.set_random_seed(SEED)

KITCHEN = {
    'italian': 'basil parmesan risotto polenta tomato olive garlic mozzarella'.split(),
    'indian': 'cumin turmeric lentil paneer rice garlic yogurt mango'.split(),
    'mexican': 'tortilla chili bean avocado corn lime tomato rice'.split(),
    'nordic': 'dill herring rye potato beetroot yogurt lingonberry salmon'.split(),
}
COMMON = 'with fresh and grilled sauce house served warm salad bowl of the day small large plate'.split()
cuisines = list(KITCHEN)

texts, labels = [], []
for _ in range(1600):
    c = random.choice(cuisines)
    words = random.sample(KITCHEN[c], random.randint(1, 3)) + random.sample(COMMON, random.randint(3, 7))
    if random.random() < 0.3:
        words.append(random.choice(KITCHEN[random.choice(cuisines)]))
    random.shuffle(words)
    texts.append(' '.join(words))
    labels.append(cuisines.index(c))

train_texts, test_texts = texts[:1300], texts[1300:]
train_labels, test_labels = labels[:1300], labels[1300:]

vectorize = layers.TextVectorization(max_tokens=200, output_sequence_length=12)
vectorize.adapt(train_texts)
print(vectorize.get_vocabulary()[:10])

x_train = vectorize(np.array(train_texts)).numpy()
x_test = vectorize(np.array(test_texts)).numpy()
y_train, y_test = np.array(train_labels), np.array(test_labels)

model = keras.Sequential()
model.add(keras.Input((12,), dtype='int64'))
model.add(layers.Embedding(200, 16, name='words'))
model.add(layers.GlobalAveragePooling1D())
model.add(layers.Dropout(0.2))
model.add(layers.Dense(24, activation='relu', name='hidden'))
model.add(layers.Dense(4, activation='softmax', name='cuisine'))
model.compile(optimizer=keras.optimizers.Adam(0.01), loss='sparse_categorical_crossentropy', metrics=['accuracy'])
model.fit(x_train, y_train, validation_split=0.15, epochs=7, batch_size=32, verbose=0)

guess = model.predict(x_test, verbose=0)
hit = np.mean(guess.argmax(axis=1) == y_test)
print('accuracy', hit)
""",
    score="hit",
    bar=0.78,
    base=0.27,
    faults=(
        Fault(cause="wrong_head_for_labels",
              old="model.add(layers.Dense(4, activation='softmax', name='cuisine'))\nmodel.compile(optimizer="
              "keras.optimizers.Adam(0.01), loss='sparse_categorical_crossentropy'",
              new="model.add(layers.Dense(1, activation='sigmoid', name='cuisine'))\nmodel.compile(optimizer="
              "keras.optimizers.Adam(0.01), loss='binary_crossentropy'",
              layer=("cuisine",), accept=("wrong_loss_for_task",),
              beside=("label_encoding", "output_range_cannot_reach_targets", "saturated_units")),
        Fault(cause="label_noise", old="    labels.append(cuisines.index(c))",
              new="    labels.append(cuisines.index(c if random.random() < 0.2 else random.choice(cuisines)))",
              beside=("labels_shuffled_apart",)),
        Fault(cause="labels_shuffled_apart", old="train_texts, test_texts = texts[:1300], texts[1300:]\n",
              new="train_texts, test_texts = texts[:1300], texts[1300:]\nrandom.shuffle(train_texts)\n",
              beside=("label_noise",)),
        Fault(cause="loss_metric_inconsistent",
              old="loss='sparse_categorical_crossentropy', metrics=['accuracy']",
              new="loss='sparse_categorical_crossentropy', metrics=['categorical_accuracy']",
              accept=("wrong_metric",), certain=True),
        Fault(cause="input_ignored", old="vectorize.adapt(train_texts)", new="vectorize.adapt(cuisines)"),
        Fault(cause="overfitting",
              old="model.fit(x_train, y_train, validation_split=0.15, epochs=7, batch_size=32, ",
              new="model.fit(x_train[:32], y_train[:32], validation_split=0.15, epochs=50, batch_size=4, "),
        Fault(cause="learning_rate_too_low", old="keras.optimizers.Adam(0.01)", new="keras.optimizers.SGD(1e-4)",
              beside=("too_few_steps",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (WHEAT, ARREARS, SOLAR, ARROWS, MENUS)
