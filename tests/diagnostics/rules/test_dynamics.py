from keras_course.diagnostics.observation import Data, Loss, Observation, Optimizer, Probe, Unit, Variable
from keras_course.diagnostics.rules.dynamics import RULES
from tests.diagnostics.typed import SPARSE, SQUARED, steps, with_targets

import numpy as np
import pytest

RNG = np.random.default_rng(8)
INF = float("inf")


def fires(rule, seen):
    return [(f.cause, f.kind) for f in RULES[rule](seen)]


def with_gradients(gradient, losses=None):
    made = steps(np.ones(len(gradient)) if losses is None else losses)
    made.gradient = np.asarray(gradient, "float32")[:, None]
    return Observation(name="m", steps=made, variables=[Variable(name="a/k", shape=(2, 2), layer="a")])


def test_gradients_that_explode():
    calm = np.ones(40)
    assert fires("exploding_gradient", with_gradients(calm)) == []
    spike = calm.copy()
    spike[[20, 30]] = 1e4
    assert fires("exploding_gradient", with_gradients(spike)) == [], "two spikes"
    spike[35] = 1e4
    assert fires("exploding_gradient", with_gradients(spike))
    overflow = calm.copy()
    overflow[12] = np.inf
    (finding,) = RULES["exploding_gradient"](with_gradients(overflow))
    assert (finding.step, finding.layer) == (12, "a")
    losses = calm.copy()
    losses[17] = np.nan
    assert RULES["exploding_gradient"](with_gradients(calm, losses))[0].step == 17


def test_a_loss_that_was_never_a_number_has_not_grown():
    lost = np.full(40, np.nan)
    assert fires("exploding_gradient", with_gradients(lost, lost)) == []
    assert fires("exploding_gradient", with_gradients(np.ones(40), lost)), "there was a gradient"
    lost[0] = 1.0
    assert fires("exploding_gradient", with_gradients(np.full(40, np.nan), lost))


@pytest.mark.parametrize(
    ("first", "fresh", "fires_"),
    [(2e6, np.inf, True), (2e6, 2e3, True), (2e6, 500, False), (9e5, np.inf, False), (np.inf, np.inf, False)],
)
def test_a_first_loss_beyond_all_measure_whatever_the_weights(first, fresh, fires_):
    y = np.tile([-1.0, 1.0], 50)  # a constant costs 1
    seen = with_targets(SQUARED, y, losses=np.linspace(3.0, 1.0, 40))
    seen.experiments = {"first_loss": first, "end_fresh": fresh}
    seen.steps.gradient[:] = 1.0
    assert bool(fires("exploding_gradient", seen)) == fires_


def deep(gradient, normalised=False, activation="sigmoid", **more):
    count = len(gradient)
    units = [Unit(name=f"u{i}", kind="dense", activation=activation, normalised=normalised) for i in range(count)]
    rows = [Probe(step=i, gradient=np.array(gradient) * (1 + 0.1 * i), **more) for i in range(4)]
    return Observation(name="m", units=units, probes=rows)


def test_gradients_that_fade_from_layer_to_layer():
    (finding,) = RULES["vanishing_gradient"](deep(1e-3 * 4.0 ** np.arange(-7, 1)))
    assert (finding.layer, finding.tag) == ("u0", "gradient_norm/u0")
    assert "factor of 4.0" in finding.evidence
    assert not finding.certain
    (worse,) = RULES["vanishing_gradient"](deep(1e-3 * 8.0 ** np.arange(-7, 1)))
    assert worse.certain, "below 1e-5, of a loss that nobody knows the constant of"
    assert fires("vanishing_gradient", deep(1e-9 * np.ones(8))) == [], "a ratio, not a size: the loss may be near 0"
    assert fires("vanishing_gradient", deep(1.5 ** np.arange(-7.0, 1))) == []
    assert fires("vanishing_gradient", deep(4.0 ** np.arange(-7, 1), normalised=True)) == []
    assert fires("vanishing_gradient", deep(2.9 ** np.arange(-4.0, 1))), ".014 in all, by a factor of 2.9"
    assert fires("vanishing_gradient", deep(2.4 ** np.arange(-5.0, 1))) == [], ".013 in all, by a factor of 2.4"
    pairs = np.repeat(3e-3 * 3.6 ** np.arange(-7.0, 1), 2)
    assert fires("vanishing_gradient", deep(pairs)), "two units of each gate have one gradient, and are one stage"
    every_other = np.where(np.arange(12) % 2, np.nan, 1.7 ** np.arange(-11.0, 1))
    assert fires("vanishing_gradient", deep(every_other)) == [], "by 1.7 a layer, whether or not each was measured"
    behind = deep(4.0 ** np.arange(-7, 1))
    behind.units[-1].normalised = True
    assert fires("vanishing_gradient", behind), "what is normalised at the end has faded before"
    assert fires("vanishing_gradient", deep(8.0 ** np.arange(-2, 1))) == [], "three layers"
    for share, fades in ((0.6, False), (0.4, True)):
        silent = np.array([share] + 7 * [0.1])
        assert bool(fires("vanishing_gradient", deep(4.0 ** np.arange(-7, 1), dead=silent))) is fades


