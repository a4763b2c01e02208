"""Searching for a CNN: random search, Hyperband and Bayesian optimisation at one budget, against a network by hand.

The space: one to five convolutions, none to five dense layers, filters and units within bounds, dropout, pooling, and
a learning rate of at least .001. Keras Tuner's oracles suggest configurations; what they may spend is the same number
of epochs. The winner is then trained in full beside a CNN that was made by hand. You write four functions:

- `declare`, the space, as Keras Tuner's hyper-parameters;
- `search`, the loop that asks an oracle, trains, tells it what came out, and keeps to the budget;
- `faults_of_space` and `faults_of_data`, which find before the first trial what ruined a published search.

That search reached .9330 on MNIST where the network by hand had .9864. It made three mistakes: the pixels were divided
by 255 twice, one-hot labels met a sparse loss, and the dropout was searched from 0 to 0. None of them is an error
message; each is one line of a check. The run also trains the network by hand on pixels divided twice.

Li, Jamieson, DeSalvo, Rostamizadeh and Talwalkar (2018), "Hyperband", section 3; Bergstra and Bengio (2012), "Random
search for hyper-parameter optimization", section 1.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from keras_course import data, models, plots, training
from keras_course.exercise import Band, Exercise, Floor, Result, blank
from keras_course.settings import Count, Seed

import keras
import keras_tuner
import numpy as np


@dataclass(frozen=True)
class Settings:
    dataset: Literal["mnist", "fashion_mnist"] = "mnist"
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    examples: Count = 1000  # of the training split that each trial trains on
    most_filters: Count = 32  # of a convolution, at most 256
    most_units: Count = 64  # of a dense layer, at most 256
    trials: Count = 4  # the budget of each method, in trainings of `epochs` epochs
    epochs: Count = 3  # of a trial; Hyperband begins with less
    final_epochs: Count = 4  # of the winner and of the network by hand, on the whole training split
    batch_size: Count = 64
    seed: Seed = 0


@blank(
    "training/tuner_search",
    hints=(
        "`hp.Int(name, low, high)` and `hp.Float(name, low, high, step=…)` each return the value of this trial.",
        "A learning rate spans decades: `sampling='log'`, and at least .001.",
        "Filters of a fourth convolution mean nothing in a network of two: declare them inside "
        "`with hp.conditional_scope('convolutions', […])`, or the oracle learns from values that had no effect.",
        "A range from 0 to 0 is a constant: let the dropout reach .5 (in steps of .1 Keras Tuner would end at .4).",
    ),
)
def declare(hp, most_filters, most_units):
    """Declares the space on `hp`, a `keras_tuner.HyperParameters`; returns the configuration that it now holds.

    The names: "convolutions" 1 … 5, "filters_0" … "filters_4" 8 … most_filters by doubling, "pools" 1 … 2, "dense"
    0 … 5, "units_0" … "units_4" 8 … most_units by doubling, "dropout" 0 … .5 in steps of .125, "learning_rate" .001 …
    .01 by the logarithm. "filters_i" is there only in networks of more than i convolutions, "units_i" likewise.
    Returns {"filters": tuple, "pools": int, "dense": tuple, "dropout": float, "learning_rate": float}; of the pools at
    most one for each convolution.
    """

    def layers(count, size, least, most, bound):
        """The sizes of the layers that this trial has; those of the others stay inactive."""
        number, sizes = hp.Int(count, least, most), []
        for i in range(most):
            with hp.conditional_scope(count, list(range(i + 1, most + 1))):
                value = hp.Int(f"{size}_{i}", 8, bound, step=2, sampling="log")
                if i < number:
                    sizes.append(value)
        return tuple(sizes)

    filters = layers("convolutions", "filters", 1, 5, most_filters)
    return {
        "filters": filters,
        "pools": min(hp.Int("pools", 1, 2), len(filters)),
        "dense": layers("dense", "units", 0, 5, most_units),
        "dropout": hp.Float("dropout", 0.0, 0.5, step=0.125),
        "learning_rate": hp.Float("learning_rate", 1e-3, 1e-2, sampling="log"),
    }


@blank(
    "training/tuner_search",
    hints=(
        "`space.space` lists the hyper-parameters; each has a `name`, numbers have `min_value` and `max_value`.",
        "A choice has `values`, and so has a number: ask for its `min_value` first.",
        "Linear sampling from 1e-5 to 1e-1 puts nine draws in ten above .01: see `sampling`.",
    ),
)
def faults_of_space(space):
    """What is wrong with a space, found before the first trial: {name of a hyper-parameter: reason}.

    space: a `keras_tuner.HyperParameters`. The reasons: "one value" of a number or a choice that cannot vary, and
    "linear over decades" of a number sampled linearly (`sampling` is None or "linear") although its largest value is at
    least 100 times its smallest, which is above 0.
    """
    found = {}
    for hp in space.space:
        if hasattr(hp, "min_value"):
            if hp.min_value == hp.max_value:
                found[hp.name] = "one value"
            elif hp.sampling in (None, "linear") and 0 < 100 * hp.min_value <= hp.max_value:
                found[hp.name] = "linear over decades"
        elif len(set(getattr(hp, "values", (1, 2)))) == 1:  # a choice; a flag has always two
            found[hp.name] = "one value"
    return found


@blank(
    "training/tuner_search",
    hints=(
        "What is the largest pixel of a data set divided by 255 once, never, and twice?",
        "One-hot labels have two axes, labels that are class numbers one. A sparse loss takes numbers.",
    ),
)
def faults_of_data(x, y, loss):
    """What is wrong with the data of a search, found before the first trial: a list of reasons, empty when all is well.

    x: pixels, floats. y: labels, (n,) whole numbers or (n, classes) one-hot. loss: "sparse_categorical_crossentropy" or
    "categorical_crossentropy". In this order: "not divided by 255" when a pixel is above 1, "divided by 255 twice" when
    none is above 1/255; "one-hot labels with a sparse loss", "class numbers with a loss of one-hot labels".
    """
    found = []
    largest = np.max(x)
    if largest > 1:
        found.append("not divided by 255")
    if largest <= 1 / 255:
        found.append("divided by 255 twice")
    one_hot, sparse = np.ndim(y) == 2, loss.startswith("sparse")
    if one_hot and sparse:
        found.append("one-hot labels with a sparse loss")
    if not one_hot and not sparse:
        found.append("class numbers with a loss of one-hot labels")
    return found


@blank(
    "training/tuner_search",
    hints=(
        "`oracle.create_trial('tuner0')` suggests; a status other than 'RUNNING' says that nothing is left.",
        "Hyperband says in `values` from which epoch to which: 'tuner/initial_epoch' and 'tuner/epochs'.",
        "It pays for the difference alone, since the training goes on from the weights of 'tuner/trial_id'.",
        "`oracle.update_trial(id, {'accuracy': …})`, `trial.status = 'COMPLETED'`, `oracle.end_trial(trial)`.",
        "Look at the price before you train: a trial that does not fit into the budget any more is not begun.",
    ),
)
def search(oracle, evaluate, *, epochs, budget):
    """Asks the oracle for trials until it stops or the next one would not fit into the budget.

    evaluate(hp, epochs, before) trains the configuration of `hp` for so many more epochs and returns its validation
    accuracy and a state; `before` is the state of the trial that it goes on with, or None. A trial costs the epochs
    that it adds: `epochs`, or what Hyperband asks for. Every trial that is run is told to the oracle.
    Returns a list of {"id", "hp", "epochs", "accuracy"}, where "epochs" is what the trial cost.
    """
    found, states, left = [], {}, budget
    while True:
        trial = oracle.create_trial("tuner0")
        if trial.status != "RUNNING":
            return found
        values = trial.hyperparameters.values
        cost = values.get("tuner/epochs", epochs) - values.get("tuner/initial_epoch", 0)
        if cost > left:
            return found
        left -= cost
        before = states.get(values.get("tuner/trial_id"))
        accuracy, states[trial.trial_id] = evaluate(trial.hyperparameters, cost, before)
        oracle.update_trial(trial.trial_id, {"accuracy": accuracy})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
        found.append({"id": trial.trial_id, "hp": trial.hyperparameters, "epochs": cost, "accuracy": accuracy})


METHODS = ("random", "hyperband", "bayesian")
BY_HAND = {"filters": (32, 64), "pools": 2, "dense": (64,), "dropout": 0.3, "learning_rate": 1e-3}


def oracle_of(method, space, settings, folder):
    """Keras Tuner's oracle of a method; it keeps its files in `folder`."""
    common = {
        "objective": keras_tuner.Objective("accuracy", "max"),
        "hyperparameters": space,
        "seed": settings.seed + 1,  # 0 would mean "any"
    }
    if method == "hyperband":
        oracle = keras_tuner.oracles.HyperbandOracle(max_epochs=settings.epochs, hyperband_iterations=100, **common)
    elif method == "bayesian":
        few = max(2, settings.trials // 2)  # the default, three times the dimensions, would leave it a random search
        oracle = keras_tuner.oracles.BayesianOptimizationOracle(
            max_trials=settings.trials, num_initial_points=few, **common
        )
    else:
        oracle = keras_tuner.oracles.RandomSearchOracle(max_trials=settings.trials, **common)
    oracle.verbose = 0
    oracle._set_project_dir(folder, method)
    return oracle


def train(configuration, splits, settings, stage, *, epochs, examples=None, weights=None, log=None, pixels=1.0):
    """Trains one configuration on the first `examples`; returns the model and its validation accuracy."""
    sizes = {name: configuration[name] for name in ("filters", "pools", "dense", "dropout")}
    keras.utils.set_random_seed(settings.seed)
    model = models.cnn(splits.train.x.shape[1:], len(splits.classes), **sizes)
    if weights:
        model.set_weights(weights)
    x, y = (array[:examples] for array in splits.train)
    check = data.Batches(splits.validation.x * pixels, splits.validation.y, batch_size=500, shuffle=False)
    training.fit(
        model,
        training.classification,
        data.Batches(x * pixels, y, batch_size=settings.batch_size, seed=settings.seed),
        epochs=epochs,
        optimizer=keras.optimizers.Adam(configuration["learning_rate"]),
        log=log,
        stage=stage,
        progress=log is not None,
    )
    return model, training.evaluate(model, training.classification, check)["accuracy"]


def reloaded(model, splits):
    """The accuracy on the test split, before and after the model went through a file."""
    test = data.Batches(*splits.test, batch_size=500, shuffle=False)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "best.keras")
        again = keras.models.load_model(Path(folder) / "best.keras")
    return [training.evaluate(each, training.classification, test)["accuracy"] for each in (model, again)]


