"""Read the whole map at smaller pools, and as published: with a pool that shrinks as the context grows."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lvm_core.ranks import chance_hit_at_k, hit_at_k_in_pool
from study.analysis import mrmc
from study.analysis.cells import best_baseline, share, units_of
from study.analysis.elasticity import elasticities
from study.analysis.hit_map import HitMap
from study.analysis.holm import holm
from study.analysis.joint import drawn_lifts
from study.analysis.load import KEY, StudyRecords, arm_of
from study.analysis.pools import POOLS
from study.analysis.search_noise import search_noise
from study.analysis.thresholds import crossing_with_interval
from study.analysis.units import Units
from study.analysis.windows import windows_of

K = 5
BETWEEN = (30, 300, 700, 1500, 3000, 7000)  # stops in addition to the round and the published pools
OVERLAP, POOL_SHARE = 0.5, 0.1  # as published: windows overlap by half, and a tenth of them are the candidates
CORPUS_SHARES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
MIN_POOL = 10  # where chance Hit@5 is one half
CELL_COLUMNS = [*KEY, "hit", "low", "high", "best_baseline", "lift", "lift_low", "lift_high", "lift_p_holm"]


@dataclass(frozen=True, eq=False)
class PoolView:
    """One arm's map as if every query had been ranked among `pool` candidates, in expectation over random pools.

    cells: one row per cell: Hit@5, and its lift over the baseline chosen on validation, with 95 % intervals. baselines:
    one row per baseline, context and N (null if it trains nothing), including the oracle. elasticity: from the shortest
    to the longest context; None without two contexts. thresholds: by context, the N from which on the lift is above
    0, with its interval; infinite if it never is. hit_map: the same cells as arrays.
    """

    pool: int
    chance: float
    cells: pd.DataFrame
    baselines: pd.DataFrame
    elasticity: pd.Series | None
    thresholds: pd.DataFrame
    hit_map: HitMap


@dataclass(frozen=True, eq=False)
class PublishedView:
    """One arm's map as published, on a share of the corpus: the pool of each C is a tenth of its windows.

    pools: one row per context: num_windows, wanted_pool, pool (no larger than the recorded one), capped. cells: one row
    per cell. elasticity: as in PoolView.
    """

    share: float
    num_vectors: int
    pools: pd.DataFrame
    cells: pd.DataFrame
    elasticity: pd.Series | None

    @property
    def is_capped(self) -> bool:
        return bool(self.pools.capped.any())


class PoolReader:
    """The ranks of the confirm trials and of all baselines, read at any pool up to the recorded one.

    groups: the cells of one arm, which make the map. judged: those of all arms, since lifts are judged for all cells at
    once. The hits at the last pool are cached: the hypergeometric sums of a pool serve all trials at once.
    """

    def __init__(self, study: StudyRecords, arm: str = ""):
        confirm, self.baseline_trials = study.measured("confirm"), study.measured("baseline")
        self.judged = list(confirm.groupby(KEY))
        self.groups = [(key, trials) for key, trials in self.judged if arm_of(key[2]) == arm]
        self.pool_size = int(confirm.pool_size.iloc[0])
        self.chosen = {key: best_baseline(study, int(key[0]), int(key[1])) for key, _ in self.judged}
        ids = [*confirm.trial_id, *self.baseline_trials.trial_id]
        frames = [study.test_ranks[trial_id] for trial_id in ids]
        self.position = {trial_id: i for i, trial_id in enumerate(ids)}
        self.rank, self.ties = (np.stack([frame[name].to_numpy() for frame in frames]) for name in ("rank", "num_ties"))
        self.units = units_of(frames[0])
        self.search = search_noise(study, arm)
        self.kept: dict[int, np.ndarray] = {}  # hits [trials, Q] by pool

    def hits(self, trials: pd.DataFrame, pool: int) -> np.ndarray:
        """Return expected Hit@5 of each trial and query among `pool` candidates. [R, Q]."""
        if pool not in self.kept:
            values = hit_at_k_in_pool(self.rank.ravel(), self.ties.ravel(), K, self.pool_size, pool)
            self.kept = {pool: values.reshape(self.rank.shape)}
        return self.kept[pool][[self.position[trial_id] for trial_id in trials.trial_id]]

    def estimate(self, hits: np.ndarray) -> dict:
        return dict(zip(("hit", "low", "high"), share(hits, self.units), strict=True))


def pool_stops(pool_size: int) -> list[int]:
    """Return the pools that a reader can choose, smallest first; the last is the study's own."""
    return [pool for pool in sorted({*POOLS, *BETWEEN}) if pool < pool_size] + [pool_size]


def pool_view(reader: PoolReader, pool: int) -> PoolView:
    """Read one arm's map at one pool."""
    hits, lifts = {key: reader.hits(trials, pool) for key, trials in reader.groups}, _lifts(reader, pool)
    rows = [
        dict(zip(KEY, key, strict=True)) | reader.estimate(values) | lifts.get(key, {}) for key, values in hits.items()
    ]
    pairs = {key: (hits[key], reader.hits(reader.chosen[key], pool)) for key in hits if key in lifts}
    hit_map = _hit_map(hits, reader, chance_hit_at_k(K, pool))
    return PoolView(
        pool,
        chance_hit_at_k(K, pool),
        pd.DataFrame(rows, columns=CELL_COLUMNS),
        _baselines(reader, pool),
        _whole_elasticity(hit_map),
        _thresholds(pairs, reader.units),
        hit_map,
    )


