"""Predict what a planned study can show: its intervals, the least differences it finds, and what a difference needs."""

from bisect import bisect_left

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2, norm, t

from study.analysis.holm import LEVEL
from study.analysis.spread import Design, Spread

POWER = 0.8
MAX_QUERIES = 10_000_000  # if these do not suffice, no number does
MAX_DIFFERENCE = 2.0  # above any difference of two shares
RUN_SHARES, DOCUMENT_SHARES = ((np.arange(count) + 0.5) / count for count in (200, 20))  # quantiles to average over


def half_width(spread: Spread, design: Design, search: float = 0.0) -> float:
    """Return half the width to expect of a 95 % interval, as a share. search: a known variance that is added."""
    variance, df = _estimates(spread, design)
    return float((t.isf(LEVEL / 2, df) * np.sqrt(variance + search)).mean())


def power(spread: Spread, design: Design, difference: float, level: float = LEVEL) -> float:
    """Return the chance that a two-sided t test finds a true difference, over the variances that it may estimate."""
    variance, df = _estimates(spread, design)
    true = sum(spread.by_replicates_and_documents(design))
    if true == 0:
        return 1.0
    limits, shift = t.isf(level / 2, df) * np.sqrt(variance / true), difference / np.sqrt(true)
    return float((norm.sf(limits - shift) + norm.cdf(-limits - shift)).mean())


def _estimates(spread: Spread, design: Design) -> tuple[np.ndarray, np.ndarray]:
    """Return the variances that a study of this design may estimate, equally likely, and their degrees of freedom.

    The two parts follow chi-squared distributions; with a single replicate only documents show the variance.
    """
    by_runs, by_documents = spread.by_replicates_and_documents(design)
    runs_df, documents_df = design.num_replicates - 1, design.num_documents - 1
    documents = chi2.ppf(DOCUMENT_SHARES, documents_df) / documents_df
    if runs_df == 0:
        return (by_runs + by_documents) * documents, np.full(len(documents), documents_df)
    runs = by_runs * (chi2.ppf(RUN_SHARES, runs_df) / runs_df)[:, None]
    documents = by_documents * documents
    with np.errstate(invalid="ignore"):  # no variance at all
        df = (runs + documents) ** 2 / (runs**2 / runs_df + documents**2 / documents_df)
    return runs + documents, np.nan_to_num(df, nan=np.inf)


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
