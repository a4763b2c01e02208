"""Programs ported from another framework, with loops of their own: ranking, cloning, experts, roll-outs."""

from keras_course.diagnostics.corpus import Fault, Program

RANK = Program(
    name="port_search_ranknet",
    odd="gradients of two batches are added before a step, and no output has a label",
    source="""
import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(SEED)
g = np.random.default_rng(SEED)
QUERIES, DOCS = 300, 10
match = g.beta(2, 3, (QUERIES, DOCS))
length = g.lognormal(7.5, 0.8, (QUERIES, DOCS))
clicks = g.poisson(40 * match ** 2)
age = g.uniform(0, 3000, (QUERIES, DOCS))
spam = g.random((QUERIES, DOCS))
quality = 3 * match * (age < 1500) + 0.04 * clicks - 1.5 * (spam > 0.7) + np.exp(-(np.log(length) - 7.5) ** 2)
rel = np.digitize(quality + g.normal(0, 0.3, quality.shape), [0.5, 1.5, 2.5])
feats = np.stack([match, length, clicks, age, spam], -1)
feats = (feats - feats[:240].mean((0, 1))) / feats[:240].std((0, 1))
feats = feats.astype('float32')
train_queries = np.arange(240)
test_x, test_rel = feats[240:], rel[240:]

scorer = keras.Sequential([
    keras.Input((DOCS, 5)),
    keras.layers.Dense(48, activation='relu', name='fc1'),
    keras.layers.Dense(48, activation='relu', name='fc2'),
    keras.layers.Dense(1, name='score'),
])
optimizer = keras.optimizers.Adam(learning_rate=0.004)
ACCUMULATE, DECAY = 2, 1e-5


def pairwise(x, r):
    s = scorer(x, training=True)[:, :, 0]
    gap = s[:, :, None] - s[:, None, :]
    better = tf.cast(r[:, :, None] > r[:, None, :], tf.float32)
    return tf.reduce_sum(better * tf.nn.softplus(-gap)) / tf.reduce_sum(better)


@tf.function
def backward(x, r):
    with tf.GradientTape() as tape:
        loss = pairwise(x, r)
        loss += DECAY * tf.add_n([tf.nn.l2_loss(w) for w in scorer.trainable_variables if len(w.shape) > 1])
    return loss, tape.gradient(loss, scorer.trainable_variables)


for epoch in range(25):
    order = np.random.permutation(train_queries)
    buffer = [tf.zeros_like(w) for w in scorer.trainable_variables]
    for k, batch in enumerate(np.array_split(order, 24)):
        loss, grads = backward(feats[batch], rel[batch])
        buffer = [b + d / ACCUMULATE for b, d in zip(buffer, grads)]
        if (k + 1) % ACCUMULATE == 0:
            optimizer.apply_gradients(zip(buffer, scorer.trainable_variables))
            buffer = [tf.zeros_like(w) for w in scorer.trainable_variables]

s = scorer(test_x).numpy()[:, :, 0]
pairs = test_rel[:, :, None] > test_rel[:, None, :]
ordered = np.mean((s[:, :, None] > s[:, None, :])[pairs])
""",
    score="ordered",
    bar=0.88,
    base=0.5,
    faults=(
        Fault(cause="optimiser_not_applied", old="ACCUMULATE, DECAY = 2, 1e-5", new="ACCUMULATE, DECAY = 64, 1e-5"),
        Fault(cause="gradient_sign_flipped", old="[b + d / ACCUMULATE", new="[b - d / ACCUMULATE"),
        Fault(cause="regularisation_overwhelms", old="ACCUMULATE, DECAY = 2, 1e-5", new="ACCUMULATE, DECAY = 2, 1.0",
              tag="decay"),
        Fault(cause="labels_shuffled_apart", old="backward(feats[batch], rel[batch])",
              new="backward(feats[np.random.permutation(240)[: len(batch)]], rel[batch])", accept=("label_noise",)),
        Fault(cause="constant_labels", old="[0.5, 1.5, 2.5])", new="[50, 150, 250])",
              beside=("nan_or_inf_in_data", "missing_class")),
        Fault(cause="inputs_not_scaled", old="feats = (feats - feats[:240].mean((0, 1))) / feats[:240].std((0, 1))\n",
              new=""),
    ),
    seeds=3,
)  # fmt: skip

