"""Choose each cell's configuration from its search trials, on validation alone."""

import json
from typing import Any

import pandas as pd

from study.plan import Group, Plan


def select_winners(plan: Plan, trials: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the searched values to confirm, by cell id.

    The winner is the completed search trial with the highest validation Hit@5 (the first of equals by id). A cell
    without one is confirmed with the first start point, which is the published recipe.
    """
    search = trials[(trials.stage == "search") & (trials.status == "completed")]
    return {group.cell_id: _winner(plan, group, search[search.cell_id == group.cell_id]) for group in plan.groups}


def _winner(plan: Plan, group: Group, search: pd.DataFrame) -> dict[str, Any]:
    if not plan.searches:
        return {}
    if search.empty:
        return plan.space.start_params(0)
    best = search.sort_values(["val_hit_at_5", "trial_id"], ascending=[False, True]).iloc[0]
    config = json.loads(best.config)
    return {key: config[key] for key in plan.space.search}
