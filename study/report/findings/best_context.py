"""The context that suits this corpus: with its vectors and a fixed overlap N is tied to C, a line across the law."""

import pandas as pd

from study.analysis.best_context import BestContext
from study.analysis.evidence import Evidence
from study.report.finding import NO_MAP, Block, Finding, Table, answered
from study.report.findings import register
from study.report.findings.corpus_line import UNKNOWN_ENDS
from study.report.style import shown


def blocks(evidence: Evidence, arm: str) -> list[Block]:
    """Return the best context of this corpus, and of larger ones; or why none can be given."""
    answers = evidence.answers[arm]
    found = answers.best_context
    if found is None:
        return [
            f"No best context can be given: {answers.refusals.get('law', 'the number of vectors is not recorded')}."
        ]
    return [_note(found), _table(found)]


def _note(found: BestContext) -> str:
    return (
        f"The {found.part.num_vectors:,} training vectors, cut into windows that overlap by {found.overlap:.0%}"
        f"{'' if found.part.by_document else UNKNOWN_ENDS}, give a certain N at each C. The fitted law predicts Hit@5 "
        "along that line. Rows marked as projections rest on sizes that were not measured."
    )


def _table(found: BestContext) -> Table:
    rows = [
        [
            f"{row.num_vectors:,} ({row.factor} x)",
            shown(row.best_context, row.best_low, row.best_high, ".0f"),
            f"{row.num_sequences:,}",
            shown(row.hit_at_5, row.low, row.high),
            "projection" if row.projection else "",
        ]
        for row in found.growth.itertuples()
    ]
    header = ["training vectors", "best C [95 %]", "N there", "Hit@5 [95 %]", ""]
    return Table(title="Best context by the size of the corpus", header=header, rows=rows)


def csv(evidence: Evidence, arm: str) -> dict[str, pd.DataFrame]:
    """Return Hit@5 along the line, and the best of it for larger corpora."""
    found = evidence.answers[arm].best_context
    return {"best_context": found.line, "growth": found.growth} if found else {}


FINDING = register(
    Finding(
        key="best-context", title="Best context for this corpus", after="thresholds", by_arm=True, absent=NO_MAP,
        blocks=blocks, verdicts=answered("best-context"), csv=csv,
    )
)  # fmt: skip
