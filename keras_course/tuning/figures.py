"""The figures of a search: plain values in, figures out. A value that a trial has not is None."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from keras_course import plots
from keras_course.tuning.importance import Effect

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

OFF = -0.12  # where a parameter stands that a trial has not, below its axis of 0 to 1
GREY = "0.75"
MOST_TICKS = 7


def shown(value: Any) -> str:
    """A value as it is written at an axis."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


class Scale:
    """The places of one parameter's values on an axis from 0 to 1.

    Numbers stand by size, by their logarithm if `log` and all are above 0; anything else in the order of `choices`.
    """

    def __init__(self, values: Sequence[Any], *, log: bool = False, choices: Sequence[Any] = ()):
        there = [v for v in values if v is not None]
        self.numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in there)
        self.whole = all(isinstance(v, int) for v in there)
        order = list(choices) or sorted(set(there), key=str)
        self.levels = sorted(set(there)) if self.numeric else sorted(set(there), key=order.index)
        self.log = log and self.numeric and self.levels[0] > 0
        at = [self._raw(level) for level in self.levels]
        self.low, self.width = min(at), max(at) - min(at)

    def _raw(self, value: Any) -> float:
        if not self.numeric:
            return float(self.levels.index(value))
        return float(np.log(value)) if self.log else float(value)

    def place(self, value: Any) -> float:
        """Where a value stands; the only one in the middle."""
        if value is None:
            return OFF
        return (self._raw(value) - self.low) / self.width if self.width else 0.5

    def ticks(self) -> dict[str, float]:
        """Text and place of the values to be written: all while they are few, else the ends and two between."""
        if len(self.levels) <= MOST_TICKS:
            return {shown(level): self.place(level) for level in self.levels}
        between = [float(np.exp(v) if self.log else v) for v in np.linspace(self.low, self.low + self.width, 4)]
        between = [round(v) for v in between] if self.whole else between
        return {shown(v): self.place(v) for v in between}


def learning_curves(
    curves: Mapping[str, Sequence[float]], *, first: Sequence[str], metric: str, title: str = ""
) -> Figure:
    """A line for each trial over the epochs: at the left all, those of `first` in colour; at the right these alone."""
    drawing, (every, closer) = plots.panels(1, 2, width=4.0, height=3.4)
    for label, values in curves.items():
        if label not in first:
            every.plot(range(1, len(values) + 1), values, color=GREY, linewidth=0.9, marker=".", markersize=3)
    for axes in (every, closer):
        for label, colour in zip(first, plots.COLOURS, strict=False):
            values = curves[label]
            axes.plot(range(1, len(values) + 1), values, color=colour, label=label, marker="o", markersize=3.5)
        axes.set(xlabel="epoch", ylabel=metric, title=title)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    closer.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    return drawing


