import functools

from keras_course.diagnostics.observation import Loss, Stage
from keras_course.diagnostics.rules import stream
from tests.diagnostics import typed
from tests.diagnostics.typed import RNG, SQUARED, training

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits

causes = functools.partial(typed.named, stream.RULES)

DIGITS, LABELS = load_digits(return_X_y=True)
SORTED = np.argsort(LABELS, kind="stable")
PATIENTS, PROGRESS = load_diabetes(return_X_y=True)


def buffered(buffer, order=SORTED, seed=0):
    """The order in which a shuffle buffer gives out what enters it."""
    rng, held, out = np.random.default_rng(seed), list(order[:buffer]), []
    for following in [*order[buffer:], *[None] * buffer]:
        place = rng.integers(len(held))
        out.append(held[place])
        if following is None:
            held.pop(place)
        else:
            held[place] = following
    return np.array(out)


def drawn(order, stages=None, y=LABELS, **more):
    x = DIGITS if len(y) == len(DIGITS) else PATIENTS
    seen = training(x[order], y[order], shuffle=False, **more)
    seen.pipeline = stages
    return seen


def shuffle(buffer, of=1797, **more):
    return Stage(kind="shuffle", detail={"buffer": buffer, "of": of, "reshuffle": True, "seed": None} | more)


def source():
    return Stage(kind="source", detail={"n": 1797})


@pytest.mark.parametrize("stored", [True, False])
def test_sorted_examples_without_a_shuffle(stored):
    assert causes(drawn(SORTED, stored=stored, looks=32)) == ({"data_sorted"}, set())


def test_ranks_that_are_written_as_several_labels():
    ranks = (LABELS[:, None] > np.arange(9)).astype("float32")
    assert causes(drawn(SORTED, y=ranks)) == ({"data_sorted"}, set())
    assert causes(drawn(np.random.default_rng(0).permutation(1797), y=ranks)) == (set(), set())
    for parts, found in ((3, {"data_sorted"}), (10, set())):  # 100 patterns are more than count as classes
        finer = parts * LABELS[:, None] + np.arange(1797)[:, None] % parts > np.arange(10 * parts - 1)
        assert causes(drawn(SORTED, y=finer.astype("float32"))) == (found, set())


@pytest.mark.parametrize("seed", range(20))
def test_examples_in_random_order_are_not_named(seed):
    assert causes(drawn(np.random.default_rng(seed).permutation(1797))) == (set(), set())


def test_the_published_order_of_the_digits_is_mixed():
    assert causes(drawn(np.arange(1797))) == (set(), set())


@pytest.mark.parametrize("buffer", [10, 100])
@pytest.mark.parametrize("seed", range(3))
def test_a_buffer_that_mixes_badly(buffer, seed):
    seen = drawn(buffered(buffer, seed=seed), [source(), shuffle(buffer), Stage(kind="batch")])
    assert causes(seen) == ({"shuffle_buffer_too_small"}, set())
    assert f"a buffer of {buffer} for 1797" in stream.shuffle_buffer_too_small(seen)[0].evidence


def test_buffers_that_mix_well_enough():
    assert causes(drawn(buffered(900), [source(), shuffle(900)])) == (set(), set())
    assert causes(drawn(buffered(1797), [source(), shuffle(1797)])) == (set(), set())


@pytest.mark.parametrize(("place", "expected"), [(1, {"data_sorted"}), (2, set())])
@pytest.mark.parametrize("kind", ["interleave", "flat_map"])
def test_a_shuffle_of_files_is_none_of_examples(kind, place, expected):
    stages = [source(), Stage(kind=kind, detail={"n": None}), Stage(kind="batch")]
    stages.insert(place, shuffle(100, of=None if place == 2 else 1))
    named, _ = causes(drawn(SORTED, stages))
    assert named == (expected or {"shuffle_buffer_too_small"})


def test_a_short_buffer_behind_a_random_source_is_a_note():
    order = RNG.permutation(1797)
    assert causes(drawn(order, [source(), shuffle(20)])) == (set(), {"shuffle_buffer_too_small"})


def test_a_short_buffer_of_a_sorted_source_is_named_before_any_batch_is_seen():
    seen = drawn(SORTED, [source(), shuffle(20)])
    seen.stream = []
    assert causes(seen) == ({"shuffle_buffer_too_small"}, set())


def test_batches_shuffled_instead_of_examples():
    batches = SORTED[:1792].reshape(-1, 32)
    seen = drawn(RNG.permuted(batches, axis=0).ravel(), None, looks=32)  # each column apart: mixed
    assert causes(seen) == (set(), set())
    seen = drawn(batches[RNG.permutation(56)].ravel(), [source(), Stage(kind="batch"), shuffle(100, of=57)], looks=32)
    assert causes(seen) == ({"pipeline_order"}, set())
    seen = drawn(RNG.permutation(1797), [source(), Stage(kind="batch"), shuffle(100, of=57)])
    assert causes(seen) == (set(), {"pipeline_order"})
    seen = drawn(RNG.permutation(1797), seen.pipeline, losses=[2.4] * 50)
    assert causes(seen) == ({"pipeline_order"}, set()), "where nothing at all was learned"


def test_a_random_map_before_a_cache():
    order = RNG.permutation(1797)
    random, fixed = (Stage(kind="map", detail={"random": r, "python": False}) for r in (True, False))
    cache = Stage(kind="cache")
    assert causes(drawn(order, [source(), random, cache, shuffle(1797)])) == ({"pipeline_order"}, set())
    assert causes(drawn(order, [source(), fixed, cache, shuffle(1797), random])) == (set(), set())


