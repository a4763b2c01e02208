from keras_course.diagnostics import answers
from keras_course.diagnostics.observation import Data, Feed, Loss, Observation, Variable
from keras_course.diagnostics.trainings import Training
from tests.diagnostics.trained import watched

import keras
import numpy as np
import pytest
import tensorflow as tf

WIDE = np.random.default_rng(3).normal(size=(400, 24)).astype("float32")
WIDE[:, 0] *= 3  # the direction that says most, and in which a linear model errs least
KINDS = (WIDE[:, 0] + np.random.default_rng(4).normal(size=400) > 0).astype("int64")
SPLIT = (("train", slice(300)), ("validation", slice(300, None)))


class Table(keras.Model):
    """Knows by heart what it was given, and says `other` of all else."""

    def __init__(self, x, said, other):
        super().__init__()
        self.known = dict(zip(map(bytes, x), said, strict=True))
        self.other = other

    def call(self, x, training=False):
        return tf.constant(np.array([self.known.get(bytes(row), self.other) for row in np.asarray(x)], "float32"))


@pytest.mark.parametrize(("loss", "logits"), [("sparse", True), ("binary", True), ("binary", False), ("squared", None)])
def test_what_the_last_weights_know_of_rows_held_out(loss, logits):
    y = KINDS if loss != "squared" else WIDE @ np.arange(24.0)
    said = {"sparse": np.eye(2)[KINDS], "binary": (KINDS - 0.5 if logits else 0.2 + 0.6 * KINDS)[:, None],
            "squared": y[:, None]}[loss]  # fmt: skip
    other = np.zeros_like(said[0]) + (np.mean(y) if loss == "squared" else 0.2 if logits is False else 0)
    names = {
        "sparse": "sparse_categorical_crossentropy",
        "binary": "binary_crossentropy",
        "squared": "mean_squared_error",
    }
    seen = Observation(name="m", interface="fit", loss=Loss(name=names[loss], from_logits=logits))
    seen.train, seen.asked = (
        Data(x=WIDE[:300], y=y[:300]),
        [Feed(x=WIDE[300:], name="x_test", labels={"y_test": y[300:]})],
    )
    training = Training([], facts=None, site=("", 0))
    training.model = Table(WIDE[:300], said[:300], other)
    found = answers.by_heart(training, seen)
    at_random = {"sparse": np.mean(KINDS[300:] == 0), "binary": np.mean(KINDS[300:] == 0)}.get(loss, 0.0)
    assert found["right_train"] == pytest.approx(1.0)
    assert found["right_held"] == pytest.approx(at_random, abs=0.05)
    assert found["linear_held"] > 0.8
    seen.train = Data(x=WIDE[:30], y=y[:30])
    few = answers.by_heart(training, seen)
    assert not {"linear_held", "rare_rows"} & set(few), "of thirty rows"
    assert {name: few[name] for name in ("right_held", "held_loss")} == {
        name: pytest.approx(found[name], abs=1e-6) for name in ("right_held", "held_loss")
    }
    p, rest = np.mean(KINDS[300:]), y[300:] - np.mean(y)
    entropy = -p * np.log(p) - (1 - p) * np.log(1 - p)
    of_other = -p * np.log(0.2) - (1 - p) * np.log(0.8) if logits is False else np.log(2)
    expected = np.mean(rest**2) / np.var(y[300:]) if loss == "squared" else of_other / entropy
    assert few["held_loss"] == pytest.approx(expected, rel=1e-4)
    seen.train = Data(x=WIDE[:300], y=y[:300])
    if loss == "squared":  # a test set whose targets are not standardised
        for units in (y[300:] * 4, y[300:] + 3 * np.std(y)):
            seen.asked[0].labels = {"y_test": units}
            assert answers.by_heart(training, seen) == {}
        seen.asked[0].labels = {"y_test": y[300:]}
    training.model = Table(WIDE, said, other)
    found = answers.by_heart(training, seen)
    assert (found["right_train"], found["right_held"]) == (pytest.approx(1.0), pytest.approx(1.0))
    assert "linear_held" not in found, "what was learned holds"


