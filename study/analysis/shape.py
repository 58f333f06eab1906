"""Decide the shape of Hit@5 along C, from the differences of all pairs of contexts with simultaneous intervals."""

from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from study.analysis.hit_map import HitMap
from study.analysis.simultaneous import Simultaneous

MARGIN = 0.05  # contexts whose Hit@5 differs by less than this share of it count as equal
UNDECIDED = "undecided"
PEAK, DIP = "not monotone: peak", "not monotone: lowest point"
DEPENDS = "depends on N"


@dataclass(frozen=True, eq=False)
class Differences:
    """ln Hit@5 of a longer context minus that of a shorter one, for all pairs, at one N or as the mean over N.

    contexts: [C]. first, second: [P] places of each pair in them. found: estimates and intervals, which hold for all
    pairs at once (of every N, where these are compared).
    """

    contexts: np.ndarray
    first: np.ndarray
    second: np.ndarray
    found: Simultaneous

    @property
    def rises(self) -> np.ndarray:
        return self.found.low > 0

    @property
    def falls(self) -> np.ndarray:
        return self.found.high < 0

    @property
    def may_rise(self) -> np.ndarray:
        """Pairs whose rise may exceed the margin."""
        return self.found.high > MARGIN

    @property
    def may_fall(self) -> np.ndarray:
        """Pairs whose fall may exceed the margin."""
        return self.found.low < -MARGIN

    @property
    def elasticity(self) -> np.ndarray:
        """Estimate, low and high of each pair's elasticity. [3, P]."""
        ratio = np.log(self.contexts[self.second] / self.contexts[self.first])
        return np.stack([self.found.value, self.found.low, self.found.high]) / ratio

    @property
    def steps(self) -> np.ndarray:
        """Mark the pairs of neighbours. [P] bool."""
        return self.second == self.first + 1

    @property
    def whole(self) -> int:
        """The pair of the shortest and the longest context."""
        return int(np.flatnonzero((self.first == 0) & (self.second == len(self.contexts) - 1))[0])

    def pair(self, first: int, second: int) -> int:
        """Return the number of the pair of two contexts."""
        at = (self.contexts[self.first] == first) & (self.contexts[self.second] == second)
        return int(np.flatnonzero(at)[0])

    def extremes(self, highest: bool) -> tuple[int, int, int] | None:
        """Return the context at the peak (or at the lowest point) between a rise and a fall that are both shown, and
        the shortest and the longest context that may be it; None if no such pair is shown.
        """
        up, down = (self.rises, self.falls) if highest else (self.falls, self.rises)
        turns = set(self.second[up]) & set(self.first[down])
        if not turns:
            return None
        level = np.zeros(len(self.contexts))
        level[self.second[self.first == 0]] = self.found.value[self.first == 0]
        top = max(turns, key=lambda place: level[place] if highest else -level[place])
        beaten = set(self.first[up]) | set(self.second[down])
        able = [place for place in range(len(self.contexts)) if place not in beaten or place == top]
        return int(self.contexts[top]), int(self.contexts[min(able)]), int(self.contexts[max(able)])


@dataclass(frozen=True, eq=False)
class Shape:
    """How Hit@5 changes with C. verdict: superlinear, sublinear, flat, falling, PEAK, DIP, DEPENDS or UNDECIDED.

    mean: the differences of the mean over N. by_size: those at each N. extreme: of a peak or a lowest point, the
    context, and the shortest and longest that may be it. contrary: by N, the pair of contexts that is clearest to
    differ in another way there.
    """

    verdict: str
    mean: Differences
    by_size: dict[int, Differences]
    extreme: tuple[int, int, int] | None = None
    contrary: dict[int, int] = field(default_factory=dict)


def shape_in_context(hit_map: HitMap) -> Shape | None:
    """Decide the shape; None unless two contexts have hits at the same N."""
    mean, by_size = _differences(hit_map)
    if mean is None:
        return None
    verdict, extreme = _verdict(mean)
    contrary = {n: _contrary(verdict, mean, one, list(by_size.values())) for n, one in by_size.items()}
    contrary = {n: int(np.abs(by_size[n].found.t * pairs).argmax()) for n, pairs in contrary.items() if pairs.any()}
    if contrary:
        return Shape(DEPENDS, mean, by_size, contrary=contrary)
    return Shape(verdict, mean, by_size, extreme)


def _verdict(found: Differences) -> tuple[str, tuple[int, int, int] | None]:
    """Return the verdict on one set of differences, and its extreme."""
    whole, steps = found.whole, found.steps
    _, low, high = found.elasticity
    if not (found.may_rise | found.may_fall).any():
        return "flat", None
    for name, highest, material in ((PEAK, True, found.may_fall), (DIP, False, found.may_rise)):
        extreme = found.extremes(highest)
        if extreme and material.any():
            return name, extreme
    if (low[steps] > 1).any():
        return "superlinear", None
    if found.rises[whole] and not found.may_fall.any() and (high[steps] < 1).all():
        return "sublinear", None
    if found.falls[whole] and not found.may_rise.any():
        return "falling", None
    return UNDECIDED, None


def _contrary(verdict: str, mean: Differences, at_size: Differences, others: list[Differences]) -> np.ndarray:
    """Mark the pairs that one N is shown to move another way than the mean over N does, or than another N. [P] bool."""
    up, down = at_size.rises & at_size.may_rise, at_size.falls & at_size.may_fall
    pairs = up & mean.falls | down & mean.rises
    if verdict == "flat":
        pairs = pairs | (at_size.found.low > MARGIN) | (at_size.found.high < -MARGIN)
    if verdict in ("sublinear", "superlinear"):
        pairs = pairs | down
    if verdict == "falling":
        pairs = pairs | up
    for other in others:
        pairs = pairs | up & other.falls & other.may_fall | down & other.rises & other.may_rise
    return pairs


def _differences(hit_map: HitMap) -> tuple[Differences | None, dict[int, Differences]]:
    """Return the differences of the mean over N, and those at each N that all contexts have."""
    contexts, sizes = np.unique(hit_map.context_length), np.unique(hit_map.num_sequences)
    at = hit_map.index
    sizes = [n for n in sizes if all((c, n) in at for c in contexts)]
    cells = np.array([[at[c, n] for c in contexts] for n in sizes])  # [N, C]
    if len(contexts) < 2 or not len(cells) or (hit_map.mean[cells] <= 0).any():
        return None, {}
    first, second = np.array(list(combinations(range(len(contexts)), 2))).T
    level, noise = np.log(hit_map.mean[cells]), (hit_map.deviations / np.maximum(hit_map.mean, 1e-12))[:, cells]
    value, drawn = level[:, second] - level[:, first], noise[..., second] - noise[..., first]  # [N, P], [B, N, P]
    mean = Differences(contexts, first, second, Simultaneous.of(value.mean(0), drawn.mean(1)))
    if len(sizes) == 1:
        return mean, {}
    together = Simultaneous.of(value.ravel(), drawn.reshape(len(drawn), -1))
    parts = [Simultaneous(*(part.reshape(value.shape)[i] for part in (together.value, together.low, together.high,
             together.t))) for i in range(len(sizes))]  # fmt: skip
    return mean, {int(n): Differences(contexts, first, second, part) for n, part in zip(sizes, parts, strict=True)}
