import dataclasses

from keras_course.diagnostics import intervene
from keras_course.diagnostics.doctor import Report
from keras_course.diagnostics.harm import Harm
from keras_course.diagnostics.observation import Finding, Observation
from tests.diagnostics.trained import X, Y, loop, watched

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

SPARSE = tf.nn.sparse_softmax_cross_entropy_with_logits
WIDE = np.tile(X, (6, 1)), np.tile(Y, 6)


def tried(cause, parts, *, loss=None, rate=0.1, x=WIDE[0], y=WIDE[1], steps=24):
    """The finding of `cause` after the trial of its repair on a training that has these layers."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((5,)), *parts])
    loss = loss or (lambda m, a, b: tf.reduce_mean(SPARSE(labels=b, logits=m(a, training=True))))
    variables = [v.value for v in model.trainable_variables]
    (training,) = watched(lambda: loop(lambda a, b: loss(model, a, b), variables, rate=rate, x=x, y=y, steps=steps))
    seen = training.close()
    found = intervene.confirmed(training, seen, Finding(cause=cause, confidence=0.7))
    assert not [s for s in seen.unseen if "could not be tried" in s]
    return found


def hidden(**more):
    return [layers.Dense(16, **({"activation": "relu"} | more)), layers.Dense(3)]


SAME = {"kernel_initializer": "zeros", "bias_initializer": keras.initializers.Constant(-1.0)}


@pytest.mark.parametrize(
    ("cause", "parts", "more"),
    [
        ("learning_rate_too_high", hidden(), {"rate": 40.0}),
        ("learning_rate_too_low", hidden(), {"rate": 1e-5}),
        ("dead_units", hidden(**SAME), {}),
        ("dead_units", hidden(bias_initializer=keras.initializers.Constant(-30.0)), {}),
        ("symmetric_or_zero_init", hidden(kernel_initializer="zeros"), {}),
        ("inputs_not_scaled", hidden(), {"x": WIDE[0] * 300 + 500, "rate": 0.01}),
        ("gradient_sign_flipped", hidden(), {"rate": -0.1}),
    ],
)
def test_a_right_repair_is_confirmed(cause, parts, more):
    found = tried(cause, parts, **more)
    assert found.confirmed is True, found.evidence
    assert found.confidence > 0.7


def test_every_input_is_standardised():
    keras.utils.set_random_seed(0)
    inputs = [keras.Input((2,)), keras.Input((3,))]
    both = layers.Concatenate()([layers.Dense(8, "relu")(each) for each in inputs])
    model = keras.Model(inputs, layers.Dense(3)(both))
    model.compile(keras.optimizers.SGD(0.05), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x = [WIDE[0][:, :2], 400 * WIDE[0][:, 2:] + 900]
    (training,) = watched(lambda: model.fit(x, WIDE[1], batch_size=20, epochs=4, verbose=0))
    found = intervene.confirmed(training, training.close(), Finding(cause="inputs_not_scaled", confidence=0.7))
    assert found.confirmed is True, found.evidence


def test_nothing_is_thawed_where_nothing_is_frozen():
    """An optimiser that is not given all weights makes steps that a trial with all of them does not repeat."""
    assert tried("frozen_or_disconnected", hidden()).confirmed is None
    frozen = [layers.Dense(16, "relu", trainable=False), layers.Dense(3)]
    assert tried("frozen_or_disconnected", frozen).confirmed is not None


@pytest.mark.parametrize("cause", ["learning_rate_too_high", "dead_units", "init_scale", "inputs_not_scaled"])
def test_a_repair_that_does_not_help_is_never_confirmed(cause):
    found = tried(cause, hidden(), rate=0.1)
    assert found.confirmed is False, found.evidence
    assert found.confidence < 0.7


def test_a_sign_is_not_turned_where_the_steps_go_downhill():
    """Two arms of which one goes uphill would confirm it of any training."""
    assert tried("gradient_sign_flipped", hidden(), rate=0.1).confirmed is None


def test_a_second_softmax_is_taken_away():
    def twice(model, a, b):
        return tf.reduce_mean(SPARSE(labels=b, logits=tf.nn.softmax(model(a))))

    assert tried("probabilities_to_logits_loss", hidden(), loss=twice).confirmed is True


@pytest.mark.parametrize(
    ("loss", "inside", "tried_"),
    [
        ("binary_crossentropy", False, True),
        ("binary_crossentropy", True, False),
        ("mean_squared_error", False, False),
        (["binary_crossentropy", "mse"], False, False),
    ],
)
def test_the_softmax_of_one_unit_is_judged_by_what_it_predicts(loss, inside, tried_):
    """Keras's cross-entropy takes the logits behind it, and falls as if it were a sigmoid."""
    keras.utils.set_random_seed(0)
    x, y = WIDE[0], (WIDE[0][:, 0] > 0).astype("float32")
    entering = keras.Input((5,))
    one = layers.Dense(1, "softmax")(layers.Dense(16, "relu")(entering))
    one = layers.Dense(1, "sigmoid")(one * entering) if inside else one
    model = keras.Model(entering, [one, layers.Dense(1)(entering)] if isinstance(loss, list) else one)
    model.compile("adam", loss)
    targets = [y, WIDE[0][:, 1]] if isinstance(loss, list) else y
    (training,) = watched(lambda: model.fit(x, targets, batch_size=20, epochs=3, verbose=0))
    found = intervene.confirmed(training, training.close(), Finding(cause="softmax_on_single_unit", certain=True))
    assert found.confirmed is (True if tried_ else None), found.evidence


