"""Scripts from an engineering office that write TensorFlow by hand: variables, tapes and loops."""

from keras_course.diagnostics.corpus import Fault, Program

STARS = Program(
    name="office_stars_variables",
    source="""
import math

import numpy as np
import tensorflow as tf
from sklearn.metrics import classification_report

tf.random.set_seed(SEED)
rng = np.random.default_rng(SEED)

# dwarfs, main sequence, giants, supergiants: temperature, luminosity, colour index, parallax
KINDS = ['white dwarf', 'main sequence', 'giant', 'supergiant']
rows, kinds = [], []
for k in range(4):
    for _ in range(350):
        teff = rng.uniform(*[(7000, 25000), (3000, 20000), (3300, 6500), (3500, 20000)][k])
        base = [-2.5, 6.2 * math.log10(teff / 5800), 1.9, 4.3][k]
        lum = base + rng.normal(0, 0.5)
        colour = 4600 * (1 / (0.92 * teff + 1500) + 1 / (0.92 * teff + 600)) - 0.3 + rng.normal(0, 0.1)
        rows.append([math.log10(teff), lum, colour, rng.lognormal(1, 0.5)])
        kinds.append(k)
rows, kinds = np.array(rows), np.array(kinds)

hold = rng.random(len(rows)) < 0.25
mean, std = rows[~hold].mean(0), rows[~hold].std(0)
stars = ((rows - mean) / std).astype(np.float32)
train_x, train_y = stars[~hold], kinds[~hold]
test_x, test_y = stars[hold], kinds[hold]

HIDDEN = 32


def weights(n_in, n_out):
    return tf.Variable(tf.random.normal([n_in, n_out], stddev=math.sqrt(2 / n_in)))


W1, b1 = weights(4, HIDDEN), tf.Variable(tf.zeros([HIDDEN]))
W2, b2 = weights(HIDDEN, HIDDEN), tf.Variable(tf.zeros([HIDDEN]))
W3, b3 = weights(HIDDEN, 4), tf.Variable(tf.zeros([4]))
params = [W1, b1, W2, b2, W3, b3]


def forward(x):
    h = tf.nn.relu(x @ W1 + b1)
    h = tf.nn.relu(h @ W2 + b2)
    return h @ W3 + b3


@tf.function
def train_step(x, y, lr):
    with tf.GradientTape() as tape:
        logits = forward(x)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
    grads = tape.gradient(loss, params)
    for p, dp in zip(params, grads):
        p.assign_sub(lr * dp)
    return loss


for epoch in range(30):
    order = rng.permutation(len(train_x))
    losses = []
    for i in range(0, len(order), 25):
        pick = order[i:i + 25]
        losses.append(train_step(tf.constant(train_x[pick]), tf.constant(train_y[pick]), tf.constant(0.1)).numpy())
    if epoch % 10 == 0:
        print(epoch, np.mean(losses))

pred = tf.argmax(forward(test_x), axis=1).numpy()
print(classification_report(test_y, pred, target_names=KINDS, zero_division=0))
accuracy = np.mean(pred == test_y)
""",
    score="accuracy",
    bar=0.9,
    base=0.25,
    faults=(
        Fault(cause="symmetric_or_zero_init",
              old="return tf.Variable(tf.random.normal([n_in, n_out], stddev=math.sqrt(2 / n_in)))",
              new="return tf.Variable(tf.zeros([n_in, n_out]))",
              beside=("init_scale", "dead_units", "input_ignored", "vanishing_gradient")),
        Fault(cause="init_scale", old="stddev=math.sqrt(2 / n_in)", new="stddev=n_in * 4",
              beside=("exploding_gradient", "dead_units", "learning_rate_too_high")),
        Fault(cause="optimiser_not_applied", old="        p.assign_sub(lr * dp)\n", new="        p = p - lr * dp\n",
              beside=("frozen_or_disconnected",)),
        Fault(cause="gradient_sign_flipped", old="        p.assign_sub(lr * dp)\n",
              new="        p.assign_add(lr * dp)\n", beside=("exploding_gradient",)),
        Fault(cause="nan_or_inf_in_data", old="(rows - mean) / std)", new="(np.log(rows) - mean) / std)"),
    ),
    seeds=3,
)  # fmt: skip

