import functools

from keras_course.diagnostics.observation import LEFT_OVER, Probe, Unit, Variable
from keras_course.diagnostics.rules.first_weights import RULES
from tests.diagnostics import typed
from tests.diagnostics.typed import RNG, net, walked

import numpy as np
import pytest

fires = functools.partial(typed.marked, RULES)


def found(rule, seen):
    return RULES[rule](seen)


def alike(kernel):
    return np.repeat(kernel[:, :1], kernel.shape[1], axis=1)


def test_equal_units_that_stay_equal():
    seen = net(1, 1, 1)
    kernel = seen.variables[1]
    kernel.initial, kernel.final = alike(kernel.initial), alike(kernel.final)
    (finding,) = found("symmetric_or_zero_init", seen)
    assert (finding.layer, finding.tag, finding.step) == ("b", "weights/b/kernel", 0)
    assert finding.certain
    kernel.final = kernel.initial.copy()
    kernel.final[:, 0] += 1  # the first unit has left the others
    assert not found("symmetric_or_zero_init", seen)[0].certain
    kernel.final = kernel.initial + RNG.normal(size=kernel.shape)
    assert found("symmetric_or_zero_init", seen) == [], "a zeroed branch whose columns part"


def test_tables_of_zeros_that_stay_zero():
    seen = net(1, 1, 1)
    seen.units[0].kind = "embedding"
    seen.variables[0].initial = seen.variables[0].final = np.zeros((40, 40))
    (finding,) = found("symmetric_or_zero_init", seen)
    assert (finding.layer, finding.tag) == ("a", "weights/a/kernel")
    seen.variables[0].final = np.eye(40)
    assert found("symmetric_or_zero_init", seen) == [], "it has learned"


@pytest.mark.parametrize(
    ("gradient", "dead", "fires_"),
    [(0.0, 0.3, True), (1e-9, 0.3, False), (np.nan, 0.3, False), (0.0, 1.0, False)],
)
def test_weights_of_zeros_without_a_slope(gradient, dead, fires_):
    """As factors that are only multiplied by each other; silent units pass no signal on, and no gradient has a path."""
    seen = net(1, 1, steps=walked(gradient=[1.0, gradient]))
    seen.variables[1].initial = seen.variables[1].final = np.zeros((40, 40))
    seen.probes = [Probe(step=step, dead=np.array([dead, np.nan])) for step in range(3)]
    assert [(f.layer, f.certain) for f in found("symmetric_or_zero_init", seen)] == [("b", True)] * fires_
    seen.steps = walked(rows=7, gradient=[1.0, gradient])
    assert found("symmetric_or_zero_init", seen) == [], "of seven steps"


def test_a_zero_head_is_no_symmetry():
    seen = net(1, 1)
    seen.variables[1].initial = seen.variables[1].final = np.zeros((40, 40))
    assert found("symmetric_or_zero_init", seen) == []


@pytest.mark.parametrize(
    ("spreads", "fires_"),
    [
        ((1, 1, 1, 1, 1), False),
        ((3, 3, 3, 1), True),
        ((1 / 3, 1 / 3, 1 / 3, 1), True),
        ((1.4, 1.4, 1.4, 1.4, 1.4, 1.4, 1.4, 1), False),  # each within 1.5 of its own rule
        ((5, 1, 1), False),  # a single layer: 5 in all, below 8
        ((1, 1, 99), False),  # the head sets no signal of the hidden layers
    ],
)
def test_first_weights_that_blow_the_signal_up_or_fade_it(spreads, fires_):
    assert bool(found("init_scale", net(*spreads))) == fires_
    assert found("init_scale", net(*spreads, normalised=True)) == []


def test_sines_have_their_own_first_weights():
    assert found("init_scale", net(3, 3, 3, 1, activation="tanh"))
    assert found("init_scale", net(3, 3, 3, 1, activation="sine")) == []


def test_a_default_does_not_make_up_for_a_layer_that_is_off():
    seen = net(1, 1, 10, 1)
    seen.variables[0].shape = (10, 90)  # where Glorot's spread is a third of He's
    seen.variables[0].initial = RNG.normal(size=(10, 90)) * np.sqrt(2 / 100)
    (finding,) = found("init_scale", seen)
    assert "the first weights of 1 layers" in finding.evidence
    assert finding.layer == "c"


def test_less_is_off_where_fresh_weights_repair():
    seen = net(1, 4, 1)
    assert found("init_scale", seen) == []
    seen.experiments = {"end_fresh": 0.5, "end_same": 2.0}
    assert len(found("init_scale", seen)) == 1


@pytest.mark.parametrize(
    ("positive", "change", "constrained", "fires_"),
    [("ab", np.abs, "", True), ("bc", np.abs, "", True), ("a", np.abs, "", False), ("ad", np.abs, "", False),
     ("ab", lambda w: -np.abs(w), "", False), ("ab", np.ones_like, "", False), ("ab", np.abs, "b", False),
     ("ab", lambda w: np.abs(w) - 0.1, "", False)],
)  # fmt: skip
def test_weights_that_are_all_positive_give_every_unit_the_same_sum(positive, change, constrained, fires_):
    """Of the four layers d is the head."""
    seen = net(1, 1, 1, 1, width=12)
    seen.layers = [{"class": "Dense", "name": name, "config": {"kernel_constraint": {"class_name": "NonNeg"}}}
                   for name in constrained]  # fmt: skip
    for kernel in seen.variables:
        if kernel.layer in positive:
            kernel.initial = change(kernel.initial)
    said = [finding.evidence for finding in found("init_scale", seen) if "the same" in finding.evidence]
    assert len(said) == fires_
    assert not fires_ or f"those of {positive[0]} lie around" in said[0]


