"""Intervals of means and differences: by hand, against the analysis of variance, and how often they hold the truth."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import t

from study.analysis import mrmc
from study.analysis.best import best_configs
from study.analysis.cells import cells, per_query
from study.analysis.compare import comparisons, counts
from study.analysis.hit_map import HitMap
from study.analysis.joint import Noise, drawn_lifts
from study.analysis.search_noise import search_noise
from study.analysis.two_maps import two_maps
from study.analysis.units import Units
from study.records.manifest import Chosen
from tests.manifests import content
from tests.planted import CONTEXTS, SIZES, Shape, planted_ranks, planted_study

FLAT = np.full(len(CONTEXTS) * len(SIZES), 0.5)
SMALL = {"grid": ((1, 4), (125, 500)), "queries": 16}


def documents(chain_ids: np.ndarray) -> Units:
    return Units.of(chain_ids, np.arange(len(chain_ids)))


def test_a_variance_is_that_of_the_two_way_analysis_of_variance():
    """With one query a document: (MS of replicates + MS of documents - MS of the interaction) / (R D)."""
    values = np.random.default_rng(0).normal(size=(4, 30)) + np.random.default_rng(1).normal(size=30)
    found = mrmc.mean(values, documents(np.arange(30)))
    rows, columns, overall = values.mean(1), values.mean(0), values.mean()
    ms_replicates = 30 * rows.var(ddof=1)
    ms_documents = 4 * columns.var(ddof=1)
    left = values - rows[:, None] - columns + overall
    ms_interaction = (left**2).sum() / (3 * 29)
    assert found.value == pytest.approx(overall)
    assert found.variance == pytest.approx((ms_replicates + ms_documents - ms_interaction) / (4 * 30))


def test_with_one_replicate_the_interval_is_that_of_the_documents_means():
    values = np.random.default_rng(0).random((1, 60))
    found = mrmc.mean(values, documents(np.repeat(np.arange(12), 5)))
    means = values.reshape(12, 5).mean(1)
    half = t.isf(0.025, 11) * means.std(ddof=1) / np.sqrt(12)
    assert found.interval == pytest.approx((means.mean() - half, means.mean() + half))


def test_a_paired_difference_is_the_mean_over_the_queries():
    first, second = np.array([[1.0, 0, 0, 1, 0, 0, 0, 0]]), np.array([[1.0, 1, 1, 0, 0, 1, 0, 0]])
    units = documents(np.array([0, 0, 1, 1, 2, 2, 3, 3]))
    assert mrmc.difference(second, first, units).value == pytest.approx(2 / 8)
    found = counts(first, second, units)
    assert (found["num_better"], found["num_worse"], found["num_chains"]) == (3, 1, 4)


def test_a_difference_between_equal_trials_is_zero():
    values = np.random.default_rng(0).random((3, 40))
    found = mrmc.difference(values, values, documents(np.repeat(np.arange(8), 5)))
    assert (found.value, *found.interval, found.p_value) == (0, 0, 0, 1)


def test_replicates_borrow_from_their_family_as_far_as_it_is_alike():
    """Of 200 differences that are 0, few may have a small p-value; two degrees of freedom alone give too many."""
    found = []
    for seed in range(8):
        hits = (planted_ranks(np.full(26, 0.5), np.random.default_rng(seed), Shape()) <= 5) * 1.0
        found.append([mrmc.difference(two, one, Shape().units) for one, two in pairwise(hits)])
    alone, together = (
        [one.p_value for family in families for one in family] for families in (found, map(mrmc.moderated, found))
    )
    assert np.mean(np.array(together) < 0.01) <= np.mean(np.array(alone) < 0.01)
    assert np.mean(np.array(together) < 0.05) <= 0.09
    unlike = [mrmc.Estimate(0.0, mrmc.Part(variance, 2.0)) for variance in (1e-8, 1e-4, 1.0, 1e4)]
    kept = [one.variance for one in mrmc.moderated(unlike)]
    assert kept[1:] == pytest.approx([one.variance for one in unlike[1:]], rel=0.5)
    alike = [mrmc.Estimate(0.0, mrmc.Part(variance, 2.0)) for variance in (0.9, 1.0, 1.1)]
    assert len({one.variance for one in mrmc.moderated(alike)}) == 1


def test_replicates_that_agree_by_chance_borrow_too_and_so_does_a_single_one():
    family = [mrmc.Estimate(0.01, mrmc.Part(variance, 2.0), mrmc.Part(1e-6, 50.0)) for variance in (1e-4, 1e-4, 1.1e-4)]
    agreeing = mrmc.Estimate(0.01, mrmc.Part(0.0, 2.0), mrmc.Part(1e-6, 50.0))
    single = mrmc.Estimate(0.01, documents=mrmc.Part(1e-6, 50.0))
    unvaried = mrmc.Estimate(0.0, mrmc.Part(0.0, 2.0), mrmc.Part(0.0, 50.0))
    like, *_, first, second, third = mrmc.moderated([*family, agreeing, single, unvaried])
    assert first.runs.variance == pytest.approx(like.runs.variance) and first.p_value > 0.05
    assert second.runs.variance == pytest.approx(3 * like.runs.variance), "the family's are means over three replicates"
    assert third == unvaried
    assert mrmc.moderated([single, single, single, single]) == [single] * 4, "nothing to borrow from"


def test_a_model_with_one_replicate_left_varies_as_the_other_does():
    """The mean square of the difference from its truth, against the variance that is estimated for it."""
    shape, rng = Shape(replicates=3), np.random.default_rng(0)
    error, claimed, fixed = [], [], []
    for _ in range(200):
        first, second = (planted_ranks(np.array([0.5, 0.5]), rng, shape, spread=6.0) <= 5) * 1.0
        error.append(second.mean() - first[0].mean())
        claimed.append(mrmc.difference(second, first[:1], shape.units, trained=True).variance)
        fixed.append(mrmc.difference(second, first[:1], shape.units).variance)
    assert np.mean(claimed) == pytest.approx(np.mean(np.square(error)), rel=0.3)
    assert np.mean(fixed) < 0.5 * np.mean(claimed), "a baseline without replicates does not vary by them"


def test_pairing_on_queries_narrows_the_interval():
    first, second = planted_ranks(np.array([0.5, 0.5]), np.random.default_rng(0), Shape()) <= 5
    units = Shape().units
    together = mrmc.difference(second.astype(float), first.astype(float), units)
    apart = sum(mrmc.mean(one.astype(float), units).variance for one in (first, second))
    assert together.variance < 0.5 * apart


def test_sets_of_unequal_size_are_paired_by_their_documents_alone():
    first, second = (planted_ranks(np.array([0.5, 0.5]), np.random.default_rng(0), Shape(replicates=4)) <= 5) * 1.0
    units = Shape().units
    all_paired, fewer = mrmc.difference(second, first, units), mrmc.difference(second, first[:3], units)
    assert fewer.value == pytest.approx(second.mean() - first[:3].mean())
    assert all_paired.variance < fewer.variance < mrmc.mean(second, units).variance


@pytest.mark.parametrize("documents_of_32", [4, 8, 32])
def test_intervals_cover_a_planted_figure_and_a_planted_difference(documents_of_32):
    shape = Shape(chains=documents_of_32, queries=1000 // documents_of_32)
    rng, covered = np.random.default_rng(0), []
    for _ in range(400):
        first, second = (planted_ranks(np.array([0.5, 0.53]), rng, shape) <= 5) * 1.0
        cell, change = mrmc.mean(first, shape.units), mrmc.difference(second, first, shape.units)
        covered.append((cell.low <= 0.5 <= cell.high, change.low <= 0.03 <= change.high))
    for share in np.mean(covered, axis=0):
        assert 0.92 <= share <= 0.98, "within three standard errors of 0.95"


def test_queries_of_few_documents_are_grouped_in_stretches_and_never_speak_of_documents():
    chain_ids, positions = np.repeat([7, 9], 100), np.arange(200)
    units = Units.of(chain_ids, positions)
    assert (units.kind, units.count, units.num_documents) == ("stretches", 4, 2)
    assert not units.speak_of_documents
    assert units.label == "4 stretches of 50 vectors (2 test documents)"
    assert Units.of(np.arange(200) // 20, positions).label == "10 documents"


def test_queries_of_one_short_passage_are_cut_into_shorter_stretches():
    units = Units.of(np.zeros(35, int), np.arange(1000, 1035))
    assert (units.count, units.label) == (5, "5 stretches of 8 vectors (1 test document)")
    low, high = mrmc.mean(np.random.default_rng(0).random((3, 35)), units).interval
    assert 0 < high - low < 1


def test_joint_draws_have_the_variances_of_the_single_estimates():
    shape = Shape()
    hits = (planted_ranks(FLAT, np.random.default_rng(0), shape) <= 5) * 1.0
    drawn = Noise.of(hits, [n for _, n in shape.cells], shape.units).draw(np.random.default_rng(1), 20_000)
    single = np.mean([mrmc.mean(one, shape.units).variance for one in hits])
    assert drawn.var(0).mean() == pytest.approx(single, rel=0.1)
    steps = np.mean([mrmc.difference(two, one, shape.units).variance for one, two in pairwise(hits)])
    assert np.diff(drawn, axis=1).var(0).mean() == pytest.approx(steps, rel=0.2)


def test_a_lift_drawn_with_others_is_centred_on_its_own_figure():
    shape = Shape()
    hits = (planted_ranks(np.array([0.5, 0.6, 0.4]), np.random.default_rng(0), shape) <= 5) * 1.0
    drawn = drawn_lifts([(hits[0], hits[2][:1]), (hits[1], hits[2])], shape.units)
    expected = [hits[0].mean() - hits[2][0].mean(), hits[1].mean() - hits[2].mean()]
    assert drawn.mean(0) == pytest.approx(expected, abs=0.002)


def test_search_noise_is_estimated_from_the_two_maps():
    found = [search_noise(planted_study(FLAT, seed, common=True, search_noise=0.01)).variance for seed in range(8)]
    none = [search_noise(planted_study(FLAT, seed, common=True)).variance for seed in range(8)]
    assert np.sqrt(np.mean(found)) == pytest.approx(0.01, rel=0.3)
    assert np.mean(none) < 0.2 * 0.01**2


def test_search_noise_widens_differences_between_cells_but_not_lifts():
    study = planted_study(FLAT, seed=0, common=True, search_noise=0.02)
    table = comparisons(study)
    width = (table.high - table.low).groupby(table.comparison).mean()
    common = (table.common_high - table.common_low).groupby(table.comparison).mean()
    assert width["context"] > 1.5 * common["context"]
    assert width["baseline"] == pytest.approx(common["baseline"], rel=0.2)


def test_a_difference_between_arms_has_the_search_noise_of_each():
    """Two sizes, named as arms of one: the arms' searches differ in their luck."""
    study = planted_study(np.full(8, 0.5), seed=0, common=True, search_noise=0.03, grid=((1, 4, 16, 64), (125, 250)))
    names = {f"C{c}_N{n}": f"C{c}_N125_{'ab'[n > 125]}" for c in (1, 4, 16, 64) for n in (125, 250)}
    trials = study.trials.assign(cell_id=study.trials.cell_id.replace(names))
    trials.loc[trials.stage == "confirm", "num_sequences"] = 125
    chosen = {kind: {names[cell]: values for cell, values in cells.items()}
              for kind, cells in content(study)["chosen"].items()}  # fmt: skip
    manifest = study.manifest.model_copy(update={"chosen": Chosen(**chosen)})
    arms = replace(study, trials=trials, manifest=manifest)
    noises = [search_noise(arms, arm) for arm in "ab"]
    table = comparisons(arms).query("comparison == 'arm'")
    own = arms.measured("confirm").groupby("cell_id").trial_id.apply(list)
    hits = [
        [per_query(arms, own[cell])[0] for cell in pair] for pair in zip(table["first"], table["second"], strict=True)
    ]
    pairs = mrmc.moderated([mrmc.difference(after, before, Shape().units) for before, after in hits])
    for row, pair in zip(table.itertuples(), pairs, strict=True):
        for noise in noises:
            pair = pair.with_noise(noise.variance, noise.df)
        assert (row.low, row.high) == pytest.approx(pair.interval)
    assert noises[0].variance != pytest.approx(noises[1].variance, rel=0.05)


