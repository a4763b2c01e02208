from keras_course.diagnostics.observation import Loss, Observation, Probe, Steps, Unit, Variable
from keras_course.diagnostics.rules import structure
from tests.diagnostics.typed import SPARSE, SQUARED, steps

import numpy as np
import pytest

RNG = np.random.default_rng(0)


def network(*kernels, activations=None, trained=None, **more):
    """A network of dense layers with these first weights, moved a little by training."""
    names = [f"l{i}" for i in range(len(kernels))]
    acts = activations or ["relu"] * (len(kernels) - 1) + ["linear"]
    final = trained or [k + RNG.normal(0, 0.01, k.shape) for k in kernels]
    return Observation(
        name="m",
        units=[
            Unit(name=n, kind="dense", activation=a, variables=(f"{n}/kernel",))
            for n, a in zip(names, acts, strict=True)
        ],
        variables=[
            Variable(name=f"{n}/kernel", shape=k.shape, layer=n, initial=k, final=f)
            for n, k, f in zip(names, kernels, final, strict=True)
        ],
        **({"loss": Loss(name=SPARSE, from_logits=True), "steps": steps([2.0, 1.0])} | more),
    )


def he(a, b):
    return RNG.normal(0, np.sqrt(2 / a), (a, b))


def causes(rule, seen):
    return [(f.cause, f.kind) for f in rule(seen)]


def test_copies_at_both_ends_are_named_and_a_zero_head_is_not():
    same = np.tile(RNG.normal(size=(5, 1)), (1, 8))
    seen = network(same, he(8, 3), trained=[1.1 * same, he(8, 3)])
    assert causes(structure.symmetric_init, seen) == [("symmetric_or_zero_init", "named")]
    assert structure.symmetric_init(network(same, he(8, 3))) == [], "columns that parted"
    assert structure.symmetric_init(network(he(5, 8), np.zeros((8, 3)))) == [], "a zero head"


def test_duplicated_counts_copies():
    assert structure.duplicated(np.eye(4)) == 0
    assert structure.duplicated(np.ones((3, 4))) == 1
    assert structure.duplicated(np.array([[1, 1, 2]])) == pytest.approx(0.5)


@pytest.mark.parametrize(("factor", "expected"), [(1.0, []), (3.0, ["init_scale"]), (0.2, ["init_scale"]), (1.2, [])])
def test_gains_multiply_over_the_layers(factor, expected):
    kernels = [factor * he(60, 60) for _ in range(4)] + [he(60, 3)]
    assert [c for c, _ in causes(structure.init_scale, network(*kernels))] == expected
    normalised = network(*kernels)
    normalised.units[0].normalised = True
    assert structure.init_scale(normalised) == []


def test_the_gain_of_he_under_relu_and_of_glorot_elsewhere_is_one():
    unit, kernel = Unit(name="a", kind="dense", activation="relu"), he(400, 300)
    assert structure.gain_of(unit, Variable(name="k", shape=kernel.shape, initial=kernel)) == pytest.approx(1, rel=0.02)
    glorot = RNG.normal(0, np.sqrt(2 / 700), (400, 300))
    linear = Unit(name="a", kind="dense", activation="tanh")
    assert structure.gain_of(linear, Variable(name="k", shape=(400, 300), initial=glorot)) == pytest.approx(1, rel=0.02)


def test_a_linear_network_is_certain_only_where_the_data_bend():
    seen = network(he(5, 8), he(8, 3), activations=["linear", "linear"])
    assert structure.missing_nonlinearity(seen) == []
    seen.experiments = {"superposition": 2e-7, "bent_gain": 0.3}
    assert [f.certain for f in structure.missing_nonlinearity(seen)] == [True]
    seen.experiments["bent_gain"] = 0.0
    assert [f.certain for f in structure.missing_nonlinearity(seen)] == [False]
    seen.experiments["superposition"] = 0.03
    assert structure.missing_nonlinearity(seen) == []


def table(count=6, *, gradient=(1.0, 1.0), update=(0.1, 0.1), aligned=(-1.0, -1.0), losses=None):
    losses = np.linspace(2, 1, count) if losses is None else np.asarray(losses)
    rows = [np.tile(np.array(row, float), (count, 1)) for row in (gradient, update, aligned)]
    return Steps(
        all_losses=losses, count=count, index=np.arange(count), loss=losses,
        gradient=rows[0], weight=np.ones((count, 2)), update=rows[1], aligned=rows[2],
    )  # fmt: skip


def test_no_gradient_and_no_change_are_told_apart():
    seen = network(he(5, 8), he(8, 3), steps=table(gradient=(np.nan, 1.0)))
    assert causes(structure.frozen, seen) == [("frozen_or_disconnected", "named")]
    assert structure.frozen(seen)[0].layer == "l0"
    left_out = network(he(5, 8), he(8, 3), steps=table(update=(0.0, 0.1)))
    assert [f.layer for f in structure.frozen(left_out)] == ["l0"]
    assert structure.frozen(network(he(5, 8), he(8, 3), steps=table())) == []
    nothing = network(he(5, 8), he(8, 3), steps=table(update=(0.0, 0.0)))
    assert structure.frozen(nothing) == []
    assert causes(structure.not_applied, nothing) == [("optimiser_not_applied", "named")]
    assert structure.not_applied(left_out) == []


