"""Training loops of one's own: solubility, phonemes, a gas leak and plankton."""

from keras_course.diagnostics.corpus import Fault, Program

SOLUBILITY = Program(
    name="ownloop_solubility_of_molecules",
    source="""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

# fingerprints of molecules (bits) and a few descriptors -> log10 of the solubility
n, bits = 1400, 64
fingerprint = (rng.random((n, bits)) < rng.beta(1, 4, bits)).astype('float32')
log_p = rng.normal(2, 1.4, n)
rings = rng.poisson(1.6, n)
polar_area = rng.gamma(4, 18, n)
effect = rng.normal(0, 0.35, bits) * (rng.random(bits) < 0.4)
log_s = (
    -2.6
    - 0.5 * np.abs(log_p - 0.5) ** 1.4
    - 1.1 * np.sin(polar_area / 25)
    + fingerprint @ effect
    - 0.5 * np.maximum(rings - 1, 0)
    + rng.normal(0, 0.3, n)
)
mol_per_l = 10 ** log_s
mol_per_l[log_s < -6.5] = 0.0          # below the limit of detection

target = np.log10(np.maximum(mol_per_l, 10 ** -6.5))
descriptors = np.column_stack([log_p, rings, polar_area])
descriptors = (descriptors - descriptors.mean(0)) / descriptors.std(0)
x = np.column_stack([descriptors, fingerprint]).astype('float32')
y = target.astype('float32')[:, None]

order = rng.permutation(n)
train, test = order[:1000], order[1000:]
true_solubility = np.maximum(log_s[test], -6.5)

net = keras.Sequential([
    keras.Input((x.shape[1],)),
    layers.Dense(64, activation='relu', name='first'),
    layers.Dense(32, activation='relu', name='second'),
    layers.Dense(1, name='log_s'),
])
optimizer = keras.optimizers.SGD(learning_rate=0.01, momentum=0.9)

BATCH_SIZE, STEPS = 32, 900
for step in range(STEPS):
    rows = rng.choice(train, BATCH_SIZE)
    with tf.GradientTape() as tape:
        prediction = net(x[rows], training=True)
        loss = tf.reduce_mean(tf.square(prediction - y[rows]))
    gradients = tape.gradient(loss, net.trainable_variables)
    optimizer.apply_gradients(zip(gradients, net.trainable_variables))
    if step % 50 == 0:
        print(step, float(loss))

predicted = net(x[test]).numpy().ravel()
q2 = 1 - np.mean((predicted - true_solubility) ** 2) / np.var(true_solubility)
print('Q2', q2)
""",
    score="max(q2, -1.0) if np.isfinite(q2) else -1.0",
    bar=0.55,
    base=0.0,
    faults=(
        Fault(cause="loss_broadcast", old="y = target.astype('float32')[:, None]", new="y = target.astype('float32')"),
        Fault(cause="gradient_sign_flipped", old="loss = tf.reduce_mean(tf.square(prediction - y[rows]))",
              new="loss = -tf.reduce_mean(tf.square(prediction - y[rows]))"),
        Fault(cause="overfitting", old="train, test = order[:1000], order[1000:]",
              new="train, test = order[:45], order[1000:]"),
        Fault(cause="nan_or_inf_in_data", old="np.log10(np.maximum(mol_per_l, 10 ** -6.5))", new="np.log10(mol_per_l)"),
        Fault(cause="output_range_cannot_reach_targets", old="layers.Dense(1, name='log_s')",
              new="layers.Dense(1, activation='relu', name='log_s')", layer=("log_s",)),
        Fault(cause="oscillation", old="learning_rate=0.01, momentum=0.9", new="learning_rate=0.03, momentum=0.98",
              accept=("learning_rate_too_high",)),
        Fault(cause="leakage_feature", old="descriptors = np.column_stack([log_p, rings, polar_area])",
              new="descriptors = np.column_stack([log_p, rings, polar_area, np.log10(mol_per_l + 1e-7)])", certain=True),
    ),
    seeds=3,
)  # fmt: skip

