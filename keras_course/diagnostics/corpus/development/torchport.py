"""Scripts ported line by line from PyTorch: waves marked in an ECG, and missing readings of sensors filled in."""

from keras_course.diagnostics.corpus import Fault, Program

ECG = Program(
    name="torchport_ecg_segments",
    source="""
# Port of train_ecg.py (torch 1.13) to TensorFlow. Same names, same order, only the layers come from Keras.
# Marks P, QRS, T and muscle artefact in one-second strips. Marks may overlap, hence one sigmoid for each.
import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(SEED)  # manual_seed

NAMES, LENGTH = ['P', 'QRS', 'T', 'artefact'], 96


def make_strip():
    t = np.arange(LENGTH)
    lead = np.zeros(LENGTH)
    masks = np.zeros((LENGTH, 4), 'uint8')  # as the marking tool stores them, black and white
    period = np.random.randint(58, 84)
    at = np.random.randint(-20, period)
    pr, qt, amp = np.random.uniform(12, 17), np.random.uniform(21, 28), np.random.uniform(0.7, 1.5)
    while at < LENGTH + 30:
        for k, (centre, width, height) in enumerate([(at - pr, 3.2, 0.17), (at, 1.7, 1.0), (at + qt, 5.0, 0.28)]):
            lead += amp * height * np.exp(-0.5 * ((t - centre) / width) ** 2)
            masks[np.abs(t - centre) < 2 * width, k] = 255
        lead -= amp * 0.22 * np.exp(-0.5 * ((t - at - 4) / 1.5) ** 2)
        at += period
    lead += 0.15 * np.sin(2 * np.pi * t / np.random.uniform(80, 200) + np.random.uniform(0, 6))
    if np.random.rand() < 0.5:
        a = np.random.randint(0, LENGTH - 24)
        burst = np.arange(a, min(LENGTH, a + np.random.randint(14, 34)))
        lead[burst] += np.random.normal(0, 0.22, len(burst))
        masks[burst, 3] = 255
    return lead + np.random.normal(0, 0.025, LENGTH), masks


class StripDataset:
    def __init__(self, n):
        leads, masks = zip(*[make_strip() for _ in range(n)])
        self.leads, self.masks = np.stack(leads).astype('float32'), np.stack(masks)

    def __getitem__(self, i):
        x = (self.leads[i] - self.leads[i].mean(axis=-1, keepdims=True)) / 0.3
        y = self.masks[i].astype('float32') / 255.0
        return x[..., None], y


class DataLoader:
    def __init__(self, dataset, batch_size, shuffle=False):
        self.dataset, self.batch_size, self.shuffle = dataset, batch_size, shuffle

    def __iter__(self):
        order = (np.random.permutation if self.shuffle else np.arange)(len(self.dataset.leads))
        for i in range(0, len(order), self.batch_size):
            yield self.dataset[order[i:i + self.batch_size]]


class Net:
    def __init__(self, width=20, p=0.25):
        self.stem = keras.layers.Conv1D(width, 7, padding='same', activation='relu', name='stem')
        conv = dict(padding='same', activation='relu')
        self.blocks = [keras.layers.Conv1D(width, 5, dilation_rate=d, name=f'block{d}', **conv) for d in (1, 2, 4, 8)]
        self.drop = keras.layers.Dropout(p)
        self.head = keras.layers.Conv1D(len(NAMES), 1, name='head')
        self.training = True
        self.forward(tf.zeros((1, LENGTH, 1)))  # builds the weights

    def train(self, mode=True):
        self.training = mode

    def eval(self):
        self.train(False)

    def parameters(self):
        return [p for module in (self.stem, *self.blocks, self.head) for p in module.trainable_variables]

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return self.head(self.drop(x, training=self.training))

    __call__ = forward


class SGD:
    def __init__(self, params, lr, momentum):
        self.params, self.lr, self.momentum = params, tf.Variable(lr, dtype=tf.float32), momentum
        self.buffers = [tf.Variable(tf.zeros_like(p)) for p in params]

    def step(self, grads):
        for p, buf, g in zip(self.params, self.buffers, grads):
            buf.assign(self.momentum * buf + g)
            p.assign_sub(self.lr * buf)


class StepLR:
    def __init__(self, optimizer, step_size, gamma):
        self.optimizer, self.step_size, self.gamma = optimizer, step_size, gamma
        self.base, self.count = float(optimizer.lr), 0

    def step(self):
        self.count += 1
        self.optimizer.lr.assign(self.base * self.gamma ** (self.count // self.step_size))


train_loader = DataLoader(StripDataset(640), batch_size=16, shuffle=True)
test_loader = DataLoader(StripDataset(160), batch_size=40, shuffle=True)
model = Net()
optimizer = SGD(model.parameters(), lr=0.05, momentum=0.9)
scheduler = StepLR(optimizer, step_size=4, gamma=0.4)


def criterion(z, y):
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=z))


@tf.function
def backward(x, y):
    with tf.GradientTape() as tape:
        loss = criterion(model(x), y)
    return loss, tape.gradient(loss, optimizer.params)


def train(loader):
    model.train()
    total = 0.0
    for n, (x, y) in enumerate(loader, 1):
        loss, grads = backward(x, y)
        optimizer.step(grads)
        total += float(loss)
    return total / n


def evaluate(loader):
    model.eval()
    losses, guess, truth = [], [], []
    for x, y in loader:
        z = model(x)
        losses.append(float(criterion(z, y)))
        guess.append(z.numpy() > 0)
        truth.append(y > 0.5)
    guess, truth = np.concatenate(guess), np.concatenate(truth)
    dice = 2 * (guess & truth).sum((0, 1)) / np.maximum(guess.sum((0, 1)) + truth.sum((0, 1)), 1)
    return np.mean(losses), dice


for epoch in range(1, 11):
    train_loss = train(train_loader)
    test_loss, dice = evaluate(test_loader)
    scheduler.step()
    print(f'[{epoch:2d}] train {train_loss:.4f}  test {test_loss:.4f}  dice', dict(zip(NAMES, dice.round(3))))
""",
    score="dice.mean()",
    bar=0.74,
    base=0.25,
    odd="the test loader shuffles, and the truth is gathered in its order",
    faults=(
        Fault(cause="lr_schedule_wrong", old="        optimizer.step(grads)\n",
              new="        optimizer.step(grads)\n        scheduler.step()\n",
              beside=("too_few_steps", "learning_rate_too_low")),
        Fault(cause="dropout_mode", old="    model.eval()\n    losses,", new="    losses,", certain=True),
        Fault(cause="loss_metric_inconsistent", old="np.concatenate(guess), np.concatenate(truth)",
              new="np.concatenate(guess), loader.dataset.masks > 127",
              accept=("wrong_metric", "labels_shuffled_apart"), beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="wrong_head_for_labels",
              old="tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=z)",
              new="tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=z)",
              accept=("wrong_loss_for_task",), beside=("loss_metric_inconsistent",), layer=("head",)),
        Fault(cause="optimiser_not_applied", old="            p.assign_sub(self.lr * buf)",
              new="            p = p - self.lr * buf"),
        Fault(cause="probabilities_to_logits_loss", old="return self.head(self.drop(x, training=self.training))",
              new="return tf.sigmoid(self.head(self.drop(x, training=self.training)))",
              beside=("wrong_metric", "output_range_cannot_reach_targets"), layer=("head",)),
        Fault(cause="frozen_or_disconnected", old="for module in (self.stem, *self.blocks, self.head)",
              new="for module in (self.stem, self.head)", layer=("block1", "block2", "block4", "block8")),
    ),
    seeds=3,
)  # fmt: skip

