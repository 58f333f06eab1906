"""Quarantine of damaged records: the trials that go with them, and the searches that are reopened."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from study.lifecycle.settled import reopen
from study.plan.plan import make_plan
from study.records.repair import set_aside
from study.records.store import RecordStore
from study.search.replay import searched_after_lost
from study.search.rounds import StudySearch
from study.space.file import load_space
from study.trial.ledger import Ledger
from study.trial.outcome import recorded_outcomes
from study.trial.rows import base_row
from study.trial.update import TrialUpdate

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
    manifest = {"space": {"common_map": False}, "chosen": {"tuned": {"A": {}, "B": {}}, "common": {}}}
    reopen(manifest, cells)
    assert set(manifest["chosen"]["tuned"]) == {"B"}


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
def planned(tiny_space, small_corpus):
    return lambda setting: make_plan("s", load_space(tiny_space, None, [setting], {}), small_corpus)


@pytest.fixture
def plan(planned):
    return planned("racing.num_samples=6")


def search(plan, store: RecordStore, candidates: list[dict]) -> list[str]:
    """Run a study's search to its end with made-up metrics, and record it. Returns the new trial ids in order."""
    trials, ids = store.read("trials"), []
    ledger = Ledger(store, trials, recorded_outcomes(trials, store.read("curves")))
    study = StudySearch(plan, ledger, candidates, remember=lambda new: candidates.__setitem__(slice(None), new))
    while spec := study.next():
        value, at = int(spec.trial_id, 16) % 997 / 997, START + timedelta(minutes=len(ledger.recorded))
        row = base_row(spec) | {"status": "completed", "val_hit_at_5": value, "started_at": at}
        ranks = {"trial_id": [spec.trial_id], "split": ["validation"]}
        ranks |= {name: [1] for name in ("query_id", "chain_id", "rank", "num_ties")}
        evaluation = {"trial_id": spec.trial_id, "eval_index": 1, "val_hit_at_5": value}
        ledger.update(TrialUpdate(spec.trial_id, row, evaluation, ranks, final=True), pruned=False)
        ids.append(spec.trial_id)
    return ids


@pytest.mark.parametrize("place", [0, 4, 5, -1])
def test_a_search_trial_with_an_unreadable_row_is_located_and_its_search_continues_from_there(plan, tmp_path, place):
    """The last trial of the cell is one of its second round."""
    store, candidates = RecordStore.at(tmp_path), []
    store.write_json("manifest.json", {})
    everything = search(plan, store, candidates)
    cell_id, trials = plan.cells[0].cell_id, store.read("trials").sort_values("started_at")
    own = trials[trials.cell_id == cell_id]
    listed, finals = (own[own.replicate == replicate].trial_id.tolist() for replicate in (0, -1))
    assert len(listed) == 6 and len(finals) > 1
    lost = [*listed, *finals][place]
    (tmp_path / "trials" / f"{lost}.parquet").write_bytes(b"PAR1")
    find_lost = partial(searched_after_lost, plan, store, candidates)
    messages, cells = set_aside(store, find_lost)
    again = {*(listed[place:] if place >= 0 else []), *finals}
    assert set(store.read("trials").trial_id) == set(everything) - again
    assert cells == {cell_id} and len(messages) == len(again)
    assert set_aside(store, find_lost) == ([], cells), "if this driver is killed here, the next one finds it again"
    assert set(search(plan, store, candidates)) == again
    assert set_aside(store, find_lost) == ([], set())


def test_a_lost_trial_of_a_second_round_that_a_longer_list_has_replaced_is_not_looked_for_for_ever(
    plan, planned, tmp_path
):
    """Regression: each resume of a complete study set aside a whole second round again, and trained it anew."""
    longer, store, candidates = planned("racing.num_samples=9"), RecordStore.at(tmp_path), []
    store.write_json("manifest.json", {})
    search(plan, store, candidates)
    cell_id, before = plan.cells[0].cell_id, store.read("trials")
    search(longer, store, candidates)
    of_cell = before[(before.cell_id == cell_id) & (before.replicate == -1)].trial_id
    (tmp_path / "trials" / f"{of_cell.iloc[0]}.parquet").write_bytes(b"PAR1")
    damaged = next(iter(before[(before.cell_id == cell_id) & (before.replicate == 0)].trial_id))
    (tmp_path / "trials" / f"{damaged}.parquet").write_bytes(b"PAR1")
    assert set_aside(store, partial(searched_after_lost, longer, store, candidates))[1] == {cell_id}
    assert damaged in search(longer, store, candidates)
    assert set(of_cell) - set(store.read("trials").trial_id), "one of them is in no second round any more"
    assert set_aside(store, partial(searched_after_lost, longer, store, candidates)) == ([], set())
