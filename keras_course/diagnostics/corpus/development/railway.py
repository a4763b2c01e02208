"""Scripts of a railway's engineers: reports of door faults and pictures of the track."""

from keras_course.diagnostics.corpus import Fault, Program

DOORS = Program(
    name="railway_door_reports",
    source="""
# Door reports of the regional fleet: which of four components will the workshop find worn?
import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

COMPONENTS = ['seal', 'motor', 'lock', 'edge']
DOOR_TYPES = ['sliding', 'plug', 'folding', 'pocket']
SENSORS = ['closing_ms', 'peak_mA', 'cycles_per_day', 'cabin_pa', 'age_years']


def fleet_export(n):
    # stands in for the CSV of the diagnosis server
    kind = rng.integers(0, len(DOOR_TYPES), n)
    z = rng.normal(size=(n, 5))
    df = pd.DataFrame({
        'door_type': np.array(DOOR_TYPES)[kind],
        'closing_ms': 3100 + 240 * z[:, 0] + np.array([0, 300, -200, 100])[kind],
        'peak_mA': 5200 + 650 * z[:, 1],
        'cycles_per_day': 420 + 90 * z[:, 2],
        'cabin_pa': 38 + 9 * z[:, 3],
        'age_years': 11 + 3.5 * z[:, 4],
    })
    risk = np.stack([
        2.2 * z[:, 4] - 2.0 * z[:, 3],
        2.8 * z[:, 1] + 1.2 * z[:, 2],
        2.5 * z[:, 0] * np.where(kind == 1, -1, 1) + 1.0 * (kind == 3),
        2.6 * np.abs(z[:, 0]) - 2.2 + 1.6 * z[:, 2],
    ], axis=1)
    worn = risk + rng.logistic(size=risk.shape) * 0.6 > 0
    for k, part in enumerate(COMPONENTS):
        df['worn_' + part] = np.where(worn[:, k], 'Y', 'N')
    df['workshop_minutes'] = 15 + worn @ np.array([10, 45, 20, 90]) + rng.uniform(0, 8, n)
    for col in ('cabin_pa', 'peak_mA'):  # loggers drop out now and then
        df.loc[rng.random(n) < 0.03, col] = np.nan
    return df


doors = fleet_export(4000)
train_df, test_df = train_test_split(doors, test_size=0.25, random_state=SEED)
medians = train_df[SENSORS].median()


def to_arrays(df):
    sensors = df[SENSORS].fillna(medians).to_numpy('float32')
    kind = pd.Categorical(df['door_type'], categories=DOOR_TYPES).codes.astype('int32')
    worn = (df[['worn_' + c for c in COMPONENTS]] == 'Y').to_numpy('float32')
    return {'sensors': sensors, 'door_type': kind}, worn


x_tr, y_tr = to_arrays(train_df)
x_te, y_te = to_arrays(test_df)

scaler = layers.Normalization(name='scaler')
scaler.adapt(x_tr['sensors'])

PENALTY = keras.regularizers.L2(1e-5)
sensors_in = keras.Input((len(SENSORS),), name='sensors')
type_in = keras.Input((), dtype='int32', name='door_type')
s = scaler(sensors_in)
t = layers.Embedding(len(DOOR_TYPES), 3, name='type_vectors')(type_in)
h = layers.Concatenate()([s, t])
h = layers.Dense(48, activation='relu', kernel_regularizer=PENALTY, name='wide')(h)
h = layers.Dense(32, activation='relu', kernel_regularizer=PENALTY, name='narrow')(h)
out = layers.Dense(len(COMPONENTS), activation='sigmoid', name='worn')(h)
model = keras.Model([sensors_in, type_in], out)
model.compile(optimizer=keras.optimizers.Adam(3e-3), loss='binary_crossentropy', metrics=['binary_accuracy'])

ds = tf.data.Dataset.from_tensor_slices((x_tr, y_tr)).shuffle(len(y_tr)).batch(50).prefetch(1)
ds_te = tf.data.Dataset.from_tensor_slices((x_te, y_te)).batch(200)
model.fit(ds, validation_data=ds_te, epochs=15, verbose=2)

p = model.predict(ds_te, verbose=0)
per_part = [balanced_accuracy_score(y_te[:, k] > 0, p[:, k] > 0.5) for k in range(len(COMPONENTS))]
for part, value in zip(COMPONENTS, per_part):
    print(f'{part:8} {value:.3f}')
""",
    score="np.mean(per_part) if y_te.any() else 0.5",
    bar=0.8,
    base=0.5,
    faults=(
        Fault(cause="inputs_not_scaled", old="s = scaler(sensors_in)", new="s = sensors_in", layer=()),
        Fault(cause="constant_labels", old=" == 'Y').to_numpy(", new=" == 'yes').to_numpy(",
              accept=("label_encoding",), beside=("missing_class", "class_imbalance")),
        Fault(cause="leakage_feature", old="'cabin_pa', 'age_years']", new="'cabin_pa', 'age_years', 'workshop_minutes']",
              certain=True),
        Fault(cause="wrong_head_for_labels", old="activation='sigmoid', name='worn'",
              new="activation='softmax', name='worn'", accept=("output_range_cannot_reach_targets",),
              beside=("wrong_loss_for_task",), layer=("worn",)),
        Fault(cause="nan_or_inf_in_data", old="df[SENSORS].fillna(medians).to_numpy", new="df[SENSORS].to_numpy"),
        Fault(cause="label_encoding", old=" == 'Y').to_numpy('float32')", new=" == 'Y').to_numpy('float32') * 2 - 1",
              accept=("output_range_cannot_reach_targets", "wrong_head_for_labels"), beside=("wrong_loss_for_task",)),
        Fault(cause="regularisation_overwhelms",
              old="PENALTY = keras.regularizers.L2(1e-5)", new="PENALTY = keras.regularizers.L2(0.5)",
              beside=("dead_units",), layer=("wide", "narrow")),
    ),
    pairs=(("leakage_feature", "wrong_head_for_labels"),),
    seeds=3,
)  # fmt: skip

