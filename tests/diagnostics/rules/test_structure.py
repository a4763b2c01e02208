import functools

from keras_course.diagnostics.observation import LEFT_OVER, Data, Observation, Probe, Unit, Variable
from keras_course.diagnostics.rules.structure import RULES, kernels
from tests.diagnostics import typed
from tests.diagnostics.typed import RNG, net, walked

import numpy as np
import pytest

fires = functools.partial(typed.marked, RULES)


def found(rule, seen):
    return RULES[rule](seen)


# Weights


def alike(kernel):
    return np.repeat(kernel[:, :1], kernel.shape[1], axis=1)


def test_equal_units_that_stay_equal():
    seen = net(1, 1, 1)
    kernel = seen.variables[1]
    kernel.initial, kernel.final = alike(kernel.initial), alike(kernel.final)
    (finding,) = found("symmetric_or_zero_init", seen)
    assert (finding.layer, finding.tag, finding.step) == ("b", "weights/b/kernel", 0)
    assert finding.certain
    kernel.final = kernel.initial.copy()
    kernel.final[:, 0] += 1  # the first unit has left the others
    assert not found("symmetric_or_zero_init", seen)[0].certain
    kernel.final = kernel.initial + RNG.normal(size=kernel.shape)
    assert found("symmetric_or_zero_init", seen) == [], "a zeroed branch whose columns part"


def test_tables_of_zeros_that_stay_zero():
    seen = net(1, 1, 1)
    seen.units[0].kind = "embedding"
    seen.variables[0].initial = seen.variables[0].final = np.zeros((40, 40))
    (finding,) = found("symmetric_or_zero_init", seen)
    assert (finding.layer, finding.tag) == ("a", "weights/a/kernel")
    seen.variables[0].final = np.eye(40)
    assert found("symmetric_or_zero_init", seen) == [], "it has learned"


@pytest.mark.parametrize(
    ("gradient", "dead", "fires_"),
    [(0.0, 0.3, True), (1e-9, 0.3, False), (np.nan, 0.3, False), (0.0, 1.0, False)],
)
def test_weights_of_zeros_without_a_slope(gradient, dead, fires_):
    """As factors that are only multiplied by each other; silent units pass no signal on, and no gradient has a path."""
    seen = net(1, 1, steps=walked(gradient=[1.0, gradient]))
    seen.variables[1].initial = seen.variables[1].final = np.zeros((40, 40))
    seen.probes = [Probe(step=step, dead=np.array([dead, np.nan])) for step in range(3)]
    assert [(f.layer, f.certain) for f in found("symmetric_or_zero_init", seen)] == [("b", True)] * fires_
    seen.steps = walked(rows=7, gradient=[1.0, gradient])
    assert found("symmetric_or_zero_init", seen) == [], "of seven steps"


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


def test_sines_have_their_own_first_weights():
    assert found("init_scale", net(3, 3, 3, 1, activation="tanh"))
    assert found("init_scale", net(3, 3, 3, 1, activation="sine")) == []


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
    assert found("init_scale", seen)[0].confidence == LEFT_OVER


FRESH = {"attained_from": 10.0, "attained_last": 8.0, "attained_own": 6.0, "attained_fresh": 1.0}


@pytest.mark.parametrize(
    ("spread", "change", "fires_"),
    [
        (2, {}, True),
        (0.5, {}, True),
        (1.4, {}, False),  # nothing is off
        (2, {"attained_own": 3.0}, False),  # the first weights of the script are about as good
        (2, {"attained_last": 1.5}, False),  # and so is the script
    ],
)
def test_a_trial_tells_first_weights_where_nobody_knows_the_loss(spread, change, fires_):
    ends = walked(rows=40, losses=[10.0] * 40)
    for normalised in (True, False):
        seen = net(1, spread, 1, normalised=normalised, experiments=FRESH | change, steps=ends)
        assert [(f.layer, f.confidence) for f in found("init_scale", seen)] == [("b", 0.7)] * fires_


