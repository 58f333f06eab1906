"""Put a study's findings into the template of the page: one HTML file that needs nothing else."""

import json
from importlib.resources import files
from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined

from study.analysis.evidence import Evidence
from study.analysis.pool_maps import PoolMaps
from study.analysis.pool_views import PublishedView
from study.report.answer import partial, sentences, verdicts
from study.report.figures.as_plotly import as_plotly
from study.report.figures.figure import Figure, Moving, Text, opening
from study.report.finding import Block, Facts, Finding, Table
from study.report.findings import all_findings

PLOTLY = "plotly-cartesian-4.1.1.min.js"  # see vendor/README.md


def page(evidence: Evidence) -> str:
    """Return the page as HTML."""
    environment = Environment(
        loader=PackageLoader("study.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    manifest, maps, content = evidence.study.manifest, _maps(evidence), Content()
    sections = [section for finding in all_findings() if (section := content.section(finding, evidence))]
    return environment.get_template("page.html.j2").render(
        study=manifest.study,
        question=manifest.question.strip(),
        partial=partial(evidence),
        sentences=sentences(evidence),
        problems=evidence.problems,
        verdicts=verdicts(evidence),
        sections=sections,
        pools=[view.pool for view in maps.views] if maps else [],
        shares=[_share(view) for view in maps.published] if maps else [],
        first_share=maps.first_share if maps else 0,
        data=_as_json(content.data(maps)),
        style=_file("templates", "page.css"),
        script=_file("templates", "page.js"),
        plotly=_file("vendor", PLOTLY),
    )


class Content:
    """The sections as the template takes them; keeps the figures and the moving texts for the script."""

    def __init__(self):
        self.figures: dict[str, Figure] = {}
        self.texts: dict[str, Moving] = {}

    def section(self, finding: Finding, evidence: Evidence) -> dict | None:
        """Return a finding's section; None where there is nothing to show and no text for that."""
        parts = [part for arm in finding.arms(evidence) if (part := self._part(finding, evidence, arm))]
        if not parts and not finding.absent:
            return None
        return {
            "key": finding.key,
            "title": finding.title,
            "absent": finding.absent,
            "controls": finding.controls if parts else None,
            "parts": parts,
        }

    def data(self, maps: PoolMaps | None) -> dict:
        """Return what the script looks up: figures, the stops of the slider, and texts by stop."""
        return {
            "figures": {key: as_plotly(figure) for key, figure in self.figures.items()},
            "pools": [view.pool for view in maps.views] if maps else [],
            "chances": [round(view.chance, 5) for view in maps.views] if maps else [],
            "firstShare": maps.first_share if maps else 0,
            "texts": {key: {"by": text.by, "values": text.values} for key, text in self.texts.items()},
        }

    def _part(self, finding: Finding, evidence: Evidence, arm: str) -> dict | None:
        """Return what an arm has: text, figures by their width, tables."""
        blocks, figures = finding.blocks(evidence, arm), finding.drawn(evidence, arm)
        if not blocks and not figures:
            return None
        self.figures |= {figure.key: figure for figure in figures}
        return {
            "arm": arm,
            "text": [self._text(block) for block in blocks if not isinstance(block, Table)],
            "rows": [
                (width, [self._figure(figure) for figure in group])
                for width, group in groupby(figures, lambda figure: figure.width)
            ],
            "tables": [self._table(b.title, b.header, b.rows, b.page_only) for b in blocks if isinstance(b, Table)],
        }

    def _text(self, block: Block) -> dict:
        if isinstance(block, Facts):
            return {"facts": [(name, self._moving(value)) for name, value in block.pairs]}
        return {"paragraph": self._moving(block)}

    def _figure(self, figure: Figure) -> dict:
        title = opening(figure.title)
        return {
            "key": figure.key,
            "title": self._moving(figure.title),
            "caption": figure.caption,
            "label": f"{title}. {figure.caption}",
            "height": figure.height,
            "table": self._table(title, *figure.table) if figure.table else None,
        }

    def _table(self, title: str, header: list[str], rows: list[list[Text]], folded: bool = False) -> dict:
        cells = [[self._moving(cell) for cell in row] for row in rows]
        return {"title": title, "header": header, "rows": cells, "folded": folded}

    def _moving(self, text: Text) -> str | dict[str, str]:
        """Return a text that follows a control as its key and its first value; any other as it is."""
        if not isinstance(text, Moving):
            return text
        key = f"t{len(self.texts)}"
        self.texts[key] = text
        return {"key": key, "text": text.opening}


def _maps(evidence: Evidence) -> PoolMaps | None:
    """Return the map whose pools are the stops of the slider; the arms of a study have the same."""
    return evidence.pool_maps[evidence.arms[0]] if evidence.arms else None


def _share(view: PublishedView) -> str:
    part = "the whole corpus" if view.share == 1 else f"{view.share:.3g} of the corpus"
    pools = view.pools.pool
    return f"{part} ({view.num_vectors:,} vectors), pools of {pools.iloc[0]:,} to {pools.iloc[-1]:,}"


def _as_json(content: dict) -> str:
    """Return JSON that may stand inside a script element, whatever texts it holds."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _file(folder: str, name: str) -> str:
    return files("study.report").joinpath(folder, name).read_text(encoding="utf-8")
