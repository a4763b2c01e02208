"""What people post with "why does my network not train": pictures, a table, prices, reviews."""

from keras_course.diagnostics.corpus import Fault, Program

SHAPES = Program(
    name="ask_shapes_cnn_momentum",
    odd="a rate of 0.02 with momentum 0.9 for a network with convolutions, and pictures that are mostly black",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow.keras.models import Sequential
from tensorflow.keras.layers import Input, Conv2D, MaxPooling2D, Flatten, Dense, Dropout
from tensorflow.keras.utils import to_categorical

np.random.seed(SEED)
tf.random.set_seed(SEED)

NAMES = ['circle', 'square', 'cross', 'triangle']
S = 20

def draw(kind):
    img = np.zeros((S, S))
    cx, cy = np.random.randint(7, 13, 2)
    r = np.random.randint(4, 7)
    yy, xx = np.mgrid[:S, :S]
    if kind == 'circle':
        img[(xx - cx)**2 + (yy - cy)**2 <= r*r] = 1
    elif kind == 'square':
        img[(abs(xx - cx) < r) & (abs(yy - cy) < r)] = 1
    elif kind == 'cross':
        img[(abs(xx - cx) < 2) & (abs(yy - cy) <= r)] = 1
        img[(abs(yy - cy) < 2) & (abs(xx - cx) <= r)] = 1
    else:
        img[(2*abs(xx - cx) <= yy - cy + r) & (abs(yy - cy) <= r)] = 1
    img = img * np.random.randint(110, 220) + np.random.normal(20, 12, (S, S))
    return np.clip(img, 0, 255).astype('uint8')

def make(per_class):
    images, labels = [], []
    for i, name in enumerate(NAMES):
        for _ in range(per_class):
            images.append(draw(name))
            labels.append(i)
    return np.array(images)[..., None], np.array(labels)

X, y = make(300)
X_test, y_test = make(60)

X = X.astype('float32') / 255
X_test = X_test.astype('float32') / 255
Y = to_categorical(y, 4)
Y_test = to_categorical(y_test, 4)

p = np.random.permutation(len(X))
X, Y = X[p], Y[p]

model = Sequential()
model.add(Input(shape=(S, S, 1)))
model.add(Conv2D(12, 3, activation='relu', name='conv1'))
model.add(MaxPooling2D())
model.add(Conv2D(24, 3, activation='relu', name='conv2'))
model.add(MaxPooling2D())
model.add(Flatten())
model.add(Dense(32, activation='relu', name='fc'))
model.add(Dropout(0.3))
model.add(Dense(4, activation='softmax', name='out'))

opt = tf.keras.optimizers.SGD(learning_rate=0.02, momentum=0.9)
model.compile(loss='categorical_crossentropy', optimizer=opt, metrics=['accuracy'])
history = model.fit(X, Y, batch_size=32, epochs=8, validation_split=0.25, verbose=2)

test_loss, test_acc = model.evaluate(X_test, Y_test, verbose=0)
print('test accuracy', test_acc)
""",
    score="test_acc",
    bar=0.85,
    base=0.25,
    seeds=3,
    faults=(
        Fault(cause="validation_split_sorted", old="p = np.random.permutation(len(X))\nX, Y = X[p], Y[p]\n", new="", accept=("missing_class",), beside=("data_sorted",)),
        Fault(cause="inputs_not_scaled", old="X = X.astype('float32') / 255\nX_test = X_test.astype('float32') / 255\n", new="X = X.astype('float32')\nX_test = X_test.astype('float32')\n",
              layer=("conv1",)),
        Fault(cause="labels_shuffled_apart", old="X, Y = X[p], Y[p]\n", new="np.random.shuffle(X)\nnp.random.shuffle(Y)\n", accept=("label_noise",)),
        Fault(cause="logits_to_probability_loss", old="model.add(Dense(4, activation='softmax', name='out'))", new="model.add(Dense(4, name='out'))", layer=("out",),
              accept=("wrong_head_for_labels",)),
        Fault(cause="symmetric_or_zero_init", old="Dense(32, activation='relu', name='fc')", new="Dense(32, activation='relu', kernel_initializer='zeros', name='fc')",
              layer=("fc",), beside=("init_scale", "frozen_or_disconnected")),
        Fault(cause="learning_rate_too_high", old="SGD(learning_rate=0.02, momentum=0.9)", new="SGD(learning_rate=2.0, momentum=0.9)"),
    ),
    pairs=(("inputs_not_scaled", "labels_shuffled_apart"),),
)  # fmt: skip

BREAST = Program(
    name="ask_breast_cancer_ann_csv",
    odd="classes are coded 2 and 4 in the file, as in the old Wisconsin data",
    source="""
import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

tf.keras.utils.set_random_seed(SEED)

# same layout as my csv: id, measurements, class (2 benign, 4 malignant)
raw = load_breast_cancer(as_frame=True)
df = raw.data.copy()
df.insert(0, 'id', np.random.randint(10000, 99999, len(df)))
df['class'] = np.where(raw.target == 1, 2, 4)

X = df.drop(columns=['id', 'class'])
y = (df['class'] == 4).astype(int)

X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=SEED)

