"""Scripts of researchers: kinds of variable stars from light curves, and ice on lakes in radar images."""

from keras_course.diagnostics.corpus import Fault, Program

STARS = Program(
    name="observatory_variable_stars",
    source="""
import keras
import numpy as np
from keras import layers, ops

# light curves of the survey, labelled by volunteers (7 votes per star)
seed = SEED
keras.utils.set_random_seed(seed)
rng = np.random.default_rng(seed)

KINDS = ['RR Lyrae', 'eclipsing', 'flare', 'long period']
T_MAX = 40


def light_curve(kind):
    n = rng.integers(24, T_MAX + 1)
    t = np.sort(rng.uniform(0, 10, n))
    phase = rng.uniform(0, 1)
    amp = rng.uniform(0.4, 0.9)
    if kind == 0:
        p = rng.uniform(1.5, 2.5)
        m = amp * ((t / p + phase) % 1 - 0.5) * 2
    elif kind == 1:
        p = rng.uniform(2.0, 3.5)
        m = 1.6 * amp * (np.abs((t / p + phase) % 1 - 0.5) < 0.12)
    elif kind == 2:
        t0 = rng.uniform(1, 7)
        m = -2.5 * amp * np.where(t > t0, np.exp(-(t - t0) / 1.2), 0)
    else:
        m = amp * np.sin(2 * np.pi * (t / rng.uniform(8, 14) + phase)) * 1.3
    m = m + rng.normal(0, 0.12, n)
    curve = np.zeros((T_MAX, 3), 'float32')
    curve[:n, 0] = m - np.median(m)
    curve[:n, 1] = np.diff(t, prepend=t[0])
    curve[:n, 2] = t / 10
    return curve, n


def volunteers(kind):
    right = rng.uniform(size=7) < 0.62
    return np.where(right, kind, rng.integers(0, len(KINDS), 7))


def majority(v):
    return np.bincount(v, minlength=len(KINDS)).argmax()


truth = rng.integers(0, len(KINDS), 2600)
curves, length = zip(*[light_curve(k) for k in truth])
curves, length = np.stack(curves), np.array(length)
votes = np.stack([volunteers(k) for k in truth])
label = np.array([majority(v) for v in votes])

train, valid, test = np.split(rng.permutation(len(truth)), [1700, 2050])
# not more than 420 of a kind
train = rng.permutation(np.concatenate([train[label[train] == k][:420] for k in range(len(KINDS))]))


class Curves(keras.utils.PyDataset):
    def __init__(self, rows, batch=32, training=False, **kw):
        super().__init__(**kw)
        self.rows, self.batch, self.training = np.array(rows), batch, training

    def __len__(self):
        return len(self.rows) // self.batch

    def __getitem__(self, i):
        r = self.rows[i * self.batch:(i + 1) * self.batch]
        x, keep = curves[r].copy(), np.arange(T_MAX) < length[r][:, None]
        if self.training:  # photometric error
            x[..., 0] += rng.normal(0, 0.05, x.shape[:2])
        return {'curve': x, 'keep': keep}, label[r]

    def on_epoch_end(self):
        if self.training:
            rng.shuffle(self.rows)


def encoder(x, keep, dim, name):
    att = layers.MultiHeadAttention(2, dim // 2, name=name + '_att')(
        x, x, attention_mask=keep[:, None, :])
    x = layers.LayerNormalization(name=name + '_ln1')(x + att)
    ff = layers.Dense(2 * dim, activation='relu', name=name + '_up')(x)
    ff = layers.Dense(dim, name=name + '_down')(ff)
    return layers.LayerNormalization(name=name + '_ln2')(x + ff)


DIM = 24
curve = keras.Input((T_MAX, 3), name='curve')
keep = keras.Input((T_MAX,), dtype='bool', name='keep')
h = layers.Conv1D(DIM, 5, padding='same', activation='relu', name='local')(curve)
h = layers.Conv1D(DIM, 5, padding='same', activation='relu', name='wider')(h)
h = encoder(h, keep, DIM, 'enc1')
h = layers.GlobalAveragePooling1D()(h, mask=keep)
logits = layers.Dense(len(KINDS), name='kind')(h)
model = keras.Model({'curve': curve, 'keep': keep}, logits)

EPOCHS = 8
warm = 30
steps = EPOCHS * (len(train) // 32)
schedule = keras.optimizers.schedules.CosineDecay(
    1e-6, steps, warmup_target=4e-3, warmup_steps=warm, alpha=0.02)
model.compile(
    keras.optimizers.AdamW(schedule, weight_decay=1e-3),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=['accuracy'],
)
history = model.fit(Curves(train, training=True), validation_data=Curves(valid), epochs=EPOCHS, verbose=2)

guess = model.predict(
    {'curve': curves[test], 'keep': np.arange(T_MAX) < length[test][:, None]}, verbose=0).argmax(1)
recall = np.array([np.mean(guess[label[test] == k] == k) for k in range(len(KINDS))])
for name, r in zip(KINDS, recall):
    print(f'{name:12s} {r:.2f}')
completeness = recall.mean()
""",
    score="completeness",
    bar=0.85,
    base=0.25,
    faults=(
        Fault(cause="label_noise", old="label = np.array([majority(v) for v in votes])",
              new="label = votes[:, 0]"),
        Fault(cause="label_encoding", old="return {'curve': x, 'keep': keep}, label[r]",
              new="return {'curve': x, 'keep': keep}, label[r] + 1", accept=("wrong_head_for_labels",),
              beside=("missing_class", "nan_or_inf_in_data")),
        Fault(cause="missing_class", old="train[label[train] == k][:420] for k in range(len(KINDS))]",
              new="train[label[train] == k][:420] for k in range(len(KINDS) - 1)]",
              beside=("validation_split_sorted",)),
        Fault(cause="lr_schedule_wrong", old="warm = 30\n", new="warm = 30 * len(train)\n",
              beside=("learning_rate_too_low", "too_few_steps")),
        Fault(cause="inputs_drowned_in_noise", old="x[..., 0] += rng.normal(0, 0.05, x.shape[:2])",
              new="x[..., 0] += rng.normal(0, 5, x.shape[:2])",
              beside=("train_val_preprocessing_mismatch", "inputs_not_scaled")),
        Fault(cause="logits_to_probability_loss",
              old="keras.losses.SparseCategoricalCrossentropy(from_logits=True)",
              new="keras.losses.SparseCategoricalCrossentropy()",
              beside=("dead_units", "loss_metric_inconsistent")),
        Fault(cause="wrong_head_for_labels", old="layers.Dense(len(KINDS), name='kind')(h)",
              new="layers.Dense(1, name='kind')(h)", layer=("kind",), accept=("label_encoding",),
              beside=("softmax_on_single_unit", "nan_or_inf_in_data")),
        Fault(cause="underfitting_capacity", old="DIM = 24\n", new="DIM = 2\n",
              layer=("local", "wider", "enc1_att", "enc1_ln1", "enc1_up", "enc1_down", "enc1_ln2")),
    ),
    seeds=3,
)  # fmt: skip

