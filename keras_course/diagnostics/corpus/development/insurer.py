"""Scripts of an insurance company: water damage in housing portfolios, and claims that end in court."""

from keras_course.diagnostics.corpus import Fault, Program

WATER = Program(
    name="insurer_water_damage_counts",
    source='''
# burst pipes 2016-2021: number of water claims per housing association
# v4 - the GLM of Henrike is replaced by a small net with the same offset
import numpy as np
import pandas as pd
import keras
from keras import layers, regularizers
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

N = 6000
REGIONS = ["north", "coast", "marsh", "ridge", "valley", "lakes", "city", "moor"]

# ---- portfolio -------------------------------------------------------------------------------------
pf = pd.DataFrame({
    "built": rng.integers(1900, 2021, N),
    "sum_insured": np.round(rng.lognormal(14.5, 0.7, N), -3),
    "pipe_age": rng.gamma(4.0, 7.0, N).round(1),
    "pressure": rng.normal(4.2, 0.8, N).round(2),
    "excess": rng.choice([0, 250, 500, 1000], N, p=[.3, .3, .25, .15]),
    "region": rng.choice(REGIONS, N),
    "copper": rng.integers(0, 2, N),
})
pf["flats"] = np.clip(rng.lognormal(2.6, 0.8, N), 1, 150).round()
pf["exposure"] = pf.flats * rng.uniform(0.3, 1.0, N)
effect = dict(zip(REGIONS, [-0.7, 0.5, 0.2, -0.4, 0.0, 0.9, 0.3, -0.9]))
eta = (
    -2.1
    + pf.region.map(effect)
    + 0.9 * np.tanh((pf.pipe_age - 28) / 10) * np.where(pf.copper == 1, 0.3, 1.2)
    + 0.8 * ((pf.pressure - 4.2).abs() > 0.9)
    - 0.8 * pf.excess / 1000
    + 0.6 * (pf.built < 1950)
)
pf["claims"] = rng.poisson(np.exp(eta) * pf.exposure)
pf["paid"] = (pf.claims * rng.lognormal(7.2, 0.4, N)).round(2)
pf.loc[rng.random(N) < 0.06, "pipe_age"] = np.nan       # caretaker did not answer

# ---- features --------------------------------------------------------------------------------------
pf["pipe_age"] = pf.pipe_age.fillna(pf.pipe_age.median())
pf["log_si"] = np.log(pf.sum_insured)
NUMERIC = ["built", "log_si", "pipe_age", "pressure", "excess", "copper"]

train, rest = train_test_split(pf, test_size=0.35, random_state=SEED)
valid, test = train_test_split(rest, test_size=0.5, random_state=SEED)
mu, sd = train[NUMERIC].mean(), train[NUMERIC].std()


def tensors(df):
    z = (df[NUMERIC] - mu) / sd
    codes = df.region.map(REGIONS.index)
    return [z.to_numpy("float32"), codes.to_numpy("int32"), np.log(df.exposure).to_numpy("float32")]


# ---- net -------------------------------------------------------------------------------------------
def build(units=(32, 16), l2=1e-4):
    num = keras.Input((len(NUMERIC),), name="num")
    reg = keras.Input((), dtype="int32", name="region")
    off = keras.Input((), name="log_exposure")
    x = layers.Concatenate()([num, layers.Embedding(len(REGIONS), 3, name="region_emb")(reg)])
    for i, u in enumerate(units):
        x = layers.Dense(u, activation="relu", kernel_regularizer=regularizers.L2(l2), name=f"hidden_{i}")(x)
    log_rate = layers.Dense(1, bias_initializer=keras.initializers.Constant(-2.0), name="log_rate")(x)
    mean = layers.Activation("exponential", name="mean")(layers.Add()([log_rate, layers.Reshape((1,))(off)]))
    return keras.Model([num, reg, off], mean)


net = build()
net.compile(
    optimizer=keras.optimizers.Adam(1e-3),
    loss=keras.losses.Poisson(),
    metrics=[keras.metrics.MeanAbsoluteError(name="off_by")],
)
stop = keras.callbacks.EarlyStopping(monitor="val_off_by", mode="min", patience=5, restore_best_weights=True)
net.fit(
    tensors(train), train.claims.to_numpy("float32")[:, None],
    validation_data=(tensors(valid), valid.claims.to_numpy("float32")[:, None]),
    epochs=25, batch_size=64, callbacks=[stop], verbose=2,
)

# ---- deviance on the test portfolio ----------------------------------------------------------------
def deviance(y, m):
    m = np.maximum(m, 1e-6)
    return 2 * np.mean(np.where(y > 0, y * np.log(np.maximum(y, 1) / m), 0.0) - y + m)


y = test.claims.to_numpy()
fitted = net.predict(tensors(test), verbose=0)[:, 0].astype(float)
flat_rate = train.claims.sum() / train.exposure.sum()
explained = 1 - deviance(y, fitted) / deviance(y, flat_rate * test.exposure.to_numpy())
print(f"deviance explained beyond the flat rate: {explained:.3f}")
''',
    score="max(explained, -1.0) if np.isfinite(explained) else -1.0",
    bar=0.5,
    base=0.0,
    faults=(
        Fault(cause="inputs_not_scaled", old="    z = (df[NUMERIC] - mu) / sd\n", new="    z = df[NUMERIC]\n",
              beside=("exploding_gradient", "dead_units", "learning_rate_too_high", "oscillation")),
        Fault(cause="nan_or_inf_in_data", old='pf["pipe_age"] = pf.pipe_age.fillna(pf.pipe_age.median())\n',
              new='pf["pipe_age"] = pf.pipe_age.clip(upper=90)\n'),
        Fault(cause="regularisation_overwhelms", old="units=(32, 16), l2=1e-4", new="units=(32, 16), l2=1.0",
              layer=("hidden_0", "hidden_1")),
        Fault(cause="wrong_metric", old='keras.metrics.MeanAbsoluteError(name="off_by")',
              new='keras.metrics.Accuracy(name="off_by")', accept=("loss_metric_inconsistent",),
              beside=("too_few_steps",)),
        Fault(cause="output_range_cannot_reach_targets", old='layers.Activation("exponential", name="mean")',
              new='layers.Activation("sigmoid", name="mean")', layer=("mean",),
              beside=("targets_not_scaled", "wrong_head_for_labels")),
        Fault(cause="leakage_feature", old='"pressure", "excess", "copper"]\n',
              new='"pressure", "excess", "copper", "paid"]\n', certain=True),
        Fault(cause="too_few_steps", old="epochs=25, batch_size=64,", new="epochs=2, batch_size=512,", beside=("learning_rate_too_low",)),
    ),
    seeds=3,
)  # fmt: skip

