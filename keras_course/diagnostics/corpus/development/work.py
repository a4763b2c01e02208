"""Scripts from work: tags of tokens, a machine's sensors, a base that is taken over, spectra, delays with their spread."""

from keras_course.diagnostics.corpus import Fault, Program

TAGGER = Program(
    name="work_entity_tagger_masked_step",
    odd="five of six positions are padding or no entity; tags start at 1 in the file because 0 pads",
    source='''
"""Tagger for order e-mails: which token is a product, a quantity, a date? Padded, masked, own train_step."""
import numpy as np
import tensorflow as tf
import keras
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

TAGS = ["O", "PRODUCT", "QUANTITY", "DATE"]
PRODUCTS = [f"part{i}" for i in range(25)]
NUMBERS = [str(i) for i in range(1, 31)]
MONTHS = "january february march april may june july august".split()
TALK = "please send us the following items we need order for our plant regards by on of thanks dear team".split()


def sentence():
    words, tags = [], []
    for _ in range(rng.integers(2, 5)):
        kind = rng.integers(3)
        for _ in range(rng.integers(1, 4)):
            words.append(str(rng.choice(TALK))); tags.append("O")
        if kind == 0:
            words += [str(rng.choice(NUMBERS)), str(rng.choice(PRODUCTS))]; tags += ["QUANTITY", "PRODUCT"]
        elif kind == 1:
            words += [str(rng.choice(NUMBERS)), str(rng.choice(MONTHS))]; tags += ["DATE", "DATE"]
        else:
            words += ["no", str(rng.choice(NUMBERS))]; tags += ["O", "O"]       # customer number: no quantity
    return words, tags


MAXLEN = 24
train, test = [sentence() for _ in range(900)], [sentence() for _ in range(200)]


def build_vocab(sentences):
    words = dict.fromkeys(w for ws, _ in sentences for w in ws)
    return {w: i + 1 for i, w in enumerate(words)}


vocab = build_vocab(train)


def to_arrays(sentences, vocab):
    x, y = np.zeros((len(sentences), MAXLEN), "int32"), np.zeros((len(sentences), MAXLEN), "int32")
    for row, (ws, ts) in enumerate(sentences):
        ws, ts = ws[:MAXLEN], ts[:MAXLEN]
        x[row, :len(ws)] = [vocab.get(w, 0) for w in ws]
        y[row, :len(ts)] = [TAGS.index(t) + 1 for t in ts]
    return x, y


x_train, y_train = to_arrays(train, vocab)
x_test, y_test = to_arrays(test, vocab)


class Tagger(keras.Model):
    def __init__(self, size, units=20):
        super().__init__()
        self.embed = layers.Embedding(size + 1, units, name="embed")
        self.conv = layers.Conv1D(2 * units, 3, padding="same", activation="relu", name="context")
        self.drop = layers.Dropout(0.2)
        self.tags = layers.Dense(len(TAGS), name="tags")
        self.entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None)

    def call(self, x, training=False):
        return self.tags(self.drop(self.conv(self.embed(x)), training=training))

    def train_step(self, data):
        x, y = data
        mask = tf.cast(y > 0, tf.float32)
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            each = self.entropy(tf.maximum(y - 1, 0), y_pred)
            loss = tf.reduce_sum(each * mask) / tf.reduce_sum(mask)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
        return {"loss": loss}


model = Tagger(len(vocab))
model.compile(optimizer=keras.optimizers.Adam(0.005))
model.fit(x_train, y_train, batch_size=32, epochs=6, verbose=2)

guess = model.predict(x_test, verbose=0).argmax(-1) + 1
known = y_test > 0
recalls = [np.mean(guess[y_test == k + 1] == k + 1) for k in range(len(TAGS))]
macro = float(np.mean(recalls))
print("tokens right", np.mean(guess[known] == y_test[known]), "macro recall", macro)
''',
    score="macro",
    bar=0.93,
    base=0.25,
    seeds=3,
    faults=(
        Fault(cause="train_val_preprocessing_mismatch", old="x_test, y_test = to_arrays(test, vocab)", new="x_test, y_test = to_arrays(test, build_vocab(test))"),
        Fault(cause="logits_to_probability_loss", old="keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None)", new="keras.losses.SparseCategoricalCrossentropy(reduction=None)",
              layer=("tags",), accept=("wrong_head_for_labels",)),
        Fault(cause="label_encoding", old="self.entropy(tf.maximum(y - 1, 0), y_pred)", new="self.entropy(tf.minimum(y, len(TAGS) - 1), y_pred)", accept=("missing_class",)),
        Fault(cause="frozen_or_disconnected", old="        gradients = tape.gradient(loss, self.trainable_variables)\n        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))",
              new="        gradients = tape.gradient(loss, self.tags.trainable_variables)\n        self.optimizer.apply_gradients(zip(gradients, self.tags.trainable_variables))", layer=("embed", "context"),
              accept=("optimiser_not_applied",)),
        Fault(cause="too_few_steps", old="batch_size=32, epochs=6, verbose=2", new="batch_size=900, epochs=6, verbose=2", beside=("learning_rate_too_low",)),
        Fault(cause="missing_class", old="vocab = build_vocab(train)\n", new="train = [(ws, [t if t != 'DATE' else 'O' for t in ts]) for ws, ts in train]   # dates are not marked yet\nvocab = build_vocab(train)\n", beside=("validation_split_sorted",)),
    ),
    pairs=(("logits_to_probability_loss", "too_few_steps"),),
)  # fmt: skip

