"""Scripts ported from PyTorch and from TensorFlow 1: machine sounds to a residual net, and a denoiser of strain gauges."""

from keras_course.diagnostics.corpus import Fault, Program

SAWS = Program(
    name="refactor_saw_blades_trainer",
    source="""
# ported from torch; names kept so that the old configs still work
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf


@dataclass
class Config:
    n_feats: int = 30
    n_classes: int = 4
    width: int = 32
    n_blocks: int = 3
    p_drop: float = 0.2
    act: str = "relu"
    batch_size: int = 32
    max_epochs: int = 40
    lr: float = 2e-3
    weight_decay: float = 1e-3
    patience: int = 6
    seed: int = SEED


cfg = Config()
keras.utils.set_random_seed(cfg.seed)


class BladeDataset:
    \"\"\"Band energies (dB) of a saw, label = wear 0..3\"\"\"

    def __init__(self, per_class, gen):
        self.labels = np.repeat(np.arange(cfg.n_classes), per_class)
        speed = gen.uniform(0.7, 1.3, len(self.labels))
        bands = np.arange(cfg.n_feats)
        x = gen.normal(0, 2.0, (len(self.labels), cfg.n_feats))
        for i, (w, s) in enumerate(zip(self.labels, speed)):
            for k in range(1, 4):
                amp = (4.0, 7.0, 6.5, 9.0)[w] if k != 1 + w % 3 else 12.0
                x[i] += amp * np.exp(-((bands - 7.5 * k * s) / 1.2) ** 2)
        self.x = (x + 20.0).astype("float32")

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, idx):
        return self.x[idx], self.labels[idx]


class DataLoader:
    def __init__(self, dataset, batch_size, shuffle=False):
        self.dataset, self.batch_size, self.shuffle = dataset, batch_size, shuffle

    def __iter__(self):
        idx = np.arange(len(self.dataset))
        if self.shuffle:
            np.random.shuffle(idx)
        for i in range(0, len(idx), self.batch_size):
            yield self.dataset[idx[i:i + self.batch_size]]


class Block(keras.layers.Layer):
    def __init__(self, width, **kw):
        super().__init__(**kw)
        self.fc1 = keras.layers.Dense(width, kernel_initializer="he_normal")
        self.bn = keras.layers.BatchNormalization(momentum=0.9)
        self.fc2 = keras.layers.Dense(width, kernel_initializer="he_normal")
        self.act = keras.activations.get(cfg.act)
        self.drop = keras.layers.Dropout(cfg.p_drop)

    def call(self, x, training=False):
        h = self.act(self.bn(self.fc1(x), training=training))
        return x + self.drop(self.fc2(h), training=training)


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.stem = keras.layers.Dense(cfg.width, activation=cfg.act, name="stem")
        self.blocks = [Block(cfg.width, name=f"block{i}") for i in range(cfg.n_blocks)]
        self.head = keras.layers.Dense(cfg.n_classes, name="head")

    def call(self, x, training=False):
        x = self.stem((x - 20.0) / 5.0)
        for block in self.blocks:
            x = block(x, training=training)
        return self.head(x)


class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = keras.optimizers.AdamW(cfg.lr, weight_decay=cfg.weight_decay)
        self.criterion = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.best, self.best_state, self.bad = np.inf, None, 0

    def train_step(self, x, y):
        with tf.GradientTape() as tape:
            loss = self.criterion(y, self.model(x, training=True))
        params = self.model.trainable_variables
        self.optimizer.apply(tape.gradient(loss, params), params)
        return loss

    def evaluate(self, loader):
        out, labels = [], []
        for x, y in loader:
            out.append(self.model(x, training=False).numpy())
            labels.append(y)
        out, labels = np.concatenate(out), np.concatenate(labels)
        return float(self.criterion(labels, out)), float(np.mean(out.argmax(1) == labels))

    def fit(self, train_loader, val_loader):
        step = tf.function(self.train_step, reduce_retracing=True)
        for epoch in range(cfg.max_epochs):
            running = [float(step(tf.constant(x), tf.constant(y))) for x, y in train_loader]
            val_loss, val_acc = self.evaluate(val_loader)
            print(f"[{epoch:02d}] train {np.mean(running):.4f} val {val_loss:.4f} acc {val_acc:.3f}")
            if val_loss < self.best:
                self.best, self.best_state, self.bad = val_loss, self.model.get_weights(), 0
            else:
                self.bad += 1
                if self.bad >= cfg.patience:
                    break
        self.model.set_weights(self.best_state or self.model.get_weights())


gen = np.random.default_rng(cfg.seed)
train_set = BladeDataset(500, gen)
val_set, test_set = BladeDataset(80, gen), BladeDataset(150, gen)
train_loader = DataLoader(train_set, cfg.batch_size, shuffle=True)
val_loader = DataLoader(val_set, 128)

trainer = Trainer(Net())
trainer.fit(train_loader, val_loader)
nll, acc = trainer.evaluate(DataLoader(test_set, 128))
print("test:", nll, acc)
""",
    odd="raw decibels of about 20 enter the model, which scales them itself",
    score="0.7 * max(-1.0, 1 - nll / np.log(4)) + 0.4 * (acc - 0.25) if np.isfinite(nll) else 0.0",
    bar=0.5,
    base=0.0,
    faults=(
        Fault(cause="data_sorted", old="DataLoader(train_set, cfg.batch_size, shuffle=True)",
              new="DataLoader(train_set, cfg.batch_size)", beside=("batchnorm_mode", "oscillation")),
        Fault(cause="probabilities_to_logits_loss", old="return self.head(x)", new="return tf.nn.softmax(self.head(x))",
              layer=("head",)),
        Fault(cause="missing_nonlinearity", old="act: str = \"relu\"", new="act: str = \"linear\"",
              beside=("underfitting_capacity",)),
        Fault(cause="saturated_units", old="Dense(cfg.width, activation=cfg.act, name=\"stem\")",
              new="Dense(cfg.width, activation=\"tanh\", kernel_initializer=keras.initializers.RandomNormal(0, 3), "
              "name=\"stem\")", accept=("init_scale",), layer=("stem",), beside=("vanishing_gradient",)),
        Fault(cause="frozen_or_disconnected", old="params = self.model.trainable_variables",
              new="params = self.model.head.trainable_variables"),
        Fault(cause="loss_metric_inconsistent", old="np.mean(out.argmax(1) == labels)",
              new="np.mean(out.argsort(1)[:, 0] == labels)", accept=("wrong_metric",)),
        Fault(cause="overfitting", old="train_set = BladeDataset(500, gen)", new="train_set = BladeDataset(20, gen)"),
        Fault(cause="optimiser_not_applied", old="        self.optimizer.apply(tape.gradient(loss, params), params)\n",
              new="        tape.gradient(loss, params)\n"),
    ),
    pairs=(("data_sorted", "probabilities_to_logits_loss"),),
    seeds=3,
)  # fmt: skip

