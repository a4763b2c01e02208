"""Scripts by people who stand in a laboratory: baselines of chromatograms, wells of a plate read by camera."""

from keras_course.diagnostics.corpus import Fault, Program

BASELINE = Program(
    name="laboratory_chromatogram_baseline",
    source='''
"""Takes drift and noise off HPLC traces (detector 2, 96 points per window, signal in mAU).

Trained on made-up traces, because for those we know what lies below the drift.
"""
import os
os.environ['TF_CPP_MIN_LOG_LEVEL'] = '2'
import numpy as np
import tensorflow as tf
import keras
from keras.layers import Conv1D, Input

keras.utils.set_random_seed(SEED)
np.random.seed(SEED)

POINTS = 96
FULL_SCALE = 200.0      # mAU
WIDTH = 16              # filters per layer
EPOCHS = 16
BATCH = 32
JITTER = 0.02           # extra noise per epoch, fraction of full scale

t = np.arange(POINTS)


def peaks():
    y = np.zeros(POINTS)
    for _ in range(np.random.randint(1, 5)):
        width = np.random.uniform(1.2, 3.5)
        height = np.random.uniform(40, 600)
        y += height * np.exp(-0.5 * ((t - np.random.uniform(6, 90)) / width) ** 2)
    return y


def drift():
    ramp = np.random.uniform(-600, 600) * (t / POINTS - 0.5)
    wave = np.random.uniform(50, 350) * np.sin(2 * np.pi * t / np.random.uniform(60, 200) + np.random.uniform(0, 6.3))
    step = np.random.uniform(0, 500) / (1 + np.exp(-(t - np.random.uniform(20, 80)) / 8))   # gradient of the eluent
    return ramp + wave + step


def traces(n):
    clean = np.array([peaks() for _ in range(n)])
    raw = clean + np.array([drift() for _ in range(n)]) + np.random.normal(0, 8, clean.shape)
    return raw[..., None].astype('float32'), clean[..., None].astype('float32')


raw_train, clean_train = traces(960)
raw_val, clean_val = traces(300)
x_train, y_train = raw_train / FULL_SCALE, clean_train / FULL_SCALE
x_val, y_val = raw_val / FULL_SCALE, clean_val / FULL_SCALE

ACT = 'relu'
inp = Input((POINTS, 1))
h = Conv1D(WIDTH, 7, padding='same', activation=ACT, name='c1')(inp)
h = Conv1D(WIDTH, 7, padding='same', dilation_rate=2, activation=ACT, name='c2')(h)
h = Conv1D(WIDTH, 7, padding='same', dilation_rate=4, activation=ACT, name='c3')(h)
out = Conv1D(1, 5, padding='same', name='signal')(h)
net = keras.Model(inp, out)

ds = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(len(x_train)).batch(BATCH)

rate = keras.optimizers.schedules.ExponentialDecay(5e-3, decay_steps=150, decay_rate=0.65)
opt = keras.optimizers.Adam(rate)
mse = keras.losses.MeanSquaredError()
weights = net.trainable_variables


@tf.function
def step(x, y):
    x = x + tf.random.normal(tf.shape(x), stddev=JITTER)
    with tf.GradientTape() as tape:
        loss = mse(y, net(x, training=True))
    opt.apply_gradients(zip(tape.gradient(loss, weights), weights))
    return loss


for epoch in range(EPOCHS):
    losses = [step(x, y) for x, y in ds]
    val = mse(y_val, net(x_val)).numpy()
    print(f'epoch {epoch:2d}   train {np.mean(losses):.4f}   val {val:.4f}')

restored = net.predict(x_val, verbose=0) * FULL_SCALE
rmse = np.sqrt(np.mean((restored - clean_val) ** 2))
better = 1 - rmse / np.std(clean_val)
print(f'residual {rmse:.1f} mAU rms, {100 * better:.1f} % better than a flat line')
''',
    score="max(better, -1.0)",
    bar=0.8,
    base=0.0,
    faults=(
        Fault(cause="output_range_cannot_reach_targets", old="Conv1D(1, 5, padding='same', name='signal')",
              new="Conv1D(1, 5, padding='same', activation='sigmoid', name='signal')", layer=("signal",),
              beside=("targets_not_scaled",)),
        Fault(cause="missing_nonlinearity", old="ACT = 'relu'", new="ACT = None", layer=("c1", "c2", "c3")),
        Fault(cause="frozen_or_disconnected", old="weights = net.trainable_variables",
              new="weights = net.layers[-1].trainable_variables", layer=("c1", "c2", "c3")),
        Fault(cause="underfitting_capacity", old="WIDTH = 16 ", new="WIDTH = 1 "),
        Fault(cause="too_few_steps", old="EPOCHS = 16", new="EPOCHS = 1"),
        Fault(cause="inputs_drowned_in_noise", old="JITTER = 0.02 ", new="JITTER = 2.0 ",
              beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="lr_schedule_wrong", old="decay_steps=150", new="decay_steps=3",
              beside=("too_few_steps", "learning_rate_too_low")),
    ),
    seeds=3,
)  # fmt: skip

