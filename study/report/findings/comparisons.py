"""Comparisons on the same queries: neighbouring cells, cells with their baselines, and the arms of the study."""

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
    counts = [
        f"{int(group.differs.sum())} of {len(group)} ({KINDS.get(kind, kind)})"
        for kind, group in table.groupby("comparison", sort=False)
    ]
    note = f"Differences shown at 5 %, Holm-adjusted within each kind: {', '.join(counts)}."
    rows = [
        [row.comparison, row.first, row.second, shown(row.difference, row.low, row.high, "+.3f"), f"{row.p_holm:.3f}",
         "yes" if row.differs else "not shown"]
        for row in table.itertuples()
    ]  # fmt: skip
    header = ["comparison", "first", "second", "second minus first [95 %]", "Holm p", "differs"]
    return [note, Table(title="Every comparison", header=header, rows=rows, page_only=True)]


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
