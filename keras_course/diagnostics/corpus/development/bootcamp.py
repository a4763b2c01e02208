"""Final projects of a bootcamp: bookings that get cancelled, and podcasts sorted by their descriptions."""

from keras_course.diagnostics.corpus import Fault, Program

BOOKINGS = Program(
    name="bootcamp_hotel_bookings",
    source="""
# FINAL PROJECT - will this booking be cancelled? (synthetic stand-in for the client's export)
import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

RANDOM_STATE = SEED
np.random.seed(RANDOM_STATE)
tf.keras.utils.set_random_seed(RANDOM_STATE)

n = 4000
df = pd.DataFrame({
    'lead_time': np.random.gamma(1.2, 60, n).round(),
    'nights': 1 + np.random.poisson(2.5, n),
    'guests': np.random.choice([1, 2, 3, 4], n, p=[.25, .5, .15, .1]),
    'price': np.random.normal(110, 30, n).round(2),
    'requests': np.random.poisson(0.8, n),
    'channel': np.random.choice(['web', 'agency', 'phone', 'corporate'], n, p=[.5, .25, .15, .1]),
    'deposit': np.random.choice(['none', 'refundable', 'paid'], n, p=[.6, .2, .2]),
})
z = (0.022 * df.lead_time - 1.5 * df.requests + 1.5 * (df.channel == 'agency') - 1.2 * (df.channel == 'corporate')
     - 2.5 * (df.deposit == 'paid') + 2.2 * ((df.price > 120) & (df.deposit == 'none')) - 1.4 * (df.guests > 2))
df['is_cancelled'] = (z + np.random.logistic(0, 0.45, n) > 3.3).astype(int)
print(df.is_cancelled.value_counts(normalize=True))

df_train, df_test = train_test_split(df, test_size=0.3, stratify=df.is_cancelled, random_state=RANDOM_STATE)
y_train = df_train.pop('is_cancelled').values.astype('float32')
y_test = df_test.pop('is_cancelled').values.astype('float32')
df_train, df_test = pd.get_dummies(df_train, dtype=float), pd.get_dummies(df_test, dtype=float)
scaler = StandardScaler().fit(df_train)
x_train = scaler.transform(df_train).astype('float32')
x_test = scaler.transform(df_test).astype('float32')

# cancelled bookings are rare, missing one is expensive
pos_weight = float((y_train == 0).sum() / (y_train == 1).sum())

model = tf.keras.Sequential([
    tf.keras.layers.Dense(48, activation='relu'),
    tf.keras.layers.Dropout(0.3),
    tf.keras.layers.Dense(24, activation='relu'),
    tf.keras.layers.Dropout(0.3),
    tf.keras.layers.Dense(1, activation='sigmoid'),
])
optimizer = tf.keras.optimizers.Adam(learning_rate=2e-3)


def weighted_bce(y, p):
    w = tf.where(y == 1, pos_weight, 1.0)
    return -tf.reduce_mean(w * (y * tf.math.log(p + 1e-7) + (1 - y) * tf.math.log(1 - p + 1e-7)))


@tf.function
def train_one(xb, yb):
    with tf.GradientTape() as tape:
        p = model(xb, training=True)[:, 0]
        loss = weighted_bce(yb, p)
    variables = model.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    return loss


dataset = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(len(x_train)).batch(64)
for epoch in range(20):
    epoch_loss = np.mean([train_one(xb, yb).numpy() for xb, yb in dataset])
    p_test = model(x_test, training=False).numpy().flatten()
    correct = (p_test > 0.5) == (y_test == 1)
    caught, kept = correct[y_test == 1].mean(), correct[y_test == 0].mean()
    print(f'epoch {epoch + 1}: loss {epoch_loss:.4f} - cancelled found {caught:.3f} - others left alone {kept:.3f}')

balanced = (caught + kept) / 2
print('balanced accuracy', balanced)
""",
    score="balanced",
    bar=0.85,
    base=0.5,
    odd="a cross-entropy of one's own, weighted by hand",
    faults=(
        Fault(cause="softmax_on_single_unit", old="tf.keras.layers.Dense(1, activation='sigmoid')",
              new="tf.keras.layers.Dense(1, activation='softmax')",
              beside=("input_ignored", "frozen_or_disconnected", "vanishing_gradient")),
        Fault(cause="class_imbalance", old="pos_weight = float((y_train == 0).sum() / (y_train == 1).sum())",
              new="pos_weight = float((y_train == 1).sum() / (y_train == 0).sum())"),
        Fault(cause="loss_broadcast", old="p = model(xb, training=True)[:, 0]", new="p = model(xb, training=True)",
              beside=("input_ignored",)),
        Fault(cause="loss_metric_inconsistent", old="model(x_test, training=False).numpy().flatten()",
              new="model(x_test, training=False).numpy()", accept=("wrong_metric", "loss_broadcast")),
        Fault(cause="dropout_mode", old="model(x_test, training=False)", new="model(x_test, training=True)", certain=True),
        Fault(cause="leakage_duplicates", old="df_train, df_test = train_test_split(df,",
              new="df = pd.concat([df] + 5 * [df[df.is_cancelled == 1]])\ndf_train, df_test = train_test_split(df,",
              beside=("class_imbalance",), certain=True),
        Fault(cause="gradient_sign_flipped", old="return -tf.reduce_mean(", new="return tf.reduce_mean(",
              beside=("exploding_gradient", "saturated_units")),
    ),
    seeds=3,
)  # fmt: skip

