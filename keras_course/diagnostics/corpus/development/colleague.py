"""Scripts a colleague left in a shared folder: a race card, a factorisation machine by hand, the wind's direction."""

from keras_course.diagnostics.corpus import Fault, Program

RACES = Program(
    name="colleague_race_card",
    odd="a head of one unit is followed by a softmax, which runs over the eight starters of a race",
    source="""
import keras
import numpy as np
from keras import layers

# who wins? eight starters, scored one by one with the same weights
keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
RUNNERS = 8
COLUMNS = ['rating', 'weight_kg', 'age', 'days_off', 'gate', 'jockey_rate']


def meeting(n_races):
    shape = (n_races, RUNNERS)
    rating = rng.normal(78, 9, shape)
    weight = rng.normal(57, 2.5, shape)
    age = rng.uniform(2, 10, shape)
    days = rng.gamma(2.0, 15.0, shape)
    gate = np.argsort(rng.random(shape), axis=1) + 1.0
    jockey = rng.beta(3, 20, shape)
    form = 0.11 * (rating - 78) - 0.25 * (weight - 57) - 0.16 * (age - 5.5) ** 2
    form = form - 0.9 * np.abs(np.log(days / 24)) + 9 * jockey - 0.03 * (gate - 4.5) ** 2
    pace = form + rng.gumbel(0, 0.45, shape)
    table = np.stack([rating, weight, age, days, gate, jockey], axis=-1)
    return table, pace


card, pace = meeting(2600)
card_val, pace_val = meeting(400)
card_test, pace_test = meeting(600)

mean = card.mean(axis=(0, 1))
std = card.std(axis=(0, 1))
z, z_val, z_test = (card - mean) / std, (card_val - mean) / std, (card_test - mean) / std


def winner(pace):
    return np.argsort(-pace, axis=1)[:, 0]


ACT, DEPTH = 'relu', 2
starters = layers.Input((RUNNERS, len(COLUMNS)))
h = starters
for d in range(DEPTH):
    h = layers.Dense(40, activation=ACT, name=f'fc{d}')(h)
strength = layers.Dense(1, name='strength')(h)
chance = layers.Softmax(axis=-1, name='chance')(layers.Flatten()(strength))
model = keras.Model(starters, chance, name='race_card')
model.compile(keras.optimizers.SGD(0.05, momentum=0.9), 'sparse_categorical_crossentropy',
              metrics=['accuracy', keras.metrics.SparseTopKCategoricalAccuracy(k=3, name='place')])
model.fit(z, winner(pace), batch_size=32, epochs=11, validation_data=(z_val, winner(pace_val)), verbose=0)

chances = model.predict(z_test, verbose=0)
hits = np.mean(chances.argmax(axis=1) == pace_test.argmax(axis=1))
print('favourite wins in', hits)
""",
    score="hits",
    bar=0.64,
    base=0.125,
    faults=(
        Fault(cause="missing_nonlinearity", old="ACT, DEPTH = 'relu', 2", new="ACT, DEPTH = None, 2",
              layer=("fc0", "fc1"), beside=("underfitting_capacity",)),
        Fault(cause="softmax_on_single_unit",
              old="chance = layers.Softmax(axis=-1, name='chance')(layers.Flatten()(strength))",
              new="chance = layers.Flatten()(layers.Softmax(axis=-1, name='chance')(strength))", layer=("chance",),
              beside=("input_ignored", "wrong_head_for_labels")),
        Fault(cause="leakage_feature",
              old="    table = np.stack([rating, weight, age, days, gate, jockey], axis=-1)\n",
              new="    margin = pace.max(axis=1, keepdims=True) - pace\n"
              "    table = np.stack([rating, weight, age, days, margin, jockey], axis=-1)\n", certain=True),
        Fault(cause="dead_units", old="layers.Dense(40, activation=ACT, name=f'fc{d}')",
              new="layers.Dense(40, activation=ACT, bias_initializer=keras.initializers.Constant(-4), name=f'fc{d}')",
              layer=("fc0", "fc1"),
              beside=("frozen_or_disconnected", "input_ignored", "init_scale", "vanishing_gradient")),
        Fault(cause="overfitting", old="model.fit(z, winner(pace), batch_size=32, epochs=11, ",
              new="model.fit(z[:30], winner(pace[:30]), batch_size=10, epochs=80, "),
    ),
    seeds=3,
)  # fmt: skip

