from keras_course.diagnostics import harm
from keras_course.diagnostics.harm import STALLED, baseline_of, harm_of
from keras_course.diagnostics.observation import Data, Loss, Observation, Plan, Probe
from tests.diagnostics.typed import BINARY, CROSS, SPARSE, SQUARED, steps

import numpy as np
import pytest

RNG = np.random.default_rng(5)
ABSOLUTE = "mean_absolute_error"
LABELS = np.array([0, 0, 0, 1, 1, 2])
ENTROPY = -(3 * np.log(1 / 2) + 2 * np.log(1 / 3) + np.log(1 / 6)) / 6
REAL = np.array([1.0, 2.0, 4.0, 9.0])


def made(loss, y, losses=(1.0,), x=None, **more):
    x = np.zeros((len(y), 2)) if x is None else x
    return Observation(name="m", loss=Loss(name=loss), train=Data(x=x, y=y, n=len(y)), steps=steps(losses), **more)


@pytest.mark.parametrize(
    ("loss", "y", "expected"),
    [
        (SPARSE, LABELS, ENTROPY),
        (SPARSE, LABELS[:, None], ENTROPY),
        (CROSS, np.eye(3)[LABELS], ENTROPY),
        (BINARY, np.array([0, 0, 0, 1]), -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))),
        (BINARY, np.array([[0, 1], [0, 0], [0, 1], [1, 0]]), (0.5623351446 + 0.6931471806) / 2),
        (SQUARED, REAL, 9.5),  # mean 4: 9 + 4 + 0 + 25 over 4
        (SQUARED, np.stack([REAL, 0 * REAL], 1), 4.75),
        (ABSOLUTE, REAL, 2.5),  # median 3: 2 + 1 + 1 + 6 over 4
        ("poisson", REAL, 4 - 4 * np.log(4)),  # mean 4
    ],
)
def test_the_best_constant_by_its_closed_form(loss, y, expected):
    assert baseline_of(made(loss, y)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("loss", "y"),
    [
        ("", LABELS),
        ("triplet", REAL),
        (BINARY, 2 * REAL),
        (SQUARED, np.array([1.0, np.nan])),
        (CROSS, LABELS),
        (CROSS, np.array([[0.0, 1.5], [-0.7, 0.0]])),
    ],
)
def test_no_constant_is_compared_with_where_it_is_not_known(loss, y):
    assert baseline_of(made(loss, y)) is None


def test_targets_come_from_the_stream_where_there_are_no_data():
    seen = Observation(name="m", loss=Loss(name=SQUARED), stream=[REAL[:2], REAL[2:]])
    assert baseline_of(seen) == pytest.approx(9.5)


def test_the_degree_is_1_at_the_constant_0_at_the_perfect_prediction_and_linear_between():
    for share in (0.0, 0.25, 1.0, 1.5):
        losses = [9.5 * (1 - 0 * i) * share for i in range(40)]
        found = harm_of(made(SQUARED, REAL, losses))
        assert found.degree == pytest.approx(share)
        assert found.baseline == pytest.approx(9.5)
        assert bool(found) == (share > 0.5)


def test_a_simple_model_is_what_can_be_reached():
    x = RNG.normal(size=(300, 2))
    y = x[:, 0] * 3 + RNG.normal(size=300)  # noise of variance 1 stays with any model
    found = harm_of(made(SQUARED, y, [np.var(y)] * 40, x=x))
    assert found.reference == pytest.approx(1.0, abs=0.2)
    assert found.degree == pytest.approx(1.0, abs=1e-3)
    assert harm_of(made(SQUARED, y, [found.reference] * 40, x=x)).degree == pytest.approx(0, abs=1e-6)


def test_what_a_simple_model_cannot_learn_either_is_not_learned_by_heart():
    x, y = RNG.normal(size=(300, 2)), RNG.integers(0, 2, 300)
    by_heart = made(BINARY, y, [0.01] * 40, x=x, epochs=[{"val_loss": 0.75}])
    assert harm_of(by_heart).degree == pytest.approx(0.5)
    learned = made(BINARY, y, [0.01] * 40, x=x, epochs=[{"val_loss": 0.1}])
    assert harm_of(learned).degree < 0.1, "validation shows that there was something to learn"
    assert harm_of(made(BINARY, y, [0.4] * 40, x=x)).degree == pytest.approx(0.5), "half way, and nobody validated"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_that_is_no_number_diverged_at_its_step(value):
    seen = made(SQUARED, REAL, [3.0, 2.0, value, value])
    found = harm_of(seen)
    assert found.diverged
    assert "at step 2" in found.sentence
    seen.steps.count = 104  # the first 100 are no longer kept
    assert "at step 102" in harm_of(seen).sentence


