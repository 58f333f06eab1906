"""Cut a document into chunks of about a sentence: 8 to 40 words, each a character range of the document.

Sentences come from sentencex (Wikimedia, about 300 languages). Words are separated by whitespace, so
languages without it (Chinese, Japanese, Thai) are not supported.
"""

import itertools
import re
from bisect import bisect_left
from dataclasses import dataclass

from lvm_core.errors import InputError

MIN_WORDS, MAX_WORDS = 8, 40
WORD = re.compile(r"\S+")
LANGUAGE = re.compile(r"[A-Za-z]{1,8}([-_][A-Za-z0-9]{1,8})*")
PAUSES = ".!?;:,)—–…”\"'"  # good places to cut are after words that end in one
RULES = f"sentencex sentences, {MIN_WORDS} to {MAX_WORDS} words, version 1"  # raise the version when cuts move


@dataclass(frozen=True)
class Chunk:
    """start, end: the character range in the document. text: its words, separated by single spaces."""

    start: int
    end: int
    text: str


def cut(text: str, language: str = "en") -> list[Chunk]:
    """Return the chunks of a document in reading order; together they hold every word of it.

    A sentence over 40 words is halved at the pause nearest its middle, again if needed. A piece under 8 words is joined
    to the next one, the last piece to the previous one; a piece that grows over 40 words is halved again. Only a
    document of fewer than 8 words has a shorter chunk.
    Raises: InputError for a malformed language code.
    """
    if not LANGUAGE.fullmatch(language):
        raise InputError(f"a language must be a code such as en or pt-BR, but got {language[:40]!r}. Give --language.")
    words = [match.span() for match in WORD.finditer(text)]
    if not words:
        return []
    pauses = {number for number, (_, end) in enumerate(words, 1) if text[end - 1] in PAUSES}
    pieces = [half for piece in _sentences(text, words, language) for half in _halve(piece, pauses)]
    return [_chunk(text, words, piece) for piece in _join_short(pieces, pauses)]


def _sentences(text: str, words: list[tuple[int, int]], language: str) -> list[tuple[int, int]]:
    """Return sentences as ranges of word numbers; boundaries inside a word are ignored."""
    starts = [start for start, _ in words]
    ends = {bisect_left(starts, sentence["end_index"]) for sentence in _segmenter()(language, text)}
    edges = sorted({0, len(words)} | {number for number in ends if number < len(words)})
    return list(itertools.pairwise(edges))


def _halve(piece: tuple[int, int], pauses: set[int]) -> list[tuple[int, int]]:
    """Halve a range of words until none exceeds the maximum; no half falls below the minimum."""
    first, last = piece
    if last - first <= MAX_WORDS:
        return [piece]
    places = range(first + MIN_WORDS, last - MIN_WORDS + 1)
    middle = (first + last) / 2
    place = min([number for number in places if number in pauses] or places, key=lambda number: abs(number - middle))
    return _halve((first, place), pauses) + _halve((place, last), pauses)


def _join_short(pieces: list[tuple[int, int]], pauses: set[int]) -> list[tuple[int, int]]:
    """Join a piece under the minimum to the next one, the last to the previous one."""
    joined: list[tuple[int, int]] = []
    begun: int | None = None
    for first, last in pieces:
        first = first if begun is None else begun
        begun = first if last - first < MIN_WORDS else None
        if begun is None:
            joined += _halve((first, last), pauses)
    if begun is not None:
        start = joined.pop()[0] if joined else begun
        joined += _halve((start, pieces[-1][1]), pauses)
    return joined


def _chunk(text: str, words: list[tuple[int, int]], piece: tuple[int, int]) -> Chunk:
    inside = words[piece[0] : piece[1]]
    return Chunk(inside[0][0], inside[-1][1], " ".join(text[start:end] for start, end in inside))


def _segmenter():
    try:
        from sentencex import get_sentence_boundaries
    except ImportError as error:
        raise InputError(
            "cutting text needs the package sentencex, which is not installed. Install the extra: "
            "pip install 'lvm-study[text]'."
        ) from error
    return get_sentence_boundaries
