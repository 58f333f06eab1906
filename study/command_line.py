"""What the command lines share: a parser and an error that say one sentence, and a screen on which text is text."""

import argparse
import re
import sys

from rich.console import Console
from rich.text import Text

from lvm_core.errors import InputError

# Control characters, halves of surrogate pairs, and marks that turn the direction of a line: none belongs in a name or
# a title, and a terminal would obey them. Line feed and tab stay.
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Parser(argparse.ArgumentParser):
    """An argument parser that says what is wrong in one sentence."""

    def error(self, message: str) -> None:
        raise InputError(f"{message}. See `python -m {self.prog} --help`.")


def plain(text: str) -> str:
    """Return text with the characters that a terminal would obey written as escapes."""
    return OBEYED.sub(lambda found: ascii(found[0])[1:-1], text)


def say_error(error: Exception | str) -> None:
    """Print an error as one line; what it names, such as a file, may hold a line break."""
    print(f"error: {plain(' '.join(str(error).split()))}", file=sys.stderr)


class PlainConsole(Console):
    """A console that takes names and titles as text: no markup, no emoji codes, no control characters."""

    def __init__(self, **options):
        super().__init__(markup=False, emoji=False, **options)

    def render_str(self, text: str, **options) -> Text:
        return super().render_str(plain(text), **options)


def open_console() -> PlainConsole:
    """Return a console on the standard output; lines are wrapped in a terminal alone."""
    return PlainConsole(soft_wrap=not sys.stdout.isatty())
