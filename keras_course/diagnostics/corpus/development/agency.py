"""Scripts of consultants: who gives up a theatre subscription, and how much water three zones will draw tomorrow."""

from keras_course.diagnostics.corpus import Fault, Program

RENEWALS = Program(
    name="agency_theatre_renewals",
    source="""
# client: municipal theatre. who is going to cancel the subscription? -> list for the call centre
import numpy as np
import pandas as pd
import keras
from keras import layers
from sklearn.metrics import balanced_accuracy_score

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(1000 + SEED)


def load_season(n):
    # stands for the SQL export; same columns
    df = pd.DataFrame({
        'age': rng.integers(18, 88, n),
        'years_member': rng.poisson(5, n),
        'visits': rng.poisson(4, n),
        'spent_eur': rng.gamma(2.0, 110.0, n).round(2),
        'km_to_house': rng.exponential(9, n).round(1),
        'income_district': rng.normal(38000, 9000, n).round(),
        'seat': rng.integers(0, 5, n),
        'channel': rng.integers(0, 4, n),
        'district': rng.integers(0, 14, n),
    })
    seat_effect = np.array([1.1, 0.2, -0.3, -1.2, 0.4])
    channel_effect = np.array([-0.8, 0.9, 0.3, -0.2])
    z = (-4.7 + seat_effect[df.seat] + channel_effect[df.channel] - 0.8 * np.sin(df.district)
         + 1.6 * (df.visits < 3) - 0.16 * df.years_member + 0.09 * df.km_to_house
         + 0.0012 * (df.age - 52) ** 2 - (df.income_district - 38000) / 9000)
    df['cancelled'] = (z + rng.logistic(0, 0.7, n) > 0).astype(int)
    df['exit_call_min'] = np.where(df.cancelled == 1, rng.gamma(3, 2, n), 0).round(1)
    return df


raw = load_season(5200)
# the client sends two files, the loyal ones and the others
df = pd.concat([raw[raw.cancelled == 0], raw[raw.cancelled == 1]])
df = df.sample(frac=1, random_state=SEED).reset_index(drop=True)
new = load_season(2500)  # last autumn

NUM = ['age', 'years_member', 'visits', 'spent_eur', 'km_to_house', 'income_district', 'eur_per_visit']
CAT = {'seat': 5, 'channel': 4, 'district': 14}
for d in (df, new):
    d['eur_per_visit'] = d.spent_eur / d.visits.clip(lower=1)

mu, sd = df[NUM].mean(), df[NUM].std()


def to_inputs(d):
    inputs = {c: d[c].to_numpy('int32') for c in CAT}
    inputs['num'] = ((d[NUM] - mu) / sd).to_numpy('float32')
    return inputs


num_in = keras.Input((len(NUM),), name='num')
cat_in = {c: keras.Input((), dtype='int32', name=c) for c in CAT}
parts = [layers.Embedding(k, 3, name='emb_' + c)(cat_in[c]) for c, k in CAT.items()]
h = layers.Concatenate()([num_in, *parts])
h = layers.Dense(32, activation='relu', name='h1')(h)
h = layers.Dropout(0.1)(h)
h = layers.Dense(16, activation='relu', name='h2')(h)
out = layers.Dense(1, activation='sigmoid', name='p_cancel')(h)
model = keras.Model({'num': num_in, **cat_in}, out)

y = df.cancelled.to_numpy()
pos = y.mean()
weight = {0: 0.5 / (1 - pos), 1: 0.5 / pos}
print(f'{len(df)} subscribers, {pos:.1%} cancelled')

model.compile(optimizer=keras.optimizers.Adam(3e-3), loss='binary_crossentropy',
              metrics=[keras.metrics.AUC(name='auc')])
stop = keras.callbacks.EarlyStopping(monitor='val_auc', mode='max', patience=4, restore_best_weights=True)
model.fit(to_inputs(df), y, validation_split=0.2, epochs=14, batch_size=64,
          class_weight=weight, callbacks=[stop], verbose=2)

p = model.predict(to_inputs(new), verbose=0)[:, 0]
balanced = balanced_accuracy_score(new.cancelled, p > 0.5)
top = np.argsort(-p)[:200]
print('balanced accuracy', balanced, '  cancelled among the 200 to call', new.cancelled.to_numpy()[top].mean())
""",
    score="balanced",
    bar=0.75,
    base=0.5,
    faults=(
        Fault(cause="softmax_on_single_unit", old="layers.Dense(1, activation='sigmoid', name='p_cancel')",
              new="layers.Dense(1, activation='softmax', name='p_cancel')", layer=("p_cancel",),
              beside=("loss_metric_inconsistent", "frozen_or_disconnected", "wrong_head_for_labels")),
        Fault(cause="class_imbalance", old="          class_weight=weight, callbacks=[stop], verbose=2)",
              new="          callbacks=[stop], verbose=2)"),
        Fault(cause="leakage_feature", old="'income_district', 'eur_per_visit']",
              new="'income_district', 'eur_per_visit', 'exit_call_min']", certain=True),
        Fault(cause="validation_split_sorted",
              old="df = df.sample(frac=1, random_state=SEED).reset_index(drop=True)",
              new="df = df.reset_index(drop=True)",
              beside=("constant_labels", "missing_class", "class_imbalance", "data_sorted")),
        Fault(cause="nan_or_inf_in_data", old="d.spent_eur / d.visits.clip(lower=1)",
              new="d.spent_eur / d.visits"),
        Fault(cause="inputs_not_scaled", old="inputs['num'] = ((d[NUM] - mu) / sd).to_numpy('float32')",
              new="inputs['num'] = d[NUM].to_numpy('float32')"),
        Fault(cause="leakage_duplicates", old="df = pd.concat([raw[raw.cancelled == 0], raw[raw.cancelled == 1]])",
              new="df = pd.concat([raw[raw.cancelled == 0]] + 4 * [raw[raw.cancelled == 1]])", certain=True),
    ),
    seeds=3,
)  # fmt: skip

