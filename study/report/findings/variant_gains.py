"""A study of variants by gain: what each change alone leaves of the gain in Hit@5 that the context seems to bring."""

import pandas as pd

from study.analysis.confounds import gains_table
from study.analysis.evidence import Evidence
from study.report.figures.dots import dots
from study.report.figures.figure import Figure
from study.report.finding import TOO_LITTLE, Block, Finding, Table
from study.report.findings import register
from study.report.style import shown

BAR_WIDTH = 24  # characters of the longest bar


def _table(evidence: Evidence) -> pd.DataFrame | None:
    """Return the gains; None where the study's file does not ask for them."""
    asked = evidence.study.manifest.space.compare
    return gains_table(evidence.study) if asked is not None and asked.by == "gain" else None


def sentences(evidence: Evidence) -> list[str]:
    """Return the gain as published, the change that takes off the most, and what the last change leaves."""
    table = _table(evidence)
    if table is None or table.empty:
        return [] if table is None else [TOO_LITTLE]
    first, last = table.iloc[0], table.iloc[-1]
    most = table.iloc[1:].loc[table.adds.iloc[1:].idxmax()]
    return [
        f"As published ({first.change}), the longest context gains {_gain(first)} in Hit@5.",
        f"Of the single changes, {most.change} takes off the most: {_adds(most)}.",
        f"With {last.change} the gain is {_gain(last)}.",
    ]


def figures(evidence: Evidence, _arm: str) -> list[Figure]:
    """Return the gain under each change."""
    table = _table(evidence)
    if table is None or table.empty:
        return []
    return [
        dots(
            table.assign(label=table.change), value="gain", axis="gain in Hit@5", key="gains", picture="variants",
            title="Apparent gain from context, one change at a time",
            caption="Gain in Hit@5 from the shortest to the longest context, with 95 % intervals. The first line is as "
            "published.",
        )
    ]  # fmt: skip


def blocks(evidence: Evidence, _arm: str) -> list[Block]:
    """Return the gain under each change, and what the published way adds to it."""
    table = _table(evidence)
    if table is None or table.empty:
        return [] if table is None else [TOO_LITTLE]
    rows = [[row.change, _gain(row), _adds(row) if number else "-"] for number, row in enumerate(table.itertuples())]
    header = ["changed alone", "gain in Hit@5, shortest to longest context [95 %]", "what the published way adds"]
    return [Table(title="apparent gain from context, one change at a time", header=header, rows=rows)]


def screen(evidence: Evidence, arm: str) -> list[Block]:
    """Return the same with bars of text."""
    found, gains = blocks(evidence, arm), _table(evidence)
    if gains is None or gains.empty:
        return found
    scale = BAR_WIDTH / max(gains[["gain", "high"]].abs().max())
    rows = [[row[0], _bar(gain, scale), *row[1:]] for row, gain in zip(found[0].rows, gains.gain, strict=True)]
    header = [found[0].header[0], "", *found[0].header[1:]]
    return [Table(title=found[0].title, header=header, rows=rows)]


def _gain(row) -> str:
    return shown(row.gain, row.low, row.high, "+.3f")


def _adds(row) -> str:
    return shown(row.adds, row.adds_low, row.adds_high, "+.3f")


def _bar(value: float, scale: float) -> str:
    return ("█" if value >= 0 else "░") * round(abs(value) * scale)


FINDING = register(
    Finding(
        key="variant-gains", title="What the variants are worth", after="variant-steps", sentences=sentences,
        blocks=blocks, figures=figures, screen=screen, of_variants=True,
    )
)  # fmt: skip
