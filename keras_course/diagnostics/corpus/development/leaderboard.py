"""Entries of a company's internal competition: duels of lunch dishes and what stands on a pallet."""

from keras_course.diagnostics.corpus import Fault, Program

PALLETS = Program(
    name="leaderboard_pallet_scans",
    source="""
# ===========================================================================
#  Internal challenge "What is on the pallet?"      entry of team wobbly_forks
#  3 folds, softmax regression as a floor, then the network; own layers because the
#  rules want "no framework models"
# ===========================================================================
import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.model_selection import StratifiedKFold

tf.keras.utils.set_random_seed(SEED)

N_GOODS = 10
N_BEAMS = 12
LAYERS = [N_BEAMS, 40, 40, 40, N_GOODS]
EPOCHS = 14


def read_scans(n=2400):
    # twelve light barriers; each good is stacked in one of four ways
    r = np.random.RandomState(SEED + 12)
    stacks = r.uniform(-1.4, 1.4, (N_GOODS, 4, N_BEAMS))
    good = r.randint(N_GOODS, size=n)
    way = r.randint(4, size=n)
    scan = stacks[good, way] + .45 * r.randn(n, N_BEAMS)
    return (80 + 35 * scan).astype('float32'), good.astype('int32')


scans, goods = read_scans()


def new_weights(sizes):
    Ws = [tf.Variable(tf.random.normal((a, b), stddev=(1.0 / a) ** .5)) for a, b in zip(sizes, sizes[1:])]
    bs = [tf.Variable(tf.zeros(b)) for b in sizes[1:]]
    return Ws, bs


def forward(x, Ws, bs):
    for W, b in zip(Ws[:-1], bs[:-1]):
        x = tf.nn.tanh(x @ W + b)
    return x @ Ws[-1] + bs[-1]


def train(x, y, sizes, rate, epochs, seed):
    Ws, bs = new_weights(sizes)
    speeds = [tf.Variable(tf.zeros_like(v)) for v in Ws + bs]

    @tf.function
    def update(xb, yb):
        with tf.GradientTape() as tape:
            z = forward(xb, Ws, bs)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(yb, z))
        for v, s, g in zip(Ws + bs, speeds, tape.gradient(loss, Ws + bs)):
            s.assign(0.9 * s + g)
            v.assign_sub(rate * s)
        return loss

    order = np.random.RandomState(seed)
    for epoch in range(epochs):
        mix = order.permutation(len(x))
        losses = [update(x[mix[i:i + 32]], y[mix[i:i + 32]]) for i in range(0, len(mix) - 31, 32)]
        if epoch % 5 == 0 or epoch == epochs - 1:
            print(f'   epoch {epoch:2d} loss {np.mean(losses):.3f}')
    return Ws, bs


def accuracy_of(net, x, y):
    return np.mean(forward(x, *net).numpy().argmax(1) == y)


rows = []
for fold, (tr, va) in enumerate(StratifiedKFold(3, shuffle=True, random_state=0).split(scans, goods)):
    mean, std = scans[tr].mean(0), scans[tr].std(0)
    x_tr, x_va = (scans[tr] - mean) / std, (scans[va] - mean) / std
    print('fold', fold, 'floor')
    floor = train(x_tr, goods[tr], [N_BEAMS, N_GOODS], 0.02, 5, fold)
    print('fold', fold, 'network')
    net = train(x_tr, goods[tr], LAYERS, 0.012, EPOCHS, fold)
    rows.append({'fold': fold, 'floor': accuracy_of(floor, x_va, goods[va]), 'network': accuracy_of(net, x_va, goods[va])})

table = pd.DataFrame(rows).set_index('fold')
table.loc['mean'] = table.mean()
print(table.round(3).to_string())
entry = table.loc['mean', 'network']
""",
    score="entry",
    bar=0.8,
    base=0.1,
    faults=(
        Fault(cause="symmetric_or_zero_init", old="tf.random.normal((a, b), stddev=(1.0 / a) ** .5)",
              new="tf.zeros((a, b))", beside=("frozen_or_disconnected", "vanishing_gradient", "input_ignored")),
        Fault(cause="init_scale", old="stddev=(1.0 / a) ** .5", new="stddev=0.01 / a",
              accept=("vanishing_gradient",),
              beside=("input_ignored", "learning_rate_too_low", "symmetric_or_zero_init")),
        Fault(cause="missing_nonlinearity", old="tf.nn.tanh(x @ W + b)", new="x @ W + b",
              accept=("underfitting_capacity",)),
        Fault(cause="vanishing_gradient", old="tf.nn.tanh(x @ W + b)", new="tf.nn.sigmoid(x @ W + b)",
              beside=("too_few_steps", "learning_rate_too_low", "saturated_units")),
        Fault(cause="saturated_units", old="stddev=(1.0 / a) ** .5", new="stddev=(1.0 * a) ** .5",
              accept=("init_scale",), beside=("exploding_gradient", "learning_rate_too_high")),
        Fault(cause="labels_shuffled_apart", old="y[mix[i:i + 32]])", new="y[i:i + 32])", beside=("label_noise",)),
        Fault(cause="probabilities_to_logits_loss", old="return x @ Ws[-1] + bs[-1]",
              new="return tf.nn.softmax(x @ Ws[-1] + bs[-1])", beside=("learning_rate_too_low", "too_few_steps")),
        Fault(cause="oscillation", old="LAYERS, 0.012, EPOCHS, fold)", new="LAYERS, 0.3, EPOCHS, fold)",
              accept=("learning_rate_too_high",), beside=("saturated_units",)),
    ),
    pairs=(("missing_nonlinearity", "oscillation"),),
    seeds=3,
)  # fmt: skip

