"""Studies outlive the code that made them: older records are read, resumed and reported; trainers are compared."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lvm_core.corpus import open_corpus
from lvm_core.errors import InputError
from study.analysis.load import load_study
from study.lifecycle.carry_over import carry_over
from study.lifecycle.manifest import describe
from study.lifecycle.resume import check_continues, needs_comparison, under_recorded_version
from study.plan.plan import Plan, make_plan
from study.records.columns import TABLES
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
    assert "set aside" not in complete(*command, study="study").stdout
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
    assert store.missing_columns("trials") == {"energy_j": 18}


def test_a_report_names_the_columns_that_older_records_lack(old, newer_schema):
    assert method(load_study(str(old / "study")))["older records"] == "18 trials lack energy_j: it is null for them"


def test_a_column_of_a_newer_version_is_dropped_and_its_record_kept(old):
    path = next((old / "study" / "trials").glob("*.parquet"))
    pq.write_table(pq.read_table(path).append_column("energy_j", pa.array([1.0])), path)
    store = RecordStore.at(old / "study")
    (old / "study" / "trials" / "junk.parquet").write_text("hello")
    assert len(set_aside(store)[0]) == 1
    assert len(store.read("trials")) == 18 and store.missing_columns("trials") == {}


@pytest.fixture(scope="module")
def recorded(small_file, tmp_path_factory) -> tuple[Plan, Path]:
    """The plan and folder of a study recorded by another trainer version that gives the same numbers."""
    folder = tmp_path_factory.mktemp("older")
    space = TINY_SPACE | {"cells": {"context_length": [1], "num_sequences": [20]}, "replicates": 1}
    plan = make_plan("older", load_space(save_space(space, folder / "s.yaml"), None, [], {}), open_corpus(small_file))
    old = replace(plan, trainer_version="older")
    store = RecordStore.at(folder / "study")
    store.write_json("manifest.json", describe(old, "a test"))
    ledger = Ledger(store, store.read("trials"))
    confirm = old.spec(old.cells[0], "confirm", 1, TINY_SPACE["points_to_evaluate"][0])
    for spec in [confirm, *(spec for job in old.baseline_jobs() for spec in job)]:
        for update in run_trial(spec):
            ledger.update(update, pruned=False)
    return plan, folder / "study"


def test_a_study_of_another_version_is_refused_with_a_next_step(recorded):
    plan, folder = recorded
    found = RecordStore.at(folder).read_json("manifest.json")
    with pytest.raises(InputError, match=r"recorded by version older and this is version .* Add --carry-over"):
        check_continues(found, plan, resume=True)


def test_a_study_is_carried_over_if_repeated_trials_have_the_same_numbers(recorded):
    plan, folder = recorded
    store = RecordStore.at(folder)
    found = store.read_json("manifest.json")
    assert needs_comparison(found)
    own = under_recorded_version(found, plan, carry_over=True)
    check_continues(found, own, resume=True)
    lines = []
    entry = carry_over(own, store, lines.append)
    assert set(entry["trial_ids"]) <= set(store.read("trials").trial_id)
    assert len(lines) == len(entry["trial_ids"]) == 6, "one per stage and model"
    found["carried_over"] = [entry]
    assert not needs_comparison(found)
    assert under_recorded_version(found, plan, carry_over=False).trainer_version == "older", "ids stay as they are"


def test_a_study_is_not_carried_over_if_a_rank_differs(recorded, tmp_path):
    plan, folder = recorded
    store = RecordStore.at(shutil.copytree(folder, tmp_path / "copy"))
    confirm = store.read("trials").query("stage == 'confirm'").trial_id.iloc[0]
    ranks = store.read_trial("ranks", confirm)
    ranks.loc[0, "rank"] += 1
    store.write_record("ranks", confirm, ranks.to_dict("records"))
    with pytest.raises(InputError, match=f"rank of trial {confirm} .* differs from the record"):
        carry_over(replace(plan, trainer_version="older"), store, print)


def test_a_study_without_a_completed_trial_is_not_carried_over(recorded, tmp_path):
    plan, _ = recorded
    with pytest.raises(InputError, match="only by repeating a completed trial"):
        carry_over(replace(plan, trainer_version="older"), RecordStore.at(tmp_path), print)
