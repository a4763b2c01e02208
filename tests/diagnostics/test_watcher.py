"""A watched training is the training that it would have been, and each is judged by itself."""

import contextlib

from keras_course.diagnostics import watcher
from keras_course.diagnostics.harm import Harm
from keras_course.diagnostics.monitor import Monitor
from keras_course.diagnostics.probes import Recorder
from tests.diagnostics.trained import X, Y, crossentropy, loop, mlp, network

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

CROSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class Penalised(keras.Model):
    """A custom step whose loss has the gradient by the inputs in it: a tape within a tape."""

    def __init__(self):
        super().__init__()
        self.net = mlp()

    def call(self, x, training=None):
        return self.net(x, training=training)

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            with tf.GradientTape() as inner:
                inner.watch(x)
                total = tf.reduce_sum(self(x, training=True))
            slope = inner.gradient(total, x)
            loss = CROSS(y, self(x, training=True)) + 0.1 * tf.reduce_mean(tf.square(slope))
        variables = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return {"loss": loss}


def fit_with_a_step_of_its_own():
    model = Penalised()
    model.compile("adam")
    model.fit(X, Y, epochs=2, batch_size=20, verbose=0)
    return model


def fit_on_a_generator():
    def batches():
        rng = np.random.default_rng(4)
        while True:
            rows = rng.integers(0, 60, 10)
            yield X[rows], Y[rows]

    model = mlp()
    model.compile("sgd", CROSS)
    model.fit(batches(), steps_per_epoch=4, epochs=2, verbose=0)
    return model


def a_loop(graph):
    def train():
        model = network(layers.Dense(6, "relu"), layers.Dropout(0.3), layers.Dense(3))
        loop(lambda a, b: crossentropy(model, a, b), [v.value for v in model.trainable_variables], graph=graph)
        return model

    return train


def fit_and_ask():
    """Everything that a script may ask its model, with dropout on and off, about 120 rows."""
    rows, labels = np.random.default_rng(5).normal(size=(240, 5)).astype("float32"), np.arange(240) % 3
    x_test, y_test = rows[120:], labels[120:]
    model = network(layers.Dense(6, "relu"), layers.Dropout(0.3), layers.Dense(3))
    model.compile("sgd", CROSS)

    @tf.function
    def ask(x, y):
        return CROSS(y, model(x, training=True))

    model.fit(rows[:120], labels[:120], epochs=2, batch_size=60, verbose=0)
    model.evaluate(tf.data.Dataset.from_tensor_slices((x_test, y_test)).shuffle(9).batch(50), verbose=0)
    assert len(model.predict(x_test, verbose=0)) == len(model(x_test, training=True)) == 120
    ask(x_test, y_test)
    return model


WAYS = {
    "asked": fit_and_ask,
    "own step": fit_with_a_step_of_its_own,
    "generator": fit_on_a_generator,
    "graph loop": a_loop(True),
    "eager loop": a_loop(False),
}
STEPS = {"own step": 6, "generator": 8}


def outcome(train, watch):
    """Weights, and the next draws of every source of randomness."""
    keras.utils.set_random_seed(11)
    with watch:
        model = train()
    drawn = [np.random.random(3), keras.random.uniform((3,)).numpy(), tf.random.uniform((3,)).numpy()]
    return [*model.get_weights(), *drawn]


@pytest.mark.parametrize("way", WAYS)
def test_a_watched_training_ends_with_the_deterministic(way, deterministic, monkeypatch):
    monkeypatch.setattr(watcher.experiments, "SECONDS", 1.0)
    plain = outcome(WAYS[way], contextlib.nullcontext())
    watch = watcher.watch()
    kept = []

    @contextlib.contextmanager
    def keeping():
        with watch as seen:
            kept.append(seen)
            yield

    for a, b in zip(plain, outcome(WAYS[way], keeping()), strict=True):
        np.testing.assert_array_equal(a, b)
    (report,) = kept[0].reports
    assert report.observation.steps.count == STEPS.get(way, 4)
    asked = [f.training for f in report.observation.asked]
    assert asked == ([None, None, True] if way == "asked" else [])
    assert ("right_held" in report.observation.experiments) == (way == "asked")
    assert not [s for s in report.observation.unseen if "could not" in s or "failed" in s], report.observation.unseen


