"""Programs behind students' theses: a surrogate of a simulation, kinematics by hand, a latent model, land cover."""

from keras_course.diagnostics.corpus import Fault, Program

SURROGATE = Program(
    name="thesis_heat_exchanger_surrogate",
    odd="the rate rises and falls in triangles, so the loss goes up and down with it",
    source="""
import keras
import numpy as np
import tensorflow as tf
from sklearn.preprocessing import MinMaxScaler

# Chapter 4: surrogate of the shell-and-tube simulation
keras.utils.set_random_seed(SEED)
gen = np.random.default_rng(SEED)

LOW = np.array([720.0, 1800.0, 330.0, 283.0, 5.0, 0.1, 1.0])
HIGH = np.array([10800.0, 21600.0, 420.0, 305.0, 60.0, 1.2, 8.0])


def simulate(p):
    m_hot, m_cold, t_hot, t_cold, area, fouling, passes = p.T
    c_hot, c_cold = 2.1 * m_hot / 3600, 4.18 * m_cold / 3600   # kg/h
    c_min, c_max = np.minimum(c_hot, c_cold), np.maximum(c_hot, c_cold)
    ntu = 0.35 * area * (1 - 0.5 * fouling) * np.sqrt(passes) / c_min / 4
    ratio = c_min / c_max
    e = np.exp(-ntu * (1 - ratio))
    effectiveness = (1 - e) / (1 - ratio * e + 1e-9)
    return effectiveness * c_min * (t_hot - t_cold)


designs = gen.uniform(LOW, HIGH, (3000, 7))
power = simulate(designs) * (1 + gen.normal(0, 0.02, 3000))     # kW

x_scaler = MinMaxScaler((-1, 1)).fit(designs[:2200])
X = x_scaler.transform(designs).astype('float32')
centre, width = power[:2200].mean(), power[:2200].std()
Y = ((power - centre) / width).astype('float32')
X_train, Y_train = X[:2200], Y[:2200]
X_dev, Y_dev = X[2200:2500], Y[2200:2500]
X_test, Y_test = X[2500:], Y[2500:]

surrogate = keras.Sequential([
    keras.layers.Input((7,)),
    keras.layers.Dense(64, activation='gelu', name='hidden1'),
    keras.layers.Dropout(0.1),
    keras.layers.Dense(64, activation='gelu', name='hidden2'),
    keras.layers.Dense(1, name='power'),
])
EPOCHS, BATCH = 44, 50
MIN_LR, MAX_LR, PERIOD = 2e-4, 4e-3, 264
optimizer = keras.optimizers.Adam(MIN_LR)


def triangular(step):
    phase = abs((step % PERIOD) / PERIOD * 2 - 1)
    return MIN_LR + (MAX_LR - MIN_LR) * (1 - phase)


@tf.function
def train_step(x, y):
    with tf.GradientTape() as tape:
        out = surrogate(x, training=True)
        out = tf.squeeze(out, axis=-1)
        loss = tf.reduce_mean(tf.square(y - out))
    grads = tape.gradient(loss, surrogate.trainable_variables)
    grads, _ = tf.clip_by_global_norm(grads, 5.0)
    optimizer.apply_gradients(zip(grads, surrogate.trainable_variables))
    return loss


def estimate(x):
    return surrogate(x, training=False).numpy()[:, 0]


dataset = tf.data.Dataset.from_tensor_slices((X_train, Y_train)).shuffle(2200).batch(BATCH, drop_remainder=True)
step = 0
for epoch in range(EPOCHS):
    losses = []
    for x, y in dataset:
        optimizer.learning_rate.assign(triangular(step))
        losses.append(float(train_step(x, y)))
        step += 1
    if epoch % 6 == 5:
        print(epoch + 1, 'train', np.mean(losses), 'dev', np.mean((estimate(X_dev) - Y_dev) ** 2))

residual = estimate(X_test) - Y_test
r2 = 1 - residual.var() / Y_test.var() - residual.mean() ** 2 / Y_test.var()
print(f'R2 = {r2:.4f}')
""",
    score="max(r2, -1.0)",
    bar=0.93,
    base=0.0,
    faults=(
        Fault(cause="loss_broadcast", old="        out = tf.squeeze(out, axis=-1)\n", new="",
              beside=("input_ignored",)),
        Fault(cause="dropout_mode", old="    return surrogate(x, training=False).numpy()[:, 0]",
              new="    return surrogate(x, training=True).numpy()[:, 0]", certain=True),
        Fault(cause="lr_schedule_wrong", old="MIN_LR, MAX_LR, PERIOD = 2e-4, 4e-3, 264",
              new="MIN_LR, MAX_LR, PERIOD = 1e-8, 4e-3, 2_640_000", accept=("learning_rate_too_low",),
              beside=("too_few_steps",)),
        Fault(cause="inputs_not_scaled", old="X = x_scaler.transform(designs).astype('float32')",
              new="X = designs.astype('float32')", beside=("exploding_gradient", "dead_units", "oscillation")),
        Fault(cause="targets_not_scaled", old="Y = ((power - centre) / width).astype('float32')",
              new="Y = (power * 3600).astype('float32')"),
    ),
    seeds=3,
)  # fmt: skip

