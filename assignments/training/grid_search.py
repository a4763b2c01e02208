"""Grid search by cross-validation: which of its three scores may be reported?

scikit-learn's `GridSearchCV` tries every pair of learning rate and regularisation on a Keras network, through Keras's
own wrapper, `keras.wrappers.SKLearnClassifier`. Each pair is trained once for each fold and scored on the fold left
out; the best is trained again on all the data of the search. You write four functions:

- `classifier`, the compiled network that the wrapper asks for;
- `grid`, the pairs in the form in which the wrapper takes them;
- `grid_search`, the search itself: stratified folds, every fit with the epochs that you asked for;
- `three_scores`, the training, the cross-validation and the test score of the network that won.

Only the last of the three is of data that no fold saw. The training score rewards memory; the cross-validation score
of the winner is the largest of many noisy numbers, so it flatters too, though less. The run shows all three.

Cawley and Talbot (2010), "On over-fitting in model selection and subsequent selection bias in performance evaluation",
section 4.
"""

import itertools
from dataclasses import dataclass
from typing import Literal

from keras_course import data, models, plots
from keras_course.exercise import Band, Exercise, Floor, Result, blank
from keras_course.settings import Count, NonNegative, Positive, Seed, Several

import keras
import numpy as np
from sklearn.model_selection import GridSearchCV, StratifiedKFold


@dataclass(frozen=True)
class Settings:
    dataset: Literal["mnist", "fashion_mnist"] = "mnist"
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    examples: Several = 1000  # of the training split that the search is given: it trains on them many times
    hidden: Count = 32  # units of the hidden layer
    rates: tuple[Positive, ...] = (0.01, 0.1, 0.5)  # learning rates of plain SGD
    penalties: tuple[NonNegative, ...] = (0.0, 0.01)  # what the sum of squared weights is multiplied by
    folds: Several = 3  # parts of the data, each left out once
    epochs: Count = 20
    batch_size: Count = 32
    seed: Seed = 0


@blank(
    "training/grid_search",
    hints=(
        "The wrapper turns the labels into one-hot rows before your model sees them. Which cross-entropy takes these?",
        "`models.mlp` ends in logits, so the loss needs `from_logits=True`.",
        "Add `keras.regularizers.L2(l2)` to the kernel of each dense layer; biases stay free.",
        "Set the seed first, so that two points of the grid differ by their hyper-parameters and not by their start.",
    ),
)
def classifier(X, y, *, hidden, learning_rate, l2, seed):  # noqa: N803  scikit-learn's names
    """A compiled network with one hidden layer of `hidden` ReLU units, as `keras.wrappers.SKLearnClassifier` wants it.

    X: (n, columns). y: one-hot, (n, classes). The loss is the mean cross-entropy of logits plus `l2` times the sum of
    the squares of all kernels, the optimiser plain SGD at `learning_rate`. The same `seed` gives the same weights.
    """
    keras.utils.set_random_seed(seed)
    model = models.mlp(X.shape[1:], y.shape[1], hidden=(hidden,))
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dense):
            layer.kernel.regularizer = keras.regularizers.L2(l2)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(learning_rate), loss, jit_compile=False)  # compiling costs more than it saves
    return model


@blank(
    "training/grid_search",
    hints=(
        "The wrapper has one parameter for all that goes to the builder, `model_kwargs`: a dictionary.",
        "So the grid is {'model_kwargs': [one dictionary for each pair]}; `itertools.product` gives the pairs.",
    ),
)
def grid(rates, penalties, **fixed):
    """The parameter grid: {"model_kwargs": dictionaries of learning_rate, l2 and what is `fixed`}, one for each pair.

    In the order of `rates`, and for each rate in the order of `penalties`.
    """
    pairs = itertools.product(rates, penalties)
    return {"model_kwargs": [{"learning_rate": rate, "l2": l2, **fixed} for rate, l2 in pairs]}


@blank(
    "training/grid_search",
    hints=(
        "`GridSearchCV(estimator, parameter grid, cv=…)`; ask for the training scores too with `return_train_score`.",
        "The data may be sorted by label: `StratifiedKFold` gives each fold its share of each class, and can shuffle.",
        "scikit-learn clones the estimator for each fit, and the clone of Keras's wrapper forgets its `fit_kwargs`: "
        "epochs and batch size that should reach every fit are arguments of `search.fit`.",
    ),
)
def grid_search(x, y, parameters, *, folds, epochs, batch_size, seed):
    """A `GridSearchCV` over `parameters`, fitted: every point on every fold, then the best one on all of x and y.

    x: (n, columns). y: labels (n,), perhaps sorted. Every fold has each class's share; `seed` shuffles. Each fit is of
    `epochs` epochs. Training scores are kept too, as `cv_results_["mean_train_score"]`.
    """
    search = GridSearchCV(
        keras.wrappers.SKLearnClassifier(classifier),
        parameters,
        cv=StratifiedKFold(folds, shuffle=True, random_state=seed),
        return_train_score=True,
    )
    return search.fit(x, y, epochs=epochs, batch_size=batch_size, verbose=0)


