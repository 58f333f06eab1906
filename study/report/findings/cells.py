"""The measured cells: Hit@K with intervals and the lift over the best baseline, as a table and as a grid of text."""

from study.analysis.cells import units_of
from study.analysis.evidence import Evidence
from study.analysis.load import arm_of, arms_of
from study.report.finding import NO_MAP, Block, Finding, Table
from study.report.findings import register
from study.report.style import counted, shown

COLUMNS = {
    "Hit@1": "hit_at_1",
    "Hit@5": "hit_at_5",
    "Hit@10": "hit_at_10",
    "best baseline": "baseline_hit_at_5",
    "lift": "lift",
}
INFEASIBLE, NOT_MEASURED = "infeasible", "-"
SUGGESTED = 5  # replicates, where some collapse
MARK = "; * beats the best baseline, chosen on validation (Holm over all cells)"


def sentences(evidence: Evidence) -> list[str]:
    """Return which cell is best, with its Hit@5."""
    if evidence.cells.empty:
        return ["No cell is confirmed yet: there is no answer to give."]
    best = evidence.best["overall"]
    hit = shown(*(best[name] for name in ("hit_at_5", "hit_at_5_low", "hit_at_5_high")))
    return [
        f"Of {counted(len(evidence.cells), 'measured cell')}, validation prefers C={best['context_length']:,}, "
        f"N={best['num_sequences']:,}: test Hit@5 {hit} among {best['pool_size']:,} candidates (chance "
        f"{5 / best['pool_size']:.4f}), from {best['num_queries']:,} queries in "
        f"{counted(best['num_chains'], 'document')} and {counted(best['num_replicates'], 'replicate')}."
    ]


def blocks(evidence: Evidence, _arm: str) -> list[Block]:
    """Return the counts behind the figures, and a row for each cell."""
    if evidence.cells.empty:
        return []
    rows = [
        [row["cell_id"], str(row["num_replicates"]), *(_value(row, column) for column in COLUMNS.values())]
        for row in evidence.cells.to_dict("records")
    ]
    table = Table(
        title="Hit@K and lift of every cell, with 95 % intervals", header=["cell", "replicates", *COLUMNS], rows=rows
    )
    return [f"{measured_with(evidence)}.", table]


def screen(evidence: Evidence, _arm: str) -> list[Block]:
    """Return the map as text, one grid for each arm."""
    if evidence.cells.empty:
        return []
    grids = [_grid(evidence, arm) for arm in arms_of(evidence.study)]
    return [*grids, f"{measured_with(evidence)}{MARK}", *([] if evidence.arms else [NO_MAP])]


def measured_with(evidence: Evidence) -> str:
    """Return the numbers of queries, documents, candidates and replicates behind the cells."""
    row = evidence.cells.iloc[0]
    replicates, pools = evidence.cells.num_replicates, evidence.cells.pool_size
    if pools.nunique() > 1:
        return (
            f"Each context has its own queries and its own pool, of {pools.min():,} to {pools.max():,} candidates: "
            "values from different pools cannot be compared; 95 % intervals are over documents and replicates"
        )
    least, most = replicates.min(), replicates.max()
    runs = counted(most, "replicate") if least == most else f"{least} to {most} replicates"
    return (
        f"{row.num_queries:,} queries in {counted(row.num_chains, 'document')}, one pool of {row.pool_size:,} (chance "
        f"{row.chance_hit_at_5:.4f}), {runs} per cell{_collapsed(evidence)}; {estimand(evidence)}"
    )


def estimand(evidence: Evidence) -> str:
    """Return what the intervals are about."""
    units = units_of(evidence.study.test_ranks[evidence.study.measured("confirm").trial_id.iloc[0]])
    about = "fresh documents with their own pool; training documents and configuration fixed"
    if not units.speak_of_documents:
        about = f"other {units.label}; they say nothing of other documents"
    alone = "" if evidence.cells.num_replicates.max() > 1 else "; one replicate, whose own luck is not covered"
    return f"95 % intervals: {about}{alone}"


def _collapsed(evidence: Evidence) -> str:
    """Return how many replicates collapsed, where some did."""
    count, total = int(evidence.cells.num_collapsed.sum()), len(evidence.study.confirmed)
    if not count:
        return ""
    verb = "is" if count == 1 else "are"
    suggestion = "" if evidence.study.manifest.space.replicates >= SUGGESTED else ": five replicates are suggested"
    return f" ({count} of {total} collapsed in training and {verb} left out{suggestion})"


def _value(row: dict, column: str) -> str:
    return shown(row.get(column), row.get(f"{column}_low"), row.get(f"{column}_high"))


def _grid(evidence: Evidence, arm: str) -> Table:
    """Return test Hit@5 with its interval, C down and N across; * where it beats the best baseline."""
    cells = evidence.cells[[arm_of(cell) == arm for cell in evidence.cells.cell_id]]
    axes, infeasible = evidence.study.manifest.space.cells, evidence.study.infeasible
    found = {(row.context_length, row.num_sequences): row for row in cells.itertuples()}
    cannot = set(zip(infeasible.context_length, infeasible.num_sequences, strict=True))
    has_oracle = cells.oracle_hit_at_5.notna().any()
    rows = []
    for context in axes.context_length:
        oracle = cells[cells.context_length == context].oracle_hit_at_5.dropna()
        row = [str(context), *(_cell(found, cannot, (context, size)) for size in axes.num_sequences)]
        rows.append([*row, f"{oracle.iloc[0]:.3f}" if len(oracle) else ""] if has_oracle else row)
    header = ["C \\ N", *(f"{size:,}" for size in axes.num_sequences), *(["oracle"] if has_oracle else [])]
    return Table(title=f"test Hit@5 and its 95 % interval{f', {arm}' if arm else ''}", header=header, rows=rows)


def _cell(found: dict, infeasible: set, key: tuple[int, int]) -> str:
    if key not in found:
        return INFEASIBLE if key in infeasible else NOT_MEASURED
    row = found[key]
    mark = "*" if getattr(row, "beats_baseline", None) else ""
    return f"{row.hit_at_5:.3f}{mark}\n{_short(row.hit_at_5_low)}-{_short(row.hit_at_5_high)}"


def _short(share: float) -> str:
    """Write a share without its leading zero: a map of six sizes must fit 80 columns."""
    return f"{share:.3f}".removeprefix("0")


FINDING = register(
    Finding(
        key="cells", title="Cells", after="one-configuration", absent="No cell is confirmed yet.",
        sentences=sentences, blocks=blocks, screen=screen, csv=lambda evidence, _: {"pool_curve": evidence.pool_curve},
    )
)  # fmt: skip
