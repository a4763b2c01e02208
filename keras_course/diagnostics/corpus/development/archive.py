"""Scripts of an archive: subject headings for an old card catalogue and modern spelling for old prints."""

from keras_course.diagnostics.corpus import Fault, Program

SUBJECTS = Program(
    name="archive_card_subjects",
    source="""
# Card catalogue 1780-1910: propose subject headings for the titles that were never indexed.
# A card can carry several headings (or one), so every heading is its own yes/no question.
import re
from collections import Counter

import numpy as np
import tensorflow as tf

tf.keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

HEADINGS = {
    'Botany': 'flora herbs plants garden seeds orchids mosses ferns trees growing blossom grasses',
    'Law': 'statutes court treaty trial rights parliament inheritance judges penal charter decrees verdict',
    'Theology': 'sermons gospel prayers faith saints psalms grace catechism bishop synod sacred salvation',
    'Travel': 'voyage journey travels islands coasts harbours mountains east guide expedition routes sailing',
    'Music': 'songs hymns violin organ choir opera scores harmony dances melodies singing chamber',
    'War': 'campaign battles siege regiment fortress army cavalry artillery marshal victory retreat naval',
}
NAMES = list(HEADINGS)
FILLERS = ('on of the a in and new history account short complete observations letters collected upon present '
           'ancient modern curious several description treatise notes with remarks by volume first second').split()


def card():
    y = rng.random(len(NAMES)) < .28
    if not y.any():
        y[rng.integers(len(NAMES))] = True
    words = list(rng.choice(FILLERS, rng.integers(4, 9)))
    for k in np.flatnonzero(y):
        words += list(rng.choice(HEADINGS[NAMES[k]].split(), rng.integers(1, 4)))
    if rng.random() < .3:   # a word that leads astray
        words.append(rng.choice(HEADINGS[rng.choice(NAMES)].split()))
    rng.shuffle(words)
    return ' '.join(words).capitalize() + '.', y.astype('float32')


cards = [card() for _ in range(3600)]
titles = [re.sub('[^a-z ]', '', t.lower()).split() for t, _ in cards]
Y = np.array([y for _, y in cards])
vocabulary = {w: i + 1 for i, (w, _) in enumerate(Counter(w for t in titles for w in t).most_common(150))}
MAXLEN = max(map(len, titles))
X = np.zeros((len(titles), MAXLEN), 'int32')
for row, t in zip(X, titles):
    ids = [vocabulary.get(w, 0) for w in t]
    row[:len(ids)] = ids

order = rng.permutation(len(X))
X, Y = X[order], Y[order]
X_train, Y_train, X_dev, Y_dev = X[:2400], Y[:2400], X[2400:], Y[2400:]

DIM = 24
words_in = tf.keras.Input((MAXLEN,), dtype='int32')
e = tf.keras.layers.Embedding(len(vocabulary) + 1, DIM, mask_zero=True, name='words')(words_in)
e = tf.keras.layers.GlobalAveragePooling1D()(e)
h = tf.keras.layers.Dense(DIM, activation='relu', name='hidden')(e)
headings_out = tf.keras.layers.Dense(len(NAMES), name='headings')(h)
net = tf.keras.Model(words_in, headings_out)
opt = tf.keras.optimizers.Adam(4e-3)


def cost(y, z):
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=z))


@tf.function
def learn(x, y):
    with tf.GradientTape() as tape:
        c = cost(y, net(x, training=True))
    grads = tape.gradient(c, net.trainable_variables)
    opt.apply_gradients(zip(grads, net.trainable_variables))
    return c


batches = tf.data.Dataset.from_tensor_slices((X_train, Y_train)).shuffle(2400).batch(48)
for epoch in range(9):
    total = [float(learn(x, y)) for x, y in batches]
    print('epoch %2d   cost %.4f   dev %.4f' % (epoch + 1, np.mean(total), float(cost(Y_dev, net(X_dev)))))

proposed = net(X_dev).numpy() > 0
recall = (proposed * Y_dev).sum(0) / Y_dev.sum(0)
spec = (~proposed * (1 - Y_dev)).sum(0) / (1 - Y_dev).sum(0)
for name, a, b in zip(NAMES, recall, spec):
    print(f'{name:10s} found {a:.2f}   rightly left out {b:.2f}')
found = float(np.mean((recall + spec) / 2))
""",
    score="found",
    bar=0.85,
    base=0.5,
    faults=(
        Fault(cause="probabilities_to_logits_loss", old="Dense(len(NAMES), name='headings')",
              new="Dense(len(NAMES), activation='sigmoid', name='headings')", layer=("headings",),
              beside=("wrong_metric",)),
        Fault(cause="wrong_loss_for_task", old="tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=z)",
              new="tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=z)", accept=("wrong_head_for_labels",)),
        Fault(cause="labels_shuffled_apart", old="X, Y = X[order], Y[order]\n", new="X, Y = X[order], Y[rng.permutation(len(Y))]\n",
              beside=("label_noise",)),
        Fault(cause="optimiser_not_applied", old="    opt.apply_gradients(zip(grads, net.trainable_variables))\n",
              new="    opt.build(net.trainable_variables)\n"),
        Fault(cause="underfitting_capacity", old="DIM = 24\n", new="DIM = 1\n", layer=("words", "hidden"),
              beside=("dead_units",)),
        Fault(cause="label_noise", old="    return ' '.join(words).capitalize() + '.', y.astype('float32')",
              new="    if rng.random() < .4:\n        y = rng.random(len(NAMES)) < y.mean()\n"
              "    return ' '.join(words).capitalize() + '.', y.astype('float32')",
              beside=("labels_shuffled_apart",)),
    ),
    seeds=3,
)  # fmt: skip

