"""Suggest configurations: one Optuna study per cell, so that no cell's results affect another's."""

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from lvm_core.seeds import child_seed
from study.plan.plan import SEARCH_REPLICATE, Cell, Plan
from study.plan.trial_spec import TrialSpec
from study.space.recipe import Recipe
from study.space.sections import Domain
from study.trial.outcome import Outcome

MAX_REPEATS = 20  # known configurations suggested in a row until a cell's space counts as exhausted
STATES = {"completed": TrialState.COMPLETE, "pruned": TrialState.PRUNED}  # every other status: FAIL

logging.getLogger("optuna").setLevel(logging.WARNING)
optuna.logging.set_verbosity(optuna.logging.WARNING)


def distribution(key: str, domain: Domain) -> BaseDistribution:
    """Return a domain as an Optuna distribution; values that are integers in the recipe are drawn as integers."""
    if domain.choices is not None:
        return CategoricalDistribution(domain.choices)
    if Recipe.model_fields[key].annotation is int:
        return IntDistribution(int(domain.low), int(domain.high), log=domain.log)
    return FloatDistribution(domain.low, domain.high, log=domain.log)


@dataclass
class CellStudy:
    """The search of one cell. Its k-th suggestion depends only on k and on the outcomes before it."""

    cell: Cell
    plan: Plan
    known: dict[str, Outcome]
    study: optuna.Study = field(init=False)
    closed: bool = False
    running: dict[str, optuna.trial.Trial] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.study = optuna.create_study(direction="maximize")
        self.space = {key: distribution(key, domain) for key, domain in self.plan.space.search.items()}
        own = {trial_id: o for trial_id, o in self.known.items() if o.cell_id == self.cell.cell_id}
        self.seen = set(own)
        self.again = [o for o in own.values() if o.status == "failed"]
        for outcome in own.values():
            if outcome.status != "failed":
                self.study.add_trial(self._frozen(outcome))

    @property
    def is_open(self) -> bool:
        """Whether this cell has a trial to start, now or after others have ended."""
        to_come = not self.closed and len(self.seen) < self.plan.space.racing.num_samples
        return self.plan.searches and bool(self.again or to_come)

    def next(self) -> TrialSpec | None:
        """Return a failed trial to rerun, or the next new configuration, or None."""
        if self.again:
            return self._begin(self._ask_for(self._params(self.again.pop(0))))
        repeats = 0
        while self.is_open:
            trial = self._suggest(len(self.seen) + repeats)
            spec = self.plan.spec(self.cell, "search", SEARCH_REPLICATE, trial.params)
            if spec.trial_id not in self.seen:
                return self._begin(trial)
            self.study.tell(trial, state=TrialState.FAIL)  # already known: TPE ignores failed trials
            repeats += 1
            self.closed = repeats >= MAX_REPEATS
        return None

    def _begin(self, trial: optuna.trial.Trial) -> TrialSpec:
        spec = self.plan.spec(self.cell, "search", SEARCH_REPLICATE, trial.params)
        self.seen.add(spec.trial_id)
        self.running[spec.trial_id] = trial
        return spec

    def tell(self, trial_id: str, outcome: Outcome) -> None:
        """Pass a trial's outcome to Optuna; pruned trials stay pruned."""
        trial = self.running.pop(trial_id)
        for step, value in outcome.curve:
            trial.report(value, step)
        state = STATES.get(outcome.status, TrialState.FAIL)
        self.study.tell(trial, outcome.value if state == TrialState.COMPLETE else None, state=state)

    def _suggest(self, number: int) -> optuna.trial.Trial:
        """Ask a sampler seeded for this suggestion; the points to evaluate come first."""
        seed = child_seed(self.plan.space.seed, "search", self.cell.cell_id, number) % 2**32
        self.study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=5, constant_liar=True)
        if number < len(self.plan.space.points_to_evaluate):
            return self._ask_for(self.plan.space.point_params(number))
        return self.study.ask(self.space)

    def _ask_for(self, params: dict[str, Any]) -> optuna.trial.Trial:
        self.study.enqueue_trial(params)
        return self.study.ask(self.space)

    def _params(self, outcome: Outcome) -> dict[str, Any]:
        config = json.loads(outcome.config)
        return {key: config[key] for key in self.space}

    def _frozen(self, outcome: Outcome) -> optuna.trial.FrozenTrial:
        """Return a recorded trial as Optuna would have stored it live."""
        state = STATES.get(outcome.status, TrialState.FAIL)
        return optuna.trial.create_trial(
            state=state,
            value=outcome.value if state == TrialState.COMPLETE else None,
            params=self._params(outcome),
            distributions=self.space,
            intermediate_values=dict(outcome.curve),
        )


class CellSampler:
    """Deals search trials of all cells in turn, longest contexts first, with a limit per cell.

    With one trial in flight per cell (the default), its suggestions and races have a fixed order: the set of trials
    depends neither on the number of workers nor on interruptions.
    """

    def __init__(self, plan: Plan, recorded: dict[str, Outcome]):
        cells = sorted(plan.cells, key=lambda cell: (-cell.context_length, -cell.num_sequences, cell.cell_id))
        self.cells = {cell.cell_id: CellStudy(cell, plan, recorded) for cell in cells}
        self.limit = plan.space.racing.in_flight_per_cell

    def next(self) -> TrialSpec | None:
        """Return the next trial to run, or None if every cell is busy or done."""
        free = [cell for cell in self.cells.values() if cell.is_open and len(cell.running) < self.limit]
        for cell in sorted(free, key=lambda cell: len(cell.seen)):
            if spec := cell.next():
                return spec
        return None

    @property
    def finished(self) -> bool:
        return not any(cell.is_open or cell.running for cell in self.cells.values())

    def is_over(self, cell_id: str) -> bool:
        """Whether a cell has no search trial running or to come."""
        cell = self.cells[cell_id]
        return not cell.is_open and not cell.running

    def close(self, cell_ids: Iterable[str]) -> None:
        """Start no further search trials in these cells."""
        for cell_id in cell_ids:
            self.cells[cell_id].closed = True
            self.cells[cell_id].again.clear()

    def tell(self, spec: TrialSpec, outcome: Outcome) -> None:
        """Pass an outcome on to its cell."""
        self.cells[spec.cell_id].tell(spec.trial_id, outcome)