def test_layers_that_are_flat_from_the_start_explain_a_gradient_that_fades():
    fading = 4.0 ** np.arange(-7, 1)
    for place, share, confidence in ((2, 0.6, 0.75), (2, 0.4, 0.92), (7, 0.9, 0.92)):  # the output may be flat
        flat = np.zeros(8)
        flat[place] = share
        (finding,) = RULES["vanishing_gradient"](deep(fading, saturated=flat))
        assert finding.confidence == confidence


@pytest.mark.parametrize(("width", "confidence"), [(1, 0.75), (2, 0.75), (3, 0.92)])
def test_a_layer_of_one_unit_explains_a_gradient_that_fades(width, confidence):
    seen, widths = deep(4.0 ** np.arange(-7, 1)), [8, 8, 8, width, 8, 8, 8, 5]
    for unit, entering, leaving in zip(seen.units, [6, *widths], widths, strict=False):
        unit.variables = (f"{unit.name}/kernel",)
        seen.variables.append(Variable(name=f"{unit.name}/kernel", shape=(entering, leaving)))
    (finding,) = RULES["vanishing_gradient"](seen)
    assert finding.confidence == confidence


def shares(name, *rows, activation="relu"):
    units = [Unit(name=n, kind="dense", activation=activation) for n in "abc"]
    return Observation(name="m", units=units, probes=[Probe(step=i, **{name: np.array(r)}) for i, r in enumerate(rows)])


def test_dead_units():
    assert fires("dead_units", shares("dead", *3 * [[0.1, 0.9, np.nan]])) == [("dead_units", "named")]
    (finding,) = RULES["dead_units"](shares("dead", *3 * [[0.1, 0.9, np.nan]]))
    assert (finding.layer, finding.step, finding.tag) == ("b", 2, "dead_share/b")
    assert fires("dead_units", shares("dead", *3 * [[0.3, 0.1, np.nan]])) == [("dead_units", "note")]
    assert fires("dead_units", shares("dead", *3 * [[0.1, 0.15, np.nan]])) == []
    assert fires("dead_units", shares("dead", *2 * [[0.9, 0.9, np.nan]])) == [], "two looks are too few"
    lost = shares("dead", *3 * [[0.1, 0.9, np.nan]])
    lost.probes[1].mean = np.array([0.0, np.nan, 1.0])
    assert fires("dead_units", lost) == [], "units of a network that gives no numbers are not silent"
    waking = shares("dead", [0.9, 0, 0], [0.9, 0, 0], [0.1, 0, 0])
    assert fires("dead_units", waking) == [], "the least of the three counts"
    assert fires("dead_units", shares("dead", *3 * [3 * [np.nan]])) == []
    hidden, output = (RULES["dead_units"](shares("dead", *3 * [at]))[0] for at in ([1.0, 0, 0], [0, 0, 1.0]))
    assert output.confidence > 0.92 > hidden.confidence, "a silent output is no lack of units"


