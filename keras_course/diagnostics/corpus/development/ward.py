"""Scripts of a hospital's research group: falls on the wards, and recordings of infusion pumps."""

from keras_course.diagnostics.corpus import Fault, Program

FALLS = Program(
    name="ward_falls_on_admission",
    source="""
# Falls during the stay, predicted from what is known at admission (cohort of 2019-2022, pseudonymised)
# last run for the revision of the manuscript

import numpy as np
import pandas as pd
import keras
from keras import layers
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

keras.utils.set_random_seed(SEED)
rs = np.random.RandomState(SEED + 40)

N = 5200
WARDS = ['geri', 'card', 'neuro', 'ortho', 'onco', 'gastro', 'resp']
AIDS = ['none', 'stick', 'frame', 'wheelchair', 'bed']

df = pd.DataFrame({
    'ward': rs.choice(WARDS, N, p=[.25, .2, .12, .15, .1, .1, .08]),
    'aid': rs.choice(AIDS, N, p=[.45, .2, .2, .1, .05]),
    'age': rs.normal(71, 12, N).clip(18, 99).round(),
    'drugs': rs.poisson(6, N),
    'sodium': rs.normal(138, 4, N),
    'albumin': rs.normal(36, 5, N),
    'platelets': rs.normal(240000, 70000, N).clip(2e4),
    'systolic_drop': rs.gamma(2, 7, N),
})
risk = df.ward.map(dict(zip(WARDS, [.9, -.6, 1.2, .2, -.5, -.7, 0.])))
risk += df.aid.map(dict(zip(AIDS, [-.9, .6, 1.5, .2, -1.8])))
risk += .07 * (df.age - 71) + .22 * (df.drugs - 6) + .07 * (df.systolic_drop - 14)
risk += .004 * (df.sodium - 138) ** 2 - .08 * (df.albumin - 36) + (df.platelets - 240000) / 1e5
fell = rs.logistic(0, 1, N) < 1.2 * risk - 4.3
# day of the first fall, empty if there was none
df['fall_day'] = np.where(fell, rs.randint(1, 15, N), np.nan)
# neurological observations that the nurses charted, per shift
df['neuro_obs'] = rs.poisson(.3, N) + fell * rs.poisson(9, N)
for lab in ('sodium', 'albumin'):
    df.loc[rs.rand(N) < .06, lab] = np.nan

train, val, test = df.iloc[:3600], df.iloc[3600:4300], df.iloc[4300:]
print('fallers: %.1f %%' % (100 * train.fall_day.notna().mean()))

LABS = ['sodium', 'albumin']
NUMERIC = ['age', 'drugs', 'platelets', 'systolic_drop'] + LABS
medians = train[LABS].median()


def prepare(part):
    part = part.fillna(medians)
    x = {
        'ward': part.ward.map(WARDS.index).values,
        'aid': part.aid.map(AIDS.index).values,
        'numeric': part[NUMERIC].values.astype('float32'),
    }
    y = np.where(part.fall_day.notna(), 1, 0)
    return x, y.astype('float32')


x_train, y_train = prepare(train)
x_val, y_val = prepare(val)
x_test, _ = prepare(test)
y_test = test.fall_day.notna().values

zscore = layers.Normalization(name='zscore')
zscore.adapt(x_train['numeric'])

ward = keras.Input((), dtype='int32', name='ward')
aid = keras.Input((), dtype='int32', name='aid')
numeric = keras.Input((len(NUMERIC),), name='numeric')
parts = [
    layers.Embedding(len(WARDS), 3, name='ward_vectors')(ward),
    layers.Embedding(len(AIDS), 2, name='aid_vectors')(aid),
    zscore(numeric),
]
h = layers.concatenate(parts)
h = layers.Dense(24, activation='relu', name='dense_a')(h)
h = layers.Dropout(0.2)(h)
h = layers.Dense(12, activation='relu', name='dense_b')(h)
out = layers.Dense(1, activation='sigmoid', name='p_fall')(h)
model = keras.Model([ward, aid, numeric], out)

model.compile(optimizer=keras.optimizers.Adam(3e-3), loss='binary_crossentropy', metrics=[keras.metrics.AUC(name='auc')])
stop = keras.callbacks.EarlyStopping(monitor='val_auc', mode='max', patience=6, restore_best_weights=True)
model.fit(
    x_train, y_train,
    validation_data=(x_val, y_val),
    epochs=20,
    batch_size=64,
    class_weight={0: 1.0, 1: 8.0},  # about 1 in 9 falls
    callbacks=[stop],
    verbose=2,
)

p = model.predict(x_test, verbose=0)[:, 0]
balanced = balanced_accuracy_score(y_test, p > 0.5)
print('AUC %.3f' % roc_auc_score(y_test, np.nan_to_num(p)), 'balanced accuracy %.3f' % balanced)
""",
    score="balanced",
    bar=0.74,
    base=0.5,
    faults=(
        Fault(cause="softmax_on_single_unit", old="layers.Dense(1, activation='sigmoid', name='p_fall')",
              new="layers.Dense(1, activation='softmax', name='p_fall')", layer=("p_fall",),
              beside=("frozen_or_disconnected", "input_ignored")),
        Fault(cause="class_imbalance", old="    class_weight={0: 1.0, 1: 8.0},  # about 1 in 9 falls\n", new=""),
        Fault(cause="nan_or_inf_in_data", old="medians = train[LABS].median()",
              new="medians = train[['sodium']].median()"),
        Fault(cause="leakage_feature", old="NUMERIC = ['age', 'drugs', 'platelets', 'systolic_drop'] + LABS",
              new="NUMERIC = ['age', 'drugs', 'platelets', 'systolic_drop', 'neuro_obs'] + LABS", certain=True),
        Fault(cause="label_encoding", old="np.where(part.fall_day.notna(), 1, 0)",
              new="np.where(part.fall_day.notna(), 1, -1)", accept=("wrong_head_for_labels",),
              beside=("wrong_loss_for_task", "output_range_cannot_reach_targets")),
        Fault(cause="constant_labels", old="medians = train[LABS].median()",
              new="medians = train.median(numeric_only=True)", beside=("missing_class",)),
        Fault(cause="inputs_not_scaled", old="    zscore(numeric),\n", new="    numeric,\n"),
    ),
    seeds=3,
)  # fmt: skip

