"""Find how much of its context a model uses: what it loses when the oldest vectors are replaced by random ones."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t

from study.analysis import mrmc
from study.analysis.equivalence import MARGIN
from study.analysis.holm import LEVEL, holm
from study.analysis.load import KEY, StudyRecords, arm_of
from study.analysis.units import Units
from study.analysis.verdicts import CANNOT_TELL, Verdict

COLUMNS = [
    *KEY, "num_kept", "hit_at_5", "low", "high", "loss", "loss_low", "loss_high", "p_excess", "num_replicates",
    "num_queries", "num_chains",
]  # fmt: skip


@dataclass(frozen=True)
class EffectiveContext:
    """How many of a cell's newest vectors its model uses.

    least: the fewest vectors without a loss that is shown to exceed a point. most: the fewest from which on such a loss
    is excluded, at most the whole context. Both go along the lengths, one after another, up to the first that fails, so
    that they hold for all lengths at once without a correction (fixed sequences: Maurer, Hothorn and Lehmacher, 1995).
    loss: of keeping `least`, with its interval. all_but_one: of keeping the newest vector alone. is_nominal: whether
    that one is shown to do, at every N at once (Holm): more context is then more only in name.
    """

    context_length: int
    num_sequences: int
    least: int
    most: int
    loss: tuple[float, float, float]
    all_but_one: tuple[float, float, float]
    is_nominal: bool


def context_use_table(study: StudyRecords, arm: str = "") -> pd.DataFrame:
    """Return a row for each cell of the largest C and each number of newest vectors kept.

    loss: Hit@5 with the whole context minus hit_at_5, paired on documents and replicates. p_excess: the one-sided
    p-value of "the loss is a point or more". Intervals are 95 % ones; with too few test documents there are none.
    Empty if no trial measured it.
    """
    confirm, use = study.measured("confirm"), study.context_use
    confirm = confirm[confirm.trial_id.isin(use.trial_id) & (confirm.cell_id.map(arm_of) == arm)]
    use = use[use.trial_id.isin(confirm.trial_id)]
    rows = [row for key, trials in confirm.groupby(KEY) for row in _rows(key, trials, use)]
    return pd.DataFrame(rows, columns=COLUMNS)


def effective_contexts(table: pd.DataFrame) -> list[EffectiveContext]:
    """Return what each cell of a table uses, by N; nothing where there are no intervals to tell."""
    table = table.dropna(subset=["loss_low"]).sort_values(["num_sequences", "num_kept"])
    cells = [cell for _, cell in table.groupby("num_sequences")]
    enough = holm(np.array([cell.p_excess.iloc[0] for cell in cells])) < LEVEL
    return [_effective(cell, bool(one)) for cell, one in zip(cells, enough, strict=True)]


def _rows(key: tuple, trials: pd.DataFrame, use: pd.DataFrame) -> list[dict]:
    """Return the rows of one cell."""
    hits, chain_ids = _hits(trials, use)
    units = Units.of(chain_ids, np.zeros_like(chain_ids))
    whole, rows = hits[max(hits)], []
    for num_kept, values in hits.items():
        row = {"context_length": int(key[0]), "num_sequences": int(key[1]), "cell_id": key[2], "num_kept": num_kept}
        row["hit_at_5"] = float(values.mean())
        row |= {"loss": float(whole.mean() - values.mean()), "num_replicates": len(values)}
        row |= {"num_queries": len(chain_ids), "num_chains": units.num_documents}
        if units.speak_of_documents:
            row["low"], row["high"] = mrmc.mean(values, units).interval
            loss = mrmc.difference(whole, values, units)
            row |= {"loss_low": loss.low, "loss_high": loss.high, "p_excess": _p_excess(loss)}
        rows.append(row)
    return rows


def _p_excess(loss: mrmc.Estimate) -> float:
    """Return the one-sided p-value of a loss of a point or more."""
    if loss.variance == 0:
        return float(loss.value >= MARGIN)
    return float(t.cdf((loss.value - MARGIN) / np.sqrt(loss.variance), loss.df))


def _hits(trials: pd.DataFrame, use: pd.DataFrame) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """Return Hit@5 by number of vectors kept, [R, Q], and each query's document, [Q].

    Records have means over each document's queries. Each query gets its document's mean, which is all that intervals
    over documents need.
    """
    hits: dict[int, np.ndarray] = {}
    for num_kept, part in use.groupby("num_kept"):
        by_trial = part.pivot(index="trial_id", columns="chain_id", values="hit_at_5").loc[trials.trial_id]
        counts = part.drop_duplicates("chain_id").set_index("chain_id").num_queries.loc[by_trial.columns]
        hits[int(num_kept)] = np.repeat(by_trial.to_numpy(), counts, axis=1)
    return hits, np.repeat(by_trial.columns.to_numpy(), counts)


def _effective(cell: pd.DataFrame, one_is_enough: bool) -> EffectiveContext:
    """Return what one cell uses. cell: its rows, fewest vectors first; the last has no loss."""
    least = cell[cell.loss_low <= MARGIN].iloc[0]
    kept_too_few = np.flatnonzero(cell.loss_high > MARGIN)
    most = cell.iloc[kept_too_few[-1] + 1 if len(kept_too_few) else 0]
    one = cell.iloc[0]
    return EffectiveContext(
        context_length=int(one.context_length),
        num_sequences=int(one.num_sequences),
        least=int(least.num_kept),
        most=int(most.num_kept),
        loss=(least.loss, least.loss_low, least.loss_high),
        all_but_one=(one.loss, one.loss_low, one.loss_high),
        is_nominal=one_is_enough and most.num_kept == 1,
    )


def use_verdict(table: pd.DataFrame) -> Verdict:
    """Return how much of the largest context the models of all N use. table: as `context_use_table` returns it."""
    question = ("context-use", "How much of the context does the model use?")
    found, whole = effective_contexts(table), int(table.num_kept.max())
    if not found:
        documents = int(table.num_chains.iloc[0])
        return Verdict(*question, CANNOT_TELL, f"{documents} test documents are too few for an interval")
    least, most = min(cell.least for cell in found), max(cell.most for cell in found)
    answer = CANNOT_TELL
    if most < whole:
        answer = f"at most {most:,} of {whole:,} vectors"
    elif least > 1:
        answer = f"at least {least:,} of {whole:,} vectors"
    if nominal := [f"{cell.num_sequences:,}" for cell in found if cell.is_nominal]:
        answer += f"; the C axis is nominal at N={', '.join(nominal)}"
    evidence = "; ".join(_costs(cell, whole) for cell in found)
    return Verdict(*question, answer, f"{evidence}; a loss of 1 point is tolerated")


def _costs(cell: EffectiveContext, whole: int) -> str:
    """Return how many vectors are enough in a cell, and what it loses without the others, in points."""
    enough = f"{cell.least:,}" if cell.least == cell.most else f"between {cell.least:,} and {cell.most:,}"
    losses = {1: cell.all_but_one} | ({cell.least: cell.loss} if cell.least < whole else {})
    costs = [f"the oldest {whole - kept:,} costs {_points(*loss)}" for kept, loss in losses.items()]
    return f"at N={cell.num_sequences:,} {enough} are enough: replacing {', '.join(costs)} points"


def _points(value: float, low: float, high: float) -> str:
    return f"{100 * value:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
