"""Scripts of sports scientists: training sessions from a chest belt, and frames of a serve from the court camera."""

from keras_course.diagnostics.corpus import Fault, Program

BELT = Program(
    name="athletics_belt_phases",
    source='''
# Chest belt (accelerometer + heart rate), one row per 10 s. What is the athlete doing in each row?
# Sessions have different lengths -> padded to 36 rows, padding has weight 0.
import numpy as np
import tensorflow as tf
import keras
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

PHASES = ["rest", "jog", "tempo", "sprint"]
ROWS = 36
#               g rms  cadence jerk
TYPICAL = np.array([[0.10, 20., 0.1], [0.55, 150., 0.6], [0.75, 165., 0.9], [1.05, 185., 1.6]])
SPREAD = np.array([0.20, 35., 0.40])
TARGET_HR = np.array([75, 130, 158, 178])


def session(phases):
    n = rng.integers(20, ROWS + 1)
    what = []
    while len(what) < n:
        what += [rng.choice(phases)] * rng.integers(3, 8)
    what = np.array(what[:n])
    motion = TYPICAL[what] + SPREAD * rng.normal(size=(n, 3))
    hr, beats = rng.uniform(65, 95), []
    for p in what:                       # the heart follows with a lag
        hr += 0.45 * (TARGET_HR[p] - hr) + rng.normal(0, 5)
        beats.append(hr)
    return np.column_stack([motion, beats]), what


def make(n, phases=(0, 1, 2, 3)):
    x, y, w = np.zeros((n, ROWS, 4), "float32"), np.zeros((n, ROWS), "int32"), np.zeros((n, ROWS), "float32")
    for i in range(n):
        rows, what = session(phases)
        x[i, :len(rows)], y[i, :len(rows)], w[i, :len(rows)] = rows, what, 1
    return x, y, w


x_train, y_train, w_train = make(800)
x_val, y_val, w_val = make(150)
x_test, y_test, w_test = make(250)

real = w_train > 0
mean, std = x_train[real].mean(0), x_train[real].std(0)
x_train, x_val, x_test = [(x - mean) / std * w[..., None]
                          for x, w in ((x_train, w_train), (x_val, w_val), (x_test, w_test))]

# identity-initialised relu RNN (Le, Jaitly & Hinton 2015): small enough for the belt's chip
inputs = keras.Input((ROWS, 4))
h = layers.SimpleRNN(32, activation="relu", recurrent_initializer=keras.initializers.Identity(gain=0.9),
                     return_sequences=True, name="memory")(inputs)
h = layers.Dense(24, activation="relu", name="readout")(h)
logits = layers.Dense(len(PHASES), name="phase")(h)
loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")


class Belt(keras.Model):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.ce = keras.metrics.Mean(name="ce")

    @property
    def metrics(self):
        return [self.ce]

    def train_step(self, data):
        x, y, w = data
        with tf.GradientTape() as tape:
            z = self(x, training=True)
            loss = tf.reduce_sum(loss_fn(y, z) * w) / tf.reduce_sum(w)
        grads = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(grads, self.trainable_variables))
        self.ce.update_state(loss)
        return {"ce": self.ce.result()}

    def test_step(self, data):
        x, y, w = data
        z = self(x, training=False)
        self.ce.update_state(tf.reduce_sum(loss_fn(y, z) * w) / tf.reduce_sum(w))
        return {"ce": self.ce.result()}


net = Belt(inputs, logits)
net.compile(optimizer=keras.optimizers.SGD(0.1, momentum=0.9, clipnorm=1.0))
net.fit(x_train, y_train, sample_weight=w_train, validation_data=(x_val, y_val, w_val),
        batch_size=50, epochs=12, verbose=2)

guess = net.predict(x_test, verbose=0).argmax(-1)
ok = w_test > 0
confusion = np.zeros((4, 4), int)
np.add.at(confusion, (y_test[ok], guess[ok]), 1)
print(confusion)
recall = np.diag(confusion) / confusion.sum(1)
print(dict(zip(PHASES, recall.round(3))))
macro = recall.mean()
''',
    score="macro",
    bar=0.75,
    base=0.25,
    faults=(
        Fault(cause="missing_class", old="x_train, y_train, w_train = make(800)\n",
              new="x_train, y_train, w_train = make(800, phases=(0, 1, 2))\n", layer=("phase",),
              beside=("validation_split_sorted",)),
        Fault(cause="exploding_gradient", old="momentum=0.9, clipnorm=1.0)", new="momentum=0.9)",
              accept=("learning_rate_too_high",)),
        Fault(cause="learning_rate_too_high", old="keras.optimizers.SGD(0.1, momentum", new="keras.optimizers.SGD(2.0, momentum",
              beside=("exploding_gradient", "dead_units", "oscillation")),
        Fault(cause="labels_shuffled_apart", old="real = w_train > 0\n",
              new="rng.shuffle(x_train), rng.shuffle(y_train), rng.shuffle(w_train)\nreal = w_train > 0\n"),
        Fault(cause="inputs_not_scaled", old="[(x - mean) / std * w", new="[x * w",
              beside=("exploding_gradient", "dead_units", "learning_rate_too_high")),
        Fault(cause="saturated_units", old='layers.Dense(24, activation="relu", name="readout")',
              new='layers.Dense(24, activation="tanh", kernel_initializer=keras.initializers.RandomUniform(0, 4), name="readout")',
              layer=("readout",), accept=("init_scale",)),
    ),
    seeds=3,
)  # fmt: skip

