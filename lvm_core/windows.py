"""Find the windows of a stream by index. They are gathered when needed, and never stored as [N, C, D]."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from lvm_core.chains import run_starts
from lvm_core.corpus import Corpus
from lvm_core.seeds import child_generator
from lvm_core.window_split import window_step

Boundary = Literal["within", "stream"]  # of windows: inside one document, or anywhere in the split part


@dataclass(frozen=True, eq=False)
class Stream:
    """The rows of one part of the split, in reading order. The position of its target in the stream names a window.

    rows: [M] int64 corpus rows. chain_ids: [M] int64.
    """

    rows: np.ndarray
    chain_ids: np.ndarray

    @classmethod
    def of_part(cls, corpus: Corpus, rows: np.ndarray) -> "Stream":
        return cls(rows, np.asarray(corpus.chain_ids[rows]))

    @cached_property
    def chain_start(self) -> np.ndarray:
        """Position of the first vector of each vector's document. [M] int64."""
        starts = run_starts(self.chain_ids)
        return np.repeat(starts[:-1], np.diff(starts))

    def eligible(self, context_length: int, boundary: Boundary) -> np.ndarray:
        """Return the positions with `context_length` vectors before them. [T] int64, ascending.

        boundary: `within` counts the vectors of the same document; `stream` counts all of this part, so that a window
        may cross documents.
        """
        positions = np.arange(len(self.rows))
        first = self.chain_start if boundary == "within" else 0
        return positions[positions - first >= context_length]

    def half_overlapping(self, positions: np.ndarray, context_length: int) -> np.ndarray:
        """Keep positions whose windows overlap by half a context, from the stream's first window on."""
        return positions[(positions - context_length) % window_step(context_length) == 0]

    def context_rows(self, positions: np.ndarray, context_length: int) -> np.ndarray:
        """Return the corpus rows of the contexts, oldest first. [B] -> [B, C] int64."""
        return self.rows[positions[:, None] + np.arange(-context_length, 0)]

    def touched(self, positions: np.ndarray, context_length: int, num_vectors: int) -> np.ndarray:
        """Mark every corpus row that a window (context or target) of `positions` uses. [V] bool."""
        change = np.zeros(len(self.rows) + 1, np.int64)
        np.add.at(change, positions - context_length, 1)
        np.add.at(change, positions + 1, -1)
        marked = np.zeros(num_vectors, bool)
        marked[self.rows[np.cumsum(change[:-1]) > 0]] = True
        return marked


def coherence(corpus: Corpus, stream: Stream, positions: np.ndarray, context_length: int) -> np.ndarray:
    """Return the mean cosine of consecutive vectors of each window, target included. [T] float64."""
    cosine = np.zeros(len(stream.rows))
    for start in range(1, len(stream.rows), 65_536):
        stop = min(start + 65_536, len(stream.rows))
        now, before = corpus.vectors[stream.rows[start:stop]], corpus.vectors[stream.rows[start - 1 : stop - 1]]
        cosine[start:stop] = np.einsum("ij,ij->i", now, before)
    total = np.cumsum(cosine)
    return (total[positions] - total[positions - context_length]) / context_length


def nested_subset(positions: np.ndarray, num_sequences: int, replicate_seed: int) -> np.ndarray:
    """Return the first `num_sequences` of the replicate's one order. Smaller sets are thus inside larger ones."""
    order = child_generator(replicate_seed, "subset").permutation(len(positions))
    return positions[order[:num_sequences]]
