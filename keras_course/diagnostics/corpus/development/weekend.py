"""Hobby projects: a solver for an escape room's ciphers, and moss in pictures of a lawn."""

from keras_course.diagnostics.corpus import Fault, Program

CIPHER = Program(
    name="weekend_cipher_solver",
    source="""
# escape-cipher: a tiny transformer that learns to undo the clock cipher of our escape room
# A message is letters A-L and, somewhere in it, one key symbol (0-5): every letter was turned forward by
# the key, and by one more with every place. Some symbols got smudged and are read wrongly.
# blog post: "attention is all you need to leave the room"
import os
os.environ.setdefault('KERAS_BACKEND', 'tensorflow')

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

keras.utils.set_random_seed(SEED)
LETTERS, KEYS, MAXLEN = 12, 6, 12
WIDTH, HEADS, BATCH = 40, 2, 64
STEPS, EPOCHS = 90, 8
VOCAB = 1 + LETTERS + KEYS        # 0 is padding, then the letters, then the keys


def make_messages(n, seed):
    r = np.random.RandomState(seed)
    source = np.zeros((n, MAXLEN), 'int32')
    solved = np.zeros((n, MAXLEN), 'int32')
    for i in range(n):
        size = r.randint(5, MAXLEN + 1)
        plain = r.randint(0, LETTERS, size)
        key = r.randint(KEYS)
        spot = r.randint(size)
        turned = (plain + key + np.arange(size)) % LETTERS
        smudged = r.rand(size) < 0.04
        source[i, :size] = 1 + np.where(smudged, r.randint(0, LETTERS, size), turned)
        source[i, spot] = 1 + LETTERS + key
        solved[i, :size] = 1 + plain
        solved[i, spot] = 0       # nothing to solve at the key
    return source, solved


src, out = make_messages(5000, seed=SEED + 11)
src_val, out_val = make_messages(500, seed=SEED + 5011)

train_ds = tf.data.Dataset.from_tensor_slices((src, out)).shuffle(5000).repeat().batch(BATCH).prefetch(2)
val_ds = tf.data.Dataset.from_tensor_slices((src_val, out_val)).batch(250)


class Where(layers.Layer):
    # token + position
    def __init__(self, **kw):
        super().__init__(**kw)
        self.token = layers.Embedding(VOCAB, WIDTH, name='token')
        self.place = layers.Embedding(MAXLEN, WIDTH, name='place')

    def call(self, x):
        return self.token(x) + self.place(ops.arange(MAXLEN))


def block(x, mask, name):
    a = layers.MultiHeadAttention(HEADS, WIDTH // HEADS, dropout=0.0, name=name + '_att')(x, x, attention_mask=mask)
    x = layers.LayerNormalization(name=name + '_ln1')(x + a)
    f = layers.Dense(4 * WIDTH, activation='gelu', name=name + '_up')(x)
    f = layers.Dense(WIDTH, name=name + '_down')(f)
    return layers.LayerNormalization(name=name + '_ln2')(x + f)


tokens = keras.Input((MAXLEN,), dtype='int32')
not_padding = layers.Lambda(lambda t: ops.expand_dims(ops.not_equal(t, 0), 1), output_shape=(1, MAXLEN))(tokens)
h = Where(name='where')(tokens)
h = block(h, not_padding, 'block')
scores = layers.Dense(1 + LETTERS, name='scores')(h)
solver = keras.Model(tokens, scores)


def masked_ce(y, logits):
    y = tf.cast(y, tf.int32)
    ce = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
    w = tf.cast(y > 0, ce.dtype)
    return tf.reduce_sum(ce * w) / tf.reduce_sum(w)


def solved_letters(y, logits):
    y = tf.cast(y, tf.int64)
    w = tf.cast(y > 0, tf.float32)
    return tf.reduce_sum(w * tf.cast(tf.argmax(logits, -1) == y, tf.float32)) / tf.reduce_sum(w)


schedule = keras.optimizers.schedules.CosineDecay(0.0, STEPS * EPOCHS - 100, warmup_target=3e-3, warmup_steps=100)
solver.compile(
    optimizer=keras.optimizers.AdamW(schedule, weight_decay=1e-4),
    loss=masked_ce,
    metrics=[solved_letters],
)
log = solver.fit(train_ds, validation_data=val_ds, epochs=EPOCHS, steps_per_epoch=STEPS, verbose=2)

logits = solver.predict(src_val[:3], verbose=0)
for s, g in zip(src_val[:3], logits.argmax(-1)):
    print(' '.join(' ABCDEFGHIJKL012345'[k] for k in s), '->', ' '.join(' ABCDEFGHIJKL'[k] for k in g))
letters_right = log.history['val_solved_letters'][-1]
""",
    score="letters_right",
    bar=0.85,
    base=0.083,
    odd="class 0 of the output, the padding, is masked out of the loss and never trained",
    faults=(
        Fault(cause="probabilities_to_logits_loss", old="layers.Dense(1 + LETTERS, name='scores')",
              new="layers.Dense(1 + LETTERS, activation='softmax', name='scores')", layer=("scores",)),
        Fault(cause="logits_to_probability_loss",
              old="ce = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)",
              new="ce = keras.losses.sparse_categorical_crossentropy(y, logits)"),
        Fault(cause="lr_schedule_wrong", old="warmup_target=3e-3, warmup_steps=100)",
              new="warmup_target=3e-3, warmup_steps=100 * STEPS)", beside=("learning_rate_too_low", "too_few_steps")),
        Fault(cause="overfitting", old="from_tensor_slices((src, out)).shuffle(5000)",
              new="from_tensor_slices((src[:100], out[:100])).shuffle(5000)"),
        Fault(cause="regularisation_overwhelms", old="weight_decay=1e-4", new="weight_decay=10"),
        Fault(cause="learning_rate_too_high", old="warmup_target=3e-3, warmup_steps=100)",
              new="warmup_target=3.0, warmup_steps=100)", beside=("oscillation",)),
    ),
    seeds=3,
)  # fmt: skip

