import re

from keras_course import cli

import pytest

NAME = "vision/cnn_images"


@pytest.fixture(autouse=True)
def _runs(monkeypatch, tmp_path):
    monkeypatch.setattr("keras_course.tuning.plan.RUNS", tmp_path)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], r"required: name"),
        (["vision/cnn_image"], r"No assignment named 'vision/cnn_image'\. Did you mean 'vision/cnn_images'\?"),
        (["vision/densenet"], r"`vision/densenet` has nothing to tune"),
        ([NAME, "--trials", "0"], r"`trials` must be a whole number of at least 1\. Received: 0"),
        ([NAME, "--executions", "0"], r"`executions` must be a whole number of at least 1"),
        ([NAME, "--workers", "-1"], r"`workers` must be a whole number of at least 0"),
        ([NAME, "--trails", "3"], r"No flag '--trails'\. Did you mean '--trials'\?"),
        ([NAME, "--method", "evolution"], r"'evolution'.*random"),
        ([NAME, "--dropout", ".3"], r"`--dropout` is searched, .*: it must be left out"),
        ([NAME, "--epochs", "0"], r"`epochs` must be a whole number of at least 1"),
        ([NAME, "--resume", "--overwrite"], r"not allowed with argument"),
        ([NAME, "--listen", "here"], r"`listen` must be an address as host:port"),
        ([NAME, "--join", "here"], r"`join` must be an address as host:port"),
        ([NAME, "--as", "me"], r"`as` must be given with --join alone"),
        (["--best", NAME], r"No search named 'vision/cnn_images' in .* There are: none"),
    ],
)
def test_bad_input_is_one_sentence_on_standard_error_and_status_2(argv, words, tmp_path, capfd):
    assert cli.main(["tune", *argv]) == 2
    out, error = capfd.readouterr()
    assert out == ""
    assert error.count("\n") == 1
    assert re.search(words, error), error
    assert not any(tmp_path.iterdir())


def test_an_assignment_is_searched_listed_and_its_winner_rebuilt_from_the_command_line(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr("keras_course.tuning.searching.search.__kwdefaults__", {**_defaults(), "runs": tmp_path})
    assert cli.main(["tune", NAME, "--quick", "--trials", "2", "--width", "4"]) == 0
    out, errors = capfd.readouterr()
    assert re.search(r"2 trials of vision/cnn_images by random search \(seed 0\), 0 failed", out)
    assert len(re.findall(r"^\d/2 ", errors, re.M)) == 2, "a line for each trial where there is no terminal"
    (folder,) = (tmp_path / NAME).iterdir()
    assert {"report.md", "result.json", "search.json"} <= {path.name for path in folder.iterdir()}
    assert any((folder / "tensorboard").rglob("events.out.tfevents.*"))
    assert cli.main(["tune", "--list"]) == 0
    assert re.search(r"2 of 2 +finished", capfd.readouterr().out)
    assert cli.main(["tune", "--best", "cnn_images"]) == 0
    assert "the same as in the search" in capfd.readouterr().out
    assert cli.main(["tune", NAME, "--quick", "--trials", "2", "--width", "5", "--resume"]) == 2
    assert "settings: width 4 against 5" in capfd.readouterr().err


def _defaults():
    from keras_course import tuning

    return tuning.search.__kwdefaults__


def test_an_empty_list_says_how_to_begin(capfd):
    assert cli.main(["tune", "--list"]) == 0
    assert "no searches yet" in capfd.readouterr().out
