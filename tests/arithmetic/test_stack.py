import itertools
import json

from keras_course.arithmetic import read_shape, read_stack
from keras_course.base import InputError
from keras_course.cli import main

import keras
import numpy as np
import pytest
import tensorflow as tf

L = keras.layers
CASES = [  # text, shape of an example, the same in Keras
    ("conv 5 3x2", (7, 8, 3), lambda: L.Conv2D(5, (3, 2))),
    ("conv 5 3 same stride 2", (7, 8, 3), lambda: L.Conv2D(5, 3, 2, "same")),
    ("conv 4 3x3 dilation 2 no bias", (7, 8, 3), lambda: L.Conv2D(4, 3, dilation_rate=2, use_bias=False)),
    ("conv 6 3 groups 3", (7, 8, 3), lambda: L.Conv2D(6, 3, groups=3)),
    ("conv1d 5 3 stride 2", (9, 2), lambda: L.Conv1D(5, 3, 2)),
    ("conv3d 2 3x2x3 same", (5, 6, 7, 3), lambda: L.Conv3D(2, (3, 2, 3), padding="same")),
    ("depthwise 3x3 same", (7, 8, 3), lambda: L.DepthwiseConv2D(3, padding="same")),
    ("separable 5 3", (7, 8, 3), lambda: L.SeparableConv2D(5, 3)),
    ("pool 2", (7, 8, 3), lambda: L.MaxPooling2D(2)),
    ("maxpool 3 stride 2 same", (7, 8, 3), lambda: L.MaxPooling2D(3, 2, "same")),
    ("avgpool 2x3 stride 1", (7, 8, 3), lambda: L.AveragePooling2D((2, 3), 1)),
    ("pool 2", (9, 3), lambda: L.MaxPooling1D(2)),
    ("globalpool", (7, 8, 3), lambda: L.GlobalAveragePooling2D()),
    ("dense 5", (3,), lambda: L.Dense(5)),
    ("dense 5 no bias", (2, 3), lambda: L.Dense(5, use_bias=False)),
    ("flatten", (2, 3, 5), lambda: L.Flatten()),
    ("rnn 32", (7, 10), lambda: L.SimpleRNN(32)),
    ("gru 32 sequences", (7, 10), lambda: L.GRU(32, return_sequences=True)),
    ("lstm 32", (7, 10), lambda: L.LSTM(32)),
    ("embedding 100 8", (7,), lambda: L.Embedding(100, 8)),
    ("batchnorm", (7, 8, 3), lambda: L.BatchNormalization()),
    ("layernorm", (7, 3), lambda: L.LayerNormalization()),
    ("relu", (7, 3), lambda: L.ReLU()),
    ("dropout .5", (7, 3), lambda: L.Dropout(0.5)),
]


@pytest.mark.parametrize(("text", "shape", "make"), CASES, ids=[case[0] for case in CASES])
def test_shapes_and_parameters_are_those_of_keras(text, shape, make):
    layer = make()
    output = layer(np.zeros((2, *shape), "int32" if text.startswith("embedding") else "float32"))
    row = read_stack(text, shape)[-1]
    assert row.shape == tuple(output.shape)[1:]
    assert row.parameters == sum(np.prod(w.shape) for w in layer.trainable_weights)
    assert row.fixed == sum(np.prod(w.shape) for w in layer.non_trainable_weights if "seed" not in w.path)


def test_two_biases_are_what_pytorch_counts():
    counts = {kind: read_stack(f"{kind} 32 two biases", (7, 10))[-1].parameters for kind in ("rnn", "gru", "lstm")}
    assert counts == {"rnn": 1408, "gru": 4224, "lstm": 5632}


def test_flops_of_a_convolution_are_the_multiplications_and_additions_of_its_loops():
    height, width, channels, filters, kernel, stride = 5, 7, 2, 3, (2, 3), 2
    operations = 0
    for i, j in itertools.product(range(0, height, stride), range(0, width, stride)):
        if i + kernel[0] <= height and j + kernel[1] <= width:
            for _filter in range(filters):
                operations += 1  # the bias is added
                for _entry in itertools.product(range(kernel[0]), range(kernel[1]), range(channels)):
                    operations += 2  # a multiplication and an addition
    row = read_stack("conv 3 2x3 stride 2", (height, width, channels))[-1]
    assert row.flops == operations


