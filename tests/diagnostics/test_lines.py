import ast

from keras_course.diagnostics.lines import called, scoped

import pytest

SCRIPT = """
first = 1
def plain(): return 2
@cached
def known(x):
    def inner(y): return 3
    def within(): return 5
    return 7
def other(x): return 11
class Net:
    def call(self, x): return 13
lambda: 17
"""


@pytest.mark.parametrize(
    ("functions", "seen"),
    [
        (set(), {1: 0, 2: 0}),
        ({4}, {1: 0, 2: 0, 5: 4, 7: 4}),
        ({5}, {1: 0, 2: 0}),  # it begins with its decorator
        ({4, 6}, {1: 0, 2: 0, 3: 6, 5: 4, 7: 4}),
        ({3, 9, 11}, {1: 0, 2: 3, 11: 9, 13: 11}),
    ],
)
def test_nodes_belong_to_the_innermost_function_that_is_known(functions, seen):
    nodes = scoped(ast.parse(SCRIPT), functions)
    assert {node.value: begins for node, begins in nodes if isinstance(node, ast.Constant)} == seen


def test_inner_nodes_come_first():
    kinds = [type(node).__name__ for node, _ in scoped(ast.parse("a = b + 1"), ())]
    assert kinds.index("BinOp") < kinds.index("Assign")


def test_the_name_of_a_function():
    names = [called(ast.parse(text, mode="eval").body) for text in ("f", "np.round", "a.b.c", "f()")]
    assert names == ["f", "round", "c", ""]
