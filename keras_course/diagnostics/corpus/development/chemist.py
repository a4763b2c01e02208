"""Scripts of a chemistry laboratory: Raman spectra of fermentations, and functional groups read from SMILES strings."""

from keras_course.diagnostics.corpus import Fault, Program

RAMAN = Program(
    name="chemist_raman_fermenter",
    source='''
"""Glucose, ethanol, acetate and biomass (g/L) from inline Raman spectra of the fermenter.
Replaces the PLS model of last year; spectra resampled to 128 points, 400-1800 1/cm.
"""
import os
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
import numpy as np
from keras import layers, ops
from sklearn.metrics import r2_score

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

POINTS = 128
ANALYTES = ["glucose", "ethanol", "acetate", "biomass"]
LINES = {  # position, width, height per g/L
    "glucose": [(22, 3.0, 0.020), (66, 2.0, 0.026), (91, 4.0, 0.016)],
    "ethanol": [(44, 2.0, 0.040), (96, 3.0, 0.022)],
    "acetate": [(48, 3.0, 0.11), (93, 2.5, 0.13)],
    "biomass": [(55, 6.0, 0.05), (104, 5.0, 0.055), (115, 4.0, 0.04)],
}
RANGES = np.array([60.0, 40.0, 8.0, 15.0])
axis = np.arange(POINTS)


def lorentz(x0, gamma):
    return gamma**2 / ((axis - x0) ** 2 + gamma**2)


pure = np.stack([sum(h * lorentz(p, g) for p, g, h in LINES[a]) for a in ANALYTES])


def sample(n):
    """n spectra with fluorescence background and shot noise, and what the HPLC says"""
    conc = rng.uniform(0, 1, (n, 4)) * RANGES
    gain = rng.uniform(0.8, 1.2, (n, 1))
    background = rng.uniform(1, 4, (n, 1)) * np.exp(-axis / rng.uniform(60, 200, (n, 1)))
    clean = gain * (conc @ pure + 1.2 * lorentz(76, 1.5)) + background     # 76 = sapphire window
    counts = clean + rng.normal(0, 0.04, clean.shape)
    return (1000 * counts).round().astype("float32"), conc.astype("float32")


spectra, hplc = sample(1600)
spectra_val, hplc_val = sample(300)
spectra_test, hplc_test = sample(400)

center, scale = spectra.mean(), spectra.std()
y_mean, y_std = hplc.mean(axis=0), hplc.std(axis=0)


def prepare(s):
    return ((s - center) / scale)[..., None]


class Batches(keras.utils.PyDataset):
    """shuffled batches with a little synthetic noise on top"""

    def __init__(self, s, y, batch_size=32, noise=0.02, **kwargs):
        super().__init__(**kwargs)
        self.s, self.y, self.batch_size, self.noise = s, y, batch_size, noise
        self.order = rng.permutation(len(s))

    def __len__(self):
        return len(self.s) // self.batch_size

    def __getitem__(self, i):
        rows = self.order[i * self.batch_size:(i + 1) * self.batch_size]
        s = self.s[rows] + rng.normal(0, self.noise, self.s[rows].shape)
        return s.astype("float32"), self.y[rows]

    def on_epoch_end(self):
        self.order = rng.permutation(len(self.s))


def conv_bn(x, filters, k, name):
    x = layers.Conv1D(filters, k, strides=2, padding="same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)


inp = keras.Input((POINTS, 1), name="raman")
x = conv_bn(inp, 12, 9, "conv1")
x = conv_bn(x, 16, 7, "conv2")
x = conv_bn(x, 16, 5, "conv3")
x = layers.Flatten()(x)
x = layers.Dense(48, activation="relu", name="mix")(x)
out = layers.Dense(4, name="g_per_l")(x)
model = keras.Model(inp, out)

EPOCHS = 12
batches = Batches(prepare(spectra), (hplc - y_mean) / y_std)
rate = keras.optimizers.schedules.CosineDecay(3e-3, decay_steps=EPOCHS * len(batches), alpha=0.02)
model.compile(optimizer=keras.optimizers.Adam(rate), loss="mse", metrics=["mae"])
history = model.fit(
    batches,
    validation_data=(prepare(spectra_val), (hplc_val - y_mean) / y_std),
    epochs=EPOCHS,
    verbose=2,
)

predicted = model.predict(prepare(spectra_test), verbose=0) * y_std + y_mean
r2 = r2_score(hplc_test, predicted, multioutput="raw_values")
for name, value in zip(ANALYTES, r2):
    print(f"{name:10s} R2 = {value:.3f}")
mean_r2 = float(np.mean(r2))
''',
    score="max(mean_r2, -1.0) if np.isfinite(mean_r2) else -1.0",
    bar=0.85,
    base=0.0,
    faults=(
        Fault(cause="batchnorm_mode", old="layers.BatchNormalization(momentum=0.9, name", new="layers.BatchNormalization(momentum=0.9995, name",
              layer=("conv1_bn", "conv2_bn", "conv3_bn"), beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="targets_not_scaled", old="y_mean, y_std = hplc.mean(axis=0), hplc.std(axis=0)\n",
              new="y_mean, y_std = 0.0, 0.001  # mg/L\n"),
        Fault(cause="inputs_drowned_in_noise", old="batch_size=32, noise=0.02,", new="batch_size=32, noise=20.0,",
              beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="train_val_preprocessing_mismatch", old="    validation_data=(prepare(spectra_val), ",
              new="    validation_data=(spectra_val[..., None] / spectra_val.max(), ", certain=True),
        Fault(cause="lr_schedule_wrong", old="decay_steps=EPOCHS * len(batches), alpha=0.02", new="decay_steps=EPOCHS, alpha=1e-4",
              beside=("too_few_steps", "learning_rate_too_low")),
        Fault(cause="leakage_duplicates", old="spectra_test, hplc_test = sample(400)\n",
              new="spectra_test, hplc_test = sample(400)\n"
              "spectra = np.concatenate([spectra, spectra_val, spectra_test])\n"
              "hplc = np.concatenate([hplc, hplc_val, hplc_test])\n", certain=True),
        Fault(cause="underfitting_capacity", old='x = layers.Dense(48, activation="relu", name="mix")(x)\n',
              new='x = layers.Dense(1, activation="tanh", name="mix")(x)\n', layer=("mix",)),
    ),
    seeds=3,
)  # fmt: skip

