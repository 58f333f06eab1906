"""Steps: how long each cell trained, which step was best, and where the budget of steps binds."""

import pandas as pd

from study.analysis.evidence import Evidence
from study.report.finding import Block, Finding, Table
from study.report.findings import register

ABSENT = "No confirmed trial has recorded its steps."
AT_MOST = (
    "Every cell may train for so many steps at most. Cells are not trained for equally many: patience ends a run, and "
    "the weights of its best evaluation are measured."
)


def blocks(evidence: Evidence, _arm: str) -> list[Block]:
    """Return whether the budget binds, and a row for each cell."""
    table = evidence.steps
    if table.empty:
        return [ABSENT]
    rows = [
        [row.cell_id, _count(row.max_steps), _mean(row, "num_steps"), _mean(row, "best_step"),
         f"{row.num_best_last} of {row.num_replicates}", "yes" if row.budget_binds else "no"]
        for row in table.itertuples()
    ]  # fmt: skip
    header = ["cell", "at most", "steps run", "best step", "best at the last step", "budget binds"]
    return [AT_MOST, binding(table), Table(title="mean over replicates [least, most]", header=header, rows=rows)]


def screen(evidence: Evidence, _arm: str) -> list[Block]:
    """Return whether the budget binds, where it does."""
    return [binding(evidence.steps)] if evidence.steps.budget_binds.any() else []


def binding(table: pd.DataFrame) -> str:
    """Return in how many cells the best evaluation is the last."""
    count = int(table.budget_binds.sum())
    found = f"In {count} of {len(table)} cells the best evaluation is the last in most replicates"
    return f"{found}: more steps may help." if count else f"{found}: the budget of steps binds nowhere."


def _mean(row, name: str) -> str:
    low, high = getattr(row, f"{name}_min"), getattr(row, f"{name}_max")
    return f"{getattr(row, name):,.0f} [{low:,}, {high:,}]"


def _count(value: float | None) -> str:
    return "-" if value is None or pd.isna(value) else f"{value:,.0f}"


FINDING = register(
    Finding(
        key="steps", title="Steps", after="patience", absent=ABSENT, blocks=blocks, screen=screen,
        csv=lambda evidence, _: {} if evidence.steps.empty else {"steps": evidence.steps},
    )
)  # fmt: skip