def test_a_loss_far_above_the_constant_and_its_start_diverged():
    assert harm_of(made(SQUARED, REAL, np.linspace(20, 60, 40))).diverged
    assert not harm_of(made(SQUARED, REAL, np.linspace(60, 40, 40))).diverged, "it started there, and falls"
    assert not harm_of(made(SQUARED, REAL, np.linspace(20, 25, 40))).diverged


def test_a_loss_below_0_is_impossible_where_it_has_a_name():
    assert harm_of(made(SQUARED, REAL, [-5.0] * 20)).degree == 2
    assert harm_of(made("wasserstein", REAL, np.linspace(5, -5, 20))).degree == 0


def test_without_a_constant_only_progress_counts():
    flat, down, up = np.full(40, 3.0), np.linspace(3, 1, 40), np.linspace(3, 9, 40)
    assert [harm_of(made("", REAL, losses)).degree for losses in (flat, down, up)] == [1, 0, 1]
    assert harm_of(made("", REAL, np.geomspace(1, 1e4, 40))).diverged
    assert harm_of(Observation(name="m")).degree == 0


def test_falling_is_significant_or_it_is_not():
    noise = 0.05 * RNG.normal(size=90)
    assert harm_of(made(SQUARED, REAL, np.linspace(9, 3, 90) + noise)).still_falling
    assert not harm_of(made(SQUARED, REAL, 3 + noise)).still_falling
    assert not harm_of(made(SQUARED, REAL, np.linspace(3, 9, 90) + noise)).still_falling
    assert not harm_of(made(SQUARED, REAL, np.linspace(9, 3, 9))).still_falling, "too few to say"


def test_soft_targets_keep_their_own_entropy():
    y = np.tile([[0.9, 0.1]], (50, 1))
    least = -(0.9 * np.log(0.9) + 0.1 * np.log(0.1))
    assert harm.least_of(made(CROSS, y)) == pytest.approx(least)
    assert harm.least_of(made(BINARY, y)) == pytest.approx(least)
    assert harm.least_of(made(CROSS, np.eye(3)[LABELS])) == pytest.approx(0, abs=1e-9)
    assert harm.least_of(made(SQUARED, y)) == 0


@pytest.mark.parametrize(
    ("loss", "logits", "y", "output", "own"),
    [
        (SQUARED, None, np.array([1.0, 2.0]), np.array([[3.0], [2.0]]), 2.0),
        (ABSOLUTE, None, np.array([1.0, 2.0]), np.array([[3.0], [2.0]]), 1.0),
        (BINARY, False, np.array([1.0, 0.0]), np.array([[0.5], [0.75]]), (np.log(2) + np.log(4)) / 2),
        (SPARSE, True, np.array([0, 1]), np.array([[0.0, 0.0], [np.log(3), 0.0]]), (np.log(2) + np.log(4)) / 2),
        (SPARSE, False, np.array([0, 1]), np.array([[0.5, 0.5], [0.75, 0.25]]), (np.log(2) + np.log(4)) / 2),
    ],
)
def test_the_share_of_a_penalty_is_what_the_data_do_not_explain(loss, logits, y, output, own):
    seen = made(loss, y, [2 * own])
    seen.loss.from_logits = logits
    seen.probes = [Probe(step=0, y=y, output=output)]
    assert harm.penalty_shares(seen) == pytest.approx([0.5])


@pytest.mark.parametrize(
    ("factor", "penalty", "scale"), [(1, 0, 1), (100, 0, 100), (32, 3.0, 32), (1, 50.0, 1), (0.01, 0, 0.01)]
)
def test_how_often_the_loss_of_the_data_counts_is_told_from_a_penalty(factor, penalty, scale):
    own = RNG.uniform(0.5, 1.5, 12)
    outputs = [np.array([[np.sqrt(2 * value)], [0.0]]) for value in own]  # whose squared error from 0 it is
    slowly = penalty * np.linspace(1, 0.9, 12)
    seen = made(SQUARED, np.zeros(2), factor * own + slowly)
    seen.probes = [Probe(step=i, y=np.zeros(2), output=output) for i, output in enumerate(outputs)]
    assert harm.scale_of(seen) == pytest.approx(scale, rel=0.05)
    share = penalty * 0.9 / (factor * own[-1] + penalty * 0.9)
    assert harm.penalty_shares(seen)[-1] == pytest.approx(share, abs=0.05)
    seen.loss.regularised = True
    assert harm.scale_of(seen) == 1, "then the difference is the penalty, by its name"


