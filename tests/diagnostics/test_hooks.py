import contextlib
import functools
import random

from keras_course import training
from keras_course.data import Batches
from keras_course.diagnostics.hooks import watching
from tests.diagnostics.trained import X, Y, crossentropy, loop, mlp, network, watched

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

IMAGES = np.random.default_rng(1).normal(size=(60, 6, 6, 1)).astype("float32")
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def convolution():
    return keras.Sequential([
        keras.Input((6, 6, 1)), layers.RandomFlip(), layers.Conv2D(4, 3, activation="relu"),
        layers.BatchNormalization(), layers.Flatten(), layers.Dropout(0.3), layers.Dense(3),
    ])  # fmt: skip


class Stepping(keras.Model):
    def __init__(self):
        super().__init__()
        self.inner = convolution()

    def call(self, x, training=False):
        return self.inner(x, training=training)

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(y=y, y_pred=self(x, training=True))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


def noisy_pipeline():
    pairs = tf.data.Dataset.from_tensor_slices((IMAGES, Y)).shuffle(40)
    return pairs.map(lambda a, b: (a + 0.01 * tf.random.normal(tf.shape(a)), b)).batch(8)


def by_fit(model):
    model.compile("adam", LOSS)
    model.fit(IMAGES, Y, epochs=2, batch_size=8, verbose=0, validation_split=0.2)
    model.fit(noisy_pipeline(), epochs=2, verbose=0)


def by_loop(graph):
    def train(model):
        optimizer = keras.optimizers.Adam()

        def step(a, b):
            with tf.GradientTape() as tape:
                loss = LOSS(b, model(a, training=True))
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

        run = tf.function(step) if graph else step
        for _ in range(2):
            for a, b in noisy_pipeline():
                run(a, b)

    return train


class Nested:
    """A step that calls functions of its own, which draw, branch and return numbers and variables."""

    def __init__(self, model):
        self.model, self.optimizer, self.count = model, keras.optimizers.Adam(), tf.Variable(0.0)

    @tf.function
    def forward(self, a):
        self.count.assign_add(1.0)
        if tf.reduce_mean(a) > 0.5:
            a = a + 0.1 * tf.random.normal(tf.shape(a))
        return self.model(a, training=True), 0.5, self.count

    @tf.function
    def penalty(self):
        drawn = tf.random.uniform(()) * np.random.rand() * random.random()  # of the latter two once, while it is traced
        return tf.add_n([tf.nn.l2_loss(w) for w in self.model.trainable_variables]) * drawn

    @tf.function
    def step(self, a, b):
        with tf.GradientTape() as tape:
            logits, half, count = self.forward(a + tf.random.normal(tf.shape(a), stddev=0.01))
            loss = half * tf.cast(half.dtype == tf.float32, tf.float32) * LOSS(b, logits) / count
            loss += self.penalty() * tf.random.uniform(())
        self.optimizer.apply(tape.gradient(loss, self.model.trainable_variables), self.model.trainable_variables)


def by_nested_functions(model):
    steps = Nested(model)
    for a, b in noisy_pipeline().repeat(2):
        steps.step(a, b)


def by_the_course(model):
    batches = Batches(IMAGES, Y, batch_size=8)
    training.fit(model, training.classification, batches, epochs=2, optimizer=keras.optimizers.Adam(), progress=False)


