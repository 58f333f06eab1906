"""Say where the uncertainty of a cell's Hit@5 comes from, and what would make its interval narrower."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lvm_core.ranks import hit_at_k_in_pool
from study.analysis.cells import per_query
from study.analysis.load import StudyRecords
from study.analysis.power import half_width
from study.analysis.search_noise import search_noise
from study.analysis.spread import Design, Spread

K = 5
MIN_POOL = 10  # half of it must hold K candidates
MORE_REPLICATES = 2


@dataclass(frozen=True, eq=False)
class VarianceShares:
    """The typical cell of one arm: the mean of its cells' variances.

    sources: one row a source, with its standard deviation in the figure and its share of the variance; null where it
    is not measured. plans: half the width to expect of a 95 % interval, as measured and under changes. unit: what
    varies, documents or stretches of them.
    """

    design: Design
    unit: str
    sources: pd.DataFrame
    plans: pd.DataFrame


def variance_shares(study: StudyRecords, arm: str = "") -> VarianceShares | None:
    """Divide the variance of a cell's Hit@5 by source; None if the arm has no completed confirm trial.

    Replicates: null with a single one. Search: what it adds to a cell of the tuned map; null where there is no map at
    one configuration. Pool: the chance of which candidates are drawn, from the ranks: Hit@5 in random halves of the
    pool varies about as much as in pools of its size drawn from many more candidates. It is taken as independent from
    query to query, and so it is a part of what queries contribute.
    """
    groups = list(study.by_cell(arm).values())
    if not groups:
        return None
    found = [per_query(study, trials.trial_id.tolist()) for trials in groups]
    units, spread = found[0][1], Spread.mean_of([Spread.of(values, units) for values, units in found])
    design = Design.of(units, min(len(values) for values, _ in found))
    noise = search_noise(study, arm)
    search = None if noise is None else noise.variance
    pool = _pool_variance(study, groups, design.num_queries)
    plans = _plans(spread, design, search, units.kind)
    return VarianceShares(design, units.kind, _sources(spread, design, search, pool), plans)


def _sources(spread: Spread, design: Design, search: float | None, pool: float | None) -> pd.DataFrame:
    parts = spread.parts(design)
    of_queries = parts["queries"] + parts["queries in one run"]
    pool = None if pool is None else min(pool, of_queries)
    variances = {
        "documents": parts["documents"],
        "replicates": parts["replicates"] if design.num_replicates > 1 else None,
        "search": search,
        "pool": pool,
        "queries": of_queries - (pool or 0.0),
    }
    total = sum(value for value in variances.values() if value)
    rows = [
        (source, None if value is None else np.sqrt(value), None if value is None or not total else value / total)
        for source, value in variances.items()
    ]
    return pd.DataFrame(rows, columns=["source", "sd", "share"])


def _plans(spread: Spread, design: Design, search: float | None, unit: str) -> pd.DataFrame:
    more = design.num_replicates + MORE_REPLICATES
    changes = {
        "as measured": (design, search),
        f"twice the {unit}": (design.with_queries(2 * design.num_queries), search),
        f"twice the queries of the same {unit}": (_denser(design), search),
        f"{more} replicates instead of {design.num_replicates}": (replace(design, num_replicates=more), search),
    }
    if search:
        changes["one configuration for all cells"] = (design, None)
    rows = [(change, half_width(spread, plan, noise or 0.0)) for change, (plan, noise) in changes.items()]
    return pd.DataFrame(rows, columns=["change", "half_width"])


def _denser(design: Design) -> Design:
    return replace(design, num_queries=2 * design.num_queries, clustering=2 * design.clustering)


def _pool_variance(study: StudyRecords, groups: Sequence[pd.DataFrame], num_queries: int) -> float | None:
    """Return the variance of a cell's figure over random halves of the pool, queries taken as independent."""
    pool = int(groups[0].pool_size.iloc[0])
    if pool < MIN_POOL:
        return None
    frames = [study.test_ranks[trial_id] for trials in groups for trial_id in trials.trial_id]
    rank, ties = (np.concatenate([frame[name].to_numpy() for frame in frames]) for name in ("rank", "num_ties"))
    chance = hit_at_k_in_pool(rank, ties, K, pool, pool // 2)
    return float((chance * (1 - chance)).mean() / num_queries)