@pytest.mark.parametrize(("factor", "scale"), [(2.0, 2.0), (2.05, 2.0), (2.4, 1.0), (1.0, 1.0)])
def test_a_sum_over_the_batch_is_told_from_a_penalty_in_few_looks(factor, scale):
    seen = made(SQUARED, np.zeros(2), factor * np.array([1.0, 3.0]))
    seen.probes = [Probe(step=i, y=np.zeros(2), output=np.sqrt([[1 + 2 * i], [1 + 2 * i]])) for i in range(2)]
    assert harm.scale_of(seen) == scale
    seen.probes = seen.probes[:1]
    assert harm.scale_of(seen) == 1.0, "one look tells nothing"


@pytest.mark.parametrize(("factor", "scale"), [(784, 784), (10, 1), (0.01, 1)])
def test_a_sum_over_pixels_is_told_beside_a_penalty_by_name(factor, scale):
    """As of the reconstruction of a variational autoencoder beside its divergence, which moves most at first."""
    own = RNG.uniform(0.5, 1.5, 40)
    moves = np.where(np.arange(40) < 6, 1000 * RNG.random(40), 3.0)
    seen = made(SQUARED, np.zeros(2), factor * own + moves)
    seen.probes = [Probe(step=i, y=np.zeros(2), output=np.array([[np.sqrt(2 * v)], [0.0]])) for i, v in enumerate(own)]
    seen.loss.regularised = True
    assert harm.scale_of(seen) == pytest.approx(scale, rel=0.05)


@pytest.mark.parametrize(("alone", "end", "harmed"), [(True, 0.9, True), (False, 0.9, False), (False, 9.0, True)])
def test_a_loss_that_grows_beside_another_network_is_no_failure_unless_it_blows_up(alone, end, harmed):
    """As of an actor whose critic learns."""
    seen = Observation(name="m", steps=steps(np.linspace(0.5, end, 60)), alone=alone)
    assert bool(harm_of(seen)) is harmed


def test_a_sum_over_the_batch_is_compared_with_so_many_constants():
    own = RNG.uniform(9, 10, 12)  # as bad as the best constant, 9.5, in batches of 4
    seen = made(SQUARED, REAL, 4 * own)
    seen.probes = [
        Probe(step=i, y=np.zeros(4), output=np.array([[np.sqrt(4 * value)], [0.0], [0.0], [0.0]]))
        for i, value in enumerate(own)
    ]
    assert harm_of(seen).degree == pytest.approx(1, abs=0.05)
    assert harm_of(seen).baseline == pytest.approx(38, rel=0.01)


@pytest.mark.parametrize(("loss", "y"), [(SPARSE, LABELS), (CROSS, np.eye(3)[LABELS])])
def test_examples_that_count_by_their_class_have_another_constant(loss, y):
    seen = made(loss, y, plan=Plan(class_weight={1: 3.0, 2: 6.0}))
    total = np.array([3, 6, 6.0])  # three of weight 1, two of 3, one of 6
    assert baseline_of(seen) == pytest.approx(-np.sum(total / 15 * np.log(total / 15)) * 15 / 6)
    assert harm.penalty_shares(seen) == []


def test_a_second_loss_is_no_penalty():
    own, other = RNG.uniform(0.5, 1.5, 24), RNG.uniform(2, 6, 24)
    seen = made(SQUARED, np.zeros(2), own + other)
    seen.probes = [
        Probe(step=i, y=np.zeros(2), output=np.array([[np.sqrt(2 * value)], [0.0]])) for i, value in enumerate(own)
    ]
    assert harm.penalty_shares(seen) == []
    seen.loss.regularised = True
    assert len(harm.penalty_shares(seen)) == 24


