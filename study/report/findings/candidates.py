"""What a query is ranked among: its own context, its own document, and targets that training has all but seen."""

import pandas as pd

from study.analysis.evidence import Evidence
from study.records.manifest import RecordedCandidates
from study.report.finding import Block, Facts, Finding
from study.report.findings import register

IN_POOL, LEFT_OUT = "a query's own last C_max vectors among them", "without a query's own last C_max vectors"
NOT_RECORDED = "Not recorded: older studies had a query's own context among its candidates."
ONE_EACH = "the target, and one vector of every other document"


def candidate_rule(found: RecordedCandidates | None) -> str:
    """Return which candidates a query has. Studies that do not record it had its own context among them."""
    if found is not None and found.one_per_document:
        return ONE_EACH
    return LEFT_OUT if found is not None and found.exclude_context else IN_POOL


def blocks(evidence: Evidence, _arm: str) -> list[Block]:
    """Return a fact for each of the three; nothing of what is not recorded."""
    split = evidence.study.manifest.split
    if split.candidates is None:
        return []
    pairs = [
        ("own context", _own_context(evidence, split.candidates)),
        ("own document", _own_document(split.candidates, split.pool_size)),
        ("near-copies", _near_copies(evidence)),
    ]
    return [Facts([pair for pair in pairs if pair[1]])]


def _own_context(evidence: Evidence, found: RecordedCandidates) -> str:
    text = candidate_rule(found)
    if found.one_per_document:
        return text
    text += f"; the pool has {found.own_context:.1f} of them, in the mean over test queries"
    row = _of_best(evidence, evidence.context_in_pool)
    if row is None:
        return text
    return (
        f"{text}. With them, and as many candidates, {row.cell_id} would have test Hit@5 "
        f"{row.hit_at_5_context_in_pool:.3f} instead of {row.hit_at_5:.3f}"
    )


def _own_document(found: RecordedCandidates, pool_size: int) -> str:
    return (
        f"{found.own_document:.1f} of the {pool_size:,} candidates are of the query's own document, its target among "
        f"them. A reader who finds the right document and orders its candidates at random has test Hit@5 "
        f"{found.document_hit_at_5:.3f}"
    )


def _near_copies(evidence: Evidence) -> str:
    """Return how many test targets are near-copies of training vectors, and what the best cell has without them."""
    row, copies = _of_best(evidence, evidence.near_copies), evidence.study.manifest.split.near_copies
    if row is None:
        return ""
    text = (
        f"{row.num_near_copies:,} of {row.num_queries:,} test targets have cosine above {copies.threshold} to a "
        "training vector"
    )
    if not row.num_near_copies or row.num_near_copies == row.num_queries:
        return text
    return (
        f"{text}. {row.cell_id} has test Hit@5 {row.hit_at_5:.3f} with them, {row.hit_at_5_without:.3f} without them "
        f"and {row.hit_at_5_near_copies:.3f} on them alone"
    )


def tables(evidence: Evidence, _arm: str) -> dict[str, pd.DataFrame]:
    """Return the tables that have rows."""
    found = {"context_in_pool": evidence.context_in_pool, "near_copies": evidence.near_copies}
    return {name: table for name, table in found.items() if len(table)}


def _of_best(evidence: Evidence, table: pd.DataFrame):
    """Return the row of the best cell; None where there is no best cell or the table lacks it."""
    best = evidence.best["overall"]
    rows = [] if best is None else [row for row in table.itertuples() if row.cell_id == best["cell_id"]]
    return rows[0] if rows else None


FINDING = register(
    Finding(
        key="candidates", title="What a query is ranked among", after="candidate-pool", absent=NOT_RECORDED,
        blocks=blocks, csv=tables,
    )
)  # fmt: skip
