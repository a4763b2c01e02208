"""Scripts of a sound engineer: which instruments play in a clip, and which of two mixes listeners prefer."""

from keras_course.diagnostics.corpus import Fault, Program

TAGS = Program(
    name="studio_instrument_tags",
    source="""
# Which instruments play in this half second? Tags for the sample library, several per clip.
# The clips are synthesised here so that the script runs without the library.
import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

RATE = 4000
LENGTH = 2048
TAGS = ['bass', 'bell', 'hihat', 'flute', 'claps']
CHANCE = [0.5, 0.4, 0.45, 0.35, 0.12]
HISS_DB = -38.0
t = np.arange(LENGTH) / RATE


def note(tag):
    if tag == 'bass':
        f = rng.uniform(55, 150)
        return sum(np.sin(2 * np.pi * f * k * t) / k for k in (1, 2, 3)) * np.exp(-1.5 * t)
    if tag == 'bell':
        f, start = rng.uniform(500, 900), rng.uniform(0, 0.2)
        on = np.maximum(t - start, 0)
        return sum(np.sin(2 * np.pi * f * k * on) for k in (1.0, 1.48, 1.92)) * np.exp(-9 * on) * 0.6
    if tag == 'hihat':
        every = rng.uniform(0.07, 0.14)
        crisp = np.diff(rng.normal(0, 0.4, LENGTH + 1))
        return crisp * np.exp(-60 * ((t + rng.uniform(0, every)) % every))
    if tag == 'flute':
        f = rng.uniform(350, 1100)
        return 0.7 * np.sin(2 * np.pi * f * t + 1.2 * np.sin(2 * np.pi * 5.5 * t))
    burst = np.exp(-35 * np.maximum(t - rng.uniform(0.05, 0.35), 0)) * (t > 0.05)
    return np.convolve(rng.normal(0, 0.5, LENGTH), np.ones(3) / 3, mode='same') * burst


def clip():
    on = rng.random(len(TAGS)) < CHANCE
    wave = rng.normal(0, 0.004, LENGTH)
    for tag, plays in zip(TAGS, on):
        if plays:
            wave = wave + note(tag) * 10 ** (rng.uniform(-12, 0) / 20)
    return wave.astype('float32'), on.astype('float32')


waves, tags = map(np.stack, zip(*[clip() for _ in range(1500)]))
waves, waves_test, tags, tags_test = train_test_split(waves, tags, test_size=400, random_state=SEED)
claps = np.flatnonzero(tags[:, -1] > 0)  # few of them: take them twice
waves, tags = np.concatenate([waves, waves[claps]]), np.concatenate([tags, tags[claps]])


def hiss(wave, tag):
    level = 10.0 ** (HISS_DB / 20.0)
    return wave + level * tf.random.normal(tf.shape(wave)), tag


def picture(wave, tag):
    power = tf.abs(tf.signal.stft(wave, 256, 128, pad_end=True)) ** 2
    db = 10.0 * tf.math.log(power[:, :128] + 1e-5) / tf.math.log(10.0)
    return ((db + 5.0) / 22.0)[..., None], tag


train = tf.data.Dataset.from_tensor_slices((waves, tags)).shuffle(len(waves)).map(hiss).map(picture)
train = train.batch(32).prefetch(2)
test = tf.data.Dataset.from_tensor_slices((waves_test, tags_test)).map(picture).batch(100).cache()

spectrogram = keras.Input((16, 128, 1), name='spectrogram')
x = layers.Conv2D(12, (3, 7), strides=(1, 2), padding='same', name='conv1')(spectrogram)
x = layers.ReLU(threshold=0.0, name='floor1')(x)
x = layers.MaxPooling2D((2, 2))(x)
x = layers.Conv2D(24, (3, 5), padding='same', name='conv2')(x)
x = layers.ReLU(threshold=0.0)(x)
x = layers.MaxPooling2D((2, 2))(x)
x = layers.Flatten()(x)
x = layers.Dense(40, activation='relu', kernel_regularizer=keras.regularizers.L2(1e-5), name='dense')(x)
x = layers.Dropout(0.4, name='drop')(x)
logits = layers.Dense(len(TAGS), name='tags')(x)
model = keras.Model(spectrogram, logits)

loss = keras.losses.BinaryCrossentropy(from_logits=True)
auc = keras.metrics.AUC(multi_label=True, from_logits=True)
model.compile(optimizer=keras.optimizers.RMSprop(1e-3), loss=loss, metrics=[auc])
model.fit(train, validation_data=test, epochs=8, verbose=2)

said = model.predict(test, verbose=0) > 0
found = [balanced_accuracy_score(tags_test[:, k] > 0, said[:, k]) for k in range(len(TAGS))]
for tag, value in zip(TAGS, found):
    print(f'{tag:8} {value:.3f}')
""",
    score="np.mean(found)",
    bar=0.85,
    base=0.5,
    odd="clips with claps stand twice in the training set, and hiss is added to the training clips alone",
    faults=(
        Fault(cause="learning_rate_too_high", old="RMSprop(1e-3)", new="RMSprop(0.3)",
              accept=("oscillation", "exploding_gradient"), beside=("dead_units",)),
        Fault(cause="wrong_head_for_labels", old="keras.losses.BinaryCrossentropy(from_logits=True)",
              new="keras.losses.CategoricalCrossentropy(from_logits=True)", accept=("wrong_loss_for_task",),
              layer=("tags",)),
        Fault(cause="inputs_drowned_in_noise", old="HISS_DB = -38.0", new="HISS_DB = 38.0",
              beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="leakage_duplicates", old="""\
waves, waves_test, tags, tags_test = train_test_split(waves, tags, test_size=400, random_state=SEED)
claps = np.flatnonzero(tags[:, -1] > 0)  # few of them: take them twice
waves, tags = np.concatenate([waves, waves[claps]]), np.concatenate([tags, tags[claps]])
""", new="""\
claps = np.flatnonzero(tags[:, -1] > 0)  # few of them: take them twice
waves, tags = np.concatenate([waves, waves[claps]]), np.concatenate([tags, tags[claps]])
waves, waves_test, tags, tags_test = train_test_split(waves, tags, test_size=400, random_state=SEED)
""", certain=True),
        Fault(cause="dead_units", old="x = layers.ReLU(threshold=0.0, name='floor1')(x)",
              new="x = layers.ReLU(threshold=9.0, name='floor1')(x)", accept=("input_ignored",),
              beside=("frozen_or_disconnected", "vanishing_gradient"), layer=("conv1", "floor1")),
        Fault(cause="regularisation_overwhelms", old="kernel_regularizer=keras.regularizers.L2(1e-5)",
              new="kernel_regularizer=keras.regularizers.L1(0.1)", beside=("dead_units",), layer=("dense",)),
        Fault(cause="dropout_mode", old="said = model.predict(test, verbose=0) > 0",
              new="said = np.concatenate([model(clips, training=True) for clips, _ in test]) > 0", certain=True,
              layer=("drop",)),
    ),
    seeds=3,
)  # fmt: skip