def test_a_trial_tells_units_that_start_alike_and_part_where_nobody_knows_the_loss():
    for tried, fires_ in ((FRESH, True), (FRESH | {"attained_own": 2.0}, False)):
        seen = net(1, 1, 1, experiments=tried, steps=walked(rows=40, losses=[10.0] * 40))
        kernel = seen.variables[1]
        kernel.initial = alike(kernel.initial)
        findings = found("symmetric_or_zero_init", seen)
        assert [(f.layer, f.certain, "drawn anew" in f.evidence) for f in findings] == [("b", False, True)] * fires_
        kernel.initial[:, :5] = kernel.final[:, :5]
        assert found("symmetric_or_zero_init", seen) == [], "some start apart"


@pytest.mark.parametrize(("shape", "fires_"), [((2, 24), False), ((24, 24), True)])
def test_weights_that_are_used_again_count_again_only_where_they_can_meet_what_they_gave(shape, fires_):
    """As those of a recurrence by hand: 1.8 times Glorot's spread, in each of eight steps."""
    kernel = (RNG.normal(size=shape) * 1.8 * np.sqrt(2 / sum(shape))).astype("float32")
    seen = net(1, 1)
    seen.variables.append(Variable(name="w", shape=shape, layer="w", initial=kernel, final=kernel))
    again = [Unit(name=f"w_{i}", kind="dense", activation="tanh", variables=("w",)) for i in range(8)]
    seen.units = [*again, *seen.units]
    assert ["of 1 layers" in f.evidence for f in found("init_scale", seen)] == [True] * fires_


@pytest.mark.parametrize(("spread", "kind", "fires_"), [(12.0, "recurrent", True), (5.0, "recurrent", False),
                                                        (12.0, "embedding", False)])  # fmt: skip
def test_first_weights_of_a_recurrent_layer_that_are_beyond_any_default(spread, kind, fires_):
    seen = net(1, 1)
    kernel = (RNG.normal(size=(5, 30)) * spread * np.sqrt(2 / 35)).astype("float32")
    seen.variables.append(Variable(name="gru/cell/kernel", shape=(5, 30), layer="gru/cell", initial=kernel))
    seen.units = [Unit(name="gru", kind=kind, variables=("gru/cell/kernel",)), *seen.units]
    assert [f.layer for f in found("init_scale", seen)] == ["gru/cell"] * fires_


def test_one_column_of_zeros_is_a_linear_part_and_no_scale():
    """As of a factorisation machine, beside its factors."""
    for shape, fires_ in (((40, 1), False), ((40, 40), True)):
        seen = net(1, 1)
        seen.variables[0].shape = shape
        seen.variables[0].initial = np.zeros(shape, "float32")
        assert [f.layer for f in found("init_scale", seen)] == ["a"] * fires_


def test_scale_is_sure_where_the_signal_is_gone():
    assert found("init_scale", net(0.01, 0.005, 1))[0].confidence > 0.9


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
    (sure,) = found("missing_nonlinearity", seen)
    seen.steps = typed.steps([1.0, 9.0, float("nan")])
    (blown,) = found("missing_nonlinearity", seen)
    assert sure.certain
    assert sure.confidence > 0.9 > 0.6 > blown.confidence, "linear layers do not blow up by themselves"
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


def test_a_part_that_feeds_the_loss_and_gets_no_gradient_is_certain_unless_it_was_trained_elsewhere():
    def cut(*spreads, **more):
        return net(*spreads, steps=walked(v=len(spreads), gradient=[np.nan] + [1.0] * (len(spreads) - 1)), **more)

    certain = lambda seen: found("frozen_or_disconnected", seen)[0].certain  # noqa: E731 - one expression
    assert certain(cut(1, 1, 1))
    assert not certain(cut(1, 1, 1, 1, 1)), "a fifth of the weights"
    assert not certain(cut(2, 1, 1)), "far from a fresh start"
    assert not certain(cut(1, 1, 1, normalised=True))
    trunk, elsewhere = cut(1, 1, 1), cut(1, 1, 1)
    trunk.variables[0].trained_before = True
    assert not certain(trunk)
    elsewhere.units = elsewhere.units[1:]
    assert not certain(elsewhere), "it does not feed the loss"


