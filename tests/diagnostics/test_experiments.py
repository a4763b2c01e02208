from keras_course.diagnostics import experiments
from tests.diagnostics.trained import X, Y, crossentropy, loop, watched

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers


def tried(parts, *, rate=0.1, steps=40, harmed=True, batch=10):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((5,)), *parts])
    variables = [v.value for v in model.trainable_variables]
    loss = lambda a, b: crossentropy(model, a, b)  # noqa: E731 - one expression
    (training,) = watched(lambda: loop(loss, variables, rate=rate, steps=steps, batch=batch))
    seen = training.close()
    found = experiments.run(training, seen, harmed=harmed)
    assert not seen.unseen
    return found, seen, training


def silent():
    """A layer that gives 0 for everything."""
    return layers.Dense(16, "relu", kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(-1.0))


def test_the_rate_of_steps_by_hand_is_read_off_them():
    assert tried([layers.Dense(3)], rate=0.07)[0]["rate"] == pytest.approx(0.07, rel=1e-3)
    assert tried([layers.Dense(3)], rate=1e-6)[0]["rate"] == pytest.approx(1e-6, rel=0.5), "below the rounding"


def test_no_experiment_is_begun_when_the_time_is_over(monkeypatch):
    monkeypatch.setattr(experiments, "SECONDS", -1.0)
    assert tried([layers.Dense(3)])[0] == {}


def test_a_rate_that_is_too_high_is_better_at_a_tenth_and_one_too_low_at_ten_times():
    high, *_ = tried([layers.Dense(8, "relu"), layers.Dense(3)], rate=30.0)
    assert high["probe_worst"] > 1.3 * high["probe_start"]
    assert min(high["end_tenth"], high.get("end_hundredth", np.inf)) < 0.9 * high["end_same"]
    low, *_ = tried([layers.Dense(8, "relu"), layers.Dense(3)], rate=1e-4)
    gains = [low["probe_start"] - low[f"probe_{name}"] for name in ("same", "ten", "hundred")]
    assert gains[1] > 5 * gains[0] > 0
    assert gains[2] > 5 * gains[1]
    assert low["late_start"] - low["late_thousand"] > 0.1 * low["late_start"]


def test_superposition_holds_for_linear_networks_only():
    linear = tried([layers.Dense(8), layers.Dense(4), layers.Dense(3)], harmed=False)[0]
    assert linear["superposition"] < 1e-5
    assert tried([layers.Dense(8, "leaky_relu"), layers.Dense(3)])[0]["superposition"] > 1e-3


def test_superposition_is_tried_where_the_targets_are_floats_too():
    def squares(m, a, b):
        return tf.reduce_mean(tf.square(m(a) - b))

    keras.utils.set_random_seed(0)
    for hidden, linear in ((layers.Dense(8), True), (layers.Dense(8, "relu"), False)):
        model = keras.Sequential([keras.Input((5,)), hidden, layers.Dense(1)])
        variables = [v.value for v in model.trainable_variables]
        (training,) = watched(lambda m=model, v=variables: loop(lambda a, b: squares(m, a, b), v, y=X[:, :1] * 2))
        found = experiments.superposition(experiments.replay_of(training), training.close(), training)
        assert (found["superposition"] < 1e-4) == linear


def test_superposition_is_tried_where_each_batch_is_the_whole_data():
    keras.utils.set_random_seed(0)
    for activation, linear in (("linear", True), ("relu", False)):
        model = keras.Sequential([keras.Input((5,)), layers.Dense(8, activation, use_bias=False), layers.Dense(3)])
        variables = [v.value for v in model.trainable_variables]
        (training,) = watched(lambda m=model, v=variables: loop(lambda a, b: crossentropy(m, a, b), v, batch=len(X)))
        found = experiments.superposition(experiments.replay_of(training), training.close(), training)
        assert (found["superposition"] < 1e-4) == linear


@pytest.mark.parametrize(("bend", "linear"), [(tf.identity, True), (tf.nn.relu, False)])
def test_superposition_of_what_drops_units_at_random(bend, linear):
    """The same ones each time, though `tf.nn.dropout` draws them anew."""
    keras.utils.set_random_seed(0)
    one, two = (tf.Variable(tf.random.normal(shape)) for shape in ((5, 8), (8, 1)))
    dropped = lambda a: tf.nn.dropout(bend(a @ one), 0.4) @ two  # noqa: E731 - one expression
    loss = lambda a, b: tf.reduce_mean((dropped(a) - b) ** 2)  # noqa: E731
    (training,) = watched(lambda: loop(loss, [one, two], rate=0.01, y=X[:, :1] * 2))
    found = experiments.superposition(experiments.replay_of(training), training.close(), training)
    assert (found["superposition"] < 1e-4) == linear
    assert found["superposition"] < 1e-4 or found["superposition"] > 0.03


