from keras_course.diagnostics.observation import Data, Feed, Loss, Observation, Optimizer, Plan, Probe, Unit, Variable
from keras_course.diagnostics.rules.modes import RULES
from tests.diagnostics.typed import SQUARED, named, net, walked, with_targets

import numpy as np
import pytest


def found(rule, seen):
    return RULES[rule](seen)


def fires(rule, seen):
    causes, notes = named({rule: RULES[rule]}, seen)
    return causes | {f"note: {cause}" for cause in notes}


def normalised_net(*, moving=0.0, left=0.0, count=30, momentum=0.99, **more):
    seen = net(1, 1, steps=walked(rows=count), experiments={"moving": moving}, **more)
    config = {"momentum": momentum}
    seen.layers = [{"class": "BatchNormalization", "name": "n", "trainable": True, "config": config}]
    seen.variables.append(
        Variable(name="n/moving_mean", shape=(4,), trainable=False, initial=np.zeros(4), final=np.full(4, left))
    )
    return seen


def test_batch_normalisation_in_the_mode_of_evaluation():
    (finding,) = found("batchnorm_mode", normalised_net(moving=1.0))
    assert (finding.certain, finding.layer) == (True, "n")
    assert found("batchnorm_mode", normalised_net(moving=1.0, left=0.3)) == [], "a pretrained trunk"
    assert found("batchnorm_mode", normalised_net(moving=0.0)) == []
    assert found("batchnorm_mode", normalised_net(moving=1.0, count=10)) == [], "too few steps to say"
    frozen = normalised_net(moving=1.0)
    frozen.layers[0]["trainable"] = False
    assert found("batchnorm_mode", frozen) == []


@pytest.mark.parametrize(
    ("evaluated", "end", "momentum", "fires_"),
    [
        (9.2, 1.0, 0.99, True),
        (8.0, 1.0, 0.99, False),
        (9.2, 6.0, 0.99, False),
        (None, 1.0, 0.99, False),
        (4.0, 1.0, 0.9999, True),  # of which 400 steps leave 0.96 of the first values
        (2.8, 1.0, 0.9999, False),
    ],
)
def test_what_was_learned_and_is_gone_with_the_averages(evaluated, end, momentum, fires_):
    """Of a constant the loss is 9.5."""
    data = Data(x=np.zeros((4, 2)), y=np.array([1.0, 2, 4, 9]))
    seen = normalised_net(left=0.1, count=400, momentum=momentum, loss=Loss(name=SQUARED), train=data)
    seen.steps.all_losses = np.full(400, end)
    seen.experiments |= {} if evaluated is None else {"evaluated": evaluated}
    assert [f.certain for f in found("batchnorm_mode", seen)] == [True] * fires_


@pytest.mark.parametrize(("evaluated", "fires_"), [(9.2, True), (8.0, False)])
def test_what_is_gone_with_the_averages_of_a_layer_of_the_scripts_own(evaluated, fires_):
    data = Data(x=np.zeros((4, 2)), y=np.array([1.0, 2, 4, 9]))
    seen = normalised_net(left=0.1, count=400, loss=Loss(name=SQUARED), train=data)
    seen.layers = [{"class": "Level", "name": "n", "trainable": True, "config": {}}]
    seen.steps.all_losses = np.full(400, 1.0)
    seen.experiments["evaluated"] = evaluated
    assert [(f.certain, f.layer) for f in found("batchnorm_mode", seen)] == [(True, "n")] * fires_
    seen.variables[-1].final = seen.variables[-1].initial
    assert found("batchnorm_mode", seen) == []


def test_averages_of_an_earlier_training_that_do_not_move():
    seen = normalised_net(moving=1.0, left=0.3)
    seen.variables[-1].initial = seen.variables[-1].final
    assert [f.certain for f in found("batchnorm_mode", seen)] == [False]
    seen.variables[-1].initial = seen.variables[-1].final + 0.1
    assert found("batchnorm_mode", seen) == []


def test_averages_that_have_not_arrived():
    gap = [{"loss": 0.2, "val_loss": 0.9}]
    assert fires("batchnorm_mode", normalised_net(momentum=0.999, left=0.1, epochs=gap)) == {"batchnorm_mode"}
    assert fires("batchnorm_mode", normalised_net(momentum=0.99, left=0.1, epochs=gap)) == {"batchnorm_mode"}
    assert found("batchnorm_mode", normalised_net(momentum=0.99, left=0.1, epochs=gap, count=150)) == []
    assert found("batchnorm_mode", normalised_net(momentum=0.98, left=0.1, epochs=gap)) == []
    useful = {
        "loss": Loss(name=SQUARED),
        "train": Data(x=np.zeros((4, 2)), y=np.array([1.0, 2, 4, 9])),
    }  # constant: 9.5
    assert found("batchnorm_mode", normalised_net(momentum=0.99, left=0.1, epochs=gap, **useful)) == []
    assert found("batchnorm_mode", normalised_net(momentum=0.999, left=0.1, epochs=gap, count=800)) == []
    assert found("batchnorm_mode", normalised_net(momentum=0.999, left=0.1)) == []


