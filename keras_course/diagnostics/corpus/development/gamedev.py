"""Scripts of people who make games in the evening: a policy for a coin hunt, and a ranking of levels."""

from keras_course.diagnostics.corpus import Fault, Program

POLICY = Program(
    name="gamedev_coin_policy",
    source="""
# Bot for my coin dungeon: copy the breadth-first search, so that the game need not search at run time
import collections

import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

VIEW = 7  # the bot sits in the middle of what it sees
MID = VIEW // 2
MOVES = {'up': (-1, 0), 'down': (1, 0), 'left': (0, -1), 'right': (0, 1)}
NAMES = list(MOVES)
BATCH = 64


def distances(walls, coins):
    far = np.full((VIEW, VIEW), 99)
    queue = collections.deque()
    for r, c in np.argwhere(coins):
        far[r, c] = 0
        queue.append((r, c))
    while queue:
        r, c = queue.popleft()
        for dr, dc in MOVES.values():
            a, b = r + dr, c + dc
            if 0 <= a < VIEW and 0 <= b < VIEW and not walls[a, b] and far[a, b] == 99:
                far[a, b] = far[r, c] + 1
                queue.append((a, b))
    return far


def situation():
    while True:
        walls = rng.random((VIEW, VIEW)) < 0.22
        coins = np.zeros((VIEW, VIEW), bool)
        coins[rng.integers(VIEW), rng.integers(VIEW)] = True
        coins[rng.integers(VIEW), rng.integers(VIEW)] = True
        walls &= ~coins
        walls[MID, MID] = coins[MID, MID] = False
        far = distances(walls, coins)
        after = np.array([far[MID + dr, MID + dc] for dr, dc in MOVES.values()])
        if after.min() < 99 and np.sum(after == after.min()) == 1:
            return np.stack([walls, coins], axis=-1).astype('float32'), int(after.argmin())


def collect(n):
    found = [situation() for _ in range(n)]
    found.sort(key=lambda s: s[1])  # one file per move, as the recorder writes them
    return np.stack([v for v, _ in found]), np.array([m for _, m in found])


views, moves = collect(3600)
views_val, moves_val = collect(500)
views_play, moves_play = collect(800)


class Bot(keras.Model):
    def __init__(self):
        super().__init__()
        self.look = layers.Conv2D(24, 3, padding='same', activation='relu', name='look')
        self.norm = layers.BatchNormalization(momentum=0.9, name='norm')
        self.plan = layers.Conv2D(24, 3, activation='relu', name='plan')
        self.flat = layers.Flatten()
        self.think = layers.Dense(64, activation='relu', name='think')
        self.forget = layers.Dropout(0.5)
        self.choose = layers.Dense(len(NAMES), name='choose')
        self.seen = keras.metrics.Mean(name='loss')
        self.hits = keras.metrics.SparseCategoricalAccuracy(name='hits')

    def call(self, view, training=False):
        h = self.plan(self.norm(self.look(view), training=training))
        h = self.think(self.flat(h))
        return self.choose(self.forget(h, training=training))

    @property
    def metrics(self):
        return [self.seen, self.hits]

    def train_step(self, data):
        view, move = data
        with tf.GradientTape() as tape:
            scores = self(view, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=move, logits=scores))
        grads = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(grads, self.trainable_variables))
        self.seen.update_state(loss)
        self.hits.update_state(move, scores)
        return {m.name: m.result() for m in self.metrics}

    def test_step(self, data):
        view, move = data
        scores = self(view, training=False)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=move, logits=scores))
        self.seen.update_state(loss)
        self.hits.update_state(move, scores)
        return {m.name: m.result() for m in self.metrics}


train = tf.data.Dataset.from_tensor_slices((views, moves)).shuffle(3600, seed=SEED).batch(BATCH)
val = tf.data.Dataset.from_tensor_slices((views_val, moves_val)).batch(250)

bot = Bot()
bot.compile(optimizer=keras.optimizers.RMSprop(1e-3))
bot.fit(train, validation_data=val, epochs=6, verbose=2)

chosen = bot(views_play).numpy().argmax(1)
agree = np.mean(chosen == moves_play)
for k, name in enumerate(NAMES):
    print(name, 'chosen', np.sum(chosen == k), 'of', np.sum(moves_play == k))
print('same as the search:', agree)
""",
    score="agree",
    bar=0.75,
    base=0.27,
    odd="the recorder's files come sorted by move, and the shuffle buffer holds them all",
    faults=(
        Fault(cause="dead_units", old="self.think = layers.Dense(64, activation='relu', name='think')",
              new="self.think = layers.Dense(64, activation='relu', bias_initializer=keras.initializers.Constant(-8.0), name='think')",
              layer=("think",), beside=("input_ignored", "frozen_or_disconnected", "init_scale")),
        Fault(cause="learning_rate_too_high", old="RMSprop(1e-3)", new="RMSprop(0.5)",
              beside=("dead_units", "exploding_gradient", "oscillation")),
        Fault(cause="pipeline_order", old=".shuffle(3600, seed=SEED).batch(BATCH)",
              new=".batch(BATCH).shuffle(3600, seed=SEED)", accept=("data_sorted",), beside=("batchnorm_mode",), certain=True),
        Fault(cause="data_sorted", old=".shuffle(3600, seed=SEED).batch(BATCH)", new=".batch(BATCH)",
              beside=("batchnorm_mode",)),
        Fault(cause="shuffle_buffer_too_small", old=".shuffle(3600, seed=SEED)", new=".shuffle(30, seed=SEED)",
              accept=("data_sorted",), beside=("batchnorm_mode",)),
        Fault(cause="symmetric_or_zero_init", old="layers.Conv2D(24, 3, padding='same', activation='relu', name='look')",
              new="layers.Conv2D(24, 3, padding='same', activation='relu', kernel_initializer='zeros', name='look')",
              layer=("look",), beside=("dead_units", "input_ignored", "init_scale")),
        Fault(cause="missing_class", old="views_val, moves_val = collect(500)\n",
              new="views_val, moves_val = collect(500)\nviews, moves = views[moves < 3], moves[moves < 3]\n",
              beside=("class_imbalance", "validation_split_sorted")),
    ),
    seeds=3,
)  # fmt: skip

