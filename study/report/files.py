"""Write a study's report files: the page, report.md with its figures, cells.csv, best_configs.json, and every table."""

import json

import pandas as pd

from study.analysis.evidence import Evidence
from study.export.optuna_journal import optuna_journal
from study.records.store import RecordStore
from study.report.findings import all_findings
from study.report.markdown import markdown
from study.report.page import page
from study.report.pictures import pictures


def write_report(evidence: Evidence, store: RecordStore) -> None:
    """Write the report beside the records; an older one is replaced file by file."""
    drawn = pictures(evidence)
    made = {"index.html": _text(page(evidence)), "report.md": _text(markdown(evidence, tuple(drawn)))}
    made |= {f"figures/{name}.png": data for name, data in drawn.items()}
    made |= {f"tables/{name}.csv": _csv(table) for name, table in tables(evidence).items()}
    made |= {
        "cells.csv": _csv(evidence.cells),
        "best_configs.json": json.dumps(evidence.best, indent=1).encode() + b"\n",
    }
    if journal := optuna_journal(evidence.study):
        made["optuna_journal.log"] = journal
    for name, data in made.items():
        store.write_bytes(f"report/{name}", data)


def tables(evidence: Evidence) -> dict[str, pd.DataFrame]:
    """Return every table of the findings but the cells, by file name; those of each arm under its name."""
    return {
        f"{name}_{arm}" if arm else name: table
        for finding in all_findings()
        for arm in finding.arms(evidence)
        for name, table in finding.csv(evidence, arm).items()
    }


def _csv(table: pd.DataFrame) -> bytes:
    return _text(table.to_csv(index=False))


def _text(text: str) -> bytes:
    """Return UTF-8; half a character, which JSON can hold and UTF-8 cannot, is written as its escape."""
    return text.encode(errors="backslashreplace")
