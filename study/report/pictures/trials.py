"""Draw trials as pictures: learning curves by cell, searched values on parallel axes, their importance."""

from itertools import zip_longest
from math import ceil

from matplotlib import colormaps
from matplotlib.figure import Figure

from study.analysis.evidence import Evidence
from study.report.style import BLUE

COLUMNS = 4
MARKERS = "vsD*P"


def curves(findings: Evidence) -> Figure | None:
    """Draw a panel a cell: confirm replicates, search trials behind them, and where each patience stops."""
    study = findings.study
    trials = study.trials[study.trials.trial_id.isin(study.curves.trial_id)]
    cells = trials.sort_values(["context_length", "num_sequences", "cell_id"]).cell_id.unique()
    if not len(cells):
        return None
    rows = ceil(len(cells) / COLUMNS)
    figure = Figure(figsize=(11, 0.6 + 2.1 * rows), layout="constrained")
    plots = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
    for plot, cell in zip_longest(plots.ravel(), cells):
        if cell is None:
            plot.set_visible(False)
            continue
        for trial in trials[trials.cell_id == cell].sort_values("stage", ascending=False).itertuples():
            curve, confirm = study.curve(trial.trial_id), trial.stage == "confirm"
            plot.plot(
                curve.step, curve.val_hit_at_5, color=BLUE if confirm else "0.7", linewidth=1.4 if confirm else 0.8
            )
        marks = findings.patience_marks[findings.patience_marks.cell_id == cell]
        for i, (patience, stops) in enumerate(marks.groupby("patience")):
            plot.plot(
                stops.stop_step,
                stops.stop_hit_at_5,
                MARKERS[i % 5],
                color="black",
                fillstyle="none",
                markersize=5,
                label=f"patience {patience}",
            )
        plot.set_title(cell, fontsize=8)
        plot.grid(alpha=0.3)
    figure.supxlabel("optimizer step", fontsize=9)
    figure.supylabel("validation Hit@5", fontsize=9)
    handles = plots[0][0].get_legend_handles_labels()
    if handles[0]:
        figure.legend(*handles, loc="outside upper right", ncols=len(handles[0]), fontsize=8)
    return figure


def parallel(findings: Evidence) -> Figure | None:
    """Draw search trials as lines over the searched values; None where nothing was searched."""
    lines, axes = findings.searched_lines
    if lines.empty:
        return None
    names = list(axes.name)
    figure = Figure(figsize=(1.7 * len(names), 3.8), layout="constrained")
    plot = figure.subplots()
    for row in lines.sort_values("fifth").to_dict("records"):
        style = "-" if row["status"] == "completed" else ":"
        places = [row[f"at_{name}"] for name in names]
        plot.plot(
            range(len(names)), places, style, color=colormaps["viridis"](row["fifth"] / 4.5), linewidth=0.9, alpha=0.8
        )
    plot.set(yticks=[], ylim=(-0.08, 1.08), title="search trials; light: best fifth of their cell; dotted: pruned")
    plot.set_xticks(range(len(names)), labels=[_ends(axis) for axis in axes.itertuples()], fontsize=8)
    plot.grid(axis="x")
    return figure


def importance(findings: Evidence) -> Figure | None:
    """Draw the importance of the searched values; None where too little was searched."""
    table = findings.importance.iloc[::-1]
    if table.empty:
        return None
    figure = Figure(figsize=(7, 0.9 + 0.45 * len(table)), layout="constrained")
    plot = figure.subplots()
    errors = [(table.importance - table.low).clip(lower=0), (table.high - table.importance).clip(lower=0)]
    plot.barh(table.parameter, table.importance, xerr=errors, color=BLUE, capsize=3)
    plot.set(xlim=(0, 1), xlabel="share of what tells good trials from others, 95 % interval")
    return figure


def _ends(axis) -> str:
    """Return an axis's name with its range."""
    if isinstance(axis.choices, list):
        return f"{axis.name}\n{axis.choices[0]} to {axis.choices[-1]}"
    return f"{axis.name}\n{axis.low:,.4g} to {axis.high:,.4g}"
