"""A study of variants by difference: Hit@5 of every variant, and its paired difference to the reference."""

import pandas as pd

from study.analysis.differences import differences_table
from study.analysis.evidence import Evidence
from study.report.figures.dots import dots
from study.report.figures.figure import Figure
from study.report.finding import TOO_LITTLE, Block, Finding, Table
from study.report.findings import register
from study.report.style import shown


def _table(evidence: Evidence) -> pd.DataFrame | None:
    """Return the differences; None where the study's file does not ask for them."""
    asked = evidence.study.manifest.space.compare
    return differences_table(evidence.study) if asked is not None and asked.by == "difference" else None


def sentences(evidence: Evidence) -> list[str]:
    """Return the Hit@5 of the reference, and which variants do best and worst against it."""
    table = _table(evidence)
    if table is None:
        return []
    if table.empty or "difference" not in table:
        return [TOO_LITTLE]
    reference = evidence.study.manifest.space.compare.reference
    base, others = table[table.variant == reference].iloc[0], table[table.difference.notna()]
    hit = shown(base.hit_at_5, base.low, base.high)
    found = [f"{reference} has test Hit@5 {hit} among {base.pool_size:,} candidates."]
    if others.empty:
        return found
    ends = ("best", others.difference.idxmax()), ("worst", others.difference.idxmin())
    for word, place in ends:
        row = others.loc[place]
        found.append(f"Of the variants, {_label(row)} does {word} against it: {_difference(row)}.")
    return found


def figures(evidence: Evidence, _arm: str) -> list[Figure]:
    """Return the Hit@5 of every variant."""
    table = _table(evidence)
    if table is None or table.empty:
        return []
    table = table.assign(label=[_label(row) for row in table.itertuples()])
    return [
        dots(
            table, value="hit_at_5", axis="test Hit@5", key="variants", picture="variants",
            title="Hit@5 of every variant", caption="Bars: 95 % intervals. The table has the paired differences.",
        )
    ]  # fmt: skip


def blocks(evidence: Evidence, _arm: str) -> list[Block]:
    """Return a row for each variant and cell."""
    table = _table(evidence)
    if table is None or table.empty:
        return [] if table is None else [TOO_LITTLE]
    rows = [
        [row.variant, row.row or "", _count(row.num_parameters), _count(row.num_steps), _count(row.num_removed),
         shown(row.hit_at_5, row.low, row.high), f"{row.cosine:.3f}", _difference(row)]
        for row in table.itertuples()
    ]  # fmt: skip
    reference = evidence.study.manifest.space.compare.reference
    header = ["variant", "cell", "parameters", "steps", "windows removed", "Hit@5 [95 %]", "cosine", f"to {reference}"]
    return [Table(title=f"variants against {reference}, on the same queries", header=header, rows=rows)]


def _label(row) -> str:
    return f"{row.variant}, {row.row}" if pd.notna(row.row) and row.row else str(row.variant)


def _difference(row) -> str:
    if pd.isna(getattr(row, "difference", None)):
        return "-"
    return shown(row.difference, row.difference_low, row.difference_high, "+.3f")


def _count(value: float | None) -> str:
    return "-" if value is None or pd.isna(value) else f"{value:,.0f}"


FINDING = register(
    Finding(
        key="variant-differences", title="What the variants are worth", after="variant-gains", sentences=sentences,
        blocks=blocks, figures=figures, screen=blocks, of_variants=True,
    )
)  # fmt: skip
