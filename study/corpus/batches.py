"""Encode chunks in batches sorted by length; finished batches are kept, so a killed run resumes where it stopped."""

import hashlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from study.corpus.encoder import Encoder

BATCH_SIZE = {"cpu": 16, "mps": 64, "cuda": 512}  # texts; the CPU's is from benchmarks/encode_speed.py
LINE_EVERY_S = 10.0
BLOCK_ROWS = 65_536  # rows read at a time


@dataclass(frozen=True, eq=False)
class Job:
    """One encoding job. Batches are slices of `order`, longest texts first, so that memory runs out early or never.

    texts: [V] in reading order. folder: holds the vectors until the corpus is complete.
    """

    texts: list[str]
    encoder: Encoder
    batch_size: int
    folder: Path
    order: np.ndarray = field(init=False)

    def __post_init__(self):
        lengths = np.array([len(text) for text in self.texts])
        object.__setattr__(self, "order", np.argsort(-lengths, kind="stable"))

    @property
    def num_batches(self) -> int:
        return -(-len(self.texts) // self.batch_size)

    def rows(self, batch: int) -> np.ndarray:
        """Return the rows of a batch, [B]."""
        return self.order[batch * self.batch_size : (batch + 1) * self.batch_size]

    @cached_property
    def key(self) -> str:
        """16 hex digits over everything that determines the vectors."""
        digest = hashlib.blake2b(f"{self.encoder.fingerprint}/{self.batch_size}".encode(), digest_size=8)
        for text in self.texts:
            digest.update(text.encode() + b"\0")
        return digest.hexdigest()


def encode_all(job: Job, say: Callable[[str], None]) -> np.ndarray:
    """Return all vectors, [V, D] float16, encoding only the batches that no earlier run finished."""
    vectors = _open_work(job)
    finished = finished_rows(vectors)
    missing = [batch for batch in range(job.num_batches) if not finished[job.rows(batch)].all()]
    if len(missing) < job.num_batches:
        say(f"resuming after {job.num_batches - len(missing):,} of {job.num_batches:,} batches")
    progress = Progress(job, missing, say)
    for done, batch in enumerate(missing, 1):
        rows = job.rows(batch)
        vectors[rows] = job.encoder.encode([job.texts[row] for row in rows]).astype(np.float16)
        progress.report(done)
    vectors.flush()
    return vectors


def finished_rows(vectors: np.ndarray) -> np.ndarray:
    """Return which rows hold a unit vector. [V] bool.

    The vectors themselves mark what is finished: a mapped file survives a killed process without a sync after every
    batch, and rows lost in a power cut read as zeros.
    """
    blocks = (vectors[start : start + BLOCK_ROWS].astype(np.float32) for start in range(0, len(vectors), BLOCK_ROWS))
    return np.concatenate([np.abs(np.linalg.norm(block, axis=1) - 1) < 0.01 for block in blocks])


def _open_work(job: Job) -> np.memmap:
    """Open the vectors so far; those of another job are discarded."""
    shape, path, key = (len(job.texts), job.encoder.dim), job.folder / "vectors.npy", job.folder / "key"
    if key.is_file() and key.read_text() == job.key:  # written last, so the vectors are there
        return np.lib.format.open_memmap(path, mode="r+")
    shutil.rmtree(job.folder, ignore_errors=True)
    job.folder.mkdir()
    vectors = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
    vectors.flush()
    key.write_text(job.key)
    return vectors


class Progress:
    """Reports progress, speed and time left; cost is counted in characters, including padding."""

    def __init__(self, job: Job, missing: list[int], say: Callable[[str], None]):
        self.say, self.num_chunks = say, len(job.texts)
        rows = [job.rows(batch) for batch in missing]
        self.chunks = np.concatenate([[0], np.cumsum([len(own) for own in rows])]).astype(int)
        self.cost = np.concatenate([[0], np.cumsum([len(own) * len(job.texts[own[0]]) for own in rows])])
        self.before = self.num_chunks - self.chunks[-1]
        self.started = self.last_line = time.monotonic()

    def report(self, done: int) -> None:
        """Print a line every ten seconds and after the last batch."""
        now = time.monotonic()
        if now - self.last_line < LINE_EVERY_S and done < len(self.chunks) - 1:
            return
        self.last_line, elapsed = now, now - self.started
        left_s = elapsed * (self.cost[-1] - self.cost[done]) / self.cost[done]
        self.say(
            f"encoded {self.before + self.chunks[done]:,} of {self.num_chunks:,} chunks, "
            f"{self.chunks[done] / elapsed:.0f} chunks/s, {_duration(left_s)} left"
        )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
