"""Draw a figure as the JSON that the page's script hands to Plotly: traces, layout, and what moves with a control."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import log10

from study.report.figures.figure import (
    EMPTY,
    FOREGROUND,
    MUTED,
    Axis,
    Bars,
    Figure,
    Heatmap,
    Labels,
    Line,
    Mark,
    Moving,
    Values,
)
from study.report.figures.plotly_values import as_texts, each, inks, minus, numbers, pairs, safe

THEMED = {FOREGROUND: "var(--fg)", MUTED: "var(--muted)", EMPTY: "var(--empty)"}  # the script looks them up
PANEL_MARGIN = {"l": 52, "r": 8, "t": 8, "b": 40}


def as_plotly(figure: Figure) -> dict:
    """Return a figure's JSON."""
    drawing = Drawing(_layout(figure))
    for mark in figure.marks:
        DRAW[type(mark)](drawing, mark)
    return {"traces": drawing.traces, "layout": drawing.layout, "moves": drawing.moves, "height": figure.height}


@dataclass
class Drawing:
    """Traces and layout as they grow. moves: values by stop, for a path in a trace or in the layout."""

    layout: dict
    traces: list[dict] = field(default_factory=list)
    moves: list[dict] = field(default_factory=list)

    def add(self, mark: Mark, trace: dict, **values: Values) -> None:
        """Add a trace. values: for paths of it (`error_y__array` is error_y.array), still or moving."""
        place = len(self.traces)
        self.traces.append(trace | ({"when": mark.when} if mark.when else {}))
        for name, value in values.items():
            path = name.replace("__", ".")
            if isinstance(value, Moving):
                self.moves.append({"trace": place, "path": path, "by": value.by, "values": value.values})
            else:
                _put(self.traces[place], path.split("."), value)


def _line(drawing: Drawing, line: Line) -> None:
    name, colour = safe(line.name), THEMED.get(line.colour, line.colour)
    parts = [part for part, wanted in (("lines", line.dash), ("markers", line.symbol), ("text", line.labels)) if wanted]
    trace = {"type": "scatter", "name": name, "mode": "+".join(parts), "showlegend": line.in_legend}
    trace |= {"opacity": line.opacity} if line.opacity < 1 else {}
    trace |= {"line": {"color": colour, "dash": line.dash, "width": line.width}} if line.dash else {}
    if line.symbol:
        trace["marker"] = {"color": colour, "symbol": line.symbol, "size": line.size}
        trace["marker"] |= {"line": {"width": line.width}} if line.symbol.endswith("open") else {}
    if line.labels:
        trace |= {"textposition": "top center", "cliponaxis": False}
    if line.starts_hidden:
        trace["visible"] = "legendonly"
    trace["hovertemplate"] = f"{_hover(line)}<extra>{name if line.in_legend else ''}</extra>"
    values = {"x": each(numbers, line.x), "y": each(numbers, line.y)}
    if line.low is not None:
        trace[f"error_{line.interval_of}"] = {
            "type": "data", "symmetric": False, "color": colour, "thickness": 1.2, "width": 4,
        }  # fmt: skip
        middle = line.y if line.interval_of == "y" else line.x
        values[f"error_{line.interval_of}__array"] = each(minus, line.high, middle)
        values[f"error_{line.interval_of}__arrayminus"] = each(minus, middle, line.low)
        if line.hover is None:
            values["customdata"] = each(pairs, line.low, line.high)
    for path, found in (("hovertext", line.hover), ("text", line.labels)):
        if found is not None:
            values[path] = each(as_texts, found)
    drawing.add(line, trace, **values)


def _hover(line: Line) -> str:
    if line.hover is not None:
        return "%{hovertext}"
    value = f"%{{{line.interval_of}:.3f}}"
    return value if line.low is None else f"{value}, 95 % interval %{{customdata[0]:.3f}} to %{{customdata[1]:.3f}}"


