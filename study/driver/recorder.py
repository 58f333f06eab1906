"""Write records as results arrive; end overdue trials, and those that have lost too many workers."""

import contextlib
import time
from collections.abc import Iterator

import ray
from ray import tune

from lvm_core.errors import InputError
from lvm_core.remote import without_secrets
from study.driver.deadlines import TrialClocks
from study.driver.lost_workers import cause_of_loss, lost_to
from study.driver.progress import Progress
from study.plan.trial_spec import TrialSpec
from study.search.asha import CellASHA
from study.trial.ledger import Ledger
from study.trial.update import TrialUpdate

MAX_ATTEMPTS = 3  # a trial that loses its worker this often is recorded as failed
UNBEGUN, UNBEGUN_S = 10, 60.0  # the study stops after so many workers in a row, over so long, lost before a trial began


class Recorder(tune.Callback):
    """Writes records as results arrive. A callback must not raise, so a failed write stops the study through `stop`.

    A lost worker costs the trial that ran on it an attempt. A worker lost before its trial began was lost to its
    machine and costs no attempt, but if no worker starts at all, the study stops.
    """

    def __init__(self, ledger: Ledger, scheduler: CellASHA, progress: Progress, limit_s: float | None = None):
        self._ledger, self._scheduler, self._progress = ledger, scheduler, progress
        self._clocks = TrialClocks(limit_s)
        self._jobs: dict[str, tune.experiment.Trial] = {}
        self._unbegun: list[float] = []
        self.failure: BaseException | None = None

    def __getstate__(self) -> dict:
        return {}

    def has_recorded(self, spec: TrialSpec) -> bool:
        """Return whether a trial has ended, however it did."""
        return spec.trial_id in self._ledger.recorded

    def on_trial_result(self, iteration, trials, trial, result, **info) -> None:
        """Remove the report from Tune's result, so that Tune does not keep it, and record a trial that ended."""
        update, refusal = result.pop("update", None), result.pop("refusal", None)
        if self.failure is not None:
            return
        if refusal is not None:
            self.failure = InputError(refusal)
            return
        if update is None:
            return
        with self._caught():
            if update.begins:
                self._begin(trial, update)
                return
            pruned = trial.trial_id in self._scheduler.pruned
            row = self._ledger.update(update, pruned=pruned)
            self._progress.reported(update, row)
            if update.final or pruned:
                self._clocks.ended(trial.trial_id)

    def on_step_end(self, iteration, trials, **info) -> None:
        """End overdue trials. Tune calls this several times a second, even while no trial reports."""
        if self.failure is not None:
            return
        with self._caught():
            for job_id, trial_id in self._clocks.overdue():
                self._expire(self._jobs[job_id], trial_id)

    def on_trial_complete(self, iteration, trials, trial, **info) -> None:
        """Forget a job that has ended."""
        self._jobs.pop(trial.trial_id, None)

    def on_trial_error(self, iteration, trials, trial, **info) -> None:
        """Handle a job whose worker was lost. The dealer then deals its unrecorded trials again."""
        if self.failure is not None:
            return
        with self._caught():
            has_begun = self._jobs.pop(trial.trial_id, None) is not None
            cause = without_secrets(cause_of_loss(trial))
            began = self._clocks.ended(trial.trial_id)
            if not has_begun:
                self._lose_unbegun(cause)
            elif began is None:
                pass  # its trial timed out, or it was lost between two trials
            elif self._ledger.attempts(began) >= MAX_ATTEMPTS:
                spec = _spec_of(trial, began)
                row = self._ledger.fail(spec, cause or "its worker died", lost_to(cause))
                self._progress.lost(spec, row)
            else:
                self._progress.lost(_spec_of(trial, began), None)

    def has_failed(self) -> bool:
        """Return whether the study must stop: a record could not be written, or a signal arrived."""
        return self.failure is not None

    def _begin(self, trial, update: TrialUpdate) -> None:
        self._jobs[trial.trial_id] = trial
        self._unbegun.clear()
        self._clocks.began(trial.trial_id, update.trial_id)
        if update.trial_id not in self._ledger.recorded:
            self._ledger.begin(update)
        self._progress.started(update.row)

    def _lose_unbegun(self, cause: str) -> None:
        self._unbegun.append(time.monotonic())
        if len(self._unbegun) >= UNBEGUN and self._unbegun[-1] - self._unbegun[0] > UNBEGUN_S:
            raise InputError(
                f"workers must start, but {len(self._unbegun)} in a row were lost before a trial began (the last: "
                f"{cause or 'Ray reported no cause'}). Check the machines, and run again with --resume."
            )

    def _expire(self, trial, trial_id: str) -> None:
        """Record a trial as timed out and kill its worker: a hung one cannot be stopped otherwise."""
        spec = _spec_of(trial, trial_id)
        row = self._ledger.expire(spec, self._clocks.limit_s)
        self._progress.lost(spec, row)
        if trial.temporary_state.ray_actor is not None:
            ray.kill(trial.temporary_state.ray_actor)

    @contextlib.contextmanager
    def _caught(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.failure = self.failure or error


def _spec_of(trial, trial_id: str) -> TrialSpec:
    """Return a trial of a job."""
    return TrialSpec(**trial.config["specs"][trial.config["trial_ids"].index(trial_id)])
