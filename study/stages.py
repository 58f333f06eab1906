"""Order a study's trials: search first, then baselines, then the confirm trials of every cell whose search is over."""

import json
import time
from typing import Any

from study.ledger import Ledger
from study.plan import Group, Plan
from study.sampler import CellSampler, Outcome
from study.spec import TrialSpec


def choose_winner(plan: Plan, group: Group, outcomes: dict[str, Outcome]) -> dict[str, Any]:
    """Return the searched values that a cell confirms: validation alone decides.

    The winner is the completed search trial with the highest validation Hit@5 (the first of equals by id). A cell
    without one is confirmed with the first start point, which is the published recipe.
    """
    if not plan.searches:
        return {}
    own = [(o.value, trial_id) for trial_id, o in outcomes.items() if o.cell_id == group.cell_id and o.is_completed]
    if not own:
        return plan.space.start_params(0)
    best = min(own, key=lambda entry: (-entry[0], entry[1]))[1]
    config = json.loads(outcomes[best].config)
    return {key: config[key] for key in plan.space.search}


class StudyTrials:
    """Deals what the records lack. Any free worker gets the next trial of the first kind that has one to give.

    search_deadline: time.monotonic() after which no cell begins another search trial.
    """

    def __init__(self, plan: Plan, ledger: Ledger, search_deadline: float | None = None):
        self.plan, self.ledger, self.search_deadline = plan, ledger, search_deadline
        self.sampler = CellSampler(plan, ledger.outcomes)
        lacking = [[s for s in job if s.trial_id not in ledger.recorded] for job in plan.baseline_jobs()]
        self._baselines = [job for job in lacking if job]
        costly_first = sorted(plan.groups, key=lambda group: -group.context_length)
        # replicate by replicate, so that a study that is cut short has a whole map
        self._to_confirm = [(group, replicate) for replicate in plan.confirm_replicates for group in costly_first]
        self._winners: dict[str, dict[str, Any]] = {}

    @property
    def finished(self) -> bool:
        """Whether nothing is left to deal, now or later."""
        self._skip_recorded()
        return self.sampler.finished and not self._baselines and not self._to_confirm

    def next(self) -> list[TrialSpec] | None:
        """Return a list of trials to run one after the other, or None where a worker has to wait."""
        if self.search_deadline is not None and time.monotonic() > self.search_deadline:
            self.sampler.close()
        if spec := self.sampler.next():
            return [spec]
        if self._baselines:
            return self._baselines.pop(0)
        self._skip_recorded()
        for entry in self._to_confirm:
            if self.sampler.is_over(entry[0].cell_id):
                self._to_confirm.remove(entry)
                return [self._confirm_spec(*entry)]
        return None

    def ended(self, specs: list[TrialSpec]) -> None:
        """Tell the search how its trials ended."""
        for spec in specs:
            if spec.stage == "search":
                self.sampler.tell(spec, self.ledger.outcome(spec))

    def _confirm_spec(self, group: Group, replicate: int) -> TrialSpec:
        if group.cell_id not in self._winners:
            self._winners[group.cell_id] = choose_winner(self.plan, group, self.ledger.outcomes)
        return self.plan.spec(group, "confirm", replicate, self._winners[group.cell_id])

    def _skip_recorded(self) -> None:
        """Forget the confirm trials that have a record, of the cells whose winner is known."""
        self._to_confirm = [
            entry
            for entry in self._to_confirm
            if not self.sampler.is_over(entry[0].cell_id)
            or self._confirm_spec(*entry).trial_id not in self.ledger.recorded
        ]
