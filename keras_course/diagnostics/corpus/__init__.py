"""Programs with a known fault, and programs with none: what the diagnosis is tuned on and, on another part, judged by.

A `Program` is a healthy training script as a person would write it. A `Fault` plants one cause by changing its text in
one place, the way people do it. `cases` makes the scripts, each with what must be named, what may be named and what
must not be. The families of the two parts are disjoint: thresholds are set on "development", figures are reported on
"heldout".
"""

import dataclasses
import importlib
import json
import pkgutil
from collections.abc import Iterator
from pathlib import Path

from keras_course.base import pick
from keras_course.diagnostics.causes import CAUSES, CURVES, DYNAMICS

PARTS = ("development", "heldout")
MEASURED = Path(__file__).with_name("measured.json")
# True of many a broken training and seldom its cause: named beside the cause they are neither right nor wrong.
SYMPTOMS = frozenset({*DYNAMICS, *CURVES, "input_ignored"})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fault:
    """One cause, planted by replacing `old`, which occurs once in the source, by `new`.

    accept: labels that are as right as `cause`. beside: further labels that are true of the script, named without
    credit and without blame. layer: names of the unit that is at fault, where one is.
    certain: wrong whatever the score says, as a leak that flatters it; its harm is not measured.
    seeds: how many seeds of it are cases.
    """

    cause: str
    old: str
    new: str
    accept: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    layer: tuple[str, ...] = ()
    certain: bool = False
    tag: str = ""

    @property
    def name(self) -> str:
        return f"{self.cause}-{self.tag}" if self.tag else self.cause

    def plant(self, source: str) -> str:
        """The source with the fault.

        Raises:
            ValueError: the text to replace does not occur exactly once.
        """
        if source.count(self.old) != 1:
            raise ValueError(f"{self.name}: its text must occur once, and occurs {source.count(self.old)} times")
        return source.replace(self.old, self.new)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Program:
    """A healthy script.

    source: its text; SEED stands for the seed. score: an expression over its names, higher is better.
    bar: the score that it reaches. base: the score of a model that does not look at the input.
    odd: what looks like a fault and is none. pairs: names of faults that are planted together.
    """

    name: str
    source: str
    score: str
    bar: float
    base: float
    odd: str = ""
    faults: tuple[Fault, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    seeds: int = 2

    def fault(self, name: str) -> Fault:
        return pick({fault.name: fault for fault in self.faults}, name, "fault")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """One script to diagnose.

    right: for each planted fault the labels that are right. never: labels that are false of the script.
    """

    name: str
    program: Program
    source: str
    seed: int
    faults: tuple[Fault, ...] = ()

    @property
    def healthy(self) -> bool:
        return not self.faults

    @property
    def right(self) -> tuple[frozenset[str], ...]:
        return tuple(frozenset({fault.cause, *fault.accept}) for fault in self.faults)

    @property
    def never(self) -> frozenset[str]:
        if self.healthy:
            return frozenset(CAUSES)
        beside = {label for fault in self.faults for label in fault.beside}
        return frozenset(CAUSES) - SYMPTOMS - beside - frozenset().union(*self.right)

    @property
    def layers(self) -> frozenset[str]:
        return frozenset(name for fault in self.faults for name in fault.layer)


def programs(part: str) -> list[Program]:
    """All programs of a part, in the order of its files."""
    package = importlib.import_module(f"{__name__}.{pick({name: name for name in PARTS}, part, 'part')}")
    modules = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return [one for name in modules for one in importlib.import_module(f"{package.__name__}.{name}").PROGRAMS]


def cases(part: str) -> Iterator[Case]:
    """The scripts of a part: every program without a fault with each seed, with each fault, and with each pair."""
    for program in programs(part):
        for seed in range(program.seeds):
            yield _case(program, (), seed)
        for fault in program.faults:
            yield _case(program, (fault,), 0)
        for names in program.pairs:
            yield _case(program, tuple(map(program.fault, names)), 0)


def _case(program: Program, faults: tuple[Fault, ...], seed: int) -> Case:
    source = program.source
    for fault in faults:
        source = fault.plant(source)
    name = "+".join(fault.name for fault in faults) or f"healthy-{seed}"
    return Case(
        name=f"{program.name}/{name}",
        program=program,
        source=source.lstrip("\n").replace("SEED", str(seed)),
        seed=seed,
        faults=faults,
    )


def measured() -> dict[str, dict[str, float | bool | None]]:
    """What each case scored without any diagnosis, as `python -m keras_course.diagnostics.corpus.measure` wrote it."""
    return json.loads(MEASURED.read_text()) if MEASURED.exists() else {}
