"""An observation as TensorBoard event files, and event files read back.

Records are written here, not by `tf.summary`: nothing is added to the watched script's graph, devices or state.
Tags: `loss`, `epoch/<metric>`, `inputs/...`, `outputs/...`, `labels/entropy`, `<quantity>/<unit>` for each of
`points.QUANTITIES`, histograms `weights/<variable>`, `inputs/images`, the text `verdict`, and `diagnosis`, the JSON
that the tab "Diagnosis" reads.
"""

import io
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_course.base import require
from keras_course.diagnostics import points
from keras_course.diagnostics.observation import Finding, Observation
from keras_course.diagnostics.verdict import PLUGIN, as_json, as_markdown

import numpy as np

SUFFIX = ".diagnosis"  # of the event files that are ours
IMAGES = 8  # of a batch that are shown


class Writer:
    """Writes one training into `folder`, which is one run of TensorBoard.

    A folder holds one training: what an earlier `Writer` left in it is removed at the first `update`; event files of
    others stay.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._file: Path | None = None
        self._last: dict[str, int] = {}  # tag -> the last step written
        self._row = 0  # the last kept step
        self._probe = 0  # the first step whose probe was not seen
        self._said = ""  # the last verdict

    def update(self, seen: Observation, findings: list[Finding] | None, *, finished: bool) -> None:
        """Appends what `seen` holds beyond the last call; the same observation again adds nothing.

        A run still going on can be looked at: call this at any time, with `finished=False`. Without findings (None)
        no verdict is written: an exercise leaves it to the reader.
        """
        with np.errstate(all="ignore"):  # infinite weights are a thing to be shown
            values = self._values(seen)
        now = seen.steps.count if seen.steps is not None else 0
        said = self._said if findings is None else as_json(seen, findings, finished=finished)
        if findings is not None and said != self._said:
            values += [(now, _text("verdict", as_markdown(seen, findings, finished=finished))), (now, _json(said))]
            self._said = said
        if values:
            self._append(values)

    def _values(self, seen: Observation) -> list[tuple[int, Any]]:
        start, row, probe = self._last.get("loss", -1) + 1, self._row, self._probe
        self._probe = max([probe, *(found.step + 1 for found in seen.probes)])
        if seen.steps is not None and len(seen.steps.index):
            self._row = int(seen.steps.index[-1])  # looked at again: what its update was, the next step says
        values = [(step, _scalar(tag, value)) for tag, step, value in self._new(_scalars(seen, start, row, probe))]
        values += [(step, _histogram(tag, value)) for tag, step, value in self._new(_weights(seen))]
        return values + [(step, _images(tag, value)) for tag, step, value in self._new(_pictures(seen, probe))]

    def _new(self, found: Iterator[tuple[str, int, Any]]) -> list[tuple[str, int, Any]]:
        """Those later than what was written under their tag."""
        new = [(tag, step, value) for tag, step, value in found if step > self._last.get(tag, -1)]
        for tag, step, _ in new:
            self._last[tag] = max(step, self._last.get(tag, -1))
        return new

    def _append(self, values: list[tuple[int, Any]]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter

        steps: dict[int, list[Any]] = {}
        for step, value in values:
            steps.setdefault(step, []).append(value)
        now = time.time()
        events = [Event(wall_time=now, step=step, summary=Summary(value=steps[step])) for step in sorted(steps)]
        if self._file is None:
            self._file = self._begin(now)
            events.insert(0, Event(wall_time=now, file_version="brain.Event:2"))
        with self._file.open("ab") as file:
            records = RecordWriter(file)
            for event in events:
                records.write(event.SerializeToString())

    def _begin(self, now: float) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        for old in self.folder.glob(f"events.out.tfevents.*{SUFFIX}"):
            old.unlink()
        # TensorBoard reads the files of a folder in the order of their names.
        return self.folder / f"events.out.tfevents.{now:017.6f}.{socket.gethostname()}.{os.getpid()}{SUFFIX}"


def read(folder: Path | str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Every tag of the event files in `folder`: tag -> (steps, values), both in the order of the steps.

    values: (n,) float64 for scalars, (n, buckets, 3) for histograms (left, right, count), (n,) str for texts, and
    (n,) arrays of images (k, height, width, channels), uint8. Everything is read, nothing sampled.

    Raises:
        InputError: `folder` holds no event files.
    """
    from tensorboard.backend.event_processing import event_accumulator

    files = sorted(Path(folder).glob("*tfevents*"))
    require(files, "folder", "a folder with event files of TensorBoard", str(folder))
    sizes = dict.fromkeys(event_accumulator.DEFAULT_SIZE_GUIDANCE, 0)
    events = event_accumulator.EventAccumulator(str(folder), size_guidance=sizes, purge_orphaned_data=False).Reload()
    return {tag: _series(events, tag) for tag in sorted(events.Tags()["tensors"])}


