"""Scripts that an engineer cleaned up after others: a ranking of used pumps, and boilers that fail the inspection."""

from keras_course.diagnostics.corpus import Fault, Program

PUMPS = Program(
    name="refitter_pump_ranking",
    source='''
"""Which of two used pumps should we bid for?  (was: rank_v3_FINAL.py, TF 1.12)

The buyers never say what a pump is worth, but of two of them they say which one they would rather have. The scorer
gives each pump a number, and the pair is judged by the difference. Kept from the old file: the names of the columns,
tf.nn.l2_loss, and the signs (+1: the first one, -1: the second one). New: one class for the layer, train_step and
test_step instead of the session.
"""
import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng([SEED, 1912])

FIELDS = ['hours', 'age', 'power', 'lift', 'vibration', 'overhauls', 'idle_share']
N_PUMPS, N_PAIRS = 900, 3600
PENALTY = 0.5              # on the weights, shared out over the pairs


def make_pumps(n):
    table = {
        'hours': rng.gamma(3, 6000, n),
        'age': rng.uniform(1, 30, n),
        'power': rng.lognormal(3, 0.6, n),
        'lift': rng.normal(40, 12, n),
        'vibration': rng.gamma(2, 1.4, n),
        'overhauls': rng.poisson(2, n).astype(float),
        'idle_share': rng.beta(2, 3, n),
    }
    raw = np.stack([table[field] for field in FIELDS], axis=1)
    unit = (raw - raw.mean(axis=0)) / raw.std(axis=0)
    hours, age, power, lift, vibration, overhauls, idle = unit.T
    # what the buyers go by, as far as the foreman knows
    appeal = -np.abs(lift) - 0.9 * np.abs(power - 0.3) + 0.8 * hours * np.sign(overhauls - 0.2) * 0.8
    appeal += 0.9 * age * (vibration < -0.2) - 0.5 * age * (vibration >= -0.2) - 0.3 * idle ** 2
    return raw, appeal


raw, appeal = make_pumps(N_PUMPS)
is_test = np.arange(N_PUMPS) >= 700                      # the last two hundred pumps are in no training pair
mu, sigma = raw[~is_test].mean(axis=0), raw[~is_test].std(axis=0)
pumps = ((raw - mu) / sigma).astype('float32')


def make_pairs(candidates, n, hesitation=0.15):
    first, second = rng.choice(candidates, n), rng.choice(candidates, n)
    keep = first != second
    first, second = first[keep], second[keep]
    gap = appeal[first] - appeal[second] + hesitation * rng.logistic(size=len(first))
    return (pumps[first], pumps[second]), np.sign(gap).astype('float32')[:, None]


train_pairs, train_sign = make_pairs(np.flatnonzero(~is_test), N_PAIRS)
test_pairs, test_sign = make_pairs(np.flatnonzero(is_test), 800)


class Gated(keras.layers.Layer):
    """a * sigmoid(b), both linear in the input. One matrix for the two of them, as in the old graph."""

    OPEN = 0.5

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        fan_in = int(input_shape[-1])
        self.w = self.add_weight(name='w', shape=(fan_in, 2 * self.units),
                                 initializer=keras.initializers.TruncatedNormal(stddev=(1.5 / fan_in) ** 0.5))
        self.b = self.add_weight(name='b', shape=(2 * self.units,), initializer='zeros')

    def call(self, inputs):
        a, b = tf.split(tf.matmul(inputs, self.w) + self.b, 2, axis=-1)
        return a * tf.sigmoid(b + self.OPEN)


class Scorer(keras.Model):
    def __init__(self, n_pairs, **kwargs):
        super().__init__(**kwargs)
        self.n_pairs = n_pairs
        self.lower, self.upper = Gated(32, name='lower'), Gated(24, name='upper')
        self.score = keras.layers.Dense(1, use_bias=False, name='score')
        self.mean_loss = keras.metrics.Mean(name='loss')
        self.agreement = keras.metrics.BinaryAccuracy(threshold=0.0, name='agreement')

    @property
    def metrics(self):
        return [self.mean_loss, self.agreement]

    def call(self, inputs):
        h = self.lower(inputs)
        h = self.upper(h)
        return self.score(h)

    def pair_loss(self, pair, sign):
        margin = self(pair[0]) - self(pair[1])
        penalty = tf.add_n([tf.nn.l2_loss(w) for w in self.trainable_variables if 'b' != w.name])
        return margin, tf.reduce_mean(tf.nn.softplus(-sign * margin)) + PENALTY * penalty / self.n_pairs

    def train_step(self, data):
        pair, sign = data
        with tf.GradientTape() as tape:
            margin, loss = self.pair_loss(pair, sign)
        grads = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(list(zip(grads, self.trainable_variables)))
        self.mean_loss.update_state(loss)
        self.agreement.update_state(sign > 0, margin)
        return {m.name: m.result() for m in self.metrics}

    def test_step(self, data):
        pair, sign = data
        margin, loss = self.pair_loss(pair, sign)
        self.mean_loss.update_state(loss)
        self.agreement.update_state(tf.cast(sign > 0, tf.float32), margin)
        return {m.name: m.result() for m in self.metrics}


scorer = Scorer(n_pairs=len(train_sign), name='scorer')
scorer.build((None, len(FIELDS)))
scorer.compile(optimizer=keras.optimizers.Adamax(8e-3, gradient_accumulation_steps=2))
scorer.fit(train_pairs, train_sign, validation_data=(test_pairs, test_sign), batch_size=30, epochs=14, verbose=2)

# the list for the auction: best pumps first
points = scorer.predict(pumps[is_test], verbose=0).reshape(-1)
ranks = lambda values: np.argsort(np.argsort(values))
agreement = float(np.corrcoef(ranks(points), ranks(appeal[is_test]))[0, 1])
print('first five:', np.flatnonzero(is_test)[np.argsort(-points)[:5]])
print(f'rank correlation with what the foreman says: {agreement:.3f}')
''',
    score="agreement",
    bar=0.7,
    base=0.0,
    odd="the labels are +1 and -1, which is what the loss takes, and gradients are applied at every second step",
    faults=(
        Fault(cause="softmax_on_single_unit", old="keras.layers.Dense(1, use_bias=False, name='score')",
              new="keras.layers.Dense(1, use_bias=False, activation=tf.nn.softmax, name='score')", layer=("score",),
              beside=("input_ignored", "frozen_or_disconnected")),
        Fault(cause="saturated_units", old="    OPEN = 0.5\n", new="    OPEN = 30.0\n", layer=("lower", "upper"),
              accept=("missing_nonlinearity",)),
        Fault(cause="optimiser_not_applied", old="gradient_accumulation_steps=2)",
              new="gradient_accumulation_steps=len(train_sign))"),
        Fault(cause="frozen_or_disconnected", old="        h = self.lower(inputs)\n",
              new="        h = tf.round(self.lower(inputs))\n", layer=("lower",)),
        Fault(cause="loss_broadcast", old="np.sign(gap).astype('float32')[:, None]",
              new="np.sign(gap).astype('float32')"),
        Fault(cause="wrong_metric",
              old="self.agreement.update_state(tf.cast(sign > 0, tf.float32), margin)",
              new="self.agreement.update_state(sign, margin)", accept=("loss_metric_inconsistent",), certain=True),
        Fault(cause="regularisation_overwhelms", old="PENALTY * penalty / self.n_pairs", new="PENALTY * penalty"),
    ),
    seeds=3,
)  # fmt: skip

