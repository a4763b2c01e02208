"""Tables: digits as rows, breast cancer, diabetes, wine, circles."""

from keras_course.diagnostics.corpus import Fault, Program

ACCURACY = "np.mean(model.predict(x_test, verbose=0).argmax(1) == y_test)"

DIGITS = Program(
    name="digits_mlp",
    source="""
import numpy as np
import keras
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

x, y = load_digits(return_X_y=True)
x = x.astype("float32") / 16.0
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=SEED, stratify=y)

model = keras.Sequential([
    layers.Input((64,)),
    layers.Dense(64, activation="relu"),
    layers.Dense(32, activation="relu"),
    layers.Dense(10, activation="softmax"),
])
model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=3e-3),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
model.fit(x_train, y_train, batch_size=32, epochs=6, validation_data=(x_test, y_test), verbose=0)
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"test accuracy {accuracy:.3f}")
""",
    score=ACCURACY,
    bar=0.92,
    base=0.1,
    faults=(
        Fault(cause="learning_rate_too_high", old="learning_rate=3e-3", new="learning_rate=3.0"),
        Fault(cause="learning_rate_too_low", old="learning_rate=3e-3", new="learning_rate=3e-6"),
        Fault(
            cause="inputs_scaled_twice",
            old="/ 16.0",
            new="/ 16.0 / 255.0",
        ),
        Fault(
            cause="symmetric_or_zero_init",
            old='layers.Dense(64, activation="relu")',
            new='layers.Dense(64, activation="relu", kernel_initializer="zeros")',
            layer=("dense",),
        ),
        Fault(
            cause="symmetric_or_zero_init",
            tag="constant",
            old="""    layers.Dense(64, activation="relu"),
    layers.Dense(32, activation="relu"),
""",
            new="""    layers.Dense(64, activation="relu", kernel_initializer=keras.initializers.Constant(0.05)),
    layers.Dense(32, activation="relu", kernel_initializer=keras.initializers.Constant(0.05)),
""",
            layer=("dense", "dense_1"),
        ),
        Fault(
            cause="labels_shuffled_apart",
            old="model = keras.Sequential([",
            new="np.random.shuffle(y_train)\nmodel = keras.Sequential([",
            accept=("label_noise",),
        ),
        Fault(
            cause="underfitting_capacity",
            old='layers.Dense(32, activation="relu")',
            new='layers.Dense(1, activation="relu")',
            layer=("dense_1",),
            beside=("dead_units",),
        ),
        Fault(
            cause="regularisation_overwhelms",
            old='layers.Dense(64, activation="relu")',
            new='layers.Dense(64, activation="relu", kernel_regularizer=keras.regularizers.L2(10.0))',
            layer=("dense",),
        ),
        Fault(
            cause="dead_units",
            old='layers.Dense(32, activation="relu")',
            new='layers.Dense(32, activation="relu", bias_initializer=keras.initializers.Constant(-10.0))',
            layer=("dense_1",),
            accept=("init_scale",),
        ),
        Fault(
            cause="too_few_steps",
            old="batch_size=32, epochs=6",
            new="batch_size=256, epochs=1",
            accept=("learning_rate_too_low",),
        ),
        Fault(
            cause="frozen_or_disconnected",
            old="model.compile(",
            new="for layer in model.layers:\n    layer.trainable = layer.name == 'dense'\nmodel.layers[0].trainable = False\nmodel.compile(",
        ),
        Fault(
            cause="wrong_head_for_labels",
            old='layers.Dense(10, activation="softmax")',
            new='layers.Dense(10, activation="relu")',
            accept=("logits_to_probability_loss",),
            beside=("output_range_cannot_reach_targets",),
            layer=("dense_2",),
        ),
    ),
    pairs=(
        ("learning_rate_too_low", "inputs_scaled_twice"),
        ("labels_shuffled_apart", "symmetric_or_zero_init"),
    ),
)

