"""Sequences: movements, a recurrent forecast under a tape, a transformer block, a character model."""

from keras_course.diagnostics.corpus import Fault, Program

MOVEMENTS = Program(
    name="movements_conv1d",
    source="""
import numpy as np
from tensorflow import keras
from tensorflow.keras.layers import Conv1D, Dense, Dropout, GlobalAveragePooling1D, MaxPooling1D

keras.utils.set_random_seed(SEED)


def record(activity, n):
    t = np.arange(48) / 16
    speed = np.array([0.0, 0.8, 1.6, 2.4, 1.6])[activity - 1] * np.random.uniform(0.9, 1.1, (n, 1))
    wave = np.sin(2 * np.pi * speed * t + np.random.uniform(0, 6.3, (n, 1)))
    if activity == 5:
        wave = np.sign(wave)
    axes = np.stack([wave, 0.5 * wave ** 2, 0 * wave], axis=-1) + 0.35 * np.random.randn(n, 48, 3)
    return 4096 * axes + [300, -250, 16384]  # raw counts; gravity is on the third axis


X = np.concatenate([record(a, 200) for a in range(1, 6)])
y = np.repeat(np.arange(1, 6), 200)
X_new = np.concatenate([record(a, 60) for a in range(1, 6)])
y_new = np.repeat(np.arange(1, 6), 60)
mean, std = X.mean(axis=(0, 1)), X.std(axis=(0, 1))
X, X_new = (X - mean) / std, (X_new - mean) / std
y, y_new = y - 1, y_new - 1
order = np.random.permutation(len(X))
X, y = X[order], y[order]

model = keras.Sequential()
model.add(Conv1D(24, 5, activation='relu', input_shape=(48, 3)))
model.add(MaxPooling1D(2))
model.add(Conv1D(32, 5, activation='relu'))
model.add(GlobalAveragePooling1D())
model.add(Dropout(0.2))
model.add(Dense(5, activation='softmax'))
model.compile(loss='sparse_categorical_crossentropy', optimizer=keras.optimizers.Adam(0.005), metrics=['accuracy'])
schedule = keras.callbacks.LearningRateScheduler(lambda epoch, lr: lr * 0.9)
model.fit(X, y, validation_split=0.2, epochs=12, batch_size=40, callbacks=[schedule], verbose=0)
""",
    score="np.mean(model.predict(X_new, verbose=0).argmax(1) == y_new)",
    bar=0.8,
    base=0.2,
    faults=(
        Fault(cause="validation_split_sorted", old="order = np.random.permutation(len(X))", new="order = np.arange(len(X))",
              accept=("data_sorted",), beside=("missing_class", "train_val_preprocessing_mismatch"), certain=True),
        Fault(cause="inputs_not_scaled", old="X, X_new = (X - mean) / std, (X_new - mean) / std\n", new=""),
        Fault(cause="label_encoding", old="y, y_new = y - 1, y_new - 1\n", new="", accept=("wrong_head_for_labels",)),
        Fault(cause="leakage_duplicates", old="order = np.random.permutation(len(X))",
              new="order = np.random.permutation(np.tile(np.arange(len(X)), 3))", certain=True),
        Fault(cause="lr_schedule_wrong", old="lr * 0.9)", new="lr * 0.01 ** epoch)"),
        Fault(cause="missing_class", old="order = np.random.permutation(len(X))", new="order = np.random.permutation(600)"),
        Fault(cause="learning_rate_too_high", old="Adam(0.005)", new="Adam(3.0)"),
    ),
)  # fmt: skip

