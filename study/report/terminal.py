"""Print a study's map, its baselines and its best configurations."""

import pandas as pd
from rich.console import Console
from rich.table import Column, Table

from study.analysis.evidence import Evidence
from study.analysis.hit_map import arm_of, arms_of
from study.analysis.load import StudyRecords
from study.report.comparison import comparison
from study.report.words import best_lines, measured_with, patience_rows, verdict_lines

INFEASIBLE, NOT_MEASURED = "infeasible", "-"


def print_summary(study: StudyRecords, console: Console) -> bool:
    """Print everything that fits a screen; return whether the study ended without failures."""
    findings = Evidence(study)

    def say(text: str, style: str | None = None) -> None:
        console.print(text, style=style, highlight=False, soft_wrap=True)

    compared = comparison(study)
    for title, header, rows in compared:
        table = Table(*(Column(name, overflow="fold") for name in header), title=title)
        for row in rows:
            table.add_row(*(text.replace(" [", "\n[").replace(" remains", "\nremains") for text in row))
        console.print(table)
    if not findings.cells.empty and not compared:
        for arm in arms_of(study):
            console.print(map_table(findings, arm))
        say(measured_with(findings))
        for line in verdict_lines(findings):
            say(line)
        console.print(baseline_table(findings))
        for line in best_lines(findings):
            say(line)
        if len(study.manifest.space.patience.replay) > 1:
            console.print(patience_grid(findings))
    for gap in findings.gaps:
        say(gap, "yellow")
    for problem in findings.problems:
        say(problem, "red")
    return not findings.problems


def map_table(findings: Evidence, arm: str) -> Table:
    """Return test Hit@5 with its interval, C down and N across; * where it beats the best baseline."""
    table_of = findings.cells[[arm_of(cell) == arm for cell in findings.cells.cell_id]]
    axes = findings.study.manifest.space.cells
    found = {(row.context_length, row.num_sequences): row for row in table_of.itertuples()}
    infeasible = set(
        zip(findings.study.infeasible.context_length, findings.study.infeasible.num_sequences, strict=True)
    )
    title = "test Hit@5 and its 95 % interval" + (f", {arm}" if arm else "")
    header = ["C \\ N", *(f"{size:,}" for size in axes.num_sequences)]
    table = Table(*(Column(name, overflow="fold") for name in header), title=title)
    if table_of.oracle_hit_at_5.notna().any():
        table.add_column("oracle")
    for context in axes.context_length:
        shown = [_map_cell(found, infeasible, (context, size)) for size in axes.num_sequences]
        oracle = table_of[table_of.context_length == context].oracle_hit_at_5.dropna()
        ending = [f"{oracle.iloc[0]:.3f}"] if len(oracle) else []
        table.add_row(str(context), *shown, *ending)
    return table


def _map_cell(found: dict, infeasible: set, key: tuple[int, int]) -> str:
    if key not in found:
        return INFEASIBLE if key in infeasible else NOT_MEASURED
    row = found[key]
    mark = "*" if pd.notna(getattr(row, "lift_low", None)) and row.lift_low > 0 else ""
    return f"{row.hit_at_5:.3f}{mark}\n{_short(row.hit_at_5_low)}-{_short(row.hit_at_5_high)}"


def _short(share: float) -> str:
    """Write a share without its leading zero, so that a map of six sizes fits 80 columns."""
    return f"{share:.3f}".removeprefix("0")


def baseline_table(findings: Evidence) -> Table:
    """Return every baseline's test Hit@5: training-free ones by C, trained ones by C and N."""
    measured = findings.study.measured("baseline")
    table = Table("baseline", "N", *[f"C={c}" for c in sorted(measured.context_length.unique())], title="test Hit@5")
    names = measured.groupby(["model", measured.num_sequences.fillna(0)]).test_hit_at_5.mean().index
    for model, size in names:
        rows = measured[(measured.model == model) & (measured.num_sequences.fillna(0) == size)]
        by_context = rows.groupby("context_length").test_hit_at_5.mean()
        values = [
            f"{by_context[c]:.3f}" if c in by_context else NOT_MEASURED
            for c in sorted(measured.context_length.unique())
        ]
        table.add_row(model, f"{int(size):,}" if size else "any", *values)
    return table


def patience_grid(findings: Evidence) -> Table:
    """Return what each patience loses in validation Hit@5 against the largest, and the steps that it runs."""
    header, rows = patience_rows(findings)
    table = Table(*header, title="patience, read off the curves: loss in validation Hit@5 (mean steps run)")
    for row in rows:
        table.add_row(*row)
    return table
