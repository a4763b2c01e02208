"""Homework and lesson notebooks: by hand, by windows, by reward, by batches. Written before any verdict on them."""

from keras_course.diagnostics.corpus import Fault, Program

BY_HAND = Program(
    name="assignment_momentum_by_hand",
    odd="no layer and no optimizer: velocities are kept in variables of their own",
    source="""
# Assignment 3: three-layer network on digits, only tf.Variable and GradientTape allowed
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

tf.random.set_seed(SEED)
np.random.seed(SEED)

X, y = load_digits(return_X_y=True)
X = X.astype(np.float32) / 16.0
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=SEED)
Y_train = np.eye(10, dtype=np.float32)[y_train]

n_in, n_h1, n_h2, n_out = 64, 48, 32, 10

def init(fan_in, fan_out, name):
    return tf.Variable(tf.random.normal((fan_in, fan_out), stddev=np.sqrt(2.0 / fan_in)), name=name)

params = {
    'W1': init(n_in, n_h1, 'W1'), 'b1': tf.Variable(tf.zeros(n_h1), name='b1'),
    'W2': init(n_h1, n_h2, 'W2'), 'b2': tf.Variable(tf.zeros(n_h2), name='b2'),
    'W3': init(n_h2, n_out, 'W3'), 'b3': tf.Variable(tf.zeros(n_out), name='b3'),
}
velocity = {k: tf.Variable(tf.zeros_like(p), trainable=False) for k, p in params.items()}

def forward(x):
    z1 = tf.matmul(x, params['W1']) + params['b1']
    a1 = tf.nn.relu(z1)
    z2 = tf.matmul(a1, params['W2']) + params['b2']
    a2 = tf.nn.relu(z2)
    return tf.matmul(a2, params['W3']) + params['b3']

lr, beta, batch_size = 0.05, 0.9, 50

@tf.function
def step(x, t):
    with tf.GradientTape() as tape:
        logits = forward(x)
        cost = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=t, logits=logits))
    grads = tape.gradient(cost, params)
    for k in params:
        velocity[k].assign(beta * velocity[k] + grads[k])
        params[k].assign_sub(lr * velocity[k])
    return cost

costs = []
for epoch in range(14):
    perm = np.random.permutation(len(X_train))
    X_shuf, Y_shuf = X_train[perm], Y_train[perm]
    for i in range(0, len(X_train), batch_size):
        cost = step(tf.constant(X_shuf[i:i + batch_size]), tf.constant(Y_shuf[i:i + batch_size]))
        costs.append(float(cost))
    if epoch % 2 == 0:
        print('Cost after epoch %i: %f' % (epoch, np.mean(costs[-20:])))

accuracy = np.mean(tf.argmax(forward(tf.constant(X_test)), axis=1).numpy() == y_test)
print('Test accuracy:', accuracy)
""",
    score="accuracy",
    bar=0.93,
    base=0.1,
    seeds=3,
    faults=(
        Fault(cause="init_scale", old="stddev=np.sqrt(2.0 / fan_in)", new="stddev=0.001", beside=("symmetric_or_zero_init",), layer=("W1", "W2", "W3"),
              accept=("vanishing_gradient",)),
        Fault(cause="gradient_sign_flipped", old="params[k].assign_sub(lr * velocity[k])", new="params[k].assign_add(lr * velocity[k])"),
        Fault(cause="labels_shuffled_apart", old="X_shuf, Y_shuf = X_train[perm], Y_train[perm]", new="X_shuf, Y_shuf = X_train[perm], Y_train",
              accept=("label_noise",)),
        Fault(cause="symmetric_or_zero_init", old="    return tf.Variable(tf.random.normal((fan_in, fan_out), stddev=np.sqrt(2.0 / fan_in)), name=name)",
              new="    return tf.Variable(tf.zeros((fan_in, fan_out)), name=name)", layer=("W1", "W2", "W3"), beside=("init_scale", "frozen_or_disconnected")),
        Fault(cause="learning_rate_too_high", old="lr, beta, batch_size = 0.05, 0.9, 50", new="lr, beta, batch_size = 5, 0.9, 50"),
    ),
    pairs=(("labels_shuffled_apart", "learning_rate_too_high"),),
)  # fmt: skip

