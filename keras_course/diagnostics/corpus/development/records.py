"""Tables: fuel consumption, house prices with two outputs, rare fraud, ratings. Written before any verdict on them."""

from keras_course.diagnostics.corpus import Fault, Program

FUEL = Program(
    name="fuel_normalizer",
    source="""
import numpy as np
import tensorflow as tf
from mlxtend.data import autompg_data
from tensorflow.keras import layers

tf.keras.utils.set_random_seed(SEED)
features, mpg = autompg_data()
features = features[:, :7].astype('float32')  # the last column would be the name of the car
rows = np.random.permutation(len(mpg))
train, test = rows[:320], rows[320:]
train_features, test_features, train_labels, test_labels = features[train], features[test], mpg[train], mpg[test]

metric = 'mae'
normalizer = layers.Normalization()
normalizer.adapt(train_features)


def build_and_compile_model(norm):
    model = tf.keras.Sequential([
        norm,
        layers.Dense(64, activation='relu'),
        layers.Dense(64, activation='relu'),
        layers.Dense(1),
    ])
    model.compile(loss='mean_absolute_error', optimizer=tf.keras.optimizers.Adam(0.005), metrics=[metric])
    return model


dnn_model = build_and_compile_model(normalizer)
stop = tf.keras.callbacks.EarlyStopping(monitor='val_' + metric, patience=10, restore_best_weights=True)
history = dnn_model.fit(train_features, train_labels, validation_split=0.2, verbose=0, epochs=40, callbacks=[stop])
print(dnn_model.evaluate(test_features, test_labels, verbose=0))
""",
    score="1 - np.mean((dnn_model.predict(test_features, verbose=0)[:, 0] - test_labels) ** 2) / np.var(test_labels)",
    bar=0.75,
    base=0.0,
    faults=(
        Fault(cause="nan_or_inf_in_data", old="features[:, :7]", new="features"),
        Fault(cause="inputs_not_scaled", old="        norm,\n", new=""),
        Fault(cause="wrong_loss_for_task", old="loss='mean_absolute_error'", new="loss='binary_crossentropy'",
              accept=("wrong_head_for_labels", "output_range_cannot_reach_targets"),
              beside=("label_encoding", "logits_to_probability_loss", "wrong_metric", "targets_not_scaled")),
        Fault(cause="output_range_cannot_reach_targets", old="layers.Dense(1),", new="layers.Dense(1, activation='tanh'),",
              layer=("dense_2",), beside=("targets_not_scaled",)),
        Fault(cause="learning_rate_too_low", old="Adam(0.005)", new="Adam(5e-6)", beside=("targets_not_scaled",)),
        Fault(cause="wrong_metric", old="metric = 'mae'", new="metric = 'accuracy'", accept=("too_few_steps",)),
    ),
)  # fmt: skip

