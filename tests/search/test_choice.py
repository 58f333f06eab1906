"""Who is tried in which cell, and what a study measures in the end."""

import json

import numpy as np
import pytest

from study.plan.plan import Plan, make_plan
from study.search.choice import common_candidates, finalists, most_finalists, neighbours, nominee, winner
from study.space.file import load_space
from study.trial.outcome import Outcome

A, B, C = ({"learning_rate": rate, "alpha": 0.03} for rate in (0.001, 0.01, 0.05))


@pytest.fixture
def plan(tiny_space, small_corpus) -> Plan:
    settings = ["cells={context_length: [1, 2, 4], num_sequences: [20, 40, 60]}", "arms.anchor=[last, ema]"]
    return make_plan("s", load_space(tiny_space, None, settings, {}), small_corpus)


def cell(plan: Plan, context: int, size: int, anchor: str = "last"):
    return next(c for c in plan.cells if c.cell_id == f"C{context}_N{size}_anchor{anchor}")


def outcomes_of(plan: Plan, values: dict, replicate: int = 0, status: str = "completed") -> dict[str, Outcome]:
    """Return made outcomes: values is {(cell, number): (params, Hit@5)}."""
    made = {}
    for (one, _), (params, value) in values.items():
        spec = plan.spec(one, "search", replicate, params)
        made[spec.trial_id] = Outcome(one.cell_id, status, value, json.dumps(spec.recipe), ((1, value),), replicate)
    return made


def test_neighbours_are_the_next_cells_along_both_axes_in_the_same_arm(plan):
    found = [one.cell_id for one in neighbours(cell(plan, 2, 40), plan.cells)]
    assert sorted(found) == [f"{name}_anchorlast" for name in ("C1_N40", "C2_N20", "C2_N60", "C4_N40")]
    assert len(neighbours(cell(plan, 1, 20, "ema"), plan.cells)) == 2


def test_the_second_round_has_the_cells_best_the_common_one_and_the_neighbours_best_without_repeats(plan):
    own, right, below = cell(plan, 1, 20), cell(plan, 1, 40), cell(plan, 2, 20)
    values = {(own, 0): (A, 0.3), (own, 1): (B, 0.2), (right, 0): (B, 0.4), (below, 0): (A, 0.5)}
    assert finalists(plan, own, outcomes_of(plan, values), common=C) == [A, C, B]
    assert finalists(plan, own, outcomes_of(plan, values), common=A) == [A, B]
    assert most_finalists(plan, own) == 4
    assert most_finalists(plan, cell(plan, 2, 40)) == 4, "no more than there are candidates"


def test_only_completed_trials_of_the_list_nominate(plan):
    one = cell(plan, 1, 20)
    listed = outcomes_of(plan, {(one, 0): (A, 0.3), (one, 1): (B, 0.4)})
    second_round = outcomes_of(plan, {(one, 0): (C, 0.9)}, replicate=-1)
    pruned = outcomes_of(plan, {(one, 0): (C, 0.8)}, status="pruned")
    assert nominee(plan, one, listed | second_round | pruned) == B
    assert nominee(plan, one, second_round | pruned) is None


def test_the_common_configuration_has_the_best_mean_score_over_the_cells_of_its_arm(plan):
    cells = [cell(plan, 1, 20), cell(plan, 1, 40), cell(plan, 1, 20, "ema")]
    scores = np.array([[1.0, 0.6, 0.0], [0.0, 0.6, 1.0], [0.0, 0.0, 1.0]])
    found = common_candidates(cells, [A, B, C], scores)
    assert list(found.values()) == [B, C]


def test_the_second_round_is_won_by_the_best_completed_finalist(plan):
    done, pruned = (Outcome("C1_N20", status, 0.5) for status in ("completed", "pruned"))
    better = Outcome("C1_N20", "completed", 0.6)
    assert winner([(A, done), (B, better), (C, None)]) == B
    assert winner([(A, done), (B, done)]) == A
    assert winner([(A, pruned), (B, None)]) is None
