"""Scripts of a newspaper's data desk: vote shares of precincts before the count is out, and which headline wins."""

from keras_course.diagnostics.corpus import Fault, Program

SHARES = Program(
    name="newsroom_precinct_shares",
    source='''
# %% [markdown]
# # Election night: what would we expect of a precinct?
# The count trickles in over six hours. For the live map we want an *expected* result for every precinct, from what
# the statistical office publishes about the people who live there, so that a surprise is visible as one.
#
# The targets are the shares of four parties, so they add up to 1 and are not classes.

# %% imports
import keras
import numpy as np
import pandas as pd
from keras import layers
from sklearn.preprocessing import StandardScaler

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED + 1900)

PARTIES = ['labour', 'conservative', 'green', 'farmers']
EPSILON = 25  # privacy budget of the office: the larger, the less it blurs its table


# %% the table (a stand-in for census.parquet joined with results.parquet, same columns, same ranges)
def precincts(n):
    t = pd.DataFrame({'precinct': np.arange(10_000, 10_000 + n)})
    t['km_to_city'] = rng.gamma(1.6, 14, n).round(1)
    t['density'] = np.round(9000 * np.exp(-t.km_to_city / 9) + rng.gamma(2, 60, n))
    t['median_income'] = np.round(rng.normal(31_000, 6_500, n).clip(12_000), -2)
    t['over_65'] = rng.beta(4, 13, n).round(3)
    t['students'] = (rng.beta(1.3, 9, n) * np.exp(-t.km_to_city / 25)).round(3)
    t['rented'] = np.clip(0.25 + t.density / 14_000 + rng.normal(0, 0.12, n), 0.02, 0.98).round(3)
    t['farm_jobs'] = (rng.beta(1.2, 8, n) * (1 - np.exp(-t.km_to_city / 20))).round(3)
    t['turnout_before'] = rng.normal(0.68, 0.07, n).clip(0.3, 0.95).round(3)

    income = (t.median_income - 31_000) / 6_500
    urban = np.exp(-t.km_to_city / 12)
    pull = np.stack([
        0.9 - 0.55 * income * (1.4 - urban) + 0.9 * (t.rented - 0.4),
        0.5 + 0.5 * np.abs(income - 0.4) + 5.0 * (t.over_65 - 0.23),
        -0.6 + 2.2 * urban * np.tanh(income + 0.8) + 5.0 * t.students,
        -0.9 + 9.0 * t.farm_jobs - 1.2 * urban + 3.0 * (t.turnout_before - 0.68),
    ], axis=1) + rng.normal(0, 0.12, (n, 4))
    p = np.exp(pull) / np.exp(pull).sum(1, keepdims=True)
    t['valid_votes'] = rng.integers(350, 1400, n)
    counted = np.stack([rng.multinomial(v, q) for v, q in zip(t.valid_votes, p)])
    t[PARTIES] = counted
    t['margin'] = (counted[:, 0] - counted[:, 1]) / t.valid_votes  # what the map is coloured by
    return t


table = precincts(1800)
census = ['km_to_city', 'density', 'median_income', 'over_65', 'students', 'rented', 'farm_jobs', 'turnout_before']

# the office never publishes exact figures for small areas
spread = table[census].std()
table[census] = table[census] + rng.laplace(0, 1, (len(table), len(census))) / EPSILON * spread.to_numpy()

# %% a quarter of the precincts is kept for the check at the end
train = table.sample(frac=0.75, random_state=SEED)
test = table.drop(train.index)

columns = census
scaler = StandardScaler().fit(train[columns])
x_train = scaler.transform(train[columns]).astype('float32')
x_test = scaler.transform(test[columns]).astype('float32')
y_train = (train[PARTIES].to_numpy() / train[['valid_votes']].to_numpy()).astype('float32')
y_test = (test[PARTIES].to_numpy() / test[['valid_votes']].to_numpy()).astype('float32')
print(pd.DataFrame(y_train, columns=PARTIES).describe().round(3))

# %% the model
EPOCHS, BATCH = 45, 32
per_epoch = len(x_train) // BATCH
speed = keras.optimizers.schedules.ExponentialDecay(4e-3, decay_steps=per_epoch, decay_rate=0.95)
mild = keras.regularizers.L2(1e-6)

model = keras.Sequential([
    keras.Input((len(columns),)),
    layers.Dense(48, activation='relu', kernel_regularizer=mild, name='people'),
    layers.Dense(24, activation='relu', kernel_regularizer=mild, name='mood'),
    layers.Dense(len(PARTIES), activation='softmax', name='ballot'),
])
# cross-entropy and not KL: the desk knows the number, it ends at about 1.2 and that is as low as it goes
model.compile(optimizer=keras.optimizers.Adam(speed), loss='categorical_crossentropy', metrics=['mae'])
history = model.fit(x_train, y_train, validation_split=0.1, epochs=EPOCHS, batch_size=BATCH, verbose=2)

# %% how good is it?
expected = model.predict(x_test, verbose=0)
off = np.abs(expected - y_test).mean(axis=0)
for party, points in zip(PARTIES, off):
    print(f'{party:13} off by {100 * points:.1f} points on average')
rest = ((y_test - expected) ** 2).sum()
total = ((y_test - y_train.mean(axis=0)) ** 2).sum()
explained = 1 - rest / total
print(f'explained: {explained:.3f}')
surprises = test.assign(surprise=np.abs(expected - y_test).max(axis=1)).nlargest(5, 'surprise')
print(surprises[['precinct', 'surprise', *PARTIES]])
''',
    score="explained",
    bar=0.7,
    base=0.0,
    odd="the loss stays above 1: the cross-entropy of shares cannot fall below their entropy",
    faults=(
        Fault(cause="wrong_loss_for_task", old="loss='categorical_crossentropy'", new="loss='hinge'",
              beside=("loss_metric_inconsistent",)),
        Fault(cause="lr_schedule_wrong", old="decay_steps=per_epoch,", new="decay_steps=1,",
              beside=("learning_rate_too_low", "too_few_steps")),
        Fault(cause="leakage_feature", old="columns = census\n", new="columns = census + ['margin']\n", certain=True),
        Fault(cause="inputs_not_scaled", old="scaler = StandardScaler()", new="scaler = StandardScaler(with_std=False)",
              beside=("saturated_units", "dead_units", "exploding_gradient")),
        Fault(cause="regularisation_overwhelms", old="mild = keras.regularizers.L2(1e-6)",
              new="mild = keras.regularizers.L1(0.1)", layer=("people", "mood")),
        Fault(cause="inputs_drowned_in_noise", old="EPSILON = 25 ", new="EPSILON = 0.25 "),
        Fault(cause="leakage_duplicates", old="test = table.drop(train.index)",
              new="test = table.sample(frac=0.25, random_state=SEED + 1)", certain=True),
    ),
    seeds=3,
)  # fmt: skip