def test_scale_is_surer_when_a_fresh_start_repairs():
    seen = net(4, 2, 3, 1)
    (finding,) = found("init_scale", seen)
    assert (finding.layer, finding.confidence) == ("a", 0.5)
    seen.experiments = {"end_fresh": 0.5, "end_same": 2.0}
    assert found("init_scale", seen)[0].confidence > 0.9
    seen.experiments = {"end_fresh": 1.9, "end_same": 2.0}
    assert found("init_scale", seen)[0].confidence == LEFT_OVER


FRESH = {"attained_from": 10.0, "attained_last": 8.0, "attained_own": 6.0, "attained_fresh": 1.0}


@pytest.mark.parametrize(
    ("spread", "change", "fires_"),
    [
        (2, {}, True),
        (0.5, {}, True),
        (1.4, {}, False),  # nothing is off
        (2, {"attained_own": 3.0}, False),  # the first weights of the script are about as good
        (2, {"attained_last": 1.5}, False),  # and so is the script
    ],
)
def test_a_trial_tells_first_weights_where_nobody_knows_the_loss(spread, change, fires_):
    ends = walked(rows=40, losses=[10.0] * 40)
    for normalised in (True, False):
        seen = net(1, spread, 1, normalised=normalised, experiments=FRESH | change, steps=ends)
        assert [(f.layer, f.confidence) for f in found("init_scale", seen)] == [("b", 0.7)] * fires_


def test_a_trial_tells_units_that_start_alike_and_part_where_nobody_knows_the_loss():
    for tried, fires_ in ((FRESH, True), (FRESH | {"attained_own": 2.0}, False)):
        seen = net(1, 1, 1, experiments=tried, steps=walked(rows=40, losses=[10.0] * 40))
        kernel = seen.variables[1]
        kernel.initial = alike(kernel.initial)
        findings = found("symmetric_or_zero_init", seen)
        assert [(f.layer, f.certain, "drawn anew" in f.evidence) for f in findings] == [("b", False, True)] * fires_
        kernel.initial[:, :5] = kernel.final[:, :5]
        assert found("symmetric_or_zero_init", seen) == [], "some start apart"


@pytest.mark.parametrize(("times", "end", "fires_"), [(1.0, 0.5, True), (1.0, 0.9, False), (0.0, 0.5, False)])
def test_the_first_steps_tell_units_that_start_alike_and_part(times, end, fires_):
    """By what they leave from weights drawn anew, of 1; a branch that starts at 0 is no such layer."""
    seen = net(1, 1, 1, experiments={"end_fresh": end, "end_same": 1.0}, steps=walked(rows=40, losses=[10.0] * 40))
    kernel = seen.variables[1]
    kernel.initial = times * alike(kernel.initial)
    assert [(f.layer, f.certain) for f in found("symmetric_or_zero_init", seen)] == [("b", False)] * fires_


@pytest.mark.parametrize(("shape", "fires_"), [((2, 24), False), ((24, 24), True)])
def test_weights_that_are_used_again_count_again_only_where_they_can_meet_what_they_gave(shape, fires_):
    """As those of a recurrence by hand: 1.8 times Glorot's spread, in each of eight steps."""
    kernel = (RNG.normal(size=shape) * 1.8 * np.sqrt(2 / sum(shape))).astype("float32")
    seen = net(1, 1)
    seen.variables.append(Variable(name="w", shape=shape, layer="w", initial=kernel, final=kernel))
    again = [Unit(name=f"w_{i}", kind="dense", activation="tanh", variables=("w",)) for i in range(8)]
    seen.units = [*again, *seen.units]
    assert ["of 1 layers" in f.evidence for f in found("init_scale", seen)] == [True] * fires_


@pytest.mark.parametrize(("spread", "kind", "fires_"), [(12.0, "recurrent", True), (5.0, "recurrent", False),
                                                        (12.0, "embedding", False)])  # fmt: skip
def test_first_weights_of_a_recurrent_layer_that_are_beyond_any_default(spread, kind, fires_):
    seen = net(1, 1)
    kernel = (RNG.normal(size=(5, 30)) * spread * np.sqrt(2 / 35)).astype("float32")
    seen.variables.append(Variable(name="gru/cell/kernel", shape=(5, 30), layer="gru/cell", initial=kernel))
    seen.units = [Unit(name="gru", kind=kind, variables=("gru/cell/kernel",)), *seen.units]
    assert [f.layer for f in found("init_scale", seen)] == ["gru/cell"] * fires_


def test_one_column_of_zeros_is_a_linear_part_and_no_scale():
    """As of a factorisation machine, beside its factors."""
    for shape, fires_ in (((40, 1), False), ((40, 40), True)):
        seen = net(1, 1)
        seen.variables[0].shape = shape
        seen.variables[0].initial = np.zeros(shape, "float32")
        assert [f.layer for f in found("init_scale", seen)] == ["a"] * fires_


@pytest.mark.parametrize(("spreads", "fires_"), [((0.01, 0.01, 1), False), ((10, 10, 1), True)])
def test_a_branch_that_is_added_may_begin_small(spreads, fires_):
    seen = net(*spreads)
    assert found("init_scale", seen)
    seen.layers = [{"class": "Add", "name": "skip", "config": {}}]
    assert bool(found("init_scale", seen)) is fires_


def test_scale_is_sure_where_the_signal_is_gone():
    assert found("init_scale", net(0.01, 0.005, 1))[0].confidence > 0.9


def test_first_weights_that_drawn_anew_do_no_better_are_named_last():
    seen = net(0.2, 0.2, 1)
    (untried,) = found("init_scale", seen)
    seen.experiments = {"end_fresh": 1.0, "end_same": 1.0}
    (tried,) = found("init_scale", seen)
    assert untried.confidence > LEFT_OVER == tried.confidence
