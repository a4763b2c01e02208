import io

from keras_course.bench import worker

import numpy as np
import pytest

TOY = """
from keras_course.bench import Variant, Workload

def prepare():
    calls = []
    def work():
        calls.append(1)
        return {"calls": len(calls)}
    return work

VARIANTS = {"ours": Variant(prepare=prepare), "peer": Variant(prepare=prepare, peer="nope")}
WORKLOAD = Workload(title="Toy", variants=VARIANTS)
"""


@pytest.fixture
def served(tmp_path, monkeypatch):
    """What a worker answers to so many lines."""

    def serve(label, lines):
        path = tmp_path / "toy.py"
        path.write_text(TOY)
        monkeypatch.setattr("sys.stdin", io.StringIO("\n" * lines))
        answers = []
        worker.serve(path, label, answers.append)
        return answers

    return serve


def test_the_first_answer_is_the_result_and_each_line_is_one_more_run(served):
    first, *others = served("ours", 2)
    assert first["result"] == {"calls": 1.0}
    assert {"prepare", "first"} < first.keys()
    assert [sorted(each) for each in others] == [["cpu", "memory", "result", "wall"]] * 2
    assert [each["result"] for each in others] == [{"calls": 2.0}, {"calls": 3.0}]


def test_a_missing_peer_is_said_before_anything_is_prepared(served):
    assert served("peer", 1) == [{"missing": "nope"}]


def test_results_are_plain_numbers():
    assert worker.plain({"a": np.float32(1.5), "b": np.arange(3)}) == {"a": 1.5, "b": [0.0, 1.0, 2.0]}


def test_time_and_memory_only_grow():
    before = worker.cpu_seconds(), worker.resident_bytes()
    value, taken = worker.timed(lambda: sum(range(10**6)))
    assert value == 499999500000
    assert taken["cpu"] > 0
    assert taken["wall"] > 0
    assert worker.cpu_seconds() > before[0]
    assert worker.resident_bytes() >= before[1]
