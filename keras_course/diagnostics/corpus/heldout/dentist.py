"""Scripts of a company that makes software for dentists: X-rays of single teeth, and notes that become invoices."""

from keras_course.diagnostics.corpus import Fault, Program

TEETH = Program(
    name="dentist_tooth_kinds",
    source='''
"""Which kind of tooth does a small X-ray show? Preselects the drop-down in the chart.

Sensors of two makers: one delivers positives, the other negatives (the header says which). The export is one folder per
kind, so the rows below come kind by kind.
"""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng([SEED, 32])

SIDE = 24
KINDS = ["molar", "incisor", "premolar", "canine"]
PER_KIND = 360
BATCH = 32
PEAK = 5e-3


def tooth(kind):
    """A crown, one to three roots, and the bone around them."""
    yy, xx = np.mgrid[:SIDE, :SIDE].astype("float64")
    middle, neck = rng.uniform(9, 14), rng.uniform(9, 12)
    width = {"incisor": 3.2, "canine": 3.3, "premolar": 3.9, "molar": 5.2}[kind] + rng.normal(0, 0.5)
    top = {"incisor": 0.5, "canine": 2.6, "premolar": 1.4, "molar": 1.0}[kind] * rng.uniform(0.7, 1.3)
    edge = 2 + top * np.abs(xx - middle) / width                        # cusps
    picture = 0.25 + 0.1 * (yy > neck + 1)
    picture += 0.5 * ((np.abs(xx - middle) < width) & (yy > edge) & (yy <= neck))
    roots = {"incisor": 1, "canine": 1, "premolar": rng.integers(1, 3), "molar": rng.integers(2, 4)}[kind]
    length = {"incisor": 8, "canine": 11, "premolar": 8, "molar": 7}[kind] + rng.normal(0, 1)
    for r in range(roots):
        foot = middle + (r - (roots - 1) / 2) * 1.6 * width / max(roots - 1, 1)
        axis = middle + (foot - middle) * (0.4 + 0.6 * (yy - neck) / length)
        taper = 0.5 * width / roots * (1.3 - (yy - neck) / length)
        picture += 0.35 * ((np.abs(xx - axis) < taper) & (yy > neck) & (yy < neck + length))
    picture = picture * rng.uniform(0.7, 1.1) + rng.normal(0, 0.08, picture.shape)
    return np.clip(picture * 255, 0, 255).astype("uint8")[..., None]


names = [f"tooth_{i:04d}_{kind}.png" for kind in sorted(KINDS) for i in range(PER_KIND)]
films = np.stack([tooth(name[11:-4]) for name in names])
negative = rng.random(len(films)) < 0.5
films[negative] = 255 - films[negative]


def kind_of(name):
    return next(k for k, kind in enumerate(KINDS) if name.endswith(f"_{kind}.png"))


labels = np.array([kind_of(name) for name in names])
part = rng.choice(["train", "val", "test"], len(films), p=[0.7, 0.12, 0.18])   # one film per patient


def develop(film, is_negative, label):
    film = tf.cast(film, tf.float32) / 255
    return tf.where(is_negative, 1 - film, film), label


def stream(which):
    rows = np.flatnonzero(part == which)
    data = tf.data.Dataset.from_tensor_slices((films[rows], negative[rows], labels[rows]))
    data = data.map(develop, num_parallel_calls=2)
    if which == "train":
        data = data.shuffle(len(rows))
    return data.batch(BATCH).prefetch(2)


def block(filters, name):
    return [
        layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv"),
        layers.BatchNormalization(momentum=0.9, name=f"{name}_norm"),
        layers.ReLU(name=f"{name}_relu"),
        layers.MaxPooling2D(name=f"{name}_pool"),
    ]


model = keras.Sequential([
    keras.Input((SIDE, SIDE, 1)),
    layers.RandomTranslation(0.06, 0.06, fill_mode="nearest", name="aim"),
    *block(12, "edges"),
    *block(20, "shapes"),
    *block(28, "roots"),
    layers.Flatten(name="flat"),
    layers.Dropout(0.2, name="drop"),
    layers.Dense(len(KINDS), activation="softmax", name="kind"),
], name="tooth_kinds")
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.summary()

callbacks = [
    keras.callbacks.LearningRateScheduler(lambda epoch, rate: PEAK * 0.85 ** epoch),
    keras.callbacks.TerminateOnNaN(),
]
model.fit(stream("train"), validation_data=stream("val"), epochs=10, callbacks=callbacks, verbose=2)

guesses = model.predict(stream("test"), verbose=0).argmax(axis=-1)
accuracy = float(np.mean(guesses == labels[part == "test"]))
print(f"accuracy on {np.sum(part == 'test')} new patients: {accuracy:.3f}")
''',
    score="accuracy",
    bar=0.78,
    base=0.25,
    odd="the rows come sorted by kind, and the buffer of the shuffle holds them all; half of the films are negatives",
    faults=(
        Fault(cause="missing_class", old='name.endswith(f"_{kind}.png")', new='name.endswith(f"{kind}.png")',
              accept=("label_encoding",), beside=("class_imbalance", "label_noise"), certain=True),
        Fault(cause="train_val_preprocessing_mismatch", old="    data = data.map(develop, num_parallel_calls=2)\n",
              new='    if which == "train":\n'
                  "        data = data.map(develop, num_parallel_calls=2)\n"
                  "    else:\n"
                  "        data = data.map(lambda film, _, label: (tf.cast(film, tf.float32) / 255, label))\n"),
        Fault(cause="shuffle_buffer_too_small", old="data = data.shuffle(len(rows))", new="data = data.shuffle(BATCH)",
              accept=("data_sorted",)),
        Fault(cause="pipeline_order", old="""\
    if which == "train":
        data = data.shuffle(len(rows))
    return data.batch(BATCH).prefetch(2)
""", new="""\
    data = data.batch(BATCH)
    if which == "train":
        data = data.shuffle(len(rows))
    return data.prefetch(2)
""", beside=("data_sorted", "batchnorm_mode")),
        Fault(cause="batchnorm_mode", old="momentum=0.9,", new="momentum=0.999,",
              layer=("edges_norm", "shapes_norm", "roots_norm")),
        Fault(cause="wrong_head_for_labels", old="""\
    layers.Dense(len(KINDS), activation="softmax", name="kind"),
], name="tooth_kinds")
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
""", new="""\
    layers.Dense(1, activation="sigmoid", name="kind"),
], name="tooth_kinds")
model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
""", accept=("wrong_loss_for_task", "label_encoding", "output_range_cannot_reach_targets"), layer=("kind",)),
        Fault(cause="lr_schedule_wrong", old="lambda epoch, rate: PEAK * 0.85 ** epoch",
              new="lambda epoch, rate: rate * 0.1 ** epoch", accept=("learning_rate_too_low",),
              beside=("too_few_steps",)),
    ),
    seeds=3,
)  # fmt: skip