def test_two_fits_of_one_model_are_two_reports():
    model = mlp()
    model.compile(keras.optimizers.SGD(0.0), CROSS)  # with a rate of 0 both see the same losses
    with watcher.watch() as seen:
        model.fit(X, Y, batch_size=20, epochs=1, shuffle=False, verbose=0)
        model.fit(X, Y, batch_size=20, epochs=2, shuffle=False, verbose=0)
    first, second = (r.observation for r in seen.reports)
    assert (first.steps.count, second.steps.count) == (3, 6)
    np.testing.assert_allclose(second.steps.all_losses, np.tile(first.steps.all_losses, 2), rtol=1e-5)
    assert [len(o.epochs) for o in (first, second)] == [1, 2]


def test_the_two_of_a_gan_are_seen_by_their_names():
    maker = keras.Sequential([keras.Input((2,)), layers.Dense(5)], name="maker")
    critic = keras.Sequential([keras.Input((5,)), layers.Dense(4, "relu"), layers.Dense(1)], name="critic")
    real = [keras.optimizers.Adam(1e-3) for _ in range(2)]

    def cross(logits, label):
        return tf.reduce_mean(
            tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.fill(tf.shape(logits), label), logits=logits)
        )

    @tf.function
    def step(x):
        z = tf.random.normal((len(x), 2))
        with tf.GradientTape() as one, tf.GradientTape() as other:
            made = maker(z, training=True)
            judged = critic(made, training=True)
            loss_of_maker = cross(judged, 1.0)
            loss_of_critic = cross(judged, 0.0) + cross(critic(x, training=True), 1.0)
        for tape, loss, net, optimizer in (
            (one, loss_of_maker, maker, real[0]),
            (other, loss_of_critic, critic, real[1]),
        ):
            grads = tape.gradient(loss, net.trainable_variables)
            optimizer.apply_gradients(zip(grads, net.trainable_variables, strict=True))

    for optimizer, net in zip(real, (maker, critic), strict=True):
        optimizer.build(net.trainable_variables)
    with watcher.watch() as seen:
        for i in range(4):
            step(tf.constant(X[10 * i : 10 * i + 10]))
    assert {r.observation.name: r.observation.steps.count for r in seen.reports} == {"maker": 4, "critic": 4}


def test_patches_are_gone_afterwards_and_after_an_error():
    def standing():
        return [
            vars(tf.GradientTape)["gradient"],
            vars(tf.GradientTape)["__enter__"],
            keras.Model.fit,
            keras.Layer.__call__,
            keras.losses.Loss.__call__,
            keras.losses.mean_squared_error,
            tf.nn.sigmoid_cross_entropy_with_logits,
            tf.data.Dataset.__iter__,
            keras.optimizers.Optimizer.apply,
        ]

    before = standing()
    with watcher.watch():
        assert all(a is not b for a, b in zip(before, standing(), strict=True))
    assert all(a is b for a, b in zip(before, standing(), strict=True))
    with pytest.raises(KeyError), watcher.watch():
        raise KeyError("of the script")
    assert all(a is b for a, b in zip(before, standing(), strict=True))
    assert Monitor.active is None


@pytest.mark.parametrize("graph", [True, False], ids=["graph", "eager"])
def test_a_mistake_in_measuring_never_reaches_the_script(graph, monkeypatch):
    def mistake(*arguments, **keywords):
        raise ZeroDivisionError("of ours")

    plain = outcome(a_loop(graph), contextlib.nullcontext())
    monkeypatch.setattr(Recorder, "record", mistake)
    with watcher.watch() as seen:
        watched = outcome(a_loop(graph), contextlib.nullcontext())
    for a, b in zip(plain, watched, strict=True):
        np.testing.assert_array_equal(a, b)
    (only,) = seen.monitor.trainings
    assert "A step could not be measured: ZeroDivisionError: of ours" in only.unseen


def test_the_callback_watches_one_fit():
    model = mlp()
    model.compile("sgd", CROSS)
    before = keras.Model.fit
    callback = watcher.DiagnosticsCallback(verbose=False)
    model.fit(X, Y, batch_size=20, epochs=2, verbose=0, callbacks=[callback])
    (report,) = callback.reports
    seen = report.observation
    assert (seen.interface, seen.steps.count, seen.plan.epochs, seen.loss.name) == ("fit", 6, 2, CROSS.name)
    assert len(seen.epochs) == 2
    np.testing.assert_array_equal(seen.train.x, X)
    assert keras.Model.fit is before
    model.fit(X, Y, epochs=1, verbose=0)
    assert len(callback.reports) == 1


