from keras_course import scratch
from keras_course.base import InputError

import keras
import numpy as np
import pytest

RULES = {
    "sgd": (scratch.SGD(0.1), keras.optimizers.SGD(0.1)),
    "momentum": (scratch.SGD(0.1, momentum=0.9), keras.optimizers.SGD(0.1, momentum=0.9)),
    "rmsprop": (scratch.RMSprop(0.05, rho=0.8), keras.optimizers.RMSprop(0.05, rho=0.8)),
    "adam": (scratch.Adam(0.05, 0.8, 0.9), keras.optimizers.Adam(0.05, 0.8, 0.9)),
}


@pytest.mark.parametrize("name", RULES)
def test_ten_steps_are_those_of_keras(name):
    ours, theirs = RULES[name]
    rng = np.random.default_rng(0)
    parameters = {"kernel": rng.normal(size=(2, 3)), "bias": rng.normal(size=5)}
    variables = [keras.Variable(w, dtype="float64") for w in parameters.values()]
    for _ in range(10):
        gradients = {name: rng.normal(size=w.shape) for name, w in parameters.items()}
        ours.step(parameters, gradients)
        theirs.apply([keras.ops.convert_to_tensor(g, "float64") for g in gradients.values()], variables)
    # Keras keeps the rate and the constants of a rule in float32
    for received, expected in zip(parameters.values(), variables, strict=True):
        np.testing.assert_allclose(received, expected.numpy(), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("make", [lambda: scratch.SGD(0.1, 0.9), scratch.RMSprop, scratch.Adam])
def test_parameters_change_in_place_and_keep_their_precision(make):
    w = np.ones(3, "float32")
    make().step({"w": w}, {"w": np.ones(3, "float32")})
    assert w.dtype == "float32"
    assert (w < 1).all()


def test_the_first_step_of_adam_is_the_learning_rate_whatever_the_gradient():
    w = np.zeros(3)
    scratch.Adam(0.01).step({"w": w}, {"w": np.array([1e-3, -5.0, 1e4])})
    np.testing.assert_allclose(w, [-0.01, 0.01, -0.01], rtol=1e-2)


def test_constants_outside_their_range_are_refused():
    for make, field in (
        (lambda: scratch.SGD(0.0), "learning_rate"),
        (lambda: scratch.SGD(0.1, momentum=1.0), "momentum"),
        (lambda: scratch.RMSprop(rho=-0.1), "rho"),
        (lambda: scratch.Adam(beta_1=1.0), "beta_1"),
        (lambda: scratch.Adam(beta_2=2.0), "beta_2"),
    ):
        with pytest.raises(InputError, match=f"`{field}` must be"):
            make()


def test_a_rule_without_a_step_says_so():
    with pytest.raises(NotImplementedError, match="Optimizer has no `step`"):
        scratch.optimizers.Optimizer(0.1).step({}, {})
