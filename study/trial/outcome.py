"""How search trials ended, live or recorded: what sampler and races need to know of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Outcome:
    """How a search trial ended. curve: (eval_index, validation Hit@5) pairs; value: that of the best evaluation.

    config: the whole configuration, as JSON. reported: what a recorded trial told its race, such pairs of the best
    evaluation so far.
    """

    cell_id: str
    status: str
    value: float | None
    curve: tuple[tuple[int, float], ...] = ()
    config: str = "{}"
    reported: tuple[tuple[int, float], ...] = ()

    @property
    def is_completed(self) -> bool:
        return self.status == "completed" and self.value is not None


def recorded_outcomes(trials: pd.DataFrame, curves: pd.DataFrame) -> dict[str, Outcome]:
    """Read the outcomes of recorded search trials by trial id, in the order in which they began."""
    search = trials[(trials.stage == "search") & (trials.status != "infeasible")].sort_values("started_at")
    parts = {trial_id: part for trial_id, part in curves.sort_values("eval_index").groupby("trial_id")}
    outcomes = {}
    for row in search.itertuples():
        part = parts.get(row.trial_id, curves.iloc[:0])
        curve = tuple(zip(part.eval_index.tolist(), part.val_hit_at_5.tolist(), strict=True))
        reported = best_so_far(curve, part.val_loss.tolist(), json.loads(row.config).get("select_by", "hit_at_5"))
        value = _number(row.val_hit_at_5)
        outcomes[row.trial_id] = Outcome(row.cell_id, row.status, value, curve, row.config, reported)
    return outcomes


def best_so_far(
    curve: Sequence[tuple[int, float]], losses: Sequence[float], select_by: str
) -> tuple[tuple[int, float], ...]:
    """Return what a trial reports at each evaluation: Hit@5 of the best so far, by `select_by`; of equals the first."""
    scores = [-loss for loss in losses] if select_by == "loss" else [value for _, value in curve]
    reported, best = [], None
    for number, (index, _) in enumerate(curve):
        if best is None or scores[number] > scores[best]:
            best = number
        reported.append((index, curve[best][1]))
    return tuple(reported)


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
