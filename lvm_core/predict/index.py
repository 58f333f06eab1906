"""Find the nearest vectors of a corpus with FAISS: exactly where that is fast, else with an inverted file."""

from dataclasses import dataclass

import faiss
import numpy as np

from lvm_core.errors import InputError

EXACT_VALUES = 20_000_000  # V * D; up to here an exact search reads at most 80 MB, which takes milliseconds
LISTS_PER_ROOT = 2  # inverted lists = 2 sqrt(V): centroids and probed lists then cost about the same
TRAINED_PER_LIST = 40  # FAISS warns under 39
FIRST_PROBES, MORE_PROBES = 8, 1.25  # lists probed at first, and the factor by which tuning raises their number
RECALL_AT = 10
TUNED_RECALL = 0.97  # on the sampled queries; the promise for other queries is 0.95


@dataclass(frozen=True, eq=False)
class VectorIndex:
    """Finds nearest vectors by the inner product of unit vectors: a score is a cosine, an id a row of the corpus.

    recall: the share of the exact 10 nearest vectors that it finds, measured on sampled queries when it was built.
    """

    index: faiss.Index
    kind: str
    recall: float
    num_vectors: int

    @classmethod
    def build(
        cls, vectors: np.ndarray, queries: np.ndarray | None = None, exact_values: int = EXACT_VALUES
    ) -> "VectorIndex":
        """Index unit vectors [V, D], exactly up to `exact_values` numbers and with an inverted file above.

        queries: [Q, D] like those to come. An inverted file is tuned on them until it finds 97 % of the exact 10
        nearest vectors. None: it is tuned on some of the vectors.
        """
        vectors = np.ascontiguousarray(vectors, np.float32)
        exact = faiss.IndexFlatIP(vectors.shape[1])
        exact.add(vectors)
        if vectors.size <= exact_values:
            return cls(exact, "exact", 1.0, len(vectors))
        if queries is None:
            queries = vectors[:: max(1, len(vectors) // 200)]
        index = _inverted_file(vectors)
        recall = _tune(index, exact, np.ascontiguousarray(queries, np.float32))
        return cls(index, f"inverted file, {index.nprobe} of {index.nlist} lists probed", recall, len(vectors))

    @property
    def dim(self) -> int:
        return self.index.d

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return (scores, ids), each [Q, k], nearest first. Raises: InputError for a k above the number of vectors."""
        if not 1 <= k <= self.num_vectors:
            raise InputError(f"1 <= k <= vectors must hold, but got k={k} for {self.num_vectors} vectors. Lower k.")
        queries = np.ascontiguousarray(queries, np.float32)
        scores, ids = self.index.search(queries, k)
        if (ids < 0).any():  # the probed lists hold fewer than k vectors: search all lists
            everything = faiss.SearchParametersIVF(nprobe=self.index.nlist)
            return self.index.search(queries, k, params=everything)
        return scores, ids


def recall_at(found: np.ndarray, exact: np.ndarray) -> float:
    """Return the mean share of the exact ids that were found. [Q, k], [Q, k] -> number in [0, 1]."""
    return float(np.mean([len(np.intersect1d(*pair)) / exact.shape[1] for pair in zip(found, exact, strict=True)]))


def _inverted_file(vectors: np.ndarray) -> faiss.IndexIVF:
    """Return a trained and filled inverted file. Its k-means is fitted on an even sample of the rows."""
    num_lists = int(LISTS_PER_ROOT * np.sqrt(len(vectors)))
    index = faiss.index_factory(vectors.shape[1], f"IVF{num_lists},Flat", faiss.METRIC_INNER_PRODUCT)
    index.train(vectors[:: max(1, len(vectors) // (TRAINED_PER_LIST * num_lists))])
    index.add(vectors)
    return index


def _tune(index: faiss.IndexIVF, exact: faiss.Index, queries: np.ndarray) -> float:
    """Probe more lists until the recall on the sampled queries is high enough, and return that recall."""
    k = min(RECALL_AT, index.ntotal)
    truth = exact.search(queries, k)[1]
    index.nprobe = min(FIRST_PROBES, index.nlist)
    while (recall := recall_at(index.search(queries, k)[1], truth)) < TUNED_RECALL and index.nprobe < index.nlist:
        index.nprobe = min(int(MORE_PROBES * index.nprobe), index.nlist)
    return recall
