"""`same`: does what came back equal what was due? If not, a sentence that a beginner understands."""

from typing import Any

import numpy as np

SHOWN = 3  # values that a message shows


def same(received: Any, expected: Any, *, rtol: float = 1e-5, atol: float = 1e-6, what: str = "") -> None:
    """Raises AssertionError unless `received` is `expected`: type, then dtype, then shape, then values.

    Floats may differ by `atol + rtol * |expected|`; all else is exact. An `expected` array fixes the dtype, a Python
    number does not. Lists, tuples and dictionaries are compared item by item. `what` names the value in the message.
    """
    fault = difference(received, expected, rtol, atol)
    if fault:
        raise AssertionError(f"{what}: {fault}" if what else fault)


def difference(received: Any, expected: Any, rtol: float, atol: float) -> str:
    """What tells `received` from `expected`, or nothing."""
    if isinstance(received, np.generic):  # what indexing and sums make of arrays
        received = np.asarray(received)
    if isinstance(expected, dict):
        return of_dicts(received, expected, rtol, atol)
    if isinstance(expected, list | tuple):
        return of_lists(received, expected, rtol, atol)
    if isinstance(expected, np.ndarray | np.generic):
        return of_arrays(received, np.asarray(expected), rtol, atol)
    if isinstance(expected, bool | int | float):
        return of_numbers(received, expected, rtol, atol)
    if type(received) is not type(expected):
        return f"{kind(received)}, expected {kind(expected)}"
    return "" if received == expected else f"{received!r}, expected {expected!r}"


def kind(value: Any) -> str:
    """The type of `value` in words."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, list | tuple | dict):
        return f"a {type(value).__name__} of {len(value)}"
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "text", type(None): "None"}
    return words.get(type(value), type(value).__name__)


def of_dicts(received: Any, expected: dict[Any, Any], rtol: float, atol: float) -> str:
    if not isinstance(received, dict):
        return f"{kind(received)}, expected {kind(expected)}"
    missing, more = expected.keys() - received.keys(), received.keys() - expected.keys()
    if missing or more:
        return f"keys {sorted(received, key=str)}, expected {sorted(expected, key=str)}"
    faults = ((key, difference(received[key], expected[key], rtol, atol)) for key in expected)
    return next((f"at key {key!r}: {fault}" for key, fault in faults if fault), "")


def of_lists(received: Any, expected: list[Any] | tuple[Any, ...], rtol: float, atol: float) -> str:
    if type(received) is not type(expected) or len(received) != len(expected):
        return f"{kind(received)}, expected {kind(expected)}"
    faults = (difference(r, e, rtol, atol) for r, e in zip(received, expected, strict=True))
    return next((f"item {i}: {fault}" for i, fault in enumerate(faults) if fault), "")


def of_numbers(received: Any, expected: float, rtol: float, atol: float) -> str:
    if isinstance(received, np.ndarray):
        if received.shape:
            return f"shape {received.shape}, expected a single number{hint(received.shape, ())}"
        received = received.item()
    if type(expected) is float and type(received) in (int, float):
        equal = np.isclose(received, expected, rtol, atol, equal_nan=True)
    elif type(received) is type(expected):
        equal = received == expected
    else:
        return f"{kind(received)}, expected {kind(expected)}: {received!r} for {expected!r}"
    return "" if equal else f"{received!r}, expected {expected!r}"


def of_arrays(received: Any, expected: np.ndarray, rtol: float, atol: float) -> str:
    if expected.shape == () and isinstance(received, bool | int | float):
        received = np.asarray(received)
    if not isinstance(received, np.ndarray):
        return f"{kind(received)}, expected {kind(expected)}"
    if received.dtype != expected.dtype:
        return f"dtype {received.dtype}, expected {expected.dtype}: did you forget a cast?"
    if received.shape != expected.shape:
        return f"shape {received.shape}, expected {expected.shape}{hint(received.shape, expected.shape)}"
    return of_values(received, expected, rtol, atol)


def hint(received: tuple[int, ...], expected: tuple[int, ...]) -> str:
    """What probably made one shape of the other."""
    left = [size for size in received if size != 1], [size for size in expected if size != 1]
    if left[0] == left[1]:
        return ": did you forget a squeeze?" if len(received) > len(expected) else ": did you lose an axis of size 1?"
    if sorted(received) == sorted(expected):
        return ": are two axes exchanged?"
    dropped = [axis for axis in range(len(received)) if received[:axis] + received[axis + 1 :] == expected]
    return f": is a sum or a mean over axis {dropped[-1]} missing?" if dropped else ""


def of_values(received: np.ndarray, expected: np.ndarray, rtol: float, atol: float) -> str:
    exact = expected.dtype.kind in "biu"
    wrong = received != expected if exact else ~np.isclose(received, expected, rtol, atol, equal_nan=True)
    if not wrong.any():
        return ""
    if not wrong.shape:
        return f"{received}, expected {expected}"
    nan = np.isnan(received) & wrong
    if nan.any():
        return f"{nan.sum()} of {nan.size} values are NaN, the first at {index(nan)}"
    with np.errstate(invalid="ignore"):  # inf - inf, where both are infinite and equal
        gap = np.abs(np.subtract(received, expected, dtype=np.result_type(received, np.float64)))
    gap = np.where(wrong, gap, 0)
    return (
        f"{wrong.sum()} of {wrong.size} values differ, the most by {gap.max():.3g} at {index(gap == gap.max())}; "
        f"received {shown(received, wrong)}, expected {shown(expected, wrong)}"
    )


def index(where: np.ndarray) -> list[int]:
    """The first position at which `where` is true."""
    return np.argwhere(where)[0].tolist()


def shown(values: np.ndarray, wrong: np.ndarray) -> str:
    """The first few of the wrong values."""
    few = ", ".join(f"{value:.6g}" for value in values[wrong][:SHOWN].tolist())
    return few + (", ..." if wrong.sum() > SHOWN else "")
