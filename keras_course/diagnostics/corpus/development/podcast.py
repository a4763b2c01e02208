"""Scripts of a podcast company: where an episode has its adverts, and which one a listener will hear to its end."""

from keras_course.diagnostics.corpus import Fault, Program

BREAKS = Program(
    name="podcast_ad_breaks",
    source='''
"""Ad breaks, frame by frame: talk, jingle, ad or silence.

Needed for the dynamic ad insertion: old episodes have their ads baked in, and we want them out.
Input: log-mel spectrograms at 4 frames a second, cut into chunks of 20 seconds (80 x 24).
Marks come from the editors' cue sheets.
"""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED + 44100)

FRAMES, MELS, FPS = 80, 24, 4
KINDS = ['talk', 'jingle', 'ad', 'silence']
CHUNKS = 1100
BATCH = 32
EPOCHS = 6


# ---- material ----------------------------------------------------------------------------------------------------
def voice(length):
    pitch = rng.uniform(1, 4)
    bands = np.arange(MELS)
    vowels = rng.uniform(4, 14, length // 2 + 1).repeat(2)[:length]
    syllables = np.clip(np.sin(np.arange(length) * rng.uniform(1.2, 2.2) + rng.uniform(0, 6)), 0, 1) + 0.05
    shape = np.exp(-((bands - pitch) / 1.5) ** 2) + np.exp(-((bands - vowels[:, None]) / 2.0) ** 2)
    return 30 * syllables[:, None] * shape


def music(length):
    power = np.zeros((length, MELS))
    for _ in range(rng.integers(3, 6)):
        power[:, rng.integers(2, MELS)] += rng.uniform(5, 25)
    return power


def chunk():
    """One chunk and its cue sheet: (from, to, kind) in seconds."""
    power, cues, at = np.zeros((FRAMES, MELS)), [], 0
    while at < FRAMES:
        kind = rng.choice(KINDS, p=[0.45, 0.2, 0.25, 0.1])
        length = int(rng.integers(*{'talk': (16, 40), 'jingle': (6, 14), 'ad': (16, 32), 'silence': (3, 8)}[kind]))
        length = min(length, FRAMES - at)
        if kind == 'talk':
            piece = voice(length)
        elif kind == 'jingle':
            piece = music(length)
        elif kind == 'ad':      # a voice over a bed of music, and louder
            piece = 1.6 * voice(length) + 0.25 * music(length)
        else:
            piece = np.zeros((length, MELS))
        power[at:at + length] += piece
        cues.append((at / FPS, (at + length) / FPS, 'sting' if kind == 'jingle' else kind))     # as the editors say
        at += length
    gain = 10 ** rng.uniform(-0.7, 0.7)
    power = gain * power * rng.gamma(4, 0.25, power.shape) + rng.exponential(0.05, power.shape)
    return power, cues


def decibels(power, ref=1.0):
    return 10 * np.log10(np.maximum(power, 1e-4) / ref)


def rasterise(cues):
    frames = np.zeros(FRAMES, 'int64')
    for start, stop, kind in cues:
        kind = {'sting': 'jingle', 'spot': 'ad'}.get(kind, kind)
        frames[int(start * FPS):int(stop * FPS)] = KINDS.index(kind) if kind in KINDS else 0
    return frames


powers, sheets = zip(*[chunk() for _ in range(CHUNKS)])
powers, marks = np.stack(powers), np.stack([rasterise(cues) for cues in sheets])
n_train, n_val = 800, 100
x = decibels(powers).astype('float32')
x_train, y_train = x[:n_train], marks[:n_train]
x_val, y_val = x[n_train:n_train + n_val], marks[n_train:n_train + n_val]
y_test = marks[n_train + n_val:]
print({kind: round(float((y_train == k).mean()), 3) for k, kind in enumerate(KINDS)})

train = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(n_train).batch(BATCH).prefetch(1)
val = tf.data.Dataset.from_tensor_slices((x_val, y_val)).batch(BATCH)


# ---- model -------------------------------------------------------------------------------------------------------
class BreakFinder(keras.Model):
    def __init__(self, filters=32, **kwargs):
        super().__init__(**kwargs)
        self.loudness = layers.Rescaling(1 / 20, offset=0.5, name='loudness')
        self.blocks = []
        for i, dilation in enumerate((1, 2, 4)):
            self.blocks.append(layers.Conv1D(filters, 5, padding='same', dilation_rate=dilation, name=f'around{i}'))
            self.blocks.append(layers.BatchNormalization(momentum=0.9, name=f'level{i}'))
            self.blocks.append(layers.Activation('elu', name=f'bend{i}'))
        self.reading = layers.Dense(32, activation='relu', name='reading')
        self.drop = layers.Dropout(0.1, name='drop')
        self.kinds = layers.Dense(len(KINDS), name='kinds')

    def call(self, inputs, training=False):
        h = self.loudness(inputs)
        for block in self.blocks:
            h = block(h, training=training) if isinstance(block, layers.BatchNormalization) else block(h)
        h = self.drop(self.reading(h), training=training)
        return self.kinds(h)

    def train_step(self, data):
        sound, kinds = data
        with tf.GradientTape() as tape:
            scores = self(sound, training=True)
            loss = self.compute_loss(y=kinds, y_pred=scores)
        weights = self.trainable_weights
        gradients = tape.gradient(loss, weights)
        gradients, norm = tf.clip_by_global_norm(gradients, 5.0)
        self.optimizer.apply(gradients, weights)
        for metric in self.metrics:
            if metric.name == 'loss':
                metric.update_state(loss)
            else:
                metric.update_state(kinds, scores)
        return {m.name: m.result() for m in self.metrics} | {'norm': norm}


finder = BreakFinder()
finder.compile(
    optimizer=keras.optimizers.AdamW(3e-3, weight_decay=1e-3),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=[keras.metrics.SparseCategoricalAccuracy(name='frames')],
)
finder.fit(train, validation_data=val, epochs=EPOCHS, verbose=2)

# ---- hold-out: chunk by chunk, as the insertion server will do it --------------------------------------------------
@tf.function
def listen(sound):
    return finder(sound, training=False)


heard = []
for power in powers[n_train + n_val:]:
    sound = decibels(power).astype('float32')[None]
    heard.append(listen(sound).numpy()[0].argmax(axis=-1))
heard = np.stack(heard)
recalls = []
for k, kind in enumerate(KINDS):
    frames = y_test == k
    recalls.append(float((heard[frames] == k).mean()) if frames.any() else 0.0)
    print(f'{kind:8s} {frames.mean():6.1%} of the frames, recall {recalls[-1]:.3f}')
mean_recall = float(np.mean(recalls))
print('mean recall', round(mean_recall, 4))
''',
    score="mean_recall",
    bar=0.8,
    base=0.25,
    odd="the spectrograms come in decibels, and are scaled by a layer inside the model",
    faults=(
        Fault(cause="wrong_metric", old="keras.metrics.SparseCategoricalAccuracy(name='frames')",
              new="keras.metrics.SparseTopKCategoricalAccuracy(name='frames')", certain=True),
        Fault(cause="logits_to_probability_loss",
              old="loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),",
              new="loss='sparse_categorical_crossentropy',"),
        Fault(cause="missing_class", old="{'sting': 'jingle', 'spot': 'ad'}", new="{'stinger': 'jingle', 'spot': 'ad'}",
              accept=("label_encoding",), beside=("label_noise",)),
        Fault(cause="train_val_preprocessing_mismatch", old="sound = decibels(power).astype('float32')[None]",
              new="sound = decibels(power, ref=power.max()).astype('float32')[None]"),
        Fault(cause="dead_units", old="layers.Dense(32, activation='relu', name='reading')",
              new="layers.Dense(32, activation='relu', name='reading', "
                  "bias_initializer=keras.initializers.Constant(-np.log(0.999 / 0.001)))",
              accept=("init_scale",), layer=("reading",)),
        Fault(cause="batchnorm_mode", old="return finder(sound, training=False)",
              new="return finder(sound, training=True)",
              certain=True, accept=("dropout_mode",), layer=("level0", "level1", "level2")),
        Fault(cause="optimiser_not_applied", old="        self.optimizer.apply(gradients, weights)\n", new="""\
        if self.optimizer.built:
            self.optimizer.apply(gradients, weights)
""", beside=("frozen_or_disconnected",)),
    ),
    seeds=3,
)  # fmt: skip

