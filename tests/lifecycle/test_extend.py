"""Extending a study: only missing trials run, old rows stay, and changes to the queries are refused."""

import json
from datetime import UTC, datetime

import pandas as pd
import pytest

from lvm_core.errors import InputError
from study.driver import RunOptions
from study.lifecycle.execute import cells_to_search_again
from study.lifecycle.manifest import describe
from study.lifecycle.resume import check_continues, extended, reopen, searched_since
from study.plan.plan import make_plan
from study.records.store import RecordStore
from study.run import main
from study.search.queue import StudyTrials, confirmed_params
from study.space.file import load_space
from study.trial.ledger import Ledger
from study.trial.outcome import recorded_outcomes
from study.trial.rows import base_row
from tests.studies import SMALL_SPACE, complete, identity, save_space, sorted_ranks


@pytest.fixture
def planned(tiny_space, small_corpus):
    return lambda *settings: make_plan("s", load_space(tiny_space, None, list(settings), {}), small_corpus)


@pytest.fixture
def found(planned) -> dict:
    """A manifest, as read back from disk."""
    return json.loads(json.dumps(describe(planned(), "python -m study.run tiny"), default=str))


@pytest.mark.parametrize(
    "setting",
    ["cells.num_sequences=[20, 40, 60]", "cells.context_length=[1, 2, 4]", "replicates=3", "racing.num_samples=6"],
)
def test_a_study_may_grow_and_its_manifest_keeps_the_former_space(planned, found, setting):
    plan = planned(setting)
    check_continues(found, plan, resume=True)
    grown = extended(found, plan, "python -m study.run tiny --set more")
    assert grown["space"] == plan.space.model_dump(mode="json")
    assert grown["cells"] == [cell.cell_id for cell in plan.cells]
    assert [entry["space"] for entry in grown["history"]] == [found["space"]]
    assert grown["split"] == found["split"] and grown["runs"] == found["runs"]
    with pytest.raises(InputError, match="never reduced, but s has"):
        check_continues(grown, planned(), resume=True)
    assert extended(grown, plan, "again") is grown
    assert (searched_since(grown) != {}) == setting.startswith("racing")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("cells.context_length=[1, 4, 8]", r"must keep its longest context.* has C_max = 4, not 8"),
        ("cells.num_sequences=[20]", r"never reduced, but s has cells.num_sequences = 60"),
        ("replicates=1", r"has replicates = 2, not 1"),
        ("racing.grace_period=2", r"space.racing.grace_period = 1, not 2"),
        ("seed=1", r"space.seed = 0, not 1"),
        ("data.num_queries=99", r"space.data.num_queries = 100, not 99"),
    ],
)
def test_a_change_that_would_alter_or_drop_recorded_trials_is_refused(planned, found, setting, message):
    with pytest.raises(InputError, match=message):
        check_continues(found, planned(setting), resume=True)


def test_a_time_limit_may_change_and_an_older_manifest_without_one_is_resumed(planned, found):
    check_continues(found, planned("trial_time_limit=30m"), resume=True)
    del found["space"]["trial_time_limit"], found["history"]
    check_continues(found, planned(), resume=True)
    assert extended(found, planned(), "again") is found


def test_a_manifest_has_the_keys_of_an_object_store_redacted(planned):
    line = "python -m study.run tiny --out 's3://AKIA:s3cr3t@bucket/x?region=eu'"
    assert describe(planned(), line)["command"] == "python -m study.run tiny --out 's3://…@bucket/x?region=eu'"


def test_another_corpus_is_refused(planned, found):
    found["corpus"]["fingerprint"] = "0" * 12
    with pytest.raises(InputError, match=r"exists with corpus\.fingerprint = "):
        check_continues(found, planned(), resume=True)


def row_of(spec, value: float) -> dict:
    return base_row(spec) | {"status": "completed", "val_hit_at_5": value}


