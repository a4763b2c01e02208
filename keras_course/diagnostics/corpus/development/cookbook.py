"""Recipes of a practical book: reading Braille cells from small pictures, and calls per half-hour at a help desk."""

from keras_course.diagnostics.corpus import Fault, Program

BRAILLE = Program(
    name="cookbook_braille_cells",
    source="""
# Recipe 4.7 - Reading Braille cells with a small convolutional network
#
# Problem: you have photographs of single Braille cells and want the letter.
# Solution: a tf.data pipeline, two convolutions, and a learning rate that decays every epoch.
import numpy as np
import tensorflow as tf
import keras
from keras import layers

keras.utils.set_random_seed(SEED)
gen = np.random.default_rng(100 + SEED)

HEIGHT, WIDTH = 18, 14
DOTS = {'a': '1', 'b': '12', 'c': '14', 'd': '145', 'e': '15',
        'f': '124', 'g': '1245', 'h': '125', 'i': '24', 'j': '245'}
LETTERS = sorted(DOTS)


def draw_cell(letter):
    # paper, then each dot as a small bump, somewhat out of place
    picture = gen.normal(95, 12, (HEIGHT, WIDTH))
    top, left = gen.integers(0, 4), gen.integers(0, 3)
    light = gen.uniform(55, 110)
    for dot in DOTS[letter]:
        k = int(dot) - 1
        y = 3 + top + 4 * (k % 3) + gen.normal(0, 0.3)
        x = 3 + left + 5 * (k // 3) + gen.normal(0, 0.3)
        rows, cols = np.ogrid[:HEIGHT, :WIDTH]
        picture = picture + light * np.exp(-((rows - y) ** 2 + (cols - x) ** 2) / 2.2)
    return picture.clip(0, 255).astype(np.uint8)


def alphabet(copies):
    pictures = [draw_cell(letter) for letter in LETTERS for _ in range(copies)]
    codes = [LETTERS.index(letter) for letter in LETTERS for _ in range(copies)]
    return np.array(pictures)[..., np.newaxis], np.array(codes)


train_pictures, train_codes = alphabet(180)
valid_pictures, valid_codes = alphabet(60)


def scale(picture, code):
    return tf.cast(picture, tf.float32), code


def grain(picture, code):
    # no two photographs have the same film grain
    return picture + tf.random.normal(tf.shape(picture), stddev=5.0), code


train_ds = (
    tf.data.Dataset.from_tensor_slices((train_pictures, train_codes))
    .map(scale, num_parallel_calls=tf.data.AUTOTUNE)
    .cache()
    .shuffle(len(train_codes))
    .map(grain)
    .batch(30)
    .prefetch(tf.data.AUTOTUNE)
)
valid_ds = tf.data.Dataset.from_tensor_slices((valid_pictures, valid_codes)).map(scale).batch(100)

model = keras.Sequential([
    keras.Input((HEIGHT, WIDTH, 1)),
    layers.Rescaling(1 / 127.5, offset=-1),
    layers.Conv2D(12, 3, padding='same', activation='relu'),
    layers.MaxPooling2D(),
    layers.Conv2D(24, 3, padding='same', activation='relu'),
    layers.MaxPooling2D(),
    layers.Flatten(),
    layers.Dense(48, activation='relu'),
    layers.Dense(len(LETTERS), activation='softmax'),
])

schedule = keras.optimizers.schedules.ExponentialDecay(3e-3, decay_steps=len(train_ds), decay_rate=0.75)
model.compile(
    optimizer=keras.optimizers.Adam(schedule),
    loss='sparse_categorical_crossentropy',
    metrics=[keras.metrics.SparseCategoricalAccuracy(name='acc')],
)
history = model.fit(train_ds, validation_data=valid_ds, epochs=9, verbose=2)
val_acc = history.history['val_acc'][-1]

# Discussion: i and e mirror each other, d and f and h and j differ in one dot - look at them first.
guess = model.predict(valid_pictures.astype('float32'), verbose=0).argmax(axis=1)
for code, letter in enumerate(LETTERS):
    print(letter, 'read as', letter, f'{(guess[valid_codes == code] == code).mean():.2f}')
""",
    score="val_acc",
    bar=0.85,
    base=0.1,
    faults=(
        Fault(cause="wrong_head_for_labels", old="    loss='sparse_categorical_crossentropy',",
              new="    loss='categorical_crossentropy',", accept=("wrong_loss_for_task", "label_encoding")),
        Fault(cause="wrong_metric", old="keras.metrics.SparseCategoricalAccuracy(name='acc')",
              new="keras.metrics.CategoricalAccuracy(name='acc')", accept=("loss_metric_inconsistent",)),
        Fault(cause="inputs_scaled_twice", old="    return tf.cast(picture, tf.float32), code",
              new="    return tf.cast(picture, tf.float32) / 255., code",
              beside=("inputs_not_scaled", "train_val_preprocessing_mismatch", "inputs_drowned_in_noise")),
        Fault(cause="shuffle_buffer_too_small", old="    .shuffle(len(train_codes))", new="    .shuffle(40)",
              accept=("data_sorted",)),
        Fault(cause="lr_schedule_wrong", old="decay_steps=len(train_ds), decay_rate=0.75",
              new="decay_steps=1, decay_rate=0.75", beside=("too_few_steps", "learning_rate_too_low")),
        Fault(cause="inputs_drowned_in_noise", old="stddev=5.0)", new="stddev=500.0)",
              beside=("train_val_preprocessing_mismatch", "inputs_not_scaled")),
    ),
    pairs=(("inputs_scaled_twice", "shuffle_buffer_too_small"),),
    seeds=3,
)  # fmt: skip

