"""Learning curves, one panel a cell, with the places where each patience would have stopped."""

import pandas as pd

from study.analysis.evidence import Evidence
from study.report.figures.figure import FOREGROUND, MUTED, Axis, Figure, Line
from study.report.finding import Block, Finding, Table
from study.report.findings import register
from study.report.style import BLUE, shown

SYMBOLS = ("triangle-down-open", "square-open", "diamond-open", "star-open", "cross-open")


def blocks(evidence: Evidence, _arm: str) -> list[Block]:
    """Return how to read the panels, and how far each cell's trials came."""
    if evidence.study.curves.empty:
        return []
    *smaller, largest = map(str, sorted(evidence.study.manifest.space.patience.replay))
    patience = f"{', '.join(smaller)} or {largest}" if smaller else largest
    about = (
        "Validation Hit@5 in the study's own pool. The slider of the page leaves it as it is: only ranks of the "
        "best evaluation are kept. Blue: confirm replicates; grey: search trials. Open markers: where training would "
        f"have stopped with a patience of {patience} evaluations; runs with the schedule wsd have none."
    )
    rows = _rows(evidence)
    header = ["cell", "replicates", "best validation Hit@5, median [least, most]", "best step", "steps run"]
    table = Table(title="The numbers of these figures", header=header, rows=rows, page_only=True)
    return [about, *([table] if rows else [])]


def _rows(evidence: Evidence) -> list[list[str]]:
    confirm, rows = evidence.study.confirmed, []
    for cell, done in confirm.sort_values(["context_length", "num_sequences"]).groupby("cell_id", sort=False):
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
    return rows


def figures(evidence: Evidence, _arm: str) -> list[Figure]:
    """Return a panel for each cell that has curves, cells in the order of the map."""
    study = evidence.study
    has_curve = study.trials.trial_id.isin(study.curves.trial_id)
    trials = study.trials[study.trials.stage.isin(["search", "confirm"]) & has_curve]
    order = trials.sort_values(["context_length", "num_sequences", "cell_id"]).cell_id.unique()
    highest = study.curves.val_hit_at_5.max()
    return [_panel(evidence, cell, trials[trials.cell_id == cell], highest) for cell in order]


def _panel(evidence: Evidence, cell: str, trials: pd.DataFrame, highest: float) -> Figure:
    search, confirm = (trials[trials.stage == stage] for stage in ("search", "confirm"))
    stops = evidence.patience_marks
    marks = [
        *([_curves(evidence, search, "search trials", MUTED, 1)] if len(search) else []),
        *([_curves(evidence, confirm, "confirm replicates", BLUE, 2)] if len(confirm) else []),
        *(
            _stops(f"patience {patience}", rows, SYMBOLS[i % len(SYMBOLS)])
            for i, (patience, rows) in enumerate(stops[stops.cell_id == cell].groupby("patience"))
        ),
    ]
    return Figure(
        key=f"curve-{cell}",
        picture="learning_curves",
        title=cell,
        marks=marks,
        x=Axis(title="optimizer step", zero=True),
        y=Axis(title="validation Hit@5", range=(0, round(1.08 * (highest or 1), 3)), form=".1f"),
        width="panel",
        height=250,
        legend=False,
    )


def _curves(evidence: Evidence, trials: pd.DataFrame, name: str, colour: str, width: float) -> Line:
    """Return all curves of some trials as one line, with gaps between them."""
    x, y, hover = [], [], []
    for trial in trials.itertuples():
        curve = evidence.study.curve(trial.trial_id)
        x += [*curve.step, None]
        y += [*curve.val_hit_at_5, None]
        label = f"{trial.trial_id}, {trial.status}"
        hover += [f"{label}\nstep {row.step:,.0f}: {row.val_hit_at_5:.3f}" for row in curve.itertuples()] + [""]
    return Line(name=name, x=x, y=y, colour=colour, symbol=None, width=width, hover=hover)


def _stops(name: str, rows: pd.DataFrame, symbol: str) -> Line:
    hover = [
        f"step {row.stop_step:,.0f}: {name} stops here, best at step {row.best_step:,.0f}" for row in rows.itertuples()
    ]
    return Line(
        name=name, x=list(rows.stop_step), y=list(rows.stop_hit_at_5), colour=FOREGROUND, dash=None, symbol=symbol,
        width=1.5, hover=hover,
    )  # fmt: skip


FINDING = register(
    Finding(
        key="learning-curves", title="Learning curves", after="steps", absent="No curve is recorded yet.",
        blocks=blocks, figures=figures,
    )
)  # fmt: skip
