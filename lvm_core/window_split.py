"""Split windows at random, as published. Overlapping windows of one text then fall on both sides: that is the leak."""

import numpy as np

from lvm_core.seeds import child_generator

NUMERATOR, DENOMINATOR = 9, 10  # 90 / 10, in whole numbers, since 0.9 * n is rounded


def split_windows(positions: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (train, validation) positions, each ascending, after a random 90/10 split taken twice.

    The export keeps 90 % of all windows and the trainer 90 % of those, both rounded down. The trainer's other tenth is
    the validation set. 11,482 exported windows make 10,333 and 1,149. Source: DESIGN 1 and 3.
    """
    order = child_generator(seed, "window split").permutation(positions)
    exported = order[: len(order) * NUMERATOR // DENOMINATOR]
    num_train = len(exported) * NUMERATOR // DENOMINATOR
    return np.sort(exported[:num_train]), np.sort(exported[num_train:])


def window_counts(num_vectors: int, context_length: int) -> tuple[int, int]:
    """Return the numbers of (training, validation) windows of a stream of vectors at a context length."""
    num_windows = max(0, num_vectors - context_length - 1) // window_step(context_length) + 1
    num_windows = num_windows if num_vectors > context_length else 0
    exported = num_windows * NUMERATOR // DENOMINATOR
    num_train = exported * NUMERATOR // DENOMINATOR
    return num_train, exported - num_train


def window_step(context_length: int) -> int:
    """Return the distance between the starts of windows that overlap by half a context, rounded down."""
    return context_length - context_length // 2


def longest_context(num_vectors: int, context_length: int, num_train: int, num_validation: int) -> int | None:
    """Return the longest context, at most `context_length`, that gives at least the windows asked for.

    With it, a corpus smaller than the published one has the published numbers of windows. None where even C=1 gives
    too few.
    """
    for candidate in range(context_length, 0, -1):
        train, validation = window_counts(num_vectors, candidate)
        if train >= num_train and validation >= num_validation:
            return candidate
    return None
