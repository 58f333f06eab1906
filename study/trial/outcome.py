"""The outcomes of search trials, live or recorded, that samplers and races work from."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Outcome:
    """The outcome of a search trial.

    value: validation Hit@5 of the best evaluation. curve: (eval_index, validation Hit@5) pairs. config: the whole
    configuration, as JSON. reported: the pairs that a recorded trial reported to its race, each with the Hit@5 of the
    best evaluation so far.
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
    """Return the outcomes of recorded search trials by trial id, in the order in which the trials started."""
    search = trials[(trials.stage == "search") & (trials.status != "infeasible")].sort_values("started_at")
    by_trial = dict(iter(curves.sort_values("eval_index").groupby("trial_id")))
    outcomes = {}
    for row in search.itertuples():
        points = by_trial.get(row.trial_id, curves.iloc[:0])
        curve = tuple(zip(points.eval_index.tolist(), points.val_hit_at_5.tolist(), strict=True))
        reported = best_so_far(curve, points.val_loss.tolist(), json.loads(row.config).get("select_by", "hit_at_5"))
        value = _number(row.val_hit_at_5)
        outcomes[row.trial_id] = Outcome(row.cell_id, row.status, value, curve, row.config, reported)
    return outcomes


def best_so_far(
    curve: Sequence[tuple[int, float]], losses: Sequence[float], select_by: str
) -> tuple[tuple[int, float], ...]:
    """Return a trial's report at each evaluation: Hit@5 of its best one so far by `select_by`; ties go to the first."""
    scores = [-loss for loss in losses] if select_by == "loss" else [value for _, value in curve]
    reported, best = [], None
    for number, (index, _) in enumerate(curve):
        if best is None or scores[number] > scores[best]:
            best = number
        reported.append((index, curve[best][1]))
    return tuple(reported)


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
