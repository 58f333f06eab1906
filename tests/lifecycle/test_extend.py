"""Extending a study: only missing trials run, old rows stay, and changes to the queries are refused."""

import json
from datetime import UTC, datetime

import pandas as pd
import pytest
from rich.console import Console

from lvm_core.errors import InputError
from study.driver import RunOptions
from study.lifecycle.execute import RunRequest, _prepare_to_resume, cells_to_search_again
from study.lifecycle.manifest import describe
from study.lifecycle.resume import check_continues, extended
from study.lifecycle.settled import settle
from study.plan.plan import make_plan
from study.records.store import RecordStore
from study.run import main
from study.search.queue import StudyTrials
from study.space.file import load_space
from study.trial.ledger import Ledger
from study.trial.outcome import recorded_outcomes
from study.trial.rows import base_row
from study.trial.update import TrialUpdate
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
    found["candidates"] = [{"learning_rate": 0.01, "alpha": 0.03}]
    found["chosen"] = {"tuned": {"C1_N20": found["candidates"][0]}, "common": {}}
    check_continues(found, plan, resume=True)
    grown = extended(found, plan, "python -m study.run tiny --set more")
    assert grown["space"] == plan.space.model_dump(mode="json")
    assert grown["cells"] == [cell.cell_id for cell in plan.cells]
    assert [entry["space"] for entry in grown["history"]] == [found["space"]]
    assert grown["split"] == found["split"] and grown["runs"] == found["runs"]
    with pytest.raises(InputError, match="never reduced, but s has"):
        check_continues(grown, planned(), resume=True)
    assert extended(grown, plan, "again") is grown
    assert grown["candidates"] == found["candidates"]
    assert grown["chosen"] == (found["chosen"] if setting.startswith("replicates") else None)


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


OLD, BETTER = {"learning_rate": 0.01, "alpha": 0.03}, {"learning_rate": 0.02, "alpha": 0.3}


def record(store: RecordStore, spec, value: float, status: str = "completed") -> None:
    curve = [{"trial_id": spec.trial_id, "eval_index": 1, "val_hit_at_5": value}]
    store.write_trial(row_of(spec, value) | {"status": status}, curve, None)


def ledger_of(store: RecordStore) -> Ledger:
    trials = store.read("trials")
    return Ledger(store, trials, recorded_outcomes(trials, store.read("curves")))


def deal_all(plan, ledger: Ledger, manifest: dict, value: float = 0.1) -> list:
    """Deal a study's trials to their end, each with the same made value; return them."""
    todo, dealt = StudyTrials(plan, ledger, manifest), []
    while specs := todo.next():
        for spec in specs:
            ledger.update(
                TrialUpdate(spec.trial_id, row_of(spec, value), {"eval_index": 1, "val_hit_at_5": value}, final=True),
                pruned=False,
            )
        dealt += specs
    assert todo.finished and todo.missing() == []
    return dealt


@pytest.fixture
def extended_once(planned, tmp_path) -> tuple:
    """A study whose cells were confirmed with one candidate, and then extended to two; the second is better."""
    plan, store = planned("racing.num_samples=2"), RecordStore.at(tmp_path)
    for cell in plan.cells:
        record(store, plan.spec(cell, "search", 0, OLD), 0.2)
        record(store, plan.spec(cell, "search", 0, BETTER), 0.4)
        record(store, plan.spec(cell, "confirm", 1, OLD), 0.2)
    return plan, store, {"candidates": [OLD, BETTER], "chosen": None}


def test_a_new_choice_is_confirmed_and_what_measured_another_one_is_retired(extended_once, tmp_path):
    """The search finds a better configuration after the cell was confirmed; a cell never mixes two."""
    plan, store, manifest = extended_once
    dealt = deal_all(plan, ledger_of(store), manifest)
    assert manifest["chosen"]["tuned"] == manifest["chosen"]["common"] == {c.cell_id: BETTER for c in plan.cells}
    confirm = [spec for spec in dealt if spec.stage == "confirm"]
    assert sorted((spec.cell_id, spec.replicate) for spec in confirm) == sorted(
        (cell.cell_id, replicate) for cell in plan.cells for replicate in (1, 2)
    ), "where both maps have one configuration, its trials run once"
    assert {spec.recipe["alpha"] for spec in confirm} == {0.3}
    was = plan.spec(plan.cells[0], "confirm", 1, OLD).trial_id
    assert was not in set(store.read("trials").trial_id)
    assert (tmp_path / "superseded" / "trials" / f"{was}.parquet").is_file()


def test_confirm_trials_of_either_map_stay(extended_once):
    plan, store, manifest = extended_once
    cell = plan.cells[0].cell_id
    for one in plan.cells[1:]:  # the list's best everywhere else
        record(store, plan.spec(one, "search", -1, OLD), 0.1)
        record(store, plan.spec(one, "search", -1, BETTER), 0.3)
    record(store, plan.spec(plan.cells[0], "search", -1, OLD), 0.3)
    record(store, plan.spec(plan.cells[0], "search", 0, OLD), 0.6)
    manifest["candidates"] = [OLD, BETTER]
    deal_all(plan, ledger_of(store), manifest)
    assert (manifest["chosen"]["tuned"][cell], manifest["chosen"]["common"][cell]) == (OLD, BETTER)
    confirm = store.read("trials").query("stage == 'confirm' and cell_id == @cell")
    assert sorted(zip(confirm.alpha, confirm.replicate, strict=True)) == [(0.03, 1), (0.03, 2), (0.3, 1), (0.3, 2)]