IMPUTER = Program(
    name="torchport_sensor_imputer",
    source="""
# imputer.py, was: imputer_torch.py. Fills in what the sensors of the drying line did not report.
# nn.Module -> plain classes over tf.Variable, torch.optim.Adam -> keras.optimizers.Adam, the rest as it was.
import math

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

SENSORS = 16
HIDDEN = 64
DEPTH = 9
BATCH = 100
EPOCHS = 24
LR = 1.5e-3
WEIGHT_DECAY = 1e-6
JITTER = 0.05
F = tf.nn


def drying_line(n):
    # moisture, load, air and belt drive everything that is measured
    state = rng.normal(size=(n, 4))
    state[:, 1] = 0.6 * state[:, 0] + 0.8 * state[:, 1]
    mix = np.random.default_rng(5).normal(size=(4, SENSORS))
    linear = state @ mix
    readings = np.where(np.arange(SENSORS) % 3 == 0, np.tanh(linear), np.where(
        np.arange(SENSORS) % 3 == 1, 0.5 * linear + 0.4 * linear ** 2 / 2, np.sin(0.9 * linear) + 0.3 * linear))
    unit = 10.0 ** np.random.default_rng(6).integers(-1, 4, SENSORS)
    return (readings + 0.05 * rng.normal(size=readings.shape)) * unit + 3 * unit


class ReadingsDataset:
    def __init__(self, table, mean, std, train):
        self.rows = ((table - mean) / std).astype('float32')
        self.train = train

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        target = self.rows[index]
        keep = (rng.random(target.shape) > 0.25).astype('float32')
        x = target + JITTER * rng.normal(size=target.shape).astype('float32') if self.train else target
        return x * keep, keep, target


def data_loader(dataset, shuffle):
    order = rng.permutation(len(dataset)) if shuffle else np.arange(len(dataset))
    for i in range(0, len(order), BATCH):
        yield dataset[order[i:i + BATCH]]


class Linear:
    def __init__(self, fan_in, fan_out, name):
        std = math.sqrt(2.0 / fan_in)  # kaiming_normal_
        self.weight = tf.Variable(tf.random.normal((fan_in, fan_out), stddev=std), name=name + '.weight')
        self.bias = tf.Variable(tf.zeros(fan_out), name=name + '.bias')

    def __call__(self, x):
        return x @ self.weight + self.bias


class Imputer:
    def __init__(self):
        sizes = [2 * SENSORS] + [HIDDEN] * DEPTH
        self.layers = [Linear(a, b, f'layers.{i}') for i, (a, b) in enumerate(zip(sizes, sizes[1:]))]
        self.out = Linear(HIDDEN, SENSORS, 'out')

    def parameters(self):
        return [p for layer in [*self.layers, self.out] for p in (layer.weight, layer.bias)]

    def __call__(self, x, keep):
        h = tf.concat([x * keep, keep], axis=1)
        for layer in self.layers:
            h = F.relu(layer(h))
        return self.out(h)


def criterion(output, target, hidden):
    each = (output - target) ** 2
    return tf.reduce_sum(each * hidden) / tf.reduce_sum(hidden)


net = Imputer()
params = net.parameters()
optimizer = keras.optimizers.Adam(learning_rate=LR)
optimizer.build(params)


@tf.function
def step(x, keep, target):
    with tf.GradientTape() as tape:
        loss = criterion(net(x, keep), target, 1.0 - keep)
    grads = tape.gradient(loss, params)
    grads = [g + WEIGHT_DECAY * p for g, p in zip(grads, params)]  # weight_decay of torch.optim.Adam
    optimizer.apply(grads, params)
    return loss


def train(dataset):
    total = 0.0
    for i, (x, keep, target) in enumerate(data_loader(dataset, shuffle=True)):
        loss = step(x, keep, target)
        total += float(loss)
    return total / (i + 1)


def test(dataset):
    wrong, spread, n = 0.0, 0.0, 0
    for x, keep, target in data_loader(dataset, shuffle=False):
        hidden = 1.0 - keep
        output = net(x, keep).numpy()
        wrong += np.sum(hidden * (output - target) ** 2)
        spread += np.sum(hidden * target ** 2)  # the readings have mean 0
        n += hidden.sum()
    return wrong / n, 1.0 - wrong / spread


table = drying_line(5000)
held_out = drying_line(1000)
mean, std = table.mean(axis=0), table.std(axis=0)
train_set = ReadingsDataset(table, mean, std, train=True)
test_set = ReadingsDataset(held_out, mean, std, train=False)

best, bad_epochs = float('inf'), 0
for epoch in range(EPOCHS):
    train_mse = train(train_set)
    test_mse, explained = test(test_set)
    print(f'Epoch: {epoch} \\tTrain: {train_mse:.4f} \\tTest: {test_mse:.4f} \\tExplained: {explained:.3f}')
    if train_mse < best - 1e-3:
        best, bad_epochs = train_mse, 0
    else:
        bad_epochs += 1
    if bad_epochs > 2:  # ReduceLROnPlateau(factor=0.5, patience=2)
        optimizer.learning_rate.assign(optimizer.learning_rate * 0.5)
        bad_epochs = 0
""",
    score="explained",
    bar=0.7,
    base=0.0,
    faults=(
        Fault(cause="wrong_loss_for_task", old="each = (output - target) ** 2",
              new="each = F.sigmoid_cross_entropy_with_logits(labels=target, logits=output)",
              beside=("output_range_cannot_reach_targets", "wrong_head_for_labels", "exploding_gradient",
                      "targets_not_scaled")),
        Fault(cause="vanishing_gradient", old="h = F.relu(layer(h))", new="h = F.sigmoid(layer(h))",
              beside=("init_scale",)),
        Fault(cause="too_few_steps", old="        total += float(loss)\n",
              new="        total += float(loss)\n        if i >= 1:\n            break\n",
              beside=("learning_rate_too_low",)),
        Fault(cause="init_scale", old="std = math.sqrt(2.0 / fan_in)", new="std = 2.0 / fan_in",
              accept=("vanishing_gradient",)),
        Fault(cause="input_ignored", old="tf.concat([x * keep, keep], axis=1)",
              new="tf.concat([x * (1.0 - keep), keep], axis=1)", accept=("frozen_or_disconnected",)),
        Fault(cause="regularisation_overwhelms", old="WEIGHT_DECAY = 1e-6", new="WEIGHT_DECAY = 0.3"),
        Fault(cause="inputs_drowned_in_noise", old="JITTER = 0.05", new="JITTER = 6.0",
              beside=("train_val_preprocessing_mismatch",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [ECG, IMPUTER]
