"""A console on which text is text."""

import sys

from rich.console import Console
from rich.text import Text

from study.messages.escaping import plain


class PlainConsole(Console):
    """A console that prints names and titles as they are: no markup, no emoji codes, no control characters."""

    def __init__(self, **options):
        super().__init__(markup=False, emoji=False, **options)

    def render_str(self, text: str, **options) -> Text:
        return super().render_str(plain(text), **options)

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # study.cli.command chooses the exit status; Rich would end the process with 1


def open_console() -> PlainConsole:
    """Return a console on standard output; it wraps lines only in a terminal."""
    return PlainConsole(soft_wrap=not sys.stdout.isatty())
