"""Whether the effect of N on Hit@5 depends on the context length."""

import pandas as pd

from study.analysis.evidence import Evidence
from study.report.finding import NO_MAP, Block, Finding
from study.report.findings import register

NOTE = (
    "If C and N had effects of their own alone, the effect of N would be the same at every C, on some scale. Tested is "
    "the largest deviation from that, over all cells and a slope in N that changes steadily with C."
)


def blocks(evidence: Evidence, arm: str) -> list[Block]:
    """Return what is tested and what was found."""
    found = evidence.interaction_verdicts[arm]
    return [NOTE, f"{found.answer[0].upper()}{found.answer[1:]}: {found.evidence}."]


def csv(evidence: Evidence, arm: str) -> dict[str, pd.DataFrame]:
    """Return the p-values, and the effect of N at both ends of C."""
    found = evidence.interaction(arm)
    return {"interaction": found.table(), "interaction_corners": found.corners} if found else {}


FINDING = register(
    Finding(
        key="interaction", title="Does the effect of data depend on the context?", after="data-needed", by_arm=True,
        absent=NO_MAP, blocks=blocks, verdicts=lambda evidence, arm: [evidence.interaction_verdicts[arm]], csv=csv,
    )
)  # fmt: skip
