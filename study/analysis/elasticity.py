"""Decide whether Hit@5 grows faster or slower than the context: local elasticities, with intervals and a verdict."""

from itertools import pairwise

import numpy as np
import pandas as pd

from study.analysis.hit_map import HitMap
from study.analysis.intervals import interval

FLAT = 0.02  # at this elasticity, doubling the context changes Hit@5 by 1.4 % of its value


def elasticities(hit_map: HitMap) -> pd.DataFrame:
    """Return d ln Hit@5 / d ln C for each step between neighbouring contexts, and from the shortest to the longest.

    Each step has one row for every N that both contexts have, and one for the mean over N (num_sequences is null). The
    intervals of one N, or of the mean, hold for all steps between neighbours at once (Bonferroni).
    """
    contexts = np.unique(hit_map.context_length)
    steps = list(pairwise(contexts))
    rows = [row for step in steps for row in _step(hit_map, *step, num_steps=len(steps))]
    if len(contexts) > 2:
        rows += _step(hit_map, contexts[0], contexts[-1], num_steps=1)
    return pd.DataFrame(
        rows, columns=["from_context", "to_context", "num_sequences", "elasticity", "low", "high", "verdict"]
    ).astype({"num_sequences": "Int64"})


def classify(low: float, high: float) -> str:
    """Return the verdict on an elasticity with this interval."""
    if low > 1:
        return "superlinear"
    if high < -FLAT or (high < 0 and low < -FLAT):
        return "falling"
    if low >= -FLAT and high <= FLAT:
        return "flat"
    if low > 0 and high < 1:
        return "sublinear"
    return "undecided"


def growth_with_context(hit_map: HitMap, table: pd.DataFrame | None = None) -> str:
    """Return the verdict on the whole map.

    It is superlinear if any step between neighbours is, since the intervals hold for all steps at once; otherwise it is
    the verdict on the step from the shortest to the longest context, over all N.
    """
    table = elasticities(hit_map) if table is None else table
    pooled = table[table.num_sequences.isna()]
    if pooled.empty:
        return "undecided"
    return "superlinear" if (pooled.verdict == "superlinear").any() else pooled.verdict.iloc[-1]


def _step(hit_map: HitMap, first: int, last: int, num_steps: int) -> list[tuple]:
    """Return the rows of one step: one per N, and one for the mean over N."""
    cell = {key: k for k, key in enumerate(zip(hit_map.context_length, hit_map.num_sequences, strict=True))}
    sizes = [n for n in np.unique(hit_map.num_sequences) if (first, n) in cell and (last, n) in cell]
    values = np.vstack([hit_map.mean, hit_map.resampled])  # [1 + B, K], the map itself first
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(values)
        found = {
            n: (logs[:, cell[last, n]] - logs[:, cell[first, n]]) / np.log(last / first) for n in sizes
        }  # N -> [1 + B]
    if sizes:
        found[None] = np.mean(list(found.values()), axis=0)
    rows = []
    for n, slope in found.items():
        if not np.isfinite(slope).all():  # a cell without a hit, in the map or in a resample
            rows.append((first, last, n, None, None, None, "undecided"))
            continue
        low, high = interval(slope[1:], 1 - 0.05 / num_steps)
        rows.append((first, last, n, float(slope[0]), low, high, classify(low, high)))
    return rows
