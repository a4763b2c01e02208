"""Spectrograms from a generator, and a table with more columns than rows. Written before any verdict on them."""

from keras_course.diagnostics.corpus import Fault, Program

SONAR = Program(
    name="spectrograms_generator",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow.keras import layers

tf.keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
t, f = np.arange(20), np.arange(20)[:, None]


def spectrogram(call):  # in decibels, -80 to 0
    at, slope = rng.uniform(6, 14), rng.uniform(0.4, 0.8)
    tone = [at + slope * (t - 10), at - slope * (t - 10), at + 0 * t, 4 + slope * abs(t - at), at + 3 * np.sin(t), 18 - slope * abs(t - at)][call]
    power = 1e-6 + rng.exponential(0.02, (20, 20)) + rng.uniform(0.05, 1) * np.exp(-0.5 * (f - tone) ** 2)
    return np.clip(10 * np.log10(power), -80, 0)


recordings = [(call, spectrogram(call)) for call in range(6) for _ in range(240)]  # one folder per call
train, test = [r for i, r in enumerate(recordings) if i % 6], recordings[::6]


def read():
    for call, decibels in train:
        yield decibels[..., None], call


signature = (tf.TensorSpec((20, 20, 1), tf.float32), tf.TensorSpec((), tf.int32))
ds = tf.data.Dataset.from_generator(read, output_signature=signature)
ds = ds.map(lambda decibels, call: ((decibels + 80) / 80, call)).cache()
ds = ds.shuffle(len(train)).batch(30).prefetch(1)
x_test = np.stack([decibels for _, decibels in test])[..., None]
y_test = np.array([call for call, _ in test])
x_test = (x_test + 80) / 80

classifier = tf.keras.Sequential([
    tf.keras.Input((20, 20, 1)),
    layers.Conv2D(16, 3, activation='relu'),
    layers.MaxPooling2D(),
    layers.SeparableConv2D(32, 3, activation='relu', name='separable'),
    layers.Flatten(),
    layers.Dense(6),
])
classifier.compile(tf.keras.optimizers.Adam(0.003), tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=['accuracy'])
classifier.fit(ds, epochs=7, verbose=0, validation_data=(x_test, y_test))
""",
    score="np.mean(classifier.predict(x_test, verbose=0).argmax(1) == y_test)",
    bar=0.8,
    base=1 / 6,
    faults=(
        Fault(cause="pipeline_order", old="ds.shuffle(len(train)).batch(30)", new="ds.batch(30).shuffle(len(train))", accept=("data_sorted",)),
        Fault(cause="shuffle_buffer_too_small", old="ds.shuffle(len(train))", new="ds.shuffle(16)", accept=("data_sorted",)),
        Fault(cause="inputs_scaled_twice", old="((decibels + 80) / 80, call)).cache()\n",
              new="((decibels + 80) / 80, call)).cache()\nds = ds.map(lambda image, call: (image / 255. / 255., call))\n",
              beside=("train_val_preprocessing_mismatch",)),
    ),
)  # fmt: skip

GENES = Program(
    name="genes_wide_table",
    source="""
import keras
import numpy as np
from keras import layers, regularizers
from sklearn.datasets import make_classification

keras.utils.set_random_seed(SEED)
X, y = make_classification(700, n_features=300, n_informative=6, n_redundant=14, class_sep=1.5, flip_y=0.15,
                           n_clusters_per_class=1, random_state=SEED)
X_train, y_train, X_val, y_val = X[:160], y[:160], X[160:], y[160:]
penalty = 0.05
stop = [keras.callbacks.EarlyStopping(patience=4, restore_best_weights=True)]

model = keras.Sequential()
model.add(layers.Input((300,)))
model.add(layers.Dense(128, activation='relu', kernel_regularizer=regularizers.l2(penalty), name='genes'))
model.add(layers.Dense(1, activation='sigmoid'))
model.compile(optimizer=keras.optimizers.Adam(2e-3), loss='binary_crossentropy', metrics=['accuracy'])
model.fit(X_train, y_train, validation_data=(X_val, y_val), epochs=60, batch_size=20, callbacks=stop, verbose=0)
probability = np.clip(model.predict(X_val, verbose=0)[:, 0], 1e-7, 1 - 1e-7)
""",
    score="1 + np.mean(np.log(np.where(y_val == 1, probability, 1 - probability))) / np.log(2)",
    bar=0.15,
    base=0.0,
    faults=(
        Fault(cause="overfitting", old="penalty = 0.05\nstop = [keras.callbacks.EarlyStopping(patience=4, restore_best_weights=True)]",
              new="penalty = 0.0\nstop = []"),
        Fault(cause="constant_labels", old="X_train, y_train, X_val, y_val = X[:160]", new="order = np.argsort(-y, kind='stable')\nX, y = X[order], y[order]\nX_train, y_train, X_val, y_val = X[:160]",
              accept=("missing_class", "validation_split_sorted"), beside=("data_sorted", "train_val_preprocessing_mismatch")),
        Fault(cause="learning_rate_too_high", old="Adam(2e-3)", new="Adam(20.0)"),
    ),
)  # fmt: skip

PROGRAMS = (SONAR, GENES)
