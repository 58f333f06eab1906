"""Test whether the effect of N on Hit@5 depends on C: additivity of the two, in points and on the logit."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from study.analysis.hit_map import HitMap
from study.analysis.holm import LEVEL
from study.analysis.intervals import interval
from study.analysis.law import CannotTell
from study.analysis.verdict import CANNOT_TELL, Verdict, agreed

MIN_REPLICATES = 2
SCALES = {"points": "in points", "logit": "on the logit"}
SHOWN = "the effect of N depends on C"


@dataclass(frozen=True, eq=False)
class Interaction:
    """What a map shows. p_value: of "additive", by scale. num_contrasts: that a map without interaction sets to 0.

    largest: C and N of the cell that deviates most from additivity, in units of noise, and by how much in Hit@5.

    corners: one row: the effect of N, from the smallest to the largest, at the shortest and at the longest context, and
    the second minus the first, with its interval; empty if one of the four cells is missing.
    """

    p_value: dict[str, float]
    num_contrasts: int
    largest: tuple[int, int, float]
    corners: pd.DataFrame

    @property
    def is_shown(self) -> bool:
        """Whether C and N are additive on neither scale: one scale alone can be a matter of the scale."""
        return max(self.p_value.values()) < LEVEL

    @property
    def is_on_one_scale(self) -> bool:
        return not self.is_shown and min(self.p_value.values()) < LEVEL

    def table(self) -> pd.DataFrame:
        """Return one row a scale."""
        rows = [(scale, p, self.num_contrasts) for scale, p in self.p_value.items()]
        return pd.DataFrame(rows, columns=["scale", "p_value", "num_contrasts"])


def interaction_verdict(tuned: HitMap, common: HitMap | None) -> Verdict:
    """Answer from the tuned map, and from the map at one configuration, where there is one: both must agree."""
    found = _verdict(tuned)
    return found if common is None else agreed(found, _verdict(common))


def _verdict(hit_map: HitMap) -> Verdict:
    question = ("interaction", "Does the effect of N depend on C?")
    try:
        found = interaction(hit_map)
    except CannotTell as reason:
        return Verdict(*question, CANNOT_TELL, str(reason))
    if found.is_shown:
        answer = f"{SHOWN} (p = {max(found.p_value.values()):.3f})"
        return Verdict(*question, answer, _evidence(found), claim=SHOWN)
    if found.is_on_one_scale:
        return Verdict(*question, f"{CANNOT_TELL}: it does on one scale alone", _evidence(found))
    return Verdict(*question, "no interaction shown", _evidence(found))


def _evidence(found: Interaction) -> str:
    tests = ", ".join(f"p = {p:.3f} {SCALES[scale]}" for scale, p in found.p_value.items())
    context, size, deviation = found.largest
    where = f"the largest deviation is {deviation:+.3f} at C={context:,}, N={size:,}"
    return "; ".join([f"additivity of C and N has {tests}", where, *map(_corner, found.corners.itertuples())])


def _corner(row) -> str:
    return (
        f"from N={row.from_sequences:,} to {row.to_sequences:,} Hit@5 changes by {row.effect_at_shortest:+.3f} at "
        f"C={row.from_context:,} and {row.effect_at_longest:+.3f} at C={row.to_context:,}, a difference of "
        f"{row.difference:+.3f} [{row.low:+.3f}, {row.high:+.3f}]"
    )


def interaction(hit_map: HitMap) -> Interaction:
    """Test additivity on both scales.

    Raises: CannotTell with fewer than 2 replicates, or where no two contexts share two sizes N.
    """
    if hit_map.num_replicates.min() < MIN_REPLICATES:
        raise CannotTell(
            f"an interaction of C and N needs at least {MIN_REPLICATES} replicates in every cell, found "
            f"{hit_map.num_replicates.min()}"
        )
    residuals = _without_main_effects(hit_map)
    num_contrasts = round(np.trace(residuals))
    if num_contrasts == 0:
        raise CannotTell("an interaction of C and N needs two contexts that share two sizes N")
    contrasts = _contrasts(hit_map, residuals)
    p_value = {scale: _p_value(*_on_scale(hit_map, scale), contrasts) for scale in SCALES}
    return Interaction(p_value, num_contrasts, _largest(hit_map, residuals), _corners(hit_map))


def _without_main_effects(hit_map: HitMap) -> np.ndarray:
    """Return the projection that leaves what effects of C and of N alone cannot explain. [K, K]."""
    dummies = [axis[:, None] == np.unique(axis) for axis in (hit_map.context_length, hit_map.num_sequences)]
    design = np.hstack(dummies).astype(float)
    return np.eye(len(design)) - design @ np.linalg.pinv(design)


def _contrasts(hit_map: HitMap, residuals: np.ndarray) -> np.ndarray:
    """Return every cell's residual, and a slope in ln N that changes steadily with ln C. [K + 1, K]."""
    log_n, log_c = np.log(hit_map.num_sequences), np.log(hit_map.context_length)
    steady = residuals @ ((log_n - log_n.mean()) * (log_c - log_c.mean()))
    return np.vstack([residuals, steady])


