"""Every finding of a report, one a module. A module registers its finding, and no other file names it."""

from importlib import import_module
from pkgutil import iter_modules

from study.analysis.evidence import Evidence
from study.report.finding import Finding

REGISTERED: dict[str, Finding] = {}


def register(finding: Finding) -> Finding:
    """Add a finding to every report."""
    assert REGISTERED.get(finding.key, finding) is finding, f"two findings have the key {finding.key!r}"
    REGISTERED[finding.key] = finding
    return finding


def all_findings() -> list[Finding]:
    """Return every finding, in the order in which a report shows them."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    ordered = _following(None)
    assert len(ordered) == len(REGISTERED), f"stands after no finding: {REGISTERED.keys() - {f.key for f in ordered}}"
    return ordered


def speaking(evidence: Evidence) -> list[Finding]:
    """Return those that give the answer and fill the screen: in a study of variants, its comparison alone."""
    compares = evidence.study.manifest.space.compare is not None
    return [finding for finding in all_findings() if finding.of_variants == compares]


def _following(key: str | None) -> list[Finding]:
    """Return the findings that stand after one, each with those that stand after it."""
    found = []
    for finding in sorted((each for each in REGISTERED.values() if each.after == key), key=lambda each: each.key):
        found += [finding, *_following(finding.key)]
    return found
