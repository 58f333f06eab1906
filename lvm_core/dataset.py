"""Build what all trials of a study share: the split, the training targets, the queries and the pool."""

import hashlib
from dataclasses import asdict, dataclass, fields
from functools import cached_property

import numpy as np

from lvm_core.corpus import Corpus
from lvm_core.data_config import HASHED_KEYS, DataConfig
from lvm_core.errors import InputError
from lvm_core.identity import identifying
from lvm_core.kalman import KalmanModel
from lvm_core.queries import QuerySet, draw_queries
from lvm_core.split import PARTS, LeakAudit, Split, audit_leaks, audit_window_leaks, split_by_chain
from lvm_core.window_split import split_windows
from lvm_core.windows import Boundary, Stream, coherence

MIN_QUERIES = 30  # refused below: the 95 % interval of a Hit@5 of 0.5 would be wider than 36 points
FEW_QUERIES = 200  # warned of below: that interval would be wider than 14 points


@dataclass(frozen=True, eq=False)
class Dataset:
    """All that a trial needs from a corpus. `train_positions` are the training targets of every cell.

    split: None where windows were split at random. There is no test part then. As published, a run is judged on the
    validation windows that chose its epoch: `queries["test"]` are `queries["validation"]`.
    """

    corpus: Corpus
    config: DataConfig
    split: Split | None
    train: Stream
    train_positions: np.ndarray
    queries: dict[str, QuerySet]
    num_incoherent: int

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits over the split, the training targets, the queries and the pools."""
        defaults = {field.name: field.default for field in fields(self.config)}
        values = identifying(asdict(self.config), HASHED_KEYS, defaults)
        digest = hashlib.blake2b(repr(sorted(values.items())).encode(), digest_size=8)
        if self.split is not None:
            digest.update(self.split.part_of_chain.tobytes())
        digest.update(self.train.rows[self.train_positions].tobytes())
        for part in sorted(self.queries):
            digest.update(self.queries[part].target_rows.tobytes())
            digest.update(self.queries[part].candidate_rows.tobytes())
        return digest.hexdigest()

    @property
    def oracle(self) -> KalmanModel | None:
        """The process behind the corpus, where it is known and every window lies inside one document."""
        return self.corpus.oracle if self.config.boundary == "within" else None

    def audit(self) -> LeakAudit:
        """Audit every window that a cell or replicate can draw: all targets, at the longest context."""
        touched = self.train.touched(self.train_positions, self.config.max_context, self.corpus.num_vectors)
        if self.split is not None:
            return audit_leaks(self.corpus, self.split, touched)
        queries = self.queries["validation"]
        held_out = queries.stream.touched(queries.positions, self.config.max_context, self.corpus.num_vectors)
        return audit_window_leaks(touched, held_out, queries.target_rows)

    def removed(self) -> dict[str, int]:
        """Count what the quality gates removed."""
        return {
            "chains_too_short": 0 if self.split is None else int((self.split.part_of_chain < 0).sum()),
            "incoherent_training_windows": self.num_incoherent,
        }


def build_dataset(corpus: Corpus, config: DataConfig) -> Dataset:
    """Split the corpus, apply the quality gates, and draw queries, all from the config's seed.

    Raises: InputError where a part is empty, or too small for the queries or the pool.
    """
    if config.split == "window":
        return _split_by_window(corpus, config)
    split = split_by_chain(corpus, config.fractions, config.seed, config.min_chain_length)
    streams = {part: Stream.of_part(corpus, split.rows(corpus, part)) for part in PARTS}
    train_positions = _windows(streams["train"], config, config.train_boundary or config.boundary)
    kept = _coherent(corpus, streams["train"], train_positions, config)
    eligible = {part: _windows(streams[part], config, config.boundary) for part in PARTS[1:]}
    num_queries = _num_queries(eligible, streams, config)
    return Dataset(
        corpus=corpus,
        config=config,
        split=split,
        train=streams["train"],
        train_positions=train_positions[kept],
        queries={part: draw_queries(streams[part], eligible[part], num_queries, part, config) for part in eligible},
        num_incoherent=int((~kept).sum()),
    )


def _split_by_window(corpus: Corpus, config: DataConfig) -> Dataset:
    """Split the windows of the whole corpus at random, as published. One stream holds every vector."""
    stream = Stream.of_part(corpus, np.arange(corpus.num_vectors))
    train_positions, held_out = split_windows(_windows(stream, config, config.boundary), config.seed)
    kept = _coherent(corpus, stream, train_positions, config)
    num_queries = _num_queries({"validation": held_out}, {"validation": stream}, config)
    queries = draw_queries(stream, held_out, num_queries, "validation", config)
    return Dataset(
        corpus=corpus,
        config=config,
        split=None,
        train=stream,
        train_positions=train_positions[kept],
        queries={"validation": queries, "test": queries},
        num_incoherent=int((~kept).sum()),
    )


def _windows(stream: Stream, config: DataConfig, boundary: Boundary) -> np.ndarray:
    """Return the targets of a stream's windows under a config. [T] int64, ascending."""
    positions = stream.eligible(config.max_context, boundary)
    return positions if config.overlap == "full" else stream.half_overlapping(positions, config.max_context)


def _coherent(corpus: Corpus, stream: Stream, positions: np.ndarray, config: DataConfig) -> np.ndarray:
    """Mark the training windows that pass the coherence gate. [T] bool. Queries are never gated."""
    if config.min_coherence is None or not len(positions):
        return np.ones(len(positions), bool)
    return coherence(corpus, stream, positions, config.max_context) >= config.min_coherence


def _num_queries(eligible: dict[str, np.ndarray], streams: dict[str, Stream], config: DataConfig) -> int:
    """Return the number of queries of each part: as many as the smaller part has, so that their figures compare."""
    part = min(eligible, key=lambda name: len(eligible[name]))
    num_queries = min(config.num_queries or len(eligible[part]), len(eligible[part]))
    if num_queries < MIN_QUERIES:
        raise InputError(
            f"the {part} part must have at least {MIN_QUERIES} queries, but found {num_queries}: of its "
            f"{len(streams[part].rows)} vectors, {len(eligible[part])} have {config.max_context} vectors before them. "
            "Use a shorter largest context, boundary: stream, more queries, or a larger corpus."
        )
    return num_queries
