"""Race trials inside their own cell: one ASHA per cell behind Ray Tune's scheduler interface."""

from dataclasses import dataclass
from itertools import accumulate

from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler

METRIC, TIME = "val_hit_at_5", "eval_index"


@dataclass(frozen=True)
class RecordedTrial:
    """Stands for a trial of an earlier run when its curve is shown to ASHA again."""

    trial_id: str


class CellASHA(FIFOScheduler):
    """Routes every trial to the ASHA of its cell. Trials without a race (baseline, confirm) run to their end.

    `raced_out` holds Tune's ids of the trials that ASHA stopped before their last evaluation.
    """

    def __init__(self, max_evaluations: int, grace_evaluations: int, reduction_factor: int):
        super().__init__()
        self._settings = {
            "time_attr": TIME,
            "metric": METRIC,
            "mode": "max",
            "max_t": max(max_evaluations, grace_evaluations),
            "grace_period": min(grace_evaluations, max_evaluations),
            "reduction_factor": reduction_factor,
            "brackets": 1,
        }
        self._cells: dict[str, ASHAScheduler] = {}
        self._added: set[str] = set()
        self.raced_out: set[str] = set()

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: object) -> bool:
        """Accept Tune's announcement; metric and mode are fixed here."""
        return True

    def show_recorded(self, cell_id: str, trial_id: str, curve: tuple[tuple[int, float], ...]) -> None:
        """Fill the rungs with a recorded curve, as if its results arrived now. Call it in recorded order.

        A running trial reports the best value so far, and so does a recorded one.
        """
        race, trial = self._race(cell_id), RecordedTrial(trial_id)
        race.on_trial_add(None, trial)
        best = accumulate((value for _, value in curve), max)
        for (index, _), value in zip(curve, best, strict=True):
            race.on_trial_result(None, trial, {TIME: index, METRIC: value})

    def on_trial_add(self, tune_controller, trial) -> None:
        """Enter a trial into its race, once; Tune calls again on a retry."""
        cell_id = _race_of(trial)
        if cell_id is not None and trial.trial_id not in self._added:
            self._added.add(trial.trial_id)
            self._race(cell_id).on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller, trial, result: dict) -> str:
        """Ask the cell's ASHA, which compares with earlier arrivals at the same rung."""
        cell_id = _race_of(trial)
        if cell_id is None:
            return TrialScheduler.CONTINUE
        decision = self._race(cell_id).on_trial_result(tune_controller, trial, result)
        if result["final"]:  # it ended by itself: its result fills the rung, the decision comes too late
            return TrialScheduler.CONTINUE
        if decision == TrialScheduler.STOP:
            self.raced_out.add(trial.trial_id)
        return decision

    def on_trial_complete(self, tune_controller, trial, result: dict) -> None:
        """Nothing to do: the last result was already seen by `on_trial_result`."""

    def on_trial_remove(self, tune_controller, trial) -> None:
        """Nothing to do: a removed trial leaves its rungs as they are."""

    def _race(self, cell_id: str) -> ASHAScheduler:
        if cell_id not in self._cells:
            self._cells[cell_id] = ASHAScheduler(**self._settings)
        return self._cells[cell_id]


def _race_of(trial) -> str | None:
    """Return the cell that a Tune trial races in, or None."""
    specs = trial.config["specs"]
    return specs[0]["cell_id"] if specs[0]["stage"] == "search" else None
