"""Field people with data of their own: soil moisture from weather, and orchids along transects."""

from keras_course.diagnostics.corpus import Fault, Program

SOIL = Program(
    name="surveyor_soil_moisture",
    source='''
# Soil moisture probe at the peat meadow: predict tension (hPa) from the weather of the last 16 days
# data logger export replaced by a bucket model, so that the script can be passed on
import math
import numpy as np
import keras
from keras.utils import PyDataset

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

ndays = 2200
day = np.arange(ndays)
temp = 11 - 9 * np.cos(2 * np.pi * (day - 20) / 365) + rng.normal(0, 2.5, ndays)
rain = rng.gamma(0.7, 8.0, ndays) * (rng.random(ndays) < 0.38)          # mm
humid = np.clip(78 - 0.9 * (temp - 11) + 0.8 * rain + rng.normal(0, 5, ndays), 25, 100)
store = np.zeros(ndays)
s = 40.0
for d in range(ndays):
    et = max(0.0, 0.28 * temp[d]) * (1.3 - humid[d] / 100) * s / 40
    s = min(max(s + rain[d] - et - 0.05 * s, 2.0), 80.0)
    store[d] = s
tension = 620 - 7 * store + rng.normal(0, 8, ndays)                     # hPa, dry = high

WINDOW = 16
TRAIN_END, VAL_END = 1500, 1850

weather = np.column_stack([temp, rain, humid])
w_mean = weather[:TRAIN_END].mean(0)
w_std = weather[:TRAIN_END].std(0)
t_mean = tension[:TRAIN_END].mean()
t_std = tension[:TRAIN_END].std()
weather_n = (weather - w_mean) / w_std
tension_n = (tension - t_mean) / t_std


class ProbeDays(PyDataset):
    def __init__(self, first, last, batch, mix, **kw):
        super().__init__(**kw)
        self.days = np.arange(first + WINDOW, last)
        self.batch, self.mix = batch, mix
        self.on_epoch_end()

    def __len__(self):
        return math.ceil(len(self.days) / self.batch)

    def __getitem__(self, k):
        chosen = self.days[k * self.batch:(k + 1) * self.batch]
        x = np.stack([weather_n[d - WINDOW + 1:d + 1] for d in chosen])
        return x.astype('float32'), tension_n[chosen].astype('float32')

    def on_epoch_end(self):
        if self.mix:
            rng.shuffle(self.days)


train_days = ProbeDays(0, TRAIN_END, 32, True)
val_days = ProbeDays(TRAIN_END, VAL_END, 64, False)
test_days = ProbeDays(VAL_END, ndays, 64, False)

model = keras.Sequential([
    keras.layers.Input((WINDOW, 3)),
    keras.layers.GRU(24, name='gru_weather'),
    keras.layers.Dense(16, activation='relu', name='dense_mid'),
    keras.layers.Dense(1, name='tension_out'),
])
opt = keras.optimizers.RMSprop(learning_rate=0.003)
model.compile(optimizer=opt, loss='mse', metrics=['mae'])
slower = keras.callbacks.LearningRateScheduler(lambda epoch, lr: lr * 0.5 if epoch > 0 and epoch % 4 == 0 else lr)
hist = model.fit(train_days, validation_data=val_days, epochs=12, callbacks=[slower], verbose=0)
for a, b in zip(hist.history['loss'], hist.history['val_loss']):
    print('%.4f  %.4f' % (a, b))

pred = model.predict(test_days, verbose=0)[:, 0] * t_std + t_mean
obs = tension[test_days.days]
NSE = 1 - np.sum((obs - pred) ** 2) / np.sum((obs - obs.mean()) ** 2)
print('Nash-Sutcliffe on the last year', round(NSE, 3), ' RMSE hPa', round(np.sqrt(np.mean((obs - pred) ** 2)), 1))
''',
    score="max(NSE, -1.0) if np.isfinite(NSE) else -1.0",
    bar=0.75,
    base=0.0,
    faults=(
        Fault(cause="targets_not_scaled", old="t_mean = tension[:TRAIN_END].mean()\nt_std = tension[:TRAIN_END].std()",
              new="t_mean = 0.0\nt_std = 1.0", beside=("learning_rate_too_low",)),
        Fault(cause="output_range_cannot_reach_targets", old="keras.layers.Dense(1, name='tension_out')",
              new="keras.layers.Dense(1, activation='relu', name='tension_out')", layer=("tension_out",),
              beside=("dead_units",)),
        Fault(cause="lr_schedule_wrong", old="lr * 0.5 if epoch > 0 and epoch % 4 == 0 else lr", new="lr * 0.1",
              beside=("learning_rate_too_low", "too_few_steps")),
        Fault(cause="wrong_loss_for_task", old="loss='mse'", new="loss='poisson'",
              beside=("output_range_cannot_reach_targets",)),
        Fault(cause="train_val_preprocessing_mismatch", old="weather_n = (weather - w_mean) / w_std\n",
              new="weather_n = weather.copy()\nweather_n[:TRAIN_END] = (weather[:TRAIN_END] - w_mean) / w_std\n",
              beside=("inputs_not_scaled",)),
        Fault(cause="learning_rate_too_high", old="learning_rate=0.003", new="learning_rate=0.3",
              accept=("oscillation",), beside=("exploding_gradient", "saturated_units", "dead_units")),
        Fault(cause="labels_shuffled_apart", old="return x.astype('float32'), tension_n[chosen].astype('float32')",
              new="chosen = np.sort(chosen)\n        return x.astype('float32'), tension_n[chosen].astype('float32')"),
    ),
    pairs=(("targets_not_scaled", "train_val_preprocessing_mismatch"),),
    seeds=3,
)  # fmt: skip