def test_silent_units_of_a_small_layer_may_be_chance():
    """Behind inputs of one sign each unit falls silent with one half: 9 of 16 often do, 12 seldom."""
    for width, silent, kind in ((16, 9, "note"), (16, 12, "named"), (400, 225, "named")):
        seen = shares("dead", *3 * [[silent / width, 0, np.nan]])
        seen.variables = [Variable(name="a/k", shape=(3, width)), Variable(name="a/b", shape=(width,))]
        seen.units[0].variables = ("a/k", "a/b")
        assert fires("dead_units", seen) == [("dead_units", kind)]


@pytest.mark.parametrize(("share", "kind"), [(1.0, "named"), (0.5, "note")])
def test_a_layer_that_is_silent_as_a_whole_lets_nothing_pass_however_narrow(share, kind):
    seen = shares("dead", *3 * [[share, 0, np.nan]])
    seen.variables = [Variable(name="a/k", shape=(3, 2))]
    seen.units[0].variables = ("a/k",)
    assert fires("dead_units", seen) == [("dead_units", kind)]


def test_units_that_die_where_the_gradient_had_faded_before_are_a_note():
    for fades in (4.0, 1.5):
        seen = deep(fades ** np.arange(-7, 1), dead=np.array([0.1] * 8))
        seen.probes += [Probe(step=9 + i, dead=np.array([0.1] * 6 + [0.9, 0.1])) for i in range(3)]
        assert fires("dead_units", seen) == [("dead_units", "note" if fades == 4 else "named")]


@pytest.mark.parametrize(("flat", "behind"), [([1.0, 0, 0], True), ([0, 0, 1.0], False), ([0.9, 0, 0], False)])
def test_units_that_are_silent_behind_a_flat_layer_come_after_it(flat, behind):
    seen = shares("dead", *3 * [[np.nan, 0.9, np.nan]])
    for probe in seen.probes:
        probe.saturated = np.array(flat)
    confidence = RULES["dead_units"](seen)[0].confidence
    assert (confidence < 0.8) is behind  # that of a layer that is flat


def test_saturated_units():
    of = {"activation": "tanh"}
    assert fires("saturated_units", shares("saturated", *3 * [[0.1, 0.8, 0]], **of)) == [("saturated_units", "named")]
    assert fires("saturated_units", shares("saturated", *3 * [[0.1, 0.4, 0]], **of)) == []
    assert fires("saturated_units", shares("saturated", *3 * [[0.1, 0.1, 0.9]], **of)) == [], "the head may be"


def swinging(swing, end_tenth=0.5):
    losses = 2 - 0.001 * np.arange(400) + swing * np.sign(np.sin(np.arange(400) / 20))
    experiments = {"end_tenth": end_tenth, "end_same": 1.0}
    return Observation(name="m", steps=steps(losses), experiments=experiments)


def test_losses_that_swing_by_more_than_they_gain():
    assert fires("oscillation", swinging(1.0))
    assert fires("oscillation", swinging(0.02)) == []
    assert fires("oscillation", swinging(1.0, end_tenth=0.95)) == [], "a smaller rate swings too"


@pytest.mark.parametrize(
    ("rate", "momentum", "count", "fires_"),
    [
        (0.03, 0.99, 400, True),
        (0.03, 0.9, 400, False),
        (0.03, 0.97, 400, False),  # adds 33 steps up
        (0.003, 0.99, 400, False),  # works as 0.3
        (0.03, 0.99, 200, False),  # it has hardly begun
        (None, 0.99, 400, False),
        (0.03, 1.0, 400, False),  # which never forgets: no number of steps is enough to tell
    ],
)
def test_a_momentum_that_adds_steps_up(rate, momentum, count, fires_):
    seen = Observation(name="m", steps=steps(np.ones(count)))
    seen.optimizer = Optimizer(name="SGD", rate=rate, momentum=momentum)
    found = RULES["oscillation"](seen)
    assert [f.cause for f in found] == ["oscillation"] * fires_
    assert not fires_ or ("100 steps" in found[0].evidence and "momentum of 0.9" in found[0].repair)


