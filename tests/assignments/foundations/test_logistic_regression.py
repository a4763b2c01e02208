import itertools
import math
import statistics

from assignments.foundations.logistic_regression import EXERCISE, Settings, factors, logistic_nll, prepare, probit_nll
from keras_course import data
from keras_course.base import InputError
from keras_course.check import Mutant, points, same

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

RNG = np.random.default_rng(3)
X = np.hstack([np.ones((25, 1)), RNG.normal(size=(25, 2)) * [1.0, 3.0] + [0.5, -1.0]])  # (25, 3)
Y = np.array([0, 1, 1, 0, 1] * 5)
W = np.array([0.4, -0.9, 0.2])
NORMAL = statistics.NormalDist()


def values(model, weights, x, y):
    """Value, gradient and Hessian at each of several weights."""
    from assignments.foundations import logistic_regression as task

    nll = getattr(task, f"{model}_nll")
    return [list(nll(w, x, y)) for w in weights]


def newton_path(model, x, y, start=None):
    """The path of Newton's method, or the sentence that ended it."""
    from assignments.foundations import logistic_regression as task
    from keras_course.base import InputError

    try:
        return task.newton(getattr(task, f"{model}_nll"), x, y, start=start)
    except InputError as error:
        return str(error)


def newton_on_a_bowl(a, matrix):
    """The path of Newton's method on ½ (w - a)' M (w - a)."""
    from assignments.foundations.logistic_regression import newton

    import numpy as np

    def bowl(w, x, y):
        return float((w - a) @ matrix @ (w - a) / 2), matrix @ (w - a), matrix

    return newton(bowl, np.eye(len(a)), np.arange(len(a)) % 2)


def sgd_path(x, y, **choice):
    """The path of SGD on the logistic NLL."""
    from assignments.foundations.logistic_regression import logistic_nll, sgd

    import numpy as np

    return sgd(logistic_nll, x, y, rng=np.random.default_rng(0), **choice)


def rows_seen(n, batch_size, epochs):
    """The examples in each batch of SGD, and the weights when each gradient is the mean of (row, 1)."""
    from assignments.foundations.logistic_regression import sgd

    import numpy as np

    seen = []

    def record(w, x, y):
        seen.append([x[:, 0].tolist(), y.tolist()])
        return 0.0, np.array([1.0, 2.0]), np.eye(2)

    x = np.stack([np.arange(n), np.ones(n)], axis=1)
    path = sgd(
        record, x, np.arange(n) % 2, epochs=epochs, learning_rate=0.5, batch_size=batch_size,
        rng=np.random.default_rng(1),
    )  # fmt: skip
    return {"seen": seen, "path": path}


def prepared(train, validation, test, inputs):
    """What the models get of three splits of a table with three classes, of which b is 0 and a is 1."""
    from assignments.foundations.logistic_regression import Settings, prepare
    from keras_course import data

    import numpy as np

    parts = [data.Split(x, np.arange(len(x)) % 3) for x in (train, validation, test)]
    splits = data.Splits(*parts, name="made", source="small", classes=("a", "b", "c"), licence="none")
    return [list(part) for part in prepare(splits, Settings(classes=("b", "a"), inputs=(inputs,)))]


def table_run(seed):
    """The run on splits of three Gaussian classes; what it says of each number of inputs, and what it scores."""
    from unittest import mock

    from assignments.foundations import logistic_regression as task
    from keras_course import data

    import numpy as np

    rng, parts = np.random.default_rng(seed), []
    for n in (60, 60, 40):
        y = np.arange(n) % 2
        x = rng.normal(size=(n, 3)) + np.outer(y, [1.0, 0.5, 0.0])
        parts.append(data.Split(x, y))
    parts[1].x[:, 2] *= 40  # an input that misleads on the validation split
    splits = data.Splits(*parts, name="made", source="small", classes=("benign", "malignant"), licence="none")
    with mock.patch.object(data, "load", return_value=splits):
        result = task.run(task.Settings(inputs=(2, 3), epochs=2), None)
    return {"parameters": result.parameters, "tables": {k: list(v) for k, v in result.tables.items()}}