def test_a_loss_that_no_gradient_leads_to_is_certain():
    (finding,) = found("frozen_or_disconnected", net(1, 1, experiments={"disconnected": 1.0}, file="a.py", line=7))
    assert (finding.certain, finding.file, finding.line) == (True, "a.py", 7)


def test_weights_that_the_optimiser_was_not_given():
    (finding,) = found("frozen_or_disconnected", net(1, 1, steps=walked(update=[0.1, 0.0])))
    assert (finding.layer, finding.tag) == ("b", "update_ratio/b")
    tiny = walked(update=[1e-8, 0.0])  # a rate so low that the rounding of the weights takes all of it
    assert found("frozen_or_disconnected", net(1, 1, steps=tiny)) == []
    for none in (0, 1e-8):  # what has faded moves nothing either
        assert found("frozen_or_disconnected", net(1, 1, steps=walked(update=[0.1, 0.0], gradient=[1, none]))) == []


@pytest.mark.parametrize(
    ("change", "fires_"),
    [("", True), ("a model", False), ("others are trained", False), ("few", False), ("the last", False)],
)
def test_layers_of_plain_variables_that_no_gradient_is_taken_by(change, fires_):
    seen = net(1, 1, 1, 1)
    for unit in seen.units[2:] if change == "the last" else seen.units[:1] if change == "few" else seen.units[:3]:
        unit.variables = ()
    seen.layers = [{"class": "Dense", "name": "a", "config": {}}] if change == "a model" else []
    seen.alone = change != "others are trained"
    seen.steps = walked()
    text = [f.evidence for f in found("frozen_or_disconnected", seen) if "given to no gradient" in f.evidence]
    assert [" 3 of 4 " in t for t in text] == [True] * fires_


def test_first_weights_that_drawn_anew_do_no_better_are_named_last():
    seen = net(0.2, 0.2, 1)
    (untried,) = found("init_scale", seen)
    seen.experiments = {"end_fresh": 1.0, "end_same": 1.0}
    (tried,) = found("init_scale", seen)
    assert untried.confidence > LEFT_OVER == tried.confidence


@pytest.mark.parametrize(("factor", "fires_"), [(1.0, True), (0.5, False), (1.3, False)])
@pytest.mark.parametrize("spread", ["even", "normal", "signs"])
def test_a_frozen_body_that_is_as_keras_draws_it_is_surer(factor, fires_, spread):
    """Of three layers two are fixed; those of a training leave the limit, others keep away from it."""
    seen, limit = net(1, 1, 1, trainable="c"), np.sqrt(6 / 80)
    for variable in seen.variables[:2]:
        even, normal = RNG.uniform(-limit, limit, (40, 40)), RNG.normal(0, limit / 1.73, (40, 40))
        variable.initial = factor * {"even": even, "normal": normal, "signs": limit * np.sign(even)}[spread]
        variable.shape = (40, 40)
    (finding,) = found("frozen_or_disconnected", seen)
    assert (finding.confidence == 0.8) == ("what Keras draws" in finding.evidence) == (fires_ and spread == "even")


def test_a_frozen_head_is_named_and_a_frozen_trunk_a_note():
    assert fires("frozen_or_disconnected", net(1, 1, trainable="a")) == {"frozen_or_disconnected"}
    for alone, before in ((True, False), (False, False), (True, True)):
        judged = net(1, 1, trainable="a", alone=alone)
        judged.variables[-1].trained_before = before
        certain = [f.certain for f in found("frozen_or_disconnected", judged)]
        assert certain == [alone and not before], "the head may be another network, that judges"
    trunk = net(2, 2, 1, trainable="c")  # weights far from a fresh start: they were trained before
    assert fires("frozen_or_disconnected", trunk) == {"note: frozen_or_disconnected"}
    assert fires("frozen_or_disconnected", net(1, 1, 1, trainable="c")) == {"frozen_or_disconnected"}


