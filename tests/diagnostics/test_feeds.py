import contextlib

from keras_course.diagnostics import feeds
from keras_course.diagnostics.feeds import ENOUGH
from keras_course.diagnostics.hooks import watching
from tests.diagnostics.trained import ANSWERS, LATER, X, Y, given, mlp

import keras
import numpy as np
import pytest
import tensorflow as tf


def evaluate(model):
    model.compile(loss="sparse_categorical_crossentropy")
    model.evaluate(LATER, ANSWERS, verbose=0)


def evaluate_a_pipeline(model):
    model.compile(loss="sparse_categorical_crossentropy")
    model.evaluate(tf.data.Dataset.from_tensor_slices((LATER, ANSWERS)).batch(7), verbose=0)


def predict(model):
    x_val, y_val, y_pred = LATER, ANSWERS, ANSWERS + 1
    model.predict(x_val, verbose=0)
    assert len(y_val) == len(y_pred)


def call_on_tensors(model):
    for xb, yb in tf.data.Dataset.from_tensor_slices((LATER, ANSWERS)).batch(7):
        assert len(model(xb, training=False)) == len(yb)


def call_on_slices(model):
    x_val, y_val = LATER.copy(), ANSWERS.copy()
    for i in range(0, len(y_val), 7):
        model(x_val[i : i + 7], training=False)


def call_in_a_function(model):
    @tf.function
    def ask(labels, rows):
        return tf.reduce_mean(tf.cast(labels, "float32")[:, None] * model(rows, training=False))

    for i in range(0, len(LATER), 10):
        ask(ANSWERS[i : i + 10], tf.constant(LATER[i : i + 10]))


def call_in_a_function_on_slices(model):
    """The last of them is shorter, so that the function is traced anew."""

    @tf.function
    def ask(rows):
        return model(rows, training=False)

    def recall(rows, truth):
        said = [ask(rows[i : i + 7]) for i in range(0, len(rows), 7)]
        assert len(np.concatenate(said)) == len(truth)

    recall(LATER.copy(), ANSWERS)


@pytest.mark.parametrize(
    "script",
    [
        evaluate,
        evaluate_a_pipeline,
        predict,
        call_on_tensors,
        call_on_slices,
        call_in_a_function,
        call_in_a_function_on_slices,
    ],
)
def test_whatever_way_a_model_is_asked_its_rows_are_seen_with_what_stands_beside_them(script):
    inside, (asked,) = given(script)
    assert inside == []
    np.testing.assert_array_equal(asked.x, LATER)
    (labels,) = asked.labels.values()
    np.testing.assert_array_equal(labels, ANSWERS)
    assert asked.name == {predict: "x_val", call_on_tensors: "xb", call_on_slices: "x_val"}.get(script, asked.name)


@pytest.mark.parametrize("graph", [True, False])
def test_the_rows_of_the_steps_of_a_loop_are_apart_from_those_it_evaluates_on(graph):
    def script(model):
        def step(a, b):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(b, model(a, training=True), True))
            return tape.gradient(loss, model.trainable_variables)

        run = tf.function(step) if graph else step
        for i in range(0, 60, 20):
            run(tf.constant(X[i : i + 20]), tf.constant(Y[i : i + 20]))
        model(LATER)

    (fed,), (asked,) = given(script)
    np.testing.assert_array_equal(fed.x, X)
    if graph:
        np.testing.assert_array_equal(fed.labels["argument 1"], Y)
    else:
        np.testing.assert_array_equal(fed.labels["b"], Y)
    assert (fed.training, asked.training) == (True, None)
    np.testing.assert_array_equal(asked.x, LATER)


def test_what_a_function_computes_before_it_calls_the_model_is_not_known():
    def script(model):
        @tf.function
        def ask(rows):
            return model(rows / 255, training=False)

        ask(tf.constant(LATER))

    assert given(script) == ([], [])


def test_a_model_inside_of_a_model_is_not_asked_by_the_script():
    inner = mlp()
    outer = keras.Sequential([keras.Input((5,)), inner])
    with watching() as monitor:
        outer(LATER)
        outer.predict(LATER, verbose=0)
    assert monitor.feeds.of(inner) == ([], [])


def test_the_same_rows_again_are_counted_and_not_kept():
    def script(model):
        draws = [model(LATER, training=True) for _ in range(5)]
        assert len(draws) == 5

    _, (asked,) = given(script)
    assert (len(asked.x), asked.again, asked.training) == (40, 4, True)