def test_a_head_that_hangs_on_another_input_says_nothing_of_superposition():
    left, right = keras.Sequential([layers.Dense(4, "relu")]), keras.Sequential([layers.Dense(4, "relu")])
    left.build((None, 5)), right.build((None, 5))

    def towers(a, b):
        return tf.reduce_mean(tf.square(left(a) - b[:, :4])) + tf.reduce_mean(tf.square(right(b)))

    variables = [v.value for v in [*left.trainable_variables, *right.trainable_variables]]
    (training,) = watched(lambda: loop(towers, variables, y=X[::-1].copy()))
    assert experiments.superposition(experiments.replay_of(training), training.close(), training) == {}


def attained(kernel="he_normal", *, trained=slice(None), rate=0.05, steps=60):
    """What is attainable beside a loop over batches of rows that repeat, and the training."""
    keras.utils.set_random_seed(0)
    parts = layers.Dense(16, "relu", kernel_initializer=kernel), layers.Dense(3)
    model = keras.Sequential([keras.Input((5,)), *parts])
    variables = [v.value for v in model.trainable_variables][trained]
    loss = lambda a, b: crossentropy(model, a, b)  # noqa: E731 - one expression
    (training,) = watched(lambda: loop(loss, variables, rate=rate, steps=steps))
    return experiments.attainable(training, training.close())


def test_what_a_short_training_reaches_from_first_weights_of_the_script_and_from_such_as_are_drawn_anew():
    sound = attained()
    assert sound["attained_own"] < 0.3 > sound["attained_fresh"]
    assert sound["attained_from"] > 0.8 > sound["attained_last"] > sound["attained_own"]
    alike = attained("ones")
    assert alike["attained_own"] > 0.35 > 0.3 > alike["attained_fresh"], "units that are alike"
    wild = attained(keras.initializers.RandomNormal(stddev=40.0), steps=1, rate=0.0)
    assert wild["attained_from"] < 3 < wild["attained_last"], "before any step the better of the two starts counts"


def test_what_is_attainable_trains_frozen_weights_too():
    frozen = attained(trained=slice(2, None), rate=0.0)
    assert frozen["attained_last"] == pytest.approx(frozen["attained_from"], rel=0.5)
    assert frozen["attained_own"] < 0.3


def test_what_is_attainable_where_a_layer_keeps_a_state():
    keras.utils.set_random_seed(0)
    cells = layers.SimpleRNN(4, stateful=True), layers.Dense(3)
    model = keras.Sequential([keras.Input(batch_shape=(10, 5, 1)), *cells])
    variables = [v.value for v in model.trainable_variables]
    loss = lambda a, b: crossentropy(model, a[..., None], b)  # noqa: E731 - one expression
    (training,) = watched(lambda: loop(loss, variables))
    found = experiments.attainable(training, training.close())
    assert found["attained_fresh"] < found["attained_from"]


def test_no_arm_of_what_is_attainable_is_begun_when_the_time_is_over(monkeypatch):
    monkeypatch.setattr(experiments, "ATTAINING", -1.0)
    assert attained().keys() == {"attained_from", "attained_last"}


def test_eight_examples_are_learned_by_heart_unless_nothing_passes():
    good = tried([layers.Dense(16, "relu"), layers.Dense(3)])[0]
    assert good["few_end"] < 0.1 * good["few_start"]
    dead = tried([silent(), layers.Dense(3)])[0]
    assert dead["few_end"] > 0.5 * dead["few_start"]


def test_silent_layers_say_nothing_of_superposition():
    assert "superposition" not in tried([silent(), layers.Dense(3)])[0]


@pytest.mark.parametrize("batch", [3, 4, 9])
def test_four_examples_are_learned_by_heart_where_there_are_no_eight(batch):
    found = tried([layers.Dense(16, "relu"), layers.Dense(3)], batch=batch)[0]
    assert found.get("few") == {3: None, 4: 4, 9: 8}[batch]
    assert batch == 3 or found["few_end"] < 0.1 * found["few_start"]


def test_fresh_weights_have_the_spread_that_keeps_the_signal():
    _, seen, training = tried([layers.Dense(400, "relu", kernel_initializer="ones"), layers.Dense(3)], steps=2)
    replay = experiments.replay_of(training)
    start = experiments.fresh_start(replay, seen, training)
    hidden = next(v for v in start.values() if v.shape == (5, 400))
    assert np.std(hidden) == pytest.approx(np.sqrt(2 / 5), rel=0.05)
    biases = [name for name, v in start.items() if v.ndim == 1]
    assert all(np.array_equal(start[name], replay.start[name]) for name in biases)


def test_the_output_of_a_network_that_ignores_its_input_does_not_vary():
    dead = tried([silent(), layers.Dense(3)])[0]
    assert dead["output_spread"] < 1e-6
    assert tried([layers.Dense(3)])[0]["output_spread"] > 1e-2


def test_rows_are_repeated_to_the_size_of_the_batch():
    few = experiments.few([X[:6], Y[:6]], 4)
    np.testing.assert_array_equal(few[1], [*Y[:4], *Y[:2]])
    assert experiments.few([X[:6], Y[:5]], 4) is None


