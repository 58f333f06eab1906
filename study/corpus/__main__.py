"""Make, inspect and convert corpora."""

import argparse
import sys
from pathlib import Path

from study.cli.command import Body, run_command
from study.cli.parser import Parser
from study.corpus.encoder_name import DEFAULT
from study.messages.escaping import plain

PROG = "python -m study.corpus"


def parser(prog: str = PROG) -> Parser:
    """Return the parser of the command."""
    made = Parser(prog=prog, description=__doc__)
    commands = made.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    encode = commands.add_parser("encode", help="turn documents into vectors")
    encode.add_argument("source", metavar="DOCS", help="a folder of .txt/.md, one such file, a .jsonl, or a Parquet")
    encode.add_argument(
        "--out", required=True, type=Path, metavar="FILE.npz", help="the new corpus; its text index is put beside it"
    )
    encode.add_argument(
        "--encoder", default=DEFAULT, metavar="NAME|PATH", help=f"sentence-transformers model (default: {DEFAULT})"
    )
    encode.add_argument("--language", default="en", metavar="CODE", help="of the sentences (default: en)")
    encode.add_argument("--text-column", default="text", metavar="NAME", help="of a .jsonl or Parquet (default: text)")
    encode.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda", "mps"])
    encode.add_argument(
        "--skip-bad", action="store_true", help="leave out documents that cannot be used, and name them"
    )
    inspect = commands.add_parser("inspect", help="print what to know about a corpus before a study")
    inspect.add_argument("corpus", metavar="FILE", help="a corpus in any format, or kalman")
    inspect.add_argument("--seed", type=int, default=0, metavar="N", help="seed of split and queries (default: 0)")
    convert = commands.add_parser("convert", help="between .npz, a .npy pair (a folder), Parquet and Arrow")
    convert.add_argument("source", metavar="SRC", help="a corpus in any format")
    convert.add_argument("target", metavar="DST", type=Path, help="the ending chooses the format; none: a .npy folder")
    return made


def main(arguments: list[str] | None = None, prog: str = PROG) -> int:
    """Run the command line and return the exit status."""
    is_encode = "encode" in (sys.argv[1:] if arguments is None else arguments)[:1]
    go_on = "run the same command again" + " to continue after the last finished batch" * is_encode
    return run_command(parser(prog), load, arguments, go_on)


def load(options: argparse.Namespace) -> Body:
    """Import what one of the commands alone needs."""
    if options.command == "encode":
        from study.corpus.encode import EncodeRequest, encode_corpus

        names = EncodeRequest.__dataclass_fields__
        return lambda options: encode_corpus(EncodeRequest(**{name: getattr(options, name) for name in names}), say)
    if options.command == "inspect":
        from study.corpus.inspect import inspect_corpus

        return lambda options: inspect_corpus(options.corpus, options.seed, say)
    from study.corpus.convert import convert_corpus

    return lambda options: convert_corpus(options.source, options.target, say)


def say(line: str) -> None:
    """Print a line at once, into a pipe too."""
    print(plain(line), flush=True)


if __name__ == "__main__":
    sys.exit(main())
