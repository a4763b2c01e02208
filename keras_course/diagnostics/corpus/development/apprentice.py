"""Scripts by people in their first months: claims of motor fleets at an insurer, invoice lines at a retailer."""

from keras_course.diagnostics.corpus import Fault, Program

CLAIMS = Program(
    name="apprentice_fleet_claims",
    source='''
# notebook 03_claims_nn_v2 exported to .py
import numpy as np
import pandas as pd
import matplotlib
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
import keras
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

# ---- 1. data (stand-in for the extract from the warehouse, same columns) ----
n = 4000
df = pd.DataFrame({
    'vehicles': rng.integers(3, 40, n),
    'driver_age': rng.normal(41, 9, n).clip(19, 75),
    'km_per_year': rng.gamma(6, 5000, n),
    'payload_kg': rng.choice([800, 1500, 3500, 7500, 18000], n),
    'night_share': rng.beta(1.5, 5, n),
    'region': rng.choice(['north', 'south', 'port', 'capital'], n),
    'years_insured': rng.integers(0, 15, n),
})
region_effect = df.region.map({'north': -0.3, 'south': 0.0, 'port': 0.3, 'capital': 0.5})
log_rate = (-1.9 + 0.9 * np.log(df.vehicles / 10) + 0.0011 * (df.driver_age - 46) ** 2
            + 0.5 * np.log(df.km_per_year / 30000) + 1.6 * df.night_share * (df.payload_kg > 3000)
            + region_effect - 0.03 * df.years_insured)
df['claims'] = rng.poisson(6.5 * np.exp(log_rate))
df['reserve_eur'] = df.claims * 2300 + rng.gamma(2, 300, n)    # booked when the claims come in
# some fleets never reported their mileage
df.loc[rng.random(n) < 0.06, 'km_per_year'] = np.nan

# ---- 2. features ----
df['km_missing'] = df.km_per_year.isna().astype(int)
df['km_per_year'] = df.km_per_year.fillna(df.km_per_year.median())
df['log_vehicles'] = np.log(df.vehicles)
NUM = ['log_vehicles', 'driver_age', 'km_per_year', 'payload_kg', 'night_share', 'years_insured']
X = pd.concat([df[NUM], df[['km_missing']], pd.get_dummies(df.region, dtype=float)], axis=1)
y = df['claims']

X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=SEED)
X_train, X_val, y_train, y_val = train_test_split(X_train, y_train, test_size=0.2, random_state=SEED)

scaler = StandardScaler()
X_train = scaler.fit_transform(X_train)
X_val = scaler.transform(X_val)
X_test = scaler.transform(X_test)

# ---- 3. model ----
reg = keras.regularizers.l2(1e-4)
model = keras.Sequential([
    keras.Input((X_train.shape[1],)),
    layers.Dense(32, activation='relu', kernel_regularizer=reg, name='hidden_1'),
    layers.Dense(16, activation='relu', kernel_regularizer=reg, name='hidden_2'),
    layers.Dense(1, activation='exponential', kernel_regularizer=reg, name='expected_claims'),
])
model.compile(loss='poisson', optimizer=keras.optimizers.Adam(learning_rate=2e-3),
              metrics=['mae'])
es = keras.callbacks.EarlyStopping(monitor='val_loss', patience=6, restore_best_weights=True)
hist = model.fit(X_train, y_train.values, validation_data=(X_val, y_val.values),
                 epochs=25, batch_size=64, callbacks=[es], verbose=2)

# ---- 4. deviance on the test set, compared with "everybody gets the average" ----
def poisson_deviance(y, mu):
    y = np.asarray(y, float)
    mu = np.maximum(mu, 1e-6)
    return 2 * np.mean(np.where(y > 0, y * np.log(np.maximum(y, 1) / mu), 0) - y + mu)

pred = model.predict(X_test, verbose=0).ravel()
d2 = 1 - poisson_deviance(y_test, pred) / poisson_deviance(y_test, y_train.mean())
print(f'D2 on test: {d2:.3f}   mean claims {y_test.mean():.2f}, predicted {pred.mean():.2f}')
''',
    score="max(d2, -1.0)",
    bar=0.45,
    base=0.0,
    faults=(
        Fault(cause="nan_or_inf_in_data", old="df['km_per_year'] = df.km_per_year.fillna(df.km_per_year.median())\n",
              new=""),
        Fault(cause="leakage_feature", old="'night_share', 'years_insured']",
              new="'night_share', 'years_insured', 'reserve_eur']", certain=True),
        Fault(cause="inputs_not_scaled", old="scaler = StandardScaler()\nX_train = scaler.fit_transform(X_train)\n"
              "X_val = scaler.transform(X_val)\nX_test = scaler.transform(X_test)\n", new="", layer=("hidden_1",)),
        Fault(cause="train_val_preprocessing_mismatch", old="X_val = scaler.transform(X_val)\n", new="",
              beside=("inputs_not_scaled",), certain=True),
        Fault(cause="regularisation_overwhelms", old="l2(1e-4)", new="l2(1.0)",
              layer=("hidden_1", "hidden_2", "expected_claims")),
        Fault(cause="learning_rate_too_high", old="learning_rate=2e-3", new="learning_rate=0.2"),
        Fault(cause="output_range_cannot_reach_targets", old="activation='exponential'", new="activation='sigmoid'",
              layer=("expected_claims",), beside=("targets_not_scaled",)),
        Fault(cause="labels_shuffled_apart", old="scaler = StandardScaler()\n",
              new="X_train = X_train.sample(frac=1, random_state=SEED)\nscaler = StandardScaler()\n",
              beside=("label_noise",)),
    ),
    seeds=3,
)  # fmt: skip

