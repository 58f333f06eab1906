"""Compare variants with the reference on the same queries: the paired difference in Hit@5, and the cosine."""

import numpy as np
import pandas as pd

from study.analysis import mrmc
from study.analysis.holm import holm
from study.analysis.load import StudyRecords
from study.analysis.mrmc import Estimate
from study.analysis.variants import Measured, baseline_of, change, measured_cells


def differences_table(study: StudyRecords) -> pd.DataFrame:
    """Return one line per variant and cell: parameters, steps, windows that a gate removed, Hit@5, cosine, and the
    difference in Hit@5 from the reference; last the best fitted baseline (linear) of each cell.

    The difference of a variant that was evaluated on other queries is unpaired. p_holm: of the variants, for all their
    differences at once.
    """
    found, reference = measured_cells(study), study.manifest.space.compare.reference
    splits = study.manifest.all_splits
    removed = {split.fingerprint: split.removed.get("incoherent_training_windows") for split in splits}
    lines = []
    for (variant, row), cell in found.items():
        lines.append(_line(variant, row, cell, found.get((reference, row)), removed))
    compared = [line for line in lines if "change" in line]
    changes = mrmc.moderated([line.pop("change") for line in compared])
    for line, one, adjusted in zip(compared, changes, holm(np.array([one.p_value for one in changes])), strict=True):
        line |= _difference(one) | {"p_holm": float(adjusted)}
    for (variant, row), cell in found.items():
        linear = baseline_of(study, cell, trained=True) if variant == reference else None
        if linear is not None:
            line = _line(f"linear ({linear.trials.model.iloc[0]})", row, linear, cell, removed)
            lines.append(line | _difference(line.pop("change")))
    return pd.DataFrame(lines)


def _line(name: str, row: str | None, cell: Measured, reference: Measured | None, removed: dict) -> dict:
    hits, trials = cell.hits(), cell.trials
    hit, low, high = cell.share(hits)
    line = {
        "variant": name,
        "row": row,
        "num_parameters": trials.num_parameters.iloc[0],
        "num_steps": trials.num_steps.mean(),
        "num_removed": removed.get(trials.split_fingerprint.iloc[0]),
        "num_replicates": len(hits),
        "num_queries": hits.shape[1],
        "pool_size": cell.pool_size,
        "hit_at_5": hit,
        "low": low,
        "high": high,
        "cosine": float(trials.test_cosine.mean()),
    }
    if reference is None or reference is cell:
        return line
    return line | {"change": change(reference, cell)}


def _difference(found: Estimate) -> dict:
    return found.named("difference")
