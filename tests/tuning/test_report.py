"""The report of a search: what it says follows from the trials."""

import json
import re

from keras_course.tuning import report
from keras_course.tuning.plan import Folder
from keras_course.tuning.result import SearchResult, Trial
from keras_course.tuning.space import Space

import numpy as np
import pytest

SPACE = Space(
    {
        "filters": [(4,), (4, 8)],
        "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},
        "units": [4, 64],
        "skip": {"choices": [True, False], "when": {"filters": [(4, 8)]}},
    }
)
PLAN = {"what": "keras_course.models.cnn.cnn", "batch_size": 64, "epochs": 3, "settings": {"optimizer": "adam"}}
FAILED = "The loss became nan in epoch 0. Diagnosis: learning_rate_too_high, steps that are too large."


def trial(number, *scores, status="completed", rate=None, reason=None):
    filters = ("4", "4 8")[number % 2]
    values = {
        "filters": filters,
        "learning_rate": rate or 10 ** (-4 + 0.25 * number),
        "units": (4, 64)[number // 2 % 2],
    }
    values |= {"skip": number % 4 == 1} if filters == "4 8" else {}
    curves = tuple({"loss": (2.0, 1.0), "val_accuracy": (score / 2, score)} for score in scores)
    return Trial(number, str(number), values, status, scores, reason, curves, 60.0, 2 * len(scores))


def result_of(folder, trials, method="random", direction="max", set_aside=()):
    found = SearchResult(folder, "mine/try", method, "val_accuracy", direction, 7, SPACE, tuple(trials), set_aside)
    (folder / "search.json").write_text(json.dumps(PLAN))
    return found


def written(result):
    return report.write(result).read_text()


def table(text, heading):
    """The rows below a heading, as lists of cells."""
    part = text.split(f"## {heading}")[1].split("\n## ")[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in part.splitlines() if line.startswith("|")]


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    # the score follows the rate alone; the first two differ by less than one execution scatters
    middle = [trial(n, 0.9 - 0.01 * n - 0.002, 0.9 - 0.01 * n + 0.002) for n in range(2, 12)]
    first = [trial(0, 0.90, 0.91), trial(1, 0.899, 0.909)]
    failed = trial(12, status="failed", reason=FAILED)
    note = "`trial_3/record.json` was damaged: it is set aside."
    text = written(result_of(folder, [*first, *middle, failed], set_aside=(note,)))
    return folder, text


def test_it_says_first_what_was_found_and_what_of_it_is_noise(text):
    _, text = text
    assert text.startswith(
        "# Search `mine/try`\n\nRandom search from seed 7: 13 trials, 12 completed, 1 failed; 48 epochs"
    )
    assert "The objective is `val_accuracy`, more is better." in text
    assert "**Best: trial 0 with val_accuracy 0.9050 ± 0.0071 (2 executions).** Inside its noise is trial 1." in text


def test_the_table_has_every_completed_trial_best_first(text):
    rows = table(text[1], "Trials, best first")
    columns = ["filters", "learning_rate", "units", "skip"]
    assert rows[0] == ["place", "trial", "val_accuracy", "±", "tied", *columns, "epochs", "time"]
    assert [row[1] for row in rows[2:]] == [str(n) for n in range(12)]
    assert rows[3] == ["2", "1", "0.9040", "0.0071", "yes", "4 8", "0.000178", "4", "True", "4", "60 s"]
    assert rows[4] == ["3", "2", "0.8800", "0.0028", "", "4", "0.000316", "64", "–", "4", "60 s"]


def test_a_failure_is_there_with_its_reason_and_what_was_damaged_too(text):
    rows = table(text[1], "Trials without a score")
    assert rows[2][:4] == ["12", "failed", FAILED, "4"]
    assert "- `trial_3/record.json` was damaged: it is set aside." in text[1]


def test_the_code_to_paste_is_that_of_the_best(text):
    assert "model = cnn(input_shape=splits.train.x.shape[1:], classes=len(splits.classes), filters=(4,)" in text[1]
    assert "keras.optimizers.Adam(learning_rate=0.0001)" in text[1]


def test_what_matters_is_named_with_its_caveats(text):
    assert "What clearly matters: `learning_rate`." in text[1]
    rows = table(text[1], "What matters")
    assert rows[2][0] == "learning_rate"
    assert rows[2][2] == "yes"
    assert {row[0] for row in rows[2:]} >= set(SPACE.parameters)
    assert "Not clear is not unimportant" in text[1]


def test_every_figure_that_is_shown_is_there(text):
    folder, text = text
    shown = re.findall(r"!\[\w+\]\((.+?)\)", text)
    assert shown == [f"figures/{name}.png" for name in ("curves", "importance", "slices", "parallel")]
    for name in shown:
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_of_one_execution_nobody_can_say_what_is_noise(tmp_path):
    text = written(result_of(tmp_path, [trial(0, 0.9), trial(1, 0.8)]))
    assert "**Best: trial 0 with val_accuracy 0.9000.** With one execution of each trial nobody can say" in text
    assert "tied" not in text
    assert "Nothing can be said of importance: that takes at least 10 trials" in text
    assert "figures/importance.png" not in text


def test_scores_without_reason_are_not_explained(tmp_path):
    scores = np.random.default_rng(0).random(20)
    text = written(result_of(tmp_path, [trial(n % 12, s, rate=0.01) for n, s in enumerate(scores)]))
    assert "which parameter matters, these trials do not tell" in text
    assert "share of the ranking" not in text


def test_a_search_without_a_completed_trial_has_a_report_too(tmp_path):
    trials = [trial(n, status="failed", reason=FAILED) for n in range(3)]
    text = written(result_of(tmp_path, trials))
    assert "3 trials, 3 failed;" in text
    assert len(table(text, "Trials without a score")) == 2 + 3
    assert "![" not in text


def test_of_hyperband_each_configuration_counts_once_with_the_epochs_that_it_reached(tmp_path):
    begun, gone_on = trial(0, 0.5), trial(4, 0.7)
    gone_on = Trial(**{**vars(gone_on), "values": begun.values})
    found = result_of(tmp_path, [begun, trial(1, 0.6), gone_on], method="hyperband")
    (tmp_path / "trial_4").mkdir()
    Folder(tmp_path).keep(4, {"asked": {"last_epoch": 9}})
    rows = table(written(found), "Trials, best first")
    assert [dict(zip(rows[0], row, strict=True))["up to epoch"] for row in rows[2:]] == ["9", "2", "2"]
    np.testing.assert_array_equal(report._mean_curve(found, gone_on), [np.nan] * 7 + [0.35, 0.7])
    np.testing.assert_array_equal(report._mean_curve(found, begun), [0.25, 0.5])
    assert report._compared(found) == ([{**begun.values, "epochs": 9}, {**trial(1).values, "epochs": 2}], [0.7, 0.6])


@pytest.mark.parametrize(("direction", "worst"), [("max", -np.inf), ("min", np.inf)])
def test_a_failed_trial_counts_as_the_last(direction, worst, tmp_path):
    trials = [trial(0, 0.5, 0.7), trial(1, status="failed", reason=FAILED)]
    rows, scores = report._compared(result_of(tmp_path, trials, direction=direction))
    assert rows == [trials[0].values, trials[1].values]
    assert scores == [pytest.approx(0.6), worst]


def test_children_and_logarithms_are_those_of_the_space():
    deeper = Space({**SPACE.plain(), "ratio": {"low": 0.1, "high": 0.5, "when": {"skip": [True]}}})
    assert report.children(deeper) == {"filters": {"skip", "ratio"}, "skip": {"ratio"}}
    assert report.by_logarithm(SPACE) == {"learning_rate", "units"}
