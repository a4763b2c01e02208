"""Steps that people write themselves under Keras: train_on_batch and train_step. Written before any verdict on them."""

from keras_course.diagnostics.corpus import Fault, Program

FLOWERS = Program(
    name="flowers_train_on_batch",
    odd="a hundred rows, in batches of ten; it goes on long after it has learnt them",
    source="""
import numpy as np
import keras
from sklearn.datasets import load_iris

keras.utils.set_random_seed(SEED)
iris = load_iris()
everything = np.random.permutation(150)
train_rows, test_rows = np.sort(everything[:100]), everything[100:]
x, t = iris.data[train_rows], iris.target[train_rows]
x_test, t_test = iris.data[test_rows], iris.target[test_rows]
centre, spread = x.mean(0), x.std(0)
x, x_test = (x - centre) / spread, (x_test - centre) / spread

net = keras.models.Sequential([
    keras.layers.Input((4,)),
    keras.layers.Dense(20, activation='tanh'),
    keras.layers.Dense(3),
])
net.compile(
    keras.optimizers.SGD(learning_rate=0.1),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=['accuracy'],
)

EPOCHS, B = 30, 10
for epoch in range(EPOCHS):
    order = np.random.permutation(100)
    xs, ts = x[order], t[order]
    total = 0.0
    for start in range(0, 100, B):
        loss, acc = net.train_on_batch(xs[start:start + B], ts[start:start + B])
        total += float(loss)
    if epoch % 5 == 0:
        print('epoch {:3d}  loss {:.4f}'.format(epoch, total / (100 // B)))

print('right:', (net.predict(x_test, verbose=0).argmax(axis=-1) == t_test).sum(), 'of', len(t_test))
""",
    score="np.mean(net.predict(x_test, verbose=0).argmax(axis=-1) == t_test)",
    bar=0.85,
    seeds=3,
    base=0.36,
    faults=(
        Fault(cause="labels_shuffled_apart", old="xs, ts = x[order], t[order]", new="xs, ts = x[order], t[np.random.permutation(100)]",
              accept=("label_noise",)),
        Fault(cause="missing_class", old="everything = np.random.permutation(150)", new="everything = np.arange(150)",
              accept=("validation_split_sorted",), beside=("data_sorted", "train_val_preprocessing_mismatch")),
        Fault(cause="inputs_drowned_in_noise", old="xs, ts = x[order], t[order]", new="xs, ts = x[order] + np.random.normal(0, 8, x.shape), t[order]",
              beside=("inputs_not_scaled", "labels_shuffled_apart", "label_noise", "train_val_preprocessing_mismatch")),
        Fault(cause="logits_to_probability_loss", old="SparseCategoricalCrossentropy(from_logits=True)", new="SparseCategoricalCrossentropy()"),
    ),
)  # fmt: skip

CONCRETE = Program(
    name="concrete_train_step",
    odd="half of the units are dropped, twice",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow import keras


class Regressor(keras.Model):
    def __init__(self, units=128):
        super().__init__()
        self.first = keras.layers.Dense(units, activation='relu', name='first')
        self.second = keras.layers.Dense(units, activation='relu', name='second')
        self.drop = keras.layers.Dropout(0.5)
        self.last = keras.layers.Dense(1, name='last')
        self.loss_tracker = keras.metrics.Mean(name='loss')
        self.mae_metric = keras.metrics.MeanAbsoluteError(name='mae')

    def call(self, inputs, training=False):
        x = self.drop(self.first(inputs), training=training)
        x = self.drop(self.second(x), training=training)
        return self.last(x)

    def train_step(self, data):
        x, y = data
        y = tf.reshape(y, (-1, 1))
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = tf.reduce_mean(tf.square(y - y_pred))
        trainable_vars = self.trainable_variables
        gradients = tape.gradient(loss, trainable_vars)
        self.optimizer.apply_gradients(zip(gradients, trainable_vars))
        self.loss_tracker.update_state(loss)
        self.mae_metric.update_state(y, y_pred)
        return {'loss': self.loss_tracker.result(), 'mae': self.mae_metric.result()}

    @property
    def metrics(self):
        return [self.loss_tracker, self.mae_metric]


keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
N = 1600
cement = rng.uniform(150, 500, N)
water = rng.uniform(130, 230, N)
ash = rng.uniform(0, 150, N)
superplasticizer = rng.uniform(0, 20, N)
age = rng.choice([3, 7, 14, 28, 56, 90], N)
binder = cement + 0.4 * ash
strength = 110 * np.exp(-1.6 * water / binder) * (0.35 + 0.2 * np.log(age)) + 0.5 * superplasticizer + rng.normal(0, 2.5, N)

features = np.stack([cement, water, ash, superplasticizer, np.log(age)], axis=1).astype('float32')
target = strength.astype('float32')
x_train, x_test, y_train, y_test = features[:1300], features[1300:], target[:1300], target[1300:]
mean, std = x_train.mean(axis=0), x_train.std(axis=0)
x_train, x_test = (x_train - mean) / std, (x_test - mean) / std
y_scale = (y_train.mean(), y_train.std())
y_train, y_test = (y_train - y_scale[0]) / y_scale[1], (y_test - y_scale[0]) / y_scale[1]

model = Regressor()
model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.002))
model.fit(x_train, y_train, epochs=15, batch_size=32, verbose=2)
y_hat = model.predict(x_test, verbose=0)[:, 0]
print('RMSE in MPa', y_scale[1] * np.sqrt(np.mean((y_hat - y_test) ** 2)))
""",
    score="1 - np.mean((y_hat - y_test) ** 2) / np.var(y_test)",
    bar=0.85,
    seeds=3,
    base=0.0,
    faults=(
        Fault(cause="loss_broadcast", old="        y = tf.reshape(y, (-1, 1))\n", new=""),
        Fault(cause="optimiser_not_applied", old="        self.optimizer.apply_gradients(zip(gradients, trainable_vars))\n", new=""),
        Fault(cause="gradient_sign_flipped", old="loss = tf.reduce_mean(tf.square(y - y_pred))", new="loss = -tf.reduce_mean(tf.square(y - y_pred))"),
        Fault(cause="learning_rate_too_low", old="Adam(learning_rate=0.002)", new="SGD(learning_rate=2e-5)", accept=("too_few_steps",)),
    ),
    pairs=(("loss_broadcast", "learning_rate_too_low"),),
)  # fmt: skip

HANDOVER = Program(
    name="handover_frozen_trunk",
    odd="most of the weights are frozen, as they were trained before on other digits",
    source="""
