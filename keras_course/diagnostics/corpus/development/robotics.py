"""Scripts of a robotics lab: where a suction gripper may grasp, and on which floor a rover drives."""

from keras_course.diagnostics.corpus import Fault, Program

GRASP = Program(
    name="robotics_suction_map",
    source="""
import time
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers as L

# suction cup on the UR5: from the depth image (mm) -> where can we put the cup
# flat tops are fine, tilted ones and the bin's bottom are not

tf.random.set_seed(SEED); np.random.seed(SEED); keras.utils.set_random_seed(SEED)
H = W = 24
N_TRAIN, N_VAL = 420, 120
BS = 12
EPOCHS = 15


def scene():
    depth = np.full((H, W), 620.) + np.random.randn() * 4
    ok = np.zeros((H, W), np.uint8)
    v, u = np.mgrid[:H, :W]
    for _ in range(np.random.randint(2, 5)):
        h, w = np.random.randint(6, 11, 2)
        r, c = np.random.randint(0, H - h), np.random.randint(0, W - w)
        top = 620 - np.random.uniform(40, 140)
        box = np.s_[r:r + h, c:c + w]
        if np.random.rand() < .5:
            depth[box] = top
            ok[box] = 255
        else:
            a = np.random.rand() * 2 * np.pi
            slope = np.random.uniform(9, 16)
            depth[box] = top + slope * (np.cos(a) * (u[box] - c - w / 2) + np.sin(a) * (v[box] - r - h / 2))
            ok[box] = 0
    depth += np.random.randn(H, W) * 2
    return depth, ok


def record(n):
    d, m = zip(*[scene() for _ in range(n)])
    d = (600 - np.array(d, 'float32')) / 30
    gy, gx = np.gradient(d, axis=(1, 2))             # slopes help a lot
    return np.stack([d, np.clip(gx, -1, 1), np.clip(gy, -1, 1)], -1), (np.array(m) > 127).astype('float32')[..., None]


x_train, m_train = record(N_TRAIN)
x_val, m_val = record(N_VAL)

INIT = 'he_normal'


def conv(x, f, name):
    x = L.Conv2D(f, 3, padding='same', activation='relu', kernel_initializer=INIT, name=name + '_1')(x)
    return L.Conv2D(f, 3, padding='same', activation='relu', kernel_initializer=INIT, name=name + '_2')(x)


def unet():
    i = keras.Input((H, W, 3))
    d1 = conv(i, 12, 'down1')
    d2 = conv(L.MaxPooling2D()(d1), 20, 'down2')
    b = conv(L.MaxPooling2D()(d2), 28, 'bottom')
    b = L.SpatialDropout2D(.3)(b)
    u2 = conv(L.Concatenate()([L.UpSampling2D()(b), d2]), 20, 'up2')
    u1 = conv(L.Concatenate()([L.UpSampling2D()(u2), d1]), 12, 'up1')
    u1 = L.Dropout(.2)(u1)
    return keras.Model(i, L.Conv2D(1, 1, activation='sigmoid', name='mask')(u1))


net = unet()
lr = keras.optimizers.schedules.CosineDecay(8e-3, EPOCHS * N_TRAIN // BS, alpha=.02)
optimizer = keras.optimizers.Adam(learning_rate=lr)


def dice_loss(m, p):
    inter = tf.reduce_sum(m * p, (1, 2, 3))
    total = tf.reduce_sum(m + p, (1, 2, 3))
    return 1 - tf.reduce_mean((2 * inter + 1) / (total + 1))


def total_loss(m, p):
    bce = tf.reduce_mean(keras.losses.binary_crossentropy(m, p))
    return bce + dice_loss(m, p)


@tf.function
def step(x, m):
    with tf.GradientTape() as tape:
        loss = total_loss(m, net(x, training=True))
    g = tape.gradient(loss, net.trainable_variables)
    optimizer.apply_gradients(zip(g, net.trainable_variables))
    return loss


@tf.function
def segment(x):
    return net(x, training=False)


t0 = time.time()
for ep in range(EPOCHS):
    perm = np.random.permutation(N_TRAIN)
    run = 0.
    for k in range(0, N_TRAIN, BS):
        idx = perm[k:k + BS]
        run += float(step(tf.constant(x_train[idx]), tf.constant(m_train[idx])))
    p_val = segment(tf.constant(x_val))
    print(f'[{ep + 1:2d}/{EPOCHS}] train {run / (N_TRAIN / BS):.3f}  val {float(total_loss(m_val, p_val)):.3f}  {time.time() - t0:.0f}s')

x_new, m_new = record(120)
graspable = segment(tf.constant(x_new)).numpy() > .5
truth = m_new > .5
iou_yes = (graspable & truth).sum() / max((graspable | truth).sum(), 1)
iou_no = (~graspable & ~truth).sum() / max((~graspable | ~truth).sum(), 1)
miou = (iou_yes + iou_no) / 2
print('mean IoU on new scenes', miou)
""",
    score="miou",
    bar=0.8,
    base=0.4,
    faults=(
        Fault(cause="softmax_on_single_unit", old="activation='sigmoid', name='mask'", new="activation='softmax', name='mask'",
              layer=("mask",)),
        Fault(cause="dropout_mode", old="return net(x, training=False)", new="return net(x, training=True)", certain=True),
        Fault(cause="constant_labels", old="np.array(m) > 127", new="np.array(m) > 255"),
        Fault(cause="symmetric_or_zero_init", old="INIT = 'he_normal'", new="INIT = 'zeros'",
              beside=("init_scale", "frozen_or_disconnected")),
        Fault(cause="init_scale", old="INIT = 'he_normal'", new="INIT = keras.initializers.RandomNormal(stddev=1e-3)",
              beside=("symmetric_or_zero_init",)),
        Fault(cause="gradient_sign_flipped", old="    return bce + dice_loss(m, p)", new="    return dice_loss(m, p) - bce"),
        Fault(cause="too_few_steps", old="BS = 12\nEPOCHS = 15", new="BS = 120\nEPOCHS = 2"),
    ),
    seeds=3,
)  # fmt: skip

