"""What holds for every layer of the course."""

import inspect

from tests.layers.cases import Case, numbers, randomise

import keras
import numpy as np
import tensorflow as tf


def symbolic_model(case: Case, layer: keras.layers.Layer) -> keras.Model:
    inputs = [keras.Input(shape[1:]) for shape in case.shapes]
    return keras.Model(inputs, case.call(layer, inputs))


def check_layer(case: Case, folder) -> None:
    """Builds, shape, precision, configuration, file, mask and gradients of one case."""
    for check in (check_build, check_shape, check_precision, check_config, check_mask, check_gradients):
        check(case)
    check_file(case, folder)


def check_build(case):
    layer, called = case.make(), case.make()
    assert not numbers(layer), "weights before build"
    layer.build(*case.shape_arguments())
    case.call(called, case.arrays())
    assert [w.shape for w in layer.weights] == [w.shape for w in called.weights]


def check_shape(case):
    layer = case.make()
    real = case.call(layer, case.arrays()).shape
    assert tuple(layer.compute_output_shape(*case.shape_arguments())) == tuple(real)
    symbolic = symbolic_model(case, case.make()).output.shape
    assert all(s in (None, r) for s, r in zip(symbolic, real, strict=True)), f"{symbolic} announced, {real} given"


def check_precision(case):
    layer = case.make(dtype="float64")
    y = case.call(layer, [x.astype("float64") for x in case.arrays()])
    assert {str(w.dtype) for w in numbers(layer)} <= {"float64"}
    assert y.dtype == tf.float64
    mixed = case.make(dtype="mixed_bfloat16")
    assert case.call(mixed, case.arrays()).dtype == tf.bfloat16
    assert {str(w.dtype) for w in numbers(mixed)} <= {"float32"}


def check_config(case):
    layer = case.make(name="named")
    config = layer.get_config()
    taken = set(inspect.signature(type(layer).__init__).parameters) - {"self", "kwargs"}
    assert taken <= set(config), f"get_config leaves out {taken - set(config)}"
    again = type(layer).from_config(config)
    assert again.get_config() == config
    case.call(layer, case.arrays())
    case.call(again, case.arrays())
    assert [w.shape for w in again.weights] == [w.shape for w in layer.weights]


def check_file(case, folder):
    model = symbolic_model(case, case.make(name="named"))
    randomise(model.get_layer("named"))
    model.save(folder / "model.keras")
    loaded = keras.saving.load_model(folder / "model.keras")
    x = case.arrays()
    np.testing.assert_array_equal(model(x), loaded(x))


def check_mask(case):
    layer, masks = case.make(), [np.ones(shape[:2], bool) for shape in case.shapes]
    assert layer.supports_masking == case.keeps_mask
    if case.keeps_mask:
        assert layer.compute_mask(case.arrays()[0], masks[0]) is masks[0]


def check_gradients(case):
    layer = case.make()
    inputs = [tf.constant(x) for x in case.arrays()]
    case.call(layer, inputs)
    randomise(layer)
    sources = [*inputs, *(w.value for w in layer.trainable_weights)]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        y = case.call(layer, inputs)
        loss = tf.reduce_sum(y * np.random.default_rng(3).normal(size=y.shape))
    names = [*(f"input {i}" for i in range(len(inputs))), *(w.path for w in layer.trainable_weights)]
    for name, gradient in zip(names, tape.gradient(loss, sources), strict=True):
        assert gradient is not None, f"no gradient reaches {name}"
        assert np.isfinite(gradient).all(), f"the gradient of {name} is not finite"
        # Adding a number to every key changes no weight of a softmax: the bias of the keys has no gradient.
        assert np.abs(gradient).max() > 1e-6 or name.endswith("key/bias"), f"the gradient of {name} is zero"