def refusals(x, y):
    """What each model says of these labels."""
    from assignments.foundations import logistic_regression as task
    from keras_course.base import InputError

    import numpy as np

    found = []
    for nll in (task.logistic_nll, task.probit_nll):
        try:
            nll(np.zeros(x.shape[1]), x, y)
            found.append("accepted")
        except InputError as error:
            found.append(str(error))
    return found


def chance(model, z):
    """P(y = 1) written out."""
    return 1 / (1 + math.exp(-z)) if model == "logistic" else NORMAL.cdf(z)


def by_definition(model, w, x=X, y=Y):
    right = [chance(model, z) if label else 1 - chance(model, z) for z, label in zip(x @ w, y, strict=True)]
    return -sum(map(math.log, right)) / len(right)


@points(2)
def test_the_logistic_likelihood_is_the_definition_with_the_sigmoid(subject):
    ((value, _, _),) = subject(values, model="logistic", weights=[W], x=X, y=Y)
    same(value, by_definition("logistic", W), rtol=1e-10)


@points(2)
def test_the_probit_likelihood_is_the_definition_with_the_cumulative_normal(subject):
    """The probit model has Φ where the logistic one has σ: they are two models."""
    ((value, _, _),) = subject(values, model="probit", weights=[W], x=X, y=Y)
    same(value, by_definition("probit", W), rtol=1e-10)


@points(2)
def test_the_gradients_are_those_of_central_differences(subject):
    """Each gradient is the derivative of the value, to a relative 1e-6."""
    step = 1e-5
    moved = [W + sign * step * axis for axis in np.eye(3) for sign in (1, -1)]
    for model in ("logistic", "probit"):
        (_, gradient, _), *rest = subject(values, model=model, weights=[W, *moved], x=X, y=Y)
        due = np.array([(up[0] - down[0]) / (2 * step) for up, down in zip(rest[::2], rest[1::2], strict=True)])
        same(gradient, due, rtol=1e-6, atol=1e-9, what=model)


@points(2)
def test_the_hessians_are_the_derivatives_of_the_gradients(subject):
    step = 1e-5
    moved = [W + sign * step * axis for axis in np.eye(3) for sign in (1, -1)]
    for model in ("logistic", "probit"):
        (_, _, hessian), *rest = subject(values, model=model, weights=[W, *moved], x=X, y=Y)
        due = np.array([(up[1] - down[1]) / (2 * step) for up, down in zip(rest[::2], rest[1::2], strict=True)])
        same(hessian, due, rtol=1e-6, atol=1e-9, what=model)


@points(2)
def test_a_thousand_deviations_out_everything_is_finite_and_right(subject):
    """z = ±1000 gives exact values, slopes and curvatures, no NaN and no infinity."""
    x, y, t = np.array([[1000.0], [-1000.0]]), np.array([0, 0]), 1000.0
    ((value, gradient, hessian),) = subject(values, model="logistic", weights=[np.ones(1)], x=x, y=y)
    same([value, gradient, hessian], [500.0, np.array([500.0]), np.zeros((1, 1))], what="logistic")
    ((value, gradient, hessian),) = subject(values, model="probit", weights=[np.ones(1)], x=x, y=y)
    # far below 0: -log Φ(-t) = t²/2 + log(t √2π) + 1/t² …, its slope is t + 1/t …, its curvature 1 - 1/t² …
    same(value, (t**2 / 2 + math.log(t * math.sqrt(2 * math.pi)) + t**-2) / 2, rtol=1e-9, what="probit")
    same(gradient, np.array([(t + 1 / t) * 1000 / 2]), rtol=1e-6, what="probit, gradient")
    same(hessian, np.array([[1e6 / 2]]), rtol=2e-3, what="probit, Hessian")


