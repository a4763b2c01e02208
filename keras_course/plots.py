"""Figures from plain arrays. Nothing here sees a model or a data set."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# One look for all: distinguishable in print and for the colour-blind (Okabe and Ito 2008).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def figure(width: float = 6.0, height: float = 3.6) -> tuple[Figure, Axes]:
    """An empty figure, `width` by `height` inches, with one axes in the course's look."""
    drawing = Figure(figsize=(width, height), layout="constrained")
    axes = drawing.subplots()
    _dress(axes)
    return drawing, axes


def panels(rows: int, columns: int, *, width: float = 4.4, height: float = 3.4) -> tuple[Figure, Any]:
    """An empty figure with a grid of axes in the course's look, each `width` by `height` inches; and these, flat."""
    drawing = Figure(figsize=(width * columns, height * rows), layout="constrained")
    grid = drawing.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        _dress(axes)
    return drawing, grid


def _dress(axes: Axes) -> None:
    axes.set_prop_cycle(color=COLOURS)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)


def _legend(axes: Axes, labels: Sequence[str]) -> None:
    """Inside while it is short, else beside the axes."""
    if len(labels) > 4:
        axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    elif len(labels) > 1:
        axes.legend(frameon=False, fontsize="small")


def curves(
    series: Mapping[str, Sequence[float]],
    *,
    xlabel: str = "epoch",
    ylabel: str,
    title: str = "",
    x: Sequence[float] | None = None,
    yscale: str = "linear",
) -> Figure:
    """One line per entry of `series`, against 1, 2, 3, … or against `x`."""
    drawing, axes = figure()
    for label, values in series.items():
        at = range(1, len(values) + 1) if x is None else x
        axes.plot(at, values, label=label, marker="o" if len(values) <= 12 else None, markersize=3.5)
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title, yscale=yscale)
    if x is None:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _legend(axes, list(series))
    return drawing


def band(
    series: Mapping[str, Any], *, xlabel: str = "epoch", ylabel: str, title: str = "", x: Sequence[float] | None = None
) -> Figure:
    """Per entry of `series`, an array (repeats, points): the mean as a line, the range over repeats as a band."""
    drawing, axes = figure()
    for label, values in series.items():
        values = np.asarray(values)
        at = np.arange(1, values.shape[1] + 1) if x is None else x
        (line,) = axes.plot(at, values.mean(0), label=label)
        axes.fill_between(at, values.min(0), values.max(0), alpha=0.2, color=line.get_color(), linewidth=0)
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    if x is None:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _legend(axes, list(series))
    return drawing


def bars(values: Mapping[str, Any], *, ylabel: str, title: str = "", yscale: str = "linear") -> Figure:
    """One bar per entry: a number, or several whose mean is the bar and each of which is a dot on it."""
    drawing, axes = figure()
    for place, (_label, value) in enumerate(values.items()):
        dots = np.atleast_1d(value)
        axes.bar(place, dots.mean(), width=0.65, color=COLOURS[0], alpha=0.75)
        if len(dots) > 1:
            axes.scatter(np.full(len(dots), place), dots, color="black", s=12, zorder=3)
    axes.set_xticks(range(len(values)), list(values))
    if sum(map(len, values)) > 60:  # more than fits beside each other
        axes.tick_params(axis="x", labelrotation=20)
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    axes.set(ylabel=ylabel, title=title, yscale=yscale)
    axes.grid(axis="x", visible=False)
    return drawing


def images(rows: Any, *, row_labels: Sequence[str] = (), titles: Sequence[str] = (), title: str = "") -> Figure:
    """A grid of images, (rows, columns, height, width, 1 or 3) in [0, 1]."""
    rows = np.asarray(rows)
    count, columns = rows.shape[:2]
    drawing = Figure(figsize=(0.9 * columns + 0.9, 0.95 * count + 0.5), layout="constrained")
    grid: Any = drawing.subplots(count, columns, squeeze=False)
    for i, j in np.ndindex(count, columns):
        axes, image = grid[i, j], np.clip(rows[i, j], 0, 1)
        axes.imshow(image[..., 0] if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[])
        if titles and i == 0:
            axes.set_title(titles[j], fontsize="small")
        if row_labels and j == 0:
            axes.set_ylabel(row_labels[i], fontsize="small", rotation=0, ha="right", va="center")
    drawing.suptitle(title, fontsize="medium")
    return drawing