MASKS = Program(
    name="railway_track_masks",
    source="""
# Rail masks from the camera under the measuring coach, grey 24 x 24 tiles
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
N = 24


def tile():
    rows = np.arange(N)[:, None]
    cols = np.arange(N)[None, :]
    img = rng.normal(95, 22, (N, N))  # ballast
    pitch, phase = rng.integers(5, 8), rng.integers(0, 6)
    img += 30 * ((rows + phase) % pitch < 2)  # concrete sleepers
    left = rng.uniform(3, 8) + rng.uniform(-0.15, 0.15) * rows + rng.uniform(-0.006, 0.006) * rows ** 2
    gauge = rng.uniform(8, 11)
    mask = (np.abs(cols - left) < 1.1) | (np.abs(cols - left - gauge) < 1.1)
    img = np.where(mask, rng.uniform(120, 150) + rng.normal(0, 20, (N, N)), img)
    if rng.random() < 0.5:  # a cable duct lies across, as bright as a rail
        img[rng.integers(2, N - 3):, :][:2] = 140
    return np.clip(img, 0, 255), mask


def tiles(n):
    pairs = [tile() for _ in range(n)]
    photos = np.stack([a for a, _ in pairs]).astype('float32')[..., None]
    masks = np.stack([b for _, b in pairs]).astype('float32')[..., None]
    return photos, masks


photos, masks = tiles(320)
photos_val, masks_val = tiles(80)
photos_new, masks_new = tiles(120)


def prepare(photo):
    return (photo - 110.0) / 45.0


def block(x, filters, name):
    x = layers.Conv2D(filters, 3, padding='same', use_bias=False, name=name + '_conv')(x)
    x = layers.BatchNormalization(momentum=0.9, name=name + '_bn')(x)
    return layers.ReLU(name=name + '_relu')(x)


def build():
    inputs = keras.Input((N, N, 1))
    d1 = block(inputs, 8, 'down1')
    d2 = block(layers.MaxPooling2D()(d1), 16, 'down2')
    mid = block(layers.MaxPooling2D()(d2), 24, 'middle')
    u2 = block(layers.Concatenate()([layers.UpSampling2D()(mid), d2]), 16, 'up2')
    u1 = block(layers.Concatenate()([layers.UpSampling2D()(u2), d1]), 8, 'up1')
    outputs = layers.Conv2D(1, 1, name='mask')(u1)
    return keras.Model(inputs, outputs)


unet = build()
opt = keras.optimizers.Adam(learning_rate=1e-2)
bce = keras.losses.BinaryCrossentropy(from_logits=True)
pixels = keras.metrics.BinaryAccuracy(threshold=0.0)


@tf.function
def step(x, y):
    with tf.GradientTape() as tape:
        z = unet(x, training=True)
        loss = bce(y, z)
    params = unet.trainable_variables
    opt.apply_gradients(zip(tape.gradient(loss, params), params))
    return loss


@tf.function
def look(x, y):
    z = unet(x, training=False)
    pixels.update_state(y, z)
    return bce(y, z)


def dice(z, y):
    guess = z > 0
    return 2 * np.sum(guess * y) / (np.sum(guess) + np.sum(y) + 1e-6)


train = tf.data.Dataset.from_tensor_slices((prepare(photos), masks)).shuffle(320).batch(16)
val = tf.data.Dataset.from_tensor_slices((prepare(photos_val), masks_val)).batch(40)
for epoch in range(8):
    running = [float(step(x, y)) for x, y in train]
    pixels.reset_state()
    held = [float(look(x, y)) for x, y in val]
    print(f'epoch {epoch}  loss {np.mean(running):.4f}  val {np.mean(held):.4f}  pixels {float(pixels.result()):.3f}')

z = unet(prepare(photos_new), training=False).numpy()
rail_dice = dice(z, masks_new)
print('dice', rail_dice)
""",
    score="rail_dice",
    bar=0.85,
    base=0.3,
    faults=(
        Fault(cause="probabilities_to_logits_loss", old="layers.Conv2D(1, 1, name='mask')",
              new="layers.Conv2D(1, 1, activation='sigmoid', name='mask')", beside=("wrong_metric",), layer=("mask",)),
        Fault(cause="batchnorm_mode", old="BatchNormalization(momentum=0.9,", new="BatchNormalization(momentum=0.999,",
              layer=("down1_bn", "down2_bn", "middle_bn", "up2_bn", "up1_bn"),
              beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="frozen_or_disconnected", old="    params = unet.trainable_variables\n",
              new="    params = unet.get_layer('mask').trainable_variables\n",
              layer=tuple(f"{part}_{kind}" for part in ("down1", "down2", "middle", "up2", "up1") for kind in ("conv", "bn"))),
        Fault(cause="wrong_metric", old="BinaryAccuracy(threshold=0.0)", new="BinaryAccuracy()", certain=True),
        Fault(cause="learning_rate_too_low", old="learning_rate=1e-2", new="learning_rate=5e-6",
              beside=("too_few_steps",)),
        Fault(cause="train_val_preprocessing_mismatch", old="from_tensor_slices((prepare(photos_val), masks_val))",
              new="from_tensor_slices((photos_val / 255.0, masks_val))", certain=True),
        Fault(cause="optimiser_not_applied", old="    opt.apply_gradients(zip(tape.gradient(loss, params), params))",
              new="    grads = tape.gradient(loss, params)"),
    ),
    pairs=(("probabilities_to_logits_loss", "learning_rate_too_low"),),
    seeds=3,
)  # fmt: skip

PROGRAMS = (DOORS, MASKS)
