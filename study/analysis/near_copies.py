"""Estimate every cell's Hit@5 with and without the test queries whose target is a near-copy of a training vector."""

import numpy as np
import pandas as pd

from lvm_core.ranks import hit_at_k
from study.analysis.load import KEY, StudyRecords

COLUMNS = [*KEY, "num_queries", "num_near_copies", "hit_at_5", "hit_at_5_without", "hit_at_5_near_copies"]


def without_near_copies(study: StudyRecords) -> pd.DataFrame:
    """Return one row per cell: Hit@5 of all test queries, of those without a near-copy, and of those with one.

    The pool is the same for all three. hit_at_5_near_copies is null where there are none, hit_at_5_without where there
    are no others. Empty where the near-copies are not recorded: windows were split at random, or the study is older.
    """
    split = study.manifest.split
    if split.near_copies is None or split.near_copies.test_rows is None:
        return pd.DataFrame(columns=COLUMNS)
    confirm = study.measured("confirm")
    same = confirm[confirm.split_fingerprint.isna() | (confirm.split_fingerprint == split.fingerprint)]
    rows = [
        dict(zip(KEY, key, strict=True)) | _figures(study, trials, split.near_copies.test_rows)
        for key, trials in same.groupby(KEY)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _figures(study: StudyRecords, trials: pd.DataFrame, near_copies: list[int]) -> dict:
    frames = [study.test_ranks[trial_id] for trial_id in trials.trial_id]
    hits = np.mean([hit_at_k(frame["rank"], frame.num_ties, 5) for frame in frames], axis=0)
    is_copy = frames[0].query_id.isin(near_copies).to_numpy()
    return {
        "num_queries": len(hits),
        "num_near_copies": int(is_copy.sum()),
        "hit_at_5": float(hits.mean()),
        "hit_at_5_without": float(hits[~is_copy].mean()) if not is_copy.all() else None,
        "hit_at_5_near_copies": float(hits[is_copy].mean()) if is_copy.any() else None,
    }
