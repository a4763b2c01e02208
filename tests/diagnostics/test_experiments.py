from keras_course.diagnostics import experiments
from keras_course.diagnostics.observation import Data, Feed, Loss, Observation
from keras_course.diagnostics.trainings import Training
from tests.diagnostics.trained import X, Y, crossentropy, loop, watched

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers


def tried(parts, *, rate=0.1, steps=40, harmed=True, batch=10):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((5,)), *parts])
    variables = [v.value for v in model.trainable_variables]
    loss = lambda a, b: crossentropy(model, a, b)  # noqa: E731 - one expression
    (training,) = watched(lambda: loop(loss, variables, rate=rate, steps=steps, batch=batch))
    seen = training.close()
    found = experiments.run(training, seen, harmed=harmed)
    assert not seen.unseen
    return found, seen, training


def silent():
    """A layer that gives 0 for everything."""
    return layers.Dense(16, "relu", kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(-1.0))


def test_the_rate_of_steps_by_hand_is_read_off_them():
    assert tried([layers.Dense(3)], rate=0.07)[0]["rate"] == pytest.approx(0.07, rel=1e-3)
    assert tried([layers.Dense(3)], rate=1e-6)[0]["rate"] == pytest.approx(1e-6, rel=0.5), "below the rounding"


def test_no_experiment_is_begun_when_the_time_is_over(monkeypatch):
    monkeypatch.setattr(experiments, "SECONDS", -1.0)
    assert tried([layers.Dense(3)])[0] == {}


def test_a_rate_that_is_too_high_is_better_at_a_tenth_and_one_too_low_at_ten_times():
    high, *_ = tried([layers.Dense(8, "relu"), layers.Dense(3)], rate=30.0)
    assert high["probe_worst"] > 1.3 * high["probe_start"]
    assert min(high["end_tenth"], high.get("end_hundredth", np.inf)) < 0.9 * high["end_same"]
    low, *_ = tried([layers.Dense(8, "relu"), layers.Dense(3)], rate=1e-4)
    gains = [low["probe_start"] - low[f"probe_{name}"] for name in ("same", "ten", "hundred")]
    assert gains[1] > 5 * gains[0] > 0
    assert gains[2] > 5 * gains[1]
    assert low["late_start"] - low["late_thousand"] > 0.1 * low["late_start"]


def test_superposition_holds_for_linear_networks_only():
    linear = tried([layers.Dense(8), layers.Dense(4), layers.Dense(3)], harmed=False)[0]
    assert linear["superposition"] < 1e-5
    assert tried([layers.Dense(8, "leaky_relu"), layers.Dense(3)])[0]["superposition"] > 1e-3


def test_superposition_is_tried_where_the_targets_are_floats_too():
    def squares(m, a, b):
        return tf.reduce_mean(tf.square(m(a) - b))

    keras.utils.set_random_seed(0)
    for hidden, linear in ((layers.Dense(8), True), (layers.Dense(8, "relu"), False)):
        model = keras.Sequential([keras.Input((5,)), hidden, layers.Dense(1)])
        variables = [v.value for v in model.trainable_variables]
        (training,) = watched(lambda m=model, v=variables: loop(lambda a, b: squares(m, a, b), v, y=X[:, :1] * 2))
        found = experiments.superposition(experiments.replay_of(training), training.close(), training)
        assert (found["superposition"] < 1e-4) == linear


def test_superposition_is_tried_where_each_batch_is_the_whole_data():
    keras.utils.set_random_seed(0)
    for activation, linear in (("linear", True), ("relu", False)):
        model = keras.Sequential([keras.Input((5,)), layers.Dense(8, activation, use_bias=False), layers.Dense(3)])
        variables = [v.value for v in model.trainable_variables]
        (training,) = watched(lambda m=model, v=variables: loop(lambda a, b: crossentropy(m, a, b), v, batch=len(X)))
        found = experiments.superposition(experiments.replay_of(training), training.close(), training)
        assert (found["superposition"] < 1e-4) == linear


