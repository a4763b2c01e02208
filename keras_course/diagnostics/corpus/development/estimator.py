"""Scripts that were tf.estimator once: input_fn, dictionaries of features, a model_fn, and the loop written out."""

from keras_course.diagnostics.corpus import Fault, Program

FINES = Program(
    name="estimator_parking_appeals",
    source='''
"""Which parking fines will be appealed? (wide and deep)

Was a tf.estimator.DNNLinearCombinedClassifier until TF 2.16 took it away. input_fn, columns and model_fn are still in
their places; the head and the session are gone. Ftrl for the wide part and Adagrad for the deep one, as before.
"""
import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(SEED + 2016)

DISTRICTS = ['harbour', 'old_town', 'station', 'university', 'hills', 'west']
OFFENCES = ['no_ticket', 'expired', 'residents_only', 'loading_bay', 'pavement', 'disabled_bay']
PLATES = ['local', 'region', 'country', 'foreign']
NUMERIC = ['euros', 'overrun_minutes', 'fines_before', 'hour', 'photos']
BATCH_SIZE, MAX_STEPS = 128, 900

# ---------------------------------------------------------------------------------------------------------------------
# register of fines
# ---------------------------------------------------------------------------------------------------------------------
COUNT = 9000
fines = pd.DataFrame({
    'district': rng.choice(DISTRICTS, COUNT),
    'offence': rng.choice(OFFENCES, COUNT, p=[0.25, 0.3, 0.15, 0.1, 0.15, 0.05]),
    'plate': rng.choice(PLATES, COUNT, p=[0.5, 0.3, 0.15, 0.05]),
    'euros': rng.choice([20.0, 30.0, 55.0, 100.0], COUNT, p=[0.4, 0.3, 0.2, 0.1]),
    'overrun_minutes': rng.gamma(1.5, 40, COUNT).round(),
    'fines_before': rng.poisson(1.2, COUNT).astype(float),
    'hour': rng.integers(7, 22, COUNT).astype(float),
    'photos': rng.integers(0, 4, COUNT).astype(float),
})
grudge = -7.8 + 0.035 * fines.euros + 2.2 * (fines.photos == 0) - 0.5 * fines.photos
grudge += 3.0 * ((fines.offence == 'expired') & (fines.overrun_minutes < 15))
grudge += 2.5 * ((fines.offence == 'residents_only') & fines.district.isin(['old_town', 'university']))
grudge += 2.0 * ((fines.offence == 'loading_bay') & (fines.hour > 18))
grudge += 1.3 * (fines.plate == 'local') - 2.0 * (fines.plate == 'foreign') + 0.5 * np.minimum(fines.fines_before, 4)
fines['outcome'] = np.where(rng.random(COUNT) < 1 / (1 + np.exp(-2.0 * grudge)), 'appealed', 'paid')
print(fines.outcome.value_counts().to_dict())

shuffled = fines.iloc[rng.permutation(COUNT)].reset_index(drop=True)
train_frame, eval_frame = shuffled[:7000], shuffled[7000:]
train_frame = train_frame.sort_values('outcome')          # partitions of the export: one per outcome
share = (train_frame.outcome == 'appealed').mean()

outcome_ids = layers.StringLookup(vocabulary=['paid', 'appealed'], num_oov_indices=0, name='outcome_ids')


def add_weight(features, label):
    """Both outcomes count the same in all."""
    chance = tf.cast(label[:, 0], tf.float32)
    return features, label, chance * 0.5 / share + (1 - chance) * 0.5 / (1 - share)


def input_fn(frame, training):
    columns = {name: frame[name].to_numpy() for name in frame.columns}
    label = tf.cast(outcome_ids(columns.pop('outcome')), tf.int32)[:, None]
    data = tf.data.Dataset.from_tensor_slices((columns, label))
    if training:
        data = data.shuffle(len(frame)).repeat()
    return data.batch(BATCH_SIZE).map(add_weight).prefetch(1)


# ---------------------------------------------------------------------------------------------------------------------
# feature columns
# ---------------------------------------------------------------------------------------------------------------------
normalizer = layers.Normalization(name='numeric')
normalizer.adapt(train_frame[NUMERIC].to_numpy('float32'))
lookups = {
    'district': layers.StringLookup(vocabulary=DISTRICTS, name='district_ids'),
    'offence': layers.StringLookup(vocabulary=OFFENCES, name='offence_ids'),
    'plate': layers.StringLookup(vocabulary=PLATES, name='plate_ids'),
}
cross = layers.HashedCrossing(num_bins=97, output_mode='one_hot', name='district_x_offence')


def transform(features):
    """From the dictionary of raw columns to what the model takes. For training, evaluation and serving alike."""
    numbers = normalizer(tf.stack([tf.cast(features[name], tf.float32) for name in NUMERIC], axis=1))
    ids = {name: lookup(features[name]) for name, lookup in lookups.items()}
    crossed = cross((features['district'], features['offence']))
    return numbers, ids, tf.cast(crossed, tf.float32)


class WideAndDeep(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.embeddings = {name: layers.Embedding(lookup.vocabulary_size(), 4, name=f'{name}_vector')
                           for name, lookup in lookups.items()}
        self.hidden = [layers.Dense(units, activation='relu', name=f'deep{i}') for i, units in enumerate((48, 24))]
        self.deep_logit = layers.Dense(1, name='deep_logit')
        self.wide_logit = layers.Dense(1, use_bias=False, kernel_initializer='zeros', name='wide_logit')

    def call(self, inputs):
        numbers, ids, crossed = inputs
        h = tf.concat([numbers] + [self.embeddings[name](ids[name]) for name in lookups], axis=1)
        for layer in self.hidden:
            h = layer(h)
        return tf.sigmoid(self.deep_logit(h) + self.wide_logit(crossed))


# ---------------------------------------------------------------------------------------------------------------------
# model_fn and its loop
# ---------------------------------------------------------------------------------------------------------------------
def model_fn(params):
    model = WideAndDeep(name='wide_and_deep')
    wide, deep = keras.optimizers.Ftrl(params['wide_rate']), keras.optimizers.Adagrad(params['deep_rate'])
    bce = keras.losses.BinaryCrossentropy(reduction='none')

    @tf.function
    def train_op(features, label, weight):
        with tf.GradientTape() as tape:
            chance = model(transform(features))
            loss = tf.reduce_mean(weight * bce(label, chance))
        wide_vars = model.wide_logit.trainable_variables
        deep_vars = [v for v in model.trainable_variables if all(v is not w for w in wide_vars)]
        grads = tape.gradient(loss, deep_vars + wide_vars)
        deep.apply_gradients(zip(grads[:len(deep_vars)], deep_vars))
        wide.apply_gradients(zip(grads[len(deep_vars):], wide_vars))
        return loss

    @tf.function
    def predict_op(features):
        return model(transform(features))[:, -1]

    return train_op, predict_op


train_op, predict_op = model_fn({'wide_rate': 0.05, 'deep_rate': 0.15})
running = []
for step, batch in enumerate(input_fn(train_frame, training=True).take(MAX_STEPS), start=1):
    running.append(float(train_op(*batch)))
    if step % 150 == 0:
        print(f'global_step {step}: loss = {np.mean(running):.4f}')
        running = []

chances, actual = [], []
for features, label, _ in input_fn(eval_frame, training=False):
    chances.append(predict_op(features).numpy())
    actual.append(label[:, 0].numpy())
claimed, actual = np.concatenate(chances) > 0.5, np.concatenate(actual)
found, spared = (claimed[actual == actual.max()]).mean(), (~claimed[actual == 0]).mean() if (actual == 0).any() else 0.0
balanced = float((found + spared) / 2)
print(f'appeals found {found:.3f}, payers left alone {spared:.3f}, balanced accuracy {balanced:.3f}')
''',
    score="balanced",
    bar=0.75,
    base=0.5,
    odd="one of two outcomes is rare and weighted up, and two optimisers share one gradient",
    faults=(
        Fault(cause="softmax_on_single_unit",
              old="return tf.sigmoid(self.deep_logit(h) + self.wide_logit(crossed))",
              new="return tf.nn.softmax(self.deep_logit(h) + self.wide_logit(crossed))", layer=("deep_logit",)),
        Fault(cause="wrong_head_for_labels",
              old="keras.losses.BinaryCrossentropy(reduction='none')",
              new="keras.losses.CategoricalCrossentropy(reduction='none')",
              accept=("wrong_loss_for_task", "softmax_on_single_unit"), layer=("deep_logit", "wide_logit")),
        Fault(cause="label_encoding", old="vocabulary=['paid', 'appealed'], num_oov_indices=0, name",
              new="vocabulary=['paid', 'appealed'], name", beside=("missing_class", "wrong_loss_for_task")),
        Fault(cause="leakage_feature", old="print(fines.outcome.value_counts().to_dict())\n", new="""\
fines['photos'] = fines.photos.where(fines.outcome == 'paid', fines.photos + 4)
print(fines.outcome.value_counts().to_dict())
""", certain=True),
        Fault(cause="train_val_preprocessing_mismatch",
              old="train_frame, eval_frame = shuffled[:7000], shuffled[7000:]\n", new="""\
train_frame = shuffled[:7000]
eval_frame = shuffled[7000:].assign(euros=lambda f: 100 * f.euros)
"""),
        Fault(cause="leakage_duplicates", old="shuffled = fines.iloc[rng.permutation(COUNT)].reset_index(drop=True)\n",
              new="""\
appealed = fines[fines.outcome == 'appealed']
fines = pd.concat([fines, appealed.sample(4000, replace=True, random_state=SEED)])
shuffled = fines.sample(COUNT, random_state=SEED).reset_index(drop=True)
""", certain=True),
        Fault(cause="class_imbalance", old="tf.reduce_mean(weight * bce(label, chance))",
              new="tf.reduce_mean(weight) * tf.reduce_mean(bce(label, chance))"),
    ),
    seeds=3,
)  # fmt: skip

