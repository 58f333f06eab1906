"""Names, titles and questions are shown as plain text everywhere: no markup, HTML, Markdown or terminal codes."""

import io
from html.parser import HTMLParser

import pytest
from pydantic import ValidationError
from rich.table import Table

from lvm_core.errors import InputError
from study.analysis.completeness import require_complete
from study.analysis.evidence import Evidence
from study.analysis.load import StudyRecords
from study.cli.console import PlainConsole
from study.cli.errors import say_error
from study.corpus import next_chunks
from study.corpus.__main__ import say
from study.export import model_card
from study.messages.escaping import in_markdown, plain
from study.records.manifest import Manifest
from study.report.markdown import markdown
from study.report.page import page
from study.report.terminal import print_summary
from study.space.space import Space
from tests.manifests import content

NAMES = {
    "html": "</script><script>alert(1)</script><img src=x onerror=alert(1)>",
    "template": "{{ 7 * 7 }} {% raw %}",
    "markdown": "a|b\n\n# c [click](http://evil) ![x](http://evil) `code`",
    "terminal": "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe\udcff\r",
    "markup": "[bold]loud[/] [/red] :warning:",
}
names = pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())


@names
def test_a_console_and_its_tables_show_text_literally(name):
    console = PlainConsole(file=(screen := io.StringIO()), width=200, force_terminal=True, color_system=None)
    console.print(name)
    table = Table("column", title=name)
    table.add_row(name)
    console.print(table)
    output = screen.getvalue()
    assert not set(output) & set("\x1b\x07\x9b\u202e\udcff\r")
    for word in plain(name).split():
        assert output.count(word) >= 3, word


@names
def test_an_error_is_one_line_of_text(name, capsys):
    say_error(f"a corpus must be readable, but {name} is not")
    output = capsys.readouterr().err
    assert output.count("\n") == 1
    assert not set(output) & set("\x1b\x07\x9b\u202e\udcff\r")


@names
def test_corpus_and_predict_print_plain_text(name, capsys):
    say(f"{name}: 3 vectors")
    hit = next_chunks.Hit(0.5, 3, name, 1, 2, name)
    router = type("Router", (), {"choose": lambda *_: type("Predictor", (), {"context_length": 1})})()
    next_chunks.print_answer(router, ["x"], [hit])
    output = capsys.readouterr().out
    assert output.count(plain(name)) == 3
    assert not set(output) & set("\x1b\x07\x9b\u202e\udcff\r")


@pytest.fixture(scope="module")
def hostile_evidence(made, made_page, made_evidence) -> Evidence:
    """Evidence of a study with every hostile name in its question, name, corpus, warnings, command and errors.

    The computed results are copied from the made-up study: no text affects them.
    """
    text = " ".join(NAMES.values())
    everywhere = {"study": text, "question": text, "warnings": [text], "command": text, "versions": {text: text}}
    corpus = made.manifest.corpus.model_copy(update={"name": text})
    manifest = made.manifest.model_copy(update=everywhere | {"corpus": corpus})
    trials = made.trials.copy()
    trials.loc[trials.status.isin(["failed", "infeasible"]), "error"] = text
    evidence = Evidence(StudyRecords(text, manifest, trials, made.curves, made.ranks))
    vars(evidence).update({name: value for name, value in vars(made_evidence).items() if name != "study"})
    return evidence


class Elements(HTMLParser):
    """Collects the elements of a page with their attributes."""

    def __init__(self):
        super().__init__()
        self.found: list[tuple[str, set[str]]] = []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, {name for name, _ in attributes}))


def elements(html: str) -> list[tuple[str, set[str]]]:
    parser = Elements()
    parser.feed(html)
    return parser.found


def test_hostile_names_add_no_elements_to_the_page(hostile_evidence, made_page):
    html = page(hostile_evidence)
    assert html.count("&lt;script&gt;") > 3, "the names must be shown"
    tags = [tag for tag, _ in elements(html)]
    assert (tags.count("script"), tags.count("img")) == (3, 0)
    assert not [each for each in elements(html) if any(attribute.startswith("on") for attribute in each[1])]
    assert [tag for tag, _ in elements(made_page)].count("script") == 3
    assert "49" not in html.split("<title>")[1].split("</title>")[0], "a template in a name must not be evaluated"


def test_hostile_names_add_no_lines_to_the_markdown_report(hostile_evidence, made_evidence):
    hostile, usual = markdown(hostile_evidence).splitlines(), markdown(made_evidence).splitlines()
    assert len(hostile) == len(usual)
    assert [line.count(" | ") for line in hostile] == [line.count(" | ") for line in usual]
    text = "\n".join(hostile)
    assert "<script" not in text and "](http" not in text and "&lt;script>" in text
    assert not set(text) & set("\x1b\x07\x9b\u202e\udcff\r")


def test_the_summary_on_screen_is_plain_text(hostile_evidence):
    console = PlainConsole(file=(screen := io.StringIO()), width=300)
    study = hostile_evidence.study
    broken = study.trials[study.trials.status.isin(["failed", "infeasible"])]
    print_summary(Evidence(StudyRecords("x", study.manifest, broken, study.curves, study.ranks)), console)
    assert "[bold]loud[/]" in screen.getvalue()
    assert not set(screen.getvalue()) & set("\x1b\x07\x9b\u202e\udcff\r")


@names
def test_a_model_card_shows_names_as_plain_text(name):
    table = model_card._table(["", ""], [["corpus", in_markdown(name)], ["study", in_markdown(name)]])
    assert table.count("\n") == 3 and "<script" not in table and "](" not in table.replace("]\\(", "")


@names
def test_names_that_become_ids_and_files_are_refused_unless_plain(name, made):
    rows, axes = {name: {"context_length": 1, "num_sequences": 20}}, {"context_length": [1], "num_sequences": [20]}
    for changes in ({"cells": {"rows": rows}}, {"cells": axes, "variants": {name: {}}}):
        with pytest.raises(ValidationError, match=r"a name must be letters|at most 60 characters|unicode"):
            Space(question="?", **changes)
    for column in ("trial_id", "cell_id", "model"):
        trials = made.trials.copy()
        trials.loc[0, column] = name
        with pytest.raises(InputError, match=f"a {column} must be letters"):
            require_complete(StudyRecords("x", made.manifest, trials, made.curves, made.ranks))
    with pytest.raises(InputError, match="a name must be letters"):
        Manifest.of(content(made) | {"cells": [name]}, "manifest.json")
