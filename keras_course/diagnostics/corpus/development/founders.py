"""Scripts of two engineers in a hurry: sessions at charging points for cars, and the surface under a cargo bike."""

from keras_course.diagnostics.corpus import Fault, Program

CHARGING = Program(
    name="startup_charging_sessions",
    source="""
#!/usr/bin/env python3
# energy + overstay model v0.3 -- numbers for the investor deck, do NOT ship
import os
import sys

import keras
import numpy as np
import pandas as pd
from sklearn.metrics import r2_score, recall_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

RANDOM = SEED
N_SESSIONS = 4000
HIDDEN = 48
LR = 3e-3
EPOCHS = 25
BATCH = 64
L2 = 1e-5
OVER_LIMIT_H = 0.75      # we charge a fee from 45 min on
FEATURES = ['hour', 'battery_wh', 'soc', 'charger_w', 'plan_h', 'temp_c', 'fleet', 'weekend']


def fetch_sessions():
    # stand-in until the backend people give us the dump
    g = np.random.default_rng(RANDOM + 7)
    n = N_SESSIONS
    df = pd.DataFrame({
        'hour': g.integers(0, 24, n),
        'battery_wh': g.choice([24e3, 40e3, 58e3, 77e3, 95e3], n),
        'soc': g.beta(2, 3, n),
        'charger_w': g.choice([3700., 11e3, 22e3, 50e3], n, p=[.2, .4, .25, .15]),
        'plan_h': g.gamma(3., .8, n),
        'temp_c': g.normal(11, 9, n),
        'fleet': g.integers(0, 2, n),
        'weekend': (g.random(n) < 2 / 7).astype(int),
    })
    room = df.battery_wh * (0.95 - df.soc).clip(0.02)
    speed = df.charger_w * (0.92 - 0.012 * (10 - df.temp_c).clip(0))
    df['energy_wh'] = np.minimum(room, speed.clip(500) * df.plan_h) * g.normal(1, .05, n)
    full_at = room / speed.clip(500)
    df['paid_eur'] = 0.35 + df.energy_wh / 1000 * .49
    late = df.plan_h - full_at - 0.6 + 0.5 * df.weekend - 1.2 * df.fleet + 0.8 * ((df.hour > 19) | (df.hour < 5))
    df['over_h'] = (late + g.normal(0, .3, n)).clip(0)
    return df


def build(n_in):
    reg = keras.regularizers.L2(L2)
    x = inp = keras.Input((n_in,), name='session')
    x = keras.layers.Dense(HIDDEN, activation='relu', kernel_regularizer=reg, name='trunk_a')(x)
    x = keras.layers.Dense(HIDDEN, activation='relu', kernel_regularizer=reg, name='trunk_b')(x)
    energy = keras.layers.Dense(1, name='energy')(x)
    over = keras.layers.Dense(1, name='over')(x)
    m = keras.Model(inp, {'energy': energy, 'over': over})
    m.compile(
        optimizer=keras.optimizers.Adam(LR),
        loss={'energy': 'mse', 'over': keras.losses.BinaryCrossentropy(from_logits=True)},
        metrics={'energy': ['mae'], 'over': [keras.metrics.BinaryAccuracy(threshold=0.0)]},
    )
    return m


def main():
    keras.utils.set_random_seed(RANDOM)
    df = fetch_sessions()
    df['over'] = (df.over_h > OVER_LIMIT_H).astype('float32')
    tr, te = train_test_split(df, test_size=0.25, random_state=RANDOM)
    tr, va = train_test_split(tr, test_size=0.2, random_state=RANDOM)

    sc = StandardScaler().fit(tr[FEATURES])
    X_tr, X_va, X_te = (sc.transform(d[FEATURES]) for d in (tr, va, te))
    mu, sd = tr.energy_wh.mean(), tr.energy_wh.std()

    def targets(d):
        return {'energy': ((d.energy_wh.values - mu) / sd)[:, None], 'over': d.over.values[:, None]}

    m = build(len(FEATURES))
    stop = keras.callbacks.EarlyStopping(patience=6, restore_best_weights=True)
    m.fit(X_tr, targets(tr), validation_data=(X_va, targets(va)), epochs=EPOCHS, batch_size=BATCH,
          callbacks=[stop], verbose=2)

    out = m.predict(X_te, verbose=0)
    r2 = r2_score(te.energy_wh, out['energy'][:, 0] * sd + mu)
    late, said = te.over.values.astype(int), (out['over'][:, 0] > 0).astype(int)
    bal = sum(recall_score(late, said, pos_label=k, zero_division=0) for k in (0, 1)) / 2
    print(f'energy r2 {r2:.3f}   overstay balanced acc {bal:.3f}')
    return r2, bal


r2, bal = main()
""",
    score="max(r2, -1.0) / 2 + (2 * bal - 1) / 2",
    bar=0.75,
    base=0.0,
    faults=(
        Fault(cause="probabilities_to_logits_loss", old="over = keras.layers.Dense(1, name='over')(x)",
              new="over = keras.layers.Dense(1, activation='sigmoid', name='over')(x)", layer=("over",),
              beside=("wrong_metric", "loss_metric_inconsistent", "wrong_head_for_labels")),
        Fault(cause="output_range_cannot_reach_targets", old="energy = keras.layers.Dense(1, name='energy')(x)",
              new="energy = keras.layers.Dense(1, activation='sigmoid', name='energy')(x)", layer=("energy",),
              beside=("targets_not_scaled",)),
        Fault(cause="targets_not_scaled", old="mu, sd = tr.energy_wh.mean(), tr.energy_wh.std()",
              new="mu, sd = 0.0, 1.0", beside=("too_few_steps", "learning_rate_too_low", "exploding_gradient")),
        Fault(cause="inputs_not_scaled", old="(sc.transform(d[FEATURES]) for d in (tr, va, te))",
              new="(d[FEATURES].values for d in (tr, va, te))",
              beside=("exploding_gradient", "learning_rate_too_high", "oscillation")),
        Fault(cause="leakage_feature", old="'fleet', 'weekend']\n", new="'fleet', 'weekend', 'paid_eur']\n",
              certain=True),
        Fault(cause="constant_labels", old="OVER_LIMIT_H = 0.75 ", new="OVER_LIMIT_H = 45 ",
              beside=("missing_class", "class_imbalance")),
        Fault(cause="learning_rate_too_high", old="LR = 3e-3", new="LR = 1.0",
              beside=("oscillation", "exploding_gradient")),
        Fault(cause="regularisation_overwhelms", old="L2 = 1e-5", new="L2 = 1.0"),
    ),
    pairs=(("output_range_cannot_reach_targets", "constant_labels"),),
    seeds=3,
)  # fmt: skip

