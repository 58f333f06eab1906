"""Fuzz the tool with malformed input, and count the outcomes.

    python -m benchmarks.fuzz --cases 100000 --minutes 30 --processes 2

Every case must end with exit status 2 and one sentence, or as a correct run, within 10 s of CPU time, and change no
file outside the output folder. A case is a function of (seed, number), so a failing one can be rerun: `--only NUMBER`.
"""

import argparse
import multiprocessing
import sys
import time
from collections import Counter

from benchmarks.fuzz.cases import KINDS
from benchmarks.fuzz.run import Found, in_own_folder


def main(arguments: list[str] | None = None) -> int:
    """Run the cases and print a summary; return 1 if one failed."""
    parser = argparse.ArgumentParser(prog="benchmarks.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, default=None)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args(arguments)
    numbers = range(options.cases) if options.only is None else range(options.only, options.only + 1)
    began, limit_s = time.monotonic(), 60 * options.minutes
    shares = [(options.seed, numbers[start :: options.processes], limit_s) for start in range(options.processes)]
    if options.processes == 1:
        found = [in_own_folder(*shares[0])]
    else:
        with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
            found = pool.starmap(in_own_folder, shares)
    return summarise(found, time.monotonic() - began)


def summarise(found: list[Found], wall_s: float) -> int:
    """Print the counts by kind and outcome, and the failures; return the exit status."""
    counts = sum((one.counts for one in found), Counter())
    wrong = [line for one in found for line in one.wrong]
    for kind in KINDS:
        print(f"{kind:13} " + ", ".join(f"{n:,} {a}" for (k, a), n in sorted(counts.items()) if k == kind))
    longest_s = max(one.longest_s for one in found)
    print(f"{counts.total():,} cases in {wall_s:.0f} s, longest {longest_s:.1f} s, {len(wrong):,} wrong")
    print("\n".join(wrong[:20]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
