from keras_course.diagnostics.harm import Harm
from keras_course.diagnostics.observation import Data, Loss, Observation, Optimizer, Plan, Probe, Unit, Variable
from keras_course.diagnostics.rules import rates
from keras_course.diagnostics.rules.rates import RULES
from tests.diagnostics.typed import SQUARED, steps

import numpy as np
import pytest

RNG = np.random.default_rng(8)
INF = float("inf")


def fires(rule, seen):
    return [(f.cause, f.kind) for f in RULES[rule](seen)]


def tried(**numbers):
    """What experiments said; by default 20 steps halve the loss at the rate, and ten times it diverges."""
    usual = {"rate": 0.1, "probe_start": 2.0, "probe_worst": 2.1, "probe_same": 1.0, "probe_ten": INF,
             "probe_hundred": INF, "end_same": 1.0, "end_tenth": 1.8, "end_ten": INF, "end_hundred": INF}  # fmt: skip
    return Observation(name="m", experiments=usual | numbers, file="train.py", line=3)


HIGH, LOW = "learning_rate_too_high", "learning_rate_too_low"


@pytest.mark.parametrize(
    ("numbers", "fires_"),
    [
        ({}, False),
        ({"probe_worst": 8.0, "end_same": 5.0, "end_tenth": 1.0}, True),
        ({"probe_worst": INF, "end_same": INF, "end_tenth": 1.0}, True),
        ({"probe_worst": INF, "end_same": INF, "end_tenth": INF, "end_hundredth": 1.0}, True),
        ({"probe_worst": 8.0, "end_same": 1.0, "end_tenth": 0.95}, False),  # a wiggle: a tenth does no better
        ({"probe_worst": 2.5, "end_same": 5.0, "end_tenth": 1.0}, False),  # it never passed 1.3 times its start
        ({"probe_worst": INF, "end_same": INF, "end_tenth": INF}, False),  # no rate helps
    ],
)
def test_a_rate_is_too_high_when_steps_make_things_worse_and_smaller_ones_do_not(numbers, fires_):
    assert bool(fires(HIGH, tried(**numbers))) == fires_


def test_a_rate_too_high_says_where_and_how_much():
    (finding,) = RULES[HIGH](tried(probe_worst=8.0, end_same=5.0, end_tenth=1.0))
    assert (finding.file, finding.line, finding.step) == ("train.py", 3, 0)
    assert "from 2 to 8" in finding.evidence
    (weaker,) = RULES[HIGH](tried(probe_worst=3.0, end_same=5.0, end_tenth=1.0))
    assert weaker.confidence < finding.confidence


@pytest.mark.parametrize(
    ("ratio", "losses", "fires_"),
    [(0.5, [1, 2, 3, 4, 5], True), (0.2, [1, 2, 3, 4, 5], False), (0.5, [5, 4, 3, 2, 1], False)],
)
def test_where_steps_cannot_be_tried_again_their_length_and_the_loss_count(ratio, losses, fires_):
    seen = Observation(name="m", steps=steps(losses), variables=[Variable(name="k", shape=(3, 4))])
    seen.steps.update = seen.steps.weight * ratio
    assert bool(fires(HIGH, seen)) == fires_
    seen.variables[0].shape = (4,)
    assert fires(HIGH, seen) == [], "biases begin at 0"


@pytest.mark.parametrize(
    ("rate", "ratio", "blind", "fires_"),
    [
        (1.0, 5.0, True, True),
        (0.001, 5.0, True, False),
        (1.0, 2.0, True, False),
        (1.0, 5.0, False, False),
        (1.0, 2.5, True, True),
    ],
)
def test_a_rate_that_throws_the_first_weights_away_is_too_high(rate, ratio, blind, fires_):
    seen = Observation(name="m", steps=steps([2, 1.9, 1.8, 1.7, 1.6]), variables=[Variable(name="k", shape=(3, 4))])
    seen.steps.update, seen.optimizer = seen.steps.weight * ratio, Optimizer(name="Adam", rate=rate)
    x = np.arange(12.0).reshape(6, 2)
    seen.probes = [Probe(step=i, x=x, output=np.ones((6, 3)) if blind else x) for i in range(3)]
    assert bool(fires(HIGH, seen)) == fires_
    seen.experiments = tried(probe_worst=2.5, end_same=5.0, end_tenth=5.0).experiments
    assert bool(fires(HIGH, seen)) == fires_, "with steps that were tried again, too"


