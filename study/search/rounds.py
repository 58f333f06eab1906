"""Deal a study's search trials: one list of candidates for every cell, then a second round of the best ones."""

from collections.abc import Callable, Collection

import numpy as np

from study.plan.plan import Cell, Plan
from study.plan.trial_spec import TrialSpec
from study.records.manifest import Params
from study.search.candidates import first_candidates, most_candidates, next_candidate
from study.search.cell_search import CellSearch
from study.search.choice import common_candidates, finalists, group_of, most_finalists
from study.search.standings import win_rates
from study.trial.ledger import Ledger


class StudySearch:
    """The search of a study's open cells: which trial is next, and what was found.

    Every cell tries the candidates in the order of the list, `racing.in_flight_per_cell` at a time. As many are
    proposed together, once all earlier ones have ended in all open cells. With one in flight (the default) the search
    depends on the seed alone, whatever the number of workers and interruptions.

    candidates: the list so far; it is only ever extended. settled: ids of the cells that are not searched.
    remember: called with the list when it has grown, before a trial of the new candidates begins.
    """

    def __init__(
        self,
        plan: Plan,
        ledger: Ledger,
        candidates: list[Params],
        settled: Collection[str] = (),
        remember: Callable[[list[Params]], None] = lambda candidates: None,
        propose: Callable[..., Params | None] = next_candidate,
    ):
        cells = [cell for cell in plan.cells if plan.searches and cell.cell_id not in settled]
        costly_first = sorted(cells, key=lambda cell: (-cell.context_length, -cell.num_sequences, cell.cell_id))
        self.cells = [CellSearch(cell, plan, ledger) for cell in costly_first]
        self.candidates: list[Params] = []
        self._plan, self._ledger, self._remember, self._propose = plan, ledger, remember, propose
        self._closed = False
        self._add(candidates)

    def next(self) -> TrialSpec | None:
        """Return the next trial to run, or None if every cell is busy or the search is over."""
        while not self._closed and self.cells:
            lagging = max(self.cells, key=lambda cell: len(cell.waiting()))  # the costliest of several
            if waiting := lagging.waiting():
                return lagging.deal(waiting[0])
            if self._num_missing() or not self._extend():
                return None
        return None

    def close(self) -> None:
        """Start no further search trials; what has been tried decides."""
        self._closed = True

    @property
    def is_over(self) -> bool:
        """Whether no search trial is running or to come. `next` must have been called: it extends the list."""
        if self._closed:
            return not any(cell.num_running() for cell in self.cells)
        return all(cell.finals is not None for cell in self.cells) and not self._num_missing()

    def chosen(self) -> tuple[dict[str, Params], dict[str, Params]]:
        """Return the tuned and the common configuration of every open cell, by cell id."""
        common = self._common()
        ids = {search.cell.cell_id: search for search in self.cells}
        return (
            {cell_id: search.tuned() for cell_id, search in ids.items()},
            {cell_id: common[group_of(search.cell)] for cell_id, search in ids.items()},
        )

    def still_to_run(self) -> list[Cell]:
        """Return the cell of every search trial that has not ended, at most."""
        found: list[Cell] = []
        for search in self.cells:
            running = search.num_running()
            unknown = most_candidates(self._plan.space) - len(self.candidates)
            unknown += most_finalists(self._plan, search.cell)
            to_come = len(search.missing()) + (unknown if search.finals is None else 0)
            found += [search.cell] * (running if self._closed else to_come)
        return found

    def _num_missing(self) -> int:
        return sum(len(cell.missing()) for cell in self.cells)

    def _extend(self) -> bool:
        """Add the next candidates to every cell, or at the end of the list the finalists; return whether either."""
        if any(search.finals is not None for search in self.cells):
            return False
        if new := self._next_candidates():
            self._add(new)
            self._remember(self.candidates)
            return True
        common = self._common()
        for search in self.cells:
            own = common[group_of(search.cell)]
            search.add_finalists(finalists(self._plan, search.cell, self._ledger.outcomes, own))
        return True

    def _next_candidates(self) -> list[Params]:
        """Return the next round of the list; empty if the list is complete, or the space is exhausted."""
        space, known = self._plan.space, len(self.candidates)
        if first := first_candidates(space)[known : space.racing.num_samples]:
            return first
        scores, new = self._scores().mean(0), []
        for _ in range(min(space.racing.in_flight_per_cell, space.racing.num_samples - known)):
            found = self._propose(space, [*self.candidates, *new], scores)
            new += [found] if found is not None else []
        return new

    def _add(self, candidates: list[Params]) -> None:
        self.candidates += candidates
        for search in self.cells:
            search.add_candidates(candidates)

    def _scores(self) -> np.ndarray:
        """Return the share of the other candidates that each beats in each open cell. [cells, candidates]."""
        return np.array([win_rates(search.outcomes()) for search in self.cells])

    def _common(self) -> dict[tuple, Params]:
        """Return the common configuration of each group of cells; before any trial, the first point to evaluate."""
        candidates = self.candidates or [self._plan.space.point_params(0)]
        scores = self._scores() if self.candidates else np.zeros((len(self.cells), 1))
        return common_candidates([search.cell for search in self.cells], candidates, scores)
