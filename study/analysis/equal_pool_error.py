"""Measure the error of `equal_pool` on recorded ranks, where the exact value at the other pool is known."""

import numpy as np
import pandas as pd

from lvm_core.ranks import hit_at_k_in_pool
from study.analysis.load import KEY, StudyRecords
from study.analysis.pool_bounds import pool_bounds
from study.analysis.pools import equal_pool

PUBLISHED_K = (1, 5, 10)


def equal_pool_error(study: StudyRecords, pool: int, new_pool: int) -> pd.DataFrame:
    """Return Hit@5 at `new_pool`, exactly and by `equal_pool` from three figures at `pool`, by cell and baseline.

    Both pools are at most the recorded one: the exact figures at either are expectations over random pools, from ranks.
    error: equal_pool minus exact. lowest, highest: the bounds from the same three figures.
    """
    trials = pd.concat([study.measured("confirm"), study.measured("baseline")])
    groups = trials[trials.pool_size >= max(pool, new_pool)].groupby([*KEY, "model"], dropna=False)
    rows = [dict(zip([*KEY, "model"], key, strict=True)) | _figures(study, g, pool, new_pool) for key, g in groups]
    return pd.DataFrame(rows)


def _figures(study: StudyRecords, trials: pd.DataFrame, pool: int, new_pool: int) -> dict:
    hits = {k: _exact(study, trials, k, pool) for k in PUBLISHED_K}
    exact, model = _exact(study, trials, 5, new_pool), equal_pool(hits, pool, new_pool)[5]
    lowest, highest = pool_bounds(hits, pool, new_pool)[5]
    return {"exact": exact, "equal_pool": model, "error": model - exact, "lowest": lowest, "highest": highest}


def _exact(study: StudyRecords, trials: pd.DataFrame, k: int, pool: int) -> float:
    size, frames = int(trials.pool_size.iloc[0]), [study.test_ranks[trial_id] for trial_id in trials.trial_id]
    return float(np.mean([hit_at_k_in_pool(frame["rank"], frame.num_ties, k, size, pool) for frame in frames]))
