"""What teams hand in after a weekend: a chat router, a battery that trades, a lunar map, free bikes at the docks."""

from keras_course.diagnostics.corpus import Fault, Program

ROUTER = Program(
    name="hackathon_chat_router",
    source="""
import keras
import numpy as np
from keras.layers import Conv1D, Dense, Dropout, Embedding, GlobalMaxPooling1D

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

INTENTS = {
    'refund': 'refund money back return broken charged twice invoice'.split(),
    'delivery': 'parcel courier late arrive tracking address delivery doorstep'.split(),
    'login': 'password login account locked reset email code blocked'.split(),
    'advice': 'size colour recommend compare warranty stock fits gift'.split(),
    'praise': 'great thanks love awesome happy quick friendly perfect'.split(),
}
FILLER = 'Hi hello I my the a is it please can you and with for yesterday order shop this that have'.split()
names = list(INTENTS)
LENGTH = 14


def chats(per_intent):
    texts, labels = [], []
    for k, name in enumerate(names):
        for _ in range(per_intent):
            words = list(rng.choice(INTENTS[name], rng.integers(2, 4), replace=False))
            words += list(rng.choice(FILLER, rng.integers(4, 9)))
            if rng.random() < 0.3:
                words.append(rng.choice(INTENTS[rng.choice(names)]))
            rng.shuffle(words)
            texts.append(' '.join(words))
            labels.append(k)
    return texts, np.array(labels)


train_texts, y_train = chats(300)
test_texts, y_test = chats(100)

# 0 = padding, 1 = never seen
vocab = {}
for text in train_texts:
    for w in text.lower().split():
        vocab.setdefault(w, len(vocab) + 2)


def encode(texts):
    ids = [[vocab.get(w, 1) for w in t.lower().split()] for t in texts]
    return keras.utils.pad_sequences(ids, maxlen=LENGTH, padding='post')


x_train, x_test = encode(train_texts), encode(test_texts)
print(len(vocab), 'words', x_train.shape)

EMB, FILTERS = 16, 24
bot = keras.Sequential()
bot.add(keras.Input((LENGTH,), dtype='int32'))
bot.add(Embedding(len(vocab) + 2, EMB, name='emb'))
bot.add(Conv1D(FILTERS, 2, activation='relu', name='conv'))
bot.add(GlobalMaxPooling1D())
bot.add(Dropout(0.4))
bot.add(Dense(len(names), name='intent'))
bot.compile('adam', keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=['accuracy'])
bot.optimizer.learning_rate = 4e-3

BATCH, STEPS = 32, 430
step = 0
while step < STEPS:
    order = rng.permutation(len(x_train))
    for start in range(0, len(order), BATCH):
        rows = order[start:start + BATCH]
        loss, acc = bot.train_on_batch(x_train[rows], y_train[rows])
        step += 1
    if step % 94 == 0:
        print(step, float(loss), float(acc))

answer = np.argmax(bot(x_test, training=False), axis=1)
routed = np.mean(answer == y_test)
print('routed right:', routed)
""",
    score="routed",
    bar=0.88,
    base=0.2,
    faults=(
        Fault(cause="logits_to_probability_loss", old="SparseCategoricalCrossentropy(from_logits=True)",
              new="SparseCategoricalCrossentropy()"),
        Fault(cause="input_ignored", old="    for w in text.lower().split():\n", new="    for w in text.lower():\n"),
        Fault(cause="overfitting", old="train_texts, y_train = chats(300)", new="train_texts, y_train = chats(4)"),
        Fault(cause="underfitting_capacity", old="EMB, FILTERS = 16, 24", new="EMB, FILTERS = 2, 1",
              layer=("emb", "conv"), beside=("dead_units",)),
        Fault(cause="label_noise", old="            labels.append(k)\n",
              new="            labels.append(k if rng.random() < 0.15 else rng.integers(len(names)))\n",
              beside=("labels_shuffled_apart",)),
        Fault(cause="learning_rate_too_high", old="learning_rate = 4e-3", new="learning_rate = 0.5",
              beside=("oscillation", "exploding_gradient", "dead_units", "input_ignored")),
        Fault(cause="dropout_mode", old="bot(x_test, training=False)", new="bot(x_test, training=True)", certain=True),
    ),
    seeds=3,
)  # fmt: skip

