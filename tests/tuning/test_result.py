import dataclasses
import math

from keras_course.base import InputError
from keras_course.tuning import SearchResult, Space, Trial

import pytest


def trial(number, *scores, status="completed", reason=None):
    curves = tuple({"loss": (2.0, math.nan), "val_accuracy": (0.5, score)} for score in scores)
    return Trial(number, f"{number:02}", {"hidden": number}, status, scores, reason, curves, 1.5, 2 * len(scores))


def result(folder, *trials, direction="max"):
    space = Space({"hidden": {"low": 0, "high": 9}})
    return SearchResult(folder, "a/b", "random", "val_accuracy", direction, 3, space, trials, ("one was damaged",))


def test_the_mean_and_the_sample_deviation_of_a_trial():
    assert trial(0, 0.2, 0.4, 0.9).mean == pytest.approx(0.5)
    assert trial(0, 0.2, 0.4, 0.9).deviation == pytest.approx(math.sqrt((0.09 + 0.01 + 0.16) / 2))
    assert trial(0, 0.2).deviation is None
    assert math.isnan(trial(0, status="failed").mean)


@pytest.mark.parametrize(("direction", "order"), [("max", [2, 0, 3]), ("min", [3, 0, 2])])
def test_the_ranking_is_by_the_mean_and_leaves_failures_out(tmp_path, direction, order):
    found = result(
        tmp_path,
        trial(0, 0.5, 0.6),
        trial(1, status="failed", reason="It ran out of memory."),
        trial(2, 0.9, 0.8),
        trial(3, 0.1, 0.2),
        direction=direction,
    )
    assert [ranked.trial.number for ranked in found.ranking()] == order
    assert found.best.number == order[0]


def test_of_equals_the_earliest_is_best(tmp_path):
    assert result(tmp_path, trial(0, 0.5), trial(1, 0.7), trial(2, 0.7)).best.number == 1


def test_noise_is_pooled_over_the_trials(tmp_path):
    found = result(tmp_path, trial(0, 0.1, 0.3), trial(1, 0.5, 0.6, 0.7), trial(2, 0.9))
    # variances .02 with one degree of freedom and .01 with two
    assert found.noise == pytest.approx(math.sqrt((0.02 + 2 * 0.01) / 3))


def test_two_trials_are_tied_when_their_means_differ_by_less_than_two_standard_errors(tmp_path):
    # pooled deviation .1, so the error of a difference of two means of two is .1, and two of it are .2
    spread = 0.1 / math.sqrt(2)
    pair = lambda mean: (mean - spread, mean + spread)  # noqa: E731
    found = result(tmp_path, trial(0, *pair(0.9)), trial(1, *pair(0.71)), trial(2, *pair(0.50)))
    assert found.noise == pytest.approx(0.1)
    assert [ranked.tied for ranked in found.ranking()] == [False, True, False]


def test_with_one_execution_nobody_knows_what_is_noise(tmp_path):
    found = result(tmp_path, trial(0, 0.5), trial(1, 0.50001))
    assert found.noise is None
    assert [ranked.tied for ranked in found.ranking()] == [None, None]


def test_what_is_written_is_what_is_read(tmp_path):
    found = result(tmp_path, trial(0, 0.1, 1 / 3), trial(1, status="failed", reason="ValueError: no."))
    found.write()
    again = SearchResult.read(tmp_path)
    assert repr(again.trials) == repr(found.trials), "to the bit, NaN of a curve included"
    assert dataclasses.replace(again, trials=(), space=found.space) == dataclasses.replace(found, trials=())
    assert again.space == found.space


def test_a_result_that_is_missing_or_damaged_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match="was broken off; `--resume` ends it"):
        SearchResult.read(tmp_path)
    whole = result(tmp_path, trial(0, 0.5)).write()
    for content in (whole.read_text()[:-30], "", "[]", "{}"):
        whole.write_text(content)
        with pytest.raises(InputError, match="is damaged: `--resume` writes it again"):
            SearchResult.read(tmp_path)


def test_a_search_in_which_all_failed_says_why_the_last_did(tmp_path):
    with pytest.raises(InputError, match=r"no completed trial: of 1, the last says: ValueError: no\."):
        result(tmp_path, trial(0, status="failed", reason="ValueError: no.")).best  # noqa: B018
