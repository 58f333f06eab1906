"""The search trials of one cell: those of the list in its order, then those of the second round."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from study.plan.plan import Cell, Plan
from study.plan.trial_spec import TrialSpec
from study.records.columns import FINALS_REPLICATE, SEARCH_REPLICATE
from study.records.manifest import Params
from study.search.choice import nominee, winner
from study.trial.ledger import Ledger
from study.trial.outcome import Outcome


@dataclass
class CellSearch:
    """What a cell has tried and has still to try.

    listed: trial ids of the candidates, in the order of the list. finals: the finalists with their trial ids; None
    before the second round. specs: all trials by id, in order. dealt: ids of the trials begun in this run.
    """

    cell: Cell
    plan: Plan
    ledger: Ledger
    listed: list[str] = field(default_factory=list)
    finals: list[tuple[Params, str]] | None = None
    specs: dict[str, TrialSpec] = field(default_factory=dict)
    dealt: set[str] = field(default_factory=set)

    def add_candidates(self, candidates: Sequence[Params]) -> None:
        """Append candidates of the list."""
        self.listed += [self._add(SEARCH_REPLICATE, params) for params in candidates]

    def add_finalists(self, found: Sequence[Params]) -> None:
        """Begin the second round. One finalist alone needs no trial."""
        alone = len(found) == 1
        self.finals = [(params, "" if alone else self._add(FINALS_REPLICATE, params)) for params in found]

    def _add(self, replicate: int, params: Params) -> str:
        spec = self.plan.spec(self.cell, "search", replicate, params)
        return self.specs.setdefault(spec.trial_id, spec).trial_id

    def missing(self) -> list[str]:
        """Return the ids of the known trials that have not ended."""
        return [trial_id for trial_id in self.specs if trial_id not in self.ledger.recorded]

    def num_running(self) -> int:
        return len(self.dealt - self.ledger.recorded)

    def waiting(self) -> list[str]:
        """Return the ids of the known trials that have not begun, or none if the cell is busy."""
        is_free = self.num_running() < self.plan.space.racing.in_flight_per_cell
        return [trial_id for trial_id in self.missing() if trial_id not in self.dealt] if is_free else []

    def deal(self, trial_id: str) -> TrialSpec:
        """Begin a trial."""
        self.dealt.add(trial_id)
        return self.specs[trial_id]

    def outcomes(self) -> list[Outcome | None]:
        """Return how each candidate of the list ended in this cell; None where it has not."""
        return [self.ledger.outcomes.get(trial_id) for trial_id in self.listed]

    def tuned(self) -> Params:
        """Return the cell's own configuration: the winner of the second round, or the best that is known without one.

        Without any completed trial it is the first point to evaluate.
        """
        finals = self.finals or []
        best = winner([(params, self.ledger.outcomes.get(trial_id)) for params, trial_id in finals])
        alone = finals[0][0] if len(finals) == 1 else None
        return best or alone or nominee(self.plan, self.cell, self.ledger.outcomes) or self.plan.space.point_params(0)
