"""Compare how long the runs of each cell trained: steps run, the best step, and whether the budget of steps binds."""

import json

import pandas as pd

from study.analysis.load import KEY, StudyRecords

COLUMNS = [
    *KEY, "num_replicates", "max_steps", "num_steps", "num_steps_min", "num_steps_max", "best_step", "best_step_min",
    "best_step_max", "num_best_last", "budget_binds",
]  # fmt: skip


def steps_table(study: StudyRecords) -> pd.DataFrame:
    """Return one row per cell: steps run and the best step, as means over replicates with their range.

    max_steps: at most so many; None where trials have different ones. num_best_last: replicates that ran to their last
    step and were best there. budget_binds: whether these are more than half: more steps may then help. Empty if the
    records have no steps.
    """
    confirm = study.measured("confirm").dropna(subset=["best_step", "num_steps"])
    return pd.DataFrame([_row(key, trials) for key, trials in confirm.groupby(KEY)], columns=COLUMNS)


def _row(key: tuple, trials: pd.DataFrame) -> dict:
    asked = {json.loads(config).get("max_steps") for config in trials.config}
    was_last = (trials.best_step == trials.num_steps) & (trials.stop_reason == "max_steps")
    row = {
        "context_length": int(key[0]),
        "num_sequences": int(key[1]),
        "cell_id": key[2],
        "num_replicates": len(trials),
    }
    row["max_steps"] = asked.pop() if len(asked) == 1 else None
    for name in ("num_steps", "best_step"):
        values = trials[name].astype(float)
        row |= {name: values.mean(), f"{name}_min": int(values.min()), f"{name}_max": int(values.max())}
    return row | {"num_best_last": int(was_last.sum()), "budget_binds": bool(was_last.mean() > 0.5)}
