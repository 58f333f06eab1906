"""Order a study's trials: search first, then baselines, then the confirm trials of each cell whose search is over."""

import json
import time
from datetime import datetime
from typing import Any

import pandas as pd

from study.plan.plan import Cell, Plan
from study.plan.trial_spec import TrialSpec
from study.search.sampler import CellSampler
from study.trial.ledger import Ledger
from study.trial.outcome import Outcome


def choose_winner(plan: Plan, cell: Cell, outcomes: dict[str, Outcome]) -> dict[str, Any]:
    """Return the searched values that a cell confirms, chosen on validation only.

    The winner is the completed search trial with the highest validation Hit@5 (ties: the first id). A cell without
    one is confirmed with the first point to evaluate, which is the published recipe.
    """
    if not plan.searches:
        return {}
    own = [(o.value, trial_id) for trial_id, o in outcomes.items() if o.cell_id == cell.cell_id and o.is_completed]
    if not own:
        return plan.space.point_params(0)
    best = min(own, key=lambda entry: (-entry[0], entry[1]))[1]
    config = json.loads(outcomes[best].config)
    return {key: config[key] for key in plan.space.search}


def confirmed_params(
    plan: Plan, trials: pd.DataFrame, searched_since: dict[str, datetime] | None = None
) -> dict[str, dict[str, Any]]:
    """Return the searched values of the recorded confirm trials, by cell id.

    searched_since: by cell id, when its search was reopened; confirm trials before that are ignored.
    """
    confirm = trials[trials.stage == "confirm"].sort_values("started_at").drop_duplicates("cell_id", keep="last")
    opened = searched_since or {}
    closed = [c not in opened or at >= opened[c] for c, at in zip(confirm.cell_id, confirm.started_at, strict=True)]
    confirm = confirm[pd.Series(closed, index=confirm.index, dtype=bool)]
    configs = {row.cell_id: json.loads(row.config) for row in confirm.itertuples()}
    return {cell: {key: config[key] for key in plan.space.search} for cell, config in configs.items()}


class StudyTrials:
    """Deals the trials missing from the records. A free worker gets the next trial of the first kind that has one.

    confirmed: searched values by cell id, if a confirm trial is recorded; such a cell's search is over, or the cell
    would mix two configurations. search_deadline: time.monotonic() after which no search trial begins.
    """

    def __init__(
        self, plan: Plan, ledger: Ledger, confirmed: dict[str, dict[str, Any]], search_deadline: float | None = None
    ):
        self.plan, self.ledger, self.search_deadline = plan, ledger, search_deadline
        self.sampler = CellSampler(plan, ledger.outcomes)
        missing = [[s for s in job if s.trial_id not in ledger.recorded] for job in plan.baseline_jobs()]
        self._baselines = [job for job in missing if job]
        costly_first = sorted(plan.cells, key=lambda cell: -cell.context_length)
        # replicate by replicate, so that an interrupted study has a complete map
        self._to_confirm = [(cell, replicate) for replicate in plan.confirm_replicates for cell in costly_first]
        self._winners = dict(confirmed)
        self.sampler.close(confirmed)
        self._first: list[TrialSpec] | None = None

    def has_work(self) -> bool:
        """Whether any trial is missing from the records; called once, before workers start."""
        self._first = self.next()
        return self._first is not None

    @property
    def finished(self) -> bool:
        """Whether nothing is left to deal, now or later."""
        return self.sampler.finished and not self._baselines and not self._to_confirm

    def next(self) -> list[TrialSpec] | None:
        """Return a list of trials to run one after the other, or None if a worker has to wait."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        if self.search_deadline is not None and time.monotonic() > self.search_deadline:
            self.sampler.close(self.sampler.cells)
        if spec := self.sampler.next():
            return [spec]
        return self._baselines.pop(0) if self._baselines else self._next_confirm()

    def ended(self, specs: list[TrialSpec]) -> None:
        """Pass the outcomes of search trials on to the search."""
        for spec in specs:
            if spec.stage == "search":
                self.sampler.tell(spec, self.ledger.outcome(spec))

    def _next_confirm(self) -> list[TrialSpec] | None:
        """Return the first unrecorded confirm trial of the cells whose search is over."""
        for cell, replicate in list(self._to_confirm):
            if self.sampler.is_over(cell.cell_id):
                self._to_confirm.remove((cell, replicate))
                spec = self.plan.spec(cell, "confirm", replicate, self._winner(cell))
                if spec.trial_id not in self.ledger.recorded:
                    return [spec]
        return None

    def _winner(self, cell: Cell) -> dict[str, Any]:
        if cell.cell_id not in self._winners:
            self._winners[cell.cell_id] = choose_winner(self.plan, cell, self.ledger.outcomes)
            self.ledger.retire(cell.cell_id, self._winners[cell.cell_id])
        return self._winners[cell.cell_id]
