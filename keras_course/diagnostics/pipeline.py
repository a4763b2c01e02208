"""What a `tf.data` pipeline does, read from its objects: nothing is drawn from it, so training goes the way it would.

Iterating over a data set that reshuffles would change the order of the epochs that follow. The stages are read from the
attributes of the objects (TensorFlow 2.21), the rows from the arrays at its source, sent through the functions of its
maps where these neither write to a variable nor call Python nor read a file.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

from keras_course.diagnostics.observation import Data, Stage
from keras_course.diagnostics.seen import flat

import numpy as np
import tensorflow as tf

KINDS = {  # class name, without underscore, "Parallel", "Dataset" and version -> kind
    "TensorSlice": "source",
    "Tensor": "source",
    "Range": "source",
    "Random": "source",
    "Variant": "source",
    "TextLine": "source",
    "TFRecord": "source",
    "FixedLengthRecord": "source",
    "PaddedBatch": "batch",
    "GroupByWindow": "batch",
    "DirectedInterleave": "choose",
}
LETTING_THROUGH = {"shuffle", "cache", "prefetch", "options", "repeat", "assertcardinality"}
UNFIT = ("PyFunc", "ReadFile", "Decode", "Assign", "RngReadAndSkip", "Print", "Iterator", "Queue")
NUMBERED = {"Range", "Random", "Variant", "Tensor"}  # sources of what goes with any example: indices, seeds, counts


def stages(dataset: Any) -> list[Stage]:
    """The transformations of `dataset` from the source on; [] for what is not a `tf.data.Dataset`.

    Every `detail` has `n`, how many elements leave the stage, None when unknown or endless. Further ones:
    source: class. shuffle: buffer, reshuffle, seed (None without one), of (elements that enter).
    batch: size. repeat: count, -1 for ever, of. map: random, python. take, skip: count. cache: file. prefetch: size.
    zip, concatenate, choose: legs, the stages of each input; zip: apart, its legs are shuffled differently although one
    may hold the labels of the other, and alike, their elements are of one size, as pictures of two domains are.
    """
    if not isinstance(dataset, tf.data.Dataset):
        return []
    inputs = dataset._inputs()
    stage = Stage(kind=_kind(dataset), detail={"n": _count(dataset)} | _detail(dataset))
    if len(inputs) == 1:
        return [*stages(inputs[0]), stage]
    if inputs:
        stage.detail["legs"] = [stages(leg) for leg in inputs]
    if stage.kind == "zip":
        stage.detail["apart"] = _apart(inputs, stage.detail["legs"])
        stage.detail["alike"] = _alike(inputs)
    return [stage]


def _class(dataset: Any) -> str:
    name = type(dataset).__name__.strip("_").removesuffix("V2").removesuffix("V1").removesuffix("Dataset")
    return name.removeprefix("Parallel") or name


def _kind(dataset: Any) -> str:
    name = _class(dataset)
    if name == "FlatMap" and hasattr(dataset._inputs()[0], "_tensors") and _is_generator(dataset):
        return "generator"
    return KINDS.get(name, name.lower())


def _is_generator(dataset: Any) -> bool:
    """`from_generator` is a flat map over a single dummy."""
    shapes = [t.shape.rank for t in dataset._inputs()[0]._tensors]
    return _class(dataset._inputs()[0]) == "Tensor" and shapes == [0]


def _count(dataset: Any) -> int | None:
    n = int(dataset.cardinality())
    return n if n >= 0 else None


def _number(dataset: Any, name: str) -> int | None:
    value = getattr(dataset, name, None)
    return None if value is None else int(tf.get_static_value(value))


def _detail(dataset: Any) -> dict[str, Any]:
    kind = _kind(dataset)
    if kind == "shuffle":
        seeds = _number(dataset, "_seed"), _number(dataset, "_seed2")
        return {
            "buffer": _number(dataset, "_buffer_size"),
            "reshuffle": dataset._reshuffle_each_iteration is not False,
            "seed": None if seeds == (0, 0) else seeds,
            "of": _count(dataset._inputs()[0]),
        }
    if kind == "batch":
        return {"size": _number(dataset, "_batch_size")}
    if kind in ("take", "skip"):
        return {"count": _number(dataset, "_count")}
    if kind == "repeat":
        return {"count": _number(dataset, "_count"), "of": _count(dataset._inputs()[0])}
    if kind == "cache":
        return {"file": str(tf.get_static_value(dataset._filename) or b"", "utf-8", "replace")}
    if kind == "prefetch":
        return {"size": _number(dataset, "_buffer_size")}
    if kind == "map":
        names = _operations(dataset)
        return {"random": any("Random" in o for o in names), "python": any("PyFunc" in o for o in names)}
    return {"class": _class(dataset)} if kind == "source" else {}


def _operations(dataset: Any) -> set[str]:
    """The types of the operations in the function of a map, those of the functions it calls among them."""
    function = dataset._map_func.function
    graph = function.graph.as_graph_def()
    return {node.op for node in graph.node} | {n.op for f in graph.library.function for n in f.node_def}


def _apart(inputs: Any, legs: list[list[Stage]]) -> bool:
    """Whether one leg is shuffled otherwise than another whose labels, or examples, it holds."""
    sources = [next(iter(flat(leg))).detail.get("class") for leg in legs]
    single = [leg for leg in inputs if not isinstance(leg.element_spec, tuple)]
    labels = all(sum(map(_entries, tf.nest.flatten(leg.element_spec))) == 1 for leg in single)
    beside = len(single) == len(inputs) or (bool(single) and labels)  # or one number beside several inputs
    if len(legs) < 2 or not beside or any(source in NUMBERED for source in sources):
        return False  # pairs zipped with pairs are mixed on purpose; numbers go with any example
    orders = [[_order(s) for s in flat(leg) if s.kind == "shuffle"] for leg in legs]
    return any(order != orders[0] or any(seed is None for *_, seed in order) for order in orders)


def _alike(inputs: Any) -> bool:
    """Whether the elements of the legs are of one size, as far as that is known."""
    specs = [tf.nest.flatten(leg.element_spec) for leg in inputs]
    sizes = [sum(_entries(spec) for spec in leg) for leg in specs]
    return None in [spec.shape.rank for leg in specs for spec in leg] or max(sizes) < 2 * min(sizes)


def _order(shuffle: Stage) -> tuple[Any, ...]:
    return shuffle.detail["of"], shuffle.detail["buffer"], shuffle.detail["reshuffle"], shuffle.detail["seed"]


def _entries(spec: Any) -> int:
    """The size of one element; a dimension that is not known counts as one."""
    return int(np.prod([d or 1 for d in spec.shape.as_list()])) if spec.shape.rank is not None else 1


# Rows of the source


@dataclasses.dataclass
class _Same:
    """What every element holds, as the series that windows are cut from."""

    value: Any


Leaf = np.ndarray | _Same


class _Rows:
    """Elements, stacked: leaves of the structure `spec` are arrays of equal length; `batch` rows are one element.

    stored: the first of them as the source holds it.
    """

    def __init__(
        self,
        leaves: Sequence[Leaf],
        spec: Any,
        n: int | None,
        batch: int | None = None,
        stored: np.ndarray | None = None,
    ) -> None:
        self.leaves, self.spec, self.n, self.batch, self.stored = list(leaves), spec, n, batch, stored

    @property
    def arrays(self) -> list[np.ndarray]:
        return [leaf for leaf in self.leaves if isinstance(leaf, np.ndarray)]

    @property
    def shape(self) -> tuple[int | None, int | None, int]:
        """Elements in all, rows of an element, rows here."""
        return self.n, self.batch, len(self.arrays[0])


Choice = Callable[[int, int], np.ndarray]  # the elements to take of those from the first on and before the second


def source_rows(dataset: Any, limit: int = Data.ROWS, *, times: int = 1, like: np.ndarray | None = None) -> Data | None:
    """Up to `limit` examples, evenly spread over the source of `dataset`, in its order and as its maps leave them.

    times: how often they go through the maps, one whole pass after the other; what a map draws, it draws anew.
    like: (rows, ...) targets that were seen, by which those of a loop over three parts and more are told: (user, thing,
    rating) has them last. Without, or in pairs, the second part holds them.
    None when they cannot be had without drawing from the pipeline: generators, files, windows, maps with a state.
    """
    if not isinstance(dataset, tf.data.Dataset):
        return None
    try:
        with tf.init_scope(), tf.device("CPU:0"):
            rows = _rows(dataset, 0, None, functools.partial(_spread, limit, times))
    except (tf.errors.OpError, ValueError, TypeError, AttributeError, NotImplementedError):
        return None  # a pipeline that fails will say so itself, when the script draws from it
    if rows is None or not rows.leaves or len(rows.arrays) < len(rows.leaves) or not rows.shape[-1]:
        return None
    packed = tf.nest.pack_sequence_as(rows.spec, rows.arrays)
    parts = packed if isinstance(packed, tuple) else (packed,)
    first = [tf.nest.flatten(part)[0] for part in parts]
    further, names = tf.nest.flatten(parts[0])[1:], tuple(sorted(parts[0])) if isinstance(parts[0], dict) else ()
    if len(first) < 3 or like is None:
        y = first[1] if len(first) > 1 else None
        others = tf.nest.flatten(parts[1])[1:] if len(parts) > 1 else ()
        return Data(
            x=first[0], y=y, n=rows.n, further=tuple(further), names=names, others=tuple(others), stored=rows.stored
        )
    place = _most_like(first, like)
    others = [part for i, part in enumerate(first) if i not in (0, place)]
    return Data(x=first[0], y=first[place], n=rows.n, further=(*further, *others), stored=rows.stored)


def _most_like(parts: Sequence[np.ndarray], like: np.ndarray) -> int:
    """The place, behind the first, of what has the form of `like` and is distributed most like it."""
    from scipy.stats import ks_2samp

    fit = [i for i, p in enumerate(parts) if i and p.dtype.kind in "iufb" and p[:1].size == like[:1].size]
    values = [np.ravel(parts[i]).astype("float64") for i in fit]
    if not fit or not all(np.isfinite(v).all() for v in (*values, like)):
        return 1
    return fit[int(np.argmin([ks_2samp(v, np.ravel(like), method="asymp").statistic for v in values]))]


def _spread(limit: int, times: int, start: int, stop: int) -> np.ndarray:
    return np.tile(np.unique(np.linspace(start, stop - 1, min(stop - start, limit)).astype(int)), times)


def _rows(dataset: Any, start: int, stop: int | None, choose: Choice) -> _Rows | None:
    """Rows of the elements `start` to `stop` of `dataset`."""
    kind, inputs = _kind(dataset), dataset._inputs()
    if kind == "source":
        return _source(dataset, start, stop, choose)
    if kind == "repeat" and _class(inputs[0]) == "Tensor":
        return _Rows([_Same(tensor) for tensor in inputs[0]._tensors], dataset.element_spec, None)
    if kind in LETTING_THROUGH:
        unknown = kind == "shuffle" and (start, stop) != (0, None)  # which examples a part of a shuffle has
        return None if unknown else _rows(inputs[0], start, stop, choose)
    if kind in ("take", "skip"):
        count = _number(dataset, "_count") or 0
        if kind == "skip":
            return _rows(inputs[0], start + count, None if stop is None else stop + count, choose)
        end = count if stop is None else min(stop, count)
        return _rows(inputs[0], start, end if count >= 0 else stop, choose)
    if kind == "zip":
        return _zipped([_rows(leg, start, stop, choose) for leg in inputs], dataset.element_spec)
    if _class(dataset) == "Batch":
        return _batched(dataset, start, stop, choose)
    if kind == "map":
        rows = _rows(inputs[0], start, stop, choose)
        return None if rows is None else _mapped(dataset, rows)
    return None


def _source(dataset: Any, start: int, stop: int | None, choose: Choice) -> _Rows | None:
    n = _count(dataset)
    if _class(dataset) not in ("TensorSlice", "Range") or n is None:
        return None
    stop = n if stop is None else min(stop, n)
    if stop <= start:
        return None
    chosen = choose(start, stop)
    if _class(dataset) == "Range":
        first, step = _number(dataset, "_start") or 0, _number(dataset, "_step") or 1
        return _Rows([first + step * chosen.astype("int64")], dataset.element_spec, stop - start)
    leaves = [tf.gather(t, chosen).numpy() for t in dataset._tensors]
    return _Rows(leaves, dataset.element_spec, stop - start, stored=leaves[0])


def _zipped(legs: list[_Rows | None], spec: Any) -> _Rows | None:
    found = [leg for leg in legs if leg is not None]
    varying = [leg for leg in found if leg.arrays]
    if len(found) != len(legs) or len({leg.shape for leg in varying}) != 1:
        return None
    return _Rows([leaf for leg in found for leaf in leg.leaves], spec, varying[0].n, varying[0].batch, found[0].stored)


def _batched(dataset: Any, start: int, stop: int | None, choose: Choice) -> _Rows | None:
    size = _number(dataset, "_batch_size") or 1
    rows = _rows(dataset._inputs()[0], start * size, None if stop is None else stop * size, choose)
    if rows is None or rows.batch is not None or len(rows.arrays) < len(rows.leaves):
        return None  # batches of batches, or of one thing again and again
    return _Rows(rows.leaves, dataset.element_spec, rows.n, size, rows.stored)


def _mapped(dataset: Any, rows: _Rows) -> _Rows | None:
    """The rows as the function of a map leaves them; batches hold the rows that stand for their own neighbours."""
    if any(unfit in operation for operation in _operations(dataset) for unfit in UNFIT):
        return None
    if not rows.arrays:
        return None

    def leg(leaf: Leaf) -> tf.data.Dataset:
        if isinstance(leaf, _Same):
            return tf.data.Dataset.from_tensors(leaf.value).repeat()
        slices = tf.data.Dataset.from_tensor_slices(tf.constant(leaf))
        return slices if rows.batch is None else slices.batch(min(rows.batch, len(leaf)))

    elements = tf.data.Dataset.zip(tuple(map(leg, rows.leaves)))
    function = dataset._map_func
    results = [tf.nest.flatten(e) for e in elements.map(_flat_call(function)).as_numpy_iterator()]
    join: Callable[[list[np.ndarray]], np.ndarray] = np.stack if rows.batch is None else np.concatenate
    leaves = [join([np.asarray(part) for part in column]) for column in zip(*results, strict=True)]
    if len({len(leaf) for leaf in leaves}) != 1:
        return None
    return _Rows(leaves, dataset.element_spec, rows.n, rows.batch, rows.stored)


def _flat_call(wrapper: Any) -> Callable[..., tuple[Any, ...]]:
    """Calls the function that a map has traced already: the script's Python is not run again."""

    def call(*element: Any) -> tuple[Any, ...]:
        result = wrapper.function(*tf.nest.flatten(element))
        return tuple(tf.nest.flatten(result))

    return call
