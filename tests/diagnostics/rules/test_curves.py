import dataclasses

from keras_course.diagnostics.doctor import SURE
from keras_course.diagnostics.harm import harm_of
from keras_course.diagnostics.observation import LEFT_OVER, Data, Loss, Observation, Plan, Probe, Unit, Variable
from keras_course.diagnostics.rules.curves import RULES
from tests.diagnostics.typed import BINARY, SQUARED, steps, with_targets

import numpy as np
import pytest

REAL = np.array([1.0, 2.0, 4.0, 9.0])  # the best constant leaves 9.5


def curves(train, val):
    return Observation(name="m", epochs=[{"loss": a, "val_loss": b} for a, b in zip(train, val, strict=True)])


E = np.arange(20)
TURNS = 1 - 0.1 * np.minimum(E, 6) + 0.12 * np.maximum(E - 6, 0)  # lowest in epoch 7 with .4, ends at 1.96


def test_validation_that_turns_and_climbs_while_training_falls():
    (finding,) = RULES["overfitting"](curves(0.8**E, TURNS))
    assert (finding.step, finding.certain) == (6, True)
    (slight,) = RULES["overfitting"](curves(0.8**E, 1 - 0.1 * np.minimum(E, 6) + 0.02 * np.maximum(E - 6, 0)))
    assert not slight.certain


@pytest.mark.parametrize(
    ("train", "val", "n", "fires"),
    [
        ([0.3, 0.05, 0.02], [0.6, 0.9, 1.5], 300, True),
        ([0.3, 0.2, 0.15], [0.6, 0.9, 1.5], 300, False),  # the training is not learned by heart
        ([0.3, 0.05, 0.02], [0.5, 0.6, 0.65], 300, False),  # better than a constant, .69
        ([0.3, 0.05, 0.02], [1.4, 1.45, 1.5], 300, False),  # never better: it may be other data
        ([0.3, 0.05, 0.02], [0.6, 0.9, 1.5], 30, False),  # few rows move the mean
        ([0.3, 0.02], [0.6, 1.5], 300, False),
    ],
)
def test_few_epochs_behind_which_validation_is_worse_than_nothing(train, val, n, fires):
    seen = with_targets(BINARY, np.arange(100) % 2, epochs=curves(train, val).epochs)
    seen.validation = Data(x=np.zeros((n, 2)), y=np.arange(n) % 2, n=n)
    assert [f.certain for f in RULES["overfitting"](seen)] == [True] * fires


def test_what_is_no_overfitting():
    wiggles = 0.4 + 0.05 * (-1.0) ** E
    assert RULES["overfitting"](curves(0.8**E, wiggles)) == []
    assert RULES["overfitting"](curves(TURNS, TURNS)) == [], "training climbs too"
    assert RULES["overfitting"](curves(0.8**E, 0.9**E)) == []
    assert RULES["overfitting"](curves(0.8 ** E[:7], TURNS[-7:])) == [], "too few epochs"
    late = np.append(0.9 ** E[:-2], [3.0, 3.0])
    assert RULES["overfitting"](curves(0.8**E, late)) == [], "two epochs after the best are too few"


@pytest.mark.parametrize(("factor", "fires"), [(1.0, True), (400.0, False)])
def test_what_has_blown_up_is_not_known_by_heart(factor, fires):
    """The loss of the training stays below half of that of validation, and far above that of a constant."""
    seen = curves(factor * 0.8**E, 10 * factor * TURNS)
    seen.train, seen.loss = Data(x=np.zeros((100, 2)), y=np.arange(100) % 2, n=100), Loss(name=BINARY)
    assert bool(RULES["overfitting"](seen)) is fires


@pytest.mark.parametrize(
    ("monitored", "certain"),
    [(("loss",), True), ((), False), (("val_loss",), False), (("loss", "val_accuracy"), False)],
)
def test_a_callback_that_goes_by_the_training_lets_it_learn_by_heart(monitored, certain):
    seen = curves(0.8**E, 0.4 + 0.4 * (TURNS - TURNS.min()) / np.ptp(TURNS) * 0.6)  # by six tenths, not doubled
    seen.plan = Plan(monitored=monitored)
    (found,) = RULES["overfitting"](seen)
    assert found.certain is certain
    assert ("goes by loss" in found.evidence) is certain


