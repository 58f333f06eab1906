"""Bootstrap Hit@K over replicates and over documents, since windows of one document are not independent."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.stats import norm

from study.analysis.units import Units

NUM_RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class Resampler:
    """One set of bootstrap weights of documents, shared by everything that is compared, so that differences are paired.

    For ratios and whole curves; means and differences have t intervals (mrmc.py). Each resample draws n - 1 of n units
    with replacement, so the variance of a resampled mean equals that of the mean itself (drawing n makes it too small
    by 1/n: a third with three replicates). Source: Rao and Wu, JASA 83 (1988).

    weights: [B, units] how often each unit was drawn.
    """

    units: Units
    weights: np.ndarray
    seed: int

    @classmethod
    def of(cls, units: Units, seed: int = 0, num_resamples: int = NUM_RESAMPLES) -> "Resampler":
        """Draw resamples of documents, or of what stands for them."""
        weights = draws(np.random.default_rng(seed), units.count, num_resamples).astype(float)  # faster products
        return cls(units, weights, seed)

    @property
    def num_resamples(self) -> int:
        return len(self.weights)

    def run_means(self, values: np.ndarray) -> np.ndarray:
        """Return each run's mean in every resample of the documents. [R, Q] -> [B, R]."""
        of_query, count = self.units.of_query, self.units.count
        sums = np.stack([np.bincount(of_query, row, count) for row in values])  # [R, units]
        return self.weights @ sums.T / self._num_drawn[:, None]

    @cached_property
    def _num_drawn(self) -> np.ndarray:
        """The number of queries in each resample. [B]."""
        return self.weights @ np.bincount(self.units.of_query, minlength=self.units.count)

    def means(self, values: np.ndarray) -> np.ndarray:
        """Return resampled means of per-query values of several replicates. [R, Q] -> [B].

        Replicates are resampled too; with a single one, only documents vary.
        """
        share = draws(np.random.default_rng([self.seed, len(values), 0]), len(values), self.num_resamples)
        return np.einsum("br,br->b", share / share.sum(1, keepdims=True), self.run_means(values))


def draws(rng: np.random.Generator, count: int, num_resamples: int) -> np.ndarray:
    """Return how often each of `count` units is drawn in each resample: count - 1 draws. [B, count]."""
    return rng.multinomial(max(1, count - 1), np.full(count, 1 / count), num_resamples)


def interval(resampled: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """Return the percentile interval."""
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(resampled, [tail, 100 - tail])
    return float(low), float(high)


def wilson(hits: float, count: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the Wilson score interval of `hits` out of `count` independent queries: the naive bound.

    Source: Wilson, JASA 22 (1927).
    """
    z = norm.isf((1 - level) / 2)
    centre = (hits + z**2 / 2) / (count + z**2)
    half = z / (count + z**2) * np.sqrt(hits * (count - hits) / count + z**2 / 4)
    return float(centre - half), float(centre + half)
