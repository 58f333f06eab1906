"""Order the trials of a study's stages: what is dealt next, and what the records lack."""

from typing import Any, Protocol

from study.ledger import Ledger
from study.plan import Plan
from study.sampler import CellSampler
from study.spec import TrialSpec


class Source(Protocol):
    """Deals trials: a list of specs to run in one go, or None while there is nothing to deal."""

    @property
    def finished(self) -> bool: ...
    def next(self) -> list[TrialSpec] | None: ...
    def ended(self, specs: list[TrialSpec], ledger: Ledger) -> None: ...


class Queue:
    """Deals a fixed list of jobs in order."""

    def __init__(self, jobs: list[list[TrialSpec]]):
        self._jobs = list(jobs)

    @property
    def finished(self) -> bool:
        return not self._jobs

    def next(self) -> list[TrialSpec] | None:
        return self._jobs.pop(0) if self._jobs else None

    def ended(self, specs: list[TrialSpec], ledger: Ledger) -> None:
        """A queue does not learn."""


class SearchThenQueue:
    """Deals search trials, and jobs of a queue where no cell has a search trial to give."""

    def __init__(self, sampler: CellSampler, queue: Queue):
        self._sampler, self._queue = sampler, queue

    @property
    def finished(self) -> bool:
        return self._sampler.finished and self._queue.finished

    def next(self) -> list[TrialSpec] | None:
        spec = self._sampler.next()
        return [spec] if spec is not None else self._queue.next()

    def ended(self, specs: list[TrialSpec], ledger: Ledger) -> None:
        for spec in specs:
            if spec.stage == "search":
                self._sampler.tell(spec, ledger.outcome(spec))


def confirm_specs(plan: Plan, winners: dict[str, dict[str, Any]]) -> list[TrialSpec]:
    """Return the confirm trials, replicate by replicate, costly cells first, so that a cut leaves a whole map."""
    groups = sorted(plan.groups, key=lambda group: -group.context_length)
    return [
        plan.spec(group, "confirm", replicate, winners[group.cell_id])
        for replicate in plan.confirm_replicates
        for group in groups
    ]


def missing(jobs: list[list[TrialSpec]], ledger: Ledger) -> list[list[TrialSpec]]:
    """Return the jobs without the trials that have a record."""
    lacking = [[spec for spec in job if spec.trial_id not in ledger.recorded] for job in jobs]
    return [job for job in lacking if job]