FACTORS = Program(
    name="colleague_coupon_factors",
    odd="a factorisation machine in plain variables, without a layer or an optimiser",
    source="""
import numpy as np
import tensorflow as tf

rnd = np.random.RandomState(SEED)
tf.random.set_seed(SEED)

FIELDS = {'segment': 8, 'product': 14, 'weekday': 7, 'channel': 5}
n_rows, n_train = 9000, 7500
columns = [rnd.randint(0, k, n_rows) for k in FIELDS.values()]
discount = rnd.uniform(5, 50, n_rows)
price = rnd.lognormal(3.0, 0.6, n_rows)

# who redeems the coupon: mostly a matter of who gets what
taste = rnd.normal(0, 1.6, (8, 2)) @ rnd.normal(0, 1.0, (2, 14))
timing = rnd.normal(0, 0.9, (7, 5))
signal = taste[columns[0], columns[1]] + timing[columns[2], columns[3]]
signal = signal + 0.04 * (discount - 27) - 0.02 * (price - 24)
redeemed = signal + rnd.logistic(0, 0.5, n_rows) > np.median(signal)

onehot = [np.eye(k)[c] for c, k in zip(columns, FIELDS.values())]
numeric = np.stack([(discount - 27.5) / 13, (np.log(price) - 3) / 0.6], axis=1)
X = np.concatenate(onehot + [numeric], axis=1).astype('float32')
y = redeemed.astype('float32')
X_train, y_train = tf.constant(X[:n_train]), tf.constant(y[:n_train])
X_test, y_test = tf.constant(X[n_train:]), y[n_train:]

RANK = 6
bias = tf.Variable(0.0)
w = tf.Variable(tf.zeros((X.shape[1], 1)))
V = tf.Variable(tf.random.normal((X.shape[1], RANK), stddev=0.2))


def score(x):
    linear = (x @ w)[:, 0]
    pairs = 0.5 * tf.reduce_sum((x @ V) ** 2 - (x ** 2) @ (V ** 2), axis=1)
    return bias + linear + pairs


rate, l2 = 0.4, 3e-4


@tf.function
def sgd(x, y):
    with tf.GradientTape() as tape:
        f = score(x)
        nll = tf.reduce_mean(tf.nn.softplus(f) - y * f)
        cost = nll + l2 * (tf.reduce_sum(w ** 2) + tf.reduce_sum(V ** 2))
    for v, g in zip([bias, w, V], tape.gradient(cost, [bias, w, V])):
        v.assign_sub(rate * g)
    return nll


for epoch in range(24):
    order = rnd.permutation(n_train)
    nlls = []
    for i in range(0, n_train - 63, 64):
        idx = order[i:i + 64]
        nlls.append(sgd(tf.gather(X_train, idx), tf.gather(y_train, idx)).numpy())
    if epoch % 6 == 0:
        rate_now = np.mean(nlls)
        print(f'{epoch:3d}  nll {rate_now:.4f}')

f_test = score(X_test).numpy()
hit = np.mean((f_test > 0) == y_test)
print('right about', hit)
""",
    score="hit",
    bar=0.83,
    base=0.5,
    faults=(
        Fault(cause="symmetric_or_zero_init", old="tf.random.normal((X.shape[1], RANK), stddev=0.2)",
              new="tf.zeros((X.shape[1], RANK))", beside=("frozen_or_disconnected", "underfitting_capacity")),
        Fault(cause="loss_broadcast", old="tf.constant(y[:n_train])", new="tf.constant(y[:n_train, None])",
              beside=("input_ignored",)),
        Fault(cause="probabilities_to_logits_loss", old="    return bias + linear + pairs",
              new="    return tf.sigmoid(bias + linear + pairs)", beside=("saturated_units",)),
        Fault(cause="regularisation_overwhelms", old="rate, l2 = 0.4, 3e-4", new="rate, l2 = 0.4, 0.3"),
        Fault(cause="exploding_gradient", old="        nll = tf.reduce_mean(tf.nn.softplus(f) - y * f)\n",
              new="        nll = tf.reduce_sum(tf.nn.softplus(f) - y * f)\n", accept=("learning_rate_too_high",),
              beside=("oscillation", "nan_or_inf_in_data")),
        Fault(cause="leakage_duplicates", old="X_train, y_train = tf.constant(X[:n_train]), ",
              new="again = rnd.randint(0, n_rows, n_rows)\n"
              "X, y = X[again], y[again]\n"
              "X_train, y_train = tf.constant(X[:n_train]), ", certain=True),
    ),
    seeds=3,
)  # fmt: skip

