"""Scripts of a seismologist who writes every loop by hand: magnitude and depth, and what kind of event it was."""

from keras_course.diagnostics.corpus import Fault, Program

MAGNITUDE = Program(
    name="seismic_magnitude_and_depth",
    source='''
"""Local magnitude and focal depth from the eight stations of the valley network.

The classical way: fit attenuation and station terms, grid-search the hypocentre. Here a small network is asked for both
numbers at once. It maximises a Gaussian log-likelihood; the two standard deviations are free parameters as well, so
that I can quote an uncertainty. Plain variables, no layers: I want to see what is going on.
"""
import numpy as np
import tensorflow as tf

tf.random.set_seed(SEED)
rng = np.random.default_rng(SEED + 31)

# ---------------------------------------------------------------- network and synthetic catalogue
N_EVENTS = 2400
STATIONS = np.array([[4, 6], [11, 31], [19, 14], [24, 36], [28, 4], [33, 22], [37, 9], [39, 33]], float)  # km
TERMS = rng.normal(0, 0.15, len(STATIONS))  # station corrections, log10 units
NOISE_FLOOR = 1e-2                          # nm, below that nobody can read an amplitude
VP_VS = 8.2                                 # km of distance for one second of S-P

xy = rng.uniform(6, 36, (N_EVENTS, 2))
depth = rng.gamma(4.0, 2600.0, N_EVENTS).clip(500, 28000)  # metres, as the bulletin has it
magnitude = rng.exponential(0.55, N_EVENTS).clip(0, 4.2) + 0.4

horizontal = np.linalg.norm(xy[:, None, :] - STATIONS[None], axis=2)
slant = np.sqrt(horizontal ** 2 + (depth[:, None] / 1000) ** 2)
log_a = magnitude[:, None] - 1.3 * np.log10(slant) - 0.008 * slant + 1.8 + TERMS
amplitude = 10 ** (log_a + rng.normal(0, 0.12, log_a.shape))
amplitude[rng.random(amplitude.shape) < 0.01] = 0.0        # telemetry gap
s_minus_p = slant / VP_VS + rng.normal(0, 0.04, slant.shape)

# ---------------------------------------------------------------- features, targets, split
readings = np.log10(np.maximum(amplitude, NOISE_FLOOR))
features = np.concatenate([readings, s_minus_p], axis=1)
targets = np.stack([magnitude, depth], axis=1)

late = np.arange(N_EVENTS) >= 1900          # the last year of the catalogue is for testing
f_mean, f_std = features[~late].mean(0), features[~late].std(0)
t_mean, t_std = targets[~late].mean(0), targets[~late].std(0)
X = ((features - f_mean) / f_std).astype(np.float32)
Y = ((targets - t_mean) / t_std).astype(np.float32)
X_late, X = X[late], X[~late]
Y = Y[~late]
truth = targets[late]


# ---------------------------------------------------------------- parameters
def matrix(name, n_in, n_out):
    scale = np.sqrt(1.0 / n_in)
    return tf.Variable(rng.normal(0, scale, (n_in, n_out)), dtype=tf.float32, name=name)


def offset(name, n_out):
    return tf.Variable(tf.zeros(n_out), name=name)


HIDDEN = 40
STEEPNESS = 1.0
W1, b1 = matrix('W1', X.shape[1], HIDDEN), offset('b1', HIDDEN)
W2, b2 = matrix('W2', HIDDEN, HIDDEN), offset('b2', HIDDEN)
W3, b3 = matrix('W3', HIDDEN, HIDDEN), offset('b3', HIDDEN)
W4, b4 = matrix('W4', HIDDEN, 2), offset('b4', 2)
log_sigma = tf.Variable([0.0, 0.0], name='log_sigma')
parameters = [W1, b1, W2, b2, W3, b3, W4, b4, log_sigma]
velocity = [tf.Variable(tf.zeros_like(p), trainable=False) for p in parameters]


def mean_of(x):
    h = tf.tanh(STEEPNESS * (x @ W1 + b1))
    h = tf.tanh(STEEPNESS * (h @ W2 + b2))
    h = tf.tanh(STEEPNESS * (h @ W3 + b3))
    return h @ W4 + b4


def log_likelihood(x, y):
    z = (y - mean_of(x)) * tf.exp(-log_sigma)
    per_event = tf.reduce_sum(-0.5 * z ** 2 - log_sigma, axis=1)
    return tf.reduce_mean(per_event)


RATE, FRICTION = 0.01, 0.9


@tf.function
def climb(x, y):
    with tf.GradientTape() as tape:
        L = log_likelihood(x, y)
    slopes, _ = tf.clip_by_global_norm(tape.gradient(L, parameters), 1.0)  # sigma shrinks, the slopes grow with it
    for p, v, g in zip(parameters, velocity, slopes):
        v.assign(FRICTION * v + g)
        p.assign_add(RATE * v)
    return L


# ---------------------------------------------------------------- optimisation
BATCH = 50
for sweep in range(70):
    order = rng.permutation(len(X))
    L = [climb(X[order[i:i + BATCH]], Y[order[i:i + BATCH]]) for i in range(0, len(X), BATCH)]
    if sweep % 10 == 9:
        sigma = np.exp(log_sigma.numpy())
        print('sweep %3d   log-likelihood %8.4f   sigma %.3f %.3f' % (sweep + 1, np.mean(L), *sigma))

# ---------------------------------------------------------------- the last year
estimate = mean_of(X_late).numpy() * t_std + t_mean
residual = estimate - truth
variance_reduction = 1 - (residual ** 2).mean(0) / truth.var(0)
print('magnitude: rms %.3f, variance reduction %.3f' % (np.sqrt((residual[:, 0] ** 2).mean()), variance_reduction[0]))
print('depth:     rms %.1f km, variance reduction %.3f'
      % (np.sqrt((residual[:, 1] ** 2).mean()) / 1000, variance_reduction[1]))
skill = float(variance_reduction.mean())
''',
    score="max(skill, -1.0) if np.isfinite(skill) else -1.0",
    bar=0.75,
    base=0.0,
    odd="the loop adds the gradient: it climbs a log-likelihood, which grows above zero",
    faults=(
        Fault(cause="symmetric_or_zero_init", old="rng.normal(0, scale, (n_in, n_out))",
              new="np.full((n_in, n_out), rng.normal(0, scale))", layer=("W1", "W2", "W3", "W4")),
        Fault(cause="optimiser_not_applied", old="        p.assign_add(RATE * v)\n", new="        p = p + RATE * v\n",
              accept=("frozen_or_disconnected",)),
        Fault(cause="targets_not_scaled", old="Y = ((targets - t_mean) / t_std).astype(np.float32)",
              new="t_mean, t_std = np.zeros(2), np.ones(2)\nY = targets.astype(np.float32)",
              beside=("exploding_gradient", "nan_or_inf_in_data", "learning_rate_too_high")),
        Fault(cause="nan_or_inf_in_data", old="np.log10(np.maximum(amplitude, NOISE_FLOOR))",
              new="np.log10(amplitude)"),
        Fault(cause="init_scale", old="scale = np.sqrt(1.0 / n_in)", new="scale = np.sqrt(1.0 / n_in ** 4)",
              accept=("vanishing_gradient",), layer=("W1", "W2", "W3", "W4")),
        Fault(cause="saturated_units", old="STEEPNESS = 1.0", new="STEEPNESS = 60.0", accept=("init_scale",)),
        Fault(cause="gradient_sign_flipped", old="    return tf.reduce_mean(per_event)\n",
              new="    return -tf.reduce_mean(per_event)\n", beside=("exploding_gradient",)),
    ),
    seeds=3,
)  # fmt: skip

