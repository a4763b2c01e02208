"""Scripts ported from JAX and Flax: codes of paint colours, and particles told apart by a detector."""

from keras_course.diagnostics.corpus import Fault, Program

PIGMENTS = Program(
    name="jaxport_pigment_curves",
    source="""
# Port of pigments_flax.py: an autoencoder over reflectance curves of mixed paints (31 bands, 400 to 700 nm).
# Parameters are nested dicts of tf.Variables, apply functions are pure, jit has become tf.function.
import math

import numpy as np
import tensorflow as tf

KEY = SEED
BANDS, HIDDEN, CODE = 31, 48, 5
EPOCHS, BATCH = 70, 50
PEAK, MOMENTUM = 0.12, 0.9
tf.keras.utils.set_random_seed(KEY)
rng = np.random.default_rng(KEY + 31)


# --- data: Kubelka-Munk mixtures of five pigments in white --------------------------------------------------------
def pigment_library():
    nm = np.linspace(400, 700, BANDS)
    bump = lambda centre, width: np.exp(-0.5 * ((nm - centre) / width) ** 2)
    step = lambda at, width: 1 / (1 + np.exp((nm - at) / width))
    return np.stack([
        6.0 * step(500, 14) + 0.05,                        # cadmium yellow
        7.0 * step(590, 12) + 0.05,                        # naphthol red
        5.0 * bump(610, 55) + 0.08,                        # ultramarine
        4.0 * bump(420, 40) + 5.0 * bump(650, 45) + 0.05,  # phthalo green
        np.full(BANDS, 3.0),                               # carbon black
    ])


def mix(n):
    share = rng.dirichlet([0.5] * 5, n) * rng.uniform(0.05, 1.0, (n, 1))
    k_over_s = share @ pigment_library() + 0.01
    curve = 1 + k_over_s - np.sqrt(k_over_s ** 2 + 2 * k_over_s)
    return np.clip(curve + rng.normal(0, 0.006, curve.shape), 0, 1).astype('float32')


train_curves, test_curves = mix(3000), mix(600)


# --- parameters ---------------------------------------------------------------------------------------------------
def init_dense(key, n_in, n_out):
    limit = math.sqrt(6 / (n_in + n_out))
    u = tf.random.stateless_uniform((n_in, n_out), seed=[KEY, key])
    return {'w': tf.Variable(2 * limit * u - limit), 'b': tf.Variable(tf.zeros(n_out))}


def init_params():
    return {
        'encoder': {'hidden': init_dense(0, BANDS, HIDDEN), 'code': init_dense(1, HIDDEN, CODE)},
        'decoder': {'hidden': init_dense(2, CODE, HIDDEN), 'curve': init_dense(3, HIDDEN, BANDS)},
    }


def leaves(tree):
    if not isinstance(tree, dict):
        return [tree]
    return [leaf for key in sorted(tree) for leaf in leaves(tree[key])]


def tree_map(f, tree):
    return {key: tree_map(f, tree[key]) for key in tree} if isinstance(tree, dict) else f(tree)


# --- apply --------------------------------------------------------------------------------------------------------
def dense(p, x):
    return x @ p['w'] + p['b']


def encode(params, curve):
    h = tf.nn.relu(dense(params['hidden'], curve))
    return dense(params['code'], h)


def decode(params, code):
    h = tf.nn.relu(dense(params['hidden'], code))
    return tf.sigmoid(dense(params['curve'], h))


def apply(params, curve):
    return decode(params['decoder'], encode(params['encoder'], curve))


def loss_fn(params, curve):
    error = apply(params, curve) - curve
    return tf.reduce_mean(tf.reduce_sum(tf.square(error), axis=-1))


# --- update -------------------------------------------------------------------------------------------------------
def schedule(step, total, warmup=100):
    warm = min(1.0, (step + 1) / warmup)
    return PEAK * warm * 0.5 * (1 + math.cos(math.pi * min(1.0, step / total)))


params = init_params()
trace = tree_map(lambda p: tf.Variable(tf.zeros_like(p), trainable=False), params)


@tf.function
def update(curve, rate):
    tuned = leaves(params)
    slots = leaves(trace)
    with tf.GradientTape() as tape:
        loss = loss_fn(params, curve)
    gradients = tape.gradient(loss, tuned)
    for p, m, g in zip(tuned, slots, gradients):
        m.assign(MOMENTUM * m + g)
        p.assign_sub(rate * m)
    return loss


steps_per_epoch = len(train_curves) // BATCH
total_steps = EPOCHS * steps_per_epoch
step = 0
for epoch in range(EPOCHS):
    order = rng.permutation(len(train_curves))
    running = 0.0
    for i in range(steps_per_epoch):
        batch = train_curves[order[i * BATCH:(i + 1) * BATCH]]
        rate = tf.constant(schedule(step, total_steps), tf.float32)
        running += float(update(tf.constant(batch), rate)) / steps_per_epoch
        step += 1
    if epoch % 10 == 9:
        print(f'epoch {epoch + 1:3d}  train {running:.5f}  test {float(loss_fn(params, test_curves)):.5f}')

# --- how good are the codes? --------------------------------------------------------------------------------------
rebuilt = apply(params, tf.constant(test_curves)).numpy()
around_mean = np.sum((test_curves - train_curves.mean(axis=0)) ** 2)
kept = float(1 - np.sum((rebuilt - test_curves) ** 2) / around_mean)
codes = encode(params['encoder'], tf.constant(test_curves)).numpy()
print(f'kept of the variance: {kept:.4f}; spread of the code: {codes.std(axis=0).round(2)}')
""",
    score="kept",
    bar=0.95,
    base=0.0,
    odd="the curves go in as they are, between 0 and 1, and plain momentum runs at a rate of 0.12",
    faults=(
        Fault(cause="wrong_loss_for_task", old="""\
    error = apply(params, curve) - curve
    return tf.reduce_mean(tf.reduce_sum(tf.square(error), axis=-1))
""", new="""\
    rebuilt = tf.nn.l2_normalize(apply(params, curve), axis=-1)
    angle = 1 - tf.reduce_sum(rebuilt * tf.nn.l2_normalize(curve, axis=-1), axis=-1)
    return BANDS * tf.reduce_mean(angle)
"""),
        Fault(cause="init_scale", old="limit = math.sqrt(6 / (n_in + n_out))",
              new="limit = math.sqrt(6 * (n_in + n_out))", beside=("saturated_units", "dead_units",
                                                                   "exploding_gradient")),
        Fault(cause="dead_units", old="tf.Variable(2 * limit * u - limit)", new="tf.Variable(limit * u - limit)",
              accept=("init_scale",), beside=("input_ignored", "vanishing_gradient")),
        Fault(cause="frozen_or_disconnected", old="    tuned = leaves(params)\n    slots = leaves(trace)\n",
              new="    tuned = leaves(params['encoder'])\n    slots = leaves(trace['encoder'])\n"),
        Fault(cause="optimiser_not_applied", old="        p.assign_sub(rate * m)\n", new="        p = p - rate * m\n",
              beside=("frozen_or_disconnected",)),
        Fault(cause="lr_schedule_wrong", old="schedule(step, total_steps)", new="schedule(step, EPOCHS)",
              beside=("too_few_steps", "learning_rate_too_low")),
        Fault(cause="output_range_cannot_reach_targets", old="return tf.sigmoid(dense(params['curve'], h))",
              new="return tf.nn.softmax(dense(params['curve'], h))", accept=("wrong_head_for_labels",),
              layer=("curve",)),
    ),
    seeds=3,
)  # fmt: skip

