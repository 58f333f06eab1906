"""Open a corpus. It is converted once, and trials then share the pages of its memory-mapped store."""

import contextlib
import json
import os
import uuid
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from lvm_core import corpus_files, remote
from lvm_core.chains import run_starts
from lvm_core.corpus_store import write_store
from lvm_core.kalman import KalmanConfig, KalmanModel

EMBEDDED = "kalman"
STORE_VERSION = 1  # raise it when the files of a store change


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Unit vectors in reading order, with the document (chain) of each.

    vectors: [V, D] float32, a read-only memory map; each vector has length 1.
    chain_ids: [V] int64 as given; the rows of a document stand together.
    path: where it was opened from. A URI may hold secrets: pass it through `without_secrets` before it is shown.
    fingerprint: 16 hex digits over the normalised content; equal content has the same one in every file format.
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
        """First row of each document, and V at the end. [num_chains + 1] int64."""
        return run_starts(self.chain_ids)

    @cached_property
    def chain_index(self) -> np.ndarray:
        """Number of each row's document, 0 .. num_chains - 1. [V] int64."""
        return np.repeat(np.arange(self.num_chains), np.diff(self.chain_starts))


def cache_dir() -> Path:
    """Return the folder of the converted corpora: $LVM_CACHE_DIR, else lvm_core in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("LVM_CACHE_DIR") or Path(base) / "lvm_core")


def open_corpus(source: str, cache: Path | None = None) -> Corpus:
    """Open `kalman`, a `.npz`, a `.npy` pair, a Parquet or an Arrow file, or the URI of one of these.

    A corpus is converted when it is first opened. The store is keyed by the bytes of the source, so an edited file is
    never served from an old copy. A URI is fetched once on each machine, and again when the size or the time of what it
    names has changed.

    Raises: InputError naming the file and what is wrong with its content.
    """
    cache = cache or cache_dir()
    if source == EMBEDDED:
        config = KalmanConfig()
        model = KalmanModel.from_config(config)
        store = cache / f"v{STORE_VERSION}-{EMBEDDED}-{config.key()}"
        if not (store / "meta.json").exists():
            write_store(store, EMBEDDED, *model.sample(), titles=None)
        return _open_store(store, name=EMBEDDED, path=EMBEDDED, oracle=model)
    if remote.is_uri(source):
        return _open_remote(source, cache)
    files = corpus_files.locate(source)
    store = cache / f"v{STORE_VERSION}-{corpus_files.hash_files(files)}"
    if not (store / "meta.json").exists():
        write_store(store, source, *corpus_files.read(files))
    return _open_store(store, name=corpus_files.display_name(files), path=str(Path(source).resolve()))


def _open_remote(uri: str, cache: Path) -> Corpus:
    """Open the store of what a URI names. Where this machine lacks it, fetch a copy and convert that."""
    found = remote.find(uri)
    note = cache / f"remote-{found.key}"  # holds the name of the store
    with contextlib.suppress(FileNotFoundError):
        store = cache / note.read_text()
        if (store / "meta.json").exists():
            return _open_store(store, name=found.name, path=uri)
    with remote.fetched(found, cache) as copy:
        corpus = open_corpus(str(copy), cache)
    store = Path(corpus.vectors.filename).parent
    staging = note.with_name(f".{note.name}.{uuid.uuid4().hex[:8]}")
    staging.write_text(store.name)
    staging.replace(note)
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
