"""Code along with blog articles: an autoencoder, attention, recommendations, networks and loops from first principles."""

from keras_course.diagnostics.corpus import Fault, Program

VAE = Program(
    name="blog_vae_train_step_digits",
    odd="the loss is a sum over pixels and never comes near zero, and half of the latent units may be unused",
    source='''
"""Variational autoencoder on the 8x8 digits, following the Keras example."""
import numpy as np
import tensorflow as tf
import keras
from keras import ops, layers
from sklearn.datasets import load_digits

keras.utils.set_random_seed(SEED)
latent_dim = 8


class Sampling(layers.Layer):
    """Uses (z_mean, z_log_var) to sample z, the vector encoding a digit."""

    def call(self, inputs):
        z_mean, z_log_var = inputs
        epsilon = keras.random.normal(shape=ops.shape(z_mean))
        return z_mean + ops.exp(0.5 * z_log_var) * epsilon


encoder_inputs = keras.Input(shape=(64,))
x = layers.Dense(96, activation="relu", name="enc_hidden")(encoder_inputs)
z_mean = layers.Dense(latent_dim, name="z_mean")(x)
z_log_var = layers.Dense(latent_dim, name="z_log_var")(x)
z = Sampling()([z_mean, z_log_var])
encoder = keras.Model(encoder_inputs, [z_mean, z_log_var, z], name="encoder")

latent_inputs = keras.Input(shape=(latent_dim,))
x = layers.Dense(96, activation="relu", name="dec_hidden")(latent_inputs)
decoder_outputs = layers.Dense(64, name="pixels")(x)
decoder = keras.Model(latent_inputs, decoder_outputs, name="decoder")


class VAE(keras.Model):
    def __init__(self, encoder, decoder, kl_weight=0.3, **kwargs):
        super().__init__(**kwargs)
        self.encoder, self.decoder, self.kl_weight = encoder, decoder, kl_weight
        self.total_loss_tracker = keras.metrics.Mean(name="total_loss")
        self.reconstruction_loss_tracker = keras.metrics.Mean(name="reconstruction_loss")
        self.kl_loss_tracker = keras.metrics.Mean(name="kl_loss")

    @property
    def metrics(self):
        return [self.total_loss_tracker, self.reconstruction_loss_tracker, self.kl_loss_tracker]

    def call(self, data):
        z_mean, _, _ = self.encoder(data)
        return tf.sigmoid(self.decoder(z_mean))

    def train_step(self, data):
        with tf.GradientTape() as tape:
            z_mean, z_log_var, z = self.encoder(data)
            logits = self.decoder(z)
            per_pixel = tf.nn.sigmoid_cross_entropy_with_logits(labels=data, logits=logits)
            reconstruction_loss = tf.reduce_mean(tf.reduce_sum(per_pixel, axis=1))
            kl = -0.5 * (1 + z_log_var - tf.square(z_mean) - tf.exp(z_log_var))
            kl_loss = tf.reduce_mean(tf.reduce_sum(kl, axis=1))
            total_loss = reconstruction_loss + self.kl_weight * kl_loss
        grads = tape.gradient(total_loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(grads, self.trainable_weights))
        self.total_loss_tracker.update_state(total_loss)
        self.reconstruction_loss_tracker.update_state(reconstruction_loss)
        self.kl_loss_tracker.update_state(kl_loss)
        return {m.name: m.result() for m in self.metrics}


digits = load_digits().data.astype("float32") / 16.0
digits = digits[np.random.permutation(len(digits))]
x_train, x_test = digits[:1400], digits[1400:]

vae = VAE(encoder, decoder)
vae.compile(optimizer=keras.optimizers.Adam(learning_rate=0.002))
vae.fit(x_train, epochs=25, batch_size=64, verbose=0)

rebuilt = np.asarray(vae(tf.constant(x_test)))
explained = 1 - np.mean((rebuilt - x_test) ** 2) / np.mean((x_train.mean(axis=0) - x_test) ** 2)
print("explained variance of the reconstructions", explained)
''',
    score="explained",
    bar=0.45,
    base=0.0,
    seeds=3,
    faults=(
        Fault(cause="regularisation_overwhelms", old="kl_weight=0.3", new="kl_weight=30.0"),
        Fault(cause="probabilities_to_logits_loss", old='layers.Dense(64, name="pixels")', new='layers.Dense(64, activation="sigmoid", name="pixels")', layer=("pixels",), beside=("output_range_cannot_reach_targets",)),
        Fault(cause="optimiser_not_applied", old="        self.optimizer.apply_gradients(zip(grads, self.trainable_weights))\n", new=""),
        Fault(cause="gradient_sign_flipped", old="reconstruction_loss = tf.reduce_mean(tf.reduce_sum(per_pixel, axis=1))", new="reconstruction_loss = -tf.reduce_mean(tf.reduce_sum(per_pixel, axis=1))"),
        Fault(cause="learning_rate_too_high", old="Adam(learning_rate=0.002)", new="Adam(learning_rate=1.0)"),
    ),
)  # fmt: skip

