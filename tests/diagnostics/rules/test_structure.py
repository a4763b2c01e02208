from keras_course.diagnostics.observation import Data, Loss, Observation, Plan, Probe, Unit, Variable
from keras_course.diagnostics.rules.structure import RULES, kernels
from tests.diagnostics.typed import BINARY, SQUARED, named, steps

import numpy as np
import pytest

RNG = np.random.default_rng(7)


def net(*spreads, activation="relu", width=40, final=None, normalised=False, trainable=True, **more):
    """Dense layers a, b, ... whose first weights have these spreads against He's; the last one is the head."""
    units, variables = [], []
    for i, spread in enumerate(spreads):
        name, head = "abcdefgh"[i], i == len(spreads) - 1
        first = (RNG.normal(size=(width, width)) * spread * np.sqrt(2 / width)).astype("float32")
        last = first + 0.01 * RNG.normal(size=first.shape) if final is None else final(first)
        variables.append(
            Variable(name=f"{name}/kernel", shape=first.shape, layer=name, initial=first, final=last,
                     trainable=trainable if isinstance(trainable, bool) else name in trainable)
        )  # fmt: skip
        units.append(
            Unit(name=name, kind="dense", activation="linear" if head else activation, variables=(f"{name}/kernel",),
                 normalised=normalised)
        )  # fmt: skip
    return Observation(name="m", units=units, variables=variables, **more)


def found(rule, seen):
    return RULES[rule](seen)


def fires(rule, seen):
    causes, notes = named({rule: RULES[rule]}, seen)
    return causes | {f"note: {cause}" for cause in notes}


def walked(rows=12, v=2, *, update=0.1, gradient=1.0, aligned=-1.0, losses=None):
    """Steps of `v` variables; what is given may be a number or one for each variable."""
    made = steps(np.linspace(2, 1, rows) if losses is None else losses)
    for name, value in (("update", update), ("gradient", gradient), ("aligned", aligned)):
        table = np.tile(np.broadcast_to(np.float64(value), (v,)), (rows, 1))
        setattr(made, name, table)
    made.update[-1] = made.aligned[-1] = np.nan  # what the last step changed nobody has seen
    made.weight = np.ones((rows, v))
    return made


# Weights


def alike(kernel):
    return np.repeat(kernel[:, :1], kernel.shape[1], axis=1)


def test_equal_units_that_stay_equal():
    seen = net(1, 1, 1)
    kernel = seen.variables[1]
    kernel.initial, kernel.final = alike(kernel.initial), alike(kernel.final)
    (finding,) = found("symmetric_or_zero_init", seen)
    assert (finding.layer, finding.tag, finding.step) == ("b", "weights/b/kernel", 0)
    kernel.final = kernel.initial + RNG.normal(size=kernel.shape)
    assert found("symmetric_or_zero_init", seen) == [], "a zeroed branch whose columns part"


def test_a_zero_head_is_no_symmetry():
    seen = net(1, 1)
    seen.variables[1].initial = seen.variables[1].final = np.zeros((40, 40))
    assert found("symmetric_or_zero_init", seen) == []


@pytest.mark.parametrize(
    ("spreads", "fires_"),
    [
        ((1, 1, 1, 1, 1), False),
        ((3, 3, 3, 1), True),
        ((1 / 3, 1 / 3, 1 / 3, 1), True),
        ((1.4, 1.4, 1.4, 1.4, 1.4, 1.4, 1.4, 1), False),  # each within 1.5 of its own rule
        ((5, 1, 1), False),  # a single layer: 5 in all, below 8
        ((1, 1, 99), False),  # the head sets no signal of the hidden layers
    ],
)
def test_first_weights_that_blow_the_signal_up_or_fade_it(spreads, fires_):
    assert bool(found("init_scale", net(*spreads))) == fires_
    assert found("init_scale", net(*spreads, normalised=True)) == []


def test_a_default_does_not_make_up_for_a_layer_that_is_off():
    seen = net(1, 1, 10, 1)
    seen.variables[0].shape = (10, 90)  # where Glorot's spread is a third of He's
    seen.variables[0].initial = RNG.normal(size=(10, 90)) * np.sqrt(2 / 100)
    (finding,) = found("init_scale", seen)
    assert "the first weights of 1 layers" in finding.evidence
    assert finding.layer == "c"


def test_a_trunk_that_the_script_trained_before_is_no_fault():
    seen = net(1, 1, 1, trainable="c")
    assert fires("frozen_or_disconnected", seen) == {"frozen_or_disconnected"}
    for variable in seen.variables[:2]:
        variable.trained_before = True
    assert fires("frozen_or_disconnected", seen) == {"note: frozen_or_disconnected"}


