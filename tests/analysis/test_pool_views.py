"""Views of the map at other pools, the published reading, the law at a pool, and other data of the report."""

from dataclasses import replace

import numpy as np
import pytest

from lvm_core.ranks import hit_at_k_in_pool
from study.analysis.cells import cells
from study.analysis.diagonal import corpus_diagonal, grid_place
from study.analysis.hit_map import HitMap
from study.analysis.law import fit_law
from study.analysis.law_views import law_view, law_view_at
from study.analysis.patience import patience_marks
from study.analysis.pool_views import PoolReader, first_shown, pool_stops, pool_view, published_views
from study.analysis.pools import pool_curve
from study.analysis.searched import REACHED, searched_lines
from study.analysis.thresholds import thresholds
from study.analysis.windows import TrainingPart
from tests.made_report import NUM_VECTORS, made_study
from tests.planted import POOL, planted_study


@pytest.fixture(scope="module")
def study():
    return made_study()


@pytest.fixture(scope="module")
def reader(study):
    return PoolReader(study)


def test_a_view_has_the_figures_and_intervals_of_the_pool_curve(study, reader):
    curve = pool_curve(study).set_index(["pool", "cell_id"])
    for pool in (10, 115, POOL):
        for cell in pool_view(reader, pool).cells.itertuples():
            row = curve.loc[(pool, cell.cell_id)]
            assert (cell.hit, cell.low, cell.high) == pytest.approx((row.hit, row.low, row.high))


def test_lifts_and_thresholds_at_the_measured_pool_are_those_of_the_study(study, reader):
    view = pool_view(reader, POOL)
    known = thresholds(study).query("definition == 'beats_baseline'")
    assert view.thresholds.threshold.tolist() == known.threshold.tolist()
    assert view.thresholds.low.to_numpy() == pytest.approx(known.low.to_numpy(), rel=0.01)
    cell = view.cells.iloc[0]
    baseline = view.baselines[view.baselines.context_length == cell.context_length].iloc[0]
    assert cell.lift == pytest.approx(cell.hit - baseline.hit)


def test_the_marks_of_an_arms_map_are_those_of_the_cells_of_all_arms():
    """One context with three sizes, named as arms of one cell."""
    study = planted_study(np.array([0.3, 0.33, 0.45]), seed=1, baseline=0.3, grid=((4,), (125, 250, 500)), chains=16)
    names = {f"C4_N{size}": f"C4_N125_arm{size}" for size in (125, 250, 500)}
    trials = study.trials.assign(cell_id=study.trials.cell_id.replace(names))
    trials.loc[trials.stage == "confirm", "num_sequences"] = 125
    arms = replace(study, trials=trials)
    known = cells(arms).set_index("cell_id")
    for arm in ("arm125", "arm250", "arm500"):
        (cell,) = pool_view(PoolReader(arms, arm), POOL).cells.itertuples()
        for name in ("lift", "lift_low", "lift_high", "lift_p_holm"):
            assert getattr(cell, name) == pytest.approx(known.loc[cell.cell_id, name]), name


def test_the_stops_of_the_slider_end_at_the_measured_pool_and_include_the_published_ones():
    stops = pool_stops(2000)
    assert stops == sorted(set(stops)) and stops[-1] == 2000
    assert {58, 115, 230, 1148} <= set(stops)
    assert pool_stops(40)[-1] == 40


def test_the_published_reading_ranks_each_context_among_a_tenth_of_its_windows(study, reader):
    whole = published_views(reader, NUM_VECTORS)[0]
    windows = {c: (NUM_VECTORS - c - 1) // max(1, c // 2) + 1 for c in (1, 4, 16, 64)}
    assert whole.pools.wanted_pool.tolist() == [windows[c] // 10 for c in (1, 4, 16, 64)]
    assert whole.pools.pool.tolist() == [min(w // 10, POOL) for w in windows.values()]
    cell = whole.cells.set_index("cell_id").loc["C64_N1000"]
    ids = study.trials[(study.trials.cell_id == "C64_N1000") & (study.trials.stage == "confirm")].trial_id
    ranks = study.ranks[study.ranks.trial_id.isin(ids)]
    assert cell.hit == pytest.approx(hit_at_k_in_pool(ranks["rank"], ranks.num_ties, 5, POOL, int(cell.pool)).mean())


def test_the_published_reading_shows_an_apparent_law_and_the_first_one_shown_is_measured(reader):
    views = published_views(reader, 10 * NUM_VECTORS)
    assert views[0].is_capped and not views[first_shown(views)].is_capped
    controlled = pool_view(reader, POOL).elasticity.elasticity
    assert views[first_shown(views)].elasticity.elasticity > controlled + 0.03


def test_the_law_is_that_of_the_study_at_its_pool_and_refitted_at_other_pools(reader):
    law = fit_law(pool_view(reader, POOL).hit_map)
    own, small = law_view(law), law_view_at(law, pool_view(reader, 200).hit_map)
    assert own.exponents.value.tolist() == law.exponents.value.tolist()
    assert own.cells.predicted.notna().sum() == len(law.held_out)
    assert own.form == small.form
    for view in (own, small):
        assert np.abs(view.cells.residual).max() < 0.06
        assert ((view.cells.low <= view.cells.measured) & (view.cells.measured <= view.cells.high)).all()
    assert isinstance(law.hit_map, HitMap)


def test_the_corpus_line_meets_the_cells_that_the_corpus_fills():
    line = corpus_diagonal(TrainingPart.of_vectors(5000), [1, 4, 16], [125, 500, 2000])
    half = line[line.overlap == 0.5]
    at_16 = half.iloc[-1]
    assert at_16.num_sequences == (5000 - 17) // 8 + 1
    assert at_16.x == pytest.approx(1 + np.log(at_16.num_sequences / 500) / np.log(4), abs=1e-6)
    assert not half.iloc[0].inside, "at C=1 there are 4,999 windows: more than half a cell beyond the last column"
    assert grid_place(np.array([125.0, 250.0, 2000.0]), [125, 500, 2000]).tolist() == pytest.approx([0, 0.5, 2])


def test_searched_values_lie_between_the_ends_of_their_axes(study):
    lines, axes = searched_lines(study)
    assert list(axes.name) == ["context_length", "num_sequences", "learning_rate", "alpha", REACHED]
    for name in axes.name:
        assert lines[f"at_{name}"].between(-1e-9, 1 + 1e-9).all()
    assert lines.groupby("cell_id")[REACHED].mean().abs().max() < 1e-9
    assert lines[lines.fifth == 4][REACHED].min() >= lines[lines.fifth == 0][REACHED].max()


def test_patience_marks_are_where_training_would_have_stopped(study):
    marks = patience_marks(study)
    one = marks[(marks.trial_id == "t0") & (marks.patience == 1)].iloc[0]
    assert (one.best_step, one.stop_step, one.stop_hit_at_5) == (150, 200, 0.9), "0.5, 0.8, 1.0, 0.9 at every 50 steps"
