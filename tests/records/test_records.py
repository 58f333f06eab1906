"""Records: exactly the columns of the schema, complete files only, each trial once."""

from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pyarrow.fs as pafs
import pytest

from lvm_core.errors import InputError
from study.plan.plan import make_plan
from study.records.columns import TABLES
from study.records.store import RecordStore, join
from study.space.file import load_space
from study.trial.ledger import Ledger
from study.trial.rows import base_row
from study.trial.run import run_trial
from study.trial.update import TrialUpdate

NOTHING = TABLES["trials"].empty_table().to_pandas()


@pytest.fixture
def plan(tiny_space, small_corpus):
    return make_plan("s", load_space(tiny_space, None, [], {}), small_corpus)


@pytest.fixture
def spec(plan):
    return plan.spec(plan.cells[0], "confirm", 1, {"learning_rate": 0.01, "alpha": 0.03})


def record(store, spec) -> dict:
    store.write_json("manifest.json", {})
    ledger = Ledger(store, NOTHING)
    for update in run_trial(spec, store):
        row = ledger.update(update, pruned=False)
    return row


def test_a_confirm_trial_of_the_largest_context_also_records_how_far_it_uses_it(tmp_path, plan):
    params, store = {"learning_rate": 0.01, "alpha": 0.03}, RecordStore.at(tmp_path)
    longest = next(cell for cell in plan.cells if cell.context_length == 4)
    specs = [plan.spec(longest, "confirm", 1, params), plan.spec(longest, "search", 0, params)]
    rows = [record(store, spec) for spec in (*specs, plan.spec(plan.cells[0], "confirm", 1, params))]
    assert [row.get("num_kept_lengths") for row in rows] == [3, None, None]
    use, ranks = store.read("context_use"), store.read("ranks")
    assert set(use.trial_id) == {specs[0].trial_id}
    own = ranks[(ranks.trial_id == specs[0].trial_id) & (ranks.split == "test")]
    queries = own.groupby("chain_id").size()
    for _, part in use.groupby("num_kept"):
        assert part.set_index("chain_id").num_queries.to_dict() == queries.to_dict()
    assert sorted(use.num_kept.unique()) == [1, 2, 4]
    whole = use[use.num_kept == 4]
    assert np.average(whole.hit_at_5, weights=whole.num_queries) == pytest.approx(rows[0]["test_hit_at_5"])


def test_a_trial_is_three_files_that_pandas_reads_in_one_line(tmp_path, spec):
    row = record(RecordStore.at(tmp_path / "study"), spec)
    trials = pd.read_parquet(tmp_path / "study" / "trials")
    assert trials.columns.tolist() == TABLES["trials"].names
    assert trials.trial_id.tolist() == [spec.trial_id]
    assert trials.test_hit_at_5[0] == row["test_hit_at_5"]
    curves = pd.read_parquet(tmp_path / "study" / "curves")
    assert curves.eval_index.tolist() == list(range(1, row["num_steps"] // 3 + 1))
    ranks = pd.read_parquet(tmp_path / "study" / "ranks")
    assert ranks.groupby("split").size().to_dict() == {"test": 100, "validation": 100}
    checkpoint = tmp_path / "study" / "checkpoints" / spec.trial_id
    assert {path.name for path in checkpoint.iterdir()} == {"model.safetensors", "config.json"}


def test_the_same_records_land_on_any_filesystem(tmp_path, spec):
    memory = pafs.PyFileSystem(pafs.FSSpecHandler(fsspec.filesystem("memory")))
    remote = RecordStore(memory, "/bucket/study")
    record(remote, spec)
    local = RecordStore.at(tmp_path)
    record(local, spec)
    for table in ("curves", "ranks"):
        a, b = (store.read(table).drop(columns="elapsed_s", errors="ignore") for store in (remote, local))
        pd.testing.assert_frame_equal(a, b)
    assert remote.exists(f"checkpoints/{spec.trial_id}/config.json")


def test_an_unfinished_write_is_never_read(tmp_path, spec, monkeypatch):
    store = RecordStore.at(tmp_path)
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("no space left")))
    with pytest.raises(OSError, match="no space left"):
        store.write_record("trials", spec.trial_id, [base_row(spec)])
    assert store.read("trials").empty
    assert not list((tmp_path / "trials").iterdir())
    (tmp_path / "trials" / ".half.parquet.1234").write_bytes(b"PAR1 torn")
    assert store.read("trials").empty