WIND = Program(
    name="colleague_wind_direction",
    odd="the loss is a negative cosine and goes down to minus one",
    source="""
import keras
import numpy as np
from keras import layers, ops
from sklearn.preprocessing import StandardScaler

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

# direction of the wind in six hours from what the mast measures now
n = 3600
heading = rng.uniform(0, 360, n)
speed = rng.gamma(3, 2.2, n)
dp_dx = rng.normal(0, 140, n)             # Pa per 100 km
dp_dy = rng.normal(0, 140, n)
temperature = rng.normal(284, 7, n)
hour = rng.uniform(0, 24, n)
u, v = speed * np.sin(np.radians(heading)), speed * np.cos(np.radians(heading))
breeze = 2.5 * np.sin(2 * np.pi * (hour - 8) / 24) * (temperature > 285)
u_later = 0.6 * u - 0.045 * dp_dy + breeze + rng.normal(0, 0.5, n)
v_later = 0.6 * v + 0.045 * dp_dx + 0.05 * np.abs(u) * v / 4 + rng.normal(0, 0.5, n)
bearing = np.degrees(np.arctan2(u_later, v_later)) % 360

X = np.stack([u, v, dp_dx, dp_dy, temperature, np.sin(2 * np.pi * hour / 24), np.cos(2 * np.pi * hour / 24)], axis=1)
angle = np.radians(bearing)
Y = np.stack([np.sin(angle), np.cos(angle)], axis=1).astype('float32')

scaler = StandardScaler().fit(X[:2600])
X_tr, Y_tr = scaler.transform(X[:2600]), Y[:2600]
X_va, Y_va = scaler.transform(X[2600:3000]), Y[2600:3000]
X_te, Y_te = scaler.transform(X[3000:]), Y[3000:]


def cosine_loss(y_true, y_pred):
    return -ops.sum(y_true * y_pred, axis=-1)


def degrees_off(y_true, y_pred):
    cosine = ops.clip(ops.sum(y_true * y_pred, axis=-1), -1.0, 1.0)
    return ops.arccos(cosine) * 180 / np.pi


HIDDEN, UNITS, ACTIVATION = 2, 48, 'tanh'
net = keras.Sequential()
net.add(layers.Input((7,)))
for k in range(HIDDEN):
    net.add(layers.Dense(UNITS, activation=ACTIVATION, name=f'h{k + 1}'))
net.add(layers.Dense(2, name='vector'))
net.add(layers.UnitNormalization())
net.compile(optimizer=keras.optimizers.RMSprop(1e-3), loss=cosine_loss, metrics=[degrees_off])
decay = keras.callbacks.LearningRateScheduler(lambda epoch, lr: lr * 0.93)
hist = net.fit(X_tr, Y_tr, validation_data=(X_va, Y_va), epochs=25, batch_size=40, callbacks=[decay], verbose=0)
print({name: values[-1] for name, values in hist.history.items()})

guess = net.predict(X_te, verbose=0)
agreement = float(np.mean(np.sum(guess * Y_te, axis=1)))
print('mean cosine', agreement)
""",
    score="agreement",
    bar=0.9,
    base=0.0,
    faults=(
        Fault(cause="label_noise", old="angle = np.radians(bearing)\n", new="angle = bearing\n",
              accept=("label_encoding",), beside=("overfitting", "labels_shuffled_apart")),
        Fault(cause="wrong_metric", old="metrics=[degrees_off]", new="metrics=['accuracy']", certain=True,
              accept=("loss_metric_inconsistent",)),
        Fault(cause="train_val_preprocessing_mismatch",
              old="X_va, Y_va = scaler.transform(X[2600:3000]), Y[2600:3000]",
              new="X_va, Y_va = X[2600:3000], Y[2600:3000]", certain=True, beside=("inputs_not_scaled",)),
        Fault(cause="wrong_loss_for_task", old="loss=cosine_loss", new="loss='categorical_crossentropy'",
              beside=("logits_to_probability_loss", "output_range_cannot_reach_targets", "label_encoding",
                      "wrong_head_for_labels")),
        Fault(cause="underfitting_capacity", old="HIDDEN, UNITS, ACTIVATION = 2, 48, 'tanh'",
              new="HIDDEN, UNITS, ACTIVATION = 2, 1, 'tanh'", layer=("h1", "h2")),
        Fault(cause="vanishing_gradient", old="HIDDEN, UNITS, ACTIVATION = 2, 48, 'tanh'",
              new="HIDDEN, UNITS, ACTIVATION = 9, 48, 'sigmoid'", layer=("h1", "h2", "h3"),
              beside=("input_ignored", "saturated_units", "init_scale")),
        Fault(cause="labels_shuffled_apart", old="scaler = StandardScaler().fit(X[:2600])\n",
              new="X[:2600] = rng.permutation(X[:2600])\nscaler = StandardScaler().fit(X[:2600])\n",
              accept=("label_noise",)),
        Fault(cause="lr_schedule_wrong", old="lambda epoch, lr: lr * 0.93",
              new="lambda epoch, lr: lr * 0.1",
              beside=("too_few_steps", "learning_rate_too_low")),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (RACES, FACTORS, WIND)
