"""Combine the rankings of several models into one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lvm_core.corpus import Corpus
from lvm_core.errors import InputError
from lvm_core.predict.contexts import Contexts
from lvm_core.predict.predictor import Predictor
from lvm_core.predict.router import check_same_space, over_one_index

RANK_OFFSET = 60  # of reciprocal rank fusion (Cormack, Clarke and Buettcher, 2009)
CANDIDATES = 10  # that each member retrieves for each result asked for


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Weighted reciprocal rank fusion: a candidate's score is the sum of weight / (60 + its rank) over the members.

    weights: one for each member, positive; None: equal ones. Of equal scores, the lower row comes first.
    """

    predictors: tuple[Predictor, ...]
    weights: tuple[float, ...] | None = None

    def __post_init__(self):
        check_same_space(self.predictors)
        weights = self.weights if self.weights is not None else (1.0,) * len(self.predictors)
        if len(weights) != len(self.predictors) or not all(np.isfinite(w) and w > 0 for w in weights):
            raise InputError(
                f"an ensemble must have one positive weight for each model, but got {weights} for "
                f"{len(self.predictors)} models."
            )
        object.__setattr__(self, "weights", tuple(weight / sum(weights) for weight in weights))

    def over(self, corpus: Corpus) -> "Ensemble":
        """Return this ensemble with one index of a corpus's vectors."""
        return Ensemble(over_one_index(self.predictors, corpus), self.weights)

    def search(self, context: Contexts, k: int = 10) -> tuple[np.ndarray, np.ndarray]:
        """Return (fused scores, corpus rows), each [B, k], best first."""
        return fuse(
            [predictor.search(context, self._depth(predictor, k))[1] for predictor in self.predictors], self.weights, k
        )

    @staticmethod
    def _depth(predictor: Predictor, k: int) -> int:
        most = predictor.index.num_vectors if predictor.index is not None else k
        return max(k, min(CANDIDATES * k, most))


def fuse(rows: Sequence[np.ndarray], weights: Sequence[float], k: int) -> tuple[np.ndarray, np.ndarray]:
    """Fuse the members' rankings: rows [B, n] of each, nearest first -> (scores, rows), each [B, k]."""
    votes = [
        weight / (RANK_OFFSET + np.arange(1, ranked.shape[1] + 1)) for weight, ranked in zip(weights, rows, strict=True)
    ]
    scores, fused = np.empty((len(rows[0]), k)), np.empty((len(rows[0]), k), np.int64)
    for query in range(len(rows[0])):
        candidates, number = np.unique(np.concatenate([ranked[query] for ranked in rows]), return_inverse=True)
        total = np.bincount(number, np.concatenate(votes))
        best = np.argsort(-total, kind="stable")[:k]
        scores[query], fused[query] = total[best], candidates[best]
    return scores, fused