def test_reading_before_anything_is_recorded_gives_an_empty_frame(tmp_path):
    empty = RecordStore.at(tmp_path / "none").read("trials")
    assert empty.empty
    assert empty.columns.tolist() == TABLES["trials"].names


def test_a_damaged_record_file_is_named_with_a_next_step(tmp_path, spec):
    store = RecordStore.at(tmp_path)
    store.write_record("trials", spec.trial_id, [base_row(spec)])
    path = tmp_path / "trials" / f"{spec.trial_id}.parquet"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match=rf"{spec.trial_id}.*--resume: it moves that file to set_aside/"):
        store.read("trials")


def test_a_damaged_manifest_is_named(tmp_path):
    (tmp_path / "manifest.json").write_text("{ half")
    with pytest.raises(InputError, match=r"must have a readable manifest\.json"):
        RecordStore.at(tmp_path).read_json("manifest.json")


def update(trial_id: str, index: int, final: bool = False, ranks=None) -> TrialUpdate:
    row = {
        "trial_id": trial_id,
        "cell_id": "C1_N20",
        "stage": "search",
        "replicate": 0,
        "config": "{}",
        "val_hit_at_5": 0.1 * index,
        "status": "completed" if final else None,
    }
    return TrialUpdate(
        trial_id, row, {"trial_id": trial_id, "eval_index": index, "val_hit_at_5": 0.1 * index}, ranks, final
    )


def test_a_second_record_of_the_same_trial_is_never_written(tmp_path):
    earlier = pd.DataFrame({"trial_id": ["old"], "status": ["completed"], "attempt": [1]})
    ledger = Ledger(RecordStore.at(tmp_path), earlier)
    assert ledger.update(update("old", 1, final=True), pruned=False) is None
    assert ledger.update(update("new", 1, final=True), pruned=False) is not None
    assert ledger.update(update("new", 1, final=True), pruned=False) is None
    assert pd.read_parquet(tmp_path / "trials").trial_id.tolist() == ["new"]


def test_a_retry_after_a_lost_worker_starts_a_new_curve(tmp_path):
    ledger = Ledger(RecordStore.at(tmp_path), NOTHING)
    for index, final in ((0, False), (1, False), (2, False), (0, False), (1, False), (2, True)):
        if index == 0:
            ledger.begin(update("t", index))
        else:
            row = ledger.update(update("t", index, final), pruned=False)
    assert row["attempt"] == 2
    assert pd.read_parquet(tmp_path / "curves").eval_index.tolist() == [1, 2]


def test_a_pruned_trial_keeps_its_best_ranks_and_its_figures(tmp_path):
    ledger = Ledger(RecordStore.at(tmp_path), NOTHING)
    ranks = {
        "trial_id": np.array(["t"]), "split": np.array(["validation"]), "query_id": np.array([5]),
        "chain_id": np.array([1]), "rank": np.array([2], np.int32), "num_ties": np.array([0], np.int32),
    }  # fmt: skip
    ledger.update(update("t", 1, ranks=ranks), pruned=False)
    row = ledger.update(update("t", 2), pruned=True)
    assert (row["status"], row["stop_reason"], row["val_hit_at_5"]) == ("pruned", "asha", 0.2)
    assert pd.read_parquet(tmp_path / "ranks")["rank"].tolist() == [2]
    assert ledger.outcomes["t"].reported == ((1, 0.1), (2, 0.2))


