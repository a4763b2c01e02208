"""Texts, tags and a model that is fed batch by batch. Written before any verdict on them."""

from keras_course.diagnostics.corpus import Fault, Program

REVIEWS = Program(
    name="reviews_vectorization",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow.keras import layers

tf.keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
good = 'great lovely superb moving funny brilliant charming clever touching perfect'.split()
bad = 'dull awful boring weak terrible slow silly bland messy poor'.split()
plain = 'the film plot actor scene music story was a in and with it this of that camera end very quite'.split()
stars = rng.integers(1, 6, 2000)
texts = []
for s in stars:
    words = list(rng.choice(plain, rng.integers(8, 25)))
    for _ in range(rng.integers(2, 5)):
        words.insert(rng.integers(len(words)), rng.choice(good if rng.random() < (s - 0.5) / 5 else bad))
    texts.append(' '.join(words))
texts = np.array(texts)
labels = (stars >= 4).astype('float32')
train_texts, val_texts, train_labels, val_labels = texts[:1600], texts[1600:], labels[:1600], labels[1600:]

vectorize = layers.TextVectorization(max_tokens=500, output_sequence_length=30)
vectorize.adapt(train_texts)
train_ds = tf.data.Dataset.from_tensor_slices((train_texts, train_labels)).shuffle(1600).batch(32)
train_ds = train_ds.map(lambda text, label: (vectorize(text), label)).cache().prefetch(tf.data.AUTOTUNE)
val_ds = (vectorize(val_texts), val_labels)

model = tf.keras.Sequential([
    layers.Embedding(501, 16, mask_zero=True),
    layers.GlobalAveragePooling1D(),
    layers.Dense(16, activation='relu'),
    layers.Dropout(0.2),
    layers.Dense(1),
])
model.compile(loss=tf.keras.losses.BinaryCrossentropy(from_logits=True), optimizer=tf.keras.optimizers.Adam(0.01),
              metrics=[tf.metrics.BinaryAccuracy(threshold=0.0)])
model.fit(train_ds, validation_data=val_ds, epochs=6, verbose=0)
""",
    score="np.mean((model.predict(val_ds[0], verbose=0)[:, 0] > 0) == (stars[1600:] >= 4))",
    bar=0.72,
    base=0.6,
    faults=(
        Fault(cause="input_ignored", old="vectorize.adapt(train_texts)", new="vectorize.adapt(np.array(['text', 'label']))"),
        Fault(cause="label_encoding", old="labels = (stars >= 4).astype", new="labels = stars.astype",
              accept=("wrong_loss_for_task", "output_range_cannot_reach_targets", "wrong_head_for_labels")),
        Fault(cause="softmax_on_single_unit", old="layers.Dense(1),\n", new="layers.Dense(1),\n    layers.Softmax(),\n",
              beside=("probabilities_to_logits_loss",), layer=("softmax", "dense_1")),
        Fault(cause="learning_rate_too_low", old="Adam(0.01)", new="SGD(1e-4)"),
        Fault(cause="labels_shuffled_apart", old="train_labels, val_labels = texts[:1600], texts[1600:], labels[:1600]",
              new="train_labels, val_labels = texts[:1600], texts[1600:], rng.permutation(labels[:1600])", accept=("label_noise",)),
        Fault(cause="regularisation_overwhelms", old="mask_zero=True)", new="mask_zero=True, embeddings_regularizer='l1')",
              layer=("embedding",)),
    ),
)  # fmt: skip

TAGS = Program(
    name="tags_multilabel",
    source="""
import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import make_multilabel_classification
from sklearn.feature_extraction.text import TfidfTransformer

keras.utils.set_random_seed(SEED)
counts, tags = make_multilabel_classification(2400, n_features=80, n_classes=6, n_labels=2, length=150,
                                             random_state=SEED)
features = TfidfTransformer(use_idf=False).fit_transform(counts).toarray().astype('float32') * 9
tags = tags.astype('float32')
x_train, x_test, t_train, t_test = features[:2000], features[2000:], tags[:2000], tags[2000:]
activation, loss = 'sigmoid', 'binary_crossentropy'

entry = keras.Input(shape=(80,))
z = keras.layers.Dense(48)(entry)
z = keras.layers.BatchNormalization()(z)
z = keras.layers.LeakyReLU(negative_slope=0.1)(z)
z = keras.layers.Dense(24, activation='relu', name='bottleneck')(z)
z = keras.layers.Dense(6, activation=activation, name='tags')(z)
tagger = keras.Model(entry, z)
tagger.compile(optimizer=keras.optimizers.AdamW(0.004), loss=loss, metrics=['binary_accuracy'])
tagger.fit(x_train, t_train, batch_size=40, epochs=8, validation_data=(x_test, t_test), verbose=0)
""",
    score="(lambda p, t: 2 * np.sum(p & t) / (np.sum(p) + np.sum(t)))(tagger.predict(x_test, verbose=0) > 0.5, t_test > 0)",
    bar=0.7,
    base=0.0,
    faults=(
        Fault(cause="wrong_head_for_labels", old="activation, loss = 'sigmoid', 'binary_crossentropy'",
              new="activation, loss = 'softmax', 'categorical_crossentropy'", accept=("wrong_loss_for_task",), layer=("tags",)),
        Fault(cause="frozen_or_disconnected", old="tagger = keras.Model(entry, z)",
              new="tagger = keras.Model(entry, keras.layers.Lambda(tf.round)(z))", beside=("optimiser_not_applied",)),
        Fault(cause="labels_shuffled_apart", old="t_train, t_test = features[:2000]",
              new="t_train, t_test = keras.random.shuffle(features[:2000])", accept=("label_noise",)),
        Fault(cause="batchnorm_mode", old="keras.layers.BatchNormalization()", new="keras.layers.BatchNormalization(momentum=0.99999)",
              beside=("train_val_preprocessing_mismatch",), layer=("batch_normalization",)),
        Fault(cause="dead_units", old="keras.layers.Dense(24, activation='relu',",
              new="keras.layers.Dense(24, activation='relu', bias_initializer=keras.initializers.Constant(-12.0),",
              layer=("bottleneck",), accept=("init_scale",)),
    ),
)  # fmt: skip

FEED = Program(
    name="sensors_train_on_batch",
    source="""
import keras
import numpy as np
from keras import layers
from sklearn.datasets import make_classification

keras.utils.set_random_seed(SEED)
x, y = make_classification(3000, n_features=20, n_informative=8, n_classes=5, class_sep=1.6, random_state=SEED)
x, y = x.astype('float32'), y.astype('int32')
x_train, y_train, x_test, y_test = x[:2400], y[:2400], x[2400:], y[2400:]


def batches(x, y, size):
    while True:
        order = np.random.permutation(len(x))
        for start in range(0, len(x) - size + 1, size):
            rows = order[start:start + size]
            yield x[rows], y[rows]


class Sensors(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(96, name='hidden')
        self.norm = layers.BatchNormalization(momentum=0.9, name='norm')
        self.drop = layers.Dropout(0.4)
        self.second = layers.Dense(48, activation='gelu', name='second')
        self.head = layers.Dense(5, name='head')

    def call(self, x, training=False):
        x = keras.activations.gelu(self.norm(self.hidden(x), training=training))
        x = self.second(self.drop(x, training=training))
        return self.head(x)


net = Sensors()
net.compile(keras.optimizers.Adam(3e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=['accuracy'])
feed = batches(x_train, y_train, 40)
for step in range(360):
    xb, yb = next(feed)
    loss, accuracy = net.train_on_batch(xb, yb)
    if step % 60 == 59:
        print(step, loss, net.evaluate(x_test, y_test, verbose=0))
""",
    score="np.mean(net.predict(x_test, verbose=0).argmax(1) == y_test)",
    bar=0.75,
    base=0.2,
    faults=(
        Fault(cause="data_sorted", old="order = np.random.permutation(len(x))", new="order = np.argsort(y)"),
        Fault(cause="labels_shuffled_apart", old="yield x[rows], y[rows]", new="yield x[rows], np.random.permutation(y[rows])",
              accept=("label_noise",)),
        Fault(cause="learning_rate_too_high", old="Adam(3e-3)", new="SGD(500.0)"),
        Fault(cause="learning_rate_too_low", old="Adam(3e-3)", new="Adam(3e-7)"),
        Fault(cause="dropout_mode", old="self.drop(x, training=training)", new="self.drop(x, training=True)", certain=True),
        Fault(cause="train_val_preprocessing_mismatch", old="net = Sensors()\n", new="x_test = (x_test - x_test.min()) / 255\nnet = Sensors()\n"),
        Fault(cause="nan_or_inf_in_data", old="x, y = x.astype('float32'), y.astype('int32')",
              new="x, y = (x / np.round(np.abs(x))).astype('float32'), y.astype('int32')"),
    ),
    pairs=(("data_sorted", "learning_rate_too_low"),),
)  # fmt: skip

PROGRAMS = (REVIEWS, TAGS, FEED)
