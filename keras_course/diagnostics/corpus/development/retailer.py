"""Scripts by analysts of a chain of shops: parcels that come back, and units sold per shop and article."""

from keras_course.diagnostics.corpus import Fault, Program

PARCELS = Program(
    name="retailer_parcels_sent_back",
    source="""
# which order lines come back? (web shop, clothes + shoes)
import os
import keras
import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
n = 6000

df = pd.DataFrame({
    'order_id': np.arange(n) + 70000,
    'category': rng.choice(['dress', 'shoes', 'jacket', 'basics'], n, p=[.25, .25, .15, .35]),
    'price_cents': np.round(rng.lognormal(8.3, .5, n)),
    'discount': rng.choice([0, 0, 0, .1, .2, .5], n),
    'sizes_in_basket': rng.poisson(.5, n) + 1,
    'basket_lines': rng.integers(1, 9, n),
    'customer_orders': rng.poisson(6, n),
    'delivery_days': rng.gamma(4, 1.1, n),
})
df['basket_cents'] = df.price_cents * (1 + rng.gamma(1, .8, n) * (df.basket_lines > 1))
df['past_returns'] = rng.binomial(df.customer_orders, rng.beta(1.2, 4, n))
risk = (
    -6.6
    + 2.2 * (df.sizes_in_basket > 1)
    + df.category.map({'dress': 1.3, 'shoes': 1.0, 'jacket': .4, 'basics': -1.2})
    + 6 * df.past_returns / (df.customer_orders + 1)
    + .6 * np.log(df.price_cents / 4000)
    + 1.2 * np.maximum(df.delivery_days - 6, 0)
    - 2 * df.discount
)
df['returned'] = np.where(rng.random(n) < 1 / (1 + np.exp(-.7 * risk)), 'Y', 'N')
df['refund_cents'] = np.where(df.returned == 'Y', df.price_cents * (1 - df.discount), 0).round()
df['return_rate'] = (df.past_returns / df.customer_orders.replace(0, np.nan)).fillna(0)  # new customers
print(df.returned.value_counts(normalize=True))

df = df.sample(frac=1, random_state=SEED).reset_index(drop=True)
y = (df['returned'] == 'Y').astype(int)
X = df.drop(columns=['order_id', 'returned', 'refund_cents'])
X = pd.get_dummies(X, columns=['category']).astype('float32')

X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=.25, stratify=y, random_state=SEED)
scaler = StandardScaler().fit(X_train)
X_train = scaler.transform(X_train)
X_test = scaler.transform(X_test)

share = y_train.mean()
weights = {0: .5 / (1 - share), 1: .5 / share} if 0 < share < 1 else None

model = keras.Sequential([
    keras.Input((X_train.shape[1],)),
    keras.layers.Dense(24, activation='relu', name='hidden'),
    keras.layers.Dense(12, activation='relu', name='hidden2'),
    keras.layers.Dense(1, activation='sigmoid', name='p_return'),
])
model.compile(optimizer=keras.optimizers.Adam(2e-3), loss='binary_crossentropy', metrics=['accuracy', 'AUC'])
hist = model.fit(X_train, y_train, epochs=12, batch_size=32, class_weight=weights,
                 validation_data=(X_test, y_test), verbose=2)

p = model.predict(X_test, verbose=0).ravel()
bal = balanced_accuracy_score(y_test, p > .5)
print('balanced accuracy', round(bal, 3))
""",
    score="bal if y_test.any() else 0.5",
    bar=0.73,
    base=0.5,
    faults=(
        Fault(cause="softmax_on_single_unit", old="Dense(1, activation='sigmoid', name='p_return')",
              new="Dense(1, activation='softmax', name='p_return')", layer=("p_return",)),
        Fault(cause="class_imbalance", old="batch_size=32, class_weight=weights,", new="batch_size=32,",
              beside=("wrong_metric",)),
        Fault(cause="leakage_feature", old="columns=['order_id', 'returned', 'refund_cents']",
              new="columns=['order_id', 'returned']", certain=True),
        Fault(cause="nan_or_inf_in_data", old=".replace(0, np.nan)).fillna(0)", new=")"),
        Fault(cause="constant_labels", old="(df['returned'] == 'Y')", new="(df['returned'] == 'yes')",
              beside=("missing_class", "class_imbalance", "label_encoding")),
        Fault(cause="label_encoding", old="(df['returned'] == 'Y').astype(int)",
              new="(df['returned'] == 'Y').astype(int) * 2 - 1", beside=("class_imbalance",)),
        Fault(cause="wrong_head_for_labels", old="loss='binary_crossentropy'", new="loss='categorical_crossentropy'",
              accept=("wrong_loss_for_task",), beside=("softmax_on_single_unit",), layer=("p_return",)),
        Fault(cause="inputs_not_scaled", old="X_train = scaler.transform(X_train)\nX_test = scaler.transform(X_test)\n",
              new="X_train, X_test = X_train.to_numpy(), X_test.to_numpy()\n",
              beside=("learning_rate_too_high", "init_scale")),
        Fault(cause="labels_shuffled_apart", old="X = pd.get_dummies(X, columns=['category']).astype('float32')\n",
              new="X = pd.get_dummies(X, columns=['category']).astype('float32')\n"
              "X = X.sample(frac=1, random_state=SEED)\n", beside=("label_noise",)),
    ),
    seeds=3,
)  # fmt: skip

