"""Draw figures side by side as one PNG with matplotlib, as the page shows them when it opens."""

import io
from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import NullLocator

from study.report.figures.figure import (
    CHOICES,
    DARK,
    EMPTY,
    FOREGROUND,
    MUTED,
    Axis,
    Bars,
    Figure,
    Heatmap,
    Labels,
    Line,
    Mark,
    opening,
)

DPI = 110
COLOURS = {FOREGROUND: "black", MUTED: "0.55", EMPTY: "0.92"}
DASHES = {"solid": "-", "dot": ":", "dash": "--", "longdash": (0, (8, 3)), "dashdot": "-.", None: "none"}
SYMBOLS = {
    "circle": "o", "square": "s", "diamond": "D", "triangle-up": "^", "triangle-down": "v", "triangle-left": "<",
    "triangle-right": ">", "cross": "P", "x": "X", "star": "*", "pentagon": "p", "hexagon": "h", "line-ew": "_",
}  # fmt: skip
WIDTH, HALF, PANEL_COLUMNS = 9.0, 5.3, 4  # inches, inches, panels in a row
POINTS = 0.75  # of a pixel


def as_png(figures: Sequence[Figure], heading: str = "") -> bytes:
    """Return the figures of one picture as PNG. heading: of the whole picture."""
    buffer = io.BytesIO()
    canvas_of(figures, heading).savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def canvas_of(figures: Sequence[Figure], heading: str = "") -> Canvas:
    """Return the figures of one picture as matplotlib holds them."""
    canvas = _panels(figures) if figures[0].width == "panel" else _row(figures)
    if heading:
        canvas.suptitle(_plain(heading), fontsize=10)
    return canvas


def _row(figures: Sequence[Figure]) -> Canvas:
    """Return figures beside each other, each with its title and its legend."""
    alone = len(figures) == 1
    size = (WIDTH, figures[0].height / 100) if alone else (HALF * len(figures), 4.3)
    canvas = Canvas(figsize=size, layout="constrained")
    for axes, figure in zip(canvas.subplots(1, len(figures), squeeze=False)[0], figures, strict=True):
        _draw(axes, figure)
        axes.set_title(_plain(opening(figure.title)), fontsize=10)
        axes.set_xlabel(_plain(figure.x.title))
        axes.set_ylabel(_plain(figure.y.title))
        found = axes.get_legend_handles_labels()
        if figure.legend and found[0] and alone:
            canvas.legend(*found, loc="outside right upper", fontsize=7)
        elif figure.legend and found[0]:
            axes.legend(*found, fontsize=7, ncols=1 + (len(found[0]) > 5))
    return canvas


def _panels(figures: Sequence[Figure]) -> Canvas:
    """Return small figures in rows, on the same axes, with one legend."""
    rows = ceil(len(figures) / PANEL_COLUMNS)
    canvas = Canvas(figsize=(11, 0.6 + 2.1 * rows), layout="constrained")
    grid = canvas.subplots(rows, PANEL_COLUMNS, sharex=True, sharey=True, squeeze=False)
    handles: dict = {}
    for axes, figure in zip_longest(grid.ravel(), figures):
        if figure is None:
            axes.set_visible(False)
            continue
        _draw(axes, figure)
        axes.set_title(_plain(opening(figure.title)), fontsize=8)
        handles |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    canvas.supxlabel(_plain(figures[0].x.title), fontsize=9)
    canvas.supylabel(_plain(figures[0].y.title), fontsize=9)
    if handles:
        canvas.legend(handles.values(), handles.keys(), loc="outside upper right", ncols=len(handles), fontsize=8)
    return canvas


def _draw(axes: Axes, figure: Figure) -> None:
    for mark in figure.marks:
        if CHOICES.get(mark.when, True):
            DRAW[type(mark)](axes, mark)
    axes.set(**{f"{side}scale": "log" for side, axis in (("x", figure.x), ("y", figure.y)) if axis.scale == "log"})
    for side, axis in ((axes.xaxis, figure.x), (axes.yaxis, figure.y)):
        _scale(side, axis)
    if figure.x.zero:
        axes.axvline(0, color=COLOURS[MUTED], linewidth=1)
    if figure.y.zero:
        axes.axhline(0, color=COLOURS[MUTED], linewidth=1)


