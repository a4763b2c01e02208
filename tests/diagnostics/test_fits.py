from keras_course.diagnostics import fits
from keras_course.diagnostics.observation import EXACT_ACCURACY, Plan
from tests.diagnostics.trained import X, Y, mlp, watched

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

LONG = np.arange(5000.0)[:, None]


def facts(model=None, **given):
    if model is None:
        model = mlp()
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return fits.facts_of(model, given, ("train.py", 7))


def test_the_plan_of_a_call_on_arrays():
    stop = keras.callbacks.EarlyStopping(monitor="val_loss")
    found = facts(x=X, y=Y, epochs=3, batch_size=16, validation_split=0.25, callbacks=[stop], class_weight={0: 2.0})
    plan = found["plan"]
    assert (plan.epochs, plan.batch_size, plan.steps_per_epoch, plan.shuffle) == (3, 16, 3, True)  # 45 rows by 16
    assert (plan.validation_split, plan.class_weight) == (0.25, {0: 2.0})
    assert plan.monitored == ("val_loss",)
    assert plan.metrics == ("accuracy",)
    assert (found["interface"], found["loss"]) == ("fit", "sparse_categorical_crossentropy")
    assert found["callbacks"][0] is stop


@pytest.mark.parametrize(
    ("monitor", "mode", "turned"),
    [
        ("val_loss", "max", True),
        ("val_mse", "max", True),
        ("val_accuracy", "min", True),
        ("val_auc", "min", True),
        ("val_loss", "min", False),
        ("val_accuracy", "max", False),
        ("val_loss", "auto", False),
        ("val_score", "max", False),  # nobody knows what is better
    ],
)
def test_callbacks_that_take_the_worse_for_the_better(monitor, mode, turned):
    for kind, name in (("EarlyStopping", "stops_at_better"), ("ReduceLROnPlateau", "slows_at_better")):
        callback = getattr(keras.callbacks, kind)(monitor=monitor, mode=mode)
        plan = facts(x=X, y=Y, callbacks=[callback])["plan"]
        names = {"stops_at_better": "", "slows_at_better": ""} | {name: monitor * turned}
        assert {name: getattr(plan, name) for name in names} == names


def test_a_metric_that_cuts_elsewhere_says_so():
    metrics = [keras.metrics.BinaryAccuracy(threshold=cut) for cut in (0.5, 0.0)]
    metrics[0]._fn_kwargs = None  # as a metric of the script's own may have it
    model = mlp()
    model.compile("sgd", "mse", metrics=[*metrics, "mae", keras.metrics.AUC(name="auc")])
    assert facts(model, x=X, y=Y)["plan"].metrics == ("binary_accuracy", "binary_accuracy at 0.0", "mae", "auc")


def test_accuracy_by_its_class_counts_what_is_equal_whatever_it_is_called():
    model = mlp()
    model.compile(
        "sgd",
        "mse",
        metrics=["accuracy", keras.metrics.Accuracy(name="acc"), keras.metrics.CategoricalAccuracy("mine")],
    )
    assert facts(model, x=X, y=Y)["plan"].metrics == ("accuracy", EXACT_ACCURACY, "categorical_accuracy")


def test_the_weight_of_each_row_stands_beside_it():
    weight = np.arange(60.0)
    np.testing.assert_array_equal(facts(x=X, y=Y, sample_weight=weight)["train"].weight, weight)
    split = facts(x=X, y=Y, sample_weight=weight, validation_split=0.25)["train"]
    np.testing.assert_array_equal(split.weight, weight[:45])
    assert facts(x=X, y=Y)["train"].weight is None
    assert facts(x=X, y=Y, sample_weight=weight[:9])["train"].weight is None


def test_what_cannot_be_read_is_said_and_the_rest_is_known(monkeypatch):
    """The script must not notice: whatever its arguments are, it trains."""

    def broken(*args):
        raise AssertionError

    monkeypatch.setattr(fits, "data_of", broken)
    monkeypatch.setattr(fits, "_stages", broken)
    found = facts(x=X, y=Y, epochs=3, validation_data=(X[:5], Y[:5]), validation_split="half")
    assert found["train"] is None
    assert (found["plan"].epochs, len(found["validation"].x)) == (3, 5)
    assert found["unseen"] == [
        "The validation split of `fit` could not be read: ValueError: could not convert string to float: 'half'",
        "The data of `fit` could not be read: AssertionError",
        "The pipeline of `fit` could not be read: AssertionError",
        "The pipeline of the validation data of `fit` could not be read: AssertionError",
    ]
    (training,) = watched(lambda: trained(mlp()))
    assert training.observe().unseen[0] == "The data of `fit` could not be read: AssertionError"


