"""Measure how much of each step from row to row remains at equal pool and under the other variants."""

from itertools import pairwise

import numpy as np
import pandas as pd

from study.analysis.intervals import interval
from study.analysis.load import StudyRecords
from study.analysis.mrmc import Estimate
from study.analysis.variants import Measured, baseline_of, change, measured_cells, resampled_change


def rows_table(study: StudyRecords) -> pd.DataFrame:
    """Return one line per row and variant: Hit@5 at its own pool and at the smallest of all, with a baseline each."""
    found = measured_cells(study)
    equal = smallest_pool(found)
    return pd.DataFrame([_line(study, variant, row, cell, equal) for (variant, row), cell in found.items()])


def steps_table(study: StudyRecords) -> pd.DataFrame:
    """Return lines for each step between neighbouring rows of the reference: its change as reported, at equal pool, and
    under every other variant at equal pool, each with its interval and the share of the reported change that remains.
    """
    found, reference = measured_cells(study), study.manifest.space.compare.reference
    equal = smallest_pool(found)
    rows = [row for variant, row in found if variant == reference]
    others = [variant for variant in dict.fromkeys(v for v, _ in found) if variant != reference]
    lines = []
    for first, second in pairwise(rows):
        before, after = found[reference, first], found[reference, second]
        reported, drawn = change(before, after), resampled_change(before, after, None)
        lines.append(_change(first, second, reference, "own", reported))
        for variant in (reference, *others):
            if (variant, first) in found and (variant, second) in found:
                before, after = found[variant, first], found[variant, second]
                line = _change(first, second, variant, str(equal), change(before, after, equal))
                lines.append(line | _remains(line["change"], resampled_change(before, after, equal), reported, drawn))
    return pd.DataFrame(lines)


def smallest_pool(found: dict[tuple, Measured]) -> int:
    """Return the largest pool at which every cell can be read."""
    return min((cell.pool_size for cell in found.values()), default=0)


def _line(study: StudyRecords, variant: str, row: str, cell: Measured, equal: int) -> dict:
    own, at_equal = cell.hits(), cell.hits(equal)
    hit, low, high = cell.share(own)
    equal_hit, equal_low, equal_high = cell.share(at_equal)
    baseline = baseline_of(study, cell, trained=False)
    trial = cell.trials.iloc[0]
    return {
        "variant": variant,
        "row": row,
        "context_length": int(trial.context_length),
        "num_sequences": int(trial.num_sequences),
        "pool_size": cell.pool_size,
        "num_replicates": len(own),
        "num_queries": own.shape[1],
        "num_steps": float(cell.trials.num_steps.mean()),
        "hit_at_5": hit,
        "hit_at_5_low": low,
        "hit_at_5_high": high,
        "equal_pool": equal,
        "equal_hit_at_5": equal_hit,
        "equal_hit_at_5_low": equal_low,
        "equal_hit_at_5_high": equal_high,
        "baseline": None if baseline is None else baseline.trials.model.iloc[0],
        "baseline_hit_at_5": None if baseline is None else float(baseline.hits().mean()),
        "baseline_equal_hit_at_5": None if baseline is None else float(baseline.hits(equal).mean()),
    }


def _change(first: str, second: str, variant: str, pool: str, found: Estimate) -> dict:
    return {
        "step": f"{first} -> {second}",
        "variant": variant,
        "pool": pool,
        "change": found.value,
        "low": found.low,
        "high": found.high,
    }


def _remains(change: float, drawn: np.ndarray, reported: Estimate, drawn_reported: np.ndarray) -> dict:
    """Return the share of the reported change that remains; nothing if that is not shown to differ from zero."""
    if reported.low <= 0 <= reported.high:
        return {}
    low, high = interval(drawn / drawn_reported)
    return {"remains": change / reported.value, "remains_low": low, "remains_high": high}
