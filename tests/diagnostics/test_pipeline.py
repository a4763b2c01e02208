from keras_course.diagnostics.pipeline import flat, source_rows, stages

import numpy as np
import pytest
import tensorflow as tf

X = np.arange(30, dtype="float32").reshape(10, 3)
Y = np.arange(10)
Dataset = tf.data.Dataset


def pairs():
    return Dataset.from_tensor_slices((X, Y))


def kinds(dataset):
    return [stage.kind for stage in stages(dataset)]


def half(x, y):
    return x / 2, y


def noisy(x, y):
    return x + tf.random.normal((3,)), y


def test_stages_stand_in_the_order_of_the_pipeline():
    dataset = pairs().map(half).cache().shuffle(7).repeat(2).batch(4).prefetch(tf.data.AUTOTUNE)
    assert kinds(dataset) == ["source", "map", "cache", "shuffle", "repeat", "batch", "prefetch"]
    assert [stage.detail["n"] for stage in stages(dataset)] == [10, 10, 10, 10, 20, 5, 5]


def test_parallel_variants_are_the_same_stages():
    dataset = pairs().map(half, num_parallel_calls=2).batch(4, num_parallel_calls=2)
    assert kinds(dataset) == ["source", "map", "batch"]
    assert stages(dataset)[-1].detail["size"] == 4


def test_a_shuffle_tells_buffer_seed_and_what_enters_it():
    one = stages(pairs().shuffle(7, seed=3, reshuffle_each_iteration=False))[-1].detail
    assert (one["buffer"], one["reshuffle"], one["of"]) == (7, False, 10)
    assert one["seed"] is not None
    other = stages(pairs().batch(5).shuffle(7))[-1].detail
    assert (other["reshuffle"], other["of"]) == (True, 2)  # its seed is that of the process, if one was set


def test_random_maps_are_told_from_fixed_ones():
    generator = tf.random.Generator.from_seed(1)

    def drawn(x, y):
        return x * generator.uniform(()), y

    @tf.function
    def inner(x):
        return x + tf.random.uniform(())

    found = [stages(pairs().map(f))[-1].detail["random"] for f in (half, noisy, drawn, lambda x, y: (inner(x), y))]
    assert found == [False, True, True, True]


def test_endless_and_unknown_counts_are_none():
    assert stages(pairs().repeat())[-1].detail == {"n": None, "count": -1, "of": 10}
    assert stages(pairs().filter(lambda x, y: y > 3))[-1].detail["n"] is None


def test_generators_are_named_and_nothing_but_data_sets_has_stages():
    dataset = Dataset.from_generator(lambda: iter([1]), output_signature=tf.TensorSpec((), tf.int32))
    assert kinds(dataset.batch(2))[-2:] == ["generator", "batch"]
    assert stages(X) == stages(None) == []


@pytest.mark.parametrize(
    ("x_seed", "y_seed", "apart"),
    [
        ("none", "absent", True),
        ("absent", "none", True),
        ("none", "none", True),
        (1, 2, True),
        (1, 1, False),
        ("absent", "absent", False),
    ],
)
def test_labels_shuffled_apart_from_inputs(x_seed, y_seed, apart):
    def leg(array, seed):
        dataset = Dataset.from_tensor_slices(array)
        return dataset if seed == "absent" else dataset.shuffle(10, seed=None if seed == "none" else seed)

    dataset = Dataset.zip((leg(X, x_seed), leg(Y, y_seed))).batch(5)
    assert stages(dataset)[0].detail["apart"] is apart
    assert stages(dataset)[0].detail["alike"] is False
    assert kinds(dataset) == ["zip", "batch"]


