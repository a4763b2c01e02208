"""Loops, steps and several networks of one's own. Written before any verdict on them."""

from keras_course.diagnostics.corpus import Fault, Program

SOFTMAX = Program(
    name="softmax_regression_zeros",
    odd="weights that are all zero at the start, in a model of one layer, where that is as good as anything",
    source="""
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

rng = np.random.RandomState(SEED)
X, Y = load_digits(return_X_y=True)
order = rng.permutation(len(X))
X, Y = X[order].astype(np.float32), Y[order]
X = X / 16.0
X_train, Y_train, X_test, Y_test = X[:1400], np.eye(10, dtype=np.float32)[Y[:1400]], X[1400:], Y[1400:]

W = tf.Variable(tf.zeros([64, 10]), name="W")
b = tf.Variable(tf.zeros([10]), name="b")


def forward(x):
    return tf.matmul(x, W) + b


@tf.function
def gradients(x, y):
    with tf.GradientTape() as tape:
        cost = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=forward(x)))
    return cost, tape.gradient(cost, [W, b])


learning_rate = 0.5
training_epochs = 15
batch_size = 50
for epoch in range(training_epochs):
    avg_cost = 0.
    for i in range(0, 1400, batch_size):
        cost, grads = gradients(X_train[i:i + batch_size], Y_train[i:i + batch_size])
        for v, g in zip([W, b], grads):
            v.assign_sub(learning_rate * g)
        avg_cost += float(cost) * batch_size / 1400
    if epoch % 5 == 0:
        print("Epoch:", "%04d" % (epoch + 1), "cost=", "{:.9f}".format(avg_cost))
""",
    score="np.mean(forward(X_test).numpy().argmax(1) == Y_test)",
    bar=0.9,
    base=0.1,
    seeds=3,
    faults=(
        Fault(cause="optimiser_not_applied", old="v.assign_sub(learning_rate * g)", new="v = v - learning_rate * g"),
        Fault(cause="gradient_sign_flipped", old="v.assign_sub(learning_rate * g)", new="v.assign_add(learning_rate * g)"),
        Fault(cause="learning_rate_too_low", old="learning_rate = 0.5", new="learning_rate = 1e-5"),
        Fault(cause="probabilities_to_logits_loss", old="return tf.matmul(x, W) + b", new="return tf.nn.softmax(tf.matmul(x, W) + b)", certain=True),
        Fault(cause="inputs_scaled_twice", old="X = X / 16.0\n", new="X = X / 16.0 / 255.0 / 255.0\n", beside=("learning_rate_too_low", "inputs_not_scaled")),
    ),
)  # fmt: skip

WALKER = Program(
    name="walker_target_network",
    odd="a second network that is never trained and copies the first now and then, targets that move",
    source="""
import random
import numpy as np
import tensorflow as tf
from tensorflow import keras

random.seed(SEED)
np.random.seed(SEED)
keras.utils.set_random_seed(SEED)
GOAL = np.array([0.4, -0.3], 'float32')
MOVES = np.array([[0.15, 0], [-0.15, 0], [0, 0.15], [0, -0.15]], 'float32')


def env_step(state, action):
    new_state = np.clip(state + MOVES[action], -1, 1)
    reward = -np.abs(new_state - GOAL).sum(axis=-1)
    return new_state, reward


def create_q_model():
    return keras.Sequential([
        keras.Input((2,)),
        keras.layers.Dense(32, activation='relu'),
        keras.layers.Dense(32, activation='relu'),
        keras.layers.Dense(4, activation='linear'),
    ])


model, model_target = create_q_model(), create_q_model()
model_target.set_weights(model.get_weights())
optimizer = keras.optimizers.Adam(learning_rate=0.003)
loss_function = keras.losses.MeanSquaredError()
gamma, update_target_network = 0.7, 25

# what a walker without a plan has seen
states = np.random.uniform(-1, 1, (4000, 2)).astype('float32')
actions = np.random.randint(0, 4, 4000)
next_states, rewards = env_step(states, actions)
rewards = rewards.astype('float32')


@tf.function
def learn(s, a, updated_q_values):
    masks = tf.one_hot(a, 4)
    with tf.GradientTape() as tape:
        q_values = model(s)
        q_action = tf.reduce_sum(tf.multiply(q_values, masks), axis=1)
        loss = tf.reduce_mean(tf.square(updated_q_values - q_action))
    grads = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(grads, model.trainable_variables))
    return loss


for frame in range(600):
    indices = np.random.choice(4000, 64)
    future = model_target(next_states[indices]).numpy().max(axis=1)
    updated = rewards[indices] + gamma * future
    loss = learn(states[indices], actions[indices], updated)
    if frame % update_target_network == 0:
        model_target.set_weights(model.get_weights())
    if frame % 200 == 0:
        print('frame', frame, 'loss', float(loss))

start = np.random.uniform(-1, 1, (300, 2)).astype('float32')
walker = start
for _ in range(12):
    walker, _reward = env_step(walker, model(walker).numpy().argmax(axis=1))
""",
    score="1 - np.abs(walker - GOAL).sum() / np.abs(start - GOAL).sum()",
    bar=0.65,
    base=0.0,
    seeds=3,
    faults=(
        Fault(cause="loss_broadcast", old="    updated = rewards[indices] + gamma * future\n", new="    updated = (rewards[indices] + gamma * future).reshape(-1, 1)\n"),
        Fault(cause="optimiser_not_applied", old="optimizer.apply_gradients(zip(grads, model.trainable_variables))",
              new="optimizer.apply_gradients(zip(grads, model_target.trainable_variables))", accept=("frozen_or_disconnected",)),
        Fault(cause="gradient_sign_flipped", old="loss = tf.reduce_mean(tf.square(", new="loss = -tf.reduce_mean(tf.square("),
    ),
)  # fmt: skip

