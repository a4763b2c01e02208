import subprocess
import textwrap

from keras_course.base import InputError
from keras_course.bench import harness

import pytest

HEAD = """
import sys, time
from keras_course.bench import Goal, Least, Limit, Variant, Workload

def busy(milliseconds, result=1.0, megabytes=0):
    def prepare():
        print("the variant may print")
        def work():
            held = bytearray(megabytes * 2**20)
            end = time.process_time() + milliseconds / 1000
            while time.process_time() < end:
                pass
            return {"loss": result}
        return work
    return prepare
"""


@pytest.fixture
def measured(tmp_path):
    """Measures a workload whose variants are given as source."""

    def measure(variants, *, goals="", **options):
        path = tmp_path / "toy.py"
        path.write_text(
            f"{HEAD}\n{textwrap.dedent(variants)}\n"
            f"WORKLOAD = Workload(title='Toy', variants=V, goals=tuple([{goals}]))\n"
        )
        return harness.measure(path, **options)

    return measure


def rows(found):
    return {row["variant"]: row for row in found["variants"]}


def test_a_variant_that_works_longer_is_dearer_and_reaches_its_goal(measured):
    found = measured(
        "V = {'ours': Variant(prepare=busy(30)), 'theirs': Variant(prepare=busy(150))}",
        goals="Goal('theirs', 2), Goal('theirs', 2, wall=True), Goal('theirs', 50), Goal('ours', .9, of='ours')",
        rounds=3,
    )
    assert [goal["reached"] for goal in found["goals"]] == [True, True, False, True]
    assert [goal["goal"] for goal in found["goals"]][1:3] == ["theirs ≥ 2 × ours (wall)", "theirs ≥ 50 × ours (CPU)"]
    ratio = rows(found)["theirs"]["cpu_ratio"]
    assert 2 < ratio["low"] <= ratio["median"] <= ratio["high"]
    assert rows(found)["ours"]["cpu_ratio"] == {"median": 1, "low": 1, "high": 1}
    assert (found["name"], found["title"], found["rounds"]) == ("toy", "Toy", 3)


def test_a_number_that_must_be_reached_is_that_of_the_first_variant_and_not_compared(measured):
    found = measured(
        """
        def share(value):
            return lambda: lambda: {"loss": 1.0, "share": value}
        V = {"ours": Variant(prepare=share(.75)), "theirs": Variant(prepare=share(.25))}
        """,
        goals="Least('share', .75), Least('share', .76)",
        rounds=2,
    )
    assert rows(found)["theirs"]["state"] == ""
    assert found["goals"] == [
        {"goal": "share of ours ≥ 0.75", "measured": {"median": 0.75, "low": 0.75, "high": 0.75}, "reached": True},
        {"goal": "share of ours ≥ 0.76", "measured": {"median": 0.75, "low": 0.75, "high": 0.75}, "reached": False},
    ]


def test_a_variant_may_have_to_stay_within_some_seconds(measured):
    source = "V = {'ours': Variant(prepare=busy(1)), 'theirs': Variant(prepare=busy(60))}"
    found = measured(source, goals="Limit('theirs', .05), Limit('ours', .05)", rounds=2)
    assert [goal["reached"] for goal in found["goals"]] == [False, True]
    assert found["goals"][0]["goal"] == "theirs ≤ 0.05 s of CPU"
    assert found["goals"][0]["measured"] == rows(found)["theirs"]["cpu"]


def test_the_variants_take_turns(measured, tmp_path):
    order = tmp_path / "order"
    measured(
        f"""
        def note(name):
            def prepare():
                def work():
                    with open({str(order)!r}, "a") as file:
                        file.write(name)
                    return {{}}
                return work
            return prepare
        V = {{n: Variant(prepare=note(n)) for n in "ab"}}
        """,
        rounds=3,
    )
    assert sorted(order.read_text()[:2]) == ["a", "b"]  # the first calls, which are not timed
    assert order.read_text()[2:] == "ababab"


def test_preparation_and_the_first_call_are_not_timed(measured):
    found = measured(
        """
        def prepare():
            busy(200)()()
            calls = []
            def work():
                if not calls:
                    busy(200)()()
                calls.append(1)
                return {}
            return work
        V = {"ours": Variant(prepare=prepare)}
        """,
        rounds=2,
    )
    row = rows(found)["ours"]
    assert row["first"] > 0.15
    assert row["cpu"]["high"] < 0.1


def test_another_result_is_named_and_not_timed(measured):
    found = measured(
        """V = {"ours": Variant(prepare=busy(1)), "wrong": Variant(prepare=busy(1, result=1.01)),
             "near": Variant(prepare=busy(1, result=1 + 1e-7)),
             "less": Variant(prepare=busy(1, result=9.0), same=False)}""",
        goals="Goal('wrong', 1)",
        rounds=1,
    )
    states = {label: row["state"] for label, row in rows(found).items()}
    assert states == {"ours": "", "wrong": "another result: loss 1.01 for 1", "near": "", "less": ""}
    assert rows(found)["wrong"]["cpu"] is None
    assert found["goals"][0]["reached"] is None


