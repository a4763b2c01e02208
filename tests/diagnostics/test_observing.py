from keras_course.diagnostics import experiments
from keras_course.diagnostics.harm import harm_of
from tests.diagnostics.trained import X, Y, crossentropy, loop, mlp, watched

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def fitted(model, *, optimizer="sgd", **arguments):
    model.compile(optimizer, LOSS, metrics=["accuracy"])
    (training,) = watched(lambda: model.fit(X, Y, batch_size=10, verbose=0, **arguments))
    return training.close()


def test_an_observation_of_fit():
    seen = fitted(
        mlp(), epochs=2, validation_split=0.5, optimizer=keras.optimizers.SGD(0.3, momentum=0.9, clipnorm=1.0)
    )
    assert (seen.interface, seen.head, seen.classes, seen.finished) == ("fit", "linear", 3, True)
    assert (seen.loss.name, seen.loss.from_logits) == ("sparse_categorical_crossentropy", True)
    assert (seen.optimizer.name, seen.optimizer.momentum, seen.optimizer.clipped) == ("SGD", 0.9, True)
    assert seen.optimizer.rate == pytest.approx(0.3)
    assert (seen.plan.epochs, seen.plan.steps_per_epoch, seen.plan.validation_split) == (2, 3, 0.5)
    assert (seen.train.n, seen.validation.n) == (30, 30)
    np.testing.assert_array_equal(seen.validation.x, X[30:])
    assert [sorted(row) for row in seen.epochs] == [["accuracy", "loss", "val_accuracy", "val_loss"]] * 2
    assert {(v.name, v.shape) for v in seen.variables} == {
        ("hidden/kernel", (5, 7)), ("hidden/bias", (7,)), ("head/kernel", (7, 3)), ("head/bias", (3,)),
    }  # fmt: skip
    assert all(
        v.initial is not None and not np.array_equal(v.initial, v.final) for v in seen.variables if len(v.shape) > 1
    )
    assert [y.shape for y in seen.stream] == [(10,)] * 6
    assert seen.file == __file__


def test_a_schedule_is_laid_out_over_the_planned_steps():
    schedule = keras.optimizers.schedules.ExponentialDecay(1.0, 1, 0.5)
    seen = fitted(mlp(), optimizer=keras.optimizers.SGD(schedule), epochs=1)
    np.testing.assert_allclose(seen.optimizer.schedule, 0.5 ** np.arange(6))


def test_a_custom_step_and_a_loop_are_told_apart():
    class Own(keras.Sequential):
        def train_step(self, data):
            return super().train_step(data)

    assert fitted(Own([keras.Input((5,)), layers.Dense(3)])).interface == "custom train_step"
    model = mlp()
    (training,) = watched(
        lambda: loop(lambda a, b: crossentropy(model, a, b), [v.value for v in model.trainable_variables])
    )
    seen = training.close()
    assert seen.interface == "loop"
    assert seen.optimizer.name == ""


def test_frozen_weights_are_in_the_list_and_not_trained():
    model = mlp()
    model.layers[0].trainable = False
    seen = fitted(model)
    assert {v.name: v.trainable for v in seen.variables}["hidden/kernel"] is False
    assert {v.name: v.trainable for v in seen.variables}["head/kernel"] is True


def test_dropout_in_evaluation_is_found_by_tracing_and_changes_nothing():
    class Always(layers.Layer):
        def call(self, x):
            return tf.nn.dropout(x, 0.5)

    class Named(layers.Layer):
        def __init__(self):
            super().__init__()
            self.thin = layers.Dropout(0.5, name="thin")

        def call(self, x):
            return self.thin(x, training=True)

    class Drawn(layers.Layer):
        def call(self, x):
            return x + tf.random.uniform(tf.shape(x))

    def found(*parts):
        e = fitted(keras.Sequential([keras.Input((5,)), *parts, layers.Dense(3)])).experiments
        return e["draws_in_evaluation"], e["drops_in_evaluation"]

    assert found(Always()) == found(Named()) == (1, 1)
    assert found(Drawn()) == (1, 0)
    assert found(layers.Dropout(0.5)) == (0, 0)
    inputs = [keras.Input((5,)), keras.Input((5,))]
    both = Always()(layers.Concatenate()(inputs))
    several = keras.Model(inputs, layers.Dense(3)(both))
    several.compile("sgd", LOSS)
    (training,) = watched(lambda: several.fit([X, X], Y, verbose=0))
    assert training.close().experiments["drops_in_evaluation"] == 1


