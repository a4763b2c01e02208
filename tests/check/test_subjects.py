import os
import shutil
import textwrap

from keras_course.base import InputError
from keras_course.check import Zygote, judge, load_tests, local, properties, same
from tests.course import FILE, NAME, WRONG, change

import numpy as np
import pytest

X = np.arange(6, dtype="float32").reshape(2, 3)


def uses_the_module(x):
    return np.sum(x)


def changes_its_input(x):
    x[0] = 7
    return x


def test_a_driver_sees_its_own_imports_only():
    with pytest.raises(NameError, match="'np'"):
        local(uses_the_module, x=X)


def test_a_driver_cannot_change_the_inputs_of_the_next():
    mine = np.zeros(2)
    same(local(changes_its_input, x=mine), np.array([7.0, 0.0]))
    same(mine, np.zeros(2))


def test_the_fixture_subject_is_local(subject):
    assert subject is local


@pytest.fixture
def squares(course, zygote, tmp_path):
    """Judges the property of `squares` against a student's file with the given text."""

    def judge_text(text: str, *, seconds: float = 60) -> str:
        work = tmp_path / "work"
        shutil.copytree(course, work, dirs_exist_ok=True)
        change(work, FILE, textwrap.dedent(text).lstrip("\n"))
        found = properties(load_tests(NAME, course))["test_squares_of_two_and_three"]
        return judge(found, zygote, work=work, seconds=seconds).message

    return judge_text


def test_the_solution_holds(squares):
    assert squares("def squares(x): return x * x") == ""


PLACE = f" ({FILE}, line 3)"
ENDED = "ended the process before it returned"


@pytest.mark.parametrize(
    ("body", "start", "end"),
    [
        ("return x.astype('float32') ** 2", "dtype float32, expected int64: did you forget a cast?", ""),
        ("return (x * x)[:, None]", "shape (2, 1), expected (2,): did you forget a squeeze?", ""),
        ("return [4, 9]", "a list of 2, expected an array of shape (2,)", ""),
        ("return x + x", "1 of 2 values differ, the most by 3 at [1]; received 6, expected 9", ""),
        ("return object()", "TypeError: a value of type object, expected an array, a number, text, None", ""),
        ("raise NotImplementedError('squares is yours to write')", "squares is yours to write", ""),
        ("raise ValueError('no\\nmore')", "ValueError: no", PLACE),
        ("return x[0, 0]", "IndexError: too many indices", PLACE),
        ("return np.zeros(10**9)", "MemoryError: Unable to allocate 7.45 GiB", PLACE),
        ("return squares(x)", "RecursionError: maximum recursion depth", PLACE),
        ("import sys; sys.exit(0)", ENDED, "returned"),
        ("import os; os._exit(0)", ENDED, "returned"),
        ("import os; os.kill(os.getpid(), 9)", ENDED, "(SIGKILL)"),
        ("import os; os.kill(os.getppid(), 9); os.kill(os.getpid(), 19)", ENDED, "returned"),
    ],
)  # fmt: skip
def test_what_a_student_did_is_said_in_one_line(squares, body, start, end):
    message = squares(f"import numpy as np\ndef squares(x):\n    {body}\n")
    assert message.startswith(start)
    assert message.endswith(end)
    assert "\n" not in message


def test_an_error_inside_a_traced_function_keeps_its_message_and_place(squares):
    message = squares("""
        import tensorflow as tf
        @tf.function
        def squares(x):
            return tf.matmul(x, tf.ones((5, 5), x.dtype))
        """)
    assert message.startswith("ValueError: Shape must be rank 2 but is rank 1")
    assert message.endswith(f" ({FILE}, line 4)")


def test_an_error_inside_a_layer_keeps_its_message_and_place(squares):
    message = squares("""
        import keras
        class Square(keras.layers.Layer):
            def call(self, x):
                raise ValueError("no layer yet")
        squares = Square()
        """)
    assert message == f"ValueError: no layer yet ({FILE}, line 4)"


