"""Draw what the pool does: Hit@5 against it, and the map's law read under control and as published."""

import pandas as pd

from study.analysis.pool_maps import PoolMaps
from study.analysis.pool_views import PoolView, PublishedView
from study.report.page.figure import (
    FOREGROUND,
    HIT_AXIS,
    MUTED,
    SYMBOLS,
    Figure,
    by_stop,
    error_bars,
    line,
    log_axis,
    numbers,
    ordered_colours,
    plain_line,
)
from study.report.style import BLUE, VERMILION, shown


def against_pool(maps: PoolMaps, key: str) -> Figure:
    """Return Hit@5 against the pool at the largest N, a line for each C, and where the slider stands."""
    size = maps.sizes[-1]
    figure = Figure(
        f"pool{key}",
        f"Hit@5 against the candidate pool, N={size:,}",
        (
            "The same ranks, read at every pool: exact in expectation over random pools. Bars: 95 % intervals. "
            "The vertical line is the slider's pool."
        ),
    )
    pools = [view.pool for view in maps.views]
    ticks = [pool for pool in (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000) if pools[0] <= pool <= pools[-1]]
    figure.layout = {
        "xaxis": log_axis("candidates in the pool", ticks),
        "yaxis": HIT_AXIS,
        "shapes": [_pointer(pools[-1])],
    }
    figure.move_layout("shapes", "pool", [[_pointer(pool)] for pool in pools])
    for i, (context, colour) in enumerate(zip(maps.contexts, ordered_colours(len(maps.contexts)), strict=True)):
        cells = maps.own.cells
        places = cells.index[(cells.context_length == context) & (cells.num_sequences == size)]
        if not len(places):
            continue
        bars = error_bars(pd.DataFrame([view.cells.loc[places[0], ["hit", "low", "high"]] for view in maps.views]))
        trace = line(f"C={context:,}", pools, colour, symbol=SYMBOLS[i % len(SYMBOLS)])
        trace["error_y"] |= {"array": bars["error_y__array"], "arrayminus": bars["error_y__arrayminus"]}
        figure.add(trace | {"y": bars["y"], "customdata": bars["customdata"]})
    figure.add(plain_line("chance", pools, MUTED, "dot") | {"y": numbers(view.chance for view in maps.views)})
    return figure


def apparent_law(maps: PoolMaps, key: str) -> Figure:
    """Return Hit@5 against C at the largest N, under control and as published, one over the other."""
    size = maps.sizes[-1]
    figure = Figure(
        f"apparent{key}",
        f"One set of ranks, two readings, N={size:,}",
        (
            "Blue: every context judged in the slider's pool. Vermilion: each context in a pool of a tenth of the "
            "windows that "
            "the chosen part of the corpus gives at that C, as the published table was made. Bars: 95 % intervals."
        ),
    )
    figure.layout = {"xaxis": log_axis("context length C", maps.contexts), "yaxis": HIT_AXIS | {"range": [0, 1.12]}}
    at_size = [view.cells[view.cells.num_sequences == size] for view in maps.views]
    controlled = line("controlled: one pool", at_size[0].context_length, BLUE)
    figure.add(controlled, by="pool", **by_stop(at_size))
    published = [view.cells[view.cells.num_sequences == size] for view in maps.published]
    trace = line(
        "as published: the pool shrinks as C grows",
        published[0].context_length,
        VERMILION,
        symbol="square",
        dash="dash",
    )
    trace |= {
        "text": [""] * len(published[0]),
        "textposition": "top center",
        "mode": "lines+markers+text",
        "cliponaxis": False,
    }
    figure.add(trace, by="share", **by_stop(published), text=[[f"pool {pool:,}" for pool in t.pool] for t in published])
    figure.table_by = "share"
    figure.table = (
        ["reading", "C", "windows", "a tenth of them", "pool used"],
        [
            [
                "as published",
                f"{context:,}",
                *(
                    [f"{view.pools.iloc[i][name]:,}" for view in maps.published]
                    for name in ("num_windows", "wanted_pool", "pool")
                ),
            ]
            for i, context in enumerate(maps.contexts)
        ],
    )
    return figure


def pool_texts(view: PoolView) -> dict[str, str]:
    """Return what the page says in words at one stop of the slider."""
    return {
        "pool": f"{view.pool:,}",
        "chance": f"{view.chance:.4f}",
        "elasticity": elasticity_text(view.elasticity),
    }


def share_texts(view: PublishedView) -> dict[str, str]:
    """Return what the page says in words of one share of the corpus."""
    pools = ", ".join(
        f"{row.pool:,}{' (recorded; a tenth is ' + format(row.wanted_pool, ',') + ')' if row.capped else ''} at "
        f"C={row.context_length:,}"
        for row in view.pools.itertuples()
    )
    return {"pools": pools, "published": elasticity_text(view.elasticity)}


def share_name(view: PublishedView) -> str:
    part = "the whole corpus" if view.share == 1 else f"{view.share:.3g} of the corpus"
    return f"{part} ({view.num_vectors:,} vectors), pools {view.pools.pool.iloc[0]:,} to {view.pools.pool.iloc[-1]:,}"


def elasticity_text(row) -> str:
    """Return the elasticity from the shortest to the longest context, in words."""
    if row is None:
        return "not known"
    return (
        f"{shown(row.elasticity, row.low, row.high)} from C={row.from_context:,} to {row.to_context:,} ({row.verdict})"
    )


def _pointer(pool: int) -> dict:
    return {
        "type": "line",
        "x0": pool,
        "x1": pool,
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "line": {"color": FOREGROUND, "width": 2, "dash": "dot"},
    }
