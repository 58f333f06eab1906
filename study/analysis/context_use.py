"""Find how much of its context a model uses: what it loses when the oldest vectors are replaced by random ones."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from study.analysis import mrmc
from study.analysis.load import KEY, StudyRecords, arm_of
from study.analysis.mrmc import LEVEL
from study.analysis.units import Units
from study.analysis.verdicts import CANNOT_TELL, Verdict

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

    hit_at_5 has a 95 % interval; loss is Hit@5 with the whole context minus that, paired on documents and replicates,
    and its intervals hold for all rows of the table at once (Bonferroni). With too few test documents there are no
    intervals. Empty if no trial measured it.
    """
    confirm, use = study.measured("confirm"), study.context_use
    confirm = confirm[confirm.trial_id.isin(use.trial_id) & (confirm.cell_id.map(arm_of) == arm)]
    use = use[use.trial_id.isin(confirm.trial_id)]
    groups = list(confirm.groupby(KEY))
    num_losses = max(1, len(groups) * (use.num_kept.nunique() - 1))
    rows = [row for key, trials in groups for row in _rows(key, trials, use, 1 - (1 - LEVEL) / num_losses)]
    return pd.DataFrame(rows, columns=COLUMNS)


def effective_contexts(table: pd.DataFrame) -> list[EffectiveContext]:
    """Return what each cell of a table uses, by N; nothing where there are no intervals to tell."""
    table = table.dropna(subset=["loss_low"])
    return [_effective(cell.sort_values("num_kept")) for _, cell in table.groupby("num_sequences")]


def _rows(key: tuple, trials: pd.DataFrame, use: pd.DataFrame, level: float) -> list[dict]:
    """Return the rows of one cell. level: of the intervals of losses."""
    hits, chain_ids = _hits(trials, use)
    units = Units.of(chain_ids, np.zeros_like(chain_ids))
    whole, rows = hits[max(hits)], []
    for num_kept, values in hits.items():
        row = dict(zip(KEY, key, strict=True)) | {"num_kept": num_kept, "hit_at_5": float(values.mean())}
        row |= {"loss": float(whole.mean() - values.mean()), "num_replicates": len(values)}
        row |= {"num_queries": len(chain_ids), "num_chains": units.num_documents}
        if units.speak_of_documents:
            row["low"], row["high"] = mrmc.mean(values, units).interval
            row["loss_low"], row["loss_high"] = mrmc.difference(whole, values, units).interval_at(level)
        rows.append(row)
    return rows


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
    return Verdict(*question, answer, f"{evidence} (intervals hold for all at once; 1 point of loss is tolerated)")


def _costs(cell: EffectiveContext, whole: int) -> str:
    """Return what a cell loses without its older vectors, in points."""
    loss, low, high = (100 * value for value in cell.all_but_one)
    where = f"at N={cell.num_sequences:,} replacing the oldest {whole - 1:,}"
    parts = [f"{where} costs {loss:.1f} [{low:.1f}, {high:.1f}] points"]
    if 1 < cell.least < whole:
        loss, low, high = (100 * value for value in cell.loss)
        parts.append(f"replacing {whole - cell.least:,} {loss:.1f} [{low:.1f}, {high:.1f}]")
    return ", ".join(parts)
