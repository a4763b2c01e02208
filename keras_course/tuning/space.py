"""What a search may change: a plain dictionary of ranges, choices and conditions, checked before anything is trained.

    {
        "filters": [(16,), (16, 32), (16, 32, 64)],                    # one of these
        "dropout": {"low": 0.0, "high": 0.5, "step": 0.1},             # both ends are drawn
        "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},  # every decade is as likely
        "depth": {"low": 1, "high": 3},                                # whole ends: whole numbers
        "skip": {"choices": [True, False], "when": {"depth": [2, 3]}}, # there only when depth is 2 or 3
    }

`Space` refuses what no search can mean in one sentence, and says of what is odd, in `warnings`, why it is.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from keras_course.base import InputError, closest, require

KEYS = ("low", "high", "step", "scale", "choices", "when")
SCALES = ("linear", "log")
DECADES = 2  # from here on a linear scale hardly ever draws the small values of a range
MANY = 1000  # the most values for which a step or whole numbers are written out

Value = int | float | str | bool


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One hyper-parameter.

    kind: "int" and "float" have `low` and `high`, both included, and perhaps a `step`; "choice" has `choices`.
    when: parent -> its values for which this parameter exists; empty when it always does.
    arguments: by choice what the builder is given; the same but for tuples, of which the choice is the text "16 32".
    """

    name: str
    kind: str
    low: float | None = None
    high: float | None = None
    step: float | None = None
    scale: str = "linear"
    choices: tuple[Value, ...] = ()
    when: dict[str, tuple[Value, ...]] = dataclasses.field(default_factory=dict)
    arguments: tuple[Any, ...] = ()

    @property
    def values(self) -> tuple[Value, ...] | None:
        """All values, when they can be counted; None for a continuous range."""
        if self.kind == "choice":
            return self.choices
        step = self.step or (1 if self.kind == "int" else None)
        if step is None:
            return None
        assert self.low is not None
        assert self.high is not None
        count = round((self.high - self.low) / step) + 1
        return tuple(_tidy(self.low + i * step, self.kind) for i in range(count)) if count <= MANY else None

    def argument(self, value: Value) -> Any:
        """What the builder is given for `value`."""
        return self.arguments[self.choices.index(value)] if self.arguments else value

    def plain(self) -> dict[str, Any]:
        """The entry of the dictionary again, as JSON has it."""
        if self.kind == "choice":
            entry: dict[str, Any] = {"choices": [list(a) if isinstance(a, tuple) else a for a in self.arguments]}
        else:
            entry = {"low": self.low, "high": self.high}
            entry |= {"step": self.step} if self.step is not None else {}
            entry |= {"scale": self.scale} if self.scale != "linear" else {}
        return entry | ({"when": {k: list(v) for k, v in self.when.items()}} if self.when else {})

    def __str__(self) -> str:
        if self.kind == "choice":
            words = "one of " + ", ".join(map(str, self.choices))
        else:
            words = f"{self.low:g} to {self.high:g}"
            words += f" in steps of {self.step:g}" if self.step else ""
            words += ", log scale" if self.scale == "log" else ""
        conditions = " and ".join(f"{k} is {' or '.join(map(str, v))}" for k, v in self.when.items())
        return f"{words}, when {conditions}" if conditions else words


def _tidy(value: float, kind: str) -> Value:
    """A multiple of a step without the tail of its rounding: .30000000000000004 is .3."""
    return round(value) if kind == "int" else float(f"{value:.12g}")


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


class Space:
    """The parameters of a search by name, in the order of the dictionary; a parent stands before its children.

    warnings: a sentence for everything that is allowed and seldom meant.

    Raises:
        InputError: an entry that is no range or list of choices, an empty range, a range of a single value, a step
            that does not reach the upper end, a log scale from 0, equal choices, a condition that no value fulfils.
    """

    def __init__(self, entries: Mapping[str, Any]):
        require(
            isinstance(entries, Mapping) and len(entries) > 0,
            "space",
            "a dictionary of ranges and choices with at least one entry",
            entries,
        )
        self.parameters: dict[str, Parameter] = {}
        for name, entry in entries.items():
            self.parameters[name] = _read(name, entry, self.parameters)
        self.warnings = tuple(words for p in self.parameters.values() for words in odd(p))

    def active(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """The part of `values` whose conditions hold, in the order of the space."""
        found: dict[str, Value] = {}
        for name, parameter in self.parameters.items():
            if name in values and all(found.get(parent) in allowed for parent, allowed in parameter.when.items()):
                found[name] = values[name]
        return found

    def arguments(self, values: Mapping[str, Value]) -> dict[str, Any]:
        """What the builder is given for the values of a trial."""
        return {name: self.parameters[name].argument(value) for name, value in values.items()}

    def plain(self) -> dict[str, Any]:
        """The dictionary again, as JSON has it."""
        return {name: parameter.plain() for name, parameter in self.parameters.items()}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Space) and self.plain() == other.plain()

    def __hash__(self) -> int:
        return hash(str(self.plain()))