ORCHIDS = Program(
    name="surveyor_orchid_transects",
    source='''
# counts of marsh orchids per transect (10 m x 2 m), what explains them?
# first a GLM in R, now a small network with the same Poisson idea. TensorFlow only, no layers, I want to see the maths
import numpy as np
import tensorflow as tf

tf.random.set_seed(SEED)
np.random.seed(SEED)

n = 1800
ph = np.random.normal(6.4, 0.7, n)
water = np.random.normal(-18, 11, n)                 # water table cm
cover = np.random.uniform(5, 100, n)                 # sward cover %
mowing = np.random.randint(120, 270, n)              # day of year of the first cut
phosphate = np.random.lognormal(1.2, 0.5, n)         # mg/kg
eta = (1.9 - 1.1 * ((ph - 6.6) / 0.7) ** 2 * 0.5 - 0.8 * ((water + 15) / 11) ** 2 * 0.5
       + 0.5 * np.tanh((mowing - 190) / 20) - 0.35 * (phosphate - 3.7) / 2 - 0.5 * (cover > 70))
orchids = np.random.poisson(np.exp(eta)).astype('float32')

tab = np.column_stack([ph, water, cover, mowing, phosphate]).astype('float32')
pick = np.random.permutation(n)
tr, te = pick[:1400], pick[1400:]
centre = tab[tr].mean(axis=0)
spread = tab[tr].std(axis=0)
tab = (tab - centre) / spread

H1, H2 = 24, 12


def weights(rows, cols):
    return tf.Variable(tf.random.normal([rows, cols]) * (1 / rows) ** 0.5)


W1 = weights(5, H1)
b1 = tf.Variable(tf.zeros([H1]))
W2 = weights(H1, H2)
b2 = tf.Variable(tf.zeros([H2]))
W3 = weights(H2, 1)
b3 = tf.Variable(tf.fill([1], float(np.log(orchids[tr].mean()))))
pars = [W1, b1, W2, b2, W3, b3]


def log_rate(X):
    a = tf.tanh(X @ W1 + b1)
    a = tf.tanh(a @ W2 + b2)
    return (a @ W3 + b3)[:, 0]


def deviance(k, logmu):
    # Poisson, without the part that has only k in it
    return tf.reduce_mean(tf.exp(logmu) - k * logmu)


ridge = 2e-4
speed = tf.Variable(0.1)
mass = 0.9
memory = [tf.Variable(tf.zeros_like(p)) for p in pars]


@tf.function
def one_step(X, k):
    with tf.GradientTape() as tape:
        loss = deviance(k, log_rate(X))
        loss += ridge * sum(tf.reduce_sum(w ** 2) for w in (W1, W2, W3))
    grads = tape.gradient(loss, pars)
    grads, size = tf.clip_by_global_norm(grads, 0.5)
    for p, g, m in zip(pars, grads, memory):
        m.assign(mass * m + g)
        p.assign_sub(speed * m)
    return loss


for season in range(60):
    speed.assign(0.1 * 0.95 ** season)
    order = np.random.permutation(tr)
    total = 0.0
    for i in range(0, len(order), 50):
        rows = order[i:i + 50]
        total += float(one_step(tf.constant(tab[rows]), tf.constant(orchids[rows])))
    if season % 10 == 9:
        print('round', season + 1, 'loss', round(total / (len(order) / 50), 4))

mu = np.exp(log_rate(tf.constant(tab[te])).numpy())
k = orchids[te]


def dev(k, m):
    return 2 * np.sum(np.where(k > 0, k * np.log(np.maximum(k, 1) / m), 0) - (k - m))


d2 = 1 - dev(k, mu) / dev(k, np.full(len(k), orchids[tr].mean()))
print('explained deviance on the transects left out', round(float(d2), 3))
''',
    score="max(float(d2), -1.0) if np.isfinite(d2) else -1.0",
    bar=0.5,
    base=0.0,
    faults=(
        Fault(cause="symmetric_or_zero_init", old="tf.Variable(tf.random.normal([rows, cols]) * (1 / rows) ** 0.5)",
              new="tf.Variable(tf.zeros([rows, cols]))", beside=("input_ignored", "frozen_or_disconnected")),
        Fault(cause="gradient_sign_flipped", old="        p.assign_sub(speed * m)", new="        p.assign_add(speed * m)",
              beside=("exploding_gradient", "saturated_units")),
        Fault(cause="loss_broadcast", old="tf.constant(orchids[rows])", new="tf.constant(orchids[rows, None])"),
        Fault(cause="regularisation_overwhelms", old="ridge = 2e-4", new="ridge = 2e-1"),
        Fault(cause="exploding_gradient", old="    grads, size = tf.clip_by_global_norm(grads, 0.5)\n", new="",
              accept=("learning_rate_too_high",), beside=("saturated_units", "oscillation")),
        Fault(cause="init_scale", old="(1 / rows) ** 0.5", new="(1 / rows) ** -0.5", accept=("saturated_units",),
              beside=("exploding_gradient",)),
        Fault(cause="frozen_or_disconnected", old="pars = [W1, b1, W2, b2, W3, b3]", new="pars = [b1, b2, b3]",
              accept=("optimiser_not_applied",), beside=("too_few_steps",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (SOIL, ORCHIDS)
