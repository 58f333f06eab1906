"""Gather what trials report and write each record once. The driver is the only writer of records."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pandas as pd

from study.records import RecordStore
from study.sampler import Outcome
from study.spec import TrialSpec
from study.trial import TrialUpdate
from study.trial_rows import base_row


@dataclass
class OpenTrial:
    """What a running trial has reported so far."""

    row: dict
    attempt: int = 1
    curve: list[dict] = field(default_factory=list)
    ranks: dict | None = None


class Ledger:
    """Keeps running trials in memory and writes a trial when it has ended. A key is a trial's content, not its run.

    recorded: ids with a record that stands; none of them is written again. A `failed` record does not stand: its trial
    is run again when the study is resumed, and the new record replaces it. outcomes: of search trials.
    """

    def __init__(self, store: RecordStore, trials: pd.DataFrame, outcomes: dict[str, Outcome] | None = None):
        failed = trials[trials.status == "failed"]
        self.store, self.recorded = store, set(trials.trial_id) - set(failed.trial_id)
        self.attempts_before = dict(zip(failed.trial_id, failed.attempt.fillna(1).astype(int), strict=True))
        self.outcomes = dict(outcomes or {})
        self.rows: list[dict] = []
        self._open: dict[str, OpenTrial] = {}

    def update(self, update: TrialUpdate, *, raced_out: bool, attempt: int = 1) -> dict | None:
        """Take a report in; return the row if the trial ended with it. Raises: OSError where it cannot be written."""
        trial = self._open.get(update.trial_id)
        if trial is None or attempt > trial.attempt:  # the first report, or the first after a lost worker
            trial = self._open[update.trial_id] = OpenTrial(update.row, attempt)
        trial.row = {**update.row, "attempt": attempt + self.attempts_before.get(update.trial_id, 0)}
        trial.curve += [update.evaluation] if update.evaluation is not None else []
        trial.ranks = update.ranks if update.ranks is not None else trial.ranks
        if update.final:
            return self._write(trial)
        if raced_out:
            trial.row |= {"status": "raced_out", "stop_reason": "asha", "finished_at": datetime.now(UTC)}
            return self._write(trial)
        return None

    def fail(self, spec: TrialSpec, error: str, attempt: int) -> dict | None:
        """Record a trial whose worker was lost; what it reported before stays in its curve."""
        if spec.trial_id in self.recorded:
            return None
        trial = self._open.get(spec.trial_id) or OpenTrial(base_row(spec))
        trial.row |= {"status": "failed", "stop_reason": "worker_lost", "error": error}
        attempt += self.attempts_before.get(spec.trial_id, 0)
        trial.row |= {"attempt": attempt, "finished_at": datetime.now(UTC)}
        return self._write(trial)

    def outcome(self, spec: TrialSpec) -> Outcome:
        """Return how a trial ended, for the sampler."""
        return self.outcomes.get(spec.trial_id, Outcome(spec.cell_id, "failed", None))

    def _write(self, trial: OpenTrial) -> dict | None:
        trial_id = trial.row["trial_id"]
        self._open.pop(trial_id, None)
        if trial_id in self.recorded:
            return None
        self.store.write_trial(trial.row, trial.curve, trial.ranks)
        self.recorded.add(trial_id)
        self.rows.append(trial.row)
        if trial.row["stage"] == "search":
            self.outcomes[trial_id] = _outcome(trial)
        return trial.row


def _outcome(trial: OpenTrial) -> Outcome:
    curve = tuple((point["eval_index"], point["val_hit_at_5"]) for point in trial.curve)
    row = trial.row
    return Outcome(row["cell_id"], row["status"], row.get("val_hit_at_5"), curve, row["config"])
