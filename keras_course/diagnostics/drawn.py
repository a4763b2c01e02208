"""Rows that `fit` draws from batches with numbers, as a `PyDataset` has them, while it draws them.

Nothing is asked of such a data set beside what Keras asks it: it may draw at random, or remember what it gave.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from keras_course.diagnostics.fits import rows_of
from keras_course.diagnostics.observation import Data

import keras
import numpy as np
import tensorflow as tf


class Drawn:
    """The first pass through a data set: of each batch so many rows that all together are at most `Data.ROWS`."""

    def __init__(self, source: keras.utils.PyDataset) -> None:
        self.source = source
        self.parts: dict[int, Data] = {}

    def note(self, number: int, batch: Any) -> None:
        x, y, *weight = batch if isinstance(batch, tuple | list) and len(batch) > 1 else (batch, None)
        found = rows_of(x, y, *weight[:1])
        if number in self.parts or found is None:
            return
        few = max(Data.ROWS // max(self.source.num_batches or 64, 1), 1)
        rows = np.unique(np.linspace(0, len(found.x) - 1, min(few, len(found.x))).astype(int))
        if sum(len(part.x) for part in self.parts.values()) + len(rows) <= Data.ROWS:
            self.parts[number] = found.take(rows)

    @property
    def data(self) -> Data | None:
        """The rows in the order of the batches; None where these differ in form, or none was drawn."""
        parts = [self.parts[number] for number in sorted(self.parts)]
        forms = {tuple(np.shape(leaf)[1:] for leaf in tf.nest.flatten(_leaves(part))) for part in parts}
        if len(forms) != 1:
            return None
        joined = tf.nest.map_structure(lambda *leaves: np.concatenate(leaves), *map(_leaves, parts))
        x, y, further, weight, others = joined
        y, weight = (leaf if len(leaf) == len(x) else None for leaf in (y, weight))
        return Data(x=x, y=y, further=further, names=parts[0].names, weight=weight, others=others)


def _leaves(part: Data) -> tuple[Any, ...]:
    """x, y, further inputs, weights and further targets; empty where there are none."""
    y, weight = (np.zeros(0) if leaf is None else leaf for leaf in (part.y, part.weight))
    return part.x, y, part.further, weight, part.others


@contextmanager
def watching(facts: dict[str, Any], x: Any, validation: Any) -> Iterator[None]:
    """While `fit` runs; afterwards `facts` have the rows of training and validation that it drew."""
    kept = {
        name: Drawn(source)
        for name, source in (("train", x), ("validation", validation))
        if isinstance(source, keras.utils.PyDataset) and facts.get(name) is None
    }
    with ExitStack() as stack:
        for kind in {type(each.source) for each in kept.values()}:
            stack.enter_context(_overheard(kind, kept))
        try:
            yield
        finally:  # of a script that fails, what was seen until then
            facts |= {name: each.data for name, each in kept.items()}


@contextmanager
def _overheard(kind: Any, kept: dict[str, Drawn]) -> Iterator[None]:
    """What `kind` gives by number is noted, for those that are watched."""
    original, own = kind.__getitem__, vars(kind).get("__getitem__")

    def given(self: Any, number: int) -> Any:
        batch = original(self, number)
        for each in kept.values():
            if each.source is self:
                try:
                    each.note(number, batch)
                except Exception:  # what cannot be read is no mistake of the script's
                    each.parts.clear()
        return batch

    kind.__getitem__ = given
    try:
        yield
    finally:
        if own is None:
            del kind.__getitem__
        else:
            kind.__getitem__ = own
