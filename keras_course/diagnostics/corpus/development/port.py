"""Code carried over: a PyTorch image classifier, and a TF1 graph with its variables made by hand."""

from keras_course.diagnostics.corpus import Fault, Program

POLLEN = Program(
    name="port_pollen_from_torch",
    source="""
'''
Port of our pollen classifier (pytorch 1.13 -> keras 3, tensorflow backend).
Kept as close to the old train.py as possible: Dataset / DataLoader / train_one_epoch / evaluate.
'''
import argparse
import numpy as np
import tensorflow as tf
import keras

args = argparse.Namespace(seed=SEED, batch_size=32, epochs=10, lr=2e-3, wd=1e-4, per_class=260)
keras.utils.set_random_seed(args.seed)
rng = np.random.default_rng(args.seed)
CLASSES = ['alder', 'birch', 'hazel', 'pine', 'rye']


# --- "ImageFolder": one folder after the other -------------------------------
def grain(kind):
    y, x = np.mgrid[:20, :20] - 9.5 - rng.uniform(-2, 2, (2, 1, 1))
    r, phi = np.hypot(x, y), np.arctan2(y, x) + rng.uniform(0, 6.28)
    size = rng.uniform(5, 7)
    if kind == 0:      # corners
        body = r < size * (1 + .3 * np.cos(5 * phi))
    elif kind == 1:    # three pores
        body = (r < size) & ~((r > size - 2.5) & (np.cos(3 * phi) > .75))
    elif kind == 2:    # smooth
        body = r < size
    elif kind == 3:    # two air sacs
        body = np.hypot(x * np.cos(phi[0, 0]) + y * np.sin(phi[0, 0]), 2 * (y * np.cos(phi[0, 0]) - x * np.sin(phi[0, 0]))) < size + 1
    else:              # one pore in the middle
        body = (r < size) & (r > 1.8)
    img = 60 + rng.uniform(50, 120) * body + rng.normal(0, 10, (20, 20))
    return np.clip(img, 0, 255).astype(np.uint8)


images = np.stack([grain(k) for k in range(len(CLASSES)) for _ in range(args.per_class)])[..., None]
targets = np.repeat(np.arange(len(CLASSES)), args.per_class)

# random_split(dataset, [0.8, 0.2])
indices = rng.permutation(len(images))
cut = int(0.8 * len(images))
train_idx, val_idx = np.sort(indices[:cut]), np.sort(indices[cut:])

# transforms.ToTensor() and transforms.Normalize(MEAN, STD)
MEAN, STD = images[train_idx].mean() / 255, images[train_idx].std() / 255


def to_tensor(img, target):
    return (tf.cast(img, tf.float32) / 255.0 - MEAN) / STD, target


def augment(img, target):
    img = tf.image.random_flip_left_right(tf.image.random_flip_up_down(img))
    return tf.image.rot90(img, tf.random.uniform((), 0, 4, tf.int32)), target


train_set = tf.data.Dataset.from_tensor_slices((images[train_idx], targets[train_idx])).map(to_tensor).cache()
train_loader = train_set.shuffle(len(train_idx)).map(augment).batch(args.batch_size).prefetch(1)
val_set = tf.data.Dataset.from_tensor_slices((images[val_idx], targets[val_idx])).map(to_tensor)
val_loader = val_set.batch(128)

BN = dict(momentum=1 - 0.1, epsilon=1e-5)    # torch counts momentum the other way round


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.conv1 = keras.layers.Conv2D(16, 3, padding='same', use_bias=False, name='conv1')
        self.bn1 = keras.layers.BatchNormalization(**BN, name='bn1')
        self.conv2 = keras.layers.Conv2D(32, 3, padding='same', use_bias=False, name='conv2')
        self.bn2 = keras.layers.BatchNormalization(**BN, name='bn2')
        self.pool = keras.layers.MaxPooling2D(2)
        self.flatten = keras.layers.Flatten()
        self.drop = keras.layers.Dropout(0.5, name='drop')
        self.fc1 = keras.layers.Dense(96, activation='relu', name='fc1')
        self.fc2 = keras.layers.Dense(len(CLASSES), name='fc2')

    def call(self, x, training=False):
        x = self.pool(tf.nn.relu(self.bn1(self.conv1(x), training=training)))
        x = self.pool(tf.nn.relu(self.bn2(self.conv2(x), training=training)))
        x = self.fc1(self.flatten(x))
        x = self.drop(x, training=training)
        return self.fc2(x)


model = Net()
criterion = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
optimizer = keras.optimizers.AdamW(args.lr, weight_decay=args.wd)


@tf.function
def train_step(x, y):
    with tf.GradientTape() as tape:
        loss = criterion(y, model(x, training=True))
    grads = tape.gradient(loss, model.trainable_variables)
    optimizer.apply(grads, model.trainable_variables)
    return loss


def evaluate(loader):
    right, loss = 0, 0.0
    for x, y in loader:
        out = model(x, training=False)
        loss += float(criterion(y, out)) * len(y)
        right += int(np.sum(out.numpy().argmax(1) == y.numpy()))
    return loss / len(val_idx), right / len(val_idx)


for epoch in range(args.epochs):
    losses = [float(train_step(x, y)) for x, y in train_loader]
    val_loss, val_acc = evaluate(val_loader)
    print(f'Epoch {epoch + 1}/{args.epochs}  train {np.mean(losses):.4f}  val {val_loss:.4f}  acc {val_acc:.4f}')
""",
    score="val_acc",
    bar=0.8,
    base=0.2,
    faults=(
        Fault(cause="batchnorm_mode", old="BN = dict(momentum=1 - 0.1, epsilon=1e-5) ",
              new="BN = dict(momentum=1 - 1e-5, epsilon=0.1) ", layer=("bn1", "bn2"),
              beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="train_val_preprocessing_mismatch", old="(images[val_idx], targets[val_idx])).map(to_tensor)",
              new="(images[val_idx], targets[val_idx])).map(lambda i, t: (tf.cast(i, tf.float32) / 255.0, t))"),
        Fault(cause="validation_split_sorted", old="indices = rng.permutation(len(images))",
              new="indices = np.arange(len(images))", beside=("missing_class", "data_sorted")),
        Fault(cause="data_sorted", old="train_set.shuffle(len(train_idx)).map(augment)", new="train_set.map(augment)",
              beside=("batchnorm_mode",)),
        Fault(cause="shuffle_buffer_too_small", old="train_set.shuffle(len(train_idx))",
              new="train_set.shuffle(args.batch_size)", accept=("data_sorted",), beside=("batchnorm_mode",)),
        Fault(cause="pipeline_order", old="train_set.shuffle(len(train_idx)).map(augment).batch(args.batch_size)",
              new="train_set.map(augment).batch(args.batch_size).shuffle(len(train_idx))", accept=("data_sorted",),
              beside=("batchnorm_mode",)),
        Fault(cause="learning_rate_too_high", old="args = argparse.Namespace(seed=SEED, batch_size=32, epochs=10, lr=2e-3,",
              new="args = argparse.Namespace(seed=SEED, batch_size=32, epochs=10, lr=2.0,",
              beside=("oscillation",)),
        Fault(cause="too_few_steps", old="batch_size=32, epochs=10, ", new="batch_size=32, epochs=1, "),
        Fault(cause="dropout_mode", old="        x = self.drop(x, training=training)\n",
              new="        x = self.drop(x, training=True)\n", layer=("drop",), certain=True),
    ),
    pairs=(("data_sorted", "train_val_preprocessing_mismatch"),),
    seeds=3,
)  # fmt: skip

