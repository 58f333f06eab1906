"""Breaks in N are found and placed, in all contexts together or in one; nothing is found where nothing was planted."""

import numpy as np
import pytest

from study.analysis.breaks import find_breaks, largest_step
from study.analysis.changes import Candidates, scan
from study.analysis.law import CannotTell, fit_law
from study.analysis.law_fit import fit
from study.analysis.law_forms import Form
from tests.analysis.test_statistics import hits_of
from tests.planted import CONTEXTS, LAWS, SIZES, planted_map

LAPTOP = np.array([125.0, 500, 1000, 2000, 8000])
SEEDS = range(4)
CELLS = np.array([(c, n) for c in CONTEXTS for n in SIZES])


def stepped(context: int | None, by: float = 0.1) -> np.ndarray:
    """Return a map that rises smoothly, with a step at 1,000 in one context or in all."""
    row = CELLS[:, 0] == context if context else np.ones(len(CELLS), bool)
    smooth = 1 / (1 + np.exp(-0.2 * np.log(CELLS[:, 1] / 1000) - 0.2 * np.log(CELLS[:, 0] / 8)))
    return smooth + by * (row & (CELLS[:, 1] >= 1000))


def test_a_step_in_all_contexts_is_placed_between_its_two_sizes():
    found = [find_breaks(fit_law(planted_map(stepped(None), seed))).together for seed in SEEDS]
    assert all(one.shown for one in found)
    assert sum(one.inside(1000, 2) for one in found) >= 3
    for one in found:
        value, low, high = one.place
        assert low <= 1000 <= high
        assert low <= value <= high


def test_a_step_in_one_context_alone_is_found_there():
    found = [find_breaks(fit_law(planted_map(stepped(16), seed))).described for seed in SEEDS]
    contexts = [one.context for breaks in found for one in breaks if one.inside(1000, 2)]
    assert contexts.count(16) >= 3
    assert set(contexts) <= {16, None}


@pytest.mark.parametrize("name", LAWS)
def test_no_break_is_shown_under_a_smooth_law(name):
    shown = [bool(find_breaks(fit_law(planted_map(LAWS[name], seed))).shown) for seed in SEEDS]
    assert sum(shown) <= 1


@pytest.mark.parametrize(("before", "after"), [(0.7, 0.15), (0.05, 0.5)], ids=["flattens", "takes off"])
def test_the_places_of_a_planted_bend_contain_it(before, after):
    past = np.log(CELLS[:, 1] / 700)
    hit_at_5 = 1 / (1 + np.exp(-np.where(past < 0, before, after) * past - 0.2 * np.log(CELLS[:, 0] / 8)))
    found = [find_breaks(fit_law(planted_map(hit_at_5, seed))).together for seed in SEEDS]
    assert sum(one.shown for one in found) >= 3
    places = [one.place for one in found if one.place]
    assert np.mean([low <= 700 <= high for _, low, high in places]) >= 0.6


def test_a_bend_in_the_first_or_last_gap_may_lie_anywhere_in_it():
    found = Candidates.of(LAPTOP)
    borders = list(zip(found.low[found.at_border], found.high[found.at_border], strict=True))
    assert borders == [(125, pytest.approx(500)), (pytest.approx(2000), 8000)]


def test_only_changes_that_surely_lie_near_are_inside():
    found = Candidates.of(LAPTOP)
    inside = found.inside(1000, 2)
    assert not inside[found.at_border].any(), "the span of this grid is [500, 2,000] itself"
    steps = found.kind == "step"
    assert list(zip(found.low[steps], found.high[steps], strict=True)) == [(500, 1000), (1000, 2000)]
    assert inside[steps].all()


def test_a_step_of_a_known_size_is_measured():
    hit_map = planted_map(stepped(16), seed=0)
    found = scan(fit(Form("odds"), hit_map), hit_map, 16, sharp=True)
    gap = (found.candidates.kind == "step") & (found.candidates.low == 500)
    value, noise = (part[..., gap].squeeze() for part in found.effects)
    assert abs(value - 0.1) < 3 * noise.std()


def test_a_larger_step_than_there_can_be_is_excluded_on_a_smooth_map():
    smooth, with_step = (fit_law(planted_map(one, seed=0)) for one in (LAWS["odds"], stepped(16)))
    assert largest_step(smooth, 1000, 2) < 0.06 < largest_step(with_step, 1000, 2)
    assert largest_step(smooth, 100_000, 2) is None, "no gap between two sizes lies there"


def test_three_sizes_are_too_few_to_find_a_break():
    law = fit_law(hits_of({(c, n): 0.2 + 0.1 * np.log10(n) for c in (1, 4, 16) for n in (100, 400, 1600)}))
    with pytest.raises(CannotTell, match="5 sizes"):
        find_breaks(law)
