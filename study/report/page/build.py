"""Put findings, figures and words into the page's template: one file that needs nothing else."""

import json
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from study.analysis.evidence import Evidence
from study.analysis.pool_maps import PoolMaps
from study.report.answer import partial, sentences, verdicts
from study.report.comparison import comparison
from study.report.dictionary import DICTIONARY
from study.report.method import method
from study.report.page.comparison_figures import comparison_figure
from study.report.page.curve_figures import curve_figures, curve_table
from study.report.page.figure import Figure
from study.report.page.law_figures import law_figures, law_texts, law_words
from study.report.page.line_figures import against_context, against_sequences
from study.report.page.map_figure import map_figure
from study.report.page.pool_figures import against_pool, apparent_law, pool_texts, share_name, share_texts
from study.report.page.search_figures import importance_figure, parallel
from study.report.page.threshold_figure import threshold_figure
from study.report.page.trial_rows import HEADER, fallen_rows
from study.report.words import measured_with

PLOTLY = "plotly-cartesian-4.1.1.min.js"  # see vendor/README.md


def page(findings: Evidence) -> str:
    """Return the page as HTML."""
    environment = Environment(
        loader=PackageLoader("study.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    arms = [_arm(findings, arm, maps, number) for number, (arm, maps) in enumerate(findings.pool_maps.items()) if maps]
    context = _context(findings, arms)
    texts = _take_moving(context)
    context |= {"data": _as_json(_data(arms, context["figures"], texts)), "style": _file("templates", "page.css")}
    context |= {"script": _file("templates", "page.js"), "plotly": _file("vendor", PLOTLY)}
    return environment.get_template("page.html.j2").render(context)


def _arm(findings: Evidence, arm: str, maps: PoolMaps, number: int) -> dict:
    """Return one arm's figures by section."""
    key, answers = f"-{number}" if arm else "", findings.answers[arm]
    pools = [against_pool(maps, key)] + ([apparent_law(maps, key)] if maps.published else [])
    return {
        "name": arm,
        "key": key,
        "maps": maps,
        "law_refusal": answers.refusals.get("law"),
        "map": [map_figure(findings.study, maps, arm, key)],
        "lines": [against_context(maps, key), against_sequences(maps, key)],
        "pools": pools,
        "law": law_figures(maps, key),
        "law_words": law_words(maps) if maps.laws else "",
        "thresholds": [threshold_figure(answers, maps, key)],
    }


def _context(findings: Evidence, arms: list[dict]) -> dict:
    study, compared = findings.study, comparison_figure(findings)
    curves, lines, matters = curve_figures(findings), parallel(findings), importance_figure(findings)
    of_arms = [
        figure for arm in arms for part in ("map", "lines", "pools", "law", "thresholds") for figure in arm[part]
    ]
    others = [figure for figure in (compared, *curves, lines, matters) if figure]
    maps = arms[0]["maps"] if arms else None
    return {
        "study": study.manifest.study,
        "question": study.manifest.question.strip(),
        "sentences": sentences(findings),
        "verdicts": verdicts(findings),
        "partial": partial(findings),
        "problems": findings.problems,
        "counts": "" if findings.cells.empty else measured_with(findings, marks=""),
        "comparison": [_without_bars(*section) for section in comparison(study)],
        "compared": compared,
        "arms": arms,
        "curves": curves,
        "curve_table": curve_table(findings),
        "patience": sorted(study.manifest.space.patience.replay),
        "parallel": lines,
        "importance": matters,
        "fallen": (HEADER, fallen_rows(study)),
        "gaps": findings.gaps,
        "method": method(study),
        "dictionary": DICTIONARY,
        "figures": [*of_arms, *others],
        "num_stops": len(maps.views) if maps else 0,
        "own": maps.own.pool if maps else 0,
        "shares": [share_name(view) for view in maps.published] if maps else [],
        "first_share": maps.first_share if maps else 0,
    }


def _without_bars(title: str, header: list[str], rows: list[list[str]]) -> tuple:
    """Return a table without its bars of text: the page has a figure of them."""
    kept = [place for place, name in enumerate(header) if name]
    return title, [header[place] for place in kept], [[row[place] for place in kept] for row in rows]


def _take_moving(context: dict) -> dict[str, dict]:
    """Number the table cells that follow the slider: replaced by (key, text shown first), their texts returned."""
    texts: dict[str, dict] = {}
    for figure in context["figures"]:
        if figure.table is None:
            continue
        _, rows = figure.table
        first = context["first_share"] if figure.table_by == "share" else -1
        for row in rows:
            for place, cell in enumerate(row):
                if isinstance(cell, list):
                    key = f"t{len(texts)}"
                    texts[key] = {"by": figure.table_by, "values": cell}
                    row[place] = {"key": key, "text": cell[first]}
    return texts


def _data(arms: list[dict], figures: list[Figure], texts: dict) -> dict:
    """Return what the script looks up: figures, the stops' names, and texts by stop."""
    for arm in arms:
        maps: PoolMaps = arm["maps"]
        laws = [law_texts(law) for law in maps.laws] or [{}] * len(maps.views)
        stops = [pool_texts(view) | law for view, law in zip(maps.views, laws, strict=True)]
        shares = [share_texts(view) for view in maps.published]
        for by, entries in (("pool", stops), ("share", shares)):
            for name in entries[0] if entries else ():
                texts[f"{name}{arm['key']}"] = {"by": by, "values": [entry[name] for entry in entries]}
        arm["texts"] = {
            name: entry
            for entries in (stops[-1:], shares[arms[0]["maps"].first_share :][:1])
            for e in entries
            for name, entry in e.items()
        }
    maps = arms[0]["maps"] if arms else None
    return {
        "figures": {figure.id: figure.as_json() for figure in figures},
        "pools": [view.pool for view in maps.views] if maps else [],
        "chances": [round(view.chance, 5) for view in maps.views] if maps else [],
        "firstShare": maps.first_share if maps else 0,
        "texts": texts,
    }


def _as_json(content: dict) -> str:
    """Return JSON that may stand inside a script element, whatever texts it holds."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _file(folder: str, name: str) -> str:
    return files("study.report").joinpath(folder, name).read_text(encoding="utf-8")