ARM = Program(
    name="thesis_arm_kinematics",
    source="""
import math
import numpy as np
import tensorflow as tf

tf.random.set_seed(SEED)
rng = np.random.RandomState(SEED)

# planar arm with three joints: where is the gripper (metres)?
LINKS = [0.45, 0.35, 0.2]
n_train, n_test = 3000, 500
angles = rng.uniform(-1.4, 1.4, size=(n_train + n_test, 3))
total = np.cumsum(angles, axis=1)
gripper = np.stack([np.sum(LINKS * np.cos(total), axis=1), np.sum(LINKS * np.sin(total), axis=1)], axis=1)
gripper = gripper + rng.normal(0, 0.03, gripper.shape)

inputs = tf.constant(angles, tf.float32)
targets = tf.constant(gripper, tf.float32)
x_train, x_test = inputs[:n_train], inputs[n_train:]
t_train, t_test = targets[:n_train], targets[n_train:]


def init(n_in, n_out):
    return tf.Variable(tf.random.normal((n_in, n_out), stddev=1 / math.sqrt(n_in)))


H1, H2 = 40, 40
W1, b1 = init(3, H1), tf.Variable(tf.zeros(H1))
W2, b2 = init(H1, H2), tf.Variable(tf.zeros(H2))
W3, b3 = init(H2, 2), tf.Variable(tf.zeros(2))
theta = [W1, b1, W2, b2, W3, b3]
momenta = [tf.Variable(tf.zeros_like(v), trainable=False) for v in theta]


def forward(x):
    h = tf.tanh(x @ W1 + b1)
    h = tf.tanh(h @ W2 + b2)
    return h @ W3 + b3


alpha, mu = 0.05, 0.9


@tf.function
def update(x, t):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.reduce_sum((forward(x) - t) ** 2, axis=1))
    for v, m, g in zip(theta, momenta, tape.gradient(loss, theta)):
        m.assign(mu * m + g)
        v.assign_sub(alpha * m)
    return loss


batch = 50
for epoch in range(30):
    order = rng.permutation(n_train)
    total_loss = 0.0
    for i in range(0, n_train, batch):
        rows = order[i:i + batch]
        total_loss += float(update(tf.gather(x_train, rows), tf.gather(t_train, rows)))
    if epoch % 5 == 0:
        print('epoch %d: %.5f' % (epoch, total_loss / (n_train / batch)))

error = tf.reduce_sum((forward(x_test) - t_test) ** 2)
spread = tf.reduce_sum((t_test - tf.reduce_mean(t_test, axis=0)) ** 2)
explained = 1 - float(error / spread)
print('explained variance', explained)
""",
    score="max(explained, -1.0)",
    bar=0.97,
    base=0.0,
    faults=(
        Fault(cause="symmetric_or_zero_init",
              old="return tf.Variable(tf.random.normal((n_in, n_out), stddev=1 / math.sqrt(n_in)))",
              new="return tf.Variable(tf.fill((n_in, n_out), 1 / n_in))"),
        Fault(cause="gradient_sign_flipped", old="v.assign_sub(alpha * m)", new="v.assign_add(alpha * m)",
              beside=("exploding_gradient", "saturated_units")),
        Fault(cause="optimiser_not_applied", old="        v.assign_sub(alpha * m)\n",
              new="        v = v - alpha * m\n", beside=("frozen_or_disconnected",)),
        Fault(cause="missing_nonlinearity",
              old="    h = tf.tanh(x @ W1 + b1)\n    h = tf.tanh(h @ W2 + b2)\n",
              new="    h = x @ W1 + b1\n    h = h @ W2 + b2\n", beside=("underfitting_capacity",)),
        Fault(cause="exploding_gradient",
              old="loss = tf.reduce_mean(tf.reduce_sum((forward(x) - t) ** 2, axis=1))",
              new="loss = tf.reduce_sum((forward(x) - t) ** 2)", accept=("learning_rate_too_high",),
              beside=("oscillation", "saturated_units")),
        Fault(cause="saturated_units", old="stddev=1 / math.sqrt(n_in)", new="stddev=12.0",
              accept=("init_scale",), beside=("vanishing_gradient", "exploding_gradient", "oscillation")),
    ),
    seeds=3,
)  # fmt: skip

