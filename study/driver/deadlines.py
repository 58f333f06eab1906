"""Know which trial runs in which job, and since when, and say which have run past their limit."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

# the driver looks several times a second; where it did not for so long, it stood still, and no trial is to blame
STALL_S = 10.0


@dataclass
class TrialClocks:
    """One clock a job, started by each of its trials. limit_s: None for no limit."""

    limit_s: float | None = None
    now: Callable[[], float] = time.monotonic
    _running: dict[str, tuple[str, float]] = field(default_factory=dict)
    _looked: float | None = None

    def began(self, job_id: str, trial_id: str) -> None:
        """Start a job's clock for a trial."""
        self._running[job_id] = (trial_id, self.now())

    def ended(self, job_id: str) -> str | None:
        """Stop a job's clock and return the trial that ran, if one did."""
        return self._running.pop(job_id, (None,))[0]

    def overdue(self) -> list[tuple[str, str]]:
        """Return (job, trial) of those past their limit, each once. Time in which nobody asked does not count."""
        if self.limit_s is None:
            return []
        now = self.now()
        stood_still = now - self._looked if self._looked is not None else 0.0
        self._looked = now
        if stood_still > STALL_S:
            self._running = {job: (trial, begun + stood_still) for job, (trial, begun) in self._running.items()}
        late = [(job, trial) for job, (trial, begun) in self._running.items() if now - begun > self.limit_s]
        for job, _ in late:
            del self._running[job]
        return late