CANCER = Program(
    name="breast_cancer_binary",
    source="""
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from tensorflow import keras

data = load_breast_cancer()
x, y = data.data.astype("float32"), data.target
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, random_state=SEED)
mean, std = x_train.mean(axis=0), x_train.std(axis=0)
x_train, x_test = (x_train - mean) / std, (x_test - mean) / std

model = keras.models.Sequential()
model.add(keras.layers.Input(shape=(30,)))
model.add(keras.layers.Dense(16, activation="relu"))
model.add(keras.layers.Dense(8, activation="relu"))
model.add(keras.layers.Dense(1, activation="sigmoid"))
model.compile(optimizer=keras.optimizers.SGD(0.1), loss="binary_crossentropy", metrics=["accuracy"])
history = model.fit(x_train, y_train, batch_size=16, epochs=10, validation_data=(x_test, y_test), verbose=0)
print("accuracy", history.history["val_accuracy"][-1])
""",
    score="np.mean((model.predict(x_test, verbose=0)[:, 0] > 0.5) == y_test)",
    bar=0.93,
    base=0.63,
    faults=(
        Fault(
            cause="softmax_on_single_unit",
            old='model.add(keras.layers.Dense(1, activation="sigmoid"))',
            new='model.add(keras.layers.Dense(1, activation="softmax"))',
            layer=("dense_2",),
        ),
        Fault(
            cause="inputs_not_scaled",
            old="x_train, x_test = (x_train - mean) / std, (x_test - mean) / std",
            new="",
        ),
        Fault(
            cause="wrong_head_for_labels",
            old='loss="binary_crossentropy"',
            new='loss="categorical_crossentropy"',
            accept=("wrong_loss_for_task",),
        ),
        Fault(
            cause="nan_or_inf_in_data",
            old="x_train, x_test = (",
            new="x_train[7, 3] = np.nan\nx_train, x_test = (",
        ),
        Fault(
            cause="constant_labels",
            old='x, y = data.data.astype("float32"), data.target\n',
            new='x, y = data.data.astype("float32"), (data.target >= 0).astype(int)\n',
            certain=True,
        ),
        Fault(
            cause="label_encoding",
            old="data.target\n",
            new="data.target + 1\n",
            accept=("wrong_head_for_labels", "output_range_cannot_reach_targets"),
            certain=True,
        ),
        Fault(
            cause="train_val_preprocessing_mismatch",
            old="(x_test - mean) / std",
            new="x_test",
            beside=("inputs_not_scaled",),
        ),
        Fault(
            cause="leakage_feature",
            old='x, y = data.data.astype("float32"), data.target',
            new='x, y = np.c_[data.data, data.target].astype("float32")[:, 1:], data.target',
            certain=True,
        ),
        Fault(
            cause="learning_rate_too_high",
            old="SGD(0.1)",
            new="SGD(100.0)",
        ),
        Fault(
            cause="output_range_cannot_reach_targets",
            old="data.target\n",
            new="2 * data.target - 1\n",
            accept=("label_encoding", "wrong_head_for_labels"),
            certain=True,
        ),
    ),
    pairs=(("softmax_on_single_unit", "inputs_not_scaled"),),
)