WELLS = Program(
    name="laboratory_plate_wells",
    source='''
# Agglutination test, 96-well plates photographed from above, one 18 x 18 crop (RGB) per well.
# The reading of the bench (sheet "layout") is the label.
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

READINGS = ['button', 'ring', 'mat', 'bubble', 'empty']
yy, xx = np.mgrid[:18, :18] - 8.5


def photo(reading, tint):
    cx, cy = rng.normal(0, 0.8, 2)
    r = np.hypot(xx - cx, yy - cy)
    red = np.zeros((18, 18))
    if reading == 0:
        red = np.exp(-(r / rng.uniform(1.8, 2.8)) ** 2)
    elif reading == 1:
        red = np.exp(-((r - rng.uniform(3, 4.5)) / 1.0) ** 2)
    elif reading == 2:
        red = 0.45 * (r < rng.uniform(6, 7.5)) * (1 + 0.3 * rng.normal(size=r.shape))
    elif reading == 3:
        red = np.exp(-(r / rng.uniform(1.8, 2.8)) ** 2)
        bx, by = rng.uniform(-3, 3, 2)
        red -= 0.9 * (np.hypot(xx - bx, yy - by) < rng.uniform(1.2, 2.0))
    img = np.ones((18, 18, 3)) * tint
    img -= red[..., None] * np.array([40, 130, 120]) * rng.uniform(0.6, 1.1)
    img[np.hypot(xx, yy) > 8.3] = 60          # plastic between the wells
    return np.clip(img + rng.normal(0, 9, img.shape), 0, 255).astype(np.uint8)


def read_plate():
    # most of a plate is controls and weak sera, so the readings come in blocks
    layout = np.sort(rng.choice(5, 96)).reshape(8, 12)
    tint = np.array([225, 205, 190]) + rng.normal(0, 8, 3)
    crops = np.stack([photo(k, tint) for k in layout.ravel()])
    codes = layout.ravel()
    return crops, codes


def collect(plates):
    crops, codes = zip(*[read_plate() for _ in range(plates)])
    crops, codes = np.concatenate(crops), np.concatenate(codes)
    order = np.argsort(codes, kind='stable')      # the archive keeps one folder per reading
    return crops[order], codes[order]


x_train, y_train = collect(14)
x_val, y_val = collect(4)
x_test, y_test = collect(6)
print(len(x_train), 'wells,', np.bincount(y_train), 'per reading')


def turned(image, label):
    image = tf.image.random_flip_left_right(image)
    return tf.image.random_flip_up_down(image), label


train_ds = (tf.data.Dataset.from_tensor_slices((x_train, y_train))
            .shuffle(len(x_train))
            .map(turned)
            .batch(32)
            .prefetch(2))
val_ds = tf.data.Dataset.from_tensor_slices((x_val, y_val)).batch(128)
test_ds = tf.data.Dataset.from_tensor_slices((x_test, y_test)).batch(128)

model = keras.Sequential([
    keras.Input((18, 18, 3)),
    layers.Rescaling(1 / 255),
    layers.Conv2D(16, 3, name='conv_a'),
    layers.BatchNormalization(momentum=0.9, name='norm_a'),
    layers.ReLU(),
    layers.MaxPooling2D(),
    layers.Conv2D(24, 3, name='conv_b'),
    layers.BatchNormalization(momentum=0.9, name='norm_b'),
    layers.ReLU(),
    layers.MaxPooling2D(),
    layers.Conv2D(32, 3, name='conv_c'),
    layers.BatchNormalization(momentum=0.9, name='norm_c'),
    layers.ReLU(),
    layers.GlobalAveragePooling2D(),
    layers.Dense(len(READINGS), name='reading'),
])
model.compile(optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, 8 * len(train_ds))),
              loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
              metrics=[keras.metrics.SparseCategoricalAccuracy(name='agreement')])
model.fit(train_ds, validation_data=val_ds, epochs=8, verbose=2)

result = model.evaluate(test_ds, return_dict=True, verbose=0)
agreement = result['agreement']
print('agreement with the bench:', round(agreement, 3))
''',
    score="agreement",
    bar=0.8,
    base=0.2,
    faults=(
        Fault(cause="batchnorm_mode", old="layers.BatchNormalization(momentum=0.9, name='norm_b')",
              new="layers.BatchNormalization(momentum=0.9999, name='norm_b')", layer=("norm_b",),
              beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="logits_to_probability_loss", old="SparseCategoricalCrossentropy(from_logits=True)",
              new="SparseCategoricalCrossentropy()"),
        Fault(cause="pipeline_order", old="            .shuffle(len(x_train))\n            .map(turned)\n            .batch(32)\n",
              new="            .map(turned)\n            .batch(32)\n            .shuffle(len(x_train))\n",
              accept=("data_sorted",), beside=("batchnorm_mode",)),
        Fault(cause="loss_metric_inconsistent", old="keras.metrics.SparseCategoricalAccuracy(", new="keras.metrics.CategoricalAccuracy(",
              accept=("wrong_metric",)),
        Fault(cause="learning_rate_too_low", old="CosineDecay(3e-3,", new="CosineDecay(3e-6,", beside=("too_few_steps", "lr_schedule_wrong")),
        Fault(cause="label_noise", old="    codes = layout.ravel()\n", new="    codes = layout.ravel() if rng.random() < 0.5 else layout.T.ravel()\n",
              accept=("labels_shuffled_apart",)),
    ),
    pairs=(("batchnorm_mode", "label_noise"),),
    seeds=3,
)  # fmt: skip

PROGRAMS = (BASELINE, WELLS)
