"""Draw what was searched: trials on parallel axes, and how much each value matters."""

import pandas as pd

from study.analysis.evidence import Evidence
from study.analysis.searched import REACHED
from study.report.page.figure import FOREGROUND, Figure, numbers, ordered_colours
from study.report.style import BLUE

AXIS_NAMES = {"context_length": "C", "num_sequences": "N", REACHED: "Hit@5 less<br>its cell's mean"}


def parallel(findings: Evidence) -> Figure | None:
    """Return the search trials as lines over the searched values; None where nothing was searched."""
    lines, axes = findings.searched_lines
    if lines.empty:
        return None
    figure = Figure(
        "parallel",
        "Every search trial, value by value",
        (
            f"{len(lines):,} search trials. Colour: what a trial reached against its cell's mean, in fifths, light "
            "is best. "
            "Dashed: pruned, judged as last seen."
        ),
        height=440,
    )
    names = list(axes.name)
    for fifth, colour in enumerate(ordered_colours(5)):
        for status, dash in (("completed", "solid"), ("pruned", "dot")):
            chosen = lines[(lines.fifth == fifth) & ((lines.status == "completed") == (status == "completed"))]
            if len(chosen):
                figure.add(
                    _bundle(
                        chosen,
                        names,
                        f"{'best' if fifth == 4 else 'worst' if fifth == 0 else f'{fifth + 1}th'} fifth",
                        colour,
                        dash,
                    )
                )
    figure.layout = {
        "xaxis": {
            "tickvals": list(range(len(names))),
            "ticktext": [AXIS_NAMES.get(name, name) for name in names],
            "range": [-0.35, len(names) - 0.55],
            "showgrid": True,
            "fixedrange": True,
        },
        "yaxis": {"visible": False, "range": [-0.1, 1.1], "fixedrange": True},
        "annotations": [label for i, axis in enumerate(axes.itertuples()) for label in _labels(i, axis)],
        "showlegend": False,
        "hovermode": "closest",
    }
    header = ["trial", "cell", "status", *names[2:-1], "validation Hit@5", "less its cell's mean"]
    figure.table = (
        header,
        [
            [
                row["trial_id"],
                row["cell_id"],
                row["status"],
                *(_value(row[name]) for name in names[2:-1]),
                f"{row['val_hit_at_5']:.3f}",
                f"{row[REACHED]:+.3f}",
            ]
            for row in lines.sort_values(REACHED, ascending=False).to_dict("records")
        ],
    )
    return figure


def importance_figure(findings: Evidence) -> Figure | None:
    """Return the importance of the searched values; None where too little was searched."""
    table = findings.importance.iloc[::-1]
    if table.empty:
        return None
    figure = Figure("importance", "What the searched values matter", "", height=130 + 44 * len(table))
    trace = {
        "type": "bar",
        "orientation": "h",
        "y": list(table.parameter),
        "x": numbers(table.importance),
        "marker": {"color": BLUE},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": numbers(table.high - table.importance),
            "arrayminus": numbers(table.importance - table.low),
            "color": FOREGROUND,
        },
        "customdata": [numbers(row) for row in table[["low", "high"]].to_numpy()],
        "hovertemplate": "%{y}: %{x:.2f}, 95 % interval %{customdata[0]:.2f} to %{customdata[1]:.2f}<extra></extra>",
    }
    figure.add(trace)
    figure.layout = {"xaxis": {"title": {"text": "share of what tells good trials from others"}, "range": [0, 1]}}
    figure.layout |= {"showlegend": False, "margin": {"l": 130, "r": 20, "t": 10, "b": 50}}
    return figure


def _bundle(lines: pd.DataFrame, names: list[str], label: str, colour: str, dash: str) -> dict:
    x, y, text = [], [], []
    for row in lines.to_dict("records"):
        x += [*range(len(names)), None]
        y += [*numbers(row[f"at_{name}"] for name in names), None]
        text += [f"{row['trial_id']} in {row['cell_id']}: {name} {_value(row[name])}" for name in names] + [""]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": label,
        "x": x,
        "y": y,
        "text": text,
        "opacity": 0.75,
        "line": {"color": colour, "dash": dash, "width": 1.3},
        "hovertemplate": "%{text}<extra></extra>",
    }


def _labels(place: int, axis) -> list[dict]:
    """Return the ends of one axis, or its choices."""
    if axis.choices is not None and not (isinstance(axis.choices, float)):
        last = max(1, len(axis.choices) - 1)
        ends = [(i / last, str(choice)) for i, choice in enumerate(axis.choices)]
    else:
        ends = [(0.0, _value(axis.low)), (1.0, _value(axis.high))]
    return [
        {
            "x": place,
            "y": y,
            "text": text,
            "showarrow": False,
            "xanchor": "center",
            "yanchor": "top" if y == 0 else "bottom",
            "yshift": -4 if y == 0 else 4,
            "font": {"size": 11},
        }
        for y, text in ends
    ]


def _value(value) -> str:
    return (
        f"{value:,.3g}"
        if isinstance(value, float) and abs(value) < 1000
        else f"{value:,.0f}"
        if isinstance(value, (int, float))
        else str(value)
    )
