"""Draw what a study's variants are worth: each figure beside the table of the same name."""

from study.analysis.confounds import gains_table
from study.analysis.differences import differences_table
from study.analysis.evidence import Evidence
from study.analysis.phases import rows_table
from study.report.page.figure import FOREGROUND, HIT_AXIS, MUTED, SYMBOLS, Figure, error_bars, line
from study.report.style import COLOURS, VERMILION


def comparison_figure(findings: Evidence) -> Figure | None:
    """Return the figure of a study with variants; None where it compares none or has nothing measured yet."""
    asked = findings.study.manifest.space.compare
    return {"steps": _rows, "gain": _gains, "difference": _differences}[asked.by](findings) if asked else None


def _rows(findings: Evidence) -> Figure | None:
    table = rows_table(findings.study)
    if table.empty:
        return None
    equal = table.equal_pool.iloc[0]
    figure = Figure(
        "rows",
        "Each row, as reported and at equal pool",
        (
            f"Full markers: at the row's own pool. Open markers: the same ranks in a pool of {equal:,}. Bars: 95 % "
            "intervals. "
            "Grey: the best predictor that trains nothing, at the row's own pool."
        ),
        height=460,
    )
    for i, (variant, rows) in enumerate(table.groupby("variant", sort=False)):
        for name, prefix, dash in (("own pool", "hit_at_5", "solid"), (f"pool {equal:,}", "equal_hit_at_5", "dot")):
            names = {"value": prefix, "low": f"{prefix}_low", "high": f"{prefix}_high"}
            symbol = SYMBOLS[i] if dash == "solid" else f"{SYMBOLS[i]}-open"
            figure.add(_fixed(f"{variant}, {name}", rows.row, error_bars(rows, **names), COLOURS[i], dash, symbol))
        free = {"type": "scatter", "name": f"{variant}, training-free", "x": list(rows.row), "mode": "markers"}
        free["marker"] = {"color": MUTED, "symbol": "line-ew-open", "size": 18, "line": {"width": 3}}
        figure.add(free | {"y": [None if v != v else round(v, 4) for v in rows.baseline_hit_at_5.astype(float)]})
    figure.layout = {"xaxis": {"type": "category", "title": {"text": "row"}}, "yaxis": HIT_AXIS}
    return figure


def _gains(findings: Evidence) -> Figure | None:
    table = gains_table(findings.study)
    if table.empty:
        return None
    figure = Figure(
        "gains",
        "Apparent gain from context, one change at a time",
        (
            "Gain in Hit@5 from the shortest to the longest context, with 95 % intervals. The first line is as "
            "published."
        ),
        height=120 + 42 * len(table),
    )
    _dots(figure, table.change, table, {"value": "gain"}, "gain in Hit@5")
    return figure


def _differences(findings: Evidence) -> Figure | None:
    table = differences_table(findings.study)
    if table.empty:
        return None
    labels = [f"{row.variant}, {row.row}" if row.row else str(row.variant) for row in table.itertuples()]
    figure = Figure("variants", "Hit@5 of every variant", "Bars: 95 % intervals. The table has paired differences.")
    figure.height = 120 + 42 * len(table)
    _dots(figure, labels, table, {"value": "hit_at_5"}, "test Hit@5")
    return figure


def _dots(figure: Figure, labels, table, names: dict[str, str], title: str) -> None:
    """Lay one dot a row, the first on top."""
    bars = error_bars(table, **names)
    figure.add(
        {
            "type": "scatter",
            "mode": "markers",
            "y": list(labels),
            "x": bars["y"],
            "customdata": bars["customdata"],
            "marker": {"size": 11, "color": [VERMILION, *[COLOURS[0]] * (len(table) - 1)]},
            "error_x": {
                "type": "data",
                "symmetric": False,
                "array": bars["error_y__array"],
                "arrayminus": bars["error_y__arrayminus"],
                "color": FOREGROUND,
            },
            "hovertemplate": "%{y}: %{x:.3f}, 95 % interval %{customdata[0]:.3f} to "
            "%{customdata[1]:.3f}<extra></extra>",
        }
    )
    figure.layout = {
        "xaxis": {"title": {"text": title}, "zeroline": True, "rangemode": "tozero"},
        "yaxis": {"type": "category", "autorange": "reversed", "automargin": True},
        "showlegend": False,
    }


def _fixed(name: str, x, bars: dict, colour: str, dash: str, symbol: str) -> dict:
    trace = line(name, [], colour, dash=dash, symbol=symbol) | {
        "x": list(x),
        "y": bars["y"],
        "customdata": bars["customdata"],
    }
    trace["error_y"] |= {"array": bars["error_y__array"], "arrayminus": bars["error_y__arrayminus"]}
    return trace