INVOICES = Program(
    name="apprentice_invoice_lines",
    source='''
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

# Which cost centre does a line of an invoice belong to? (shops book them by hand today)
CENTRES = ['facilities', 'it', 'transport', 'marketing', 'staff']
WORDS = {
    'facilities': 'cleaning window boiler lamp paint lock plumber waste heating carpet repair roof',
    'it': 'laptop licence server cable printer toner monitor hosting support router scanner repair',
    'transport': 'pallet diesel toll freight van tyre courier driver customs ramp trailer lease',
    'marketing': 'flyer banner poster campaign photo display voucher design print window radio event',
    'staff': 'training uniform lunch taxi course shoes hotel gift agency overtime badge event',
}
FILLER = ('invoice for of the monthly service flat rate incl delivery store no article piece pcs set '
          'order according agreed per hour net position large small new various extra').split()


def read_centre(centre, lines):
    # one file per cost centre on the share; here they are made up
    own = WORDS[centre].split()
    out = []
    for _ in range(lines):
        words = list(rng.choice(FILLER, rng.integers(4, 10)))
        for _ in range(rng.integers(1, 4)):
            if rng.random() < 0.12:     # words of another department do turn up
                words.append(rng.choice(WORDS[rng.choice(CENTRES)].split()))
            else:
                words.append(rng.choice(own))
        words += [str(rng.integers(1, 500))] * rng.integers(0, 2)
        rng.shuffle(words)
        out.append(' '.join(words))
    return out


texts, labels = [], []
for i, centre in enumerate(CENTRES):
    lines = read_centre(centre, 800)
    texts += lines
    labels += [i] * len(lines)
texts, labels = np.array(texts), np.array(labels)

fold = np.arange(len(texts)) % 5          # every fifth line for validation, the next for the final test
train_x, train_y = texts[fold > 1], labels[fold > 1]
val_x, val_y = texts[fold == 0], labels[fold == 0]
test_x, test_y = texts[fold == 1], labels[fold == 1]

vectorize = layers.TextVectorization(max_tokens=600, output_sequence_length=14)
vectorize.adapt(train_x)


def dataset(x, y, training=False):
    ds = tf.data.Dataset.from_tensor_slices((vectorize(x), y)).cache()
    if training:
        ds = ds.shuffle(len(x))
        ds = ds.batch(32)
    else:
        ds = ds.batch(256)
    return ds.prefetch(tf.data.AUTOTUNE)


train_ds = dataset(train_x, train_y, training=True)
val_ds = dataset(val_x, val_y)
test_ds = dataset(test_x, test_y)

model = keras.Sequential([
    layers.Embedding(600, 16, mask_zero=True, name='words'),
    layers.SpatialDropout1D(0.2),
    layers.GRU(24, name='reader'),
    layers.Dropout(0.5),
    layers.Dense(len(CENTRES), name='centre'),
])
model.compile(
    optimizer=keras.optimizers.Adam(3e-3),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=['sparse_categorical_accuracy'],
)
model.fit(train_ds, validation_data=val_ds, epochs=4, verbose=2)

loss, accuracy = model.evaluate(test_ds, verbose=0)
print('test accuracy', accuracy)
''',
    score="accuracy",
    bar=0.8,
    base=0.2,
    odd="in the first epochs the validation loss is far below the training loss: dropout",
    faults=(
        Fault(cause="shuffle_buffer_too_small", old="shuffle(len(x))", new="shuffle(64)", accept=("data_sorted",)),
        Fault(cause="data_sorted", old="        ds = ds.shuffle(len(x))\n", new="", beside=("shuffle_buffer_too_small",)),
        Fault(cause="wrong_head_for_labels", old="layers.Dense(len(CENTRES), name",
              new="layers.Dense(1, name",
              layer=("centre",), beside=("label_encoding",)),
        Fault(cause="missing_class", old="train_x, train_y = texts[fold > 1], labels[fold > 1]",
              new="train_x, train_y = texts[fold > 1][:1200], labels[fold > 1][:1200]",
              beside=("class_imbalance", "validation_split_sorted")),
        Fault(cause="label_encoding", old="in enumerate(CENTRES):", new="in enumerate(CENTRES, 1):",
              accept=("wrong_head_for_labels",), beside=("missing_class",)),
        Fault(cause="input_ignored", old="vectorize.adapt(train_x)", new="vectorize.adapt(CENTRES)"),
        Fault(cause="train_val_preprocessing_mismatch", old="    ds = tf.data.Dataset.from_tensor_slices((vec",
              new="    vectorize.adapt(x)\n    ds = tf.data.Dataset.from_tensor_slices((vec", certain=True),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (CLAIMS, INVOICES)