def test_a_peer_that_is_not_installed_keeps_its_row(measured):
    source = "V = {'ours': Variant(prepare=busy(1)), 'theirs': Variant(prepare=busy(1), peer='no_such_package')}"
    assert rows(measured(source, rounds=1))["theirs"]["state"] == "not installed: no_such_package"
    assert "theirs" not in rows(measured(source, rounds=1, peers=False))


def test_a_variant_that_fails_or_dies_is_said_and_the_others_go_on(measured):
    found = measured(
        """
        import os
        def fails():
            raise ValueError("no data")
        def dies():
            os._exit(3)
        def later():
            calls = []
            def work():
                calls.append(1)
                if len(calls) > 2:
                    raise RuntimeError("late")
                return {"loss": 1.0}
            return work
        V = {"ours": Variant(prepare=busy(1)), "fails": Variant(prepare=fails), "dies": Variant(prepare=dies),
             "later": Variant(prepare=later)}
        """,
        rounds=3,
    )
    states = {label: row["state"] for label, row in rows(found).items()}
    assert states["ours"] == ""
    assert states["fails"] == "ValueError: no data"
    assert states["dies"] == "its process ended with status 3"
    assert states["later"] == "RuntimeError: late"


def test_the_environment_is_the_variants_own(measured):
    found = measured(
        """
        import os
        V = {"ours": Variant(prepare=lambda: lambda: {"x": float(os.environ.get("TOY", 0))}, environment={"TOY": "2"}),
             "theirs": Variant(prepare=lambda: lambda: {"x": float(os.environ.get("TOY", 0))})}
        """,
        rounds=1,
    )
    assert rows(found)["theirs"]["state"] == "another result: x 0 for 2"


def test_memory_is_the_peak_above_the_bare_process(measured):
    found = measured("V = {'ours': Variant(prepare=busy(1)), 'big': Variant(prepare=busy(1, megabytes=200))}", rounds=1)
    assert rows(found)["big"]["memory"] - rows(found)["ours"]["memory"] > 150 * 2**20


def test_children_count(measured):
    found = measured(
        """
        import subprocess
        PROGRAM = "import time\\nwhile time.process_time() < .3: pass"
        def prepare():
            def work():
                subprocess.run([sys.executable, "-c", PROGRAM], check=True)
                return {}
            return work
        V = {"ours": Variant(prepare=prepare)}
        """,
        rounds=1,
    )
    assert rows(found)["ours"]["cpu"]["median"] > 0.25


def test_no_process_is_left_behind(measured):
    started = []
    popen = subprocess.Popen

    class Recorded(popen):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            started.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", Recorded)
        measured("V = {'ours': Variant(prepare=busy(1)), 'theirs': Variant(prepare=busy(1))}", rounds=1)
    assert len(started) == 2
    assert all(process.returncode is not None for process in started)


def test_what_cannot_be_measured_is_refused(measured, tmp_path):
    with pytest.raises(InputError, match=r"`rounds` must be at least 1\. Received: 0\."):
        measured("V = {'ours': Variant(prepare=busy(1))}", rounds=0)
    (tmp_path / "inputs.py").touch()
    with pytest.raises(InputError, match=r"No workload named 'input'\. Did you mean 'inputs'\?"):
        harness.find("input", tmp_path)


@pytest.mark.parametrize(
    ("received", "said"),
    [
        ({"a": [1.0, 2.0]}, ""),
        ({"a": [1.0, 2.1]}, "another result: a 2.1 for 2"),
        ({"a": [1.0]}, "another result: a of shape (1,) for (2,)"),
        ({"a": [1.0, float("nan")]}, "another result: a nan for 2"),
        ({"b": [1.0, 2.0]}, "another result: b for a"),
    ],
)
def test_differences_are_said_in_words(received, said):
    assert harness.difference(received, {"a": [1.0, 2.0]}, 1e-6) == said


def test_ratios_are_taken_inside_a_round():
    ours, theirs = ([{"cpu": c} for c in values] for values in ((1.0, 2.0, 10.0), (2.0, 4.0, 20.0)))
    assert harness.ratios(theirs, ours, "cpu") == {"median": 2, "low": 2, "high": 2}


def test_what_others_kept_busy_is_what_is_left_of_the_processors(tmp_path):
    # user, nice, system, idle, iowait, irq, softirq, steal: 30 s of work in 100 ticks a second, guests are in user
    (tmp_path / "stat").write_text("cpu  1000 200 1500 9000 800 100 150 50 700 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n")
    assert harness.clocks(tmp_path / "stat")[0] * harness.os.sysconf("SC_CLK_TCK") == 3000
    assert harness.others((100.0, 5.0, 20.0), (130.0, 15.0, 30.0)) == 2.0
    assert harness.others((100.0, 5.0, 20.0), (130.0, 36.0, 30.0)) == 0.0  # ticks are coarser than our own seconds
    assert harness.clocks(tmp_path / "nothing") is None
    assert harness.others(None, (130.0, 15.0, 30.0)) is None
