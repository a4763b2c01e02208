"""Layers written with keras.ops only, so that they run on every Keras backend."""

from keras_course.layers.attention import (
    AdditiveAttention,
    CosineAttention,
    DotProductAttention,
    MultiHeadAttention,
)
from keras_course.layers.cbam import CBAM, ChannelAttention, SpatialAttention
from keras_course.layers.densenet import DenseBlock, Transition
from keras_course.layers.preactivation import PreActivationConv
from keras_course.layers.recurrent import GRUCell, LSTMCell, RNNCell
from keras_course.layers.residual import ResidualBlock
from keras_course.layers.sampling import Sampling

__all__ = [
    "CBAM",
    "AdditiveAttention",
    "ChannelAttention",
    "CosineAttention",
    "DenseBlock",
    "DotProductAttention",
    "GRUCell",
    "LSTMCell",
    "MultiHeadAttention",
    "PreActivationConv",
    "RNNCell",
    "ResidualBlock",
    "Sampling",
    "SpatialAttention",
    "Transition",
]
