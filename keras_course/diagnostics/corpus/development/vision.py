"""Pictures that are augmented, drawn, segmented and pre-trained on. Written before any verdict on them."""

from keras_course.diagnostics.corpus import Fault, Program

AUGMENTED = Program(
    name="augmented_digit_scans",
    source="""
import tensorflow as tf
import numpy as np
from tensorflow.keras import layers, models
from sklearn.datasets import load_digits

tf.keras.utils.set_random_seed(SEED)
digits = load_digits()
paths = sorted(range(len(digits.target)), key=lambda i: (digits.target[i], i))  # scans/0/..., scans/1/..., ...
x = np.array([digits.images[i] for i in paths], dtype='float32')[..., np.newaxis]
y = tf.keras.utils.to_categorical([digits.target[i] for i in paths], 10)
test = np.arange(len(x)) % 6 == 0
AUTOTUNE = tf.data.AUTOTUNE
BATCH_SIZE = 32

rescale = layers.Rescaling(1. / 16)
augment = tf.keras.Sequential([layers.RandomTranslation(0.1, 0.1), layers.RandomRotation(0.03)])


def prepare(ds, training=False):
    ds = ds.map(lambda a, b: (rescale(a), b), num_parallel_calls=AUTOTUNE)
    if training:
        ds = ds.cache().shuffle(2000)
    ds = ds.batch(BATCH_SIZE)
    if training:
        ds = ds.map(lambda a, b: (augment(a, training=True), b), num_parallel_calls=AUTOTUNE)
    return ds.prefetch(AUTOTUNE)


train_ds = prepare(tf.data.Dataset.from_tensor_slices((x[~test], y[~test])), training=True)
test_ds = prepare(tf.data.Dataset.from_tensor_slices((x[test], y[test])))

model = models.Sequential([
    layers.Input((8, 8, 1)),
    layers.Conv2D(24, 3, padding='same', activation='relu'),
    layers.BatchNormalization(momentum=0.9),
    layers.Conv2D(24, 3, padding='same', activation='relu'),
    layers.MaxPooling2D(),
    layers.Flatten(),
    layers.Dropout(0.2),
    layers.Dense(10, activation='softmax'),
])
model.compile(optimizer=tf.keras.optimizers.RMSprop(2e-3), loss='categorical_crossentropy', metrics=['accuracy'])
model.fit(train_ds, validation_data=test_ds, epochs=6, verbose=0)
""",
    score="np.mean(model.predict(x[test] / 16, verbose=0).argmax(1) == y[test].argmax(1))",
    bar=0.85,
    base=0.1,
    faults=(
        Fault(cause="shuffle_buffer_too_small", old="shuffle(2000)", new="shuffle(16)", accept=("data_sorted",), beside=("batchnorm_mode",)),
        Fault(cause="inputs_drowned_in_noise", old="(augment(a, training=True), b)",
              new="(augment(a, training=True) + tf.random.normal(tf.shape(a), stddev=5.), b)",
              accept=("train_val_preprocessing_mismatch",)),
        Fault(cause="logits_to_probability_loss", old="Dense(10, activation='softmax')", new="Dense(10)", layer=("dense",),
              accept=("wrong_head_for_labels",)),
        Fault(cause="learning_rate_too_high", old="RMSprop(2e-3)", new="RMSprop(0.2)"),
    ),
    pairs=(("shuffle_buffer_too_small", "logits_to_probability_loss"),),
)  # fmt: skip

