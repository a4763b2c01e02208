"""What the loss of a traced training step is computed from: which value is the prediction, which the target.

A loss function that was called while the step was traced says it; else the operations do: differences and their
squares, cross-entropies, overlaps.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from keras_course.diagnostics.graph import ADDS, DATA, FORMS, MIXED, RESHAPING, ancestors, constant, frame_of, head_of

import keras
import numpy as np
import tensorflow as tf

CLIPS = {"Minimum", "Maximum", "ClipByValue", "AddV2", "Add", "Identity"}  # between a prediction and its logarithm
ORDERS = {"Greater", "GreaterEqual", "Less", "LessEqual"}
DIFFERENCES = {"SquaredDifference": "mean_squared_error", "Square": "mean_squared_error", "Abs": "mean_absolute_error"}


@dataclasses.dataclass
class Noted:
    """A loss function that was called while the step was traced."""

    name: str
    from_logits: bool | None
    targets: Any
    prediction: Any
    delta: float = 1.0  # of Huber's
    weighed: bool = False  # ones count otherwise than zeros, as they are told to


@dataclasses.dataclass
class Objective:
    """`loss`, a scalar of a graph, and what it is computed from."""

    loss: Any
    targets: Any = None
    prediction: Any = None
    name: str = ""  # of the loss function
    from_logits: bool | None = None
    delta: float = 1.0  # of Huber's
    weighed: bool = False  # a function of TensorFlow is told what ones count, of all outputs or of each
    head: str = ""  # the activation that made the prediction
    inner: str = ""  # the activation of what a cross-entropy on logits is really given
    broadcast: bool = False  # targets and predictions differ in rank and were broadcast against each other
    swapped: bool = False  # a loss of classes is given outputs in the place of labels, and labels in that of outputs
    rescued: bool = False  # the loss is computed from the logits behind the prediction
    several: bool = False  # it is a sum of two numbers or more that each hang on the targets, as of two losses
    capped: bool = False  # it has an upper end, as a logarithm of a likelihood
    climbed: bool = False  # and the steps went up there
    offset: float = 0.0  # a number in the program that is added to what has a lower end of 0, as of a likelihood
    turned: bool = False  # logarithms of a softmax are minimised, whose negatives are what has a lower end


def fill(
    result: Objective, operations: Sequence[Any], kinds: dict[str, int], noted: Sequence[Noted], last: str = ""
) -> None:
    """Fills in what `result.loss` is computed from.

    operations: all that it depends on, in order. kinds: the class of each of their tensors. noted: the loss functions
    seen on the way; the first one that is part of this graph says what prediction and target are. last: the name of the
    tensor that leaves the last unit.
    """
    mine = {t.name for op in operations for t in op.outputs}

    def part_of_it(each: Noted) -> bool:
        if not hasattr(each.prediction, "op") or each.prediction.graph is not result.loss.graph:
            return False
        # Keras takes the logits behind a softmax or sigmoid, so that the prediction itself may be no part of the loss.
        return each.prediction.name in mine or (hasattr(each.targets, "op") and each.targets.name in mine)

    parts = [each for each in noted if part_of_it(each)]
    if parts:  # a function of the script may call one of Keras, which says more
        each = next((each for each in parts if hasattr(keras.losses, each.name)), parts[0])
        result.rescued = each.prediction.name not in mine
        result.name, result.from_logits, result.delta = each.name, each.from_logits, each.delta
        result.weighed = each.weighed
        result.targets, result.prediction = each.targets if hasattr(each.targets, "op") else None, each.prediction
    result.swapped = any(_swapped(each, kinds) for each in noted)
    for op in operations:
        _by_operation(op, result, kinds)
    if result.prediction is None:
        _overlap(operations, result, kinds, last)
    if result.prediction is not None:
        result.head = head_of(result.prediction)
    result.several = result.targets is not None and _several(result.loss, result.targets)
    result.turned, result.capped = _turned(result.loss), _capped(result.loss)
    result.offset = _offset(result.loss)


def _swapped(each: Noted, kinds: dict[str, int]) -> bool:
    """Whether a cross-entropy of this graph takes what hangs on weights for labels, and data, or an array, for what is
    predicted."""
    labels, said = (kinds.get(t.name) if hasattr(t, "op") else None for t in (each.targets, each.prediction))
    arrays = not hasattr(each.prediction, "op") and not isinstance(each.prediction, keras.KerasTensor)
    return "crossentropy" in each.name and labels == MIXED and (said == DATA or arrays)


def cuts_of(prediction: Any) -> list[tuple[float, int]]:
    """The numbers that a prediction, in any form, is compared with, or rounded at, and the lines of the script."""
    waiting, found = [prediction], []
    while waiting:
        tensor = waiting.pop()
        for op in tensor.consumers():
            if op.type in FORMS:
                waiting += op.outputs
            elif op.type in ("Round", "Rint"):
                found.append((0.5, frame_of(op)[1]))
            elif op.type in ORDERS:
                found += [(level, frame_of(op)[1]) for level in map(constant, op.inputs) if level is not None]
    return found


def _by_operation(op: Any, result: Objective, kinds: dict[str, int]) -> None:
    """Recognises cross-entropy on logits and differences of prediction and target."""
    known = result.prediction is not None and hasattr(keras.losses, result.name)  # not by a function of the script
    if op.type.endswith("SoftmaxCrossEntropyWithLogits"):
        result.inner = head_of(op.inputs[0])
        if not known:
            sparse = "sparse_" if op.type.startswith("Sparse") else ""
            result.name, result.from_logits = f"{sparse}categorical_crossentropy", True
            result.prediction = op.inputs[0]
        if result.targets is None:
            result.targets = op.inputs[1]
    sides = _sides(op)
    stopped = [t for t in sides if t.op.type == "StopGradient"]
    if len(stopped) == 1 and kinds[stopped[0].name] == MIXED:  # targets by another network, as of a critic
        (other,) = [t for t in sides if t is not stopped[0]]
        result.broadcast = result.broadcast or _columns_by_rows(other.shape, stopped[0].shape)
    if sides and {kinds[t.name] for t in sides} == {DATA, MIXED}:
        mixed, data = sorted(sides, key=lambda t: kinds[t.name] != MIXED)
        ranks = mixed.shape.rank, data.shape.rank
        apart = None not in ranks and ranks[0] != ranks[1] and 0 not in ranks
        one = 1 in (mixed.shape[-1:].as_list() + data.shape[-1:].as_list()) if apart else False
        result.broadcast = result.broadcast or bool(apart and one)
        if not known:
            names = [_of_difference(o) for o in (op, *op.outputs[0].consumers())]
            if name := next(filter(None, names), ""):
                result.name, result.prediction, result.targets = name, mixed, data
        elif result.targets is None and result.name in DIFFERENCES.values():
            result.targets = data
    if op.type == "Mul" and {kinds[t.name] for t in op.inputs} == {DATA, MIXED}:
        mixed, data = sorted(op.inputs, key=lambda t: kinds[t.name] != MIXED)
        result.broadcast = result.broadcast or _columns_by_rows(mixed.shape, data.shape)
    if not known:
        _cross_entropy_by_hand(op, result, kinds)


# Each goes up with what enters it.
SUMS = {"Mean", "Sum", "MatrixDiagPartV3", "DiagPart", "GatherV2", "GatherNd", "Identity", "Reshape", "Squeeze",
        "StridedSlice", "AddV2", "Add"}  # fmt: skip


def _turned(loss: Any) -> bool:
    """Whether the logarithm of a softmax enters the loss with its own sign, and none with the other one."""
    return {sign for tensor, sign in _terms(loss) if tensor.op.type == "LogSoftmax"} == {1}


def _capped(loss: Any) -> bool:
    """Whether what has a lower end by itself, as squares and cross-entropies, enters with a minus alone: what is left
    has an upper end, as a logarithm of a likelihood, and is climbed."""
    return {sign for tensor, sign in _terms(loss) if _has_a_lower_end(tensor.op)} == {-1}


MOST = 100  # parts of a loss that are looked at


def _offset(loss: Any) -> float:
    """The sum of the numbers that are added to a loss of which all else are squares, sizes and cross-entropies; 0 where
    something else enters, as in 1 less an overlap."""
    waiting, found = [(loss, 1.0)], 0.0
    for _ in range(MOST):
        if not waiting:
            return found
        tensor, factor = waiting.pop()
        kind, inputs = tensor.op.type, list(tensor.op.inputs)
        number = next((c for t in inputs if (c := constant(t)) is not None), None)
        if (value := constant(tensor)) is not None:
            found += factor * value
        elif factor > 0 and (_has_a_lower_end(tensor.op) or kind == "L2Loss"):
            continue
        elif kind in (*ADDS, "AddN"):
            waiting += [(t, factor) for t in inputs]
        elif kind in ("Mean", "Identity"):
            waiting.append((inputs[0], factor))
        elif kind == "Sub":
            waiting += [(inputs[0], factor), (inputs[1], -factor)]
        elif kind in ("Mul", "RealDiv") and number and (kind == "Mul" or constant(inputs[1]) is not None):
            rest = next(t for t in inputs if constant(t) is None)
            waiting.append((rest, factor * number if kind == "Mul" else factor / number))
        else:
            return 0.0
    return 0.0


def _has_a_lower_end(op: Any) -> bool:
    kind = op.type
    return kind in (*DIFFERENCES, "Softplus", "Log1p") or "CrossEntropyWithLogits" in kind or bool(_of_difference(op))


def _several(loss: Any, targets: Any) -> bool:
    """Whether two of the numbers that are added up to a loss hang on what its targets are."""
    sources, known = [targets], set()
    while sources:
        tensor = sources.pop()
        known.add(tensor.name)
        sources += tensor.op.inputs if tensor.op.type in FORMS else []
    parts, hang = [loss], 0
    while parts:
        tensor = parts.pop()
        moving = [t for t in tensor.op.inputs if constant(t) is None]
        scaled = tensor.op.type in ("Mul", "RealDiv") and len(moving) == 1
        if tensor.shape.rank == 0 and moving and (scaled or tensor.op.type in (*ADDS, "Sub", "Neg", "Identity")):
            parts += moving
        else:
            hang += any(t.name in known for op in ancestors(tensor) for t in op.inputs)
    return hang > 1


def _terms(loss: Any) -> Iterator[tuple[Any, int]]:
    """The tensors that enter a loss by sums and factors of a known sign alone, each with its sign.

    Nothing is known of one that is multiplied by data, as by the advantages of a policy.
    """
    waiting, seen = [(loss, 1)], set()
    while waiting:
        tensor, sign = waiting.pop()
        if (tensor.name, sign) in seen:
            continue
        seen.add((tensor.name, sign))
        yield tensor, sign
        kind = tensor.op.type
        first, second = [*list(tensor.op.inputs), None, None][:2]
        if kind == "Neg":
            waiting.append((first, -sign))
        elif kind == "Sub":
            waiting += [(first, sign), (second, -sign)]
        elif kind in SUMS:
            waiting += [(first, sign), (second, sign)][: 1 + (kind in ADDS)]
        elif kind in ("Mul", "RealDiv"):
            if kind == "Mul" and constant(first) is not None:
                first, second = second, first
            waiting += [(first, sign * int(np.sign(f))) for f in [constant(second)] if f]


def _columns_by_rows(one: tf.TensorShape, other: tf.TensorShape) -> bool:
    """Whether a number for each example (n,) meets another for each, (n, 1), as an advantage or a weight may."""
    if {one.rank, other.rank} != {1, 2}:
        return False
    row, column = sorted((one.as_list(), other.as_list()), key=len)
    return column == [*row, 1] and row != [1]


def _of_difference(op: Any) -> str:
    """The loss that an operation makes of differences: their squares, also as a power or a product, or their size."""
    squared = op.type == "Pow" and constant(op.inputs[1]) == 2
    squared = squared or (op.type == "Mul" and op.inputs[0].name == op.inputs[1].name)
    return "mean_squared_error" if squared else DIFFERENCES.get(op.type, "")


def _cross_entropy_by_hand(op: Any, result: Objective, kinds: dict[str, int]) -> None:
    """Targets times the logarithm of a prediction, or times logits whose softplus is taken, in its forms; or what
    counts cost by Poisson's likelihood."""
    if op.type == "Mul" and {kinds[t.name] for t in op.inputs} == {DATA, MIXED}:
        mixed, targets = sorted(op.inputs, key=lambda t: kinds[t.name] != MIXED)
        if targets.shape.rank and (counted := _counted(mixed, op.outputs[0], kinds)) is not None:
            result.name, (result.prediction, result.from_logits) = "poisson", counted
            result.targets = _unscaled(targets)
            return
        if targets.shape.rank and (logits := _logits_in(mixed)) is not None:
            result.name, result.from_logits = "binary_crossentropy", True
            result.prediction, result.targets, result.inner = logits, _unscaled(targets), head_of(logits)
            return
    if op.type in PICKS and (picked := _picked(op, kinds)) is not None:
        result.name, (result.prediction, result.from_logits, result.targets) = "sparse_categorical_crossentropy", picked
        result.inner = head_of(result.prediction) if result.from_logits else ""
        return
    if op.type != "Mul" or {kinds[t.name] for t in op.inputs} != {DATA, MIXED}:
        return
    factor, targets = sorted(op.inputs, key=lambda t: kinds[t.name] != MIXED)
    if not targets.shape.rank or (known := _logarithm_of(factor, kinds)) is None:
        return
    prediction, result.from_logits = known
    one = head_of(prediction) == "sigmoid" or prediction.shape[-1:].as_list() == [1]
    result.name = "binary_crossentropy" if one else "categorical_crossentropy"
    result.prediction, result.targets = prediction, _unscaled(targets)
    result.inner = head_of(prediction) if result.from_logits else ""