CLONE = Program(
    name="port_crane_behaviour_cloning",
    source="""
import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)


def crane(n):
    # position in mm, speed in mm/s, swing in degrees and degrees/s; the driver's lever: 0 back, 1 rest, 2 forth
    s = np.stack([rng.uniform(-40000, 40000, n), rng.normal(0, 3000, n), rng.normal(0, 25, n), rng.normal(0, 40, n)], 1)
    swing = np.radians(s[:, 2])
    wish = -s[:, 0] / 15e3 - s[:, 1] / 2e3 + 3 * np.sin(2 * swing) + np.radians(s[:, 3]) * np.cos(swing) * 1.5
    wish = np.where(np.abs(s[:, 2]) > 35, 4 * np.sign(s[:, 2]), wish)
    return s.astype('float32'), np.digitize(wish + rng.normal(0, 0.1, n), [-1.1, 1.1])


logs, lever = crane(3000)
by_lever = {k: logs[lever == k] for k in range(3)}
states = np.concatenate([by_lever[k] for k in (0, 1, 2)])
actions = np.concatenate([np.full(len(by_lever[k]), k) for k in (0, 1, 2)])
shuffled = rng.permutation(len(states))
states, actions = states[shuffled], actions[shuffled]

observation = keras.Input((4,))
norm = layers.Normalization(name='norm')
norm.adapt(states)
h = norm(observation)
for i in range(3):
    h = layers.Dense(48, activation='tanh', name=f'fc{i}')(h)
policy = layers.Dense(3, activation='softmax', name='policy')(h)
pilot = keras.Model(observation, policy)
pilot.compile(keras.optimizers.SGD(0.05, momentum=0.9), loss='sparse_categorical_crossentropy', metrics=['accuracy'])
stop = keras.callbacks.EarlyStopping(monitor='loss', patience=5)
pilot.fit(states, actions, batch_size=32, epochs=10, validation_split=0.2, callbacks=[stop], verbose=0)

fresh, wanted = crane(1000)
agree = np.mean(pilot.predict(fresh, verbose=0).argmax(1) == wanted)
""",
    score="agree",
    bar=0.85,
    base=0.4,
    faults=(
        Fault(cause="vanishing_gradient", old="for i in range(3):\n    h = layers.Dense(48, activation='tanh'",
              new="for i in range(10):\n    h = layers.Dense(48, activation='sigmoid'",
              layer=("fc0", "fc1", "fc2")),
        Fault(cause="inputs_not_scaled", old="h = norm(observation)", new="h = observation"),
        Fault(cause="validation_split_sorted", old="shuffled = rng.permutation(len(states))",
              new="shuffled = np.arange(len(states))", accept=("missing_class",),
              beside=("data_sorted", "train_val_preprocessing_mismatch"), certain=True),
        Fault(cause="wrong_head_for_labels", old="layers.Dense(3, activation='softmax', name='policy')",
              new="layers.Dense(1, activation='sigmoid', name='policy')", layer=("policy",),
              beside=("label_encoding",)),
        Fault(cause="missing_class", old="states = np.concatenate([by_lever[k] for k in (0, 1, 2)])",
              new="by_lever[1] = by_lever[1][:0]  # rest teaches nothing\n"
              "states = np.concatenate([by_lever[k] for k in (0, 1, 2)])"),
        Fault(cause="too_few_steps", old="batch_size=32, epochs=10", new="batch_size=len(states), epochs=10",
              beside=("learning_rate_too_low",)),
    ),
    seeds=3,
)  # fmt: skip

