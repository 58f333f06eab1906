"""Published figures at another pool: bounds that no ranks leave and that some reach, and the model's measured error."""

from dataclasses import replace

import numpy as np
import pytest

from lvm_core.ranks import hit_at_k_in_pool
from study.analysis import pools
from study.analysis.equal_pool_error import equal_pool_error
from study.analysis.pool_bounds import pool_bounds
from study.analysis.pools import equal_pool, published_at_equal_pool
from tests.planted import LAWS, POOL, planted_study

POOL_BEFORE, POOL_AFTER = 300, 60


def read(ranks: np.ndarray, pool: int) -> dict[int, float]:
    """Return Hit@1, 5 and 10 of ranks among POOL_BEFORE candidates, at a pool."""
    none = np.zeros(len(ranks))
    return {k: float(hit_at_k_in_pool(ranks, none, k, POOL_BEFORE, pool).mean()) for k in (1, 5, 10)}


@pytest.mark.parametrize("seed", range(20))
def test_the_exact_value_of_any_ranks_lies_inside_the_bounds(seed):
    rng = np.random.default_rng(seed)
    ranks = 1 + np.floor(POOL_BEFORE * rng.beta(*rng.uniform(0.1, 3, 2), size=400)).astype(int).clip(0, POOL_BEFORE - 1)
    found, exact = pool_bounds(read(ranks, POOL_BEFORE), POOL_BEFORE, POOL_AFTER), read(ranks, POOL_AFTER)
    for k, (low, high) in found.items():
        assert low - 1e-12 <= exact[k] <= high + 1e-12
    assert found[5][1] - found[5][0] > 0.01


def test_ranks_at_the_ends_of_their_intervals_reach_both_bounds():
    low_ends, high_ends = (np.repeat(ends, [40, 30, 10, 20]) for ends in ([1, 2, 6, 11], [1, 5, 10, POOL_BEFORE]))
    figures = read(low_ends, POOL_BEFORE)
    assert figures == read(high_ends, POOL_BEFORE) == pytest.approx({1: 0.4, 5: 0.7, 10: 0.8})
    found = pool_bounds(figures, POOL_BEFORE, POOL_AFTER)
    for k in figures:
        assert found[k] == pytest.approx((read(high_ends, POOL_AFTER)[k], read(low_ends, POOL_AFTER)[k]))


def test_at_the_same_pool_the_bounds_are_the_figures_and_at_a_larger_one_only_the_trivial_ones():
    figures = {1: 0.4, 5: 0.6, 10: 0.7}
    assert pool_bounds(figures, 100, 100) == {k: pytest.approx((hit, hit)) for k, hit in figures.items()}
    assert pool_bounds(figures, 100, 200) == {k: (0.0, hit) for k, hit in figures.items()}


def test_the_error_of_equal_pool_is_its_figure_minus_the_exact_one_from_the_recorded_ranks():
    study = planted_study(LAWS["odds"], seed=0, num_search=1, chains=8, queries=16)
    study = replace(study, trials=study.trials[study.trials.context_length == 4])
    table = equal_pool_error(study, 500, 50).set_index("cell_id")
    trials = study.measured("confirm").query("cell_id == 'C4_N500'").trial_id
    ranks = np.concatenate([study.test_ranks[trial_id]["rank"] for trial_id in trials])
    none = np.zeros(len(ranks))
    hits = {k: float(hit_at_k_in_pool(ranks, none, k, POOL, 500).mean()) for k in (1, 5, 10)}
    row = table.loc["C4_N500"]
    assert row.exact == pytest.approx(hit_at_k_in_pool(ranks, none, 5, POOL, 50).mean())
    assert row.equal_pool == pytest.approx(equal_pool(hits, 500, 50)[5])
    assert row.error == pytest.approx(row.equal_pool - row.exact)
    assert (table.lowest <= table.exact).all() and (table.exact <= table.highest).all()
    assert equal_pool_error(study, POOL + 1, 50).empty, "a larger pool was not recorded"


def test_every_published_figure_stands_with_its_bounds_and_the_models_error(monkeypatch):
    monkeypatch.setattr(pools, "NUM_DRAWS", 2)
    table = published_at_equal_pool(115).set_index("run")
    converted = table.drop("Phase 3")
    assert (converted.lowest < converted.hit_at_5_reread).all() and (
        converted.hit_at_5_reread < converted.highest
    ).all()
    assert table.loc["Phase 3", "lowest"] == table.loc["Phase 3", "highest"] == pytest.approx(0.7565)
    assert (table.corrected_low <= table.corrected_high).all()
    assert (table.corrected_low >= table.lowest).all() and (table.corrected_high <= table.highest).all()
    assert published_at_equal_pool(58).corrected_low.isna().all(), "the error is measured at 115 candidates"