@pytest.mark.parametrize("change", ["", "own", "trained on since", "two inputs", "no averages", "no labels"])
def test_the_loss_of_rows_of_the_training_with_moving_averages(change):
    seen = Observation(name="m", interface="fit", loss=Loss(name="mean_squared_error"))
    seen.layers = [{"class": "BatchNormalization"}]
    y = WIDE @ np.arange(24.0)
    seen.train = Data(x=WIDE, y=None if change == "no labels" else y)
    weight = tf.Variable(1.0)
    training = Training([weight], facts=None, site=("", 0))
    training.model = Table(WIDE, y[:, None] + 3, np.zeros(1))
    if change == "trained on since":
        training.later = {id(weight.handle)}
    elif change == "two inputs":
        seen.layers += [{"class": "InputLayer"}] * 2
    elif change == "no averages":
        seen.layers = [{"class": "LayerNormalization", "name": "a"}]
        seen.variables = [Variable(name="a/gain", shape=(3,), trainable=True, initial=np.zeros(3), final=np.ones(3))]
    elif change == "own":
        seen.layers = [{"class": "Level", "name": "a"}]
        seen.variables = [Variable(name="a/mean", shape=(3,), trainable=False, initial=np.zeros(3), final=np.ones(3))]
    found = answers.in_evaluation(training, seen)
    assert found == ({} if change not in ("", "own") else {"evaluated": pytest.approx(9.0, rel=1e-4)})
    if not change:
        seen.train = Data(x=WIDE[:3], y=y[:3])
        assert answers.in_evaluation(training, seen) == pytest.approx(found, rel=1e-4), "three rows say it too"


def test_the_rarest_class_of_training_among_the_rows_held_out():
    y = np.where(np.arange(400) % 20 == 0, 2, KINDS)
    said = np.eye(3)[
        np.where((y == 2) & (np.arange(400) < 380), 0, np.where(y == 1, 1, y))
    ]  # finds one of the last two
    seen = Observation(name="m", interface="fit", loss=Loss(name="sparse_categorical_crossentropy"))
    seen.train = Data(x=WIDE[:250], y=y[:250])
    seen.asked = [Feed(x=WIDE[250:], name="x_test", labels={"y_test": y[250:]})]
    training = Training([], facts=None, site=("", 0))
    training.model = Table(WIDE, said, np.zeros(3))
    found = answers.by_heart(training, seen)
    assert {name: found[name] for name in found if name.startswith(("rare", "others"))} == {
        "rare_class": 2.0, "rare_found": 1.0, "rare_rows": 7.0, "others_found": 1.0
    }  # fmt: skip
    seen.validation = Data(x=WIDE[250:359], y=y[250:359])  # it has five of them
    assert answers.by_heart(training, seen)["rare_rows"] == 7.0


def shared(y, said, loss="sparse_categorical_crossentropy", logits=True):
    """What is found of a network that says `said` of rows with the classes `y`, all of them held out but 300."""
    seen = Observation(name="m", interface="fit", loss=Loss(name=loss, from_logits=logits))
    seen.train = Data(x=WIDE[:300], y=y[:300])
    seen.asked = [Feed(x=WIDE[300:], name="x_test", labels={"y_test": y[300:]})]
    training = Training([], facts=None, site=("", 0))
    training.model = Table(WIDE, said, np.zeros_like(said[0]))
    return answers.at_their_shares(training, seen)


@pytest.mark.parametrize("kind", ["two outputs", "chances", "one output", "one chance"])
def test_what_the_shares_of_the_classes_cost(kind):
    """A tenth of the rows is of class 1. Their scores are 1 and -1 by halves, those of the others -3: a score of more
    than 0 finds one half, and one of more than -2.2, the logarithm of the odds, all."""
    y = (np.arange(400) % 10 == 0).astype("int64")
    score = np.where(y == 0, -3.0, np.where(np.arange(400) % 20 == 0, 1.0, -1.0))
    chance = 1 / (1 + np.exp(-score))
    said = {"two outputs": np.stack([0 * score, score], 1), "chances": np.stack([1 - chance, chance], 1),
            "one output": score[:, None], "one chance": chance[:, None]}[kind]  # fmt: skip
    loss = "binary_crossentropy" if kind.startswith("one") else "sparse_categorical_crossentropy"
    found = shared(y, said, loss, logits="output" in kind)
    assert found["recall"] == pytest.approx((1 + 0.5) / 2)
    assert found["evened"] == pytest.approx(0.25)
    assert found["evened_error"] == pytest.approx(np.sqrt(0.25 / 10) / 2)
    assert found["shares_held"] == 1.0
    lower = np.where(y == 0, -2.0, score)  # of which all are taken for class 1 then
    found = shared(y, lower[:, None], "binary_crossentropy")
    assert found["evened"] == pytest.approx(0.25 - 0.5)


