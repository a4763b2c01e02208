"""What search methods are worth: the regret of Keras Tuner's oracles on the tabulated benchmark, at equal budget.

    python -m benchmarks._tuner_regret random hyperband grid bayesian    searches, keeps the record, writes TUNERS.md
    python -m benchmarks._tuner_regret                                   writes TUNERS.md from the record

Each oracle suggests configurations of `tuner_table.csv`; what it is told is the validation accuracy of one of the
three seeds. The regret is how much the mean of the three seeds, after all epochs, of what it would choose lies below
that of the best configuration of the table. The budget is in epochs; Hyperband pays for those it adds to a training.
"""

import argparse
import csv
import json
import statistics
import tempfile

from benchmarks._tuner_table import EPOCHS, SEEDS, SPACE, TABLE
from keras_course.base import pick
from keras_course.runs import write_atomically

import keras_tuner

RECORD = TABLE.with_name("tuner_regret.json")
TEXT = TABLE.with_name("TUNERS.md")
BUDGETS = (27, 54, 81, 108, 135)  # epochs
METHODS = ("random", "hyperband", "grid", "bayesian")
SEARCHES = 20  # seeds of each method


def read_table():
    """(accuracies, means): by configuration, seed and epochs; and the mean over seeds after the last epoch."""
    accuracies, means = {}, {}
    with TABLE.open() as file:
        for row in csv.DictReader(file):
            key = tuple(type(SPACE[name][0])(row[name]) for name in SPACE)
            accuracies[key, int(row["seed"])] = {epochs: float(row[f"after_{epochs}"]) for epochs in EPOCHS}
    for key in {key for key, _ in accuracies}:
        means[key] = statistics.fmean(accuracies[key, seed][max(EPOCHS)] for seed in SEEDS)
    return accuracies, means


def oracle_of(method, seed, trials):
    """Keras Tuner's oracle over the space of the table."""
    space = keras_tuner.HyperParameters()
    for name, values in SPACE.items():
        space.Choice(name, values, ordered=True)
    common = {"objective": keras_tuner.Objective("accuracy", "max"), "hyperparameters": space, "seed": seed + 1}
    oracles = keras_tuner.oracles
    if method == "random":
        return oracles.RandomSearchOracle(max_trials=trials, **common)
    if method == "bayesian":
        return oracles.BayesianOptimizationOracle(max_trials=trials, num_initial_points=8, **common)
    if method == "hyperband":
        return oracles.HyperbandOracle(max_epochs=max(EPOCHS), factor=3, hyperband_iterations=100, **common)
    return oracles.GridSearchOracle(max_trials=trials, **common)


def search(method, seed, accuracies, budget):
    """The trials of one search: [(epochs spent so far, configuration, accuracy that it was told)]."""
    found, spent = [], 0
    oracle = oracle_of(method, seed, trials=budget // max(EPOCHS))
    oracle.verbose = 0
    with tempfile.TemporaryDirectory() as folder:
        oracle._set_project_dir(folder, "search")
        while True:
            trial = oracle.create_trial("tuner0")
            if trial.status != "RUNNING":
                return found
            values = trial.hyperparameters.values
            epochs = values.get("tuner/epochs", max(EPOCHS))
            spent += epochs - values.get("tuner/initial_epoch", 0)
            if spent > budget:
                return found
            key = tuple(values[name] for name in SPACE)
            told = accuracies[key, seed % len(SEEDS)][epochs]
            found.append((spent, key, told))
            oracle.update_trial(trial.trial_id, {"accuracy": told})
            trial.status = "COMPLETED"
            oracle.end_trial(trial)


def regrets(trials, means, budgets):
    """For each budget, how far the mean of what a search would choose lies below the best of the table.

    trials: (epochs spent, configuration, accuracy told), in order. A search chooses what it was told the highest
    accuracy of; before its first trial ends, its regret is that of the mean configuration.
    """
    best = max(means.values())
    found = []
    for budget in budgets:
        within = [(told, key) for spent, key, told in trials if spent <= budget]
        chosen = means[max(within, key=lambda one: one[0])[1]] if within else statistics.fmean(means.values())
        found.append(best - chosen)
    return found


def measure(method):
    """Searches by one method and adds the regrets of every search to the record."""
    accuracies, means = read_table()
    runs = [regrets(search(method, s, accuracies, max(BUDGETS)), means, BUDGETS) for s in range(SEARCHES)]
    record = json.loads(RECORD.read_text()) if RECORD.is_file() else {"regrets": {}}
    record |= {"budgets": BUDGETS, "searches": SEARCHES, "configurations": len(means), "best": max(means.values())}
    record["regrets"][method] = [[round(value, 5) for value in run] for run in runs]
    write_atomically(RECORD, json.dumps(record) + "\n")


def text(record):
    """TUNERS.md, from the record."""
    lines = [
        "# Search methods on a tabulated benchmark",
        "",
        "Generated by `python -m benchmarks._tuner_regret` from `tuner_regret.json`. The table,",
        f"`tuner_table.csv`, holds {record['configurations']} configurations of a small CNN, three seeds each;",
        f"its best has a mean validation accuracy of {record['best']:.4f}. A regret is how far below that the",
        "configuration lies that a search would choose, in accuracy: mean ± standard error over",
        f"{record['searches']} searches of different seeds. The difference to random search is paired by seed.",
        "",
        "| method | " + " | ".join(f"{budget} epochs" for budget in record["budgets"]) + " | minus random at the end |",
        "| --- |" + " ---: |" * (len(record["budgets"]) + 1),
    ]
    last = {method: [run[-1] for run in runs] for method, runs in record["regrets"].items()}
    for method, runs in record["regrets"].items():
        cells = [show(column) for column in zip(*runs, strict=True)]
        against = [a - b for a, b in zip(last[method], last["random"], strict=True)]
        lines.append(f"| {method} | " + " | ".join(cells) + f" | {'–' if method == 'random' else show(against)} |")
    return "\n".join(lines) + "\n"


def show(values):
    """Mean and standard error."""
    return f"{statistics.fmean(values):.4f} ± {statistics.stdev(values) / len(values) ** 0.5:.4f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("methods", nargs="*", metavar="METHOD", help="search by these: " + ", ".join(METHODS))
    for method in parser.parse_args().methods:
        pick(dict.fromkeys(METHODS), method, "method")
        measure(method)
    write_atomically(TEXT, text(json.loads(RECORD.read_text())))


if __name__ == "__main__":
    main()