def searches(splits, settings):
    """The trials of each method; the test split is not among what a trial is given."""
    found = {}
    for method in METHODS:

        def evaluate(hp, epochs, before, method=method):
            configuration = declare(hp, settings.most_filters, settings.most_units)
            model, accuracy = train(
                configuration, splits, settings, method, epochs=epochs, examples=settings.examples, weights=before
            )
            return accuracy, model.get_weights()

        space = keras_tuner.HyperParameters()
        declare(space, settings.most_filters, settings.most_units)
        with tempfile.TemporaryDirectory() as folder:
            oracle = oracle_of(method, space, settings, folder)
            found[method] = search(oracle, evaluate, epochs=settings.epochs, budget=settings.trials * settings.epochs)
    return found


def rows_of(found, settings):
    """A row for each trial."""
    rows = []
    for method, trials in found.items():
        for trial in trials:
            c = declare(trial["hp"], settings.most_filters, settings.most_units)
            rows.append(
                {
                    "method": method,
                    "filters": " ".join(map(str, c["filters"])),
                    "pools": c["pools"],
                    "dense": " ".join(map(str, c["dense"])) or "–",
                    "dropout": c["dropout"],
                    "learning rate": c["learning_rate"],
                    "epochs": trial["epochs"],
                    "accuracy": trial["accuracy"],
                }
            )
    return rows