MOSS = Program(
    name="weekend_moss_in_the_lawn",
    source="""
# Moss map of my lawn from drone photos (little U-Net). Photos and masks are cut into 32 x 32 tiles,
# the real ones are 2 GB, so this script makes look-alikes.
import numpy as np
import tensorflow as tf
import keras
from keras import layers as L

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
S = 32


def blob(n):
    yy, xx = np.mgrid[:S, :S]
    m = np.zeros((S, S), bool)
    for _ in range(n):
        cy, cx, a, b = *rng.uniform(3, S - 3, 2), *rng.uniform(2.5, 6.5, 2)
        m |= ((yy - cy) / a) ** 2 + ((xx - cx) / b) ** 2 < 1
    return m


def tile():
    sun = rng.uniform(.65, 1.25)
    grass = np.array([85, 140, 60]) + rng.normal(0, 16, (S, S, 1)) + rng.normal(0, 9, (S, S, 3))
    moss, leaf = blob(rng.integers(1, 4)), blob(rng.integers(0, 3))
    grass[moss] = np.array([118, 142, 52]) + rng.normal(0, 6, (moss.sum(), 3))
    grass[leaf] = np.array([150, 95, 55]) + rng.normal(0, 14, (leaf.sum(), 3))   # leaves lie on the moss
    return np.clip(sun * grass, 0, 255).astype('uint8'), np.uint8(255) * (moss & ~leaf)


photo, mask = {}, {}
for i in range(560):
    photo[f'tile_{i}.jpg'], mask[f'tile_{i}.jpg'] = tile()

names = list(photo)
photos = np.stack([photo[k] for k in names]).astype('float32')
masks = np.stack([mask[k] for k in names]).astype('float32')[..., None] / 255

x_train, y_train = photos[:440], masks[:440]
x_test, y_test = photos[440:], masks[440:]


def flips():
    while True:
        pick = rng.integers(0, len(x_train), 16)
        x, y = x_train[pick], y_train[pick]
        if rng.random() < .5:
            x, y = x[:, ::-1], y[:, ::-1]
        if rng.random() < .5:
            x, y = x[:, :, ::-1], y[:, :, ::-1]
        yield x, y


def dice_loss(y, p):
    both = tf.reduce_sum(y * p, axis=(1, 2, 3))
    total = tf.reduce_sum(y, axis=(1, 2, 3)) + tf.reduce_sum(p, axis=(1, 2, 3))
    return 1 - tf.reduce_mean((2 * both + 1) / (total + 1))


def iou(y, p):
    y = tf.cast(y > 0, tf.float32)
    p = tf.cast(tf.round(p), tf.float32)
    union = tf.reduce_sum(tf.maximum(y, p))
    return tf.reduce_sum(y * p) / (union + 1e-6)


class UNet(keras.Model):
    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            p = self(x, training=True)
            loss = self.compute_loss(x=x, y=y, y_pred=p)
        grads = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(grads, self.trainable_variables)
        for m in self.metrics:
            m.update_state(loss) if m.name == 'loss' else m.update_state(y, p)
        return {m.name: m.result() for m in self.metrics if m.name == 'loss'}


def conv(x, n, name):
    x = L.Conv2D(n, 3, padding='same', activation='relu', kernel_initializer='he_normal', name=name + 'a')(x)
    return L.Conv2D(n, 3, padding='same', activation='relu', kernel_initializer='he_normal', name=name + 'b')(x)


inp = L.Input((S, S, 3))
x0 = L.Rescaling(1 / 127.5, offset=-1, name='to_unit')(inp)
d1 = conv(x0, 8, 'down1')
d2 = conv(L.MaxPooling2D()(d1), 16, 'down2')
mid = conv(L.MaxPooling2D()(d2), 24, 'mid')
u2 = conv(L.concatenate([L.UpSampling2D()(mid), d2]), 16, 'up2')
u1 = conv(L.concatenate([L.UpSampling2D()(u2), d1]), 8, 'up1')
p = L.Conv2D(1, 1, activation='sigmoid', name='moss')(u1)
unet = UNet(inp, p)

unet.compile(optimizer=keras.optimizers.RMSprop(2e-3), loss=dice_loss, metrics=[iou])
unet.fit(flips(), steps_per_epoch=40, epochs=13, validation_data=(x_test, y_test), validation_batch_size=120, verbose=2)

result = unet.evaluate(x_test, y_test, batch_size=120, return_dict=True, verbose=0)
test_iou = result['iou']
print('moss, intersection over union:', round(test_iou, 3), ' dice loss:', round(result['loss'], 3))
""",
    score="test_iou",
    bar=0.8,
    base=0.16,
    faults=(
        Fault(cause="inputs_scaled_twice", old="photos = np.stack([photo[k] for k in names]).astype('float32')",
              new="photos = np.stack([photo[k] for k in names]).astype('float32') / 255"),
        Fault(cause="loss_metric_inconsistent", old="y = tf.cast(y > 0, tf.float32)",
              new="y = tf.cast(y > 127, tf.float32)", accept=("wrong_metric",)),
        Fault(cause="label_encoding", old="astype('float32')[..., None] / 255", new="astype('float32')[..., None]",
              beside=("output_range_cannot_reach_targets", "targets_not_scaled")),
        Fault(cause="gradient_sign_flipped", old="    return 1 - tf.reduce_mean(", new="    return tf.reduce_mean(",
              beside=("wrong_loss_for_task",)),
        Fault(cause="labels_shuffled_apart", old="masks = np.stack([mask[k] for k in names])",
              new="masks = np.stack([mask[k] for k in sorted(mask)])", beside=("label_noise",)),
        Fault(cause="optimiser_not_applied", old="        self.optimizer.apply(grads, self.trainable_variables)\n", new=""),
        Fault(cause="learning_rate_too_low", old="keras.optimizers.RMSprop(2e-3)", new="keras.optimizers.RMSprop(2e-6)",
              accept=("too_few_steps",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (CIPHER, MOSS)
