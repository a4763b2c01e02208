import json
import logging

from keras_course.base import InputError, blank, on_demand, pick, require, summary_of, without_advice, worker_index

import pytest


def test_an_unknown_name_gets_the_nearest_and_the_list():
    with pytest.raises(InputError) as error:
        pick({"digits": 1, "mnist": 2}, "digit", "data set")
    assert str(error.value) == "No data set named 'digit'. Did you mean 'digits'? There are: digits, mnist."


def test_an_error_is_summed_up_in_a_line():
    assert summary_of(KeyError("a")) == "KeyError: 'a'"
    assert summary_of(ValueError("\nfirst\nsecond")) == "ValueError: first"
    assert summary_of(AssertionError()) == "AssertionError", "some say nothing"
    assert summary_of(ValueError(200 * "x")) == "ValueError: " + 120 * "x"


def test_a_name_near_to_none_gets_the_list_alone():
    with pytest.raises(InputError) as error:
        pick({"digits": 1}, "zzz", "data set")
    assert str(error.value) == "No data set named 'zzz'. There are: digits."


def test_require_says_field_rule_and_received():
    with pytest.raises(InputError, match=r"^`rate` must be between 0 and 1. Received: 1.5.$"):
        require(1.5 < 1, "rate", "between 0 and 1", 1.5)
    require(True, "rate", "anything", None)


def test_a_blank_is_the_function_itself():
    def function():
        return 3

    assert blank("training/x", hints=("think",))(function) is function


def test_which_worker_this_is_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 1}}')
    assert worker_index() == 1


@pytest.mark.parametrize(
    "text", ["", "{", "{}", "[]", '{"cluster": {"worker": ["a:1"]}, "task": {"index": 1}}', '{"cluster": 3, "task": 4}']
)
def test_a_cluster_that_says_nothing_is_refused(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match=r"`TF_CONFIG` must be JSON as .*Received: ") as error:
        worker_index()
    assert (text or "nothing") in str(error.value)


def test_advice_is_kept_out_and_comes_back():
    logger = logging.getLogger("tensorflow")
    before = logger.level
    with without_advice():
        assert not logger.isEnabledFor(logging.WARNING)
    assert logger.level == before


def test_a_name_brings_in_its_module_when_it_is_used():
    find, names = on_demand("json", {"JSONDecoder": "decoder", "JSONEncoder": "encoder"})
    assert find("JSONDecoder") is json.decoder.JSONDecoder
    assert names() == ["JSONDecoder", "JSONEncoder"]
    with pytest.raises(AttributeError, match="module 'json' has no attribute 'loads'"):
        find("loads")
