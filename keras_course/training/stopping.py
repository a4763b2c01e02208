"""When to stop: a pure function of the curve so far, so that a resumed run decides as an uninterrupted one."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal

from keras_course.base import require


@dataclasses.dataclass(frozen=True)
class EarlyStopping:
    """Stops `patience` epochs behind the last improvement of `metric` and puts the weights of that epoch back.

    metric: a curve of the History, such as "val_loss" or "val_accuracy".
    patience: epochs without improvement that are waited for, at least 1.
    mode: whether less ("min") or more ("max") is better.
    min_delta: a smaller change is no improvement.
    """

    metric: str = "val_loss"
    patience: int = 5
    mode: Literal["min", "max"] = "min"
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        require(self.patience >= 1, "patience", "at least 1", self.patience)
        require(self.mode in ("min", "max"), "mode", "'min' or 'max'", self.mode)
        require(self.min_delta >= 0, "min_delta", "at least 0", self.min_delta)

    def best(self, curve: Sequence[float]) -> int:
        """The epoch, from 0, of the last improvement. NaN improves on nothing."""
        sign = 1 if self.mode == "min" else -1
        costs = [math.inf if math.isnan(value) else sign * value for value in curve]
        best = 0
        for epoch, cost in enumerate(costs):
            if cost < costs[best] - self.min_delta:
                best = epoch
        return best

    def stops(self, curve: Sequence[float]) -> bool:
        return len(curve) - 1 - self.best(curve) >= self.patience
