"""Compare laws on one map by predicting its largest cells from the others."""

import numpy as np
import pandas as pd

from study.analysis.hit_map import HitMap
from study.analysis.law_fit import Fit, fit, refit
from study.analysis.law_forms import Form
from study.analysis.law_misfit import MISFIT_LEVEL, misfit, weight_of

LEFT_TO_SEE = 3  # sizes or contexts that remain when the largest is held out: fewer do not fix an exponent
AS_GOOD = 0.05  # a law stays in the race if it predicts as well as the best in this share of resamples
NUM_REFITS = 200
HELD_OUT = [
    "context_length", "num_sequences", "num_replicates", "measured", "form", "predicted", "predicted_low",
    "predicted_high",
]  # fmt: skip


def compare_laws(hit_map: HitMap, fits: list[Fit]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return one row per law, and the predictions of the held-out cells next to their measurements.

    Laws that fit the map race; if none does, all do. `in_the_race`: not shown to predict worse than the best of them.
    `held_out_p`: the probability of errors as large as those of the law's predictions, were it true.
    """
    misfits = {fitted.form.name: misfit(fitted, hit_map) for fitted in fits}
    able = [fitted for fitted in fits if misfits[fitted.form.name] >= MISFIT_LEVEL] or fits
    errors, p_values, held_out = held_out_cells(hit_map, able)
    best = min(errors, key=lambda name: errors[name][0], default=None)
    rows = []
    for fitted in fits:
        error = errors.get(fitted.form.name)
        as_good = float(best is None and fitted in able)
        if error is not None:
            as_good = float((error[1:] <= errors[best][1:]).mean())
        rows.append(
            {
                "form": fitted.form.name,
                "num_parameters": fitted.form.num_parameters,
                "log_likelihood": fitted.log_likelihood,
                "aicc": fitted.aicc,
                "held_out_error": None if error is None else float(error[0]),
                "held_out_p": p_values.get(fitted.form.name),
                "in_the_race": as_good > AS_GOOD,
                "replicate_rho": fitted.replicate_rho,
                "misfit_p": misfits[fitted.form.name],
                "num_starts": fitted.num_starts,
                "num_at_best": fitted.num_at_best,
                "converged": fitted.converged,
            }
        )
    return pd.DataFrame(rows), held_out


def held_out_cells(hit_map: HitMap, fits: list[Fit]) -> tuple[dict[str, np.ndarray], dict[str, float], pd.DataFrame]:
    """Fit laws without the largest cells; return each one's error there, its own and in resamples [1 + B], the p-value
    of it, and its predictions next to the measurements. A law with more parameters than the other cells fix is left
    out.
    """
    largest = largest_cells(hit_map)
    seen, weight = hit_map.keep(~largest), weight_of(hit_map)
    errors, p_values, rows = {}, {}, [pd.DataFrame(columns=HELD_OUT)]
    for fitted in fits if largest.any() else []:
        if len(seen.mean) <= fitted.form.num_parameters:
            continue
        # a fresh fit: one that starts from the fit to all cells keeps what only the held-out cells determine
        part = fit(fitted.form, seen, fitted.axes.at(seen.context_length, seen.num_sequences))
        drawn = refit(part, seen.resampled[:NUM_REFITS], weight[~largest])
        at = fitted.axes.at(hit_map.context_length[largest], hit_map.num_sequences[largest])
        predicted = fitted.form.predict(np.vstack([part.theta, drawn]), at)
        measured = np.vstack([hit_map.mean[largest], hit_map.resampled[:NUM_REFITS, largest]])
        missed = predicted - measured
        errors[fitted.form.name] = np.sqrt((missed**2).mean(1))
        p_values[fitted.form.name] = _p_value(missed)
        rows.append(_predictions(fitted.form, hit_map.keep(largest), predicted))
    return errors, p_values, pd.concat(rows[1:] or rows, ignore_index=True)


def _p_value(missed: np.ndarray) -> float:
    """Return the p-value of the errors in the first row, from the scatter of the resampled ones. [1 + B, K]."""
    scatter = missed[1:] - missed[0]
    sd = scatter.std(0)
    found, drawn = ((missed[0] / sd) ** 2).sum(), ((scatter / sd) ** 2).sum(1)
    return float((1 + (drawn >= found).sum()) / (1 + len(drawn)))


def largest_cells(hit_map: HitMap) -> np.ndarray:
    """Mark the cells of the largest N and of the largest C, each if three other values remain to fit. [K] bool."""
    largest = np.zeros(len(hit_map.mean), bool)
    for axis in (hit_map.num_sequences, hit_map.context_length):
        if len(np.unique(axis)) > LEFT_TO_SEE:
            largest |= axis == axis.max()
    return largest


def _predictions(form: Form, cells: HitMap, predicted: np.ndarray) -> pd.DataFrame:
    low, high = np.percentile(predicted[1:], [2.5, 97.5], axis=0)
    table = cells.table().rename(columns={"hit_at_5": "measured"})
    return table.assign(form=form.name, predicted=predicted[0], predicted_low=low, predicted_high=high)
