"""Choose what a study measures: the finalists of a cell, its winner, and the candidate that cells have in common."""

import json
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from study.plan.plan import Cell, Plan
from study.records.columns import SEARCH_REPLICATE
from study.records.manifest import Params
from study.search.candidates import most_candidates
from study.trial.outcome import Outcome


def group_of(cell: Cell) -> tuple:
    """Return what cells with one common configuration share: the values of the arms, and the variant."""
    return cell.arm, cell.variant


def neighbours(cell: Cell, cells: Iterable[Cell]) -> list[Cell]:
    """Return the next smaller and larger C at the same N, and N at the same C, in the same arm and variant."""
    own = [other for other in cells if group_of(other) == group_of(cell)]
    same_size = [other for other in own if other.num_sequences == cell.num_sequences]
    same_context = [other for other in own if other.context_length == cell.context_length]
    by_context, by_size = (lambda c: c.context_length), (lambda c: c.num_sequences)
    return [*_next_to(cell, same_size, by_context), *_next_to(cell, same_context, by_size)]


def _next_to(cell: Cell, others: Sequence[Cell], key) -> list[Cell]:
    smaller = [other for other in others if key(other) < key(cell)]
    larger = [other for other in others if key(other) > key(cell)]
    return [*([max(smaller, key=key)] if smaller else []), *([min(larger, key=key)] if larger else [])]


def most_finalists(plan: Plan, cell: Cell) -> int:
    """Return the most trials that a cell's second round can have; one finalist alone needs none."""
    most = min(2 + len(neighbours(cell, plan.cells)), most_candidates(plan.space))
    return most if most > 1 else 0


def nominee(plan: Plan, cell: Cell, outcomes: Mapping[str, Outcome]) -> Params | None:
    """Return the searched values of a cell's best completed trial of the list (ties: the first id), or None."""
    own = [
        (-outcome.value, trial_id)
        for trial_id, outcome in outcomes.items()
        if outcome.cell_id == cell.cell_id and outcome.replicate == SEARCH_REPLICATE and outcome.is_completed
    ]
    return searched_values(plan, outcomes[min(own)[1]].config) if own else None


def searched_values(plan: Plan, config: str) -> Params:
    """Return the searched values of a recorded configuration."""
    values = json.loads(config)
    return {key: values[key] for key in plan.space.search}


def common_candidates(cells: Sequence[Cell], candidates: Sequence[Params], scores: np.ndarray) -> dict[tuple, Params]:
    """Return the candidate with the best mean score over the cells of each group (ties: the first).

    scores: [cells, candidates].
    """
    found = {}
    for group in dict.fromkeys(map(group_of, cells)):
        own = scores[[group_of(cell) == group for cell in cells]].mean(0)
        found[group] = candidates[int(own.argmax())]
    return found


def finalists(plan: Plan, cell: Cell, outcomes: Mapping[str, Outcome], common: Params) -> list[Params]:
    """Return the candidates of a cell's second round: its own best, the common one, its neighbours' best."""
    best = [nominee(plan, one, outcomes) for one in (cell, *neighbours(cell, plan.cells))]
    ordered = [best[0], common, *best[1:]]
    return [params for i, params in enumerate(ordered) if params is not None and params not in ordered[:i]]


def winner(entries: Sequence[tuple[Params, Outcome | None]]) -> Params | None:
    """Return the finalist with the highest validation Hit@5 among the completed ones (ties: the first), or None."""
    completed = [(params, outcome.value) for params, outcome in entries if outcome is not None and outcome.is_completed]
    return max(completed, key=lambda entry: entry[1])[0] if completed else None
