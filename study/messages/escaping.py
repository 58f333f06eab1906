"""Escape text for a terminal or for Markdown."""

import re

# Control characters, unpaired surrogates and marks that change text direction: a terminal would interpret them, and no
# name or title needs them. Line feed and tab stay.
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str) -> str:
    """Escape the characters that a terminal would interpret."""
    return OBEYED.sub(lambda found: ascii(found[0])[1:-1], text)


def in_markdown(text: object) -> str:
    """Return text as one line, escaped so that Markdown finds no HTML, code, link or end of a table cell in it."""
    line = " ".join(plain(str(text)).split())
    for mark, escape in (("&", "&amp;"), ("<", "&lt;"), ("`", "\\`"), ("](", "]\\("), ("|", "\\|")):
        line = line.replace(mark, escape)
    return line
