from keras_course.diagnostics.observation import Data, Loss, Observation, Unit, Variable
from keras_course.diagnostics.rules import curves
from tests.diagnostics.typed import SPARSE, steps

import numpy as np
import pytest

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3))
Y = (X[:, 0] > 0).astype(int)


def seen(losses=(0.6,) * 60, epochs=(), width=16, **more):
    return Observation(
        name="m",
        loss=Loss(name=SPARSE, from_logits=True),
        train=Data(x=X, y=Y, n=200),
        steps=steps(losses),
        units=[Unit(name="a", kind="dense", variables=("k",)), Unit(name="b", kind="dense")],
        variables=[Variable(name="k", shape=(3, width))],
        epochs=[{"loss": a, "val_loss": b} for a, b in epochs],
        **more,
    )


FALL = np.linspace(0.6, 0.05, 12)


@pytest.mark.parametrize(
    ("validation", "named"),
    [
        (np.concatenate([np.linspace(0.6, 0.4, 4), np.linspace(0.45, 1.2, 8)]), True),
        (np.linspace(0.6, 0.2, 12), False),
        (0.4 + 0.02 * np.cos(np.arange(12)), False),  # it wiggles about its floor
        (np.concatenate([np.linspace(0.6, 0.3, 10), [0.31, 0.32]]), False),
    ],
)
def test_overfitting_is_a_turn_and_a_climb(validation, named):
    assert bool(curves.overfitting(seen(epochs=list(zip(FALL, validation, strict=True))))) == named


def test_too_few_steps_needs_harm_and_a_loss_that_still_falls():
    assert curves.too_few_steps(seen(np.linspace(0.7, 0.5, 90)))
    assert curves.too_few_steps(seen(np.linspace(0.7, 0.001, 90))) == []
    assert curves.too_few_steps(seen(np.full(90, 0.6) + RNG.normal(0, 0.01, 90))) == []
    assert curves.too_few_steps(seen([0.7] * 6, experiments={"late_start": 0.7, "late_same": 0.5}))


def test_capacity_is_named_where_a_layer_is_narrow_or_nothing_can_be_learned_by_heart():
    assert curves.small_capacity(seen()) == []
    assert [round(f.confidence, 2) for f in curves.small_capacity(seen(width=1))] == [0.92]
    assert curves.small_capacity(seen(experiments={"few_start": 0.7, "few_end": 0.6}))
    assert curves.small_capacity(seen([0.01] * 60, width=1)) == [], "narrow and enough"
