"""What tutorials and posts show: recommenders, attention, generators, two heads. Written before any verdict on them."""

from keras_course.diagnostics.corpus import Fault, Program

CLICKS = Program(
    name="implicit_clicks_generator",
    odd="three of four rows are made up by drawing articles that were not read, new ones each time",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow.keras.layers import Input, Embedding, Flatten, Dot, Dense, Concatenate, Dropout
from tensorflow.keras.models import Model
from tensorflow.keras.regularizers import l2

tf.keras.utils.set_random_seed(SEED)

# who has read what (synthetic log)
n_users, n_items, n_topics = 160, 120, 6
topic_of_item = np.random.randint(0, n_topics, n_items)
taste = np.random.dirichlet(np.full(n_topics, .25), n_users)
log = []
for u in range(n_users):
    p = taste[u][topic_of_item] + .002
    for i in np.random.choice(n_items, 26, replace=False, p=p / p.sum()):
        log.append((u, i))
log = np.array(log)
np.random.shuffle(log)
n_test = len(log) // 6
train_log, test_log = log[n_test:], log[:n_test]
seen = set(map(tuple, log))

NEG_PER_POS = 3


def data_generator(pairs, batch_size=128):
    while True:
        idx = np.random.permutation(len(pairs))
        for start in range(0, len(idx) - batch_size + 1, batch_size):
            pos = pairs[idx[start:start + batch_size]]
            users = np.repeat(pos[:, 0], NEG_PER_POS)
            items = np.random.randint(0, n_items, len(users))
            fresh = np.array([(u, i) not in seen for u, i in zip(users, items)])
            users, items = users[fresh], items[fresh]
            u = np.concatenate([pos[:, 0], users])
            i = np.concatenate([pos[:, 1], items])
            label = np.concatenate([np.ones(len(pos)), np.zeros(len(users))])
            yield (u[:, None], i[:, None]), label[:, None]


def build(k=16):
    user_in = Input(shape=(1,), name='user')
    item_in = Input(shape=(1,), name='item')
    user_vec = Flatten()(Embedding(n_users, k, name='user_emb', embeddings_regularizer=l2(1e-6))(user_in))
    item_vec = Flatten()(Embedding(n_items, k, name='item_emb', embeddings_regularizer=l2(1e-6))(item_in))
    gmf = Dot(axes=1)([user_vec, item_vec])
    mlp = Dense(32, activation='relu', name='mlp')(Concatenate()([user_vec, item_vec]))
    mlp = Dropout(.1)(mlp)
    score = Dense(1, activation='sigmoid', name='score')(Concatenate()([gmf, mlp]))
    return Model([user_in, item_in], score)


ncf = build()
ncf.compile(optimizer=tf.keras.optimizers.Adam(5e-3), loss='binary_crossentropy', metrics=['AUC'])
batch = 128
ncf.fit(data_generator(train_log, batch), steps_per_epoch=len(train_log) // batch, epochs=14, verbose=2)

# AUC of a clicked article against one that was not
neg = np.array([(u, np.random.choice([i for i in range(n_items) if (u, i) not in seen])) for u, _ in test_log])
s_pos = ncf.predict([test_log[:, :1], test_log[:, 1:]], verbose=0)[:, 0]
s_neg = ncf.predict([neg[:, :1], neg[:, 1:]], verbose=0)[:, 0]
auc = np.mean((s_pos > s_neg) + .5 * (s_pos == s_neg))
print('pairwise AUC on held-out clicks: %.3f' % auc)
""",
    score="auc",
    bar=0.78,
    base=0.5,
    seeds=3,
    faults=(
        Fault(cause="labels_shuffled_apart", old="            yield (u[:, None], i[:, None]), label[:, None]", new="            np.random.shuffle(label)\n            yield (u[:, None], i[:, None]), label[:, None]",
              accept=("label_noise",)),
        Fault(cause="constant_labels", old="np.zeros(len(users))])", new="np.ones(len(users))])", beside=("missing_class",)),
        Fault(cause="regularisation_overwhelms", old="name='user_emb', embeddings_regularizer=l2(1e-6)", new="name='user_emb', embeddings_regularizer=l2(1.)", layer=("user_emb",)),
        Fault(cause="learning_rate_too_low", old="tf.keras.optimizers.Adam(5e-3)", new="tf.keras.optimizers.Adam(5e-6)", accept=("too_few_steps",)),
        Fault(cause="too_few_steps", old="epochs=14, verbose=2", new="epochs=1, verbose=2"),
        Fault(cause="frozen_or_disconnected", old="ncf = build()\n", new="ncf = build()\nfor layer in ncf.layers:\n    layer.trainable = False\n",
              layer=("user_emb", "item_emb", "mlp", "score"), accept=("optimiser_not_applied",)),
    ),
)  # fmt: skip

LOOKUP = Program(
    name="kv_lookup_transformer",
    odd="nothing for a while, then all at once; padding is masked out of the attention and of the loss",
    source='''
# Tiny transformer that looks up a key: "c7 a2 d9 ? a" -> 2, written with a custom loop
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

N_KEYS, N_VALUES, MAX_PAIRS = 5, 5, 4
PAD, QUERY = 0, 1                       # keys are 2.., values come after them
VOCAB = 2 + N_KEYS + N_VALUES
LENGTH = MAX_PAIRS * 2 + 2


def sample(n):
    tokens = np.full((n, LENGTH), PAD)
    answers = np.zeros(n, int)
    for row in range(n):
        m = rng.integers(2, MAX_PAIRS + 1)
        keys = rng.choice(N_KEYS, m, replace=False)
        values = rng.integers(0, N_VALUES, m)
        asked = rng.integers(m)
        text = np.stack([2 + keys, 2 + N_KEYS + values], 1).reshape(-1).tolist() + [QUERY, 2 + keys[asked]]
        tokens[row, -len(text):] = text
        answers[row] = values[asked]
    return tokens.astype('int32'), answers.astype('int32')


class TokenAndPosition(layers.Layer):
    def __init__(self, dim):
        super().__init__()
        self.tok = layers.Embedding(VOCAB, dim, name='tok')
        self.pos = layers.Embedding(LENGTH, dim, name='pos')
        self.prev = layers.Embedding(VOCAB, dim, name='prev')

    def call(self, ids):
        before = tf.pad(ids[:, :-1], [[0, 0], [1, 0]])
        return self.tok(ids) + self.prev(before) + self.pos(tf.range(LENGTH))


class EncoderBlock(layers.Layer):
    def __init__(self, dim, heads, ff):
        super().__init__()
        self.att = layers.MultiHeadAttention(heads, dim // heads, name='att')
        self.ffn = keras.Sequential([layers.Dense(ff, activation='gelu'), layers.Dense(dim)])
        self.norm1, self.norm2 = layers.LayerNormalization(), layers.LayerNormalization()

    def call(self, x, mask):
        y = self.norm1(x)
        x = x + self.att(y, y, attention_mask=mask)
        return x + self.ffn(self.norm2(x))


class Lookup(keras.Model):
    def __init__(self, dim=32, depth=1):
        super().__init__()
        self.embed = TokenAndPosition(dim)
        self.blocks = [EncoderBlock(dim, 2, 64) for _ in range(depth)]
        self.norm = layers.LayerNormalization()
        self.head = layers.Dense(N_VALUES, name='answer')

    def call(self, ids):
        mask = (ids != PAD)[:, None, :]
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x, mask)
        return self.head(self.norm(x[:, -1]))


x_train, y_train = sample(2000)
x_test, y_test = sample(400)

BATCH, EPOCHS, WARMUP, PEAK = 50, 9, 60, 5e-3
dataset = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(2000).batch(BATCH)
model = Lookup()
loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
optimizer = keras.optimizers.Adam(learning_rate=PEAK, beta_2=0.98)
accuracy = keras.metrics.SparseCategoricalAccuracy()


@tf.function
def train_step(ids, answer):
    with tf.GradientTape() as tape:
        logits = model(ids, training=True)
        loss = loss_fn(answer, logits)
    grads = tape.gradient(loss, model.trainable_weights)
    grads, norm = tf.clip_by_global_norm(grads, 1.0)
    optimizer.apply_gradients(zip(grads, model.trainable_weights))
    accuracy.update_state(answer, logits)
    return loss


iteration = 0
for epoch in range(EPOCHS):
    accuracy.reset_state()
    for ids, answer in dataset:
        iteration += 1
        optimizer.learning_rate.assign(PEAK * min(iteration / WARMUP, (WARMUP / iteration) ** 0.5))
        loss = train_step(ids, answer)
    print(f"epoch {epoch + 1}: loss {loss:.3f}, accuracy {accuracy.result():.3f}")

test_accuracy = np.mean(model(x_test).numpy().argmax(-1) == y_test)
print("test accuracy", test_accuracy)
''',
    score="test_accuracy",
    bar=0.85,
    base=0.2,
    seeds=3,
    faults=(
        Fault(cause="lr_schedule_wrong", old="PEAK * min(iteration / WARMUP, (WARMUP / iteration) ** 0.5)", new="PEAK * 0.5 ** iteration", beside=("learning_rate_too_low",)),
        Fault(cause="learning_rate_too_high", old="BATCH, EPOCHS, WARMUP, PEAK = 50, 9, 60, 5e-3", new="BATCH, EPOCHS, WARMUP, PEAK = 50, 9, 60, 0.5"),
        Fault(cause="frozen_or_disconnected", old="return self.head(self.norm(x[:, -1]))", new="return self.head(tf.stop_gradient(self.norm(x[:, -1])))",
              layer=("att", "tok", "pos", "prev")),
        Fault(cause="underfitting_capacity", old="def __init__(self, dim=32, depth=1):", new="def __init__(self, dim=2, depth=1):"),
        Fault(cause="label_noise", old="        answers[row] = values[asked]\n", new="        answers[row] = values[rng.integers(m)]\n", accept=("labels_shuffled_apart",)),
        Fault(cause="optimiser_not_applied", old="    optimizer.apply_gradients(zip(grads, model.trainable_weights))\n", new=""),
    ),
)  # fmt: skip

GESTURES = Program(
    name="gesture_frames_from_generator",
    odd="the base is frozen and keeps random filters as it came; half of the units behind it are dropped",
    source="""
import numpy as np
import tensorflow as tf
from keras import layers, models, callbacks, optimizers, utils

utils.set_random_seed(SEED)
CLASSES = ['up', 'down', 'left', 'right', 'circle']
H = W = 16

def render(kind, rnd):
    \"\"\"A bright spot moves through three frames.\"\"\"
    c = rnd.uniform(6, 10, 2)
    step = rnd.uniform(1.6, 2.4)
    direction = {'up': (-1, 0), 'down': (1, 0), 'left': (0, -1), 'right': (0, 1)}.get(kind)
    frames = []
    for k in (-1, 0, 1):
        if direction is None:
            a = 2.1 * k + rnd.uniform(0, 6.3)
            p = c + 2.5 * np.array([np.sin(a), np.cos(a)])
        else:
            p = c + k * step * np.array(direction)
        yy, xx = np.mgrid[:H, :W]
        frames.append(200 * np.exp(-((yy - p[0]) ** 2 + (xx - p[1]) ** 2) / 5) + 25 * rnd.rand(H, W))
    return np.stack(frames, -1).clip(0, 255).astype('uint8')

rnd = np.random.RandomState(7 + SEED)
# recorded one gesture after the other
clips = [(render(name, rnd), k) for k, name in enumerate(CLASSES) for _ in range(200)]
train_clips = [clip for j, clip in enumerate(clips) if j % 5]
val_clips = [clip for j, clip in enumerate(clips) if j % 5 == 0]

def stream(part):
    def gen():
        for clip, k in part:
            yield clip, k
    return gen

sig = (tf.TensorSpec((H, W, 3), tf.uint8), tf.TensorSpec((), tf.int32))

def to_float(clip, k):
    return tf.cast(clip, tf.float32) / 127.5 - 1.0, tf.one_hot(k, len(CLASSES))

train_ds = tf.data.Dataset.from_generator(stream(train_clips), output_signature=sig)
train_ds = train_ds.map(to_float).cache().shuffle(800).batch(40).prefetch(tf.data.AUTOTUNE)
val_ds = tf.data.Dataset.from_generator(stream(val_clips), output_signature=sig)
val_ds = val_ds.map(to_float).batch(40)

base = models.Sequential([
    layers.Input((H, W, 3)),
    layers.SeparableConv2D(32, 3, strides=2, activation='relu', padding='same', depthwise_initializer='he_uniform', pointwise_initializer='he_uniform'),
    layers.BatchNormalization(),
], name='base')
base.trainable = False

model = models.Sequential([
    base,
    layers.Conv2D(32, 3, strides=2, activation='relu', name='conv'),
    layers.Flatten(),
    layers.Dense(64, activation='relu', name='fc'),
    layers.Dropout(0.5),
    layers.Dense(len(CLASSES), activation='softmax', name='gesture'),
])
model.compile(optimizer=optimizers.Nadam(3e-3), loss='categorical_crossentropy', metrics=['accuracy'])
stop = callbacks.EarlyStopping(monitor='loss', patience=3)
model.fit(train_ds, validation_data=val_ds, epochs=12, callbacks=[stop], verbose=0)

x_new = np.array([c for c, _ in val_clips]) / 127.5 - 1.0
truth = np.array([k for _, k in val_clips])
print('accuracy:', (model.predict(x_new, verbose=0).argmax(1) == truth).mean())
""",
    score="(model.predict(x_new, verbose=0).argmax(1) == truth).mean()",
    bar=0.85,
    base=0.2,
    seeds=3,
    faults=(
        Fault(cause="shuffle_buffer_too_small", old=".shuffle(800)", new=".shuffle(16)", accept=("data_sorted",)),
        Fault(cause="label_encoding", old="tf.one_hot(k, len(CLASSES))", new="tf.one_hot(k + 1, len(CLASSES))", accept=("missing_class",)),
        Fault(cause="learning_rate_too_high", old="optimizers.Nadam(3e-3)", new="optimizers.Nadam(0.3)"),
        Fault(cause="missing_class", old="train_clips = [clip for j, clip in enumerate(clips) if j % 5]\nval_clips = [clip for j, clip in enumerate(clips) if j % 5 == 0]\n",
              new="train_clips, val_clips = clips[:800], clips[800:]\n", accept=("validation_split_sorted",), beside=("data_sorted", "train_val_preprocessing_mismatch")),
        Fault(cause="symmetric_or_zero_init", old="layers.Dense(64, activation='relu', name='fc')", new="layers.Dense(64, activation='relu', kernel_initializer='zeros', name='fc')",
              layer=("fc",), beside=("init_scale", "frozen_or_disconnected")),
    ),
)  # fmt: skip

BOXES = Program(
    name="parts_class_and_box",
    odd="two losses of very different size with weights, and one picture in ten has a wrong label on purpose",
    source="""
import numpy as np
import tensorflow as tf
import keras
from keras.layers import Input, Rescaling, Conv2D, MaxPool2D, Flatten, Dense, GroupNormalization
from keras.callbacks import LearningRateScheduler, TerminateOnNaN

keras.utils.set_random_seed(SEED)
SIDE = 24


def make_dataset(n, rng):
    imgs = rng.normal(110, 12, (n, SIDE, SIDE, 1))
    kinds = rng.choice(3, n)
    boxes = np.zeros((n, 4))
    for j, kind in enumerate(kinds):
        w, h = rng.integers(7, 12, 2)
        x0, y0 = rng.integers(0, SIDE - w), rng.integers(0, SIDE - h)
        yy, xx = np.mgrid[:h, :w]
        u, v = (xx - (w - 1) / 2) / (w / 2), (yy - (h - 1) / 2) / (h / 2)
        shape = [np.ones((h, w), bool), u ** 2 + v ** 2 < 1, np.minimum(np.abs(u), np.abs(v)) < .35][kind]   # plate, disc, cross
        imgs[j, y0:y0 + h, x0:x0 + w, 0] += 90 * shape
        boxes[j] = x0, y0, x0 + w, y0 + h
    return imgs.clip(0, 255).astype(np.float32), kinds, (boxes / SIDE).astype(np.float32)


rng = np.random.default_rng(SEED)
imgs, kinds, boxes = make_dataset(1100, rng)
x_train, x_val = imgs[:800], imgs[800:]
k_train, k_val = kinds[:800].copy(), kinds[800:]
b_train, b_val = boxes[:800], boxes[800:]
slips = rng.random(800) < 0.1
k_train[slips] = rng.choice(3, slips.sum())       # the annotators are not perfect

image = Input((SIDE, SIDE, 1))
t = Rescaling(1 / 64., offset=-2, name='rescale')(image)
for filters in (8, 16, 32):
    t = Conv2D(filters, 3, padding='same', activation='relu', kernel_initializer='he_normal', name=f'conv_{filters}')(t)
    t = GroupNormalization(groups=4)(t)
    t = MaxPool2D()(t)
t = Flatten()(t)
kind_out = Dense(3, name='kind')(Dense(32, activation='relu', name='kind_fc')(t))
box_out = Dense(4, name='box')(Dense(48, activation='relu', name='box_fc')(t))
detector = keras.Model(image, {'kind': kind_out, 'box': box_out})

detector.compile(
    optimizer=keras.optimizers.Adam(4e-3),
    loss={'kind': keras.losses.SparseCategoricalCrossentropy(from_logits=True), 'box': keras.losses.Huber(delta=0.1)},
    loss_weights={'kind': 1.0, 'box': 60.0},
    metrics={'kind': 'accuracy', 'box': 'mae'},
)


def decay(epoch, lr):
    return lr if epoch < 6 else lr * 0.7


detector.fit(
    x_train, {'kind': k_train, 'box': b_train},
    validation_data=(x_val, {'kind': k_val, 'box': b_val}),
    batch_size=32, epochs=10, verbose=0,
    callbacks=[LearningRateScheduler(decay), TerminateOnNaN()],
)
found = detector.predict(x_val, verbose=0)
kind_acc = np.mean(found['kind'].argmax(-1) == k_val)
box_r2 = 1 - np.mean((found['box'] - b_val) ** 2) / b_val.var(axis=0).mean()
print(f'kind {kind_acc:.3f}  box R2 {box_r2:.3f}')
""",
    score="0.5 * (kind_acc - 1 / 3) * 1.5 + 0.5 * max(box_r2, -1)",
    bar=0.7,
    base=0.0,
    seeds=3,
    faults=(
        Fault(cause="lr_schedule_wrong", old="return lr if epoch < 6 else lr * 0.7", new="return lr * 0.01 ** epoch", beside=("learning_rate_too_low",)),
        Fault(cause="inputs_scaled_twice", old="Rescaling(1 / 64., offset=-2, name='rescale')(image)", new="Rescaling(1 / 255., name='rescale')(image / 255.)", beside=("inputs_not_scaled",)),
        Fault(cause="label_noise", old="slips = rng.random(800) < 0.1", new="slips = rng.random(800) > 0.1", accept=("labels_shuffled_apart",)),
        Fault(cause="logits_to_probability_loss", old="'kind': keras.losses.SparseCategoricalCrossentropy(from_logits=True)", new="'kind': 'sparse_categorical_crossentropy'", layer=("kind",),
              beside=("wrong_head_for_labels",)),
        Fault(cause="train_val_preprocessing_mismatch", old="x_train, x_val = imgs[:800], imgs[800:]", new="x_train, x_val = imgs[:800], imgs[800:] / 255."),
    ),
)  # fmt: skip

SPECTRA = Program(
    name="mineral_spectra_batchnorm",
    odd="files are read mineral by mineral, and normalised twice: each spectrum by itself, then by batches",
    source="""
from tensorflow.keras.layers import *
from tensorflow.keras.models import Sequential
from tensorflow.keras.optimizers import SGD
import tensorflow as tf
import numpy as np

tf.keras.utils.set_random_seed(SEED)
minerals = ["quartz", "calcite", "gypsum", "albite", "barite", "pyrite"]
bins = 96
rng = np.random.default_rng(2024)
where = rng.uniform(6, bins - 6, 5)             # one multiplet, in other proportions
lines = {m: (where, rng.uniform(.2, 1., 5)) for m in minerals}


def read_folder(mineral, n, rng):
    where, height = lines[mineral]
    axis = np.arange(bins)
    spectra = []
    for _ in range(n):
        shift, width = rng.normal(0, .8), rng.uniform(1.2, 2.2)
        s = sum(h * rng.uniform(.8, 1.) * np.exp(-(axis - w - shift) ** 2 / (2 * width ** 2)) for w, h in zip(where, height))
        s = s + rng.uniform(0, 1.5) + rng.uniform(-.01, .01) * axis + .12 * rng.normal(size=bins)
        spectra.append(s * rng.uniform(500, 3000))       # counts
    return np.array(spectra)


def load(n, seed):
    rng = np.random.default_rng(seed)
    X, y = [], []
    for label, mineral in enumerate(minerals):
        X.append(read_folder(mineral, n, rng))
        y += [label] * n
    return np.concatenate(X), np.array(y)


def snv(X):
    # standard normal variate: every spectrum by itself
    return (X - X.mean(1, keepdims=True)) / X.std(1, keepdims=True)


X_train, y_train = load(160, SEED + 1)
X_val, y_val = load(50, SEED + 1001)
X_train, X_val = snv(X_train)[..., None], snv(X_val)[..., None]

ds = tf.data.Dataset.from_tensor_slices((X_train, y_train))
ds = ds.shuffle(len(y_train), reshuffle_each_iteration=True).batch(32).prefetch(1)
val = tf.data.Dataset.from_tensor_slices((X_val, y_val)).batch(100)

cnn = Sequential([
    Input(shape=(bins, 1)),
    Conv1D(16, 7, strides=2, use_bias=False), BatchNormalization(momentum=.9), ReLU(),
    Conv1D(32, 5, strides=2, use_bias=False), BatchNormalization(momentum=.9), ReLU(),
    Flatten(),
    Dropout(.3),
    Dense(len(minerals), activation="softmax", name="mineral"),
])
cnn.compile(SGD(.03, momentum=.9), "sparse_categorical_crossentropy", metrics=["acc"])
cnn.fit(ds, validation_data=val, epochs=12, verbose=0)
val_acc = cnn.evaluate(val, verbose=0, return_dict=True)["acc"]
print(f"val_acc={val_acc:.3f}")
""",
    score="val_acc",
    bar=0.9,
    base=1 / 6,
    seeds=3,
    faults=(
        Fault(cause="pipeline_order", old="ds.shuffle(len(y_train), reshuffle_each_iteration=True).batch(32)", new="ds.batch(32).shuffle(4)",
              accept=("data_sorted", "shuffle_buffer_too_small"), beside=("batchnorm_mode",)),
        Fault(cause="data_sorted", old="ds.shuffle(len(y_train), reshuffle_each_iteration=True).batch(32)", new="ds.batch(32)", beside=("batchnorm_mode",)),
        Fault(cause="train_val_preprocessing_mismatch", old="snv(X_train)[..., None], snv(X_val)[..., None]", new="snv(X_train)[..., None], X_val[..., None]"),
        Fault(cause="labels_shuffled_apart", old="ds = tf.data.Dataset.from_tensor_slices((X_train, y_train))\n",
              new="np.random.shuffle(X_train)\nnp.random.shuffle(y_train)\nds = tf.data.Dataset.from_tensor_slices((X_train, y_train))\n", accept=("label_noise",)),
    ),
)  # fmt: skip

PROGRAMS = (CLICKS, LOOKUP, GESTURES, BOXES, SPECTRA)