def test_a_lost_worker_leaves_a_failed_row_without_figures(tmp_path, spec):
    ledger = Ledger(RecordStore.at(tmp_path), NOTHING)
    for _ in range(3):
        ledger.begin(TrialUpdate(spec.trial_id, base_row(spec), begins=True))
    ledger.fail(spec, "killed")
    row = pd.read_parquet(tmp_path / "trials").iloc[0]
    assert (row.status, row.stop_reason, row.error, row.attempt) == ("failed", "worker_lost", "killed", 3)
    assert pd.isna(row.val_hit_at_5) and pd.isna(row.test_hit_at_5)


def test_a_diverging_trial_is_a_row_that_names_the_step(plan):
    spec = plan.spec(plan.cells[0], "search", 0, {"learning_rate": 0.1, "alpha": 0.3})
    wild = type(spec)(**{**spec.as_dict(), "recipe": {**spec.recipe, "learning_rate": 1e25}})
    last = list(run_trial(wild))[-1]
    assert (last.final, last.row["status"], last.row["stop_reason"]) == (True, "diverged", "nan")
    assert "stopped before the step" in last.row["error"]
    assert last.row.get("test_hit_at_5") is None


def test_an_exception_becomes_a_failed_row_with_its_traceback(spec, monkeypatch):
    monkeypatch.setattr("study.trial.run.Trainer", lambda *a: 1 / 0)
    last = list(run_trial(spec))[-1]
    assert (last.row["status"], last.row["stop_reason"]) == ("failed", "error")
    assert "ZeroDivisionError" in last.row["error"]


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 TB")])
def test_running_out_of_memory_has_its_own_stop_reason(spec, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr("study.trial.run.Trainer", fail)
    assert list(run_trial(spec))[-1].row["stop_reason"] == "oom"


def test_another_corpus_or_other_code_on_a_node_is_refused(spec):
    for change, message in (
        ({"corpus_fingerprint": "0" * 16}, "every node must have the same corpus"),
        ({"code_fingerprint": "older"}, "every node must have the same lvm_core/ and study/"),
    ):
        last = list(run_trial(type(spec)(**{**spec.as_dict(), **change})))[-1]
        assert message in last.refusal
        assert not last.final, "nothing is recorded from a node that cannot run the study"


def test_a_failed_record_is_retried_and_its_attempts_are_counted(tmp_path):
    earlier = pd.DataFrame({"trial_id": ["t"], "status": ["failed"], "attempt": [3]})
    ledger = Ledger(RecordStore.at(tmp_path), earlier)
    assert not ledger.recorded
    assert ledger.update(update("t", 1, final=True), pruned=False)["attempt"] == 4


def test_a_node_that_does_not_see_the_study_is_refused(tmp_path, spec):
    last = list(run_trial(spec, RecordStore.at(tmp_path / "elsewhere")))[-1]
    assert "every node must see the study's folder" in last.refusal


def test_a_uri_keeps_its_options_when_a_study_is_appended_to_it(tmp_path):
    assert (
        join("s3://bucket/x?endpoint_override=http://h:9000", "s") == "s3://bucket/x/s?endpoint_override=http://h:9000"
    )
    assert join(str(tmp_path), "s") == str(tmp_path / "s")
    with pytest.raises(InputError, match="must be a folder or a URI"):
        RecordStore.at("foo://x")


def test_a_flipped_bit_in_a_record_is_detected(tmp_path, spec):
    store = RecordStore.at(tmp_path)
    store.write_record("ranks", spec.trial_id, [{"trial_id": spec.trial_id, "rank": number} for number in range(500)])
    path = tmp_path / "ranks" / f"{spec.trial_id}.parquet"
    whole = path.read_bytes()
    found = 0
    for place in range(4, len(whole) - 8, max(1, len(whole) // 40)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            read = store.read("ranks")["rank"].tolist()
        except InputError:
            found += 1
            continue
        assert read == list(range(500)), "a wrong number must never be read"
    assert found > 5