def test_a_broadcast_is_undone():
    y = (X[:, :1] * 2).astype("float32")

    def flat(model, a, b):
        return tf.reduce_mean(tf.square(model(a) - b[:, 0]))

    parts = [layers.Dense(16, "relu"), layers.Dense(1)]
    assert tried("loss_broadcast", parts, loss=flat, x=np.tile(X, (6, 1)), y=np.tile(y, (6, 1))).confirmed is True


def test_relu_between_linear_layers_bends_a_ring():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1.5, 1.5, (400, 5)).astype("float32")
    y = (x[:, 0] ** 2 + x[:, 1] ** 2 > 1.4).astype("int32")
    parts = [layers.Dense(32), layers.Dense(32), layers.Dense(2)]
    found = tried("missing_nonlinearity", parts, x=x, y=y, rate=0.3, steps=40)
    assert found.confirmed is True, found.evidence


def test_targets_are_found_behind_what_changes_their_form():
    model = keras.Sequential([keras.Input((5,)), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01), "mse")
    y = (X[:, 0] * 3).astype("float64")  # (n,) and of another type: Keras casts and expands it
    (training,) = watched(lambda: model.fit(X, y, batch_size=10, epochs=2, verbose=0))
    replay = intervene.replay_of(training)
    assert training.forward.targets.name not in {t.name for t in training.forward.boundary}
    place = replay.forward.place(training.forward.targets)
    assert replay.batches[0][place].size == 10
    assert replay.forward.place(training.forward.prediction) is None
    found = intervene.confirmed(training, training.close(), Finding(cause="loss_broadcast", confidence=0.7))
    assert found.confirmed is not None


def test_symptoms_of_a_cause_that_was_not_confirmed_are_tried_themselves(monkeypatch):
    """The rate is far too high; that the units are dead, which explained it, is not confirmed."""
    answers = {"dead_units": False, "learning_rate_too_high": True, "too_few_steps": None}
    monkeypatch.setattr(
        intervene, "confirmed", lambda training, seen, f: dataclasses.replace(f, confirmed=answers[f.cause])
    )
    findings = [
        Finding(cause="dead_units", confidence=0.9),
        Finding(cause="learning_rate_too_high", kind="note", confidence=0.7, follows="dead_units"),
        Finding(cause="too_few_steps", kind="note", confidence=0.3, follows="dead_units"),
    ]
    for degree, named in ((2.0, ["learning_rate_too_high", "dead_units"]), (0.4, ["learning_rate_too_high"])):
        report = Report(observation=Observation(name="m"), harm=Harm(degree=degree, sentence=""), findings=findings)
        found = intervene.verified(None, report)
        assert [f.cause for f in found.named] == named
        assert "follows" not in found.named[0].said, "it stands for itself now"
        assert "too_few_steps" in [f.cause for f in found.findings if f.kind == "note"]


