"""Run thousands of short trials in one study, and track the driver's resources.

    python -m benchmarks.soak --trials 2000 --minutes 60

Prints a table with one line per tenth of the confirm trials: seconds per trial, the driver's memory, open files and
threads, bytes in /dev/shm, and temporary files; then whether each bound holds. /dev/shm and the clock are shared with
the whole machine, so run it alone. Exit status 1 if a bound does not hold.
"""

import argparse
import itertools
import os
import signal
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml

from benchmarks.torture.study import CELL_IDS, Driver, Runner, names, space_for

EVERY_S = 1.0
SECOND = {"max_steps": 120, "eval_interval": 12}  # ten evaluations in about a second
SESSIONS = Path(os.environ.get("RAY_TMPDIR", "/tmp")) / "ray"  # where Ray keeps its logs and sockets
BYTES_A_TRIAL = 128 << 10  # per trial: Tune keeps its results, their statistics and its entry in Ray
ALLOWED_FILES, ALLOWED_THREADS, ALLOWED_SHM_BYTES = 8, 8, 4 << 20
ALLOWED_TEMP_FILES = 50  # in all, for any number of trials
ALLOWED_SLOWER = 1.10


@dataclass(frozen=True)
class Sample:
    """The driver's resources at one time."""

    at_s: float
    num_trials: int
    rss_bytes: int
    num_files: int
    num_threads: int
    shm_bytes: int
    num_temp_files: int


def main(arguments: list[str] | None = None) -> int:
    """Run the study, and print the table and the bounds."""
    parser = argparse.ArgumentParser(prog="benchmarks.soak", description=__doc__)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="lvm-soak-") as folder:
        samples = soak(Path(folder), options)
    if len(samples) < 11:
        print("too few trials for a table of ten lines: raise --trials or --minutes")
        return 1
    tenths = by_tenth(samples)
    show(tenths)
    return 0 if all([show_bound(*bound) for bound in bounds(tenths)]) else 1


def space_of(num_trials: int) -> dict:
    """Return a study of so many confirm trials of about a second each, plus the baselines before them."""
    space = space_for("kalman") | {"replicates": -(-num_trials // len(CELL_IDS)), "patience": {"replay": [10]}}
    del space["search"], space["points_to_evaluate"]
    space["fixed"] |= SECOND
    return space


def soak(folder: Path, options: argparse.Namespace) -> list[Sample]:
    """Run the study, sample it, and stop it when the time is up."""
    (folder / "space.yaml").write_text(yaml.safe_dump(space_of(options.trials)))
    runner = Runner(str(folder / "space.yaml"), "kalman", folder / "out", options.workers)
    began, samples, is_stopped = time.monotonic(), [], False
    driver = runner.start()
    while not driver.has_ended:
        if time.monotonic() - began > 60 * options.minutes and not is_stopped:
            is_stopped = True
            driver.process.send_signal(signal.SIGINT)
        num_trials = _num_confirmed(runner.study)
        if num_trials and not is_stopped:
            samples += sample(driver, num_trials, time.monotonic() - began)
        driver.wait(EVERY_S)
    ended = driver.end()
    num_rows = len(names(runner.study / "trials"))
    print(f"exit status {ended.status}, {_num_confirmed(runner.study)} confirm trials of {num_rows}")
    print(ended.errors[-2000:], end="")
    return samples


def _num_confirmed(study: Path) -> int:
    """Count the finished confirm trials: each leaves a checkpoint. Baselines do not; they take another time."""
    return sum(1 for _ in (study / "checkpoints").glob("*"))


def sample(driver: Driver, num_trials: int, at_s: float) -> list[Sample]:
    """Return one sample of the driver, or none if it has just ended."""
    try:
        process = psutil.Process(driver.process.pid)
        resources = process.memory_info().rss, process.num_fds(), process.num_threads()
    except psutil.Error:
        return []
    shm = sum(file.st_size for file in map(_stat, Path("/dev/shm").iterdir()) if file is not None)
    return [Sample(at_s, num_trials, *resources, shm, _num_temp_files(driver.process.pid))]


def _num_temp_files(pid: int) -> int:
    """Count the files that Tune and Ray keep for a driver; Ray's session name contains the driver's pid."""
    folders = [*Path(tempfile.gettempdir()).glob("lvm-tune-*"), *SESSIONS.glob(f"session_*_{pid}")]
    return sum(len(files) for folder in folders for _, _, files in os.walk(folder))


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def by_tenth(samples: list[Sample]) -> list[Sample]:
    """Return the first sample, and the first one after each tenth of the trials."""
    first, last = samples[0].num_trials, samples[-1].num_trials
    marks = [first + (last - first) * tenth / 10 for tenth in range(11)]
    return [next(one for one in samples if one.num_trials >= mark) for mark in marks]


def seconds_a_trial(tenths: list[Sample]) -> list[float]:
    """Return the seconds per trial in each tenth."""
    pairs = itertools.pairwise(tenths)
    return [(now.at_s - before.at_s) / max(1, now.num_trials - before.num_trials) for before, now in pairs]


def show(tenths: list[Sample]) -> None:
    """Print one line per tenth of the trials."""
    print("| trials | s per trial | driver MB | open files | threads | /dev/shm MB | temporary files |")
    print("|---|---|---|---|---|---|---|")
    for now, each in zip(tenths[1:], seconds_a_trial(tenths), strict=True):
        sizes = f"{now.rss_bytes / 1e6:.0f} | {now.num_files} | {now.num_threads} | {now.shm_bytes / 1e6:.0f}"
        print(f"| {now.num_trials} | {each:.3f} | {sizes} | {now.num_temp_files} |")


def bounds(tenths: list[Sample]) -> list[tuple[str, float, float]]:
    """Return (name, value, bound) for each bound. Growth is counted from the end of the first tenth."""
    early, late, each = tenths[1], tenths[-1], seconds_a_trial(tenths)
    trials = late.num_trials - early.num_trials
    slower = statistics.mean(each[-3:]) / statistics.mean(each[1:4])
    return [
        ("growth of the driver's memory, bytes per trial", (late.rss_bytes - early.rss_bytes) / trials, BYTES_A_TRIAL),
        ("growth of open files", late.num_files - early.num_files, ALLOWED_FILES),
        ("growth of threads", late.num_threads - early.num_threads, ALLOWED_THREADS),
        ("growth of /dev/shm, bytes", late.shm_bytes - early.shm_bytes, ALLOWED_SHM_BYTES),
        ("growth of temporary files", late.num_temp_files - early.num_temp_files, ALLOWED_TEMP_FILES),
        ("seconds per trial, last three tenths over the second to fourth", slower, ALLOWED_SLOWER),
    ]


def show_bound(name: str, value: float, bound: float) -> bool:
    """Print whether a bound holds, and return it."""
    holds = value <= bound
    print(f"{name}: {value:,.3g}, at most {bound:,.3g}: {'holds' if holds else 'DOES NOT HOLD'}")
    return holds


if __name__ == "__main__":
    sys.exit(main())
