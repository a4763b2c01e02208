"""Scripts of a hobbyist of board games: which drops hold the result of a game, and how good an opening hand is."""

from keras_course.diagnostics.corpus import Fault, Program

COLUMNS = Program(
    name="boardgames_good_columns",
    source='''
# Three in a row on a board of 4 columns and 3 rows, discs drop to the lowest free row. Small enough to solve, so I do.
# The network gets a position (mover's discs, the other's discs) and says for each column whether dropping there holds
# the best result that is still possible. Often more than one does.
#
# No Keras, I want to see every number.
import numpy as np
import tensorflow as tf

tf.random.set_seed(SEED)
rng = np.random.default_rng(SEED + 43)

COLS, ROWS = 4, 3
LINES = []
for c in range(COLS):
    for r in range(ROWS):
        for dc, dr in [(1, 0), (0, 1), (1, 1), (1, -1)]:
            cells = [(c + k * dc, r + k * dr) for k in range(3)]
            if all(0 <= x < COLS and 0 <= y < ROWS for x, y in cells):
                LINES.append([x * ROWS + y for x, y in cells])

solved = {}     # (mover's discs, the other's discs) -> (value for the mover, values of the columns)


def solve(me, you):
    """+1 the mover wins, 0 a draw, -1 the mover loses."""
    if (me, you) in solved:
        return solved[me, you][0]
    values = [None] * COLS
    for c in range(COLS):
        free = [cell for cell in range(c * ROWS, (c + 1) * ROWS) if not (me | you) >> cell & 1]
        if free:
            after = me | 1 << free[0]
            if any(all(after >> cell & 1 for cell in line) for line in LINES):
                values[c] = 1
            else:
                values[c] = -solve(you, after)
    value = max((v for v in values if v is not None), default=0)
    solved[me, you] = value, values
    return value


solve(0, 0)


def mirrored(discs):
    return sum(((discs >> (COLS - 1 - c) * ROWS) & 7) << c * ROWS for c in range(COLS))


# one of a position and its mirror image is enough; training sees both anyway
positions = [p for p in solved if p <= (mirrored(p[0]), mirrored(p[1])) and any(v is not None for v in solved[p][1])]
planes = np.array([[[m >> i & 1 for i in range(COLS * ROWS)], [y >> i & 1 for i in range(COLS * ROWS)]]
                   for m, y in positions], 'float32')
good = np.array([[v is not None and v == solved[p][0] for v in solved[p][1]] for p in positions], 'float32')
planes = planes.reshape(-1, 2, COLS, ROWS)
deal = rng.permutation(len(positions))
test, train = deal[:len(deal) // 5], deal[len(deal) // 5:]
print(len(solved), 'positions solved,', len(train), 'to learn,', len(test), 'to test')
print('share of good drops per column:', good.mean(axis=0).round(2))

SIZES = [2 * COLS * ROWS, 128, 64, COLS]
RATE, MOMENTUM = 0.1, 0.9
BATCH, EPOCHS = 64, 45

weights, biases = [], []
for k, (a, b) in enumerate(zip(SIZES[:-1], SIZES[1:])):
    last = k == len(SIZES) - 2
    spread = 0.0 if last else (2 / a) ** 0.5            # the last layer starts at "no idea"
    weights.append(tf.Variable(tf.random.normal((a, b)) * spread, name=f'w{k}'))
    biases.append(tf.Variable(tf.zeros(b), name=f'b{k}'))
params = weights + biases
speed = [tf.Variable(tf.zeros_like(p)) for p in params]


def forward(x):
    h = tf.reshape(x, (-1, SIZES[0]))
    for w, b in zip(weights[:-1], biases[:-1]):
        h = h @ w + b
        h = tf.nn.relu(h)
    return h @ weights[-1] + biases[-1]


def cost(logits, labels):
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits))


@tf.function
def update(x, labels, rate):
    with tf.GradientTape() as tape:
        loss = cost(forward(x), labels)
    for p, v, g in zip(params, speed, tape.gradient(loss, params)):
        v.assign(MOMENTUM * v - rate * g)
        p.assign_add(v)
    return loss


for epoch in range(EPOCHS):
    rate = RATE * 0.5 * (1 + np.cos(np.pi * epoch / EPOCHS))
    losses = []
    rows = rng.permutation(train)
    for i in range(0, len(rows) - BATCH + 1, BATCH):
        x, labels = planes[rows[i:i + BATCH]], good[rows[i:i + BATCH]]
        if rng.random() < 0.5:
            x, labels = x[:, :, ::-1], labels[:, ::-1]
        losses.append(float(update(tf.constant(x), tf.constant(labels), tf.constant(rate, tf.float32))))
    if epoch % 5 == 4:
        says = forward(planes[test]).numpy() > 0
        print(f'epoch {epoch + 1:2d}  loss {np.mean(losses):.4f}  right {np.mean(says == (good[test] > 0.5)):.4f}')

says, is_good = forward(planes[test]).numpy() > 0, good[test] > 0.5
kappas = []
for c in range(COLS):
    agree = np.mean(says[:, c] == is_good[:, c])
    luck = says[:, c].mean() * is_good[:, c].mean() + (1 - says[:, c].mean()) * (1 - is_good[:, c].mean())
    kappas.append((agree - luck) / (1 - luck))
kappa = float(np.mean(kappas))
print('kappa of the columns', np.round(kappas, 3), 'mean', round(kappa, 3))
''',
    score="kappa",
    bar=0.6,
    base=0.0,
    odd="the last layer starts at zero, which does no harm there",
    faults=(
        Fault(cause="gradient_sign_flipped", old="p.assign_add(v)", new="p.assign_sub(v)",
              beside=("exploding_gradient", "nan_or_inf_in_data")),
        Fault(cause="init_scale", old="(2 / a) ** 0.5", new="(a / 2) ** 0.5", layer=("w0", "w1"),
              beside=("exploding_gradient", "dead_units", "nan_or_inf_in_data")),
        Fault(cause="wrong_head_for_labels", old="tf.nn.sigmoid_cross_entropy_with_logits(",
              new="tf.nn.softmax_cross_entropy_with_logits(", accept=("wrong_loss_for_task",),
              beside=("exploding_gradient",)),
        Fault(cause="optimiser_not_applied", old="p.assign_add(v)", new="p = p + v"),
        Fault(cause="learning_rate_too_low", old="v.assign(MOMENTUM * v - rate * g)",
              new="v.assign(MOMENTUM * v - rate * g / (BATCH * COLS))", beside=("too_few_steps",)),
        Fault(cause="learning_rate_too_high", old="RATE, MOMENTUM = 0.1, 0.9", new="RATE, MOMENTUM = 3.0, 0.9",
              accept=("oscillation", "exploding_gradient"), beside=("dead_units", "nan_or_inf_in_data")),
        Fault(cause="oscillation", old="RATE, MOMENTUM = 0.1, 0.9", new="RATE, MOMENTUM = 0.1, 0.997",
              accept=("learning_rate_too_high",), beside=("exploding_gradient",)),
    ),
    seeds=3,
)  # fmt: skip

