"""Entries to a monthly table competition: three meters of a hotel, and the ailments of houseplants."""

from keras_course.diagnostics.corpus import Fault, Program

HOTELS = Program(
    name="playground_hotel_meters",
    source="""
# %% [markdown]
# # S4E7: three meters of a hotel - NN baseline (LB 0.21, gets better in a blend with LGBM)

# %%
import numpy as np
import pandas as pd
import keras
from keras import layers, regularizers
from sklearn.preprocessing import StandardScaler
import warnings; warnings.filterwarnings('ignore')

rs = SEED
keras.utils.set_random_seed(rs)

# %% synthetic "train.csv" + "test.csv"
def fake_csv(n, rng):
    d = pd.DataFrame({
        'kind': rng.choice(['city', 'spa', 'hostel', 'resort'], n),
        'heating': rng.choice(['gas', 'heatpump', 'district'], n),
        'rooms': rng.integers(15, 220, n),
        'occupancy': rng.beta(4, 2, n),
        'out_temp': rng.normal(11, 8, n),
        'kitchen_hours': rng.uniform(0, 18, n),
        'built': rng.integers(1890, 2022, n),
        'star': rng.integers(1, 6, n),
    })
    guests = d.rooms * d.occupancy
    cold = np.maximum(17 - d.out_temp, 0)
    hot = np.maximum(d.out_temp - 19, 0)
    leaky = 1 + (2022 - d.built) / 90
    d['electricity'] = (guests * (5 + d.star) + 45 * d.kitchen_hours + d.rooms * hot * 2.2
                        + (d.heating == 'heatpump') * d.rooms * cold * leaky * .9)
    d['water'] = guests * (0.14 + .05 * d.star * (d.kind == 'spa') + .08 * (d.kind == 'resort')) + .4 * d.kitchen_hours
    d['gas'] = (d.heating == 'gas') * d.rooms * cold * leaky * 1.1 + 12 * d.kitchen_hours * (d.heating != 'heatpump')
    for c in ['electricity', 'water', 'gas']:
        d[c] = d[c] * rng.lognormal(0, .08, n)
    return d

rng = np.random.default_rng(rs + 7)
train = fake_csv(4000, rng)
test = fake_csv(1200, rng)

# %%
TARGETS = ['electricity', 'water', 'gas']
CATS = ['kind', 'heating']
NUMS = ['rooms', 'occupancy', 'out_temp', 'kitchen_hours', 'built', 'star']

both = pd.concat([train, test])
dummies = pd.get_dummies(both[CATS]).astype('float32').values
scaler = StandardScaler().fit(train[NUMS])
X = np.hstack([dummies[:len(train)], scaler.transform(train[NUMS])])
X_sub = np.hstack([dummies[len(train):], scaler.transform(test[NUMS])])

y_scaler = StandardScaler().fit(train[TARGETS])
Y = y_scaler.transform(train[TARGETS])

# %%
BATCH, EPOCHS, L2 = 64, 22, 1e-6
ACT, DEPTH = 'swish', 7
steps = int(len(X) * 0.85) // BATCH
lr = keras.optimizers.schedules.ExponentialDecay(4e-3, decay_steps=5 * steps, decay_rate=0.4)

inp = layers.Input((X.shape[1],))
x = inp
for k in range(DEPTH):
    x = layers.Dense(48, activation=ACT, kernel_initializer='he_normal', kernel_regularizer=regularizers.L2(L2), name=f'hid{k}')(x)
x = layers.Concatenate()([inp, x])
out = layers.Dense(len(TARGETS), name='meters')(x)

model = keras.Model(inp, out)
model.compile(keras.optimizers.Adam(lr), loss='mse', metrics=['mae'])
hist = model.fit(X, Y, validation_split=0.15, batch_size=BATCH, epochs=EPOCHS, verbose=2)
print('best val_loss', min(hist.history['val_loss']))

# %% submission
sub = pd.DataFrame(y_scaler.inverse_transform(model.predict(X_sub, batch_size=512, verbose=0)), columns=TARGETS)
print(sub.head())
resid = ((sub - test[TARGETS].reset_index(drop=True)) ** 2).mean() / test[TARGETS].var()
r2 = 1 - resid.mean()
print('R2 if the hidden labels were known:', r2)
""",
    score="max(r2, -1.0)",
    bar=0.85,
    base=0.0,
    faults=(
        Fault(cause="targets_not_scaled", old="y_scaler = StandardScaler().fit(train[TARGETS])",
              new="y_scaler = StandardScaler(with_mean=False, with_std=False).fit(train[TARGETS])"),
        Fault(cause="output_range_cannot_reach_targets", old="layers.Dense(len(TARGETS), name='meters')",
              new="layers.Dense(len(TARGETS), activation='sigmoid', name='meters')", layer=("meters",)),
        Fault(cause="wrong_loss_for_task", old="loss='mse'", new="loss='binary_crossentropy'",
              beside=("logits_to_probability_loss", "wrong_head_for_labels", "output_range_cannot_reach_targets",
                      "label_encoding")),
        Fault(cause="regularisation_overwhelms", old="BATCH, EPOCHS, L2 = 64, 22, 1e-6", new="BATCH, EPOCHS, L2 = 64, 22, 1"),
        Fault(cause="lr_schedule_wrong", old="decay_steps=5 * steps, ", new="decay_steps=5, ",
              beside=("too_few_steps", "learning_rate_too_low")),
        Fault(cause="wrong_metric", old="metrics=['mae']", new="metrics=['accuracy']", certain=True),
        Fault(cause="missing_nonlinearity", old="ACT, DEPTH = 'swish', 7", new="ACT, DEPTH = None, 7",
              layer=tuple(f"hid{k}" for k in range(7))),
        Fault(cause="vanishing_gradient", old="ACT, DEPTH = 'swish', 7", new="ACT, DEPTH = 'sigmoid', 7",
              layer=tuple(f"hid{k}" for k in range(7))),
    ),
    pairs=(("targets_not_scaled", "missing_nonlinearity"),),
    seeds=3,
)  # fmt: skip

