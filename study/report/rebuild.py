"""Rebuild a study's report from its records, with exports to other tools beside it."""

import argparse

from study.analysis.completeness import require_complete
from study.analysis.evidence import Evidence
from study.analysis.load import StudyRecords, load_study
from study.cli.console import open_console
from study.cli.exit_status import DONE, FAILED
from study.export.mlflow import write_mlflow
from study.export.tensorboard import write_tensorboard
from study.export.trec import trec_files
from study.records.store import RecordStore
from study.report.files import write_report
from study.report.terminal import print_summary


def rebuild(options: argparse.Namespace) -> int:
    """Print the summary, write the report files, and return the exit status."""
    console = open_console()
    study, store = load_study(options.study), RecordStore.at(options.study)
    require_complete(study)
    evidence = Evidence(study)
    sound = print_summary(evidence, console)
    write_report(evidence, store)
    for line in [f"report: {store.path('report/index.html')}", *_export(study, store, options)]:
        console.print(line, highlight=False, soft_wrap=True)
    return DONE if sound else FAILED


def _export(study: StudyRecords, store: RecordStore, options: argparse.Namespace) -> list[str]:
    """Write the exports that were asked for; return a line about each."""
    lines = []
    if options.tensorboard:
        lines.append(f"tensorboard: {write_tensorboard(study, options.tensorboard)} trials in {options.tensorboard}")
    if options.mlflow:
        lines.append(f"mlflow: {write_mlflow(study, options.mlflow)} new runs in {options.mlflow}")
    if options.trec:
        run, qrels, num_tied = trec_files(study, options.trec)
        store.write_bytes(f"report/trec/{options.trec}.run", run)
        store.write_bytes(f"report/trec/{options.trec}.qrels", qrels)
        lines.append(
            f"trec: {store.path('report/trec')}/{options.trec}.run and .qrels; queries with ties: {num_tied:,}"
        )
    return lines
