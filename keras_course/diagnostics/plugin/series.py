"""Series of scalars thinned to what a page can show, and put beside each other by unit and step."""

from typing import Any

Series = list[tuple[int, float]]  # (step, value), by rising step

FIRST = 100  # steps at the start that are kept: faults of initialisation show there
REST = 200  # of the later ones


def curve(series: Series) -> dict[str, list]:
    """One series as {"steps", "values"}; NaN and infinity stay in it."""
    kept = set(thinned([step for step, _ in series]))
    return {
        "steps": [step for step, _ in series if step in kept],
        "values": [value for step, value in series if step in kept],
    }


def table(scalars: dict[str, Series], quantity: str, units: list[str]) -> dict[str, Any]:
    """`<quantity>/<unit>` of those of `units` that have it: {"units", "steps", "values"}.

    values: one row per unit, one entry per step; None where the unit has no value at that step.
    """
    found = {unit: dict(scalars[f"{quantity}/{unit}"]) for unit in units if f"{quantity}/{unit}" in scalars}
    steps = thinned(sorted({step for series in found.values() for step in series}))
    values = [[series.get(step) for step in steps] for series in found.values()]
    return {"units": list(found), "steps": steps, "values": values}


def thinned(steps: list[int]) -> list[int]:
    """The first hundred of `steps` and up to two hundred of the rest, evenly, the last among them."""
    rest = steps[FIRST:]
    if len(rest) > REST:
        rest = [rest[(i * (len(rest) - 1)) // (REST - 1)] for i in range(REST)]
    return steps[:FIRST] + rest
