"""Write a study's report files: the page, report.md with its figures, cells.csv, best_configs.json, and every table."""

import json

import pandas as pd

from study.analysis.evidence import Evidence
from study.analysis.load import StudyRecords
from study.export.optuna_journal import optuna_journal
from study.records.store import RecordStore
from study.report.markdown import markdown
from study.report.page import page
from study.report.pictures import pictures


def write_report(study: StudyRecords, store: RecordStore) -> None:
    """Write the report beside the records; an older one is replaced file by file."""
    findings = Evidence(study)
    drawn = pictures(findings)
    made = {"index.html": _text(page(findings)), "report.md": _text(markdown(findings, tuple(drawn)))}
    made |= {f"figures/{name}.png": data for name, data in drawn.items()}
    made |= {f"tables/{name}.csv": _csv(table) for name, table in tables(findings).items()}
    made |= {
        "cells.csv": _csv(findings.cells),
        "best_configs.json": json.dumps(findings.best, indent=1).encode() + b"\n",
    }
    if journal := optuna_journal(study):
        made["optuna_journal.log"] = journal
    for name, data in made.items():
        store.write_bytes(f"report/{name}", data)


def tables(findings: Evidence) -> dict[str, pd.DataFrame]:
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


def _csv(table: pd.DataFrame) -> bytes:
    return _text(table.to_csv(index=False))


def _text(text: str) -> bytes:
    """Return UTF-8; half a character, which JSON can hold and UTF-8 cannot, is written as its escape."""
    return text.encode(errors="backslashreplace")
