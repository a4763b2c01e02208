"""What a check found: as a table, as JSON, and as JUnit XML."""

import dataclasses
import json
from pathlib import Path
from xml.etree import ElementTree

from rich.table import Table
from rich.text import Text


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One property: its points, and a message when it does not hold."""

    claim: str  # the property in words
    points: float  # what it is worth
    message: str  # empty when the property holds
    seconds: float

    @property
    def got(self) -> float:
        return 0 if self.message else self.points


@dataclasses.dataclass(frozen=True)
class Report:
    """All properties of one assignment, for one piece of work."""

    name: str
    outcomes: tuple[Outcome, ...]

    @property
    def passed(self) -> bool:
        return not any(outcome.message for outcome in self.outcomes)

    @property
    def got(self) -> float:
        return sum(outcome.got for outcome in self.outcomes)

    @property
    def points(self) -> float:
        return sum(outcome.points for outcome in self.outcomes)

    def table(self) -> Table:
        """A row for each property and one for the total, for `rich` to print."""
        table = Table("property", "points", "what was found", title=self.name, show_footer=True)
        for outcome in self.outcomes:  # Text: what a student's code says is not markup
            row = (outcome.claim, f"{outcome.got:g}/{outcome.points:g}", outcome.message or "holds")
            table.add_row(*map(Text, row), style="" if outcome.message else "green")
        table.columns[0].footer = "total"
        table.columns[1].footer = f"{self.got:g}/{self.points:g}"
        return table

    def write_json(self, path: Path) -> None:
        """Writes name, points and whether it passed, and for each property claim, points and message."""
        rows = [dataclasses.asdict(outcome) | {"got": outcome.got} for outcome in self.outcomes]
        summary = {"name": self.name, "passed": self.passed, "points": self.points, "got": self.got}
        path.write_text(json.dumps(summary | {"properties": rows}, indent=2) + "\n")

    def write_junit(self, path: Path) -> None:
        """Writes one JUnit test suite with a test case for each property."""
        failures = sum(bool(outcome.message) for outcome in self.outcomes)
        total = sum(outcome.seconds for outcome in self.outcomes)
        suite = ElementTree.Element(
            "testsuite", name=self.name, tests=str(len(self.outcomes)), failures=str(failures), time=f"{total:.3f}"
        )
        for outcome in self.outcomes:
            case = ElementTree.SubElement(
                suite, "testcase", classname=self.name, name=outcome.claim, time=f"{outcome.seconds:.3f}"
            )
            if outcome.message:
                ElementTree.SubElement(case, "failure", message=outcome.message)
        ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
