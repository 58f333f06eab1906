"""The command line: `python -m study.run <name>` plans a study, runs it, and prints its map."""

import argparse
import re
import sys
from pathlib import Path

from lvm_core.corpus import open_corpus
from lvm_core.errors import InputError
from study.cli.console import open_console, say_error
from study.cli.parser import Parser
from study.driver import RunOptions
from study.host.signals import ended_by_sigterm
from study.lifecycle.dry_run import print_plan
from study.lifecycle.execute import DONE, INTERRUPTED, WRONG, RunRequest, execute
from study.messages.durations import parse_duration
from study.plan.plan import Plan, make_plan
from study.space.file import list_spaces, load_space

PRESETS = ("quick", "laptop", "full")
STUDY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def parser() -> Parser:
    """Return the parser of `python -m study.run`."""
    made = Parser(prog="study.run", description=__doc__, allow_abbrev=False)
    made.add_argument("name", nargs="?", help="a study in search_spaces/, or the path of a YAML file")
    made.add_argument("--list", action="store_true", help="list the studies and their questions")
    made.add_argument("--corpus", metavar="PATH|kalman", help="vectors to study; `kalman` needs no file")
    made.add_argument("--preset", choices=PRESETS, help="quick: minutes; laptop: under an hour; full: a cluster")
    made.add_argument("--out", default="results", metavar="DIR", help="where studies go, s3://… too (default: results)")
    made.add_argument("--study", metavar="NAME", help="the study's folder (default: <name>-<corpus>[-<preset>])")
    made.add_argument("--seed", type=int, metavar="N", help="seed of split, queries and replicates")
    made.add_argument("--protocol", choices=["controlled", "as_reported"], help="how it is measured")
    made.add_argument("--scale", choices=["auto", "none"], help="shorten published contexts to the corpus, or do not")
    made.add_argument("--address", metavar="ADDR", help="join a running Ray cluster, e.g. auto or HOST:6379")
    made.add_argument("--workers", type=int, metavar="N", help="trials at a time (default: one a core)")
    made.add_argument("--budget", metavar="30m", help="start no new trial after this time")
    made.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change one value of the space")
    made.add_argument("--dry-run", action="store_true", help="print the plan and the estimated time, run nothing")
    made.add_argument("--resume", action="store_true", help="continue the study; finished trials are not repeated")
    made.add_argument("--rerun", choices=["failed"], help="resume, and repeat failed and timed-out trials too")
    made.add_argument("--carry-over", action="store_true", help="resume records of another version of the trainer")
    made.add_argument("--no-report", action="store_true", help="write no report files at the end")
    return made


@ended_by_sigterm()
def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    try:
        arguments = sys.argv[1:] if arguments is None else arguments
        return run(parser().parse_args(arguments, argparse.Namespace(arguments=arguments)))
    except InputError as error:
        say_error(error)
        return WRONG
    except OSError as error:
        say_error(f"{error}. Mend the cause and run it again, with --resume if the study has begun.")
        return WRONG
    except KeyboardInterrupt:
        print("\ninterrupted before or after the trials; nothing is lost.", file=sys.stderr)
        return INTERRUPTED


def run(options: argparse.Namespace) -> int:
    """List, plan or run, as the options say."""
    console = open_console()
    if options.list:
        for name, question in list_spaces().items():
            console.print(f"{name:12} {' '.join(question.split())}", highlight=False)
        return DONE
    if options.name is None:
        raise InputError("a study's name must be given. See `python -m study.run --list`.")
    budget_s = None if options.budget is None else parse_duration(options.budget)
    if options.workers is not None and options.workers < 1:
        raise InputError(f"--workers must be at least 1, but got {options.workers}.")
    plan = plan_from(options)
    if options.dry_run:
        print_plan(plan, options.workers, console)
        return DONE
    request = RunRequest(
        out=options.out,
        resume=options.resume or options.rerun is not None or options.carry_over,
        carry_over=options.carry_over,
        report=not options.no_report,
        options=RunOptions(options.address, options.workers, budget_s, rerun_timeouts=options.rerun is not None),
        arguments=tuple(options.arguments),
    )
    return execute(plan, request, console)


def plan_from(options: argparse.Namespace) -> Plan:
    """Read the space and the corpus and settle the plan. Writes nothing but the corpus cache."""
    overrides = {"corpus": options.corpus, "seed": options.seed, "protocol": options.protocol}
    overrides["scale"] = options.scale
    space = load_space(options.name, options.preset, options.set, overrides)
    corpus = open_corpus(space.corpus)
    parts = [Path(options.name).stem, corpus.name, options.preset]
    study = options.study or re.sub(r"[^A-Za-z0-9._-]", "-", "-".join(part for part in parts if part))
    if not STUDY_NAME.fullmatch(study):
        raise InputError(f"a study's name must be letters, digits, '.', '_' and '-', but got '{study}'. Give --study.")
    return make_plan(study, space, corpus)


if __name__ == "__main__":
    sys.exit(main())