SERVE = Program(
    name="athletics_serve_frames",
    source='''
"""Court camera, cropped to the player: is this frame part of a serve (arm up) or not?"""
import numpy as np
import matplotlib
matplotlib.use("Agg")
import tensorflow as tf
import keras
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
S = 20


def line(img, p, q, value):
    for t in np.linspace(0, 1, 14):
        r, c = np.round(p + t * (q - p)).astype(int)
        if 0 <= r < S and 0 <= c < S:
            img[r, c] = value


def frame(serve):
    court = np.array([60, 110, 70]) + rng.normal(0, 12, 3)
    img = np.ones((S, S, 3)) * court
    col = rng.uniform(7, 12)
    shirt = rng.uniform(140, 255, 3)
    hip, neck = np.array([12., col]), np.array([7., col + rng.normal(0, .7)])
    line(img, hip, neck, shirt)
    for side in (-1, 1):
        line(img, hip, np.array([18., col + side * rng.uniform(1, 3)]), np.array([30., 30., 60.]))
    angle = rng.uniform(-0.75, 0.75) if serve else rng.choice([-1, 1]) * rng.uniform(0.95, 2.4)
    reach = rng.uniform(4, 6)
    line(img, neck, neck + reach * np.array([-np.cos(angle), np.sin(angle)]), np.array([220., 170., 140.]))
    line(img, neck, neck + 4 * np.array([rng.uniform(.3, 1), rng.choice([-1, 1])]), np.array([220., 170., 140.]))
    img += rng.normal(0, 24, img.shape)
    return np.clip(img, 0, 255).astype("uint8")


def clips(n_rally, n_serve):
    """frames as they lie on the disk: folder rally/, then folder serve/"""
    images = [frame(0) for _ in range(n_rally)] + [frame(1) for _ in range(n_serve)]
    return np.stack(images), np.array([0] * n_rally + [1] * n_serve, "float32")


train_x, train_y = clips(600, 600)
val_x, val_y = clips(300, 300)
test_x, test_y = clips(300, 300)

mirror = layers.RandomFlip("horizontal")
light = layers.RandomContrast(0.2)


def augment(x, y):
    return light(mirror(x, training=True), training=True), y


def to_float(x, y):
    return tf.cast(x, tf.float32), y


BATCH = 32
train_ds = (
    tf.data.Dataset.from_tensor_slices((train_x, train_y))
    .map(to_float)
    .cache()
    .shuffle(1200)
    .batch(BATCH)
    .map(augment)
    .prefetch(tf.data.AUTOTUNE)
)
val_ds = tf.data.Dataset.from_tensor_slices((val_x, val_y)).map(to_float).batch(BATCH)
test_ds = tf.data.Dataset.from_tensor_slices((test_x, test_y)).map(to_float).batch(BATCH)

cnn = keras.Sequential([
    keras.Input((S, S, 3)),
    layers.Rescaling(1 / 255),
    layers.Conv2D(12, 3, activation="relu", padding="same", name="conv_a"),
    layers.MaxPooling2D(),
    layers.Conv2D(24, 3, activation="relu", padding="same", name="conv_b"),
    layers.MaxPooling2D(),
    layers.Flatten(),
    layers.Dropout(0.2),
    layers.Dense(32, activation="relu", name="fc"),
    layers.Dense(1, activation="sigmoid", name="serve"),
])
cnn.compile(
    optimizer=keras.optimizers.RMSprop(1e-3),
    loss="binary_crossentropy",
    metrics=[keras.metrics.BinaryAccuracy(name="hit")],
)
cnn.fit(
    train_ds,
    validation_data=val_ds,
    epochs=14,
    callbacks=[keras.callbacks.EarlyStopping("val_hit", mode="max", patience=6, restore_best_weights=True)],
    verbose=2,
)

p = cnn.predict(test_ds, verbose=0)[:, 0]
serve_rate = np.mean((p > 0.5) == test_y)
print("frames right:", serve_rate)
''',
    score="serve_rate",
    bar=0.85,
    base=0.5,
    faults=(
        Fault(cause="softmax_on_single_unit", old='layers.Dense(1, activation="sigmoid", name="serve")',
              new='layers.Dense(1, activation="softmax", name="serve")', layer=("serve",)),
        Fault(cause="shuffle_buffer_too_small", old="    .shuffle(1200)\n", new="    .shuffle(BATCH)\n", accept=("data_sorted",),
              beside=("pipeline_order",)),
        Fault(cause="data_sorted", old="    .cache()\n    .shuffle(1200)\n", new="    .cache()\n", beside=("shuffle_buffer_too_small", "pipeline_order")),
        Fault(cause="inputs_scaled_twice", old="    return tf.cast(x, tf.float32), y\n",
              new="    return tf.image.convert_image_dtype(x, tf.float32), y\n",
              beside=("learning_rate_too_low", "too_few_steps")),
        Fault(cause="learning_rate_too_high", old="RMSprop(1e-3)", new="RMSprop(0.1)",
              beside=("dead_units", "exploding_gradient", "oscillation", "saturated_units")),
        Fault(cause="loss_metric_inconsistent", old='keras.metrics.BinaryAccuracy(name="hit")',
              new='keras.metrics.SparseCategoricalAccuracy(name="hit")', accept=("wrong_metric",), beside=("too_few_steps",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (BELT, SERVE)
