"""List every trial that gave no result to the map, with its reason."""

import pandas as pd

from study.analysis.load import KEY, StudyRecords

HEADER = ["status", "stage", "cell", "replicate", "trial", "steps run", "last seen validation Hit@5", "reason"]
ORDER = ("failed", "timeout", "diverged", "infeasible", "pruned")
WHY = {"asha": "stopped by racing: others of its cell were better at the same evaluation"}


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