FORECAST = Program(
    name="forecast_rnn_tape",
    source="""
import numpy as np
import tensorflow as tf

tf.random.set_seed(SEED)
np.random.seed(SEED)
series = np.zeros(1400)
for t in range(2, 1400):  # a noisy oscillator
    series[t] = 1.75 * series[t - 1] - 0.95 * series[t - 2] + np.random.randn()
series = (series - series.mean()) / series.std()
windows = np.lib.stride_tricks.sliding_window_view(series, 25).astype('float32')
x, y = windows[:, :24, None], windows[:, 24]
x_train, y_train, x_test, y_test = x[:1100], y[:1100], x[1100:], y[1100:]

rnn = tf.keras.layers.SimpleRNN(24, activation='relu', recurrent_initializer='orthogonal', name='rnn')
head = tf.keras.layers.Dense(1, name='head')
model = tf.keras.Sequential([tf.keras.layers.InputLayer(shape=(24, 1)), rnn, head])
optimizer = tf.keras.optimizers.Adam(learning_rate=0.003, global_clipnorm=1.0)
train = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(1100).batch(32, drop_remainder=True)


@tf.function
def train_one(xb, yb):
    with tf.GradientTape() as tape:
        forecast = model(xb, training=True)
        forecast = tf.squeeze(forecast, axis=-1)
        loss = tf.reduce_mean(tf.square(forecast - yb))
    grads = tape.gradient(loss, model.trainable_weights)
    optimizer.apply_gradients(zip(grads, model.trainable_weights))
    return loss


for epoch in range(8):
    losses = [float(train_one(xb, yb)) for xb, yb in train]
    print(epoch, np.mean(losses))
""",
    score="1 - float(np.mean((model(x_test).numpy()[:, 0] - y_test) ** 2) / np.var(y_test))",
    bar=0.75,
    base=0.0,
    faults=(
        Fault(cause="loss_broadcast", old="        forecast = tf.squeeze(forecast, axis=-1)\n", new=""),
        Fault(cause="optimiser_not_applied", old="    optimizer.apply_gradients(zip(grads, model.trainable_weights))\n", new=""),
        Fault(cause="gradient_sign_flipped", old="optimizer.apply_gradients(zip(grads, model",
              new="optimizer.apply_gradients(zip([tf.negative(g) for g in grads], model"),
        Fault(cause="output_range_cannot_reach_targets", old="Dense(1, name='head')", new="Dense(1, activation='relu', name='head')",
              layer=("head",), beside=("dead_units",)),
        Fault(cause="init_scale", old="recurrent_initializer='orthogonal'",
              new="recurrent_initializer=tf.keras.initializers.RandomNormal(stddev=1.0)", accept=("exploding_gradient",),
              beside=("learning_rate_too_high",), layer=("rnn",)),
        Fault(cause="learning_rate_too_low", old="learning_rate=0.003", new="learning_rate=1e-6"),
        Fault(cause="labels_shuffled_apart", old="x_train, y_train, x_test, y_test = x[:1100], y[:1100]",
              new="x_train, y_train, x_test, y_test = x[:1100], np.random.permutation(y[:1100])", accept=("label_noise",)),
    ),
    pairs=(("loss_broadcast", "learning_rate_too_low"),),
)  # fmt: skip

TRANSFORMER = Program(
    name="votes_transformer",
    source="""
import keras
import numpy as np
from keras import layers, ops

keras.utils.set_random_seed(SEED)
vocab_size, maxlen, embed_dim = 40, 20, 32
x = np.random.randint(0, vocab_size, (2400, maxlen))
party = np.random.randint(0, 4, 2400)
for row, winner in zip(x, party):  # a token's party is its remainder; the winner gets some more
    spots = np.random.choice(maxlen, 6, replace=False)
    row[spots] = 4 * np.random.randint(0, 10, 6) + winner
x_train, y_train, x_val, y_val = x[:2000], party[:2000], x[2000:], party[2000:]


class TransformerBlock(layers.Layer):
    def __init__(self, embed_dim, num_heads, ff_dim, rate=0.1):
        super().__init__()
        self.att = layers.MultiHeadAttention(num_heads=num_heads, key_dim=embed_dim // num_heads)
        self.ffn = keras.Sequential([layers.Dense(ff_dim, activation='relu'), layers.Dense(embed_dim)])
        self.norm1, self.norm2 = layers.LayerNormalization(epsilon=1e-6), layers.LayerNormalization(epsilon=1e-6)
        self.drop1, self.drop2 = layers.Dropout(rate), layers.Dropout(rate)

    def call(self, inputs, training=False):
        out = self.norm1(inputs + self.drop1(self.att(inputs, inputs), training=training))
        return self.norm2(out + self.drop2(self.ffn(out), training=training))


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, peak, warmup_steps):
        self.peak, self.warmup_steps = peak, warmup_steps

    def __call__(self, step):
        step = ops.cast(step, 'float32') + 1.0
        return self.peak * ops.minimum(step / self.warmup_steps, ops.sqrt(self.warmup_steps / step))


tokens = layers.Input((maxlen,), dtype='int32')
ids = tokens
h = layers.Embedding(vocab_size, embed_dim)(ids) + layers.Embedding(maxlen, embed_dim)(ops.arange(maxlen))
h = TransformerBlock(embed_dim, 2, 64)(h)
h = layers.GlobalAveragePooling1D()(h)
h = layers.Dropout(0.1)(h)
logits = layers.Dense(4)(h)
model = keras.Model(tokens, logits)
model.compile(keras.optimizers.Adam(WarmUp(4e-3, 60.0), clipnorm=1.0),
              keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=['accuracy'])
model.fit(x_train, y_train, batch_size=40, epochs=7, validation_data=(x_val, y_val), verbose=0)
""",
    score="np.mean(model.predict(x_val, verbose=0).argmax(1) == y_val)",
    bar=0.75,
    base=0.25,
    faults=(
        Fault(cause="lr_schedule_wrong", old="WarmUp(4e-3, 60.0)", new="WarmUp(1e-3, 40000.0)", accept=("learning_rate_too_low",)),
        Fault(cause="input_ignored", old="ids = tokens\n", new="ids = ops.cast(tokens / vocab_size, 'int32')  # into [0, 1]\n",
              accept=("inputs_scaled_twice",)),
        Fault(cause="learning_rate_too_high", old="WarmUp(4e-3, 60.0)", new="WarmUp(4.0, 5.0)"),
        Fault(cause="logits_to_probability_loss", old="SparseCategoricalCrossentropy(from_logits=True)",
              new="SparseCategoricalCrossentropy()", accept=("wrong_head_for_labels",), layer=("dense_2",)),
        Fault(cause="label_noise", old="x_train, y_train, x_val, y_val = ",
              new="wrong = np.random.rand(2000) < 0.75\nparty[:2000][wrong] = np.random.randint(0, 4, wrong.sum())\nx_train, y_train, x_val, y_val = ",
              accept=("labels_shuffled_apart",), beside=("overfitting",)),
    ),
)  # fmt: skip

