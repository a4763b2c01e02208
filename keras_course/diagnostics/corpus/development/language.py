"""Tickets, names of places, a tongue with two rules, and strings read backwards. Written before any verdict on them."""

from keras_course.diagnostics.corpus import Fault, Program

TICKETS = Program(
    name="tickets_tfidf",
    odd="strong penalties and a dropout of 0.6 on few rows, one label in twelve is wrong, and it generalises",
    source="""
import numpy as np
import keras
from keras import layers, regularizers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
calm = 'invoice address question update newsletter thanks manual colour delivery gift'.split()
urgent = 'down outage crash broken error lost angry refund stuck leak'.split()
filler = ['word%d' % k for k in range(120)]


def ticket(label):
    words = list(rng.choice(filler, 12)) + list(rng.choice(urgent if label else calm, 3)) + list(rng.choice(calm + urgent, 2))
    rng.shuffle(words)
    return ' '.join(words)


truth = rng.integers(0, 2, 1200)
texts = [ticket(label) for label in truth]
wrong = rng.random(1200) < 1 / 12  # people make mistakes
labels = np.where(wrong, 1 - truth, truth).astype('float32')
train_texts, test_texts = texts[:600], texts[600:]

vectorizer = layers.TextVectorization(max_tokens=200, output_mode='tf_idf')
vectorizer.adapt(train_texts)
x_train = vectorizer(train_texts)
x_test = vectorizer(test_texts)
y_train, y_test = labels[:600], labels[600:]

model = keras.Sequential([
    layers.Dense(64, activation='relu', kernel_regularizer=regularizers.L2(0.01)),
    layers.Dropout(0.6),
    layers.Dense(1, activation='sigmoid', kernel_regularizer=regularizers.L2(0.01)),
])
model.compile(optimizer=keras.optimizers.Adam(0.003), loss='binary_crossentropy', metrics=['accuracy'])
history = model.fit(x_train, y_train, validation_data=(x_test, y_test), epochs=12, batch_size=32, verbose=0)
print('val_accuracy', history.history['val_accuracy'])
""",
    score="np.mean((model.predict(x_test, verbose=0)[:, 0] > 0.5) == truth[600:])",
    bar=0.82,
    base=0.5,
    seeds=3,
    faults=(
        Fault(cause="softmax_on_single_unit", old="layers.Dense(1, activation='sigmoid',", new="layers.Dense(1, activation='softmax',", layer=("dense_1",), beside=("label_noise",)),
        Fault(cause="regularisation_overwhelms", old="Dense(64, activation='relu', kernel_regularizer=regularizers.L2(0.01))",
              new="Dense(64, activation='relu', kernel_regularizer=regularizers.L1(1.0))", layer=("dense",), beside=("label_noise",)),
        Fault(cause="train_val_preprocessing_mismatch", old="x_test = vectorizer(test_texts)", new="vectorizer.adapt(test_texts)\nx_test = vectorizer(test_texts)",
              beside=("label_noise",)),
        Fault(cause="leakage_feature", old="    return ' '.join(words)\n", new="    return ' '.join(words + ['priority' if label else 'standard'])\n", certain=True,
              beside=("label_noise",)),
        Fault(cause="labels_shuffled_apart", old="train_texts, test_texts = texts[:600], texts[600:]",
              new="rng.shuffle(labels)\ntrain_texts, test_texts = texts[:600], texts[600:]", accept=("label_noise",)),
        Fault(cause="label_noise", old="rng.random(1200) < 1 / 12", new="rng.random(1200) < 0.45", accept=("labels_shuffled_apart",)),
    ),
)  # fmt: skip

