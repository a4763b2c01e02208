"""`keras-course tune`: the search of an assignment, the list of searches, and the winner of one."""

import argparse
import os
import re
import socket
from pathlib import Path
from typing import Any

from keras_course import exercise, settings
from keras_course.base import InputError, require
from keras_course.settings import Parser

METHODS = ("random", "hyperband", "bayesian", "grid")
LOOPS = ("ours", "fit")


def add_flags(parser: Parser) -> None:
    """What every search takes; the fields of the assignment's settings come on top."""
    parser.add_argument("name", nargs="?", help="the assignment, for example vision/cnn_images")
    parser.add_argument("--method", choices=METHODS, default="random", help="how configurations are drawn (random)")
    parser.add_argument("--trials", type=int, default=20, metavar="N", help="how many configurations (20)")
    parser.add_argument("--executions", type=int, default=1, metavar="N", help="trainings of each, for the noise (1)")
    parser.add_argument("--loop", choices=LOOPS, default="ours", help="our training loop or Keras's fit (ours)")
    parser.add_argument("--patience", type=int, metavar="N", help="end a training N epochs behind its best")
    presets = parser.add_mutually_exclusive_group()
    for preset, text in zip(exercise.PRESETS, ("offline, minutes", "the real data set", "seconds"), strict=True):
        presets.add_argument(f"--{preset}", dest="preset", action="store_const", const=preset, help=text)
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="go on with the newest search, or begin one")
    again.add_argument("--overwrite", action="store_true", help="remove the newest search and begin anew")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes that train, beside this one")
    parser.add_argument("--listen", metavar="HOST:PORT", help="let workers of other machines join at this address")
    parser.add_argument("--join", metavar="HOST:PORT", help="be a worker of the search at this address")
    parser.add_argument("--as", dest="worker", metavar="NAME", help="with --join: a name that no other worker has")
    parser.add_argument("--list", action="store_true", help="the searches and how far they are")
    parser.add_argument("--best", metavar="NAME", help="rebuild and score the winner of a search")


def run(parser: Parser, argv: list[str], *, load: Any, table: Any) -> int:
    """The verb. `load` imports TensorFlow quietly, `table` prints rows."""
    add_flags(parser)
    asks = {"--list", "--best"} & {word.split("=")[0] for word in argv}
    name = None if asks else _name(argv)
    if name is None:
        return _ask(parser.parse_all(argv), load, table)
    light = exercise.peek(name)
    if light.tune is None:
        raise InputError(f"`{light.name}` has nothing to tune: its Exercise names no `tune`.")
    defaults = getattr(light, next((p for p in exercise.PRESETS if f"--{p}" in argv), "small"))
    searched = set(light.tune.space)
    settings.add_flags(parser, defaults)
    arguments = parser.parse_all(argv)
    for field in searched:
        if getattr(arguments, field, None) is not None:
            raise InputError(f"`{settings.flag(field)}` is searched, {light.tune.space[field]}: it must be left out.")
    chosen = settings.take(defaults, arguments)
    _require(arguments)
    load()
    return _join(light.name, chosen, arguments) if arguments.join else _search(light.name, chosen, arguments)


def _name(argv: list[str]) -> str | None:
    return next((word for i, word in enumerate(argv) if not word.startswith("-") and not _valued(argv, i)), None)


def _valued(argv: list[str], i: int) -> bool:
    """Whether a word is the value of the flag before it."""
    alone = {"--resume", "--overwrite", "--list", *(f"--{preset}" for preset in exercise.PRESETS)}
    return i > 0 and argv[i - 1].startswith("--") and "=" not in argv[i - 1] and argv[i - 1] not in alone


def _require(arguments: argparse.Namespace) -> None:
    """What can be refused before TensorFlow is loaded."""
    for field in ("trials", "executions"):
        require(getattr(arguments, field) >= 1, field, "a whole number of at least 1", getattr(arguments, field))
    require(arguments.workers >= 0, "workers", "a whole number of at least 0", arguments.workers)
    for field in ("listen", "join"):
        text = getattr(arguments, field)
        fits = text is None or re.fullmatch(r"\S+:\d{1,5}", text)
        require(fits, field, "an address as host:port, for example 192.168.0.5:8000", text)
    require(not arguments.worker or arguments.join, "as", "given with --join alone", arguments.worker)


def _terms(arguments: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(arguments, name) for name in ("method", "trials", "executions", "loop", "patience")}


def _search(name: str, chosen: Any, arguments: argparse.Namespace) -> int:
    """A search, or the rest of one, and what it found."""
    from keras_course import tuning

    result = tuning.search(
        exercise.load(name),
        name=name,
        settings=chosen,
        resume=arguments.resume,
        overwrite=arguments.overwrite,
        workers=arguments.workers,
        **({"listen": arguments.listen} if arguments.listen else {}),
        **_terms(arguments),
    )
    failed = sum(trial.status == "failed" for trial in result.trials)
    best = result.best
    print(f"\n{len(result.trials)} trials of {name} by {result.method} search (seed {result.seed}), {failed} failed")
    print(f"best         trial {best.number}, {result.objective} {best.mean:.4f}: {_values(best.values)}")
    print(f"report       {_shown(result.folder / 'report.md')}")
    print(f"rebuild      keras-course tune --best {name}")
    return 0


def _join(name: str, chosen: Any, arguments: argparse.Namespace) -> int:
    """A worker of a search whose chief is elsewhere; it takes the same flags."""
    from keras_course.tuning import searching

    searcher = arguments.worker or f"{socket.gethostname()}-{os.getpid()}"
    searching.join(name, chosen, arguments.join, searcher, **_terms(arguments))
    print(f"the search at {arguments.join} has no more trials")
    return 0


def _ask(arguments: argparse.Namespace, load: Any, table: Any) -> int:
    """The list of searches, or the winner of one."""
    from keras_course.tuning import listing, plan

    if arguments.list:
        rows = listing.rows(plan.RUNS)
        table(rows) if rows else print("no searches yet: `keras-course tune NAME` makes one")
        return 0
    if not arguments.best:
        raise InputError("The following arguments are required: name. See `keras-course tune --help`.")
    known = plan.names(plan.RUNS)
    name = next((each for each in known if arguments.best in (each, each.split("/")[-1])), arguments.best)
    listing.newest(name, plan.RUNS)  # refused before TensorFlow is loaded
    load()
    from keras_course.tuning import best

    rebuilt, result = best.best_of(name, plan.RUNS)
    print(best.words(rebuilt, result))
    return 0 if rebuilt.same else 1


def _values(values: dict[str, Any]) -> str:
    parts = (f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in values.items())
    return ", ".join(parts)


def _shown(path: Path) -> str:
    return os.path.relpath(path) if Path.cwd() in path.parents else str(path)
