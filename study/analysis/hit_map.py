"""Hold the map as arrays: Hit@5 of every cell and run, with draws of its noise that all laws and verdicts share."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from study.analysis.cells import per_query
from study.analysis.joint import Noise
from study.analysis.load import StudyRecords
from study.analysis.search_noise import SearchNoise, search_noise
from study.analysis.units import Units

NUM_RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class HitMap:
    """Hit@5 of K cells, sorted by C and N, on the same Q queries.

    context_length, num_sequences: [K]. runs: K arrays [R] of each replicate's Hit@5. resampled: [B, K] the means plus
    draws of their noise (documents, replicates, search). units: what varies independently. floor: chance Hit@5.
    search: what the search adds to a cell's noise; None where no second map shows it.
    """

    context_length: np.ndarray
    num_sequences: np.ndarray
    runs: tuple[np.ndarray, ...]
    resampled: np.ndarray
    num_queries: int
    units: Units
    floor: float
    search: SearchNoise | None = None

    @classmethod
    def of_hits(
        cls,
        cells: list[tuple[int, int]],
        hits: Sequence[np.ndarray],
        units: Units,
        floor: float,
        seed: int = 0,
        search: SearchNoise | None = None,
    ) -> "HitMap":
        """Build from each cell's (C, N) and its hits [R, Q], and the queries' units."""
        order = sorted(range(len(cells)), key=lambda k: cells[k])
        sorted_hits = [np.asarray(hits[k], float) for k in order]
        context, size = np.array([cells[k] for k in order]).T
        noise = Noise.of(sorted_hits, size.tolist(), units)
        if search is not None:
            noise = replace(noise, search=search.variance, search_df=search.df)
        means = np.array([values.mean() for values in sorted_hits])
        drawn = noise.draw(np.random.default_rng([seed, 1]), NUM_RESAMPLES)
        return cls(
            context_length=context,
            num_sequences=size,
            runs=tuple(values.mean(1) for values in sorted_hits),
            resampled=np.clip(means + drawn, 0.0, 1.0),
            num_queries=len(units.of_query),
            units=units,
            floor=floor,
            search=search,
        )

    @classmethod
    def of_study(cls, study: StudyRecords, arm: str = "") -> "HitMap | None":
        """Build from the completed confirm trials of one arm; None if there are none."""
        groups = study.by_cell(arm)
        if not groups:
            return None
        hits = [per_query(study, trials.trial_id.tolist()) for trials in groups.values()]
        cells = [(int(key[0]), int(key[1])) for key in groups]
        floor, units = float(study.measured("confirm").chance_hit_at_5.iloc[0]), hits[0][1]
        return cls.of_hits(cells, [h for h, _ in hits], units, floor, search=search_noise(study, arm))

    @property
    def mean(self) -> np.ndarray:
        """Hit@5 of each cell. [K]."""
        return np.array([run.mean() for run in self.runs])

    @property
    def num_replicates(self) -> np.ndarray:
        return np.array([len(run) for run in self.runs])

    @cached_property
    def index(self) -> dict[tuple[int, int], int]:
        """The number of each cell, by (C, N)."""
        return {key: k for k, key in enumerate(zip(self.context_length, self.num_sequences, strict=True))}

    @property
    def num_chains(self) -> int:
        return self.units.num_documents

    @property
    def deviations(self) -> np.ndarray:
        """Draws of the noise in the map. [B, K]."""
        return self.resampled - self.mean

    def keep(self, kept: np.ndarray) -> "HitMap":
        """Return a map of the kept cells alone. kept: [K] bool."""
        return replace(
            self,
            context_length=self.context_length[kept],
            num_sequences=self.num_sequences[kept],
            runs=tuple(run for run, keep in zip(self.runs, kept, strict=True) if keep),
            resampled=self.resampled[:, kept],
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
