"""Scripts of process and quality engineers: an injection moulding cell and a camera over a capping line."""

from keras_course.diagnostics.corpus import Fault, Program

MOULDING = Program(
    name="factory_moulding_cell",
    source="""
# Virtual measurement for cell 7: predict weight / shrinkage / warpage of the part from the cycle data
# (so that we need not wait 24 h for the climate room)
import numpy as np
import pandas as pd
import keras
from keras import layers
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(100 + SEED)

MACHINES = ['KM-1', 'KM-2', 'ENGEL-3', 'ARB-4']
MATERIALS = ['PP', 'ABS', 'PA6-GF30', 'POM']
SENSORS = ['melt_c', 'mould_c', 'speed', 'hold_bar', 'hold_s', 'cool_s', 'cushion']
TARGETS = ['weight_g', 'shrink_pct', 'warp_um']


def export_from_mes(n=4800):
    df = pd.DataFrame({
        'machine': rng.choice(MACHINES, n),
        'material': rng.choice(MATERIALS, n, p=[.35, .3, .2, .15]),
        'melt_c': rng.normal(235, 12, n),
        'mould_c': rng.normal(55, 8, n),
        'speed': rng.uniform(30, 120, n),
        'hold_bar': rng.normal(480, 90, n),
        'hold_s': rng.uniform(2, 9, n),
        'cool_s': rng.uniform(8, 22, n),
        'cushion': rng.normal(4.2, 0.8, n),
    })
    mat = df.material.map({'PP': 0, 'ABS': 1, 'PA6-GF30': 2, 'POM': 3}).to_numpy()
    off = df.machine.map({'KM-1': 0., 'KM-2': .4, 'ENGEL-3': -.5, 'ARB-4': .1}).to_numpy()
    melt, mould = (df.melt_c.to_numpy() - 235) / 12, (df.mould_c.to_numpy() - 55) / 8
    hold, sealed = (df.hold_bar.to_numpy() - 480) / 90, np.tanh((df.hold_s.to_numpy() - 4.5) * 0.9)
    cool = (df.cool_s.to_numpy() - 15) / 4
    gain = np.array([1.0, .5, .7, 1.3])[mat]
    pack = hold * (1 + sealed) / 1.5
    weight = 41.3 + .5 * gain * pack + .25 * off - .2 * melt + .8 * (mat == 2) + .12 * rng.normal(size=n)
    shrink = 1.2 + .25 * gain * (mould - pack) + .3 * np.maximum(-cool, 0) + .4 * (mat == 3) + .08 * rng.normal(size=n)
    bow = np.abs(mould - .8 * cool + off)
    warp = 240 + 60 * gain * bow - 35 * sealed + 10 * rng.normal(size=n)
    df['weight_g'], df['shrink_pct'], df['warp_um'] = weight, shrink, warp
    df['balance_g'] = weight + .02 * rng.normal(size=n)  # handling robot, after demoulding
    # the cushion sensor drops out now and then
    df.loc[rng.random(n) < .04, 'cushion'] = np.nan
    return df


df = export_from_mes()
train, test = df.iloc[:4000], df.iloc[4000:]

med = train[SENSORS].median()
sc_x = StandardScaler()
sc_y = StandardScaler()
Xn = sc_x.fit_transform(train[SENSORS].fillna(med).to_numpy())
Xn_test = sc_x.transform(test[SENSORS].fillna(med).to_numpy())
Y = sc_y.fit_transform(train[TARGETS].to_numpy())


def code(frame):
    m = frame.machine.map(MACHINES.index).to_numpy()
    k = frame.material.map(MATERIALS.index).to_numpy()
    return m.astype('int32'), k.astype('int32')


in_num = keras.Input((len(SENSORS),), name='sensors')
in_mach = keras.Input((), dtype='int32', name='machine')
in_mat = keras.Input((), dtype='int32', name='material')
z = layers.Concatenate()([
    in_num,
    layers.Embedding(len(MACHINES), 3, name='emb_machine')(in_mach),
    layers.Embedding(len(MATERIALS), 3, name='emb_material')(in_mat),
])
REG = keras.regularizers.L2(1e-5)
z = layers.Dense(64, activation='relu', kernel_regularizer=REG, name='h1')(z)
z = layers.Dense(48, activation='relu', kernel_regularizer=REG, name='h2')(z)
out = layers.Dense(len(TARGETS), name='targets')(z)
model = keras.Model([in_num, in_mach, in_mat], out)

model.compile(optimizer=keras.optimizers.Adam(learning_rate=3e-3), loss='mse', metrics=['mae'])
stop = keras.callbacks.EarlyStopping(monitor='val_mae', mode='auto', patience=8, restore_best_weights=True)
hist = model.fit([Xn, *code(train)], Y, validation_split=0.2, batch_size=64, epochs=22,
                 callbacks=[stop], verbose=2)

pred = sc_y.inverse_transform(model.predict([Xn_test, *code(test)], verbose=0))
r2 = r2_score(test[TARGETS], np.nan_to_num(pred, nan=1e6), multioutput='raw_values')
for name, value in zip(TARGETS, r2):
    print(f'{name:12s} R2 = {value:.3f}')
mean_r2 = r2.mean()
""",
    score="max(mean_r2, -1.0)",
    bar=0.85,
    base=0.0,
    odd="The cushion sensor has missing values, which are filled with the median of the training rows.",
    faults=(
        Fault(cause="targets_not_scaled", old="sc_y = StandardScaler()",
              new="sc_y = StandardScaler(with_mean=False, with_std=False)"),
        Fault(cause="output_range_cannot_reach_targets", old="out = layers.Dense(len(TARGETS), name='targets')(z)",
              new="out = layers.Dense(len(TARGETS), activation='relu', name='targets')(z)", layer=("targets",),
              beside=("dead_units",)),
        Fault(cause="missing_nonlinearity", old="""z = layers.Dense(64, activation='relu', kernel_regularizer=REG, name='h1')(z)
z = layers.Dense(48, activation='relu', kernel_regularizer=REG, name='h2')(z)""",
              new="""z = layers.Dense(64, kernel_regularizer=REG, name='h1')(z)
z = layers.Dense(48, kernel_regularizer=REG, name='h2')(z)""", layer=("h1", "h2"),
              beside=("underfitting_capacity",)),
        Fault(cause="vanishing_gradient", old="z = layers.Dense(48, activation='relu', kernel_regularizer=REG, name='h2')(z)",
              new="""for k in range(2, 11):
    z = layers.Dense(48, activation='sigmoid', kernel_regularizer=REG, name=f'h{k}')(z)""",
              beside=("saturated_units",), layer=tuple(f"h{k}" for k in range(1, 11))),
        Fault(cause="nan_or_inf_in_data", old="Xn = sc_x.fit_transform(train[SENSORS].fillna(med).to_numpy())",
              new="Xn = sc_x.fit_transform(train[SENSORS].to_numpy())", beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="regularisation_overwhelms", old="REG = keras.regularizers.L2(1e-5)",
              new="REG = keras.regularizers.L2(0.5)", layer=("h1", "h2")),
        Fault(cause="wrong_metric", old="loss='mse', metrics=['mae'])\nstop = keras.callbacks.EarlyStopping(monitor='val_mae', mode='auto',",
              new="loss='mse', metrics=['accuracy'])\nstop = keras.callbacks.EarlyStopping(monitor='val_accuracy', mode='auto',",
              beside=("too_few_steps", "loss_metric_inconsistent"), certain=True),
        Fault(cause="leakage_feature", old="'cool_s', 'cushion']", new="'cool_s', 'cushion', 'balance_g']",
              certain=True),
    ),
    pairs=(("missing_nonlinearity", "leakage_feature"),),
    seeds=3,
)  # fmt: skip

