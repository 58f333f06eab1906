"""Whole small studies on real Ray: every number follows from the ranks; nothing is lost or repeated."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from lvm_core.checkpoint import load_model
from lvm_core.errors import InputError
from lvm_core.ranks import hit_at_k, reciprocal_rank
from study.analysis.load import load_study
from study.driver.session import RunOptions, ray_session
from tests.studies import ROOT, command, complete, identity, sorted_ranks


@pytest.fixture(scope="module")
def tables(finished) -> dict[str, pd.DataFrame]:
    return {name: pd.read_parquet(finished[0] / name) for name in ("trials", "curves", "ranks")}


def test_the_map_and_the_best_configurations_are_printed_and_ray_is_silent(finished):
    output = finished[1]
    assert "test Hit@5 and its 95 % interval" in output
    assert "100 queries in" in output and "2 replicates per cell" in output
    assert "overall: C" in output and "context_ema" in output and "ridge" in output
    for noise in ("ray", "WARNING", "tune", "Traceback"):
        assert noise not in output.replace(str(finished[0]), "").replace("arrays", "")


def test_every_cell_was_searched_confirmed_and_compared(tables):
    trials = tables["trials"]
    assert trials.trial_id.is_unique
    assert set(trials.status) <= {"completed", "pruned"}
    by_stage = trials.groupby("stage").cell_id.value_counts()
    listed = trials[(trials.stage == "search") & (trials.replicate == 0)]
    assert listed.groupby("cell_id").config.apply(set).map(sorted).astype(str).nunique() == 1, "one list for all cells"
    for cell in ("C1_N20", "C1_N60", "C4_N20", "C4_N60"):
        assert (listed.cell_id == cell).sum() == 4
        assert by_stage["confirm"][cell] in (2, 4)
        assert by_stage["baseline"][cell] == 4  # ridge and nearest window, two replicates
    assert by_stage["baseline"]["C1"] == 3


def test_only_search_trials_are_pruned(tables):
    trials = tables["trials"]
    assert (trials.status == "pruned").any()
    assert set(trials[trials.status == "pruned"].stage) == {"search"}


def test_the_default_recipe_is_in_every_cell_and_search_never_sees_test(tables):
    search = tables["trials"][tables["trials"].stage == "search"]
    default = search[(search.learning_rate == 1e-2) & (search.alpha == 0.03)]
    assert set(default.cell_id) == set(search.cell_id)
    assert search.test_hit_at_5.isna().all()
    ranks = tables["ranks"].merge(search[["trial_id"]])
    assert set(ranks["split"]) == {"validation"}


def test_confirm_runs_fresh_replicates_of_the_tuned_and_the_common_configuration_each_once(finished, tables):
    trials = tables["trials"]
    chosen = json.loads((finished[0] / "manifest.json").read_text())["chosen"]
    for cell, confirm in trials[trials.stage == "confirm"].groupby("cell_id"):
        params = [chosen["tuned"][cell], chosen["common"][cell]]
        found = [json.loads(config) for config in confirm.config]
        pairs = {
            (str({key: one[key] for key in params[0]}), rep) for one, rep in zip(found, confirm.replicate, strict=True)
        }
        assert len(confirm) == len(pairs) and pairs == {(str(one), replicate) for one in params for replicate in (1, 2)}
        assert not set(confirm.seed) & set(trials[trials.stage == "search"].seed)
    assert len({str(params) for params in chosen["common"].values()}) == 1


def test_the_tuned_configuration_won_the_second_round_among_those_that_the_list_nominated(finished, tables):
    trials = tables["trials"].assign(params=[str_of(config) for config in tables["trials"].config])
    chosen = json.loads((finished[0] / "manifest.json").read_text())["chosen"]
    search = trials[(trials.stage == "search") & (trials.status == "completed")]
    best = search[search.replicate == 0].sort_values(["val_hit_at_5", "trial_id"], ascending=[False, True])
    best = best.drop_duplicates("cell_id").set_index("cell_id").params
    beside = {"C1_N20": ["C1_N60", "C4_N20"], "C4_N60": ["C4_N20", "C1_N60"]}
    for cell, near in beside.items():
        nominated = {best[cell], str_of(json.dumps(chosen["common"][cell])), *(best[one] for one in near)}
        second = trials[(trials.stage == "search") & (trials.replicate == -1) & (trials.cell_id == cell)]
        assert set(second.params) == (nominated if len(nominated) > 1 else set())
        won = second[second.status == "completed"].sort_values("val_hit_at_5").params.tail(1).tolist() or [*nominated]
        assert str_of(json.dumps(chosen["tuned"][cell])) == won[0]


def str_of(config: str) -> str:
    """Return the searched values of a configuration as text."""
    values = json.loads(config)
    return str([values.get(key) for key in ("learning_rate", "alpha")])


def test_pandas_reproduces_every_figure_of_the_trials_from_the_ranks_alone(tables):
    ranks, trials = tables["ranks"], tables["trials"].set_index("trial_id")
    checked = 0
    for (trial_id, split), group in ranks.groupby(["trial_id", "split"]):
        prefix = {"validation": "val", "test": "test"}[split]
        for k in (1, 5, 10):
            hit = hit_at_k(group["rank"], group.num_ties, k).mean()
            assert trials.loc[trial_id, f"{prefix}_hit_at_{k}"] == pytest.approx(hit, abs=1e-12)
        mrr = reciprocal_rank(group["rank"], group.num_ties).mean()
        assert trials.loc[trial_id, f"{prefix}_mrr"] == pytest.approx(mrr, abs=1e-12)
        checked += 1
    recorded = trials.val_hit_at_5.notna().sum() + trials.test_hit_at_5.notna().sum()
    assert checked == recorded


def test_every_trial_was_judged_on_the_same_queries_against_the_same_pool(tables):
    for _, part in tables["ranks"].groupby("split"):
        queries = part.groupby("trial_id").query_id.apply(tuple)
        assert queries.nunique() == 1
    assert tables["trials"].pool_size.nunique() == 1
    assert tables["trials"].num_negatives.dropna().nunique() == 1


def test_the_best_evaluation_of_the_curve_is_the_one_recorded(tables):
    trials = tables["trials"].set_index("trial_id")
    for trial_id, curve in tables["curves"].groupby("trial_id"):
        curve = curve.sort_values("eval_index")
        assert curve.eval_index.tolist() == list(range(1, len(curve) + 1))
        best = curve.val_hit_at_5.idxmax()
        assert curve.loc[best, "eval_index"] == trials.loc[trial_id, "best_eval"]
        assert curve.val_hit_at_5.max() == trials.loc[trial_id, "val_hit_at_5"]
        assert curve.step.max() == trials.loc[trial_id, "num_steps"]


def test_the_manifest_records_how_the_study_was_measured(finished):
    manifest = json.loads((finished[0] / "manifest.json").read_text())
    assert manifest["split"]["audit"]["num_leaked_vectors"] == 0
    assert manifest["split"]["near_copies"]["num_test"] == 0
    assert manifest["runs"][0]["ended"] == "done"
    assert manifest["wall_s"] > 0 and manifest["cpu_s"] > 0
    for key in (
        "question",
        "protocol",
        "command",
        "seed",
        "space",
        "corpus",
        "versions",
        "hardware",
        "trainer_version",
    ):
        assert manifest[key] is not None
    assert str(Path.home()) not in json.dumps(manifest["space"])


def test_checkpoints_are_kept_for_confirm_trials_only_and_load(finished, tables):
    kept = {path.name for path in (finished[0] / "checkpoints").iterdir()}
    trials = tables["trials"]
    assert kept == set(trials[trials.stage == "confirm"].trial_id)
    model, facts = load_model(finished[0] / "checkpoints" / kept.pop())
    assert facts["training"]["batch_size"] == 16
    assert model.num_parameters() == trials.num_parameters.dropna().iloc[0]


def test_report_and_best_are_rebuilt_from_the_records(finished):
    best = subprocess.run(
        [sys.executable, "-m", "study.best", str(finished[0]), "--json"], cwd=ROOT, capture_output=True, check=True
    )
    assert json.loads(best.stdout) == json.loads((finished[0] / "report" / "best_configs.json").read_text())
    before = (finished[0] / "report" / "cells.csv").read_text()
    subprocess.run([sys.executable, "-m", "study.report", str(finished[0])], cwd=ROOT, capture_output=True, check=True)
    assert (finished[0] / "report" / "cells.csv").read_text() == before
    report = (finished[0] / "report" / "report.md").read_text()
    assert "## Map" in report and "leak audit: 0 held-out vectors" in report


def wait_for_records(folder: Path, count: int) -> None:
    deadline = time.monotonic() + 90
    while len(list((folder / "trials").glob("*.parquet"))) < count:
        assert time.monotonic() < deadline, "the study wrote no records"
        time.sleep(0.05)


@pytest.mark.slow
def test_a_study_interrupted_again_and_again_ends_with_the_same_trials_none_twice_none_missing(
    finished, space, small_file, tmp_path
):
    expected = len(identity(finished[0]))
    for signal_sent, status, count in ((signal.SIGTERM, 130, 2), (signal.SIGKILL, -9, 9), (signal.SIGINT, 130, 22)):
        again = ("--resume",) if count > 2 else ()
        line = command(space, small_file, tmp_path, "--workers", "2", *again)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen(line, cwd=ROOT, start_new_session=True, **pipes)
        try:
            wait_for_records(tmp_path / "tiny", count)
            family = psutil.Process(process.pid).children(recursive=True) if signal_sent == signal.SIGKILL else []
            workers = [child for child in family if _is_trial_worker(child)]
            for worker in workers:
                worker.suspend()  # it outlives its driver, and writes late
            if signal_sent == signal.SIGINT:
                os.killpg(process.pid, signal_sent)  # Ctrl-C in a terminal reaches Ray's processes too
            else:
                os.kill(process.pid, signal_sent)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
        for worker in workers:
            worker.resume()
        assert psutil.wait_procs(workers, timeout=60)[1] == [], "they must exit by themselves"
        assert process.returncode == status
        if status == 130:
            assert "Continue with:" in err and "--resume" in err
            assert "Traceback" not in err
        assert count <= len(identity(tmp_path / "tiny")) < expected
    complete(space, small_file, tmp_path, "--resume")
    pd.testing.assert_frame_equal(identity(tmp_path / "tiny"), identity(finished[0]))
    pd.testing.assert_frame_equal(sorted_ranks(tmp_path / "tiny"), sorted_ranks(finished[0]))


@pytest.mark.slow
def test_one_worker_that_is_killed_once_gives_the_same_numbers_as_two_workers(finished, space, small_file, tmp_path):
    line = command(space, small_file, tmp_path)
    process = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for_records(tmp_path / "tiny", 5)
    wait_for_worker(process).kill()
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    pd.testing.assert_frame_equal(identity(tmp_path / "tiny"), identity(finished[0]))
    pd.testing.assert_frame_equal(sorted_ranks(tmp_path / "tiny"), sorted_ranks(finished[0]))
    attempts = pd.read_parquet(tmp_path / "tiny" / "trials").attempt
    assert 1 <= (attempts == 2).sum() <= 4  # one trial, or the rest of a job of baselines


def wait_for_worker(driver: subprocess.Popen) -> psutil.Process:
    """Return a process that runs a trial; between two trials there may be none for a moment."""
    for _ in range(600):
        assert driver.poll() is None, "the study ended before a worker was seen"
        for child in psutil.Process(driver.pid).children(recursive=True):
            if _is_trial_worker(child):
                return child
        time.sleep(0.05)
    raise AssertionError("no worker seen in 30 s")


def _is_trial_worker(process: psutil.Process) -> bool:
    try:
        return "train" in " ".join(process.cmdline()) and "ray::" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def test_a_finished_study_is_neither_repeated_nor_mixed_with_another_configuration(finished, space, small_file):
    out = finished[0].parent
    before = {path: path.stat().st_mtime_ns for path in (finished[0] / "trials").iterdir()}
    again = subprocess.run(command(space, small_file, out), cwd=ROOT, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert "the study tiny already exists. Add --resume" in again.stderr
    other = command(space, small_file, out, "--resume", "--set", "fixed.max_steps=30")
    mixed = subprocess.run(other, cwd=ROOT, capture_output=True, text=True, check=False)
    assert mixed.returncode == 2
    assert "exists with space.fixed.max_steps = 24, not 30" in mixed.stderr
    complete(space, small_file, out, "--resume")
    assert {path: path.stat().st_mtime_ns for path in (finished[0] / "trials").iterdir()} == before


def test_two_drivers_never_write_to_one_study(finished, space, small_file):
    import fcntl

    with (finished[0] / ".lock").open() as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        line = command(space, small_file, finished[0].parent, "--resume")
        refused = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "must have one driver, but another process is running tiny" in refused.stderr


@pytest.mark.slow
def test_a_budget_ends_a_study_early_and_missing_replicates_are_reported(space, small_file, tmp_path):
    done = complete(space, small_file, tmp_path, "--budget", "1s")
    study = load_study(str(tmp_path / "tiny"))
    assert len(study.trials) < 40
    assert study.missing_confirm
    assert "not measured: 2 of 2 replicates of" in done.stdout
    complete(space, small_file, tmp_path, "--resume")
    study = load_study(str(tmp_path / "tiny"))
    assert not study.missing_confirm
    confirm = study.trials[study.trials.stage == "confirm"].groupby(["cell_id", "config"])
    assert set(confirm.size()) == {2}
    chosen = study.manifest.chosen
    measured = {(cell, str_of(config)) for cell, config in confirm.groups}
    maps = (chosen.tuned, chosen.common)
    assert measured == {(cell, str_of(json.dumps(params))) for one in maps for cell, params in one.items()}


@pytest.mark.ray
def test_a_record_that_cannot_be_written_stops_the_study_at_once(space, small_file, tmp_path):
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "ranks").write_text("a file where a folder must be")
    line = command(space, small_file, tmp_path)
    stopped = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert stopped.returncode == 2
    assert "ranks" in stopped.stderr and "Fix the cause, then run the same command again" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    started = (tmp_path / "tiny" / "study.log").read_text().count("started search")
    assert started <= 6, "no trial begins after the first record that could not be written"


@pytest.mark.ray
def test_an_unreachable_cluster_is_refused_and_leaves_no_study(space, small_file, tmp_path):
    line = command(space, small_file, tmp_path, "--address", "127.0.0.1:1")
    refused = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert refused.returncode == 2
    assert "the study needs the cluster at 127.0.0.1:1" in refused.stderr
    assert not (tmp_path / "tiny").exists()


@pytest.mark.parametrize("address", ["local", "127.0.0.1:" + "9" * 30])
def test_an_invalid_cluster_address_is_refused_in_one_sentence(address):
    message = r"^(--address must name a running cluster|the study needs the cluster at 127)"
    with pytest.raises(InputError, match=message), ray_session(RunOptions(address)):
        pytest.fail("nothing must be started")


@pytest.mark.slow
def test_arms_without_a_search_confirm_the_fixed_recipe_and_infeasible_cells_are_rows(space, small_file, tmp_path):
    settings = ["search=null", "start=null", "arms={alpha: [0.0, 0.3]}", "fixed.learning_rate=0.01"]
    settings.append("cells.num_sequences=[20, 60, 99999]")
    done = complete(space, small_file, tmp_path, *(word for setting in settings for word in ("--set", setting)))
    trials = pd.read_parquet(tmp_path / "tiny" / "trials")
    rows = trials[trials.status == "infeasible"]
    assert set(rows.cell_id) == {"C1_N99999", "C4_N99999"}, "one row for all arms"
    assert rows.error.str.contains("vectors needed").all()
    assert rows.val_hit_at_5.isna().all()
    assert "infeasible" in done.stdout
    trained = trials.drop(rows.index)
    assert set(trained.stage) == {"baseline", "confirm"}
    confirm = trained[trained.stage == "confirm"]
    assert confirm.groupby("cell_id").size().to_dict() == {
        f"C{c}_N{n}_alpha{a}": 2 for c in (1, 4) for n in (20, 60) for a in (0.0, 0.3)
    }
    assert np.isfinite(confirm.test_hit_at_5).all()
    assert "alpha0.3" in done.stdout
