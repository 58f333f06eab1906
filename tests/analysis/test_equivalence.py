"""A difference that is shown to be small: by hand, at its error rate, and in both maps."""

import numpy as np
import pytest
from scipy.stats import t

from study.analysis.compare import comparisons
from study.analysis.equivalence import equivalence_p_value
from study.analysis.mrmc import Estimate, Part
from tests.planted import planted_study

SMALL = {"grid": ((1, 4), (125, 500)), "queries": 16}


def test_the_p_value_is_the_larger_of_two_one_sided_tests():
    found = Estimate(0.004, documents=Part(0.002**2, 12))
    assert equivalence_p_value(found) == pytest.approx(t.sf(3, 12))
    assert equivalence_p_value(Estimate(-0.004, documents=Part(0.002**2, 12))) == pytest.approx(t.sf(3, 12))
    assert equivalence_p_value(Estimate(0.02, documents=Part(0.002**2, 12))) > 0.5
    assert equivalence_p_value(found, margin=0.02) == pytest.approx(t.sf(8, 12))


def test_without_any_variance_the_difference_decides():
    assert equivalence_p_value(Estimate(0.0, documents=Part(0.0, np.inf))) == 0
    assert equivalence_p_value(Estimate(0.01, documents=Part(0.0, np.inf))) == 1


def test_a_difference_of_exactly_one_point_is_called_smaller_in_at_most_5_percent_of_draws():
    rng = np.random.default_rng(0)
    values = rng.normal(0.01, 0.003, 4000)
    called = [equivalence_p_value(Estimate(value, documents=Part(0.003**2, 1e6))) < 0.05 for value in values]
    assert np.mean(called) == pytest.approx(0.05, abs=0.012)


def test_neighbouring_cells_of_equal_hits_are_equivalent_and_those_apart_are_not():
    study = planted_study(np.array([0.4, 0.4, 0.5, 0.5]), seed=0, chains=400, **SMALL)
    table = comparisons(study).set_index(["comparison", "first"])
    assert not table.equivalent["context", "C1_N125"] and table.differs["context", "C1_N125"]
    assert table.p_equivalent["sequences", "C1_N125"] < 0.5 < table.p_equivalent["context", "C1_N125"]
    assert (table.p_equivalent_holm >= table.p_equivalent).all()
    assert (table.equivalent == (table.p_equivalent_holm < 0.05)).all()


def test_a_difference_is_equivalent_only_where_the_map_at_one_configuration_shows_it_too():
    study = planted_study(np.full(4, 0.4), seed=0, chains=60, common=True, **SMALL)
    confirmed = study.common.measured("confirm").trial_id
    first, second = (study.measured("confirm").query("cell_id == @cell").trial_id for cell in ("C1_N125", "C4_N125"))
    ranks = study.ranks.set_index("trial_id")
    for one, other in zip(first, second, strict=True):
        ranks.loc[other, "rank"] = ranks.loc[one, "rank"].to_numpy()  # equal on the tuned map, not on the other
    study = type(study)(study.location, study.manifest, study.trials, study.curves, ranks.reset_index())
    row = comparisons(study).query("comparison == 'context' and first == 'C1_N125'").iloc[0]
    assert len(confirmed) and row.difference == 0
    assert not row.equivalent
