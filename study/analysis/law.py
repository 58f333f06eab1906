"""Compare the laws on one map, choose one by its held-out predictions, and put intervals on its exponents."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from study.analysis.hit_map import HitMap
from study.analysis.intervals import interval
from study.analysis.law_comparison import compare_laws
from study.analysis.law_fit import Fit, fit, refit
from study.analysis.law_forms import ADDED, FORMS, Form
from study.analysis.law_misfit import MISFIT_LEVEL, misfit, spread, weight_of

MIN_CELLS, MIN_SIZES, MIN_REPLICATES = 6, 3, 2
SPREAD_LEVEL = 0.05  # of the test that the cells differ at all
PREDICTION_LEVEL = 0.05  # of the test that held-out cells are predicted
RIVAL = 4.0  # of AICc above the chosen law's: up to an evidence ratio of 7 a law is a rival
NUM_REFITS = 400


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
    def predicts(self) -> bool:
        """Whether the cells left out of a fit are predicted within the noise, where any could be left out."""
        p_value = self.comparison.set_index("form").held_out_p[self.chosen.form.name]
        return bool(pd.isna(p_value) or p_value >= PREDICTION_LEVEL)

    @property
    def rivals(self) -> list[str]:
        """The names of the tenable laws of another kind, which neither contain the chosen one nor are contained in it,
        that are nearly as likely.
        """
        chosen = self.chosen.form
        near = (fitted.form for fitted in self.tenable if fitted.aicc <= self.chosen.aicc + RIVAL)
        return [other.name for other in near if not (chosen.contains(other) or other.contains(chosen))]

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

    Among the laws that fit the map, if any does, the largest cells (largest N or largest C) are held out and predicted.
    Of those whose held-out error is not shown to exceed the smallest, the one with the lowest AICc is chosen; of all
    that fit, if no cell can be held out.
    A break in N has a test of its own (breaks.py).

    Raises: CannotTell with fewer than 6 cells, 3 sizes N or 2 replicates, or if the cells do not differ.
    """
    refuse(hit_map)
    forms = [form for form in FORMS if _estimable(form, hit_map)]
    fits = [fit(form, hit_map) for form in forms]
    comparison, held_out = compare_laws(hit_map, fits)
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


def exponents_of(fitted: Fit, refits: np.ndarray) -> pd.DataFrame:
    """Return a fit's natural parameters with percentile intervals from its refits."""
    values, drawn = (fitted.form.natural(theta, fitted.axes) for theta in (fitted.theta, refits))
    rows = [(name, float(values[name]), *interval(drawn[name])) for name in values]
    return pd.DataFrame(rows, columns=["parameter", "value", "low", "high"])


def _estimable(form: Form, hit_map: HitMap) -> bool:
    """Return whether the map has enough contexts, sizes and cells for the form's parameters."""
    num_contexts = len(np.unique(hit_map.context_length))
    spare = len(hit_map.mean) > form.num_parameters
    contexts = num_contexts >= (3 if form.kind in ADDED else 2) if form.context else True
    return spare and contexts
