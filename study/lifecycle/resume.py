"""Decide whether a study on disk can be resumed: unchanged or extended, never mixed with another configuration."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from lvm_core.errors import InputError
from lvm_core.version import TRAINER_VERSION
from study.lifecycle.manifest import describe
from study.lifecycle.recorded_space import recorded_space
from study.lifecycle.settled import check_decisions, reopen
from study.plan.plan import Plan

# these affect no number of a trial that runs to its end; a corpus is identified by its fingerprint, not its path
FREE = ("question", "trial_time_limit", "corpus")
AXES = ("context_length", "num_sequences")
EXTENDED = ("question", "space", "cells", "infeasible", "splits", "variants", "warnings")  # keys of the manifest


def under_recorded_version(found: dict, plan: Plan, carry_over: bool) -> Plan:
    """Return the plan with the recorded trainer version, and so the recorded ids, if the study is carried over."""
    if not carry_over and not _was_compared(found):
        return plan
    return replace(plan, trainer_version=found["trainer_version"])


def needs_comparison(manifest: dict) -> bool:
    """Return whether the study was recorded by another trainer version that was not compared with this one."""
    return manifest["trainer_version"] != TRAINER_VERSION and not _was_compared(manifest)


def _was_compared(found: dict) -> bool:
    return TRAINER_VERSION in [entry["trainer_version"] for entry in found.get("carried_over", [])]


def check_continues(found: dict, plan: Plan, resume: bool) -> None:
    """Refuse to mix two configurations in one study. Raises: InputError naming the first difference."""
    name = plan.study
    for key, value in _identity_of_plan(plan).items():
        old = _identity_of_record(found, key)
        if old != value:
            place, was, now = _first_difference(key, old, value)
            raise InputError(
                f"a study must keep one configuration, but {name} exists with {place} = {was}, not {now}. "
                "Choose another name with --study, or remove the old study."
            )
    if not resume:
        raise InputError(f"the study {name} already exists. Add --resume, or choose another name with --study.")
    if found["trainer_version"] != plan.trainer_version:
        raise InputError(
            f"a study must be resumed by a trainer that gives the same numbers, but {name} was recorded by version "
            f"{found['trainer_version']} and this is version {plan.trainer_version}. Add --carry-over: it repeats some "
            "recorded trials and resumes the study if every number matches bit for bit."
        )
    _check_grows(name, recorded_space(found["space"]), plan.space.model_dump(mode="json"))
    _check_queries(found, plan)
    check_decisions(found, plan.space, f"the manifest of {name}")


def extended(found: dict, plan: Plan, command: str) -> dict:
    """Return the manifest to resume with: the recorded one, or an extended one with the old space in its history."""
    space, former = plan.space.model_dump(mode="json"), recorded_space(found["space"])
    if former == space:
        return found
    new = describe(plan, command)
    entry = {"until": datetime.now(UTC).isoformat(), "space": found["space"], "command": found["command"]}
    manifest = {
        **found,
        "command": new["command"],
        **{key: new[key] for key in EXTENDED},
        "history": [*found.get("history", []), entry],
    }
    if _asks_for_another_choice(former, space):
        reopen(manifest, set(new["cells"]))
    return manifest


def _asks_for_another_choice(former: dict, space: dict) -> bool:
    """Whether the search goes on in cells with a choice: for a longer list, or for more cells with one in common."""
    more_cells = space["common_map"] and space["cells"] != former["cells"]
    return more_cells or space["racing"]["num_samples"] > former["racing"]["num_samples"]


def _identity_of_plan(plan: Plan) -> dict[str, Any]:
    """Return the values that a resumed study must keep, by manifest key."""
    return {
        "space": _identity_of_space(plan.space.model_dump(mode="json")),
        "corpus.fingerprint": plan.corpus.fingerprint,
        "device": plan.device,
        "precision": plan.precision,
    }


def _identity_of_record(found: dict, key: str) -> Any:
    if key == "space":
        return _identity_of_space(recorded_space(found.get("space") or {}))
    return _look_up(found, key)


def _identity_of_space(space: dict) -> dict:
    """Return a space without the keys that may grow or that affect no number."""
    cells = dict(space.get("cells") or {})
    racing = {key: value for key, value in (space.get("racing") or {}).items() if key != "num_samples"}
    fixed = {key: value for key, value in space.items() if key not in (*FREE, "replicates")}
    if not cells.get("rows"):
        cells = {key: value for key, value in cells.items() if key not in AXES}
    return {**fixed, "cells": cells, "racing": racing}


def _check_grows(name: str, old: dict, new: dict) -> None:
    """Refuse to reduce a study. Raises: InputError."""
    for axis in AXES:
        if lost := sorted(set(old["cells"][axis]) - set(new["cells"][axis])):
            raise InputError(
                f"a study can be extended and never reduced, but {name} has cells.{axis} = {lost[0]}, which this run "
                "leaves out. Repeat the --set of its last extension, or choose another name with --study."
            )
    for key in ("replicates", "racing.num_samples"):
        was, now = _look_up(old, key), _look_up(new, key)
        if now < was:
            raise InputError(
                f"a study can be extended and never reduced, but {name} has {key} = {was}, not {now}. Repeat the --set "
                "of its last extension, or choose another name with --study."
            )


def _check_queries(found: dict, plan: Plan) -> None:
    """Refuse an extension that would change the queries: its trials would not be comparable. Raises: InputError."""
    old = {split["fingerprint"]: split["max_context"] for split in found.get("splits") or [found["split"]]}
    new = {dataset.fingerprint: dataset.config.max_context for _, dataset in plan.datasets}
    if set(old) <= set(new):
        return
    was, now = max(old.values()), max(new.values())
    if was != now:
        raise InputError(
            f"a study must keep its longest context, because every query needs that many vectors before it, but "
            f"{plan.study} has C_max = {was}, not {now}. Choose another name with --study: the trials of the two are "
            "not comparable."
        )
    raise InputError(
        f"a study must keep its split and queries, but {plan.study} exists with split.fingerprint = {next(iter(old))}, "
        f"not {next(iter(new))}. Choose another name with --study, or remove the old study."
    )


def _look_up(content: Any, key: str) -> Any:
    for name in key.split("."):
        content = content.get(name) if isinstance(content, dict) else None
    return content


def _first_difference(key: str, old: object, new: object) -> tuple[str, object, object]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(set(old) | set(new)):
            if old.get(name) != new.get(name):
                return _first_difference(f"{key}.{name}", old.get(name), new.get(name))
    return key, json.dumps(old, default=str), json.dumps(new, default=str)