def small(rows, val, constant_of=REAL, keeps_best=False):
    """`rows` rows of validation, which squared errors are judged by."""
    data = [Data(x=np.zeros((4, 2)), y=constant_of, n=n) for n in (4, rows)]
    seen = dataclasses.replace(curves(8 * 0.8**E, val), loss=Loss(name=SQUARED), train=data[0], validation=data[1])
    seen.plan = Plan(keeps_best=keeps_best)
    return RULES["overfitting"](seen)


def test_few_rows_of_validation_tell_when_the_end_is_worse_than_a_constant():
    climbing = 9 * TURNS  # from 3.6 to 17.6, where a constant leaves 9.5
    (finding,) = small(60, climbing)
    assert finding.certain
    assert small(10, climbing) == []
    assert small(60, climbing / 2) == [], "it ends at 8.8"
    assert small(200, climbing / 2)
    assert small(60, climbing, keeps_best=True) == [] == small(200, climbing, keeps_best=True)


def ended(losses, widths=(30,), **experiments):
    data = Data(x=np.zeros((4, 2)), y=REAL, n=4)
    names = "abcdef"[: len(widths) + 1]
    units = [Unit(name=n, kind="dense", variables=(n,)) for n in names]
    variables = [
        Variable(name=n, shape=shape)
        for n, shape in zip(names, zip((5, *widths), (*widths, 1), strict=True), strict=True)
    ]
    return Observation(name="m", loss=Loss(name=SQUARED), train=data, steps=steps(losses), units=units,
                       variables=variables, experiments=experiments)  # fmt: skip


FLAT, FALLING, LEARNED = np.full(120, 9.0), np.linspace(12, 7, 120), np.linspace(12, 0.1, 120)


def test_training_that_ends_while_the_loss_falls():
    assert RULES["too_few_steps"](ended(FALLING))
    assert RULES["too_few_steps"](ended(FLAT)) == []
    assert (
        RULES["too_few_steps"](ended(FALLING[:90]))[0].confidence > RULES["too_few_steps"](ended(FALLING))[0].confidence
    )
    assert RULES["too_few_steps"](ended(LEARNED)) == [], "it has learned what there is"
    assert RULES["too_few_steps"](ended(FLAT, late_start=9.0, late_after=7.0)), "twenty more steps would gain"
    assert RULES["too_few_steps"](ended(FLAT, late_start=9.0, late_after=8.8)) == []
    (few,) = RULES["too_few_steps"](ended(FLAT[:40], few_start=2.0, few_end=0.1))
    assert few.confidence < 0.25
    assert few.certain
    assert RULES["too_few_steps"](ended(FLAT[:60], few_start=2.0, few_end=0.1)) == []
    assert RULES["too_few_steps"](ended(FLAT[:40], few_start=2.0, few_end=1.9)) == [], "steps are not what it lacks"
    assert RULES["too_few_steps"](ended(FLAT[:40], few_start=2.0, few_end=1.5)), "of two units, maybe"
    assert not RULES["too_few_steps"](ended(FLAT[:40], few_start=2.0, few_end=1.5))[0].certain


