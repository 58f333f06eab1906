"""Draw Hit@5 against C and against N, with intervals, baselines, oracle and chance."""

import pandas as pd

from study.analysis.cells import ORACLE
from study.analysis.pool_maps import PoolMaps
from study.report.page.figure import (
    FOREGROUND,
    HIT_AXIS,
    MUTED,
    SYMBOLS,
    Figure,
    by_stop,
    line,
    log_axis,
    numbers,
    ordered_colours,
    plain_line,
)
from study.report.style import COLOURS, shown

AXES = {"context_length": "context length C", "num_sequences": "training sequences N"}
SHORT = {"context_length": "C", "num_sequences": "N"}


def against_context(maps: PoolMaps, key: str) -> Figure:
    """Return Hit@5 against C, a line for each N."""
    caption = (
        f"Bars: 95 % intervals. Baselines that train are those of N={maps.sizes[-1]:,}. Baselines that validation "
        "chooses in no cell are hidden: choose them in the legend."
    )
    return _against(maps, "context_length", "num_sequences", f"against-c{key}", "Hit@5 against context length", caption)


def against_sequences(maps: PoolMaps, key: str) -> Figure:
    """Return Hit@5 against N, a line for each C."""
    caption = f"Bars: 95 % intervals. Baselines and oracle are those of C={maps.contexts[-1]:,}."
    return _against(
        maps, "num_sequences", "context_length", f"against-n{key}", "Hit@5 against training sequences", caption
    )


def _against(maps: PoolMaps, along: str, lines: str, name: str, title: str, caption: str) -> Figure:
    values = sorted(maps.own.cells[along].unique())
    figure = Figure(name, title, caption, height=460)
    figure.layout = {"xaxis": log_axis(AXES[along], values), "yaxis": HIT_AXIS}
    others = sorted(maps.own.cells[lines].unique())
    for i, (other, colour) in enumerate(zip(others, ordered_colours(len(others)), strict=True)):
        tables = [view.cells[view.cells[lines] == other].sort_values(along) for view in maps.views]
        label = f"{SHORT[lines]}={int(other):,}"
        figure.add(
            line(label, tables[0][along], colour, symbol=SYMBOLS[i % len(SYMBOLS)]), by="pool", **by_stop(tables)
        )
        if maps.published:
            _add_published(figure, maps, along, lines, other, label, colour)
    _add_baselines(figure, maps, along, values)
    chance = [[round(view.chance, 5)] * len(values) for view in maps.views]
    figure.add(plain_line("chance", values, MUTED, "dot"), by="pool", y=chance)
    figure.table = _baseline_table(maps)
    return figure


def _add_published(figure: Figure, maps: PoolMaps, along: str, lines: str, other, label: str, colour: str) -> None:
    tables = [view.cells[view.cells[lines] == other].sort_values(along) for view in maps.published]
    trace = line(f"{label}, as published", tables[0][along], colour, dash="dash", symbol="circle-open")
    figure.add(trace, by="share", when="published", **by_stop(tables))


def _add_baselines(figure: Figure, maps: PoolMaps, along: str, values: list) -> None:
    chosen = set(maps.own.cells.best_baseline.dropna())
    names = sorted(maps.own.baselines.model.unique(), key=lambda name: (name != ORACLE, name))
    for i, name in enumerate(names):
        tables = [_baseline(view.baselines, name, maps, along, values) for view in maps.views]
        if tables[0].empty:
            continue
        colour = FOREGROUND if name == ORACLE else COLOURS[(i + 2) % len(COLOURS)]
        trace = plain_line(name, tables[0][along], colour, "dashdot" if name == ORACLE else "longdash")
        if name not in chosen and name != ORACLE:
            trace["visible"] = "legendonly"
        figure.add(trace, by="pool", y=[numbers(table.hit) for table in tables])


def _baseline(table: pd.DataFrame, name: str, maps: PoolMaps, along: str, values: list) -> pd.DataFrame:
    """Return a baseline along one axis, at the largest value of the other; one that trains nothing is level in N."""
    own = table[table.model == name]
    if along == "context_length":
        trained = own.num_sequences == maps.sizes[-1]
        return own[own.num_sequences.isna() | trained].sort_values(along)
    own = own[own.context_length == maps.contexts[-1]]
    if own.num_sequences.isna().all() and len(own):
        return pd.concat([own.head(1).assign(num_sequences=value) for value in values])
    return own.sort_values(along)


def _baseline_table(maps: PoolMaps) -> tuple[list[str], list[list]]:
    """Return every baseline's Hit@5; its cells follow the slider."""
    rows = [
        [
            row.model,
            f"{row.context_length:,}",
            "any" if pd.isna(row.num_sequences) else f"{int(row.num_sequences):,}",
            [shown(*view.baselines.iloc[i][["hit", "low", "high"]]) for view in maps.views],
        ]
        for i, row in enumerate(maps.own.baselines.itertuples())
    ]
    return ["baseline", "C", "N", "Hit@5 [95 %]"], rows
