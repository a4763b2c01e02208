import random

from keras_course.diagnostics import twins
from keras_course.diagnostics.observation import Observation
from keras_course.diagnostics.rules.noise import label_noise
from keras_course.diagnostics.rules.pairs import labels_shuffled_apart
from keras_course.diagnostics.rules.structure import missing_nonlinearity
from keras_course.diagnostics.seen import partly_right
from tests.diagnostics.trained import watched

import keras
import numpy as np
import pytest

RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 6)).astype("float32")
Y = (np.sign(X[:, 0]) * np.sign(X[:, 1]) > 0).astype("int64") + 2 * (np.abs(X[:, 2]) > 0.7)  # four classes


def fitted(model, y=Y, loss=None):
    keras.utils.set_random_seed(0)
    model.compile("adam", loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    (training,) = watched(lambda: model.fit(X, y, epochs=1, batch_size=50, verbose=0))
    return training, training.close()


def model(width, outputs=4):
    return keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(width, "relu", name="first"),
            keras.layers.Dense(24, "relu", name="second"),
            keras.layers.Dense(outputs, name="head"),
        ]
    )


def test_a_wider_twin_learns_what_one_unit_cannot_pass_on():
    narrow = model(1)
    training, seen = fitted(narrow)
    before = [w.copy() for w in narrow.get_weights()]
    found = twins.wider(training, seen)
    assert found["twin_wider"] < 0.7 * found["twin_own"]
    for old, new in zip(before, narrow.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert narrow.get_layer("first").units == 1


@pytest.mark.parametrize(
    ("made", "y", "loss"),
    [
        (lambda: model(5), Y, None),  # wide enough
        (lambda: model(1, 9), np.tile(X[:, :3], 3), "mse"),  # a code of what it is given
    ],
)
def test_of_others_no_twin_is_made(made, y, loss):
    assert twins.wider(*fitted(made(), y, loss)) == {}


def test_a_twin_has_the_delta_of_a_huber_loss():
    """Beyond which it costs delta times the difference: of 0.01 next to nothing."""
    y = (10 * X[:, 0] * X[:, 1]).astype("float32")
    usual, short = (twins.wider(*fitted(model(1, 1), y, keras.losses.Huber(delta))) for delta in (1.0, 0.01))
    assert 0 < short["twin_own"] < 0.05 * usual["twin_own"]


def test_layers_without_weights_to_train_keep_theirs():
    given = keras.Input((6,))
    scaled = keras.layers.Normalization(name="scale")
    scaled.adapt(X + 3)
    hidden = keras.layers.Dense(2, "tanh", name="hidden")(scaled(given))
    both = keras.layers.Dense(4, name="head")(keras.layers.Dense(8, "relu", name="wide")(hidden))
    training, seen = fitted(keras.Model(given, both))
    twin = twins._twin(training.model, seen, widen={"hidden"})
    np.testing.assert_array_equal(twin.get_layer("scale").mean, scaled.mean)
    assert twin.get_layer("hidden").units == twins.WIDE
    assert twin.get_layer("wide").units == 8


def test_what_a_script_draws_behind_it_is_what_it_would_have_drawn():
    """And twins are the same each time."""
    training, seen = fitted(model(1))
    state, numbers = random.getstate(), np.random.get_state()[1].copy()
    first = twins.wider(training, seen)
    assert random.getstate() == state
    np.testing.assert_array_equal(np.random.get_state()[1], numbers)
    random.seed(5)
    assert twins.wider(training, seen) == first


def test_steps_of_the_scripts_own_are_not_made_again():
    made = []

    class Own(keras.Sequential):
        def train_step(self, data):
            made.append(1)
            return super().train_step(data)

    training, seen = fitted(Own(model(1).layers))
    made.clear()
    assert twins.wider(training, seen) == {}
    assert not made


def shaped(kind):
    """Labels of training that are those of other rows, wrong for the most part, or right; right ones are held out."""
    y = (X[:, 0] + X[:, 1] > 0).astype("int64") + (X[:, 2] > 0.7)
    rng = np.random.default_rng(1)
    shown = rng.permutation(y[:300]) if kind == "dealt" else y[:300].copy()
    if kind == "noise":
        shown = np.where(rng.random(300) < 0.6, rng.integers(0, 3, 300), shown)
    return shown, y[300:]


@pytest.mark.parametrize(("kind", "partly"), [("dealt", False), ("noise", True), ("right", False)])
def test_a_twin_that_learns_from_what_is_held_out_tells_noise_from_pairs_apart(kind, partly):
    shown, held = shaped(kind)
    keras.utils.set_random_seed(0)
    plain = model(16, 3)
    plain.compile(keras.optimizers.SGD(1e-4), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    fit = lambda: plain.fit(X[:300], shown, validation_data=(X[300:], held), epochs=1, verbose=0)  # noqa: E731
    (training,) = watched(fit)
    seen = training.close()
    seen.experiments |= twins.taught_elsewhere(training, seen)
    e = seen.experiments
    assert e["taught_held"] > 0.8
    assert e["taught_train"] == pytest.approx({"dealt": e["taught_dealt"], "noise": 0.55, "right": 0.9}[kind], abs=0.1)
    assert (partly_right(seen) is not None) is partly
    found = {f.cause for rule in (label_noise, labels_shuffled_apart) for f in rule(seen) if f.kind == "named"}
    assert found == {"dealt": {"labels_shuffled_apart"}, "noise": {"label_noise"}, "right": set()}[kind]


def test_no_twin_is_taught_where_the_network_learns():
    shown, held = shaped("right")
    plain = model(16, 3)
    plain.compile(keras.optimizers.Adam(0.02), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    fit = lambda: plain.fit(X[:300], shown, validation_data=(X[300:], held), epochs=20, verbose=0)  # noqa: E731
    (training,) = watched(fit)
    assert twins.taught_elsewhere(training, training.close()) == {}


@pytest.mark.parametrize(
    ("held", "chance", "told", "dealt", "partly"),
    [
        (0.9, 0.25, 0.5, 0.25, True),
        (0.97, 0.25, 0.94, 0.51, False),  # nearly all, of classes that are dealt otherwise
        (0.77, 0.65, 0.72, 0.65, False),  # it has hardly learned what the classes are
        (0.9, 0.25, 0.27, 0.25, False),  # by chance
        (0.9, 0.25, 0.29, 0.25, False),  # or hardly
        (0.9, 0.25, 0.01, 0.25, False),  # by other names
    ],
)
def test_most_labels_are_wrong_by_what_is_left_to_be_told(held, chance, told, dealt, partly):
    numbers = {"held": held, "chance": chance, "train": told, "dealt": dealt, "error": 0.012}
    seen = Observation(name="m", experiments={f"taught_{name}": value for name, value in numbers.items()})
    assert (partly_right(seen) is not None) is partly
    assert [f.certain for f in labels_shuffled_apart(seen)] == [True] * (told == 0.27)


@pytest.mark.parametrize(("activation", "y", "fires"), [(None, "bent", True), ("tanh", "bent", False),
                                                        (None, "straight", False)])  # fmt: skip
def test_a_twin_that_bends_learns_what_straight_layers_cannot(activation, y, fires):
    """Beside a table that is looked up, which superposition says nothing of."""
    kind, said = np.arange(600) % 4, keras.layers
    targets = np.abs(X[:, 0]) + 0.5 * kind if y == "bent" else X[:, 0] + 0.5 * kind
    numbers, code = keras.Input((6,)), keras.Input((), dtype="int32")
    h = said.Concatenate()([numbers, said.Embedding(4, 3)(code)])
    h = said.Dense(24, activation, name="second")(said.Dense(24, activation, name="first")(h))
    network = keras.Model([numbers, code], said.Dense(1, name="head")(h))
    keras.utils.set_random_seed(0)
    network.compile(keras.optimizers.Adam(0.01), "mse")
    (training,) = watched(lambda: network.fit([X, kind], targets[:, None], epochs=10, verbose=0))
    seen = training.close()
    seen.experiments |= twins.bent(training, seen)
    assert [(f.certain, f.layer) for f in missing_nonlinearity(seen)] == [(True, "first")] * fires


def test_a_twin_of_a_model_with_a_layer_of_the_scripts_own_is_none():
    class Shifted(keras.layers.Layer):
        def __init__(self, by, **kwargs):
            super().__init__(**kwargs)
            self.by = by

        def call(self, x):
            return x + self.by

    given = keras.Input((6,))
    hidden = keras.layers.Dense(1, "relu", name="first")(Shifted(2.0)(given))
    training, seen = fitted(keras.Model(given, keras.layers.Dense(4, name="head")(hidden)))
    with pytest.raises(TypeError, match="Shifted"):  # which costs this question alone
        twins.wider(training, seen)


@pytest.mark.parametrize("change", ["scaled", "noisy", "other shares", "few"])
def test_no_twin_is_taught_of_what_differs_otherwise(change):
    shown, held = shaped("dealt")
    rows = {"scaled": 9 * X[:300], "noisy": X[:300] @ np.ones((6, 6)) + 9 * RNG.normal(size=(300, 6))}.get(
        change, X[:300]
    )
    kept = np.arange(300)[: 140 if change == "few" else 300]
    kept = kept[(held[kept] != 1) | (kept % 4 == 0)] if change == "other shares" else kept
    keras.utils.set_random_seed(0)
    plain = model(16, 3)
    plain.compile(keras.optimizers.SGD(1e-4), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    asked = {"validation_data": (X[300:][kept], held[kept]), "epochs": 1, "verbose": 0}
    (training,) = watched(lambda: plain.fit(rows, shown, **asked))
    assert twins.taught_elsewhere(training, training.close()) == {}


def test_no_twin_is_bent_of_a_network_whose_cells_bend():
    words = keras.Input((6,), dtype="int32")
    h = keras.layers.GRU(8, name="cells")(keras.layers.Embedding(5, 4)(words))
    network = keras.Model(words, keras.layers.Dense(1, name="head")(keras.layers.Dense(8, name="code")(h)))
    network.compile("adam", "mse")
    rows = RNG.integers(0, 5, (600, 6))
    (training,) = watched(lambda: network.fit(rows, (rows[:, :1] == rows[:, 1:2]) * 1.0, epochs=1, verbose=0))
    assert twins.bent(training, training.close()) == {}
