from keras_course.diagnostics.losses import (
    COSTS,
    baseline_of,
    class_weights,
    least_of,
    loss_by_definition,
    loss_of_constant,
    own_and_minimised,
    penalty_shares,
    scale_of,
    weighed_by_example,
    weighed_down,
)
from keras_course.diagnostics.observation import Data, Loss, Observation, Plan, Probe
from tests.diagnostics.typed import BINARY, CROSS, SPARSE, SQUARED, with_targets

import keras
import numpy as np
import pytest

RNG = np.random.default_rng(5)
ABSOLUTE = "mean_absolute_error"
LABELS = np.array([0, 0, 0, 1, 1, 2])
ENTROPY = -(3 * np.log(1 / 2) + 2 * np.log(1 / 3) + np.log(1 / 6)) / 6
REAL = np.array([1.0, 2.0, 4.0, 9.0])


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
    assert baseline_of(with_targets(loss, y)) == pytest.approx(expected)


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
    assert baseline_of(with_targets(loss, y)) is None


def test_targets_come_from_the_stream_where_there_are_no_data():
    seen = Observation(name="m", loss=Loss(name=SQUARED), stream=[REAL[:2], REAL[2:]])
    assert baseline_of(seen) == pytest.approx(9.5)


def test_soft_targets_keep_their_own_entropy():
    y = np.tile([[0.9, 0.1]], (50, 1))
    least = -(0.9 * np.log(0.9) + 0.1 * np.log(0.1))
    assert least_of(with_targets(CROSS, y)) == pytest.approx(least)
    assert least_of(with_targets(BINARY, y)) == pytest.approx(least)
    assert least_of(with_targets(CROSS, np.eye(3)[LABELS])) == pytest.approx(0, abs=1e-9)
    assert least_of(with_targets(SQUARED, y)) == 0


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
    seen = with_targets(loss, y, [2 * own])
    seen.loss.from_logits = logits
    seen.probes = [Probe(step=0, y=y, output=output)]
    assert penalty_shares(seen) == pytest.approx([0.5])
    seen.loss.several = True
    assert penalty_shares(seen) == [], "it may be that of another loss of the same targets"


@pytest.mark.parametrize(
    ("factor", "penalty", "scale"), [(1, 0, 1), (100, 0, 100), (32, 3.0, 32), (1, 50.0, 1), (0.01, 0, 0.01)]
)
def test_how_often_the_loss_of_the_data_counts_is_told_from_a_penalty(factor, penalty, scale):
    own = RNG.uniform(0.5, 1.5, 12)
    outputs = [np.array([[np.sqrt(2 * value)], [0.0]]) for value in own]  # whose squared error from 0 it is
    slowly = penalty * np.linspace(1, 0.9, 12)
    seen = with_targets(SQUARED, np.zeros(2), factor * own + slowly)
    seen.probes = [Probe(step=i, y=np.zeros(2), output=output) for i, output in enumerate(outputs)]
    assert scale_of(seen) == pytest.approx(scale, rel=0.05)
    share = penalty * 0.9 / (factor * own[-1] + penalty * 0.9)
    assert penalty_shares(seen)[-1] == pytest.approx(share, abs=0.05)
    seen.loss.regularised = True
    assert scale_of(seen) == 1, "then the difference is the penalty, by its name"


@pytest.mark.parametrize(("factor", "scale"), [(2.0, 2.0), (2.05, 2.0), (2.4, 1.0), (1.0, 1.0)])
def test_a_sum_over_the_batch_is_told_from_a_penalty_in_few_looks(factor, scale):
    seen = with_targets(SQUARED, np.zeros(2), factor * np.array([1.0, 3.0]))
    seen.probes = [Probe(step=i, y=np.zeros(2), output=np.sqrt([[1 + 2 * i], [1 + 2 * i]])) for i in range(2)]
    assert scale_of(seen) == scale
    seen.probes = seen.probes[:1]
    assert scale_of(seen) == 1.0, "one look tells nothing"


@pytest.mark.parametrize(("factor", "scale"), [(784, 784), (10, 1), (0.01, 1)])
def test_a_sum_over_pixels_is_told_beside_a_penalty_by_name(factor, scale):
    """As of the reconstruction of a variational autoencoder beside its divergence, which moves most at first."""
    own = RNG.uniform(0.5, 1.5, 40)
    moves = np.where(np.arange(40) < 6, 1000 * RNG.random(40), 3.0)
    seen = with_targets(SQUARED, np.zeros(2), factor * own + moves)
    seen.probes = [Probe(step=i, y=np.zeros(2), output=np.array([[np.sqrt(2 * v)], [0.0]])) for i, v in enumerate(own)]
    seen.loss.regularised = True
    assert scale_of(seen) == pytest.approx(scale, rel=0.05)


