"""Give the starting points of a law's fit: a grid of its non-linear parameters, the others by least squares."""

from itertools import product

import numpy as np

from study.analysis.law_forms import ADDED, MAX_EXPONENT, Axes, Form, unsqueeze

EXPONENTS = (0.3, 0.8, 1.6)
CEILINGS = (0.1, 0.5, 0.9)  # of the way from the best cell to 1
SCALES = (0.15, 0.5, 0.85)  # tau, of the way from the smallest N to the largest


def starts(form: Form, axes: Axes, y: np.ndarray) -> np.ndarray:
    """Return the starting points of a fit to Hit@5 y [K]. [S, p]."""
    return np.array([start for ceiling in _ceilings(form, y) for start in _least_squares(form, axes, y, ceiling)])


def _ceilings(form: Form, y: np.ndarray) -> list[float]:
    top = float(y.max())
    return [top + part * (1 - top) for part in CEILINGS] if form.free_ceiling else [1.0]


def _least_squares(form: Form, axes: Axes, y: np.ndarray, ceiling: float) -> list[np.ndarray]:
    """Return starting points for one ceiling: on the link's scale the law is linear in its other parameters."""
    share = np.clip((y - axes.floor) / (ceiling - axes.floor), 1e-3, 1 - 1e-3)
    score = -np.log(-np.log(share)) if form.kind == "log" else np.log(share / (1 - share))
    ending = [unsqueeze((ceiling - axes.floor) / (1 - axes.floor), 0, 1)] if form.free_ceiling else []
    if form.kind in ADDED:
        return [np.r_[start, ending] for start in _added(form, axes, score)]
    columns = [np.ones_like(axes.x), axes.x] + [axes.c] * form.context + [axes.x * axes.c] * form.interaction
    return [np.r_[np.linalg.lstsq(np.stack(columns, 1), score)[0], ending]]


def _added(form: Form, axes: Axes, score: np.ndarray) -> list[np.ndarray]:
    """Return starting points of `sum` and `exp`, without an interaction at first."""
    places = axes.x.min() + np.array(SCALES) * np.ptp(axes.x)
    along_n = places if form.kind == "exp" else EXPONENTS
    found = []
    for n, b in product(along_n, EXPONENTS if form.context else (1.0,)):
        missing = np.exp(-(np.exp(axes.x - n) if form.kind == "exp" else n * axes.x))
        columns = [np.ones_like(axes.x), -missing] + [-np.exp(-b * axes.c)] * form.context
        m, *sizes = np.linalg.lstsq(np.stack(columns, 1), score)[0]
        first = n if form.kind == "exp" else unsqueeze(n, 0, MAX_EXPONENT)
        exponents = [first] + [unsqueeze(b, 0, MAX_EXPONENT)] * form.context
        found.append(np.r_[m, exponents, sizes, [0.0] * form.interaction])
    return found