@pytest.mark.parametrize(("between", "again"), [(False, 4), (True, 0)])
@pytest.mark.parametrize("graph", [False, True])
def test_an_evaluation_in_each_epoch_is_no_question_asked_again(between, again, graph):
    def script(model):
        @tf.function
        def step(a):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(model(a))
            return tape.gradient(loss, model.trainable_variables)

        def ask(rows):
            return model(rows, training=True)

        ask = tf.function(ask) if graph else ask
        rows, batch = tf.constant(LATER), tf.constant(X[:5])
        step(batch)
        for _ in range(5):
            if between:
                step(batch)
            ask(rows)

    assert [feed.again for feed in given(script)[1]] == [again]


def test_validation_of_fit_is_no_question_of_the_script():
    def script(model):
        model.compile(loss="sparse_categorical_crossentropy")
        model.fit(X, Y, validation_data=(LATER, ANSWERS), epochs=2, verbose=0)

    assert given(script) == ([], [])


def test_a_long_run_is_looked_at_for_so_many_steps_and_rows():
    def script(model):
        @tf.function
        def step(a):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(model(a))
            return tape.gradient(loss, model.trainable_variables)

        for i in range(ENOUGH + 9):
            step(tf.constant(X[:2] + i))
        for i in range(60):
            model(np.repeat(X, 2, 0) + i)

    (fed,), (asked,) = given(script)
    assert len(fed.x) == 2 * ENOUGH
    assert len(asked.x) == 2048


@pytest.mark.parametrize("inside", [True, False])
def test_an_eager_run_is_looked_at_for_so_many_calls(inside, monkeypatch):
    monkeypatch.setattr(feeds, "ENOUGH", 5)
    monkeypatch.setattr(feeds, "MANY", 7)

    def script(model):
        for i in range(9):
            with tf.GradientTape() if inside else contextlib.nullcontext():
                model(X[:3] + i)

    in_steps, outside = given(script)
    assert [len(f.x) for f in in_steps] == ([15] if inside else [])
    assert [len(f.x) for f in outside] == ([] if inside else [21])


def test_what_is_no_array_of_rows_is_left_alone():
    def script(model):
        text = keras.Sequential([keras.layers.TextVectorization(vocabulary=["a"]), keras.layers.Embedding(3, 2)])
        text.predict(tf.constant([["a"], ["b"]]), verbose=0)
        model(keras.Input((5,)))
        model.predict(((X[i : i + 1],) for i in range(3)), verbose=0)

    assert given(script) == ([], [])


def test_rows_of_another_length_and_labels_that_are_missing_once():
    pooled = keras.Sequential([keras.Input((None, 2)), keras.layers.GlobalAveragePooling1D()])
    with watching() as monitor:
        for length in (5, 3, 5):
            pooled(tf.zeros((4, length, 2)))
        for number in range(2):
            scope = {"rows": tf.zeros((4 + number, 5, 2))} | ({} if number else {"labels": np.arange(4)})
            exec(compile("model(rows)", __file__, "exec"), scope | {"model": pooled})
    unnamed, named = monitor.feeds.of(pooled)[1]
    assert unnamed.x.shape == (8, 5, 2)
    assert (named.x.shape, named.labels) == ((9, 5, 2), {})


def test_all_inputs_are_kept_by_their_names():
    inputs = {name: keras.Input((width,), name=name) for name, width in (("a", 5), ("b", 2))}
    model = keras.Model(inputs, keras.layers.Concatenate()(list(inputs.values())))
    rows = {"a": LATER, "b": LATER[:, :2]}
    with watching() as monitor:
        model(rows)
        model.predict(rows, verbose=0)
    listed = keras.Model(list(inputs.values()), keras.layers.Concatenate()(list(inputs.values())))
    with watching() as other:
        listed([LATER, LATER[:, :2]])
        listed.compile(loss="mse")
        listed.evaluate([LATER, LATER[:, :2]], np.zeros((len(LATER), 7)), verbose=0)
    (named,), (given, evaluated) = monitor.feeds.of(model)[1], other.feeds.of(listed)[1]
    for feed in (named, given, evaluated):
        np.testing.assert_array_equal(feed.x, LATER)
        np.testing.assert_array_equal(feed.further[0], LATER[:, :2])
    assert (named.names, given.names, len(named.x)) == (("a", "b"), (), len(LATER))


def test_inputs_that_are_not_there_for_every_row_are_left_out():
    inputs = [keras.Input((5,)), keras.Input((2,))]
    listed = keras.Model(inputs, keras.layers.Dense(1)(inputs[0]))
    with watching() as monitor:
        for few in (LATER[:, :2], LATER[:3, :2]):
            listed([LATER.copy(), few])
    (feed,) = monitor.feeds.of(listed)[1]
    assert (len(feed.x), feed.further) == (2 * len(LATER), ())


