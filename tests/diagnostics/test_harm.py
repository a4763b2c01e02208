from keras_course.diagnostics import harm
from keras_course.diagnostics.harm import STALLED, harm_of
from keras_course.diagnostics.losses import baseline_of, penalty_shares, weighed_by_example
from keras_course.diagnostics.observation import Loss, Observation, Plan, Probe
from tests.diagnostics.typed import BINARY, SPARSE, SQUARED, steps, with_targets

import numpy as np
import pytest

RNG = np.random.default_rng(5)
ABSOLUTE = "mean_absolute_error"
LABELS = np.array([0, 0, 0, 1, 1, 2])
ENTROPY = -(3 * np.log(1 / 2) + 2 * np.log(1 / 3) + np.log(1 / 6)) / 6
REAL = np.array([1.0, 2.0, 4.0, 9.0])


def test_the_degree_is_1_at_the_constant_0_at_the_perfect_prediction_and_linear_between():
    for share in (0.0, 0.25, 1.0, 1.5):
        losses = [9.5 * (1 - 0 * i) * share for i in range(40)]
        found = harm_of(with_targets(SQUARED, REAL, losses))
        assert found.degree == pytest.approx(share)
        assert found.baseline == pytest.approx(9.5)
        assert bool(found) == (share > 0.5)


def test_a_simple_model_is_what_can_be_reached():
    x = RNG.normal(size=(300, 2))
    y = x[:, 0] * 3 + RNG.normal(size=300)  # noise of variance 1 stays with any model
    found = harm_of(with_targets(SQUARED, y, [np.var(y)] * 40, x=x))
    assert found.reference == pytest.approx(1.0, abs=0.2)
    assert found.degree == pytest.approx(1.0, abs=1e-3)
    assert harm_of(with_targets(SQUARED, y, [found.reference] * 40, x=x)).degree == pytest.approx(0, abs=1e-6)


