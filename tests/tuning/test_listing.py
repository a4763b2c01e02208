import subprocess
import sys

from keras_course.base import InputError
from keras_course.tuning import listing, trainings
from tests.tuning import made

import pytest


@pytest.fixture(autouse=True)
def _pretend(monkeypatch):
    monkeypatch.setattr("gc.collect", lambda: 0)
    monkeypatch.setitem(trainings.LOOPS, "ours", made.pretended)


def test_the_list_says_how_far_each_search_is_and_what_it_found(tmp_path):
    result = made.run(tmp_path, trials=3, seed=5)
    broken = made.run(tmp_path, name="vision/other", trials=2, method="grid", space=made.GRID)
    (broken.folder / "result.json").unlink()
    one, two = listing.rows(tmp_path)
    assert one == {
        "search": f"points/{result.folder.name}",
        "method": "random",
        "seed": 5,
        "trials": "3 of 3",
        "state": "finished",
        "best": f"val_accuracy {result.best.mean:.4f}",
    }
    assert (two["search"], two["state"], two["best"]) == (
        f"vision/other/{broken.folder.name}",
        "broken off or running",
        "–",
    )


def failing(input_shape, classes, **values):
    raise ValueError("never")


def test_a_search_without_a_winner_is_listed_too(tmp_path):
    made.run(tmp_path, trials=2, builder=failing, space={"hidden": [3, 5]})
    (row,) = listing.rows(tmp_path)
    assert (row["trials"], row["best"]) == ("2 of 2, 2 failed", "no trial was completed")


def test_damaged_files_do_not_end_the_list(tmp_path):
    result = made.run(tmp_path, trials=2)
    (result.folder / "search.json").write_text("{")
    (result.folder / "trial_0" / "record.json").write_text("")
    (result.folder / "result.json").write_text("{")
    (row,) = listing.rows(tmp_path)
    assert (row["method"], row["trials"], row["best"]) == ("damaged", "1 of ?", "damaged")


def test_the_newest_finished_search_is_found_or_it_is_said_why_not(tmp_path):
    with pytest.raises(InputError, match=r"No search named 'points' in .* There are: none"):
        listing.newest("points", tmp_path)
    first = made.run(tmp_path, trials=2)
    second = made.run(tmp_path, trials=2)
    assert listing.newest("points", tmp_path).path == second.folder
    (second.folder / "result.json").unlink()
    assert listing.newest("points", tmp_path).path == first.folder
    (first.folder / "result.json").unlink()
    with pytest.raises(InputError, match="was broken off: `--resume` ends it"):
        listing.newest("points", tmp_path)
    with pytest.raises(InputError, match=r"No search named 'pints' .*Did you mean 'points'\?"):
        listing.newest("pints", tmp_path)


def test_the_list_needs_no_tensorflow():
    code = "import sys; from keras_course.tuning import listing; listing.rows('no'); print('tensorflow' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "False\n"