def test_both_are_convex(subject):
    """No direction has a negative curvature, whatever the weights."""

    @settings(max_examples=20, deadline=None, database=None)
    @given(st.lists(st.floats(-30, 30), min_size=3, max_size=3))
    def holds(weights):
        for model in ("logistic", "probit"):
            ((_, _, hessian),) = subject(values, model=model, weights=[np.array(weights)], x=X, y=Y)
            least = np.linalg.eigvalsh(hessian).min()
            assert least >= -1e-9 * max(1, np.abs(hessian).max()), f"{model}: curvature {least:.3g} at {weights}"

    holds()


@points(2)
def test_newton_ends_at_the_weights_of_scikit_learn(subject):
    path = subject(newton_path, model="logistic", x=X, y=Y)
    peer = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000).fit(X[:, 1:], Y)
    same(path[0], np.zeros(3), what="the start")
    same(path[-1], np.array([*peer.intercept_, *peer.coef_[0]]), rtol=1e-4, atol=1e-6)


@points(2)
def test_newton_ends_at_the_probit_that_a_search_without_derivatives_finds(subject):
    path = subject(newton_path, model="probit", x=X, y=Y)
    options = {"xatol": 1e-8, "fatol": 1e-12, "maxiter": 4000}
    found = minimize(lambda w: by_definition("probit", w), np.zeros(3), method="Nelder-Mead", options=options)
    same(path[-1], found.x, rtol=1e-4, atol=1e-5)


def test_newton_needs_one_step_for_a_parabola(subject):
    """On a quadratic the first step ends at the minimum and the second changes nothing."""
    a, matrix = np.array([2.0, -1.0, -3.0]), np.array([[4.0, 1, 0], [1, 3, -1], [0, -1, 2]])
    path = subject(newton_on_a_bowl, a=a, matrix=matrix)
    same(path[1], a, what="behind one step")
    same(len(path), 3, what="weights on the path")


@points(2)
def test_newton_never_goes_uphill(subject):
    """From a start where a full step overshoots, it is halved until the likelihood does not fall."""
    for model in ("logistic", "probit"):
        path = subject(newton_path, model=model, x=X, y=Y, start=np.array([3.0, -3.0, -1.5]))
        assert not isinstance(path, str), path
        costs = [by_definition(model, w) for w in path[1:]]
        assert all(b <= a + 1e-9 for a, b in itertools.pairwise(costs)), f"{model}: NLL {costs}"


@points(2)
def test_classes_that_a_plane_parts_have_no_maximum_and_newton_says_so(subject):
    """Separable classes are refused with a sentence, in both models."""
    y = (X @ [0.3, 1.0, -0.2] > 0).astype(int)
    for model in ("logistic", "probit"):
        answer = subject(newton_path, model=model, x=X, y=y)
        assert isinstance(answer, str), f"{model}: accepted, with weights up to {np.abs(answer).max():.3g}"
        assert "no plane parts" in answer, answer
        assert "the likelihood has no maximum" in answer, answer
        assert "a plane that parts all 25 examples" in answer, answer


def test_a_plane_that_parts_all_but_the_examples_on_it_is_refused_too(subject):
    """An input that is 0 but for a few examples of one class has no best weight; a large one is no answer."""
    only = np.where(np.arange(25) % 5 == 1, 1.0, 0.0)  # of class 1 alone
    for model in ("logistic", "probit"):
        answer = subject(newton_path, model=model, x=np.column_stack([X, only]), y=Y)
        assert isinstance(answer, str), f"{model}: accepted, with weights up to {np.abs(answer).max():.3g}"
        assert "no plane parts" in answer, answer


def test_columns_that_depend_on_one_another_are_refused(subject):
    answer = subject(newton_path, model="logistic", x=np.column_stack([X, X[:, 1] - 2 * X[:, 0]]), y=Y)
    same(answer, "`x` must be of independent columns. Received: 'rank 3'.")


