"""Open a corpus: check it, unit-normalise it once, and share it between trials as memory-mapped pages."""

import contextlib
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from lvm_core import corpus_files, remote
from lvm_core.errors import InputError
from lvm_core.kalman import KalmanConfig, KalmanModel

EMBEDDED = "kalman"
STORE_VERSION = 1  # raise it when the files of a store change
BLOCK_ROWS = 16_384  # rows checked, normalised and hashed at a time


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Unit vectors in reading order, with the chain (document) of each.

    vectors: [V, D] float32, read-only memory map, each of length 1.
    chain_ids: [V] int64 as given; rows of a chain stand together.
    path: where it was opened from; a URI may hold secrets, so it is shown by `without_secrets` only.
    fingerprint: 16 hex digits over the normalised content, equal for equal content in any file format.
    oracle: the process that made the vectors, where it is known.
    """

    name: str
    path: str
    vectors: np.ndarray
    chain_ids: np.ndarray
    titles: tuple[str, ...] | None
    fingerprint: str
    oracle: KalmanModel | None = field(default=None, compare=False)

    @property
    def num_vectors(self) -> int:
        return len(self.vectors)

    @property
    def dim(self) -> int:
        return self.vectors.shape[1]

    @property
    def num_chains(self) -> int:
        return len(self.chain_starts) - 1

    @cached_property
    def chain_starts(self) -> np.ndarray:
        """First row of each chain, and V at the end. [num_chains + 1] int64."""
        return run_starts(self.chain_ids)

    @cached_property
    def chain_index(self) -> np.ndarray:
        """Position 0 .. num_chains - 1 of each row's chain. [V] int64."""
        return np.repeat(np.arange(self.num_chains), np.diff(self.chain_starts))


def run_starts(ids: np.ndarray) -> np.ndarray:
    """Return where runs of equal values begin, with len(ids) at the end."""
    return np.concatenate([[0], np.flatnonzero(ids[1:] != ids[:-1]) + 1, [len(ids)]]).astype(np.int64)


def cache_dir() -> Path:
    """Return the folder of the converted stores: $LVM_CACHE_DIR, else lvm_core in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("LVM_CACHE_DIR") or Path(base) / "lvm_core")


def open_corpus(source: str, cache: Path | None = None) -> Corpus:
    """Open `kalman`, a `.npz`, a `.npy` pair, a Parquet or an Arrow file, or the URI of one; convert it on first sight.

    The store is keyed by the bytes of the source, so an edited file is never served from an old copy. What lies behind
    a URI is fetched once a machine, and again when its size or its time has changed there.

    Raises: InputError naming the file and what is wrong with its content.
    """
    cache = cache or cache_dir()
    if source == EMBEDDED:
        config = KalmanConfig()
        model = KalmanModel.from_config(config)
        store = cache / f"v{STORE_VERSION}-{EMBEDDED}-{config.key()}"
        if not (store / "meta.json").exists():
            _write_store(store, EMBEDDED, *model.sample(), titles=None)
        return _open_store(store, name=EMBEDDED, path=EMBEDDED, oracle=model)
    if remote.is_uri(source):
        return _open_remote(source, cache)
    files = corpus_files.locate(source)
    store = cache / f"v{STORE_VERSION}-{corpus_files.hash_files(files)}"
    if not (store / "meta.json").exists():
        _write_store(store, source, *corpus_files.read(files))
    return _open_store(store, name=corpus_files.display_name(files), path=str(Path(source).resolve()))


def _open_remote(uri: str, cache: Path) -> Corpus:
    """Open what a URI names: its store where this machine has it, else a fetched copy that is converted and deleted."""
    found = remote.find(uri)
    note = cache / f"remote-{found.key}"  # holds the name of the store
    with contextlib.suppress(FileNotFoundError):
        store = cache / note.read_text()
        if (store / "meta.json").exists():
            return _open_store(store, name=found.name, path=uri)
    with remote.fetched(found, cache) as copy:
        corpus = open_corpus(str(copy), cache)
    store = Path(corpus.vectors.filename).parent
    part = note.with_name(f".{note.name}.{uuid.uuid4().hex[:8]}")
    part.write_text(store.name)
    part.replace(note)
    return _open_store(store, name=found.name, path=uri)


def _open_store(store: Path, *, name: str, path: str, oracle: KalmanModel | None = None) -> Corpus:
    meta = json.loads((store / "meta.json").read_text())
    return Corpus(
        name=name,
        path=path,
        vectors=np.load(store / "vectors.npy", mmap_mode="r", allow_pickle=False),
        chain_ids=np.load(store / "chain_ids.npy", mmap_mode="r", allow_pickle=False),
        titles=tuple(meta["titles"]) if meta["titles"] is not None else None,
        fingerprint=meta["fingerprint"],
        oracle=oracle,
    )


def _write_store(
    store: Path, source: str, vectors: np.ndarray, chain_ids: np.ndarray, titles: list[str] | None
) -> None:
    """Write a checked, normalised store beside its name and rename it into place."""
    chain_ids = check_chain_ids(chain_ids, len(vectors), source)
    if titles is not None and len(titles) != len(run_starts(chain_ids)) - 1:
        num_chains = len(run_starts(chain_ids)) - 1
        raise InputError(
            f"`chain_titles` must have one title a chain, but {source} has {len(titles)} titles for "
            f"{num_chains} chains. Mend or remove `chain_titles`."
        )
    part = store.with_name(f".{store.name}.{uuid.uuid4().hex[:8]}")
    try:
        part.mkdir(parents=True)
        shape = (len(vectors), vectors.shape[1])
        out = np.lib.format.open_memmap(part / "vectors.npy", mode="w+", dtype=np.float32, shape=shape)
        digest = hashlib.blake2b(f"{shape}".encode(), digest_size=8)
        for start, block in _normalised_blocks(vectors, source):
            out[start : start + len(block)] = block
            digest.update(block.tobytes())
        out.flush()
        digest.update(chain_ids.tobytes())
        np.save(part / "chain_ids.npy", chain_ids)
        (part / "meta.json").write_text(json.dumps({"fingerprint": digest.hexdigest(), "titles": titles}))
        _publish(part, store)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _publish(part: Path, store: Path) -> None:
    """Rename `part` to `store`; where another process was first, its equal copy stays."""
    try:
        part.rename(store)
    except OSError:
        if not (store / "meta.json").exists():
            raise


def _normalised_blocks(vectors: np.ndarray, source: str) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (first row, unit float32 rows), refusing rows that have no direction."""
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
            "Remove such rows before the study."
        )


def check_chain_ids(chain_ids: np.ndarray, num_vectors: int, source: str) -> np.ndarray:
    """Return chain ids as int64, refusing wrong shapes, wrong types and chains whose rows are not together."""
    chain_ids = np.asarray(chain_ids)
    if chain_ids.shape != (num_vectors,):
        raise InputError(
            f"`chain_ids` must have one id a vector, but {source} has shape {chain_ids.shape} "
            f"for {num_vectors} vectors. Write one id for each row of `vectors`."
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
            f"the rows of a chain must stand together, but chain {values[counts > 1][0]} in {source} begins "
            f"{counts[counts > 1][0]} times. Sort the rows by chain, keeping the reading order inside each."
        )
    if not np.issubdtype(chain_ids.dtype, np.integer):  # names of documents: number them in order
        return np.repeat(np.arange(len(heads)), np.diff(starts)).astype(np.int64)
    return chain_ids.astype(np.int64)
