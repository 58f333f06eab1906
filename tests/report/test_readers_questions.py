"""What readers ask, as the report shows it: more data, a wanted Hit@5, interaction, variance, equivalence."""

from dataclasses import replace

import pytest

from study.analysis.evidence import Evidence
from study.report.files import tables
from study.report.finding import Table
from study.report.findings import all_findings


def the_finding(key: str):
    return next(finding for finding in all_findings() if finding.key == key)


def parts(key: str, evidence: Evidence) -> tuple[str, dict[str, Table]]:
    """Return the text and the tables of a finding."""
    blocks = the_finding(key).blocks(evidence, "")
    found = [block for block in blocks if isinstance(block, Table)]
    return " ".join(block for block in blocks if isinstance(block, str)), {table.title: table for table in found}


def with_law(evidence: Evidence, **changes) -> Evidence:
    """Return the evidence with another law, or with none."""
    found = Evidence(evidence.study)
    vars(found)["cells"] = evidence.cells
    vars(found)["answers"] = {"": replace(evidence.answers[""], **changes)}
    return found


def test_gains_are_shown_as_measured_and_as_projected(made_evidence):
    _, found = parts("data-gain", made_evidence)
    measured, projected = found.values()
    assert measured.rows[0][:3] == ["1", "125 to 250", "2"]
    assert ["mean", "8,000 to 16,000"] in [row[:2] for row in projected.rows]
    assert ["64", "8,000 to 80,000"] in [row[:2] for row in projected.rows]
    (verdict,) = the_finding("data-gain").verdicts(made_evidence, "")
    assert verdict.answer == "yes" and verdict.evidence.startswith("from N=8,000 to 16,000, a projection: Hit@5 +0.0")
    assert "measured from 4,000 to 8,000: +0.0" in verdict.evidence


def test_twice_the_data_pays_only_where_both_maps_say_so(made_evidence):
    other = with_law(made_evidence)
    gains = made_evidence.gains[""]
    less = replace(gains, projected=gains.projected.assign(low=-0.01))
    for at_common, answer in (
        (gains, "yes"),
        (less, "cannot tell: yes on the tuned map, cannot tell at one configuration"),
        (None, "yes"),
    ):
        vars(other)["gains_at_common"] = {"": at_common}
        assert the_finding("data-gain").verdicts(other, "")[0].answer == answer


def test_a_gain_of_less_than_a_point_is_not_said_to_pay(made_evidence):
    other, gains = with_law(made_evidence), made_evidence.gains[""]
    for low, gain, high, answer in (
        (0.001, 0.006, 0.011, "cannot tell"),
        (0.001, 0.006, 0.009, "by less than 1 point"),
        (0.001, 0.02, 0.04, "yes"),
        (-0.001, 0.02, 0.04, "cannot tell"),
    ):
        changed = replace(gains, projected=gains.projected.assign(low=low, gain=gain, high=high))
        vars(other)["gains"], vars(other)["gains_at_common"] = {"": changed}, {"": None}
        assert the_finding("data-gain").verdicts(other, "")[0].answer == answer


def test_without_a_tenable_law_nothing_is_projected_and_no_n_is_given(made_evidence):
    law = replace(made_evidence.answers[""].law, misfit_p=0.001)
    misfit = with_law(made_evidence, law=law)
    text, found = parts("data-gain", misfit)
    assert "Not projected: no law fits the map (misfit p = 0.001)" in text and len(found) == 1
    assert the_finding("data-gain").verdicts(misfit, "")[0].answer == "cannot tell"
    assert parts("data-needed", misfit) == ("No N can be given: no law fits the map (misfit p = 0.001).", {})
    lawless = with_law(made_evidence, law=None, refusals={"law": "too few cells"})
    assert parts("data-needed", lawless) == ("No N can be given: too few cells.", {})
    assert the_finding("data-needed").csv(lawless, "") == {}
    assert "gains_projected" not in the_finding("data-gain").csv(lawless, "")


def test_a_wanted_hit_at_5_has_a_number_of_sequences_or_a_reason(made_evidence):
    _, found = parts("data-needed", made_evidence)
    table = found["Sequences that a Hit@5 needs"]
    assert table.header == ["Hit@5", "C=1", "C=4", "C=16", "C=64"]
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["best baseline"][0].startswith("0.502: 3,2") and "[" in rows["best baseline"][0]
    assert rows["0.80"][0] == "above 10 x" and rows["0.80"][1].endswith("open]")
    assert rows["0.40"][3] == "at most 125" and "* [" in rows["0.80"][3]
    (reason,) = found["Why some have no N"].rows
    assert reason[:2] == ["0.80", "1"] and "too far to project" in reason[2]


def test_the_interaction_is_told_with_its_test(made_evidence):
    text, _ = parts("interaction", made_evidence)
    (verdict,) = the_finding("interaction").verdicts(made_evidence, "")
    assert verdict.answer in ("no interaction shown", "cannot tell") or verdict.answer.startswith("the effect")
    assert verdict.evidence in text and "additivity of C and N has p = " in text


def test_the_sources_of_variance_and_what_would_help_are_shown(made_evidence):
    text, found = parts("variance", made_evidence)
    assert "twice the documents would narrow a cell's 95 % interval most" in text
    rows = {row[0]: row[1:] for row in found["What a cell's Hit@5 varies by"].rows}
    assert rows["luck of the search"] == ["-", "-"], "there is one map"
    assert sum(int(share.rstrip("%")) for _, share in rows.values() if share != "-") == pytest.approx(100, abs=2)
    assert found["A cell's 95 % interval to expect"].rows[0][0] == "as measured"


def test_comparisons_name_the_pairs_that_differ_by_less_than_a_point(made_evidence):
    text, found = parts("comparisons", made_evidence)
    shown = made_evidence.comparisons.equivalent
    assert "Shown to differ by less than 1 point (two one-sided tests, Holm): " in text
    assert sum("by less than 1 point" in row[-1] for row in found["Every comparison"].rows) == shown.sum()


def test_every_table_is_written(made_evidence):
    written = tables(made_evidence)
    wanted = ("gains_measured", "gains_projected", "data_needed", "interaction", "interaction_corners")
    assert all(len(written[name]) for name in (*wanted, "variance_shares", "interval_plans"))
    assert {"p_equivalent", "p_equivalent_holm", "equivalent"} <= set(written["comparisons"])