def test_receptive_fields_are_what_a_gradient_reaches():
    """Kernels of ones: the pixels with a gradient are the ones that are seen."""
    text = "conv 1 3x2, pool 2, conv 1 2 dilation 2, conv 1 3 stride 2"
    shape = (23, 27, 1)
    rows = read_stack(text, shape)
    one = {"kernel_initializer": "ones", "use_bias": False}
    model = keras.Sequential(
        [
            L.Conv2D(1, (3, 2), **one),
            L.AveragePooling2D(2),
            L.Conv2D(1, 2, dilation_rate=2, **one),
            L.Conv2D(1, 3, 2, **one),
        ]
    )
    x = tf.ones((1, *shape))
    reached = []
    for place in (0, 1):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = model(x)[0, place, place, 0]
        reached.append(np.argwhere(tape.gradient(value, x)[0, :, :, 0].numpy() > 0))
    sizes = reached[0].max(axis=0) - reached[0].min(axis=0) + 1
    assert rows[-1].field == tuple(sizes)
    assert rows[-1].jump == tuple(reached[1].min(axis=0) - reached[0].min(axis=0))


def test_depth_adds_up_and_a_recurrent_layer_has_one_for_each_step():
    rows = read_stack("conv 8 3, relu, lstm 5 sequences, lstm 5, dense 2", (20, 3))
    assert [row.depth for row in rows] == [0, 1, 2, 20, 38, 39]


@pytest.mark.parametrize(
    ("text", "shape", "sentence"),
    [
        (
            "conv 32 5x5 dilation 8",
            "11x11x3",
            "layer 1 (conv 32 5x5 dilation 8): effective kernel 33 > 11 on axis height",
        ),
        ("pool 2, pool 9", "8x8x1", "layer 2 (pool 9): effective kernel 9 > 4 on axis height"),
        (
            "conv 4 4x4 same dilation 3",
            "9x9x1",
            'layer 1 (conv 4 4x4 same dilation 3): `kernel` must be odd where "same"',
        ),
        ("cnv 3", "9x9x1", "No layer named 'cnv'. Did you mean 'conv'?"),
        (
            "conv 3 3x3 wide",
            "9x9x1",
            "layer 1 (conv 3 3x3 wide): `conv 3 3x3 wide` has words that mean nothing here: wide",
        ),
        ("conv", "9x9x1", "layer 1 (conv): `conv` must say its filters"),
        ("conv 4 3 stride", "9x9x1", "layer 1 (conv 4 3 stride): `stride` of `conv 4 3 stride` must be followed by"),
        ("conv 4 3x3x3", "9x9x1", "layer 1 (conv 4 3x3x3): `3x3x3` must be of 2 sizes above 0"),
        ("conv 4 3 groups 2", "9x9x3", "layer 1 (conv 4 3 groups 2): `groups` must be a divisor of 3 and 4"),
        ("lstm 4", "9x9x3", "layer 1 (lstm 4): `lstm 4` must be behind an input of time and features"),
        ("dense 4, conv 3 3", "9", "layer 2 (conv 3 3): `conv 3 3` needs an input with places and channels"),
        ("conv 3 3,,relu", "9x9x1", "`stack` must be layers with commas between them"),
        ("conv 3 3", "9x0x1", "`--input` must be sizes above 0 with x between them"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_exit_status_2(text, shape, sentence, capsys):
    assert main(["arithmetic", text, "--input", shape]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"keras-course: {sentence}"), captured.err
    assert captured.err.count("\n") == 1


def test_the_command_prints_a_table_and_writes_json(tmp_path, capsys):
    text = "conv 64 3x3 same, pool 2, conv 32 5x5 dilation 8"
    assert main(["arithmetic", text, "--input", "256x256x3", "--json", str(tmp_path / "rows.json")]) == 0
    printed = capsys.readouterr().out
    for part in ("96 × 96 × 32", "51,232", "68 × 68", "1,792", "53,024 parameters"):
        assert part in printed
    content = json.loads((tmp_path / "rows.json").read_text())
    assert content["totals"]["parameters"] == 53_024
    assert [layer["shape"] for layer in content["layers"]][-1] == [96, 96, 32]
    assert main(["arithmetic", text]) == 2
    assert "`--input` must say the shape" in capsys.readouterr().err


def test_shapes_are_read_as_they_are_typed():
    assert read_shape("256x256x3") == (256, 256, 3)
    with pytest.raises(InputError, match="`--input` must be sizes"):
        read_shape("256,256")