def test_a_head_that_hangs_on_another_input_says_nothing_of_superposition():
    left, right = keras.Sequential([layers.Dense(4, "relu")]), keras.Sequential([layers.Dense(4, "relu")])
    left.build((None, 5)), right.build((None, 5))

    def towers(a, b):
        return tf.reduce_mean(tf.square(left(a) - b[:, :4])) + tf.reduce_mean(tf.square(right(b)))

    variables = [v.value for v in [*left.trainable_variables, *right.trainable_variables]]
    (training,) = watched(lambda: loop(towers, variables, y=X[::-1].copy()))
    assert experiments.superposition(experiments.replay_of(training), training.close(), training) == {}


def attained(kernel="he_normal", *, trained=slice(None), rate=0.05, steps=60):
    """What is attainable beside a loop over batches of rows that repeat, and the training."""
    keras.utils.set_random_seed(0)
    parts = layers.Dense(16, "relu", kernel_initializer=kernel), layers.Dense(3)
    model = keras.Sequential([keras.Input((5,)), *parts])
    variables = [v.value for v in model.trainable_variables][trained]
    loss = lambda a, b: crossentropy(model, a, b)  # noqa: E731 - one expression
    (training,) = watched(lambda: loop(loss, variables, rate=rate, steps=steps))
    return experiments.attainable(training, training.close())


def test_what_a_short_training_reaches_from_first_weights_of_the_script_and_from_such_as_are_drawn_anew():
    sound = attained()
    assert sound["attained_own"] < 0.3 > sound["attained_fresh"]
    assert sound["attained_from"] > 0.8 > sound["attained_last"] > sound["attained_own"]
    alike = attained("ones")
    assert alike["attained_own"] > 0.35 > 0.3 > alike["attained_fresh"], "units that are alike"
    wild = attained(keras.initializers.RandomNormal(stddev=40.0), steps=1, rate=0.0)
    assert wild["attained_from"] < 3 < wild["attained_last"], "before any step the better of the two starts counts"


def test_what_is_attainable_trains_frozen_weights_too():
    frozen = attained(trained=slice(2, None), rate=0.0)
    assert frozen["attained_last"] == pytest.approx(frozen["attained_from"], rel=0.5)
    assert frozen["attained_own"] < 0.3


def test_what_is_attainable_where_a_layer_keeps_a_state():
    keras.utils.set_random_seed(0)
    cells = layers.SimpleRNN(4, stateful=True), layers.Dense(3)
    model = keras.Sequential([keras.Input(batch_shape=(10, 5, 1)), *cells])
    variables = [v.value for v in model.trainable_variables]
    loss = lambda a, b: crossentropy(model, a[..., None], b)  # noqa: E731 - one expression
    (training,) = watched(lambda: loop(loss, variables))
    found = experiments.attainable(training, training.close())
    assert found["attained_fresh"] < found["attained_from"]


def test_no_arm_of_what_is_attainable_is_begun_when_the_time_is_over(monkeypatch):
    monkeypatch.setattr(experiments, "ATTAINING", -1.0)
    assert attained().keys() == {"attained_from", "attained_last"}


def test_eight_examples_are_learned_by_heart_unless_nothing_passes():
    good = tried([layers.Dense(16, "relu"), layers.Dense(3)])[0]
    assert good["few_end"] < 0.1 * good["few_start"]
    dead = tried([silent(), layers.Dense(3)])[0]
    assert dead["few_end"] > 0.5 * dead["few_start"]


def test_silent_layers_say_nothing_of_superposition():
    assert "superposition" not in tried([silent(), layers.Dense(3)])[0]


@pytest.mark.parametrize("batch", [3, 4, 9])
def test_four_examples_are_learned_by_heart_where_there_are_no_eight(batch):
    found = tried([layers.Dense(16, "relu"), layers.Dense(3)], batch=batch)[0]
    assert found.get("few") == {3: None, 4: 4, 9: 8}[batch]
    assert batch == 3 or found["few_end"] < 0.1 * found["few_start"]


def test_fresh_weights_have_the_spread_that_keeps_the_signal():
    _, seen, training = tried([layers.Dense(400, "relu", kernel_initializer="ones"), layers.Dense(3)], steps=2)
    replay = experiments.replay_of(training)
    start = experiments.fresh_start(replay, seen, training)
    hidden = next(v for v in start.values() if v.shape == (5, 400))
    assert np.std(hidden) == pytest.approx(np.sqrt(2 / 5), rel=0.05)
    biases = [name for name, v in start.items() if v.ndim == 1]
    assert all(np.array_equal(start[name], replay.start[name]) for name in biases)


