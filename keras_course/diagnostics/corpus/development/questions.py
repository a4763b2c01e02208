"""Small scripts as they are asked about: tables, curves, four rows. Written before any verdict on them."""

from keras_course.diagnostics.corpus import Fault, Program

XOR = Program(
    name="xor_four_rows",
    odd="four rows, over and over, learnt by heart: there are no others",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras.models import Sequential
from tensorflow.keras.layers import Dense

keras.utils.set_random_seed(SEED)
training_data = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
target_data = np.array([[0], [1], [1], [0]], "float32")

model = Sequential()
model.add(Dense(16, input_dim=2, activation='tanh'))
model.add(Dense(1, activation='sigmoid'))

model.compile(loss='mean_squared_error', optimizer=keras.optimizers.Adam(0.02), metrics=['binary_accuracy'])
table = tf.data.Dataset.from_tensor_slices((training_data, target_data)).repeat(200).shuffle(800).batch(4)
model.fit(table, epochs=2, verbose=0)
print(model.predict(training_data, verbose=0).round())
""",
    score="1 - np.mean((model.predict(training_data, verbose=0) - target_data) ** 2) / 0.25",
    bar=0.7,
    base=0.0,
    seeds=3,
    faults=(
        Fault(cause="missing_nonlinearity", old="Dense(16, input_dim=2, activation='tanh')", new="Dense(16, input_dim=2)"),
        Fault(cause="underfitting_capacity", old="Dense(16, input_dim=2, activation='tanh')", new="Dense(1, input_dim=2, activation='tanh')"),
        Fault(cause="symmetric_or_zero_init",
              old="""model.add(Dense(16, input_dim=2, activation='tanh'))
model.add(Dense(1, activation='sigmoid'))""",
              new="""model.add(Dense(16, input_dim=2, activation='tanh', kernel_initializer='zeros'))
model.add(Dense(1, activation='sigmoid', kernel_initializer='zeros'))""", layer=("dense", "dense_1"), beside=("frozen_or_disconnected",)),
        Fault(cause="output_range_cannot_reach_targets", old="[[0], [1], [1], [0]]", new="[[-1], [1], [1], [-1]]",
              accept=("label_encoding", "wrong_head_for_labels")),
    ),
)  # fmt: skip

PIMA = Program(
    name="pima_like_table",
    source="""
# predict the onset of diabetes
import numpy as np
import keras
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

rng = np.random.default_rng(SEED)
keras.utils.set_random_seed(SEED)
n = 1500
pregnancies = rng.poisson(3.5, n)
glucose = rng.normal(121, 30, n)
pressure = rng.normal(72, 12, n)
skin = rng.normal(29, 9, n)
bmi = rng.normal(32, 7, n)
insulin = 30 + rng.gamma(3.0, 30.0, n)
pedigree = rng.gamma(2.0, 0.24, n)
age = 21 + rng.exponential(12, n)
risk = 0.05 * (glucose - 121) + 0.1 * (bmi - 32) + 2 * (pedigree - 0.5) + 0.03 * (age - 33) + 0.1 * (pregnancies - 3.5)
outcome = risk + rng.logistic(0, 0.5, n) > 0.8

dataset = np.column_stack([pregnancies, glucose, pressure, skin, insulin, bmi, pedigree, age, outcome])
X = dataset[:, 0:8]
Y = dataset[:, 8]
X_train, X_test, Y_train, Y_test = train_test_split(X, Y, test_size=0.3, random_state=SEED)
scaler = StandardScaler().fit(X_train)
X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)

