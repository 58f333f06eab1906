"""Decide, when a study is resumed, which cells keep the configurations that its search has chosen."""

import json
from datetime import datetime
from typing import Any

import pandas as pd

from lvm_core.errors import InputError
from study.lifecycle.recorded_space import recorded_space
from study.plan.plan import Plan
from study.search.choice import searched_values
from study.space.space import Space


def settle(manifest: dict, plan: Plan, trials: pd.DataFrame, to_search_on: set[str]) -> None:
    """Keep the recorded choice in the manifest, except where the search goes on.

    The search is over once a confirm trial of the choice is recorded; before, a search that a budget has cut short goes
    on. A study of an older version has no recorded choice: its cells keep what their confirm trials have.
    """
    if "chosen" not in manifest:
        tuned = confirmed_values(plan, trials, searched_since(manifest)) if plan.searches else {}
        manifest["chosen"] = {"tuned": tuned, "common": {}} if tuned else None
    chosen = (manifest["chosen"] or {}).get("tuned", {})
    is_measured = trials[trials.stage == "confirm"].cell_id.isin(chosen).any()
    reopen(manifest, to_search_on if is_measured else set(chosen))


def reopen(manifest: dict, cell_ids: set[str]) -> None:
    """Remove the choice of some cells, so that their search goes on; all cells where they have one in common."""
    if not cell_ids or not manifest.get("chosen"):
        return
    is_shared = manifest["space"].get("common_map", False)
    kept = {} if is_shared else {c: v for c, v in manifest["chosen"]["tuned"].items() if c not in cell_ids}
    manifest["chosen"] = {"tuned": kept, "common": {}} if kept else None


def confirmed_values(plan: Plan, trials: pd.DataFrame, since: dict[str, datetime]) -> dict[str, dict[str, Any]]:
    """Return the searched values of the recorded confirm trials, by cell id.

    since: by cell id, when an older version reopened its search; confirm trials before that are ignored.
    """
    confirm = trials[trials.stage == "confirm"].sort_values("started_at").drop_duplicates("cell_id", keep="last")
    return {
        row.cell_id: searched_values(plan, row.config)
        for row in confirm.itertuples()
        if row.cell_id not in since or row.started_at >= since[row.cell_id]
    }


def searched_since(manifest: dict) -> dict[str, datetime]:
    """Return when each search that an older version reopened was reopened, by cell id.

    Asking for more configurations reopened every cell; the loss of a search trial reopened its cell.
    """
    grown = _last_growth(manifest)
    reopened = {} if grown is None else dict.fromkeys(manifest["cells"], grown)
    for cell_id, when in manifest.get("reopened", {}).items():
        moment = datetime.fromisoformat(when)
        reopened[cell_id] = max(moment, reopened.get(cell_id, moment))
    return reopened


def _last_growth(manifest: dict) -> datetime | None:
    """Return when the number of configurations per cell was last raised, or None."""
    history = manifest.get("history", [])
    spaces = [recorded_space(entry["space"]) for entry in history] + [recorded_space(manifest["space"])]
    for entry, old, new in reversed(list(zip(history, spaces, spaces[1:], strict=False))):
        if new["racing"]["num_samples"] > old["racing"]["num_samples"]:
            return datetime.fromisoformat(entry["until"])
    return None


def check_decisions(found: dict, space: Space, where: str) -> None:
    """Refuse candidates and choices that are not configurations of this space. Raises: InputError."""
    chosen = found.get("chosen") or {}
    places = {f"candidates[{number}]": params for number, params in enumerate(found.get("candidates", []))}
    for name in ("tuned", "common"):
        places |= {f"chosen.{name}.{cell_id}": params for cell_id, params in chosen.get(name, {}).items()}
    for place, params in places.items():
        if set(params) != set(space.search) or not all(space.search[key].contains(params[key]) for key in params):
            raise InputError(
                f"{place} must have a value of every searched domain, but {where} has {json.dumps(params)}. Restore "
                "the file, or run the study again under another name."
            )