def test_shares_are_those_of_the_training_and_say_nothing_of_classes_alike_or_with_few_rows():
    y = (np.arange(400) % 10 == 0).astype("int64")
    score = np.zeros((400, 2))
    assert shared(y, score)
    assert shared(np.arange(400) % 2, score) == {}, "no class is rare"
    few = np.where(np.arange(400) < 300, y, np.arange(400) % 20 == 0).astype("int64")
    assert shared(few, score) == {}, "five rows of it are held out"
    assert shared(0 * y, score) == {}
    assert shared(y + 0.5, score[:, :1], "mean_squared_error") == {}
    seen = Observation(name="m", interface="fit", loss=Loss(name="sparse_categorical_crossentropy", from_logits=True))
    seen.train = Data(x=WIDE, y=y)
    training = Training([], facts=None, site=("", 0))
    training.model = Table(WIDE, score, np.zeros(2))
    assert answers.at_their_shares(training, seen)["shares_held"] == 0.0, "nothing is held out"


class Reader(keras.Model):
    """Says of texts what `of` finds in their words."""

    def __init__(self, of):
        super().__init__()
        self.of = of

    def call(self, x, training=False):
        return tf.constant(np.asarray(self.of(np.asarray(x)), "float32")[:, None])


@pytest.mark.parametrize(
    ("of", "moved"),
    [
        (lambda x: np.sum(x != 0, axis=1), False),  # how long they are
        (lambda x: x[:, 2] != 0, False),
        (lambda x: np.sum(x == 7, axis=1), True),
        (lambda x: x[:, 0] > 15, True),
        (lambda x: np.zeros(len(x)), None),
    ],
)
def test_whether_it_matters_which_words_stand_in_a_text(of, moved):
    rng = np.random.default_rng(0)
    texts = np.where(np.arange(9) < rng.integers(1, 10, (300, 1)), rng.integers(1, 30, (300, 9)), 0)
    seen = Observation(name="m", interface="fit", loss=Loss(name="binary_crossentropy"))
    seen.train = Data(x=texts, y=np.arange(300) % 2)
    training = Training([], facts=None, site=("", 0))
    training.model = Reader(of)
    found = answers.of_other_words(training, seen)
    assert (found["words_moved"] > 0.5 if moved else found["words_moved"] == 0.0) if moved is not None else found == {}
    if moved:
        for other in (texts * 1.0, texts % 19, texts[:, 0]):  # measurements, few letters, numbers of things
            seen.train.x = other
            assert answers.of_other_words(training, seen) == {}


@pytest.mark.parametrize("change", ["trained on since", "two inputs", "few rows", "no labels", "another name"])
def test_nothing_is_asked_of_weights_that_have_changed_or_of_what_is_not_known(change):
    seen = Observation(name="m", interface="fit", loss=Loss(name="sparse_categorical_crossentropy"))
    seen.train = Data(x=WIDE[:300], y=KINDS[:300])
    seen.asked = [Feed(x=WIDE[300:], name="x_test", labels={"y": KINDS[300:]})]
    training = Training([], facts=None, site=("", 0))
    training.model = Table(WIDE, np.eye(2)[KINDS], np.zeros(2))
    assert answers.by_heart(training, seen)
    if change == "trained on since":
        training.until = 2
    elif change == "two inputs":
        seen.layers = [{"class": "InputLayer"}] * 2
    else:
        rows, labels = (WIDE[300:], {}) if change == "no labels" else (WIDE[300:], {"y": KINDS[300:]})
        if change == "few rows":
            rows, labels = WIDE[320:380], {"y": KINDS[320:380]}
        seen.asked = [Feed(x=rows, name="grid" if change == "another name" else "x_test", labels=labels)]
    assert answers.by_heart(training, seen) == {}


@pytest.mark.parametrize("names", [(), ("rows", "kinds")])
def test_a_model_of_several_inputs_is_asked_with_all_of_them(names):
    seen = Observation(name="m", interface="fit", loss=Loss(name="sparse_categorical_crossentropy"))
    seen.layers = [{"class": "InputLayer"}] * 2 + [{"class": "BatchNormalization"}]
    parts = {name: Data(x=WIDE[some], further=(KINDS[some],), names=names, y=KINDS[some]) for name, some in SPLIT}
    seen.train, seen.validation = parts["train"], parts["validation"]
    training = Training([], facts=None, site=("", 0))
    training.model = lambda given, training: np.eye(2)[given["kinds"] if names else given[1]]  # says the second
    found = answers.by_heart(training, seen)
    assert (found["right_train"], found["right_held"]) == (1.0, 1.0)
    assert answers.in_evaluation(training, seen)["evaluated"] < 1e-3
    seen.validation.further = ()
    assert answers.by_heart(training, seen) == {}