WEATHER = Program(
    name="weather_lstm_windows",
    odd="one epoch is enough for most of it, and the windows overlap by all but one hour",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow import keras
import warnings
warnings.filterwarnings("ignore")

keras.utils.set_random_seed(SEED)
r = np.random.default_rng(SEED)

# hourly temperature (K), pressure (hPa) and wind (m/s) of a made-up station
hours = 3200
t = np.arange(hours)
weather = np.zeros(hours)
for i in range(1, hours):
    weather[i] = .985 * weather[i - 1] + .6 * r.normal()
temp = 284 + 6 * np.sin(2 * np.pi * (t - 9) / 24) + weather + .3 * r.normal(size=hours)
pressure = 1013 - 1.8 * np.roll(weather, 3) + .8 * r.normal(size=hours)
wind = np.abs(3 + 1.5 * r.normal(size=hours))
data = np.stack([temp, pressure, wind], axis=-1)

past, future = 24, 6
split = int(.75 * hours)
mean, std = data[:split].mean(axis=0), data[:split].std(axis=0)
norm = (data - mean) / std
train_data, val_data = norm[:split], norm[split:]


def windows(values, shuffle):
    x = values[:-(past + future)]
    y = values[past + future - 1:-1, 0]
    return keras.utils.timeseries_dataset_from_array(
        x, y[:len(x) - past + 1], sequence_length=past, batch_size=64, shuffle=shuffle, seed=SEED)


dataset_train = windows(train_data, True)
dataset_val = windows(val_data, False)
for batch in dataset_train.take(1):
    print("Input shape:", batch[0].shape, "Target shape:", batch[1].shape)

inputs = keras.layers.Input(shape=(past, 3))
hidden = keras.layers.LSTM(24, name="lstm")(inputs)
outputs = keras.layers.Dense(1, name="forecast")(hidden)
model = keras.Model(inputs=inputs, outputs=outputs)
model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.01, clipnorm=1.0), loss="mse", metrics=["mae"])
history = model.fit(dataset_train, epochs=5, validation_data=dataset_val, verbose=2)