def test_a_blank_inside_a_layer_in_a_traced_function_is_still_yours_to_write(squares):
    message = squares("""
        import keras, tensorflow as tf
        class Square(keras.layers.Layer):
            def call(self, x):
                raise NotImplementedError("Square.call is yours to write")
        squares = tf.function(Square())
        """)
    assert message == "Square.call is yours to write"


def test_a_syntax_error_has_its_place(squares):
    assert squares("x = 1\ndef squares(x)\n    return x\n") == f"SyntaxError: expected ':' ({FILE}, line 2)"


@pytest.mark.parametrize(
    "body", ["while True: pass", "import time; time.sleep(60)", "import os; os.fork(); os.kill(os.getpid(), 19)"]
)
def test_what_does_not_end_is_ended(squares, body):
    assert squares(f"def squares(x):\n    {body}\n", seconds=2) == "ran longer than 2 s: does a loop end?"


@pytest.mark.parametrize(
    "trick",
    [
        "print('passed ' * 10**6)",
        "import os\nfor n in range(3): os.write(n, b'{\"value\": true}' * 10**5) if n else 0",
        "import numpy.testing as t; t.assert_allclose = t.assert_array_equal = lambda *a, **k: None",
        "import builtins; builtins.isinstance = builtins.any = lambda *a: False",
        "import numpy as np; np.isclose = np.array_equal = lambda *a, **k: np.True_",
        "import __main__; __main__.encode = lambda value: b'true'",
        "import __main__; __main__.encode = lambda value: b'{\"dict\": [[\"passed\", true]]}'",
        "import __main__; __main__.send = lambda channel, message: channel.sendall(b'\\xff' * 64)",
        "import __main__; __main__.send = lambda channel, message: channel.sendall(bytes(7) + b'\\x05wrong')",
        "import socket\nfor n in range(3, 64):\n  try: socket.socket(fileno=n).sendall(b'passed')\n  except OSError: 0",
        "import sys, types; sys.modules['keras_course.check'] = types.SimpleNamespace(same=lambda *a: None)",
        "class Yes:\n    def __eq__(self, other): return True\nsquares = lambda x: Yes()\n",
        "import numpy as np\nclass Yes(np.ndarray):\n    def __eq__(self, other): return np.True_\n"
        "squares = lambda x: (x + x).view(Yes)",
        "class Yes(list):\n    def __eq__(self, other): return True\nsquares = lambda x: Yes()",
    ],
)  # fmt: skip
def test_a_trick_gains_nothing(squares, trick):
    assert squares(f"{WRONG}{trick}\n") != ""


def test_what_is_deleted_is_not_taken_from_the_reference(course, zygote, tmp_path):
    (tmp_path / "keras_course").mkdir()
    found = properties(load_tests(NAME, course))["test_a_larger_weight_counts_more"]
    message = judge(found, zygote, work=tmp_path, seconds=60).message
    assert message == "ModuleNotFoundError: No module named 'keras_course.means'"
    (tmp_path / "keras_course").rmdir()
    assert "no folder `keras_course`" in judge(found, zygote, work=tmp_path, seconds=60).message


def test_a_check_leaves_nothing_in_the_folder(course, squares, tmp_path):
    squares("def squares(x): return x * x")
    left = {p.relative_to(tmp_path / "work") for p in (tmp_path / "work").rglob("*")}
    assert left == {p.relative_to(course) for p in course.rglob("*")}


def uses_tensorflow(x):
    import keras

    return keras.layers.Dense(1, kernel_initializer="ones")(x)


def test_layers_run_in_every_worker(zygote, tmp_path):
    for _ in range(2):  # the zygote itself has run nothing
        with zygote.worker(tmp_path, seconds=60) as remote:
            same(remote(uses_tensorflow, x=X), X.sum(1, keepdims=True))
            same(remote(uses_tensorflow, x=X[:, :2]), X[:, :2].sum(1, keepdims=True))


def test_a_system_that_cannot_fork_is_one_sentence(monkeypatch):
    monkeypatch.delattr(os, "fork")
    with pytest.raises(InputError, match=r"`system` must be one that can fork a process.* WSL\. Received: "), Zygote():
        pass
