"""Answer which law Hit@5(C, N) follows."""

from study.analysis.breaks import Breaks
from study.analysis.law import Law
from study.analysis.verdict import CANNOT_TELL, Verdict

SIGN_OF_BREAK = 0.1  # a law is not relied on where "no break" has a smaller p-value, though none may be shown
QUESTION = ("law", "Which law does Hit@5(C, N) follow?")


def law_verdict(law: Law | None, breaks: Breaks | None, refusals: dict[str, str]) -> Verdict:
    """Name the chosen law if it fits, predicts, and has no rival, and no break is shown."""
    if law is None:
        return Verdict(*QUESTION, CANNOT_TELL, refusals["law"])
    rows = law.exponents.itertuples()
    shown = ", ".join(f"{row.parameter} {row.value:.3g} [{row.low:.3g}, {row.high:.3g}]" for row in rows)
    evidence = f"{shown}; {_held_out(law)}; misfit p = {law.misfit_p:.3f}"
    name = law.chosen.form.name
    if not law.fits_the_data:
        return Verdict(*QUESTION, "none of those compared", f"the nearest one is {name}: {evidence}")
    if doubt := doubts(law, breaks):
        return Verdict(*QUESTION, CANNOT_TELL, f"{doubt}: {evidence}")
    if law.rivals:
        return Verdict(*QUESTION, CANNOT_TELL, f"{name} fits, and so does {' or '.join(law.rivals)}: {evidence}")
    return Verdict(*QUESTION, name, evidence, tenable=frozenset(fitted.form.name for fitted in law.tenable))


def doubts(law: Law, breaks: Breaks | None) -> str:
    """Return why a law that fits is not to be relied on; an empty text if it is."""
    name = law.chosen.form.name
    if breaks is not None and breaks.smallest_p < SIGN_OF_BREAK:
        return f"{name} fits, but a break in N is not unlikely (p = {breaks.smallest_p:.3f})"
    return "" if law.predicts else f"{name} fits, but does not predict the cells that were left out"


def _held_out(law: Law) -> str:
    if law.held_out.empty:
        return "chosen by AICc alone: with at most three sizes and contexts no cell can be left out and predicted"
    error = law.comparison.set_index("form").held_out_error[law.chosen.form.name]
    rivals = int(law.comparison.in_the_race.sum()) - 1
    others = {0: "no other law predicts them", 1: "one other law predicts them"}.get(
        rivals, f"{rivals} other laws predict them"
    )
    return (
        f"the {len(law.held_out)} largest cells, left out of the fit, are predicted within {100 * error:.1f} points "
        f"(root mean square); {others} equally well"
    )