RECALLS = Program(
    name="estimator_recall_notices",
    source='''
"""Hazards in product recall notices: fire, shock, cut, choking, poison; a notice may name several, or none of them.

From the 2019 text pipeline (tf.estimator with feature_column.embedding_column). The notices now go through
tf.strings and a StringLookup, and the training through fit.
"""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng([SEED, 2019])

HAZARDS = ['fire', 'shock', 'cut', 'choking', 'poison']
SAYS = {
    'fire': ['overheat', 'burn', 'flames', 'smoke', 'ignite', 'melts'],
    'shock': ['voltage', 'insulation', 'live', 'earth', 'plug', 'touch'],
    'cut': ['sharp', 'edge', 'blade', 'splinters', 'breaks', 'laceration'],
    'choking': ['small', 'swallow', 'airway', 'loose', 'eyes', 'toddlers'],
    'poison': ['lead', 'paint', 'chemical', 'phthalate', 'limit', 'fumes'],
}
PRODUCTS = ['lamp', 'doll', 'heater', 'kettle', 'bicycle', 'ladder', 'charger', 'rattle', 'puzzle', 'knife', 'mug']
FILLER = ('the of a may can if when it its for in and with customers should return shop refund sold between model '
          'units about found tests showed product recalled by maker please stop using').split()
LONGEST = 40


def clause(hazard, denied):
    no = [str(rng.choice(['not', 'never']))] if denied else []
    return [str(rng.choice(PRODUCTS)), *no, *rng.choice(SAYS[hazard], 2, replace=False)]


def notice():
    """Hazards that are named and, with a 'not' before it, hazards that are ruled out."""
    named = rng.random(len(HAZARDS)) < 0.3
    clauses = []
    for k, hazard in enumerate(HAZARDS):
        if named[k]:
            clauses.append(clause(hazard, denied=False))
        elif rng.random() < 0.2:
            clauses.append(clause(hazard, denied=True))
    words = []
    for k in rng.permutation(len(clauses)):
        words += list(rng.choice(FILLER, rng.integers(2, 6))) + clauses[k]
    words += list(rng.choice(FILLER, rng.integers(3, 8)))
    for k in rng.integers(0, len(words), 1):
        words[k] = str(rng.choice(sum(SAYS.values(), [])))          # a slip
    text = ' '.join(words)
    return text[0].upper() + text[1:] + '.', named


NOTICES = 4200
texts, named = zip(*[notice() for _ in range(NOTICES)])
texts, named = np.array(texts), np.array(named)
drawn = rng.permutation(NOTICES)
texts, named = texts[drawn], named[drawn]
cut = 3000, 3400
split = {'train': slice(0, cut[0]), 'eval': slice(cut[0], cut[1]), 'test': slice(cut[1], NOTICES)}
# shards of the export are written per hazard, so the training part lies in that order
by_hazard = np.lexsort(named[split['train']].T)
texts[split['train']], named[split['train']] = texts[split['train']][by_hazard], named[split['train']][by_hazard]

words = sorted({w for line in texts[split['train']] for w in line.lower().rstrip('.').split()})
vocabulary = layers.StringLookup(vocabulary=words, mask_token='', name='vocabulary')


def parse_fn(features, label):
    clean = tf.strings.regex_replace(tf.strings.lower(features['text']), '[^a-z ]', '')
    tokens = tf.strings.split(clean).to_tensor('', shape=(None, LONGEST))
    return {'tokens': vocabulary(tokens)}, tf.cast(label, tf.float32)


def read_shard(rows):
    return tf.data.Dataset.from_tensor_slices(({'text': tf.gather(texts, rows)}, tf.gather(named, rows)))


def input_fn(mode, batch_size=64):
    shards = tf.data.Dataset.from_tensor_slices(np.arange(NOTICES)[split[mode]].reshape(-1, 100))
    data = shards.flat_map(read_shard)
    if mode == 'train':
        data = data.shuffle(buffer_size=NOTICES)
    return data.batch(batch_size).map(parse_fn).prefetch(2)


def model_fn(params):
    tokens = keras.Input((LONGEST,), dtype='int64', name='tokens')
    h = layers.Embedding(vocabulary.vocabulary_size(), params['dimension'], name='words')(tokens)
    h = layers.SpatialDropout1D(params['dropout'], name='word_dropout')(h)
    h = layers.Conv1D(params['filters'], 4, activation='relu', name='phrases')(h)
    h = layers.GlobalMaxPooling1D(name='strongest')(h)
    h = layers.Dropout(params['dropout'], name='dropout')(h)
    chances = layers.Dense(len(HAZARDS), activation='sigmoid', name='hazards')(h)
    model = keras.Model({'tokens': tokens}, chances, name='recall_notices')
    model.compile(
        optimizer=keras.optimizers.Adam(params['rate']),
        loss=keras.losses.BinaryCrossentropy(),
        metrics=[keras.metrics.AUC(multi_label=True, num_labels=len(HAZARDS), name='auc')],
    )
    return model


model = model_fn({'dimension': 24, 'filters': 64, 'dropout': 0.15, 'rate': 3e-3})
history = model.fit(input_fn('train'), validation_data=input_fn('eval'), epochs=7, verbose=2)

claimed = model.predict(input_fn('test'), verbose=0) > 0.5
actual = named[split['test']]
both, either = (claimed & actual).sum(axis=0), claimed.sum(axis=0) + actual.sum(axis=0)
f1 = 2 * both / np.maximum(either, 1)
for hazard, value, count in zip(HAZARDS, f1, actual.sum(axis=0)):
    print(f'{hazard:8s} F1 {value:.3f}   {count} notices')
macro_f1 = float(f1.mean())
print(f'macro F1 {macro_f1:.3f}')
''',
    score="macro_f1",
    bar=0.8,
    base=0.0,
    odd="the export is sorted by hazard, and the shuffle buffer is larger than the training part",
    faults=(
        Fault(cause="shuffle_buffer_too_small", old="buffer_size=NOTICES", new="buffer_size=batch_size",
              accept=("data_sorted",)),
        Fault(cause="constant_labels", old="tf.cast(label, tf.float32)\n",
              new="tf.cast(0.95 * tf.cast(label, tf.float32), tf.int32)\n",
              accept=("label_encoding",), beside=("missing_class", "class_imbalance")),
        Fault(cause="validation_split_sorted", old="drawn = rng.permutation(NOTICES)",
              new="drawn = np.lexsort(named.T)",
              certain=True, accept=("data_sorted",), beside=("missing_class", "class_imbalance")),
        Fault(cause="overfitting", old="        data = data.shuffle(buffer_size=NOTICES)",
              new="        data = data.shard(50, 0).repeat(50).shuffle(buffer_size=NOTICES)"),
        Fault(cause="input_ignored", old="tf.strings.regex_replace(tf.strings.lower(features['text']), '[^a-z ]', '')",
              new="tf.strings.regex_replace(tf.strings.upper(features['text']), '[^A-Z ]', '')"),
        Fault(cause="wrong_metric", old="keras.metrics.AUC(multi_label=True, num_labels=len(HAZARDS), name='auc')",
              new="keras.metrics.MeanIoU(num_classes=len(HAZARDS), name='iou')", certain=True),
        Fault(cause="pipeline_order", old="""\
    data = shards.flat_map(read_shard)
    if mode == 'train':
        data = data.shuffle(buffer_size=NOTICES)
""", new="""\
    if mode == 'train':
        data = shards.flat_map(lambda rows: read_shard(rows).shuffle(buffer_size=NOTICES))
    else:
        data = shards.flat_map(read_shard)
""", accept=("data_sorted",), beside=("shuffle_buffer_too_small",)),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [FINES, RECALLS]
