from keras_course.base import InputError
from keras_course.data.text import FIRST, PADDING, UNKNOWN, Vocabulary, words

import keras
import numpy as np
import pytest

TEXTS = ["The cat, the Dog!", "a cat's  life; the end", "", "...", "dog-eared\tcat"]


def test_words_are_those_of_text_vectorization():
    layer = keras.layers.TextVectorization()
    layer.adapt(TEXTS)
    assert set(layer.get_vocabulary()[2:]) == {word for text in TEXTS for word in words(text)}


def test_ids_pick_the_words_that_text_vectorization_picks():
    vocabulary, layer = Vocabulary.of(TEXTS), keras.layers.TextVectorization()
    layer.adapt(TEXTS)
    names = layer.get_vocabulary()
    for text, row in zip(TEXTS, vocabulary.encode(TEXTS), strict=True):
        theirs = [names[i] for i in layer([text]).numpy()[0] if i]
        assert vocabulary.decode(row) == (" ".join(theirs) or "?")


def test_words_stand_by_count_and_then_by_alphabet():
    assert Vocabulary.of(TEXTS).words[:3] == ("the", "cat", "a")
    assert Vocabulary.of(TEXTS, size=2).words == ("the", "cat")
    assert Vocabulary.of(TEXTS, at_least=2).words == ("the", "cat")
    assert len(Vocabulary.of(TEXTS, size=2)) == 2 + FIRST


def test_words_that_training_did_not_show_are_unknown_and_an_empty_text_is_one_of_them():
    vocabulary = Vocabulary(["cat", "dog"])
    rows = vocabulary.encode(["dog bird cat", ""])
    np.testing.assert_array_equal(rows[0], [FIRST + 1, UNKNOWN, FIRST])
    np.testing.assert_array_equal(rows[1], [UNKNOWN])
    assert {row.dtype.name for row in rows} == {"int32"}
    assert vocabulary.decode([*rows[0], PADDING]) == "dog ? cat"
    assert vocabulary.known_share(["dog bird cat", "bird"]) == 0.5
    assert vocabulary.known_share([""]) == 1.0


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Vocabulary.of(["", "..."]), "`words` must be at least one: an empty vocabulary knows no text"),
        (lambda: Vocabulary.of(TEXTS, at_least=9), "`words` must be at least one"),
        (lambda: Vocabulary.of(TEXTS, size=0), "`size` must be None or a whole number of at least 1"),
        (lambda: Vocabulary(["a", "a"]), "`words` must be without repetition"),
    ],
)
def test_vocabularies_that_know_nothing_are_refused(make, sentence):
    with pytest.raises(InputError, match=sentence):
        make()