MOTOR = Program(
    name="office_motor_losses_loop",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow import keras

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

N = 1600
torque = rng.uniform(5, 200, N)
rpm = rng.uniform(200, 6000, N)
winding = rng.uniform(20, 140, N)
volt = rng.choice([48, 96, 400], N)
copper = 0.012 * torque ** 2 * (1 + 0.004 * (winding - 20))
iron = 1.1e-5 * rpm ** 2 + 0.02 * rpm
inverter = 0.06 * torque * np.sqrt(rpm) * (volt == 48) + 0.01 * rpm * (volt == 400)
watt = copper + iron + inverter + rng.normal(0, 15, N)

X = np.column_stack([torque, rpm, winding, volt == 48, volt == 96, volt == 400]).astype('float32')
X[:, :3] = (X[:, :3] - X[:1200, :3].mean(0)) / X[:1200, :3].std(0)
m, s = watt[:1200].mean(), watt[:1200].std()
Y = ((watt - m) / s).astype('float32')

train = tf.data.Dataset.from_tensor_slices((X[:1200], Y[:1200])).shuffle(1200).batch(30)
test = tf.data.Dataset.from_tensor_slices((X[1200:], Y[1200:])).batch(1)

inp = keras.Input((6,))
h = keras.layers.Dense(64, use_bias=False, name='d1')(inp)
h = keras.layers.BatchNormalization(momentum=0.9, name='bn1')(h)
h = keras.layers.Activation('relu')(h)
h = keras.layers.Dense(64, activation='relu', name='d2')(h)
h = keras.layers.Dropout(0.05, name='drop')(h)
out = keras.layers.Dense(1, name='watt')(h)
model = keras.Model(inp, out)

EPOCHS = 20
warm = keras.optimizers.schedules.CosineDecay(0.0, decay_steps=EPOCHS * 40, warmup_target=5e-3, warmup_steps=80)
opt = keras.optimizers.Adam(warm)
mse = keras.losses.MeanSquaredError()


@tf.function
def step(xb, yb):
    with tf.GradientTape() as tape:
        yhat = model(xb, training=True)
        loss = mse(yb, tf.squeeze(yhat, axis=-1))
    opt.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
    return loss


for epoch in range(EPOCHS):
    total = keras.metrics.Mean()
    for xb, yb in train:
        total.update_state(step(xb, yb))
    if epoch % 5 == 4:
        print('epoch', epoch + 1, 'mse', float(total.result()))


@tf.function
def infer(x):
    return model(x, training=False)


yhat = np.concatenate([infer(xb).numpy().ravel() for xb, _ in test])
r2 = 1 - np.mean((yhat - Y[1200:]) ** 2) / np.var(Y[1200:])
print('R2', r2)
""",
    score="r2",
    bar=0.93,
    base=0.0,
    faults=(
        Fault(cause="batchnorm_mode", old="    return model(x, training=False)",
              new="    return model(x, training=True)",
              accept=("dropout_mode",), beside=("input_ignored",)),
        Fault(cause="loss_broadcast", old="loss = mse(yb, tf.squeeze(yhat, axis=-1))",
              new="loss = tf.reduce_mean(tf.square(yb - yhat))"),
        Fault(cause="targets_not_scaled", old="m, s = watt[:1200].mean(), watt[:1200].std()", new="m, s = 0.0, 1e-3"),
        Fault(cause="frozen_or_disconnected",
              old="zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables)",
              new="zip(tape.gradient(loss, model.trainable_variables[-1:]), model.trainable_variables[-1:])",
              beside=("optimiser_not_applied",)),
        Fault(cause="lr_schedule_wrong", old="warmup_steps=80)", new="warmup_steps=80 * len(X) * EPOCHS)",
              beside=("learning_rate_too_low",)),
        Fault(cause="nan_or_inf_in_data", old="Y = ((watt - m) / s).astype('float32')",
              new="Y = ((np.log(watt - 300) - np.log(m)) / 2).astype('float32')"),
    ),
    seeds=3,
)  # fmt: skip

LATCH = Program(
    name="office_recurrence_by_hand",
    source="""
import numpy as np
import tensorflow as tf

SEQ, UNITS, BATCH = 16, 24, 40
tf.random.set_seed(SEED)
np.random.seed(SEED)


def plant_logs(n):
    # a tank: inflow pulses, a leak, and whether it stands above the mark when the shift ends
    pulse = np.random.choice([-1.0, 0.0, 1.0], (n, SEQ), p=[0.3, 0.3, 0.4])
    temp = np.random.randn(n, SEQ)
    tank = np.zeros(n)
    for t in range(SEQ):
        tank = np.maximum(0.95 * tank + pulse[:, t] * (1 + 0.3 * temp[:, t]), -3)
    return np.stack([pulse, temp], -1).astype('float32'), (tank > 1.0).astype('float32')


x_train, y_train = plant_logs(2000)
x_test, y_test = plant_logs(500)
print('share above the mark', y_train.mean())

SCALE_IN, SCALE_REC = 0.5, 0.9
Wx = tf.Variable(tf.random.normal([2, UNITS]) * SCALE_IN, name='Wx')
Wh = tf.Variable(tf.linalg.qr(tf.random.normal([UNITS, UNITS]))[0] * SCALE_REC, name='Wh')
bh = tf.Variable(tf.zeros([UNITS]), name='bh')
Wo = tf.Variable(tf.random.normal([UNITS, 1]) * 0.2, name='Wo')
bo = tf.Variable(tf.zeros([1]), name='bo')
theta = [Wx, Wh, bh, Wo, bo]
velocity = [tf.Variable(tf.zeros_like(v), trainable=False) for v in theta]
LR, MOMENTUM, CLIP = 0.03, 0.9, 1.0


def rnn(x):
    state = tf.zeros([tf.shape(x)[0], UNITS])
    for t in range(SEQ):
        state = tf.tanh(x[:, t] @ Wx + state @ Wh + bh)
    return (state @ Wo + bo)[:, 0]


@tf.function
def train_on(x, y):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=rnn(x)))
    g = tape.gradient(loss, theta)
    g, norm = tf.clip_by_global_norm(g, CLIP)
    for v, m, d in zip(theta, velocity, g):
        m.assign(MOMENTUM * m + d)
        v.assign_sub(LR * m)
    return loss