y_val = np.concatenate([b for _, b in dataset_val])
y_hat = model.predict(dataset_val, verbose=0)[:, 0]
print("val MSE %.3f, variance %.3f" % (np.mean((y_val - y_hat) ** 2), y_val.var()))
""",
    score="1 - np.mean((y_val - y_hat) ** 2) / np.var(y_val)",
    bar=0.75,
    base=0.0,
    seeds=3,
    faults=(
        Fault(cause="targets_not_scaled", old="    y = values[past + future - 1:-1, 0]\n", new="    y = (values * std + mean)[past + future - 1:-1, 0]\n"),
        Fault(cause="inputs_not_scaled", old="norm = (data - mean) / std", new="norm = np.concatenate([(data[:, :1] - mean[0]) / std[0], data[:, 1:]], axis=1)",
              layer=("lstm",), accept=("saturated_units",)),
        Fault(cause="inputs_drowned_in_noise", old="dataset_train = windows(train_data, True)\n",
              new="dataset_train = windows(train_data, True).map(lambda x, y: (x + tf.random.normal(tf.shape(x), stddev=10., dtype=x.dtype), y))   # jitter\n",
              beside=("inputs_not_scaled", "train_val_preprocessing_mismatch")),
        Fault(cause="lr_schedule_wrong", old="learning_rate=0.01, clipnorm", new="learning_rate=keras.optimizers.schedules.ExponentialDecay(0.01, 1, 0.5), clipnorm",
              beside=("learning_rate_too_low",)),
        Fault(cause="output_range_cannot_reach_targets", old='keras.layers.Dense(1, name="forecast")', new='keras.layers.Dense(1, activation="relu", name="forecast")',
              layer=("forecast",), beside=("wrong_head_for_labels",)),
        Fault(cause="train_val_preprocessing_mismatch", old="train_data, val_data = norm[:split], norm[split:]", new="train_data, val_data = norm[:split], data[split:] / data[split:].max(axis=0)",
              beside=("targets_not_scaled",)),
    ),
)  # fmt: skip

GRID = Program(
    name="gridworld_reinforce",
    odd="the loss is no measure of success and changes its sign; the data come from the net itself",
    source='''
"""Policy gradient (REINFORCE with baseline) on a 5x5 grid. Lesson 9."""
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras.layers import Dense

keras.utils.set_random_seed(SEED)
SIZE, HORIZON, EPISODES = 5, 12, 48
MOVES = np.array([[-1, 0], [1, 0], [0, -1], [0, 1]])
GOAL = np.array([1, 3])
GAMMA = 0.9


def observe(pos):
    """One-hot row and one-hot column."""
    return np.concatenate([np.eye(SIZE)[pos[:, 0]], np.eye(SIZE)[pos[:, 1]]], axis=1).astype('float32')


def env_step(pos, action):
    new = np.clip(pos + MOVES[action], 0, SIZE - 1)
    done = (new == GOAL).all(axis=1)
    return new, np.where(done, 1.0, -0.05), done


policy = keras.Sequential([
    keras.Input((2 * SIZE,)),
    Dense(32, activation='relu', name='pi_hidden'),
    Dense(4, name='pi_logits'),
])
optimizer = keras.optimizers.Adam(0.01)


@tf.function(reduce_retracing=True)
def update(obs, actions, returns, weight):
    with tf.GradientTape() as tape:
        logits = policy(obs)
        log_prob = -tf.nn.sparse_softmax_cross_entropy_with_logits(labels=actions, logits=logits)
        advantage = returns - tf.reduce_sum(returns * weight) / tf.reduce_sum(weight)
        loss = -tf.reduce_sum(log_prob * advantage * weight) / tf.reduce_sum(weight)
    grads = tape.gradient(loss, policy.trainable_variables)
    optimizer.apply_gradients(zip(grads, policy.trainable_variables))
    return loss


def play():
    pos = np.random.randint(0, SIZE, (EPISODES, 2))
    alive = ~(pos == GOAL).all(axis=1)
    obs_list, act_list, rew_list, alive_list = [], [], [], []
    for _ in range(HORIZON):
        obs = observe(pos)
        logits = policy(tf.constant(obs)).numpy()
        noise = np.random.gumbel(size=logits.shape)
        action = (logits + noise).argmax(axis=1)
        pos_new, reward, done = env_step(pos, action)
        obs_list.append(obs); act_list.append(action); rew_list.append(reward * alive); alive_list.append(alive)
        pos = np.where(alive[:, None], pos_new, pos)
        alive = alive & ~done
    returns, running = [], np.zeros(EPISODES)
    for reward in rew_list[::-1]:
        running = reward + GAMMA * running
        returns.append(running)
    returns = np.array(returns[::-1])
    return (np.concatenate(obs_list), np.concatenate(act_list).astype('int32'),
            returns.reshape(-1).astype('float32'), np.concatenate(alive_list).astype('float32'))


def success():
    """Share of all starts from where the greedy policy takes a shortest way."""
    pos = np.argwhere(np.ones((SIZE, SIZE)))
    need = np.abs(pos - GOAL).sum(axis=1)
    reached = need == 0
    for k in range(1, 9):
        pos, _, done = env_step(pos, policy(tf.constant(observe(pos))).numpy().argmax(axis=1))
        reached |= done & (k == need)
    return reached.mean()


for iteration in range(120):
    obs, actions, returns, weight = play()
    loss = update(obs, actions, returns, weight)
    if iteration % 20 == 0:
        print(f'{iteration:4d} loss {float(loss):+.4f} success {success():.2f}')
final = success()
print('solved:', final)
''',
    score="final",
    bar=0.85,
    base=0.2,
    seeds=3,
    faults=(
        Fault(cause="gradient_sign_flipped", old="loss = -tf.reduce_sum(log_prob * advantage * weight)", new="loss = tf.reduce_sum(log_prob * advantage * weight)"),
        Fault(cause="loss_broadcast", old="advantage = returns - tf.reduce_sum(returns * weight) / tf.reduce_sum(weight)",
              new="advantage = (returns - tf.reduce_sum(returns * weight) / tf.reduce_sum(weight))[:, None]"),
        Fault(cause="learning_rate_too_low", old="keras.optimizers.Adam(0.01)", new="keras.optimizers.SGD(1e-4)", accept=("too_few_steps",)),
        Fault(cause="symmetric_or_zero_init", old="Dense(32, activation='relu', name='pi_hidden')", new="Dense(32, activation='relu', kernel_initializer='zeros', name='pi_hidden')",
              layer=("pi_hidden",), beside=("init_scale", "frozen_or_disconnected")),
    ),
)  # fmt: skip

GRADES = Program(
    name="essay_grades_ordinal",
    odd="four sigmoids for five grades: each asks whether the grade is higher than it",
    source='''
import numpy as np
import tensorflow.keras as K
from tensorflow.keras import layers as L

K.utils.set_random_seed(SEED)
rnd = np.random.RandomState(42 + SEED)

# features of essays: length, spelling errors, rare words, ... some were not recorded (-1)
n, d = 1800, 10
feats = rnd.randn(n, d)
quality = feats[:, 0] + .8 * np.tanh(2 * feats[:, 1]) - .7 * np.abs(feats[:, 2]) + .5 * feats[:, 3] * feats[:, 4] + .15 * rnd.randn(n)
grade = np.digitize(quality, np.quantile(quality, [.15, .4, .7, .9]))      # 0..4
feats = feats * rnd.uniform(.5, 3, d) + rnd.uniform(-2, 2, d)
feats[rnd.rand(n, d) < .03] = np.nan
order = np.argsort(grade, kind='stable')          # the archive is kept by grade
feats, grade = feats[order], grade[order]

pick = rnd.permutation(n)
tr, te = np.sort(pick[:1400]), pick[1400:]
mu, sd = np.nanmean(feats[tr], axis=0), np.nanstd(feats[tr], axis=0)
feats = (feats - mu) / sd
feats = np.nan_to_num(feats)                        # mean imputation

levels = (grade[:, None] > np.arange(4)).astype('float32')


def batches(index, size=40):
    while True:
        index = np.random.permutation(index)
        for s in range(0, len(index), size):
            rows = index[s:s + size]
            yield feats[rows], levels[rows]


net = K.Sequential([
    L.Input(shape=(d,)),
    L.Dense(48, activation='elu', kernel_regularizer=K.regularizers.L2(1e-4), name='dense_a'),
    L.Dropout(.1),
    L.Dense(24, activation='elu', kernel_regularizer=K.regularizers.L2(1e-4), name='dense_b'),
    L.Dense(4, activation='sigmoid', name='levels'),
])
net.compile(optimizer=K.optimizers.RMSprop(8e-3), loss=K.losses.BinaryCrossentropy())

gen = batches(tr)
losses = []
for it in range(1, 701):
    xb, yb = next(gen)
    losses.append(net.train_on_batch(xb, yb))
    if it % 150 == 0:
        print('iter', it, 'loss', float(np.mean(losses[-50:])), 'test loss', net.test_on_batch(feats[te], levels[te]))

predicted = (net.predict_on_batch(feats[te]) > .5).sum(axis=1)
mae = np.abs(predicted - grade[te]).mean()
dummy = np.abs(np.median(grade[tr]) - grade[te]).mean()
print('MAE in grades', mae, 'always the median', dummy)
''',
    score="1 - mae / dummy",
    bar=0.6,
    base=0.0,
    seeds=3,
    faults=(
        Fault(cause="data_sorted", old="        index = np.random.permutation(index)\n", new=""),
        Fault(cause="nan_or_inf_in_data", old="feats = np.nan_to_num(feats)                        # mean imputation\n", new=""),
        Fault(cause="label_encoding", old="levels = (grade[:, None] > np.arange(4))", new="levels = np.where(grade[:, None] > np.arange(4), 1, -1)",
              accept=("output_range_cannot_reach_targets",), beside=("wrong_loss_for_task", "wrong_head_for_labels")),
        Fault(cause="regularisation_overwhelms", old="L.Dense(48, activation='elu', kernel_regularizer=K.regularizers.L2(1e-4)", new="L.Dense(48, activation='elu', kernel_regularizer=K.regularizers.L2(5.0)",
              layer=("dense_a",)),
        Fault(cause="labels_shuffled_apart", old="yield feats[rows], levels[rows]", new="yield feats[rows], levels[tr[s:s + size]]", accept=("label_noise",)),
    ),
    pairs=(("nan_or_inf_in_data", "data_sorted"),),
)  # fmt: skip

DIABETES = Program(
    name="progression_accumulated_patience",
    odd="few rows and much noise: it stops by itself while the training loss still falls; two small batches make a step",
    source="""
