"""Read the space that a study was run with, as this version would record it."""

from pydantic import ValidationError

from study.records.renames import with_current_keys
from study.space.legacy import values_before
from study.space.overlay import merge
from study.space.space import Space


def recorded_space(content: dict) -> dict:
    """Return a recorded space with current keys; those that it lacks have the values that studies had before."""
    content = with_current_keys(merge(content, values_before(content)))
    cells = content.get("cells") or {}
    if cells.get("rows"):  # the rows determine the axes
        content = content | {"cells": {"rows": cells["rows"]}}
    try:
        return Space(**content).model_dump(mode="json")
    except (ValidationError, TypeError):
        return content
