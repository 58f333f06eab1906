"""Answer which context suits the corpus of a study."""

from study.analysis.best_context import BestContext
from study.analysis.breaks import Breaks
from study.analysis.law import Law
from study.analysis.verdict import CANNOT_TELL, Verdict
from study.analysis.verdict_law import doubts

QUESTION = ("best-context", "Which context suits this corpus, with windows that overlap by half?")
WIDE = 4.0  # an interval that spans more than this factor answers nothing


def best_context_verdict(
    law: Law | None, breaks: Breaks | None, found: BestContext | None, refusals: dict[str, str]
) -> Verdict:
    """Answer with the C of the largest Hit@5 along the corpus's line."""
    if law is None or found is None:
        return Verdict(*QUESTION, CANNOT_TELL, refusals.get("law", "the number of training vectors is not recorded"))
    at, low, high = found.best
    top = found.line.loc[found.line.hit_at_5.idxmax()]
    grown = found.growth[found.growth.factor == 10].iloc[0]
    evidence = (
        f"there, {found.part.num_vectors:,} training vectors give N = {top.num_sequences:,} and Hit@5 {_interval(top)}"
        f"{' (a projection: no such N was measured)' if top.projection else ''}; with ten times the vectors "
        f"{_interval(grown)} at C = {grown.best_context:.0f}, a projection"
    )
    if not law.fits_the_data:
        reason = f"none of the laws compared fits; the nearest one gives C = {at:.0f}: {evidence}"
        return Verdict(*QUESTION, CANNOT_TELL, reason)
    shown = f"C = {at:.0f} [{low:.0f}, {high:.0f}]"
    if doubt := doubts(law, breaks):
        return Verdict(*QUESTION, CANNOT_TELL, f"{doubt}; it gives C = {at:.0f}: {evidence}")
    answer = f"{CANNOT_TELL}: {shown}" if high / max(low, 1) > WIDE else shown
    return Verdict(*QUESTION, answer, evidence, "a context", place=found.best)


def _interval(row) -> str:
    return f"{row.hit_at_5:.3f} [{row.low:.3f}, {row.high:.3f}]"
