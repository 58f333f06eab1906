"""A figure with one dot and its interval on each line, the first line on top and in a colour of its own."""

import pandas as pd

from study.report.figures.figure import Axis, Figure, Line
from study.report.style import BLUE, VERMILION, shown


def dots(table: pd.DataFrame, *, value: str, axis: str, **names: str) -> Figure:
    """Return the figure. table: label, the value, low and high in each row. names: key, title, caption, picture."""
    marks = [
        Line(
            name=name, x=list(rows[value]), y=list(rows.label), low=list(rows.low), high=list(rows.high), colour=colour,
            interval_of="x", dash=None, size=11, in_legend=False,
            hover=[f"{r.label}: {shown(getattr(r, value), r.low, r.high)}" for r in rows.itertuples()],
        )
        for name, rows, colour in (("reference", table.iloc[:1], VERMILION), ("others", table.iloc[1:], BLUE))
        if len(rows)
    ]  # fmt: skip
    return Figure(
        **names, marks=marks, x=Axis(title=axis, zero=True), y=Axis(scale="category", reverse=True),
        height=120 + 42 * len(table), legend=False,
    )  # fmt: skip
