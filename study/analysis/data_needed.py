"""Find the number of training sequences that a Hit@5 needs, by the fitted law, or say why none can be given."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from study.analysis.law import Law

BEYOND = 10  # times the largest measured N: nothing is projected further
NUM_SIZES = 400  # of the grid on which a law is inverted
UNLIMITED = 1e4  # ln N at which every law has reached its limit


@dataclass(frozen=True)
class DataNeeded:
    """The N at which Hit@5 reaches a value at one context, with its 95 % interval.

    num_sequences: null where it is refused, with the reason in `refusal`. high: infinite where it is not reached within
    ten times the largest measured N. at_most: the smallest measured N has it already. projection: no such N was
    measured.
    """

    context_length: int
    hit_at_5: float
    num_sequences: float | None = None
    low: float | None = None
    high: float | None = None
    at_most: bool = False
    projection: bool = False
    refusal: str | None = None


def data_needed(law: Law, context_length: int, hit_at_5: float, oracle: float | None = None) -> DataNeeded:
    """Return the N that a Hit@5 needs at one context, by the law; its interval covers the other tenable laws' answers.

    oracle: the best possible Hit@5 there, where it is known. Refused are a law that does not fit, a Hit@5 above the
    oracle or above what the law reaches with any N, and an N of more than ten times the largest measured one.
    """
    asked = DataNeeded(context_length, hit_at_5)
    if reason := _refusal(law, asked, oracle):
        return replace(asked, refusal=reason)
    sizes = np.geomspace(law.hit_map.num_sequences.min(), BEYOND * law.hit_map.num_sequences.max(), NUM_SIZES)
    contexts = np.full(NUM_SIZES, context_length)
    value, *drawn = first_reaching(sizes, law.predict(contexts, sizes), hit_at_5)
    if np.isinf(value):
        return replace(
            asked,
            refusal=f"Hit@5 = {hit_at_5:.3f} at C={context_length:,} needs more than {sizes[-1]:,.0f} sequences by the "
            f"law, {BEYOND} times the largest measured N: too far to project",
        )
    others = first_reaching(sizes, np.stack([fit.predict(contexts, sizes) for fit in law.tenable]), hit_at_5)
    low, high = np.quantile(drawn, [0.025, 0.975], method="nearest")  # some draws may be infinite
    return replace(
        asked,
        num_sequences=float(value),
        low=float(min(low, *others)),
        high=float(max(high, *others)),
        at_most=bool(value <= sizes[0]),
        projection=bool(value > law.hit_map.num_sequences.max()),
    )


def data_needed_table(law: Law, targets: dict[str, dict[int, float]], oracles: dict[int, float]) -> pd.DataFrame:
    """Return one row for each target and context. targets: by name, Hit@5 by context. oracles: by context."""
    rows = []
    for name, by_context in targets.items():
        for context, hit in by_context.items():
            rows.append({"target": name} | vars(data_needed(law, context, hit, oracles.get(context))))
    return pd.DataFrame(rows, columns=["target", *DataNeeded.__dataclass_fields__])


def first_reaching(sizes: np.ndarray, hits: np.ndarray, wanted: float) -> np.ndarray:
    """Return the least size at which each row reaches a value, linear in ln N between sizes; infinite if none does.

    sizes: [S] ascending. hits: [B, S]. Returns [B], the smallest size where it is reached there already.
    """
    reached = hits >= wanted
    first = reached.argmax(1)
    found = np.where(reached.any(1), sizes[first], np.inf)
    rows = np.flatnonzero(first > 0)
    after = first[rows]
    below, above = hits[rows, after - 1], hits[rows, after]
    part = (wanted - below) / (above - below)
    found[rows] = np.exp(np.log(sizes[after - 1]) + part * np.log(sizes[after] / sizes[after - 1]))
    return found


def _refusal(law: Law, asked: DataNeeded, oracle: float | None) -> str | None:
    where = f"Hit@5 = {asked.hit_at_5:.3f} at C={asked.context_length:,}"
    if not law.fits_the_data:
        return f"no law fits the map (misfit p = {law.misfit_p:.3f}), and so none says what {where} needs"
    if oracle is not None and asked.hit_at_5 > oracle:
        return f"{where} lies above the oracle's {oracle:.3f}: no model can be expected to reach it"
    top, *drawn = _most(law, asked.context_length)
    if asked.hit_at_5 >= top:
        low, high = np.percentile(drawn, [2.5, 97.5])
        return f"{where} lies above what the law reaches with any N, {top:.3f} [{low:.3f}, {high:.3f}]"
    return None


def _most(law: Law, context_length: int) -> np.ndarray:
    """Return the largest Hit@5 of the law and its refits at a context, at the smallest N or beyond. [1 + B]."""
    axes = law.chosen.axes.at(np.array([context_length]), law.hit_map.num_sequences.min())
    thetas = np.vstack([law.chosen.theta, law.refits])
    limits = law.chosen.form.predict(thetas, replace(axes, x=np.array([UNLIMITED])))[:, 0]
    return np.maximum(limits, law.chosen.form.predict(thetas, axes)[:, 0])
