"""First scripts of people who learn it by themselves: one file, top to bottom, a table and a Sequential model."""

from keras_course.diagnostics.corpus import Fault, Program

CAT = Program(
    name="firststeps_cat_at_dinner",
    source='''
# Will Mimi be home for dinner? We kept a diary, now a neural network reads it :)
import numpy as np
import pandas as pd
import keras
from keras.layers import Dense
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(SEED)

# ---- the diary (two cats, three years) ----
n = 2000
diary = pd.DataFrame({
    "degrees": np.random.normal(14, 8, n).round(1),
    "rain_mm": np.where(np.random.rand(n) < 0.55, 0, np.random.exponential(6, n)).round(1),
    "wind_kmh": np.random.gamma(3, 6, n).round(),
    "breakfast_g": np.random.randint(20, 90, n),
    "birds": np.random.poisson(5, n),
    "weekend": (np.random.rand(n) < 2 / 7).astype(int),
})
mood = (0.035 * (diary.degrees - 16) ** 2 + 1.6 * np.log1p(diary.rain_mm) - 3.2
        - 0.12 * (diary.breakfast_g - 50) * np.where(diary.birds > 4, 1, -1)
        + np.where(diary.wind_kmh > 22, 1.5, -0.7) + np.random.normal(0, 0.7, n))
diary["home"] = np.where(mood > 0, "yes", "no")
diary["nap_minutes"] = np.where(mood > 0, np.random.randint(15, 120, n), 0)   # on the sofa
print(diary.head())

# ---- inputs and answer ----
y = (diary["home"] == "yes").astype(int)
x = diary.drop(columns=["home", "nap_minutes"])
x["rain_mm"] = np.log1p(x["rain_mm"])

x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, random_state=SEED)
mean, std = x_train.mean(), x_train.std()
x_train = (x_train - mean) / std
x_test = (x_test - mean) / std

# ---- the network ----
model = keras.Sequential()
model.add(keras.Input(shape=(x_train.shape[1],)))
model.add(Dense(48, activation="relu", name="hidden1"))
model.add(Dense(24, activation="relu", name="hidden2"))
model.add(Dense(1, name="answer"))
model.add(keras.layers.Activation("sigmoid", name="percent"))
model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
model.summary()

model.fit(x_train, y_train, epochs=35, batch_size=32, validation_split=0.2, verbose=2)

# ---- evenings it has not seen ----
answers = (model.predict(x_test, verbose=0)[:, 0] > 0.5).astype(int)
balanced = balanced_accuracy_score(y_test, answers)
print("balanced accuracy:", balanced)
''',
    score="balanced",
    bar=0.78,
    base=0.5,
    faults=(
        Fault(cause="softmax_on_single_unit", old='model.add(keras.layers.Activation("sigmoid", name="percent"))',
              new='model.add(keras.layers.Softmax(name="percent"))', layer=("percent", "answer")),
        Fault(cause="leakage_feature", old='x = diary.drop(columns=["home", "nap_minutes"])',
              new='x = diary.drop(columns="home")', certain=True),
        Fault(cause="nan_or_inf_in_data", old='np.log1p(x["rain_mm"])', new='np.log(x["rain_mm"])'),
        Fault(cause="leakage_duplicates", old='y = (diary["home"] == "yes").astype(int)\n',
              new='out = diary[diary["home"] == "no"]\n'
                  'diary = pd.concat([diary, out, out], ignore_index=True)   # she is home more often than not\n'
                  'y = (diary["home"] == "yes").astype(int)\n',
              certain=True),
        Fault(cause="validation_split_sorted", old="mean, std = x_train.mean(), x_train.std()\n",
              new="y_train = y_train.sort_values()\n"
                  "x_train = x_train.loc[y_train.index]\n"
                  "mean, std = x_train.mean(), x_train.std()\n",
              beside=("data_sorted", "missing_class", "class_imbalance"), certain=True),
        Fault(cause="underfitting_capacity", old='model.add(Dense(48, activation="relu", name="hidden1"))',
              new='model.add(Dense(1, activation="relu", name="hidden1"))', layer=("hidden1",)),
        Fault(cause="constant_labels", old='y = (diary["home"] == "yes")', new='y = (diary["home"] == "Yes")',
              beside=("missing_class", "label_encoding"), certain=True),
    ),
    seeds=3,
)  # fmt: skip

