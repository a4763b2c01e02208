"""Scripts of an energy trading desk: how dear tonight's power may get, and what the missing quotes would be."""

from keras_course.diagnostics.corpus import Fault, Program

SPOT = Program(
    name="desk_spot_price_bands",
    source='''
"""Bands for the spot price six hours ahead (10 %, 50 % and 90 %), hour by hour.

What we know at gate closure: two days of prices and feed-in, and the forecasts for the hour of delivery.
Risk wants the bands, not the mean; the pinball loss is the one in their handbook, section 4.
"""
import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers, ops

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED + 2100)

DAYS = 330
BACK, HORIZON = 48, 6
BANDS = np.array([0.1, 0.5, 0.9], 'float32')
BATCH, EPOCHS, RATE = 64, 6, 3e-3

# --- market ---------------------------------------------------------------------------------------------------------
n = DAYS * 24
hour = np.arange(n) % 24
weekend = (np.arange(n) // 24) % 7 >= 5
season = np.cos(2 * np.pi * np.arange(n) / (365 * 24))


def wander(hold, size):
    """A slow random walk that comes back."""
    steps, out = rng.normal(0, 1, n), np.zeros(n)
    for t in range(1, n):
        out[t] = hold * out[t - 1] + steps[t]
    return size * out * np.sqrt(1 - hold ** 2)


load = 52 + 9 * np.sin((hour - 7) * np.pi / 12) + 4 * (np.abs(hour - 18) < 2) - 7 * weekend + 3 * season
load += wander(0.95, 1.5)
wind = 14 + wander(0.985, 8.0)
wind = np.clip(wind, 0.5, 38)
solar = np.maximum(np.sin((hour - 6) * np.pi / 12), 0) * (14 - 8 * season) * np.clip(0.75 + wander(0.97, 0.3), 0.1, 1)
residual = load - wind - solar
fuel = 38 + wander(0.999, 12.0)
price = fuel + 1.1 * (residual - 32) + 0.06 * np.maximum(residual - 44, 0) ** 2
price -= 0.35 * np.maximum(24 - residual, 0) ** 1.5
price += rng.gumbel(0, 3.5, n)
print('hours below zero:', int((price < 0).sum()))

# --- tables ---------------------------------------------------------------------------------------------------------
n_train, n_val = int(0.7 * n), int(0.15 * n)
level = np.arcsinh(price / 30)                 # heavy on both sides of zero
past = pd.DataFrame({'level': level, 'load': load, 'wind': wind, 'solar': solar})
ahead = pd.DataFrame({
    'load_forecast': load + rng.normal(0, 0.8, n),
    'wind_forecast': wind + rng.normal(0, 1.0, n),
    'solar_forecast': solar + rng.normal(0, 0.6, n),
    'last_settled': pd.Series(price).shift(HORIZON).bfill(),
    'sin_hour': np.sin(hour * np.pi / 12),
    'cos_hour': np.cos(hour * np.pi / 12),
    'weekend': weekend,
}).astype('float32')
past = ((past - past[:n_train].mean()) / past[:n_train].std()).to_numpy('float32')
ahead = ((ahead - ahead[:n_train].mean()) / ahead[:n_train].std()).to_numpy('float32')
target = ((level - level[:n_train].mean()) / level[:n_train].std()).astype('float32')


def windows(first, last, training=False):
    """Deliveries of [first, last): what was seen up to gate closure, the forecasts of the hour, its price."""
    gate = slice(first - HORIZON - BACK, last - HORIZON)
    seen = keras.utils.timeseries_dataset_from_array(past[gate], None, BACK, batch_size=None, shuffle=False)
    rows = len(seen)
    told = tf.data.Dataset.from_tensor_slices((ahead[last - rows:last], target[last - rows:last]))
    data = tf.data.Dataset.zip((seen, told)).map(lambda seen, told: ((seen, told[0]), told[1])).cache()
    if training:
        data = data.shuffle(rows)
    return data.batch(BATCH).prefetch(2)


train = windows(BACK + HORIZON, n_train, training=True)
val = windows(n_train + BACK + HORIZON, n_train + n_val)
test = windows(n_train + n_val + BACK + HORIZON, n)


# --- model ----------------------------------------------------------------------------------------------------------
def pinball(y_true, y_pred):
    over = ops.reshape(y_true, (-1, 1)) - y_pred
    return ops.mean(ops.maximum(BANDS * over, (BANDS - 1) * over), axis=-1)


seen = keras.Input((BACK, past.shape[1]), name='seen')
told = keras.Input((ahead.shape[1],), name='told')
h = layers.Conv1D(16, 4, strides=4, activation='relu', name='quarters')(seen)
h = layers.GRU(16, name='recent')(h)
h = layers.Concatenate(name='desk_view')([h, told])
h = layers.Dense(48, activation='relu', kernel_regularizer=keras.regularizers.L2(1e-5), name='merit_order')(h)
h = layers.Dense(24, activation='relu', name='scarcity')(h)
bands = layers.Dense(len(BANDS), name='bands')(h)
model = keras.Model([seen, told], bands, name='spot_bands')

updates = EPOCHS * ((n_train - BACK - HORIZON) // BATCH)
schedule = keras.optimizers.schedules.CosineDecay(0.0, updates, warmup_target=RATE, warmup_steps=updates // 20)
model.compile(optimizer=keras.optimizers.Adam(schedule), loss=pinball)
history = model.fit(train, validation_data=val, epochs=EPOCHS, verbose=2)

# --- hold-out: the last weeks ---------------------------------------------------------------------------------------
actual = np.concatenate([y for _, y in test])
forecast = model.predict(test, verbose=0)
constant = np.tile(np.quantile(target[:n_train], BANDS), (len(actual), 1)).astype('float32')
ours = float(ops.mean(pinball(actual, forecast)))
climate = float(ops.mean(pinball(actual, constant)))
skill = 1 - ours / climate
inside = np.mean((actual > forecast[:, 0]) & (actual < forecast[:, 2]))
print(f'pinball {ours:.4f} against {climate:.4f}: skill {skill:.3f}, inside the band {inside:.1%}')
''',
    score="skill",
    bar=0.55,
    base=0.0,
    odd="two of three outputs are meant to lie off the target, and a quantile loss does not go to zero",
    faults=(
        Fault(cause="nan_or_inf_in_data", old="level = np.arcsinh(price / 30)", new="level = np.log(price / 30)"),
        Fault(cause="leakage_feature", old="pd.Series(price).shift(HORIZON).bfill()",
              new="pd.Series(price).ffill()", certain=True),
        Fault(cause="lr_schedule_wrong", old="warmup_steps=updates // 20)", new="warmup_steps=updates * BATCH)",
              accept=("learning_rate_too_low",), beside=("too_few_steps",)),
        Fault(cause="labels_shuffled_apart", old="""\
    gate = slice(first - HORIZON - BACK, last - HORIZON)
    seen = keras.utils.timeseries_dataset_from_array(past[gate], None, BACK, batch_size=None, shuffle=False)
    rows = len(seen)
    told = tf.data.Dataset.from_tensor_slices((ahead[last - rows:last], target[last - rows:last]))
    data = tf.data.Dataset.zip((seen, told)).map(lambda seen, told: ((seen, told[0]), told[1])).cache()
    if training:
        data = data.shuffle(rows)
""", new="""\
    gate = slice(first - HORIZON - BACK, last - HORIZON)
    seen = keras.utils.timeseries_dataset_from_array(past[gate], None, BACK, batch_size=None, shuffle=False)
    rows = len(seen)
    told = tf.data.Dataset.from_tensor_slices(ahead[last - rows:last])
    prices = tf.data.Dataset.from_tensor_slices(target[last - rows:last])
    inputs = tf.data.Dataset.zip((seen, told)).cache()
    if training:
        inputs, prices = inputs.shuffle(rows), prices.shuffle(rows)
    data = tf.data.Dataset.zip((inputs, prices))
""", accept=("label_noise",)),
        Fault(cause="targets_not_scaled",
              old="target = ((level - level[:n_train].mean()) / level[:n_train].std()).astype('float32')",
              new="target = (1000 * price).astype('float32')"),
        Fault(cause="exploding_gradient", old="layers.GRU(16, name='recent')",
              new="layers.GRU(16, activation=None, recurrent_activation=None, name='recent')",
              beside=("learning_rate_too_high", "missing_nonlinearity", "nan_or_inf_in_data"), layer=("recent",)),
        Fault(cause="regularisation_overwhelms", old="kernel_regularizer=keras.regularizers.L2(1e-5)",
              new="activity_regularizer=keras.regularizers.L1(0.5)", layer=("merit_order",),
              beside=("dead_units",)),
    ),
    seeds=3,
)  # fmt: skip

