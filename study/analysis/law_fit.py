"""Fit a law by maximum likelihood from many starts at once, and report how well it converged."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import betaln

from study.analysis.hit_map import HitMap
from study.analysis.law_forms import Axes, Form
from study.analysis.law_starts import starts

MAX_ITERATIONS = 100
MAX_REFIT_ITERATIONS = 30  # a refit starts near its optimum
MAX_STARTS = 6
TOLERANCE = 1e-8  # an optimisation ends when a step gains less than this share of the deviance
SAME_OPTIMUM = 1e-4  # deviances this close count as one optimum
STEP = 1e-6  # of the finite differences


@dataclass(frozen=True, eq=False)
class Fit:
    """One law fitted to a map. theta: [p] free parameters. axes: the cells that it was fitted to.

    log_likelihood is beta-binomial: the rates of a cell's replicates vary about the law's, with intraclass correlation
    `replicate_rho`. num_at_best of num_starts optimisations ended at the best optimum.
    """

    form: Form
    axes: Axes
    theta: np.ndarray
    log_likelihood: float
    replicate_rho: float
    num_runs: int
    num_starts: int
    num_at_best: int
    converged: bool

    @property
    def aicc(self) -> float:
        """Akaike's criterion, corrected for few runs, with one more parameter for the spread of replicates."""
        k = self.form.num_parameters + 1
        spare = self.num_runs - k - 1
        return 2 * k - 2 * self.log_likelihood + (2 * k * (k + 1) / spare if spare > 0 else np.inf)

    def predict(self, context_length: np.ndarray, num_sequences: np.ndarray) -> np.ndarray:
        """Return Hit@5 of cells, measured or not. [K]."""
        return self.form.predict(self.theta, self.axes.at(context_length, num_sequences))


def fit(form: Form, hit_map: HitMap, axes: Axes | None = None) -> Fit:
    """Fit one law to the cells' means. Needs at least as many cells as parameters."""
    axes = axes or Axes.of(hit_map.context_length, hit_map.num_sequences, hit_map.floor)
    y, weight = hit_map.mean, hit_map.num_replicates * float(hit_map.num_queries)
    begin = _best_starts(form, axes, y, weight)
    theta, deviances, converged = maximise(form, axes, np.broadcast_to(y, (len(begin), len(y))), weight, begin)
    best = int(np.argmin(deviances))
    rho, log_likelihood = _replicate_spread(hit_map, form.predict(theta[best], axes))
    near = deviances <= deviances[best] + SAME_OPTIMUM * (1 + deviances[best])
    return Fit(
        form, axes, theta[best], log_likelihood, rho, int(hit_map.num_replicates.sum()), len(begin), int(near.sum()),
        bool(converged[best]),
    )  # fmt: skip


def _best_starts(form: Form, axes: Axes, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the most promising starting points. [S, p]."""
    begin = starts(form, axes, y)
    order = np.argsort(_deviance(y, form.predict(begin, axes), weight), kind="stable")
    return begin[order[:MAX_STARTS]]


def refit(fitted: Fit, resampled: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Fit the same law to resampled maps, starting at the fit.

    resampled: [B, K] cell means. weight: [K] queries behind each cell. Returns theta [B, p].
    """
    begin = np.broadcast_to(fitted.theta, (len(resampled), len(fitted.theta)))
    return maximise(fitted.form, fitted.axes, resampled, weight, begin, MAX_REFIT_ITERATIONS)[0]


def maximise(
    form: Form, axes: Axes, y: np.ndarray, weight: np.ndarray, start: np.ndarray, max_iterations: int = MAX_ITERATIONS
):
    """Maximise the binomial likelihood of S problems at once, by Fisher scoring with Levenberg's damping.

    y: [S, K] rates. weight: [K] queries. start: [S, p]. Returns theta [S, p], deviance [S], converged [S].
    """
    theta = np.array(start, float)
    deviance = _deviance(y, form.predict(theta, axes), weight)
    damping, converged = np.full(len(theta), 1e-3), np.zeros(len(theta), bool)
    for _ in range(max_iterations):
        live = np.flatnonzero(~converged)
        if not len(live):
            break
        trial = theta[live] + _scoring_step(form, axes, y[live], weight, theta[live], damping[live])
        gained = _deviance(y[live], form.predict(trial, axes), weight)
        better = gained <= deviance[live]
        small = np.abs(deviance[live] - gained) <= TOLERANCE * (1 + deviance[live])
        stuck = ~better & (damping[live] > 1e8)
        theta[live[better]] = trial[better]
        deviance[live[better]] = gained[better]
        damping[live] = np.where(better, np.maximum(damping[live] / 6, 1e-9), damping[live] * 5)
        converged[live] = (better & small) | stuck
    return theta, deviance, converged


def jacobian(form: Form, axes: Axes, theta: np.ndarray) -> np.ndarray:
    """Return the derivatives of Hit@5 by the parameters, by forward differences. theta [S, p] -> [S, K, p]."""
    here = form.predict(theta, axes)
    moved = form.predict(theta + STEP * np.eye(theta.shape[-1])[:, None], axes)  # [p, S, K]: one call for all
    return np.moveaxis((moved - here) / STEP, 0, -1)


def _scoring_step(form: Form, axes: Axes, y, weight, theta, damping) -> np.ndarray:
    rate = form.predict(theta, axes)
    slope = jacobian(form, axes, theta)
    precision = weight / (rate * (1 - rate))
    gradient = np.einsum("skp,sk->sp", slope, precision * (y - rate))
    information = np.einsum("skp,sk,skq->spq", slope, precision, slope)
    diagonal = np.einsum("spp->sp", information)
    largest = diagonal.max(1, keepdims=True) + 1e-9  # a parameter without effect must not make this singular
    ridge = damping[:, None] * (diagonal + 1e-6 * largest) + 1e-12 * largest
    information = information + ridge[:, :, None] * np.eye(theta.shape[1])
    return np.clip(np.linalg.solve(information, gradient[..., None])[..., 0], -3, 3)


def _deviance(y: np.ndarray, rate: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the deviance: twice the log-likelihood lost compared with the measured rates. [S, K] -> [S]."""
    with np.errstate(divide="ignore", invalid="ignore"):
        hit = np.where(y > 0, y * np.log(y / rate), 0.0)
        miss = np.where(y < 1, (1 - y) * np.log((1 - y) / (1 - rate)), 0.0)
    return 2 * ((hit + miss) * weight).sum(-1)


def _replicate_spread(hit_map: HitMap, rate: np.ndarray) -> tuple[float, float]:
    """Return the maximum-likelihood intraclass correlation of the runs about the law, and their log-likelihood."""
    mean = np.repeat(rate, hit_map.num_replicates)
    hits = np.concatenate(hit_map.runs) * hit_map.num_queries
    misses = hit_map.num_queries - hits

    def lost(log_size: float) -> float:
        size = np.exp(log_size)  # of the beta distribution: rho = 1 / (size + 1)
        a, b = mean * size, (1 - mean) * size
        return -float((betaln(hits + a, misses + b) - betaln(a, b)).sum())

    found = minimize_scalar(lost, bounds=(0.0, 16.0), method="bounded")
    return 1 / (np.exp(found.x) + 1), -float(found.fun)
