"""The law fitted to the map: its form and parameters, the laws compared with it, and cells that it did not see."""

import pandas as pd

from study.analysis.evidence import Evidence
from study.analysis.law import Law
from study.report.figures.figure import Moving
from study.report.finding import NO_MAP, Block, Facts, Finding, Table, answered
from study.report.findings import register
from study.report.findings.law_figures import law_figures
from study.report.style import shown

FORMULAS = {
    "odds": "Hit@5 = chance + (ceiling - chance) g, g / (1 - g) = exp(m + a ln N + b ln C)",
    "log": "Hit@5 = chance + (ceiling - chance) g, -ln g = exp(-(m + a ln N + b ln C))",
    "sum": "Hit@5 = chance + (ceiling - chance) g, logit g = m - A / N^a - B / C^b",
    "exp": "Hit@5 = chance + (ceiling - chance) g, logit g = m - A exp(-N / tau) - B / C^b",
}
INTERACTION = {  # what a law with `C x N` adds
    "odds": "; with d ln C ln N in the exponent",
    "log": "; with d ln C ln N in the exponent",
    "sum": "; with A C^d in the place of A",
    "exp": "; with A C^d in the place of A",
}
NOTE = (
    "Laws are fitted by likelihood to the cells' means. Of the laws that fit and predict the left-out cells as well as "
    "the best one, the law with the least AICc is chosen. A break in N has a test of its own."
)


def blocks(evidence: Evidence, arm: str) -> list[Block]:
    """Return the law's form and parameters, then the laws compared and the held-out cells; or why there is no law."""
    answers, maps = evidence.answers[arm], evidence.pool_maps[arm]
    if answers.law is None:
        return [f"No law is fitted: {answers.refusals['law']}."]
    form = maps.laws[-1].form
    return [
        f"The law “{form}”: {formula(form)}, with N and C relative to the middle of the map.",
        Facts([("parameters [95 %]", Moving("pool", [_parameters(law) for law in maps.laws]))]),
        NOTE,
        _compared(answers.law),
        _held_out_table(answers.law),
    ]


def formula(form: str) -> str:
    """Return a law as a formula, by its name."""
    kind = form.split(",")[0]
    return FORMULAS[kind] + (INTERACTION[kind] if "C x N" in form else "")


def _parameters(law) -> str:
    values = [f"{row.parameter} {shown(row.value, row.low, row.high)}" for row in law.exponents.itertuples()]
    return "; ".join([*values, f"misfit p = {law.misfit_p:.3f}"])


def _compared(law: Law) -> Table:
    least = law.comparison.aicc.min()
    rows = [
        [row.form, str(row.num_parameters), f"{row.aicc - least:.1f}",
         "-" if pd.isna(row.held_out_error) else f"{100 * row.held_out_error:.1f}", f"{row.misfit_p:.3f}",
         f"{row.num_at_best} of {row.num_starts}", "chosen" if row.chosen else ""]
        for row in law.comparison.itertuples()
    ]  # fmt: skip
    header = ["law", "parameters", "AICc above the least", "held-out error, points", "misfit p", "starts at best", ""]
    return Table(title="The laws compared", header=header, rows=rows)


def _held_out_table(law: Law) -> Table:
    rows = [
        [f"C={row.context_length} N={row.num_sequences:,}", f"{row.measured:.3f}",
         shown(row.predicted, row.predicted_low, row.predicted_high)]
        for row in law.held_out.itertuples()
    ]  # fmt: skip
    title = "The largest cells, left out of the fit and predicted"
    return Table(title=title, header=["cell", "measured", "predicted"], rows=rows)


def csv(evidence: Evidence, arm: str) -> dict[str, pd.DataFrame]:
    """Return the laws compared, the parameters of the chosen one, and the held-out cells."""
    law = evidence.answers[arm].law
    return {"laws": law.comparison, "exponents": law.exponents, "held_out": law.held_out} if law else {}


FINDING = register(
    Finding(
        key="law", title="Law", after="candidate-pool", by_arm=True, absent=NO_MAP, blocks=blocks,
        figures=lambda evidence, arm: law_figures(evidence.pool_maps[arm]),
        verdicts=answered("law"), csv=csv,
    )
)  # fmt: skip