def test_places_of_sequences_are_asked_for_one_by_one():
    """Two digits a picture: the first is known wherever it stands, the second in training alone."""
    y = np.stack([KINDS, np.roll(KINDS, 7)], axis=1)
    said = np.eye(2)[y]
    said[300:, 1] = np.eye(2)[1 - y[300:, 1]]
    seen = Observation(name="m", interface="fit", loss=Loss(name="sparse_categorical_crossentropy"))
    seen.train = Data(x=WIDE[:300], y=y[:300])
    seen.asked = [Feed(x=WIDE[300:], name="x_test", labels={"y_test": y[300:]})]
    training = Training([], facts=None, site=("", 0))
    training.model = Table(WIDE, said, np.eye(2))
    found = answers.by_heart(training, seen)
    assert (found["right_train"], found["right_held"]) == (1.0, 0.5)
    assert found["held_loss"] > 1
    assert "linear_held" not in found


def test_what_the_last_weights_are_surest_of():
    """Of 60 rows in 300 the sure answer is another class; of the rest it is right, and half as sure."""
    y = KINDS[:300]
    flipped = np.arange(300) % 5 == 0
    logits = np.where(flipped[:, None], -4.0, 2.0) * (np.eye(2)[y] - 0.5)
    seen = Observation(name="m", interface="fit", loss=Loss(name="sparse_categorical_crossentropy", from_logits=True))
    seen.train = Data(x=WIDE[:300], y=y)
    training = Training([], facts=None, site=("", 0))
    training.model = Table(WIDE[:300], logits, np.zeros(2))
    found = answers.surest(training, seen)
    assert found["sure_rows"] == 100
    assert found["sure_wrong"] == pytest.approx(0.6)
    assert found["sure_all"] == pytest.approx(0.2)
    seen.asked = [Feed(x=WIDE[300:], name="x_test", labels={"y_test": KINDS[300:]})]
    assert answers.surest(training, seen)["sure_all"] == pytest.approx(np.mean(KINDS[300:] != 0)), "of held out rows"
    seen.asked, seen.train = [], Data(x=WIDE[:99], y=KINDS[:99])
    assert answers.surest(training, seen) == {}, "of too few rows"


def test_of_one_output_the_surest_answers_are_furthest_from_the_middle():
    y = KINDS[:300]
    said = np.where(np.arange(300) < 30, 1 - y, np.where(y, 0.6, 0.4))[:, None]  # 30 rows are surely wrong
    seen = Observation(name="m", interface="fit", loss=Loss(name="binary_crossentropy", from_logits=False))
    seen.train = Data(x=WIDE[:300], y=y)
    training = Training([], facts=None, site=("", 0))
    training.model = Table(WIDE[:300], said, np.zeros(1))
    found = answers.surest(training, seen)
    assert (found["sure_wrong"], found["sure_all"]) == (pytest.approx(0.3), pytest.approx(0.1))


def test_of_several_real_targets_each_is_known_about_its_own_mean():
    """To say the means is to know nothing, however far they lie apart."""
    y = np.stack([WIDE[:, 0], 100 + WIDE[:, 1]], axis=1).astype("float64")
    seen = Observation(name="m", interface="fit", loss=Loss(name="mean_squared_error"))
    seen.train = Data(x=WIDE[:300], y=y[:300])
    seen.asked = [Feed(x=WIDE[300:], name="x_test", labels={"y_test": y[300:]})]
    training = Training([], facts=None, site=("", 0))
    training.model = Table(WIDE[:300], y[:300], y[300:].mean(0))
    found = answers.by_heart(training, seen)
    assert (found["right_train"], found["right_held"]) == (pytest.approx(1.0), pytest.approx(0.0, abs=1e-6))


def test_several_real_targets_in_other_units_are_not_compared():
    """One column has them, and the whole spreads as that of the training does."""
    y = np.stack([WIDE[:, 0], 3 * WIDE[:, 1]], axis=1).astype("float64")
    seen = Observation(name="m", interface="fit", loss=Loss(name="mean_squared_error"))
    seen.train = Data(x=WIDE[:300], y=y[:300])
    seen.asked = [Feed(x=WIDE[300:], name="x_test", labels={"y_test": y[300:] * [0.1, 1.0]})]
    training = Training([], facts=None, site=("", 0))
    training.model = Table(WIDE[:300], y[:300], np.zeros(2))
    assert answers.by_heart(training, seen) == {}