@pytest.mark.parametrize(("loss", "y"), [(SPARSE, LABELS), (CROSS, np.eye(3)[LABELS])])
def test_examples_that_count_by_their_class_have_another_constant(loss, y):
    seen = with_targets(loss, y, plan=Plan(class_weight={1: 3.0, 2: 6.0}))
    total = np.array([3, 6, 6.0])  # three of weight 1, two of 3, one of 6
    assert baseline_of(seen) == pytest.approx(-np.sum(total / 15 * np.log(total / 15)) * 15 / 6)
    assert penalty_shares(seen) == []


WEIGHTS = {"two": np.array([0.5, 4.0]), "three": np.array([1.0, 2.0, 0.3]), "alike": np.array([3.0, 3.3, 3.0]),
           "more": np.array([10.0, 13.0])}  # fmt: skip


@pytest.mark.parametrize("weights", list(WEIGHTS))
@pytest.mark.parametrize("change", ["", "a penalty", "a large one", "noise", "few looks", "shares", "rare", "lost"])
def test_weights_of_classes_in_a_loss_of_the_scripts_own(weights, change):
    rng, factors = np.random.default_rng(3), WEIGHTS[weights]
    kinds, looks, totals = len(factors), [], []
    for step in range(3 if change == "few looks" else 40):
        y = rng.integers(0, kinds, 20) * (change != "rare" or step < 2)
        p = rng.dirichlet(np.ones(kinds), 20)
        own = -np.log(p[np.arange(20), y])
        totals.append(np.mean(factors[y] * own) + (change == "a penalty") * (2 + 0.1 * rng.normal()))
        totals[-1] += 10 * (change == "a large one")
        totals[-1] *= 1 + 0.1 * rng.normal() * (change == "noise")
        totals[-1] = np.nan if change == "lost" and step == 30 else totals[-1]
        rows = (y, p[:, 1]) if kinds == 2 else (np.eye(kinds)[y], p)
        looks.append(Probe(step=step, y=rows[0] * (0.9 if change == "shares" else 1), output=rows[1]))
    name = BINARY if kinds == 2 else CROSS
    seen = with_targets(name, np.concatenate([look.y for look in looks]), losses=totals, probes=looks)
    seen.loss.from_logits = False
    found = class_weights(seen)
    if change in ("", "shares" if kinds == 3 else "") and weights != "alike":
        assert list(found) == list(range(kinds))
        np.testing.assert_allclose(list(found.values()), factors / (1 if not change else 0.9), rtol=1e-4)
    elif (change, weights) == ("a penalty", "more"):  # of the others it is more than a fifth
        np.testing.assert_allclose(list(found.values()), factors, rtol=0.02)
    else:
        assert found is None
    if not change and found:
        told = with_targets(name, seen.train.y, plan=Plan(class_weight=found))
        assert baseline_of(seen) == pytest.approx(baseline_of(told))
        assert scale_of(seen) == 1, "the weights hold it"
        assert (penalty_shares(seen), weighed_by_example(seen)) == ([], False)


@pytest.mark.parametrize("cut_off", [True, False])
def test_chances_that_are_cut_off_say_nothing_of_weights_of_classes(cut_off):
    """A loss of logits goes on where that of a chance ends at -log 1e-7."""
    rng, looks, totals = np.random.default_rng(3), [], []
    for step in range(40):
        y, wrong = rng.integers(0, 2, 20), rng.random(20) < 0.3
        p = np.where(wrong, 1.0 - y, y).clip(*((0, 1) if cut_off else (1e-4, 1 - 1e-4)))
        own = -np.log(np.clip(np.where(y == 1, p, 1 - p), 1e-7, 1))
        totals.append(np.mean(np.array([8.0, 12.0])[y] * own))
        looks.append(Probe(step=step, y=y, output=p))
    seen = with_targets(BINARY, np.concatenate([look.y for look in looks]), losses=totals, probes=looks)
    seen.loss.from_logits = False
    assert (class_weights(seen) is None) == cut_off