def test_a_frozen_trunk_under_a_trained_head_is_a_note_and_a_frozen_head_is_not():
    seen = network(4 * he(5, 8), he(8, 300), steps=table())
    seen.variables[0].trainable = False
    assert causes(structure.frozen, seen) == [("frozen_or_disconnected", "note")]
    seen = network(he(5, 8), he(8, 3), steps=table())
    seen.variables[1].trainable = False
    assert causes(structure.frozen, seen) == [("frozen_or_disconnected", "named")]


def test_uphill_is_named_and_downhill_with_momentum_is_not():
    up, down = (network(he(5, 8), he(8, 3), steps=table(20, aligned=(s, s))) for s in (0.9, -0.4))
    assert causes(structure.sign_flipped, up) == [("gradient_sign_flipped", "named")]
    assert structure.sign_flipped(down) == []
    lagging = table(20)
    lagging.aligned[::4] = 0.3
    assert structure.sign_flipped(network(he(5, 8), he(8, 3), steps=lagging)) == []


def test_a_squared_error_below_zero_is_its_negative():
    seen = network(he(5, 8), he(8, 1), steps=table(20, losses=np.linspace(-1, -9, 20)), loss=Loss(name=SQUARED))
    assert [f.certain for f in structure.sign_flipped(seen)] == [True]


def test_a_broadcast_is_certain():
    seen = network(he(5, 8), he(8, 1), experiments={"broadcast": 1.0})
    assert [f.certain for f in structure.loss_broadcast(seen)] == [True]
    seen.experiments["broadcast"] = 0.0
    assert structure.loss_broadcast(seen) == []


def test_a_constant_output_and_constant_inputs():
    x = RNG.normal(size=(6, 5)).astype("float32")
    seen = network(he(5, 8), he(8, 3))
    seen.probes = [Probe(step=i, x=x, output=np.tile([[0.1, 2.0, -1.0]], (6, 1))) for i in range(3)]
    assert causes(structure.input_ignored, seen) == [("input_ignored", "named")]
    seen.probes = [Probe(step=i, x=x, output=RNG.normal(size=(6, 3))) for i in range(3)]
    assert structure.input_ignored(seen) == []
    seen.probes = [Probe(step=i, x=0 * x, output=RNG.normal(size=(6, 3))) for i in range(3)]
    assert [f.certain for f in structure.input_ignored(seen)] == [True]


def norm_layer(**config):
    return {"class": "BatchNormalization", "name": "bn", "trainable": True, "config": config}


def test_batch_normalisation_that_trains_with_its_averages():
    mean = Variable(name="bn/moving_mean", shape=(3,), trainable=False, initial=np.zeros(3), final=np.zeros(3))
    seen = network(he(5, 8), he(8, 3), layers=[norm_layer(momentum=0.99)], steps=steps(np.ones(30)))
    seen.variables.append(mean)
    assert structure.batchnorm_mode(seen) == []
    seen.experiments = {"moving": 1.0}
    assert [f.certain for f in structure.batchnorm_mode(seen)] == [True]
    mean.final = np.ones(3)
    assert structure.batchnorm_mode(seen) == []


def test_averages_that_have_not_arrived():
    seen = network(he(5, 8), he(8, 3), layers=[norm_layer(momentum=0.9999)], steps=steps(np.ones(200)))
    seen.epochs = [{"loss": 0.4, "val_loss": 1.9}]
    assert causes(structure.batchnorm_mode, seen) == [("batchnorm_mode", "named")]
    seen.epochs = [{"loss": 0.4, "val_loss": 0.41}]
    assert structure.batchnorm_mode(seen) == []


def test_dropout_that_never_draws_or_always_does():
    drop = {"class": "Dropout", "name": "drop", "trainable": True, "config": {"rate": 0.3}}
    seen = network(he(5, 8), he(8, 3), layers=[drop], experiments={"draws": 0.0})
    assert [f.certain for f in structure.dropout_mode(seen)] == [True]
    seen.experiments = {"draws": 1.0, "draws_in_evaluation": 1.0}
    assert [f.certain for f in structure.dropout_mode(seen)] == [False]
    seen.experiments = {"draws": 1.0, "draws_in_evaluation": 0.0}
    assert structure.dropout_mode(seen) == []
    drop["config"]["rate"] = 0.0
    seen.experiments = {"draws": 0.0}
    assert structure.dropout_mode(seen) == []


def test_a_penalty_that_outweighs_the_data():
    seen = network(he(5, 8), he(8, 3), steps=steps([10.0, 5.0]), experiments={"penalty_start": 8.0})
    assert causes(structure.overwhelming_penalty, seen) == [("regularisation_overwhelms", "named")]
    seen.experiments = {"penalty_start": 0.5}
    assert structure.overwhelming_penalty(seen) == []
    kernels = [he(5, 8), he(8, 3)]
    shrunk = network(*kernels, trained=[0.05 * k for k in kernels])
    assert causes(structure.overwhelming_penalty, shrunk) == [("regularisation_overwhelms", "named")]
