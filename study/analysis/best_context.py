"""Find the context into which a corpus should be cut: with V vectors and a fixed overlap, N is tied to C."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from study.analysis.intervals import interval
from study.analysis.law import Law

OVERLAPS = (0.0, 0.5)  # of neighbouring windows; the published runs used a half
GROWTH = (1, 2, 5, 10)
NUM_CONTEXTS = 41


def tied_sequences(num_vectors: float, context_length: np.ndarray, overlap: float) -> np.ndarray:
    """Return how many windows V vectors give at each C, neighbours sharing `overlap` of their context. [K] float64."""
    step = np.maximum(1.0, np.asarray(context_length) * (1 - overlap))
    return np.maximum(0.0, np.floor((num_vectors - context_length - 1) / step) + 1)


@dataclass(frozen=True, eq=False)
class BestContext:
    """The isoline of one corpus on the fitted map.

    line: a row a context: N, Hit@5 with its interval, and whether N lies outside the sizes measured. best: the C of the
    largest Hit@5, with its interval. growth: the best of the line with 1, 2, 5, 10 times the vectors.
    """

    num_vectors: int
    overlap: float
    line: pd.DataFrame
    best: tuple[float, float, float]
    growth: pd.DataFrame


def best_context(law: Law, num_vectors: int, overlap: float = 0.5) -> BestContext:
    """Read the isoline of `num_vectors` training vectors off the fitted law, within the contexts measured.

    num_vectors: of the training part. Contexts beyond those measured are not asked about; an N outside the measured
    sizes is marked as a projection.
    """
    line, best = _line(law, num_vectors, overlap)
    growth = []
    for factor in GROWTH:
        grown, (context, low, high) = _line(law, factor * num_vectors, overlap)
        top = grown.loc[grown.hit_at_5.idxmax()]
        growth.append(
            {"factor": factor, "num_vectors": factor * num_vectors, "best_context": context, "best_low": low,
             "best_high": high, "num_sequences": top.num_sequences, "hit_at_5": top.hit_at_5, "low": top.low,
             "high": top.high, "projection": bool(factor > 1 or top.projection)}
        )  # fmt: skip
    return BestContext(num_vectors, overlap, line, best, pd.DataFrame(growth))


def _line(law: Law, num_vectors: int, overlap: float) -> tuple[pd.DataFrame, tuple[float, float, float]]:
    measured = law.hit_map
    contexts = np.unique(
        np.round(np.geomspace(measured.context_length.min(), measured.context_length.max(), NUM_CONTEXTS)).astype(int)
    )
    sizes = tied_sequences(num_vectors, contexts, overlap)
    contexts, sizes = contexts[sizes >= 1], sizes[sizes >= 1]
    drawn = law.predict(contexts, sizes)  # [1 + B, K]
    low, high = np.percentile(drawn[1:], [2.5, 97.5], axis=0)
    line = pd.DataFrame(
        {
            "context_length": contexts,
            "num_sequences": sizes.astype(np.int64),
            "hit_at_5": drawn[0],
            "low": low,
            "high": high,
            "share_best": np.bincount(drawn[1:].argmax(1), minlength=len(contexts)) / (len(drawn) - 1),
            "projection": (sizes < measured.num_sequences.min()) | (sizes > measured.num_sequences.max()),
        }
    )
    best = contexts[drawn.argmax(1)]
    return line, (float(best[0]), *interval(best[1:]))