MIXTURE = Program(
    name="mixture_density_inverse",
    odd="a likelihood for a loss: it goes below zero and has no floor",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

keras.utils.set_random_seed(SEED)
COMPONENTS = 4
y_all = np.random.uniform(0, 1, (2500, 1)).astype('float32')
x_all = (y_all + 0.3 * np.sin(2 * np.pi * y_all) + np.random.normal(0, 0.03, (2500, 1))).astype('float32')
x_all = (x_all - 0.5) * 4
x_train, y_train, x_test, y_test = x_all[:2000], y_all[:2000], x_all[2000:], y_all[2000:]


class MDN(keras.Model):
    def __init__(self):
        super().__init__()
        self.h1 = layers.Dense(40, activation='tanh', name='h1')
        self.h2 = layers.Dense(40, activation='tanh', name='h2')
        self.alphas = layers.Dense(COMPONENTS, name='alphas')
        self.mus = layers.Dense(COMPONENTS, name='mus')
        self.log_sigmas = layers.Dense(COMPONENTS, name='log_sigmas')

    def call(self, x):
        h = self.h2(self.h1(x))
        return self.alphas(h), self.mus(h), self.log_sigmas(h)


def log_likelihood(y, alphas, mus, log_sigmas):
    log_sigmas = tf.clip_by_value(log_sigmas, -4.0, 4.0)
    gauss = -0.5 * tf.square((y - mus) / tf.exp(log_sigmas)) - log_sigmas - 0.5 * np.log(2 * np.pi)
    return tf.reduce_logsumexp(tf.nn.log_softmax(alphas) + gauss, axis=1)


mdn = MDN()
adam = keras.optimizers.Adam(5e-3)


@tf.function
def train_step(x, y):
    with tf.GradientTape() as tape:
        nll = -tf.reduce_mean(log_likelihood(y, *mdn(x)))
    adam.apply_gradients(zip(tape.gradient(nll, mdn.trainable_variables), mdn.trainable_variables))
    return nll


data = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(2000).batch(50)
for epoch in range(30):
    for x, y in data:
        nll = train_step(x, y)
    if epoch % 10 == 0:
        tf.print('epoch', epoch, 'negative log likelihood', nll)
""",
    score="float(np.mean(log_likelihood(y_test, *mdn(x_test)).numpy()))",
    bar=0.7,
    base=0.0,
    seeds=3,
    faults=(
        Fault(cause="gradient_sign_flipped", old="nll = -tf.reduce_mean(", new="nll = tf.reduce_mean(", beside=("label_noise",)),
        Fault(cause="learning_rate_too_high", old="Adam(5e-3)", new="Adam(5.0)", beside=("label_noise",)),
        Fault(cause="inputs_not_scaled", old="x_all = (x_all - 0.5) * 4\n", new="x_all = x_all * 10000  # in micrometres\n", beside=("label_noise",)),
    ),
)  # fmt: skip

TOWERS = Program(
    name="two_towers_in_batch",
    odd="no labels but the row's own number, and a loss that starts above four by nature",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow import keras

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
# pictures and captions of the same things, each as somebody else's features
things = rng.normal(size=(2400, 6))
pictures = np.tanh(things @ rng.normal(size=(6, 40)) / 2) + rng.normal(0, 0.1, (2400, 40))
captions = np.cos(things @ rng.normal(size=(6, 25)) / 2) + np.maximum(things @ rng.normal(size=(6, 25)), 0) + rng.normal(0, 0.1, (2400, 25))
pictures, captions = pictures.astype('float32'), captions.astype('float32')


def tower(size, name):
    return keras.Sequential([
        keras.Input((size,)),
        keras.layers.Dense(64, activation='relu'),
        keras.layers.Dense(64, activation='relu'),
        keras.layers.Dense(16),
        keras.layers.UnitNormalization(),
    ], name=name)


image_encoder, text_encoder = tower(40, 'image_encoder'), tower(25, 'text_encoder')
variables = image_encoder.trainable_variables + text_encoder.trainable_variables
optimizer = keras.optimizers.Adam(0.003)
temperature = 0.1


@tf.function
def step(image, text):
    with tf.GradientTape() as tape:
        similarity = tf.matmul(image_encoder(image, training=True), text_encoder(text, training=True), transpose_b=True)
        own = tf.range(tf.shape(image)[0])
        to_text = tf.nn.sparse_softmax_cross_entropy_with_logits(own, similarity / temperature)
        to_image = tf.nn.sparse_softmax_cross_entropy_with_logits(own, tf.transpose(similarity) / temperature)
        loss = tf.reduce_mean(to_text + to_image) / 2
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    return loss


pairs = tf.data.Dataset.from_tensor_slices((pictures[:2200], captions[:2200])).shuffle(2200)
for epoch in range(15):
    losses = [float(step(image, text)) for image, text in pairs.batch(100, drop_remainder=True)]
    print('epoch', epoch, 'contrastive loss', np.mean(losses))
found = tf.matmul(text_encoder(captions[2200:]), image_encoder(pictures[2200:]), transpose_b=True).numpy().argmax(1)
""",
    score="np.mean(found == np.arange(200))",
    bar=0.5,
    base=0.005,
    seeds=3,
    faults=(
        Fault(cause="labels_shuffled_apart", old="pairs = tf.data.Dataset.from_tensor_slices((pictures[:2200], captions[:2200])).shuffle(2200)",
              new="pairs = tf.data.Dataset.zip((tf.data.Dataset.from_tensor_slices(pictures[:2200]).shuffle(2200),\n"
              "                             tf.data.Dataset.from_tensor_slices(captions[:2200]).shuffle(2200)))", accept=("label_noise",)),
        Fault(cause="optimiser_not_applied", old="    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))\n",
              new="    gradients = [tf.clip_by_norm(g, 1.0) for g in tape.gradient(loss, variables)]\n"),
        Fault(cause="learning_rate_too_low", old="Adam(0.003)", new="Adam(3e-7)"),
    ),
)  # fmt: skip

