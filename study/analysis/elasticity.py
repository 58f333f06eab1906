"""Measure how fast Hit@5 grows with the context: local elasticities, with intervals and a verdict on each."""

from itertools import pairwise

import numpy as np
import pandas as pd

from study.analysis.hit_map import HitMap
from study.analysis.simultaneous import Simultaneous

FLAT = 0.02  # at this elasticity, doubling the context changes Hit@5 by 1.4 % of its value
COLUMNS = ["from_context", "to_context", "num_sequences", "elasticity", "low", "high", "verdict"]


def elasticities(hit_map: HitMap) -> pd.DataFrame:
    """Return d ln Hit@5 / d ln C for each step between neighbouring contexts, and from the shortest to the longest.

    Each step has one row for every N that both contexts have, and one for the mean over N (num_sequences is null). The
    intervals of one N, or of the mean, hold for all steps between neighbours at once. The shape of the whole map has a
    verdict of its own (shape.py).
    """
    contexts = np.unique(hit_map.context_length)
    table = _rows(hit_map, list(pairwise(contexts)))
    if len(contexts) > 2:
        table = pd.concat([table, _rows(hit_map, [(contexts[0], contexts[-1])])], ignore_index=True)
    return table.astype({"num_sequences": "Int64"})


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


def _rows(hit_map: HitMap, steps: list[tuple[int, int]]) -> pd.DataFrame:
    """Return the rows of some steps: of each, one per N, and one for the mean over N."""
    found: dict[int | None, list[tuple]] = {}  # N -> its steps, with value and noise [B]
    for step in steps:
        for size, value, noise in _step(hit_map, *step):
            found.setdefault(size, []).append((step, value, noise))
    rows = {}
    for size, of_size in found.items():
        measured = [one for one in of_size if np.isfinite(one[1])]
        rows |= {(step, size): (None, None, None, "undecided") for step, _, _ in of_size}
        if measured:
            values, noise = np.array([value for _, value, _ in measured]), np.stack([n for *_, n in measured], axis=1)
            at_once = Simultaneous.of(values, noise)
            for (step, *_), value, low, high in zip(measured, values, at_once.low, at_once.high, strict=True):
                rows[step, size] = (float(value), float(low), float(high), classify(low, high))
    order = sorted(rows, key=lambda key: (steps.index(key[0]), key[1] is None, key[1] or 0))
    return pd.DataFrame([(*step, size, *rows[step, size]) for step, size in order], columns=COLUMNS)


def _step(hit_map: HitMap, first: int, last: int) -> list[tuple[int | None, float, np.ndarray]]:
    """Return one step's elasticity and its noise [B] at each N, and for the mean over N; not finite without a hit.

    To first order, the noise of ln Hit@5 is that of Hit@5 as a share of it.
    """
    cell = hit_map.index
    sizes = [int(n) for n in np.unique(hit_map.num_sequences) if (first, n) in cell and (last, n) in cell]
    if not sizes:
        return []
    before, after = (np.array([cell[context, n] for n in sizes]) for context in (first, last))
    with np.errstate(divide="ignore", invalid="ignore"):
        level, noise = np.log(hit_map.mean), hit_map.deviations / hit_map.mean
        slope = (level[after] - level[before]) / np.log(last / first)
        drawn = (noise[:, after] - noise[:, before]) / np.log(last / first)  # [B, N]
    by_size = list(zip(sizes, slope, drawn.T, strict=True))
    return [*by_size, (None, float(slope.mean()), drawn.mean(1))]