@pytest.mark.parametrize("change", ["", "trained", "trainable", "from elsewhere", "near 0", "small"])
def test_a_table_that_is_fixed_at_what_it_was_drawn_with(change):
    table = RNG.uniform(-0.05, 0.05, (6 if change == "small" else 40, 4)) * {"from elsewhere": 4, "near 0": 0.5}.get(
        change, 1
    )
    seen = net(1, 1)
    seen.units.insert(0, Unit(name="words", kind="embedding", variables=("words/embeddings",)))
    seen.variables.insert(0, Variable(name="words/embeddings", shape=table.shape, layer="words", initial=table))
    seen.variables[0].trainable, seen.variables[0].trained_before = change == "trainable", change == "trained"
    assert [f.layer for f in found("frozen_or_disconnected", seen)] == ["words"] * (not change)


# Inputs


def looks(x=None, output=None, count=4):
    probes = [
        Probe(step=i, x=RNG.normal(size=(8, 3)) if x is None else x, output=None if output is None else output())
        for i in range(count)
    ]
    return net(1, 1, probes=probes)


def test_inputs_and_outputs_that_are_all_the_same():
    assert found("input_ignored", looks(x=np.full((8, 3), 0.5)))[0].certain
    for y, certain in ((np.arange(8), True), (np.full(8, 2), False)):  # one row, to be reconstructed
        seen = looks(x=np.full((8, 3), 0.5))
        for probe in seen.probes:
            probe.y = y
        assert found("input_ignored", seen)[0].certain is certain
    assert found("input_ignored", looks(x=np.full((8, 3), 0.5), count=2)) == [], "two looks are too few"
    assert found("input_ignored", looks(x=np.zeros((8, 3), int)))[0].certain
    assert found("input_ignored", looks(x=np.tile(np.arange(3), (8, 1)))) == [], "places that are counted"
    assert found("input_ignored", looks(x=np.full((8, 3), "a"))) == []
    flat = looks(output=lambda: np.full((8, 2), 0.3) + 1e-9 * RNG.normal(size=(8, 2)))
    assert fires("input_ignored", flat) == {"input_ignored"}
    assert found("input_ignored", looks(output=lambda: RNG.normal(size=(8, 2)))) == []
    first = looks(output=lambda: RNG.normal(size=(8, 2)))
    first.probes[0].output = np.zeros((8, 2))  # the first step from a zero head
    assert found("input_ignored", first) == []
    for noise, fires_ in ((3e-6, True), (3e-5, False)):  # of one look, whose prediction is near 0
        near = looks(output=lambda: np.full((8, 2), 0.3))
        near.probes[-2].output = 0.3 + noise * RNG.choice([-0.3, 0.3], (8, 2))
        assert bool(found("input_ignored", near)) is fires_
        near.probes[-1].output = 0.3 + 3e-6 * RNG.choice([-0.3, 0.3], (8, 2))
        assert found("input_ignored", near) == [], "two of three"


@pytest.mark.parametrize("used", [True, False])
def test_an_input_that_nothing_takes(used):
    seen = net(1, 1)
    seen.layers = [{"class": "InputLayer", "name": name, "used": used or name == "a"} for name in ("a", "b")]
    assert [(f.layer, f.certain) for f in found("input_ignored", seen)] == ([] if used else [("b", True)])


