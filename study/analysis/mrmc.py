"""Estimate means and paired differences over documents and replicates at once, with t intervals.

The multi-reader multi-case model: replicates are the readers, documents are the cases. Var = MS / R + Cov2, where MS is
the variance between the R replicates' means, and Cov2 the covariance between replicates that documents cause. The noise
of single queries is part of MS alone, so it is not counted twice. Sources: Obuchowski and Rockette, Communications in
Statistics 24 (1995); degrees of freedom: Hillis, Statistics in Medicine 26 (2007), with those of the documents added.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.stats import t

from study.analysis.units import Units

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A value with its variance and the degrees of freedom of that variance."""

    value: float
    variance: float
    df: float

    @cached_property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval."""
        half = t.isf((1 - LEVEL) / 2, self.df) * np.sqrt(self.variance)
        return float(self.value - half), float(self.value + half)

    @property
    def low(self) -> float:
        return self.interval[0]

    @property
    def high(self) -> float:
        return self.interval[1]

    @property
    def p_value(self) -> float:
        """The two-sided p-value of "it is 0"."""
        if self.variance == 0:
            return float(self.value == 0)
        return float(2 * t.sf(abs(self.value) / np.sqrt(self.variance), self.df))

    def with_noise(self, variance: float, df: float) -> "Estimate":
        """Return the same value with an independent source of noise added."""
        total = self.variance + variance
        if total == 0 or variance == 0:
            return self
        return Estimate(self.value, total, total**2 / (self.variance**2 / self.df + variance**2 / df))


@dataclass(frozen=True)
class Components:
    """What a mean over R replicates varies by. ms: between replicates. cov2: by documents. noise: the part of ms that
    single queries cause. ms and noise are 0 with one replicate, whose query noise is in cov2.
    """

    ms: float
    cov2: float
    noise: float

    @classmethod
    def of(cls, means: np.ndarray, contributions: np.ndarray) -> "Components":
        """Estimate from each replicate's mean [R] and its units' contributions [R, U]."""
        num_runs, num_units = contributions.shape
        covariance = contributions @ contributions.T / (num_units * (num_units - 1))  # [R, R]
        if num_runs == 1:
            return cls(0.0, float(covariance[0, 0]), 0.0)
        own, total = np.trace(covariance), covariance.sum()
        cov2 = (total - own) / (num_runs * (num_runs - 1))
        return cls(float(means.var(ddof=1)), max(0.0, float(cov2)), max(0.0, float(own / num_runs - cov2)))


def contributions(values: np.ndarray, units: Units) -> np.ndarray:
    """Return what each unit adds to each run's mean, to first order: units differ in size. [R, Q] -> [R, U], mean 0."""
    centred = values - values.mean(1, keepdims=True)
    sums = np.stack([np.bincount(units.of_query, row, units.count) for row in centred])
    return sums * (units.count / values.shape[1])


def mean(values: np.ndarray, units: Units) -> Estimate:
    """Estimate the mean of per-query values over replicates. [R, Q]. With one replicate only documents vary."""
    return _estimate(values.mean(1), contributions(values, units))


def difference(second: np.ndarray, first: np.ndarray, units: Units) -> Estimate:
    """Estimate the mean of `second` minus that of `first`, on the same queries. [R, Q], [S, Q].

    Sets with equally many replicates are paired replicate by replicate, and a single row is paired with every
    replicate; otherwise the replicates of the two sets are independent, and only documents pair them.
    """
    if len(first) == len(second) or 1 in (len(first), len(second)):
        return mean(second - first, units)
    parts = [(values.mean(1), contributions(values, units)) for values in (second, first)]
    (after, after_units), (before, before_units) = parts
    two = [Components.of(*part) for part in parts]
    crossed = after_units.mean(0) @ before_units.mean(0) / (units.count * (units.count - 1))
    by_runs = [part.ms / len(means) for part, (means, _) in zip(two, parts, strict=True)]
    cov2 = max(0.0, two[0].cov2 + two[1].cov2 - 2 * crossed)
    runs_df = [len(means) - 1 for means, _ in parts]
    return _with_df(float(after.mean() - before.mean()), by_runs, runs_df, cov2, units.count)


def _estimate(means: np.ndarray, of_units: np.ndarray) -> Estimate:
    found = Components.of(means, of_units)
    num_runs = len(means)
    return _with_df(float(means.mean()), [found.ms / num_runs], [num_runs - 1], found.cov2, of_units.shape[1])


def _with_df(value: float, by_runs: list[float], runs_df: list[int], cov2: float, num_units: int) -> Estimate:
    """Add the parts of a variance, with Satterthwaite's degrees of freedom."""
    variance = sum(by_runs) + cov2
    spread = cov2**2 / (num_units - 1) + sum(part**2 / df for part, df in zip(by_runs, runs_df, strict=True) if part)
    return Estimate(value, variance, variance**2 / spread if spread else np.inf)
