"""The rules that constructors share: each refuses a value with one sentence that names its field."""

from typing import Any

from keras_course.base import require


def whole_numbers(**fields: Any) -> None:
    """Refuses a field that is not a whole number of at least 1."""
    for field, value in fields.items():
        require(type(value) is int and value >= 1, field, "a whole number of at least 1", value)


def flags(**fields: Any) -> None:
    """Refuses a field that is neither True nor False."""
    for field, value in fields.items():
        require(isinstance(value, bool), field, "True or False", value)


def rate(**fields: Any) -> None:
    """Refuses a dropout rate outside [0, 1): at 1 nothing would be left."""
    for field, value in fields.items():
        require(type(value) in (int, float) and 0 <= value < 1, field, "a number from 0 to below 1", value)


def seed(value: Any) -> None:
    """Refuses a seed that is neither None (a new one each time) nor a whole number from 0 to 2147483647."""
    valid = value is None or (type(value) is int and 0 <= value < 2**31)
    require(valid, "seed", "None or a whole number from 0 to 2147483647", value)