@pytest.mark.parametrize(
    ("dead", "spread", "head", "sure"),
    [
        ([0.2, np.nan], [1.0, 1.0], "linear", True),
        ([1.0, np.nan], [0.0, 0.0], "linear", False),  # it is the silent layer that makes the constant
        ([np.nan, 1.0], [0.0, 0.0], "linear", True),  # which is given nothing
        ([np.nan, 1.0], [1.0, 0.0], "linear", False),
        ([0.2, np.nan], [1.0, 1.0], "softmax", False),  # which may be at its end
    ],
)
def test_inputs_that_are_lost_from_the_first_step_on(dead, spread, head, sure):
    seen = looks(output=lambda: np.full((8, 2), 0.3))
    seen.head = head
    for probe in seen.probes:
        probe.dead, probe.spread = np.array(dead), np.array(spread)
    assert (found("input_ignored", seen)[0].confidence > 0.9) is sure
    for flat in (1.0, 0.9):  # a layer of sigmoids, which then makes the constant as well
        seen.probes[0].saturated = np.array([flat, np.nan])
        assert (found("input_ignored", seen)[0].confidence > 0.9) is (sure and flat < 1)
    seen.probes[0].saturated = None
    seen.variables[-1].initial[:] = 0  # a zero head
    assert found("input_ignored", seen)[0].confidence < 0.9
    seen.variables[-1].initial[:] = 1
    seen.probes[0].output = RNG.normal(size=(8, 2))
    assert found("input_ignored", seen)[0].confidence < 0.9, "it was lost later"


@pytest.mark.parametrize(
    ("gradient", "sure"), [([1e-9, 1e-6, 1e-3, 1.0], False), ([0.1, 0.3, 0.5, 1.0], True), ([0, 0.3, 0.5, 1.0], True)]
)
def test_a_signal_that_fades_from_layer_to_layer_is_not_lost(gradient, sure):
    seen = looks(output=lambda: np.full((8, 2), 0.3))
    seen.head = "linear"
    for probe in seen.probes:
        probe.dead, probe.spread, probe.gradient = np.full(4, np.nan), np.ones(4), np.array(gradient)
    assert (found("input_ignored", seen)[0].confidence > 0.9) is sure


def test_texts_of_unknown_words_alone():
    def seen(words, kind="embedding", stored=True):
        padded = np.zeros((50, 9), int)
        for i, row in enumerate(padded):
            row[: 3 + i % 6] = words[: 3 + i % 6]
        units = [Unit(name="e", kind=kind), Unit(name="d", kind="dense")]
        if stored:
            return Observation(name="m", units=units, train=Data(x=padded, y=np.arange(50) % 2))
        return Observation(name="m", units=units, probes=[Probe(step=0, x=padded, y=np.arange(50) % 2)])

    assert fires("input_ignored", seen([1] * 9)) == {"input_ignored"}
    assert fires("input_ignored", seen([1] * 9, stored=False)) == {"input_ignored"}, "of the looks"
    assert found("input_ignored", seen([1, 2, 1, 1, 2, 1, 1, 1, 1])) == []
    assert found("input_ignored", seen([1] * 9, kind="dense")) == []


def test_an_empty_observation_is_judged_by_nothing():
    assert [f for rule in RULES.values() for f in rule(Observation(name="m"))] == []


def test_weights_without_a_gradient_are_certain_where_the_accuracy_is_that_of_chance():
    seen = net(1, 1, steps=walked(gradient=[np.nan, 1.0], update=[0.0, 0.1]), epochs=[{"acc": 0.26}])
    seen.variables[0].trained_before = True
    assert not found("frozen_or_disconnected", seen)[0].certain
    seen.train = Data(x=np.zeros((400, 2)), y=np.arange(400) % 4)
    assert found("frozen_or_disconnected", seen)[0].certain


def test_rows_that_enter_alike():
    rows = np.round(RNG.random((24, 100)) ** 400).astype("float32") * 7  # mostly zeros
    seen = net(1, 1)
    for number, (x, fires_) in enumerate(((rows, True), (RNG.random((24, 100)), False), (rows > 0, False))):
        seen.probes = [Probe(step=i, x=np.asarray(x, "float32")) for i in range(4)]
        assert ("input_ignored" in fires("input_ignored", seen)) == fires_, number
