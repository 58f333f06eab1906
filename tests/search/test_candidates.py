"""One list of candidates: what it begins with, what its model sees, and when a space has no more of them."""

import numpy as np
import pytest

from study.search.candidates import NUM_STARTUP, first_candidates, most_candidates, next_candidate
from study.space.file import load_space
from study.space.space import Space


@pytest.fixture
def space(tiny_space) -> Space:
    return load_space(tiny_space, None, [], {})


def score(params: dict) -> float:
    """A synthetic score: the best learning rate is 0.02."""
    return -abs(np.log10(params["learning_rate"] / 0.02))


def searched(space: Space, number: int) -> list[dict]:
    """Return a list of so many candidates, each proposed once all before it have a score."""
    found = first_candidates(space)
    while len(found) < number:
        found.append(next_candidate(space, found, [score(params) for params in found]))
    return found


def test_the_list_begins_with_the_points_to_evaluate_and_then_draws_until_the_model_can_learn(space):
    first = first_candidates(space)
    assert first[0] == {"learning_rate": 1e-2, "alpha": 0.03}
    assert len(first) == NUM_STARTUP
    assert all(space.search[key].contains(value) for params in first for key, value in params.items())


def test_another_seed_draws_other_candidates_and_the_same_seed_the_same(tiny_space, space):
    other = load_space(tiny_space, None, [], {"seed": 1})
    assert searched(space, 8) == searched(space, 8)
    assert first_candidates(other)[1:] != first_candidates(space)[1:]


def test_the_model_proposes_better_candidates_than_the_random_first_ones(tiny_space):
    """In lists of 8 of six seeds: the best that the model proposes against the best of as many random draws."""
    ours, drawn = [], []
    for seed in range(6):
        space = load_space(tiny_space, None, [], {"seed": seed})
        ours.append(max(score(params) for params in searched(space, 8)[NUM_STARTUP:]))
        rates = 10 ** np.random.default_rng(seed).uniform(-4, -1, 8 - NUM_STARTUP)
        drawn.append(max(score({"learning_rate": rate}) for rate in rates))
    assert np.mean(ours) > np.mean(drawn) + 0.1
    assert min(ours) > -0.3, "within a factor of two of the best rate, every time"


def test_the_model_uses_scores_and_knows_of_running_candidates(space):
    tried = searched(space, 8)
    scores = [score(params) for params in tried]
    assert next_candidate(space, tried, scores) != next_candidate(space, tried, scores[::-1])
    assert next_candidate(space, tried, scores[:6]) not in tried


def test_a_finite_space_ends_the_list_and_nothing_is_proposed_twice(tiny_space):
    settings = ["search={learning_rate: null}", "start=[{alpha: 0.03}]", "fixed.learning_rate=0.01"]
    space = load_space(tiny_space, None, settings, {})
    assert first_candidates(space) == [{"alpha": 0.03}, {"alpha": 0.3}]
    assert next_candidate(space, [{"alpha": 0.03}], [0.5]) == {"alpha": 0.3}
    assert next_candidate(space, first_candidates(space), [0.5, 0.5]) is None
    assert most_candidates(space) == 2


def test_a_list_is_as_long_as_asked_for_or_as_a_finite_space_allows(tiny_space):
    """A space of 2 values of alpha and 3 of hidden_dim."""
    integers = "search={learning_rate: null, hidden_dim: {low: 6, high: 8}}"
    settings = [integers, "fixed={hidden_dim: null, learning_rate: 0.01}", "start=[{hidden_dim: 8}]"]
    for asked, most in ((4, 4), (9, 6)):
        assert most_candidates(load_space(tiny_space, None, [*settings, f"racing.num_samples={asked}"], {})) == most
    assert most_candidates(load_space(tiny_space, None, ["racing.num_samples=99"], {})) == 99
