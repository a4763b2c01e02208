"""`search`: one call for what is otherwise a tuner, its files, its failures, its seeds and its report."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from keras_course import training
from keras_course.base import pick, require, without_advice
from keras_course.exercise import Exercise
from keras_course.runs import write_atomically
from keras_course.tuning import board, report
from keras_course.tuning import plan as plans
from keras_course.tuning.oracles import METHODS, Durable, Hear
from keras_course.tuning.plan import FILE, PLAN, Folder, Plan
from keras_course.tuning.progress import Progress
from keras_course.tuning.repair import repair
from keras_course.tuning.result import SearchResult, trial_of
from keras_course.tuning.source import Source
from keras_course.tuning.space import Space
from keras_course.tuning.subjects import Assigned, Built, Hyper, Subject
from keras_course.tuning.trainings import LOOPS
from keras_course.tuning.tuner import Tuner
from keras_course.tuning.workers import LOOPBACK, oracle_for, serve, work


def search(
    build: Any,
    space: Mapping[str, Any] | Space | None = None,
    train: Any = None,
    validation: Any = None,
    *,
    name: str,
    method: str = "random",
    trials: int = 20,
    seed: int = 0,
    epochs: int | None = None,
    executions: int = 1,
    objective: str = "val_accuracy",
    direction: str | None = None,
    loop: str = "ours",
    optimizer: str | Callable[..., Any] = "adam",
    batch_size: int = 64,
    patience: int | None = None,
    task: Any = training.classification,
    settings: Any = None,
    resume: bool = False,
    overwrite: bool = False,
    workers: int = 0,
    listen: str = LOOPBACK,
    runs: Path | str = plans.RUNS,
    progress: bool = True,
) -> SearchResult:
    """Searches for the values with the best objective on the validation data.

    Args:
        build: a function of keywords that returns a model, such as `models.cnn`; a Keras `HyperModel` or a function of
            its `hp`, both without `space`; or an assignment's `Exercise`, without `space` and data.
        space: ranges, choices and conditions; see `Space`.
        train, validation: `Splits`, arrays (x, y), pipelines, or functions that make pipelines; see `Source`. The test
            part of `Splits` is let go of, and arrays of one are refused.
        name: of the search; its folder is `runs`/<name>/<time>.
        method: "random", "hyperband", "bayesian" or "grid".
        trials: at most so many configurations; with Hyperband trainings, which go on from one another.
        epochs: of a training, at most: 10, or those of the assignment. executions: trainings of each configuration,
            from different seeds; the objective is their mean.
        objective: a curve of the validation, "val_accuracy" or "val_loss"; the value of a training is its best epoch's,
            and the weights of that epoch are kept. direction: "max" or "min"; None: min for a loss.
        loop: "ours" trains by `training.fit`, "fit" by Keras's.
        optimizer: adam, adamw, rmsprop, sgd or a class, unless the builder compiles or the space chooses.
        patience: epochs without improvement of the objective after which a training ends; None: none does.
        task: what our loop minimises: (model, batch, training) -> loss and metrics.
        settings: of an assignment; its `small` preset when none are given.
        resume: goes on with the newest search of this name, or begins one; overwrite: removes it.
        workers: processes on this machine beside the chief, which trains nothing then; 0: all in this process.
        listen: the chief's address, 127.0.0.1 and a free port unless workers of other machines are to join.

    Returns:
        All trials; the same for the same seed on the same machine, also after the process was killed and resumed.

    Raises:
        InputError: one of these is not what it must be; a search of this name was broken off and neither flag is
            given; it is resumed on other terms.
    """
    subject = subject_of(
        build, space, train, validation, optimizer=optimizer, batch_size=batch_size, task=task, settings=settings
    )
    if isinstance(subject, Assigned):
        seed, batch_size, epochs = subject.settings.seed, subject.settings.batch_size, epochs or subject.settings.epochs
    plan = plan_of(
        subject,
        name=name,
        method=method,
        objective=objective,
        direction=direction or ("min" if "loss" in objective or "error" in objective else "max"),
        seed=seed,
        epochs=10 if epochs is None else epochs,
        executions=executions,
        loop=loop,
        patience=patience,
        batch_size=batch_size,
        trials=trials,
    )
    require(type(workers) is int and workers >= 0, "workers", "a whole number of at least 0", workers)
    for words in warnings_of(subject, plan):
        print(f"keras-course: {words}", file=sys.stderr)
    folder = plans.opened(plan, runs=Path(runs), resume=resume, overwrite=overwrite)
    with folder.locked():
        return run(subject, plan, folder, workers=workers, listen=listen, progress=progress)


def subject_of(
    build: Any, space: Any, train: Any, validation: Any, *, optimizer: Any, batch_size: int, task: Any, settings: Any
) -> Subject:
    """What is searched, by what was given."""
    if isinstance(build, Exercise):
        require(space is None and train is None, "space", "left out with an assignment, which has its own", space)
        return Assigned(build.name, settings or build.small)
    require(callable(build) or hasattr(build, "build"), "build", "a builder, a HyperModel or an Exercise", build)
    source = Source(train, validation)
    if space is None:
        return Hyper(build, source, batch_size=batch_size, task=task)
    space = space if isinstance(space, Space) else Space(space)
    return Built(build, space, source, optimizer=optimizer, batch_size=batch_size, task=task)


def plan_of(subject: Subject, **terms: Any) -> Plan:
    """The plan of a search over `subject`, checked."""
    fixed = {k: v for k, v in subject.fixed.items() if k not in subject.space.parameters}
    space, data = subject.space.plain(), str(subject.source)
    return checked(Plan(what=subject.what, data=data, space=space, settings=fixed, **terms))


def checked(plan: Plan) -> Plan:
    """The plan, or an InputError for the first of its terms that cannot be."""
    parts = plan.name.split("/") if isinstance(plan.name, str) else []
    plain = all(part and not part.startswith(".") for part in parts)
    require(parts and plain, "name", "a name such as vision/cnn_images", plan.name)
    pick(METHODS, plan.method, "method")
    pick(LOOPS, plan.loop, "loop")
    for field in ("trials", "epochs", "executions", "batch_size"):
        value = getattr(plan, field)
        require(type(value) is int and value >= 1, field, "a whole number of at least 1", value)
    require(type(plan.seed) is int and 0 <= plan.seed < 2**31, "seed", "a whole number from 0 to 2147483647", plan.seed)
    require(plan.objective.startswith("val_"), "objective", "a curve of the validation, val_…", plan.objective)
    require(plan.direction in ("max", "min"), "direction", "max or min", plan.direction)
    require(plan.patience is None or plan.patience >= 1, "patience", "None or at least 1", plan.patience)
    return plan


def warnings_of(subject: Subject, plan: Plan) -> list[str]:
    """What is allowed and seldom meant."""
    found = list(subject.space.warnings)
    continuous = [p.name for p in subject.space.parameters.values() if p.values is None]
    if plan.method == "grid" and continuous:
        found.append(f"grid search takes ten values of {', '.join(continuous)}, which has no steps.")
    if not subject.source.ordered:
        found.append(
            "`train` is a dataset whose order may depend on what was trained before, so that a trial that is repeated "
            "need not give the same score; a function of a seed that makes it would."
        )
    return found


def join(name: str, settings: Any, address: str, worker: str, *, runs: Path | str = plans.RUNS, **terms: Any) -> None:
    """Works for the search of an assignment whose chief is at `address`; the terms must be those of the chief."""
    subject = Assigned(name, settings)
    own = {"seed": settings.seed, "epochs": settings.epochs, "batch_size": settings.batch_size}
    plan = plan_of(subject, name=name, objective="val_accuracy", direction="max", **own, **terms)
    folder = Folder(Path(runs) / name / f"joined-{worker}")
    with folder.locked():
        work(subject, plan, folder, address, worker)


def run(subject: Subject, plan: Plan, folder: Folder, *, workers: int, listen: str, progress: bool) -> SearchResult:
    """The search in its folder, which is locked: begins it, or goes on from what is there."""
    write_atomically(folder.path / PLAN, json.dumps(plan.plain(), indent=1) + "\n")
    (folder.path / FILE).unlink(missing_ok=True)
    for note in repair(folder):
        print(f"keras-course: {note}", file=sys.stderr)
    oracle = oracle_for(subject, plan)
    with without_advice(), listening(plan, folder, subject.space, progress=progress) as hear:
        oracle.attach(folder.path, hear)
        if workers or listen != LOOPBACK:
            take_up(oracle, folder)
            serve(oracle, subject=subject, plan=plan, folder=folder, workers=workers, listen=listen)
        else:
            Tuner(oracle, subject=subject, plan=plan, folder=folder).search()
            if oracle.broken:
                raise oracle.broken
    return finished(plan, folder, subject.space)


def take_up(oracle: Durable, folder: Folder) -> None:
    """What Keras Tuner's tuner does for its oracle at the start; a chief has no tuner."""
    if (folder.path / "oracle.json").exists():
        oracle.reload()