def test_less_is_off_where_fresh_weights_repair():
    seen = net(1, 4, 1)
    assert found("init_scale", seen) == []
    seen.experiments = {"end_fresh": 0.5, "end_same": 2.0}
    assert len(found("init_scale", seen)) == 1


def test_scale_is_surer_when_a_fresh_start_repairs():
    seen = net(4, 2, 3, 1)
    (finding,) = found("init_scale", seen)
    assert (finding.layer, finding.confidence) == ("a", 0.5)
    seen.experiments = {"end_fresh": 0.5, "end_same": 2.0}
    assert found("init_scale", seen)[0].confidence > 0.9
    seen.experiments = {"end_fresh": 1.9, "end_same": 2.0}
    assert found("init_scale", seen)[0].confidence == 0.5


def test_gains_are_glorots_where_nothing_rectifies():
    from keras_course.diagnostics.rules.structure import gain_of

    glorot = (RNG.normal(size=(300, 100)) * np.sqrt(2 / 400)).astype("float32")
    kernel = Variable(name="k", shape=(300, 100), initial=glorot)
    assert gain_of(Unit(name="a", kind="dense", activation="tanh"), kernel) == pytest.approx(1, rel=0.02)
    assert gain_of(Unit(name="a", kind="dense", activation="relu"), kernel) == pytest.approx(0.866, rel=0.02)
    filters = Variable(name="k", shape=(3, 3, 8, 16), initial=np.full((3, 3, 8, 16), np.sqrt(2 / 72)))
    assert gain_of(Unit(name="c", kind="conv", activation="relu"), filters) == pytest.approx(1)


def test_layers_that_are_one_linear_map():
    seen = net(1, 1, activation="linear", experiments={"superposition": 2e-7})
    (finding,) = found("missing_nonlinearity", seen)
    assert (finding.layer, finding.certain) == ("a", False)
    seen.experiments["bent_gain"] = 0.3
    assert found("missing_nonlinearity", seen)[0].certain
    seen.experiments["superposition"] = 0.03  # LeakyReLU(0.9)
    assert found("missing_nonlinearity", seen) == []
    assert found("missing_nonlinearity", net(1, activation="linear", experiments={"superposition": 0.0})) == []
    assert found("missing_nonlinearity", net(1, 1, activation="linear")) == [], "not tried"


def test_embeddings_are_no_kernels():
    seen = net(1, 1)
    seen.units[0].kind = "embedding"
    assert [unit.name for unit, _ in kernels(seen)] == ["b"]


# Frozen and disconnected


def test_nothing_that_can_be_trained_is_certain():
    (finding,) = found("frozen_or_disconnected", net(1, 1, experiments={"idle": 1.0}))
    assert finding.certain


def test_weights_without_any_gradient():
    seen = net(1, 1, steps=walked(gradient=[np.nan, 1.0], update=[0.0, 0.1]))
    (finding,) = found("frozen_or_disconnected", seen)
    assert finding.layer == "a"
    assert found("frozen_or_disconnected", net(1, 1, steps=walked())) == []
    seen.steps.loss[:] = np.nan
    assert found("frozen_or_disconnected", seen) == [], "of a loss that is no number no gradient is one"


def test_a_loss_that_no_gradient_leads_to_is_certain():
    (finding,) = found("frozen_or_disconnected", net(1, 1, experiments={"disconnected": 1.0}, file="a.py", line=7))
    assert (finding.certain, finding.file, finding.line) == (True, "a.py", 7)


def test_weights_that_the_optimiser_was_not_given():
    (finding,) = found("frozen_or_disconnected", net(1, 1, steps=walked(update=[0.1, 0.0])))
    assert (finding.layer, finding.tag) == ("b", "update_ratio/b")
    assert found("frozen_or_disconnected", net(1, 1, steps=walked(update=[0.1, 0.0], gradient=[1, 0]))) == []


def test_a_frozen_head_is_named_and_a_frozen_trunk_a_note():
    assert fires("frozen_or_disconnected", net(1, 1, trainable="a")) == {"frozen_or_disconnected"}
    trunk = net(2, 2, 1, trainable="c")  # weights far from a fresh start: they were trained before
    assert fires("frozen_or_disconnected", trunk) == {"note: frozen_or_disconnected"}
    assert fires("frozen_or_disconnected", net(1, 1, 1, trainable="c")) == {"frozen_or_disconnected"}


# Steps


def test_steps_that_change_nothing():
    (finding,) = found("optimiser_not_applied", net(1, 1, steps=walked(update=0.0)))
    assert (finding.cause, finding.certain) == ("optimiser_not_applied", True)
    assert found("optimiser_not_applied", net(1, 1, steps=walked(rows=3, update=0.0))) == [], "two seen changes"
    assert found("optimiser_not_applied", net(1, 1, steps=walked(update=0.0, gradient=0.0))) == []
    summed = walked(update=0.0)
    summed.update[7] = 0.1  # gradients are summed over eight steps
    assert found("optimiser_not_applied", net(1, 1, steps=summed)) == []


