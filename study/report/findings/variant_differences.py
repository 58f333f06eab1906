"""A study of variants by difference: Hit@5 of every variant, and its paired difference to the reference."""

import pandas as pd

from study.analysis.differences import differences_table
from study.analysis.evidence import Evidence
from study.analysis.holm import LEVEL
from study.analysis.verdicts import Verdict
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
    if table.row.nunique() > 1:
        own = table[table.variant == reference].hit_at_5
        level = f"{reference} has test Hit@5 {own.min():.3f} to {own.max():.3f} in {len(own)} cells."
        others = _compared(table).groupby("variant", sort=False)
        return [level, *(_over_cells(name, rows, reference) for name, rows in others)]
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


def _compared(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of variants that are compared with the reference."""
    return table[table.p_holm.notna()]


def _over_cells(name: str, rows: pd.DataFrame, reference: str) -> str:
    """Return what a variant changes over several cells."""
    shown_to_differ = int((rows.p_holm < LEVEL).sum())
    return (
        f"{name} against {reference}: Hit@5 changes by {rows.difference.min():+.3f} to {rows.difference.max():+.3f} in "
        f"{len(rows)} cells, and {shown_to_differ} of them differ (Holm)."
    )


def verdicts(evidence: Evidence, _arm: str) -> list[Verdict]:
    """Return whether each variant changes the map of the reference: its level, or also its gains along C and N."""
    table = _table(evidence)
    if table is None or table.empty or "p_holm" not in table or table.row.nunique() < 2:
        return []
    gains, reference = evidence.gains_by_variant, evidence.study.manifest.space.compare.reference
    return [
        _verdict(name, reference, rows, gains[gains.variant == name])
        for name, rows in _compared(table).groupby("variant", sort=False)
    ]


def _verdict(name: str, reference: str, cells: pd.DataFrame, gains: pd.DataFrame) -> Verdict:
    changed, differ = gains[gains.differs], int((cells.p_holm < LEVEL).sum())
    answer = "no difference is shown"
    if len(changed):
        answer = f"yes: {len(changed)} of {len(gains)} gains along C and N differ"
    elif differ:
        answer = f"its level: {differ} of {len(cells)} cells differ, and no gain along C or N is shown to"
    largest = gains.loc[gains.change.abs().idxmax()] if gains.change.notna().any() else None
    evidence = _over_cells(name, cells, reference).removesuffix(".")
    if largest is not None:
        evidence += (
            f"; the gain that changes most is {_step(largest)}: {_gain(largest)}, {_change(largest)} to {reference}"
        )
    return Verdict("variant-differences", f"Does {name} change the map of {reference}?", answer, evidence)


def _step(row) -> str:
    other = "NC"["CN".index(row.along)]
    return f"from {row.along}={row['from']:,} to {row['to']:,} at {other}={row['at']:,}"


def _gain(row) -> str:
    return shown(row.gain, row.low, row.high, "+.3f")


def _change(row) -> str:
    return shown(row.change, row.change_low, row.change_high, "+.3f")


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
    compared = Table(title=f"variants against {reference}, on the same queries", header=header, rows=rows)
    return [compared, *_gains(evidence.gains_by_variant, reference)]


def _gains(table: pd.DataFrame, reference: str) -> list[Table]:
    """Return the gains along C and N, where rows cross."""
    if table.empty:
        return []
    rows = [
        [row.variant, _step(row), _gain(row), _change(row), "-" if pd.isna(row.p_holm) else f"{row.p_holm:.3f}"]
        for _, row in table.iterrows()
    ]
    header = ["variant", "step", "gain in Hit@5 [95 %]", f"to {reference}", "Holm p"]
    return [Table(title="gains along C and N", header=header, rows=rows)]


def _label(row) -> str:
    return f"{row.variant}, {row.row}" if pd.notna(row.row) and row.row else str(row.variant)


def _difference(row) -> str:
    if pd.isna(getattr(row, "difference", None)):
        return "-"
    return shown(row.difference, row.difference_low, row.difference_high, "+.3f")


def _count(value: float | None) -> str:
    return "-" if value is None or pd.isna(value) else f"{value:,.0f}"


def csv(evidence: Evidence, _arm: str) -> dict[str, pd.DataFrame]:
    """Return the differences, and the gains along C and N."""
    table = _table(evidence)
    if table is None or table.empty:
        return {}
    gains = evidence.gains_by_variant
    return {"variant_differences": table} | ({} if gains.empty else {"variant_map_gains": gains})


FINDING = register(
    Finding(
        key="variant-differences", title="What the variants are worth", after="variant-gains", sentences=sentences,
        blocks=blocks, figures=figures, screen=blocks, verdicts=verdicts, of_variants=True,
        csv=csv,
    )
)  # fmt: skip
