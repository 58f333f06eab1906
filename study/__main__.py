"""The command `lvm-study`: hand the arguments to one of its subcommands. `python -m study` is the same."""

import argparse
import importlib
import sys
from functools import partial
from pathlib import Path
from typing import NamedTuple

from study.cli.command import Body, run_command
from study.cli.completion import SHELLS, completion_script
from study.cli.parser import Parser, PrintAndExit

NAME = "lvm-study"


class Subcommand(NamedTuple):
    """module: has `parser(prog)` and `main(arguments, prog)`."""

    module: str
    help: str


SUBCOMMANDS = {
    "run": Subcommand("study.run", "plan a study, run it, and print its map"),
    "report": Subcommand("study.report.__main__", "rebuild a study's report from its records"),
    "best": Subcommand("study.best", "print a study's best configurations, or export its best model"),
    "corpus": Subcommand("study.corpus.__main__", "make, inspect and convert corpora"),
    "predict": Subcommand("study.predict", "show the chunks of a corpus that may come next after a passage"),
}


def parser(prog: str = NAME, *, whole: bool = False) -> Parser:
    """Return the parser of the options before a subcommand, or of all there are, for completion."""
    made = Parser(prog=prog, description="Map how retrieval scales with context length and data.")
    made.add_argument(
        "--version", action=PrintAndExit, nargs=0, text=lambda _: version(), help="print the version and exit"
    )
    made.add_argument(
        "--print-completion",
        action=PrintAndExit,
        choices=SHELLS,
        text=lambda shell: completion_script(parser(whole=True), shell),
        help="print the script that completes commands in this shell, and exit",
    )
    subparsers = made.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    for name, subcommand in SUBCOMMANDS.items():
        parents = [importlib.import_module(subcommand.module).parser()] if whole else []
        subparsers.add_parser(name, help=subcommand.help, parents=parents, add_help=False)
    return made


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    prog = "python -m study" if Path(sys.argv[0]) == Path(__file__) else NAME
    arguments = sys.argv[1:] if arguments is None else arguments
    places = [place for place, word in enumerate(arguments) if not word.startswith("-")]
    end = places[0] + 1 if places else len(arguments)  # of what is read here: options, then the subcommand
    return run_command(parser(prog), partial(_load, prog, arguments[end:]), arguments[:end])


def version() -> str:
    """Return the name and version of the installed package, such as `lvm-study 0.1.0`."""
    import importlib.metadata  # a third of the time that --help takes

    try:
        return f"{NAME} {importlib.metadata.version(NAME)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{NAME} (not installed)"


def _load(prog: str, rest: list[str], options: argparse.Namespace) -> Body:
    """Import a subcommand, which takes the rest of the arguments."""
    module = importlib.import_module(SUBCOMMANDS[options.command].module)
    return lambda options: module.main(rest, prog=f"{prog} {options.command}")


if __name__ == "__main__":
    sys.exit(main())
