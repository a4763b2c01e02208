"""What a stack of layers costs before anything is built: shapes, parameters, FLOPs, receptive field, memory, depth.

`read_stack("conv 64 3x3 same, pool 2", (256, 256, 3))` reads text, with the standard library alone;
`keras_models.rows_of(model)` reads a Keras model.
"""

import math
from collections.abc import Sequence
from typing import Any

from keras_course.arithmetic.formulas import (
    convolution_parameters,
    effective_kernel,
    output_size,
    receptive_field,
    recurrent_parameters,
    same_padding,
)
from keras_course.arithmetic.stack import GRAMMAR, Row, read_shape, read_stack, show

__all__ = [
    "BYTES",
    "GRAMMAR",
    "Row",
    "convolution_parameters",
    "effective_kernel",
    "output_size",
    "read_shape",
    "read_stack",
    "receptive_field",
    "recurrent_parameters",
    "same_padding",
    "show",
    "summary",
    "table",
    "totals",
]
BYTES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}


def size(count: float) -> str:
    """Bytes in the unit that suits them."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1024 or unit == "GB":
            return f"{count:.3g} {unit}"
        count /= 1024
    raise AssertionError("the loop returns")


def memory(row: Row, dtype: str, batch: int) -> int:
    """Bytes of the output of a layer."""
    return math.prod(row.shape) * BYTES[dtype] * batch


def table(rows: Sequence[Row], *, dtype: str = "float32", batch: int = 1) -> list[dict[str, Any]]:
    """The rows as a person reads them."""
    return [
        {
            "layer": row.name,
            "output": show(row.shape),
            "parameters": f"{row.parameters:,}" + (f" + {row.fixed:,} fixed" if row.fixed else ""),
            "FLOPs": "–" if row.flops is None else f"{row.flops:,}",
            "receptive field": show(row.field) or "–",
            "memory": size(memory(row, dtype, batch)),
            "serial depth": row.depth,
        }
        for row in rows
    ]


def totals(rows: Sequence[Row], *, dtype: str = "float32", batch: int = 1) -> dict[str, Any]:
    """The sums of the rows, and whether FLOPs are a lower bound."""
    return {
        "parameters": sum(row.parameters for row in rows),
        "fixed": sum(row.fixed for row in rows),
        "flops": sum(row.flops or 0 for row in rows),
        "at_least": any(row.flops is None for row in rows),
        "depth": max(row.depth for row in rows),
        "activation_bytes": sum(memory(row, dtype, batch) for row in rows),
        "parameter_bytes": sum(row.parameters + row.fixed for row in rows) * BYTES[dtype],
    }


def summary(sums: dict[str, Any]) -> str:
    """The sums as sentences."""
    least = "at least " if sums["at_least"] else ""
    fixed = f" and {sums['fixed']:,} fixed" if sums["fixed"] else ""
    return (
        f"{sums['parameters']:,} parameters{fixed} ({size(sums['parameter_bytes'])}); {least}{sums['flops']:,} FLOPs "
        "for an example forwards, where a multiplication and an addition are two; "
        f"{size(sums['activation_bytes'])} of outputs; {sums['depth']:,} operations one after the other."
    )