@pytest.mark.parametrize(
    ("asked", "pairs", "shuffle", "reordered"),
    [
        ("predict", True, {}, True),
        ("evaluate and predict", True, {}, True),
        ("evaluate", True, {}, False),  # whatever the order, the mean is the same
        ("predict", False, {}, False),  # there are no labels
        ("predict", True, {"reshuffle_each_iteration": False}, False),
        ("predict", True, None, False),
    ],
)
def test_predictions_of_rows_that_come_in_another_order_each_time(asked, pairs, shuffle, reordered):
    def script(model):
        model.compile(loss="sparse_categorical_crossentropy")
        rows = tf.data.Dataset.from_tensor_slices((LATER, ANSWERS) if pairs else LATER)
        rows = rows if shuffle is None else rows.shuffle(40, **shuffle)
        rows = rows.batch(7)
        for name in asked.split(" and "):
            getattr(model, name)(rows, verbose=0)

    (feed,) = given(script)[1]
    assert feed.reordered == reordered


def test_what_is_asked_belongs_to_the_training_before_it():
    def script(model):
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.predict(X, verbose=0)
        for rows in (LATER, 3 * LATER):
            model.fit(X, Y, verbose=0)
            model.predict(rows, verbose=0)

    model = mlp()
    with watching() as monitor:
        script(model)
    for training, times in zip(monitor.trainings, (1, 3), strict=True):
        (asked,) = training.close().asked
        np.testing.assert_array_equal(asked.x, times * LATER)


def test_no_more_is_kept_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(feeds, "ROOM", 4 * 5 * 50)  # 50 rows of five

    def script(model):
        for i in range(3):
            model(X[:20] + i)
        model.compile(loss="sparse_categorical_crossentropy")
        model.evaluate(LATER, ANSWERS, verbose=0)

    _, (called,) = given(script)
    assert called.x.shape == (50, 5)


def test_further_inputs_take_room_too(monkeypatch):
    monkeypatch.setattr(feeds, "ROOM", 100 * LATER[:1].nbytes)
    inputs = [keras.Input((5,)), keras.Input((15,))]
    listed = keras.Model(inputs, keras.layers.Concatenate()(inputs))
    with watching() as monitor:
        listed([LATER.copy(), np.tile(LATER, 3)])
    (feed,) = monitor.feeds.of(listed)[1]
    assert len(feed.x) == len(feed.further[0]) == 25, "a row takes four times that of the first input"
    assert monitor.feeds.room == 0


def test_a_pipeline_is_read_once(monkeypatch):
    times = []
    monkeypatch.setattr(feeds, "source_rows", lambda dataset: times.append(dataset))

    def script(model):
        model.compile(loss="sparse_categorical_crossentropy")
        rows = tf.data.Dataset.from_tensor_slices((LATER, ANSWERS)).batch(7)
        for _ in range(3):
            model.evaluate(rows, verbose=0)

    assert given(script) == ([], [])
    assert len(times) == 1


def test_a_function_that_takes_its_rows_elsewhere_another_time():
    """As one that was traced anew for further arguments: what stands in their old place is nothing that was asked."""

    def script(model):
        @tf.function
        def ask(a, b=None):
            return model(a if b is None else b, training=False)

        ask(tf.constant(LATER))
        ask(tf.ones((40, 7)), tf.constant(LATER + 1))

    _, (asked,) = given(script)
    np.testing.assert_array_equal(asked.x, LATER)


def test_what_a_script_holds_out_by_its_names():
    names = {
        "x_test": LATER,
        "y_test": ANSWERS,
        "test_names": np.array(["a", "b"]),
        "x_train": X,
        "_x_test": LATER,
        "few_test": LATER[:9],
    }
    (found,) = feeds.stored(names)
    assert found.name == "x_test"
    np.testing.assert_array_equal(found.x, LATER)
    np.testing.assert_array_equal(found.labels["y_test"], ANSWERS)


def test_functions_that_ask_a_model_keep_their_names_to_the_end():
    def asks(model, rows):
        answers = model(rows)
        del rows
        later = answers.shape
        assert later

    def trains(model, rows):
        with tf.GradientTape():
            model(rows, training=True)

    model = mlp()
    with watching() as monitor:
        asks(model, X[:5])
        asks(model, X[:3])
        trains(model, X[:5])
    known = monitor.feeds.functions(__file__)
    own = known[asks.__code__.co_firstlineno]
    assert (own["later"], "rows" in own) == ((3, 3), False)
    assert trains.__code__.co_firstlineno not in known
    assert monitor.feeds.functions("another.py") == {}
