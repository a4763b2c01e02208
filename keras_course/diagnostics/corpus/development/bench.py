"""Things tried out on the bench: forged signatures, a trunk taken over, cloud masks and people in a lift."""

from keras_course.diagnostics.corpus import Fault, Program

SIGNATURES = Program(
    name="bench_signature_pairs",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers
from tensorflow.keras.initializers import RandomNormal

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

POINTS = 24
MARGIN = 1.0
t = np.linspace(0, 1, POINTS)


def writer():
    return rng.normal(0, 1, (2, 4)) / np.arange(1, 5), rng.uniform(0, 2 * np.pi, (2, 4))


def forger(hand):
    amp, phase = hand
    return amp * rng.uniform(0.6, 1.5, amp.shape), phase + rng.normal(0, 0.9, phase.shape) * [[1, 1, 1.5, 2]]


def signature(hand):
    amp, phase = hand
    amp = amp * rng.uniform(0.85, 1.15, amp.shape)
    phase = phase + rng.normal(0, 0.22, phase.shape)
    waves = np.sin(2 * np.pi * np.arange(1, 5)[:, None] * t + phase[..., None])
    pen = (amp[..., None] * waves).sum(axis=1) * rng.uniform(0.8, 1.25)
    return (pen + rng.normal(0, 0.08, pen.shape)).reshape(-1)


def pairs(n_writers, per_writer):
    hands = [writer() for _ in range(n_writers)]
    a, b, same = [], [], []
    for hand in hands:
        for _ in range(per_writer):
            a += [signature(hand), signature(hand)]
            b += [signature(hand), signature(forger(hand))]
            same += [1, 0]
    return np.array(a, 'float32'), np.array(b, 'float32'), np.array(same, 'float32')


a_train, b_train, same_train = pairs(90, 14)
a_test, b_test, same_test = pairs(40, 8)


def hidden(units, name):
    return layers.Dense(units, activation='tanh', kernel_initializer=RandomNormal(stddev=0.12), name=name)


encoder = keras.Sequential([
    keras.Input((2 * POINTS,)),
    hidden(64, 'enc1'),
    hidden(64, 'enc2'),
    layers.Dropout(0.4),
    layers.Dense(16, name='code'),
], name='encoder')


def euclid(codes):
    u, v = codes
    return tf.sqrt(tf.reduce_sum(tf.square(u - v), axis=1, keepdims=True) + 1e-6)


left, right = keras.Input((2 * POINTS,), name='left'), keras.Input((2 * POINTS,), name='right')
distance = layers.Lambda(euclid, output_shape=(1,), name='distance')([encoder(left), encoder(right)])
siamese = keras.Model([left, right], distance)


def contrastive(y_true, d):
    y_true = tf.reshape(tf.cast(y_true, tf.float32), [-1, 1])
    return tf.reduce_mean(y_true * tf.square(d) + (1 - y_true) * tf.square(tf.maximum(MARGIN - d, 0)))


def verified(y_true, d):
    return tf.reduce_mean(tf.cast((d < MARGIN / 2) == (tf.reshape(y_true, [-1, 1]) > 0.5), tf.float32))


siamese.compile(optimizer=keras.optimizers.Adam(1e-3), loss=contrastive, metrics=[verified])
siamese.fit([a_train, b_train], same_train, validation_split=0.1, epochs=12, batch_size=32, verbose=2)

rate = siamese.evaluate([a_test, b_test], same_test, verbose=0)[1]
print('signatures verified:', rate)
""",
    score="rate",
    bar=0.7,
    base=0.5,
    odd="the output is a distance: small where the label is 1",
    faults=(
        Fault(cause="input_ignored", old="([encoder(left), encoder(right)])", new="([encoder(left), encoder(left)])",
              beside=("frozen_or_disconnected",)),
        Fault(cause="label_encoding", old="same += [1, 0]", new="same += [1, -1]", beside=("exploding_gradient",)),
        Fault(cause="loss_broadcast", old="tf.reshape(tf.cast(y_true, tf.float32), [-1, 1])",
              new="tf.reshape(tf.cast(y_true, tf.float32), [-1])"),
        Fault(cause="saturated_units", old="RandomNormal(stddev=0.12)", new="RandomNormal(stddev=12.0)",
              accept=("init_scale",), layer=("enc1", "enc2")),
        Fault(cause="wrong_loss_for_task", old="loss=contrastive", new="loss='binary_crossentropy'",
              accept=("wrong_head_for_labels",), beside=("label_encoding", "logits_to_probability_loss")),
        Fault(cause="loss_metric_inconsistent", old="metrics=[verified]", new="metrics=['accuracy']", accept=("wrong_metric",)),
        Fault(cause="dropout_mode", old="layers.Dropout(0.4)",
              new="layers.Lambda(lambda h: tf.nn.dropout(h, rate=0.4))"),
    ),
    seeds=3,
)  # fmt: skip

FABRICS = Program(
    name="bench_fabric_trunk_taken_over",
    source="""
import keras
import numpy as np
from keras import layers, regularizers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
SIZE = 16
ROWS, COLS = np.mgrid[:SIZE, :SIZE]


def weave(angle, period, twist):
    angle, period = angle + rng.normal(0, 0.07), period * rng.uniform(0.92, 1.08)
    u = ROWS * np.cos(angle) + COLS * np.sin(angle)
    v = -ROWS * np.sin(angle) + COLS * np.cos(angle)
    img = np.sin(2 * np.pi * u / period + rng.uniform(0, 6.3)) + twist * np.sin(2 * np.pi * v / period + rng.uniform(0, 6.3))
    img = 120 + 35 * img * rng.uniform(0.6, 1.2) + rng.normal(0, 38, img.shape)
    img[0], img[-1] = 0, 0                               # the frame of the scanner
    return np.clip(img, 0, 255)


def catalogue(recipes, count):
    images = np.stack([weave(*recipe) for recipe in recipes for _ in range(count)])
    return images[..., None], np.repeat(np.arange(len(recipes)), count)


# 1. a network for the eight fabrics of the old catalogue
OLD = [(0, 4, 0), (0.8, 4, 0), (1.6, 4, 0), (2.4, 4, 0), (0, 7, 0), (0.8, 7, 1), (1.6, 7, 0), (0, 4, 1)]
x_old, y_old = catalogue(OLD, 130)
mean, std = x_old.mean(axis=0), x_old.std(axis=0)


def normalise(images):
    return (images - mean) / (std + 1e-3)


trunk = keras.Sequential([
    keras.Input((SIZE, SIZE, 1)),
    layers.Conv2D(12, 5, use_bias=False, name='trunk_conv1'),
    layers.BatchNormalization(momentum=0.9, name='trunk_bn1'),
    layers.ReLU(),
    layers.Conv2D(24, 3, strides=2, use_bias=False, name='trunk_conv2'),
    layers.BatchNormalization(momentum=0.9, name='trunk_bn2'),
    layers.ReLU(),
    layers.GlobalAveragePooling2D(),
], name='trunk')
old = keras.Sequential([trunk, layers.Dense(len(OLD), activation='softmax', name='old_head')])
old.compile('adam', 'sparse_categorical_crossentropy', metrics=['accuracy'])
old.fit(normalise(x_old), y_old, epochs=8, batch_size=32, verbose=2)

# 2. four new fabrics, fifteen photographs of each
NEW = [(0.4, 5, 0), (1.2, 5, 0), (2.0, 6, 0), (0.4, 5, 1)]
x_few, y_few = catalogue(NEW, 15)
x_test, y_test = catalogue(NEW, 100)
order = rng.permutation(len(x_few))
x_few, y_few = x_few[order], y_few[order]

EPOCHS, BATCH = 60, 10
inputs = keras.Input((SIZE, SIZE, 1))
h = trunk(inputs, training=False)
h = layers.Dropout(0.6)(h)
outputs = layers.Dense(len(NEW), activation='softmax', kernel_regularizer=regularizers.l2(1e-3), name='new_head')(h)
model = keras.Model(inputs, outputs)
trunk.trainable = False
rate = keras.optimizers.schedules.CosineDecay(0.05, decay_steps=EPOCHS * len(x_few) // BATCH)
model.compile(keras.optimizers.Adam(rate), 'sparse_categorical_crossentropy', metrics=['accuracy'])
model.fit(normalise(x_few), y_few, epochs=EPOCHS, batch_size=BATCH, verbose=0)

hit = np.mean(model.predict(normalise(x_test), verbose=0).argmax(axis=1) == y_test)
print('new fabrics told apart:', hit)
""",
    score="hit",
    bar=0.7,
    base=0.25,
    odd="the trunk is frozen on purpose, and the new fabrics have sixty examples",
    faults=(
        Fault(cause="frozen_or_disconnected", old="trunk.trainable = False", new="model.trainable = False",
              layer=("new_head",)),
        Fault(cause="label_noise", old="x_few, y_few = x_few[order], y_few[order]",
              new="x_few, y_few = x_few[order], y_few[order]\n"
              "mixed_up = rng.random(len(y_few)) < 0.8\ny_few[mixed_up] = rng.integers(0, len(NEW), mixed_up.sum())"),
        Fault(cause="missing_class", old="x_few, y_few = catalogue(NEW, 15)", new="x_few, y_few = catalogue(NEW[:2], 30)"),
        Fault(cause="lr_schedule_wrong", old="decay_steps=EPOCHS * len(x_few) // BATCH", new="decay_steps=len(x_few) // BATCH // 2",
              beside=("learning_rate_too_low", "too_few_steps")),
        Fault(cause="nan_or_inf_in_data", old="(images - mean) / (std + 1e-3)", new="(images - mean) / std"),
        Fault(cause="dropout_mode", old="layers.Dropout(0.6)(h)", new="layers.Lambda(lambda z: keras.random.dropout(z, 0.6))(h)"),
        Fault(cause="leakage_duplicates", old="x_test, y_test = catalogue(NEW, 100)",
              new="x_test, y_test = catalogue(NEW, 10)\n"
              "x_test, y_test = np.concatenate([x_test, x_few]), np.concatenate([y_test, y_few])", certain=True),
    ),
    seeds=3,
)  # fmt: skip

CLOUDS = Program(
    name="bench_cloud_masks_four_bands",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras.initializers import Constant
from tensorflow.keras.layers import Conv2D, Input, MaxPooling2D, UpSampling2D

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
H = 24
grid = np.mgrid[:H, :H]


def scene(cloudy):
    land = np.array([55, 70, 60, 110]) + rng.normal(0, 14, 4)
    bands = land + rng.normal(0, 9, (H, H, 4)) + 18 * np.sin(grid[0] / rng.uniform(2, 6) + rng.uniform(0, 6))[..., None]
    field = rng.integers(0, H - 8, 2)                              # bright dry field, no cloud
    bands[field[0]:field[0] + 8, field[1]:field[1] + 8] += [55, 50, 45, -25]
    mask = np.zeros((H, H), bool)
    if rng.random() < cloudy:
        for _ in range(rng.integers(1, 4)):
            centre = rng.uniform(2, H - 2, 2)
            mask |= np.hypot(grid[0] - centre[0], grid[1] - centre[1]) < rng.uniform(2, 5.5)
    bands[mask] += rng.uniform(45, 90) * np.array([1.0, 1.0, 0.95, 0.7])
    return np.clip(bands, 0, 255).astype('uint8'), (255 * mask).astype('uint8')


def archive(count, cloudy=0.85):
    bands, masks = zip(*[scene(cloudy) for _ in range(count)])
    return np.array(bands), np.array(masks)[..., None]


train_bands, train_masks = archive(360)
test_bands, test_masks = archive(120)


def scale(bands):
    return (bands / 255).astype('float32')


def to_target(masks):
    return (masks // 255).astype('float32')


def augment(bands, mask):
    bands = bands + tf.random.normal(tf.shape(bands), stddev=0.02)
    both = tf.concat([bands, mask], axis=-1)
    both = tf.image.random_flip_left_right(tf.image.random_flip_up_down(both))
    return both[..., :4], both[..., 4:]


train = tf.data.Dataset.from_tensor_slices((scale(train_bands), to_target(train_masks)))
train = train.shuffle(360).map(augment).batch(12).prefetch(2)

WIDTH = 12
inp = Input((H, H, 4))
h = Conv2D(WIDTH, 3, padding='same', activation='relu', name='down1')(inp)
h = MaxPooling2D()(h)
h = Conv2D(2 * WIDTH, 3, padding='same', activation='relu', bias_initializer=Constant(0.05), name='middle')(h)
h = Conv2D(WIDTH, 3, padding='same', activation='relu', name='up1')(h)
logit = Conv2D(1, 1, name='cloud')(h)
logit = UpSampling2D(2, interpolation='bilinear')(logit)
net = keras.Model(inp, logit)

net.compile(keras.optimizers.Adam(4e-3), loss=keras.losses.BinaryCrossentropy(from_logits=True))
net.fit(train, epochs=14, verbose=2)

found = net.predict(scale(test_bands), verbose=0) > 0
truth = test_masks > 127
dice = 2 * np.sum(found & truth) / (np.sum(found) + np.sum(truth))
print('dice', dice)
""",
    score="dice",
    bar=0.7,
    base=0.15,
    faults=(
        Fault(cause="label_encoding", old="(masks // 255)", new="(masks)", beside=("output_range_cannot_reach_targets",
              "targets_not_scaled")),
        Fault(cause="logits_to_probability_loss", old="BinaryCrossentropy(from_logits=True)", new="BinaryCrossentropy()",
              layer=("cloud",)),
        Fault(cause="probabilities_to_logits_loss", old="Conv2D(1, 1, name='cloud')",
              new="Conv2D(1, 1, activation='sigmoid', name='cloud')", layer=("cloud",)),
        Fault(cause="class_imbalance", old="train_bands, train_masks = archive(360)",
              new="train_bands, train_masks = archive(360, cloudy=0.01)"),
        Fault(cause="inputs_drowned_in_noise", old="stddev=0.02", new="stddev=4.0",
              beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="dead_units", old="bias_initializer=Constant(0.05)", new="bias_initializer=Constant(-5.)",
              layer=("middle",), beside=("frozen_or_disconnected", "init_scale")),
        Fault(cause="input_ignored", old="(bands / 255)", new="(bands // 255)"),
    ),
    seeds=3,
)  # fmt: skip

LIFT = Program(
    name="bench_people_in_a_lift",
    source="""
import keras
import numpy as np
from keras.initializers import Identity
from keras.layers import Dense, Input, SimpleRNN

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

# beam in, beam out and the door, once a second; how many stand in the lift at the end?
SECONDS, MOST = 40, 5


def ride(people):
    log = np.zeros((SECONDS, 3))
    out = rng.integers(0, 4)
    seconds = np.sort(rng.choice(SECONDS - 2, people + 2 * out, replace=False))
    steps = np.array([1] * people + [1, -1] * out)
    rng.shuffle(steps[:people])
    log[seconds[steps > 0], 0] = rng.normal(1, 0.12, (steps > 0).sum())
    log[seconds[steps < 0], 1] = rng.normal(1, 0.12, (steps < 0).sum())
    log[seconds, 2] = 1
    return log + rng.normal(0, 0.03, log.shape)


def week(rides, share=None):
    people = rng.choice(MOST + 1, size=rides, p=share)
    return np.stack([ride(k) for k in people]).astype('float32'), people


x_train, y_train = week(2000)
x_test, y_test = week(500)


def batches(x, y, size):
    order = rng.permutation(len(y))
    for start in range(0, len(y) - size + 1, size):
        chosen = order[start:start + size]
        yield x[chosen], y[chosen]


head, loss = Dense(MOST + 1, activation='softmax', name='people'), 'sparse_categorical_crossentropy'
rnn = keras.Sequential([
    Input((SECONDS, 3)),
    SimpleRNN(24, activation='relu', recurrent_initializer=Identity(0.98), name='counter'),
    head,
])
rnn.compile(optimizer=keras.optimizers.Adam(3e-3, clipnorm=1.0), loss=loss, metrics=['accuracy'])
EPOCHS = 20
for epoch in range(EPOCHS):
    rnn.reset_metrics()
    for xb, yb in batches(x_train, y_train, 32):
        logs = rnn.train_on_batch(xb, yb, return_dict=True)
    print(epoch, {k: float(v) for k, v in logs.items()})

counted = rnn.predict(x_test, verbose=0).argmax(axis=1)
per_count = np.array([np.mean(counted[y_test == k] == k) for k in range(MOST + 1)])
print(per_count.round(2))
""",
    score="per_count.mean()",
    bar=0.6,
    base=1 / 6,
    odd="ReLU in a recurrent layer that starts as the identity, clipped gradients",
    faults=(
        Fault(cause="exploding_gradient", old="Identity(0.98)", new="Identity(1.6)", accept=("init_scale",),
              layer=("counter",)),
        Fault(cause="vanishing_gradient", old="activation='relu', recurrent_initializer=Identity(0.98)",
              new="activation='sigmoid'", layer=("counter",)),
        Fault(cause="missing_class", old="x_test, y_test = week(500)",
              new="few = y_train < 4\nx_train, y_train = x_train[few], y_train[few]\nx_test, y_test = week(500)"),
        Fault(cause="class_imbalance", old="x_train, y_train = week(2000)",
              new="x_train, y_train = week(2000, [0.93, 0.03, 0.01, 0.01, 0.01, 0.01])"),
        Fault(cause="data_sorted", old="order = rng.permutation(len(y))", new="order = np.argsort(y)"),
        Fault(cause="wrong_head_for_labels",
              old="Dense(MOST + 1, activation='softmax', name='people'), 'sparse_categorical_crossentropy'",
              new="Dense(1, activation='sigmoid', name='people'), 'binary_crossentropy'",
              accept=("wrong_loss_for_task", "output_range_cannot_reach_targets"), layer=("people",),
              beside=("label_encoding", "wrong_metric")),
        Fault(cause="logits_to_probability_loss", old="activation='softmax', name='people'", new="name='people'",
              layer=("people",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (SIGNATURES, FABRICS, CLOUDS, LIFT)
