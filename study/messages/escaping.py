"""Escape text for the place that shows it: a terminal, or Markdown."""

import re

# Control characters, halves of surrogate pairs, and marks that turn the direction of a line: none belongs in a name or
# a title, and a terminal would obey them. Line feed and tab stay.
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str) -> str:
    """Return text with the characters that a terminal would obey written as escapes."""
    return OBEYED.sub(lambda found: ascii(found[0])[1:-1], text)


def in_markdown(text: object) -> str:
    """Return text as one line in which Markdown finds no HTML, no code, no link and no end of a table's cell."""
    line = " ".join(plain(str(text)).split())
    for mark, escape in (("&", "&amp;"), ("<", "&lt;"), ("`", "\\`"), ("](", "]\\("), ("|", "\\|")):
        line = line.replace(mark, escape)
    return line
