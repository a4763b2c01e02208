"""What holds for every assignment, without knowing which."""

import ast
import dataclasses
import functools
import json
import math
import subprocess
import sys
from typing import get_args, get_origin

from keras_course import exercise, records, report, training
from keras_course.base import ASSIGNMENTS, ROOT
from keras_course.handout.blanks import functions, hints
from keras_course.runs import Run
from keras_course.settings import check, helps, types_of

import pytest
from matplotlib.figure import Figure

NAMES = exercise.names()
every = pytest.mark.parametrize("name", NAMES)


def test_a_slug_names_one_assignment():
    slugs = [name.split("/")[1] for name in NAMES]
    assert len(set(slugs)) == len(slugs)


@every
def test_settings_are_few_obey_their_rules_and_have_three_presets(name):
    item = exercise.peek(name)
    for preset in exercise.PRESETS:
        check(getattr(item, preset))
    assert 3 <= len(types_of(item.small)) <= 12
    assert len({item.small, item.full, item.quick}) == 3
    assert item.small == type(item.small)(), "the defaults of Settings are the small preset"
    unexplained = types_of(item.small).keys() - helps(item.small).keys() - {"dataset", "epochs", "batch_size", "seed"}
    assert not unexplained, f"no comment behind {sorted(unexplained)}"


@every
def test_what_is_peeked_is_what_is_imported(name):
    light, real = exercise.peek(name), exercise.load(name)
    assert light.name == real.name == name
    assert light.text == real.text
    for preset in exercise.PRESETS:
        assert vars(getattr(light, preset)) == vars(getattr(real, preset))
    assert light.expect == real.expect
    assert light.floors == real.floors


def images_of(batches):
    """The images that a `Batches` holds, each as bytes."""
    return {image.tobytes() for image in getattr(batches, "_arrays", [[]])[0]}


@pytest.fixture
def shown(monkeypatch):
    """The images that `fit` is given to train on or to validate with, while the test runs."""
    found, fit = set(), training.fit

    def recorded(model, objective, batches, *, validation=None, **options):
        found.update(images_of(batches) | images_of(validation))
        return fit(model, objective, batches, validation=validation, **options)

    monkeypatch.setattr(training, "fit", recorded)
    return found


@every
def test_quick_run_scores_draws_and_reports_and_keeps_the_test_split_apart(name, tmp_path, shown):
    item = exercise.load(name)
    run = Run(name, item.quick, logs=tmp_path)
    result = item.execute(item.quick, run)
    assert not shown & {image.tobytes() for splits in result.data for image in splits.test.x}
    assert all(math.isfinite(score) for score in result.scores.values())
    drawn = item.figures(result)
    assert drawn
    assert all(isinstance(figure, Figure) for figure in drawn.values())
    metrics = report.write(item, run, result, seconds=1.0)
    text = (run.folder / "report.md").read_text()
    assert json.loads((run.folder / "metrics.json").read_text()) == metrics
    assert all(score in text for score in result.scores)
    assert all((run.folder / f"figures/{label}.png").stat().st_size > 2000 for label in drawn)
    assert not (run.folder / "checkpoints").exists()


@every
def test_record_is_current_inside_its_bands_and_over_its_floors(name):
    item, found = exercise.load(name), records.read(name)
    for preset in ("small", "full"):
        how = f"keras-course run {name} --{preset} --record"
        assert preset in found, f"no {preset} record: {how}"
        assert not records.state(item, preset).startswith("stale"), f"{records.state(item, preset)}: {how}"
    small = found["small"]["scores"]
    assert len(found["small"]["seeds"]) >= 3
    assert item.expect.keys() <= small.keys()
    for score, band in item.expect.items():
        outside = [value for value in small[score]["values"] if not band.holds(value)]
        assert not outside, f"{score}: {outside} is not {band}"
    for score, floor in item.floors.items():
        mean, data = found["full"]["scores"][score]["mean"], found["full"]["data"]
        assert floor.holds(mean) or not report.comparable(floor, data), f"{score}: {mean} does not reach {floor}"


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("diagnostics/")])
def test_the_fault_of_an_exercise_does_harm_at_every_preset_that_has_a_record(name):
    """More data can heal a fault: ten times as many steps make up for steps that are too short."""
    for preset, record in records.read(name).items():
        broken, repaired = (record["scores"][score]["values"] for score in ("script", "repaired"))
        assert all(b < r - 0.02 for b, r in zip(broken, repaired, strict=True)), f"{preset}: {broken}, {repaired}"


@functools.cache
def parsed():
    """Every file of the course with its tree."""
    files = [path for folder in ("keras_course", "assignments") for path in (ROOT / folder).rglob("*.py")]
    return {path: ast.parse(path.read_text()) for path in files}


@every
def test_handout_blanks_have_a_task_and_hints(name):
    found = [pair for tree in parsed().values() for pair in functions(tree, name)]
    assert found, f"{name} leaves the student nothing to write"
    for path, function in found:
        assert ast.get_docstring(function), f"{path}: its docstring is the task"
        assert hints(function), f"{path} has no hints"


def test_the_generated_texts_are_those_that_the_records_give():
    for path, text in report.generated([exercise.peek(name) for name in NAMES]).items():
        assert path.read_text() == text, f"{path.name} is not what the records give: keras-course report"


@pytest.mark.parametrize("argv", [["--help"], ["list"], ["run", NAMES[0], "--epochs", "x"], ["run", "nothing"]])
def test_the_command_line_answers_without_importing_tensorflow(argv):
    program = (
        "import sys; from keras_course.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print([m for m in ('tensorflow', 'keras', 'numpy', 'matplotlib') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program, *argv], cwd=ROOT, capture_output=True, text=True)
    assert answer.stdout.splitlines()[-1] == "[]"


def test_a_field_of_several_values_is_a_tuple_so_that_settings_stay_frozen():
    for name in NAMES:
        kinds = types_of(exercise.peek(name).small).values()
        assert not any(get_origin(kind) in (list, dict, set) for kind in kinds), name
        assert all(get_args(kind) for kind in kinds if get_origin(kind) is tuple)


def test_every_file_in_a_folder_of_assignments_is_one():
    for path in ASSIGNMENTS.glob("*/*.py"):
        if path.name != "__init__.py":
            item = exercise.peek(path.relative_to(ASSIGNMENTS).with_suffix("").as_posix())
            assert dataclasses.is_dataclass(item.small)