BICYCLE = Program(
    name="firststeps_bicycle_price",
    source='''
# What is a used bicycle worth?
# My first regression. The adverts are made up but I tried to make them realistic.
import numpy as np
import pandas as pd
import keras
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

keras.utils.set_random_seed(SEED)

# 1. adverts
n = 1600
ads = pd.DataFrame()
ads["age"] = np.random.uniform(0, 20, n)                          # years
ads["km"] = ads["age"] * np.random.uniform(50, 1500, n)
ads["frame"] = np.random.normal(56, 5, n)                         # cm
ads["grams"] = np.random.uniform(8000, 26000, n)
ads["electric"] = np.random.binomial(1, 0.3, n)
ads["brand"] = np.random.choice(["Falter", "Kettwig", "Nordrad", "Ziffer"], n)

new_price = ads["brand"].map({"Falter": 900, "Kettwig": 1500, "Nordrad": 2300, "Ziffer": 600})
new_price = new_price + 1400 * ads["electric"]
price = new_price * np.exp(-ads["age"] / np.where(ads["electric"] == 1, 3, 9)) * (1 - 0.4 * (ads["km"] > 6000))
price = price * np.exp(-((ads["frame"] - 56) / 7) ** 2) + 4 * np.abs(ads["grams"] / 1000 - 17) ** 2
old_ones = ads["age"] > 16                                        # collectors like them
price = price + old_ones * 700 * np.random.uniform(0.8, 1.2, n)
ads["price"] = price * np.random.normal(1, 0.08, n)
print(ads.describe())

# 2. x and y  (900 is about the average, 500 is about the spread)
ads = pd.get_dummies(ads, columns=["brand"], dtype=float)
x = ads.drop(columns="price")
y = ((ads["price"] - 900) / 500).values

# 3. train and test
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=1)
scaler = StandardScaler()
x_train = scaler.fit_transform(x_train)
x_test = scaler.transform(x_test)

# 4. model
model = keras.Sequential([
    keras.layers.Dense(64, activation="relu", name="first"),
    keras.layers.Dense(64, activation="relu", name="second"),
    keras.layers.Dense(1, name="price"),
])
model.compile(loss="mse", optimizer="rmsprop", metrics=["mae"])
history = model.fit(x_train, y_train, validation_data=(x_test, y_test), batch_size=24, epochs=40, verbose=2)

# 5. how good is it?
predicted = model.predict(x_test, verbose=0)[:, 0]
r2 = r2_score(y_test, predicted)
print("R2 =", r2)
print("mean error in euros:", np.abs(predicted - y_test).mean() * 500)
''',
    score="r2",
    bar=0.75,
    base=0.0,
    faults=(
        Fault(cause="targets_not_scaled", old='y = ((ads["price"] - 900) / 500).values', new='y = ads["price"].values',
              beside=("too_few_steps", "learning_rate_too_low")),
        Fault(cause="output_range_cannot_reach_targets", old='keras.layers.Dense(1, name="price")',
              new='keras.layers.Dense(1, activation="relu", name="price")', layer=("price",),
              beside=("dead_units",)),
        Fault(cause="inputs_not_scaled", old="scaler = StandardScaler()",
              new="scaler = StandardScaler(with_std=False)"),
        Fault(cause="labels_shuffled_apart", old='x = ads.drop(columns="price")\n',
              new='x = ads.drop(columns="price").sample(frac=1, random_state=1)\n'),
        Fault(cause="missing_nonlinearity", old="""\
    keras.layers.Dense(64, activation="relu", name="first"),
    keras.layers.Dense(64, activation="relu", name="second"),
""", new="""\
    keras.layers.Dense(64, name="first"),
    keras.layers.Dense(64, name="second"),
""", layer=("first", "second")),
        Fault(cause="regularisation_overwhelms", old="""\
    keras.layers.Dense(64, activation="relu", name="second"),
    keras.layers.Dense(1, name="price"),
""", new="""\
    keras.layers.Dense(64, activation="relu", kernel_regularizer=keras.regularizers.l2(0.5), name="second"),
    keras.layers.Dense(1, kernel_regularizer=keras.regularizers.l2(0.5), name="price"),
""", layer=("second", "price")),
        Fault(cause="too_few_steps", old="batch_size=24, epochs=40", new="batch_size=len(x_train), epochs=40",
              accept=("learning_rate_too_low",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [CAT, BICYCLE]
