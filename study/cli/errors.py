"""Print an error as one line."""

import sys

from study.messages.escaping import plain


def say_error(error: Exception | str) -> None:
    """Print an error as one line: a file name or URI in it may contain a line break or a secret key."""
    from lvm_core.remote import without_secrets  # it imports NumPy, which --help does without

    print(f"error: {plain(without_secrets(' '.join(str(error).split())))}", file=sys.stderr)