DUELS = Program(
    name="newsroom_headline_duels",
    source='''
# %% [markdown]
# # Which headline wins?
# Every story on the front page gets two headlines for the first hour; half of the readers see A, half see B.
# Three years of those duels are in the log. The morning editor would like a second opinion before the duel starts.
#
# One scorer reads one headline. A duel is decided by the difference of two scores.

# %%
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng([SEED, 7])

# %% the log of duels, in the words of our front page
TOPICS = {
    'money': 'rent tax pension mortgage wages prices savings bank inflation bills'.split(),
    'crime': 'police court burglary robbery judge suspect trial prison fraud arson'.split(),
    'sport': 'striker derby coach penalty league keeper final relegation sprint medal'.split(),
    'council': 'mayor council budget tram bridge school permit parking festival library'.split(),
}
FRAMES = {
    'question': ['why', 'what', 'who'],
    'number': ['three', 'seven', 'ten'],
    'you': ['you', 'your', 'yours'],
    'quote': ['says', 'insists', 'warns'],
    'plain': ['report', 'after', 'update'],
}
FILLER = 'the of in for with on at by new old city today week again still'.split()
WARM = rng.permutation(FILLER + sum(TOPICS.values(), []))[:20]
# what readers like depends on what the story is about
LIKES = {
    'money': dict(question=0.3, number=1.2, you=1.0, quote=-1.0, plain=-0.6),
    'crime': dict(question=1.2, number=-0.9, you=-1.2, quote=0.9, plain=0.2),
    'sport': dict(question=-1.0, number=-0.2, you=-0.9, quote=1.1, plain=0.8),
    'council': dict(question=0.7, number=0.8, you=1.2, quote=-0.9, plain=-1.1),
}


def headline(topic, frame):
    words = list(rng.choice(TOPICS[topic], 2, replace=False)) + [rng.choice(FRAMES[frame])]
    words += list(rng.choice(FILLER, rng.integers(2, 6)))
    return ' '.join(rng.permutation(words))


def appeal(text, topic, frame):
    return LIKES[topic][frame] + 0.25 * sum(word in WARM for word in text.split())


def duel(readers=20_000):
    topic = rng.choice(list(TOPICS))
    frames = rng.choice(list(FRAMES), 2, replace=False)
    a, b = (headline(topic, frame) for frame in frames)
    rates = [0.05 * np.exp(0.4 * appeal(text, topic, frame)) for text, frame in zip((a, b), frames)]
    clicks = rng.binomial(readers, np.minimum(rates, 0.5))
    return a, b, 'A' if clicks[0] > clicks[1] else 'B'


log = [duel() for _ in range(2600)]
first = np.array([row[0] for row in log])
second = np.array([row[1] for row in log])
won = np.array([{'A': 1, 'B': 0}[row[2]] for row in log], 'float32')
print(first[0], '|', second[0], '|', won[0])

# %% words to numbers
LENGTH = 9
words = layers.TextVectorization(output_sequence_length=LENGTH)
words.adapt(np.concatenate([first[:2000], second[:2000]]))
print(words.vocabulary_size(), 'words')
a, b = words(first).numpy(), words(second).numpy()
a_train, b_train, won_train = a[:2000], b[:2000], won[:2000]
a_test, b_test, won_test = a[2000:], b[2000:], won[2000:]

# %% the scorer
scorer = keras.Sequential([
    keras.Input((LENGTH,), dtype='int32'),
    layers.Embedding(words.vocabulary_size(), 24, embeddings_initializer='he_normal', name='words'),
    layers.GlobalAveragePooling1D(name='headline'),
    layers.Dense(48, activation='gelu', name='taste'),
    layers.Dense(1, name='appeal'),
], name='scorer')


class Duel(keras.Model):
    """Learns from pairs which of two is the better one."""

    def __init__(self, scorer):
        super().__init__()
        self.scorer = scorer
        self.mean_loss = keras.metrics.Mean(name='loss')
        self.right = keras.metrics.BinaryAccuracy(name='right', threshold=0.0)

    @property
    def metrics(self):
        return [self.mean_loss, self.right]

    def call(self, pair, training=False):
        lead = self.scorer(pair[0], training=training) - self.scorer(pair[1], training=training)
        return lead[:, 0]

    def surprise(self, won, lead):
        return tf.reduce_mean(tf.nn.softplus(lead) - won * lead)

    def train_step(self, data):
        pair, won = data
        with tf.GradientTape() as tape:
            lead = self(pair, training=True)
            loss = self.surprise(won, lead)
        weights = self.scorer.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        self.mean_loss.update_state(loss)
        self.right.update_state(won, tf.reshape(lead, [-1]))
        return {m.name: m.result() for m in self.metrics}

    def test_step(self, data):
        pair, won = data
        lead = self(pair)
        self.mean_loss.update_state(self.surprise(won, lead))
        self.right.update_state(won, tf.reshape(lead, [-1]))
        return {m.name: m.result() for m in self.metrics}


# %% training
editor = Duel(scorer)
editor.compile(optimizer=keras.optimizers.Nadam(8e-3))
editor.fit((a_train, b_train), won_train, validation_data=((a_test, b_test), won_test),
           epochs=12, batch_size=50, verbose=2)

# %% the duels of the last months
lead = scorer.predict(a_test, verbose=0)[:, 0] - scorer.predict(b_test, verbose=0)[:, 0]
picked = np.where(lead > 0, 'A', 'B')
actual = np.array([row[2] for row in log[2000:]])
agreement = np.mean((picked == actual)[np.isfinite(lead)]) if np.isfinite(lead).any() else 0.5
print(f'same winner as the readers in {100 * agreement:.0f} % of {len(actual)} duels')
''',
    score="agreement",
    bar=0.83,
    base=0.5,
    faults=(
        Fault(cause="loss_broadcast", old="        return lead[:, 0]\n", new="        return lead\n"),
        Fault(cause="input_ignored", old="words.adapt(np.concatenate([first[:2000], second[:2000]]))",
              new="words.adapt(list(TOPICS))"),
        Fault(cause="label_encoding", old="{'A': 1, 'B': 0}[row[2]]", new="'AB'.index(row[2]) + 1",
              beside=("wrong_loss_for_task",)),
        Fault(cause="gradient_sign_flipped", old="tf.reduce_mean(tf.nn.softplus(lead) - won * lead)",
              new="tf.reduce_mean(won * lead - tf.nn.softplus(lead))", accept=("wrong_loss_for_task",),
              beside=("exploding_gradient",)),
        Fault(cause="frozen_or_disconnected", old="weights = self.scorer.trainable_variables",
              new="weights = self.scorer.get_layer('appeal').trainable_variables", layer=("words", "taste")),
        Fault(cause="underfitting_capacity", old="vocabulary_size(), 24, embeddings",
              new="vocabulary_size(), 1, embeddings", layer=("words",)),
        Fault(cause="label_noise", old="def duel(readers=20_000)", new="def duel(readers=20)"),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [SHARES, DUELS]
