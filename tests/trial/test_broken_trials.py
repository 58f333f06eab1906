"""How a trial that broke off is classified and recorded, without a cluster."""

import os
import time

import numpy as np
import pandas as pd
import pytest
import ray

from study.driver.deadlines import TrialClocks
from study.driver.lost_workers import lost_to
from study.plan.plan import make_plan
from study.records.columns import TABLES
from study.records.store import RecordStore
from study.space.file import load_space
from study.trial.ledger import Ledger
from study.trial.run import run_trial

NOTHING = TABLES["trials"].empty_table().to_pandas()


@pytest.fixture
def spec(tiny_space, small_corpus):
    plan = make_plan("s", load_space(tiny_space, None, [], {}), small_corpus)
    return plan.spec(plan.cells[0], "confirm", 1, {"learning_rate": 0.01, "alpha": 0.03})


def test_the_clock_of_a_job_restarts_with_each_of_its_trials():
    now = [0.0]
    clocks = TrialClocks(10.0, now=lambda: now[0])
    clocks.began("job", "a")
    now[0] = 9.0
    assert clocks.overdue() == []
    clocks.began("job", "b")
    now[0] = 18.0
    assert clocks.overdue() == []
    now[0] = 19.5
    assert clocks.overdue() == [("job", "b")]
    assert clocks.overdue() == [], "each is reported once"


def test_time_while_the_driver_was_stalled_counts_against_no_trial():
    now = [0.0]
    clocks = TrialClocks(10.0, now=lambda: now[0])
    clocks.began("job", "a")
    clocks.overdue()
    now[0] = 500.0
    assert clocks.overdue() == []
    now[0] = 509.0
    assert clocks.overdue() == []
    now[0] = 511.0
    assert clocks.overdue() == [("job", "a")]


def test_a_job_that_has_ended_or_has_no_limit_is_never_overdue():
    now = [0.0]
    clocks = TrialClocks(10.0, now=lambda: now[0])
    clocks.began("job", "a")
    assert clocks.ended("job") == "a"
    assert clocks.ended("job") is None
    now[0] = 99.0
    assert clocks.overdue() == []
    endless = TrialClocks(None, now=lambda: now[0])
    endless.began("job", "a")
    now[0] = 1e9
    assert endless.overdue() == []


def test_a_timeout_keeps_its_evaluations_and_is_not_retried_on_resume(tmp_path, spec):
    store = RecordStore.at(tmp_path)
    store.write_json("manifest.json", {})
    ledger = Ledger(store, NOTHING)
    first = next(run_trial(spec, store))
    ledger.update(first, pruned=False)
    row = ledger.expire(spec, 5.0)
    assert (row["status"], row["stop_reason"], row["wall_s"]) == ("timeout", "time_limit", 5.0)
    assert store.read("curves").eval_index.tolist() == [1]
    assert pd.isna(store.read("trials").test_hit_at_5[0])
    assert ledger.expire(spec, 5.0) is None
    assert Ledger(store, store.read("trials")).recorded == {spec.trial_id}


def test_a_worker_that_was_killed_for_its_memory_has_its_own_stop_reason():
    assert (
        lost_to(str(ray.exceptions.OutOfMemoryError("Task was killed due to the node running low on memory."))) == "oom"
    )
    assert lost_to("The actor died unexpectedly") == "worker_lost"
    assert lost_to("") == "worker_lost"


def test_a_checkpoint_that_cannot_be_written_stops_the_study_and_records_nothing(tmp_path, spec):
    store = RecordStore.at(tmp_path)
    store.write_json("manifest.json", {})
    (tmp_path / "checkpoints").write_text("a file where a folder must be")
    last = list(run_trial(spec, store))[-1]
    assert "must be able to write to the study's folder" in last.refusal and "--resume" in last.refusal
    assert not last.final


def test_a_late_worker_writes_the_same_bytes_and_no_row(tmp_path, spec):
    """A worker may outlive its driver; it then writes the same bytes as the next driver's worker."""
    store = RecordStore.at(tmp_path)
    store.write_json("manifest.json", {})
    late = run_trial(spec, store)
    next(late)
    ledger = Ledger(store, NOTHING)
    for update in run_trial(spec, store):
        ledger.update(update, pruned=False)
    written = contents(tmp_path)
    for _ in late:
        time.sleep(0)
    assert contents(tmp_path) == written
    assert np.any([b"safetensors" in os.fsencode(name) for name in written])


def contents(folder) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