EVENTS = Program(
    name="seismic_event_spectrograms",
    source='''
"""What shook? Tectonic event, quarry blast, icequake or just noise, from the spectrogram of one vertical trace.

Traces are cut 1 s before the trigger and resampled to 50 Hz. Counts, straight from the digitiser.
"""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED + 400)

FS, N = 50.0, 600
COUNTS = 4.2e5                # counts per (mm/s)
KINDS = ['noise', 'tectonic', 'blast', 'icequake']
PER_KIND = 240
MIN_SNR = 1.2
MEMORY = 0.9                  # of the running means
t = np.arange(N) / FS


def band(lo, hi, n=N):
    f = np.fft.rfftfreq(n, 1 / FS)
    shape = 1 / (1 + (lo / np.maximum(f, 1e-3)) ** 6) / (1 + (f / hi) ** 6)
    return np.fft.irfft(np.fft.rfft(rng.normal(0, 1, n)) * shape, n)


def onset(at, rise, decay):
    late = np.maximum(t - at, 0)
    return (1 - np.exp(-late / rise)) * np.exp(-late / decay)


def trace(kind):
    background = 0.6 * band(0.3, 8) + 0.25 * rng.normal(0, 1, N)
    p = rng.uniform(0.8, 1.4)
    if kind == 'tectonic':
        snr, s = rng.uniform(4, 14), p + rng.uniform(1.5, 4.5)
        signal = 0.5 * band(4, 16) * onset(p, 0.05, 1.5) + band(2, 11) * onset(s, 0.08, rng.uniform(1.2, 2.5))
    elif kind == 'blast':
        snr, delay = rng.uniform(4, 14), rng.uniform(1.2, 3.5)
        signal = 0.8 * band(3, 14) * onset(p, 0.05, 1.2) + 1.4 * band(0.8, 2.6) * onset(p + delay, 0.8, 3.0)
    elif kind == 'icequake':
        snr = rng.uniform(2, 4)
        signal = 1.6 * band(9, 22) * onset(p, 0.02, rng.uniform(0.3, 0.8))
    else:
        snr, length = rng.uniform(1.5, 6), rng.uniform(0.8, 5)
        signal = 0.4 * band(1, 20) * np.exp(-((t - rng.uniform(2, 10)) / length) ** 2)
    return (background + snr * 0.3 * signal) * rng.uniform(0.6, 1.7) * 1e-3 * COUNTS, snr


def catalogue(per_kind):
    traces, kinds, snrs = [], [], []
    for k, kind in enumerate(KINDS):
        for _ in range(per_kind):
            one, snr = trace(kind)
            traces.append(one)
            kinds.append(k)
            snrs.append(snr)
    return np.array(traces), np.array(kinds), np.array(snrs)


def spectrogram(velocity):
    # 64 samples, hop 16, Hann; decibels relative to 1 um/s
    frames = np.lib.stride_tricks.sliding_window_view(velocity, 64, axis=1)[:, ::16]
    power = np.abs(np.fft.rfft(frames * np.hanning(64), axis=2)[:, :, 1:]) ** 2
    return 10 * np.log10(power * 1e6 + 1e-3)


traces, kind, snr = catalogue(PER_KIND)
kind_seen = np.where(rng.random(len(kind)) < 0.02, rng.integers(0, 4, len(kind)), kind)   # analysts err, too
usable = snr > MIN_SNR
traces, kind_seen = traces[usable], kind_seen[usable]
test_traces, test_kind, _ = catalogue(70)

S = spectrogram(traces / COUNTS)
centre, width = S.mean(), S.std()
X = ((S - centre) / width)[..., None].astype('float32')
X_test = ((spectrogram(test_traces / COUNTS) - centre) / width)[..., None].astype('float32')
Y = kind_seen.astype('int32')
print('training', X.shape, np.bincount(Y, minlength=4), ' test', X_test.shape)

net = keras.Sequential([
    keras.Input(X.shape[1:]),
    layers.Conv2D(12, 5, strides=2, padding='same', use_bias=False, name='c1'),
    layers.BatchNormalization(momentum=MEMORY, name='bn1'),
    layers.ReLU(),
    layers.Conv2D(24, 3, strides=2, padding='same', use_bias=False, name='c2'),
    layers.BatchNormalization(momentum=MEMORY, name='bn2'),
    layers.ReLU(),
    layers.AveragePooling2D((2, 4)),
    layers.Flatten(),
    layers.Dense(4, name='kind'),
])
optimiser = keras.optimizers.SGD(0.02, momentum=0.9)


@tf.function
def update(x, y):
    with tf.GradientTape() as tape:
        logits = net(x, training=True)
        misfit = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True))
    g = tape.gradient(misfit, net.trainable_variables)
    optimiser.apply_gradients(zip(g, net.trainable_variables))
    return misfit


@tf.function
def classify(x):
    return tf.argmax(net(x, training=False), axis=1)


def recall_by_kind(x, truth, chunk=35):
    # a day of the bulletin at a time
    guess = np.concatenate([classify(x[i:i + chunk]).numpy() for i in range(0, len(x), chunk)])
    called = np.array(KINDS)[guess]
    return {name: float(np.mean(called[truth == k] == name)) for k, name in enumerate(KINDS)}


EPOCHS, BATCH = 16, 32
for epoch in range(EPOCHS):
    optimiser.learning_rate.assign(0.02 * (1 - epoch / EPOCHS))
    order = rng.permutation(len(X))
    misfits = [float(update(X[i], Y[i])) for i in np.array_split(order, len(X) // BATCH)]
    seen = recall_by_kind(X_test, test_kind)
    print(f'{epoch + 1:3d}  misfit {np.mean(misfits):.4f}  recall {np.mean(list(seen.values())):.3f}')

final = recall_by_kind(X_test, test_kind)
for name, value in final.items():
    print(f'{name:10s} {value:.3f}')
mean_recall = float(np.mean(list(final.values())))
''',
    score="mean_recall",
    bar=0.85,
    base=0.25,
    faults=(
        Fault(cause="batchnorm_mode", old="MEMORY = 0.9 ", new="MEMORY = 0.99999 ", layer=("bn1", "bn2")),
        Fault(cause="missing_class", old="MIN_SNR = 1.2", new="MIN_SNR = 4.0", beside=("class_imbalance",)),
        Fault(cause="label_noise", old="rng.random(len(kind)) < 0.02", new="rng.random(len(kind)) > 0.02"),
        Fault(cause="train_val_preprocessing_mismatch", old="spectrogram(test_traces / COUNTS)",
              new="spectrogram(test_traces)"),
        Fault(cause="loss_metric_inconsistent", old="called = np.array(KINDS)[guess]",
              new="called = np.unique(KINDS)[guess]", accept=("wrong_metric",), beside=("label_encoding",)),
        Fault(cause="data_sorted", old="order = rng.permutation(len(X))", new="order = np.arange(len(X))"),
        Fault(cause="logits_to_probability_loss", old="(y, logits, from_logits=True)", new="(y, logits)"),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [MAGNITUDE, EVENTS]