def test_a_fit_that_can_train_nothing_is_reported():
    model = mlp()
    model.trainable = False
    model.compile("sgd", CROSS)
    with watcher.watch() as seen:
        model.fit(X, Y, epochs=1, verbose=0)
    (report,) = seen.reports
    assert [f.cause for f in report.named] == ["frozen_or_disconnected"]


@pytest.mark.parametrize(("alone", "known"), [(True, False), (False, False), (True, True)])
def test_what_is_attainable_is_tried_where_nobody_knows_the_loss_of_a_network_alone(alone, known, monkeypatch):
    def apart(model, x, y):
        return tf.reduce_mean(tf.nn.relu(tf.cast(y, "float32") - model(x, training=True)[:, 0]))

    monkeypatch.setattr(watcher.experiments, "TRIED", 3)
    model = mlp()
    loss = crossentropy if known else apart
    with watcher.watching() as monitor:
        loop(lambda a, b: loss(model, a, b), [v.value for v in model.trainable_variables])
    (training,) = monitor.trainings
    report = watcher.examined(training, alone=alone)
    assert ("attained_own" in report.observation.experiments) == (alone and not known)


@pytest.mark.parametrize(
    ("degree", "elsewhere", "steps", "tried"), [(0.3, 0.0, 60, True), (0.1, 0.3, 60, False), (0.1, 0.3, 6, True)]
)
def test_a_few_steps_are_tried_out_by_what_validation_lacks(degree, elsewhere, steps, tried, monkeypatch):
    known = Harm(degree=degree, elsewhere=elsewhere, sentence="", baseline=1.0)
    monkeypatch.setattr(watcher.doctor, "harm_of", lambda seen: known)
    asked = []
    monkeypatch.setattr(watcher.experiments, "run", lambda training, seen, harmed: asked.append(harmed) or {})
    model = mlp()
    with watcher.watching() as monitor:
        loop(lambda a, b: crossentropy(model, a, b), [v.value for v in model.trainable_variables], steps=steps)
    (training,) = monitor.trainings
    watcher.examined(training, alone=True)
    assert asked == [True] * tried


class Made:
    """A training of which the line and the harm are known."""

    def __init__(self, line, harm, diverged=False):
        self.site, self.harm = ("train.py", line), Harm(degree=harm, diverged=diverged, sentence="", baseline=1.0)

    def close(self):
        return self


def test_of_many_trainings_of_one_line_those_that_do_worst_are_tried_out(monkeypatch):
    monkeypatch.setattr(watcher, "TRIED", 2)
    monkeypatch.setattr(watcher.doctor, "harm_of", lambda seen: seen.harm)
    of_one = [Made(3, 0.2), Made(3, 0.9), Made(3, 0.0, diverged=True), Made(3, 0.5)]
    assert watcher.worth_trying([Made(2, 0.0), *of_one, Made(5, 0.1), Made(5, 0.0)]) == {0, 2, 3, 5, 6}
    assert watcher.worth_trying([]) == set()


def test_repairs_are_tried_on_those_that_are_tried_out(monkeypatch):
    monkeypatch.setattr(watcher, "TRIED", 2)
    monkeypatch.setattr(watcher.doctor, "harm_of", lambda seen: seen.harm)
    monkeypatch.setattr("keras_course.diagnostics.intervene.verified", lambda training, report: report.upper())
    monkeypatch.setattr(watcher.Watch, "trainings", [Made(3, 0.2), Made(3, 0.9), Made(3, 0.5)])
    seen = watcher.Watch(Monitor())
    seen.reports = ["a", "b", "c"]
    seen.verify()
    assert seen.reports == ["a", "B", "C"]


def test_what_is_not_tried_out_is_judged_by_what_was_seen_of_it(monkeypatch):
    model = mlp()
    with watcher.watching() as monitor:
        loop(lambda a, b: crossentropy(model, a, b), [v.value for v in model.trainable_variables], rate=1e-6)
    for name in ("run", "attainable"):
        monkeypatch.setattr(watcher.experiments, name, lambda *args, **more: pytest.fail("it was tried"))
    monkeypatch.setattr(watcher, "TWINS", (lambda *args: pytest.fail("it was tried"),))
    report = watcher.examined(monitor.trainings[0], tried=False)
    assert [s for s in report.observation.unseen if "tried out" in s] == [
        "Nothing was tried out on it: its line made more than 10 trainings, and others do worse."
    ]
    assert report.observation.steps.count == 4


