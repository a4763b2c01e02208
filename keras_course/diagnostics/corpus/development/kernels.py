"""Notebooks of competitions: fraud, masks of cells, sales of a store, tags of dishes."""

from keras_course.diagnostics.corpus import Fault, Program

FRAUD = Program(
    name="kaggle_fraud_functional_weights",
    odd="three positives in a hundred, weighted up; the training loss is above what no model at all would have without the weights",
    source="""
# %% [markdown]
# # Credit card fraud - simple NN baseline
# %%
import numpy as np, pandas as pd
import tensorflow as tf
from tensorflow.keras import layers, Model, Input, callbacks
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.metrics import balanced_accuracy_score, confusion_matrix

tf.keras.utils.set_random_seed(SEED)
# %%
rng = np.random.default_rng(100 + SEED)
N = 5000
V = rng.normal(size=(N, 8))
df = pd.DataFrame(V, columns=[f'V{i}' for i in range(1, 9)])
df['Time'] = np.sort(rng.uniform(0, 172792, N))
df['Amount'] = np.exp(rng.normal(3, 1.4, N))
logit = 1.3 * df.V1 - 1.1 * df.V2 + .9 * df.V3 * df.V4 + .6 * (np.log(df.Amount) - 3) + .5 * rng.normal(size=N)
df['Class'] = (logit > np.quantile(logit, .97)).astype(int)
df.loc[rng.random(N) < .04, 'V3'] = np.nan
print(df.Class.value_counts())
# %%
df['V3'] = df['V3'].fillna(df['V3'].median())
train_df, test_df = train_test_split(df, test_size=.3, stratify=df.Class, random_state=SEED)
features = [c for c in df.columns if c != 'Class']
scaler = StandardScaler().fit(train_df[features])
X_train, y_train = scaler.transform(train_df[features]), train_df.Class.values
X_test, y_test = scaler.transform(test_df[features]), test_df.Class.values
# %%
inp = Input(shape=(len(features),))
x = layers.Dense(32, activation='relu', name='fc1')(inp)
x = layers.Dropout(.2)(x)
x = layers.Dense(16, activation='relu', name='fc2')(x)
out = layers.Dense(1, activation='sigmoid', name='fraud')(x)
model = Model(inp, out)
model.compile(tf.keras.optimizers.Adam(.003), 'binary_crossentropy', metrics=[tf.keras.metrics.AUC(name='auc', curve='PR')])

pos = y_train.mean()
weights = {0: .5 / (1 - pos), 1: .5 / pos}
hist = model.fit(X_train, y_train, epochs=10, batch_size=96, validation_data=(X_test, y_test),
                 class_weight=weights, verbose=2)
# %%
preds = (model.predict(X_test, batch_size=512, verbose=0) > .5).astype(int).ravel()
print(confusion_matrix(y_test, preds))
bal = balanced_accuracy_score(y_test, preds)
print('balanced accuracy', bal)
""",
    score="bal",
    bar=0.85,
    base=0.5,
    seeds=3,
    faults=(
        Fault(cause="class_imbalance", old="                 class_weight=weights, verbose=2)", new="                 verbose=2)"),
        Fault(cause="softmax_on_single_unit", old="layers.Dense(1, activation='sigmoid', name='fraud')", new="layers.Dense(1, activation='softmax', name='fraud')",
              layer=("fraud",), beside=("class_imbalance",)),
        Fault(cause="inputs_not_scaled", old="scaler = StandardScaler().fit(train_df[features])\n", new="from sklearn.preprocessing import FunctionTransformer\nscaler = FunctionTransformer(np.asarray)   # trees did not need it\n",
              layer=("fc1",), beside=("class_imbalance",)),
        Fault(cause="nan_or_inf_in_data", old="df['V3'] = df['V3'].fillna(df['V3'].median())\n", new="", beside=("class_imbalance",)),
        Fault(cause="leakage_duplicates", old="train_df, test_df = train_test_split(df,", new="df = pd.concat([df] + 8 * [df[df.Class == 1]], ignore_index=True)   # oversample\ntrain_df, test_df = train_test_split(df,",
              certain=True),
    ),
    pairs=(("nan_or_inf_in_data", "softmax_on_single_unit"),),
)  # fmt: skip