CHARACTERS = Program(
    name="characters_gru",
    source="""
import numpy as np
import tensorflow as tf

tf.keras.utils.set_random_seed(SEED)
words = ['king', 'queen', 'night', 'light', 'shall', 'never', 'under', 'thou', 'speak', 'crown', 'sword', 'gold']
text = ' '.join(np.random.choice(words, 4000))
chars = sorted(set(text))
lookup = {c: i for i, c in enumerate(chars)}
ids = np.array([lookup[c] for c in text])

sequences = tf.data.Dataset.from_tensor_slices(ids).batch(31, drop_remainder=True)
inputs, targets = sequences.map(lambda s: s[:-1]), sequences.map(lambda s: s[1:])
dataset = tf.data.Dataset.zip((inputs, targets))
dataset = dataset.shuffle(1000).batch(16, drop_remainder=True).prefetch(1)

model = tf.keras.Sequential([
    tf.keras.layers.Embedding(len(chars), 16),
    tf.keras.layers.GRU(48, return_sequences=True),
    tf.keras.layers.Dense(len(chars)),
])
loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(optimizer=tf.keras.optimizers.Adam(0.01), loss=loss)
model.fit(dataset, epochs=5, verbose=0)
long = ids[-2001:]
""",
    score="np.mean(model.predict(long[None, :-1], verbose=0)[0].argmax(-1) == long[1:])",
    bar=0.65,
    base=0.17,
    faults=(
        Fault(cause="labels_shuffled_apart", old="inputs, targets = sequences.map(lambda s: s[:-1]), sequences.map(lambda s: s[1:])",
              new="inputs, targets = sequences.shuffle(1000).map(lambda s: s[:-1]), sequences.shuffle(1000).map(lambda s: s[1:])"),
        Fault(cause="learning_rate_too_low", old="Adam(0.01)", new="Adam(1e-6)"),
        Fault(cause="logits_to_probability_loss", old="loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)",
              new="loss = 'sparse_categorical_crossentropy'", accept=("wrong_head_for_labels",), layer=("dense",)),
        Fault(cause="probabilities_to_logits_loss",
              old="""    tf.keras.layers.Dense(len(chars)),
])
loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)""",
              new="""    tf.keras.layers.Dense(len(chars), activation='softmax'),
])
loss = lambda y, p: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.cast(y, tf.int32), logits=p)""",
              layer=("dense",)),
        Fault(cause="underfitting_capacity", old="tf.keras.layers.GRU(48,", new="tf.keras.layers.GRU(1,", layer=("gru",),
              beside=("too_few_steps",)),
        Fault(cause="too_few_steps", old="epochs=5", new="epochs=1, steps_per_epoch=12", accept=("learning_rate_too_low",)),
    ),
)  # fmt: skip

PROGRAMS = (MOVEMENTS, FORECAST, TRANSFORMER, CHARACTERS)