def test_one_look_at_chances_that_are_cut_off_is_no_factor_of_the_loss():
    """The loss of its logits is a hundred times that of its chances."""
    rng, looks, totals = np.random.default_rng(3), [], []
    for step in range(20):
        y = rng.integers(0, 2, 20)
        p = rng.uniform(0.2, 0.8, 20) if step != 1 else 1.0 - y
        own = -np.log(np.clip(np.where(y == 1, p, 1 - p), 1e-7, 1))
        totals.append(np.mean(own) if step != 1 else 1600.0)
        looks.append(Probe(step=step, y=y, output=p))
    seen = with_targets(BINARY, np.concatenate([look.y for look in looks]), losses=totals, probes=looks)
    seen.loss.from_logits = False
    assert scale_of(seen) == 1
    assert len(own_and_minimised(seen)) == 19
    seen.loss.from_logits = True  # of which nothing is cut off
    for look in seen.probes:
        look.output = 40 * (1 - 2 * look.y)
    assert len(own_and_minimised(seen)) == 20


def test_a_second_loss_is_no_penalty():
    own, other = RNG.uniform(0.5, 1.5, 24), RNG.uniform(2, 6, 24)
    seen = with_targets(SQUARED, np.zeros(2), own + other)
    seen.probes = [
        Probe(step=i, y=np.zeros(2), output=np.array([[np.sqrt(2 * value)], [0.0]])) for i, value in enumerate(own)
    ]
    assert penalty_shares(seen) == []
    seen.loss.regularised = True
    assert len(penalty_shares(seen)) == 24
    seen.losses = {"size": SQUARED, "kind": BINARY}
    assert penalty_shares(seen) == [], "nor is that of another output"


@pytest.mark.parametrize(("interface", "factor"), [("fit", 4 / 6), ("custom train_step", 1.0)])
def test_places_that_fill_up_rows_are_none_of_the_constant(interface, factor):
    labels, there = np.array([[1, 1, 0], [2, 1, 0]]), np.array([[1.0, 1, 0], [1, 1, 0]])
    seen = with_targets(SPARSE, labels)
    seen.interface, seen.train = interface, Data(x=labels, y=labels, weight=there)
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))  # of three and one
    assert baseline_of(seen) == pytest.approx(factor * entropy)
    for other in (None, np.ones((2, 3)), there[:, :1], 2 * there, there / 2, there[:, 0], np.array([1.0, 0.0])):
        seen.train.weight = other
        assert baseline_of(seen) == pytest.approx(-3 / 6 * np.log(1 / 2) - np.log(1 / 3) / 3 - np.log(1 / 6) / 6)


def test_rows_with_several_ones_have_a_constant_and_a_least_of_their_own():
    y = np.array([[1.0, 1, 0], [1, 0, 0], [0, 1, 1], [1, 1, 1]])
    size, shares = y.sum() / 4, y.sum(0) / y.sum()
    assert baseline_of(with_targets(CROSS, y)) == pytest.approx(-size * np.sum(shares * np.log(shares)))
    assert least_of(with_targets(CROSS, y)) == pytest.approx((2 * np.log(2) + 0 + 2 * np.log(2) + 3 * np.log(3)) / 4)


def test_targets_that_drift_are_those_of_the_whole_training():
    looks = [Probe(step=100 * i, y=np.full(4, float(i))) for i in range(4)]
    seen = Observation(name="m", loss=Loss(name=SQUARED), stream=[np.zeros(4)], probes=looks)
    assert baseline_of(seen) == pytest.approx(1.25)  # of 0, 1, 2 and 3


def test_the_constant_of_a_huber_loss_is_the_best_there_is():
    y = np.append(np.linspace(0, 4, 41), [90.0, 91.0])
    tried = [float(np.mean(COSTS["huber"](y - c, 1.0))) for c in np.linspace(0, 6, 601)]
    assert baseline_of(with_targets("huber", y)) == pytest.approx(min(tried), rel=0.01)
    np.testing.assert_allclose(COSTS["huber"](np.array([-0.5, 3.0]), 1.0), [0.125, 2.5])  # as Keras has it


def test_a_cross_entropy_of_logits_and_shares_is_that_of_keras():
    rng = np.random.default_rng(1)
    z, y = rng.normal(size=(7, 3)) * 4, rng.dirichlet(np.ones(3), 7)
    y[2] = 0  # a row that counts for nothing
    seen = with_targets(CROSS, y)
    seen.loss.from_logits = True
    expected = keras.losses.categorical_crossentropy(y, z, from_logits=True)
    assert loss_by_definition(seen, y, z) == pytest.approx(float(np.mean(expected)), rel=1e-5)


