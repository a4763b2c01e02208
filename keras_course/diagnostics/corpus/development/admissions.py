"""What the office of a university had written over the years: stipends, letters, offers and ratings of courses."""

from keras_course.diagnostics.corpus import Fault, Program

STIPENDS = Program(
    name="admissions_stipends",
    source="""
# Predict the stipend (euro per year) of master applicants from their file
import numpy as np
import keras
from keras import layers
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

n_applicants = 2000
gre = np.clip(rng.normal(315, 11, n_applicants), 260, 340)
toefl = np.clip(0.45 * (gre - 315) + rng.normal(106, 5, n_applicants), 70, 120)
gpa = np.clip(8.5 + 0.03 * (gre - 315) + rng.normal(0, 0.5, n_applicants), 6, 10)
letters = rng.integers(1, 6, n_applicants)
research = rng.integers(0, 2, n_applicants)
income = rng.lognormal(10.5, 0.5, n_applicants)

merit = 0.05 * (gre - 315) + 1.2 * (gpa - 8.5) + 0.3 * letters + 0.8 * research * (gpa > 8.5)
need = 1 / (1 + (income / 36000) ** 3)
stipend = 4000 + 2200 * np.maximum(merit, 0) * (0.3 + need) + 2500 * need
stipend = stipend + rng.normal(0, 350, n_applicants)

X = np.column_stack([gre, toefl, gpa, letters, research, income])

X_train, X_test, y_train, y_test = train_test_split(X, stipend, test_size=0.2, random_state=SEED)
X_train, X_val, y_train, y_val = train_test_split(X_train, y_train, test_size=0.2, random_state=SEED)

sc = StandardScaler()
X_train = sc.fit_transform(X_train)
X_val = sc.transform(X_val)
X_test = sc.transform(X_test)

# targets too
y_mean, y_std = y_train.mean(), y_train.std()
y_train_s = (y_train - y_mean) / y_std
y_val_s = (y_val - y_mean) / y_std

model = keras.Sequential()
model.add(layers.Input(shape=(X.shape[1],)))
model.add(layers.Dense(48, activation='relu', kernel_regularizer=keras.regularizers.l2(1e-4), name='hidden_1'))
model.add(layers.Dense(24, activation='relu', kernel_regularizer=keras.regularizers.l2(1e-4), name='hidden_2'))
model.add(layers.Dense(1, name='stipend'))
model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.003), loss='mean_squared_error', metrics=['mae'])
model.summary()

history = model.fit(X_train, y_train_s, epochs=12, batch_size=32, validation_data=(X_val, y_val_s), verbose=0)
print('val mae (in std):', history.history['val_mae'][-1])

y_pred = model.predict(X_test, verbose=0).ravel() * y_std + y_mean
score = r2_score(y_test, y_pred)
print('R2 test = %.3f' % score)
""",
    score="score",
    bar=0.8,
    base=0.0,
    faults=(
        Fault(cause="inputs_not_scaled",
              old="X_train = sc.fit_transform(X_train)\nX_val = sc.transform(X_val)\nX_test = sc.transform(X_test)\n",
              new="sc.fit(X_train)\n"),
        Fault(cause="targets_not_scaled", old="y_mean, y_std = y_train.mean(), y_train.std()",
              new="y_mean, y_std = 0, 1"),
        Fault(cause="output_range_cannot_reach_targets", old="layers.Dense(1, name='stipend')",
              new="layers.Dense(1, activation='relu', name='stipend')", layer=("stipend",), beside=("dead_units",)),
        Fault(cause="wrong_loss_for_task", old="loss='mean_squared_error'", new="loss='binary_crossentropy'",
              beside=("wrong_head_for_labels", "logits_to_probability_loss", "label_encoding",
                      "output_range_cannot_reach_targets")),
        Fault(cause="leakage_feature", old="X = np.column_stack([gre, toefl, gpa, letters, research, income])",
              new="monthly = np.round(stipend / 12)\n"
              "X = np.column_stack([gre, toefl, gpa, letters, research, income, monthly])", certain=True),
        Fault(cause="train_val_preprocessing_mismatch", old="X_val = sc.transform(X_val)\n",
              new="X_val = keras.utils.normalize(X_val)\n",
              beside=("inputs_not_scaled",), certain=True),
        Fault(cause="dead_units",
              old="layers.Dense(24, activation='relu', kernel_regularizer=keras.regularizers.l2(1e-4), "
              "name='hidden_2')",
              new="layers.Dense(24, activation='relu', bias_initializer=keras.initializers.Constant(-12), "
              "name='hidden_2')",
              layer=("hidden_2",), beside=("frozen_or_disconnected", "input_ignored")),
    ),
    seeds=3,
)  # fmt: skip