PLACES = Program(
    name="place_names_characters",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow.keras.layers import Conv1D, Dense, Embedding, GlobalMaxPooling1D, TextVectorization

tf.keras.utils.set_random_seed(SEED)
syllables = {
    'norse': 'vik heim gard stad fjor dal nes borg sund holm by ru'.split(),
    'roman': 'mon te ra ve na ci vi ta lu ca por to'.split(),
    'inland': 'ka li mu zu ban du ri ko sa ma ba nga'.split(),
}
names, countries = [], []
for country, parts in enumerate(syllables.values()):
    shared = sum(syllables.values(), [])
    for _ in range(500):
        pieces = np.where(np.random.rand(3) < 0.75, np.random.choice(parts, 3), np.random.choice(shared, 3))
        names.append(''.join(pieces))
        countries.append(country)
names, countries = np.array(names), np.array(countries)


def clean(text):
    return tf.strings.regex_replace(tf.strings.lower(text), '[^a-z]', '')


to_ids = TextVectorization(standardize=clean, split='character', output_sequence_length=14)
to_ids.adapt(names)
held = np.random.rand(len(names)) < 0.2
dataset = tf.data.Dataset.from_tensor_slices((names[~held], countries[~held]))
dataset = dataset.shuffle(len(names)).batch(25)
dataset = dataset.map(lambda name, country: (to_ids(name), country))

model = tf.keras.Sequential([
    Embedding(to_ids.vocabulary_size(), 12),
    Conv1D(32, 3, activation='relu'),
    GlobalMaxPooling1D(),
    Dense(3, activation='softmax'),
])
model.compile('rmsprop', 'sparse_categorical_crossentropy', metrics=['accuracy'])
model.optimizer.learning_rate = 0.005
model.fit(dataset, epochs=7, verbose=0)
right = model.predict(to_ids(names[held]), verbose=0).argmax(1) == countries[held]
""",
    score="np.mean(right)",
    bar=0.8,
    base=0.34,
    faults=(
        Fault(cause="data_sorted", old="dataset = dataset.shuffle(len(names)).batch(25)", new="dataset = dataset.batch(25)"),
        Fault(cause="shuffle_buffer_too_small", old="dataset.shuffle(len(names)).batch(25)", new="dataset.shuffle(25).batch(25)", accept=("data_sorted",)),
        Fault(cause="learning_rate_too_high", old="learning_rate = 0.005", new="learning_rate = 1.0"),
        Fault(cause="logits_to_probability_loss", old="Dense(3, activation='softmax')", new="Dense(3)", accept=("wrong_head_for_labels",), layer=("dense",)),
    ),
)  # fmt: skip

NGRAM = Program(
    name="next_word_floor",
    odd="a loss that stays high: three words in ten cannot be foreseen",
    source="""
import numpy as np
import keras
from keras.layers import Dense, Embedding, Flatten, Input
from keras.models import Sequential

np.random.seed(SEED)
keras.utils.set_random_seed(SEED)
V = 40
rule = np.random.randint(0, V, (V, 3))  # the next word by the last one and the kind of the one before
words = [0, 1]
for _ in range(9000):
    foreseen = rule[words[-1], words[-2] % 3]
    words.append(foreseen if np.random.rand() < 0.7 else np.random.randint(V))
words = np.array(words)

n_context = 3
contexts = np.stack([words[i:len(words) - n_context + i] for i in range(n_context)], axis=1)
next_words = words[n_context:]
cut = 7500

lm = Sequential([
    Input((n_context,)),
    Embedding(V, 16),
    Flatten(),
    Dense(96, activation='tanh'),
    Dense(V, activation='softmax'),
])
lm.compile(loss='sparse_categorical_crossentropy', optimizer=keras.optimizers.Adam(0.01))
lm.fit(contexts[:cut], next_words[:cut], batch_size=75, epochs=10, validation_data=(contexts[cut:], next_words[cut:]), verbose=0)
print('perplexity', np.exp(lm.evaluate(contexts[cut:], next_words[cut:], verbose=0)))
""",
    score="np.mean(lm.predict(contexts[cut:], verbose=0).argmax(1) == next_words[cut:])",
    bar=0.5,
    base=0.06,
    seeds=3,
    faults=(
        Fault(cause="leakage_feature", old="words[i:len(words) - n_context + i] for i in range(n_context)]",
              new="words[i:len(words) - n_context + i] for i in range(1, n_context + 1)]", certain=True, beside=("label_noise",)),
        Fault(cause="underfitting_capacity", old="Dense(96, activation='tanh')", new="Dense(2, activation='tanh')", layer=("dense",), beside=("label_noise",)),
        Fault(cause="learning_rate_too_high", old="Adam(0.01)", new="Adam(2.0)", beside=("label_noise",)),
        Fault(cause="too_few_steps", old="batch_size=75, epochs=10", new="batch_size=1500, epochs=1", accept=("learning_rate_too_low",), beside=("label_noise",)),
    ),
)  # fmt: skip

BACKWARDS = Program(
    name="backwards_transformer",
    source="""
import tensorflow as tf
import numpy as np
from tensorflow import keras
from tensorflow.keras import layers

keras.utils.set_random_seed(SEED)
vocab_size, length, embed_dim = 12, 7, 32
x = np.random.randint(0, vocab_size, (4000, length))
y = np.zeros_like(x)
y[:, ::-1] = x
x_test, y_test = x[3500:], y[3500:]


class TokenAndPositionEmbedding(layers.Layer):
    def __init__(self, maxlen, vocab_size, embed_dim):
        super().__init__()
        self.token_emb = layers.Embedding(vocab_size, embed_dim)
        self.pos_emb = layers.Embedding(maxlen, embed_dim)

    def call(self, x):
        positions = tf.range(start=0, limit=length, delta=1)
        return self.token_emb(x) + self.pos_emb(positions)


class TransformerBlock(layers.Layer):
    def __init__(self, embed_dim, num_heads, ff_dim, rate=0.0):
        super().__init__()
        self.att = layers.MultiHeadAttention(num_heads, embed_dim // num_heads)
        self.ffn = keras.Sequential([layers.Dense(ff_dim, activation="relu"), layers.Dense(embed_dim)])
        self.norm1, self.norm2 = layers.LayerNormalization(), layers.LayerNormalization()
        self.dropout = layers.Dropout(rate)

    def call(self, inputs, training=False):
        out1 = self.norm1(inputs + self.dropout(self.att(inputs, inputs), training=training))
        return self.norm2(out1 + self.dropout(self.ffn(out1), training=training))


inputs = layers.Input((length,), dtype="int32")
h = TokenAndPositionEmbedding(length, vocab_size, embed_dim)(inputs)
h = TransformerBlock(embed_dim, 2, 64)(h)
outputs = layers.Dense(vocab_size, name="tokens")(h)
model = keras.Model(inputs, outputs)
model.compile(keras.optimizers.Adam(5e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
train_ds = tf.data.Dataset.from_tensor_slices((x[:3500], y[:3500])).shuffle(3500).batch(50)
model.fit(train_ds, epochs=5, verbose=0)
""",
    score="np.mean(model.predict(x_test, verbose=0).argmax(-1) == y_test)",
    bar=0.8,
    base=0.085,
    faults=(
        Fault(cause="constant_labels", old="y[:, ::-1] = x\n", new="y[:, ::-1] == x\n", certain=True, beside=("missing_class",)),
        Fault(cause="learning_rate_too_high", old="Adam(5e-3)", new="Adam(0.5)"),
        Fault(cause="learning_rate_too_low", old="Adam(5e-3)", new="Adam(5e-6)"),
        Fault(cause="logits_to_probability_loss", old="SparseCategoricalCrossentropy(from_logits=True)", new="SparseCategoricalCrossentropy()",
              accept=("wrong_head_for_labels",), layer=("tokens",)),
    ),
    pairs=(("learning_rate_too_low", "logits_to_probability_loss"),),
)  # fmt: skip

PROGRAMS = (TICKETS, PLACES, NGRAM, BACKWARDS)
