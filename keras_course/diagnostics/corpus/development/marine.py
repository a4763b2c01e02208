"""Scripts of marine biologists: seagrass from a drone and what tagged seals do."""

from keras_course.diagnostics.corpus import Fault, Program

SEAGRASS = Program(
    name="marine_seagrass_masks",
    source="""
# seagrass cover from drone tiles, little unet
# NB the tiles go in as they are (0..255), batchnorm in front does the white balance
import time

import numpy as np
import tensorflow as tf
from keras import Input, Model, layers, metrics, optimizers, utils
from keras.initializers import Constant

utils.set_random_seed(SEED)
rs = np.random.RandomState(SEED + 7)
PX = 24
T0 = time.time()


def survey(n):
    tiles = np.zeros((n, PX, PX, 3), np.float32)
    masks = np.zeros((n, PX, PX), np.uint8)
    yy, xx = np.mgrid[:PX, :PX]
    for t in range(n):
        sand = np.array([120, 150, 140]) + rs.normal(0, 12, 3)
        grass = np.array([85, 118, 95]) + rs.normal(0, 8, 3)
        bed = np.zeros((PX, PX), bool)
        for _ in range(rs.randint(1, 4)):
            cy, cx, a, b = rs.uniform(2, 22), rs.uniform(2, 22), rs.uniform(3, 7), rs.uniform(3, 7)
            bed |= ((yy - cy) / a) ** 2 + ((xx - cx) / b) ** 2 < 1
        light = 1 + .25 * np.sin(xx / rs.uniform(3, 6) + rs.uniform(0, 6))[..., None]      # ripples of the surface
        tiles[t] = np.where(bed[..., None], grass, sand) * light
        masks[t] = bed
    return np.clip(tiles + rs.normal(0, 14, tiles.shape), 0, 255), masks


tiles, masks = survey(260)
tiles_val, masks_val = survey(60)
print('cover', masks.mean().round(2), 'in', len(tiles), 'tiles', round(time.time() - T0, 1), 's')


def conv(x, n, name):
    x = layers.Conv2D(n, 3, padding='same', activation='relu', kernel_initializer='he_normal', name=name)(x)
    return layers.BatchNormalization(momentum=.9, name=name + '_bn')(x)


tile = Input((PX, PX, 3))
x = layers.BatchNormalization(momentum=.9, name='white_balance')(tile)
d1 = conv(x, 8, 'down1')
d2 = conv(layers.MaxPooling2D()(d1), 16, 'down2')
d3 = conv(layers.MaxPooling2D()(d2), 24, 'bottom')
u2 = conv(layers.concatenate([layers.UpSampling2D()(d3), d2]), 16, 'up2')
u1 = conv(layers.concatenate([layers.UpSampling2D()(u2), d1]), 8, 'up1')
cover = layers.Conv2D(1, 1, activation='sigmoid', bias_initializer=Constant(-1.2), name='cover')(u1)
unet = Model(tile, cover)

adam = optimizers.Adam(5e-3)
iou = metrics.MeanIoU(num_classes=2)


def soft_dice(m, p):
    both = tf.reduce_sum(m * p, [1, 2, 3])
    return 1 - tf.reduce_mean((2 * both + 1) / (tf.reduce_sum(m, [1, 2, 3]) + tf.reduce_sum(p, [1, 2, 3]) + 1))


@tf.function(reduce_retracing=True)
def learn(x, m):
    with tf.GradientTape() as g:
        p = unet(x, training=True)
        cost = soft_dice(m, p)
    adam.apply_gradients(zip(g.gradient(cost, unet.trainable_weights), unet.trainable_weights))
    return cost


for epoch in range(12):
    order = rs.permutation(len(tiles))
    costs = []
    for s in range(0, len(order), 20):
        batch = order[s:s + 20]
        x, m = tiles[batch], masks[batch]
        if rs.rand() < .5:
            x, m = x[:, ::-1], m[:, ::-1]
        if rs.rand() < .5:
            x, m = x[:, :, ::-1], m[:, :, ::-1]
        costs.append(float(learn(tf.constant(x), tf.constant(m[..., None], tf.float32))))
    iou.reset_state()
    p_val = unet(tiles_val, training=False).numpy()
    iou.update_state(masks_val[..., None], p_val > .5)
    print(f'epoch {epoch}  dice loss {np.mean(costs):.3f}  IoU on the other transects {float(iou.result()):.3f}')

final = float(iou.result())
""",
    score="final",
    bar=0.75,
    base=0.42,
    odd="raw tiles go into a batch normalisation, which does the scaling",
    faults=(
        Fault(cause="gradient_sign_flipped", old="return 1 - tf.reduce_mean(", new="return tf.reduce_mean(",
              beside=("saturated_units",)),
        Fault(cause="optimiser_not_applied",
              old="    adam.apply_gradients(zip(g.gradient(cost, unet.trainable_weights), unet.trainable_weights))\n",
              new="    grads = g.gradient(cost, unet.trainable_weights)\n"),
        Fault(cause="batchnorm_mode", old="p = unet(x, training=True)", new="p = unet(x)",
              layer=("white_balance", "down1_bn", "down2_bn", "bottom_bn", "up2_bn", "up1_bn"),
              accept=("inputs_not_scaled",)),
        Fault(cause="train_val_preprocessing_mismatch", old="unet(tiles_val, training=False)",
              new="unet(tiles_val / 255, training=False)", beside=("batchnorm_mode",)),
        Fault(cause="dead_units", old="kernel_initializer='he_normal', name=name)(x)",
              new="kernel_initializer='he_normal',\n                      bias_initializer=Constant(-8.), name=name)(x)",
              layer=("down1", "down2", "bottom", "up2", "up1"), beside=("frozen_or_disconnected", "input_ignored")),
        Fault(cause="wrong_metric", old="iou.update_state(masks_val[..., None], p_val > .5)",
              new="iou.update_state(masks_val[..., None], p_val)", accept=("loss_metric_inconsistent",)),
    ),
    seeds=3,
)  # fmt: skip