sc = StandardScaler()
X_train = sc.fit_transform(X_train)
X_test = sc.transform(X_test)

classifier = tf.keras.Sequential()
classifier.add(tf.keras.layers.Input((X_train.shape[1],)))
classifier.add(tf.keras.layers.Dense(units=16, activation='relu', kernel_initializer='he_uniform', name='hidden_1'))
classifier.add(tf.keras.layers.Dense(units=8, activation='relu', kernel_initializer='he_uniform', name='hidden_2'))
classifier.add(tf.keras.layers.Dense(units=1, activation='sigmoid', name='output'))
classifier.compile(optimizer=tf.keras.optimizers.Adam(0.002), loss='binary_crossentropy', metrics=['accuracy'])

classifier.fit(X_train, y_train, batch_size=16, epochs=20, validation_data=(X_test, y_test), verbose=0)

y_pred = classifier.predict(X_test, verbose=0)[:, 0] > 0.5
malignant = df.loc[y_test.index, 'class'] == 4
print(pd.crosstab(malignant.values, y_pred))
accuracy = np.mean(y_pred == malignant.values)
print('accuracy', accuracy)
""",
    score="accuracy",
    bar=0.93,
    base=0.63,
    seeds=3,
    faults=(
        Fault(cause="softmax_on_single_unit", old="activation='sigmoid', name='output'", new="activation='softmax', name='output'", layer=("output",)),
        Fault(cause="train_val_preprocessing_mismatch", old="X_test = sc.transform(X_test)", new="X_test = X_test.values"),
        Fault(cause="label_encoding", old="y = (df['class'] == 4).astype(int)", new="y = df['class'].astype(int)",
              accept=("output_range_cannot_reach_targets",), beside=("wrong_head_for_labels", "wrong_loss_for_task")),
        Fault(cause="constant_labels", old="y = (df['class'] == 4).astype(int)", new="y = (df['class'] == '4').astype(int)", accept=("missing_class",), beside=("class_imbalance",)),
        Fault(cause="leakage_feature", old="df.drop(columns=['id', 'class'])", new="df.drop(columns=['id'])", certain=True),
    ),
)  # fmt: skip

PRICES = Program(
    name="ask_house_prices_tape_loop",
    odd="prices go up to a million and are scaled by hand, and the rate is twice Adam's default",
    source="""
import numpy as np
import tensorflow as tf
from tensorflow.keras import layers

tf.random.set_seed(SEED)
rng = np.random.RandomState(SEED)

n = 1500
area = rng.uniform(40, 220, n)
rooms = np.round(area / 30 + rng.normal(0, .7, n)).clip(1)
age = rng.uniform(0, 90, n)
dist = rng.exponential(6, n)
garden = rng.binomial(1, .4, n)
price = 1500 * area * (1 + np.exp(-dist / 3)) + 18000 * rooms - 55 * (age - 20) * np.abs(age - 55) + 60000 * garden * (dist > 5) \\
    + 15000 * rng.randn(n)
price = price.reshape(-1, 1)

features = np.column_stack([area, rooms, age, dist, garden])
train, test = np.arange(0, 1100), np.arange(1100, n)
features = (features - features[train].mean(0)) / features[train].std(0)
features = features.astype(np.float32)

y_mean, y_std = price[train].mean(), price[train].std()
y_train = ((price[train] - y_mean) / y_std).astype(np.float32)

act = 'relu'

class PriceNet(tf.keras.Model):
    def __init__(self):
        super().__init__()
        self.d1 = layers.Dense(48, activation=act, name='d1')
        self.d2 = layers.Dense(48, activation=act, name='d2')
        self.out = layers.Dense(1, name='price')

    def call(self, x):
        return self.out(self.d2(self.d1(x)))

model = PriceNet()
optimizer = tf.keras.optimizers.Adam(learning_rate=0.002)
dataset = tf.data.Dataset.from_tensor_slices((features[train], y_train)).shuffle(1100).batch(50)

@tf.function
def train_step(x, y):
    with tf.GradientTape() as tape:
        pred = model(x)
        loss = tf.reduce_mean(tf.square(pred - y))
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    return loss

for epoch in range(25):
    total = 0.
    for x, y in dataset:
        total += train_step(x, y)
    if epoch % 5 == 0:
        print('epoch', epoch, 'loss', float(total) / len(dataset))

