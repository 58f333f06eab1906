"""Draw the map: a heatmap of Hit@5 over C and N, what could not be measured, and the corpus drawn over it."""

import pandas as pd

from study.analysis.diagonal import corpus_diagonal
from study.analysis.hit_map import arm_of
from study.analysis.load import StudyRecords
from study.analysis.pool_maps import PoolMaps
from study.analysis.pool_views import PoolView, PublishedView
from study.report.page.figure import FOREGROUND, INFEASIBLE, Figure, numbers, safe
from study.report.style import VERMILION, shown

ABOVE, BELOW, UNTOLD = "★", "▼", ""
DARK = 0.45  # up to here cividis is dark enough for white
CAPTION = (
    f"Colour and number: test Hit@5 at the pool chosen above. {ABOVE} beats the best baseline beyond chance; "
    f"{BELOW} lies below it beyond chance; no mark: cannot be told apart. Hover or open the table for 95 % intervals. "
    "In white boxes, where it is laid over: the as published reading. "
)


def map_figure(study: StudyRecords, maps: PoolMaps, arm: str, key: str) -> Figure:
    """Return one arm's heatmap. Rows are contexts, columns numbers of sequences, at even distances."""
    axes = study.manifest.space.cells
    contexts = axes.context_length
    sizes = axes.num_sequences
    diagonal, note = _diagonal(study, contexts, sizes)
    figure = Figure(f"map{key}", "Hit@5 over context length and training sequences", CAPTION + note)
    figure.height = 150 + 62 * len(contexts)
    figure.layout = {
        "xaxis": _axis("training sequences N", sizes) | {"constrain": "domain"},
        "yaxis": _axis("context length C", contexts),
        "annotations": [],
        "showlegend": False,
        "plot_bgcolor": INFEASIBLE,
    }
    grids = [_grid(view, contexts, sizes) for view in maps.views]
    figure.add(
        {
            "type": "heatmap",
            "x": list(range(len(sizes))),
            "y": list(range(len(contexts))),
            "colorscale": "Cividis",
            "zmin": 0,
            "zmax": 1,
            "xgap": 2,
            "ygap": 2,
            "hovertemplate": "%{hovertext}<extra></extra>",
            "hoverongaps": False,
            "colorbar": {"title": {"text": "Hit@5"}, "thickness": 12, "tickformat": ".1f"},
        },
        by="pool",
        **{name: [grid[name] for grid in grids] for name in ("z", "hovertext")},
    )
    cells = maps.own.cells
    figure.add(
        {
            "type": "scatter",
            "mode": "text",
            "hoverinfo": "skip",
            "x": [sizes.index(int(n)) for n in cells.num_sequences],
            "y": [contexts.index(c) for c in cells.context_length],
            "textfont": {"size": 15},
        },
        by="pool",
        text=[_labels(view) for view in maps.views],
        textfont__color=[_inks(view) for view in maps.views],
    )
    _add_missing(figure, study, arm, maps, contexts, sizes)
    for place, (overlap, line) in enumerate(diagonal.items()):
        figure.add(_diagonal_trace(overlap, line, len(sizes)), when=f"overlap={place}")
    if maps.published:
        values = [_published_labels(view, contexts, sizes) for view in maps.published]
        figure.move_layout("annotations", "share", values, when="published")
    figure.table = map_table(maps)
    return figure


def map_table(maps: PoolMaps) -> tuple[list[str], list[list]]:
    """Return the table behind the map; its cells follow the slider."""
    rows = []
    for i, cell in enumerate(maps.own.cells.itertuples()):
        at = [view.cells.iloc[i] for view in maps.views]
        rows.append(
            [
                f"{cell.context_length:,}",
                f"{int(cell.num_sequences):,}",
                [shown(row.hit, row.low, row.high) for row in at],
                str(cell.best_baseline or "-"),
                [shown(row.lift, row.lift_low, row.lift_high, "+.3f") for row in at],
                [_mark(row) for row in at],
            ]
        )
    return ["C", "N", "Hit@5 [95 %]", "best baseline", "lift over it [95 %]", "mark"], rows


def _axis(title: str, values: list[int]) -> dict:
    return {
        "title": {"text": title},
        "tickvals": list(range(len(values))),
        "ticktext": [f"{value:,}" for value in values],
        "range": [-0.5, len(values) - 0.5],
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
    }


def _grid(view: PoolView, contexts: list[int], sizes: list[int]) -> dict[str, list]:
    found = {(row.context_length, int(row.num_sequences)): row for row in view.cells.itertuples()}
    rows = [[found.get((context, size)) for size in sizes] for context in contexts]
    return {
        "z": [[None if cell is None else round(cell.hit, 4) for cell in row] for row in rows],
        "hovertext": [["" if cell is None else _hover(cell, view) for cell in row] for row in rows],
    }