ATTENTION = Program(
    name="blog_tiny_transformer_topics",
    odd="the rate climbs from nothing for thirty steps; a quarter of each sequence is padding",
    source='''
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

keras.utils.set_random_seed(SEED)
VOCAB, LEN, TOPICS = 80, 24, 4


def make_data(n, seed):
    """Each topic owns ten words; the topic with most of its words in the text is the label. 0 is padding."""
    r = np.random.RandomState(seed)
    tokens, labels = np.zeros((n, LEN), 'int32'), np.zeros(n, 'int32')
    for i in range(n):
        k, length = r.randint(TOPICS), r.randint(12, LEN + 1)
        counts = [r.randint(0, 3) for _ in range(TOPICS)]
        counts[k] = max(counts) + 2
        words = [41 + r.randint(38) for _ in range(length)]
        spots = r.permutation(length)
        at = 0
        for topic, c in enumerate(counts):
            for _ in range(c):
                if at < length:
                    words[spots[at]] = 1 + 10 * topic + r.randint(10)
                    at += 1
        tokens[i, :length], labels[i] = words, k
    return tokens, labels


x_train, y_train = make_data(1600, SEED)
x_val, y_val = make_data(400, 1000 + SEED)


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, peak=0.004, warmup_steps=30):
        self.peak, self.warmup_steps = peak, warmup_steps

    def __call__(self, step):
        step = tf.cast(step, tf.float32) + 1.
        return self.peak * tf.minimum(step / self.warmup_steps, tf.sqrt(self.warmup_steps / step))


class TransformerBlock(layers.Layer):
    def __init__(self, dim, heads, ff, rate=0.1):
        super().__init__()
        self.att = layers.MultiHeadAttention(num_heads=heads, key_dim=dim // heads)
        self.ffn = keras.Sequential([layers.Dense(ff, activation='relu'), layers.Dense(dim)])
        self.ln1, self.ln2 = layers.LayerNormalization(epsilon=1e-6), layers.LayerNormalization(epsilon=1e-6)
        self.drop1, self.drop2 = layers.Dropout(rate), layers.Dropout(rate)

    def call(self, x, mask, training=False):
        a = self.att(x, x, attention_mask=mask[:, None, :])
        x = self.ln1(x + self.drop1(a, training=training))
        f = self.ffn(x)
        return self.ln2(x + self.drop2(f, training=training))


class TopicModel(keras.Model):
    def __init__(self, dim=32):
        super().__init__()
        self.token_emb = layers.Embedding(VOCAB, dim, name='token_emb')
        self.pos_emb = layers.Embedding(LEN, dim, name='pos_emb')
        self.block = TransformerBlock(dim, 2, 64)
        self.head = layers.Dense(TOPICS, name='head')

    def call(self, tokens, training=False):
        mask = tf.not_equal(tokens, 0)
        x = self.token_emb(tokens) + self.pos_emb(tf.range(LEN))
        x = self.block(x, mask, training=training)
        m = tf.cast(mask, x.dtype)[..., None]
        x = tf.reduce_sum(x * m, axis=1) / tf.reduce_sum(m, axis=1)
        return self.head(x)

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=y_pred))
        grads = tape.gradient(loss, self.trainable_variables)
        grads, _ = tf.clip_by_global_norm(grads, 1.0)
        self.optimizer.apply_gradients(zip(grads, self.trainable_variables))
        return {'loss': loss, 'acc': tf.reduce_mean(tf.cast(tf.equal(tf.argmax(y_pred, 1, tf.int32), y), tf.float32))}


order = np.argsort(y_train, kind='stable')            # stored by topic
train_ds = tf.data.Dataset.from_tensor_slices((x_train[order], y_train[order]))
train_ds = train_ds.shuffle(1600).batch(32)

model = TopicModel()
model.compile(optimizer=keras.optimizers.Adam(WarmUp()))
model.fit(train_ds, epochs=4, verbose=2)

val_acc = float((model.predict(x_val, verbose=0).argmax(1) == y_val).mean())
print('validation accuracy', val_acc)
''',
    score="val_acc",
    bar=0.85,
    base=0.25,
    seeds=3,
    faults=(
        Fault(cause="lr_schedule_wrong", old="peak=0.004, warmup_steps=30", new="peak=0.004, warmup_steps=40000", accept=("learning_rate_too_low",)),
        Fault(cause="data_sorted", old="train_ds = train_ds.shuffle(1600).batch(32)", new="train_ds = train_ds.batch(32)"),
        Fault(cause="labels_shuffled_apart", old="from_tensor_slices((x_train[order], y_train[order]))", new="from_tensor_slices((x_train, y_train[order]))", accept=("label_noise",)),
        Fault(cause="learning_rate_too_high", old="peak=0.004, warmup_steps=30", new="peak=0.5, warmup_steps=30"),
    ),
    pairs=(("labels_shuffled_apart", "lr_schedule_wrong"),),
)  # fmt: skip