SMILES = Program(
    name="chemist_smiles_groups",
    source='''
# functional groups from SMILES, a small transformer encoder with our own loop (multi-label, 5 groups)
# substructure search is exact of course, this is the warm-up for the toxicity heads
import random
import time

import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

seed = SEED
random.seed(seed); np.random.seed(seed); tf.random.set_seed(seed)

GROUPS = ["acid", "amide", "nitrile", "arene", "halide"]
PIECES = {"acid": "C(=O)O", "amide": "C(=O)N", "nitrile": "C#N", "arene": "c1ccccc1", "halide": "Cl"}
FILLERS = ["C", "CC", "O", "N", "C(C)", "S", "C=C", "C(=O)C", "F"]
MAXLEN = 40


def molecule():
    have = [g for g in GROUPS if random.random() < 0.4]
    parts = [PIECES[g] for g in have] + random.choices(FILLERS, k=random.randint(2, 5))
    random.shuffle(parts)
    text = "C".join(parts)[:MAXLEN]
    # a joint can close a group by chance, so ask the string, not the list
    return text, [float(PIECES[g] in text) for g in GROUPS]


mols, labels = zip(*[molecule() for _ in range(2900)])
labels = np.array(labels, "float32")
alphabet = sorted(set("".join(mols)))
index = {ch: i + 1 for i, ch in enumerate(alphabet)}   # 0 = padding

tokens = np.zeros((len(mols), MAXLEN), "int32")
for row, smi in enumerate(mols):
    tokens[row, :len(smi)] = [index[ch] for ch in smi]

n_train = 2400
train = tf.data.Dataset.from_tensor_slices((tokens[:n_train], labels[:n_train])).shuffle(n_train, seed=seed).batch(64)

D = 32


class Encoder(keras.Model):
    def __init__(self, vocab, rate=0.1):
        super().__init__()
        self.emb = layers.Embedding(vocab, D, name="emb")
        self.pos = layers.Embedding(MAXLEN, D, name="pos")
        self.local = layers.Conv1D(D, 5, padding="same", activation="relu", name="local")
        self.att = layers.MultiHeadAttention(2, D // 2, name="att")
        self.ln1, self.ln2 = layers.LayerNormalization(), layers.LayerNormalization()
        self.ff1 = layers.Dense(64, activation="relu", name="ff1")
        self.ff2 = layers.Dense(D, name="ff2")
        self.drop = layers.Dropout(rate)
        self.head = layers.Dense(len(GROUPS), name="head")

    def call(self, t, training=False):
        real = tf.cast(t > 0, tf.float32)
        h = self.emb(t) + self.pos(tf.range(MAXLEN))
        h = self.local(h * real[..., None])
        a = self.att(h, h, attention_mask=real[:, None, :] > 0)
        h = self.ln1(h + self.drop(a, training=training))
        h = self.ln2(h + self.drop(self.ff2(self.ff1(h)), training=training))
        h = tf.reduce_max(h * real[..., None] - 9.0 * (1 - real[..., None]), axis=1)
        return self.head(self.drop(h, training=training))


model = Encoder(len(alphabet) + 1)
model(tokens[:2])
loss_fn = keras.losses.BinaryCrossentropy(from_logits=True)
opt = keras.optimizers.Adam(learning_rate=2e-3)


@tf.function
def step(t, y):
    with tf.GradientTape() as tape:
        out = model(t, training=True)
        loss = loss_fn(y, out)
    grads = tape.gradient(loss, model.trainable_variables)
    opt.apply_gradients(zip(grads, model.trainable_variables))
    return loss


@tf.function
def infer(t):
    return model(t, training=False)


t0 = time.time()
for epoch in range(7):
    seen = []
    for t, y in train:
        seen.append(float(step(t, y)))
    held = float(loss_fn(labels[n_train:], infer(tokens[n_train:])))
    print(f"{epoch} train {np.mean(seen):.4f} held out {held:.4f} ({time.time() - t0:.1f}s)")

found = infer(tokens[n_train:]).numpy() > 0
truth = labels[n_train:] > 0.5
per_group = [0.5 * (found[truth[:, k], k].mean() + (~found[~truth[:, k], k]).mean()) for k in range(len(GROUPS))]
print(dict(zip(GROUPS, np.round(per_group, 3))))
balanced = float(np.mean(per_group))
''',
    score="balanced",
    bar=0.9,
    base=0.5,
    faults=(
        Fault(cause="logits_to_probability_loss", old="BinaryCrossentropy(from_logits=True)", new="BinaryCrossentropy()",
              layer=("head",)),
        Fault(cause="dropout_mode", old="    return model(t, training=False)\n", new="    return model(t, training=True)\n", certain=True),
        Fault(cause="label_noise", old="[float(PIECES[g] in text) for g in GROUPS]",
              new="[float((PIECES[g] in text) != (random.random() < 0.3)) for g in GROUPS]"),
        Fault(cause="frozen_or_disconnected", old="    grads = tape.gradient(loss, model.trainable_variables)\n"
              "    opt.apply_gradients(zip(grads, model.trainable_variables))\n",
              new="    grads = tape.gradient(loss, model.head.trainable_variables)\n"
              "    opt.apply_gradients(zip(grads, model.head.trainable_variables))\n"),
        Fault(cause="label_encoding", old='labels = np.array(labels, "float32")\n',
              new='labels = np.array(labels, "float32") + 1\n',
              beside=("output_range_cannot_reach_targets", "wrong_loss_for_task", "wrong_head_for_labels")),
        Fault(cause="learning_rate_too_low", old="Adam(learning_rate=2e-3)", new="Adam(learning_rate=2e-6)", beside=("too_few_steps",)),
        Fault(cause="wrong_loss_for_task", old="loss_fn = keras.losses.BinaryCrossentropy(from_logits=True)",
              new="loss_fn = keras.losses.CategoricalCrossentropy(from_logits=True)",
              accept=("wrong_head_for_labels",)),
    ),
    pairs=(("logits_to_probability_loss", "learning_rate_too_low"),),
    seeds=3,
)  # fmt: skip

PROGRAMS = (RAMAN, SMILES)
