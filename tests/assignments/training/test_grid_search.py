from keras_course.check import Mutant, points, same

import numpy as np

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)).astype("float32")
SORTED = np.repeat([0, 1, 2], 20)
NEW_X, NEW_Y = RNG.normal(size=(40, 4)).astype("float32"), RNG.integers(0, 3, 40)


def memory(x, y, new_x, new_y):
    """The three scores of a nearest neighbour, which knows by heart what it was trained on."""
    from assignments.training.grid_search import three_scores

    from sklearn.model_selection import GridSearchCV
    from sklearn.neighbors import KNeighborsClassifier

    search = GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [1]}, cv=3).fit(x, y)
    return {name: float(value) for name, value in three_scores(search, (x, y), (new_x, new_y)).items()}


def searched(x, y, epochs):
    """What a search over two points on sorted labels did."""
    from assignments.training.grid_search import grid, grid_search

    import keras
    import numpy as np

    keras.config.disable_interactive_logging()
    parameters = grid([0.1], [0.0, 0.1], hidden=5, seed=0)
    search = grid_search(x, y, parameters, folds=2, epochs=epochs, batch_size=20, seed=0)
    found = search.cv_results_
    return {
        "epochs": len(search.best_estimator_.history_.history["loss"]),
        "fits": len(found["params"]) * search.n_splits_,
        "best": float(search.best_score_),
        "largest": float(found["mean_test_score"].max()),
        "kept training scores": "mean_train_score" in found,
        "classes of the folds": [sorted(set(y[test])) for _, test in search.cv.split(x, y)]
        if hasattr(search.cv, "split")
        else [],
        "sizes": [len(np.unique(test)) for _, test in search.cv.split(x, y)] if hasattr(search.cv, "split") else [],
    }


def network(x, one_hot, l2, seed):
    """Loss, penalty and weights of the network that the wrapper is given."""
    from assignments.training.grid_search import classifier

    import numpy as np

    model = classifier(x, one_hot, hidden=5, learning_rate=0.25, l2=l2, seed=seed)
    logits = np.asarray(model(x))
    return {
        "loss": float(model.evaluate(x, one_hot, verbose=0, batch_size=len(x))),
        "logits": logits,
        "weights": [np.asarray(w) for w in model.trainable_weights],
        "rate": float(model.optimizer.learning_rate),
        "momentum": float(getattr(model.optimizer, "momentum", -1)),
    }


def points_of(rates, penalties):
    from assignments.training.grid_search import grid

    return grid(rates, penalties, hidden=7, seed=3)


@points(3)
def test_the_test_score_is_of_data_that_no_fold_saw(subject):
    """A model that knows its data by heart has a training score of 1 and a test score of its own."""
    # nearest neighbours, written out, on labels that have nothing to do with the inputs
    labels = RNG.integers(0, 3, 60)
    distance = ((NEW_X[:, None] - X) ** 2).sum(-1)
    expected = float(np.mean(labels[distance.argmin(1)] == NEW_Y))
    received = subject(memory, x=X, y=labels, new_x=NEW_X, new_y=NEW_Y)
    same(received["training"], 1.0)
    same(received["test"], expected)


@points(2)
def test_the_cv_score_is_the_mean_over_the_folds_left_out(subject):
    from sklearn.model_selection import cross_val_score
    from sklearn.neighbors import KNeighborsClassifier

    labels = RNG.integers(0, 3, 60)
    expected = cross_val_score(KNeighborsClassifier(1), X, labels, cv=3).mean()
    same(subject(memory, x=X, y=labels, new_x=NEW_X, new_y=NEW_Y)["cv"], float(expected))


@points(2)
def test_every_fit_has_the_epochs_that_were_asked_for(subject):
    """The winner was trained for the epochs of the search, not for the single one that is Keras's default."""
    found = subject(searched, x=X, y=SORTED, epochs=4)
    same(found["epochs"], 4)
    same(found["fits"], 4)
    same(found["kept training scores"], True)
    same(found["best"], found["largest"])


@points(2)
def test_each_fold_has_its_share_of_each_class_though_the_labels_are_sorted(subject):
    found = subject(searched, x=X, y=SORTED, epochs=1)
    same(found["sizes"], [30, 30])
    for classes in found["classes of the folds"]:
        same([int(c) for c in classes], [0, 1, 2])


