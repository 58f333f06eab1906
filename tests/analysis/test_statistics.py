"""Every statistic by hand, and against a reference library where one exists."""

import ir_measures
import numpy as np
import pandas as pd
import pytest
from ir_measures import RR, Success
from scipy.stats import betabinom
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from lvm_core.errors import InputError
from lvm_core.ranks import hit_at_k, reciprocal_rank
from study.analysis.elasticity import classify, elasticities
from study.analysis.hit_map import HitMap
from study.analysis.holm import holm
from study.analysis.intervals import draws, wilson
from study.analysis.pools import equal_pool, fit_beta_binomial, published_at_equal_pool
from study.analysis.thresholds import crossing, least_from_which_on
from study.analysis.units import Units
from study.analysis.windows import TrainingPart, windows_of


@pytest.mark.parametrize(("hits", "count"), [(0, 40), (7, 40), (40, 40), (613, 2000)])
def test_wilson_agrees_with_statsmodels(hits, count):
    assert wilson(hits, count) == pytest.approx(proportion_confint(hits, count, method="wilson"), abs=1e-9)


def test_holm_agrees_with_statsmodels():
    p_values = np.random.default_rng(0).random(30) ** 3
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-9)


def test_holm_by_hand():
    assert holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])


def test_hit_at_k_and_mrr_agree_with_ir_measures():
    """Each query has a list of candidates with scores that fall with the rank; the target is its only relevant one."""
    ranks = np.random.default_rng(0).integers(1, 40, 50)
    qrels = [ir_measures.Qrel(str(query), "target", 1) for query in range(len(ranks))]
    run = [
        ir_measures.ScoredDoc(str(query), "target" if place == rank else f"d{place}", 100.0 - place)
        for query, rank in enumerate(ranks)
        for place in range(1, 41)
    ]
    measured = ir_measures.calc_aggregate([Success @ 1, Success @ 5, Success @ 10, RR], qrels, run)
    none = np.zeros(len(ranks), int)
    for k in (1, 5, 10):
        assert hit_at_k(ranks, none, k).mean() == pytest.approx(measured[Success @ k], abs=1e-9)
    assert reciprocal_rank(ranks, none).mean() == pytest.approx(measured[RR], abs=1e-9)


def test_drawing_one_unit_less_gives_a_resampled_mean_the_variance_of_the_mean():
    values = np.array([0.1, 0.5, 0.9])
    share = draws(np.random.default_rng(0), 3, 200_000)
    resampled = share @ values / share.sum(1)
    assert resampled.var() == pytest.approx(values.var(ddof=1) / 3, rel=0.01)


def test_equal_pool_gives_the_published_runs_at_115_candidates():
    """85, 74, 76 and 56 %: section 1 of the design notes."""
    found = published_at_equal_pool(115).set_index("run").hit_at_5_reread
    assert (found.round(2).loc[["Phase 1", "Phase 2", "Phase 3", "Phase 3.5"]] == [0.85, 0.74, 0.76, 0.56]).all()


def test_equal_pool_of_beta_binomial_ranks_is_exact():
    hits = {k: betabinom.cdf(k - 1, 499, 0.4, 6.0) for k in (1, 5, 10)}
    assert fit_beta_binomial(hits, 500) == pytest.approx((0.4, 6.0), rel=1e-4)
    for pool in (60, 500, 4000):
        expected = {k: betabinom.cdf(k - 1, pool - 1, 0.4, 6.0) for k in hits}
        assert equal_pool(hits, 500, pool) == pytest.approx(expected, abs=1e-6)


def test_equal_pool_of_chance_is_chance():
    assert equal_pool({1: 0.01, 5: 0.05, 10: 0.1}, 100, 50) == pytest.approx({1: 0.02, 5: 0.1, 10: 0.2}, abs=1e-4)


@pytest.mark.parametrize(
    ("hits", "pool", "new_pool", "message"),
    [
        ({5: 0.6}, 100, 50, "two or more"),
        ({1: 40.0, 5: 59.0}, 100, 50, "Divide percentages by 100"),
        ({1: 0.6, 5: 0.5}, 100, 50, "do not fall"),
        ({1: 0.1, 10: 0.5}, 100, 8, "Leave the large K out"),
    ],
)
def test_equal_pool_refuses_impossible_figures(hits, pool, new_pool, message):
    with pytest.raises(InputError, match=message):
        equal_pool(hits, pool, new_pool)


def test_the_smallest_size_from_which_all_larger_ones_hold():
    sizes = np.array([125.0, 500, 1000, 2000])
    assert least_from_which_on(sizes, [True, True, True, True]) == 125
    assert least_from_which_on(sizes, [True, False, True, True]) == 1000
    assert np.isinf(least_from_which_on(sizes, [True, True, True, False]))


