"""Collect the reports of trials and write each record once. Only the driver writes records."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pandas as pd

from study.plan.trial_spec import TrialSpec
from study.records.store import RecordStore
from study.trial.outcome import Outcome
from study.trial.rows import base_row
from study.trial.update import TrialUpdate


@dataclass
class OpenTrial:
    """The reports of a running trial so far."""

    row: dict
    attempt: int = 1
    curve: list[dict] = field(default_factory=list)
    ranks: dict | None = None
    context_use: dict | None = None


class Ledger:
    """Keeps running trials in memory, by id, and writes each one when it ends.

    recorded: ids with a final record, which is never written again. A `failed` record is not final: resuming the study
    retries its trial, and the new record replaces it. outcomes: of search trials, by id.
    """

    def __init__(self, store: RecordStore, trials: pd.DataFrame, outcomes: dict[str, Outcome] | None = None):
        failed = trials[trials.status == "failed"]
        self.store, self.recorded = store, set(trials.trial_id) - set(failed.trial_id)
        self.attempts_before = dict(zip(failed.trial_id, failed.attempt.fillna(1).astype(int), strict=True))
        self.outcomes = dict(outcomes or {})
        self._confirm = trials[trials.stage == "confirm"] if "stage" in trials else trials.iloc[:0]
        self.rows: list[dict] = []
        self._open: dict[str, OpenTrial] = {}

    def begin(self, update: TrialUpdate) -> None:
        """Start a trial, or restart it after its worker was lost, discarding its earlier reports."""
        self._open[update.trial_id] = OpenTrial(update.row, 1 + self.attempts(update.trial_id))

    def attempts(self, trial_id: str) -> int:
        """Return the number of attempts at a running trial in this run."""
        return self._open[trial_id].attempt if trial_id in self._open else 0

    def update(self, update: TrialUpdate, *, pruned: bool) -> dict | None:
        """Add a report to its trial; return the row if it ends the trial. Raises: OSError if it cannot be written."""
        trial = self._open.setdefault(update.trial_id, OpenTrial(update.row))
        trial.row = {**update.row, "attempt": trial.attempt + self.attempts_before.get(update.trial_id, 0)}
        trial.curve += [update.evaluation] if update.evaluation is not None else []
        trial.ranks = update.ranks if update.ranks is not None else trial.ranks
        trial.context_use = update.context_use
        if update.final:
            return self._write(trial)
        if pruned:
            trial.row |= {"status": "pruned", "stop_reason": "asha", "finished_at": datetime.now(UTC)}
            return self._write(trial)
        return None

    def fail(self, spec: TrialSpec, error: str, reason: str = "worker_lost") -> dict | None:
        """Record a trial whose worker was lost; its curve keeps the evaluations reported so far."""
        return self._break_off(spec, {"status": "failed", "stop_reason": reason, "error": error})

    def expire(self, spec: TrialSpec, limit_s: float) -> dict | None:
        """Record a trial that exceeded its time limit; its curve keeps the evaluations reported so far."""
        error = f"it exceeded trial_time_limit ({limit_s:g} s), and its worker was killed"
        ended = {"status": "timeout", "stop_reason": "time_limit", "error": error, "wall_s": limit_s}
        return self._break_off(spec, ended)

    def _break_off(self, spec: TrialSpec, ended: dict) -> dict | None:
        if spec.trial_id in self.recorded:
            return None
        trial = self._open.get(spec.trial_id) or OpenTrial(base_row(spec))
        attempt = trial.attempt + self.attempts_before.get(spec.trial_id, 0)
        trial.row |= {**ended, "attempt": attempt, "finished_at": datetime.now(UTC)}
        return self._write(trial)

    def retire(self, cell_id: str, chosen: list[dict]) -> None:
        """Move a cell's confirm records that have none of the chosen searched values to `superseded/`."""
        for row in self._confirm[self._confirm.cell_id == cell_id].itertuples():
            config = json.loads(row.config)
            if not any(config.items() >= params.items() for params in chosen):
                self.store.move_trial(row.trial_id, "superseded")
                self.recorded.discard(row.trial_id)

    def _write(self, trial: OpenTrial) -> dict | None:
        trial_id = trial.row["trial_id"]
        self._open.pop(trial_id, None)
        if trial_id in self.recorded:
            return None
        self.store.write_trial(trial.row, trial.curve, trial.ranks, trial.context_use)
        self.recorded.add(trial_id)
        self.rows.append(trial.row)
        if trial.row["stage"] == "search":
            hits = [(point["eval_index"], point["val_hit_at_5"]) for point in trial.curve]
            losses = [point.get("val_loss") for point in trial.curve]
            self.outcomes[trial_id] = Outcome.of({"val_hit_at_5": None} | trial.row, hits, losses)
        return trial.row
