import itertools

from assignments.foundations.logistic_regression import EXERCISE, Settings, logistic_nll, prepare, probit_nll
from keras_course import data, scratch
from keras_course.check import Mutant, points, same

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

RNG = np.random.default_rng(0)
X = np.hstack([np.ones((40, 1)), RNG.normal(size=(40, 2))])
Y = (X @ [0.3, 1.0, -0.5] + RNG.logistic(size=40) > 0).astype(float)
W = np.array([0.2, -0.7, 1.1])


def loss(model, w, x, y):
    """Value, gradient and Hessian."""
    from assignments.foundations import logistic_regression

    return list(getattr(logistic_regression, f"{model}_nll")(w, x, y))


def fitted(model, x, y):
    """The path of Newton's method, or the sentence that refused it."""
    from assignments.foundations import logistic_regression
    from keras_course.base import InputError

    try:
        return logistic_regression.newton(getattr(logistic_regression, f"{model}_nll"), x, y)
    except InputError as error:
        return str(error)


def steep():
    """The path on a convex function whose whole Newton steps overshoot."""
    from assignments.foundations.logistic_regression import newton

    import numpy as np

    def log_cosh(w, x, y):
        return float(np.log(np.cosh(w - 3))[0]), np.tanh(w - 3), 1 / np.cosh(w - 3)[:, None] ** 2

    return newton(log_cosh, np.ones((2, 1)), np.array([0.0, 1]))


def probabilities(model, w, x):
    z = x @ w
    return 1 / (1 + np.exp(-z)) if model == "logistic" else norm.cdf(z)


@points(2)
def test_values_are_the_definition(subject):
    """The mean over the examples of -log P(y | x)."""
    for model in ("logistic", "probit"):
        p = probabilities(model, W, X)
        expected = float(np.mean(-np.where(Y == 1, np.log(p), np.log(1 - p))))
        same(subject(loss, model=model, w=W, x=X, y=Y)[0], expected, what=model)


@points(3)
def test_gradients_and_hessians_are_those_of_differences(subject):
    for model in ("logistic", "probit"):
        w = W.copy()

        def part(index, w=w, model=model):
            return lambda: float(np.ravel(np.hstack(subject(loss, model=model, w=w, x=X, y=Y)[:2]))[index])

        _, gradient, hessian = subject(loss, model=model, w=w, x=X, y=Y)
        for index, claimed in enumerate([gradient, *hessian]):  # of the value, then of each entry of the gradient
            (row,) = scratch.compare_gradients(part(index), {"w": w}, {"w": claimed})
            assert row["error"] < 1e-5, f"{model}, derivative of part {index}: relative error {row['error']:.1e}"


@points(2)
def test_far_out_nothing_overflows(subject):
    """For z = ±1000 on the wrong side the logistic loss is 1000, the probit's about z² / 2."""
    x = np.array([[1000.0], [-1000.0]])
    value, gradient, _ = subject(loss, model="logistic", w=np.ones(1), x=x, y=np.array([0.0, 1]))
    same(value, 1000.0)
    same(gradient, np.array([1000.0]))
    value, gradient, hessian = subject(loss, model="probit", w=np.ones(1), x=x, y=np.array([0.0, 1]))
    same(value, 500_007.83, rtol=1e-6)
    assert np.isfinite(gradient).all()
    assert np.isfinite(hessian).all()


@points(2)
def test_newton_ends_where_scikit_learn_does(subject):
    path = subject(fitted, model="logistic", x=X, y=Y)
    expected = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-12, max_iter=1000).fit(X, Y)
    same(path[-1], expected.coef_[0], rtol=1e-4, atol=1e-5)
    same(path[0], np.zeros(3), what="the start")


def test_newton_finds_the_minimum_of_the_probit_likelihood(subject):
    path = subject(fitted, model="probit", x=X, y=Y)
    precise = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 5000}
    value = lambda w: -np.sum(norm.logcdf((2 * Y - 1) * (X @ w)))  # noqa: E731
    brute = minimize(value, np.zeros(3), method="Nelder-Mead", options=precise)
    same(path[-1], brute.x, rtol=1e-3, atol=1e-4)
    assert len(path) < 12, f"{len(path) - 1} steps: is it Newton's method?"


def test_every_step_of_newton_goes_down(subject):
    """Whole steps on log cosh(w - 3) jump from 0 to beyond 100; halved ones come down."""
    path = subject(steep)
    values = [float(np.log(np.cosh(w[0] - 3))) for w in path]
    assert all(b <= a + 1e-12 for a, b in itertools.pairwise(values)), values
    same(path[-1], np.array([3.0]), what="the minimum")