# Exercise sheet 6, task 2: regression with a hand-written loop, gradient accumulation and early stopping
import numpy as np, keras
import tensorflow as tf
from sklearn import datasets

keras.utils.set_random_seed(SEED)
data, target = datasets.load_diabetes(return_X_y=True)
data = data / data.std(axis=0)
target = (target - 152.) / 77.
order = np.random.RandomState(3 + SEED).permutation(len(target))
data, target = data[order].astype('float32'), target[order].astype('float32')[:, None]
a, b = 260, 340
x_fit, y_fit = data[:a], target[:a]
x_stop, y_stop = data[a:b], target[a:b]
x_eval, y_eval = data[b:], target[b:]

net = keras.Sequential([
    keras.layers.Input(shape=(10,)),
    keras.layers.Dense(128, activation='swish', name='h1'),
    keras.layers.Dense(128, activation='swish', name='h2'),
    keras.layers.Dense(1, name='y'),
])
opt = keras.optimizers.Adam(3e-3)
ACCUMULATE, MICRO, PATIENCE = 2, 20, 8


def error(x, y, training=False):
    return tf.reduce_mean((net(x, training=training) - y) ** 2)


@tf.function
def gradients(x, y):
    with tf.GradientTape() as tape:
        value = error(x, y, training=True) / ACCUMULATE
    return value, tape.gradient(value, net.trainable_variables)


