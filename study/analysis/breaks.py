"""Find breaks in N that no smooth law explains, in all contexts together and in each alone, and where they lie."""

from dataclasses import dataclass

import numpy as np

from study.analysis.changes import Scan, scan
from study.analysis.hit_map import HitMap
from study.analysis.holm import LEVEL, holm
from study.analysis.law import CannotTell, Law
from study.analysis.law_fit import Fit
from study.analysis.law_misfit import MISFIT_LEVEL
from study.analysis.simultaneous import Simultaneous

MIN_SIZES = 5  # two on either side of the break, and one to place it


@dataclass(frozen=True, eq=False)
class Break:
    """The evidence for a break in N. context: the one context that it concerns; None for all together.

    p_value: of "no break", the largest over the tenable smooth laws, adjusted by Holm over the contexts and all
    together. scans: by law, of each with which one break describes the map; none if no break is shown.
    """

    context: int | None
    p_value: float
    scans: dict[str, Scan]

    @property
    def shown(self) -> bool:
        return self.p_value < LEVEL

    @property
    def place(self) -> tuple[float, float, float] | None:
        """N of the break, from the law that fits best, and the N between which it may lie under any law."""
        if not self.scans:
            return None
        best = max(self.scans.values(), key=lambda one: one.misfit_p)
        low, high = best.candidates.low[best.best], best.candidates.high[best.best]
        lowest = min(one.candidates.low[one.tenable].min() for one in self.scans.values())
        highest = max(one.candidates.high[one.tenable].max() for one in self.scans.values())
        return float(np.sqrt(low * high)), float(lowest), float(highest)

    @property
    def at_border(self) -> bool:
        """Whether it may lie where the grid cannot tell it from a break farther out."""
        return any(one.candidates.at_border[one.tenable].any() for one in self.scans.values())

    def inside(self, size: float, factor: float) -> bool:
        """Return whether it lies within a factor of a size, wherever it may lie, and not at a border."""
        scans = self.scans.values()
        return bool(scans) and all(one.candidates.inside(size, factor)[one.tenable].all() for one in scans)

    def outside(self, size: float, factor: float) -> bool:
        """Return whether it lies farther than a factor from a size, wherever it may lie, and not at a border."""
        scans = self.scans.values()
        apart = all(not one.candidates.near(size, factor)[one.tenable].any() for one in scans)
        return bool(scans) and apart and not self.at_border


@dataclass(frozen=True, eq=False)
class Breaks:
    """The break in all contexts together, and that in each alone."""

    together: Break
    alone: tuple[Break, ...]

    @property
    def described(self) -> tuple[Break, ...]:
        """The breaks that are shown and describe the map: that of all contexts together if it does, or single ones."""
        if self.together.shown and self.together.scans:
            return (self.together,)
        return tuple(one for one in self.alone if one.scans)

    @property
    def shown(self) -> tuple[Break, ...]:
        """All breaks that are shown, whether or not they describe the map."""
        return tuple(one for one in (self.together, *self.alone) if one.shown)

    @property
    def smallest_p(self) -> float:
        """The smallest of all p-values of "no break", adjusted."""
        return min(one.p_value for one in (self.together, *self.alone))

    def p_value(self, context: int) -> float:
        """Return the smaller p-value of "no break" that concerns one context, both adjusted."""
        return min(one.p_value for one in (self.together, *self.alone) if one.context in (None, context))

    def at(self, context: int) -> Break | None:
        """Return the break that one context has; None if none is described."""
        return next((one for one in self.described if one.context in (None, context)), None)


def find_breaks(law: Law) -> Breaks:
    """Test every tenable smooth law against a break, in all contexts together and in each alone.

    A sup-score test over all places and kinds, whose null distribution is the noise of the map. Where a break is shown,
    its places are those that any law allows with which the map is described.

    Raises: CannotTell if there are too few sizes N for a break.
    """
    num_sizes = len(np.unique(law.hit_map.num_sequences))
    if num_sizes < MIN_SIZES:
        raise CannotTell(f"a break needs at least {MIN_SIZES} sizes N, found {num_sizes}")
    contexts = [None, *(int(c) for c in np.unique(law.hit_map.context_length))]
    if len(contexts) == 2:  # one context: together and alone are the same
        contexts = [None]
    adjusted = holm(np.array([_p_value(law, context) for context in contexts]))
    found = [
        Break(context, float(p), _describing(law, context) if p < LEVEL else {})
        for context, p in zip(contexts, adjusted, strict=True)
    ]
    return Breaks(found[0], tuple(found[1:]))


def largest_step(law: Law, size: float, factor: float) -> float | None:
    """Return how large a step within a factor of a size may be, in Hit@5: in all contexts together and in each, with
    95 % confidence at once. None if no gap between two sizes lies there.
    """
    contexts = [None, *np.unique(law.hit_map.context_length)]
    scans = [scan(law.chosen, law.hit_map, context) for context in contexts]
    candidates = scans[0].candidates
    near = candidates.near(size, factor) & (candidates.kind == "step")
    if not near.any():
        return None
    values, noise = zip(*(one.effects for one in scans), strict=True)
    found = Simultaneous.of(np.concatenate([v[near] for v in values]), np.hstack([n[:, near] for n in noise]))
    return float(np.maximum(np.abs(found.low), np.abs(found.high)).max())


def tenable_laws(law: Law) -> list[Fit]:
    """Return the smooth laws that fit the map, and those in the race if none does; the likeliest first."""
    table = law.comparison.set_index("form")
    names = set(table.index[table.in_the_race | (table.misfit_p >= MISFIT_LEVEL)])
    return sorted((one for one in law.fits if one.form.name in names), key=lambda one: one.aicc)


def _p_value(law: Law, context: int | None) -> float:
    """Return the largest p-value over the tenable laws; the first that shows nothing decides."""
    largest = 0.0
    for fitted in tenable_laws(law):
        largest = max(largest, _scan(fitted, law.hit_map, context).p_value)
        if largest >= LEVEL:
            break
    return largest


def _describing(law: Law, context: int | None) -> dict[str, Scan]:
    """Scan with every law; return those with which one break describes the map."""
    scans = {fitted.form.name: _scan(fitted, law.hit_map, context) for fitted in law.fits}
    return {name: one for name, one in scans.items() if one.misfit_p >= MISFIT_LEVEL}


def _scan(fitted: Fit, hit_map: HitMap, context: int | None) -> Scan:
    return scan(fitted, hit_map, context, sharp=context is not None)
