"""Scripts from a town hall: complaints in words and recordings of street noise."""

from keras_course.diagnostics.corpus import Fault, Program

COMPLAINTS = Program(
    name="municipal_complaint_desk",
    source="""
# Route citizens' complaints to the office in charge. Export of the old desk system, everything in CAPITALS.
# Offices as in the internal phone book.
import collections
import random
import numpy as np
import keras
from keras import layers, regularizers

random.seed(SEED)
np.random.seed(SEED)
keras.utils.set_random_seed(SEED)

OFFICES = ['civil engineering', 'waste', 'parks', 'lighting', 'public order', 'water']
WORDS = {
    'civil engineering': 'POTHOLE KERB ASPHALT CRACK PAVEMENT SLAB CYCLE PATH BOLLARD MARKING RAMP HOLE',
    'waste': 'BIN COLLECTION RUBBISH GLASS CONTAINER FLY TIPPING BAGS RATS OVERFLOWING MATTRESS SMELL',
    'parks': 'TREE BRANCH HEDGE LAWN PLAYGROUND SWING BENCH ROOTS FLOWERBED DOG MEADOW LEAVES',
    'lighting': 'LAMP DARK BULB FLICKERING LANTERN POLE LIGHT CABLE NIGHT TIMER OUT LED',
    'public order': 'NOISE PARTY PARKED MUSIC BLOCKED DRIVEWAY DOG BARKING SHOUTING NIGHT FIREWORKS TRAILER',
    'water': 'GULLY FLOODED DRAIN LEAK SMELL MANHOLE SEWER PUDDLE HYDRANT PIPE PUMP BASEMENT',
}
FILL = ('PLEASE SINCE WEEKS AGAIN OUR STREET THE IN FRONT OF HOUSE NUMBER NOBODY COMES WE HAVE CALLED TWICE '
        'CHILDREN DANGEROUS CORNER NEXT TO SCHOOL AND IT IS A SHAME THANK YOU MORNING EVERY DAY').split()
STREETS = [a + b for a in 'LIND BIRK MUEHL KIRCH BAHN RING WALD ROSEN STEIN HAFEN GARTEN LERCHEN'.split()
           for b in 'WEG STRASSE GASSE ALLEE PLATZ UFER STIEG HOF RAIN'.split()]


def letter(k):
    n = random.randint(1, 3)
    words = random.sample(WORDS[OFFICES[k]].split(), n) + random.choices(FILL + STREETS, k=random.randint(5, 10))
    if random.random() < 0.5:                      # people mention more than one thing
        words += random.choices(WORDS[random.choice(OFFICES)].split(), k=1)
    random.shuffle(words)
    return ' '.join(words)


def export(year, n):
    rows = []
    for k in range(len(OFFICES)):
        for _ in range(n):
            clerk = random.randrange(len(OFFICES)) if random.random() < 0.12 else k   # some were sent astray
            rows.append((letter(k), k, clerk))
    return rows


rows = export(2022, 340)
random.shuffle(rows)
later = export(2023, 80)
texts, truth, office = zip(*rows)

counts = collections.Counter(w for t in texts for w in t.lower().split())
vocab = {w: i + 2 for i, (w, c) in enumerate(counts.most_common(400))}
MAXLEN = 18


def encode(ts):
    out = np.zeros((len(ts), MAXLEN), 'int32')
    for r, t in enumerate(ts):
        ids = [vocab.get(w, 1) for w in t.lower().split()][:MAXLEN]
        out[r, :len(ids)] = ids
    return out


X = encode(texts)
y = np.array(office)

ridge = regularizers.l2(5e-5)
model = keras.Sequential([
    keras.Input((MAXLEN,), dtype='int32'),
    layers.Embedding(len(vocab) + 2, 24, mask_zero=True, name='words'),
    layers.GlobalAveragePooling1D(),
    layers.Dense(48, activation='relu', kernel_regularizer=ridge, name='hidden'),
    layers.Dropout(0.2),
    layers.Dense(len(OFFICES), activation='softmax', kernel_regularizer=ridge, name='office'),
])
model.compile('adam', loss='sparse_categorical_crossentropy', metrics=['accuracy'])
model.optimizer.learning_rate = 4e-3

stop = keras.callbacks.EarlyStopping(monitor='val_loss', patience=2, restore_best_weights=True)
model.fit(X, y, validation_split=0.2, epochs=60, batch_size=32, callbacks=[stop], verbose=2)

# how sure is it of the office that was really in charge, 2023
X23 = encode([t for t, _, _ in later])
y23 = np.array([k for _, k, _ in later])
p = model.predict(X23, verbose=0)
bits = -np.log2(np.clip(p[np.arange(len(y23)), y23], 1e-4, 1)).mean()
for k, name in enumerate(OFFICES):
    print(f'{name:20} {np.mean(p[y23 == k].argmax(1) == k):.2f}')
print('bits per letter', bits)
""",
    score="max(1 - bits / np.log2(6), -1.0)",
    bar=0.6,
    base=0.0,
    faults=(
        Fault(cause="validation_split_sorted", old="random.shuffle(rows)\n", new="",
              beside=("missing_class", "data_sorted")),
        Fault(cause="logits_to_probability_loss", old="activation='softmax', kernel_regularizer=ridge", new="kernel_regularizer=ridge", layer=("office",)),
        Fault(cause="wrong_head_for_labels", old="loss='sparse_categorical_crossentropy'",
              new="loss='categorical_crossentropy'", beside=("label_encoding", "wrong_loss_for_task")),
        Fault(cause="overfitting", old="batch_size=32, callbacks=[stop], ", new="batch_size=32, ", beside=("label_noise",)),
        Fault(cause="label_noise", old="random.random() < 0.12", new="random.random() < 0.8",
              beside=("overfitting",)),
        Fault(cause="regularisation_overwhelms", old="regularizers.l2(5e-5)", new="regularizers.l2(0.5)",
              layer=("hidden", "office"), beside=("input_ignored",)),
        Fault(cause="input_ignored", old="[vocab.get(w, 1) for w in t.lower().split()]",
              new="[vocab.get(w, 1) for w in t.split()]"),
    ),
    seeds=3,
)  # fmt: skip