PLANTS = Program(
    name="playground_houseplant_ailments",
    source="""
# Playground: which of six ailments does the plant have (any number of them)? mean column-wise AUC is the metric
import gc, math
import numpy as np
import keras
from keras import layers
from sklearn.metrics import roc_auc_score, f1_score

class CFG:
    seed = SEED
    batch = 48
    epochs = 12
    lr = 2e-3
    hidden = 64
    rows = 3600
    holdout = 600

keras.utils.set_random_seed(CFG.seed)
rng = np.random.default_rng(CFG.seed + 2024)
AILMENTS = ['overwatered', 'thirsty', 'sunburn', 'mites', 'rootbound', 'hungry']

# ---- data -------------------------------------------------------------
moisture = rng.beta(2, 2, CFG.rows)
lux = np.where(rng.random(CFG.rows) < .02, 0, rng.lognormal(8.5, .8, CFG.rows)).round()   # some were measured at night
light = np.log1p(lux)
temp = rng.normal(21, 4, CFG.rows)
pot = rng.uniform(6, 40, CFG.rows)
height = pot * rng.lognormal(.6, .5, CFG.rows)
months = rng.integers(0, 48, CFG.rows)          # since repotting
air = rng.uniform(20, 80, CFG.rows)             # humidity
species = rng.integers(0, 12, CFG.rows)
thirst = rng.permutation(np.linspace(-.2, .2, 12))[species]
shade = rng.permutation(np.linspace(-.8, .8, 12))[species]

def yes(score, noise=.22):
    return score + noise * rng.logistic(0, .5, CFG.rows) > 0

labels = np.stack([
    yes((moisture - .65 + thirst) * 4),
    yes((.35 - moisture + thirst + .01 * (temp - 21)) * 4),
    yes(light - 9 + shade),
    yes((38 - air) / 10 + (temp - 22) / 6),
    yes(np.log(height / pot) * 2 + (months - 30) / 8),
    yes((months - 24) / 8 + (light - 8.5)),
], axis=1).astype('float32')

numbers = np.stack([moisture, light, temp, pot, np.log(height), months, air], axis=1)
perm = rng.permutation(CFG.rows)
tr, ho = perm[CFG.holdout:], perm[:CFG.holdout]
mu, sd = numbers[tr].mean(0), numbers[tr].std(0)
numbers = ((numbers - mu) / sd).astype('float32')

class Plants(keras.utils.PyDataset):
    '''batches of (numbers, species) and the six labels'''
    def __init__(self, rows, train):
        super().__init__(workers=1)
        self.rows, self.train = np.array(rows), train

    def __len__(self):
        return math.ceil(len(self.rows) / CFG.batch)

    def __getitem__(self, k):
        i = self.rows[k * CFG.batch:(k + 1) * CFG.batch]
        x = numbers[i]
        if self.train:                          # jitter, helps a little on the LB
            x = x + np.random.normal(0, 0.05, x.shape).astype('float32')
        return (x, species[i]), labels[i]

    def on_epoch_end(self):
        if self.train:
            np.random.shuffle(self.rows)

# ---- model ------------------------------------------------------------
def get_model():
    num = layers.Input((7,))
    spec = layers.Input((), dtype='int32')
    e = layers.Embedding(12, 6)(spec)
    h = layers.Concatenate()([num, e])
    h = layers.Dense(CFG.hidden, activation='relu', kernel_initializer='he_normal', name='fc1')(h)
    h = layers.Dense(CFG.hidden, activation='relu', kernel_initializer='he_normal', name='fc2')(h)
    o = layers.Dense(len(AILMENTS), activation='sigmoid', name='ailments')(h)
    m = keras.Model([num, spec], o)
    m.compile(loss='binary_crossentropy', optimizer=keras.optimizers.Nadam(CFG.lr), metrics=['binary_accuracy'])
    return m

model = get_model()
plateau = keras.callbacks.ReduceLROnPlateau(patience=2, factor=.4, verbose=0)
model.fit(Plants(tr, True), validation_data=Plants(ho, False), epochs=CFG.epochs, callbacks=[plateau], verbose=2)

pred = model.predict(Plants(ho, False), verbose=0)
truth = labels[ho]
f1 = f1_score(truth, pred > .5, average='macro', zero_division=0)
for name, t, q in zip(AILMENTS, truth.T, pred.T):
    print(f'{name:12} {roc_auc_score(t, q):.3f}' if np.isfinite(q).all() else name)
# informedness, averaged over the columns
hit = np.mean([(q[t > 0] > .5).mean() + (q[t == 0] <= .5).mean() - 1 for t, q in zip(truth.T, pred.T)])
print('F1', f1, 'informedness', hit)
_ = gc.collect()
""",
    score="hit",
    bar=0.8,
    base=0.0,
    faults=(
        Fault(cause="wrong_head_for_labels", old="Dense(len(AILMENTS), activation='sigmoid', name='ailments')",
              new="Dense(len(AILMENTS), activation='softmax', name='ailments')", layer=("ailments",),
              accept=("wrong_loss_for_task", "output_range_cannot_reach_targets")),
        Fault(cause="leakage_duplicates", old="tr, ho = perm[CFG.holdout:], perm[:CFG.holdout]",
              new="tr, ho = perm, perm[:CFG.holdout]", certain=True),
        Fault(cause="inputs_drowned_in_noise", old="np.random.normal(0, 0.05, x.shape)",
              new="np.random.normal(0, 5, x.shape)", beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="dead_units", old="activation='relu', kernel_initializer='he_normal', name='fc2')",
              new="activation='relu', kernel_initializer='he_normal', bias_initializer=keras.initializers.Constant(-30), name='fc2')",
              layer=("fc2",), beside=("frozen_or_disconnected", "input_ignored", "init_scale")),
        Fault(cause="nan_or_inf_in_data", old="light = np.log1p(lux)", new="light = np.log(lux)"),
        Fault(cause="underfitting_capacity", old="    hidden = 64\n", new="    hidden = 2\n"),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (HOTELS, PLANTS)
