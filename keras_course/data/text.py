"""Text as numbers, once for all epochs: a vocabulary of the training texts, and ids that stay in memory."""

import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Self

from keras_course.base import require

import numpy as np

PADDING, UNKNOWN, FIRST = 0, 1, 2  # ids: what fills a short text, a word that is not in the vocabulary, the first word
_PUNCTUATION = re.compile(f"[{re.escape(string.punctuation)}]")


def words(text: str) -> list[str]:
    """The words of a text in lower case and without punctuation, as `keras.layers.TextVectorization` takes them."""
    return _PUNCTUATION.sub("", text.lower()).split()


class Vocabulary:
    """The words that a network knows. The id of a word is its place in `words` plus `FIRST`.

    words: without repetition, the most frequent first. Build it from the training split alone: `Vocabulary.of(texts)`.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._ids = {word: i for i, word in enumerate(self.words, FIRST)}
        require(self.words, "words", "at least one: an empty vocabulary knows no text", "none")
        require(len(self._ids) == len(self.words), "words", "without repetition", f"{len(self.words)} words")

    @classmethod
    def of(cls, texts: Iterable[str], *, size: int | None = None, at_least: int = 1) -> Self:
        """The words that occur `at_least` times in `texts`, at most `size` of them, by count and then by alphabet."""
        require(size is None or size >= 1, "size", "None or a whole number of at least 1", size)
        counts = Counter(word for text in texts for word in words(text))
        ranked = sorted((-count, word) for word, count in counts.items() if count >= at_least)
        return cls([word for _, word in ranked[:size]])

    def __len__(self) -> int:
        """How many ids there are, those of padding and of unknown words included: the input size of an `Embedding`."""
        return len(self.words) + FIRST

    def encode(self, texts: Iterable[str]) -> list[np.ndarray]:
        """The ids of each text, int32 (words,); a text without a word is one unknown word, so that none is empty."""
        find = self._ids.get
        return [np.array([find(word, UNKNOWN) for word in words(text)] or [UNKNOWN], "int32") for text in texts]

    def decode(self, ids: Iterable[int]) -> str:
        """The words of ids, padding left out and "?" for what is unknown."""
        return " ".join("?" if i == UNKNOWN else self.words[i - FIRST] for i in ids if i != PADDING)

    def known_share(self, texts: Iterable[str]) -> float:
        """The share of the words of `texts` that the vocabulary knows."""
        found = [word in self._ids for text in texts for word in words(text)]
        return float(np.mean(found)) if found else 1.0
