"""Statistics of ranks: Hit@K, MRR, and Hit@K in a smaller pool. NumPy and SciPy only, so that analysis can use it."""

import numpy as np


def hit_at_k(rank: np.ndarray, num_ties: np.ndarray, k: int) -> np.ndarray:
    """Return for each query its chance of being among the first k, with ties broken at random. [Q] float64 in [0, 1].

    rank: 1 + the candidates strictly nearer than the target. num_ties: the other candidates exactly as near.
    """
    rank, num_ties = np.asarray(rank, np.int64), np.asarray(num_ties, np.int64)
    return np.clip((k - rank + 1) / (num_ties + 1), 0.0, 1.0)


def reciprocal_rank(rank: np.ndarray, num_ties: np.ndarray) -> np.ndarray:
    """Return for each query the expected 1 / position, with ties broken at random. [Q] float64; the mean is MRR."""
    rank, num_ties = np.asarray(rank, np.int64), np.asarray(num_ties, np.int64)
    last = rank + num_ties
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, last.max(initial=0) + 1))])
    expected = (harmonic[last] - harmonic[rank - 1]) / (num_ties + 1)
    return np.where(num_ties == 0, 1.0 / rank, expected)


def hit_at_k_in_pool(rank: np.ndarray, num_ties: np.ndarray, k: int, pool_size: int, smaller_pool: int) -> np.ndarray:
    """Return for each query the expected Hit@k in a random pool of `smaller_pool`, the target included. [Q] float64.

    Of the pool_size - 1 other candidates, smaller_pool - 1 are drawn without replacement. With r - 1 nearer ones, that
    is P[Hypergeometric(pool_size - 1, r - 1, smaller_pool - 1) <= k - 1]. A tie takes each of its positions alike.

    Raises: ValueError unless 1 <= smaller_pool <= pool_size.
    """
    if not 1 <= smaller_pool <= pool_size:
        raise ValueError(f"1 <= smaller_pool <= pool_size must hold, got {smaller_pool} and {pool_size}")
    from scipy.stats import hypergeom  # 60 MB that a training process does without

    rank, num_ties = np.asarray(rank, np.int64), np.asarray(num_ties, np.int64)
    nearer = np.arange(pool_size)
    by_rank = hypergeom.cdf(k - 1, pool_size - 1, nearer, smaller_pool - 1)
    total = np.concatenate([[0.0], np.cumsum(by_rank)])
    averaged = (total[rank + num_ties] - total[rank - 1]) / (num_ties + 1)
    return np.where(num_ties == 0, by_rank[rank - 1], averaged)


def chance_hit_at_k(k: int, pool_size: int) -> float:
    """Return the Hit@k of a pool in random order."""
    return min(1.0, k / pool_size)
