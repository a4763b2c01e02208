"""DenseNet: dense blocks, transitions between them, and the sizes of the paper.

Huang, Liu, van der Maaten, Weinberger (2017), "Densely Connected Convolutional Networks", sections 3 and 4.2.
"""

from keras_course.layers import DenseBlock, Transition, arguments
from keras_course.models.ends import image_input, logits_of_mean, positive_sizes

import keras
from keras import layers


def densenet(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    layers_per_block: tuple[int, ...] = (4, 4, 4),
    growth_rate: int = 12,
    bottleneck: bool = False,
    compression: float = 1.0,
    stem: int | None = None,
    dropout: float = 0.0,
) -> keras.Model:
    """A 3x3 convolution to `stem` maps, dense blocks with a transition between each two, and logits of the mean.

    Images (batch, height, width, channels) -> logits (batch, classes); each transition halves height and width.
    `stem` is 2 * growth_rate for DenseNet-BC and 16 otherwise unless given. The layers are `stem`, `block_0`,
    `transition_0`, `block_1`, …, and `features` (the last maps, after BN-ReLU), `mean`, `logits`.
    """
    positive_sizes(layers_per_block=layers_per_block)
    arguments.whole_numbers(growth_rate=growth_rate, classes=classes)
    if stem is None:
        stem = 2 * growth_rate if bottleneck and compression < 1 else 16
    arguments.whole_numbers(stem=stem)
    x = inputs = image_input(input_shape, halvings=len(layers_per_block) - 1)
    x = layers.Conv2D(stem, 3, padding="same", use_bias=False, kernel_initializer="he_normal", name="stem")(x)
    for i, count in enumerate(layers_per_block):
        if i > 0:
            x = Transition(compression, dropout=dropout, name=f"transition_{i - 1}")(x)
        x = DenseBlock(count, growth_rate, bottleneck=bottleneck, dropout=dropout, name=f"block_{i}")(x)
    x = layers.ReLU(name="features")(layers.BatchNormalization(name="norm")(x))
    return keras.Model(inputs, logits_of_mean(x, classes), name="densenet")


def densenet_bc(
    input_shape: tuple[int, int, int], classes: int, *, depth: int, growth_rate: int, dropout: float = 0.0
) -> keras.Model:
    """DenseNet-BC of the paper: bottlenecks, compression 0.5, three blocks of (depth - 4) / 6 units."""
    return densenet(
        input_shape,
        classes,
        layers_per_block=((depth - 4) // 6,) * 3,
        growth_rate=growth_rate,
        bottleneck=True,
        compression=0.5,
        dropout=dropout,
    )


def densenet_40_12(input_shape: tuple[int, int, int], classes: int, *, dropout: float = 0.0) -> keras.Model:
    """DenseNet, depth 40, growth rate 12: 1,019,722 trainable parameters on CIFAR-10."""
    return densenet(input_shape, classes, layers_per_block=(12, 12, 12), growth_rate=12, dropout=dropout)


def densenet_bc_100_12(input_shape: tuple[int, int, int], classes: int, *, dropout: float = 0.0) -> keras.Model:
    """DenseNet-BC, depth 100, growth rate 12: 769,162 trainable parameters on CIFAR-10."""
    return densenet_bc(input_shape, classes, depth=100, growth_rate=12, dropout=dropout)


def densenet_bc_250_24(input_shape: tuple[int, int, int], classes: int, *, dropout: float = 0.0) -> keras.Model:
    """DenseNet-BC, depth 250, growth rate 24: 15,324,406 trainable parameters on CIFAR-10."""
    return densenet_bc(input_shape, classes, depth=250, growth_rate=24, dropout=dropout)


def densenet_bc_190_40(input_shape: tuple[int, int, int], classes: int, *, dropout: float = 0.0) -> keras.Model:
    """DenseNet-BC, depth 190, growth rate 40: 25,624,430 trainable parameters on CIFAR-10."""
    return densenet_bc(input_shape, classes, depth=190, growth_rate=40, dropout=dropout)
