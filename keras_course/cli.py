"""`keras-course`: each verb is a thin door to the part that does the work.

Nothing slow is imported before the settings are read, so `--help`, `list` and every error of settings answer at once.
"""

import argparse
import dataclasses
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from keras_course import __version__, exercise, settings
from keras_course.base import ASSIGNMENTS, FIGURES, LOGS, ROOT, InputError, assignments, pick, require, worker_index
from keras_course.runs import Run, require_writable, write_atomically


def main(argv: Sequence[str] | None = None) -> int:
    """The command line: returns the exit status, 0 for success, 1 for a check that fails, 2 for bad input."""
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(argv)
    except InputError as error:
        print(f"keras-course: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("keras-course: stopped; `--resume` goes on with a run that was broken off.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has left: `keras-course list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _dispatch(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        print(_overview())
        return 0
    if argv[0] == "--version":
        print(f"keras_course {__version__}")
        return 0
    verb = pick(VERBS, argv[0], "command")
    parser = settings.Parser(prog=f"keras-course {argv[0]}", description=verb.__doc__)
    return verb(parser, argv[1:])


def _overview() -> str:
    lines = ["usage: keras-course COMMAND ...", "", "commands:"]
    lines += [f"  {name:11} {(verb.__doc__ or '').splitlines()[0]}" for name, verb in VERBS.items()]
    return "\n".join([*lines, "", "`keras-course COMMAND --help` says more."])


def _list(parser: settings.Parser, argv: list[str]) -> int:
    """List the assignments: question, data, time and state of the record."""
    from keras_course import records, report

    from rich import box
    from rich.table import Table

    parser.add_argument("pattern", nargs="?", default="", help="only names and titles that contain this")
    parser.add_argument("--folder", help="only this folder, for example vision")
    parser.add_argument("--state", choices=("current", "stale", "none"), help="only records in this state")
    arguments = parser.parse_all(argv)
    table = Table("assignment", "question", "data", "time", "record", box=box.SIMPLE_HEAD)
    folders = {name.split("/")[0]: 0 for name in exercise.names()}
    if arguments.folder:
        pick(folders, arguments.folder, "folder")
    for item in (exercise.peek(name, path) for name, path in assignments().items()):
        state, record = records.state(item), records.read(item.name).get("small")
        if (
            arguments.pattern.lower() in f"{item.name} {item.title}".lower()
            and (not arguments.folder or item.name.startswith(f"{arguments.folder}/"))
            and (not arguments.state or state.startswith(arguments.state))
        ):
            used = report.names_of(record["data"]) if record else "–"
            table.add_row(item.name, item.title, used, f"{record['seconds']['mean']:.0f} s" if record else "–", state)
    _print_table(table)
    return 0


def _print_table(table: Any) -> None:
    """A table as wide as the terminal; without a terminal 200 columns wide, so that most rows are one line."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 200, highlight=False).print(table)


def _run(parser: settings.Parser, argv: list[str]) -> int:
    """Run an assignment and write its report; every field of its settings is a flag."""
    parser.add_argument("name", help="the assignment, for example vision/densenet")
    presets = parser.add_mutually_exclusive_group()
    for preset, text in zip(exercise.PRESETS, ("offline, minutes", "the real data set", "seconds"), strict=True):
        presets.add_argument(f"--{preset}", dest="preset", action="store_const", const=preset, help=text)
    parser.add_argument("--record", action="store_true", help="run several seeds and keep them as the record")
    parser.add_argument("--seeds", type=int, default=3, metavar="…", help="how many seeds a record has (3)")
    parser.add_argument("--resume", action="store_true", help="go on with the run that was broken off")
    parser.add_argument("--strategy", choices=("mirrored", "multiworker"), help="devices of this machine, or TF_CONFIG")
    name = next((word for word in argv if not word.startswith("-")), None)
    if name is None:
        parser.parse_all(argv)  # prints the help, or says that the name is missing
    light = exercise.peek(str(name))
    defaults = getattr(light, next((p for p in exercise.PRESETS if f"--{p}" in argv), "small"))
    settings.add_flags(parser, defaults)
    arguments = parser.parse_all(argv)
    chosen = settings.take(defaults, arguments)
    if arguments.record:
        _refuse_record(arguments, light, defaults, chosen)
    _require_here(chosen)
    if arguments.strategy:
        return _run_spread(light.name, chosen, arguments)
    run = Run(light.name, chosen, resume=arguments.resume)  # refuses what cannot be written or resumed
    _import_tensorflow()
    item = exercise.load(light.name)
    measured = [_run_one(item, run)]
    if arguments.record:
        for seed in range(chosen.seed + 1, chosen.seed + arguments.seeds):
            measured.append(_run_one(item, Run(item.name, dataclasses.replace(chosen, seed=seed))))
        _record(item, run, measured)
    return 0


def _run_spread(name: str, chosen: Any, arguments: argparse.Namespace) -> int:
    """Runs one seed on several devices or as one of several processes, of which the first writes for all."""
    first = arguments.strategy == "mirrored" or worker_index() == 0
    with tempfile.TemporaryDirectory() as elsewhere:
        run = Run(name, chosen, logs=LOGS if first else Path(elsewhere), resume=arguments.resume and first)
        _import_tensorflow()
        from keras_course.training import distribution

        with _silence():
            strategy = distribution.strategy_of(arguments.strategy)
        with strategy.scope():
            item = exercise.load(name)
            if first:
                _run_one(item, run)
            else:
                item.execute(type(item.small)(**vars(run.settings)), run)
    return 0


def _refuse_record(arguments: argparse.Namespace, light: Any, defaults: Any, chosen: Any) -> None:
    """A record stands for a preset and for a spread over seeds."""
    if light.preset_of(chosen) not in ("small", "full"):
        raise InputError(
            "`--record` needs the settings of a preset, `--small` or `--full`, since a record stands for one. "
            f"Received: {settings.differences(vars(defaults), vars(chosen)) or 'the quick preset'}."
        )
    if arguments.seeds * getattr(chosen, "repeats", 1) < 3:
        raise InputError(
            f"`--seeds` must be at least 3 for a record, which shows a spread. Received: {arguments.seeds}."
        )
    if arguments.resume:
        raise InputError("`--record` and `--resume` exclude each other: a record is measured in one go.")
    if arguments.strategy:
        raise InputError("`--record` and `--strategy` exclude each other: a record is measured on one device.")


def _require_here(chosen: Any) -> None:
    """Settings that ask for a data set are refused before TensorFlow is loaded when it is not here."""
    if hasattr(chosen, "source"):
        from keras_course.data import catalogue

        for name in getattr(chosen, "datasets", None) or [chosen.dataset]:
            catalogue.require_here(name, chosen.source)


def _run_one(item: Any, run: Run) -> dict[str, Any]:
    """Runs one seed and prints its scores and where its report is."""
    from keras_course import report

    chosen = type(item.small)(**vars(run.settings))
    start = time.perf_counter()
    result = item.execute(chosen, run)
    metrics = report.write(item, run, result, time.perf_counter() - start)
    print(f"\n{item.title}  (seed {chosen.seed}, {metrics['seconds']:.0f} s)")
    _print_rows(report.parity(item, metrics))
    if result.unwritten:
        print(f"to write     {', '.join(result.unwritten)}")
    print(f"report       {shown(run.folder / 'report.md')}\ntensorboard  keras-course board {item.name}")
    return metrics


def _record(item: Any, first: Run, measured: Sequence[dict[str, Any]]) -> None:
    """Keeps the runs as the record of their preset, with the figures of the first."""
    from keras_course import records

    preset = str(measured[0]["preset"])
    print(f"record       {shown(records.write(item, preset, measured))}")
    folder = FIGURES / item.name
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{preset}-*.png"):
        old.unlink()
    for drawing in (first.folder / "figures").glob("*.png"):
        shutil.copy(drawing, folder / f"{preset}-{drawing.name}")


def shown(path: Path) -> str:
    """A path as a person at this place would type it."""
    return os.path.relpath(path) if Path.cwd() in path.parents else str(path)


@contextmanager
def _silence() -> Iterator[None]:
    """Takes what C++ code writes to standard error; gives it back when Python fails."""
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _import_tensorflow() -> None:
    """Imports TensorFlow without its start-up lines, which no setting of its own silences."""
    with _silence():
        import keras
        import tensorflow as tf

        keras.utils.disable_interactive_logging()
        tf.get_logger().setLevel("ERROR")


def _check(parser: settings.Parser, argv: list[str]) -> int:
    """Check your solution of an assignment: points by property."""
    parser.add_argument("name", help="the assignment")
    parser.add_argument("--work", type=Path, default=ROOT, metavar="FOLDER", help="the folder that `handout` wrote")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="…", help="time limit of a property (60)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the points as JSON")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write the points as JUnit XML")
    arguments = parser.parse_all(argv)
    from keras_course import check

    name = _name(arguments.name)
    with _silence():
        check.load_tests(name)  # which may import TensorFlow, with its start-up lines
    return 0 if check.check(name, **{k: v for k, v in vars(arguments).items() if k != "name"}).passed else 1


def _handout(parser: settings.Parser, argv: list[str]) -> int:
    """Write the student's copy of an assignment into a new folder."""
    parser.add_argument("name", help="the assignment")
    parser.add_argument("folder", type=Path, help="a folder that does not exist or is empty")
    arguments = parser.parse_all(argv)
    from keras_course import handout

    target = handout.write(_name(arguments.name), arguments.folder)
    print(f"Start with {shown(target / 'TASK.md')}")
    return 0


def _name(given: str) -> str:
    """The full name of an assignment given by name or slug."""
    return exercise.path_of(given).relative_to(ASSIGNMENTS).with_suffix("").as_posix()


def _data(parser: settings.Parser, argv: list[str]) -> int:
    """Say what the data sets are and whether they are here; `data fetch NAME` brings one."""
    parser.add_argument("words", nargs="*", metavar="[fetch] [NAME]", help="a data set; fetch: bring it here")
    parser.add_argument("--archives", type=Path, metavar="FOLDER", help="fetch from the published files in this folder")
    arguments = parser.parse_all(argv)
    from keras_course.data import catalogue

    fetch, words = arguments.words[:1] == ["fetch"], arguments.words
    names = words[1:] if fetch else words
    chosen = [pick(catalogue.DATASETS, name, "data set") for name in names] or list(catalogue.DATASETS.values())
    if fetch:
        if not names:
            raise InputError(f"`data fetch` needs a name. There are: {', '.join(catalogue.DATASETS)}.")
        with _silence():
            from keras_course.data import fetching
        for dataset in chosen:
            fetching.fetch(dataset.name, archives=arguments.archives)
    _print_rows([row for dataset in chosen for row in catalogue.rows(dataset)])
    return 0


def _tune(parser: settings.Parser, argv: list[str]) -> int:
    """Search an assignment's hyper-parameters; list the searches; rebuild the winner of one."""
    from keras_course.tuning import command

    return command.run(parser, argv, load=_import_tensorflow, table=_print_rows)


def _report(parser: settings.Parser, argv: list[str]) -> int:
    """Write assignments/RESULTS.md and the README's list from the records."""
    parser.parse_all(argv)
    from keras_course import report

    for path, text in report.generated([exercise.peek(name) for name in exercise.names()]).items():
        write_atomically(path, text)
        print(shown(path))
    return 0


def _board(parser: settings.Parser, argv: list[str]) -> int:
    """Start TensorBoard on the runs of an assignment, on all, or on a search."""
    parser.add_argument("name", nargs="?", help="the assignment")
    parser.add_argument("--search", metavar="NAME", help="the newest search of this name, with its HParams page")
    parser.add_argument("--port", type=int, default=6006, metavar="…", help="0: any that is free (6006)")
    parser.add_argument("--minutes", type=float, default=120.0, metavar="…", help="it stops by itself then (120)")
    arguments = parser.parse_all(argv)
    folder = LOGS / _name(arguments.name) if arguments.name else LOGS
    if arguments.search:
        from keras_course.tuning import listing, plan

        found = plan.searches(arguments.search, plan.RUNS)  # one that is running can be looked at too
        folder = (found[-1] if found else listing.newest(arguments.search)).path / "tensorboard"
    if not any(folder.rglob("events.out.tfevents.*")):
        raise InputError(
            f"`board` needs runs to show, and there are none in {shown(folder)}: "
            f"`keras-course {'tune' if arguments.search else 'run'}` makes some."
        )
    from keras_course.board import serve

    with _silence():
        address = serve(folder, port=arguments.port)
    print(f"{address}  (Ctrl-C stops it)", flush=True)
    time.sleep(60 * arguments.minutes)
    return 0


def _bench(parser: settings.Parser, argv: list[str]) -> int:
    """Measure ours side by side with what a person would otherwise use, and with the goals."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="workloads; all when none is named")
    parser.add_argument("--peers", action="store_true", help="PyTorch, JAX and Grain too, where they are installed")
    parser.add_argument("--rounds", type=int, default=5, metavar="…", help="how often each variant works (5)")
    parser.add_argument("--record", action="store_true", help="keep the figures in benchmarks/, not in the logs")
    parser.add_argument("--list", action="store_true", help="only say which workloads there are")
    arguments = parser.parse_all(argv)
    from keras_course.bench import harness
    from keras_course.bench import report as tables

    if arguments.names == ["diagnostics"]:  # it is judged, not timed
        from keras_course.diagnostics.corpus import judge

        judge.main()
        print(shown(tables.generate()))
        return 0
    paths = [harness.find(name) for name in arguments.names] or list(harness.workloads().values())
    if arguments.list:
        _print_rows([{"workload": path.stem, "what": harness.load(path).title} for path in paths])
        return 0
    for path in paths:
        measured = harness.measure(path, rounds=arguments.rounds, peers=arguments.peers)
        kept = tables.write(measured, tables.RECORDS if arguments.record else LOGS / "bench")
        print(f"\n{path.stem}: {measured['title']}")
        _print_rows(tables.rows(measured))
        if measured["goals"]:
            _print_rows(tables.goals(measured))
        print(shown(kept))
    if arguments.record:
        print(shown(tables.generate()))
    return 0


def _arithmetic(parser: settings.Parser, argv: list[str]) -> int:
    """Say what a stack of layers costs: shapes, parameters, FLOPs, receptive field, memory, serial depth."""
    from keras_course import arithmetic

    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = arithmetic.GRAMMAR
    parser.add_argument(
        "stack", metavar="STACK", help="layers, as 'conv 64 3x3 same, pool 2', or a file of a Keras model"
    )
    parser.add_argument("--input", metavar="SHAPE", help="of one example, as 256x256x3; a model file has its own")
    parser.add_argument("--batch", type=int, default=1, metavar="…", help="examples, for the memory (1)")
    parser.add_argument("--dtype", choices=arithmetic.BYTES, default="float32", help="of the numbers (float32)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows and their sums")
    arguments = parser.parse_all(argv)
    if arguments.batch < 1:
        raise InputError(f"`--batch` must be at least 1. Received: {arguments.batch}.")
    if arguments.stack.endswith((".keras", ".h5")):
        with _silence():
            from keras_course.arithmetic import keras_models

            rows = keras_models.rows_of(keras_models.load(arguments.stack))
    elif arguments.input is None:
        raise InputError("`--input` must say the shape of an example, as 256x256x3. Received: none.")
    else:
        rows = arithmetic.read_stack(arguments.stack, arithmetic.read_shape(arguments.input))
    chosen = {"dtype": arguments.dtype, "batch": arguments.batch}
    sums = arithmetic.totals(rows, **chosen)
    if arguments.json:
        content = {"layers": [dataclasses.asdict(row) for row in rows], "totals": sums} | chosen
        arguments.json.write_text(json.dumps(content, indent=1) + "\n")
    _print_rows(arithmetic.table(rows, **chosen))
    print(arithmetic.summary(sums))
    return 0


def _diagnose(parser: settings.Parser, argv: list[str]) -> int:
    """Run a training script unchanged and say why it does not train."""
    own, rest = _before_script(argv)
    parser.usage = "keras-course diagnose [flags] SCRIPT.py [arguments of the script]"
    parser.add_argument("script", type=Path, metavar="SCRIPT.py", help="the script; what follows are its arguments")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the verdict as JSON")
    parser.add_argument("--log", type=Path, metavar="FOLDER", help="write all that is measured for TensorBoard")
    parser.add_argument("--verify", action="store_true", help="try each repair on copies of the first steps")
    parser.add_argument("--stop-early", action="store_true", help="end the script when the verdict is certain")
    parser.add_argument("--max-steps", type=int, metavar="N", help="end it after N steps of a training")
    arguments = parser.parse_all(own)
    if strayed := [word for word in rest if word in ("--json", "--log", "--verify", "--stop-early", "--max-steps")]:
        where = f"`{strayed[0]}` stands behind {arguments.script} and goes to it; put it before, if it is meant for the"
        print(f"keras-course: {where} diagnosis.", file=sys.stderr)
    if arguments.json:
        arguments.json = arguments.json.resolve()  # the script may change the folder
        require(not arguments.json.is_dir(), "json", "a file, not a folder", str(arguments.json))
        require_writable(arguments.json.parent, "json", "")
    if arguments.log:
        arguments.log = arguments.log.resolve()
        require_writable(arguments.log, "log", "")
    from keras_course.diagnostics import script

    keys = ("verify", "stop_early", "max_steps")
    outcome = script.diagnose(arguments.script, rest, folder=arguments.log, **{k: getattr(arguments, k) for k in keys})
    print(f"\n{script.summary(outcome)}", flush=True)
    if arguments.json:
        write_atomically(arguments.json, script.as_json(outcome))
    return outcome.status


def _before_script(argv: list[str]) -> tuple[list[str], list[str]]:
    """Our own arguments up to the script, and those of the script."""
    valued = {"--json", "--log", "--max-steps"}
    for i, word in enumerate(argv):
        if not word.startswith("-") and (i == 0 or argv[i - 1] not in valued):
            return argv[: i + 1], argv[i + 1 :]
    return argv, []


def _print_rows(rows: Sequence[dict[str, Any]]) -> None:
    """Rows of equal keys as a table on the terminal."""
    from rich import box
    from rich.table import Table

    table = Table(*rows[0], box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values()))
    _print_table(table)


VERBS: dict[str, Callable[[settings.Parser, list[str]], int]] = {
    "list": _list,
    "run": _run,
    "check": _check,
    "handout": _handout,
    "data": _data,
    "tune": _tune,
    "report": _report,
    "board": _board,
    "bench": _bench,
    "arithmetic": _arithmetic,
    "diagnose": _diagnose,
}