HOUSES = Program(
    name="boston_two_heads",
    source="""
import keras
import numpy as np
from keras import layers
from mlxtend.data import boston_housing_data
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler, StandardScaler, scale

keras.utils.set_random_seed(SEED)
X, price = boston_housing_data()
tax = X[:, 9]
X = np.delete(X, 9, axis=1)
price, tax = scale(price), scale(tax)
X_train, X_test, p_train, p_test, t_train, t_test = train_test_split(X, price, tax, test_size=0.25, random_state=SEED)
scaler = StandardScaler().fit(X_train)
X_train = scaler.transform(X_train)
X_test = scaler.transform(X_test)

inputs = keras.Input((X_train.shape[1],), name='house')
trunk = layers.Dense(48, activation='selu', kernel_initializer='lecun_normal', name='trunk')(inputs)
trunk = layers.LayerNormalization()(trunk)
side = layers.Dense(24, activation='selu', name='side')(trunk)
model = keras.Model(inputs, {'price': layers.Dense(1, name='price')(side), 'tax': layers.Dense(1, name='tax')(trunk)})
model.compile(keras.optimizers.Adam(0.005), loss={'price': 'mse', 'tax': 'mse'}, loss_weights={'price': 1.0, 'tax': 0.5})
model.fit(X_train, {'price': p_train, 'tax': t_train}, batch_size=24, epochs=20, verbose=0,
          validation_data=(X_test, {'price': p_test, 'tax': t_test}))
""",
    score="(lambda p: 1 - 0.5 * np.mean((p['price'][:, 0] - p_test) ** 2) / np.var(p_test) - 0.5 * np.mean((p['tax'][:, 0] - t_test) ** 2) / np.var(t_test))(model.predict(X_test, verbose=0))",
    bar=0.7,
    base=0.0,
    faults=(
        Fault(cause="targets_not_scaled", old="price, tax = scale(price), scale(tax)", new="price, tax = price * 1000, tax", beside=("learning_rate_too_low",)),
        Fault(cause="train_val_preprocessing_mismatch", old="X_test = scaler.transform(X_test)",
              new="X_test = MinMaxScaler(feature_range=(0, 255)).fit_transform(X_test)"),
        Fault(cause="leakage_feature", old="X = np.delete(X, 9, axis=1)\n", new="", certain=True),
        Fault(cause="frozen_or_disconnected", old="'tax': 0.5", new="'tax': 0.0", layer=("tax",)),
        Fault(cause="learning_rate_too_high", old="Adam(0.005)", new="RMSprop(2.0)", beside=("saturated_units",)),
        Fault(cause="regularisation_overwhelms", old="layers.Dense(48, activation='selu',",
              new="layers.Dense(48, activation='selu', kernel_regularizer=keras.regularizers.L1(5.0),", layer=("trunk",)),
    ),
)  # fmt: skip

FRAUD = Program(
    name="fraud_class_weight",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow import keras

rng = np.random.RandomState(SEED)
keras.utils.set_random_seed(SEED)
n = 4000
is_fraud = (rng.rand(n) < 0.03).astype('int32')
amount = np.round(np.exp(rng.normal(3 + 1.6 * is_fraud, 1.5)))  # whole dollars, some of them 0
hour = rng.randint(0, 24, n)
other = rng.normal(0.7 * is_fraud[:, None], 1.0, (n, 6))
amount = np.log1p(amount)
table = np.column_stack([amount, np.sin(hour / 3.8), np.cos(hour / 3.8), other]).astype('float32')
table[:, 0] = (table[:, 0] - table[:, 0].mean()) / table[:, 0].std()
table, is_fraud = table[:, :], is_fraud
train_x, train_y, val_x, val_y = table[:3000], is_fraud[:3000], table[3000:], is_fraud[3000:]
weight = {0: 0.52, 1: 16.0}

model = keras.Sequential([
    keras.Input((table.shape[1],)),
    keras.layers.Dense(24, activation='relu'),
    keras.layers.BatchNormalization(),
    keras.layers.Dropout(0.3),
    keras.layers.Dense(1, activation='sigmoid'),
])
model.compile(keras.optimizers.Adam(2e-3), 'binary_crossentropy', metrics=[keras.metrics.AUC(name='auc')])
model.fit(train_x, train_y, epochs=6, batch_size=64, class_weight=weight, validation_data=(val_x, val_y), verbose=0)
""",
    score="(lambda p: 0.5 * np.mean(p[val_y == 1]) + 0.5 * np.mean(~p[val_y == 0]))(model.predict(val_x, verbose=0)[:, 0] > 0.5)",
    bar=0.72,
    base=0.5,
    faults=(
        Fault(cause="class_imbalance", old="class_weight=weight, ", new=""),
        Fault(cause="class_imbalance", tag="swapped", old="weight = {0: 0.52, 1: 16.0}", new="weight = {0: 16.0, 1: 0.52}"),
        Fault(cause="nan_or_inf_in_data", old="amount = np.log1p(amount)", new="amount = np.log(amount)"),
        Fault(cause="leakage_feature", old="np.cos(hour / 3.8), other]", new="np.cos(hour / 3.8), other, is_fraud * 80 + rng.rand(n)]",
              certain=True, beside=("inputs_not_scaled",)),
        Fault(cause="leakage_duplicates", old="table, is_fraud = table[:, :], is_fraud\n",
              new="again = np.append(np.arange(n), np.repeat(np.flatnonzero(is_fraud), 20))\nrng.shuffle(again)\ntable, is_fraud = table[again], is_fraud[again]\n",
              certain=True, beside=("class_imbalance",)),
        Fault(cause="softmax_on_single_unit", old="Dense(1, activation='sigmoid')", new="Dense(1, activation='softmax')",
              layer=("dense_1",)),
        Fault(cause="constant_labels", old="train_y, val_x, val_y = table[:3000], is_fraud[:3000]",
              new="train_y, val_x, val_y = table[:3000], is_fraud[:3000].astype('int32') // 2",
              beside=("missing_class", "class_imbalance", "validation_split_sorted")),
    ),
)  # fmt: skip

RATINGS = Program(
    name="ratings_factors",
    source="""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)
