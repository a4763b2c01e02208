"""The operations of the layers in NumPy, written out: what the tests compare with."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def conv(x, kernel, stride=1):
    """Convolution of (batch, height, width, channels) with "same" zero padding as TensorFlow places it."""
    (rows, columns), (kh, kw) = x.shape[1:3], kernel.shape[:2]
    out_rows, out_columns = -(-rows // stride), -(-columns // stride)
    down, right = max((out_rows - 1) * stride + kh - rows, 0), max((out_columns - 1) * stride + kw - columns, 0)
    x = np.pad(x, ((0, 0), (down // 2, down - down // 2), (right // 2, right - right // 2), (0, 0)))
    y = np.zeros((len(x), out_rows, out_columns, kernel.shape[-1]))
    for i in range(out_rows):
        for j in range(out_columns):
            patch = x[:, i * stride : i * stride + kh, j * stride : j * stride + kw]
            y[:, i, j] = np.einsum("bhwc,hwcf->bf", patch, kernel)
    return y


def norm(x, gamma, beta, mean, variance, epsilon=1e-3):
    """Batch normalisation with the moving averages."""
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta


def unit(x, layer):
    """BN-ReLU-Conv with the weights of a `PreActivationConv`."""
    bn = layer.norm
    parts = [np.asarray(w.value, "float64") for w in (bn.gamma, bn.beta, bn.moving_mean, bn.moving_variance)]
    return conv(np.maximum(norm(x, *parts), 0), np.asarray(layer.conv.kernel.value, "float64"), layer.stride)
