"""Reviews, films and homes: words, several inputs, several outputs, all trained by fit. Written before any verdict."""

from keras_course.diagnostics.corpus import Fault, Program

OPINIONS = Program(
    name="opinions_bidirectional",
    source="""
import random
import numpy as np
import tensorflow as tf
import keras
from keras.layers import Bidirectional, Dense, Embedding, GRU, Input, TextVectorization

random.seed(SEED)
np.random.seed(SEED)
tf.random.set_seed(SEED)

PRAISE = 'superb touching witty gripping charming fresh moving brilliant'.split()
BLAME = 'tedious clumsy bland shallow noisy stale wooden dreadful'.split()
REST = 'the plot a cast and scenes it music of its director this in story with ending'.split()
POSITIVE_SHARE = 0.5


def opinion(positive):
    words = random.choices(REST, k=9)
    for place in random.sample(range(9), 3):
        negated = random.random() < 0.3
        word = random.choice(PRAISE if positive != negated else BLAME)
        words[place] = f'not {word}' if negated else word
    return ' '.join(words).capitalize() + '.'


labels = (np.random.rand(2000) < POSITIVE_SHARE).astype('int32')
texts = [opinion(bool(label)) for label in labels]
test_labels = np.arange(400) % 2
test_texts = [opinion(bool(label)) for label in test_labels]
print(texts[0], labels[0])

vectorizer = TextVectorization(max_tokens=200, output_sequence_length=13)
vectorizer.adapt(texts)
x_train = vectorizer(tf.constant(texts)).numpy()
x_test = vectorizer(tf.constant(test_texts)).numpy()

model = keras.Sequential()
model.add(Input((13,), dtype='int32'))
model.add(Embedding(200, 16))
model.add(Bidirectional(GRU(16)))
model.add(Dense(1, activation='sigmoid'))
rate = keras.optimizers.schedules.ExponentialDecay(0.01, decay_steps=250, decay_rate=0.7)
model.compile(loss='binary_crossentropy', optimizer=keras.optimizers.Adam(rate), metrics=['accuracy'])
model.fit(x_train, labels, batch_size=40, epochs=5, validation_data=(x_test, test_labels))
""",
    score="np.mean((model.predict(x_test, verbose=0)[:, 0] > 0.5) == test_labels)",
    bar=0.88,
    seeds=3,
    base=0.5,
    faults=(
        Fault(cause="labels_shuffled_apart", old="test_labels = np.arange(400) % 2", new="random.shuffle(texts)\ntest_labels = np.arange(400) % 2",
              accept=("label_noise",)),
        Fault(cause="lr_schedule_wrong", old="decay_steps=250,", new="decay_steps=1,", accept=("learning_rate_too_low",)),
        Fault(cause="frozen_or_disconnected", old="rate = keras.optimizers", new="for layer in model.layers:\n    layer.trainable = False\nrate = keras.optimizers",
              layer=("embedding", "bidirectional", "dense"), accept=("optimiser_not_applied",)),
        Fault(cause="class_imbalance", old="POSITIVE_SHARE = 0.5", new="POSITIVE_SHARE = 0.01", accept=("validation_split_sorted",),
              beside=("missing_class",)),
        Fault(cause="constant_labels", old="(np.random.rand(2000) < POSITIVE_SHARE).astype('int32')", new="np.random.rand(2000).astype('int32')",
              certain=True, beside=("missing_class", "validation_split_sorted", "class_imbalance")),
    ),
    pairs=(("labels_shuffled_apart", "lr_schedule_wrong"),),
)  # fmt: skip

