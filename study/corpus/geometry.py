"""Describe the vectors of a corpus: document lengths, norms, and cosines by distance in chunks."""

from dataclasses import dataclass

import numpy as np

from lvm_core.corpus import Corpus
from lvm_core.seeds import child_generator

LAGS = (1, 2, 5, 10)
SAMPLE = 20_000  # pairs per mean
QUANTILES = (0, 5, 25, 50, 75, 95, 100)


@dataclass(frozen=True)
class MeanCosine:
    """A mean over sampled pairs; None if the corpus has no such pair."""

    name: str
    value: float | None
    num_pairs: int


def length_quantiles(corpus: Corpus) -> list[int]:
    """Return document lengths in vectors, at QUANTILES per cent."""
    return [int(value) for value in np.percentile(np.diff(corpus.chain_starts), QUANTILES)]


def norm_quantiles(vectors: np.ndarray, seed: int) -> tuple[float, float, float]:
    """Return minimum, median and maximum norm of the vectors as stored, from a sample if there are many."""
    rows = np.sort(child_generator(seed, "norms").permutation(len(vectors))[:SAMPLE])
    norms = np.linalg.norm(vectors[rows].astype(np.float64), axis=1)
    return float(norms.min()), float(np.median(norms)), float(norms.max())


def mean_cosines(corpus: Corpus, seed: int) -> list[MeanCosine]:
    """Return mean cosines: next, previous, 2, 5 and 10 ahead, random in the same document, random in others."""
    rng = child_generator(seed, "cosines")
    rows, index = np.arange(corpus.num_vectors), corpus.chain_index
    inside = (rows > corpus.chain_starts[index]) & (rows < corpus.chain_starts[index + 1] - 1)
    middle = rng.permutation(rows[inside])[:SAMPLE]
    found = [_mean("next", corpus, middle, middle + 1), _mean("previous", corpus, middle, middle - 1)]
    for lag in LAGS[1:]:
        first = rows[:-lag][index[:-lag] == index[lag:]]
        first = rng.permutation(first)[:SAMPLE]
        found.append(_mean(f"{lag} ahead", corpus, first, first + lag))
    one = rng.integers(corpus.num_vectors, size=SAMPLE)
    start, stop = corpus.chain_starts[index[one]], corpus.chain_starts[index[one] + 1]
    same, other = rng.integers(start, stop), rng.integers(corpus.num_vectors, size=SAMPLE)
    found.append(_mean("random, same document", corpus, one[same != one], same[same != one]))
    apart = index[other] != index[one]
    return [*found, _mean("random, other document", corpus, one[apart], other[apart])]


def _mean(name: str, corpus: Corpus, one: np.ndarray, other: np.ndarray) -> MeanCosine:
    if not len(one):
        return MeanCosine(name, None, 0)
    cosine = np.einsum("ij,ij->i", np.take(corpus.vectors, one, axis=0), np.take(corpus.vectors, other, axis=0))
    return MeanCosine(name, float(cosine.mean()), len(one))
