from keras_course import data
from keras_course.base import InputError
from keras_course.diagnostics import probe_data

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

SPLITS = data.load("digits")
TRAIN, TEST = SPLITS.train, SPLITS.test


def faults(*args, **more):
    return [finding.cause for finding in probe_data(*args, **more).faults]


def notes(*args, **more):
    return {finding.cause for finding in probe_data(*args, **more) if finding.kind == "note"}


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_found_in_clean_splits(seed):
    assert list(probe_data(data.load("digits", seed=seed))) == []


@pytest.mark.parametrize("load", [load_wine, load_breast_cancer, load_diabetes])
def test_tables_as_published_have_no_faults_but_their_scale(load):
    x, y = load(return_X_y=True)
    assert faults((x, y)) == []
    assert "constant_columns" not in notes((x, y))


def test_other_preprocessing_is_said_of_the_split_that_has_it():
    found = probe_data(TRAIN, validation=SPLITS.validation, test=(TEST.x * 255, TEST.y)).faults
    assert [f.cause for f in found] == ["train_val_preprocessing_mismatch"]
    assert "between train and test" in found[0].evidence
    assert "factor of 255" in found[0].evidence


@pytest.mark.parametrize("change", [lambda x: np.roll(x, 2, 2), lambda x: 1 - x, lambda x: x[:, ::-1]])
def test_inputs_of_another_population(change):
    assert faults(TRAIN, test=(change(TEST.x), TEST.y)) == ["input_shift"]


def test_repeats_across_any_two_splits():
    x, y = (np.concatenate([SPLITS.validation[i], TEST[i][:20]]) for i in (0, 1))
    found = probe_data(TRAIN, validation=(x, y), test=TEST).faults
    assert [f.cause for f in found] == ["leakage_duplicates"]
    assert "20 of 180 rows of test stand among the validation rows" in found[0].evidence


@pytest.mark.parametrize("which", ["train", "test"])
def test_a_class_that_one_split_lacks(which):
    def without(part):
        return part.x[part.y != 7], part.y[part.y != 7]

    parts = (without(TRAIN), TEST) if which == "train" else (TRAIN, without(TEST))
    found = probe_data(parts[0], test=parts[1]).faults
    assert [f.cause for f in found] == ["missing_class"]
    assert "class 7" in found[0].evidence
    assert f"none of {len(parts[which == 'test'][0])} of {which}" in found[0].evidence


def test_labels_that_are_wrong_in_one_split_are_found_there():
    rng = np.random.default_rng(0)
    wrong, y = rng.permutation(len(TEST.y))[:40], TEST.y.copy()
    y[wrong] = (y[wrong] + rng.integers(1, 10, 40)) % 10
    found = probe_data(TRAIN, validation=SPLITS.validation, test=(TEST.x, y))
    assert [f.cause for f in found.faults] == ["label_noise"]
    assert np.isin(found.suspects["test"], wrong).mean() > 0.9
    assert len(found.suspects["train"]) < 20


def test_a_rare_class():
    keep = (TRAIN.y != 4) | (np.cumsum(TRAIN.y == 4) <= 4)
    found = probe_data((TRAIN.x[keep], TRAIN.y[keep])).faults
    assert [f.cause for f in found] == ["class_imbalance"]
    assert "class 4 has 4 of" in found[0].evidence


def test_values_that_are_not_finite():
    x = TEST.x.copy()
    x[3] = np.nan
    found = probe_data(TRAIN, test=(x, TEST.y)).faults
    assert "nan_or_inf_in_data" in [f.cause for f in found]
    assert "in test" in found[0].evidence


def test_class_numbers_from_1():
    assert faults((TRAIN.x, TRAIN.y + 1)) == ["label_encoding"]
    assert faults((TRAIN.x, TRAIN.y + 1), classes=11) == []


def test_targets_dealt_out_at_random():
    assert faults((TRAIN.x, np.random.default_rng(0).permutation(TRAIN.y))) == ["labels_shuffled_apart"]


def test_notes_on_scale_order_and_columns():
    order = np.argsort(TRAIN.y, kind="stable")
    assert notes((TRAIN.x[order], TRAIN.y[order])) == {"data_sorted"}
    assert notes((TRAIN.x * 255, TRAIN.y)) == {"inputs_not_scaled"}
    assert notes(((TRAIN.x * 255).astype("uint8"), TRAIN.y)) == {"inputs_not_scaled"}
    assert notes((TRAIN.x / 255, TRAIN.y)) == {"inputs_scaled_twice"}
    x = np.random.default_rng(0).normal(size=(300, 4))
    x[:, 2] = 3
    assert notes((x, (x[:, 0] > 0).astype(int))) >= {"constant_columns"}


def test_pipelines_are_read_and_their_shuffle_judged():
    order = np.argsort(TRAIN.y, kind="stable")
    dataset = tf.data.Dataset.from_tensor_slices((TRAIN.x[order], TRAIN.y[order]))
    assert faults(dataset.shuffle(20).batch(32)) == ["shuffle_buffer_too_small"]
    assert faults(dataset.batch(32)) == ["data_sorted"]
    assert faults(dataset.shuffle(len(order)).batch(32)) == []
    labels = tf.data.Dataset.from_tensor_slices(TRAIN.y).shuffle(2000)
    images = tf.data.Dataset.from_tensor_slices(TRAIN.x)
    assert faults(tf.data.Dataset.zip((images, labels)).batch(32)) == ["labels_shuffled_apart"]


def test_generators_are_drawn_from():
    def examples():
        yield from zip(TRAIN.x[:300] * 255, TRAIN.y[:300], strict=True)

    spec = tf.TensorSpec((8, 8, 1)), tf.TensorSpec((), tf.int64)
    dataset = tf.data.Dataset.from_generator(examples, output_signature=spec)
    for given in (dataset, dataset.batch(32)):
        found = probe_data(given)
        assert found.table[0]["rows"] == 300
        assert [f.cause for f in found] == ["inputs_not_scaled"]


def test_texts_are_judged_by_labels_and_repeats():
    x, y = np.array([f"{'good' if i % 2 else 'bad'} text {i}" for i in range(400)]), np.arange(400) % 2
    assert faults((x, y), test=(x[:40], y[:40])) == ["leakage_duplicates"]
    assert faults((x[:300], y[:300]), test=(x[300:], y[300:])) == []
    assert faults((x, np.zeros(400, int))) == ["constant_labels"]
    assert faults((x, np.random.default_rng(0).permutation(y))) == ["labels_shuffled_apart"]


def test_it_prints_a_line_for_each_finding_and_a_table():
    text = str(probe_data((TRAIN.x * 255, TRAIN.y), test=TEST))
    assert text.splitlines()[0].startswith("fault  train_val_preprocessing_mismatch: ")
    assert "note   inputs_not_scaled: " in text
    assert text.splitlines()[-1].split()[:5] == ["test", "180", "10", "18", "18"]
    assert str(probe_data(TRAIN)).startswith("nothing found")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((TRAIN.x, TRAIN.y[:5]), "as many targets as inputs"),
        (3, "arrays"),
        (np.zeros((0, 3)), "arrays"),
        ({"x": TRAIN.x}, "arrays"),
    ],
)
def test_what_is_no_data_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        probe_data(given)
    with pytest.raises(InputError, match="`test`"):
        probe_data(TRAIN, test=given)
