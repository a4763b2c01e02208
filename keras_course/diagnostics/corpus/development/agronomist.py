"""Scripts of agronomists and plant breeders: yields of field trials and pictures of leaves."""

from keras_course.diagnostics.corpus import Fault, Program

YIELD = Program(
    name="agronomist_wheat_trials",
    source="""
# winter wheat variety trials 2009-2023: yield from the soil sample and the weather of 16 dekads
# weather = nearest station of the met service, soil = lab report, yield = combine harvester, kg/ha
import numpy as np
import pandas as pd
import tensorflow as tf
import keras
from keras import layers

keras.utils.set_random_seed(SEED)
rs = np.random.RandomState(SEED + 40)

n_plots, n_dek = 1500, 16

soil = pd.DataFrame({
    'clay': rs.uniform(8, 45, n_plots),
    'ph': rs.normal(6.6, 0.5, n_plots),
    'humus': rs.gamma(4.0, 0.6, n_plots),
    'p2o5': rs.gamma(6.0, 3.5, n_plots),
    'N_kg': rs.choice([0, 60, 120, 180, 220], n_plots),
})

# temperature, rain, global radiation per dekad
dek = np.arange(n_dek)
temp = 6 + 13 * np.sin(np.pi * (dek + 1) / 22) + rs.normal(0, 1.5, (n_plots, 1)) + rs.normal(0, 1.2, (n_plots, n_dek))
rain = rs.gamma(2.0, 9.0, (n_plots, n_dek)) * rs.gamma(6.0, 1 / 6.0, (n_plots, 1))
rad = 90 + 140 * np.sin(np.pi * (dek + 2) / 24) - 0.6 * rain + rs.normal(0, 12, (n_plots, n_dek))

late_rain = rain[:, 8:].mean(1)
kg = 4300 + 16 * soil.N_kg - 0.035 * soil.N_kg ** 2 - 500 * (soil.ph - 6.6) ** 2 + 130 * soil.humus
kg += 1700 * np.tanh((late_rain - 17) / 9) * (1.6 - soil.clay / 45) - 190 * (temp[:, 10:].mean(1) - 17)
kg = (kg + rs.normal(0, 260, n_plots)).values

# gauges fail now and then
rain[rs.rand(n_plots, n_dek) < 0.01] = np.nan
rain = pd.DataFrame(rain).interpolate(axis=1, limit_direction='both').values

S = soil.values.astype('float32')
W = np.stack([temp, rain, rad], axis=-1).astype('float32')

idx = rs.permutation(n_plots)
S, W, kg = S[idx], W[idx], kg[idx].astype('float32')
n_tr = 1200
mu, sd = kg[:n_tr].mean(), kg[:n_tr].std()

soil_norm = layers.Normalization(name='soil_norm')
weather_norm = layers.Normalization(name='weather_norm')
soil_norm.adapt(S[:n_tr])
weather_norm.adapt(W[:n_tr])

in_s = keras.Input((5,), name='soil')
in_w = keras.Input((n_dek, 3), name='weather')
g = layers.GRU(16, name='season')(weather_norm(in_w))
f = layers.Dense(24, activation='relu', name='profile')(soil_norm(in_s))
both = layers.Concatenate()([g, f])
both = layers.Dense(24, activation='relu', name='plot')(both)
out = layers.Dense(1, name='yield')(both)
net = keras.Model([in_s, in_w], out)
opt = keras.optimizers.Adam(5e-3)


@tf.function
def step(s, w, y):
    with tf.GradientTape() as tape:
        pred = net([s, w], training=True)
        loss = tf.reduce_mean(tf.square(pred[:, 0] - (y - mu) / sd))
    grads = tape.gradient(loss, net.trainable_variables)
    opt.apply_gradients(zip(grads, net.trainable_variables))
    return loss


def rmse(rows):
    p = net.predict([S[rows], W[rows]], verbose=0)[:, 0] * sd + mu
    return float(np.sqrt(np.mean((p - kg[rows]) ** 2)))


trials = tf.data.Dataset.from_tensor_slices((S[:n_tr], W[:n_tr], kg[:n_tr])).shuffle(n_tr).batch(40)
lr_drop = 10
for season in range(14):
    if season == lr_drop:
        opt.learning_rate.assign(1e-3)
    losses = [float(step(s, w, y)) for s, w, y in trials]
    if season % 2 == 1:
        print(season + 1, 'loss', np.mean(losses), 'rmse kg/ha', rmse(slice(0, n_tr)), rmse(slice(n_tr, None)))

test_rmse = rmse(slice(n_tr, None))
r2 = 1 - test_rmse ** 2 / kg[n_tr:].var()
print('R2 on plots not seen', r2)
""",
    score="max(r2, -1.0) if np.isfinite(r2) else -1.0",
    bar=0.75,
    base=0.0,
    faults=(
        Fault(cause="loss_broadcast", old="tf.square(pred[:, 0] - (y - mu) / sd)",
              new="tf.square(pred - (y - mu) / sd)"),
        Fault(cause="targets_not_scaled", old="mu, sd = kg[:n_tr].mean(), kg[:n_tr].std()", new="mu, sd = 0.0, 1.0",
              beside=("learning_rate_too_low", "too_few_steps", "exploding_gradient")),
        Fault(cause="optimiser_not_applied",
              old="    opt.apply_gradients(zip(grads, net.trainable_variables))\n", new=""),
        Fault(cause="nan_or_inf_in_data", old="interpolate(axis=1, limit_direction='both')",
              new="interpolate(axis=1)"),
        Fault(cause="labels_shuffled_apart", old="kg[idx].astype('float32')", new="kg.astype('float32')",
              beside=("label_noise",)),
        Fault(cause="inputs_not_scaled", old="soil_norm.adapt(S[:n_tr])\nweather_norm.adapt(W[:n_tr])\n", new="",
              layer=("soil_norm", "weather_norm"), beside=("saturated_units",)),
    ),
    seeds=3,
)  # fmt: skip

