"""Scripts of a newspaper and of a bookshop: tags for headlines and genres from covers."""

from keras_course.diagnostics.corpus import Fault, Program

HEADLINES = Program(
    name="publisher_headline_tags",
    source="""
# %% tags for the archive's headlines (an article may carry several tags)
import random

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

keras.utils.set_random_seed(SEED)

TAGS = ['politics', 'business', 'sport', 'culture', 'weather', 'police']
WORDS = {
    'politics': 'council mayor vote coalition minister budget treaty ballot senate opposition'.split(),
    'business': 'shares bank profit merger tariff startup factory wages export inflation'.split(),
    'sport': 'derby coach striker relay medal penalty league goalkeeper sprint playoffs'.split(),
    'culture': 'opera gallery novel premiere festival violin poet museum sculptor ballet'.split(),
    'weather': 'storm frost heatwave flood snow drought gale hail thaw lightning'.split(),
    'police': 'arrest burglary witness trial suspect fraud verdict robbery inquest bail'.split(),
}
FILL = 'new after old city of the in for big town says week over again first two more late how why'.split()
MAXLEN, DIM = 12, 24


# %% the archive, as the export delivers it: one desk after the other
def article(desk):
    k = random.choices([0, 1, 2], [.45, .4, .15])[0]
    tags = {desk, *random.sample(TAGS, k)}
    words = [random.choice(WORDS[t] if random.random() < .94 else FILL) for t in tags] + random.choices(FILL, k=random.randint(3, 7))
    random.shuffle(words)
    # what readers clicked on as topics, mostly nonsense
    clicked = tags if random.random() < .25 else set(random.sample(TAGS, random.randint(1, 3)))
    return ' '.join(words).capitalize(), sorted(tags), sorted(clicked)


def export(per_desk):
    return [article(desk) for desk in TAGS for _ in range(per_desk)]


def many_hot(lists):
    return np.array([[t in tags for t in TAGS] for tags in lists], 'float32')


train_set, val_set = export(450), export(100)
heads, tags, clicked = (list(column) for column in zip(*train_set))
val_heads, val_tags, _ = (list(column) for column in zip(*val_set))

# %% pipeline
vectorize = layers.TextVectorization(max_tokens=400, output_sequence_length=MAXLEN)
vectorize.adapt(heads)

train = tf.data.Dataset.from_tensor_slices((vectorize(heads), many_hot(tags)))
train = train.shuffle(len(heads)).batch(50).prefetch(1)
val = tf.data.Dataset.from_tensor_slices((vectorize(val_heads), many_hot(val_tags))).batch(200)

# %% model
class Reader(layers.Layer):
    def __init__(self, vocabulary, **kwargs):
        super().__init__(**kwargs)
        self.words = layers.Embedding(vocabulary, DIM, name='words')
        self.places = layers.Embedding(MAXLEN, DIM, name='places')
        self.drop_words = layers.Dropout(0.5, noise_shape=(None, MAXLEN, 1), name='drop_words')
        self.attention = layers.MultiHeadAttention(2, DIM // 2, name='attention')
        self.norm1, self.norm2 = layers.LayerNormalization(), layers.LayerNormalization()
        self.ff = keras.Sequential([layers.Dense(48, activation='gelu'), layers.Dense(DIM)], name='ff')

    def call(self, tokens, training=None):
        x = self.drop_words(self.words(tokens), training=training)
        x = x + self.places(ops.arange(MAXLEN))
        x = self.norm1(x + self.attention(x, x))
        return self.norm2(x + self.ff(x))


tagger = keras.Sequential([
    keras.Input((MAXLEN,), dtype='int64'),
    Reader(vectorize.vocabulary_size(), name='reader'),
    layers.GlobalMaxPooling1D(),
    layers.Dense(len(TAGS), activation='sigmoid', name='tags'),
])
tagger.compile(
    optimizer=keras.optimizers.Adam(3e-3),
    loss=keras.losses.BinaryCrossentropy(),
    metrics=[keras.metrics.F1Score(average='macro', threshold=0.5, name='f1')],
)
history = tagger.fit(train, validation_data=val, epochs=8, verbose=2)
f1 = history.history['val_f1'][-1]
print('macro F1 of the newest articles: %.3f' % f1)
""",
    score="f1",
    bar=0.85,
    base=0.44,
    odd="the source is sorted by desk, and the shuffle buffer holds all of it",
    faults=(
        Fault(cause="wrong_loss_for_task", old="keras.losses.BinaryCrossentropy()",
              new="keras.losses.CategoricalCrossentropy()", accept=("wrong_head_for_labels",),
              beside=("loss_metric_inconsistent", "label_encoding")),
        Fault(cause="wrong_head_for_labels", old="Dense(len(TAGS), activation='sigmoid', name='tags')",
              new="Dense(len(TAGS), activation='softmax', name='tags')",
              accept=("output_range_cannot_reach_targets",), layer=("tags",),
              beside=("wrong_loss_for_task", "loss_metric_inconsistent")),
        Fault(cause="dropout_mode", old="self.drop_words(self.words(tokens), training=training)",
              new="self.drop_words(self.words(tokens), training=True)", layer=("drop_words", "reader")),
        Fault(cause="label_noise", old="(vectorize(heads), many_hot(tags))",
              new="(vectorize(heads), many_hot(clicked))",
              beside=("overfitting", "train_val_preprocessing_mismatch")),
        Fault(cause="input_ignored", old="vectorize.adapt(heads)", new="vectorize.adapt(TAGS)"),
        Fault(cause="learning_rate_too_high", old="Adam(3e-3)", new="Adam(0.3)",
              beside=("dead_units", "saturated_units", "oscillation")),
    ),
    seeds=3,
)  # fmt: skip

