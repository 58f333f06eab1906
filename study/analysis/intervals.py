"""Bootstrap Hit@K over the two things that were drawn: chains (windows of one are not independent) and replicates."""

from dataclasses import dataclass

import numpy as np

NUM_RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class Resampler:
    """One set of resampled chain weights, used for everything that is compared, so that differences are paired.

    chain_of_query: [Q] 0 .. num_chains - 1. weights: [B, num_chains] how often each chain was drawn.
    """

    chain_of_query: np.ndarray
    weights: np.ndarray
    seed: int

    @classmethod
    def for_chains(cls, chain_ids: np.ndarray, seed: int = 0) -> "Resampler":
        """Draw chains with replacement, as many as there are."""
        values, chain_of_query = np.unique(chain_ids, return_inverse=True)
        count = len(values)
        weights = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), NUM_RESAMPLES)
        return cls(chain_of_query, weights, seed)

    def means(self, values: np.ndarray) -> np.ndarray:
        """Return resampled means of per-query values of several replicates. [R, Q] -> [B].

        Replicates are drawn with replacement too; with one, only chains vary.
        """
        num_chains, num_replicates = self.weights.shape[1], len(values)
        sums = np.stack([np.bincount(self.chain_of_query, row, num_chains) for row in values])  # [R, chains]
        sizes = np.bincount(self.chain_of_query, minlength=num_chains)
        rng = np.random.default_rng([self.seed, num_replicates])
        share = rng.multinomial(num_replicates, np.full(num_replicates, 1 / num_replicates), NUM_RESAMPLES)
        total = np.einsum("br,rc,bc->b", share / num_replicates, sums, self.weights)
        return total / (self.weights @ sizes)


def interval(resampled: np.ndarray) -> tuple[float, float]:
    """Return the percentile interval at 95 %."""
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(resampled, [tail, 100 - tail])
    return float(low), float(high)


def clustered_standard_error(values: np.ndarray, chain_ids: np.ndarray) -> float:
    """Return the standard error of a mean over queries, chains as clusters (Liang and Zeger, 1986). [Q] -> float."""
    _, chain = np.unique(chain_ids, return_inverse=True)
    sums = np.bincount(chain, values - values.mean())
    count = len(sums)
    return float(np.sqrt((sums**2).sum() * count / max(1, count - 1)) / len(values))
