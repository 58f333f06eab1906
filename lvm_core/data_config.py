"""The options that turn a corpus into queries and training targets."""

from dataclasses import dataclass
from typing import Literal

from lvm_core.windows import Boundary

SplitBy = Literal["chain", "window"]  # window: at random, as published, with what leaks
Overlap = Literal["full", "half"]  # half: windows each half a context after the one before, as published
HASHED_KEYS = (  # frozen: a key that DataConfig gets later is hashed only where it is not its default
    "seed", "max_context", "fractions", "split", "boundary", "train_boundary", "overlap", "min_chain_length",
    "min_coherence", "num_queries", "pool_size",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """How a corpus becomes queries and training targets. Every value enters the trial's id; see lvm_core.identity."""

    seed: int
    max_context: int
    fractions: tuple[float, float, float] = (0.70, 0.15, 0.15)
    split: SplitBy = "chain"
    boundary: Boundary = "within"
    train_boundary: Boundary | None = None  # of the training windows alone; None: as `boundary`
    overlap: Overlap = "full"
    min_chain_length: int = 7
    min_coherence: float | None = None
    num_queries: int | None = 2000  # at most; None: all. Validation and test use as many as the smaller of them has
    pool_size: int | None = None  # None: the queries' targets
    exclude_context: bool = False  # a query's own last max_context vectors are no candidates, others take their places
    one_per_document: bool = False  # the candidates are the target and one vector of every other document