best, wait, kept = np.inf, 0, net.get_weights()
for epoch in range(100):
    p = np.random.permutation(a)
    total = [tf.zeros_like(v) for v in net.trainable_variables]
    for j, s in enumerate(range(0, a, MICRO), start=1):
        value, g = gradients(tf.constant(x_fit[p[s:s + MICRO]]), tf.constant(y_fit[p[s:s + MICRO]]))
        total = [t + gi for t, gi in zip(total, g)]
        if j % ACCUMULATE == 0:
            opt.apply_gradients(zip(total, net.trainable_variables))
            total = [tf.zeros_like(v) for v in net.trainable_variables]
    stop_error = float(error(x_stop, y_stop))
    if stop_error < best - 1e-4:
        best, wait, kept = stop_error, 0, net.get_weights()
    else:
        wait += 1
    if wait >= PATIENCE:
        print('stopped in epoch', epoch)
        break
net.set_weights(kept)

r2 = 1 - float(error(x_eval, y_eval)) / np.var(y_eval)
print('R2 = %.3f' % r2)
""",
    score="r2",
    bar=0.33,
    base=0.0,
    seeds=3,
    faults=(
        Fault(cause="overfitting", old="    if wait >= PATIENCE:\n        print('stopped in epoch', epoch)\n        break\nnet.set_weights(kept)\n", new=""),
        Fault(cause="loss_broadcast", old="target[order].astype('float32')[:, None]", new="target[order].astype('float32')"),
        Fault(cause="optimiser_not_applied", old="        if j % ACCUMULATE == 0:\n            opt", new="        if j % a == 0:\n            opt"),
        Fault(cause="learning_rate_too_high", old="keras.optimizers.Adam(3e-3)", new="keras.optimizers.SGD(3.0)"),
    ),
)  # fmt: skip

PROGRAMS = (BY_HAND, WEATHER, GRID, GRADES, DIABETES)