PODCASTS = Program(
    name="bootcamp_podcast_genres",
    source="""
import re
import random
from collections import Counter
import numpy as np
import keras
from keras import layers
from keras.callbacks import EarlyStopping
import matplotlib.pyplot as plt

keras.utils.set_random_seed(SEED)
random.seed(SEED)

GENRES = {
    'crime': 'DETECTIVE VICTIM TRIAL SUSPECT COLD CASE MURDER EVIDENCE PRISON JURY HEIST ALIBI',
    'science': 'PLANET BRAIN VACCINE EXPERIMENT QUANTUM FOSSIL CLIMATE ORBIT NEURON THEORY LAB GENOME',
    'business': 'STARTUP MARKET INVESTOR BRAND SALES FOUNDER BANK STRATEGY TAX MERGER HIRING PRICING',
    'sports': 'MATCH COACH SEASON LEAGUE PENALTY TRANSFER STADIUM STRIKER MARATHON TITLE REFEREE RIVALS',
}
FILLER = ('TODAY WE TALK ABOUT THE STORY OF A NEW EPISODE WITH OUR GUEST WHO TELLS US HOW THIS CAME TO BE AND WHAT IT '
          'MEANS FOR YOU LISTEN NOW PART ONE TWO SPECIAL BONUS WEEK LIVE SHOW HOST LONG READ FULL HONEST').split()
names = list(GENRES)
for genre in names:
    print(genre, len(GENRES[genre].split()), 'key words')


def description(genre):
    words = random.choices(FILLER, k=random.randint(7, 14))
    words += random.choices(GENRES[genre].split(), k=random.randint(2, 4))
    words += random.choices(GENRES[random.choice(names)].split(), k=1)
    random.shuffle(words)
    return ' '.join(words) + random.choice(['!', '.', '...'])


rows = [(description(g), g) for g in names for _ in range(500)]
random.shuffle(rows)
texts = [text for text, genre in rows]
labels = np.array([names.index(genre) for text, genre in rows])


def clean(text):
    return re.sub('[^a-z ]', '', text.lower()).split()


counter = Counter()
for text in texts[:1600]:
    counter.update(clean(text))
vocab = {word: i + 2 for i, (word, _) in enumerate(counter.most_common(300))}   # 0 = padding, 1 = unknown


def encode(text, length=20):
    ids = [vocab.get(word, 1) for word in clean(text)][:length]
    return ids + [0] * (length - len(ids))


x = np.array([encode(text) for text in texts])
x_train, y_train = x[:1600], labels[:1600]
x_test, y_test = x[1600:], labels[1600:]

model = keras.Sequential([
    layers.Embedding(len(vocab) + 2, 16, mask_zero=True),
    layers.Bidirectional(layers.LSTM(12)),
    layers.Dropout(0.4),
    layers.Dense(len(names), activation='softmax'),
])
model.compile(optimizer=keras.optimizers.Adam(4e-3), loss='sparse_categorical_crossentropy', metrics=['accuracy'])

history = model.fit(
    x_train, y_train,
    validation_split=0.2,
    epochs=10,
    batch_size=32,
    callbacks=[EarlyStopping(monitor='val_loss', patience=2, restore_best_weights=True)],
    verbose=2,
)
test_accuracy = float(np.mean(model.predict(x_test, verbose=0).argmax(-1) == y_test))
print('genres right on the test set:', test_accuracy)
for text in texts[-3:]:
    print(text, '->', names[model.predict(np.array([encode(text)]), verbose=0)[0].argmax()])
""",
    score="test_accuracy",
    bar=0.85,
    base=0.25,
    faults=(
        Fault(cause="input_ignored", old="    counter.update(clean(text))", new="    counter.update(text.split())"),
        Fault(cause="validation_split_sorted", old="random.shuffle(rows)\n", new="", accept=("data_sorted",), beside=("missing_class",)),
        Fault(cause="label_noise", old="rows = [(description(g), g) for g in names for _ in range(500)]",
              new="rows = [(description(g), random.choice([g, random.choice(names)])) for g in names for _ in range(500)]"),
        Fault(cause="constant_labels", old="names.index(genre) for text, genre in rows",
              new="names.index(genre) for text, _ in rows", beside=("missing_class", "class_imbalance"),
              certain=True),
        Fault(cause="too_few_steps", old="    epochs=10,\n    batch_size=32,\n", new="    epochs=2,\n    batch_size=320,\n"),
        Fault(cause="leakage_feature", old="' '.join(words) +", new="genre + ': ' + ' '.join(words) +", certain=True),
        Fault(cause="learning_rate_too_high", old="Adam(4e-3)", new="Adam(0.4)",
              beside=("saturated_units", "oscillation", "exploding_gradient", "input_ignored")),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (BOOKINGS, PODCASTS)