for epoch in range(16):
    perm = np.random.permutation(len(x_train))
    for i in range(0, len(perm), BATCH):
        rows = perm[i:i + BATCH]
        loss = train_on(x_train[rows], y_train[rows])
    print('epoch', epoch, 'loss', float(loss))

above = rnn(x_test).numpy() > 0
accuracy = np.mean(above == (y_test > 0.5))
""",
    score="accuracy",
    bar=0.88,
    base=0.53,
    faults=(
        Fault(cause="exploding_gradient", old="LR, MOMENTUM, CLIP = 0.03, 0.9, 1.0",
              new="LR, MOMENTUM, CLIP = 3.0, 0.9, 1e9", accept=("learning_rate_too_high",),
              beside=("saturated_units", "oscillation")),
        Fault(cause="saturated_units", old="SCALE_IN, SCALE_REC = 0.5, 0.9", new="SCALE_IN, SCALE_REC = 50.0, 0.9",
              accept=("init_scale",), beside=("vanishing_gradient",)),
        Fault(cause="probabilities_to_logits_loss", old="    return (state @ Wo + bo)[:, 0]",
              new="    return tf.sigmoid(state @ Wo + bo)[:, 0]"),
        Fault(cause="init_scale", old="SCALE_IN, SCALE_REC = 0.5, 0.9", new="SCALE_IN, SCALE_REC = 0.5, 12.0",
              accept=("saturated_units", "exploding_gradient")),
        Fault(cause="input_ignored", old="state = tf.tanh(x[:, t] @ Wx + state @ Wh + bh)",
              new="state = tf.tanh(tf.zeros_like(x[:, t]) @ Wx + state @ Wh + bh)",
              accept=("frozen_or_disconnected",), beside=("symmetric_or_zero_init",)),
        Fault(cause="constant_labels", old="x_train, y_train = plant_logs(2000)\n",
              new="x_train, y_train = plant_logs(2000)\ny_train = (y_train > 1.0).astype('float32')\n",
              beside=("input_ignored", "missing_class", "class_imbalance")),
        Fault(cause="oscillation", old="LR, MOMENTUM, CLIP = 0.03, 0.9, 1.0", new="LR, MOMENTUM, CLIP = 1.0, 0.99, 1.0",
              accept=("learning_rate_too_high",), beside=("saturated_units", "exploding_gradient")),
    ),
    seeds=3,
)  # fmt: skip

BUBBLES = Program(
    name="office_bubble_convolution",
    source="""