def _counted(factor: Any, product: Any, kinds: dict[str, int]) -> tuple[Any, bool] | None:
    """The prediction z or r of exp(z) - y z or r - y log r, and whether it is the logarithm of the rate."""
    beside = {t.name for op in product.consumers() if op.type == "Sub" for t in op.inputs}
    if any(op.type == "Exp" and op.outputs[0].name in beside for op in factor.consumers()):
        return factor, True
    if factor.op.type != "Log" or kinds[factor.name] != MIXED:
        return None
    rate = factor.op.inputs[0]
    while rate.name not in beside and rate.op.type in CLIPS:
        rate = next((t for t in rate.op.inputs if kinds[t.name] == MIXED), rate.op.inputs[0])
    return (rate, False) if rate.name in beside else None


PICKS = ("GatherV2", "GatherNd")  # what each row says of its own class


def _picked(op: Any, kinds: dict[str, int]) -> tuple[Any, bool, Any] | None:
    """Prediction, whether it is logits, and labels, where the logarithm of what is said of its label is taken from each
    row, or what is said, and then its logarithm."""
    said, labels = op.inputs[0], op.inputs[1]
    if kinds[said.name] != MIXED or kinds[labels.name] != DATA or (said.shape.rank, op.outputs[0].shape.rank) != (2, 1):
        return None
    if labels.op.type == "Pack":  # numbers of rows beside their labels
        labels = labels.op.inputs[-1]
    if any(consumer.type == "Log" for consumer in op.outputs[0].consumers()) and head_of(said) == "softmax":
        return said, False, labels
    known = _logarithm_of(said, kinds)
    return None if known is None else (*known, labels)


