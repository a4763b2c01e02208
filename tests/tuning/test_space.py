import re

from keras_course.base import InputError
from keras_course.tuning import Space

import pytest


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"low": 3, "high": 1}, r"`space\['x'\]` must be a range whose low end is not above its high end"),
        ({"low": 0.0, "high": 0.0}, r"must be more than the single value 0\.0: leave it out and give it"),
        ({"low": 0.0, "high": 0.5, "step": 0.2}, r"must divide the range from 0\.0 to 0\.5: steps of 0\.2 end at 0\.4"),
        ({"low": 8, "high": 30, "step": 8}, r"steps of 8 end at 24\. Received: 8"),
        ({"low": 0.0, "high": 1.0, "step": -0.5}, r"`space\['x'\]\['step'\]` must be a number above 0"),
        ({"low": 0.0, "high": 1.0, "scale": "log"}, r"must be a range above 0 on a log scale"),
        ({"low": 0.1, "high": 1.0, "scale": "log", "step": 0.1}, r"must be a range without a step on a log scale"),
        ({"low": 0.1, "high": 1.0, "scale": "logarithmic"}, r"must be one of linear, log"),
        ({"low": 0.1}, r"must be a range with two finite numbers"),
        ({"low": 0.1, "high": float("nan")}, r"must be a range with two finite numbers"),
        ({"low": True, "high": 2}, r"must be a range with two finite numbers"),
        ({"lo": 0.1, "high": 1.0}, r"No key 'lo' in space\['x'\]\. Did you mean 'low'\? There are: low, high"),
        ([], r"must be a list of at least 2 choices"),
        ([7], r"must be a list of at least 2 choices"),
        ([1, "a"], r"must be all numbers, all texts, all true or false, or all tuples"),
        ([1, True], r"must be all numbers, all texts"),
        ([1, 1.0], r"must be a list in which no choice comes twice"),
        ({"choices": [1, 2], "low": 1}, r"must be either choices or a range"),
        (0.5, r"must be a list of choices or \{"),
        ({"choices": [1, 2], "when": {"z": 1}}, r"must name a parameter that stands before 'x'.*Received: 'z'"),
        ({"choices": [1, 2], "when": {"parent": "c"}}, r"must be on values that 'parent' can take: a, b"),
        ({"choices": [1, 2], "when": {"parent": []}}, r"must be on values that 'parent' can take: a, b"),
        ({"choices": [1, 2], "when": {"parent": ["a", "b"]}}, r"must be on some values of 'parent' only"),
        ({"choices": [1, 2], "when": {"rate": 0.5}}, r"must be on choices or steps, which 'rate' does not have"),
    ],
)
def test_what_no_search_can_mean_is_refused_in_one_sentence(entry, words):
    before = {"parent": ["a", "b"], "rate": {"low": 0.1, "high": 0.9}}
    with pytest.raises(InputError) as refusal:
        Space(before | {"x": entry})
    assert re.search(words, str(refusal.value)), refusal.value
    assert "\n" not in str(refusal.value)


def test_an_empty_space_is_refused():
    with pytest.raises(InputError, match="at least one entry"):
        Space({})


@pytest.mark.parametrize(
    ("name", "entry", "words"),
    [
        ("learning_rate", {"low": 1e-5, "high": 1e-1}, r"spans 4 decades on a linear scale, so only 10% of the draws"),
        ("units", {"low": 1, "high": 1000}, r"spans 3 decades"),
        ("learning_rate", {"low": 0.0, "high": 0.1}, r"starts at 0 on a linear scale"),
        ("learning_rate", {"low": 1e-5, "high": 1e-1, "scale": "log"}, None),
        ("dropout", {"low": 0.0, "high": 0.5}, None),
        ("units", {"low": 8, "high": 128}, None),
        ("momentum", {"low": 0.5, "high": 0.99}, None),
    ],
)
def test_what_is_seldom_meant_is_a_sentence_of_warning(name, entry, words):
    found = Space({name: entry}).warnings
    assert bool(found) == (words is not None)
    if words:
        assert re.search(words, found[0])
        assert f"`{name}`" in found[0]


def test_the_share_that_a_warning_names_is_that_of_the_draws():
    assert "only 9%" in Space({"rate": {"low": 0.01, "high": 1.0}}).warnings[0]  # (.1 - .01) / (1 - .01)


def test_steps_reach_both_ends_without_tails_of_rounding():
    assert Space({"x": {"low": 0.0, "high": 0.5, "step": 0.1}}).parameters["x"].values == (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
    assert Space({"x": {"low": 8, "high": 32, "step": 8}}).parameters["x"].values == (8, 16, 24, 32)
    assert Space({"x": {"low": 8, "high": 10}}).parameters["x"].values == (8, 9, 10)
    assert Space({"x": {"low": 0.0, "high": 0.5}}).parameters["x"].values is None


def test_the_builder_is_given_tuples_and_the_searcher_texts():
    space = Space({"filters": [(16,), (16, 32)], "kind": ["a", "b"]})
    assert space.parameters["filters"].choices == ("16", "16 32")
    assert space.arguments({"filters": "16 32", "kind": "a"}) == {"filters": (16, 32), "kind": "a"}


def test_values_whose_condition_does_not_hold_are_not_active():
    space = Space(
        {
            "depth": {"low": 1, "high": 3},
            "skip": {"choices": [True, False], "when": {"depth": [2, 3]}},
            "kind": {"choices": ["add", "concat"], "when": {"skip": True}},
        }
    )
    full = {"depth": 1, "skip": True, "kind": "add"}
    assert space.active(full) == {"depth": 1}, "a child of what is not there is not there"
    assert space.active(full | {"depth": 2}) == {"depth": 2, "skip": True, "kind": "add"}
    assert space.active(full | {"depth": 2, "skip": False}) == {"depth": 2, "skip": False}


def test_a_space_is_the_same_after_it_was_written_and_read():
    entries = {
        "filters": [(16,), (16, 32)],
        "rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},
        "dropout": {"low": 0, "high": 0.5, "step": 0.25},
        "momentum": {"choices": [0, 0.9], "when": {"filters": [(16, 32)]}},
    }
    space = Space(entries)
    again = Space(space.plain())
    assert again == space
    assert again.plain() == space.plain()
    assert again != Space(entries | {"dropout": [0.1, 0.2]})
    assert str(again.parameters["momentum"]) == "one of 0.0, 0.9, when filters is 16 32"