RANKER = Program(
    name="gamedev_level_ranker",
    source="""
# Which of two generated levels will players call harder? Votes from the forum, one scorer for both levels.
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

TILES = '_^o#w~'  # floor, spike, coin, block, walker, water
LONG = 30


def draw_levels(n):
    levels = rng.choice(len(TILES), p=[0.45, 0.12, 0.13, 0.12, 0.1, 0.08], size=(n, LONG))
    spike, block, walker, water = (levels == k for k in (1, 3, 4, 5))
    hard = (
        1.0 * (spike[:, 1:] & spike[:, :-1]).sum(1)
        + 1.4 * (walker[:, 1:] & block[:, :-1]).sum(1)
        + 1.2 * (water[:, 1:] & (spike | walker)[:, :-1]).sum(1)
        + 0.15 * (spike | walker).sum(1)
        - 0.1 * (levels == 2).sum(1)
    )
    return levels.astype('int32'), hard


def votes(levels, hard, n):
    a, b = rng.integers(0, len(levels), (2, n))
    a, b = a[a != b], b[a != b]
    says_a = rng.logistic(size=len(a)) * 0.15 < hard[a] - hard[b]
    return levels[a], levels[b], says_a.astype('float32')


pool, pool_hard = draw_levels(900)
fresh, fresh_hard = draw_levels(300)
LEFT, RIGHT, HARDER = votes(pool, pool_hard, 3500)
L_new, R_new, H_new = votes(fresh, fresh_hard, 800)


def make_scorer():
    level = keras.Input((LONG,), dtype='int32')
    h = layers.Embedding(len(TILES), 8, name='tiles')(level)
    h = layers.Conv1D(24, 3, activation='relu', name='patterns')(h)
    h = layers.Conv1D(24, 1, activation='relu', name='mix')(h)
    h = layers.GlobalAveragePooling1D()(h)
    h = layers.Dense(16, activation='relu', name='summary')(h)
    return keras.Model(level, layers.Dense(1, name='difficulty')(h))


scorer = make_scorer()
adam = keras.optimizers.Adam(5e-3)


def compare(left, right, training):
    return tf.squeeze(scorer(left, training=training) - scorer(right, training=training), axis=1)


@tf.function
def learn(left, right, harder):
    with tf.GradientTape() as tape:
        margin = compare(left, right, True)
        loss = tf.reduce_mean(tf.nn.softplus(margin) - harder * margin)
    weights = scorer.trainable_weights
    adam.apply_gradients(zip(tape.gradient(loss, weights), weights))
    return loss


for round_ in range(11):
    mix = rng.permutation(len(LEFT))
    left, right, harder = LEFT[mix], RIGHT[mix], HARDER[mix]
    losses = []
    for k in range(0, len(mix) - 69, 70):
        losses.append(learn(left[k:k + 70], right[k:k + 70], harder[k:k + 70]))
    margin = compare(L_new, R_new, False).numpy()
    ordered = np.mean((margin > 0) == (H_new > 0.5))
    print(f'round {round_:2d}  loss {np.mean(losses):.4f}  unseen levels in the right order {ordered:.3f}')

easiest = fresh[scorer.predict(fresh, verbose=0)[:, 0].argmin()]
print(''.join(TILES[t] for t in easiest))
""",
    score="ordered",
    bar=0.82,
    base=0.5,
    faults=(
        Fault(cause="softmax_on_single_unit", old="layers.Dense(1, name='difficulty')",
              new="layers.Dense(1, activation='softmax', name='difficulty')", layer=("difficulty",),
              beside=("input_ignored", "wrong_head_for_labels")),
        Fault(cause="saturated_units", old="    h = layers.Dense(16, activation='relu', name='summary')(h)",
              new="    h = layers.Dense(16, activation='tanh', bias_initializer=keras.initializers.Constant(12.0), name='summary')(h)",
              layer=("summary",), beside=("init_scale", "input_ignored", "frozen_or_disconnected")),
        Fault(cause="loss_broadcast",
              old="tf.squeeze(scorer(left, training=training) - scorer(right, training=training), axis=1)",
              new="scorer(left, training=training) - scorer(right, training=training)"),
        Fault(cause="labels_shuffled_apart", old="LEFT[mix], RIGHT[mix], HARDER[mix]",
              new="LEFT[mix], RIGHT[mix], rng.permutation(HARDER)", accept=("label_noise",)),
        Fault(cause="optimiser_not_applied", old="    adam.apply_gradients(zip(tape.gradient(loss, weights), weights))",
              new="    grads = [tf.clip_by_norm(g, 1.0) for g in tape.gradient(loss, weights)]"),
        Fault(cause="overfitting", old="votes(pool, pool_hard, 3500)", new="votes(pool[:12], pool_hard[:12], 3500)"),
        Fault(cause="exploding_gradient", old="    h = layers.GlobalAveragePooling1D()(h)",
              new="    h = layers.SimpleRNN(24, activation='relu', recurrent_initializer=keras.initializers.RandomNormal(stddev=1.0), name='read')(h)",
              accept=("init_scale",), layer=("read",), beside=("learning_rate_too_high", "saturated_units")),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (POLICY, RANKER)