def test_other_units_of_the_inputs_change_no_prediction(subject):
    """Inputs in other units and from other zeros give other weights and the same x·w."""
    change = np.array([[1, 0.7, -40], [0, 2.5, 0], [0, 0.4, 1000]])  # an affine change; the ones stay ones
    for model in ("logistic", "probit"):
        one, other = (subject(newton_path, model=model, x=x, y=Y) for x in (X, X @ change))
        same(X @ change @ other[-1], X @ one[-1], rtol=1e-6, atol=1e-7, what=model)


def test_inputs_in_another_order_give_weights_in_that_order(subject):
    order = [2, 0, 1]
    one, other = (subject(newton_path, model="logistic", x=x, y=Y) for x in (X, X[:, order]))
    same(other[-1], one[-1][order], rtol=1e-6)


@points(2)
def test_sgd_on_all_examples_at_once_is_gradient_descent(subject):
    path = subject(sgd_path, x=X, y=Y, epochs=3, learning_rate=0.4, batch_size=25)
    w = np.zeros(3)
    for epoch in range(3):
        same(path[epoch], w, what=f"behind {epoch} steps")
        p = 1 / (1 + np.exp(-X @ w))
        slope = sum((p[i] - Y[i]) * X[i] for i in range(25)) / 25
        w = w - 0.4 / math.sqrt(epoch + 1) * slope


@points(2)
def test_sgd_sees_each_example_once_an_epoch_with_its_own_label(subject):
    """Each epoch is a new order, cut into batches of which the last may be smaller."""
    found = subject(rows_seen, n=7, batch_size=3, epochs=4)
    same([len(x) for x, _ in found["seen"]], [3, 3, 1] * 4, what="sizes of the batches")
    epochs = [[row for x, _ in found["seen"][i : i + 3] for row in x] for i in range(0, 12, 3)]
    for order in epochs:
        same(sorted(order), [float(i) for i in range(7)], what="examples of an epoch")
    assert len({tuple(order) for order in epochs}) > 1, "every epoch has the same order"
    for x, y in found["seen"]:
        same(y, [int(row) % 2 for row in x], what="labels of a batch")
    same(found["path"].shape, (13, 2), what="shape of the path")


def test_labels_other_than_0_and_1_are_refused(subject):
    """-1 for the other class is a convention of other texts; here it is refused by name."""
    for labels, received in ((np.array([1, -1, 1, -1, 1] * 5), -1), (np.array([0, 1, 2, 1, 0] * 5), 2)):
        due = f"`y` must be 0 or 1 for each example. Received: [{received}]."
        same(subject(refusals, x=X, y=labels), [due, due])
    for answer in subject(refusals, x=X, y=Y[:-1]):
        assert answer.startswith("`y` must have size 25 on axis 0"), answer


@points(2)
def test_the_inputs_are_scaled_by_the_training_split_alone(subject):
    """Other test examples change neither the training inputs nor the scale of the rest."""
    rng = np.random.default_rng(0)
    train, validation, test = (rng.normal(3, 2, size=(n, 3)) for n in (30, 12, 9))
    first = subject(prepared, train=train, validation=validation, test=test, inputs=2)
    again = subject(prepared, train=train, validation=validation * 5, test=test * 9 + 1, inputs=2)
    same(again[0], first[0], what="the training split")
    x, y = first[0]
    same(x[:, 1:].mean(axis=0), np.zeros(2), what="the means of the training split")
    same(x[:, 1:].std(axis=0), np.ones(2), what="the deviations of the training split")
    same(y, np.array([1, 0] * 10), what="y, 1 for the second of the two classes")
    used, held = (part[np.arange(len(part)) % 3 < 2] for part in (train, test))
    due = (held[:, :2] - used[:, :2].mean(axis=0)) / used[:, :2].std(axis=0)
    same(first[2][0][:, 1:], due, what="the test split")


