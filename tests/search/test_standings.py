"""Candidates are compared fairly, whatever ASHA left of their trials."""

import pytest

from study.search.standings import win_rates
from study.trial.outcome import Outcome


def outcome(status: str, *values: float) -> Outcome:
    return Outcome("C1_N20", status, values[-1] if values else None, "{}", tuple(enumerate(values, 1)))


def test_completed_trials_are_ranked_by_their_best():
    cell = [outcome("completed", 0.1, 0.5), outcome("completed", 0.2, 0.3), outcome("completed", 0.3, 0.4)]
    assert win_rates(cell).tolist() == [1.0, 0.0, 0.5]


def test_a_pruned_trial_is_compared_at_the_last_evaluation_that_both_reached():
    """The first trial of a cell is never pruned; a better one that was pruned later must not lose to it."""
    first, winner, pruned = (
        outcome("completed", 0.1, 0.15, 0.2),
        outcome("completed", 0.4, 0.5, 0.6),
        outcome("pruned", 0.3),
    )
    assert win_rates([first, winner, pruned]).tolist() == [0.0, 1.0, 0.5]


def test_a_trial_that_stopped_early_keeps_its_best():
    assert win_rates([outcome("completed", 0.5), outcome("completed", 0.2, 0.6)]).tolist() == [0.0, 1.0]
    assert win_rates([outcome("completed", 0.5), outcome("pruned", 0.2, 0.6)]).tolist() == [0.0, 1.0]


def test_ties_count_half_and_a_single_candidate_has_beaten_none():
    assert win_rates([outcome("completed", 0.5), outcome("pruned", 0.5)]).tolist() == [0.5, 0.5]
    assert win_rates([outcome("completed", 0.5)]).tolist() == [0.0]


@pytest.mark.parametrize("lost", [outcome("diverged", 0.9), outcome("failed"), outcome("timeout", 0.9), None])
def test_what_gave_no_result_beats_none_and_loses_to_every_other(lost):
    assert win_rates([lost, outcome("pruned", 0.1), lost]).tolist() == [0.0, 1.0, 0.0]
