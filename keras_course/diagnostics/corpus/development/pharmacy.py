"""Scripts of a hospital pharmacist: the first dose of an antibiotic, and which desk a line of free text belongs to."""

from keras_course.diagnostics.corpus import Fault, Program

DOSE = Program(
    name="pharmacy_vancomycin_dose",
    source='''
"""Vancomycin, first maintenance dose: what we would have given on day one, had we known the level of day three.

The journal holds every patient of the last years with the daily dose that in the end brought the AUC to 500.
It is kept by dose, the big ones last, because that is how the vials are ordered.
"""
import keras
import numpy as np
import pandas as pd
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED + 310)

PATIENTS = 2400
UNIT = 1000.0     # the network speaks of grams, the ward of milligrams
EPOCHS = 25
MILD = keras.regularizers.L2(1e-5)


def journal(n):
    female = rng.random(n) < 0.45
    age = np.clip(rng.normal(62, 17, n), 18, 95)
    height = np.where(female, rng.normal(164, 7, n), rng.normal(177, 8, n))
    bmi = np.clip(rng.gamma(30, 0.9, n), 16, 48)
    weight = bmi * (height / 100) ** 2
    creatinine = np.clip(rng.lognormal(4.45, 0.38, n), 30, 500)          # micromol per litre
    albumin = np.clip(rng.normal(32, 6, n), 12, 50)                      # g per litre
    crp = rng.gamma(1.6, 70, n)
    icu = rng.random(n) < 0.3
    # Cockcroft and Gault, with the lean part of the weight for the heavy ones
    lean = np.where(bmi > 30, 30 * (height / 100) ** 2 + 0.4 * (weight - 30 * (height / 100) ** 2), weight)
    clearance = np.clip((140 - age) * lean * np.where(female, 1.04, 1.23) / creatinine, 8, 190)
    augmented = icu & (age < 60) & (crp > 90)
    clearance = clearance * np.where(augmented, 1.35, 1.0) * (1 + 0.006 * (32 - albumin))
    dose = 500 * (0.045 * clearance + 0.25) * rng.lognormal(0, 0.07, n)
    return pd.DataFrame({
        'female': female.astype(float), 'age': age, 'height': height, 'weight': weight, 'creatinine': creatinine,
        'albumin': albumin, 'crp': crp, 'icu': icu.astype(float),
        'vials_billed': np.ceil(dose * 3 / 500),                         # from the accounts, at discharge
        'days_to_target': rng.poisson(3, n).astype(float),
        'dose_mg': dose,
    }).sort_values('dose_mg', ignore_index=True)


table = journal(PATIENTS)
COLUMNS = ['female', 'age', 'height', 'weight', 'creatinine', 'albumin', 'crp', 'icu']

held_out = rng.random(len(table)) < 0.2
test, rest = table[held_out], table[~held_out]
in_val = rng.random(len(rest)) < 0.15
val, train = rest[in_val], rest[~in_val]
print(len(train), 'to learn from,', len(val), 'to stop by,', len(test), 'to judge by')

centre, spread = train[COLUMNS].mean(), train[COLUMNS].std()


def inputs(part):
    return ((part[COLUMNS] - centre) / spread).to_numpy('float32')


def grams(part):
    return (part['dose_mg'] / UNIT).to_numpy('float32')[:, None]


patient = keras.Input((len(COLUMNS),), name='patient')
h = layers.Dense(48, activation='swish', kernel_regularizer=MILD, name='kidney')(patient)
h = layers.Dense(32, activation='swish', kernel_regularizer=MILD, name='body')(h)
dose = layers.Dense(1, activation='softplus', name='dose')(h)
model = keras.Model(patient, dose, name='first_dose')

model.compile(
    optimizer=keras.optimizers.SGD(0.004, momentum=0.9, nesterov=True),
    loss='mse',
    metrics=[keras.metrics.MeanAbsoluteError(name='off_by')],
)
stop = keras.callbacks.EarlyStopping(monitor='val_loss', patience=8, restore_best_weights=True)
history = model.fit(
    inputs(train), grams(train),
    validation_data=(inputs(val), grams(val)),
    batch_size=64, epochs=EPOCHS, callbacks=[stop], verbose=2,
)

# judged in milligrams, and against what the nomogram would be without looking at the patient
said = model.predict(inputs(test), verbose=0)[:, 0] * UNIT
given = test['dose_mg'].to_numpy()
explained = 1 - np.mean((said - given) ** 2) / np.var(given)
close = np.mean(np.abs(said - given) < 0.2 * given)
print(f'explained {explained:.3f}, within a fifth {close:.1%}, off by {np.mean(np.abs(said - given)):.0f} mg a day')
print('rounded to quarters of a gram, the first five:', (250 * np.round(said[:5] / 250)).astype(int))
''',
    score="explained",
    bar=0.88,
    base=0.0,
    odd="the table is sorted by the target, and fit shuffles it",
    faults=(
        Fault(cause="targets_not_scaled", old="UNIT = 1000.0 ", new="UNIT = 1.0 ",
              beside=("learning_rate_too_high", "exploding_gradient", "nan_or_inf_in_data", "dead_units")),
        Fault(cause="inputs_not_scaled", old="((part[COLUMNS] - centre) / spread).to_numpy",
              new="(part[COLUMNS] - centre / spread).to_numpy",
              beside=("dead_units", "exploding_gradient", "nan_or_inf_in_data", "learning_rate_too_high")),
        Fault(cause="wrong_loss_for_task", old="loss='mse'", new="loss='binary_crossentropy'"),
        Fault(cause="too_few_steps", old="monitor='val_loss', patience=8",
              new="monitor='val_loss', mode='max', patience=8"),
        Fault(cause="leakage_feature", old="""\
COLUMNS = ['female', 'age', 'height', 'weight', 'creatinine', 'albumin', 'crp', 'icu']
""", new="""\
COLUMNS = [column for column in table.columns if column != 'dose_mg']
""", certain=True),
        Fault(cause="regularisation_overwhelms", old="keras.regularizers.L2(1e-5)", new="keras.regularizers.L1(0.3)",
              layer=("kidney", "body")),
        Fault(cause="output_range_cannot_reach_targets", old="activation='softplus'", new="activation='hard_sigmoid'",
              accept=("wrong_head_for_labels",), beside=("saturated_units",), layer=("dose",)),
    ),
    seeds=3,
)  # fmt: skip