FLOOR = Program(
    name="robotics_rover_floors",
    source="""
# rover "Erbse": which floor am I on? short IMU windows, cut whenever the wheels stop -> different lengths
import numpy as np
import keras
from collections import defaultdict

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

FLOORS = ['tiles', 'carpet', 'gravel', 'grass', 'planks']
MAXLEN = 18
PAD = -9.
CH = 3      # acc z, pitch rate, motor current

#            freq  bump  rough current
PHYSICS = {'tiles': (.25, .9, .25, .0), 'carpet': (.10, .3, .15, .5), 'gravel': (.35, .6, .9, .4),
           'grass': (.12, .8, .45, .9), 'planks': (.17, 1.3, .2, -.3)}


def window(floor):
    f, bump, rough, amps = PHYSICS[floor]
    n = rng.integers(11, MAXLEN + 1)
    t = np.arange(n)
    f, bump = f * rng.uniform(.85, 1.15), bump * rng.uniform(.8, 1.2)
    ph = rng.uniform(0, 2 * np.pi)
    acc = bump * np.sin(2 * np.pi * f * t + ph) + rough * rng.normal(size=n)
    pitch = bump * f * 3 * np.cos(2 * np.pi * f * t + ph) + .3 * rng.normal(size=n)
    cur = amps + .2 * rng.normal() + .25 * rng.normal(size=n)
    w = np.full((MAXLEN, CH), PAD, 'float32')
    w[:n] = np.c_[acc, pitch, cur]
    return w


log = defaultdict(list)
for fl in FLOORS:
    for _ in range(230):
        log[fl].append(window(fl))

code = {fl: i for i, fl in enumerate(FLOORS)}
x_tr, y_tr, x_va, floor_va = [], [], [], []
for fl, ws in log.items():
    x_tr += ws[:150]
    y_tr += [code[fl]] * 150
    x_va += ws[150:]
    floor_va += [fl] * len(ws[150:])
x_tr, y_tr, x_va, floor_va = map(np.array, (x_tr, y_tr, x_va, floor_va))
names = np.array(FLOORS)


def jitter(x):
    'a little sensor noise, not on the padding'
    return np.where(x == PAD, PAD, x + rng.normal(0, .08, x.shape)).astype('float32')


net = keras.Sequential([
    keras.Input((MAXLEN, CH)),
    keras.layers.Masking(PAD),
    keras.layers.Dense(16, activation='tanh', name='mix'),
    keras.layers.GRU(24, name='memory'),
    keras.layers.Dense(len(FLOORS), activation='softmax', name='floor'),
])
net.compile('adam', 'sparse_categorical_crossentropy')
net.optimizer.learning_rate = 4e-3

losses = []
for epoch in range(14):
    order = rng.permutation(len(x_tr))
    epoch_loss = []
    for i in range(0, len(order), 30):
        j = order[i:i + 30]
        epoch_loss.append(float(net.train_on_batch(jitter(x_tr[j]), y_tr[j])))
    losses.append(np.mean(epoch_loss))
    said = names[net.predict(x_va, batch_size=400, verbose=0).argmax(1)]
    floor_acc = float(np.mean(said == floor_va))
    print(epoch, 'loss', round(losses[-1], 3), 'acc', round(floor_acc, 3))
""",
    score="floor_acc",
    bar=0.8,
    base=0.2,
    faults=(
        Fault(cause="exploding_gradient", old="keras.layers.GRU(24, name='memory')",
              new="keras.layers.SimpleRNN(24, activation='relu', recurrent_initializer=keras.initializers.Orthogonal(2.), name='memory')",
              accept=("init_scale",), layer=("memory",), beside=("dead_units", "learning_rate_too_high")),
        Fault(cause="saturated_units", old="keras.layers.Dense(16, activation='tanh', name='mix')",
              new="keras.layers.Dense(16, activation='tanh', bias_initializer=keras.initializers.Constant(9.), name='mix')",
              accept=("init_scale",), layer=("mix",)),
        Fault(cause="inputs_drowned_in_noise", old="x + rng.normal(0, .08, x.shape)", new="x + rng.normal(0, 8, x.shape)",
              beside=("train_val_preprocessing_mismatch", "inputs_not_scaled")),
        Fault(cause="learning_rate_too_low", old="learning_rate = 4e-3", new="learning_rate = 4e-6", beside=("too_few_steps",)),
        Fault(cause="loss_metric_inconsistent", old="names = np.array(FLOORS)\n", new="names = np.unique(floor_va)\n",
              accept=("wrong_metric", "label_encoding")),
        Fault(cause="wrong_head_for_labels", old="""Dense(len(FLOORS), activation='softmax', name='floor'),
])
net.compile('adam', 'sparse_categorical_crossentropy')""", new="""Dense(1, activation='sigmoid', name='floor'),
])
net.compile('adam', 'binary_crossentropy')""", accept=("wrong_loss_for_task", "output_range_cannot_reach_targets"),
              beside=("label_encoding",), layer=("floor",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (GRASP, FLOOR)
