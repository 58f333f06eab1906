"""Divide the variance of Hit@5, or of a difference, among documents, replicates, queries, and queries in one run."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace

import numpy as np

from study.analysis.mrmc import Components, contributions
from study.analysis.units import Units


@dataclass(frozen=True)
class Design:
    """What a mean is taken over. clustering: mean number of queries in the document of a random query."""

    num_queries: int
    num_documents: int
    num_replicates: int
    clustering: float

    @classmethod
    def of(cls, units: Units, num_replicates: int) -> "Design":
        """Count the queries of each document, or of what stands for it."""
        sizes = np.bincount(units.of_query, minlength=units.count).astype(float)
        return cls(int(sizes.sum()), units.count, num_replicates, float((sizes**2).sum() / sizes.sum()))

    def with_queries(self, num_queries: int) -> "Design":
        """Return the design with more or fewer queries, and documents in proportion."""
        num_documents = round(self.num_documents * num_queries / self.num_queries)
        return replace(self, num_queries=num_queries, num_documents=max(2, num_documents))

    def queries_of_documents(self, num_documents: int) -> int:
        """Return how many queries so many documents have."""
        return round(num_documents * self.num_queries / self.num_documents)


@dataclass(frozen=True)
class Spread:
    """Variances behind one query's value in one replicate.

    replicate: of a replicate's effect on all queries. document: of a document's effect on its queries. query: of a
    query's own effect in all replicates. query_in_run: of a query in one replicate. Chance may put an estimate below 0:
    it is kept, so that a mean over cells is not too large, and counted as 0 in what is predicted.
    """

    replicate: float
    document: float
    query: float
    query_in_run: float

    @classmethod
    def of(cls, values: np.ndarray, units: Units) -> "Spread":
        """Estimate from per-query values [R, Q], which may be differences. With one replicate, `query` has it all."""
        design, num_runs = Design.of(units, len(values)), len(values)
        found = Components.of(values.mean(1), contributions(values, units))
        residual = values - values.mean(1, keepdims=True) - values.mean(0) + values.mean()
        in_run = float((residual**2).sum() / max(1, (num_runs - 1) * (values.shape[1] - 1)))
        query = _within(values.mean(0), units) - in_run / num_runs
        document = (found.cov2 * design.num_queries - query) / design.clustering
        return cls(found.ms - found.noise, document, query, in_run)

    @classmethod
    def mean_of(cls, spreads: Sequence["Spread"]) -> "Spread":
        """Return the mean of each variance."""
        return cls(*(float(value) for value in np.mean([astuple(one) for one in spreads], axis=0)))

    def scaled(self, factor: float) -> "Spread":
        """Return every variance times a factor."""
        return Spread(*(factor * value for value in astuple(self)))

    def parts(self, design: Design) -> dict[str, float]:
        """Return the variance of the mean by source."""
        num_queries, num_runs = design.num_queries, design.num_replicates
        found = {
            "documents": self.document * design.clustering / num_queries,
            "replicates": self.replicate / num_runs,
            "queries": self.query / num_queries,
            "queries in one run": self.query_in_run / (num_queries * num_runs),
        }
        return {source: max(0.0, variance) for source, variance in found.items()}

    def by_replicates_and_documents(self, design: Design) -> tuple[float, float]:
        """Return the two parts of the variance of the mean that a study estimates: between replicates, and between
        documents.
        """
        parts = self.parts(design)
        return parts["replicates"] + parts["queries in one run"], parts["documents"] + parts["queries"]


def _within(by_query: np.ndarray, units: Units) -> float:
    """Return the variance of queries about their documents' means. [Q] -> float."""
    counts = np.bincount(units.of_query, minlength=units.count)
    means = np.bincount(units.of_query, by_query, units.count) / counts
    return float(((by_query - means[units.of_query]) ** 2).sum() / max(1, len(by_query) - units.count))
