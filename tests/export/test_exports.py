"""Exports of records to other tools: TREC run and qrels, Optuna's journal, TensorBoard, MLflow."""

import json
import sys
from dataclasses import replace

import ir_measures
import numpy as np
import pandas as pd
import pytest
from ir_measures import RR, Success

from lvm_core.errors import InputError
from lvm_core.ranks import hit_at_k, reciprocal_rank
from study.analysis.load import StudyRecords
from study.export.mlflow import write_mlflow
from study.export.optuna_journal import optuna_journal
from study.export.tensorboard import write_tensorboard
from study.export.trec import trec_files
from tests.made_report import TITLE, made_study
from tests.manifests import changed


@pytest.fixture(scope="module")
def study() -> StudyRecords:
    return made_study(num_search=3)


def some(study: StudyRecords, count: int) -> StudyRecords:
    """Return a study with only its first trials, which is fast to write."""
    return StudyRecords(study.location, study.manifest, study.trials.head(count), study.curves, study.ranks)


def test_a_trec_run_gives_the_same_hit_at_k_and_mrr(study, tmp_path):
    ranks = study.ranks[study.ranks.trial_id == "t1"]
    run, qrels, num_tied = trec_files(study, "t1")
    (tmp_path / "run").write_bytes(run)
    (tmp_path / "qrels").write_bytes(qrels)
    found = ir_measures.calc_aggregate(
        [Success @ 1, Success @ 5, Success @ 10, RR @ 1000],
        ir_measures.read_trec_qrels(str(tmp_path / "qrels")),
        ir_measures.read_trec_run(str(tmp_path / "run")),
    )
    assert num_tied == 0
    for k in (1, 5, 10):
        assert found[Success @ k] == pytest.approx(hit_at_k(ranks["rank"], ranks.num_ties, k).mean())
    seen = reciprocal_rank(ranks["rank"], ranks.num_ties) * (ranks["rank"] <= 1000)
    assert found[RR @ 1000] == pytest.approx(seen.mean())


def test_a_tied_target_comes_last_among_its_ties_so_that_hit_at_k_is_not_overstated(study, tmp_path):
    ranks = study.ranks[study.ranks.trial_id == "t1"].head(3).assign(rank=[1, 4, 6], num_ties=[0, 2, 0])
    tied = StudyRecords("x", study.manifest, study.trials, study.curves, ranks)
    run, _, num_tied = trec_files(tied, "t1")
    places = [line.split() for line in run.decode().splitlines() if line.split()[2].startswith("d")]
    assert num_tied == 1
    assert [int(fields[3]) for fields in places] == [1, 6, 6]
    scores = pd.Series([line.split()[4] for line in run.decode().splitlines() if line.startswith(places[1][0] + " ")])
    assert scores.is_unique


def test_a_trial_without_test_ranks_cannot_be_exported(study):
    with pytest.raises(InputError, match="confirm or baseline"):
        trec_files(study, "nothing")


def test_optuna_opens_one_study_per_cell_with_the_recorded_trials(study, tmp_path):
    import optuna
    from optuna.storages.journal import JournalFileBackend

    path = tmp_path / "journal.log"
    path.write_bytes(optuna_journal(study))
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
    names = optuna.study.get_all_study_names(storage)
    assert len(names) == 28
    opened = optuna.load_study(study_name=f"{TITLE}/C4_N500", storage=storage)
    recorded = study.trials[(study.trials.cell_id == "C4_N500") & (study.trials.stage == "search")]
    assert {trial.user_attrs["trial_id"] for trial in opened.trials} == set(recorded.trial_id)
    states = {trial.user_attrs["trial_id"]: trial.state.name for trial in opened.trials}
    expected = {"completed": "COMPLETE", "pruned": "PRUNED"}
    assert all(states[row.trial_id] == expected[row.status] for row in recorded.itertuples())
    first = opened.trials[0]
    curve = study.curve(first.user_attrs["trial_id"])
    assert list(first.intermediate_values.values()) == pytest.approx(curve.val_hit_at_5.tolist())


