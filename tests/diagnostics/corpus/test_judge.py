from keras_course.diagnostics.corpus import cases, judge

import pytest

KNOWN = [c for c in cases("development") if c.program.name in ("deep_wine", "odd_series")]


def answers(named, healthy=False, steps=200):
    return {
        "healthy": healthy,
        "named": [[n, 0.9, "", True, 3] for n in named],
        "steps": steps,
        "seconds": [2.0, 1.0, 3.0],
    }


def test_a_perfect_doctor_and_a_blind_one():
    perfect = {c.name: answers([min(c.right[0])] if c.faults else [], healthy=c.healthy) for c in KNOWN}
    sick, well = sum(not c.healthy for c in KNOWN), sum(c.healthy for c in KNOWN)
    found = judge.counts(KNOWN, perfect)
    assert found["faults detected"] == found["cause right at rank 1"] == (sick, sick)
    assert found["a cause that must not be named is named"] == (0, sick)
    assert found["false alarms on healthy runs"] == (0, well)
    blind = {c.name: answers([], healthy=True) for c in KNOWN}
    assert judge.counts(KNOWN, blind)["faults detected"] == (0, sick)
    alarmed = {c.name: answers(["leakage_feature"]) for c in KNOWN}
    found = judge.counts(KNOWN, alarmed)
    assert found["cause right in the first 3"] == (0, sick)
    assert found["a cause that must not be named is named"] == (sick, sick)
    assert found["false alarms on healthy runs"] == (well, well)


def test_rank_counts():
    late = {
        c.name: answers(["leakage_feature", "leakage_duplicates", min(c.right[0])] if c.faults else []) for c in KNOWN
    }
    found = judge.counts(KNOWN, late)
    assert found["cause right at rank 1"][0] == 0
    assert found["cause right in the first 3"][0] == found["cause right in the first 3"][1]


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"), [(0, 300, 0, 0.01222), (5, 10, 0.18709, 0.81291), (10, 10, 0.6915, 1)]
)
def test_exact_intervals(hits, n, low, high):
    assert judge.interval(hits, n) == pytest.approx((low, high), abs=1e-4)


def test_the_table_lists_what_was_wrong():
    text = judge.markdown("development", KNOWN, {c.name: answers([], healthy=True) for c in KNOWN})
    assert "`deep_wine/dead_units`: nothing" in text
    assert "| dead_units | 1 | 0 | 0 | 0 |" in text


def test_costs_are_shares_of_the_time_of_each_script():
    well, sick = (next(c for c in KNOWN if c.healthy == healthy) for healthy in (True, False))
    once = [c for c in KNOWN if not c.healthy][1]
    found = judge.costs([well, sick, once], {
        well.name: {"seconds": [2.0, 1.0, 0.0]}, sick.name: {"seconds": [10.0, 20.0, 30.0]},
        once.name: {"seconds": [0.0, 1.0, 1.0]},  # it failed at once
    })  # fmt: skip
    assert list(found.values()) == [f"{n:.2f} (nine of ten below {n:.2f})" for n in (0.5, 2, 3)]
    assert judge.costs([well], {well.name: {"error": "it took too long"}}) == {}
