"""Comparisons on the same queries: neighbouring cells, cells with their baselines, and the arms of the study."""

import pandas as pd

from study.analysis.equivalence import MARGIN
from study.analysis.evidence import Evidence
from study.analysis.verdicts import Verdict
from study.report.finding import Block, Finding, Table
from study.report.findings import register
from study.report.style import shown

KINDS = {
    "context": "neighbouring contexts",
    "sequences": "neighbouring numbers of sequences",
    "baseline": "cell against its best baseline",
    "arm": "arms of a cell",
}


def blocks(evidence: Evidence, _arm: str) -> list[Block]:
    """Return how many differences of each kind are shown, and every comparison."""
    table = evidence.comparisons
    if table.empty:
        return []
    note = (
        f"Differences shown at 5 %, Holm-adjusted within each kind: {_counts(table, 'differs')}. Shown to differ by "
        f"less than {100 * MARGIN:.0f} point (two one-sided tests, Holm): {_counts(table, 'equivalent')}."
    )
    rows = [
        [row.comparison, row.first, row.second, shown(row.difference, row.low, row.high, "+.3f"), f"{row.p_holm:.3f}",
         _shown_as(row)]
        for row in table.itertuples()
    ]  # fmt: skip
    header = ["comparison", "first", "second", "second minus first [95 %]", "Holm p", "differs"]
    return [note, Table(title="Every comparison", header=header, rows=rows, page_only=True)]


def _counts(table: pd.DataFrame, column: str) -> str:
    """Return for how many pairs of each kind something is shown."""
    groups = table.groupby("comparison", sort=False)
    return ", ".join(f"{int(own[column].sum())} of {len(own)} ({KINDS.get(kind, kind)})" for kind, own in groups)


def _shown_as(row) -> str:
    if row.differs:
        return f"yes, by less than {100 * MARGIN:.0f} point" if row.equivalent else "yes"
    return f"by less than {100 * MARGIN:.0f} point" if row.equivalent else "not shown"


def verdicts(evidence: Evidence, _arm: str) -> list[Verdict]:
    """Return which arms differ on the same queries, by a test that holds for all pairs and cells at once."""
    table = evidence.comparisons[evidence.comparisons.comparison == "arm"]
    if table.empty:
        return []
    differs = table[table.differs.astype(bool)]
    lines = [
        f"{row.second} against {row.first}: Hit@5 {shown(row.difference, row.low, row.high, '+.3f')} "
        f"(Holm p = {row.p_holm:.3f})"
        for row in differs.itertuples()
    ]
    if same := len(table) - len(differs):
        lines.append(f"{same} {'other ' if lines else ''}pairs of arms: no difference shown")
    answer = "yes, some" if len(differs) else "no difference shown"
    return [Verdict("comparisons", "Do the arms differ?", answer, "; ".join(lines))]


FINDING = register(
    Finding(
        key="comparisons", title="Which differences are shown", after="best-configurations",
        absent="There is nothing to compare on the same queries.", blocks=blocks, verdicts=verdicts,
        csv=lambda evidence, _: {"comparisons": evidence.comparisons},
    )
)  # fmt: skip
