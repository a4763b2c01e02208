from tests.course import write_course

import pytest


@pytest.fixture(scope="session")
def course(tmp_path_factory):
    """The small course; a test that changes it makes a copy."""
    return write_course(tmp_path_factory.mktemp("course"))