GAUGES = Program(
    name="refactor_gauge_denoiser",
    source="""
import numpy as np
import keras
from keras import layers

# was: tf.Session / feed_dict (2017). FLAGS kept.


class FLAGS:
    length = 64
    train_size = 1600
    batch = 32
    epochs = 12
    lr = 2e-3
    code = 16


keras.utils.set_random_seed(SEED)
rnd = np.random.RandomState(SEED)


def bridge_signal(n):
    # strain of a bridge in ADC counts (12 bit): lorries crossing, plus sway
    t = np.arange(FLAGS.length)
    clean = np.full((n, FLAGS.length), 1400.0)
    for row in clean:
        for _ in range(rnd.randint(1, 4)):
            centre, width = rnd.uniform(5, 59), rnd.uniform(2, 6)
            row += rnd.uniform(300, 900) * np.exp(-((t - centre) / width) ** 2)
        row += rnd.uniform(0, 150) * np.sin(2 * np.pi * t / rnd.uniform(20, 40) + rnd.uniform(0, 6.28))
    return np.clip(clean, 0, 4095)


class GaugeDataset(keras.utils.PyDataset):
    def __init__(self, clean, shuffle, **kwargs):
        super().__init__(**kwargs)
        self.clean, self.shuffle = clean, shuffle
        self.order = np.arange(len(clean))
        noise = rnd.normal(0, 160, clean.shape) * (1 + (rnd.rand(*clean.shape) < 0.05) * 4)
        self.noisy = np.clip(clean + noise, 0, 4095)

    def __len__(self):
        return len(self.clean) // FLAGS.batch

    def __getitem__(self, i):
        take = self.order[i * FLAGS.batch:(i + 1) * FLAGS.batch]
        x = self.noisy[take] / 2047.5 - 1.0
        y = self.clean[take] / 2047.5 - 1.0
        return x[..., None].astype('float32'), y[..., None].astype('float32')

    def on_epoch_end(self):
        if self.shuffle:
            rnd.shuffle(self.order)


train_feed = GaugeDataset(bridge_signal(FLAGS.train_size), shuffle=True)
eval_feed = GaugeDataset(bridge_signal(320), shuffle=False)


def build_graph():
    x = keras.Input((FLAGS.length, 1), name='x_ph')
    h = layers.Conv1D(16, 5, strides=2, padding='same', activation='relu', name='enc1')(x)
    h = layers.Conv1D(32, 5, strides=2, padding='same', activation='relu', name='enc2')(h)
    h = layers.Flatten()(h)
    z = layers.Dense(FLAGS.code, name='code')(h)
    h = layers.Dense(16 * 32, activation='relu', name='dec0')(z)
    h = layers.Reshape((16, 32))(h)
    h = layers.Conv1DTranspose(16, 5, strides=2, padding='same', activation='relu', name='dec1')(h)
    h = layers.Conv1DTranspose(1, 5, strides=2, padding='same', activation='tanh', name='recon')(h)
    return keras.Model(x, h)


graph = build_graph()
lr = keras.optimizers.schedules.ExponentialDecay(FLAGS.lr, decay_steps=100, decay_rate=0.8)
graph.compile(optimizer=keras.optimizers.Adam(lr), loss='mse')
graph.fit(train_feed, validation_data=eval_feed, epochs=FLAGS.epochs, verbose=2)

mean_curve = train_feed.clean.mean(axis=0)
rec = (graph.predict(eval_feed, verbose=0)[..., 0] + 1.0) * 2047.5
explained = 1 - np.mean((rec - eval_feed.clean) ** 2) / np.mean((eval_feed.clean - mean_curve) ** 2)
print('explained variance of clean strain: %.3f' % explained)
""",
    score="max(float(explained), -1.0) if np.isfinite(explained) else -1.0",
    bar=0.7,
    base=0.0,
    faults=(
        Fault(cause="inputs_scaled_twice", old="self.noisy = np.clip(clean + noise, 0, 4095)",
              new="self.noisy = np.clip(clean + noise, 0, 4095) / 4095", beside=("input_ignored",)),
        Fault(cause="output_range_cannot_reach_targets", old="activation='tanh', name='recon'",
              new="activation='relu', name='recon'", layer=("recon",), beside=("dead_units",)),
        Fault(cause="too_few_steps", old="    epochs = 12\n", new="    epochs = 1\n", beside=("learning_rate_too_low",)),
        Fault(cause="lr_schedule_wrong", old="decay_steps=100, decay_rate=0.8", new="decay_steps=4, decay_rate=0.8",
              beside=("learning_rate_too_low", "too_few_steps")),
        Fault(cause="dead_units", old="layers.Dense(16 * 32, activation='relu', name='dec0')",
              new="layers.Dense(16 * 32, activation='relu', bias_initializer=keras.initializers.Constant(-5.0), name='dec0')",
              layer=("dec0",), beside=("input_ignored",)),
        Fault(cause="underfitting_capacity", old="    code = 16\n", new="    code = 1\n", layer=("code",)),
        Fault(cause="wrong_loss_for_task", old="loss='mse'", new="loss='binary_crossentropy'",
              beside=("output_range_cannot_reach_targets", "wrong_head_for_labels")),
        Fault(cause="learning_rate_too_low", old="    lr = 2e-3\n", new="    lr = 2e-6\n", beside=("too_few_steps",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (SAWS, GAUGES)
