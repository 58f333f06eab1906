"""Estimate hyperparameter importance from the search trials; pruned trials are censored, not bad."""

import json
import warnings

import numpy as np
import pandas as pd

from study.analysis.intervals import interval
from study.analysis.load import StudyRecords
from study.records.manifest import RecordedDomain

MIN_CONFIGURATIONS = 12
NUM_RESAMPLES = 50
TOP_SHARE = 0.25  # of the trials count as good; Optuna's default of a tenth leaves too few in a small study
COLUMNS = [
    "parameter", "importance", "low", "high", "pruned_as_last_seen", "pruned_as_best", "num_trials", "num_pruned",
]  # fmt: skip


def importance(study: StudyRecords) -> pd.DataFrame:
    """Return the importance of each searched hyperparameter: its share in what separates good trials from the rest.

    Shares add up to 1. All cells are pooled, each trial with its validation Hit@5 minus its cell's mean, so C and N
    explain nothing. A pruned trial has no final value: `importance` takes every trial at the last evaluation that all
    trials of its cell reached, where nothing is censored, with a 95 % interval from resampled configurations, because
    all cells try the same ones. Two bounds use final values: they take pruned trials at the best value seen before the
    pruning, and at their cell's best.
    Source of the measure: PED-ANOVA (Watanabe et al., IJCAI 2023), as in Optuna.

    Empty with fewer than 12 configurations, or fewer than two searched hyperparameters.
    """
    trials = _search_trials(study)
    names = list(study.manifest.space.search)
    if trials.candidate.nunique() < MIN_CONFIGURATIONS or len(names) < 2:
        return pd.DataFrame(columns=COLUMNS)
    shares = {kind: _shares(study, trials, kind) for kind in ("at_common", "as_last_seen", "as_best")}
    rng = np.random.default_rng(0)
    drawn = [_shares(study, _redraw(trials, rng), "at_common") for _ in range(NUM_RESAMPLES)]
    rows = []
    for name in names:
        low, high = interval(np.array([share[name] for share in drawn]))
        rows.append(
            (name, shares["at_common"][name], low, high, shares["as_last_seen"][name], shares["as_best"][name],
             len(trials), int((trials.status == "pruned").sum()))
        )  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS).sort_values("importance", ascending=False, ignore_index=True)


def _search_trials(study: StudyRecords) -> pd.DataFrame:
    """Return the trials of the list with their best Hit@5: over all evaluations, and over those common to their cell.

    A second round would count its few finalists twice, with others of the same cell to compare with.
    """
    trials = study.in_order
    search = trials[trials.trial_id.isin(study.listed.trial_id) & trials.status.isin(["completed", "pruned"])]
    names = list(study.manifest.space.search)
    params = [{name: config[name] for name in names} for config in map(json.loads, search.config)]
    search = search[["trial_id", "cell_id", "status"]].assign(params=params, candidate=[str(p) for p in params])
    if search.empty:
        return search
    best = {i: study.curve(i).val_hit_at_5.cummax().to_numpy() for i in search.trial_id}
    length = search.trial_id.map({i: len(curve) for i, curve in best.items()})
    common = length.groupby(search.cell_id).transform("min")
    return search.assign(
        final=[best[i][-1] for i in search.trial_id],
        at_common=[best[i][n - 1] for i, n in zip(search.trial_id, common, strict=True)],
    )


def _redraw(trials: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Draw as many configurations as there are, with replacement; each brings its trials of all cells."""
    by_candidate = [part for _, part in trials.groupby("candidate")]
    return pd.concat(
        [by_candidate[i] for i in rng.integers(len(by_candidate), size=len(by_candidate))], ignore_index=True
    )


def _shares(study: StudyRecords, trials: pd.DataFrame, kind: str) -> dict[str, float]:
    """Return the importance of each searched hyperparameter, with pruned trials valued in one of three ways."""
    value = trials.at_common if kind == "at_common" else trials.final
    if kind == "as_best":
        best = trials.final.groupby(trials.cell_id).transform("max")
        value = value.where(trials.status != "pruned", best)
    value = value - value.groupby(trials.cell_id).transform("mean")
    return _ped_anova(study.manifest.space.search, trials.params, value)


def _ped_anova(search: dict[str, RecordedDomain], params: pd.Series, values: pd.Series) -> dict[str, float]:
    import optuna  # takes half a second, and nothing else in the analysis needs it
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = {
        name: CategoricalDistribution(domain.choices)
        if domain.choices
        else FloatDistribution(domain.low, domain.high, log=domain.log)
        for name, domain in search.items()
    }
    made = optuna.create_study(direction="maximize")
    made.add_trials(
        optuna.trial.create_trial(
            params={name: config[name] for name in search}, distributions=distributions, value=float(value)
        )
        for config, value in zip(params, values, strict=True)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is experimental, and that equal trials give equal importances
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=TOP_SHARE)
        found = optuna.importance.get_param_importances(made, evaluator=evaluator)
    return {name: float(found.get(name, 0.0)) for name in search}