EXPERTS = Program(
    name="port_well_yield_experts",
    odd="raw units go into a batch normalisation that stands first",
    source="""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
depth = rng.uniform(5, 300, 2000)
rain = rng.gamma(4, 200, 2000)
slope = rng.uniform(0, 30, 2000)
rock = np.digitize(depth + 4 * slope, [110, 240])
flow = np.choose(rock, [0.004 * rain, 9 - depth / 40 - slope / 6, 0.06 * slope * np.sqrt(rain) / 2])
flow = flow + rng.normal(0, 0.4, 2000)
x = np.stack([depth, rain, slope], 1).astype('float32')
y = ((flow - flow.mean()) / flow.std()).astype('float32')
x_train, y_train, x_test, y_test = x[:1600], y[:1600], x[1600:], y[1600:]


class Experts(keras.Model):
    def __init__(self, count=4):
        super().__init__()
        self.bn = layers.BatchNormalization(momentum=0.9, name='bn')
        self.gate1 = layers.Dense(32, activation='relu', name='gate1')
        self.gate2 = layers.Dense(count, activation='softmax', name='gate2')
        self.bodies = [layers.Dense(24, activation='relu', name=f'body{i}') for i in range(count)]
        self.heads = [layers.Dense(1, name=f'head{i}') for i in range(count)]

    def call(self, inputs, training=False):
        z = self.bn(inputs, training=training)
        gate = self.gate2(self.gate1(z))
        opinions = tf.concat([head(body(z)) for body, head in zip(self.bodies, self.heads)], axis=1)
        return tf.reduce_sum(gate * opinions, axis=1, keepdims=True)


net = Experts()
net(x_train[:1])
opt = keras.optimizers.SGD(0.03, momentum=0.9)
data = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(1600).batch(40, drop_remainder=True)


@tf.function
def train_one(xb, yb):
    with tf.GradientTape() as tape:
        pred = net(xb, training=True)
        loss = tf.reduce_mean(tf.square(pred[:, 0] - yb))
    grads = tape.gradient(loss, net.trainable_variables)
    opt.apply(grads, net.trainable_variables)
    return loss


history = []
for epoch in range(20):
    epoch_loss = [float(train_one(xb, yb)) for xb, yb in data]
    history.append(np.mean(epoch_loss))
""",
    score="max(-1.0, 1 - float(np.mean((net(x_test).numpy()[:, 0] - y_test) ** 2) / np.var(y_test)))",
    bar=0.8,
    base=0.0,
    faults=(
        Fault(cause="loss_broadcast", old="tf.square(pred[:, 0] - yb)", new="tf.square(pred - yb)"),
        Fault(cause="batchnorm_mode", old="pred = net(xb, training=True)", new="pred = net(xb, training=False)",
              layer=("bn",), accept=("inputs_not_scaled",)),
        Fault(cause="frozen_or_disconnected", old="opt.apply(grads, net.trainable_variables)",
              new="opt.apply(grads[:2], net.trainable_variables[:2])", accept=("optimiser_not_applied",)),
        Fault(cause="oscillation", old="SGD(0.03, momentum=0.9)", new="SGD(0.03, momentum=0.999)",
              accept=("learning_rate_too_high",)),
        Fault(cause="gradient_sign_flipped", old="opt.apply(grads, net.trainable_variables)",
              new="for v, g in zip(net.trainable_variables, grads):\n        v.assign_add(0.01 * g)"),
        Fault(cause="targets_not_scaled", old="y = ((flow - flow.mean()) / flow.std()).astype",
              new="y = (flow * 86400).astype", beside=("learning_rate_too_high",)),
    ),
    pairs=(("loss_broadcast", "batchnorm_mode"),),
    seeds=3,
)  # fmt: skip

ROLL = Program(
    name="port_van_der_pol_rollouts",
    odd="a network that is applied twenty times to its own answer",
    source="""
import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
DT, STEPS = 0.1, 20


def simulate(starts):
    x, path = starts.copy(), []
    for _ in range(STEPS):
        for _ in range(10):
            x = x + DT / 10 * np.stack([x[:, 1], 1.5 * (1 - x[:, 0] ** 2) * x[:, 1] - x[:, 0]], 1)
        path.append(x)
    return np.stack(path, 1).astype('float32')


starts = rng.uniform(-2, 2, (500, 2))
truth = simulate(starts)
starts = starts.astype('float32')

field = keras.Sequential([
    keras.Input((2,)),
    keras.layers.Dense(48, activation='relu', name='field1'),
    keras.layers.Dense(48, activation='relu', name='field2'),
    keras.layers.Dense(2, name='speed'),
])


def roll(x):
    path = []
    for _ in range(STEPS):
        x = x + DT * field(x)
        path.append(x)
    return tf.stack(path, axis=1)


optimizer = keras.optimizers.Adam(0.005)
optimizer.build(field.trainable_variables)


@tf.function
def update(x, path):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.abs(roll(x) - path))
    grads = tape.gradient(loss, field.trainable_variables)
    optimizer.apply(grads, field.trainable_variables)
    return loss


losses = []
for it in range(300):
    rows = rng.integers(0, 400, 50)
    losses.append(float(update(starts[rows], truth[rows])))
error = float(np.mean((roll(starts[400:]).numpy() - truth[400:]) ** 2))
fit = 1 - error / float(np.var(truth[400:]))
""",
    score="max(fit, -1.0) if np.isfinite(fit) else -1.0",
    bar=0.85,
    base=0.0,
    faults=(
        Fault(cause="exploding_gradient", old="x = x + DT * field(x)", new="x = x + field(x) / DT",
              beside=("init_scale", "learning_rate_too_high")),
        Fault(cause="learning_rate_too_high", old="Adam(0.005)", new="Adam(0.5)", beside=("dead_units",)),
        Fault(cause="dead_units", old="keras.layers.Dense(48, activation='relu', name='field2')",
              new="keras.layers.Dense(48, activation='relu', bias_initializer=keras.initializers.Constant(-6.0), name='field2')",
              layer=("field2",), accept=("init_scale",)),
        Fault(cause="init_scale", old="keras.layers.Dense(48, activation='relu', name='field1')",
              new="keras.layers.Dense(48, activation='relu', kernel_initializer=keras.initializers.RandomNormal(stddev=10.0), name='field1')",
              layer=("field1",), accept=("exploding_gradient",), beside=("learning_rate_too_high",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [RANK, CLONE, EXPERTS, ROLL]
