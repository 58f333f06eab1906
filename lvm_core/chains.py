"""Chains, the documents of a corpus: check their ids, and find where each begins."""

import numpy as np

from lvm_core.errors import InputError


def run_starts(ids: np.ndarray) -> np.ndarray:
    """Return where each run of equal values begins, with len(ids) at the end. [runs + 1] int64."""
    return np.concatenate([[0], np.flatnonzero(ids[1:] != ids[:-1]) + 1, [len(ids)]]).astype(np.int64)


def check_chain_ids(chain_ids: np.ndarray, num_vectors: int, source: str) -> np.ndarray:
    """Return chain ids as int64.

    Raises: InputError for a wrong shape or type, or for a document whose rows do not stand together.
    """
    chain_ids = np.asarray(chain_ids)
    if chain_ids.shape != (num_vectors,):
        raise InputError(
            f"`chain_ids` must have one id for each vector, but {source} has shape {chain_ids.shape} "
            f"for {num_vectors} vectors. Write the document's id once for each row of `vectors`."
        )
    if chain_ids.dtype.kind not in "iuUO":
        raise InputError(
            f"`chain_ids` must be integers or names, but {source} has {chain_ids.dtype}. "
            "Number the documents 0, 1, 2, …"
        )
    starts = run_starts(chain_ids)
    heads = chain_ids[starts[:-1]]
    values, counts = np.unique(heads, return_counts=True)
    if (counts > 1).any():
        raise InputError(
            f"the rows of a document must stand together, but document {values[counts > 1][0]} in {source} begins "
            f"{counts[counts > 1][0]} times. Sort the rows by document, and keep the reading order inside each."
        )
    if not np.issubdtype(chain_ids.dtype, np.integer):  # names of documents are numbered in order
        return np.repeat(np.arange(len(heads)), np.diff(starts)).astype(np.int64)
    return chain_ids.astype(np.int64)