@pytest.mark.parametrize(
    "other",
    [
        lambda: Dataset.from_tensor_slices(X + 1).shuffle(10),  # two domains: any picture goes with any
        lambda: Dataset.counter(),  # seeds of an augmentation
        lambda: Dataset.random(seed=1),
    ],
    ids=["domains", "counter", "random"],
)
def test_legs_that_go_with_any_example_are_not_apart(other):
    detail = stages(Dataset.zip((Dataset.from_tensor_slices(X).shuffle(10), other())))[0].detail
    assert not detail["apart"] or detail["alike"]


@pytest.mark.parametrize(("seed", "apart"), [(None, True), (3, False)])
def test_labels_shuffled_apart_from_two_inputs(seed, apart):
    two = Dataset.zip((Dataset.from_tensor_slices(X), Dataset.from_tensor_slices(X + 1))).shuffle(10, seed=3)
    labels = Dataset.from_tensor_slices(np.arange(len(X))).shuffle(10, seed=seed)
    assert stages(Dataset.zip((two, labels)))[0].detail["apart"] is apart
    pictures = Dataset.from_tensor_slices(X).shuffle(10)  # without labels, beside pairs
    assert stages(Dataset.zip((two, pictures)))[0].detail["apart"] is False


def test_pairs_zipped_with_pairs_are_mixed_on_purpose():
    assert stages(Dataset.zip((pairs().shuffle(10), pairs().shuffle(10))))[0].detail["apart"] is False


def test_flat_goes_through_the_legs():
    dataset = Dataset.zip((Dataset.from_tensor_slices(X).shuffle(4), Dataset.from_tensor_slices(Y))).batch(2)
    assert [stage.kind for stage in flat(stages(dataset))] == ["source", "shuffle", "source", "zip", "batch"]


def test_rows_keep_the_order_of_the_source_and_go_through_maps():
    dataset = pairs().map(half).shuffle(10).repeat().batch(4).map(lambda x, y: (x + 1, y * 2)).prefetch(1)
    rows = source_rows(dataset)
    np.testing.assert_array_equal(rows.x, X / 2 + 1)
    np.testing.assert_array_equal(rows.y, Y * 2)
    assert rows.n == 10


def test_rows_are_at_most_limit_spread_evenly_over_all():
    rows = source_rows(Dataset.range(1000).batch(10), limit=5)
    np.testing.assert_array_equal(rows.x, [0, 249, 499, 749, 999])
    assert (rows.n, rows.y) == (1000, None)


def test_rows_of_a_part_are_those_of_the_part():
    np.testing.assert_array_equal(source_rows(pairs().skip(3).take(4)).y, [3, 4, 5, 6])
    np.testing.assert_array_equal(source_rows(pairs().take(4).skip(3)).y, [3])
    np.testing.assert_array_equal(source_rows(pairs().batch(2).skip(3).take(1)).y, [6, 7])


def test_rows_of_indices_are_the_examples_gathered():
    dataset = Dataset.range(10).shuffle(10).batch(3).map(lambda i: (tf.gather(X, i), tf.gather(Y, i)))
    np.testing.assert_array_equal(source_rows(dataset).x, X)


def test_rows_of_zipped_legs_are_paired_as_stored():
    rows = source_rows(Dataset.zip((Dataset.from_tensor_slices(X).shuffle(10), Dataset.from_tensor_slices(Y))))
    np.testing.assert_array_equal(rows.x[:, 0], 3 * rows.y)


def test_rows_beside_what_the_source_holds():
    """Of the first of its arrays, batched, mapped and zipped; numbers of rows are none."""
    noisy = pairs().skip(2).map(half).batch(3).map(lambda x, y: (x + tf.random.normal(tf.shape(x)), y))
    rows = source_rows(noisy)
    np.testing.assert_array_equal(rows.stored, X[2:])
    assert not np.array_equal(rows.x, X[2:] / 2)
    np.testing.assert_array_equal(rows.take(np.array([3, 1])).stored, X[[5, 3]])
    zipped = Dataset.zip((Dataset.from_tensor_slices(X).map(tf.abs), Dataset.from_tensor_slices(Y)))
    np.testing.assert_array_equal(source_rows(zipped).stored, X)
    assert source_rows(Dataset.range(10).map(lambda i: (tf.gather(X, i), tf.gather(Y, i)))).stored is None


