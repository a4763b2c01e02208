"""A pupil's science-fair project about paper planes, and the teacher's model solution of it."""

from keras_course.diagnostics.corpus import Fault, Program

PUPIL = Program(
    name="fair_planes_pupil",
    source="""
# SCIENCE FAIR: Can a computer know if my paper plane flies over the blue line???
# by Mila, class 8b
#
# I folded lots of planes with my cousin and we threw them in the gym. The blue line is
# the middle line of the basketball field. I can't put our whole exercise book in here so the
# planes below come out of random numbers that look like ours (my uncle helped me with that part)
import keras
import numpy as np
import pandas as pd

keras.utils.set_random_seed(SEED)
np.random.seed(SEED)

HOW_MANY = 1800
BLUE_LINE = 7.4   # metres

planes = pd.DataFrame()
planes['wing_cm'] = np.random.uniform(6, 15, HOW_MANY)
planes['paper_g'] = np.random.choice([80, 100, 120, 160, 200], HOW_MANY)   # grams per square metre
planes['nose_clips'] = np.random.randint(0, 4, HOW_MANY)
planes['flap_degrees'] = np.random.uniform(-5, 35, HOW_MANY)
planes['throw_km_h'] = np.random.normal(22, 4, HOW_MANY)
planes['folds'] = np.random.randint(5, 14, HOW_MANY)

# how far they go: too much flap = looping, too little = nose dive!
good_flap = 8 + 5 * planes['nose_clips']
glide = 1.6 - ((planes['flap_degrees'] - good_flap) / 11) ** 2
heavy = (planes['paper_g'] * planes['wing_cm'] ** 2 / 20000 - 0.7) ** 2
metres = 7 + 0.18 * (planes['throw_km_h'] - 22) + 2.4 * np.maximum(glide, -1.8) - 1.6 * heavy
metres = metres + np.random.normal(0, 0.3, HOW_MANY)
planes['metres'] = np.maximum(metres, 0.5).round(1)
planes['over_the_line'] = np.where(planes['metres'] > BLUE_LINE, 'yes', 'no')
planes['jury_points'] = (planes['metres'] * 3 + np.random.uniform(-1, 1, HOW_MANY)).round()

# the book is sorted by kind of plane, so I mix the pages
planes = planes.sample(frac=1.0, random_state=SEED)

# 400 planes are SECRET. the computer never sees them until the end
secret = planes[:400]
known = planes[400:]

columns = ['wing_cm', 'paper_g', 'nose_clips', 'flap_degrees', 'throw_km_h', 'folds']


def get_x(table):
    return np.array(table[columns], dtype='float32')


def get_y(table):
    return np.array([1 if answer == 'yes' else 0 for answer in table['over_the_line']], dtype='float32')


x = get_x(known)
y = get_y(known)
x_secret = get_x(secret)
y_secret = get_y(secret)

# my teacher said all numbers should be about as big as 1
middle = x.mean(axis=0)
spread = x.std(axis=0)
x = (x - middle) / spread
x_secret = (x_secret - middle) / spread

print('planes to learn from:', len(x), ' over the line:', y.mean())

# the brain!!
brain = keras.Sequential([
    keras.Input((len(columns),)),
    keras.layers.Dense(20, activation='tanh', name='brain1'),
    keras.layers.Dense(12, activation='tanh', name='brain2'),
    keras.layers.Dense(1, activation='sigmoid', name='answer'),
])
# 0.5 sounds like a lot but it works, I tried 0.01 and it took forever
brain.compile(optimizer=keras.optimizers.SGD(0.5), loss='binary_crossentropy', metrics=['accuracy'])
story = brain.fit(x, y, epochs=30, batch_size=40, validation_split=0.2, verbose=2)

# the big moment
guess = brain.predict(x_secret, verbose=0)[:, 0]
says_yes = guess > 0.5
right_when_yes = np.mean(says_yes[y_secret == 1]) if (y_secret == 1).any() else 0.5
right_when_no = np.mean(~says_yes[y_secret == 0]) if (y_secret == 0).any() else 0.0
fairness = (right_when_yes + right_when_no) / 2
print('it was right for', round(100 * fairness), 'percent of the secret planes (yes and no count the same)')
if fairness > 0.8:
    print('WOW. better than my cousin')
""",
    score="fairness",
    bar=0.8,
    base=0.5,
    odd="a learning rate of 0.5, which plain SGD can take here",
    faults=(
        Fault(cause="softmax_on_single_unit", old="activation='sigmoid', name='answer'",
              new="activation='softmax', name='answer'", beside=("wrong_head_for_labels",), layer=("answer",)),
        Fault(cause="validation_split_sorted", old="known = planes[400:]\n",
              new="known = planes[400:].sort_values('metres')   # looks nicer in my book\n", certain=True,
              beside=("data_sorted",)),
        Fault(cause="inputs_not_scaled", old="x = (x - middle) / spread\nx_secret = (x_secret - middle) / spread\n",
              new="x = x - middle\nx_secret = x_secret - middle\n", beside=("saturated_units",)),
        Fault(cause="label_noise", old="np.random.normal(0, 0.3, HOW_MANY)", new="np.random.normal(0, 6.0, HOW_MANY)"),
        Fault(cause="underfitting_capacity", old="""\
    keras.layers.Dense(20, activation='tanh', name='brain1'),
    keras.layers.Dense(12, activation='tanh', name='brain2'),
""", new="""\
    keras.layers.Dense(1, activation='tanh', name='brain1'),
""", layer=("brain1",)),
        Fault(cause="constant_labels", old="1 if answer == 'yes' else 0 for", new="1 if answer else 0 for",
              accept=("label_encoding",), beside=("missing_class", "class_imbalance")),
        Fault(cause="leakage_feature", old="'throw_km_h', 'folds']", new="'throw_km_h', 'folds', 'jury_points']",
              certain=True),
    ),
    seeds=3,
)  # fmt: skip

