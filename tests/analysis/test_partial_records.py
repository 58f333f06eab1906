"""Records of a study that was stopped between two trials, or whose trials are too few to compare: no reader breaks."""

from dataclasses import replace

import numpy as np
import pytest

from study.analysis.best import best_configs
from study.analysis.evidence import Evidence
from study.analysis.load import StudyRecords
from study.report.answer import partial
from tests.planted import planted_study

TRUTH = np.array([0.4, 0.5, 0.45, 0.6])
SMALL = {"grid": ((1, 4), (125, 500)), "queries": 16}


@pytest.fixture(scope="module")
def study() -> StudyRecords:
    return planted_study(TRUTH, seed=0, common=True, **SMALL)


def without(study: StudyRecords, trial_ids) -> StudyRecords:
    return replace(study, trials=study.trials[~study.trials.trial_id.isin(trial_ids)])


def test_a_study_stopped_before_its_first_confirm_trial_has_gaps_and_no_cells(study):
    stopped = without(study, study.completed("confirm").trial_id)
    evidence = Evidence(stopped)
    assert stopped.common is None and evidence.cells.empty and evidence.best["overall"] is None
    assert "not measured: 3 of 3 replicates of C1_N125" in evidence.gaps


def test_a_map_at_one_configuration_that_is_not_begun_is_a_gap(study):
    tuned_only = Evidence(without(study, study.common.confirmed.trial_id))
    assert tuned_only.study.common is None and len(tuned_only.cells) == 4
    assert "not measured at one configuration: 3 of 3 replicates of C1_N125" in tuned_only.gaps
    assert "12 of 12 confirm trials are recorded and 0 of 12 at one configuration" in partial(tuned_only)


def test_replicates_that_no_two_cells_share_choose_no_best_cell_for_each_other(study):
    kept = [("C1_N125", 1), ("C4_N500", 2)]
    measured = study.measured("confirm")
    ids = [row.trial_id for row in measured.itertuples() if (row.cell_id, row.replicate) in kept]
    stopped = without(study, set(study.completed("confirm").trial_id) - set(ids))
    assert best_configs(stopped)["overall"]["cell_id"] == "C4_N500"


def test_the_best_of_cells_with_different_queries_has_its_own_figures(study):
    """Replicates of the two contexts prefer different cells, which no query has in common."""
    trials = study.trials.copy()
    longer = trials.context_length == 4
    trials["split_fingerprint"] = np.where(longer, "longer", "shorter")
    confirm = trials.stage == "confirm"
    trials.loc[confirm & (trials.replicate == 1), "val_hit_at_5"] = np.where(longer, 0.9, 0.5)[
        confirm & (trials.replicate == 1)
    ]
    ranks = study.ranks.copy()
    ranks.loc[ranks.trial_id.isin(trials[longer].trial_id), "query_id"] += 1_000_000
    table = Evidence(replace(study, trials=trials, ranks=ranks))
    best, cells = table.best["overall"], table.cells.set_index("cell_id")
    assert best["hit_at_5"] == cells.hit_at_5[best["cell_id"]]
    assert best["lift_low"] == cells.lift_low[best["cell_id"]]


def test_the_best_cell_has_the_figures_of_its_row_where_all_replicates_prefer_it(study):
    evidence = Evidence(study)
    best, cells = evidence.best["overall"], evidence.cells.set_index("cell_id")
    assert best["cell_id"] == "C4_N500", "its lead is far beyond chance"
    for name in ("hit_at_5", "hit_at_5_low", "hit_at_5_high", "lift", "lift_low", "lift_high"):
        assert best[name] == cells.loc[best["cell_id"], name]


def test_the_best_of_several_cells_is_corrected_without_a_baseline_too_and_its_gates_with_it(study):
    """One replicate is lucky in one cell alone, on validation and on test."""
    trials = study.trials[study.trials.stage != "baseline"].copy()
    own = study.measured("confirm")
    lucky = own[(own.cell_id == "C1_N125") & (own.replicate == 1)].trial_id.iloc[0]
    trials.loc[trials.stage == "confirm", "val_hit_at_5"] = 0.5
    trials.loc[(trials.stage == "confirm") & (trials.cell_id == "C1_N125"), "val_hit_at_5"] = 0.45
    trials.loc[trials.trial_id == lucky, "val_hit_at_5"] = 0.8
    ranks = study.ranks.copy()
    ranks.loc[ranks.trial_id == lucky, "rank"] = 1
    evidence = Evidence(replace(study, trials=trials, ranks=ranks))
    best, cells = evidence.best["overall"], evidence.cells.set_index("cell_id")
    assert best["cell_id"] == "C1_N125" and cells.hit_at_5["C1_N125"] > 0.55
    assert best["hit_at_5"] < 0.55 and not best["gates"]["hit_at_5"]
    assert best["lift"] is None
