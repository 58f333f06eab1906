"""Blank out Markdown markup character by character, so that the prose keeps its position."""

import re

FENCED = re.compile(r"^(?P<fence>```+|~~~+).*?(?:^(?P=fence)[`~]*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n.*?^---[ \t]*$", re.MULTILINE | re.DOTALL)
TABLE_ROW = re.compile(r"^[ \t]*\|.*$", re.MULTILINE)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
LINK_TARGET = re.compile(r"(?<=\])\([^()\s]*(?:\s+\"[^\"]*\")?\)")
LINE_MARK = re.compile(r"^[ \t]*(?:#{1,6}(?=[ \t])|[-*+](?=[ \t])|>|={3,}[ \t]*$|-{3,}[ \t]*$)", re.MULTILINE)
INLINE_MARK = re.compile(r"!?\[(?=[^\]\n]*\])|(?<=\S)\](?=[ \t]*)|\*{1,3}|`+|(?<!\w)_{1,2}|_{1,2}(?!\w)")
MARKUP = (FRONT_MATTER, FENCED, COMMENT, TABLE_ROW, LINK_TARGET, LINE_MARK, INLINE_MARK)


def blank_markup(text: str) -> str:
    """Return text of the same length with code blocks, tables, link targets and marks blanked out.

    Newlines stay, and so do paragraphs. Prose is kept as written; this is not a Markdown parser.
    """
    for pattern in MARKUP:
        text = pattern.sub(lambda match: re.sub(r"[^\r\n]", " ", match[0]), text)
    return text
