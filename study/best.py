"""Print a study's best configurations, or export its best model."""

import argparse
import sys

from lvm_core.errors import InputError
from study.cli.command import Body, run_command
from study.cli.parser import Parser

PROG = "python -m study.best"


def parser(prog: str = PROG) -> Parser:
    """Return the parser of the command."""
    made = Parser(prog=prog, description=__doc__)
    made.add_argument("study", help="the study's folder or URI")
    made.add_argument("--json", action="store_true", help="every cell's best configuration, as JSON")
    made.add_argument("--export", metavar="DIR", help="write the best model with its card to a new folder")
    made.add_argument("--cell", metavar="ID", help="export this cell's best model instead, e.g. C4_N2000")
    return made


def main(arguments: list[str] | None = None, prog: str = PROG) -> int:
    """Run the command line and return the exit status."""
    return run_command(parser(prog), load, arguments)


def load(options: argparse.Namespace) -> Body:
    """Import what prints the best configurations, or what exports the best model."""
    if options.cell is not None and options.export is None:
        raise InputError("--cell must come with --export DIR, but that is missing. Add it, or use --json.")
    from study.report.best import best_of, print_best, print_line

    if options.export is None:
        return print_best
    from study.export.model import export_model  # loads torch, which reading records must not need

    return lambda options: print_line(export_model(best_of(options.study), options.export, options.cell))


if __name__ == "__main__":
    sys.exit(main())