ICE = Program(
    name="observatory_lake_ice",
    source="""
# Ice on lakes: radar scenes (VV, VH, in dB) -> mask. U-Net, own training loop.
import numpy as np
import tensorflow as tf
from tensorflow.keras import layers, Model

tf.keras.utils.set_random_seed(SEED)
gen = np.random.default_rng(SEED + 300)

N, S = 520, 24
OUT_OF_SCENE = -99.0


def blob():
    # smooth random field
    f = gen.normal(size=(S, S))
    fx = np.fft.fftfreq(S)
    k = np.exp(-(fx[:, None] ** 2 + fx[None] ** 2) * 240)
    f = np.fft.ifft2(np.fft.fft2(f) * k).real
    return (f - f.mean()) / f.std()


def scene():
    lake = np.hypot(*np.mgrid[-1:1:S * 1j, -1:1:S * 1j]) + 0.12 * blob() < gen.uniform(0.7, 1.0)
    ice = lake & (blob() > gen.uniform(-0.6, 0.4))
    wind = gen.uniform(-1.5, 1.5)
    vv = np.where(lake, -19 + wind, -9.0) + 4.5 * ice
    vh = np.where(lake, -27.0, -15.0) + 3.0 * ice
    pair = np.stack([vv, vh], -1) + gen.normal(0, 3.2, (S, S, 2))
    return pair, (255 * ice).astype('uint8')


scenes, masks = map(np.stack, zip(*[scene() for _ in range(N)]))
x = (scenes.astype('float32') + 18) / 8
y = (masks == 255).astype('float32')[..., None]
x_train, x_val, x_test = x[:360], x[360:420], x[420:]
y_train, y_val, y_test = y[:360], y[360:420], y[420:]


def conv(h, f, name):
    h = layers.Conv2D(f, 3, padding='same', use_bias=False, name=name)(h)
    h = layers.BatchNormalization(momentum=0.9, name=name + '_bn')(h)
    return layers.ReLU()(h)


image = layers.Input((S, S, 2))
d1 = conv(image, 10, 'down1')
d2 = conv(layers.MaxPooling2D()(d1), 16, 'down2')
mid = conv(layers.MaxPooling2D()(d2), 24, 'bottom')
u2 = layers.Concatenate()([layers.UpSampling2D()(mid), d2])
u2 = conv(u2, 16, 'up2')
u1 = layers.Concatenate()([layers.UpSampling2D()(u2), d1])
u1 = conv(u1, 10, 'up1')
unet = Model(image, layers.Conv2D(1, 1, name='ice')(u1))

bce = tf.keras.losses.BinaryCrossentropy(from_logits=True)
adam = tf.keras.optimizers.Adam(4e-3)
BATCH = 12


def soft_dice(t, logits):
    p = tf.sigmoid(logits)
    inter = tf.reduce_sum(p * t, axis=(1, 2, 3))
    total = tf.reduce_sum(p + t, axis=(1, 2, 3))
    return tf.reduce_mean((2 * inter + 1) / (total + 1))


def criterion(t, logits):
    return 0.5 * bce(t, logits) + 1 - soft_dice(t, logits)


@tf.function
def train_step(xb, yb):
    with tf.GradientTape() as tape:
        logits = unet(xb, training=True)
        loss = criterion(yb, logits)
    weights = unet.trainable_weights
    adam.apply_gradients(zip(tape.gradient(loss, weights), weights))
    return loss


ds = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(len(x_train)).batch(BATCH, drop_remainder=True)

for epoch in range(1, 9):
    running = tf.keras.metrics.Mean()
    for xb, yb in ds:
        turn = np.random.randint(4)
        running.update_state(train_step(tf.image.rot90(xb, turn), tf.image.rot90(yb, turn)))
    val_loss = criterion(y_val, unet(x_val, training=False))
    print(f'epoch {epoch}  loss {float(running.result()):.3f}  val {float(val_loss):.3f}')

found = tf.sigmoid(unet(x_test, training=False)).numpy() > 0.5
truth = y_test > 0.5
iou = np.sum(found & truth) / np.sum(found | truth)
print('ice IoU', iou)
""",
    score="iou if np.isfinite(iou) else 0.0",
    bar=0.7,
    base=0.33,
    faults=(
        Fault(cause="batchnorm_mode", old="layers.BatchNormalization(momentum=0.9, name",
              new="layers.BatchNormalization(momentum=0.9999, name",
              layer=("down1_bn", "down2_bn", "bottom_bn", "up2_bn", "up1_bn"),
              beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="probabilities_to_logits_loss", old="layers.Conv2D(1, 1, name='ice')",
              new="layers.Conv2D(1, 1, activation='sigmoid', name='ice')", layer=("ice",)),
        Fault(cause="constant_labels", old="y = (masks == 255)", new="y = (masks == 1)",
              beside=("missing_class", "label_encoding", "class_imbalance")),
        Fault(cause="gradient_sign_flipped", old="return 0.5 * bce(t, logits) + 1 - soft_dice(t, logits)",
              new="return 1 - 0.5 * bce(t, logits) + soft_dice(t, logits)",
              beside=("exploding_gradient", "learning_rate_too_high")),
        Fault(cause="labels_shuffled_apart",
              old="train_step(tf.image.rot90(xb, turn), tf.image.rot90(yb, turn))",
              new="train_step(tf.image.rot90(xb, turn), tf.random.shuffle(yb))",
              beside=("label_noise",)),
        Fault(cause="train_val_preprocessing_mismatch", old="x_train, x_val, x_test = x[:360], x[360:420], x[420:]",
              new="x_train, x_val, x_test = x[:360], scenes[360:420], scenes[420:]",
              accept=("inputs_not_scaled",)),
        Fault(cause="optimiser_not_applied",
              old="    adam.apply_gradients(zip(tape.gradient(loss, weights), weights))\n",
              new="    gradients = tape.gradient(loss, weights)\n", beside=("batchnorm_mode",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (STARS, ICE)