WATER = Program(
    name="agency_water_three_zones",
    source="""
# Waterworks, tomorrow's draw per supply zone [m3/day] -- notebook exported to .py
import math
import numpy as np
import tensorflow as tf

run = SEED
tf.keras.utils.set_random_seed(run)
rs = np.random.RandomState(run + 7)

ZONES = ['old town', 'hillside', 'harbour']
DAYS = 2400
BATCH = 48
EPOCHS = 45
LR = 1e-3

# ---- "database"
t = np.arange(DAYS)
season = np.sin(2 * math.pi * (t - 105) / 365.25)
temp = 11 + 10 * season + rs.normal(0, 3.0, DAYS)
rain = rs.gamma(0.35, 8.0, DAYS)
weekday = t % 7
holiday = rs.uniform(size=DAYS) < 0.06
weekend = (weekday >= 5) | holiday
garden = np.maximum(temp - 16, 0) * np.exp(-rain / 4)
tourists = np.clip(rs.normal(0.5 + 0.4 * season, 0.15, DAYS), 0, None)
draw = np.stack([
    9400 - 900 * weekend + 2600 * tourists + 40 * garden,
    4100 + 350 * weekend + 165 * garden,
    15800 - 5200 * weekend + 900 * np.cos(2 * math.pi * t / 30.4) * (1 - weekend) + 60 * temp,
], axis=1)
draw = draw * rs.normal(1, 0.025, draw.shape)

onehot = np.eye(7)[weekday]
moon = np.stack([np.sin(2 * math.pi * t / 30.4), np.cos(2 * math.pi * t / 30.4)], 1)
lag = np.vstack([draw[:1], draw[:-1]]) / 10000
feats = np.column_stack([temp / 10, np.log1p(rain), holiday, tourists, season, onehot, moon, lag]).astype('float32')

order = rs.permutation(DAYS)
tr, va, te = order[:1600], order[1600:1950], order[1950:]
X, Y = feats[tr], draw[tr].astype('float32')
centre, spread = Y.mean(0), Y.std(0)
Y = (Y - centre) / spread
Y_va = ((draw[va] - centre) / spread).astype('float32')
m_x, s_x = X.mean(0), X.std(0)
X = (X - m_x) / s_x
X_va = (feats[va] - m_x) / s_x

net = tf.keras.Sequential([
    tf.keras.Input((X.shape[1],)),
    tf.keras.layers.Dense(48, activation='relu', name='first'),
    tf.keras.layers.Dense(48, activation='relu', name='second'),
    tf.keras.layers.Dense(len(ZONES), name='draw'),
])
opt = tf.keras.optimizers.Adam(LR)
loss_fn = tf.keras.losses.MeanSquaredError()


@tf.function
def step(xb, yb):
    with tf.GradientTape() as tape:
        loss = loss_fn(yb, net(xb, training=True))
    grads = tape.gradient(loss, net.trainable_variables)
    opt.apply_gradients(zip(grads, net.trainable_variables))
    return loss


def evaluate():
    return float(loss_fn(Y_va, net(X_va, training=False)))


for epoch in range(EPOCHS):
    ix = rs.permutation(len(X))
    losses = []
    for i in range(0, len(X) - BATCH + 1, BATCH):
        rows = ix[i:i + BATCH]
        losses.append(float(step(X[rows], Y[rows])))
    if epoch % 3 == 0 or epoch == EPOCHS - 1:
        print(f'{epoch:3d}  train {np.mean(losses):.4f}   valid {evaluate():.4f}')

forecast = net((feats[te] - m_x) / s_x).numpy() * spread + centre
residual = ((forecast - draw[te]) ** 2).mean(0)
per_zone = 1 - residual / draw[te].var(0)
for zone, r in zip(ZONES, per_zone):
    print(f'{zone:10s} R2 {r:.3f}')
r2 = float(np.mean(per_zone))
""",
    score="max(r2, -1.0) if np.isfinite(r2) else -1.0",
    bar=0.75,
    base=0.0,
    faults=(
        Fault(cause="targets_not_scaled", old="centre, spread = Y.mean(0), Y.std(0)\n",
              new="centre, spread = 0.0, 1.0\n", beside=("learning_rate_too_low", "too_few_steps")),
        Fault(cause="output_range_cannot_reach_targets", old="tf.keras.layers.Dense(len(ZONES), name='draw')",
              new="tf.keras.layers.Dense(len(ZONES), activation='relu', name='draw')", layer=("draw",),
              beside=("dead_units",)),
        Fault(cause="optimiser_not_applied",
              old="    opt.apply_gradients(zip(grads, net.trainable_variables))\n    return loss\n",
              new="    return loss\n"),
        Fault(cause="learning_rate_too_low", old="LR = 1e-3", new="LR = 2e-6", beside=("too_few_steps",)),
        Fault(cause="too_few_steps", old="EPOCHS = 45", new="EPOCHS = 1", beside=("learning_rate_too_low",)),
        Fault(cause="labels_shuffled_apart", old="Y = (Y - centre) / spread\n",
              new="Y = rs.permutation((Y - centre) / spread)\n", beside=("overfitting", "label_noise")),
        Fault(cause="wrong_loss_for_task", old="loss_fn = tf.keras.losses.MeanSquaredError()",
              new="loss_fn = tf.keras.losses.BinaryCrossentropy()",
              beside=("output_range_cannot_reach_targets", "logits_to_probability_loss", "dead_units",
                      "wrong_head_for_labels")),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (RENEWALS, WATER)