MOVIES = Program(
    name="blog_movie_embeddings_two_towers",
    odd="embeddings start near zero, and a rating is mostly the taste of the user and the fame of the film",
    source="""
# Movie recommender with embeddings (code along)
import numpy as np
import pandas as pd
import keras
from keras import layers
from keras.layers import Input, Embedding, Flatten, Dot, Add, Activation
from keras.models import Model

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

n_users, n_movies, k_true = 150, 90, 3
pu, qi = rng.normal(size=(n_users, k_true)), rng.normal(size=(n_movies, k_true))
bu, bi = .6 * rng.normal(size=n_users), .8 * rng.normal(size=n_movies)
rows = rng.choice(n_users * n_movies, 5000, replace=False)
ratings = pd.DataFrame({'user': rows // n_movies, 'movie': rows % n_movies})
stars = 3.2 + bu[ratings.user] + bi[ratings.movie] + .6 * (pu[ratings.user] * qi[ratings.movie]).sum(1)
ratings['rating'] = np.clip(np.round(2 * (stars + .5 * rng.normal(size=len(rows)))) / 2, .5, 5)

ratings = ratings.sample(frac=1, random_state=SEED).reset_index(drop=True)
lo, hi = .5, 5.
x = ratings[['user', 'movie']].values
y = ((ratings['rating'] - lo) / (hi - lo)).values
n_val = 1000
x_train, x_val = x[:-n_val], x[-n_val:]
y_train, y_val = y[:-n_val], y[-n_val:]

K, reg = 6, 3e-6


def embed(inp, n, dim, name):
    e = Embedding(n, dim, embeddings_initializer='he_normal', embeddings_regularizer=keras.regularizers.l2(reg), name=name)
    return Flatten()(e(inp))


user, movie = Input((1,), name='user'), Input((1,), name='movie')
dot = Dot(axes=1)([embed(user, n_users, K, 'user_emb'), embed(movie, n_movies, K, 'movie_emb')])
s = Add()([dot, embed(user, n_users, 1, 'user_bias'), embed(movie, n_movies, 1, 'movie_bias')])
out = Activation('sigmoid', name='stars')(s)

model = Model([user, movie], out)
model.compile(loss='mse', optimizer=keras.optimizers.Adam(0.01))
model.fit([x_train[:, 0], x_train[:, 1]], y_train, batch_size=96, epochs=12, verbose=0,
          validation_data=([x_val[:, 0], x_val[:, 1]], y_val))

pred = model.predict([x_val[:, 0], x_val[:, 1]], verbose=0).ravel() * (hi - lo) + lo
true = ratings['rating'].values[-n_val:]
rmse = np.sqrt(np.mean((pred - true) ** 2))
print('RMSE in stars: %.3f, of the mean: %.3f' % (rmse, true.std()))
""",
    score="1 - rmse ** 2 / true.var()",
    bar=0.55,
    base=0.0,
    seeds=3,
    faults=(
        Fault(cause="output_range_cannot_reach_targets", old="y = ((ratings['rating'] - lo) / (hi - lo)).values\n", new="y = ratings['rating'].values\nlo, hi = 0., 1.\n",
              accept=("targets_not_scaled",), beside=("wrong_head_for_labels",), layer=("stars",)),
        Fault(cause="frozen_or_disconnected", old="embeddings_regularizer=keras.regularizers.l2(reg), name=name)", new="trainable=False, name=name)",
              layer=("user_emb", "movie_emb", "user_bias", "movie_bias"), beside=("optimiser_not_applied",)),
        Fault(cause="regularisation_overwhelms", old="K, reg = 6, 3e-6", new="K, reg = 6, 1e-2", layer=("user_emb", "movie_emb", "user_bias", "movie_bias")),
        Fault(cause="learning_rate_too_low", old="optimizer=keras.optimizers.Adam(0.01)", new="optimizer='sgd'", accept=("too_few_steps",)),
        Fault(cause="overfitting", old="K, reg = 6, 3e-6", new="K, reg = 200, 0."),
        Fault(cause="label_noise", old="lo, hi = .5, 5.\n", new="lo, hi = .5, 5.\nbots = rng.random(len(ratings) - 1000) < .45\nratings.loc[np.flatnonzero(bots), 'rating'] = rng.choice(np.arange(1, 11) / 2, bots.sum())\n",
              accept=("labels_shuffled_apart",), beside=("overfitting",)),
    ),
)  # fmt: skip