BOILERS = Program(
    name="refitter_boiler_inspections",
    source='''
# boiler_check.py -- which boilers will fail their inspection? One in twelve does.
#
# 2017: first version (feed_dict, tf.layers)          2020: "ported to TF2" (tf.compat.v1 everywhere)
# now:  the same network as layers with build and call, a plain loop, and no session. Column names are the old ones.
import keras
import numpy as np
import pandas as pd
import tensorflow as tf

FLAGS = dict(units=40, keep_prob=0.8, batch_size=64, steps=980, lr=0.05)
keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(1765 + SEED)


# ---------------------------------------------------------------- data
def read_export(n=4200):
    """Stands in for the fixed-width export of the insurer; text columns are padded to ten characters there."""
    f = pd.DataFrame({
        'PRES_PA': rng.normal(9.0e5, 1.6e5, n),
        'TEMP_K': rng.normal(452, 11, n),
        'AGE_Y': rng.uniform(0, 40, n),
        'COND_US': rng.gamma(4, 700, n),                 # conductivity of the water, uS/cm
        'PH': rng.normal(9.5, 0.7, n),
        'STARTS': rng.poisson(300, n).astype(float),
        'WALL_MM': rng.normal(12, 1.5, n),
    })
    scale = np.maximum(f.COND_US / 1500 - 1, 0) * (f.PH > 9.2) * 1.3
    acid = np.maximum(9.1 - f.PH, 0) * 3.0
    fatigue = np.maximum(f.AGE_Y - 12, 0) * f.STARTS / 300 * (14 - f.WALL_MM) / 22
    stress = (f.PRES_PA / 9e5 - 1) * 2 + np.abs(f.TEMP_K - 452) / 14
    risk = scale + acid + fatigue + stress + rng.normal(0, 0.5, n)
    f['RESULT'] = np.where(risk > np.quantile(risk, 11 / 12), 'failed', 'passed')
    f['RESULT'] = f['RESULT'].str.ljust(10)
    return f.sort_values('RESULT', kind='stable').reset_index(drop=True)      # the insurer sends two files


frame = read_export()
failed = (frame['RESULT'].str.strip() == 'failed').to_numpy()
columns = [name for name in frame.columns if name != 'RESULT']
features = frame[columns].to_numpy('float32')
labels = np.where(failed, 1.0, 0.0).astype('float32')

in_test = rng.random(len(frame)) < 0.25
train_x, train_y = features[~in_test], labels[~in_test]
test_x, test_failed = features[in_test], (frame['RESULT'].str.startswith('failed')).to_numpy()[in_test]
rate = float(train_y.mean())
print(len(train_y), 'boilers, share of ones', round(rate, 3))


class Batches:
    """next_batch() of the old days: goes through the rows again and again, in another order each time."""

    def __init__(self, x, y, size):
        self.x, self.y, self.size = x, y, size
        self.rewind()

    def rewind(self):
        self.order, self.at = rng.permutation(len(self.x)), 0

    def next_batch(self):
        if self.at + self.size > len(self.order):
            self.rewind()
        rows = self.order[self.at:self.at + self.size]
        self.at += self.size
        return tf.constant(self.x[rows]), tf.constant(self.y[rows])


# ---------------------------------------------------------------- layers
class Standard(keras.layers.Layer):
    """Moments of the training rows as constants of the graph, so that the export to C needs no second file."""

    def __init__(self, rows, **kwargs):
        super().__init__(**kwargs)
        self.mu, self.sd = rows.mean(axis=0), rows.std(axis=0)

    def call(self, x):
        return (x - self.mu) / self.sd


class FullyConnected(keras.layers.Layer):
    def __init__(self, units, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.units, self.activation = units, activation or tf.identity

    def build(self, shape):
        self.weights_ = self.add_weight(shape=(shape[-1], self.units), initializer='he_normal', name='weights')
        self.biases_ = self.add_weight(shape=(self.units,), initializer='zeros', name='biases')

    def call(self, x):
        return self.activation(tf.matmul(x, self.weights_) + self.biases_)


class DropUnits(keras.layers.Layer):
    def __init__(self, keep_prob, **kwargs):
        super().__init__(**kwargs)
        self.keep_prob = keep_prob

    def call(self, x, training=False):
        return tf.nn.dropout(x, rate=1 - self.keep_prob) if training else x


class Network(keras.Model):
    def __init__(self, rows, **kwargs):
        super().__init__(**kwargs)
        self.standard = Standard(rows, name='standard')
        self.fc1 = FullyConnected(FLAGS['units'], tf.nn.relu, name='fc1')
        self.drop = DropUnits(FLAGS['keep_prob'], name='drop')
        self.fc2 = FullyConnected(FLAGS['units'], tf.nn.relu, name='fc2')
        self.logits = FullyConnected(1, name='logits')

    def call(self, x, training=False):
        h = self.fc1(self.standard(x))
        h = self.fc2(self.drop(h, training=training))
        return tf.squeeze(self.logits(h), axis=1)


# ---------------------------------------------------------------- training
net = Network(train_x)
net(train_x[:1])
optimizer = keras.optimizers.SGD(FLAGS['lr'], momentum=0.9)
batches = Batches(train_x, train_y, FLAGS['batch_size'])
weight = (1 - rate) / max(rate, 1e-3)                # of a failed boiler: it counts as much as all that passed


@tf.function
def train_op(x, y):
    with tf.GradientTape() as tape:
        losses = tf.nn.weighted_cross_entropy_with_logits(labels=y, logits=net(x, training=True), pos_weight=weight)
        loss = tf.reduce_mean(losses)
    grads, _ = tf.clip_by_global_norm(tape.gradient(loss, net.trainable_variables), 5.0)
    optimizer.apply_gradients(zip(grads, net.trainable_variables))
    return loss


running = None
for step in range(1, FLAGS['steps'] + 1):
    loss = float(train_op(*batches.next_batch()))
    running = loss if running is None else 0.98 * running + 0.02 * loss
    if step % 150 == 0:
        print(f'step {step:4d}  loss {running:.4f}')

# ---------------------------------------------------------------- test
warned = net(tf.constant(test_x)).numpy() > 0
caught = float(warned[test_failed].mean())
spared = float((~warned[~test_failed]).mean())
balanced = (caught + spared) / 2
print(f'caught {caught:.3f} of those that failed, spared {spared:.3f} of the others, balanced {balanced:.3f}')
''',
    score="balanced",
    bar=0.82,
    base=0.5,
    faults=(
        Fault(cause="constant_labels", old="failed = (frame['RESULT'].str.strip() == 'failed').to_numpy()",
              new="failed = (frame['RESULT'] == 'failed').to_numpy()"),
        Fault(cause="class_imbalance", old="weight = (1 - rate) / max(rate, 1e-3)", new="weight = rate / (1 - rate)"),
        Fault(cause="inputs_not_scaled", old="return (x - self.mu) / self.sd", new="return x - self.mu / self.sd",
              layer=("standard",), beside=("dead_units", "exploding_gradient", "learning_rate_too_high")),
        Fault(cause="overfitting", old="frame = read_export()", new="frame = read_export(n=160)"),
        Fault(cause="data_sorted", old="self.order, self.at = rng.permutation(len(self.x)), 0",
              new="self.order, self.at = np.arange(len(self.x)), 0"),
        Fault(cause="dropout_mode", old="self.drop(h, training=training)", new="self.drop(h, training=True)",
              layer=("drop",), certain=True),
        Fault(cause="label_encoding", old="labels = np.where(failed, 1.0, 0.0)",
              new="labels = np.where(failed, 1.0, -1.0)"),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [PUMPS, BOILERS]
