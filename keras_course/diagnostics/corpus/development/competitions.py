"""Kernels as people hand them in at competitions: tables, masks, short texts. Written before any verdict on them."""

from keras_course.diagnostics.corpus import Fault, Program

CHURN = Program(
    name="telco_churn_embeddings",
    odd="one customer in twelve leaves, and class weights let the loss of the frequent class grow",
    source="""
# Telco churn - entity embeddings + class weights
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers
from tensorflow.keras.callbacks import EarlyStopping, ReduceLROnPlateau
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_class_weight
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

tf.keras.utils.set_random_seed(SEED)
rng = np.random.RandomState(SEED)

# ---- data ----
N = 4000
df = {
    'contract': rng.choice(3, N, p=[.55, .25, .20]),
    'payment': rng.choice(4, N),
    'internet': rng.choice(3, N, p=[.35, .45, .20]),
    'tenure': rng.gamma(2., 14., N).clip(1, 72).round(),
    'monthly': rng.uniform(18, 118, N).round(2),
    'support_calls': rng.poisson(1.2, N).astype(float),
}
df['total'] = df['tenure'] * df['monthly'] * rng.uniform(.9, 1.1, N)
z = (-4.3 + np.array([2.2, .3, -1.2])[df['contract']] + np.array([.9, 0, -.3, -.3])[df['payment']]
     + np.array([0, 1.0, -.8])[df['internet']] - .05 * df['tenure'] + .012 * df['monthly'] + .45 * df['support_calls'])
df['churn'] = (rng.rand(N) < 1 / (1 + np.exp(-z))).astype(int)
df['final_invoice'] = np.where(df['churn'] == 1, rng.uniform(20, 90, N), 0.)   # only issued when somebody has left
print('churn rate: %.3f' % df['churn'].mean())

CATS = ['contract', 'payment', 'internet']
NUMS = ['tenure', 'monthly', 'total', 'support_calls']
TARGET = 'churn'

idx_tr, idx_va = train_test_split(np.arange(N), test_size=.25, random_state=SEED, stratify=df[TARGET])
sc = StandardScaler().fit(np.stack([df[c] for c in NUMS], 1)[idx_tr])


def make_inputs(idx):
    d = {c: df[c][idx].astype('int32') for c in CATS}
    d['nums'] = sc.transform(np.stack([df[c] for c in NUMS], 1)[idx]).astype('float32')
    return d


def build_model(emb_dim=4, hidden=(64, 32), p=.3):
    inputs, parts = [], []
    for c in CATS:
        i = layers.Input(shape=(1,), name=c, dtype='int32')
        e = layers.Embedding(int(df[c].max()) + 1, emb_dim, name='emb_' + c)(i)
        parts.append(layers.Flatten()(e))
        inputs.append(i)
    n = layers.Input(shape=(len(NUMS),), name='nums')
    inputs.append(n)
    h = layers.concatenate(parts + [n])
    for k, units in enumerate(hidden):
        h = layers.Dense(units, activation='relu', name=f'fc{k}')(h)
        h = layers.Dropout(p)(h)
    out = layers.Dense(1, activation='sigmoid', name='prob')(h)
    return keras.Model(inputs, out)


y_tr, y_va = df[TARGET][idx_tr], df[TARGET][idx_va]
w = compute_class_weight('balanced', classes=np.array([0, 1]), y=y_tr)
class_weight = {0: w[0], 1: w[1]}

model = build_model()
model.compile(optimizer=keras.optimizers.Adam(2e-3), loss='binary_crossentropy', metrics=[keras.metrics.AUC(name='auc')])
hist = model.fit(
    make_inputs(idx_tr), y_tr,
    validation_data=(make_inputs(idx_va), y_va),
    epochs=25, batch_size=64, verbose=0,
    class_weight=class_weight,
    callbacks=[EarlyStopping(monitor='val_auc', mode='max', patience=8, restore_best_weights=True),
               ReduceLROnPlateau(monitor='val_auc', mode='max', factor=.5, patience=3)],
)
oof = model.predict(make_inputs(idx_va), verbose=0)[:, 0]
print('AUC  ', roc_auc_score(y_va, oof))
print('bacc ', balanced_accuracy_score(y_va, oof > .5))
""",
    score="balanced_accuracy_score(y_va, oof > .5)",
    bar=0.7,
    base=0.5,
    seeds=3,
    faults=(
        Fault(cause="class_imbalance", old="    class_weight=class_weight,\n", new=""),
        Fault(cause="softmax_on_single_unit", old="activation='sigmoid', name='prob'", new="activation='softmax', name='prob'", layer=("prob",),
              beside=("wrong_head_for_labels",)),
        Fault(cause="wrong_head_for_labels", old="loss='binary_crossentropy'", new="loss='categorical_crossentropy'", layer=("prob",),
              accept=("wrong_loss_for_task",)),
        Fault(cause="leakage_feature", old="'total', 'support_calls']", new="'total', 'support_calls', 'final_invoice']", certain=True),
        Fault(cause="learning_rate_too_high", old="keras.optimizers.Adam(2e-3)", new="keras.optimizers.Adam(2.0)"),
    ),
)  # fmt: skip

