"""Scripts of a brewery's process engineer: final extract and hours of a batch, and states of the fermenters."""

from keras_course.diagnostics.corpus import Fault, Program

EXTRACT = Program(
    name="brewery_final_extract",
    source="""
# Final extract and tank hours of a batch, estimated on the day of pitching.
# K. Brandl, process engineering. Replaces the spreadsheet with the polynomial.
import keras
import numpy as np
import pandas as pd
from keras import layers
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

YEASTS = ['W34', 'S23', 'T58', 'BRY97']
ATTENUATION = {'W34': 0.81, 'S23': 0.80, 'T58': 0.74, 'BRY97': 0.78}
SPEED = {'W34': 1.0, 'S23': 0.9, 'T58': 1.5, 'BRY97': 1.35}


def brewbook(n):
    # the LIMS export has the same columns
    yeast = rng.choice(YEASTS, n, p=[0.4, 0.2, 0.15, 0.25])
    b = pd.DataFrame({
        'yeast': yeast,
        'original_extract': rng.normal(12.6, 1.3, n),        # degrees Plato
        'mash_temp': rng.uniform(61.0, 73.0, n),             # main rest, Celsius
        'mash_minutes': rng.uniform(35, 90, n),
        'wort_ph': rng.normal(5.25, 0.12, n),
        'oxygen_ppm': rng.normal(8.2, 1.4, n),
        'pitch_rate': 10 ** rng.normal(1.0, 0.18, n),        # million cells per ml
        'tank_temp': rng.uniform(9.0, 18.0, n),
        'generation': rng.integers(1, 9, n),
    })
    limit = np.array([ATTENUATION[y] for y in yeast])
    limit = limit - 0.0016 * (b.mash_temp - 64.0) ** 2 * np.sign(b.mash_temp - 62.0)
    limit = limit + 0.0009 * (b.mash_minutes - 60) - 0.006 * np.maximum(b.generation - 5, 0) * (b.oxygen_ppm < 8.2)
    extract = b.original_extract * (1 - limit) + rng.normal(0, 0.08, n)
    pace = np.array([SPEED[y] for y in yeast]) * np.exp(0.085 * (b.tank_temp - 12.0)) * np.sqrt(b.pitch_rate / 10.0)
    pace = pace * (0.75 + 0.03 * b.oxygen_ppm)
    b['final_extract'] = extract
    b['tank_minutes'] = 60 * (24 + 11.5 * b.original_extract / pace + rng.normal(0, 5, n))
    b['alcohol_mass'] = 0.405 * (b.original_extract - extract) + rng.normal(0, 0.02, n)
    return b


batches = brewbook(3600)
train, val, test = batches[:2600].copy(), batches[2600:3000].copy(), batches[3000:].copy()
for part in (train, val, test):
    part['pitch_rate'] = np.log10(part['pitch_rate'])

NUMBERS = ['original_extract', 'mash_temp', 'mash_minutes', 'wort_ph', 'oxygen_ppm', 'pitch_rate',
           'tank_temp', 'generation']
TARGETS = ['final_extract', 'tank_minutes']


def table_inputs(part):
    numbers = part[NUMBERS].to_numpy('float32')
    strain = pd.Categorical(part['yeast'], categories=YEASTS).codes.astype('int32')
    return {'numbers': numbers, 'strain': strain}


lab = StandardScaler().fit(train[TARGETS])
y_train = lab.transform(train[TARGETS]).astype('float32')
y_val = lab.transform(val[TARGETS]).astype('float32')

norm = layers.Normalization(name='norm')
norm.adapt(train[NUMBERS].to_numpy('float32'))

numbers = keras.Input((len(NUMBERS),), name='numbers')
strain = keras.Input((), dtype='int32', name='strain')
one_hot = layers.CategoryEncoding(num_tokens=len(YEASTS), output_mode='one_hot', name='yeast')(strain[:, None])
h = layers.Concatenate(name='recipe')([norm(numbers), one_hot])
h = layers.Dense(48, activation='elu', name='hidden1')(h)
h = layers.Dense(32, activation='elu', name='hidden2')(h)
estimate = layers.Dense(len(TARGETS), name='estimate')(h)
model = keras.Model([numbers, strain], estimate)

model.compile(optimizer=keras.optimizers.Nadam(2.5e-4), loss=keras.losses.Huber(delta=1.5), metrics=['mae'])
callbacks = [
    keras.callbacks.ReduceLROnPlateau(monitor='val_loss', mode='min', factor=0.1, patience=1, min_lr=1e-7),
    keras.callbacks.TerminateOnNaN(),
]
log = model.fit(
    table_inputs(train), y_train,
    validation_data=(table_inputs(val), y_val),
    epochs=24, batch_size=64, callbacks=callbacks, verbose=2,
)

guess = lab.inverse_transform(model.predict(table_inputs(test), verbose=0))
fit_of = {t: r2_score(test[t], guess[:, k]) for k, t in enumerate(TARGETS)}
print('R2 on the last 600 batches:', fit_of)
print('mean error in hours:', np.abs(guess[:, 1] - test['tank_minutes']).mean() / 60)
""",
    score="np.mean(list(fit_of.values()))",
    bar=0.85,
    base=0.0,
    odd="the learning rate falls to almost nothing near the end, when nothing is left to learn",
    faults=(
        Fault(cause="targets_not_scaled", old="lab = StandardScaler()",
              new="lab = StandardScaler(with_mean=False, with_std=False)", beside=("too_few_steps",)),
        Fault(cause="inputs_scaled_twice", old="    numbers = part[NUMBERS].to_numpy('float32')\n",
              new="    numbers = (part[NUMBERS] - train[NUMBERS].mean()) / train[NUMBERS].std()\n"
                  "    numbers = numbers.to_numpy('float32')\n",
              beside=("inputs_not_scaled",), layer=("norm",)),
        Fault(cause="leakage_feature", old="'tank_temp', 'generation']\n",
              new="'tank_temp', 'generation', 'alcohol_mass']\n", certain=True),
        Fault(cause="output_range_cannot_reach_targets",
              old="estimate = layers.Dense(len(TARGETS), name='estimate')(h)",
              new="estimate = layers.Dense(len(TARGETS), name='estimate')(h)\n"
                  "estimate = layers.ReLU(name='not_below_zero')(estimate)",
              beside=("dead_units",), layer=("estimate", "not_below_zero")),
        Fault(cause="lr_schedule_wrong", old="mode='min'", new="mode='max'",
              beside=("learning_rate_too_low", "too_few_steps")),
        Fault(cause="train_val_preprocessing_mismatch",
              old="for part in (train, val, test):", new="for part in (train,):"),
        Fault(cause="wrong_loss_for_task", old="keras.losses.Huber(delta=1.5)",
              new="keras.losses.MeanAbsolutePercentageError()",
              accept=(), beside=("targets_not_scaled",)),
    ),
    seeds=3,
)  # fmt: skip

