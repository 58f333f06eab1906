"""Faults of a driver's environment: it must stop with one sentence and leave the records unchanged."""

import random
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.torture.faults import Fault, Inject, Tortured, as_problem
from benchmarks.torture.injection import can_mount, full_disk, other_trainer, read_only
from lvm_core.kalman import KalmanConfig, KalmanModel

ROOM_BYTES = (60_000, 250_000)  # left on the full disk: enough to start, too little to finish


def refused(words: str, *more: str, **how) -> Inject:
    """Return a resume that must be refused with these words. how: arguments of `Runner.start`, made in a folder."""

    def inject(tortured: Tortured, rng: random.Random) -> list[str] | None:
        before = contents(tortured.study)
        with tempfile.TemporaryDirectory(prefix="lvm-torture-") as folder:
            ended = tortured.runner.run(*more, **{name: made(tortured, Path(folder)) for name, made in how.items()})
        problems = [] if ended.is_refusal and words in ended.errors else as_problem(ended)
        return problems + ["the study was changed"] * (contents(tortured.study) != before)

    return inject


def fill_disk(tortured: Tortured, rng: random.Random) -> list[str] | None:
    """Fill the disk in the middle of the study."""
    ended = tortured.runner.run(before=full_disk(tortured.runner.out, rng.randint(*ROOM_BYTES)))
    tortured.is_done = ended.status == 0
    if tortured.is_done:
        return None
    problems = [] if ended.is_refusal and "No space left on device" in ended.errors else as_problem(ended)
    torn = [path.name for path in tortured.study.glob("*/.*.parquet.*")]
    return problems + [f"a partial file is left: {name}" for name in torn]


def contents(study: Path) -> dict[str, bytes]:
    """Return the manifest and the records of a study."""
    files = [study / "manifest.json", *study.glob("*/*.parquet")]
    return {str(path.relative_to(study)): path.read_bytes() for path in files}


def _other_corpus(tortured: Tortured, folder: Path) -> str:
    vectors, chain_ids = KalmanModel.from_config(KalmanConfig(num_chains=200, chain_length=40)).sample()
    np.savez(folder / "other.npz", vectors=vectors, chain_ids=chain_ids)
    return str(folder / "other.npz")


KEPT = "must keep one configuration"
OF_SURROUNDINGS = (
    Fault("a full disk", fill_disk, at_rest=True, is_allowed=can_mount),
    Fault(
        "read-only output",
        refused("Read-only file system", before=lambda tortured, folder: read_only(tortured.runner.out)),
        at_rest=True,
        is_allowed=can_mount,
    ),
    Fault("another corpus on resume", refused(KEPT, corpus=_other_corpus), at_rest=True),
    Fault("another space on resume", refused(KEPT, "--set", "fixed.hidden_dim=17"), at_rest=True),
    Fault(
        "another trainer on resume",
        refused("Add --carry-over", root=lambda tortured, folder: other_trainer(folder / "code")),
        at_rest=True,
    ),
)