def trained(model):
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(X, Y, epochs=2, verbose=0)


def test_a_validation_split_is_taken_from_the_end():
    found = facts(x=X, y=Y, validation_split=0.25)
    np.testing.assert_array_equal(found["train"].x, X[:45])
    np.testing.assert_array_equal(found["validation"].x, X[45:])
    np.testing.assert_array_equal(found["validation"].y, Y[45:])
    given = facts(x=X, y=Y, validation_data=(X[:5], Y[:5]))
    np.testing.assert_array_equal(given["validation"].y, Y[:5])


def test_all_inputs_and_the_loss_of_each_output():
    x, later = {"a": X, "b": 2 * X}, {"b": 3 * X[:5], "a": X[:5]}  # names are what counts
    inputs = [keras.Input((5,), name=name) for name in x]
    both = keras.layers.Concatenate()(inputs)
    outputs = [keras.layers.Dense(3, name="kind")(both), keras.layers.Dense(1, name="size")(both)]
    model = keras.Model(dict(zip(x, inputs, strict=True)), outputs)
    model.compile("sgd", ["sparse_categorical_crossentropy", keras.losses.MeanSquaredError()])
    found = facts(model, x=x, y=[Y, Y], validation_data=(later, [Y[:5], Y[:5]]))
    assert found["losses"] == {"kind": "sparse_categorical_crossentropy", "size": "mean_squared_error"}
    assert found["logits"] == set()
    logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for given, told in (({"kind": logits, "size": "mse"}, {"kind"}), ([lambda a, b: b, logits], {"kind", "size"})):
        model.compile("sgd", given)
        assert facts(model, x=x, y=[Y, Y])["logits"] == told
    np.testing.assert_array_equal(found["train"].further[0], 2 * X)
    np.testing.assert_array_equal(found["validation"].x, X[:5])
    np.testing.assert_array_equal(found["validation"].further[0], 3 * X[:5])
    assert found["train"].names == found["validation"].names == ("a", "b")
    named = facts(model, x=x, y=[Y, Y], validation_split=0.25)
    assert named["train"].names == named["validation"].names == ("a", "b")
    np.testing.assert_array_equal(named["validation"].further[0], 2 * X[45:])
    split = facts(model, x=[X, 2 * X], y=[Y, Y], validation_split=0.25)
    np.testing.assert_array_equal(split["validation"].further[0], 2 * X[45:])
    assert split["train"].names == ()
    several = facts(model, x=x, y={"kind": Y, "size": 2 * Y}, validation_split=0.25)
    np.testing.assert_array_equal(several["train"].others[0], 2 * Y[:45])
    np.testing.assert_array_equal(several["validation"].others[0], 2 * Y[45:])
    assert split["train"].others[0].shape == (45,)
    assert facts(x=X, y=Y)["train"].others == ()
    assert facts(x=X, y=Y)["losses"] == {}
    alone = keras.Model(inputs[0], keras.layers.Dense(1)(inputs[0]))
    alone.compile("sgd", ["mse"])
    assert facts(alone, x=X, y=Y)["losses"] == {}
    ragged = tf.ragged.constant([[1.0], [2.0, 3.0]] * 30)
    assert fits.rows_of([X, ragged, 2 * X], Y).further[0].shape == X.shape, "what is ragged has no rows to compare"
    assert len(fits.rows_of([X, ragged], Y).further) == 0
    assert len(fits.data_of([X, np.float32(3)], Y, 0.25)[0].further) == 0, "nor has a number"


def test_rows_are_evenly_spread_and_in_order():
    data = fits.rows_of(LONG, LONG[:, 0])
    assert (data.n, len(data.x), data.x[0, 0], data.x[-1, 0]) == (5000, 2048, 0, 4999)
    gaps = np.diff(data.x[:, 0])
    assert set(gaps) <= {2, 3}
    np.testing.assert_array_equal(data.x[:, 0], data.y)
    assert fits.rows_of(LONG, LONG[:9]).y is None, "targets of another length are none of these rows"
    tensor = fits.rows_of(tf.constant(LONG), None)
    np.testing.assert_array_equal(tensor.x, data.x)
    assert fits.rows_of(iter([1]), None) is None


def test_a_generator_is_not_drawn_from():
    def batches():
        drawn.append(1)
        yield X, Y

    drawn = []
    found = facts(x=batches(), steps_per_epoch=4)
    assert not drawn
    assert found["train"] is None
    assert found["plan"].steps_per_epoch == 4


