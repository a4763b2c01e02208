"""A stack of layers written as text: what comes out of each, what it costs, what it sees. Standard library only."""

import dataclasses
import math
import re
from collections.abc import Callable, Sequence

from keras_course.arithmetic.formulas import (
    convolution_parameters,
    effective_kernel,
    output_size,
    recurrent_parameters,
    same_padding,
)
from keras_course.base import InputError, closest, require

AXES = {1: ("time",), 2: ("height", "width"), 3: ("depth", "height", "width")}


@dataclasses.dataclass(frozen=True)
class Row:
    """One layer of a stack.

    shape: of its output for one example. parameters: that are trained. fixed: that are not, as running averages.
    flops: of one example forwards, a multiplication and an addition each counted; None where they are not known.
    field: places of the input that one place of the output sees along each axis; empty where all or none are meant.
    jump: places of the input from one place of the output to the next, along each axis.
    depth: operations that must follow one another from the input on; a recurrent layer has one for each time step.
    """

    name: str
    shape: tuple[int, ...]
    parameters: int = 0
    fixed: int = 0
    flops: int | None = 0
    field: tuple[int, ...] = ()
    jump: tuple[int, ...] = ()
    depth: int = 0


@dataclasses.dataclass
class Words:
    """The words of one layer, taken away as they are understood."""

    text: str
    left: list[str]

    def flag(self, *names: str) -> bool:
        """Whether one of these words is there."""
        found = [name for name in names if name in self.left]
        for name in found:
            self.left.remove(name)
        return bool(found)

    def after(self, name: str, default: int) -> int:
        """The whole number behind the word `name`."""
        if name not in self.left:
            return default
        place = self.left.index(name)
        word = self.left[place + 1] if place + 1 < len(self.left) else "nothing"
        if not word.isdigit() or int(word) < 1:
            raise InputError(
                f"`{name}` of `{self.text}` must be followed by a whole number of at least 1. Received: {word}."
            )
        del self.left[place : place + 2]
        return int(word)

    def number(self, what: str, default: int | None = None) -> int:
        """The first whole number left."""
        word = next((word for word in self.left if word.isdigit()), None)
        if word is None and default is not None:
            return default
        if word is None or int(word) < 1:
            raise InputError(f"`{self.text}` must say {what}, a whole number of at least 1: see --help for examples.")
        self.left.remove(word)
        return int(word)

    def kernel(self, axes: int, default: int) -> tuple[int, ...]:
        """A size such as 3x3, or one number for all axes."""
        word = next((word for word in self.left if re.fullmatch(r"\d+(x\d+)+", word)), None)
        if word is None:
            return (self.number("its kernel size", default),) * axes
        self.left.remove(word)
        size = tuple(int(part) for part in word.split("x"))
        require(len(size) == axes and min(size) > 0, word, f"of {axes} sizes above 0, one for each axis", word)
        return size

    def done(self) -> None:
        """InputError for words that nothing took."""
        if self.left:
            raise InputError(f"`{self.text}` has words that mean nothing here: {' '.join(self.left)}. See --help.")


def places(shape: Sequence[int]) -> int:
    """How many places a shape (..., channels) has."""
    return math.prod(shape[:-1])


