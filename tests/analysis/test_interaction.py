"""Whether the effect of N depends on C: found where planted, claimed nowhere else, and never on one scale alone."""

import numpy as np
import pytest

from study.analysis.hit_map import HitMap
from study.analysis.interaction import interaction, interaction_verdict
from study.analysis.law import CannotTell
from tests.analysis.test_statistics import hits_of
from tests.planted import LAWS, Shape, planted_map

SHAPE = Shape(grid=((1, 4, 16), (125, 500, 2000)))


def logistic(score: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-score))


def crossed(slope: float) -> np.ndarray:
    """Return a map whose slope in ln N grows with ln C by `slope`, on the logit."""
    log_c, log_n = (np.log(np.array(SHAPE.cells)[:, axis] / middle) for axis, middle in ((0, 4), (1, 500)))
    return logistic(0.3 * log_c + 0.3 * log_n + slope * log_c * log_n)


def drawn(hit_at_5: np.ndarray, seed: int, **changes) -> HitMap:
    return planted_map(hit_at_5, seed, SHAPE, **changes)


def test_an_interaction_is_found_and_its_size_has_an_interval():
    found = interaction(drawn(crossed(0.2), seed=0))
    assert found.is_shown and found.num_contrasts == 4
    row = found.corners.iloc[0]
    cell = dict(zip(SHAPE.cells, crossed(0.2), strict=True))
    true = (cell[16, 2000] - cell[16, 125]) - (cell[1, 2000] - cell[1, 125])
    assert row.low <= true <= row.high and row.low > 0


def test_nothing_is_claimed_where_c_and_n_are_additive():
    shown = [interaction_verdict(drawn(crossed(0.0), seed), None).answer for seed in range(40)]
    assert sum(answer.startswith("the effect") for answer in shown) <= 4, "5 % of 40, and two standard errors"
    assert sum(answer == "no interaction shown" for answer in shown) >= 20


def test_an_interaction_on_one_scale_alone_is_no_answer():
    answers = [interaction_verdict(planted_map(LAWS["sum"], seed), None) for seed in range(3)]
    assert {found.answer for found in answers} == {"cannot tell: it does on one scale alone"}, "additive on the logit"


def test_both_maps_must_show_it():
    strong, none = drawn(crossed(0.2), seed=0), drawn(crossed(0.0), seed=1)
    assert interaction_verdict(strong, none).answer.startswith("cannot tell: the effect of N depends on C")
    both = interaction_verdict(strong, drawn(crossed(0.2), seed=2))
    assert both.answer.startswith("the effect of N depends on C (p = 0.0")
    assert "at one configuration for all cells: the effect of N depends on C" in both.evidence


def test_the_noise_of_the_search_is_no_interaction():
    """It is in the draws only where a second map shows it; that both maps must agree protects where it does not."""
    shown = 0
    for seed in range(20):
        tuned, common = (drawn(crossed(0.0), 100 + seed, search_noise=noise) for noise in (0.01, 0.0))
        shown += interaction_verdict(tuned, common).answer.startswith("the effect")
    assert shown <= 2


def test_the_cell_that_deviates_most_is_named():
    bent = np.full(9, 0.5)
    bent[4] = 0.6
    context, size, deviation = interaction(drawn(bent, seed=0)).largest
    assert (context, size) == (4, 500)
    assert deviation == pytest.approx(0.1 * 4 / 9, abs=0.02)


def test_too_few_cells_or_replicates_are_refused():
    with pytest.raises(CannotTell, match="two contexts that share two sizes N"):
        interaction(hits_of({(1, 100): 0.3, (1, 200): 0.4, (4, 400): 0.5}))
    refused = interaction_verdict(hits_of({(c, n): 0.3 for c in (1, 4) for n in (100, 200)}, replicates=1), None)
    assert refused.answer == "cannot tell" and "at least 2 replicates" in refused.evidence


def test_a_map_without_the_corner_cells_has_no_effect_at_both_ends():
    hit_map = hits_of({(1, 100): 0.3, (1, 200): 0.4, (4, 100): 0.5, (4, 200): 0.5, (16, 400): 0.6})
    assert interaction(hit_map).corners.empty
