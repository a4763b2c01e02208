import os
import resource

from keras_course.base import InputError
from keras_course.training.checkpoints import Checkpoint

import numpy as np
import pytest

ARRAYS = {"a/0": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(7, np.int64), "c": np.zeros((0, 5))}
FACTS = {"epoch": 3, "loss": [0.1, float("nan")], "name": "größer"}


def checkpoint(folder, **settings):
    return Checkpoint(folder / "deep" / "stage.npz", settings=settings or {"epochs": 3, "hidden": (5, 2)})


def test_what_is_saved_is_loaded_again_to_the_bit(tmp_path):
    checkpoint(tmp_path).save(ARRAYS, FACTS)
    arrays, facts = checkpoint(tmp_path).load()
    assert arrays.keys() == ARRAYS.keys()
    assert all(a.dtype == arrays[k].dtype and np.array_equal(a, arrays[k]) for k, a in ARRAYS.items())
    assert (facts["epoch"], facts["name"], str(facts["loss"])) == (3, "größer", "[0.1, nan]")


def test_without_a_file_there_is_nothing_to_load(tmp_path):
    assert checkpoint(tmp_path).load() is None


@pytest.mark.parametrize("length", [0, 1, 64, 65, 66, 200, -1])
def test_a_torn_file_is_never_taken_for_a_good_one(tmp_path, length):
    kept = checkpoint(tmp_path)
    kept.save(ARRAYS, FACTS)
    kept.path.write_bytes(kept.path.read_bytes()[:length])
    with pytest.raises(InputError, match=r"stage.npz` is damaged: expected SHA-256 .*, found [0-9a-f]{64}; delete it"):
        kept.load()


def test_one_flipped_bit_is_found_wherever_it_is(tmp_path):
    kept = checkpoint(tmp_path)
    kept.save(ARRAYS, FACTS)
    good = kept.path.read_bytes()
    for position in range(0, len(good), 37):
        kept.path.write_bytes(good[:position] + bytes([good[position] ^ 4]) + good[position + 1 :])
        with pytest.raises(InputError, match="damaged"):
            kept.load()


def test_other_settings_are_refused_by_field(tmp_path):
    checkpoint(tmp_path, epochs=3, seed=0, hidden=(5, 2)).save(ARRAYS, FACTS)
    with pytest.raises(InputError, match=r"other settings: epochs 3 against 5, rate nothing against 0.1.$"):
        checkpoint(tmp_path, epochs=5, seed=0, hidden=(5, 2), rate=0.1).load()


def test_a_full_disk_leaves_the_last_good_checkpoint_as_it_was(tmp_path):
    kept = checkpoint(tmp_path)
    kept.save(ARRAYS, FACTS)
    good = kept.path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        with pytest.raises(InputError, match=r"stage.npz` cannot be written: File too large.$"):
            kept.save({"large": np.zeros(1 << 16)}, FACTS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(kept.path.parent) == ["stage.npz"]
    assert kept.path.read_bytes() == good


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "deep").write_text("a file in the way")
    with pytest.raises(InputError, match="cannot be written: File exists"):
        checkpoint(tmp_path).save(ARRAYS, FACTS)


def test_a_process_that_dies_while_writing_leaves_the_old_file(tmp_path, monkeypatch):
    kept = checkpoint(tmp_path)
    kept.save(ARRAYS, FACTS)

    def dies(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", dies)
    with pytest.raises(KeyboardInterrupt):
        kept.save(ARRAYS, {"epoch": 4})
    assert kept.load()[1]["epoch"] == 3
    monkeypatch.undo()
    kept.save(ARRAYS, {"epoch": 5})  # over what the dead process left
    assert kept.load()[1]["epoch"] == 5
    assert os.listdir(kept.path.parent) == ["stage.npz"]


def test_an_array_of_objects_which_would_be_pickled_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="allow_pickle=False"):
        checkpoint(tmp_path).save({"object": np.array([{1, 2}], dtype=object)}, FACTS)


def test_it_is_due_when_its_time_has_passed(tmp_path):
    always, later = (Checkpoint(tmp_path / "a", settings={}, every_seconds=s) for s in (0.0, 1e6))
    assert always.due
    assert not later.due