def test_optuna_opens_the_list_with_one_trial_a_candidate_and_its_score_over_the_cells(study, tmp_path):
    import optuna
    from optuna.storages.journal import JournalFileBackend

    search = study.listed.groupby("cell_id").head(2)
    configs = search.config.iloc[:2].tolist()
    weak = search.groupby("cell_id").cumcount() == 0
    search = search.assign(config=np.where(weak, *configs), status="completed", val_hit_at_5=np.where(weak, 0.1, 0.2))
    again = search.assign(trial_id=search.trial_id + "-again", replicate=-1)
    values = dict(zip(search.trial_id, search.val_hit_at_5, strict=True))
    curves = study.curves[study.curves.trial_id.isin(values)]
    curves = curves.assign(val_hit_at_5=curves.trial_id.map(values))
    candidates = [{name: json.loads(config)[name] for name in ("learning_rate", "alpha")} for config in configs]
    made = changed(study, candidates=[*candidates, {"learning_rate": 0.5, "alpha": 0.5}])
    listed = replace(made, trials=pd.concat([search, again]), curves=curves)
    path = tmp_path / "journal.log"
    path.write_bytes(optuna_journal(listed))
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
    opened = optuna.load_study(study_name=TITLE, storage=storage)
    assert [trial.params for trial in opened.trials] == candidates, "no cell has tried the third"
    assert [trial.value for trial in opened.trials] == [0.5, 1.0], "each beats the third one"
    assert opened.trials[1].user_attrs == dict.fromkeys(search.cell_id, "0.2000 completed")
    assert len(optuna.load_study(study_name=f"{TITLE}/C4_N500", storage=storage).trials) == 2


def test_a_study_without_a_search_has_no_journal(study):
    confirm = study.trials[study.trials.stage == "confirm"]
    assert optuna_journal(StudyRecords("x", study.manifest, confirm, study.curves, study.ranks)) is None


def test_tensorboard_reads_a_trials_curve(study, tmp_path):
    pytest.importorskip("tensorboardX")
    few = some(study, 2)
    assert write_tensorboard(few, str(tmp_path)) == 2
    written = list(tmp_path.rglob("events.out.tfevents*"))
    assert len(written) == 2
    assert all(b"val_hit_at_5" in path.read_bytes() for path in written)


def test_mlflow_gets_one_run_per_trial_and_none_twice(study, tmp_path):
    pytest.importorskip("mlflow", reason="mlflow-skinny is an optional extra")
    from mlflow.tracking import MlflowClient

    uri, few = f"sqlite:///{tmp_path / 'mlflow.db'}", some(study, 3)
    assert write_mlflow(few, uri) == 3
    assert write_mlflow(few, uri) == 0
    client = MlflowClient(tracking_uri=uri)
    runs = client.search_runs([client.get_experiment_by_name(TITLE).experiment_id])
    by_trial = {run.data.tags["trial_id"]: run for run in runs}
    row = few.trials.iloc[0]
    assert by_trial[row.trial_id].data.metrics["test_hit_at_5"] == pytest.approx(row.test_hit_at_5)
    history = client.get_metric_history(by_trial[row.trial_id].info.run_id, "curve_val_hit_at_5")
    assert sorted(point.step for point in history) == few.curve(row.trial_id).step.tolist()


@pytest.mark.parametrize(("module", "write"), [("tensorboardX", write_tensorboard), ("mlflow.tracking", write_mlflow)])
def test_a_missing_tracker_is_refused_with_the_command_that_installs_it(study, tmp_path, monkeypatch, module, write):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, module.split(".")[0], None)
    with pytest.raises(InputError, match="pip install"):
        write(study, str(tmp_path))


def test_scores_in_a_trec_run_fall_with_the_rank(study):
    run, _, _ = trec_files(study, "t1")
    fields = [line.split() for line in run.decode().splitlines()]
    assert all(int(f[3]) + int(f[4]) == 1001 for f in fields)
    assert np.unique([f[1] for f in fields]).tolist() == ["Q0"]
