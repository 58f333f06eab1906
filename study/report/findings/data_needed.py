"""How many training sequences a Hit@5 needs at each context, by the law."""

import numpy as np
import pandas as pd

from study.analysis.data_needed import BEYOND
from study.analysis.evidence import Evidence
from study.report.finding import NO_MAP, Block, Finding, Table
from study.report.findings import register

NOTE = (
    "The N at which the law reaches a Hit@5, with its 95 % interval, which covers the answers of the other tenable "
    f"laws. No N of more than {BEYOND} times the largest measured one is projected; * marks a projection."
)
TOO_FAR, OUT_OF_REACH = f"above {BEYOND} x", "out of reach"


def blocks(evidence: Evidence, arm: str) -> list[Block]:
    """Return the N that each target needs at each context, and why some have none; or why there is no law."""
    table, law = evidence.data_needed[arm], evidence.answers[arm].law
    if table is None:
        return [f"No N can be given: {evidence.answers[arm].refusals['law']}."]
    if not law.fits_the_data:
        return [f"No N can be given: no law fits the map (misfit p = {law.misfit_p:.3f})."]
    contexts = sorted(table.context_length.unique())
    rows = [
        [str(target), *(_cells(group, context) for context in contexts)]
        for target, group in table.groupby("target", sort=False)
    ]
    header = ["Hit@5", *(f"C={context:,}" for context in contexts)]
    return [NOTE, Table(title="Sequences that a Hit@5 needs", header=header, rows=rows), *_reasons(table)]


def _cells(group: pd.DataFrame, context: int) -> str:
    own = group[group.context_length == context]
    return _text(own.iloc[0]) if len(own) else "-"


def _text(row: pd.Series) -> str:
    value = "" if row.target == f"{row.hit_at_5:.2f}" else f"{row.hit_at_5:.3f}: "
    if pd.notna(row.refusal):
        return value + (TOO_FAR if row.too_far else OUT_OF_REACH)
    if row.at_most:
        return f"{value}at most {row.num_sequences:,.0f}"
    return f"{value}{row.num_sequences:,.0f}{'*' if row.projection else ''} [{row.low:,.0f}, {_end(row.high)}]"


def _end(high: float) -> str:
    return "open" if np.isinf(high) else f"{high:,.0f}"


def _reasons(table: pd.DataFrame) -> list[Block]:
    """Return a table of the refusals, one sentence each; nothing where there is none."""
    refused = table[table.refusal.notna()]
    if refused.empty:
        return []
    rows = [[row.target, f"{row.context_length:,}", row.refusal] for row in refused.itertuples()]
    return [Table(title="Why some have no N", header=["Hit@5", "C", "reason"], rows=rows, page_only=True)]


def csv(evidence: Evidence, arm: str) -> dict[str, pd.DataFrame]:
    """Return every target and context."""
    table = evidence.data_needed[arm]
    return {} if table is None else {"data_needed": table}


FINDING = register(
    Finding(
        key="data-needed", title="How much data a Hit@5 needs", after="data-gain", by_arm=True, absent=NO_MAP,
        blocks=blocks, csv=csv,
    )
)  # fmt: skip