def _on_scale(hit_map: HitMap, scale: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells and the draws of their noise on a scale. [K], [B, K]."""
    if scale == "points":
        return hit_map.mean, hit_map.deviations
    edge = 0.5 / hit_map.num_queries  # half a hit: a cell without hits has no logit
    mean, drawn = (np.clip(values, edge, 1 - edge) for values in (hit_map.mean, hit_map.resampled))
    found = np.log(mean / (1 - mean))
    return found, np.log(drawn / (1 - drawn)) - found


def _p_value(values: np.ndarray, noise: np.ndarray, contrasts: np.ndarray) -> float:
    """Return the p-value of the largest contrast, in units of its noise, among the largest of the draws."""
    drawn = noise @ contrasts.T
    spread = drawn.std(0)
    varies = spread > 1e-9 * max(1e-12, float(np.abs(noise).max()))
    found = np.abs(contrasts[varies] @ values / spread[varies]).max()
    largest = np.abs(drawn[:, varies] / spread[varies]).max(1)
    return float((1 + (largest >= found).sum()) / (1 + len(largest)))


def _largest(hit_map: HitMap, residuals: np.ndarray) -> tuple[int, int, float]:
    found, noise = residuals @ hit_map.mean, (hit_map.deviations @ residuals).std(0)
    cell = int(np.argmax(np.abs(found) / np.maximum(noise, 1e-12)))
    return int(hit_map.context_length[cell]), int(hit_map.num_sequences[cell]), float(found[cell])


def _corners(hit_map: HitMap) -> pd.DataFrame:
    contexts, sizes = (np.unique(axis)[[0, -1]] for axis in (hit_map.context_length, hit_map.num_sequences))
    cell = hit_map.index
    if any((c, n) not in cell for c in contexts for n in sizes):
        return pd.DataFrame()
    mean, noise = hit_map.mean, hit_map.deviations
    short, long = ((cell[c, sizes[0]], cell[c, sizes[1]]) for c in contexts)
    value = (mean[long[1]] - mean[long[0]]) - (mean[short[1]] - mean[short[0]])
    drawn = (noise[:, long[1]] - noise[:, long[0]]) - (noise[:, short[1]] - noise[:, short[0]])
    low, high = interval(value + drawn)
    row = {
        "from_context": contexts[0], "to_context": contexts[1], "from_sequences": sizes[0], "to_sequences": sizes[1],
        "effect_at_shortest": mean[short[1]] - mean[short[0]], "effect_at_longest": mean[long[1]] - mean[long[0]],
        "difference": value, "low": low, "high": high,
    }  # fmt: skip
    return pd.DataFrame([row])
