"""Scripts of a plant's maintenance department: a gearbox that is listened to, and compressors that wear out."""

from keras_course.diagnostics.corpus import Fault, Program

GEARBOX = Program(
    name="maintenance_gearbox_states",
    source="""
import time

import keras
import numpy as np
import tensorflow as tf

# states of gearbox G-114, accelerometer on the housing, 128 samples per record (5 kHz)
STATES = {0: 'ok', 1: 'tooth wear', 2: 'bearing', 3: 'imbalance'}
N_SAMPLES = 128

keras.utils.set_random_seed(SEED)
rnd = np.random.default_rng(SEED + 40)


def record(state):
    t = np.arange(N_SAMPLES)
    f = rnd.uniform(0.05, 0.07)
    s = np.sin(2 * np.pi * (f * t + rnd.random())) + 0.7 * rnd.standard_normal(N_SAMPLES)
    if state == 1:
        s += 1.0 * np.sin(2 * np.pi * (4 * f * t + rnd.random()))
    elif state == 2:
        for hit in np.arange(rnd.integers(0, 21), N_SAMPLES, 21):
            s[hit:hit + 7] += 3.0 * np.exp(-np.arange(7) / 3.0)[:N_SAMPLES - hit] * np.cos(2.4 * np.arange(7))[:N_SAMPLES - hit]
    elif state == 3:
        s += 1.1 * np.sin(2 * np.pi * (f / 2 * t + rnd.random()))
    return 9.81 + rnd.uniform(2.0, 5.0) * s     # m/s2, gravity is still in there


def campaign(records_per_state):
    states = np.repeat(list(STATES), records_per_state)
    return np.stack([record(k) for k in states]), states


raw_train, y_train = campaign(300)
raw_test, y_test = campaign(100)
offset, spread = raw_train.mean(), raw_train.std()
x_train = ((raw_train - offset) / spread)[..., None].astype('float32')
x_test = ((raw_test - offset) / spread)[..., None].astype('float32')

batches = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(1200).batch(40).repeat()
STEPS = 30


def build():
    signal = keras.Input((N_SAMPLES, 1))
    z = signal
    for i, (filters, width) in enumerate([(12, 9), (16, 5), (24, 5)]):
        z = keras.layers.Conv1D(filters, width, padding='same', use_bias=False, name=f'conv{i}')(z)
        z = keras.layers.BatchNormalization(momentum=0.9, name=f'norm{i}')(z)
        z = keras.layers.ReLU()(z)
        z = keras.layers.MaxPooling1D(2)(z)
    z = keras.layers.GlobalAveragePooling1D()(z)
    return keras.Model(signal, keras.layers.Dense(len(STATES), name='states')(z))


net = build()
loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
opt = keras.optimizers.Adam(3e-3)


@tf.function
def step(x, y):
    with tf.GradientTape() as tape:
        out = net(x, training=True)
        loss = loss_fn(y, out)
    grads = tape.gradient(loss, net.trainable_variables)
    opt.apply_gradients(zip(grads, net.trainable_variables))
    return loss


started = time.time()
stream = iter(batches)
for epoch in range(12):
    losses = [float(step(*next(stream))) for _ in range(STEPS)]
    decided = net(x_test, training=False).numpy().argmax(axis=1)
    found = np.mean(decided == y_test)
    print('epoch %2d  loss %.4f  test %.3f' % (epoch, np.mean(losses), found))

print('%.1f s' % (time.time() - started))
for number, name in STATES.items():
    print(name, np.mean(decided[y_test == number] == number))
""",
    score="found",
    bar=0.93,
    base=0.25,
    faults=(
        Fault(cause="batchnorm_mode", old="momentum=0.9,", new="momentum=0.9995,",
              layer=("norm0", "norm1", "norm2")),
        Fault(cause="optimiser_not_applied",
              old="    opt.apply_gradients(zip(grads, net.trainable_variables))\n    return loss\n",
              new="    opt.build(net.trainable_variables)\n    return loss\n"),
        Fault(cause="missing_nonlinearity",
              old="        z = keras.layers.ReLU()(z)\n        z = keras.layers.MaxPooling1D(2)(z)\n",
              new="        z = keras.layers.AveragePooling1D(2)(z)\n"),
        Fault(cause="pipeline_order", old=".shuffle(1200).batch(40)", new=".batch(40).shuffle(1200)",
              accept=("data_sorted",), beside=("batchnorm_mode", "oscillation")),
        Fault(cause="labels_shuffled_apart",
              old="tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(1200).batch(40)",
              new="tf.data.Dataset.zip((tf.data.Dataset.from_tensor_slices(x_train).shuffle(1200),\n"
              "                               tf.data.Dataset.from_tensor_slices(y_train).shuffle(1200))).batch(40)",
              beside=("label_noise", "overfitting")),
        Fault(cause="label_encoding", old="{0: 'ok', 1: 'tooth wear', 2: 'bearing', 3: 'imbalance'}",
              new="{1: 'ok', 2: 'tooth wear', 3: 'bearing', 4: 'imbalance'}",
              accept=("wrong_head_for_labels",), beside=("missing_class",)),
        Fault(cause="train_val_preprocessing_mismatch", old="x_test = ((raw_test - offset) / spread)",
              new="x_test = (raw_test / spread)"),
        Fault(cause="overfitting", old="raw_train, y_train = campaign(300)", new="raw_train, y_train = campaign(3)"),
    ),
    seeds=3,
)  # fmt: skip