def test_the_output_of_a_network_that_ignores_its_input_does_not_vary():
    dead = tried([silent(), layers.Dense(3)])[0]
    assert dead["output_spread"] < 1e-6
    assert tried([layers.Dense(3)])[0]["output_spread"] > 1e-2


def test_rows_are_repeated_to_the_size_of_the_batch():
    few = experiments.few([X[:6], Y[:6]], 4)
    np.testing.assert_array_equal(few[1], [*Y[:4], *Y[:2]])
    assert experiments.few([X[:6], Y[:5]], 4) is None


@pytest.mark.parametrize(("cell", "low", "high"), [
    (layers.SimpleRNN(6, activation="sigmoid"), 0.0, 0.4),
    (layers.SimpleRNN(6), 0.4, 1.1),
    (layers.LSTM(6), 0.4, 1.0),
])  # fmt: skip
def test_the_gradient_through_time_fades_by_the_slope_of_the_activation(cell, low, high):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((5, 1)), layers.UpSampling1D(3), cell, layers.Dense(3)])
    variables = [v.value for v in model.trainable_variables]
    (training,) = watched(lambda: loop(lambda a, b: crossentropy(model, a[..., None], b), variables))
    found = experiments.through_time(experiments.replay_of(training), training.close(), training)
    assert low < found["time_factor"] < high
    assert found["time_ratio"] == pytest.approx(found["time_factor"] ** (15 - 3))


def test_what_the_first_batches_cost_in_the_end():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((5,)), layers.Dense(8, "relu"), layers.Dense(3)])
    order = np.argsort(Y, kind="stable")
    variables = [v.value for v in model.trainable_variables]
    (training,) = watched(
        lambda: loop(lambda a, b: crossentropy(model, a, b), variables, rate=1.0, steps=30, x=X[order], y=Y[order])
    )
    found = experiments.forgotten(experiments.replay_of(training), training.close(), training)
    first = [float(crossentropy(model, X[order][i : i + 10], Y[order][i : i + 10])) for i in range(0, 60, 10)]
    assert found["forgotten"] == pytest.approx(np.mean(first), rel=1e-4)


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
    found = experiments.by_heart(training, seen)
    at_random = {"sparse": np.mean(KINDS[300:] == 0), "binary": np.mean(KINDS[300:] == 0)}.get(loss, 0.0)
    assert found["right_train"] == pytest.approx(1.0)
    assert found["right_held"] == pytest.approx(at_random, abs=0.05)
    assert found["linear_held"] > 0.8
    seen.train = Data(x=WIDE[:30], y=y[:30])
    few = experiments.by_heart(training, seen)
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
            assert experiments.by_heart(training, seen) == {}
        seen.asked[0].labels = {"y_test": y[300:]}
    training.model = Table(WIDE, said, other)
    found = experiments.by_heart(training, seen)
    assert (found["right_train"], found["right_held"]) == (pytest.approx(1.0), pytest.approx(1.0))
    assert "linear_held" not in found, "what was learned holds"


@pytest.mark.parametrize("change", ["", "trained on since", "two inputs", "no averages", "no labels"])
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
        seen.layers = [{"class": "LayerNormalization"}]
    found = experiments.in_evaluation(training, seen)
    assert found == ({} if change else {"evaluated": pytest.approx(9.0, rel=1e-4)})
    if not change:
        seen.train = Data(x=WIDE[:3], y=y[:3])
        assert experiments.in_evaluation(training, seen) == pytest.approx(found, rel=1e-4), "three rows say it too"


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
    found = experiments.by_heart(training, seen)
    assert {name: found[name] for name in found if name.startswith(("rare", "others"))} == {
        "rare_class": 2.0, "rare_found": 1.0, "rare_rows": 7.0, "others_found": 1.0
    }  # fmt: skip
    seen.validation = Data(x=WIDE[250:359], y=y[250:359])  # it has five of them
    assert experiments.by_heart(training, seen)["rare_rows"] == 7.0


