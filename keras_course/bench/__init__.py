"""Benchmarks: the same work done in several ways, side by side, in one run.

A workload is one file, `benchmarks/<name>.py`, that ends in `WORKLOAD = Workload(...)`. Each way to do the work is a
function that prepares it and returns a function of no argument, which does it once:

    def ours():
        import tensorflow as tf
        ...                                 # prepare: not timed
        def work():
            ...                             # timed
            return {"loss": 0.25}           # what every way must come to
        return work

Each variant has a process of its own, so that thread pools, settings and memory are its own too; they take turns,
round after round, so that a disturbance meets all of them alike. A ratio is taken inside a round.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Work = Callable[[], Mapping[str, Any]]


class Goal(NamedTuple):
    """How many times as dear one variant must be as another, by CPU seconds of their processes unless `wall`.

    against: the variant that is to be dearer. of: the cheaper one, of ours; the first when it is not named.
    """

    against: str
    at_least: float
    of: str = ""
    wall: bool = False


class Least(NamedTuple):
    """What a number in the results of the first variant must reach.

    Such a number says how well the work was done: it is not compared among the variants.
    """

    quantity: str
    at_least: float


class Limit(NamedTuple):
    """How many CPU seconds a variant may take."""

    of: str
    at_most: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variant:
    """One way to do the work.

    prepare: returns the work; imports what it needs itself.
    peer: the package of somebody else's that it needs; without it the row says "not installed".
    environment: variables of its process.
    same: whether its results must be those of the first variant; a limit that does less than the work need not.
    """

    prepare: Callable[[], Work]
    peer: str = ""
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    same: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class Workload:
    """The work, the ways to do it, and what is expected of the first of them, `ours`.

    title: what is done, in one line.
    variants: by label; the first is ours.
    goals: ratios to reach, numbers to reach, seconds to stay within.
    tolerance: relative and absolute, by which the results of two variants may differ.
    note: what a reader must know to call the comparison fair.
    """

    title: str
    variants: Mapping[str, Variant]
    goals: tuple[Goal | Least | Limit, ...] = ()
    tolerance: float = 1e-5
    note: str = ""

    def __post_init__(self) -> None:
        unknown = {label for goal in self.goals for label in variants_of(goal)}.difference(self.variants)
        if unknown:
            raise ValueError(f"goals against variants that are not there: {sorted(unknown)}")

    @property
    def qualities(self) -> set[str]:
        """The numbers in a result that are judged and not compared."""
        return {goal.quantity for goal in self.goals if isinstance(goal, Least)}


def variants_of(goal: Goal | Least | Limit) -> set[str]:
    """The variants that a goal names."""
    return {label for label in (getattr(goal, "against", ""), getattr(goal, "of", "")) if label}
