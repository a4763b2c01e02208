"""Programs of first projects at work: an autoencoder of machines, fine-tuned textures, counts, landmarks."""

from keras_course.diagnostics.corpus import Fault, Program

TURBINE = Program(
    name="intern_turbine_autoencoder",
    odd="inputs are the targets, through three numbers",
    source="""
import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler
from tensorflow import keras
from tensorflow.keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)


def run(n, worn=False):
    load, wind, temp = rng.uniform(0, 1, n), rng.gamma(3, 2, n), rng.normal(12, 7, n)
    s = np.stack([
        900 + 600 * load + 15 * wind,
        35 + 30 * load ** 2 + 0.6 * temp,
        40 + 22 * np.sqrt(load) + 0.4 * temp,
        0.4 + 0.15 * wind * load,
        wind,
        temp,
        220 * load * np.tanh(wind / 5),
        5 + 3 * load + 0.1 * temp,
        0.02 * wind ** 2,
        8 * np.exp(-3 * load) + 0.2 * wind,
    ], 1)
    s = s * (1 + rng.normal(0, 0.01, s.shape))
    return s * (1 + 0.25 * rng.normal(size=s.shape)) if worn else s


normal = run(2400)
train, valid, test = normal[:1600], normal[1600:2000], normal[2000:]
broken = run(200, worn=True)
scaler = StandardScaler().fit(train)
train_z, valid_z = scaler.transform(train), scaler.transform(valid)
test_z, broken_z = scaler.transform(test), scaler.transform(broken)

encoder = keras.Sequential([
    layers.Input((10,)),
    layers.Dense(48, activation='relu', name='enc1'),
    layers.Dense(24, activation='relu', name='enc2'),
    layers.Dense(3, name='code'),
], name='encoder')
decoder = keras.Sequential([
    layers.Input((3,)),
    layers.Dense(24, activation='relu', name='dec1'),
    layers.Dense(48, activation='relu', name='dec2'),
    layers.Dense(10, name='signal'),
], name='decoder')
signals = keras.Input((10,))
auto = keras.Model(signals, decoder(encoder(signals)))
auto.compile(optimizer=keras.optimizers.Adam(0.003), loss='mse', metrics=['mae'])
auto.fit(
    train_z,
    train_z,
    epochs=15,
    batch_size=32,
    validation_data=(valid_z, valid_z),
    callbacks=[keras.callbacks.ReduceLROnPlateau(patience=3, factor=0.5)],
    verbose=0,
)
residual = np.mean((auto.predict(test_z, verbose=0) - test_z) ** 2, axis=1)
alarm = np.mean((auto.predict(broken_z, verbose=0) - broken_z) ** 2, axis=1)
explained = 1 - residual.mean() / np.mean((test_z - test_z.mean(0)) ** 2)
""",
    score="max(-1.0, float(explained))",
    bar=0.9,
    base=0.0,
    faults=(
        Fault(cause="output_range_cannot_reach_targets", old="layers.Dense(10, name='signal')",
              new="layers.Dense(10, activation='sigmoid', name='signal')", layer=("signal",)),
        Fault(cause="dead_units", old="layers.Dense(24, activation='relu', name='enc2')",
              new="layers.Dense(24, activation='relu', bias_initializer=keras.initializers.Constant(-12.0), name='enc2')",
              layer=("enc2",), accept=("init_scale",)),
        Fault(cause="nan_or_inf_in_data", old="train, valid, test = normal[:1600], normal[1600:2000], normal[2000:]",
              new="normal[rng.random(normal.shape) < 0.002] = np.nan  # sensor off\n"
              "train, valid, test = normal[:1600], normal[1600:2000], normal[2000:]"),
        Fault(cause="saturated_units", old="layers.Dense(3, name='code')",
              new="layers.Dense(3, activation='tanh', bias_initializer=keras.initializers.Constant(12.0), name='code')",
              layer=("code",), accept=("init_scale", "vanishing_gradient")),
        Fault(cause="train_val_preprocessing_mismatch", old="valid_z = scaler.transform(train), scaler.transform(valid)",
              new="valid_z = scaler.transform(train), valid", certain=True),
    ),
    seeds=3,
)  # fmt: skip

