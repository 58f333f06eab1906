"""Measure the overhead of the driver and Ray in a finished study: the share of worker time outside trials.

    python -m benchmarks.driver_overhead results/<study> --workers 2

Compares the summed wall seconds of all trials with the study's wall seconds times its workers. The rest is startup and
shutdown, scheduling, recording, and workers that idle at the end.
"""

import argparse

from study.analysis.load import load_study


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study")
    parser.add_argument("--workers", type=int, required=True)
    options = parser.parse_args()
    study = load_study(options.study)
    wall_s = study.manifest["wall_s"]
    trial_s = float(study.trials.wall_s.sum())
    capacity_s = wall_s * options.workers
    print(f"machine: {study.manifest['hardware']['processor']}, {options.workers} workers")
    print(f"{study.manifest['study']}: {len(study.trials)} trials, {wall_s:.0f} s of wall time")
    print(f"trials {trial_s:.0f} s of {capacity_s:.0f} worker seconds; overhead {1 - trial_s / capacity_s:.1%}")


if __name__ == "__main__":
    main()
