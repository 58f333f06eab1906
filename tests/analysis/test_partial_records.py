"""Records of a study that was stopped between two trials, or whose trials are too few to compare: no reader breaks."""

from dataclasses import replace

import numpy as np
import pytest

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