DIABETES = Program(
    name="diabetes_regression",
    source="""
import numpy as np
import keras
from keras import layers
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

X, Y = load_diabetes(return_X_y=True)
X = StandardScaler().fit_transform(X)
Y = (Y - Y.mean()) / Y.std()
X_train, X_test, Y_train, Y_test = train_test_split(X, Y, test_size=0.2, random_state=SEED)

inputs = keras.Input(shape=(10,))
hidden = layers.Dense(24, activation="relu", name="hidden")(inputs)
outputs = layers.Dense(1, name="prediction")(hidden)
model = keras.Model(inputs, outputs)
model.compile(optimizer=keras.optimizers.Adam(0.003), loss="mse", metrics=["mae"])
model.fit(X_train, Y_train, epochs=12, batch_size=16, verbose=0)
print("test loss", model.evaluate(X_test, Y_test, verbose=0))
""",
    score="1 - np.mean((model.predict(X_test, verbose=0)[:, 0] - Y_test) ** 2) / np.var(Y_test)",
    bar=0.25,
    base=0.0,
    faults=(
        Fault(cause="targets_not_scaled", old="Y = (Y - Y.mean()) / Y.std()\n", new=""),
        Fault(
            cause="output_range_cannot_reach_targets",
            old='layers.Dense(1, name="prediction")',
            new='layers.Dense(1, activation="softplus", name="prediction")',
            layer=("prediction",),
        ),
        Fault(
            cause="output_range_cannot_reach_targets",
            tag="sigmoid",
            old='layers.Dense(1, name="prediction")',
            new='layers.Dense(1, activation="sigmoid", name="prediction")',
            layer=("prediction",),
            accept=("wrong_head_for_labels",),
        ),
        Fault(
            cause="softmax_on_single_unit",
            old='layers.Dense(1, name="prediction")',
            new='layers.Dense(1, activation="softmax", name="prediction")',
            layer=("prediction",),
        ),
        Fault(
            cause="wrong_loss_for_task",
            old='loss="mse"',
            new='loss="binary_crossentropy"',
            accept=("logits_to_probability_loss", "wrong_head_for_labels"),
        ),
        Fault(
            cause="wrong_metric",
            old='metrics=["mae"]',
            new='metrics=["accuracy"]',
            certain=True,
        ),
        Fault(
            cause="nan_or_inf_in_data",
            old="X_train, X_test, Y_train",
            new="Y[5] = np.inf\nX_train, X_test, Y_train",
        ),
        Fault(cause="learning_rate_too_low", old="Adam(0.003)", new="SGD(1e-6)"),
        Fault(
            cause="labels_shuffled_apart",
            old="inputs = keras.Input",
            new="X_train = np.random.permutation(X_train)\ninputs = keras.Input",
            accept=("label_noise",),
        ),
        Fault(
            cause="regularisation_overwhelms",
            old='name="hidden")(inputs)',
            new='name="hidden", kernel_regularizer=keras.regularizers.L1(0.5))(inputs)',
            layer=("hidden",),
        ),
    ),
    pairs=(("targets_not_scaled", "learning_rate_too_low"),),
)

WINE = Program(
    name="wine_onehot",
    source="""
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_wine
from sklearn.utils import shuffle

x, labels = load_wine(return_X_y=True)
x = (x - x.mean(0)) / x.std(0)
x, labels = shuffle(x, labels, random_state=SEED)
y = tf.keras.utils.to_categorical(labels, 3)

model = tf.keras.Sequential([
    tf.keras.Input(shape=(13,)),
    tf.keras.layers.Dense(20, activation="tanh"),
    tf.keras.layers.Dense(3, activation="softmax"),
])
model.compile(optimizer=tf.keras.optimizers.SGD(0.05, momentum=0.9), loss="categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x, y, epochs=12, batch_size=8, validation_split=0.3, verbose=0)
print(history.history["val_accuracy"][-1])
""",
    score="np.mean(model.predict(x, verbose=0).argmax(1) == labels)",
    bar=0.95,
    base=0.4,
    faults=(
        Fault(
            cause="validation_split_sorted",
            old="x, labels = shuffle(x, labels, random_state=SEED)\n",
            new="",
            accept=("data_sorted",),
            beside=("missing_class",),
            certain=True,
        ),
        Fault(
            cause="logits_to_probability_loss",
            old='tf.keras.layers.Dense(3, activation="softmax")',
            new="tf.keras.layers.Dense(3)",
            layer=("dense_1",),
            accept=("wrong_head_for_labels",),
        ),
        Fault(
            cause="logits_to_probability_loss",
            tag="relu",
            old='tf.keras.layers.Dense(3, activation="softmax")',
            new='tf.keras.layers.Dense(3, activation="relu")',
            layer=("dense_1",),
            accept=("wrong_head_for_labels",),
        ),
        Fault(
            cause="saturated_units",
            old='tf.keras.layers.Dense(20, activation="tanh")',
            new='tf.keras.layers.Dense(20, activation="tanh", bias_initializer=tf.keras.initializers.Constant(20.0))',
            layer=("dense",),
            accept=("init_scale",),
        ),
        Fault(
            cause="labels_shuffled_apart",
            old="x, labels = shuffle(x, labels, random_state=SEED)",
            new="x = shuffle(x, random_state=SEED); labels = shuffle(labels, random_state=SEED + 1)",
            accept=("label_noise",),
        ),
        Fault(
            cause="symmetric_or_zero_init",
            old="""    tf.keras.layers.Dense(20, activation="tanh"),
    tf.keras.layers.Dense(3, activation="softmax"),
""",
            new="""    tf.keras.layers.Dense(20, activation="tanh", kernel_initializer="zeros"),
    tf.keras.layers.Dense(3, activation="softmax", kernel_initializer="zeros"),
""",
            layer=("dense", "dense_1"),
        ),
        Fault(
            cause="lr_schedule_wrong",
            old="SGD(0.05, momentum=0.9)",
            new="SGD(tf.keras.optimizers.schedules.ExponentialDecay(0.05, 1, 0.3))",
        ),
    ),
)

