"""Estimate every cell of the map from its confirm trials' test ranks, next to the best baseline and the oracle."""

import numpy as np
import pandas as pd

from lvm_core.errors import InputError
from lvm_core.ranks import hit_at_k, reciprocal_rank
from study.analysis import mrmc
from study.analysis.holm import LEVEL, holm
from study.analysis.intervals import Resampler, interval, wilson
from study.analysis.load import KEY, StudyRecords
from study.analysis.units import Units

ORACLE = "oracle"
FIGURES = {
    "hit_at_1": lambda ranks: hit_at_k(ranks["rank"], ranks.num_ties, 1),
    "hit_at_5": lambda ranks: hit_at_k(ranks["rank"], ranks.num_ties, 5),
    "hit_at_10": lambda ranks: hit_at_k(ranks["rank"], ranks.num_ties, 10),
    "mrr": lambda ranks: reciprocal_rank(ranks["rank"], ranks.num_ties),
}


def cells(study: StudyRecords) -> pd.DataFrame:
    """Return one row per cell, sorted by C and N: figures with 95 % intervals and counts, lift, share of the oracle.

    Intervals are about documents and replicates. The Wilson interval of Hit@5 treats all queries of all replicates as
    independent and is the naive bound. The best baseline is chosen on validation and measured on test, and the lift
    over it is paired on queries; `beats_baseline` and `below_baseline` follow Holm over all cells. Collapsed replicates
    are counted and enter no figure. Empty if no confirm trial is recorded.
    """
    confirm, collapsed = study.measured("confirm"), study.collapsed.groupby("cell_id").size()
    rows = [
        _cell_row(study, key, group) | {"num_collapsed": int(collapsed.get(key[2], 0))}
        for key, group in confirm.groupby(KEY)
    ]
    if not rows:
        return pd.DataFrame(columns=KEY)
    return _judged(pd.DataFrame(_with_lifts(rows)).sort_values(KEY, ignore_index=True))


def _with_lifts(rows: list[dict]) -> list[dict]:
    """Return the rows with the figures of their lifts, as one family."""
    lifted = [row for row in rows if row.get("lift") is not None]
    for row, lift in zip(lifted, mrmc.moderated([row["lift"] for row in lifted]), strict=True):
        row |= lift.named("lift") | {"lift_p": lift.p_value}
    return rows


def _judged(table: pd.DataFrame) -> pd.DataFrame:
    """Add which cells lie above or below their best baseline, by Holm over all cells; null without a baseline."""
    if "lift" not in table:
        return table
    compared = table.lift_p.notna()
    table["lift_p_holm"] = np.nan
    table.loc[compared, "lift_p_holm"] = holm(table.lift_p[compared].to_numpy(float))
    shown = table.lift_p_holm < LEVEL
    for name, holds in (("beats_baseline", shown & (table.lift > 0)), ("below_baseline", shown & (table.lift < 0))):
        table[name] = holds.astype(object).where(compared, None)
    return table


def per_query(study: StudyRecords, trial_ids: list[str], figure: str = "hit_at_5") -> tuple[np.ndarray, Units]:
    """Return a figure of each trial and query, [R, Q], and the units of the queries.

    Raises: InputError unless the trials were evaluated on the same queries.
    """
    frames = [study.test_ranks[trial_id] for trial_id in trial_ids if trial_id in study.test_ranks]
    if len(frames) < len(trial_ids) or any(not np.array_equal(f.query_id, frames[0].query_id) for f in frames):
        raise InputError(
            f"trials can only be compared on the same queries, but the ranks of {', '.join(trial_ids)} in "
            f"{study.location} are missing or belong to other queries. Restore the study's ranks/ folder."
        )
    return np.stack([FIGURES[figure](frame) for frame in frames]), units_of(frames[0])


def units_of(ranks: pd.DataFrame) -> Units:
    """Return what varies independently among the queries of a frame of ranks."""
    return Units.of(ranks.chain_id.to_numpy(), ranks.query_id.to_numpy())


def best_baseline(study: StudyRecords, context_length: int, num_sequences: int) -> pd.DataFrame | None:
    """Return the trials of the baseline with the best validation Hit@5 among those that a cell can use."""
    measured = study.measured("baseline")
    fits = measured.num_sequences.isna() | (measured.num_sequences == num_sequences)
    usable = measured[(measured.context_length == context_length) & fits & (measured.model != ORACLE)]
    if usable.empty:
        return None
    best = usable.groupby("model").val_hit_at_5.mean().idxmax()
    return usable[usable.model == best]


def _cell_row(study: StudyRecords, key: tuple, trials: pd.DataFrame) -> dict:
    trial_ids = trials.trial_id.tolist()
    hits, units = per_query(study, trial_ids)
    row = dict(zip(KEY, key, strict=True)) | {
        "num_replicates": len(trials),
        "num_queries": hits.shape[1],
        "num_chains": units.num_documents,
        "pool_size": int(trials.pool_size.iloc[0]),
        "chance_hit_at_5": float(trials.chance_hit_at_5.iloc[0]),
        "val_hit_at_5": float(trials.val_hit_at_5.mean()),
        "tie_rate": float(np.mean([(study.test_ranks[i].num_ties > 0).mean() for i in trial_ids])),
    }
    for figure in FIGURES:
        row |= named_share(figure, per_query(study, trial_ids, figure)[0], units)
    row["hit_at_5_wilson_low"], row["hit_at_5_wilson_high"] = wilson(hits.sum(), hits.size)
    row["replicate_sd"] = float(hits.mean(1).std(ddof=1)) if len(trials) > 1 else None
    return row | _against_baseline(study, row, hits, units) | _against_oracle(study, trials, hits, units)


def share(values: np.ndarray, units: Units) -> tuple[float, float, float]:
    """Return the mean of per-query shares [R, Q] with its 95 % interval, which ends at 0 and 1."""
    found = mrmc.mean(values, units)
    return found.value, max(0.0, found.low), min(1.0, found.high)


def named_share(name: str, values: np.ndarray, units: Units) -> dict[str, float]:
    """Return the same under a name, with the interval's ends as `_low` and `_high`."""
    return dict(zip((name, f"{name}_low", f"{name}_high"), share(values, units), strict=True))


def _against_baseline(study: StudyRecords, row: dict, hits: np.ndarray, units: Units) -> dict:
    baseline = best_baseline(study, row["context_length"], row["num_sequences"])
    if baseline is None:
        return {"best_baseline": None}
    values, _ = per_query(study, baseline.trial_id.tolist())
    return {
        "best_baseline": baseline.model.iloc[0],
        **named_share("baseline_hit_at_5", values, units),
        "lift": mrmc.difference(hits, values, units),
    }


def _against_oracle(study: StudyRecords, trials: pd.DataFrame, hits: np.ndarray, units: Units) -> dict:
    """Return the oracle's Hit@5 and the share of it that the cell reaches, resampled on the same documents."""
    oracle = trials.oracle_hit_at_5.iloc[0]
    if pd.isna(oracle):
        return {"oracle_hit_at_5": None, "oracle_share": None}
    share = {"oracle_hit_at_5": float(oracle), "oracle_share": float(hits.mean() / oracle)}
    measured = study.measured("baseline")
    same = (measured.model == ORACLE) & (measured.context_length == trials.context_length.iloc[0])
    if not same.any():
        return share
    values, _ = per_query(study, measured[same].trial_id.head(1).tolist())
    resampler = Resampler.of(units)
    low, high = interval(resampler.means(hits) / resampler.means(values))
    return share | {"oracle_share_low": low, "oracle_share_high": high}