LATENT = Program(
    name="thesis_vesicle_vae",
    odd="compile gets no loss since a layer adds it, and it rises at first as the weight of its second part is raised",
    source="""
import keras
import numpy as np
from keras import layers, ops

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

GRID = 12
LATENT_DIM = 6


def vesicles(n):
    yy, xx = np.mgrid[0:GRID, 0:GRID]
    cx, cy = rng.uniform(3.5, 7.5, (2, n, 1, 1))
    a, b = rng.uniform(1.5, 4.0, (2, n, 1, 1))
    tilt = rng.uniform(0, np.pi, (n, 1, 1))
    u = (xx - cx) * np.cos(tilt) + (yy - cy) * np.sin(tilt)
    v = -(xx - cx) * np.sin(tilt) + (yy - cy) * np.cos(tilt)
    r = np.sqrt((u / a) ** 2 + (v / b) ** 2)
    return (1 / (1 + np.exp(6 * (r - 1)))).reshape(n, -1).astype('float32')


frames, frames_test = vesicles(2500), vesicles(400)
beta = keras.Variable(0.0, trainable=False, dtype='float32', name='beta')


class Posterior(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(SEED)

    def call(self, inputs, training=None):
        mean, log_var = inputs
        kl = 0.5 * ops.sum(ops.exp(log_var) + mean ** 2 - 1.0 - log_var, axis=-1)
        self.add_loss(beta * ops.mean(kl))
        if not training:
            return mean
        noise = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_var) * noise


class Likelihood(layers.Layer):
    def call(self, inputs):
        target, decoded = inputs
        pixels = ops.softplus(decoded) - target * decoded     # Bernoulli with the decoded logits
        self.add_loss(ops.mean(pixels) * target.shape[-1])
        return decoded


class WarmUp(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        beta.assign(min(1.0, epoch / 8))


image = keras.Input((GRID * GRID,), name='image')
h = layers.Dense(128, activation='relu', name='enc_1')(image)
h = layers.Dense(64, activation='relu', name='enc_2')(h)
mean = layers.Dense(LATENT_DIM, name='z_mean')(h)
log_var = layers.Dense(LATENT_DIM, name='z_log_var')(h)
z = Posterior(name='posterior')([mean, log_var])
h = layers.Dense(64, activation='relu', name='dec_1')(z)
h = layers.Dense(128, activation='relu', name='dec_2')(h)
decoded = layers.Dense(GRID * GRID, name='pixels')(h)
decoded = Likelihood(name='likelihood')([image, decoded])
vae = keras.Model(image, decoded)
vae.compile(optimizer=keras.optimizers.Adam(2e-3))
history = vae.fit(frames, epochs=21, batch_size=50, validation_data=(frames_test, None), callbacks=[WarmUp()], verbose=0)
print(history.history['loss'][::6])

rebuilt = 1 / (1 + np.exp(-vae.predict(frames_test, verbose=0)))
kept = 1 - np.mean((rebuilt - frames_test) ** 2) / np.mean((frames_test - frames.mean(0)) ** 2)
print('variance kept by the code:', kept)
""",
    score="max(kept, -1.0)",
    bar=0.8,
    base=0.0,
    faults=(
        Fault(cause="regularisation_overwhelms", old="self.add_loss(ops.mean(pixels) * target.shape[-1])",
              new="self.add_loss(ops.mean(pixels))", beside=("input_ignored",)),
        Fault(cause="probabilities_to_logits_loss", old="layers.Dense(GRID * GRID, name='pixels')",
              new="layers.Dense(GRID * GRID, activation='sigmoid', name='pixels')", layer=("pixels",),
              beside=("saturated_units", "output_range_cannot_reach_targets")),
        Fault(cause="underfitting_capacity", old="LATENT_DIM = 6\n", new="LATENT_DIM = 1\n",
              layer=("z_mean", "z_log_var")),
        Fault(cause="learning_rate_too_high", old="keras.optimizers.Adam(2e-3)", new="keras.optimizers.Adam(1.0)",
              beside=("dead_units", "exploding_gradient", "oscillation", "input_ignored")),
        Fault(cause="frozen_or_disconnected",
              old="z = Posterior(name='posterior')([mean, log_var])\n",
              new="z = Posterior(name='posterior')([ops.stop_gradient(mean), ops.stop_gradient(log_var)])\n",
              layer=("enc_1", "enc_2", "z_mean", "z_log_var")),
        Fault(cause="output_range_cannot_reach_targets", old="layers.Dense(GRID * GRID, name='pixels')",
              new="layers.Dense(GRID * GRID, activation='relu', name='pixels')", layer=("pixels",),
              accept=("wrong_head_for_labels",), beside=("dead_units",)),
    ),
    seeds=3,
)  # fmt: skip

