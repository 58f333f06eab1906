"""Read a study's records into one object, and count the trials that enter the estimates and those that do not."""

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, Self

import pandas as pd

from lvm_core.errors import InputError
from study.records.columns import FINALS_REPLICATE, TABLES
from study.records.manifest import Chosen, Manifest, read_manifest
from study.records.store import RecordStore

KEY = ["context_length", "num_sequences", "cell_id"]
TABLE_KEYS = {
    "trials": ["trial_id"],
    "curves": ["trial_id", "eval_index"],
    "ranks": ["trial_id", "split", "query_id"],
    "context_use": ["trial_id", "num_kept", "chain_id"],
}
COLLAPSED = 0.5  # a replicate below this share of its cell's best has collapsed, by validation Hit@5
ABOVE_CHANCE = 4.0  # times chance: what the best must have for a collapse to be one

Configuration = Literal["tuned", "common"]


@dataclass(frozen=True, eq=False)
class StudyRecords:
    """The records of one study, as they were when read, and the map that is looked at.

    configuration: the map that the confirm trials make: each cell's own configuration, or one for all cells.
    trials, curves, ranks, context_use: the tables of study.records.columns. manifest: the study's manifest.
    missing_columns: columns that records of older versions lack (null for them), as `table.column`, with the number of
    trials without them.
    """

    location: str
    manifest: Manifest
    trials: pd.DataFrame
    curves: pd.DataFrame
    ranks: pd.DataFrame
    missing_columns: dict[str, int] = field(default_factory=dict)
    configuration: Configuration = "tuned"
    context_use: pd.DataFrame = field(default_factory=lambda: TABLES["context_use"].empty_table().to_pandas())

    def measured(self, stage: str) -> pd.DataFrame:
        """Return the completed trials of a stage, in order; nothing else enters an estimate.

        Confirm trials: those of this map that did not collapse.
        """
        return self.confirmed[~self._has_collapsed] if stage == "confirm" else self.completed(stage)

    def completed(self, stage: str) -> pd.DataFrame:
        """Return the completed trials of a stage, in order, of both maps."""
        trials = self.in_order
        return trials[(trials.stage == stage) & (trials.status == "completed")]

    @cached_property
    def confirmed(self) -> pd.DataFrame:
        """The completed confirm trials of this map, collapsed ones included."""
        trials = self.completed("confirm")
        if self.manifest.chosen is None:
            return trials
        chosen = getattr(self.manifest.chosen, self.configuration)
        belongs = [_has(row.config, chosen.get(row.cell_id)) for row in trials.itertuples()]
        return trials[pd.Series(belongs, index=trials.index, dtype=bool)]  # a bare empty list would select no columns

    def by_cell(self, arm: str) -> dict[tuple, pd.DataFrame]:
        """Return the confirm trials of one arm of this map by (C, N, cell id), in order."""
        groups = self.measured("confirm").groupby(KEY)
        return {key: trials for key, trials in groups if arm_of(key[2]) == arm}

    @property
    def collapsed(self) -> pd.DataFrame:
        """The confirm trials whose training collapsed. They are counted, and enter no estimate."""
        return self.confirmed[self._has_collapsed]

    @cached_property
    def _has_collapsed(self) -> pd.Series:
        trials = self.confirmed
        best = trials.groupby("cell_id").val_hit_at_5.transform("max")
        return (trials.val_hit_at_5 < COLLAPSED * best) & (best > ABOVE_CHANCE * trials.chance_hit_at_5)

    @cached_property
    def common(self) -> Self | None:
        """The same study with the map at one configuration for all cells; None if it has no such map."""
        found = self.planned_common
        return found if found is not None and len(found.measured("confirm")) else None

    @cached_property
    def planned_common(self) -> Self | None:
        """The same, also where none of its trials is recorded yet; None if the study does not measure such a map."""
        chosen = self.manifest.chosen
        if chosen is None or not chosen.common or self.configuration == "common":
            return None
        found = replace(self, configuration="common")
        vars(found)["test_ranks"] = self.test_ranks  # the same, grouped once
        return found

    @cached_property
    def in_order(self) -> pd.DataFrame:
        """The trials by cell, model, replicate and configuration.

        Replicates are resampled by position: in this order estimates depend on no id, and cells and baselines share
        draws.
        """
        return self.trials.sort_values([*KEY, "model", "replicate", "config"])

    @property
    def num_training_vectors(self) -> int | None:
        """The number of vectors in the training part; None if the manifest lacks it."""
        audit = self.manifest.split.audit
        return None if audit is None else audit.num_train_vectors

    def left_out(self) -> dict[str, int]:
        """Count the trials that enter no estimate of the map, by reason."""
        other = self.trials[~self.trials.trial_id.isin(self.measured("confirm").trial_id)]
        reason = other.status.where(other.status != "completed", other.stage + ", completed")
        reason = reason.mask(other.trial_id.isin(self.collapsed.trial_id), "confirm, collapsed")
        if self.common is not None:
            reason = reason.mask(other.trial_id.isin(self.common.confirmed.trial_id), "at one configuration, confirm")
        return {str(name): int(count) for name, count in reason.value_counts().sort_index().items()}

    @property
    def infeasible(self) -> pd.DataFrame:
        """Rows of the cells that the corpus could not fill."""
        return self.trials[self.trials.status == "infeasible"].sort_values(KEY)

    @property
    def failed(self) -> pd.DataFrame:
        """Rows of the trials that broke off; a search trial that diverged is a result of the search, not a failure."""
        broken = self.trials.status.isin(["failed", "timeout"])
        return self.trials[broken | ((self.trials.status == "diverged") & (self.trials.stage != "search"))]

    @property
    def listed(self) -> pd.DataFrame:
        """The search trials of the list of candidates; those of the second round, on other data, are left out."""
        search = self.trials[(self.trials.stage == "search") & (self.trials.status != "infeasible")]
        return search[search.replicate != FINALS_REPLICATE]

    @property
    def missing_search(self) -> dict[str, int]:
        """The number of candidates tried, for each cell with fewer than requested."""
        if not self.manifest.space.search:
            return {}
        tried = self.listed.groupby("cell_id").size()
        wanted = self.manifest.space.racing.num_samples
        return {cell: int(tried.get(cell, 0)) for cell in self.manifest.cells if tried.get(cell, 0) < wanted}

    def counts(self) -> pd.DataFrame:
        """Count trials by stage (rows) and status (columns)."""
        return pd.crosstab(self.trials.stage, self.trials.status)

    @property
    def missing_confirm(self) -> dict[str, int]:
        """The number of confirm replicates that are still missing, for each cell that lacks some."""
        wanted = self.manifest.space.replicates
        done = self.confirmed.groupby("cell_id").size()
        lacking = {cell: wanted - int(done.get(cell, 0)) for cell in self.manifest.cells}
        return {cell: count for cell, count in lacking.items() if count > 0}

    def curve(self, trial_id: str) -> pd.DataFrame:
        """Return the evaluations of a trial in order. Raises: InputError if they are missing."""
        try:
            return self._curves.get_group(trial_id)
        except KeyError:
            raise InputError(
                f"every trial must have a curve, but the curve of {trial_id} is missing from {self.location}. "
                "Restore the study's curves/ folder."
            ) from None

    @cached_property
    def _curves(self):
        return self.curves.sort_values("eval_index").groupby("trial_id")

    @cached_property
    def test_ranks(self) -> dict[str, pd.DataFrame]:
        """Test ranks by trial, sorted by query."""
        test = self.ranks[self.ranks["split"] == "test"].sort_values("query_id")
        return dict(iter(test.groupby("trial_id")))


