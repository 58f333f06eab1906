"""Plan a study, run it, and print its map."""

import argparse
import sys
from functools import partial

from lvm_core.errors import InputError
from study.cli.command import Body, run_command
from study.cli.parser import Parser
from study.messages.durations import parse_duration

PROG = "python -m study.run"
PRESETS = ("quick", "laptop", "full")


def parser(prog: str = PROG) -> Parser:
    """Return the parser of the command."""
    made = Parser(prog=prog, description=__doc__)
    made.set_defaults(prog=prog)
    made.add_argument("name", nargs="?", help="a study in search_spaces/, or the path of a YAML file")
    made.add_argument("--list", action="store_true", help="list the studies and their questions")
    made.add_argument("--corpus", metavar="PATH|kalman", help="vectors to study; `kalman` needs no file")
    made.add_argument("--preset", choices=PRESETS, help="quick: minutes; laptop: under an hour; full: a cluster")
    made.add_argument("--out", default="results", metavar="DIR", help="where studies go, s3://… too (default: results)")
    made.add_argument("--study", metavar="NAME", help="the study's folder (default: <name>-<corpus>[-<preset>])")
    made.add_argument("--seed", type=int, metavar="N", help="seed of split, queries and replicates")
    made.add_argument("--protocol", choices=["controlled", "as_reported"], help="how retrieval is measured")
    made.add_argument("--scale", choices=["auto", "none"], help="shorten published contexts to fit the corpus, or not")
    made.add_argument("--address", metavar="ADDR", help="join a running Ray cluster, e.g. auto or HOST:6379")
    made.add_argument("--workers", type=int, metavar="N", help="trials at a time (default: one per core)")
    made.add_argument("--budget", metavar="30m", help="start no new trial after this time")
    made.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change one value of the space")
    made.add_argument("--dry-run", action="store_true", help="print the plan and the estimated time, run nothing")
    made.add_argument(
        "--power", nargs="?", type=float, const=1.0, metavar="POINTS", help="what it can show; runs nothing"
    )
    made.add_argument("--power-from", metavar="STUDY", help="the same, by the variances of a recorded study")
    made.add_argument("--resume", action="store_true", help="continue the study; finished trials are not repeated")
    made.add_argument("--rerun", choices=["failed"], help="resume, and repeat failed and timed-out trials too")
    made.add_argument("--carry-over", action="store_true", help="resume records of another version of the trainer")
    made.add_argument("--no-report", action="store_true", help="write no report files at the end")
    return made


def main(arguments: list[str] | None = None, prog: str = PROG) -> int:
    """Run the command line and return the exit status."""
    go_on = "run the same command again, with --resume if the study has begun"
    return run_command(parser(prog), load, arguments, go_on)


def load(options: argparse.Namespace) -> Body:
    """Check what needs no study, then import what plans and runs one."""
    if options.list:
        from study.lifecycle.start import print_studies

        return print_studies
    if options.name is None:
        raise InputError(f"a study's name must be given. See `{options.prog} --list`.")
    if options.workers is not None and options.workers < 1:
        raise InputError(f"--workers must be at least 1, but got {options.workers}.")
    if options.power is not None and not 0 < options.power < 100:
        raise InputError(f"--power must be a difference above 0 and below 100 points, but got {options.power:g}.")
    budget_s = None if options.budget is None else parse_duration(options.budget)
    from study.lifecycle.start import start

    return partial(start, budget_s=budget_s)


if __name__ == "__main__":
    sys.exit(main())
