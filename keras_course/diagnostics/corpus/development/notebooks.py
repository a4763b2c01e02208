"""Tables and small data sets as they stand in notebooks, all trained by fit. Written before any verdict on them."""

from keras_course.diagnostics.corpus import Fault, Program

WINE = Program(
    name="wine_validation_split",
    odd="133 rows to train on",
    source="""
import numpy as np
import pandas as pd
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler
from tensorflow.keras.layers import Dense, Input
from tensorflow.keras.models import Sequential
from tensorflow.keras.optimizers import SGD
from tensorflow.keras.utils import set_random_seed, to_categorical

set_random_seed(SEED)
wine = load_wine()
df = pd.DataFrame(wine.data, columns=wine.feature_names)
df['cultivar'] = wine.target
df = df.sample(frac=1, random_state=SEED).reset_index(drop=True)
print(df.describe().T)

X = df.drop(columns='cultivar').values
X = StandardScaler().fit_transform(X)
y = to_categorical(df['cultivar'])

model = Sequential()
model.add(Input(shape=(13,)))
model.add(Dense(32, activation='relu'))
model.add(Dense(16, activation='relu'))
model.add(Dense(3, activation='softmax'))
model.compile(optimizer=SGD(0.05), loss='categorical_crossentropy', metrics=['accuracy'])
history = model.fit(X, y, epochs=30, batch_size=16, validation_split=0.25, verbose=0)
print('val_accuracy', history.history['val_accuracy'][-1])
cut = int(len(X) * 0.75)
""",
    score="np.mean(model.predict(X[cut:], verbose=0).argmax(1) == y[cut:].argmax(1))",
    bar=0.9,
    seeds=3,
    base=0.4,
    faults=(
        Fault(cause="validation_split_sorted", old="df = df.sample(frac=1, random_state=SEED).reset_index(drop=True)\n", new="",
              certain=True, accept=("data_sorted",),
              beside=("class_imbalance", "missing_class", "train_val_preprocessing_mismatch")),
        Fault(cause="inputs_not_scaled", old="X = StandardScaler().fit_transform(X)\n", new="", beside=("learning_rate_too_high",)),
        Fault(cause="logits_to_probability_loss", old="Dense(3, activation='softmax')", new="Dense(3, activation='relu')",
              layer=("dense_2",), accept=("wrong_head_for_labels",), beside=("output_range_cannot_reach_targets",)),
        Fault(cause="learning_rate_too_low", old="SGD(0.05)", new="SGD(0.0001)", accept=("too_few_steps",)),
    ),
)  # fmt: skip

BIOPSIES = Program(
    name="biopsies_class_weight",
    odd="class weights, although the classes are not far from even",
    source="""
# Breast cancer: benign or malignant?
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.utils import class_weight

import keras
from keras import layers

keras.utils.set_random_seed(SEED)
data, target = load_breast_cancer(return_X_y=True)
data = np.log1p(data)  # areas and radii are skewed
x_train, x_test, y_train, y_test = train_test_split(data, target, test_size=0.3, random_state=SEED, stratify=target)

mean = x_train.mean(axis=0)
std = x_train.std(axis=0)
x_train = (x_train - mean) / std
x_test = (x_test - mean) / std

weights = class_weight.compute_class_weight('balanced', classes=np.unique(y_train), y=y_train)
weights = dict(enumerate(weights))

inputs = keras.Input(shape=(30,))
h = layers.Dense(24, activation='relu')(inputs)
h = layers.Dense(24, activation='relu')(h)
outputs = layers.Dense(1, activation='sigmoid')(h)
clf = keras.Model(inputs, outputs, name='biopsies')
clf.summary()

clf.compile(optimizer=keras.optimizers.RMSprop(0.002), loss='binary_crossentropy', metrics=['accuracy', keras.metrics.AUC(name='auc')])
clf.fit(
    x_train, y_train,
    batch_size=32,
    epochs=20,
    validation_data=(x_test, y_test),
    class_weight=weights,
    callbacks=[keras.callbacks.ReduceLROnPlateau(patience=6)],
    verbose=0,
)
print(clf.evaluate(x_test, y_test, verbose=0, return_dict=True))
""",
    score="np.mean([np.mean((clf.predict(x_test, verbose=0)[:, 0] > 0.5)[y_test == c] == c) for c in (0, 1)])",
    bar=0.92,
    seeds=3,
    base=0.5,
    faults=(
        Fault(cause="softmax_on_single_unit", old="layers.Dense(1, activation='sigmoid')", new="layers.Dense(1, activation='softmax')", layer=("dense_2",)),
        Fault(cause="nan_or_inf_in_data", old="np.log1p(data)", new="np.log(data)"),
        Fault(cause="train_val_preprocessing_mismatch", old="x_test = (x_test - mean) / std\n", new=""),
        Fault(cause="dead_units", old="h = layers.Dense(24, activation='relu')(h)",
              new="h = layers.Dense(24, activation='relu', bias_initializer=keras.initializers.Constant(-15.0))(h)",
              layer=("dense_1",), accept=("init_scale",), beside=("frozen_or_disconnected",)),
    ),
    pairs=(("train_val_preprocessing_mismatch", "dead_units"),),
)  # fmt: skip

