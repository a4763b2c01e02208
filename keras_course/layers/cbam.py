"""Convolutional block attention: what to look at (channels), then where (pixels).

Woo, Park, Lee, Kweon (2018), "CBAM: Convolutional Block Attention Module", section 3.
"""

from typing import Any

from keras_course.base import blank, require
from keras_course.layers import arguments

import keras
from keras import ops


class Gate(keras.layers.Layer):
    """Multiplies images (batch, height, width, channels) by a gate in (0, 1) that they give themselves."""

    def gate(self, x: Any) -> Any:
        """Values in (0, 1) that broadcast against x (batch, height, width, channels); the layer must be built."""
        raise NotImplementedError

    def call(self, x: Any) -> Any:
        return x * self.gate(x)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape


@keras.saving.register_keras_serializable("keras_course")
class ChannelAttention(Gate):
    """One gate for each channel, from its mean and its maximum over space through one shared MLP.

    The MLP has channels // `reduction` hidden units, at least one, and no biases, as in equation 2 of the paper.
    """

    def __init__(self, reduction: int = 8, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        arguments.whole_numbers(reduction=reduction)
        self.reduction = reduction

    def build(self, input_shape: tuple) -> None:
        channels = input_shape[-1]
        hidden = max(1, channels // self.reduction)
        self.squeeze = self.add_weight(shape=(channels, hidden), initializer="he_normal", name="squeeze")
        self.expand = self.add_weight(shape=(hidden, channels), initializer="glorot_uniform", name="expand")

    def mlp(self, descriptor: Any) -> Any:
        """W1 relu(W0 d) for descriptors (..., channels) -> (..., channels)."""
        return ops.matmul(ops.relu(ops.matmul(descriptor, self.squeeze)), self.expand)

    @blank(
        "vision/cbam",
        hints=(
            "A gate for a channel may not depend on the place: which axes of x have to go first?",
            "A channel has two descriptors, its mean and its maximum over space; both go through one `self.mlp`.",
            "Take the sigmoid of the sum of both; height and width stay as axes of size 1, so that it broadcasts.",
        ),
    )
    def gate(self, x: Any) -> Any:
        """The channel gate: x (batch, height, width, channels) -> (batch, 1, 1, channels) in (0, 1)."""
        average = ops.mean(x, axis=(1, 2), keepdims=True)  # (batch, 1, 1, channels)
        largest = ops.max(x, axis=(1, 2), keepdims=True)
        # M_c = sigmoid(MLP(AvgPool(x)) + MLP(MaxPool(x)))
        return ops.sigmoid(self.mlp(average) + self.mlp(largest))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "reduction": self.reduction}


@keras.saving.register_keras_serializable("keras_course")
class SpatialAttention(Gate):
    """One gate for each pixel, from the mean and the maximum over its channels in a neighbourhood.

    The neighbourhood is `kernel_size` pixels wide, an odd number so that it has a centre; equation 3 of the paper.
    """

    def __init__(self, kernel_size: int = 7, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        require(type(kernel_size) is int and kernel_size % 2 == 1, "kernel_size", "an odd whole number", kernel_size)
        arguments.whole_numbers(kernel_size=kernel_size)
        self.kernel_size = kernel_size
        self.conv = keras.layers.Conv2D(
            1, kernel_size, padding="same", use_bias=False, dtype=self.dtype_policy, name="conv"
        )

    def build(self, input_shape: tuple) -> None:
        self.conv.build((*input_shape[:-1], 2))

    @blank(
        "vision/cbam",
        hints=(
            "A gate for a pixel may not depend on the channel: which axis of x has to go first?",
            "Two maps, the mean and the maximum over the channels, become the two channels of one image.",
            "Concatenate them along the last axis, mean first, and take the sigmoid of `self.conv` of that.",
        ),
    )
    def gate(self, x: Any) -> Any:
        """The spatial gate: x (batch, height, width, channels) -> (batch, height, width, 1) in (0, 1)."""
        average = ops.mean(x, axis=-1, keepdims=True)  # (batch, height, width, 1)
        largest = ops.max(x, axis=-1, keepdims=True)
        # M_s = sigmoid(f([AvgPool(x); MaxPool(x)]))
        return ops.sigmoid(self.conv(ops.concatenate([average, largest], axis=-1)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kernel_size": self.kernel_size}


@keras.saving.register_keras_serializable("keras_course")
class CBAM(keras.layers.Layer):
    """Channel attention, then spatial attention, on images (batch, height, width, channels); the shape stays.

    `reduction` and `kernel_size` are those of `ChannelAttention` and `SpatialAttention`.
    """

    def __init__(self, reduction: int = 8, kernel_size: int = 7, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reduction, self.kernel_size = reduction, kernel_size
        self.channel = ChannelAttention(reduction, dtype=self.dtype_policy, name="channel")
        self.spatial = SpatialAttention(kernel_size, dtype=self.dtype_policy, name="spatial")

    def build(self, input_shape: tuple) -> None:
        self.channel.build(input_shape)
        self.spatial.build(input_shape)

    def call(self, x: Any) -> Any:
        return self.spatial(self.channel(x))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "reduction": self.reduction, "kernel_size": self.kernel_size}
