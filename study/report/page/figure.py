"""One figure of the page: Plotly traces and layout, what moves when a reader asks for another pool, and its table."""

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

FOREGROUND, MUTED, GRID, INFEASIBLE = "var(--fg)", "var(--muted)", "var(--grid)", "var(--empty)"  # the script looks up
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "pentagon", "hexagon")
HIT_AXIS = {"title": {"text": "test Hit@5"}, "range": [0, 1.02], "tickformat": ".1f"}


@dataclass
class Figure:
    """A figure. moves: values by the place of the slider (`pool`), or of the corpus (`share`), for a path in a trace or
    in the layout. table: header and rows behind the figure; a cell may be a list of texts, one a stop of the slider.
    """

    id: str
    title: str
    caption: str
    traces: list[dict] = field(default_factory=list)
    layout: dict = field(default_factory=dict)
    moves: list[dict] = field(default_factory=list)
    table: tuple[list[str], list[list[Any]]] | None = None
    height: int = 420
    small: bool = False
    table_by: str = "pool"  # what the lists in the table follow

    def add(self, trace: dict, *, by: str | None = None, when: str | None = None, **moving: list) -> None:
        """Add a trace. moving: values by stop for paths of it (`error_y__array` is error_y.array).

        when: the choice with which alone it is seen.
        """
        place = len(self.traces)
        self.traces.append(trace | ({"when": when} if when else {}))
        self.moves += [
            {"trace": place, "path": path.replace("__", "."), "by": by, "values": values}
            for path, values in moving.items()
        ]

    def move_layout(self, path: str, by: str, values: list, when: str | None = None) -> None:
        self.moves.append({"layout": path, "by": by, "values": values, "when": when})

    def as_json(self) -> dict:
        return {"traces": self.traces, "layout": self.layout, "moves": self.moves, "height": self.height}


def log_axis(title: str, values: list) -> dict:
    """Return a logarithmic axis with a tick at each measured value."""
    ticks = [int(value) for value in values]
    return {"title": {"text": title}, "type": "log", "tickvals": ticks, "ticktext": [f"{tick:,}" for tick in ticks]}


def error_bars(table: pd.DataFrame, value: str = "hit", low: str = "low", high: str = "high") -> dict[str, list]:
    """Return values and their distance to the ends of the interval, as Plotly draws it."""
    return {
        "y": numbers(table[value]),
        "error_y__array": numbers(table[high] - table[value]),
        "error_y__arrayminus": numbers(table[value] - table[low]),
        "customdata": [numbers(row, 4) for row in table[[low, high]].to_numpy()],
    }


def by_stop(tables: list[pd.DataFrame], **names: str) -> dict[str, list]:
    """Return the same for every stop: {path: [values of stop 0, of stop 1, …]}."""
    made = [error_bars(table, **names) for table in tables]
    return {path: [one[path] for one in made] for path in made[0]}


def line(
    name: str, x, colour: str, *, dash: str = "solid", symbol: str = "circle", mode: str = "lines+markers"
) -> dict:
    """Return a line with intervals, whose hover text shows them."""
    return {
        "type": "scatter",
        "name": name,
        "x": numbers(x),
        "mode": mode,
        "line": {"color": colour, "dash": dash, "width": 2},
        "marker": {"color": colour, "symbol": symbol, "size": 8},
        "error_y": {"type": "data", "symmetric": False, "color": colour, "thickness": 1.2, "width": 4},
        "hovertemplate": "%{y:.3f}, 95 % interval %{customdata[0]:.3f} to %{customdata[1]:.3f}<extra>"
        + safe(name)
        + "</extra>",
    }


def plain_line(name: str, x, colour: str, dash: str) -> dict:
    """Return a line without markers and intervals."""
    return {
        "type": "scatter",
        "name": name,
        "x": numbers(x),
        "mode": "lines",
        "line": {"color": colour, "dash": dash, "width": 1.5},
        "hovertemplate": "%{y:.3f}<extra>" + safe(name) + "</extra>",
    }


def numbers(values, digits: int = 4) -> list:
    """Return plain numbers, rounded; None for what is missing or infinite."""
    found = [None if value is None or pd.isna(value) else float(value) for value in values]
    return [None if value is None or abs(value) == float("inf") else round(value, digits) for value in found]


def safe(text: str) -> str:
    """Return text that Plotly's labels, which read a little HTML, take as it stands."""
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def ordered_colours(count: int) -> list[str]:
    """Return colours of growing lightness for an ordered quantity, from viridis, not so light as to vanish."""
    stops = ("#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#9fda3a")
    stops = ("#5b2a86", *stops[1:])
    return [stops[round(i * (len(stops) - 1) / max(1, count - 1))] for i in range(count)]