TAXI = Program(
    name="taxi_trip_duration",
    odd="its inputs are places within a city and hours; nobody gives it the distance",
    source='''
import math
import numpy as np
import keras
from keras import layers
from sklearn.preprocessing import StandardScaler

keras.utils.set_random_seed(SEED)
gen = np.random.default_rng(SEED + 11)


class CFG:
    n_rows = 3000
    epochs = 30
    batch = 64
    lr = 2e-3
    hidden = [64, 64, 32]


def load():
    """Synthetic stand-in for train.csv."""
    n = CFG.n_rows
    lat0, lat1 = 40.75 + 0.035 * gen.standard_normal((2, n))
    lon0, lon1 = -73.97 + 0.03 * gen.standard_normal((2, n))
    hour = gen.integers(0, 24, n)
    passengers = gen.integers(1, 6, n)
    km = 111 * np.abs(lat0 - lat1) + 84 * np.abs(lon0 - lon1)
    rush = np.isin(hour, [7, 8, 9, 16, 17, 18])
    speed = np.where(rush, 11.0, 22.0)
    seconds = 60 + 3600 * km / speed * np.exp(0.1 * gen.standard_normal(n))
    return np.stack([lat0, lon0, lat1, lon1], 1), hour, passengers, seconds


coords, hour, passengers, trip_duration = load()
target = np.log1p(trip_duration)             # the metric is RMSLE
angle = 2 * math.pi * hour / 24
X = np.column_stack([coords, np.sin(angle), np.cos(angle), passengers])
cut = int(0.8 * len(X))
X_train, X_valid = X[:cut], X[cut:]
t_mean = target[:cut].mean()
y_train, y_valid = target[:cut] - t_mean, target[cut:] - t_mean

scaler = StandardScaler()
X_train = scaler.fit_transform(X_train)
X_valid = scaler.transform(X_valid)

net = keras.Sequential(name="trip_net")
net.add(keras.Input((X_train.shape[1],)))
for i, units in enumerate(CFG.hidden):
    net.add(layers.Dense(units, activation="relu", name=f"hidden_{i}"))
net.add(layers.Dense(1, name="log_seconds"))
net.compile(keras.optimizers.Adam(CFG.lr), loss="mse", metrics=[keras.metrics.RootMeanSquaredError(name="rmsle")])
net.fit(X_train, y_train, epochs=CFG.epochs, batch_size=CFG.batch, validation_data=(X_valid, y_valid), verbose=0)

pred = net.predict(X_valid, verbose=0).ravel()
print("RMSLE:", np.sqrt(np.mean((pred - y_valid) ** 2)), " baseline:", y_valid.std())
''',
    score="1 - np.mean((pred - y_valid) ** 2) / np.var(y_valid)",
    bar=0.75,
    base=0.0,
    seeds=3,
    faults=(
        Fault(cause="inputs_not_scaled", old="X_train = scaler.fit_transform(X_train)\nX_valid = scaler.transform(X_valid)\n", new=""),
        Fault(cause="train_val_preprocessing_mismatch", old="X_valid = scaler.transform(X_valid)\n", new=""),
        Fault(cause="missing_nonlinearity", old='layers.Dense(units, activation="relu", name=f"hidden_{i}")', new='layers.Dense(units, name=f"hidden_{i}")',
              layer=("hidden_0", "hidden_1", "hidden_2")),
        Fault(cause="output_range_cannot_reach_targets", old='layers.Dense(1, name="log_seconds")', new='layers.Dense(1, activation="sigmoid", name="log_seconds")',
              layer=("log_seconds",), beside=("wrong_head_for_labels",)),
        Fault(cause="learning_rate_too_low", old="lr = 2e-3", new="lr = 2e-6", accept=("too_few_steps",)),
        Fault(cause="wrong_loss_for_task", old='loss="mse"', new='loss="binary_crossentropy"', accept=("logits_to_probability_loss",),
              beside=("wrong_head_for_labels", "label_encoding"), layer=("log_seconds",)),
        Fault(cause="wrong_metric", old='metrics=[keras.metrics.RootMeanSquaredError(name="rmsle")]', new='metrics=["accuracy"]', certain=True),
        Fault(cause="vanishing_gradient", old='for i, units in enumerate(CFG.hidden):\n    net.add(layers.Dense(units, activation="relu", name=f"hidden_{i}"))',
              new='for i, units in enumerate(CFG.hidden * 4):\n    net.add(layers.Dense(units, activation="sigmoid", name=f"hidden_{i}"))', beside=("init_scale",)),
    ),
    pairs=(("missing_nonlinearity", "learning_rate_too_low"),),
)  # fmt: skip

