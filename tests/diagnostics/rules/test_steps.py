import functools

from keras_course.diagnostics.observation import Loss, Observation, Probe
from keras_course.diagnostics.rules.steps import RULES
from tests.diagnostics import typed
from tests.diagnostics.typed import BINARY, SQUARED, net, steps, walked

import numpy as np
import pytest

fires = functools.partial(typed.marked, RULES)


def found(rule, seen):
    return RULES[rule](seen)


def test_steps_that_change_nothing():
    (finding,) = found("optimiser_not_applied", net(1, 1, steps=walked(update=0.0)))
    assert (finding.cause, finding.certain) == ("optimiser_not_applied", True)
    assert found("optimiser_not_applied", net(1, 1, steps=walked(rows=3, update=0.0))) == [], "two seen changes"
    assert found("optimiser_not_applied", net(1, 1, steps=walked(update=0.0, gradient=0.0))) == []
    summed = walked(update=0.0)
    summed.update[7] = 0.1  # gradients are summed over eight steps
    assert found("optimiser_not_applied", net(1, 1, steps=summed)) == []


def test_a_rate_of_0_is_the_rates_fault():
    seen = net(1, 1, steps=walked(update=0.0))
    seen.optimizer.rate = 0.0
    assert fires("optimiser_not_applied", seen) == {"learning_rate_too_low"}


@pytest.mark.parametrize(
    ("capped", "climbed", "losses", "fires_"),
    [
        (1.0, False, [-0.5, -4.0, -11.0], True),
        (1.0, False, [-0.5, -4.0, -9.0], False),  # it may have an end below
        (1.0, False, [-20.0, -4.0, -199.0], False),
        (1.0, True, [-0.5, -4.0, -11.0], False),
        (0.0, False, [-0.5, -4.0, -11.0], False),
        (1.0, False, [-0.5, -11.0, np.nan], True),
    ],
)
def test_a_likelihood_that_is_minimised(capped, climbed, losses, fires_):
    seen = net(1, 1, steps=walked(rows=3, losses=losses), experiments={"capped": capped})
    seen.loss.climbed = climbed
    assert [f.certain for f in found("gradient_sign_flipped", seen)] == [True] * fires_


@pytest.mark.parametrize(("turned", "losses", "fires_"), [(1.0, [0.5, -3.0], True), (0.0, [0.5, -3.0], False),
                                                         (1.0, [5.0, 3.0], False)])  # fmt: skip
def test_logarithms_that_are_minimised(turned, losses, fires_):
    seen = net(1, 1, steps=walked(rows=2, losses=losses), experiments={"turned": turned})
    assert [f.certain for f in found("gradient_sign_flipped", seen)] == [True] * fires_


def test_steps_uphill():
    assert fires("gradient_sign_flipped", net(1, 1, steps=walked(aligned=0.9))) == {"gradient_sign_flipped"}
    assert found("gradient_sign_flipped", net(1, 1, steps=walked(aligned=-0.9))) == []
    assert found("gradient_sign_flipped", net(1, 1, steps=walked(rows=8, aligned=0.3))) == [], "seven are too few"
    ends = walked(aligned=0.4)
    ends.gradient[6:], ends.aligned[6:] = np.inf, np.nan  # and then no numbers are left
    assert found("gradient_sign_flipped", net(1, 1, steps=ends)) == [], "six are too few"
    ends.aligned[:6] = 0.9
    assert fires("gradient_sign_flipped", net(1, 1, steps=ends)) == {"gradient_sign_flipped"}
    wild = walked(rows=40, aligned=-0.5)
    wild.aligned[::4] = 0.9  # a momentum that overshoots now and then
    assert found("gradient_sign_flipped", net(1, 1, steps=wild)) == []
    lagging = walked(update=[1.0, 0.01], aligned=[-0.5, 0.9])  # the sum over variables counts
    assert found("gradient_sign_flipped", net(1, 1, steps=lagging)) == []


def test_a_squared_error_below_0_has_its_sign_flipped():
    seen = net(1, 1, steps=walked(losses=np.linspace(-1, -9, 12)), loss=Loss(name=SQUARED))
    (finding,) = found("gradient_sign_flipped", seen)
    assert finding.certain
    seen.loss = Loss(name="")
    assert found("gradient_sign_flipped", seen) == [], "a loss of one's own may be anything"


