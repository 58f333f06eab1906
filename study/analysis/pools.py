"""Convert Hit@K to another pool size: exactly from recorded ranks, or by a model from three published figures."""

import numpy as np
import pandas as pd
from scipy.optimize import least_squares
from scipy.special import betaln, gammaln

from lvm_core.errors import InputError
from lvm_core.ranks import chance_hit_at_k, hit_at_k_in_pool
from study.analysis.cells import share, units_of
from study.analysis.intervals import interval
from study.analysis.load import KEY, StudyRecords
from study.analysis.pool_bounds import pool_bounds

POOLS = (10, 20, 50, 58, 100, 115, 200, 230, 500, 1000, 1148, 2000, 5000, 10_000)  # round ones, and those published
NUM_DRAWS = 200
STARTS = ((-1.0, 2.0), (-2.0, 0.0))  # ln a, ln b: easy and hard queries

# Design notes, section 1: Hit@1, Hit@5, Hit@10 and the candidates of each published run.
PUBLISHED = pd.DataFrame(
    [
        ("Phase 1", 100, 10_332, 1148, 0.4007, 0.5932, 0.6516),
        ("Phase 2", 500, 2065, 230, 0.5000, 0.6652, 0.7478),
        ("Phase 2B", 500, 2065, 230, 0.5000, 0.6652, 0.7478),
        ("Phase 3", 1000, 1031, 115, 0.6174, 0.7565, 0.8174),
        ("Phase 3.5", 2000, 514, 58, 0.4483, 0.6207, 0.7241),
    ],
    columns=["run", "context_length", "num_sequences", "pool", "hit_at_1", "hit_at_5", "hit_at_10"],
)

# equal_pool minus the exact Hit@5 at MEASURED_AT candidates, least and most, by the pool whose figures it was given.
# Source: benchmarks/equal_pool_error over 84 cells and baselines of three corpora (benchmarks/RESULTS.md).
MEASURED_AT = 115
MODEL_ERROR = {1148: (-0.023, 0.089), 230: (-0.001, 0.012), 115: (-0.017, 0.002), 58: (-0.026, 0.002)}


def pool_curve(study: StudyRecords, k: int = 5) -> pd.DataFrame:
    """Return Hit@k of every cell at smaller pools, exact in expectation over random pools, with 95 % intervals.

    The pools are those of POOLS that are smaller than the study's own, and the study's own.
    """
    confirm = study.measured("confirm")
    if confirm.empty:
        return pd.DataFrame(columns=[*KEY, "pool", "hit", "low", "high", "k", "chance"])
    cells = [(key, trials.trial_id.tolist()) for key, trials in confirm.groupby(KEY)]
    ids = [trial_id for _, trial_ids in cells for trial_id in trial_ids]
    frames = [study.test_ranks[trial_id] for trial_id in ids]
    rank, ties = (np.stack([frame[name].to_numpy() for frame in frames]) for name in ("rank", "num_ties"))
    pool_size, units = int(confirm.pool_size.iloc[0]), units_of(frames[0])
    rows = []
    for pool in [p for p in POOLS if p < pool_size] + [pool_size]:
        values = hit_at_k_in_pool(rank.ravel(), ties.ravel(), k, pool_size, pool).reshape(rank.shape)
        for key, trial_ids in cells:
            chosen = values[[ids.index(trial_id) for trial_id in trial_ids]]
            row = {"pool": pool} | dict(zip(("hit", "low", "high"), share(chosen, units), strict=True))
            rows.append(dict(zip(KEY, key, strict=True)) | row | {"k": k, "chance": chance_hit_at_k(k, pool)})
    return pd.DataFrame(rows)


def equal_pool(hits: dict[int, float], pool: int, new_pool: int) -> dict[int, float]:
    """Convert Hit@K figures to another pool size, smaller or larger. {K: Hit@K} -> {K: Hit@K}.

    The number of candidates nearer than the target is modelled as beta-binomial: each query has its own probability
    that a random candidate is nearer, drawn from a beta distribution whose two parameters are fitted to the figures by
    least squares. This is a model, not a measurement, and errs by up to nine points (`MODEL_ERROR`); `pool_bounds`
    holds without it. If you have ranks, use `pool_curve`.

    Raises: InputError unless there are two or more shares that do not fall with K, and K fits into both pools.
    """
    _check(hits, pool, new_pool)
    k = np.array(sorted(hits))
    shares = _beta_binomial_cdf(k, new_pool, fit_beta_binomial(hits, pool))
    return {int(i): float(share) for i, share in zip(k, shares, strict=True)}