def test_a_pipeline_knows_its_steps():
    dataset = tf.data.Dataset.from_tensor_slices((X, Y)).batch(16)
    found = facts(x=dataset)
    assert (found["plan"].steps_per_epoch, found["plan"].shuffle) == (4, None)
    np.testing.assert_array_equal(found["train"].x, X)
    assert [stage.kind for stage in found["pipeline"]][-1] == "batch"


def test_a_step_of_its_own_is_said_to_be_one():
    class Own(keras.Model):
        def train_step(self, data):
            return {}

    model = Own()
    model.compile("sgd")
    assert facts(model, x=X)["interface"] == "custom train_step"


@pytest.mark.parametrize(
    ("loss", "name"),
    [("mse", "mean_squared_error"), ("hinge", "hinge"), (keras.losses.Huber(), "huber"), (None, ""), (["mse"], "")],
)
def test_names_of_losses(loss, name):
    assert fits._loss_name(loss) == name


def test_a_schedule_over_the_planned_steps():
    decay = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)
    plan = facts(x=X, y=Y, epochs=3, batch_size=20)["plan"]
    rates, later = fits.schedule_of(keras.optimizers.SGD(decay), plan)
    np.testing.assert_allclose(rates, 0.1 * 0.5 ** (np.arange(9) / 10), rtol=1e-5)
    loop = Plan(steps_per_epoch=3)  # of a loop over a data set: nobody knows how many epochs were meant
    assert len(fits.schedule_of(keras.optimizers.SGD(decay), loop, 40)[0]) == 40
    assert later == pytest.approx(0.1 * 0.5**1.8, rel=1e-5)
    assert fits.schedule_of(keras.optimizers.SGD(0.1), plan) == (None, 0.0)


def test_a_warm_up_that_goes_on_behind_the_last_step():
    rise = keras.optimizers.schedules.CosineDecay(1e-4, 500, warmup_target=0.02, warmup_steps=3000)
    rates, later = fits.schedule_of(keras.optimizers.SGD(rise), Plan(), 30)
    assert len(rates) == 30, "the steps of a loop are those that it made"
    assert rates[-1] < 3e-4 < 0.01 < later


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("seed", [None, 3])
def test_noise_that_a_pipeline_draws_is_measured_against_its_rows(seed, batched):
    """Under a seed each new pipeline draws the same numbers."""
    if seed is not None:
        tf.random.set_seed(seed)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 3)).astype("float32")
    plain = tf.data.Dataset.from_tensor_slices((x, np.zeros(2000)))
    plain = plain.batch(32) if batched else plain
    assert fits.noise_of(plain.map(lambda a, b: (2 * a, b))) is None
    noisy = plain.map(lambda a, b: (a + tf.random.normal(tf.shape(a), stddev=2.0), b))
    assert 1.5 < fits.noise_of(noisy) < 3  # four standard errors about 2


@pytest.mark.parametrize(
    ("callback", "keeps"),
    [
        (keras.callbacks.EarlyStopping(restore_best_weights=True), True),
        (keras.callbacks.EarlyStopping(), False),
        (keras.callbacks.EarlyStopping(monitor="loss", restore_best_weights=True), False),
        (keras.callbacks.ModelCheckpoint("best.keras", save_best_only=True), True),
        (keras.callbacks.ModelCheckpoint("last.keras"), False),
    ],
)
def test_a_callback_that_keeps_the_best_weights_is_noted(callback, keeps):
    for given in ([callback], keras.callbacks.CallbackList([callback])):
        assert facts(x=X, y=Y, callbacks=given)["plan"].keeps_best == keeps


def test_of_several_inputs_the_first_stands_for_all():
    assert fits.rows_of({"a": X, "b": X}, Y).n == 60


def test_what_fit_logs_is_kept_as_numbers():
    rows = []
    fits.Epochs(rows).on_epoch_end(0, {"loss": np.float32(0.5), "confusion": np.zeros((2, 2))})
    assert rows == [{"loss": 0.5}]


def test_tables_of_pandas_are_rows():
    table, column = pd.DataFrame(X, columns=list("abcde")), pd.Series(Y)
    found = facts(x=table, y=column, validation_data=(table[:5], column[:5]))
    np.testing.assert_array_equal(found["train"].x, X)
    np.testing.assert_array_equal(found["train"].y, Y)
    np.testing.assert_array_equal(found["validation"].x, X[:5])
    split = facts(x=table, y=column, validation_split=0.25)
    np.testing.assert_array_equal(split["validation"].y, Y[45:])


def test_a_table_that_cannot_be_read_is_said():
    class Broken(pd.DataFrame):
        def to_numpy(self, *args, **kwargs):
            raise ValueError("no numbers")

    found = facts(x=Broken(X), y=Y)
    assert [sentence for sentence in found["unseen"] if "no numbers" in sentence]