TEXTURES = Program(
    name="intern_textures_fine_tuning",
    odd="a frozen base, few pictures, and a second fit at a twentieth of the rate",
    source="""
import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
yy, xx = np.mgrid[0:16, 0:16]


def texture(kind):
    a, b = rng.uniform(0, 2 * np.pi, 2)
    f = rng.uniform(0.85, 1.15)
    if kind == 'stripes':
        t = np.sin(1.6 * f * xx + a)
    elif kind == 'bars':
        t = np.sin(1.6 * f * yy + a)
    elif kind == 'checks':
        t = np.sign(np.sin(1.6 * f * xx + a) * np.sin(1.6 * f * yy + b))
    elif kind == 'slant':
        t = np.sin(1.1 * f * (xx + yy) + a)
    elif kind == 'weave':
        t = np.maximum(np.sin(1.6 * f * xx + a), np.sin(1.6 * f * yy + b))
    elif kind == 'backslant':
        t = np.sin(1.1 * f * (xx - yy) + a)
    else:
        t = np.sin(0.7 * f * np.hypot(xx - 8 + 2 * np.cos(a), yy - 8 + 2 * np.sin(a)) * 2)
    t = 0.8 * t + rng.normal(0, 0.5, (16, 16))
    return np.clip(128 + 50 * t, 0, 255)


def folder(kinds, each):
    pictures = np.stack([texture(k) for k in kinds for _ in range(each)])[..., None].astype('float32')
    return pictures, np.repeat(np.arange(len(kinds)), each)


base = keras.Sequential([
    keras.Input((16, 16, 1)),
    layers.Rescaling(1 / 64.0, offset=-2.0),
    layers.Conv2D(16, 3, padding='same', name='c1'),
    layers.BatchNormalization(momentum=0.9, name='bn1'),
    layers.ReLU(),
    layers.MaxPooling2D(),
    layers.Conv2D(32, 3, padding='same', name='c2'),
    layers.BatchNormalization(momentum=0.9, name='bn2'),
    layers.ReLU(),
    layers.GlobalAveragePooling2D(),
], name='base')
x, y = folder(['stripes', 'bars', 'checks', 'slant'], 200)
mix = rng.permutation(len(x))
pre = keras.Sequential([base, layers.Dense(4, activation='softmax')])
pre.compile('adam', 'sparse_categorical_crossentropy')
pre.fit(x[mix], y[mix], epochs=4, batch_size=32, verbose=0)

few, label = folder(['weave', 'backslant', 'waves'], 80)
test, truth = folder(['weave', 'backslant', 'waves'], 80)
mix = rng.permutation(len(few))
few, label = few[mix], label[mix]

base.trainable = False
picture = keras.Input((16, 16, 1))
feature = base(picture, training=False)
feature = layers.Dense(32, activation='relu', name='middle')(feature)
answer = layers.Dense(3, activation='softmax', name='answer')(feature)
model = keras.Model(picture, answer)
model.compile(keras.optimizers.Adam(0.01), 'sparse_categorical_crossentropy', metrics=['accuracy'])
model.fit(few, label, epochs=12, batch_size=16, validation_split=0.2, verbose=0)

base.trainable = True
model.compile(keras.optimizers.Adam(5e-4), 'sparse_categorical_crossentropy', metrics=['accuracy'])
model.fit(few, label, epochs=8, batch_size=16, validation_split=0.2, verbose=0)
""",
    score="np.mean(model.predict(test, verbose=0).argmax(1) == truth)",
    bar=0.85,
    base=0.34,
    faults=(
        Fault(cause="frozen_or_disconnected", old="model = keras.Model(picture, answer)\n",
              new="model = keras.Model(picture, answer)\nmodel.trainable = False\n"),
        Fault(cause="validation_split_sorted", old="few, label = few[mix], label[mix]\n", new="",
              beside=("data_sorted", "missing_class", "train_val_preprocessing_mismatch"), certain=True),
        Fault(cause="label_encoding", old="np.repeat(np.arange(len(kinds)), each)",
              new="np.repeat(np.arange(len(kinds)) + 1, each)"),
        Fault(cause="wrong_head_for_labels", old="layers.Dense(3, activation='softmax', name='answer')",
              new="layers.Dense(3, activation='relu', name='answer')", layer=("answer",),
              accept=("logits_to_probability_loss",), beside=("dead_units",)),
        Fault(cause="inputs_scaled_twice", old="[..., None].astype('float32')", new="[..., None].astype('float32') / 255"),
        Fault(cause="missing_class", old="few, label = folder(['weave', 'backslant', 'waves'], 80)",
              new="few, label = folder(['weave', 'backslant'], 120)"),
    ),
    pairs=(("validation_split_sorted", "inputs_scaled_twice"),),
    seeds=3,
)  # fmt: skip

