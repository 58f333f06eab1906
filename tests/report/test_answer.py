"""The answer of a study: its sentences claim no more than its verdicts."""

from dataclasses import replace

import numpy as np
import pytest

from study.analysis.evidence import Evidence
from study.analysis.verdict import Verdict
from study.report.findings import all_findings
from study.report.findings.cells import measured_with
from tests.planted import planted_study

SMALL = {"grid": ((1, 4), (125, 500)), "num_search": 1}


def the_finding(key: str):
    return next(finding for finding in all_findings() if finding.key == key)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("sublinear", "Hit@5 grows sublinearly (elasticity"),
        ("flat, in these 3 documents", "Hit@5 hardly changes, in these 3 documents (elasticity"),
        ("not monotone: peak at C=16, falling from there", "Hit@5 is not monotone: peak at C=16, falling from there ("),
        ("depends on N", "Hit@5 changes in a way that depends on N (elasticity"),
        ("cannot tell: sublinear on the tuned map, flat at one configuration", "that these records leave undecided ("),
    ],
)
def test_the_sentence_on_the_context_is_that_of_its_verdict(made_evidence, answer, words):
    other = Evidence(made_evidence.study)
    verdict = Verdict("context", "Does Hit@5 grow with the context?", answer, "")
    vars(other)["answers"] = {"": replace(made_evidence.answers[""], verdicts=(verdict,))}
    vars(other)["pool_maps"] = made_evidence.pool_maps
    (sentence,) = the_finding("context").sentences(other)
    assert words in sentence


def test_a_map_of_one_document_claims_nothing_of_documents():
    evidence = Evidence(planted_study(np.full(4, 0.6), 0, baseline=0.3, chains=1, queries=400, replicates=1, **SMALL))
    (verdict,) = the_finding("baselines").verdicts(evidence, "")
    assert verdict.answer == "yes, in this document" and "say nothing about other documents" in verdict.evidence
    (sentence,) = the_finding("cells").sentences(evidence)
    assert sentence.endswith("from 400 queries in 1 document and 1 replicate.")
    assert "1 replicate per cell; 95 % intervals: other 8 stretches of 50 vectors" in measured_with(evidence)
    assert measured_with(evidence).endswith("one replicate, whose own luck is not covered")


def test_five_replicates_are_suggested_where_fewer_collapsed():
    lost = {"collapse": 0.2, "chains": 16, **SMALL}
    three, five = (measured_with(Evidence(planted_study(np.full(4, 0.5), 1, replicates=n, **lost))) for n in (3, 5))
    assert "left out: five replicates are suggested)" in three
    assert "left out)" in five


def test_the_table_of_a_map_without_baselines_has_dashes():
    study = planted_study(np.full(4, 0.5), 0, chains=8, **SMALL)
    (figure,) = the_finding("map").figures(
        Evidence(replace(study, trials=study.trials.query("stage != 'baseline'"))), ""
    )
    assert {row[3] for row in figure.table[1]} == {"-"}