HANDS = Program(
    name="boardgames_opening_hands",
    source='''
# Deck builder with my own cards: every player is dealt six cards before the first round. Which hands are good?
#
# I have the results of simulated games between two hands. The network gives each hand a strength, and the difference
# of the two is the log odds that the first one wins (Bradley and Terry). Dice decide a lot in this game, so do not
# expect it to be right in every game.
import numpy as np
import tensorflow as tf

tf.random.set_seed(SEED)
rng = np.random.default_rng([SEED, 6])

CARDS = ['copper', 'silver', 'smith', 'smithy', 'market', 'village', 'witch', 'ward', 'mill', 'grain', 'thief', 'curse']
WORTH = np.array([0.1, 0.4, -0.8, -0.6, -0.5, -0.4, 0.9, -0.5, -0.9, -0.7, 0.6, -1.0])
PARTNERS = [('smith', 'smithy', 3.6), ('market', 'village', 2.8), ('mill', 'grain', 3.8), ('witch', 'thief', -3.5),
            ('ward', 'curse', 3.0), ('silver', 'thief', -2.0)]
HAND = 6
GAMES, TEST_GAMES = 6000, 2500
STEPS, BATCH, ACCUMULATE = 800, 64, 2
RATE, DECAY, PER_EPOCH = 0.5, 0.9, 94


def deal(n):
    hands = np.zeros((n, len(CARDS)), 'int64')
    for hand in hands:
        np.add.at(hand, rng.integers(0, len(CARDS), HAND), 1)
    return hands


def truth(hands):
    """The simulator in short."""
    strength = (hands * WORTH).sum(axis=1)
    for a, b, bonus in PARTNERS:
        strength = strength + bonus * np.minimum(hands[:, CARDS.index(a)], hands[:, CARDS.index(b)])
    return 1.3 * strength - 0.5 * (hands.max(axis=1) >= 3)


def play(n):
    """Games as they are logged: the winner's hand, the loser's hand."""
    first, second = deal(n), deal(n)
    wins = rng.random(n) < 1 / (1 + np.exp(truth(second) - truth(first)))
    return np.where(wins[:, None], first, second), np.where(wins[:, None], second, first)


def features(hands):
    out = np.zeros((len(hands), len(CARDS) + 1))
    out[:, :-1] = hands / HAND
    out[:, -1] = (hands > 0).sum(axis=1) / len(CARDS)
    return out.astype('float32')


def seat(winners, losers):
    """Puts the winner on a random side; +1 when that is the first."""
    side = rng.random(len(winners)) < 0.5
    a = np.where(side[:, None], winners, losers)
    b = np.where(side[:, None], losers, winners)
    return features(a), features(b), np.where(side, 1.0, -1.0).astype('float32')


class Strength(tf.Module):
    def __init__(self, sizes, name=None):
        super().__init__(name=name)
        self.w, self.b = [], []
        for k, (n_in, n_out) in enumerate(zip(sizes[:-1], sizes[1:])):
            limit = (6 / (n_in + n_out)) ** 0.5
            self.w.append(tf.Variable(tf.random.uniform((n_in, n_out), -limit, limit), name=f'w{k}'))
            self.b.append(tf.Variable(tf.zeros(n_out), name=f'b{k}'))

    def __call__(self, hands):
        h = hands
        for w, b in zip(self.w[:-1], self.b[:-1]):
            h = tf.nn.elu(h @ w + b)
        return (h @ self.w[-1] + self.b[-1])[:, 0]


winners, losers = play(GAMES)
test_a, test_b, test_first = seat(*play(TEST_GAMES))

net = Strength([len(CARDS) + 1, 64, 32, 1])
total = [tf.Variable(tf.zeros_like(p)) for p in net.trainable_variables]
optimizer = tf.keras.optimizers.SGD(RATE, momentum=0.9)


@tf.function
def collect(a, b, first):
    """Adds the gradient of one batch to the total."""
    with tf.GradientTape() as tape:
        ahead = net(a) - net(b)
        loss = tf.reduce_mean(tf.nn.softplus(-first * ahead))
    for t, g in zip(total, tape.gradient(loss, net.trainable_variables)):
        t.assign_add(g / ACCUMULATE)
    return loss


def log_loss():
    ahead = (net(test_a) - net(test_b)).numpy().astype('float64')
    return float(np.mean(np.logaddexp(0, -test_first * ahead)))


recent = []
for step in range(STEPS * ACCUMULATE):
    rows = rng.integers(0, len(winners), BATCH)
    recent.append(float(collect(*seat(winners[rows], losers[rows]))))
    if step % ACCUMULATE == ACCUMULATE - 1:
        optimizer.learning_rate = RATE * DECAY ** (step // PER_EPOCH)
        optimizer.apply_gradients(zip(total, net.trainable_variables))
        for t in total:
            t.assign(tf.zeros_like(t))
    if step % 500 == 499:
        print(f'batch {step + 1:5d}  loss {np.mean(recent[-300:]):.4f}  new games {log_loss():.4f}')

# share of the log loss of tossing a coin that is gone
gained = 1 - log_loss() / np.log(2)
right = np.mean((net(test_a) - net(test_b)).numpy() * test_first > 0)
alone = net(features(2 * np.eye(len(CARDS), dtype='int64'))).numpy().ravel()
print(f'gained {gained:.3f}, right in {right:.1%} of the games')
print('best pairs:', [CARDS[i] for i in np.argsort(-alone)[:3]])
''',
    score="gained",
    bar=0.3,
    base=0.0,
    odd="dice decide many games, so that no network is always right",
    faults=(
        Fault(cause="loss_broadcast", old="return (h @ self.w[-1] + self.b[-1])[:, 0]",
              new="return h @ self.w[-1] + self.b[-1]"),
        Fault(cause="label_noise", old="    b = np.where(side[:, None], losers, winners)\n",
              new="    b = np.where(side[:, None], losers, winners)\n    side = rng.permutation(side)\n",
              accept=("labels_shuffled_apart",)),
        Fault(cause="overfitting", old="winners, losers = play(GAMES)", new="winners, losers = play(GAMES // 50)"),
        Fault(cause="missing_nonlinearity", old="h = tf.nn.elu(h @ w + b)", new="h = tf.add(h @ w, b)"),
        Fault(cause="input_ignored", old="out = np.zeros((len(hands), len(CARDS) + 1))",
              new="out = np.zeros((len(hands), len(CARDS) + 1), hands.dtype)"),
        Fault(cause="optimiser_not_applied", old="if step % ACCUMULATE == ACCUMULATE - 1:",
              new="if step % ACCUMULATE == ACCUMULATE:"),
        Fault(cause="lr_schedule_wrong", old="DECAY ** (step // PER_EPOCH)", new="DECAY ** step",
              beside=("learning_rate_too_low", "too_few_steps")),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [COLUMNS, HANDS]
