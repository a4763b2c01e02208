"""A frozen dataclass of defaults becomes a set of flags.

    @dataclass(frozen=True)
    class Settings:
        dataset: Literal["digits", "mnist"] = "digits"
        epochs: Count = 30          # passes over the training split
        dropout: Share = 0.1        # of the hidden units
        seed: Seed = 0

Field, type, rule, default and help stand in one line: the comment behind a field is its help, its type is its rule.
`parse` takes the flags, `check` refuses a value that breaks a rule; both raise `InputError` with one sentence.
"""

import argparse
import dataclasses
import inspect
import io
import math
import re
import tokenize
import types
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

from keras_course.base import InputError, closest

S = TypeVar("S")


@dataclasses.dataclass(frozen=True)
class Rule:
    """A condition on a value, and the words that follow "must be"."""

    holds: Callable[[Any], bool]
    words: str


Count = Annotated[int, Rule(lambda v: v >= 1, "a whole number of at least 1")]
Several = Annotated[int, Rule(lambda v: v >= 2, "a whole number of at least 2")]
Seed = Annotated[int, Rule(lambda v: 0 <= v < 2**31, "a whole number from 0 to 2147483647")]
Positive = Annotated[float, Rule(lambda v: 0 < v < math.inf, "a number above 0")]
NonNegative = Annotated[float, Rule(lambda v: 0 <= v < math.inf, "a number of at least 0")]
Share = Annotated[float, Rule(lambda v: 0 <= v <= 1, "a number from 0 to 1")]

WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def flag(field: str) -> str:
    """The flag of a field: `batch_size` -> `--batch-size`."""
    return "--" + field.replace("_", "-")


def describe(kind: Any) -> str:
    """What a value of the type `kind` must be, in words."""
    rules = [part.words for part in get_args(kind)[1:]] if get_origin(kind) is Annotated else []
    if rules:
        return rules[0]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin is tuple:
        return f"a list in which each is {describe(arguments[0])}"
    if origin in (Union, types.UnionType):
        return " or ".join("none" if a is type(None) else describe(a) for a in arguments)
    return WORDS.get(kind, kind.__name__)


def obeys(kind: Any, value: Any) -> bool:
    """Whether `value` has the type `kind` and keeps its rules."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return obeys(arguments[0], value) and all(rule.holds(value) for rule in arguments[1:])
    if origin is Literal:
        return value in arguments
    if origin is tuple:
        return isinstance(value, tuple) and all(obeys(arguments[0], v) for v in value)
    if origin in (Union, types.UnionType):
        return any(obeys(a, value) for a in arguments)
    if kind is float:  # NaN is a float that no run can use; infinity is left to the rules
        return type(value) in (int, float) and not math.isnan(value)
    return type(value) is kind  # True is not a whole number


def read(kind: Any, text: str) -> Any:
    """The value of the type `kind` that `text` spells; ValueError when it spells none."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return read(arguments[0], text)
    if origin is Literal:
        return next((a for a in arguments if str(a) == text), text)
    if origin is tuple:
        return tuple(read(arguments[0], part) for part in re.split(r"[\s,]+", text.strip(" ,()")) if part)
    if origin in (Union, types.UnionType):
        if text.lower() == "none" and type(None) in arguments:
            return None
        return read(next(a for a in arguments if a is not type(None)), text)
    if kind is bool:
        return {"true": True, "false": False}[text.lower()]
    if kind is float and re.fullmatch(r"\d+/\d+", text):  # --scale 1/255
        top, bottom = text.split("/")
        return int(top) / int(bottom)
    return kind(text)


def types_of(settings: Any) -> dict[str, Any]:
    """The type of each field of a settings class or instance, rules included, in the order of the fields."""
    cls = settings if isinstance(settings, type) else type(settings)
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def check(settings: S) -> S:
    """`settings`, or an InputError for the first field whose value breaks its rule."""
    for name, kind in types_of(settings).items():
        value = getattr(settings, name)
        if not obeys(kind, value):
            raise InputError(f"`{name}` must be {describe(kind)}. Received: {value!r}.")
    return settings