@points(2)
def test_the_loss_is_the_cross_entropy_of_one_hot_labels_plus_l2(subject):
    """The loss is -Σ y log softmax(logits), averaged, plus l2 times the sum of the squared kernels."""
    one_hot = np.eye(3, dtype="float32")[SORTED]
    for l2 in (0.0, 0.5):
        found = subject(network, x=X, one_hot=one_hot, l2=l2, seed=1)
        z = found["logits"].astype("float64")
        cross_entropy = np.mean(np.log(np.exp(z).sum(1)) - (z * one_hot).sum(1))
        kernels = sum((w**2).sum() for w in found["weights"] if w.ndim == 2)
        same(found["loss"], float(cross_entropy + l2 * kernels), rtol=1e-4)
        same([found["rate"], found["momentum"]], [0.25, 0.0])


def test_points_of_the_grid_start_from_the_same_weights(subject):
    one_hot = np.eye(3, dtype="float32")[SORTED]
    weak, strong = (subject(network, x=X, one_hot=one_hot, l2=l2, seed=1)["weights"] for l2 in (0.0, 0.5))
    same(strong, weak)
    other = subject(network, x=X, one_hot=one_hot, l2=0.0, seed=2)["weights"]
    assert np.abs(other[0] - weak[0]).max() > 0.01, "another seed gives the same weights"


def test_the_grid_has_every_pair_once(subject):
    received = subject(points_of, rates=[0.1, 0.2], penalties=[0.0, 0.01, 0.5])
    pairs = [(0.1, 0.0), (0.1, 0.01), (0.1, 0.5), (0.2, 0.0), (0.2, 0.01), (0.2, 0.5)]
    fixed = {"hidden": 7, "seed": 3}
    same(received, {"model_kwargs": [{"learning_rate": r, "l2": p} | fixed for r, p in pairs]})


FILE = "assignments/training/grid_search.py"
MUTANTS = [
    Mutant(
        file=FILE,
        old='"test": search.score(*test)',
        new='"test": search.score(*train)',
        caught_by="test_the_test_score_is_of_data_that_no_fold_saw",
        trap="reporting the training score as test",
    ),
    Mutant(
        file=FILE,
        old='"cv": search.best_score_',
        new='"cv": search.score(*train)',
        caught_by="test_the_cv_score_is_the_mean_over_the_folds_left_out",
        trap="the winner scored on the folds it was trained on",
    ),
    Mutant(
        file=FILE,
        old="search.fit(x, y, epochs=epochs, ",
        new="search.fit(x, y, ",
        caught_by="test_every_fit_has_the_epochs_that_were_asked_for",
        trap="epochs left to the wrapper, whose clones forget them",
    ),
    Mutant(
        file=FILE,
        old="cv=StratifiedKFold(folds, shuffle=True, random_state=seed)",
        new="cv=__import__('sklearn.model_selection', fromlist=['KFold']).KFold(folds)",
        caught_by="test_each_fold_has_its_share_of_each_class_though_the_labels_are_sorted",
        trap="folds cut from sorted labels",
    ),
    Mutant(
        file=FILE,
        old="keras.losses.CategoricalCrossentropy(from_logits=True)",
        new="keras.losses.SparseCategoricalCrossentropy(from_logits=True)",
        caught_by="test_the_loss_is_the_cross_entropy_of_one_hot_labels_plus_l2",
        trap="a sparse loss with one-hot labels",
    ),
    Mutant(
        file=FILE,
        old="CategoricalCrossentropy(from_logits=True)",
        new="CategoricalCrossentropy()",
        caught_by="test_the_loss_is_the_cross_entropy_of_one_hot_labels_plus_l2",
        trap="logits taken for probabilities",
    ),
    Mutant(
        file=FILE,
        old="    keras.utils.set_random_seed(seed)\n",
        new="",
        caught_by="test_points_of_the_grid_start_from_the_same_weights",
        trap="points of the grid that differ by their start",
    ),
    Mutant(
        file=FILE,
        old="itertools.product(rates, penalties)",
        new="zip(rates, penalties)",
        caught_by="test_the_grid_has_every_pair_once",
        trap="rates and penalties paired off instead of crossed",
    ),
]
