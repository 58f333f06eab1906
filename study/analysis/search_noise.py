"""Estimate how far the luck of the search moves a cell, from the map tuned cell by cell and that at one configuration.

If one configuration suited all cells, the tuned map would be the common one plus the luck of each cell's choice. A real
benefit of tuning moves all cells alike or changes smoothly with C and N, so it is taken out by regression; what is left
beyond the noise of the measurement is the search's (the unweighted moment estimator of random effects: Hedges, 1983).
"""

from dataclasses import dataclass

import numpy as np

from study.analysis import mrmc
from study.analysis.cells import per_query
from study.analysis.load import KEY, StudyRecords, arm_of

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
    if study.common is None:
        return None
    tuned, common = (_cells(part, arm) for part in (study, study.common))
    gains, variances, places = [], [], []
    for key, ids in tuned.items():
        if key in common and set(ids) != set(common[key]):
            after, units = per_query(study, ids)
            gain = mrmc.difference(after, per_query(study, common[key])[0], units, trained=True)
            gains.append(gain.value)
            variances.append(gain.variance)
            places.append(np.log(key))
    return _estimate(np.array(gains), np.array(variances), np.array(places))


def _estimate(gains: np.ndarray, variances: np.ndarray, places: np.ndarray) -> SearchNoise | None:
    """Return what varies between the gains beyond their own noise. [n], [n], [n, 2] ln C and ln N."""
    if len(gains) < MIN_CELLS:
        return None
    columns = [np.ones(len(gains))]
    if len(gains) >= MIN_CELLS_FOR_SLOPES:
        columns += list((places - places.mean(0)).T)
    design = np.stack(columns, axis=1)
    fitted, _, rank, _ = np.linalg.lstsq(design, gains)
    df = len(gains) - int(rank)
    left = float(((gains - design @ fitted) ** 2).sum()) / df
    return SearchNoise(max(0.0, left - float(variances.mean())), float(df))


def _cells(study: StudyRecords, arm: str) -> dict[tuple[int, int], list[str]]:
    groups = study.measured("confirm").groupby(KEY)
    return {(int(c), int(n)): rows.trial_id.tolist() for (c, n, cell_id), rows in groups if arm_of(cell_id) == arm}
