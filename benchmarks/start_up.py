"""Measure the processor time of every `--help`, as a ratio to `python -c pass`.

    python -m benchmarks.start_up [--rounds 5]

The commands take turns, and the least of each one's times counts: what else runs on the machine only adds to it.
"""

import argparse
import os
import subprocess
import sys

from study.host.machine import hardware

NOTHING = ["-c", "pass"]
COMMANDS = {
    "lvm-study --help": ["-m", "study", "--help"],
    "lvm-study --version": ["-m", "study", "--version"],
    "lvm-study run --help": ["-m", "study", "run", "--help"],
    **{
        f"python -m study.{name} --help": ["-m", f"study.{name}", "--help"]
        for name in ("run", "report", "best", "corpus", "predict")
    },
}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def processor_s(arguments: list[str]) -> float:
    """Run Python with these arguments and return the processor seconds it took, of user and system."""
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} must end with status 0, but ended with {process.returncode}.")
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    options = parse()
    lines = {"python -c pass": NOTHING, **COMMANDS}
    times = {name: [] for name in lines}
    for _ in range(options.rounds):
        for name, arguments in lines.items():
            times[name].append(processor_s(arguments))
    least = {name: min(found) for name, found in times.items()}
    reference = least["python -c pass"]
    print(f"{hardware()}; least of {options.rounds}")
    print(f"{'':34}processor s   ratio")
    for name, seconds in least.items():
        print(f"{name:34}{seconds:11.3f}{seconds / reference:8.1f}")


if __name__ == "__main__":
    main()