def test_classes_that_a_line_parts_and_other_labels_are_refused(subject):
    x = np.hstack([np.ones((4, 1)), [[-2.0], [-1], [1], [2]]])
    for model in ("logistic", "probit"):
        answer = subject(fitted, model=model, x=x, y=np.array([0.0, 0, 1, 1]))
        assert isinstance(answer, str), f"{model}: accepted classes that a line parts"
        assert answer.startswith("`x` must not be separable"), answer
    same(subject(fitted, model="logistic", x=x, y=np.array([0.0, 2, 1, 1])), "`y` must be 0 or 1. Received: [2.0].")


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_both_likelihoods_are_convex(seed):
    rng = np.random.default_rng(seed)
    x, y, w = rng.normal(size=(9, 3)), rng.integers(0, 2, 9).astype(float), 5 * rng.normal(size=3)
    for nll in (logistic_nll, probit_nll):
        assert np.linalg.eigvalsh(nll(w, x, y)[2]).min() >= -1e-12


def test_features_are_scaled_by_the_training_split_alone():
    splits = data.load("breast_cancer")
    far = data.Splits(
        splits.train, splits.validation, data.Split(splits.test.x * 100, splits.test.y), name="far", source="small",
        classes=splits.classes, licence="none",
    )  # fmt: skip
    for one, other in zip(prepare(splits, Settings())[:2], prepare(far, Settings())[:2], strict=True):
        np.testing.assert_array_equal(one[0], other[0])
    (x, _), *_ = prepare(splits, Settings())
    np.testing.assert_allclose(x[:, 1:].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(x[:, 1:].std(axis=0), 1, rtol=1e-5)


def test_the_two_models_are_told_apart():
    result = EXERCISE.run(EXERCISE.quick, None)
    logistic, probit = result.tables["What the source called logistic regression"]
    assert (probit["P(1 | x)"], probit["called by the source (S3)"]) == ("Φ(w·x)", "logistic")
    assert result.scores["ratio_of_coefficients"] > 1.3
    assert logistic["negative log-likelihood"] != pytest.approx(probit["negative log-likelihood"], rel=1e-3)


FILE = "assignments/foundations/logistic_regression.py"
MUTANTS = [
    Mutant(
        file=FILE,
        old="z = x @ w\n    p = expit(z)",
        new="z = x @ w\n    p = ndtr(z)",
        caught_by="test_gradients_and_hessians_are_those_of_differences",
        trap="the probit's probability in the logistic gradient",
    ),
    Mutant(
        file=FILE,
        old="r = np.exp(-0.5 * u**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(u))\n    return -float(np.mean(log_ndtr(u)))",
        new="r = expit(-u)\n    return float(np.mean(np.logaddexp(0, -u)))",
        caught_by="test_values_are_the_definition",
        trap="calling the probit model logistic",
    ),
    Mutant(
        file=FILE,
        old="value = np.mean(np.logaddexp(0, z) - y * z)",
        new="value = np.mean(np.log(1 + np.exp(z)) - y * z)",
        caught_by="test_far_out_nothing_overflows",
        trap="exp of a thousand",
    ),
    Mutant(
        file=FILE,
        old="np.exp(-0.5 * u**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(u))",
        new="np.exp(-0.5 * u**2) / np.sqrt(2 * np.pi) / ndtr(u)",
        caught_by="test_far_out_nothing_overflows",
        trap="0 / 0 far down",
    ),
    Mutant(
        file=FILE,
        old="x.T @ (p - y) / len(y), (x.T",
        new="x.T @ (p - y), (x.T",
        caught_by="test_gradients_and_hessians_are_those_of_differences",
        trap="a gradient of the sum, a value of the mean",
    ),
    Mutant(
        file=FILE,
        old="if nll(history[-1] - step, x, y)[0] <= value:",
        new="if True:",
        caught_by="test_every_step_of_newton_goes_down",
        trap="whole steps that overshoot",
    ),
    Mutant(
        file=FILE,
        old="        refuse_separable(history[-1], x, y)\n",
        new="",
        caught_by="test_classes_that_a_line_parts_and_other_labels_are_refused",
        trap="weights that grow without end",
    ),
    Mutant(
        file=FILE,
        old="step = np.linalg.solve(hessian, gradient)",
        new="step = gradient",
        caught_by="test_newton_ends_where_scikit_learn_does",
        trap="plain descent under Newton's name",
    ),
]
