"""Draw the thresholds in N: from which on a cell beats the best baseline, trains stably, or the law breaks."""

import numpy as np
import pandas as pd

from study.analysis.pool_maps import PoolMaps
from study.analysis.verdicts import Answers
from study.report.page.figure import Figure, log_axis, numbers
from study.report.style import BLUE, GREEN, VERMILION

NAMES = {"beats_baseline": "beats the best baseline", "stable": "trains stably", "break": "break of the law"}
COLOURS_OF = {"beats_baseline": BLUE, "stable": GREEN, "break": VERMILION}
SYMBOLS_OF = {"beats_baseline": "circle", "stable": "square", "break": "diamond"}
OFFSETS = {"beats_baseline": 0.16, "stable": 0.0, "break": -0.16}  # so that intervals lie beside each other
BEYOND = 1.6  # where "not reached" is drawn, as a factor of the largest N


def threshold_figure(answers: Answers, maps: PoolMaps, key: str) -> Figure:
    """Return thresholds by context, with intervals; `beats the best baseline` follows the slider."""
    figure = Figure(
        f"thresholds{key}",
        "Least N that is enough, by context",
        (
            "Bars: 95 % intervals. At the right edge: not reached with the sizes measured. Stability and breaks are "
            "judged at the "
            "study's own pool."
        ),
        height=180 + 50 * len(maps.contexts),
    )
    edge = maps.sizes[-1] * BEYOND
    axis = log_axis("training sequences N", maps.sizes)
    axis["tickvals"], axis["ticktext"] = [*axis["tickvals"], edge], [*axis["ticktext"], "not reached"]
    axis["range"] = [round(float(np.log10(maps.sizes[0] / 1.3)), 3), round(float(np.log10(edge * 1.25)), 3)]
    rows = {context: place for place, context in enumerate(maps.contexts)}
    names = [f"C={context:,}" for context in maps.contexts]
    figure.layout = {
        "xaxis": axis,
        "yaxis": {"tickvals": list(rows.values()), "ticktext": names, "range": [-0.6, len(rows) - 0.4]},
    }
    tables = [view.thresholds for view in maps.views]
    if len(tables[-1]):
        made = [_points(table, edge) for table in tables]
        trace = _trace("beats_baseline", tables[-1], rows)
        figure.add(trace, by="pool", **{path: [one[path] for one in made] for path in made[0]})
    for definition in ("stable", "break"):
        table = answers.thresholds[answers.thresholds.definition == definition].dropna(subset=["threshold"])
        if len(table):
            points = _points(table, edge)
            trace = _trace(definition, table, rows) | {name: points[name] for name in ("x", "text")}
            trace["error_x"] |= {"array": points["error_x__array"], "arrayminus": points["error_x__arrayminus"]}
            figure.add(trace)
    figure.table = _table(answers, maps)
    return figure


def _trace(definition: str, table: pd.DataFrame, rows: dict[int, int]) -> dict:
    offset = OFFSETS[definition]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": NAMES[definition],
        "y": [rows[context] + offset for context in table.context_length],
        "marker": {"color": COLOURS_OF[definition], "symbol": SYMBOLS_OF[definition], "size": 11},
        "error_x": {"type": "data", "symmetric": False, "color": COLOURS_OF[definition], "thickness": 1.5},
        "hovertemplate": "least N %{text}<extra>" + NAMES[definition] + "</extra>",
    }


def _points(table: pd.DataFrame, edge: float) -> dict[str, list]:
    """Return where to draw; what is not reached stands at the edge."""
    x, low, high = (table[name].astype(float).replace(np.inf, edge) for name in ("threshold", "low", "high"))
    return {
        "x": numbers(x, 1),
        "error_x__array": numbers((high - x).clip(lower=0), 1),
        "error_x__arrayminus": numbers((x - low).clip(lower=0), 1),
        "text": _texts(table),
    }


def _texts(table: pd.DataFrame) -> list[str]:
    return [f"{size(row.threshold)} [{size(row.low)}, {size(row.high)}]" for row in table.itertuples()]


def size(value: float) -> str:
    """Return an N in words."""
    if value is None or pd.isna(value):
        return "-"
    return "not reached" if np.isinf(value) else f"{value:,.0f}"


def _table(answers: Answers, maps: PoolMaps) -> tuple[list[str], list[list]]:
    rows = [
        [
            NAMES["beats_baseline"],
            f"{row.context_length:,}",
            [_texts(view.thresholds)[i] for view in maps.views],
            _sensitivity(answers, row.context_length),
            "",
        ]
        for i, row in enumerate(maps.own.thresholds.itertuples())
    ]
    for row in answers.thresholds[answers.thresholds.definition != "beats_baseline"].itertuples():
        reason = "" if row.reason is None or pd.isna(row.reason) else str(row.reason)
        value = f"{size(row.threshold)} [{size(row.low)}, {size(row.high)}]"
        rows.append([NAMES[row.definition], f"{row.context_length:,}", value, _named(row.sensitivity), reason])
    return ["threshold", "C", "least N [95 %]", "with other limits (own pool)", "why"], rows


def _sensitivity(answers: Answers, context: int) -> str:
    table = answers.thresholds
    rows = table[(table.definition == "beats_baseline") & (table.context_length == context)]
    return _named(rows.sensitivity.iloc[0]) if len(rows) else ""


def _named(found) -> str:
    if not isinstance(found, dict):
        return ""
    return "; ".join(f"{name}: {'not reached' if n is None else format(n, ',.0f')}" for name, n in found.items())
