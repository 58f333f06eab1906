"""Encode chunks in batches sorted by length, keeping each finished batch, so that a killed run goes on where it was."""

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from study.corpus.encoder import Encoder

BATCH_SIZE = {"cpu": 16, "mps": 64, "cuda": 512}  # texts; benchmarks/encode_speed.py measured the CPU's
LINE_EVERY_S = 10.0


@dataclass(frozen=True, eq=False)
class Job:
    """What is encoded. Batches are stretches of `order`, longest texts first: what needs most memory fails at once.

    texts: [V] in reading order. folder: where the work lies until the corpus is whole.
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
    """Return all vectors, [V, D] float16, encoding only the batches that no earlier run has finished."""
    vectors, done = _open_work(job)
    if done:
        say(f"going on after {done:,} of {job.num_batches:,} batches")
    progress = Progress(job, done, say)
    for batch in range(done, job.num_batches):
        rows = job.rows(batch)
        vectors[rows] = job.encoder.encode([job.texts[row] for row in rows]).astype(np.float16)
        vectors.flush()  # before the count: a batch that counts is on the disk
        _write_state(job, batch + 1)
        progress.tell(batch + 1)
    return vectors


def _open_work(job: Job) -> tuple[np.memmap, int]:
    """Return the vectors so far and the number of finished batches; work of another job is begun afresh."""
    shape, path = (len(job.texts), job.encoder.dim), job.folder / "vectors.npy"
    try:
        state = json.loads((job.folder / "state.json").read_text())
        vectors = np.lib.format.open_memmap(path, mode="r+")
        if state["key"] == job.key and vectors.shape == shape:
            return vectors, int(state["num_done"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # nothing to go on from
    shutil.rmtree(job.folder, ignore_errors=True)
    job.folder.mkdir()
    vectors = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
    _write_state(job, 0)
    return vectors, 0


def _write_state(job: Job, num_done: int) -> None:
    part = job.folder / "state.part"
    part.write_text(json.dumps({"key": job.key, "num_done": num_done}))
    part.replace(job.folder / "state.json")


class Progress:
    """Says how far it is, how fast, and how long it will take; cost is characters, padding counted."""

    def __init__(self, job: Job, done: int, say: Callable[[str], None]):
        self.job, self.say, self.first = job, say, done
        longest = np.array([len(job.texts[job.rows(batch)[0]]) for batch in range(job.num_batches)])
        self.cost = np.concatenate([[0], np.cumsum(longest)])
        self.started = self.last_line = time.monotonic()

    def tell(self, done: int) -> None:
        """Print a line at the end and where ten seconds have passed since the last one."""
        now, num_chunks = time.monotonic(), len(self.job.texts)
        if now - self.last_line < LINE_EVERY_S and done < self.job.num_batches:
            return
        self.last_line, elapsed = now, now - self.started
        num_done = min(done * self.job.batch_size, num_chunks)
        rate = (num_done - self.first * self.job.batch_size) / elapsed
        left_s = elapsed * (self.cost[-1] - self.cost[done]) / (self.cost[done] - self.cost[self.first])
        self.say(f"encoded {num_done:,} of {num_chunks:,} chunks, {rate:.0f} chunks/s, {_duration(left_s)} left")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
