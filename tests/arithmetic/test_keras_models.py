from keras_course import layers, models
from keras_course.arithmetic import keras_models, read_stack
from keras_course.base import InputError
from keras_course.cli import main

import jax
import keras
import numpy as np
import pytest

L = keras.layers
SHAPE = (16, 12, 3)
MODELS = {
    "mlp": lambda: models.mlp(SHAPE, 5, hidden=(7, 3)),
    "cnn": lambda: models.cnn(SHAPE, 5),
    "cnn_sequential": lambda: models.cnn_sequential(SHAPE, 5),
    "densenet": lambda: models.densenet(SHAPE, 5, layers_per_block=(2, 2), growth_rate=3),
    "resnet": lambda: models.resnet(SHAPE, 5),
    "vae": lambda: models.vae(SHAPE, latent=2, hidden=(8,)),
}


@pytest.mark.parametrize("name", MODELS)
def test_parameters_and_shapes_of_the_projects_models_are_those_of_keras(name):
    model = MODELS[name]()
    rows = keras_models.rows_of(model)
    assert sum(row.parameters for row in rows) == sum(np.prod(w.shape) for w in model.trainable_weights)
    fixed = [w for w in model.non_trainable_weights if "seed" not in w.path]
    assert sum(row.fixed for row in rows) == sum(np.prod(w.shape) for w in fixed)
    outputs = {f"{op.name} ({type(op).__name__})": op for op in getattr(model, "operations", model.layers)}
    for row in rows:
        if row.name not in outputs:  # the input of a Sequential is no layer of it
            continue
        expected = outputs[row.name].output
        expected = expected[0] if isinstance(expected, list | tuple) else expected
        assert row.shape == tuple(expected.shape)[1:]


TEXTS = [
    ("conv 4 3x3 same, relu, pool 2, flatten, dense 5", (8, 6, 3)),
    ("separable 4 3, batchnorm, globalpool, dense 2 no bias", (8, 6, 3)),
    ("depthwise 3 stride 2, conv 5 1", (8, 6, 3)),
    ("conv 4 3 dilation 2, lstm 5 sequences, gru 3, dense 2", (9, 2)),
]
MAKE = {
    TEXTS[0][0]: lambda: [L.Conv2D(4, 3, padding="same"), L.ReLU(), L.MaxPooling2D(), L.Flatten(), L.Dense(5)],
    TEXTS[1][0]: lambda: [
        L.SeparableConv2D(4, 3), L.BatchNormalization(), L.GlobalAveragePooling2D(), L.Dense(2, use_bias=False)
    ],
    TEXTS[2][0]: lambda: [L.DepthwiseConv2D(3, 2), L.Conv2D(5, 1)],
    TEXTS[3][0]: lambda: [L.Conv1D(4, 3, dilation_rate=2), L.LSTM(5, return_sequences=True), L.GRU(3), L.Dense(2)],
}  # fmt: skip


@pytest.mark.parametrize(("text", "shape"), TEXTS)
def test_a_model_and_its_text_cost_the_same(text, shape):
    model = keras.Sequential([keras.Input(shape), *MAKE[text]()])
    ours, theirs = read_stack(text, shape), keras_models.rows_of(model)
    for field in ("shape", "parameters", "fixed", "flops", "depth"):
        assert [getattr(row, field) for row in ours] == [getattr(row, field) for row in theirs], field


def cost(layer, shape):
    inputs = keras.Input(shape)
    (_, row) = keras_models.rows_of(keras.Model(inputs, layer(inputs)))
    return row


def test_a_layer_for_each_step_costs_as_many_times_as_there_are_steps():
    one, five = cost(L.Conv2D(4, 3), (8, 6, 3)), cost(L.TimeDistributed(L.Conv2D(4, 3)), (5, 8, 6, 3))
    assert five.shape == (5, *one.shape)
    assert (five.parameters, five.flops, five.depth) == (one.parameters, 5 * one.flops, one.depth)


def test_both_directions_cost_twice_and_wait_once():
    one, both = cost(L.LSTM(4), (5, 3)), cost(L.Bidirectional(L.LSTM(4)), (5, 3))
    assert (both.parameters, both.flops, both.depth) == (2 * one.parameters, 2 * one.flops, one.depth)


def test_layers_made_of_layers_are_opened():
    """The cost of a dense block is that of its parts, counted by XLA up to what it saves and adds."""
    inputs = keras.Input((8, 6, 3))
    block = layers.DenseBlock(3, 4)
    (_, row) = keras_models.rows_of(keras.Model(inputs, block(inputs)))
    products = sum(2 * 9 * channels * 4 * 48 for channels in (3, 7, 11))
    assert products < row.flops < 1.3 * products
    assert row.depth == 9  # three times normalisation, ReLU, convolution


def test_flops_of_a_dense_network_are_those_of_xla():
    model = keras.Sequential([keras.Input((64,)), L.Dense(32, use_bias=False), L.Dense(10, use_bias=False)])
    weights = [np.asarray(w) for w in model.get_weights()]
    run = jax.jit(lambda x: x @ weights[0] @ weights[1]).lower(np.zeros((1, 64), "float32"))
    cost = run.compile().cost_analysis()
    cost = cost[0] if isinstance(cost, list) else cost
    assert sum(row.flops for row in keras_models.rows_of(model)) == cost["flops"]


def test_branches_have_the_depth_of_the_longest():
    inputs = keras.Input((8,))
    long = L.Dense(8)(L.ReLU()(L.Dense(8)(inputs)))
    model = keras.Model(inputs, L.Add()([inputs, long]))
    assert [row.depth for row in keras_models.rows_of(model)] == [0, 1, 2, 3, 4]


def test_a_layer_that_is_used_twice_has_its_parameters_once_and_its_cost_twice():
    inputs, shared = keras.Input((8,)), L.Dense(8)
    rows = keras_models.rows_of(keras.Model(inputs, shared(shared(inputs))))
    assert [row.parameters for row in rows] == [0, 72, 0]
    assert [row.flops for row in rows] == [0, 136, 136]


def test_what_cannot_be_opened_is_at_least():
    class Odd(L.Layer):
        def call(self, x):
            return np.asarray(x) * 2  # NumPy cannot work on symbols

        def compute_output_spec(self, x):
            return keras.KerasTensor(x.shape, x.dtype)

    inputs = keras.Input((4,))
    (_, row, _) = keras_models.rows_of(keras.Model(inputs, L.Dense(2)(Odd()(inputs))))
    assert row.flops is None


def test_a_file_is_read_and_what_is_none_is_refused(tmp_path, capsys):
    path = tmp_path / "model.keras"
    MODELS["densenet"]().save(path)
    assert main(["arithmetic", str(path)]) == 0
    assert "DenseBlock" in capsys.readouterr().out
    (tmp_path / "broken.keras").write_text("no model")
    for name, sentence in (("none.keras", "`model` must be a file"), ("broken.keras", "is no Keras model")):
        assert main(["arithmetic", str(tmp_path / name)]) == 2
        assert sentence in capsys.readouterr().err
    with pytest.raises(InputError, match="must be built"):
        keras_models.rows_of(keras.Sequential([L.Dense(2)]))
