"""Scripts around small helper classes: lamps on control panels (several at once), and alarms along a tank's event log."""

from keras_course.diagnostics.corpus import Fault, Program

PANEL = Program(
    name="toolbox_panel_lamps",
    source="""
\"\"\"Which symbols are lit on a panel? Uses our DataModule / Trainer helpers (copied in, no package yet).\"\"\"
import keras
import numpy as np
import tensorflow as tf
from keras import layers

CONFIG = {
    'seed': SEED,
    'data': {'n_train': 1500, 'n_val': 300, 'batch': 32, 'buffer': 1500, 'size': 20},
    'model': {'filters': (16, 32), 'dense': 48, 'dropout': 0.1, 'bias': 0.05},
    'train': {'epochs': 16, 'steps': 47, 'lr': 2e-3},
}
SYMBOLS = ('disc', 'bar', 'cross', 'frame')


class PanelData:
    def __init__(self, n_train, n_val, batch, buffer, size):
        self.batch, self.buffer, self.size = batch, buffer, size
        self.rng = np.random.default_rng(CONFIG['seed'])
        self.train_x, self.train_y = self.make(n_train)
        self.val_x, self.val_y = self.make(n_val)

    def draw(self, lit):
        s = self.size
        img = self.rng.normal(60, 14, (s, s))
        yy, xx = np.mgrid[:s, :s]
        for k in np.flatnonzero(lit):
            cy, cx = self.rng.integers(3, s - 3, 2)
            dy, dx = np.abs(yy - cy), np.abs(xx - cx)
            shape = [dy ** 2 + dx ** 2 <= 7, (dy <= 0) & (dx <= 4),
                     (dy == dx) & (dy <= 3), np.maximum(dy, dx) == 3][k]
            img[shape] += self.rng.uniform(70, 130)
        return np.clip(img, 0, 255).astype('uint8')

    def make(self, n):
        lit = self.rng.uniform(size=(n, len(SYMBOLS))) < 0.45
        lit = lit[np.lexsort(lit.T[::-1])]  # one folder per combination
        return np.stack([self.draw(k) for k in lit])[..., None], lit.astype('float32')

    @staticmethod
    def scale(x, y):
        return tf.cast(x, tf.float32) / 255.0, y

    @staticmethod
    def augment(x, y):
        x = tf.image.random_flip_left_right(x)
        return tf.image.random_brightness(x, 0.08), y

    def train(self):
        ds = tf.data.Dataset.from_tensor_slices((self.train_x, self.train_y))
        ds = ds.shuffle(self.buffer).map(self.scale).map(self.augment)
        return ds.batch(self.batch).repeat().prefetch(2)

    def val(self):
        ds = tf.data.Dataset.from_tensor_slices((self.val_x, self.val_y))
        return ds.map(self.scale).batch(self.batch)


def build(size, filters, dense, dropout, bias):
    inputs = keras.Input((size, size, 1))
    h = inputs
    for i, f in enumerate(filters):
        h = layers.Conv2D(f, 3, padding='same', kernel_initializer='he_normal',
                          bias_initializer=keras.initializers.Constant(bias), name=f'conv{i}')(h)
        h = layers.ReLU()(h)
        h = layers.MaxPooling2D()(h)
    h = layers.Flatten()(h)
    h = layers.Dense(dense, activation='relu', name='hidden')(h)
    h = layers.Dropout(dropout)(h)
    return keras.Model(inputs, layers.Dense(len(SYMBOLS), name='lamps')(h))


class Trainer:
    def __init__(self, model, epochs, steps, lr):
        self.model, self.epochs, self.steps = model, epochs, steps
        model.compile(
            optimizer=keras.optimizers.Adam(lr),
            loss=keras.losses.BinaryCrossentropy(from_logits=True),
            metrics=[keras.metrics.BinaryAccuracy(threshold=0.0, name='per_lamp')],
        )

    def fit(self, data):
        return self.model.fit(data.train(), validation_data=data.val(), epochs=self.epochs,
                              steps_per_epoch=self.steps, verbose=2)


keras.utils.set_random_seed(CONFIG['seed'])
data = PanelData(**CONFIG['data'])
net = build(CONFIG['data']['size'], **CONFIG['model'])
log = Trainer(net, **CONFIG['train']).fit(data)

probs = tf.sigmoid(net.predict(data.val(), verbose=0)).numpy()
per_lamp = np.mean((probs > 0.5) == (data.val_y > 0.5), axis=0)
print(dict(zip(SYMBOLS, per_lamp.round(3))))
""",
    score="per_lamp.mean()",
    bar=0.8,
    base=0.55,
    faults=(
        Fault(cause="shuffle_buffer_too_small", old="'buffer': 1500", new="'buffer': 16", accept=("data_sorted",),
              beside=("oscillation",)),
        Fault(cause="pipeline_order",
              old="ds = ds.shuffle(self.buffer).map(self.scale).map(self.augment)\n        return ds.batch(self.batch)",
              new="ds = ds.map(self.scale).map(self.augment)\n        return ds.batch(self.batch).shuffle(self.buffer)",
              accept=("data_sorted",), beside=("oscillation",)),
        Fault(cause="data_sorted", old="ds.shuffle(self.buffer).map", new="ds.map",
              accept=("shuffle_buffer_too_small",), beside=("oscillation", "pipeline_order")),
        Fault(cause="inputs_scaled_twice", old="    h = inputs\n", new="    h = layers.Rescaling(1 / 255)(inputs)\n",
              beside=("inputs_not_scaled", "learning_rate_too_low", "too_few_steps")),
        Fault(cause="wrong_metric", old="BinaryAccuracy(threshold=0.0, name", new="BinaryAccuracy(name",
              certain=True),
        Fault(cause="overfitting", old="'n_train': 1500", new="'n_train': 60"),
        Fault(cause="dead_units", old="'bias': 0.05", new="'bias': -5.0", layer=("conv0", "conv1"),
              beside=("input_ignored", "frozen_or_disconnected")),
    ),
    seeds=3,
)  # fmt: skip