import numpy as np
import tensorflow as tf
from keras import Sequential, Model, layers, losses, metrics, optimizers, utils
from sklearn.datasets import load_digits

utils.set_random_seed(SEED)
scans = load_digits()
pixels = (scans.images[..., None] / 16.0).astype('float32')
small, large = scans.target < 5, scans.target >= 5

# 1. a trunk, from zero to four
trunk = Sequential([
    layers.Input((8, 8, 1)),
    layers.Conv2D(24, 3, activation='relu'),
    layers.Conv2D(48, 3, activation='relu'),
    layers.Flatten(),
], name='trunk')
teacher = Sequential([trunk, layers.Dense(5)])
teacher.compile(optimizers.Adam(0.002), losses.SparseCategoricalCrossentropy(from_logits=True))
teacher.fit(pixels[small], scans.target[small], epochs=4, batch_size=32, verbose=0)


# 2. a head, from five to nine
class Transfer(Model):
    def __init__(self, trunk):
        super().__init__()
        self.trunk = trunk
        self.hidden = layers.Dense(32, activation='relu', name='hidden')
        self.head = layers.Dense(5, name='head')
        self.seen_loss = metrics.Mean()
        self.seen_accuracy = metrics.SparseCategoricalAccuracy()

    def call(self, image):
        return self.head(self.hidden(self.trunk(image)))

    def train_step(self, batch):
        image, label = batch
        with tf.GradientTape() as tape:
            scores = self(image)
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=label, logits=scores)
            loss = tf.reduce_mean(loss)
        grads = tape.gradient(loss, self.trainable_weights)
        self.optimizer.apply(grads, self.trainable_weights)
        self.seen_loss.update_state(loss)
        self.seen_accuracy.update_state(label, scores)
        return {'loss': self.seen_loss.result(), 'accuracy': self.seen_accuracy.result()}


images, names = pixels[large], scans.target[large] - 5
shuffled = np.random.permutation(len(images))
images, names = images[shuffled], names[shuffled]
x_train, x_val = images[:600], images[600:]
y_train, y_val = names[:600], names[600:]

trunk.trainable = False
student = Transfer(trunk)
student.compile(optimizer=optimizers.SGD(0.005, momentum=0.9))
student.fit(x_train, y_train, batch_size=30, epochs=10, verbose=0)
found = student.predict(x_val, verbose=0).argmax(1)
print('validation accuracy', (found == y_val).mean())
""",
    score="np.mean(found == y_val)",
    bar=0.9,
    seeds=3,
    base=0.2,
    faults=(
        Fault(cause="frozen_or_disconnected", old="student.compile(", new="student.trainable = False\nstudent.compile(",
              layer=("hidden", "head"), accept=("optimiser_not_applied",)),
        Fault(cause="probabilities_to_logits_loss", old="self.head = layers.Dense(5, name='head')",
              new="self.head = layers.Dense(5, activation='softmax', name='head')", layer=("head",)),
        Fault(cause="train_val_preprocessing_mismatch", old="x_train, x_val = images[:600], images[600:]",
              new="x_train, x_val = 1 - images[:600], images[600:]"),
        Fault(cause="symmetric_or_zero_init", old="layers.Dense(32, activation='relu', name='hidden')",
              new="layers.Dense(32, activation='relu', kernel_initializer='zeros', name='hidden')", layer=("hidden",),
              beside=("frozen_or_disconnected", "init_scale")),
    ),
)  # fmt: skip

PROGRAMS = (FLOWERS, CONCRETE, HANDOVER)
