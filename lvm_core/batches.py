"""Draw training batches from one random permutation after another. A batch depends on the seed and its step alone."""

from dataclasses import dataclass

import numpy as np

from lvm_core.dataset import Dataset
from lvm_core.seeds import child_generator
from lvm_core.windows import nested_subset


@dataclass(frozen=True, eq=False)
class Batch:
    """One batch of targets.

    positions: [B] in the training stream. target_rows: [B] int64 corpus rows.
    """

    positions: np.ndarray
    target_rows: np.ndarray


class TrainingBatches:
    """Batches of one replicate's nested subset. Every batch is full, even where N is smaller than the batch."""

    def __init__(self, dataset: Dataset, num_sequences: int, batch_size: int, seed: int):
        self.stream = dataset.train
        self.positions = nested_subset(dataset.train_positions, num_sequences, seed)
        self.batch_size, self.seed = batch_size, seed
        assert len(self.positions) == num_sequences, "the plan lets only feasible cells through"

    def batch(self, step: int) -> Batch:
        """Return the batch of a step, counted from 0: the next stretch of the permutations laid end to end."""
        first = step * self.batch_size
        numbers = np.arange(first, first + self.batch_size)
        epoch, place = np.divmod(numbers, len(self.positions))
        chosen = np.empty(self.batch_size, np.int64)
        for number in np.unique(epoch):
            order = child_generator(self.seed, "order", int(number)).permutation(len(self.positions))
            chosen[epoch == number] = order[place[epoch == number]]
        positions = self.positions[chosen]
        return Batch(positions, self.stream.rows[positions])

    def context_rows(self, batch: Batch, rows: slice, context_length: int) -> np.ndarray:
        """Return the corpus rows of the contexts of some rows of the batch. [rows, C] int64."""
        return self.stream.context_rows(batch.positions[rows], context_length)


def max_num_negatives(batch_size: int, num_sequences: int) -> int:
    """Return the number of in-batch negatives that every row of every batch is certain to have.

    A stretch of `batch_size` targets contains the same target at most ceil(batch_size / N) + 1 times.
    """
    return batch_size - (-(-batch_size // num_sequences) + 1)