PUMPS = Program(
    name="work_pump_sensors_two_heads",
    odd="some windows are flat because a sensor was off; the recordings are stored state by state",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow.keras import Input, Model, layers, optimizers

tf.keras.utils.set_random_seed(SEED)
rnd = np.random.RandomState(SEED)

# ---------------------------------------------------------------- recordings (made up)
def record(state, wear):
    t = np.arange(64)
    phase = rnd.uniform(0, 6.28)
    vib = np.sin(t / 2. + phase) + .4 * rnd.randn(64)
    if state == 1:                         # imbalance: strong second harmonic
        vib += 1.1 * np.sin(t + phase)
    if state == 2:                         # bearing: sharp knocks
        vib[rnd.randint(0, 8)::8] += 3.0
    vib *= 1 + .5 * wear
    if rnd.rand() < .02:
        vib[:] = 0                         # sensor off
    return 2048 + 300 * vib

n_per = 320
states = np.repeat([0, 1, 2], n_per)
wear = rnd.uniform(0, 1, len(states))
vibration = np.array([record(s, w) for s, w in zip(states, wear)])
temperature = 40 + 25 * wear + 2 * states + 2 * rnd.randn(len(states))
life = 6000 * (1 - wear) ** 1.3            # hours left

# ---------------------------------------------------------------- preparation
centred = vibration - vibration.mean(axis=1, keepdims=True)
level = vibration.std(axis=1, keepdims=True)
shape = centred / (level + 1e-3)
extra = np.column_stack([temperature, level[:, 0]])
extra = (extra - extra.mean(0)) / (extra.std(0) + 1e-6)
life_scale = 3000.
life_target = life / life_scale - .8

test = rnd.rand(len(states)) < .25
fit = ~test

def dataset(rows, training):
    ds = tf.data.Dataset.from_tensor_slices((
        {'wave': shape[rows][..., None].astype('float32'), 'extra': extra[rows].astype('float32')},
        {'state': states[rows], 'life': life_target[rows].astype('float32')[:, None]}))
    if training:
        ds = ds.shuffle(1000).batch(32)
    else:
        ds = ds.batch(128)
    return ds.prefetch(2)

# ---------------------------------------------------------------- model
wave = Input((64, 1), name='wave')
more = Input((2,), name='extra')
w = layers.Conv1D(16, 7, strides=2, use_bias=False, name='conv1')(wave)
w = layers.BatchNormalization(momentum=.8, name='bn1')(w)
w = layers.ReLU()(w)
w = layers.Conv1D(24, 5, strides=2, activation='relu', name='conv2')(w)
w = layers.GlobalMaxPooling1D()(w)
h = layers.concatenate([w, more])
h = layers.Dense(32, use_bias=False, name='joint')(h)
h = layers.BatchNormalization(momentum=.9, name='bn2')(h)
h = layers.ReLU()(h)
state = layers.Dense(3, activation='softmax', name='state')(h)
remaining = layers.Dense(1, name='life')(h)
model = Model([wave, more], {'state': state, 'life': remaining})
model.compile(optimizer=optimizers.Adam(3e-3),
              loss={'state': 'sparse_categorical_crossentropy', 'life': 'mse'},
              loss_weights={'state': 1., 'life': 1.})
model.fit(dataset(fit, True), validation_data=dataset(test, False), epochs=10, verbose=2)

answer = model.predict(dataset(test, False), verbose=0)
accuracy = np.mean(answer['state'].argmax(1) == states[test])
error = np.mean(((answer['life'][:, 0] + .8) * life_scale - life[test]) ** 2) / life[test].var()
worse = min((accuracy - 1 / 3) * 1.5, max(-1, 1 - error))
print('state %.3f  life R2 %.3f' % (accuracy, 1 - error))
""",
    score="worse",
    bar=0.75,
    base=0.0,
    seeds=3,
    faults=(
        Fault(cause="pipeline_order", old="ds = ds.shuffle(1000).batch(32)", new="ds = ds.batch(32).shuffle(1000)", accept=("data_sorted",), beside=("shuffle_buffer_too_small", "batchnorm_mode")),
        Fault(cause="nan_or_inf_in_data", old="shape = centred / (level + 1e-3)", new="shape = centred / level"),
        Fault(cause="targets_not_scaled", old="life_scale = 3000.\nlife_target = life / life_scale - .8", new="life_scale = 1.\nlife_target = life / life_scale - .8"),
        Fault(cause="train_val_preprocessing_mismatch", old="{'wave': shape[rows][..., None]", new="{'wave': (shape if training else centred)[rows][..., None]"),
        Fault(cause="wrong_loss_for_task", old="loss={'state': 'sparse_categorical_crossentropy', 'life': 'mse'}", new="loss={'state': 'sparse_categorical_crossentropy', 'life': 'binary_crossentropy'}",
              layer=("life",), accept=("wrong_head_for_labels", "logits_to_probability_loss"), beside=("output_range_cannot_reach_targets", "label_encoding")),
    ),
)  # fmt: skip

TRANSFER = Program(
    name="work_digits_take_over_base",
    odd="most weights are frozen on purpose, few rows are left for the second task, and the first model is trained to be thrown away",
    source="""
import numpy as np
import keras
from keras import layers
from sklearn.datasets import load_digits


class Config:
    seed = SEED
    pre_epochs = 5
    epochs = 20
    lr = 5e-3
    smoothing = 0.05


cfg = Config()
keras.utils.set_random_seed(cfg.seed)


def load():
    bunch = load_digits()
    images = bunch.images[..., np.newaxis].astype("float32") / 16
    order = np.random.permutation(len(images))
    return images[order], bunch.target[order]


def make_base():
    return keras.Sequential([
        layers.Input((8, 8, 1)),
        layers.Conv2D(24, 3, activation="relu", padding="same", name="base_conv1"),
        layers.MaxPooling2D(),
        layers.Conv2D(48, 3, activation="relu", padding="same", name="base_conv2"),
        layers.Flatten(),
    ], name="base")


def pretrain(base, images, labels):
    inp = layers.Input((8, 8, 1))
    out = layers.Dense(5, activation="softmax", name="old_head")(base(inp))
    m = keras.Model(inp, out)
    m.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    m.fit(images, labels, epochs=cfg.pre_epochs, batch_size=64, verbose=0)


def main():
    images, target = load()
    old, new = target < 5, target >= 5
    base = make_base()
    pretrain(base, images[old], target[old])

    base.trainable = False
    new_images, new_labels = images[new], target[new] - 5
    n = 160
    x_few, y_few = new_images[:n], new_labels[:n]
    x_rest, y_rest = new_images[n:], new_labels[n:]

    inputs = layers.Input((8, 8, 1))
    x = base(inputs, training=False)
    x = layers.Dropout(0.3)(x)
    outputs = layers.Dense(5, activation="softmax", name="new_head")(x)
    model = keras.Model(inputs, outputs)
    model.compile(optimizer=keras.optimizers.Adam(cfg.lr),
                  loss=keras.losses.CategoricalCrossentropy(label_smoothing=cfg.smoothing), metrics=["accuracy"])
    model.summary()
    model.fit(x_few, keras.utils.to_categorical(y_few, 5), epochs=cfg.epochs, batch_size=16, verbose=0)
    return np.mean(model.predict(x_rest, verbose=0).argmax(1) == y_rest)


accuracy = main()
print("accuracy on new digits", accuracy)
""",
    score="accuracy",
    bar=0.88,
    base=0.2,
    seeds=3,
    faults=(
        Fault(cause="frozen_or_disconnected", old="    model = keras.Model(inputs, outputs)\n", new="    model = keras.Model(inputs, outputs)\n    model.trainable = False\n", layer=("new_head",),
              beside=("optimiser_not_applied",)),
        Fault(cause="inputs_scaled_twice", old="new_images, new_labels = images[new], target[new] - 5", new="new_images, new_labels = images[new] / 255., target[new] - 5", beside=("inputs_not_scaled",)),
        Fault(cause="labels_shuffled_apart", old="x_few, y_few = new_images[:n], new_labels[:n]", new="x_few, y_few = new_images[:n], target[:n] % 5", accept=("label_noise",), beside=("overfitting",)),
        Fault(cause="dead_units", old='layers.Conv2D(48, 3, activation="relu", padding="same", name="base_conv2")', new='layers.Conv2D(48, 3, activation="relu", padding="same", kernel_initializer=keras.initializers.RandomUniform(-1, 0), name="base_conv2")',
              layer=("base_conv2",), accept=("init_scale",), beside=("symmetric_or_zero_init", "frozen_or_disconnected")),
        Fault(cause="constant_labels", old="    order = np.random.permutation(len(images))\n", new="    order = np.argsort(-bunch.target, kind='stable')\n", accept=("missing_class", "validation_split_sorted"), beside=("data_sorted", "overfitting")),
    ),
)  # fmt: skip

SPECTRA = Program(
    name="work_spectra_denoiser_generator",
    odd="the target is the input without noise, and the generator never ends",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

keras.utils.set_random_seed(SEED)
N_POINTS = 64
NOISE = 0.6
GRID = np.linspace(0, 1, N_POINTS)


def spectrum(g):
    s = np.zeros(N_POINTS)
    for _ in range(g.integers(2, 5)):
        s += g.uniform(.6, 2) * np.exp(-.5 * ((GRID - g.uniform(.05, .95)) / g.uniform(.03, .08)) ** 2)
    return s + g.uniform(-.5, .5) * (GRID - .5)


g = np.random.default_rng(SEED)
clean = np.array([spectrum(g) for _ in range(1300)], dtype='float32')
clean = (clean - clean.mean()) / clean.std()
train, valid = clean[:1100], clean[1100:]
valid_noisy = valid + NOISE * g.normal(size=valid.shape).astype('float32')


def generator(spectra, batch_size=32):
    '''yields (noisy, clean) for ever'''
    g = np.random.default_rng(SEED + 1)
    while True:
        rows = g.integers(0, len(spectra), batch_size)
        target = spectra[rows]
        noisy = target + NOISE * g.normal(size=target.shape)
        yield noisy[..., None].astype('float32'), target[..., None]


initializer = 'he_normal'
filters = 16
net = keras.Sequential(name='denoiser')
net.add(layers.Input((N_POINTS, 1)))
net.add(layers.Conv1D(filters, 7, padding='same', activation='relu', kernel_initializer=initializer, name='enc1'))
net.add(layers.MaxPooling1D(2))
net.add(layers.Conv1D(filters, 7, padding='same', activation='relu', kernel_initializer=initializer, name='enc2'))
net.add(layers.Conv1D(filters, 7, padding='same', activation='relu', kernel_initializer=initializer, name='dec1'))
net.add(layers.UpSampling1D(2))
net.add(layers.Conv1D(1, 7, padding='same', name='spectrum'))

steps, epochs = 34, 8
lr = keras.optimizers.schedules.CosineDecay(0.004, decay_steps=steps * epochs)
net.compile(optimizer=keras.optimizers.Adam(lr), loss='mse')
net.fit(generator(train), steps_per_epoch=steps, epochs=epochs,
        validation_data=(valid_noisy[..., None], valid[..., None]), verbose=0)

restored = net.predict(valid_noisy[..., None], verbose=0)[..., 0]
r2 = 1 - np.mean((restored - valid) ** 2) / valid.var()
print('R2 %.3f (noisy input itself: %.3f)' % (r2, 1 - NOISE ** 2 / valid.var()))
""",
    score="r2",
    bar=0.8,
    base=0.0,
    seeds=3,
    faults=(
        Fault(cause="inputs_drowned_in_noise", old="        noisy = target + NOISE * g.normal(size=target.shape)\n", new="        noisy = target + 10 * NOISE * g.normal(size=target.shape)\n",
              beside=("train_val_preprocessing_mismatch", "inputs_not_scaled")),
        Fault(cause="output_range_cannot_reach_targets", old="net.add(layers.Conv1D(1, 7, padding='same', name='spectrum'))", new="net.add(layers.Conv1D(1, 7, padding='same', activation='sigmoid', name='spectrum'))",
              layer=("spectrum",), beside=("wrong_head_for_labels",)),
        Fault(cause="lr_schedule_wrong", old="CosineDecay(0.004, decay_steps=steps * epochs)", new="CosineDecay(0.004, decay_steps=epochs)"),
        Fault(cause="init_scale", old="initializer = 'he_normal'", new="initializer = keras.initializers.RandomNormal(stddev=3.0)", layer=("enc1", "enc2", "dec1"), accept=("exploding_gradient",)),
        Fault(cause="too_few_steps", old="steps, epochs = 34, 8", new="steps, epochs = 3, 4", beside=("learning_rate_too_low",)),
        Fault(cause="wrong_loss_for_task", old="loss='mse')", new="loss='binary_crossentropy')", accept=("logits_to_probability_loss", "label_encoding", "wrong_head_for_labels"), beside=("output_range_cannot_reach_targets", "targets_not_scaled")),
    ),
    pairs=(("lr_schedule_wrong", "output_range_cannot_reach_targets"),),
)  # fmt: skip

