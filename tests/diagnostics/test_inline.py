from keras_course.diagnostics.inline import can_be_inlined
from tests.diagnostics.trained import X, Y, mlp, watched

import keras
import numpy as np
import pytest
import tensorflow as tf

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
ROWS = tf.TensorSpec((None, 5))


def units(training):
    return [f.unit.name.rpartition("/")[2] for f in training.forward.found]


@pytest.mark.parametrize(
    ("settings", "seen"),
    [
        ({}, True),
        ({"reduce_retracing": True}, True),
        ({"jit_compile": True}, False),
        ({"input_signature": [ROWS]}, False),
    ],
)
def test_layers_inside_of_a_function_that_a_step_calls(settings, seen):
    """Read as those of the step; not where the function is compiled or settles what it takes."""
    model = mlp()
    forward = tf.function(lambda a: model(a, training=True), **settings)

    @tf.function
    def step(a, b):
        with tf.GradientTape() as tape:
            loss = LOSS(b, forward(tf.identity(a)))
        return tape.gradient(loss, model.trainable_variables)

    (training,) = watched(lambda: step(X[:8], Y[:8]))
    assert (units(training) == ["hidden", "head"]) == seen


def test_functions_that_are_given_arrays_make_tensors_of_them_first():
    @tf.function
    def outer(a):
        assert can_be_inlined(outer, ((a,), {}))
        assert not can_be_inlined(outer, ((a, np.zeros(3)), {}))
        return a

    outer(tf.zeros(2))
    assert not can_be_inlined(outer, ((tf.zeros(2),), {})), "outside of all graphs"


def test_a_function_that_branches_is_read_where_its_caller_is_not_converted():
    class Branching(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = mlp()

        def brighter(self, a):
            if tf.reduce_mean(a) > 0.5:
                a = 2.0 * a
            return a

        @tf.function
        def forward(self, a):
            return self.inner(self.brighter(a), training=True)

        def train_step(self, data):
            with tf.GradientTape() as tape:
                loss = LOSS(data[1], self.forward(data[0]))
            self.optimizer.apply(tape.gradient(loss, self.inner.trainable_variables), self.inner.trainable_variables)
            return {"loss": loss}

    model = Branching()
    model.compile("adam")
    (training,) = watched(lambda: model.fit(X, Y, batch_size=8, verbose=0))
    assert units(training) == ["hidden", "head"]


@pytest.mark.parametrize("watch", [False, True])
def test_a_function_prints_and_draws_when_it_is_traced_as_without_a_watch(watch, capsys):
    """The step is traced twice, as it makes the variables of its optimizer, and again for fewer rows; of what it calls
    `scale` is traced once."""
    model, optimizer = mlp(), keras.optimizers.Adam()

    @tf.function
    def scale():
        return np.random.rand()

    @tf.function
    def forward(a):
        print("traced with", np.random.randint(1000))
        return model(a, training=True)

    @tf.function
    def step(a, b):
        with tf.GradientTape() as tape:
            loss = scale() * LOSS(b, forward(a))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

    def train():
        step(tf.constant(X[:8]), tf.constant(Y[:8]))
        print("then", np.random.randint(1000))
        forward(tf.constant(X[8:16]))
        step(tf.constant(X[:5]), tf.constant(Y[:5]))
        print("then", np.random.randint(1000))

    np.random.seed(7)
    if watch:
        (training,) = watched(train)
        assert units(training) == ["hidden", "head"]
    else:
        train()
    np.random.seed(7)
    np.random.rand()  # of `scale`
    words = ("traced with", "then", "traced with", "then")
    assert capsys.readouterr().out.splitlines() == [f"{word} {np.random.randint(1000)}" for word in words]