def test_what_a_simple_model_cannot_learn_either_is_not_learned_by_heart():
    x, y = RNG.normal(size=(300, 2)), RNG.integers(0, 2, 300)
    by_heart = with_targets(BINARY, y, [0.01] * 40, x=x, epochs=[{"val_loss": 0.75}])
    assert harm_of(by_heart).degree == pytest.approx(0.5)
    learned = with_targets(BINARY, y, [0.01] * 40, x=x, epochs=[{"val_loss": 0.1}])
    assert harm_of(learned).degree < 0.1, "validation shows that there was something to learn"
    assert harm_of(with_targets(BINARY, y, [0.4] * 40, x=x)).degree == pytest.approx(0.5), (
        "half way, and nobody validated"
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_that_is_no_number_diverged_at_its_step(value):
    seen = with_targets(SQUARED, REAL, [3.0, 2.0, value, value])
    found = harm_of(seen)
    assert found.diverged
    assert "at step 2" in found.sentence
    seen.steps.count = 104  # the first 100 are no longer kept
    assert "at step 102" in harm_of(seen).sentence


def test_a_loss_far_above_the_constant_and_its_start_diverged():
    assert harm_of(with_targets(SQUARED, REAL, np.linspace(20, 60, 40))).diverged
    assert not harm_of(with_targets(SQUARED, REAL, np.linspace(60, 40, 40))).diverged, "it started there, and falls"
    assert not harm_of(with_targets(SQUARED, REAL, np.linspace(20, 25, 40))).diverged


def test_a_loss_below_0_is_impossible_where_it_has_a_name():
    assert harm_of(with_targets(SQUARED, REAL, [-5.0] * 20)).degree == 2
    assert harm_of(with_targets("wasserstein", REAL, np.linspace(5, -5, 20))).degree == 0


def test_without_a_constant_only_progress_counts():
    flat, down, up = np.full(40, 3.0), np.linspace(3, 1, 40), np.linspace(3, 9, 40)
    assert [harm_of(with_targets("", REAL, losses)).degree for losses in (flat, down, up)] == [1, 0, 1]
    assert harm_of(with_targets("", REAL, np.geomspace(1, 1e4, 40))).diverged
    assert harm_of(Observation(name="m")).degree == 0


def test_falling_is_significant_or_it_is_not():
    noise = 0.05 * RNG.normal(size=90)
    assert harm_of(with_targets(SQUARED, REAL, np.linspace(9, 3, 90) + noise)).still_falling
    assert not harm_of(with_targets(SQUARED, REAL, 3 + noise)).still_falling
    assert not harm_of(with_targets(SQUARED, REAL, np.linspace(3, 9, 90) + noise)).still_falling
    assert not harm_of(with_targets(SQUARED, REAL, np.linspace(9, 3, 9))).still_falling, "too few to say"


@pytest.mark.parametrize(("alone", "end", "harmed"), [(True, 0.9, True), (False, 0.9, False), (False, 9.0, True)])
def test_a_loss_that_grows_beside_another_network_is_no_failure_unless_it_blows_up(alone, end, harmed):
    """As of an actor whose critic learns."""
    seen = Observation(name="m", steps=steps(np.linspace(0.5, end, 60)), alone=alone)
    assert bool(harm_of(seen)) is harmed


def test_a_sum_over_the_batch_is_compared_with_so_many_constants():
    own = RNG.uniform(9, 10, 12)  # as bad as the best constant, 9.5, in batches of 4
    seen = with_targets(SQUARED, REAL, 4 * own)
    seen.probes = [
        Probe(step=i, y=np.zeros(4), output=np.array([[np.sqrt(4 * value)], [0.0], [0.0], [0.0]]))
        for i, value in enumerate(own)
    ]
    assert harm_of(seen).degree == pytest.approx(1, abs=0.05)
    assert harm_of(seen).baseline == pytest.approx(38, rel=0.01)


def test_a_prediction_that_is_constant_at_the_end_is_harm_whatever_the_loss():
    x = RNG.normal(size=(5, 3))
    seen = with_targets("", REAL, np.linspace(3, 1, 40))
    seen.probes = [Probe(step=i, x=x, output=np.full((5, 2), 0.25)) for i in range(4)]
    assert harm_of(seen).degree == 1
    seen.probes[-1].x = np.ones((5, 3))  # where nothing differs, nothing can be told apart
    assert harm_of(seen).degree == 0
    seen.probes[-1] = Probe(step=3, x=x, output=x[:, :2])
    assert harm_of(seen).degree == 0


def test_a_poisson_loss_below_0_is_judged_between_the_constant_and_the_counts_themselves():
    best, least = 4 - 4 * np.log(4), float(np.mean(REAL - REAL * np.log(REAL)))
    for share in (0.0, 0.5, 1.0):
        found = harm_of(with_targets("poisson", REAL, np.full(40, least + share * (best - least))))
        assert found.degree == pytest.approx(share, abs=1e-6)


def test_a_loss_weighted_by_an_advantage_may_be_below_0():
    own, advantage = RNG.uniform(0.5, 1.5, 12), RNG.normal(size=12)
    outputs = [np.array([[np.sqrt(2 * value)], [0.0]]) for value in own]

    def seen(total, interface="loop"):
        found = with_targets(SQUARED, np.zeros(2), total, interface=interface)
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
    seen = with_targets(BINARY, np.array([0.0, 1.0] * 20), own * advantage + np.linspace(2, -1, 40), interface="loop")
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
    assert harm_of(with_targets(SQUARED, REAL, [8.0] * 40, epochs=[row], **drawn)).degree == pytest.approx(0.2)
    assert harm_of(with_targets(SQUARED, REAL, [8.0] * 40, epochs=[row])).degree == pytest.approx(8 / 9.5), (
        "without dropout"
    )
    worse = [row | {"val_loss": 8.0}]
    assert harm_of(with_targets(SQUARED, REAL, [1.9] * 40, epochs=worse, **drawn)).degree == pytest.approx(0.2)
    weighted = with_targets(
        SPARSE, LABELS, [0.9 * ENTROPY] * 40, epochs=[{"val_loss": 0.1}], plan=Plan(class_weight={0: 1.0}), **drawn
    )
    assert harm_of(weighted).degree > 0.8, "whose validation counts all alike"


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


def test_pairs_inside_of_a_batch_are_judged_by_the_constant_alone():
    y = np.arange(20)
    looks = [Probe(step=i, x=RNG.normal(size=(20, 3)), y=y) for i in range(5)]
    for end, degree in ((np.log(20), 1.0), (2.0, 0.0)):
        seen = Observation(name="m", loss=Loss(name=SPARSE), steps=steps([end] * 40), probes=looks)
        assert harm_of(seen).degree == pytest.approx(degree, abs=0.01)


def test_an_accuracy_of_chance_is_harm_whatever_the_loss():
    y = np.arange(400) % 4
    for row, degree in (({"acc": 0.26}, 1.0), ({"accuracy": 0.5}, 0.0), ({"mae": 0.26}, 0.0), ({"acc": 0.0}, 0.0)):
        found = harm_of(with_targets("", y, np.linspace(3, 1, 40), epochs=[{"loss": 1.0} | row]))
        assert found.degree == degree
    assert "0.26" in harm_of(with_targets("", y, np.linspace(3, 1, 40), epochs=[{"acc": 0.26}])).sentence
    assert harm.accuracy_of_chance(with_targets("", y)) == ""


def test_the_harm_elsewhere_is_that_of_validation_or_of_the_first_batches():
    for more, elsewhere in (
        ({}, 0.0),
        ({"epochs": [{"val_loss": 1.9}]}, 0.2),
        ({"experiments": {"forgotten": 19.0}}, 2.0),
        ({"epochs": [{"val_loss": 1.9}], "experiments": {"forgotten": 0.95}}, 0.2),
    ):
        assert harm_of(with_targets(SQUARED, REAL, [0.1] * 40, **more)).elsewhere == pytest.approx(elsewhere)


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
    seen = with_targets(BINARY, pixels, losses, x=pixels, probes=probes)
    seen.loss.from_logits = logits
    assert harm_of(seen).degree == pytest.approx(0.1, abs=0.1) if learned else harm_of(seen).degree > 0.9


def test_where_a_constant_is_perfect_only_progress_is_judged():
    assert harm_of(with_targets(SPARSE, np.zeros(6, int), np.linspace(0.5, 0.2, 60))).degree == 0


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
    seen = with_targets("triplet", REAL, [12.0] * 20 + [min(end, 9.0)] * 20, experiments=tried)
    assert harm_of(seen).degree == pytest.approx(degree)
    assert (harm_of(seen).attained is not None) == (degree > 0) == ("a short training by Adam" in str(harm_of(seen)))
    assert harm_of(with_targets("triplet", REAL, np.linspace(12, 9, 40))).attained is None, "nothing was tried"


def test_a_loss_that_falls_without_end_has_diverged():
    assert harm_of(with_targets("", REAL, -np.geomspace(1, 1e6, 40))).diverged
    assert not harm_of(with_targets("", REAL, -np.geomspace(1, 1e3, 40))).diverged
    assert not harm_of(with_targets("", REAL, np.geomspace(1e6, 1, 40))).diverged


@pytest.mark.parametrize(
    ("weights", "known"), [("none", True), ("by class", True), ("each", False), ("a penalty", True)]
)
def test_examples_that_weigh_by_hand_have_no_constant(weights, known):
    """What is minimised is now above the loss by its definition and now below it; a penalty is always above."""
    rng = np.random.default_rng(0)
    y = (rng.random((12, 40)) < 0.1).astype("int64")
    said = np.clip(rng.uniform(0.05, 0.9, (12, 1)) + 0.02 * rng.normal(size=y.shape), 0.02, 0.95)
    costs = -(y * np.log(said) + (1 - y) * np.log(1 - said))
    each = {"by class": np.where(y == 1, 5.0, 0.6), "each": rng.gamma(1.0, 1.0, y.shape)}
    factor = each.get(weights, 1.0)
    total = (factor * costs).mean(1) + 0.2 * (weights == "a penalty")
    seen = with_targets(BINARY, y.reshape(-1), total)
    seen.probes = [Probe(step=i, y=y[i], output=said[i][:, None]) for i in range(12)]
    assert weighed_by_example(seen) is not known
    assert (harm_of(seen).baseline is not None) is known
    seen.plan = Plan(class_weight={0: 0.6, 1: 5.0})
    assert not weighed_by_example(seen), "there the constant is known"
    if weights == "by class":
        told, seen.plan = baseline_of(seen), Plan()
        assert baseline_of(seen) == pytest.approx(told)


def test_of_several_outputs_the_first_is_compared_with_its_constant():
    """The loss of all of them is no penalty, and not that of the first."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=(12, 40))
    for error, degree in ((0.1, 0.01), (1.0, 1.0)):
        said = y + error * rng.normal(size=y.shape)
        seen = with_targets(SQUARED, y.reshape(-1), ((y - said) ** 2).mean(1) + 1.4)
        seen.train = None
        seen.probes = [Probe(step=i, y=y[i], output=said[i][:, None]) for i in range(12)]
        assert penalty_shares(seen), "which of one output it may be"
        seen.losses = {"size": SQUARED, "kind": SPARSE}
        assert harm_of(seen).degree == pytest.approx(degree, abs=0.15)
        assert harm_of(seen).end == pytest.approx(np.mean((y - said)[-5:] ** 2)), "the last five looks"
        assert penalty_shares(seen) == []
        seen.epochs = [{"val_loss": 9.0, "val_size_loss": 0.5 * np.var(y)}]
        assert harm_of(seen).elsewhere == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("interface", "added", "harmed"), [("loop", 1.4, False), ("loop", 0.01, False), ("fit", 1.4, True)]
)
def test_what_a_loop_adds_to_its_loss_is_none_of_it(interface, added, harmed):
    """As the error of a second output, which `fit` tells by its name."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=(12, 40))
    said = y + 0.1 * rng.normal(size=y.shape)
    seen = with_targets(SQUARED, y.reshape(-1), ((y - said) ** 2).mean(1) + added)
    seen.interface, seen.train = interface, None
    seen.probes = [Probe(step=i, y=y[i], output=said[i][:, None]) for i in range(12)]
    assert bool(harm_of(seen)) is harmed


def test_counts_are_judged_by_a_simple_model():
    """Their loss is far below 0, whatever is learned: what counts is the way from the constant to the reference."""
    x = RNG.uniform(1, 5, size=(800, 1))
    y = RNG.poisson(10 * x[:, 0]).astype("float32")
    best = float(np.mean(y.mean() - y * np.log(y.mean())))
    low = harm_of(with_targets("poisson", y, [best] * 40, x=x)).reference
    for share in (0.0, 0.5, 1.0):
        found = harm_of(with_targets("poisson", y, [low + share * (best - low)] * 40, x=x))
        assert found.degree == pytest.approx(share, abs=1e-4)


def test_counts_that_nothing_tells_are_not_told_by_a_tenth_of_the_way():
    y = RNG.poisson(10, 800).astype("float32")
    best = float(np.mean(y.mean() - y * np.log(y.mean())))
    least = float(np.mean(y - y * np.log(np.maximum(y, 1e-12))))
    end = best - 0.05 * (best - least)
    found = harm_of(with_targets("poisson", y, [end] * 40, x=RNG.normal(size=(800, 2))))
    assert found.degree == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(
    ("gain", "error", "loss", "alone", "losses", "degree"),
    [
        (0.0, 0.0, 0.69, True, np.linspace(0.8, 0.69, 40), 1.0),
        (0.02, 0.01, 0.7, True, np.linspace(0.8, 0.69, 40), 1.0),
        (0.3, 0.01, 1.0, True, np.linspace(0.8, 0.69, 40), 0.0),
        (0.3, 0.2, 1.0, True, np.linspace(0.8, 0.69, 40), 1.0),  # less than three standard errors
        (0.0, 0.0, 0.69, False, np.linspace(0.8, 0.69, 40), 0.0),  # in a game of two
        (0.0, 0.0, -0.5, True, np.linspace(-0.1, -0.5, 40), 1.0),
        (0.0, 0.0, 0.4, True, np.linspace(1.0, -1.0, 40), 0.0),  # as that of a policy
    ],
)
def test_inputs_of_other_rows_that_cost_no_more_have_told_nothing(gain, error, loss, alone, losses, degree):
    seen = Observation(name="m", steps=steps(losses), alone=alone)
    seen.experiments = {"exchanged_gain": gain, "exchanged_error": error, "exchanged_loss": loss}
    assert harm_of(seen).degree == degree
    assert ("other inputs costs no more" in harm_of(seen).sentence) == (degree > 0)
    seen.experiments = {}
    assert harm_of(seen).degree == 0.0


def test_weights_of_classes_are_no_second_loss():
    """A likelihood that is summed over places, each class by its own weight, which nothing was learned of."""
    rng, weights = np.random.default_rng(0), np.array([3e3, 3e4, 1e5])
    looks, totals = [], []
    for step in range(24):
        y = rng.choice(3, size=(4, 5, 5), p=[0.8, 0.15, 0.05])
        p = rng.dirichlet([8, 8, 8], size=y.shape)
        own = -np.log(np.take_along_axis(p, y[..., None], -1))[..., 0]
        totals.append(np.mean(weights[y] * own))
        looks.append(Probe(step=step, y=y, output=p))
    seen = with_targets(SPARSE, np.concatenate([look.y for look in looks]), totals, probes=looks)
    seen.interface, seen.loss.from_logits = "loop", False
    assert harm_of(seen).degree > 0.9