@contextlib.contextmanager
def listening(plan: Plan, folder: Folder, space: Space, *, progress: bool) -> Iterator[Hear]:
    """What is done with each trial that ends: its record is kept, then it is shown."""
    budget = None if plan.method == "hyperband" else plan.trials * plan.epochs * plan.executions
    terms: dict[str, Any] = {
        "trials": plan.trials,
        "objective": plan.objective,
        "direction": plan.direction,
        "epochs": budget,
    }
    with Progress(**terms, done=folder.trials(), shown=progress) as display:

        def hear(number: int, record: dict[str, Any]) -> None:
            folder.keep(number, record)
            trial = trial_of(record["trial"])
            board.write_trial(folder.path, trial, space)
            display.ended(trial)

        yield hear


def finished(plan: Plan, folder: Folder, space: Space) -> SearchResult:
    """The result, written with its report."""
    result = result_of(plan, folder, space)
    report.write(result)
    result.write()  # the last, since it says that the search has ended
    return result


def result_of(plan: Plan, folder: Folder, space: Space) -> SearchResult:
    """The result of what the folder holds now."""
    return SearchResult(
        folder=folder.path,
        name=plan.name,
        method=plan.method,
        objective=plan.objective,
        direction=plan.direction,  # type: ignore[arg-type]
        seed=plan.seed,
        space=space,
        trials=folder.trials(),
        set_aside=tuple(folder.notes()),
    )
