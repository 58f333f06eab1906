"""Predict what a planned study can show: its intervals, the least differences it finds, and what a difference needs."""

from bisect import bisect_left

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2, norm, t

from study.analysis.spread import Design, Spread

LEVEL = 0.05
POWER = 0.8
MAX_QUERIES = 10_000_000  # if these do not suffice, no number does
MAX_DIFFERENCE = 2.0  # above any difference of two shares
SHARES = (np.arange(400) + 0.5) / 400  # quantiles of the estimated variance over which power is averaged


def half_width(spread: Spread, design: Design) -> float:
    """Return half the width to expect of a 95 % interval, as a share."""
    variance, df = spread.variance(design)
    return float(t.isf(LEVEL / 2, df) * np.sqrt(variance))


def power(spread: Spread, design: Design, difference: float, level: float = LEVEL) -> float:
    """Return the chance that a two-sided t test finds a true difference, over the variances that it may estimate."""
    variance, df = spread.variance(design)
    if variance == 0:
        return 1.0
    estimated = np.ones(1) if np.isinf(df) else np.sqrt(chi2.ppf(SHARES, df) / df)  # in units of the true SD
    limits, shift = t.isf(level / 2, df) * estimated, difference / np.sqrt(variance)
    return float((norm.sf(limits - shift) + norm.cdf(-limits - shift)).mean())


def least_difference(spread: Spread, design: Design, level: float = LEVEL) -> float:
    """Return the least true difference that is found with power 0.8, as a share."""
    return float(brentq(lambda size: power(spread, design, size, level) - POWER, 0.0, MAX_DIFFERENCE))


def queries_needed(spread: Spread, design: Design, difference: float) -> int | None:
    """Return the least number of queries, documents in proportion, that finds a difference with power 0.8.

    None if no number does, because the replicates alone vary too much.
    """
    counts = range(design.queries_of_documents(2), MAX_QUERIES)
    place = bisect_left(counts, POWER, key=lambda count: power(spread, design.with_queries(count), difference))
    return counts[place] if place < len(counts) else None