NOISE = Program(
    name="municipal_night_noise",
    source="""

'''
Night noise survey, office for the environment.
What is it that people hear at the 14 measuring points? Boxes write int16 clips of half a second (2 kHz, after filter).
'''
import math
import numpy as np
import keras
from keras import layers

keras.utils.set_random_seed(SEED)
R = np.random.default_rng(7 + SEED)
N = 1000
FS = 2000.0
KINDS = ('road', 'building site', 'bar music', 'dog')
t = np.arange(N) / FS


def clip(kind):
    road = np.convolve(R.normal(0, 1, N + 20), np.ones(21) / 21, 'valid') * R.uniform(1, 2.5)
    s = road + R.normal(0, 0.1, N)
    if kind == 1:     # compressor hammer
        beat = R.uniform(18, 28)
        s += R.uniform(0.3, 0.8) * R.normal(0, 1, N) * (np.mod(t * beat + R.random(), 1) < 0.2)
    elif kind == 2:   # what gets through the wall: chords and a bass drum
        for f in R.uniform(110, 330) * np.array([1, 1.26, 1.5]):
            s += R.uniform(0.06, 0.2) * np.sin(2 * np.pi * (f * t + R.random()))
    elif kind == 3:
        for at in R.uniform(0.02, 0.36, R.integers(1, 3)):
            on = np.clip((t - at) / 0.1, 0, 1)
            s += R.uniform(0.3, 0.8) * np.sin(np.pi * on) * np.sin(2 * np.pi * (620 * t - 450 * (t - at) ** 2))
    return np.clip(s * 5200, -32768, 32767).astype('int16')


def box(n):
    kinds = R.integers(0, 4, n)
    return np.stack([clip(k) for k in kinds])[..., None], kinds


clips, kinds = box(1400)
clips_val, kinds_val = box(300)
clips_may, kinds_may = box(400)


class Nights(keras.utils.PyDataset):
    def __init__(self, clips, kinds, batch=40, shuffle=False, **kw):
        super().__init__(**kw)
        self.clips, self.kinds, self.batch, self.shuffle = clips, kinds, batch, shuffle
        self.order = np.arange(len(clips))
        self.on_epoch_end()

    def __len__(self):
        return math.ceil(len(self.clips) / self.batch)

    def __getitem__(self, i):
        sel = slice(i * self.batch, (i + 1) * self.batch)
        return self.clips[self.order[sel]].astype('float32'), self.kinds[self.order[sel]]

    def on_epoch_end(self):
        if self.shuffle:
            R.shuffle(self.order)


nights = Nights(clips, kinds, shuffle=True)

init = keras.initializers.RandomUniform(-0.15, 0.15)
model = keras.Sequential([
    layers.Input((N, 1)),
    layers.Rescaling(1 / 4096.0),
    layers.Conv1D(16, 15, strides=4, activation='relu', name='band'),
    layers.Conv1D(24, 9, strides=4, activation='relu', name='pattern'),
    layers.Conv1D(32, 5, strides=2, activation='relu', name='event'),
    layers.GlobalAveragePooling1D(),
    layers.Dense(32, activation='relu', kernel_initializer=init, name='mix'),
    layers.Dense(4, name='kind'),
])
EPOCHS = 14
steps = len(nights)
rate = keras.optimizers.schedules.PiecewiseConstantDecay([9 * steps, 12 * steps], [2e-3, 6e-4, 1e-4])
model.compile(keras.optimizers.Nadam(rate),
              keras.losses.SparseCategoricalCrossentropy(from_logits=True),
              metrics=['sparse_categorical_accuracy'])
model.fit(nights, validation_data=Nights(clips_val, kinds_val), epochs=EPOCHS, verbose=2)

heard = np.argmax(model.predict(clips_may.astype('float32'), verbose=0), axis=1)
right = float(np.mean(heard == kinds_may))
print('May:', right)
for k, name in enumerate(KINDS):
    print(name, np.mean(heard[kinds_may == k] == k))
""",
    score="right",
    bar=0.8,
    base=0.25,
    faults=(
        Fault(cause="inputs_scaled_twice", old="self.clips[self.order[sel]].astype('float32')",
              new="self.clips[self.order[sel]].astype('float32') / 32768", beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="lr_schedule_wrong", old="[9 * steps, 12 * steps]", new="[9, 12]",
              beside=("learning_rate_too_low", "too_few_steps")),
        Fault(cause="learning_rate_too_high", old="[2e-3, 6e-4, 1e-4]", new="[0.2, 0.06, 0.01]",
              beside=("dead_units", "oscillation", "exploding_gradient", "lr_schedule_wrong")),
        Fault(cause="too_few_steps", old="EPOCHS = 14", new="EPOCHS = 2", beside=("lr_schedule_wrong",)),
        Fault(cause="dead_units", old="RandomUniform(-0.15, 0.15)", new="RandomUniform(-0.15, -0.015)",
              accept=("init_scale",), beside=("symmetric_or_zero_init", "input_ignored"), layer=("mix",)),
        Fault(cause="labels_shuffled_apart", old="self.kinds[self.order[sel]]", new="self.kinds[sel]",
              beside=("label_noise",)),
        Fault(cause="label_encoding", old="    kinds = R.integers(0, 4, n)\n    return np.stack([clip(k) for k in kinds])[..., None], kinds",
              new="    kinds = R.integers(1, 5, n)\n    return np.stack([clip(k - 1) for k in kinds])[..., None], kinds",
              beside=("missing_class", "wrong_head_for_labels")),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (COMPLAINTS, NOISE)
