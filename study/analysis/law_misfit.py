"""Test whether a map shows anything, and whether a law fits it, against draws of the map's noise."""

import numpy as np

from study.analysis.hit_map import HitMap
from study.analysis.law_fit import Fit, jacobian

MISFIT_LEVEL = 0.01


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


def weight_of(hit_map: HitMap) -> np.ndarray:
    """Return the number of queries behind each cell, over all replicates. [K]."""
    return hit_map.num_replicates * float(hit_map.num_queries)


def _p_value(found: float, null: np.ndarray) -> float:
    return float((1 + (null >= found).sum()) / (1 + len(null)))
