"""Write files that appear whole or not at all."""

import contextlib
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lvm_core.errors import InputError


def check_new(path: Path) -> None:
    """Refuse an output that exists, or whose folder does not."""
    if path.exists():
        raise InputError(f"the output must not exist yet, but {path} does. Remove it, or give another name.")
    if not path.absolute().parent.is_dir():
        raise InputError(f"the output's folder must exist, but {path.absolute().parent} is not there. Create it first.")


@contextlib.contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path` for a file or folder, and rename it into place at the end."""
    staged = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        yield staged
        staged.rename(path)
    finally:
        if staged.is_dir():
            shutil.rmtree(staged, ignore_errors=True)
        staged.unlink(missing_ok=True)


def write_npz(path: Path, vectors: np.ndarray, chain_ids: np.ndarray, titles: list[str] | None) -> None:
    """Write a corpus as .npz, uncompressed: vectors do not compress."""
    arrays = {"vectors": vectors, "chain_ids": chain_ids}
    if titles is not None:
        arrays["chain_titles"] = np.array(titles, dtype=np.str_)
    with appearing(path) as staged, staged.open("wb") as file:
        np.savez(file, **arrays, allow_pickle=False)
