"""Read the result of every smaller patience off the curve of a run at the largest one: exact, at no cost.

A `wsd` run is left out: it decays where its patience runs out, so it does not contain the run of a smaller patience.
"""

import json

import pandas as pd

from study.analysis.load import KEY, StudyRecords

CLOSE = 0.005  # half a point of Hit@5


def replay(hits: list[float], patience: int) -> tuple[int, int]:
    """Return (evaluations run, index of the best one), both counted from 1, as if training had used this patience.

    A best evaluation is one strictly above all before it; training stops `patience` evaluations after the last best.
    """
    best = 1
    for index, hit in enumerate(hits, 1):
        if hit > hits[best - 1] or index == 1:
            best = index
        if index - best >= patience:
            return index, best
    return len(hits), best


def replayable(study: StudyRecords) -> pd.DataFrame:
    """Return the completed confirm trials that contain every smaller patience."""
    confirm = study.measured("confirm")
    decays = [json.loads(config).get("schedule") == "wsd" for config in confirm.config]
    return confirm[~pd.Series(decays, index=confirm.index, dtype=bool)]


def patience_table(study: StudyRecords) -> pd.DataFrame:
    """Return, per cell and patience, the validation Hit@5 reached, the loss against the largest patience, and the steps

    Means over the cell's replayable confirm trials. Validation only: test was measured once, at the best evaluation of
    the largest patience.
    """
    values = study.manifest.space.patience.replay
    rows = []
    for trial in replayable(study).itertuples():
        curve = study.curve(trial.trial_id)
        hits, steps = curve.val_hit_at_5.tolist(), curve.step.tolist()
        for patience in values:
            run, best = replay(hits, patience)
            key = {name: getattr(trial, name) for name in KEY}
            rows.append(key | {"patience": patience, "val_hit_at_5": hits[best - 1], "num_steps": steps[run - 1]})
    if not rows:
        return pd.DataFrame(columns=[*KEY, "patience", "val_hit_at_5", "num_steps", "num_trials", "loss"])
    groups = pd.DataFrame(rows).groupby([*KEY, "patience"])
    table = groups.agg(
        val_hit_at_5=("val_hit_at_5", "mean"), num_steps=("num_steps", "mean"), num_trials=("patience", "size")
    )
    table = table.reset_index()
    longest = table[table.patience == max(values)].set_index("cell_id").val_hit_at_5
    return table.assign(loss=table.cell_id.map(longest) - table.val_hit_at_5)


def least_patience(table: pd.DataFrame) -> pd.DataFrame:
    """Return, per cell, the least patience within half a point of the best, and the share of the steps that it saves.

    table: as `patience_table` returns it. The largest patience is the best: a smaller one never reaches more.
    """
    close = table[table.loss <= CLOSE].sort_values("patience").groupby("cell_id", sort=False).first()
    longest = table.sort_values("patience").groupby("cell_id", sort=False).last()
    saved = 1 - close.num_steps / longest.num_steps.loc[close.index]
    columns = [*KEY, "patience", "loss", "num_steps", "steps_saved", "num_trials"]
    return close.assign(steps_saved=saved).reset_index()[columns].sort_values(KEY, ignore_index=True)


def patience_marks(study: StudyRecords) -> pd.DataFrame:
    """Return where each confirm trial would have stopped at each patience, and its best evaluation by then."""
    values, rows = sorted(study.manifest.space.patience.replay), []
    for trial in replayable(study).itertuples():
        curve = study.curve(trial.trial_id)
        hits, steps = curve.val_hit_at_5.tolist(), curve.step.tolist()
        for patience in values:
            run, best = replay(hits, patience)
            rows.append((trial.trial_id, trial.cell_id, patience, steps[run - 1], hits[run - 1], steps[best - 1]))
    columns = ["trial_id", "cell_id", "patience", "stop_step", "stop_hit_at_5", "best_step"]
    return pd.DataFrame(rows, columns=columns)