def test_tiny_batches_are_a_note():
    small = normalised_net(left=0.1, plan=Plan(batch_size=2))
    assert fires("batchnorm_mode", small) == {"note: batchnorm_mode"}


def dropping(rate, draws, kind="Dropout", **more):
    seen = net(1, 1, experiments={} if draws is None else {"draws": draws}, **more)
    seen.layers = [{"class": kind, "name": "d", "trainable": True, "config": {"rate": rate}}]
    return seen


def test_dropout_that_draws_nothing():
    (finding,) = found("dropout_mode", dropping(0.3, 0.0))
    assert (finding.certain, finding.layer) == (True, "d")
    for fine in (dropping(0.3, 1.0), dropping(0.0, 0.0), dropping(0.3, None), dropping(0.3, 0.0, kind="Dense")):
        assert found("dropout_mode", fine) == []
    taught = dropping(0.3, 0.0)
    taught.layers[0]["trainable"] = False  # of a frozen teacher, which is called as it will be used
    assert found("dropout_mode", taught) == []


ROWS = np.random.default_rng(0).normal(size=(90, 3)).astype("float32")


@pytest.mark.parametrize(
    ("change", "fires_"),
    [
        ({}, True),
        ({"training": False}, False),
        ({"training": None}, False),
        ({"again": 20}, False),  # Monte Carlo dropout asks again and again
        ({"x": ROWS[:60]}, False),  # the rows of the training
        ({"x": ROWS[60:70]}, False),  # too few to be an evaluation
    ],
)
@pytest.mark.parametrize("kind", ["Dropout", "BatchNormalization"])
def test_a_model_that_is_always_asked_with_training_on(kind, change, fires_):
    seen = dropping(0.3, 1.0, kind=kind, train=Data(x=ROWS[:60], y=np.arange(60)), interface="fit", steps=walked())
    seen.asked = [Feed(**{"x": ROWS[60:], "name": "x_test", "training": True} | change)]
    cause = "dropout_mode" if kind == "Dropout" else "batchnorm_mode"
    assert fires(cause, seen) == ({cause} if fires_ else set())
    seen.asked.append(Feed(x=ROWS[60:], training=False))  # once as it should be
    assert fires(cause, seen) == set()


def test_one_of_two_that_train_each_other_may_be_asked_with_training_on():
    seen = dropping(0.3, 1.0, train=Data(x=ROWS[:60], y=np.arange(60)), interface="fit", alone=False)
    seen.asked = [Feed(x=ROWS[60:], training=True)]
    assert found("dropout_mode", seen) == []


@pytest.mark.parametrize(
    ("rate", "head", "last", "fires_"),
    [
        (0.5, "", "Dropout", True),
        (0.0, "", "Dropout", False),
        (0.5, "softmax", "Dropout", False),
        (0.5, "", "Dense", False),
    ],
)
def test_dropout_of_the_predictions_themselves(rate, head, last, fires_):
    seen = net(1, 1, experiments={"draws": 1.0}, head=head)
    seen.layers = [
        {"class": "Dense", "name": "d", "trainable": True, "config": {}},
        {"class": last, "name": "last", "trainable": True, "config": {"rate": rate}},
    ]
    assert bool(found("dropout_mode", seen)) == fires_


@pytest.mark.parametrize(("share", "fires_"), [(0.6, True), (0.3, False)])
def test_a_penalty_that_outweighs_the_loss(share, fires_):
    seen = net(1, 1, steps=walked(), experiments={"penalty_start": share * 2.0})
    assert bool(found("regularisation_overwhelms", seen)) == fires_


@pytest.mark.parametrize(("own", "fires_"), [(0.4, True), (0.9, False)])
def test_a_penalty_that_is_most_of_the_first_loss_whatever_is_left_of_it(own, fires_):
    """Of activities, which no weight knows of: it is gone when all units are silent."""
    seen = net(1, 1, steps=walked(losses=[1.0, *[0.1] * 11]), loss=Loss(name=SQUARED, regularised=True))
    y = np.zeros((4, 1))
    seen.probes = [Probe(step=i, y=y, output=np.full((4, 1), np.sqrt(own if i == 0 else 0.1))) for i in range(12)]
    assert bool(found("regularisation_overwhelms", seen)) == fires_


