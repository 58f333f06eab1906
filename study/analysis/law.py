"""Compare the laws on one map, choose one by its held-out predictions, and put intervals on its exponents."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from study.analysis.hit_map import HitMap
from study.analysis.intervals import interval
from study.analysis.law_fit import Fit, fit, jacobian, refit
from study.analysis.law_forms import ADDED, FORMS, Form

MIN_CELLS, MIN_SIZES, MIN_REPLICATES = 6, 3, 2
LEFT_TO_SEE = 3  # sizes or contexts that remain when the largest is held out: fewer do not fix an exponent
SPREAD_LEVEL = 0.05  # of the test that the cells differ at all
MISFIT_LEVEL = 0.01
AS_GOOD = 0.05  # a law stays in the race if it predicts as well as the best in this share of resamples
NUM_REFITS = 400
NUM_HELD_OUT_REFITS = 200
HELD_OUT = [
    "context_length", "num_sequences", "num_replicates", "measured", "form", "predicted", "predicted_low",
    "predicted_high",
]  # fmt: skip


class CannotTell(Exception):
    """The data do not answer the question; the message is the reason."""


@dataclass(frozen=True, eq=False)
class Law:
    """The chosen law of one map. fits: every form's fit. comparison: one row per form.

    held_out: predicted and measured values of the held-out cells. refits: [B, p] the chosen form, fitted to resampled
    maps. misfit_p: the probability of a misfit this large if the law were true.
    """

    hit_map: HitMap
    chosen: Fit
    fits: tuple[Fit, ...]
    comparison: pd.DataFrame
    held_out: pd.DataFrame
    refits: np.ndarray
    misfit_p: float

    @cached_property
    def exponents(self) -> pd.DataFrame:
        """The chosen law's parameters as reported, with 95 % intervals. Rows: parameter, value, low, high."""
        return exponents_of(self.chosen, self.refits)

    @property
    def fits_the_data(self) -> bool:
        return self.misfit_p >= MISFIT_LEVEL

    @property
    def tenable(self) -> list[Fit]:
        """The smooth laws that predict the held-out cells as well as any and fit the map; the chosen one among them."""
        rows = self.comparison.set_index("form")
        kept = rows.index[rows.in_the_race & (rows.misfit_p >= MISFIT_LEVEL)]
        return [fitted for fitted in self.fits if fitted.form.name in kept]

    def predict(self, context_length: np.ndarray, num_sequences: np.ndarray) -> np.ndarray:
        """Return Hit@5 and its resamples. [K] cells -> [1 + B, K], the fit's own values first."""
        axes = self.chosen.axes.at(np.asarray(context_length), np.asarray(num_sequences))
        return self.chosen.form.predict(np.vstack([self.chosen.theta, self.refits]), axes)


def fit_law(hit_map: HitMap) -> Law:
    """Compare all smooth laws and choose one.

    The largest cells (largest N or largest C) are held out and predicted. Among the laws whose held-out error is not
    shown to exceed the smallest, the one with the lowest AICc is chosen; among all laws, if no cell can be held out.
    A break in N has a test of its own (breaks.py).

    Raises: CannotTell with fewer than 6 cells, 3 sizes N or 2 replicates, or if the cells do not differ.
    """
    refuse(hit_map)
    forms = [form for form in FORMS if _estimable(form, hit_map)]
    fits = [fit(form, hit_map) for form in forms]
    comparison, held_out = held_out_cells(hit_map, fits)
    chosen = fits[int(comparison.aicc[comparison.in_the_race].idxmin())]
    return Law(
        hit_map=hit_map,
        chosen=chosen,
        fits=tuple(fits),
        comparison=comparison.assign(chosen=comparison.form == chosen.form.name),
        held_out=held_out[held_out.form == chosen.form.name],
        refits=refit(chosen, hit_map.resampled[:NUM_REFITS], weight_of(hit_map)),
        misfit_p=misfit(chosen, hit_map),
    )


def refuse(hit_map: HitMap) -> None:
    """Raise CannotTell if no law can be fitted."""
    num_sizes, num_replicates = len(np.unique(hit_map.num_sequences)), int(hit_map.num_replicates.min())
    if len(hit_map.mean) < MIN_CELLS or num_sizes < MIN_SIZES:
        raise CannotTell(
            f"a law needs at least {MIN_CELLS} measured cells and {MIN_SIZES} sizes N, "
            f"found {len(hit_map.mean)} and {num_sizes}"
        )
    if num_replicates < MIN_REPLICATES:
        raise CannotTell(f"a law needs at least {MIN_REPLICATES} replicates in every cell, found {num_replicates}")
    p = spread(hit_map)
    if p >= SPREAD_LEVEL:
        low, high = hit_map.mean.min(), hit_map.mean.max()
        raise CannotTell(
            f"the {len(hit_map.mean)} cells do not differ beyond chance (Hit@5 {low:.3f} to {high:.3f}, p = {p:.2f}): "
            "there is no spread to fit"
        )


