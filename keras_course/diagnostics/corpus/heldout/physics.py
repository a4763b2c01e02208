"""Scripts of a physics group: plain TensorFlow, `tf.Module` or bare variables, and optimisers of their own."""

from keras_course.diagnostics.corpus import Fault, Program

TRACKS = Program(
    name="physics_chamber_tracks",
    source='''
"""Pad plane of the small time projection chamber: which pads belong to a track, which to the curl of a slow electron?

The simulation gives the truth per pad (0 empty, 1 track, 2 curl). Curls are rare and short. The likelihood is summed
over pads, as in all our fits, so the rate has to be small.
"""
import numpy as np
import tensorflow as tf

tf.random.set_seed(SEED)
rng = np.random.default_rng([SEED, 1974])

SIDE = 20                 # pads
EVENTS, TEST = 900, 200
PEDESTAL, GAIN = 60.0, 90.0      # ADC counts: without charge, per unit of charge
NOISE = 5.0               # ADC counts
KNEE = 0.02               # of the rectifier, in units of charge
BATCH, EPOCHS = 20, 10
RATE, MEMORY = 2e-6, 0.9


def line():
    """A stiff particle crosses the plane."""
    s = np.linspace(-SIDE, SIDE, 160)
    angle = rng.uniform(0, np.pi)
    y, x = rng.uniform(4, SIDE - 4, 2)
    return y + s * np.sin(angle), x + s * np.cos(angle)


def spiral():
    """A slow electron curls up in the field and loses energy."""
    t = np.linspace(0, rng.uniform(4, 9), 90)
    r = rng.uniform(1.6, 2.8) * np.exp(-0.08 * t)
    y, x = rng.uniform(4, SIDE - 4, 2)
    return y + r * np.sin(t + rng.uniform(0, 6)), x + r * np.cos(t)


def deposit(plane, y, x, charge):
    i, j = np.round(y).astype(int), np.round(x).astype(int)
    inside = (i >= 0) & (i < SIDE) & (j >= 0) & (j < SIDE)
    hit = np.zeros((SIDE, SIDE), bool)
    hit[i[inside], j[inside]] = True
    plane += hit * charge * rng.gamma(6, 1 / 6, plane.shape)
    return hit


def event():
    plane, truth = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE), "int32")
    for _ in range(rng.poisson(0.7)):
        truth[deposit(plane, *spiral(), 1.0)] = 2
    for _ in range(rng.integers(1, 3)):
        truth[deposit(plane, *line(), 1.1)] = 1
    plane += (rng.random(plane.shape) < 0.05) * rng.gamma(6, 1 / 6, plane.shape)      # sparks
    return PEDESTAL + GAIN * plane + rng.normal(0, NOISE, plane.shape), truth


adc, truth = map(np.stack, zip(*[event() for _ in range(EVENTS)]))
charge = ((adc - PEDESTAL) / GAIN).astype("float32")[..., None]
x_train, x_test, t_train, t_test = charge[TEST:], charge[:TEST], truth[TEST:], truth[:TEST]
share = np.bincount(t_train.ravel(), minlength=3) / t_train.size
weight = tf.constant(1 / (3 * share), tf.float32)
print("pads per class:", share.round(3))


class Conv(tf.Module):
    """3 x 3 convolution with a soft start at the knee."""

    def __init__(self, channels, filters, dilation=1):
        shape = (3, 3, channels, filters)
        fan_in = np.prod(shape[:-1])
        self.w = tf.Variable(tf.random.normal(shape, stddev=np.sqrt(2 / fan_in)), name="w")
        self.b = tf.Variable(tf.fill((filters,), 0.05), name="b")
        self.dilation = dilation

    def __call__(self, h):
        h = tf.nn.conv2d(h, self.w, 1, "SAME", dilations=self.dilation) + self.b
        return tf.nn.relu(h - KNEE)


class Finder(tf.Module):
    def __init__(self):
        super().__init__(name="finder")
        self.body = [Conv(1, 10), Conv(10, 10, 2), Conv(10, 12, 2), Conv(12, 12)]
        self.head = tf.Variable(tf.random.normal((1, 1, 12, 3), stddev=0.1), name="head")
        self.offset = tf.Variable(tf.zeros(3), name="offset")

    def __call__(self, h):
        for conv in self.body:
            h = conv(h)
        return tf.nn.conv2d(h, self.head, 1, "SAME") + self.offset


class HeavyBall:
    def __init__(self, variables):
        self.variables = variables
        self.speed = [tf.Variable(tf.zeros_like(v), trainable=False) for v in variables]

    def update(self, gradients):
        for v, s, g in zip(self.variables, self.speed, gradients):
            s.assign(MEMORY * s - RATE * g)
            v.assign_add(s)


def energy(t, logits):
    """Negative log likelihood of the batch; every class counts the same."""
    log_p = tf.reduce_sum(tf.one_hot(t, 3) * tf.nn.log_softmax(logits), axis=-1)
    return -tf.reduce_sum(tf.gather(weight, t) * log_p)


finder = Finder()
ball = HeavyBall(finder.trainable_variables)


@tf.function
def step(x, t):
    x = x + tf.random.normal(tf.shape(x), stddev=NOISE / GAIN)      # another exposure of the same event
    with tf.GradientTape() as tape:
        loss = energy(t, finder(x))
    ball.update(tape.gradient(loss, ball.variables))
    return loss


for epoch in range(EPOCHS):
    order = rng.permutation(len(x_train))
    losses = [float(step(x_train[rows], t_train[rows])) for rows in order.reshape(-1, BATCH)]
    print(f"epoch {epoch + 1:2d}: {np.mean(losses) / BATCH / SIDE ** 2:.4f} per pad")

found = finder(x_test).numpy().argmax(axis=-1)
efficiency = [float(np.mean(found[t_test == k] == k)) for k in range(3)]
mean_efficiency = float(np.mean(efficiency))
print("efficiency: empty {:.3f}, track {:.3f}, curl {:.3f}".format(*efficiency), f"mean {mean_efficiency:.3f}")
''',
    score="mean_efficiency",
    bar=0.8,
    base=1 / 3,
    odd="the rate is tiny, as the loss is a sum over all pads of the batch",
    faults=(
        Fault(cause="class_imbalance", old="tf.reduce_sum(tf.gather(weight, t) * log_p)",
              new="tf.reduce_sum(tf.reduce_sum(weight * share) * log_p)"),
        Fault(cause="frozen_or_disconnected", old="class Conv(tf.Module):", new="class Conv:"),
        Fault(cause="gradient_sign_flipped", old="return -tf.reduce_sum(tf.gather",
              new="return tf.reduce_sum(tf.gather", beside=("exploding_gradient", "nan_or_inf_in_data")),
        Fault(cause="dead_units", old="return tf.nn.relu(h - KNEE)", new="return tf.nn.relu(h - KNEE * GAIN)"),
        Fault(cause="inputs_drowned_in_noise", old="stddev=NOISE / GAIN)", new="stddev=NOISE)",
              beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="init_scale", old="fan_in = np.prod(shape[:-1])", new="fan_in = shape[0]",
              accept=("exploding_gradient",)),
        Fault(cause="labels_shuffled_apart", old='charge = ((adc - PEDESTAL) / GAIN).astype("float32")[..., None]\n',
              new="rng.shuffle(adc)\n"
                  "rng.shuffle(truth)\n"
                  'charge = ((adc - PEDESTAL) / GAIN).astype("float32")[..., None]\n'),
    ),
    seeds=3,
)  # fmt: skip