SPIRALS = Program(
    name="blog_spirals_variables_only",
    odd="plain gradient descent at a rate of 0.3 on all points at once",
    source="""
import numpy as np
import tensorflow as tf

np.random.seed(SEED); tf.random.set_seed(SEED)

# three arms of a spiral, as in CS231n
N, D, K = 200, 2, 3
X = np.zeros((N * K, D), dtype='float32')
y = np.zeros(N * K, dtype='int64')
for j in range(K):
    r = np.linspace(0.05, 1, N)
    t = np.linspace(j * 4, (j + 1) * 4, N) + np.random.randn(N) * 0.15
    X[j * N:(j + 1) * N] = np.c_[r * np.sin(t), r * np.cos(t)]
    y[j * N:(j + 1) * N] = j
X = X / X.std(axis=0)
held = np.random.rand(N * K) < .25
Xt, yt, Xv, yv = X[~held], y[~held], X[held], y[held]

hidden = 64
f = tf.tanh
w_scale = 1.0
W1 = tf.Variable(tf.random.normal([D, hidden]) * w_scale, name='W1')
b1 = tf.Variable(tf.zeros([hidden]), name='b1')
W2 = tf.Variable(tf.random.normal([hidden, hidden]) * w_scale / hidden ** .5, name='W2')
b2 = tf.Variable(tf.zeros([hidden]), name='b2')
W3 = tf.Variable(tf.random.normal([hidden, K]) * w_scale / hidden ** .5, name='W3')
b3 = tf.Variable(tf.zeros([K]), name='b3')
weights = [W1, b1, W2, b2, W3, b3]

def net(x):
    h = f(x @ W1 + b1)
    h = f(h @ W2 + b2)
    return h @ W3 + b3

def cross_entropy(x, labels):
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=net(x)))

learning_rate = 0.3
for i in range(500):
    with tf.GradientTape() as tape:
        loss = cross_entropy(Xt, yt)
    for w, g in zip(weights, tape.gradient(loss, weights)):
        w.assign_sub(learning_rate * g)
    if i % 100 == 0:
        print(i, loss.numpy())

acc = np.mean(net(Xv).numpy().argmax(1) == yv)
print('accuracy on the points held out', acc)
""",
    score="acc",
    bar=0.9,
    base=0.34,
    seeds=3,
    faults=(
        Fault(cause="optimiser_not_applied", old="        w.assign_sub(learning_rate * g)\n", new="        w = w - learning_rate * g\n", accept=("frozen_or_disconnected",)),
        Fault(cause="gradient_sign_flipped", old="        w.assign_sub(learning_rate * g)\n", new="        w.assign_add(learning_rate * g)\n"),
        Fault(cause="missing_nonlinearity", old="f = tf.tanh\n", new="f = tf.identity\n"),
        Fault(cause="saturated_units", old="w_scale = 1.0", new="w_scale = 40.0", accept=("init_scale",), layer=("W1", "W2", "W3"), beside=("learning_rate_too_high",)),
        Fault(cause="underfitting_capacity", old="hidden = 64", new="hidden = 2"),
        Fault(cause="symmetric_or_zero_init", old="w_scale = 1.0", new="w_scale = 0.0", layer=("W1", "W2", "W3"), beside=("init_scale", "frozen_or_disconnected")),
    ),
)  # fmt: skip