def _heatmap(drawing: Drawing, grid: Heatmap) -> None:
    rows, columns = len(grid.details), len(grid.details[0])
    trace = {
        "type": "heatmap", "x": list(range(columns)), "y": list(range(rows)), "colorscale": "Cividis", "zmin": 0,
        "zmax": 1, "xgap": 2, "ygap": 2, "hovertemplate": "%{hovertext}<extra></extra>", "hoverongaps": False,
        "colorbar": {"title": {"text": safe(grid.title)}, "thickness": 12, "tickformat": ".1f"},
    }  # fmt: skip
    z = each(lambda found: [numbers(row) for row in found], grid.values)
    drawing.add(grid, trace, z=z, hovertext=each(lambda found: [as_texts(row) for row in found], grid.hover))
    places = [(x, y) for y in range(rows) for x in range(columns)]
    trace = {"type": "scatter", "mode": "text", "hoverinfo": "skip", "x": [x for x, _ in places],
             "y": [y for _, y in places], "textfont": {"size": 15}, "showlegend": False}  # fmt: skip
    text = each(lambda found: as_texts(label for row in found for label in row), grid.labels)
    drawing.add(grid, trace, text=text, textfont__color=each(inks, grid.values))


def _labels(drawing: Drawing, labels: Labels) -> None:
    if labels.box:
        stops = each(lambda texts: _boxes(labels, texts), labels.text)
        assert isinstance(stops, Moving), "boxes follow a control"
        drawing.layout["annotations"] = []
        drawing.moves.append({"layout": "annotations", "by": stops.by, "values": stops.values, "when": labels.when})
        return
    trace = {"type": "scatter", "mode": "text", "x": list(labels.x), "y": list(labels.y), "showlegend": False}
    trace |= {"textfont": {"color": THEMED.get(labels.colour, labels.colour), "size": labels.size}}
    trace |= {"hoverinfo": "text", "hovertext": as_texts(labels.hover)} if labels.hover else {"hoverinfo": "skip"}
    if labels.shift:
        trace |= {"textposition": "top center" if labels.shift > 0 else "bottom center", "cliponaxis": False}
    drawing.add(labels, trace, text=each(as_texts, labels.text))


def _boxes(labels: Labels, texts: Sequence[str]) -> list[dict]:
    style = {"showarrow": False, "font": {"size": labels.size, "color": "#111"}, "bgcolor": "rgba(255,255,255,0.85)"}
    return [
        {"x": x, "y": y, "yshift": labels.shift, "text": safe(text)} | style
        for x, y, text in zip(labels.x, labels.y, texts, strict=True)
    ]


def _bars(drawing: Drawing, bars: Bars) -> None:
    error = {"type": "data", "symmetric": False, "color": THEMED[FOREGROUND]}
    error |= {"array": minus(bars.high, bars.values), "arrayminus": minus(bars.values, bars.low)}
    trace = {
        "type": "bar", "orientation": "h", "y": as_texts(bars.names), "x": numbers(bars.values), "error_x": error,
        "marker": {"color": bars.colour}, "customdata": pairs(bars.low, bars.high),
        "hovertemplate": "%{y}: %{x:.2f}, 95 % interval %{customdata[0]:.2f} to %{customdata[1]:.2f}<extra></extra>",
    }  # fmt: skip
    drawing.add(bars, trace)


DRAW: dict[type, Callable[[Drawing, Mark], None]] = {Line: _line, Heatmap: _heatmap, Labels: _labels, Bars: _bars}


def _layout(figure: Figure) -> dict:
    layout = {"xaxis": _axis(figure.x), "yaxis": _axis(figure.y), "showlegend": figure.legend}
    if any(isinstance(mark, Heatmap) for mark in figure.marks):
        layout["plot_bgcolor"] = THEMED[EMPTY]
    return layout | ({"margin": PANEL_MARGIN} if figure.width == "panel" else {})


def _axis(axis: Axis) -> dict:
    found: dict = {"title": {"text": safe(axis.title)}, "type": axis.scale, "zeroline": axis.zero}
    if axis.ticks is not None:
        found |= {"tickvals": [value for value, _ in axis.ticks], "ticktext": as_texts(name for _, name in axis.ticks)}
    if axis.range is not None:
        found["range"] = [round(log10(end), 3) if axis.scale == "log" else end for end in axis.range]
        found["fixedrange"] = axis.ticks is not None
    found |= {"tickformat": axis.form} if axis.form else {}
    found |= {"autorange": "reversed"} if axis.reverse else {}
    found |= {"rangemode": "tozero"} if axis.zero and axis.range is None else {}
    return found | {"showgrid": axis.grid, "visible": axis.visible}


def _put(target: dict, keys: list[str], value) -> None:
    for key in keys[:-1]:
        target = target.setdefault(key, {})
    target[keys[-1]] = value