ACCUMULATED = Program(
    name="flats_accumulated_gradients",
    source="""
import numpy as np
import keras
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
n = 1800
east, north = rng.uniform(-1, 1, n), rng.uniform(-1, 1, n)
square_metres, floor, built = rng.gamma(6, 14, n), rng.integers(0, 9, n), rng.integers(1900, 2024, n)
centre = np.exp(-3 * (east ** 2 + north ** 2)) + 0.5 * np.exp(-6 * ((east - 0.7) ** 2 + (north + 0.6) ** 2))
rent = 6 * square_metres * (1 + 1.2 * centre) + 15 * floor + 120 * (built < 1920) + 100 * (built > 2000) + rng.normal(0, 40, n)
features = np.stack([east, north, square_metres, floor, built], axis=1).astype('float32')
scaler = layers.Normalization()
scaler.adapt(features[:1500])
target = ((rent - rent[:1500].mean()) / rent[:1500].std()).astype('float32')


class Trainer:
    \"\"\"Four small batches for one step.\"\"\"

    def __init__(self, model, optimizer, every=4):
        self.model, self.optimizer, self.every = model, optimizer, every
        self.sums = [tf.Variable(tf.zeros_like(v), trainable=False) for v in model.trainable_variables]
        optimizer.build(model.trainable_variables)

    @tf.function
    def accumulate(self, x, y):
        with tf.GradientTape() as tape:
            predicted = self.model(x, training=True)[:, 0]
            loss = tf.reduce_mean(tf.abs(predicted - y))
        for total, gradient in zip(self.sums, tape.gradient(loss, self.model.trainable_variables)):
            total.assign_add(gradient / self.every)
        return loss

    @tf.function
    def flush(self):
        self.optimizer.apply_gradients(zip(self.sums, self.model.trainable_variables))
        for total in self.sums:
            total.assign(tf.zeros_like(total))

    def fit(self, x, y, epochs, batch):
        for epoch in range(epochs):
            shuffled = rng.permutation(len(x))
            for count, start in enumerate(range(0, len(x), batch)):
                rows = shuffled[start:start + batch]
                loss = self.accumulate(x[rows], y[rows])
                if (count + 1) % self.every == 0:
                    self.flush()
            print(epoch, float(loss))


net = keras.Sequential([keras.Input((5,)), scaler, layers.Dense(64, activation='swish'), layers.Dense(64, activation='swish'),
                        layers.Dense(1, name='rent')])
trainer = Trainer(net, keras.optimizers.Adam(0.01))
trainer.fit(features[:1500], target[:1500], epochs=8, batch=15)
""",
    score="1 - np.mean((net(features[1500:]).numpy()[:, 0] - target[1500:]) ** 2) / np.var(target[1500:])",
    bar=0.75,
    base=0.0,
    faults=(
        Fault(cause="optimiser_not_applied", old="""        self.optimizer.apply_gradients(zip(self.sums, self.model.trainable_variables))
        for total in self.sums:
            total.assign(tf.zeros_like(total))
""", new="""        for total in self.sums:
            total.assign(tf.zeros_like(total))
        self.optimizer.apply_gradients(zip(self.sums, self.model.trainable_variables))
""", accept=("frozen_or_disconnected",)),
        Fault(cause="loss_broadcast", old="predicted = self.model(x, training=True)[:, 0]", new="predicted = self.model(x, training=True)"),
        Fault(cause="inputs_not_scaled", old="keras.Input((5,)), scaler, layers.Dense(64,", new="keras.Input((5,)), layers.Dense(64,"),
        Fault(cause="nan_or_inf_in_data", old="features = np.stack([east, north, square_metres, floor, built], axis=1)",
              new="features = np.stack([east, north, square_metres, np.log(floor), built], axis=1)"),
        Fault(cause="output_range_cannot_reach_targets", old="layers.Dense(1, name='rent')", new="layers.Dense(1, activation='relu', name='rent')", layer=("rent",),
              beside=("wrong_head_for_labels",)),
    ),
)  # fmt: skip