def helps(settings: Any) -> dict[str, str]:
    """The comment behind each field of a settings class, where there is one."""
    cls = settings if isinstance(settings, type) else type(settings)
    found, name, depth, previous = {}, None, 0, None
    for token in tokenize.generate_tokens(io.StringIO(inspect.getsource(cls)).readline):
        if token.type == tokenize.OP and token.string in "()[]{}":
            depth += 1 if token.string in "([{" else -1
        elif token.string == ":" and depth == 0 and previous and previous.type == tokenize.NAME:
            name = previous.string
        elif token.type == tokenize.COMMENT and name:
            found[name] = token.string.lstrip("# ").strip()
        if token.type == tokenize.NEWLINE:
            name = None
        previous = token
    return {field: text for field, text in found.items() if field in types_of(settings)}


class Parser(argparse.ArgumentParser):
    """An argparse parser that raises `InputError`, one sentence, instead of printing its usage."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False} | kwargs)

    def error(self, message: str) -> NoReturn:
        raise InputError(message[0].upper() + message[1:].rstrip(".") + f". See `{self.prog} --help`.")

    def flags(self) -> list[str]:
        """Every flag that this parser knows."""
        return [option for action in self._actions for option in action.option_strings if option.startswith("--")]

    def parse_all(self, argv: Sequence[str]) -> argparse.Namespace:
        """The arguments, or an InputError that gives the flag nearest to an unknown one and lists the rest."""
        known, unknown = self.parse_known_args(argv)
        if unknown:
            what = "flag" if unknown[0].startswith("-") else "argument"
            name = unknown[0].split("=")[0]
            raise InputError(f"No {what} {name!r}.{closest(name, self.flags())} There are: {', '.join(self.flags())}.")
        return known


def add_flags(parser: argparse.ArgumentParser, defaults: Any) -> None:
    """Adds a flag for each field of the settings `defaults`; a flag not given leaves its field alone."""
    group, comments = parser.add_argument_group("settings"), helps(defaults)
    for name, kind in types_of(defaults).items():
        value = getattr(defaults, name)
        text = f"{comments.get(name, '')} ({describe(kind)}; {value})".strip().replace("%", "%%")
        if kind is bool:
            group.add_argument(flag(name), dest=name, default=None, action=argparse.BooleanOptionalAction, help=text)
        else:
            group.add_argument(
                flag(name), dest=name, metavar="…", nargs="+" if get_origin(kind) is tuple else None, help=text
            )


def take(defaults: S, arguments: argparse.Namespace) -> S:
    """`defaults` with the fields that the flags of `add_flags` set, each read and checked."""
    changes = {}
    for name, kind in types_of(defaults).items():
        text = getattr(arguments, name, None)
        if text is None:
            continue
        if not isinstance(text, bool):
            text = " ".join(text) if isinstance(text, list) else text
            try:
                changes[name] = read(kind, text)
            except (ValueError, KeyError, ZeroDivisionError):
                raise InputError(f"`{name}` must be {describe(kind)}. Received: {text!r}.") from None
        else:
            changes[name] = text
    return check(dataclasses.replace(defaults, **changes))  # type: ignore[type-var]


def parse(defaults: S, argv: Sequence[str], *, prog: str = "settings") -> S:
    """`defaults` with the fields that `argv` sets.

    >>> parse(Settings(), ["--epochs", "3", "--hidden", "64", "32", "--no-augment"])  # doctest: +SKIP
    Settings(epochs=3, hidden=(64, 32), augment=False)
    """
    parser = Parser(prog=prog)
    add_flags(parser, defaults)
    return take(defaults, parser.parse_all(argv))


def differences(old: dict[str, Any], new: dict[str, Any]) -> str:
    """The fields in which two settings differ, as words: "epochs 3 against 5, seed 0 against 1"."""
    missing = "nothing"
    return ", ".join(
        f"{name} {old.get(name, missing)} against {new.get(name, missing)}"
        for name in dict.fromkeys([*old, *new])
        if old.get(name, missing) != new.get(name, missing)
    )