@pytest.mark.parametrize(
    ("first", "last", "named", "fires_"),
    [
        (0.4, 0.001, True, True),
        (0.1, 0.001, True, False),  # there was little of it
        (0.4, 0.05, True, False),  # some of it is left
        (0.4, 0.001, False, False),  # nothing is added by name
    ],
)
def test_a_penalty_that_is_driven_out(first, last, named, fires_):
    """As the divergence of latent variables that then say nothing."""
    seen = net(1, 1, steps=walked(losses=np.ones(12)), loss=Loss(name=SQUARED, regularised=named))
    seen.probes = [
        Probe(step=i, y=np.zeros((4, 1)), output=np.full((4, 1), np.sqrt(1 - (first if i < 6 else last))))
        for i in range(12)
    ]
    assert bool(found("regularisation_overwhelms", seen)) == fires_


@pytest.mark.parametrize(
    ("last", "fires_"),
    [
        ({"kl_loss": 1e-3, "total_loss": 27.0}, True),
        ({"kl_loss": 3.0, "total_loss": 27.0}, False),
        ({"KL": 1e-3, "loss": 0.1}, False),  # a mean, beside which it is not small
        ({"weekly": 1e-3, "loss": 27.0}, False),
    ],
)
def test_a_prior_that_is_all_there_is(last, fires_):
    seen = net(1, 1, steps=walked(), epochs=[dict.fromkeys(last, 30.0), last])
    assert bool(found("regularisation_overwhelms", seen)) == fires_


@pytest.mark.parametrize(
    ("mean", "spread", "change", "fires_"),
    [
        ((0.01, 0.01), (0.02, 0.01), {}, True),
        ((0.97, 0.01), (0.02, 0.12), {}, True),  # a deviation first
        ((0.01, 0.01), (0.2, 0.01), {}, False),  # the means still tell inputs apart
        ((0.01, 0.01), (0.12, 0.12), {}, False),  # and so do the deviations
        ((0.01, -0.9), (0.01, 0.01), {}, False),  # and so does what is drawn with less noise
        ((0.01, 0.01), (0.02, 0.01), {"sampled": 0.0}, False),
        ((0.01, 0.01), (0.02, 0.01), {"activation": "relu"}, False),
        ((0.01, 0.01), (0.02, 0.01), {"shape": (40, 3)}, False),  # not of one width
    ],
)
def test_latent_variables_that_say_nothing(mean, spread, change, fires_):
    looks = [Probe(step=0, mean=np.r_[1.0, mean, 1.0, 1.0], spread=np.r_[1.0, spread, 1.0, 1.0])]
    seen = net(1, 1, 1, 1, 1, probes=looks, experiments={"draws": 1.0, "sampled": change.get("sampled", 1.0)})
    for unit in seen.units[1:3]:
        unit.activation = change.get("activation", "linear")
    seen.variables[1].shape = change.get("shape", (40, 40))
    evidence = [f.evidence for f in found("regularisation_overwhelms", seen)]
    assert ["b and c" in text for text in evidence] == [True] * fires_


@pytest.mark.parametrize(
    ("end", "left", "sampled", "fires_"),
    [(1.02, 0.9, 1.0, True), (0.9, 0.9, 1.0, False), (1.02, 0.7, 1.0, False), (1.02, 0.9, 0.0, False)],
)
def test_latent_variables_that_cost_what_they_gain(end, left, sampled, fires_):
    """The targets are -1 and 1: the best constant costs 1."""
    seen = with_targets(SQUARED, np.tile([[-1.0], [1.0]], (20, 1)), [1.5] * 5 + [end] * 50)
    seen.experiments = {"sampled": sampled, "few_end": left}
    evidence = [f.evidence for f in found("regularisation_overwhelms", seen)]
    assert ["a constant that says nothing costs 1," in text for text in evidence] == [True] * fires_


def test_weights_that_a_penalty_has_shrunk():
    assert found("regularisation_overwhelms", net(1, 1, steps=walked(), final=lambda w: 0.05 * w))
    assert found("regularisation_overwhelms", net(1, 1, steps=walked(), final=lambda w: 0.5 * w)) == []
    assert found("regularisation_overwhelms", net(1, 1, width=2, steps=walked(), final=lambda w: 0.05 * w)) == []


