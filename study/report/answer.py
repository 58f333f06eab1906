"""Answer a study's question: a few sentences with numbers and intervals, and the verdicts of all findings."""

from collections.abc import Iterable
from dataclasses import replace

from study.analysis.evidence import Evidence
from study.analysis.verdicts import Verdict
from study.report.finding import Finding
from study.report.findings import all_findings, speaking


def sentences(evidence: Evidence) -> list[str]:
    """Return the answer in three sentences; fewer where less is measured."""
    return [sentence for finding in speaking(evidence) for sentence in finding.sentences(evidence)]


def verdicts(evidence: Evidence, findings: Iterable[Finding] | None = None) -> list[Verdict]:
    """Return the verdicts of all findings or of some, those of the arms one after another."""
    return [
        replace(verdict, question=f"{arm}: {verdict.question}") if arm else verdict
        for finding in (all_findings() if findings is None else findings)
        for arm in finding.arms(evidence)
        for verdict in finding.verdicts(evidence, arm)
    ]


def partial(evidence: Evidence) -> str:
    """Return in what respect a study is not whole; an empty text where it is."""
    manifest = evidence.study.manifest
    if not manifest.is_running and not evidence.gaps:
        return ""
    wanted, second = len(manifest.cells) * manifest.space.replicates, evidence.study.planned_common
    done = f"{len(evidence.study.confirmed)} of {wanted} confirm trials are recorded"
    if second is not None:
        done += f" and {len(second.confirmed)} of {wanted} at one configuration"
    state = "is still running" if manifest.is_running else "is not complete"
    return f"This study {state}: {done}, and this report rests on these alone."
