"""Residual network, and its plain twin without the shortcuts.

He, Zhang, Ren, Sun (2016a), section 4.2, with the pre-activation blocks of He et al. (2016b).
"""

from keras_course.layers import ResidualBlock, arguments
from keras_course.models.ends import image_input, logits_of_mean, positive_sizes

import keras
from keras import layers


def resnet(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    blocks: tuple[int, ...] = (1, 1, 1),
    filters: int = 16,
    residual: bool = True,
    attention: str | None = None,
) -> keras.Model:
    """A 3x3 convolution, stages of `blocks` residual blocks, and logits of the mean over space.

    Images (batch, height, width, channels) -> logits (batch, classes). Stage i has filters * 2**i maps; from the
    second on it begins by halving height and width. `residual=False` is the plain net: the same layers without the
    shortcuts (nor their projections). `attention="cbam"` gates every block. The layers are `stem`,
    `stage_0_block_0`, …, and `features` (the last maps, after BN-ReLU), `mean`, `logits`.
    """
    positive_sizes(blocks=blocks)
    arguments.whole_numbers(filters=filters, classes=classes)
    x = inputs = image_input(input_shape, halvings=0)  # a stride rounds up: one pixel stays one
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal", name="stem")(x)
    for stage, count in enumerate(blocks):
        for i in range(count):
            x = ResidualBlock(
                filters * 2**stage,
                stride=2 if stage > 0 and i == 0 else 1,
                attention=attention,
                shortcut=residual,
                name=f"stage_{stage}_block_{i}",
            )(x)
    x = layers.ReLU(name="features")(layers.BatchNormalization(name="norm")(x))
    return keras.Model(inputs, logits_of_mean(x, classes), name="resnet")
