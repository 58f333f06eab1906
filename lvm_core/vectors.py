"""Scale vectors to unit length."""

import numpy as np


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return vectors of length 1, float32. A zero vector stays zero, and ties with every candidate."""
    norm = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.where(norm == 0, 1.0, norm)).astype(np.float32)
