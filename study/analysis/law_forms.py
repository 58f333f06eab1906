"""Define the laws that are compared: Hit@5 as a function of C and N, smooth or with one break in N.

With floor f (chance) and ceiling U, Hit@5 = f + (U - f) g, and x = ln(N / N0), c = ln(C / C0) at the map's middle:

    odds    g / (1 - g) = exp(m + a x + b c)                 a separable power law in the odds
    log     -log g      = exp(-(m + a x + b c))              a separable power law in -log Hit@5
    sum     logit g     = m - A exp(-a x) - B exp(-b c)      the sigmoid of A / N^a + B / C^b + E

Without `context`, b c and B are left out: Hit@5 is constant in C. With a break, a x becomes a smoothly broken line with
slope a before N_break and a_after beyond it (Caballero et al., Broken Neural Scaling Laws, ICLR 2023).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

SHARPNESS = 0.25  # the break's width in ln N: nine tenths of the bend lie within a factor of 2 of N_break
MAX_EXPONENT = 3.0  # of the `sum` law; steeper than any law in the literature
EDGE = 1e-6  # Hit@5 stays this far from 0 and 1
SUM_STARTS = (0.3, 0.8, 1.6)
CEILING_STARTS = (0.1, 0.5, 0.9)  # of the way from the best cell to 1
BREAK_STARTS = (0.25, 0.5, 0.75)  # of the way from the smallest N to the largest


@dataclass(frozen=True, eq=False)
class Axes:
    """The positions of the cells. x, c: [K] log N and log C, centred. floor: chance Hit@5."""

    x: np.ndarray
    c: np.ndarray
    floor: float
    centre: tuple[float, float]
    span: tuple[float, float]  # of x in which a break may lie

    @classmethod
    def of(cls, context_length: np.ndarray, num_sequences: np.ndarray, floor: float) -> "Axes":
        log_n, log_c = np.log(num_sequences), np.log(context_length)
        values = np.unique(log_n)
        centre = (float(values.mean()), float(np.unique(log_c).mean()))
        inner = values[[0, -1]] if len(values) < 4 else values[[1, -2]]  # a slope needs two sizes on either side
        return cls(log_n - centre[0], log_c - centre[1], floor, centre, tuple(inner - centre[0]))

    def at(self, context_length: np.ndarray, num_sequences: np.ndarray) -> "Axes":
        """Return other cells on the same axes."""
        x, c = np.log(num_sequences) - self.centre[0], np.log(context_length) - self.centre[1]
        return Axes(x, c, self.floor, self.centre, self.span)


@dataclass(frozen=True)
class Form:
    """One law. A parameter vector holds, in this order: m, a, [b], [A, [B]], [ceiling], [a_after, break].

    All are free real numbers: ceiling, break and the exponents of `sum` are squeezed into their ranges, so the
    optimisation needs no bounds and every coordinate is of order one.
    """

    kind: str  # odds, log, sum
    context: bool = True
    free_ceiling: bool = False
    broken: bool = False

    @property
    def name(self) -> str:
        parts = [self.kind, "" if self.context else "constant in C", "free ceiling" if self.free_ceiling else ""]
        return ", ".join(part for part in [*parts, "break in N" if self.broken else ""] if part)

    @cached_property
    def names(self) -> tuple[str, ...]:
        names = ["m", "a"] + ["b"] * self.context
        if self.kind == "sum":
            names += ["A"] + ["B"] * self.context
        return tuple(names + ["ceiling"] * self.free_ceiling + ["a_after", "break"] * self.broken)

    @property
    def num_parameters(self) -> int:
        return len(self.names)

    def column(self, name: str) -> int:
        return self.names.index(name)

    def smooth(self) -> "Form":
        return Form(self.kind, self.context, self.free_ceiling)

    def with_break(self) -> "Form":
        return Form(self.kind, self.context, self.free_ceiling, broken=True)

    def predict(self, theta: np.ndarray, axes: Axes) -> np.ndarray:
        """Return Hit@5. theta [..., p] -> [..., K] in (0, 1)."""
        value = {name: theta[..., i, None] for i, name in enumerate(self.names)}
        along_n = self._along_n(value, axes)
        along_c = self._exponent(value["b"]) * axes.c if self.context else 0.0
        if self.kind == "sum":
            score = value["m"] - value["A"] * np.exp(-along_n)
            score = score - value["B"] * np.exp(-along_c) if self.context else score
        else:
            score = value["m"] + along_n + along_c
        score = np.clip(score, -30, 30)
        g = np.exp(-np.exp(-score)) if self.kind == "log" else 1 / (1 + np.exp(-score))
        ceiling = squeeze(value["ceiling"], axes.floor, 1.0) if self.free_ceiling else 1.0
        return np.clip(axes.floor + (ceiling - axes.floor) * g, EDGE, 1 - EDGE)

    def natural(self, theta: np.ndarray, axes: Axes) -> dict[str, np.ndarray]:
        """Return the parameters that a report shows: exponents, ceiling, N_break. theta [..., p] -> [...] each."""
        found = {"a": self._exponent(theta[..., self.column("a")])}
        if self.context:
            found["b"] = self._exponent(theta[..., self.column("b")])
        if self.free_ceiling:
            found["ceiling"] = squeeze(theta[..., self.column("ceiling")], axes.floor, 1.0)
        if self.kind == "sum":  # its asymptote for unlimited data and context
            found["ceiling"] = axes.floor + (1 - axes.floor) / (1 + np.exp(-theta[..., self.column("m")]))
        if self.broken:
            found["a_after"] = self._exponent(theta[..., self.column("a_after")])
            found["break_n"] = np.exp(axes.centre[0] + squeeze(theta[..., self.column("break")], *axes.span))
        return found

    def starts(self, axes: Axes, y: np.ndarray) -> np.ndarray:
        """Return the starting points: a grid of the non-linear parameters, the others by least squares. [S, p]."""
        smooth = np.array([start for ceiling in self._ceilings(y) for start in self._least_squares(axes, y, ceiling)])
        if not self.broken:
            return smooth
        slope = smooth[:, [1]]  # a; beyond the break, half of it or zero
        flat = unsqueeze(0.05, 0, MAX_EXPONENT) if self.kind == "sum" else 0.0
        ends = [
            np.hstack([smooth, after, np.full_like(slope, unsqueeze(place, 0, 1))])
            for place in BREAK_STARTS
            for after in (slope / 2, np.full_like(slope, flat))
        ]
        return np.concatenate(ends)

    def _along_n(self, value: dict[str, np.ndarray], axes: Axes) -> np.ndarray:
        """Return a x, or the broken line. Anchored at x = 0 before the break."""
        before = self._exponent(value["a"])
        if not self.broken:
            return before * axes.x
        past = (axes.x - squeeze(value["break"], *axes.span)) / SHARPNESS
        return before * axes.x + (self._exponent(value["a_after"]) - before) * SHARPNESS * np.logaddexp(0, past)

    def _exponent(self, raw: np.ndarray) -> np.ndarray:
        return squeeze(raw, 0.0, MAX_EXPONENT) if self.kind == "sum" else raw

    def _ceilings(self, y: np.ndarray) -> list[float]:
        top = float(y.max())
        return [top + part * (1 - top) for part in CEILING_STARTS] if self.free_ceiling else [1.0]

    def _least_squares(self, axes: Axes, y: np.ndarray, ceiling: float) -> list[np.ndarray]:
        """Return starting points for one ceiling: on the link's scale the law is linear in its other parameters."""
        share = np.clip((y - axes.floor) / (ceiling - axes.floor), 1e-3, 1 - 1e-3)
        score = -np.log(-np.log(share)) if self.kind == "log" else np.log(share / (1 - share))
        ending = [unsqueeze((ceiling - axes.floor) / (1 - axes.floor), 0, 1)] if self.free_ceiling else []
        one = np.ones_like(axes.x)
        if self.kind != "sum":
            columns = [one, axes.x, axes.c] if self.context else [one, axes.x]
            return [np.r_[np.linalg.lstsq(np.stack(columns, 1), score)[0], ending]]
        found = []
        for a, b in [(a, b) for a in SUM_STARTS for b in (SUM_STARTS if self.context else (1.0,))]:
            columns = [one, -np.exp(-a * axes.x)] + [-np.exp(-b * axes.c)] * self.context
            m, *sizes = np.linalg.lstsq(np.stack(columns, 1), score)[0]
            exponents = [unsqueeze(value, 0, MAX_EXPONENT) for value in ([a, b] if self.context else [a])]
            found.append(np.r_[m, exponents, sizes, ending])
        return found


FORMS = tuple(
    Form(kind, context, free_ceiling)
    for kind, ceilings in (("odds", (False, True)), ("log", (False, True)), ("sum", (False,)))
    for free_ceiling in ceilings
    for context in (True, False)
)


def squeeze(raw: np.ndarray, low: float, high: float) -> np.ndarray:
    """Map the reals into (low, high)."""
    return low + (high - low) / (1 + np.exp(-np.clip(raw, -30, 30)))


def unsqueeze(value: float, low: float, high: float) -> float:
    """Undo `squeeze`; values at the ends are moved slightly inside."""
    share = np.clip((value - low) / (high - low), 1e-3, 1 - 1e-3)
    return float(np.log(share / (1 - share)))
