"""Minimal examples as askers post them: waiting times at a ski lift with two inputs, a rare fault of hard discs."""

from keras_course.diagnostics.corpus import Fault, Program

LIFT = Program(
    name="answers_lift_queue_subclass",
    source='''
import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(SEED)
np.random.seed(SEED)

n = 3000
hour = np.random.randint(0, 16, n)          # half hours since 8:30
snow, temp, sun, holiday = np.random.rand(4, n)
rush = np.array([1, 2, 5, 8, 9, 7, 4, 3, 2, 3, 5, 6, 4, 2, 1, 0])[hour]
wait = 60000 * (rush * (0.4 + sun * snow + 0.8 * (holiday > 0.7)) + 2 * np.abs(temp - 0.5)) + np.random.normal(0, 25000, n)   # ms, from the turnstile

x = np.stack([snow, temp, sun, holiday > 0.7], 1).astype('float32')
mean, std = wait[:2400].mean(), wait[:2400].std()
y = ((wait - mean) / std).astype('float32')[:, None]

train = ((hour[:2400], x[:2400]), y[:2400])
test = ((hour[2400:], x[2400:]), y[2400:])


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.emb = keras.layers.Embedding(16, 4, name='emb')
        self.d1 = keras.layers.Dense(64, activation='relu', bias_initializer='zeros', name='d1')
        self.drop = keras.layers.Dropout(0.2)
        self.d2 = keras.layers.Dense(64, activation='relu', name='d2')
        self.out = keras.layers.Dense(1, name='out')
        self.loss_tracker = keras.metrics.Mean(name='loss')
        self.error = keras.metrics.MeanAbsoluteError(name='mae')

    def call(self, inputs, training=False):
        hour, x = inputs
        h = self.d1(keras.ops.concatenate([self.emb(hour), x], axis=-1))
        h = h + self.d2(self.drop(h, training=training))
        return self.out(h)

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = tf.reduce_mean(tf.square(y - y_pred))
        grads = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(grads, self.trainable_variables)
        self.loss_tracker.update_state(loss)
        self.error.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}

    def test_step(self, data):
        x, y = data
        y_pred = self(x, training=False)
        self.loss_tracker.update_state(tf.reduce_mean(tf.square(y - y_pred)))
        self.error.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}


net = Net()
net.compile(optimizer=keras.optimizers.Adam(2e-3))
net.fit(*train, validation_data=test, batch_size=32, epochs=15, verbose=2)
ms = net(test[0], training=False).numpy() * std + mean
r2 = 1 - np.mean((ms[:, 0] - wait[2400:]) ** 2) / np.var(wait[2400:])
print('r2', r2)
''',
    score="max(r2, -1.0)",
    bar=0.8,
    base=0.0,
    faults=(
        Fault(cause="loss_broadcast", old=".astype('float32')[:, None]", new=".astype('float32')"),
        Fault(cause="targets_not_scaled", old="mean, std = wait[:2400].mean(), wait[:2400].std()", new="mean, std = 0, 1",
              beside=("learning_rate_too_low",)),
        Fault(cause="wrong_loss_for_task", old="            loss = tf.reduce_mean(tf.square(y - y_pred))\n",
              new="            loss = tf.reduce_mean(keras.losses.binary_crossentropy(y, y_pred))\n",
              beside=("logits_to_probability_loss", "output_range_cannot_reach_targets")),
        Fault(cause="dead_units", old="bias_initializer='zeros'", new="bias_initializer=keras.initializers.Constant(-6.0)",
              accept=("init_scale",), layer=("d1",)),
        Fault(cause="wrong_metric", old="keras.metrics.MeanAbsoluteError(name='mae')", new="keras.metrics.Accuracy(name='mae')", certain=True,
              accept=("loss_metric_inconsistent",)),
    ),
    pairs=(("wrong_metric", "loss_broadcast"),),
    seeds=3,
)  # fmt: skip

DISCS = Program(
    name="answers_disc_failures",
    source='''
import numpy as np
from keras import initializers, layers, models, optimizers, utils
from sklearn.metrics import balanced_accuracy_score, confusion_matrix
from sklearn.model_selection import train_test_split

utils.set_random_seed(SEED)
rng = np.random.RandomState(SEED)

# smart values of 6000 discs and the hours until each one failed
N = 6000
X = rng.randn(N, 10)
risk = 1.6 * X[:, 0] * X[:, 1] + 1.3 * np.abs(X[:, 2]) + 1.2 * X[:, 3] - 1.0 * X[:, 4] * (X[:, 5] > 0)
hours = 90 + 630 * np.exp(4.6 - risk - 0.7 * rng.randn(N))
failed = (hours < 30 * 24).astype(int)      # within 30 days

X_train, X_test, y_train, y_test = train_test_split(X, failed, test_size=0.3, stratify=failed, random_state=SEED)

model = models.Sequential()
model.add(layers.Input((10,)))
for i in range(6):
    model.add(layers.Dense(48, activation='relu', kernel_initializer='he_normal', name='dense_%d' % i))
model.add(layers.Dense(1, activation='sigmoid', name='failed'))

model.compile(loss='binary_crossentropy', optimizer=optimizers.SGD(0.005, momentum=0.9), metrics=['accuracy'])
model.fit(X_train, y_train, batch_size=32, epochs=10, class_weight={0: 1.0, 1: 12.0},
          validation_data=(X_test, y_test), verbose=2)

y_hat = (model.predict(X_test, verbose=0)[:, 0] > 0.5).astype(int)
print(confusion_matrix(y_test, y_hat))
bal = balanced_accuracy_score(y_test, y_hat)
print(bal)
''',
    score="bal if y_test.any() else 0.5",
    bar=0.75,
    base=0.5,
    faults=(
        Fault(cause="softmax_on_single_unit", old="Dense(1, activation='sigmoid'", new="Dense(1, activation='softmax'", layer=("failed",)),
        Fault(cause="class_imbalance", old=" class_weight={0: 1.0, 1: 12.0},", new=""),
        Fault(cause="constant_labels", old="(hours < 30 * 24)", new="(hours < 30)", beside=("missing_class", "class_imbalance")),
        Fault(cause="vanishing_gradient", old="Dense(48, activation='relu', kernel_initializer='he_normal'",
              new="Dense(48, activation='sigmoid'"),
        Fault(cause="missing_nonlinearity", old="Dense(48, activation='relu', kernel_initializer='he_normal', ", new="Dense(48, ",
              layer=tuple(f"dense_{i}" for i in range(6))),
        Fault(cause="saturated_units", old="activation='relu', kernel_initializer='he_normal'",
              new="activation='tanh', kernel_initializer=initializers.RandomUniform(-1, 1)",
              accept=("init_scale",), layer=tuple(f"dense_{i}" for i in range(6))),
        Fault(cause="label_encoding", old="24).astype(int) ", new="24).astype(int) * 2 - 1 "),
        Fault(cause="learning_rate_too_high", old="SGD(0.005,", new="SGD(0.5,"),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (LIFT, DISCS)