model = keras.models.Sequential()
model.add(keras.layers.Input((8,)))
model.add(keras.layers.Dense(12, activation='relu'))
model.add(keras.layers.Dense(8, activation='relu'))
model.add(keras.layers.Dense(1, activation='sigmoid'))
model.compile(loss='binary_crossentropy', optimizer=keras.optimizers.SGD(0.02, momentum=0.9), metrics=['accuracy'])
model.fit(X_train, Y_train, epochs=12, batch_size=20, verbose=0, validation_data=(X_test, Y_test))
scores = model.evaluate(X_test, Y_test, verbose=0)
print("%s: %.2f%%" % (model.metrics_names[1], scores[1] * 100))
""",
    score="np.mean([np.mean((model.predict(X_test, verbose=0)[:, 0] > 0.5)[Y_test == c] == c) for c in (0, 1)])",
    bar=0.78,
    base=0.5,
    faults=(
        Fault(cause="inputs_not_scaled",
              old="scaler = StandardScaler().fit(X_train)\nX_train, X_test = scaler.transform(X_train), scaler.transform(X_test)\n",
              new="", beside=("learning_rate_too_high",)),
        Fault(cause="softmax_on_single_unit", old="Dense(1, activation='sigmoid')", new="Dense(1, activation='softmax')", layer=("dense_2",)),
        Fault(cause="label_encoding", old="Y = dataset[:, 8]\n", new="Y = dataset[:, 8] + 1  # 1 = healthy, 2 = diabetic\n",
              accept=("output_range_cannot_reach_targets", "wrong_head_for_labels"), certain=True),
        Fault(cause="leakage_duplicates", old="X_train, X_test, Y_train, Y_test = train_test_split(",
              new="# balance the classes\nX, Y = np.vstack([X, X[Y == 1], X[Y == 1]]), np.r_[Y, Y[Y == 1], Y[Y == 1]]\n"
              "X_train, X_test, Y_train, Y_test = train_test_split(", certain=True),
        Fault(cause="validation_split_sorted", old="X_train, X_test, Y_train, Y_test = train_test_split(X, Y, test_size=0.3, random_state=SEED)",
              new="X, Y = X[np.argsort(Y)], np.sort(Y)  # the healthy ones first\n"
              "X_train, X_test, Y_train, Y_test = train_test_split(X, Y, test_size=0.3, shuffle=False)", certain=True,
              accept=("data_sorted",), beside=("class_imbalance", "train_val_preprocessing_mismatch", "missing_class")),
        Fault(cause="class_imbalance", old="n) > 0.8", new="n) > 4.4"),
    ),
    pairs=(("inputs_not_scaled", "softmax_on_single_unit"),),
)  # fmt: skip

SINE = Program(
    name="sine_sigmoid_units",
    odd="hidden units are sigmoids, and they train",
    source="""
import numpy as np
import tensorflow as tf

tf.keras.utils.set_random_seed(SEED)
x = np.linspace(-3, 3, 1200)
y = np.sin(1.5 * x) + np.random.normal(0, 0.05, 1200)
mix = np.random.permutation(1200)
x, y = x[mix], y[mix]


def build_model():
    inputs = tf.keras.Input(shape=(1,))
    hidden = tf.keras.layers.Dense(64, activation='sigmoid')(inputs)
    hidden = tf.keras.layers.Dense(32, activation='sigmoid')(hidden)
    outputs = tf.keras.layers.Dense(1)(hidden)
    return tf.keras.Model(inputs, outputs)


model = build_model()
model.compile(optimizer=tf.keras.optimizers.Adam(0.02), loss='mse', metrics=['mae'])
history = model.fit(x, y, epochs=25, batch_size=40, verbose=0, shuffle=False)
for epoch, value in enumerate(history.history['loss']):
    if epoch % 10 == 0:
        print('epoch', epoch, 'loss', value)
grid = np.linspace(-3, 3, 300)
""",
    score="1 - np.mean((model.predict(grid, verbose=0)[:, 0] - np.sin(1.5 * grid)) ** 2) / np.var(np.sin(1.5 * grid))",
    bar=0.85,
    base=0.0,
    seeds=3,
    faults=(
        Fault(cause="output_range_cannot_reach_targets", old="outputs = tf.keras.layers.Dense(1)(hidden)",
              new="outputs = tf.keras.layers.Dense(1, activation='sigmoid')(hidden)", layer=("dense_2",), accept=("wrong_head_for_labels",)),
        Fault(cause="wrong_loss_for_task", old="loss='mse'", new="loss='binary_crossentropy'",
              accept=("logits_to_probability_loss", "wrong_head_for_labels"), beside=("label_encoding", "output_range_cannot_reach_targets")),
        Fault(cause="wrong_metric", old="metrics=['mae']", new="metrics=['accuracy']", certain=True),
        Fault(cause="data_sorted", old="x, y = x[mix], y[mix]\n", new=""),
        Fault(cause="regularisation_overwhelms", old="tf.keras.layers.Dense(64, activation='sigmoid')",
              new="tf.keras.layers.Dense(64, activation='sigmoid', kernel_regularizer=tf.keras.regularizers.L2(1.0))", layer=("dense",)),
        Fault(cause="saturated_units", old="tf.keras.layers.Dense(64, activation='sigmoid')",
              new="tf.keras.layers.Dense(64, activation='sigmoid', bias_initializer=tf.keras.initializers.Constant(30.))",
              layer=("dense",), accept=("init_scale",)),
    ),
)  # fmt: skip

MOONS = Program(
    name="moons_in_millimetres",
    odd="inputs in the thousands, which a BatchNormalization in front takes care of",
    source="""
from sklearn.datasets import make_moons
from sklearn.model_selection import train_test_split
from keras.models import Sequential
from keras.layers import Activation, BatchNormalization, Dense, Input
from keras.optimizers import SGD
from keras.utils import set_random_seed
import numpy as np