@blank(
    "training/grid_search",
    hints=(
        "`search.score(x, y)` scores the winner, which was trained again on all the data of the search.",
        "Which of the examples has the winner never seen, neither in a fold nor in the last training?",
    ),
)
def three_scores(search, train, test):
    """{"training", "cv", "test"}: the accuracies of the winner of a fitted search.

    train: (x, y), what the search was given. test: (x, y) that it never saw. "training" is of the winner on what it
    was trained on, "cv" its mean over the folds left out, "test" of the winner on `test`.
    """
    return {"training": search.score(*train), "cv": search.best_score_, "test": search.score(*test)}


def flat(split, most=None):
    """The first examples of a split as rows (n, columns) for scikit-learn, and their labels."""
    return split.x[:most].reshape(len(split.x[:most]), -1), split.y[:most]


def table_of(search):
    """A row for each point of the grid."""
    found = search.cv_results_
    return [
        {
            "learning rate": kwargs["learning_rate"],
            "l2": kwargs["l2"],
            "training": float(train),
            "cv": float(cv),
            "sd over folds": float(deviation),
        }
        for kwargs, train, cv, deviation in zip(
            found["param_model_kwargs"],
            found["mean_train_score"],
            found["mean_test_score"],
            found["std_test_score"],
            strict=True,
        )
    ]


def run(settings, log):
    splits = data.load(settings.dataset, source=settings.source, seed=settings.seed)
    train, test = flat(splits.train, settings.examples), flat(splits.test)
    parameters = grid(settings.rates, settings.penalties, hidden=settings.hidden, seed=settings.seed)
    keras.config.disable_interactive_logging()  # the wrapper's `predict` would draw a bar for every fold
    try:
        search = grid_search(
            *train,
            parameters,
            folds=settings.folds,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            seed=settings.seed,
        )
        scores = three_scores(search, train, test)
    finally:
        keras.config.enable_interactive_logging()
    rows = table_of(search)
    means = [row["cv"] for row in rows]
    return Result(
        scores=scores
        | {
            "training_minus_test": scores["training"] - scores["test"],
            "best_minus_worst": float(np.nanmax(means) - np.nanmin(means)),  # a fit that diverges has no score
            "best_rate": float(search.best_params_["model_kwargs"]["learning_rate"]),
        },
        arrays={"rows": rows, "rates": settings.rates, "penalties": settings.penalties, "three": scores},
        tables={"Every point of the grid": rows},
        data=(splits,),
        parameters={"network": search.best_estimator_.model_.count_params()},
    )


def figures(result):
    arrays = result.arrays
    rows, shape = arrays["rows"], (len(arrays["rates"]), len(arrays["penalties"]))
    drawing = plots.matrix(
        np.reshape([row["cv"] for row in rows], shape),
        xlabel="l2",
        ylabel="learning rate",
        title="cross-validation accuracy",
        decimals=3,
    )
    drawing.axes[0].set_xticks(range(shape[1]), [f"{value:g}" for value in arrays["penalties"]])
    drawing.axes[0].set_yticks(range(shape[0]), [f"{value:g}" for value in arrays["rates"]])
    points = [f"{row['learning rate']:g}\n{row['l2']:g}" for row in rows]
    both = {kind: [row[kind] for row in rows] for kind in ("training", "cv")}
    return {
        "grid": drawing,
        "three_scores": plots.bars(arrays["three"], ylabel="accuracy", title="three scores of one network"),
        "points": plots.grouped(
            both, groups=points, ylabel="accuracy", title="by learning rate (above) and l2: which would you pick by?"
        ),
    }


EXERCISE = Exercise(
    source="S2: model selection by grid search",
    small=Settings(),
    full=Settings(dataset="fashion_mnist", source="full", examples=12_000, rates=(0.03, 0.1), batch_size=64, epochs=20),
    quick=Settings(examples=100, hidden=4, rates=(0.1,), penalties=(0.0, 0.1), folds=2, epochs=1),
    run=run,
    figures=figures,
    expect={
        "training": Band(0.97, 1.0),
        "cv": Band(0.86, 0.91),
        "test": Band(0.86, 0.92),
        "training_minus_test": Band(0.07, 0.15),  # 0 where the training score is reported as the test's
        "best_minus_worst": Band(0.05, 0.13),
    },
    floors={
        "cv": Floor(0.815, "S2, GridSearchCV's best cross-validation score"),
        "test": Floor(0.815, "the same figure, on data that no fold saw"),
    },
)
