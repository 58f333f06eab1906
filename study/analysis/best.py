"""Choose the best configurations, and check whether each beats the best baseline and which gates it passes."""

import json

import pandas as pd

from study.analysis.cells import cells
from study.analysis.load import StudyRecords

GATES = {"hit_at_1": 0.30, "hit_at_5": 0.55, "hit_at_10": 0.70}  # the published production gates
REPORTED = ("hit_at_5", "hit_at_5_low", "hit_at_5_high", "lift", "lift_low", "lift_high", "best_baseline")
COUNTS = ("num_replicates", "num_queries", "num_chains", "pool_size")


def best_configs(study: StudyRecords, table: pd.DataFrame | None = None) -> dict:
    """Return the best configuration of each cell, of each context length, and overall, as plain values.

    The mean validation Hit@5 of a cell's confirm trials decides; test only measures what was chosen. A lead within the
    intervals proves nothing.
    """
    table = cells(study) if table is None else table
    if table.empty:
        return {"overall": None, "by_context_length": {}, "cells": {}}
    entries = {row["cell_id"]: _entry(study, row) for row in table.to_dict("records")}
    by_context = table.loc[table.groupby("context_length").val_hit_at_5.idxmax()]
    return {
        "overall": entries[table.loc[table.val_hit_at_5.idxmax(), "cell_id"]],
        "by_context_length": {str(row.context_length): entries[row.cell_id] for row in by_context.itertuples()},
        "cells": entries,
    }


def _entry(study: StudyRecords, row: dict) -> dict:
    confirm = study.measured("confirm")
    trials = confirm[confirm.cell_id == row["cell_id"]].sort_values("val_hit_at_5", ascending=False, kind="stable")
    audit = study.manifest.split.audit
    gates = {name: bool(row[name] >= limit) for name, limit in GATES.items()}
    plain = {key: None if pd.isna(row.get(key)) else row.get(key) for key in (*REPORTED, *COUNTS)}
    return {
        "cell_id": row["cell_id"],
        "context_length": int(row["context_length"]),
        "num_sequences": int(row["num_sequences"]),
        "config": json.loads(trials.config.iloc[0]),
        "trial_id": trials.trial_id.iloc[0],  # the replicate with the best validation Hit@5
        **plain,
        "beats_best_baseline": None if plain["lift_low"] is None else bool(plain["lift_low"] > 0),
        "gates": gates | {"no_leakage": audit is not None and audit.num_leaked_vectors == 0},
    }