@pytest.mark.parametrize("always", [True, False])
def test_dropout_by_an_argument_of_the_scripts_own(always):
    class Told(keras.Model):
        def __init__(self):
            super().__init__()
            self.thin, self.head = layers.Dropout(0.5), layers.Dense(3)

        def call(self, x, is_training=True):
            return self.head(self.thin(x, training=is_training or always))

    model = Told()
    model(X)
    variables = [v.value for v in model.trainable_variables]
    (training,) = watched(lambda: loop(lambda a, b: tf.reduce_mean(model(a)[:, 0] * tf.cast(b, "float32")), variables))
    assert training.close().experiments["drops_in_evaluation"] == always


def test_a_penalty_of_the_first_weights():
    model = keras.Sequential([keras.Input((5,)), layers.Dense(3, kernel_regularizer=keras.regularizers.L2(0.1))])
    first = model.get_weights()[0]
    assert fitted(model).experiments["penalty_start"] == pytest.approx(0.1 * np.sum(first**2), rel=1e-5)


def test_steps_of_an_optimizer_in_a_loop_are_told_by_its_name():
    model, optimizer = mlp(), keras.optimizers.Adam(0.003)

    def train():
        for _ in range(3):
            with tf.GradientTape() as tape:
                loss = crossentropy(model, tf.constant(X[:10]), tf.constant(Y[:10]))
            optimizer.apply_gradients(
                zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
            )

    (training,) = watched(train)
    seen = training.close()
    assert seen.optimizer.name == "Adam"
    assert seen.optimizer.rate == pytest.approx(0.003)


@pytest.mark.parametrize("graph", [True, False])
def test_a_rate_that_a_loop_assigns_is_its_schedule(graph):
    model, optimizer = mlp(), keras.optimizers.SGD(7.0)
    optimizer.build(model.trainable_variables)

    def step(x, y):
        with tf.GradientTape() as tape:
            loss = crossentropy(model, x, y)
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

    step = tf.function(step) if graph else step

    def train(rates):
        for rate in rates:
            optimizer.learning_rate = rate
            step(X[:10], Y[:10])

    wanted = 0.1 / (1 + np.arange(150))
    (training,) = watched(lambda: train(wanted))
    found = training.observe().optimizer.schedule
    np.testing.assert_allclose(found[:128], wanted[:128], rtol=1e-6)
    np.testing.assert_allclose(found[128:], wanted[[127, 127, *[130] * 10, *[140] * 10]], rtol=1e-6)


@pytest.mark.parametrize("prepared", [False, True])
def test_what_enters_behind_further_inputs_is_that_of_the_first_batches(prepared):
    inputs = [keras.Input((2,)), keras.Input((3,)), keras.Input((3,))]
    third = layers.Rescaling(0.5)(inputs[2]) if prepared else inputs[2]
    codes = [layers.Dense(4, name=name)(x) for name, x in zip("abc", (*inputs[:2], third), strict=True)]
    model = keras.Model(inputs, layers.Dense(1)(layers.Concatenate()(codes)))
    model.compile("sgd", "mse")
    x = [X[:, :2], X[:, 2:], 7 * X[:, 2:]]
    (training,) = watched(lambda: model.fit(x, Y, batch_size=20, shuffle=False, verbose=0))
    found = training.close().entering
    assert set(found) == {"b", "c"}, "what enters the first unit is looked at anyway"
    np.testing.assert_array_equal(found["b"], X[: len(found["b"]), 2:])
    np.testing.assert_allclose(found["c"], (3.5 if prepared else 7) * X[: len(found["c"]), 2:], rtol=1e-6)


@pytest.mark.parametrize("eager", [False, True])
def test_inputs_that_are_joined_before_a_layer_are_known_and_targets_are_none(eager):
    """The second output is compared with numbers of three columns, which enter no layer."""
    ids, table = keras.Input((1,), dtype="int32"), keras.Input((4,))
    both = layers.Concatenate()([layers.Flatten()(layers.Embedding(9, 2)(ids)), table])
    hidden = layers.Dense(5, "relu")(both)
    model = keras.Model([ids, table], [layers.Dense(1)(hidden), layers.Dense(3)(hidden)])
    model.compile("sgd", ["mse", "mse"], run_eagerly=eager)
    x, y = [np.arange(60)[:, None] % 9, 500 * X[:, :4]], [X[:, :1], 900 * X[:, :3]]
    (training,) = watched(lambda: model.fit(x, y, batch_size=20, shuffle=False, verbose=0))
    found = training.close().entering
    assert list(found) == ["an input of 4 columns"]
    np.testing.assert_array_equal(found["an input of 4 columns"], 500 * X[: len(found["an input of 4 columns"]), :4])


