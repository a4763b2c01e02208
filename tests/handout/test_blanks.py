import textwrap

from keras_course.base import InputError
from keras_course.handout.blanks import blanks, strip, strip_mutants

import pytest


def test_a_comment_in_the_docstring_is_no_comment():
    source = b'@blank("a/b")\ndef f():\n    """Say\n    # this"""\n    # secret\n    return 1\n'
    assert strip(source, "a/b") == source[: source.index(b"    # secret")] + (
        b'    raise NotImplementedError("f is yours to write")\n'
    )


def test_windows_line_ends_stay():
    source = b'x = 1\r\n@blank("a/b")\r\ndef f():\r\n    return 1\r\ny = 2\r\n'
    assert strip(source, "a/b") == source.replace(b"return 1", b'raise NotImplementedError("f is yours to write")')


def test_several_signature_lines_and_async_and_inner_functions_are_cut_alike():
    source = textwrap.dedent("""
        class Outer:
            class Inner:
                @base.blank("a/b", hints=("x",))
                async def f(
                    self,
                    x,  # (n,)
                ):
                    return [
                        x,
                    ]

        def g():
            @blank("a/b")
            def h():
                pass
            return h
        """).encode()
    assert (
        strip(source, "a/b")
        == textwrap.dedent("""
        class Outer:
            class Inner:
                @base.blank("a/b")
                async def f(
                    self,
                    x,  # (n,)
                ):
                    raise NotImplementedError("Outer.Inner.f is yours to write")

        def g():
            @blank("a/b")
            def h():
                raise NotImplementedError("h is yours to write")
            return h
        """).encode()
    )


def test_the_blanks_of_another_assignment_stay():
    source = b'@blank("a/bc", hints=("x",))\ndef f():\n    return 1\n\n\n@blank("b/a/b")\ndef g():\n    return 2\n'
    assert strip(source, "a/b") == source
    assert [blank.function for blank in blanks(source, "a/bc")] == ["f"]


def test_a_blank_knows_its_signature_line_hints_and_solution():
    source = b'@blank("a/b", hints=("x" "y", "z"))\ndef f(x, *, y=2):\n    """Doc."""\n    return x + y  # sum\n'
    (blank,) = blanks(source, "a/b")
    assert (blank.function, blank.signature, blank.line) == ("f", "f(x, *, y=2)", 2)
    assert (blank.hints, blank.solution) == (("xy", "z"), "return x + y")


@pytest.mark.parametrize("start", ["MUTANTS = [", "MUTANTS: list[Mutant] = [", "MUTANTS += ["])
def test_mutants_go_with_the_comment_above_them(start):
    source = f"x = 1\n\n# secret\n{start}\n    Mutant(1),\n]\n\ny = 2\n"
    assert strip_mutants(source.encode()) == b"x = 1\n\n\ny = 2\n"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('@blank("a/b")\nclass C:\n    x = 1\n', "`blank` must be a mark on a function or a method"),
        ('@blank("a/b")\ndef f():\n    """Nothing else."""\n', "`blank` must be a mark on a function with a body"),
    ],
)
def test_a_mark_that_cannot_be_cut_is_refused(source, message):
    with pytest.raises(InputError, match=message):
        strip(source.encode(), "a/b")


def test_hints_that_are_no_plain_text_are_refused():
    with pytest.raises(InputError, match=r"^`hints` must be a tuple of texts written out\. Received: code, at f\.$"):
        blanks(b'@blank("a/b", hints=HINTS)\ndef f():\n    return 1\n', "a/b")
