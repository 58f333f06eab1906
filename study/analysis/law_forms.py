"""Define the laws that are compared: Hit@5 as a smooth function of C and N.

With floor f (chance) and ceiling U, Hit@5 = f + (U - f) g, and x = ln(N / N0), c = ln(C / C0) at the map's middle:

    odds    g / (1 - g) = exp(m + a x + b c)                 a separable power law in the odds
    log     -log g      = exp(-(m + a x + b c))              a separable power law in -log Hit@5
    sum     logit g     = m - A exp(-a x) - B exp(-b c)      the sigmoid of A / N^a + B / C^b + E
    exp     logit g     = m - A exp(-N / tau) - B exp(-b c)  a saturating exponential in N

Without `context`, b c and B are left out: Hit@5 is constant in C. With `interaction`, what N adds depends on C: odds
and log gain a term d x c, and A is multiplied by exp(d c).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

MAX_EXPONENT = 3.0  # of the `sum` law; steeper than any law in the literature
EDGE = 1e-6  # Hit@5 stays this far from 0 and 1
ADDED = ("sum", "exp")  # kinds whose logit is a sum of what N and C add


@dataclass(frozen=True, eq=False)
class Axes:
    """The positions of the cells. x, c: [K] log N and log C, centred. floor: chance Hit@5."""

    x: np.ndarray
    c: np.ndarray
    floor: float
    centre: tuple[float, float]

    @classmethod
    def of(cls, context_length: np.ndarray, num_sequences: np.ndarray, floor: float) -> "Axes":
        log_n, log_c = np.log(num_sequences), np.log(context_length)
        centre = (float(np.unique(log_n).mean()), float(np.unique(log_c).mean()))
        return cls(log_n - centre[0], log_c - centre[1], floor, centre)

    def at(self, context_length: np.ndarray, num_sequences: np.ndarray) -> "Axes":
        """Return other cells on the same axes."""
        x, c = np.log(num_sequences) - self.centre[0], np.log(context_length) - self.centre[1]
        return Axes(x, c, self.floor, self.centre)


@dataclass(frozen=True)
class Form:
    """One law. A parameter vector holds, in this order: m, a or tau, [b], [A, [B]], [d], [ceiling].

    All are free real numbers: the ceiling and the exponents of `sum` and `exp` are squeezed into their ranges, so
    the optimisation needs no bounds and every coordinate is of order one.
    """

    kind: str  # odds, log, sum, exp
    context: bool = True
    free_ceiling: bool = False
    interaction: bool = False

    @property
    def name(self) -> str:
        parts = [
            self.kind, "" if self.context else "constant in C", "C x N" if self.interaction else "",
            "free ceiling" if self.free_ceiling else "",
        ]  # fmt: skip
        return ", ".join(part for part in parts if part)

    @cached_property
    def names(self) -> tuple[str, ...]:
        names = ["m", "tau" if self.kind == "exp" else "a"] + ["b"] * self.context
        if self.kind in ADDED:
            names += ["A"] + ["B"] * self.context
        return tuple(names + ["d"] * self.interaction + ["ceiling"] * self.free_ceiling)

    @property
    def num_parameters(self) -> int:
        return len(self.names)

    def column(self, name: str) -> int:
        return self.names.index(name)

    def contains(self, other: "Form") -> bool:
        """Return whether the other law is this one with some parameters fixed."""
        flags = ("context", "free_ceiling", "interaction")
        return self.kind == other.kind and all(getattr(self, flag) >= getattr(other, flag) for flag in flags)

    def predict(self, theta: np.ndarray, axes: Axes, shift: float = 0.0, shift_n: float = 0.0) -> np.ndarray:
        """Return Hit@5. theta [..., p] -> [..., K] in (0, 1). shift: added to the score. shift_n: added to a x."""
        value = {name: theta[..., i, None] for i, name in enumerate(self.names)}
        along_n = self._along_n(value, axes) + shift_n
        along_c = self._exponent(value["b"]) * axes.c if self.context else 0.0
        if self.kind in ADDED:
            score = value["m"] - self._missing(value, along_n, axes)
            score = score - value["B"] * np.exp(-along_c) if self.context else score
        else:
            score = value["m"] + along_n + along_c
            score = score + value["d"] * axes.x * axes.c if self.interaction else score
        score = np.minimum(np.maximum(score + shift, -30), 30)
        g = np.exp(-np.exp(-score)) if self.kind == "log" else 1 / (1 + np.exp(-score))
        ceiling = squeeze(value["ceiling"], axes.floor, 1.0) if self.free_ceiling else 1.0
        return np.minimum(np.maximum(axes.floor + (ceiling - axes.floor) * g, EDGE), 1 - EDGE)

    def natural(self, theta: np.ndarray, axes: Axes) -> dict[str, np.ndarray]:
        """Return the parameters that a report shows: exponents, ceiling. theta [..., p] -> [...] each."""
        if self.kind == "exp":
            found = {"tau": np.exp(axes.centre[0] + theta[..., self.column("tau")])}
        else:
            found = {"a": self._exponent(theta[..., self.column("a")])}
        if self.context:
            found["b"] = self._exponent(theta[..., self.column("b")])
        if self.interaction:
            found["d"] = theta[..., self.column("d")]
        if self.free_ceiling:
            found["ceiling"] = squeeze(theta[..., self.column("ceiling")], axes.floor, 1.0)
        if self.kind in ADDED:  # its asymptote for unlimited data and context
            found["ceiling"] = axes.floor + (1 - axes.floor) / (1 + np.exp(-theta[..., self.column("m")]))
        return found

    def _along_n(self, value: dict[str, np.ndarray], axes: Axes) -> np.ndarray:
        """Return a x; ln(N / tau) of `exp`."""
        return axes.x - value["tau"] if self.kind == "exp" else self._exponent(value["a"]) * axes.x

    def _missing(self, value: dict[str, np.ndarray], along_n: np.ndarray, axes: Axes) -> np.ndarray:
        """Return what a finite N takes from the logit of an added law."""
        size = value["A"] * np.exp(value["d"] * axes.c) if self.interaction else value["A"]
        return size * np.exp(-(np.exp(np.minimum(along_n, 5)) if self.kind == "exp" else along_n))

    def _exponent(self, raw: np.ndarray) -> np.ndarray:
        return squeeze(raw, 0.0, MAX_EXPONENT) if self.kind in ADDED else raw


def _forms() -> tuple[Form, ...]:
    """Return every smooth law: constant in C, with C, and with an interaction of C and N."""
    found = []
    for kind, ceilings in (("odds", (False, True)), ("log", (False, True)), ("sum", (False,)), ("exp", (False,))):
        for free in ceilings:
            found += [Form(kind, True, free), Form(kind, False, free), Form(kind, True, free, interaction=True)]
    return tuple(found)


FORMS = _forms()


def squeeze(raw: np.ndarray, low: float, high: float) -> np.ndarray:
    """Map the reals into (low, high)."""
    return low + (high - low) / (1 + np.exp(-np.minimum(np.maximum(raw, -30), 30)))


def unsqueeze(value: float, low: float, high: float) -> float:
    """Undo `squeeze`; values at the ends are moved slightly inside."""
    share = np.clip((value - low) / (high - low), 1e-3, 1 - 1e-3)
    return float(np.log(share / (1 - share)))
