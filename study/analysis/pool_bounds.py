"""Bound Hit@K in another pool from a few published figures, whatever the distribution of ranks is."""

import numpy as np

from lvm_core.ranks import hit_at_k_in_pool


def pool_bounds(hits: dict[int, float], pool: int, new_pool: int) -> dict[int, tuple[float, float]]:
    """Return the lowest and the highest Hit@K in a random smaller pool that any ranks with these figures have.

    hits: {K: Hit@K} among `pool` candidates; they say how many ranks lie between one K and the next. A rank is worth
    less the higher it is, so each of these shares is worth most at the lowest of its ranks and least at the highest;
    both ends are reached, and no narrower bound holds. A larger pool has only the trivial bounds: 0, and the figure
    itself, since candidates can only be added.
    """
    known = sorted(hits)
    if new_pool > pool:
        return {k: (0.0, hits[k]) for k in known}
    shares = np.diff([0.0, *(hits[k] for k in known), 1.0])
    lowest, highest = [1, *(min(k + 1, pool) for k in known)], [*known, pool]
    return {k: (_value(highest, shares, k, pool, new_pool), _value(lowest, shares, k, pool, new_pool)) for k in known}


def _value(ranks: list[int], shares: np.ndarray, k: int, pool: int, new_pool: int) -> float:
    return float(hit_at_k_in_pool(np.array(ranks), np.zeros(len(ranks)), k, pool, new_pool) @ shares)
