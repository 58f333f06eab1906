"""Read the chosen law at any pool: its curves, residuals and held-out predictions next to the measurements."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from study.analysis.hit_map import HitMap
from study.analysis.law import Law, exponents_of
from study.analysis.law_comparison import largest_cells
from study.analysis.law_fit import Fit, fit, refit
from study.analysis.law_misfit import misfit, weight_of

NUM_REFITS = 100
NUM_POINTS = 25  # per curve


@dataclass(frozen=True, eq=False)
class LawView:
    """One form on one map. curves: C, N, Hit@5 on a fine grid of C at each N. cells: measured, its interval, fitted,
    residual (measured minus fitted), and for the held-out cells the prediction of a second fit with its 95 % interval.
    exponents: parameters with intervals. misfit_p: the probability of residuals this large if the law were true.
    """

    form: str
    curves: pd.DataFrame
    cells: pd.DataFrame
    exponents: pd.DataFrame
    misfit_p: float


def law_view(law: Law) -> LawView:
    """Return the chosen law as fitted, at the study's own pool."""
    held_out = law.held_out[["context_length", "num_sequences", "predicted", "predicted_low", "predicted_high"]]
    return _view(law.chosen, law.hit_map, law.exponents, law.misfit_p, held_out)


def law_view_at(law: Law, hit_map: HitMap) -> LawView:
    """Return the form that was chosen at the study's own pool, refitted to the map at another pool."""
    fitted = fit(law.chosen.form, hit_map)
    refits = refit(fitted, hit_map.resampled[:NUM_REFITS], weight_of(hit_map))
    held_out = _held_out(fitted, hit_map)
    return _view(fitted, hit_map, exponents_of(fitted, refits), misfit(fitted, hit_map), held_out)


def _view(fitted: Fit, hit_map: HitMap, exponents: pd.DataFrame, misfit_p: float, held_out: pd.DataFrame) -> LawView:
    low, high = np.percentile(hit_map.resampled, [2.5, 97.5], axis=0)
    predicted = fitted.predict(hit_map.context_length, hit_map.num_sequences)
    cells = pd.DataFrame(
        {
            "context_length": hit_map.context_length,
            "num_sequences": hit_map.num_sequences,
            "measured": hit_map.mean,
            "low": low,
            "high": high,
            "fitted": predicted,
            "residual": hit_map.mean - predicted,
            "residual_low": low - predicted,
            "residual_high": high - predicted,
        }
    )
    cells = cells.merge(held_out, on=["context_length", "num_sequences"], how="left")
    return LawView(fitted.form.name, _curves(fitted, hit_map), cells, exponents, misfit_p)


def _curves(fitted: Fit, hit_map: HitMap) -> pd.DataFrame:
    contexts = np.geomspace(hit_map.context_length.min(), hit_map.context_length.max(), NUM_POINTS)
    sizes = np.unique(hit_map.num_sequences)
    grid = pd.DataFrame(
        {"context_length": np.tile(contexts, len(sizes)), "num_sequences": np.repeat(sizes, NUM_POINTS)}
    )
    return grid.assign(hit=fitted.predict(grid.context_length.to_numpy(), grid.num_sequences.to_numpy()))


def _held_out(fitted: Fit, hit_map: HitMap) -> pd.DataFrame:
    """Fit without the largest cells, and predict them."""
    largest = largest_cells(hit_map)
    cells, seen, weight = hit_map.keep(largest), hit_map.keep(~largest), weight_of(hit_map)
    found = pd.DataFrame({"context_length": cells.context_length, "num_sequences": cells.num_sequences})
    if len(seen.mean) <= fitted.form.num_parameters:
        return found.assign(predicted=np.nan, predicted_low=np.nan, predicted_high=np.nan)
    axes = fitted.axes.at(seen.context_length, seen.num_sequences)
    thetas = refit(replace(fitted, axes=axes), np.vstack([seen.mean, seen.resampled[:NUM_REFITS]]), weight[~largest])
    drawn = fitted.form.predict(thetas, fitted.axes.at(cells.context_length, cells.num_sequences))
    low, high = np.percentile(drawn[1:], [2.5, 97.5], axis=0)
    return found.assign(predicted=drawn[0], predicted_low=low, predicted_high=high)
