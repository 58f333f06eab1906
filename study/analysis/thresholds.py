"""Estimate "the least N that is enough", in three meanings, for every context, with interval and sensitivity."""

import numpy as np
import pandas as pd
from scipy.stats import chi2

from study.analysis.breaks import Break
from study.analysis.cells import best_baseline, per_query
from study.analysis.intervals import interval
from study.analysis.joint import drawn_lifts
from study.analysis.load import KEY, StudyRecords, arm_of

SD_BOUND = 0.02  # two points of Hit@5 between replicates
SD_BOUNDS = (0.01, 0.02, 0.03)
COLLAPSE = 0.5  # a replicate below half of its cell's median has collapsed
MARGINS = (0.0, 0.01, 0.02)  # of Hit@5 above the best baseline
NOT_REACHED = np.inf
COLUMNS = [
    "definition", "context_length", "threshold", "low", "high", "share_not_reached", "sensitivity", "num_sizes",
    "reason",
]  # fmt: skip


def thresholds(study: StudyRecords, found_break: Break | None = None, arm: str = "") -> pd.DataFrame:
    """Return the threshold in N by context and definition: infinite if it is not reached, null if it is unknown.

    beats_baseline: the least N of the grid from which on the lift over the best baseline is above 0 beyond chance. Its
    interval is that of the N at which the lift crosses 0, interpolated in ln N. stable: the least N from which on the
    replicates' standard deviation is within SD_BOUND, none has collapsed, and the best evaluation is not the first. Its
    interval uses the lower and the upper 95 % bound of the standard deviation. break: the N of the break, if one is
    found; it is the same for every context.
    """
    confirm = study.measured("confirm")
    confirm = confirm[[arm_of(cell) == arm for cell in confirm.cell_id]]
    rows = []
    for context, trials in confirm.groupby("context_length"):
        rows.append({"definition": "beats_baseline", "context_length": context} | _beats_baseline(study, trials))
        rows.append({"definition": "stable", "context_length": context} | _stable(study, trials))
        rows.append({"definition": "break", "context_length": context} | _break(found_break, trials))
    return pd.DataFrame(rows, columns=COLUMNS)


def least_from_which_on(sizes: np.ndarray, holds: np.ndarray) -> float:
    """Return the least size from which on all hold; infinite if the last does not. [S], [S]."""
    broken = np.flatnonzero(~np.asarray(holds, bool))
    first = 0 if not len(broken) else broken[-1] + 1
    return float(sizes[first]) if first < len(sizes) else NOT_REACHED


def crossing(sizes: np.ndarray, lift: np.ndarray, margin: float = 0.0) -> np.ndarray:
    """Return the N from which on a lift stays above a margin, linear in ln N between the sizes. [B, S] -> [B].

    It is the smallest size if the lift is always above, and infinite if it is not above at the last size.
    """
    above = lift > margin
    log_n = np.log(sizes)
    found = np.full(len(lift), NOT_REACHED)
    for row, (up, value) in enumerate(zip(above, lift - margin, strict=True)):
        below = np.flatnonzero(~up)
        if not len(below):
            found[row] = sizes[0]
        elif below[-1] + 1 < len(sizes):
            i = below[-1]
            part = -value[i] / (value[i + 1] - value[i])
            found[row] = np.exp(log_n[i] + part * (log_n[i + 1] - log_n[i]))
    return found


def _beats_baseline(study: StudyRecords, trials: pd.DataFrame) -> dict:
    lifts = _lifts(study, trials)
    if lifts is None:
        return {"reason": "no baseline is measured on these cells"}
    sizes, drawn = lifts
    low = {level: np.percentile(drawn, 100 * (1 - level) / 2, axis=0) for level in (0.90, 0.95, 0.99)}
    crossed = crossing(sizes, drawn)
    sensitivity = {f"interval of {level:.0%}": least_from_which_on(sizes, bound > 0) for level, bound in low.items()}
    for margin in MARGINS[1:]:
        sensitivity[f"by {100 * margin:.0f} points"] = least_from_which_on(sizes, low[0.95] > margin)
    return _row(
        least_from_which_on(sizes, low[0.95] > 0), _interval(crossed), sizes, sensitivity,
        float(np.isinf(crossed).mean()),
    )  # fmt: skip


