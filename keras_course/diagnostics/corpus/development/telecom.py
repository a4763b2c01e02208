"""Scripts of a telephone network's operations team: what broke at a cell site, and why customers gave notice."""

from keras_course.diagnostics.corpus import Fault, Program

ALARMS = Program(
    name="telecom_alarm_bursts",
    source='''
"""Root causes of an alarm burst at a cell site.

Input:  the first 24 alarms of a burst (code, seconds since the one before), padded with 0.
Output: any of five root causes; two or three at a time are common, none at all means planned work.
"""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED + 55)

CAUSES = ['mains', 'backhaul', 'antenna_line', 'software', 'cooling']
CODES = 38           # 1..38, 0 is the padding
MAX_ALARMS = 24
BATCH = 64

# What the field manual says: which alarms a cause raises, in which order, and how fast they follow each other.
# A failing rectifier (mains) and a failing fan (cooling) raise the same four alarms the other way round.
CHAINS = {
    'mains': ([3, 4, 5, 6], 8.0),
    'cooling': ([6, 5, 4, 3], 60.0),
    'backhaul': ([11, 12, 13], 2.0),
    'antenna_line': ([12, 21, 22], 25.0),
    'software': ([13, 11, 30], 1.0),
}


def burst(causes):
    """Alarms of all causes, merged in the order of their time, among what a site always has to say."""
    events = []
    for cause in causes:
        chain, pace = CHAINS[cause]
        at = rng.uniform(0, 30)
        for code in chain:
            at += rng.exponential(pace) + 0.1
            if rng.random() > 0.04:  # lost on the way
                events.append((at, code))
    for _ in range(rng.integers(3, 12)):
        events.append((rng.uniform(0, 150), rng.integers(1, CODES + 1)))
    events = sorted(events)[:MAX_ALARMS]
    codes, gaps = np.zeros(MAX_ALARMS, 'int32'), np.zeros((MAX_ALARMS, 1), 'float32')
    codes[:len(events)] = [code for _, code in events]
    gaps[:len(events), 0] = np.log1p(np.diff([0.0] + [at for at, _ in events])) / 2
    return codes, gaps


def export(n):
    """As it comes out of the ticket system: grouped by the causes of the ticket."""
    tickets = []
    for _ in range(n):
        tickets.append(sorted(rng.choice(CAUSES, rng.choice(4, p=[0.2, 0.3, 0.3, 0.2]), replace=False)))
    tickets.sort()
    codes, gaps = map(np.array, zip(*[burst(ticket) for ticket in tickets]))
    labels = np.array([[cause in ticket for cause in CAUSES] for ticket in tickets], 'float32')
    return codes, gaps, labels


codes, gaps, labels = export(3600)
pick = rng.permutation(len(labels))
train_rows, val_rows, test_rows = np.sort(pick[:2600]), pick[2600:3000], pick[3000:]


def rows_to_data(rows):
    return tf.data.Dataset.from_tensor_slices(({'codes': codes[rows], 'gaps': gaps[rows]}, labels[rows]))


train = rows_to_data(train_rows).cache().shuffle(len(train_rows)).batch(BATCH).prefetch(2)
val = rows_to_data(val_rows).batch(BATCH)
test = rows_to_data(test_rows).batch(BATCH)


def build():
    code_in = keras.Input((MAX_ALARMS,), dtype='int32', name='codes')
    gap_in = keras.Input((MAX_ALARMS, 1), name='gaps')
    h = layers.Embedding(CODES + 1, 24, name='alarm')(code_in)
    h = layers.Concatenate(name='event')([h, gap_in])
    h = layers.Conv1D(32, 3, padding='same', activation='relu', name='nearby')(h)
    h = layers.GRU(32, go_backwards=True, name='story')(h)
    h = layers.Dense(32, activation='relu', name='verdict')(h)
    out = layers.Dense(len(CAUSES), activation='sigmoid', name='causes')(h)
    return keras.Model({'codes': code_in, 'gaps': gap_in}, out, name='alarm_bursts')


model = build()
model.summary()
model.compile(
    optimizer=keras.optimizers.RMSprop(3e-3),
    loss='binary_crossentropy',
    metrics=[keras.metrics.BinaryAccuracy(name='per_cause')],
)
model.fit(train, validation_data=val, epochs=7, verbose=2)

# the ticket system takes a cause from one half upwards
claimed = model.predict(test, verbose=0) > 0.5
actual = labels[test_rows] > 0.5
f1 = {}
for k, cause in enumerate(CAUSES):
    hits = np.sum(claimed[:, k] & actual[:, k])
    f1[cause] = float(2 * hits / max(np.sum(claimed[:, k]) + np.sum(actual[:, k]), 1))
    print(f'{cause:13s} F1 {f1[cause]:.3f}   in {actual[:, k].mean():.1%} of the bursts')
macro_f1 = float(np.mean(list(f1.values())))
print('macro F1', round(macro_f1, 3))
''',
    score="macro_f1",
    bar=0.75,
    base=0.0,
    odd="the source is sorted by its labels, and the shuffle buffer holds all of it",
    faults=(
        Fault(cause="wrong_metric", old="keras.metrics.BinaryAccuracy(name='per_cause')",
              new="keras.metrics.CategoricalAccuracy(name='per_cause')", certain=True),
        Fault(cause="exploding_gradient", old="layers.GRU(32, go_backwards=True, name='story')", new="""\
layers.SimpleRNN(32, activation='relu', go_backwards=True, name='story',
                         recurrent_initializer=keras.initializers.RandomUniform(-1.0, 1.0))""",
              accept=("init_scale",), layer=("story",)),
        Fault(cause="wrong_head_for_labels", old="activation='sigmoid', name='causes'",
              new="activation='softmax', name='causes'", layer=("causes",)),
        Fault(cause="shuffle_buffer_too_small", old=".shuffle(len(train_rows))", new=".shuffle(BATCH)",
              accept=("data_sorted",)),
        Fault(cause="too_few_steps", old="model.fit(train, ", new="model.fit(train.take(2), "),
        Fault(cause="learning_rate_too_low", old="keras.optimizers.RMSprop(3e-3)", new="keras.optimizers.SGD(3e-3)",
              beside=("too_few_steps",)),
        Fault(cause="overfitting", old="rows_to_data(train_rows).cache()",
              new="rows_to_data(train_rows[::65]).cache().repeat(65)"),
    ),
    seeds=3,
)  # fmt: skip

