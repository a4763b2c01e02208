from assignments.foundations.dropout_by_hand import MAP, MASK, by_hand, scaled_loss
from keras_course.check import Mutant, points, same

import keras
import numpy as np
import pytest

X = np.array([[2.0, -1, 0.5], [3, 0, 4]])
MASK_2X3 = np.array([[True, False, True], [False, True, True]])


def factors(rate, convention, mask):
    """The factor in training and in test mode, spread over the map."""
    from keras_course.scratch import Dropout

    import numpy as np

    layer = Dropout(rate, rng=np.random.default_rng(0), convention=convention)
    return [
        np.broadcast_to(np.asarray(layer.factor(mask, training), float), mask.shape).copy()
        for training in (True, False)
    ]


def mean_of_all_masks(rate, convention, x):
    """The expected output in training, and the output in test mode."""
    from assignments.foundations.dropout_by_hand import expected_output
    from keras_course.scratch import Dropout

    import numpy as np

    layer = Dropout(rate, rng=np.random.default_rng(0), convention=convention)
    return [expected_output(layer, x), layer.forward(x)]


def drawn(rate, convention, x, dy, draws):
    """Outputs and gradients of many draws, and the output in test mode."""
    from keras_course.scratch import Dropout

    import numpy as np

    layer = Dropout(rate, rng=np.random.default_rng(0), convention=convention)
    pairs = [(layer.forward(x, True), layer.backward(dy)) for _ in range(draws)]
    return [np.array([y for y, _ in pairs]), np.array([g for _, g in pairs]), layer.forward(x)]


def of_a_stand_in(x):
    """The expected output of a layer of rate ¼ whose factor is its mask times ten."""
    from assignments.foundations.dropout_by_hand import expected_output

    class Tenfold:
        rate = 0.25

        def factor(self, mask, training):
            return mask * 10.0

    return expected_output(Tenfold(), x)


@points(2)
def test_inverted_dropout_scales_in_training_and_leaves_test_mode_alone(subject):
    """What is kept is divided by q = 1 - rate."""
    training, test = subject(factors, rate=0.2, convention="inverted", mask=MASK_2X3)
    same(training, MASK_2X3 / 0.8, what="training")
    same(test, np.ones((2, 3)), what="test mode")


@points(2)
def test_classic_dropout_leaves_training_alone_and_scales_in_test_mode(subject):
    training, test = subject(factors, rate=0.2, convention="classic", mask=MASK_2X3)
    same(training, MASK_2X3 * 1.0, what="training")
    same(test, np.full((2, 3), 0.8), what="test mode")


@points(3)
def test_the_mean_over_all_masks_is_the_output_of_test_mode(subject):
    """Exactly, for both conventions and any rate: every mask with its probability."""
    for convention in ("inverted", "classic"):
        for rate in (0.0, 0.2, 0.5, 0.9):
            mean, test = subject(mean_of_all_masks, rate=rate, convention=convention, x=X)
            same(mean, test, rtol=1e-12, atol=1e-12, what=f"{convention}, rate {rate}")


def test_every_mask_counts_with_its_probability(subject):
    """A value is kept in three of four masks at the rate ¼."""
    same(subject(of_a_stand_in, x=X), 7.5 * X)


def test_the_mean_over_many_draws_comes_near_test_mode(subject):
    for convention in ("inverted", "classic"):
        outputs, _, test = subject(drawn, rate=0.3, convention=convention, x=X, dy=np.ones_like(X), draws=4000)
        error = np.maximum(outputs.std(axis=0) / np.sqrt(len(outputs)), 1e-12)
        assert (np.abs(outputs.mean(axis=0) - test) < 5 * error).all(), convention


def test_the_gradient_passes_where_the_value_passed(subject):
    """With the same factor: dL/dx is dL/dy times what x was multiplied by."""
    for convention in ("inverted", "classic"):
        outputs, gradients, _ = subject(drawn, rate=0.5, convention=convention, x=np.ones((2, 3)), dy=X, draws=5)
        same(gradients, outputs * X, what=convention)


def test_inverted_dropout_is_that_of_keras():
    layer = keras.layers.Dropout(0.2, seed=1)
    y = np.asarray(layer(np.ones((200, 100), "float32"), training=True))
    assert set(np.unique(y).tolist()) == {0.0, 1.25}
    np.testing.assert_array_equal(layer(X, training=False), X.astype("float32"))


def test_the_worked_map_by_hand():
    """The map adds up to 17, what the mask keeps to 6.5."""
    x, mask = np.array(MAP), np.array(MASK)
    assert (x.sum(), (x * mask).sum()) == (17.0, 6.5)
    inverted, classic = by_hand(0.5)
    assert (inverted["sum under the mask"], inverted["sum in test mode"]) == (13.0, 17.0)
    assert (classic["sum under the mask"], classic["sum in test mode"]) == (6.5, 8.5)
    for row in (inverted, classic):
        assert row["mean over all masks"] == pytest.approx(row["sum in test mode"], rel=1e-12)


def test_a_scaled_loss_is_not_the_loss_of_scaled_values():
    values = [row["loss"] for row in scaled_loss(0.5)]
    assert len(set(np.round(values, 6))) == 3


FILE = "keras_course/scratch/dropout.py"
MUTANTS = [
    Mutant(
        file=FILE,
        old="return mask / keep if training else 1.0",
        new="return mask / self.rate if training else 1.0",
        caught_by="test_inverted_dropout_scales_in_training_and_leaves_test_mode_alone",
        trap="divided by the rate of dropping",
    ),
    Mutant(
        file=FILE,
        old="return mask / keep if training else 1.0",
        new="return mask / keep if training else keep",
        caught_by="test_the_mean_over_all_masks_is_the_output_of_test_mode",
        trap="both conventions at once",
    ),
    Mutant(
        file=FILE,
        old="return mask if training else keep",
        new="return mask if training else 1.0",
        caught_by="test_classic_dropout_leaves_training_alone_and_scales_in_test_mode",
        trap="nothing scaled in test mode, so that the loss is what one scales",
    ),
    Mutant(
        file=FILE,
        old="return mask if training else keep",
        new="return mask if training else self.rate",
        caught_by="test_the_mean_over_many_draws_comes_near_test_mode",
        trap="multiplied by the rate of dropping",
    ),
    Mutant(
        file=FILE,
        old="return (dy * self.scale).astype(dy.dtype, copy=False)",
        new="return dy",
        caught_by="test_the_gradient_passes_where_the_value_passed",
        trap="a gradient for values that were dropped",
    ),
    Mutant(
        file="assignments/foundations/dropout_by_hand.py",
        old="chance = keep ** mask.sum() * layer.rate ** (x.size - mask.sum())",
        new="chance = 0.5**x.size",
        caught_by="test_every_mask_counts_with_its_probability",
        trap="all masks taken for equally likely",
    ),
]
