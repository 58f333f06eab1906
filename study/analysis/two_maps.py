"""Set the map tuned cell by cell beside the map at one configuration: what the search gains, and its noise."""

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from study.analysis import mrmc
from study.analysis.cells import per_query, share
from study.analysis.load import StudyRecords
from study.analysis.mrmc import Estimate, Part
from study.analysis.search_noise import SearchNoise, cells_of_both, noise_of
from study.analysis.units import Units

COLUMNS = [
    "context_length", "num_sequences", "cell_id", "same_configuration", "tuned", "common", "common_low", "common_high",
    "gain", "gain_low", "gain_high",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class TwoMaps:
    """Both maps of one arm.

    cells: one row per cell that both have: Hit@5 tuned and at the common configuration, and the gain of tuning with its
    interval. configuration: the searched values that are common. noise: of the search; None if too few cells differ.
    mean_gain: of tuning, over the cells; None if no cell differs.
    """

    cells: pd.DataFrame
    configuration: dict[str, Any]
    noise: SearchNoise | None
    mean_gain: Estimate | None


def two_maps(study: StudyRecords, arm: str = "") -> TwoMaps | None:
    """Compare both maps of one arm; None where the study has no map at one configuration."""
    if study.common is None:
        return None
    both = cells_of_both(study, arm)
    if not both:
        return None
    rows, gains, changes, units = [], {}, [], None
    for key, tuned, common in both:
        hits, units = per_query(study, tuned)
        at_common, _ = per_query(study, common)
        gain = mrmc.difference(hits, at_common, units, trained=True)
        same = tuned == common
        if not same:
            gains[key[:2]] = gain
            changes.append(hits.mean(0) - at_common.mean(0))
        values = (same, float(hits.mean()), *share(at_common, units), gain.value, gain.low, gain.high)
        rows.append((int(key[0]), int(key[1]), key[2], *values))
    names, first = study.manifest.space.search, study.common.measured("confirm").set_index("cell_id")
    config = json.loads(first.config[[both[0][0][2]]].iloc[0])
    return TwoMaps(
        pd.DataFrame(rows, columns=COLUMNS),
        {name: config[name] for name in names if name in config},
        noise_of(gains),
        _mean_gain(list(gains.values()), changes, len(both), units) if gains else None,
    )


def _mean_gain(gains: list[Estimate], changes: list[np.ndarray], num_cells: int, units: Units) -> Estimate:
    """Return the mean gain over all cells, from those that differ: their gains, and each query's change, [Q] a cell.

    Documents move all cells together, replicates each cell alone.
    """
    runs = mrmc.together([Part(gain.runs.variance / num_cells**2, gain.runs.df) for gain in gains])
    return replace(mrmc.mean(sum(changes)[None] / num_cells, units), runs=runs)
