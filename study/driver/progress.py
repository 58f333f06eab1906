"""Show a study's progress: a live line in a terminal, plain lines elsewhere, everything in a log file."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TaskID, TextColumn
from rich.progress import Progress as Bar

from study.messages.durations import duration
from study.plan.trial_spec import TrialSpec
from study.trial.update import TrialUpdate

LINE_EVERY_S = 10.0  # between plain lines, without a terminal
BASELINE_SHARE = 0.05  # relative to the cost of a trained model
FIXED_WORK = 8.0  # a trial's cost apart from its context, in context lengths; used for the time left only

log = logging.getLogger("study")


def work_of(stage: str, context_length: int) -> float:
    """Return a trial's expected cost in arbitrary units, to estimate the time left."""
    return (BASELINE_SHARE if stage == "baseline" else 1.0) * (context_length + FIXED_WORK)


@dataclass
class Progress:
    """Counts trials and shows the study's progress. num_before: trials recorded by earlier runs.

    missing: returns the stage and the context length of every trial that has not ended. Before the search has chosen,
    it is the most that there can be.
    """

    console: Console
    num_before: int = 0
    missing: Callable[[], list[tuple[str, int]]] = list
    running: set[str] = field(default_factory=set)
    num_done: int = 0
    done_work: float = 0.0
    best: dict | None = None
    _bar: Bar | None = None
    _task: TaskID | None = None
    _started: float = 0.0
    _last_line: float = 0.0

    @contextlib.contextmanager
    def shown(self, missing: Callable[[], list[tuple[str, int]]]) -> Iterator[None]:
        """Show progress from the first to the last trial."""
        self.missing = missing
        self._started = self._last_line = time.monotonic()
        log.info("%d trials expected at most, %d already recorded", self._total(), self.num_before)
        if not self.console.is_terminal:
            yield
            self._line()
            return
        note = TextColumn("{task.fields[note]}")
        with Bar(SpinnerColumn(), BarColumn(), MofNCompleteColumn(), note, console=self.console, transient=True) as bar:
            self._bar, self._task = bar, bar.add_task("trials", total=self._total(), note="starting")
            try:
                yield
            finally:
                self._bar = None

    def started(self, row: dict) -> None:
        """Count a started trial."""
        self.running.add(row["trial_id"])
        log.info("started %s %s %s %s", row["stage"], row["cell_id"], row["model"], row["trial_id"])
        self._show()

    def reported(self, update: TrialUpdate, row: dict | None) -> None:
        """Count a trial that ended; `row` is None while it still runs."""
        if row is None:
            return
        self.running.discard(row["trial_id"])
        self.num_done += 1
        self.done_work += work_of(row["stage"], row["context_length"])
        value = row.get("val_hit_at_5")
        trained = row["stage"] != "baseline" and value is not None
        if trained and (self.best is None or value > self.best["val_hit_at_5"]):
            self.best = row
        ended = row["status"] if row.get("stop_reason") is None else f"{row['status']} ({row['stop_reason']})"
        shown = "-" if value is None else f"{value:.4f}"
        log.info("%s: %s %s %s val Hit@5 %s", ended, row["stage"], row["cell_id"], row["trial_id"], shown)
        if row.get("error"):
            log.error("%s %s: %s", row["cell_id"], row["trial_id"], row["error"])
        if self._bar is not None:
            self._show()  # without a terminal, the line follows when the next trial starts

    def lost(self, spec: TrialSpec, row: dict | None) -> None:
        """Count a trial that lost its worker or timed out. row: None if it will be retried."""
        self.running.discard(spec.trial_id)
        if row is None:
            log.warning("worker lost, will retry: %s %s %s", spec.stage, spec.cell_id, spec.trial_id)
            return
        self.num_done += 1
        log.error("%s (%s): %s %s", row["status"], row["stop_reason"], spec.cell_id, spec.trial_id)

    def _show(self) -> None:
        if self._bar is not None:
            done = self.num_before + self.num_done
            self._bar.update(self._task, completed=done, total=self._total(), note=self.note())
        elif time.monotonic() - self._last_line > LINE_EVERY_S and self.num_done:
            self._line()

    def _line(self) -> None:
        self._last_line = time.monotonic()
        done = self.num_before + self.num_done
        self.console.print(f"{done}/{self._total()} trials done, {self.note()}", highlight=False)

    def _total(self) -> int:
        return self.num_before + self.num_done + len(self.missing())

    def note(self) -> str:
        """Return the running trials, the best so far and the time left."""
        facts = [f"{len(self.running)} running"]
        if self.best is not None:
            facts.append(f"best {self.best['val_hit_at_5']:.3f} at {self.best['cell_id']} (validation Hit@5)")
        left = sum(work_of(*trial) for trial in self.missing())
        if self.done_work > 0.05 * (self.done_work + left) and left > 0:
            facts.append(f"about {duration((time.monotonic() - self._started) * left / self.done_work)} left")
        return ", ".join(facts)
