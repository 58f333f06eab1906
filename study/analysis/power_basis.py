"""Say on which variances a prediction of power rests: those of a recorded study, or those measured on two corpora."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from lvm_core.errors import InputError
from study.analysis.cells import per_query
from study.analysis.load import KEY, StudyRecords, arm_of
from study.analysis.spread import Spread

ASSUMED_HIT_AT_5 = 0.5  # where p (1 - p) is largest, and so are the intervals
MIN_REPLICATES = 2

# `scaling --preset quick` on kalman and on 12 test documents of Wikipedia (1,000 and 447 queries, 3 replicates): the
# mean over cells, or over pairs of neighbouring cells, in units of p (1 - p). `basis_of` computes them from records.
MEASURED = {
    "cell": (Spread(-0.9e-4, 0.157, 0.534, 0.303), Spread(1.5e-4, 0.038, 0.703, 0.257)),
    "contexts": (Spread(-1.7e-4, 0.0050, 0.085, 0.289), Spread(-0.5e-4, 0.0003, 0.043, 0.324)),
    "sizes": (Spread(-3.1e-4, 0.0021, 0.054, 0.471), Spread(4.8e-4, -0.0001, 0.021, 0.350)),
}


@dataclass(frozen=True)
class Basis:
    """The spread of a cell, and of the difference of two neighbouring contexts or sizes N. source: in words."""

    cell: Spread
    contexts: Spread
    sizes: Spread
    source: str


def measured_basis(correlation: float | None) -> Basis:
    """Return the measured defaults at an assumed Hit@5, with this corpus's documents.

    correlation: of two queries of one document, from hits of a baseline; None keeps the defaults' own.
    """
    unit = {name: Spread.mean_of(spreads) for name, spreads in MEASURED.items()}
    if correlation is not None:
        share = float(np.clip(correlation, 0.0, unit["cell"].document + unit["cell"].query))
        factor = share / unit["cell"].document
        rest = unit["cell"].query + unit["cell"].document - share
        unit = {name: replace(spread, document=spread.document * factor) for name, spread in unit.items()}
        unit["cell"] = replace(unit["cell"], query=rest)
    scale = ASSUMED_HIT_AT_5 * (1 - ASSUMED_HIT_AT_5)
    source = f"variances measured on kalman and Wikipedia, at an assumed Hit@5 of {ASSUMED_HIT_AT_5}"
    return Basis(**{name: spread.scaled(scale) for name, spread in unit.items()}, source=source)


def basis_of(study: StudyRecords) -> Basis:
    """Return the mean spreads of a recorded study: of its common configuration, where it has one.

    Raises: InputError with fewer than 2 replicates, or without two neighbouring cells along C and along N.
    """
    study = study.common or study
    hits = {}
    for (context, size, cell_id), trials in study.measured("confirm").groupby(KEY):
        hits[int(context), int(size), arm_of(cell_id)], units = per_query(study, trials.trial_id.tolist())
    if min(map(len, hits.values()), default=0) < MIN_REPLICATES:
        raise InputError(
            f"--power-from needs a study with at least {MIN_REPLICATES} replicates in every cell, but "
            f"{study.location} has fewer. Finish it, or leave --power-from out."
        )
    spreads = {
        "cell": [Spread.of(values, units) for values in hits.values()],
        "contexts": [Spread.of(change, units) for change in _changes(hits, along=0)],
        "sizes": [Spread.of(change, units) for change in _changes(hits, along=1)],
    }
    if lacking := [name for name, found in spreads.items() if not found]:
        raise InputError(
            f"--power-from needs a study with two neighbouring contexts and two neighbouring N, but {study.location} "
            f"lacks pairs of {lacking[0]}. Leave --power-from out, or name another study."
        )
    return Basis(**{name: Spread.mean_of(found) for name, found in spreads.items()}, source=study.location)


def _changes(hits: dict[tuple, np.ndarray], along: int) -> Iterable[np.ndarray]:
    """Return the differences of neighbouring cells along C (0) or N (1), replicate by replicate. [R, Q] each."""
    lines: dict[tuple, list[tuple]] = {}
    for key in sorted(hits):
        lines.setdefault((key[1 - along], key[2]), []).append(key)
    for line in lines.values():
        for first, second in pairwise(line):
            if len(hits[first]) == len(hits[second]):
                yield hits[second] - hits[first]