def arm_of(cell_id: str) -> str:
    """Return the arm in a cell id: `C4_N500_alpha0.05` -> `alpha0.05`; empty in a study without arms."""
    return "_".join(cell_id.split("_")[2:])


def arms_of(study: StudyRecords) -> list[str]:
    """Return the arms of a study's confirmed cells; one empty name if it has no arms."""
    return sorted({arm_of(cell) for cell in study.measured("confirm").cell_id})


def _has(config: str, values: dict | None) -> bool:
    """Return whether a recorded configuration has these searched values."""
    found = json.loads(config)
    return values is not None and all(found.get(key) == value for key, value in values.items())


def load_study(location: str) -> StudyRecords:
    """Read a study's folder or URI. Raises: InputError if it is not a study."""
    store = RecordStore.at(location)
    manifest = read_manifest(store)
    tables, missing = {}, {}
    for name in TABLES:
        tables[name], lacking = store.read_counting(name)
        missing |= {f"{name}.{column}": count for column, count in lacking.items()}
    return StudyRecords(location, manifest, **tables, missing_columns=missing)


def load_studies(locations: list[str]) -> StudyRecords:
    """Read several studies as one map; a trial that is recorded in more than one counts once.

    Raises: InputError unless all have the same queries, pool and protocol, and chose alike in the cells they share.
    """
    studies = [load_study(location) for location in locations]
    first = studies[0]
    for other in studies[1:]:
        for key, value in _judged_on(first).items():
            if _judged_on(other)[key] != value:
                raise InputError(
                    f"studies can only share one map if they have the same {key}, but {first.location} has {value} and "
                    f"{other.location} {_judged_on(other)[key]}. Run them with the same corpus, seed and largest C."
                )
    tables = {}
    for name, keys in TABLE_KEYS.items():
        tables[name] = pd.concat([getattr(study, name) for study in studies]).drop_duplicates(keys, ignore_index=True)
    together = {
        "study": " + ".join(study.manifest.study for study in studies),
        "cells": list(dict.fromkeys(cell for study in studies for cell in study.manifest.cells)),
        "chosen": _chosen_by(studies),
    }
    manifest = first.manifest.model_copy(update=together)
    return StudyRecords(", ".join(locations), manifest, **tables)


def _chosen_by(studies: list[StudyRecords]) -> Chosen | None:
    """Return the configurations that the studies' maps are made of; every one is a cell's own in an older study.

    In common is what all studies measured at one configuration, if it is the same one.
    """
    choices = [study.manifest.chosen for study in studies]
    if not any(choices):
        return None
    tuned, common = {}, {}
    for study, own in zip(studies, choices, strict=True):
        for cell, values in (own.tuned if own else {key: {} for key in study.manifest.cells}).items():
            if tuned.setdefault(cell, values) != values:
                raise InputError(
                    "studies can only share one map if they measured a cell at one configuration, but "
                    f"{study.location} has {values} in {cell} and another has {tuned[cell]}. Leave one of them out."
                )
        common |= own.common if own else {}
    by_arm = {arm_of(cell): values for cell, values in common.items()}
    is_one = all(own and own.common for own in choices)
    is_one = is_one and all(by_arm[arm_of(cell)] == values for cell, values in common.items())
    return Chosen(tuned=tuned, common=common if is_one else {})


def _judged_on(study: StudyRecords) -> dict:
    """Return what two studies must share for their figures to be compared."""
    split = study.manifest.split
    return {"queries": split.fingerprint, "pool": split.pool_size, "protocol": study.manifest.protocol}
