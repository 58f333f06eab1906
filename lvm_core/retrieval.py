"""Rank the target of each query among the candidates of a pool, exactly."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

QUERY_BLOCK = 256  # queries scored at a time, fixed: another block size may round differently
POOL_BLOCK = 131_072


@dataclass(frozen=True, eq=False)
class Pool:
    """Candidates to rank against. Equal vectors are scored once, so that they tie however similarities are rounded.

    vectors: [P, D] float32, unit length. Similarity is the inner product.
    """

    vectors: np.ndarray

    @cached_property
    def _distinct(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Distinct vectors [U, D], the number of each candidate's vector [P], and how often each vector occurs [U]."""
        rows = np.ascontiguousarray(self.vectors).view(np.dtype((np.void, self.vectors.dtype.itemsize * self.dim)))
        _, first, index, counts = np.unique(rows.ravel(), return_index=True, return_inverse=True, return_counts=True)
        return self.vectors[first], index, counts

    @property
    def dim(self) -> int:
        return self.vectors.shape[1]

    def rank_targets(self, predictions: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (rank, num_ties), each [Q] int32: 1 + the candidates strictly nearer, and the others exactly as near.

        predictions: [Q, D] float32 unit vectors; targets: [Q] numbers of candidates.
        Raises: ValueError for a prediction that is not finite, which has no rank.
        """
        if not np.isfinite(predictions).all():
            raise ValueError("every prediction must be finite to be ranked")
        vectors, index, counts = self._distinct
        own, blocks = index[targets], np.split(vectors, range(POOL_BLOCK, len(vectors), POOL_BLOCK))
        rank, num_ties = np.empty(len(targets), np.int32), np.empty(len(targets), np.int32)
        for start in range(0, len(targets), QUERY_BLOCK):
            rows = slice(start, start + QUERY_BLOCK)
            similarity = np.concatenate([predictions[rows] @ block.T for block in blocks], axis=1)
            own_similarity = np.take_along_axis(similarity, own[rows, None], axis=1)
            rank[rows] = 1 + (similarity > own_similarity) @ counts
            num_ties[rows] = (similarity == own_similarity) @ counts - 1
        return rank, num_ties