def test_a_prediction_that_is_constant_at_the_end_is_harm_whatever_the_loss():
    x = RNG.normal(size=(5, 3))
    seen = made("", REAL, np.linspace(3, 1, 40))
    seen.probes = [Probe(step=i, x=x, output=np.full((5, 2), 0.25)) for i in range(4)]
    assert harm_of(seen).degree == 1
    seen.probes[-1].x = np.ones((5, 3))  # where nothing differs, nothing can be told apart
    assert harm_of(seen).degree == 0
    seen.probes[-1] = Probe(step=3, x=x, output=x[:, :2])
    assert harm_of(seen).degree == 0


def test_a_forest_beats_a_line_where_the_classes_bend():
    x = RNG.normal(size=(400, 2))
    seen = made(BINARY, (x[:, 0] * x[:, 1] > 0).astype(int), x=x)
    assert harm.loss_of_models(seen, bent=True) < 0.6 * harm.loss_of_models(seen, bent=False)


def test_a_poisson_loss_below_0_is_judged_between_the_constant_and_the_counts_themselves():
    best, least = 4 - 4 * np.log(4), float(np.mean(REAL - REAL * np.log(REAL)))
    for share in (0.0, 0.5, 1.0):
        found = harm_of(made("poisson", REAL, np.full(40, least + share * (best - least))))
        assert found.degree == pytest.approx(share, abs=1e-6)


def test_a_loss_weighted_by_an_advantage_may_be_below_0():
    own, advantage = RNG.uniform(0.5, 1.5, 12), RNG.normal(size=12)
    outputs = [np.array([[np.sqrt(2 * value)], [0.0]]) for value in own]

    def seen(total, interface="loop"):
        found = made(SQUARED, np.zeros(2), total, interface=interface)
        found.probes = [Probe(step=i, y=np.zeros(2), output=output) for i, output in enumerate(outputs)]
        return found

    assert not harm.impossible(seen(own * advantage))
    assert harm.impossible(seen(-own)), "its negative is minimised"
    assert harm.impossible(seen(own * advantage, "fit"))
    several = seen(own * advantage, "fit")
    several.losses = {"kind": SPARSE, "size": BINARY}
    assert not harm.impossible(several), "a sum of several has no name"
    assert not harm.impossible(seen(own))


def test_a_cross_entropy_that_is_weighted_below_0_is_judged_by_its_progress():
    own, advantage = RNG.uniform(0.3, 1.5, 40), RNG.normal(size=40)
    seen = made(BINARY, np.array([0.0, 1.0] * 20), own * advantage + np.linspace(2, -1, 40), interface="loop")
    seen.probes = [Probe(step=i, y=np.ones(2), output=np.full((2, 1), np.exp(-value))) for i, value in enumerate(own)]
    assert harm_of(seen).baseline is None
    assert harm_of(seen).degree == 0


def test_labels_that_other_inputs_have_in_the_same_order_are_those_of_a_game():
    y = np.repeat([0.0, 1.0], 8)

    def degree(x, labels):
        looks = [Probe(step=i, x=a, y=b) for i, (a, b) in enumerate(zip(x, labels, strict=True))]
        losses = steps(np.linspace(0.7, 0.65, 40))
        seen = Observation(name="m", loss=Loss(name=BINARY), stream=list(labels), steps=losses, probes=looks)
        return harm_of(seen).degree

    fresh = [RNG.normal(size=(16, 3)) for _ in range(5)]
    assert degree(fresh, [y] * 5) == 0
    assert degree([*fresh, fresh[0][:10]], [*[y] * 5, y[3:13]]) == 0, "the last batch is shorter"
    assert degree([fresh[0]] * 5, [y] * 5) > 0.9, "the whole of the data in each step"
    assert degree(fresh, [RNG.permutation(y) for _ in range(5)]) > 0.9


def test_where_dropout_makes_the_training_loss_the_larger_one_validation_judges():
    row = {"loss": 8.0, "val_loss": 1.9}
    drawn = {"experiments": {"draws": 1.0}}
    assert harm_of(made(SQUARED, REAL, [8.0] * 40, epochs=[row], **drawn)).degree == pytest.approx(0.2)
    assert harm_of(made(SQUARED, REAL, [8.0] * 40, epochs=[row])).degree == pytest.approx(8 / 9.5), "without dropout"
    worse = [row | {"val_loss": 8.0}]
    assert harm_of(made(SQUARED, REAL, [1.9] * 40, epochs=worse, **drawn)).degree == pytest.approx(0.2)
    weighted = made(
        SPARSE, LABELS, [0.9 * ENTROPY] * 40, epochs=[{"val_loss": 0.1}], plan=Plan(class_weight={0: 1.0}), **drawn
    )
    assert harm_of(weighted).degree > 0.8, "whose validation counts all alike"


