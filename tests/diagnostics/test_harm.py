from keras_course.diagnostics import harm
from keras_course.diagnostics.observation import Data, Loss, Observation
from tests.diagnostics.typed import BINARY, CROSS, SPARSE, SQUARED, steps

import numpy as np
import pytest

RNG = np.random.default_rng(0)


def seen(losses, *, loss=SPARSE, y=None, x=None, logits=True):
    train = None if y is None else Data(x=RNG.normal(size=(len(y), 3)) if x is None else x, y=np.asarray(y), n=len(y))
    return Observation(name="m", loss=Loss(name=loss, from_logits=logits), train=train, steps=steps(losses))


def test_the_best_constant_by_its_closed_form():
    counts = [1, 2, 5]
    p = np.array(counts) / 8
    labels = np.repeat([0, 1, 2], counts)
    entropy = -np.sum(p * np.log(p))
    assert harm.baseline_of(seen([1.0], y=labels)) == pytest.approx(entropy)
    assert harm.baseline_of(seen([1.0], y=np.eye(3)[labels], loss=CROSS)) == pytest.approx(entropy)
    ones = np.array([1, 1, 1, 0, 0])
    two = -0.6 * np.log(0.6) - 0.4 * np.log(0.4)
    assert harm.baseline_of(seen([1.0], y=ones, loss=BINARY)) == pytest.approx(two)
    reals = np.array([1.0, 2.0, 6.0])
    assert harm.baseline_of(seen([1.0], y=reals, loss=SQUARED)) == pytest.approx(np.var(reals))
    assert harm.baseline_of(seen([1.0], y=reals, loss="mean_absolute_error")) == pytest.approx(5 / 3)
    assert harm.baseline_of(seen([1.0], y=reals, loss="")) is None


def test_degree_is_0_at_the_reference_and_1_at_the_constant():
    x = RNG.normal(size=(300, 3))
    y = (x[:, 0] > 0).astype(int)
    good, bad = (harm.harm_of(seen(np.full(50, loss), y=y, x=x)) for loss in (0.01, np.log(2)))
    assert good.degree < 0.05
    assert bad.degree == pytest.approx(1, abs=0.05)
    assert not good
    assert bad


def test_soft_targets_keep_their_own_entropy():
    y = np.tile([0.2, 0.9], (50, 2)).astype("float32")
    own = np.mean([-p * np.log(p) - (1 - p) * np.log(1 - p) for p in (0.2, 0.9)])
    assert harm.least_of(seen([1.0], y=y, loss=BINARY)) == pytest.approx(own, rel=1e-4)
    assert harm.harm_of(seen(np.full(50, own), y=y, loss=BINARY)).degree == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_that_is_no_number_names_its_step(bad):
    found = harm.harm_of(seen([1.0, 0.5, bad, bad]))
    assert found.diverged
    assert "step 2" in found.sentence


def test_a_loss_below_what_its_name_allows():
    assert harm.harm_of(seen(np.linspace(1, -5, 50), loss=SQUARED, y=RNG.normal(size=60))).degree == 2
    assert harm.harm_of(seen(np.linspace(1, -5, 50), loss="")).degree == 0, "a loss of one's own may be negative"


def test_without_targets_only_progress_counts():
    assert harm.harm_of(seen(np.linspace(2, 1, 50), loss="")).degree == 0
    assert harm.harm_of(seen(np.full(50, 2.0), loss="")).degree == 1


def test_still_falling_is_a_matter_of_the_noise():
    noise = RNG.normal(0, 0.3, 300)
    assert harm.harm_of(seen(np.linspace(2, 1, 300) + noise, loss="")).still_falling
    assert not harm.harm_of(seen(2 + noise, loss="")).still_falling


def test_what_can_only_be_learned_by_heart_is_harm():
    x, y = RNG.normal(size=(400, 3)), RNG.integers(0, 2, 400)
    learned = seen(np.linspace(0.7, 0.1, 100), y=y, x=x)
    learned.epochs = [{"loss": 0.1, "val_loss": 1.9}]
    assert harm.harm_of(learned).degree >= 0.5


def test_the_share_of_a_penalty():
    from keras_course.diagnostics.observation import Probe

    logits = np.array([[2.0, 0.0], [0.0, 1.0], [0.5, 0.0]], "float32")
    y = np.array([0, 1, 1])
    own = np.mean([np.log(1 + np.exp(-2)), np.log(1 + np.exp(-1)), np.log(1 + np.exp(0.5))])
    given = seen([own + 3.0], y=y)
    given.probes = [Probe(step=0, y=y, output=logits)]
    assert harm.penalty_shares(given) == pytest.approx([3 / (own + 3)], rel=1e-5)
    huge = seen([500.0], y=y)
    huge.probes = [Probe(step=0, y=y, output=np.array([[0, 500.0], [500.0, 0], [500.0, 0]], "float32"))]
    assert harm.penalty_shares(huge) == pytest.approx([0], abs=1e-6), "large logits are no penalty"


def test_a_forest_bends_and_a_line_does_not():
    x = RNG.uniform(-1, 1, (400, 2))
    circle = (x[:, 0] ** 2 + x[:, 1] ** 2 > 0.5).astype(int)
    bent, straight = (harm.loss_of_models(seen([1.0], y=circle, x=x), bent=b) for b in (True, False))
    assert bent < 0.7 * straight