predicted = model(features[test]).numpy() * y_std + y_mean
r2 = 1 - np.mean((predicted - price[test]) ** 2) / np.var(price[test])
print('R2 on test:', r2)
""",
    score="1 - np.mean((predicted.ravel() - price[test].ravel()) ** 2) / np.var(price[test])",
    bar=0.88,
    base=0.0,
    seeds=3,
    faults=(
        Fault(cause="loss_broadcast", old="price = price.reshape(-1, 1)\n", new=""),
        Fault(cause="targets_not_scaled", old="y_mean, y_std = price[train].mean(), price[train].std()", new="y_mean, y_std = 0., 1."),
        Fault(cause="optimiser_not_applied", old="    optimizer.apply_gradients(zip(gradients, model.trainable_variables))\n", new=""),
        Fault(cause="output_range_cannot_reach_targets", old="layers.Dense(1, name='price')", new="layers.Dense(1, activation='relu', name='price')",
              layer=("price",), beside=("wrong_head_for_labels",)),
        Fault(cause="learning_rate_too_high", old="Adam(learning_rate=0.002)", new="SGD(learning_rate=1.0)"),
    ),
    pairs=(("targets_not_scaled", "loss_broadcast"),),
)  # fmt: skip

REVIEWS = Program(
    name="ask_reviews_lstm_dataset",
    odd="files come by class, and only the shuffle mixes them; most words tell nothing",
    source="""
import random
import numpy as np
import tensorflow as tf
from tensorflow import keras

keras.utils.set_random_seed(SEED)

GOOD = 'great lovely brilliant touching funny superb'.split()
BAD = 'boring awful dull terrible slow messy'.split()
FILL = 'the movie film plot was is i think that actors story of a and with it to see this one really very'.split()

def review(positive):
    words = random.choices(FILL, k=random.randint(6, 16))
    for _ in range(random.randint(2, 3)):
        flip = random.random() < 0.3
        word = random.choice(GOOD if positive != flip else BAD)
        at = random.randint(0, len(words))
        words[at:at] = ['not', word] if flip else [word]
    return ' '.join(words)

def corpus(count):
    texts = [review(True) for _ in range(count)] + [review(False) for _ in range(count)]
    return texts, [1] * count + [0] * count

train_texts, train_labels = corpus(500)
test_texts, test_labels = corpus(150)

vocab = {w: i + 2 for i, w in enumerate(sorted({w for t in train_texts for w in t.split()}))}
MAXLEN = 20

def encode(texts):
    seqs = [[vocab.get(w, 1) for w in t.split()] for t in texts]
    return keras.utils.pad_sequences(seqs, maxlen=MAXLEN, padding='post', truncating='post')

x_train, x_test = encode(train_texts), encode(test_texts)
y_train, y_test = np.array(train_labels, 'float32'), np.array(test_labels, 'float32')

train_ds = tf.data.Dataset.from_tensor_slices((x_train, y_train))
train_ds = train_ds.shuffle(len(x_train)).batch(32).prefetch(tf.data.AUTOTUNE)
test_ds = tf.data.Dataset.from_tensor_slices((x_test, y_test)).batch(64)

model = keras.Sequential([
    keras.layers.Input(shape=(MAXLEN,), dtype='int32'),
    keras.layers.Embedding(len(vocab) + 2, 24, mask_zero=True, name='embedding'),
    keras.layers.LSTM(16, name='lstm'),
    keras.layers.Dense(1, activation='sigmoid', name='sentiment'),
])
model.compile(optimizer=keras.optimizers.Adam(8e-3), loss='binary_crossentropy', metrics=['accuracy'])
model.fit(train_ds, epochs=4, validation_data=test_ds, verbose=2)

prob = model.predict(x_test, verbose=0)[:, 0]
acc = float(np.mean((prob > 0.5) == y_test))
print('accuracy on new reviews: %.3f' % acc)
""",
    score="acc",
    bar=0.88,
    base=0.5,
    seeds=3,
    faults=(
        Fault(cause="shuffle_buffer_too_small", old="train_ds.shuffle(len(x_train)).batch(32)", new="train_ds.shuffle(20).batch(32)", accept=("data_sorted",)),
        Fault(cause="labels_shuffled_apart", old="tf.data.Dataset.from_tensor_slices((x_train, y_train))\n",
              new="tf.data.Dataset.zip((tf.data.Dataset.from_tensor_slices(x_train).shuffle(2000), tf.data.Dataset.from_tensor_slices(y_train)))\n", accept=("label_noise",), beside=("pipeline_order",)),
        Fault(cause="regularisation_overwhelms", old="keras.layers.LSTM(16, name='lstm')", new="keras.layers.LSTM(16, kernel_regularizer=keras.regularizers.L2(0.5), name='lstm')",
              layer=("lstm",)),
        Fault(cause="too_few_steps", old="model.fit(train_ds, epochs=4,", new="model.fit(train_ds.take(10), epochs=1,", beside=("learning_rate_too_low",)),
        Fault(cause="learning_rate_too_high", old="Adam(8e-3)", new="Adam(0.8)"),
    ),
)  # fmt: skip

PROGRAMS = (SHAPES, BREAST, PRICES, REVIEWS)