def _read(name: str, entry: Any, before: Mapping[str, Parameter]) -> Parameter:
    """The parameter that one entry describes."""
    if isinstance(entry, list | tuple):
        entry = {"choices": entry}
    require(isinstance(entry, Mapping), f"space[{name!r}]", 'a list of choices or {"low": …, "high": …}', entry)
    for key in entry:
        if key not in KEYS:
            raise InputError(f"No key {key!r} in space[{name!r}].{closest(key, KEYS)} There are: {', '.join(KEYS)}.")
    parameter = _choice(name, entry) if "choices" in entry else _range(name, entry)
    return dataclasses.replace(parameter, when=_conditions(name, entry.get("when", {}), before))


def _choice(name: str, entry: Mapping[str, Any]) -> Parameter:
    field, given = f"space[{name!r}]", entry["choices"]
    require(set(entry) <= {"choices", "when"}, field, "either choices or a range", dict(entry))
    require(isinstance(given, list | tuple) and len(given) > 1, field, "a list of at least 2 choices", given)
    arguments = tuple(tuple(each) if isinstance(each, list | tuple) else each for each in given)
    choices = tuple(" ".join(map(str, each)) if isinstance(each, tuple) else each for each in arguments)
    kinds = {float if type(each) is int else type(each) for each in choices}
    known = kinds <= {bool, float, str} and all(_number(c) for c in choices if type(c) in (int, float))
    require(known and len(kinds) == 1, field, "all numbers, all texts, all true or false, or all tuples", given)
    require(len(set(choices)) == len(choices), field, "a list in which no choice comes twice", given)
    if any(type(each) is float for each in choices):
        choices = arguments = tuple(map(float, choices))
    return Parameter(name, "choice", choices=choices, arguments=arguments)


def _range(name: str, entry: Mapping[str, Any]) -> Parameter:
    field = f"space[{name!r}]"
    low, high, step, scale = (entry.get(key) for key in ("low", "high", "step", "scale"))
    require(_number(low) and _number(high), field, "a range with two finite numbers, low and high", dict(entry))
    assert low is not None
    assert high is not None
    require(low <= high, field, "a range whose low end is not above its high end: this one is empty", dict(entry))
    require(
        low < high, field, f"more than the single value {low}: leave it out and give it to the builder", dict(entry)
    )
    require(scale in (None, *SCALES), f"{field}['scale']", "one of linear, log", scale)
    require(scale != "log" or low > 0, field, "a range above 0 on a log scale", dict(entry))
    kind = "int" if {type(low), type(high), type(low if step is None else step)} == {int} else "float"
    if step is not None:
        require(scale != "log", field, "a range without a step on a log scale; choices do the same", dict(entry))
        require(_number(step) and step > 0, f"{field}['step']", "a number above 0", step)
        count = (high - low) / step
        if abs(count - round(count)) > 1e-9 * max(1, count) or round(count) < 1:
            reached = _tidy(low + math.floor(count + 1e-9) * step, kind)
            raise InputError(
                f"`{field}['step']` must divide the range from {low} to {high}: steps of {step} end at {reached}. "
                f"Received: {step!r}."
            )
    low, high = (low, high) if kind == "int" else (float(low), float(high))
    return Parameter(name, kind, low=low, high=high, step=step, scale=scale or "linear")


def _conditions(name: str, given: Any, before: Mapping[str, Parameter]) -> dict[str, tuple[Value, ...]]:
    """The conditions of a parameter: each on one that stands before it, with values that it can take."""
    field = f"space[{name!r}]['when']"
    require(
        isinstance(given, Mapping), field, "a dictionary: another parameter -> the values for which it is there", given
    )
    found = {}
    for parent, wanted in given.items():
        if parent not in before:
            raise InputError(
                f"`{field}` must name a parameter that stands before {name!r}.{closest(parent, before)} "
                f"Received: {parent!r}."
            )
        values = before[parent].values
        require(values, field, f"on choices or steps, which {parent!r} does not have", given)
        assert values is not None
        wanted = tuple(wanted) if isinstance(wanted, list | tuple) else (wanted,)
        wanted = tuple(" ".join(map(str, each)) if isinstance(each, list | tuple) else each for each in wanted)
        can = ", ".join(map(str, values))
        require(wanted and set(wanted) <= set(values), field, f"on values that {parent!r} can take: {can}", given)
        require(set(wanted) < set(values), field, f"on some values of {parent!r} only, not on all of them", given)
        found[parent] = wanted
    return found


def odd(parameter: Parameter) -> list[str]:
    """What is allowed and seldom meant about one parameter, in sentences."""
    if parameter.kind == "choice" or parameter.scale == "log" or parameter.step:
        return []
    low, high = parameter.low, parameter.high
    assert low is not None
    assert high is not None
    rate = "rate" in parameter.name or parameter.name in ("weight_decay", "l2", "l1")
    if low > 0 and high / low >= 10**DECADES and (parameter.kind == "float" or high / low >= MANY):
        share = (high / 10 - low) / (high - low)
        return [
            f"`{parameter.name}` spans {math.log10(high / low):.2g} decades on a linear scale, so only {share:.0%} of "
            f'the draws fall below {high / 10:g}; "scale": "log" makes every decade as likely.'
        ]
    if low == 0 and rate and "drop" not in parameter.name:
        return [
            f"`{parameter.name}` starts at 0 on a linear scale, so nine draws in ten fall above {high / 10:g}; "
            'a low end above 0 and "scale": "log" make every decade as likely.'
        ]
    return []
