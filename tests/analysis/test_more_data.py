"""What more data brings and how much a Hit@5 needs: intervals hold the planted truth, and refusals give reasons."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from study.analysis.data_needed import BEYOND, data_needed, data_needed_table, first_reaching
from study.analysis.evidence import Evidence
from study.analysis.gains import gains_of, measured_gains, projected_gains
from study.analysis.hit_map import HitMap
from study.analysis.law import CannotTell, Law, fit_law
from tests.analysis.test_statistics import hits_of
from tests.planted import CONTEXTS, LAWS, SIZES, Planted, planted_map, planted_study

SEEDS = range(3)
NO_ORACLE = pd.DataFrame({"context_length": [1], "oracle_hit_at_5": [np.nan]})


@pytest.fixture(scope="module")
def laws() -> dict[str, list[Law]]:
    return {name: [fit_law(planted_map(LAWS[name], seed)) for seed in SEEDS] for name in ("odds", "sum")}


def truth(planted: Planted, context, size) -> np.ndarray:
    return planted.form.predict(planted.theta, planted.axes.at(np.atleast_1d(context), np.atleast_1d(size)))


def test_each_size_is_paired_with_the_measured_one_nearest_to_twice_as_much():
    hit_map = hits_of({(4, n): 0.3 for n in (100, 180, 230, 1000)})
    table = measured_gains(hit_map)
    assert list(zip(table.from_sequences, table.to_sequences, strict=True)) == [(100, 180), (180, 230), (230, 1000)]
    assert table.gain_per_doubling.to_numpy() == pytest.approx(table.gain / np.log2(table.factor))
    assert table.context_length.notna().all(), "no mean over a single context"


def test_measured_gains_are_differences_of_cells_and_their_mean_over_contexts():
    hit_map = hits_of({(1, 100): 0.2, (1, 200): 0.3, (4, 100): 0.4, (4, 200): 0.6, (16, 100): 0.5})
    table = measured_gains(hit_map).set_index("context_length")
    mean = {key: hit for *key, _, hit in hit_map.table().itertuples(index=False, name=None) for key in [tuple(key)]}
    assert table.gain[1] == pytest.approx(mean[1, 200] - mean[1, 100])
    assert set(table.index.dropna()) == {1, 4}, "C=16 has one size"
    of_all = table[table.index.isna()].iloc[0]
    assert of_all.gain == pytest.approx(table.gain[[1, 4]].mean())
    assert of_all.high - of_all.low < table.high[1] - table.low[1]


def test_planted_gains_lie_in_the_prediction_intervals(laws):
    held = []
    for name, found in laws.items():
        for law in found:
            table = projected_gains(law, {})
            for row in table[table.context_length.notna()].itertuples():
                before, after = (
                    truth(LAWS[name], row.context_length, n)[0] for n in (row.from_sequences, row.to_sequences)
                )
                held.append(row.low <= after - before <= row.high)
            assert set(table.factor) == {2, 10} and len(table) == 2 * (len(CONTEXTS) + 1)
    assert np.mean(held) >= 0.9


def test_a_prediction_interval_is_wider_than_the_uncertainty_of_the_law(laws):
    law = laws["odds"][0]
    table = projected_gains(law, {})
    row = table[(table.factor == 2) & (table.context_length == 16)].iloc[0]
    after, before = (law.predict([16], [n])[1:, 0] for n in (16_000, 8000))
    low, high = np.percentile(after - before, [2.5, 97.5])
    assert row.low < low and row.high > high


def test_no_projection_goes_above_an_oracle(laws):
    law = laws["odds"][0]
    measured = law.hit_map.mean[[SIZES.index(8000) + i * len(SIZES) for i in range(len(CONTEXTS))]]
    oracles = dict(zip(CONTEXTS, measured + 0.01, strict=True))
    table = projected_gains(law, oracles)
    own = table[table.context_length.notna()]
    assert (own.hit_at_5 <= own.context_length.map(oracles).astype(float) + 1e-12).all()
    assert (table.high <= 0.01 + 1e-12).all()
    assert ((table.low <= table.gain) & (table.gain <= table.high)).all()
    assert table[table.factor == 10].capped.all()
    assert not projected_gains(law, {}).capped.any()


def test_a_law_that_does_not_fit_is_not_projected_and_gives_no_n(laws):
    law = replace(laws["odds"][0], misfit_p=0.001)
    with pytest.raises(CannotTell, match=r"no law fits the map \(misfit p = 0.001\)"):
        projected_gains(law, {})
    gains = gains_of(law.hit_map, law, None, NO_ORACLE)
    assert gains.projected is None and "no law fits" in gains.refusal and len(gains.measured)
    assert "no law fits the map" in data_needed(law, 4, 0.5).refusal


def test_the_map_at_one_configuration_has_gains_of_its_own():
    grid = {"grid": ((1, 4), (125, 500)), "queries": 16}
    with_two = planted_study(np.array([0.4, 0.5, 0.45, 0.6]), seed=0, common=True, **grid)
    at_common = Evidence(with_two).gains_at_common[""]
    tuned = measured_gains(HitMap.of_study(with_two))
    assert (at_common.measured.gain - tuned.gain).abs().max() > 0 and "at least 6 measured cells" in at_common.refusal
    assert Evidence(planted_study(np.full(4, 0.5), seed=0, **grid)).gains_at_common[""] is None


def test_without_a_law_its_reason_is_given():
    gains = gains_of(planted_map(LAWS["odds"], 0), None, "too few cells", NO_ORACLE)
    assert gains.projected is None and gains.refusal == "too few cells"


def test_the_planted_n_lies_in_its_interval(laws):
    planted, held = LAWS["odds"], []
    grid = np.geomspace(125, 80_000, 5000)
    for law in laws["odds"]:
        for context in (4, 64):
            curve = truth(planted, np.full(len(grid), context), grid)
            for hit in (0.5, 0.6, 0.7):
                found = data_needed(law, context, hit)
                held.append(
                    found.low <= max(125, grid[np.argmax(curve >= hit)]) * 1.001
                    and grid[np.argmax(curve >= hit)] <= found.high * 1.001
                )
                assert found.refusal is None and found.low <= found.num_sequences <= found.high
    assert np.mean(held) >= 0.9


def test_the_smallest_size_counts_as_at_most_and_an_unmeasured_one_as_a_projection(laws):
    law = laws["odds"][0]
    assert data_needed(law, 64, 0.3).at_most
    assert data_needed(law, 64, 0.3).num_sequences == 125
    far = data_needed(law, 4, 0.75)
    assert far.projection and 8000 < far.num_sequences < 80_000
    assert not data_needed(law, 4, 0.5).projection


def test_what_the_law_never_reaches_or_only_far_away_is_refused_in_one_sentence(laws):
    above = data_needed(laws["sum"][0], 1, 0.95)
    assert above.num_sequences is None
    assert "lies above what the law reaches with any N" in above.refusal
    far = data_needed(laws["odds"][0], 1, 0.95)
    assert (
        far.too_far and f"more than 80,000 sequences by the law, {BEYOND} times the largest measured N" in far.refusal
    )
    assert "above the oracle's 0.600" in data_needed(laws["odds"][0], 4, 0.65, oracle=0.6).refusal


def test_near_a_ceiling_the_interval_is_open(laws):
    law = laws["sum"][0]
    low, high = np.percentile(law.predict([1], [1e300])[1:, 0], [2.5, 97.5])
    limit = law.predict([1], [1e300])[0, 0]
    found = data_needed(law, 1, (low + limit) / 2)
    assert low < limit < high
    assert found.refusal is not None or np.isinf(found.high)


def test_the_table_asks_for_baseline_oracle_and_round_values(laws):
    law = laws["odds"][0]
    cells = law.hit_map.table().assign(baseline_hit_at_5=0.45, oracle_hit_at_5=0.8)
    table = data_needed_table(law, cells)
    own = table[table.context_length == 4].set_index("target")
    assert own.hit_at_5["best baseline"] == 0.45
    assert own.hit_at_5["oracle minus 5"] == pytest.approx(0.75)
    assert {"0.40", "0.60"} <= set(own.index)
    assert set(table.context_length) == set(CONTEXTS)
    assert "oracle minus 1" not in set(data_needed_table(law, cells.assign(oracle_hit_at_5=None)).target)


def test_a_crossing_is_read_between_sizes_in_the_logarithm_of_n():
    sizes = np.array([100.0, 400, 1600])
    hits = np.array([[0.2, 0.4, 0.6], [0.5, 0.6, 0.7], [0.1, 0.2, 0.3]])
    assert first_reaching(sizes, hits, 0.5) == pytest.approx([800, 100, np.inf])
