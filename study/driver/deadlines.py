"""Clock the running trial of each job, and list those past their time limit."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

# the driver checks several times a second; a longer gap is a stall of its own, not charged to trials
STALL_S = 10.0


@dataclass
class TrialClocks:
    """One clock per job, restarted by each of its trials. limit_s: None for no limit."""

    limit_s: float | None = None
    now: Callable[[], float] = time.monotonic
    _running: dict[str, tuple[str, float]] = field(default_factory=dict)
    _checked: float | None = None

    def began(self, job_id: str, trial_id: str) -> None:
        """Start a job's clock for a trial."""
        self._running[job_id] = (trial_id, self.now())

    def ended(self, job_id: str) -> str | None:
        """Stop a job's clock and return its running trial, if any."""
        return self._running.pop(job_id, (None,))[0]

    def overdue(self) -> list[tuple[str, str]]:
        """Return (job, trial) of those past their limit, each once. Time while the driver stalled is not counted."""
        if self.limit_s is None:
            return []
        now = self.now()
        stalled_s = now - self._checked if self._checked is not None else 0.0
        self._checked = now
        if stalled_s > STALL_S:
            self._running = {job: (trial, begun + stalled_s) for job, (trial, begun) in self._running.items()}
        late = [(job, trial) for job, (trial, begun) in self._running.items() if now - begun > self.limit_s]
        for job, _ in late:
            del self._running[job]
        return late
