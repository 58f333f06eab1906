"""Suggest the known word that a misspelt one is nearest to."""

import difflib
from collections.abc import Iterable

CUTOFF = 0.6  # of difflib's ratio: `lerning` finds learning_rate; at 0.5 `nonsense` finds seed


def close_match(word: object, known: Iterable[object]) -> str | None:
    """Return the known word nearest to another, if one is near."""
    return next(iter(difflib.get_close_matches(str(word), sorted(map(str, known)), n=1, cutoff=CUTOFF)), None)


def did_you_mean(word: object, known: Iterable[object]) -> str:
    """Return ` (did you mean X?)`, or nothing where no known word is near."""
    close = close_match(word, known)
    return "" if close is None else f" (did you mean {close}?)"
