"""Draw a corpus on the map as a line: when its documents are cut into windows, N follows from C."""

import numpy as np
import pandas as pd

from study.analysis.best_context import OVERLAPS
from study.analysis.windows import TrainingPart

NUM_POINTS = 60
MARGIN = 0.5  # in cells, around the outermost ones


def corpus_diagonal(part: TrainingPart, contexts: list[int], sizes: list[int]) -> pd.DataFrame:
    """Return one line per overlap: C, N, and the place on a grid whose cells are numbered 0 .. K-1 on each axis.

    Between cells, places are linear in ln C and ln N. `inside` marks points on the grid.
    """
    fine = np.geomspace(min(contexts), max(contexts), NUM_POINTS) if len(contexts) > 1 else np.array(contexts, float)
    parts = []
    for overlap in OVERLAPS:
        tied = part.num_windows(fine, overlap)
        x, y = grid_place(np.maximum(tied, 1), sizes), grid_place(fine, contexts)
        inside = (tied >= 1) & (x >= -MARGIN) & (x <= len(sizes) - 1 + MARGIN)
        line = {"overlap": overlap, "context_length": fine, "num_sequences": tied, "x": x, "y": y, "inside": inside}
        parts.append(pd.DataFrame(line))
    return pd.concat(parts, ignore_index=True)


def grid_place(values: np.ndarray, ticks: list[int]) -> np.ndarray:
    """Return the places of values among ticks numbered from 0, linear in the logarithm and extrapolated beyond."""
    log_ticks, log_values = np.log(np.array(ticks, float)), np.log(values)
    if len(ticks) == 1:
        return (log_values - log_ticks[0]) / np.log(2)
    i = np.clip(np.searchsorted(log_ticks, log_values) - 1, 0, len(ticks) - 2)
    return i + (log_values - log_ticks[i]) / (log_ticks[i + 1] - log_ticks[i])
