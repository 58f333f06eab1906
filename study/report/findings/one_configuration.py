"""The map at one configuration for all cells beside the tuned one: what remains of a shape that tuning could make."""

from study.analysis.evidence import Evidence
from study.analysis.two_maps import TwoMaps
from study.report.figures.figure import Axis, Figure, Heatmap
from study.report.finding import Block, Finding
from study.report.findings import register
from study.report.style import shown

WHY = (
    "Each cell of the map above has the configuration that won in it, and the luck of that search differs from cell to "
    "cell. Here every cell is trained with one configuration, {configuration}, which is best over all cells on "
    "validation. A verdict on the map holds only where both maps agree."
)
CAPTION = "Test Hit@5 of each cell at the one configuration; open the table for what tuning each cell gains."


def blocks(evidence: Evidence, arm: str) -> list[Block]:
    """Return why there are two maps, and how much they differ."""
    maps = evidence.two_maps[arm]
    if maps is None:
        return []
    return [WHY.format(configuration=_values(maps)), _difference(maps)]


def screen(evidence: Evidence, _arm: str) -> list[Block]:
    """Return how much the maps differ, by arm."""
    found = [(arm, maps) for arm, maps in evidence.two_maps.items() if maps is not None]
    return [
        f"at one configuration{f', {arm}' if arm else ''} ({_values(maps)}): {_difference(maps)}" for arm, maps in found
    ]


def figures(evidence: Evidence, arm: str) -> list[Figure]:
    """Return the map at one configuration."""
    maps = evidence.two_maps[arm]
    if maps is None:
        return []
    axes = evidence.study.manifest.space.cells
    contexts, sizes = axes.context_length, axes.num_sequences
    found = {(row.context_length, row.num_sequences): row for row in maps.cells.itertuples()}

    def grid(write) -> list[list]:
        return [[write(found[c, n]) if (c, n) in found else None for n in sizes] for c in contexts]

    heatmap = Heatmap(
        title="test Hit@5",
        values=grid(lambda cell: cell.common),
        labels=grid(lambda cell: f"{cell.common:.2f}"),
        hover=grid(_hover),
        details=grid(lambda cell: f"{cell.common_low:.3f}-{cell.common_high:.3f}"),
    )
    return [
        Figure(
            key="map-at-one-configuration", picture="map_at_one_configuration", title="Hit@5 at one configuration",
            caption=CAPTION, marks=[heatmap], x=Axis.places("training sequences N", sizes),
            y=Axis.places("context length C", contexts), table=_table(maps), height=150 + 62 * len(contexts),
            legend=False,
        )
    ]  # fmt: skip


def _difference(maps: TwoMaps) -> str:
    table = maps.cells
    differ = int((~table.same_configuration).sum())
    if maps.mean_gain is None:
        return "the search chose the same configuration for every cell, and the two maps are one."
    gain = maps.mean_gain
    text = (
        f"{differ} of {len(table)} cells have another configuration of their own; tuning changes Hit@5 by "
        f"{shown(gain.value, gain.low, gain.high, '+.3f')} on average over all cells"
    )
    if maps.noise is None:
        return f"{text}; too few cells differ to show how much the search moves a cell."
    return f"{text}; the luck of the search moves a cell by {100 * maps.noise.sd:.1f} points (standard deviation)."


def _values(maps: TwoMaps) -> str:
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in maps.configuration.items()
    )


def _hover(cell) -> str:
    hit, gain = shown(cell.common, cell.common_low, cell.common_high), _gain(cell)
    place = f"C={cell.context_length:,}, N={cell.num_sequences:,}"
    return f"{place}\nHit@5 {hit}\ntuned {cell.tuned:.3f}, gain {gain}"


def _gain(cell) -> str:
    return "0: the same" if cell.same_configuration else shown(cell.gain, cell.gain_low, cell.gain_high, "+.3f")


def _table(maps: TwoMaps) -> tuple[list[str], list[list]]:
    rows = [
        [f"{row.context_length:,}", f"{row.num_sequences:,}", shown(row.common, row.common_low, row.common_high),
         f"{row.tuned:.3f}", _gain(row)]
        for row in maps.cells.itertuples()
    ]  # fmt: skip
    return ["C", "N", "at one configuration [95 %]", "tuned", "gain of tuning [95 %]"], rows


FINDING = register(
    Finding(
        key="one-configuration", title="The map at one configuration", after="map", by_arm=True,
        absent="The study has one map: nothing was searched, or it was recorded before there were two.",
        blocks=blocks, screen=screen, figures=figures,
        csv=lambda evidence, arm: {"two_maps": maps.cells} if (maps := evidence.two_maps[arm]) is not None else {},
    )
)  # fmt: skip
