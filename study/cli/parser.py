"""An argument parser whose errors are one sentence, with the nearest known word for a misspelt one."""

import argparse
import sys
from collections.abc import Callable, Sequence
from itertools import takewhile

from lvm_core.errors import InputError
from study.messages.suggestions import close_match, did_you_mean


class Parser(argparse.ArgumentParser):
    """An argument parser that raises InputError. prog: the command as a person types it, such as `lvm-study run`."""

    def __init__(self, **options):
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> None:
        raise InputError(f"{message}. See `{self.prog} --help`.")

    def parse_known_args(
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse, and refuse unknown arguments here: a subcommand's parser knows the options that may be meant."""
        args = list(sys.argv[1:] if args is None else args)
        try:
            options, unknown = super().parse_known_args(args, namespace)
        except InputError:
            unknown = [word for word in self._own(args) if self._hint(word)]
            if not unknown:
                raise  # else the misspelt option is why a required one is missing
        if unknown:
            misspelt = [f"{word}{hint}" for word in unknown if (hint := self._hint(word))]
            self.error(f"unrecognized arguments: {' '.join(misspelt or unknown)}")
        return options, []

    def _own(self, args: list[str]) -> list[str]:
        """Return the arguments before `--`, and before a subcommand, whose parser checks its own."""
        if self._subparsers is not None:
            return list(takewhile(lambda word: word.startswith("-"), args))
        return args[: args.index("--")] if "--" in args else args

    def _hint(self, word: str) -> str:
        """Return ` (did you mean --X?)` for an unknown option, or nothing."""
        known = {name.lstrip("-"): name for action in self._actions for name in action.option_strings}
        name = word.partition("=")[0]
        if not name.startswith("-") or name in known.values():
            return ""
        close = close_match(name.lstrip("-"), known)  # dashes would make all options alike
        return "" if close is None else f" (did you mean {known[close]}?)"

    def _check_value(self, action: argparse.Action, value: object) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            if hint := did_you_mean(value, action.choices):
                raise argparse.ArgumentError(action, f"invalid choice: {value!r}{hint}") from None
            raise error


class PrintAndExit(argparse.Action):
    """An option that prints what `text` returns for its value, and ends the command."""

    def __init__(self, *args, text: Callable[[str | None], str], **options):
        super().__init__(*args, **options)
        self.text = text

    def __call__(self, parser: argparse.ArgumentParser, namespace, values, option_string=None) -> None:
        print(self.text(values or None))
        parser.exit()
