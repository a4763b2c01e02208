from keras_course.check import Mutant, points, same

import numpy as np

RNG = np.random.default_rng(0)
X = RNG.uniform(size=(5, 4, 4, 1)).astype("float32")
X[0, 0, 0, 0] = 1.0
SPARSE, DENSE = "sparse_categorical_crossentropy", "categorical_crossentropy"


def drawn(trials, most_filters, most_units):
    """Configurations that a random search draws, each with the names that were active."""
    import tempfile

    from assignments.training.tuner_search import declare

    import keras_tuner

    space = keras_tuner.HyperParameters()
    declare(space, most_filters, most_units)
    oracle = keras_tuner.oracles.RandomSearchOracle(
        objective=keras_tuner.Objective("accuracy", "max"), max_trials=trials, hyperparameters=space, seed=1
    )
    oracle.verbose = 0
    found = []
    with tempfile.TemporaryDirectory() as folder:
        oracle._set_project_dir(folder, "search")
        for number in range(trials):  # each to a worker of its own, so that none has to end
            hp = oracle.create_trial(f"tuner{number}").hyperparameters
            configuration = dict(declare(hp, most_filters, most_units))
            configuration["active"] = sorted(hp.values)
            found.append(configuration)
    return found


def of_space(name):
    """What is said of a space."""
    from assignments.training.tuner_search import declare, faults_of_space

    import keras_tuner

    space = keras_tuner.HyperParameters()
    if name == "that of the assignment":
        declare(space, 32, 64)
    else:
        space.Float("dropout", 0.0, 0.0)
        space.Float("free", 0.0, 0.5)
        space.Choice("activation", ["relu"])
        space.Choice("pooling", ["max", "mean"])
        space.Int("units", 8, 8)
        space.Float("learning_rate", 1e-5, 1e-1)
        space.Float("decay", 1e-5, 1e-1, sampling="log")
        space.Float("momentum", 0.5, 0.99)
    return dict(faults_of_space(space))


def of_data(x, y, loss):
    from assignments.training.tuner_search import faults_of_data

    return list(faults_of_data(x, y, loss))


