"""Programs as they stand at the head of a long thread: a graph, point clouds, playlists, a board game, a census."""

from keras_course.diagnostics.corpus import Fault, Program

GRAPH = Program(
    name="thread_club_graph_gcn",
    odd="the whole graph is one batch, and most nodes have no say in the loss",
    source="""
import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
N, C = 420, 4
club = rng.integers(0, C, N)
link = rng.random((N, N)) < np.where(club[:, None] == club[None, :], 0.07, 0.008)
link = np.triu(link, 1)
A = (link | link.T) + np.eye(N)
deg = A.sum(1)
A_hat = (A / np.sqrt(deg[:, None] * deg[None, :])).astype('float32')
taste = rng.gamma(0.6, 0.6, (C, 30))
X = rng.poisson(0.3 + taste[club]).astype('float32')
X = X / np.maximum(X.sum(1, keepdims=True), 1.0)
train_mask = (rng.random(N) < 0.35).astype('float32')
y_seen = club.copy()


class GraphConv(keras.layers.Layer):
    def __init__(self, units, activation=None, **kw):
        super().__init__(**kw)
        self.units, self.act = units, keras.activations.get(activation)

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], self.units), initializer='glorot_uniform', name='w')
        self.b = self.add_weight(shape=(self.units,), initializer='zeros', name='b')

    def call(self, x):
        return self.act(tf.matmul(A_hat, tf.matmul(x, self.w)) + self.b)


gcn = keras.Sequential([
    keras.Input((30,)),
    GraphConv(32, 'relu', name='gc1'),
    keras.layers.Dropout(0.4),
    GraphConv(C, name='gc2'),
])
opt = keras.optimizers.Adam(0.02)


@tf.function
def train_step():
    with tf.GradientTape() as tape:
        logits = gcn(X, training=True)
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y_seen, logits=logits)
        loss = tf.reduce_sum(each * train_mask) / tf.reduce_sum(train_mask)
    grads = tape.gradient(loss, gcn.trainable_variables)
    opt.apply_gradients(zip(grads, gcn.trainable_variables))
    return loss


val_acc = []
for epoch in range(160):
    loss = train_step()
    if epoch % 20 == 19:
        guess = gcn(X, training=False).numpy().argmax(1)
        val_acc.append(np.mean(guess[train_mask == 0] == club[train_mask == 0]))
""",
    score="np.mean(gcn(X, training=False).numpy().argmax(1)[train_mask == 0] == club[train_mask == 0])",
    bar=0.8,
    base=0.28,
    faults=(
        Fault(cause="optimiser_not_applied", old="opt.apply_gradients(zip(grads, gcn.trainable_variables))",
              new="opt.build(gcn.trainable_variables)"),
        Fault(cause="symmetric_or_zero_init", old="initializer='glorot_uniform', name='w'",
              new="initializer='zeros', name='w'", layer=("gc1", "gc2")),
        Fault(cause="label_noise", old="y_seen = club.copy()",
              new="y_seen = np.where(rng.random(N) < 0.8, rng.integers(0, C, N), club)",
              beside=("labels_shuffled_apart", "overfitting")),
        Fault(cause="input_ignored", old="taste = rng.gamma",
              new="A_hat = np.linalg.matrix_power(A_hat, 50)  # far neighbours too\ntaste = rng.gamma"),
        Fault(cause="leakage_duplicates", old="tf.reduce_sum(each * train_mask) / tf.reduce_sum(train_mask)",
              new="tf.reduce_mean(each)", certain=True),
        Fault(cause="dropout_mode", old="guess = gcn(X, training=False)", new="guess = gcn(X, training=True)", certain=True),
    ),
    seeds=3,
)  # fmt: skip