INVOICES = Program(
    name="dentist_invoice_positions",
    source='''
"""Proposes invoice positions from the note that the assistant types during the treatment.

Notes are in capitals and full of abbreviations. Some positions are rare, and for many the note alone does not settle
whether they are billed (the insurance decides), so we propose a position as soon as it is likelier than usual.
"""
import re

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED + 2024)

# position: how it is written, how often it comes up, how often it is then billed
POSITIONS = {
    "examination": (["RECALL CHECK", "NEW PAT EXAM", "CHECK UP"], 0.45, 0.9),
    "x_ray": (["BW TAKEN", "PA FILM", "OPG"], 0.30, 0.85),
    "anaesthesia": (["LA GIVEN", "UDS CARTRIDGE", "NUMBED"], 0.35, 0.4),
    "filling": (["COMP MOD", "COMP OD", "GIC TEMP"], 0.30, 0.8),
    "root_canal": (["PULP EXTIRP", "RCT BEGUN", "CANALS SHAPED"], 0.10, 0.35),
    "extraction": (["XLA", "ROOT REMOVED", "SURG EXTR"], 0.10, 0.35),
    "scaling": (["CALC REMOVED", "S AND P", "DEBRIDED"], 0.25, 0.35),
    "crown": (["PREP FOR PFM", "CROWN CEMENTED", "SHADE TAKEN"], 0.10, 0.3),
    "sealant": (["FISSURES SEALED", "FS PLACED"], 0.12, 0.3),
    "splint": (["BRUXISM", "IMPRESSIONS FOR GUARD"], 0.10, 0.3),
}
FILLERS = ["PAT NERVOUS", "MUM PRESENT", "TOLERATED WELL", "NV HALF YEAR", "CAME LATE", "ADVISED RE DIET",
           "NO COMPLAINTS", "UPPER RIGHT", "LOWER LEFT", "FRONT", "WISDOM", "BP OK", "MED HIST UPDATED",
           "CARD DECLINED", "PT REFUSED STUDENT"]
CODES = list(POSITIONS)
NOTES, BATCH, EPOCHS = 4200, 64, 8


def note():
    said, billed = list(rng.choice(FILLERS, rng.integers(2, 6), replace=False)), []
    for code, (phrases, often, paid) in POSITIONS.items():
        seen = rng.random() < often
        if seen:
            said.append(rng.choice(phrases))
        billed.append(rng.random() < (paid if seen else 0.01))
    rng.shuffle(said)
    return ". ".join(said) + ". ROOM 2", np.array(billed, "float32")


texts, codes = map(np.array, zip(*[note() for _ in range(NOTES)]))

notes = tf.data.Dataset.from_tensor_slices((texts, codes))
notes = notes.shuffle(NOTES, seed=SEED, reshuffle_each_iteration=False)
n_test, n_val = 900, 300
test, val, train = notes.take(n_test), notes.skip(n_test).take(n_val), notes.skip(n_test + n_val)
usual = np.mean([code for _, code in train.as_numpy_iterator()], axis=0)
print("billed:", dict(zip(CODES, usual.round(3).tolist())))


def tidy(text):
    text = tf.strings.lower(text)
    return tf.strings.regex_replace(text, "[^a-z0-9 ]", "")


vectorise = layers.TextVectorization(standardize=tidy, output_sequence_length=36, name="words")
vectorise.adapt(train.map(lambda text, code: text).batch(256))
print(vectorise.vocabulary_size(), "words")


def batches(part, training=False):
    part = part.cache()
    if training:
        part = part.shuffle(NOTES)
    return part.batch(BATCH).map(lambda text, code: (vectorise(text), code)).prefetch(2)


class Proposer(keras.Model):
    def __init__(self, words, balance, **kwargs):
        super().__init__(**kwargs)
        self.balance = balance
        self.embed = layers.Embedding(words, 24, name="embed")
        self.phrases = layers.Conv1D(48, 2, padding="same", activation="relu", name="phrases")
        self.most = layers.GlobalMaxPooling1D(name="most")
        self.drop = layers.Dropout(0.2, name="drop")
        self.positions = layers.Dense(len(CODES), name="positions")

    def call(self, ids, training=False):
        h = self.most(self.phrases(self.embed(ids)))
        return self.positions(self.drop(h, training=training))

    def train_step(self, data):
        ids, code = data
        with tf.GradientTape() as tape:
            logits = self(ids, training=True)
            loss = ops.mean(tf.nn.weighted_cross_entropy_with_logits(code, logits, self.balance))
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, self.trainable_variables), 1.0)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
        return self.compute_metrics(ids, code, logits) | {"loss": loss}


proposer = Proposer(vectorise.vocabulary_size(), balance=(1 - usual) / usual, name="proposer")
proposer.compile(optimizer=keras.optimizers.RMSprop(4e-3), loss=keras.losses.BinaryCrossentropy(from_logits=True),
                 metrics=[keras.metrics.BinaryAccuracy(threshold=0.0, name="right")])
proposer.fit(batches(train, training=True), validation_data=batches(val), epochs=EPOCHS, verbose=2)

test_texts, test_codes = zip(*test.as_numpy_iterator())
proposed = proposer.predict(vectorise(tf.constant(test_texts)), verbose=0) > 0
billed = np.array(test_codes) > 0.5
found = (proposed & billed).sum(axis=0) / billed.sum(axis=0)
spared = (~proposed & ~billed).sum(axis=0) / (~billed).sum(axis=0)
balanced = float(np.mean(found + spared) / 2)
for code, share, other in zip(CODES, found, spared):
    print(re.sub("_", " ", f"{code:12s} found {share:.2f}  spared {other:.2f}"))
print(f"balanced accuracy {balanced:.3f}")
''',
    score="balanced",
    bar=0.82,
    base=0.5,
    faults=(
        Fault(cause="leakage_duplicates", old="notes.shuffle(NOTES, seed=SEED, reshuffle_each_iteration=False)",
              new="notes.shuffle(NOTES, seed=SEED)", accept=("pipeline_order",), certain=True),
        Fault(cause="input_ignored", old="    text = tf.strings.lower(text)\n", new=""),
        Fault(cause="class_imbalance", old="balance=(1 - usual) / usual,", new="balance=np.ones_like(usual),"),
        Fault(cause="probabilities_to_logits_loss", old='layers.Dense(len(CODES), name="positions")',
              new='layers.Dense(len(CODES), activation="sigmoid", name="positions")', layer=("positions",)),
        Fault(cause="wrong_metric", old='keras.metrics.BinaryAccuracy(threshold=0.0, name="right")',
              new='keras.metrics.CategoricalAccuracy(name="right")', accept=("loss_metric_inconsistent",),
              certain=True),
        Fault(cause="optimiser_not_applied", old="""\
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
""", new="""\
        self.batches_seen = getattr(self, "batches_seen", 0) + 1
        if self.batches_seen % 4 == 0:                       # as if the batch were 256
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
"""),
        Fault(cause="learning_rate_too_high", old="keras.optimizers.RMSprop(4e-3)",
              new="keras.optimizers.RMSprop(0.4)"),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [TEETH, INVOICES]