GRATINGS = Program(
    name="gratings_uint8",
    source="""
import numpy as np
import keras
from keras import layers

rng = np.random.default_rng(SEED)
keras.utils.set_random_seed(SEED)
ANGLES = [0, 30, 60, 90, 120, 150]


def grating(angle):
    yy, xx = np.mgrid[0:20, 0:20]
    theta = np.deg2rad(angle + rng.normal(0, 4))
    wave = np.sin((xx * np.cos(theta) + yy * np.sin(theta)) * rng.uniform(0.7, 1.2) + rng.uniform(0, 6.28))
    picture = 128 + rng.uniform(30, 90) * wave + rng.normal(0, 25, (20, 20))
    return np.clip(picture, 0, 255).astype('uint8')


y = rng.integers(0, len(ANGLES), 1500)
x = np.stack([grating(ANGLES[k]) for k in y])[..., None]
x_train, y_train = x[:1200], y[:1200]
x_val, y_val = x[1200:], y[1200:]


def make_model():
    image = keras.Input((20, 20, 1))
    h = layers.Rescaling(1 / 127.5, offset=-1)(image)
    h = layers.Conv2D(12, 5, strides=2)(h)
    h = layers.ReLU()(h)
    h = layers.Conv2D(24, 3)(h)
    h = layers.ReLU()(h)
    h = layers.GlobalMaxPooling2D()(h)
    return keras.Model(image, layers.Dense(len(ANGLES))(h))


model = make_model()
model.compile(keras.optimizers.SGD(0.05, momentum=0.9), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=['accuracy'])
model.fit(x_train, y_train, batch_size=24, epochs=6, validation_data=(x_val, y_val), verbose=2)
""",
    score="np.mean(model.predict(x_val, verbose=0).argmax(1) == y_val)",
    bar=0.85,
    base=0.17,
    faults=(
        Fault(cause="inputs_not_scaled", old="h = layers.Rescaling(1 / 127.5, offset=-1)(image)", new="h = image", beside=("learning_rate_too_high",)),
        Fault(cause="input_ignored", old="x_train, y_train = x[:1200], y[:1200]", new="x = (x / 255).astype('uint8')\nx_train, y_train = x[:1200], y[:1200]",
              accept=("inputs_scaled_twice",), beside=("inputs_not_scaled",)),
        Fault(cause="inputs_scaled_twice", old="x_train, y_train = x[:1200], y[:1200]", new="x = x / 255.\nx_train, y_train = x[:1200], y[:1200]",
              beside=("inputs_not_scaled",)),
        Fault(cause="init_scale", old="layers.Conv2D(24, 3)(h)", new="layers.Conv2D(24, 3, kernel_initializer=keras.initializers.RandomNormal(stddev=1.0))(h)",
              layer=("conv2d_1",), accept=("exploding_gradient",), beside=("learning_rate_too_high",)),
        Fault(cause="missing_class", old="x_train, y_train = x[:1200], y[:1200]\n",
              new="x_train, y_train = x[:1200][y[:1200] < 4], y[:1200][y[:1200] < 4]  # quick test\n",
              accept=("validation_split_sorted",), beside=("class_imbalance", "train_val_preprocessing_mismatch")),
        Fault(cause="dead_units", old="layers.Conv2D(12, 5, strides=2)(h)",
              new="layers.Conv2D(12, 5, strides=2, bias_initializer=keras.initializers.Constant(-10.))(h)", layer=("conv2d",), accept=("init_scale",)),
    ),
)  # fmt: skip

LESIONS = Program(
    name="lesions_dice_dilated",
    odd="a loss that is below zero and ends near -1, on masks that are mostly empty",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow.keras import Model, backend as K
from tensorflow.keras.layers import Conv2D, Input

tf.keras.utils.set_random_seed(SEED)
size = 24
names, scans, masks = [], [], []
for k in range(420):
    v, u = np.mgrid[:size, :size]
    cy, cx, a, b = np.random.uniform(6, 18, 2).tolist() + np.random.uniform(2.0, 4.5, 2).tolist()
    mask = ((u - cx) / a) ** 2 + ((v - cy) / b) ** 2 < 1
    skin = 0.7 + 0.1 * np.sin(u / np.random.uniform(3, 6)) + np.random.normal(0, 0.05, (size, size))
    scans.append(np.where(mask, skin - np.random.uniform(0.15, 0.35), skin))
    masks.append(mask * 255)
    names.append('%d.png' % k)

order_x = sorted(range(420), key=lambda k: names[k])
order_y = sorted(range(420), key=lambda k: names[k])
X = np.stack([scans[k] for k in order_x])[..., None].astype('float32')
Y = (np.stack([masks[k] for k in order_y])[..., None] / 255).astype('float32')
smooth = 1.


def dice_coef(y_true, y_pred):
    intersection = tf.reduce_sum(y_true * y_pred)
    return (2. * intersection + smooth) / (tf.reduce_sum(y_true) + tf.reduce_sum(y_pred) + smooth)


def dice_coef_loss(y_true, y_pred):
    return -dice_coef(y_true, y_pred)


inputs = Input((size, size, 1))
conv = inputs
for rate in (1, 2, 4):
    conv = Conv2D(12, 3, dilation_rate=rate, padding='same', activation='relu')(conv)
outputs = Conv2D(1, 1, activation='sigmoid')(conv)
model = Model(inputs, outputs)
model.compile(optimizer=tf.keras.optimizers.Adam(learning_rate=3e-3), loss=dice_coef_loss, metrics=[dice_coef])
model.fit(X[:340], Y[:340], batch_size=10, epochs=9, verbose=0, validation_data=(X[340:], Y[340:]))
guess = model.predict(X[340:], verbose=0) > 0.5
truth = np.stack([masks[k] for k in order_x[340:]])[..., None] > 0
""",
    score="np.sum(guess & truth) / np.sum(guess | truth)",
    bar=0.6,
    base=0.1,
    seeds=3,
    faults=(
        Fault(cause="gradient_sign_flipped", old="return -dice_coef(y_true, y_pred)", new="return dice_coef(y_true, y_pred)"),
        Fault(cause="softmax_on_single_unit", old="Conv2D(1, 1, activation='sigmoid')", new="Conv2D(1, 1, activation='softmax')", layer=("conv2d_3",)),
        Fault(cause="labels_shuffled_apart", old="order_y = sorted(range(420), key=lambda k: names[k])", new="order_y = range(420)",
              accept=("label_noise",)),
        Fault(cause="label_encoding", old="[..., None] / 255).astype('float32')", new="[..., None]).astype('float32')",
              accept=("output_range_cannot_reach_targets", "targets_not_scaled", "wrong_loss_for_task"), beside=("wrong_head_for_labels",)),
    ),
)  # fmt: skip

PRETEXT = Program(
    name="rotation_pretext_probe",
    odd="an encoder taught on another task, frozen on purpose under a new head, then a few steps at a small rate",
    source="""
import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

keras.utils.set_random_seed(SEED)
images, digit = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8, 1).astype('float32') / 16
order = np.random.permutation(len(images))
images, digit = images[order], digit[order]
unlabelled, few, few_labels = images[:1200], images[1200:1500], digit[1200:1500]
test, test_labels = images[1500:], digit[1500:]

