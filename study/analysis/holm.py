"""Adjust p-values wherever several cells or comparisons are spoken of at once."""

import numpy as np

LEVEL = 0.05  # of every family


def holm(p_values: np.ndarray) -> np.ndarray:
    """Return Holm's adjusted p-values, which control the family-wise error rate. Source: Holm (1979)."""
    order = np.argsort(p_values, kind="stable")
    count = len(order)
    stepped = np.maximum.accumulate((count - np.arange(count)) * np.asarray(p_values, float)[order])
    adjusted = np.empty(count)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