@pytest.mark.parametrize(
    ("low", "end", "fires_"), [(0.8, 1.7, True), (0.8, 1.2, False), (1.6, 1.8, False), (-1, 1.7, False)]
)
def test_a_loss_that_comes_back(low, end, fires_):
    """As with a momentum of .99: what had been learned is lost again."""
    losses = np.interp(np.arange(400), [0, 200, 360, 399], [1.8, low, end, end])
    assert bool(fires("oscillation", Observation(name="m", steps=steps(losses)))) is fires_


def test_a_loss_that_comes_back_with_the_order_of_the_rows_is_no_oscillation():
    losses, stream = np.interp(np.arange(400), [0, 200, 360], [1.8, 0.5, 1.7]), np.repeat(np.arange(4), 80)
    seen = Observation(name="m", loss=Loss(name=SPARSE), steps=steps(losses), classes=4)
    seen.stream = list(stream.reshape(-1, 10))
    seen.train = Data(x=np.zeros((320, 2)), y=stream, n=320)
    assert fires("oscillation", seen) == []
    seen.stream = list(np.random.default_rng(0).permutation(stream).reshape(-1, 10))
    assert fires("oscillation", seen)


def test_an_empty_observation_is_judged_by_nothing():
    assert [f for rule in RULES.values() for f in rule(Observation(name="m"))] == []


@pytest.mark.parametrize(("factor", "ratio", "fires_"), [(0.23, 1e-9, True), (0.6, 1e-9, False), (0.3, 1e-3, False)])
def test_gradients_that_fade_through_time(factor, ratio, fires_):
    units = [Unit(name="rnn/cell", kind="recurrent"), Unit(name="head", kind="dense")]
    seen = Observation(name="m", units=units, experiments={"time_factor": factor, "time_ratio": ratio})
    found = RULES["vanishing_gradient"](seen)
    assert [f.layer for f in found] == ["rnn"] * fires_


@pytest.mark.parametrize(("factor", "ratio", "fires_"), [(3.6, 1e6, True), (1.2, 1e6, False), (3.6, 1e3, False)])
def test_gradients_that_grow_through_time(factor, ratio, fires_):
    units = [Unit(name="rnn/cell", kind="recurrent"), Unit(name="head", kind="dense")]
    seen = Observation(name="m", units=units, experiments={"time_factor": factor, "time_ratio": ratio})
    assert [f.layer for f in RULES["exploding_gradient"](seen)] == ["rnn"] * fires_


@pytest.mark.parametrize(
    ("factor", "in_all", "first", "fires_"),
    [(1.4, 900, 2e3, True), (1.4, 900, 500, False), (1.1, 900, 2e3, False), (1.4, 50, 2e3, False), (1.6, 2e4, 1, True)],
)
def test_gradients_that_grow_through_time_by_less_where_the_start_is_far_off(factor, in_all, first, fires_):
    seen = with_targets(SQUARED, np.tile([-1.0, 1.0], 50), losses=np.linspace(3.0, 1.0, 40))  # a constant costs 1
    seen.units, seen.steps.gradient[:] = [Unit(name="year/cell", kind="recurrent")], 1.0
    seen.experiments = {"time_factor": factor, "time_ratio": in_all, "first_loss": first}
    assert [f.layer for f in RULES["exploding_gradient"](seen)] == ["year"] * fires_


@pytest.mark.parametrize(
    ("place", "change", "fires_"),
    [(1, "", True), (2, "", True), (0, "", False), (1, "inputs", False), (1, "targets", False), (1, "later", False)],
)
def test_layers_that_overflow_in_the_first_step(place, change, fires_):
    """place: of the first unit that gives no numbers."""
    lost = np.full(40, np.nan)
    seen = with_gradients(lost, lost)
    seen.units = [Unit(name=name, kind="dense") for name in "abc"]
    x, y = (np.where(change == of, np.nan, np.ones((8, 2))) for of in ("inputs", "targets"))
    mean = np.where(np.arange(3) < place, 7.0, np.nan)
    seen.probes = [Probe(step=int(change == "later"), x=x, y=y, output=np.full((8, 1), np.nan), mean=mean)]
    assert [f.layer for f in RULES["exploding_gradient"](seen)] == ["abc"[place]] * fires_
