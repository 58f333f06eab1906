"""Measure how much of its context a model uses: random vectors replace the oldest ones, and Hit@5 is measured again."""

import numpy as np
import torch

from lvm_core.dataset import Dataset
from lvm_core.evaluation import Evaluator, Measurement
from lvm_core.ranks import hit_at_k
from lvm_core.seeds import child_generator


def kept_lengths(context_length: int) -> list[int]:
    """Return how many of the newest vectors are kept in turn: all powers of two below C, and C itself."""
    return [2**power for power in range((context_length - 1).bit_length())] + [context_length]


def context_use(
    evaluator: Evaluator, model: torch.nn.Module, dataset: Dataset, seed: int, whole: Measurement
) -> dict[int, np.ndarray]:
    """Return Hit@5 of each test query with its newest k vectors alone, by k. Each [Q] float64.

    The vectors that give way are drawn from the training part, one draw for all k, so that a smaller k replaces what a
    larger one does and more. whole: the measurement with the whole context. A loss shows that the model reads what was
    replaced, and not whether it needs it: a random vector misleads where a missing one would not.
    """
    context_length = evaluator.config.context_length
    num_queries = len(evaluator.queries["test"].positions)
    rows = dataset.train.rows
    random = rows[child_generator(seed, "context use").integers(len(rows), size=(num_queries, context_length))]
    found = {}
    for kept in kept_lengths(context_length)[:-1]:
        prediction = evaluator.predict(model, "test", oldest=random[:, : context_length - kept])
        measured = evaluator.rank(prediction, "test")
        found[kept] = hit_at_k(measured.rank, measured.num_ties, 5)
    return found | {context_length: hit_at_k(whole.rank, whole.num_ties, 5)}