LETTERS = Program(
    name="admissions_motivation_letters",
    source="""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

FACULTIES = ['law', 'medicine', 'engineering', 'arts']
words = {
    'law': 'court justice contract rights debate constitution argue case mooting treaty evidence judge'.split(),
    'medicine': 'patient hospital anatomy nurse clinic surgery care disease health ward blood doctor'.split(),
    'engineering': 'bridge circuit robot machine solder prototype dynamics design engine steel code build'.split(),
    'arts': 'canvas theatre novel gallery music sculpture poem stage film painting choir drama'.split(),
}
filler = ('i have always wanted to study at your university because my family and my teachers told me that '
          'it would be good for me to work hard every day and to learn about the world with other people').split()


def letter(faculty):
    # 2-4 words of the subject, one of another by accident
    own = rng.choice(words[faculty], rng.integers(2, 5))
    stray = rng.choice(words[FACULTIES[rng.integers(4)]], 2)
    body = list(rng.choice(filler, 18)) + list(own) + list(stray)
    rng.shuffle(body)
    return 'Dear committee, ' + ' '.join(body) + '.'


def read_folder(n):
    # one folder per faculty, like text_dataset_from_directory(shuffle=False)
    texts, labels = [], []
    for i, f in enumerate(FACULTIES):
        texts += [letter(f) for _ in range(n)]
        labels += [i] * n
    return texts, labels


train_texts, train_labels = read_folder(300)
val_texts, val_labels = read_folder(60)
test_texts, test_labels = read_folder(100)

vectorize = layers.TextVectorization(max_tokens=1000, output_sequence_length=30)
vectorize.adapt(train_texts)


def make_ds(texts, labels):
    ds = tf.data.Dataset.from_tensor_slices((texts, labels))
    return ds.map(lambda t, y: (vectorize(t), y))


train_ds = make_ds(train_texts, train_labels).cache().shuffle(1200).batch(32).prefetch(1)
val_ds = make_ds(val_texts, val_labels).batch(64)
test_ds = make_ds(test_texts, test_labels).batch(64)

tokens = keras.Input(shape=(None,), dtype='int64')
x = layers.Embedding(vectorize.vocabulary_size(), 16, mask_zero=True, name='embed')(tokens)
x = layers.GlobalAveragePooling1D()(x)
x = layers.Dropout(0.3)(x)
x = layers.Dense(32, activation='relu', name='dense')(x)
out = layers.Dense(4, activation='softmax', name='faculty')(x)
model = keras.Model(tokens, out)

model.compile(loss='sparse_categorical_crossentropy', optimizer=keras.optimizers.Adam(0.01), metrics=['accuracy'])
model.fit(train_ds, validation_data=val_ds, epochs=10, verbose=2)

loss, accuracy = model.evaluate(test_ds, verbose=0)
print('Accuracy on letters nobody has read yet:', accuracy)
""",
    score="accuracy",
    bar=0.7,
    base=0.25,
    faults=(
        Fault(cause="data_sorted", old=".cache().shuffle(1200).batch(32)", new=".cache().batch(32)"),
        Fault(cause="shuffle_buffer_too_small", old=".shuffle(1200)", new=".shuffle(10)", accept=("data_sorted",),
              beside=("pipeline_order",)),
        Fault(cause="logits_to_probability_loss", old="layers.Dense(4, activation='softmax', name='faculty')",
              new="layers.Dense(4, name='faculty')", layer=("faculty",), accept=("wrong_head_for_labels",)),
        Fault(cause="wrong_head_for_labels", old="layers.Dense(4, activation='softmax', name='faculty')",
              new="layers.Dense(4, activation='relu', name='faculty')", layer=("faculty",),
              accept=("logits_to_probability_loss",), beside=("dead_units", "output_range_cannot_reach_targets")),
        Fault(cause="input_ignored", old="max_tokens=1000, output_sequence_length=30)",
              new="max_tokens=1000, output_sequence_length=2)",
              beside=("frozen_or_disconnected",)),
        Fault(cause="wrong_metric", old="metrics=['accuracy']", new="metrics=['categorical_accuracy']", certain=True,
              accept=("loss_metric_inconsistent",)),
        Fault(cause="constant_labels", old="        labels += [i] * n\n",
              new="        labels = [i] * len(texts)\n",
              certain=True,
              beside=("missing_class", "class_imbalance", "label_encoding")),
    ),
    seeds=3,
)  # fmt: skip

