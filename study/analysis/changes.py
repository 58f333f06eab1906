"""Scan a map for changes in N, bends and steps, that a smooth law does not explain, to first order about its fit."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from study.analysis.hit_map import HitMap
from study.analysis.law_fit import Fit
from study.analysis.law_misfit import tangent_basis, weight_of
from study.analysis.simultaneous import max_p_value

NUM_PLACES = 13  # of a bend, between the second size and the last but one
PLACE_LEVEL = 0.05  # a place stays in the interval unless it is rejected at this level
NUM_DRAWS = 600  # of the noise
STEP = 1e-5  # of the finite difference


@dataclass(frozen=True, eq=False)
class Candidates:
    """The changes that a grid of sizes can tell apart. kind: [M] `bend` or `step`. low, high: [M] the N between which
    each lies. at_border: [M] whether it cannot be told from a change beyond. sizes: [S] of the grid.

    A bend in the first or the last gap only moves one size, wherever in the gap it lies, as a step there does. So these
    are one candidate at each border. place: [M] ln N of bends, and of the smaller side of steps.
    """

    kind: np.ndarray
    low: np.ndarray
    high: np.ndarray
    at_border: np.ndarray
    place: np.ndarray

    @classmethod
    def of(cls, sizes: np.ndarray) -> "Candidates":
        """Return the candidates of at least four sizes in order."""
        log_n = np.log(sizes)
        bends = np.linspace(log_n[1], log_n[-2], NUM_PLACES)
        low, high = np.exp(bends), np.exp(bends)
        low[0], high[-1] = sizes[0], sizes[-1]
        inner = np.arange(1, len(sizes) - 2)
        border = np.isin(np.arange(NUM_PLACES), (0, NUM_PLACES - 1))
        return cls(
            np.r_[["bend"] * NUM_PLACES, ["step"] * len(inner)],
            np.r_[low, sizes[inner]],
            np.r_[high, sizes[inner + 1]],
            np.r_[border, np.zeros(len(inner), bool)],
            np.r_[bends, log_n[inner]],
        )

    def patterns(self, log_n: np.ndarray) -> np.ndarray:
        """Return what each change adds: a bend to the exponent's line, a step to the score. [K] -> [K, M]."""
        past = log_n[:, None] - self.place
        return np.where(self.kind == "bend", np.maximum(0.0, past), past > 1e-9)

    def near(self, size: float, factor: float) -> np.ndarray:
        """Mark the changes that may lie within a factor of a size. [M] bool."""
        return (self.low < size * factor * 1.001) & (self.high > size / factor / 1.001)

    def inside(self, size: float, factor: float) -> np.ndarray:
        """Mark the changes that surely lie within a factor of a size. [M] bool."""
        return (self.low >= size / factor / 1.001) & (self.high <= size * factor * 1.001) & ~self.at_border