STATES = Program(
    name="brewery_fermenter_states",
    source="""
# What is the fermenter doing? Four states from windows of the three tank sensors.
# Windows come from the historian, one export per state, one sample every 30 minutes.
import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn.metrics import recall_score

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

STEPS = 48
STATES = {1: 'lag', 2: 'active', 3: 'stuck', 4: 'cold crash'}  # numbers as in the PLC
BATCH = 40
EPOCHS = 8


def export(state, n):
    t = np.linspace(0, 1, STEPS)[None, :]
    base = rng.uniform(16.5, 19.5, (n, 1))
    drift = rng.normal(0, 0.25, (n, 1)) * t
    swing = 0.25 * np.sin(2 * np.pi * (rng.uniform(2, 5, (n, 1)) * t + rng.random((n, 1))))
    temp = base + drift + swing
    flow = np.zeros((n, STEPS))
    bar = rng.uniform(0.35, 0.75, (n, 1)) + 0 * t
    if state == 1:
        onset = rng.uniform(0.6, 1.2, (n, 1))
        flow = 6 * np.maximum(t - onset, 0)
        bar = 0.75 * bar
    elif state == 2:
        flow = rng.uniform(0.5, 4.0, (n, 1)) * (1 + rng.uniform(-0.4, 0.4, (n, 1)) * t)
        temp = temp + 0.9 * t
    elif state == 3:
        stop = rng.uniform(0.2, 0.9, (n, 1))
        flow = rng.uniform(0.5, 4.0, (n, 1)) / (1 + np.exp((t - stop) * 22))
        flow = flow + 0.02
    else:
        temp = 4 + (temp - 4) * np.exp(-rng.uniform(1.5, 6, (n, 1)) * t)
        flow = rng.uniform(0.5, 2.0, (n, 1)) * np.exp(-rng.uniform(3, 9, (n, 1)) * t)
        bar = bar * (1 - 0.25 * t)
    temp = temp + rng.normal(0, 0.5, temp.shape)
    flow = np.maximum(flow * rng.normal(1, 0.3, flow.shape) + rng.normal(0, 0.25, flow.shape), 0)
    bar = bar + rng.normal(0, 0.05, temp.shape)
    return np.stack([temp, flow, bar], axis=-1).astype('float32'), np.full(n, state, 'int32')


def collect(per_state):
    parts = [export(state, per_state) for state in STATES]
    return np.concatenate([w for w, _ in parts]), np.concatenate([s for _, s in parts])


windows, states = collect(450)
val_windows, val_states = collect(60)
test_windows, test_states = collect(150)

# a Pt100 that falls out reads far below any wort
credible = windows[..., 0].min(axis=1) > -5.0
windows, states = windows[credible], states[credible]


def channels(w):
    temp = (w[..., 0] - 15.0) / 5.0
    flow = np.log10(w[..., 1] + 0.01)
    bar = (w[..., 2] - 0.5) / 0.2
    return np.stack([temp, flow, bar], axis=-1)


def with_target(w, state):
    return w, tf.one_hot(state - 1, len(STATES))


train_ds = (
    tf.data.Dataset.from_tensor_slices((channels(windows), states))
    .cache()
    .shuffle(len(states), seed=SEED)
    .map(with_target)
    .batch(BATCH)
    .prefetch(tf.data.AUTOTUNE)
)
val_ds = tf.data.Dataset.from_tensor_slices((channels(val_windows), val_states)).map(with_target).batch(120)

window = keras.Input((STEPS, 3), name='window')
x = layers.Conv1D(24, 5, strides=2, padding='same', name='conv1')(window)
x = layers.BatchNormalization(momentum=0.9, name='bn1')(x)
x = layers.Activation('relu')(x)
x = layers.Conv1D(32, 5, strides=2, padding='same', name='conv2')(x)
x = layers.BatchNormalization(momentum=0.9, name='bn2')(x)
x = layers.Activation('relu')(x)
gate = layers.Dense(32, activation='sigmoid', bias_initializer=keras.initializers.Constant(-1.0), name='gate')(x)
x = layers.Multiply(name='gated')([x, gate])
x = layers.Flatten()(x)
logits = layers.Dense(len(STATES), name='state')(x)
model = keras.Model(window, logits)
model.compile(
    optimizer=keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    loss=keras.losses.CategoricalCrossentropy(from_logits=True),
    metrics=['categorical_accuracy'],
)
model.fit(train_ds, validation_data=val_ds, epochs=EPOCHS, verbose=2)

said = model.predict(channels(test_windows), verbose=0).argmax(axis=1) + 1
recall = recall_score(test_states, said, labels=list(STATES), average=None)
for name, r in zip(STATES.values(), recall):
    print(f'{name:12} {r:.3f}')
""",
    score="recall.mean()",
    bar=0.9,
    base=0.25,
    odd="the source is sorted by state, and the shuffle holds all of it",
    faults=(
        Fault(cause="shuffle_buffer_too_small", old="    .shuffle(len(states), seed=SEED)\n",
              new="    .shuffle(16, seed=SEED)\n", accept=("data_sorted",)),
        Fault(cause="pipeline_order",
              old="    .shuffle(len(states), seed=SEED)\n    .map(with_target)\n    .batch(BATCH)\n",
              new="    .map(with_target)\n    .batch(BATCH)\n    .shuffle(len(states), seed=SEED)\n",
              accept=("data_sorted",)),
        Fault(cause="label_encoding", old="tf.one_hot(state - 1, len(STATES))", new="tf.one_hot(state, len(STATES))",
              beside=("missing_class",)),
        Fault(cause="saturated_units", old="Constant(-1.0), name='gate'", new="Constant(-25.0), name='gate'",
              accept=("vanishing_gradient",), beside=("init_scale", "frozen_or_disconnected"), layer=("gate",)),
        Fault(cause="missing_class", old="min(axis=1) > -5.0", new="min(axis=1) > 15.0",
              beside=("class_imbalance", "train_val_preprocessing_mismatch")),
        Fault(cause="logits_to_probability_loss", old="CategoricalCrossentropy(from_logits=True)",
              new="CategoricalCrossentropy(label_smoothing=0.02)", layer=("state",)),
        Fault(cause="nan_or_inf_in_data", old="np.log10(w[..., 1] + 0.01)", new="np.log10(w[..., 1])"),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [EXTRACT, STATES]
