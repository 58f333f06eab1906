"""Where the uncertainty of a cell's Hit@5 comes from, and what would make its interval narrower."""

import pandas as pd

from study.analysis.evidence import Evidence
from study.analysis.variance_shares import VarianceShares
from study.report.finding import NO_MAP, Block, Finding, Table
from study.report.findings import register

SOURCES = {
    "documents": "documents",
    "replicates": "replicates",
    "search": "luck of the search",
    "pool": "which candidates are in the pool",
    "queries": "queries, the rest",
}
NOTE = (
    "Typical cell of this map: the mean of its cells' variances. The pool's part is estimated from random halves of "
    "the pool and taken as independent from query to query; what it does to all queries alike is not seen."
)
NOT_MEASURED = "-"


def blocks(evidence: Evidence, arm: str) -> list[Block]:
    """Return the sources of variance with what each contributes, and the interval under some changes."""
    found = evidence.variance_shares[arm]
    return [NOTE, _best_change(found), _sources(found), _plans(found)]


def _best_change(found: VarianceShares) -> str:
    now, *changes = found.plans.itertuples()
    best = min(changes, key=lambda row: row.half_width)
    return (
        f"Of these changes, {best.change} would narrow a cell's 95 % interval most: ±{100 * best.half_width:.1f} "
        f"instead of ±{100 * now.half_width:.1f} points."
    )


def _sources(found: VarianceShares) -> Table:
    rows = []
    for row in found.sources.itertuples():
        name = found.unit if row.source == "documents" else SOURCES[row.source]
        values = (NOT_MEASURED, NOT_MEASURED) if pd.isna(row.sd) else (f"{100 * row.sd:.2f}", f"{row.share:.0%}")
        rows.append([name, *values])
    header = ["source", "SD, points", "share of variance"]
    return Table(title="What a cell's Hit@5 varies by", header=header, rows=rows)


def _plans(found: VarianceShares) -> Table:
    rows = [[row.change, f"±{100 * row.half_width:.1f}"] for row in found.plans.itertuples()]
    return Table(title="A cell's 95 % interval to expect", header=["with", "points"], rows=rows)


def csv(evidence: Evidence, arm: str) -> dict[str, pd.DataFrame]:
    """Return the sources, and the intervals under changes."""
    found = evidence.variance_shares[arm]
    return {"variance_shares": found.sources, "interval_plans": found.plans}


FINDING = register(
    Finding(
        key="variance", title="Where the uncertainty comes from", after="comparisons", by_arm=True, absent=NO_MAP,
        blocks=blocks, csv=csv,
    )
)  # fmt: skip
