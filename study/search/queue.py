"""Order a study's trials: search first, then baselines, then the confirm trials of what the search has chosen."""

import time
from collections.abc import Callable
from typing import Any

from study.plan.plan import Plan
from study.plan.trial_spec import TrialSpec
from study.records.manifest import Chosen, Params
from study.search.rounds import StudySearch
from study.trial.ledger import Ledger


class StudyTrials:
    """Deals the trials missing from the records. A free worker gets the next trial of the first kind that has one.

    decided: the study's manifest; its `candidates` and `chosen` are read, and written when they change, followed by a
    call of `save`. A cell with a recorded choice is not searched again, or it would mix configurations.
    search_deadline: time.monotonic() after which no search trial begins.
    """

    def __init__(
        self,
        plan: Plan,
        ledger: Ledger,
        decided: dict[str, Any],
        save: Callable[[], None] = lambda: None,
        search_deadline: float | None = None,
    ):
        self.plan, self.ledger, self.search_deadline = plan, ledger, search_deadline
        self._decided, self._save = decided, save
        self.chosen = Chosen.model_validate(decided.get("chosen") or {"tuned": {}})
        known = decided.get("candidates") or []
        self.search = StudySearch(plan, ledger, known, settled=self.chosen.tuned, remember=self._remember_candidates)
        missing = [self._unrecorded(job) for job in plan.baseline_jobs()]
        self._baselines = [job for job in missing if job]
        self._baselines_to_deal = list(self._baselines)
        self._confirm: list[TrialSpec] | None = None  # known once the search is over
        self._confirm_to_deal: list[TrialSpec] = []
        self._first: list[TrialSpec] | None = None

    def has_work(self) -> bool:
        """Whether any trial is missing from the records; called once, before workers start."""
        self._first = self.next()
        return self._first is not None

    @property
    def finished(self) -> bool:
        """Whether nothing is left to deal, now or later."""
        return self._confirm is not None and not self._baselines_to_deal and not self._confirm_to_deal

    def next(self) -> list[TrialSpec] | None:
        """Return a list of trials to run one after the other, or None if a worker has to wait."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        if self.search_deadline is not None and time.monotonic() > self.search_deadline:
            self.search.close()
        if spec := self.search.next():
            return [spec]
        if self._confirm is None and self.search.is_over:
            self._choose()
            self._confirm = self._unrecorded(self._confirm_trials())
            self._confirm_to_deal = list(self._confirm)
        if self._baselines_to_deal:
            return self._baselines_to_deal.pop(0)
        return [self._confirm_to_deal.pop(0)] if self._confirm_to_deal else None

    def missing(self) -> list[tuple[str, int]]:
        """Return the stage and the context length of every trial that has not ended, at most."""
        found = [("search", cell.context_length) for cell in self.search.still_to_run()]
        known = [spec for job in self._baselines for spec in job] + (self._confirm or [])
        found += [(spec.stage, spec.context_length) for spec in self._unrecorded(known)]
        if self._confirm is None:
            cells = self.plan.cells * (self.plan.space.replicates * self.plan.num_maps)
            found += [("confirm", cell.context_length) for cell in cells]
        return found

    def _remember_candidates(self, candidates: list[Params]) -> None:
        self._decided["candidates"] = candidates
        self._save()

    def _choose(self) -> None:
        """Record the configurations of the cells that were searched; set aside what measured others there."""
        if not self.search.cells:
            return
        tuned, common = self.search.chosen()
        common = common if self.plan.space.common_map else {}
        for cell_id in tuned:
            self.ledger.retire(cell_id, [chosen[cell_id] for chosen in (tuned, common) if chosen])
        self.chosen = Chosen(tuned=self.chosen.tuned | tuned, common=self.chosen.common | common)
        self._decided["chosen"] = self.chosen.model_dump(mode="json")
        self._save()

    def _confirm_trials(self) -> list[TrialSpec]:
        """Return the confirm trials of both maps, each once.

        Replicate by replicate, so that an interrupted study has complete maps, and tuned before common.
        """
        maps = [self.chosen.tuned, self.chosen.common]
        if not self.plan.searches:
            maps = [{cell.cell_id: {} for cell in self.plan.cells}]
        costly_first = sorted(self.plan.cells, key=lambda cell: -cell.context_length)
        specs = [
            self.plan.spec(cell, "confirm", replicate, params[cell.cell_id])
            for replicate in self.plan.confirm_replicates
            for params in maps
            for cell in costly_first
            if cell.cell_id in params
        ]
        return list({spec.trial_id: spec for spec in specs}.values())

    def _unrecorded(self, specs: list[TrialSpec]) -> list[TrialSpec]:
        return [spec for spec in specs if spec.trial_id not in self.ledger.recorded]
