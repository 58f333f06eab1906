"""Draw the noise of many cells' means at once, so that laws, slopes and crossings share one set of draws.

A draw is a multivariate t: documents move all cells together, replicates move each cell and, a little, all of them, and
the search moves each cell. The components are those of mrmc.py; a cell's few replicates tell little of their own
variance, so that it is pooled over the cells of one group (the same N).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from study.analysis.mrmc import Components, contributions
from study.analysis.units import Units


@dataclass(frozen=True, eq=False)
class Noise:
    """The noise of K cells' means.

    of_units: [K, U] what each unit adds to a cell's mean. own: [K] variance that each cell has alone, from replicates
    and queries. shared: [K] standard deviation of what replicates do to all cells alike. search: variance of the search
    in each cell. runs_df: degrees of freedom of the replicates' variance. search_df: of the search's.
    """

    of_units: np.ndarray
    own: np.ndarray
    shared: np.ndarray
    runs_df: int
    search: float = 0.0
    search_df: float = 1.0

    @classmethod
    def of(cls, values: Sequence[np.ndarray], groups: Sequence, units: Units) -> "Noise":
        """Estimate from each cell's per-query values [R, Q] and its group."""
        parts = [contributions(one, units) for one in values]
        means = [one.mean(1) for one in values]
        found = [Components.of(mean, part) for mean, part in zip(means, parts, strict=True)]
        num_runs = np.array([len(one) for one in values])
        common = _shared_variance(means)
        pooled = _pooled(np.array([one.ms for one in found]), num_runs - 1, groups)
        # queries alone give the replicates' means this variance; a sample variance of two or three may fall below it
        noise = np.array([one.noise for one in found])
        spread = np.maximum(pooled - common, noise)
        return cls(
            of_units=np.stack([part.mean(0) for part in parts]),
            own=np.where(num_runs > 1, (spread - noise) / num_runs, spread),
            shared=np.sqrt(common / num_runs),
            runs_df=int((num_runs - 1).sum()),
        )

    def draw(self, rng: np.random.Generator, num_draws: int) -> np.ndarray:
        """Return draws of the noise. [B, K]."""
        num_cells, num_units = self.of_units.shape
        documents = rng.standard_normal((num_draws, num_units)) @ self.of_units.T
        normal = documents / np.sqrt(num_units * (num_units - 1))
        normal += rng.standard_normal((num_draws, 1)) * self.shared
        normal += rng.standard_normal((num_draws, num_cells)) * np.sqrt(self.own + self.search)
        df = self.df
        return normal if np.isinf(df) else normal * np.sqrt(df / rng.chisquare(df, (num_draws, 1)))

    @property
    def df(self) -> float:
        """Satterthwaite's degrees of freedom, of a cell or of a difference of two: the smaller."""
        num_cells, num_units = self.of_units.shape
        scale = num_units * (num_units - 1)
        level = (self.of_units**2).sum(1).mean() / scale
        differing = self.of_units - self.of_units.mean(0)
        contrast = 2 * (differing**2).sum(1).mean() / scale * num_cells / max(1, num_cells - 1)
        runs, search = float(self.own.mean()), self.search
        return min(
            self._df([(level, num_units - 1), (runs, self.runs_df), (search, self.search_df)]),
            self._df([(contrast, num_units - 1), (2 * runs, self.runs_df), (2 * search, self.search_df)]),
        )

    @staticmethod
    def _df(parts: list[tuple[float, float]]) -> float:
        spread = sum(variance**2 / df for variance, df in parts if variance and df)
        return sum(variance for variance, _ in parts) ** 2 / spread if spread else np.inf


def drawn_lifts(pairs: Sequence[tuple[np.ndarray, np.ndarray]], units: Units, num_draws: int = 2000) -> np.ndarray:
    """Return draws of several cells' lifts over their baselines, noise included. [R, Q] and [S, Q] a cell -> [B, K].

    Replicates are paired where both have as many, and a baseline's replicates are averaged otherwise.
    """
    lifts = [hits - (values if len(values) == len(hits) else values.mean(0)) for hits, values in pairs]
    noise = Noise.of(lifts, range(len(lifts)), units)
    return np.array([lift.mean() for lift in lifts]) + noise.draw(np.random.default_rng(0), num_draws)


def _shared_variance(means: Sequence[np.ndarray]) -> float:
    """Return the variance that replicates of the same number share in all cells: the mean covariance between cells."""
    count = len(means[0])
    if count < 2 or len(means) < 2 or any(len(one) != count for one in means):
        return 0.0
    deviation = np.stack(means) - np.stack(means).mean(1, keepdims=True)
    covariance = deviation @ deviation.T / (count - 1)
    num_cells = len(means)
    return max(0.0, float((covariance.sum() - np.trace(covariance)) / (num_cells * (num_cells - 1))))


def _pooled(variances: np.ndarray, df: np.ndarray, groups: Sequence) -> np.ndarray:
    """Return each cell's variance pooled over its group, by degrees of freedom; over all where a group has none."""
    total, weight = {}, {}
    for group, variance, freedom in zip(groups, variances, df, strict=True):
        total[group] = total.get(group, 0.0) + freedom * variance
        weight[group] = weight.get(group, 0) + freedom
    overall = float((df * variances).sum() / df.sum()) if df.sum() else 0.0
    return np.array([total[group] / weight[group] if weight[group] else overall for group in groups])