def test_rows_with_several_ones_have_a_constant_and_a_least_of_their_own():
    y = np.array([[1.0, 1, 0], [1, 0, 0], [0, 1, 1], [1, 1, 1]])
    size, shares = y.sum() / 4, y.sum(0) / y.sum()
    assert baseline_of(made(CROSS, y)) == pytest.approx(-size * np.sum(shares * np.log(shares)))
    assert harm.least_of(made(CROSS, y)) == pytest.approx((2 * np.log(2) + 0 + 2 * np.log(2) + 3 * np.log(3)) / 4)


def test_the_reference_does_not_depend_on_units():
    """Of seven columns one says it, and is a thousand times as small as the others: no neighbour would see that."""
    x, y = RNG.normal(size=(400, 7)), RNG.integers(0, 2, 400)
    x[:, 0] = np.abs(y - RNG.uniform(0, 0.4, 400)) ** 2  # the middle of one class lies inside of that of the other
    units = x * [1e-3, 1, 1, 1, 1, 1, 1]
    references = [harm.reference_of(made(BINARY, y, x=rows)) for rows in (x, units)]
    assert references[0] == pytest.approx(references[1], rel=1e-6)
    assert references[0] < 0.3


def test_texts_have_a_reference_by_their_words():
    y = np.arange(200) % 2
    words = np.array([f"the film was {('bad', 'good')[label]} today" for label in y])
    assert harm.reference_of(made(BINARY, y, x=words)) < 0.1
    mixed = RNG.permutation(y)
    assert harm.reference_of(made(BINARY, mixed, x=words)) > 0.6


@pytest.mark.parametrize(("period", "alone", "game"), [(2, False, True), (2, True, False), (20, False, False)])
def test_batches_of_ones_in_turn_with_batches_of_zeros_are_a_game(period, alone, game):
    looks = [Probe(step=i, x=RNG.normal(size=(16, 3)), y=np.full((16, 1), float(i % period == 0))) for i in range(12)]
    seen = Observation(name="m", loss=Loss(name=BINARY), steps=steps([0.69] * 40), probes=looks, alone=alone)
    assert harm.made_by_the_program(seen) is game


def test_a_network_alone_with_one_label_plays_no_game():
    y = np.ones(16)
    looks = [Probe(step=i, x=RNG.normal(size=(16, 3)), y=y) for i in range(5)]
    seen = Observation(name="m", loss=Loss(name=BINARY), steps=steps([0.7] * 40), probes=looks)
    assert not harm.made_by_the_program(seen)
    seen.alone = False
    assert harm.made_by_the_program(seen)


def test_rows_of_a_loop_count_once():
    x, y = RNG.normal(size=(30, 2)), np.arange(30)
    looks = [Probe(step=i, x=x, y=y) for i in range(4)]
    found = harm.different_rows(Observation(name="m", probes=looks))
    assert sorted(found.y.tolist()) == list(range(30))
    np.testing.assert_array_equal(found.x, x[found.y])


def test_targets_that_drift_are_those_of_the_whole_training():
    looks = [Probe(step=100 * i, y=np.full(4, float(i))) for i in range(4)]
    seen = Observation(name="m", loss=Loss(name=SQUARED), stream=[np.zeros(4)], probes=looks)
    assert baseline_of(seen) == pytest.approx(1.25)  # of 0, 1, 2 and 3


def test_the_constant_of_a_huber_loss_is_the_best_there_is():
    y = np.append(np.linspace(0, 4, 41), [90.0, 91.0])
    tried = [float(np.mean(harm.COSTS["huber"](y - c))) for c in np.linspace(0, 6, 601)]
    assert baseline_of(made("huber", y)) == pytest.approx(min(tried), rel=0.01)
    np.testing.assert_allclose(harm.COSTS["huber"](np.array([-0.5, 3.0])), [0.125, 2.5])  # as Keras has it


