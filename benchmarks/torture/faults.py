"""Faults of a running driver and of records: each is injected for real, and ends the driver in a known way."""

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil

from benchmarks.torture.study import END_S, Driver, Ended, Pace, Runner, names


@dataclass
class Tortured:
    """One study under torture. driver: the running one, if any. is_done: a driver has finished the study."""

    runner: Runner
    pace: Pace
    driver: Driver | None = None
    num_kills: int = 0
    is_done: bool = False

    @property
    def study(self) -> Path:
        return self.runner.study

    def runs(self, rng: random.Random) -> bool:
        """Start a driver if none runs, wait for a random moment, and return whether it still runs."""
        self.driver = self.driver or self.runner.start()
        self.pace.wait_for_a_moment(self.driver, self.study, rng)
        return not self.driver.has_ended

    def ended(self) -> Ended:
        """Wait for the driver to end."""
        ended = self.driver.end()
        self.driver = None
        self.is_done = ended.status == 0
        return ended


Strike = Callable[[Tortured, random.Random], bool]
Inject = Callable[[Tortured, random.Random], list[str] | None]


@dataclass(frozen=True)
class Fault:
    """inject: returns None if the fault could not be injected, else the problems with its outcome.

    at_rest: injected while no driver runs. is_allowed: whether this machine permits the fault.
    """

    name: str
    inject: Inject
    at_rest: bool = False
    is_allowed: Callable[[], bool] = lambda: True


def kills(strike: Strike, statuses: tuple[int, ...]) -> Inject:
    """Return the fault that ends the driver with one of these statuses, without a traceback."""

    def inject(tortured: Tortured, rng: random.Random) -> list[str] | None:
        tortured.driver.update_family()
        hit = strike(tortured, rng)
        ended = tortured.ended()
        tortured.num_kills += hit
        is_sound = ended.status in (*statuses, 0) and "Traceback" not in ended.output
        return [] if hit and is_sound else as_problem(ended) if hit else None

    return inject


def as_problem(ended: Ended) -> list[str]:
    """Describe how a driver ended, as a list of one problem."""
    return [f"status {ended.status}: {ended.output[-2000:]}"]


def signal_driver(number: int) -> Strike:
    """Return a strike that signals the driver; SIGINT goes to all its processes, as Ctrl-C in a terminal does."""

    def strike(tortured: Tortured, rng: random.Random) -> bool:
        if tortured.driver.has_ended:
            return False
        (os.killpg if number == signal.SIGINT else os.kill)(tortured.driver.process.pid, number)
        return True

    return strike


def kill_worker(tortured: Tortured, rng: random.Random) -> list[str] | None:
    """Kill a process that runs trials, and wait until the study has continued."""
    workers = trial_workers(tortured.driver)
    if not workers:
        return None
    before, deadline = names(tortured.study / "trials"), time.monotonic() + END_S
    rng.choice(workers).kill()
    while time.monotonic() < deadline:
        if tortured.driver.has_ended:
            ended = tortured.ended()
            return [] if ended.status == 0 else as_problem(ended)
        if names(tortured.study / "trials") - before:
            return []
        tortured.driver.wait(0.1)
    return ["the study did not continue"]


def kill_over_stopped_workers(tortured: Tortured, rng: random.Random) -> bool:
    """Freeze the workers, kill the driver, and resume them once it is gone: they outlive it and may still write."""
    workers = trial_workers(tortured.driver)
    for worker in workers:
        worker.suspend()
    tortured.driver.process.kill()
    tortured.driver.process.wait()
    time.sleep(rng.uniform(0.5, 3))
    for worker in workers:
        _resume(worker)
    return bool(workers)


def kill_between_writes(tortured: Tortured, rng: random.Random) -> bool:
    """Kill the driver when a trial's ranks have been written but not its row."""
    deadline = time.monotonic() + 3  # the study continues meanwhile
    while not tortured.driver.has_ended and time.monotonic() < deadline:
        if names(tortured.study / "ranks") - names(tortured.study / "trials"):
            tortured.driver.process.kill()
            return True
        time.sleep(0.0005)
    return False


def after_kill(damage: Callable[[Path, random.Random], bool]) -> Strike:
    """Return a strike that kills the driver and then damages its records."""

    def strike(tortured: Tortured, rng: random.Random) -> bool:
        signal_driver(signal.SIGKILL)(tortured, rng)
        tortured.driver.process.wait()
        return damage(tortured.study, rng)

    return strike


def cut_record(study: Path, rng: random.Random) -> bool:
    """Truncate a random file of any table."""
    return _cut(sorted(study.glob("*/[!.]*.parquet")), rng)


def cut_search_row(study: Path, rng: random.Random) -> bool:
    """Truncate the row file of a random search trial."""
    return _cut([file for file in sorted(study.glob("trials/[!.]*.parquet")) if _stage(file) == "search"], rng)


def _stage(file: Path) -> str | None:
    try:
        return pd.read_parquet(file, columns=["stage"]).stage[0]
    except (OSError, ValueError, KeyError):
        return None


def _cut(files: list[Path], rng: random.Random) -> bool:
    if files:
        file = rng.choice(files)
        os.truncate(file, rng.randrange(file.stat().st_size))
    return bool(files)


def add_foreign_file(study: Path, rng: random.Random) -> bool:
    """Put a foreign file among the records."""
    folder = study / rng.choice(["trials", "curves", "ranks", "context_use"])
    if folder.is_dir():
        (folder / rng.choice(["notes.txt", "copy of a record.parquet"])).write_bytes(rng.randbytes(200))
    return folder.is_dir()


def start_two_drivers(tortured: Tortured, rng: random.Random) -> list[str] | None:
    """Start two drivers on the study, one soon after the other: one of them is refused, and the other continues."""
    first = tortured.runner.start()
    time.sleep(rng.uniform(0, 2))
    second, deadline = tortured.runner.start(log="second"), time.monotonic() + END_S
    while not (first.has_ended or second.has_ended) and time.monotonic() < deadline:
        second.wait(0.1)
    late, tortured.driver = (second, first) if second.has_ended else (first, second)
    ended = late.end()
    return [] if ended.is_refusal and "must have one driver" in ended.errors else as_problem(ended)


OF_RECORDS = (
    Fault("SIGKILL of the driver", kills(signal_driver(signal.SIGKILL), (-9,))),
    Fault("SIGINT (Ctrl-C)", kills(signal_driver(signal.SIGINT), (130, -2))),
    Fault("SIGTERM of the driver", kills(signal_driver(signal.SIGTERM), (130, -15))),
    Fault("SIGKILL of a worker", kill_worker),
    Fault("workers outlive the driver", kills(kill_over_stopped_workers, (-9,))),
    Fault("SIGKILL between two writes", kills(kill_between_writes, (-9,))),
    Fault("a truncated record", kills(after_kill(cut_record), (-9,))),
    Fault("a truncated search row", kills(after_kill(cut_search_row), (-9,))),
    Fault("a foreign file", kills(after_kill(add_foreign_file), (-9,))),
    Fault("two drivers", start_two_drivers, at_rest=True),
)


def trial_workers(driver: Driver) -> list[psutil.Process]:
    """Return the processes that run a driver's trials now."""
    return [process for process in driver.update_family() if _is_trial_worker(process)]


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
