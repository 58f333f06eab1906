"""What more data brings: the measured gain of twice the N, and what the law projects beyond the largest N."""

import pandas as pd

from study.analysis.equivalence import MARGIN
from study.analysis.evidence import Evidence
from study.analysis.gains import Gains
from study.analysis.verdict import CANNOT_TELL, Verdict, agreed
from study.analysis.verdicts import limited
from study.report.finding import NO_MAP, Block, Finding, Table
from study.report.findings import register
from study.report.style import shown

NOTE = (
    "Measured: paired on the same queries, from each N to the measured one nearest to twice as many; per doubling: "
    "divided by the number of doublings. Projected: by the law, from the largest measured N; the interval is for the "
    "difference that a study would measure, and it reaches to the projections of the other tenable laws. A projection "
    "ends at the oracle, where there is one."
)


def blocks(evidence: Evidence, arm: str) -> list[Block]:
    """Return the measured gains, and the projected ones or why there are none."""
    gains = evidence.gains[arm]
    projected = [_projected(gains.projected)] if gains.projected is not None else [f"Not projected: {gains.refusal}."]
    return [NOTE, *([_measured(gains.measured)] if len(gains.measured) else []), *projected]


def _measured(table: pd.DataFrame) -> Table:
    rows = [
        [_context(row), f"{row.from_sequences:,} to {row.to_sequences:,}", f"{row.factor:g}",
         shown(row.gain, row.low, row.high, "+.3f"), f"{row.gain_per_doubling:+.3f}"]
        for row in table.itertuples()
    ]  # fmt: skip
    header = ["C", "N", "times", "gain [95 %]", "per doubling"]
    return Table(title="The gain in Hit@5 from more data, as measured", header=header, rows=rows)


def _projected(table: pd.DataFrame) -> Table:
    rows = [
        [_context(row), f"{row.from_sequences:,} to {row.to_sequences:,}",
         shown(row.gain, row.low, row.high, "+.3f"), f"{row.hit_at_5:.3f}", "ends at the oracle" if row.capped else ""]
        for row in table.itertuples()
    ]  # fmt: skip
    header = ["C", "N", "gain [95 % prediction]", "Hit@5 there", ""]
    return Table(title="The gain in Hit@5 from more data, as projected", header=header, rows=rows)


def _context(row) -> str:
    return "mean" if pd.isna(row.context_length) else f"{row.context_length:,}"


def verdicts(evidence: Evidence, arm: str) -> list[Verdict]:
    """Return whether twice the largest N pays, on average over the contexts; both maps must say so."""
    tuned, common = evidence.gains[arm], evidence.gains_at_common[arm]
    found = _verdict(tuned) if common is None else agreed(_verdict(tuned), _verdict(common))
    return [limited(found, evidence.study, evidence.answers[arm].hit_map)]


def _verdict(gains: Gains) -> Verdict:
    question = ("data-gain", "Does doubling the number of sequences pay?")
    last = f"; {_last(gains.measured)}" if len(gains.measured) else ""
    if gains.projected is None:
        return Verdict(*question, CANNOT_TELL, f"{gains.refusal}{last}")
    *_, row = gains.projected[gains.projected.factor == 2].itertuples()  # the mean over contexts
    projected = f"from N={row.from_sequences:,} to {row.to_sequences:,}, a projection: Hit@5 "
    return Verdict(*question, _pays(row), f"{projected}{shown(row.gain, row.low, row.high, '+.3f')}{last}")


def _pays(row) -> str:
    """Return whether a gain pays: it is shown, and a point or more; or a point is excluded."""
    if row.high < MARGIN:
        return f"by less than {100 * MARGIN:.0f} point"
    return "yes" if row.low > 0 and row.gain >= MARGIN else CANNOT_TELL


def _last(table: pd.DataFrame) -> str:
    *_, row = table.itertuples()
    return f"measured from {row.from_sequences:,} to {row.to_sequences:,}: {shown(row.gain, row.low, row.high, '+.3f')}"


def csv(evidence: Evidence, arm: str) -> dict[str, pd.DataFrame]:
    """Return the measured and the projected gains."""
    gains = evidence.gains[arm]
    found = {"gains_measured": gains.measured}
    return found if gains.projected is None else found | {"gains_projected": gains.projected}


FINDING = register(
    Finding(
        key="data-gain", title="What more data brings", after="law", by_arm=True, absent=NO_MAP, blocks=blocks,
        verdicts=verdicts, csv=csv,
    )
)  # fmt: skip