def test_without_a_common_map_only_the_tuned_configurations_are_confirmed(planned, tmp_path):
    plan, store, manifest = planned("common_map=false"), RecordStore.at(tmp_path), {}
    dealt = deal_all(plan, ledger_of(store), manifest)
    assert manifest["chosen"]["common"] == {}
    assert sum(spec.stage == "confirm" for spec in dealt) == 2 * len(plan.cells)


def test_a_choice_that_has_begun_to_be_measured_stands_and_one_that_has_not_does_not(extended_once):
    plan, store, manifest = extended_once
    manifest |= {"space": plan.space.model_dump(mode="json")}
    chosen = {"tuned": {cell.cell_id: OLD for cell in plan.cells}, "common": {}}
    manifest["chosen"] = chosen
    settle(manifest, plan, store.read("trials"), set())
    assert manifest["chosen"] == chosen
    assert {spec.stage for spec in deal_all(plan, ledger_of(store), manifest)} == {"confirm", "baseline"}
    settle(manifest, plan, store.read("trials"), {plan.cells[0].cell_id})
    assert manifest["chosen"] is None, "a lost search trial of one cell reopens the choice of all"
    manifest["chosen"] = chosen
    settle(manifest, plan, store.read("trials").query("stage == 'search'"), set())
    assert manifest["chosen"] is None


def test_cells_of_an_older_study_keep_what_they_were_confirmed_with_and_new_ones_are_searched(planned, tmp_path):
    plan, store = planned("common_map=false", "racing.num_samples=2"), RecordStore.at(tmp_path)
    cell, other = plan.cells[0], plan.cells[1:]
    record(store, plan.spec(cell, "confirm", 1, OLD), 0.2)
    manifest = {"space": {"racing": {"num_samples": 2}}, "cells": [cell.cell_id]}
    settle(manifest, plan, store.read("trials"), set())
    assert manifest["chosen"] == {"tuned": {cell.cell_id: OLD}, "common": {}}
    dealt = deal_all(plan, ledger_of(store), manifest)
    assert {spec.cell_id for spec in dealt if spec.stage == "search"} == {one.cell_id for one in other}
    assert [spec.replicate for spec in dealt if spec.stage == "confirm" and spec.cell_id == cell.cell_id] == [2]
    assert manifest["chosen"]["tuned"][cell.cell_id] == OLD and len(manifest["chosen"]["tuned"]) == len(plan.cells)


def test_an_older_study_that_was_reopened_before_is_searched_on(planned, tmp_path):
    plan, store = planned("common_map=false"), RecordStore.at(tmp_path)
    for cell in plan.cells[:2]:
        record(store, plan.spec(cell, "confirm", 1, OLD), 0.2)
    later = datetime.now(UTC).isoformat()
    manifest = {"space": plan.space.model_dump(mode="json"), "cells": [], "reopened": {plan.cells[0].cell_id: later}}
    settle(manifest, plan, store.read("trials"), set())
    assert set(manifest["chosen"]["tuned"]) == {plan.cells[1].cell_id}
    settle(manifest, plan, store.read("trials"), {plan.cells[1].cell_id})
    assert manifest["chosen"] is None


def test_a_failed_search_trial_is_retried_even_if_its_cell_is_confirmed(extended_once):
    plan, store, manifest = extended_once
    manifest |= {"space": plan.space.model_dump(mode="json"), "cells": [cell.cell_id for cell in plan.cells]}
    manifest["chosen"] = {"tuned": {cell.cell_id: OLD for cell in plan.cells}, "common": {}}
    lost = plan.spec(plan.cells[1], "search", 0, BETTER)
    record(store, lost, 0.4, status="failed")
    to_search_on = cells_to_search_again(store, RunOptions())
    assert to_search_on == {plan.cells[1].cell_id}
    settle(manifest, plan, store.read("trials"), to_search_on)
    assert StudyTrials(plan, ledger_of(store), manifest).next() == [lost]


@pytest.mark.parametrize(
    "changes",
    [
        {"candidates": [{"learning_rate": 0.01}]},
        {"candidates": [{"learning_rate": 5.0, "alpha": 0.03}]},
        {"chosen": {"tuned": {"C1_N20": {"learning_rate": "x", "alpha": 0.03}}, "common": {}}},
    ],
)
def test_recorded_candidates_and_choices_outside_the_space_are_refused(planned, found, changes):
    with pytest.raises(InputError, match=r"(candidates\[0\]|chosen.tuned.C1_N20) must have a value of every searched"):
        check_continues(found | changes, planned(), resume=True)


def test_a_driver_that_another_one_overtook_repairs_the_search_by_the_others_list(planned, found, tmp_path):
    plan, store = planned(), RecordStore.at(tmp_path)
    store.write_json(
        "manifest.json", found | {"candidates": [OLD, BETTER], "runs": [{"started_at": datetime.now(UTC).isoformat()}]}
    )
    damaged, later = (plan.spec(plan.cells[0], "search", 0, params) for params in (OLD, BETTER))
    ranks = {name: [1] for name in ("query_id", "chain_id", "rank", "num_ties")}
    curve = [{"trial_id": later.trial_id, "eval_index": 1, "val_hit_at_5": 0.4}]
    store.write_trial(row_of(later, 0.4), curve, {"trial_id": [later.trial_id], "split": ["validation"], **ranks})
    (tmp_path / "trials" / f"{damaged.trial_id}.parquet").write_text("hello")
    request = RunRequest(out=str(tmp_path), resume=True, report=False, options=RunOptions(), arguments=())
    _prepare_to_resume(plan, store, found, request, Console())
    assert found["candidates"] == [OLD, BETTER]
    assert (tmp_path / "set_aside" / "trials" / f"{later.trial_id}.parquet").is_file()


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