OFFERS = Program(
    name="admissions_offers_accepted",
    odd="one applicant in twelve is positive, and weights make up for it",
    source="""
import numpy as np
import tensorflow as tf
import keras
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(SEED)
rng = np.random.RandomState(SEED)

# who will really come, after we have sent an offer?
N = 3600
dist = rng.gamma(2.0, 120.0, N)          # km from home
other = rng.poisson(2.0, N)              # other offers
early = rng.rand(N)                      # date of application, 0 = first day
visit = (rng.rand(N) < 0.3) * 1.0        # came to the open day
grade = rng.normal(0, 1, N)
z = 1.9 * visit * (dist < 300) - 0.9 * other - 1.5 * np.log(dist / 240) - 1.3 * early - 0.5 * grade ** 2
z = z + rng.normal(0, 1.5, N)
comes = (z > np.percentile(z, 92)).astype('float32')

feats = np.c_[np.log(dist), other, early, visit, grade].astype('float32')
idx = np.arange(N)
tr, te = train_test_split(idx, test_size=800, stratify=comes, random_state=SEED)
tr, va = train_test_split(tr, test_size=500, stratify=comes[tr], random_state=SEED)
mu, sd = feats[tr].mean(0), feats[tr].std(0)
feats = (feats - mu) / sd

pos = comes[tr].mean()
w_pos, w_neg = 0.5 / pos, 0.5 / (1 - pos)

net = keras.Sequential([
    keras.Input((5,)),
    keras.layers.Dense(32, activation='relu', name='a'),
    keras.layers.Dropout(0.1),
    keras.layers.Dense(16, activation='relu', name='b'),
    keras.layers.Dense(1, activation='sigmoid', name='comes'),
])
opt = keras.optimizers.Adam(0.01)
EPS = 1e-6


def weighted_bce(y, p):
    w = y * w_pos + (1 - y) * w_neg
    return -tf.reduce_mean(w * (y * tf.math.log(p + EPS) + (1 - y) * tf.math.log(1 - p + EPS)))


train_ds = tf.data.Dataset.from_tensor_slices((feats[tr], comes[tr])).shuffle(len(tr)).batch(128)

for epoch in range(12):
    total = 0.0
    for xb, yb in train_ds:
        with tf.GradientTape() as tape:
            p = tf.squeeze(net(xb, training=True), -1)
            loss = weighted_bce(yb, p)
        g = tape.gradient(loss, net.trainable_variables)
        opt.apply_gradients(zip(g, net.trainable_variables))
        total += float(loss)
    p_val = net(feats[va], training=False).numpy()[:, 0]
    val_bal = balanced_accuracy_score(comes[va], p_val > 0.5)
    if epoch % 4 == 3:
        print(f'{epoch + 1:3d}  loss {total / len(train_ds):.4f}  val balanced acc {val_bal:.3f}')

p_test = net(feats[te], training=False).numpy()[:, 0]
bal = balanced_accuracy_score(comes[te], p_test > 0.5)
print('test balanced accuracy', bal)
""",
    score="bal",
    bar=0.72,
    base=0.5,
    faults=(
        Fault(cause="class_imbalance", old="w_pos, w_neg = 0.5 / pos, 0.5 / (1 - pos)", new="w_pos = w_neg = 1.0"),
        Fault(cause="softmax_on_single_unit", old="Dense(1, activation='sigmoid', name='comes')",
              new="Dense(1, activation='softmax', name='comes')", layer=("comes",),
              beside=("input_ignored", "wrong_head_for_labels", "frozen_or_disconnected")),
        Fault(cause="loss_broadcast", old="p = tf.squeeze(net(xb, training=True), -1)",
              new="p = net(xb, training=True)"),
        Fault(cause="leakage_duplicates", old="idx = np.arange(N)\n",
              new="more = rng.choice(np.flatnonzero(comes), 2400)\n"
              "feats, comes = np.r_[feats, feats[more]], np.r_[comes, comes[more]]\n"
              "idx = np.arange(len(comes))\n",
              certain=True),
        Fault(cause="label_encoding", old="comes = (z > np.percentile(z, 92)).astype('float32')",
              new="comes = np.where(z > np.percentile(z, 92), 1, -1).astype('float32')",
              beside=("output_range_cannot_reach_targets", "wrong_head_for_labels", "nan_or_inf_in_data",
                      "class_imbalance")),
        Fault(cause="optimiser_not_applied", old="        opt.apply_gradients(zip(g, net.trainable_variables))\n",
              new="        g = [tf.clip_by_norm(v, 1.0) for v in g]\n", beside=("frozen_or_disconnected",)),
    ),
    seeds=3,
)  # fmt: skip