import numpy as np
import tensorflow as tf
import keras

tf.keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
SIZE = 16
grid_y, grid_x = np.mgrid[:SIZE, :SIZE]


def casting(flawed):
    img = 128 + 20 * rng.normal(size=(SIZE, SIZE))
    for _ in range(rng.integers(1, 4)):
        cy, cx, r = rng.uniform(3, 13), rng.uniform(3, 13), rng.uniform(1.5, 3)
        dist = np.hypot(grid_y - cy, grid_x - cx)
        if flawed:
            img -= 70 * (np.abs(dist - r) < 0.8)
        else:
            img -= 45 * (dist < r)
    return img


def shelf(n):
    imgs = np.stack([casting(i >= n // 2) for i in range(n)])[..., None]
    return imgs.astype('float32'), (np.arange(n) >= n // 2).astype('int32')


images, flaws = shelf(1200)
test_images, test_flaws = shelf(400)
mean, std = images.mean(), images.std()


def normalise(a):
    return (a - mean) / std


images, test_images = normalise(images), normalise(test_images)


class Net(tf.Module):
    def __init__(self, bias=0.0):
        super().__init__()
        he = tf.initializers.HeNormal(seed=SEED)
        self.k1 = tf.Variable(he([3, 3, 1, 12]), name='k1')
        self.c1 = tf.Variable(tf.fill([12], 0.0), name='c1')
        self.k2 = tf.Variable(he([3, 3, 12, 24]), name='k2')
        self.c2 = tf.Variable(tf.fill([24], bias), name='c2')
        self.w = tf.Variable(tf.random.normal([24, 2], stddev=0.2), name='w')
        self.b = tf.Variable(tf.zeros([2]), name='b')

    def __call__(self, x):
        x = tf.nn.relu(tf.nn.conv2d(x, self.k1, 1, 'SAME') + self.c1)
        x = tf.nn.max_pool2d(x, 2, 2, 'SAME')
        x = tf.nn.relu(tf.nn.conv2d(x, self.k2, 1, 'SAME') + self.c2)
        x = tf.reduce_mean(x, axis=[1, 2])
        return x @ self.w + self.b


net = Net()
optimizer = keras.optimizers.Adam(learning_rate=0.005)
optimizer.build(net.trainable_variables)


@tf.function
def update(x, y):
    with tf.GradientTape() as tape:
        logits = net(x)
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True))
    grads = tape.gradient(loss, net.trainable_variables)
    optimizer.apply_gradients(zip(grads, net.trainable_variables))
    return loss


dataset = tf.data.Dataset.from_tensor_slices((images, flaws)).shuffle(len(images)).batch(32, drop_remainder=True)
for epoch in range(14):
    running = [update(x, y).numpy() for x, y in dataset]
    print(f'{epoch:2d} {np.mean(running):.4f}')

found = np.argmax(net(test_images).numpy(), axis=-1)
hit_rate = (found == test_flaws).mean()
""",
    score="hit_rate",
    bar=0.9,
    base=0.5,
    faults=(
        Fault(cause="dead_units", old="def __init__(self, bias=0.0):", new="def __init__(self, bias=-30.0):",
              beside=("init_scale", "input_ignored", "frozen_or_disconnected", "vanishing_gradient")),
        Fault(cause="gradient_sign_flipped", old="        loss = tf.reduce_mean(keras",
              new="        loss = -tf.reduce_mean(keras",
              beside=("exploding_gradient",)),
        Fault(cause="pipeline_order", old=".shuffle(len(images)).batch(32, drop_remainder=True)",
              new=".batch(32, drop_remainder=True).shuffle(len(images))", accept=("data_sorted",)),
        Fault(cause="shuffle_buffer_too_small", old=".shuffle(len(images))", new=".shuffle(16)",
              accept=("data_sorted",), beside=("pipeline_order",)),
        Fault(cause="inputs_scaled_twice", old="images, test_images = normalise(images), normalise(test_images)",
              new="images, test_images = normalise(images / 255.0), normalise(test_images / 255.0)",
              accept=("inputs_not_scaled",)),
        Fault(cause="learning_rate_too_low", old="Adam(learning_rate=0.005)", new="Adam(learning_rate=1e-6)",
              beside=("too_few_steps",)),
    ),
    seeds=3,
)  # fmt: skip

DAMPER = Program(
    name="office_damper_identification",
    source="""
import numpy as np
import tensorflow as tf
import keras
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
time = np.linspace(0, 4, 50)


def ring_down(n, noise):
    zeta = rng.uniform(0.02, 0.4, n)
    hertz = rng.uniform(0.5, 2.0, n)
    omega = 2 * np.pi * hertz
    trace = np.exp(-zeta[:, None] * omega[:, None] * time) * np.cos(
        omega[:, None] * np.sqrt(1 - zeta[:, None] ** 2) * time)
    trace = trace + noise * rng.normal(size=trace.shape)
    return trace.astype(np.float32), np.stack([zeta, hertz], 1).astype(np.float32)


traces, physics = ring_down(1500, noise=0.05)
traces_val, physics_val = ring_down(200, noise=0.05)
traces_test, physics_test = ring_down(400, noise=0.05)
low, high = physics.min(0), physics.max(0)


def unit(p):
    return 2 * (p - low) / (high - low) - 1


drop = layers.Dropout(0.5)
body = [layers.Dense(128, activation='relu'), layers.Dense(128, activation='relu'), layers.Dense(2)]


def network(x, testing):
    for layer in body[:-1]:
        x = drop(layer(x), training=not testing)
    return body[-1](x)


network(traces[:1], testing=True)
variables = [v for layer in body for v in layer.trainable_variables]
optimizer = keras.optimizers.AdamW(learning_rate=0.003, weight_decay=1e-4)
optimizer.build(variables)
EPOCHS, BATCH = 20, 25


@tf.function
def learn(x, p):
    with tf.GradientTape() as tape:
        error = network(x, testing=False) - unit(p)
        loss = tf.reduce_mean(error ** 2)
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    return loss


@tf.function
def identify(x):
    return network(x, testing=True)


best = np.inf
for epoch in range(EPOCHS):
    shuffle = rng.permutation(len(traces))
    for part in np.split(shuffle, len(traces) // BATCH):
        learn(traces[part], physics[part])
    val = float(np.mean((identify(traces_val) - unit(physics_val)) ** 2))
    best = min(best, val)
    if epoch == 12:
        optimizer.learning_rate.assign(0.001)
print('best validation', best)

guess = identify(traces_test).numpy()
truth = unit(physics_test)
r2 = 1 - np.mean((guess - truth) ** 2) / np.mean((truth - truth.mean(0)) ** 2)
""",
    score="r2",
    bar=0.9,
    base=0.0,
    faults=(
        Fault(cause="dropout_mode", old="training=not testing)", new="training=testing)"),
        Fault(cause="inputs_drowned_in_noise", old="ring_down(1500, noise=0.05)", new="ring_down(1500, noise=4.0)",
              beside=("train_val_preprocessing_mismatch", "overfitting", "inputs_not_scaled")),
        Fault(cause="vanishing_gradient",
              old="[layers.Dense(128, activation='relu'), layers.Dense(128, activation='relu'), layers.Dense(2)]",
              new="[layers.Dense(128, activation='sigmoid') for _ in range(7)] + [layers.Dense(2)]",
              beside=("saturated_units", "input_ignored")),
        Fault(cause="learning_rate_too_high", old="keras.optimizers.AdamW(learning_rate=0.003, weight_decay=1e-4)",
              new="keras.optimizers.AdamW(learning_rate=0.1, weight_decay=1e-4)",
              beside=("dead_units", "exploding_gradient", "oscillation", "input_ignored")),
        Fault(cause="optimiser_not_applied",
              old="    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))\n",
              new="    gradients = tape.gradient(loss, variables)\n", beside=("frozen_or_disconnected",)),
        Fault(cause="regularisation_overwhelms", old="weight_decay=1e-4)", new="weight_decay=100.0)",
              beside=("input_ignored",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (STARS, MOTOR, LATCH, BUBBLES, DAMPER)
