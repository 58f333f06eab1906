"""Power before a study: variances are recovered, predictions hold in planted studies, and too little is refused."""

import numpy as np
import pytest

from lvm_core.errors import InputError
from study.analysis import mrmc
from study.analysis.power import half_width, least_difference, power, queries_needed
from study.analysis.power_basis import ASSUMED_HIT_AT_5, MEASURED, basis_of, measured_basis
from study.analysis.spread import Design, Spread
from study.analysis.units import Units
from tests.planted import Shape, planted_ranks, planted_study

PLANTED = Spread(replicate=0.0001, document=0.04, query=0.1, query_in_run=0.08)
DESIGN = Design(num_queries=1000, num_documents=100, num_replicates=3, clustering=10.0)


def drawn(rng: np.random.Generator, replicates: int = 6, documents: int = 200, queries: int = 8):
    """Draw values [R, Q] with the planted variances."""
    units = Units.of(np.repeat(np.arange(documents), queries), np.arange(documents * queries))
    values = np.sqrt(PLANTED.replicate) * rng.normal(size=(replicates, 1))
    values = values + np.sqrt(PLANTED.document) * rng.normal(size=documents)[units.of_query]
    values = values + np.sqrt(PLANTED.query) * rng.normal(size=documents * queries)
    return values + np.sqrt(PLANTED.query_in_run) * rng.normal(size=values.shape), units


def test_the_variances_of_documents_replicates_and_queries_are_recovered():
    rng = np.random.default_rng(0)
    found = Spread.mean_of([Spread.of(*drawn(rng)) for _ in range(60)])
    assert found.replicate == pytest.approx(PLANTED.replicate, rel=0.35)
    assert found.document == pytest.approx(PLANTED.document, rel=0.1)
    assert found.query == pytest.approx(PLANTED.query, rel=0.05)
    assert found.query_in_run == pytest.approx(PLANTED.query_in_run, rel=0.02)


def test_the_parts_of_the_variance_add_up_to_that_of_the_interval():
    values, units = drawn(np.random.default_rng(1))
    parts = Spread.of(values, units).parts(Design.of(units, len(values)))
    assert sum(parts.values()) == pytest.approx(mrmc.mean(values, units).variance, rel=0.02)


def test_a_single_replicate_leaves_documents_and_queries():
    values, units = drawn(np.random.default_rng(1), replicates=1)
    parts = Spread.of(values, units).parts(Design.of(units, 1))
    assert parts["replicates"] == pytest.approx(0) and parts["queries in one run"] == pytest.approx(0)
    assert sum(parts.values()) == pytest.approx(mrmc.mean(values, units).variance, rel=1e-6)


def test_predicted_power_and_intervals_are_those_of_planted_studies():
    shape = Shape(chains=60, queries=8)
    pairs = [_pair(shape, 0.04, seed) for seed in range(150)]
    change = Spread.mean_of([Spread.of(second - first, shape.units) for first, second in pairs])
    cell = Spread.mean_of([Spread.of(first, shape.units) for first, _ in pairs])
    design = Design.of(shape.units, shape.replicates)
    found = np.mean([mrmc.difference(second, first, shape.units).p_value < 0.05 for first, second in pairs])
    assert power(change, design, 0.04) == pytest.approx(found, abs=0.12), "3 standard errors of 150 studies"
    intervals = [mrmc.mean(first, shape.units) for first, _ in pairs]
    assert half_width(cell, design) == pytest.approx(np.mean([(i.high - i.low) / 2 for i in intervals]), rel=0.06)


def _pair(shape: Shape, difference: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    first, second = planted_ranks(np.array([0.6, 0.6 + difference]), np.random.default_rng(seed), shape) <= 5
    return first.astype(float), second.astype(float)


def test_the_queries_that_a_difference_needs_find_it_with_power_and_fewer_do_not():
    count = queries_needed(PLANTED, DESIGN, 0.04)
    assert power(PLANTED, DESIGN.with_queries(count), 0.04) >= 0.8
    assert power(PLANTED, DESIGN.with_queries(count - 20), 0.04) < 0.8
    assert least_difference(PLANTED, DESIGN.with_queries(count)) == pytest.approx(0.04, rel=0.01)


def test_no_number_of_queries_is_enough_where_the_replicates_vary_too_much():
    assert queries_needed(PLANTED, DESIGN, 0.01) is None


def test_documents_that_are_more_alike_widen_a_cells_interval():
    alike, different = (half_width(measured_basis(share).cell, DESIGN) for share in (0.3, 0.0))
    assert alike > 1.3 * different


def test_the_defaults_sum_to_the_variance_of_one_hit():
    for share in (None, 0.0, 0.2, 5.0):
        cell = measured_basis(share).cell
        assert cell.document + cell.query + cell.query_in_run == pytest.approx(
            ASSUMED_HIT_AT_5 * (1 - ASSUMED_HIT_AT_5), rel=0.02
        )
    assert all(spread.document < 0.01 for name in ("contexts", "sizes") for spread in MEASURED[name])


def test_a_recorded_study_gives_its_own_variances():
    study = planted_study(np.full(4, 0.5), seed=0, grid=((1, 4), (125, 500)))
    basis = basis_of(study)
    assert basis.source == study.location
    assert basis.cell.document > 10 * basis.contexts.document, "documents move neighbouring cells together"


def test_a_recorded_study_without_replicates_or_pairs_is_refused():
    with pytest.raises(InputError, match="at least 2 replicates"):
        basis_of(planted_study(np.full(4, 0.5), seed=0, grid=((1, 4), (125, 500)), replicates=1))
    with pytest.raises(InputError, match="two neighbouring N, but planted lacks pairs of sizes"):
        basis_of(planted_study(np.full(2, 0.5), seed=0, grid=((1, 4), (125,))))