def test_sequences_of_a_generator_are_those_of_the_first_batches():
    x = np.random.default_rng(0).normal(size=(60, 9, 2)).astype("float32")

    def batches(y=Y):
        for start in range(0, 60, 20):
            yield x[start : start + 20], y[start : start + 20]

    for y, every, loss in ((Y, False, LOSS), (x[..., :1] ** 2, True, "mse")):
        model = keras.Sequential(
            [keras.Input((9, 2)), layers.LSTM(4, return_sequences=every), layers.Dense(3 - 2 * every)]
        )
        model.compile("sgd", loss)
        (training,) = watched(lambda m=model, y=y: m.fit(batches(y), verbose=0))
        np.testing.assert_array_equal(training.close().train.x, x)
    (training,) = watched(lambda: fitted_on(batches, mlp()))
    assert training.close().train is None, "what is no sequence is seen where it enters"


def fitted_on(batches, model):
    model.compile("sgd", LOSS)
    model.fit(((x[:, 0, [0, 1, 0, 1, 0]], y) for x, y in batches()), verbose=0)


def test_a_rate_that_stays_the_same_is_no_schedule():
    assert fitted(mlp(), optimizer=keras.optimizers.Adam(0.01)).optimizer.schedule is None
    halved = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.01 / (epoch + 1))
    schedule = fitted(mlp(), callbacks=[halved], epochs=2).optimizer.schedule
    np.testing.assert_allclose(schedule, np.repeat([0.01, 0.005], len(schedule) // 2), rtol=1e-6)


@pytest.mark.parametrize(
    ("trained", "moves", "judges", "known"),
    [("second", False, False, True), ("both", False, False, False), ("second", True, False, False),
     ("second", False, True, False)],
)  # fmt: skip
@pytest.mark.parametrize("graph", [True, False])
def test_a_model_beside_the_one_that_is_trained(trained, moves, judges, known, graph):
    """Its weights are fixed ones; not where they change, as a copy that follows does, nor where it stands last."""
    first = keras.Sequential([keras.Input((5,)), layers.Dense(7, "relu", name="early")], name="first")
    second = keras.Sequential([keras.Input((7,)), layers.Dense(3, name="late")], name="second")
    last = keras.Sequential([keras.Input((3,)), layers.Dense(3, name="judge")], name="last")
    models = [first, second] if trained == "both" else [second]
    variables = [v.value for m in models for v in m.trainable_variables]

    def loss(a, b):
        said = second(first(a, training=True), training=True)
        said = last(said) if judges else said
        return tf.reduce_mean(LOSS(b, said))

    def train():
        loop(loss, variables, steps=3, graph=graph)
        if moves:
            first.layers[0].kernel.assign(first.layers[0].kernel * 0.5)
            loop(loss, variables, steps=1, graph=graph)

    seen = watched(train)[0].close()
    fixed = {v.name: v.initial.shape for v in seen.variables if not v.trainable and len(v.shape) > 1}
    assert fixed == ({"first/early/kernel": (5, 7)} if known else {})


def test_moving_averages_of_a_model_beside_the_one_that_is_trained_are_its_own():
    first = keras.Sequential([keras.Input((5,)), layers.Dense(7), layers.BatchNormalization()], name="first")
    second = keras.Sequential([keras.Input((7,)), layers.Dense(3)], name="second")
    variables = [v.value for v in second.trainable_variables]
    said = lambda a: second(first(a, training=False), training=True)  # noqa: E731 - one expression
    seen = watched(lambda: loop(lambda a, b: tf.reduce_mean(LOSS(b, said(a))), variables))[0].close()
    assert seen.experiments["moving"] == 0
    assert {v.name for v in seen.variables if not v.trainable} >= {f"first/{first.layers[0].name}/kernel"}


def test_parts_of_a_model_are_no_others():
    """Fixed ones, the last among them, and averages that move."""
    trunk = keras.Sequential([keras.Input((5,)), layers.Dense(7, name="a"), layers.BatchNormalization(name="b")])
    head = keras.Sequential([keras.Input((7,)), layers.Dense(3, name="c")])
    model = keras.Sequential([keras.Input((5,)), trunk, layers.Dense(7, name="d"), head])
    trunk.layers[0].trainable = head.trainable = False
    variables = [v.value for v in model.trainable_variables]
    said = lambda a: model(a, training=True)  # noqa: E731 - one expression
    seen = watched(lambda: loop(lambda a, b: tf.reduce_mean(LOSS(b, said(a))), variables))[0].close()
    fixed = {v.name.rpartition("/")[2]: v for v in seen.variables if not v.trainable}
    assert {"kernel", "bias", "moving_mean", "moving_variance"} <= set(fixed)
    assert sum(v.name.endswith("c/kernel") for v in seen.variables) == 1


@pytest.mark.parametrize(("sign", "climbs"), [(1, True), (-1, False)])
def test_what_climbs_a_likelihood_is_seen_by_its_negative(sign, climbs):
    """Also by the experiments, which go downhill; not where the steps go down from there."""
    w = tf.Variable(np.zeros((5, 1), "float32"))
    y = (X @ np.arange(5.0)[:, None]).astype("float32")
    likelihood = lambda a, b: -0.5 * tf.reduce_mean((a @ w - b) ** 2)  # noqa: E731 - one expression
    (training,) = watched(lambda: loop(likelihood, [w], rate=-0.05 * sign, steps=40, y=y))
    seen = training.close()
    assert seen.loss.climbed == climbs
    downhill = np.nanmean(seen.steps.uphill) < 0
    assert downhill
    fell = np.mean(seen.steps.all_losses[-5:]) - np.mean(seen.steps.all_losses[:5])
    assert fell < 0
    assert (seen.steps.all_losses > 0).all() == climbs
    replay = experiments.replay_of(training)
    assert (replay.losses(replay.start, replay.batches[:1])[0] > 0) == climbs
    replay.close()
    assert harm_of(seen).sentence.startswith("the negative of what is climbed") == climbs


def test_a_number_that_is_added_to_a_loss_is_not_in_what_is_observed():
    """Nor in the loss of the experiments: there a share of it means something."""
    w = tf.Variable(np.zeros((5, 1), "float32"))
    y = (X @ np.arange(5.0)[:, None]).astype("float32")
    loss = lambda a, b: 0.5 * tf.reduce_mean((a @ w - b) ** 2) + 0.75  # noqa: E731 - one expression
    seen, replays = [], []
    for offset in (0.75, 0.0):
        w.assign(tf.zeros_like(w))
        given = loss if offset else lambda a, b: loss(a, b) - 0.75
        (training,) = watched(lambda given=given: loop(given, [w], rate=0.05, steps=40, y=y))
        seen.append(training.close())
        replay = experiments.replay_of(training)
        replays.append(replay.losses(replay.start, replay.batches[:2]))
        replay.close()
    assert [s.loss.offset for s in seen] == pytest.approx([0.75, 0.0])
    np.testing.assert_allclose(seen[0].steps.all_losses, seen[1].steps.all_losses, atol=1e-5)
    np.testing.assert_allclose(replays[0], replays[1], rtol=1e-5)
    assert harm_of(seen[0]).sentence.startswith("the loss less 0.75 ")
    assert harm_of(seen[1]).sentence.startswith("the loss ")
    assert harm_of(seen[0]).degree == pytest.approx(harm_of(seen[1]).degree, abs=1e-3)


class OfVariables(keras.layers.Layer):
    """Keras 3 does not know the `tf.Variable` of a layer."""

    def build(self, shape):
        self.kernel = tf.Variable(tf.random.normal((shape[-1], 4)))
        self.known = self.add_weight(shape=(4, 3))

    def call(self, x):
        return x @ self.kernel @ tf.convert_to_tensor(self.known)


def test_kernels_that_a_model_does_not_know():
    other = keras.Sequential([keras.Input((5,)), layers.Dense(2)])  # one of the script's own is another matter
    both = layers.Lambda(lambda x: tf.concat([x, other(x)], 1))
    for made, forms in (([OfVariables()], [(5, 4)]), ([layers.Dense(4), layers.Dense(3)], []), ([both], [])):
        model = keras.Sequential([keras.Input((5,)), *made, layers.Dense(3)])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        (training,) = watched(lambda model=model: model.fit(X, Y, epochs=1, verbose=0))
        assert list(training.close().untracked) == forms


@pytest.mark.parametrize(
    ("metric", "given", "said"),
    [
        (keras.metrics.BinaryAccuracy(), "swapped", "binary_accuracy the wrong way round"),
        (keras.metrics.BinaryAccuracy(), "right", "binary_accuracy"),
        (keras.metrics.BinaryAccuracy(), "both", "binary_accuracy"),  # of two networks that agree or do not
        (keras.metrics.MeanAbsoluteError(), "swapped", "mean_absolute_error"),  # the same either way
    ],
)
@pytest.mark.parametrize("graph", [True, False])
def test_metrics_that_take_labels_for_outputs(metric, given, said, graph):
    model, y = keras.Sequential([keras.Input((5,)), layers.Dense(1, "sigmoid")]), (Y[:, None] > 0).astype("float32")

    def loss(a, b):
        out = model(a, training=True)
        metric.update_state(*{"swapped": (out, b), "right": (b, out), "both": (out, 1.0 * out)}[given])
        return tf.reduce_mean(keras.losses.binary_crossentropy(b, out))

    (training,) = watched(lambda: loop(loss, [v.value for v in model.trainable_variables], y=y, graph=graph))
    assert training.close().plan.metrics[-1] == said
