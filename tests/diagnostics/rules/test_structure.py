import functools

from keras_course.diagnostics.observation import Data, Loss, Observation, Probe, Unit, Variable
from keras_course.diagnostics.rules.structure import RULES
from tests.diagnostics import typed
from tests.diagnostics.typed import RNG, net, walked

import numpy as np
import pytest

fires = functools.partial(typed.marked, RULES)


def found(rule, seen):
    return RULES[rule](seen)


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
    seen.experiments["superposition"] = float("nan")  # of inputs with gaps
    assert found("missing_nonlinearity", seen) == []
    seen.experiments["superposition"] = 0.03  # LeakyReLU(0.9)
    assert found("missing_nonlinearity", seen) == []
    assert found("missing_nonlinearity", net(1, activation="linear", experiments={"superposition": 0.0})) == []
    assert found("missing_nonlinearity", net(1, 1, activation="linear")) == [], "not tried"


# Frozen and disconnected


def test_nothing_that_can_be_trained_is_certain():
    (finding,) = found("frozen_or_disconnected", net(1, 1, experiments={"idle": 1.0}))
    assert finding.certain


def test_weights_that_were_made_trainable_behind_compile():
    seen = net(1, 1)
    seen.untaken, seen.file, seen.line = ["a/kernel", "a/bias"], "train.py", 5
    (finding,) = found("frozen_or_disconnected", seen)
    assert (finding.certain, finding.file, finding.line) == (True, "train.py", 5)
    assert finding.evidence.startswith("2 weights were made trainable behind compile, as a/kernel")
    assert finding.repair.startswith("compile the model again")


def test_kernels_that_are_no_weights_of_the_model():
    seen = net(1, 1)
    seen.untracked = [(8, 16), (16, 4)]
    (finding,) = found("frozen_or_disconnected", seen)
    assert finding.certain
    assert "2 kernels" in finding.evidence
    assert "(8, 16), (16, 4)" in finding.evidence


def test_what_is_no_number_says_nothing_of_inputs():
    seen = looks(output=lambda: np.full((8, 2), 0.5))
    for lost, fires_ in ((1, False), (60, True)):  # from which step on
        seen.steps = typed.steps(np.where(np.arange(80) < lost, 1.0, np.nan))
        assert bool(found("input_ignored", seen)) is fires_


def test_weights_without_any_gradient():
    seen = net(1, 1, steps=walked(gradient=[np.nan, 1.0], update=[0.0, 0.1]))
    (finding,) = found("frozen_or_disconnected", seen)
    assert finding.layer == "a"
    assert found("frozen_or_disconnected", net(1, 1, steps=walked())) == []
    seen.steps.loss[:] = np.nan
    assert found("frozen_or_disconnected", seen) == [], "of a loss that is no number no gradient is one"


def test_weights_that_none_of_the_units_is_made_of():
    """What is multiplied by a mask once, where the layer is built, is another tensor in each step."""
    seen = net(1, 1, steps=walked(gradient=[np.nan, 1.0], update=[0.0, 0.1]))
    for unit in seen.units:
        unit.variables = ()
    (finding,) = found("frozen_or_disconnected", seen)
    assert finding.certain


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
    """The last ones only with a loss above that of a constant: see below."""
    seen = net(1, 1, 1, 1)
    for unit in seen.units[2:] if change == "the last" else seen.units[:1] if change == "few" else seen.units[:3]:
        unit.variables = ()
    seen.layers = [{"class": "Dense", "name": "a", "config": {}}] if change == "a model" else []
    seen.alone = change != "others are trained"
    seen.steps = walked()
    text = [f.evidence for f in found("frozen_or_disconnected", seen) if "no gradient is taken" in f.evidence]
    assert [" 3 of 4 " in t for t in text] == [True] * fires_


@pytest.mark.parametrize(("end", "fires_"), [(12.0, True), (9.0, False), (None, False), (np.nan, False)])
def test_the_last_layers_without_a_gradient_by_which_the_loss_stays_above_a_constant(end, fires_):
    """Of 9.5, which is what the mean leaves of the targets; of nothing, where nobody knows them or the loss is none."""
    seen = net(1, 1, 1, 1)
    for unit in seen.units[2:]:
        unit.variables = ()
    seen.steps = walked(losses=[end or 12.0] * 40, rows=40)
    if end:
        seen.loss, seen.train = Loss(name="mean_squared_error"), Data(x=np.zeros((4, 2)), y=np.array([1.0, 2, 4, 9]))
    text = [f.evidence for f in found("frozen_or_disconnected", seen) if "no gradient is taken" in f.evidence]
    assert [" 2 of 4 layers, c first" in t for t in text] == [True] * fires_