LISTENING = Program(
    name="studio_listening_test",
    source="""
# Blind listening test: which of two mixes of a song do people like better?
# A small convnet gives every mix a grade; it sees only pairs and votes.
import keras
import numpy as np
import tensorflow as tf
from keras import layers
from scipy.stats import spearmanr

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

BANDS, FRAMES = 24, 20
MIXES, HELD_OUT = 900, 180
BATCH = 48


def mixdown(n):
    # band levels in dB full scale, -80 .. 0
    tilt = rng.uniform(-1.6, 1.0, n)
    boom = rng.uniform(-8, 12, n)
    pump = rng.uniform(0, 9, n)
    loud = rng.uniform(-46, -34, n)
    band = np.linspace(-1, 1, BANDS)
    beat = np.cos(2 * np.pi * np.arange(FRAMES) / 5.0)
    db = loud[:, None, None] + 12 * tilt[:, None, None] * band[None, :, None]
    db = db + boom[:, None, None] * np.exp(-((band + 0.75) / 0.18) ** 2)[None, :, None]
    db = db + pump[:, None, None] * beat[None, None, :] * rng.choice([-1, 1], n)[:, None, None]
    db = db + rng.normal(0, 4.0, (n, BANDS, FRAMES))
    taste = 2.0 - 3.2 * (tilt + 0.3) ** 2 - 0.02 * (boom - 3) ** 2 - 0.25 * np.abs(pump - 4)
    return np.clip(db, -80, 0).astype('float32'), taste


def panel(ids, taste, n):
    first, second = rng.choice(ids, n), rng.choice(ids, n)
    sure = 4.0 * (taste[first] - taste[second])
    votes = np.where(rng.random(n) < 1 / (1 + np.exp(-sure)), 1.0, -1.0)
    return first, second, votes.astype('float32')


spectra, taste = mixdown(MIXES)
train_ids = np.arange(0, MIXES - HELD_OUT)
test_ids = np.arange(MIXES - HELD_OUT, MIXES)
first, second, votes = panel(train_ids, taste, 4000)
test_first, test_second, test_votes = panel(test_ids, taste, 600)


def prepare(db):
    return tf.clip_by_value((db + 80.0) / 80.0, 0.0, 1.0) * 4.0 - 2.0


def pairs(first, second):
    left, right = spectra[first], spectra[second]
    return tf.data.Dataset.from_tensor_slices((left, right)).map(lambda a, b: (prepare(a), prepare(b)))


ballots = tf.data.Dataset.from_tensor_slices(votes)
trial = tf.data.Dataset.zip((pairs(first, second), ballots)).shuffle(len(votes)).batch(BATCH, drop_remainder=True)
check = tf.data.Dataset.zip((pairs(test_first, test_second), tf.data.Dataset.from_tensor_slices(test_votes))).batch(100)

ACT = 'gelu'
mix = keras.Input((BANDS, FRAMES), name='mix')
x = layers.Reshape((BANDS, FRAMES, 1))(mix)
x = layers.Conv2D(12, (5, 3), strides=(2, 1), padding='same', activation=ACT, name='conv1')(x)
x = layers.Conv2D(16, (3, 3), strides=(2, 2), padding='same', activation=ACT, name='conv2')(x)
x = layers.Flatten()(x)
x = layers.Dense(48, activation=ACT, name='mixbus')(x)
grade = layers.Dense(1, name='grade')(x)
grader = keras.Model(mix, grade)


class ListeningTest(keras.Model):
    def __init__(self, grader):
        super().__init__()
        self.grader = grader
        self.loss_mean = keras.metrics.Mean(name='loss')
        self.agree = keras.metrics.BinaryAccuracy(name='agree', threshold=0.0)

    @property
    def metrics(self):
        return [self.loss_mean, self.agree]

    def call(self, both, training=False):
        left, right = both
        g_left = tf.squeeze(self.grader(left, training=training), -1)
        g_right = tf.squeeze(self.grader(right, training=training), -1)
        return g_left - g_right

    def train_step(self, data):
        both, vote = data
        with tf.GradientTape() as tape:
            margin = self(both, training=True)
            loss = tf.reduce_mean(tf.nn.softplus(-vote * margin))
        grads = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(grads, self.trainable_variables))
        self.loss_mean.update_state(loss)
        self.agree.update_state(vote > 0, margin)
        return {m.name: m.result() for m in self.metrics}

    def test_step(self, data):
        both, vote = data
        margin = self(both, training=False)
        self.loss_mean.update_state(tf.nn.softplus(-vote * margin))
        self.agree.update_state(vote > 0, margin)
        return {m.name: m.result() for m in self.metrics}


test_room = ListeningTest(grader)
test_room.compile(optimizer=keras.optimizers.Lion(learning_rate=3e-4))
test_room.fit(trial, validation_data=check, epochs=8, verbose=2)

grades = grader.predict(prepare(spectra[test_ids]), verbose=0)[:, 0]
spread = float(np.std(grades))
rank = spearmanr(grades, taste[test_ids]).statistic if spread > 1e-6 else 0.0
print('grades run from', grades.min(), 'to', grades.max(), ' rank correlation', rank)
""",
    score="rank",
    bar=0.7,
    base=0.0,
    odd="a train_step with no loss in compile, and grades that are known up to a constant only",
    faults=(
        Fault(cause="learning_rate_too_low",
              old="Lion(learning_rate=3e-4)", new="Lion(learning_rate=3e-4 / len(votes))",
              beside=("too_few_steps",)),
        Fault(cause="input_ignored", old="(db + 80.0) / 80.0, 0.0, 1.0)", new="db / 80.0, 0.0, 1.0)",
              accept=("inputs_not_scaled",), beside=("dead_units",)),
        Fault(cause="missing_nonlinearity", old="ACT = 'gelu'", new="ACT = None",
              accept=("underfitting_capacity",), layer=("conv1", "conv2", "mixbus")),
        Fault(cause="wrong_metric", old="""\
        self.loss_mean.update_state(loss)
        self.agree.update_state(vote > 0, margin)
""", new="""\
        self.loss_mean.update_state(loss)
        self.agree.update_state(vote, margin)
""", certain=True, accept=("loss_metric_inconsistent",), beside=("label_encoding",)),
        Fault(cause="labels_shuffled_apart", old="zip((pairs(first, second), ballots)).shuffle(len(votes))",
              new="zip((pairs(first, second).shuffle(len(votes)), ballots.shuffle(len(votes))))",
              accept=("label_noise",)),
        Fault(cause="loss_broadcast", old="loss = tf.reduce_mean(tf.nn.softplus(-vote * margin))",
              new="loss = tf.reduce_mean(tf.nn.softplus(-vote[:, None] * margin))"),
        Fault(cause="optimiser_not_applied", old="learning_rate=3e-4))\n",
              new="learning_rate=3e-4, gradient_accumulation_steps=len(votes)))\n", beside=("too_few_steps",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [TAGS, LISTENING]