POINTS = Program(
    name="thread_scans_pointnet",
    odd="points are dropped and jittered in each step",
    source="""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)


def shape(kind, n=64):
    u, v = rng.uniform(0, 2 * np.pi, n), rng.uniform(0, 2 * np.pi, n)
    if kind == 0:  # ball
        p = rng.normal(size=(n, 3))
        p /= np.linalg.norm(p, axis=1, keepdims=True)
    elif kind == 1:  # box
        p = rng.uniform(-1, 1, (n, 3))
        p[np.arange(n), rng.integers(0, 3, n)] = rng.choice([-1, 1], n)
    elif kind == 2:  # ring
        p = np.stack([(1 + 0.35 * np.cos(v)) * np.cos(u), (1 + 0.35 * np.cos(v)) * np.sin(u), 0.35 * np.sin(v)], 1)
    else:  # cone
        h = np.sqrt(rng.uniform(0, 1, n))
        p = np.stack([h * np.cos(u), h * np.sin(u), 1.5 - 2 * h], 1)
    a = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    return p @ turn * rng.uniform(0.2, 5.0) + rng.normal(0, 2.0, 3)


def unit(clouds):
    clouds = clouds - clouds.mean(1, keepdims=True)
    return (clouds / np.abs(clouds).max((1, 2), keepdims=True)).astype('float32')


kinds = np.repeat(np.arange(4), 300)
clouds = np.stack([shape(k) for k in kinds])
held = np.arange(1200) % 5 == 0
train_x, train_y = unit(clouds[~held]), kinds[~held]
test_x, test_y = unit(clouds[held]), kinds[held]


def jitter(points, label):
    return points + tf.random.normal(tf.shape(points), stddev=0.02), label


train_ds = tf.data.Dataset.from_tensor_slices((train_x, train_y))
train_ds = train_ds.shuffle(len(train_x))
train_ds = train_ds.batch(32).map(jitter).prefetch(2)
test_ds = tf.data.Dataset.from_tensor_slices((test_x, test_y)).batch(64)


def mlp(x, width, name):
    x = layers.Conv1D(width, 1, name=name)(x)
    x = layers.BatchNormalization(momentum=0.9, name=name + '_bn')(x)
    return layers.Activation('relu')(x)


inputs = keras.Input((64, 3))
x = mlp(inputs, 32, 'point1')
x = mlp(x, 64, 'point2')
x = layers.GlobalMaxPooling1D()(x)
x = layers.Dense(32, activation='relu', name='fc')(x)
x = layers.Dropout(0.3)(x)
outputs = layers.Dense(4, name='kind')(x)
pointnet = keras.Model(inputs, outputs)
pointnet.compile(
    optimizer=keras.optimizers.Adam(0.003),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=['sparse_categorical_accuracy'],
)
pointnet.fit(train_ds, epochs=8, validation_data=test_ds, verbose=0)
""",
    score="np.mean(pointnet.predict(test_x, verbose=0).argmax(1) == test_y)",
    bar=0.88,
    base=0.25,
    faults=(
        Fault(cause="data_sorted", old="train_ds = train_ds.shuffle(len(train_x))\n", new="",
              accept=("shuffle_buffer_too_small",), beside=("batchnorm_mode",)),
        Fault(cause="shuffle_buffer_too_small", old=".shuffle(len(train_x))", new=".shuffle(16)",
              accept=("data_sorted",), beside=("batchnorm_mode",)),
        Fault(cause="batchnorm_mode", old="momentum=0.9,", new="momentum=0.9995,",
              layer=("point1_bn", "point2_bn")),
        Fault(cause="inputs_drowned_in_noise", old="stddev=0.02", new="stddev=2.0",
              beside=("train_val_preprocessing_mismatch", "batchnorm_mode")),
        Fault(cause="train_val_preprocessing_mismatch", old="test_x, test_y = unit(clouds[held]), kinds[held]",
              new="test_x, test_y = clouds[held].astype('float32'), kinds[held]"),
        Fault(cause="pipeline_order", old="""train_ds = train_ds.shuffle(len(train_x))
train_ds = train_ds.batch(32).map(jitter).prefetch(2)""",
              new="train_ds = train_ds.batch(32).map(jitter).shuffle(4).prefetch(2)",
              accept=("data_sorted", "shuffle_buffer_too_small"), beside=("batchnorm_mode",)),
    ),
    pairs=(("batchnorm_mode", "shuffle_buffer_too_small"),),
    seeds=3,
)  # fmt: skip