DUELS = Program(
    name="leaderboard_dish_duels",
    source="""
'''Canteen challenge: employee sees two dishes, picks one. Who picks what next week?
Submission 4 (factors instead of the boosted trees of submission 3).
'''
import numpy as np
import pandas as pd
import tensorflow as tf
import keras
from sklearn.model_selection import KFold

keras.utils.set_random_seed(SEED)
PEOPLE, DISHES, DUELS = 80, 36, 5000
CFG = dict(dim=3, decay=0.03, epochs=10)


def load_duels():
    g = np.random.default_rng(100 + SEED)
    taste, flavour = g.normal(size=(PEOPLE, 3)), g.normal(size=(DISHES, 3))
    popular = .6 * g.normal(size=DISHES)
    d = pd.DataFrame({'person': g.integers(0, PEOPLE, DUELS), 'left': g.integers(0, DISHES, DUELS)})
    d['right'] = (d.left + g.integers(1, DISHES, DUELS)) % DISHES
    worth = taste @ flavour.T + popular
    gap = 1.3 * (worth[d.person, d.left] - worth[d.person, d.right])
    d['took_left'] = (g.random(DUELS) < 1 / (1 + np.exp(-gap))).astype('float32')
    return d


class DuelModel(keras.Model):
    def __init__(self, dim, decay, init='glorot_uniform'):
        super().__init__()
        self.person = keras.layers.Embedding(PEOPLE, dim, embeddings_initializer=init, name='person')
        self.dish = keras.layers.Embedding(DISHES, dim, embeddings_initializer=init, name='dish')
        self.liked = keras.layers.Embedding(DISHES, 1, embeddings_initializer='zeros', name='liked')
        self.decay = decay
        self.cost = keras.metrics.Mean(name='cost')
        self.hit = keras.metrics.BinaryAccuracy(name='hit')

    def call(self, x):
        person, left, right = x[:, 0], x[:, 1], x[:, 2]
        towards = self.dish(left) - self.dish(right)
        gap = tf.reduce_sum(self.person(person) * towards, axis=-1, keepdims=True)
        gap += self.liked(left) - self.liked(right)
        return tf.sigmoid(gap)[:, 0]

    def penalty(self):
        return self.decay * sum(tf.reduce_mean(v ** 2) for v in self.trainable_variables)

    def loss_of(self, t, p):
        p = tf.clip_by_value(p, 1e-6, 1 - 1e-6)
        return -tf.reduce_mean(t * tf.math.log(p) + (1 - t) * tf.math.log(1 - p))

    def train_step(self, data):
        x, t = data
        with tf.GradientTape() as tape:
            p = self(x, training=True)
            loss = self.loss_of(t, p) + self.penalty()
        learned = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, learned), learned))
        self.cost.update_state(loss)
        self.hit.update_state(tf.reshape(t, (-1, 1)), tf.reshape(p, (-1, 1)))
        return {'cost': self.cost.result(), 'hit': self.hit.result()}

    @property
    def metrics(self):
        return [self.cost, self.hit]


duels = load_duels()
X = duels[['person', 'left', 'right']].values.astype('int32')
t = duels.took_left.values

submission = np.zeros(DUELS)
lines = []
for k, (fit_rows, out_rows) in enumerate(KFold(3, shuffle=True, random_state=7).split(X)):
    model = DuelModel(CFG['dim'], CFG['decay'])
    model.compile(optimizer=keras.optimizers.Adam(0.02))
    log = model.fit(X[fit_rows], t[fit_rows], batch_size=100, epochs=CFG['epochs'], verbose=0)
    submission[out_rows] = model.predict(X[out_rows], batch_size=1000, verbose=0).ravel()
    right = np.mean((submission[out_rows] > .5) == t[out_rows])
    lines.append((k, log.history['cost'][-1], log.history['hit'][-1], right))
    print('cost', [round(float(c), 3) for c in log.history['cost']])

print(pd.DataFrame(lines, columns=['fold', 'cost', 'hit (fit)', 'hit (out)']).round(3).to_string(index=False))
score = np.mean((submission > .5) == t)
print('SUBMISSION', round(score, 4))
""",
    score="score",
    bar=0.74,
    base=0.5,
    odd="one embedding starts at zero, as a bias does",
    faults=(
        Fault(cause="loss_broadcast", old="return tf.sigmoid(gap)[:, 0]", new="return tf.sigmoid(gap)", beside=("frozen_or_disconnected",)),
        Fault(cause="overfitting", old="dim=3, decay=0.03, epochs=10", new="dim=64, decay=0.0, epochs=40"),
        Fault(cause="learning_rate_too_low", old="Adam(0.02)", new="Adam(0.00002)", beside=("too_few_steps",)),
        Fault(cause="leakage_duplicates", old="model.fit(X[fit_rows], t[fit_rows],", new="model.fit(X, t,", certain=True),
        Fault(cause="frozen_or_disconnected", old="learned = self.trainable_variables",
              new="learned = self.liked.trainable_variables", layer=("person", "dish")),
        Fault(cause="gradient_sign_flipped", old="return -tf.reduce_mean(", new="return tf.reduce_mean("),
        Fault(cause="symmetric_or_zero_init", old="init='glorot_uniform'", new="init='zeros'",
              layer=("person", "dish"), beside=("frozen_or_disconnected",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (DUELS, PALLETS)