SEALS = Program(
    name="marine_seal_tracks",
    source="""
# GPS/TDR tags on grey seals -> behaviour of each bout (labels from the video collars)
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng([SEED, 1871])

BEHAVIOUR = ['transit', 'forage', 'benthic', 'drift']
LONGEST = 30
PAD = -99.0


def bout(b):
    # depth [m], speed [m/s], turn [deg], every two minutes
    T = rng.integers(10, LONGEST + 1)
    t = np.arange(T)
    depth = np.abs(rng.normal(35, 15) + 12 * rng.normal(size=T))
    speed = rng.normal(1.1, .25) + .15 * rng.normal(size=T)
    turn = 25 * rng.normal(size=T)
    if b == 0:
        turn = turn * .8 + rng.normal(0, 4)
    elif b == 1:                                 # area restricted search: keeps turning to one side for a while
        side = np.sign(np.sin(2 * np.pi * t / rng.uniform(6, 12) + rng.uniform(0, 6)))
        turn = turn + 23 * side
    elif b == 2:                                 # u-shaped dives
        depth = depth + 30 * (np.sin(2 * np.pi * t / rng.uniform(7, 11) + rng.uniform(0, 6)) > 0)
    else:                                        # sinks slowly, hardly moves
        depth = depth + 1.6 * t
        speed = speed - .15
    return np.stack([depth, speed, turn], 1)


def bouts(per_behaviour):
    X = np.full((4 * per_behaviour, LONGEST, 3), PAD, 'float32')
    y = np.repeat(np.arange(4), per_behaviour)
    for i, b in enumerate(y):
        track = bout(b)
        X[i, :len(track)] = track
    return X, y


X, y = bouts(300)
X_new, y_new = bouts(80)                         # other animals

there = X[..., 0] != PAD
mu, sd = X[there].mean(0), X[there].std(0)


def scaled(A):
    on_air = A[..., :1] == PAD
    return np.where(on_air, PAD, (A - mu) / sd).astype('float32')


X, X_new = scaled(X), scaled(X_new)

net = keras.Sequential([
    keras.Input((LONGEST, 3)),
    layers.Masking(PAD),
    layers.GRU(16, name='gru'),
    layers.Dense(len(BEHAVIOUR), name='behaviour'),
])
net.compile(
    optimizer=keras.optimizers.Adam(1.2e-2),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=[keras.metrics.SparseCategoricalAccuracy(name='hit')],
)

bank = tf.data.Dataset.from_tensor_slices((X, y))
bank = bank.shuffle(len(X)).batch(40)
for epoch in range(8):
    net.reset_metrics()
    for track, label in bank:
        loss, hit = net.train_on_batch(track, label)
    held = net.evaluate(X_new, y_new, batch_size=160, verbose=0, return_dict=True)
    print(f'{epoch + 1:2d}: {float(loss):.3f} {float(hit):.3f}   new animals {held["loss"]:.3f} {held["hit"]:.3f}')

known = held['hit']
""",
    score="known",
    bar=0.8,
    base=0.25,
    faults=(
        Fault(cause="data_sorted", old="bank.shuffle(len(X)).batch(40)", new="bank.batch(40)"),
        Fault(cause="shuffle_buffer_too_small", old="bank.shuffle(len(X)).batch(40)", new="bank.shuffle(40).batch(40)",
              accept=("data_sorted",)),
        Fault(cause="pipeline_order", old="bank.shuffle(len(X)).batch(40)", new="bank.batch(40).shuffle(len(X))",
              accept=("data_sorted",)),
        Fault(cause="loss_metric_inconsistent", old="keras.metrics.SparseCategoricalAccuracy(name='hit')",
              new="keras.metrics.CategoricalAccuracy(name='hit')", accept=("wrong_metric",)),
        Fault(cause="inputs_not_scaled", old="X, X_new = scaled(X), scaled(X_new)\n", new="",
              beside=("saturated_units",)),
        Fault(cause="underfitting_capacity", old="layers.GRU(16, name='gru')", new="layers.GRU(1, name='gru')",
              layer=("gru",)),
        Fault(cause="too_few_steps", old="range(8)", new="range(1)", beside=("learning_rate_too_low",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (SEAGRASS, SEALS)
