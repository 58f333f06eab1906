"""A finding that is registered, and nothing else: page, report.md, terminal, PNG and CSV have it."""

import io
import json
import re

import pandas as pd
import pytest
from rich.console import Console

from study.analysis.evidence import Evidence
from study.analysis.verdicts import Verdict
from study.report.answer import sentences
from study.report.figures.figure import Axis, Figure, Line, Moving
from study.report.files import tables
from study.report.finding import Finding, Table
from study.report.findings import REGISTERED, all_findings, register
from study.report.markdown import markdown
from study.report.page import page
from study.report.pictures import pictures
from study.report.terminal import print_summary

LATENCY = pd.DataFrame({"context_length": [1, 4, 16], "ms": [0.5, 0.75, 1.5]})


def finding(**changes) -> Finding:
    """Return a finding that uses everything a finding can have."""
    figure = Figure(
        key="latency-by-context",
        picture="latency",
        title="Latency by context",
        x=Axis.log("context length C", LATENCY.context_length),
        marks=[Line(name="p50", x=LATENCY.context_length, y=Moving("pool", [list(LATENCY.ms)] * 3), colour="#0072B2")],
    )
    rows = [[str(row.context_length), f"{row.ms:.2f}"] for row in LATENCY.itertuples()]
    table = Table(title="Milliseconds a prediction", header=["C", "ms"], rows=rows)
    content = {
        "key": "latency",
        "title": "Latency",
        "after": "variance",
        "blocks": lambda *_: ["How long one prediction takes.", table],
        "screen": lambda *_: [table],
        "figures": lambda *_: [figure],
        "verdicts": lambda *_: [Verdict("latency", "Is it fast?", "yes", "1.5 ms at C=16")],
        "csv": lambda *_: {"latency": LATENCY},
        "sentences": lambda _: ["A prediction takes 1.5 ms."],
    }
    return Finding(**(content | changes))


@pytest.fixture
def registered(monkeypatch) -> None:
    all_findings()  # the modules of the report register their own only once
    monkeypatch.setitem(REGISTERED, "latency", finding())


def test_the_page_has_its_section_figure_table_verdict_and_sentence(registered, made_evidence):
    html = page(made_evidence)
    keys = re.findall(r'<section id="([\w-]+)"><h2>', html)
    assert keys[keys.index("variance") + 1] == "latency"
    section = html.split('<section id="latency">')[1].split("</section>")[0]
    assert re.search(r"<h2>\d+\. Latency</h2>", section)
    assert "How long one prediction takes." in section
    assert 'id="plot-latency-by-context"' in section
    assert "<caption>Milliseconds a prediction</caption>" in section and "<td>0.75</td>" in section
    verdict = html.split("Is it fast?")[1].split("</details>")[0]
    assert "1.5 ms at C=16." in verdict and '<a href="#latency">' in verdict
    answer = re.search(r'<p class="answer">(.*?)</p>', html, re.S).group(1)
    assert answer.endswith("A prediction takes 1.5 ms.")
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S).group(1))
    drawn = data["figures"]["latency-by-context"]
    assert drawn["traces"][0]["x"] == [1, 4, 16]
    assert [move["values"][-1] for move in drawn["moves"] if move["path"] == "y"] == [[0.5, 0.75, 1.5]]


def test_report_md_has_its_heading_picture_table_and_verdict(registered, made_evidence):
    text = markdown(made_evidence, ("latency",))
    section = text.split("\n## Latency\n")[1].split("\n## ")[0]
    assert "![latency](figures/latency.png)" in section
    assert "| 16 | 1.50 |" in section
    assert "- Is it fast? yes: 1.5 ms at C=16" in text


def test_its_picture_and_its_csv_are_written(registered, made_evidence):
    assert pictures(made_evidence)["latency"].startswith(b"\x89PNG")
    assert tables(made_evidence)["latency"] is LATENCY


def test_the_terminal_shows_its_table_and_its_verdict(registered, made, made_evidence, monkeypatch):
    monkeypatch.setattr("study.report.terminal.Evidence", lambda _: made_evidence)
    print_summary(Evidence(made), Console(file=(screen := io.StringIO()), width=200))
    assert re.search(r"Milliseconds\s+a prediction", screen.getvalue())
    assert re.search(r"│ 16 +│ 1\.50 +│", screen.getvalue())
    assert "Is it fast? yes: 1.5 ms at C=16" in screen.getvalue()


def test_a_finding_of_each_arm_has_its_own_figures_and_tables(monkeypatch, made_evidence):
    arms = Evidence(made_evidence.study)
    vars(arms).update(vars(made_evidence))
    vars(arms)["answers"] = {arm: made_evidence.answers[""] for arm in ("slow", "fast")}
    vars(arms)["pool_maps"] = {arm: made_evidence.pool_maps[""] for arm in ("slow", "fast")}
    monkeypatch.setattr("study.report.findings.REGISTERED", {"latency": finding(by_arm=True, after=None)})
    assert list(tables(arms)) == ["latency_slow", "latency_fast"]
    assert list(pictures(arms)) == ["latency_slow", "latency_fast"]
    html = page(arms)
    assert all(f'id="plot-latency-by-context-{number}"' in html for number in (0, 1))
    assert "slow: Is it fast?" in html and "fast: Is it fast?" in html


def test_two_findings_of_one_key_and_one_that_stands_after_none_are_refused(monkeypatch):
    all_findings()
    with pytest.raises(AssertionError, match="two findings have the key 'law'"):
        register(finding(key="law"))
    monkeypatch.setitem(REGISTERED, "latency", finding(after="lore"))
    with pytest.raises(AssertionError, match="latency"):
        all_findings()


def test_a_study_of_variants_is_answered_by_its_comparison_alone(registered, made_evidence):
    assert len(sentences(made_evidence)) == 4
    assert [each.key for each in all_findings() if each.of_variants] == [
        "variant-steps",
        "variant-gains",
        "variant-differences",
    ]