CALLS = Program(
    name="cookbook_help_desk_calls",
    source="""
# Recipe 6.2 - Counting things: Poisson regression with a PyDataset
#
# The help desk of a telephone company wants to know how many calls to expect in the next half-hour.
import math

import numpy as np
import keras
from keras import layers

keras.utils.set_random_seed(SEED)
r = np.random.default_rng(SEED)

n = 3600
weekday = r.integers(0, 7, n)
half_hour = r.integers(14, 42, n)                     # 7:00 to 21:00
letters_sent = r.gamma(1.2, 900., n)                  # invoices posted two days ago
outage = (r.random(n) < 0.12) * r.uniform(1, 9, n)    # thousands of homes without a line
queue = r.normal(22, 6, n)                            # not related to anything

busy = np.array([0.45, 0.2, 0.1, 0.05, 0.15, -0.6, -1.1])[weekday]
shape = np.exp(-((half_hour - 20) / 4.) ** 2) + 0.8 * np.exp(-((half_hour - 34) / 3.) ** 2)
log_rate = 1.8 + busy + 1.1 * shape + 0.35 * np.log1p(letters_sent / 300) + 0.15 * outage * (weekday < 5)
calls = r.poisson(np.exp(log_rate)).astype('float32')

numbers = np.stack([half_hour, letters_sent, outage, queue], axis=1).astype('float32')
order = r.permutation(n)
train, valid = order[:2700], order[2700:]

mean, std = numbers[train].mean(axis=0), numbers[train].std(axis=0)


def standardise(table):
    return (table - mean) / std


class HalfHours(keras.utils.PyDataset):
    def __init__(self, table, days, counts, batch_size=45, shuffle=False, **kwargs):
        super().__init__(**kwargs)
        self.table, self.days, self.counts = table, days, counts
        self.batch_size, self.shuffle = batch_size, shuffle
        self.index = np.arange(len(counts))
        self.on_epoch_end()

    def __len__(self):
        return math.ceil(len(self.index) / self.batch_size)

    def __getitem__(self, i):
        rows = self.index[i * self.batch_size:(i + 1) * self.batch_size]
        return {'numbers': self.table[rows], 'weekday': self.days[rows]}, self.counts[rows, None]

    def on_epoch_end(self):
        if self.shuffle:
            np.random.shuffle(self.index)


train_set = HalfHours(standardise(numbers[train]), weekday[train], calls[train], shuffle=True)
valid_set = HalfHours(standardise(numbers[valid]), weekday[valid], calls[valid])

table_in = keras.Input((4,), name='numbers')
day_in = keras.Input((), dtype='int32', name='weekday')
day = layers.Embedding(7, 3, name='day_vector')(day_in)
h = layers.concatenate([table_in, day])
h = layers.Dropout(0.08)(h)
narrow = keras.initializers.RandomNormal(stddev=0.25)
for name in ('first', 'second'):
    h = layers.Dense(32, activation='tanh', kernel_initializer=narrow.clone(), name=name)(h)
rate = layers.Dense(1, activation='exponential', name='rate')(h)
model = keras.Model([table_in, day_in], rate)

slower = keras.optimizers.schedules.CosineDecay(0.04, 20 * len(train_set))
model.compile(optimizer=keras.optimizers.SGD(slower, momentum=0.9, clipnorm=1.0), loss='poisson')
model.fit(train_set, validation_data=valid_set, epochs=20, verbose=2)

batches = [valid_set[i][0] for i in range(len(valid_set))]
expected = np.concatenate([model(batch, training=False).numpy() for batch in batches])[:, 0]
truth = calls[valid]


def deviance(rate):
    return np.mean(2 * (rate - truth + truth * np.log(np.maximum(truth, 1e-9) / rate)))


explained = 1 - deviance(expected) / deviance(calls[train].mean())
print('share of the deviance explained: %.3f' % explained)
""",
    score="max(explained, -1.0) if np.isfinite(explained) else -1.0",
    bar=0.7,
    base=0.0,
    faults=(
        Fault(cause="wrong_loss_for_task", old="loss='poisson')", new="loss='binary_crossentropy')",
              beside=("output_range_cannot_reach_targets", "exploding_gradient", "nan_or_inf_in_data",
                      "wrong_head_for_labels", "targets_not_scaled", "label_encoding")),
        Fault(cause="exploding_gradient", old="momentum=0.9, clipnorm=1.0)", new="momentum=0.9)",
              accept=("learning_rate_too_high",), beside=("targets_not_scaled",)),
        Fault(cause="learning_rate_too_low", old="CosineDecay(0.04, ", new="CosineDecay(0.0001, ",
              beside=("too_few_steps", "lr_schedule_wrong")),
        Fault(cause="dropout_mode", old="model(batch, training=False)", new="model(batch, training=True)", certain=True),
        Fault(cause="train_val_preprocessing_mismatch", old="HalfHours(standardise(numbers[valid]), ",
              new="HalfHours(numbers[valid], ", beside=("inputs_not_scaled",)),
        Fault(cause="saturated_units", old="RandomNormal(stddev=0.25)", new="RandomNormal(stddev=25)",
              accept=("init_scale",), layer=("first", "second")),
        Fault(cause="inputs_not_scaled", old="    return (table - mean) / std", new="    return table - mean",
              beside=("saturated_units", "exploding_gradient", "vanishing_gradient")),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (BRAILLE, CALLS)