FILMS = Program(
    name="films_genres_two_inputs",
    odd="several genres are right at once; the year stays between 1960 and 2020 until it is normalised inside the model",
    source="""
import numpy as np
import keras
from keras import layers, ops

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
N, KEYWORDS, VOCABULARY = 3000, 6, 60
GENRES = ['crime', 'romance', 'epic', 'noir', 'remake']
keywords = rng.integers(0, VOCABULARY, (N, KEYWORDS))
budget = rng.lognormal(16.5, 0.8, N)  # dollars
runtime = rng.normal(110, 18, N)  # minutes
year = rng.uniform(1960, 2020, N)

money = (np.log(budget) - 16.5) / 0.8
length = (runtime - 110) / 18
genres = np.stack([
    (keywords < 6).any(axis=1),
    ((keywords >= 20) & (keywords < 27)).any(axis=1),
    money * length > 0,
    (year < 1990) & (money < 0.3),
    np.abs(year - 1990) > 16,
], axis=1).astype('float32')

facts = np.stack([np.log(budget), runtime, year], axis=1)
train, test = np.arange(N) < 2400, np.arange(N) >= 2400

norm = layers.Normalization()
norm.adapt(facts[train])

words_in = keras.Input((KEYWORDS,), name='keywords')
facts_in = keras.Input((3,), name='facts')
words = layers.Embedding(VOCABULARY, 16, name='keyword_vectors')(words_in)
words = layers.GlobalMaxPooling1D()(words)
numbers = norm(facts_in)
numbers = layers.Dense(48, activation='swish', name='facts_1')(numbers)
numbers = layers.Dense(32, activation='swish', name='facts_2')(numbers)
merged = layers.Concatenate()([words, numbers])
out = layers.Dense(len(GENRES), activation='sigmoid', name='genres')(merged)
model = keras.Model([words_in, facts_in], out)
model.compile('adam', loss='binary_crossentropy', metrics=[keras.metrics.BinaryAccuracy()])
model.optimizer.learning_rate = 0.006

model.fit(
    {'keywords': keywords[train], 'facts': facts[train]}, genres[train],
    epochs=12, batch_size=48, verbose=0,
    validation_data=({'keywords': keywords[test], 'facts': facts[test]}, genres[test]),
)
chances = model.predict({'keywords': keywords[test], 'facts': facts[test]}, verbose=0)
for k, genre in enumerate(GENRES):
    print(genre, 'accuracy', np.mean((chances[:, k] > 0.5) == genres[test][:, k]))
""",
    score="np.mean([np.mean((chances[:, k] > 0.5)[genres[test][:, k] == c] == c) for k in range(5) for c in (0, 1)])",
    bar=0.88,
    seeds=3,
    base=0.5,
    faults=(
        Fault(cause="wrong_head_for_labels", old="activation='sigmoid', name='genres'", new="activation='softmax', name='genres'",
              layer=("genres",), accept=("wrong_loss_for_task",), beside=("output_range_cannot_reach_targets",)),
        Fault(cause="inputs_not_scaled", old="numbers = norm(facts_in)\n", new="numbers = facts_in\n", beside=("learning_rate_too_high",)),
        Fault(cause="missing_nonlinearity", old="""numbers = layers.Dense(48, activation='swish', name='facts_1')(numbers)
numbers = layers.Dense(32, activation='swish', name='facts_2')(numbers)""",
              new="""numbers = layers.Dense(48, name='facts_1')(numbers)
numbers = layers.Dense(32, name='facts_2')(numbers)""", layer=("facts_1", "facts_2")),
        Fault(cause="learning_rate_too_high", old="learning_rate = 0.006", new="learning_rate = 3.0"),
    ),
    pairs=(("inputs_not_scaled", "wrong_head_for_labels"),),
)  # fmt: skip

