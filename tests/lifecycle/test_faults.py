"""Real faults in whole studies: which become a row, which stop the study, and which trials run again."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from benchmarks.torture.injection import ENDS, can_mount, failing, full_disk, read_only
from tests.studies import ROOT, sorted_ranks
from tests.studies import command as study_line


def line(space: str, corpus: str, out: Path | str, *more: str) -> list[str]:
    return study_line(space, corpus, out, "--no-report", *more, study="s")


def run(*arguments, environment: dict | None = None, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
    command = [*before, *line(*arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300)


def rows(out: Path) -> pd.DataFrame:
    trials = pd.read_parquet(out / "s" / "trials")
    assert trials.trial_id.is_unique
    return trials


def trained(out: Path) -> pd.DataFrame:
    return rows(out).query("stage == 'confirm'").set_index("cell_id")


@pytest.fixture
def copy(sound, tmp_path) -> Path:
    shutil.copytree(sound / "s", tmp_path / "o" / "s")
    return tmp_path / "o"


# kind of fault by cell: asleep, stuck in C with the GIL held, worker killed on every attempt, out of memory, NaN
KINDS = {"C1_N20": "hang", "C1_N30": "spin", "C1_N40": "kill", "C1_N50": "oom", "C1_N60": "nan"}
ERRORS = {"hang": "25 s", "spin": "25 s", "kill": "died", "oom": "can't allocate memory", "nan": "at step 4 of 24"}


@pytest.fixture(scope="module")
def broken(small, small_file, tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess]:
    """A study with one broken trial per cell, each by another fault, and its finished process."""
    out = tmp_path_factory.mktemp("broken")
    environment = failing({f"{cell_id}/1": kind for cell_id, kind in KINDS.items()})
    return out, run(small, small_file, out, "--workers", "2", "--set", "trial_time_limit=25s", environment=environment)


@pytest.mark.slow
@pytest.mark.parametrize(("cell_id", "kind"), KINDS.items(), ids=KINDS.values())
def test_a_trial_that_broke_off_is_a_row_with_its_reason(broken, cell_id, kind):
    row = trained(broken[0]).loc[cell_id]
    assert (row.status, row.stop_reason) == ENDS[kind]
    assert row.attempt == (3 if kind == "kill" else 1)
    assert ERRORS[kind] in row.error
    assert pd.isna(row.test_hit_at_5)


@pytest.mark.slow
def test_a_study_continues_after_broken_trials_and_retries_them_on_request(broken, small, small_file, sound):
    out, done = broken
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert set(rows(out).trial_id) == set(rows(sound).trial_id)
    diverged = trained(out).trial_id["C1_N60"]
    good = {key: when for key, when in rows_by_id(out).items() if key not in set(trained(out).trial_id) - {diverged}}
    again = run(small, small_file, out, "--rerun", "failed", "--set", "trial_time_limit=5m")
    assert again.returncode == 1, "a diverged confirm trial is not retried"
    assert trained(out).attempt.to_dict() == {"C1_N20": 2, "C1_N30": 2, "C1_N40": 4, "C1_N50": 2, "C1_N60": 1}
    assert good.items() <= rows_by_id(out).items(), "recorded trials stay"
    same = [found[found.trial_id != diverged].reset_index(drop=True) for found in (ranks(out), ranks(sound))]
    pd.testing.assert_frame_equal(*same)


@pytest.mark.slow
@pytest.mark.skipif(psutil.virtual_memory().available < 12e9, reason="needs 4 GB for a moment")
def test_a_trial_that_rays_memory_monitor_kills_is_a_row_and_the_study_continues(small, small_file, tmp_path):
    memory = psutil.virtual_memory()
    threshold = (memory.total - memory.available + 4e9) / memory.total
    environment = failing({"C1_N20/1": "grow"}) | {"RAY_memory_usage_threshold": f"{threshold:.3f}"}
    only = (
        "--set",
        "cells.num_sequences=[20, 60]",
    )  # on one worker: of two running trials, Ray may kill the innocent one
    done = run(small, small_file, tmp_path, *only, environment=environment)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    lost, sound = trained(tmp_path).loc["C1_N20"], trained(tmp_path).loc["C1_N60"]
    assert (lost.status, lost.stop_reason, lost.attempt) == ("failed", "oom", 3)
    assert "low on memory" in lost.error and "\n" not in lost.error
    assert sound.status == "completed"


needs_mount = pytest.mark.skipif(not can_mount(), reason="no permission to mount a small file system here")


@pytest.mark.slow
@needs_mount
def test_a_full_disk_stops_the_study_and_leaves_no_torn_file(small, small_file, sound, tmp_path):
    """Meanwhile another trial is stuck in C with the GIL held; it must not keep the study from stopping."""
    hanging = failing({"C1_N20/1": "spin"})
    stopped = run(
        small, small_file, tmp_path, "--workers", "2", environment=hanging, before=full_disk(tmp_path, 400_000)
    )
    assert stopped.returncode == 2
    assert "No space left on device" in stopped.stderr and "--resume" in stopped.stderr
    assert stopped.stderr.count("\n") == 1, stopped.stderr
    before = rows_by_id(tmp_path)
    assert before, "something was recorded before the disk was full"
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in written if path.name.startswith(".") and path.name != ".lock"]
    for record in (path for path in written if path.suffix == ".parquet"):
        pd.read_parquet(record)
    assert run(small, small_file, tmp_path, "--resume").returncode == 0
    assert before.items() <= rows_by_id(tmp_path).items(), "recorded trials stay"
    assert (
        rows(tmp_path).set_index("trial_id").test_mrr.to_dict() == rows(sound).set_index("trial_id").test_mrr.to_dict()
    )


@needs_mount
def test_a_read_only_study_is_refused_in_one_sentence(small, small_file, sound, copy):
    more = ("--resume", "--set", "replicates=2")
    refused = run(small, small_file, copy, *more, before=read_only(copy))
    assert refused.returncode == 2
    assert "Read-only file system" in refused.stderr and refused.stderr.count("\n") == 1
    assert rows_by_id(copy) == rows_by_id(sound)


@pytest.mark.slow
def test_damaged_records_are_named_and_quarantined_and_their_trials_run_again(small, small_file, sound, copy):
    study, victims = copy / "s", trained(copy).trial_id
    os.truncate(study / "curves" / f"{victims['C1_N20']}.parquet", 300)
    os.truncate(study / "trials" / f"{victims['C1_N30']}.parquet", 10)
    shutil.copy(study / "ranks" / f"{victims['C1_N20']}.parquet", study / "ranks" / f"{victims['C1_N40']}.parquet")
    (study / "ranks" / f"{victims['C1_N50']}.parquet").unlink()
    pd.DataFrame({"x": [1]}).to_parquet(study / "trials" / "mine.parquet")
    again = set(victims.drop("C1_N60"))
    report = [sys.executable, "-m", "study.report", str(study)]
    refused = subprocess.run(report, cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "trials" in refused.stderr and "--resume" in refused.stderr and refused.stderr.count("\n") == 1
    before = rows_by_id(sound)
    done = run(small, small_file, copy, "--resume")
    assert done.returncode == 0, done.stderr
    for name in ("mine", *again):
        assert name in done.stdout
    after = rows_by_id(copy)
    assert {key for key in before if before[key] != after[key]} == again
    assert (study / "set_aside" / "trials" / "mine.parquet").is_file()
    pd.testing.assert_frame_equal(ranks(copy), ranks(sound))


def rows_by_id(out: Path) -> dict:
    return rows(out).set_index("trial_id").finished_at.to_dict()


def ranks(out: Path) -> pd.DataFrame:
    return sorted_ranks(out / "s")


def test_a_folder_that_is_not_a_study_is_never_touched(small, small_file, sound, tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "thesis.tex").write_text("years of work")
    refused = run(small, small_file, tmp_path, "--address", "127.0.0.1:1")
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1
    assert (tmp_path / "s" / "thesis.tex").read_text() == "years of work"
    shutil.copytree(sound / "s" / "trials", tmp_path / "s" / "trials")
    (tmp_path / "s" / "manifest.json").unlink(missing_ok=True)
    before = rows_by_id(tmp_path)
    refused = run(small, small_file, tmp_path)
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1
    assert "must have its manifest.json" in refused.stderr
    assert rows_by_id(tmp_path) == before


def test_another_corpus_is_never_mixed_in(small, small_file, copy, tmp_path):
    with np.load(small_file) as archive:
        np.savez(tmp_path / "other.npz", vectors=archive["vectors"][:-40], chain_ids=archive["chain_ids"][:-40])
    before = rows_by_id(copy)
    refused = run(small, str(tmp_path / "other.npz"), copy, "--resume")
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1
    assert "corpus" in refused.stderr
    assert rows_by_id(copy) == before