@pytest.mark.parametrize(
    ("first", "last", "tenth", "fires_"),
    [
        ((0.1, 0.2), (0.1, 1.0), 0.9, True),
        ((0.1, 0.7), (0.1, 1.0), 0.9, False),  # silent from the start
        ((0.1, 0.2), (0.1, 0.8), 0.9, False),
        ((0.1, 0.2), (0.1, 1.0), 0.96, False),  # a tenth of the rate does no better
        ((0.1, 0.2), (np.nan, np.nan), 0.9, False),
    ],
)
def test_a_rate_that_kills_units_is_too_high(first, last, tenth, fires_):
    seen = tried(end_same=1.0, end_tenth=tenth)
    seen.units = [Unit(name=name, kind="dense", activation="relu") for name in "ab"]
    seen.probes = [Probe(step=i, dead=np.array(last if i > 4 else first)) for i in range(9)]
    assert bool(fires(HIGH, seen)) == fires_
    seen.experiments["rate"] = 1.0  # beyond use: any gain is enough
    assert bool(fires(HIGH, seen)) == (fires_ or tenth == 0.96)
    late = tried(end_same=1.0, end_tenth=1.1, probe_tenth=0.7 * tried().experiments["probe_same"])
    late.units, late.probes = seen.units, seen.probes
    alive, dead = first[1] < 0.5, last[1] >= 0.9
    assert bool(fires(HIGH, late)) == (alive and dead), "of a fixed batch less is left by shorter steps"


@pytest.mark.parametrize(("degree", "fires_"), [(1.6, True), (1.4, False)])
def test_units_that_die_where_the_loss_ends_far_above_a_constant_were_killed_by_the_rate(monkeypatch, degree, fires_):
    harm = Harm(degree=degree, sentence="the loss ends at 2, the best constant gives 1")
    monkeypatch.setattr(rates, "harm_of", lambda seen: harm)
    seen = tried(end_same=1.0, end_tenth=1.1)
    seen.units = [Unit(name=name, kind="dense", activation="relu") for name in "ab"]
    seen.probes = [Probe(step=i, dead=np.array([0.1, 1.0 * (i > 4)])) for i in range(9)]
    assert bool(fires(HIGH, seen)) == fires_


def test_a_loss_below_zero_goes_up_too():
    """As of counts, of which a constant has -77: 1.3 times of that is far below it."""
    negative = {"probe_start": -74.0, "probe_worst": -74.1, "end_same": -82.0, "end_tenth": -76.0}
    assert fires(HIGH, tried(**negative)) == []
    assert fires(HIGH, tried(**negative | {"probe_worst": -30.0, "end_same": -40.0})), "the tenth ends far below it"
    assert fires(HIGH, tried(**negative | {"end_same": -40.0})) == [], "it never went up"
    flat = tried(end_same=-80.0, end_tenth=-77.0, probe_same=-80.0, probe_tenth=-77.0)
    flat.units = [Unit(name=name, kind="dense", activation="relu") for name in "ab"]
    flat.probes = [Probe(step=i, dead=np.array([0.1, 1.0 * (i > 4)])) for i in range(9)]
    assert fires(HIGH, flat) == [], "a tenth of the rate ends above it"


@pytest.mark.parametrize(("tenth", "probe", "fires_"), [(0.9, 1.0, True), (1.0, 0.7, True), (1.0, 0.9, False)])
def test_units_that_a_rate_drives_flat_where_a_tenth_of_it_does_better(tenth, probe, fires_):
    seen = tried(end_same=1.0, end_tenth=tenth, probe_same=1.0, probe_tenth=probe)
    seen.units = [Unit(name=name, kind="dense", activation="tanh") for name in "abc"]
    seen.probes = [Probe(step=i, saturated=np.array([0.0, 1.0 * (i > 4), 0.0])) for i in range(9)]
    assert bool(fires(HIGH, seen)) == fires_


