"""Planted mistakes: what shows that a property can fail."""

import dataclasses
from pathlib import Path

from keras_course.base import require


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A mistake that real solutions make: `old` in `file` becomes `new`, and the property `caught_by` must see it."""

    file: str  # relative to the tree, as "keras_course/layers/densenet.py"
    old: str  # occurs exactly once
    new: str
    caught_by: str  # the name of a property in the test file that lists the mutant
    trap: str  # the mistake in words

    def plant(self, tree: Path) -> None:
        """Makes the mistake in `tree`, a copy of the course. InputError unless `old` occurs exactly once."""
        path = tree / self.file
        require(path.is_file(), "file", "a file of the course", self.file)
        source = path.read_text()
        count = source.count(self.old)
        require(count == 1, "old", f"text that occurs exactly once in {self.file}", f"{self.old} ({count} times)")
        path.write_text(source.replace(self.old, self.new))