def test_a_rate_of_0_is_the_rates_fault():
    seen = net(1, 1, steps=walked(update=0.0))
    seen.optimizer.rate = 0.0
    assert fires("optimiser_not_applied", seen) == {"learning_rate_too_low"}


def test_steps_uphill():
    assert fires("gradient_sign_flipped", net(1, 1, steps=walked(aligned=0.9))) == {"gradient_sign_flipped"}
    assert found("gradient_sign_flipped", net(1, 1, steps=walked(aligned=-0.9))) == []
    assert found("gradient_sign_flipped", net(1, 1, steps=walked(rows=8, aligned=0.3))) == [], "seven are too few"
    wild = walked(rows=40, aligned=-0.5)
    wild.aligned[::4] = 0.9  # a momentum that overshoots now and then
    assert found("gradient_sign_flipped", net(1, 1, steps=wild)) == []
    lagging = walked(update=[1.0, 0.01], aligned=[-0.5, 0.9])  # the sum over variables counts
    assert found("gradient_sign_flipped", net(1, 1, steps=lagging)) == []


def test_a_squared_error_below_0_has_its_sign_flipped():
    seen = net(1, 1, steps=walked(losses=np.linspace(-1, -9, 12)), loss=Loss(name=SQUARED))
    (finding,) = found("gradient_sign_flipped", seen)
    assert finding.certain
    seen.loss = Loss(name="")
    assert found("gradient_sign_flipped", seen) == [], "a loss of one's own may be anything"


def test_a_binary_loss_of_targets_beyond_1_may_be_below_0():
    seen = net(1, 1, steps=walked(losses=np.linspace(-1, -9, 12)), loss=Loss(name=BINARY))
    for beyond in ([0.0, 255.0], [0, 9], [-1, 1]):
        seen.stream = [np.array(beyond)]
        assert found("gradient_sign_flipped", seen) == []
    seen.stream = [np.array([0.0, 1.0])]
    assert found("gradient_sign_flipped", seen)


def test_differences_of_everything_with_everything():
    assert found("loss_broadcast", net(1, 1, experiments={"broadcast": 1.0}))[0].certain
    assert found("loss_broadcast", net(1, 1, experiments={"broadcast": 0.0})) == []
    assert found("loss_broadcast", net(1, 1)) == []


def looks(x=None, output=None, count=4):
    probes = [
        Probe(step=i, x=RNG.normal(size=(8, 3)) if x is None else x, output=None if output is None else output())
        for i in range(count)
    ]
    return net(1, 1, probes=probes)


def test_inputs_and_outputs_that_are_all_the_same():
    assert found("input_ignored", looks(x=np.full((8, 3), 0.5)))[0].certain
    assert found("input_ignored", looks(x=np.full((8, 3), 0.5), count=2)) == [], "two looks are too few"
    flat = looks(output=lambda: np.full((8, 2), 0.3) + 1e-9 * RNG.normal(size=(8, 2)))
    assert fires("input_ignored", flat) == {"input_ignored"}
    assert found("input_ignored", looks(output=lambda: RNG.normal(size=(8, 2)))) == []
    first = looks(output=lambda: RNG.normal(size=(8, 2)))
    first.probes[0].output = np.zeros((8, 2))  # the first step from a zero head
    assert found("input_ignored", first) == []


def test_texts_of_unknown_words_alone():
    def seen(words, kind="embedding"):
        padded = np.zeros((50, 9), int)
        for i, row in enumerate(padded):
            row[: 3 + i % 6] = words[: 3 + i % 6]
        units = [Unit(name="e", kind=kind), Unit(name="d", kind="dense")]
        return Observation(name="m", units=units, train=Data(x=padded, y=np.arange(50) % 2))

    assert fires("input_ignored", seen([1] * 9)) == {"input_ignored"}
    assert found("input_ignored", seen([1, 2, 1, 1, 2, 1, 1, 1, 1])) == []
    assert found("input_ignored", seen([1] * 9, kind="dense")) == []


# Modes and penalties


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


def test_weights_that_a_penalty_has_shrunk():
    assert found("regularisation_overwhelms", net(1, 1, steps=walked(), final=lambda w: 0.05 * w))
    assert found("regularisation_overwhelms", net(1, 1, steps=walked(), final=lambda w: 0.5 * w)) == []


def test_dropout_that_leaves_next_to_nothing():
    assert found("regularisation_overwhelms", dropping(0.9, 1.0, steps=walked()))
    assert found("regularisation_overwhelms", dropping(0.5, 1.0, steps=walked())) == []


def test_an_empty_observation_is_judged_by_nothing():
    assert [f for rule in RULES.values() for f in rule(Observation(name="m"))] == []
