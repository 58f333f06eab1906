"""Compare the power that `--power` predicts with that of planted studies, and predicted intervals with measured ones.

    python -m benchmarks.planned_power [--studies 200]

Every design plants two cells that differ by some points (tests/planted.py, correlated as in recorded studies) and tests
the difference as the report does. Predicted: from the variances of other planted studies of one design (120 documents,
3 replicates), as `--power-from` predicts a new study from a recorded one. Prints one row per design and difference.
"""

import argparse

import numpy as np

from study.analysis import mrmc
from study.analysis.power import half_width, least_difference, power
from study.analysis.spread import Design, Spread
from study.host.machine import hardware
from tests.planted import Shape, planted_ranks

RECORDED = Shape(chains=120, queries=8)
DESIGNS = (
    Shape(chains=120, queries=8),
    Shape(chains=40, queries=24),
    Shape(chains=12, queries=40),
    Shape(chains=120, queries=8, replicates=5),
    Shape(chains=360, queries=8),
    Shape(chains=120, queries=8, replicates=2),
)
BASE = 0.6
POINTS = (0.0, 1.0, 2.0, 4.0)
NUM_RECORDED = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=200, help="planted studies of each design and difference")
    options = parser.parse_args()
    print(f"machine: {hardware()['processor']}; {options.studies} studies a row")
    drawn = [_pair(RECORDED, 0.0, seed) for seed in range(NUM_RECORDED)]
    cell = Spread.mean_of([Spread.of(first, RECORDED.units) for first, _ in drawn])
    change = Spread.mean_of([Spread.of(second - first, RECORDED.units) for first, second in drawn])
    print("documents queries replicates points: predicted simulated (+-) | half-width of a cell: predicted measured")
    for shape in DESIGNS:
        _compare(shape, cell, change, options.studies)


def _pair(shape: Shape, difference: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the hits of two cells. [R, Q] each."""
    ranks = planted_ranks(np.array([BASE, BASE + difference]), np.random.default_rng(seed), shape)
    return (ranks[0] <= 5).astype(float), (ranks[1] <= 5).astype(float)


def _compare(shape: Shape, cell: Spread, change: Spread, num_studies: int) -> None:
    design = Design.of(shape.units, shape.replicates)
    for points in POINTS:
        found, halves = [], []
        for seed in range(num_studies):
            first, second = _pair(shape, points / 100, 10_000 + seed)
            found.append(mrmc.difference(second, first, shape.units).p_value < 0.05)
            of_cell = mrmc.mean(first, shape.units)
            halves.append((of_cell.high - of_cell.low) / 2)
        share = np.mean(found)
        error = np.sqrt(share * (1 - share) / num_studies)
        print(
            f"{design.num_documents:9} {design.num_queries:7} {design.num_replicates:10} {points:6.1f}: "
            f"{power(change, design, points / 100):9.2f} {share:9.2f} (+-{error:.2f}) | "
            f"{100 * half_width(cell, design):.2f} {100 * np.mean(halves):.2f}"
        )
    print(f"{'':27} least difference with power 0.8: {100 * least_difference(change, design):.2f} points")


if __name__ == "__main__":
    main()
