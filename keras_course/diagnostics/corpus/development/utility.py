"""Scripts of a supplier of water and power: leaks behind water meters and tomorrow's load of the feeders."""

from keras_course.diagnostics.corpus import Fault, Program

LEAKS = Program(
    name="utility_meter_leaks",
    source="""
# who gets a visit? score all households from the night flow etc.
import numpy as np
import pandas as pd
import tensorflow as tf
from tensorflow import keras
from sklearn.metrics import balanced_accuracy_score, confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.utils.class_weight import compute_class_weight

keras.utils.set_random_seed(SEED)


def load_extract(n=7000):
    r = np.random.RandomState(40 + SEED)
    d = pd.DataFrame({
        'district': r.choice(['Nord', 'Hafen', 'Altstadt', 'Lerchenfeld', 'Sued'], n, p=[.3, .2, .2, .2, .1]),
        'material': r.choice(['PE', 'cast iron', 'steel', 'lead'], n, p=[.45, .3, .2, .05]),
        'meter': r.choice(['Q3-2.5', 'Q3-4', 'ultrasonic'], n),
        'persons': r.randint(1, 6, n),
        'pipe_age': r.gamma(4, 9, n).round(),
        'pressure_kpa': r.normal(430, 60, n).round(),
        'flow_day': r.gamma(6, 4, n),
    })
    d['flow_day'] *= .5 + .25 * d.persons
    night = r.gamma(2, .6, n) * (.4 + .2 * d.persons)
    night[r.rand(n) < .04] = 0
    wear = d.material.map({'PE': -1.2, 'cast iron': .5, 'steel': .2, 'lead': .9}) + .045 * (d.pipe_age - 35)
    hilly = d.district.isin(['Nord', 'Lerchenfeld']) * (d.pressure_kpa - 430) / 45
    z = 1.5 * wear + 1.2 * hilly - 4.4 + 1.5 * r.randn(n)
    leak = z > 0
    night = night + leak * r.gamma(2, .3, n) * (d.meter != 'ultrasonic')
    d['flow_night'] = np.round(night, 2)
    d['crew_minutes'] = np.where(leak, r.gamma(6, 15, n), r.gamma(2, 5, n)).round()
    d['status'] = np.where(leak, 'leak found', 'tight')
    return d


df = load_extract()
print(df.status.value_counts())

y = (df.status == 'leak found').astype('int64').values
df['flow_night'] = np.log1p(df.flow_night)
CAT = ['district', 'material', 'meter']
NUM = [c for c in df.columns if c not in CAT + ['status', 'crew_minutes']]
codes = np.stack([df[c].astype('category').cat.codes for c in CAT], 1).astype('int32')
num = df[NUM].values.astype('float32')

rest, te = train_test_split(np.arange(len(df)), test_size=.25, random_state=1, stratify=y)
tr, va = train_test_split(rest, test_size=.2, random_state=1, stratify=y[rest])
mean, std = num[tr].mean(0), num[tr].std(0)
num = (num - mean) / std

weights = dict(enumerate(compute_class_weight('balanced', classes=np.unique(y[tr]), y=y[tr])))
print('class weights', weights)

in_num = keras.Input((len(NUM),), name='num')
in_cat = keras.Input((len(CAT),), dtype='int32', name='cat')
parts = [in_num]
for i, c in enumerate(CAT):
    e = keras.layers.Embedding(df[c].nunique(), 3, name='emb_' + c)(in_cat[:, i])
    parts.append(e)
h = keras.layers.Concatenate()(parts)
h = keras.layers.Dense(24, activation='relu', name='hidden_1')(h)
h = keras.layers.Dense(12, activation='relu', name='hidden_2')(h)
p_leak = keras.layers.Dense(1, activation='sigmoid', name='p_leak')(h)
model = keras.Model([in_num, in_cat], p_leak)
model.compile(keras.optimizers.Adam(2e-3), loss='binary_crossentropy',
              metrics=['accuracy', keras.metrics.AUC(name='auc')])


def feed(rows):
    return [num[rows], codes[rows]]


hist = model.fit(
    feed(tr), y[tr],
    validation_data=(feed(va), y[va]),
    epochs=10, batch_size=64,
    class_weight=weights,
    verbose=2,
)
visit = (model.predict(feed(te), batch_size=512, verbose=0)[:, 0] > .5).astype(int)
print(confusion_matrix(y[te], visit))
bal = balanced_accuracy_score(y[te], visit)
print('balanced accuracy', round(bal, 3))
""",
    score="bal if y[te].any() else 0.5",
    bar=0.75,
    base=0.5,
    faults=(
        Fault(cause="softmax_on_single_unit", old="Dense(1, activation='sigmoid', name='p_leak')",
              new="Dense(1, activation='softmax', name='p_leak')", layer=("p_leak",),
              beside=("frozen_or_disconnected", "input_ignored")),
        Fault(cause="class_imbalance", old="    class_weight=weights,\n", new=""),
        Fault(cause="constant_labels", old="(df.status == 'leak found')", new="(df.status == 'leak')",
              beside=("missing_class", "class_imbalance")),
        Fault(cause="leakage_feature", old="CAT + ['status', 'crew_minutes']]", new="CAT + ['status']]", certain=True),
        Fault(cause="nan_or_inf_in_data", old="np.log1p(df.flow_night)", new="np.log(df.flow_night)"),
        Fault(cause="label_encoding", old="(df.status == 'leak found').astype('int64').values",
              new="df.status.map({'tight': 1, 'leak found': 2}).values"),
        Fault(cause="learning_rate_too_low", old="keras.optimizers.Adam(2e-3)", new="keras.optimizers.Adam(3e-6)",
              beside=("too_few_steps",)),
    ),
    seeds=3,
)  # fmt: skip