def test_the_mean_gain_of_tuning_covers_none_where_replicates_vary():
    covered = []
    for seed in range(24):
        noisy = {125: 3.0, 500: 3.0}
        study = planted_study(np.full(4, 0.5), seed, num_search=1, common=True, noisy=noisy, **SMALL)
        gain = two_maps(study).mean_gain
        covered.append(gain.low <= 0 <= gain.high)
    assert np.mean(covered) >= 0.8, "documents alone would cover half"


def test_a_difference_is_shown_only_where_both_maps_show_it():
    study = planted_study(FLAT, seed=3, common=True, search_noise=0.04)
    table = comparisons(study)
    steps = table[table.comparison.isin(["context", "sequences"])]
    assert not steps.differs.any()
    growing = planted_study(np.repeat([0.3, 0.4, 0.5, 0.6], len(SIZES)), seed=3, common=True)
    table = comparisons(growing)
    assert table[table.comparison == "context"].differs.all()


def test_the_common_map_is_made_of_the_trials_at_the_common_configuration():
    study = planted_study(np.array([0.5] * 4), seed=0, common=True, **SMALL)
    tuned, common = (set(part.measured("confirm").trial_id) for part in (study, study.common))
    assert len(tuned) == len(common) == 12
    assert not tuned & common
    assert study.common.common is None
    assert planted_study(np.array([0.5] * 4), seed=0, **SMALL).common is None, "older studies have one map"


