import json

from keras_course.tuning.plan import searches
from tests.tuning import made

import pytest

TRIALS = 4


def halved(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path):
    path.write_bytes(b"")


def spoiled(path):
    path.write_bytes(b"\x00\xff" + path.read_bytes()[2:])


def listed(path):
    path.write_text("[1, 2]")


def changed(path):
    """A digit of a score is another one: JSON all the same."""
    text = path.read_text()
    assert "0." in text
    path.write_text(text.replace("0.", "1.", 1))


def removed(path):
    path.unlink()


@pytest.fixture(autouse=True)
def _pretend(monkeypatch, tmp_path):
    monkeypatch.setattr("gc.collect", lambda: 0)
    monkeypatch.setitem(made.trainings.LOOPS, "ours", made.pretended)
    monkeypatch.setenv("TUNING_TEST_LOG", str(tmp_path / "begun"))


def broken_off(folder, method="random"):
    """A search of four trials, of which three are done; what all four are; its folder."""
    unbroken = made.facts(made.run(folder / "unbroken", method=method, space=made.GRID, trials=TRIALS))
    result = made.run(folder, method=method, space=made.GRID, trials=TRIALS - 1)
    (folder / "begun").unlink()
    return unbroken, result.folder


@pytest.mark.parametrize("damage", [halved, emptied, spoiled, listed, changed])
def test_a_damaged_record_is_named_set_aside_and_its_trial_repeated(tmp_path, damage, capsys):
    unbroken, folder = broken_off(tmp_path)
    damage(folder / "trial_1" / "record.json")
    found = made.run(tmp_path, space=made.GRID, trials=TRIALS, resume=True)
    assert made.facts(found) == unbroken
    assert len(made.begun(tmp_path / "begun")) == 2, "the damaged one and the one that was missing"
    (note,) = found.set_aside
    assert "`trial_1/record.json` was damaged: it is set aside as `set_aside/0-trial_1-record.json`" in note
    assert "trial 1 is repeated" in note
    assert note in capsys.readouterr().err
    assert (folder / "set_aside" / "0-trial_1-record.json").exists()


WAYS = ("random", halved), ("random", emptied), ("random", listed)


@pytest.mark.parametrize(("method", "damage"), [*WAYS, *((m, halved) for m in ("grid", "bayesian", "hyperband"))])
@pytest.mark.parametrize("file", ["trial_0/trial.json", "oracle.json", "tuner0.json"])
def test_a_damaged_file_of_keras_tuner_is_named_set_aside_and_made_again(tmp_path, method, damage, file):
    unbroken, folder = broken_off(tmp_path, method)
    damage(folder / file)
    found = made.run(tmp_path, space=made.GRID, method=method, trials=TRIALS, resume=True)
    assert made.facts(found) == unbroken
    assert len(made.begun(tmp_path / "begun")) == 1, "only what was missing is trained"
    assert [f"`{file}` was damaged" in note for note in found.set_aside] == [True]


@pytest.mark.parametrize("file", ["trial_0/trial.json", "trial_2/record.json", "oracle.json", "tuner0.json"])
def test_a_missing_file_is_no_end_and_no_silent_beginning(tmp_path, file, capsys):
    unbroken, folder = broken_off(tmp_path)
    removed(folder / file)
    found = made.run(tmp_path, space=made.GRID, trials=TRIALS, resume=True)
    assert made.facts(found) == unbroken
    assert len(made.begun(tmp_path / "begun")) == (2 if "record" in file else 1)
    if file != "tuner0.json":  # which a kill in the first trial leaves out too
        assert "missing" in capsys.readouterr().err


def test_trial_and_record_damaged_at_once_is_a_trial_repeated(tmp_path):
    unbroken, folder = broken_off(tmp_path)
    halved(folder / "trial_1" / "trial.json")
    emptied(folder / "trial_1" / "record.json")
    found = made.run(tmp_path, space=made.GRID, trials=TRIALS, resume=True)
    assert made.facts(found) == unbroken
    assert len(made.begun(tmp_path / "begun")) == 2
    assert len(found.set_aside) == 2


def test_everything_damaged_is_a_search_from_the_beginning(tmp_path):
    unbroken, folder = broken_off(tmp_path)
    for path in folder.rglob("*.json"):
        halved(path)
    found = made.run(tmp_path, space=made.GRID, trials=TRIALS, resume=True)
    assert made.facts(found) == unbroken
    assert len(made.begun(tmp_path / "begun")) == TRIALS
    assert any("`search.json` was damaged" in note for note in found.set_aside)


def test_a_damaged_result_is_written_again(tmp_path):
    _, folder = broken_off(tmp_path)
    before = (folder / "result.json").read_text()
    halved(folder / "result.json")
    made.run(tmp_path, space=made.GRID, trials=TRIALS - 1, resume=True)
    assert (folder / "result.json").read_text() == before
    assert made.begun(tmp_path / "begun") == []


def test_a_search_without_damage_is_left_as_it_is(tmp_path, capsys):
    _, folder = broken_off(tmp_path)
    state = json.loads((folder / "oracle.json").read_text())
    made.run(tmp_path, space=made.GRID, trials=TRIALS - 1, resume=True)
    assert json.loads((folder / "oracle.json").read_text()) == state
    assert capsys.readouterr().err == ""
    assert searches("points", tmp_path)[-1].notes() == []