def searched(method, budget, epochs):
    """The trials of a search in which nothing is trained, and what `evaluate` was asked."""
    import tempfile
    import types

    from assignments.training.tuner_search import declare, oracle_of, search

    import keras_tuner

    space = keras_tuner.HyperParameters()
    declare(space, 32, 64)
    asked = []

    def evaluate(hp, more, before):
        rate = hp.values["learning_rate"]
        trained = more + (before[1] if before else 0)
        if before:
            assert before[0] == rate, "the training of another configuration is gone on with"
        asked.append([rate, more, trained])
        return 50 * rate + 0.001 * trained, (rate, trained)

    settings = types.SimpleNamespace(seed=0, epochs=epochs, trials=budget // epochs)
    with tempfile.TemporaryDirectory() as folder:
        oracle = oracle_of(method, space, settings, folder)
        found = search(oracle, evaluate, epochs=epochs, budget=budget)
        told = [oracle.trials[trial["id"]].score for trial in found]
    return {
        "spent": [int(trial["epochs"]) for trial in found],
        "accuracies": [float(trial["accuracy"]) for trial in found],
        "told": [float(score) for score in told],
        "asked": asked,
    }


def through_a_file():
    """Accuracies of a network before and after it was kept in a file."""
    import types

    from assignments.training.tuner_search import reloaded
    from keras_course import models

    import numpy as np

    rng = np.random.default_rng(0)
    test = (rng.random((40, 8, 8, 1), dtype="float32"), rng.integers(0, 3, 40))
    model = models.cnn((8, 8, 1), 3, filters=(3,), dense=(4,))
    return reloaded(model, types.SimpleNamespace(test=test))


@points(3)
def test_every_trial_lies_inside_the_bounds(subject):
    """1 to 5 convolutions, 0 to 5 dense layers, filters and units within bounds, rates from .001 to .01."""
    found = subject(drawn, trials=80, most_filters=64, most_units=256)
    for c in found:
        assert 1 <= len(c["filters"]) <= 5, c
        assert 0 <= len(c["dense"]) <= 5, c
        assert set(c["filters"]) <= {8, 16, 32, 64}, c
        assert set(c["dense"]) <= {8, 16, 32, 64, 128, 256}, c
        assert 1 <= c["pools"] <= min(2, len(c["filters"])), c
        assert 0.001 <= c["learning_rate"] <= 0.01, c
    for count, what in ((5, "filters"), (6, "dense")):
        same(len({len(c[what]) for c in found}), count, what=f"numbers of layers that were drawn of {what}")


@points(2)
def test_the_dropout_is_searched_and_not_0_throughout(subject):
    """The dropout takes the values 0, .125 … .5."""
    found = {round(c["dropout"], 6) for c in subject(drawn, trials=80, most_filters=64, most_units=256)}
    same(sorted(found), [0.0, 0.125, 0.25, 0.375, 0.5])


@points(2)
def test_sizes_of_layers_that_a_network_has_not_are_not_in_its_trial(subject):
    for c in subject(drawn, trials=30, most_filters=32, most_units=32):
        for count, name in ((len(c["filters"]), "filters_"), (len(c["dense"]), "units_")):
            active = [key for key in c["active"] if key.startswith(name)]
            same(active, [f"{name}{i}" for i in range(count)])


def test_rates_are_drawn_by_their_logarithm(subject):
    rates = [c["learning_rate"] for c in subject(drawn, trials=200, most_filters=64, most_units=64)]
    share = sum(rate < 0.001 * 10**0.5 for rate in rates) / len(rates)
    assert 0.36 < share < 0.64, f"{share:.2f} of the rates lie below the geometric middle of .001 and .01"


@points(2)
def test_a_range_of_one_value_and_a_linear_range_of_decades_are_found(subject):
    """Dropout 0 to 0 is "one value"; a learning rate linear from 1e-5 to 1e-1 is "linear over decades"."""
    expected = {"dropout": "one value", "activation": "one value", "units": "one value"}
    same(subject(of_space, name="faulty"), expected | {"learning_rate": "linear over decades"})
    same(subject(of_space, name="that of the assignment"), {})


@points(2)
def test_pixels_divided_by_255_twice_or_never_are_found(subject):
    """The largest pixel says how often it was divided by 255."""
    labels = np.array([0, 1, 2, 1, 0])
    same(subject(of_data, x=X, y=labels, loss=SPARSE), [])
    same(subject(of_data, x=X / 255, y=labels, loss=SPARSE), ["divided by 255 twice"])
    same(subject(of_data, x=X * 255, y=labels, loss=SPARSE), ["not divided by 255"])


@points(2)
def test_labels_that_do_not_fit_the_loss_are_found(subject):
    """One-hot labels with a sparse loss, and class numbers with the other, are named; the right pairs are not."""
    labels = np.array([0, 1, 2, 1, 0])
    one_hot = np.eye(3)[labels]
    same(subject(of_data, x=X, y=one_hot, loss=SPARSE), ["one-hot labels with a sparse loss"])
    same(subject(of_data, x=X, y=labels, loss=DENSE), ["class numbers with a loss of one-hot labels"])
    same(subject(of_data, x=X, y=one_hot, loss=DENSE), [])
    same(len(subject(of_data, x=X / 255, y=one_hot, loss=SPARSE)), 2)


@points(2)
def test_every_method_keeps_to_the_same_budget(subject):
    """No search spends more epochs than the budget; those without brackets spend all of it."""
    for method in ("random", "bayesian", "hyperband"):
        found = subject(searched, method=method, budget=31, epochs=9)
        assert sum(found["spent"]) <= 31, f"{method} spent {sum(found['spent'])} of 31 epochs"
        same([more for _, more, _ in found["asked"]], found["spent"], what=f"{method}, what was trained and paid")
        if method != "hyperband":
            same(found["spent"], [9, 9, 9])


@points(2)
def test_hyperband_goes_on_with_its_survivors_and_pays_for_what_it_adds(subject):
    """A configuration that survives from 1 epoch to 3 trains 2 more, from the weights that it had."""
    found = subject(searched, method="hyperband", budget=60, epochs=9)
    totals = {}
    for rate, more, trained in found["asked"]:
        same(trained, totals.get(rate, 0) + more, what="the epochs behind a trial's weights")
        totals[rate] = trained
    same(set(found["spent"]) <= {1, 2, 3, 6, 9}, True)
    assert {1, 2} <= set(found["spent"]), f"the trials cost {found['spent']}"


def test_every_trial_is_told_to_the_oracle(subject):
    found = subject(searched, method="random", budget=31, epochs=9)
    same(found["told"], found["accuracies"])


@points(2)
def test_the_best_model_reloads_and_scores_the_same(subject):
    before, after = subject(through_a_file)
    same(after, before)


FILE = "assignments/training/tuner_search.py"
MUTANTS = [
    Mutant(
        file=FILE,
        old="if largest <= 1 / 255:",
        new="if largest <= 0:",
        caught_by="test_pixels_divided_by_255_twice_or_never_are_found",
        trap="dividing by 255 twice",
    ),
    Mutant(
        file=FILE,
        old="if one_hot and sparse:",
        new="if one_hot and not len(y):",
        caught_by="test_labels_that_do_not_fit_the_loss_are_found",
        trap="one-hot labels with a sparse loss",
    ),
    Mutant(
        file=FILE,
        old='hp.Float("dropout", 0.0, 0.5, step=0.125)',
        new='hp.Float("dropout", 0.0, 0.0)',
        caught_by="test_the_dropout_is_searched_and_not_0_throughout",
        trap="dropout range 0..0",
    ),
    Mutant(
        file=FILE,
        old="if hp.min_value == hp.max_value:",
        new="if hp.min_value > hp.max_value:",
        caught_by="test_a_range_of_one_value_and_a_linear_range_of_decades_are_found",
        trap="a range of one value passes the check",
    ),
    Mutant(
        file=FILE,
        old='hp.Float("learning_rate", 1e-3, 1e-2, sampling="log")',
        new='hp.Float("learning_rate", 1e-3, 1e-2)',
        caught_by="test_rates_are_drawn_by_their_logarithm",
        trap="a learning rate sampled linearly",
    ),
    Mutant(
        file=FILE,
        old='hp.Float("learning_rate", 1e-3,',
        new='hp.Float("learning_rate", 1e-5,',
        caught_by="test_every_trial_lies_inside_the_bounds",
        trap="learning rates below the bound, at which nothing is learned in the budget",
    ),
    Mutant(
        file=FILE,
        old="with hp.conditional_scope(count, list(range(i + 1, most + 1))):",
        new="if True:",
        caught_by="test_sizes_of_layers_that_a_network_has_not_are_not_in_its_trial",
        trap="values without effect told to the oracle",
    ),
    Mutant(
        file=FILE,
        old=' - values.get("tuner/initial_epoch", 0)',
        new="",
        caught_by="test_hyperband_goes_on_with_its_survivors_and_pays_for_what_it_adds",
        trap="survivors paid for twice",
    ),
    Mutant(
        file=FILE,
        old='before = states.get(values.get("tuner/trial_id"))',
        new="before = None",
        caught_by="test_hyperband_goes_on_with_its_survivors_and_pays_for_what_it_adds",
        trap="survivors that start anew with fewer epochs than they are said to have",
    ),
    Mutant(
        file=FILE,
        old="if cost > left:",
        new="if left <= 0:",
        caught_by="test_every_method_keeps_to_the_same_budget",
        trap="a last trial beyond the budget",
    ),
]
