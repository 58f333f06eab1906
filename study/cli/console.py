"""A console on which text is text, and errors of one line."""

import sys

from rich.console import Console
from rich.text import Text

from lvm_core.remote import without_secrets
from study.messages.escaping import plain


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
