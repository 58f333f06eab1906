"""Print the script with which a shell completes a command's subcommands, options and files."""

import argparse

SHELLS = ("bash", "zsh", "tcsh")


def completion_script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the script for a parser with all its subcommands. What has no choices is completed as a file."""
    import shtab  # nothing else needs it

    _complete_files(parser, shtab.FILE)
    return shtab.complete(parser, shell)


def _complete_files(parser: argparse.ArgumentParser, files: dict[str, str]) -> None:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for subparser in action.choices.values():
                _complete_files(subparser, files)
        elif action.choices is None and action.nargs != 0:
            action.complete = files