LIFETIMES = Program(
    name="physics_isomer_lifetimes",
    source='''
# Lifetime of an isomer from a decay histogram with an unknown flat background and a short-lived contaminant.
#
# The maximum likelihood fit takes 0.3 s per run, too long for the online monitor. Here a small network learns
# (mu, sigma) of log10(lifetime) from simulated runs. Only tf.Variables, which the monitor
# (C, no libraries) gets as a list of arrays.
import numpy as np
import tensorflow as tf

tf.random.set_seed(SEED)
rng = np.random.default_rng(SEED + 1936)

BINS, WINDOW = 24, 50.0                     # 50 us in 24 bins
RUNS, BATCH, EPOCHS = 6000, 64, 18
RATE, MEMORY, LONGEST = 0.03, 0.9, 1.0
edges = np.linspace(0, WINDOW, BINS + 1)


def shape(tau):
    """Share of the decays in each bin after the beam pulse."""
    cumulative = 1 - np.exp(-edges[None] / tau[:, None])
    return np.diff(cumulative, axis=1) / cumulative[:, -1:]


# ---------------------------------------------------------------------------------------------- simulated runs -----
log_tau = rng.uniform(0.3, 1.5, RUNS)
isomer = rng.gamma(3.0, 600, RUNS)                              # decays per run
contaminant = rng.gamma(2.0, 150, RUNS)
background = rng.gamma(2.0, 6, RUNS)                            # per bin
beam = rng.random(RUNS) > 0.02                                  # now and then the beam trips
expected = isomer[:, None] * shape(10 ** log_tau)
expected += contaminant[:, None] * shape(rng.uniform(0.8, 1.6, RUNS)) + background[:, None]
counts = rng.poisson(expected * beam[:, None])
phase = rng.integers(0, BINS, RUNS)                             # the window runs freely, the pulse comes anywhere in it
counts = np.stack([np.roll(run, k) for run, k in zip(counts, phase)])

total = counts.sum(axis=1)
good = total > 100
counts, total, log_tau = counts[good], total[good], log_tau[good]
features = np.sqrt(counts / total[:, None])                     # stabilises the variance
features = np.column_stack([features, np.log10(np.maximum(total, 1)) - 3])
cut = int(0.8 * len(features))
centre, width = features[:cut].mean(axis=0), features[:cut].std(axis=0)
x = ((features - centre) / width).astype("float32")
y = (log_tau - 0.9).astype("float32")
x_train, y_train, x_test, y_test = x[:cut], y[:cut], x[cut:], y[cut:]
print(len(x_train), "runs to learn from,", len(x_test), "to test")

# --------------------------------------------------------------------------------------------------- the network -----
SIZES = [BINS + 1, 32, 32, 32, 32, 32, 32, 32, 2]


def start(fan_in, fan_out):
    return tf.random.normal((fan_in, fan_out)) * np.sqrt(1.0 / fan_in).astype("float32")


weights = [tf.Variable(start(*pair), name=f"w{k}") for k, pair in enumerate(zip(SIZES, SIZES[1:]))]
biases = [tf.Variable(tf.zeros(size), name=f"b{k}") for k, size in enumerate(SIZES[1:])]
squash = tf.math.tanh


def network(h):
    for w, b in zip(weights[:-1], biases[:-1]):
        h = squash(h @ w + b)
    out = h @ weights[-1] + biases[-1]
    return out[:, 0], tf.clip_by_value(out[:, 1], -5.0, 2.0)     # mu, log sigma


def nll(y, mu, log_sigma):
    return tf.reduce_mean(log_sigma + 0.5 * tf.square((y - mu) * tf.exp(-log_sigma)))


# ------------------------------------------------------------------------------------------ momentum, by hand -----
params = weights + biases
speed = [tf.Variable(tf.zeros_like(p)) for p in params]
clock = tf.Variable(0.0)


def rate_now():
    """Full rate for the first half, then halved every two epochs."""
    steps = len(x_train) // BATCH
    late = tf.maximum(clock - steps * EPOCHS / 2, 0.0)
    return RATE * 0.5 ** (late / (2 * steps))


@tf.function
def step(x, y):
    with tf.GradientTape() as tape:
        loss = nll(y, *network(x))
    gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, params), LONGEST)
    clock.assign_add(1.0)
    rate = rate_now()
    for p, g, s in zip(params, gradients, speed):
        s.assign(MEMORY * s - rate * g)
        p.assign_add(MEMORY * s - rate * g)                      # Nesterov: look ahead
    return loss


for epoch in range(EPOCHS):
    order = rng.permutation(len(x_train))
    losses = []
    for k in range(len(order) // BATCH):
        rows = order[k * BATCH:(k + 1) * BATCH]
        losses.append(step(x_train[rows], y_train[rows]).numpy())
    mu, log_sigma = network(x_test)
    pull = (y_test - mu.numpy().ravel()) * np.exp(-log_sigma.numpy())
    print(f"epoch {epoch + 1:2d}  nll {np.mean(losses):7.3f}  width of the pulls {np.std(pull):.2f}")

mu = network(x_test)[0].numpy().ravel()
r2 = float(1 - np.mean((y_test - mu) ** 2) / np.var(y_test))
print(f"R2 of log10(lifetime) on simulated test runs: {r2:.4f}")
''',
    score="r2",
    bar=0.85,
    base=0.0,
    odd="the loss falls below zero, as it is a likelihood with a learnt width",
    faults=(
        Fault(cause="optimiser_not_applied", old="p.assign_add(MEMORY * s - rate * g) ",
              new="p = p + (MEMORY * s - rate * g) "),
        Fault(cause="loss_broadcast", old="return out[:, 0], tf.clip", new="return out[:, :1], tf.clip"),
        Fault(cause="vanishing_gradient", old="squash = tf.math.tanh", new="squash = tf.math.sigmoid",
              beside=("saturated_units",)),
        Fault(cause="symmetric_or_zero_init", old="tf.random.normal((fan_in, fan_out)) * np.sqrt",
              new="tf.fill((fan_in, fan_out), rng.normal()) * np.sqrt"),
        Fault(cause="learning_rate_too_low", old="    rate = rate_now()\n",
              new="    rate = rate_now() / len(x_train)\n", beside=("too_few_steps",)),
        Fault(cause="lr_schedule_wrong", old="clock.assign_add(1.0)", new="clock.assign_add(float(BATCH))",
              accept=("learning_rate_too_low",), beside=("too_few_steps",)),
        Fault(cause="nan_or_inf_in_data", old="good = total > 100", new="good = total > -100"),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [TRACKS, LIFETIMES]