def test_huber_of_another_delta():
    y, said = np.array([0.0, 1.0, 5.0]), np.array([1.0, 1.0, 0.0])
    seen = with_targets("huber", y)
    for delta, expected in ((1.0, (0.5 + 0 + 4.5) / 3), (2.0, (0.5 + 0 + 8.0) / 3)):
        seen.loss.delta = delta
        assert loss_by_definition(seen, y, said) == pytest.approx(expected)
        assert baseline_of(seen) == pytest.approx(loss_of_constant(y, "huber", delta))
    assert loss_of_constant(y, "huber", 2.0) > loss_of_constant(y, "huber", 1.0)


@pytest.mark.parametrize(
    ("factor", "interface", "down"),
    [
        (lambda rng, n: (rng.random(n) < rng.uniform(0.2, 0.8)) * 1.0, "loop", True),  # rewards
        (lambda rng, n: (rng.random(n) < rng.uniform(0.2, 0.8)) * 1.0, "fit", False),  # which may be masks
        (lambda rng, n: np.ones(n), "loop", False),
        (lambda rng, n: np.full(n, 0.5), "loop", False),  # of all examples alike
        (lambda rng, n: rng.uniform(0.5, 1.5, n), "loop", False),
        (lambda rng, n: np.full(n, rng.uniform(0.6, 1.4)), "loop", False),  # now more, now less
    ],
)
def test_examples_that_are_weighed_down(factor, interface, down):
    rng, looks, totals = np.random.default_rng(3), [], []
    for step in range(30):
        y, p = rng.integers(0, 2, 40), rng.uniform(0.2, 0.8, 40)
        own = -np.log(np.where(y == 1, p, 1 - p))
        totals.append(np.mean(factor(rng, 40) * own))
        looks.append(Probe(step=step, y=y, output=p))
    y = np.concatenate([look.y for look in looks])
    seen = with_targets(BINARY, y, losses=totals, probes=looks, interface=interface)
    seen.loss.from_logits = False
    assert weighed_down(seen) is down


def test_what_counts_cost_by_their_rate_and_by_its_logarithm():
    """Of counts 0, 2 and 5 at rates 1, 2 and 4: the mean of r - y log r."""
    y, rates = np.array([0.0, 2.0, 5.0]), np.array([[1.0], [2.0], [4.0]])
    expected = np.mean([1.0, 2 - 2 * np.log(2), 4 - 5 * np.log(4)])
    seen = with_targets("poisson", y)
    assert loss_by_definition(seen, y, rates) == pytest.approx(expected)
    assert loss_by_definition(seen, y, -rates) is None
    seen.loss.from_logits = True
    assert loss_by_definition(seen, y, np.log(rates)) == pytest.approx(expected)


@pytest.mark.parametrize(("weights", "weighed"), [(None, False), ((0.5, 2.0), True)])
def test_examples_that_count_alike_where_the_loss_is_below_zero(weights, weighed):
    """Poisson's, of counts around 30."""
    rng, looks, totals = np.random.default_rng(3), [], []
    for step in range(20):
        y = rng.poisson(30, 16).astype("float32")
        rate = y + rng.uniform(0, 5, 16).astype("float32")
        own = float(np.mean(rate - y * np.log(rate)))
        totals.append(own * (1.0 if weights is None else weights[step % 2]))
        looks.append(Probe(step=step, y=y, output=rate))
    seen = with_targets("poisson", np.concatenate([look.y for look in looks]), losses=totals, probes=looks)
    assert weighed_by_example(seen) == weighed


@pytest.mark.parametrize("hot", [True, False])
def test_a_cross_entropy_of_each_place(hot):
    rng = np.random.default_rng(0)
    y, logits = rng.integers(0, 3, (2, 5, 4)), rng.normal(size=(2, 5, 4, 3)).astype("float32")
    seen = with_targets(CROSS if hot else SPARSE, y)
    seen.loss.from_logits = True
    said = loss_by_definition(seen, np.eye(3)[y] if hot else y, logits)
    assert said == pytest.approx(
        float(keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True).numpy().mean()), rel=1e-5
    )


def test_what_ones_count_by_a_weight_of_the_script_leaves_no_constant():
    seen = with_targets(BINARY, np.array([0, 0, 0, 1]))
    assert baseline_of(seen) == pytest.approx(0.5623351446)
    seen.loss.weighed = True
    assert baseline_of(seen) is None
