"""Measure how much each change from the reference to the controlled protocol lowers the apparent gain from context."""

import numpy as np
import pandas as pd

from study.analysis.intervals import interval
from study.analysis.load import StudyRecords
from study.analysis.mrmc import Estimate
from study.analysis.phases import smallest_pool
from study.analysis.variants import Measured, change, measured_cells, resampled_change


def gains_table(study: StudyRecords) -> pd.DataFrame:
    """Return one line per change: the gain in Hit@5 from the shortest to the longest context with that change alone,
    and how much larger the reference's gain is, both with 95 % intervals.

    `pool` and `replicates` need no training: `pool` reads the reference's ranks in the smallest pool, and `replicates`
    uses all replicates of the reference instead of one. The reference line itself uses one replicate, as published.
    """
    found, reference = measured_cells(study), study.manifest.space.compare.reference
    ends = {variant: _ends(found, variant) for variant in dict.fromkeys(v for v, _ in found)}
    ends = {variant: pair for variant, pair in ends.items() if pair is not None}
    if reference not in ends:
        return pd.DataFrame()
    equal = smallest_pool(found)
    published = _gain(*ends[reference], None, 1)
    lines = [_line(f"{reference}, one replicate", published, published)]
    whole = _gain(*ends[reference], None, None)
    lines.append(_line("replicates", whole, published))
    lines.append(_line(f"pool (equal, {equal})", _gain(*ends[reference], equal, None), whole))
    for variant, pair in ends.items():
        if variant != reference:
            shared = len({cell.pool_size for cell in pair}) == 1
            lines.append(_line(variant, _gain(*pair, equal if shared else None, None), whole))
    return pd.DataFrame(lines)


def _ends(found: dict[tuple, Measured], variant: str) -> tuple[Measured, Measured] | None:
    """Return the cells of the shortest and the longest context of a variant."""
    own = [cell for (name, _), cell in found.items() if name == variant]
    own.sort(key=lambda cell: cell.trials.context_length.iloc[0])
    return (own[0], own[-1]) if len(own) > 1 else None


def _gain(
    short: Measured, long: Measured, pool_size: int | None, num_replicates: int | None
) -> tuple[Estimate, np.ndarray]:
    options = (short, long, pool_size, num_replicates)
    return change(*options), resampled_change(*options)


def _line(name: str, gain: tuple[Estimate, np.ndarray], against: tuple[Estimate, np.ndarray]) -> dict:
    """Return one line: the gain, and how much larger the gain is that it is compared with."""
    found = gain[0]
    adds_low, adds_high = interval(against[1] - gain[1])
    adds = {"adds": against[0].value - found.value, "adds_low": adds_low, "adds_high": adds_high}
    return {"change": name, "gain": found.value, "low": found.low, "high": found.high, **adds}