def test_a_loss_that_falls_without_end_until_it_is_no_number():
    seen = net(
        1, 1, steps=walked(losses=[-1.0, -9.0, -99.0, *[np.nan] * 9]), loss=Loss(name="sparse_categorical_crossentropy")
    )
    (finding,) = found("gradient_sign_flipped", seen)
    assert "down to -99" in finding.evidence
    seen.steps = walked(losses=[1.0, 9.0, 99.0, *[np.nan] * 9])
    assert found("gradient_sign_flipped", seen) == []
    seen.steps = walked(losses=[np.nan] * 12)
    assert found("gradient_sign_flipped", seen) == []


def test_a_binary_loss_of_targets_beyond_1_may_be_below_0():
    seen = net(1, 1, steps=walked(losses=np.linspace(-1, -9, 12)), loss=Loss(name=BINARY))
    for beyond in ([0.0, 255.0], [0, 9], [-1, 1]):
        seen.stream = [np.array(beyond)]
        assert found("gradient_sign_flipped", seen) == []
    seen.stream = [np.array([0.0, 1.0])]
    assert found("gradient_sign_flipped", seen)


def test_differences_of_everything_with_everything():
    assert found("loss_broadcast", net(1, 1, experiments={"broadcast": 1.0}))[0].certain
    assert found("loss_broadcast", net(1, 1, experiments={"broadcast": 0.0})) == []
    assert found("loss_broadcast", net(1, 1)) == []


@pytest.mark.parametrize(
    ("name", "values", "fires_"),
    [
        ("dice_coef", (0.5, 0.3, 0.1), True),
        ("dice_coef", (-0.5, -0.7, -0.9), False),  # a score by name alone: its negative is logged
        ("dice_loss", (0.5, 0.3, 0.1), False),
        ("mae", (0.5, 0.3, 0.1), False),
        ("val_dice_coef", (0.5, 0.3, 0.1), False),
        ("dice_coef", (0.5, 0.5, 0.6), False),
    ],
)
def test_a_score_that_is_minimised(name, values, fires_):
    seen = net(1, 1, steps=walked(), epochs=[{"loss": v, name: v} for v in values])
    assert bool(found("gradient_sign_flipped", seen)) == fires_
    more = net(1, 1, steps=walked(), epochs=[{"loss": 1 + v, name: v} for v in values])
    assert bool(found("gradient_sign_flipped", more)) == fires_
    assert found("gradient_sign_flipped", net(1, 1, steps=walked(), epochs=more.epochs[:2])) == [], "by chance"
    for other in (-1.0, 0.5, 1.1):
        minus = net(1, 1, steps=walked(), epochs=[{"loss": 2 + other * v, name: v} for v in values])
        assert found("gradient_sign_flipped", minus) == []


@pytest.mark.parametrize(
    ("change", "fires_"),
    [
        ({}, True),
        ({"loss": Loss(name="binary_crossentropy")}, False),  # whose sign is known otherwise
        ({"head": "linear"}, False),  # as of distances, which are small where labels are 1
        ({"steps": steps(np.linspace(0.3, 0.2, 60))}, False),  # nothing is learned
        ({"turned": -1}, False),
    ],
)
def test_an_overlap_that_is_driven_out(change, fires_):
    rng, sign = np.random.default_rng(0), change.pop("turned", 1)
    masks = rng.integers(0, 2, (8, 4, 5, 5, 1)).astype("float32")
    said = [0.5 - sign * 0.4 * (m - 0.5) * i / 8 + 0.05 * rng.random(m.shape) for i, m in enumerate(masks)]
    probes = [Probe(step=7 * i, y=m, output=o) for i, (m, o) in enumerate(zip(masks, said, strict=True))]
    seen = Observation(**{"name": "m", "loss": Loss(name="dice_loss"), "head": "sigmoid", "probes": probes,
                          "steps": steps(np.linspace(0.3, 0.01, 60))} | change)  # fmt: skip
    seen.steps.aligned = np.full_like(seen.steps.aligned, -1.0)
    assert [f.certain for f in RULES["gradient_sign_flipped"](seen)] == [True] * fires_


@pytest.mark.parametrize(("first", "fires_"), [(-0.9, False), (0.9, True)])
def test_a_rate_that_overshoots_goes_downhill_first(first, fires_):
    seen = net(1, 1, steps=walked(30, aligned=0.2))
    seen.steps.aligned[:1] = first
    assert [f.cause for f in found("gradient_sign_flipped", seen)] == ["gradient_sign_flipped"] * fires_
