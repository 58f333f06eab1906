"""A study of variants by steps: each row as reported and at equal pool, and what remains of each step between them."""

import pandas as pd

from study.analysis.evidence import Evidence
from study.analysis.phases import rows_table, steps_table
from study.report.figures.figure import HIT_AXIS, MUTED, SYMBOLS, Axis, Figure, Line
from study.report.finding import TOO_LITTLE, Block, Finding, Table
from study.report.findings import register
from study.report.style import COLOURS, shown


def is_asked(evidence: Evidence) -> bool:
    """Whether the study's file asks for this comparison."""
    asked = evidence.study.manifest.space.compare
    return asked is not None and asked.by == "steps"


def sentences(evidence: Evidence) -> list[str]:
    """Return the largest step as reported, and what two other ways of measuring make of it."""
    if not is_asked(evidence):
        return []
    table = steps_table(evidence.study)
    if table.empty:
        return [TOO_LITTLE]
    own = table[(table.variant == evidence.study.manifest.space.compare.reference) & (table.pool == "own")]
    largest = own.loc[own.change.abs().idxmax()]
    again = table[(table.step == largest.step) & (table.pool != "own")]
    found = [f"As reported, the largest step is {largest.step}: {_change(largest)} in Hit@5."]
    found += [f"The same step in one pool of {row.pool}, {row.variant}: {_change(row)}." for row in again.itertuples()]
    return found[:3]


def figures(evidence: Evidence, _arm: str) -> list[Figure]:
    """Return every row in its own pool, in the equal one, and beside its training-free baseline."""
    table = rows_table(evidence.study) if is_asked(evidence) else pd.DataFrame()
    if table.empty:
        return []
    equal, marks = table.equal_pool.iloc[0], []
    for i, (variant, rows) in enumerate(table.groupby("variant", sort=False)):
        symbol = SYMBOLS[i % len(SYMBOLS)]
        marks += [
            _line(rows, "hit_at_5", f"{variant}, own pool", i, dash="solid", symbol=symbol),
            _line(rows, "equal_hit_at_5", f"{variant}, pool {equal:,}", i, dash="dot", symbol=f"{symbol}-open"),
            Line(
                name=f"{variant}, training-free", x=list(rows.row), y=list(rows.baseline_hit_at_5.astype(float)),
                colour=MUTED, dash=None, symbol="line-ew-open", size=18, width=3,
            ),
        ]  # fmt: skip
    return [
        Figure(
            key="rows",
            picture="variants",
            title="Each row as reported and at equal pool",
            caption=f"Full markers: in the row's own pool. Open markers: the same ranks in a pool of {equal:,}. Bars: "
            "95 % intervals. Grey: the best predictor that trains nothing, in the row's own pool.",
            marks=marks,
            x=Axis(title="row", scale="category"),
            y=HIT_AXIS,
            height=460,
        )
    ]


def _line(rows: pd.DataFrame, column: str, name: str, place: int, **style) -> Line:
    value, low, high = (list(rows[f"{column}{ending}"]) for ending in ("", "_low", "_high"))
    colour = COLOURS[place % len(COLOURS)]
    return Line(name=name, x=list(rows.row), y=value, low=low, high=high, colour=colour, **style)


def blocks(evidence: Evidence, _arm: str) -> list[Block]:
    """Return the rows, and the steps between them."""
    if not is_asked(evidence):
        return []
    table = rows_table(evidence.study)
    return [TOO_LITTLE] if table.empty else [_rows(table), *_steps(steps_table(evidence.study))]


def _rows(table: pd.DataFrame) -> Table:
    equal = table.equal_pool.iloc[0]
    rows = [
        [r.row, r.variant, f"{r.context_length:,} x {r.num_sequences:,}", f"{r.pool_size:,}", f"{r.num_steps:.0f}",
         shown(r.hit_at_5, r.hit_at_5_low, r.hit_at_5_high),
         shown(r.equal_hit_at_5, r.equal_hit_at_5_low, r.equal_hit_at_5_high),
         f"{r.baseline_hit_at_5:.3f}, at {equal} {r.baseline_equal_hit_at_5:.3f}"]
        for r in table.itertuples()
    ]  # fmt: skip
    counts = f"{table.num_replicates.min()} replicates, {table.num_queries.min()} to {table.num_queries.max()} queries"
    title = f"rows: test Hit@5 (as_reported: on its validation windows, as published); {counts}"
    header = ["row", "variant", "C x N", "pool", "steps", "Hit@5 [95 %]", f"at pool {equal} [95 %]", "training-free"]
    return Table(title=title, header=header, rows=rows)


def _steps(table: pd.DataFrame) -> list[Table]:
    """Return one row a step: the change as reported, then at equal pool by variant, with the share that remains."""
    if table.empty:
        return []
    ways = table[["variant", "pool"]].drop_duplicates().itertuples(index=False)
    header = ["step", *(f"{way.variant}, pool {way.pool}" for way in ways)]
    rows = [
        [name, *(_change(step) + _remains(step) for step in group.itertuples())]
        for name, group in table.groupby("step", sort=False)
    ]
    title = "change in Hit@5 from row to row [95 %], and how much of it remains"
    return [Table(title=title, header=header, rows=rows)]


def _change(step) -> str:
    return shown(step.change, step.low, step.high, "+.3f")


def _remains(step) -> str:
    """Return the share of the reported change; nothing where that change is not shown to differ from none."""
    if pd.isna(getattr(step, "remains", None)):
        return ""
    return f" remains {step.remains:.0%} [{step.remains_low:.0%}, {step.remains_high:.0%}]"


FINDING = register(
    Finding(
        key="variant-steps", title="What the variants are worth", after=None, sentences=sentences, blocks=blocks,
        figures=figures, screen=blocks, of_variants=True,
    )
)  # fmt: skip
