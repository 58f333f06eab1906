"""Refuse records that are incomplete, and name what is missing: a report never fills gaps with zeros."""

import pandas as pd

from lvm_core.errors import InputError
from study.analysis.load import StudyRecords
from study.records.columns import PLAIN, STAGES, STATUSES


def require_complete(study: StudyRecords) -> None:
    """Raise InputError unless every trial that counts has its figures, its ranks and its curve.

    A study that is still running passes: a trial's row is written last.
    """
    unknown = sorted(set(study.trials.status.dropna()) - set(STATUSES)) + sorted(
        set(study.trials.stage.dropna()) - set(STAGES)
    )
    if unknown or study.trials[["trial_id", "stage", "status"]].isna().any(axis=None):
        raise InputError(
            f"every trial must have an id, a valid stage and a valid status, but {study.location}/trials has "
            f"{', '.join(unknown) or 'rows that lack one'}. Read the study with the version that wrote it."
        )
    for column in ("trial_id", "cell_id", "model"):
        odd = [name for name in study.trials[column].dropna().unique() if not PLAIN.fullmatch(name)]
        if odd:
            raise InputError(
                f"a {column} must be letters, digits, spaces and . _ + = % -, but {study.location}/trials has "
                f"{odd[0][:40]!r}. Use records that this tool wrote."
            )
    confirm = study.completed("confirm")
    _require_all(study, "test ranks", confirm.trial_id, study.ranks[study.ranks.split == "test"].trial_id, "ranks")
    _require_all(
        study,
        "test ranks",
        study.measured("baseline").trial_id,
        study.ranks[study.ranks.split == "test"].trial_id,
        "ranks",
    )
    _require_all(study, "a curve", confirm.trial_id, study.curves.trial_id, "curves")
    measured_use = confirm[confirm.num_kept_lengths.notna()]
    _require_all(study, "its use of context", measured_use.trial_id, study.context_use.trial_id, "context_use")
    _require_figures(study, confirm, ["test_hit_at_5", "val_hit_at_5", "pool_size", "chance_hit_at_5", "config"])
    _require_figures(study, study.measured("search"), ["val_hit_at_5", "config"])


def _require_figures(study: StudyRecords, trials: pd.DataFrame, names: list[str]) -> None:
    empty = trials[trials[names].isna().any(axis=1)]
    if len(empty):
        raise InputError(
            f"a completed trial must have {', '.join(names)}, but {empty.trial_id.iloc[0]} in {study.location}/trials "
            "lacks some of them. Move its file away, then repeat the trial with --resume."
        )


def _require_all(study: StudyRecords, what: str, wanted, found, folder: str) -> None:
    lacking = sorted(set(wanted) - set(found))
    if lacking:
        raise InputError(
            f"every completed trial must have {what}, but {len(lacking)} of {len(wanted)} have none in "
            f"{study.location}/{folder}, such as {lacking[0]}. Restore the folder, or move their files in trials/ away "
            "and repeat the trials with --resume."
        )