CELLS = Program(
    name="kaggle_cells_mini_unet",
    odd="one output channel with a sigmoid, and most pixels are background",
    source='''
import numpy as np
import tensorflow as tf
from tensorflow.keras import layers as L

STATE = SEED
tf.keras.utils.set_random_seed(STATE)
IMG = 24
BATCH = 16


def fake_cells(n, seed):
    """Grey images 0-255 with bright spots, masks 0 or 255 like the PNGs of the competition."""
    r = np.random.RandomState(seed)
    yy, xx = np.mgrid[:IMG, :IMG]
    images = np.zeros((n, IMG, IMG, 1), np.uint8)
    masks = np.zeros((n, IMG, IMG, 1), np.uint8)
    for k in range(n):
        canvas = 60 + 40 * np.sin(xx / r.uniform(4, 9) + r.uniform(0, 6)) + r.normal(0, 18, (IMG, IMG))
        mask = np.zeros((IMG, IMG), bool)
        for _ in range(r.randint(1, 4)):
            cx, cy, a, b = r.randint(3, 21), r.randint(3, 21), r.uniform(2, 4.5), r.uniform(2, 4.5)
            mask |= ((xx - cx) / a) ** 2 + ((yy - cy) / b) ** 2 < 1
        canvas[mask] += 70
        images[k, ..., 0] = np.clip(canvas, 0, 255)
        masks[k, ..., 0] = mask * 255
    return images, masks


train_img, train_mask = fake_cells(320, 10 + STATE)
test_img, test_mask = fake_cells(80, 900 + STATE)


def prepare(img, mask):
    img = tf.cast(img, tf.float32) / 255.
    mask = tf.cast(mask, tf.float32) / 255.
    return img, mask


def prepare_test(img, mask):
    return prepare(img, mask)


def flip(img, mask):
    if tf.random.uniform(()) > .5:
        img, mask = tf.image.flip_left_right(img), tf.image.flip_left_right(mask)
    return img, mask


source = tf.data.Dataset.from_tensor_slices((train_img, train_mask))
train = source.map(prepare).cache().shuffle(320).map(flip).batch(BATCH).prefetch(2)
test = tf.data.Dataset.from_tensor_slices((test_img, test_mask)).map(prepare_test).batch(BATCH)


def block(x, f, name):
    x = L.Conv2D(f, 3, padding='same', activation='relu', kernel_initializer='he_normal', name=name + '_a')(x)
    return L.Conv2D(f, 3, padding='same', activation='relu', kernel_initializer='he_normal', name=name + '_b')(x)


inputs = L.Input((IMG, IMG, 1))
c1 = block(inputs, 8, 'down1')
c2 = block(L.MaxPooling2D()(c1), 16, 'down2')
u1 = L.concatenate([L.UpSampling2D()(c2), c1])
c3 = block(u1, 8, 'up1')
outputs = L.Conv2D(1, 1, activation='sigmoid', name='mask')(c3)
unet = tf.keras.Model(inputs, outputs)
unet.compile(optimizer=tf.keras.optimizers.Adam(3e-3), loss='binary_crossentropy', metrics=['accuracy'])
unet.fit(train, validation_data=test, epochs=8, verbose=0)

pred = unet.predict(test, verbose=0) > .5
truth = test_mask > 127
dice = 2 * (pred & truth).sum() / (pred.sum() + truth.sum() + 1)
print('dice', dice)
''',
    score="dice",
    bar=0.75,
    base=0.2,
    seeds=3,
    faults=(
        Fault(cause="softmax_on_single_unit", old="L.Conv2D(1, 1, activation='sigmoid', name='mask')", new="L.Conv2D(1, 1, activation='softmax', name='mask')", layer=("mask",)),
        Fault(cause="label_encoding", old="    mask = tf.cast(mask, tf.float32) / 255.\n", new="    mask = tf.cast(mask, tf.float32)\n", accept=("output_range_cannot_reach_targets", "targets_not_scaled"),
              beside=("wrong_head_for_labels", "wrong_loss_for_task")),
        Fault(cause="labels_shuffled_apart", old="source = tf.data.Dataset.from_tensor_slices((train_img, train_mask))\n",
              new="source = tf.data.Dataset.zip((tf.data.Dataset.from_tensor_slices(train_img).shuffle(320), tf.data.Dataset.from_tensor_slices(train_mask).shuffle(320)))\n",
              accept=("label_noise",), beside=("pipeline_order",)),
        Fault(cause="learning_rate_too_low", old="tf.keras.optimizers.Adam(3e-3)", new="tf.keras.optimizers.Adam(3e-6)", accept=("too_few_steps",)),
        Fault(cause="inputs_scaled_twice", old="    img = tf.cast(img, tf.float32) / 255.\n", new="    img = tf.image.convert_image_dtype(img, tf.float32) / 255.\n", beside=("inputs_not_scaled",)),
    ),
)  # fmt: skip

