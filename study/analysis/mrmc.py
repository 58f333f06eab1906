"""Estimate means and paired differences over documents and replicates at once, with t intervals.

The multi-reader multi-case model: replicates are the readers, documents are the cases. Var = MS / R + Cov2, where MS is
the variance between the R replicates' means, and Cov2 the covariance between replicates that documents cause. The noise
of single queries is part of MS alone, so it is not counted twice. Sources: Obuchowski and Rockette, Communications in
Statistics 24 (1995); degrees of freedom: Hillis, Statistics in Medicine 26 (2007), with those of the documents added.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import digamma, polygamma
from scipy.stats import t

from study.analysis.units import Units

LEVEL = 0.95
MIN_FAMILY = 3  # estimates that can show how alike their variances are


class Part(NamedTuple):
    """One source of a variance, with its degrees of freedom."""

    variance: float
    df: float


NONE = Part(0.0, np.inf)


@dataclass(frozen=True)
class Estimate:
    """A value with what it varies by: replicates, documents, and what was added to them."""

    value: float
    runs: Part = NONE
    documents: Part = NONE
    added: Part = NONE

    @property
    def variance(self) -> float:
        return self.runs.variance + self.documents.variance + self.added.variance

    @property
    def df(self) -> float:
        return together((self.runs, self.documents, self.added)).df

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

    def named(self, name: str) -> dict[str, float]:
        """Return the value under a name, and its interval under the name with `_low` and `_high`."""
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}

    @property
    def p_value(self) -> float:
        """The two-sided p-value of "it is 0"."""
        if self.variance == 0:
            return float(self.value == 0)
        return float(2 * t.sf(abs(self.value) / np.sqrt(self.variance), self.df))

    def with_noise(self, variance: float, df: float) -> "Estimate":
        """Return the same value with an independent source of noise added."""
        return replace(self, added=together((self.added, Part(variance, df))))

    def minus(self, value: float) -> "Estimate":
        """Return how far the value lies above another, fixed one."""
        return replace(self, value=self.value - value)


def together(parts: Sequence[Part]) -> Part:
    """Add sources of variance, with Satterthwaite's degrees of freedom."""
    variance = sum(part.variance for part in parts)
    spread = sum(part.variance**2 / part.df for part in parts)
    return Part(variance, variance**2 / spread if spread else np.inf)


def moderated(estimates: Sequence[Estimate]) -> list[Estimate]:
    """Return estimates of one family whose variance between replicates borrows from the others'.

    Two or three replicates show little of their own variance: by chance it is near 0 in one of many comparisons, which
    would then look certain. Each variance is drawn towards that of the family as far as the family is alike, and one
    that a single replicate cannot show is taken from the family. What does not vary at all stays as it is.
    Source: empirical Bayes variances, Smyth, Statistical Applications in Genetics and Molecular Biology 3 (2004).
    """
    runs = [one.runs for one in estimates if one.runs.variance > 0]
    if len(runs) < MIN_FAMILY:
        return list(estimates)
    df = np.array([run.df for run in runs])
    prior = _prior(np.array([run.variance for run in runs]), df)
    # a family's variance is itself estimated, from comparisons that share cells: about half as many degrees of freedom
    most = float(df.sum()) / 2
    single = Part(prior.variance * (df.mean() + 1), min(prior.df, most))  # the prior is that of a mean over replicates
    return [replace(one, runs=_borrowed(one, prior, most, single)) for one in estimates]


def _borrowed(one: Estimate, prior: Part, most: float, single: Part) -> Part:
    """Return the variance between replicates of one member of a family."""
    if one.variance == 0:
        return one.runs
    return single if np.isinf(one.runs.df) else _shrunk(one.runs, prior, most)


def _prior(variances: np.ndarray, df: np.ndarray) -> Part:
    """Return the family's variance, and the degrees of freedom that it is worth: infinite if the members are alike."""
    logs = np.log(variances) - digamma(df / 2) + np.log(df / 2)
    excess = float(logs.var(ddof=1) - polygamma(1, df / 2).mean())
    if excess <= 0:
        return Part(float(np.exp(logs.mean())), np.inf)
    half = brentq(lambda x: polygamma(1, x) - excess, 1e-6, 1e9)
    return Part(float(np.exp(logs.mean() + digamma(half) - np.log(half))), 2 * half)


def _shrunk(own: Part, prior: Part, most: float) -> Part:
    if np.isinf(prior.df):
        return Part(prior.variance, max(own.df, most))
    df = own.df + prior.df
    return Part((own.df * own.variance + prior.df * prior.variance) / df, max(own.df, min(df, most)))


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


def difference(second: np.ndarray, first: np.ndarray, units: Units, *, trained: bool = False) -> Estimate:
    """Estimate the mean of `second` minus that of `first`, on the same queries. [R, Q], [S, Q].

    Sets with equally many replicates are paired replicate by replicate. A single row of `first` is paired with every
    replicate, unless `trained`: a baseline that trains nothing varies by no replicate, a model of which one replicate
    is left does. Otherwise the replicates of the two sets are independent, and only documents pair them.
    """
    if len(first) == len(second) or (len(first) == 1 and not trained):
        return mean(second - first, units)
    counts = len(second), len(first)
    (after, after_units), (before, before_units) = parts = [
        (values.mean(1), contributions(values, units)) for values in (second, first)
    ]
    two = [Components.of(*part) for part in parts]
    crossed = after_units.mean(0) @ before_units.mean(0) / (units.count * (units.count - 1))
    cov2 = max(0.0, two[0].cov2 + two[1].cov2 - 2 * crossed)
    return Estimate(float(after.mean() - before.mean()), _runs_of_two(two, counts), Part(cov2, units.count - 1))


def _runs_of_two(two: Sequence[Components], counts: Sequence[int]) -> Part:
    """Return the variance between replicates of a difference of independent sets.

    A single replicate is taken to vary as those of the other set do; its queries' noise is in its cov2 already.
    """
    if 1 not in counts:
        return together([Part(part.ms / count, count - 1) for part, count in zip(two, counts, strict=True)])
    many, count = max(zip(two, counts, strict=True), key=lambda pair: pair[1])
    return Part(many.ms / count + max(0.0, many.ms - many.noise), count - 1)


def _estimate(means: np.ndarray, of_units: np.ndarray) -> Estimate:
    found, num_runs = Components.of(means, of_units), len(means)
    runs = Part(found.ms / num_runs, num_runs - 1) if num_runs > 1 else NONE
    return Estimate(float(means.mean()), runs, Part(found.cov2, of_units.shape[1] - 1))