def _logarithm_of(factor: Any, kinds: dict[str, int]) -> tuple[Any, bool] | None:
    """What the logarithm is taken of, and whether that is logits: of a softmax, in one or in two steps."""
    while factor.op.type in FORMS:
        factor = factor.op.inputs[0]
    if factor.op.type == "LogSoftmax":
        return factor.op.inputs[0], True
    if factor.op.type != "Log" or kinds[factor.name] != MIXED:
        return None
    prediction = factor.op.inputs[0]
    while prediction.op.type in CLIPS:
        prediction = next((t for t in prediction.op.inputs if kinds[t.name] == MIXED), prediction.op.inputs[0])
    return (prediction, False) if head_of(prediction) in ("softmax", "sigmoid", "linear", "relu") else None


def _logits_in(mixed: Any) -> Any:
    """The logits in a factor of the targets: themselves, where their softplus is taken in one of its two forms, or in
    the softplus of their negative, as log(1 + exp(-z)); None where there are none."""
    while mixed.op.type == "Neg":  # as in tf.math.log_sigmoid
        mixed = mixed.op.inputs[0]
    if mixed.op.type == "Softplus":
        turned = mixed.op.inputs[0].op
        logits = turned.inputs[0] if turned.type == "Neg" else None
        return logits if logits is not None and _taken(logits) else None
    besides = {o.type for o in mixed.consumers()}
    by_hand = "Abs" in besides and {"Relu", "Maximum"} & besides
    return mixed if "Softplus" in besides or by_hand else None


