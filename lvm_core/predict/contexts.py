"""Check contexts from outside, and group them into batches of equal length."""

from collections.abc import Iterator, Sequence

import numpy as np

from lvm_core.errors import InputError
from lvm_core.vectors import unit

BLOCK = 256  # contexts predicted at a time
Contexts = np.ndarray | Sequence[np.ndarray]


def as_list(contexts: Contexts, dim: int) -> list[np.ndarray]:
    """Return contexts as a list of [C, D] float32 arrays of unit vectors.

    contexts: one [C, D], a batch [B, C, D], or a sequence of [C, D] of any lengths; oldest vector first.
    Raises: InputError for no context, an empty one, another dimension, or a vector without a direction.
    """
    if isinstance(contexts, np.ndarray) and contexts.ndim == 2:
        contexts = [contexts]
    if len(contexts) == 0:
        raise InputError("a prediction must have at least one context, but got none.")
    return [_checked(np.asarray(context), number, dim) for number, context in enumerate(contexts)]


def _checked(context: np.ndarray, number: int, dim: int) -> np.ndarray:
    if context.ndim != 2 or len(context) == 0 or context.shape[1] != dim:
        raise InputError(
            f"a context must be [C, {dim}] with at least one vector, but context {number} is "
            f"{list(context.shape)}. Use vectors of the encoder that the model was trained on."
        )
    context = context.astype(np.float32)
    if not (np.isfinite(context).all() and context.any(1).all()):
        raise InputError(
            f"every vector of a context must be finite and non-zero, but context {number} has one that is not. "
            "Remove it."
        )
    return unit(context)


def batches(contexts: list[np.ndarray], longest: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (numbers [b], contexts [b, C, D]) of equal length, cut to the last `longest` vectors."""
    lengths = np.array([min(len(context), longest) for context in contexts])
    for length in np.unique(lengths):
        numbers = np.flatnonzero(lengths == length)
        for start in range(0, len(numbers), BLOCK):
            block = numbers[start : start + BLOCK]
            yield block, np.stack([contexts[number][-length:] for number in block])
