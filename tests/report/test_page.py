"""The report's page without a browser: what it says, that its numbers are those of pandas, and that it stands alone."""

import hashlib
import json
import re
from html import unescape
from pathlib import Path

import pytest

from lvm_core.ranks import hit_at_k_in_pool
from study.analysis.evidence import Evidence
from study.analysis.law_forms import FORMS
from study.analysis.load import StudyRecords
from study.records.columns import TABLES
from study.report.dictionary import DICTIONARY, markdown_tables
from study.report.findings import all_findings
from study.report.findings.law import formula
from study.report.markdown import markdown
from study.report.page import page
from study.report.pictures import pictures
from tests.made_report import INFEASIBLE, TITLE, made_study
from tests.manifests import changed
from tests.planted import POOL

ROOT = Path(__file__).resolve().parents[2]
PLOTLY = ROOT / "study/report/vendor/plotly-cartesian-4.1.1.min.js"
PLOTLY_SHA256 = "79542150855a52c567260e3137095dbe2b744e6d702a5cabe67da246942fba7a"


def data_of(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S).group(1))


def without_library(html: str) -> str:
    return html.replace(PLOTLY.read_text(), "")


def test_the_plotting_library_is_the_published_file():
    assert hashlib.sha256(PLOTLY.read_bytes()).hexdigest() == PLOTLY_SHA256


def test_the_page_has_a_section_for_every_finding_and_an_answer_with_intervals(made_page):
    wanted = [finding.key for finding in all_findings() if not finding.of_variants]
    sections = re.findall(r'<section id="([\w-]+)"><h2>', made_page)
    assert sections == wanted and len(wanted) >= 10
    nav = made_page.split('<nav aria-label="Sections">')[1].split("</nav>")[0]
    assert re.findall(r'href="#([\w-]+)"', nav) == wanted
    answer = re.search(r'<p class="answer">(.*?)</p>', made_page, re.S).group(1)
    assert len(re.findall(r"\. [A-Z]", answer)) == 2, "three sentences"
    assert len(re.findall(r"\[[-+\d.]+, [-+\d.]+\]", answer)) == 3, "each with its interval"


def test_every_verdict_has_its_evidence_one_click_away(made_page):
    block = made_page.split('<div class="verdicts">')[1].split("</div>")[0]
    questions = re.findall(r'<span class="question">(.*?)</span> <strong>(.+?)</strong>', block)
    for words in ("grow with the context", "threshold", "context suits", "configuration", "best baseline"):
        assert any(words in question for question, _ in questions), words
    assert block.count("<details>") == block.count("See the section") == len(questions)
    links = re.findall(r'<a href="#([\w-]+)">See the section</a>', block)
    assert links == [
        "context", "baselines", "law", "data-gain", "interaction", "thresholds", "best-context", "best-configurations",
    ]  # fmt: skip
    assert all(f'<section id="{link}">' in made_page for link in links)


def test_the_slider_looks_up_what_pandas_computes(made_page, made):
    data = data_of(made_page)
    stop = data["pools"].index(115)
    heat = data["figures"]["map"]["moves"][0]["values"][stop]
    ids = made.trials[(made.trials.cell_id == "C16_N500") & (made.trials.stage == "confirm")].trial_id
    ranks = made.ranks[made.ranks.trial_id.isin(ids)]
    expected = hit_at_k_in_pool(ranks["rank"], ranks.num_ties, 5, POOL, 115).mean()
    assert heat[2][2] == pytest.approx(expected, abs=1e-4)
    for figure in ("map", "against-c", "against-n", "pool", "law", "residuals", "held-out", "thresholds"):
        moving = [move for move in data["figures"][figure]["moves"] if move["by"] == "pool"]
        assert moving and all(len(move["values"]) == len(data["pools"]) for move in moving), figure


def test_the_published_reading_lies_over_map_and_lines(made_page):
    data = data_of(made_page)
    for figure in ("map", "against-c", "apparent"):
        assert any(move["by"] == "share" for move in data["figures"][figure]["moves"]), figure


def test_the_page_needs_nothing_but_itself(made_page):
    own = without_library(made_page)
    assert not re.search(r"""(src|href)\s*=\s*["'](?!#)""", own), "only links within the page"
    assert "@import" not in own and "url(" not in own
    assert "default-src 'none'" in own, "and a policy that forbids requests"


