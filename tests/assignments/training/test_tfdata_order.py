import itertools
import math

from assignments.training.tfdata_order import Settings, freshness, ways_to_feed
from keras_course.check import Mutant, points, same

import numpy as np
import pytest


def covered(cases):
    from assignments.training.tfdata_order import coverage

    return [coverage(batches, n) for batches, n in cases]


def together(cases):
    from assignments.training.tfdata_order import togetherness

    return [togetherness(batches, n) for batches, n in cases]


def orders(numbers, batch_size, epochs):
    import itertools

    from assignments.training.tfdata_order import Settings, measure

    settings = Settings(numbers=numbers, batch_size=batch_size, epochs=epochs, seed=3)
    permutations = itertools.permutations(("shuffle", "batch", "repeat"))
    return {" ".join(order): measure(order, settings) for order in permutations}


def epochs_of(n, batch_size, epochs, seed):
    """Each batch has a column of the images' numbers and a column of what the augmentation drew for them."""
    from assignments.training.tfdata_order import input_pipeline

    import tensorflow as tf

    noise = tf.random.Generator.from_seed(1)
    dataset = input_pipeline(
        tf.data.Dataset.range(n),
        lambda image: tf.stack([image, noise.uniform_full_int((), tf.int64)]),
        n=n,
        batch_size=batch_size,
        seed=seed,
    )
    return [list(dataset.take(2 * n).as_numpy_iterator()) for _ in range(epochs)]  # `take`: a `repeat` may stand there


def shapes_augmented(images, batch_size):
    from assignments.training.tfdata_order import input_pipeline

    import tensorflow as tf

    seen = []

    def augment(image):
        seen.append(tuple(image.shape))
        return -image

    source = tf.data.Dataset.from_tensor_slices(images)
    dataset = input_pipeline(source, augment, n=len(images), batch_size=batch_size, seed=0)
    return sorted(set(seen)), list(dataset.take(2 * len(images)).as_numpy_iterator())


def reads(n, epochs):
    from assignments.training.tfdata_order import input_pipeline

    import numpy as np
    import tensorflow as tf

    counts = np.zeros(n, "int64")

    def read(i):
        counts[i] += 1
        return i

    source = tf.data.Dataset.range(n).map(lambda i: tf.ensure_shape(tf.numpy_function(read, [i], tf.int64), ()))
    dataset = input_pipeline(source, lambda image: image, n=n, batch_size=2, seed=0)
    for _ in range(epochs):
        list(dataset.take(2 * n))
    return counts


def made_ahead(batches, batch_size):
    """How many images are augmented when one batch has been asked for and the pipeline has had time for a second."""
    import itertools
    import time

    from assignments.training.tfdata_order import input_pipeline

    import numpy as np
    import tensorflow as tf

    numbers, made = itertools.count(1), [0]

    def mark(image):
        made[0] = next(numbers)
        return np.int64(image)

    n, options = batches * batch_size, tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False  # they run ahead unasked
    dataset = input_pipeline(
        tf.data.Dataset.range(n).with_options(options),
        lambda image: tf.ensure_shape(tf.numpy_function(mark, [image], tf.int64), ()),
        n=n,
        batch_size=batch_size,
        seed=0,
    )
    iterator = iter(dataset)
    next(iterator)
    for _ in range(300):  # ends at once where the second batch is made unasked
        if made[0] >= 2 * batch_size:
            break
        time.sleep(0.01)
    return made[0]


def stream(*batches):
    return [np.array(batch) for batch in batches]


def ragged_stream(n, *, copies, seed):
    """`copies` copies of 0 … n-1 in one uniform order, in batches of 1 to 4: some examples meet themselves."""
    rng = np.random.default_rng(seed)
    draws = rng.permutation(np.repeat(np.arange(n), copies))
    ends = np.cumsum(rng.integers(1, 5, size=len(draws)))
    return [batch for batch in np.split(draws, ends[ends < len(draws)]) if len(batch)]


def togetherness_pair_by_pair(batches, n):
    places = [[place for place, batch in enumerate(batches) for example in batch if example == i] for i in range(n)]
    pairs = itertools.combinations(range(n), 2)
    again = [places[i][1] == places[j][1] for i, j in pairs if places[i][0] == places[j][0]]
    return sum(again) / len(again)


def images_of(epoch):
    return np.concatenate([batch[:, 0] for batch in epoch])


