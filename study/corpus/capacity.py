"""Compute the context lengths and training sequences that a corpus can fill, by the rules of a study."""

from dataclasses import dataclass

import numpy as np

from lvm_core.corpus import Corpus
from lvm_core.data_config import DataConfig
from lvm_core.dataset import Dataset, build_dataset
from lvm_core.errors import InputError


@dataclass(frozen=True)
class Capacity:
    """num_sequences: the maximum for training. num_queries: per held-out part, at most 2,000."""

    context_length: int
    num_sequences: int
    num_queries: int


def capacities(corpus: Corpus, seed: int) -> tuple[list[Capacity], str | None]:
    """Return the contexts 1, 2, 4, … that a study of this corpus could use, and why the next one is infeasible."""
    found, longest = [], int(np.diff(corpus.chain_starts).max())
    for context in (1 << power for power in range(longest.bit_length())):
        try:
            dataset = build_dataset(corpus, DataConfig(seed=seed, max_context=context, exclude_context=True))
        except InputError as error:
            return found, str(error)
        found.append(Capacity(context, len(dataset.train_positions), len(dataset.queries["test"].positions)))
    return found, None


def dataset_for(corpus: Corpus, capacity: list[Capacity], wanted: int, seed: int) -> Dataset:
    """Return the split and the queries at the longest context up to `wanted` that the corpus fills."""
    context = max(entry.context_length for entry in capacity if entry.context_length <= wanted)
    return build_dataset(corpus, DataConfig(seed=seed, max_context=context, exclude_context=True))
