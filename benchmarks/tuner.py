"""A random search of six trainings of a small CNN: by Keras Tuner alone, and by ours with all that it keeps of it."""

from keras_course.bench import Goal, Variant, Workload

import numpy as np

N, VALIDATION, BATCH, EPOCHS, TRIALS = 3200, 500, 64, 3, 6
BARE, FIT, LOOP = "Keras Tuner", "ours, by Keras fit", "ours, by our loop"
CLASSES = 10


def images(n):
    rng = np.random.default_rng(0)
    y = rng.integers(0, CLASSES, n).astype("int32")
    noise = rng.random((n, 28, 28, 1), dtype="float32")
    return 0.5 * noise + 0.5 * rng.random((CLASSES, 28, 28, 1), dtype="float32")[y], y


def network(input_shape, classes, dropout):
    from keras_course import models

    return models.cnn(input_shape, classes, filters=(8, 16), dropout=dropout)


def bare():
    """Keras Tuner as its guide shows it: trials, checkpoints and state are kept, results are printed by nobody."""
    import tempfile

    import keras
    import keras_tuner

    def build(hp):
        model = network((28, 28, 1), CLASSES, hp.Float("dropout", 0.0, 0.5))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        rate = hp.Float("learning_rate", 1e-4, 1e-2, sampling="log")
        model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
        return model

    train, check = images(N), images(VALIDATION)

    def work():
        with tempfile.TemporaryDirectory() as folder:
            tuner = keras_tuner.RandomSearch(
                build, objective="val_accuracy", max_trials=TRIALS, seed=1, directory=folder, project_name="bare"
            )
            tuner.search(*train, validation_data=check, epochs=EPOCHS, batch_size=BATCH, verbose=0)
            return {"trials": len(tuner.oracle.trials)}

    return work


def ours(loop):
    def prepare():
        import tempfile

        from keras_course import tuning

        space = {
            "dropout": {"low": 0.0, "high": 0.5},
            "learning_rate": {"low": 1e-4, "high": 1e-2, "scale": "log"},
        }
        train, check = images(N), images(VALIDATION)

        def work():
            with tempfile.TemporaryDirectory() as folder:
                found = tuning.search(
                    network,
                    space,
                    train,
                    check,
                    name="bench",
                    trials=TRIALS,
                    epochs=EPOCHS,
                    batch_size=BATCH,
                    loop=loop,
                    runs=folder,
                    progress=False,
                )
                return {"trials": len(found.completed)}

        return work

    return prepare


WORKLOAD = Workload(
    title=__doc__,
    variants={
        FIT: Variant(prepare=ours("fit")),
        LOOP: Variant(prepare=ours("ours")),
        BARE: Variant(prepare=bare),
    },
    goals=(Goal(BARE, 1 / 1.1, wall=True), Goal(BARE, 1 / 1.1, of=LOOP, wall=True)),
    note="The same network, examples, batches and epochs; the rates differ, which costs nothing. Ours also writes "
    "records, weights, TensorBoard's events and the report with its figures, and trains deterministically. A goal of "
    "0.909 is a cost of at most 1.1.",
)
