"""Race trials inside their own cell and round: one ASHA for each behind Ray Tune's scheduler interface."""

from dataclasses import dataclass
from typing import Any

from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler

METRIC, TIME = "val_hit_at_5", "eval_index"
Race = tuple[str, int]  # cell id, replicate


@dataclass(frozen=True)
class Racer:
    """A trial as ASHA sees it: identified by its content, so that a retry is the same racer."""

    trial_id: str


class CellASHA(FIFOScheduler):
    """Routes every trial to the ASHA of its race: the search trials of one cell with one replicate.

    The second round is another race, on other data and weights. Some trials are not raced; see `is_raced`.

    `pruned` holds Tune's ids of the trials that ASHA stopped before their last evaluation.
    """

    def __init__(self, max_evaluations: int, grace_period: int, reduction_factor: int):
        super().__init__()
        self._settings = {
            "time_attr": TIME,
            "metric": METRIC,
            "mode": "max",
            "max_t": max(max_evaluations, grace_period),
            "grace_period": min(grace_period, max_evaluations),
            "reduction_factor": reduction_factor,
            "brackets": 1,
        }
        self._races: dict[Race, ASHAScheduler] = {}
        self._added: set[Racer] = set()
        self.pruned: set[str] = set()

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: object) -> bool:
        """Accept Tune's call; metric and mode are fixed here."""
        return True

    def fill_rungs(self, race_id: Race, trial_id: str, reported: tuple[tuple[int, float], ...]) -> None:
        """Replay a recorded trial's reports into the rungs. Call it in recorded order."""
        race, trial = self._race(race_id), Racer(trial_id)
        race.on_trial_add(None, trial)
        for index, value in reported:
            race.on_trial_result(None, trial, {TIME: index, METRIC: value})

    def on_trial_add(self, tune_controller, trial) -> None:
        """Add a trial to its race once; a retried trial is already there."""
        race_id, racer = _race_of(trial)
        if race_id is not None and racer not in self._added:
            self._added.add(racer)
            self._race(race_id).on_trial_add(tune_controller, racer)

    def on_trial_result(self, tune_controller, trial, result: dict) -> str:
        """Ask the cell's ASHA, which compares with earlier arrivals at the same rung."""
        race_id, racer = _race_of(trial)
        if race_id is None:
            return TrialScheduler.CONTINUE
        decision = self._race(race_id).on_trial_result(tune_controller, racer, result)
        if result["final"]:  # it has ended: its result fills the rung, but it cannot be stopped
            return TrialScheduler.CONTINUE
        if decision == TrialScheduler.STOP:
            self.pruned.add(trial.trial_id)
        return decision

    def on_trial_complete(self, tune_controller, trial, result: dict) -> None:
        """Do nothing: `on_trial_result` has handled the last result."""

    def on_trial_remove(self, tune_controller, trial) -> None:
        """Do nothing: a removed trial stays in its rungs."""

    def _race(self, race_id: Race) -> ASHAScheduler:
        if race_id not in self._races:
            self._races[race_id] = ASHAScheduler(**self._settings)
        return self._races[race_id]


def _race_of(trial) -> tuple[Race | None, Racer]:
    """Return the race that a Tune trial is in, or None, and its racer."""
    first, trial_id = trial.config["specs"][0], trial.config["trial_ids"][0]
    raced = is_raced(first["stage"], first["recipe"])
    return (first["cell_id"], first["replicate"]) if raced else None, Racer(trial_id)


def is_raced(stage: str, recipe: dict[str, Any]) -> bool:
    """Return whether a trial is raced: a search trial, unless its schedule is `wsd`.

    A `wsd` run gains much of its Hit@5 in its decay, which begins where its own patience runs out. Compared at equal
    evaluations, one that still trains at its peak rate would lose to one that has decayed.
    """
    return stage == "search" and recipe.get("schedule") != "wsd"