set_random_seed(SEED)
points, labels = make_moons(2000, noise=0.12, random_state=SEED)
points = points * 1000 + 5000  # in millimetres, from the corner of the table
a_train, a_test, b_train, b_test = train_test_split(points, labels, test_size=0.25, random_state=SEED)

net = Sequential([
    Input(shape=(2,)),
    BatchNormalization(momentum=0.9),
    Dense(32),
    Activation('relu'),
    Dense(32),
    Activation('relu'),
    Dense(1),
    Activation('sigmoid'),
])
net.compile(SGD(learning_rate=0.1, momentum=0.9), loss='binary_crossentropy', metrics=['accuracy'])
net.fit(a_train, b_train, batch_size=50, epochs=15, validation_data=(a_test, b_test), verbose=0)
print('test accuracy:', net.evaluate(a_test, b_test, verbose=0)[1])
""",
    score="np.mean((net.predict(a_test, verbose=0)[:, 0] > 0.5) == b_test)",
    bar=0.95,
    base=0.5,
    seeds=3,
    faults=(
        Fault(cause="inputs_not_scaled", old="    BatchNormalization(momentum=0.9),\n", new="", beside=("learning_rate_too_high",)),
        Fault(cause="batchnorm_mode", old="BatchNormalization(momentum=0.9)", new="BatchNormalization(momentum=0.9999)",
              beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="learning_rate_too_high", old="learning_rate=0.1", new="learning_rate=50."),
        Fault(cause="train_val_preprocessing_mismatch", old="net = Sequential([",
              new="a_train = (a_train - a_train.mean(0)) / a_train.std(0)\nnet = Sequential(["),
    ),
)  # fmt: skip

ENERGY = Program(
    name="energy_two_loads",
    odd="targets in kilowatt hours as they are, a loss in the hundreds at first, two of them from one layer",
    source="""
import numpy as np
import keras
from keras import layers, callbacks

rng = np.random.RandomState(SEED)
keras.utils.set_random_seed(SEED)
N = 1400
compactness = rng.uniform(0.6, 1.0, N)
height = rng.choice([3.5, 7.0], N)
glazing = rng.choice([0.0, 0.1, 0.25, 0.4], N)
orientation = rng.randint(2, 6, N)
wall = rng.uniform(250, 420, N)
heating = 4 + 3.0 * height * compactness + 25 * glazing * (height > 5) + 0.01 * wall + rng.normal(0, 0.6, N)
cooling = 10 + 2.4 * height * compactness ** 2 + 20 * glazing + 0.5 * (orientation == 3) + rng.normal(0, 0.8, N)
df = {'compactness': compactness, 'height': height, 'glazing': glazing, 'orientation': orientation, 'wall': wall}
x = np.array(list(df.values())).T
y = np.array([heating, cooling]).T
x = (x - x[:1000].mean(axis=0)) / x[:1000].std(axis=0)
x_train, y_train, x_valid, y_valid = x[:1000], y[:1000], x[1000:], y[1000:]

model = keras.Sequential([
    layers.Input((5,)),
    layers.Dense(64, activation='elu'),
    layers.Dense(64, activation='elu'),
    layers.Dense(2),
])
model.compile(optimizer=keras.optimizers.Nadam(0.01), loss='mse', metrics=['mae'])
stop = callbacks.EarlyStopping(patience=8, restore_best_weights=True)
model.fit(x_train, y_train, validation_data=(x_valid, y_valid), epochs=25, batch_size=50, callbacks=[stop], verbose=0)
""",
    score="1 - np.mean((model.predict(x_valid, verbose=0) - y_valid) ** 2) / np.mean((y_valid - y_train.mean(0)) ** 2)",
    bar=0.85,
    base=0.0,
    seeds=3,
    faults=(
        Fault(cause="targets_not_scaled", old="y = np.array([heating, cooling]).T", new="y = np.array([heating, cooling]).T * 3.6e6  # joule"),
        Fault(cause="output_range_cannot_reach_targets", old="layers.Dense(2),", new="layers.Dense(2, activation='tanh'),", layer=("dense_2",),
              accept=("targets_not_scaled", "wrong_head_for_labels")),
        Fault(cause="labels_shuffled_apart", old="y = np.array([heating, cooling]).T", new="y = np.sort(np.array([heating, cooling]).T, axis=0)",
              accept=("label_noise",), beside=("data_sorted", "validation_split_sorted", "train_val_preprocessing_mismatch")),
        Fault(cause="learning_rate_too_low", old="Nadam(0.01)", new="Nadam(1e-5)", beside=("targets_not_scaled",)),
    ),
)  # fmt: skip

PROGRAMS = (XOR, PIMA, SINE, MOONS, ENERGY)
