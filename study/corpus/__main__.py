"""Make, inspect and convert corpora: `python -m study.corpus encode|inspect|convert`."""

import argparse
import sys
from pathlib import Path

from lvm_core.errors import InputError
from study.cli.console import say_error
from study.cli.parser import Parser
from study.corpus.encoder import DEFAULT
from study.host.signals import ended_by_sigterm
from study.messages.escaping import plain

DONE, WRONG, INTERRUPTED = 0, 2, 130


def parser() -> Parser:
    """Return the parser of `python -m study.corpus`."""
    made = Parser(prog="study.corpus", description=__doc__, allow_abbrev=False)
    commands = made.add_subparsers(dest="command", required=True)
    encode = commands.add_parser("encode", help="documents to vectors", allow_abbrev=False)
    encode.add_argument("source", metavar="DOCS", help="a folder of .txt/.md, one such file, a .jsonl, or a Parquet")
    encode.add_argument(
        "--out", required=True, type=Path, metavar="FILE.npz", help="the corpus; its text stands beside it"
    )
    encode.add_argument(
        "--encoder", default=DEFAULT, metavar="NAME|PATH", help=f"sentence-transformers model ({DEFAULT})"
    )
    encode.add_argument("--language", default="en", metavar="CODE", help="of the sentences (en)")
    encode.add_argument("--text-column", default="text", metavar="NAME", help="of a .jsonl or Parquet (text)")
    encode.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda", "mps"])
    encode.add_argument(
        "--skip-bad", action="store_true", help="leave out documents that cannot be used, and name them"
    )
    inspect = commands.add_parser("inspect", help="what to know of a corpus before a study", allow_abbrev=False)
    inspect.add_argument("corpus", metavar="FILE", help="a corpus in any format, or kalman")
    inspect.add_argument("--seed", type=int, default=0, metavar="N", help="of the split and the queries (0)")
    formats = "between .npz, a .npy pair (a folder), Parquet and Arrow"
    convert = commands.add_parser("convert", help=formats, allow_abbrev=False)
    convert.add_argument("source", metavar="SRC")
    convert.add_argument("target", metavar="DST", type=Path, help="the ending says the format; none: a folder of .npy")
    return made


@ended_by_sigterm()
def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    try:
        return run(parser().parse_args(arguments))
    except (InputError, OSError) as error:
        say_error(error)
        return WRONG
    except KeyboardInterrupt:
        print("\ninterrupted; run the same command again to go on after the last finished batch.", file=sys.stderr)
        return INTERRUPTED


def run(options: argparse.Namespace) -> int:
    """Run one of the commands; each imports what it alone needs."""
    if options.command == "encode":
        from study.corpus.encode import EncodeRequest, encode_corpus

        values = {name: value for name, value in vars(options).items() if name != "command"}
        encode_corpus(EncodeRequest(**values), say)
    elif options.command == "inspect":
        from study.corpus.inspect import inspect_corpus

        inspect_corpus(options.corpus, options.seed, say)
    else:
        from study.corpus.convert import convert_corpus

        convert_corpus(options.source, options.target, say)
    return DONE


def say(line: str) -> None:
    """Print a line at once, also into a pipe."""
    print(plain(line), flush=True)


if __name__ == "__main__":
    sys.exit(main())