RATINGS = Program(
    name="admissions_course_ratings",
    source="""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED)

N_STUDENTS, N_COURSES, K = 300, 60, 3
taste = rng.normal(size=(N_STUDENTS, K))
course = rng.normal(size=(N_COURSES, K))
student_bias = rng.normal(0, 0.4, N_STUDENTS)
course_bias = rng.normal(0, 0.6, N_COURSES)

# every student rated about 30 of the 60 courses
student_id, course_id = np.nonzero(rng.random((N_STUDENTS, N_COURSES)) < 0.5)
rating = (taste[student_id] * course[course_id]).sum(1) / np.sqrt(K)
rating = 3 + rating + student_bias[student_id] + course_bias[course_id] + rng.normal(0, 0.3, len(rating))
rating = rating.astype('float32')

order = rng.permutation(len(rating))
student_id, course_id, rating = student_id[order], course_id[order], rating[order]
n_test = len(rating) // 8
test = (student_id[:n_test], course_id[:n_test], rating[:n_test])
val = (student_id[n_test:2 * n_test], course_id[n_test:2 * n_test], rating[n_test:2 * n_test])
train = (student_id[2 * n_test:], course_id[2 * n_test:], rating[2 * n_test:])


class Recommender(keras.Model):
    def __init__(self, dim, l2, **kwargs):
        super().__init__(**kwargs)
        reg = keras.regularizers.L2(l2)
        self.student = layers.Embedding(N_STUDENTS, dim, embeddings_regularizer=reg, name='student')
        self.course = layers.Embedding(N_COURSES, dim, embeddings_regularizer=reg, name='course')
        self.student_b = layers.Embedding(N_STUDENTS, 1, embeddings_initializer='zeros', name='student_b')
        self.course_b = layers.Embedding(N_COURSES, 1, embeddings_initializer='zeros', name='course_b')
        self.mean = float(train[2].mean())

    def call(self, pair):
        s, c = pair
        dot = tf.reduce_sum(self.student(s) * self.course(c), axis=-1, keepdims=True)
        return self.mean + dot + self.student_b(s) + self.course_b(c)


recommender = Recommender(dim=4, l2=2e-4)
optimizer = keras.optimizers.Adam(learning_rate=0.01)


@tf.function
def train_step(s, c, r):
    with tf.GradientTape() as tape:
        predicted = recommender((s, c))
        loss = tf.reduce_mean((r[:, None] - predicted) ** 2)
        total = loss + sum(recommender.losses)
    gradients = tape.gradient(total, recommender.trainable_variables)
    optimizer.apply_gradients(zip(gradients, recommender.trainable_variables))
    return loss


def mse(part):
    s, c, r = part
    return float(np.mean((recommender((s, c)).numpy()[:, 0] - r) ** 2))


dataset = tf.data.Dataset.from_tensor_slices(train).shuffle(len(train[2])).batch(64, drop_remainder=True)
for epoch in range(30):
    losses = [float(train_step(s, c, r)) for s, c, r in dataset]
    if (epoch + 1) % 10 == 0:
        print(epoch + 1, 'train', np.mean(losses), 'val', mse(val))

explained = 1 - mse(test) / test[2].var()
print('explained variance of held-out ratings', explained)
""",
    score="explained",
    bar=0.75,
    base=0.0,
    faults=(
        Fault(cause="loss_broadcast", old="loss = tf.reduce_mean((r[:, None] - predicted) ** 2)",
              new="loss = tf.reduce_mean((r - predicted) ** 2)"),
        Fault(cause="labels_shuffled_apart",
              old="student_id, course_id, rating = student_id[order], course_id[order], rating[order]\n",
              new="student_id, course_id = student_id[order], course_id[order]\n", beside=("label_noise",)),
        Fault(cause="frozen_or_disconnected",
              old="self.student = layers.Embedding(N_STUDENTS, dim, embeddings_regularizer=reg, name='student')",
              new="self.student = layers.Embedding(N_STUDENTS, dim, trainable=False, name='student')",
              layer=("student",)),
        Fault(cause="learning_rate_too_low", old="Adam(learning_rate=0.01)", new="Adam(learning_rate=1e-5)",
              beside=("too_few_steps",)),
        Fault(cause="gradient_sign_flipped",
              old="loss = tf.reduce_mean((r[:, None] - predicted) ** 2)",
              new="loss = -tf.reduce_mean((r[:, None] - predicted) ** 2)",
              beside=("exploding_gradient",)),
        Fault(cause="regularisation_overwhelms", old="Recommender(dim=4, l2=2e-4)", new="Recommender(dim=4, l2=0.1)",
              layer=("student", "course")),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [STIPENDS, LETTERS, OFFERS, RATINGS]
