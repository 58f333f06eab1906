"""Compare the shape of the map between variants: how much Hit@5 gains along C and along N, and whether that changes."""

import numpy as np
import pandas as pd

from study.analysis import mrmc
from study.analysis.holm import LEVEL, holm
from study.analysis.load import StudyRecords
from study.analysis.variants import Measured, measured_cells

COLUMNS = [
    "variant", "along", "at", "from", "to", "gain", "low", "high", "change", "change_low", "change_high", "p_holm",
    "differs",
]  # fmt: skip
AXES = ("context_length", "num_sequences")
Cells = dict[tuple[int, int], Measured]  # by (C, N)


def gains_by_variant(study: StudyRecords) -> pd.DataFrame:
    """Return the gain in Hit@5 from the smallest to the largest C at each N, and N at each C, for each variant.

    change: the gain minus that of the reference, paired on the same queries and replicates; p_holm holds for all
    changes at once. Empty unless rows cross: two cells that differ in C or in N alone.
    """
    reference = study.manifest.space.compare.reference
    maps: dict[str, Cells] = {}
    for (variant, _), cell in measured_cells(study).items():
        maps.setdefault(variant, {})[tuple(int(cell.trials[axis].iloc[0]) for axis in AXES)] = cell
    lines = [
        _line(variant, step, cells, maps[reference] if variant != reference else None)
        for variant, cells in maps.items()
        for step in _steps(cells)
        if _comparable([cells[end] for end in step[2:]] + [maps.get(reference, {}).get(end) for end in step[2:]])
    ]
    return _adjusted(lines)


def _steps(cells: Cells) -> list[tuple]:
    """Return (axis, value of the other axis, first cell, last cell) of every line of the map with two cells or more."""
    found = []
    for axis, other in ((0, 1), (1, 0)):
        for value in sorted({key[other] for key in cells}):
            line = sorted(key for key in cells if key[other] == value)
            if len(line) > 1:
                found.append((axis, value, line[0], line[-1]))
    return found


def _comparable(cells: list[Measured | None]) -> bool:
    """Return whether all cells exist and have the same queries and as many replicates."""
    if None in cells:
        return False
    first = cells[0]
    return all(
        np.array_equal(cell.query_ids, first.query_ids) and len(cell.trials) == len(first.trials) for cell in cells[1:]
    )


def _line(variant: str, step: tuple, cells: Cells, reference: Cells | None) -> dict:
    axis, value, first, last = step
    gained = cells[last].hits() - cells[first].hits()
    gain = mrmc.mean(gained, cells[first].units)
    line = {"variant": variant, "along": "CN"[axis], "at": value, "from": first[axis], "to": last[axis]}
    line |= {"gain": gain.value, "low": gain.low, "high": gain.high}
    if reference is None:
        return line
    change = mrmc.mean(gained - (reference[last].hits() - reference[first].hits()), cells[first].units)
    return line | {"change": change}


def _adjusted(lines: list[dict]) -> pd.DataFrame:
    """Return the lines as a table, their changes estimated as one family and with Holm's p-values."""
    changed = [line for line in lines if "change" in line]
    for line, change in zip(changed, mrmc.moderated([line["change"] for line in changed]), strict=True):
        line |= change.named("change") | {"p_value": change.p_value}
    table = pd.DataFrame(lines).reindex(columns=[*COLUMNS, "p_value"])
    compared = table.p_value.notna()
    if compared.any():
        table.loc[compared, "p_holm"] = holm(table.p_value[compared].to_numpy(float))
    return table.assign(differs=table.p_holm.astype(float) < LEVEL)[COLUMNS]
