"""One description of a figure, two drawings of it: the same numbers on the page and in the picture."""

from typing import get_args

import numpy as np
import pandas as pd
import pytest

from study.report.figures import as_plotly as plotly
from study.report.figures import as_png as png
from study.report.figures.dots import dots
from study.report.figures.figure import HIT_AXIS, Axis, Bars, Figure, Heatmap, Labels, Line, Mark, Moving
from study.report.findings import all_findings

MOVING = Moving("pool", [[0.9, 0.8], [0.5, 0.4]])
LINE = Line(name="N=5", x=[1, 4], y=MOVING, low=Moving("pool", [[0.8, 0.7], [0.3, 0.3]]), high=[1.0, 1.0], colour="red")


def figure(*marks: Mark, **more) -> Figure:
    return Figure(**({"key": "f", "title": "f", "picture": "f", "marks": marks, "y": HIT_AXIS} | more))


def values_of(drawn: dict, path: str) -> list:
    return next(move["values"] for move in drawn["moves"] if move["path"] == path)


def test_both_draw_every_kind_of_mark():
    assert set(plotly.DRAW) == set(png.DRAW) == set(get_args(Mark))


def test_a_line_moves_on_the_page_with_its_intervals():
    drawn = plotly.as_plotly(figure(LINE))
    assert values_of(drawn, "y") == [[0.9, 0.8], [0.5, 0.4]]
    assert values_of(drawn, "error_y.arrayminus") == [[0.1, 0.1], [0.2, 0.1]]
    assert values_of(drawn, "error_y.array") == [[0.1, 0.2], [0.5, 0.6]]
    assert values_of(drawn, "customdata") == [[[0.8, 1.0], [0.7, 1.0]], [[0.3, 1.0], [0.3, 1.0]]]


def test_a_picture_shows_a_line_where_the_page_opens():
    axes = png.canvas_of([figure(LINE)]).axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.5, 0.4])
    ends = axes.collections[0].get_segments()
    np.testing.assert_allclose([end[:, 1] for end in ends], [[0.3, 1.0], [0.3, 1.0]])


def test_a_share_of_the_corpus_opens_at_its_own_stop():
    line = Line(name="a", x=[1, 2], y=Moving("share", [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]], first=1), colour="red")
    assert list(png.canvas_of([figure(line)]).axes[0].lines[0].get_ydata()) == [0.3, 0.4]


def test_what_the_page_hides_at_first_is_in_no_picture():
    hidden = [
        Line(name="published", x=[1], y=[1], colour="red", when="published"),
        Line(name="no overlap", x=[1], y=[1], colour="red", when="overlap=0"),
        Line(name="in the legend", x=[1], y=[1], colour="red", starts_hidden=True),
    ]
    shown = Line(name="overlap", x=[1], y=[1], colour="red", when="overlap=1")
    assert [line.get_label() for line in png.canvas_of([figure(*hidden)]).axes[0].lines] == []
    assert len(png.canvas_of([figure(*hidden, shown)]).axes[0].lines) == 1
    whens = [trace.get("when") for trace in plotly.as_plotly(figure(*hidden, shown))["traces"]]
    assert whens == ["published", "overlap=0", None, "overlap=1"]


def test_gaps_stay_gaps_and_what_is_no_number_is_null_in_json():
    line = Line(name="a", x=[0, 1, None, 2], y=[0.1, float("nan"), None, float("inf")], colour="red")
    assert plotly.as_plotly(figure(line))["traces"][0]["y"] == [0.1, None, None, None]
    assert np.isnan(png.canvas_of([figure(line)]).axes[0].lines[0].get_ydata()[1:3]).all()


def test_a_map_has_its_numbers_its_labels_and_in_pictures_its_intervals():
    grid = Moving("pool", [[[0.9, None]], [[0.3, None]]])
    mark = Heatmap(
        values=grid, labels=Moving("pool", [[["0.90", ""]], [["0.30", ""]]]), details=[["0.2-0.4", ""]],
        hover=Moving("pool", [[["a", ""]], [["b", ""]]]), title="Hit@5",
    )  # fmt: skip
    drawn = plotly.as_plotly(figure(mark))
    assert values_of(drawn, "z") == grid.values
    assert values_of(drawn, "text") == [["0.90", ""], ["0.30", ""]]
    assert values_of(drawn, "textfont.color") == [["#000", "#000"], ["#fff", "#000"]]
    axes = png.canvas_of([figure(mark)]).axes[0]
    assert axes.images[0].get_array().data[0, 0] == 0.3
    assert next((text.get_text(), text.get_color()) for text in axes.texts) == ("0.30\n0.2-0.4", "white")


def test_labels_in_boxes_move_with_the_corpus_and_appear_only_when_they_are_asked_for():
    mark = Labels(x=[0], y=[0], text=Moving("share", [["a"], ["b"]]), box=True, shift=-19, when="published")
    (move,) = plotly.as_plotly(figure(mark))["moves"]
    assert (move["layout"], move["by"], move["when"]) == ("annotations", "share", "published")
    assert [[box["text"] for box in stop] for stop in move["values"]] == [["a"], ["b"]]
    assert not png.canvas_of([figure(mark)]).axes[0].texts


@pytest.mark.parametrize("name", ["<b>x</b> & y", "$x^2", "two\nlines"])
def test_names_are_text_in_both(name):
    marks = [
        Line(name=name, x=[1], y=[1], colour="red", hover=[name], labels=[name]),
        Labels(x=[1], y=[1], text=[name], hover=[name]),
        Bars(names=[name], values=[0.5], low=[0.4], high=[0.6], colour="red"),
    ]
    drawn = str(plotly.as_plotly(figure(*marks[:2], title=name, x=Axis(title=name, ticks=[(1, name)]))))
    assert "<b>" not in drawn and "& y" not in drawn
    assert png.as_png([figure(marks[2], y=Axis(scale="category"))]).startswith(b"\x89PNG")
    assert png.as_png([figure(*marks[:2], title=name, x=Axis(title=name, ticks=[(1, name)]))], name)


def test_dots_stand_one_a_line_with_the_reference_first():
    table = pd.DataFrame({"label": ["own", "other"], "gain": [0.2, 0.1], "low": [0.1, 0.0], "high": [0.3, 0.2]})
    made = dots(table, value="gain", axis="gain", key="g", picture="g", title="g", caption="")
    first, second = plotly.as_plotly(made)["traces"]
    assert (first["y"], second["y"]) == (["own"], ["other"])
    assert second["error_x"]["arrayminus"] == [0.1]
    assert png.canvas_of([made]).axes[0].yaxis_inverted()


def test_every_figure_of_a_study_has_symbols_and_dashes_that_both_draw(made_evidence):
    made = [figure for finding in all_findings() for arm in finding.arms(made_evidence)
            for figure in finding.drawn(made_evidence, arm)]  # fmt: skip
    lines = [mark for figure in made for mark in figure.marks if isinstance(mark, Line)]
    assert {line.symbol.removesuffix("-open") for line in lines if line.symbol} <= png.SYMBOLS.keys()
    assert {line.dash for line in lines} <= png.DASHES.keys()
    assert len(made) > 30