def test_rows_of_windows_are_cut_as_the_script_cuts_them():
    from keras.utils import timeseries_dataset_from_array

    series = np.arange(20.0)[:, None] * [1, 10]
    windows = timeseries_dataset_from_array(
        series, np.arange(16) + 100, sequence_length=5, batch_size=3, shuffle=True, seed=2
    )
    rows = source_rows(windows.map(lambda x, y: (x * 2, y)))
    order = np.argsort(rows.y)
    np.testing.assert_array_equal(rows.x[order], 2 * np.stack([series[i : i + 5] for i in range(16)]))
    np.testing.assert_array_equal(rows.y[order], np.arange(16) + 100)
    assert rows.n == 16
    assert [stage.detail["of"] for stage in flat(stages(windows)) if stage.kind == "repeat"] == [1, 1, 1, 1]


def test_rows_of_one_thing_again_and_again_are_none():
    again = Dataset.from_tensors(X).repeat()
    for dataset in (again, again.batch(2), again.map(tf.abs)):
        assert source_rows(dataset) is None


@pytest.mark.parametrize(
    "dataset",
    [
        lambda: pairs().shuffle(10).take(4),  # which four, nobody knows
        lambda: pairs().filter(lambda x, y: y > 3),
        lambda: pairs().map(lambda x, y: (tf.py_function(lambda v: v, [x], tf.float32), y)),
        lambda: Dataset.from_generator(lambda: iter([1]), output_signature=tf.TensorSpec((), tf.int32)),
        lambda: pairs().take(0),
    ],
    ids=["part of a shuffle", "filter", "python", "generator", "empty"],
)
def test_rows_that_cannot_be_known_are_none(dataset):
    assert source_rows(dataset()) is None


def test_looking_runs_none_of_the_scripts_python_and_changes_no_later_draw():
    def epochs(look):
        tf.random.set_seed(3)
        calls = []

        def seen(x, y):
            calls.append(1)
            return noisy(x, y)

        dataset = pairs().map(seen).shuffle(10).batch(3)
        traced = len(calls)
        if look:
            assert source_rows(dataset) is not None
            stages(dataset)
        assert len(calls) == traced
        return [np.concatenate([x for x, _ in dataset.as_numpy_iterator()]) for _ in range(2)]

    np.testing.assert_array_equal(epochs(look=True), epochs(look=False))


def test_inputs_with_names_keep_them():
    parts = Dataset.from_tensor_slices(({"b": X, "a": X[:, :1]}, Y)).batch(4)
    rows = source_rows(parts)
    assert rows.names == ("a", "b")
    np.testing.assert_array_equal(rows.x, X[:, :1])
    np.testing.assert_array_equal(rows.further[0], X)
    assert source_rows(pairs()).names == ()


def test_of_three_parts_the_targets_are_those_that_the_loss_saw():
    """(user, thing, rating): the second part are no targets."""
    rng = np.random.default_rng(0)
    users, things, ratings = np.arange(60) % 7, np.arange(60) % 11, rng.normal(3, 1, 60).astype("float32")
    dataset = Dataset.from_tensor_slices((users, things, ratings)).shuffle(60).batch(8)
    rows = source_rows(dataset, like=ratings[10:40, None])
    np.testing.assert_array_equal(rows.x, users)
    np.testing.assert_array_equal(rows.y, ratings)
    np.testing.assert_array_equal(rows.further, [things])
    np.testing.assert_array_equal(source_rows(dataset).y, things)
    np.testing.assert_array_equal(source_rows(dataset, like=rng.normal(size=(9, 4))).y, things)
    pair = Dataset.from_tensor_slices((users, things))
    np.testing.assert_array_equal(source_rows(pair, like=ratings).y, things)
