"""The corpus as a line over the map: how many windows it gives at each context, by their overlap."""

import pandas as pd

from study.analysis.diagonal import corpus_diagonal
from study.analysis.load import StudyRecords
from study.analysis.windows import TrainingPart
from study.report.figures.figure import Line
from study.report.style import VERMILION

EDGE = 0.46  # how far from the middle of the outermost cells the line is drawn at most
UNKNOWN_ENDS = " (an upper bound: this study does not record where documents end)"
EVERY = 6  # of the points beyond the map, those that are marked


def corpus_line(study: StudyRecords, contexts: list[int], sizes: list[int]) -> list[Line]:
    """Return the line of each overlap; where it leaves the map it runs along the edge, and triangles point outwards."""
    part = TrainingPart.of_study(study)
    if part is None:
        return []
    table = corpus_diagonal(part, contexts, sizes)
    last = len(sizes) - 1
    marks = []
    for place, (overlap, line) in enumerate(table.groupby("overlap")):
        line = line.assign(shown=line.x.clip(-EDGE, last + EDGE))
        beyond = line.iloc[::EVERY][~line.iloc[::EVERY].inside]
        marks.append(_line(line, overlap, place, dash="dash", symbol=None))
        for symbol, part in (
            ("triangle-right", beyond[beyond.x > last]),
            ("triangle-left", beyond[beyond.x <= last]),
        ):
            if len(part):
                marks.append(_line(part, overlap, place, dash=None, symbol=symbol))
    return marks


def _line(line: pd.DataFrame, overlap: float, place: int, **style) -> Line:
    name = f"this corpus, {'no overlap' if overlap == 0 else f'overlap {overlap:.0%}'}"
    hover = [f"{name}\nC={row.context_length:,.0f}: N={row.num_sequences:,.0f}" for row in line.itertuples()]
    return Line(
        name=name, x=list(line.shown), y=list(line.y), colour=VERMILION, width=3, size=11, hover=hover,
        in_legend=False, when=f"overlap={place}", **style,
    )  # fmt: skip


def corpus_note(study: StudyRecords, contexts: list[int], sizes: list[int]) -> str:
    """Return the text on the line with half an overlap, as published."""
    part = TrainingPart.of_study(study)
    if part is None:
        return "The number of training vectors is not recorded, and no corpus line is drawn."
    table = corpus_diagonal(part, contexts, sizes)
    half = table[table.overlap == table.overlap.max()]
    first, last = half.iloc[0], half.iloc[-1]
    note = (
        f"Dashed line: the windows that this corpus of {part.num_vectors:,} training vectors gives"
        f"{'' if part.by_document else UNKNOWN_ENDS}. Overlapping by half, "
        f"there are {first.num_sequences:,.0f} at C={first.context_length:,.0f} and {last.num_sequences:,.0f} at "
        f"C={last.context_length:,.0f}."
    )
    return note if half.inside.any() else f"{note} All of that lies off the map: triangles at the edge point to it."