def _taken(logits: Any, turns: int = 0) -> bool:
    """Whether the softplus of logits themselves is taken, also where they are turned round twice."""
    return any(
        (op.type == "Softplus" and turns != 1) or (op.type == "Neg" and turns < 2 and _taken(op.outputs[0], turns + 1))
        for op in logits.consumers()
    )


def _unscaled(targets: Any) -> Any:
    """Targets without a number that they are multiplied by, as the weight of a class, and without a minus."""
    while targets.op.type in ("Mul", "Neg"):
        left = [t for t in targets.op.inputs if constant(t) is None]
        if len(left) != 1:
            break
        targets = left[0]
    return targets


def _overlap(operations: Sequence[Any], result: Objective, kinds: dict[str, int], last: str) -> None:
    """The sum of what a sigmoid or softmax behind the last unit says times targets of its form, as of Dice's loss."""
    for op in operations:
        if op.type != "Mul" or {kinds[t.name] for t in op.inputs} != {DATA, MIXED}:
            continue
        prediction, targets = sorted(op.inputs, key=lambda t: kinds[t.name] != MIXED)
        said = prediction
        while said.name != last and said.op.type in RESHAPING:
            said = said.op.inputs[0]
        summed = any(consumer.type == "Sum" for consumer in op.outputs[0].consumers())
        alike = (targets.shape.rank or 0) >= 2 and targets.shape.is_compatible_with(prediction.shape)
        if summed and alike and said.name == last and head_of(prediction) in ("sigmoid", "softmax"):
            result.name, result.prediction, result.targets = "overlap", prediction, targets
            return


def _sides(op: Any) -> list[Any]:
    return list(op.inputs) if op.type in ("SquaredDifference", "Sub") and len(op.inputs) == 2 else []
