"""How far the context is used: Hit@5 with the newest vectors alone, the others replaced by random ones."""

import pandas as pd

from study.analysis.context_use import EffectiveContext, effective_contexts, use_verdict
from study.analysis.evidence import Evidence
from study.analysis.verdicts import Verdict, limited
from study.report.figures.figure import HIT_AXIS, SYMBOLS, Axis, Figure, Line
from study.report.figures.marks import ordered_colours
from study.report.finding import Block, Finding, Table
from study.report.findings import register
from study.report.style import shown

ABOUT = (
    "The oldest vectors of each test context are replaced by random vectors of the training part. A loss shows that "
    "the model reads what was replaced; it does not show that the model needs it, since a random vector also misleads."
)
ABSENT = "No trial measured how far it uses its context: records of older versions have none, and nor has C=1."


def blocks(evidence: Evidence, arm: str) -> list[Block]:
    """Return what was done, and what each cell of the largest C uses."""
    table = evidence.context_use[arm]
    if table.empty:
        return [ABSENT]
    rows = [_row(found) for found in effective_contexts(table)]
    header = ["N", "fewest without a shown loss of a point", "excluded from", "loss [95 %]", "loss with 1 kept"]
    title = f"how many of the newest {table.context_length.iloc[0]:,} vectors are enough"
    return [ABOUT, *([Table(title=title, header=header, rows=rows)] if rows else [])]


def _row(found: EffectiveContext) -> list[str]:
    kept = [f"{count:,} vectors" for count in (found.least, found.most)]
    losses = [shown(*loss, "+.3f") for loss in (found.loss, found.all_but_one)]
    return [f"{found.num_sequences:,}", *kept, *losses]


def figures(evidence: Evidence, arm: str) -> list[Figure]:
    """Return Hit@5 against the number of vectors kept, a line for each N."""
    table = evidence.context_use[arm]
    if table.empty:
        return []
    cells = list(table.sort_values("num_kept").groupby("num_sequences"))
    marks = [
        Line(
            name=f"N={size:,}", x=list(cell.num_kept), y=list(cell.hit_at_5), colour=colour,
            low=list(cell.low), high=list(cell.high), symbol=SYMBOLS[i % len(SYMBOLS)],
        )
        for i, ((size, cell), colour) in enumerate(zip(cells, ordered_colours(len(cells)), strict=True))
    ]  # fmt: skip
    return [
        Figure(
            key="context-use",
            picture="context_use",
            title=f"Hit@5 with the newest vectors alone, C={table.context_length.iloc[0]:,}",
            caption="The others are random vectors of the training part. Bars: 95 % intervals. Where a line is flat, a "
            "longer context is longer only in name.",
            marks=marks,
            x=Axis.log("newest vectors kept", sorted(table.num_kept.unique())),
            y=HIT_AXIS,
            table=_numbers(table),
        )
    ]


def _numbers(table: pd.DataFrame) -> tuple[list[str], list[list]]:
    rows = [
        [f"{row.num_sequences:,}", f"{row.num_kept:,}", shown(row.hit_at_5, row.low, row.high),
         shown(row.loss, row.loss_low, row.loss_high, "+.3f")]
        for row in table.itertuples()
    ]  # fmt: skip
    return ["N", "vectors kept", "Hit@5 [95 %]", "loss against all of them [95 %]"], rows


def verdicts(evidence: Evidence, arm: str) -> list[Verdict]:
    """Return how much of the largest context the models use; nothing where it was not measured."""
    table = evidence.context_use[arm]
    return [] if table.empty else [limited(use_verdict(table), evidence.study, evidence.answers[arm].hit_map)]


def csv(evidence: Evidence, arm: str) -> dict[str, pd.DataFrame]:
    """Return the numbers behind the figure, where they were measured."""
    table = evidence.context_use[arm]
    return {} if table.empty else {"context_use": table}


FINDING = register(
    Finding(
        key="context-use", title="How far the context is used", after="context", by_arm=True, absent=ABSENT,
        blocks=blocks, figures=figures, verdicts=verdicts, csv=csv,
    )
)  # fmt: skip