HOMES = Program(
    name="homes_two_outputs",
    odd="a rate of 0.02 under SGD with Nesterov momentum; one loss is weighted half of the other",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow.keras import Input, Model
from tensorflow.keras.layers import Dense, Dropout, concatenate, Embedding, Flatten

tf.keras.utils.set_random_seed(SEED)
n = 2400
size = np.random.gamma(6, 15, n) + 18  # square metres
age = np.random.randint(0, 110, n)
floor = np.random.randint(0, 7, n)
distance = np.random.exponential(4, n)  # kilometres to the centre
district = np.random.randint(0, 8, n)
charm = np.random.normal(0, 2.0, 8)
rent = 11 * size + 40 * charm[district] * np.sqrt(size / 80) - 35 * distance - 1.5 * age + 60 * (floor == 6) + np.random.normal(0, 40, n)
kind = np.where(size < 50, 0, np.where(floor == 6, 2, np.where((size > 130) & (floor < 2), 3, 1)))  # studio, flat, loft, house

numbers = np.column_stack([size, age, floor, distance])
numbers = (numbers - numbers[:1900].mean(0)) / numbers[:1900].std(0)
rent = (rent - rent[:1900].mean()) / rent[:1900].std()
tr, te = slice(None, 1900), slice(1900, None)

a = Input((4,))
b = Input((1,))
vec = Flatten()(Embedding(8, 4)(b))
z = concatenate([a, vec])
z = Dense(64, activation='relu', kernel_initializer='he_uniform')(z)
z = Dropout(0.1)(z)
z = Dense(32, activation='relu', kernel_initializer='he_uniform')(z)
rent_out = Dense(1, name='rent')(z)
kind_out = Dense(4, activation='softmax', name='kind')(z)

network = Model(inputs=[a, b], outputs={'rent': rent_out, 'kind': kind_out})
network.compile(
    optimizer=tf.keras.optimizers.SGD(0.02, momentum=0.9, nesterov=True),
    loss={'rent': 'mse', 'kind': 'sparse_categorical_crossentropy'},
    loss_weights={'rent': 1.0, 'kind': 0.5},
    metrics={'kind': 'accuracy'},
)
network.fit([numbers[tr], district[tr]], {'rent': rent[tr], 'kind': kind[tr]}, epochs=18, batch_size=32,
            validation_data=([numbers[te], district[te]], {'rent': rent[te], 'kind': kind[te]}), verbose=0)
answer = network.predict([numbers[te], district[te]], verbose=0)
r2 = 1 - np.mean((answer['rent'][:, 0] - rent[te]) ** 2) / np.var(rent[te])
balanced = np.mean([np.mean(answer['kind'].argmax(1)[kind[te] == k] == k) for k in range(4)])
print('R2 of the rent %.3f, balanced accuracy of the kind %.3f' % (r2, balanced))
""",
    score="(max(r2, 0) + balanced) / 2",
    bar=0.82,
    seeds=3,
    base=0.125,
    faults=(
        Fault(cause="targets_not_scaled", old="rent = (rent - rent[:1900].mean()) / rent[:1900].std()\n", new="", beside=("learning_rate_too_high",)),
        Fault(cause="init_scale", old="z = Dense(64, activation='relu', kernel_initializer='he_uniform')(z)",
              new="z = Dense(64, activation='relu', kernel_initializer=tf.keras.initializers.RandomNormal(stddev=10.0))(z)", layer=("dense",),
              beside=("learning_rate_too_high",)),
        Fault(cause="vanishing_gradient", old="z = Dropout(0.1)(z)\n",
              new="z = Dropout(0.1)(z)\nfor _ in range(8):\n    z = Dense(64, activation='sigmoid')(z)\n",
              beside=("init_scale", "learning_rate_too_low")),
        Fault(cause="label_noise", old="tr, te = slice(None, 1900), slice(1900, None)\n",
              new="tr, te = slice(None, 1900), slice(1900, None)\nwrong = np.flatnonzero(np.random.rand(1900) < 0.7)\n"
              "kind[wrong] = np.random.randint(0, 4, len(wrong))\nrent[wrong] = np.random.choice(rent, len(wrong))\n",
              accept=("labels_shuffled_apart",)),
    ),
)  # fmt: skip

PROGRAMS = (OPINIONS, FILMS, HOMES)
