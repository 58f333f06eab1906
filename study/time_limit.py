"""Know which trial runs in which job, and since when, and say which have run past their limit."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class TrialClocks:
    """One clock a job, started by each of its trials. limit_s: None for no limit."""

    limit_s: float | None = None
    now: Callable[[], float] = time.monotonic
    _running: dict[str, tuple[str, float]] = field(default_factory=dict)

    def began(self, job_id: str, trial_id: str) -> None:
        """Start a job's clock for a trial."""
        self._running[job_id] = (trial_id, self.now())

    def ended(self, job_id: str) -> str | None:
        """Stop a job's clock and return the trial that ran, if one did."""
        return self._running.pop(job_id, (None,))[0]

    def overdue(self) -> list[tuple[str, str]]:
        """Return (job, trial) of those past their limit, each once."""
        if self.limit_s is None:
            return []
        now = self.now()
        late = [(job, trial) for job, (trial, begun) in self._running.items() if now - begun > self.limit_s]
        for job, _ in late:
            del self._running[job]
        return late