def matrix(
    values: Any, *, xlabel: str, ylabel: str, title: str = "", labels: Sequence[str] = (), decimals: int | None = None
) -> Figure:
    """A heat map of a matrix, with its scale; `decimals` writes each value into its cell. NaN stays white."""
    values = np.asarray(values)
    drawing, axes = figure(5.2, 4.4)
    axes.grid(visible=False)
    shown = axes.imshow(values, cmap="viridis", aspect="auto")
    drawing.colorbar(shown, ax=axes)
    if decimals is not None:
        low, high = np.nanmin(values), np.nanmax(values)
        for i, j in np.ndindex(*values.shape):
            light = values[i, j] - low < 0.6 * (high - low)
            axes.text(
                j,
                i,
                f"{values[i, j]:.{decimals}f}",
                ha="center",
                va="center",
                color="white" if light else "black",
                fontsize="small",
            )
    axes.set_xticks(range(values.shape[1]), labels or None)
    axes.set_yticks(range(values.shape[0]), labels or None)
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    return drawing


def scatter(points: Any, groups: Any, *, xlabel: str, ylabel: str, title: str = "") -> Figure:
    """Points (n, 2) coloured by their integer group (n,)."""
    points, groups = np.asarray(points), np.asarray(groups)
    drawing, axes = figure(5.6, 4.6)
    shown = axes.scatter(points[:, 0], points[:, 1], c=groups, cmap="tab10", s=5, alpha=0.7)
    axes.legend(*shown.legend_elements(), frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    return drawing


def grouped(series: Mapping[str, Sequence[float]], *, groups: Sequence[str], ylabel: str, title: str = "") -> Figure:
    """Bars in groups: one colour per entry of `series`, whose values belong to the `groups` in order."""
    drawing, axes = figure(7.2, 3.8)
    width = 0.8 / len(series)
    for i, (label, values) in enumerate(series.items()):
        axes.bar(np.arange(len(groups)) + (i - (len(series) - 1) / 2) * width, values, width, label=label)
    axes.set_xticks(range(len(groups)), groups, fontsize="small")
    axes.set(ylabel=ylabel, title=title)
    axes.grid(axis="x", visible=False)
    axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    return drawing


def mosaic(tiles: Any, *, xlabel: str = "", ylabel: str = "", title: str = "") -> Figure:
    """Images without gaps, (rows, columns, height, width, 1 or 3) in [0, 1], as one picture."""
    rows, columns, height, width, channels = np.shape(tiles)
    whole = np.transpose(tiles, (0, 2, 1, 3, 4)).reshape(rows * height, columns * width, channels)
    drawing, axes = figure(6.0, 6.0)
    axes.grid(visible=False)
    axes.imshow(whole[..., 0] if channels == 1 else whole, cmap="gray", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[], xlabel=xlabel, ylabel=ylabel, title=title)
    return drawing


def overlays(rows: Any, heats: Any, *, row_labels: Sequence[str], titles: Sequence[str], title: str = "") -> Figure:
    """Heat maps (rows, columns, height, width) in [0, 1] over images (columns, height, width, 1 or 3)."""
    heats = np.asarray(heats)
    drawing = images(
        np.broadcast_to(rows, (len(heats), *np.shape(rows))), row_labels=row_labels, titles=titles, title=title
    )
    for axes, heat in zip(drawing.axes, heats.reshape(-1, *heats.shape[2:]), strict=True):
        axes.imshow(heat, cmap="inferno", vmin=0, vmax=1, alpha=0.55)
    return drawing


def histogram(values: Any, *, xlabel: str, title: str = "", bins: int = 50) -> Figure:
    """How often each value occurs, as a share of all."""
    drawing, axes = figure()
    values = np.ravel(values)
    axes.hist(values, bins=bins, weights=np.full(len(values), 1 / len(values)))
    axes.set(xlabel=xlabel, ylabel="share", title=title)
    return drawing
