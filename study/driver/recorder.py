"""Write records as results arrive, and end the trials that run past their time limit."""

import contextlib
from collections.abc import Iterator

import ray
from ray import tune

from lvm_core.errors import InputError
from study.ledger import Ledger
from study.progress import Progress
from study.scheduler import CellASHA
from study.spec import TrialSpec
from study.time_limit import TrialClocks
from study.trial import TrialUpdate


class Recorder(tune.Callback):
    """Writes records as results arrive. A callback must not raise, so a failed write stops the study through `stop`."""

    def __init__(self, ledger: Ledger, scheduler: CellASHA, progress: Progress, limit_s: float | None = None):
        self._ledger, self._scheduler, self._progress = ledger, scheduler, progress
        self._clocks = TrialClocks(limit_s)
        self._timed: dict[str, tune.experiment.Trial] = {}
        self.failure: BaseException | None = None

    def __getstate__(self) -> dict:
        return {}

    def on_trial_result(self, iteration, trials, trial, result, **info) -> None:
        """Take a report out of Tune's result, so that Tune does not keep it, and record what has ended."""
        update = result.pop("update", None)
        if update is None or self.failure is not None:
            return
        if update.refusal is not None:
            self.failure = InputError(update.refusal)
            return
        with self._caught():
            raced_out, attempt = trial.trial_id in self._scheduler.raced_out, 1 + trial.num_failures
            row = self._ledger.update(update, raced_out=raced_out, attempt=attempt)
            self._progress.reported(update, row)
            self._time(trial, update, ended=update.final or raced_out)

    def on_step_end(self, iteration, trials, **info) -> None:
        """End what is overdue. Tune calls this several times a second, also while no trial reports anything."""
        if self.failure is not None:
            return
        with self._caught():
            for tune_id, trial_id in self._clocks.overdue():
                self._expire(self._timed.pop(tune_id), trial_id)

    def on_trial_error(self, iteration, trials, trial, **info) -> None:
        """Record a trial that was lost with its worker more often than it is retried."""
        if self.failure is not None:
            return
        with self._caught():
            self._forget(trial)
            cause = trial.get_error()
            for values in trial.config["specs"]:
                spec, attempt = TrialSpec(**values), trial.num_failures
                row = self._ledger.fail(spec, str(cause or "its worker died"), attempt, lost_to(cause))
                self._progress.lost(spec, row)

    def on_trial_recover(self, iteration, trials, trial, **info) -> None:
        """Stop the clock of a trial whose worker was lost; it starts anew with the next attempt."""
        self._forget(trial)

    def stop(self, trial_id: str, result: dict) -> bool:
        """Tell Tune to stop everything once a record could not be written."""
        return self.failure is not None

    def _time(self, trial, update: TrialUpdate, *, ended: bool) -> None:
        if ended:
            self._forget(trial)
        elif self._clocks.heard(trial.trial_id, update.trial_id):
            self._timed[trial.trial_id] = trial

    def _forget(self, trial) -> None:
        self._clocks.ended(trial.trial_id)
        self._timed.pop(trial.trial_id, None)

    def _expire(self, trial, trial_id: str) -> None:
        """Record a trial as timed out and kill its worker: a hung one answers to nothing else.

        What the job has left runs on another worker; a job without anything left is not tried again.
        """
        specs = [TrialSpec(**values) for values in trial.config["specs"]]
        place = [spec.trial_id for spec in specs].index(trial_id)
        row = self._ledger.expire(specs[place], self._clocks.limit_s, 1 + trial.num_failures)
        self._progress.lost(specs[place], row)
        if rest := trial.config["specs"][place + 1 :]:
            trial.config["specs"] = rest
            trial.max_failures += 1  # the loss that follows is ours
        else:
            trial.max_failures = 0
        if trial.temporary_state.ray_actor is not None:
            ray.kill(trial.temporary_state.ray_actor)

    @contextlib.contextmanager
    def _caught(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.failure = self.failure or error


def lost_to(cause: Exception | None) -> str:
    """Return the stop_reason of a trial whose worker died: `oom` where Ray or the kernel took it for its memory."""
    text = str(cause)
    out = isinstance(cause, ray.exceptions.OutOfMemoryError) or "running low on memory" in text
    return "oom" if out or "memory monitor" in text else "worker_lost"