PROGRESSION = Program(
    name="progression_early_stopping",
    odd="more than half of the variance stays unexplained: nobody does better on it; half of the units are dropped",
    source="""
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_diabetes
from sklearn.metrics import r2_score

tf.keras.utils.set_random_seed(SEED)
X, Y = load_diabetes(return_X_y=True, scaled=False)
order = np.random.permutation(len(X))
X, Y = X[order], Y[order]
n_train = 330
X = (X - X[:n_train].mean(0)) / X[:n_train].std(0)
y_mean, y_std = Y[:n_train].mean(), Y[:n_train].std()
Y = (Y - y_mean) / y_std
train_x, test_x = X[:n_train], X[n_train:]
train_y, test_y = Y[:n_train], Y[n_train:]

model = tf.keras.Sequential([
    tf.keras.Input((10,)),
    tf.keras.layers.Dense(64, activation='relu', kernel_regularizer=tf.keras.regularizers.l2(1e-3)),
    tf.keras.layers.Dropout(0.5),
    tf.keras.layers.Dense(1),
])
model.compile(optimizer=tf.keras.optimizers.Adam(0.001), loss='mse', metrics=['mae'])
stopper = tf.keras.callbacks.EarlyStopping(monitor='val_loss', patience=12, restore_best_weights=True)
hist = model.fit(train_x, train_y, validation_split=0.15, epochs=30, batch_size=16, callbacks=[stopper], verbose=0)
pred = model.predict(test_x, verbose=0).ravel()
print('stopped after', len(hist.epoch), 'epochs; r2 =', r2_score(test_y, pred))
""",
    score="r2_score(test_y, model.predict(test_x, verbose=0).ravel())",
    bar=0.3,
    seeds=3,
    base=0.0,
    faults=(
        Fault(cause="targets_not_scaled", old="Y = (Y - y_mean) / y_std\n", new="", beside=("learning_rate_too_low", "too_few_steps")),
        Fault(cause="output_range_cannot_reach_targets", old="tf.keras.layers.Dense(1),", new="tf.keras.layers.Dense(1, activation='softplus'),",
              layer=("dense_1",), accept=("wrong_head_for_labels",)),
        Fault(cause="wrong_loss_for_task", old="loss='mse'", new="loss='binary_crossentropy'",
              accept=("logits_to_probability_loss", "wrong_head_for_labels"), beside=("label_encoding", "output_range_cannot_reach_targets")),
        Fault(cause="regularisation_overwhelms", old="""l2(1e-3)),
    tf.keras.layers.Dropout(0.5),
    tf.keras.layers.Dense(1),""", new="""l2(3.0)),
    tf.keras.layers.Dropout(0.5),
    tf.keras.layers.Dense(1, kernel_regularizer=tf.keras.regularizers.l2(3.0)),""", layer=("dense", "dense_1")),
        Fault(cause="dropout_mode", old="tf.keras.layers.Dropout(0.5),", new="tf.keras.layers.Lambda(lambda h: tf.nn.dropout(h, 0.8)),",
              beside=("regularisation_overwhelms",)),
        Fault(cause="overfitting", old="""    tf.keras.layers.Dense(64, activation='relu', kernel_regularizer=tf.keras.regularizers.l2(1e-3)),
    tf.keras.layers.Dropout(0.5),
    tf.keras.layers.Dense(1),
])
model.compile(optimizer=tf.keras.optimizers.Adam(0.001), loss='mse', metrics=['mae'])
stopper = tf.keras.callbacks.EarlyStopping(monitor='val_loss', patience=12, restore_best_weights=True)
hist = model.fit(train_x, train_y, validation_split=0.15, epochs=30,""",
              new="""    tf.keras.layers.Dense(256, activation='relu'),
    tf.keras.layers.Dense(256, activation='relu'),
    tf.keras.layers.Dense(1),
])
model.compile(optimizer=tf.keras.optimizers.Adam(0.001), loss='mse', metrics=['mae'])
stopper = tf.keras.callbacks.TerminateOnNaN()
hist = model.fit(train_x, train_y, validation_split=0.15, epochs=60,"""),
    ),
)  # fmt: skip