def spread(hit_map: HitMap) -> float:
    """Return the p-value of "all cells have the same Hit@5"."""
    weight = weight_of(hit_map)

    def statistic(means: np.ndarray) -> np.ndarray:
        centre = (means * weight).sum(-1, keepdims=True) / weight.sum()
        return (weight * (means - centre) ** 2).sum(-1)

    return _p_value(statistic(hit_map.mean), statistic(hit_map.deviations))


def misfit(fitted: Fit, hit_map: HitMap) -> float:
    """Return the probability of residuals this large if the law were true, from resampled noise."""
    rate = fitted.form.predict(fitted.theta, fitted.axes)
    precision = weight_of(hit_map) / (rate * (1 - rate))
    basis = tangent_basis(fitted, np.sqrt(precision))

    def statistic(residual: np.ndarray) -> np.ndarray:
        scaled = residual * np.sqrt(precision)
        return ((scaled - (scaled @ basis) @ basis.T) ** 2).sum(-1)

    return _p_value(statistic(hit_map.mean - rate), statistic(hit_map.deviations))


def tangent_basis(fitted: Fit, root_precision: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of what the law's parameters can explain, in units of noise. [K] -> [K, r]."""
    slope = jacobian(fitted.form, fitted.axes, fitted.theta[None])[0] * root_precision[:, None]
    basis = np.linalg.svd(slope, full_matrices=False)
    return basis.U[:, basis.S / basis.S[0] > 1e-8]


def exponents_of(fitted: Fit, refits: np.ndarray) -> pd.DataFrame:
    """Return a fit's natural parameters with percentile intervals from its refits."""
    values, drawn = (fitted.form.natural(theta, fitted.axes) for theta in (fitted.theta, refits))
    rows = [(name, float(values[name]), *interval(drawn[name])) for name in values]
    return pd.DataFrame(rows, columns=["parameter", "value", "low", "high"])


def held_out_cells(hit_map: HitMap, fits: list[Fit]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fit every form without the largest cells; return one row per form, and predictions next to measurements."""
    largest = largest_cells(hit_map)
    if not largest.any():
        return _comparison(hit_map, fits, {}), pd.DataFrame(columns=HELD_OUT)
    seen, weight = hit_map.keep(~largest), weight_of(hit_map)
    errors, rows = {}, []
    for fitted in fits:
        if len(seen.mean) <= fitted.form.num_parameters:
            continue
        # a fresh fit: one that starts from the fit to all cells keeps what only the held-out cells determine
        part = fit(fitted.form, seen, fitted.axes.at(seen.context_length, seen.num_sequences))
        drawn = refit(part, seen.resampled[:NUM_HELD_OUT_REFITS], weight[~largest])
        at = fitted.axes.at(hit_map.context_length[largest], hit_map.num_sequences[largest])
        predicted = fitted.form.predict(np.vstack([part.theta, drawn]), at)
        measured = np.vstack([hit_map.mean[largest], hit_map.resampled[:NUM_HELD_OUT_REFITS, largest]])
        errors[fitted.form.name] = np.sqrt(((predicted - measured) ** 2).mean(1))
        rows.append(_predictions(fitted.form, hit_map.keep(largest), predicted))
    return _comparison(hit_map, fits, errors), pd.concat(rows, ignore_index=True)


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


def _comparison(hit_map: HitMap, fits: list[Fit], errors: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return one row per form; `in_the_race` unless its held-out error is shown to exceed the best law's."""
    best = min(errors, key=lambda name: errors[name][0], default=None)
    rows = []
    for fitted in fits:
        error = errors.get(fitted.form.name)
        as_good = float(best is None) if error is None else float((error[1:] <= errors[best][1:]).mean())
        rows.append(
            {
                "form": fitted.form.name,
                "num_parameters": fitted.form.num_parameters,
                "log_likelihood": fitted.log_likelihood,
                "aicc": fitted.aicc,
                "held_out_error": None if error is None else float(error[0]),
                "in_the_race": as_good > AS_GOOD,
                "replicate_rho": fitted.replicate_rho,
                "misfit_p": misfit(fitted, hit_map),
                "num_starts": fitted.num_starts,
                "num_at_best": fitted.num_at_best,
                "converged": fitted.converged,
            }
        )
    return pd.DataFrame(rows)


def _estimable(form: Form, hit_map: HitMap) -> bool:
    """Return whether the map has enough contexts, sizes and cells for the form's parameters."""
    num_contexts = len(np.unique(hit_map.context_length))
    spare = len(hit_map.mean) > form.num_parameters
    contexts = num_contexts >= (3 if form.kind in ADDED else 2) if form.context else True
    return spare and contexts


def weight_of(hit_map: HitMap) -> np.ndarray:
    """Return the number of queries behind each cell, over all replicates. [K]."""
    return hit_map.num_replicates * float(hit_map.num_queries)


def _p_value(found: float, null: np.ndarray) -> float:
    return float((1 + (null >= found).sum()) / (1 + len(null)))
