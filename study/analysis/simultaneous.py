"""Give intervals that hold for many quantities at once, from joint draws of their noise."""

from dataclasses import dataclass

import numpy as np

LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class Simultaneous:
    """M estimates with intervals that all hold at once in 95 % of studies. value, low, high, t: [M].

    The largest |t| of the draws sets the width, so correlated quantities cost less than under Bonferroni.
    Source: Hothorn, Bretz and Westfall, Biometrical Journal 50 (2008).
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    t: np.ndarray

    @classmethod
    def of(cls, value: np.ndarray, noise: np.ndarray, level: float = LEVEL) -> "Simultaneous":
        """Estimate from values [M] and draws of their noise [B, M]."""
        sd = noise.std(0)
        scale = np.where(sd > 0, sd, np.inf)
        half = np.quantile(np.abs(noise / scale).max(1), level) * sd
        return cls(value, value - half, value + half, value / scale)


def max_p_value(value: np.ndarray, noise: np.ndarray) -> float:
    """Return the p-value of "all values are 0", by their largest |t|. [M], [B, M]."""
    scale = noise.std(0)
    scale = np.where(scale > 0, scale, np.inf)
    found, drawn = np.abs(value / scale).max(), np.abs(noise / scale).max(1)
    return float((1 + (drawn >= found).sum()) / (1 + len(drawn)))