def test_the_model_has_an_intercept(subject):
    """A column of ones stands in front: without it P = ½ passes through the mean of all inputs."""
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(n, 3)) for n in (30, 12, 9)]
    for x, _ in subject(prepared, train=parts[0], validation=parts[1], test=parts[2], inputs=2):
        same(x.shape[1], 3, what="columns")
        same(x[:, 0], np.ones(len(x)), what="the first column")


@points(2)
def test_the_inputs_are_chosen_on_validation(subject):
    """Of 2 and 3 inputs those win that have the least NLL on the validation split."""
    found = subject(table_run, seed=0)
    rows = found["tables"]["Inputs, chosen on validation"]
    assert rows[0]["validation NLL, logistic"] < rows[1]["validation NLL, logistic"], rows
    same(found["parameters"], {"logistic": 3, "probit": 3})


@points(2)
def test_the_claim_and_what_is_so_are_shown_side_by_side(subject):
    """The probit's weights are no minimum of the logistic likelihood, under which they are less likely."""
    claimed, probit, logistic = subject(table_run, seed=0)["tables"]["What was claimed and what is so"]
    assert claimed["training NLL"] > logistic["training NLL"] + 1e-3
    assert claimed["largest slope of its NLL"] > 1e-3
    assert max(logistic["largest slope of its NLL"], probit["largest slope of its NLL"]) < 1e-8
    same(claimed["test accuracy"], probit["test accuracy"])


def test_the_logistic_fit_predicts_the_base_rate_and_the_probit_need_not():
    """The intercept's slope is the mean of p - y: 0 at the minimum of the logistic NLL."""
    (x, y), *_ = prepare(data.load("breast_cancer"), Settings(inputs=(3,)))
    from assignments.foundations.logistic_regression import newton

    w, v = (newton(nll, x, y)[-1] for nll in (logistic_nll, probit_nll))
    assert np.mean([chance("logistic", z) for z in x @ w]) == pytest.approx(y.mean(), abs=1e-10)
    assert abs(np.mean([chance("probit", z) for z in x @ v]) - y.mean()) > 1e-5


def test_all_thirty_columns_part_the_classes():
    result = EXERCISE.run(Settings(epochs=1), None)
    rows = {row["inputs"]: row["outcome"] for row in result.tables["Inputs, chosen on validation"]}
    assert rows[30].startswith("no maximum")
    assert "Newton steps" in rows[5]


def test_the_factors_are_where_the_two_curves_agree():
    """Numerically: the factor that makes the slopes at 0 equal, and that which makes the deviations equal."""
    slope, deviation = (row["factor"] for row in factors())
    assert (chance("logistic", slope * 1e-4) - chance("logistic", -slope * 1e-4)) == pytest.approx(
        chance("probit", 1e-4) - chance("probit", -1e-4), rel=1e-6
    )
    z = np.linspace(-60, 60, 200_001)
    variance = np.trapezoid(z**2 / (4 * np.cosh(z / 2) ** 2), z)  # of the density σ'
    assert deviation == pytest.approx(math.sqrt(variance), rel=1e-8)


def test_classes_and_inputs_that_are_not_there_are_refused():
    splits = data.load("breast_cancer")
    with pytest.raises(InputError, match=r"`classes` must be two of .*Received: .*healthy"):
        prepare(splits, Settings(classes=("healthy", "malignant")))
    with pytest.raises(InputError, match=r"`inputs` must be at most 30\. Received: \(31,\)"):
        prepare(splits, Settings(inputs=(31,)))


