"""Merge one mapping over another, as presets, settings, protocols and variants change a study."""

from typing import Any

from lvm_core.errors import InputError


def merge(base: dict, changes: dict) -> dict[str, Any]:
    """Return `base` with `changes` merged over it: mappings merge, lists and values replace, null removes."""
    if not isinstance(changes, dict):
        raise InputError(f"a preset must be a YAML mapping, but found a {type(changes).__name__}.")
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else value
        if value is None:
            del merged[key]  # back to the default; this also lets a change fix a searched value
    return merged