@pytest.mark.parametrize("change", ["trained on since", "two inputs", "few rows", "no labels", "another name"])
def test_nothing_is_asked_of_weights_that_have_changed_or_of_what_is_not_known(change):
    seen = Observation(name="m", interface="fit", loss=Loss(name="sparse_categorical_crossentropy"))
    seen.train = Data(x=WIDE[:300], y=KINDS[:300])
    seen.asked = [Feed(x=WIDE[300:], name="x_test", labels={"y": KINDS[300:]})]
    training = Training([], facts=None, site=("", 0))
    training.model = Table(WIDE, np.eye(2)[KINDS], np.zeros(2))
    assert experiments.by_heart(training, seen)
    if change == "trained on since":
        training.until = 2
    elif change == "two inputs":
        seen.layers = [{"class": "InputLayer"}] * 2
    else:
        rows, labels = (WIDE[300:], {}) if change == "no labels" else (WIDE[300:], {"y": KINDS[300:]})
        if change == "few rows":
            rows, labels = WIDE[320:380], {"y": KINDS[320:380]}
        seen.asked = [Feed(x=rows, name="grid" if change == "another name" else "x_test", labels=labels)]
    assert experiments.by_heart(training, seen) == {}


@pytest.mark.parametrize("names", [(), ("rows", "kinds")])
def test_a_model_of_several_inputs_is_asked_with_all_of_them(names):
    seen = Observation(name="m", interface="fit", loss=Loss(name="sparse_categorical_crossentropy"))
    seen.layers = [{"class": "InputLayer"}] * 2 + [{"class": "BatchNormalization"}]
    parts = {name: Data(x=WIDE[some], further=(KINDS[some],), names=names, y=KINDS[some]) for name, some in SPLIT}
    seen.train, seen.validation = parts["train"], parts["validation"]
    training = Training([], facts=None, site=("", 0))
    training.model = lambda given, training: np.eye(2)[given["kinds"] if names else given[1]]  # says the second
    found = experiments.by_heart(training, seen)
    assert (found["right_train"], found["right_held"]) == (1.0, 1.0)
    assert experiments.in_evaluation(training, seen)["evaluated"] < 1e-3
    seen.validation.further = ()
    assert experiments.by_heart(training, seen) == {}


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
    found = experiments.by_heart(training, seen)
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
    found = experiments.surest(training, seen)
    assert found["sure_rows"] == 100
    assert found["sure_wrong"] == pytest.approx(0.6)
    assert found["sure_all"] == pytest.approx(0.2)
    seen.asked = [Feed(x=WIDE[300:], name="x_test", labels={"y_test": KINDS[300:]})]
    assert experiments.surest(training, seen)["sure_all"] == pytest.approx(np.mean(KINDS[300:] != 0)), (
        "of held out rows"
    )
    seen.asked, seen.train = [], Data(x=WIDE[:99], y=KINDS[:99])
    assert experiments.surest(training, seen) == {}, "of too few rows"


def test_of_one_output_the_surest_answers_are_furthest_from_the_middle():
    y = KINDS[:300]
    said = np.where(np.arange(300) < 30, 1 - y, np.where(y, 0.6, 0.4))[:, None]  # 30 rows are surely wrong
    seen = Observation(name="m", interface="fit", loss=Loss(name="binary_crossentropy", from_logits=False))
    seen.train = Data(x=WIDE[:300], y=y)
    training = Training([], facts=None, site=("", 0))
    training.model = Table(WIDE[:300], said, np.zeros(1))
    found = experiments.surest(training, seen)
    assert (found["sure_wrong"], found["sure_all"]) == (pytest.approx(0.3), pytest.approx(0.1))


def test_of_several_real_targets_each_is_known_about_its_own_mean():
    """To say the means is to know nothing, however far they lie apart."""
    y = np.stack([WIDE[:, 0], 100 + WIDE[:, 1]], axis=1).astype("float64")
    seen = Observation(name="m", interface="fit", loss=Loss(name="mean_squared_error"))
    seen.train = Data(x=WIDE[:300], y=y[:300])
    seen.asked = [Feed(x=WIDE[300:], name="x_test", labels={"y_test": y[300:]})]
    training = Training([], facts=None, site=("", 0))
    training.model = Table(WIDE[:300], y[:300], y[300:].mean(0))
    found = experiments.by_heart(training, seen)
    assert (found["right_train"], found["right_held"]) == (pytest.approx(1.0), pytest.approx(0.0, abs=1e-6))
