"""Test from which N on training is stable: replicates differ by little, and each of them learned."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import chi2

from study.analysis.cells import per_query
from study.analysis.holm import LEVEL, holm
from study.analysis.load import StudyRecords

SD_BOUND = 0.02  # two points of Hit@5 between replicates
SD_BOUNDS = (0.01, 0.02, 0.03)
MIN_RUNS = 29  # none of which collapsed: that a tenth of them collapses is rejected at 5 %


@dataclass(frozen=True, eq=False)
class Stability:
    """What the replicates show at each N, all contexts together. sizes, sd, df: [S], with the root mean square of the
    standard deviations over the contexts. sound: [S] no replicate collapsed, and each improved on its first evaluation.
    num_runs: [S] replicates.
    """

    sizes: np.ndarray
    sd: np.ndarray
    df: np.ndarray
    sound: np.ndarray
    num_runs: np.ndarray

    @property
    def holds(self) -> np.ndarray:
        """Where the measured standard deviation is within the bound. [S] bool."""
        return self.within(SD_BOUND)

    def within(self, bound: float) -> np.ndarray:
        """Where the measured standard deviation is within a bound. [S] bool."""
        return self.sound & (self.sd <= bound)

    @property
    def is_shown(self) -> np.ndarray:
        """Where a true standard deviation above the bound is rejected, and enough replicates did not collapse. [S].

        Tested from the largest N down to the first that fails, which needs no adjustment.
        """
        sound_from_there = np.logical_and.accumulate(self.sound[::-1])[::-1]
        enough = self.num_runs[sound_from_there].sum() >= MIN_RUNS
        return self.sound & (chi2.cdf(self._statistic, self.df) < LEVEL) & enough

    @property
    def is_refuted(self) -> np.ndarray:
        """Where a true standard deviation within the bound is rejected, by Holm over the sizes. [S] bool."""
        return ~self.sound | (holm(chi2.sf(self._statistic, self.df)) < LEVEL)

    @property
    def _statistic(self) -> np.ndarray:
        return self.df * (self.sd / SD_BOUND) ** 2


def stability(study: StudyRecords, trials: pd.DataFrame) -> Stability | None:
    """Return the stability of confirm trials; None unless every N has a cell with two replicates or more."""
    ids = trials.trial_id.tolist()
    trials = trials.assign(hit=per_query(study, ids)[0].mean(1), learned=[_learned(study, i) for i in ids])
    cells = trials.groupby(["num_sequences", "context_length"]).hit.agg(["var", "size"])
    cells = cells.assign(df=cells["size"] - 1, total=(cells["size"] - 1) * cells["var"].fillna(0.0))
    by_size = cells.groupby("num_sequences")[["df", "total"]].sum()
    if by_size.empty or (by_size.df == 0).any():
        return None
    collapsed = study.collapsed[study.collapsed.cell_id.isin(trials.cell_id)]
    learned = trials.groupby("num_sequences").learned.all()
    sound = learned & ~learned.index.isin(collapsed.num_sequences)
    sd = np.sqrt(by_size.total / by_size.df)
    num_runs = cells.groupby("num_sequences")["size"].sum()
    return Stability(*(part.to_numpy() for part in (by_size.index.astype(float), sd, by_size.df, sound, num_runs)))


def _learned(study: StudyRecords, trial_id: str) -> bool:
    """Return whether a trial improved on its first evaluation."""
    curve = study.curve(trial_id)
    return bool(curve.val_hit_at_5.max() > curve.val_hit_at_5.iloc[0])
