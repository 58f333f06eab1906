"""What the command lines share: a parser and an error that say one sentence, and a screen on which text is text."""

import argparse
import sys

from rich.console import Console
from rich.text import Text

from lvm_core.errors import InputError
from lvm_core.remote import without_secrets
from study.wording import plain


class Parser(argparse.ArgumentParser):
    """An argument parser that says what is wrong in one sentence."""

    def error(self, message: str) -> None:
        raise InputError(f"{message}. See `python -m {self.prog} --help`.")


def say_error(error: Exception | str) -> None:
    """Print an error as one line; what it names, such as a file or a URI, may hold a line break or a key."""
    print(f"error: {plain(without_secrets(' '.join(str(error).split())))}", file=sys.stderr)


class PlainConsole(Console):
    """A console that takes names and titles as text: no markup, no emoji codes, no control characters."""

    def __init__(self, **options):
        super().__init__(markup=False, emoji=False, **options)

    def render_str(self, text: str, **options) -> Text:
        return super().render_str(plain(text), **options)


def open_console() -> PlainConsole:
    """Return a console on the standard output; lines are wrapped in a terminal alone."""
    return PlainConsole(soft_wrap=not sys.stdout.isatty())
