"""Quarantine of damaged records: the trials that go with them, and the searches that are reopened."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from study.lifecycle.resume import reopen, searched_since
from study.plan.plan import make_plan
from study.records.repair import set_aside
from study.records.store import RecordStore
from study.search.replay import searched_after_lost
from study.search.sampler import CellStudy
from study.space.file import load_space
from study.trial.outcome import Outcome, recorded_outcomes
from study.trial.rows import base_row

START = datetime(2026, 1, 1, tzinfo=UTC)


def record(
    store: RecordStore, trial_id: str, cell_id: str, stage: str, minute: int, use: dict[str, list] | None = None
) -> None:
    row = {"trial_id": trial_id, "cell_id": cell_id, "stage": stage, "status": "completed"}
    row |= {} if use is None else {"num_kept_lengths": len(use["num_kept"])}
    at = START + timedelta(minutes=minute)
    curve = [{"trial_id": trial_id, "eval_index": 1}]
    ranks = {"trial_id": [trial_id], "split": ["test"], "query_id": [1], "chain_id": [1], "rank": [1], "num_ties": [0]}
    store.write_trial(row | {"started_at": at, "finished_at": at}, curve, ranks, use)


def test_the_search_trials_after_a_lost_one_run_again_and_their_search_is_reopened(tmp_path):
    store = RecordStore.at(tmp_path)
    for minute, (name, cell, stage) in enumerate(
        [
            ("a1", "A", "search"),
            ("b1", "B", "search"),
            ("a2", "A", "search"),
            ("a3", "A", "search"),
            ("c", "A", "confirm"),
        ]
    ):
        record(store, name, cell, stage, minute)
    (tmp_path / "curves" / "a2.parquet").write_bytes(b"PAR1")
    messages, cells = set_aside(store)
    assert set(store.read("trials").trial_id) == {"a1", "b1", "c"}
    assert cells == {"A"} and len(messages) == 3
    assert {path.name for path in (tmp_path / "set_aside" / "trials").iterdir()} == {"a2.parquet", "a3.parquet"}
    assert set_aside(store) == ([], set())
    manifest = {"space": {"racing": {"num_samples": 3}}, "cells": ["A", "B"]}
    reopen(manifest, cells)
    assert set(searched_since(manifest)) == {"A"}


def test_a_lost_confirm_trial_reopens_no_search(tmp_path):
    store = RecordStore.at(tmp_path)
    record(store, "s", "A", "search", 1)
    record(store, "c", "A", "confirm", 0)
    (tmp_path / "ranks" / "c.parquet").unlink()
    messages, cells = set_aside(store)
    assert (len(messages), cells) == (1, set())
    assert set(store.read("trials").trial_id) == {"s"}


def test_a_trial_whose_use_of_context_is_lost_runs_again_and_one_that_never_measured_it_stays(tmp_path):
    store = RecordStore.at(tmp_path)
    use = {"trial_id": ["long"], "num_kept": [1], "chain_id": [1], "num_queries": [1], "hit_at_5": [1.0]}
    record(store, "older", "A", "confirm", 0)
    record(store, "long", "A", "confirm", 1, use)
    assert set_aside(store) == ([], set())
    (tmp_path / "context_use" / "long.parquet").write_bytes(b"PAR1")
    messages, _ = set_aside(store)
    assert len(messages) == 2 and "trial long has no context_use" in messages[1]
    assert set(store.read("trials").trial_id) == {"older"}
    assert {path.name for path in (tmp_path / "set_aside" / "context_use").iterdir()} == {"long.parquet"}


def test_temporary_files_of_a_killed_writer_are_deleted_and_other_hidden_files_stay(tmp_path):
    store = RecordStore.at(tmp_path)
    record(store, "s", "A", "search", 1)
    (tmp_path / "trials" / ".s.parquet.0123abcd").write_bytes(b"half")
    (tmp_path / "trials" / ".keep").write_bytes(b"mine")
    assert set_aside(store) == ([], set())
    assert {path.name for path in (tmp_path / "trials").iterdir()} == {"s.parquet", ".keep"}


@pytest.fixture
def plan(tiny_space, small_corpus):
    return make_plan("s", load_space(tiny_space, None, ["racing.num_samples=8"], {}), small_corpus)


def search(plan, cell, store: RecordStore) -> list[str]:
    """Run a cell's search to its end with made-up metrics, and record it. Returns the new trial ids in order."""
    cell, ids = CellStudy(cell, plan, recorded_outcomes(store.read("trials"), store.read("curves"))), []
    while spec := cell.next():
        value, at = int(spec.trial_id, 16) % 997 / 997, START + timedelta(minutes=len(cell.seen))
        row = base_row(spec) | {"status": "completed", "val_hit_at_5": value, "started_at": at}
        curve = [{"trial_id": spec.trial_id, "eval_index": 1, "val_hit_at_5": value}]
        ranks = {"trial_id": [spec.trial_id], "split": ["validation"]}
        store.write_trial(row, curve, ranks | {name: [1] for name in ("query_id", "chain_id", "rank", "num_ties")})
        cell.tell(spec.trial_id, Outcome(spec.cell_id, "completed", value, ((1, value),), row["config"]))
        ids.append(spec.trial_id)
    return ids


@pytest.mark.parametrize("place", [0, 6, 7])
def test_a_search_trial_with_an_unreadable_row_is_located_and_its_search_continues_from_there(plan, tmp_path, place):
    store = RecordStore.at(tmp_path)
    store.write_json("manifest.json", {})
    own, other = search(plan, plan.cells[0], store), search(plan, plan.cells[1], store)
    (tmp_path / "trials" / f"{own[place]}.parquet").write_bytes(b"PAR1")
    find_lost = partial(searched_after_lost, plan, store)
    messages, cells = set_aside(store, find_lost)
    assert set(store.read("trials").trial_id) == {*own[:place], *other}
    assert cells == {plan.cells[0].cell_id} and len(messages) == len(own) - place
    assert set_aside(store, find_lost) == ([], cells), "if this driver is killed here, the next one finds it again"
    assert search(plan, plan.cells[0], store) == own[place:]
    assert set_aside(store, find_lost) == ([], set())
