import dataclasses

from keras_course.diagnostics.corpus import cases, measure

CASE = next(c for c in cases("development") if c.name == "deep_wine/healthy-0")
SICK = next(c for c in cases("development") if c.name == "deep_wine/dead_units")


def script(text, case=CASE, score="value"):
    return dataclasses.replace(case, source=text, program=dataclasses.replace(case.program, score=score))


def test_a_score_is_an_expression_over_the_names_of_the_script(tmp_path):
    found = measure.run(script("value = 3 / 4"), tmp_path / "train.py")
    assert found["score"] == 0.75
    assert found["source"] == measure.fingerprint(script("value = 3 / 4"))


def test_a_script_that_fails_has_no_score_and_says_why(tmp_path):
    found = measure.run(script("1 / 0"), tmp_path / "train.py")
    assert found["score"] is None
    assert found["error"] == "ZeroDivisionError: division by zero"


def table(healthy, sick):
    return {
        CASE.name: {"score": healthy, "source": measure.fingerprint(CASE)},
        SICK.name: {"score": sick, "source": measure.fingerprint(SICK)},
    }


def test_complaints():
    assert measure.complaints(table(0.97, 0.4), [CASE, SICK]) == []
    assert "below its bar" in measure.complaints(table(0.5, 0.4), [CASE])[0]
    assert "where the healthy program has 0.97" in measure.complaints(table(0.97, 0.95), [SICK])[0]
    assert measure.complaints({}, [CASE]) == [f"{CASE.name}: not measured"]
    assert measure.lost(SICK, {"score": None}, 0.97) == 1