SHARED = Program(
    name="shared_encoder_train_step",
    odd="two outputs and two losses in a step of one's own, and an encoder that only narrows",
    source="""
import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(SEED)
pixels, number = load_digits(return_X_y=True)
pixels = (pixels / 16).astype('float32')
train_x, test_x, train_y, test_y = train_test_split(pixels, number, test_size=0.25, stratify=number, random_state=SEED)


class SupervisedAutoencoder(keras.Model):
    def __init__(self, weight=1.0):
        super().__init__()
        self.encoder = keras.Sequential([layers.Dense(48, activation='relu'), layers.Dense(16, activation='relu')], name='encoder')
        self.decoder = keras.Sequential([layers.Dense(48, activation='relu'), layers.Dense(64, activation='sigmoid')], name='decoder')
        self.classifier = layers.Dense(10, name='classifier')
        self.weight = weight
        self.loss_tracker = keras.metrics.Mean(name='loss')
        self.acc_tracker = keras.metrics.SparseCategoricalAccuracy(name='acc')

    @property
    def metrics(self):
        return [self.loss_tracker, self.acc_tracker]

    def call(self, x, training=False):
        code = self.encoder(x)
        return self.classifier(code), self.decoder(code)

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            logits, picture = self(x, training=True)
            class_loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True))
            picture_loss = tf.reduce_mean(tf.square(picture - x))
            loss = class_loss + self.weight * picture_loss
        trainable_vars = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, trainable_vars), trainable_vars)
        self.loss_tracker.update_state(loss)
        self.acc_tracker.update_state(y, logits)
        return {m.name: m.result() for m in self.metrics}


model = SupervisedAutoencoder()
model.compile(optimizer=keras.optimizers.Adam(0.005))
model.fit(train_x, train_y, epochs=8, batch_size=32, verbose=0)
logits, pictures = model.predict(test_x, verbose=0)
""",
    score="np.mean(logits.argmax(1) == test_y)",
    bar=0.9,
    base=0.1,
    seeds=3,
    faults=(
        Fault(cause="frozen_or_disconnected", old="loss = class_loss + self.weight * picture_loss", new="loss = self.weight * picture_loss", layer=("classifier",),
              accept=("optimiser_not_applied",)),
        Fault(cause="learning_rate_too_low", old="Adam(0.005)", new="Adam(5e-7)"),
        Fault(cause="dead_units", old="layers.Dense(16, activation='relu')],", new="layers.Dense(16, activation='relu', bias_initializer=keras.initializers.Constant(-5.0))],",
              accept=("init_scale",), layer=("encoder", "dense_1")),
        Fault(cause="symmetric_or_zero_init", old="layers.Dense(48, activation='relu'), layers.Dense(16, activation='relu')], name='encoder')",
              new="layers.Dense(48, 'relu', kernel_initializer='ones'), layers.Dense(16, 'relu', kernel_initializer='ones')], name='encoder')",
              layer=("encoder", "dense", "dense_1"), accept=("init_scale",)),
    ),
)  # fmt: skip

PROGRAMS = (SOFTMAX, WALKER, MIXTURE, TOWERS, ACCUMULATED, SHARED)
