"""All that a run must not forget: variables, position, and what it has measured so far."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from keras_course.base import InputError
from keras_course.training.checkpoints import Arrays, Facts
from keras_course.training.history import History
from keras_course.training.runners import Values, joined

import keras
import numpy as np
from keras.src.random.seed_generator import global_seed_generator  # `keras.random` without a seed draws from it


def numbered(name: str, arrays: Sequence[Any]) -> Arrays:
    return {f"{name}/{i}": keras.ops.convert_to_numpy(array) for i, array in enumerate(arrays)}


def group(name: str, arrays: Arrays) -> Arrays:
    """The arrays of `name/...`, in their order, under the rest of their names."""
    return {key.removeprefix(f"{name}/"): array for key, array in arrays.items() if key.startswith(f"{name}/")}


@dataclasses.dataclass
class State:
    """The state of a run between two calls of the graph.

    epoch, step: what comes next, both from 0; `step` counts within the epoch.
    values: of the steps of the running epoch.
    best: the weights of the best epoch so far, with early stopping.
    """

    model: keras.Model
    optimizer: keras.optimizers.Optimizer
    history: History = dataclasses.field(default_factory=History)
    epoch: int = 0
    step: int = 0
    values: Values = dataclasses.field(default_factory=dict)
    best: list[np.ndarray] = dataclasses.field(default_factory=list)
    done: bool = False

    def __post_init__(self) -> None:
        # With the seed generators of the layers, which `model.weights` leaves out.
        self.variables = [*self.model.variables, *self.optimizer.variables, global_seed_generator().state]

    def add(self, values: Values) -> None:
        """Takes in the values of the steps that were run."""
        self.values = joined([self.values, values]) if self.values else values
        self.step += len(values["loss"])
        self.history.steps += len(values["loss"])

    def close_epoch(self) -> None:
        self.epoch, self.step, self.values = self.epoch + 1, 0, {}

    def pack(self) -> tuple[Arrays, Facts]:
        """Everything as arrays and facts."""
        values = {f"values/{name}": column for name, column in self.values.items()}
        arrays = numbered("variable", self.variables) | numbered("best", self.best) | values
        position = {"epoch": self.epoch, "step": self.step, "done": self.done}
        return arrays, {"position": position, "history": {"curves": dict(self.history), **vars(self.history)}}

    def unpack(self, arrays: Arrays, facts: Facts) -> None:
        """Goes back to a packed state.

        Raises:
            InputError: it is that of another model or optimizer.
        """
        saved = list(group("variable", arrays).values())
        old, new = [array.shape for array in saved], [tuple(variable.shape) for variable in self.variables]
        if old != new:
            raise InputError(
                f"The checkpoint of `{self.model.name}` is of another model or optimizer: it has {len(old)} variables "
                f"with {sum(map(np.prod, old)):,} numbers, here are {len(new)} with {sum(map(np.prod, new)):,}."
            )
        for variable, array in zip(self.variables, saved, strict=True):
            variable.assign(array)
        self.values, self.best = group("values", arrays), list(group("best", arrays).values())
        self.history = History(**facts["history"])
        self.epoch, self.step, self.done = (facts["position"][key] for key in ("epoch", "step", "done"))
