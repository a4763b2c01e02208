import ast
import dataclasses
import textwrap

from keras_course import exercise, records
from keras_course.base import ASSIGNMENTS

import pytest


def code(tmp_path, text):
    path = tmp_path / f"{abs(hash(text))}.py"
    path.write_text(textwrap.dedent(text))
    return records.fingerprint(path)


def test_fingerprint_changes_with_code_and_not_with_comments_docstrings_or_layout(tmp_path):
    first = code(tmp_path, 'def f(x):\n    "says what"\n    return x + 1  # why\n')
    assert first == code(tmp_path, 'def f(x):\n\n    """Other words."""\n    return (x + 1)\n')
    assert first != code(tmp_path, "def f(x):\n    return x + 2\n")


def test_bands_floors_and_hints_do_not_make_a_record_stale_and_other_keywords_do(tmp_path):
    first = code(tmp_path, "EXERCISE = Exercise(run=run, expect={'a': Band(0, 1)})\nf = blank('x', hints=('a',))\n")
    assert first == code(tmp_path, "EXERCISE = Exercise(run=run, expect={})\nf = blank('x', hints=('b', 'c'))\n")
    assert first != code(tmp_path, "EXERCISE = Exercise(run=other, expect={})\nf = blank('x', hints=('a',))\n")
    assert code(tmp_path, "load('x', source='small')") != code(tmp_path, "load('x', source='full')")


def test_what_is_kept_of_a_file_is_found_again_by_its_content_and_damage_is_repaired(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "KEPT", tmp_path / "kept")
    path = tmp_path / "a.py"
    path.write_text("from keras_course import base, data\nfrom keras_course.layers import CBAM\n")
    found = records.analysed.__wrapped__(path)
    assert found[1] == {"data", "layers"}  # the frame aside
    (kept,) = (file for file in (tmp_path / "kept").rglob("*") if file.is_file())
    kept.write_text('["other", "models"]')
    assert records.analysed.__wrapped__(path) == ("other", {"models"})
    kept.write_text("{")
    assert records.analysed.__wrapped__(path) == found
    monkeypatch.setattr(records, "KEPT", path)  # no folder: nothing can be kept there
    assert records.analysed.__wrapped__(path) == found


def test_empty_fields_do_not_count_since_the_versions_of_python_differ_in_them():
    old, new = ast.parse("def f(x): pass"), ast.parse("def f(x): pass")
    new.body[0].type_params = []  # what Python 3.12 adds
    old.body[0].type_comment = None
    assert records.normal_form(old) == records.normal_form(new)


def test_the_library_of_an_assignment_is_what_it_imports_and_what_that_imports():
    found = {f.name for f in records.library_of(ASSIGNMENTS / "training" / "linear_to_deep.py")}
    assert {"pipeline.py", "loop.py", "mlp.py", "splits.py"} <= found


def test_summary_is_mean_and_sample_deviation():
    assert records.summary([1.0, 2.0, 6.0]) == {"mean": 3.0, "sd": pytest.approx(7**0.5), "values": [1.0, 2.0, 6.0]}
    assert records.summary([2.0])["sd"] is None


def test_a_record_is_current_until_settings_or_code_change(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "RECORDS", tmp_path)
    item = exercise.peek("training/linear_to_deep")
    assert records.state(item) == "none"
    run = {"settings": {"epochs": 1}, "scores": {"a": 0.5}, "seconds": 2.0, "data": [], "parameters": {}}
    fields = records.plain(item.small)
    runs = [run | {"settings": fields | {"seed": seed}, "scores": {"a": seed / 10}} for seed in (0, 1, 2)]
    records.write(item, "small", runs)
    assert records.state(item) == "current"
    assert records.state(item, "full") == "none"
    kept = records.read(item.name)["small"]
    assert kept["seeds"] == [0, 1, 2]
    assert kept["scores"]["a"]["values"] == [0.0, 0.1, 0.2]
    assert "seed" not in kept["settings"]
    changed = dataclasses.replace(item, small=dataclasses.replace(item.small, epochs=99))
    assert records.state(changed) == "stale: settings changed"
    monkeypatch.setattr(records, "library_fingerprint", lambda path: "another")
    assert records.state(item) == "current, older library"
    monkeypatch.setattr(records, "fingerprint", lambda path: "another")
    assert records.state(item) == "stale: code changed"
