"""Rebuild a study's report from its records: `python -m study.report results/<study>`."""

import argparse
import sys

from lvm_core.errors import InputError
from study.analysis.load import StudyRecords, load_study
from study.analysis.whole import require_whole
from study.cli.console import open_console, say_error
from study.cli.parser import Parser
from study.export.mlflow import write_mlflow
from study.export.tensorboard import write_tensorboard
from study.export.trec import trec_files
from study.records.store import RecordStore
from study.report import print_summary, write_report


def parser() -> Parser:
    """Return the parser of `python -m study.report`."""
    made = Parser(prog="study.report", description=__doc__, allow_abbrev=False)
    made.add_argument("study", help="the study's folder or URI")
    made.add_argument("--tensorboard", metavar="DIR", help="also write every curve as TensorBoard scalars")
    made.add_argument("--mlflow", metavar="URI", help="also write every trial as a run of this MLflow tracking store")
    made.add_argument("--trec", metavar="TRIAL_ID", help="also write a trial's test ranks as TREC run and qrels")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Print the summary, write the report files, and return the exit status."""
    try:
        options, console = parser().parse_args(arguments), open_console()
        study, store = load_study(options.study), RecordStore.at(options.study)
        require_whole(study)
        sound = print_summary(study, console)
        write_report(study, store)
        for line in [f"report: {store.path('report/index.html')}", *_export(study, store, options)]:
            console.print(line, highlight=False, soft_wrap=True)
    except (InputError, OSError) as error:
        say_error(error)
        return 2
    return 0 if sound else 1


def _export(study: StudyRecords, store: RecordStore, options: argparse.Namespace) -> list[str]:
    """Write what was asked for beside the report; return a line for each."""
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


if __name__ == "__main__":
    sys.exit(main())
