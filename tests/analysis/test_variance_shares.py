"""Where the uncertainty of a cell comes from: planted effects are found again, and what is not measured is null."""

import numpy as np
import pandas as pd
import pytest

from study.analysis import mrmc
from study.analysis.cells import per_query
from study.analysis.variance_shares import variance_shares
from tests.planted import planted_study

GRID = ((1, 4, 16, 64), (125, 500, 2000))
SMALL = {"grid": ((1, 4), (125, 500)), "chains": 40, "queries": 16}


def sources(**changes) -> pd.DataFrame:
    return variance_shares(planted_study(np.full(4, 0.5), seed=0, **SMALL | changes)).sources.set_index("source")


def test_the_shares_add_up_and_documents_lead_where_queries_of_one_are_alike():
    found = sources()
    assert found.share.sum() == pytest.approx(1)
    assert found.share.idxmax() == "documents"
    assert found.sd.search is None or pd.isna(found.sd.search), "there is no second map"


def test_the_total_is_the_variance_of_the_cells_intervals():
    study = planted_study(np.full(4, 0.5), seed=0, **SMALL)
    total = (variance_shares(study).sources.sd.dropna() ** 2).sum()
    cells = [per_query(study, group.trial_id.tolist()) for _, group in study.measured("confirm").groupby("cell_id")]
    assert total == pytest.approx(np.mean([mrmc.mean(*cell).variance for cell in cells]), rel=0.05)


def test_noisy_replicates_and_a_lucky_search_are_seen():
    calm, noisy = sources(), sources(noisy={125: 8.0, 500: 8.0})
    assert noisy.sd.replicates > 2 * max(calm.sd.replicates, 0.004)
    study = planted_study(np.full(12, 0.5), seed=0, common=True, search_noise=0.04, grid=GRID, chains=40, queries=16)
    assert variance_shares(study).sources.set_index("source").sd.search == pytest.approx(0.04, abs=0.02)


def test_a_single_replicate_shows_no_variance_between_replicates():
    assert pd.isna(sources(replicates=1).sd.replicates)


def test_the_pool_is_a_part_of_what_queries_contribute():
    found = sources()
    assert found.sd.pool > 0 and found.sd.queries >= 0


def test_the_change_that_narrows_the_interval_is_the_one_that_the_variance_calls_for():
    many = planted_study(np.full(4, 0.5), seed=0, **SMALL)
    plans = variance_shares(many).plans.set_index("change").half_width
    assert plans.idxmin() == "twice the documents"
    assert plans["twice the documents"] == pytest.approx(plans["as measured"] / np.sqrt(2), rel=0.06)
    assert plans["5 replicates instead of 3"] < plans["as measured"]
    noisy = planted_study(np.full(4, 0.5), seed=0, **SMALL | {"chains": 200, "noisy": {125: 8.0, 500: 8.0}})
    assert variance_shares(noisy).plans.set_index("change").half_width.idxmin() == "5 replicates instead of 3"


def test_an_arm_without_cells_has_none():
    assert variance_shares(planted_study(np.full(4, 0.5), seed=0, **SMALL), "alpha0.1") is None


def test_plans_speak_of_stretches_where_documents_are_too_few():
    found = variance_shares(planted_study(np.full(4, 0.5), seed=0, grid=((1, 4), (125, 500)), chains=2, queries=200))
    assert "twice the stretches" in found.plans.change.tolist()
    assert not found.plans.change.str.contains("documents").any()