BATTERY = Program(
    name="hackathon_battery_trader",
    odd="an actor and a critic: there are no labels, and the loss does not fall",
    source="""
import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
HOURS, N_ENVS = 24, 48
SELL, HOLD, BUY = 0, 1, 2
SENSOR = 0.02


class Market:
    # a battery of four blocks at a price that follows the hour of the day
    def __init__(self, n):
        self.n = n

    def reset(self):
        self.clock = rng.integers(0, 24, self.n).astype(float)
        self.level = rng.integers(0, 5, self.n).astype(float)
        return self.observe()

    def observe(self):
        angle = 2 * np.pi * self.clock / 24
        self.price = 1 + 0.6 * np.sin(angle) + rng.normal(0, 0.1, self.n)
        state = [2 * (self.price - 1), np.sin(angle), np.cos(angle), self.level / 2 - 1]
        state = np.stack(state, axis=1)
        return (state + SENSOR * rng.normal(size=state.shape)).astype('float32')

    def step(self, action):
        sold = (action == SELL) & (self.level > 0)
        bought = (action == BUY) & (self.level < 4)
        reward = (self.price - 1) * sold - (self.price - 1 + 0.05) * bought
        self.level += 1.0 * bought - sold
        self.clock = (self.clock + 1) % 24
        return self.observe(), reward


def net(out, name):
    return keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(32, activation='tanh', name=name + '_h1'),
        keras.layers.Dense(32, activation='tanh', name=name + '_h2'),
        keras.layers.Dense(out, name=name + '_out'),
    ])


actor, critic = net(3, 'actor'), net(1, 'critic')
weights = actor.trainable_variables + critic.trainable_variables
optimizer = keras.optimizers.Adam(learning_rate=5e-3)
GAMMA = 0.95


@tf.function
def act(obs):
    return tf.random.categorical(actor(obs), 1)[:, 0]


@tf.function
def learn(obs, action, gain):
    with tf.GradientTape() as tape:
        logits = actor(obs, training=True)
        value = critic(obs, training=True)[:, 0]
        advantage = tf.stop_gradient(gain - value)
        advantage = advantage / (tf.math.reduce_std(advantage) + 1e-6)
        log_p = tf.nn.log_softmax(logits)
        chosen = tf.gather(log_p, action, batch_dims=1)
        entropy = -tf.reduce_mean(tf.reduce_sum(tf.exp(log_p) * log_p, axis=1))
        actor_loss = -tf.reduce_mean(chosen * advantage)
        critic_loss = tf.reduce_mean(tf.square(gain - value))
        loss = actor_loss + 0.5 * critic_loss - 0.01 * entropy
    optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
    return loss


market = Market(N_ENVS)
iterations = 200
for it in range(iterations):
    obs, seen, done, paid = market.reset(), [], [], []
    for _ in range(HOURS):
        action = act(obs).numpy()
        seen.append(obs)
        done.append(action)
        obs, reward = market.step(action)
        paid.append(reward)
    gains, running = [], np.zeros(N_ENVS)
    for reward in reversed(paid):
        running = reward + GAMMA * running
        gains.append(running)
    gains = np.array(gains[::-1], 'float32')
    loss = learn(np.concatenate(seen), np.concatenate(done), gains.reshape(-1))
    if it % 25 == 0:
        print(f'{it:4d} loss {float(loss):.3f} earned {np.sum(paid) / N_ENVS:.3f}')

arena = Market(400)
obs, earned = arena.reset(), 0.0
for _ in range(HOURS):
    obs, reward = arena.step(np.argmax(actor(obs), axis=1))
    earned += reward.mean()
print('earned per day', earned)
""",
    score="max(earned, 0.0)",
    bar=2.0,
    base=0.0,
    faults=(
        Fault(cause="gradient_sign_flipped", old="actor_loss = -tf.reduce_mean(chosen * advantage)",
              new="actor_loss = tf.reduce_mean(chosen * advantage)"),
        Fault(cause="optimiser_not_applied",
              old="    optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))\n    return loss\n",
              new="    gradients = tape.gradient(loss, weights)\n    return loss\n",
              beside=("frozen_or_disconnected",)),
        Fault(cause="inputs_not_scaled",
              old="state = [2 * (self.price - 1), np.sin(angle), np.cos(angle), self.level / 2 - 1]",
              new="state = [100 * self.price, 60 * self.clock, self.clock < 12, 25 * self.level]",
              beside=("saturated_units", "vanishing_gradient")),
        Fault(cause="inputs_drowned_in_noise", old="SENSOR = 0.02\n", new="SENSOR = 20.0\n",
              beside=("input_ignored", "saturated_units")),
        Fault(cause="learning_rate_too_low", old="learning_rate=5e-3", new="learning_rate=5e-6",
              beside=("too_few_steps",)),
    ),
    seeds=3,
)  # fmt: skip

