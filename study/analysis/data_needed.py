"""Find the number of training sequences that a Hit@5 needs, by the fitted law, or say why none can be given."""

from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

from study.analysis.law import Law

BEYOND = 10  # times the largest measured N: nothing is projected further
BELOW_ORACLE = (5, 2, 1)  # points
STEPS, MAX_ROUND = (0.01, 0.02, 0.05, 0.1, 0.2), 5  # of round values of Hit@5, and how many there may be
NUM_SIZES = 400  # of the grid on which a law is inverted
UNLIMITED = 1e300  # N at which every law has reached its limit


@dataclass(frozen=True)
class DataNeeded:
    """The N at which Hit@5 reaches a value at one context, with its 95 % interval.

    num_sequences: null where it is refused, with the reason in `refusal`. high: infinite where it is not reached within
    ten times the largest measured N. at_most: the smallest measured N has it already. projection: no such N was
    measured. too_far: refused because it would be more than ten times the largest measured N.
    """

    context_length: int
    hit_at_5: float
    num_sequences: float | None = None
    low: float | None = None
    high: float | None = None
    at_most: bool = False
    projection: bool = False
    too_far: bool = False
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
            too_far=True,
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


def data_needed_table(law: Law, cells: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each target and context. cells: the rows of the law's map in cells.csv.

    Targets: the best baseline at the largest N, the oracle minus 5, 2 and 1 points, and round values inside the map.
    """
    rows = []
    for context, own in cells.groupby("context_length"):
        last = own.loc[own.num_sequences.idxmax()]
        oracle = None if pd.isna(last.oracle_hit_at_5) else float(last.oracle_hit_at_5)
        for name, hit in _targets(last.get("baseline_hit_at_5"), oracle, cells.hit_at_5).items():
            rows.append({"target": name} | vars(data_needed(law, int(context), hit, oracle)))
    return pd.DataFrame(rows, columns=["target", *(field.name for field in fields(DataNeeded))])


def _targets(baseline: float | None, oracle: float | None, measured: pd.Series) -> dict[str, float]:
    """Return the values of Hit@5 that are asked for, by name."""
    found = {} if pd.isna(baseline) else {"best baseline": float(baseline)}
    if oracle is not None:
        found |= {f"oracle minus {points}": oracle - points / 100 for points in BELOW_ORACLE}
    step = next(step for step in STEPS if np.ptp(measured) / step <= MAX_ROUND)
    first, last = np.ceil(measured.min() / step), np.floor(measured.max() / step)
    return found | {f"{step * place:.2f}": step * place for place in np.arange(first, last + 1)}


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
    sizes = np.array([law.hit_map.num_sequences.min(), UNLIMITED])
    return law.predict(np.full(2, context_length), sizes).max(1)
