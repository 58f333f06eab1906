"""Draw learning curves, one panel a cell, with the places where each patience would have stopped."""

import pandas as pd

from study.analysis.evidence import Evidence
from study.report.page.figure import FOREGROUND, MUTED, Figure, numbers
from study.report.style import BLUE, shown

SYMBOLS_OF_PATIENCE = ("triangle-down", "square", "diamond", "star", "cross")


def curve_figures(findings: Evidence) -> list[Figure]:
    """Return a panel for each cell that has curves, cells in the order of the map."""
    study = findings.study
    trials = study.trials[
        study.trials.stage.isin(["search", "confirm"]) & study.trials.trial_id.isin(study.curves.trial_id)
    ]
    order = trials.sort_values(["context_length", "num_sequences", "cell_id"]).cell_id.unique()
    highest = study.curves.val_hit_at_5.max()
    return [_panel(findings, cell, trials[trials.cell_id == cell], highest) for cell in order]


def _panel(findings: Evidence, cell: str, trials: pd.DataFrame, highest: float) -> Figure:
    search, confirm = (trials[trials.stage == stage] for stage in ("search", "confirm"))
    figure = Figure(f"curve-{cell}", cell, "", height=250, small=True)
    figure.layout = {
        "xaxis": {"title": {"text": "optimizer step"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": "validation Hit@5"}, "range": [0, round(1.08 * highest, 3)], "tickformat": ".1f"},
        "showlegend": False,
        "margin": {"l": 52, "r": 8, "t": 8, "b": 40},
    }
    if len(search):
        figure.add(_curves(findings, search, "search trials", MUTED, 1))
    if len(confirm):
        figure.add(_curves(findings, confirm, "confirm replicates", BLUE, 2))
    marks = findings.patience_marks
    for i, (patience, rows) in enumerate(marks[marks.cell_id == cell].groupby("patience")):
        figure.add(
            {
                "type": "scatter",
                "mode": "markers",
                "name": f"patience {patience}",
                "x": numbers(rows.stop_step, 0),
                "y": numbers(rows.stop_hit_at_5),
                "marker": {
                    "symbol": SYMBOLS_OF_PATIENCE[i % 5],
                    "size": 8,
                    "color": "rgba(0,0,0,0)",
                    "line": {"color": FOREGROUND, "width": 1.5},
                },
                "text": [f"patience {patience} stops here, best at step {int(step)}" for step in rows.best_step],
                "hovertemplate": "step %{x}: %{text}<extra></extra>",
            }
        )
    return figure


def _curves(findings: Evidence, trials: pd.DataFrame, name: str, colour: str, width: float) -> dict:
    """Return all curves of some trials as one trace, gaps between them."""
    x, y, text = [], [], []
    for trial in trials.itertuples():
        curve = findings.study.curve(trial.trial_id)
        x += [*numbers(curve.step, 0), None]
        y += [*numbers(curve.val_hit_at_5), None]
        text += [f"{trial.trial_id}, {trial.status}"] * (len(curve) + 1)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": x,
        "y": y,
        "text": text,
        "line": {"color": colour, "width": width},
        "hovertemplate": "step %{x}: %{y:.3f}<extra>%{text}</extra>",
    }


def curve_table(findings: Evidence) -> tuple[list[str], list[list]]:
    """Return the table behind all panels: how far each cell's trials came."""
    rows = []
    trials = findings.study.trials
    for cell, group in (
        trials[trials.stage == "confirm"]
        .sort_values(["context_length", "num_sequences"])
        .groupby("cell_id", sort=False)
    ):
        done = group[group.status == "completed"]
        if len(done):
            best = done.val_hit_at_5
            rows.append(
                [
                    cell,
                    str(len(done)),
                    shown(best.median(), best.min(), best.max()),
                    f"{done.best_step.min():,.0f} to {done.best_step.max():,.0f}",
                    f"{done.num_steps.min():,.0f} to {done.num_steps.max():,.0f}",
                ]
            )
    return ["cell", "replicates", "best validation Hit@5, median [least, most]", "best step", "steps run"], rows