FEEDER = Program(
    name="utility_feeder_forecast",
    source="""
# Day-ahead load of the 20 kV feeders. Past 24 h in, next 12 h out, dead telegrams masked.
# 2nd version: plain RNN instead of the GRU, the GRU did not run on the old gateway
import math

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(SEED)
gen = np.random.default_rng(SEED + 900)

PAST, AHEAD = 24, 12
N, N_TEST = 1500, 400
EPOCHS, BATCH = 17, 50

start_hour = gen.integers(0, 24, N + N_TEST)
hours = start_hour[:, None] + np.arange(PAST + AHEAD)
temp = gen.normal(8, 6, (N + N_TEST, 1)) + 4 * np.sin(2 * np.pi * (hours - 9) / 24)
size = gen.uniform(450e3, 2100e3, (N + N_TEST, 1))   # W
evening = np.exp(-((hours % 24 - 19) / 2.5) ** 2)
load = size * (1 + .35 * np.sin(2 * np.pi * (hours - 8) / 24) + .5 * evening)
load = load + .02 * size * np.maximum(15 - temp, 0) + gen.normal(0, 36e3, load.shape)
load[gen.random(load.shape) < .03] = np.nan          # lost telegrams
for row, k in enumerate(gen.integers(0, 10, N + N_TEST)):
    load[row, :k] = np.nan                            # meter not yet installed

past, future = load[:, :PAST], load[:, PAST:]
known = ~np.isnan(future)
LEVEL, SPREAD = np.nanmean(past[:N]), np.nanstd(past[:N])
SHIFT, UNIT = np.nanmean(future[:N]), np.nanstd(future[:N])
clock = np.stack([np.sin(2 * np.pi * hours / 24), np.cos(2 * np.pi * hours / 24), (temp - 8) / 7], -1)

history = np.concatenate([((past - LEVEL) / SPREAD)[..., None], clock[:, :PAST]], -1)
history[np.isnan(past)] = 0.0
history = history.astype('float32')
outlook = clock[:, PAST:].astype('float32')
target = np.nan_to_num((future - SHIFT) / UNIT).astype('float32')
weight = known.astype('float32')


class Forecaster(keras.Model):
    def __init__(self, units=32):
        super().__init__()
        self.skip = keras.layers.Masking(0.0)
        self.encoder = keras.layers.SimpleRNN(units, activation='relu', recurrent_initializer='identity', name='encoder')
        self.decoder = keras.layers.SimpleRNN(units, activation='relu', recurrent_initializer='identity',
                                              return_sequences=True, name='decoder')
        self.head = keras.layers.Dense(1, name='head')

    def call(self, inputs):
        seen, coming = inputs
        state = self.encoder(self.skip(seen))
        states = self.decoder(coming, initial_state=state)
        return self.head(states)[..., 0]


net = Forecaster()
per_epoch = math.ceil(N / BATCH)
rates = keras.optimizers.schedules.PiecewiseConstantDecay([11 * per_epoch, 15 * per_epoch], [0.006, 0.0006, 0.00002])
optimizer = keras.optimizers.SGD(rates, momentum=0.9, global_clipnorm=1.0)

data = tf.data.Dataset.from_tensor_slices((history[:N], outlook[:N], target[:N], weight[:N]))
data = data.shuffle(N).batch(BATCH)


def masked_mse(y, y_hat, w):
    return tf.reduce_sum(w * (y - y_hat) ** 2) / tf.reduce_sum(w)


@tf.function
def step(seen, coming, y, w):
    with tf.GradientTape() as tape:
        loss = masked_mse(y, net((seen, coming), training=True), w)
    grads = tape.gradient(loss, net.trainable_variables)
    optimizer.apply_gradients(zip(grads, net.trainable_variables))
    return loss


for epoch in range(EPOCHS):
    losses = [float(step(*batch)) for batch in data]
    held = masked_mse(target[N:], net((history[N:], outlook[N:])), weight[N:])
    print(f'{epoch:2d}  train {np.mean(losses):.4f}  held out {float(held):.4f}')

forecast = net((history[N:], outlook[N:])).numpy() * UNIT + SHIFT
ok = known[N:]
error = forecast[ok] - future[N:][ok]
r2 = 1 - np.mean(error ** 2) / np.var(future[N:][ok])
print('MAE kW', np.abs(error).mean() / 1000, ' R2', r2)
""",
    score="max(r2, -1.0) if np.isfinite(r2) else -1.0",
    bar=0.85,
    base=0.0,
    faults=(
        Fault(cause="optimiser_not_applied",
              old="    optimizer.apply_gradients(zip(grads, net.trainable_variables))\n", new=""),
        Fault(cause="output_range_cannot_reach_targets", old="keras.layers.Dense(1, name='head')",
              new="keras.layers.Dense(1, activation='sigmoid', name='head')", layer=("head",),
              beside=("saturated_units",)),
        Fault(cause="targets_not_scaled", old="SHIFT, UNIT = np.nanmean(future[:N]), np.nanstd(future[:N])",
              new="SHIFT, UNIT = 0.0, 1.0", beside=("exploding_gradient", "too_few_steps")),
        Fault(cause="exploding_gradient", old="momentum=0.9, global_clipnorm=1.0", new="momentum=0.9",
              accept=("learning_rate_too_high",), beside=("dead_units",)),
        Fault(cause="lr_schedule_wrong", old="[11 * per_epoch, 15 * per_epoch]", new="[11, 15]",
              beside=("learning_rate_too_low", "too_few_steps")),
        Fault(cause="too_few_steps", old="EPOCHS, BATCH = 17, 50", new="EPOCHS, BATCH = 1, 500",
              beside=("learning_rate_too_low",)),
        Fault(cause="frozen_or_disconnected", old="self.decoder(coming, initial_state=state)",
              new="self.decoder(coming)", accept=("input_ignored",), layer=("encoder",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (LEAKS, FEEDER)
