"""Answer the questions of a study with evidence, or with "cannot tell" if the records do not decide.

A verdict holds only where the map of tuned configurations and the map at one configuration agree; this file alone
compares them.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from study.analysis.best_context import BestContext, best_context
from study.analysis.breaks import Breaks, find_breaks
from study.analysis.elasticity import elasticities
from study.analysis.hit_map import HitMap
from study.analysis.law import CannotTell, Law, fit_law
from study.analysis.load import StudyRecords
from study.analysis.thresholds import thresholds
from study.analysis.verdict import CANNOT_TELL, Verdict, agreed
from study.analysis.verdict_best_context import best_context_verdict
from study.analysis.verdict_context import context_verdict
from study.analysis.verdict_law import law_verdict
from study.analysis.verdict_threshold import reached, threshold_verdict
from study.analysis.windows import TrainingPart

__all__ = ["CANNOT_TELL", "Answers", "Verdict", "answer"]

OVERLAP = 0.5  # of windows, as published
FEW_DOCUMENTS = 10  # with fewer, the evidence states their number
ONE_MAP = "the luck of the search is not excluded: this study has no map at one configuration"


@dataclass(frozen=True, eq=False)
class Answers:
    """Everything that one arm's tuned map shows. What it cannot show is None, with the reason in `refusals`.

    at_common: the map at one configuration; None where there is none.
    """

    hit_map: HitMap
    law: Law | None
    breaks: Breaks | None
    elasticities: pd.DataFrame
    thresholds: pd.DataFrame
    best_context: BestContext | None
    refusals: dict[str, str]
    verdicts: tuple[Verdict, ...]
    at_common: "MapAnswers | None"


def answer(study: StudyRecords, arm: str = "") -> Answers | None:
    """Answer every question of one arm's map; None if it has no completed confirm trial."""
    hit_map = HitMap.of_study(study, arm)
    if hit_map is None:
        return None
    own = MapAnswers(study, arm, hit_map)
    second = None if study.common is None else HitMap.of_study(study.common, arm)  # an arm may not be begun there
    other = None if second is None else MapAnswers(study.common, arm, second)
    found = {name: _agreed(name, own, other) for name in QUESTIONS}
    found["threshold"] = found["threshold"].noting(reached(own.thresholds))
    verdicts = tuple(limited(verdict, study, hit_map) for verdict in found.values())
    return Answers(
        hit_map, own.law, own.breaks, own.elasticities, own.thresholds, own.best_context, own.refusals, verdicts, other
    )


class MapAnswers:
    """The answers of one map, each computed on first use: what no verdict needs is skipped."""

    def __init__(self, study: StudyRecords, arm: str, hit_map: HitMap):
        self.study, self.arm, self.hit_map, self.refusals = study, arm, hit_map, {}

    @cached_property
    def law(self) -> Law | None:
        return self._or_reason("law", lambda: fit_law(self.hit_map))

    @cached_property
    def breaks(self) -> Breaks | None:
        return self._or_reason("break", lambda: find_breaks(self.law)) if self.law else None

    @cached_property
    def elasticities(self) -> pd.DataFrame:
        return elasticities(self.hit_map)

    @cached_property
    def thresholds(self) -> pd.DataFrame:
        return thresholds(self.study, self.breaks, self.arm)

    @cached_property
    def best_context(self) -> BestContext | None:
        part = TrainingPart.of_study(self.study)
        return best_context(self.law, part, OVERLAP) if self.law and part else None

    def verdict(self, name: str) -> Verdict:
        return QUESTIONS[name](self)

    def _or_reason(self, name: str, compute):
        try:
            return compute()
        except CannotTell as reason:
            self.refusals[name] = str(reason)
            return None


QUESTIONS = {
    "context": lambda map_: context_verdict(map_.hit_map, map_.elasticities),
    "law": lambda map_: law_verdict(map_.law, map_.breaks, map_.refusals),
    "threshold": lambda map_: threshold_verdict(map_.hit_map, map_.law, map_.breaks, map_.refusals),
    "best-context": lambda map_: best_context_verdict(map_.law, map_.breaks, map_.best_context, map_.refusals),
}


def _agreed(name: str, own: MapAnswers, other: MapAnswers | None) -> Verdict:
    verdict = own.verdict(name)
    return agreed(verdict, other.verdict(name)) if other is not None and verdict.holds else verdict


def limited(verdict: Verdict, study: StudyRecords, hit_map: HitMap) -> Verdict:
    """Return a verdict with what limits every verdict of its study."""
    return _within(verdict, hit_map).noting(_note(study, hit_map))


def _within(verdict: Verdict, hit_map: HitMap) -> Verdict:
    """Return the verdict, limited to the test documents where their number lets no interval speak of others."""
    if hit_map.units.speak_of_documents or not verdict.holds:
        return verdict
    count = hit_map.num_chains
    return replace(
        verdict, answer=f"{verdict.answer}, in {'this document' if count == 1 else f'these {count} documents'}"
    )


def _note(study: StudyRecords, hit_map: HitMap) -> str:
    """Return what limits every verdict of a study."""
    notes = []
    if not hit_map.units.speak_of_documents:
        notes.append(f"intervals resample {hit_map.units.label} and say nothing about other documents")
    elif hit_map.num_chains < FEW_DOCUMENTS:
        notes.append(f"the intervals rest on only {hit_map.num_chains} documents")
    if study.manifest.space.search and study.manifest.chosen is None:
        notes.append(ONE_MAP)
    return "; ".join(notes)
