"""Rank statistics against values worked out by hand or by enumeration."""

from itertools import permutations

import numpy as np
import pytest

from lvm_core.ranks import chance_hit_at_k, hit_at_k, hit_at_k_in_pool, reciprocal_rank


def test_hit_at_k_of_hand_computed_ranks_and_ties():
    rank, ties = [1, 5, 6, 4, 5, 1], [0, 0, 0, 3, 1, 9]
    # rank 4 with 3 ties: places 4..7, two of four within 5; rank 5 with 1 tie: one of two; rank 1 with 9: 5 of 10
    assert hit_at_k(rank, ties, 5) == pytest.approx([1, 1, 0, 0.5, 0.5, 0.5])


def test_reciprocal_rank_averages_over_tied_places():
    assert reciprocal_rank([2, 1], [0, 2]) == pytest.approx([0.5, (1 + 1 / 2 + 1 / 3) / 3])


def test_a_constant_predictor_scores_chance_whatever_the_pool():
    for pool in (7, 50, 1000):
        assert hit_at_k([1], [pool - 1], 5)[0] == pytest.approx(chance_hit_at_k(5, pool))


def test_smaller_pool_equals_the_enumeration_of_all_draws():
    pool, smaller, k, rank = 6, 4, 2, 3
    others = ["near"] * (rank - 1) + ["far"] * (pool - rank)
    draws = [draw[: smaller - 1] for draw in permutations(others)]
    expected = np.mean([draw.count("near") <= k - 1 for draw in draws])
    assert hit_at_k_in_pool([rank], [0], k, pool, smaller)[0] == pytest.approx(expected)


def test_hit_at_k_in_the_whole_pool_is_hit_at_k_even_with_ties():
    rank, ties = np.array([1, 4, 5, 9]), np.array([0, 3, 1, 1])
    assert hit_at_k_in_pool(rank, ties, 5, 10, 10) == pytest.approx(hit_at_k(rank, ties, 5))


def test_a_pool_of_k_candidates_is_always_a_hit():
    assert hit_at_k_in_pool([1, 40, 100], [0, 0, 0], 5, 100, 5) == pytest.approx([1, 1, 1])


def test_a_larger_pool_is_refused():
    with pytest.raises(ValueError, match="1 <= smaller_pool <= pool_size must hold, got 11 and 10"):
        hit_at_k_in_pool([1], [0], 5, 10, 11)
