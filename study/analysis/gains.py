"""Answer what more data brings: paired differences as measured, and the law's projections with prediction intervals."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t

from study.analysis.hit_map import HitMap
from study.analysis.intervals import interval
from study.analysis.law import CannotTell, Law

FACTORS = (2, 10)  # times the largest measured N
MEASURED = [
    "context_length", "from_sequences", "to_sequences", "factor", "gain", "low", "high", "gain_per_doubling",
]  # fmt: skip
PROJECTED = [
    "context_length", "from_sequences", "to_sequences", "factor", "gain", "low", "high", "hit_at_5", "capped",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Gains:
    """What more data brings on one map. projected: None where the law cannot be projected, for the reason `refusal`."""

    measured: pd.DataFrame
    projected: pd.DataFrame | None
    refusal: str | None


def gains_of(hit_map: HitMap, law: Law | None, no_law: str | None, cells: pd.DataFrame) -> Gains:
    """Return the measured and the projected gains. no_law: why there is none. cells: the map's rows of cells.csv."""
    measured = measured_gains(hit_map)
    if law is None:
        return Gains(measured, None, no_law)
    oracles = cells.dropna(subset="oracle_hit_at_5").groupby("context_length").oracle_hit_at_5.first()
    try:
        return Gains(measured, projected_gains(law, oracles.to_dict()), None)
    except CannotTell as reason:
        return Gains(measured, None, str(reason))


def measured_gains(hit_map: HitMap) -> pd.DataFrame:
    """Return, for every N but the largest, the difference to the measured N nearest to twice as much.

    One row a context, and one for the mean over the contexts that have both (context_length is null).
    gain_per_doubling: the gain divided by the number of doublings between the two.
    """
    cell = hit_map.index
    values, rows = np.vstack([hit_map.mean, hit_map.resampled]), []  # [1 + B, K], the map itself first
    for size, other in _doublings(np.unique(hit_map.num_sequences)):
        contexts = [c for c in np.unique(hit_map.context_length) if (c, size) in cell and (c, other) in cell]
        found = {c: values[:, cell[c, other]] - values[:, cell[c, size]] for c in contexts}
        if len(found) > 1:
            found[None] = np.mean(list(found.values()), axis=0)
        for context, gain in found.items():
            ends = interval(gain[1:])
            rows.append((context, size, other, other / size, gain[0], *ends, gain[0] / np.log2(other / size)))
    return pd.DataFrame(rows, columns=MEASURED).astype({"context_length": "Int64"})


def projected_gains(law: Law, oracles: dict[int, float]) -> pd.DataFrame:
    """Return the law's gain from each context's largest N to twice and ten times it, with 95 % prediction intervals.

    An interval is for the difference of two cells as a study would measure it: the uncertainty of the law's parameters
    and the spread of cells about the law, which contains replicates and the luck of the search; and it reaches to the
    gains of the other tenable laws. One row a context, and one for their mean (context_length is null). oracles: by
    context, where there is one; a projection ends there (capped).

    Raises: CannotTell if the law does not fit the map.
    """
    if not law.fits_the_data:
        raise CannotTell(f"no law fits the map (misfit p = {law.misfit_p:.3f}), and so none can be projected")
    contexts, sizes, measured = largest_sizes(law.hit_map)
    oracle = np.array([oracles.get(int(c), np.inf) for c in contexts])
    now, noise = np.minimum(law.predict(contexts, sizes), oracle), _noise_of_differences(law, len(contexts))
    tables = []
    for factor in FACTORS:
        after = law.predict(contexts, factor * sizes)  # [1 + B, C]
        gains = np.minimum(after, oracle) - now
        others = np.array([_gain_of(fitted.predict, contexts, sizes, factor, oracle) for fitted in law.tenable])
        low, high = np.percentile(_and_mean(gains[1:] + noise), [2.5, 97.5], axis=0)
        above = np.maximum(0.0, oracle - measured)
        room = _and_mean(above)
        table = pd.DataFrame({"gain": _and_mean(np.minimum(gains[0], above))})
        table["low"] = np.minimum(np.minimum(low, _and_mean(others).min(0)), room)
        table["high"] = np.minimum(np.maximum(high, _and_mean(others).max(0)), room)
        table["hit_at_5"] = _and_mean(np.minimum(after[0], oracle))
        table["capped"] = _and_mean(after[0] > oracle) > 0
        table["context_length"] = [*contexts, None][: len(table)]
        table["from_sequences"], table["factor"] = [*sizes, sizes.max()][: len(table)], factor
        tables.append(table)
    found = pd.concat(tables, ignore_index=True).astype({"context_length": "Int64"})
    return found.assign(to_sequences=found.factor * found.from_sequences)[PROJECTED]


def largest_sizes(hit_map: HitMap) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the contexts, the largest measured N of each, and Hit@5 there. [C] each."""
    contexts = np.unique(hit_map.context_length)
    last = [np.flatnonzero(hit_map.context_length == c)[-1] for c in contexts]  # cells are sorted by C and N
    return contexts, hit_map.num_sequences[last], hit_map.mean[last]


def _doublings(sizes: np.ndarray) -> list[tuple[int, int]]:
    """Pair each size with the larger one nearest to twice as much."""
    pairs = []
    for size in sizes[:-1]:
        later = sizes[sizes > size]
        pairs.append((int(size), int(later[np.argmin(np.abs(np.log(later / size) - np.log(2)))])))
    return pairs


def _noise_of_differences(law: Law, num_contexts: int) -> np.ndarray:
    """Return draws of how far the difference of two measured cells lies from the law's. [B, C]."""
    hit_map = law.hit_map
    spare = len(hit_map.mean) - law.chosen.form.num_parameters  # at least 1, or the law could not be fitted
    residual = hit_map.mean - law.chosen.predict(hit_map.context_length, hit_map.num_sequences)
    sd = np.sqrt(2 * (residual**2).sum() / spare)
    return sd * t.rvs(spare, size=(len(law.refits), num_contexts), random_state=np.random.default_rng(0))


def _gain_of(predict, contexts: np.ndarray, sizes: np.ndarray, factor: int, oracle: np.ndarray) -> np.ndarray:
    return np.minimum(predict(contexts, factor * sizes), oracle) - np.minimum(predict(contexts, sizes), oracle)


def _and_mean(values: np.ndarray) -> np.ndarray:
    """Append the mean over contexts, if there are several. [..., C] -> [..., C + 1]."""
    values = np.asarray(values, float)
    return values if values.shape[-1] == 1 else np.concatenate([values, values.mean(-1, keepdims=True)], axis=-1)
