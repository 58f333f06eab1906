"""Write a study's report files: report.md, cells.csv, best_configs.json, and a CSV of every other finding."""

import json

import pandas as pd

from study.analysis.load import StudyRecords
from study.analysis.verdicts import Answers
from study.records import RecordStore
from study.report.comparison import comparison
from study.report.findings import Findings
from study.report.page import page
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
    "reached; beside them, raced-out trials taken as they were last seen and as good as their cell's best."
)
LAW_NOTE = (
    "Fitted by likelihood to the cells' means; the smooth law with the least AICc is chosen among those that predict "
    "the left-out cells as well as the best. Laws with a break in N are shown, and judged by a test of their own."
)


def write_report(study: StudyRecords, store: RecordStore) -> None:
    """Write the report beside the records; an older one is replaced file by file."""
    findings = Findings(study)
    store.write_bytes("report/cells.csv", findings.cells.to_csv(index=False).encode())
    for name, table in tables(findings).items():
        store.write_bytes(f"report/tables/{name}.csv", table.to_csv(index=False).encode())
    store.write_bytes("report/best_configs.json", json.dumps(findings.best, indent=1).encode() + b"\n")
    store.write_bytes("report/report.md", markdown(findings).encode())
    store.write_bytes("report/index.html", page(findings).encode())


def markdown(findings: Findings) -> str:
    """Return the report as Markdown."""
    manifest = findings.study.manifest
    parts = [f"# {manifest['study']}", manifest["question"].strip()]
    for title, header, rows in comparison(findings.study):
        parts += [f"## {title[0].upper()}{title[1:]}", _table(header, rows)]
    if findings.cells.empty:
        parts.append("No cell is confirmed yet: there is no map to show.")
    else:
        parts += ["## Findings", "\n".join(f"- {line}" for line in verdict_lines(findings)[1:])]
        parts += ["## Map", _cells_table(findings), measured_with(findings), "## Best configurations"]
        parts.append("\n".join(f"- {line}" for line in best_lines(findings)[1:]))
        header, rows = patience_rows(findings)
        parts += ["## Patience", "Loss in validation Hit@5 against the largest (mean steps run), read off the curves."]
        parts.append(_table(header, rows))
        if len(findings.importance):
            parts += ["## What the searched values matter", IMPORTANCE_NOTE, _table(*importance_rows(findings))]
        for arm, answers in findings.answers.items():
            parts += _law(arm, answers)
    parts += ["## Trials", _table(*_counts(findings))]
    for title, lines in (("Not measured", findings.gaps), ("Problems", findings.problems)):
        if lines:
            parts += [f"## {title}", "\n".join(f"- {line}" for line in lines)]
    infeasible = [[row.cell_id, str(row.error)] for row in findings.study.infeasible.itertuples()]
    if infeasible:
        parts += ["## Infeasible cells", _table(["cell", "why"], infeasible)]
    parts += ["## How it was measured", _method(manifest)]
    return "\n\n".join(parts) + "\n"


def tables(findings: Findings) -> dict[str, pd.DataFrame]:
    """Return every table of the findings but the cells, by file name; one law, and so on, an arm."""
    found = {
        "comparisons": findings.comparisons,
        "pool_curve": findings.pool_curve,
        "patience": findings.patience,
        "least_patience": findings.least_patience,
        "importance": findings.importance,
    }
    for arm, answers in findings.answers.items():
        ending = f"_{arm}" if arm else ""
        found[f"elasticity{ending}"] = answers.elasticities
        found[f"thresholds{ending}"] = answers.thresholds
        if answers.law:
            found[f"laws{ending}"] = answers.law.comparison
            found[f"exponents{ending}"] = answers.law.exponents
            found[f"held_out{ending}"] = answers.law.held_out
        if answers.best_context:
            found[f"best_context{ending}"] = answers.best_context.line
            found[f"growth{ending}"] = answers.best_context.growth
    return found


def _law(arm: str, answers: Answers) -> list[str]:
    """Return the sections on the law of one arm: the laws compared, and the held-out cells."""
    title = f"Laws{f', {arm}' if arm else ''}"
    if answers.law is None:
        return [f"## {title}", f"No law is fitted: {answers.refusals['law']}."]
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


def _cells_table(findings: Findings) -> str:
    rows = []
    for row in findings.cells.to_dict("records"):
        shown = [row["cell_id"], str(row["num_replicates"])]
        for key in list(CELL_COLUMNS.values())[2:]:
            value = row.get(key)
            missing = value is None or value != value
            shown.append("-" if missing else f"{value:.3f} [{row[f'{key}_low']:.3f}, {row[f'{key}_high']:.3f}]")
        rows.append(shown)
    return _table(list(CELL_COLUMNS), rows)


def _counts(findings: Findings) -> tuple[list[str], list[list[str]]]:
    counts = findings.study.counts()
    rows = [
        [stage, *(str(value) for value in values)] for stage, values in zip(counts.index, counts.values, strict=True)
    ]
    return ["stage", *counts.columns], rows


def _method(manifest: dict) -> str:
    split, corpus = manifest["split"], manifest["corpus"]
    facts = {
        "protocol": manifest["protocol"],
        "corpus": f"{corpus['name']}, {corpus['num_vectors']:,} vectors of {corpus['dim']} dims, "
        f"{corpus['num_chains']:,} chains, fingerprint {corpus['fingerprint']}",
        "split": f"by {split.get('kind', 'chain')}, {split['num_chains']}, fingerprint {split['fingerprint']}",
        "leak audit": f"{split['audit']['num_leaked_vectors']} held-out vectors in training windows",
        "near-copies": str(split.get("near_copies", "not counted")),
        "queries and pool": f"{split['num_queries']:,} and {split['pool_size']:,}, equal in every cell",
        "seed": str(manifest["seed"]),
        "code": manifest["code_version"],
        "device": f"{manifest['device']}, {manifest['precision']}",
        "wall time": f"{manifest.get('wall_s', 0):.0f} s",
        "command": f"`{manifest['command']}`",
    }
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