def fit_beta_binomial(hits: dict[int, float], pool: int) -> tuple[float, float]:
    """Return (a, b) of rank - 1 ~ BetaBinomial(pool - 1, a, b), fitted to the figures by least squares."""
    k = np.array(sorted(hits))
    figures = np.array([hits[i] for i in k], float)

    def residuals(log_ab: np.ndarray) -> np.ndarray:
        return _beta_binomial_cdf(k, pool, np.exp(log_ab)) - figures

    found = [least_squares(residuals, start, bounds=(-12, 12)) for start in STARTS]
    best = min(found, key=lambda result: result.cost)
    return tuple(float(value) for value in np.exp(best.x))


def _beta_binomial_cdf(k: np.ndarray, pool: int, ab: tuple[float, float]) -> np.ndarray:
    """Return P[rank <= k] among `pool` candidates. SciPy's own version sums far more terms than these few need."""
    a, b = ab
    j, n = np.arange(k.max()), pool - 1
    binomial = gammaln(n + 1) - gammaln(j + 1) - gammaln(n - j + 1)
    return np.cumsum(np.exp(binomial + betaln(j + a, n - j + b) - betaln(a, b)))[k - 1]


def published_at_equal_pool(new_pool: int = 115, seed: int = 0) -> pd.DataFrame:
    """Return the published table converted to one pool: the model's value, and how far it may be wrong.

    low, high: 95 % intervals of the model's value. Every run had as many queries as candidates; they resample the
    queries (multinomial over the ranges of ranks), and cover neither seeds, splits and overlap, since each run had only
    one of each, nor the model's error. lowest, highest: bounds that hold without a model. corrected_low,
    corrected_high: the band of the exact value inside them, if the model errs as it was measured to; null where its
    error was not measured.
    """
    rng, rows = np.random.default_rng(seed), []
    for run in PUBLISHED.itertuples():
        hits = {1: run.hit_at_1, 5: run.hit_at_5, 10: run.hit_at_10}
        share = np.diff([0.0, *hits.values(), 1.0])
        drawn = np.cumsum(rng.multinomial(run.pool, share, NUM_DRAWS), axis=1)[:, :3] / run.pool
        values = [equal_pool(dict(zip(hits, row, strict=True)), run.pool, new_pool)[5] for row in drawn]
        low, high = interval(np.array(values))
        reread = {"new_pool": new_pool, "hit_at_5_reread": equal_pool(hits, run.pool, new_pool)[5]}
        reread |= {"low": low, "high": high, "num_queries": run.pool}
        rows.append(run._asdict() | reread | _band(reread["hit_at_5_reread"], hits, run.pool, new_pool))
    return pd.DataFrame(rows).drop(columns="Index")


def _band(reread: float, hits: dict[int, float], pool: int, new_pool: int) -> dict[str, float]:
    """Return the bounds of Hit@5 in the new pool, and the band that the model's measured error leaves inside them."""
    lowest, highest = pool_bounds(hits, pool, new_pool)[5]
    least, most = MODEL_ERROR[pool] if new_pool == MEASURED_AT else (np.nan, np.nan)
    low, high = np.clip([reread - most, reread - least], lowest, highest)
    return {"lowest": lowest, "highest": highest, "corrected_low": float(low), "corrected_high": float(high)}


def _check(hits: dict[int, float], pool: int, new_pool: int) -> None:
    values = [hits[k] for k in sorted(hits)]
    if len(values) < 2 or any(not 0 <= v <= 1 for v in values) or any(np.diff(values) < 0):
        raise InputError(
            f"equal_pool needs two or more Hit@K as shares between 0 and 1 that do not fall with K, but got {hits}. "
            "Divide percentages by 100."
        )
    if min(hits) < 1 or max(hits) > min(pool, new_pool):
        raise InputError(
            f"1 <= K <= pool must hold for both pools, but got K up to {max(hits)} for pools of {pool} and {new_pool}. "
            "Leave the large K out."
        )
