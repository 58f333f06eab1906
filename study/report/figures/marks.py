"""Turn tables of analysis into the values of marks: along the stops of a control, in colours of an order."""

from collections.abc import Sequence

import pandas as pd

from study.report.figures.figure import Moving, Values


def moving(by: str, tables: Sequence[pd.DataFrame], column: str, first: int = -1) -> Moving:
    """Return one column of a table for each stop."""
    return Moving(by, [list(table[column]) for table in tables], first)


def interval(by: str, tables: Sequence[pd.DataFrame], value: str, low: str, high: str, first: int = -1) -> dict:
    """Return the same of a value and the ends of its interval: arguments of a Line."""
    return {
        name: moving(by, tables, column, first)
        for name, column in (("y", value), ("low", low), ("high", high))
    }  # fmt: skip


def hits(by: str, tables: Sequence[pd.DataFrame], first: int = -1) -> dict[str, Values]:
    """Return Hit@5 and its interval at each stop: arguments of a Line."""
    return interval(by, tables, "hit", "low", "high", first)


def ordered_colours(count: int) -> list[str]:
    """Return colours of growing lightness for an ordered quantity, from viridis, none so light as to vanish."""
    stops = ("#5b2a86", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#9fda3a")
    return [stops[round(i * (len(stops) - 1) / max(1, count - 1))] for i in range(count)]