def _line(axes: Axes, line: Line) -> None:
    if line.starts_hidden:
        return
    x, y, low, high = (
        None if each is None else _numbers(opening(each)) for each in (line.x, line.y, line.low, line.high)
    )
    colour, symbol = COLOURS.get(line.colour, line.colour), line.symbol or ""
    bars = {}
    if low is not None:
        middle = y if line.interval_of == "y" else x
        bars = {f"{line.interval_of}err": np.clip(np.nan_to_num([middle - low, high - middle]), 0, None)}
    axes.errorbar(
        x, y, **bars, color=colour, linestyle=DASHES[line.dash], linewidth=0.65 * line.width, alpha=line.opacity,
        marker=SYMBOLS.get(symbol.removesuffix("-open"), ""), markersize=0.65 * line.size, capsize=2,
        fillstyle="none" if symbol.endswith("open") else "full", label=_plain(line.name) if line.in_legend else None,
    )  # fmt: skip
    if line.labels is not None:
        for *place, text in zip(x, y, opening(line.labels), strict=True):
            _write(axes, place, text, size=7, shift=9)


def _heatmap(axes: Axes, grid: Heatmap) -> None:
    values = np.array(opening(grid.values), float)
    axes.set_facecolor(COLOURS[EMPTY])
    image = axes.imshow(values, cmap="cividis", vmin=0, vmax=1, origin="lower", aspect="auto")
    axes.figure.colorbar(image, ax=axes, label=_plain(grid.title))
    for y, (labels, details) in enumerate(zip(opening(grid.labels), grid.details, strict=True)):
        for x, text in enumerate(zip(labels, details, strict=True)):
            ink = "white" if values[y, x] <= DARK else "black"
            _write(axes, (x, y), "\n".join(filter(None, text)), size=8, colour=ink)


def _labels(axes: Axes, labels: Labels) -> None:
    box = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 1} if labels.box else None
    colour = COLOURS.get(labels.colour, labels.colour)
    for *place, text in zip(labels.x, labels.y, opening(labels.text), strict=True):
        _write(axes, place, text, size=0.7 * labels.size, colour=colour, shift=POINTS * labels.shift, bbox=box)


def _bars(axes: Axes, bars: Bars) -> None:
    values, low, high = (_numbers(each) for each in (bars.values, bars.low, bars.high))
    errors = np.clip([values - low, high - values], 0, None)
    axes.barh([_plain(name) for name in bars.names], values, xerr=errors, color=bars.colour, capsize=3)


DRAW: dict[type, Callable[[Axes, Mark], None]] = {Line: _line, Heatmap: _heatmap, Labels: _labels, Bars: _bars}


def _write(axes: Axes, place, text: str, *, size: float, colour: str = "black", shift: float = 0, bbox=None) -> None:
    """Write a text at a place, moved upwards by some points."""
    vertical = "center" if shift == 0 or bbox else "bottom" if shift > 0 else "top"
    axes.annotate(
        _plain(text), place, xytext=(0, shift), textcoords="offset points", ha="center", va=vertical, fontsize=size,
        color=colour, bbox=bbox,
    )  # fmt: skip


def _scale(side: XAxis | YAxis, axis: Axis) -> None:
    """Lay one axis: its ticks, range and grid."""
    if axis.ticks is not None:
        side.set_ticks([value for value, _ in axis.ticks], labels=[_plain(name) for _, name in axis.ticks])
        side.set_minor_locator(NullLocator())
    if axis.range is not None:
        side.axes.set(**{f"{side.axis_name}lim": axis.range})
    if axis.reverse:
        side.set_inverted(True)
    side.set_tick_params(labelsize=8)
    side.set_visible(axis.visible)
    if axis.grid:
        side.grid(alpha=0.3)


def _numbers(values: Iterable) -> np.ndarray | list[str]:
    """Return numbers, gaps as NaN; names as they are, for an axis of categories."""
    found = list(values)
    if found and isinstance(found[0], str):
        return [_plain(name) for name in found]
    return np.array([np.nan if value is None else value for value in found], float)


def _plain(text: str) -> str:
    """Return text in which matplotlib finds no formula."""
    return str(text).replace("$", r"\$")
