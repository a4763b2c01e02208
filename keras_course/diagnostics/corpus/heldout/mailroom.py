"""Scripts of a company that sorts letters and mails: the department a letter is for, and the languages of a mail."""

from keras_course.diagnostics.corpus import Fault, Program

DEPARTMENTS = Program(
    name="mailroom_letter_departments",
    source='''
"""Which department is a letter for?

The scanner reads the letters of five clients of ours (all of them utilities). No single word decides: "cancel the
meter" goes to another desk than "cancel the policy", and people mention half of their household before they come to
the point. The first year was sorted by hand, and one letter in fifty landed on the wrong pile.
"""
import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng([SEED, 7301])

DESKS = ['billing', 'field', 'legal', 'sales', 'archive']
VERBS = ['cancel', 'correct', 'return', 'explain', 'renew']
NOUNS = ['meter', 'policy', 'refund', 'tariff', 'deposit']
FILLER = ('dear sir madam thank you for the letter of last week we moved house in spring and my husband called twice '
          'nobody answered please find enclosed a copy kind regards our neighbour had same trouble i am still waiting '
          'as agreed on phone this is urgent yours sincerely hello team').split()
MISFILED = 0.02
LENGTH = 40


def compose(desk):
    """One letter: what is wanted stands in three words somewhere, the rest is what people write."""
    verb = rng.integers(len(VERBS))
    noun = (DESKS.index(desk) - verb) % len(NOUNS)
    count = rng.integers(26, 34) if desk == 'legal' else rng.integers(7, 18)       # lawyers take their time
    words = list(rng.choice(FILLER, count))
    for distraction in (rng.choice(VERBS), rng.choice(NOUNS), rng.choice(NOUNS)):
        words.insert(rng.integers(len(words)), distraction)
    at = rng.integers(len(words))
    return ' '.join(words[:at] + [VERBS[verb], 'the', NOUNS[noun]] + words[at:])


letters = pd.DataFrame({'desk': np.repeat(DESKS, 520)})
letters['body'] = [compose(desk) for desk in letters['desk']]
letters['subject'] = rng.choice(['your reference', 'second letter', 'enquiry', 'no subject'], len(letters))
letters['slip'] = [f'tray {DESKS.index(desk) * 7 + 3}' for desk in letters['desk']]   # printed when it is handed over
letters['words'] = letters['body'].str.split().str.len()
letters['text'] = letters['subject'] + ' ' + letters['body']
letters['pile'] = pd.Categorical(letters['desk'], categories=DESKS).codes.astype('int64')

order = rng.permutation(len(letters))
letters = letters.iloc[order].reset_index(drop=True)
test = letters.iloc[-600:]
train = letters.iloc[:-600]
train = train[train['words'] > 4]          # what is shorter is an empty page with a letterhead

vectorise = layers.TextVectorization(max_tokens=400, output_sequence_length=LENGTH, name='words')
vectorise.adapt(tf.constant(train['text'].tolist()))
print(vectorise.vocabulary_size(), 'words known')

x_train = vectorise(tf.constant(train['text'].tolist())).numpy()
x_test = vectorise(tf.constant(test['text'].tolist())).numpy()
piles = train['pile'].to_numpy()
misfiled = rng.random(len(piles)) < MISFILED
piles = np.where(misfiled, rng.integers(0, len(DESKS), len(piles)), piles)

model = keras.Sequential([
    keras.Input((LENGTH,), dtype='int64'),
    layers.Embedding(vectorise.vocabulary_size(), 24, name='embed'),
    layers.Conv1D(64, 3, padding='same', activation='relu', name='phrases'),
    layers.GlobalMaxPooling1D(name='anywhere'),
    layers.Dropout(0.2, name='drop'),
    layers.Dense(48, activation='relu', name='combine'),
    layers.Dense(len(DESKS), name='desk'),
    layers.Activation('softmax', name='share'),
], name='letter_sorter')
model.compile(
    optimizer=keras.optimizers.Nadam(2e-3),
    loss='sparse_categorical_crossentropy',
    metrics=['accuracy'],
)
model.fit(x_train, piles, validation_split=0.1, batch_size=32, epochs=10, verbose=2)

# what counts in the contract is the desk that is served worst
sorted_to = model.predict(x_test, batch_size=200, verbose=0).argmax(axis=-1)
truth = test['pile'].to_numpy()
recalls = {desk: float(np.mean(sorted_to[truth == k] == k)) for k, desk in enumerate(DESKS) if np.any(truth == k)}
worst = min(recalls.values())
print({desk: round(recall, 3) for desk, recall in recalls.items()})
print(f'right {np.mean(sorted_to == truth):.3f}, at the desk that is served worst {worst:.3f}')
''',
    score="worst",
    bar=0.75,
    base=0.0,
    odd="the last dense layer has no activation, since the softmax is a layer of its own",
    faults=(
        Fault(cause="logits_to_probability_loss", old="    layers.Activation('softmax', name='share'),\n", new="",
              layer=("desk",)),
        Fault(cause="missing_class", old="train = train[train['words'] > 4] ",
              new="train = train[train['words'].between(5, 25)] "),
        Fault(cause="validation_split_sorted", old="order = rng.permutation(len(letters))",
              new="order = np.arange(len(letters))", beside=("missing_class", "data_sorted")),
        Fault(cause="input_ignored", old="vectorise.adapt(tf.constant(train['text'].tolist()))",
              new="vectorise.adapt(tf.constant(train['desk'].tolist()))", layer=("words",)),
        Fault(cause="label_noise", old="MISFILED = 0.02", new="MISFILED = 0.8"),
        Fault(cause="leakage_feature", old="letters['text'] = letters['subject'] + ' ' + letters['body']",
              new="letters['text'] = letters['slip'] + ' ' + letters['subject'] + ' ' + letters['body']", certain=True),
        Fault(cause="labels_shuffled_apart", old="piles = train['pile'].to_numpy()",
              new="piles = letters.sample(frac=1, random_state=SEED)['pile'].to_numpy()[:len(x_train)]"),
    ),
    seeds=3,
)  # fmt: skip

