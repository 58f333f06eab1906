"""Hit@5 against context and data: lines with intervals beside baselines, oracle and chance, and the elasticity in C."""

from dataclasses import dataclass

import pandas as pd

from study.analysis.cells import ORACLE
from study.analysis.evidence import Evidence
from study.analysis.pool_maps import PoolMaps
from study.analysis.verdict import CANNOT_TELL
from study.report.figures.figure import FOREGROUND, HIT_AXIS, MUTED, SYMBOLS, Axis, Figure, Line, Moving
from study.report.figures.marks import hits, moving, ordered_colours
from study.report.finding import NO_MAP, Block, Finding, Table, answered
from study.report.findings import register
from study.report.style import COLOURS, shown

GROWTH = {
    "superlinear": "grows superlinearly",
    "sublinear": "grows sublinearly",
    "flat": "hardly changes",
    "falling": "falls",
    "depends on N": "changes in a way that depends on N",
    CANNOT_TELL: "changes in a way that these records leave undecided",
}


@dataclass(frozen=True)
class Side:
    """What stands on the horizontal axis, and what has one line for each of its values."""

    key: str
    title: str
    along: str
    axis: str
    lines: str
    short: str


CONTEXT = Side("against-c", "context length", "context_length", "context length C", "num_sequences", "N")
DATA = Side("against-n", "training sequences", "num_sequences", "training sequences N", "context_length", "C")


def sentences(evidence: Evidence) -> list[str]:
    """Return how Hit@5 grows with the context, by the verdict; nothing where the cells are not one map."""
    found = [(arm, evidence.pool_maps[arm].own.elasticity) for arm in evidence.arms]
    parts = [
        f"{f'with {arm} it ' if arm else ''}{_growth(evidence, arm)} (elasticity "
        f"{shown(row.elasticity, row.low, row.high)} from C={row.from_context:,} to {row.to_context:,})"
        for arm, row in found
        if row is not None
    ]
    return (
        [f"As the context grows, Hit@5 {', '.join(parts)}; superlinear means an elasticity above 1."] if parts else []
    )


def _growth(evidence: Evidence, arm: str) -> str:
    """Return the verdict on the context as what Hit@5 does."""
    (verdict,) = FINDING.verdicts(evidence, arm)
    if not verdict.holds:
        return GROWTH[CANNOT_TELL]
    name = next((name for name in GROWTH if verdict.answer.startswith(name)), None)
    return f"is {verdict.answer}" if name is None else GROWTH[name] + verdict.answer.removeprefix(name)


def figures(evidence: Evidence, arm: str) -> list[Figure]:
    """Return Hit@5 against C, a line for each N, and against N, a line for each C."""
    maps = evidence.pool_maps[arm]
    captions = {
        CONTEXT: f"Bars: 95 % intervals. Baselines that train are shown at N={maps.sizes[-1]:,}. Baselines that "
        "validation never prefers are hidden: choose them in the legend.",
        DATA: f"Bars: 95 % intervals. Baselines and oracle are shown at C={maps.contexts[-1]:,}.",
    }
    return [_figure(maps, side, caption) for side, caption in captions.items()]


def _figure(maps: PoolMaps, side: Side, caption: str) -> Figure:
    values = sorted(maps.own.cells[side.along].unique())
    chance = Moving("pool", [[view.chance] * len(values) for view in maps.views])
    return Figure(
        key=side.key,
        picture="hit_at_5",
        title=Moving("pool", [f"Hit@5 against {side.title}, pool of {view.pool:,}" for view in maps.views]),
        caption=caption,
        marks=[
            *_cells(maps, side),
            *_baselines(maps, side, values),
            Line(name="chance", x=values, y=chance, colour=MUTED, dash="dot", symbol=None, width=1.5),
        ],
        x=Axis.log(side.axis, values),
        y=HIT_AXIS,
        table=_baseline_table(maps),
        width="half",
        height=460,
    )