DELAYS = Program(
    name="work_delay_gaussian_likelihood",
    odd="the loss falls below zero, since it is a density; half of the units are dropped in training; gradients are clipped",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow import keras

keras.utils.set_random_seed(SEED)
rng = np.random.RandomState(7 + SEED)

# delay of trains in minutes, with a spread of its own
n = 1400
load = rng.uniform(0, 1, n)
hour = rng.uniform(5, 23, n)
snow = rng.exponential(.5, n)
stops = rng.randint(2, 20, n)
X = np.c_[load, np.cos(2 * np.pi * hour / 24), np.sin(2 * np.pi * hour / 24), snow, stops, rng.randn(n, 3)]
mean = 4 * load ** 2 + 3 * np.tanh(snow) * (stops > 8) + 2 * (np.abs(hour - 8) < 1.5) + 2 * (np.abs(hour - 17) < 2)
delay = mean + (.2 + .5 * load) * rng.randn(n)

is_train = rng.rand(n) < .75
X = ((X - X[is_train].mean(0)) / X[is_train].std(0)).astype('float32')
y = ((delay - delay[is_train].mean()) / delay[is_train].std()).astype('float32')
X_train, y_train, X_test, y_test = X[is_train], y[is_train], X[~is_train], y[~is_train]

BATCH, EPOCHS = 32, 20
steps_per_epoch = int(np.ceil(len(X_train) / BATCH))


def make_model(activation='relu', depth=2, units=64, dropout=0.5):
    model = keras.Sequential([keras.Input((X.shape[1],))])
    for k in range(depth):
        model.add(keras.layers.Dense(units, activation=activation, name=f'hidden{k}'))
    model.add(keras.layers.Dropout(dropout))
    model.add(keras.layers.Dense(2, name='mean_and_log_sigma'))
    return model


def nll(y, out):
    mu, log_sigma = out[:, 0], out[:, 1]
    z = (y - mu) / tf.exp(log_sigma)
    return tf.reduce_mean(0.5 * z ** 2 + log_sigma)


model = make_model()
schedule = keras.optimizers.schedules.ExponentialDecay(0.005, decay_steps=10 * steps_per_epoch, decay_rate=0.5)
optimizer = keras.optimizers.Adam(schedule, clipnorm=5.0)
ds = tf.data.Dataset.from_tensor_slices((X_train, y_train)).shuffle(len(X_train)).batch(BATCH)


@tf.function
def step(x, t):
    with tf.GradientTape() as tape:
        loss = nll(t, model(x, training=True))
    grads = tape.gradient(loss, model.trainable_variables)
    optimizer.apply(grads, model.trainable_variables)
    return loss


for epoch in range(EPOCHS):
    losses = [float(step(x, t)) for x, t in ds]
    if epoch % 5 == 4:
        print('epoch', epoch + 1, 'train nll', np.mean(losses), 'test nll', float(nll(y_test, model(X_test, training=False))))

mu = model(X_test, training=False).numpy()[:, 0]
r2 = 1 - np.mean((mu - y_test) ** 2) / y_test.var()
print('R2 of the mean', r2)
""",
    score="r2",
    bar=0.72,
    base=0.0,
    seeds=3,
    faults=(
        Fault(cause="loss_broadcast", old="    mu, log_sigma = out[:, 0], out[:, 1]\n", new="    mu, log_sigma = out[:, :1], out[:, 1:]\n"),
        Fault(cause="gradient_sign_flipped", old="    return tf.reduce_mean(0.5 * z ** 2 + log_sigma)", new="    return tf.reduce_mean(-0.5 * z ** 2 - log_sigma)   # log likelihood"),
        Fault(cause="vanishing_gradient", old="make_model(activation='relu', depth=2,", new="make_model(activation='sigmoid', depth=10,", accept=("saturated_units", "init_scale")),
        Fault(cause="learning_rate_too_high", old="ExponentialDecay(0.005,", new="ExponentialDecay(2.0,"),
        Fault(cause="lr_schedule_wrong", old="decay_steps=10 * steps_per_epoch", new="decay_steps=10"),
    ),
    pairs=(("loss_broadcast", "lr_schedule_wrong"),),
)  # fmt: skip

PROGRAMS = (TAGGER, PUMPS, TRANSFER, SPECTRA, DELAYS)