@pytest.mark.parametrize(("left", "beside", "fires_"), [(0.05, False, True), (0.5, False, False), (0.05, True, False)])
def test_tables_that_a_penalty_has_shrunk_where_there_is_nothing_else(left, beside, fires_):
    table = np.random.default_rng(0).normal(size=(30, 4))
    seen = net(*[1] * (2 * beside), steps=walked())
    seen.units.append(Unit(name="users", kind="embedding", variables=("users/embeddings",)))
    shape = {"name": "users/embeddings", "shape": table.shape, "layer": "users"}
    seen.variables.append(Variable(initial=table, final=left * table, **shape))
    assert bool(found("regularisation_overwhelms", seen)) is fires_


@pytest.mark.parametrize(
    ("left", "penalty", "kind", "fires_"),
    [(0.4, 0.3, "kernel_regularizer", True), (0.6, 0.3, "kernel_regularizer", False),
     (0.4, 0.05, "kernel_regularizer", False), (0.4, 0.3, "embeddings_regularizer", True),
     (0.4, 0.3, "activity_regularizer", False)],
)  # fmt: skip
def test_what_has_a_penalty_has_lost_half_of_its_norm(left, penalty, kind, fires_):
    """Of two layers only the first has one."""
    seen = net(1, 1, steps=walked(), experiments={"penalty_start": penalty * walked().all_losses[0]})
    seen.variables[0].final = left * seen.variables[0].initial
    seen.layers = [{"class": "Dense", "name": "a", "trainable": True, "config": {kind: {"config": {"l2": 0.1}}}}]
    said = [f.confidence for f in found("regularisation_overwhelms", seen) if "below 0.5" in f.evidence]
    assert said == [0.7] * fires_


def test_beside_kernels_a_table_does_not_count():
    seen = net(1, 1, steps=walked(), final=lambda w: 0.05 * w)
    table = np.random.default_rng(0).normal(size=(30, 4))
    seen.variables.append(Variable(name="users/embeddings", shape=table.shape, initial=table, final=table))
    assert found("regularisation_overwhelms", seen)


@pytest.mark.parametrize(("decay", "fires"), [(10.0, True), (0.5, True), (0.1, False), (0.0, False)])
def test_an_optimizer_that_decays_the_weights_away(decay, fires):
    seen = net(1, 1)
    seen.optimizer = Optimizer(name="AdamW", rate=0.001, decay=decay)
    said = [(f.repair, "every weight in each step" in f.evidence) for f in found("regularisation_overwhelms", seen)]
    assert said == [("a weight decay of about 0.01", True)] * fires


def test_dropout_that_leaves_next_to_nothing():
    (much,) = found("regularisation_overwhelms", dropping(0.9, 1.0, steps=walked()))
    assert much.repair == "a rate of 0.1 to 0.5"
    turned_round = dropping(0.9, 1.0, steps=walked())
    turned_round.kept = [6]
    assert found("regularisation_overwhelms", turned_round) == [], "the share to keep is given for the one to drop"
    assert found("regularisation_overwhelms", dropping(0.5, 1.0, steps=walked())) == []
    seen = dropping(0.7, 1.0, steps=walked())
    seen.layers = 2 * seen.layers
    assert found("regularisation_overwhelms", seen) == [], "a tenth is left"
    seen.layers = 2 * seen.layers
    (all_of_them,) = found("regularisation_overwhelms", seen)
    assert "0.8%" in all_of_them.evidence
    assert all_of_them.repair == "fewer of them, or lower rates"


def test_an_empty_observation_is_judged_by_nothing():
    assert [f for rule in RULES.values() for f in rule(Observation(name="m"))] == []


@pytest.mark.parametrize(
    ("momentum", "count", "mean", "spread", "said"),
    [
        (0.99999, 400, 300.0, 5.0, "the mean is 1.2 where batches have 300, 59.8 spreads away"),
        (0.99999, 400, 3.0, 2.0, "1.5 spreads away"),
        (0.99999, 400, 1.0, 2.0, ""),
        (0.99999, 400, 1.0, 5.0, "the variance is 1.1 where batches have 25"),
        (0.99999, 400, 0.1, 0.2, "the variance is 0.996 where batches have 0.04"),
        (0.9995, 240, 0.0, 0.2, "the variance is 0.891 where batches have 0.04"),
        (0.9995, 1300, 0.0, 0.2, "the variance is 0.541 where batches have 0.04"),
        (0.9995, 1400, 0.0, 0.2, ""),
        (0.99, 400, 300.0, 5.0, ""),
        (0.99999, 50, 300.0, 5.0, ""),
    ],
)
def test_averages_that_will_never_arrive(momentum, count, mean, spread, said):
    left = momentum**count
    seen = normalised_net(momentum=momentum, count=count, left=(1 - left) * mean)
    variance = np.full(4, left + (1 - left) * spread**2)
    seen.variables.append(
        Variable(name="n/moving_variance", shape=(4,), trainable=False, initial=np.ones(4), final=variance)
    )
    findings = found("batchnorm_mode", seen)
    assert [(f.certain, f.layer) for f in findings] == [(True, "n")] * bool(said)
    assert all(said in finding.evidence for finding in findings)


