"""The fully connected layer, and the one that makes vectors of images."""

from keras_course.base import blank
from keras_course.scratch.layer import Initializer, Layer, glorot_uniform, require_shape

import numpy as np


class Dense(Layer):
    """y = x W + b.

    Args:
        inputs, units: sizes of an example before and after.
        use_bias: whether b is there.
        l2: λ of the penalty ½ λ ‖W‖²; the bias is never penalised, since it bends no function.
        initial: of W; b starts at 0.

    Parameters: kernel W (inputs, units), bias b (units,).
    """

    def __init__(
        self,
        inputs: int,
        units: int,
        *,
        rng: np.random.Generator,
        use_bias: bool = True,
        l2: float = 0.0,
        initial: Initializer = glorot_uniform,
    ) -> None:
        super().__init__()
        self.l2 = l2
        self.parameters["kernel"] = initial(rng, (inputs, units))
        if use_bias:
            self.parameters["bias"] = np.zeros(units)

    @blank(
        "foundations/softmax_regression",
        hints=(
            "One matrix product for the whole batch; the bias is added to each row. Keep x: `backward` needs it.",
            "A layer without a bias has no such parameter: `self.parameters.get` can stand in for it.",
        ),
    )
    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """Maps x (n, inputs) to y (n, units), and keeps `self.x` for `backward`. InputError for other inputs."""
        kernel = self.parameters["kernel"]
        require_shape("x", x, (None, len(kernel)))
        self.x = x
        # y = x W + b
        return x @ kernel + self.parameters.get("bias", 0)  # (n, units)

    @blank(
        "foundations/softmax_regression",
        hints=(
            "Write the shapes down: which product of x (n, inputs) and dL/dy (n, units) is (inputs, units)?",
            "Each example adds to the gradients: the bias gets the sum of dL/dy over the batch.",
            "The penalty ½ λ ‖W‖² adds λ W to the gradient of W, and nothing to that of b.",
        ),
    )
    @blank(
        "foundations/two_layer_mlp",
        hints=(
            "Three gradients: by the kernel, by the bias, by the input. Each has the shape of what it is taken by.",
            "The penalty ½ λ ‖W‖² is one of the kernel alone: what would shrinking the bias be good for?",
        ),
    )
    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Takes dL/dy (n, units), keeps dL/dW + λ W and dL/db, and returns dL/dx (n, inputs)."""
        kernel = self.parameters["kernel"]
        # dL/dW = xᵀ dL/dy + λ W
        self.gradients["kernel"] = self.x.T @ dy + self.l2 * kernel  # (inputs, units)
        if "bias" in self.parameters:
            # dL/db = Σ dL/dy over the examples
            self.gradients["bias"] = dy.sum(axis=0)  # (units,)
        # dL/dx = dL/dy Wᵀ
        return dy @ kernel.T  # (n, inputs)

    def penalty(self) -> float:
        """½ λ ‖W‖²."""
        return 0.5 * self.l2 * float(np.sum(self.parameters["kernel"] ** 2))


class Flatten(Layer):
    """Makes one vector of each example: (n, a, b, ...) to (n, a·b·...)."""

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        return dy.reshape(self.shape)