LEAVES = Program(
    name="agronomist_leaf_scans",
    source="""

# scans of flag leaves (breeding nursery, 24 x 24 px tiles), one folder per scoring class
# 1 = clean, 2 = brown rust, 3 = septoria, 4 = mildew
import os
import numpy as np
import tensorflow as tf
import keras
from keras import layers
from sklearn.metrics import accuracy_score, confusion_matrix

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(100 + SEED)
FOLDERS = ['1_clean', '2_rust', '3_septoria', '4_mildew']
PX = 24
yy, xx = np.mgrid[:PX, :PX]


def scan(folder):
    # no scanner at home: leaves are painted
    green = np.array([70, 120, 50]) + rng.normal(0, 14, 3)
    tile = green + 10 * np.sin(xx * rng.uniform(0.8, 1.4) + rng.uniform(0, 6))[..., None]
    for _ in range(rng.integers(4, 9) if folder == '2_rust' else 0):
        spot = np.hypot(yy - rng.integers(PX), xx - rng.integers(PX)) < rng.uniform(1.0, 1.9)
        tile[spot] = np.array([165, 95, 40]) + rng.normal(0, 12, 3)
    for _ in range(rng.integers(1, 3) if folder == '3_septoria' else 0):
        cy, cx = rng.integers(4, PX - 4, 2)
        blotch = ((yy - cy) / rng.uniform(4, 8)) ** 2 + ((xx - cx) / rng.uniform(2, 3.5)) ** 2 < 1
        tile[blotch] = np.array([150, 115, 60]) + rng.normal(0, 12, 3)
    for _ in range(rng.integers(2, 5) if folder == '4_mildew' else 0):
        r2 = (yy - rng.integers(PX)) ** 2 + (xx - rng.integers(PX)) ** 2
        tile = tile + rng.uniform(35, 70) * np.exp(-r2 / rng.uniform(8, 20))[..., None]
    # dust and old age on every leaf
    for _ in range(rng.integers(0, 3)):
        tile[rng.integers(PX), rng.integers(PX)] += rng.normal(0, 60)
    return np.clip(tile + rng.normal(0, 9, tile.shape), 0, 255).astype('uint8')


def read_folders(n_each, folders=FOLDERS):
    pics, score = [], []
    for k, folder in enumerate(folders):
        for _ in range(n_each):
            pics.append(scan(folder))
            score.append(k)
    return np.array(pics), np.array(score)


pics, scores = read_folders(400)
pics_2023, scores_2023 = read_folders(60)      # other year, never trained on


def prepare(img, k):
    img = tf.cast(img, tf.float32)
    return (img - 100.0) / 50.0, k


def flip(img, k):
    return tf.image.random_flip_left_right(tf.image.random_flip_up_down(img)), k


train = tf.data.Dataset.from_tensor_slices((pics, scores)).shuffle(len(pics)).map(prepare).map(flip).batch(25)
val = tf.data.Dataset.from_tensor_slices((pics_2023, scores_2023)).map(prepare).batch(40)


def conv(x, n, name, stride=2):
    x = layers.Conv2D(n, 3, strides=stride, padding='same', use_bias=False, name=name)(x)
    x = layers.BatchNormalization(momentum=0.85, name=name + '_bn')(x)
    return layers.Activation('relu')(x)


inp = keras.Input((PX, PX, 3))
x = conv(inp, 12, 'c1')
x = conv(x, 24, 'c2')
x = conv(x, 32, 'c3')
x = layers.GlobalAveragePooling2D()(x)
x = layers.Dropout(0.2)(x)
out = layers.Dense(len(FOLDERS), activation='softmax', name='class')(x)
model = keras.Model(inp, out)

model.compile(optimizer=keras.optimizers.Adam(4e-3), loss='sparse_categorical_crossentropy', metrics=['accuracy'])
hist = model.fit(train, validation_data=val, epochs=7, verbose=2)

said = model.predict(val, verbose=0).argmax(1)
acc = accuracy_score(scores_2023, said)
print(confusion_matrix(scores_2023, said))
print('agreement with the breeder:', round(acc, 3))
""",
    score="acc",
    bar=0.85,
    base=0.25,
    odd="validation comes sorted by class, which does not matter there",
    faults=(
        Fault(cause="data_sorted", old=".shuffle(len(pics)).map(prepare)", new=".map(prepare)",
              beside=("batchnorm_mode", "pipeline_order")),
        Fault(cause="shuffle_buffer_too_small", old=".shuffle(len(pics))", new=".shuffle(32)",
              accept=("data_sorted",), beside=("batchnorm_mode",)),
        Fault(cause="pipeline_order", old=".shuffle(len(pics)).map(prepare).map(flip).batch(25)",
              new=".map(prepare).map(flip).batch(25).shuffle(len(pics))", accept=("data_sorted",),
              beside=("batchnorm_mode",)),
        Fault(cause="batchnorm_mode", old="momentum=0.85", new="momentum=0.9998",
              layer=("c1_bn", "c2_bn", "c3_bn"), beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="missing_class", old="pics, scores = read_folders(400)",
              new="pics, scores = read_folders(400, FOLDERS[:3])", beside=("class_imbalance",)),
        Fault(cause="train_val_preprocessing_mismatch", old="(pics_2023, scores_2023)).map(prepare).batch(40)",
              new="(pics_2023, scores_2023)).batch(40)", beside=("inputs_not_scaled",)),
        Fault(cause="leakage_duplicates",
              old="pics_2023, scores_2023 = read_folders(60)      # other year, never trained on\n",
              new="pics_2023, scores_2023 = pics[::4], scores[::4]      # every fourth\n", certain=True),
    ),
    pairs=(("missing_class", "train_val_preprocessing_mismatch"),),
    seeds=3,
)  # fmt: skip

PROGRAMS = (YIELD, LEAVES)