def mistakes(splits):
    """What the two checks say of the three mistakes, and of the data and the space as they should be."""
    good, flawed = keras_tuner.HyperParameters(), keras_tuner.HyperParameters()
    declare(good, 32, 64)
    flawed.Float("dropout", 0.0, 0.0)
    (x, y), sparse = splits.train, "sparse_categorical_crossentropy"
    words = lambda faults: "; ".join(faults) or "nothing"  # noqa: E731
    return [
        {"what": "pixels divided twice", "the check says": words(faults_of_data(x / 255, y, sparse))},
        {"what": "one-hot labels", "the check says": words(faults_of_data(x, np.eye(len(splits.classes))[y], sparse))},
        {"what": "dropout from 0 to 0", "the check says": words(faults_of_space(flawed).values())},
        {"what": "these data", "the check says": words(faults_of_data(x, y, sparse))},
        {"what": "this space", "the check says": words(faults_of_space(good).values())},
    ]


def run(settings, log):
    splits = data.load(settings.dataset, source=settings.source, seed=settings.seed)
    said = mistakes(splits)
    found = searches(splits, settings)
    best = {method: max(trials, key=lambda trial: trial["accuracy"]) for method, trials in found.items()}
    winner = max(best.values(), key=lambda trial: trial["accuracy"])
    tuned = declare(winner["hp"], settings.most_filters, settings.most_units)
    final = {"epochs": settings.final_epochs, "log": log}
    hand, by_hand = train(BY_HAND, splits, settings, "by_hand", **final)
    model, by_search = train(tuned, splits, settings, "by_search", **final)
    _, twice = train(BY_HAND, splits, settings, "divided_twice", pixels=1 / 255, **final)
    before, after = reloaded(model, splits)
    ways = {"by hand": by_hand, "by search": by_search, "by hand, divided twice": twice}
    return Result(
        scores={method: trial["accuracy"] for method, trial in best.items()}
        | {
            "by_hand": by_hand,
            "by_search": by_search,
            "by_search_test": before,
            "divided_twice": twice,
            "reload_difference": after - before,
            "most_epochs": max(sum(trial["epochs"] for trial in trials) for trials in found.values()),
            "mistakes_found": sum(row["the check says"] != "nothing" for row in said),
        },
        arrays={"found": {m: [t["accuracy"] for t in trials] for m, trials in found.items()}, "ways": ways}
        | {"spent": {m: list(np.cumsum([t["epochs"] for t in trials])) for m, trials in found.items()}},
        tables={"Three mistakes": said, "Trials": rows_of(found, settings)},
        data=(splits,),
        parameters={"by hand": hand.count_params(), "by search": model.count_params()},
    )


