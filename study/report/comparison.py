"""Show what a study's variants are worth: header and rows of text, for the terminal and for files alike."""

import pandas as pd

from study.analysis.confounds import gains_table
from study.analysis.differences import differences_table
from study.analysis.load import StudyRecords
from study.analysis.phases import rows_table, steps_table

BAR_WIDTH = 24  # characters of the longest bar

Section = tuple[str, list[str], list[list[str]]]


def comparison(study: StudyRecords) -> list[Section]:
    """Return (title, header, rows) of each table that the study's file asks for with `compare`."""
    asked = study.manifest.space.compare
    if not asked:
        return []
    made = {"steps": _steps, "gain": _gains, "difference": _differences}[asked.by](study)
    return [section for section in made if section[2]]


def _steps(study: StudyRecords) -> list[Section]:
    table = rows_table(study)
    if table.empty:
        return []
    equal = table.equal_pool.iloc[0]
    rows = [
        [r.row, r.variant, f"{r.context_length:,} x {r.num_sequences:,}", f"{r.pool_size:,}", f"{r.num_steps:.0f}",
         _with_interval(r.hit_at_5, r.hit_at_5_low, r.hit_at_5_high),
         _with_interval(r.equal_hit_at_5, r.equal_hit_at_5_low, r.equal_hit_at_5_high),
         f"{r.baseline_hit_at_5:.3f}, at {equal} {r.baseline_equal_hit_at_5:.3f}"]
        for r in table.itertuples()
    ]  # fmt: skip
    counts = f"{table.num_replicates.min()} replicates, {table.num_queries.min()} to {table.num_queries.max()} queries"
    title = f"rows: test Hit@5 (as_reported: its validation windows, as published); {counts}"
    header = ["row", "variant", "C x N", "pool", "steps", "Hit@5 [95 %]", f"at pool {equal} [95 %]", "training-free"]
    return [(title, header, rows), *_changes(steps_table(study))]


def _changes(table: pd.DataFrame) -> list[Section]:
    """Return one row a step: the change as reported, then at equal pool by variant, with the share that remains."""
    if table.empty:
        return []
    ways = table[["variant", "pool"]].drop_duplicates().itertuples(index=False)
    header = ["step", *(f"{way.variant}, pool {way.pool}" for way in ways)]
    rows = [
        [name, *(_with_interval(s.change, s.low, s.high, "+.3f") + _remains(s) for s in group.itertuples())]
        for name, group in table.groupby("step", sort=False)
    ]
    return [("change in Hit@5 from row to row [95 %], and how much of it remains", header, rows)]


def _gains(study: StudyRecords) -> list[Section]:
    table = gains_table(study)
    if table.empty:
        return []
    scale = BAR_WIDTH / max(table[["gain", "high"]].abs().max())
    rows = [
        [g.change, _bar(g.gain, scale), _with_interval(g.gain, g.low, g.high, "+.3f"),
         _with_interval(g.adds, g.adds_low, g.adds_high, "+.3f") if number else "-"]
        for number, g in enumerate(table.itertuples())
    ]  # fmt: skip
    header = ["changed alone", "", "gain in Hit@5, shortest to longest context [95 %]", "what the published way adds"]
    return [("apparent gain from context, one change at a time", header, rows)]


def _differences(study: StudyRecords) -> list[Section]:
    table = differences_table(study)
    rows = [
        [d.variant, d.row or "", _count(d.num_parameters), _count(d.num_steps), _count(d.num_removed),
         _with_interval(d.hit_at_5, d.low, d.high), f"{d.cosine:.3f}", _difference(d)]
        for d in table.itertuples()
    ]  # fmt: skip
    reference = study.manifest.space.compare.reference
    header = ["variant", "cell", "parameters", "steps", "windows removed", "Hit@5 [95 %]", "cosine", f"to {reference}"]
    return [(f"variants against {reference}, on the same queries", header, rows)]


def _with_interval(value: float, low: float, high: float, form: str = ".3f") -> str:
    return f"{value:{form}} [{low:{form}}, {high:{form}}]"


def _remains(step) -> str:
    """Return the share of the reported change, nothing where that change cannot be told from none."""
    if pd.isna(getattr(step, "remains", None)):
        return ""
    return f" remains {step.remains:.0%} [{step.remains_low:.0%}, {step.remains_high:.0%}]"


def _difference(line) -> str:
    if pd.isna(getattr(line, "difference", None)):
        return "-"
    return _with_interval(line.difference, line.difference_low, line.difference_high, "+.3f")


def _count(value: float | None) -> str:
    return "-" if value is None or pd.isna(value) else f"{value:,.0f}"


def _bar(value: float, scale: float) -> str:
    return ("█" if value >= 0 else "░") * round(abs(value) * scale)