def _labels(view: PoolView) -> list[str]:
    return [f"{cell.hit:.2f} {_mark(cell)}".strip() for cell in view.cells.itertuples()]


def _inks(view: PoolView) -> list[str]:
    """Return black on the light half of the colour scale, white on the dark one."""
    return ["#000" if hit > DARK else "#fff" for hit in view.cells.hit]


def _hover(cell, view: PoolView) -> str:
    lift = (
        ""
        if pd.isna(cell.lift)
        else (f"<br>lift over {safe(cell.best_baseline)} {shown(cell.lift, cell.lift_low, cell.lift_high, '+.3f')}")
    )
    return (
        f"C={cell.context_length:,}, N={int(cell.num_sequences):,}, pool {view.pool:,}<br>"
        f"Hit@5 {cell.hit:.3f}, 95 % interval {cell.low:.3f} to {cell.high:.3f}{lift}"
    )


def _mark(cell) -> str:
    if pd.isna(cell.lift):
        return UNTOLD
    return ABOVE if cell.lift_low > 0 else BELOW if cell.lift_high < 0 else UNTOLD


def _add_missing(figure: Figure, study: StudyRecords, arm: str, maps: PoolMaps, contexts: list, sizes: list) -> None:
    """Mark the cells without a number: infeasible ones, with the reason, and those not measured (yet)."""
    rows = [row for row in study.infeasible.itertuples() if arm_of(row.cell_id) in (arm, "")]
    reasons = {(row.context_length, int(row.num_sequences)): str(row.error) for row in rows}
    measured = {(row.context_length, int(row.num_sequences)) for row in maps.own.cells.itertuples()}
    missing = [(c, n) for c in contexts for n in sizes if (c, n) not in measured]
    if missing:
        figure.add(
            {
                "type": "scatter",
                "mode": "text",
                "textfont": {"color": FOREGROUND, "size": 12},
                "x": [sizes.index(n) for _, n in missing],
                "y": [contexts.index(c) for c, _ in missing],
                "text": ["infeasible" if key in reasons else "not yet" for key in missing],
                "hovertext": [safe(f"C={key[0]}, N={key[1]}: {reasons.get(key, 'not measured')}") for key in missing],
                "hoverinfo": "text",
            }
        )


def _diagonal(study: StudyRecords, contexts: list[int], sizes: list[int]) -> tuple[dict[float, pd.DataFrame], str]:
    """Return the corpus's line by overlap, and what to say of it."""
    num_vectors = study.num_training_vectors
    if not num_vectors:
        return {}, "The manifest does not say how many training vectors there are: no corpus line."
    table = corpus_diagonal(num_vectors, contexts, sizes)
    lines = {float(overlap): line for overlap, line in table.groupby("overlap")}
    ends = table[table.overlap == max(lines)]
    first, last = ends.iloc[0], ends.iloc[-1]
    note = (
        f"Dashed line: where this corpus ({num_vectors:,} training vectors) lies when it is cut into windows; "
        "overlapping by "
        f"half they number {first.num_sequences:,.0f} at C={first.context_length:,.0f} and "
        f"{last.num_sequences:,.0f} at "
        f"C={last.context_length:,.0f}."
    )
    if not ends.inside.any():
        note += " That lies outside the sizes measured: triangles at the edge point to where it goes on."
    return lines, note


def _diagonal_trace(overlap: float, line: pd.DataFrame, num_sizes: int) -> dict:
    """Return the line; what lies off the grid stands at its edge, as triangles that point there."""
    beyond = line.x > num_sizes - 1
    shown_x = line.x.clip(-0.46, num_sizes - 0.54)
    symbols = [
        "line-ns" if inside else "triangle-right" if right else "triangle-left"
        for inside, right in zip(line.inside, beyond, strict=True)
    ]
    sizes = [0 if inside or place % 6 else 11 for place, inside in enumerate(line.inside)]
    name = "no overlap" if overlap == 0 else f"overlap {overlap:.0%}"
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": f"this corpus, {name}",
        "x": numbers(shown_x),
        "y": numbers(line.y),
        "marker": {"symbol": symbols, "size": sizes, "color": VERMILION},
        "line": {"color": VERMILION, "width": 3, "dash": "dash"},
        "customdata": numbers(line.num_sequences, 0),
        "text": [f"{context:,.0f}" for context in line.context_length],
        "hovertemplate": f"this corpus, {name}<br>C=%{{text}}: N=%{{customdata:,}}<extra></extra>",
    }


def _published_labels(view: PublishedView, contexts: list[int], sizes: list[int]) -> list[dict]:
    return [
        {
            "x": sizes.index(int(cell.num_sequences)),
            "y": contexts.index(cell.context_length),
            "yshift": -19,
            "showarrow": False,
            "text": f"{cell.hit:.2f}",
            "font": {"size": 10, "color": "#111"},
            "bgcolor": "rgba(255,255,255,0.85)",
        }
        for cell in view.cells.itertuples()
    ]