def _series(events: Any, tag: str) -> tuple[np.ndarray, np.ndarray]:
    from tensorboard.util.tensor_util import make_ndarray

    kind = events.SummaryMetadata(tag).plugin_data.plugin_name
    found = sorted(events.Tensors(tag), key=lambda event: event.step)
    values = [make_ndarray(event.tensor_proto) for event in found]
    if kind == "images":
        values = [_decoded(value) for value in values]
    elif values[0].dtype == object:
        values = [value.item().decode() if value.ndim == 0 else str(value.tolist()) for value in values]
    steps = np.array([event.step for event in found])
    if len({np.shape(value) for value in values}) > 1 or kind == "images":
        ragged = np.empty(len(values), object)
        ragged[:] = values
        return steps, ragged
    return steps, np.array(values, "float64" if kind == "scalars" else None)


def _decoded(value: np.ndarray) -> np.ndarray:
    from PIL import Image

    return np.stack([np.atleast_3d(np.asarray(Image.open(io.BytesIO(png)))) for png in value[2:]])


def _scalars(seen: Observation, loss: int, row: int, probe: int) -> Iterator[points.Point]:
    """The numbers of the steps from these on, of all epochs."""
    yield from points.losses(seen, loss)
    yield from points.learning_rates(seen, row)
    yield from points.dynamics(seen, row)
    yield from points.activations(seen, probe)
    yield from points.ranges(seen, probe)
    yield from points.epochs(seen)


def _weights(seen: Observation) -> Iterator[tuple[str, int, np.ndarray]]:
    """Each variable before the first step and when last seen."""
    now = seen.steps.count if seen.steps is not None else 0
    for variable in seen.variables:
        tag = "weights/" + variable.name.replace(" ", "_")
        for step, value in ((0, variable.initial), (now, variable.final)):
            if value is not None and np.isfinite(value).any():
                yield tag, step, value[np.isfinite(value)]


def _pictures(seen: Observation, start: int) -> Iterator[tuple[str, int, np.ndarray]]:
    """Of the batches probed at steps 0, 1, 2, 4, 8, ..., or the first one behind each: a long run has few of them."""
    due = 1 << (start - 1).bit_length() if start else 0
    for probe in seen.probes:
        if probe.step < due:
            continue
        due = 1 << probe.step.bit_length()
        images = None if probe.x is None else points.as_images(probe.x)
        if images is not None and len(images):
            yield "inputs/images", probe.step, images[:IMAGES]


def _value(tag: str, tensor: np.ndarray, metadata: Any) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.util.tensor_util import make_tensor_proto

    return Summary.Value(tag=tag, tensor=make_tensor_proto(tensor), metadata=metadata)


def _scalar(tag: str, value: float) -> Any:
    from tensorboard.plugins.scalar.metadata import create_summary_metadata

    return _value(tag, np.array(value, "float32"), create_summary_metadata(display_name=None, description=None))


def _histogram(tag: str, value: np.ndarray) -> Any:
    from tensorboard.plugins.histogram.metadata import create_summary_metadata

    counts, edges = np.histogram(value.astype("float64"), 30)  # float32 has no 30 numbers between near neighbours
    table = np.stack([edges[:-1], edges[1:], counts], 1).astype("float64")
    return _value(tag, table, create_summary_metadata(display_name=None, description=None))


def _images(tag: str, images: np.ndarray) -> Any:
    from tensorboard.plugins.image.metadata import create_summary_metadata

    pngs = [_png(image) for image in shown(images)]
    sizes = [str(images.shape[2]).encode(), str(images.shape[1]).encode()]
    text = "Values in [0, 1] or [0, 255] as they are; others stretched from the batch's smallest to its largest."
    return _value(tag, np.array(sizes + pngs, object), create_summary_metadata(None, description=text))


def shown(images: np.ndarray) -> np.ndarray:
    """Images of any range as uint8: [0, 1] and [0, 255] as they are, others stretched over the batch; NaN is black."""
    images = np.nan_to_num(images.astype("float64"), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = images.min(), images.max()
    if low < 0 or high > 255:
        images = (images - low) / (high - low)
    elif high > 1:
        images = images / 255
    return np.round(images * 255).astype("uint8")


def _png(image: np.ndarray) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, "png")
    return file.getvalue()


def _text(tag: str, text: str) -> Any:
    from tensorboard.plugins.text.metadata import create_summary_metadata

    return _value(tag, np.array(text.encode(), object), create_summary_metadata(display_name=None, description=None))


def _json(text: str) -> Any:
    from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_TENSOR, SummaryMetadata

    metadata = SummaryMetadata(data_class=DATA_CLASS_TENSOR)  # without it the tag is not listed
    metadata.plugin_data.plugin_name = PLUGIN
    return _value("diagnosis", np.array(text.encode(), object), metadata)