CAPS = Program(
    name="factory_bottle_caps",
    source="""
'''Camera over the capping line (station 14). One crop per cap, 4 verdicts.

The rejects are rare, so the crops come from the reject bins of three weeks plus one hour of good ones.
'''
import os

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn.metrics import balanced_accuracy_score, confusion_matrix

keras.utils.set_random_seed(SEED)
rnd = np.random.RandomState(SEED)
AUTO = tf.data.AUTOTUNE
S = 20
CLASSES = ['good', 'shifted', 'no_liner', 'scratched']
COUNTS_TRAIN = {'good': 1100, 'shifted': 160, 'no_liner': 160, 'scratched': 160}
COUNTS_VAL = {'good': 200, 'shifted': 40, 'no_liner': 40, 'scratched': 40}


def crop(kind):
    yy, xx = np.mgrid[:S, :S] - (S - 1) / 2.
    cx, cy = rnd.normal(0, .7, 2)
    r = np.hypot(xx - cx, yy - cy)
    img = 70 + 75 * (r < 8.5) + rnd.normal(0, 6)
    a, d = rnd.uniform(0, 2 * np.pi), rnd.uniform(1.3, 2.6)
    if kind != 'shifted':
        d = 0
    ring = np.hypot(xx - cx - d * np.cos(a), yy - cy - d * np.sin(a))
    img = img + 55 * ((ring > 4.0) & (ring < 5.6))
    if kind == 'no_liner':
        img = img - rnd.uniform(14, 30) * (ring < 3.4)
    if kind == 'scratched':
        t = (xx - rnd.uniform(-4, 4)) * np.cos(a) + (yy - rnd.uniform(-4, 4)) * np.sin(a)
        img = img - rnd.uniform(30, 60) * (np.abs(t) < .7) * (r < 8)
    img = img + rnd.normal(0, 8, img.shape)
    return np.clip(img, 0, 255).astype('uint8')


def folder(counts):
    x, y = [], []
    for i, kind in enumerate(CLASSES):
        x += [crop(kind) for _ in range(counts[kind])]
        y += [i] * counts[kind]
    return np.array(x)[..., None], np.array(y)


x_tr, y_tr = folder(COUNTS_TRAIN)
x_va, y_va = folder(COUNTS_VAL)
x_te, y_te = folder({k: 120 for k in CLASSES})


def prep(img, label):
    img = tf.image.convert_image_dtype(img, tf.float32)
    return img, label


def augment(img, label):
    img = tf.image.random_flip_left_right(img)
    img = tf.image.random_flip_up_down(img)
    img = tf.image.random_brightness(img, .05)
    return img, label


ds = tf.data.Dataset.from_tensor_slices((x_tr, y_tr))
train_ds = ds.shuffle(len(y_tr), seed=SEED).map(prep).map(augment, num_parallel_calls=AUTO).batch(32).prefetch(AUTO)
val_ds = tf.data.Dataset.from_tensor_slices((x_va, y_va)).map(prep).batch(80)

model = keras.Sequential([
    keras.Input((S, S, 1)),
    layers.Rescaling(2., offset=-1.),
    layers.Conv2D(12, 3, padding='same', activation='relu', name='conv_a'),
    layers.MaxPooling2D(),
    layers.Conv2D(24, 3, padding='same', activation='relu', name='conv_b'),
    layers.MaxPooling2D(),
    layers.Conv2D(32, 3, padding='same', activation='relu', name='conv_c'),
    layers.Flatten(),
    layers.Dropout(0.3),
    layers.Dense(48, activation='relu', name='fc'),
    layers.Dense(len(CLASSES), name='verdict'),
])
n = np.bincount(y_tr, minlength=len(CLASSES))
cw = {i: len(y_tr) / (len(CLASSES) * max(k, 1)) for i, k in enumerate(n)}
EPOCHS = 14
lr = keras.optimizers.schedules.CosineDecay(2e-3, EPOCHS * len(train_ds), alpha=.02)
model.compile(keras.optimizers.Adam(lr), keras.losses.SparseCategoricalCrossentropy(from_logits=True),
              weighted_metrics=['accuracy'])
model.fit(train_ds, validation_data=val_ds, epochs=EPOCHS, class_weight=cw, verbose=2)

x_eval, _ = prep(tf.constant(x_te), 0)
verdict = model.predict(x_eval, batch_size=120, verbose=0).argmax(-1)
print(confusion_matrix(y_te, verdict))
bal_acc = balanced_accuracy_score(y_te, verdict)
print('balanced accuracy, last week of May:', round(bal_acc, 3))
""",
    score="bal_acc",
    bar=0.8,
    base=0.25,
    odd="The good caps are seven times as many as the others, and class_weight makes up for it.",
    faults=(
        Fault(cause="inputs_scaled_twice", old="layers.Rescaling(2., offset=-1.)", new="layers.Rescaling(1. / 255)"),
        Fault(cause="shuffle_buffer_too_small", old="ds.shuffle(len(y_tr), seed=SEED)", new="ds.shuffle(64, seed=SEED)",
              accept=("data_sorted",)),
        Fault(cause="pipeline_order",
              old=".shuffle(len(y_tr), seed=SEED).map(prep).map(augment, num_parallel_calls=AUTO).batch(32).prefetch(AUTO)",
              new=".map(prep).map(augment, num_parallel_calls=AUTO).batch(32).shuffle(len(y_tr) // 32).prefetch(AUTO)",
              accept=("data_sorted",)),
        Fault(cause="missing_class", old="'no_liner': 160, 'scratched': 160}", new="'no_liner': 160, 'scratched': 0}",
              beside=("validation_split_sorted", "class_imbalance")),
        Fault(cause="frozen_or_disconnected", old="n = np.bincount(",
              new="for layer in model.layers[:-1]:\n    layer.trainable = False\nn = np.bincount(",
              layer=("conv_a", "conv_b", "conv_c", "fc")),
        Fault(cause="train_val_preprocessing_mismatch", old=".from_tensor_slices((x_va, y_va)).map(prep)",
              new=".from_tensor_slices((x_va.astype('float32'), y_va))", beside=("inputs_not_scaled",), certain=True),
        Fault(cause="dead_units", old="layers.Dense(48, activation='relu', name='fc')",
              new="layers.Dense(48, activation='relu', bias_initializer=keras.initializers.Constant(-4.), name='fc')",
              accept=("init_scale",), beside=("frozen_or_disconnected",), layer=("fc",)),
        Fault(cause="data_sorted", old="ds.shuffle(len(y_tr), seed=SEED).map(prep)", new="ds.map(prep)"),
    ),
    pairs=(("missing_class", "train_val_preprocessing_mismatch"),),
    seeds=3,
)  # fmt: skip

PROGRAMS = (MOULDING, CAPS)
