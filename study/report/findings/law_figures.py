"""The figures of the law: its curves over the measured cells, its residuals, and cells that it did not see."""

import pandas as pd

from study.analysis.pool_maps import PoolMaps
from study.report.figures.figure import HIT_AXIS, MUTED, SYMBOLS, Axis, Figure, Line, Moving
from study.report.figures.marks import interval, moving, ordered_colours
from study.report.style import BLUE, shown


def law_figures(maps: PoolMaps) -> list[Figure]:
    """Return the law's figures; nothing where no law is fitted."""
    return [_curves(maps), _residuals(maps), _held_out(maps)] if maps.laws else []


def _curves(maps: PoolMaps) -> Figure:
    marks = []
    for i, (size, colour) in enumerate(zip(maps.sizes, ordered_colours(len(maps.sizes)), strict=True)):
        fine, cells = (
            [table[table.num_sequences == size] for table in tables]
            for tables in ([law.curves for law in maps.laws], [law.cells for law in maps.laws])
        )
        marks += [
            Line(
                name=f"law, N={size:,}", x=list(fine[0].context_length), y=moving("pool", fine, "hit"), colour=colour,
                symbol=None, width=1.5, in_legend=False,
            ),
            Line(
                name=f"N={size:,}", x=list(cells[0].context_length), colour=colour, dash=None,
                symbol=SYMBOLS[i % len(SYMBOLS)], **interval("pool", cells, "measured", "low", "high"),
            ),
        ]  # fmt: skip
    title = "The fitted law and the measured cells"
    return Figure(
        key="law",
        picture="law",
        title=Moving("pool", [f"{title}, pool of {view.pool:,}" for view in maps.views]),
        caption="Lines: the law. Markers: measured cells with 95 % intervals. In pools other than the study's own, the "
        "same form is fitted again.",
        marks=marks,
        x=Axis.log("context length C", maps.contexts),
        y=HIT_AXIS,
        table=_cells_table(maps),
        height=460,
    )


def _residuals(maps: PoolMaps) -> Figure:
    tables = [law.cells for law in maps.laws]
    residual = Line(
        name="residual", x=moving("pool", tables, "fitted"),
        **interval("pool", tables, "residual", "residual_low", "residual_high"), colour=BLUE, dash=None,
        hover=Moving("pool", [[_of_cell(row, "residual", "+.4f") for row in table.itertuples()] for table in tables]),
    )  # fmt: skip
    return Figure(
        key="residuals",
        picture="law",
        title="Residuals: measured minus fitted",
        caption="Where the law fits, the intervals cross zero without a pattern along C or N.",
        marks=[residual],
        x=Axis(title="fitted Hit@5", form=".2f"),
        y=Axis(title="measured minus fitted", form="+.3f", zero=True),
        width="half",
        legend=False,
    )


def _held_out(maps: PoolMaps) -> Figure:
    tables = [law.cells[law.cells.predicted.notna()] for law in maps.laws]
    caption = (
        "The largest cells are left out of a second fit, and predicted. Bars: 95 % intervals of the prediction. On the "
        "dotted line, prediction and measurement agree."
    )
    marks = [
        Line(
            name="held out", x=moving("pool", tables, "measured"),
            **interval("pool", tables, "predicted", "predicted_low", "predicted_high"), colour=BLUE, dash=None,
            hover=Moving("pool", [[_of_cell(row, "predicted", ".3f") for row in t.itertuples()] for t in tables]),
        ),
        Line(
            name="equal", x=(ends := Moving("pool", [_ends(table) for table in tables])), y=ends, colour=MUTED,
            dash="dot", symbol=None, width=1.5,
        ),
    ]  # fmt: skip
    predicted = len(tables[-1]) > 0
    return Figure(
        key="held-out",
        picture="law",
        title="Held-out cells: predicted against measured",
        caption=caption if predicted else "No cell could be left out: too few would remain to fit.",
        marks=marks if predicted else [],
        x=Axis(title="measured Hit@5", form=".2f"),
        y=Axis(title="predicted Hit@5", form=".2f"),
        width="half",
        legend=False,
    )


def _of_cell(row, name: str, form: str) -> str:
    value, low, high = (getattr(row, column) for column in (name, f"{name}_low", f"{name}_high"))
    compared = f"fitted {row.fitted:.3f}" if name == "residual" else f"measured {row.measured:.3f}"
    return (
        f"C={row.context_length:,}, N={row.num_sequences:,}\n"
        f"{compared}, {name} {value:{form}}, 95 % interval {low:{form}} to {high:{form}}"
    )


def _ends(table: pd.DataFrame) -> list:
    values = table[["measured", "predicted", "predicted_low", "predicted_high"]]
    return [values.min().min(), values.max().max()]


def _cells_table(maps: PoolMaps) -> tuple[list[str], list[list]]:
    rows = []
    for i, cell in enumerate(maps.laws[-1].cells.itertuples()):
        at = [law.cells.iloc[i] for law in maps.laws]
        texts = (
            [shown(row.measured, row.low, row.high) for row in at],
            [f"{row.fitted:.3f}" for row in at],
            [f"{row.residual:+.3f}" for row in at],
            [shown(row.predicted, row.predicted_low, row.predicted_high) for row in at],
        )
        rows.append([f"{cell.context_length:,}", f"{cell.num_sequences:,}", *(Moving("pool", text) for text in texts)])
    return ["C", "N", "measured [95 %]", "fitted", "residual", "predicted when left out [95 %]"], rows