def test_titles_from_a_corpus_are_text_and_never_markup(made_page):
    own = without_library(made_page)
    assert "<script>alert" not in own
    assert TITLE in unescape(own)


def test_trials_without_a_result_stand_with_their_reasons(made_page):
    own = unescape(made_page)
    assert "RuntimeError: it broke" in own and "about 99,999 vectors needed" in own
    assert own.count("<td>pruned</td>") >= 84
    assert "pruned by ASHA: other trials of its cell were better" in own
    assert INFEASIBLE in own


def test_infeasible_cells_are_shown_as_such_on_the_map(made_page):
    traces = data_of(made_page)["figures"]["map"]["traces"]
    missing = next(trace for trace in traces if "infeasible" in trace.get("text", []))
    assert "99,999 vectors" in missing["hovertext"][missing["text"].index("infeasible")]


def test_every_figure_has_a_text_for_those_who_do_not_see_it(made_page):
    plots = re.findall(r'<div class="plot"[^>]*>', made_page)
    assert plots and all('role="img"' in plot and 'aria-label="' in plot for plot in plots)
    assert len(set(re.findall(r'\bid="([^"]+)"', without_library(made_page)))) == len(
        re.findall(r'\bid="([^"]+)"', without_library(made_page))
    ), "ids are unique"


def test_a_study_of_five_hundred_trials_stays_under_six_megabytes(made_evidence):
    study = made_study(num_search=15)
    assert len(study.trials) > 500
    evidence = Evidence(study)
    for name in ("answers", "pool_maps", "importance"):  # as large, whatever the number of search trials
        evidence.__dict__[name] = getattr(made_evidence, name)
    assert len(page(evidence).encode()) < 6_000_000


def small(study: StudyRecords, arm: str = "") -> StudyRecords:
    """Return the cells of two contexts and two sizes, too few for a law, as those of an arm."""
    kept = study.trials[study.trials.context_length.isin([1, 4]) & ~(study.trials.num_sequences > 250)].copy()
    kept = kept[kept.stage != "search"]
    kept.loc[kept.stage == "confirm", "cell_id"] += arm
    return StudyRecords("made", study.manifest, kept, study.curves, study.ranks)


def test_a_study_that_is_not_complete_says_so():
    study = changed(made_study(), runs=[{"ended": "running"}])
    evidence = Evidence(small(study))
    html = page(evidence)
    assert "is still running: 12 of 84 confirm trials" in html
    assert "No law is fitted: a law needs at least 6 measured cells" in html
    assert "**Partial.**" in markdown(evidence)


def test_each_arm_has_its_own_figures(made):
    html = page(Evidence(small(made, "_alpha0.03")))
    assert "map-0" in data_of(html)["figures"]
    assert "<h3>alpha0.03</h3>" in html


def test_a_study_without_a_confirmed_cell_has_a_page_without_figures_of_zeros():
    study = made_study()
    early = type(study)("made", study.manifest, study.trials[study.trials.stage == "search"], study.curves, study.ranks)
    html = page(Evidence(early))
    assert "No cell is confirmed yet" in html
    assert "map" not in data_of(html)["figures"]


def test_the_pictures_are_png_and_report_md_links_each(made_evidence):
    drawn = pictures(made_evidence)
    assert {"map", "hit_at_5", "pool", "law", "thresholds", "learning_curves", "searched", "importance"} <= set(drawn)
    assert all(data.startswith(b"\x89PNG") for data in drawn.values())
    text = markdown(made_evidence, tuple(drawn))
    assert all(f"(figures/{name}.png)" in text for name in drawn)


def test_the_documentation_and_the_page_explain_the_columns_in_the_same_words():
    assert markdown_tables().strip() in (ROOT / "docs" / "records.md").read_text()
    for table, schema in TABLES.items():
        assert [name for names, _ in DICTIONARY[table] for name in names] == schema.names


def test_every_law_that_is_compared_has_a_formula():
    for form in FORMS:
        assert "logit g" in formula(form.name) or "ln g" in formula(form.name) or "g / (1 - g)" in formula(form.name)
        assert ("; with" in formula(form.name)) == form.interaction
