"""Write a corpus to a store: checked, scaled to unit length, and laid out so that trials can map it into memory."""

import hashlib
import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lvm_core.chains import check_chain_ids, run_starts
from lvm_core.errors import InputError

BLOCK_ROWS = 16_384  # rows checked, normalised and hashed at a time


def write_store(store: Path, source: str, vectors: np.ndarray, chain_ids: np.ndarray, titles: list[str] | None) -> None:
    """Write the store beside its final place and rename it, so that it appears whole or not at all.

    Raises: InputError for ids, titles or vectors that are wrong.
    """
    chain_ids = check_chain_ids(chain_ids, len(vectors), source)
    if titles is not None and len(titles) != len(run_starts(chain_ids)) - 1:
        num_chains = len(run_starts(chain_ids)) - 1
        raise InputError(
            f"`chain_titles` must have one title for each document, but {source} has {len(titles)} titles for "
            f"{num_chains} documents. Correct or remove `chain_titles`."
        )
    staging = store.with_name(f".{store.name}.{uuid.uuid4().hex[:8]}")
    try:
        staging.mkdir(parents=True)
        shape = (len(vectors), vectors.shape[1])
        out = np.lib.format.open_memmap(staging / "vectors.npy", mode="w+", dtype=np.float32, shape=shape)
        digest = hashlib.blake2b(f"{shape}".encode(), digest_size=8)
        for start, block in _normalised_blocks(vectors, source):
            out[start : start + len(block)] = block
            digest.update(block.tobytes())
        out.flush()
        digest.update(chain_ids.tobytes())
        np.save(staging / "chain_ids.npy", chain_ids)
        (staging / "meta.json").write_text(json.dumps({"fingerprint": digest.hexdigest(), "titles": titles}))
        _publish(staging, store)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _publish(staging: Path, store: Path) -> None:
    """Rename `staging` to `store`. Where another process was first, its copy, which is equal, stays."""
    try:
        staging.rename(store)
    except OSError:
        if not (store / "meta.json").exists():
            raise


def _normalised_blocks(vectors: np.ndarray, source: str) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (first row, unit float32 rows). Raises: InputError for a row that has no direction."""
    for start in range(0, len(vectors), BLOCK_ROWS):
        block = np.ascontiguousarray(vectors[start : start + BLOCK_ROWS], dtype=np.float64)
        norms = np.sqrt(np.einsum("ij,ij->i", block, block))
        _refuse_rows(~np.isfinite(norms), start, source, "finite", "NaN or inf")
        _refuse_rows(norms == 0, start, source, "non-zero", "all zeros")
        yield start, (block / norms[:, None]).astype(np.float32)


def _refuse_rows(bad: np.ndarray, start: int, source: str, rule: str, found: str) -> None:
    if bad.any():
        row = start + int(np.flatnonzero(bad)[0])
        raise InputError(
            f"every vector must be {rule}, but row {row} of `vectors` in {source} is {found}. "
            "Remove such rows from the corpus."
        )