DETECTOR = Program(
    name="jaxport_detector_particles",
    source="""
# Which particle was it? Ported from our Haiku code: apply(params, state, x, is_training) returns (logits, state).
# The simulation writes one file per kind of particle; they are read one after the other into a single table.
import numpy as np
import pandas as pd
import tensorflow as tf

seed = SEED
rng = np.random.default_rng([seed, 2718])
tf.random.set_seed(seed)

KINDS = ['electron', 'muon', 'pion', 'kaon']
CUT = 0.3                # GeV in the calorimeter; below that the trigger does not fire
WIDTHS = (40, 32, 24)
BATCH = 64
EPOCHS = 8
DECAY = 0.95             # of the running statistics
MASS = {'electron': 0.0005, 'muon': 0.106, 'pion': 0.140, 'kaon': 0.494}


def simulate(kind, n):
    p = rng.uniform(0.5, 3.0, n)                                                # momentum, GeV
    beta = p / np.hypot(p, MASS[kind])
    gamma = 1 / np.sqrt(1 - np.minimum(beta, 0.999999) ** 2)
    share = {'electron': rng.normal(0.97, 0.05, n), 'muon': 0.34 / p * rng.normal(1, 0.1, n),
             'pion': rng.beta(3, 2.5, n), 'kaon': rng.beta(3, 3, n)}[kind]
    energy = np.maximum(share, 0) * p + rng.exponential(0.02, n) + 0.25
    layers_hit = {'electron': 4.5, 'muon': 17, 'pion': 11, 'kaon': 10}[kind] + rng.normal(0, 1.8, n)
    return pd.DataFrame({
        'kind': KINDS.index(kind),
        'momentum': p,
        'energy': energy,
        'dedx': (1 + 0.08 * np.log(gamma)) / beta ** 2 * rng.normal(1, 0.07, n),
        'flight_ns': 8.0 / beta + rng.normal(0, 0.15, n),
        'ring_mrad': 1000 * np.sqrt(np.maximum(1 - 0.9 / beta, 0)) + rng.normal(0, 20, n),
        'layers': np.maximum(layers_hit, 1).round(),
        'width_mm': rng.gamma(4, {'electron': 4.0, 'muon': 1.5, 'pion': 7.0, 'kaon': 6.0}[kind], n),
        'theta': rng.uniform(0.3, 2.8, n),
    })


hits = pd.concat([simulate(kind, 1100) for kind in KINDS], ignore_index=True)
hits['ratio'] = hits['energy'] / hits['momentum']
test = hits.sample(frac=0.25, random_state=seed)
train = hits.drop(index=test.index)
train = train[train['energy'] > CUT]
COLUMNS = [c for c in hits.columns if c != 'kind']
mu, sigma = train[COLUMNS].mean(), train[COLUMNS].std()


def arrays(part):
    return ((part[COLUMNS] - mu) / sigma).to_numpy('float32'), part['kind'].to_numpy('int32')


def batches(part):
    ds = tf.data.Dataset.from_tensor_slices(arrays(part))
    ds = ds.shuffle(len(part), seed=seed)
    return ds.batch(BATCH, drop_remainder=True).prefetch(1)


# ------------------------------------------------------------------------------------------------ params and state
def linear_init(key, n_in, n_out):
    w = tf.random.stateless_normal((n_in, n_out), seed=(seed, key)) / n_in ** 0.5
    return {'w': tf.Variable(w), 'b': tf.Variable(tf.zeros([n_out]))}


def init(n_in):
    params, state = {}, {}
    for i, width in enumerate(WIDTHS):
        params[f'block_{i}'] = {'linear': linear_init(i, n_in, width),
                                'norm': {'scale': tf.Variable(tf.ones([width])),
                                         'offset': tf.Variable(tf.zeros([width]))}}
        state[f'block_{i}'] = {'mean': tf.zeros([width]), 'var': tf.ones([width])}
        n_in = width
    params['head'] = linear_init(99, n_in, len(KINDS))
    return params, state


def batch_norm(p, s, h, is_training):
    if is_training:
        mean, var = tf.nn.moments(h, axes=[0])
        s = {'mean': DECAY * s['mean'] + (1 - DECAY) * mean, 'var': DECAY * s['var'] + (1 - DECAY) * var}
    else:
        mean, var = s['mean'], s['var']
    return p['scale'] * (h - mean) * tf.math.rsqrt(var + 1e-5) + p['offset'], s


def apply(params, state, x, is_training):
    new_state, h = {}, x
    for i in range(len(WIDTHS)):
        block = params[f'block_{i}']
        h = h @ block['linear']['w'] + block['linear']['b']
        h, new_state[f'block_{i}'] = batch_norm(block['norm'], state[f'block_{i}'], h, is_training)
        h = tf.nn.gelu(h)
    return h @ params['head']['w'] + params['head']['b'], new_state


# -------------------------------------------------------------------------------------------------------- training
params, state = init(len(COLUMNS))
flat = tf.nest.flatten(params)
velocity = [tf.Variable(tf.zeros_like(p)) for p in flat]


def rate_at(epoch):
    return 0.03 if epoch < EPOCHS - 2 else 0.006


@tf.function
def train_step(state, x, y, rate):
    with tf.GradientTape() as tape:
        logits, new_state = apply(params, state, x, True)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
    for p, v, g in zip(flat, velocity, tape.gradient(loss, flat)):
        v.assign(0.9 * v + g)
        p.assign_sub(rate * v)
    return loss, new_state


x_test, y_test = arrays(test)
for epoch in range(EPOCHS):
    losses = []
    for x, y in batches(train):
        loss, state = train_step(state, x, y, tf.constant(rate_at(epoch)))
        losses.append(float(loss))
    logits, _ = apply(params, state, tf.constant(x_test), False)
    right = np.mean(logits.numpy().argmax(axis=-1) == y_test)
    print(f'{epoch:2d} loss {np.mean(losses):.4f} test accuracy {right:.4f}')

logits, _ = apply(params, state, tf.constant(x_test), False)
probability = tf.nn.softmax(logits).numpy()
called = probability.argmax(axis=-1)
likelihood = float(np.mean(probability[np.arange(len(y_test)), y_test]))   # goes into the combined likelihood
purity = pd.crosstab(pd.Series(y_test).map(dict(enumerate(KINDS))), pd.Series(called), normalize='columns')
print(purity.round(3).to_string())
print(f'accuracy {np.mean(called == y_test):.4f}, mean probability of the true kind {likelihood:.4f}')
""",
    score="likelihood if np.isfinite(likelihood) else 0.25",
    bar=0.7,
    base=0.25,
    odd="the table is sorted by label, and the buffer of the shuffle holds all of it",
    faults=(
        Fault(cause="probabilities_to_logits_loss",
              old="    return h @ params['head']['w'] + params['head']['b'], new_state\n",
              new="    return tf.nn.softmax(h @ params['head']['w'] + params['head']['b']), new_state\n"),
        Fault(cause="missing_class", old="CUT = 0.3  ", new="CUT = 0.9 ", beside=("class_imbalance",)),
        Fault(cause="shuffle_buffer_too_small", old="ds = ds.shuffle(len(part), seed=seed)",
              new="ds = ds.shuffle(2 * BATCH, seed=seed)", accept=("data_sorted",)),
        Fault(cause="pipeline_order", old="""\
    ds = ds.shuffle(len(part), seed=seed)
    return ds.batch(BATCH, drop_remainder=True).prefetch(1)
""", new="""\
    ds = ds.batch(BATCH, drop_remainder=True)
    return ds.shuffle(len(part) // BATCH, seed=seed).prefetch(1)
""", accept=("data_sorted",)),
        Fault(cause="symmetric_or_zero_init",
              old="w = tf.random.stateless_normal((n_in, n_out), seed=(seed, key)) / n_in ** 0.5",
              new="w = tf.random.stateless_normal((n_in, 1), seed=(seed, key)) / n_in ** 0.5 * tf.ones((1, n_out))"),
        Fault(cause="gradient_sign_flipped", old="v.assign(0.9 * v + g)", new="v.assign(0.9 * v - g)",
              beside=("exploding_gradient",)),
        Fault(cause="batchnorm_mode", old="        loss, state = train_step(",
              new="        loss, _ = train_step("),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [PIGMENTS, DETECTOR]
