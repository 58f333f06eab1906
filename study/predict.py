"""Show the chunks of a corpus that may come next after a passage."""

import argparse
import sys
from pathlib import Path

from study.cli.command import Body, run_command
from study.cli.parser import Parser

PROG = "python -m study.predict"


def parser(prog: str = PROG) -> Parser:
    """Return the parser of the command."""
    made = Parser(prog=prog, description=__doc__)
    made.add_argument("models", nargs="+", metavar="MODEL", help="exported folders; the length of the passage chooses")
    made.add_argument("--corpus", required=True, metavar="FILE", help="a corpus with its text index beside it")
    passage = made.add_mutually_exclusive_group(required=True)
    passage.add_argument("--text", metavar="PASSAGE", help="the passage, oldest text first")
    passage.add_argument("--file", type=Path, metavar="FILE", help="a UTF-8 file with the passage")
    made.add_argument("-k", type=int, default=5, metavar="N", help="number of chunks to show (default: 5)")
    made.add_argument("--encoder", metavar="NAME|PATH", help="the corpus's encoder, if not found under its name")
    return made


def main(arguments: list[str] | None = None, prog: str = PROG) -> int:
    """Run the command line and return the exit status."""
    return run_command(parser(prog), load, arguments)


def load(_: argparse.Namespace) -> Body:
    """Import what answers: torch, FAISS and the corpus."""
    from study.corpus.next_chunks import answer

    return answer


if __name__ == "__main__":
    sys.exit(main())
