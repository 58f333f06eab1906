"""The answer of a study: its sentences claim no more than its verdicts."""

from dataclasses import replace

import pytest

from study.analysis.evidence import Evidence
from study.analysis.verdict import Verdict
from study.report.findings import all_findings


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