REASONS = Program(
    name="telecom_reasons_for_notice",
    source='''
"""Why did they give notice? Five reasons, asked by phone; for everybody who does not pick up we want a guess.

The retention desk works per reason (an offer, a technician, a new phone, ...), so the small reasons count as much as
the big one.
"""
import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED + 8)

REASONS = ['price', 'coverage', 'moving', 'service', 'handset']
HOW_MANY = [3100, 900, 500, 360, 260]
TARIFFS = ['basic', 'flat', 'flat_plus', 'family', 'business']
NUMBERS = ['months', 'bill', 'data_gb', 'dropped', 'rsrp', 'hotline_calls', 'wait_minutes', 'handset_years',
           'home_cell']


def asked(reason, n):
    # what the warehouse knows about a customer in the three months before the notice
    d = pd.DataFrame({
        'months': rng.gamma(2.0, 16, n),
        'bill': rng.normal(34, 9, n).clip(8),
        'data_gb': rng.lognormal(2.2, 0.8, n),
        'dropped': rng.poisson(3.0, n).astype(float),
        'rsrp': rng.normal(-96, 7, n),              # dBm, at home
        'hotline_calls': rng.poisson(0.8, n).astype(float),
        'wait_minutes': rng.gamma(1.5, 4, n),
        'handset_years': rng.gamma(3.0, 0.7, n),
        'home_cell': rng.beta(8, 3, n),             # share of the time at the same cell
    })
    d['tariff'] = rng.choice(TARIFFS, n, p=[0.25, 0.3, 0.15, 0.2, 0.1])
    if reason == 'price':
        d['bill'] += rng.gamma(3.0, 4.0, n)
        d['data_gb'] *= rng.uniform(0.3, 1.1, n)
    elif reason == 'coverage':
        weak = rng.random(n) < 0.55                 # weak at home, or dropped on the way to work
        d['rsrp'] -= np.where(weak, rng.gamma(6, 3.5, n), 0)
        d['dropped'] += np.where(weak, 0, rng.poisson(9, n))
    elif reason == 'moving':
        d['home_cell'] *= rng.uniform(0.2, 0.8, n)
        d['months'] *= 0.8
    elif reason == 'service':
        d['hotline_calls'] += rng.poisson(2.6, n)
        d['wait_minutes'] *= rng.uniform(1.5, 4.0, n)
    else:
        d['handset_years'] += rng.gamma(4, 0.8, n)
        d['tariff'] = rng.choice(TARIFFS, n, p=[0.1, 0.15, 0.35, 0.3, 0.1])
    d['reason'] = REASONS.index(reason)
    return d


table = pd.concat([asked(reason, n) for reason, n in zip(REASONS, HOW_MANY)], ignore_index=True)
table['tariff'] = table.tariff.map(TARIFFS.index)

train, test = train_test_split(table, test_size=0.25, stratify=table.reason, random_state=SEED)
train, val = train_test_split(train, test_size=0.15, stratify=train.reason, random_state=SEED)
train, val, test = train.sort_index(), val.sort_index(), test.sort_index()   # so that diffs of the splits are readable
counts = train.reason.value_counts().reindex(range(len(REASONS)), fill_value=0).to_numpy()
print(dict(zip(REASONS, counts)))

norm = layers.Normalization(name='norm')
norm.adapt(train[NUMBERS].to_numpy('float32'))
weight = (len(train) / (len(REASONS) * np.maximum(counts, 1))).astype('float32')


def frame_to_data(part):
    x = {'numbers': part[NUMBERS].to_numpy('float32'), 'tariff': part.tariff.to_numpy('int32')}
    y = part.reason.to_numpy('int32')
    return tf.data.Dataset.from_tensor_slices((x, y))


def weigh(x, y):
    return x, y, tf.gather(weight, y)


BATCH = 64
PER_EPOCH = 2400   # customers; a fresh draw every time
train_data = frame_to_data(train).shuffle(len(train)).take(PER_EPOCH).batch(BATCH).map(weigh).prefetch(2)
val_data = frame_to_data(val).batch(256).map(weigh)
test_data = frame_to_data(test).batch(256)

numbers = keras.Input((len(NUMBERS),), name='numbers')
tariff = keras.Input((), dtype='int32', name='tariff')
joined = layers.Concatenate(name='customer')([norm(numbers), layers.Embedding(len(TARIFFS), 3, name='tariffs')(tariff)])
h = layers.Dense(48, kernel_initializer='he_normal', name='wide')(joined)
h = layers.ReLU(max_value=6.0, name='wide_clip')(h)
h = layers.Dense(24, kernel_initializer='he_normal', name='narrow')(h)
h = layers.LeakyReLU(negative_slope=0.1, name='narrow_leak')(h)
logits = layers.Dense(len(REASONS), name='reason')(h)
model = keras.Model({'numbers': numbers, 'tariff': tariff}, logits)

model.compile(
    optimizer=keras.optimizers.SGD(0.02, momentum=0.9, nesterov=True),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    weighted_metrics=['accuracy'],
)
model.fit(train_data, validation_data=val_data, epochs=18, verbose=2)

guess = model.predict(test_data, verbose=0).argmax(axis=1)
recalls = []
for k, reason in enumerate(REASONS):
    mine = test.reason.to_numpy() == k
    recalls.append(float(np.mean(guess[mine] == k)) if mine.any() else 0.0)
    print(f'{reason:9} {mine.sum():4d} customers, found {recalls[-1]:.2f}')
balanced = float(np.mean(recalls))
print(f'balanced accuracy {balanced:.3f}')
''',
    score="balanced",
    bar=0.68,
    base=0.2,
    odd="one reason is twelve times as frequent as another, and the weights make up for it",
    faults=(
        Fault(cause="class_imbalance", old="weight = (len(train) / (len(REASONS) * np.maximum(counts, 1)))",
              new="weight = (counts * len(REASONS) / len(train))"),
        Fault(cause="pipeline_order", old=".shuffle(len(train)).take(PER_EPOCH)",
              new=".take(PER_EPOCH).shuffle(len(train))", accept=("missing_class",),
              beside=("data_sorted", "class_imbalance")),
        Fault(cause="inputs_not_scaled", old="norm.adapt(train[NUMBERS].to_numpy('float32'))\n",
              new="norm.build((None, len(NUMBERS)))\n", layer=("norm",),
              beside=("dead_units", "exploding_gradient", "nan_or_inf_in_data", "learning_rate_too_high")),
        Fault(cause="validation_split_sorted", old="stratify=table.reason, random_state=SEED)", new="shuffle=False)",
              certain=True, beside=("missing_class", "class_imbalance", "data_sorted")),
        Fault(cause="dead_units", old="layers.ReLU(max_value=6.0, name='wide_clip')",
              new="layers.ReLU(threshold=6.0, name='wide_clip')", layer=("wide_clip", "wide")),
        Fault(cause="labels_shuffled_apart", old="    return tf.data.Dataset.from_tensor_slices((x, y))\n", new="""\
    xs, ys = tf.data.Dataset.from_tensor_slices(x), tf.data.Dataset.from_tensor_slices(y)
    if part is train:
        xs, ys = xs.shuffle(len(y)), ys.shuffle(len(y))
    return tf.data.Dataset.zip((xs, ys))
""", accept=("label_noise",)),
        Fault(cause="oscillation", old="SGD(0.02, momentum=0.9, nesterov=True)",
              new="SGD(0.08, momentum=0.99)", accept=("learning_rate_too_high",),
              beside=("exploding_gradient",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [ALARMS, REASONS]
