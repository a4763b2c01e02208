import sys

from keras_course import tuning

import pytest


def test_the_package_gives_its_names_however_often_it_is_asked():
    for _ in range(2):
        assert callable(tuning.search)
        assert tuning.Space.__name__ == "Space"
    assert {"SearchResult", "Space", "Trial", "search"} == set(dir(tuning))
    with pytest.raises(AttributeError, match="no attribute 'serach'"):
        tuning.serach  # noqa: B018
    assert "keras_course.tuning.searching" in sys.modules