ROAD = Program(
    name="startup_road_surface",
    source="""
# what is the cargo bike riding on? accelerometer under the box, 64 samples a window
# (sorry for the state of this, demo is on thursday)
import numpy as np
import keras
from keras import layers as L
from sklearn.metrics import accuracy_score, confusion_matrix

RUN = SEED
CLASSES = ['asphalt', 'cobbles', 'gravel', 'tram_rails']
WINDOWS_PER_CLASS = 450
T = 64
EPOCHS = 12
BATCH = 36
LR = 2e-3
CONV_BIAS = 0.0
TAP_ERRORS = 0.02   # rider taps the wrong button now and then

rng = np.random.default_rng(RUN)


def ride(surface):
    t = np.arange(T)
    gain = rng.uniform(0.6, 1.6)
    if surface == 'asphalt':
        s = np.convolve(rng.normal(0, 1, T + 7), np.ones(8) / 3, 'valid')
    elif surface == 'cobbles':
        s = np.sin(2 * np.pi * t * rng.uniform(6, 10) / T + rng.uniform(0, 6.3)) + rng.normal(0, 0.6, T)
    elif surface == 'gravel':
        s = rng.normal(0, 1, T)
    else:
        s = rng.normal(0, 0.45, T)
        for at in rng.choice(T - 4, 3, replace=False):
            s[at:at + 4] += np.array([1, 2.5, -2, -1]) * rng.uniform(0.7, 1.2)
    return gain * s


def build():
    m = keras.Sequential([
        keras.Input((T, 1)),
        L.LayerNormalization(axis=1, name='level'),
        L.Conv1D(16, 7, padding='same', activation='relu', name='conv_a',
                 bias_initializer=keras.initializers.Constant(CONV_BIAS)),
        L.MaxPooling1D(2),
        L.Conv1D(24, 5, padding='same', activation='relu', name='conv_b'),
        L.GlobalAveragePooling1D(),
        L.Dense(24, activation='relu', name='hidden'),
        L.Dense(len(CLASSES), activation='softmax', name='surface'),
    ])
    m.compile(keras.optimizers.Adam(LR), 'sparse_categorical_crossentropy', metrics=['accuracy'])
    return m


def main():
    keras.utils.set_random_seed(RUN)
    x = np.stack([ride(c) for c in CLASSES for _ in range(WINDOWS_PER_CLASS)]).astype('float32')[:, :, None]
    y = np.repeat(np.arange(len(CLASSES)), WINDOWS_PER_CLASS)
    wrong = rng.random(len(y)) < TAP_ERRORS
    y[wrong] = rng.integers(0, len(CLASSES), wrong.sum())

    mix = rng.permutation(len(y))
    train, test = np.sort(mix[:1350]), mix[1350:]
    x_train, y_train = x[train], y[train]
    x_test, y_test = x[test], y[test]

    model = build()
    for epoch in range(EPOCHS):
        order = rng.permutation(len(y_train))
        losses = []
        for i in range(0, len(order), BATCH):
            pick = order[i:i + BATCH]
            losses.append(model.train_on_batch(x_train[pick], y_train[pick])[0])
        model.reset_metrics()
        print('epoch', epoch + 1, 'loss', round(float(np.mean(losses)), 4))

    guess = model.predict(x_test, verbose=0).argmax(axis=1)
    print(confusion_matrix(y_test, guess))
    return accuracy_score(y_test, guess)


acc = main()
print('accuracy', acc)
""",
    score="acc",
    bar=0.85,
    base=0.25,
    faults=(
        Fault(cause="logits_to_probability_loss", old="L.Dense(len(CLASSES), activation='softmax', name='surface')",
              new="L.Dense(len(CLASSES), name='surface')", layer=("surface",)),
        Fault(cause="labels_shuffled_apart", old="    x_train, y_train = x[train], y[train]\n",
              new="    x_train, y_train = x[mix[:1350]], y[train]\n", beside=("label_noise",)),
        Fault(cause="data_sorted", old="order = rng.permutation(len(y_train))", new="order = np.arange(len(y_train))",
              beside=("oscillation",)),
        Fault(cause="leakage_duplicates", old="    mix = rng.permutation(len(y))\n",
              new="    more = rng.integers(0, len(y), 2 * len(y))\n    x, y = x[more], y[more]\n"
              "    mix = rng.permutation(len(y))[:1800]\n", certain=True),
        Fault(cause="input_ignored", old="L.LayerNormalization(axis=1, name='level')",
              new="L.LayerNormalization(name='level')", layer=("level",),
              beside=("frozen_or_disconnected", "vanishing_gradient", "dead_units", "symmetric_or_zero_init")),
        Fault(cause="label_noise", old="TAP_ERRORS = 0.02", new="TAP_ERRORS = 0.6"),
        Fault(cause="dead_units", old="CONV_BIAS = 0.0", new="CONV_BIAS = -10.0", layer=("conv_a",),
              beside=("input_ignored", "vanishing_gradient", "frozen_or_disconnected")),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (CHARGING, ROAD)