def test_what_has_no_repair_is_left_as_it_is():
    assert tried("overfitting", hidden()).confirmed is None


def test_a_trial_is_confirmed_by_a_tenth_and_beyond_the_noise():
    def trial(**values):
        return intervene.Trial(**({"first": 2.0, "without": 1.0, "repaired": 0.5, "noise": 0.01} | values)).confirmed

    assert trial()
    assert not trial(repaired=0.95)
    assert not trial(noise=0.3)
    assert not trial(repaired=float("inf"))
    assert trial(without=float("inf"))
    assert not trial(without=float("inf"), repaired=2.5)


def test_inputs_that_are_the_targets_too_are_not_scaled():
    """Of an autoencoder: the loss of other targets says nothing."""
    found = tried(
        "inputs_not_scaled",
        [layers.Dense(5)],
        loss=lambda m, a, b: tf.reduce_mean(tf.square(m(a, training=True) - a)),
        x=100 * WIDE[0],
        rate=1e-6,
    )
    assert found.confirmed is None


def test_a_better_order_is_not_tried_where_the_first_batches_lack_a_class(monkeypatch):
    """No order brings it there."""
    assert tried("data_sorted", hidden()).confirmed is not None
    monkeypatch.setattr(intervene, "classes_seen", lambda seen: np.arange(4))
    assert tried("data_sorted", hidden()).confirmed is None


def test_what_is_no_number_is_given_to_the_arm_without_the_repair():
    x = WIDE[0].copy()
    x[::29, 2] = np.nan  # in some of the batches
    parts = hidden(activation="tanh")  # a ReLU may take what is no number for 0
    found = tried("nan_or_inf_in_data", parts, x=x)
    assert found.confirmed is True, found.evidence
    assert "inf without it" in found.evidence
    assert tried("nan_or_inf_in_data", hidden()).confirmed is False, "there is nothing to repair"


def test_batches_of_the_same_examples_are_compared_with_each_other():
    """Sorted ones differ from each other by more than a better order brings."""
    order = np.argsort(WIDE[1], kind="stable")
    x, y = WIDE[0][order], WIDE[1][order]
    found = tried("pipeline_order", hidden(), x=x, y=y, rate=0.3)
    assert found.confirmed is True, found.evidence
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((5,)), *hidden()])
    model.compile(keras.optimizers.SGD(0.3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    (training,) = watched(lambda: model.fit(x, y, batch_size=10, shuffle=False, epochs=1, verbose=0))
    case = intervene.Case(training, training.close(), intervene.replay_of(training), 0.3)
    (repair,) = intervene.mixed(case)
    together, apart = (intervene.try_repair(case, dataclasses.replace(repair, regrouped=r)) for r in (True, False))
    assert together.without == pytest.approx(apart.without, rel=1e-4), "the same examples on the whole"
    assert together.noise < 0.7 * apart.noise


@pytest.mark.parametrize("delta", [1.0, 5.0])
def test_a_huber_loss_of_large_targets_is_counted_by_its_delta(delta):
    """Far from 0 it is delta times the difference: of what a constant costs next to nothing is learned."""
    y = (4000 * WIDE[0][:, :1] + 9000).astype("float32")
    huber = keras.losses.Huber(delta=delta)
    parts = [layers.Dense(16, "relu"), layers.Dense(1)]
    found = tried("targets_not_scaled", parts, loss=lambda m, a, b: huber(b, m(a)), y=y, rate=0.01)
    assert found.confirmed is True, found.evidence
