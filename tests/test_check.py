import shutil

from keras_course import handout
from keras_course.check import check
from tests.course import FILE, NAME, write_course


def test_a_handout_says_what_is_yours_to_write_and_passes_once_it_is_written(tmp_path, zygote):
    course = write_course(tmp_path / "course")
    work = handout.write(NAME, tmp_path / "student", root=course)
    report = check(NAME, work=work, root=course, zygote=zygote)
    messages = [outcome.message for outcome in report.outcomes]
    assert messages == ["squares is yours to write", "Mean.weighted is yours to write"]
    for file in (FILE, "keras_course/means.py"):
        shutil.copy(course / file, work / file)
    assert check(NAME, work=work, root=course, zygote=zygote).passed


def test_the_tests_in_the_students_folder_do_not_count(tmp_path, zygote):
    course = write_course(tmp_path / "course")
    work = handout.write(NAME, tmp_path / "student", root=course)
    handout.path_of_tests(NAME, work).write_text("def test_nothing(subject):\n    pass\n")
    assert check(NAME, work=work, root=course, zygote=zygote).got == 0