@points(2)
def test_coverage_counts_the_examples_seen_exactly_once(subject):
    """Coverage is the share of the n examples that the first n draws show exactly once."""
    cases = [
        [stream([3, 0], [3, 4, 1], [2, 0, 1, 2, 4]), 5],  # once: 0, 1, 4; example 3 twice, example 2 too late
        [stream([3, 0, 3, 1, 1, 4, 2], [2, 0, 4]), 5],  # the fifth draw stands inside a batch
        [stream([1, 1, 0], [2, 2, 0]), 3],  # the last example never
        [stream([0, 0], [1, 1]), 2],
    ]
    same(subject(covered, cases=cases), [3 / 5, 1 / 5, 1 / 3, 0.0])


def test_coverage_of_an_epoch_that_holds_each_example_once_is_1_whatever_follows(subject):
    batches = stream([4, 2], [0, 3], [1], [0, 0], [0, 0], [0])
    same(subject(covered, cases=[[batches, 5]]), [1.0])


@points(2)
def test_togetherness_is_that_of_pairs_counted_by_hand(subject):
    """Togetherness is the share of the pairs of a first batch that meet again at their second appearance."""
    cases = [
        # first 01 02 03 12 13 23, again 01 23
        [stream([0, 1, 2, 3], [4], [0, 1], [2, 4, 3]), 5],
        # first 01 02 12 34, again 34; a third epoch does not count
        [stream([0, 1, 2], [3, 4], [0], [3, 4, 1], [2], [0, 1, 2, 3, 4]), 5],
        # batches kept whole, in another order
        [stream([0, 1], [2, 3, 4], [4, 2, 3], [1, 0]), 5],
        # the rows of a table, then its columns
        [stream([0, 1, 2], [3, 4, 5], [0, 3], [1, 4], [2, 5]), 6],
    ]
    same(subject(together, cases=cases), [2 / 6, 1 / 4, 1.0, 0.0])


def test_togetherness_goes_by_appearance_where_epochs_are_mixed(subject):
    """An example may come twice before another comes once, even twice in one batch."""
    cases = [[ragged_stream(n, copies=copies, seed=n), n] for n, copies in ((7, 3), (30, 2), (41, 3))]
    same(subject(together, cases=cases), [togetherness_pair_by_pair(batches, n) for batches, n in cases])


@points(2)
def test_an_epoch_holds_each_example_once_where_shuffle_comes_before_repeat(subject):
    """Shuffle before repeat covers each epoch exactly once; after it, shuffle mixes the epochs."""
    for order, row in subject(orders, numbers=500, batch_size=24, epochs=3).items():
        whole = order.index("shuffle") < order.index("repeat")
        assert (row["coverage"] == 1) == whole, f"{order}: coverage {row['coverage']:.3f}"


def test_coverage_of_repeat_then_shuffle_is_that_of_its_buffer(subject):
    """Repeat, then shuffle with a buffer of one epoch, covers (1 - 1/e)² + 1/e² of an epoch."""
    # An example's first copy waits in the buffer from the start and is out in time with chance 1 - 1/e. Its second
    # copy enters when a share u of the epoch is left, and is out in time with chance 1 - exp(-u), u uniform.
    row = subject(orders, numbers=4000, batch_size=48, epochs=2)["repeat shuffle batch"]
    same(row["coverage"], (1 - 1 / math.e) ** 2 + 1 / math.e**2, atol=0.025)


@points(2)
def test_batch_members_stay_together_where_batch_comes_first(subject):
    """Batch before shuffle and repeat keeps the members of a batch together; shuffle before batch parts them."""
    n, size = 500, 24
    rows = subject(orders, numbers=n, batch_size=size, epochs=3)
    for order in ("batch shuffle repeat", "batch repeat shuffle"):
        same(rows[order]["togetherness"], 1.0, what=order)
    for order in ("shuffle batch repeat", "shuffle repeat batch"):
        same(rows[order]["togetherness"], (size - 1) / (n - 1), atol=0.015, what=order)


@points(2)
def test_every_image_comes_newly_augmented_each_epoch(subject):
    """No augmented image comes twice, in one epoch or in the next."""
    epochs = subject(epochs_of, n=13, batch_size=5, epochs=3, seed=0)
    drawn = np.concatenate([batch[:, 1] for epoch in epochs for batch in epoch])
    assert len(set(drawn.tolist())) == 3 * 13, f"{len(set(drawn.tolist()))} different augmentations, expected 39"


def test_every_epoch_has_every_image_once_in_whole_batches_and_a_rest(subject):
    for epoch in subject(epochs_of, n=13, batch_size=5, epochs=2, seed=0):
        same([len(batch) for batch in epoch], [5, 5, 3], what="sizes of the batches")
        same(np.sort(images_of(epoch)), np.arange(13), what="images of an epoch")


