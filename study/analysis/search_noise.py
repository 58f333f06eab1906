"""Estimate how far the luck of the search moves a cell, from the map tuned cell by cell and that at one configuration.

If one configuration suited all cells, the tuned map would be the common one plus the luck of each cell's choice. A real
benefit of tuning moves all cells alike or changes smoothly with C and N, so it is taken out by regression; what is left
beyond the noise of the measurement is the search's (the unweighted moment estimator of random effects: Hedges, 1983).
"""

from dataclasses import dataclass

import numpy as np

from study.analysis import mrmc
from study.analysis.cells import per_query
from study.analysis.load import StudyRecords
from study.analysis.mrmc import Estimate

MIN_CELLS_FOR_SLOPES = 8  # with fewer, only the mean benefit of tuning is taken out
MIN_CELLS = 3


@dataclass(frozen=True)
class SearchNoise:
    """The variance that the search adds to a cell of the tuned map, with its degrees of freedom."""

    variance: float
    df: float

    @property
    def sd(self) -> float:
        return float(np.sqrt(self.variance))


def search_noise(study: StudyRecords, arm: str = "") -> SearchNoise | None:
    """Estimate the search noise of one arm's tuned map; None where there is no second map to see it from."""
    gains = {}
    for key, tuned, common in cells_of_both(study, arm):
        if tuned != common:
            hits, units = per_query(study, tuned)
            gains[key[:2]] = mrmc.difference(hits, per_query(study, common)[0], units, trained=True)
    return noise_of(gains)


def cells_of_both(study: StudyRecords, arm: str) -> list[tuple[tuple, list[str], list[str]]]:
    """Return the cells that both maps of an arm have: (C, N, cell id), and the trial ids of each map. None of one."""
    if study.common is None:
        return []
    tuned, common = (
        {key: trials.trial_id.tolist() for key, trials in part.by_cell(arm).items()} for part in (study, study.common)
    )
    return [(key, ids, common[key]) for key, ids in tuned.items() if key in common]


def noise_of(gains: dict[tuple[int, int], Estimate]) -> SearchNoise | None:
    """Return what varies between the gains of tuning beyond their own noise, by (C, N); None if too few cells gain."""
    if len(gains) < MIN_CELLS:
        return None
    values = np.array([gain.value for gain in gains.values()])
    columns = [np.ones(len(values))]
    if len(values) >= MIN_CELLS_FOR_SLOPES:
        places = np.log(np.array(list(gains), float))
        columns += list((places - places.mean(0)).T)
    design = np.stack(columns, axis=1)
    fitted, _, rank, _ = np.linalg.lstsq(design, values)
    df = len(values) - int(rank)
    left = float(((values - design @ fitted) ** 2).sum()) / df
    return SearchNoise(max(0.0, left - float(np.mean([gain.variance for gain in gains.values()]))), float(df))
