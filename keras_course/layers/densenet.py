"""DenseNet: every layer of a block sees the feature maps of all layers before it.

Huang, Liu, van der Maaten, Weinberger (2017), "Densely Connected Convolutional Networks", section 3.
"""

from typing import Any

from keras_course.base import blank, require
from keras_course.layers import arguments
from keras_course.layers.preactivation import PreActivationConv

import keras


@keras.saving.register_keras_serializable("keras_course")
class DenseBlock(keras.layers.Layer):
    """`layers` units that each append `growth_rate` feature maps to everything before them.

    Images (batch, height, width, channels) -> (batch, height, width, channels + layers * growth_rate): the input
    first, then the maps of each unit in order. A unit is BN-ReLU-Conv3x3; with `bottleneck` (DenseNet-B) a
    BN-ReLU-Conv1x1 to 4 * growth_rate maps precedes it. `dropout` follows every convolution.

    Huang et al. (2017), section 3, equation 2.
    """

    def __init__(
        self, layers: int, growth_rate: int, *, bottleneck: bool = False, dropout: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        arguments.whole_numbers(layers=layers, growth_rate=growth_rate)
        arguments.flags(bottleneck=bottleneck)
        self.layers, self.growth_rate, self.bottleneck, self.dropout = layers, growth_rate, bottleneck, dropout
        self.units = [self.unit(f"unit_{i}") for i in range(layers)]

    def unit(self, name: str) -> keras.Sequential:
        """H of equation 2: all maps so far -> `growth_rate` new ones."""
        options = {"dropout": self.dropout, "dtype": self.dtype_policy}
        narrow = [PreActivationConv(4 * self.growth_rate, 1, name="narrow", **options)] if self.bottleneck else []
        return keras.Sequential([*narrow, PreActivationConv(self.growth_rate, 3, name="grow", **options)], name=name)

    def build(self, input_shape: tuple) -> None:
        *image, channels = input_shape
        for i, unit in enumerate(self.units):
            unit.build((*image, channels + i * self.growth_rate))

    @blank(
        "vision/densenet",
        hints=(
            "How many channels does each of `self.units` expect? Write k0, k0 + k, k0 + 2k, … beside the loop.",
            "A unit sees all earlier maps, not its predecessor's alone and not the block's input with them alone: "
            "what you carry from one unit to the next has to grow.",
            "For each unit in order, apply it to x and let x be x and the result, concatenated along the last axis.",
        ),
    )
    def call(self, x: Any) -> Any:
        """Runs `self.units` in order on (batch, height, width, channels); each sees all maps before it."""
        for unit in self.units:
            # x_l = H_l([x_0, x_1, ..., x_(l-1)])
            x = keras.ops.concatenate([x, unit(x)], axis=-1)  # (batch, height, width, k0 + l * k)
        return x

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:-1], input_shape[-1] + self.layers * self.growth_rate)

    def get_config(self) -> dict[str, Any]:
        config = {"growth_rate": self.growth_rate, "bottleneck": self.bottleneck, "dropout": self.dropout}
        return {**super().get_config(), "layers": self.layers, **config}


@keras.saving.register_keras_serializable("keras_course")
class Transition(keras.layers.Layer):
    """Between two dense blocks: BN-ReLU-Conv1x1, then averages over 2x2 pixels.

    Images (batch, height, width, channels) -> (batch, height // 2, width // 2, ⌊compression * channels⌋).
    `compression`, above 0 and at most 1, is θ of DenseNet-C; `dropout` follows the convolution.

    Huang et al. (2017), section 3, "Pooling layers" and "Compression".
    """

    def __init__(self, compression: float = 1.0, *, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        valid = type(compression) in (int, float) and 0 < compression <= 1
        require(valid, "compression", "a number above 0 and at most 1", compression)
        arguments.rate(dropout=dropout)
        self.compression, self.dropout = compression, dropout
        self.pool = keras.layers.AveragePooling2D(2, dtype=self.dtype_policy)

    def filters(self, channels: int) -> int:
        """The number of maps that remain of `channels`."""
        return int(self.compression * channels)

    def build(self, input_shape: tuple) -> None:
        filters = self.filters(input_shape[-1])
        require(filters >= 1, "compression", f"large enough to leave 1 of {input_shape[-1]} maps", self.compression)
        self.unit = PreActivationConv(filters, 1, dropout=self.dropout, dtype=self.dtype_policy, name="unit")
        self.unit.build(input_shape)

    def call(self, x: Any) -> Any:
        return self.pool(self.unit(x))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*self.pool.compute_output_shape(input_shape)[:-1], self.filters(input_shape[-1]))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "compression": self.compression, "dropout": self.dropout}
