"""The frame of the broken-training exercises: a script that fails, an answer that is data, and a script that works.

An assignment of this kind has three functions. `script(settings, train, validation)` is given, and fails. `answer()`
says why, as an `Answer`. `repaired(settings, train, validation)` reaches the bar. Both scripts return what maps inputs
to outputs, and neither sees the test split. `compare` runs them watched, so that TensorBoard has a run of each.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from keras_course.base import pick
from keras_course.diagnostics.causes import CAUSES
from keras_course.exercise import Result

import numpy as np

Script = Callable[..., Callable[[Any], Any]]
Events = dict[str, tuple[np.ndarray, np.ndarray]]  # tag -> (steps, values), as `tensorboard.read` gives them

PARTS = {
    "inputs": "what enters the network: its scale, its noise, its gaps",
    "targets": "what the network is to say: its scale, its coding",
    "order": "the order in which examples come, and which label goes with which input",
    "split": "which examples train and which validate",
    "initial weights": "what the weights are before the first step",
    "layers": "which layers there are, how many, and their activations",
    "output": "the last layer: its width and its activation",
    "loss": "what is minimised",
    "penalty": "what is added to the loss",
    "learning rate": "how long a step is, at each step",
    "update": "how a gradient becomes a change of weights",
    "mode": "what differs between training and evaluation",
    "class weights": "how much an example of each class counts",
    "epochs": "how long training goes on",
}


class Answer(NamedTuple):
    """What is wrong with a training, as data.

    cause: a label of `keras_course.diagnostics.causes.CAUSES`, the one behind the others.
    evidence: a tag of the event files, in full, whose values show that cause.
    repair: the part of the script that has to change, one of `PARTS`.
    """

    cause: str
    evidence: str
    repair: str

    def checked(self) -> "Answer":
        """Itself, or an InputError when cause or repair is a word that does not exist."""
        pick(CAUSES, self.cause, "cause")
        pick(PARTS, self.repair, "part of a script")
        return self


def accuracy(outputs: np.ndarray, labels: np.ndarray) -> float:
    """Share of right answers. outputs: (n, classes), or (n, 1) of probabilities. NaN is no answer."""
    chosen = outputs.argmax(1) if outputs.shape[-1] > 1 else (outputs[:, 0] > 0.5).astype(int)
    return float(np.mean((chosen == labels) & np.isfinite(outputs).all(1)))


def balanced_accuracy(outputs: np.ndarray, labels: np.ndarray) -> float:
    """Mean over the classes of the share of right answers; guessing gives 1 / classes."""
    return float(np.mean([accuracy(outputs[labels == k], labels[labels == k]) for k in np.unique(labels)]))


def r_squared(outputs: np.ndarray, targets: np.ndarray) -> float:
    """1 - squared error / variance: 0 for the mean, at most 1; -1 stands for anything worse, and for NaN."""
    error = np.mean(np.square(outputs.reshape(len(targets)).astype("float64") - targets))
    return float(max(1 - error / np.var(targets), -1.0)) if np.isfinite(error) else -1.0


def told(outputs: np.ndarray, labels: np.ndarray) -> float:
    """Share of the labels' entropy that the probabilities (n, classes) tell: 1 - cross-entropy / entropy, from -1 on.

    0 is what the shares of the classes alone would give. Confident mistakes cost.
    """
    shares = np.bincount(labels) / len(labels)
    entropy = -float(np.sum(shares[shares > 0] * np.log(shares[shares > 0])))
    p = np.clip(outputs[np.arange(len(labels)), labels].astype("float64"), 1e-7, 1)
    return max(1 + float(np.log(p).mean()) / entropy, -1.0)


def recorded(function: Callable[[], Any], folder: Path) -> tuple[Any, Events]:
    """What `function` returns, and the event files of the first training in it, which hold no verdict.

    Raises:
        InputError: `function` trains nothing.
    """
    from keras_course.diagnostics.hooks import watching
    from keras_course.diagnostics.tensorboard import Writer, read

    with watching() as monitor:
        value = function()
    for training in monitor.trainings:
        if training.count:
            Writer(folder).update(training.close(), None, finished=True)
            break
    return value, read(folder)


def run_script(script: Script, settings: Any, splits: Any, folder: Path) -> tuple[np.ndarray, Events]:
    """The outputs of a trained script for the test inputs, (n, ...), and the events of its training."""
    import keras

    keras.utils.set_random_seed(settings.seed)  # whatever ran before
    trained, events = recorded(lambda: script(settings, splits.train, splits.validation), folder)
    return outputs_of(trained, splits.test.x), events


def outputs_of(trained: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    """What a trained network says of all `x`, (n, outputs) or (n,), as NumPy."""
    return np.asarray(trained(x))


def compare(
    settings: Any,
    log: Any,
    splits: Any,
    *,
    scripts: Mapping[str, Script],
    answer: Callable[[], Answer],
    score: Callable[[np.ndarray, np.ndarray], float] = accuracy,
    facts: Callable[[Events], dict[str, float]] = lambda events: {},
) -> Result:
    """Runs each of `scripts`, watched, and scores it on the test split; its run in TensorBoard has its name.

    scripts: the first is the one that fails. facts: more scores, from the events of that one. A script or an answer
    that is still to be written is left out, and the result says so.
    """
    scores, events, unwritten = {}, {}, []
    for name, script in scripts.items():
        try:
            outputs, events[name] = run_script(script, settings, splits, log.events(name))
            scores[name] = score(outputs, splits.test.y)
        except NotImplementedError as error:
            unwritten.append(_unwritten(error, name))
    try:
        tag = answer().checked().evidence
    except NotImplementedError as error:
        tag = ""
        unwritten.append(_unwritten(error, "answer"))
    scores |= facts(events[next(iter(scripts))])
    return Result(scores=scores, arrays={"events": events, "tag": tag}, data=(splits,), unwritten=tuple(unwritten))


def _unwritten(error: NotImplementedError, name: str) -> str:
    """`name`, when the error is what a handout puts in the place of a solution; else the error."""
    if "is yours to write" not in str(error):
        raise error
    return name


def figures(result: Result) -> dict[str, Any]:
    """The loss of each script, and the evidence that the answer names."""
    events = result.arrays["events"]
    drawn = {"loss": _curves(events, "loss")}
    if (tag := result.arrays["tag"]) and tag != "loss":
        drawn["evidence"] = _evidence(events, tag)
    return drawn


def _evidence(events: dict[str, Events], tag: str) -> Any:
    """The values of one tag in each run: images, the last histograms, or curves."""
    from keras_course import plots

    if tag.startswith("weights/"):
        return _histograms(events, tag)
    if tag != "inputs/images":
        return _curves(events, tag)
    shown = {name: found[tag][1][0][:8] / 255 for name, found in events.items() if tag in found}
    return plots.images(list(shown.values()), row_labels=list(shown), title=tag)


def _histograms(events: dict[str, Events], tag: str) -> Any:
    """The last histogram of each run, as shares of the weights: those of equal weights have a single bar."""
    from keras_course import plots

    drawing, axes = plots.figure()
    for name, found in events.items():
        if tag in found:
            left, right, count = found[tag][1][-1].T
            some = count > 0
            share, middle = count[some] / count.sum(), (left + right)[some] / 2
            line = axes.plot(middle, share, ".-", label=name.replace("_", " "), linewidth=1)[0]
            axes.vlines(middle, 0, share, color=line.get_color(), linewidth=1)
    axes.set(xlabel=tag, ylabel="share of the weights at the end", ylim=(0, None))
    axes.legend(frameon=False, fontsize="small")
    return drawing


def _curves(events: dict[str, Events], tag: str) -> Any:
    """One line per run; a point that is NaN or infinite is left out."""
    from keras_course import plots

    drawing, axes = plots.figure()
    for name, found in events.items():
        if tag in found and np.ndim(found[tag][1]) == 1:
            steps, values = found[tag]
            axes.plot(steps, np.where(np.isfinite(values), values, np.nan), label=name.replace("_", " "), linewidth=1)
    finite = np.concatenate([np.abs(line.get_ydata()) for line in axes.lines] or [np.ones(1)])
    finite = finite[np.isfinite(finite) & (finite > 0)]
    wide = finite.size and finite.max() > 300 * np.median(finite)
    axes.set(xlabel="epoch" if tag.startswith("epoch/") else "step", ylabel=tag, yscale="log" if wide else "linear")
    axes.legend(frameon=False, fontsize="small")
    return drawing
