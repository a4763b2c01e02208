"""Networks in NumPy alone, gradients by hand: the code that a student reads to understand.

One class a layer, with `forward` and `backward`; `gradcheck` shows that the second is the derivative of the first.
"""

from keras_course.scratch.activations import (
    LeakyReLU,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
    leaky_relu,
    relu,
    sigmoid,
    softmax,
)
from keras_course.scratch.convolution import Conv2D
from keras_course.scratch.dense import Dense, Flatten
from keras_course.scratch.dropout import Dropout
from keras_course.scratch.gradcheck import compare_gradients, gradcheck, gradient_table
from keras_course.scratch.layer import Layer, glorot_uniform, he_normal, require_shape
from keras_course.scratch.losses import BinaryCrossEntropy, MeanSquaredError, SoftmaxCrossEntropy, log_softmax
from keras_course.scratch.network import Network, accuracy, evaluate, fit, train_step
from keras_course.scratch.normalisation import BatchNorm
from keras_course.scratch.optimizers import SGD, Adam, RMSprop
from keras_course.scratch.pooling import GlobalAveragePool2D, MaxPool2D
from keras_course.scratch.recurrent import LSTM, RNN, LastStep, orthogonal

__all__ = [
    "LSTM",
    "RNN",
    "SGD",
    "Adam",
    "BatchNorm",
    "BinaryCrossEntropy",
    "Conv2D",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAveragePool2D",
    "LastStep",
    "Layer",
    "LeakyReLU",
    "MaxPool2D",
    "MeanSquaredError",
    "Network",
    "RMSprop",
    "ReLU",
    "Sigmoid",
    "Softmax",
    "SoftmaxCrossEntropy",
    "Tanh",
    "accuracy",
    "compare_gradients",
    "evaluate",
    "fit",
    "glorot_uniform",
    "gradcheck",
    "gradient_table",
    "he_normal",
    "leaky_relu",
    "log_softmax",
    "orthogonal",
    "relu",
    "require_shape",
    "sigmoid",
    "softmax",
    "train_step",
]
