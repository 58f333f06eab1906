"""Run thousands of short trials in one study, and watch what the driver holds on to.

    python -m benchmarks.soak --trials 2000 --minutes 60

Prints a table over the life of the study, in tenths of its trials: seconds a trial, the driver's memory, open files and
threads, bytes in /dev/shm, and files in its temporary folders. /dev/shm is the whole machine's, so run it alone.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml

from benchmarks.torture.study import ROOT, space_for

EVERY_S = 1.0
CELLS = 4  # of space_for
ROWS_A_REPLICATE = 3 * CELLS  # a confirm trial, ridge and the nearest window a cell


@dataclass(frozen=True)
class Sample:
    """What the driver held at one time."""

    at_s: float
    num_trials: int
    rss_bytes: int
    num_files: int
    num_threads: int
    shm_bytes: int
    num_temp_files: int


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.soak", description=__doc__)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lvm-soak-") as folder:
        samples = soak(Path(folder), options)
    show(samples)


def soak(folder: Path, options: argparse.Namespace) -> list[Sample]:
    """Run the study, sample it, and stop it when the time is over."""
    space = space_for("kalman") | {"replicates": -(-options.trials // ROWS_A_REPLICATE)}
    del space["search"], space["start"]
    space["fixed"] |= {"max_steps": 8, "eval_interval": 4}
    (folder / "space.yaml").write_text(yaml.safe_dump(space))
    line = [sys.executable, "-m", "study.run", str(folder / "space.yaml"), "--out", str(folder), "--study", "s"]
    line += ["--workers", str(options.workers), "--no-report"]
    began, samples = time.monotonic(), []
    with (folder / "said").open("w") as said:
        driver = subprocess.Popen(line, cwd=ROOT, stdout=said, stderr=said)
    watched = psutil.Process(driver.pid)
    while driver.poll() is None:
        if time.monotonic() - began > 60 * options.minutes:
            driver.send_signal(signal.SIGINT)
            driver.wait()
        num_trials = len(os.listdir(folder / "s" / "trials")) if (folder / "s" / "trials").is_dir() else 0
        if num_trials and driver.poll() is None:
            samples.append(sample(watched, num_trials, time.monotonic() - began))
        time.sleep(EVERY_S)
    print((folder / "said").read_text()[-300:])
    return samples


def sample(driver: psutil.Process, num_trials: int, at_s: float) -> Sample:
    with driver.oneshot():
        held = driver.memory_info().rss, driver.num_fds(), driver.num_threads()
    shm = sum(path.stat().st_size for path in Path("/dev/shm").iterdir() if path.is_file())
    scratch = [path for path in Path(tempfile.gettempdir()).glob("lvm-tune-*") if path.is_dir()]
    return Sample(at_s, num_trials, *held, shm, sum(len(files) for path in scratch for _, _, files in os.walk(path)))


def show(samples: list[Sample]) -> None:
    """Print one line a tenth of the trials."""
    total = samples[-1].num_trials
    print("| trials | s a trial | driver MB | open files | threads | /dev/shm MB | temporary files |")
    print("|---|---|---|---|---|---|---|")
    before = samples[0]
    for tenth in range(1, 11):
        now = next(one for one in samples if one.num_trials >= total * tenth // 10)
        each = (now.at_s - before.at_s) / max(1, now.num_trials - before.num_trials)
        sizes = f"{now.rss_bytes / 1e6:.0f} | {now.num_files} | {now.num_threads} | {now.shm_bytes / 1e6:.0f}"
        print(f"| {now.num_trials} | {each:.3f} | {sizes} | {now.num_temp_files} |")
        before = now


if __name__ == "__main__":
    main()
