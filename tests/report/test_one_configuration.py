"""The map at one configuration: in the report, in its tables, and among what is missing."""

from dataclasses import replace

import numpy as np
import pytest

from study.analysis.evidence import Evidence
from study.report.finding import Table
from study.report.findings import all_findings
from tests.planted import planted_study

TRUTH = np.array([0.4, 0.5, 0.45, 0.6])
SMALL = {"grid": ((1, 4), (125, 500)), "queries": 16}


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return Evidence(planted_study(TRUTH, seed=0, common=True, search_noise=0.02, **SMALL))


def the_finding():
    return next(finding for finding in all_findings() if finding.key == "one-configuration")


def test_the_report_draws_the_map_at_one_configuration_with_its_own_figures(evidence):
    (figure,) = the_finding().figures(evidence, "")
    cells = evidence.two_maps[""].cells
    drawn = np.array(figure.marks[0].values)
    assert drawn.ravel() == pytest.approx(cells.common.to_numpy())
    assert cells.common.to_numpy() == pytest.approx(
        evidence.study.common.measured("confirm").groupby(["context_length", "num_sequences"]).test_hit_at_5.mean()
    )


def test_the_gain_of_tuning_is_the_difference_of_the_two_maps(evidence):
    cells = evidence.two_maps[""].cells
    assert cells.gain.to_numpy() == pytest.approx((cells.tuned - cells.common).to_numpy())
    assert evidence.two_maps[""].mean_gain.value == pytest.approx(cells.gain.mean())
    assert (cells.gain_low < cells.gain).all()


def test_the_terminal_names_the_configuration_and_the_noise_of_the_search(evidence):
    (line,) = the_finding().screen(evidence, "")
    assert line.startswith("at one configuration (learning_rate 0.002, alpha 0.03): 4 of 4 cells")
    assert "the luck of the search moves a cell by" in line
    assert not any(isinstance(line, Table) for line in the_finding().screen(evidence, ""))


def test_a_study_with_one_map_says_that_it_has_no_other():
    evidence = Evidence(planted_study(TRUTH, seed=0, **SMALL))
    finding = the_finding()
    assert evidence.two_maps == {"": None}
    assert not finding.blocks(evidence, "") and not finding.figures(evidence, "") and not finding.csv(evidence, "")
    assert "one map" in finding.absent


def test_a_replicate_missing_from_the_second_map_is_a_gap():
    study = planted_study(TRUTH, seed=0, common=True, **SMALL)
    lost = study.common.measured("confirm").trial_id.iloc[0]
    kept = study.trials[study.trials.trial_id != lost]
    assert (
        "not measured at one configuration: 1 of 3 replicates of C1_N125" in Evidence(replace(study, trials=kept)).gaps
    )
