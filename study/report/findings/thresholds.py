"""Thresholds in N: the least N that beats the best baseline, that trains stably, or at which the law breaks."""

import numpy as np
import pandas as pd

from study.analysis.evidence import Evidence
from study.analysis.pool_maps import PoolMaps
from study.analysis.verdicts import Answers
from study.report.figures.figure import Axis, Figure, Line, Moving
from study.report.finding import NO_MAP, Finding, answered
from study.report.findings import register
from study.report.style import BLUE, GREEN, VERMILION

NAMES = {"beats_baseline": "beats the best baseline", "stable": "trains stably", "break": "break of the law"}
COLOURS = {"beats_baseline": BLUE, "stable": GREEN, "break": VERMILION}
SYMBOLS = {"beats_baseline": "circle", "stable": "square", "break": "diamond"}
OFFSETS = {"beats_baseline": 0.16, "stable": 0.0, "break": -0.16}  # intervals lie beside each other
BEYOND = 1.6  # where "not reached" is drawn, as a factor of the largest N


def figures(evidence: Evidence, arm: str) -> list[Figure]:
    """Return thresholds by context, with intervals; `beats the best baseline` follows the slider."""
    answers, maps = evidence.answers[arm], evidence.pool_maps[arm]
    edge, contexts = maps.sizes[-1] * BEYOND, maps.contexts
    marks = [
        _line("beats_baseline", [view.thresholds for view in maps.views], contexts, edge, moves=True),
        *(_line(name, [_of(answers, name)], contexts, edge) for name in ("stable", "break")),
    ]
    ticks = [*Axis.log("", maps.sizes).ticks, (edge, "not reached")]
    return [
        Figure(
            key="thresholds",
            picture="thresholds",
            title="Least N that is enough, by context",
            caption="Bars: 95 % intervals. Right edge: not reached at the sizes measured. Stability and breaks are "
            "judged in the study's own pool.",
            marks=[mark for mark in marks if mark],
            x=Axis(title="training sequences N", scale="log", ticks=ticks, range=(maps.sizes[0] / 1.3, edge * 1.25)),
            y=Axis(
                ticks=[(place, f"C={context:,}") for place, context in enumerate(contexts)],
                range=(-0.6, len(contexts) - 0.4),
            ),
            table=_table(answers, maps),
            height=180 + 50 * len(contexts),
        )
    ]


def _of(answers: Answers, definition: str) -> pd.DataFrame:
    return answers.thresholds[answers.thresholds.definition == definition].dropna(subset=["threshold"])


def _line(name: str, tables: list[pd.DataFrame], contexts: list[int], edge: float, moves: bool = False) -> Line | None:
    """Return one kind of threshold; what is not reached stands at the edge."""
    if tables[-1].empty:
        return None
    points = [_points(table, edge) for table in tables]
    x, low, high, hover = (
        Moving("pool", [stop[i] for stop in points]) if moves else points[-1][i] for i in range(4)
    )  # fmt: skip
    return Line(
        name=NAMES[name], x=x, y=[contexts.index(c) + OFFSETS[name] for c in tables[-1].context_length], low=low,
        high=high, interval_of="x", colour=COLOURS[name], dash=None, symbol=SYMBOLS[name], size=11, hover=hover,
    )  # fmt: skip


def _points(table: pd.DataFrame, edge: float) -> tuple[list, list, list, list[str]]:
    x, low, high = (table[name].astype(float).replace(np.inf, edge) for name in ("threshold", "low", "high"))
    texts = [f"least N {text}" for text in _texts(table)]
    return list(x), list(np.minimum(low, x)), list(np.maximum(high, x)), texts


def _texts(table: pd.DataFrame) -> list[str]:
    return [f"{_size(row.threshold)} [{_size(row.low)}, {_size(row.high)}]" for row in table.itertuples()]


def _size(value: float) -> str:
    if value is None or pd.isna(value):
        return "-"
    return "not reached" if np.isinf(value) else f"{value:,.0f}"


def _table(answers: Answers, maps: PoolMaps) -> tuple[list[str], list[list]]:
    texts, table = [_texts(view.thresholds) for view in maps.views], answers.thresholds
    rows = [
        [NAMES["beats_baseline"], f"{row.context_length:,}", Moving("pool", [stop[i] for stop in texts]),
         _sensitivity(answers, row.context_length), ""]
        for i, row in enumerate(maps.own.thresholds.itertuples())
    ]  # fmt: skip
    others = table[table.definition != "beats_baseline"]
    for row, text in zip(others.itertuples(), _texts(others), strict=True):
        reason = "" if row.reason is None or pd.isna(row.reason) else str(row.reason)
        rows.append([NAMES[row.definition], f"{row.context_length:,}", text, _named(row.sensitivity), reason])
    return ["threshold", "C", "least N [95 %]", "with other limits (own pool)", "why"], rows


def _sensitivity(answers: Answers, context: int) -> str:
    table = answers.thresholds
    rows = table[(table.definition == "beats_baseline") & (table.context_length == context)]
    return _named(rows.sensitivity.iloc[0]) if len(rows) else ""


def _named(found) -> str:
    if not isinstance(found, dict):
        return ""
    return "; ".join(f"{name}: {'not reached' if n is None else format(n, ',.0f')}" for name, n in found.items())


FINDING = register(
    Finding(
        key="thresholds", title="Thresholds", after="law", by_arm=True, absent=NO_MAP, figures=figures,
        verdicts=answered("thresholds"),
        csv=lambda evidence, arm: {"thresholds": evidence.answers[arm].thresholds},
    )
)  # fmt: skip
