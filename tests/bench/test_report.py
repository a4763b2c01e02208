import json

from keras_course.bench import report

import pytest

FOUND = {"median": 2.0, "low": 1.5, "high": 2.5}
MEASURED = {
    "name": "toy",
    "title": "A toy.",
    "note": "Not real.",
    "rounds": 3,
    "variants": [
        {
            "variant": "ours",
            "state": "",
            "cpu": {"median": 0.02, "low": 0.01, "high": 0.03},
            "wall": FOUND,
            "cpu_ratio": {"median": 1, "low": 1, "high": 1},
            "wall_ratio": FOUND,
            "first": 1.25,
            "memory": 3 * 2**20,
        },
        {
            "variant": "theirs",
            "state": "not installed: torch",
            "cpu": None,
            "wall": None,
            "cpu_ratio": None,
            "wall_ratio": None,
            "first": None,
            "memory": None,
        },
    ],
    "goals": [
        {"goal": "theirs ≥ 1.5 × ours (CPU)", "measured": FOUND, "reached": True},
        {"goal": "theirs ≥ 3 × ours (wall)", "measured": FOUND, "reached": False},
        {"goal": "theirs ≥ 3 × ours (CPU)", "measured": None, "reached": None},
    ],
}


def test_rows_have_units_and_ranges_or_say_why_not():
    ours, theirs = report.rows(MEASURED)
    assert ours["CPU"] == "20 (10–30) ms"
    assert ours["wall"] == "2 (1.5–2.5) s"
    assert ours["wall against ours"] == "2.00 (1.50–2.50)"
    assert ours["memory"] == "3 MB"
    assert ours["first call"] == "1.25 s"
    assert theirs["CPU"] == "not installed: torch"
    assert set(theirs.values()) == {"theirs", "not installed: torch", "–"}


def test_each_goal_has_its_verdict():
    verdicts = [row["verdict"] for row in report.goals(MEASURED)]
    assert verdicts == ["ok", "SHORT", "not measured"]
    first = {"workload": "toy", "goal": "theirs ≥ 1.5 × ours (CPU)", "measured": "2.00 (1.50–2.50)", "verdict": "ok"}
    assert report.goals(MEASURED)[0] == first


def test_what_is_kept_holds_the_machine_and_makes_the_page(tmp_path, monkeypatch):
    path = report.write(MEASURED, tmp_path)
    kept = json.loads(path.read_text())
    assert kept["machine"].keys() == {"processor", "cores", "system", "versions", "date"}
    assert {name: kept[name] for name in MEASURED} == MEASURED
    monkeypatch.setattr(report, "RECORDS", tmp_path)
    monkeypatch.setattr(report, "RESULTS", tmp_path / "RESULTS.md")
    text = report.generate().read_text()
    for part in ("## toy", "A toy.", "Not real.", "SHORT", "20 (10–30) ms", kept["machine"]["date"]):
        assert part in text


def test_the_page_that_is_committed_is_the_one_that_the_records_give():
    records = [json.loads(path.read_text()) for path in sorted(report.RECORDS.glob("*.json"))]
    if not records:
        pytest.skip("no benchmark has been recorded yet")
    assert report.RESULTS.read_text() == report.results(records, report.DIAGNOSTICS.read_text())


def test_the_answers_of_the_diagnosis_stand_on_the_page_and_its_causes_on_their_own():
    page = "# Title\n\nOf 3 programs.\n\n| question | answer |\n| --- | --- |\n| detected | 2 of 3 |\n\n"
    text = report.results([], page + "| planted | scripts |\n| --- | --- |\n| dead_units | 1 |\n")
    assert "## diagnostics\n\nOf 3 programs." in text
    assert "| detected | 2 of 3 |\n\nBy cause: [DIAGNOSTICS.md](DIAGNOSTICS.md)." in text
    assert "dead_units" not in text


def test_a_shared_machine_is_said():
    where = {"processor": "P", "cores": 2, "system": "S", "versions": {"numpy": "2"}, "date": "2026-01-01"}
    record = {"rounds": 3, "others": 1.26, "machine": where}
    assert report.protocol(record) == (
        "3 rounds; programs of others kept 1.3 of the cores busy; P, 2 cores, S; numpy 2; 2026-01-01."
    )
    assert report.protocol(record | {"others": None}) == "3 rounds; P, 2 cores, S; numpy 2; 2026-01-01."
