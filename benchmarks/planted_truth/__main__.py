"""Plant known truths in made-up studies and count how often each verdict and each interval is right.

    python -m benchmarks.planted_truth [--studies 200] [--processes 2] [--designs WORD]... [--csv FILE]

Studies have documents, queries and replicates that correlate as in recorded ones (tests/planted.py), a tuned map and a
map at one configuration. Prints two tables in Markdown: the share of studies in which a verdict is false, with its
power (the share in which it is true; the rest is "cannot tell"), and the share of 95 % intervals that hold the truth.
"""

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context

import pandas as pd

from benchmarks.planted_truth.designs import all_designs
from benchmarks.planted_truth.measure import measure_job
from benchmarks.planted_truth.table import interval_table, verdict_table
from study.host.machine import hardware


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=40, help="made-up studies for each design")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--designs", action="append", help="only designs whose name contains this; repeat for more")
    parser.add_argument("--csv", help="also write every answer and interval to this file")
    options = parser.parse_args()
    chosen = [i for i, one in enumerate(all_designs()) if _wanted(one.name, options.designs)]
    started = time.perf_counter()
    jobs = list(product(chosen, range(options.studies)))
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as pool:
        rows = pd.DataFrame([row for found in pool.map(measure_job, jobs, chunksize=5) for row in found])
    seconds = (time.perf_counter() - started) * options.processes / len(jobs)
    print(f"{hardware()['processor']}; {options.studies} studies for each of {len(chosen)} designs; ", end="")
    print(f"{seconds:.2f} s a study and process\n\n{verdict_table(rows)}\n\n{interval_table(rows)}")
    if options.csv:
        rows.to_csv(options.csv, index=False)


def _wanted(name: str, words: list[str] | None) -> bool:
    return not words or any(word in name for word in words)


if __name__ == "__main__":
    main()
