"""Find the best context length for a corpus: with its documents and a fixed overlap, N follows from C."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from study.analysis.intervals import interval
from study.analysis.law import Law
from study.analysis.windows import TrainingPart

OVERLAPS = (0.0, 0.5)  # between neighbouring windows; the published runs used 0.5
GROWTH = (1, 2, 5, 10)
NUM_CONTEXTS = 41


@dataclass(frozen=True, eq=False)
class BestContext:
    """The isoline of one corpus on the fitted map.

    line: one row per context, with N, Hit@5 and its interval, and whether N lies outside the measured sizes. best: the
    C with the largest Hit@5, with its interval, which reaches to those of the other tenable laws. growth: the best row
    of the line for 1, 2, 5 and 10 times the corpus.
    """

    part: TrainingPart
    overlap: float
    line: pd.DataFrame
    best: tuple[float, float, float]
    growth: pd.DataFrame


def best_context(law: Law, part: TrainingPart, overlap: float = 0.5) -> BestContext:
    """Read the isoline of a training part off the fitted law, within the contexts measured.

    Contexts outside the measured range are left out; an N outside the measured
    sizes is marked as a projection.
    """
    line, best = _line(law, part, overlap)
    growth = []
    for factor in GROWTH:
        grown, (context, low, high) = _line(law, part.grown(factor), overlap)
        top = grown.loc[grown.hit_at_5.idxmax()]
        growth.append(
            {"factor": factor, "num_vectors": factor * part.num_vectors, "best_context": context, "best_low": low,
             "best_high": high, "num_sequences": top.num_sequences, "hit_at_5": top.hit_at_5, "low": top.low,
             "high": top.high, "projection": bool(factor > 1 or top.projection)}
        )  # fmt: skip
    return BestContext(part, overlap, line, best, pd.DataFrame(growth))


def _line(law: Law, part: TrainingPart, overlap: float) -> tuple[pd.DataFrame, tuple[float, float, float]]:
    measured = law.hit_map
    contexts = np.unique(
        np.round(np.geomspace(measured.context_length.min(), measured.context_length.max(), NUM_CONTEXTS)).astype(int)
    )
    sizes = part.num_windows(contexts, overlap)
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
    low, high = interval(best[1:])
    others = [contexts[fitted.predict(contexts, sizes).argmax()] for fitted in law.tenable]
    return line, (float(best[0]), float(min(low, best[0], *others)), float(max(high, best[0], *others)))