COURT = Program(
    name="insurer_claims_in_court",
    source='''
"""Which bodily-injury claims end in court? Plain logistic regression, so that legal can read the weights."""
import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

tf.random.set_seed(SEED)
rs = np.random.RandomState(SEED)

n = 5000
claims = pd.DataFrame(dict(
    reserve=rs.gamma(2.0, 6000.0, n),
    days_to_report=rs.exponential(20.0, n).astype(int),
    lawyer=rs.binomial(1, 0.3, n),
    age=rs.randint(18, 80, n),
    injury=rs.choice(['whiplash', 'fracture', 'burn', 'other'], n, p=[0.45, 0.25, 0.1, 0.2]),
    channel=rs.choice(['phone', 'web', 'agent'], n),
))
score = (
    1.0 * np.log(claims.reserve / 12000) + 1.7 * claims.lawyer + 0.035 * claims.days_to_report
    + claims.injury.map({'whiplash': 1.0, 'fracture': -1.0, 'burn': 0.6, 'other': 0.0})
    - 0.8 * (claims.channel == 'agent') - 0.02 * (claims.age - 50)
)
claims['court'] = (score + rs.logistic(0, 0.5, n) > 3.1).astype(int)
print('share in court', claims.court.mean())

# --- design matrix ----------------------------------------------------------------------------------
design = pd.get_dummies(claims.drop(columns='court'), columns=['injury', 'channel'], drop_first=True).astype(float)
design['reserve'] = np.log(design.reserve)
cut = 3500
design = (design - design[:cut].mean()) / design[:cut].std()
X = design.to_numpy('float32')
Y = claims['court'].to_numpy('float32').reshape(-1, 1)
X_train, Y_train = X[:cut], Y[:cut]
X_test, Y_test = X[cut:], Y[cut:]

POS_WEIGHT = float((1 - Y_train).sum() / max(Y_train.sum(), 1))   # about one in ten goes to court
LR, MOMENTUM, BATCH = 0.03, 0.9, 128

w = tf.Variable(tf.zeros((X.shape[1], 1)), name='w')     # one layer, zeros do no harm here
b = tf.Variable(tf.zeros((1,)), name='b')
velocity = [tf.Variable(tf.zeros_like(v), trainable=False) for v in (w, b)]


def forward(x):
    return tf.matmul(x, w) + b


def cost(y, z):
    return tf.reduce_mean(POS_WEIGHT * y * tf.nn.softplus(-z) + (1 - y) * tf.nn.softplus(z))


@tf.function
def update(x, y):
    with tf.GradientTape() as tape:
        c = cost(y, forward(x)) + 1e-4 * tf.nn.l2_loss(w)
    grads = tape.gradient(c, [w, b])
    for var, vel, g in zip((w, b), velocity, grads):
        vel.assign(MOMENTUM * vel + g)
        var.assign_sub(LR * vel)
    return c


for epoch in range(15):
    order = rs.permutation(cut)
    losses = []
    for start in range(0, cut, BATCH):
        rows = order[start:start + BATCH]
        losses.append(float(update(X_train[rows], Y_train[rows])))
    print('epoch %2d  loss %.4f' % (epoch, np.mean(losses)))

z_test = forward(X_test).numpy().ravel()
in_court = claims['court'].to_numpy()[cut:]
bal = balanced_accuracy_score(in_court, z_test > 0) if np.isfinite(z_test).all() else 0.5
print(pd.Series(w.numpy().ravel(), index=design.columns).round(2))
print('balanced accuracy', bal, 'auc', roc_auc_score(in_court, np.nan_to_num(z_test)))
''',
    score="bal",
    bar=0.8,
    base=0.5,
    odd="the weights of the single layer start at zero, which is right for a logistic regression",
    faults=(
        Fault(cause="gradient_sign_flipped", old="        vel.assign(MOMENTUM * vel + g)\n",
              new="        vel.assign(MOMENTUM * vel - g)\n", beside=("exploding_gradient",)),
        Fault(cause="loss_broadcast", old="    return tf.matmul(x, w) + b\n",
              new="    return tf.squeeze(tf.matmul(x, w) + b, axis=1)\n", beside=("input_ignored",)),
        Fault(cause="constant_labels", old="Y = claims['court'].to_numpy('float32').reshape(-1, 1)\n",
              new="Y = claims['court'].eq('yes').to_numpy('float32').reshape(-1, 1)\n", accept=("label_encoding",),
              beside=("missing_class",)),
        Fault(cause="class_imbalance", old="POS_WEIGHT = float((1 - Y_train).sum() / max(Y_train.sum(), 1)) ",
              new="POS_WEIGHT = 1.0 "),
        Fault(cause="optimiser_not_applied", old="        var.assign_sub(LR * vel)\n",
              new="        var = var - LR * vel\n"),
        Fault(cause="labels_shuffled_apart", old="        rows = order[start:start + BATCH]\n"
              "        losses.append(float(update(X_train[rows], Y_train[rows])))\n",
              new="        rows = order[start:start + BATCH]\n"
              "        losses.append(float(update(X_train[rows], Y_train[start:start + BATCH])))\n"),
        Fault(cause="nan_or_inf_in_data", old="np.log(design.reserve)", new="np.log(design.reserve.round(-3))"),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (WATER, COURT)
