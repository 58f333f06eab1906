"""The error of `equal_pool` on real ranks, and how wide the bounds are: what a re-read published figure is worth.

    python -m benchmarks.equal_pool_error results/<study> [results/<study> …] [--new-pool 115]

Each study needs a pool of at least 1,148. From every cell's and baseline's ranks: the exact Hit@1, 5 and 10 at each
published pool, `equal_pool` of these three at the new pool, and the exact Hit@5 there.
"""

import argparse

import pandas as pd

from study.analysis.equal_pool_error import equal_pool_error
from study.analysis.load import load_study
from study.analysis.pools import PUBLISHED


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="+", metavar="STUDY")
    parser.add_argument("--new-pool", type=int, default=115)
    options = parser.parse_args()
    studies = [load_study(location) for location in options.studies]
    for pool in dict.fromkeys(PUBLISHED.pool):
        found = pd.concat([equal_pool_error(study, pool, options.new_pool) for study in studies])
        inside = ((found.exact >= found.lowest - 1e-9) & (found.exact <= found.highest + 1e-9)).sum()
        print(
            f"{pool:>5} -> {options.new_pool}: equal_pool minus exact {found.error.mean():+.3f} in the mean, "
            f"{found.error.min():+.3f} to {found.error.max():+.3f} over {len(found)} cells and baselines; "
            f"{inside} inside bounds of mean width {(found.highest - found.lowest).mean():.2f}"
        )


if __name__ == "__main__":
    main()
