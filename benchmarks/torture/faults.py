"""The faults: each is provoked in a running study, and ends or leaves its driver in a known way."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

Provoke = Callable[[subprocess.Popen, Path, random.Random], bool]


@dataclass(frozen=True)
class Fault:
    """provoke: returns whether the fault could be provoked. statuses: how the driver may then end."""

    name: str
    provoke: Provoke
    statuses: tuple[int, ...]


def signal_driver(number: int) -> Provoke:
    """Return what sends a signal to the driver; Ctrl-C reaches all its processes, as in a terminal."""

    def provoke(driver: subprocess.Popen, study: Path, rng: random.Random) -> bool:
        if driver.poll() is not None:
            return False
        (os.killpg if number == signal.SIGINT else os.kill)(driver.pid, number)
        return True

    return provoke


def kill_worker(driver: subprocess.Popen, study: Path, rng: random.Random) -> bool:
    """Kill a process that runs trials."""
    workers = trial_workers(driver)
    if workers:
        rng.choice(workers).kill()
    return bool(workers)


def kill_driver_over_stopped_workers(driver: subprocess.Popen, study: Path, rng: random.Random) -> bool:
    """Freeze the workers, kill the driver, and wake them up once it is gone: they outlive it and go on writing."""
    workers = trial_workers(driver)
    for worker in workers:
        worker.suspend()
    driver.kill()
    driver.wait()
    time.sleep(rng.uniform(0.5, 3))
    for worker in workers:
        _resume(worker)
    return bool(workers)


def kill_driver_between_writes(driver: subprocess.Popen, study: Path, rng: random.Random) -> bool:
    """Kill the driver when a trial's ranks are written and its row is not."""
    deadline = time.monotonic() + 20
    while driver.poll() is None and time.monotonic() < deadline:
        if names(study / "ranks") - names(study / "trials"):
            driver.kill()
            return True
        time.sleep(0.0005)
    return False


def damage_record(driver: subprocess.Popen, study: Path, rng: random.Random) -> bool:
    """Kill the driver, then cut a random part of ranks or curves short (of a trial's row see docs/faults.md)."""
    signal_driver(signal.SIGKILL)(driver, study, rng)
    driver.wait()
    parts = sorted(study.glob("ranks/*.parquet")) + sorted(study.glob("curves/*.parquet"))
    if parts:
        part = rng.choice(parts)
        os.truncate(part, rng.randrange(part.stat().st_size))
    return bool(parts)


def add_foreign_file(driver: subprocess.Popen, study: Path, rng: random.Random) -> bool:
    """Kill the driver, then put a file of something else among the records."""
    signal_driver(signal.SIGKILL)(driver, study, rng)
    driver.wait()
    folder = study / rng.choice(["trials", "curves", "ranks"])
    if folder.is_dir():
        (folder / rng.choice(["notes.txt", "copy of a part.parquet"])).write_bytes(rng.randbytes(200))
    return folder.is_dir()


FAULTS = (
    Fault("SIGKILL of the driver", signal_driver(signal.SIGKILL), (-9,)),
    Fault("SIGINT (Ctrl-C)", signal_driver(signal.SIGINT), (130, -2)),
    Fault("SIGTERM of the driver", signal_driver(signal.SIGTERM), (130, -15)),
    Fault("SIGKILL of a worker", kill_worker, (0,)),
    Fault("workers outlive the driver", kill_driver_over_stopped_workers, (-9,)),
    Fault("SIGKILL between two writes", kill_driver_between_writes, (-9,)),
    Fault("a record cut short", damage_record, (-9,)),
    Fault("a foreign file", add_foreign_file, (-9,)),
)


def names(folder: Path) -> set[str]:
    """Return the trials that a table has parts of."""
    return {path.stem for path in folder.glob("*.parquet") if not path.name.startswith(".")}


def trial_workers(driver: subprocess.Popen) -> list[psutil.Process]:
    """Return the processes that run a driver's trials, now."""
    try:
        children = psutil.Process(driver.pid).children(recursive=True)
    except psutil.Error:
        return []
    return [child for child in children if _is_trial_worker(child)]


def _is_trial_worker(process: psutil.Process) -> bool:
    try:
        line = " ".join(process.cmdline())
    except psutil.Error:
        return False
    return "ray::" in line and "train" in line


def _resume(process: psutil.Process) -> None:
    try:
        process.resume()
    except psutil.Error:
        return
