"""Say a study's findings in Markdown that reads well in a terminal and on a code host."""

from collections.abc import Iterable

import pandas as pd

from study.analysis.evidence import Evidence
from study.analysis.verdicts import Answers
from study.messages.escaping import in_markdown
from study.report.answer import partial, sentences
from study.report.comparison import comparison
from study.report.method import method
from study.report.words import best_lines, importance_rows, measured_with, patience_rows, verdict_lines

CELL_COLUMNS = {
    "cell": "cell_id",
    "replicates": "num_replicates",
    "Hit@1": "hit_at_1",
    "Hit@5": "hit_at_5",
    "Hit@10": "hit_at_10",
    "best baseline": "baseline_hit_at_5",
    "lift": "lift",
}

IMPORTANCE_NOTE = (
    "Shares of what tells good search trials from others of their cell, at the last evaluation that all of its trials "
    "reached; beside them, pruned trials taken as they were last seen and as good as their cell's best."
)
LAW_NOTE = (
    "Fitted by likelihood to the cells' means; the smooth law with the least AICc is chosen among those that predict "
    "the left-out cells as well as the best. Laws with a break in N are shown, and judged by a test of their own."
)


def markdown(findings: Evidence, figures: tuple[str, ...] = ()) -> str:
    """Return the report as Markdown. figures: names of the pictures in its folder `figures`."""
    manifest = findings.study.manifest
    parts = [f"# {in_markdown(manifest.study)}", in_markdown(manifest.question)]
    if said := partial(findings):
        parts.append(f"**Partial.** {in_markdown(said)}")
    parts += [in_markdown(" ".join(sentences(findings))), *_pictures(figures, "variants")]
    for title, header, rows in comparison(findings.study):
        parts += [f"## {in_markdown(title[0].upper() + title[1:])}", _table(header, rows)]
    if findings.cells.empty:
        parts.append("No cell is confirmed yet: there is no map to show.")
    else:
        parts += ["## Findings", _list(verdict_lines(findings)[1:])]
        parts += [
            "## Map",
            *_pictures(figures, "map", "hit_at_5"),
            _cells_table(findings),
            in_markdown(measured_with(findings)),
        ]
        parts += [*_headed("## The candidate pool", _pictures(figures, "pool")), "## Best configurations"]
        parts.append(_list(best_lines(findings)[1:]))
        header, rows = patience_rows(findings)
        parts += ["## Patience", "Loss in validation Hit@5 against the largest (mean steps run), read off the curves."]
        parts += [_table(header, rows), *_headed("## Learning curves", _pictures(figures, "learning_curves"))]
        if len(findings.importance):
            parts += ["## What the searched values matter", *_pictures(figures, "searched", "importance")]
            parts += [IMPORTANCE_NOTE, _table(*importance_rows(findings))]
        for arm, answers in findings.answers.items():
            parts += _law(arm, answers)
        parts += [*_pictures(figures, "law"), *_headed("## Thresholds", _pictures(figures, "thresholds"))]
    parts += ["## Trials", _table(*_counts(findings))]
    for title, lines in (("Not measured", findings.gaps), ("Problems", findings.problems)):
        if lines:
            parts += [f"## {title}", _list(lines)]
    infeasible = [[row.cell_id, str(row.error)] for row in findings.study.infeasible.itertuples()]
    if infeasible:
        parts += ["## Infeasible cells", _table(["cell", "why"], infeasible)]
    parts += ["## How it was measured", _list(f"{name}: {value}" for name, value in method(findings.study).items())]
    return "\n\n".join(parts) + "\n"


def _pictures(figures: tuple[str, ...], *names: str) -> list[str]:
    """Return links to the pictures of these names, those of every arm."""
    found = [figure for name in names for figure in figures if figure == name or figure.startswith(f"{name}_")]
    return [f"![{figure.replace('_', ' ')}](figures/{figure}.png)" for figure in found]


def _headed(title: str, parts: list[str]) -> list[str]:
    return [title, *parts] if parts else []


def _law(arm: str, answers: Answers) -> list[str]:
    """Return the sections on the law of one arm: the laws compared, and the held-out cells."""
    title = in_markdown(f"Laws{f', {arm}' if arm else ''}")
    if answers.law is None:
        return [f"## {title}", f"No law is fitted: {in_markdown(answers.refusals['law'])}."]
    compared = [
        [row.form, str(row.num_parameters), f"{row.aicc - answers.law.comparison.aicc.min():.1f}",
         "-" if pd.isna(row.held_out_error) else f"{100 * row.held_out_error:.1f}", f"{row.misfit_p:.3f}",
         f"{row.num_at_best} of {row.num_starts}", "chosen" if row.chosen else ""]
        for row in answers.law.comparison.itertuples()
    ]  # fmt: skip
    header = ["law", "parameters", "AICc above the least", "held-out error, points", "misfit p", "starts at best", ""]
    held_out = [
        [f"C={row.context_length} N={row.num_sequences:,}", f"{row.measured:.3f}",
         f"{row.predicted:.3f} [{row.predicted_low:.3f}, {row.predicted_high:.3f}]"]
        for row in answers.law.held_out.itertuples()
    ]  # fmt: skip
    return [
        f"## {title}", LAW_NOTE, _table(header, compared), "The largest cells, left out and predicted:",
        _table(["cell", "measured", "predicted"], held_out),
    ]  # fmt: skip


def _cells_table(findings: Evidence) -> str:
    rows = []
    for row in findings.cells.to_dict("records"):
        shown = [row["cell_id"], str(row["num_replicates"])]
        for key in list(CELL_COLUMNS.values())[2:]:
            value = row.get(key)
            missing = value is None or value != value
            shown.append("-" if missing else f"{value:.3f} [{row[f'{key}_low']:.3f}, {row[f'{key}_high']:.3f}]")
        rows.append(shown)
    return _table(list(CELL_COLUMNS), rows)


def _counts(findings: Evidence) -> tuple[list[str], list[list[str]]]:
    counts = findings.study.counts()
    rows = [
        [stage, *(str(value) for value in values)] for stage, values in zip(counts.index, counts.values, strict=True)
    ]
    return ["stage", *counts.columns], rows


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(in_markdown(cell) for cell in line)} |" for line in lines)


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {in_markdown(line)}" for line in lines)