def _lifts(study: StudyRecords, trials: pd.DataFrame) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the sizes [S] and the resampled lift of each over its best baseline, [B, S]."""
    sizes, pairs, units = [], [], None
    for (_, size, _), group in trials.groupby(KEY):
        baseline = best_baseline(study, int(group.context_length.iloc[0]), int(size))
        if baseline is None:
            return None
        hits, units = per_query(study, group.trial_id.tolist())
        pairs.append((hits, per_query(study, baseline.trial_id.tolist())[0]))
        sizes.append(size)
    return np.array(sizes, float), drawn_lifts(pairs, units)


def _stable(study: StudyRecords, trials: pd.DataFrame) -> dict:
    ids = trials.trial_id.tolist()
    trials = trials.assign(hit=per_query(study, ids)[0].mean(1), learned=[_learned(study, i) for i in ids])
    cells = trials.groupby("num_sequences")
    sizes = np.array(sorted(cells.groups), float)
    if cells.size().min() < 2:
        return {"reason": "stability needs two replicates or more in every cell"}
    sound = np.array([_trains(cells.get_group(n)) for n in sizes])
    sd = cells.hit.std(ddof=1).loc[sizes].to_numpy()
    freedom = cells.size().loc[sizes].to_numpy() - 1
    lowest = sd * np.sqrt(freedom / chi2.isf(0.025, freedom))
    highest = sd * np.sqrt(freedom / chi2.ppf(0.025, freedom))
    at = {bound: least_from_which_on(sizes, sound & (sd <= bound)) for bound in SD_BOUNDS}
    ends = (
        least_from_which_on(sizes, sound & (lowest <= SD_BOUND)),
        least_from_which_on(sizes, sound & (highest <= SD_BOUND)),
    )
    return _row(at[SD_BOUND], ends, sizes, {f"SD within {100 * b:.0f} points": n for b, n in at.items()}, None)


def _trains(trials: pd.DataFrame) -> bool:
    """Return whether no replicate collapsed and every one improved on its first evaluation."""
    collapsed = (trials.hit < COLLAPSE * trials.hit.median()).any()
    return bool(not collapsed and trials.learned.all())


def _learned(study: StudyRecords, trial_id: str) -> bool:
    """Return whether a trial improved on its first evaluation."""
    curve = study.curve(trial_id)
    return bool(curve.val_hit_at_5.max() > curve.val_hit_at_5.iloc[0])


def _break(found: Break | None, trials: pd.DataFrame) -> dict:
    sizes = np.unique(trials.num_sequences)
    if found is None:
        return {"reason": "no law could be fitted, and so no break tested", "num_sizes": len(sizes)}
    evidence = f"p = {found.p_value:.3f} against {len(found.by_form)} smooth laws"
    if not found.found:
        return _row(NOT_REACHED, (None, None), sizes, {}, None) | {"reason": f"no break is shown: {evidence}"}
    value, low, high = found.break_n
    return _row(value, (low, high), sizes, {}, None) | {"reason": evidence}


def _row(value: float, ends: tuple, sizes: np.ndarray, sensitivity: dict, share_not_reached: float | None) -> dict:
    return {
        "threshold": value,
        "low": ends[0],
        "high": ends[1],
        "share_not_reached": share_not_reached,
        "sensitivity": {name: None if np.isinf(n) else n for name, n in sensitivity.items()},
        "num_sizes": len(sizes),
    }


def _interval(values: np.ndarray) -> tuple[float, float]:
    """Return the percentile interval of values, some of which may be infinite."""
    ordered = np.sort(values)
    if np.isfinite(ordered).all():
        return interval(values)
    return tuple(float(ordered[round(q * (len(ordered) - 1))]) for q in (0.025, 0.975))
