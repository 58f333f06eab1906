"""Keep the time of running trials, and say which have run past their limit."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class TrialClocks:
    """One clock a job, started anew by each of its trials. limit_s: None for no limit."""

    limit_s: float | None
    now: Callable[[], float] = time.monotonic
    _running: dict[str, tuple[str, float]] = field(default_factory=dict)

    def heard(self, job_id: str, trial_id: str) -> bool:
        """Start the clock at the first report of a trial; return whether it runs."""
        if self.limit_s is None:
            return False
        if self._running.get(job_id, ("", 0.0))[0] != trial_id:
            self._running[job_id] = (trial_id, self.now())
        return True

    def ended(self, job_id: str) -> None:
        """Stop a job's clock."""
        self._running.pop(job_id, None)

    def overdue(self) -> list[tuple[str, str]]:
        """Return (job, trial) of those past their limit, each once."""
        if not self._running:
            return []
        now = self.now()
        late = [(job, trial) for job, (trial, begun) in self._running.items() if now - begun > self.limit_s]
        for job, _ in late:
            del self._running[job]
        return late