SALES = Program(
    name="kaggle_sales_gru_sequence",
    odd="one column, windows that overlap, and early stopping that may end it before the last epoch",
    source="""
import math
import numpy as np
import keras
from keras import layers

keras.utils.set_random_seed(SEED)
rs = np.random.RandomState(SEED)

# daily sales of one store: weekly rhythm, pay days, slow drift, noise
days = np.arange(1200)
week = np.array([.7, .75, .8, .95, 1.3, 1.6, .9])[days % 7]
drift = 1 + .25 * np.sin(days / 90)
payday = np.where(days % 30 < 3, 1.35, 1.)
sales = 5200 * week * drift * payday * np.exp(.05 * rs.randn(len(days)))

cut = 900
LOOKBACK = 14
mu, sigma = sales[:cut].mean(), sales[:cut].std()
train = (sales[:cut] - mu) / sigma
valid = (sales[cut:] - mu) / sigma


class Windows(keras.utils.PyDataset):
    def __init__(self, series, batch_size=32, shuffle=True, **kw):
        super().__init__(**kw)
        self.series, self.batch_size, self.shuffle = series, batch_size, shuffle
        self.index = np.arange(len(series) - LOOKBACK)
        self.on_epoch_end()

    def __len__(self):
        return math.ceil(len(self.index) / self.batch_size)

    def __getitem__(self, i):
        starts = self.index[i * self.batch_size:(i + 1) * self.batch_size]
        X = np.stack([self.series[s:s + LOOKBACK] for s in starts])
        y = np.stack([self.series[s + LOOKBACK] for s in starts])
        return X[..., None].astype('float32'), y[:, None].astype('float32')

    def on_epoch_end(self):
        if self.shuffle:
            np.random.shuffle(self.index)


inp = layers.Input((None, 1))
x = inp
x = layers.GRU(24, name='gru')(x)
x = layers.Dense(16, activation='relu', name='dense')(x)
out = layers.Dense(1, name='sales')(x)
model = keras.Model(inp, out)
model.compile(loss='mse', optimizer=keras.optimizers.Adam(0.005), metrics=['mae'])
es = keras.callbacks.EarlyStopping(monitor='val_loss', patience=2, restore_best_weights=True)
model.fit(Windows(train), validation_data=Windows(valid, shuffle=False), epochs=8, callbacks=[es], verbose=2)

holdout = Windows(valid, shuffle=False)
forecast = model.predict(holdout, verbose=0).ravel() * sigma + mu
actual = sales[cut + LOOKBACK:]
skill = 1 - np.mean((forecast - actual) ** 2) / np.var(actual)
print('skill against the mean: %.3f' % skill)
""",
    score="skill",
    bar=0.7,
    base=0.0,
    seeds=3,
    faults=(
        Fault(cause="input_ignored", old="x = inp\n", new="x = layers.LayerNormalization(name='norm')(inp)\n", layer=("norm",), beside=("frozen_or_disconnected",)),
        Fault(cause="exploding_gradient", old="layers.GRU(24, name='gru')", new="layers.SimpleRNN(24, activation='relu', recurrent_initializer=keras.initializers.RandomNormal(stddev=1.), name='gru')",
              layer=("gru",), accept=("init_scale",)),
        Fault(cause="output_range_cannot_reach_targets", old="layers.Dense(1, name='sales')", new="layers.Dense(1, activation='sigmoid', name='sales')",
              layer=("sales",), beside=("wrong_head_for_labels",)),
        Fault(cause="wrong_metric", old="metrics=['mae'])\nes = keras.callbacks.EarlyStopping(monitor='val_loss', patience=2,",
              new="metrics=['accuracy'])\nes = keras.callbacks.EarlyStopping(monitor='val_accuracy', patience=2,", accept=("too_few_steps",)),
        Fault(cause="inputs_not_scaled", old="return X[..., None].astype('float32'), y", new="return (X * sigma + mu)[..., None].astype('float32'), y", layer=("gru",), accept=("saturated_units",)),
        Fault(cause="leakage_feature", old="X = np.stack([self.series[s:s + LOOKBACK] for s in starts])", new="X = np.stack([self.series[s:s + LOOKBACK + 1] for s in starts])", certain=True),
    ),
)  # fmt: skip