def seen(before: Row, kernel: Sequence[int], stride: int, dilation: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Receptive field and jump behind a window that slides."""
    fields = tuple(
        f + (effective_kernel(k, dilation) - 1) * j for f, k, j in zip(before.field, kernel, before.jump, strict=True)
    )
    return fields, tuple(j * stride for j in before.jump)


def slid(before: Row, words: Words, kernel: Sequence[int], stride: int, dilation: int, padding: str) -> tuple[int, ...]:
    """The places behind a window that slides over those of `before`."""
    spatial = before.shape[:-1]
    if padding == "same" and dilation > 1:
        for k in kernel:
            same_padding(k, dilation)
    names = AXES[len(spatial)]
    return tuple(
        output_size(size, k, stride, dilation, padding, axis)
        for size, k, axis in zip(spatial, kernel, names, strict=True)
    )


def spatial_axes(before: Row, words: Words) -> int:
    """The axes that a window slides over; InputError for an input that has none."""
    axes = len(before.shape) - 1
    if axes not in AXES:
        raise InputError(
            f"`{words.text}` needs an input with places and channels. Received: shape {show(before.shape)}."
        )
    return axes


def convolution(before: Row, words: Words) -> Row:
    axes = spatial_axes(before, words)
    padding = "same" if words.flag("same") else "valid"
    words.flag("valid")
    bias = not words.flag("nobias")
    depthwise, separable = words.flag("depthwise"), words.flag("separable")
    stride, dilation = words.after("stride", 1), words.after("dilation", 1)
    groups, channels = words.after("groups", 1), before.shape[-1]
    filters = channels if depthwise else words.number("its filters")
    kernel = words.kernel(axes, 3)
    groups = channels if depthwise else groups
    require(
        channels % groups == 0 and filters % groups == 0, "groups", f"a divisor of {channels} and {filters}", groups
    )
    out = (*slid(before, words, kernel, stride, dilation, padding), filters)
    field, jump = seen(before, kernel, stride, dilation)
    if separable:  # one filter a channel without bias, then a 1×1 convolution
        parameters = convolution_parameters(channels, channels, kernel, channels, False)
        parameters += convolution_parameters(channels, filters, (1,) * axes, 1, bias)
        products = places(out) * (math.prod(kernel) * channels + channels * filters)
    else:
        parameters = convolution_parameters(channels, filters, kernel, groups, bias)
        products = places(out) * filters * math.prod(kernel) * (channels // groups)
    flops = 2 * products + (places(out) * filters if bias else 0)
    return Row("", out, parameters, 0, flops, field, jump, 2 if separable else 1)


def pooling(before: Row, words: Words) -> Row:
    axes = spatial_axes(before, words)
    padding = "same" if words.flag("same") else "valid"
    words.flag("valid", "max", "average")
    kernel = words.kernel(axes, 2)
    stride = words.after("stride", kernel[0])
    out = (*slid(before, words, kernel, stride, 1, padding), before.shape[-1])
    field, jump = seen(before, kernel, stride, 1)
    return Row("", out, 0, 0, math.prod(out) * math.prod(kernel), field, jump, 1)


def global_pooling(before: Row, words: Words) -> Row:
    spatial_axes(before, words)
    words.flag("max", "average")
    return Row("", before.shape[-1:], 0, 0, math.prod(before.shape), depth=1)


def dense(before: Row, words: Words) -> Row:
    bias = not words.flag("nobias")
    units, inputs = words.number("its units"), before.shape[-1]
    out = (*before.shape[:-1], units)
    parameters = inputs * units + (units if bias else 0)
    return Row("", out, parameters, 0, places(out) * units * (2 * inputs + bias), before.field, before.jump, 1)


def recurrent(before: Row, words: Words) -> Row:
    kind = next(name for name in ("rnn", "gru", "lstm") if words.flag(name))
    require(len(before.shape) == 2, words.text, "behind an input of time and features", show(before.shape))
    sequences, two = words.flag("sequences"), words.flag("twobiases")
    units, (steps, inputs) = words.number("its units"), before.shape
    parameters = recurrent_parameters(kind, inputs, units, 2 if two else None)
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[kind]
    elementwise = {"rnn": 1, "gru": 8, "lstm": 9}[kind] * units  # activations, gates and sums behind the products
    biases = parameters - gates * units * (inputs + units)
    flops = steps * (2 * gates * units * (inputs + units) + biases + elementwise)
    return Row("", (steps, units) if sequences else (units,), parameters, 0, flops, depth=steps)


def embedding(before: Row, words: Words) -> Row:
    vocabulary, size = words.number("its vocabulary"), words.number("its dimension")
    return Row("", (*before.shape, size), vocabulary * size, 0, 0, (1,), (1,), 1)


def normalisation(before: Row, words: Words) -> Row:
    channels, whole = before.shape[-1], math.prod(before.shape)
    if words.flag("batchnorm"):
        return Row("", before.shape, 2 * channels, 2 * channels, 2 * whole, before.field, before.jump, 1)
    words.flag("layernorm")
    return Row("", before.shape, 2 * channels, 0, 7 * whole, (), (), 1)


def activation(before: Row, words: Words) -> Row:
    words.left = words.left[1:]
    return Row("", before.shape, 0, 0, math.prod(before.shape), before.field, before.jump, 1)


def free(before: Row, words: Words) -> Row:
    if words.flag("flatten"):
        return Row("", (math.prod(before.shape),))
    words.flag("dropout")
    words.left = []  # the rate costs nothing
    return Row("", before.shape, 0, 0, 0, before.field, before.jump)


Rule = Callable[[Row, Words], Row]
KINDS: dict[str, Rule] = {
    **dict.fromkeys(("conv", "depthwise", "separable"), convolution),
    **dict.fromkeys(("pool", "maxpool", "avgpool"), pooling),
    **{"globalpool": global_pooling, "dense": dense, "embedding": embedding},
    **dict.fromkeys(("rnn", "gru", "lstm"), recurrent),
    **dict.fromkeys(("batchnorm", "layernorm"), normalisation),
    **dict.fromkeys(("relu", "sigmoid", "tanh", "softmax", "gelu"), activation),
    **dict.fromkeys(("flatten", "dropout"), free),
}
GRAMMAR = """layers are separated by commas; sizes have a x between them:
  conv 64 3x3 [same] [stride 2] [dilation 8] [groups 4] [no bias]     also: depthwise 3x3, separable 64 3x3
  pool 2 [stride 2] [same]      globalpool      dense 10 [no bias]      flatten      dropout .5
  rnn 32, gru 32, lstm 32 [sequences] [two biases: as PyTorch counts]   embedding 10000 64
  batchnorm   layernorm   relu   sigmoid   tanh   gelu   softmax
as many axes as the input has: --input 256x256x3 is an image, 100x16 a series, 16x64x64x3 a clip, 300 a vector"""


def read_shape(text: str) -> tuple[int, ...]:
    """A shape such as 256x256x3. InputError for anything else."""
    if not re.fullmatch(r"\d+(x\d+)*", text) or "0" in text.split("x"):
        raise InputError(f"`--input` must be sizes above 0 with x between them, as 256x256x3. Received: {text!r}.")
    return tuple(map(int, text.split("x")))


def show(shape: Sequence[int]) -> str:
    """A shape as it is typed."""
    return " × ".join(map(str, shape))


def read_stack(text: str, shape: tuple[int, ...]) -> list[Row]:
    """The rows of a stack, the input first. InputError for a layer that cannot be read or that does not fit."""
    axes = max(len(shape) - 1, 0)
    rows = [Row("input", shape, field=(1,) * axes, jump=(1,) * axes)]
    for number, part in enumerate(text.split(","), 1):
        plain = re.sub(r"\s+", " ", part.strip().lower())
        require(plain, "stack", "layers with commas between them", text)
        joined = plain.replace("no bias", "nobias").replace("two biases", "twobiases").replace("max pool", "maxpool")
        words = joined.split()
        kind = re.sub(r"[123]d$", "", words[0])
        if kind not in KINDS:
            raise InputError(f"No layer named {words[0]!r}.{closest(kind, KINDS)} There are: {', '.join(KINDS)}.")
        keep = kind in ("rnn", "gru", "lstm", "batchnorm", "layernorm", "flatten", "dropout", "depthwise", "separable")
        given = Words(plain, words if keep or KINDS[kind] is activation else words[1:])
        given.left = [kind, *given.left[1:]] if keep else given.left
        try:
            row = KINDS[kind](rows[-1], given)
            given.done()
        except InputError as error:
            raise InputError(f"layer {number} ({plain}): {error}") from None
        rows.append(dataclasses.replace(row, name=plain, depth=rows[-1].depth + row.depth))
    return rows
