"""Describe a figure as plain data: its axes, its marks, its table, and what moves with the controls of the page.

`as_plotly` and `as_png` both draw it from this description. All texts are plain: whoever draws escapes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

FOREGROUND, MUTED, EMPTY = "foreground", "muted", "empty"  # colours that follow the page's light or dark theme
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "pentagon", "hexagon")
DARK = 0.45  # up to here cividis is dark enough for white letters
CHOICES = {"published": False, "overlap=0": False, "overlap=1": True}  # of the page's controls, as it opens


@dataclass(frozen=True)
class Moving:
    """Values that follow a control: `pool` (the slider) or `share` (the corpus). values: one for each of its stops.

    first: the stop at which the page opens, and which a picture shows.
    """

    by: Literal["pool", "share"]
    values: list
    first: int = -1

    @property
    def opening(self) -> Any:
        return self.values[self.first]


Values = Sequence | Moving
Text = str | Moving


def opening(value: Any) -> Any:
    """Return what the page shows when it opens."""
    return value.opening if isinstance(value, Moving) else value


@dataclass(frozen=True, kw_only=True)
class Axis:
    """ticks: (value, label) pairs. range: in the units of the data. zero: whether a line marks zero."""

    title: str = ""
    scale: Literal["linear", "log", "category"] = "linear"
    ticks: Sequence[tuple[float, str]] | None = None
    range: tuple[float, float] | None = None
    form: str | None = None
    grid: bool = True
    zero: bool = False
    reverse: bool = False
    visible: bool = True

    @classmethod
    def log(cls, title: str, values: Sequence[float]) -> "Axis":
        """Return a logarithmic axis with a tick at each of the values."""
        return cls(title=title, scale="log", ticks=[(int(value), f"{int(value):,}") for value in values])

    @classmethod
    def places(cls, title: str, values: Sequence[float]) -> "Axis":
        """Return an axis of places 0 .. K-1 named by the values, for cells at even distances."""
        ticks = [(place, f"{value:,}") for place, value in enumerate(values)]
        return cls(title=title, ticks=ticks, range=(-0.5, len(values) - 0.5), grid=False)


HIT_AXIS = Axis(title="test Hit@5", range=(0, 1.02), form=".1f")


@dataclass(frozen=True, kw_only=True)
class Line:
    """Points of one colour, joined where there is a dash and marked where there is a symbol. None leaves a gap.

    low, high: ends of the 95 % intervals, along `interval_of`. hover: a text for each point; the value and its interval
    where it is None. labels: texts above the points. when: the choice with which alone it is seen.
    """

    name: str
    x: Values
    y: Values
    low: Values | None = None
    high: Values | None = None
    interval_of: Literal["x", "y"] = "y"
    colour: str
    dash: Literal["solid", "dot", "dash", "longdash", "dashdot"] | None = "solid"
    symbol: str | None = "circle"
    width: float = 2.0
    size: float = 8
    opacity: float = 1.0
    hover: Values | None = None
    labels: Values | None = None
    in_legend: bool = True
    starts_hidden: bool = False  # a reader can choose it in the legend
    when: str | None = None


@dataclass(frozen=True, kw_only=True)
class Heatmap:
    """A grid of shares between 0 and 1, first row at the bottom; None where nothing is measured.

    labels: what stands in the cells. details: a second line for pictures, over which nobody can hover.
    """

    values: Values
    labels: Values
    hover: Values
    details: Sequence[Sequence[str]]
    title: str
    when: str | None = None


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Texts at places of the figure. shift: pixels upwards. box: whether each stands in a white box."""

    x: Sequence
    y: Sequence
    text: Values
    colour: str = FOREGROUND
    size: float = 12
    shift: int = 0
    box: bool = False
    hover: Sequence[str] | None = None
    when: str | None = None


@dataclass(frozen=True, kw_only=True)
class Bars:
    """Horizontal bars with 95 % intervals, first name at the bottom."""

    names: Sequence[str]
    values: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    colour: str
    when: str | None = None


Mark = Line | Heatmap | Labels | Bars


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure. key: its id on the page. table: header and rows of the numbers behind it; a cell may move.

    picture: the name of its PNG; figures of one name stand side by side in it. width: of the page it takes `full` or
    `half`, or is one `panel` of many. height: pixels.
    """

    key: str
    title: Text
    marks: Sequence[Mark]
    picture: str
    caption: str = ""
    x: Axis = Axis()
    y: Axis = Axis()
    table: tuple[list[str], list[list[Text]]] | None = None
    width: Literal["full", "half", "panel"] = "full"
    height: int = 420
    legend: bool = True

    def of_arm(self, arm: str, number: int) -> "Figure":
        """Return the figure under the key and the picture of an arm; itself in a study without arms."""
        return replace(self, key=f"{self.key}-{number}", picture=f"{self.picture}_{arm}") if arm else self
