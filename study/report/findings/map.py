"""The map: a heatmap of Hit@5 over C and N, with the cells that have no number and the corpus as a line over it."""

import pandas as pd

from study.analysis.evidence import Evidence
from study.analysis.holm import LEVEL
from study.analysis.load import arm_of
from study.analysis.pool_maps import PoolMaps
from study.analysis.pool_views import PoolView, PublishedView
from study.report.figures.figure import Axis, Figure, Heatmap, Labels, Moving
from study.report.finding import NO_MAP, Block, Finding
from study.report.findings import register
from study.report.findings.cells import estimand
from study.report.findings.corpus_line import corpus_line, corpus_note
from study.report.style import shown

ABOVE, BELOW, UNDECIDED = "★", "▼", ""
MARKS = (
    f"Test Hit@5 of each cell. {ABOVE}: above the best baseline, by Holm over all cells; {BELOW}: below it; no mark: "
    "no difference shown. "
)
CAPTION = (
    "Hover over a cell, or open the table, for its 95 % interval. White boxes: the “as published” reading, where it is "
    "added."
)


def blocks(evidence: Evidence, _arm: str) -> list[Block]:
    """Return what the marks mean, what the intervals are about, and where the corpus lies on the map."""
    axes = evidence.study.manifest.space.cells
    about = f"{estimand(evidence)[0].upper()}{estimand(evidence)[1:]}."
    return [f"{MARKS}{about} {corpus_note(evidence.study, axes.context_length, axes.num_sequences)}"]


def figures(evidence: Evidence, arm: str) -> list[Figure]:
    """Return the heatmap. Rows are contexts, columns numbers of sequences, at even distances."""
    maps, axes = evidence.pool_maps[arm], evidence.study.manifest.space.cells
    contexts, sizes = axes.context_length, axes.num_sequences
    marks = [
        _heatmap(maps, contexts, sizes),
        *_missing(evidence, arm, contexts, sizes),
        *corpus_line(evidence.study, contexts, sizes),
        *_published(maps, contexts, sizes),
    ]
    pools = [f"Hit@5 over context length and training sequences, pool of {view.pool:,}" for view in maps.views]
    return [
        Figure(
            key="map",
            picture="map",
            title=Moving("pool", pools),
            caption=CAPTION,
            marks=marks,
            x=Axis.places("training sequences N", sizes),
            y=Axis.places("context length C", contexts),
            table=_table(maps),
            height=150 + 62 * len(contexts),
            legend=False,
        )
    ]


def _heatmap(maps: PoolMaps, contexts: list[int], sizes: list[int]) -> Heatmap:
    def grids(write) -> list[list[list]]:
        return [_grid(view, contexts, sizes, lambda cell, view=view: write(cell, view)) for view in maps.views]

    return Heatmap(
        title="test Hit@5",
        values=Moving("pool", grids(lambda cell, _: cell and cell.hit)),
        labels=Moving("pool", grids(lambda cell, _: f"{cell.hit:.2f} {_mark(cell)}".strip() if cell else "")),
        hover=Moving("pool", grids(lambda cell, view: _hover(cell, view) if cell else "")),
        details=grids(lambda cell, _: f"{cell.low:.3f}-{cell.high:.3f}" if cell else "")[-1],
    )


def _grid(view: PoolView, contexts: list[int], sizes: list[int], write) -> list[list]:
    found = {(row.context_length, int(row.num_sequences)): row for row in view.cells.itertuples()}
    return [[write(found.get((context, size))) for size in sizes] for context in contexts]


def _hover(cell, view: PoolView) -> str:
    text = (
        f"C={cell.context_length:,}, N={int(cell.num_sequences):,}, pool {view.pool:,}\n"
        f"Hit@5 {cell.hit:.3f}, 95 % interval {cell.low:.3f} to {cell.high:.3f}"
    )
    if pd.isna(cell.lift):
        return text
    return f"{text}\nlift over {cell.best_baseline} {shown(cell.lift, cell.lift_low, cell.lift_high, '+.3f')}"


def _mark(cell) -> str:
    if pd.isna(cell.lift):
        return UNDECIDED
    if not cell.lift_p_holm < LEVEL:
        return UNDECIDED
    return ABOVE if cell.lift > 0 else BELOW


def _missing(evidence: Evidence, arm: str, contexts: list[int], sizes: list[int]) -> list[Labels]:
    """Mark the cells without a number: infeasible ones, with the reason, and those not measured (yet)."""
    rows = [row for row in evidence.study.infeasible.itertuples() if arm_of(row.cell_id) in (arm, "")]
    reasons = {(row.context_length, int(row.num_sequences)): str(row.error) for row in rows}
    cells = evidence.pool_maps[arm].own.cells
    measured = {(row.context_length, int(row.num_sequences)) for row in cells.itertuples()}
    missing = [(c, n) for c in contexts for n in sizes if (c, n) not in measured]
    if not missing:
        return []
    return [
        Labels(
            x=[sizes.index(n) for _, n in missing],
            y=[contexts.index(c) for c, _ in missing],
            text=["infeasible" if key in reasons else "not yet" for key in missing],
            hover=[f"C={key[0]}, N={key[1]}: {reasons.get(key, 'not measured')}" for key in missing],
        )
    ]


def _published(maps: PoolMaps, contexts: list[int], sizes: list[int]) -> list[Labels]:
    if not maps.published:
        return []
    cells, stops = maps.published[0].cells, [_published_texts(view) for view in maps.published]
    return [
        Labels(
            x=[sizes.index(int(size)) for size in cells.num_sequences],
            y=[contexts.index(context) for context in cells.context_length],
            text=Moving("share", stops, maps.first_share),
            size=10,
            shift=-19,
            box=True,
            when="published",
        )
    ]


def _published_texts(view: PublishedView) -> list[str]:
    return [f"{hit:.2f}" for hit in view.cells.hit]


def _table(maps: PoolMaps) -> tuple[list[str], list[list]]:
    """Return the table behind the map; its cells follow the slider."""
    rows = []
    for i, cell in enumerate(maps.own.cells.itertuples()):
        at = [view.cells.iloc[i] for view in maps.views]
        rows.append(
            [
                f"{cell.context_length:,}",
                f"{int(cell.num_sequences):,}",
                Moving("pool", [shown(row.hit, row.low, row.high) for row in at]),
                "-" if pd.isna(cell.best_baseline) else cell.best_baseline,
                Moving("pool", [shown(row.lift, row.lift_low, row.lift_high, "+.3f") for row in at]),
                Moving("pool", [_mark(row) for row in at]),
            ]
        )
    return ["C", "N", "Hit@5 [95 %]", "best baseline", "lift over it [95 %]", "mark"], rows


FINDING = register(
    Finding(
        key="map", title="Map", after="variant-differences", by_arm=True, absent=NO_MAP, blocks=blocks,
        figures=figures, controls="overlap.html.j2",
    )
)  # fmt: skip
