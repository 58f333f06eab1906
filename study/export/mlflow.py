"""Write every trial as an MLflow run: its configuration, figures and curve."""

import json

import pandas as pd

from lvm_core.errors import InputError
from study.analysis.load import StudyRecords

FIGURES = [
    f"{part}_{name}" for part in ("val", "test") for name in ("hit_at_1", "hit_at_5", "hit_at_10", "mrr", "cosine")
]
TAGS = (
    "trial_id",
    "stage",
    "status",
    "stop_reason",
    "cell_id",
    "corpus_fingerprint",
    "split_fingerprint",
    "code_version",
)
ENDS = {"completed": "FINISHED", "pruned": "KILLED"}  # every other status: FAILED
BATCH = 1000  # metrics per call, MLflow's limit


def write_mlflow(study: StudyRecords, uri: str) -> int:
    """Write the study as one experiment and return the number of new runs. Existing runs are kept.

    Raises: InputError if MLflow is missing, or if the tracking store fails.
    """
    try:
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient
    except ImportError as error:
        raise InputError(
            "--mlflow needs the package mlflow-skinny, which is not installed. Run pip install 'lvm-study[mlflow]'."
        ) from error
    try:
        client, name = MlflowClient(tracking_uri=uri), study.manifest.study
        found = client.get_experiment_by_name(name)
        experiment = client.create_experiment(name) if found is None else found.experiment_id
        missing = study.trials[
            (study.trials.status != "infeasible") & ~study.trials.trial_id.isin(_known(client, experiment))
        ]
        for trial in missing.to_dict("records"):
            _write(client, experiment, study, trial)
        return len(missing)
    except MlflowException as error:
        raise InputError(f"--mlflow must name a writable tracking store, but got {uri}: {error}") from error


def _known(client, experiment: str) -> set[str]:
    """Return the ids of the trials that already have a run."""
    known, token = set(), None
    while True:
        page = client.search_runs([experiment], page_token=token)
        known |= {run.data.tags.get("trial_id") for run in page}
        token = page.token
        if not token:
            return known


def _write(client, experiment: str, study: StudyRecords, trial: dict) -> None:
    from mlflow.entities import Metric, Param

    tags = {name: str(trial[name]) for name in TAGS if pd.notna(trial[name])}
    run = client.create_run(experiment, run_name=f"{trial['cell_id']}-{trial['stage']}-{trial['trial_id']}", tags=tags)
    config = json.loads(trial["config"]) if isinstance(trial["config"], str) else {}
    cell = {name: trial[name] for name in ("model", "context_length", "num_sequences", "replicate", "pool_size")}
    params = {name: str(value) for name, value in (config | cell).items() if value is not None and value == value}
    metrics = [Metric(name, float(trial[name]), 0, 0) for name in FIGURES if pd.notna(trial[name])]
    metrics += _curve(study, trial["trial_id"])
    client.log_batch(run.info.run_id, params=[Param(name, value) for name, value in params.items()])
    for start in range(0, len(metrics), BATCH):
        client.log_batch(run.info.run_id, metrics=metrics[start : start + BATCH])
    client.set_terminated(run.info.run_id, ENDS.get(trial["status"], "FAILED"))


def _curve(study: StudyRecords, trial_id: str) -> list:
    from mlflow.entities import Metric

    curve = study.curves[study.curves.trial_id == trial_id].drop(columns=["trial_id", "eval_index"])
    return [
        Metric(f"curve_{name}", float(value), 0, int(row["step"]))
        for row in curve.to_dict("records")
        for name, value in row.items()
        if name != "step" and pd.notna(value)
    ]
