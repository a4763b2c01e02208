"""Scripts are written to a file and run: what they give a model is what they hand to `say`."""

import sys

from keras_course.diagnostics.expressions import name_of

import numpy as np
import pytest

ROWS = np.arange(24.0).reshape(12, 2)


def names_in(tmp_path, script, **scope):
    """The names by which a script calls what it hands to `say`, in the order in which it does."""
    path, found = tmp_path / "train.py", []

    def say(x):
        frames, frame = [], sys._getframe(1)
        while frame is not None:
            frames += [frame] if frame.f_code.co_filename == str(path) else []
            frame = frame.f_back
        found.append(name_of(x, frames))

    path.write_text(script)
    exec(compile(script, str(path), "exec"), scope | {"say": say, "np": np})
    return found


def batches(x):
    return [(x[i : i + 5].copy(), i) for i in (0, 5)]


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ("for wafers, labels in valid_ds:\n    say(wafers)", "valid_ds"),
        ("for i, (wafers, labels) in enumerate(valid_ds):\n    say(wafers)", "valid_ds"),
        ("for wafers, _ in parts['test']:\n    say(wafers)", "test"),
        ("for wafers, _ in data.val_set:\n    say(wafers)", "val_set"),
        ("[say(wafers) for wafers, _ in test_set]", "test_set"),
        ("for wafers, _ in train_ds:\n    say(wafers)", "wafers"),
        ("for wafers, _ in train_test:\n    say(wafers)", "wafers"),
        ("for wafers, _ in valid_ds:\n    pass\nsay(wafers)", "wafers"),
        ("for _ in valid_ds:\n    wafers = table.copy()\n    say(wafers)", "wafers"),
        ("for wafers, _ in train_ds:\n    for wafers, _ in valid_ds:\n        say(wafers)", "valid_ds"),
        ("def check(step, ds):\n    for x, _ in ds:\n        step(x)\ncheck(say, valid_ds)", "valid_ds"),
        ("def check(step, ds):\n    for x, _ in ds:\n        step(x)\ncheck(say, ds=valid_ds)", "valid_ds"),
        ("def check(step, ds):\n    for x, _ in ds:\n        step(x)\ncheck(say, train_ds)", "x"),
        ("for x_test, _ in train_ds:\n    say(x_test)", "x_test"),
        ("for x_test, _ in valid_ds:\n    say(x_test)", "x_test"),
        ("for rows, _ in valid_ds:\n    wafers = 2 * rows\n    say(wafers)", "valid_ds"),
        ("for rows, _ in valid_ds:\n    twice = 2 * rows\n    wafers = twice + 1\n    say(wafers)", "valid_ds"),
        ("for rows, _ in valid_ds:\n    wafers = table.copy()\n    say(wafers)", "wafers"),
    ],
)
def test_what_a_loop_takes_goes_by_what_it_is_taken_from(script, name, tmp_path):
    class Parts(dict):
        val_set = batches(ROWS)

    sets = dict.fromkeys(("valid_ds", "test_set", "train_ds", "train_test"), batches(ROWS))
    found = names_in(tmp_path, script, **sets, parts=Parts(test=batches(ROWS)), data=Parts(), table=ROWS)
    assert {one[0] for one in found} == {name}
    assert all(np.ndim(one[1][key]) == 2 for one in found for key in ("wafers", "x", "x_test") if key in one[1])


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ("say(table[held])", "held"),
        ("say((2 * x_test).copy())", "x_test"),
        ("def ask(x):\n    say(x * 1)\nask(x_test)", "x_test"),
        ("def ask(x):\n    say(x * 1)\nask(x=x_test)", "x_test"),
        ("def ask(a, *, b):\n    say(b * 1)\nask(table, b=x_test)", "x_test"),
        ("class Net:\n    def ask(self, x):\n        say(x * 1)\nNet().ask(x_test)", "x_test"),
        ("def ask(x):\n    say(x * 1)\nask(table * 1)", ""),
        ("say(table * 1)", ""),
        ("say(table * ones)", ""),
        ("say(2 * test_words)", "test_words"),  # whole numbers, which are no numbers of rows
        ("say(table * square)", ""),
        ("say(table[two].astype('float32'))", "table[two]"),
        ("def ask(rows):\n    say(table[rows])\nask(two)", "table[two]"),
        ("def ask(rows):\n    say(table[rows])\nask(1 * two)", "table[two]"),
        ("def ask(rows):\n    say(table[rows])\nask(two + 0 * held)", "table[rows]"),
        ("say(table[even])", "table[even]"),
        ("say(table[two] - table[two])", ""),
        ("say(table[two][:1])", ""),
        ("say(*[table * 1])", ""),
    ],
)
def test_what_has_no_name_goes_by_the_expression(script, name, tmp_path):
    numbers = {"held": np.array([3, 5]), "two": np.array([4, 2]), "even": np.arange(12) % 2 == 0}
    others = {"ones": np.ones((12, 1), int), "square": np.ones((12, 2), int), "test_words": np.ones((12, 2), int)}
    ((found, scope, rows),) = names_in(tmp_path, script, table=ROWS, x_test=ROWS[6:], **numbers, **others)
    assert found == name
    taken = {"held": "held", "table[two]": "two", "table[rows]": "two", "table[even]": "even"}.get(name, "")
    assert (rows is not None) == bool(taken)
    assert rows is None or list(rows) == list(numbers[taken])
    assert not name or name.partition("[")[0] in scope


def test_the_first_name_that_says_something_is_taken(tmp_path):
    script = "def ask(x):\n    say(x)\nask(spectra)\nask(batch)"
    found = names_in(tmp_path, script, spectra=ROWS, batch=ROWS[6:].copy())
    assert [one[0] for one in found] == ["spectra", "x"]


def test_nothing_is_said_without_a_frame_of_the_script():
    assert name_of(ROWS, []) == ("", {}, None)
