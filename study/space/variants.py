"""Resolve a study's variants and rows: each pair is the same file with changes merged over it."""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from lvm_core.errors import InputError
from lvm_core.window_split import longest_context
from study.messages.validation import explain, nearest
from study.space.overlay import merge
from study.space.protocol import PROTOCOLS
from study.space.sections import Row
from study.space.space import Space

CHANGEABLE = ("protocol", "data", "fixed", "patience", "cells")


@dataclass(frozen=True)
class Setting:
    """One variant of one row, as its own space. A name is None if the study has no variants or no rows."""

    variant: str | None
    row: str | None
    space: Space


def settings_of(space: Space) -> list[Setting]:
    """Return every variant of every row. Raises: InputError naming an invalid variant."""
    variants: dict[str | None, dict] = dict(space.variants) or {None: {}}
    rows: dict[str | None, Row | None] = dict(space.cells.rows) or {None: None}
    return [
        Setting(v, r, _resolve(space, v, changes, row)) for v, changes in variants.items() for r, row in rows.items()
    ]


def _resolve(space: Space, variant: str | None, changes: dict[str, Any], row: Row | None) -> Space:
    """Merge the protocol, the row and the variant over the file, in this order."""
    if unknown := sorted(set(changes) - set(CHANGEABLE)):
        raise InputError(
            f"variants.{variant} may change {', '.join(CHANGEABLE)}, but changes {unknown[0]}"
            f"{nearest(unknown[0], CHANGEABLE)}."
        )
    content = space.model_dump(exclude_unset=True, exclude={"variants", "compare", "scale"})
    protocol = changes.get("protocol", space.protocol)
    if protocol not in PROTOCOLS:
        raise InputError(f"variants.{variant}.protocol must be one of {', '.join(PROTOCOLS)}, but got {protocol}.")
    content = merge(content, PROTOCOLS[protocol])
    if row is not None:
        content["cells"] = {"context_length": [row.context_length], "num_sequences": [row.num_sequences]}
        content = merge(content, {"fixed": row.fixed})
    content = merge(content, changes)
    try:
        resolved = Space(**content)
        if row is None or row.num_queries is None or resolved.data.shared_queries:
            return resolved
        return Space(**merge(content, {"data": {"num_queries": row.num_queries}}))
    except ValidationError as error:
        raise InputError(f"{explain(error, Space, f'variants.{variant}')}.") from None


def scaled(space: Space, num_vectors: int) -> Space:
    """Return the space with each row's context as long as the corpus allows for its number of windows.

    A row that the corpus cannot fill at any context keeps its context and is reported infeasible.
    """
    if space.scale != "auto":
        return space
    rows = {}
    for name, row in space.cells.rows.items():
        context = longest_context(num_vectors, row.context_length, row.num_sequences, row.num_queries or 0)
        rows[name] = {**row.model_dump(exclude_unset=True), "context_length": context or row.context_length}
    return Space(**{**space.model_dump(exclude_unset=True), "cells": {"rows": rows}})
