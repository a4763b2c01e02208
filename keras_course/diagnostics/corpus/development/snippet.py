"""Minimal examples as pasted into an issue tracker: vandalised edits by their comment, and a glove's angles encoded."""

from keras_course.diagnostics.corpus import Fault, Program

EDITS = Program(
    name="snippet_vandal_edits",
    source="""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

print(tf.__version__, keras.__version__)
keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

units, epochs = 16, 6

plain = [f'term{i}' for i in range(60)]
good = 'typo reference source link comma grammar cite update infobox spelling'.split()
bad = 'lol haha blah stupid boring removed hello asdf cool dumb'.split()


def comment(vandal):
    n = rng.integers(5, 14)
    tilt = 0.235 if vandal else 0.09
    p = rng.random(n)
    words = np.where(p < tilt, rng.choice(bad, n), np.where(p < 0.31, rng.choice(good, n), rng.choice(plain, n)))
    return ' '.join(words)


def edits(n_good, n_bad):
    y = np.array([0] * n_good + [1] * n_bad)
    x = np.array([comment(v) for v in y])
    mix = rng.permutation(len(y))
    return x[mix], y[mix]


x, y = edits(2600, 200)
x_test, y_test = edits(600, 600)

vectorize = layers.TextVectorization(max_tokens=200, output_sequence_length=14)
vectorize.adapt(x)

model = keras.Sequential([
    layers.Embedding(200, 16, mask_zero=True),
    layers.GRU(units),
    layers.Dropout(0.3),
    layers.Dense(1, activation='sigmoid'),
])
model.compile(optimizer=keras.optimizers.Adam(4e-3), loss='binary_crossentropy', metrics=['accuracy'])
model.fit(
    vectorize(x).numpy(), y,
    validation_split=0.2,
    epochs=epochs,
    batch_size=32,
    class_weight={0: 1.0, 1: 13.0},
    verbose=2,
)

p = model.predict(vectorize(x_test).numpy(), verbose=0)[:, 0]
score = np.mean((p > 0.5) == (y_test > 0))   # as many of both in the test set
print('test accuracy', score)
""",
    score="score",
    bar=0.66,
    base=0.5,
    faults=(
        Fault(cause="softmax_on_single_unit", old="layers.Dense(1, activation='sigmoid')",
              new="layers.Dense(1, activation='softmax')",
              beside=("input_ignored", "frozen_or_disconnected")),
        Fault(cause="class_imbalance", old="    class_weight={0: 1.0, 1: 13.0},\n", new=""),
        Fault(cause="validation_split_sorted", old="    mix = rng.permutation(len(y))\n",
              new="    mix = np.arange(len(y))\n", beside=("data_sorted", "constant_labels", "missing_class",
                                                          "class_imbalance")),
        Fault(cause="label_encoding", old="y = np.array([0] * n_good + [1] * n_bad)",
              new="y = np.array([-1] * n_good + [1] * n_bad)",
              beside=("class_imbalance", "wrong_head_for_labels", "wrong_loss_for_task")),
        Fault(cause="overfitting", old="units, epochs = 16, 6", new="units, epochs = 64, 22"),
        Fault(cause="constant_labels", old="x, y = edits(2600, 200)\n",
              new="x, y = edits(2600, 200)\ny = (y == 'vandal').astype(int)\n", beside=("class_imbalance",)),
    ),
    seeds=3,
)  # fmt: skip

GLOVE = Program(
    name="snippet_glove_autoencoder",
    source="""
import numpy as np, tensorflow as tf, keras
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

# stand-in for our glove: 40 strain gauges that follow 4 angles of the hand
angle = rng.uniform(-1.5, 1.5, (2400, 4))
mix, phase = rng.normal(0, 0.6, (4, 40)), rng.uniform(0, 6.28, 40)
gauges = np.sin(angle @ mix + phase) + 0.08 * rng.normal(size=(2400, 40))
gauges = ((gauges - gauges[:2000].mean(0)) / gauges[:2000].std(0)).astype('float32')
train, test = gauges[:2000], gauges[2000:]

CODE = 6
ACT = 'relu'


class AE(keras.Model):
    def __init__(self):
        super().__init__()
        self.mask = layers.Dropout(0.1)
        self.encoder = keras.Sequential([layers.Dense(64, activation=ACT), layers.Dense(48, activation=ACT),
                                         layers.Dense(32, activation=ACT), layers.Dense(CODE)])
        self.decoder = keras.Sequential([layers.Dense(32, activation=ACT), layers.Dense(48, activation=ACT),
                                         layers.Dense(64, activation=ACT), layers.Dense(40)])

    def call(self, x, training=None):
        return self.decoder(self.encoder(self.mask(x, training=training)))

    def train_step(self, x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(x - self(x, training=True)))
        v = self.encoder.trainable_variables + self.decoder.trainable_variables
        self.optimizer.apply(tape.gradient(loss, v), v)
        return {'mse': loss}

    def test_step(self, x):
        return {'mse': tf.reduce_mean(tf.square(x - self(x, training=False)))}


ae = AE()
ae(train[:2])
ae.compile(optimizer=keras.optimizers.Adam(2e-3))
ae.fit(train, validation_data=(test,), epochs=25, batch_size=50, verbose=2)

rebuilt = ae(test, training=False).numpy()
explained = 1 - np.mean((rebuilt - test) ** 2) / np.mean(test ** 2)
print('explained', explained)
""",
    score="explained",
    bar=0.75,
    base=0.0,
    odd="a bottleneck, and the input is the target",
    faults=(
        Fault(cause="frozen_or_disconnected",
              old="v = self.encoder.trainable_variables + self.decoder.trainable_variables",
              new="v = self.encoder.trainable_variables", layer=()),
        Fault(cause="vanishing_gradient", old="ACT = 'relu'", new="ACT = 'sigmoid'",
              beside=("too_few_steps", "input_ignored", "saturated_units")),
        Fault(cause="underfitting_capacity", old="CODE = 6", new="CODE = 1"),
        Fault(cause="learning_rate_too_low", old="Adam(2e-3)", new="Adam(2e-5)", beside=("too_few_steps",)),
        Fault(cause="output_range_cannot_reach_targets", old="layers.Dense(64, activation=ACT), layers.Dense(40)])",
              new="layers.Dense(64, activation=ACT), layers.Dense(40, activation='sigmoid')])"),
        Fault(cause="gradient_sign_flipped", old="            loss = tf.reduce_mean(tf.square(x - self(x, training=True)))",
              new="            loss = -tf.reduce_mean(tf.square(x - self(x, training=True)))",
              beside=("exploding_gradient",)),
        Fault(cause="optimiser_not_applied", old="        self.optimizer.apply(tape.gradient(loss, v), v)\n",
              new="        g = tape.gradient(loss, v)\n", beside=("frozen_or_disconnected",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (EDITS, GLOVE)
