"""Residual blocks: what a block learns is added to what it was given.

He, Zhang, Ren, Sun (2016a), "Deep Residual Learning for Image Recognition", section 3, in the pre-activation form
of their "Identity Mappings in Deep Residual Networks" (2016b): nothing follows the addition, so the shortcut is exact.
"""

from typing import Any

from keras_course.base import pick
from keras_course.layers import arguments
from keras_course.layers.cbam import CBAM
from keras_course.layers.preactivation import PreActivationConv

import keras

ATTENTION = {"cbam": CBAM}


@keras.saving.register_keras_serializable("keras_course")
class ResidualBlock(keras.layers.Layer):
    """x + F(x), where F is BN-ReLU-Conv3x3 twice: with F at zero the block returns its input to the bit.

    Images (batch, height, width, channels) -> (batch, ⌈height / stride⌉, ⌈width / stride⌉, filters). Where the shape
    changes, the shortcut is a 1x1 convolution (He et al. 2016a, equation 2). `attention`, None or "cbam", gates F(x)
    before the addition (Woo et al. 2018, figure 3). `shortcut=False` leaves F(x) alone: the plain net to compare with.
    """

    def __init__(
        self,
        filters: int,
        *,
        stride: int = 1,
        attention: str | None = None,
        shortcut: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        arguments.flags(shortcut=shortcut)
        self.filters, self.stride, self.attention, self.shortcut = filters, stride, attention, shortcut
        self.first = PreActivationConv(filters, 3, stride=stride, dtype=self.dtype_policy, name="first")
        self.second = PreActivationConv(filters, 3, dtype=self.dtype_policy, name="second")
        gate = keras.layers.Identity if attention is None else pick(ATTENTION, attention, "attention")
        self.gate = gate(dtype=self.dtype_policy, name="gate")

    def build(self, input_shape: tuple) -> None:
        output_shape = self.compute_output_shape(input_shape)
        self.first.build(input_shape)
        self.second.build(output_shape)
        self.gate.build(output_shape)
        if self.shortcut:
            same = self.stride == 1 and input_shape[-1] == self.filters
            self.match = keras.layers.Identity(dtype=self.dtype_policy) if same else self.projection()
            self.match.build(input_shape)

    def projection(self) -> keras.layers.Conv2D:
        """The shortcut where the shape changes."""
        return keras.layers.Conv2D(
            self.filters,
            1,
            strides=self.stride,
            use_bias=False,
            kernel_initializer="he_normal",
            dtype=self.dtype_policy,
            name="projection",
        )

    def call(self, x: Any) -> Any:
        branch = self.gate(self.second(self.first(x)))
        return self.match(x) + branch if self.shortcut else branch

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return self.first.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        config = {"stride": self.stride, "attention": self.attention, "shortcut": self.shortcut}
        return {**super().get_config(), "filters": self.filters, **config}
