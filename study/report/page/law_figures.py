"""Draw the fitted law: its curves over the measured cells, the residuals, and cells that it did not see."""

import pandas as pd

from study.analysis.law_views import LawView
from study.analysis.pool_maps import PoolMaps
from study.report.page.figure import (
    HIT_AXIS,
    MUTED,
    SYMBOLS,
    Figure,
    by_stop,
    line,
    log_axis,
    numbers,
    ordered_colours,
    plain_line,
)
from study.report.style import BLUE, shown

MEASURED = {"value": "measured"}
FORMULAS = {
    "odds": "Hit@5 = chance + (ceiling - chance) g, g / (1 - g) = exp(m + a ln N + b ln C)",
    "log": "Hit@5 = chance + (ceiling - chance) g, -ln g = exp(-(m + a ln N + b ln C))",
    "sum": "Hit@5 = chance + (ceiling - chance) g, logit g = m - A / N^a - B / C^b",
}


def law_figures(maps: PoolMaps, key: str) -> list[Figure]:
    """Return the law's figures; nothing where no law is fitted."""
    return [_curves(maps, key), _residuals(maps, key), _held_out(maps, key)] if maps.laws else []


def law_texts(law: LawView) -> dict[str, str]:
    """Return the law's parameters at one stop of the slider, in words."""
    parameters = "; ".join(
        f"{row.parameter} {shown(row.value, row.low, row.high)}" for row in law.exponents.itertuples()
    )
    return {"law": f"{parameters}; misfit p = {law.misfit_p:.3f}"}


def law_words(maps: PoolMaps) -> str:
    """Return the form that was chosen, and its formula."""
    form = maps.laws[-1].form
    return f"The law “{form}”: {FORMULAS[form.split(',')[0]]}, with N and C about the map's middle."


def _curves(maps: PoolMaps, key: str) -> Figure:
    figure = Figure(
        f"law{key}",
        "The fitted law and the measured cells",
        (
            "Lines: the law. Markers: measured cells with 95 % intervals. At other pools than the study's own, the "
            "form that was "
            "chosen there is fitted again."
        ),
        height=460,
    )
    figure.layout = {"xaxis": log_axis("context length C", maps.contexts), "yaxis": HIT_AXIS}
    for i, (size, colour) in enumerate(zip(maps.sizes, ordered_colours(len(maps.sizes)), strict=True)):
        fine = [law.curves[law.curves.num_sequences == size] for law in maps.laws]
        trace = plain_line(f"law, N={size:,}", fine[0].context_length, colour, "solid") | {"showlegend": False}
        figure.add(trace, by="pool", y=[numbers(table.hit) for table in fine])
        tables = [law.cells[law.cells.num_sequences == size] for law in maps.laws]
        trace = line(f"N={size:,}", tables[0].context_length, colour, symbol=SYMBOLS[i % len(SYMBOLS)], mode="markers")
        figure.add(trace, by="pool", **by_stop(tables, **MEASURED))
    figure.table = _law_table(maps)
    return figure


def _residuals(maps: PoolMaps, key: str) -> Figure:
    figure = Figure(
        f"residuals{key}",
        "Residuals: measured less fitted",
        ("A law that fits leaves intervals that cross zero, with no pattern along C or N."),
        small=True,
    )
    cells = maps.laws[-1].cells
    figure.layout = {
        "xaxis": {"title": {"text": "fitted Hit@5"}, "tickformat": ".2f"},
        "yaxis": {"title": {"text": "measured less fitted"}, "zeroline": True, "tickformat": "+.3f"},
        "showlegend": False,
    }
    trace = line("residual", [None] * len(cells), BLUE, mode="markers")
    trace["text"] = [f"C={row.context_length:,}, N={row.num_sequences:,}" for row in cells.itertuples()]
    trace["hovertemplate"] = "%{text}<br>%{y:+.4f}, %{customdata[0]:+.4f} to %{customdata[1]:+.4f}<extra></extra>"
    names = {"value": "residual", "low": "residual_low", "high": "residual_high"}
    tables = [law.cells for law in maps.laws]
    figure.add(trace, by="pool", x=[numbers(table.fitted) for table in tables], **by_stop(tables, **names))
    return figure


def _held_out(maps: PoolMaps, key: str) -> Figure:
    figure = Figure(
        f"held-out{key}",
        "Held-out cells: predicted against measured",
        (
            "The largest cells were left out of a second fit and predicted. Bars: 95 % intervals of the prediction; "
            "on the "
            "line, prediction and measurement agree."
        ),
        small=True,
    )
    tables = [law.cells[law.cells.predicted.notna()] for law in maps.laws]
    figure.layout = {"xaxis": HIT_AXIS | {"title": {"text": "measured Hit@5"}, "range": None, "tickformat": ".2f"}}
    figure.layout |= {"yaxis": HIT_AXIS | {"title": {"text": "predicted Hit@5"}, "range": None, "tickformat": ".2f"}}
    figure.layout["showlegend"] = False
    if tables[-1].empty:
        figure.caption = "No cell could be left out: too few would remain to fit."
        return figure
    trace = line("held out", [], BLUE, mode="markers")
    trace["text"] = [f"C={row.context_length:,}, N={row.num_sequences:,}" for row in tables[-1].itertuples()]
    trace["hovertemplate"] = (
        "%{text}<br>measured %{x:.3f}, predicted %{y:.3f}, %{customdata[0]:.3f} to %{customdata[1]:.3f}<extra></extra>"
    )
    names = {"value": "predicted", "low": "predicted_low", "high": "predicted_high"}
    figure.add(trace, by="pool", x=[numbers(table.measured) for table in tables], **by_stop(tables, **names))
    ends = [_ends(table) for table in tables]
    figure.add(plain_line("equal", [0, 1], MUTED, "dot"), by="pool", x=ends, y=ends)
    return figure


def _ends(table: pd.DataFrame) -> list:
    values = table[["measured", "predicted", "predicted_low", "predicted_high"]]
    return numbers([values.min().min(), values.max().max()])


def _law_table(maps: PoolMaps) -> tuple[list[str], list[list]]:
    rows = []
    for i, cell in enumerate(maps.laws[-1].cells.itertuples()):
        at = [law.cells.iloc[i] for law in maps.laws]
        rows.append(
            [
                f"{cell.context_length:,}",
                f"{cell.num_sequences:,}",
                [shown(row.measured, row.low, row.high) for row in at],
                [f"{row.fitted:.3f}" for row in at],
                [f"{row.residual:+.3f}" for row in at],
                [shown(row.predicted, row.predicted_low, row.predicted_high) for row in at],
            ]
        )
    return ["C", "N", "measured [95 %]", "fitted", "residual", "predicted when left out [95 %]"], rows