def figures(result):
    arrays = result.arrays
    drawing, axes = plots.figure()
    for method, accuracies in arrays["found"].items():
        axes.step(arrays["spent"][method], np.maximum.accumulate(accuracies), where="post", marker="o", label=method)
    axes.set(xlabel="epochs spent", ylabel="best validation accuracy so far", title="three methods at one budget")
    axes.legend(frameon=False, fontsize="small")
    errors = {way: 1 - accuracy for way, accuracy in arrays["ways"].items()}
    return {
        "best_so_far": drawing,
        "networks": plots.bars(errors, ylabel="validation error", title="trained on the whole split"),
    }


EXERCISE = Exercise(
    source="S3 and S2: Keras Tuner on a CNN",
    small=Settings(),
    full=Settings(source="full", examples=2000, final_epochs=5, batch_size=128),
    quick=Settings(examples=60, most_filters=8, most_units=8, trials=2, epochs=1, final_epochs=1, batch_size=500),
    run=run,
    figures=figures,
    expect={
        "by_hand": Band(0.94, 1.0),
        "by_search": Band(0.92, 1.0),
        "divided_twice": Band(0.1, 0.93),  # what one line of the check would have said
        "reload_difference": Band(0, 0),
        "most_epochs": Band(1, 12),
        "mistakes_found": Band(3, 3),
    },
    floors={
        "by_hand": Floor(0.9864, "S3, the network by hand on MNIST, validation accuracy"),
        "by_search": Floor(0.9330, "S3, what its search reached on MNIST with the three mistakes"),
    },
)
