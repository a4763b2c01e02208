from keras_course.diagnostics.observation import Observation, Optimizer, Probe, Unit, Variable
from keras_course.diagnostics.rules import dynamics
from tests.diagnostics.typed import steps

import numpy as np
import pytest

UNITS = [Unit(name=f"u{i}", kind="dense", activation="relu") for i in range(6)]


def observation(**more):
    return Observation(**({"name": "m", "units": UNITS, "steps": steps([2.0, 1.5, 1.0])} | more))


RATES = {
    "rate": 1.0, "probe_start": 2.0, "probe_worst": 5.0, "end_same": 4.0, "end_tenth": 1.0, "end_ten": 9.0,
    "end_hundred": 9.0, "probe_same": 4.0, "probe_ten": 9.0, "probe_hundred": 9.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({}, True),
        ({"probe_worst": 2.4}, False),  # the loss wiggles
        ({"end_tenth": 3.9}, False),  # a tenth is no better
        ({"end_same": np.inf, "probe_worst": np.inf}, True),
        ({"end_same": np.inf, "probe_worst": np.inf, "end_tenth": np.inf, "end_hundredth": 1.0}, True),
        ({"end_same": np.inf, "probe_worst": np.inf, "end_tenth": np.inf}, False),
    ],
)
def test_too_high_needs_a_rise_and_a_slower_run_that_is_better(change, named):
    found = dynamics.rate_too_high(observation(experiments=RATES | change))
    assert bool(found) == named


def test_too_high_by_what_the_first_steps_changed():
    seen = observation(variables=[Variable(name="k", shape=(3, 4))], steps=steps([1.0, 4.0, 3.0, 3.0, 3.0]))
    assert dynamics.rate_too_high(seen) == []
    seen.steps.update = np.full((5, 1), 0.6)
    assert [f.cause for f in dynamics.rate_too_high(seen)] == ["learning_rate_too_high"]
    seen.steps.all_losses = np.array([4.0, 3.0, 2.0, 1.0, 1.0])
    assert dynamics.rate_too_high(seen) == []


LOW = {"rate": 1e-6, "probe_start": 2.0, "probe_same": 1.9999, "probe_ten": 1.999, "probe_hundred": 1.99,
       "late_start": 1.99, "late_ten": 1.98, "late_hundred": 1.9, "late_thousand": 1.0}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({}, True),
        ({"probe_same": 1.9, "probe_ten": 1.5, "probe_hundred": 1.4}, False),  # it moves as it is
        ({"probe_hundred": 3.0}, False),  # a hundred times is too much
        ({"late_hundred": 1.98, "late_thousand": 1.97}, False),  # it is stuck, or has arrived
    ],
)
def test_too_low_needs_longer_steps_to_gain_more_at_both_ends(change, named):
    assert bool(dynamics.rate_too_low(observation(experiments=LOW | change))) == named


def test_too_low_by_what_the_steps_changed():
    seen = observation(steps=steps(np.full(20, 2.3)))
    assert dynamics.rate_too_low(seen) == [], "one per cent a step"
    seen.steps.update = seen.steps.update * 1e-5
    assert [f.cause for f in dynamics.rate_too_low(seen)] == ["learning_rate_too_low"]
    seen.steps.gradient = seen.steps.gradient * 1e-9
    assert dynamics.rate_too_low(seen) == [], "there is nothing to go along"


@pytest.mark.parametrize(
    ("rates", "named"),
    [
        (np.full(100, 0.1), False),
        (0.1 * 0.5 ** np.arange(100), True),  # over after seven of a hundred steps
        (np.linspace(0.1, 0, 100), False),
        (0.05 * (1 + np.cos(np.linspace(0, np.pi, 100))), False),
        (np.linspace(0, 0.1, 100), True),  # a warm-up that never ends
        (np.concatenate([np.linspace(0, 0.1, 10), np.linspace(0.1, 0.001, 90)]), False),
    ],
)
def test_schedules(rates, named):
    assert bool(dynamics.schedule_wrong(observation(optimizer=Optimizer(schedule=rates)))) == named


def test_explosion_is_no_single_spike():
    quiet = observation(steps=steps(np.ones(40)))
    assert dynamics.exploding(quiet) == []
    quiet.steps.gradient = quiet.steps.gradient.copy()
    quiet.steps.gradient[20] = 1e5
    assert dynamics.exploding(quiet) == []
    quiet.steps.gradient[30:34] = 1e5
    assert [f.cause for f in dynamics.exploding(quiet)] == ["exploding_gradient"]
    broken = observation(steps=steps([1.0, 2.0, np.nan]))
    assert [f.step for f in dynamics.exploding(broken)] == [2]


def probes(**arrays):
    return [Probe(step=i, **{name: np.array(row) for name, row in arrays.items()}) for i in range(3)]


def test_fading_from_layer_to_layer():
    fading = probes(gradient=10.0 ** -np.arange(6)[::-1])
    found = dynamics.vanishing(observation(probes=fading))
    assert [(f.cause, f.layer) for f in found] == [("vanishing_gradient", "u0")]
    assert dynamics.vanishing(observation(probes=probes(gradient=[1e-9] * 6))) == [], "small everywhere: it has learned"
    assert dynamics.vanishing(observation(probes=probes(gradient=[1e-2, 1e-1, 1.0]), units=UNITS[:3])) == []
    dead = [Probe(step=i, gradient=p.gradient, dead=np.array([0.95] + [0.0] * 5)) for i, p in enumerate(fading)]
    assert dynamics.vanishing(observation(probes=dead)) == []
    normalised = [Unit(name="n", kind="dense", normalised=True), *UNITS[1:]]
    assert dynamics.vanishing(observation(probes=fading, units=normalised)) == []


def test_dead_and_saturated_units_in_three_looks():
    late = probes(dead=[0.1, 0.9, np.nan, 0.3, 0.0, np.nan])
    assert [(f.layer, f.kind) for f in dynamics.dead_units(observation(probes=late))] == [("u1", "named")]
    late[0].dead = np.zeros(6)  # it fired a moment ago
    assert dynamics.dead_units(observation(probes=late)) == []
    some = probes(dead=[0.1, 0.3, np.nan, 0.3, 0.0, np.nan])
    assert [f.kind for f in dynamics.dead_units(observation(probes=some))] == ["note"]
    flat = probes(saturated=[np.nan, 0.8, 0.1, np.nan, np.nan, 0.2])
    assert [f.layer for f in dynamics.saturated_units(observation(probes=flat))] == ["u1"]
    head = probes(saturated=[np.nan, 0.1, 0.1, np.nan, np.nan, 0.9])
    assert dynamics.saturated_units(observation(probes=head)) == [], "the output of a trained classifier"


def test_swings_larger_than_the_gain():
    swing = 1.5 + np.where(np.arange(200) // 20 % 2, -1.0, 1.0)
    found = observation(steps=steps(swing), experiments={"end_same": 2.0, "end_tenth": 1.0})
    assert [f.cause for f in dynamics.oscillation(found)] == ["oscillation"]
    found.experiments["end_tenth"] = 2.0
    assert dynamics.oscillation(found) == []
    calm = observation(steps=steps(np.linspace(2, 0, 200)), experiments={"end_same": 2.0, "end_tenth": 1.0})
    assert dynamics.oscillation(calm) == []
