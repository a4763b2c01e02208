"""Scripts over a small in-house library: a trainer with hooks and registries, and a step that the config chooses."""

from keras_course.diagnostics.corpus import Fault, Program

WEAVES = Program(
    name="trainerlib_weaves",
    source='''
"""weaves: which weave is it? Microscope tiles of cloth (20 x 20 grey), five weaves.

Uses our minitrain library (pasted below until it is on the package server).
"""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

# ======================================================================================================================
# minitrain 0.4
# ======================================================================================================================
REGISTRY = {'loss': {}, 'optimizer': {}, 'step': {}}


def register(kind, name):
    def add(thing):
        REGISTRY[kind][name] = thing
        return thing
    return add


@register('loss', 'ce_logits')
def _ce_logits(smooth=0.0):
    def loss(y, out):
        soft = (1 - smooth) * y + smooth / y.shape[-1]
        return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=soft, logits=out))
    return loss


register('loss', 'mse')(keras.losses.MeanSquaredError)
register('optimizer', 'sgd')(keras.optimizers.SGD)
register('optimizer', 'adam')(keras.optimizers.Adam)


@register('step', 'plain')
def plain_step(trainer, x, y):
    with tf.GradientTape() as tape:
        out = trainer.model(x, training=True)
        loss = trainer.loss(y, out)
    grads = tape.gradient(loss, trainer.model.trainable_variables)
    trainer.optimizer.apply_gradients(zip(grads, trainer.model.trainable_variables))
    return loss, out


@register('step', 'clipped')
def clipped_step(trainer, x, y):
    with tf.GradientTape() as tape:
        out = trainer.model(x, training=True)
        loss = trainer.loss(y, out)
    params = trainer.model.trainable_variables
    grads, _ = tf.clip_by_global_norm(tape.gradient(loss, params), trainer.config.get('clip', 1.0))
    trainer.optimizer.apply_gradients(zip(grads, params))
    return loss, out


class Hook:
    def before_epoch(self, trainer, epoch): ...
    def after_step(self, trainer, step): ...
    def after_epoch(self, trainer, epoch, logs): ...


class WarmupThenCosine(Hook):
    """Sets the rate after every step: up over `warmup` steps, then a cosine down to a hundredth."""
    def __init__(self, peak, warmup):
        self.peak, self.warmup = peak, warmup

    def after_step(self, trainer, step):
        rest = max(trainer.total_steps - self.warmup, 1)
        cosine = 0.5 * (1 + np.cos(np.pi * min(max(step - self.warmup, 0) / rest, 1.0)))
        trainer.optimizer.learning_rate.assign(self.peak * min(step / self.warmup, 0.01 + 0.99 * cosine))


class Printer(Hook):
    def after_epoch(self, trainer, epoch, logs):
        print(f'[{epoch + 1}/{trainer.config["epochs"]}]', ' '.join(f'{k}={v:.4f}' for k, v in logs.items()))


class Trainer:
    def __init__(self, model, config, hooks=()):
        self.model, self.config, self.hooks = model, config, [*hooks, Printer()]
        self.loss = REGISTRY['loss'][config['loss']](**config.get('loss_args', {}))
        self.optimizer = REGISTRY['optimizer'][config['optimizer']](**config.get('optimizer_args', {}))
        self.step = tf.function(lambda x, y: REGISTRY['step'][config['step']](self, x, y))

    def fire(self, event, *args):
        for hook in self.hooks:
            getattr(hook, event)(self, *args)

    def train(self, x, y, x_val, y_val):
        size, count = self.config['batch'], len(x)
        self.total_steps, done = self.config['epochs'] * (count // size), 0
        for epoch in range(self.config['epochs']):
            self.fire('before_epoch', epoch)
            rows = np.random.permutation(count)
            losses, hits = [], []
            for at in range(0, count - size + 1, size):
                batch = rows[at:at + size]
                loss, out = self.step(tf.constant(x[batch]), tf.constant(y[batch]))
                losses.append(float(loss))
                hits.append(np.mean(out.numpy().argmax(-1) == y[batch].argmax(-1)))
                done += 1
                self.fire('after_step', done)
            logs = {'loss': np.mean(losses), 'acc': np.mean(hits), 'val_acc': self.evaluate(x_val, y_val)}
            self.fire('after_epoch', epoch, logs)

    def evaluate(self, x, y, size=200):
        scores = [self.model(x[at:at + size], training=False).numpy() for at in range(0, len(x), size)]
        return float(np.mean(np.concatenate(scores).argmax(-1) == y.argmax(-1)))


# ======================================================================================================================
# the job
# ======================================================================================================================
keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED + 304)
WEAVES = ['plain', 'twill_left', 'twill_right', 'basket', 'satin']
SIDE, PER_WEAVE = 20, 460


def tile(weave):
    r, c = np.mgrid[:SIDE, :SIDE]
    yarn = rng.uniform(1.6, 2.6)
    warp = np.floor((c + rng.uniform(0, 9)) / yarn).astype(int)
    weft = np.floor((r + rng.uniform(0, 9)) / yarn).astype(int)
    up = {
        'plain': (warp + weft) % 2,
        'twill_left': (warp + weft) % 4 < 2,
        'twill_right': (warp - weft) % 4 < 2,
        'basket': (warp // 2 + weft // 2) % 2,
        'satin': (warp * 2 + weft) % 5 == 0,
    }[weave]
    light, dark = rng.uniform(120, 220), rng.uniform(30, 90)
    picture = np.where(up, light, dark) * rng.uniform(0.8, 1.2) + rng.normal(0, 85, (SIDE, SIDE))
    return np.clip(picture, 0, 255).astype('uint8')


pictures = np.stack([tile(weave) for weave in WEAVES for _ in range(PER_WEAVE)])[..., None]
names = np.repeat(WEAVES, PER_WEAVE)
labels = np.eye(len(WEAVES), dtype='float32')[[WEAVES.index(name) for name in names]]
inputs = pictures.astype('float32')

order = rng.permutation(len(inputs))
train, val, test = np.split(order, [1500, 1750])
train = train[labels[train].argmax(-1).argsort(kind='stable')]     # contact sheets are printed weave by weave


def build():
    return keras.Sequential([
        keras.Input((SIDE, SIDE, 1)),
        layers.Rescaling(1 / 64, offset=-2, name='grey'),
        layers.Conv2D(16, 5, padding='same', activation='relu', name='yarns'),
        layers.MaxPooling2D(name='pool1'),
        layers.Conv2D(32, 3, padding='same', activation='relu', name='crossings'),
        layers.MaxPooling2D(name='pool2'),
        layers.Flatten(name='flat'),
        layers.Dropout(0.3, name='drop'),
        layers.Dense(48, activation='relu', name='repeat'),
        layers.Dense(len(WEAVES), kernel_initializer='zeros', name='weave'),
    ], name='weaves')


CONFIG = {
    'loss': 'ce_logits',
    'loss_args': {'smooth': 0.05},
    'optimizer': 'sgd',
    'optimizer_args': {'learning_rate': 0.0, 'momentum': 0.9},
    'step': 'clipped',
    'clip': 2.0,
    'batch': 50,
    'epochs': 9,
}
trainer = Trainer(build(), CONFIG, hooks=[WarmupThenCosine(peak=0.05, warmup=30)])
trainer.train(inputs[train], labels[train], inputs[val], labels[val])
accuracy = trainer.evaluate(inputs[test], labels[test])
print(f'test accuracy {accuracy:.3f}')
''',
    score="accuracy",
    bar=0.85,
    base=0.2,
    odd="the rate starts at 0 and is set by a hook, and the last layer starts at zero",
    faults=(
        Fault(cause="probabilities_to_logits_loss",
              old="layers.Dense(len(WEAVES), kernel_initializer='zeros', name='weave')",
              new="layers.Dense(len(WEAVES), kernel_initializer='zeros', activation='softmax', name='weave')",
              layer=("weave",), certain=True),
        Fault(cause="inputs_scaled_twice", old="inputs = pictures.astype('float32')\n",
              new="inputs = keras.utils.normalize(pictures.astype('float32').reshape(len(pictures), -1))"
                  ".reshape(pictures.shape)\n",
              layer=("grey",), accept=("inputs_not_scaled",)),
        Fault(cause="optimiser_not_applied", old="""\
    params = trainer.model.trainable_variables
    grads, _ = tf.clip_by_global_norm(tape.gradient(loss, params), trainer.config.get('clip', 1.0))
    trainer.optimizer.apply_gradients(zip(grads, params))
""", new="""\
    params = trainer.model.trainable_variables
    grads, _ = tf.clip_by_global_norm(tape.gradient(loss, params), trainer.config.get('clip', 1.0))
    trainer.grads = list(zip(grads, params))
"""),
        Fault(cause="data_sorted", old="rows = np.random.permutation(count)", new="rows = np.arange(count)"),
        Fault(cause="dropout_mode", old="scores = [self.model(x[at:at + size], training=False)",
              new="scores = [self.model(x[at:at + size], training=True)", certain=True, layer=("drop",)),
        Fault(cause="loss_metric_inconsistent", old="""\
        return float(np.mean(np.concatenate(scores).argmax(-1) == y.argmax(-1)))
""", new="""\
        return float(np.mean(np.concatenate(scores).argmax(0) == y.argmax(0)))
""", accept=("wrong_metric",), certain=True),
        Fault(cause="lr_schedule_wrong", old="""\
        rest = max(trainer.total_steps - self.warmup, 1)
""", new="""\
        rest = max(trainer.config['epochs'] - self.warmup, 1)
""", accept=("learning_rate_too_low",), beside=("too_few_steps",)),
    ),
    seeds=3,
)  # fmt: skip