def test_a_crossing_is_interpolated_in_the_logarithm_of_n():
    sizes = np.array([100.0, 400, 1600])
    lifts = np.array([[-0.1, 0.1, 0.2], [0.1, 0.1, 0.1], [0.1, -0.1, 0.3], [0.1, 0.1, -0.1]])
    expected = [200, 100, 400 * 4**0.25, np.inf]
    assert crossing(sizes, lifts) == pytest.approx(expected)
    assert crossing(sizes, lifts[:1], margin=0.1)[0] == pytest.approx(400)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(1.1, 1.4, "superlinear"), (0.1, 0.4, "sublinear"), (-0.01, 0.015, "flat"), (-0.3, -0.1, "falling"),
     (-0.1, 0.3, "undecided"), (0.8, 1.2, "undecided"), (0.01, 0.3, "sublinear"), (-0.3, -0.01, "falling")],
)  # fmt: skip
def test_the_verdict_on_an_elasticity_follows_from_its_interval(low, high, verdict):
    assert classify(low, high) == verdict


def hits_of(rates: dict[tuple[int, int], float], num_queries=1200, replicates=3, seed=0) -> HitMap:
    """Return a map of random hits at these rates, on 40 documents."""
    rng, chain_ids = np.random.default_rng(seed), np.repeat(np.arange(40), num_queries // 40)
    hits = [(rng.random((replicates, num_queries)) < rate) for rate in rates.values()]
    return HitMap.of_hits(list(rates), hits, Units.of(chain_ids, np.arange(num_queries)), 0.005, seed)


def test_an_elasticity_is_the_slope_between_neighbouring_contexts():
    hit_map = hits_of({(1, 100): 0.1, (4, 100): 0.2, (16, 100): 0.4})
    table = elasticities(hit_map)
    mean = dict(zip(hit_map.context_length, hit_map.mean, strict=True))
    first = table[(table.from_context == 1) & (table.to_context == 4) & (table.num_sequences == 100)].iloc[0]
    assert first.elasticity == pytest.approx(np.log(mean[4] / mean[1]) / np.log(4))
    whole = table.iloc[-1]
    assert whole.verdict == "sublinear", "Hit@5 doubles where C grows fourfold"
    assert (whole.from_context, whole.to_context) == (1, 16)
    assert whole.low < np.log(mean[16] / mean[1]) / np.log(16) < whole.high


def test_a_cell_without_a_hit_leaves_the_elasticity_undecided():
    table = elasticities(hits_of({(1, 100): 0.0, (4, 100): 0.3}))
    assert set(table.verdict) == {"undecided"}
    assert table.elasticity.isna().all()


def test_windows_are_tied_to_the_corpus_as_published():
    """637,997 vectors cut with half an overlap gave about 12,757, 2,550, 1,274 and 636 windows."""
    contexts = np.array([100, 500, 1000, 2000])
    assert windows_of(637_997, contexts, 0.5).tolist() == [12758, 2550, 1274, 636]
    assert windows_of(101, np.array([100, 101, 500]), 0.5).tolist() == [1, 0, 0]
    assert windows_of(1000, np.array([1]), 0.5).tolist() == [999], "windows are at least one vector apart"


def test_windows_are_counted_document_by_document():
    """Documents of 5, 5 and 9 vectors. With C=4, a window has 5 vectors: 1 + 1 + 3 at steps of 2, 1 + 1 + 2 of 4."""
    part = TrainingPart(np.array([5, 9]), np.array([2, 1]), by_document=True)
    assert part.num_vectors == 19
    assert part.num_windows(np.array([2, 4, 8, 9]), 0.5).tolist() == [13, 5, 1, 0]
    assert part.num_windows(np.array([4]), 0.0).tolist() == [4]
    assert part.grown(3).num_windows(np.array([4]), 0.5).tolist() == [15]
    whole = TrainingPart.of_vectors(19)
    assert whole.num_windows(np.array([4]), 0.5).tolist() == [8], "as if no document ended"
    assert whole.grown(2).num_windows(np.array([4]), 0.5).tolist() == windows_of(38, np.array([4]), 0.5).tolist()


def test_the_map_has_draws_of_the_noise_of_its_cells():
    rates = {(1, 100): 0.3, (4, 100): 0.3}
    hit_map = hits_of(rates)
    assert hit_map.resampled.shape == (1000, 2)
    assert np.abs(hit_map.deviations.mean(0)).max() < 0.003
    kept = hit_map.keep(np.array([False, True]))
    assert kept.context_length.tolist() == [4]
    assert isinstance(hit_map.table(), pd.DataFrame)