@dataclass(frozen=True, eq=False)
class Scan:
    """How well each change explains what a law leaves, in all contexts or in one.

    columns: [K, M] each change's direction, without what law and nuisance explain. left: [K] what they leave of the
    map. noise: [B, K] what they leave of the draws. effect: [M] Hit@5 per unit of a step.
    """

    candidates: Candidates
    columns: np.ndarray
    left: np.ndarray
    noise: np.ndarray
    effect: np.ndarray

    @cached_property
    def scores(self) -> tuple[np.ndarray, np.ndarray]:
        """The scores of the map [M] and of the noise [B, M]."""
        return self.left @ self.columns, self.noise @ self.columns

    @cached_property
    def _size(self) -> np.ndarray:
        return np.maximum((self.columns**2).sum(0), 1e-12)

    @cached_property
    def best(self) -> int:
        """The change that explains most."""
        return int(np.argmax(self.scores[0] ** 2 / self._size))

    @property
    def p_value(self) -> float:
        """Of "no change anywhere": the largest |t| over all places and kinds, compared with that of each draw.

        The place exists only under the alternative. Source: Hansen, Econometrica 64 (1996).
        """
        return max_p_value(*self.scores)

    @property
    def effects(self) -> tuple[np.ndarray, np.ndarray]:
        """Each step alone, in Hit@5: estimates [M] and their noise [B, M]; without a meaning for bends."""
        value, noise = self.scores
        return value / self._size * self.effect, noise / self._size * self.effect

    @cached_property
    def tenable(self) -> np.ndarray:
        """Mark the changes that are not rejected as the true one, by a likelihood ratio against the best. [M] bool."""
        value, noise = self.scores
        gram = self.columns.T @ self.columns
        gains = value**2 / self._size
        found = gains.max() - gains
        kept = np.zeros(len(value), bool)
        for m, size in enumerate(value / self._size):
            drawn = (noise + size * gram[m]) ** 2 / self._size  # [B, M], were m the true change
            kept[m] = ((drawn.max(1) - drawn[:, m]) >= found[m]).mean() >= PLACE_LEVEL
        kept[self.best] = True
        return kept

    @property
    def misfit_p(self) -> float:
        """The probability of residuals as large as those that the best change leaves, were it the only one."""
        column = self.columns[:, self.best] / np.sqrt(self._size[self.best])
        found, drawn = (values - np.multiply.outer(values @ column, column) for values in (self.left, self.noise))
        return float((1 + ((drawn**2).sum(1) >= (found**2).sum()).sum()) / (1 + len(drawn)))


def scan(fitted: Fit, hit_map: HitMap, context: int | None = None, sharp: bool = False) -> Scan:
    """Scan for one change in all contexts alike, or in one context alone.

    sharp: every context may have its own level and slope beside the law, and this one its own curvature, so that a
    misfit in C, an interaction or a bent curve in one context is no change in N: only a sharp one is left to find.
    """
    rate = fitted.form.predict(fitted.theta, fitted.axes)
    root = np.sqrt(weight_of(hit_map) / (rate * (1 - rate)))
    slope, bends = (  # d Hit@5 / d score, and by a x, [K]
        (fitted.form.predict(fitted.theta, fitted.axes, **{name: STEP}) - rate) / STEP for name in ("shift", "shift_n")
    )
    rows = hit_map.context_length[:, None] == np.unique(hit_map.context_length)  # [K, C]
    row = np.ones(len(rate), bool) if context is None else hit_map.context_length == context
    x = fitted.axes.x[:, None]
    own = np.hstack([rows, rows * x, row[:, None] * x**2]) if sharp else np.zeros((len(rate), 0))
    basis = _orthonormal(np.hstack([tangent_basis(fitted, root), own * (slope * root)[:, None]]))
    candidates = Candidates.of(np.unique(hit_map.num_sequences).astype(float))
    derivative = np.where(candidates.kind == "step", slope[:, None], bends[:, None])
    columns = candidates.patterns(np.log(hit_map.num_sequences)) * derivative * (row * root)[:, None]
    columns, left, noise = (
        values - basis @ (basis.T @ values)
        for values in (columns, (hit_map.mean - rate) * root, (hit_map.deviations[:NUM_DRAWS] * root).T)
    )
    return Scan(candidates, columns, left, noise.T, _typical(slope, hit_map, row, candidates))


def _orthonormal(columns: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of columns, some of which may be combinations of others. [K, n] -> [K, r]."""
    found = np.linalg.svd(columns / np.maximum(np.linalg.norm(columns, axis=0), 1e-12), full_matrices=False)
    return found.U[:, found.S / found.S[0] > 1e-6]


def _typical(slope: np.ndarray, hit_map: HitMap, row: np.ndarray, candidates: Candidates) -> np.ndarray:
    """Return the mean derivative of Hit@5 at the sizes nearest each change. [M]."""
    slope, log_n = slope[row], np.log(hit_map.num_sequences[row])
    middle = (np.log(candidates.low) + np.log(candidates.high)) / 2
    sizes = np.unique(log_n)
    nearest = sizes[np.abs(sizes[:, None] - middle).argmin(0)]
    return np.array([slope[log_n == size].mean() for size in nearest])
