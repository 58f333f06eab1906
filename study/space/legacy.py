"""The values that studies had before a key existed: a study keeps them when it is resumed."""

from typing import Any

from study.records.renames import with_current_keys
from study.space.overlay import merge

BEFORE: dict[str, Any] = {  # dotted key of a space -> the value that older studies were run with
    "common_map": False,
    "data.exclude_context": False,
}


def values_before(space: dict[str, Any]) -> dict[str, Any]:
    """Return the value of each key that a recorded space lacks, as a mapping to merge into it."""
    found: dict[str, Any] = {}
    for key, value in BEFORE.items():
        if not _has(space, key.split(".")):
            for name in reversed(key.split(".")):
                value = {name: value}
            found = merge(found, value)
    return found


def kept_values(space: dict[str, Any], former: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what a recorded study keeps when its file or the defaults have changed since.

    space: as it was last run. former: as it was before its extensions. Empty for a study that had all keys from its
    start. An older one keeps the former values of those it lacked, and its racing, which other presets had chosen.
    """
    before: dict[str, Any] = {}
    for one in (*former, space):
        before = merge(before, values_before(one))
    racing = with_current_keys(space).get("racing")
    return before | {"racing": racing} if before and isinstance(racing, dict) else before


def _has(content: Any, path: list[str]) -> bool:
    for name in path:
        if not isinstance(content, dict) or name not in content:
            return False
        content = content[name]
    return True
