"""What the rows are called that a script asks its models about, and which labels stand beside them by their names."""

from keras_course.diagnostics import feeds
from tests.diagnostics.trained import ANSWERS, LATER, X, Y, given

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf


@pytest.mark.parametrize(
    "name", ["y_pred", "probs", "y_hat", "yhat", "logits", "out", "outputs", "val_out", "scores", "guess", "submission"]
)
def test_what_a_network_has_said_is_no_label(name):
    scope = {"x": LATER, name: ANSWERS, "outcome": ANSWERS, "what": ANSWERS}
    assert [found for found, _ in feeds._labels_beside(LATER, scope)] == ["outcome", "what"]


def test_a_part_of_an_array_has_a_name_of_its_own():
    def script(model):
        everything = np.concatenate([X, LATER])
        x_val = everything[60:]
        model.predict(x_val, verbose=0)

    _, (asked,) = given(script)
    assert asked.name == "x_val"


def test_labels_that_are_cut_from_another_array():
    """`x_test` is the end of all rows, and `y_test` that of labels which were dealt out before."""
    everything, dealt = np.concatenate([X, LATER]), np.concatenate([np.zeros(len(X)), ANSWERS])
    x_test, y_test = everything[60:], dealt[60:].copy()
    scope = {"x_test": x_test, "y_test": y_test, "dealt": dealt, "short": ANSWERS[:9]}
    scope |= {"bias": tf.Variable(tf.zeros(len(x_test)))}  # which is no label, however long
    assert [name for name, _ in feeds._labels_beside(x_test, scope)] == ["y_test", "dealt"]


def test_what_a_function_calls_x_has_the_name_of_whoever_calls_it():
    def script(model):
        def right(x, y):
            return np.mean(np.argmax(model(x, training=False), axis=1) == y)

        x_val, y_val = LATER, ANSWERS
        right(x_val, y_val)

    _, (asked,) = given(script)
    assert asked.name == "x_val"
    np.testing.assert_array_equal(asked.labels["y_val"], ANSWERS)


@pytest.mark.parametrize("how", ["predict", "evaluate", "call"])
def test_tables_of_pandas_are_rows(how):
    def script(model):
        x_test, y_test = pd.DataFrame(LATER), pd.Series(ANSWERS)
        if how == "predict":
            model.predict(x_test, verbose=0)
        elif how == "call":
            np.mean(np.argmax(model(x_test.to_numpy()), axis=1) == y_test)
        else:
            model.compile(loss="sparse_categorical_crossentropy")
            model.evaluate(x_test, y_test, verbose=0)

    _, (asked,) = given(script)
    np.testing.assert_array_equal(asked.x, LATER)
    np.testing.assert_array_equal(asked.labels["y" if how == "evaluate" else "y_test"], ANSWERS)
    assert asked.name == "x_test"


def rows_by_number(model, table, answers, held):
    model.predict(table[held], verbose=0)


def rows_by_yes_and_no(model, table, answers, held):
    held_out = np.isin(np.arange(len(table)), held)
    np.argmax(model(table[held_out], training=False), axis=1)


def rows_that_a_function_passes_on(model, table, answers, held):
    def say(net, x):
        return net.predict(x, verbose=0)

    say(model, table[held])


def rows_that_are_prepared(model, table, answers, held):
    x_test = table[held]
    (model
     .predict(2 * x_test / 2,
              verbose=0))  # fmt: skip
    assert len(answers)


def rows_of_a_function(model, table, answers, held):
    def feed(rows):
        return table[rows]

    model(feed(held))


def rows_under_another_name(model, table, answers, held):
    rest = held.copy()
    model(table[rest], training=False)


def rows_that_a_function_takes(model, table, answers, held):
    @tf.function
    def ask(rows):
        return model(rows, training=False)

    def grade(rows):
        return np.mean(np.argmax(ask(table[rows]), axis=1) == answers[rows])

    ask(tf.zeros((3, 5)))
    rest = held.copy()
    grade(rest)


@pytest.mark.parametrize(
    ("script", "name", "labelled"),
    [
        (rows_by_number, "held", True),
        (rows_by_yes_and_no, "held_out", True),
        (rows_that_a_function_passes_on, "held", True),
        (rows_that_are_prepared, "x_test", False),
        (rows_of_a_function, "held", True),
        (rows_under_another_name, "table[rest]", True),
        (rows_that_a_function_takes, "table[rest]", True),
    ],
)
def test_rows_without_a_name_go_by_the_expression(script, name, labelled):
    table, answers = np.concatenate([X[50:], LATER]), np.concatenate([Y[50:], ANSWERS])
    assert np.any(answers[:40] != ANSWERS)
    held = np.arange(len(table) - 40, len(table))
    asked = given(lambda model: script(model, table, answers, held))[1][-1]
    assert asked.name == name
    np.testing.assert_array_equal(asked.x, LATER)
    if labelled:
        np.testing.assert_array_equal(asked.labels["answers"], ANSWERS)
        assert name not in asked.labels


def test_a_script_that_is_written_anew_has_other_lines(tmp_path):
    """As when it is diagnosed, edited and diagnosed again in one session."""
    path = tmp_path / "train.py"
    for name in ("x_test", "validation"):
        path.write_text(f"def script(model):\n    model.predict({name}.copy(), verbose=0)\n")
        scope = {name: LATER}
        exec(compile(path.read_text(), str(path), "exec"), scope)
        _, (asked,) = given(lambda model, scope=scope: scope["script"](model))
        assert asked.name == name


@pytest.mark.parametrize(
    ("rows", "name"),
    [
        ("order", "X[order]"),
        ("yes", "X[yes]"),
        ("order.reshape(-1)", "X[order]"),
        ("order[:20]", ""),  # nobody knows which of them
        ("square.ravel()", ""),
        ("[3, 1, 4]", ""),
    ],
)
def test_rows_by_their_numbers_go_by_both_names(rows, name, tmp_path):
    path, order = tmp_path / "train.py", np.arange(30)[::-1]
    path.write_text(f"model.predict(X[{rows}], verbose=0)\n")
    scope = {"X": X, "Y": Y, "order": order, "yes": np.arange(60) % 2 == 0, "square": np.arange(4).reshape(2, 2)}
    _, (asked,) = given(lambda model: exec(compile(path.read_text(), str(path), "exec"), scope | {"model": model}))
    assert asked.name == name
    if name:
        np.testing.assert_array_equal(asked.labels["Y"], Y[scope[name[2:-1]]])
    else:
        assert "Y" not in asked.labels