DEMAND = Program(
    name="retailer_shelf_units",
    source="""
import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

N_SHOPS, N_ART = 15, 40
EPOCHS, BATCH = 10, 64

shop_level = rng.normal(0, .5, N_SHOPS)
art_level = rng.normal(2.6, .7, N_ART)
elasticity = rng.uniform(.8, 3.0, N_ART)
weekend = rng.normal(0, .5, N_SHOPS)          # some shops live from the weekend, some from offices
ice = (rng.random(N_ART) < .3) * 1.0          # things that sell in the heat

rows = 9000
sales = pd.DataFrame({
    'shop': rng.integers(0, N_SHOPS, rows),
    'article': rng.integers(0, N_ART, rows),
    'price_rel': rng.choice([1, 1, 1, .9, .8, .7], rows) + rng.normal(0, .02, rows),
    'weekday': rng.integers(0, 7, rows),
    'temp': rng.normal(16, 8, rows),
})
mu = (
    shop_level[sales['shop']] + art_level[sales.article]
    - elasticity[sales.article] * np.log(sales.price_rel)
    + weekend[sales['shop']] * (sales.weekday >= 5)
    + ice[sales.article] * .06 * np.maximum(sales.temp - 16, -4)
)
sales['units'] = rng.poisson(np.exp(mu + rng.normal(0, .15, rows)))

valid = sales.sample(frac=.2, random_state=SEED)
train = sales.drop(valid.index).copy()

m, s = np.log1p(train.units).mean(), np.log1p(train.units).std()
num_mean = train[['price_rel', 'temp']].mean()
num_std = train[['price_rel', 'temp']].std()


def to_inputs(d):
    num = (d[['price_rel', 'temp']] - num_mean) / num_std
    week = np.eye(7)[d['weekday']]
    return {
        'shop': d['shop'].to_numpy('int32'),
        'article': d['article'].to_numpy('int32'),
        'rest': np.hstack([num, week]).astype('float32'),
    }


def to_target(d):
    return ((np.log1p(d['units']) - m) / s).to_numpy('float32')


ds_train = tf.data.Dataset.from_tensor_slices((to_inputs(train), to_target(train)))
ds_train = ds_train.shuffle(len(train), seed=SEED).batch(BATCH).prefetch(1)
ds_valid = tf.data.Dataset.from_tensor_slices((to_inputs(valid), to_target(valid))).batch(512)

shop_in = keras.Input((), dtype='int32', name='shop')
art_in = keras.Input((), dtype='int32', name='article')
rest_in = keras.Input((9,), name='rest')
v = layers.Concatenate()([
    layers.Embedding(N_SHOPS, 4, name='shop_vec')(shop_in),
    layers.Embedding(N_ART, 6, name='art_vec')(art_in),
    rest_in,
])
v = layers.Dense(48, activation='relu', name='mix1')(v)
v = layers.Dense(24, activation='relu', name='mix2')(v)
out = layers.Dense(1, name='log_units')(v)
net = keras.Model({'shop': shop_in, 'article': art_in, 'rest': rest_in}, out)

rate = keras.optimizers.schedules.CosineDecay(5e-3, decay_steps=EPOCHS * len(ds_train))
net.compile(optimizer=keras.optimizers.Adam(rate), loss='mse', metrics=['mae'])
net.fit(ds_train, validation_data=ds_valid, epochs=EPOCHS, verbose=2)

guess = np.expm1(net.predict(ds_valid, verbose=0)[:, 0] * s + m)
err = np.log1p(valid.units) - np.log1p(np.maximum(guess, 0))
r2 = 1 - np.mean(err ** 2) / np.log1p(valid.units).var()
print('R2 (log units)', r2, ' MAE in units', np.abs(guess - valid.units).mean())
""",
    score="max(float(r2), -1.0) if np.isfinite(r2) else -1.0",
    bar=0.7,
    base=0.0,
    faults=(
        Fault(cause="lr_schedule_wrong", old="decay_steps=EPOCHS * len(ds_train)", new="decay_steps=EPOCHS",
              beside=("learning_rate_too_low", "too_few_steps")),
        Fault(cause="learning_rate_too_low", old="CosineDecay(5e-3,", new="CosineDecay(5e-6,",
              beside=("too_few_steps",)),
        Fault(cause="output_range_cannot_reach_targets", old="layers.Dense(1, name='log_units')",
              new="layers.Dense(1, activation='sigmoid', name='log_units')", layer=("log_units",),
              beside=("saturated_units",)),
        Fault(cause="wrong_loss_for_task", old="loss='mse'", new="loss='poisson'",
              beside=("nan_or_inf_in_data", "output_range_cannot_reach_targets", "exploding_gradient")),
        Fault(cause="leakage_duplicates", old="train = sales.drop(valid.index).copy()", new="train = sales.copy()",
              certain=True),
        Fault(cause="train_val_preprocessing_mismatch", old="from_tensor_slices((to_inputs(valid), to_target(valid)))",
              new="from_tensor_slices((to_inputs(valid.assign(temp=valid.temp * 1.8 + 32)), to_target(valid)))"),
        Fault(cause="learning_rate_too_high", old="keras.optimizers.Adam(rate)", new="keras.optimizers.Adam(.5)",
              beside=("exploding_gradient", "oscillation", "dead_units")),
    ),
    pairs=(("output_range_cannot_reach_targets", "train_val_preprocessing_mismatch"),),
    seeds=3,
)  # fmt: skip

PROGRAMS = (PARCELS, DEMAND)
