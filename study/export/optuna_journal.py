"""Write the search of every cell as an Optuna study, in one journal file that `optuna-dashboard` opens."""

import json
import tempfile
import warnings
from pathlib import Path

import pandas as pd

from study.analysis.load import StudyRecords
from study.records.manifest import RecordedDomain


def optuna_journal(study: StudyRecords) -> bytes | None:
    """Return the journal, rebuilt from the records; None if nothing was searched.

    One Optuna study per cell, named `<study>/<cell>`. Pruned trials stay pruned; diverged and failed ones are failed.
    Intermediate values are validation Hit@5 by evaluation.
    """
    search = study.trials[(study.trials.stage == "search") & (study.trials.status != "infeasible")]
    domains = study.manifest.space.search
    if search.empty or not domains:
        return None
    import optuna  # takes a second, which only this export needs
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # journals are experimental
        path = Path(folder) / "journal.log"
        storage = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
        for cell, trials in search.sort_values(["started_at", "trial_id"]).groupby("cell_id"):
            made = optuna.create_study(
                study_name=f"{study.manifest.study}/{cell}", storage=storage, direction="maximize"
            )
            made.set_metric_names(["validation Hit@5"])
            made.add_trials([_trial(study, row, domains) for row in trials.itertuples()])
        return path.read_bytes()


def _trial(study: StudyRecords, row, domains: dict[str, RecordedDomain]):
    """Return a recorded trial as an Optuna trial."""
    from optuna.trial import TrialState, create_trial

    state = {"completed": TrialState.COMPLETE, "pruned": TrialState.PRUNED}.get(row.status, TrialState.FAIL)
    curve = study.curves[study.curves.trial_id == row.trial_id]
    config = json.loads(row.config)
    trial = create_trial(
        state=state,
        value=float(row.val_hit_at_5) if state == TrialState.COMPLETE else None,
        params={name: config[name] for name in domains},
        distributions={name: _distribution(domain) for name, domain in domains.items()},
        intermediate_values=dict(zip(curve.eval_index.astype(int).tolist(), curve.val_hit_at_5.tolist(), strict=True)),
        user_attrs={"trial_id": row.trial_id, "status": row.status, "stop_reason": _text(row.stop_reason)},
    )
    if pd.notna(row.started_at) and pd.notna(row.finished_at):
        trial.datetime_start, trial.datetime_complete = _local(row.started_at), _local(row.finished_at)
    return trial


def _distribution(domain: RecordedDomain):
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if domain.choices:
        return CategoricalDistribution(domain.choices)
    return FloatDistribution(domain.low, domain.high, log=domain.log)


def _local(moment: pd.Timestamp):
    """Return a time as Optuna stores it: local, without a time zone."""
    return moment.to_pydatetime().astimezone().replace(tzinfo=None)


def _text(value) -> str:
    return value if isinstance(value, str) else ""