def _lifts(reader: PoolReader, pool: int) -> dict[tuple, dict]:
    """Return each cell's lift over its baseline, where it has one: as one family, with Holm over all cells."""
    found = {
        key: mrmc.difference(reader.hits(trials, pool), reader.hits(reader.chosen[key], pool), reader.units)
        for key, trials in reader.judged
        if reader.chosen[key] is not None
    }
    lifts = mrmc.moderated(list(found.values()))
    adjusted = holm(np.array([lift.p_value for lift in lifts]))
    return {
        key: {"best_baseline": reader.chosen[key].model.iloc[0], **lift.named("lift"), "lift_p_holm": p}
        for key, lift, p in zip(found, lifts, adjusted, strict=True)
    }


def published_views(reader: PoolReader, num_vectors: int) -> list[PublishedView]:
    """Read one arm's map as published, on ever smaller shares of a corpus of `num_vectors`."""
    found = []
    for part in CORPUS_SHARES:
        pools = published_pools(reader, round(part * num_vectors))
        if pools.wanted_pool.min() >= MIN_POOL:
            found.append(_published_view(reader, part, round(part * num_vectors), pools))
    return found


def first_shown(views: list[PublishedView]) -> int:
    """Return the index of the largest share whose pools were all measured, or of the last share if there is none."""
    measured = [place for place, view in enumerate(views) if not view.is_capped]
    return measured[0] if measured else len(views) - 1


def published_pools(reader: PoolReader, num_vectors: int) -> pd.DataFrame:
    """Return the published pool of every context on a corpus of `num_vectors`, and the pool that can be read here.

    Published windows run across documents, so the corpus is one stretch.
    """
    contexts = np.unique([key[0] for key, _ in reader.groups])
    windows = windows_of(num_vectors, contexts, OVERLAP).astype(int)
    wanted = np.floor(POOL_SHARE * windows).astype(int)
    return pd.DataFrame(
        {
            "context_length": contexts,
            "num_windows": windows,
            "wanted_pool": wanted,
            "pool": np.minimum(wanted, reader.pool_size),
            "capped": wanted > reader.pool_size,
        }
    )


def _published_view(reader: PoolReader, part: float, num_vectors: int, pools: pd.DataFrame) -> PublishedView:
    pool_of = dict(zip(pools.context_length, pools.pool, strict=True))
    hits = {key: reader.hits(trials, int(pool_of[key[0]])) for key, trials in reader.groups}
    rows = [
        dict(zip(KEY, key, strict=True)) | {"pool": int(pool_of[key[0]])} | reader.estimate(values)
        for key, values in hits.items()
    ]
    whole = _whole_elasticity(_hit_map(hits, reader, 0.0))
    return PublishedView(part, num_vectors, pools, pd.DataFrame(rows), whole)


def _hit_map(hits: dict[tuple, np.ndarray], reader: PoolReader, floor: float) -> HitMap:
    """Return one pool's map. The search moves a cell by as many points as at the study's own pool, or about as many."""
    cells = [(int(key[0]), int(key[1])) for key in hits]
    return HitMap.of_hits(cells, list(hits.values()), reader.units, floor, search=reader.search)


def _whole_elasticity(hit_map: HitMap) -> pd.Series | None:
    """Return the elasticity of Hit@5 in C from the shortest to the longest context, over all N."""
    table = elasticities(hit_map)
    pooled = table[table.num_sequences.isna() & table.elasticity.notna()]
    return None if pooled.empty else pooled.iloc[-1]


def _baselines(reader: PoolReader, pool: int) -> pd.DataFrame:
    contexts = {key[0] for key, _ in reader.groups}
    measured = reader.baseline_trials[reader.baseline_trials.context_length.isin(contexts)]
    rows = [
        dict(zip(("model", "context_length", "num_sequences"), key, strict=True))
        | reader.estimate(reader.hits(trials, pool))
        for key, trials in measured.groupby(["model", "context_length", "num_sequences"], dropna=False)
    ]
    return pd.DataFrame(rows, columns=["model", "context_length", "num_sequences", "hit", "low", "high"])


def _thresholds(lifts: dict[tuple, tuple], units: Units) -> pd.DataFrame:
    """Return the N from which on the lift is above 0, by context. lifts: hits of model and baseline by cell."""
    rows = []
    for context in sorted({key[0] for key in lifts}):
        keys = sorted(key for key in lifts if key[0] == context)
        sizes = np.array([key[1] for key in keys], float)
        drawn = drawn_lifts([lifts[key] for key in keys], units)
        measured = np.array([hits.mean() - values.mean() for hits, values in (lifts[key] for key in keys)])
        rows.append((context, *crossing_with_interval(sizes, measured, drawn)))
    return pd.DataFrame(rows, columns=["context_length", "threshold", "low", "high"])
