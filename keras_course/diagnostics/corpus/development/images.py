"""Images: digits in folders by class, a subclassed network with its own training step, an autoencoder."""

from keras_course.diagnostics.corpus import Fault, Program

PIPELINE = Program(
    name="digit_folders_cnn",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow.keras import layers
from sklearn.datasets import load_digits

digits = load_digits()
order = np.argsort(digits.target, kind="stable")  # one folder per class, read one after the other
pictures, targets = digits.images[order].astype("float32"), digits.target[order]
held = np.arange(len(targets)) % 5 == 0
x_test, y_test = pictures[held][..., None] / 16, targets[held]

images = tf.data.Dataset.from_tensor_slices(pictures[~held][..., None])
labels = tf.data.Dataset.from_tensor_slices(targets[~held])
images = images.map(lambda image: image / 16)
train = tf.data.Dataset.zip((images, labels))
train = train.shuffle(2000, seed=SEED).batch(32)

model = tf.keras.Sequential([
    layers.Input((8, 8, 1)),
    layers.Conv2D(16, 3, activation="relu", padding="same"),
    layers.MaxPooling2D(),
    layers.Conv2D(32, 3, activation="relu", padding="same"),
    layers.Flatten(),
    layers.Dense(10),
])
model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
model.fit(train, epochs=4, verbose=0)
print(model.evaluate(x_test, y_test, verbose=0))
""",
    score="np.mean(model.predict(x_test, verbose=0).argmax(1) == y_test)",
    bar=0.9,
    base=0.1,
    faults=(
        Fault(
            cause="data_sorted", old="train = train.shuffle(2000, seed=SEED).batch(32)", new="train = train.batch(32)"
        ),
        Fault(
            cause="shuffle_buffer_too_small",
            old=".shuffle(2000, seed=SEED)",
            new=".shuffle(10)",
            accept=("data_sorted",),
        ),
        Fault(
            cause="pipeline_order",
            old=".shuffle(2000, seed=SEED).batch(32)",
            new=".batch(32).shuffle(2000)",
            accept=("data_sorted",),
        ),
        Fault(
            cause="labels_shuffled_apart",
            old="tf.data.Dataset.zip((images, labels))",
            new="tf.data.Dataset.zip((images.shuffle(2000), labels.shuffle(2000)))",
        ),
        Fault(
            cause="probabilities_to_logits_loss",
            old="    layers.Dense(10),\n",
            new='    layers.Dense(10, activation="softmax"),\n    layers.Reshape((10,)),\n',
        ),
        Fault(
            cause="logits_to_probability_loss",
            old="tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)",
            new='"sparse_categorical_crossentropy"',
            accept=("wrong_head_for_labels",),
        ),
        Fault(
            cause="inputs_not_scaled",
            old="images = images.map(lambda image: image / 16)\n",
            new="images = images.map(lambda image: image * 255)\n",
            beside=("train_val_preprocessing_mismatch",),
        ),
        Fault(
            cause="inputs_drowned_in_noise",
            old="lambda image: image / 16)",
            new="lambda image: image / 16 + tf.random.normal(tf.shape(image), stddev=4.0))",
        ),
        Fault(
            cause="input_ignored",
            old="lambda image: image / 16)",
            new="lambda image: tf.cast(image, tf.uint8) / 16 // 1 * 0.0)",
            accept=("inputs_scaled_twice",),
        ),
    ),
    pairs=(("data_sorted", "inputs_not_scaled"),),
)

STEP = Program(
    name="custom_step_cnn",
    source="""
import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

bunch = load_digits()
x = (bunch.images[..., None] / 8 - 1).astype("float32")
x_train, x_test, y_train, y_test = train_test_split(x, bunch.target, test_size=0.2, random_state=SEED)


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.conv = layers.Conv2D(16, 3, padding="same", use_bias=False, name="conv")
        self.norm = layers.BatchNormalization(momentum=0.9)
        self.pool = layers.MaxPooling2D()
        self.flat = layers.Flatten()
        self.drop = layers.Dropout(0.3)
        self.hidden = layers.Dense(32, activation="relu", name="hidden")
        self.head = layers.Dense(10, name="head")

    def call(self, inputs, training=False):
        x = keras.ops.relu(self.norm(self.conv(inputs), training=training))
        x = self.hidden(self.flat(self.pool(x)))
        return self.head(self.drop(x, training=training))

    def train_step(self, data):
        images, labels = data
        with tf.GradientTape() as tape:
            logits = self(images, training=True)
            loss = self.compute_loss(y=labels, y_pred=logits)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
        for metric in self.metrics:
            metric.update_state(loss) if metric.name == "loss" else metric.update_state(labels, logits)
        return {metric.name: metric.result() for metric in self.metrics}


net = Net()
net.compile(
    optimizer=keras.optimizers.Adam(0.002),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
)
history = net.fit(x_train, y_train, batch_size=32, epochs=5, validation_data=(x_test, y_test), verbose=0)
print(history.history)
""",
    score="np.mean(net.predict(x_test, verbose=0).argmax(1) == y_test)",
    bar=0.93,
    base=0.1,
    faults=(
        Fault(
            cause="optimiser_not_applied",
            old="        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))\n",
            new="",
        ),
        Fault(
            cause="gradient_sign_flipped",
            old="gradients = tape.gradient(loss, self.trainable_variables)",
            new="gradients = [-g for g in tape.gradient(loss, self.trainable_variables)]",
        ),
        Fault(
            cause="batchnorm_mode",
            old="BatchNormalization(momentum=0.9)",
            new="BatchNormalization(momentum=0.9999)",
            beside=("train_val_preprocessing_mismatch",),
        ),
        Fault(
            cause="frozen_or_disconnected",
            old="        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))\n",
            new="        self.optimizer.apply_gradients(zip(gradients[:1], self.trainable_variables[:1]))\n",
            beside=("optimiser_not_applied",),
        ),
        Fault(cause="learning_rate_too_high", old="Adam(0.002)", new="Adam(2.0)"),
        Fault(cause="learning_rate_too_low", old="Adam(0.002)", new="Adam(2e-7)"),
        Fault(
            cause="labels_shuffled_apart",
            old="net = Net()",
            new="y_train = tf.random.shuffle(y_train)\nnet = Net()",
            accept=("label_noise",),
        ),
        Fault(
            cause="train_val_preprocessing_mismatch",
            old="net = Net()",
            new="x_test = (x_test + 1) * 127.5\nnet = Net()",
        ),
        Fault(
            cause="dropout_mode",
            old="self.drop(x, training=training)",
            new="keras.ops.nn.relu(tf.nn.dropout(x, 0.9))",
        ),
        Fault(
            cause="probabilities_to_logits_loss",
            old="logits = self(images, training=True)",
            new="logits = tf.nn.softmax(tf.nn.softmax(self(images, training=True)) * 1.0)",
        ),
    ),
    pairs=(("learning_rate_too_low", "labels_shuffled_apart"),),
)

AUTOENCODER = Program(
    name="digits_autoencoder",
    source="""
import numpy as np
from sklearn.datasets import load_digits
from tensorflow import keras
from tensorflow.keras.layers import Dense, Input

x = load_digits().data.astype("float32")
x = x / 16.
np.random.default_rng(SEED).shuffle(x)
x_train, x_test = x[:1500], x[1500:]

encoding = Input(shape=(64,))
code = Dense(24, activation="relu", name="code")(encoding)
decoded = Dense(64, activation="sigmoid", name="decoded")(code)
autoencoder = keras.Model(encoding, decoded)
autoencoder.compile(optimizer=keras.optimizers.Adam(0.005), loss="binary_crossentropy")
autoencoder.fit(x_train, x_train, epochs=6, batch_size=32, shuffle=True, validation_data=(x_test, x_test), verbose=0)
""",
    score="1 - np.mean((autoencoder.predict(x_test, verbose=0) - x_test) ** 2) / np.mean((x_test - x_test.mean(0)) ** 2)",
    bar=0.5,
    base=0.0,
    faults=(
        Fault(
            cause="output_range_cannot_reach_targets",
            old="x = x / 16.\n",
            new="",
            accept=("wrong_loss_for_task",),
            beside=("inputs_not_scaled", "targets_not_scaled", "label_encoding", "wrong_head_for_labels"),
        ),
        Fault(cause="learning_rate_too_low", old="Adam(0.005)", new="SGD(0.001)"),
        Fault(
            cause="underfitting_capacity",
            old='Dense(24, activation="relu", name="code")',
            new='Dense(1, activation="relu", name="code")',
            layer=("code",),
            beside=("dead_units",),
        ),
        Fault(
            cause="inputs_scaled_twice",
            old="x = x / 16.\n",
            new="x = x / 16. / 255.\n",
            certain=True,
            beside=("targets_not_scaled",),
        ),
        Fault(
            cause="regularisation_overwhelms",
            old='Dense(24, activation="relu", name="code")',
            new='Dense(24, activation="relu", name="code", activity_regularizer="l1")',
            layer=("code",),
        ),
        Fault(
            cause="dead_units",
            old='Dense(24, activation="relu", name="code")',
            new='Dense(24, activation="relu", name="code", kernel_initializer=keras.initializers.RandomUniform(-0.5, -0.1))',
            layer=("code",),
            accept=("init_scale",),
        ),
    ),
)

PROGRAMS = (PIPELINE, STEP, AUTOENCODER)
