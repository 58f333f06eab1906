"""Find the best context length for a corpus: with V vectors and a fixed overlap, N follows from C."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from study.analysis.intervals import interval
from study.analysis.law import Law

OVERLAPS = (0.0, 0.5)  # between neighbouring windows; the published runs used 0.5
GROWTH = (1, 2, 5, 10)
NUM_CONTEXTS = 41


def tied_sequences(num_vectors: float, context_length: np.ndarray, overlap: float) -> np.ndarray:
    """Return the number of windows of V vectors at each C; neighbours share `overlap` of their context. [K] float64."""
    step = np.maximum(1.0, np.asarray(context_length) * (1 - overlap))
    return np.maximum(0.0, np.floor((num_vectors - context_length - 1) / step) + 1)


@dataclass(frozen=True, eq=False)
class BestContext:
    """The isoline of one corpus on the fitted map.

    line: one row per context, with N, Hit@5 and its interval, and whether N lies outside the measured sizes. best: the
    C with the largest Hit@5, with its interval. growth: the best row of the line for 1, 2, 5 and 10 times the vectors.
    """

    num_vectors: int
    overlap: float
    line: pd.DataFrame
    best: tuple[float, float, float]
    growth: pd.DataFrame


def best_context(law: Law, num_vectors: int, overlap: float = 0.5) -> BestContext:
    """Read the isoline of `num_vectors` training vectors off the fitted law, within the contexts measured.

    num_vectors: in the training part. Contexts outside the measured range are left out; an N outside the measured
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
