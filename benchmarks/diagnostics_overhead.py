"""An epoch of a small CNN, by fit and by our loop, with and without the diagnostics watching: what does it cost?"""

import contextlib

from keras_course.bench import Goal, Variant, Workload

import numpy as np

N, BATCH = 6400, 64
FIT, WATCHED, HISTOGRAMS = "Keras fit", "Keras fit, watched", "Keras fit, TensorBoard's histograms"
LOOP, LOOP_WATCHED = "our loop", "our loop, watched"


def network():
    import keras

    keras.utils.set_random_seed(0)
    parts = keras.layers
    return keras.Sequential([
        keras.Input((28, 28, 1)), parts.Conv2D(16, 3, strides=2, activation="relu"),
        parts.Conv2D(32, 3, strides=2, activation="relu"), parts.Flatten(), parts.Dense(64, activation="relu"),
        parts.Dense(10),
    ])  # fmt: skip


def images():
    rng = np.random.default_rng(0)
    return rng.random((N, 28, 28, 1), dtype="float32"), rng.integers(0, 10, N).astype("int32")


def watching(watched):
    from keras_course.diagnostics.hooks import watching

    return watching() if watched else contextlib.nullcontext()


def by_fit(*, watched=False, histograms=False):
    def prepare():
        import tempfile

        import keras

        model, (x, y) = network(), images()
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        folder = tempfile.mkdtemp()
        contextlib.ExitStack().enter_context(watching(watched))

        def work():
            callbacks = [keras.callbacks.TensorBoard(folder, histogram_freq=1)] if histograms else []
            model.fit(x, y, batch_size=BATCH, verbose=0, shuffle=False, callbacks=callbacks)
            return {"steps": int(model.optimizer.iterations) > 0}

        return work

    return prepare


def by_loop(*, watched=False):
    def prepare():
        from keras_course import data, training

        import keras

        model, (x, y) = network(), images()
        optimizer, batches = keras.optimizers.Adam(), data.Batches(x, y, batch_size=BATCH)
        contextlib.ExitStack().enter_context(watching(watched))

        def work():
            training.fit(model, training.classification, batches, epochs=1, optimizer=optimizer, progress=False)
            return {"steps": int(optimizer.iterations) > 0}

        return work

    return prepare


WORKLOAD = Workload(
    title=__doc__,
    variants={
        WATCHED: Variant(prepare=by_fit(watched=True)),
        FIT: Variant(prepare=by_fit()),
        HISTOGRAMS: Variant(prepare=by_fit(histograms=True)),
        LOOP: Variant(prepare=by_loop()),
        LOOP_WATCHED: Variant(prepare=by_loop(watched=True)),
    },
    goals=(Goal(FIT, 1 / 1.2), Goal(HISTOGRAMS, 1), Goal(LOOP, 1 / 1.15, of=LOOP_WATCHED)),
    note="Only what is measured while training runs; the verdict behind it is not in the times. A goal of 0.833 is a "
    "cost of at most 1.2, one of 0.87 of at most 1.15.",
)