CRATERS = Program(
    name="hackathon_lunar_patches",
    odd="most of the weights are frozen: they come from an autoencoder of patches without labels",
    source="""
import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
PX = 16
KINDS = ['crater', 'ridge', 'boulder', 'rille']
yy, xx = np.mgrid[0:PX, 0:PX]


def patch(kind):
    img = rng.normal(0.5, 0.06, (PX, PX)) + 0.004 * rng.normal() * xx
    r, c = rng.uniform(5, 10, 2)
    if kind == 'crater':
        dist = np.hypot(yy - r, xx - c) - rng.uniform(2.5, 4.5)
        img += 0.35 * np.exp(-dist ** 2) * np.sign(xx - c)
    elif kind == 'boulder':
        img += 0.45 * np.exp(-((yy - r) ** 2 + (xx - c) ** 2) / rng.uniform(1, 3))
        img -= 0.35 * np.exp(-((yy - r) ** 2 + (xx - c - 2.5) ** 2) / 2)
    else:
        t = rng.uniform(0, np.pi)
        line = (yy - r) * np.cos(t) + (xx - c) * np.sin(t)
        img += (0.3 if kind == 'ridge' else -0.3) * np.exp(-line ** 2 / rng.uniform(1, 2))
    return img.clip(0, 1)


def patches(per_kind):
    X = np.array([patch(k) for k in KINDS for _ in range(per_kind)], 'float32')[..., None]
    return X, np.repeat(np.arange(4), per_kind)


# ---- pretext: clean up noisy patches nobody has labelled
unlabelled, _ = patches(350)
encoder = keras.Sequential([
    keras.Input((PX, PX, 1)),
    layers.Rescaling(4.0, offset=-2.0),
    layers.Conv2D(16, 3, strides=2, padding='same', activation='relu', name='e1'),
    layers.Conv2D(32, 3, strides=2, padding='same', activation='relu', name='e2'),
    layers.Flatten(),
    layers.Dense(48, name='embedding'),
], name='encoder')
decoder = keras.Sequential([
    keras.Input((48,)),
    layers.Dense(4 * 4 * 32, activation='relu', name='d0'),
    layers.Reshape((4, 4, 32)),
    layers.Conv2DTranspose(16, 3, strides=2, padding='same', activation='relu', name='d1'),
    layers.Conv2DTranspose(1, 3, strides=2, padding='same', name='d2'),
], name='decoder')
cleaner = keras.Sequential([encoder, decoder])
cleaner.compile('adam', 'mse')
noisy = unlabelled + rng.normal(0, 0.05, unlabelled.shape).astype('float32')
cleaner.fit(noisy, unlabelled, epochs=9, batch_size=32, verbose=0)

# ---- the labelled ones
X, y = patches(250)
X_test, y_test = patches(100)
X_train, X_val, y_train, y_val = train_test_split(X, y, test_size=0.2, stratify=y, random_state=SEED)
by_kind = np.argsort(y_train, kind='stable')       # the team wants contiguous shards, one per kind
X_train, y_train = X_train[by_kind], y_train[by_kind]

train_ds = tf.data.Dataset.from_tensor_slices((X_train, y_train))
train_ds = train_ds.shuffle(len(X_train)).batch(40).prefetch(tf.data.AUTOTUNE)
val_ds = tf.data.Dataset.from_tensor_slices((X_val, y_val)).batch(50)

encoder.trainable = False
clf = keras.Sequential([
    encoder,
    layers.ReLU(),
    layers.Dense(32, activation='relu', name='head_fc'),
    layers.Dense(4, activation='softmax', name='head_out'),
])
EPOCHS = 20
rate = keras.optimizers.schedules.CosineDecay(0.1, EPOCHS * len(train_ds), alpha=0.1)
clf.compile(keras.optimizers.SGD(rate, momentum=0.9), 'sparse_categorical_crossentropy', metrics=['accuracy'])
log = keras.callbacks.LambdaCallback(
    on_epoch_end=lambda epoch, logs: epoch % 5 or print(epoch, {k: round(v, 3) for k, v in logs.items()}))
clf.fit(train_ds, validation_data=val_ds, epochs=EPOCHS, callbacks=[log], verbose=0)

accuracy = clf.evaluate(X_test, y_test, verbose=0)[1]
print('on new patches:', accuracy)
""",
    score="accuracy",
    bar=0.82,
    base=0.25,
    faults=(
        Fault(cause="pipeline_order", old="train_ds.shuffle(len(X_train)).batch(40)",
              new="train_ds.batch(40).shuffle(len(X_train))", accept=("data_sorted",)),
        Fault(cause="shuffle_buffer_too_small", old=".shuffle(len(X_train))", new=".shuffle(10)",
              accept=("data_sorted",)),
        Fault(cause="data_sorted", old=".shuffle(len(X_train))", new=""),
        Fault(cause="validation_split_sorted",
              old="train_test_split(X, y, test_size=0.2, stratify=y, random_state=SEED)",
              new="train_test_split(X, y, test_size=0.25, shuffle=False)", beside=("missing_class",)),
        Fault(cause="missing_class", old="by_kind = np.argsort(y_train, kind='stable')",
              new="by_kind = np.argsort(y_train, kind='stable')[:600]",
              beside=("validation_split_sorted", "class_imbalance")),
        Fault(cause="learning_rate_too_high", old="SGD(rate, momentum=0.9)", new="SGD(1.5, momentum=0.9)",
              beside=("oscillation", "exploding_gradient", "dead_units", "saturated_units", "input_ignored")),
        Fault(cause="inputs_scaled_twice", old="    return img.clip(0, 1)\n", new="    return img.clip(0, 1) / 255\n",
              beside=("inputs_not_scaled",)),
    ),
    seeds=3,
)  # fmt: skip

