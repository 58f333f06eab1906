"""Compare sets of trials on the same queries: paired difference, t interval, and Holm's correction."""

from itertools import combinations

import numpy as np
import pandas as pd

from study.analysis import mrmc
from study.analysis.cells import best_baseline, per_query
from study.analysis.equivalence import equivalence_p_value
from study.analysis.holm import LEVEL, holm
from study.analysis.load import KEY, StudyRecords, arm_of
from study.analysis.search_noise import SearchNoise, search_noise
from study.analysis.units import Units

COLUMNS = [
    "comparison", "context_length", "num_sequences", "first", "second", "difference", "low", "high", "num_better",
    "num_worse", "p_value", "p_holm", "common_difference", "common_low", "common_high", "common_p_holm", "differs",
    "p_equivalent", "p_equivalent_holm", "equivalent", "num_replicates", "num_queries", "num_chains",
]  # fmt: skip
PAIR = ["comparison", "context_length", "num_sequences", "first", "second"]


def counts(first: np.ndarray, second: np.ndarray, units: Units) -> dict:
    """Return what a comparison of per-query values of two sets of trials rests on. [R, Q], [S, Q]."""
    by_query = second.mean(0) - first.mean(0)
    return {
        "num_better": int((by_query > 0).sum()),
        "num_worse": int((by_query < 0).sum()),
        "num_replicates": max(len(first), len(second)),
        "num_queries": len(by_query),
        "num_chains": units.num_documents,
    }


def comparisons(study: StudyRecords) -> pd.DataFrame:
    """Return every paired comparison of a study's map, with Holm's correction within each family.

    Families: each context against the next, each N against the next, every two arms, each cell's model against its best
    baseline. A difference between cells includes the search noise, and it `differs`, or is `equivalent` (smaller than
    a point), only where the map at one configuration shows it too; the columns `common_…` are that map's, null where
    there is none.
    """
    table = _comparisons(study)
    if table.empty:
        return pd.DataFrame(columns=COLUMNS)
    table["differs"] = table.p_holm < LEVEL
    table["equivalent"] = table.p_equivalent_holm < LEVEL
    if study.common is not None and len(other := _comparisons(study.common)):
        own = [*PAIR, "difference", "low", "high", "p_holm", "p_equivalent_holm"]
        other = other[own].rename(columns={name: f"common_{name}" for name in own[len(PAIR) :]})
        table = table.merge(other, on=PAIR, how="left")
        same_sign = np.sign(table.common_difference) == np.sign(table.difference)
        agrees = table.common_difference.isna() | (same_sign & (table.common_p_holm < LEVEL))
        table["differs"] &= agrees | (table.comparison == "baseline")
        agrees = table.common_difference.isna() | (table.common_p_equivalent_holm < LEVEL)
        table["equivalent"] &= agrees | (table.comparison == "baseline")
    return table.reindex(columns=COLUMNS)


def _comparisons(study: StudyRecords) -> pd.DataFrame:
    cells = _cells(study)
    families = {
        "context": _neighbours(cells, by=1, along=0),
        "sequences": _neighbours(cells, by=0, along=1),
        "arm": _between_arms(cells),
    }
    noise = {arm: search_noise(study, arm) for arm in {key[2] for key in cells}}
    tables = [_family(study, name, pairs, noise) for name, pairs in families.items()]
    tables.append(_family(study, "baseline", _against_baselines(study, cells), {}))
    tables = [table for table in tables if len(table)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


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


def _family(study: StudyRecords, name: str, pairs: list[tuple], noise: dict[str, SearchNoise | None]) -> pd.DataFrame:
    """Return the comparisons of one family. noise: of the search in each of the two cells, by arm, where a difference
    between their configurations is not what is asked.
    """
    rows, found = [], []
    for (context, size), (first, first_ids), (second, second_ids) in pairs:
        before, units = per_query(study, first_ids)
        after, _ = per_query(study, second_ids)
        rows.append(dict(zip(PAIR, (name, context, size, first, second), strict=True)) | counts(before, after, units))
        found.append(mrmc.difference(after, before, units, trained=name != "baseline"))
    for row, one in zip(rows, mrmc.moderated(found), strict=True):
        for variance, df in _search_noise([noise.get(arm_of(row[cell])) for cell in ("first", "second")]):
            one = one.with_noise(variance, df)
        row |= {"difference": one.value, "low": one.low, "high": one.high, "p_value": one.p_value}
        row["p_equivalent"] = equivalence_p_value(one)
    table = pd.DataFrame(rows)
    if rows:
        table["p_holm"] = holm(table.p_value.to_numpy())
        table["p_equivalent_holm"] = holm(table.p_equivalent.to_numpy())
    return table


def _search_noise(found: list[SearchNoise | None]) -> list[tuple[float, float]]:
    """Return the search's variances in the two cells of a pair, and their degrees of freedom: one estimate if both have
    the same.
    """
    first, second = found
    if first is second:
        return [] if first is None else [(2 * first.variance, first.df)]
    return [(one.variance, one.df) for one in found if one is not None]
