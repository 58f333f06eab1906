"""Rank the target of each query among the candidates of a pool, exactly."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

QUERY_BLOCK = 256  # queries scored at a time, fixed: another block size may round differently
POOL_BLOCK = 131_072


class Ranks(NamedTuple):
    """Each [Q] int32: 1 + the candidates strictly nearer than the target, and the other candidates exactly as near."""

    rank: np.ndarray
    num_ties: np.ndarray


@dataclass(frozen=True, eq=False)
class Swaps:
    """Candidates that single queries are not ranked against, each with the one that takes its place.

    query, removed, added: [n] int64; `query` ascends, `removed` and `added` are numbers of candidates.
    """

    query: np.ndarray
    removed: np.ndarray
    added: np.ndarray

    def of(self, queries: slice) -> "Swaps":
        """Return the swaps of consecutive queries, which are counted from the first of them."""
        entries = slice(*np.searchsorted(self.query, (queries.start, queries.stop)))
        return Swaps(self.query[entries] - queries.start, self.removed[entries], self.added[entries])


@dataclass(frozen=True, eq=False)
class Pool:
    """Candidates to rank against. Equal vectors are scored once, so that they tie however similarities are rounded.

    vectors: [A, D] float32, unit length. Similarity is the inner product. shared: the numbers of the candidates that
    every query is ranked among but for its swaps; None: all.
    """

    vectors: np.ndarray
    shared: range | None = None
    swaps: Swaps | None = None

    @cached_property
    def _distinct(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Distinct vectors [U, D], the number of each candidate's vector [A], and how often the shared have it [U]."""
        rows = np.ascontiguousarray(self.vectors).view(np.dtype((np.void, self.vectors.dtype.itemsize * self.dim)))
        _, first, index = np.unique(rows.ravel(), return_index=True, return_inverse=True)
        return self.vectors[first], index, np.bincount(index[self._shared], minlength=len(first))

    @property
    def _shared(self) -> slice:
        return slice(None) if self.shared is None else slice(self.shared.start, self.shared.stop)

    @property
    def dim(self) -> int:
        return self.vectors.shape[1]

    def rank_targets(self, predictions: np.ndarray, targets: np.ndarray) -> Ranks:
        """Rank each query's target among the query's own candidates: those shared, but for its swaps.

        predictions: [Q, D] float32 unit vectors; targets: [Q] numbers of candidates.
        Raises: ValueError for a prediction that is not finite, which has no rank.
        """
        return self.rank_both(predictions, targets)[0]

    def rank_both(self, predictions: np.ndarray, targets: np.ndarray) -> tuple[Ranks, Ranks]:
        """Return the ranks among each query's own candidates, and among the shared ones, from one product.

        The latter count every shared candidate, and mean something only if the target is one of them.
        """
        if not np.isfinite(predictions).all():
            raise ValueError("every prediction must be finite to be ranked")
        vectors, index, counts = self._distinct
        own, blocks = index[targets], np.split(vectors, range(POOL_BLOCK, len(vectors), POOL_BLOCK))
        counted = np.empty((4, len(targets)), np.int32)  # nearer and equal: own candidates, then shared ones
        for start in range(0, len(targets), QUERY_BLOCK):
            rows = slice(start, min(start + QUERY_BLOCK, len(targets)))
            similarity = np.concatenate([predictions[rows] @ block.T for block in blocks], axis=1)
            own_similarity = np.take_along_axis(similarity, own[rows, None], axis=1)
            counted[2, rows] = (similarity > own_similarity) @ counts
            counted[3, rows] = (similarity == own_similarity) @ counts
            counted[:2, rows] = counted[2:, rows] + self._change(similarity, own_similarity[:, 0], rows)
        return tuple(Ranks(1 + nearer, equal - 1) for nearer, equal in (counted[:2], counted[2:]))

    def _change(self, similarity: np.ndarray, own: np.ndarray, rows: slice) -> np.ndarray:
        """Return what the swaps of some queries add to the candidates nearer than their targets and equal. [2, b].

        similarity: [b, U] to the distinct vectors, the same numbers as of the shared candidates; own: [b] of targets.
        """
        change = np.zeros((2, len(own)), np.int32)
        if self.swaps is None:
            return change
        index, swaps = self._distinct[1], self.swaps.of(rows)
        for numbers, sign in ((swaps.removed, -1), (swaps.added, 1)):
            found = similarity[swaps.query, index[numbers]]
            for row, marked in enumerate((found > own[swaps.query], found == own[swaps.query])):
                change[row] += (sign * np.bincount(swaps.query[marked], minlength=len(own))).astype(np.int32)
        return change