TAGS = Program(
    name="kaggle_recipe_tags_multilabel",
    odd="a row may have no tag or four, and the sigmoids do not sum to one",
    source="""
import numpy as np
import tensorflow as tf
from sklearn.metrics import f1_score

tf.keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

TAGS = ['sweet', 'spicy', 'vegan', 'quick', 'festive']
n_rows, n_feat = 2400, 30
mix = rng.normal(size=(n_feat, 12)) * (rng.random((n_feat, 12)) < .35)
ing = rng.poisson(1.2, size=(n_rows, n_feat)).astype('float32')       # counts of ingredients
hid = np.tanh((ing - 1.2) @ mix / 2.)
score = hid @ rng.normal(size=(12, 5)) + 0.8 * hid[:, :5] * hid[:, 5:10]
Y = (score > np.quantile(score, [.55, .6, .5, .65, .6], axis=0).diagonal()).astype('float32')
print(dict(zip(TAGS, Y.mean(0))))

X = np.log1p(ing)
n_train = 1900
X_tr, X_va, Y_tr, Y_va = X[:n_train], X[n_train:], Y[:n_train], Y[n_train:]


def dataset(x, y, training):
    ds = tf.data.Dataset.from_tensor_slices((x, y))
    if training:
        ds = ds.shuffle(len(x), seed=SEED)
    return ds.batch(64).prefetch(tf.data.AUTOTUNE)


def build(width=64):
    inputs = tf.keras.Input((n_feat,), name='ingredients')
    h = tf.keras.layers.Dense(width, activation='relu', name='h1')(inputs)
    h = tf.keras.layers.Dense(width, activation='relu', name='h2')(h)
    tags = tf.keras.layers.Dense(len(TAGS), activation='sigmoid', name='tags')(h)
    model = tf.keras.Model(inputs, tags)
    model.compile(loss='binary_crossentropy', optimizer=tf.keras.optimizers.Adam(2e-3), metrics=['binary_accuracy'])
    return model


model = build()
model.fit(dataset(X_tr, Y_tr, True), validation_data=dataset(X_va, Y_va, False), epochs=16, verbose=2)
P = model.predict(X_va, verbose=0) > .5
agree = (P == (Y_va > .5)).mean(axis=0)
gain = (agree - np.maximum(Y_va.mean(0), 1 - Y_va.mean(0))) / np.minimum(Y_va.mean(0), 1 - Y_va.mean(0))
print('macro F1', f1_score(Y_va, P, average='macro', zero_division=0), 'gain over the commoner answer', gain.mean())
""",
    score="gain.mean()",
    bar=0.45,
    base=0.0,
    seeds=3,
    faults=(
        Fault(cause="wrong_head_for_labels", old="tags = tf.keras.layers.Dense(len(TAGS), activation='sigmoid', name='tags')(h)\n    model = tf.keras.Model(inputs, tags)\n    model.compile(loss='binary_crossentropy',",
              new="tags = tf.keras.layers.Dense(len(TAGS), activation='softmax', name='tags')(h)\n    model = tf.keras.Model(inputs, tags)\n    model.compile(loss='categorical_crossentropy',",
              layer=("tags",), accept=("wrong_loss_for_task",), beside=("label_encoding",)),
        Fault(cause="regularisation_overwhelms", old="activation='relu', name='h1')", new="activation='relu', kernel_regularizer=tf.keras.regularizers.L1(0.1), name='h1')", layer=("h1",)),
        Fault(cause="underfitting_capacity", old="def build(width=64):", new="def build(width=2):", layer=("h1", "h2")),
        Fault(cause="label_noise", old="n_train = 1900\n", new="n_train = 1900\nY[:n_train] = np.where(rng.random((n_train, 5)) < .42, 1 - Y[:n_train], Y[:n_train])   # careless annotators\n",
              accept=("labels_shuffled_apart",), beside=("overfitting",)),
        Fault(cause="symmetric_or_zero_init", old="h = tf.keras.layers.Dense(width, activation='relu', name='h2')", new="h = tf.keras.layers.Dense(width, activation='relu', kernel_initializer='zeros', name='h2')",
              layer=("h2",), beside=("init_scale", "frozen_or_disconnected")),
    ),
)  # fmt: skip

PROGRAMS = (FRAUD, CELLS, SALES, TAGS)
