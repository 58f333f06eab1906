"""Choose the candidates that each query is ranked among: one pool for all, with what a query may not see exchanged."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lvm_core.chains import run_starts
from lvm_core.retrieval import Swaps
from lvm_core.windows import Stream

BLOCK = 1024  # queries looked up at a time


@dataclass(frozen=True, eq=False)
class Candidates:
    """The candidates of all queries of a part; every query is ranked among the same number of them.

    positions: [A] in the stream, those of the queries' targets first. shared: the numbers of the candidates that every
    query is ranked among but for its swaps.
    """

    positions: np.ndarray
    shared: range
    swaps: Swaps | None = None


def without_neighbours(
    pool: np.ndarray, reserve: np.ndarray, queries: np.ndarray, offsets: np.ndarray, length: int
) -> Candidates:
    """Exchange, for each query, the pool's vectors at `offsets` from its target for the first others of the reserve.

    pool [P], reserve [R], queries [Q]: positions in a stream of `length`. The reserve's order is the same for every
    query and no prediction changes it. It must have len(offsets) vectors, or all that the pool leaves.
    """
    positions, swaps = np.concatenate([pool, reserve]), []
    for start, near in _candidates_near(positions, queries, offsets, length):
        is_free = np.ones((len(near), len(reserve)), bool)
        row, column = np.nonzero(near >= len(pool))
        is_free[row, near[row, column] - len(pool)] = False
        row, column = np.nonzero((near >= 0) & (near < len(pool)))
        needed = np.bincount(row, minlength=len(near))
        filled, added = np.nonzero(is_free & (np.cumsum(is_free, axis=1) <= needed[:, None]))
        assert np.array_equal(filled, row), "the reserve is large enough for every query"
        swaps.append(np.stack([row + start, near[row, column], added + len(pool)]))
    query, removed, added = np.concatenate(swaps, axis=1)
    used = max(len(pool), added.max(initial=-1) + 1)
    return Candidates(positions[:used], range(len(pool)), Swaps(query, removed, added))


def one_a_document(stream: Stream, queries: np.ndarray, rng: np.random.Generator) -> Candidates:
    """Give each query its own target and one random vector of every other document, the same one for all queries."""
    bounds = run_starts(stream.chain_ids)
    drawn = rng.integers(bounds[:-1], bounds[1:])
    number, own = np.arange(len(queries)), np.searchsorted(bounds, queries, side="right") - 1
    shared = range(len(queries), len(queries) + len(drawn))
    return Candidates(np.concatenate([queries, drawn]), shared, Swaps(number, shared.start + own, number))


def num_neighbours(candidates: Candidates, queries: np.ndarray, offsets: np.ndarray, length: int) -> np.ndarray:
    """Count, for each query, the shared candidates at `offsets` from its target. [Q]."""
    shared, count = candidates.positions[candidates.shared.start : candidates.shared.stop], np.zeros(len(queries), int)
    for start, near in _candidates_near(shared, queries, offsets, length):
        count[start : start + len(near)] = (near >= 0).sum(axis=1)
    return count


def num_of_own_document(candidates: Candidates, stream: Stream, queries: np.ndarray) -> np.ndarray:
    """Count, for each query, its candidates that are of its own document, its target among them. [Q]."""
    own, chains = stream.chain_ids[queries], stream.chain_ids[candidates.positions]
    known, count = np.unique(chains[candidates.shared.start : candidates.shared.stop], return_counts=True)
    place = np.minimum(np.searchsorted(known, own), len(known) - 1)
    found = np.where(known[place] == own, count[place], 0)
    if (swaps := candidates.swaps) is not None:
        for numbers, sign in ((swaps.removed, -1), (swaps.added, 1)):
            same = swaps.query[chains[numbers] == own[swaps.query]]
            found = found + sign * np.bincount(same, minlength=len(queries))
    return found


def _candidates_near(
    positions: np.ndarray, queries: np.ndarray, offsets: np.ndarray, length: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the first query of a block, and the numbers of its candidates at `offsets`: [b, len(offsets)], -1: none."""
    number = np.full(length, -1)
    number[positions] = np.arange(len(positions))
    for start in range(0, len(queries), BLOCK):
        yield start, number[queries[start : start + BLOCK, None] + offsets]