PHONEMES = Program(
    name="ownloop_phoneme_frames",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow.keras import Model, layers, losses, metrics, optimizers, utils

utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

PHONES = ['ay', 'aw', 'iy', 'ey', 'uw', 'ow', 'm', 'n', 's', 'sh']
COEFFICIENTS, CONTEXT = 13, 3
templates = np.repeat(rng.normal(0, 7, (len(PHONES) // 2, COEFFICIENTS)), 2, axis=0) - np.arange(COEFFICIENTS) * 1.5
glides = rng.normal(0, 7, (len(PHONES), COEFFICIENTS))


def frames(phone, count):
    speaker = rng.normal(0, 5, (count, 1, COEFFICIENTS))
    time = np.linspace(-1, 1, CONTEXT)[None, :, None]
    mfcc = templates[phone] + speaker + time * glides[phone] * rng.choice([-1, 1], (count, 1, 1))
    return (mfcc + rng.normal(0, 10.5, mfcc.shape)).reshape(count, -1).astype('float32')


def corpus(count):
    x = np.concatenate([frames(k, count) for k in range(len(PHONES))])
    return x, np.repeat(np.arange(len(PHONES)), count)


x_train, y_train = corpus(260)
x_test, y_test = corpus(100)


class FrameNet(Model):
    def __init__(self):
        super().__init__()
        self.norm = layers.BatchNormalization(momentum=0.9, name='input_norm')
        self.fc1 = layers.Dense(64, activation='relu', name='fc1')
        self.drop = layers.Dropout(0.7)
        self.fc2 = layers.Dense(64, activation='relu', name='fc2')
        self.out = layers.Dense(len(PHONES), name='phone')

    def call(self, x, training=False):
        h = self.fc1(self.norm(x, training=training))
        h = self.drop(h, training=training)
        h = self.fc2(h)
        return self.out(h)


class WarmUp(optimizers.schedules.LearningRateSchedule):
    def __init__(self, peak, steps):
        self.peak, self.steps = peak, steps

    def __call__(self, step):
        return self.peak * tf.minimum(1.0, (tf.cast(step, tf.float32) + 1) / self.steps)

    def get_config(self):
        return {'peak': self.peak, 'steps': self.steps}


EPOCHS = 26
dataset = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(len(x_train)).batch(64)
model = FrameNet()
optimizer = optimizers.Adam(WarmUp(2e-3, steps=100))
criterion = losses.SparseCategoricalCrossentropy(from_logits=True)
running = metrics.Mean()


@tf.function
def train_step(features, labels):
    with tf.GradientTape() as tape:
        logits = model(features, training=True)
        loss = criterion(labels, logits)
    grads = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(grads, model.trainable_variables))
    running.update_state(loss)


@tf.function
def scores(features):
    return model(features, training=False)


for epoch in range(EPOCHS):
    running.reset_state()
    for features, labels in dataset:
        train_step(features, labels)
    print(epoch, float(running.result()))

frame_accuracy = float(np.mean([
    np.mean(scores(x_test[y_test == k]).numpy().argmax(1) == k) for k in range(len(PHONES))
]))
print('frame accuracy', frame_accuracy)
""",
    score="frame_accuracy",
    bar=0.55,
    base=0.1,
    odd="warm-up, dropout of 0.7, and a batch normalisation that scales raw inputs",
    faults=(
        Fault(cause="batchnorm_mode", old="return model(features, training=False)",
              new="return model(features, training=True)", accept=("dropout_mode",), layer=("input_norm",)),
        Fault(cause="dropout_mode", old="h = self.drop(h, training=training)", new="h = self.drop(h, training=True)"),
        Fault(cause="lr_schedule_wrong", old="WarmUp(2e-3, steps=100)", new="WarmUp(2e-3, steps=100_000)",
              beside=("learning_rate_too_low",)),
        Fault(cause="optimiser_not_applied", old="    optimizer.apply_gradients(zip(grads, model.trainable_variables))\n",
              new=""),
        Fault(cause="underfitting_capacity", old="layers.Dense(64, activation='relu', name='fc1')",
              new="layers.Dense(3, activation='relu', name='fc1')", layer=("fc1",)),
        Fault(cause="frozen_or_disconnected", old="return self.out(h)", new="return self.out(tf.stop_gradient(h))",
              layer=("input_norm", "fc1", "fc2")),
    ),
    seeds=3,
)  # fmt: skip

LEAK = Program(
    name="ownloop_gas_leak_raw_variables",
    source="""
import numpy as np
import tensorflow as tf
from sklearn.model_selection import train_test_split

np.random.seed(SEED)
tf.random.set_seed(SEED)

# eight metal oxide sensors of an electronic chamber; does a mixture hold the dangerous gas?
N = 1600
methane = np.random.gamma(2.0, 1.0, N)
ethanol = np.random.gamma(2.0, 1.0, N)
humidity = np.random.uniform(0.2, 0.9, N)
response = np.random.normal(0, 1, (3, 8))
signal = np.tanh(np.stack([np.log1p(methane), np.log1p(ethanol), humidity], axis=1) @ response)
signal = signal + np.random.normal(0, 0.02, signal.shape)
leak = (np.abs(np.log1p(methane) - np.log1p(ethanol)) > 0.5) ^ (humidity > 0.75)
leak = leak ^ (np.random.rand(N) < 0.02)

X = ((signal - signal.mean(0)) / signal.std(0)).astype(np.float32)
Y = leak.astype(np.float32).reshape(-1, 1)
X_tr, X_te, Y_tr, Y_te = train_test_split(X, Y, test_size=0.3, random_state=SEED)
truth = Y_te.reshape(-1) > 0.5

sizes = [8, 32, 32, 16, 1]


def init(fan_in, fan_out):
    return tf.random.normal([fan_in, fan_out], stddev=1.0 / np.sqrt(fan_in))


weights = [tf.Variable(init(a, b), name='W%d' % k) for k, (a, b) in enumerate(zip(sizes[:-1], sizes[1:]))]
biases = [tf.Variable(tf.zeros([b]), name='b%d' % k) for k, b in enumerate(sizes[1:])]
params = weights + biases


def forward(x):
    h = x
    for W, b in zip(weights[:-1], biases[:-1]):
        h = tf.tanh(tf.matmul(h, W) + b)
    z = tf.matmul(h, weights[-1]) + biases[-1]
    return z


def cost(z, y):
    # cross-entropy of sigmoid(z), written so that it does not overflow
    return tf.reduce_mean(tf.nn.softplus(z) - y * z)


@tf.function
def train_step(x, y, lr):
    with tf.GradientTape() as tape:
        loss = cost(forward(x), y)
    grads = tape.gradient(loss, params)
    for v, g in zip(params, grads):
        v.assign_sub(lr * g)
    return loss


learning_rate = tf.constant(0.2)
for epoch in range(80):
    perm = np.random.permutation(len(X_tr))
    for start in range(0, len(X_tr), 40):
        batch = perm[start:start + 40]
        loss = train_step(tf.constant(X_tr[batch]), tf.constant(Y_tr[batch]), learning_rate)
    if epoch % 10 == 0:
        print('epoch', epoch, 'loss', loss.numpy())

alarm = forward(X_te).numpy().reshape(-1) > 0
detection = (np.mean(alarm[truth]) + np.mean(~alarm[~truth])) / 2
print('balanced accuracy', detection)
""",
    score="detection",
    bar=0.75,
    base=0.5,
    faults=(
        Fault(cause="init_scale", old="stddev=1.0 / np.sqrt(fan_in)", new="stddev=0.01", accept=("vanishing_gradient",),
              ),
        Fault(cause="saturated_units", old="stddev=1.0 / np.sqrt(fan_in)", new="stddev=25.0 / np.sqrt(fan_in)",
              accept=("init_scale",)),
        Fault(cause="symmetric_or_zero_init", old="return tf.random.normal([fan_in, fan_out], stddev=1.0 / np.sqrt(fan_in))",
              new="return tf.zeros([fan_in, fan_out])", beside=("init_scale", "frozen_or_disconnected")),
        Fault(cause="gradient_sign_flipped", old="v.assign_sub(lr * g)", new="v.assign_add(lr * g)"),
        Fault(cause="missing_nonlinearity", old="h = tf.tanh(tf.matmul(h, W) + b)", new="h = tf.matmul(h, W) + b"),
        Fault(cause="optimiser_not_applied", old="v.assign_sub(lr * g)", new="v = v - lr * g"),
        Fault(cause="probabilities_to_logits_loss", old="    return z\n", new="    return tf.sigmoid(z)\n"),
        Fault(cause="loss_broadcast", old="tf.constant(Y_tr[batch])", new="tf.constant(Y_tr[batch, 0])"),
    ),
    seeds=3,
)  # fmt: skip

PLANKTON = Program(
    name="ownloop_plankton_train_step",
    source="""
import numpy as np
import tensorflow as tf
import keras
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

SIZE = 16
SPECIES = ['ceratium', 'copepod', 'diatom', 'noctiluca', 'rotifer']
yy, xx = np.mgrid[:SIZE, :SIZE] - 7.5


def scan(kind):
    angle, a, b = rng.uniform(0, np.pi), rng.uniform(-2, 2), rng.uniform(-2, 2)
    u = (xx - a) * np.cos(angle) + (yy - b) * np.sin(angle)
    v = -(xx - a) * np.sin(angle) + (yy - b) * np.cos(angle)
    r = np.hypot(u, v)
    body = {
        'ceratium': (np.abs(v) < 0.9) & (np.abs(u) < 6) | (np.abs(u) < 0.9) & (v > 0) & (v < 6),
        'copepod': (u / 5) ** 2 + (v / 2.2) ** 2 < 1,
        'diatom': (np.abs(u) < 6.5) & (np.abs(v) < 1.0),
        'noctiluca': (r < 4.5) & (r > 3.2),
        'rotifer': r < rng.uniform(2.4, 3.4),
    }[kind]
    exposure = rng.lognormal(0, 0.5)
    return np.clip(exposure * (25 + 70 * body * rng.uniform(0.6, 1.2)) + rng.normal(0, 9, body.shape), 0, 255)


def load(folder, per_species):
    files = [f'{folder}/{kind}/{i:04d}.png' for kind in SPECIES for i in range(per_species)]
    pixels = np.stack([scan(f.split('/')[1]) for f in files])
    names = [f.split('/')[1] for f in files]
    return pixels[..., None], names


train_pixels, train_names = load('train', 220)
test_pixels, test_names = load('test', 100)
index = {name: k for k, name in enumerate(sorted(set(train_names)))}
train_labels = keras.utils.to_categorical([index[name] for name in train_names], len(SPECIES))
test_labels = keras.utils.to_categorical([SPECIES.index(name) for name in np.repeat(SPECIES, 100)], len(SPECIES))


def as_float(pixels):
    return (pixels / 255.0).astype('float32')


xs = tf.data.Dataset.from_tensor_slices(as_float(train_pixels))
ys = tf.data.Dataset.from_tensor_slices(train_labels)
train = tf.data.Dataset.zip((xs, ys)).shuffle(2000).batch(8).prefetch(2)
test = tf.data.Dataset.from_tensor_slices((as_float(test_pixels), test_labels)).batch(100)


class Sorter(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.body = keras.Sequential([
            layers.Conv2D(12, 3, activation='relu', name='conv1'),
            layers.MaxPooling2D(),
            layers.Conv2D(24, 3, activation='relu', name='conv2'),
            layers.MaxPooling2D(),
            layers.Flatten(),
        ])
        self.head = keras.Sequential([layers.Dense(32, activation='relu', name='fc'), layers.Dense(5, name='species')])

    def call(self, images):
        return self.head(self.body(images))

    def train_step(self, data):
        images, labels = data
        with tf.GradientTape() as tape:
            logits = self(images, training=True)
            loss = self.compute_loss(x=images, y=labels, y_pred=logits)
        variables = self.trainable_variables
        gradients = tape.gradient(loss, variables)
        gradients, _ = tf.clip_by_global_norm(gradients, 0.5)
        self.optimizer.apply_gradients(zip(gradients, variables))
        for metric in self.metrics:
            if metric.name == 'loss':
                metric.update_state(loss)
            else:
                metric.update_state(labels, logits)
        return {m.name: m.result() for m in self.metrics}


sorter = Sorter()
sorter.compile(
    optimizer=keras.optimizers.SGD(0.08, momentum=0.9),
    loss=keras.losses.CategoricalCrossentropy(from_logits=True),
    metrics=[keras.metrics.CategoricalAccuracy(name='accuracy')],
)
sorter.fit(train, epochs=14, verbose=2)
result = sorter.evaluate(test, return_dict=True, verbose=0)
print(result)
""",
    score="result['accuracy']",
    bar=0.7,
    base=0.2,
    odd="batches of 8, a high rate held in check by clipping the gradient",
    faults=(
        Fault(cause="learning_rate_too_high", old="gradients, _ = tf.clip_by_global_norm(gradients, 0.5)",
              new="gradients, _ = tf.clip_by_global_norm(gradients, 50.0)", beside=("dead_units", "exploding_gradient")),
        Fault(cause="labels_shuffled_apart", old="tf.data.Dataset.zip((xs, ys)).shuffle(2000)",
              new="tf.data.Dataset.zip((xs.shuffle(2000), ys.shuffle(2000)))", beside=("label_noise",)),
        Fault(cause="frozen_or_disconnected", old="variables = self.trainable_variables",
              new="variables = self.body.trainable_variables", layer=("fc", "species")),
        Fault(cause="loss_metric_inconsistent", old="keras.metrics.CategoricalAccuracy(name='accuracy')",
              new="keras.metrics.Accuracy(name='accuracy')", accept=("wrong_metric",)),
        Fault(cause="data_sorted", old="zip((xs, ys)).shuffle(2000)", new="zip((xs, ys))",
              beside=("shuffle_buffer_too_small", "pipeline_order")),
        Fault(cause="pipeline_order", old=".shuffle(2000).batch(8)", new=".batch(8).shuffle(2000)", accept=("data_sorted",)),
        Fault(cause="shuffle_buffer_too_small", old=".shuffle(2000)", new=".shuffle(32)", beside=("data_sorted",)),
        Fault(cause="inputs_scaled_twice", old="self.head(self.body(images))", new="self.head(self.body(images / 255))"),
        Fault(cause="constant_labels", old="names = [f.split('/')[1] for f in files]",
              new="names = [f.split('/')[0] for f in files]", tag="folder", beside=("missing_class", "label_encoding")),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (SOLUBILITY, PHONEMES, LEAK, PLANKTON)