SPELLING = Program(
    name="archive_old_spelling",
    source="""
import numpy as np
import keras
from keras import layers, ops

# Old prints spell u/v, i/j/y and s as they like; every letter gets one edit so that the words can be searched.
# Letters are read one by one, the edit of a letter depends on its neighbours.
keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

EDITS = ['keep', '>u', '>v', '>i', '>j', '>s', 'drop']
LETTERS = 'abcdefghijklmnoprstuvwxyz\\u017f'
CODE = {c: i for i, c in enumerate(LETTERS, start=1)}    # 0 stays free for padding
EDIT = {e: i for i, e in enumerate(EDITS)}


def modern_word():
    parts = []
    for _ in range(rng.integers(2, 5)):
        part = rng.choice(list('bdfgjklmnrstvvwjs')) + rng.choice(list('aeiouuei'))
        if rng.random() < .4:
            part += rng.choice(list('nrlst'))
        parts.append(part)
    return ''.join(parts)


def old_print(word):
    '''Letters as the printer set them, and the edit that leads back to each.'''
    old, edits = [], []
    for k, c in enumerate(word):
        if c in 'uv':
            old.append('v' if k == 0 else 'u')
            edits.append('>' + c)
        elif c in 'ij':
            old.append(rng.choice(['y', 'i']) if c == 'i' and k else 'i')
            edits.append('>' + c)
        elif c == 's':
            old.append('s' if k == len(word) - 1 else '\\u017f')
            edits.append('>s')
        else:
            old.append(c)
            edits.append('keep')
            if c == 't' and k + 1 < len(word) and word[k + 1] in 'aeiou' and rng.random() < .7:
                old.append('h')
                edits.append('drop')
    return [CODE[c] for c in old], [EDIT[e] for e in edits]


LONGEST = 16


class Words(keras.utils.PyDataset):
    '''Batches of words, padded with 0.'''

    def __init__(self, pairs, batch_size=40, shuffle=False, **kw):
        super().__init__(**kw)
        self.pairs, self.batch_size, self.shuffle = list(pairs), batch_size, shuffle

    def __len__(self):
        return int(np.ceil(len(self.pairs) / self.batch_size))

    def __getitem__(self, i):
        part = self.pairs[i * self.batch_size:(i + 1) * self.batch_size]
        x, y = np.zeros((2, len(part), LONGEST), 'int32')
        for r, (a, b) in enumerate(part):
            x[r, :len(a)], y[r, :len(b)] = a, b
        return x, y

    def on_epoch_end(self):
        if self.shuffle:
            order = rng.permutation(len(self.pairs))
            self.pairs = [self.pairs[j] for j in order]


words = list(dict.fromkeys(modern_word() for _ in range(2600)))
train, dev = words[:1700], words[1700:2200]
train_seq = Words([old_print(w) for w in train], shuffle=True)
dev_seq = Words([old_print(w) for w in dev], batch_size=100)


class Places(layers.Layer):
    def __init__(self, longest, width, **kw):
        super().__init__(**kw)
        self.supports_masking = True
        self.table = self.add_weight(shape=(longest, width), initializer='random_normal', name='table')

    def call(self, x):
        return x + self.table[:ops.shape(x)[1]]


def block(x, width, k):
    a = layers.MultiHeadAttention(4, width // 4, name=f'att{k}')(x, x)
    x = layers.LayerNormalization(name=f'norm{k}a')(layers.Add()([x, a]))
    f = layers.Dense(2 * width, activation='relu', name=f'wide{k}')(x)
    f = layers.Dense(width, name=f'narrow{k}')(f)
    return layers.LayerNormalization(name=f'norm{k}b')(layers.Add()([x, f]))


WIDTH = 32
letters = keras.Input((LONGEST,), dtype='int32')
h = layers.Embedding(len(CODE) + 1, WIDTH, mask_zero=True, name='letters')(letters)
h = Places(LONGEST, WIDTH, name='places')(h)
h = block(h, WIDTH, 1)
model = keras.Model(letters, layers.Dense(len(EDITS), name='edits')(h))

EPOCHS = 9
steps = len(train_seq) * EPOCHS
rate = keras.optimizers.schedules.CosineDecay(2e-4, steps, warmup_target=4e-3, warmup_steps=steps // 8)
model.compile(keras.optimizers.Adam(rate, clipnorm=1.0),
              loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
              weighted_metrics=['sparse_categorical_accuracy'])
model.fit(train_seq, validation_data=dev_seq, epochs=EPOCHS, verbose=2)

right, seen = np.zeros(len(EDITS)), np.zeros(len(EDITS))
for x, y in (dev_seq[i] for i in range(len(dev_seq))):
    guess = model.predict_on_batch(x).argmax(-1)
    for e in range(len(EDITS)):
        at = (y == e) & (x > 0)
        seen[e] += at.sum()
        right[e] += (guess[at] == e).sum()
for e, r, s in zip(EDITS, right, seen):
    print(f'{e:5s} {r / s:.3f} of {s:.0f}')
per_edit = float(np.mean(right / seen))
""",
    score="per_edit",
    bar=0.85,
    base=1 / 7,
    faults=(
        Fault(cause="logits_to_probability_loss", old="SparseCategoricalCrossentropy(from_logits=True)",
              new="SparseCategoricalCrossentropy()"),
        Fault(cause="input_ignored", old="return x + self.table[:ops.shape(x)[1]]",
              new="return ops.broadcast_to(self.table[:ops.shape(x)[1]], ops.shape(x))", layer=("places", "letters"),
              accept=("frozen_or_disconnected",)),
        Fault(cause="learning_rate_too_high", old="CosineDecay(2e-4, steps, warmup_target=4e-3,",
              new="CosineDecay(2e-2, steps, warmup_target=4e-1,"),
        Fault(cause="lr_schedule_wrong", old="steps = len(train_seq) * EPOCHS\n", new="steps = EPOCHS\n",
              beside=("too_few_steps", "learning_rate_too_low")),
        Fault(cause="underfitting_capacity", old="WIDTH = 32\n", new="WIDTH = 4\n"),
        Fault(cause="regularisation_overwhelms", old="keras.optimizers.Adam(rate, clipnorm=1.0)",
              new="keras.optimizers.AdamW(rate, weight_decay=25.0, clipnorm=1.0)"),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (SUBJECTS, SPELLING)