@pytest.mark.parametrize("quantity", ["dead", "saturated"])
@pytest.mark.parametrize(
    ("name", "rate", "momentum", "first", "last", "fires_"),
    [
        ("SGD", 0.08, 0.9, 0.1, 1.0, True),
        ("SGD", 0.08, 0.0, 0.1, 1.0, False),  # no step is that long
        ("SGD", 0.08, 0.9, 0.5, 1.0, False),  # so they were from the start
        ("SGD", 0.08, 0.9, 0.1, 0.8, False),
        ("Adam", 0.03, 0.0, 0.1, 1.0, True),
        ("Adam", 0.003, 0.9, 0.1, 1.0, False),
    ],
)
def test_units_that_long_steps_kill_whatever_shorter_ones_do(quantity, name, rate, momentum, first, last, fires_):
    seen = tried(rate=rate)
    seen.optimizer = Optimizer(name=name, rate=rate, momentum=momentum)
    seen.units = [Unit(name=name, kind="dense", activation="tanh") for name in "abc"]
    shares = [np.array([0.0, last if i > 4 else first, 0.0]) for i in range(9)]
    seen.probes = [Probe(step=i, **{quantity: share}) for i, share in enumerate(shares)]
    assert fires(HIGH, seen) == [(HIGH, "named")] * fires_
    seen.units = seen.units[:2]
    assert fires(HIGH, seen) == [], "what the output says is no sign of steps"