def test_what_is_attainable_fails_in_words(monkeypatch):
    def broken(training, seen):
        raise ValueError("no such tensor")

    monkeypatch.setattr(watcher.experiments, "attainable", broken)
    model = mlp()
    with watcher.watching() as monitor:
        loop(lambda a, b: tf.reduce_sum(model(a)[:, 0]), [v.value for v in model.trainable_variables])
    report = watcher.examined(monitor.trainings[0])
    said = [sentence for sentence in report.observation.unseen if "could not be tried" in sentence]
    assert said == ["`broken` could not be tried: ValueError: no such tensor"]


def test_of_a_loss_without_a_name_inputs_are_exchanged():
    model = mlp()
    loss = lambda a, b: tf.reduce_mean(tf.nn.softplus(model(a)[:, 0] - model(b)[:, 0]))  # noqa: E731 - one expression
    with watcher.watching() as monitor:
        loop(loss, [v.value for v in model.trainable_variables], y=X[::-1].copy())
    assert "exchanged_gain" in watcher.examined(monitor.trainings[0]).observation.experiments


def test_a_folder_gets_a_run_for_each_training(tmp_path):
    with watcher.watch(tmp_path, "mine") as seen:
        a_loop(True)()
        a_loop(True)()
    assert len(seen.reports) == 2
    assert {p.parent.name for p in tmp_path.rglob("*tfevents*")} == {"mine", "mine_2"}


def test_what_an_earlier_training_changed_is_known_to_the_later_ones():
    trunk, head = keras.layers.Dense(4, "relu"), keras.layers.Dense(2)
    first = keras.Sequential([keras.Input((5,)), trunk, keras.layers.Dense(1)])
    with watcher.watch() as seen:
        first.compile("sgd", "mse")
        first.fit(np.ones((20, 5)), np.ones(20), verbose=0)
        trunk.trainable = False
        second = keras.Sequential([keras.Input((5,)), trunk, head])
        second.compile("sgd", "mse")
        second.fit(np.ones((20, 5)), np.ones((20, 2)), verbose=0)
    flags = [{v.shape: v.trained_before for v in r.observation.variables if len(v.shape) == 2} for r in seen.reports]
    assert flags == [{(5, 4): False, (4, 1): False}, {(5, 4): True, (4, 2): False}]
    assert [r.observation.alone for r in seen.reports] == [True, True], "one behind the other"


def test_the_targets_of_a_loop_over_three_parts_are_those_of_its_loss():
    """Ratings of things by users: what the loss compares is the third part."""
    rng = np.random.default_rng(0)
    users, things = rng.integers(0, 6, 320), rng.integers(0, 9, 320)
    ratings = rng.normal(3, 1, 320).astype("float32")
    tables = [tf.Variable(rng.normal(size=(n, 2)).astype("float32")) for n in (6, 9)]
    with watcher.watch() as seen:
        for user, thing, rating in tf.data.Dataset.from_tensor_slices((users, things, ratings)).batch(32):
            with tf.GradientTape() as tape:
                said = tf.reduce_sum(tf.gather(tables[0], user) * tf.gather(tables[1], thing), axis=1)
                loss = tf.reduce_mean((rating - said) ** 2)
            for table, gradient in zip(tables, tape.gradient(loss, tables), strict=True):
                table.assign_sub(0.01 * tf.convert_to_tensor(gradient))
    (report,) = seen.reports
    np.testing.assert_array_equal(report.observation.train.y, ratings)
    np.testing.assert_array_equal(report.observation.train.further, [things])
    assert report.harm.baseline == pytest.approx(np.var(ratings), rel=1e-5)


@pytest.mark.parametrize("graph", [True, False])
@pytest.mark.parametrize("turns", [True, False])
def test_trainings_are_alone_unless_they_take_turns(turns, graph):
    one, other = mlp(), mlp()

    def steps(model, count):
        variables = [v.value for v in model.trainable_variables]
        loop(lambda a, b: tf.reduce_mean(model(a)[:, 0]), variables, steps=count, graph=graph)

    with watcher.watch() as seen:
        for _ in range(3 if turns else 1):
            steps(one, 2)
            steps(other, 2)
    assert {r.observation.alone for r in seen.reports} == {not turns}
