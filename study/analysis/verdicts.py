"""Answer the questions of a study with evidence, or with "cannot tell" if the records do not decide."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from study.analysis.best_context import BestContext, best_context
from study.analysis.breaks import Break, find_break, slope_change
from study.analysis.elasticity import elasticities, growth_with_context
from study.analysis.hit_map import HitMap
from study.analysis.intervals import interval
from study.analysis.law import CannotTell, Law, fit_law
from study.analysis.load import StudyRecords
from study.analysis.thresholds import thresholds
from study.analysis.windows import TrainingPart

PUBLISHED_THRESHOLD = 1000
NEAR = 2.0  # a break within this factor of 1,000 counts as near
FEW_CHAINS = 10  # with fewer documents, the evidence states their number
SAME = 0.02  # two points of Hit@5
OVERLAP = 0.5  # of windows, as published
CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Verdict:
    """One question, its answer in a word or two, and the evidence in a sentence. key: the finding that shows it."""

    key: str
    question: str
    answer: str
    evidence: str


@dataclass(frozen=True, eq=False)
class Answers:
    """Everything that one arm's map shows. What it cannot show is None, with the reason in `refusals`."""

    hit_map: HitMap
    law: Law | None
    found_break: Break | None
    elasticities: pd.DataFrame
    thresholds: pd.DataFrame
    best_context: BestContext | None
    refusals: dict[str, str]
    verdicts: tuple[Verdict, ...]


def answer(study: StudyRecords, arm: str = "") -> Answers | None:
    """Answer every question of one arm's map; None if it has no completed confirm trial."""
    hit_map = HitMap.of_study(study, arm)
    if hit_map is None:
        return None
    refusals: dict[str, str] = {}
    law = _or_reason(refusals, "law", lambda: fit_law(hit_map))
    found = _or_reason(refusals, "break", lambda: find_break(law)) if law else None
    part = TrainingPart.of_study(study)
    corpus = best_context(law, part, OVERLAP) if law and part else None
    steps, table = elasticities(hit_map), thresholds(study, found, arm)
    verdicts = (
        _superlinear(hit_map, steps),
        _law(law, refusals),
        _threshold(hit_map, law, found, table, refusals),
        _best_context(law, corpus, refusals),
    )
    return Answers(hit_map, law, found, steps, table, corpus, refusals, verdicts)


def _or_reason(refusals: dict[str, str], name: str, compute):
    try:
        return compute()
    except CannotTell as reason:
        refusals[name] = str(reason)
        return None


def _superlinear(hit_map: HitMap, steps: pd.DataFrame) -> Verdict:
    question = ("context", "Does Hit@5 grow superlinearly with the context?")
    pooled = steps[steps.num_sequences.isna() & steps.elasticity.notna()]
    if pooled.empty:
        return Verdict(*question, CANNOT_TELL, "no two contexts have hits at the same N")
    whole, steepest = pooled.iloc[-1], pooled.loc[pooled.elasticity.idxmax()]
    evidence = (
        f"elasticity of Hit@5 in C (superlinear means above 1): {_interval(whole, 'elasticity')} from "
        f"C={whole.from_context} to {whole.to_context}; the steepest step, C={steepest.from_context} to "
        f"{steepest.to_context}, has {_interval(steepest, 'elasticity')}"
    )
    if hit_map.num_chains < FEW_CHAINS:
        evidence += f"; the intervals rest on only {hit_map.num_chains} documents"
    growth = growth_with_context(hit_map, steps)
    return Verdict(*question, CANNOT_TELL if growth == "undecided" else growth, evidence)


def _law(law: Law | None, refusals: dict[str, str]) -> Verdict:
    question = ("law", "Which law does Hit@5(C, N) follow?")
    if law is None:
        return Verdict(*question, CANNOT_TELL, refusals["law"])
    rows = law.exponents.itertuples()
    shown = ", ".join(f"{row.parameter} {row.value:.3g} [{row.low:.3g}, {row.high:.3g}]" for row in rows)
    evidence = f"{shown}; {_held_out(law)}; misfit p = {law.misfit_p:.3f}"
    if not law.fits_the_data:
        return Verdict(*question, "none of those compared", f"the nearest one is {law.chosen.form.name}: {evidence}")
    return Verdict(*question, law.chosen.form.name, evidence)


def _held_out(law: Law) -> str:
    if law.held_out.empty:
        return "chosen by AICc alone: with at most three sizes and contexts no cell can be left out and predicted"
    error = law.comparison.set_index("form").held_out_error[law.chosen.form.name]
    rivals = int((law.comparison.in_the_race & ~law.comparison.broken).sum()) - 1
    others = {0: "no other law predicts them", 1: "one other law predicts them"}.get(
        rivals, f"{rivals} other laws predict them"
    )
    return (
        f"the {len(law.held_out)} largest cells, left out of the fit, are predicted within {100 * error:.1f} points "
        f"(root mean square); {others} equally well"
    )