taste, style = rng.normal(size=(150, 3)), rng.normal(size=(100, 3))
users, movies = rng.integers(0, 150, 6000), rng.integers(0, 100, 6000)
stars = np.clip(np.round(3 + (taste[users] * style[movies]).sum(1) + rng.normal(0, 0.3, 6000)), 1, 5)
x = np.stack([users, movies], axis=1)
y = ((stars - 1) / 4).astype('float32')
x_train, x_val, y_train, y_val = x[:5000], x[5000:], y[:5000], y[5000:]


class RecommenderNet(keras.Model):
    def __init__(self, num_users, num_movies, embedding_size, **kwargs):
        super().__init__(**kwargs)
        reg = keras.regularizers.l2(1e-6)
        self.user = layers.Embedding(num_users, embedding_size, embeddings_initializer='he_normal', embeddings_regularizer=reg)
        self.user_bias = layers.Embedding(num_users, 1)
        self.movie = layers.Embedding(num_movies, embedding_size, embeddings_initializer='he_normal', embeddings_regularizer=reg)
        self.movie_bias = layers.Embedding(num_movies, 1)

    def call(self, inputs):
        dot = keras.ops.sum(self.user(inputs[:, 0]) * self.movie(inputs[:, 1]), axis=1, keepdims=True)
        return keras.ops.sigmoid(dot + self.user_bias(inputs[:, 0]) + self.movie_bias(inputs[:, 1]))


model = RecommenderNet(150, 100, 8)
model.compile(loss=keras.losses.MeanSquaredError(), optimizer=keras.optimizers.Adam(learning_rate=0.02))
history = model.fit(x=x_train, y=y_train, batch_size=64, epochs=8, verbose=0, validation_data=(x_val, y_val))
""",
    score="1 - np.mean((model.predict(x_val, verbose=0)[:, 0] - y_val) ** 2) / np.var(y_val)",
    bar=0.5,
    base=0.0,
    faults=(
        Fault(cause="output_range_cannot_reach_targets", old="y = ((stars - 1) / 4)", new="y = stars",
              beside=("targets_not_scaled",)),
        Fault(cause="symmetric_or_zero_init",
              old="""embedding_size, embeddings_initializer='he_normal', embeddings_regularizer=reg)
        self.user_bias = layers.Embedding(num_users, 1)
        self.movie = layers.Embedding(num_movies, embedding_size, embeddings_initializer='he_normal',""",
              new="""embedding_size, embeddings_initializer='zeros', embeddings_regularizer=reg)
        self.user_bias = layers.Embedding(num_users, 1)
        self.movie = layers.Embedding(num_movies, embedding_size, embeddings_initializer='zeros',""",
              beside=("frozen_or_disconnected",), layer=("embedding", "embedding_2")),
        Fault(cause="labels_shuffled_apart", old="x_train, x_val, y_train", new="rng.shuffle(x)\nx_train, x_val, y_train",
              accept=("label_noise",)),
        Fault(cause="regularisation_overwhelms", old="l2(1e-6)", new="l2(0.1)", layer=("embedding", "embedding_2")),
        Fault(cause="learning_rate_too_low", old="learning_rate=0.02", new="learning_rate=2e-5"),
    ),
)  # fmt: skip

PROGRAMS = (FUEL, HOUSES, FRAUD, RATINGS)
