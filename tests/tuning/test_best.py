from keras_course import training
from keras_course.base import InputError
from keras_course.tuning.best import best_of, rebuild, words
from keras_course.tuning.plan import Folder
from keras_course.tuning.searching import subject_of
from tests.tuning import made

import numpy as np
import pytest


def subject(space=None, data=None):
    options = {"optimizer": "adam", "batch_size": 16, "task": training.classification, "settings": None}
    return subject_of(made.build, space or made.SPACE, data or made.splits(), None, **options)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("best")
    return folder, made.run(folder, trials=3, epochs=2, executions=2)


def test_the_winner_is_rebuilt_and_scores_the_same(found, monkeypatch):
    _, result = found
    again = rebuild(subject(), Folder(result.folder))
    assert again.trial == result.best
    assert again.scores == result.best.scores, "to the bit"
    assert again.same
    x, y = made.splits().validation
    accuracy = float(np.mean(np.argmax(training.predict(again.model, x), axis=1) == y))
    assert accuracy == pytest.approx(max(result.best.scores))
    assert "the same as in the search" in words(again, result)


def test_a_winner_whose_weights_are_lost_is_trained_again_to_the_same_score(found):
    _, result = found
    for path in result.folder.glob(f"trial_{result.best.number}/*.weights"):
        path.unlink()
    assert rebuild(subject(), Folder(result.folder)).same


def test_a_winner_that_does_not_score_the_same_is_told(found, tmp_path):
    _, result = found
    again = rebuild(subject(), Folder(result.folder))
    other = type(again)(again.trial, tuple(score - 0.1 for score in again.scores), again.model)
    assert not other.same
    assert "in the search it was" in words(other, result)


def test_another_space_or_other_data_are_refused(found):
    _, result = found
    with pytest.raises(InputError, match="are not those of the search"):
        rebuild(subject(space=made.GRID), Folder(result.folder))
    with pytest.raises(InputError, match="are not those of the search"):
        rebuild(subject(data=made.splits(overlap=2.0)), Folder(result.folder))


def test_a_search_of_no_assignment_is_not_rebuilt_by_its_name(found):
    folder, _ = found
    with pytest.raises(InputError, match="The search points is of no assignment"):
        best_of("points", folder)
