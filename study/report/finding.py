"""One finding of a report, and what it consists of: page, report.md, terminal, PNG and CSV all follow from it."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd

from study.analysis.evidence import Evidence
from study.analysis.verdicts import Verdict
from study.report.figures.figure import Figure, Moving, Text

NO_MAP = (
    "There is no single map to draw: no cell is confirmed yet, or the cells differ by more than C and N, or in their "
    "queries and pool."
)

TOO_LITTLE = "Too little is measured yet to compare the variants."


@dataclass(frozen=True)
class Facts:
    """Names with their values."""

    pairs: list[tuple[str, Text]]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of text. page_only: too long for report.md; the page folds it."""

    title: str
    header: list[str]
    rows: list[list[Text]]
    page_only: bool = False


Block = str | Moving | Facts | Table  # a text is a paragraph


def _none(*_) -> list:
    return []


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a report shows of one question, in a section of its own.

    key: the anchor of the section, and what a verdict's `key` points to. after: the key of the finding that stands
    before it. by_arm: whether every arm of the study has its own. absent: what the page shows where there is nothing.

    Each of the functions takes the evidence and the name of an arm, which is empty unless `by_arm` holds and the study
    has arms. blocks: text, then tables, of the page and of report.md, where the figures stand between them. screen:
    what a terminal shows. verdicts: questions with their answers. csv: tables by file name. sentences: what the answer
    of the whole study takes from this finding; it needs no arm.

    of_variants: it answers a study of variants, and there it alone gives the answer and fills the screen. controls: a
    template with controls for its figures.
    """

    key: str
    title: str
    after: str | None
    by_arm: bool = False
    absent: str = ""
    blocks: Callable[[Evidence, str], list[Block]] = field(default=_none)
    figures: Callable[[Evidence, str], list[Figure]] = field(default=_none)
    screen: Callable[[Evidence, str], list[Block]] = field(default=_none)
    verdicts: Callable[[Evidence, str], list[Verdict]] = field(default=_none)
    csv: Callable[[Evidence, str], dict[str, pd.DataFrame]] = field(default=lambda *_: {})
    sentences: Callable[[Evidence], list[str]] = field(default=_none)
    of_variants: bool = False
    controls: str | None = None

    def arms(self, evidence: Evidence) -> list[str]:
        """Return the arms for which it stands; one without a name where it stands for the whole study."""
        return evidence.arms if self.by_arm else [""]

    def drawn(self, evidence: Evidence, arm: str) -> list[Figure]:
        """Return an arm's figures under the arm's own keys and pictures."""
        number = evidence.arms.index(arm) if arm else 0
        return [figure.of_arm(arm, number) for figure in self.figures(evidence, arm)]


def answered(key: str) -> Callable[[Evidence, str], list[Verdict]]:
    """Return a function that returns the verdicts of analysis on this key."""
    return lambda evidence, arm: [verdict for verdict in evidence.answers[arm].verdicts if verdict.key == key]
