"""The study that is tortured, and its driver as a process."""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
STUDY = "tortured"
END_S = 180  # a driver that has not ended by then hangs


def space_for(corpus: str) -> dict:
    """Return a study of four cells whose trials take about a second; a corpus file may be small."""
    return {
        "question": "Does a study survive torture?",
        "cells": {"context_length": [1, 4], "num_sequences": [40, 120]},
        "data": {"num_queries": 200},
        "fixed": {
            "hidden_dim": 16, "batch_size": 32, "num_negatives": 24, "max_steps": 60, "warmup_steps": 4,
            "eval_interval": 6, "device": "cpu", "precision": "float32",
        },
        "search": {"learning_rate": {"low": 1e-4, "high": 3e-2, "log": True}, "alpha": {"choices": [0.03, 0.3]}},
        "patience": {"replay": [2, 4]},
        "racing": {"num_configs": 5, "grace_evaluations": 1, "reduction_factor": 2},
        "replicates": 2,
        "start": [{"learning_rate": 1e-2, "alpha": 0.03}],
    }  # fmt: skip


@dataclass(frozen=True)
class Ended:
    """How a driver ended, and all it printed."""

    status: int
    said: str
    wall_s: float


@dataclass(frozen=True)
class Runner:
    """Starts, resumes and awaits the driver of one study."""

    space: str
    corpus: str
    out: Path
    num_workers: int

    @property
    def study(self) -> Path:
        return self.out / STUDY

    def start(self) -> subprocess.Popen:
        """Start the study, or go on with it; its output goes to a file, which no pipe can block."""
        self.out.mkdir(exist_ok=True)
        line = [sys.executable, "-m", "study.run", self.space, "--corpus", self.corpus, "--out", str(self.out)]
        line += ["--study", STUDY, "--workers", str(self.num_workers), "--no-report", "--resume"]
        with self._log.open("w") as log:
            return subprocess.Popen(line, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)

    @property
    def _log(self) -> Path:
        return self.out / "said.txt"

    def run(self) -> Ended:
        """Run to the end."""
        return self.end_of(self.start())

    def wait(self, driver: subprocess.Popen, seconds: float) -> None:
        """Let a driver run for so long, or to its end."""
        try:
            driver.wait(seconds)
        except subprocess.TimeoutExpired:
            return

    def end_of(self, driver: subprocess.Popen) -> Ended:
        """Wait until a driver and what it started are gone. One that hangs is killed, and its status says so."""
        began = time.monotonic()
        family = _family(driver)
        try:
            status = driver.wait(END_S)
        except subprocess.TimeoutExpired:
            driver.kill()
            driver.wait()
            status = -1000
        _, alive = psutil.wait_procs(family, timeout=20)
        for process in alive:
            if process.is_running():
                process.kill()
        return Ended(status, self._log.read_text(errors="replace"), time.monotonic() - began)


def _family(driver: subprocess.Popen) -> list[psutil.Process]:
    try:
        return psutil.Process(driver.pid).children(recursive=True)
    except psutil.Error:
        return []