FIGURES = Program(
    name="figures_tfdata_cnn",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

SIZE, BATCH, EPOCHS = 16, 32, 6
AUTOTUNE = tf.data.AUTOTUNE
keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
class_names = ['cross', 'frame', 'stripes', 'diagonal']


def draw(kind):
    picture = rng.normal(50, 15, (SIZE, SIZE))
    row, col = rng.integers(0, SIZE - 8, 2)
    figure = np.zeros((8, 8))
    if kind == 'cross':
        figure[3:5], figure[:, 3:5] = 1, 1
    elif kind == 'frame':
        figure[[0, -1]], figure[:, [0, -1]] = 1, 1
    elif kind == 'stripes':
        figure[::3] = 1
    else:
        figure += np.eye(8) + np.eye(8)[::-1]
    picture[row:row + 8, col:col + 8] += figure * rng.uniform(70, 170)
    return picture.clip(0, 255).astype('uint8')


def folder(how_many, names=class_names):
    images = np.stack([draw(name) for name in names for _ in range(how_many)])[..., None]
    labels = np.repeat(np.arange(len(names)), how_many)
    return images, labels


x_train, y_train = folder(300)
x_test, y_test = folder(80)


def prepare(image, label):
    return tf.cast(image, tf.float32) / 255.0, label


ds_train = tf.data.Dataset.from_tensor_slices((x_train, y_train))
ds_train = ds_train.map(prepare, num_parallel_calls=AUTOTUNE).cache()
ds_train = ds_train.shuffle(1200).batch(BATCH)
ds_train = ds_train.prefetch(AUTOTUNE)
ds_test = tf.data.Dataset.from_tensor_slices((x_test, y_test)).map(prepare).batch(100)

cnn = keras.Sequential([
    keras.Input((SIZE, SIZE, 1)),
    layers.Conv2D(16, 3, activation='relu'),
    layers.MaxPooling2D(),
    layers.Conv2D(32, 3, activation='relu'),
    layers.GlobalMaxPooling2D(),
    layers.Dense(32, activation='relu'),
    layers.Dense(len(class_names)),
])
cnn.compile(
    optimizer=keras.optimizers.Adam(0.005),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=['accuracy'],
)
cnn.fit(ds_train, epochs=EPOCHS, validation_data=ds_test, verbose=2)
""",
    score="cnn.evaluate(ds_test, verbose=0)[1]",
    bar=0.9,
    seeds=3,
    base=0.25,
    faults=(
        Fault(cause="inputs_scaled_twice", old="x_test, y_test = folder(80)\n",
              new="x_test, y_test = folder(80)\nx_train, x_test = x_train / 255., x_test / 255.\n", beside=("learning_rate_too_low",)),
        Fault(cause="shuffle_buffer_too_small", old="ds_train.shuffle(1200)", new="ds_train.shuffle(32)", accept=("data_sorted",)),
        Fault(cause="pipeline_order", old="ds_train.shuffle(1200).batch(BATCH)", new="ds_train.batch(BATCH).shuffle(4)",
              accept=("data_sorted", "shuffle_buffer_too_small")),
        Fault(cause="missing_class", old="x_train, y_train = folder(300)", new="x_train, y_train = folder(300, class_names[:-1])",
              accept=("validation_split_sorted",)),
        Fault(cause="learning_rate_too_high", old="keras.optimizers.Adam(0.005)", new="keras.optimizers.SGD(20.0)"),
    ),
)  # fmt: skip

PROGRAMS = (WINE, BIOPSIES, PROGRESSION, FIGURES)