@pytest.mark.parametrize(
    ("uphill", "cosine", "count", "fires_"),
    [
        (0.3, 0.9, 80, True),
        (0.2, 0.9, 80, False),
        (0.5, 0.2, 80, False),  # noise
        (0.3, 0.9, 15, False),
        (0.0, 1.0, 80, False),  # gradient descent
    ],
)
def test_steps_that_a_momentum_carries_uphill(uphill, cosine, count, fires_):
    seen = tried()
    seen.steps = steps(np.ones(count))
    seen.steps.aligned = np.full((count, 1), -cosine, "float32")
    late = np.arange(count // 2, count)
    seen.steps.aligned[late[: round(uphill * len(late))]] = cosine
    found = RULES[HIGH](seen)
    assert [f.cause for f in found] == [HIGH] * fires_
    assert not fires_ or "30%" in found[0].evidence
    for best, kind in ((0.5, "named"), (0.9, "note")):  # of a constant, where the loss ends at 1
        seen.loss, seen.train = Loss(name=SQUARED), Data(x=np.zeros((40, 2)), y=np.tile([-1, 1], 20) * best**0.5)
        assert fires(HIGH, seen) == [(HIGH, kind)] * fires_
    counts = np.tile([25, 35], 20)  # of which a constant has -72
    seen.loss, seen.train = Loss(name="poisson"), Data(x=np.zeros((40, 2)), y=counts)
    seen.steps.all_losses = np.full(count, -72.5)
    assert fires(HIGH, seen) == [(HIGH, "note")] * fires_
    seen.loss, seen.train = Loss(), None
    seen.probes = [Probe(step=i, output=np.full((8, 1), 0.5)) for i in range(3)]
    assert fires(HIGH, seen) == [], "what hangs on no input leaves gradients of next to nothing"


def test_steps_of_adam_as_long_as_any_weight_are_too_long_whatever_was_tried():
    seen = tried(rate=2.0)
    seen.optimizer = Optimizer(name="Adam", rate=2.0)
    seen.steps, seen.variables = steps([2.0, 9.0, 8.0]), [Variable(name="k", shape=(3, 4))]
    seen.steps.update = seen.steps.weight * 20
    assert [f.certain for f in RULES[HIGH](seen)] == [True]
    seen.optimizer.rate = 0.5
    assert fires(HIGH, seen) == []


@pytest.mark.parametrize(
    ("change", "fires_"),
    [
        ("", True),
        ("slower", False),  # a tenth of the first steps at the end
        ("faded", False),  # it is the gradients that are small
        ("half faded", True),  # some of them is left, and of the steps next to nothing
        ("half faded, slower", False),
        ("optimizer", False),  # whose rate is known
        ("few", False),
        ("none", False),  # no step at all
    ],
)
def test_a_rate_by_hand_that_shrinks_within_an_epoch(change, fires_):
    count = 30 if change == "few" else 120
    seen = Observation(name="m", steps=steps(np.linspace(2.3, 2.2, count)), finished=True)
    size = np.geomspace(1, {"slower": 0.1, "half faded, slower": 1e-5}.get(change, 1e-9), count)[:, None]
    least = 1e-3 if change == "faded" else 0.1 if change.startswith("half faded") else 1.0
    gradient = np.geomspace(1, least, count)[:, None]
    seen.steps.gradient, seen.steps.update = gradient, 0.05 * gradient * size
    seen.steps.update = seen.steps.update * (change != "none")
    seen.optimizer = Optimizer(name="SGD", rate=0.05) if change == "optimizer" else Optimizer()
    assert [f.confidence for f in RULES["lr_schedule_wrong"](seen)] == [0.95] * fires_


@pytest.mark.parametrize(
    ("first", "last", "loss", "fires_"),
    [
        ([0.0, 0.1, 0.0], [0.0, 1.0, 0.0], 9.0, True),
        ([0.0, 0.3, 0.0], [0.0, 1.0, 0.0], 9.0, False),  # flat from the start
        ([0.0, 0.1, 0.0], [0.0, 0.8, 0.0], 9.0, False),
        ([0.0, 0.1, 0.0], [0.0, 0.0, 1.0], 9.0, False),  # the output
        ([0.0, 0.1, 0.0], [0.0, 1.0, 0.0], 0.6, False),  # it learns
    ],
)
def test_a_rate_that_drives_units_flat_while_the_loss_grows_is_too_high(first, last, loss, fires_):
    seen = tried()
    seen.loss.name, seen.train = "binary_crossentropy", Data(x=np.zeros((9, 2)), y=np.arange(9) % 2)
    seen.steps = steps(np.linspace(0.7, loss, 60))
    seen.units = [Unit(name=name, kind="dense", activation="tanh") for name in "abc"]
    seen.probes = [Probe(step=i, saturated=np.array(last if i > 4 else first)) for i in range(9)]
    assert bool(fires(HIGH, seen)) == fires_


@pytest.mark.parametrize(
    ("name", "rate", "ratio", "fires_"),
    [
        ("Adam", 5.0, 30.0, True),
        ("Adam", 0.5, 30.0, False),
        ("Adam", 5.0, 2.0, False),
        ("SGD", 5.0, 30.0, False),
        ("Adadelta", 5.0, 30.0, False),
    ],
)
def test_a_rate_beyond_reason_is_certain_without_a_name_of_the_loss(name, rate, ratio, fires_):
    seen = Observation(name="m", steps=steps([2, 1.9, 1.8, 1.7, 1.6]), variables=[Variable(name="k", shape=(3, 4))])
    seen.steps.update, seen.optimizer = seen.steps.weight * ratio, Optimizer(name=name, rate=rate)
    assert [f.certain for f in RULES[HIGH](seen)] == [True] * fires_


def test_a_schedule_that_is_over_at_once_is_certain():
    for over, certain in ((10, True), (40, False)):
        seen = Observation(name="m", optimizer=Optimizer(schedule=np.where(np.arange(100) < over, 0.1, 1e-5)))
        (finding,) = RULES["lr_schedule_wrong"](seen)
        assert finding.certain == certain


SLOW = {"probe_same": 1.999, "probe_ten": 1.99, "probe_hundred": 1.9}


@pytest.mark.parametrize(
    ("numbers", "fires_"),
    [
        ({}, False),
        (SLOW, True),
        (SLOW | {"probe_same": 1.996}, False),  # ten times the rate does not do five times as much
        (SLOW | {"probe_hundred": 1.99}, False),  # a hundred times does no more
        (SLOW | {"probe_ten": INF, "probe_hundred": INF}, False),
        (SLOW | {"probe_ten": -0.5, "probe_hundred": -30.0}, False),  # without a lower end
        (SLOW | {"late_same": 0.5, "late_ten": 0.49, "late_hundred": 0.48, "late_thousand": INF}, False),  # arrived
        (
            SLOW | {"late_same": 2.0, "late_ten": 1.9995, "late_hundred": 1.995, "late_thousand": 1.94},
            True,
        ),  # far away
        (SLOW | {"late_same": 2.0, "late_ten": 1.9995, "late_hundred": 1.995, "late_thousand": 1.98}, False),
        (SLOW | {"late_same": 1.9, "late_ten": 1.8, "late_hundred": 1.0, "late_thousand": INF}, True),
    ],
)
def test_a_rate_is_too_low_when_longer_steps_do_more(numbers, fires_):
    assert bool(fires(LOW, tried(**numbers))) == fires_


@pytest.mark.parametrize("bends", [False, True])
@pytest.mark.parametrize(
    ("optimizer", "rate", "fires_"),
    [("Adam", 1e-3, False), ("Adam", 1e-4, True), ("SGD", 1e-3, True), ("Lion", 1e-3, False)],
)
def test_adams_own_rate_is_not_too_low(optimizer, rate, fires_, bends):
    seen = tried(**SLOW | {"rate": rate, "probe_hundred": 1.96 if bends else 1.9})
    seen.optimizer = Optimizer(name=optimizer, rate=rate)
    assert bool(fires(LOW, seen)) is fires_


@pytest.mark.parametrize(
    ("moved", "count", "late", "fires_"),
    [
        (0.001, 100, (0.7, 0.69, 0.65), True),
        (0.02, 100, (0.7, 0.69, 0.65), False),  # it has moved
        (0.001, 10, (0.7, 0.69, 0.65), False),  # after few steps
        (0.001, 100, (0.7, 0.69, 0.685), False),  # and longer steps gain next to nothing
        (0.001, 100, (0.7, 0.71, 0.65), False),
        (0.0, 100, (0.7, 0.7, 0.7), False),  # no gradient
    ],
)
def test_a_rate_is_too_low_when_no_weight_moves_and_longer_steps_gain(moved, count, late, fires_):
    numbers = dict(zip(("late_same", "late_hundred", "late_thousand"), late, strict=True))
    seen = tried(**SLOW | {"probe_hundred": 2.1, "late_ten": late[0]} | numbers)
    first = RNG.normal(size=(5, 3))
    seen.variables = [Variable(name="k", shape=(5, 3), initial=first, final=first * (1 + moved))]
    seen.steps = steps(np.full(count, 0.7))
    assert bool(fires(LOW, seen)) == fires_
    seen.experiments |= {"few_start": 0.7, "few_end": 0.01}  # it can learn by heart
    assert bool(fires(LOW, seen)) == (fires_ or (moved < 0.002 and count >= 20))


@pytest.mark.parametrize(
    ("changed", "fires_"),
    [
        ({}, True),
        ({"count": 2000}, False),  # a weight can have gone 0.04
        ({"count": 50}, False),  # too few steps, at any rate
        ({"late_thousand": 0.1018}, False),
        ({"few_end": 0.5}, False),  # it cannot learn eight examples either
        ({"name": "SGD"}, False),  # whose steps have the gradient's length
        ({"rate": 0.0}, False),
        ({"gone": 0.05}, False),  # a loop that assigns its rate step by step
        ({"late_thousand": 0.1019, "rate": 1e-6, "gone": 0.0006}, True),  # nor a tenth of that
    ],
)
def test_a_rate_is_too_low_when_no_weight_can_get_far(changed, fires_):
    usual = {"late_same": 0.102, "late_ten": 0.1019, "late_hundred": 0.1018, "late_thousand": 0.1017,
             "few_start": 0.7, "few_end": 0.01, "rate": 2e-5, "count": 632, "name": "Adam", "gone": 0.01}  # fmt: skip
    numbers = usual | changed
    count, name, gone = (numbers.pop(key) for key in ("count", "name", "gone"))
    seen = tried(**SLOW | numbers)
    seen.optimizer, seen.steps = Optimizer(name=name), steps(np.full(count, 0.1))
    first = RNG.normal(size=(5, 3)) / 10
    seen.variables = [Variable(name="k", shape=(5, 3), initial=first, final=first + gone * np.eye(5, 3))]
    assert bool(fires(LOW, seen)) == fires_


T = np.arange(100)


@pytest.mark.parametrize(
    ("rates", "fires_"),
    [
        (np.full(100, 0.1), False),
        (0.1 * 0.9**T, True),  # below 1 % from step 44 on
        (0.05 * (1 + np.cos(np.pi * T / 99)), False),
        (np.minimum(T / 10, 1) * 0.1, False),
        (T / 99 * 0.1, True),
        (np.where(T < 60, 0.1, 0.0001), False),
        (np.where(T < 40, 0.1, 0.0001), True),
        (np.where(T < 40, 0.1, 0.001), True),  # at the floor of 1 % that a schedule has
        (np.where(T < 40, 0.1, 0.0011), False),
        (np.where(T < 5, 0.0001, np.where(T < 60, 0.1, 0.001)), False),  # a warm-up begins low
        (np.where(T < 5, 0.0001, np.where(T < 40, 0.1, 0.0001)), True),
        (np.where(T < 9, 0.1, 0.009), True),
        (np.where(T < 13, 0.1, 0.009), False),
        (np.where(T < 9, 0.1, 0.011), False),
        (np.where(T < 9, 0.009, 0.1), False),
        (np.minimum(T + 0.5, 98.5) / 1e4, True),
        (np.minimum(T + 0.5, 90.5) / 1e4, False),
    ],
    ids=[
        "constant",
        "gone",
        "cosine",
        "warm-up",
        "all warm-up",
        "low late",
        "low early",
        "at its floor early",
        "above its floor",
        "low at first",
        "low at first and again early",
        "lower at once",
        "lower later",
        "not much lower",
        "warm-up by a step",
        "warm-up to the last sample",
        "warm-up and some steps",
    ],
)
def test_schedules(rates, fires_):
    assert bool(fires("lr_schedule_wrong", Observation(name="m", optimizer=Optimizer(schedule=rates)))) == fires_
    logged = Observation(name="m", epochs=[{"learning_rate": float(r)} for r in rates])
    assert bool(fires("lr_schedule_wrong", logged)) == fires_


@pytest.mark.parametrize(
    ("rates", "later", "fires_"),
    [
        (0.001 + 1e-6 * T, 0.02, True),
        (0.001 + 1e-6 * T, 0.004, False),
        (np.full(100, 0.001), 0.02, False),  # a step up that is yet to come, as in a cycle
        (0.001 + 1e-6 * T * (T != 50), 0.02, False),
    ],
)
def test_a_warm_up_that_is_longer_than_the_training(rates, later, fires_):
    seen = Observation(name="m", optimizer=Optimizer(schedule=rates, later=later))
    assert bool(fires("lr_schedule_wrong", seen)) == fires_
    seen.finished = False
    assert fires("lr_schedule_wrong", seen) == [], "a loop that still runs"
    seen.interface = "fit"
    assert bool(fires("lr_schedule_wrong", seen)) == fires_


def test_an_empty_observation_is_judged_by_nothing():
    assert [f for rule in RULES.values() for f in rule(Observation(name="m"))] == []


@pytest.mark.parametrize(("name", "rates", "fires_"), [("val_loss", [1e-2, 1e-3], True), ("", [1e-2, 1e-3], False),
                                                       ("val_loss", [1e-2, 1e-2], False)])  # fmt: skip
def test_a_rate_that_falls_while_it_gets_better(name, rates, fires_):
    seen = Observation(name="m", interface="fit", plan=Plan(slows_at_better=name))
    seen.epochs = [{"loss": 1.0, "learning_rate": rate} for rate in rates]
    assert [f.certain for f in RULES["lr_schedule_wrong"](seen)] == [True] * fires_


@pytest.mark.parametrize(("first", "end", "fires_"), [(1.0, 1.0, False), (0.5, 1.0, True), (1.0, 0.5, True)])
def test_of_units_that_are_flat_before_the_first_step_the_rate_is_not_the_cause(first, end, fires_):
    seen = tried(probe_worst=8.0, end_same=5.0, end_tenth=1.0)
    seen.units = [Unit(name=name, kind="dense", activation="tanh") for name in "abc"]
    seen.probes = [Probe(step=i, saturated=np.array([0.0, end if i > 4 else first, 0.0])) for i in range(9)]
    assert bool(fires(HIGH, seen)) == fires_