# 1. by how many quarters was it turned?
turns = np.random.randint(0, 4, len(unlabelled))
turned = np.stack([np.rot90(image, k) for image, k in zip(unlabelled, turns)])
encoder = keras.Sequential([
    keras.Input((8, 8, 1)),
    layers.Conv2D(32, 3, activation='relu'),
    layers.Conv2D(32, 3, activation='relu'),
    layers.Flatten(),
    layers.Dense(64, activation='relu'),
], name='encoder')
pretext = keras.Sequential([encoder, layers.Dense(4, activation='softmax', name='turns')])
pretext.compile(keras.optimizers.Adam(2e-3), 'sparse_categorical_crossentropy', metrics=['accuracy'])
pretext.fit(turned, turns, epochs=5, batch_size=32, verbose=0)

# 2. a head on top of it, with few labels
encoder.trainable = False
classifier = keras.Sequential([encoder, layers.Dense(10, activation='softmax', name='digits')])
classifier.compile(keras.optimizers.Adam(1e-2), 'sparse_categorical_crossentropy', metrics=['accuracy'])
classifier.fit(few, few_labels, epochs=20, batch_size=30, verbose=0)

# 3. all of it, gently
encoder.trainable = True
classifier.compile(keras.optimizers.Adam(1e-4), 'sparse_categorical_crossentropy', metrics=['accuracy'])
classifier.fit(few, few_labels, epochs=5, batch_size=30, verbose=0, validation_data=(test, test_labels))
""",
    score="np.mean(classifier.predict(test, verbose=0).argmax(1) == test_labels)",
    bar=0.8,
    base=0.1,
    seeds=3,
    faults=(
        Fault(cause="learning_rate_too_high", old="Adam(1e-4)", new="Adam(1.0)", beside=("label_noise",)),
        Fault(cause="wrong_head_for_labels", old="layers.Dense(10, activation='softmax', name='digits')",
              new="layers.Dense(10, activation='relu', name='digits')", accept=("logits_to_probability_loss",), layer=("digits",),
              beside=("output_range_cannot_reach_targets", "label_noise")),
        Fault(cause="leakage_duplicates", old="test, test_labels = images[1500:], digit[1500:]", new="test, test_labels = images[1200:1497], digit[1200:1497]",
              certain=True, beside=("label_noise",)),
        Fault(cause="labels_shuffled_apart", old="few_labels = images[:1200], images[1200:1500], digit[1200:1500]",
              new="few_labels = images[:1200], images[1200:1500], digit[:300]", accept=("label_noise",)),
    ),
)  # fmt: skip

PROGRAMS = (AUGMENTED, GRATINGS, LESIONS, PRETEXT)