DOCKS = Program(
    name="hackathon_free_bikes",
    odd="the numbers come in raw, and batch normalisation is the first layer that sees them",
    source="""
import numpy as np
import tensorflow as tf
from sklearn.metrics import balanced_accuracy_score
from tensorflow.keras import Input, Model, layers, optimizers, utils

utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

STATIONS, n = 25, 4500
slope = rng.normal(0, 1, STATIONS)         # uphill stations run dry
size = rng.uniform(12, 30, STATIONS)

station = rng.integers(0, STATIONS, n)
minute = rng.integers(0, 24 * 60, n)
temp_f = rng.normal(57, 14, n)
rain = rng.gamma(0.5, 4, n)
rain[rng.random(n) < 0.02] = np.nan        # the gauge reports nothing while it empties
now = rng.uniform(0, 1, n) * size[station]

rain = np.nan_to_num(rain)
rush = np.exp(-((minute - 500) / 90) ** 2) - 0.8 * np.exp(-((minute - 1060) / 110) ** 2)
demand = (1 + 0.02 * (temp_f - 57)) * np.exp(-rain / 6) * (4 + 6 * np.maximum(slope[station], 0))
left = now - demand - 5 * rush * slope[station] + rng.normal(0, 0.8, n)
left = np.clip(left, 0, size[station])
empty = (left < 2).astype('float32')

numbers = np.stack([minute, temp_f, rain, now], axis=1).astype('float32')
bikes = (left / 6).astype('float32')
cut, end = 3400, 3900
print('empty in an hour:', empty.mean())

s_in = Input((1,), dtype='int32', name='station')
n_in = Input((4,), name='numbers')
e = layers.Flatten()(layers.Embedding(STATIONS, 6, name='station_emb')(s_in))
b = layers.BatchNormalization(momentum=0.9, name='numbers_bn')(n_in)
h = layers.Concatenate()([e, b])
h = layers.Dense(64, activation='relu', name='shared_1')(h)
h = layers.Dense(64, activation='relu', name='shared_2')(h)
left_out = layers.Dense(1, name='left')(h)
empty_out = layers.Dense(1, activation='sigmoid', name='empty')(h)

model = Model(inputs=[s_in, n_in], outputs=[left_out, empty_out])
model.compile(optimizer=optimizers.Adam(4e-3),
              loss=['mse', 'binary_crossentropy'],
              loss_weights=[1.0, 0.5],
              metrics=[['mae'], ['binary_accuracy']])
model.fit([station[:cut], numbers[:cut]], [bikes[:cut], empty[:cut]], batch_size=64, epochs=16, verbose=0,
          validation_data=([station[cut:end], numbers[cut:end]], [bikes[cut:end], empty[cut:end]]))

left_hat, empty_hat = model.predict([station[end:], numbers[end:]], verbose=0)
r2 = 1 - np.mean((6 * left_hat[:, 0] - left[end:]) ** 2) / np.var(left[end:])
balanced = balanced_accuracy_score(left[end:] < 2, empty_hat[:, 0] > 0.5)
print(f'bikes left: R2 {r2:.3f}   empty: {balanced:.3f}')
""",
    score="min(max(r2, -1), 2 * balanced - 1)",
    bar=0.75,
    base=0.0,
    faults=(
        Fault(cause="batchnorm_mode", old="layers.BatchNormalization(momentum=0.9, name='numbers_bn')",
              new="layers.BatchNormalization(momentum=0.9999, name='numbers_bn')", layer=("numbers_bn",),
              beside=("inputs_not_scaled", "train_val_preprocessing_mismatch")),
        Fault(cause="constant_labels", old="empty = (left < 2).astype('float32')",
              new="empty = (left < 0).astype('float32')",
              beside=("missing_class", "label_encoding", "class_imbalance")),
        Fault(cause="nan_or_inf_in_data", old="rain = np.nan_to_num(rain)\n", new=""),
        Fault(cause="softmax_on_single_unit", old="layers.Dense(1, activation='sigmoid', name='empty')",
              new="layers.Dense(1, activation='softmax', name='empty')", layer=("empty",),
              beside=("wrong_head_for_labels", "input_ignored")),
        Fault(cause="wrong_loss_for_task", old="loss=['mse', 'binary_crossentropy']",
              new="loss=['binary_crossentropy', 'binary_crossentropy']",
              beside=("logits_to_probability_loss", "output_range_cannot_reach_targets", "wrong_head_for_labels",
                      "label_encoding", "targets_not_scaled")),
        Fault(cause="output_range_cannot_reach_targets", old="layers.Dense(1, name='left')",
              new="layers.Dense(1, activation='sigmoid', name='left')", layer=("left",),
              beside=("saturated_units", "targets_not_scaled", "wrong_head_for_labels")),
        Fault(cause="loss_metric_inconsistent", old="metrics=[['mae'], ['binary_accuracy']]",
              new="metrics=[['mae'], ['sparse_categorical_accuracy']]", accept=("wrong_metric",), certain=True),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (ROUTER, BATTERY, CRATERS, DOCKS)
