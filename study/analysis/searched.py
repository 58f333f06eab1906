"""Place the trials of the list on parallel axes: C, N, every searched hyperparameter, and Hit@5 within the cell."""

import json

import numpy as np
import pandas as pd

from study.analysis.load import StudyRecords
from study.records.manifest import RecordedDomain

REACHED = "reached"  # validation Hit@5 minus the mean of the trial's cell


def searched_lines(study: StudyRecords) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the trials of the list of candidates as lines, and their axes.

    lines: one row per trial: trial_id, cell_id, status, val_hit_at_5, reached, a value and a place in 0..1 (`at_NAME`)
    for each axis, and `fifth`, 0 to 4: the fifth of all trials to which `reached` assigns it. axes: one row per axis:
    name, log, low, high, and the choices if they are not numbers. Empty if nothing was searched.
    """
    search = study.listed[study.listed.val_hit_at_5.notna()]
    names = list(study.manifest.space.search)
    if search.empty or not names:
        return pd.DataFrame(), pd.DataFrame(columns=["name", "log", "low", "high", "choices"])
    lines = search[["trial_id", "cell_id", "status", "context_length", "num_sequences", "val_hit_at_5"]].copy()
    configs = [json.loads(config) for config in search.config]
    for name in names:
        lines[name] = [config[name] for config in configs]
    lines[REACHED] = lines.val_hit_at_5 - lines.val_hit_at_5.groupby(lines.cell_id).transform("mean")
    axes = [
        _axis(lines, name, study.manifest.space.search.get(name, RecordedDomain.model_construct()))
        for name in ("context_length", "num_sequences", *names, REACHED)
    ]
    for axis in axes:
        lines[f"at_{axis['name']}"] = _places(lines[axis["name"]], axis)
    lines["fifth"] = np.minimum(4, (lines[REACHED].rank(pct=True, method="average") * 5 - 1e-9).astype(int))
    return lines.reset_index(drop=True), pd.DataFrame(axes)


def _axis(lines: pd.DataFrame, name: str, domain: RecordedDomain) -> dict:
    values = lines[name]
    choices = domain.choices
    if choices or not pd.api.types.is_numeric_dtype(values):
        return {"name": name, "log": False, "low": None, "high": None, "choices": list(choices or values.unique())}
    low = domain.low if domain.low is not None else values.min()
    high = domain.high if domain.high is not None else values.max()
    log = domain.log or name in ("context_length", "num_sequences")
    return {"name": name, "log": log and low > 0, "low": float(low), "high": float(high), "choices": None}


def _places(values: pd.Series, axis: dict) -> np.ndarray:
    if axis["choices"] is not None:
        order = {str(choice): place for place, choice in enumerate(axis["choices"])}
        return np.array([order[str(value)] for value in values]) / max(1, len(order) - 1)
    low, high, found = axis["low"], axis["high"], values.to_numpy(float)
    if axis["log"]:
        low, high, found = np.log(low), np.log(high), np.log(found)
    return (found - low) / (high - low) if high > low else np.full(len(found), 0.5)
