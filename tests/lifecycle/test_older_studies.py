"""Studies outlive the code that made them: older records are read, resumed and reported; trainers are compared."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lvm_core.corpus import open_corpus
from lvm_core.errors import InputError
from study import run
from study.analysis.load import load_study
from study.lifecycle.carry_over import carry_over
from study.lifecycle.manifest import describe
from study.lifecycle.resume import check_continues, needs_comparison, under_recorded_version
from study.plan.plan import Plan, make_plan
from study.records.columns import STAGES, TABLES
from study.records.repair import set_aside
from study.records.store import RecordStore
from study.report.findings.method import method
from study.space.file import load_space
from study.trial.ledger import Ledger
from study.trial.run import run_trial
from tests.studies import TINY_SPACE, complete, save_space

ARCHIVE = Path(__file__).parents[1] / "data" / "study_0_1.zip"


@pytest.fixture
def old(tmp_path) -> Path:
    """A folder with a study recorded by version 0.1, its space file and its corpus."""
    ZipFile(ARCHIVE).extractall(tmp_path)
    return tmp_path


def files(study: Path) -> dict[str, bytes]:
    return {str(path.relative_to(study)): path.read_bytes() for path in sorted(study.glob("*/*.parquet"))}


@pytest.mark.slow
def test_a_study_of_version_0_1_is_resumed_extended_and_reported(old):
    study, before = old / "study", files(old / "study")
    command = (str(old / "old.yaml"), str(old / "signs.npz"), old, "--resume")
    assert "set_aside" not in complete(*command, study="study").stdout
    assert files(study) == before, "nothing is repeated"
    complete(*command, "--set", "replicates=2", study="study")
    after = files(study)
    assert {name: after[name] for name in before} == before, "old records stay as they are"
    trials = RecordStore.at(study).read("trials")
    assert len(trials) == 18 + 2 + 4, "a second confirm replicate per cell, with its trained baselines"
    assert trials[trials.stage == "confirm"].groupby("cell_id").replicate.apply(sorted).to_dict() == {
        "C1_N20": [1, 2],
        "C2_N20": [1, 2],
    }
    assert "C2_N20" in (study / "report" / "index.html").read_text()
    history = json.loads((study / "manifest.json").read_text())["history"]
    assert history[0]["space"]["racing"]["num_configs"] == 3, "the old space is kept as it was"


@pytest.fixture
def up_to_the_first_trial(monkeypatch) -> None:
    """The command line works up to its first trial."""
    for name, value in (("run_study", 0), ("near_copies", {}), ("_conclude", 0)):
        monkeypatch.setattr(f"study.lifecycle.execute.{name}", lambda *_, value=value: value)


def test_an_older_study_keeps_its_old_values_after_it_was_extended(old, up_to_the_first_trial, capsys):
    """Regression: an extension records every key, and the next run took the study for a new one and refused it."""
    line = [
        str(old / "old.yaml"),
        "--corpus",
        str(old / "signs.npz"),
        "--out",
        str(old),
        "--study",
        "study",
        "--resume",
    ]
    for more in ([], ["--set", "replicates=2"], ["--set", "replicates=2"], ["--set", "replicates=3"]):
        assert run.main([*line, *more]) == 0, capsys.readouterr().err
    manifest = json.loads((old / "study" / "manifest.json").read_text())
    assert len(manifest["history"]) == 3, "the corpus has moved, then the replicates grew twice"
    assert manifest["space"]["common_map"] is manifest["space"]["data"]["exclude_context"] is False


def test_statuses_and_keys_of_version_0_1_get_their_current_names(old):
    study = load_study(str(old / "study"))
    recorded = pd.read_parquet(old / "study" / "trials")
    assert (recorded.status == "raced_out").sum() == (study.trials.status == "pruned").sum() == 3
    assert study.manifest.space.racing.num_samples == 3
    space = load_space(str(old / "old.yaml"), None, ["racing.grace_evaluations=2"], {})
    assert (space.racing.num_samples, space.racing.grace_period) == (3, 2)
    assert space.points_to_evaluate == ({"learning_rate": 1e-2},)


@pytest.fixture
def newer_schema(monkeypatch) -> None:
    """A version of this tool whose trials have one more column."""
    monkeypatch.setitem(TABLES, "trials", TABLES["trials"].append(pa.field("energy_j", pa.float64())))


def test_a_new_column_and_a_junk_file_do_not_quarantine_older_records(old, newer_schema):
    """Regression: one junk file moved all good rows of an older schema to `set_aside/`."""
    store = RecordStore.at(old / "study")
    junk = old / "study" / "trials" / "notes.parquet"
    junk.write_text("hello")
    messages, _ = set_aside(store)
    assert len(messages) == 1 and "notes.parquet" in messages[0]
    assert [path.name for path in (old / "study" / "set_aside" / "trials").iterdir()] == ["notes.parquet"]
    trials = store.read("trials")
    assert len(trials) == 18 and trials.energy_j.isna().all() and trials.val_hit_at_5.notna().all()
    assert store.missing_columns("trials")["energy_j"] == 18


def test_a_report_names_the_columns_that_older_records_lack(old, newer_schema):
    assert "18 records lack trials.energy_j (null)" in method(load_study(str(old / "study")))["older records"]


def test_a_column_of_a_newer_version_is_dropped_and_its_record_kept(old):
    path = next((old / "study" / "trials").glob("*.parquet"))
    pq.write_table(pq.read_table(path).append_column("energy_j", pa.array([1.0])), path)
    store = RecordStore.at(old / "study")
    (old / "study" / "trials" / "junk.parquet").write_text("hello")
    assert len(set_aside(store)[0]) == 1
    assert len(store.read("trials")) == 18 and "energy_j" not in store.read("trials")
    assert "energy_j" not in store.missing_columns("trials")


POINT = TINY_SPACE["points_to_evaluate"][0]
# two arms of one model, so that a change of one of them alone must be found
SPACE = TINY_SPACE | {
    "cells": {"context_length": [2], "num_sequences": [20]}, "replicates": 1, "arms": {"anchor": ["last", "ema"]},
}  # fmt: skip


@pytest.fixture(scope="module")
def recorded(small_file, tmp_path_factory) -> tuple[Plan, Path]:
    """A study recorded by another trainer version with the same numbers: its plan and its folder."""
    folder = tmp_path_factory.mktemp("older")
    plan = make_plan("study", load_space(save_space(SPACE, folder / "s.yaml"), None, [], {}), open_corpus(small_file))
    old = replace(plan, trainer_version="older")
    store = RecordStore.at(folder / "study")
    store.write_json("manifest.json", describe(old, "a test") | {"runs": []})
    ledger = Ledger(store, store.read("trials"))
    models = [old.spec(cell, stage, number, POINT) for cell in old.cells for number, stage in enumerate(STAGES[:2])]
    for spec in models + [spec for job in old.baseline_jobs() for spec in job]:
        for update in run_trial(spec):
            ledger.update(update, pruned=False)
    return plan, folder / "study"


@pytest.fixture
def copied(recorded, tmp_path) -> tuple[Plan, RecordStore]:
    """The plan with the recorded version, and a copy of the study to be changed."""
    return replace(recorded[0], trainer_version="older"), RecordStore.at(
        shutil.copytree(recorded[1], tmp_path / "study")
    )


def test_a_study_of_another_version_is_refused_with_a_next_step(recorded):
    plan, folder = recorded
    found = RecordStore.at(folder).read_json("manifest.json")
    with pytest.raises(InputError, match=r"recorded by version older and this is version .* Add --carry-over"):
        check_continues(found, plan, resume=True)


def test_every_kind_of_trial_is_repeated(copied):
    plan, store = copied
    lines = []
    entry = carry_over(plan, store, lines.append)
    trials = store.read("trials").set_index("trial_id").loc[entry["trial_ids"]]
    assert len(lines) == len(trials) == 9, "search and confirm of both arms, and five baselines"
    assert set(zip(trials.stage, trials.anchor, strict=True)) >= {
        (stage, anchor) for stage in ("search", "confirm") for anchor in ("last", "ema")
    }


def change(store: RecordStore, table: str, trial_id: str, column: str) -> None:
    """Change the last digit of one recorded number."""
    rows = store.read_trial(table, trial_id)
    value = rows.loc[0, column]
    rows.loc[0, column] = value + 1 if rows[column].dtype.kind == "i" else np.nextafter(value, np.inf)
    rows = rows.astype(object)
    store.write_record(table, trial_id, rows.where(rows.notna(), None).to_dict("records"))


CHANGES = [
    ("ranks", "rank"), ("curves", "train_loss"), ("trials", "val_cosine"), ("trials", "train_flops"),
    ("trials", "test_hit_at_5_context_in_pool"), ("context_use", "hit_at_5"),
]  # fmt: skip


@pytest.mark.parametrize("anchor", ["last", "ema"])
@pytest.mark.parametrize(("table", "column"), CHANGES)
def test_a_study_is_not_carried_over_if_any_number_of_any_arm_differs(copied, table, column, anchor):
    plan, store = copied
    trials = store.read("trials")
    confirm = trials[(trials.stage == "confirm") & (trials.anchor == anchor)].trial_id.iloc[0]
    change(store, table, confirm, column)
    with pytest.raises(InputError, match=f"{column}.* of trial {confirm} .* differs from the record"):
        carry_over(plan, store, print)


def test_a_study_is_not_carried_over_if_a_default_has_changed(copied, small_file, tmp_path):
    space = save_space(SPACE | {"fixed": SPACE["fixed"] | {"temperature": 0.08}}, tmp_path / "s.yaml")
    plan = make_plan("study", load_space(space, None, [], {}), open_corpus(small_file))
    with pytest.raises(InputError, match="would be another trial now"):
        carry_over(replace(plan, trainer_version="older"), copied[1], print)


def test_columns_that_an_older_record_lacks_are_not_compared(copied):
    plan, store = copied
    for path in Path(store.path("trials")).glob("*.parquet"):
        pq.write_table(pq.read_table(path).drop_columns(["val_mrr", "num_kept_lengths"]), path)
    shutil.rmtree(store.path("context_use"))
    assert len(carry_over(plan, store, print)["trial_ids"]) == 9


def test_a_study_without_a_completed_trial_is_not_carried_over(copied, tmp_path):
    with pytest.raises(InputError, match="only by repeating a completed trial"):
        carry_over(copied[0], RecordStore.at(tmp_path / "empty"), print)


@pytest.fixture
def command(copied, small_file, tmp_path, up_to_the_first_trial) -> Callable[..., int]:
    """Return a function that runs the command line on the study, up to its first trial."""
    space = save_space(SPACE, tmp_path / "s.yaml")
    return lambda *more: run.main([space, "--corpus", small_file, "--out", str(tmp_path), "--study", "study", *more])


def test_a_carried_over_study_keeps_its_ids_and_is_resumed_without_the_option_afterwards(command, copied, capsys):
    store = copied[1]
    before = files(Path(store.root))
    assert command("--resume") == 2
    assert "Add --carry-over" in capsys.readouterr().err
    assert command("--carry-over") == 0
    assert capsys.readouterr().out.count("all numbers and ranks match") == 9
    assert command("--resume") == 0
    assert "repeated" not in capsys.readouterr().out
    manifest = store.read_json("manifest.json")
    assert manifest["trainer_version"] == "older" and len(manifest["carried_over"]) == 1
    assert not needs_comparison(manifest)
    assert under_recorded_version(manifest, copied[0], carry_over=False).trainer_version == "older"
    assert files(Path(store.root)) == before


def test_an_interrupted_comparison_is_begun_again_by_the_command_that_is_printed(command, copied, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("study.lifecycle.execute.carry_over", interrupt)
    assert command("--carry-over") == 130
    assert "--carry-over --resume" in capsys.readouterr().err
    assert needs_comparison(copied[1].read_json("manifest.json"))


def test_a_manifest_without_a_trainer_version_is_refused_in_one_sentence(command, copied, capsys):
    manifest = copied[1].read_json("manifest.json")
    del manifest["trainer_version"]
    copied[1].write_json("manifest.json", manifest)
    assert command("--resume") == 2
    assert "must have the key trainer_version" in capsys.readouterr().err
