"""Read the measured variants and rows of a study: their ranks, pools and baselines, never mixed across splits."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lvm_core.ranks import hit_at_k_in_pool
from study.analysis import mrmc
from study.analysis.cells import ORACLE, cells, share, units_of
from study.analysis.intervals import Resampler
from study.analysis.leaks import above_oracle
from study.analysis.load import KEY, StudyRecords
from study.analysis.mrmc import Estimate
from study.analysis.units import Units


@dataclass(frozen=True, eq=False)
class Measured:
    """Trials evaluated on the same queries: the replicates of a cell, or one baseline.

    ranks: one frame per trial, all in the order of the same queries.
    """

    trials: pd.DataFrame
    ranks: tuple[pd.DataFrame, ...]

    @property
    def pool_size(self) -> int:
        return int(self.trials.pool_size.iloc[0])

    @property
    def query_ids(self) -> np.ndarray:
        return self.ranks[0].query_id.to_numpy()

    def hits(self, pool_size: int | None = None, num_replicates: int | None = None) -> np.ndarray:
        """Return Hit@5 of each replicate and query, measured in the pool or expected in a smaller one. [R, Q]."""
        smaller = self.pool_size if pool_size is None else min(pool_size, self.pool_size)
        return np.stack(
            [
                hit_at_k_in_pool(frame["rank"], frame.num_ties, 5, self.pool_size, smaller)
                for frame in self.ranks[:num_replicates]
            ]
        )

    def resampled(self, hits: np.ndarray, seed: int = 0) -> np.ndarray:
        """Return means over resampled documents and replicates. [B]. Equal queries and seed make differences paired."""
        return Resampler.of(self.units, seed).means(hits)

    @property
    def units(self) -> Units:
        return units_of(self.ranks[0])

    def share(self, hits: np.ndarray) -> tuple[float, float, float]:
        """Return the mean of hits [R, Q] with its interval."""
        return share(hits, self.units)


def by_data(study: StudyRecords) -> list[StudyRecords]:
    """Divide a study by split: the trials of each returned study were evaluated on the same queries."""
    known = study.trials[study.trials.status != "infeasible"]
    found = known.split_fingerprint.dropna().unique()
    if len(found) < 2:
        return [study]
    return [replace(study, trials=study.trials[study.trials.split_fingerprint == name]) for name in found]


def is_one_map(study: StudyRecords) -> bool:
    """Return whether all cells were evaluated on the same queries and are set alike but for C, N and arm. Laws and
    paired comparisons between cells mean nothing otherwise.
    """
    named = any(entry.variant or entry.row for entry in study.manifest.variants)
    return not named and len(by_data(study)) == 1


def cells_of_all(study: StudyRecords) -> pd.DataFrame:
    """Return the estimates of every cell, each next to the baselines of its own split."""
    tables = [table for table in map(cells, by_data(study)) if not table.empty]
    return pd.concat(tables).sort_values(KEY, ignore_index=True) if tables else cells(study)


def above_oracle_of_all(study: StudyRecords) -> pd.DataFrame:
    """Return the confirm trials above the oracle of their own split."""
    return pd.concat([above_oracle(part) for part in by_data(study)])


def measured_cells(study: StudyRecords) -> dict[tuple[str | None, str | None], Measured]:
    """Return what was measured of each (variant, row), in the order of the study's file."""
    confirm, found = study.measured("confirm"), {}
    for entry in study.manifest.variants:
        trials = confirm[confirm.cell_id == entry.cell_id]
        if len(trials):
            ranks = tuple(study.test_ranks[trial_id] for trial_id in trials.trial_id)
            found[entry.variant, entry.row] = Measured(trials, ranks)
    return found


def baseline_of(study: StudyRecords, cell: Measured, *, trained: bool) -> Measured | None:
    """Return the best baseline on a cell's split, by validation Hit@5: a fitted one, or one that trains nothing."""
    of_cell, measured = cell.trials.iloc[0], study.measured("baseline")
    fits = measured.num_sequences == of_cell.num_sequences if trained else measured.num_sequences.isna()
    same = (measured.split_fingerprint == of_cell.split_fingerprint) & (measured.protocol == of_cell.protocol)
    usable = measured[same & fits & (measured.context_length == of_cell.context_length) & (measured.model != ORACLE)]
    if usable.empty:
        return None
    best = usable.groupby("model").val_hit_at_5.mean().idxmax()
    trials = usable[usable.model == best]
    return Measured(trials, tuple(study.test_ranks[trial_id] for trial_id in trials.trial_id))


def change(
    before: Measured, after: Measured, pool_size: int | None = None, num_replicates: int | None = None
) -> Estimate:
    """Return the change of Hit@5, paired if both were evaluated on the same queries."""
    first, second = before.hits(pool_size, num_replicates), after.hits(pool_size, num_replicates)
    if np.array_equal(before.query_ids, after.query_ids):
        return mrmc.difference(second, first, after.units, trained=True)
    less, more = mrmc.mean(first, before.units), mrmc.mean(second, after.units)
    return more.minus(less.value).with_noise(less.variance, less.df)


def resampled_change(
    before: Measured, after: Measured, pool_size: int | None = None, num_replicates: int | None = None
) -> np.ndarray:
    """Return resampled values of the change, for shares of it and differences between two. [B]."""
    first, second = before.hits(pool_size, num_replicates), after.hits(pool_size, num_replicates)
    paired = np.array_equal(before.query_ids, after.query_ids)
    return after.resampled(second) - before.resampled(first, seed=0 if paired else 1)
