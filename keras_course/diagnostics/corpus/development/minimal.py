"""Minimal reproductions as people post them with a question: clicks of dolphins, and erased glyphs."""

from keras_course.diagnostics.corpus import Fault, Program

CLICKS = Program(
    name="minimal_click_trains",
    source='''
import numpy as np
import tensorflow as tf
import keras
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
K, T = 6, 96

# int16 snippets like in my wav files: every species has its own interval and pitch
def snippet(k):
    t = np.arange(T)
    gap, pitch = [7, 7, 12, 12, 18, 18][k], [0.9, 1.9][k % 2]
    start = rng.integers(0, gap)
    env = np.exp(-((t - start) % gap) / 2.2)
    wave = env * np.sin(pitch * ((t - start) % gap)) * rng.uniform(0.5, 1.2) + rng.normal(0, 0.2, T)
    return np.clip(9000 * wave, -32768, 32767).astype(np.int16)

y_tr = np.repeat(np.arange(K), 250)
y_te = rng.integers(0, K, 400)
x_tr = np.stack([snippet(k) for k in y_tr])
x_te = np.stack([snippet(k) for k in y_te])

def prep(a):
    return (a / 9000.0).astype("float32")[..., None]

x_tr, x_te = prep(x_tr), prep(x_te)

net = keras.Sequential([
    keras.Input((T, 1)),
    layers.Conv1D(16, 5, activation="relu", padding="same"),
    layers.MaxPooling1D(2),
    layers.Conv1D(24, 5, activation="relu", padding="same"),
    layers.MaxPooling1D(4),
    layers.Conv1D(32, 5, activation="relu", padding="same"),
    layers.GlobalAveragePooling1D(),
    layers.Dropout(0.1),
    layers.Dense(K),
])
EPOCHS = 16
opt = keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 47 * EPOCHS), momentum=0.9)
ce = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

@tf.function
def step(xb, yb):
    with tf.GradientTape() as tape:
        out = net(xb, training=True)
        loss = ce(yb, out)
    opt.apply(tape.gradient(loss, net.trainable_variables), net.trainable_variables)
    return loss

for epoch in range(EPOCHS):
    idx = rng.permutation(len(x_tr))
    losses = [float(step(x_tr[i], y_tr[i])) for i in np.array_split(idx, 47)]
    print(epoch, np.mean(losses))

z = net(x_te, training=False).numpy()
logp = z - np.log(np.exp(z - z.max(1, keepdims=True)).sum(1, keepdims=True)) - z.max(1, keepdims=True)
nll = -logp[np.arange(len(y_te)), y_te].mean()
print("nll", nll, "of", np.log(K), "acc", np.mean(z.argmax(1) == y_te))
''',
    score="max(1 - float(nll) / np.log(6), -1.0) if np.isfinite(nll) else -1.0",
    bar=0.8,
    base=0.0,
    faults=(
        Fault(cause="logits_to_probability_loss", old="SparseCategoricalCrossentropy(from_logits=True)",
              new="SparseCategoricalCrossentropy()"),
        Fault(cause="data_sorted", old="idx = rng.permutation(len(x_tr))", new="idx = np.arange(len(x_tr))",
              beside=("pipeline_order", "oscillation")),
        Fault(cause="class_imbalance", old="np.repeat(np.arange(K), 250)", new="np.repeat(np.arange(K), [1440, 12, 12, 12, 12, 12])"),
        Fault(cause="inputs_scaled_twice", old="    return np.clip(9000 * wave, -32768, 32767).astype(np.int16)",
              new="    return np.clip(9000 * wave, -32768, 32767) / 32768.0"),
        Fault(cause="oscillation", old="keras.optimizers.schedules.CosineDecay(0.1, 47 * EPOCHS), momentum=0.9", new="0.04, momentum=0.99",
              accept=("learning_rate_too_high",), beside=("dead_units",)),
    ),
    seeds=3,
)  # fmt: skip

GLYPHS = Program(
    name="minimal_glyph_denoiser",
    source='''
import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(SEED)
rs = np.random.RandomState(SEED)

def glyph():
    g = np.zeros((12, 12), "float32")
    for _ in range(3):
        a = rs.randint(1, 11, 2)
        if rs.rand() < 0.5:
            g[a[0], min(a[1], 5):min(a[1], 5) + 6] = 1
        else:
            g[min(a[0], 5):min(a[0], 5) + 6, a[1]] = 1
    return g

clean = np.stack([glyph() for _ in range(1500)])[..., None]
train, val = clean[:1200], clean[1200:]
NOISE = 0.5

class Denoiser(keras.Model):
    def __init__(self, width):
        super().__init__()
        self.c1 = keras.layers.Conv2D(width, 5, padding="same", activation="relu", name="c1")
        self.c2 = keras.layers.Conv2D(width, 5, padding="same", activation="relu", name="c2")
        self.drop = keras.layers.Dropout(0.45)
        self.out = keras.layers.Conv2D(1, 3, padding="same", name="out")

    def call(self, x, training=False):
        h = self.c1(self.drop(x, training=training))
        return self.out(self.c2(h))

    def train_step(self, data):
        with tf.GradientTape() as tape:
            noisy = data + tf.random.normal(tf.shape(data), stddev=NOISE)
            z = self(noisy, training=True)
            loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=data, logits=z))
        grads = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(grads, self.trainable_variables)
        return {"bce": loss}

model = Denoiser(20)
model.compile(optimizer=keras.optimizers.Adam(3e-3))
h = model.fit(train, epochs=12, batch_size=40, verbose=0)
print(h.history["bce"])

val_noisy = val + rs.normal(0, 0.5, val.shape).astype("float32")
p = tf.sigmoid(model.predict(val_noisy, verbose=0)).numpy()
gain = 1 - np.mean((p - val) ** 2) / np.mean((val.mean() - val) ** 2)
print("gain over the mean grey:", gain)
''',
    score="max(float(gain), -1.0) if np.isfinite(gain) else -1.0",
    bar=0.6,
    base=0.0,
    odd="Nearly half of the noisy pixels are dropped in training.",
    faults=(
        Fault(cause="inputs_drowned_in_noise", old="NOISE = 0.5", new="NOISE = 5.0",
              beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="probabilities_to_logits_loss", old='Conv2D(1, 3, padding="same", name="out")',
              new='Conv2D(1, 3, padding="same", activation="sigmoid", name="out")', layer=("out",)),
        Fault(cause="underfitting_capacity", old="model = Denoiser(20)", new="model = Denoiser(1)", beside=("dead_units",)),
        Fault(cause="gradient_sign_flipped", old="loss = tf.reduce_mean(tf.nn.sig", new="loss = -tf.reduce_mean(tf.nn.sig"),
        Fault(cause="frozen_or_disconnected", old="return self.out(self.c2(h))", new="return self.out(tf.stop_gradient(self.c2(h)))",
              layer=("c1", "c2")),
        Fault(cause="symmetric_or_zero_init", old='activation="relu", name="c2"', new='activation="relu", '
              'kernel_initializer="zeros", name="c2"', layer=("c2",), accept=("dead_units",),
              beside=("frozen_or_disconnected", "input_ignored")),
        Fault(cause="dropout_mode", old="self.drop(x, training=training)", new="self.drop(x, training=True)",
              beside=("inputs_drowned_in_noise",)),
        Fault(cause="optimiser_not_applied", old="        self.optimizer.apply(grads, self.trainable_variables)\n", new="",
              beside=("frozen_or_disconnected",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (CLICKS, GLYPHS)
