"""Draw every picture of a study: PNG bytes by file name, in the order of the page."""

from study.analysis.evidence import Evidence
from study.report.figures.as_png import as_png
from study.report.figures.figure import Figure
from study.report.findings import all_findings


def pictures(evidence: Evidence) -> dict[str, bytes]:
    """Return the pictures that the records can fill, those of each arm under its name. Names have no ending."""
    made: dict[str, bytes] = {}
    for finding in all_findings():
        for arm in finding.arms(evidence):
            groups: dict[str, list[Figure]] = {}
            for figure in finding.drawn(evidence, arm):
                groups.setdefault(figure.picture, []).append(figure)
            made |= {name: as_png(figures, heading=arm) for name, figures in groups.items()}
    return made
