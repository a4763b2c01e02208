"""Scripts of linguists: the gender of nouns from their endings, and tags of words in sentences."""

from keras_course.diagnostics.corpus import Fault, Program

GENDER = Program(
    name="linguist_noun_gender",
    source="""
# Gender of a noun from its last letters. A plain softmax regression on purpose: I want to read the weights.
import collections
import random

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(SEED)
GENDERS = ['m', 'f', 'n']
ENDINGS = {
    'm': {'ling': 15, 'or': 14, 'ant': 14, 'ig': 12, 'ich': 12, 'us': 13, 'er': 6, 'en': 6, 'al': 5, 'um': 3},
    'f': {'ung': 18, 'heit': 10, 'keit': 10, 'ei': 9, 'schaft': 9, 'ion': 12, 'e': 16, 'ur': 8, 'ik': 8},
    'n': {'er': 24, 'en': 24, 'um': 26, 'al': 26},
}
FREQUENCY = {'m': 0.5, 'f': 0.43, 'n': 0.07}
ONSETS = ['b', 'br', 'd', 'f', 'fl', 'g', 'gr', 'h', 'k', 'kl', 'l', 'm', 'n', 'p', 'r', 's', 'sch', 'st', 't', 'w', 'z']
VOWELS = ['a', 'e', 'i', 'o', 'u', 'au', 'ei', 'ie']


def coin_noun():
    gender = random.choices(GENDERS, [FREQUENCY[g] for g in GENDERS])[0]
    source = gender if random.random() < 0.97 else random.choice(GENDERS)  # exceptions: das Mädchen, die Nummer
    stem = ''.join(random.choice(ONSETS) + random.choice(VOWELS) for _ in range(random.randint(1, 2)))
    return stem + random.choice(['n', 'r', 't', 'l', 'k']) + random.choices(list(ENDINGS[source]), list(ENDINGS[source].values()))[0], gender


lexicon = {}
while len(lexicon) < 3600:
    noun, gender = coin_noun()
    lexicon.setdefault(noun, gender)
entries = sorted(lexicon.items(), key=lambda entry: (entry[1], entry[0]))  # as in the printed list
random.shuffle(entries)
train, test = entries[:2700], entries[2700:]


def endings_of(noun):
    return [noun[-k:] for k in (1, 2, 3, 4)]


counts = collections.Counter(e for noun, _ in train for e in endings_of(noun))
columns = {e: i for i, (e, c) in enumerate(counts.most_common()) if c >= 4}


def matrix(pairs):
    x = np.zeros((len(pairs), len(columns)), 'float32')
    for row, (noun, _) in enumerate(pairs):
        for e in endings_of(noun):
            if e in columns:
                x[row, columns[e]] = 1.0
    return x, np.array([GENDERS.index(g) for _, g in pairs])


X, Y = matrix(train)
X_test, Y_test = matrix(test)
class_share = np.bincount(Y, minlength=3) / len(Y)
balance = tf.constant(1.0 / (3 * np.maximum(class_share, 1e-3)), tf.float32)

W = tf.Variable(tf.zeros((len(columns), 3)))
b = tf.Variable(tf.zeros(3))
RATE = 0.8
BATCH = 60


def loss_of(x, y):
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=x @ W + b)
    return tf.reduce_mean(each * tf.gather(balance, y)) + 1e-4 * tf.reduce_sum(W ** 2)


def recall_by_gender(x, pairs):
    guess = [GENDERS[k] for k in (x @ W + b).numpy().argmax(1)]
    right = {g: [] for g in GENDERS}
    for said, (_, gender) in zip(guess, pairs):
        right[gender].append(said == gender)
    return {g: float(np.mean(v)) if v else 0.0 for g, v in right.items()}


for epoch in range(12):
    order = np.random.permutation(len(X))
    total = 0.0
    for i in range(0, len(X), BATCH):
        rows = order[i:i + BATCH]
        with tf.GradientTape() as tape:
            loss = loss_of(X[rows], Y[rows])
        dW, db = tape.gradient(loss, [W, b])
        W.assign_sub(RATE * dW)
        b.assign_sub(RATE * db)
        total += float(loss) * len(rows)
    recall = recall_by_gender(X_test, test)
    print(epoch, round(total / len(X), 4), recall)

mean_recall = np.mean(list(recall.values()))
strongest = {g: [e for e, i in sorted(columns.items(), key=lambda p: -W[p[1], k].numpy())[:5]] for k, g in enumerate(GENDERS)}
print(strongest)
""",
    score="mean_recall",
    bar=0.8,
    base=1 / 3,
    odd="weights start from zeros, which does no harm to a linear model",
    faults=(
        Fault(cause="gradient_sign_flipped", old="W.assign_sub(RATE * dW)", new="W.assign_add(RATE * dW)",
              beside=("exploding_gradient",)),
        Fault(cause="class_imbalance", old="tf.reduce_mean(each * tf.gather(balance, y))", new="tf.reduce_mean(each)"),
        Fault(cause="label_noise", old="random.random() < 0.97 else", new="random.random() < 0.45 else"),
        Fault(cause="leakage_duplicates", old="train, test = entries[:2700], entries[2700:]",
              new="train, test = entries[:2700], entries[2000:]", certain=True),
        Fault(cause="loss_metric_inconsistent", old="guess = [GENDERS[k] for k in", new="guess = [sorted(GENDERS)[k] for k in",
              accept=("label_encoding", "wrong_metric")),
        Fault(cause="oscillation", old="RATE = 0.8", new="RATE = 80.0", accept=("learning_rate_too_high",)),
        Fault(cause="missing_class", old="np.array([GENDERS.index(g) for _, g in pairs])",
              new="np.array([int(g == 'f') for _, g in pairs])", accept=("label_encoding",),
              beside=("label_noise", "loss_metric_inconsistent", "class_imbalance")),
    ),
    seeds=3,
)  # fmt: skip

