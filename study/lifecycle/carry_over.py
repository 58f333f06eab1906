"""Carry a study over to another trainer version, once repeated trials match their records bit for bit."""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from lvm_core.errors import InputError
from lvm_core.version import TRAINER_VERSION
from study.plan.cells import Cell
from study.plan.plan import Plan
from study.plan.trial_spec import TrialSpec
from study.records.store import RecordStore
from study.trial.run import run_trial

NUMBERS = (
    "status", "stop_reason", "best_eval", "best_step", "num_steps", "sequences_seen", "pool_size", "num_queries",
    "val_hit_at_1", "val_hit_at_5", "val_hit_at_10", "val_mrr", "val_cosine", "test_hit_at_1", "test_hit_at_5",
    "test_hit_at_10", "test_mrr", "test_cosine", "chance_hit_at_5", "oracle_hit_at_5", "num_parameters", "train_flops",
    "val_hit_at_5_context_in_pool", "test_hit_at_5_context_in_pool",
)  # fmt: skip
NO_NUMBER = {"trial_id", "elapsed_s"}  # columns of a curve that are not compared
RANKS = ("query_id", "rank", "num_ties")
CONTEXT_USE = ("num_kept", "chain_id", "hit_at_5")


def carry_over(plan: Plan, store: RecordStore, print_line: Callable[[str], None]) -> dict:
    """Repeat the cheapest completed trial of each kind; return the comparison as a manifest entry.

    A kind is a stage, a model, an arm, a variant, a row and a context length. plan: with the recorded trainer version,
    so that its trial ids match the records. Raises: InputError if a recorded configuration no longer gives its id, if a
    number differs, or if there is nothing to compare.
    """
    compared = []
    for spec, row in _cheapest_of_each_kind(plan, store.read("trials")):
        if differing := _difference(spec, store):
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
            f"a study can be carried over only by repeating a completed trial, but {plan.study} has none. Choose "
            "another name with --study."
        )
    return {"trainer_version": TRAINER_VERSION, "at": datetime.now(UTC).isoformat(), "trial_ids": compared}


def _cheapest_of_each_kind(plan: Plan, trials: pd.DataFrame) -> Iterator[tuple[TrialSpec, dict]]:
    """Yield a completed trial of each kind with its recorded row, once every completed trial has reproduced its id."""
    completed = trials[trials.status == "completed"].sort_values("wall_s", na_position="last")
    cells = {cell.cell_id: cell for cell in plan.cells}
    baselines = {spec.trial_id: spec for job in plan.baseline_jobs() for spec in job}
    found: dict[tuple, tuple[TrialSpec, dict]] = {}
    for row in completed.to_dict("records"):
        cell = cells.get(row["cell_id"])
        spec = baselines.get(row["trial_id"]) if row["stage"] == "baseline" else _spec_of(plan, cell, row)
        if spec is None or spec.trial_id != row["trial_id"]:
            raise InputError(
                f"a study can be carried over only if its configurations mean the same, but trial {row['trial_id']} "
                f"({row['stage']}, {row['cell_id']}, {row['model']}) would be another trial now. Resume it with "
                f"version {plan.trainer_version}, or choose another name with --study."
            )
        place = (cell.arm, cell.variant, cell.row) if cell else (row["protocol"], row["split_fingerprint"])
        found.setdefault((row["stage"], row["model"], place, row["context_length"]), (spec, row))
    yield from found.values()


def _spec_of(plan: Plan, cell: Cell | None, row: dict) -> TrialSpec | None:
    if cell is None:
        return None
    config = json.loads(row["config"])
    params = {key: config[key] for key in plan.space.search if key in config}
    return plan.spec(cell, row["stage"], int(row["replicate"]), params)


def _difference(spec: TrialSpec, store: RecordStore) -> str | None:
    """Repeat a trial; return the name of the first number that differs from its record, or None.

    A column that the record lacks, since an older version wrote it, is not compared.
    """
    updates = list(run_trial(spec))
    last = updates[-1]
    if last.refusal is not None:
        raise InputError(last.refusal)
    recorded = store.read_trial("trials", spec.trial_id)
    if name := _first_other(last.row, recorded.iloc[0], [name for name in NUMBERS if name in recorded]):
        return name
    curve = [update.evaluation for update in updates if update.evaluation is not None]
    if curve:
        points = store.read_trial("curves", spec.trial_id).sort_values("eval_index")
        if len(points) != len(curve):
            return "the number of evaluations"
        for now, (_, then) in zip(curve, points.iterrows(), strict=True):
            if name := _first_other(now, then, [name for name in points if name in now.keys() - NO_NUMBER]):
                return f"{name} of evaluation {now['eval_index']}"
    ranks = store.read_trial("ranks", spec.trial_id)
    if name := next((name for name in RANKS if not np.array_equal(last.ranks[name], ranks[name])), None):
        return name
    if pd.isna(recorded.iloc[0].get("num_kept_lengths")):
        return None
    use = store.read_trial("context_use", spec.trial_id)
    return next((name for name in CONTEXT_USE if not np.array_equal(last.context_use[name], use[name])), None)


def _first_other(now: dict[str, Any], then: pd.Series, names: Iterable[str]) -> str | None:
    """Return the first of the columns whose value differs; null equals null."""
    for name in names:
        value = now.get(name)
        if not (pd.isna(then[name]) if value is None else value == then[name]):
            return name
    return None
