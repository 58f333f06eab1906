"""Estimate "the least N that is enough", in three meanings, for every context, with interval and sensitivity."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from study.analysis import mrmc
from study.analysis.breaks import Breaks
from study.analysis.cells import best_baseline, per_query
from study.analysis.holm import LEVEL, holm
from study.analysis.intervals import interval
from study.analysis.joint import drawn_lifts
from study.analysis.load import KEY, StudyRecords, arm_of
from study.analysis.mrmc import Estimate
from study.analysis.stability import SD_BOUNDS, stability

LEVELS = (0.10, 0.01)  # beside 0.05
MARGINS = (0.01, 0.02)  # of Hit@5 above the best baseline, beside 0
NOT_REACHED = np.inf
COLUMNS = [
    "definition", "context_length", "threshold", "low", "high", "shown_from", "share_not_reached", "sensitivity",
    "num_sizes", "reason",
]  # fmt: skip


def thresholds(study: StudyRecords, breaks: Breaks | None = None, arm: str = "") -> pd.DataFrame:
    """Return the threshold in N by context and definition: infinite if it is not reached, null if it is unknown.

    `threshold` lies between `low` and `high`, its 95 % interval. `shown_from` is the least N of the grid from which on
    the definition is shown to hold. beats_baseline: the N from which on the lift over the best baseline stays above 0,
    interpolated in ln N; shown by Holm over all sizes and contexts. stable: the least N of the grid from which on
    training is stable; the interval starts where that is not refuted and ends where it is shown; the same for every
    context. break: the N of the break, if one is shown that describes the map.
    """
    confirm = study.measured("confirm")
    confirm = confirm[[arm_of(cell) == arm for cell in confirm.cell_id]]
    lifts, steady = _lifts(study, confirm), _stable(study, confirm)
    rows = []
    for context, trials in confirm.groupby("context_length"):
        sizes = np.unique(trials.num_sequences).astype(float)
        found = {
            "beats_baseline": _beats_baseline(sizes, *lifts[context]) if lifts else NO_BASELINE,
            "stable": steady,
            "break": _break(breaks, int(context)),
        }
        rows += [
            {"definition": name, "context_length": context, "num_sizes": len(sizes)} | row
            for name, row in found.items()
        ]
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
    value, log_n = lift - margin, np.log(sizes)
    num_sizes = len(sizes)
    last = num_sizes - 1 - (value[:, ::-1] <= 0).argmax(1)  # the last size that is not above, where there is one
    rows, after = np.arange(len(value)), np.minimum(last + 1, num_sizes - 1)
    before, beyond = value[rows, last], value[rows, after]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.exp(log_n[last] - before / (beyond - before) * (log_n[after] - log_n[last]))
    found[last == num_sizes - 1] = NOT_REACHED
    found[(value > 0).all(1)] = sizes[0]
    return found


def crossing_with_interval(sizes: np.ndarray, lift: np.ndarray, drawn: np.ndarray) -> tuple[float, float, float]:
    """Return the crossing of the measured lifts [S], and the 95 % interval of it from draws [B, S]."""
    value, resampled = float(crossing(sizes, lift[None])[0]), crossing(sizes, drawn)
    low, high = _interval(resampled)
    return value, min(low, value), max(high, value)


NO_BASELINE = {"reason": "no baseline is measured on these cells"}


def _lifts(study: StudyRecords, confirm: pd.DataFrame) -> dict[int, tuple[list[Estimate], np.ndarray, dict]] | None:
    """Return by context the lifts over the best baseline [S], draws of them [B, S], and where they are shown, by test;
    None without baselines. Holm's family is every cell.
    """
    pairs: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}
    for (context, size, _), group in confirm.groupby(KEY):
        baseline = best_baseline(study, int(context), int(size))
        if baseline is None:
            return None
        hits, units = per_query(study, group.trial_id.tolist())
        pairs[int(context), int(size)] = hits, per_query(study, baseline.trial_id.tolist())[0]
    if not pairs:
        return None
    moderated = mrmc.moderated([mrmc.difference(*pair, units) for pair in pairs.values()])
    lifts = dict(zip(pairs, moderated, strict=True))
    tests = {"": (0.0, LEVEL)} | {f"at {level:.0%}": (0.0, level) for level in LEVELS}
    tests |= {f"by {100 * margin:.0f} points": (margin, LEVEL) for margin in MARGINS}
    shown = {name: dict(zip(lifts, _above(list(lifts.values()), *test), strict=True)) for name, test in tests.items()}
    found = {}
    for context in sorted({key[0] for key in pairs}):
        keys = [key for key in pairs if key[0] == context]
        drawn = drawn_lifts([pairs[key] for key in keys], units)
        of_context = {name: [at[key] for key in keys] for name, at in shown.items()}
        found[context] = [lifts[key] for key in keys], drawn, of_context
    return found


def _above(lifts: Sequence[Estimate], margin: float, level: float) -> list[bool]:
    """Return which lifts are shown to exceed a margin, by Holm over all of them."""
    beyond = [one.minus(margin) for one in lifts]
    adjusted = holm(np.array([one.p_value for one in beyond]))
    return [bool(p < level and one.value > 0) for p, one in zip(adjusted, beyond, strict=True)]


def _beats_baseline(sizes: np.ndarray, lifts: list[Estimate], drawn: np.ndarray, shown: dict) -> dict:
    value, low, high = crossing_with_interval(sizes, np.array([one.value for one in lifts]), drawn)
    least = {name: least_from_which_on(sizes, holds) for name, holds in shown.items()}
    return {
        "threshold": value, "low": low, "high": high, "shown_from": least.pop(""), "sensitivity": _finite(least),
        "share_not_reached": float(np.isinf(crossing(sizes, drawn)).mean()),
    }  # fmt: skip


def _stable(study: StudyRecords, confirm: pd.DataFrame) -> dict:
    found = stability(study, confirm)
    if found is None:
        return {"reason": "stability needs two replicates or more at every N"}
    low, value, high = (
        least_from_which_on(found.sizes, holds) for holds in (~found.is_refuted, found.holds, found.is_shown)
    )
    at = {
        f"SD within {100 * bound:.0f} points": least_from_which_on(found.sizes, found.within(bound))
        for bound in SD_BOUNDS
    }
    return {"threshold": value, "low": low, "high": high, "shown_from": high, "sensitivity": _finite(at)}


def _break(breaks: Breaks | None, context: int) -> dict:
    if breaks is None:
        return {"reason": "no law could be fitted, and so no break tested"}
    found = breaks.at(context)
    if found is None:
        shown = next((one for one in breaks.shown if one.context in (None, context)), None)
        if shown is not None:
            return {"reason": f"a break is shown (p = {shown.p_value:.3f}), but no law with one break fits the map"}
        return {"threshold": NOT_REACHED, "reason": f"no break is shown: p = {breaks.p_value(context):.3f}"}
    value, low, high = found.place
    where = "all contexts together" if found.context is None else "this context alone"
    border = "; the grid cannot tell it from one farther out" if found.at_border else ""
    return {"threshold": value, "low": low, "high": high, "reason": f"p = {found.p_value:.3f}, {where}{border}"}


def _finite(sizes: dict[str, float]) -> dict[str, float | None]:
    return {name: None if np.isinf(size) else size for name, size in sizes.items()}


def _interval(values: np.ndarray) -> tuple[float, float]:
    """Return the percentile interval of values, some of which may be infinite."""
    ordered = np.sort(values)
    if np.isfinite(ordered).all():
        return interval(values)
    return tuple(float(ordered[round(q * (len(ordered) - 1))]) for q in (0.025, 0.975))
