from keras_course.diagnostics.eager import Recording
from keras_course.diagnostics.experiments import replay_of
from keras_course.diagnostics.graph import ancestors, external
from tests.diagnostics.trained import X, loop, watched

import numpy as np
import pytest
import tensorflow as tf


def test_a_recording_has_the_operations_in_order_with_their_values():
    recording, x, w = Recording(), tf.constant([[1.0, 2.0]]), tf.Variable([[3.0], [-5.0]])
    recording.start()
    y = tf.nn.relu(x @ w) + 1.0
    recording.stop()
    tf.constant(1.0) + 1.0  # not heard any more
    kinds = [op.type for op in recording.operations if op.type not in ("Placeholder", "Const")]
    assert kinds == ["ReadVariableOp", "MatMul", "Relu", "AddV2"]
    result = recording.of(y)
    assert result.op.type == "AddV2"
    np.testing.assert_array_equal(result.value, [[1.0]])
    relu = next(op for op in recording.operations if op.type == "Relu")
    assert relu.inputs[0].op.type == "MatMul"
    assert relu.outputs[0].consumers()[0].type == "AddV2"


def test_variables_literals_and_data_are_told_apart():
    recording, x = Recording(), tf.ones((2, 3))
    w = tf.Variable(tf.ones((3, 1)))
    recording.start()
    tf.reduce_mean(x @ w, axis=0) * 2.0
    recording.stop()
    (handle,) = [outside for outside, _ in recording.captures]
    assert handle is w.handle
    outside = [op for op in recording.operations if not op.inputs]
    assert [op.type for op in outside if op.outputs[0].shape == (2, 3)] == ["Placeholder"]
    assert all(
        op.type == "Const" for op in outside if op.outputs[0].shape.rank == 0 and op.outputs[0].dtype != tf.resource
    )


@pytest.mark.parametrize(("first", "again", "found"), [(1.0, False, True), (2.0, False, False), (1.0, True, True),
                                                       (np.nan, False, True)])  # fmt: skip
def test_a_variable_that_stands_first_is_read_without_a_word(first, again, found):
    """Told by its value, where nothing else has read it."""
    w, x = tf.Variable([[np.nan if np.isnan(first) else 1.0, -5.0]]), tf.constant([[1.0, 2.0, 4.0], [3.0, 0.0, 1.0]])
    other, recording = tf.constant([[first, -5.0]]), Recording()
    recording.start()
    y = tf.matmul(w if found else other, x) + (tf.reduce_sum(w.read_value()) if again else 0.0)
    recording.stop()
    recording.reads([w])
    product = next(op for op in recording.operations if op.type == "MatMul")
    read = product.inputs[0].op
    assert (read.type == "ReadVariableOp") == (found and not again)
    if found and not again:
        assert external(read.inputs[0]) is w.handle
        order = [op.name for op in recording.operations]
        assert order.index(read.inputs[0].op.name) < order.index(read.name) < order.index(product.name)
        assert [op.name for op in ancestors(recording.of(y))][:2] == [read.inputs[0].op.name, read.name]


@pytest.mark.parametrize("graph", [True, False])
def test_columns_are_examples_where_weights_stand_first(graph):
    w = tf.Variable(np.ones((3, 5), "float32"), name="w")
    loss = lambda a, b: tf.reduce_mean(tf.square(tf.matmul(w, a, transpose_b=True) - tf.transpose(b)))  # noqa: E731
    y = (X @ np.arange(15.0).reshape(5, 3)).astype("float32")
    (training,) = watched(lambda: loop(loss, [w], y=y, graph=graph, steps=6))
    seen = training.close()
    assert [(unit.kind, unit.variables) for unit in seen.units] == [("dense", ("w",))]
    replay = replay_of(training)
    assert next(iter(replay.start.values())).shape == (3, 5)
    assert replay.losses(replay.start, replay.batches[:1])[0] == pytest.approx(seen.steps.loss[0], rel=1e-4)
    replay.close()
