"""Write the search as Optuna studies, in one journal file that `optuna-dashboard` opens."""

import json
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from study.analysis.load import StudyRecords
from study.records.manifest import Params, RecordedDomain
from study.search.standings import win_rates
from study.trial.outcome import Outcome, recorded_outcomes


def optuna_journal(study: StudyRecords) -> bytes | None:
    """Return the journal, rebuilt from the records; None if nothing was searched.

    The Optuna study `<study>` has the list: one trial a candidate, whose value is its score over the cells, with its
    validation Hit@5 in each cell as attributes. The Optuna studies `<study>/<cell>` have the candidates' trials in each
    cell. Pruned trials stay pruned; diverged and failed ones are failed. Intermediate values are validation Hit@5 by
    evaluation. A second round, on other data, is left out.
    """
    search = study.listed
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

        def add(name: str, metric: str, trials: list) -> None:
            made = optuna.create_study(study_name=name, storage=storage, direction="maximize")
            made.set_metric_names([metric])
            made.add_trials(trials)

        if study.manifest.candidates:  # studies of older versions have a list in each cell
            add(study.manifest.study, "share of the other candidates beaten, mean over cells", _listed(study, domains))
        for cell, trials in search.sort_values(["started_at", "trial_id"]).groupby("cell_id"):
            rows = [_trial(study, row, domains) for row in trials.itertuples()]
            add(f"{study.manifest.study}/{cell}", "validation Hit@5", rows)
        return path.read_bytes()


def _listed(study: StudyRecords, domains: dict[str, RecordedDomain]) -> list:
    """Return each candidate that any cell has tried as an Optuna trial."""
    from optuna.trial import create_trial

    candidates = study.manifest.candidates
    cells: dict[str, list[Outcome | None]] = {}
    for outcome in recorded_outcomes(study.listed, study.curves).values():
        own = cells.setdefault(outcome.cell_id, [None] * len(candidates))
        if (params := _searched(outcome.config, domains)) in candidates:
            own[candidates.index(params)] = outcome
    scores = np.mean([win_rates(own) for own in cells.values()], axis=0)
    distributions = {name: _distribution(domain) for name, domain in domains.items()}
    return [
        create_trial(value=float(score), params=params, distributions=distributions, user_attrs=attributes)
        for score, params, attributes in zip(scores, candidates, map(dict, _reached(cells)), strict=True)
        if attributes
    ]


def _reached(cells: dict[str, list[Outcome | None]]) -> Iterator[Iterator[tuple[str, str]]]:
    """Yield, for each candidate, how it ended in each cell that tried it."""
    for own in zip(*cells.values(), strict=True):
        ended = dict(zip(cells, own, strict=True))
        yield (
            (cell, f"{'-' if outcome.value is None else f'{outcome.value:.4f}'} {outcome.status}")
            for cell, outcome in sorted(ended.items())
            if outcome is not None
        )


def _searched(config: str, domains: dict[str, RecordedDomain]) -> Params:
    values = json.loads(config)
    return {name: values[name] for name in domains}


def _trial(study: StudyRecords, row, domains: dict[str, RecordedDomain]):
    """Return a recorded trial as an Optuna trial."""
    from optuna.trial import TrialState, create_trial

    state = {"completed": TrialState.COMPLETE, "pruned": TrialState.PRUNED}.get(row.status, TrialState.FAIL)
    curve = study.curves[study.curves.trial_id == row.trial_id]
    trial = create_trial(
        state=state,
        value=float(row.val_hit_at_5) if state == TrialState.COMPLETE else None,
        params=_searched(row.config, domains),
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
