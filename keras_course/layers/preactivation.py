"""Batch normalisation, ReLU, convolution: the unit that DenseNet and the pre-activation ResNet are stacked from."""

from typing import Any

from keras_course.layers import arguments

import keras


@keras.saving.register_keras_serializable("keras_course")
class PreActivationConv(keras.layers.Layer):
    """BN-ReLU-Conv without bias, He normal: the convolution comes last, so a sum or concatenation stays linear in it.

    Images (batch, height, width, channels) -> (batch, ⌈height / stride⌉, ⌈width / stride⌉, filters).
    `dropout`, a rate from 0 to below 1, acts on the output of the convolution.

    Huang et al. (2017), section 3, "Composite function"; He et al. (2016b), figure 4(e).
    """

    def __init__(self, filters: int, kernel_size: int, *, stride: int = 1, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        arguments.whole_numbers(filters=filters, kernel_size=kernel_size, stride=stride)
        arguments.rate(dropout=dropout)
        self.filters, self.kernel_size, self.stride, self.dropout = filters, kernel_size, stride, dropout
        self.norm = keras.layers.BatchNormalization(dtype=self.dtype_policy, name="norm")
        self.conv = keras.layers.Conv2D(
            filters,
            kernel_size,
            strides=stride,
            padding="same",
            use_bias=False,  # the next batch normalisation would subtract it again
            kernel_initializer="he_normal",
            dtype=self.dtype_policy,
            name="conv",
        )
        self.drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="drop")

    def build(self, input_shape: tuple) -> None:
        self.norm.build(input_shape)
        self.conv.build(input_shape)

    def call(self, x: Any) -> Any:
        return self.drop(self.conv(keras.ops.relu(self.norm(x))))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return self.conv.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        config = {"kernel_size": self.kernel_size, "stride": self.stride, "dropout": self.dropout}
        return {**super().get_config(), "filters": self.filters, **config}
