"""The shape of Hit@5 along C: what rises, falls, turns or stays the same, and what depends on N."""

import numpy as np
import pytest

from study.analysis.shape import DEPENDS, DIP, PEAK, UNDECIDED, shape_in_context
from tests.analysis.test_statistics import hits_of
from tests.planted import CONTEXTS, SIZES, planted_map

CONTEXT, SIZE = np.array([(c, n) for c in CONTEXTS for n in SIZES], float).T
C, X = np.log(CONTEXT / 16), np.log(SIZE / 1000)


def odds(score: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-score))


@pytest.mark.parametrize(
    ("hit_at_5", "verdict"),
    [
        (odds(0.2 * X + 0.2 * C), "sublinear"),
        (odds(0.2 * X - 0.2 * C), "falling"),
        (odds(0.2 * X + 0.2 * np.minimum(C, 0)), "sublinear"),
        (odds(0.2 * X + 0.3 * np.minimum(C, 0) - 0.3 * np.maximum(C, 0)), PEAK),
        (odds(0.2 * X - 0.3 * np.minimum(C, 0) + 0.3 * np.maximum(C, 0)), DIP),
        (odds(0.2 * X + 0.1 * C * X), DEPENDS),
    ],
    ids=["rises", "falls", "rises to a plateau", "rises, then falls", "falls, then rises", "turns round with N"],
)
def test_a_planted_shape_is_found(hit_at_5, verdict):
    assert shape_in_context(planted_map(hit_at_5, seed=3)).verdict == verdict


def test_a_peak_has_its_context_and_those_that_may_be_it():
    hit_at_5 = odds(0.2 * X + 0.3 * np.minimum(C, 0) - 0.3 * np.maximum(C, 0))
    assert shape_in_context(planted_map(hit_at_5, seed=3)).extreme == (16, 16, 16)


def test_a_pooled_step_hides_no_steps_of_opposite_sign():
    """From C=16 to 64 Hit@5 falls at small N and rises at large N, and on average does neither."""
    last = np.where(SIZE < 1000, -0.3, 0.4) * (CONTEXT == 64)
    found = shape_in_context(planted_map(odds(0.1 * X + 0.2 * np.minimum(C, 0) + last), seed=2))
    assert found.verdict == DEPENDS
    first, second = (found.mean.contexts[part] for part in (found.mean.first, found.mean.second))
    assert all(64 in (first[pair], second[pair]) for pair in found.contrary.values())


def test_a_map_without_an_effect_is_flat_or_undecided_and_says_within_which_margin():
    found = [shape_in_context(planted_map(np.full(len(C), 0.5), seed)) for seed in range(6)]
    assert {one.verdict for one in found} <= {"flat", UNDECIDED}
    for one in found:
        if one.verdict == "flat":
            assert max(np.abs(one.mean.found.low).max(), np.abs(one.mean.found.high).max()) <= 0.05


def test_growth_faster_than_the_context_is_superlinear():
    assert shape_in_context(hits_of({(1, 100): 0.02, (2, 100): 0.1, (4, 100): 0.5})).verdict == "superlinear"


def test_one_context_has_no_shape():
    assert shape_in_context(hits_of({(4, 100): 0.3, (4, 400): 0.4})) is None
    assert shape_in_context(hits_of({(1, 100): 0.0, (4, 100): 0.3})) is None, "a cell without a hit has no logarithm"