def test_repeat_before_shuffle_and_an_order_for_good_are_notes():
    order = RNG.permutation(1797)
    assert causes(drawn(order, [source(), Stage(kind="repeat"), shuffle(1797)])) == (set(), {"pipeline_order"})
    series = Stage(kind="repeat", detail={"of": 1})  # that windows are cut from
    assert causes(drawn(order, [source(), series, shuffle(1797)])) == (set(), set())
    assert causes(drawn(order, [source(), shuffle(1797, reshuffle=False)])) == (set(), {"pipeline_order"})


def test_legs_shuffled_apart_are_certain():
    leg = [source(), shuffle(1797)]
    for apart in (True, False):
        stages = [Stage(kind="zip", detail={"legs": [leg, leg], "apart": apart}), Stage(kind="batch")]
        found = stream.labels_from_another_leg(drawn(RNG.permutation(1797), stages))
        assert [f.cause for f in found if f.certain] == ["labels_shuffled_apart"] * apart


def test_numbers_in_order_are_sorted_where_each_input_is_one():
    x = np.linspace(0, 9, 1200)[:, None].astype("float32")
    seen = training(x, np.sin(x[:, 0]), loss=SQUARED, classes=1, shuffle=False, stored=False)
    assert [f.kind for f in stream.data_sorted(seen)] == ["named"]
    wide = training(np.repeat(x, 3, 1), np.sin(x[:, 0]), loss=SQUARED, classes=1, shuffle=False, stored=False)
    assert [f.kind for f in stream.data_sorted(wide)] == ["note"]


def test_pictures_of_two_domains_are_apart_only_as_input_and_target_of_fit():
    leg = [source(), shuffle(1797)]
    stages = [Stage(kind="zip", detail={"legs": [leg, leg], "apart": True, "alike": True}), Stage(kind="batch")]
    ways = ("fit", "binary_crossentropy", 1), ("fit", "", 0), ("custom train_step", "binary_crossentropy", 0)
    for interface, loss, certain in ways:
        seen = drawn(RNG.permutation(1797), stages)
        seen.interface, seen.loss = interface, Loss(name=loss)
        assert len(stream.labels_from_another_leg(seen)) == certain


def test_parts_of_a_moving_order_leak():
    moving, still = shuffle(1797), shuffle(1797, reshuffle=False)
    take, skip = (Stage(kind=kind, detail={"count": 300}) for kind in ("take", "skip"))

    def leaks(train, validation):
        seen = drawn(RNG.permutation(1797), train)
        seen.validation_pipeline = validation
        return bool(stream.split_below_a_shuffle(seen))

    assert leaks([source(), moving, skip], [source(), moving, take])
    assert not leaks([source(), still, skip], [source(), still, take])
    assert not leaks([source(), skip, moving], [source(), take])
    assert not leaks([source(), moving], [source(), moving])


def test_targets_that_rise_are_named_and_a_series_in_order_is_a_note():
    rising = training(
        PATIENTS[np.argsort(PROGRESS)],
        np.sort(PROGRESS) + 0.5,
        loss=SQUARED,
        classes=1,
        shuffle=False,
        batch=16,
        looks=20,
    )
    assert causes(rising) == ({"data_sorted"}, set())
    wave = np.sin(np.arange(2000) / 100).astype("float32")
    series = training(wave[:, None], wave, loss=SQUARED, classes=1, shuffle=False)
    assert causes(series) == (set(), {"data_sorted"})


def test_real_and_made_examples_in_turn_are_not_sorted():
    seen = drawn(RNG.permutation(1797))
    seen.stream = [np.full(32, step % 2) for step in range(24)]
    seen.train.y = np.arange(1797) % 2
    assert stream.data_sorted(seen) == []


def test_numbers_that_only_rise_are_surer_the_less_a_batch_mixes():
    x = np.linspace(-3, 3, 1200).astype("float32")
    seen = training(x[:, None], np.sin(x), shuffle=False, loss=SQUARED, classes=1, looks=32)
    (finding,) = stream.data_sorted(seen)
    assert finding.confidence > 0.9


@pytest.mark.parametrize(
    ("order", "right", "sure"),
    [(SORTED, 0.4, True), (SORTED, 0.9, False), (SORTED, None, False), (np.argsort(LABELS // 4), 0.4, False)],
)
def test_batches_of_one_class_are_certain_behind_a_shuffle_or_where_they_leave_much_wrong(order, right, sure):
    """Of a sorted order a batch has one class, or two; of one sorted by fours about four."""
    batch = Stage(kind="batch")
    for stages, rule in (
        ([source(), batch], stream.data_sorted),
        ([source(), shuffle(10), batch], stream.shuffle_buffer_too_small),
        ([source(), batch, shuffle(4, of=57)], stream.pipeline_order),
    ):
        (finding,) = rule(drawn(order, stages, experiments={} if right is None else {"right_train": right}))
        assert (finding.kind, finding.certain) == ("named", sure or (rule != stream.data_sorted and order is SORTED))


def test_measurements_in_order_that_leave_much_wrong_are_not_certain():
    order = np.argsort(PROGRESS)
    seen = training(PATIENTS[order], PROGRESS[order] + 0.5, loss=SQUARED, classes=1, shuffle=False, batch=16, looks=20)
    seen.experiments["right_train"] = 0.1
    assert [f.certain for f in stream.data_sorted(seen)] == [False]
