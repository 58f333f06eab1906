"""The searched values: every search trial on parallel axes, and the importance of each value."""

from collections.abc import Iterator

import pandas as pd

from study.analysis.evidence import Evidence
from study.analysis.searched import REACHED
from study.report.figures.figure import Axis, Bars, Figure, Labels, Line
from study.report.figures.marks import ordered_colours
from study.report.finding import Block, Finding, Table
from study.report.findings import register
from study.report.style import BLUE, shown

AXIS_NAMES = {"context_length": "C", "num_sequences": "N", REACHED: "Hit@5 minus\nits cell's mean"}
FIFTHS = ("worst fifth", "2nd fifth", "3rd fifth", "4th fifth", "best fifth")
NOTE = (
    "Importance (PED-ANOVA): the share of each value in the difference between good search trials and the others of "
    "their cell, at the last evaluation that all trials of the cell reached. Beside it, two bounds: pruned trials at "
    "their last validation Hit@5, and as good as the best trial of their cell."
)
TOO_FEW = "Importance needs at least two searched values and twelve configurations."


def blocks(evidence: Evidence, _arm: str) -> list[Block]:
    """Return the importance of each searched value, between both bounds."""
    table = evidence.importance
    if table.empty:
        return [] if evidence.searched_lines[0].empty else [TOO_FEW]
    header = ["searched value", "importance [95 %]", "pruned at their last Hit@5", "pruned as the best"]
    rows = [
        [row.parameter, shown(row.importance, row.low, row.high, ".2f"), f"{row.pruned_as_last_seen:.2f}",
         f"{row.pruned_as_best:.2f}"]
        for row in table.itertuples()
    ]  # fmt: skip
    return [NOTE, Table(title="Importance of the searched values", header=header, rows=rows)]


def figures(evidence: Evidence, _arm: str) -> list[Figure]:
    """Return both figures, as far as enough was searched."""
    lines, axes = evidence.searched_lines
    found = [] if lines.empty else [_parallel(lines, axes)]
    return found if evidence.importance.empty else [*found, _importance(evidence.importance.iloc[::-1])]


def _parallel(lines: pd.DataFrame, axes: pd.DataFrame) -> Figure:
    """Return the search trials as lines over the searched values."""
    names = list(axes.name)
    return Figure(
        key="parallel",
        picture="searched",
        title="Search trials over the searched values",
        caption=f"{len(lines):,} search trials. Colour: validation Hit@5 minus the mean of the trial's cell, in "
        "fifths; the lightest is best. Dotted: pruned, at the last validation Hit@5.",
        marks=[*_bundles(lines, names), *_ends(axes)],
        x=Axis(
            ticks=[(place, AXIS_NAMES.get(name, name)) for place, name in enumerate(names)],
            range=(-0.35, len(names) - 0.55),
        ),
        y=Axis(range=(-0.1, 1.1), visible=False),
        table=_trials(lines, names[2:-1]),
        height=440,
        legend=False,
    )


def _bundles(lines: pd.DataFrame, names: list[str]) -> Iterator[Line]:
    """Return a line for each fifth and status, with gaps between the trials."""
    for fifth, colour in enumerate(ordered_colours(5)):
        for completed, dash in ((True, "solid"), (False, "dot")):
            chosen = lines[(lines.fifth == fifth) & ((lines.status == "completed") == completed)]
            x, y, hover = [], [], []
            for row in chosen.to_dict("records"):
                x += [*range(len(names)), None]
                y += [*(row[f"at_{name}"] for name in names), None]
                hover += [f"{row['trial_id']} in {row['cell_id']}: {name} {_value(row[name])}" for name in names] + [""]
            if x:
                yield Line(
                    name=FIFTHS[fifth], x=x, y=y, colour=colour, dash=dash, symbol=None, width=1.3, opacity=0.75,
                    hover=hover, in_legend=False,
                )  # fmt: skip


def _ends(axes: pd.DataFrame) -> list[Labels]:
    """Return the ends of each axis, or its choices: those at the bottom below it, the others above."""
    places = []
    for place, axis in enumerate(axes.itertuples()):
        choices = [_value(axis.low), _value(axis.high)] if not isinstance(axis.choices, list) else axis.choices
        places += [(place, i / max(1, len(choices) - 1), str(choice)) for i, choice in enumerate(choices)]
    sides = (-4, [each for each in places if each[1] == 0]), (4, [each for each in places if each[1] > 0])
    return [
        Labels(x=[x for x, _, _ in found], y=[y for _, y, _ in found], text=[text for *_, text in found], size=11,
               shift=shift)
        for shift, found in sides
    ]  # fmt: skip


def _trials(lines: pd.DataFrame, names: list[str]) -> tuple[list[str], list[list[str]]]:
    header = ["trial", "cell", "status", *names, "validation Hit@5", "minus its cell's mean"]
    rows = [
        [row["trial_id"], row["cell_id"], row["status"], *(_value(row[name]) for name in names),
         f"{row['val_hit_at_5']:.3f}", f"{row[REACHED]:+.3f}"]
        for row in lines.sort_values(REACHED, ascending=False).to_dict("records")
    ]  # fmt: skip
    return header, rows


def _importance(table: pd.DataFrame) -> Figure:
    bars = Bars(
        names=list(table.parameter), values=list(table.importance), low=list(table.low), high=list(table.high),
        colour=BLUE,
    )  # fmt: skip
    return Figure(
        key="importance",
        picture="importance",
        title="Importance of the searched values",
        caption="Bars: 95 % intervals, from redrawn cells.",
        marks=[bars],
        x=Axis(title="importance", range=(0, 1)),
        y=Axis(scale="category"),
        height=130 + 44 * len(table),
        legend=False,
    )


def _value(value) -> str:
    if not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,.3g}" if isinstance(value, float) and abs(value) < 1000 else f"{value:,.0f}"


FINDING = register(
    Finding(
        key="searched-values", title="Searched values", after="learning-curves", absent="No values were searched.",
        blocks=blocks, figures=figures, csv=lambda evidence, _: {"importance": evidence.importance},
    )
)  # fmt: skip