LISTENERS = Program(
    name="podcast_finished_or_skipped",
    source='''
"""Which of two episodes will a listener hear to its end?

Every row is one evening of one listener: what they finished lately (a ragged list of episodes), one episode that they
finished tonight and one that they skipped. The net learns to rank; pairs instead of ratings, because nobody rates.
"""
import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED + 77)

EPISODES, TASTES, DIM = 240, 5, 16
LISTENERS, EVENINGS = 700, 9
LONGEST = 14
BATCH, EPOCHS = 128, 8
PAD = 0                                    # episodes are 1..EPISODES

# ---- listening log -----------------------------------------------------------------------------------------------
about = rng.normal(0, 1, (EPISODES + 1, TASTES))
hosts = rng.normal(0, 0.5, EPISODES + 1)                  # some are simply good
minutes = rng.gamma(6, 7, EPISODES + 1)


def evening(taste):
    liked = about @ taste + hosts
    history = []
    while len(history) < rng.integers(4, LONGEST + 1):
        offer = 1 + rng.integers(0, EPISODES, 6)
        history.append(offer[np.argmax(liked[offer] + rng.gumbel(0, 0.5, 6))])
    while True:
        a, b = 1 + rng.choice(EPISODES, 2, replace=False)
        played = [minutes[e] / (1 + np.exp(-2.5 * liked[e] - rng.normal(0, 0.5))) for e in (a, b)]
        share_a, share_b = played[0] / minutes[a], played[1] / minutes[b]
        if max(share_a, share_b) > 0.8 and min(share_a, share_b) < 0.4:
            break
    return history, (a, b), (share_a, share_b)


rows = []
for listener in range(LISTENERS):
    taste = rng.normal(0, 1, TASTES)
    for _ in range(EVENINGS):
        rows.append((listener, *evening(taste)))
rows = [rows[i] for i in rng.permutation(len(rows))]

histories = np.full((len(rows), LONGEST), PAD, 'int32')
finished, skipped = np.zeros(len(rows), 'int32'), np.zeros(len(rows), 'int32')
who = np.array([row[0] for row in rows])
for i, (_, history, pair, shares) in enumerate(rows):
    histories[i, :len(history)] = history
    first_wins = shares[0] > shares[1]
    finished[i], skipped[i] = pair if first_wins else pair[::-1]

# listeners of the hold-out are new to the net
is_test = who >= LISTENERS * 4 // 5
train_rows, test_rows = np.flatnonzero(~is_test), np.flatnonzero(is_test)
print(len(train_rows), 'evenings to learn from,', len(test_rows), 'held out')


# ---- net ---------------------------------------------------------------------------------------------------------
class Ranker(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.episode = layers.Embedding(EPISODES + 1, DIM, embeddings_initializer='glorot_normal', name='episode')
        self.appeal = layers.Embedding(EPISODES + 1, 1, embeddings_initializer='zeros', name='appeal')
        self.mood = layers.Dense(DIM, activation='tanh', name='mood')

    def listener(self, history):
        heard = ops.cast(ops.not_equal(history, PAD), 'float32')[..., None]
        vectors = self.episode(history) * heard
        mean = ops.sum(vectors, axis=1) / ops.maximum(ops.sum(heard, axis=1), 1.0)
        return self.mood(4.0 * mean)

    def call(self, inputs):
        history, episode = inputs
        match = ops.sum(self.listener(history) * self.episode(episode), axis=-1)
        return match + self.appeal(episode)[..., 0]


ranker = Ranker(name='ranker')
optimizer = keras.optimizers.Adam(0.01)


@tf.function
def step(history, good, bad):
    with tf.GradientTape() as tape:
        margin = ranker((history, good)) - ranker((history, bad))
        loss = tf.reduce_mean(tf.nn.softplus(-margin))
    variables = ranker.trainable_variables
    gradients = tape.gradient(loss, variables)
    optimizer.apply_gradients(zip(gradients, variables))
    return loss, tf.reduce_mean(tf.cast(margin > 0, tf.float32))


def share_right(rows):
    good = ops.convert_to_numpy(ranker((histories[rows], finished[rows])))
    bad = ops.convert_to_numpy(ranker((histories[rows], skipped[rows])))
    return float(np.mean(good > bad))


for epoch in range(EPOCHS):
    order = rng.permutation(train_rows)
    losses, right = [], []
    for start in range(0, len(order), BATCH):
        batch = order[start:start + BATCH]
        loss, hits = step(tf.constant(histories[batch]), tf.constant(finished[batch]), tf.constant(skipped[batch]))
        losses.append(float(loss))
        right.append(float(hits))
    print(f'epoch {epoch + 1}: loss {np.mean(losses):.4f}, right {np.mean(right):.3f}, '
          f'new listeners {share_right(test_rows):.3f}')

ranked_right = share_right(test_rows)
print(f'pairs in the right order: {ranked_right:.3f}')
''',
    score="ranked_right",
    bar=0.75,
    base=0.5,
    odd="one embedding starts at zero, and gets its gradient all the same",
    faults=(
        Fault(cause="gradient_sign_flipped", old="margin = ranker((history, good)) - ranker((history, bad))",
              new="margin = ranker((history, bad)) - ranker((history, good))",
              accept=("label_encoding",)),
        Fault(cause="frozen_or_disconnected", old="optimizer.apply_gradients(zip(gradients, variables))", new="""\
optimizer.apply_gradients([(tf.clip_by_norm(g, 5.0), v) for g, v in zip(gradients, variables)
                               if isinstance(g, tf.Tensor)])""", layer=("episode", "appeal")),
        Fault(cause="leakage_duplicates", old="rows = [rows[i] for i in rng.permutation(len(rows))]",
              new="rows = [rows[i] for i in rng.permutation(len(rows))]\n"
                  "rows += [(int(rng.integers(LISTENERS)), *row[1:]) for row in rows[:2500]]",
              certain=True),
        Fault(cause="learning_rate_too_low", old="keras.optimizers.Adam(0.01)",
              new="keras.optimizers.Adam(0.01 / len(train_rows))", beside=("too_few_steps",)),
        Fault(cause="input_ignored", old="ops.not_equal(history, PAD), 'float32')[..., None]",
              new="ops.equal(history, PAD), 'float32')[..., None]"),
        Fault(cause="label_noise", old="first_wins = shares[0] > shares[1]",
              new="first_wins = np.diff(np.array(shares) + rng.laplace(0, 1, 2))[0] < 0"),
        Fault(cause="saturated_units", old="return self.mood(4.0 * mean)",
              new="return self.mood(400.0 * ops.sum(vectors, axis=1))", layer=("mood",),
              accept=("init_scale", "inputs_not_scaled"), beside=("vanishing_gradient",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [BREAKS, LISTENERS]
