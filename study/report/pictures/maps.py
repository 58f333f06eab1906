"""Draw one arm's map as pictures: heatmap, lines, pool, law, thresholds."""

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure

from study.analysis.cells import ORACLE
from study.analysis.diagonal import corpus_diagonal
from study.analysis.hit_map import arm_of
from study.analysis.load import StudyRecords
from study.analysis.pool_maps import PoolMaps
from study.analysis.verdicts import Answers
from study.report.style import BLUE, GREEN, VERMILION

MARKERS = "osD^PXv*hp"
OVERLAP = 0.5  # of the corpus line, as published
DARK = 0.45


def heatmap(study: StudyRecords, maps: PoolMaps, arm: str) -> Figure:
    """Draw Hit@5 with its interval in every cell, infeasible cells hatched, and the corpus over it."""
    axes = study.manifest.space.cells
    contexts, sizes = axes.context_length, axes.num_sequences
    figure = Figure(figsize=(2.2 + 1.25 * len(sizes), 1.6 + 0.72 * len(contexts)), layout="constrained")
    plot = figure.subplots()
    values = np.full((len(contexts), len(sizes)), np.nan)
    for cell in maps.own.cells.itertuples():
        row, column = contexts.index(cell.context_length), sizes.index(int(cell.num_sequences))
        values[row, column] = cell.hit
        below = pd.notna(cell.lift) and cell.lift_high < 0
        above = pd.notna(cell.lift) and cell.lift_low > 0
        mark = " ▼" if below else " ★" if above else ""
        text = f"{cell.hit:.3f}{mark}\n{cell.low:.3f}-{cell.high:.3f}"
        plot.text(
            column, row, text, ha="center", va="center", fontsize=8, color="black" if cell.hit > DARK else "white"
        )
    image = plot.imshow(values, cmap="cividis", vmin=0, vmax=1, origin="lower", aspect="auto")
    figure.colorbar(image, ax=plot, label="test Hit@5")
    _infeasible(plot, study, arm, contexts, sizes)
    _corpus_line(plot, study, contexts, sizes)
    plot.set(xticks=range(len(sizes)), xticklabels=[f"{n:,}" for n in sizes], xlabel="training sequences N")
    plot.set(yticks=range(len(contexts)), yticklabels=[f"{c:,}" for c in contexts], ylabel="context length C")
    plot.set(
        xlim=(-0.5, len(sizes) - 0.5), ylim=(-0.5, len(contexts) - 0.5), title=_title(f"pool {maps.own.pool:,}", arm)
    )
    return figure


def against_both(maps: PoolMaps, arm: str) -> Figure:
    """Draw Hit@5 against C and against N, with the chosen baselines, the oracle and chance."""
    figure = Figure(figsize=(10.5, 4.4), layout="constrained")
    for plot, (along, lines, names) in zip(
        figure.subplots(1, 2, sharey=True),
        (("context_length", "num_sequences", "CN"), ("num_sequences", "context_length", "NC")),
        strict=True,
    ):
        others = sorted(maps.own.cells[lines].unique())
        for i, other in enumerate(others):
            table = maps.own.cells[maps.own.cells[lines] == other].sort_values(along)
            _bars(plot, table[along], table, f"{names[1]}={int(other):,}", _colour(i, len(others)), MARKERS[i % 10])
        _baselines(plot, maps, along, others[-1])
        plot.axhline(maps.own.chance, color="grey", linestyle=":", linewidth=1, label="chance")
        _log(
            plot,
            sorted(maps.own.cells[along].unique()),
            {"C": "context length C", "N": "training sequences N"}[names[0]],
        )
        plot.legend(fontsize=7, ncols=2)
    figure.axes[0].set(ylabel="test Hit@5", ylim=(0, 1.02))
    figure.suptitle(_title(f"95 % intervals, pool {maps.own.pool:,}", arm), fontsize=10)
    return figure


def pool(maps: PoolMaps, arm: str) -> Figure:
    """Draw Hit@5 against the pool, and the controlled and the published reading of the same ranks."""
    figure, size = Figure(figsize=(10.5, 4.2), layout="constrained"), maps.sizes[-1]
    left, right = figure.subplots(1, 2, sharey=True)
    for i, context in enumerate(maps.contexts):
        rows = [
            view.cells[(view.cells.context_length == context) & (view.cells.num_sequences == size)]
            for view in maps.views
        ]
        if len(rows[-1]):
            pools = [view.pool for view in maps.views]
            _bars(left, pools, pd.concat(rows), f"C={context:,}", _colour(i, len(maps.contexts)), MARKERS[i % 10])
    left.plot(
        [view.pool for view in maps.views], [view.chance for view in maps.views], ":", color="grey", label="chance"
    )
    left.set(xscale="log", xlabel="candidates in the pool", ylabel="test Hit@5", ylim=(0, 1.1), title=f"N={size:,}")
    own = maps.own.cells[maps.own.cells.num_sequences == size]
    _bars(right, own.context_length, own, f"controlled: pool {maps.own.pool:,}", BLUE, "o")
    if maps.published:
        table = maps.published[maps.first_share].cells
        table = table[table.num_sequences == size]
        _bars(right, table.context_length, table, "as published: pool shrinks with C", VERMILION, "s", "--")
        for row in table.itertuples():
            right.annotate(
                f"pool {row.pool:,}",
                (row.context_length, row.hit),
                fontsize=7,
                xytext=(0, 9),
                ha="center",
                textcoords="offset points",
            )
    _log(right, maps.contexts, "context length C")
    for plot in (left, right):
        plot.legend(fontsize=7)
    right.set_title(_title("the same ranks, two readings", arm), fontsize=10)
    return figure