NORMED = Program(
    name="blog_digits_batchnorm_own_loop",
    odd="half of the features are dropped in training, and the rate ends at zero",
    source="""
import time
import numpy as np
import tensorflow as tf
from tensorflow.keras import layers, Sequential, optimizers, metrics
from sklearn.datasets import load_digits

tf.keras.utils.set_random_seed(SEED)
batchsz = 64

digits = load_digits()
x = digits.images[..., None].astype('float32') / 16.
y = digits.target.astype('int32')
idx = np.random.permutation(len(x))
x, y = x[idx], y[idx]
x_train, y_train, x_test, y_test = x[:1350], y[:1350], x[1350:], y[1350:]

net = Sequential([
    layers.Input((8, 8, 1)),
    layers.Conv2D(16, 3, padding='same', use_bias=False, name='conv_a'),
    layers.BatchNormalization(momentum=0.9, name='bn_a'),
    layers.ReLU(),
    layers.MaxPooling2D(2),
    layers.Dropout(0.4),
    layers.Conv2D(32, 3, padding='same', use_bias=False, name='conv_b'),
    layers.BatchNormalization(momentum=0.9, name='bn_b'),
    layers.ReLU(),
    layers.GlobalAveragePooling2D(),
    layers.Dropout(0.5),
    layers.Dense(10, name='logits'),
])
EPOCHS = 14
schedule = optimizers.schedules.CosineDecay(0.05, EPOCHS * (len(x_train) // batchsz))
optimizer = optimizers.SGD(learning_rate=schedule, momentum=0.9)
acc_meter = metrics.SparseCategoricalAccuracy()


@tf.function
def train_on(xb, yb):
    with tf.GradientTape() as tape:
        out = net(xb, training=True)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=yb, logits=out))
    grads = tape.gradient(loss, net.trainable_variables)
    optimizer.apply_gradients(zip(grads, net.trainable_variables))
    return loss


begin = time.time()
for epoch in range(EPOCHS):
    perm = np.random.permutation(len(x_train))
    for i in range(0, len(perm) - batchsz + 1, batchsz):
        rows = perm[i:i + batchsz]
        xb, yb = x_train[rows], y_train[rows]
        loss = train_on(tf.constant(xb), tf.constant(yb))
    acc_meter.reset_state()
    acc_meter.update_state(y_test, net(x_test, training=False))
    print(epoch, 'loss:', float(loss), 'acc:', float(acc_meter.result()), '%.1fs' % (time.time() - begin))
test_acc = float(acc_meter.result())
""",
    score="test_acc",
    bar=0.87,
    base=0.1,
    seeds=3,
    faults=(
        Fault(cause="batchnorm_mode", old="layers.BatchNormalization(momentum=0.9, name='bn_b')", new="layers.BatchNormalization(momentum=0.9999, name='bn_b')", layer=("bn_b",)),
        Fault(cause="probabilities_to_logits_loss", old="layers.Dense(10, name='logits')", new="layers.Dense(10, activation='softmax', name='logits')", layer=("logits",)),
        Fault(cause="dropout_mode", old="net(x_test, training=False)", new="net(x_test, training=True)", accept=("batchnorm_mode",)),
        Fault(cause="inputs_drowned_in_noise", old="loss = train_on(tf.constant(xb), tf.constant(yb))", new="xb = xb + np.random.normal(0, 4, xb.shape).astype('float32')   # augmentation\n        loss = train_on(tf.constant(xb), tf.constant(yb))",
              beside=("inputs_not_scaled", "train_val_preprocessing_mismatch", "batchnorm_mode")),
        Fault(cause="learning_rate_too_low", old="optimizers.SGD(learning_rate=schedule, momentum=0.9)", new="optimizers.SGD(learning_rate=1e-4)", accept=("too_few_steps",)),
    ),
)  # fmt: skip

PROGRAMS = (VAE, ATTENTION, MOVIES, SPIRALS, NORMED)