SONGS = Program(
    name="thread_playlist_next_song",
    odd="half of all steps are padding, masked",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.RandomState(SEED)
SONGS, LEN = 40, 16
after = [rng.permutation(SONGS) + 1 for mood in range(2)]


def session():
    mood, n = rng.randint(2), rng.randint(5, LEN + 1)
    out = [rng.randint(1, SONGS + 1)]
    while len(out) < n:
        out.append(after[mood][out[-1] - 1] if rng.rand() < 0.9 else rng.randint(1, SONGS + 1))
    return out


plays = keras.utils.pad_sequences([session() for _ in range(1800)], maxlen=LEN, padding='post')
x, y = plays[:, :-1], plays[:, 1:]
w = (y != 0).astype('float32')
x_tr, y_tr, w_tr = x[:1500], y[:1500], w[:1500]
x_va, y_va, w_va = x[1500:], y[1500:], w[1500:]

ids = keras.Input((LEN - 1,), dtype='int32')
h = layers.Embedding(SONGS + 1, 32, mask_zero=True, name='songs')(ids)
h = layers.GRU(64, return_sequences=True, name='gru')(h)
h = layers.Dropout(0.4, name='drop')(h)
scores = layers.Dense(SONGS + 1, name='next')(h)
rec = keras.Model(ids, scores)
rec.compile(
    optimizer=keras.optimizers.Adam(0.003),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    weighted_metrics=['sparse_categorical_accuracy'],
)
rec.fit(x_tr, y_tr, sample_weight=w_tr, batch_size=50, epochs=8, validation_data=(x_va, y_va, w_va), verbose=0)
""",
    score="np.mean((rec.predict(x_va, verbose=0).argmax(-1) == y_va)[y_va > 0])",
    bar=0.6,
    base=0.03,
    faults=(
        Fault(cause="too_few_steps", old="epochs=8", new="epochs=1", beside=("learning_rate_too_low",)),
        Fault(cause="learning_rate_too_low", old="Adam(0.003)", new="Adam(5e-6)", beside=("too_few_steps",)),
        Fault(cause="leakage_feature", old="x, y = plays[:, :-1], plays[:, 1:]",
              new="x, y = plays[:, 1:], plays[:, 1:]", certain=True),
        Fault(cause="constant_labels", old="w = (y != 0)", new="w = (y == 0)", accept=("missing_class",),
              beside=("class_imbalance", "label_encoding")),
        Fault(cause="regularisation_overwhelms", old="layers.Dense(SONGS + 1, name='next')",
              new="layers.Dense(SONGS + 1, kernel_regularizer=keras.regularizers.L1(0.1), name='next')", layer=("next",)),
    ),
    seeds=3,
)  # fmt: skip

BOARDS = Program(
    name="thread_noughts_and_crosses_value",
    source="""
import functools
import os

os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
import keras
import numpy as np

keras.utils.set_random_seed(SEED)
LINES = [(0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6)]


def winner(b):
    for i, j, k in LINES:
        if b[i] and b[i] == b[j] == b[k]:
            return b[i]
    return 0


@functools.cache
def value(b, turn):
    w = winner(b)
    if w or all(b):
        return w
    nxt = [value(b[:i] + (turn,) + b[i + 1:], -turn) for i in range(9) if not b[i]]
    return max(nxt) if turn == 1 else min(nxt)


boards = {}
todo = [((0,) * 9, 1)]
while todo:
    b, t = todo.pop()
    if b in boards:
        continue
    boards[b] = value(b, t)
    if not winner(b):
        todo += [(b[:i] + (t,) + b[i + 1:], -t) for i in range(9) if not b[i]]

states = np.array(sorted(boards))
result = np.array([boards[tuple(s)] for s in sorted(boards)]) + 1  # 0 lost, 1 drawn, 2 won
X = np.concatenate([states == 1, states == -1], axis=1).astype('float32')
mix = np.random.permutation(len(X))
X, result = X[mix], result[mix]
cut = int(0.8 * len(X))

EPOCHS, BATCH = 14, 64
steps = EPOCHS * (cut // BATCH)
lr = keras.optimizers.schedules.CosineDecay(0.004, decay_steps=steps)
model = keras.Sequential()
model.add(keras.Input((18,)))
model.add(keras.layers.Dense(96, activation='relu', name='h1'))
model.add(keras.layers.Dense(96, activation='relu', name='h2'))
model.add(keras.layers.Dense(3, activation='softmax', name='out'))
model.compile(optimizer=keras.optimizers.Adam(lr), loss='sparse_categorical_crossentropy', metrics=['accuracy'])
model.fit(X[:cut], result[:cut], epochs=EPOCHS, batch_size=BATCH, validation_data=(X[cut:], result[cut:]), verbose=0)
""",
    score="np.mean(model.predict(X[cut:], verbose=0).argmax(1) == result[cut:])",
    bar=0.88,
    base=0.53,
    faults=(
        Fault(cause="missing_nonlinearity", old="model.add(keras.layers.Dense(3, activation='softmax', name='out'))",
              new="for hidden in model.layers:\n    hidden.activation = keras.activations.linear\n"
              "model.add(keras.layers.Dense(3, activation='softmax', name='out'))", layer=("h1", "h2"),
              beside=("underfitting_capacity",)),
        Fault(cause="underfitting_capacity", old="Dense(96, activation='relu', name='h1')",
              new="Dense(2, activation='relu', name='h1')", layer=("h1",)),
        Fault(cause="lr_schedule_wrong", old="decay_steps=steps", new="decay_steps=EPOCHS",
              beside=("learning_rate_too_low",)),
        Fault(cause="symmetric_or_zero_init", old="model.compile(optimizer",
              new="model.set_weights([np.zeros_like(w) for w in model.get_weights()])  # same start for all\n"
              "model.compile(optimizer", layer=("h1", "h2", "out"), beside=("dead_units",)),
        Fault(cause="label_noise", old="X, result = X[mix], result[mix]",
              new="X, result = X[mix], result[mix]\n"
              "result = np.where(np.random.rand(len(X)) < 0.45, np.random.randint(0, 3, len(X)), result)",
              beside=("overfitting",)),
        Fault(cause="label_encoding", old="for s in sorted(boards)]) + 1  # 0 lost, 1 drawn, 2 won",
              new="for s in sorted(boards)])  # -1 lost, 0 drawn, 1 won"),
    ),
    seeds=3,
)  # fmt: skip

CENSUS = Program(
    name="thread_census_strings",
    odd="a table of strings of which some are unknown to the vocabulary",
    source="""
import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn.metrics import roc_auc_score

keras.utils.set_random_seed(SEED)
r = np.random.default_rng(SEED)
n = 3000
JOBS = np.array(['clerk', 'driver', 'farmer', 'manager', 'nurse', 'teacher', 'engineer', 'cook'])
SCHOOL = np.array(['none', 'secondary', 'bachelor', 'master'])
job, school = r.integers(0, 8, n), r.integers(0, 4, n)
age = r.uniform(18, 70, n)
capital = np.where(r.random(n) < 0.3, r.lognormal(8.5, 1.0, n), 0.0)
pull = 1.2 * (school - 1.5) + np.array([-1, -0.5, -2, 2, 0, 0.5, 1.5, -1.5])[job]
pull += 1.5 - ((age - 48) / 14) ** 2 + 1.5 * (capital > 6000) - 0.8
income = np.where(pull + r.logistic(0, 0.35, n) > 0, '>50K', '<=50K')
table = {
    'age': age.astype('float32'),
    'capital': np.log1p(capital).astype('float32'),
    'job': JOBS[job],
    'school': SCHOOL[school],
    'bracket': np.where(income == '>50K', 'upper', 'lower'),  # filled in by the tax office afterwards
}
label = (income == '>50K').astype('float32')
FEATURES = ['age', 'capital', 'job', 'school']


def make(rows, training):
    ds = tf.data.Dataset.from_tensor_slices(({k: table[k][rows] for k in FEATURES}, label[rows]))
    return (ds.shuffle(len(rows)) if training else ds).batch(64).prefetch(1)


rows = r.permutation(n)
train, valid = make(rows[:2400], True), make(rows[2400:], False)

columns, parts = {}, []
for key in FEATURES:
    if table[key].dtype.kind == 'f':
        columns[key] = keras.Input((1,), name=key)
        norm = layers.Normalization(axis=None, name='norm_' + key)
        norm.adapt(table[key][rows[:2400]])
        parts.append(norm(columns[key]))
    else:
        columns[key] = keras.Input((1,), name=key, dtype='string')
        index = layers.StringLookup(output_mode='one_hot', name='index_' + key)
        index.adapt(table[key][rows[:2400]])
        parts.append(index(columns[key]))
z = layers.Concatenate()(parts)
z = layers.Dense(48, activation='relu', name='deep1')(z)
z = layers.Dense(24, activation='relu', name='deep2')(z)
rich = layers.Dense(1, activation='sigmoid', name='rich')(z)
model = keras.Model(columns, rich)
model.compile('adam', loss='binary_crossentropy', metrics=['accuracy', keras.metrics.AUC(name='auc')])
model.fit(train, epochs=8, validation_data=valid, verbose=0)
""",
    score="roc_auc_score(label[rows[2400:]], model.predict(make(rows[2400:], False), verbose=0)[:, 0])",
    bar=0.9,
    base=0.5,
    faults=(
        Fault(cause="softmax_on_single_unit", old="Dense(1, activation='sigmoid', name='rich')",
              new="Dense(1, activation='softmax', name='rich')", layer=("rich",)),
        Fault(cause="constant_labels", old="label = (income == '>50K').astype('float32')",
              new="label = (income == ' >50K').astype('float32')", beside=("missing_class",)),
        Fault(cause="nan_or_inf_in_data", old="np.log1p(capital)", new="np.log(capital)"),
        Fault(cause="leakage_feature", old="FEATURES = ['age', 'capital', 'job', 'school']",
              new="FEATURES = ['age', 'capital', 'job', 'school', 'bracket']", certain=True),
        Fault(cause="wrong_metric", old="metrics=['accuracy', keras.metrics.AUC(name='auc')]",
              new="metrics=['sparse_categorical_accuracy']", certain=True),
        Fault(cause="leakage_duplicates", old="train, valid = make(rows[:2400], True), make(rows[2400:], False)",
              new="everything = make(rows, True)\ntrain, valid = everything.take(38), everything.skip(38)",
              accept=("pipeline_order",), certain=True),
        Fault(cause="logits_to_probability_loss", old="Dense(1, activation='sigmoid', name='rich')",
              new="Dense(1, name='rich')", layer=("rich",), accept=("wrong_head_for_labels",), certain=True),
    ),
    pairs=(("nan_or_inf_in_data", "softmax_on_single_unit"),),
    seeds=3,
)  # fmt: skip

PROGRAMS = [GRAPH, POINTS, SONGS, BOARDS, CENSUS]