WAYS = {
    "fit": (convolution, by_fit),
    "train_step": (Stepping, by_fit),
    "graph": (convolution, by_loop(True)),
    "eager": (convolution, by_loop(False)),
    "course": (convolution, by_the_course),
    "nested": (convolution, by_nested_functions),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.usefixtures("deterministic")
def test_results_and_random_states_are_the_same_to_the_bit(way):
    make, train = WAYS[way]
    found = []
    for watch in (False, True):
        keras.utils.set_random_seed(3)
        model = make()
        if watch:
            trainings = watched(lambda model=model: train(model))
            assert trainings
            assert all(t.count > 5 and not t.unseen for t in trainings)
        else:
            train(model)
        found.append([*model.get_weights(), np.random.rand(3), keras.random.uniform((3,)).numpy()])
    for bare, seen in zip(*found, strict=True):
        np.testing.assert_array_equal(bare, seen)


def test_a_model_that_is_built_inside_the_first_step_is_read_as_any_other():
    model = keras.Sequential([layers.Dense(7, "relu", name="a"), layers.Dense(3, name="b")])

    def train():
        for i in range(3):
            with tf.GradientTape() as tape:
                loss = LOSS(Y[i * 10 : i * 10 + 10], model(X[i * 10 : i * 10 + 10]))
            for v, g in zip(model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True):
                v.assign(v - 0.1 * g)

    (seen,) = watched(train)
    assert [f.unit.name for f in seen.forward.found] == ["a", "b"]
    assert all(seen.initial[id(v.handle)].shape == v.shape for v in seen.variables)
    assert seen.forward.targets is not None


def test_a_recurrent_layer_by_graph_gives_lists_of_tensors_no_chance():
    rows = np.random.default_rng(0).normal(size=(60, 6, 2)).astype("float32")
    model = keras.Sequential([keras.Input((6, 2)), layers.GRU(5), layers.Dense(1)])
    model.compile("sgd", "mse")
    (seen,) = watched(lambda: model.fit(rows, rows[:, 0, :1], batch_size=10, verbose=0))
    assert seen.count == 6
    assert len(seen.recorder.looks) == 6


def test_the_patches_go_when_the_block_ends_and_when_it_fails():
    before = [tf.GradientTape.gradient, keras.Model.fit, keras.Layer.__call__, tf.nn.softmax_cross_entropy_with_logits]
    with watching():
        assert tf.GradientTape.gradient is not before[0]
    with pytest.raises(ZeroDivisionError), watching():
        1 / 0  # noqa: B018
    assert before == [
        tf.GradientTape.gradient, keras.Model.fit, keras.Layer.__call__, tf.nn.softmax_cross_entropy_with_logits,
    ]  # fmt: skip


def test_metrics_that_a_loop_updates_by_itself_are_known_by_what_they_measure():
    model, optimizer = mlp(), keras.optimizers.SGD(0.1)
    right, exact = keras.metrics.CategoricalAccuracy(name="mae"), keras.metrics.Accuracy(name="acc")
    cut, other = keras.metrics.BinaryAccuracy(threshold=0.0), keras.metrics.MeanAbsoluteError()
    mean = keras.metrics.Mean()

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = crossentropy(model, x, y)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        mean.update_state(loss)
        return loss

    def train():
        for _ in range(3):
            step(tf.constant(X), tf.constant(Y))
            said = model(X, training=False)
            right.update_state(tf.one_hot(Y, 3), said)
            exact(Y, tf.argmax(said, 1))
            cut.update_state(tf.one_hot(Y, 3), said)
            other.update_state(Y[:, None], said[:, :1])  # of another width

    (training,) = watched(train)
    found = training.close().plan.metrics
    assert found == ("categorical_accuracy", "binary_accuracy at 0.0")


@pytest.mark.parametrize(
    ("measure", "words"),
    [
        (lambda metric, said: metric.update_state(Y, tf.argmax(said, 1)), " of decisions"),
        (lambda metric, said: metric.update_state(Y, tf.cast(tf.argmax(said, 1), "float32")), " of decisions"),
        (lambda metric, said: metric.update_state(said, Y[:, None]), " the wrong way round"),
        (lambda metric, said: metric.update_state(Y, said), ""),
        (lambda metric, said: metric.update_state(Y[0], said[0]), ""),  # one example
    ],
)
def test_class_numbers_are_no_predictions_of_a_categorical_accuracy(measure, words):
    model, metric = mlp(), keras.metrics.SparseCategoricalAccuracy(name="right")

    def train():
        loop(lambda x, y: crossentropy(model, x, y), [v.value for v in model.trainable_variables])
        with contextlib.suppress(Exception):  # of Keras, which need not take it
            measure(metric, model(X, training=False))

    (training,) = watched(train)
    found = training.close().plan.metrics
    assert found == ("sparse_categorical_accuracy" + words,)


def undecided(training):
    return [name for name in training.close().plan.metrics if name.endswith(" of no class numbers")]


@pytest.mark.parametrize(
    ("metric", "said", "fires"),
    [
        (keras.metrics.MeanIoU, lambda z: tf.nn.sigmoid(z[:, 0]), True),
        (keras.metrics.MeanIoU, lambda z: tf.nn.sigmoid(z[:, 0]).numpy(), True),
        (functools.partial(keras.metrics.IoU, target_class_ids=[0]), lambda z: tf.nn.sigmoid(z[:, :1]), True),
        (keras.metrics.MeanIoU, lambda z: tf.argmax(z, 1), False),
        (keras.metrics.MeanIoU, lambda z: tf.cast(z[:, 0] > 0.5, "float32"), False),
        (keras.metrics.MeanIoU, lambda z: tf.round(tf.nn.sigmoid(z[:, 0])), False),
        (functools.partial(keras.metrics.MeanIoU, sparse_y_pred=False), tf.nn.softmax, False),
        (keras.metrics.OneHotMeanIoU, tf.nn.softmax, False),
    ],
)
def test_outputs_between_the_numbers_of_classes(metric, said, fires):
    model, measure = mlp(), metric(num_classes=3)

    def train():
        loop(lambda x, y: crossentropy(model, x, y), [v.value for v in model.trainable_variables])
        true = tf.one_hot(Y, 3) if isinstance(measure, keras.metrics.OneHotIoU) else Y
        measure.update_state(true, said(model(X, training=False)))

    (training,) = watched(train)
    assert (
        undecided(training)
        == ["mean_io_u of no class numbers" if "Mean" in str(metric) else "io_u of no class numbers"] * fires
    )


def test_outputs_between_the_numbers_of_classes_are_of_the_model_that_is_measured():
    """Of two that are fitted the one, and of a loop what the script updates by itself."""
    measured, other = network(keras.layers.Dense(1, "sigmoid")), network(keras.layers.Dense(1, "sigmoid"))
    measured.compile("sgd", "binary_crossentropy", metrics=[keras.metrics.MeanIoU(2)])
    other.compile("sgd", "binary_crossentropy")
    model, measure = mlp(), keras.metrics.IoU(2, [0])

    def train():
        measured.fit(X, Y > 0, epochs=1, verbose=0)
        other.fit(X, Y > 0, epochs=1, verbose=0)
        loop(lambda x, y: crossentropy(model, x, y), [v.value for v in model.trainable_variables])
        measure.update_state(np.zeros(60, int), np.full((60, 1), 0.5))

    said = [undecided(training) for training in watched(train)]
    assert said == [["mean_io_u of no class numbers"], [], ["io_u of no class numbers"]]


@pytest.mark.parametrize(("metric", "fires"), [(keras.metrics.MeanIoU(2), True), (keras.metrics.BinaryIoU(), False)])
def test_outputs_between_the_numbers_of_classes_in_fit(metric, fires):
    model = network(keras.layers.Dense(1, "sigmoid"))
    model.compile("sgd", "binary_crossentropy", metrics=[metric])
    (training,) = watched(lambda: model.fit(X, Y > 0, epochs=1, verbose=0))
    assert len(undecided(training)) == fires


def test_metrics_that_fit_updates_are_those_of_its_plan():
    model = mlp()
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    (training,) = watched(lambda: model.fit(X, Y, epochs=1, verbose=0))
    assert training.close().plan.metrics == ("accuracy",)
