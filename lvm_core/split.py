"""Split a corpus by document into train, validation and test, and check that nothing leaks."""

from dataclasses import asdict, dataclass

import faiss
import numpy as np

from lvm_core.corpus import Corpus
from lvm_core.errors import InputError
from lvm_core.seeds import child_generator

PARTS = ("train", "validation", "test")
DROPPED = -1
NEAR_COPY_COSINE = 0.98
MAX_NEAR_COPIES = 100_000  # whose rows are kept
EXACT_SEARCH_PRODUCTS = 4e12  # multiply-adds; above, near-copies are searched for with an inverted file


@dataclass(frozen=True, kw_only=True)
class Split:
    """The part of every document: 0 train, 1 validation, 2 test, -1 shorter than the minimum and dropped.

    part_of_chain: [num_chains] int8.
    """

    part_of_chain: np.ndarray

    def rows(self, corpus: Corpus, part: str) -> np.ndarray:
        """Return the corpus rows of one part, in reading order. [M] int64."""
        return np.flatnonzero(self.part_of_row(corpus) == PARTS.index(part))

    def part_of_row(self, corpus: Corpus) -> np.ndarray:
        """Return the part of every row of the corpus. [V] int8."""
        return self.part_of_chain[corpus.chain_index]


def split_by_chain(corpus: Corpus, fractions: tuple[float, float, float], seed: int, min_chain_length: int) -> Split:
    """Shuffle the documents, and give each to the part that lacks the most vectors of its fraction.

    Raises: InputError where a part would stay empty.
    """
    lengths = np.diff(corpus.chain_starts)
    kept = np.flatnonzero(lengths >= min_chain_length)
    if len(kept) < len(PARTS):
        raise InputError(
            f"the split needs at least {len(PARTS)} documents of {min_chain_length} vectors or more, but "
            f"{corpus.name} has {len(kept)} (of {corpus.num_chains} documents). Add documents, or lower "
            "data.min_chain_length."
        )
    part_of_chain = np.full(corpus.num_chains, DROPPED, np.int8)
    missing = np.array(fractions) * lengths[kept].sum()
    order = child_generator(seed, "split").permutation(kept)
    for turn, chain in enumerate(order):
        chains_left = len(order) - turn
        empty = [part for part in range(len(PARTS)) if not (part_of_chain == part).any()]
        part = empty[0] if chains_left <= len(empty) else int(missing.argmax())
        part_of_chain[chain] = part
        missing[part] -= lengths[chain]
    return Split(part_of_chain=part_of_chain)


@dataclass(frozen=True, kw_only=True)
class LeakAudit:
    """What the audit counted. `num_leaked_vectors` must be 0 under the controlled protocol.

    num_leaked_targets: targets of queries that a training window holds; None where documents were split.
    """

    num_train_vectors: int
    num_validation_vectors: int
    num_test_vectors: int
    num_dropped_vectors: int
    num_vectors_in_training_windows: int
    num_leaked_vectors: int
    num_leaked_targets: int | None = None

    def as_dict(self) -> dict:
        return asdict(self)


def audit_leaks(corpus: Corpus, split: Split, training_rows: np.ndarray) -> LeakAudit:
    """Count the vectors of validation and test documents that any training window touches.

    training_rows: [V] bool, marked from the windows themselves rather than from the split that they should follow.
    """
    part = split.part_of_row(corpus)
    counts = {name: int((part == number).sum()) for number, name in enumerate(PARTS)}
    held_out = (part == PARTS.index("validation")) | (part == PARTS.index("test"))
    return LeakAudit(
        num_train_vectors=counts["train"],
        num_validation_vectors=counts["validation"],
        num_test_vectors=counts["test"],
        num_dropped_vectors=int((part == DROPPED).sum()),
        num_vectors_in_training_windows=int(training_rows.sum()),
        num_leaked_vectors=int((training_rows & held_out).sum()),
    )


def audit_window_leaks(training_rows: np.ndarray, held_out_rows: np.ndarray, target_rows: np.ndarray) -> LeakAudit:
    """Count the held-out vectors, and the targets among them, that are also in training windows.

    For windows that were split at random. training_rows, held_out_rows: [V] bool, the vectors that any window of that
    side touches. target_rows: of the queries.
    """
    return LeakAudit(
        num_train_vectors=int(training_rows.sum()),
        num_validation_vectors=int(held_out_rows.sum()),
        num_test_vectors=0,
        num_dropped_vectors=int((~training_rows & ~held_out_rows).sum()),
        num_vectors_in_training_windows=int(training_rows.sum()),
        num_leaked_vectors=int((training_rows & held_out_rows).sum()),
        num_leaked_targets=int(training_rows[target_rows].sum()),
    )


@dataclass(frozen=True, kw_only=True)
class NearCopies:
    """Held-out vectors that have a near-copy (cosine above the threshold) among the training vectors.

    test_rows: corpus rows of those of the test part; None where they are too many to keep.
    """

    threshold: float
    num_validation: int
    num_test: int
    max_cosine: float
    search: str
    test_rows: list[int] | None

    def as_dict(self) -> dict:
        return asdict(self)


def find_near_copies(corpus: Corpus, split: Split) -> NearCopies:
    """Find the nearest training vector of every held-out vector with FAISS (inner product of unit vectors)."""
    train = np.ascontiguousarray(corpus.vectors[split.rows(corpus, "train")])
    held_out = {part: corpus.vectors[split.rows(corpus, part)] for part in PARTS[1:]}
    products = len(train) * sum(map(len, held_out.values())) * corpus.dim
    index, search = _nearest_index(train, exact=products <= EXACT_SEARCH_PRODUCTS)
    cosines = {part: index.search(np.ascontiguousarray(rows), 1)[0][:, 0] for part, rows in held_out.items()}
    in_test = split.rows(corpus, "test")[cosines["test"] > NEAR_COPY_COSINE]
    return NearCopies(
        threshold=NEAR_COPY_COSINE,
        num_validation=int((cosines["validation"] > NEAR_COPY_COSINE).sum()),
        num_test=len(in_test),
        max_cosine=float(max(values.max() for values in cosines.values())),
        search=search,
        test_rows=in_test.tolist() if len(in_test) <= MAX_NEAR_COPIES else None,
    )


def _nearest_index(train: np.ndarray, *, exact: bool) -> tuple[faiss.Index, str]:
    if exact:
        index = faiss.IndexFlatIP(train.shape[1])
        index.add(train)
        return index, "exact"
    num_lists = int(4 * np.sqrt(len(train)))
    index = faiss.index_factory(train.shape[1], f"IVF{num_lists},Flat", faiss.METRIC_INNER_PRODUCT)
    index.train(train[:: max(1, len(train) // (64 * num_lists))])
    index.add(train)
    index.nprobe = max(8, num_lists // 32)
    return index, f"inverted file, {index.nprobe} of {num_lists} lists probed"