def test_images_are_shuffled_and_not_batches(subject):
    """Each epoch has a new order, in which no batch has the members of an earlier one."""
    epochs = subject(epochs_of, n=60, batch_size=6, epochs=3, seed=0)
    members = [frozenset(batch[:, 0].tolist()) for epoch in epochs for batch in epoch]
    ordered = [frozenset(range(start, start + 6)) for start in range(0, 60, 6)]
    assert len(set(members + ordered)) == 3 * 10 + 10, "a batch of one epoch comes again in another, or is not shuffled"


def test_the_shuffle_reaches_across_all_images(subject):
    """In ten epochs, one of the last images comes among the first, as it does not with a smaller buffer."""
    epochs = subject(epochs_of, n=100, batch_size=10, epochs=10, seed=0)
    early = np.concatenate([images_of(epoch)[:10] for epoch in epochs])
    assert early.max() >= 90, f"the largest of 0 … 99 among the first ten of ten epochs is {early.max()}"


def test_the_seed_fixes_the_order_of_the_images(subject):
    first, again, other = (images_of(subject(epochs_of, n=20, batch_size=4, epochs=1, seed=s)[0]) for s in (5, 5, 6))
    same(again, first, what="the same seed again")
    assert (other != first).any(), "two seeds give one order"


def test_images_are_augmented_one_at_a_time(subject):
    images = np.random.default_rng(0).normal(size=(5, 2, 3)).astype("float32")
    shapes, batches = subject(shapes_augmented, images=images, batch_size=2)
    same(shapes, [(2, 3)], what="shapes that the augmentation was given")
    found = np.concatenate(batches)
    same(found[np.argsort(found[:, 0, 0])], -images[np.argsort(-images[:, 0, 0])])


@points(2)
def test_no_image_is_read_twice_in_three_epochs(subject):
    same(subject(reads, n=7, epochs=3), np.ones(7, "int64"), what="reads of each image")


def test_the_next_batch_is_made_while_one_is_in_use(subject):
    # Far more images than a parallel map holds, which would run ahead of its batch by one image for each core.
    made = subject(made_ahead, batches=3, batch_size=1000)
    assert made >= 2000, f"{made} images were augmented for the first batch of 1000, and then no more"


@pytest.mark.parametrize(("numbers", "size", "epochs", "each", "once"), [(50, 8, 3, 3, 1), (48, 8, 3, 0, 0)])
def test_batch_before_repeat_leaves_a_short_batch_each_epoch(numbers, size, epochs, each, once):
    for order, row in orders(numbers, size, epochs).items():
        expected = each if order.index("batch") < order.index("repeat") else once
        assert row["short batches"] == expected, order


def test_all_numbers_of_the_pipeline_are_fresh():
    assert freshness(70, Settings()) == 1.0


def test_every_way_to_feed_gives_the_same_scaled_images_once():
    images = (np.random.default_rng(0).integers(0, 256, (7, 2, 3, 1)) / 255).astype("float32")
    for label, pipeline in ways_to_feed(images, Settings(batch_size=3)).items():
        batches = [b[0] if isinstance(b, tuple) else b for b in pipeline.as_numpy_iterator()]
        found = np.concatenate(batches)
        assert [len(batch) for batch in batches] == [3, 3, 1], label
        in_order = [part[np.lexsort(part.reshape(7, -1).T)] for part in (found, images)]
        assert np.abs(in_order[0] - in_order[1]).max() < 1e-6, label