def test_pairs_inside_of_a_batch_are_judged_by_the_constant_alone():
    y = np.arange(20)
    looks = [Probe(step=i, x=RNG.normal(size=(20, 3)), y=y) for i in range(5)]
    for end, degree in ((np.log(20), 1.0), (2.0, 0.0)):
        seen = Observation(name="m", loss=Loss(name=SPARSE), steps=steps([end] * 40), probes=looks)
        assert harm_of(seen).degree == pytest.approx(degree, abs=0.01)


def test_an_accuracy_of_chance_is_harm_whatever_the_loss():
    y = np.arange(400) % 4
    for row, degree in (({"acc": 0.26}, 1.0), ({"accuracy": 0.5}, 0.0), ({"mae": 0.26}, 0.0), ({"acc": 0.0}, 0.0)):
        found = harm_of(made("", y, np.linspace(3, 1, 40), epochs=[{"loss": 1.0} | row]))
        assert found.degree == degree
    assert "0.26" in harm_of(made("", y, np.linspace(3, 1, 40), epochs=[{"acc": 0.26}])).sentence
    assert harm.accuracy_of_chance(made("", y)) == ""


def test_the_harm_elsewhere_is_that_of_validation_or_of_the_first_batches():
    for more, elsewhere in (
        ({}, 0.0),
        ({"epochs": [{"val_loss": 1.9}]}, 0.2),
        ({"experiments": {"forgotten": 19.0}}, 2.0),
        ({"epochs": [{"val_loss": 1.9}], "experiments": {"forgotten": 0.95}}, 0.2),
    ):
        assert harm_of(made(SQUARED, REAL, [0.1] * 40, **more)).elsewhere == pytest.approx(elsewhere)


@pytest.mark.parametrize(("added", "logits"), [(0.0, True), (15.0, True), (15.0, False)])
@pytest.mark.parametrize("learned", [0.9, 0.0])
def test_a_sum_over_pixels_is_judged_without_what_is_added_to_it(learned, added, logits):
    """As of a variational autoencoder: 64 times the cross-entropy of a pixel, and a divergence that rises slowly."""
    pixels = (np.random.default_rng(3).random((50, 8, 8)) < 0.3).astype("float64")
    mean, probes, losses = pixels.mean(0), [], []
    for step, share in enumerate(learned * np.minimum(np.arange(40) / 20, 1)):
        p = np.clip(mean + share * (pixels - mean) + 0.02 * np.sin(9 * step), 0.003, 0.997)
        own = float(np.mean(-pixels * np.log(p) - (1 - pixels) * np.log(1 - p)))
        losses.append(64 * own + added * min(step / 30, 1))
        probes.append(Probe(step=step, y=pixels, output=np.log(p / (1 - p)) if logits else p))
    seen = made(BINARY, pixels, losses, x=pixels, probes=probes)
    seen.loss.from_logits = logits
    assert harm_of(seen).degree == pytest.approx(0.1, abs=0.1) if learned else harm_of(seen).degree > 0.9


def test_where_a_constant_is_perfect_only_progress_is_judged():
    assert harm_of(made(SPARSE, np.zeros(6, int), np.linspace(0.5, 0.2, 60))).degree == 0


NOISE = np.random.default_rng(0).normal(size=400)


@pytest.mark.parametrize(
    ("losses", "degree"),
    [
        (1 + 0.1 * NOISE - np.linspace(0, 0.02, 400), STALLED),  # less than chance
        (1 + 0.1 * NOISE - np.linspace(0, 0.5, 400), 0.0),
        (1 + 0.1 * NOISE + np.linspace(0, 0.1, 400), STALLED),
        (-1 + 0.1 * NOISE - np.linspace(0, 0.02, 400), 0.0),  # of a loss below 0 nobody knows where it may end
        (np.concatenate([[1.0], np.linspace(500, 1, 39), 0.99 + 0.01 * NOISE[:360]]), STALLED),
        (np.concatenate([[1.0], np.linspace(500, 1, 39), 0.5 + 0.01 * NOISE[:360]]), 0.0),
        ((1 + 0.1 * NOISE)[:40] - np.linspace(0, 0.1, 40), 0.0),  # too few steps to say
    ],
)
def test_a_loss_of_ones_own_that_does_not_fall(losses, degree):
    seen = Observation(name="m", steps=steps(losses))
    assert harm_of(seen).degree == degree
    seen.alone = False  # in a game of two nothing needs to fall
    assert harm_of(seen).degree == 0.0