VARNISH = Program(
    name="trainerlib_varnish_viscosity",
    source='''
# varnish: viscosity of a batch (log10 mPas) from its recipe and the weather in the hall
#
# No Keras here: the plant's controller runs a C++ port of exactly these lines, so the net is a handful of variables.
import numpy as np
import tensorflow as tf

tf.random.set_seed(SEED)
rng = np.random.default_rng(SEED + 1999)

# ---------------------------------------------------------------------------------------------------- tinylib -------
ACTIVATIONS, LOSSES, UPDATES = {}, {}, {}


def into(registry):
    def put(function):
        registry[function.__name__] = function
        return function
    return put


@into(ACTIVATIONS)
def linear(h):
    return h


@into(ACTIVATIONS)
def gelu(h):
    return tf.nn.gelu(h)


@into(ACTIVATIONS)
def tanh(h):
    return tf.tanh(h)


@into(LOSSES)
def squared(y, out):
    return tf.reduce_mean(tf.square(y - out))


@into(LOSSES)
def cross_entropy(y, out):
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=out))


@into(LOSSES)
def gaussian(y, out):
    """Negative log likelihood of a normal distribution of unit spread."""
    return tf.reduce_mean(0.5 * tf.square(y - out)) + 0.5 * np.log(2 * np.pi).astype('float32')


@into(UPDATES)
def heavy_ball(variable, gradient, slot, rate, decay=0.9):
    slot.assign(decay * slot + gradient)
    variable.assign_sub(rate * slot)


@into(UPDATES)
def root_mean_square(variable, gradient, slot, rate, decay=0.95):
    slot.assign(decay * slot + (1 - decay) * tf.square(gradient))
    variable.assign_sub(rate * gradient / (tf.sqrt(slot) + 1e-4))


class Net:
    def __init__(self, sizes, activation):
        self.activation = ACTIVATIONS[activation]
        self.weights, self.biases = [], []
        for fan_in, fan_out in zip(sizes, sizes[1:]):
            start = tf.random.normal((fan_in, fan_out), stddev=np.sqrt(1.0 / fan_in))
            self.weights.append(tf.Variable(start, name=f'w{len(self.weights)}'))
            self.biases.append(tf.Variable(tf.zeros((fan_out,)), name=f'b{len(self.biases)}'))

    @property
    def variables(self):
        return self.weights + self.biases

    def __call__(self, x):
        h = x
        for w, b in zip(self.weights[:-1], self.biases[:-1]):
            h = self.activation(h @ w + b)
        return tf.squeeze(h @ self.weights[-1] + self.biases[-1], axis=-1)


class Trainer:
    def __init__(self, net, loss, update, rate, batch, epochs, hooks=()):
        self.net, self.loss, self.update = net, LOSSES[loss], UPDATES[update]
        self.rate, self.batch, self.epochs, self.hooks = rate, batch, epochs, hooks
        self.slots = [tf.Variable(tf.zeros_like(v)) for v in net.variables]

    @tf.function
    def step(self, x, y):
        with tf.GradientTape() as tape:
            loss = self.loss(y, self.net(x))
        for variable, gradient, slot in zip(self.net.variables, tape.gradient(loss, self.net.variables), self.slots):
            self.update(variable, gradient, slot, self.rate)
        return loss

    def run(self, x, y):
        for epoch in range(self.epochs):
            order = rng.permutation(len(x))
            losses = [self.step(x[rows], y[rows]).numpy() for rows in np.array_split(order, len(x) // self.batch)]
            for hook in self.hooks:
                hook(self, epoch, float(np.mean(losses)))


# -------------------------------------------------------------------------------------------------- the recipes -----
COUNT = 3600
resin = rng.uniform(20, 55, COUNT)                # % by weight
thinner = rng.uniform(5, 40, COUNT)
pigment = rng.uniform(0, 18, COUNT)
celsius = rng.normal(21, 5, COUNT)
humidity = rng.uniform(25, 85, COUNT)
stirring = rng.uniform(200, 1800, COUNT)          # 1/min
grams = rng.normal(52000, 6000, COUNT)            # size of the batch

solids = resin / (resin + thinner)
crowding = 0.9 * np.maximum(pigment * stirring / 1000 - 9, 0) / 6          # pigment flocculates when stirred hard
swelling = 2.0 * np.sin((humidity - 25) / 60 * np.pi * 2.0) * np.abs(pigment / 9 - 1)
viscosity = 1.0 + 2.2 * (solids - 0.5) ** 2 * np.sign(solids - 0.5) * 3 + crowding + swelling
viscosity += 0.03 * (21 - celsius) * (1 + solids) + rng.normal(0, 0.06, COUNT)

table = np.column_stack([resin, thinner, pigment, celsius, humidity, stirring, grams])
cut = int(0.8 * COUNT)
centre, width = table[:cut].mean(axis=0), table[:cut].std(axis=0)
x = ((table - centre) / width).astype('float32')
y = ((viscosity - viscosity[:cut].mean()) / viscosity[:cut].std()).astype('float32')
x_train, x_test, y_train, y_test = x[:cut], x[cut:], y[:cut], y[cut:]


def r_squared(net):
    out = net(x_test).numpy()
    return 1 - float(np.mean((out - y_test) ** 2) / np.var(y_test))


def report(trainer, epoch, loss):
    if epoch % 5 == 4:
        print(f'epoch {epoch + 1:3d}  loss {loss:.4f}  held-out R2 {r_squared(trainer.net):.3f}')


net = Net([x.shape[1], 48, 48, 1], activation='gelu')
trainer = Trainer(net, loss='gaussian', update='heavy_ball', rate=0.03, batch=48, epochs=30, hooks=[report])
trainer.run(x_train, y_train)
r2 = r_squared(net)
print(f'R2 {r2:.3f}')
''',
    score="r2",
    bar=0.8,
    base=0.0,
    odd="the loss has a floor of 0.92, which is the constant of the likelihood",
    faults=(
        Fault(cause="symmetric_or_zero_init",
              old="start = tf.random.normal((fan_in, fan_out), stddev=np.sqrt(1.0 / fan_in))",
              new="start = tf.ones((fan_in, fan_out)) / fan_in"),
        Fault(cause="loss_broadcast", old="return tf.squeeze(h @ self.weights[-1] + self.biases[-1], axis=-1)",
              new="return h @ self.weights[-1] + self.biases[-1]"),
        Fault(cause="wrong_loss_for_task", old="loss='gaussian'", new="loss='cross_entropy'"),
        Fault(cause="inputs_not_scaled", old="x = ((table - centre) / width).astype('float32')",
              new="x = (table - centre / width).astype('float32')",
              beside=("exploding_gradient", "nan_or_inf_in_data", "learning_rate_too_high")),
        Fault(cause="missing_nonlinearity", old="self.activation = ACTIVATIONS[activation]",
              new="self.activation = ACTIVATIONS.get(activation.upper(), linear)"),
        Fault(cause="oscillation", old="update='heavy_ball', rate=0.03", new="update='root_mean_square', rate=0.11",
              accept=("learning_rate_too_high",)),
        Fault(cause="gradient_sign_flipped", old="    slot.assign(decay * slot + gradient)\n",
              new="    slot.assign(decay * slot - gradient)\n",
              beside=("exploding_gradient", "nan_or_inf_in_data")),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [WEAVES, VARNISH]