FILE = "assignments/foundations/logistic_regression.py"
MUTANTS = [
    Mutant(
        file=FILE,
        old="float(value), (p - y) @ x / len(x)",
        new="float(value), (y - p) @ x / len(x)",
        caught_by="test_the_gradients_are_those_of_central_differences",
        trap="the sign of the gradient",
    ),
    Mutant(
        file=FILE,
        old="float(value), (p - y) @ x / len(x)",
        new="float(value), (p - y) @ x",
        caught_by="test_the_gradients_are_those_of_central_differences",
        trap="a value that is a mean, a gradient that is a sum",
    ),
    Mutant(
        file=FILE,
        old="value = np.logaddexp(0, -s * z).mean()",
        new="value = np.log(1 + np.exp(-s * z)).mean()",
        caught_by="test_a_thousand_deviations_out_everything_is_finite_and_right",
        trap="an exponential of a thousand",
    ),
    Mutant(
        file=FILE,
        old="return -float(log_ndtr(t).mean()), -(s * mills) @ x / len(x), hessian",
        new="return logistic_nll(w, x, y)",
        caught_by="test_the_probit_likelihood_is_the_definition_with_the_cumulative_normal",
        trap="calling the probit model logistic",
    ),
    Mutant(
        file=FILE,
        old="mills = np.sqrt(2 / np.pi) / erfcx(-t / np.sqrt(2))",
        new="mills = np.exp(-(t**2) / 2) / np.sqrt(2 * np.pi) / np.exp(log_ndtr(t))",
        caught_by="test_a_thousand_deviations_out_everything_is_finite_and_right",
        trap="0 / 0 for φ / Φ",
    ),
    Mutant(
        file=FILE,
        old="(mills * (mills + t))",
        new="(mills * t)",
        caught_by="test_the_hessians_are_the_derivatives_of_the_gradients",
        trap="half of the probit's curvature",
    ),
    Mutant(
        file=FILE,
        old="            step = step / 2",
        new="            break",
        caught_by="test_newton_never_goes_uphill",
        trap="full steps only",
    ),
    Mutant(
        file=FILE,
        old="        require_overlap(path[-1], x, y)\n",
        new="",
        caught_by="test_classes_that_a_plane_parts_have_no_maximum_and_newton_says_so",
        trap="weights that grow without end taken for a fit",
    ),
    Mutant(
        file=FILE,
        old="    require_curvature(hessian, x)\n",
        new="",
        caught_by="test_a_plane_that_parts_all_but_the_examples_on_it_is_refused_too",
        trap="weights that stop where rounding hides the slope taken for a fit",
    ),
    Mutant(
        file=FILE,
        old="np.linalg.solve(hessian, gradient)",
        new="gradient / np.diag(hessian)",
        caught_by="test_newton_needs_one_step_for_a_parabola",
        trap="the diagonal of the Hessian only",
    ),
    Mutant(
        file=FILE,
        old="order = rng.permutation(len(x))",
        new="order = rng.integers(len(x), size=len(x))",
        caught_by="test_sgd_sees_each_example_once_an_epoch_with_its_own_label",
        trap="drawn with replacement",
    ),
    Mutant(
        file=FILE,
        old="nll(path[-1], x[rows], y[rows])[1]",
        new="nll(path[-1], x[rows], y[rows])[1] * len(rows)",
        caught_by="test_sgd_on_all_examples_at_once_is_gradient_descent",
        trap="the gradient of a batch summed",
    ),
    Mutant(
        file=FILE,
        old="return np.hstack([np.ones((len(x), 1)), x])",
        new="return np.hstack([np.zeros((len(x), 1)), x])",
        caught_by="test_the_model_has_an_intercept",
        trap="the intercept forgotten",
    ),
    Mutant(
        file=FILE,
        old="transform = lambda x: (x[:, order] - mean) / deviation",
        new="transform = lambda x: (x[:, order] - x[:, order].mean(axis=0)) / x[:, order].std(axis=0)",
        caught_by="test_the_inputs_are_scaled_by_the_training_split_alone",
        trap="each split scaled by its own statistics",
    ),
    Mutant(
        file=FILE,
        old="rows, count = candidates(settings, *parts[:2])",
        new="rows, count = candidates(settings, parts[0], parts[2])",
        caught_by="test_the_inputs_are_chosen_on_validation",
        trap="inputs chosen on the test split",
    ),
]