CURVE = Program(
    name="desk_forward_curve_gaps",
    source='''
"""Marks for the illiquid end of the gas curve.

A curve has 16 tenors (months). On any day a third to a half of them has no quote; the marks must still be there at
17:30. Learnt from old settlement curves: hide some tenors, see the others, say the hidden ones.
"""
import keras
import numpy as np
from keras import layers, ops

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng([SEED, 1630])

TENORS = 16
N_TRAIN, N_VAL, N_TEST = 5000, 500, 1000
WIDTH, BLOCKS, FACTORS = 96, 2, 12
ACTIVATION = 'swish'
TICK = 0.05                    # EUR/MWh, quotes are rounded and a little stale
BATCH = 200


def settlement(count):
    month = np.arange(TENORS)
    spot = rng.lognormal(3.3, 0.35, (count, 1))
    start = rng.integers(0, 12, (count, 1))
    long_run = rng.normal(26, 4.0, (count, 1))
    fade = rng.uniform(2.0, 9.0, (count, 1))
    base = long_run + (spot - long_run) * np.exp(-month / fade)          # back to the cost of new supply
    winter = np.cos((month + start) * np.pi / 6)
    scarce = np.maximum(spot - 30, 0)                                    # storage is tight: winters get dear
    swing = 2.0 + 0.25 * scarce * rng.uniform(0.6, 1.4, (count, 1))
    curve = base + swing * np.where(winter > 0, winter, 0.4 * winter)
    return curve + rng.normal(0, 0.15, (count, TENORS))


def hide(count):
    """1 where there is a quote. The far end is hidden more often than the front."""
    chance = np.linspace(0.85, 0.4, TENORS)
    quoted = rng.random((count, TENORS)) < chance
    quoted[:, 0] = True
    return quoted.astype('float32')


curves = settlement(N_TRAIN + N_VAL + N_TEST)
quoted = hide(len(curves))
train_rows = slice(0, N_TRAIN)
val_rows = slice(N_TRAIN, N_TRAIN + N_VAL)
test_rows = slice(N_TRAIN + N_VAL, None)
mean, spread = curves[train_rows].mean(), curves[train_rows].std()


def pack(rows, stale=0.0):
    """Model inputs, and curve and gaps side by side as Keras takes but one target."""
    quotes = curves[rows] + rng.normal(0, 1, curves[rows].shape) * stale
    seen = (quotes - mean) / spread * quoted[rows]
    wanted = np.stack([(curves[rows] - mean) / spread, 1 - quoted[rows]], axis=-1)
    return {'seen': seen.astype('float32'), 'quoted': quoted[rows]}, wanted.astype('float32')


def gap_error(y_true, y_pred):
    curve, gap = y_true[..., 0], y_true[..., 1]
    return ops.sum(gap * ops.square(curve - y_pred), axis=-1) / ops.maximum(ops.sum(gap, axis=-1), 1.0)


seen = keras.Input((TENORS,), name='seen')
is_quoted = keras.Input((TENORS,), name='quoted')
h = layers.Concatenate(name='board')([seen, is_quoted])
for block in range(BLOCKS):
    h = layers.Dense(WIDTH, kernel_initializer='he_normal', name=f'board{block}')(h)
    h = layers.Activation(ACTIVATION, name=f'bend{block}')(h)
factors = layers.Dense(FACTORS, name='factors')(h)
h = layers.Dense(WIDTH, name='unfold')(factors)
h = layers.Activation(ACTIVATION, name='unfold_bend')(h)
marks = layers.Dense(TENORS, name='marks')(h)
model = keras.Model({'seen': seen, 'quoted': is_quoted}, marks, name='curve_marks')

model.compile(optimizer=keras.optimizers.Nadam(8e-4), loss=gap_error)
x, y = pack(train_rows, stale=TICK)
stop = keras.callbacks.EarlyStopping(monitor='val_loss', patience=12, restore_best_weights=True)
model.fit(x, y, validation_data=pack(val_rows), batch_size=BATCH, epochs=25, callbacks=[stop], verbose=2)

x_test, y_test = pack(test_rows)
gaps = y_test[..., 1] > 0
error = (model.predict(x_test, verbose=0) - y_test[..., 0])[gaps]
flat = (curves[train_rows].mean(axis=0) - mean) / spread                     # the average curve
naive = (np.broadcast_to(flat, gaps.shape) - y_test[..., 0])[gaps]
explained = 1 - float(np.mean(error ** 2) / np.mean(naive ** 2))
print(f'{gaps.mean():.0%} gaps, off by {np.abs(error).mean() * spread:.2f} EUR/MWh, explained {explained:.3f}')
''',
    score="explained",
    bar=0.85,
    base=0.0,
    odd="the loss leaves out every tenor that the network is shown",
    faults=(
        Fault(cause="output_range_cannot_reach_targets", old="layers.Dense(TENORS, name='marks')",
              new="layers.Dense(TENORS, activation='softplus', name='marks')", layer=("marks",)),
        Fault(cause="too_few_steps", old="EarlyStopping(monitor='val_loss', patience=12, restore_best_weights=True)",
              new="EarlyStopping(monitor='val_loss', mode='max', patience=1, restore_best_weights=True)"),
        Fault(cause="init_scale", old="kernel_initializer='he_normal'",
              new="kernel_initializer=keras.initializers.RandomUniform(-3, 3)", layer=("board0", "board1")),
        Fault(cause="inputs_drowned_in_noise",
              old="    quotes = curves[rows] + rng.normal(0, 1, curves[rows].shape) * stale",
              new="    quotes = curves[rows] + rng.normal(0, curves[rows].shape[-1], curves[rows].shape) * (stale > 0)",
              beside=("train_val_preprocessing_mismatch",)),
        Fault(cause="learning_rate_too_high", old="keras.optimizers.Nadam(8e-4)", new="keras.optimizers.Nadam(0.15)",
              accept=("oscillation",), beside=("exploding_gradient",)),
        Fault(cause="underfitting_capacity", old="WIDTH, BLOCKS, FACTORS = 96, 2, 12",
              new="WIDTH, BLOCKS, FACTORS = 2, 2, 1"),
        Fault(cause="vanishing_gradient", old="WIDTH, BLOCKS, FACTORS = 96, 2, 12\nACTIVATION = 'swish'",
              new="WIDTH, BLOCKS, FACTORS = 96, 14, 12\nACTIVATION = 'sigmoid'",
              accept=("saturated_units",), layer=("board0", "board1", "board2")),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [SPOT, CURVE]
