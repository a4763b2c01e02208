"""Two-dimensional convolution as windows and one matrix product, and its gradients by hand."""

from keras_course.base import InputError, blank, require
from keras_course.scratch.layer import Layer, glorot_uniform, require_shape

import numpy as np


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after an axis, so that ceil(size / stride) windows fit; the odd one goes behind, as in Keras."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class Conv2D(Layer):
    """y[i, j] = Σ x[i s + a d, j s + b d] W[a, b] + c: cross-correlation, as every library calls convolution.

    Args:
        channels, filters: of the images before and after.
        kernel_size: rows and columns of the kernel, or one number for both.
        strides: s, rows and columns from one window to the next.
        padding: "valid" takes the windows that fit; "same" adds zeros so that s = 1 keeps the size.
        dilation: d, rows and columns from one entry of the kernel to the next.

    Parameters: kernel W (rows, columns, channels, filters), bias c (filters,).

    Raises:
        InputError: strides or dilation below 1; an even kernel, dilated, asked to be "same": its padding d (k - 1) / 2
            has no middle.
    """

    def __init__(
        self,
        channels: int,
        filters: int,
        kernel_size: int | tuple[int, int],
        *,
        rng: np.random.Generator,
        strides: int = 1,
        padding: str = "valid",
        dilation: int = 1,
    ) -> None:
        super().__init__()
        size = (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
        require(padding in ("valid", "same"), "padding", '"valid" or "same"', padding)
        odd = dilation == 1 or padding == "valid" or all(k % 2 for k in size)
        require(strides >= 1, "strides", "a whole number of at least 1", strides)
        require(dilation >= 1, "dilation", "a whole number of at least 1", dilation)
        require(odd, "kernel_size", 'odd where padding is "same" and dilation is above 1', kernel_size)
        self.strides, self.padding, self.dilation = strides, padding, dilation
        self.effective = tuple(dilation * (k - 1) + 1 for k in size)  # rows and columns that a window spans
        self.parameters["kernel"] = glorot_uniform(rng, (*size, channels, filters))
        self.parameters["bias"] = np.zeros(filters)

    def margins(self, height: int, width: int) -> tuple[tuple[int, int], ...]:
        """The zeros around images of this size, as `np.pad` takes them. InputError when no window fits."""
        if self.padding == "same":
            sides = [same_padding(s, k, self.strides) for s, k in zip((height, width), self.effective, strict=True)]
            return (0, 0), *sides, (0, 0)
        for axis, size, kernel in zip(("height", "width"), (height, width), self.effective, strict=True):
            if kernel > size:
                raise InputError(
                    f"`x` must be at least as large as the kernel: effective kernel {kernel} > {size} on axis {axis}; "
                    'a smaller kernel or dilation, or padding "same", would do.'
                )
        return ((0, 0),) * 4

    def windows(self, padded: np.ndarray) -> np.ndarray:
        """A view of all windows, (n, rows, columns, channels, kernel rows, kernel columns); nothing is copied."""
        every = np.lib.stride_tricks.sliding_window_view(padded, self.effective, axis=(1, 2))
        s, d = self.strides, self.dilation
        return every[:, ::s, ::s, :, ::d, ::d]

    @blank(
        "foundations/numpy_cnn",
        hints=(
            "`self.windows` gives every patch that the kernel meets. Which axes of it are summed, and which remain?",
            "A patch and a filter, both as vectors of channels × rows × columns, meet in one matrix product.",
            "Reshape the windows to (n · rows · columns, channels · kernel rows · kernel columns). The kernel's axes "
            "stand in another order: transpose it to (channels, kernel rows, kernel columns, filters) first.",
        ),
    )
    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """Maps x (n, height, width, channels) to y (n, rows, columns, filters).

        Keep `self.padded`, x with its zeros (`self.margins`), and `self.patches`, the windows as a matrix, for
        `backward`. InputError for another number of channels, and for images smaller than the kernel.
        """
        kernel = self.parameters["kernel"]
        require_shape("x", x, (None, None, None, kernel.shape[2]))
        self.margin = self.margins(*x.shape[1:3])
        self.padded = np.pad(x, self.margin)
        windows = self.windows(self.padded)
        n, rows, columns = windows.shape[:3]
        self.patches = windows.reshape(n * rows * columns, -1)  # (windows, channels · kernel rows · kernel columns)
        matrix = kernel.transpose(2, 0, 1, 3).reshape(-1, kernel.shape[-1])  # (..., filters)
        return (self.patches @ matrix + self.parameters["bias"]).reshape(n, rows, columns, -1)

    @blank(
        "foundations/numpy_cnn",
        hints=(
            "An entry of the kernel met one entry of every patch: its gradient is a product of `self.patches` and dy.",
            "Each pixel of x took part in several windows; what they send back adds up.",
            "Loop over the few entries (a, b) of the kernel, never over pixels: dy W[a, b]ᵀ belongs to the pixels that "
            "this entry met, which are one strided slice of the padded image. Cut the padding off at the end.",
        ),
    )
    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Takes dL/dy (n, rows, columns, filters), keeps dL/dkernel and dL/dbias, returns dL/dx."""
        kernel = self.parameters["kernel"]
        height, width, channels, filters = kernel.shape
        flat = dy.reshape(-1, filters)  # (windows, filters)
        # dL/dW[a, b] = Σ over the windows of x at (a, b) times dL/dy
        by_patch = (self.patches.T @ flat).reshape(channels, height, width, filters)
        self.gradients["kernel"] = by_patch.transpose(1, 2, 0, 3)
        self.gradients["bias"] = flat.sum(axis=0)
        dx = np.zeros_like(self.padded, dtype=dy.dtype)
        s, d, (rows, columns) = self.strides, self.dilation, dy.shape[1:3]
        for a in range(height):
            for b in range(width):
                # dL/dx at the pixels that the entry (a, b) met += dL/dy W[a, b]ᵀ
                met = dx[:, a * d : a * d + rows * s : s, b * d : b * d + columns * s : s]
                met += (flat @ kernel[a, b].T).reshape(met.shape)
        top, left = self.margin[1][0], self.margin[2][0]
        bottom, right = (dx.shape[axis] - self.margin[axis][1] for axis in (1, 2))
        return dx[:, top:bottom, left:right]