CIRCLES = Program(
    name="circles_mlp",
    source="""
import numpy as np
import keras
from sklearn.datasets import make_circles

x, y = make_circles(1200, noise=0.08, factor=0.5, random_state=SEED)
x = x.astype("float32")
x_train, y_train, x_test, y_test = x[:1000], y[:1000], x[1000:], y[1000:]

net = keras.Sequential()
net.add(keras.layers.Input((2,)))
net.add(keras.layers.Dense(16, activation="relu", name="first"))
net.add(keras.layers.Dense(16, activation="relu", name="second"))
net.add(keras.layers.Dense(1, name="logit"))
net.compile(
    optimizer=keras.optimizers.Adam(0.01),
    loss=keras.losses.BinaryCrossentropy(from_logits=True),
    metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)],
)
net.fit(x_train, y_train, epochs=8, batch_size=32, validation_data=(x_test, y_test), verbose=0)
print(net.evaluate(x_test, y_test, verbose=0))
""",
    score="np.mean((net.predict(x_test, verbose=0)[:, 0] > 0) == y_test)",
    bar=0.95,
    base=0.5,
    faults=(
        Fault(
            cause="missing_nonlinearity",
            old="""net.add(keras.layers.Dense(16, activation="relu", name="first"))
net.add(keras.layers.Dense(16, activation="relu", name="second"))""",
            new="""net.add(keras.layers.Dense(16, name="first"))
net.add(keras.layers.Dense(16, name="second"))""",
            layer=("first", "second"),
        ),
        Fault(
            cause="underfitting_capacity",
            old="""net.add(keras.layers.Dense(16, activation="relu", name="first"))
net.add(keras.layers.Dense(16, activation="relu", name="second"))""",
            new="""net.add(keras.layers.Dense(2, activation="relu", name="first"))""",
            layer=("first",),
            beside=("dead_units",),
        ),
        Fault(cause="learning_rate_too_high", old="Adam(0.01)", new="SGD(300.0)"),
        Fault(cause="learning_rate_too_low", old="Adam(0.01)", new="SGD(1e-4)"),
        Fault(
            cause="dead_units",
            old='activation="relu", name="second")',
            new='activation="relu", name="second", bias_initializer=keras.initializers.Constant(-5.0))',
            layer=("second",),
            accept=("init_scale",),
        ),
        Fault(
            cause="inputs_drowned_in_noise",
            old="x_train, y_train, x_test, y_test =",
            new="x[:1000] += np.random.normal(0, 4, (1000, 2))\nx_train, y_train, x_test, y_test =",
            accept=("train_val_preprocessing_mismatch",),
            beside=("label_noise",),
        ),
    ),
)

PROGRAMS = (DIGITS, CANCER, DIABETES, WINE, CIRCLES)