@pytest.mark.parametrize(("count", "end", "certain"), [(40, 7, True), (60, 7, False), (40, 3.5, True), (60, 3.5, None)])
def test_fewer_than_fifty_steps_of_a_falling_loss_need_less_harm(count, end, certain):
    """Of 9.5 that a constant leaves an end of 7 is a harm of .8, one of 3.5 of .48 and .44."""
    found = RULES["too_few_steps"](ended(np.linspace(12, end, 120)[:: 120 // count][:count]))
    assert [f.certain for f in found] == ([] if certain is None else [certain])


@pytest.mark.parametrize(
    ("end", "told", "falls", "fires"),
    [(0.45, True, True, True), (0.3, True, True, False), (0.45, False, True, False), (0.45, True, False, False)],
)
def test_a_loss_that_falls_on_far_above_what_a_simple_model_leaves(end, told, falls, fires):
    """By shares of what a constant leaves of 400 labels, which an input tells or nothing does."""
    y = np.arange(400) % 2
    end = 0.6931 * end
    losses = np.linspace(0.6931, end, 120) if falls else np.full(120, end)
    losses = np.append(losses, np.full(12, end)) if falls else losses
    seen = with_targets(BINARY, y, losses, x=4.0 * np.eye(2)[y] if told else np.zeros((400, 2)))
    assert [f.certain for f in RULES["too_few_steps"](seen)] == [True] * fires


@pytest.mark.parametrize(("lacking", "fires"), [(0.45, False), (0.55, True)])
def test_a_loss_that_falls_on_where_a_simple_model_knows_little(lacking, fires):
    y = np.arange(400) % 2
    seen = with_targets(BINARY, y, [0.69] * 20, x=4.0 * np.eye(2)[np.where(np.arange(400) % 4 == 0, 1 - y, y)])
    known = harm_of(seen)
    end = known.reference + lacking * (known.baseline - known.reference)
    seen.steps = steps([*np.linspace(0.8, end, 120), *[end] * 12])
    assert [f.certain for f in RULES["too_few_steps"](seen)] == [False] * fires


def test_networks_that_are_too_small():
    (finding,) = RULES["underfitting_capacity"](ended(FLAT, widths=(30, 3)))
    assert "has 3 units" in finding.evidence
    assert RULES["underfitting_capacity"](ended(FLAT)) == []
    assert RULES["underfitting_capacity"](ended(FLAT[:60], widths=(30, 3))) == [], "after few steps nobody knows"
    assert RULES["underfitting_capacity"](ended(FLAT, widths=(30, 3), late_start=9.0, late_after=7.0)) == []
    dead = {"end_same": 9.0, "end_tenth": 9.0, "end_hundred": 9.0}
    assert RULES["underfitting_capacity"](ended(FLAT, widths=(30, 2), **dead)) == [], "no rate changes anything"
    assert RULES["underfitting_capacity"](ended(FLAT, widths=(30, 2), **dead | {"end_hundred": 8.9}))
    assert RULES["underfitting_capacity"](ended(FLAT, few_start=2.0, few_end=1.5))
    assert RULES["underfitting_capacity"](ended(FLAT, few_start=2.0, few_end=0.1)) == []
    (four,) = RULES["underfitting_capacity"](ended(FLAT, few=4.0, few_start=2.0, few_end=1.5))
    assert four.evidence.startswith("four examples could not be learned by heart")
    assert RULES["underfitting_capacity"](ended(FALLING, widths=(3,))) == [], "it still falls"
    assert RULES["underfitting_capacity"](ended(FALLING, widths=(2,))), "two units are too few whatever it does"
    assert RULES["underfitting_capacity"](ended(FALLING[:40], widths=(2,))) == [], "but not in 40 steps"
    one, two = (RULES["underfitting_capacity"](ended(FLAT, widths=(w,)))[0].confidence for w in (1, 2))
    assert one > SURE > two, "two numbers are what an autoencoder may keep on purpose"
    assert RULES["underfitting_capacity"](ended(LEARNED, widths=(3,))) == []


@pytest.mark.parametrize(
    ("width", "few_end", "certain"), [(2, 0.5, True), (2, 0.3, False), (3, 0.5, False), (2, None, False)]
)
def test_two_units_that_cannot_hold_eight_examples_are_certain(width, few_end, certain):
    few = {"few_start": 1.1, "few_end": few_end} if few_end else {}
    seen = ended(np.full(120, 0.7), widths=(width,), **few)
    seen.loss, seen.train.y = Loss(name="sparse_categorical_crossentropy"), np.array([0, 1, 2, 0])
    assert RULES["underfitting_capacity"](seen)[0].certain is certain
    seen.loss, seen.train.y = Loss(name=SQUARED), REAL / 9  # an image may be too much to hold
    assert not any(f.certain for f in RULES["underfitting_capacity"](seen))


@pytest.mark.parametrize(
    ("width", "classes", "end", "fires"),
    [(2, 3, 0.45, True), (2, 2, 0.45, False), (2, 3, 0.2, False), (3, 4, 0.45, False), (1, 2, 0.45, True)],
)
def test_one_or_two_units_before_more_classes_need_less_harm(width, classes, end, fires):
    seen = ended(np.full(120, end), widths=(width,))
    seen.loss, seen.classes = Loss(name="sparse_categorical_crossentropy"), classes
    seen.train.y = np.array([0, 1, 2, 0])
    assert [f.certain for f in RULES["underfitting_capacity"](seen)] == [True] * fires


@pytest.mark.parametrize(
    ("width", "axes", "end", "certain"),
    [
        (1, 3, 0.4, [True]),
        (2, 3, 0.4, []),
        (1, 1, 0.4, []),
        (1, 30, 0.4, []),
        (1, 3, 0.2, []),
        (1, 30, 0.6, [False]),
    ],
)
def test_one_unit_between_rows_that_four_numbers_tell(width, axes, end, certain):
    """axes: of the targets, beside noise. end: what the network leaves of their variance."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=(300, axes)) @ rng.normal(size=(axes, 30)) + 0.1 * rng.normal(size=(300, 30))
    y = ((y - y.mean(0)) / y.std(0)).astype("float32")
    seen = ended(np.full(120, end), widths=(30, width, 30))
    seen.train = Data(x=y, y=y, n=300)
    assert [f.certain for f in RULES["underfitting_capacity"](seen)] == certain


def test_a_table_is_no_layer_and_a_recurrent_layer_is_as_wide_as_its_state():
    seen = ended(FLAT, widths=(1, 30))
    seen.units[0].kind = "embedding"
    assert RULES["underfitting_capacity"](seen) == []
    seen.units[0].kind, seen.units[0].variables = "recurrent", ("gru/kernel", "gru/recurrent_kernel")
    for units, fires in ((1, True), (5, False)):
        gates = [Variable(name="gru/kernel", shape=(7, 3 * units))]
        gates += [Variable(name="gru/recurrent_kernel", shape=(units, 3 * units))]
        assert bool(RULES["underfitting_capacity"](dataclasses.replace(seen, variables=gates))) is fires


def test_an_empty_observation_is_judged_by_nothing():
    assert [f for rule in RULES.values() for f in rule(Observation(name="m"))] == []


def test_the_head_of_another_output_is_no_hidden_layer():
    seen = ended(FLAT, widths=(30, 1))
    assert RULES["underfitting_capacity"](seen)[0].layer == "b"
    seen.variables[2].shape = (30, 1)  # the last unit looks past the second, as two outputs of one trunk do
    assert RULES["underfitting_capacity"](seen) == []


def test_weights_of_attention_are_no_layer():
    seen = ended(FLAT, widths=(1, 1, 30))
    seen.units[1].activation = "softmax"
    assert RULES["underfitting_capacity"](seen)[0].layer == "a"
    seen.units[0].activation = "softmax"
    assert RULES["underfitting_capacity"](seen) == []


def test_an_output_that_enters_again_is_no_layer():
    seen = ended(FLAT, widths=(30, 1, 30))
    seen.units[-1].variables = seen.units[1].variables  # a field along whose path the program walks
    assert RULES["underfitting_capacity"](seen) == []


@pytest.mark.parametrize(("silent", "fires"), [([1.0, 0.0, 0.0], False), ([0.9, 0.0, 0.0], True), ([0, 1.0, 0], True)])
def test_a_wide_layer_that_is_silent_is_dead_and_not_narrow(silent, fires):
    seen = ended(FLAT, widths=(30, 2))
    seen.probes = [Probe(step=step, dead=np.array(silent)) for step in range(3)]
    assert bool(RULES["underfitting_capacity"](seen)) is fires, "two units that are silent are too few"


@pytest.mark.parametrize(
    ("held", "linear", "fires"), [(0.6, 0.8, True), (0.6, 0.7, False), (-9.0, 0.1, False), (-9.0, 0.2, True)]
)
def test_what_was_learned_by_heart_and_holds_nowhere_else(held, linear, fires):
    """Worse than nothing counts as nothing: a linear model is to know something of what is held out."""
    seen = Observation(name="m", experiments={"right_train": 0.99, "right_held": held, "linear_held": linear})
    found = RULES["overfitting"](seen)
    assert bool(found) == fires
    if fires:
        assert found[0].certain
        assert f"99% of the training and on {held:.0%}" in found[0].evidence
    del seen.experiments["linear_held"]
    assert RULES["overfitting"](seen) == []


@pytest.mark.parametrize(
    ("train", "held", "loss", "fires"),
    [(1.0, 0.69, 1.3, True), (1.0, 0.69, 0.45, False), (1.0, 0.85, 1.3, False), (0.89, 0.5, 1.3, False)],
)
def test_what_was_learned_by_heart_where_a_constant_would_cost_little_more(train, held, loss, fires):
    seen = Observation(name="m", experiments={"right_train": train, "right_held": held, "held_loss": loss})
    found = RULES["overfitting"](seen)
    assert [f.certain for f in found] == [True] * fires
    assert not fires or "1.3 times that of a constant" in found[0].evidence


def test_many_epochs_behind_which_validation_is_worse_than_nothing():
    """It has not doubled, and a constant would be better."""
    seen = with_targets(BINARY, np.arange(100) % 2, epochs=curves(0.5**E, 0.6 + 0.015 * E).epochs)
    seen.validation = Data(x=np.zeros((300, 2)), y=np.arange(300) % 2, n=300)
    assert [f.certain for f in RULES["overfitting"](seen)] == [True]
    seen.plan = Plan(keeps_best=True)
    assert RULES["overfitting"](seen) == []


@pytest.mark.parametrize(
    ("rows", "held", "fires_"),
    [(12, 0.8, True), (50, 0.8, False), (12, 0.9, False), (99, 0.7, True), (100, 0.7, False), (99, 0.76, False)],
)
def test_a_handful_of_rows_that_are_known_by_heart(rows, held, fires_):
    """Elsewhere the loss is that of a half: only so few rows say that it is learning by heart."""
    known = {"right_train": 1.0, "right_held": held, "rows_train": rows, "held_loss": 0.4}
    found = RULES["overfitting"](Observation(name="m", experiments=known))
    assert [f.certain for f in found] == [True] * fires_
    assert all(f"of {rows} rows to learn from" in f.evidence for f in found)


WIDER = {"twin_own": 8.0, "twin_wider": 1.0}  # of the 9.5 that a constant leaves


@pytest.mark.parametrize(
    ("change", "end", "fires_"),
    [
        ({}, 7.0, True),
        ({}, 3.0, False),  # the training itself comes as far as a quarter of the way
        ({"twin_own": 3.0}, 7.0, False),  # a twin as narrow learns it too: it was something else
        ({"twin_wider": 6.8}, 9.0, False),  # to have more units brings next to nothing
        ({"late_ten": 1.5}, 7.0, False),  # larger steps bring the network itself there
        ({"late_hundred": 1.5}, 7.0, False),
        ({"late_ten": 6.0, "late_hundred": 20.0}, 7.0, True),
    ],
)
def test_a_wider_twin_that_learns_more(change, end, fires_):
    seen = with_targets(SQUARED, REAL, [end] * 200, experiments=WIDER | change)
    seen.units = [
        Unit(name="code", kind="dense", variables=("code/w",)),
        Unit(name="h", kind="dense", variables=("h/w",)),
    ]
    seen.variables = [Variable(name="code/w", shape=(40, 6)), Variable(name="h/w", shape=(6, 1))]
    found = RULES["underfitting_capacity"](seen)
    assert [(f.certain, f.layer) for f in found] == [(True, "code")] * fires_


@pytest.mark.parametrize(("end", "first"), [(8.6, True), (9.0, False)])
def test_where_a_twin_as_narrow_learns_twice_as_much_it_is_not_the_width_first(end, first):
    """Of the 9.5 that a constant leaves the twin learns 1.5."""
    seen = with_targets(SQUARED, REAL, [end] * 200, experiments=WIDER)
    seen.units = [
        Unit(name="code", kind="dense", variables=("code/w",)),
        Unit(name="h", kind="dense", variables=("h/w",)),
    ]
    seen.variables = [Variable(name="code/w", shape=(40, 3)), Variable(name="h/w", shape=(3, 1))]
    (finding,) = RULES["underfitting_capacity"](seen)
    assert (finding.certain, finding.confidence) == ((True, 0.89) if first else (False, 0.6))


def test_few_steps_are_judged_by_validation_too():
    """As of a loss whose first steps gain most of it."""
    losses = np.linspace(9.0, 2.0, 40)
    seen = with_targets(SQUARED, REAL, losses, epochs=[{"val_loss": 6.0}])
    assert [f.certain for f in RULES["too_few_steps"](seen)] == [True]
    seen.epochs = [{"val_loss": 2.0}]
    assert RULES["too_few_steps"](seen) == []


@pytest.mark.parametrize(
    ("name", "planned", "losses", "fires"),
    [
        ("val_mse", 10, [3.0, 2.0, 1.5], True),
        ("", 10, [3.0, 2.0, 1.5], False),  # it is patient with the worse
        ("val_mse", 5, [3.0, 2.0, 1.5], False),  # most of the epochs were made
        ("val_mse", 10, [3.0, 3.2], False),  # it got worse
    ],
)
def test_a_training_that_ends_since_it_gets_better(name, planned, losses, fires):
    seen = Observation(name="m", plan=Plan(epochs=planned, stops_at_better=name), interface="fit")
    seen.epochs = [{"loss": loss, "val_mse": loss} for loss in losses]
    assert [(f.certain, "behind epoch 3 of 10" in f.evidence) for f in RULES["too_few_steps"](seen)] == [
        (True, True)
    ] * fires
    seen.epochs = [{"val_mse": loss} for loss in losses]  # of a step of the script's own
    assert len(RULES["too_few_steps"](seen)) == fires


def test_of_a_likelihood_below_zero_nobody_knows_what_is_nothing():
    seen = with_targets(
        "poisson", np.arange(100.0) + 40, epochs=curves([-30.0, -200.0, -290.0], [-300.0, -200.0, -30.0]).epochs
    )
    seen.validation = Data(x=np.zeros((300, 2)), y=np.arange(300.0), n=300)
    assert RULES["overfitting"](seen) == []


@pytest.mark.parametrize(
    ("end", "held", "regularised", "fires"),
    [(0.1, 0.9, False, True), (0.1, 0.6, False, False), (0.4, 0.9, False, False), (0.1, 0.9, True, True)],
)
def test_validation_that_lacks_what_training_has_is_what_is_left_to_say(end, held, regularised, fires):
    """By a cross-entropy of two classes, of which a constant costs .693."""
    y = np.arange(400) % 2
    seen = with_targets(BINARY, y, [0.69] + [0.69 * end] * 60, x=4.0 * np.eye(2)[y])
    seen.loss.regularised = regularised
    seen.epochs = [{"loss": 0.69 * end, "val_loss": 0.69 * held} for _ in range(10)]
    found = RULES["overfitting"](seen)
    assert [(f.certain, f.confidence) for f in found] == [(True, LEFT_OVER)] * fires
    assert not fires or "that of validation lacks 9" in found[0].evidence
    seen.experiments |= {"right_train": 1.0, "right_held": 0.85}  # which a penalty does not change, and a loss hides
    assert bool(RULES["overfitting"](seen)) == (fires and not regularised)


def test_what_turns_and_climbs_is_surer_than_what_holds_nowhere_else():
    """Of the same loss, whose validation ends above all that a constant costs."""
    y = np.arange(400) % 2
    seen = with_targets(BINARY, y, [0.69] + [0.05] * 60, x=4.0 * np.eye(2)[y])
    seen.epochs = [{"loss": 0.5 * 0.8**i, "val_loss": v} for i, v in enumerate(0.4 + 0.02 * np.abs(np.arange(16) - 5))]
    (found,) = RULES["overfitting"](seen)
    assert (found.step, found.confidence) == (5, 0.7)
