"""Carry a study over to another trainer version, once repeated trials match their records bit for bit."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from lvm_core.errors import InputError
from lvm_core.version import TRAINER_VERSION
from study.plan.plan import Plan
from study.plan.trial_spec import TrialSpec
from study.records.store import RecordStore
from study.trial.run import run_trial

NUMBERS = (
    "best_step", "num_steps", "val_hit_at_1", "val_hit_at_5", "val_hit_at_10", "val_mrr", "val_cosine",
    "test_hit_at_1", "test_hit_at_5", "test_hit_at_10", "test_mrr", "test_cosine", "num_parameters",
)  # fmt: skip
RANKS = ("rank", "num_ties")


def carry_over(plan: Plan, store: RecordStore, print_line: Callable[[str], None]) -> dict:
    """Repeat the cheapest completed trial of each stage and model; return the comparison as a manifest entry.

    plan: with the recorded trainer version, so that its trial ids match the records. Raises: InputError if a number
    differs, or if there is nothing to compare.
    """
    trials, compared = store.read("trials"), []
    for spec, row in _to_repeat(plan, trials):
        if differing := _difference(spec, row, store):
            raise InputError(
                f"a study can be carried over only if its numbers stay the same, but {differing} of trial "
                f"{spec.trial_id} ({spec.stage}, {spec.cell_id}, {spec.recipe['model']}) differs from the record made "
                f"on {row['host']}. Resume it with version {plan.trainer_version} or on a similar machine, or choose "
                "another name with --study."
            )
        compared.append(spec.trial_id)
        print_line(f"repeated {spec.stage} {spec.cell_id} {spec.recipe['model']}: all numbers and ranks match")
    if not compared:
        raise InputError(
            f"a study can be carried over only by repeating a completed trial, but {plan.study} has none that this "
            "version would run. Choose another name with --study."
        )
    return {"trainer_version": TRAINER_VERSION, "at": datetime.now(UTC).isoformat(), "trial_ids": compared}


def _to_repeat(plan: Plan, trials: pd.DataFrame) -> Iterator[tuple[TrialSpec, dict]]:
    """Yield the cheapest completed trial of each stage and model, with its recorded row."""
    completed = trials[trials.status == "completed"].sort_values("wall_s", na_position="last")
    cells = {cell.cell_id: cell for cell in plan.cells}
    baselines = {spec.trial_id: spec for job in plan.baseline_jobs() for spec in job}
    for _, rows in completed.groupby(["stage", "model"]):
        for row in rows.to_dict("records"):
            spec = baselines.get(row["trial_id"]) or _spec_of(plan, cells.get(row["cell_id"]), row)
            if spec is not None and spec.trial_id == row["trial_id"]:
                yield spec, row
                break


def _spec_of(plan: Plan, cell, row: dict) -> TrialSpec | None:
    if cell is None or row["stage"] == "baseline":
        return None
    config = json.loads(row["config"])
    params = {key: config[key] for key in plan.space.search if key in config}
    return plan.spec(cell, row["stage"], int(row["replicate"]), params)


def _difference(spec: TrialSpec, row: dict, store: RecordStore) -> str | None:
    """Repeat a trial; return the name of the first number that differs from its record, or None."""
    last = list(run_trial(spec))[-1]
    if last.refusal is not None:
        raise InputError(last.refusal)
    for name in NUMBERS:
        now, then = last.row.get(name), row[name]
        if not (pd.isna(then) if now is None else now == then):
            return name
    ranks = store.read_trial("ranks", spec.trial_id)
    return next((name for name in RANKS if not np.array_equal(last.ranks[name], ranks[name])), None)
