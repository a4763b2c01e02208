"""What a script gives its models: rows in the steps of a loop, and rows outside of them.

`predict`, `evaluate`, a call of the model and a `tf.function` that calls it are all seen. Labels are what the script
holds beside the rows: the same number of them, in the frame or among the arguments of the call.
"""

import dataclasses
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import CodeType
from typing import Any

from keras_course.diagnostics.expressions import name_of
from keras_course.diagnostics.fits import as_arrays, rows_of
from keras_course.diagnostics.held_out import FEW, is_held_out
from keras_course.diagnostics.names import is_users
from keras_course.diagnostics.observation import Data, Feed
from keras_course.diagnostics.pipeline import source_rows, stages
from keras_course.diagnostics.seen import flat

import keras
import numpy as np
import tensorflow as tf

ENOUGH, MANY = 64, 4096  # calls of a model that are looked at, in steps and outside of them
ROOM = 256_000_000  # bytes of rows that are kept
# Names of what a network says, not of labels; an outcome is a label.
SPOKEN = re.compile(r"pred|prob|logit|guess|score|submission|(^|_|y)hat(_|$)|(^|_)out(put)?s?(_|$)", re.IGNORECASE)


class _Kept:
    """The rows of one place and kind, as they come."""

    def __init__(self, model: keras.Model | None, *, inside: bool, training: bool | None, name: str) -> None:
        self.model, self.inside, self.training, self.name = model, inside, training, name
        self.parts: list[np.ndarray] = []
        self.further: list[list[np.ndarray]] = []
        self.names: tuple[str, ...] = ()
        self.beside: dict[str, list[np.ndarray]] = {}
        self.rows = self.again = self.ticks = 0
        self.reordered = False
        self.last: Any = None

    def add(
        self, x: np.ndarray, beside: Mapping[str, np.ndarray], room: int, further: Sequence[np.ndarray] = ()
    ) -> int:
        """Keeps rows, evenly spread, with what stands beside them. Returns the bytes they take, at most `room`."""
        row = x[:1].nbytes + sum(other[:1].nbytes for other in further)
        few = min(len(x), Data.ROWS - self.rows, room // max(row, 1))
        if few < 1 or (self.parts and x.shape[1:] != self.parts[0].shape[1:]):
            return 0
        chosen = np.unique(np.linspace(0, len(x) - 1, few).astype(int))
        for name, labels in beside.items():
            self.beside.setdefault(name, []).append(labels[chosen])
        self.parts.append(x[chosen].copy())
        self.further.append([other[chosen] for other in further])
        self.rows += len(chosen)
        return row * len(chosen)

    @property
    def feed(self) -> Feed:
        whole = {name: parts for name, parts in self.beside.items() if len(parts) == len(self.parts)}
        labels = {
            name: np.concatenate(parts) for name, parts in whole.items() if len({p.shape[1:] for p in parts}) == 1
        }
        forms = [[other.shape[1:] for other in others] for others in self.further]
        alike = all(form == forms[0] for form in forms)
        return Feed(
            x=np.concatenate(self.parts),
            further=tuple(map(np.concatenate, zip(*self.further, strict=True))) if alike else (),
            names=self.names if alike else (),
            labels=labels,
            name=self.name,
            training=self.training,
            again=self.again,
            reordered=self.reordered,
        )


@dataclasses.dataclass
class _Mark:
    """A function that calls a model. row: the form of one. place: of the rows among its arguments that are tensors."""

    function: Any
    model: keras.Model
    row: tf.TensorShape
    place: int
    inside: bool
    training: bool | None


class Feeds:
    """Every call of a model, by the model, the place and the way it was called."""

    def __init__(self) -> None:
        self.kept: dict[tuple[Any, ...], _Kept] = {}
        self.calls: Counter[tuple[int, bool]] = Counter()  # of each model, in steps and outside of them
        self.trainings = 0  # that there were until now
        self.ticks = 0  # tapes and functions that the script has entered: where none came between, nothing was learned
        self.marks: dict[int, _Mark] = {}  # id of a function -> how it calls a model
        self.room = ROOM
        self.frames: dict[CodeType, Any] = {}  # of the functions in which a model was asked last: they keep their names

    def functions(self, file: str) -> dict[int, dict[str, Any]]:
        """Of each function of a file that asked a model, by the line that it begins on, what its names stand for, or
        stood for when it ended."""
        mine = [frame for code, frame in self.frames.items() if code.co_filename == file]
        return {frame.f_code.co_firstlineno: dict(frame.f_locals) for frame in mine}

    def _asking(self) -> list[Any]:
        """The frames of the script in which a model is asked."""
        frames = _users_frames()
        self.frames |= {frame.f_code: frame for frame in frames if frame.f_code.co_name != "<module>"}
        return frames

    def of(self, model: keras.Model | None, since: int = 0, until: int | None = None) -> tuple[list[Feed], list[Feed]]:
        """What the model was given in steps, and outside of them. since, until: by the number of trainings."""
        mine = [
            kept
            for (_, then, *_), kept in list(self.kept.items())
            if kept.model is model and kept.parts and (kept.inside or since <= then < (until or np.inf))
        ]
        return [k.feed for k in mine if k.inside], [k.feed for k in mine if not k.inside]

    def call(
        self, model: keras.Model, given: Any, training: bool | None, *, inside: bool, functions: Sequence[Any]
    ) -> None:
        """The model is called, by the script or while a function is traced."""
        names = tuple(given) if isinstance(given, dict) else ()
        given, *further = given.values() if names else given if isinstance(given, list | tuple) and given else [given]
        if isinstance(given, np.ndarray) or hasattr(given, "numpy") or hasattr(given, "iloc"):
            self._record(model, given, training, inside=inside, further=further, names=names)
        elif functions and tf.is_tensor(given) and id(functions[-1]) not in self.marks:
            place = next((i for i, t in enumerate(given.graph.inputs) if t is given), None)
            if place is not None:  # else the rows are computed inside
                row = given.shape[1:]  # as many of them as there are: arrays of another length are traced anew
                self.marks[id(functions[-1])] = _Mark(functions[-1], model, row, place, inside, training)

    def function(self, function: Any, args: Any, kwargs: Any) -> None:
        """A function has been called of which there is a mark."""
        mark = self.marks[id(function)]
        if self._often(mark.model, inside=mark.inside):
            return
        tensors = [a for a in tf.nest.flatten((args, kwargs)) if isinstance(a, np.ndarray) or tf.is_tensor(a)]
        if not all(isinstance(a, np.ndarray) or hasattr(a, "numpy") for a in tensors):
            return  # by another function, while that one is traced
        if mark.place < len(tensors) and mark.row.is_compatible_with(tensors[mark.place].shape[1:]):
            rest = {f"argument {i}": a for i, a in enumerate(tensors) if i != mark.place}
            self.ticks -= not mark.inside  # its own call is none between
            self._record(mark.model, tensors[mark.place], mark.training, inside=mark.inside, beside=rest)

    def evaluated(self, model: keras.Model, x: Any, y: Any = None, *, predicts: bool = False) -> None:
        """`predict` or `evaluate` is about to be called."""
        if not isinstance(x, tf.data.Dataset) and y is None:
            self.call(model, x, None, inside=False, functions=())
            return
        kept = self._place(model, None, inside=False, name=name_of(x, self._asking())[0], labelled=True)
        same, kept.last = x is kept.last, x
        data = None if same else rows_of(as_arrays(x), as_arrays(y)) if y is not None else source_rows(x)
        if data is not None:
            kept.names = data.names
            self.room -= kept.add(data.x, {} if data.y is None else {"y": data.y}, self.room, data.further)
        if predicts and kept.beside and _reshuffles(x):
            kept.reordered = True

    def _often(self, model: keras.Model, *, inside: bool) -> bool:
        return self.calls[id(model), inside] > (ENOUGH if inside else MANY)

    def _place(
        self, model: keras.Model, training: bool | None, *, inside: bool, name: str, labelled: bool = False
    ) -> _Kept:
        # a training is one from its first gradient on, behind the first call in its steps
        key = id(model), 0 if inside else self.trainings, inside, training, name, labelled
        if key not in self.kept:
            self.kept[key] = _Kept(model, inside=inside, training=training, name=name)
        return self.kept[key]

    def _record(
        self,
        model: keras.Model,
        given: Any,
        training: bool | None,
        *,
        inside: bool,
        beside: Mapping[str, Any] | None = None,
        further: Sequence[Any] = (),
        names: tuple[str, ...] = (),
    ) -> None:
        self.calls[id(model), inside] += 1
        if self._often(model, inside=inside) or not getattr(given, "shape", ()) or not given.shape[0]:
            return
        frames = _users_frames() if inside else self._asking()
        name, scope, rows = name_of(given, frames) if beside is None or not inside else ("", {}, None)
        kept = self._place(model, training, inside=inside, name="" if inside else name)
        same, kept.last, before, kept.ticks = given is kept.last, given, kept.ticks, self.ticks
        kept.again += same and before == self.ticks
        if kept.rows < Data.ROWS and not same:
            x = np.asarray(given)
            found = {} if inside and beside is not None else dict(_labels_beside(given, scope, rows))
            found |= beside or {}
            few = {n: np.asarray(v) for n, v in found.items() if getattr(v, "shape", ()) and len(v) == len(x)}
            others = [np.asarray(other) for other in further]
            complete = all(other.ndim and len(other) == len(x) for other in others)
            kept.names = names if complete else ()
            self.room -= kept.add(x, few, self.room, others if complete else ())


def stored(names: Mapping[str, Any]) -> list[Feed]:
    """What a script holds out, by its names: rows of numbers, with what may be their labels."""
    found = []
    for name, value in names.items():
        held = is_held_out(name) and not name.startswith("_")
        if not held or not (isinstance(value, np.ndarray) or hasattr(value, "numpy")):
            continue
        x = np.asarray(value)
        if x.ndim < 2 or x.dtype.kind not in "iuf" or len(x) < FEW:
            continue
        kept = _Kept(None, inside=False, training=None, name=name)
        beside = {n: np.asarray(v) for n, v in _labels_beside(value, dict(names))}
        kept.add(x, {n: v for n, v in beside.items() if len(v) == len(x)}, ROOM)
        found.append(kept.feed)
    return found


def _reshuffles(dataset: tf.data.Dataset) -> bool:
    """Whether a shuffle is drawn anew with each pass."""
    return any(s.kind == "shuffle" and s.detail["reshuffle"] and s.detail["buffer"] > 1 for s in flat(stages(dataset)))


def _users_frames() -> list[Any]:
    """The frames of the script, from the innermost one out."""
    frame: Any = sys._getframe(1)
    frames = []
    while frame is not None:
        if is_users(frame.f_code.co_filename):
            frames.append(frame)
        frame = frame.f_back
    return frames


def _labels_beside(x: Any, scope: dict[str, Any], rows: np.ndarray | None = None) -> Iterator[tuple[str, Any]]:
    """What may be the labels of `x`, by name: as many of them, or of the array that `x` is cut from.

    rows: the numbers of the rows of longer arrays that `x` is made of, or whether each is one.
    """
    whole, start = _whole(x)
    chosen = rows is not None and (rows.sum() if rows.dtype.kind == "b" else len(rows)) == len(x)
    for name, value in list(scope.items()):
        tensor = tf.is_tensor(value) and not isinstance(value, tf.Variable) and hasattr(value, "numpy")
        fits = isinstance(value, np.ndarray) or tensor
        fits = fits or hasattr(value, "iloc")  # a table of pandas, or a column of one
        if (
            not fits
            or value is x
            or value is whole
            or value is rows
            or name.startswith("_")
            or len(value.shape) not in (1, 2, 3)
        ):
            continue
        if value.shape[0] in (len(x), len(whole)) and not SPOKEN.search(name):
            # no operation of TensorFlow is called: an eager step that is being recorded would have it among its own
            yield name, value if value.shape[0] == len(x) else np.asarray(value)[start : start + len(x)]
        elif chosen and rows is not None and not SPOKEN.search(name) and _reaches(value, rows):
            yield name, np.asarray(value)[rows]


def _reaches(value: Any, rows: np.ndarray) -> bool:
    """Whether an array has all these rows."""
    return len(value) == len(rows) if rows.dtype.kind == "b" else len(value) > int(rows.max(initial=0))


def _whole(x: Any) -> tuple[Any, int]:
    """The array that `x` is a slice of, and from which row on; `x` itself and 0 without."""
    base = x.base if isinstance(x, np.ndarray) else None
    if base is None or not isinstance(base, np.ndarray) or base.shape[1:] != x.shape[1:] or base.strides != x.strides:
        return x, 0
    away = x.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    return base, away // x.strides[0]
