"""Find how much of its context a model uses: what it loses when the oldest vectors are replaced by random ones."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from study.analysis.hit_map import arm_of
from study.analysis.intervals import LEVEL, Resampler, interval
from study.analysis.load import KEY, StudyRecords

MARGIN = 0.01  # one point of Hit@5: a smaller loss does not count
COLUMNS = [
    *KEY, "num_kept", "hit_at_5", "low", "high", "loss", "loss_low", "loss_high", "num_replicates", "num_queries",
    "num_chains",
]  # fmt: skip


@dataclass(frozen=True)
class EffectiveContext:
    """How many of a cell's newest vectors its model uses.

    least: the fewest vectors from which on no loss of more than a point is shown. most: the fewest from which on a loss
    of more than a point is excluded; the whole context always is. loss, low, high: of keeping `least`. all_but_one: the
    loss of keeping the newest vector alone, with its interval.
    """

    context_length: int
    num_sequences: int
    least: int
    most: int
    loss: tuple[float, float, float]
    all_but_one: tuple[float, float, float]

    @property
    def is_nominal(self) -> bool:
        """Whether the newest vector alone is shown to do: more context is then more only in name."""
        return self.most == 1


def context_use_table(study: StudyRecords, arm: str = "") -> pd.DataFrame:
    """Return a row for each cell of the largest C and each number of newest vectors kept.

    hit_at_5 has a 95 % interval; loss is Hit@5 with the whole context minus that, paired on queries and replicates, and
    its intervals hold for all rows of the table at once (Bonferroni). Empty if no trial measured it.
    """
    confirm = study.measured("confirm")
    confirm = confirm[confirm.trial_id.isin(study.context_use.trial_id) & [arm_of(cell) == arm for cell in confirm.cell_id]]
    kept = study.context_use[study.context_use.trial_id.isin(confirm.trial_id)]
    num_losses = sum(len(set(kept[kept.trial_id.isin(t.trial_id)].num_kept)) - 1 for _, t in confirm.groupby(KEY))
    rows = [row for key, trials in confirm.groupby(KEY) for row in _rows(key, trials, kept, max(1, num_losses))]
    return pd.DataFrame(rows, columns=COLUMNS)


def effective_contexts(table: pd.DataFrame) -> list[EffectiveContext]:
    """Return what each cell of a table uses, by N."""
    return [_effective(cell.sort_values("num_kept")) for _, cell in table.groupby("num_sequences")]


def _rows(key: tuple, trials: pd.DataFrame, kept: pd.DataFrame, num_losses: int) -> list[dict]:
    """Return the rows of one cell. num_losses: how many intervals of losses must hold at once."""
    hits, chain_ids = _hits(trials, kept)
    resampler, level = Resampler.for_chains(chain_ids), 1 - (1 - LEVEL) / num_losses
    whole, rows = hits[max(hits)], []
    for num_kept, values in hits.items():
        low, high = interval(resampler.means(values))
        row = dict(zip(KEY, key, strict=True)) | {"num_kept": num_kept, "hit_at_5": float(values.mean())}
        loss_low, loss_high = interval(resampler.differences(whole, values), level)
        row |= {"low": low, "high": high, "loss": float(whole.mean() - values.mean())}
        row |= {"loss_low": loss_low, "loss_high": loss_high, "num_replicates": len(values)}
        rows.append(row | {"num_queries": len(chain_ids), "num_chains": len(np.unique(chain_ids))})
    return rows


def _hits(trials: pd.DataFrame, kept: pd.DataFrame) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """Return Hit@5 by number of vectors kept, [R, Q], and each query's document, [Q].

    Records have means over each document's queries. Each query gets its document's mean, which is all that intervals
    over documents need.
    """
    hits: dict[int, np.ndarray] = {}
    for num_kept, part in kept.groupby("num_kept"):
        by_trial = part.pivot(index="trial_id", columns="chain_id", values="hit_at_5").loc[trials.trial_id]
        counts = part.drop_duplicates("chain_id").set_index("chain_id").num_queries.loc[by_trial.columns]
        hits[int(num_kept)] = np.repeat(by_trial.to_numpy(), counts, axis=1)
    return hits, np.repeat(by_trial.columns.to_numpy(), counts)


def _effective(cell: pd.DataFrame) -> EffectiveContext:
    """Return what one cell uses. cell: its rows, fewest vectors first."""
    least = _from_which_on(cell, (cell.loss_low <= MARGIN).to_numpy())
    most = _from_which_on(cell, (cell.loss_high <= MARGIN).to_numpy())
    one = cell.iloc[0]
    return EffectiveContext(
        context_length=int(one.context_length),
        num_sequences=int(one.num_sequences),
        least=int(least.num_kept),
        most=int(most.num_kept),
        loss=(least.loss, least.loss_low, least.loss_high),
        all_but_one=(one.loss, one.loss_low, one.loss_high),
    )


def _from_which_on(cell: pd.DataFrame, holds: np.ndarray) -> pd.Series:
    """Return the first row from which on something holds; the last row always holds."""
    failing = np.flatnonzero(~holds[:-1])
    return cell.iloc[failing[-1] + 1 if len(failing) else 0]
