"""The outcomes of search trials, live or recorded, that samplers and races work from."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd

from study.records.columns import SEARCH_REPLICATE


@dataclass(frozen=True)
class Outcome:
    """The outcome of a search trial.

    value: validation Hit@5 of the best evaluation. config: the whole configuration, as JSON. reported: what the trial
    reported to its race, as (eval_index, validation Hit@5 of the best evaluation so far) pairs. replicate: 0 for the
    list of candidates, -1 for the second round.
    """

    cell_id: str
    status: str
    value: float | None
    config: str = "{}"
    reported: tuple[tuple[int, float], ...] = ()
    replicate: int = SEARCH_REPLICATE

    @property
    def is_completed(self) -> bool:
        return self.status == "completed" and self.value is not None

    @classmethod
    def of(cls, row: dict[str, Any], hits: Sequence[tuple[int, float]], losses: Sequence[float]) -> Self:
        """Return the outcome of a trial from its row and its curve: (eval_index, validation Hit@5) and losses."""
        reported = best_so_far(hits, losses, json.loads(row["config"]).get("select_by", "hit_at_5"))
        value = None if pd.isna(row["val_hit_at_5"]) else float(row["val_hit_at_5"])
        replicate = SEARCH_REPLICATE if pd.isna(row["replicate"]) else int(row["replicate"])
        return cls(row["cell_id"], row["status"], value, row["config"], reported, replicate)


def recorded_outcomes(trials: pd.DataFrame, curves: pd.DataFrame) -> dict[str, Outcome]:
    """Return the outcomes of recorded search trials by trial id, in the order in which the trials started."""
    search = trials[(trials.stage == "search") & (trials.status != "infeasible")].sort_values("started_at")
    by_trial = dict(iter(curves.sort_values("eval_index").groupby("trial_id")))
    outcomes = {}
    for row in search.to_dict("records"):
        points = by_trial.get(row["trial_id"], curves.iloc[:0])
        hits = list(zip(points.eval_index.tolist(), points.val_hit_at_5.tolist(), strict=True))
        outcomes[row["trial_id"]] = Outcome.of(row, hits, points.val_loss.tolist())
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