@pytest.mark.parametrize(
    ("spreads", "said", "narrow"),
    [
        ((2.0, 60.0, 0.5), (0, 1, 0.2), 0),  # of the two narrow ones that which is told worst beside a line
        ((2.0, 60.0, 0.5), (1, 1, 0), 2),
        ((2.0, 60.0, None), (0.4, 1, 0), 0),  # of the last, which no line tells, nobody knows more
        ((2.0, 19.0), (0, 1), None),  # not a tenth
        ((2.0,), (0,), None),
    ],
)
def test_targets_of_a_row_are_asked_about_one_by_one(spreads, said, narrow):
    """said: which part of each target the network tells."""
    weights = np.random.default_rng(5).normal(size=(24, len(spreads)))
    y = WIDE @ weights
    noise = np.random.default_rng(6).normal(size=400)
    columns = [noise if s is None else s * c / c.std() for s, c in zip(spreads, y.T, strict=True)]
    y = np.stack(columns, axis=1)
    seen = Observation(name="m", interface="fit", loss=Loss(name="mean_squared_error"))
    seen.train = Data(x=WIDE, y=y)
    training = Training([], facts=None, site=("", 0))
    training.model = Table(WIDE, y * said, np.zeros(len(spreads)))
    found = answers.by_column(training, seen)
    if narrow is None:
        assert found == {}
        return
    assert (found["narrow"], found["narrow_spread"]) == (narrow, pytest.approx(spreads[narrow], rel=1e-3))
    assert found["narrow_told"] == pytest.approx(1 - (1 - said[narrow]) ** 2, abs=0.05)
    assert found["narrow_known"] > 0.9
    assert (found["wide_spread"], found["wide_told"]) == (pytest.approx(60, rel=1e-3), pytest.approx(1, abs=1e-3))


@pytest.mark.parametrize(("others", "known"), [(False, True), (True, False)])
def test_a_network_without_a_model_answers_where_its_loss_takes_the_labels_twice(others, known):
    """As y and as 1 - y; not where the prediction hangs on something else that is fed."""
    w, b = tf.Variable(np.ones((24, 1), "float32")), tf.Variable([0.5])
    x_test, rest = WIDE[300:], np.ones((300, 1), "float32")

    def cost(x, y, offset):
        z = x @ w + b + (offset if others else 0.0)
        return tf.reduce_mean(3.0 * y * tf.nn.softplus(-z) + (1 - y) * tf.nn.softplus(z))

    @tf.function
    def step(x, y, offset):
        with tf.GradientTape() as tape:
            value = cost(x, y, offset)
        for v, g in zip([w, b], tape.gradient(value, [w, b]), strict=True):
            v.assign_sub(0.1 * g)

    def train():
        for i in range(0, 300, 50):
            step(WIDE[i : i + 50], np.float32(KINDS[i : i + 50, None]), rest[i : i + 50])

    (training,) = watched(train)
    again = answers.Again.of(training)
    assert (again is not None) == known
    if again is not None:
        np.testing.assert_allclose(again(x_test), x_test @ w.numpy() + b.numpy(), rtol=1e-4, atol=1e-5)
        again.close()


@pytest.mark.parametrize(
    ("name", "kind", "trainable", "moves", "found"),
    [
        ("net/a/mean", "Level", False, True, ["net/a"]),
        ("net/a/mean", "Level", False, False, []),  # it stays where it was
        ("net/a/mean", "Level", True, True, []),
        ("net/a/moving_mean", "BatchNormalization", False, True, []),
        ("mean", "Level", False, True, []),  # of plain variables nobody knows what they are for
    ],
)
def test_averages_of_a_layer_of_the_scripts_own(name, kind, trainable, moves, found):
    first = np.zeros(3, "float32")
    state = Variable(name=name, shape=(3,), trainable=trainable, initial=first, final=first + moves)
    counts = Variable(name="net/a/seen", shape=(), trainable=False, initial=np.array(0), final=np.array(9))
    seen = Observation(name="m", variables=[state, counts], layers=[{"class": kind, "name": "a"}])
    assert answers.own_averages(seen) == found