NUCLEI = Program(
    name="nuclei_unet_dice",
    odd="four pixels in five are background, and the loss is an overlap that never comes near 0",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow.keras import Input, Model
from tensorflow.keras.layers import Conv2D, MaxPooling2D, UpSampling2D, Concatenate
from tensorflow.keras.optimizers import Adam
from tensorflow.keras import backend as K

tf.keras.utils.set_random_seed(SEED)
IMG = 32
AUTO = tf.data.AUTOTUNE

def draw(n, seed):
    r = np.random.RandomState(seed)
    yy, xx = np.mgrid[:IMG, :IMG]
    images, masks = [], []
    for _ in range(n):
        mask = np.zeros((IMG, IMG), bool)
        for _ in range(r.randint(1, 4)):
            cy, cx = r.uniform(5, 27, 2)
            a, b = r.uniform(3, 7, 2)
            mask |= ((yy - cy) / a) ** 2 + ((xx - cx) / b) ** 2 < 1
        bg = r.uniform(30, 90)
        img = bg + r.uniform(50, 110) * mask + 18 * r.randn(IMG, IMG)
        images.append(np.clip(img, 0, 255)); masks.append(mask)
    return np.array(images, 'uint8')[..., None], np.array(masks, 'float32')[..., None]

X_train, Y_train = draw(224, 100 + SEED)
X_test, Y_test = draw(60, 500 + SEED)

def preprocess(img, msk):
    img = tf.cast(img, tf.float32) / 255.
    return img, msk

def augment(img, msk):
    if tf.random.uniform(()) > .5:
        img = tf.image.flip_left_right(img)
        msk = tf.image.flip_left_right(msk)
    return img, msk

train_ds = (tf.data.Dataset.from_tensor_slices((X_train, Y_train))
            .map(preprocess, AUTO).cache().shuffle(224).map(augment, AUTO).batch(14).prefetch(AUTO))
test_ds = tf.data.Dataset.from_tensor_slices((X_test, Y_test)).map(preprocess).batch(30)

def dice_coef(y_true, y_pred, smooth=1.):
    inter = tf.reduce_sum(y_true * y_pred, axis=[1, 2, 3])
    union = tf.reduce_sum(y_true, axis=[1, 2, 3]) + tf.reduce_sum(y_pred, axis=[1, 2, 3])
    return tf.reduce_mean((2. * inter + smooth) / (union + smooth))

def dice_loss(y_true, y_pred):
    return 1. - dice_coef(y_true, y_pred)

def block(x, f):
    x = Conv2D(f, 3, activation='relu', padding='same', kernel_initializer='he_normal')(x)
    return Conv2D(f, 3, activation='relu', padding='same', kernel_initializer='he_normal')(x)

inp = Input((IMG, IMG, 1))
c1 = block(inp, 8)
c2 = block(MaxPooling2D()(c1), 16)
c3 = block(MaxPooling2D()(c2), 24)
u2 = block(Concatenate()([UpSampling2D()(c3), c2]), 16)
u1 = block(Concatenate()([UpSampling2D()(u2), c1]), 8)
out = Conv2D(1, 1, activation='sigmoid', name='mask')(u1)
unet = Model(inp, out)
unet.compile(optimizer=Adam(learning_rate=3e-3), loss=dice_loss, metrics=[dice_coef])
unet.fit(train_ds, validation_data=test_ds, epochs=9, verbose=2)

P = unet.predict(test_ds, verbose=0) > .5
dice = np.mean(2 * (P & (Y_test > .5)).sum((1, 2, 3)) / np.maximum(1, P.sum((1, 2, 3)) + Y_test.sum((1, 2, 3))))
print('test dice %.3f' % dice)
""",
    score="dice",
    bar=0.85,
    base=0.33,
    seeds=3,
    faults=(
        Fault(cause="gradient_sign_flipped", old="    return 1. - dice_coef(y_true, y_pred)", new="    return 1. + dice_coef(y_true, y_pred)"),
        Fault(cause="labels_shuffled_apart", old="tf.data.Dataset.from_tensor_slices((X_train, Y_train))\n",
              new="tf.data.Dataset.zip((tf.data.Dataset.from_tensor_slices(X_train).shuffle(224), tf.data.Dataset.from_tensor_slices(Y_train)))\n",
              accept=("label_noise",)),
        Fault(cause="learning_rate_too_high", old="Adam(learning_rate=3e-3)", new="Adam(learning_rate=0.3)"),
        Fault(cause="inputs_scaled_twice", old="return np.array(images, 'uint8')[..., None],", new="return np.array(images, 'float32')[..., None] / 255.,", beside=("inputs_not_scaled",)),
        Fault(cause="constant_labels", old="images.append(np.clip(img, 0, 255)); masks.append(mask)",
              new="images.append(np.clip(img, 0, 255)); masks.append(mask == 255)", beside=("missing_class", "label_encoding", "class_imbalance")),
    ),
)  # fmt: skip

TWEETS = Program(
    name="disaster_tweets_conv",
    odd="words of disaster stand in harmless messages too",
    source='''
import random
import numpy as np
from collections import Counter
from keras.models import Sequential
from keras.layers import Input, Embedding, Conv1D, GlobalMaxPooling1D, Dense, Dropout
from keras.optimizers import Adam
from keras.utils import set_random_seed, pad_sequences

set_random_seed(SEED)

ALARM = "fire flood quake storm crash blast smoke rescue victims evacuated collapsed injured".split()
PLACES = "river bridge airport village harbour station highway school factory valley".split()
FUN = "party song match pizza movie weekend birthday concert sale recipe".split()
FILLER = [a + b for a in "ba ke li mo nu ra so ti vu we".split() for b in "dan fer gol hin jup kam lot".split()]


def tweet(real):
    words = random.choices(FILLER, k=11)
    if real:
        words += random.sample(ALARM, 2) + random.sample(PLACES, 2)
    elif random.random() < 0.5:
        words += random.sample(ALARM, 1) + random.sample(FUN, 2) + random.sample(PLACES, 1)
    else:
        words += random.sample(FUN, 2) + random.sample(FILLER, 2)
    random.shuffle(words)
    return " ".join(words).upper()


# the file has the real ones first
rows = [(tweet(True), "yes") for _ in range(900)] + [(tweet(False), "no") for _ in range(900)]
random.shuffle(rows)
texts = [text for text, _ in rows]
labels = np.array([answer == "yes" for _, answer in rows]).astype("float32")

counts = Counter(word for text in texts for word in text.lower().split())
word_index = {word: i + 2 for i, (word, _) in enumerate(counts.most_common(500))}   # 0 = padding, 1 = unknown


def encode(text):
    return [word_index.get(word, 1) for word in text.lower().split()]


max_len = 20
X = pad_sequences([encode(text) for text in texts], maxlen=max_len)
y = labels
X_train, y_train = X[:1500], y[:1500]
X_test, y_test = X[1500:], y[1500:]
truth = np.array([answer == "yes" for _, answer in rows[1500:]])

model = Sequential([
    Input(shape=(max_len,)),
    Embedding(len(word_index) + 2, 16),
    Conv1D(32, 5, activation="relu"),
    GlobalMaxPooling1D(),
    Dropout(0.2),
    Dense(16, activation="relu"),
    Dense(1, activation="sigmoid"),
])
model.compile(loss="binary_crossentropy", optimizer=Adam(learning_rate=0.003), metrics=["accuracy"])
model.summary()
history = model.fit(X_train, y_train, batch_size=32, epochs=10, validation_split=0.2)
print("test:", np.mean((model.predict(X_test)[:, 0] > 0.5) == truth))
''',
    score="np.mean((model.predict(X_test, verbose=0)[:, 0] > 0.5) == truth)",
    bar=0.93,
    base=0.5,
    seeds=3,
    faults=(
        Fault(cause="validation_split_sorted", old="random.shuffle(rows)\n", new="", certain=True,
              beside=("data_sorted", "train_val_preprocessing_mismatch")),
        Fault(cause="leakage_duplicates", old="random.shuffle(rows)\n", new="rows = rows * 2      # oversampling\nrandom.shuffle(rows)\n", certain=True),
        Fault(cause="constant_labels", old='labels = np.array([answer == "yes" for', new='labels = np.array([answer == "Yes" for',
              beside=("missing_class", "label_encoding")),
        Fault(cause="input_ignored", old="return [word_index.get(word, 1) for word in text.lower().split()]", new="return [word_index.get(word, 1) for word in text.split()]",
              beside=("label_noise", "labels_shuffled_apart")),
        Fault(cause="label_encoding", old=' for _, answer in rows]).astype("float32")', new=' for _, answer in rows]).astype("float32") + 1',
              accept=("output_range_cannot_reach_targets",), beside=("wrong_head_for_labels", "missing_class")),
        Fault(cause="learning_rate_too_low", old="Adam(learning_rate=0.003)", new="Adam(learning_rate=0.000001)", accept=("too_few_steps",)),
    ),
)  # fmt: skip

PROGRAMS = (CHURN, TAXI, NUCLEI, TWEETS)
