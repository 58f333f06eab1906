"""Derive a child seed for each purpose, so that nothing reads global random state."""

import hashlib

import numpy as np


def child_seed(seed: int, *purpose: str | int) -> int:
    """Return a seed in [0, 2**63) that depends on `seed` and on every word of `purpose`."""
    text = "/".join(str(word) for word in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def child_generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """Return a NumPy generator seeded by `child_seed`."""
    return np.random.default_rng(child_seed(seed, *purpose))
