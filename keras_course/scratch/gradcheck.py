"""Gradients by hand against gradients by differences.

A difference says nothing at a kink, where a ReLU switches or a max-pool changes its winner: there is no derivative to
compare with. Such places show in the function's values alone, whatever the gradient claims, so they are found from
differences, counted, and others are sampled in their stead.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from keras_course.base import require
from keras_course.scratch.layer import Layer

import numpy as np

FINE = 0.1  # the second, smaller step of a difference, as a share of the first
BEND = 1e-4  # relative: how much the slopes of a smooth function may differ between the two sides of a fine step
CHANGE = 1e-6  # relative: how much its central difference may change with the step


def gradcheck(
    layer: Layer, x: np.ndarray, *, training: bool = False, step: float = 1e-5, samples: int = 20, seed: int = 0
) -> list[dict[str, Any]]:
    """Checks dL/dx and dL/dparameter of a layer or network, for L a random sum of its outputs, plus its penalty.

    Each evaluation works on a copy, so that masks of dropout and running averages are the same in all of them.

    Args:
        layer: with float64 parameters.
        x: (n, ...) float64.
        training: the mode.
        step, samples, seed: see `compare_gradients`.

    Returns:
        a row for x and for each parameter; see `compare_gradients`, and `gradient_table` to print them.
    """
    rng = np.random.default_rng(seed)
    work = copy.deepcopy(layer)
    weights = rng.normal(size=work.forward(x, training).shape)
    gradients = {"x": work.backward(weights)} | work.gradients
    arrays = {"x": x.copy()} | layer.parameters

    def value() -> float:
        fresh = copy.deepcopy(layer)
        return float(np.sum(weights * fresh.forward(arrays["x"], training))) + fresh.penalty()

    return compare_gradients(value, arrays, gradients, step=step, samples=samples, seed=seed)


def compare_gradients(
    value: Callable[[], float],
    arrays: Mapping[str, np.ndarray],
    gradients: Mapping[str, np.ndarray],
    *,
    step: float = 1e-5,
    samples: int = 20,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Compares gradients with central differences of `value`, a function of `arrays`, in float64.

    Args:
        value: takes no argument and reads `arrays`, whose entries are moved by ± step and put back.
        arrays, gradients: by name, of equal shapes.
        samples: how many entries of each array are compared, all when it has no more.

    Returns:
        a row for each array: name, shape, entries checked, entries skipped at kinks, and `error`, the largest
        |difference - gradient| relative to the largest gradient compared; NaN when every place was a kink.

    Raises:
        InputError: arrays and gradients that do not match; an array that is not float64.
    """
    require(arrays.keys() == gradients.keys(), "gradients", f"of {sorted(arrays)}", sorted(gradients))
    rng = np.random.default_rng(seed)
    rows = []
    for name, array in arrays.items():
        require(array.dtype == np.float64, name, "float64, or rounding hides the gradient", array.dtype.name)
        require(
            gradients[name].shape == array.shape,
            f"gradient of {name}",
            f"of shape {array.shape}",
            gradients[name].shape,
        )
        places = rng.permutation(array.size)
        rows.append(
            {"name": name, "shape": array.shape} | _compare(value, array, gradients[name], places, step, samples)
        )
    return rows


def _compare(
    value: Callable[[], float],
    array: np.ndarray,
    gradient: np.ndarray,
    places: np.ndarray,
    step: float,
    samples: int,
) -> dict[str, Any]:
    """The rest of a row: differences at the first `samples` of the `places` where the function is smooth."""
    found: list[tuple[float, float]] = []
    skipped = 0
    for place in places:
        if len(found) == samples:
            break
        difference = central_difference(value, array, np.unravel_index(place, array.shape), step)
        if difference is None:
            skipped += 1
        else:
            found.append((difference, gradient.flat[place]))
    differences, claimed = np.array(found or [(np.nan, np.nan)]).T
    scale = max(np.abs(differences).max(), np.abs(claimed).max(), 1e-8)
    return {"checked": len(found), "skipped": skipped, "error": float(np.abs(differences - claimed).max() / scale)}


def central_difference(
    value: Callable[[], float], array: np.ndarray, at: Sequence[Any], step: float = 1e-5
) -> float | None:
    """(f(a + h) - f(a - h)) / 2h for the entry `at` of `array`, or None where f has a kink within the step."""
    middle, here = value(), array[tuple(at)]

    def moved(by: float) -> float:
        array[tuple(at)] = here + by
        try:
            return value() - middle
        finally:
            array[tuple(at)] = here

    up, down = moved(step) / step, -moved(-step) / step
    fine_up, fine_down = moved(FINE * step) / (FINE * step), -moved(-FINE * step) / (FINE * step)
    coarse, fine = (up + down) / 2, (fine_up + fine_down) / 2
    size = max(abs(up), abs(down))
    noise = 64 * np.finfo(float).eps * (abs(middle) + 1) / (FINE * step)
    # A kink off the middle of the step changes the central difference with the step. One in the middle does not, but
    # its two slopes stay as far apart at any step, where those of a smooth function draw together with it.
    off_middle = abs(coarse - fine) > CHANGE * size + noise
    bend = abs(fine_up - fine_down)
    in_middle = bend > BEND * size + noise and bend > 0.5 * abs(up - down)
    return None if off_middle or in_middle else coarse


def gradient_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows of a check as text, one line a parameter."""
    lines = [f"{'parameter':16} {'shape':18} {'checked':>7} {'kinks':>6} {'relative error':>15}"]
    for row in rows:
        error = f"{row['error']:.1e}" if row["checked"] else "only kinks"
        lines.append(f"{row['name']:16} {row['shape']!s:18} {row['checked']:7} {row['skipped']:6} {error:>15}")
    return "\n".join(lines)