def _cells(maps: PoolMaps, side: Side) -> list[Line]:
    """Return a line for each value, and over it the published reading."""
    others, marks = sorted(maps.own.cells[side.lines].unique()), []
    for i, (other, colour) in enumerate(zip(others, ordered_colours(len(others)), strict=True)):
        tables, published = (
            [view.cells[view.cells[side.lines] == other].sort_values(side.along) for view in views]
            for views in (maps.views, maps.published)
        )
        label, x = f"{side.short}={int(other):,}", list(tables[0][side.along])
        marks.append(Line(name=label, x=x, **hits("pool", tables), colour=colour, symbol=SYMBOLS[i % len(SYMBOLS)]))
        if published:
            marks.append(
                Line(
                    name=f"{label}, as published", x=x, **hits("share", published, maps.first_share), colour=colour,
                    dash="dash", symbol="circle-open", when="published",
                )
            )  # fmt: skip
    return marks


def _baselines(maps: PoolMaps, side: Side, values: list) -> list[Line]:
    chosen, marks = set(maps.own.cells.best_baseline.dropna()), []
    names = sorted(maps.own.baselines.model.unique(), key=lambda name: (name != ORACLE, name))
    for i, name in enumerate(names):
        tables = [_baseline(view.baselines, name, maps, side, values) for view in maps.views]
        if tables[0].empty:
            continue
        oracle = name == ORACLE
        marks.append(
            Line(
                name=name, x=list(tables[0][side.along]), y=moving("pool", tables, "hit"),
                colour=FOREGROUND if oracle else COLOURS[(i + 2) % len(COLOURS)],
                dash="dashdot" if oracle else "longdash", symbol=None, width=1.5,
                starts_hidden=name not in chosen and not oracle,
            )
        )  # fmt: skip
    return marks


def _baseline(table: pd.DataFrame, name: str, maps: PoolMaps, side: Side, values: list) -> pd.DataFrame:
    """Return a baseline along one axis, at the largest value of the other; one that trains nothing is level in N."""
    own = table[table.model == name]
    if side is CONTEXT:
        trained = own.num_sequences == maps.sizes[-1]
        return own[own.num_sequences.isna() | trained].sort_values(side.along)
    own = own[own.context_length == maps.contexts[-1]]
    if own.num_sequences.isna().all() and len(own):
        return pd.concat([own.head(1).assign(num_sequences=value) for value in values])
    return own.sort_values(side.along)


def _baseline_table(maps: PoolMaps) -> tuple[list[str], list[list]]:
    """Return every baseline's Hit@5; its cells follow the slider."""
    rows = [
        [
            row.model,
            f"{row.context_length:,}",
            "any" if pd.isna(row.num_sequences) else f"{int(row.num_sequences):,}",
            Moving("pool", [shown(*view.baselines.iloc[i][["hit", "low", "high"]]) for view in maps.views]),
        ]
        for i, row in enumerate(maps.own.baselines.itertuples())
    ]
    return ["baseline", "C", "N", "Hit@5 [95 %]"], rows


def blocks(evidence: Evidence, arm: str) -> list[Block]:
    """Return the elasticity of every step between neighbouring contexts, and of the whole range."""
    rows = [
        [
            f"{row.from_context:,} to {row.to_context:,}",
            "all" if pd.isna(row.num_sequences) else f"{row.num_sequences:,}",
            shown(row.elasticity, row.low, row.high),
            row.verdict,
        ]
        for row in evidence.answers[arm].elasticities.itertuples()
    ]
    header = ["C", "N", "elasticity of Hit@5 in C [95 %]", "verdict"]
    return [Table(title="Elasticity at the study's own pool", header=header, rows=rows, page_only=True)] if rows else []


FINDING = register(
    Finding(
        key="context", title="Hit@5 against context and data", after="cells", by_arm=True, absent=NO_MAP,
        sentences=sentences, blocks=blocks, figures=figures, verdicts=answered("context"),
        csv=lambda evidence, arm: {"elasticity": evidence.answers[arm].elasticities},
    )
)  # fmt: skip
