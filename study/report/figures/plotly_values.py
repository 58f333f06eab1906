"""Turn the values of marks into what JSON and Plotly's labels hold, at each stop where they move."""

from collections.abc import Callable, Iterable, Sequence
from math import isfinite

from study.report.figures.figure import DARK, Moving, Values

DIGITS = 5


def each(change: Callable, *values: Values) -> Values:
    """Return what a function makes of values, at each stop where they move."""
    moving = next((value for value in values if isinstance(value, Moving)), None)
    if moving is None:
        return change(*values)
    stops = [value.values if isinstance(value, Moving) else [value] * len(moving.values) for value in values]
    return Moving(moving.by, [change(*stop) for stop in zip(*stops, strict=True)], moving.first)


def numbers(values: Sequence) -> list:
    """Return numbers that JSON holds, rounded; None for what is missing or infinite; names as text."""
    return [safe(value) if isinstance(value, str) else number(value) for value in values]


def number(value: float | None) -> float | None:
    found = float("nan") if value is None else float(value)
    return round(found, DIGITS) if isfinite(found) else None


def minus(first: Sequence, second: Sequence) -> list:
    both = zip(first, second, strict=True)
    return [None if a is None or b is None else number(float(a) - float(b)) for a, b in both]


def pairs(low: Sequence, high: Sequence) -> list[list]:
    return [list(pair) for pair in zip(numbers(low), numbers(high), strict=True)]


def inks(grid: Sequence[Sequence[float | None]]) -> list[str]:
    """Return black on the light half of the colour scale, white on the dark one."""
    return ["#000" if value is None or value > DARK else "#fff" for row in grid for value in row]


def as_texts(found: Iterable[str]) -> list[str]:
    return [safe(text) for text in found]


def safe(text: str) -> str:
    """Return text that Plotly's labels, which read a little HTML, show as it stands."""
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", "<br>")
