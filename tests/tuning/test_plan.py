import dataclasses
import json
import subprocess
import sys

from keras_course.base import ROOT, InputError
from keras_course.tuning import plan as plans
from keras_course.tuning.plan import Folder, Plan

import pytest

TERMS = Plan(
    name="a/b",
    what="models.cnn",
    method="random",
    objective="val_accuracy",
    direction="max",
    seed=0,
    epochs=3,
    executions=1,
    loop="ours",
    patience=None,
    batch_size=64,
    data="digits 1:2",
    space={"x": {"low": 1, "high": 3}, "y": {"choices": ["a", "b"]}},
    trials=20,
)


def begun(plan, runs, *, finished=False):
    folder = plans.opened(plan, runs=runs, resume=False, overwrite=False)
    folder.path.mkdir(parents=True)
    (folder.path / plans.PLAN).write_text(json.dumps(plan.plain()))
    if finished:
        (folder.path / plans.FILE).write_text("{}")
    return folder


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 1}, "seed 0 against 1"),
        ({"method": "grid"}, "method random against grid"),
        ({"epochs": 4}, "epochs 3 against 4"),
        ({"data": "digits 1:3"}, "data digits 1:2 against digits 1:3"),
        ({"space": {**TERMS.space, "x": {"low": 1, "high": 4}}}, r"space: x .*'high': 3.* against .*'high': 4"),
        ({"space": {"x": TERMS.space["x"]}}, r"space: y .* against nothing"),
        ({"space": dict(reversed(TERMS.space.items()))}, "the order of the space: x, y against y, x"),
        ({"settings": {"width": 3}}, "settings: width nothing against 3"),
    ],
)
def test_a_search_is_resumed_on_the_same_terms_or_refused_with_the_difference(tmp_path, changes, words):
    folder = begun(TERMS, tmp_path)
    before = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=words) as refusal:
        plans.opened(dataclasses.replace(TERMS, **changes), runs=tmp_path, resume=True, overwrite=False)
    assert str(folder.path) in str(refusal.value)
    assert {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(("finished", "way"), [(True, "a new one begins beside it"), (False, "it was broken off")])
def test_a_refused_resume_says_what_would_do(tmp_path, finished, way):
    begun(TERMS, tmp_path, finished=finished)
    with pytest.raises(InputError, match=f"`--overwrite` removes that search; .*{way}"):
        plans.opened(dataclasses.replace(TERMS, seed=7), runs=tmp_path, resume=True, overwrite=False)


def test_more_trials_are_the_same_search(tmp_path):
    folder = begun(TERMS, tmp_path)
    longer = dataclasses.replace(TERMS, trials=40)
    assert plans.opened(longer, runs=tmp_path, resume=True, overwrite=False) == folder


def test_a_search_that_was_broken_off_is_neither_forgotten_nor_overwritten_unasked(tmp_path):
    folder = begun(TERMS, tmp_path)
    with pytest.raises(InputError, match=r"was broken off after 0 trials: `--resume` goes on with it, `--overwrite`"):
        plans.opened(TERMS, runs=tmp_path, resume=False, overwrite=False)
    plans.opened(TERMS, runs=tmp_path, resume=False, overwrite=True)
    assert not folder.path.exists()


def test_beside_a_finished_search_a_new_one_begins(tmp_path):
    folder = begun(TERMS, tmp_path, finished=True)
    other = plans.opened(TERMS, runs=tmp_path, resume=False, overwrite=False)
    assert other.path != folder.path
    assert not other.path.exists(), "nothing is made before the search begins"
    assert folder.finished


def test_with_nothing_to_resume_a_search_begins(tmp_path):
    assert plans.opened(TERMS, runs=tmp_path, resume=True, overwrite=False).path.parent == tmp_path / "a" / "b"


def test_resume_and_overwrite_exclude_each_other(tmp_path):
    with pytest.raises(InputError, match="exclude each other"):
        plans.opened(TERMS, runs=tmp_path, resume=True, overwrite=True)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="must be a folder that can be written"):
        plans.opened(TERMS, runs=tmp_path / "file" / "runs", resume=False, overwrite=False)


def test_one_process_at_a_time_and_the_lock_ends_with_its_process(tmp_path):
    folder = Folder(tmp_path)
    holds = (
        "import sys; from pathlib import Path; from keras_course.tuning.plan import Folder\n"
        "with Folder(Path(sys.argv[1])).locked(): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holds, tmp_path], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(InputError, match="is running"), folder.locked():
            pass
        other.kill()
        other.wait()
        with folder.locked():
            pass


def test_a_record_is_read_as_it_was_kept_or_not_at_all(tmp_path):
    folder = Folder(tmp_path)
    assert folder.record(3) is None
    folder.keep(3, {"scores": [0.1, 1 / 3]})
    assert folder.record(3) == {"scores": [0.1, 1 / 3]}
    path = tmp_path / "trial_3" / "record.json"
    path.write_text(path.read_text().replace("0.1", "0.2"))
    with pytest.raises(ValueError, match="is damaged"):
        folder.record(3)


def test_a_trial_is_found_whatever_the_width_of_its_number(tmp_path):
    (tmp_path / "trial_007").mkdir()
    assert Folder(tmp_path).trial(7) == tmp_path / "trial_007"
    assert Folder(tmp_path).trial(8) == tmp_path / "trial_8"


def test_the_names_of_all_searches(tmp_path):
    begun(TERMS, tmp_path, finished=True)
    begun(dataclasses.replace(TERMS, name="c"), tmp_path)
    assert plans.names(tmp_path) == ["a/b", "c"]
