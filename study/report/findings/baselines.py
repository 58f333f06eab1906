"""The baselines on the same queries, and whether the best cell beats the best of them."""

import pandas as pd

from study.analysis.evidence import Evidence
from study.analysis.load import arm_of
from study.analysis.verdicts import CANNOT_TELL, Verdict, limited
from study.report.finding import Block, Finding, Table
from study.report.findings import register
from study.report.style import shown

NOT_MEASURED = "-"
NO_LIFT = "No baseline is measured on these queries, and no lift can be given"


def sentences(evidence: Evidence) -> list[str]:
    """Return the lift of the best cell over its best baseline."""
    best = evidence.best["overall"]
    if best is None:
        return []
    if best["lift"] is None:
        return [f"{NO_LIFT}."]
    verb = {"yes": "beats", "no": "is worse than"}.get(_standing(best), "is not shown to beat")
    return [f"That cell {verb} the best baseline, {best['best_baseline']}, on the same queries: {_lift(evidence)}."]


def _standing(best: dict) -> str:
    """Return whether the best cell beats its best baseline; "no" where it is shown to be worse."""
    return "yes" if best["beats_best_baseline"] else "no" if best["below_best_baseline"] else "not shown"


def verdicts(evidence: Evidence, _arm: str) -> list[Verdict]:
    """Return whether the cell that validation prefers beats its best baseline."""
    best = evidence.best["overall"]
    if best is None:
        return []
    question = "Does the best configuration beat the best baseline?"
    if best["lift"] is None:
        return [Verdict("baselines", question, CANNOT_TELL, NO_LIFT)]
    compared = f"{best['cell_id']} against {best['best_baseline']} on the same queries"
    found, answers = Verdict("baselines", question, _standing(best), f"{compared}: {_lift(evidence)}"), evidence.answers
    arm = arm_of(best["cell_id"])
    return [limited(found, evidence.study, answers[arm].hit_map) if answers.get(arm) else found]


def _lift(evidence: Evidence) -> str:
    best, above = evidence.best["overall"], int(evidence.cells.beats_baseline.eq(True).sum())
    lift = shown(best["lift"], best["lift_low"], best["lift_high"], "+.3f")
    return f"lift {lift}; {above} of {len(evidence.cells)} cells beat their best baseline (Holm)"


def blocks(evidence: Evidence, _arm: str) -> list[Block]:
    """Return every baseline's test Hit@5: by C where it trains nothing, by C and N where it trains."""
    measured = evidence.study.measured("baseline")
    if measured.empty:
        return []
    contexts, rows = sorted(measured.context_length.unique()), []
    sizes = measured.num_sequences.fillna(0)
    for model, size in measured.groupby(["model", sizes]).test_hit_at_5.mean().index:
        own = measured[(measured.model == model) & (sizes == size)]
        by_context = own.groupby("context_length").test_hit_at_5.mean()
        values = [f"{by_context[c]:.3f}" if c in by_context else NOT_MEASURED for c in contexts]
        rows.append([model, f"{int(size):,}" if pd.notna(size) and size else "any", *values])
    header = ["baseline", "N", *(f"C={context}" for context in contexts)]
    return [Table(title="test Hit@5 of the baselines", header=header, rows=rows)]


FINDING = register(
    Finding(
        key="baselines", title="Baselines", after="context-use", absent="No baseline is measured.", sentences=sentences,
        verdicts=verdicts, blocks=blocks, screen=blocks,
    )
)  # fmt: skip