@pytest.mark.parametrize(
    ("own", "fresh", "last", "end", "degree"),
    [
        (1.0, 2.0, 8.0, 9.0, 1.0),  # 7 of 9 are missing
        (2.0, 1.0, 3.7, 9.0, 0.6),
        (1.0, 2.0, 9.0, 4.6, 0.8),  # the first batches are not those of the end
        (1.0, 2.0, 2.7, 2.7, 0.0),  # less than a fifth of what there is to gain
        (1.0, 2.0, 0.5, 0.5, 0.0),
        (-4.0, 2.0, 8.0, 8.0, 0.0),  # a loss without an end, as that of a policy
        (11.0, 12.0, 9.0, 9.0, 0.0),  # Adam makes it worse
        (9.6, 12.0, 9.9, 9.9, 0.0),  # and here next to nothing
        (np.inf, 1.0, 8.0, np.inf, 1.0),
        (np.inf, np.inf, 8.0, 8.0, 0.0),
    ],
)
def test_of_a_loss_that_nobody_knows_a_short_training_says_what_there_is_to_gain(own, fresh, last, end, degree):
    tried = {"attained_own": own, "attained_fresh": fresh, "attained_from": 10.0, "attained_last": last}
    seen = made("triplet", REAL, [12.0] * 20 + [min(end, 9.0)] * 20, experiments=tried)
    assert harm_of(seen).degree == pytest.approx(degree)
    assert (harm_of(seen).attained is not None) == (degree > 0) == ("a short training by Adam" in str(harm_of(seen)))
    assert harm_of(made("triplet", REAL, np.linspace(12, 9, 40))).attained is None, "nothing was tried"


def test_a_loss_that_falls_without_end_has_diverged():
    assert harm_of(made("", REAL, -np.geomspace(1, 1e6, 40))).diverged
    assert not harm_of(made("", REAL, -np.geomspace(1, 1e3, 40))).diverged
    assert not harm_of(made("", REAL, np.geomspace(1e6, 1, 40))).diverged


@pytest.mark.parametrize(("weights", "known"), [("none", True), ("by class", False), ("a penalty", True)])
def test_examples_that_weigh_by_hand_have_no_constant(weights, known):
    """What is minimised is now above the loss by its definition and now below it; a penalty is always above."""
    rng = np.random.default_rng(0)
    y = (rng.random((12, 40)) < 0.1).astype("int64")
    said = np.clip(rng.uniform(0.05, 0.9, (12, 1)) + 0.02 * rng.normal(size=y.shape), 0.02, 0.95)
    costs = -(y * np.log(said) + (1 - y) * np.log(1 - said))
    factor = np.where(y == 1, 5.0, 0.6) if weights == "by class" else 1.0
    total = (factor * costs).mean(1) + 0.2 * (weights == "a penalty")
    seen = made(BINARY, y.reshape(-1), total)
    seen.probes = [Probe(step=i, y=y[i], output=said[i][:, None]) for i in range(12)]
    assert harm.weighed_by_example(seen) is not known
    assert (harm_of(seen).baseline is not None) is known
    seen.plan = Plan(class_weight={0: 0.6, 1: 5.0})
    assert not harm.weighed_by_example(seen), "there the constant is known"


def test_of_several_outputs_the_first_is_compared_with_its_constant():
    """The loss of all of them is no penalty, and not that of the first."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=(12, 40))
    for error, degree in ((0.1, 0.01), (1.0, 1.0)):
        said = y + error * rng.normal(size=y.shape)
        seen = made(SQUARED, y.reshape(-1), ((y - said) ** 2).mean(1) + 1.4)
        seen.train = None
        seen.probes = [Probe(step=i, y=y[i], output=said[i][:, None]) for i in range(12)]
        assert harm.penalty_shares(seen), "which of one output it may be"
        seen.losses = {"size": SQUARED, "kind": SPARSE}
        assert harm_of(seen).degree == pytest.approx(degree, abs=0.15)
        assert harm_of(seen).end == pytest.approx(np.mean((y - said)[-5:] ** 2)), "the last five looks"
        assert harm.penalty_shares(seen) == []
        seen.epochs = [{"val_loss": 9.0, "val_size_loss": 0.5 * np.var(y)}]
        assert harm_of(seen).elsewhere == pytest.approx(0.5, abs=0.01)