COVERS = Program(
    name="publisher_cover_genres",
    source="""
#!/usr/bin/env python
# Which shelf does a book belong on? Guess the genre from a thumbnail of its cover.
import os
import numpy as np
from tensorflow import keras
from tensorflow.keras import layers, regularizers

SIDE = 20
genres = ['crime', 'romance', 'children', 'scifi']
keras.utils.set_random_seed(SEED)
np.random.seed(SEED + 55)
yy, xx = np.mgrid[0:SIDE, 0:SIDE] / SIDE


def cover(g):
    paper = np.random.uniform(60, 190, 3)
    img = np.ones((SIDE, SIDE, 3)) * paper + np.random.normal(0, 14, (SIDE, SIDE, 3))
    ink = np.random.uniform(-75, 75, 3)
    ink += 40 * np.sign(ink)
    if g == 0:      # diagonal band
        c = np.random.uniform(.7, 1.3)
        img[np.abs(xx + yy - c) < .13] += ink
    elif g == 1:    # oval
        img[((xx - np.random.uniform(.4, .6)) / .3) ** 2 + ((yy - np.random.uniform(.4, .6)) / .24) ** 2 < 1] += ink
    elif g == 2:    # confetti
        for _ in range(14):
            a, b = np.random.randint(0, SIDE - 2, 2)
            img[a:a + 2, b:b + 2] += ink
    else:           # gradient
        img += ink * (2 * yy - 1)[..., None]
    title = np.random.randint(1, 4)
    img[title:title + 2, 3:17] = 235
    return img.clip(0, 255).astype(np.uint8)


def load_shelf(how_many):
    # as if from the folders covers/<genre>/*.jpg
    images, labels = [], []
    for number, genre in enumerate(genres):
        for _ in range(how_many):
            images.append(cover(number))
            labels.append(number)
    return np.array(images, 'float32'), np.array(labels)


x, y = load_shelf(300)
x_new, y_new = load_shelf(60)
print(x.shape, x.min(), x.max(), np.bincount(y))

mixed = np.random.permutation(len(x))
x, y = x[mixed], y[mixed]
x += np.random.normal(0, 4, x.shape)      # some grain, the scanner at the shop is worse

decay = regularizers.l2(1e-4)
augment = keras.Sequential([
    layers.RandomFlip('horizontal'),
    layers.RandomTranslation(.1, .1, fill_mode='nearest'),
], name='augment')

model = keras.Sequential([
    keras.Input((SIDE, SIDE, 3)),
    layers.Rescaling(1 / 127.5, offset=-1, name='scale'),
    augment,
    layers.Conv2D(16, 3, activation='relu', kernel_regularizer=decay, name='conv_a'),
    layers.MaxPooling2D(),
    layers.Conv2D(32, 3, activation='relu', kernel_regularizer=decay, name='conv_b'),
    layers.MaxPooling2D(),
    layers.Flatten(),
    layers.Dropout(0.2),
    layers.Dense(48, activation='relu', kernel_regularizer=decay, name='dense'),
    layers.Dense(len(genres), name='genre'),
])
model.compile(
    optimizer=keras.optimizers.Adam(2e-3),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=['accuracy'],
)
log = model.fit(x, y, validation_split=0.25, epochs=20, batch_size=32, verbose=2)

guess = model.predict(x_new, verbose=0).argmax(axis=1)
for number, genre in enumerate(genres):
    print(f'{genre:10s} {np.mean(guess[y_new == number] == number):.2f}')
right = np.mean(guess == y_new)
print('right shelf:', right)
""",
    score="right",
    bar=0.8,
    base=0.25,
    faults=(
        Fault(cause="logits_to_probability_loss", old="keras.losses.SparseCategoricalCrossentropy(from_logits=True)",
              new="keras.losses.SparseCategoricalCrossentropy()", layer=("genre",)),
        Fault(cause="inputs_scaled_twice", old="return np.array(images, 'float32'), np.array(labels)",
              new="return np.array(images, 'float32') / 255, np.array(labels)", beside=("input_ignored",)),
        Fault(cause="inputs_drowned_in_noise", old="np.random.normal(0, 4, x.shape)",
              new="np.random.normal(0, 400, x.shape)",
              beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="regularisation_overwhelms", old="regularizers.l2(1e-4)", new="regularizers.l2(0.3)"),
        Fault(cause="missing_class", old="x, y = load_shelf(300)\n",
              new="x, y = load_shelf(300)\nx, y = x[:800], y[:800]\n", beside=("class_imbalance",)),
        Fault(cause="validation_split_sorted", old="x, y = x[mixed], y[mixed]\n", new="",
              accept=("missing_class",), beside=("data_sorted",)),
        Fault(cause="labels_shuffled_apart", old="x, y = x[mixed], y[mixed]\n",
              new="x, y = x[mixed], np.random.permutation(y)\n", beside=("label_noise",)),
    ),
    pairs=(("inputs_scaled_twice", "validation_split_sorted"),),
    seeds=3,
)  # fmt: skip

PROGRAMS = (HEADLINES, COVERS)