FILE = "assignments/training/tfdata_order.py"
PIPELINE = "images.cache().shuffle(n, seed=seed).map(augment, num_parallel_calls=tf.data.AUTOTUNE)"
END = "dataset.batch(batch_size).prefetch(tf.data.AUTOTUNE)"
MUTANTS = [
    Mutant(
        file=FILE,
        old=PIPELINE,
        new="images.map(augment, num_parallel_calls=tf.data.AUTOTUNE).cache().shuffle(n, seed=seed)",
        caught_by="test_every_image_comes_newly_augmented_each_epoch",
        trap="shuffle after cache of augmented data",
    ),
    Mutant(
        file=FILE,
        old="images.cache().shuffle(n, seed=seed)",
        new="images.shuffle(n, seed=seed).cache()",
        caught_by="test_images_are_shuffled_and_not_batches",
        trap="the order is cached too",
    ),
    Mutant(
        file=FILE,
        old=f"dataset = {PIPELINE}\n    return {END}",
        new="return images.cache().map(augment).batch(batch_size).shuffle(n, seed=seed).prefetch(1)",
        caught_by="test_images_are_shuffled_and_not_batches",
        trap="batches are shuffled",
    ),
    Mutant(
        file=FILE,
        old="images.cache().shuffle(n, seed=seed)",
        new="images.cache().shuffle(3 * batch_size, seed=seed)",
        caught_by="test_the_shuffle_reaches_across_all_images",
        trap="a buffer of a few batches",
    ),
    Mutant(
        file=FILE,
        old="images.cache().shuffle(n, seed=seed)",
        new="images.shuffle(n, seed=seed)",
        caught_by="test_no_image_is_read_twice_in_three_epochs",
        trap="no cache",
    ),
    Mutant(
        file=FILE,
        old="images.cache().shuffle(n, seed=seed)",
        new="images.cache().shuffle(n)",
        caught_by="test_the_seed_fixes_the_order_of_the_images",
        trap="the seed is forgotten",
    ),
    Mutant(
        file=FILE,
        old="dataset.batch(batch_size).prefetch",
        new="dataset.batch(batch_size, drop_remainder=True).prefetch",
        caught_by="test_every_epoch_has_every_image_once_in_whole_batches_and_a_rest",
        trap="the short batch is dropped",
    ),
    Mutant(
        file=FILE,
        old=END,
        new="dataset.batch(batch_size)",
        caught_by="test_the_next_batch_is_made_while_one_is_in_use",
        trap="no prefetch",
    ),
    Mutant(
        file=FILE,
        old=f"dataset = {PIPELINE}\n    return {END}",
        new="return images.cache().shuffle(n, seed=seed).batch(batch_size).map(augment).prefetch(1)",
        caught_by="test_images_are_augmented_one_at_a_time",
        trap="one augmentation for a whole batch",
    ),
    Mutant(
        file=FILE,
        old="np.concatenate(batches)[:n]",
        new="np.concatenate(batches)",
        caught_by="test_coverage_of_an_epoch_that_holds_each_example_once_is_1_whatever_follows",
        trap="coverage of the whole stream",
    ),
    Mutant(
        file=FILE,
        old="np.mean(np.bincount(draws, minlength=n) == 1)",
        new="np.mean(np.bincount(draws, minlength=n) > 0)",
        caught_by="test_coverage_counts_the_examples_seen_exactly_once",
        trap="seen at all instead of once",
    ),
    Mutant(
        file=FILE,
        old="np.bincount(draws, minlength=n)",
        new="np.bincount(draws)",
        caught_by="test_coverage_counts_the_examples_seen_exactly_once",
        trap="examples after the last one seen are not counted",
    ),
    Mutant(
        file=FILE,
        old=" & ~np.eye(n, dtype=bool)",
        new="",
        caught_by="test_togetherness_is_that_of_pairs_counted_by_hand",
        trap="an example counts as its own companion",
    ),
    Mutant(
        file=FILE,
        old="np.mean((second[:, None] == second)[met])",
        new="np.mean(met[(second[:, None] == second) & ~np.eye(n, dtype=bool)])",
        caught_by="test_togetherness_is_that_of_pairs_counted_by_hand",
        trap="the two appearances exchanged",
    ),
    Mutant(
        file=FILE,
        old="by_example[start], by_example[start + 1]",
        new="place[np.argsort(draws[:n])], place[n:][np.argsort(draws[n : 2 * n])]",
        caught_by="test_togetherness_goes_by_appearance_where_epochs_are_mixed",
        trap="the second n draws are taken for the second appearances",
    ),
    Mutant(
        file="keras_course/data/pipeline.py",
        old="steps[step](d), order, dataset)",
        new="steps[step](d), ('shuffle', 'batch', 'repeat'), dataset)",
        caught_by="test_an_epoch_holds_each_example_once_where_shuffle_comes_before_repeat",
        trap="one order for all six",
    ),
    Mutant(
        file="keras_course/data/pipeline.py",
        old="d.shuffle(buffer, seed=seed)",
        new="d.shuffle(buffer * epochs, seed=seed)",
        caught_by="test_coverage_of_repeat_then_shuffle_is_that_of_its_buffer",
        trap="a buffer of all epochs",
    ),
    Mutant(
        file="keras_course/data/pipeline.py",
        old="d.shuffle(buffer, seed=seed)",
        new="d.shuffle(buffer // 10, seed=seed)",
        caught_by="test_batch_members_stay_together_where_batch_comes_first",
        trap="a buffer of two batches",
    ),
]