def _threshold(
    hit_map: HitMap, law: Law | None, found: Break | None, table: pd.DataFrame, refusals: dict[str, str]
) -> Verdict:
    question = ("thresholds", f"Is there a threshold near {PUBLISHED_THRESHOLD:,} sequences?")
    reached = "; ".join(_reached(table, name) for name in ("beats_baseline", "stable"))
    if law is None:
        return _no_law(question, hit_map, f"no break can be tested: {refusals['law']}; {reached}")
    if found is None:
        return Verdict(*question, CANNOT_TELL, f"{refusals['break']}; {reached}")
    if found.found:
        at, low, high = found.break_n
        near = low <= PUBLISHED_THRESHOLD * NEAR and high >= PUBLISHED_THRESHOLD / NEAR
        where = f"a break at N = {at:,.0f} [{low:,.0f}, {high:,.0f}], p = {found.p_value:.3f}"
        return Verdict(*question, "yes" if near else "no", f"{where}; {reached}")
    return _no_break(question, law, found, reached)


def _no_law(question: tuple[str, str], hit_map: HitMap, evidence: str) -> Verdict:
    """Answer without a law: "no" if Hit@5 is shown to be about the same on both sides."""
    change = change_across(hit_map, PUBLISHED_THRESHOLD)
    if change is None:
        return Verdict(*question, CANNOT_TELL, evidence)
    value, low, high = change
    shown = f"from smaller to larger N Hit@5 changes by {value:+.3f} [{low:+.3f}, {high:+.3f}]; {evidence}"
    return Verdict(*question, "no" if max(abs(low), abs(high)) < SAME else CANNOT_TELL, shown)


def change_across(hit_map: HitMap, size: int) -> tuple[float, float, float] | None:
    """Return the mean Hit@5 of cells with `size` or more sequences minus that of the others, and its 95 % interval."""
    above = hit_map.num_sequences >= size
    if above.all() or not above.any():
        return None
    difference = hit_map.resampled[:, above].mean(1) - hit_map.resampled[:, ~above].mean(1)
    return float(hit_map.mean[above].mean() - hit_map.mean[~above].mean()), *interval(difference)


def _no_break(question: tuple[str, str], law: Law, found: Break, reached: str) -> Verdict:
    """Answer without a break: "no" only if a break of half the law's own slope or more can be excluded."""
    evidence = f"no break is shown (p = {found.p_value:.3f})"
    change = slope_change(law.chosen, law.hit_map, PUBLISHED_THRESHOLD)
    if change is None:
        return Verdict(*question, CANNOT_TELL, f"{evidence}, but the measured sizes do not span it; {reached}")
    slope = float(law.exponents.set_index("parameter").value["a"])
    value, low, high = change
    evidence += f"; at that size the exponent of N, {slope:.2f}, changes by {value:+.2f} [{low:+.2f}, {high:+.2f}]"
    excluded = max(abs(low), abs(high)) < abs(slope) / 2
    return Verdict(*question, "no" if excluded else CANNOT_TELL, f"{evidence}; {reached}")


def _best_context(law: Law | None, found: BestContext | None, refusals: dict[str, str]) -> Verdict:
    question = ("best-context", "Which context suits this corpus, with windows that overlap by half?")
    if law is None or found is None:
        reason = refusals.get("law", "the number of training vectors is not recorded")
        return Verdict(*question, CANNOT_TELL, reason)
    at, low, high = found.best
    top = found.line.loc[found.line.hit_at_5.idxmax()]
    grown = found.growth[found.growth.factor == 10].iloc[0]
    evidence = (
        f"there, {found.part.num_vectors:,} training vectors give N = {top.num_sequences:,} and Hit@5 "
        f"{_interval(top, 'hit_at_5')}{' (a projection: no such N was measured)' if top.projection else ''}; "
        f"with ten times the vectors {_interval(grown, 'hit_at_5')} at C = {grown.best_context:.0f}, a projection"
    )
    if not law.fits_the_data:
        return Verdict(
            *question, CANNOT_TELL, f"none of the laws compared fits; the nearest one gives C = {at:.0f}: {evidence}"
        )
    wide = high / max(low, 1) > 4
    shown = f"C = {at:.0f} [{low:.0f}, {high:.0f}]"
    return Verdict(*question, f"{CANNOT_TELL}: {shown}" if wide else shown, evidence)


def _reached(table: pd.DataFrame, definition: str) -> str:
    """Return, for every context, the least N from which on a definition holds."""
    name = {"beats_baseline": "beats the best baseline", "stable": "trains stably"}[definition]
    parts = []
    for row in table[table.definition == definition].itertuples():
        if pd.isna(row.threshold):
            parts.append(f"unknown at C={row.context_length} ({row.reason})")
        elif np.isinf(row.threshold):
            parts.append(f"not reached at C={row.context_length}")
        else:
            parts.append(f"{row.threshold:,.0f} [{_size(row.low)}, {_size(row.high)}] at C={row.context_length}")
    return f"least N that {name}: {', '.join(parts)}"


def _size(value: float) -> str:
    return "not reached" if np.isinf(value) else f"{value:,.0f}"


def _interval(row, name: str) -> str:
    return f"{row[name]:.3f} [{row.low:.3f}, {row.high:.3f}]"
