"""The candidate pool: Hit@5 against its size, and one set of ranks read in one pool and as published."""

import pandas as pd

from study.analysis.evidence import Evidence
from study.analysis.pool_maps import PoolMaps
from study.analysis.pool_views import PublishedView
from study.report.figures.figure import FOREGROUND, HIT_AXIS, MUTED, SYMBOLS, Axis, Figure, Line, Moving
from study.report.figures.marks import hits, ordered_colours
from study.report.finding import NO_MAP, Block, Facts, Finding
from study.report.findings import register
from study.report.style import BLUE, VERMILION, shown

ABOUT = (
    "Hit@5 is the chance to be among the first five of a pool: it rises as the pool shrinks, whatever the model does. "
    "In the published table the pool shrank as the context grew, to a tenth of the windows that the corpus gives at "
    "that context. On the page, move the slider or add the published reading to see how much of the law is the pool."
)
TICKS = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)


def blocks(evidence: Evidence, arm: str) -> list[Block]:
    """Return the elasticity in one pool, and in the pools of the published reading."""
    maps = evidence.pool_maps[arm]
    one = [
        f"one pool of {view.pool:,} (chance {view.chance:.4f}): elasticity of Hit@5 in C {_elasticity(view.elasticity)}"
        for view in maps.views
    ]
    pairs = [("controlled", Moving("pool", one))]
    if maps.published:
        shrinking = [f"pools of {_pools(v)}: elasticity {_elasticity(v.elasticity)}" for v in maps.published]
        pairs.append(("as published", Moving("share", shrinking, maps.first_share)))
    return [ABOUT, Facts(pairs)]


def figures(evidence: Evidence, arm: str) -> list[Figure]:
    """Return both figures; the second where the size of the corpus is recorded."""
    maps = evidence.pool_maps[arm]
    return [_against_pool(maps), *([_apparent(maps)] if maps.published else [])]


def _against_pool(maps: PoolMaps) -> Figure:
    """Return Hit@5 against the pool at the largest N, a line for each C, and where the slider stands."""
    size, pools, cells = maps.sizes[-1], [view.pool for view in maps.views], maps.own.cells
    marks = [
        Line(
            name="the slider's pool", x=Moving("pool", [[pool, pool] for pool in pools]), y=[0, 1.02], dash="dot",
            colour=FOREGROUND, symbol=None, in_legend=False, hover=["the slider's pool"] * 2,
        )
    ]  # fmt: skip
    for i, (context, colour) in enumerate(zip(maps.contexts, ordered_colours(len(maps.contexts)), strict=True)):
        places = cells.index[(cells.context_length == context) & (cells.num_sequences == size)]
        if len(places):
            at = pd.DataFrame([view.cells.loc[places[0], ["hit", "low", "high"]] for view in maps.views])
            line = Line(
                name=f"C={context:,}", x=pools, y=list(at.hit), low=list(at.low), high=list(at.high), colour=colour,
                symbol=SYMBOLS[i % len(SYMBOLS)],
            )  # fmt: skip
            marks.append(line)
    chance = [view.chance for view in maps.views]
    marks.append(Line(name="chance", x=pools, y=chance, colour=MUTED, dash="dot", symbol=None, width=1.5))
    return Figure(
        key="pool",
        picture="pool",
        title=f"Hit@5 against the candidate pool, N={size:,}",
        caption="The same ranks read in every pool, exact in expectation over random pools. Bars: 95 % intervals. The "
        "vertical line is the slider's pool.",
        marks=marks,
        x=Axis.log("candidates in the pool", [pool for pool in TICKS if pools[0] <= pool <= pools[-1]]),
        y=HIT_AXIS,
        width="half",
    )


def _apparent(maps: PoolMaps) -> Figure:
    """Return Hit@5 against C at the largest N, in one pool and as published."""
    size = maps.sizes[-1]
    one, published = (
        [view.cells[view.cells.num_sequences == size] for view in views] for views in (maps.views, maps.published)
    )
    texts = Moving("share", [[f"pool {pool:,}" for pool in table.pool] for table in published], maps.first_share)
    marks = [
        Line(name="controlled: one pool", x=list(one[0].context_length), **hits("pool", one), colour=BLUE),
        Line(
            name="as published: the pool shrinks as C grows", x=list(published[0].context_length),
            **hits("share", published, maps.first_share), labels=texts, colour=VERMILION, symbol="square", dash="dash",
        ),
    ]  # fmt: skip
    return Figure(
        key="apparent",
        picture="pool",
        title=Moving("pool", [f"One set of ranks, two readings, N={size:,}, pool of {v.pool:,}" for v in maps.views]),
        caption="Blue: every context in the slider's pool. Vermilion: each context in a pool of a tenth of the windows "
        "that the chosen part of the corpus gives at that C, as in the published table. Bars: 95 % intervals.",
        marks=marks,
        x=Axis.log("context length C", maps.contexts),
        y=Axis(title="test Hit@5", range=(0, 1.12), form=".1f"),
        table=_published_pools(maps),
        width="half",
    )


def _published_pools(maps: PoolMaps) -> tuple[list[str], list[list]]:
    columns = ("num_windows", "wanted_pool", "pool")
    rows = [
        ["as published", f"{context:,}"]
        + [
            Moving("share", [f"{v.pools.iloc[i][name]:,}" for v in maps.published], maps.first_share)
            for name in columns
        ]
        for i, context in enumerate(maps.contexts)
    ]
    return ["reading", "C", "windows", "a tenth of them", "pool used"], rows


def _pools(view: PublishedView) -> str:
    return ", ".join(
        f"{row.pool:,}{f' (all that are recorded; a tenth is {row.wanted_pool:,})' if row.capped else ''} at "
        f"C={row.context_length:,}"
        for row in view.pools.itertuples()
    )


def _elasticity(row) -> str:
    """Return the elasticity from the shortest to the longest context, in words."""
    if row is None:
        return "not known"
    value = shown(row.elasticity, row.low, row.high)
    return f"{value} from C={row.from_context:,} to {row.to_context:,} ({row.verdict})"


FINDING = register(
    Finding(
        key="candidate-pool", title="The candidate pool", after="baselines", by_arm=True, absent=NO_MAP, blocks=blocks,
        figures=figures,
    )
)  # fmt: skip