FATIGUE = Program(
    name="port_fatigue_rnn_from_tf1",
    source="""
# Fatigue damage of a bracket from its load history.
# Was: tf.placeholder / tf.get_variable / static_rnn / session.run (TF 1.4, 2018). Now runs eagerly + tf.function,
# the variables and the momentum update are still ours.
import sys
import numpy as np
import tensorflow as tf

tf.random.set_seed(SEED)
np.random.seed(SEED)

N_STEPS_IN = 24        # length of a history
N_HIDDEN = 24
N_READOUT = 16
BATCH = 64
TRAIN_STEPS = 1500
LEARNING_RATE = 0.02
MOMENTUM = 0.9


def histories(n):
    load = np.abs(np.random.randn(n, N_STEPS_IN)) * np.random.uniform(.6, 1.6, (n, 1))
    warm = np.random.uniform(-1, 1, (n, N_STEPS_IN))
    damage = np.sum(np.maximum(load - .8, 0) * (1 + .6 * warm), axis=1)
    damage *= np.random.lognormal(0, .05, n)
    return np.stack([load - .9, warm], axis=-1).astype('float32'), damage.astype('float32')


x_train, d_train = histories(4000)
x_test, d_test = histories(800)
d_mean, d_std = d_train.mean(), d_train.std()
y_train = ((d_train - d_mean) / d_std)[:, None]
y_test = ((d_test - d_mean) / d_std)[:, None]


def weight(name, shape, stddev):
    return tf.Variable(tf.random.normal(shape, stddev=stddev), name=name)


def bias(name, n):
    return tf.Variable(tf.zeros([n]), name=name)


W_x = weight('W_x', (2, N_HIDDEN), 0.2)
W_h = tf.Variable(tf.eye(N_HIDDEN) * 0.97, name='W_h')
b_h = bias('b_h', N_HIDDEN)
W_r = weight('W_r', (N_HIDDEN, N_READOUT), 0.1)
b_r = bias('b_r', N_READOUT)
W_o = weight('W_o', (N_READOUT, 1), 0.2)
b_o = bias('b_o', 1)
params = [W_x, W_h, b_h, W_r, b_r, W_o, b_o]
slots = [tf.Variable(tf.zeros_like(p)) for p in params]

cell = tf.nn.relu


def inference(x):
    h = tf.zeros((tf.shape(x)[0], N_HIDDEN))
    for t in range(N_STEPS_IN):
        h = cell(tf.matmul(x[:, t], W_x) + tf.matmul(h, W_h) + b_h)
    readout = tf.tanh(tf.matmul(h, W_r) + b_r)
    return tf.matmul(readout, W_o) + b_o


def loss_op(prediction, y):
    return tf.reduce_mean(tf.square(prediction - y))


@tf.function
def train_op(x, y, lr):
    with tf.GradientTape() as tape:
        loss = loss_op(inference(x), y)
    grads = tape.gradient(loss, params)
    grads, norm = tf.clip_by_global_norm(grads, 1.0)
    for p, s, g in zip(params, slots, grads):
        s.assign(MOMENTUM * s + g)
        p.assign_sub(lr * s)
    return loss, norm


running = None
for step in range(1, TRAIN_STEPS + 1):
    rows = np.random.randint(0, len(x_train), BATCH)
    lr = LEARNING_RATE * (1.0 if step < 0.6 * TRAIN_STEPS else 0.1)
    loss, norm = train_op(tf.constant(x_train[rows]), tf.constant(y_train[rows]), tf.constant(lr, tf.float32))
    running = float(loss) if running is None else 0.98 * running + 0.02 * float(loss)
    if step % 150 == 0:
        sys.stdout.write('step %5d   loss %.4f   |g| %.3f\\n' % (step, running, float(norm)))

test_mse = float(loss_op(inference(x_test), y_test))
r2 = 1 - test_mse / float(np.var(y_test))
print('test mse %.4f   r2 %.3f' % (test_mse, r2))
""",
    score="max(r2, -1.0) if np.isfinite(r2) else -1.0",
    bar=0.85,
    base=0.0,
    faults=(
        Fault(cause="symmetric_or_zero_init", old="tf.Variable(tf.random.normal(shape, stddev=stddev), name=name)",
              new="tf.Variable(tf.zeros(shape), name=name)"),
        Fault(cause="gradient_sign_flipped", old="p.assign_sub(lr * s)", new="p.assign_add(lr * s)"),
        Fault(cause="exploding_gradient", old="    grads, norm = tf.clip_by_global_norm(grads, 1.0)\n",
              new="    norm = tf.linalg.global_norm(grads)\n", accept=("learning_rate_too_high",), beside=("init_scale",)),
        Fault(cause="loss_broadcast", old="y_train = ((d_train - d_mean) / d_std)[:, None]",
              new="y_train = (d_train - d_mean) / d_std"),
        Fault(cause="init_scale", old="W_h = tf.Variable(tf.eye(N_HIDDEN) * 0.97, name='W_h')",
              new="W_h = weight('W_h', (N_HIDDEN, N_HIDDEN), 1.0)", accept=("exploding_gradient",)),
        Fault(cause="saturated_units", old="W_r = weight('W_r', (N_HIDDEN, N_READOUT), 0.1)",
              new="W_r = weight('W_r', (N_HIDDEN, N_READOUT), 10)", accept=("init_scale",)),
        Fault(cause="oscillation", old="MOMENTUM = 0.9\n", new="MOMENTUM = 0.999\n", accept=("learning_rate_too_high",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (POLLEN, FATIGUE)