PUMPS = Program(
    name="ward_pump_event_logs",
    source="""
# Why did the infusion pump stop?  GRU over the event log before the alarm
# (classes assigned by two nurses from the free-text incident report)
import time
import numpy as np
import tensorflow as tf
import keras
from sklearn.metrics import classification_report, balanced_accuracy_score

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(100 + SEED)

EVENTS = ['DOOR', 'RATE+', 'RATE-', 'PRES', 'AIR', 'BATT', 'KEY', 'BOLUS', 'HOLD', 'LINE', 'NURSE', 'MUTE']
REASONS = ['occlusion', 'air in line', 'empty bag', 'user stop']
# what an incident leaves in the log, in this order, with other events in between
TRACES = [['PRES', 'RATE-', 'PRES'], ['DOOR', 'LINE', 'AIR'], ['BOLUS', 'AIR', 'RATE-'], ['KEY', 'HOLD', 'KEY']]


def one_log(reason):
    n = rng.integers(6, 21)
    log = [EVENTS[k] for k in rng.integers(0, len(EVENTS), n)]
    where = np.sort(rng.choice(n, 3, replace=False))
    for k, event in zip(where, TRACES[reason]):
        log[k] = event
        if k + 1 < n and rng.random() < .7 and k + 1 not in where:
            log[k + 1] = event            # most events are logged twice
    return log


n_logs = 3200
reasons = rng.choice(4, n_logs, p=[.3, .25, .2, .25])
logs = [one_log(r) for r in reasons]

ids = {event: k + 2 for k, event in enumerate(EVENTS)}      # 0 = padding, 1 = unknown
tokens = [[ids.get(event, 1) for event in log] for log in logs]
X = keras.utils.pad_sequences(tokens, maxlen=20, padding='post')
Y = reasons.astype('int32')

order = rng.permutation(n_logs)
X, Y = X[order], Y[order]
X_train, Y_train = X[:2600], Y[:2600]
X_test, Y_test = X[2600:], Y[2600:]

data = tf.data.Dataset.from_tensor_slices((X_train, Y_train)).shuffle(2600, seed=SEED).batch(50, drop_remainder=True)

embed = keras.layers.Embedding(len(ids) + 2, 16, mask_zero=True, name='events')
gru = keras.layers.GRU(40, name='gru')
head = keras.layers.Dense(len(REASONS), name='reason')
net = keras.Sequential([keras.Input((20,), dtype='int32'), embed, gru, head])

lossfn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
opt = keras.optimizers.Adam(6e-3, clipnorm=1.0)


@tf.function
def step(xb, yb):
    with tf.GradientTape() as tape:
        out = net(xb, training=True)
        loss = lossfn(yb, out)
    variables = net.trainable_variables
    grads = tape.gradient(loss, variables)
    opt.apply_gradients(zip(grads, variables))
    return loss


t0 = time.time()
for epoch in range(9):
    seen = []
    for xb, yb in data:
        seen.append(float(step(xb, yb)))
    guess = net(X_test, training=False).numpy().argmax(-1)
    print(f'epoch {epoch}  train loss {np.mean(seen):.3f}  test acc {np.mean(guess == Y_test):.3f}  {time.time() - t0:.0f} s')

print(classification_report(Y_test, guess, labels=range(4), target_names=REASONS, zero_division=0))
per_reason = balanced_accuracy_score(Y_test, guess)
""",
    score="per_reason",
    bar=0.75,
    base=0.25,
    faults=(
        Fault(cause="labels_shuffled_apart", old="X, Y = X[order], Y[order]", new="X, Y = X[order], rng.permutation(Y)",
              beside=("label_noise",)),
        Fault(cause="optimiser_not_applied", old="    opt.apply_gradients(zip(grads, variables))\n",
              new="    opt.build(variables)\n"),
        Fault(cause="frozen_or_disconnected", old="    variables = net.trainable_variables\n",
              new="    variables = head.trainable_variables\n", accept=("optimiser_not_applied",), layer=("events", "gru")),
        Fault(cause="learning_rate_too_low", old="Adam(6e-3, clipnorm=1.0)", new="Adam(6e-6, clipnorm=1.0)",
              accept=("too_few_steps",)),
        Fault(cause="missing_class", old="X_train, Y_train = X[:2600], Y[:2600]\n",
              new="X_train, Y_train = X[:2600], Y[:2600]\nX_train, Y_train = X_train[Y_train > 0], Y_train[Y_train > 0]\n",
              beside=("class_imbalance", "validation_split_sorted")),
        Fault(cause="input_ignored", old="ids.get(event, 1) for event in log", new="ids.get(event.lower(), 1) for event in log",
              ),
        Fault(cause="label_noise", old="Y = reasons.astype('int32')",
              new="Y = np.where(rng.random(n_logs) < .6, rng.integers(0, 4, n_logs), reasons).astype('int32')"),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (FALLS, PUMPS)
