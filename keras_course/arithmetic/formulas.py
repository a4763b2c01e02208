"""The formulas: sizes, parameters and operations of layers, in whole numbers. Standard library only."""

import math
from collections.abc import Sequence

from keras_course.base import InputError, blank, require


@blank(
    "foundations/layer_arithmetic",
    hints=(
        "A dilated filter of f entries has f - 1 gaps; each gap is d wide.",
        "d (f - 1) + 1, which is f where d is 1.",
    ),
)
def effective_kernel(kernel: int, dilation: int = 1) -> int:
    """How many places a filter spans whose `kernel` entries stand `dilation` apart."""
    return dilation * (kernel - 1) + 1


@blank(
    "foundations/layer_arithmetic",
    hints=(
        "How often does a window fit? The first stands at 0; the last begins where it still ends inside.",
        '"valid": ⌊(size - span) / stride⌋ + 1 with the effective kernel as span; "same": ⌈size / stride⌉.',
        "A window larger than the axis fits nowhere: an error, never a negative size. Call `refuse_kernel`.",
    ),
)
def output_size(
    size: int, kernel: int, stride: int = 1, dilation: int = 1, padding: str = "valid", axis: str = ""
) -> int:
    """The size of an axis behind a convolution or a pooling.

    size, kernel, stride, dilation: at least 1. padding: "valid" or "same". axis: its name, for the error.
    InputError (`refuse_kernel`) where the effective kernel is larger than the axis and nothing is padded.
    """
    span = effective_kernel(kernel, dilation)
    if padding == "same":
        return -(-size // stride)  # ⌈size / stride⌉
    refuse_kernel(span, size, axis)
    return (size - span) // stride + 1


@blank(
    "foundations/layer_arithmetic",
    hints=(
        "A filter sees all channels at each of its entries, and has one bias.",
        "With groups a filter sees only the channels of its group.",
    ),
)
def convolution_parameters(
    channels: int, filters: int, kernel: Sequence[int], groups: int = 1, bias: bool = True
) -> int:
    """The parameters of a convolution. kernel: entries along each axis, (3, 3) for a 3×3 filter."""
    return math.prod(kernel) * (channels // groups) * filters + (filters if bias else 0)


@blank(
    "foundations/layer_arithmetic",
    hints=(
        "Each gate has its own weights for x, its own for h, and its own biases: 1, 3 or 4 of them.",
        "Keras's GRU multiplies the reset gate behind the product, so that x and h need a bias each; its RNN and LSTM "
        "add both products before anything else, so that one bias is enough.",
    ),
)
def recurrent_parameters(kind: str, inputs: int, units: int, biases: int | None = None) -> int:
    """The parameters of a recurrent layer.

    kind: "rnn", "gru" or "lstm". biases: vectors for each gate, 2 as in PyTorch; None: as in Keras.
    """
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[kind]
    if biases is None:
        biases = 2 if kind == "gru" else 1
    return gates * units * (inputs + units + biases)


@blank(
    "foundations/layer_arithmetic",
    hints=(
        "One place further behind a layer is `jump` places further in the image: the product of all strides before it.",
        "A filter that spans k places of its input sees k - 1 jumps more than one place does.",
    ),
)
def receptive_field(layers: Sequence[tuple[int, int, int]]) -> tuple[int, int]:
    """How many places of the image one place behind all layers sees, and the jump: how far apart two of them look.

    layers: (kernel, stride, dilation) of each, the first one first.
    """
    field, jump = 1, 1
    for kernel, stride, dilation in layers:
        field += (effective_kernel(kernel, dilation) - 1) * jump
        jump *= stride
    return field, jump


def refuse_kernel(span: int, size: int, axis: str) -> None:
    """InputError for a window that does not fit."""
    if span > size:
        where = f" on axis {axis}" if axis else ""
        raise InputError(f'effective kernel {span} > {size}{where}: a smaller kernel or dilation, or "same", would do.')


def same_padding(kernel: int, dilation: int = 1) -> int:
    """Zeros on each side that keep the size at stride 1: d (f - 1) / 2. InputError where that is no middle."""
    require(kernel % 2 == 1 or dilation == 1, "kernel", 'odd where "same" meets a dilation above 1', kernel)
    return dilation * (kernel - 1) // 2