def law(maps: PoolMaps, arm: str) -> Figure | None:
    """Draw the law over the measured cells, its residuals, and held-out predictions; None where no law is fitted."""
    if not maps.laws:
        return None
    found, figure = maps.laws[-1], Figure(figsize=(12, 4), layout="constrained")
    curves, residuals, held_out = figure.subplots(1, 3)
    for i, size in enumerate(maps.sizes):
        fine, cells = (table[table.num_sequences == size] for table in (found.curves, found.cells))
        colour = _colour(i, len(maps.sizes))
        curves.plot(fine.context_length, fine.hit, color=colour)
        _bars(curves, cells.context_length, cells, f"N={size:,}", colour, MARKERS[i % 10], "none", "measured")
    _log(curves, maps.contexts, "context length C")
    curves.set(ylabel="test Hit@5", title=_title(f"law: {found.form}", arm))
    curves.legend(fontsize=7)
    cells = found.cells.rename(columns={"low": "_", "high": "__", "residual_low": "low", "residual_high": "high"})
    _bars(residuals, cells.fitted, cells, "", BLUE, "o", "none", "residual")
    residuals.axhline(0, color="grey", linewidth=1)
    residuals.set(xlabel="fitted Hit@5", ylabel="measured less fitted", title="residuals")
    left_out = found.cells[found.cells.predicted.notna()].drop(columns=["low", "high"])
    left_out = left_out.rename(columns={"predicted_low": "low", "predicted_high": "high"})
    _bars(held_out, left_out.measured, left_out, "", BLUE, "o", "none", "predicted")
    held_out.axline((left_out.measured.mean(),) * 2, slope=1, color="grey", linestyle=":")
    held_out.set(xlabel="measured Hit@5", ylabel="predicted Hit@5", title="cells left out of the fit")
    return figure


def thresholds(answers: Answers, maps: PoolMaps, arm: str) -> Figure:
    """Draw the least N that is enough by context; what is not reached stands at the right edge."""
    figure = Figure(figsize=(8, 1.6 + 0.5 * len(maps.contexts)), layout="constrained")
    plot, edge = figure.subplots(), maps.sizes[-1] * 1.6
    kinds = {
        "beats_baseline": ("beats the best baseline", BLUE, "o", 0.15),
        "stable": ("trains stably", GREEN, "s", -0.15),
    }
    for definition, (name, colour, marker, offset) in kinds.items():
        table = answers.thresholds[(answers.thresholds.definition == definition) & answers.thresholds.threshold.notna()]
        x, low, high = (table[column].astype(float).clip(upper=edge) for column in ("threshold", "low", "high"))
        y = [maps.contexts.index(context) + offset for context in table.context_length]
        plot.errorbar(
            x,
            y,
            xerr=[(x - low).clip(lower=0), (high - x).clip(lower=0)],
            fmt=marker,
            color=colour,
            label=name,
            capsize=3,
        )
    _log(plot, [*maps.sizes, edge], "training sequences N")
    plot.set_xticklabels([*(f"{n:,}" for n in maps.sizes), "not\nreached"])
    plot.set(
        yticks=range(len(maps.contexts)),
        yticklabels=[f"C={c:,}" for c in maps.contexts],
        title=_title("least N that is enough", arm),
    )
    plot.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _bars(plot, x, table: pd.DataFrame, label: str, colour, marker: str, style: str = "-", value: str = "hit") -> None:
    errors = [(table[value] - table.low).clip(lower=0), (table.high - table[value]).clip(lower=0)]
    plot.errorbar(
        list(x),
        table[value],
        yerr=errors,
        label=label,
        color=colour,
        marker=marker,
        linestyle=style,
        capsize=2,
        markersize=5,
        linewidth=1.3,
    )


def _baselines(plot, maps: PoolMaps, along: str, other: float) -> None:
    """Draw the oracle and the baselines that validation chose somewhere; those that train nothing are level in N."""
    table, fixed = maps.own.baselines, "num_sequences" if along == "context_length" else "context_length"
    for name in sorted({ORACLE, *maps.own.cells.best_baseline.dropna()}):
        own = table[(table.model == name) & ((table[fixed] == other) | table[fixed].isna())].sort_values(along)
        style = {"color": "black", "linestyle": "-." if name == ORACLE else "--", "linewidth": 1.2, "label": name}
        if len(own) and own[along].isna().all():
            plot.axhline(own.hit.iloc[0], **style)
        elif len(own):
            plot.plot(own[along], own.hit, **style)


def _infeasible(plot, study: StudyRecords, arm: str, contexts: list, sizes: list) -> None:
    for row in study.infeasible.itertuples():
        if arm_of(row.cell_id) in (arm, "") and row.context_length in contexts and row.num_sequences in sizes:
            plot.text(
                sizes.index(int(row.num_sequences)),
                contexts.index(row.context_length),
                "infeasible",
                ha="center",
                va="center",
                fontsize=8,
            )


def _corpus_line(plot, study: StudyRecords, contexts: list, sizes: list) -> None:
    if not study.num_training_vectors:
        return
    line = corpus_diagonal(study.num_training_vectors, contexts, sizes)
    line = line[line.overlap == OVERLAP]
    plot.plot(line.x, line.y, "--", color=VERMILION, linewidth=2)  # what lies off the map is cut at its edge


def _log(plot, ticks: list, label: str) -> None:
    plot.set(xscale="log", xlabel=label)
    plot.set_xticks(ticks, labels=[f"{tick:,.0f}" for tick in ticks])
    plot.minorticks_off()
    plot.grid(alpha=0.3)


def _colour(place: int, count: int):
    return colormaps["viridis"](0.9 * place / max(1, count - 1))


def _title(text: str, arm: str) -> str:
    return f"{arm}: {text}" if arm else text
