import ast

from keras_course import handout
from keras_course.base import ROOT, InputError, assignments
from keras_course.handout.blanks import blanks
from tests.course import NAME, change, write_course

import pytest

MARKED = [
    name
    for name in assignments()
    if any(blanks(p.read_bytes(), name) for f in ("keras_course", "assignments") for p in (ROOT / f).rglob("*.py"))
]


@pytest.fixture
def course(tmp_path):
    return write_course(tmp_path / "course")


@pytest.fixture
def student(course, tmp_path):
    return handout.write(NAME, tmp_path / "student", root=course)


def test_a_blank_keeps_signature_docstring_and_marks_and_loses_body_comments_and_hints(student):
    text = (student / "keras_course" / "means.py").read_text()
    assert text[text.index("class") : text.index("    # This comment")] == (
        "class Mean:\n"
        '    @blank("sums/mean")\n'
        '    @blank("sums/other")\n'
        "    def weighted(self, x, *, weights=(1, 2)):  # x: (n,)\n"
        '        """The mean of `x` (é) by weights."""\n'
        "\n"
        '        raise NotImplementedError("Mean.weighted is yours to write")\n'
        "\n"
    )


def test_all_around_a_blank_stays_byte_for_byte(course, student):
    before = (course / "keras_course" / "means.py").read_bytes()
    after = (student / "keras_course" / "means.py").read_bytes()
    assert after[: after.index(b"    @blank")] == before[: before.index(b"    @blank")]
    assert after[after.index(b"    # This comment") :] == before[before.index(b"    # This comment") :]


def test_a_body_on_the_line_of_its_def_goes_too(student):
    text = (student / "assignments" / "sums" / "mean.py").read_text()
    assert text.endswith('def squares(x): raise NotImplementedError("squares is yours to write")\n')


def test_handing_out_twice_is_handing_out_once(student, tmp_path):
    again = handout.write(NAME, tmp_path / "again", root=student)
    for file in ("keras_course/means.py", "assignments/sums/mean.py"):
        assert (again / file).read_bytes() == (student / file).read_bytes()


def test_each_hint_is_a_file_of_its_own(student):
    texts = [(student / "hints" / "Mean.weighted" / f"{i}.md").read_text() for i in (1, 2, 3)]
    assert texts == ["What is the sum of the weights?\n", "Divide by it.\n", "Think of the other.\n"]
    assert not (student / "hints" / "squares").exists()


def test_what_the_solution_scored_is_gone_and_that_of_others_stays(student):
    assert sorted(p.name for p in (student / "assignments" / "records").rglob("*.json")) == ["other.json"]
    assert not (student / "assignments" / "figures" / "sums" / "mean").exists()
    assert not (student / "assignments" / "RESULTS.md").exists()


def test_no_file_of_the_tree_tells_the_solution(student):
    for path in (p for p in student.rglob("*") if p.is_file() and "hints" not in p.parts):
        text = path.read_text()
        for secret in ("the solution", "secret", "total", "len(x)", "np.asarray(x) *", "Divide"):
            assert secret not in text, f"{path}: {secret}"


def test_mutants_leave_the_tests_and_the_properties_stay(student):
    names = [
        getattr(n, "name", "") for n in ast.parse((student / handout.path_of_tests(NAME, student)).read_text()).body
    ]
    assert "test_squares_of_two_and_three" in names
    assert "MUTANTS" not in (student / "tests/assignments/sums/test_mean.py").read_text()


def test_the_task_names_each_blank_where_it_stands(student):
    task = (student / "TASK.md").read_text()
    assert task.startswith("# Means: what does a weight do?\n")
    assert "Write `Mean.weighted` and `squares`." in task
    assert "`squares` in assignments/sums/mean.py, line 12: `def squares(x)`" in task
    lines = (student / "keras_course/means.py").read_text().splitlines()
    number = next(i for i, line in enumerate(lines, 1) if "def weighted" in line)
    assert (
        f"`Mean.weighted` in keras_course/means.py, line {number}: `def weighted(self, x, *, weights=(1, 2))`" in task
    )
    for command in ("-m assignments.sums.mean", "tests/assignments/sums/test_mean.py", "check sums/mean"):
        assert command in task


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("keras_course/copy.py", "def f(weights, x):\n    return 0\ndef g(x, weights):\n"
         "    if total == 0:\n        raise ValueError(  # laid out in another way\n"
         "            'the weights sum to nothing'\n        )\n"),
        ("tests/test_means.py", "# if total == 0:\n#     raise ValueError('the weights sum to nothing')\n"),
        ("tests/notes.txt", "return np.asarray(x) * np.asarray(x)\n"),
    ],
)  # fmt: skip
def test_a_second_copy_of_the_solution_is_refused(course, tmp_path, file, text):
    change(course, file, text)
    with pytest.raises(InputError, match=rf"^{file} repeats the solution of (Mean\.weighted|squares): .*\.$"):
        handout.write(NAME, tmp_path / "student", root=course)
    assert [p.name for p in tmp_path.iterdir()] == ["course"]  # nothing half-written


def test_one_line_that_repeats_by_chance_is_no_copy(course, tmp_path):
    change(course, "keras_course/other.py", "def f(weights):\n    total = sum(weights)\n    return total\n")
    assert handout.write(NAME, tmp_path / "student", root=course).is_dir()


def test_headers_that_repeat_are_no_copy():
    headers = "for layer in model.layers:\n    if isinstance(layer, Dense):\n"
    assert handout.passages(headers, 2) == set()
    assert len(handout.passages(headers + "        layer.kernel.assign(zeros)\n", 2)) == 1


def test_a_folder_with_something_in_it_is_refused_and_left_alone(course, tmp_path):
    change(tmp_path, "student/mine.txt", "mine")
    with pytest.raises(InputError, match=r"^`target` must be a new or an empty folder\. Received: .*student'\.$"):
        handout.write(NAME, tmp_path / "student", root=course)
    assert [p.name for p in (tmp_path / "student").iterdir()] == ["mine.txt"]


def test_an_empty_folder_and_one_below_a_new_one_will_do(course, tmp_path):
    (tmp_path / "empty").mkdir()
    for target in (tmp_path / "empty", tmp_path / "new" / "below"):
        assert (handout.write(NAME, target, root=course) / "TASK.md").is_file()


@pytest.mark.parametrize(
    ("name", "target", "message"),
    [
        ("sums/maen", "student", "No assignment named 'sums/maen'. Did you mean 'sums/mean'? There are: sums/mean, "),
        ("sums/unmarked", "student", "`name` must be an assignment with functions marked `@blank`."),
        (NAME, "course/tests/student", "`target` must be a folder outside the course's own."),
        (NAME, "course/README.md/student", "Cannot write the handout to "),
    ],
)
def test_what_cannot_be_handed_out_is_said_in_a_sentence(course, tmp_path, name, target, message):
    with pytest.raises(InputError) as error:
        handout.write(name, tmp_path / target, root=course)
    assert str(error.value).startswith(message)
    assert str(error.value).endswith(".")


@pytest.mark.parametrize("name", MARKED)
def test_every_real_handout_parses_and_keeps_every_signature(name, tmp_path):
    tree = handout.write(name, tmp_path / "student")
    for path in (tree / "keras_course").rglob("*.py"):
        before, after = (ROOT / path.relative_to(tree)).read_bytes(), path.read_bytes()
        assert [(b.function, b.signature) for b in blanks(after, name)] == [
            (b.function, b.signature) for b in blanks(before, name)
        ]
        assert not any(b.solution or b.hints for b in blanks(after, name))