@pytest.mark.parametrize(("layers", "trained", "fires_"), [(3, "b", True), (1, "b", False), (3, "ab", False)])
def test_layers_of_which_only_the_biases_are_trained(layers, trained, fires_):
    """One alone may be a product with a vector, which is its weights."""
    seen = net(*[1] * layers)
    for number, unit in enumerate(seen.units):
        unit.variables = (f"b{number}",)
    seen.variables = [Variable(name=f"b{number}", shape=(40,)) for number in range(layers)]
    if "a" in trained:
        seen.variables.append(Variable(name="a0", shape=(40, 40)))
        seen.units[0].variables = ("a0", "b0")
    seen.steps = walked()
    text = [f.evidence for f in found("frozen_or_disconnected", seen) if "only the biases" in f.evidence]
    assert [t.startswith("of 3 layers") for t in text] == [True] * fires_


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


def test_a_trunk_that_the_script_trained_before_is_no_fault():
    seen = net(1, 1, 1, trainable="c")
    assert fires("frozen_or_disconnected", seen) == {"frozen_or_disconnected"}
    for variable in seen.variables[:2]:
        variable.trained_before = True
    assert fires("frozen_or_disconnected", seen) == {"note: frozen_or_disconnected"}


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


@pytest.mark.parametrize("change", ["", "glorot", "trained", "trainable", "from elsewhere", "near 0", "small"])
def test_a_table_that_is_fixed_at_what_it_was_drawn_with(change):
    scale = {"from elsewhere": 4, "near 0": 0.5, "glorot": np.sqrt(6 / 44) / 0.05}.get(change, 1)
    table = RNG.uniform(-0.05, 0.05, (6 if change == "small" else 40, 4)) * scale
    seen = net(1, 1)
    seen.units.insert(0, Unit(name="words", kind="embedding", variables=("words/embeddings",)))
    seen.variables.insert(0, Variable(name="words/embeddings", shape=table.shape, layer="words", initial=table))
    seen.variables[0].trainable, seen.variables[0].trained_before = change == "trainable", change == "trained"
    assert [f.layer for f in found("frozen_or_disconnected", seen)] == ["words"] * (change in ("", "glorot"))


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


@pytest.mark.parametrize(("moved", "fires"), [(0.0, True), (1e-4, False), (2.5, False)])
def test_predictions_that_hang_on_where_words_stand_alone(moved, fires):
    seen = Observation(name="m", experiments={"words_moved": moved})
    assert ["dealt out" in f.evidence for f in found("input_ignored", seen)] == [True] * fires


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


def test_layers_with_nothing_but_normalisation_between_them():
    """What normalises by the batch bends, so that superposition does not hold."""
    seen = net(1, 1, 1, activation="linear", normalised=True, experiments={"superposition": 0.3})
    (finding,) = found("missing_nonlinearity", seen)
    assert (finding.layer, finding.certain) == ("a", False)
    seen.units[1].activation = "relu"
    assert found("missing_nonlinearity", seen) == []
    assert found("missing_nonlinearity", net(1, 1, activation="linear", normalised=True)) == [], "one hidden layer"
    assert found("missing_nonlinearity", net(1, 1, 1, activation="linear")) == [], "superposition says it of others"
    projected = net(1, 1, 1, activation="linear", normalised=True)
    projected.units[0].kind = "attention"
    assert found("missing_nonlinearity", projected) == []


@pytest.mark.parametrize(
    ("straight", "bent", "end", "fires_"),
    [
        (4.0, 2.0, 4.0, True),
        (4.0, 3.4, 4.0, False),
        (4.0, 2.0, 2.2, False),
        (9.0, 7.0, 9.4, False),
        (4.0, None, 4, False),
    ],
)
def test_a_twin_with_relu_learns_a_quarter_more(straight, bent, end, fires_):
    """Of targets of which the best constant leaves 9.5; the last of them is next to nothing learned."""
    y = np.array([1.0, 2.0, 4.0, 9.0])
    seen = net(1, 1, activation="linear", loss=Loss(name="mean_squared_error"), steps=typed.steps([end] * 40))
    seen.train = Data(x=np.zeros((4, 3)), y=y, n=4)
    seen.experiments = {"straight": straight} | ({} if bent is None else {"bent": bent})
    assert [f.certain for f in found("missing_nonlinearity", seen)] == [True] * fires_


@pytest.mark.parametrize(("bent", "fires_"), [(0.56, True), (0.61, False)])
def test_what_a_twin_learns_of_shares_lies_above_their_entropy(bent, fires_):
    """.9 and .1 in turns leave .325 of a cross-entropy whatever is said, a constant .693."""
    y = np.tile([0.9, 0.1], 20)
    seen = net(1, 1, activation="linear", loss=Loss(name="binary_crossentropy"), steps=typed.steps([0.66] * 40))
    seen.train = Data(x=np.zeros((40, 3)), y=y, n=40)
    seen.experiments = {"straight": 0.66, "bent": bent}
    assert [f.certain for f in found("missing_nonlinearity", seen)] == [True] * fires_
