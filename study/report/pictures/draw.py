"""Make every picture of a study: PNG bytes by file name, in the order of the page."""

import io
from collections.abc import Callable

from matplotlib.figure import Figure

from study.analysis.evidence import Evidence
from study.report.pictures import maps, trials, variants

DPI = 110


def pictures(findings: Evidence) -> dict[str, bytes]:
    """Return the pictures that the records can fill. Names have no ending; arms have their own."""
    made: dict[str, bytes] = {}

    def keep(name: str, draw: Callable[..., Figure | None], *data) -> None:
        figure = draw(*data)
        if figure is not None:
            made[name] = _png(figure)

    keep("variants", variants.compared, findings)
    for arm, found in findings.pool_maps.items():
        if found is None:
            continue
        ending = f"_{arm}" if arm else ""
        keep(f"map{ending}", maps.heatmap, findings.study, found, arm)
        keep(f"hit_at_5{ending}", maps.against_both, found, arm)
        keep(f"pool{ending}", maps.pool, found, arm)
        keep(f"law{ending}", maps.law, found, arm)
        keep(f"thresholds{ending}", maps.thresholds, findings.answers[arm], found, arm)
    keep("learning_curves", trials.curves, findings)
    keep("searched", trials.parallel, findings)
    keep("importance", trials.importance, findings)
    return made


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()
