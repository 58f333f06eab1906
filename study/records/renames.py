"""Translate names of older studies and space files to current ones, so that old files stay readable."""

from typing import Any

import pandas as pd

SPACE_KEYS = {  # old -> new, each as a path in a space
    ("start",): "points_to_evaluate",
    ("racing", "num_configs"): "num_samples",
    ("racing", "grace_evaluations"): "grace_period",
}
STATUSES = {"raced_out": "pruned"}


def with_current_keys(space: dict[str, Any]) -> dict[str, Any]:
    """Return a space, or a change to one, with current keys. Where both names are present, the current one wins."""
    for (*path, old), new in SPACE_KEYS.items():
        space = _renamed(space, path, old, new)
    return space


def _renamed(content: Any, path: list[str], old: str, new: str) -> Any:
    if not isinstance(content, dict):
        return content
    if path:
        inner = content.get(path[0])
        return content | {path[0]: _renamed(inner, path[1:], old, new)} if isinstance(inner, dict) else content
    if old not in content:
        return content
    return {new if key == old else key: value for key, value in content.items() if key != old or new not in content}


def with_current_statuses(trials: pd.DataFrame) -> pd.DataFrame:
    """Return trials with current status names."""
    return trials.assign(status=trials.status.replace(STATUSES)) if "status" in trials else trials