CANALS = Program(
    name="thesis_canal_mapping",
    source="""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
RNG = np.random.default_rng(SEED)
TILE, BANDS = 16, 4
CLASSES = ('field', 'canal', 'village')


def make_tile():
    mask = np.zeros((TILE, TILE), 'int32')
    row = RNG.uniform(2, 13)
    slope = RNG.uniform(-0.6, 0.6)
    for col in range(TILE):
        r = int(round(row + slope * (col - 8)))
        mask[max(r, 0):max(r + 2, 0), col] = 1
    for _ in range(RNG.integers(1, 4)):
        a, b = RNG.integers(0, TILE - 4, 2)
        h, w = RNG.integers(3, 6, 2)
        mask[a:a + h, b:b + w] = 2
    spectrum = np.array([[0.30, 0.42, 0.25, 0.62], [0.24, 0.34, 0.33, 0.36], [0.37, 0.36, 0.34, 0.44]])
    bands = spectrum[mask] * RNG.uniform(0.85, 1.15) + RNG.normal(0, 0.11, (TILE, TILE, BANDS))
    bands[RNG.random((TILE, TILE)) < 0.004] = np.nan      # gaps of the sensor
    return bands.astype('float32'), mask


def make_split(n):
    tiles, masks = zip(*(make_tile() for _ in range(n)))
    return np.stack(tiles), np.stack(masks)


train_tiles, train_masks = make_split(500)
test_tiles, test_masks = make_split(100)
band_mean, band_std = np.nanmean(train_tiles, (0, 1, 2)), np.nanstd(train_tiles, (0, 1, 2))


def prepare(tiles):
    return np.nan_to_num((tiles - band_mean) / band_std)


train_tiles, test_tiles = prepare(train_tiles), prepare(test_tiles)


def augment(tile, mask):
    if tf.random.uniform(()) < 0.5:
        tile, mask = tile[:, ::-1], mask[:, ::-1]
    if tf.random.uniform(()) < 0.5:
        tile, mask = tile[::-1], mask[::-1]
    return tile, mask


train_ds = tf.data.Dataset.from_tensor_slices((train_tiles, train_masks))
train_ds = train_ds.shuffle(500).map(augment).batch(20).prefetch(1)


def block(x, filters, name):
    x = layers.Conv2D(filters, 3, padding='same', use_bias=False, name=name)(x)
    x = layers.BatchNormalization(momentum=0.9, name=name + '_bn')(x)
    return layers.Activation('relu')(x)


inp = layers.Input((TILE, TILE, BANDS))
fine = block(inp, 16, 'enc1')
x = layers.MaxPooling2D()(fine)
x = block(x, 24, 'enc2')
x = layers.Conv2DTranspose(16, 2, strides=2, name='up')(x)
x = layers.Concatenate()([x, fine])
x = block(x, 16, 'dec')
out = layers.Conv2D(len(CLASSES), 1, name='classes')(x)
segmenter = keras.Model(inp, out, name='segmenter')

opt = keras.optimizers.AdamW(learning_rate=4e-3, weight_decay=1e-4)
params = segmenter.trainable_variables


@tf.function
def step(tiles, masks):
    with tf.GradientTape() as tape:
        logits = segmenter(tiles, training=True)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=masks, logits=logits))
    opt.apply_gradients(zip(tape.gradient(loss, params), params))
    return loss


for epoch in range(14):
    running = [step(tiles, masks).numpy() for tiles, masks in train_ds]
    print('epoch', epoch, 'loss', np.mean(running))

label = segmenter(test_tiles, training=False).numpy().argmax(-1)
ious = []
for c, name in enumerate(CLASSES):
    both = np.sum((label == c) & (test_masks == c))
    ious.append(both / np.sum((label == c) | (test_masks == c)))
    print(name, ious[-1])
miou = float(np.mean(ious))
""",
    score="miou",
    bar=0.8,
    base=0.22,
    faults=(
        Fault(cause="label_noise",
              old="    if tf.random.uniform(()) < 0.5:\n        tile, mask = tile[:, ::-1], mask[:, ::-1]\n"
              "    if tf.random.uniform(()) < 0.5:\n        tile, mask = tile[::-1], mask[::-1]\n",
              new="    tile = tf.image.random_flip_left_right(tile)\n"
              "    tile = tf.image.random_flip_up_down(tile)\n",
              accept=("labels_shuffled_apart",)),
        Fault(cause="missing_class", old="train_tiles, train_masks = make_split(500)\n",
              new="train_tiles, train_masks = make_split(500)\ntrain_masks = np.minimum(train_masks, 1)\n",
              beside=("label_noise", "label_encoding", "train_val_preprocessing_mismatch")),
        Fault(cause="nan_or_inf_in_data", old="return np.nan_to_num((tiles - band_mean) / band_std)",
              new="return (tiles - band_mean) / band_std"),
        Fault(cause="train_val_preprocessing_mismatch",
              old="train_tiles, test_tiles = prepare(train_tiles), prepare(test_tiles)",
              new="train_tiles, test_tiles = prepare(train_tiles), np.nan_to_num(test_tiles)"),
        Fault(cause="frozen_or_disconnected", old="params = segmenter.trainable_variables",
              new="params = segmenter.get_layer('classes').trainable_variables",
              layer=("enc1", "enc2", "up", "dec")),
        Fault(cause="learning_rate_too_low", old="learning_rate=4e-3", new="learning_rate=4e-6",
              beside=("too_few_steps",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (SURROGATE, ARM, LATENT, CANALS)
