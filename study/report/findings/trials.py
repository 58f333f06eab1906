"""The trials: how many there are of each status, and why those that gave no result to the map gave none."""

import pandas as pd

from study.analysis.evidence import Evidence
from study.analysis.load import KEY, StudyRecords
from study.report.finding import Block, Finding, Table
from study.report.findings import register

HEADER = ["status", "stage", "cell", "replicate", "trial", "steps run", "last validation Hit@5", "reason"]
ORDER = ("failed", "timeout", "diverged", "infeasible", "pruned")
WHY = {"asha": "pruned by ASHA: other trials of its cell were better at the same evaluation"}


def blocks(evidence: Evidence, _arm: str) -> list[Block]:
    """Return the counts, what is missing, and every trial without a result."""
    study, counts = evidence.study, evidence.study.counts()
    if study.trials.empty:
        return []
    rows = [[stage, *map(str, values)] for stage, values in zip(counts.index, counts.values, strict=True)]
    found = [kept_line(evidence), *(f"{gap[0].upper()}{gap[1:]}." for gap in evidence.gaps)]
    fallen = fallen_rows(study)
    if fallen:
        found.append(
            f"{len(fallen):,} trials failed, timed out, diverged, were pruned or were infeasible. None of them enters "
            "an estimate of the map."
        )
    found.append(Table(title="Trials by stage and status", header=["stage", *counts.columns], rows=rows))
    infeasible = [[row.cell_id, str(row.error)] for row in study.infeasible.itertuples()]
    if infeasible:
        found.append(Table(title="Infeasible cells", header=["cell", "reason"], rows=infeasible))
    if fallen:
        found.append(Table(title="Every trial without a result", header=HEADER, rows=fallen, page_only=True))
    return found


def kept_line(evidence: Evidence) -> str:
    """Return how many trials the estimates rest on, and which ones they leave out."""
    kept = len(evidence.study.measured("confirm"))
    reasons = evidence.study.left_out().items()
    left_out = ", ".join(f"{count:,} {' '.join(reversed(reason.split(', ')))}" for reason, count in reasons)
    return f"The map rests on {kept:,} confirm trials{f'; trials left out: {left_out}' if left_out else ''}."


def fallen_rows(study: StudyRecords) -> list[list[str]]:
    """Return failed, timed-out, diverged, infeasible and pruned trials, in this order."""
    fallen = study.trials[study.trials.status.isin(ORDER)].copy()
    fallen["order"] = [ORDER.index(status) for status in fallen.status]
    return [_row(trial) for trial in fallen.sort_values(["order", *KEY, "trial_id"]).itertuples()]


def _row(trial) -> list[str]:
    return [
        trial.status,
        trial.stage,
        trial.cell_id,
        _whole(trial.replicate),
        trial.trial_id,
        _whole(trial.num_steps),
        "-" if pd.isna(trial.val_hit_at_5) else f"{trial.val_hit_at_5:.3f}",
        _reason(trial),
    ]


def _reason(trial) -> str:
    """Return the error's last line, or why the trial was stopped."""
    if isinstance(trial.error, str) and trial.error.strip():
        return trial.error.strip().splitlines()[-1]
    reason = trial.stop_reason if isinstance(trial.stop_reason, str) else "not recorded"
    return WHY.get(reason, reason)


def _whole(value) -> str:
    return "-" if pd.isna(value) else f"{value:,.0f}"


FINDING = register(
    Finding(
        key="trials", title="Trials", after="searched-values", absent="No trial is recorded yet.", blocks=blocks,
        screen=lambda evidence, _: [kept_line(evidence)],
    )
)  # fmt: skip
