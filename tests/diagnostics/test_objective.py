from keras_course.diagnostics.objective import cuts_of
from tests.diagnostics.trained import X, Y, forward_of, loop, watched

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

BOTH = pytest.mark.parametrize("graph", [True, False], ids=["graph", "eager"])
REALS = X[:, :1] * 2
CATEGORICAL = "categorical_crossentropy"


@pytest.mark.parametrize("losses", [keras.losses, tf.keras.losses], ids=["keras", "tf.keras"])
@BOTH
def test_a_loss_of_the_script_that_calls_one_of_keras_is_that_one(losses, graph):
    """Of which it says whether it takes logits, whatever operations it is made of."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((5,)), layers.Dense(3)])

    def own(y, z):
        return tf.reduce_sum(losses.sparse_categorical_crossentropy(y, z))

    model.compile("sgd", loss=own, run_eagerly=not graph)
    (training,) = watched(lambda: model.fit(X, Y, batch_size=20, verbose=0))
    assert (training.forward.name, training.forward.from_logits) == ("sparse_categorical_crossentropy", False)
    variables = [v.value for v in model.trainable_variables]
    (tape,) = watched(lambda: loop(lambda a, b: own(b, model(a)), variables, graph=graph, steps=1))
    assert (tape.forward.name, tape.forward.from_logits) == ("sparse_categorical_crossentropy", False)


@pytest.mark.parametrize("name", ["mse", "MSE", "mae"])
def test_names_of_losses_that_tf_keras_alone_has(name):
    function, real = getattr(tf.keras.losses, name), {"a": "mean_absolute_error"}.get(name[1], "mean_squared_error")
    found = forward_of([layers.Dense(1)], loss=lambda m, x, y: tf.reduce_mean(function(y, m(x))), y=REALS)
    assert found.name == real
    assert getattr(tf.keras.losses, name) is function, "the patch is gone"


@pytest.mark.parametrize(
    ("loss", "name", "logits", "head"),
    [
        (keras.losses.SparseCategoricalCrossentropy(), "sparse_categorical_crossentropy", False, "softmax"),
        (
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "sparse_categorical_crossentropy",
            True,
            "softmax",
        ),
        (
            lambda *args: keras.losses.sparse_categorical_crossentropy(*args),
            "sparse_categorical_crossentropy",
            False,
            "softmax",
        ),
    ],
)
def test_the_loss_and_the_head_of_keras(loss, name, logits, head):
    def given(model, x, y):
        return tf.reduce_mean(loss(y, model(x)))

    found = forward_of([layers.Dense(3, "softmax", name="a")], loss=given)
    assert (found.name, found.from_logits, found.head) == (name, logits, head)
    assert found.rescued, "Keras takes the logits behind its own softmax"
    assert found.targets.shape == (10,)


def test_a_second_softmax_is_seen_where_nothing_rescues_it():
    def given(model, x, y):
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=tf.nn.softmax(model(x))))

    found = forward_of([layers.Dense(3, name="a")], loss=given)
    assert (found.head, found.inner, found.rescued, found.from_logits) == ("softmax", "softmax", False, True)


def own_squares(y, p):
    return tf.reduce_mean(tf.square(p - y))


def own_logits(y, p):
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.cast(y, tf.int32), logits=p)


def own_odd(y, p):
    return tf.reduce_mean(tf.math.log(tf.math.cosh(p - y)))


@pytest.mark.parametrize(
    ("loss", "name", "logits"),
    [
        (own_squares, "mean_squared_error", None),
        (own_logits, "sparse_categorical_crossentropy", True),
        (own_odd, "own_odd", None),
    ],
)
def test_a_loss_of_the_script_is_known_by_what_it_does(loss, name, logits):
    """`fit` names it by its function."""
    classes = logits is not None
    model = keras.Sequential([keras.Input((5,)), layers.Dense(7, "relu"), layers.Dense(3 if classes else 1)])
    model.compile("sgd", loss)
    (training,) = watched(lambda: model.fit(X, Y if classes else REALS, verbose=0))
    assert (training.forward.name, bool(training.forward.from_logits)) == (name, bool(logits))


@BOTH
def test_squared_error_by_hand_and_its_broadcast(graph):
    def column(model, x, y):
        return tf.reduce_mean(tf.square(model(x) - y))

    def flat(model, x, y):
        return tf.reduce_mean(tf.square(model(x) - y[:, 0]))

    good = forward_of([layers.Dense(1, name="a")], loss=column, y=REALS, graph=graph)
    assert (good.name, good.broadcast, good.prediction.shape[-1]) == ("mean_squared_error", False, 1)
    assert forward_of([layers.Dense(1, name="a")], loss=flat, y=REALS, graph=graph).broadcast


@BOTH
@pytest.mark.parametrize(("shape", "broadcast"), [((-1,), True), ((-1, 1), False), ((1, -1), False)])
@pytest.mark.parametrize("stopped", [True, False])
def test_targets_of_another_network_that_are_rows(shape, broadcast, stopped, graph):
    """As a critic has them; what is compared pair by pair, both sides of which are trained, is meant so."""
    other = keras.Sequential([keras.Input((5,)), layers.Dense(1)])

    def backup(m, x, y):
        targets = tf.reshape(other(x) + 0.1, shape)
        return tf.reduce_mean((m(x) - (tf.stop_gradient(targets) if stopped else targets)) ** 2)

    found = forward_of([layers.Dense(1, name="a")], loss=backup, y=REALS, graph=graph)
    assert found.broadcast == (broadcast and stopped)


@BOTH
@pytest.mark.parametrize(("shape", "broadcast"), [((-1,), False), ((-1, 1), True), ((1, -1), False)])
def test_weights_of_examples_that_are_columns(graph, shape, broadcast):
    def weighted(model, x, y):
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=model(x))
        return tf.reduce_mean(losses * tf.reshape(x[:, 0], shape))

    assert forward_of([layers.Dense(3)], loss=weighted, graph=graph).broadcast == broadcast


@BOTH
@pytest.mark.parametrize(
    "loss",
    [
        lambda e: tf.reduce_mean(e**2),
        lambda e: tf.reduce_mean(e * e),
        lambda e: tf.reduce_mean(tf.pow(e, 2.0)),
        lambda e: tf.reduce_sum(tf.square(e)) / 10,
    ],
    ids=["power", "product", "pow", "square"],
)
def test_squares_however_they_are_written(loss, graph):
    w = tf.Variable(np.ones((5, 1), "float32"), name="w")
    (training,) = watched(lambda: loop(lambda a, b: loss(tf.matmul(a, w) - b), [w], steps=1, y=REALS, graph=graph))
    assert training.forward.name == "mean_squared_error"
    assert training.forward.prediction.shape[-1] == 1


def test_other_powers_are_no_squares():
    w = tf.Variable(np.ones((5, 1), "float32"), name="w")
    cubes = lambda a, b: tf.reduce_mean((tf.matmul(a, w) - b) ** 4)  # noqa: E731
    (training,) = watched(lambda: loop(cubes, [w], steps=1, y=REALS))
    assert training.forward.name == ""


@BOTH
def test_cross_entropies_by_hand(graph):
    w = tf.Variable(np.random.default_rng(3).normal(size=(5, 3)).astype("float32"), name="w")
    hot = np.eye(3, dtype="float32")[Y]

    def classes(a, b):
        return -tf.reduce_mean(tf.reduce_sum(b * tf.math.log(tf.nn.softmax(tf.matmul(a, w)) + 1e-9), axis=1))

    def yes_or_no(a, b):
        p = tf.clip_by_value(tf.sigmoid(tf.matmul(a, w)), 1e-7, 1 - 1e-7)
        return -tf.reduce_mean(b * tf.math.log(p) + (1 - b) * tf.math.log(1 - p))

    def with_a_minus(a, b):  # which binds to the targets
        p = tf.sigmoid(tf.matmul(a, w))
        return tf.reduce_mean(-b * tf.math.log(p + 1e-7) - 2.0 * (1 - b) * tf.math.log(1 - p + 1e-7))

    binary = "binary_crossentropy", "sigmoid"
    for loss, name, head in ((classes, CATEGORICAL, "softmax"), (yes_or_no, *binary), (with_a_minus, *binary)):
        (training,) = watched(lambda loss=loss: loop(loss, [w], steps=1, y=hot, graph=graph))
        found = training.forward
        assert (found.name, found.from_logits, found.head) == (name, False, head)
        assert found.targets.op.type not in ("Neg", "Mul")
        assert found.targets.shape[-1] == 3


def picked(p, y):
    return tf.gather(p, y, batch_dims=1)


def picked_by_place(p, y):
    return tf.gather_nd(p, tf.stack([tf.range(tf.size(y)), y], axis=1))


SPARSE = "sparse_categorical_crossentropy"


@BOTH
@pytest.mark.parametrize(
    ("loss", "name", "logits"),
    [
        (lambda z, y: tf.reduce_sum(tf.one_hot(y, 3) * tf.nn.log_softmax(z), axis=1), CATEGORICAL, True),
        (lambda z, y: tf.math.log(tf.nn.softmax(z)) * tf.one_hot(y, 3), CATEGORICAL, False),
        (lambda z, y: picked(tf.nn.log_softmax(z), y), SPARSE, True),
        (lambda z, y: picked_by_place(tf.nn.log_softmax(z), y), SPARSE, True),
        (lambda z, y: tf.math.log(picked(tf.nn.softmax(z), y)), SPARSE, False),
        (lambda z, y: picked(tf.math.log(tf.nn.softmax(z) + 1e-8), y), SPARSE, False),
        (lambda z, y: tf.gather(tf.nn.log_softmax(z), y), "", None),  # whole rows, in another order
        (lambda z, y: picked(z, y), "", None),  # as of the values of actions
        (lambda z, y: tf.math.log(picked(tf.exp(z), y)), "", None),
    ],
)
def test_the_logarithm_of_what_is_said_of_the_own_class(loss, name, logits, graph):
    def given(model, x, y):
        return -tf.reduce_mean(loss(model(x), y))

    found = forward_of([layers.Dense(3, name="a")], loss=given, y=Y.astype("int32"), graph=graph)
    assert (found.name, found.from_logits) == (name, logits)
    if name:
        assert found.prediction.shape == (10, 3)
        assert found.head == ("linear" if logits else "softmax")
        assert found.place(found.targets) is not None or name == CATEGORICAL


@BOTH
@pytest.mark.parametrize(
    ("loss", "known"),
    [
        (lambda z, b: tf.nn.softplus(z) - b * z, True),
        (lambda z, b: tf.maximum(z, 0.0) - z * b + tf.math.log1p(tf.exp(-tf.abs(z))), True),
        (lambda z, b: b * tf.nn.softplus(-z) + (1 - b) * tf.nn.softplus(z), True),
        (lambda z, b: 3.0 * b * tf.nn.softplus(-z) + (1 - b) * tf.nn.softplus(z), True),
        (lambda z, b: -(b * tf.math.log_sigmoid(z) + (1 - b) * tf.math.log_sigmoid(-z)), True),
        (lambda z, b: b * tf.nn.softplus(-z), False),  # half of it
        (lambda z, b: tf.nn.relu(z) - b * z, False),  # a hinge
        (lambda z, b: tf.abs(z) - b * z, False),
        (lambda z, b: tf.nn.softplus(z) - 0.5 * z, False),  # no targets
        (lambda z, b: tf.nn.softplus(z) - b[0, 0] * z, False),  # one number for all
    ],
)
def test_a_cross_entropy_of_logits_by_hand(loss, known, graph):
    model = keras.Sequential([keras.Input((5,)), layers.Dense(2, name="a"), layers.Dense(3, "tanh", name="b")])
    variables = [v.value for v in model.trainable_variables]
    hot = np.eye(3, dtype="float32")[Y]
    (training,) = watched(
        lambda: loop(lambda a, b: tf.reduce_mean(loss(model(a), b)), variables, steps=1, y=hot, graph=graph)
    )
    found = training.forward
    said = ("binary_crossentropy", True, "tanh") if known else ("", None, "")
    assert (found.name, found.from_logits, found.inner) == said
    assert not known or found.targets.shape[-1] == 3
    if known:
        assert found.targets.op.type != "Mul", "without the weight of a class"
        assert found.targets.shape[-1] == 3


def soft_dice(m, x, y):
    p = m(x)
    return 1 - tf.reduce_mean((2 * tf.reduce_sum(p * y, 1) + 1) / (tf.reduce_sum(p, 1) + tf.reduce_sum(y, 1) + 1))


@pytest.mark.parametrize(("activation", "name"), [("sigmoid", "overlap"), ("softmax", "overlap"), ("linear", "")])
@BOTH
def test_an_overlap_by_hand(activation, name, graph):
    """Of which prediction and targets are known, though it has no name."""
    masks = np.eye(3, dtype="float32")[Y]
    found = forward_of([layers.Dense(7), layers.Dense(3, activation)], loss=soft_dice, y=masks, graph=graph)
    assert (found.name, found.head) == (name, activation if name else "")
    assert (found.place(found.targets) is not None) == bool(name)


def test_values_of_things_weighed_by_what_is_said_of_them_are_no_overlap():
    """A share of each of several columns: it is further in."""

    def weighed(m, x, y):
        shares = m.layers[0](x)
        return tf.reduce_mean(m.layers[1](tf.reduce_sum(shares * y, 1, keepdims=True) * tf.ones((1, 3))))

    masks = np.eye(3, dtype="float32")[Y]
    assert forward_of([layers.Dense(3, "softmax"), layers.Dense(1)], loss=weighed, y=masks).name == ""


TURNED = {
    "matched pairs": (lambda p, b: tf.reduce_mean(tf.linalg.diag_part(p[:3])), 1),
    "gathered": (lambda p, b: tf.reduce_mean(tf.gather_nd(p, tf.stack([tf.range(10), tf.cast(b, "int32")], 1))), 1),
    "scaled": (lambda p, b: tf.reduce_sum(3.0 * p[:, 0]) / 20.0, 1),
    "twice negative": (lambda p, b: -tf.reduce_mean(-2.0 * p[:, 1]), 1),
    "beside a penalty": (lambda p, b: 0.1 + tf.reduce_mean(p[:, 1]) + 5.0, 1),
    "by an advantage": (lambda p, b: tf.reduce_mean(p[:, 0] * tf.cast(b, "float32")), 0),
    "entropy": (lambda p, b: tf.reduce_sum(tf.exp(p) * p), 0),
}


@BOTH
@pytest.mark.parametrize("way", TURNED)
def test_logarithms_of_a_softmax_that_are_minimised_themselves(way, graph):
    w = tf.Variable(np.random.default_rng(3).normal(size=(5, 3)).astype("float32"), name="w")
    loss, turned = TURNED[way]
    for sign in (1.0, -1.0):
        minimised = lambda a, b, sign=sign: sign * loss(tf.nn.log_softmax(tf.matmul(a, w)), b)  # noqa: E731
        (training,) = watched(lambda: loop(minimised, [w], steps=1, graph=graph))  # noqa: B023
        assert training.forward.turned == (turned and sign > 0)


def test_numbers_that_a_prediction_is_cut_at():
    """Also where that is traced behind the gradient, and by the line that does it."""
    model = keras.Sequential([keras.Input((5,)), layers.Dense(3)])
    variables = [v.value for v in model.trainable_variables]

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            said = model(x)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=said))
        tape.gradient(loss, variables)
        flat = tf.reshape(said, [-1])
        right = tf.cast(flat > 0.25, "float32") + tf.round(flat) + tf.cast(said[:, 0] <= 2.0, "float32")[0]
        return right, said > tf.reduce_mean(x), tf.nn.sigmoid(said) > 0.75, tf.cast(y, "float32") > 0.5

    (training,) = watched(lambda: step(tf.constant(X[:10]), tf.constant(Y[:10])))
    found = cuts_of(training.forward.prediction)
    assert sorted(level for level, _ in found) == [0.25, 0.5]
    assert training.close().cuts == found


@BOTH
def test_a_weighted_cross_entropy_of_logits(graph):
    def given(model, x, y):
        return tf.reduce_mean(tf.nn.weighted_cross_entropy_with_logits(labels=y, logits=model(x), pos_weight=3.0))

    found = forward_of([layers.Dense(3, name="a")], loss=given, y=np.eye(3, dtype="float32")[Y], graph=graph)
    assert (found.name, found.from_logits, found.head) == ("binary_crossentropy", True, "linear")
    assert found.prediction.shape == found.targets.shape == (10, 3)
    assert found.weighed

    def alike(model, x, y):
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=model(x)))

    assert not forward_of([layers.Dense(3)], loss=alike, y=np.eye(3, dtype="float32")[Y], graph=graph).weighed


@pytest.mark.parametrize(
    ("loss", "delta"),
    [
        (keras.losses.Huber(), 1.0),
        (keras.losses.Huber(delta=5.0), 5.0),
        (lambda y, z: keras.losses.huber(y, z, delta=0.5), 0.5),
        (lambda y, z: keras.losses.huber(y, z, 0.5), 0.5),
        (lambda y, z: tf.reduce_mean(tf.keras.losses.huber(y, z)), 1.0),
    ],
)
def test_the_delta_of_a_huber_loss(loss, delta):
    found = forward_of([layers.Dense(1)], loss=lambda m, x, y: tf.reduce_mean(loss(y, m(x))), y=REALS)
    assert (found.name, found.delta) == ("huber", delta)


@pytest.mark.parametrize("module", [keras.losses, tf.keras.losses])
@pytest.mark.parametrize("logits", [True, False])
def test_whether_a_function_takes_logits_may_be_told_by_its_place(module, logits):
    def given(model, x, y):
        return tf.reduce_mean(module.sparse_categorical_crossentropy(y, model(x), logits))

    found = forward_of([layers.Dense(3, None if logits else "softmax")], loss=given)
    assert (found.name, found.from_logits) == ("sparse_categorical_crossentropy", logits)


@pytest.mark.parametrize("delta", [tf.constant(0.5), np.float32(0.5)])
def test_a_delta_that_is_a_tensor_is_no_trouble(delta):
    found = forward_of(
        [layers.Dense(1)], loss=lambda m, x, y: tf.reduce_mean(keras.losses.huber(y, m(x), delta * 1)), y=REALS
    )
    assert (found.name, found.delta) == ("huber", 1.0 if tf.is_tensor(delta) else 0.5)


def test_what_a_loss_does_not_take_is_its_own_error():
    with pytest.raises(TypeError, match="positional"):
        forward_of([layers.Dense(1)], loss=lambda m, x, y: keras.losses.huber(y, m(x), 1.0, 2.0, 3.0), y=REALS)


@BOTH
@pytest.mark.parametrize(
    ("loss", "logarithm"),
    [
        (lambda z, y: tf.exp(z) - y * z, True),
        (lambda z, y: 0.5 * (y * z - tf.exp(z)), True),  # uphill, which is not asked here
        (lambda z, y: tf.nn.log_poisson_loss(y, z), True),
        (lambda z, y: tf.nn.softplus(z) - y * tf.math.log(tf.nn.softplus(z)), None),  # of two rates
        (lambda z, y: (lambda r: r - y * tf.math.log(r + 1e-6))(tf.nn.softplus(z)), False),
        (lambda z, y: tf.exp(z) - 2.0 * z, None),  # no counts
        (lambda z, y: tf.exp(z) * y - y * z, None),
        (lambda z, y: tf.exp(z) * (y * z), None),
    ],
)
def test_what_counts_cost_by_hand(loss, logarithm, graph):
    def given(model, x, y):
        return tf.reduce_mean(loss(model(x), y))

    found = forward_of([layers.Dense(1, name="a")], loss=given, y=np.float32(Y)[:, None], graph=graph)
    said = ("poisson", logarithm) if logarithm is not None else ("", None)
    assert (
        found.name if found.name == "poisson" else "",
        found.from_logits if found.name == "poisson" else None,
    ) == said
    if logarithm is not None:
        assert found.prediction.shape == (10, 1)
        assert found.place(found.targets) is not None
        assert (found.prediction.op.type == "Softplus") != logarithm


@BOTH
@pytest.mark.parametrize(
    ("loss", "capped"),
    [
        (lambda z, y: tf.reduce_mean(-0.5 * ((y - z) * tf.exp(-z[:, :1])) ** 2 - z[:, :1]), True),
        (lambda z, y: -tf.reduce_mean(tf.square(z - y)), True),
        (lambda z, y: 3.0 - tf.reduce_sum(tf.abs(z - y)) / 2.0, True),
        (lambda z, y: -tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=z)), True),
        (lambda z, y: tf.reduce_mean(tf.square(z - y)), False),
        (lambda z, y: tf.reduce_mean(tf.square(z - y)) - 0.1 * tf.reduce_mean(tf.square(z)), False),  # of both signs
        (lambda z, y: -tf.reduce_mean(y * tf.square(z)), False),  # by what they are multiplied nobody knows
        (lambda z, y: -tf.reduce_mean(z), False),  # it has no end
    ],
)
def test_what_has_an_upper_end(loss, capped, graph):
    found = forward_of([layers.Dense(3, name="a")], loss=lambda m, x, y: loss(m(x), y), y=np.eye(3, dtype="float32")[Y],
                       graph=graph)  # fmt: skip
    assert (found.capped, found.climbed) == (capped, False)


def squares(z, y):
    return tf.reduce_mean(tf.square(z - y))


@BOTH
@pytest.mark.parametrize(
    ("loss", "offset"),
    [
        (lambda z, y: 0.5 * squares(z, y) + 0.75, 0.75),
        (lambda z, y: tf.reduce_mean(0.5 * tf.square(z - y) + 0.75), 0.75),
        (lambda z, y: (squares(z, y) + 3.0) / 2.0 - 0.5, 1.0),
        (lambda z, y: 0.5 * (squares(z, y) + tf.math.log(2 * np.pi)), 0.5 * np.log(2 * np.pi)),
        (lambda z, y: squares(z, y) + tf.constant(0.5) * tf.constant(3.0), 1.5),
        (lambda z, y: 2.0 * (0.25 + tf.reduce_mean(tf.abs(z - y))) + tf.add_n([0.1 * tf.nn.l2_loss(z), 0.5]), 1.0),
        (lambda z, y: squares(z, y), 0.0),
        (lambda z, y: tf.reduce_sum(tf.square(z - y) + 1.0), 0.0),  # as many times as there are numbers
        (lambda z, y: 1.0 - tf.reduce_sum(z * y) / tf.reduce_sum(z + y), 0.0),  # which ends at 0
        (lambda z, y: 0.5 * tf.reduce_mean(tf.exp(z) + tf.square(z) - 1.0 - z) + squares(z, y), 0.0),  # of a divergence
        (lambda z, y: 3.0 - squares(z, y), 0.0),  # which is climbed
    ],
)
def test_a_number_that_is_added_to_a_loss(loss, offset, graph):
    found = forward_of([layers.Dense(3, name="a")], loss=lambda m, x, y: loss(m(x), y), y=np.eye(3, dtype="float32")[Y],
                       graph=graph)  # fmt: skip
    assert found.offset == pytest.approx(offset)


@BOTH
@pytest.mark.parametrize(
    ("loss", "swapped"),
    [
        (lambda m, x, y: keras.losses.BinaryCrossentropy()(m(x), y), True),
        (lambda m, x, y: keras.losses.BinaryCrossentropy()(y, m(x)), False),
        (lambda m, x, y: tf.nn.softmax_cross_entropy_with_logits(m(x), tf.concat([y, 1 - y, y], 1)), True),
        (lambda m, x, y: tf.nn.softmax_cross_entropy_with_logits(tf.concat([y, 1 - y, y], 1), m(x)), False),
        (lambda m, x, y: keras.losses.MeanSquaredError()(m(x), y), False),  # the same either way
        (lambda m, x, y: keras.losses.BinaryCrossentropy()(tf.stop_gradient(m(x)), m(x)), False),  # of two networks
    ],
)
def test_outputs_in_the_place_of_labels(loss, swapped, graph):
    y = (X[:, :1] > 0).astype("float32")
    several = "softmax_cross_entropy_with_logits" in loss.__code__.co_names
    layer = layers.Dense(3, name="a") if several else layers.Dense(1, "sigmoid", name="a")
    given = lambda m, x, y: tf.reduce_mean(loss(m, x, y))  # noqa: E731 - one expression
    assert forward_of([layer], loss=given, y=y, graph=graph).swapped is swapped


def test_an_array_in_the_place_of_outputs():
    def given(model, x, y):
        return keras.losses.BinaryCrossentropy()(model(x), np.ones((10, 1), "float32"))

    assert forward_of([layers.Dense(1, "sigmoid")], loss=given, graph=False).swapped


@BOTH
@pytest.mark.parametrize(
    ("loss", "several"),
    [
        (lambda z, y: squares(z, y) + 0.5 * (1 - tf.reduce_sum(z * y) / (tf.reduce_sum(z) + tf.reduce_sum(y))), True),
        (lambda z, y: 0.3 * squares(z, y) - tf.reduce_mean(tf.abs(tf.cast(y, "float32") - z)) / 2.0, True),
        (lambda z, y: squares(z, y) + 0.1 * tf.reduce_mean(tf.square(z)), False),  # a penalty of what is said
        (lambda z, y: squares(z, y) + 3.0, False),
        (lambda z, y: tf.reduce_mean(tf.square(z - y) + tf.abs(z - y)), False),  # for each place one number
        (lambda z, y: squares(z, y) / tf.reduce_mean(tf.square(y)), False),
        (lambda z, y: tf.square(z - y) + tf.abs(z - y), False),  # a tape adds up what is left
    ],
)
def test_a_sum_of_two_losses(loss, several, graph):
    y = np.eye(3, dtype="float32")[Y]
    assert (
        forward_of([layers.Dense(3, name="a")], loss=lambda m, x, b: loss(m(x), b), y=y, graph=graph).several == several
    )