TEACHER = Program(
    name="fair_planes_teacher",
    source="""
# Model solution for the paper-plane project (class 8b, science fair).
# The question was "over the blue line, yes or no?". A yes throws away the metres that we measured, so the solution
# predicts the distance and answers the question from it. The loop is written out, for the poster.
import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)


def gym_afternoon(n):
    clips = rng.integers(0, 4, n)
    d = pd.DataFrame({
        'span': rng.uniform(12, 30, n),                  # cm, tip to tip
        'grammage': rng.choice([80.0, 100.0, 120.0, 160.0, 200.0], n),
        'clips': clips.astype(float),
        'elevator': rng.uniform(-5, 35, n),              # degrees
        'speed': rng.normal(6.1, 1.1, n),                # m/s, from the video
        'angle': rng.normal(6, 7, n),                    # of the throw
        'height': rng.normal(1.55, 0.12, n),
    })
    trim = (d.elevator - 8 - 5 * clips) / 12
    loading = d.grammage * (d.span / 2) ** 2 / 2e4 - 0.7
    glide = 4.6 / (1 + trim ** 2) / (1 + 0.5 * loading ** 2)
    push = 0.09 * d.speed ** 2 * np.cos(np.radians(3 * (d.angle - 8)))
    d['metres'] = glide * d.height + push + rng.normal(0, 0.25, n)
    d['metres'] = d['metres'].clip(lower=0.3)
    return d


def gym_book(n):
    d = gym_afternoon(n)
    d = pd.concat([d, d.sample(frac=0.5, random_state=SEED)])  # throws that both secretaries wrote down
    return d.drop_duplicates(ignore_index=True)


COLUMNS = ['span', 'grammage', 'clips', 'elevator', 'speed', 'angle', 'height']
book = gym_book(1600)
train, test = train_test_split(book, train_size=0.75, random_state=SEED)
train = train.sort_values('metres', ascending=False)  # ranking list for the notice board
mu, sd = train[COLUMNS].mean(), train[COLUMNS].std()
m_mu, m_sd = train['metres'].mean(), train['metres'].std()


def tensors(part):
    x = ((part[COLUMNS] - mu) / sd).to_numpy('float32')
    y = ((part['metres'] - m_mu) / m_sd).to_numpy('float32')
    return x, y


x, y = tensors(train)
x_test, y_test = tensors(test)

model = keras.Sequential([
    keras.Input((len(COLUMNS),)),
    keras.layers.Dense(64, activation='swish', name='first'),
    keras.layers.Dropout(0.05, name='drop'),
    keras.layers.Dense(32, activation='swish', name='second'),
    keras.layers.Dense(1, name='distance'),
])

STEPS, BATCH = 1300, 32
PEAK, WARMUP = 0.02, 60
sgd = keras.optimizers.SGD(learning_rate=PEAK, momentum=0.9, global_clipnorm=5.0)


@tf.function
def learn(xb, yb):
    with tf.GradientTape() as tape:
        predicted = model(xb, training=True)[:, 0]
        loss = tf.reduce_mean(tf.square(predicted - yb))
    slopes = tape.gradient(loss, model.trainable_variables)
    sgd.apply_gradients(zip(slopes, model.trainable_variables))
    return loss


def rate(step):
    return PEAK * min(1.0, (step + 1) / WARMUP)


losses = []
order = rng.permutation(len(x))
for step in range(STEPS):
    rows = order[:BATCH]
    order = order[BATCH:]
    if len(order) < BATCH:
        order = rng.permutation(len(x))
    sgd.learning_rate.assign(rate(step))
    losses.append(float(learn(x[rows], y[rows])))
    if step % 100 == 99:
        held_out = np.mean((model(x_test, training=False).numpy()[:, 0] - y_test) ** 2)
        print(f'step {step + 1:4d}: squared error {np.mean(losses[-100:]):.4f}, on the other planes {held_out:.4f}')

metres = model(x_test, training=False).numpy()[:, 0] * m_sd + m_mu
truth = test['metres'].to_numpy()
explained = 1 - np.sum((truth - metres) ** 2) / np.sum((truth - truth.mean()) ** 2)
line = 7.4
print(f'distance: {100 * explained:.0f} % of the variance explained')
print(f'the blue line: {100 * np.mean((metres > line) == (truth > line)):.0f} % right')
""",
    score="explained",
    bar=0.85,
    base=0.0,
    odd="the training table is sorted by the target, and the loop draws its rows at random",
    faults=(
        Fault(cause="loss_broadcast", old="predicted = model(xb, training=True)[:, 0]",
              new="predicted = model(xb, training=True)"),
        Fault(cause="overfitting", old="train_size=0.75,", new="train_size=0.025,"),
        Fault(cause="oscillation", old="momentum=0.9,", new="momentum=0.9995,",
              accept=("learning_rate_too_high",), beside=("exploding_gradient",)),
        Fault(cause="too_few_steps", old="for step in range(STEPS):", new="for step in range(STEPS // BATCH):"),
        Fault(cause="leakage_duplicates", old="    return d.drop_duplicates(ignore_index=True)\n",
              new="    return d.reset_index(drop=True)\n", certain=True),
        Fault(cause="dropout_mode", old="model(xb, training=True)", new="model(xb, training=False)", certain=True,
              layer=("drop",)),
        Fault(cause="lr_schedule_wrong", old="PEAK, WARMUP = 0.02, 60\n", new="PEAK, WARMUP = 0.02, 60 * len(x)\n",
              beside=("learning_rate_too_low", "too_few_steps")),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [PUPIL, TEACHER]
