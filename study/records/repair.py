"""Quarantine records that are damaged, foreign or incomplete, so that their trials run again."""

import contextlib
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lvm_core.errors import InputError
from study.records.columns import ESSENTIAL, TABLES
from study.records.store import RecordStore

ASIDE = "set_aside"
LEFTOVER = re.compile(r"\..+\.[0-9a-f]{8}")  # temporary files of killed writers: see RecordStore.write_bytes
TRIAL_ID = re.compile(r"[0-9a-f]{16}")  # see study.plan.trial_spec
MEASURED = ("completed", "pruned")
FindLost = Callable[[set[str]], dict[str, list[str]]]


def set_aside(store: RecordStore, find_lost: FindLost = lambda lost: {}) -> tuple[list[str], set[str]]:
    """Quarantine unusable records in `set_aside/`. Call it under the study's lock.

    find_lost: takes the ids of trials without a readable row; returns the cells that searched them, each with the
    trials it searched afterwards (study.search.replay). Returns a message for each quarantined file or trial, and the
    cells whose search must be reopened: suggestions and pruning depend on earlier trials, so the trials after a lost
    one run again too, with the same numbers to the bit.
    """
    _remove_leftovers(store)
    messages = []
    if not all(_is_sound(store, table) for table in TABLES):
        for table in TABLES:
            messages += _quarantine_bad_files(store, table)
    trials = store.read("trials", ["trial_id", "stage", "status", "cell_id", "started_at", "num_kept_lengths"])
    why = {trial_id: f"has no {table}" for trial_id, table in _incomplete(store, trials).items()}
    lost = trials[trials.trial_id.isin(why) & (trials.stage == "search")]
    messages += _move(store, why | _late(_searched_after(trials, set(why))))
    still_lost = _still_lost(store)
    found = find_lost(still_lost) if still_lost else {}
    messages += _move(store, _late([trial_id for later in found.values() for trial_id in later]))
    return messages, {*lost.cell_id, *found}


def _late(trial_ids: list[str]) -> dict[str, str]:
    return dict.fromkeys(trial_ids, "was searched after a trial that runs again")


def _move(store: RecordStore, why: dict[str, str]) -> list[str]:
    """Quarantine trials; return a message for each."""
    for trial_id in why:
        store.move_trial(trial_id, ASIDE)
    return [
        f"trial {trial_id} {reason}; its records were moved to {ASIDE}/ and it runs again"
        for trial_id, reason in why.items()
    ]


def _still_lost(store: RecordStore) -> set[str]:
    """Return the quarantined trials that have not run again yet, including those of earlier runs that were killed."""
    aside = {name.partition(".")[0] for name in store.files(f"{ASIDE}/trials")}
    recorded = {name.removesuffix(".parquet") for name in store.files("trials")}
    return {name for name in aside - recorded if TRIAL_ID.fullmatch(name)}


def _searched_after(trials: pd.DataFrame, lost: set[str]) -> list[str]:
    """Return the search trials that started after a lost one in the same cell."""
    search = [row for row in trials.itertuples() if row.stage == "search"]
    first: dict[str, datetime] = {}
    for row in search:
        if row.trial_id in lost:
            first[row.cell_id] = min(row.started_at, first.get(row.cell_id, row.started_at))
    kept = [row for row in search if row.trial_id not in lost and row.cell_id in first]
    return [row.trial_id for row in kept if row.started_at > first[row.cell_id]]


def _is_sound(store: RecordStore, table: str) -> bool:
    """Return whether every file of a table is readable and belongs to the trial in its name."""
    try:
        ids = set(store.read(table, ["trial_id"]).trial_id)
    except InputError:
        return False
    return ids == {name.removesuffix(".parquet") for name in store.files(table)} and _opens(store, table)


def _opens(store: RecordStore, table: str) -> bool:
    with contextlib.suppress(InputError):
        return store.read(table) is not None
    return False


def _quarantine_bad_files(store: RecordStore, table: str) -> list[str]:
    messages = []
    for name in store.files(table):
        if problem := file_problem(store, table, name):
            store.move(f"{table}/{name}", ASIDE)
            messages.append(f"{table}/{name} is not a record of this study ({problem}); moved to {ASIDE}/")
    return messages


def file_problem(store: RecordStore, table: str, name: str) -> str | None:
    """Return the problem with a file of a table, or None."""
    trial_id = name.removesuffix(".parquet")
    if trial_id == name:
        return "its name does not end in .parquet"
    try:
        path = store.path(f"{table}/{name}")
        found = pq.read_table(path, filesystem=store.filesystem, page_checksum_verification=True)
        if lacking := ESSENTIAL[table] - set(found.schema.names):
            return f"it lacks {', '.join(sorted(lacking))}"
        known = [field for field in TABLES[table] if field.name in found.schema.names]
        found.select([field.name for field in known]).cast(pa.schema(known))
        ids = set(found["trial_id"].to_pylist())
    except (pa.ArrowException, OSError, ValueError) as error:
        return " ".join(str(error).split())[:120]
    return None if ids == {trial_id} else "its trial_id is not the one in its name"


def _incomplete(store: RecordStore, trials: pd.DataFrame) -> dict[str, str]:
    """Return the measured trials that lack a table, with its name."""
    measured = trials[trials.status.isin(MEASURED)]
    return {
        **_without(measured, store, "ranks"),
        **_without(measured[measured.stage != "baseline"], store, "curves"),
        **_without(measured[measured.num_kept_lengths.notna()], store, "context_use"),
    }


def _without(trials: pd.DataFrame, store: RecordStore, table: str) -> dict[str, str]:
    recorded = {name.removesuffix(".parquet") for name in store.files(table)}
    return {trial_id: table for trial_id in trials.trial_id if trial_id not in recorded}


def _remove_leftovers(store: RecordStore) -> None:
    """Delete the temporary files of killed writers; nothing reads them."""
    if store.is_local:
        for table in TABLES:
            for path in Path(store.path(table)).glob(".*"):
                if LEFTOVER.fullmatch(path.name) and path.is_file():
                    path.unlink()