COMPRESSOR = Program(
    name="maintenance_compressor_wear",
    source="""
# Remaining running hours of the air compressors, and whether the next inspection has to be brought forward.
# One row of the historian = one shift, eight shifts make a window; plus the data sheet of the machine.
import math
import numpy as np
import tensorflow as tf
import keras
from keras.layers import GRU, Concatenate, Dense, Dropout, Input
from sklearn.metrics import r2_score, balanced_accuracy_score

keras.utils.set_random_seed(SEED)
gen = np.random.default_rng(SEED)

N, SHIFTS = 2400, 8
wear = gen.beta(1.3, 1.3, N)                       # hidden
frame = gen.integers(0, 3, N)                      # frame size S, M, L
speed = gen.uniform(900, 1500, N)                  # rpm, nominal
load = gen.uniform(0.4, 1.0, (N, SHIFTS))
slope = np.linspace(-0.25, 0.0, SHIFTS) * gen.uniform(0.5, 1.5, (N, 1))
level = np.clip(wear[:, None] + slope, 0, None)

oil_temperature = 55 + 18 * load + 22 * level ** 2 + gen.normal(0, 1.5, (N, SHIFTS))       # C
discharge = 8.5 - 2.0 * level * load + gen.normal(0, 0.15, (N, SHIFTS))                    # bar
current = np.array([40, 75, 130])[frame][:, None] * (load + 0.3 * level) + gen.normal(0, 2, (N, SHIFTS))   # A
windows = np.stack([oil_temperature, discharge, current, 100 * load], axis=-1).astype('float32')
sheet = np.column_stack([np.eye(3)[frame], speed]).astype('float32')

hours = 9000 * (1 - wear) ** 1.3 * np.array([0.7, 1.0, 1.25])[frame] * (1200 / speed)
hours = (hours + gen.normal(0, 200, N)).clip(0).astype('float32')
urgent = (hours < 1200).astype('float32')

n_fit, n_val = 1600, 300
scale_w = windows[:n_fit].mean((0, 1)), windows[:n_fit].std((0, 1))
scale_s = sheet[:n_fit].mean(0), sheet[:n_fit].std(0)
windows = (windows - scale_w[0]) / scale_w[1]
sheet = (sheet - scale_s[0]) / scale_s[1]
hours_mean, hours_std = hours[:n_fit].mean(), hours[:n_fit].std()
target = (hours - hours_mean) / hours_std


class Shifts(keras.utils.PyDataset):
    def __init__(self, rows, batch_size=32, shuffle=True):
        super().__init__()
        self.rows, self.batch_size, self.shuffle = np.array(rows), batch_size, shuffle
        self.on_epoch_end()

    def __len__(self):
        return math.ceil(len(self.rows) / self.batch_size)

    def __getitem__(self, i):
        r = self.rows[i * self.batch_size:(i + 1) * self.batch_size]
        return (windows[r], sheet[r]), (target[r, None], urgent[r, None])

    def on_epoch_end(self):
        if self.shuffle:
            gen.shuffle(self.rows)


window_in = Input((SHIFTS, windows.shape[-1]))
sheet_in = Input((sheet.shape[-1],))
memory = GRU(24, name='memory')(window_in)
plate = Dense(8, activation='tanh', name='plate')(sheet_in)
both = Concatenate()([memory, plate])
both = Dense(32, activation='relu', kernel_initializer='he_normal', name='joint')(both)
left = Dense(1, name='hours')(both)
alarm = Dense(1, activation='sigmoid', name='urgent')(both)
model = keras.Model([window_in, sheet_in], [left, alarm])

n_epochs = 15
fit_rows = Shifts(np.arange(n_fit))
val_rows = Shifts(np.arange(n_fit, n_fit + n_val), shuffle=False)
rate = keras.optimizers.schedules.PolynomialDecay(4e-3, n_epochs * len(fit_rows), end_learning_rate=2e-4)
model.compile(keras.optimizers.Adam(rate), loss=['mse', 'binary_crossentropy'], loss_weights=[1.0, 0.5])
model.fit(fit_rows, validation_data=val_rows, epochs=n_epochs, verbose=2)

last = np.arange(n_fit + n_val, N)
z, p = model.predict((windows[last], sheet[last]), verbose=0)
predicted_hours = z[:, 0] * hours_std + hours_mean
r2 = r2_score(hours[last], np.nan_to_num(predicted_hours))
warned = balanced_accuracy_score(hours[last] < 1200, p[:, 0] > 0.5)
print('hours r2 %.3f   urgent, balanced %.3f' % (r2, warned))
""",
    score="0.5 * max(r2, -1.0) + 0.5 * (2 * warned - 1)",
    bar=0.8,
    base=0.0,
    faults=(
        Fault(cause="targets_not_scaled", old="target = (hours - hours_mean) / hours_std",
              new="target, hours_mean, hours_std = hours, 0.0, 1.0",
              beside=("exploding_gradient", "saturated_units", "learning_rate_too_low")),
        Fault(cause="lr_schedule_wrong", old="PolynomialDecay(4e-3, n_epochs * len(fit_rows), end_learning_rate=2e-4)",
              new="PolynomialDecay(4e-3, n_epochs, end_learning_rate=0.0)",
              beside=("learning_rate_too_low", "too_few_steps")),
        Fault(cause="regularisation_overwhelms", old="kernel_initializer='he_normal', name='joint'",
              new="kernel_initializer='he_normal', kernel_regularizer=keras.regularizers.L1L2(0.5, 0.5), name='joint'",
              layer=("joint",), beside=("dead_units",)),
        Fault(cause="dead_units", old="kernel_initializer='he_normal', name='joint'",
              new="kernel_initializer='he_normal', bias_initializer=keras.initializers.Constant(-9.0), name='joint'",
              layer=("joint",), beside=("init_scale", "input_ignored", "vanishing_gradient")),
        Fault(cause="constant_labels", old="urgent = (hours < 1200).astype('float32')",
              new="urgent = (hours / 24 < 1200).astype('float32')", beside=("missing_class", "class_imbalance")),
        Fault(cause="learning_rate_too_low", old="PolynomialDecay(4e-3, n_epochs * len(fit_rows), end_learning_rate=2e-4)",
              new="PolynomialDecay(4e-5, n_epochs * len(fit_rows), end_learning_rate=2e-6)",
              beside=("lr_schedule_wrong", "too_few_steps")),
    ),
    pairs=(("targets_not_scaled", "dead_units"),),
    seeds=3,
)  # fmt: skip

PROGRAMS = (GEARBOX, COMPRESSOR)
