"""Observations typed by hand, for tests of what is made of them."""

from keras_course.diagnostics.observation import (
    Finding,
    Observation,
    Optimizer,
    Probe,
    Steps,
    Unit,
    Variable,
)

import numpy as np

FINDING = Finding(
    cause="dead_units",
    confidence=0.9,
    evidence="97 % of the units of dense are 0 on the whole batch, against 50 %.",
    layer="dense",
    step=3,
    tag="dead_share/dense",
    file="/home/someone/train.py",
    line=12,
)


def steps(count: int) -> Steps:
    """`count` steps of three variables; the update of the last is not known, as there was no next step."""
    index = np.arange(count)
    gradient = np.stack([3.0 + index, 4.0 + 0 * index, np.full(count, np.nan)], 1)  # the third has no gradient
    weight = np.stack([6.0 + 0 * index, 8.0 + 0 * index, 2.0 + index], 1)
    update = np.stack([0.3 + 0 * index, 0.4 + 0 * index, 0.1 + 0 * index], 1)
    update[-1] = np.nan
    loss = 2.0 / (1 + index)
    return Steps(
        all_losses=loss, count=count, index=index, loss=loss, gradient=gradient, weight=weight, update=update,
        aligned=-np.ones((count, 3)),
    )  # fmt: skip


def observation(count: int = 5, *, name: str = "train", layer: str = "dense") -> Observation:
    """Two units, "`layer`" with two variables and "out" with one, after `count` steps; a probe at every second step."""
    rng = np.random.default_rng(3)
    images = rng.uniform(size=(count, 2, 8, 9, 1))
    return Observation(
        name=name,
        interface="fit",
        file="train.py",
        line=12,
        variables=[
            Variable(name=f"{layer}/kernel", shape=(5, 2), layer=layer, initial=np.arange(10.0).reshape(5, 2)),
            Variable(name=f"{layer}/bias", shape=(2,), layer=layer),
            Variable(name="out/kernel", shape=(2, 3), layer="out"),
        ],
        units=[
            Unit(name=layer, kind="dense", activation="relu", variables=(f"{layer}/kernel", f"{layer}/bias")),
            Unit(name="out", kind="dense", activation="softmax", variables=("out/kernel",), file="train.py", line=9),
        ],
        optimizer=Optimizer(name="SGD", rate=0.1),
        steps=steps(count),
        probes=[
            Probe(
                step=step,
                x=images[step],
                y=np.array([0, 1]),
                output=np.array([[0.2, 0.3, 0.5], [0.1, 0.1, 0.9]]),
                mean=np.array([0.25 + step, -1.5]),
                spread=np.array([0.5, 2.5 + step]),
                dead=np.array([0.75, np.nan]),
                saturated=np.array([np.nan, np.nan]),
                gradient=np.array([1e-6, 1e-2]),
            )
            for step in range(0, count, 2)
        ],
        epochs=[{"loss": 1.5, "val_loss": 1.75}],
    )
