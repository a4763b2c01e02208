from keras_course.diagnostics.eager import Recording

import numpy as np
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
