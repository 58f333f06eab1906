"""Compare sets of trials on the same queries: paired difference, interval, exact test, and Holm's correction."""

from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from study.analysis.cells import best_baseline, per_query
from study.analysis.hit_map import arm_of
from study.analysis.intervals import Resampler, interval
from study.analysis.load import KEY, StudyRecords

LEVEL = 0.05
COLUMNS = [
    "comparison", "context_length", "num_sequences", "first", "second", "difference", "low", "high", "num_better",
    "num_worse", "p_exact", "p_bootstrap", "p_holm", "differs", "num_replicates", "num_queries", "num_chains",
]  # fmt: skip


def paired(first: np.ndarray, second: np.ndarray, chain_ids: np.ndarray, seed: int = 0) -> dict:
    """Compare per-query values of two sets of trials, second minus first.

    first, second: [R, Q], replicates in the same order, paired as in `Resampler.differences`.
    """
    resampler = Resampler.for_chains(chain_ids, seed)
    resampled = resampler.differences(second, first)
    by_query = second.mean(0) - first.mean(0)
    low, high = interval(resampled)
    num_better, num_worse = int((by_query > 0).sum()), int((by_query < 0).sum())
    return {
        "difference": float(by_query.mean()),
        "low": low,
        "high": high,
        "num_better": num_better,
        "num_worse": num_worse,
        "p_exact": exact_mcnemar(num_better, num_worse),
        "p_bootstrap": bootstrap_p_value(resampled),
        "num_replicates": max(len(first), len(second)),
        "num_queries": len(chain_ids),
        "num_chains": resampler.weights.shape[1],
    }


def exact_mcnemar(num_better: int, num_worse: int) -> float:
    """Return the exact two-sided p-value of "as many queries are better as are worse".

    With one trial on each side this is McNemar's test; with several replicates it is the sign test of the queries' mean
    differences. It treats queries as independent, but windows of one document are not: the naive bound.
    """
    total = num_better + num_worse
    return 1.0 if total == 0 else float(binomtest(num_better, total).pvalue)


def bootstrap_p_value(resampled: np.ndarray) -> float:
    """Return the two-sided p-value of "no difference" from resampled differences. Never below 2 / (B + 1)."""
    beyond = min((resampled <= 0).sum(), (resampled >= 0).sum())
    return float(min(1.0, 2 * (1 + beyond) / (1 + len(resampled))))


def holm(p_values: np.ndarray) -> np.ndarray:
    """Return Holm's adjusted p-values, which control the family-wise error rate. Source: Holm (1979)."""
    order = np.argsort(p_values, kind="stable")
    count = len(order)
    stepped = np.maximum.accumulate((count - np.arange(count)) * np.asarray(p_values, float)[order])
    adjusted = np.empty(count)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def comparisons(study: StudyRecords) -> pd.DataFrame:
    """Return every paired comparison of a study's map, with Holm's correction within each family.

    Families: each context against the next, each N against the next, every two arms, each cell's model against its best
    baseline.
    """
    cells = _cells(study)
    families = {
        "context": _neighbours(cells, by=1, along=0),
        "sequences": _neighbours(cells, by=0, along=1),
        "arm": _between_arms(cells),
    }
    tables = [_family(study, name, pairs) for name, pairs in families.items()]
    tables.append(_family(study, "baseline", _against_baselines(study, cells)))
    tables = [table for table in tables if len(table)]
    return pd.concat(tables, ignore_index=True)[COLUMNS] if tables else pd.DataFrame(columns=COLUMNS)


def _cells(study: StudyRecords) -> dict[tuple[int, int, str], tuple[str, list[str]]]:
    """Return (C, N, arm) -> (cell id, trial ids by replicate)."""
    found = {}
    for key, trials in study.measured("confirm").groupby(KEY):
        found[int(key[0]), int(key[1]), arm_of(key[2])] = (key[2], trials.trial_id.tolist())
    return found


def _neighbours(cells: dict, by: int, along: int) -> list[tuple]:
    """Pair each cell with the next along C (0) or N (1), at the same value of the other and the same arm."""
    pairs = []
    for key, first in sorted(cells.items()):
        line = sorted(other for other in cells if other[by] == key[by] and other[2] == key[2])
        later = [other for other in line if other[along] > key[along]]
        if later:
            pairs.append((later[0][:2], first, cells[later[0]]))
    return pairs


def _between_arms(cells: dict) -> list[tuple]:
    pairs = []
    for corner in sorted({key[:2] for key in cells}):
        arms = sorted(key for key in cells if key[:2] == corner)
        pairs += [(corner, cells[first], cells[second]) for first, second in combinations(arms, 2)]
    return pairs


def _against_baselines(study: StudyRecords, cells: dict) -> list[tuple]:
    pairs = []
    for (context, size, _), model in sorted(cells.items()):
        baseline = best_baseline(study, context, size)
        if baseline is not None:
            pairs.append(((context, size), (baseline.model.iloc[0], baseline.trial_id.tolist()), model))
    return pairs


def _family(study: StudyRecords, name: str, pairs: list[tuple]) -> pd.DataFrame:
    rows = []
    for (context, size), (first, first_ids), (second, second_ids) in pairs:
        before, chain_ids = per_query(study, first_ids)
        after, _ = per_query(study, second_ids)
        key = {"comparison": name, "context_length": context, "num_sequences": size, "first": first, "second": second}
        rows.append(key | paired(before, after, chain_ids))
    table = pd.DataFrame(rows)
    if rows:
        table["p_holm"] = holm(table.p_bootstrap.to_numpy())
        table["differs"] = table.p_holm < LEVEL
    return table