COUNTS = Program(
    name="intern_colonies_poisson_count",
    odd="an exponential output, mirrored pictures, and counts of which many are small",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
S = 20
gy, gx = np.mgrid[0:S, 0:S]


def dish():
    k = rng.integers(0, 9)
    light = np.zeros((S, S))
    for _ in range(k):
        cy, cx, r = rng.uniform(1, S - 1), rng.uniform(1, S - 1), rng.uniform(0.9, 1.3)
        light = light + np.exp(-((gy - cy) ** 2 + (gx - cx) ** 2) / (2 * r ** 2))
    return np.clip(30 + 150 * light + rng.normal(0, 8, (S, S)), 0, 255).astype('uint8'), k


dishes, colonies = map(np.array, zip(*[dish() for _ in range(1300)]))
colonies = colonies.astype('float32')
dishes = dishes[..., None]


def scale(img, k):
    return tf.cast(img, tf.float32) / 255.0, k


def mirror(img, k):
    return tf.image.random_flip_up_down(tf.image.random_flip_left_right(img)), k


train_ds = tf.data.Dataset.from_tensor_slices((dishes[:1000], colonies[:1000])).map(scale).cache()
train_ds = train_ds.shuffle(1000).map(mirror).batch(32).prefetch(2)
valid_ds = tf.data.Dataset.from_tensor_slices((dishes[1000:], colonies[1000:])).map(scale).batch(100)

counter = keras.Sequential([
    layers.Input((S, S, 1)),
    layers.GaussianNoise(0.02),
    layers.Conv2D(16, 3, activation='relu', padding='same', name='conv1'),
    layers.MaxPooling2D(),
    layers.Conv2D(24, 3, activation='relu', padding='same', name='conv2'),
    layers.GlobalAveragePooling2D(),
    layers.Dense(24, activation='relu', name='fc'),
    layers.Dense(1, activation='exponential', name='rate'),
])
counter.compile(keras.optimizers.Adam(0.003), loss='poisson', metrics=['mae'])
counter.fit(train_ds, epochs=14, validation_data=valid_ds, verbose=0)
guess = counter.predict(valid_ds, verbose=0)[:, 0]
""",
    score="max(-1.0, 1 - float(np.mean((guess - colonies[1000:]) ** 2) / np.var(colonies[1000:])))",
    bar=0.75,
    base=0.0,
    faults=(
        Fault(cause="learning_rate_too_low", old="Adam(0.003), loss='poisson'", new="Adam(3e-6), loss='poisson'", beside=("too_few_steps",)),
        Fault(cause="wrong_loss_for_task", old="loss='poisson', metrics", new="loss='binary_crossentropy', metrics",
              beside=("wrong_head_for_labels", "output_range_cannot_reach_targets", "targets_not_scaled")),
        Fault(cause="inputs_drowned_in_noise", old="layers.GaussianNoise(0.02)", new="layers.GaussianNoise(1.0)"),
        Fault(cause="regularisation_overwhelms", old="padding='same', name='conv2'",
              new="padding='same', activity_regularizer=keras.regularizers.L1(0.1), name='conv2'",
              layer=("conv2",), beside=("dead_units",)),
        Fault(cause="output_range_cannot_reach_targets", old="activation='exponential', name='rate'",
              new="activation='sigmoid', name='rate'", layer=("rate",)),
        Fault(cause="train_val_preprocessing_mismatch", old="(dishes[1000:], colonies[1000:])).map(scale).batch(100)",
              new="(dishes[1000:], colonies[1000:])).batch(100)"),
    ),
    seeds=3,
)  # fmt: skip

MARKS = Program(
    name="intern_buoy_landmarks_two_heads",
    odd="two heads of which one counts only where there is something to see",
    source="""
import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
P = 18
gy, gx = np.mgrid[0:P, 0:P]


def harbour():
    there = rng.random() < 0.7
    cy, cx = rng.uniform(3, P - 3, 2)
    sea = 0.15 * np.sin(gy / rng.uniform(1.5, 3) + rng.uniform(0, 6)) + rng.normal(0, 0.12, (P, P)) + 0.4
    if there:
        sea = sea + 0.7 * np.exp(-((gy - cy) ** 2 + (gx - cx) ** 2) / 3.0)
    return sea, (cy, cx) if there else (P / 2, P / 2), there


seas, spots, seen = map(np.array, zip(*[harbour() for _ in range(1300)]))
seas = seas[..., None].astype('float32')
spots = ((spots - P / 2) / (P / 2)).astype('float32')
seen = seen.astype('float32')
rows = rng.permutation(len(seas))
a, b = rows[:1000], rows[1000:]

image = keras.Input((P, P, 1), name='image')
z = layers.Conv2D(12, 3, activation='relu', name='c1')(image)
z = layers.MaxPooling2D()(z)
z = layers.Conv2D(16, 3, activation='relu', name='c2')(z)
z = layers.Flatten()(z)
z = layers.Dense(48, activation='relu', name='shared')(z)
where = layers.Dense(2, name='where')(z)
visible = layers.Dense(1, activation='sigmoid', name='visible')(z)
finder = keras.Model(image, {'where': where, 'visible': visible})
finder.compile(
    keras.optimizers.Adam(0.002),
    loss={'where': 'mse', 'visible': 'binary_crossentropy'},
    loss_weights={'where': 4.0, 'visible': 1.0},
    metrics={'where': ['mae'], 'visible': ['accuracy']},
)
finder.fit(
    seas[a],
    {'where': spots[a], 'visible': seen[a]},
    sample_weight={'where': seen[a], 'visible': np.ones(len(a))},
    batch_size=32,
    epochs=12,
    validation_data=(seas[b], {'where': spots[b], 'visible': seen[b]}, {'where': seen[b], 'visible': np.ones(len(b))}),
    verbose=0,
)
out = finder.predict(seas[b], verbose=0)
on = seen[b] == 1
r2 = 1 - np.mean((out['where'] - spots[b])[on] ** 2) / np.var(spots[b][on])
hit = np.mean((out['visible'][:, 0] > 0.5) == on)
""",
    score="(max(r2, -1.0) + 2 * (hit - 0.5)) / 2",
    bar=0.8,
    base=0.2,
    faults=(
        Fault(cause="label_noise", old="spots = ((spots - P / 2) / (P / 2)).astype('float32')",
              new="""spots = ((spots - P / 2) / (P / 2)).astype('float32')
turned = rng.random(1300) < 0.5
seas[turned] = seas[turned, ::-1, ::-1]  # more variety, from all sides""",
              beside=("labels_shuffled_apart",)),
        Fault(cause="overfitting", old="a, b = rows[:1000], rows[1000:]",
              new="a, b = np.repeat(rows[:25], 40), rows[1000:]"),
        Fault(cause="targets_not_scaled", old="((spots - P / 2) / (P / 2)).astype",
              new="((spots - P / 2) * 250).astype"),
        Fault(cause="softmax_on_single_unit", old="layers.Dense(1, activation='sigmoid', name='visible')",
              new="layers.Dense(1, activation='softmax', name='visible')", layer=("visible",)),
        Fault(cause="wrong_loss_for_task", old="loss={'where': 'mse', 'visible'",
              new="loss={'where': 'categorical_crossentropy', 'visible'", beside=("wrong_head_for_labels",)),
        Fault(cause="wrong_metric", old="metrics={'where': ['mae'], 'visible': ['accuracy']}",
              new="metrics={'where': ['accuracy'], 'visible': ['accuracy']}", certain=True),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [TURBINE, TEXTURES, COUNTS, MARKS]
