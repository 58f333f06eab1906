"""The law fitted to the map: its curves over the measured cells, its residuals, and cells that it did not see."""

import pandas as pd

from study.analysis.evidence import Evidence
from study.analysis.law import Law
from study.analysis.pool_maps import PoolMaps
from study.report.figures.figure import HIT_AXIS, MUTED, SYMBOLS, Axis, Figure, Line, Moving
from study.report.figures.marks import interval, moving, ordered_colours
from study.report.finding import NO_MAP, Block, Facts, Finding, Table, answered
from study.report.findings import register
from study.report.style import BLUE, shown

FORMULAS = {
    "odds": "Hit@5 = chance + (ceiling - chance) g, g / (1 - g) = exp(m + a ln N + b ln C)",
    "log": "Hit@5 = chance + (ceiling - chance) g, -ln g = exp(-(m + a ln N + b ln C))",
    "sum": "Hit@5 = chance + (ceiling - chance) g, logit g = m - A / N^a - B / C^b",
}
NOTE = (
    "Laws are fitted by likelihood to the cells' means. Of the smooth laws that predict the left-out cells as well as "
    "the best one, the law with the least AICc is chosen. Laws with a break in N are compared too, but judged by their "
    "own test."
)


def blocks(evidence: Evidence, arm: str) -> list[Block]:
    """Return the law's form and parameters, then the laws compared and the held-out cells; or why there is no law."""
    answers, maps = evidence.answers[arm], evidence.pool_maps[arm]
    if answers.law is None:
        return [f"No law is fitted: {answers.refusals['law']}."]
    form = maps.laws[-1].form
    return [
        f"The law “{form}”: {FORMULAS[form.split(',')[0]]}, with N and C relative to the middle of the map.",
        Facts([("parameters [95 %]", Moving("pool", [_parameters(law) for law in maps.laws]))]),
        NOTE,
        _compared(answers.law),
        _held_out_table(answers.law),
    ]


def _parameters(law) -> str:
    values = [f"{row.parameter} {shown(row.value, row.low, row.high)}" for row in law.exponents.itertuples()]
    return "; ".join([*values, f"misfit p = {law.misfit_p:.3f}"])


def _compared(law: Law) -> Table:
    least = law.comparison.aicc.min()
    rows = [
        [row.form, str(row.num_parameters), f"{row.aicc - least:.1f}",
         "-" if pd.isna(row.held_out_error) else f"{100 * row.held_out_error:.1f}", f"{row.misfit_p:.3f}",
         f"{row.num_at_best} of {row.num_starts}", "chosen" if row.chosen else ""]
        for row in law.comparison.itertuples()
    ]  # fmt: skip
    header = ["law", "parameters", "AICc above the least", "held-out error, points", "misfit p", "starts at best", ""]
    return Table(title="The laws compared", header=header, rows=rows)


def _held_out_table(law: Law) -> Table:
    rows = [
        [f"C={row.context_length} N={row.num_sequences:,}", f"{row.measured:.3f}",
         shown(row.predicted, row.predicted_low, row.predicted_high)]
        for row in law.held_out.itertuples()
    ]  # fmt: skip
    title = "The largest cells, left out of the fit and predicted"
    return Table(title=title, header=["cell", "measured", "predicted"], rows=rows)


def figures(evidence: Evidence, arm: str) -> list[Figure]:
    """Return the law's figures; nothing where no law is fitted."""
    maps = evidence.pool_maps[arm]
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


def csv(evidence: Evidence, arm: str) -> dict[str, pd.DataFrame]:
    """Return the laws compared, the parameters of the chosen one, and the held-out cells."""
    law = evidence.answers[arm].law
    return {"laws": law.comparison, "exponents": law.exponents, "held_out": law.held_out} if law else {}


FINDING = register(
    Finding(
        key="law", title="Law", after="candidate-pool", by_arm=True, absent=NO_MAP, blocks=blocks, figures=figures,
        verdicts=answered("law"), csv=csv,
    )
)  # fmt: skip
