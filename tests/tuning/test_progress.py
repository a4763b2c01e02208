from keras_course.tuning import progress as module
from keras_course.tuning.progress import Progress, duration
from keras_course.tuning.result import Trial

import pytest


def completed(number, *scores, seconds=8.0, epochs=3):
    return Trial(number, str(number), {}, "completed", scores, seconds=seconds, epochs=epochs)


FAILED = Trial(2, "2", {}, "failed", reason="The loss became nan in epoch 0.", epochs=1)


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_without_a_terminal_each_trial_is_one_line_with_best_budget_and_time_left(clock, capsys):
    terms = {"trials": 4, "objective": "val_accuracy", "direction": "max", "epochs": 12}
    with Progress(**terms) as seen:
        clock[0] += 10
        seen.ended(completed(0, 0.9))
        clock[0] += 20
        seen.ended(completed(1, 0.5, 0.7))
        seen.ended(FAILED)
        seen.ended(completed(3, 0.95))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "1/4  trial 0: 0.9 in 8 s  best val_accuracy 0.9 (trial 0)  3 of 12 epochs  30 s left",
        "2/4  trial 1: 0.6 ± 0.14 in 8 s  best val_accuracy 0.9 (trial 0)  6 of 12 epochs  30 s left",
        "3/4  trial 2: failed, The loss became nan in epoch 0.  best val_accuracy 0.9 (trial 0)  7 of 12 epochs  "
        "10 s left",
        "4/4  trial 3: 0.95 in 8 s  best val_accuracy 0.95 (trial 3)  10 of 12 epochs",
    ]


def test_of_a_loss_the_smallest_is_best_and_what_was_done_before_costs_no_time(clock):
    done = [completed(0, 0.3), completed(1, 0.2)]
    seen = Progress(trials=5, objective="val_loss", direction="min", done=done, shown=False)
    assert (seen.best.number, seen.left()) == (1, None)
    clock[0] += 6
    seen.ended(completed(2, 0.25))
    assert (seen.best.number, seen.left()) == (1, 12.0)
    seen.ended(completed(3, 0.1))
    assert (seen.best.number, seen.left()) == (3, 3.0)


def test_a_trial_that_is_told_of_twice_counts_once(clock):
    seen = Progress(trials=3, objective="val_loss", direction="min", shown=False)
    for _ in range(2):
        seen.ended(completed(0, 0.3))
    assert (len(seen.seen), seen.spent) == (1, 3)


def test_shown_is_asked_for(clock, capsys):
    with Progress(trials=1, objective="val_loss", direction="min", shown=False) as seen:
        seen.ended(completed(0, 0.3))
    assert capsys.readouterr() == ("", "")


def test_a_terminal_shows_a_line_that_changes_and_keeps_what_is_worth_it(clock, capsys, monkeypatch):
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with Progress(trials=4, objective="val_accuracy", direction="max") as seen:
        seen.ended(completed(0, 0.9))
        seen.ended(completed(1, 0.5))
        seen.ended(FAILED)
    err = capsys.readouterr().err
    assert "trial 0: 0.9 in 8 s" in err  # better than all before
    assert "trial 1: 0.5" not in err
    assert "trial 2: failed, The loss became nan in epoch 0." in err
    assert "trial 3 of 4" in err


def test_an_error_inside_goes_through(clock):
    with pytest.raises(KeyError), Progress(trials=1, objective="val_loss", direction="min"):
        raise KeyError


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "0 s"), (99.4, "99 s"), (100, "2 min"), (5000, "83 min"), (7200, "2.0 h")]
)
def test_a_time_in_the_unit_that_suits_it(seconds, words):
    assert duration(seconds) == words