def test_a_collapsed_replicate_is_counted_and_enters_no_figure():
    study = planted_study(np.array([0.5] * 4), seed=1, collapse=0.2, replicates=4, **SMALL)
    table = cells(study)
    assert table.num_collapsed.sum() == len(study.collapsed) > 0
    assert (table.num_replicates + table.num_collapsed == 4).all()
    assert table.hit_at_5.min() > 0.35
    assert study.left_out()["confirm, collapsed"] == len(study.collapsed)
    assert study.missing_confirm == {}, "a collapsed replicate was run"


def test_replicates_of_a_cell_at_chance_do_not_collapse():
    assert planted_study(np.array([0.004] * 4), seed=1, **SMALL).collapsed.empty


def test_stars_hold_for_all_cells_at_once():
    """With no lift anywhere, some cell is starred in at most about one study in twenty."""
    found = [cells(planted_study(FLAT, seed, num_search=1, baseline=0.5)).beats_baseline.any() for seed in range(20)]
    assert sum(found) <= 3


def test_the_best_of_many_equal_cells_is_not_flattered_by_the_choice():
    """Noisy replicates: the mean of the winning cell lies above the truth, and the cross-fitted figure does not."""
    naive, corrected = [], []
    for seed in range(24):
        study = planted_study(FLAT, seed, num_search=1, noisy=dict.fromkeys(SIZES, 4.0))
        table = cells(study)
        naive.append(table.hit_at_5[table.val_hit_at_5.idxmax()])
        corrected.append(best_configs(study, table)["overall"]["hit_at_5"])
    error = np.std(corrected, ddof=1) / np.sqrt(len(corrected))
    assert np.mean(naive) > 0.5 + 3 * error
    assert abs(np.mean(corrected) - 0.5) < 3 * error


def test_a_map_of_one_document_says_so():
    shape = Shape(chains=1, queries=400, grid=((1, 4), (125, 500)))
    hits = planted_ranks(np.array([0.5] * 4), np.random.default_rng(0), shape) <= 5
    found = HitMap.of_hits(shape.cells, list(hits), shape.units, 0.0)
    assert (found.num_chains, found.units.kind, found.units.count) == (1, "stretches", 8)
