"""Short gists: a GRU that follows a key lock, and a bag of word vectors that reads radio messages."""

from keras_course.diagnostics.corpus import Fault, Program

LOCK = Program(
    name="tidbits_gru_latch",
    source="""
# GRU vs. "which of the four doors is open at the end?"  (set / reset pulses in noise)
import keras
import numpy as np

keras.utils.set_random_seed(SEED)
r = np.random.default_rng(SEED)
T, DOORS, N = 30, 4, 3000
UNITS = 24


def sample(n):
    x = r.normal(0, 0.2, (n, T, DOORS))
    y = np.zeros(n, int)
    for i in range(n):
        for t in sorted(r.choice(T - 2, 4, replace=False)):
            y[i] = r.integers(DOORS)
            x[i, t, y[i]] += 1.5
    return x.astype("float32"), y


x, y = sample(N)
xt, yt = sample(600)

net = keras.Sequential([
    keras.layers.Input((T, DOORS)),
    keras.layers.GRU(UNITS, name="memory"),
    keras.layers.Dense(DOORS, name="doors"),
])
net.compile(
    optimizer=keras.optimizers.Adam(0.01, clipnorm=1.0),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
net.fit(x, y, epochs=8, batch_size=50, validation_data=(xt, yt), verbose=2)
acc = np.mean(net.predict(xt, verbose=0).argmax(1) == yt)
print(acc)
""",
    score="acc",
    bar=0.85,
    base=0.28,
    faults=(
        Fault(cause="oscillation", old="Adam(0.01,", new="Adam(0.4,", accept=("learning_rate_too_high",),
              beside=("saturated_units", "exploding_gradient")),
        Fault(cause="too_few_steps", old="epochs=8, batch_size=50", new="epochs=1, batch_size=200",
              beside=("learning_rate_too_low",)),
        Fault(cause="logits_to_probability_loss", old="keras.losses.SparseCategoricalCrossentropy(from_logits=True)",
              new="'sparse_categorical_crossentropy'"),
        Fault(cause="underfitting_capacity", old="UNITS = 24", new="UNITS = 1", layer=("memory",)),
        Fault(cause="exploding_gradient", old="""    keras.layers.GRU(UNITS, name="memory"),
    keras.layers.Dense(DOORS, name="doors"),
])
net.compile(
    optimizer=keras.optimizers.Adam(0.01, clipnorm=1.0),
""", new="""    keras.layers.SimpleRNN(UNITS, activation="relu", name="memory"),
    keras.layers.Dense(DOORS, name="doors"),
])
net.compile(
    optimizer=keras.optimizers.SGD(0.1, momentum=0.9),
""", accept=("learning_rate_too_high",), layer=("memory",), beside=("nan_or_inf_in_data",)),
        Fault(cause="vanishing_gradient", old="keras.layers.GRU(UNITS, name=\"memory\")",
              new="keras.layers.SimpleRNN(UNITS, activation='sigmoid', name='memory')", layer=("memory",),
              beside=("saturated_units", "too_few_steps", "underfitting_capacity")),
    ),
    seeds=3,
)  # fmt: skip

RADIO = Program(
    name="tidbits_radio_messages",
    source="""
import numpy as np, keras
from keras import layers, ops

keras.utils.set_random_seed(SEED)
rs = np.random.RandomState(SEED)

topic_words = [
    "wind gust swell fog visibility squall pressure front".split(),
    "engine oil overheating fuel propeller leak battery rudder".split(),
    "berth harbour pilot crane quay tug mooring customs".split(),
    "injury doctor fever bandage helicopter patient bleeding stretcher".split(),
    "net cod trawl haul herring quota hold ice".split(),
]
filler = "we are the at now over and near please report still position north ship crew has some".split()


def message(t):
    k = rs.randint(2, 4)
    words = list(rs.choice(topic_words[t], k))
    words += [rs.choice(topic_words[rs.randint(5)]) for _ in range(2)]
    words += list(rs.choice(filler, rs.randint(3, 9)))
    rs.shuffle(words)
    return " ".join(words).upper()


topic = np.repeat(np.arange(5), 500)
messages = [message(t) for t in topic]
p = rs.permutation(len(topic))
messages, topic = [messages[i] for i in p], topic[p]

vocab = {w: i + 2 for i, w in enumerate(sorted(set(sum(topic_words, filler))))}  # 0 = pad, 1 = unknown
ids = np.zeros((len(topic), 12), int)
for row, text in zip(ids, messages):
    code = [vocab.get(w, 1) for w in text.lower().split()][:12]
    row[:len(code)] = code
onehot = keras.utils.to_categorical(topic, 5)

m = keras.Sequential([
    layers.Embedding(len(vocab) + 2, 16, mask_zero=True),
    layers.GlobalAveragePooling1D(),
    layers.Dense(16, activation="relu"),
    layers.Dense(5, activation="softmax"),
])
m.compile(keras.optimizers.RMSprop(0.002), "categorical_crossentropy", metrics=["accuracy"])
h = m.fit(ids, onehot, batch_size=16, epochs=9, validation_split=0.2, verbose=2)
score = h.history["val_accuracy"][-1]
""",
    score="score",
    bar=0.75,
    base=0.2,
    faults=(
        Fault(cause="input_ignored", old="text.lower().split()", new="text.split()"),
        Fault(cause="validation_split_sorted", old="p = rs.permutation(len(topic))\n", new="p = np.arange(len(topic))\n",
              accept=("missing_class",)),
        Fault(cause="labels_shuffled_apart", old="p = rs.permutation(len(topic))\n"
              "messages, topic = [messages[i] for i in p], topic[p]\n", new="rs.shuffle(messages)\nrs.shuffle(topic)\n",
              beside=("label_noise", "overfitting")),
        Fault(cause="wrong_metric", old="metrics=[\"accuracy\"]", new="metrics=[keras.metrics.Accuracy(name='accuracy')]",
              accept=("loss_metric_inconsistent",)),
        Fault(cause="label_noise", old="onehot = keras.utils.to_categorical(topic, 5)",
              new="topic = np.where(rs.rand(len(topic)) < 0.5, rs.randint(0, 5, len(topic)), topic)\n"
              "onehot = keras.utils.to_categorical(topic, 5)"),
        Fault(cause="regularisation_overwhelms", old="layers.Embedding(len(vocab) + 2, 16, mask_zero=True)",
              new="layers.Embedding(len(vocab) + 2, 16, embeddings_regularizer=keras.regularizers.L2(0.5), mask_zero=True)"),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (LOCK, RADIO)