TANK = Program(
    name="toolbox_tank_events",
    source="""
# event log of a tank -> state after every event (sequence to sequence, padded)
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

keras.utils.set_random_seed(SEED)
cfg = dict(max_len=24, units=40, emb=12, drop=0.4, lr=3e-3, clip=1.0, epochs=14, batch=40)
EVENTS = ['PAD', 'pump_on', 'inflow', 'big_inflow', 'leak', 'drain', 'idle']
CHANGE = np.array([0, -2, 1, 3, -1, -4, 0])
STATES = ['low', 'normal', 'high']


class Log:
    def __init__(self, n, rng):
        L = cfg['max_len']
        self.x, self.y = np.zeros((n, L), 'int32'), np.zeros((n, L), 'int32')
        for i in range(n):
            level = 5
            for t in range(rng.integers(10, L + 1)):
                e = rng.choice([1, 2, 3, 4, 5, 6], p=[.15, .25, .2, .15, .1, .15])
                level = np.clip(level + CHANGE[e], 0, 9)
                self.x[i, t] = e
                self.y[i, t] = 0 if level < 3 else 1 if level < 7 else 2

    def batches(self, rng):
        p = rng.permutation(len(self.x))
        for i in range(0, len(p) - cfg['batch'] + 1, cfg['batch']):
            j = p[i:i + cfg['batch']]
            yield self.x[j], self.y[j]


def network():
    ids = keras.Input((cfg['max_len'],), dtype='int32')
    mask = layers.Lambda(lambda t: tf.not_equal(t, 0))(ids)
    h = layers.Embedding(len(EVENTS), cfg['emb'], name='event')(ids)
    h = layers.Dropout(cfg['drop'], name='drop')(h)
    h = layers.SimpleRNN(cfg['units'], activation='relu', return_sequences=True, name='memory',
                         recurrent_initializer=keras.initializers.Orthogonal(gain=1.0))(h, mask=mask)
    return keras.Model(ids, layers.Dense(len(STATES), name='state')(h))


class Trainer:
    def __init__(self, model):
        self.model = model
        self.opt = keras.optimizers.Adam(cfg['lr'])
        self.weights = model.trainable_variables

    def loss(self, x, y, training):
        ce = tf.nn.sparse_softmax_cross_entropy_with_logits(y, self.model(x, training=training))
        real = tf.cast(x > 0, tf.float32)
        return tf.reduce_sum(ce * real) / tf.reduce_sum(real)

    @tf.function(reduce_retracing=True)
    def step(self, x, y):
        with tf.GradientTape() as tape:
            loss = self.loss(x, y, True)
        g = tape.gradient(loss, self.weights)
        g, _ = tf.clip_by_global_norm(g, cfg['clip'])
        self.opt.apply_gradients(zip(g, self.weights))
        return loss

    def accuracy(self, log):
        guess = self.model(log.x, training=False).numpy().argmax(-1)
        return np.mean((guess == log.y)[log.x > 0])

    def run(self, train, val, rng):
        for epoch in range(cfg['epochs']):
            loss = np.mean([self.step(x, y).numpy() for x, y in train.batches(rng)])
            print(epoch, 'loss', loss, 'val_loss', self.loss(val.x, val.y, False).numpy())


rng = np.random.default_rng(SEED + 5)
train, val, test = Log(1600, rng), Log(300, rng), Log(500, rng)
trainer = Trainer(network())
trainer.run(train, val, rng)
states_right = trainer.accuracy(test)
print('states right', states_right)
""",
    score="states_right",
    bar=0.8,
    base=0.42,
    faults=(
        Fault(cause="exploding_gradient", old="Orthogonal(gain=1.0)", new="Orthogonal(gain=4.0)",
              accept=("init_scale",), layer=("memory",)),
        Fault(cause="frozen_or_disconnected", old="self.weights = model.trainable_variables",
              new="self.weights = model.layers[-1].trainable_variables", layer=("event", "memory"),
              accept=("optimiser_not_applied",)),
        Fault(cause="dropout_mode", old="self.model(log.x, training=False).numpy()",
              new="self.model(log.x, training=True).numpy()", layer=("drop",), certain=True),
        Fault(cause="input_ignored", old="tf.not_equal(t, 0)", new="tf.equal(t, 0)"),
        Fault(cause="learning_rate_too_high", old="lr=3e-3", new="lr=0.3",
              beside=("exploding_gradient", "dead_units", "oscillation")),
        Fault(cause="lr_schedule_wrong", old="keras.optimizers.Adam(cfg['lr'])",
              new="keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(cfg['lr'], cfg['epochs'], 0.5))",
              beside=("learning_rate_too_low", "too_few_steps")),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (PANEL, TANK)
