"""Rebuild a study's report from its records."""

import argparse
import sys

from study.cli.command import Body, run_command
from study.cli.parser import Parser

PROG = "python -m study.report"


def parser(prog: str = PROG) -> Parser:
    """Return the parser of the command."""
    made = Parser(prog=prog, description=__doc__)
    made.add_argument("study", help="the study's folder or URI")
    made.add_argument("--tensorboard", metavar="DIR", help="also write every curve as TensorBoard scalars")
    made.add_argument("--mlflow", metavar="URI", help="also write every trial as a run of this MLflow tracking store")
    made.add_argument("--trec", metavar="TRIAL_ID", help="also write a trial's test ranks as TREC run and qrels")
    return made


def main(arguments: list[str] | None = None, prog: str = PROG) -> int:
    """Run the command line and return the exit status."""
    return run_command(parser(prog), load, arguments)


def load(_: argparse.Namespace) -> Body:
    """Import what reads the records and draws the report."""
    from study.report.rebuild import rebuild

    return rebuild


if __name__ == "__main__":
    sys.exit(main())
