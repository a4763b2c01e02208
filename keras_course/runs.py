"""The folder of one run, `logs/<name>/<time>/`, and what a run writes into it while it goes on.

    settings.json      written first: what `--resume` compares with
    checkpoints/       one file per stage; removed when the run is complete
    tensorboard/       events: scalars, histograms, graph and images of each stage, hyper-parameters
    figures/*.png  metrics.json  report.md      written last, by `keras_course.report`

A `Run` is the `log` that an assignment gets. Nothing is created before the first write, so a run that is refused at
the door leaves nothing.
"""

import dataclasses
import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_course.base import LOGS, InputError
from keras_course.settings import differences


def write_atomically(path: Path, content: str | bytes) -> None:
    """Writes a whole file or nothing; an InputError says why it could not."""
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"`{path}` cannot be written: {error.strerror}.") from error


def plain(settings: Any) -> dict[str, Any]:
    """The fields of a settings dataclass as JSON has them (tuples become lists)."""
    return json.loads(json.dumps(dataclasses.asdict(settings)))


def require_writable(
    folder: Path, field: str = "logs", instead: str = "; the environment variable KERAS_COURSE_LOGS names another"
) -> None:
    """Refuses a folder in which nothing can be written, and leaves nothing behind there.

    field, instead: what the sentence of the error names, and what it says would do.
    """
    there = next(p for p in [folder, *folder.parents] if p.exists())
    try:
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        raise InputError(
            f"`{field}` must be a folder that can be written. Received: {folder} ({error.strerror}){instead}."
        ) from error


def unfinished(name: str, *, logs: Path = LOGS) -> list[Path]:
    """The folders of the runs of `name` that were broken off, oldest first."""
    return sorted(p.parent for p in (logs / name).glob("*/settings.json") if not (p.parent / "metrics.json").exists())


class Run:
    """One run of an assignment: takes what `fit` logs, and knows where the checkpoints are.

    Args:
        name: of the assignment.
        settings: a dataclass; kept in `settings.json` and in each checkpoint.
        logs: the folder of all runs.
        resume: goes on in the newest unfinished folder of this assignment instead of a new one.

    Raises:
        InputError: `logs` cannot be written; there is nothing to resume; the settings differ from those of the run
            that is to be resumed.
    """

    def __init__(self, name: str, settings: Any, *, logs: Path = LOGS, resume: bool = False):
        self.name, self.settings = name, settings
        require_writable(logs)
        self.folder = self._resumed(logs) if resume else logs / name / time.strftime("%Y%m%d-%H%M%S")
        self._begun = resume
        self._writers: dict[str, Any] = {}
        self._drawn: set[str] = set()  # the stages whose graph is written

    def _resumed(self, logs: Path) -> Path:
        candidates = unfinished(self.name, logs=logs)
        if not candidates:
            raise InputError(f"`--resume` needs a run of {self.name} that was broken off, and there is none in {logs}.")
        old = json.loads((candidates[-1] / "settings.json").read_text())
        if old != plain(self.settings):
            raise InputError(
                f"`--resume` needs the settings of the run in {candidates[-1]}, which differ: "
                f"{differences(old, plain(self.settings))}."
            )
        return candidates[-1]

    def _begin(self) -> None:
        """Claims the folder, or the next free name where a run of the same second has taken it."""
        number, first = 1, self.folder
        while not self._begun:
            try:
                self.folder.mkdir(parents=True)
                self._begun = True
                write_atomically(self.folder / "settings.json", json.dumps(plain(self.settings), indent=1) + "\n")
            except FileExistsError:
                number += 1
                self.folder = first.with_name(f"{first.name}-{number}")

    def events(self, stage: str) -> Path:
        """The folder in which TensorBoard looks for the event files of one stage."""
        self._begin()
        return self.folder / "tensorboard" / stage

    def _writer(self, stage: str) -> Any:
        import tensorflow as tf

        if stage not in self._writers:
            self._writers[stage] = tf.summary.create_file_writer(str(self.events(stage)))
        return self._writers[stage]

    def scalars(self, stage: str, step: int, values: Mapping[str, float]) -> None:
        """One point of each named curve."""
        import tensorflow as tf

        with self._writer(stage).as_default(step=step):
            for tag, value in values.items():
                tf.summary.scalar(tag, value)

    def weights(self, stage: str, step: int, model: Any) -> None:
        """A histogram of each trainable variable; with the first, the model's graph."""
        import tensorflow as tf

        if stage not in self._drawn:
            self._drawn.add(stage)
            self._graph(stage, model)
        with self._writer(stage).as_default(step=step):
            for variable in model.trainable_variables:
                tf.summary.histogram(f"weights/{variable.path}", variable.value)

    def _graph(self, stage: str, model: Any) -> None:
        import tensorflow as tf

        specs = [tf.TensorSpec(t.shape, t.dtype) for t in model.inputs or []]
        if specs:
            call = tf.function(lambda *inputs: model(inputs if len(inputs) > 1 else inputs[0], training=False))
            with self._writer(stage).as_default(step=0):
                tf.summary.graph(call.get_concrete_function(*specs).graph)

    def images(self, stage: str, tag: str, images: Any, *, step: int = 0) -> None:
        """Up to 16 images, (n, height, width, 1 or 3) in [0, 1]."""
        import tensorflow as tf

        with self._writer(stage).as_default(step=step):
            tf.summary.image(tag, images, max_outputs=16)

    def checkpoint(self, stage: str) -> Any:
        """Where `fit` keeps the state of one stage, and finds it again when the run is resumed."""
        from keras_course.training.checkpoints import Checkpoint

        self._begin()
        return Checkpoint(self.folder / "checkpoints" / f"{stage.replace('/', '-')}.npz", settings=plain(self.settings))

    def hyperparameters(self, scores: Mapping[str, float]) -> None:
        """The settings and the scores on TensorBoard's HParams page."""
        import tensorflow as tf
        from tensorboard.plugins.hparams import api as hp

        values = {k: v if isinstance(v, int | float | str) else str(v) for k, v in plain(self.settings).items()}
        with self._writer("summary").as_default(step=0):
            hp.hparams(values, trial_id=self.folder.name)
            for name, score in scores.items():
                tf.summary.scalar(f"scores/{name}", score)

    def figure(self, label: str, figure: Any) -> Path:
        """Keeps a matplotlib figure as PNG and on TensorBoard's Images page."""
        import tensorflow as tf

        self._begin()
        path = self.folder / "figures" / f"{label}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)
        with self._writer("summary").as_default(step=0):
            tf.summary.image(f"figures/{label}", tf.image.decode_png(path.read_bytes(), channels=3)[None])
        return path

    def finish(self) -> None:
        """Flushes the events and removes the checkpoints, which a complete run does not need."""
        for writer in self._writers.values():
            writer.flush()
        shutil.rmtree(self.folder / "checkpoints", ignore_errors=True)