def parallel_coordinates(
    rows: Sequence[Mapping[str, Any]],
    scores: Sequence[float],
    *,
    log: Collection[str] = (),
    choices: Mapping[str, Sequence[Any]] | None = None,
    metric: str,
    maximise: bool,
) -> Figure:
    """An axis for each parameter and one for the rank by the score; a line for each trial, coloured by rank too.

    rows: the values of each trial; what a trial has not stands below the axis, at a dash. log: parameters that stand by
    their logarithm. choices: the order of the words of a parameter.
    """
    choices = choices or {}
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    scales = {name: Scale(v, log=name in log, choices=choices.get(name, ())) for name, v in columns.items()}
    drawing, axes = plots.figure(max(6.0, 1.35 * (len(columns) + 1) + 0.6), 4.4)
    order = np.argsort(scores if maximise else -np.asarray(scores), kind="stable")  # the best is drawn last, on top
    top = max(1, len(order) - 1)
    for rank, trial in enumerate(order):
        best = rank == len(order) - 1
        heights = [*(scale.place(columns[name][trial]) for name, scale in scales.items()), rank / top]
        colour = plots.COLOURS[1] if best else colormaps["viridis_r"](0.1 + 0.9 * rank / top)
        axes.plot(heights, color=colour, linewidth=2.6 if best else 1.1, alpha=1.0 if best else 0.65)
    for at, (name, scale) in enumerate(scales.items()):
        _axis(axes, at, scale.ticks() | ({"–": OFF} if None in columns[name] else {}))
    few = {round(rank) for rank in np.linspace(0, len(order) - 1, MOST_TICKS)}
    _axis(axes, len(columns), {shown(float(scores[order[rank]])): rank / top for rank in sorted(few)})
    labels = [f"{name}\n(log)" if scale.log else name for name, scale in scales.items()]
    axes.set_xticks(range(len(labels) + 1), [*labels, f"{metric}\n(by rank)"])
    axes.set_xlim(-0.15, len(labels) + 0.4)
    axes.tick_params(axis="x", length=0, pad=8, labelsize="small")
    axes.set(yticks=[], ylim=(OFF - 0.05 if any(None in v for v in columns.values()) else -0.05, 1.05))
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.grid(visible=False)
    axes.set_title("one line for each trial, darker is better; the best is orange", fontsize="medium")
    return drawing


def _axis(axes: Axes, at: int, ticks: Mapping[str, float]) -> None:
    """One upright axis with its values on white, so that the lines behind do not hide them."""
    axes.axvline(at, color="black", linewidth=0.8, ymin=0, ymax=1, zorder=3)
    for text, height in ticks.items():
        axes.annotate(
            text,
            (at, height),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize="x-small",
            zorder=4,
            bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.6},
        )


def effects(singles: Sequence[Effect], pairs: Sequence[Effect]) -> Figure:
    """Bars of the shares with two standard errors: parameters at the left, pairs at the right; grey when not clear."""
    tall = max(len(singles), len(pairs))
    drawing, grid = plots.panels(1, 2 if pairs else 1, width=5.0, height=0.32 * tall + 1.1)
    titles = ("each parameter, interactions included", "what two do together")
    for axes, group, title in zip(grid, (singles, pairs), titles, strict=False):
        for place, one in enumerate(group):
            axes.barh(
                place,
                one.share,
                xerr=2 * one.error,
                color=plots.COLOURS[0] if one.clear else GREY,
                height=0.65,
                error_kw={"elinewidth": 1, "capsize": 2},
            )
        axes.set_yticks(range(len(group)), [" × ".join(one.names) for one in group], fontsize="small")
        axes.invert_yaxis()
        axes.axvline(0, color="black", linewidth=0.8)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("share of the ranking")
        axes.set_title(title, fontsize="medium")
    return drawing


def slices(
    rows: Sequence[Mapping[str, Any]],
    scores: Sequence[float],
    names: Sequence[str],
    *,
    log: Collection[str] = (),
    choices: Mapping[str, Sequence[Any]] | None = None,
    metric: str,
) -> Figure:
    """The score against each of `names`, one panel each, a dot for each trial that has the parameter."""
    columns = min(3, len(names))
    drawing, grid = plots.panels(-(-len(names) // columns), columns, width=3.2, height=2.4)
    for axes, name in zip(grid, names, strict=False):
        values = [row.get(name) for row in rows]
        scale = Scale(values, log=name in log, choices=(choices or {}).get(name, ()))
        dots = [(scale.place(v), score) for v, score in zip(values, scores, strict=True) if v is not None]
        axes.scatter(*zip(*dots, strict=True), s=18, alpha=0.8)
        axes.set_xticks(list(scale.ticks().values()), list(scale.ticks()), fontsize="small")
        axes.set_xlim(-0.08, 1.08)
        axes.set_xlabel(f"{name} (log)" if scale.log else name)
    for axes in grid[::columns]:
        axes.set_ylabel(metric)
    for axes in grid[len(names) :]:
        axes.set_visible(False)
    return drawing
