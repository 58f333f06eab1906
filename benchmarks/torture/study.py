"""The study that is tortured, and its driver as a process."""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.torture.injection import ROOT

STUDY = "tortured"
CONTEXTS, SIZES = [1, 4], [40, 120]
CELL_IDS = [f"C{context}_N{size}" for context in CONTEXTS for size in SIZES]
END_S = 180  # a driver that has not ended by then hangs


def space_for(corpus: str) -> dict:
    """Return a study of four cells whose trials take about a second, for a small corpus too."""
    return {
        "question": "Does a study survive torture?",
        "cells": {"context_length": CONTEXTS, "num_sequences": SIZES},
        "data": {"num_queries": 200},
        "fixed": {
            "hidden_dim": 16, "batch_size": 32, "num_negatives": 24, "max_steps": 60, "warmup_steps": 4,
            "eval_interval": 6, "device": "cpu", "precision": "float32",
        },
        "search": {"learning_rate": {"low": 1e-4, "high": 3e-2, "log": True}, "alpha": {"choices": [0.03, 0.3]}},
        "patience": {"replay": [2, 4]},
        "racing": {"num_samples": 8, "grace_period": 1, "reduction_factor": 2},
        "replicates": 2,
        "points_to_evaluate": [{"learning_rate": 1e-2, "alpha": 0.03}],
    }  # fmt: skip


@dataclass(frozen=True)
class Ended:
    """How a driver ended. output: stdout and stderr. errors: stderr only."""

    status: int
    output: str
    errors: str

    @property
    def is_refusal(self) -> bool:
        """Whether it is exit status 2 and one sentence."""
        return self.status == 2 and self.errors.startswith("error: ") and self.errors.count("\n") == 1


@dataclass
class Driver:
    """A running driver. log: its output. family: its known child processes."""

    process: subprocess.Popen
    log: Path
    family: list[psutil.Process]

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def wait(self, seconds: float) -> None:
        """Wait so long, or until the driver ends."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return

    def update_family(self) -> list[psutil.Process]:
        """List its child processes now; after its death they cannot be found."""
        try:
            self.family = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.Error:
            return []
        return self.family

    def end(self) -> Ended:
        """Wait until the driver and its children are gone. A hung driver is killed and gets status -1000."""
        if not self.has_ended:
            self.update_family()
        try:
            status = self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = -1000
        _, alive = psutil.wait_procs(self.family, timeout=20)
        for process in alive:
            if process.is_running():
                process.kill()
        texts = [path.read_text(errors="replace") for path in (self.log, self.log.with_suffix(".errors"))]
        return Ended(status, "".join(texts), texts[1])


@dataclass(frozen=True)
class Runner:
    """Starts and resumes the driver of one study."""

    space: str
    corpus: str
    out: Path
    num_workers: int

    @property
    def study(self) -> Path:
        return self.out / STUDY

    def start(
        self,
        *more: str,
        corpus: str | None = None,
        environment: dict[str, str] | None = None,
        before: tuple[str, ...] = (),
        root: Path = ROOT,
        log: str = "output",
    ) -> Driver:
        """Start or resume the study; its output goes to files, since a full pipe would block it.

        more: further arguments. before: a command prefix. root: the folder of the code.
        """
        self.out.mkdir(exist_ok=True)
        line = [*before, sys.executable, "-m", "study.run", self.space, "--corpus", corpus or self.corpus]
        line += ["--out", str(self.out), "--study", STUDY, "--workers", str(self.num_workers), "--no-report"]
        path = self.out.with_name(f"{self.out.name}-{log}.txt")
        with path.open("w") as output, path.with_suffix(".errors").open("w") as errors:
            process = subprocess.Popen(
                [*line, "--rerun", "failed", *more],
                cwd=root,
                env=environment,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
        return Driver(process, path, [])

    def run(self, *more: str, **how) -> Ended:
        """Run to the end, with the arguments of `start`."""
        return self.start(*more, **how).end()


@dataclass(frozen=True)
class Pace:
    """How long an undisturbed study takes. start_s: until its first trial begins. work_s: from there to its end."""

    start_s: float
    work_s: float

    def wait_for_a_moment(self, driver: Driver, study: Path, rng) -> None:
        """Wait for a random moment: while the driver starts (one in four), or soon after a new record."""
        if rng.random() < 0.25:
            return driver.wait(rng.uniform(0, self.start_s))
        before, deadline = names(study / "trials"), time.monotonic() + END_S
        while names(study / "trials") == before and not driver.has_ended and time.monotonic() < deadline:
            driver.wait(0.02)
        driver.wait(rng.uniform(0, self.work_s / 40))  # a study must outlast twenty kills


def names(folder: Path) -> set[str]:
    """Return the trials that a table has files of."""
    return {path.stem for path in folder.glob("*.parquet") if not path.name.startswith(".")}