@pytest.mark.parametrize(("cell", "low", "high"), [
    (layers.SimpleRNN(6, activation="sigmoid"), 0.0, 0.4),
    (layers.SimpleRNN(6), 0.4, 1.1),
    (layers.LSTM(6), 0.4, 1.0),
])  # fmt: skip
def test_the_gradient_through_time_fades_by_the_slope_of_the_activation(cell, low, high):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((5, 1)), layers.UpSampling1D(3), cell, layers.Dense(3)])
    variables = [v.value for v in model.trainable_variables]
    (training,) = watched(lambda: loop(lambda a, b: crossentropy(model, a[..., None], b), variables))
    found = experiments.through_time(experiments.replay_of(training), training.close(), training)
    assert low < found["time_factor"] < high
    assert found["time_ratio"] == pytest.approx(found["time_factor"] ** (15 - 3))


def test_what_the_first_batches_cost_in_the_end():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((5,)), layers.Dense(8, "relu"), layers.Dense(3)])
    order = np.argsort(Y, kind="stable")
    variables = [v.value for v in model.trainable_variables]
    (training,) = watched(
        lambda: loop(lambda a, b: crossentropy(model, a, b), variables, rate=1.0, steps=30, x=X[order], y=Y[order])
    )
    found = experiments.forgotten(experiments.replay_of(training), training.close(), training)
    first = [float(crossentropy(model, X[order][i : i + 10], Y[order][i : i + 10])) for i in range(0, 60, 10)]
    assert found["forgotten"] == pytest.approx(np.mean(first), rel=1e-4)


def test_superposition_is_judged_by_what_moves():
    """Sigmoids behind each other give nearly the same for all inputs, but they bend the rest."""
    narrow = keras.initializers.RandomNormal(stddev=0.3, seed=1)
    deep = [layers.Dense(8, "sigmoid", kernel_initializer=narrow) for _ in range(5)]
    found = tried([layers.Dense(8, kernel_initializer=keras.initializers.RandomNormal(stddev=3.0, seed=2)), *deep,
                   layers.Dense(3)])[0]  # fmt: skip
    assert found["superposition"] > 1e-3


def pairs(kind, steps=60, rate=0.5, batch=10):
    """Two rows of which the larger in the first column is the better one; one of them may be a part of the target."""
    model = keras.Sequential([keras.Input((5,)), layers.Dense(1)])
    variables = [v.value for v in model.trainable_variables]

    def loss(a, b):
        margin = model(a) - model(b)
        if kind == "its own target":
            margin = margin * a[:, :1]
        return tf.reduce_mean(tf.nn.softplus(-margin))

    better = np.where(X[:, :1] > np.roll(X, 1, 0)[:, :1], X, np.roll(X, 1, 0)).astype("float32")
    other = (X + np.roll(X, 1, 0) - better).astype("float32")
    keras.utils.set_random_seed(0)
    (training,) = watched(lambda: loop(loss, variables, x=better, y=other, rate=rate, steps=steps, batch=batch))
    return experiments.exchanged(training, training.close())


def test_what_inputs_of_other_rows_cost():
    learned, nothing = pairs("told"), pairs("told", rate=0.0, steps=20)
    assert learned["exchanged_gain"] > 3 * learned["exchanged_error"] > 0
    assert abs(nothing["exchanged_gain"]) < 0.2 * nothing["exchanged_loss"]
    assert pairs("told", batch=6) == {}, "too few rows"
    assert pairs("its own target")["exchanged_gain"] != 0, "the other one of the pair is exchanged"


def test_of_an_input_that_is_its_own_target_nothing_can_be_exchanged():
    model = keras.Sequential([keras.Input((5,)), layers.Dense(5)])
    variables = [v.value for v in model.trainable_variables]
    loss = lambda a, b: tf.reduce_mean((model(a) - a) ** 2 * tf.cast(b[:, None] + 1, "float32"))  # noqa: E731
    (training,) = watched(lambda: loop(loss, variables))
    assert len(training.forward.boundary) == 2, "beside what its rows count"
    assert experiments.exchanged(training, training.close()) == {}


def test_eight_examples_are_tried_alone_in_large_batches(monkeypatch):
    sizes, train = [], experiments.Replay.train

    def trained(replay, *args, **kwargs):
        sizes.append(len((kwargs.get("batches") or replay.batches)[0][0]))
        return train(replay, *args, **kwargs)

    monkeypatch.setattr(experiments.Replay, "train", trained)
    found = tried([layers.Dense(16, "relu"), layers.Dense(3)], batch=len(X))[0]
    assert found["few_end"] < 0.1 * found["few_start"]
    assert sizes[0] == 8
    assert set(sizes[1:]) == {len(X)}


def test_two_outputs_beside_each_other_say_nothing_of_superposition():
    keras.utils.set_random_seed(0)
    one, other = layers.Dense(1), layers.Dense(1)
    one.build((None, 5)), other.build((None, 5))
    variables = [v.value for v in [*one.trainable_variables, *other.trainable_variables]]
    loss = lambda a, b: tf.reduce_mean(one(a) ** 2) + tf.reduce_mean((other(a) - b) ** 2)  # noqa: E731
    (training,) = watched(lambda: loop(loss, variables, y=X[:, :1] * 2))
    assert len(training.forward.found) == 2
    assert experiments.superposition(experiments.replay_of(training), training.close(), training) == {}
