from dataclasses import dataclass

from keras_course import records, report
from keras_course.exercise import Band, Exercise, Floor, Result
from keras_course.runs import Run

import pytest


@dataclass(frozen=True)
class Settings:
    epochs: int = 3
    seed: int = 0


def run(settings, log):
    return Result(scores={})


EXAMPLE = Exercise(
    source="a test",
    small=Settings(),
    full=Settings(epochs=30),
    quick=Settings(epochs=1),
    run=run,
    figures=lambda result: {},
    expect={"accuracy": Band(0.5, 0.9)},
    floors={"accuracy": Floor(0.8, "someone", examples=100), "nats": Floor(155.0, "someone", at_most=True)},
)


def metrics(preset, *, accuracy=0.7, nats=150.0, train=90):
    counts = {"train": train, "validation": 10, "test": 20}
    data = [{"name": "digits", "source": "small", "counts": counts, "licence": "BSD"}]
    return {"preset": preset, "scores": {"accuracy": accuracy, "nats": nats, "other": 1.0}, "data": data}


def verdicts(*args, **kwargs):
    found = metrics(*args, **kwargs)
    return [report.verdict(EXAMPLE, found, score) for score in found["scores"]]


def test_small_is_held_to_its_bands():
    assert verdicts("small") == ["ok", "–", "–"]
    assert verdicts("small", accuracy=0.95) == ["OUTSIDE", "–", "–"]


def test_full_is_held_to_the_floors():
    assert verdicts("full", accuracy=0.81) == ["ok", "ok", "–"]
    assert verdicts("full", nats=156.0) == ["BELOW", "BELOW", "–"]


def test_a_floor_from_more_examples_is_not_comparable():
    assert verdicts("full", train=50)[0] == "not comparable: 100 examples there"
    found = metrics("full", accuracy=0.7)
    found["data"].append(metrics("full", train=30)["data"][0])
    assert report.verdict(EXAMPLE, found, "accuracy").startswith("not comparable"), "the smaller of two sets counts"


def test_settings_that_are_no_preset_are_not_judged():
    assert verdicts(None) == verdicts("quick") == ["–", "–", "–"]


def test_a_table_has_a_row_per_entry_and_numbers_stand_right():
    text = report.markdown([{"name": "a|b", "value": 0.123456}, {"name": "c", "value": 1234567}])
    assert text.splitlines() == ["| name | value |", "| --- | ---: |", "| a\\|b | 0.1235 |", "| c | 1,234,567 |"]


def test_what_a_row_has_not_is_a_dash():
    text = report.markdown([{"name": "a"}, {"name": "b", "value": 1}])
    assert text.splitlines()[2:] == ["| a | – |", "| b | 1 |"]


def test_a_recorded_score_shows_spread_and_number_of_seeds():
    assert report.measured(records.summary([0.7, 0.8, 0.9])) == "0.8 ± 0.1 (n=3)"
    assert report.measured(None) == "–"


def test_only_what_stands_between_the_marks_is_replaced():
    text = f"before\n{report.MARKS[0]}\nold\n{report.MARKS[1]}\nafter\n"
    assert report.between_marks(text, "new") == f"before\n{report.MARKS[0]}\n\nnew\n{report.MARKS[1]}\nafter\n"
    assert report.between_marks("no marks", "new") == "no marks"


def test_data_is_told_with_counts_and_licence():
    line = report.data_line(metrics("small")["data"])
    assert line == "digits (small; train 90, validation 10, test 20; licence: BSD)"
    assert report.data_line([]) == "none but what the run makes"


def test_results_carry_the_protocol_and_bands_of_each_record(tmp_path, monkeypatch):
    from keras_course import exercise

    monkeypatch.setattr(records, "RECORDS", tmp_path)
    item = exercise.peek("training/linear_to_deep")
    one = metrics("small") | {"settings": {"epochs": 3}, "seconds": 2.0, "parameters": {}}
    runs = [one | {"settings": {"epochs": 3, "seed": seed}, "scores": {"mnist_linear": 0.9}} for seed in (0, 1, 2)]
    records.write(item, "small", runs)
    text = report.results([item])
    for words in ("## training/linear_to_deep", "Seeds 0, 1, 2", "epochs 3", "train 90", "0.9 ± 0 (n=3)", "tensorflow"):
        assert words in text
    assert str(item.expect["mnist_linear"]) in text


@pytest.mark.parametrize("tables", [{}, {"Choices": [{"choice": "a", "accuracy": 0.5}]}])
def test_the_page_of_a_run_names_scores_figures_tables_and_versions(tables, monkeypatch):
    monkeypatch.setattr(Exercise, "name", "tests/example")
    monkeypatch.setitem(globals(), "__doc__", "A title.\n\nA task.")
    found = metrics("small") | {
        "settings": {"epochs": 3},
        "seconds": 2.0,
        "parameters": {"net": 7850},
        "versions": {"keras": "3.15"},
    }
    text = report.page(EXAMPLE, found, tables, ["figures/loss_curve.png"])
    for words in (
        "# A title",
        "A task.",
        "| accuracy | 0.7 |",
        "![loss curve](figures/loss_curve.png)",
        "7,850",
        "3.15",
    ):
        assert words in text
    assert ("## Choices" in text) == bool(tables)


def test_run_is_the_log_of_an_assignment(tmp_path):
    assert Run("tests/example", Settings(), logs=tmp_path).settings == Settings()
