"""Draw the queries of one part of the split, and the candidates that each of them is ranked among."""

from dataclasses import dataclass

import numpy as np

from lvm_core.candidates import Candidates, num_neighbours, num_of_own_document, one_a_document, without_neighbours
from lvm_core.chains import run_starts
from lvm_core.data_config import DataConfig
from lvm_core.errors import InputError
from lvm_core.retrieval import Pool
from lvm_core.seeds import child_generator
from lvm_core.windows import Stream

MIN_POOL = 30  # of candidates; refused below, where chance Hit@5 is above one in six


@dataclass(frozen=True, eq=False)
class QuerySet:
    """The queries of one split part and the candidates that their predictions are ranked among.

    positions: [Q] of the targets in the stream. Query i's target is candidate i. max_context: the vectors before a
    target that count as its context, at every context length of the study.
    """

    stream: Stream
    positions: np.ndarray
    candidates: Candidates
    max_context: int

    @property
    def candidate_rows(self) -> np.ndarray:
        """Corpus rows of the candidates of any query, the queries' targets first. [A]."""
        return self.stream.rows[self.candidates.positions]

    @property
    def pool_size(self) -> int:
        """The number of candidates of every query."""
        return len(self.candidates.shared)

    def pool(self, vectors: np.ndarray) -> Pool:
        """Return the candidates' vectors with what each query is ranked among. vectors: [V, D] of the corpus."""
        candidates = np.take(vectors, self.candidate_rows, axis=0)
        return Pool(candidates, self.candidates.shared, self.candidates.swaps)

    @property
    def target_rows(self) -> np.ndarray:
        return self.stream.rows[self.positions]

    @property
    def chain_ids(self) -> np.ndarray:
        return self.stream.chain_ids[self.positions]

    @property
    def num_own_context(self) -> np.ndarray:
        """The vectors of each query's own context that the pool has, whether or not they are left out of it. [Q]."""
        offsets = np.arange(-self.max_context, 0)
        return num_neighbours(self.candidates, self.positions, offsets, len(self.stream.rows))

    @property
    def num_own_document(self) -> np.ndarray:
        """The candidates of each query that are of its own document, its target among them. [Q]."""
        return num_of_own_document(self.candidates, self.stream, self.positions)

    @property
    def document_hit_at_5(self) -> float:
        """Hit@5 of a reader who finds each target's document and orders its candidates at random."""
        return float(np.minimum(1.0, 5 / self.num_own_document).mean())


def draw_queries(stream: Stream, eligible: np.ndarray, num_queries: int, part: str, config: DataConfig) -> QuerySet:
    rng = child_generator(config.seed, "queries", part)
    positions = np.sort(rng.permutation(eligible)[:num_queries])
    if config.one_per_document:
        _check_one_per_document(stream, part, config)
        candidates = one_a_document(stream, positions, rng)
    else:
        candidates = _one_pool(stream, positions, rng, part, config)
    return QuerySet(stream, positions, candidates, config.max_context)


def _one_pool(
    stream: Stream, positions: np.ndarray, rng: np.random.Generator, part: str, config: DataConfig
) -> Candidates:
    """Return the targets and random other vectors as one pool; without each query's own context if so configured.

    A pool that leaves too few vectors to take the places of a context is made smaller, for all queries.
    """
    num_queries, length = len(positions), len(stream.rows)
    if not num_queries <= (size := config.pool_size or num_queries) <= length:
        raise InputError(
            f"data.pool_size must lie between the {num_queries} queries and the {length} vectors of the {part} part, "
            f"but got {config.pool_size}. Change it; smaller pools are computed from the ranks."
        )
    others = rng.permutation(np.setdiff1d(np.arange(length), positions))
    if not config.exclude_context:
        pool = np.concatenate([positions, others[: size - num_queries]])
        return Candidates(pool, range(size))
    extra, reserve = np.split(others, [min(size, length - config.max_context) - num_queries])
    offsets = np.arange(-config.max_context, 0)
    pool = np.concatenate([positions, extra])
    return without_neighbours(pool, reserve[: config.max_context], positions, offsets, length)


def _check_one_per_document(stream: Stream, part: str, config: DataConfig) -> None:
    """Raise InputError unless one candidate of each document makes a pool in which no context lies."""
    if config.split != "chain" or config.boundary != "within" or config.pool_size is not None:
        raise InputError(
            "data.one_per_document needs data.split: chain, data.boundary: within and no data.pool_size, but got split "
            f"{config.split}, boundary {config.boundary} and pool_size {config.pool_size}. Remove what differs."
        )
    if (found := len(run_starts(stream.chain_ids)) - 1) < MIN_POOL:
        raise InputError(
            f"data.one_per_document needs at least {MIN_POOL} documents in each held-out part, but the {part} part has "
            f"{found}. Leave it out, or give a corpus of more documents."
        )