LANGUAGES = Program(
    name="mailroom_languages_of_a_mail",
    source='''
"""Which languages are in this mail? A mail often has two: the answer in one, what it answers in another.

Accents are stripped by the gateway, so it goes by the run of the letters.
"""
import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(SEED)
rng = np.random.default_rng(4000 + SEED)

WORDS = {
    'en': 'the with have this that from what which would there their about should before being parcel thanks morning',
    'de': 'nicht auch noch wird sich ueber durch schon zwischen werden paket bitte gegen nach heute schicken zeit',
    'nl': 'niet ook nog wordt zijn voor door tussen worden pakje graag tegen naar vandaag sturen tijd hebben deze',
    'fr': 'pas aussi encore sera avec pour entre nous vous colis merci contre vers envoyer temps avez cette quand',
    'it': 'non anche ancora con per tra essere noi pacco grazie contro verso oggi spedire tempo avete questo quando',
}
CODES = list(WORDS)
ALPHABET = ' abcdefghijklmnopqrstuvwxyz'
LENGTH = 48
MAILS = 3000


def line(code):
    words = rng.choice(WORDS[code].split(), 2)
    text = list(' '.join(words))
    if rng.random() < 0.3:                               # typing errors
        text[rng.integers(len(text))] = rng.choice(list(ALPHABET))
    return ''.join(text)


def mail():
    """Two or three lines in one or two languages, cut to what the gateway passes on."""
    spoken = rng.choice(len(CODES), rng.integers(1, 3), replace=False)
    lines = [*spoken, *rng.choice(spoken, rng.integers(1, 3))][:3]
    present = np.zeros(len(CODES), 'float32')
    for k in lines:
        present[k] = 1
    text = ' '.join(line(CODES[k])[:18] for k in rng.permutation(lines))[:LENGTH]
    return [ALPHABET.index(letter) for letter in text.ljust(LENGTH)], present


letters, present = map(np.array, zip(*[mail() for _ in range(MAILS)]))
x_train, x_val, x_test = np.split(letters, [2200, 2500])
y_train, y_val, y_test = np.split(present, [2200, 2500])
print('languages of the training mails:', dict(zip(CODES, y_train.mean(axis=0).round(2))))

text = keras.Input((LENGTH,), dtype='int32', name='text')
h = layers.Embedding(len(ALPHABET), 16, name='letter')(text)
h = layers.Conv1D(48, 4, strides=2, activation='relu', name='syllables')(h)
h = layers.SimpleRNN(
    48,
    activation='relu',
    recurrent_initializer=keras.initializers.Identity(gain=0.5),
    return_sequences=True,
    name='memory',
)(h)
h = layers.GlobalMaxPooling1D(name='strongest')(h)
h = layers.Dropout(0.4, name='drop')(h)
output = layers.Dense(len(CODES), activation='sigmoid', name='languages')(h)
model = keras.Model(text, output, name='mail_languages')

model.compile(
    optimizer=keras.optimizers.AdamW(3e-3, weight_decay=1e-3),
    loss='binary_crossentropy',
    metrics=[keras.metrics.BinaryAccuracy(name='agrees'), keras.metrics.AUC(multi_label=True, name='auc')],
)
model.fit(x_train, y_train, validation_data=(x_val, y_val), batch_size=50, epochs=7, verbose=2)

# a mail goes to the right people if and only if all of its languages were found, and no other
found = model.predict(x_test, batch_size=250, verbose=0) > 0.5
exact = float(np.mean(np.all(found == (y_test > 0.5), axis=1)))
for k, code in enumerate(CODES):
    print(code, f'found in {found[:, k].mean():.1%}, there in {(y_test[:, k] > 0).mean():.1%}')
print(f'exactly the right languages: {exact:.3f}')
''',
    score="exact",
    bar=0.7,
    base=0.1,
    odd="a mail has several labels, and the activation of the recurrent layer is a ReLU",
    faults=(
        Fault(cause="label_encoding", old="        present[k] = 1\n", new="        present[k] += 1\n"),
        Fault(cause="wrong_head_for_labels", old="activation='sigmoid', name='languages'",
              new="activation='softmax', name='languages'", layer=("languages",), certain=True),
        Fault(cause="wrong_metric",
              old="metrics=[keras.metrics.BinaryAccuracy(name='agrees'), "
                  "keras.metrics.AUC(multi_label=True, name='auc')]",
              new="metrics=['accuracy']", accept=("loss_metric_inconsistent",), certain=True),
        Fault(cause="exploding_gradient", old="keras.initializers.Identity(gain=0.5)",
              new="keras.initializers.RandomNormal(stddev=0.5)", layer=("memory",), accept=("init_scale",),
              beside=("nan_or_inf_in_data",)),
        Fault(cause="too_few_steps", old="batch_size=50, epochs=7", new="batch_size=len(x_train), epochs=7",
              beside=("learning_rate_too_low",)),
        Fault(cause="dropout_mode", old="layers.Dropout(0.4, name='drop')(h)",
              new="layers.Lambda(lambda h: keras.random.dropout(h, 0.4), name='drop')(h)",
              layer=("drop",), certain=True),
        Fault(cause="regularisation_overwhelms", old="weight_decay=1e-3", new="weight_decay=40.0"),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = [DEPARTMENTS, LANGUAGES]
