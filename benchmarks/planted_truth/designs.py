"""The truths that are planted: Hit@5 as a function of C and N, what may be said of it, and how it is measured."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from study.analysis.law_forms import FORMS, Form
from tests.planted import CONTEXTS, LAWS, SIZES, Planted, Shape

LAPTOP = (CONTEXTS, (125, 500, 1000, 2000, 8000))
SEVEN = (CONTEXTS, SIZES)
ON_LAPTOP = Shape(grid=LAPTOP)
NONE = ("none of those compared",)
BASELINE = 0.3


@dataclass(frozen=True, kw_only=True)
class Design:
    """One planted truth. hit_at_5: of C [K] and N [K]. shape: how it is measured. baseline: Hit@5 of the baseline.

    context, law, threshold: the answers that are true; "cannot tell" is always allowed. planted: the law, where its
    exponents are to be found again. break_n: where the break lies. stable_from: the N from which on the replicates'
    standard deviation is within 2 points. intervals: whether cells and differences are checked too.
    """

    name: str
    hit_at_5: Callable[[np.ndarray, np.ndarray], np.ndarray]
    context: tuple[str, ...]
    law: tuple[str, ...] = NONE
    threshold: tuple[str, ...] = ("no",)
    shape: Shape = ON_LAPTOP
    baseline: float = BASELINE
    planted: Planted | None = None
    break_n: float | None = None
    stable_from: float = 125
    intervals: bool = False


def all_designs() -> tuple[Design, ...]:
    """Return every design, in the order of the table."""
    return (*_without_effect(), *_laws(), *_outside(), *_thresholds(), *_measured_otherwise())


def _without_effect() -> list[Design]:
    flat = Design(
        name="no effect", hit_at_5=lambda c, n: np.full(len(c), 0.45), context=("flat",), law=(), baseline=0.45,
        intervals=True,
    )  # fmt: skip
    return [flat, replace(flat, name="no effect, search noise of 1 point", shape=Shape(grid=LAPTOP, search_noise=0.01))]


def _laws() -> list[Design]:
    found = []
    for name, planted in LAWS.items():
        form = planted.form
        found.append(
            Design(
                name=f"law: {name}",
                hit_at_5=_of_law(planted),
                planted=planted,
                law=_containing(form),
                context=("sublinear",) if form.context else ("flat",),
                intervals=form == Form("sum"),
            )
        )
    odds = next(one for one in found if one.planted.form == Form("odds"))
    noisy = Shape(grid=LAPTOP, search_noise=0.01)
    return [*found, replace(odds, name="law: odds, search noise of 1 point", shape=noisy, intervals=True)]


def _outside() -> list[Design]:
    interaction = _containing(Form("odds", interaction=True))
    exponential = ("exp", "exp, C x N", *NONE)
    return [
        Design(name="saturating exponential in N", hit_at_5=_saturating, context=("sublinear",), law=exponential),
        Design(name="C x N interaction", hit_at_5=_interacting, context=("sublinear",), law=interaction),
        Design(name="rises with C at large N, falls at small N", hit_at_5=_crossing, context=("depends on N",),
               law=interaction),
        Design(name="rises, then falls from C=16", hit_at_5=_peak(0.25), context=("not monotone: peak",)),
        Design(name="the same, by 3 points, search noise of 1 point", hit_at_5=_peak(0.1),
               context=("not monotone: peak",), shape=Shape(grid=LAPTOP, search_noise=0.01)),
        Design(name="falls, then rises from C=16", hit_at_5=_peak(-0.25, -0.3),
               context=("not monotone: lowest point",)),
        Design(name="rises to C=16, then constant", hit_at_5=_peak(0.0), context=("sublinear",)),
        Design(name="falls with C", hit_at_5=lambda c, n: _odds(0.2 * _x(n) - 0.15 * _c(c)), context=("falling",),
               law=_containing(Form("odds"))),
        Design(name="superlinear from C=1 to 4", hit_at_5=_superlinear, context=("superlinear",), baseline=0.05,
               law=_containing(Form("sum"))),  # at these contexts, a fast saturation
    ]  # fmt: skip


def _thresholds() -> list[Design]:
    found = []
    for grid, sizes in ((LAPTOP, "5 sizes"), (SEVEN, "7 sizes")):
        shape = Shape(grid=grid)
        shared = {"context": ("sublinear",), "shape": shape}
        together, yes = {**shared, "threshold": ("yes",), "break_n": 1000}, "yes, at C=16"
        one = {**shared, "threshold": (yes,), "break_n": 1000, "context": ("sublinear", "depends on N")}
        found += [
            Design(name=f"bend at 1,000, {sizes}", hit_at_5=_bend(1000, 0.7, 0.15), **together),
            Design(name=f"takes off at 1,000, {sizes}", hit_at_5=_bend(1000, 0.05, 0.5, -0.4), **together),
            Design(name=f"step of 9 points at 1,000, {sizes}", hit_at_5=_step(None), **together),
            Design(name=f"step of 9 points at 1,000 in C=16 alone, {sizes}", hit_at_5=_step(16), **one),
            Design(name=f"the same, search noise of 1 point, {sizes}", hit_at_5=_step(16),
                   **{**one, "shape": replace(shape, search_noise=0.01)}),
            Design(name=f"bend at 250, {sizes}", hit_at_5=_bend(250, 0.7, 0.15), break_n=250, **shared),
            Design(name=f"bend at 4,000, {sizes}", hit_at_5=_bend(4000, 0.7, 0.15), break_n=4000, **shared),
        ]  # fmt: skip
    smooth = _outside()[0]
    return [*found, replace(smooth, name=f"{smooth.name}, 7 sizes", shape=Shape(grid=SEVEN))]


def _measured_otherwise() -> list[Design]:
    flat, law = _without_effect()[0], _laws()[3]
    found = []
    for chains, queries in ((1, 2000), (8, 250), (120, 17)):
        shape, label = (
            Shape(grid=LAPTOP, chains=chains, queries=queries),
            f"{chains} document{'s' if chains > 1 else ''}",
        )
        found += [
            replace(flat, name=f"no effect, {label}", shape=shape, intervals=chains > 1),
            replace(law, name=f"law: sum, {label}", shape=shape, intervals=chains > 1),
        ]
    collapsed = Shape(grid=LAPTOP, collapse=0.1, replicates=5)
    return [
        *found,
        replace(flat, name="no effect, 10 % of replicates collapse", shape=collapsed, stable_from=np.inf),
        replace(law, name="law: sum, 10 % of replicates collapse", shape=collapsed, stable_from=np.inf, intervals=True),
        replace(law, name="replicates vary by 1.9 points at N=125", shape=_noisy(1.68), intervals=False),
        replace(law, name="replicates vary by 4 points at N=125", shape=_noisy(3.5), stable_from=500, intervals=False),
    ]


def _noisy(factor: float) -> Shape:
    return Shape(grid=LAPTOP, noisy={125: factor})


def _containing(form: Form) -> tuple[str, ...]:
    return tuple(one.name for one in FORMS if one.contains(form))


def _of_law(planted: Planted):
    return lambda c, n: planted.form.predict(planted.theta, planted.axes.at(c, n))


def _odds(score: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-score))


def _x(n: np.ndarray) -> np.ndarray:
    return np.log(n / 1000)


def _c(c: np.ndarray) -> np.ndarray:
    return np.log(c / 8)


def _saturating(c: np.ndarray, n: np.ndarray) -> np.ndarray:
    return 0.3 + 0.3 * (1 - np.exp(-n / 1500)) + 0.03 * _c(c)


def _interacting(c: np.ndarray, n: np.ndarray) -> np.ndarray:
    return _odds(0.25 * _x(n) + 0.15 * _c(c) + 0.06 * _x(n) * _c(c))


def _crossing(c: np.ndarray, n: np.ndarray) -> np.ndarray:
    return _odds(0.25 * _x(n) + 0.08 * _x(n) * _c(c))


def _peak(fall: float, rise: float = 0.3):
    def hit_at_5(c: np.ndarray, n: np.ndarray) -> np.ndarray:
        return _odds(0.3 * _x(n) + rise * np.minimum(_c(c), np.log(2)) - fall * np.maximum(_c(c) - np.log(2), 0))

    return hit_at_5


def _superlinear(c: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Hit@5 grows with C to the power of 1.3 up to C=4, and no more beyond."""
    return np.minimum(0.06 * np.minimum(c, 4.0) ** 1.3 * _odds(0.3 * _x(n)) / 0.5, 0.9)


def _bend(at: float, before: float, after: float, level: float = 0.3):
    def hit_at_5(c: np.ndarray, n: np.ndarray) -> np.ndarray:
        past = np.log(n / at)
        return _odds(level + np.where(past < 0, before, after) * past + 0.25 * _c(c))

    return hit_at_5


def _step(context: int | None):
    def hit_at_5(c: np.ndarray, n: np.ndarray) -> np.ndarray:
        row = True if context is None else c == context
        return _odds(0.2 * _x(n) + 0.2 * _c(c)) + 0.09 * (row & (n >= 1000))

    return hit_at_5
