"""Answer whether there is a threshold near 1,000 sequences: a break in N, in all contexts together or in some."""

import numpy as np
import pandas as pd

from study.analysis.breaks import Break, Breaks, largest_step
from study.analysis.hit_map import HitMap
from study.analysis.law import Law
from study.analysis.simultaneous import Simultaneous
from study.analysis.verdict import CANNOT_TELL, Verdict

PUBLISHED_THRESHOLD = 1000
NEAR = 2.0  # a break within this factor of 1,000 is near
MATERIAL = 0.05  # a smaller step of Hit@5 is no threshold
QUESTION = ("thresholds", f"Is there a threshold near {PUBLISHED_THRESHOLD:,} sequences?")


def threshold_verdict(hit_map: HitMap, law: Law | None, breaks: Breaks | None, refusals: dict[str, str]) -> Verdict:
    """Answer from the breaks."""
    if law is None:
        return Verdict(*QUESTION, *_no_law(hit_map, refusals["law"]))
    if breaks is None:
        return Verdict(*QUESTION, CANNOT_TELL, refusals["break"])
    return Verdict(*QUESTION, *(_shown(breaks) if breaks.shown else _none_shown(law, breaks)))


def reached(table: pd.DataFrame) -> str:
    """Return from which N on the other two meanings of a threshold hold, for the evidence."""
    return "; ".join(part for part in (_beats_baseline(table), _stable(table)) if part)


def _shown(breaks: Breaks) -> tuple[str, str]:
    """Answer where a break is shown: "yes" if it surely lies near, "no" if it surely lies elsewhere."""
    found = breaks.described
    if not found:
        p_value = min(one.p_value for one in breaks.shown)
        return CANNOT_TELL, f"a break is shown (p = {p_value:.3f}), but no law with one break describes the map"
    evidence = "; ".join(_place(one) for one in found)
    near = [one for one in found if one.inside(PUBLISHED_THRESHOLD, NEAR)]
    if near:
        where = [f"C={one.context}" for one in near if one.context is not None]
        return f"yes, at {' and '.join(where)}" if where else "yes", evidence
    if all(one.outside(PUBLISHED_THRESHOLD, NEAR) for one in found):
        return "no", evidence
    return CANNOT_TELL, f"{evidence}: it is not shown to lie within a factor of {NEAR:.0f} of {PUBLISHED_THRESHOLD:,}"


def _place(found: Break) -> str:
    at, low, high = found.place
    where = "all contexts together" if found.context is None else f"C={found.context} alone"
    return f"a break at N = {at:,.0f} [{low:,.0f}, {high:,.0f}] in {where}, p = {found.p_value:.3f}"


def _none_shown(law: Law, breaks: Breaks) -> tuple[str, str]:
    """Answer where no break is shown: "no" if a smooth law fits and a material step near 1,000 is excluded."""
    evidence = f"no break is shown (p = {breaks.smallest_p:.3f})"
    if not law.fits_the_data:
        return CANNOT_TELL, f"{evidence}, but none of the smooth laws fits (misfit p = {law.misfit_p:.3f})"
    step = largest_step(law, PUBLISHED_THRESHOLD, NEAR)
    if step is None:
        return CANNOT_TELL, f"{evidence}, but the measured sizes do not span {PUBLISHED_THRESHOLD:,}"
    excluded = f"the law {law.chosen.form.name} fits, and a step of more than {100 * step:.1f} points is excluded there"
    return "no" if step < MATERIAL else CANNOT_TELL, f"{evidence}; {excluded}, in all contexts together and in each"


def _no_law(hit_map: HitMap, reason: str) -> tuple[str, str]:
    """Answer without a law: "no" if Hit@5 is shown to be about the same on both sides, in every context."""
    evidence = f"no break can be tested: {reason}"
    change = change_across(hit_map, PUBLISHED_THRESHOLD)
    if change is None:
        return CANNOT_TELL, evidence
    largest = float(np.maximum(np.abs(change.low), np.abs(change.high)).max())
    shown = f"from smaller to larger N Hit@5 changes by at most {100 * largest:.1f} points in any context"
    return "no" if largest < MATERIAL else CANNOT_TELL, f"{shown}; {evidence}"


def change_across(hit_map: HitMap, size: int) -> Simultaneous | None:
    """Return the mean Hit@5 of cells with `size` or more sequences minus that of the others, of all contexts together
    and then of each, with intervals that hold at once; None if no context has both.
    """
    contrasts = []
    for context in (None, *np.unique(hit_map.context_length)):
        own = np.ones(len(hit_map.mean), bool) if context is None else hit_map.context_length == context
        above, below = own & (hit_map.num_sequences >= size), own & (hit_map.num_sequences < size)
        if above.any() and below.any():
            contrasts.append(above / above.sum() - below / below.sum())
    if not contrasts:
        return None
    weights = np.stack(contrasts, axis=1)
    return Simultaneous.of(hit_map.mean @ weights, hit_map.deviations @ weights)


def _beats_baseline(table: pd.DataFrame) -> str:
    """Return, for every context, the N from which on the best baseline is shown to be beaten."""
    rows = table[table.definition == "beats_baseline"]
    if rows.empty or rows.threshold.isna().all():
        return "" if rows.empty else str(rows.reason.iloc[0])
    if np.isinf(rows.shown_from.astype(float)).all():
        return "the largest N is not shown to beat the best baseline in any context"
    parts = [f"C={row.context_length} {_beaten(row)}" for row in rows.itertuples()]
    return f"shown to beat the best baseline: {', '.join(parts)}"


def _beaten(row) -> str:
    if np.isinf(row.shown_from):
        return "not at the largest N"
    return (
        f"from N = {row.shown_from:,.0f} on (lift above 0 from {_size(row.threshold)} "
        f"[{_size(row.low)}, {_size(row.high)}])"
    )


def _stable(table: pd.DataFrame) -> str:
    """Return from which N on training is stable: shown, refuted, or undecided."""
    rows = table[table.definition == "stable"]
    if rows.empty:
        return ""
    row = rows.iloc[0]
    if pd.isna(row.threshold):
        return f"stable training: {row.reason}"
    if np.isinf(row.low):
        return "training is not stable at the largest N"
    if np.isinf(row.high):
        return f"whether training is stable cannot be told (not refuted from N = {row.low:,.0f} on)"
    return f"training is shown to be stable from N = {row.high:,.0f} on, and not refuted from {row.low:,.0f} on"


def _size(value: float) -> str:
    return "not reached" if np.isinf(value) else f"{value:,.0f}"