TAGGER = Program(
    name="linguist_word_tagger",
    source="""
# Part-of-speech tags with one transformer block; sentences come from my toy grammar of homographs
import math

import keras
import numpy as np
from keras import layers, ops

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

TAGS = ['PAD', 'DET', 'ADJ', 'NOUN', 'VERB', 'ADV', 'PREP']
FOLLOWS = {
    'START': (['DET', 'NOUN', 'ADV'], [0.6, 0.25, 0.15]),
    'DET': (['ADJ', 'NOUN'], [0.4, 0.6]),
    'ADJ': (['NOUN', 'ADJ'], [0.8, 0.2]),
    'NOUN': (['VERB', 'PREP', 'ADV'], [0.6, 0.25, 0.15]),
    'VERB': (['DET', 'ADV', 'PREP', 'ADJ'], [0.5, 0.2, 0.2, 0.1]),
    'ADV': (['VERB', 'DET', 'ADJ'], [0.5, 0.3, 0.2]),
    'PREP': (['DET', 'NOUN'], [0.7, 0.3]),
}
LEXICON = {
    'DET': np.arange(1, 7), 'PREP': np.arange(7, 15), 'ADV': np.arange(15, 60), 'ADJ': np.arange(50, 110),
    'NOUN': np.arange(95, 200), 'VERB': np.arange(155, 240),  # the ranges overlap: light, run, fast, ...
}
VOCAB = 240
LENGTH = 14


def sentence():
    n = rng.integers(6, LENGTH + 1)
    words, tags, last = np.zeros(LENGTH, 'int32'), np.zeros(LENGTH, 'int32'), 'START'
    for i in range(n):
        options, p = FOLLOWS[last]
        last = rng.choice(options, p=p)
        words[i] = rng.choice(LEXICON[last])
        tags[i] = TAGS.index(last)
    return words, tags


def treebank(n):
    pairs = [sentence() for _ in range(n)]
    return np.stack([w for w, _ in pairs]), np.stack([t for _, t in pairs])


class Sentences(keras.utils.PyDataset):
    def __init__(self, words, tags, batch=32, mix=True, **kw):
        super().__init__(**kw)
        self.words, self.tags, self.batch, self.mix = words, tags, batch, mix
        self.on_epoch_end()

    def on_epoch_end(self):
        self.order = np.random.permutation(len(self.words)) if self.mix else np.arange(len(self.words))

    def __len__(self):
        return math.ceil(len(self.words) / self.batch)

    def __getitem__(self, i):
        rows = self.order[i * self.batch:(i + 1) * self.batch]
        w, t = self.words[rows], self.tags[rows]
        return w, t, (w > 0).astype('float32')


train_words, train_tags = treebank(1600)
dev_words, dev_tags = treebank(300)
test_words, test_tags = treebank(400)
train = Sentences(train_words, train_tags)
dev = Sentences(dev_words, dev_tags, mix=False)

WIDTH = 32
EPOCHS = 5
words = keras.Input((LENGTH,), dtype='int32')
keep = ops.not_equal(words, 0)
positions = ops.cumsum(ops.ones_like(words), axis=1) - 1
what = layers.Embedding(VOCAB, WIDTH, name='words')(words)
where = layers.Embedding(LENGTH, WIDTH, name='positions')(positions)
x = layers.Dropout(0.1)(what + where)
a = layers.MultiHeadAttention(4, 8, name='attention')(x, x, attention_mask=keep[:, None, :])
x = layers.LayerNormalization(name='norm1')(x + a)
f = layers.Dense(64, activation='relu', name='ff1')(x)
f = layers.Dense(WIDTH, name='ff2')(f)
x = layers.LayerNormalization(name='norm2')(x + f)
tags = layers.Dense(len(TAGS), name='tags')(x)
tagger = keras.Model(words, tags)

rate = keras.optimizers.schedules.PolynomialDecay(4e-3, decay_steps=EPOCHS * len(train), end_learning_rate=1e-6)
tagger.compile(
    optimizer=keras.optimizers.AdamW(rate, weight_decay=0.01),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    weighted_metrics=['sparse_categorical_accuracy'],
)
tagger.fit(train, validation_data=dev, epochs=EPOCHS, verbose=2)

guess = tagger.predict(test_words, verbose=0)[..., 1:].argmax(-1) + 1
real = test_tags > 0
per_tag = [np.mean(guess[test_tags == k] == k) for k in range(1, len(TAGS))]
print(dict(zip(TAGS[1:], np.round(per_tag, 3))))
""",
    score="np.mean(per_tag)",
    bar=0.85,
    base=1 / 6,
    faults=(
        Fault(cause="lr_schedule_wrong", old="decay_steps=EPOCHS * len(train),", new="decay_steps=EPOCHS,",
              beside=("too_few_steps", "learning_rate_too_low")),
        Fault(cause="input_ignored", old="x = layers.Dropout(0.1)(what + where)", new="x = layers.Dropout(0.1)(where)",
              accept=("frozen_or_disconnected",)),
        Fault(cause="underfitting_capacity", old="WIDTH = 32", new="WIDTH = 3"),
        Fault(cause="logits_to_probability_loss", old="SparseCategoricalCrossentropy(from_logits=True)",
              new="SparseCategoricalCrossentropy()", beside=("wrong_head_for_labels",), layer=("tags",)),
        Fault(cause="labels_shuffled_apart", old="w, t = self.words[rows], self.tags[rows]",
              new="w, t = self.words[rows], self.tags[i * self.batch:(i + 1) * self.batch]", accept=("label_noise",)),
        Fault(cause="learning_rate_too_high", old="PolynomialDecay(4e-3,", new="PolynomialDecay(4.0,",
              beside=("exploding_gradient", "oscillation", "dead_units", "lr_schedule_wrong")),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (GENDER, TAGGER)
