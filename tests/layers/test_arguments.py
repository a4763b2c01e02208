"""Bad arguments are refused at the door, in one sentence."""

from keras_course import layers
from keras_course.base import InputError
from keras_course.layers import arguments

import keras
import pytest

REFUSED = {
    "`filters` must be a whole number of at least 1. Received: 0.": lambda: layers.PreActivationConv(0, 3),
    "`kernel_size` must be a whole number of at least 1. Received: 2.5.": lambda: layers.PreActivationConv(2, 2.5),
    "`stride` must be a whole number of at least 1. Received: True.": lambda: layers.ResidualBlock(2, stride=True),
    "`dropout` must be a number from 0 to below 1. Received: 1.": lambda: layers.DenseBlock(2, 3, dropout=1),
    "`layers` must be a whole number of at least 1. Received: 0.": lambda: layers.DenseBlock(0, 3),
    "`growth_rate` must be a whole number of at least 1. Received: -3.": lambda: layers.DenseBlock(2, -3),
    "`bottleneck` must be True or False. Received: 4.": lambda: layers.DenseBlock(2, 3, bottleneck=4),
    "`compression` must be a number above 0 and at most 1. Received: 1.5.": lambda: layers.Transition(1.5),
    "`compression` must be large enough to leave 1 of 3 maps. Received: 0.3.": lambda: layers.Transition(0.3).build(
        (None, 4, 4, 3)
    ),
    "`reduction` must be a whole number of at least 1. Received: 0.": lambda: layers.CBAM(reduction=0),
    "`kernel_size` must be an odd whole number. Received: 4.": lambda: layers.CBAM(kernel_size=4),
    "`kernel_size` must be a whole number of at least 1. Received: -3.": lambda: layers.SpatialAttention(-3),
    "No attention named 'cbm'. Did you mean 'cbam'? There are: cbam.": lambda: layers.ResidualBlock(2, attention="cbm"),
    "`shortcut` must be True or False. Received: None.": lambda: layers.ResidualBlock(2, shortcut=None),
    "`seed` must be None or a whole number from 0 to 2147483647. Received: -1.": lambda: layers.Sampling(-1),
    "`scale` must be True or False. Received: 8.": lambda: layers.DotProductAttention(8),
    "`strength` must be a number above 0. Received: 0.": lambda: layers.CosineAttention(0),
    "`units` must be a whole number of at least 1. Received: None.": lambda: layers.AdditiveAttention(None),
    "`num_heads` must be a whole number of at least 1. Received: 0.": lambda: layers.MultiHeadAttention(0, 2),
    "`value_dim` must be a whole number of at least 1. Received: -1.": lambda: layers.MultiHeadAttention(
        2, 2, value_dim=-1
    ),
    "`key` must be as deep as the query, 4. Received: 3.": lambda: layers.CosineAttention()(
        keras.Input((2, 4)), keras.Input((2, 3))
    ),
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_bad_argument_is_refused_in_one_sentence(sentence):
    with pytest.raises(InputError) as caught:
        REFUSED[sentence]()
    assert str(caught.value) == sentence


def test_limits_are_accepted():
    arguments.whole_numbers(a=1, b=10**9)
    arguments.rate(dropout=0)
    arguments.rate(dropout=0.999)
    arguments.seed(0)
    arguments.seed(2**31 - 1)
    arguments.seed(None)