def test_averages_that_were_there_before_or_have_a_momentum_of_their_own_are_not_far():
    """Of a trunk that is trained on, as MobileNetV2 with its 0.999, and of a layer beside one that never arrives."""
    batches = {"moving_mean": np.full(4, 300.0), "moving_variance": np.full(4, 25.0)}
    for momentum, beside in ((0.999, 0.999), (0.9, 0.99999)):
        seen = normalised_net(momentum=beside, count=100)
        config = {"class": "BatchNormalization", "name": "m", "trainable": True, "config": {"momentum": momentum}}
        seen.layers.append(config)
        for kind, value in batches.items():
            first = value if momentum == beside else value * 0
            seen.variables.append(
                Variable(name=f"trunk/m/{kind}", shape=(4,), trainable=False, initial=first, final=value)
            )
        assert found("batchnorm_mode", seen) == [], momentum


def test_the_layer_of_the_strongest_penalty():
    seen = net(1, 1, steps=walked(), experiments={"penalty_start": 1.9})
    for name, settings in (("a", {"l2": 0.1}), ("b", {"l1": 0.0, "l2": 3.0}), ("c", None)):
        regularizer = settings and {"class_name": "L2", "config": settings}
        seen.layers.append({"class": "Dense", "name": name, "config": {"kernel_regularizer": regularizer}})
    assert found("regularisation_overwhelms", seen)[0].layer == "b"


@pytest.mark.parametrize(
    ("change", "drops", "certain"),
    [({}, 1.0, True), ({"again": 20}, 1.0, False), ({"x": ROWS[:5]}, 1.0, False), ({}, 0.0, False)],
)
def test_dropout_in_evaluation_is_certain_where_rows_are_asked_once(change, drops, certain):
    """Monte Carlo dropout asks about the same rows again and again."""
    seen = dropping(0.3, 1.0)
    seen.experiments |= {"draws_in_evaluation": 1.0, "drops_in_evaluation": drops}
    seen.asked = [Feed(**{"x": ROWS, "name": "x_test"} | change)]
    assert [f.certain for f in found("dropout_mode", seen)] == [certain]
    seen.asked = []
    assert [f.certain for f in found("dropout_mode", seen)] == [False]


def test_one_evaluation_with_training_on_is_enough_for_dropout_alone():
    for kind, cause in (("Dropout", {"dropout_mode"}), ("BatchNormalization", set())):
        seen = dropping(0.3, 1.0, kind=kind, train=Data(x=ROWS[:40], y=np.arange(40)), interface="fit", steps=walked())
        seen.asked = [Feed(x=ROWS[40:65], training=False), Feed(x=ROWS[65:], name="x_test", training=True)]
        assert fires("dropout_mode", seen) | fires("batchnorm_mode", seen) == cause


@pytest.mark.parametrize(
    ("own", "added", "fires_"),
    [(1.2, 0.6, True), (0.8, 0.6, False), (1.2, 0.1, False)],  # of targets of which a constant leaves 1
)
def test_a_penalty_by_hand_that_keeps_the_rest_above_a_constant(own, added, fires_):
    y = np.array([[-1.0], [1.0]])
    losses = [own + added] * 30
    seen = net(1, steps=walked(30, losses=losses), loss=Loss(name=SQUARED), train=Data(x=np.zeros((2, 3)), y=y, n=2))
    said = y + np.sqrt(own)
    seen.probes = [Probe(step=i, y=y, output=said) for i in range(0, 30, 2)]
    assert bool(found("regularisation_overwhelms", seen)) == fires_
    seen.probes = [Probe(step=i, y=y, output=said) for i in range(11)]
    assert found("regularisation_overwhelms", seen) == [], "in few steps a second loss does not move either"
    x, constant = np.arange(2.0)[:, None], np.full((2, 1), 3.0)
    seen.probes = [Probe(step=i, x=x, y=y, output=constant) for i in range(0, 30, 2)]
    assert found("regularisation_overwhelms", seen) == [], "nor of a prediction that is constant"
