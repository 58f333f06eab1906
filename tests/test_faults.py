"""Faults provoked for real in whole studies: what becomes a row, what stops the study, what runs again."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.conftest import TINY_SPACE

ROOT = Path(__file__).resolve().parent.parent
# one configuration a cell and no search: each trial of C1_N20 and C1_N60 is a confirm trial or a baseline
SMALL = {key: value for key, value in TINY_SPACE.items() if key not in ("search", "start")} | {
    "cells": {"context_length": [1], "num_sequences": [20, 60]},
    "replicates": 1,
}


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("space") / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    return str(path)


def line(space: str, corpus: str, out: Path, *more: str) -> list[str]:
    start = [sys.executable, "-m", "study.run", space, "--corpus", corpus, "--out", str(out), "--study", "s"]
    return [*start, "--workers", "2", "--no-report", *more]


def run(*arguments, fault: str | None = None, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
    environment = dict(os.environ)
    if fault is not None:
        environment |= {"PYTHONPATH": str(ROOT / "tests" / "injected"), "LVM_FAULT": fault}
    command = [*before, *line(*arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300)


def rows(out: Path) -> pd.DataFrame:
    trials = pd.read_parquet(out / "s" / "trials")
    assert trials.trial_id.is_unique
    return trials


def trained(out: Path) -> pd.DataFrame:
    return rows(out).query("stage == 'confirm'").set_index("cell_id")


@pytest.fixture(scope="module")
def sound(small, small_file, tmp_path_factory) -> Path:
    """The folder of an undisturbed study."""
    out = tmp_path_factory.mktemp("sound")
    done = run(small, small_file, out)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture
def copy(sound, tmp_path) -> Path:
    shutil.copytree(sound, tmp_path / "o")
    return tmp_path / "o"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["hang", "spin"])
def test_a_hung_trial_is_a_timeout_row_and_the_others_go_on(kind, small, small_file, sound, tmp_path):
    limit = ("--set", "trial_time_limit=6s")
    done = run(small, small_file, tmp_path, *limit, fault=f"{kind}:20")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    hung, fine = trained(tmp_path).loc["C1_N20"], trained(tmp_path).loc["C1_N60"]
    assert (hung.status, hung.stop_reason, hung.attempt) == ("timeout", "time_limit", 1)
    assert "6 s" in hung.error
    assert pd.isna(hung.test_hit_at_5)
    assert fine.status == "completed"
    assert len(rows(tmp_path)) == len(rows(sound))
    if kind == "hang":  # a timeout stands on --resume, and is repeated where that is asked for
        assert run(small, small_file, tmp_path, "--resume").returncode == 1
        assert trained(tmp_path).loc["C1_N20"].status == "timeout"
        assert run(small, small_file, tmp_path, "--rerun", "failed").returncode == 0
        assert trained(tmp_path).loc["C1_N20"].attempt == 2
        assert trained(tmp_path).test_mrr.to_dict() == trained(sound).test_mrr.to_dict()


@pytest.mark.slow
def test_a_trial_whose_worker_dies_every_time_is_a_failed_row_and_the_study_goes_on(small, small_file, tmp_path):
    done = run(small, small_file, tmp_path, fault="kill:20")
    assert done.returncode == 1
    lost, fine = trained(tmp_path).loc["C1_N20"], trained(tmp_path).loc["C1_N60"]
    assert (lost.status, lost.stop_reason, lost.attempt) == ("failed", "worker_lost", 3)
    assert pd.isna(lost.test_hit_at_5)
    assert fine.status == "completed"


@pytest.mark.slow
def test_a_trial_without_memory_is_a_failed_row_that_says_oom(small, small_file, tmp_path):
    assert run(small, small_file, tmp_path, fault="oom:20").returncode == 1
    row = trained(tmp_path).loc["C1_N20"]
    assert (row.status, row.stop_reason) == ("failed", "oom")
    assert trained(tmp_path).loc["C1_N60"].status == "completed"


@pytest.mark.slow
def test_a_loss_that_is_not_finite_is_a_diverged_row_that_names_the_step(small, small_file, tmp_path):
    assert run(small, small_file, tmp_path, "--set", "fixed.learning_rate=1.0e25").returncode == 1
    found = trained(tmp_path)
    assert set(found.status) == {"diverged"} and set(found.stop_reason) == {"nan"}
    assert found.error.str.contains("at step [0-9]+ of 24").all()


def can_mount() -> bool:
    line = ["unshare", "-m", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"]
    return shutil.which("unshare") is not None and subprocess.run(line, capture_output=True).returncode == 0


def mounted(out: Path, options: str, then: str = "") -> tuple[str, ...]:
    """What makes the command after it see `out` as a file system of its own, filled with what is there."""
    script = (
        f'set -e; keep=$(mktemp -d); cp -a "{out}/." "$keep"; mount -t tmpfs -o {options} tmpfs "{out}"; '
        f'cp -a "$keep/." "{out}" || true; {then} set +e; "$@"; status=$?; '
        f'mount -o remount,rw,size=1g "{out}" && cp -a "{out}/." "$keep"; umount "{out}"; '
        f'cp -a "$keep/." "{out}"; rm -rf "$keep"; exit $status'
    )
    return ("unshare", "-m", "sh", "-c", script, "sh")


needs_mount = pytest.mark.skipif(not can_mount(), reason="no rights to mount a small file system here")


@pytest.mark.slow
@needs_mount
def test_a_full_disk_stops_the_study_and_nothing_on_it_is_torn(small, small_file, sound, tmp_path):
    stopped = run(small, small_file, tmp_path, before=mounted(tmp_path, "size=100k"))
    assert stopped.returncode == 2
    assert "No space left on device" in stopped.stderr and "--resume" in stopped.stderr
    assert stopped.stderr.count("\n") == 1, stopped.stderr
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in written if path.name.startswith(".") and path.name != ".lock"]
    for part in (path for path in written if path.suffix == ".parquet"):
        pd.read_parquet(part)
    assert run(small, small_file, tmp_path, "--resume").returncode == 0
    assert (
        rows(tmp_path).set_index("trial_id").test_mrr.to_dict() == rows(sound).set_index("trial_id").test_mrr.to_dict()
    )


@needs_mount
def test_a_read_only_study_is_refused_in_one_sentence(small, small_file, copy):
    more = ("--resume", "--set", "replicates=2")
    read_only = mounted(copy, "size=50m", then=f'mount -o remount,ro "{copy}";')
    refused = run(small, small_file, copy, *more, before=read_only)
    assert refused.returncode == 2
    assert "Read-only file system" in refused.stderr and refused.stderr.count("\n") == 1
    assert run(small, small_file, copy, *more).returncode == 0


@pytest.mark.parametrize("damage", ["cut", "foreign", "other trial", "no ranks"])
def test_a_damaged_record_is_named_set_aside_and_its_trial_runs_again(damage, small, small_file, sound, copy):
    study = copy / "s"
    table = {"cut": "curves", "foreign": "trials", "other trial": "ranks", "no ranks": "ranks"}[damage]
    victim = trained(copy).trial_id["C1_N60"]
    part = study / table / f"{victim}.parquet"
    if damage == "cut":
        os.truncate(part, 300)
    elif damage == "foreign":
        pd.DataFrame({"x": [1]}).to_parquet(part := study / table / "mine.parquet")
    elif damage == "other trial":
        shutil.copy(study / table / f"{rows(copy).trial_id[0]}.parquet", part)
    else:
        part.unlink()
    if damage in ("cut", "foreign"):
        report = subprocess.run(
            [sys.executable, "-m", "study.report", str(study)], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert report.returncode == 2
        assert table in report.stderr and "--resume" in report.stderr and report.stderr.count("\n") == 1
    before = rows_by_id(copy) if damage != "foreign" else rows_by_id(sound)
    done = run(small, small_file, copy, "--resume")
    assert done.returncode == 0, done.stderr
    assert (part.name in done.stdout or victim in done.stdout) and "set_aside" in done.stdout
    after = rows_by_id(copy)
    again = {key for key in before if before[key] != after[key]}
    assert again == (set() if damage == "foreign" else {victim})
    assert list((study / "set_aside").rglob("*.parquet"))
    pd.testing.assert_frame_equal(ranks(copy), ranks(sound))


def rows_by_id(out: Path) -> dict:
    return rows(out).set_index("trial_id").finished_at.to_dict()


def ranks(out: Path) -> pd.DataFrame:
    return pd.read_parquet(out / "s" / "ranks").sort_values(["trial_id", "split", "query_id"]).reset_index(drop=True)


def test_another_corpus_is_never_mixed_in(small, small_file, copy, tmp_path):
    with np.load(small_file) as archive:
        np.savez(tmp_path / "other.npz", vectors=archive["vectors"][:-40], chain_ids=archive["chain_ids"][:-40])
    before = rows_by_id(copy)
    refused = run(small, str(tmp_path / "other.npz"), copy, "--resume")
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1
    assert "corpus" in refused.stderr
    assert rows_by_id(copy) == before
