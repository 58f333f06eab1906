"""Hold the map as arrays: Hit@5 of every cell and run, with resamples that all laws and verdicts share."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from study.analysis.cells import per_query
from study.analysis.intervals import Resampler, draws
from study.analysis.load import KEY, StudyRecords

NUM_RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class HitMap:
    """Hit@5 of K cells, sorted by C and N, on the same Q queries.

    context_length, num_sequences: [K]. runs: K arrays [R] of each replicate's Hit@5. resampled: [B, K] cell means over
    resampled documents (the same in every cell) and replicates (drawn per cell). floor: chance Hit@5.
    """

    context_length: np.ndarray
    num_sequences: np.ndarray
    runs: tuple[np.ndarray, ...]
    resampled: np.ndarray
    num_queries: int
    num_chains: int
    floor: float

    @classmethod
    def of_hits(
        cls, cells: list[tuple[int, int]], hits: list[np.ndarray], chain_ids: np.ndarray, floor: float, seed: int = 0
    ) -> "HitMap":
        """Build from each cell's (C, N) and its hits [R, Q], and each query's document [Q]."""
        order = sorted(range(len(cells)), key=lambda k: cells[k])
        sorted_hits = [np.asarray(hits[k], float) for k in order]
        resampler = Resampler.for_chains(chain_ids, seed, NUM_RESAMPLES)
        context, size = np.array([cells[k] for k in order]).T
        return cls(
            context_length=context,
            num_sequences=size,
            runs=tuple(values.mean(1) for values in sorted_hits),
            resampled=_resampled(resampler, sorted_hits),
            num_queries=len(chain_ids),
            num_chains=resampler.weights.shape[1],
            floor=floor,
        )

    @classmethod
    def of_study(cls, study: StudyRecords, arm: str = "") -> "HitMap | None":
        """Build from the completed confirm trials of one arm; None if there are none."""
        confirm = study.measured("confirm")
        groups = [(key, trials) for key, trials in confirm.groupby(KEY) if arm_of(key[2]) == arm]
        if not groups:
            return None
        hits = [per_query(study, trials.trial_id.tolist()) for _, trials in groups]
        cells = [(int(key[0]), int(key[1])) for key, _ in groups]
        return cls.of_hits(cells, [h for h, _ in hits], hits[0][1], float(confirm.chance_hit_at_5.iloc[0]))

    @property
    def mean(self) -> np.ndarray:
        """Hit@5 of each cell. [K]."""
        return np.array([run.mean() for run in self.runs])

    @property
    def num_replicates(self) -> np.ndarray:
        return np.array([len(run) for run in self.runs])

    @property
    def deviations(self) -> np.ndarray:
        """Resampled means minus the means: draws of the noise in the map. [B, K]."""
        return self.resampled - self.mean

    def keep(self, kept: np.ndarray) -> "HitMap":
        """Return a map of the kept cells alone. kept: [K] bool."""
        return HitMap(
            self.context_length[kept],
            self.num_sequences[kept],
            tuple(run for run, keep in zip(self.runs, kept, strict=True) if keep),
            self.resampled[:, kept],
            self.num_queries,
            self.num_chains,
            self.floor,
        )

    def table(self) -> pd.DataFrame:
        """Return the cells with their Hit@5."""
        return pd.DataFrame(
            {
                "context_length": self.context_length,
                "num_sequences": self.num_sequences,
                "num_replicates": self.num_replicates,
                "hit_at_5": self.mean,
            }
        )


def arm_of(cell_id: str) -> str:
    """Return the arm in a cell id: `C4_N500_alpha0.05` -> `alpha0.05`; empty in a study without arms."""
    return "_".join(cell_id.split("_")[2:])


def arms_of(study: StudyRecords) -> list[str]:
    """Return the arms of a study's confirmed cells; one empty name if it has no arms."""
    return sorted({arm_of(cell) for cell in study.measured("confirm").cell_id})


def _resampled(resampler: Resampler, hits: list[np.ndarray]) -> np.ndarray:
    run_means = resampler.run_means(np.concatenate(hits))  # [B, all runs]
    rng = np.random.default_rng([resampler.seed, 1])
    columns, start = [], 0
    for values in hits:
        share = draws(rng, len(values), resampler.num_resamples)
        part = run_means[:, start : start + len(values)]
        columns.append((part * share).sum(1) / share.sum(1))
        start += len(values)
    return np.stack(columns, axis=1)
