"""Patience, read off the curves: what a smaller one would have lost, and the steps that it would have run."""

from study.analysis.evidence import Evidence
from study.analysis.patience import replayable
from study.report.finding import Block, Finding, Table
from study.report.findings import register

TITLE = "Loss in validation Hit@5 against the largest patience (mean steps run)"
LEFT_OUT = (
    "{count} trials with the schedule wsd are left out: they decay where their patience runs out, so they do not "
    "contain the run of a smaller patience."
)


def blocks(evidence: Evidence, _arm: str) -> list[Block]:
    """Return a row for each cell and a column for each patience."""
    table = evidence.patience
    if table.empty:
        return _left_out(evidence)
    values, rows = sorted(table.patience.unique()), []
    for cell, group in table.groupby("cell_id", sort=False):
        by_value = group.set_index("patience")
        rows.append([cell, *(f"{by_value.loss[v]:.3f} ({by_value.num_steps[v]:.0f})" for v in values)])
    header = ["cell", *(f"patience {value}" for value in values)]
    return [*_left_out(evidence), Table(title=TITLE, header=header, rows=rows)]


def _left_out(evidence: Evidence) -> list[Block]:
    """Return a note on the trials that cannot be read at a smaller patience; nothing where there are none."""
    count = len(evidence.study.measured("confirm")) - len(replayable(evidence.study))
    return [LEFT_OUT.format(count=count)] if count else []


def screen(evidence: Evidence, arm: str) -> list[Block]:
    """Return the same where there is more than one patience to compare."""
    return blocks(evidence, arm) if len(evidence.study.manifest.space.patience.replay) > 1 else []


FINDING = register(
    Finding(
        key="patience", title="Patience", after="variance", absent="No cell is confirmed yet.", blocks=blocks,
        screen=screen,
        csv=lambda evidence, _: {"patience": evidence.patience, "least_patience": evidence.least_patience},
    )
)  # fmt: skip