def test_a_reopened_cell_confirms_its_new_winner_and_retires_the_old_rows(planned, tmp_path):
    """The search finds a better configuration after the cell was confirmed; a cell never mixes two."""
    plan = planned("racing.num_samples=2")
    cell, store = plan.cells[0], RecordStore.at(tmp_path)
    old, better = {"learning_rate": 0.01, "alpha": 0.03}, {"learning_rate": 0.02, "alpha": 0.3}
    for params, value in ((old, 0.2), (better, 0.4)):
        spec = plan.spec(cell, "search", 0, params)
        store.write_trial(
            row_of(spec, value), [{"trial_id": spec.trial_id, "eval_index": 1, "val_hit_at_5": value}], None
        )
    was = plan.spec(cell, "confirm", 1, old)
    store.write_trial(row_of(was, 0.2), [], None)
    trials = store.read("trials")
    assert confirmed_params(plan, trials)[cell.cell_id] == old
    confirmed = confirmed_params(plan, trials, {cell.cell_id: datetime.now(UTC)})
    assert confirmed == {}
    todo = StudyTrials(plan, Ledger(store, trials, recorded_outcomes(trials, store.read("curves"))), confirmed)
    dealt = []
    while (specs := todo.next()) and len(dealt) < 400:
        dealt += specs
        for spec in specs:
            if spec.stage == "search":
                todo.ended([spec])
    again = [spec for spec in dealt if spec.stage == "confirm" and spec.cell_id == cell.cell_id]
    assert sorted(spec.replicate for spec in again) == [1, 2]
    assert {spec.recipe["alpha"] for spec in again} == {0.3}
    assert was.trial_id not in set(store.read("trials").trial_id)
    assert (tmp_path / "superseded" / "trials" / f"{was.trial_id}.parquet").is_file()


def test_a_failed_search_trial_is_retried_even_if_its_cell_is_confirmed(planned, tmp_path):
    plan = planned("racing.num_samples=2")
    cell, store = plan.cells[0], RecordStore.at(tmp_path)
    good, lost = (plan.spec(cell, "search", 0, {"learning_rate": rate, "alpha": 0.03}) for rate in (0.01, 0.02))
    confirm = plan.spec(cell, "confirm", 1, {"learning_rate": 0.01, "alpha": 0.03})
    for spec, status in ((good, "completed"), (lost, "failed"), (confirm, "completed")):
        store.write_trial(row_of(spec, 0.2) | {"status": status}, [], None)
    assert cells_to_search_again(store, RunOptions()) == {cell.cell_id}
    manifest = json.loads(json.dumps(describe(plan, "python -m study.run tiny"), default=str))
    reopen(manifest, {cell.cell_id})
    trials = store.read("trials")
    confirmed = confirmed_params(plan, trials, searched_since(manifest))
    todo = StudyTrials(plan, Ledger(store, trials, recorded_outcomes(trials, store.read("curves"))), confirmed)
    dealt = [todo.next() for _ in range(4)]
    assert [lost] in dealt


@pytest.mark.parametrize("has_recorded", [True, False])
def test_a_refusal_removes_a_new_study_only_if_nothing_was_recorded(has_recorded, tmp_path, small_file, monkeypatch):
    """The study has no search, so none of its rows is a search trial."""

    def refuse(plan, store, *more):
        if has_recorded:
            store.write_trial(row_of(plan.spec(plan.cells[0], "confirm", 1, {}), 0.2), [], None)
        raise InputError("a node that joined late lacks the corpus.")

    monkeypatch.setattr("study.lifecycle.execute.run_study", refuse)
    space = save_space(SMALL_SPACE, tmp_path / "small.yaml")
    assert main([space, "--corpus", small_file, "--out", str(tmp_path), "--study", "s", "--no-report"]) == 2
    assert (tmp_path / "s" / "trials").exists() == (tmp_path / "s").exists() == has_recorded


@pytest.mark.slow
def test_a_study_extended_step_by_step_matches_the_large_study_to_the_bit(finished, space, small_file, tmp_path):
    one = ("cells.context_length=[4]", "cells.num_sequences=[20]", "replicates=1", "racing.num_samples=3")
    complete(space, small_file, tmp_path, "--no-report", *(word for setting in one for word in ("--set", setting)))
    study = tmp_path / "tiny"
    first = identity(study)
    ended = pd.read_parquet(study / "trials").set_index("trial_id").finished_at
    complete(space, small_file, tmp_path, "--resume", "--no-report")
    grown = pd.read_parquet(study / "trials").set_index("trial_id").finished_at
    kept = first.index.intersection(grown.index)
    assert len(kept) > 0.6 * len(first) and (grown[kept] == ended[kept]).all()
    assert set(first.index) - set(kept) == {path.stem for path in (study / "superseded" / "trials").glob("*.parquet")}
    pd.testing.assert_frame_equal(identity(study), identity(finished[0]))
    pd.testing.assert_frame_equal(sorted_ranks(study), sorted_ranks(finished[0]))
