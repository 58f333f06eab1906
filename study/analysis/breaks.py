"""Test whether Hit@5 has a break in N, against every smooth law, and locate the break."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from study.analysis.hit_map import HitMap
from study.analysis.intervals import interval
from study.analysis.law import MISFIT_LEVEL, CannotTell, Law, exponents_of, tangent_basis, weight_of
from study.analysis.law_fit import Fit, jacobian, refit
from study.analysis.law_forms import unsqueeze

LEVEL = 0.05  # of the test, over all places and laws
PLACES = np.linspace(0.02, 0.98, 13)  # of a break, as fractions of the range in which it may lie
NUM_REFITS = 200


@dataclass(frozen=True, eq=False)
class Break:
    """The evidence for a break in N.

    p_value: of "no break", the largest over the tenable smooth laws, which fit the map or predict the held-out cells as
    well as any. by_form: p-value by law. fits: whether the best law with a break fits the map; if it does not, a bend
    that improves the fit is no evidence of a break. fit: that law. parameters: its parameters with intervals, if a
    break is found.
    """

    p_value: float
    by_form: dict[str, float]
    fits: bool
    fit: Fit
    parameters: pd.DataFrame | None

    @property
    def found(self) -> bool:
        return self.p_value < LEVEL and self.fits

    @property
    def break_n(self) -> tuple[float, float, float] | None:
        """N of the break with its 95 % interval; None if no break is found."""
        if self.parameters is None:
            return None
        row = self.parameters.set_index("parameter").loc["break_n"]
        return float(row.value), float(row.low), float(row.high)


def find_break(law: Law) -> Break:
    """Test every tenable smooth law against the same law with a break.

    Raises: CannotTell if there are too few sizes N for a break.
    """
    broken = {fitted.form.smooth(): fitted for fitted in law.fits if fitted.form.broken}
    if law.chosen.form not in broken:
        sizes = len(np.unique(law.hit_map.num_sequences))
        raise CannotTell(f"a break needs at least 5 sizes N and more cells than parameters, found {sizes} sizes")
    table = law.comparison.set_index("form")
    tenable = table.index[~table.broken & (table.in_the_race | (table.misfit_p >= MISFIT_LEVEL))]
    smooth = [fitted for fitted in law.fits if fitted.form.name in tenable and fitted.form in broken]
    by_form = {fitted.form.name: break_p_value(fitted, law.hit_map) for fitted in smooth}
    best = min((broken[fitted.form] for fitted in smooth), key=lambda fitted: fitted.aicc)
    fits = float(table.misfit_p[best.form.name]) >= MISFIT_LEVEL
    claimed = max(by_form.values()) < LEVEL and fits
    refits = refit(best, law.hit_map.resampled[:NUM_REFITS], weight_of(law.hit_map)) if claimed else None
    return Break(max(by_form.values()), by_form, fits, best, None if refits is None else exponents_of(best, refits))


def break_p_value(smooth: Fit, hit_map: HitMap) -> float:
    """Return the p-value of "no break" under one smooth law.

    A sup-score test: it compares how well a bend explains the residuals with how well it explains resampled noise. The
    place of the break exists only under the alternative, so the largest score over several places is compared with the
    largest of each resample. Source: Hansen, Econometrica 64 (1996).
    """
    found, noise, _ = _scores(smooth, hit_map, PLACES)
    scale = noise.std(0)
    found, noise = np.abs(found / scale).max(), np.abs(noise / scale).max(1)
    return float((1 + (noise >= found).sum()) / (1 + len(noise)))


def slope_change(smooth: Fit, hit_map: HitMap, at: float) -> tuple[float, float, float] | None:
    """Return the change of the exponent of N at one N with its 95 % interval; None where no break may lie.

    To first order about the smooth law: the residuals are regressed on a bend at that place.
    """
    low, high = smooth.axes.span
    place = (np.log(at) - smooth.axes.centre[0] - low) / (high - low)
    if not 0 <= place <= 1:
        return None
    found, noise, size = _scores(smooth, hit_map, np.array([place]))
    slope = _exponent_slope(smooth)
    value, spread = float(found[0] / size[0]) * slope, noise[:, 0] / size[0] * slope
    below, above = interval(value + spread)
    return value, below, above


def _exponent_slope(smooth: Fit) -> float:
    """Return the derivative of the exponent of N with respect to its free parameter."""
    column, step = smooth.form.column("a"), 1e-5
    shifted = smooth.theta.copy()
    shifted[column] += step
    before, after = (float(smooth.form.natural(theta, smooth.axes)["a"]) for theta in (smooth.theta, shifted))
    return (after - before) / step


def _scores(smooth: Fit, hit_map: HitMap, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Project residuals and resampled noise onto bends at several places, without what the law itself can explain.

    Returns the scores of the residuals [P] and of the noise [B, P], and the squared norms of the bends [P].
    """
    rate = smooth.form.predict(smooth.theta, smooth.axes)
    root = np.sqrt(weight_of(hit_map) / (rate * (1 - rate)))
    bends = np.stack([_bend(smooth, place) for place in places], axis=1) * root[:, None]
    basis = tangent_basis(smooth, root)
    bends = bends - basis @ (basis.T @ bends)
    return (hit_map.mean - rate) * root @ bends, hit_map.deviations * root @ bends, (bends**2).sum(0)


def _bend(smooth: Fit, place: float) -> np.ndarray:
    """Return the derivative of Hit@5 with respect to the slope beyond one place. [K]."""
    form = smooth.form.with_break()
    slope = smooth.theta[smooth.form.column("a")]
    theta = np.r_[smooth.theta, slope, unsqueeze(place, 0, 1)]
    return jacobian(form, smooth.axes, theta[None])[0][:, form.column("a_after")]