QUEUES = Program(
    name="pharmacy_order_queues",
    source='''
"""Free text orders: which desk gets the line?

Wards type what they like ("STOP OXYCODON, START PARACETAMOL 1 G 4X/D"). Until now a technician reads every line and
drags it to a desk; the export of the last quarter is grouped by desk.
"""
import re

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers
from sklearn.metrics import f1_score

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED + 77)

DESKS = ['stock', 'controlled', 'oncology', 'compounding', 'cold']
DRUGS = {
    'stock': ['paracetamol', 'metoprolol', 'furosemid', 'pantoprazol', 'amlodipin', 'cefuroxim', 'ondansetron'],
    'controlled': ['morphin', 'oxycodon', 'fentanyl', 'midazolam', 'methadon', 'ketamin'],
    'oncology': ['cisplatin', 'docetaxel', 'fluorouracil', 'rituximab', 'doxorubicin'],
    'compounding': ['parenteral bag', 'eye drops', 'capsules', 'ointment', 'syrup'],
    'cold': ['insulin', 'vaccine', 'oxytocin', 'rocuronium', 'filgrastim'],
}
ROUTES = ['iv', 'po', 'sc', 'im', 'rectal']
CHUNK = 1000      # looking up words is quicker by the chunk
BATCH = 32
WORDS = 14


def some_drug():
    return rng.choice(DRUGS[rng.choice(DESKS)])


def typed(desk):
    """One line: the drug that is wanted, at times next to one that is not."""
    drug = rng.choice(DRUGS[desk])
    dose = f'{rng.choice([1, 2, 5, 10, 20, 50, 100, 500])} {rng.choice(["mg", "g", "ml", "mcg"])}'
    often = f'{rng.integers(1, 5)}x/d {rng.choice(ROUTES)}'
    form = rng.integers(5)
    if form == 0:
        line = f'{drug} {dose} {often}'
    elif form == 1:
        line = f'stop {some_drug()}, start {drug} {dose}'
    elif form == 2:
        line = f'start {drug} {dose} {often}, stop {some_drug()}'
    elif form == 3:
        line = f'{drug} {dose} instead of {some_drug()}'
    else:
        line = f'instead of {some_drug()} please {drug} {often}'
    if rng.random() < 0.5:                                                # in a hurry
        at = rng.integers(2, len(line))
        line = line[:at - 1] + line[at:]
    return line.upper() if rng.random() < 0.7 else line.capitalize() + '.'


def export(n):
    rows = []
    for desk in DESKS:
        for _ in range(n // len(DESKS)):
            # what is made in house has no lot of a manufacturer
            lot = None if desk in ('oncology', 'compounding') else f'L{rng.integers(10000, 99999)}'
            line = typed(desk) if rng.random() > 0.01 else None
            rows.append({'line': line, 'lot': lot, 'desk': desk.ljust(12)})     # fixed width, as in 1994
    return pd.DataFrame(rows)


def clean(line):
    return re.sub(r'[^a-z0-9 ]', ' ', line.lower().replace('x/d', ' daily'))


orders = export(3500)
part = rng.choice(3, len(orders), p=[0.7, 0.1, 0.2])
train, val, test = (orders[part == k] for k in range(3))
train = train.dropna(subset=['line'])
val, test = val.dropna(subset=['line']), test.dropna(subset=['line'])

vectorize = layers.TextVectorization(standardize=None, output_sequence_length=WORDS)
vectorize.adapt(train['line'].map(clean).to_numpy(dtype=object))
print('words known:', vectorize.vocabulary_size())


def prepare(lines, desks):
    known = tf.strings.strip(desks)[:, None] == tf.constant(DESKS)
    return vectorize(lines), tf.argmax(tf.cast(known, tf.int32), axis=1)


def dataset(table, training=False):
    lines = table['line'].map(clean)
    rows = (lines.to_numpy(dtype=object), table['desk'].to_numpy(dtype=object))
    data = tf.data.Dataset.from_tensor_slices(rows).batch(CHUNK)
    data = data.map(prepare).unbatch()
    if training:
        data = data.shuffle(len(table))
    return data.batch(BATCH).prefetch(2)


inputs = keras.Input((WORDS,), dtype='int32', name='words')
h = layers.Embedding(vectorize.vocabulary_size(), 24, name='meaning')(inputs)
h = layers.Conv1D(48, 3, padding='same', use_bias=False, name='phrases')(h)
h = layers.BatchNormalization(momentum=0.9, name='level')(h)
h = layers.ReLU(name='fires')(h)
h = layers.GlobalMaxPooling1D(name='strongest')(h)
h = layers.Dense(32, activation='relu', name='decide')(h)
outputs = layers.Dense(len(DESKS), activation='softmax', name='desk')(h)
model = keras.Model(inputs, outputs)

model.compile(optimizer=keras.optimizers.RMSprop(2e-3), loss='sparse_categorical_crossentropy', metrics=['accuracy'])
model.fit(dataset(train, training=True), validation_data=dataset(val), epochs=6, verbose=2)

# for the technicians: the desk, and how often that is right
chosen = model.predict(dataset(test), verbose=0).argmax(axis=1)
actual = np.array([DESKS.index(desk.strip()) for desk in test['desk']])
per_desk = f1_score(actual, chosen, labels=range(len(DESKS)), average=None, zero_division=0)
for desk, f1 in zip(DESKS, per_desk):
    print(f'{desk:12s} F1 {f1:.3f}')
macro = float(per_desk.mean())
print(f'macro F1 {macro:.3f}')
''',
    score="macro",
    bar=0.9,
    base=0.07,
    faults=(
        Fault(cause="shuffle_buffer_too_small", old="data = data.shuffle(len(table))",
              new="data = data.shuffle(2 * BATCH)",
              accept=("data_sorted",), beside=("oscillation",)),
        Fault(cause="pipeline_order", old="""\
    data = data.map(prepare).unbatch()
    if training:
        data = data.shuffle(len(table))
""", new="""\
    if training:
        data = data.shuffle(len(table))
    data = data.map(prepare).unbatch()
""", accept=("data_sorted",), beside=("oscillation",)),
        Fault(cause="constant_labels", old="tf.strings.strip(desks)[:, None]", new="desks[:, None]",
              accept=("label_encoding",), beside=("missing_class",)),
        Fault(cause="missing_class", old="train = train.dropna(subset=['line'])\n", new="train = train.dropna()\n"),
        Fault(cause="logits_to_probability_loss", old="activation='softmax', name='desk'",
              new="activation='log_softmax', name='desk'", layer=("desk",)),
        Fault(cause="train_val_preprocessing_mismatch", old="lines = table['line'].map(clean)\n",
              new="lines = table['line'].map(clean) if training else table['line']\n"),
        Fault(cause="data_sorted", old="data = data.shuffle(len(table))", new="data.shuffle(len(table))",
              beside=("oscillation",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [DOSE, QUEUES]
